"""``programme relief``: goods bought, given, handed over and lost."""

from __future__ import annotations

from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.entering import new_id, recording, seal_made
from charitychain.cli.record import approved
from charitychain.cli.session import looked_into

__all__ = ["command"]


@click.group()
def command() -> None:
    """Buy relief goods, take them in, hand them over, and record what was lost."""


@command.command("buy")
@click.option("--from", "source", metavar="ACCOUNT", required=True, help="The account in money that pays.")
@click.option("--to", metavar="ACCOUNT", required=True, help="The goods account.")
@click.option("--amount", required=True, help="What was paid.")
@click.option("--gives", metavar="N", required=True, help="How much was got for it.")
@click.option("--supplier", metavar="TEXT", required=True, help="Who was paid.")
@click.option("--line", metavar="PLAN/LINE", help="The line of a plan that it uses.")
@approved
@recording
def buy_goods(
    source: str, to: str, amount: str, gives: str, supplier: str, line: str | None, approved_by: list[str] | None,
    **options: Any,
) -> None:  # fmt: skip
    """Record a purchase: money of one account became goods of another. What one piece cost is derived and said."""
    from charitychain.programmes.relief import buy

    made = options.pop("id_") or new_id("C")
    with looked_into(options) as found:
        entry, price = buy(found.reader(), source=source, to=to, amount=amount, gives=gives, supplier=supplier, id=made)
    seal_made({**entry, "line": line, "approved_by": approved_by}, options, {"price": price})
    output.say(f"Price: {price}.")


@command.command("give")
@click.argument("account")
@click.argument("amount")
@click.option("--value", help="What the giver says that the goods are worth; never summed with money.")
@click.option("--currency", metavar="UNIT", help="The currency of --value.")
@click.option("--donor", metavar="HEX", help="The giver's pseudonym, 32 hex digits; never a name.")
@recording
def give_goods(
    account: str, amount: str, value: str | None, currency: str | None, donor: str | None, **options: Any
) -> None:
    """Record goods given in kind: AMOUNT into the goods account ACCOUNT."""
    from charitychain.programmes.relief import give

    if (value is None) != (currency is None):
        raise click.UsageError("--value and --currency are given together.")
    made = options.pop("id_") or new_id("D")
    with looked_into(options) as found:
        entry = give(found.reader(), account=account, amount=amount, id=made, value=value, currency=currency)
    seal_made({**entry, "donor": donor}, options)


@command.command("move")
@click.option("--from", "source", metavar="ACCOUNT", required=True, help="The goods account of who hands over.")
@click.option("--to", metavar="ACCOUNT", required=True, help="The goods account of who receives.")
@click.option("--amount", metavar="N", required=True, help="How much.")
@approved
@recording
def move_goods(source: str, to: str, amount: str, approved_by: list[str] | None, **options: Any) -> None:
    """Record a batch handed over. The receiver confirms it with `acknowledge`, by its own key."""
    from charitychain.programmes.relief import move

    made = options.pop("id_") or new_id("B")
    with looked_into(options) as found:
        entry = move(found.reader(), source=source, to=to, amount=amount, id=made)
    seal_made({**entry, "approved_by": approved_by}, options)


@command.command("lose")
@click.option("--from", "source", metavar="ACCOUNT", required=True, help="The goods account.")
@click.option("--amount", metavar="N", required=True, help="How much was lost.")
@click.option("--how", metavar="TEXT", required=True, help="What happened.")
@approved
@recording
def lose_goods(source: str, amount: str, how: str, approved_by: list[str] | None, **options: Any) -> None:
    """Record goods that were lost: in every trace they end as lost."""
    from charitychain.programmes.relief import lose

    made = options.pop("id_") or new_id("X")
    with looked_into(options) as found:
        entry = lose(found.reader(), source=source, amount=amount, how=how, id=made)
    seal_made({**entry, "approved_by": approved_by}, options)
