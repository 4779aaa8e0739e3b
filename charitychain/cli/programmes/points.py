"""``programme points``: points earned by acts, and a sponsor's money for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.entering import new_id, recording, seal_made
from charitychain.cli.record import approved
from charitychain.cli.session import formatted, looked_into, on_ledger, opened, with_keys

__all__ = ["command"]


@click.group()
def command() -> None:
    """Enter points earned by acts as gifts, and redeem them for a sponsor's money."""


@command.command("enter")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--account", metavar="ID", required=True, help="The account in points.")
@click.option("--series", metavar="NAME", default="points", show_default=True, help="An act is traced as NAME/act.")
@click.option("--author", metavar="PARTY", help="Who signs, where it is not the owner.")
@click.option("--dry-run", is_flag=True, help="Check everything, record nothing.")
@on_ledger
@with_keys
@formatted
def enter_acts(
    file: Path, account: str, series: str, author: str | None, dry_run: bool, ledger: str | None, format_: str,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Enter the acts of FILE: CSV with the columns act,person,date,points.

    All of it or nothing. What the ledger holds already is skipped.
    """
    from charitychain.programmes.points import import_acts

    with opened(ledger, **options) as found, found.writer(dry=dry_run) as writer:
        done = import_acts(writer, file, account, series=series, author=author)
    told = output.imported(done.added, done.known, done.blocks, dry_run)
    output.show_facts("json" if as_json else format_, *told)


@command.command("redeem")
@click.option("--from", "source", metavar="ACCOUNT", required=True, help="The account in points.")
@click.option("--to", metavar="ACCOUNT", required=True, help="The account that gets the money.")
@click.option("--funded-from", metavar="ACCOUNT", required=True, help="The sponsor's account, which pays.")
@click.option("--rate", metavar="POINTS=MONEY", required=True, help="So many points give so much, such as 100=1.00.")
@click.option("--points", metavar="N", help="How many points at most; else the whole balance.")
@approved
@recording
def redeem_points(
    source: str, to: str, funded_from: str, rate: str, points: str | None, approved_by: list[str] | None, **options: Any
) -> None:
    """Turn the points of an account into money that a sponsor's account pays, by a declared rate."""
    from charitychain.programmes.points import redeem

    made = options.pop("id_") or new_id("C")
    with looked_into(options) as found:
        entry = redeem(found.reader(), source=source, to=to, funded_from=funded_from, rate=rate, points=points, id=made)
    seal_made({**entry, "approved_by": approved_by}, options)
