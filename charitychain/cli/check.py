"""``verify`` and ``status``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from charitychain.basis import day
from charitychain.cli import output
from charitychain.cli.files import read_note
from charitychain.cli.publishing import evidence_kept, keep_evidence
from charitychain.cli.session import formatted, ledger_place, on_ledger, opened, opened_others, with_others
from charitychain.errors import CharitychainError
from charitychain.heads import Heads, state_directory
from charitychain.ledger import Ledger
from charitychain.units import Unit, format_amount
from charitychain.verify import Report


@click.command()
@click.argument("ledger", required=False)
@click.option("-l", "--ledger", "option", metavar="LEDGER", help="The ledger file.")
@click.option("--checkpoint", metavar="FILE", help="A signed checkpoint that this ledger must extend.")
@click.option("--evidence-to", metavar="FILE", help="If two histories were signed, write the evidence to FILE.")
@click.option("--afresh", is_flag=True, help="Of a published ledger, forget the copy and fetch all of it again.")
@with_others
@formatted
def verify(
    ledger: str | None,
    option: str | None,
    checkpoint: str | None,
    evidence_to: str | None,
    afresh: bool,
    others: tuple[str, ...],
    format_: str,
    as_json: bool,
) -> int:
    """Recompute everything from the bytes and list every fault.

    LEDGER is a file; or a folder or an address where one is published.

    What it says that it received from another ledger is compared with that one, if --with gives it; without, it is this
    ledger's word.

    Of a ledger that holds it also lists, under Audit, what an auditor would ask about; that changes no exit code.

    Exit code 0: all holds. 1: something is wrong. 8: all holds, but the file is torn, or older than a head that is
    known here. 3: it cannot be read, or is no ledger.
    """
    if ledger is not None and option is not None:
        raise click.UsageError("Name the ledger once: as the argument, or with --ledger.")
    place = ledger_place(ledger if ledger is not None else option)
    known = _read_checkpoint(Path(checkpoint)) if checkpoint else None
    with opened_others(others) as beside, evidence_kept(evidence_to, always=False):
        report, published = _verified(place, known, beside, afresh=afresh)
        if published and report.faults and not afresh:  # a file may have come damaged, and have been mended since
            report, _ = _verified(place, known, beside, afresh=True)
    if report.fork is not None and evidence_to is not None:
        keep_evidence(report.fork, evidence_to)
    if as_json or format_ != "table":
        if format_ == "csv":
            columns = ("code", "block", "statement", "record", "offset", "message", "expected", "found")
            output.show_rows("csv", columns, [[getattr(fault, name) for name in columns] for fault in report.faults])
        else:
            output.write_json(report.to_dict(), line=format_ == "jsonl")
    else:
        _print_report(str(place), report)
    return report.exit_code


def _verified(
    place: Path | str, known: bytes | None, beside: Sequence[Ledger], *, afresh: bool
) -> tuple[Report, bool]:
    """Return the report on a ledger, and whether it is a published one."""
    heads = Heads(state_directory(os.environ))
    with closing(output.Meter("Fetching")) as meter:
        found = Ledger.open(place, afresh=afresh, progress=meter)
    with found, closing(output.Meter("Verifying")) as meter:
        return found.verify(heads=heads, checkpoint=known, progress=meter, others=beside), found.published is not None


def _read_checkpoint(path: Path) -> bytes:
    from charitychain.checkpoints import read_checkpoint

    data = read_note(path)
    read_checkpoint(data, str(path))
    return data


def _print_report(place: str, report: Report) -> None:
    echo, safe = output.echo, output.safe
    word, color = ("holds", "green") if report.holds else ("IS BAD", "red")
    verdict = output.style(word, fg=color, bold=True)
    echo(f"{safe(place)}: {verdict}")
    echo(f"  origin    {safe(report.origin)}")
    echo(f"  identity  {report.identity.hex()}")
    echo(f"  head      block {report.height}, {report.block_hash.hex()}")
    counts = report.counts
    echo(
        f"  checked   {counts['blocks']} blocks, {counts['statements']} statements, {counts['records']} records,"
        f" {counts['gifts']} gifts, {counts['accounts']} accounts, {report.size} bytes"
    )
    for unit, total in sorted(report.totals.items()):
        known = report.units[unit]
        parts = [("given", total.given), ("received", total.received), ("converted in", total.converted_in)]
        uses = [
            ("spent", total.spent), ("refunded", total.refunded), ("sent", total.sent),
            ("converted out", total.converted_out), ("held", total.held),
        ]  # fmt: skip

        def words(pairs: list[tuple[str, int]], always: str, known: Unit = known) -> str:
            shown = [(name, amount) for name, amount in pairs if amount or name == always]
            return " + ".join(f"{name} {format_amount(amount, known)}" for name, amount in shown)

        sign = "=" if total.conserved else "≠"
        came, went = words(parts, "given"), words(uses, "held")
        echo(f"  {safe(unit):<9} {came} {sign} {went}")
    if report.findings:
        echo("Audit:")
        for finding in report.findings:
            echo(f"  {output.style(finding.code, bold=True)}  {safe(finding.message)}")
    for fault in report.faults:
        echo()
        echo(f"{output.style(fault.code, fg='red', bold=True)}  {safe(fault.where())}")
        echo(f"  {safe(fault.message)}")
        for name, value in (("expected", fault.expected), ("found", fault.found)):
            if value is not None:
                echo(f"  {name:<9} {safe(value)}")
    if report.faults:
        echo()
        echo(f"{len(report.faults)} fault{'s' if len(report.faults) != 1 else ''}.")
    for text in report.warnings:
        output.say(f"Warning: {text}")
    for text in report.notices:
        output.say(f"Note: {text}")


@click.command()
@on_ledger
@formatted
def status(ledger: str | None, format_: str, as_json: bool) -> None:
    """Say what this ledger is and where it stands, without checking all of it."""
    with opened(ledger) as found:
        reader = found.reader()
        try:
            known = Heads(state_directory(os.environ)).head(found.identity)
        except CharitychainError:
            known = None
        facts = {
            "ledger": str(found.path),
            "origin": found.origin,
            "identity": found.identity.hex(),
            "height": reader.head.height,
            "block_hash": reader.head.hash.hex(),
            "sealed": day(reader.block.header.time),
            "accounts": len(reader.state.accounts),
            "parties": len(reader.state.parties),
            "size_bytes": found.path.stat().st_size,
            "verified_height": known.height if known else None,
        }
        if found.genesis.predecessor is not None:
            facts["predecessor"] = found.genesis.predecessor.identity.hex()
        if as_json or format_ in ("json", "jsonl"):
            output.write_json(facts, line=format_ == "jsonl")
        else:
            output.show_rows(format_, ("what", "value"), list(facts.items()))
        if known is None:
            output.say("Note: this ledger was never verified on this machine; `charitychain verify` does it.")
