"""``donate``, ``disburse``, ``spend``, ``convert``, ``refund`` and ``reverse``: one record each, sealed at once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, TypeVar

import click

from charitychain.cli import output
from charitychain.cli.privately import Privately
from charitychain.cli.session import formatted, on_ledger, opened, with_keys
from charitychain.entries import describe
from charitychain.errors import StorageError
from charitychain.index import IndexDamaged
from charitychain.writer import Writer

F = TypeVar("F", bound=Callable[..., Any])


def recording(command: F) -> F:
    """Add the options that every record has."""
    for option in reversed(
        [
            click.option("--id", "id_", metavar="ID", help="The record's own id; left out, one is made."),
            click.option("--date", metavar="DATE", help="When it happened: YYYY, YYYY-MM or YYYY-MM-DD."),
            click.option("--reference", metavar="TEXT", help="A number or word to find it by elsewhere."),
            click.option("--evidence", metavar="SHA256", multiple=True, help="Hash of a document; may repeat."),
            click.option("--author", metavar="PARTY", help="Who signs, where it is not the owner."),
            click.option(
                "--private",
                metavar="NAME=VALUE",
                multiple=True,
                help="A detail that stays off the ledger, in the vault; may repeat. VALUE may be - (stdin) or @FILE.",
            ),
            click.option("--vault", metavar="FILE", help="The vault; else $CHARITYCHAIN_VAULT, else beside the keys."),
            click.option("--dry-run", is_flag=True, help="Check everything, record nothing."),
        ]
    ):
        command = option(command)
    return on_ledger(with_keys(formatted(command)))


def enter(kind: str, letter: str, options: dict[str, Any], **fields: Any) -> None:
    """Record one entry in a block of its own, and say so."""
    dry, as_json = options.pop("dry_run"), options.pop("as_json")
    format_ = "json" if as_json else options.pop("format_")
    privately = Privately.told(options, options.pop("donor_name", None))
    made = options.pop("id_") or f"{letter}-{secrets.token_hex(5)}"
    entry: dict[str, Any] = {"record": kind, "id": made, **fields}
    for name in ("date", "reference", "author"):
        entry[name] = options.pop(name)
    if evidence := options.pop("evidence"):
        entry["evidence"] = list(evidence)
    entry = {name: value for name, value in entry.items() if value is not None}
    with opened(options.pop("ledger"), **options) as ledger:
        try:
            with ledger.writer(dry=dry) as writer:
                privately.fill(ledger, entry)
                new = writer.add(entry)
                if new and not dry:  # before the seal: a record whose salts are lost could never be shown
                    privately.keep(ledger, made)
                entry = _as_recorded(writer, made)
                head = writer.commit()
        except (StorageError, IndexDamaged) as error:
            # The disk failed somewhere between the block and its acknowledgement: it may be there all the same.
            raise StorageError(
                getattr(error, "code", "CC-INDEX"),
                f"{error}. Before you enter this again, see with `charitychain show {made}` whether it is recorded;"
                f" with --id {made} it is recorded once, however often you enter it",
                id=made,
            ) from error
        done = {**entry, "height": head.height, "recorded": new and not dry}
        verb = "would be recorded" if dry and new else "recorded" if new else "was there already"
        where = f" in block {head.height}" if new and not dry else ""
        output.show_facts(format_, done, f"{kind} {output.safe(made)} {verb}{where}")


def _as_recorded(writer: Writer, id_: str) -> dict[str, Any]:
    """Return the entry as the ledger will give it back: amounts with all decimals."""
    row = writer.core.state.lookup.find_id(id_)
    assert row is not None
    return describe(writer.core.state, *writer.core.signed(row.place))


@click.command()
@click.argument("account")
@click.argument("amount")
@click.option("--source", metavar="WORD", help="cash, goods-for-good, steps, hours, in-kind, undisclosed, …")
@click.option("--donor", metavar="HEX", help="The donor's pseudonym, 32 hex digits; never a name.")
@click.option("--donor-name", metavar="NAME", help="A donor of the vault, or - to read the name from stdin.")
@recording
def donate(account: str, amount: str, source: str | None, donor: str | None, **options: Any) -> None:
    """Record a gift of AMOUNT into ACCOUNT."""
    if donor is not None and options["donor_name"] is not None:
        raise click.UsageError("--donor and --donor-name say the same in two ways; give one of them.")
    enter("donation", "D", options, account=account, amount=amount, source=source, donor=donor)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("to")
@click.argument("amount")
@click.option("--gift", metavar="GIFT", help="Take it from this one gift.")
@recording
def disburse(source: str, to: str, amount: str, gift: str | None, **options: Any) -> None:
    """Move AMOUNT out of account FROM into account TO."""
    enter("disbursement", "B", options, **{"from": source}, to=to, amount=amount, gift=gift)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("amount")
@click.option("--payee", help="Who was paid; may be left out with --private.")
@click.option("--purpose", help="What for; may be left out with --private.")
@click.option("--category", type=click.Choice(["programme", "administration", "fundraising"]))
@click.option("--gift", metavar="GIFT", help="Pay it out of this one gift.")
@recording
def spend(
    source: str,
    amount: str,
    payee: str | None,
    purpose: str | None,
    category: str | None,
    gift: str | None,
    **options: Any,
) -> None:
    """Record that AMOUNT of account FROM was spent: its final use."""
    for name, value in (("--payee", payee), ("--purpose", purpose)):
        if value is None and not options["private"]:
            raise click.MissingParameter(param_hint=f"'{name}'", param_type="option")
    fields = {"payee": payee, "purpose": purpose, "category": category, "gift": gift}
    enter("expenditure", "X", options, **{"from": source}, amount=amount, **fields)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("amount")
@click.argument("to")
@click.argument("gives")
@click.option("--funded-from", metavar="ACCOUNT", help="The account that pays what the conversion gives.")
@click.option("--payee", help="Who was paid, where goods were bought.")
@recording
def convert(
    source: str, amount: str, to: str, gives: str, funded_from: str | None, payee: str | None, **options: Any
) -> None:
    """Turn AMOUNT of account FROM into GIVES of account TO, which has another unit."""
    fields = {"funded_from": funded_from, "payee": payee}
    enter("conversion", "C", options, **{"from": source}, amount=amount, to=to, gives=gives, **fields)


@click.command()
@click.argument("gift")
@click.option("--from", "source", metavar="ACCOUNT", help="Where it is taken from; else the gift's own account.")
@click.option("--amount", help="How much; else all of the gift that is there.")
@recording
def refund(gift: str, source: str | None, amount: str | None, **options: Any) -> None:
    """Give back to its donor what is left of GIFT."""
    enter("refund", "R", options, donation=gift, **{"from": source}, amount=amount)


@click.command()
@click.argument("expenditure")
@click.option("--amount", help="How much; else all that is left of it.")
@click.option("--reason", help="Why.")
@recording
def reverse(expenditure: str, amount: str | None, reason: str | None, **options: Any) -> None:
    """Undo EXPENDITURE, wholly or in part: the value comes back, and its trace goes on."""
    enter("reversal", "U", options, reverses=expenditure, amount=amount, reason=reason)
