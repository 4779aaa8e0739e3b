"""``programme steps``: walks in, and a sponsor's money for them."""

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
    """Enter days of walking as gifts in STEP, and turn them into a sponsor's money."""


@command.command("enter")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--account", metavar="ID", required=True, help="The account in STEP that the steps go to.")
@click.option("--series", metavar="NAME", default="steps", show_default=True, help="A walk is traced as NAME/walk.")
@click.option(
    "--least",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Walks of fewer steps do not enter; they are counted and told.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="How many of the walks that did not enter JSON lists.",
)
@click.option("--author", metavar="PARTY", help="Who signs, where it is not the owner.")
@click.option("--dry-run", is_flag=True, help="Check everything, record nothing.")
@on_ledger
@with_keys
@formatted
def enter_walks(
    file: Path, account: str, series: str, least: int, limit: int, author: str | None, dry_run: bool,
    ledger: str | None, format_: str, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Enter the walks of FILE: CSV with the columns walk,walker,date,steps.

    All of it or nothing. What the ledger holds already is skipped.
    """
    from charitychain.programmes.steps import import_walks

    with opened(ledger, **options) as found, found.writer(dry=dry_run) as writer:
        done = import_walks(writer, file, account, series=series, least=least, author=author, limit=limit)
    facts, sentence = output.imported(done.added, done.known, done.blocks, dry_run)
    facts |= {"least": least, "left_out": done.left_out, "left_out_steps": done.left_out_steps}
    format_ = "json" if as_json else format_
    if format_ in ("json", "jsonl"):
        facts["left_out_walks"] = [
            {**walk._asdict(), "walk": str(walk.walk), "steps": str(walk.steps)} for walk in done.left_out_walks
        ]
    if done.left_out:
        walks = "1 walk" if done.left_out == 1 else f"{done.left_out:,} walks"
        what = f"below {least:,} steps" if least > 1 else "of no steps"
        sum_ = f", {done.left_out_steps:,} step{'s' * (done.left_out_steps != 1)} in all" if least > 1 else ""
        sentence += f"; {walks} {what} did not enter{sum_}"
    output.show_facts(format_, facts, sentence)


@command.command("convert")
@click.option("--from", "source", metavar="ACCOUNT", required=True, help="The account in STEP.")
@click.option("--to", metavar="ACCOUNT", required=True, help="The account that gets the money.")
@click.option("--funded-from", metavar="ACCOUNT", required=True, help="The sponsor's account, which pays.")
@click.option("--rate", metavar="STEPS=MONEY", required=True, help="So many steps give so much, such as 1000=0.01.")
@click.option("--steps", metavar="N", help="How many steps at most; else the whole balance.")
@approved
@recording
def convert_walks(
    source: str, to: str, funded_from: str, rate: str, steps: str | None, approved_by: list[str] | None, **options: Any
) -> None:
    """Turn the steps of an account into money that a sponsor's account pays, by a declared rate.

    It is one record, whose reference states the rate. Steps that give not one more smallest unit stay where they are.
    """
    from charitychain.programmes.steps import convert_steps

    made = options.pop("id_") or new_id("C")
    with looked_into(options) as found:
        entry = convert_steps(
            found.reader(), source=source, to=to, funded_from=funded_from, rate=rate, steps=steps, id=made
        )
    seal_made({**entry, "approved_by": approved_by}, options)
