"""``reconcile``: the ledger's accounts against a bank's statement."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import IO, Any

import click

from charitychain.cli import output
from charitychain.cli.session import formatted, on_ledger, opened
from charitychain.errors import UnreadableError
from charitychain.interop import reconcile as comparing
from charitychain.interop.bank import OptionError, Reading, format_signed, read_statement
from charitychain.interop.bank_csv import COLUMNS
from charitychain.interop.reconcile import DAYS, Reconciliation

__all__ = ["reconcile"]

_WHY = {
    "opening": "before the period",
    "only_bank": "only at the bank",
    "only_ledger": "only in the ledger",
    "dated_elsewhere": "dated outside the period",
    "breaks": "breaks in the statement",
}


def _day(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        date.fromisoformat(text if len(text) == 10 else "")
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day as YYYY-MM-DD.") from None
    return text


def _columns(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in given:
        what, equals, name = text.partition("=")
        if what not in COLUMNS or not equals or not name or what in found:
            raise click.BadParameter(f"{text!r} must be WHAT=NAME, each once; WHAT is one of {', '.join(COLUMNS)}.")
        found[what] = name
    return found


@contextmanager
def _source(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 (only its opening is tried)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}", path=path) from error
    with file:
        yield file


@click.command()
@click.argument("statement")
@click.option("--account", "accounts", multiple=True, required=True, metavar="ID", help="Account kept there.")
@click.option("--from", "start", callback=_day, metavar="DATE", help="First day; else that of the statement.")
@click.option("--to", "end", callback=_day, metavar="DATE", help="Last day; else that of the statement.")
@click.option("--days", type=click.IntRange(0, 366), default=DAYS, show_default=True, help="Most days between a pair.")
@click.option("--bank-account", metavar="NUMBER", help="IBAN or number that the file must name.")
@click.option("--column", "columns", multiple=True, callback=_columns, metavar="WHAT=NAME", help="A CSV's column.")
@click.option("--decimal", type=click.Choice(["point", "comma"]), help="Decimal sign of the CSV.")
@click.option("--dates", type=click.Choice(["iso", "dmy", "mdy"]), help="How the CSV writes days.")
@click.option("--encoding", metavar="NAME", help="Text encoding of the CSV; else utf-8.")
@click.option("--opening", metavar="AMOUNT", help="Balance before the CSV's first line; at the beginning of --from.")
@click.option("--closing", metavar="AMOUNT", help="Balance after the CSV's last line; at the end of --to.")
@click.option("--all", "everything", is_flag=True, help="List what matched as well.")
@on_ledger
@formatted
def reconcile(
    statement: str,
    accounts: tuple[str, ...],
    start: str | None,
    end: str | None,
    days: int,
    everything: bool,
    ledger: str | None,
    format_: str,
    as_json: bool,
    **told: Any,
) -> int:
    """Compare accounts with a bank's STATEMENT: a CSV or a camt.053 XML file, or - for stdin.

    Exit code 0 if every day asked for is covered, everything matched and both close with the same balance, 8 if not: a
    difference is a finding, and no fault of the ledger.
    """
    if start is not None and end is not None and start > end:
        raise click.UsageError("--from is later than --to.")
    reading = Reading(
        told["columns"], told["decimal"], told["dates"], told["encoding"], told["bank_account"], told["opening"],
        told["closing"], start, end,
    )  # fmt: skip
    with _source(statement) as source, opened(ledger) as found:
        reader = found.reader()
        unit = comparing.account_unit(reader, accounts)
        try:
            said = read_statement(source, unit, reading)
        except OptionError as error:
            raise click.UsageError(str(error)) from error
        answer = comparing.reconcile(reader, accounts, said, start=start, end=end, days=days)
    if as_json or format_ in ("json", "jsonl"):
        output.write_json(answer.to_dict(), line=not as_json and format_ == "jsonl")
    elif format_ == "csv":
        _as_csv(answer)
    else:
        _as_table(answer, everything)
    if answer.closing_bank is None:
        output.say("Note: The statement states no balance, so only entries were compared, and it attests nothing.")
    if answer.uncovered:
        output.say(
            "Note: Nothing is said of days that the statement does not cover. A table covers those of its lines; what"
            " was held before and after them can be told, with --from and --opening, and with --to and --closing."
        )
    return 0 if answer.agrees else 8


def _rows(answer: Reconciliation) -> Iterable[tuple[str, int | None, dict[str, Any]]]:
    """Yield (what, number of the group, fields) for every entry and record."""
    found = answer.to_dict()
    for number, group in enumerate(found["matched"], 1):
        for row in (*group["bank"], *group["records"]):
            yield f"matched by {group['by']}", number, row
    for number, records in enumerate(found["cancelled"], len(found["matched"]) + 1):
        for row in records:
            yield "cancelled", number, row
    for what, name in (("only_bank", "only at the bank"), ("only_ledger", "only in the ledger")):
        for row in found[what]:
            yield name, None, row


def _as_csv(answer: Reconciliation) -> None:
    # Money that came in and money that went out stand in columns of their own: a cell with a minus would be escaped.
    columns = ("what", "group", "side", "id", "date", "in", "out", "unit", "reference", "text")
    rows = []
    for what, group, row in _rows(answer):
        out = row["amount"].startswith("-")
        rows.append(
            (
                what, group, "bank" if "place" in row else "ledger", row.get("place") or row["id"], row["date"],
                None if out else row["amount"], row["amount"][1:] if out else None, answer.unit.code,
                " ".join(row.get("references", ())), row["text"],
            )
        )  # fmt: skip
    rows += [
        ("not covered", None, "bank", None, first, None, None, answer.unit.code, "", _span((first, last)))
        for first, last in answer.uncovered
    ]
    output.show_rows("csv", columns, rows)


def _as_table(answer: Reconciliation, everything: bool) -> None:
    found = answer.to_dict()
    code = output.safe(answer.unit.code)
    where = f" and bank account {output.safe(found['bank_account'])}" if found["bank_account"] else ""
    output.echo(f"{', '.join(map(output.safe, answer.accounts))}{where}, {answer.start} to {answer.end}, in {code}")
    if answer.uncovered:
        output.echo(f"Not covered by the statement, and not compared: {', '.join(map(_span, answer.uncovered))}.")
    _balances(answer)
    entries = sum(len(group.bank) for group in answer.matches)
    records = sum(len(group.ledger) for group in answer.matches)
    output.echo(f"Matched: {_count(entries, 'entry', 'entries')} with {_count(records, 'record', 'records')}.")
    if answer.cancelled:
        count = sum(map(len, answer.cancelled))
        output.echo(f"Cancelled in the ledger by reversals: {_count(count, 'record', 'records')}.")
    heading = ""
    for what, _, row in _rows(answer):
        if what.startswith(("matched", "cancelled")) and not everything:
            continue
        if what != heading:
            output.echo(f"{what[0].upper()}{what[1:]}:")
            heading = what
        name = row["place"] if "place" in row else f"{row['id']} ({row['record']})"
        cells = (row["date"], f"{row['amount']:>14}", name, *row.get("references", ())[:2], row["text"])
        output.echo("  " + "  ".join(output.safe(cell) for cell in cells if cell))
    for broken in found["breaks"]:
        place = output.safe(broken["place"])
        output.echo(f"Break in the statement: {place}: {broken['expected']} follows, {broken['found']} is stated.")
    parts_of = found["explained"]
    if answer.difference and parts_of:
        parts = ", ".join(f"{_WHY[name]} {text}" for name, text in parts_of.items() if text.strip("-0."))
        output.echo(f"Difference {found['difference']} = {parts}.")
    for said in found["attestations"]:
        output.echo(_vouched(answer, said))
    told = [("attested", "the statement covers")]
    told += [("vouched", "attestations in the ledger cover")] if answer.attestations else []
    for name, words in told:
        held = found[name]
        output.echo(
            f"Of {held['held']} {code} held by the ledger, {words} {held['covered']};"
            f" {held['unattested']} ({held['unattested_percent']} %) is unattested."
        )


def _span(days: tuple[str, str]) -> str:
    first, last = days
    return first if first == last else f"{first} to {last}"


def _vouched(answer: Reconciliation, said: dict[str, Any]) -> str:
    """Say who attested what, and how it compares with the ledger and the bank on that day."""
    where = f" at {said['institution']}" if said["institution"] else ""
    part = f" in {', '.join(said['accounts'])}" if len(said["accounts"]) < len(answer.accounts) else ""
    sides = [("the ledger", said["book"], said["difference"]), ("the bank", said["bank"], said["bank_difference"])]
    compared = "; ".join(
        f"{side} has the same then" if not difference.strip("-0.") else f"{side} has {amount} then, {difference} apart"
        for side, amount, difference in sides
        if amount is not None
    )
    words = f"{said['by']} attests {said['amount']}{part}{where} on {said['at']} ({said['id']}): {compared}."
    if said["disputed"]:
        words += f" It is disputed and covers nothing: {said['disputed']}."
    return output.safe(words)


def _balances(answer: Reconciliation) -> None:
    found = answer.to_dict()
    rows = []
    for label, name in (("before", "opening"), ("at the end", "closing")):
        at_bank, in_book = getattr(answer, f"{name}_bank"), getattr(answer, f"{name}_ledger")
        difference = None if at_bank is None else format_signed(at_bank - in_book, answer.unit)
        rows.append((label, found["bank"][name] or "not stated", found["book"][name], difference))
    output.show_rows("table", ("balance", "bank", "ledger", "difference"), rows, right=("bank", "ledger", "difference"))


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
