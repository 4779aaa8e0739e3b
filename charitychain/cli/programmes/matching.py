"""``programme matching``: gifts matched out of a sponsor's pledge."""

from __future__ import annotations

from itertools import chain
from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.entering import new_id, recording, seal
from charitychain.cli.session import looked_into

__all__ = ["command"]


@click.command()
@click.argument("gifts", nargs=-1, metavar="GIFT…")
@click.option("--series", metavar="NAME", multiple=True, help="All gifts of a series; may repeat.")
@click.option("--pledge", metavar="ID", required=True, help="The sponsor's pledge.")
@click.option("--account", metavar="ID", required=True, help="The account that the pledge is for.")
@click.option("--ratio", metavar="N", default="1", show_default=True, help="How much for each unit given, such as 0.5.")
@click.option("--most", metavar="AMOUNT", help="The most for one gift.")
@recording
def command(
    gifts: tuple[str, ...], series: tuple[str, ...], pledge: str, account: str, ratio: str, most: str | None,
    **options: Any,
) -> None:  # fmt: skip
    """Match each GIFT that was not matched yet, out of a pledge, until that is used up; all in one statement.

    What a sponsor gave is not matched: a match of another gift, or a gift on this very pledge.
    """
    from charitychain.programmes.matching import gifts_in, match_gifts
    from charitychain.units import format_amount

    if not gifts and not series:
        raise click.UsageError("Name gifts, or a --series.")
    if options.pop("id_") is not None:
        raise click.UsageError("Each match gets an id of its own; leave --id out.")
    with looked_into(options) as found:
        reader = found.reader()
        named = chain(gifts, *(gifts_in(reader, name) for name in series))
        done = match_gifts(
            reader, pledge=pledge, account=account, gifts=named, new_id=lambda: new_id("D"), ratio=ratio, most=most
        )
        unit = reader.unit_of(reader.state.account_named(account))
    for what, listed in (
        ("matched already", done.known),
        ("a sponsor's own, not matched", done.sponsored),
        ("nothing to match", done.nothing),
    ):
        if listed:
            more = f" and {len(listed) - 20} more" if len(listed) > 20 else ""
            output.say(f"{what}: {', '.join(map(output.safe, listed[:20]))}{more}")
    if done.without_from is not None:
        output.say(f"the pledge is used up; {output.safe(done.without_from)} and all after it get nothing of it")
    left = format_amount(done.left, unit)
    output.say(f"Left of the pledge: {left} {unit.code}.")
    facts = {
        "known": done.known, "sponsored": done.sponsored, "nothing": done.nothing, "without_from": done.without_from,
        "left": left, "unit": unit.code,
    }  # fmt: skip
    if not done.entries:
        output.show_facts(
            "json" if options["as_json"] else options["format_"],
            {"record": "statement", "records": [], **facts, "recorded": False},
            "nothing matched",
        )
        return
    told = {name: options.pop(name) for name in ("date", "reference", "author")}
    told["evidence"] = list(options.pop("evidence")) or None
    seal([{**entry, **told} for entry in done.entries], options, facts, as_list=True)
