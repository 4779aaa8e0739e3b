"""What commands share that change what a ledger is made of: parties, keys, accounts and units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from charitychain.cli import output
from charitychain.cli.drafts import DRAFT, draft_target, write_look
from charitychain.cli.session import formatted, on_ledger, opened, with_keys
from charitychain.writer import Writer

F = TypeVar("F", bound=Callable[..., Any])


def changing(command: F) -> F:
    """Add the options of a command that changes what a ledger is made of."""
    dry = click.option("--dry-run", is_flag=True, help="Check everything, record nothing.")
    return dry(DRAFT(on_ledger(with_keys(formatted(command)))))


def change(
    kind: str, id_: str, verb: str, options: dict[str, Any], act: Callable[[Writer], bool], note: str = ""
) -> None:
    """Record one change in a block of its own, and say so."""
    dry, as_json = options.pop("dry_run"), options.pop("as_json")
    format_ = "json" if as_json else options.pop("format_")
    target = draft_target(options, dry)
    with opened(options.pop("ledger"), **options) as found:
        if target is not None:
            with found.drafter() as drafter:
                act(drafter)
            write_look(target, drafter.look, format_)
            return
        with found.writer(dry=dry) as writer:
            new = act(writer)
            head = writer.commit()
        facts = {"record": kind, "id": id_, "height": head.height, "recorded": new and not dry}
        if dry and new:
            done = f"would be {verb}"
        else:
            done = f"{verb} in block {head.height}{note}" if new else "was there already"
        what = "key of" if kind == "key" else kind
        output.show_facts(format_, facts, f"{what} {output.safe(id_)} {done}")
