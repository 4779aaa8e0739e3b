"""``programme hours``: minutes of volunteers in, and used by a project."""

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
    """Enter the hours of volunteers as gifts in MINUTE, and record which project used them."""


@command.command("enter")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--prefix", metavar="NAME", default="hours", show_default=True, help="An entry is traced as NAME-EVENT/entry."
)
@click.option("--author", metavar="PARTY", help="Who signs, where it is not the owner of each account.")
@click.option("--dry-run", is_flag=True, help="Check everything, record nothing.")
@on_ledger
@with_keys
@formatted
def enter_hours(
    file: Path, prefix: str, author: str | None, dry_run: bool, ledger: str | None, format_: str, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Enter the hours of FILE: CSV with the columns entry,volunteer,date,event,minutes; an event is an account.

    All of it or nothing. What the ledger holds already is skipped.
    """
    from charitychain.programmes.hours import import_hours

    with opened(ledger, **options) as found, found.writer(dry=dry_run) as writer:
        done = import_hours(writer, file, prefix=prefix, author=author)
    output.show_facts("json" if as_json else format_, *output.imported(done.added, done.known, done.blocks, dry_run))


@command.command("spend")
@click.argument("event")
@click.option("--payee", metavar="TEXT", required=True, help="The organisation for which the volunteers worked.")
@click.option("--purpose", metavar="TEXT", required=True, help="The project.")
@approved
@recording
def spend_event(event: str, payee: str, purpose: str, approved_by: list[str] | None, **options: Any) -> None:
    """Record that a project used all the minutes of EVENT. The organisation confirms it with `acknowledge`."""
    from charitychain.programmes.hours import spend_hours

    made = options.pop("id_") or new_id("X")
    with looked_into(options) as found:
        entry = spend_hours(found.reader(), event, payee=payee, purpose=purpose, id=made)
    seal_made({**entry, "approved_by": approved_by}, options)
