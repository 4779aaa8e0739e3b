"""What the importers of this folder share: rows accounted for, a journal entered, and a ledger read back.

An importer turns the rows of a book into journal lines and keeps a `Tally`: every row is either mapped or reported, and
`Tally.check` says so. `enter` puts the lines into a new ledger and verifies it. `Recount` then reads the *ledger* (not
the importer's memory) entry by entry and adds up what each account holds, so that it can be held against the book.

Rules upheld here:

- Nothing is dropped: rows read = rows mapped + rows not mapped, each of these with a sentence that says why.
- Money is whole cents; `cents` refuses what is not.
- Exit code 1 says that book and ledger differ, and nothing else: `run` gives 2 for wrong usage, 3 for a book that
  cannot be read or is of another kind, 70 for a fault of the importer, and for what the ledger refuses its own code.
- A person is a pseudonym: `donor` and `short` hash a name with a salt. It hides names from whoever reads the ledger; a
  published salt lets anybody who has the name try it, so the salt of a real book is to be kept.

What a row means is left to each importer.

>>> cents("-1,234.5"), money(123450)
(-123450, '1234.50')
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import re
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charitychain import Ledger
from charitychain.errors import CharitychainError
from charitychain.interop.journal import export_journal

Line = dict[str, Any]
ADVANCE = "advance"
"""Source of a gift that somebody expects back: money that a person laid out."""

_AMOUNT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]{1,2}))?", re.ASCII)


def cents(text: str) -> int:
    """Read an amount as whole cents.

    Raises:
        ValueError: it is no amount, or has fractions of a cent.
    """
    found = _AMOUNT.fullmatch(text.strip().replace(",", ""))
    if found is None:
        raise ValueError(f"{text!r} is no whole number of cents")
    amount = int(found[2] + (found[3] or "").ljust(2, "0"))
    return -amount if found[1] else amount


def money(amount: int) -> str:
    """Write cents as a decimal string; the sign stays."""
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02d}"


def donor(salt: str, name: str) -> str:
    """Return the pseudonym of 32 hex digits that a donation takes."""
    return hashlib.sha256(f"{salt}: {name}".encode()).hexdigest()[:32]


def short(salt: str, name: str, what: str = "party") -> str:
    """Return a short pseudonym such as ``payee-1f3a9c20`` for somebody who is no donor."""
    return f"{what}-{hashlib.sha256(f'{salt}: {name}'.encode()).hexdigest()[:8]}"


class BookError(ValueError):
    """A book cannot be read, or is not of the kind that the importer knows."""


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Read a book within this: what goes wrong is told with its path, and what kind of book it should be.

    Raises:
        BookError: the file cannot be read, or is not of that kind.
    """
    try:
        yield
    except BookError:
        raise
    except OSError as error:
        raise BookError(f"{error.filename or path}: {error.strerror}") from error
    except (ValueError, ArithmeticError, csv.Error) as error:
        raise BookError(f"{path} is not {kind}: {error}") from error


def table(path: Path, columns: Collection[str]) -> list[dict[str, str]]:
    """Read a CSV table that has at least these columns.

    Raises:
        ValueError: a column is missing, or a row is too short or too long.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = sorted(set(columns) - set(reader.fieldnames or ()))
        if missing:
            raise ValueError(f"{path.name} has no column {missing[0]!r}")
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"line {reader.line_num} of {path.name} has not as many columns as its first line")
            rows.append(row)
        return rows


@dataclass(slots=True)
class Tally:
    """Which rows of a book were read, which became records, which did not and why, and what else is worth knowing."""

    read: list[str] = field(default_factory=list)
    mapped: set[str] = field(default_factory=set)
    unmapped: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def remark(self, row: str, text: str) -> None:
        """Say something about a row that was mapped."""
        self.remarks.append(f"{row}: {text}")

    def check(self) -> None:
        """Check that each row read was mapped or reported, and none twice.

        Raises:
            AssertionError: a row was lost, which is a fault of the importer.
        """
        rows = set(self.read)
        both = self.mapped & self.unmapped.keys()
        if len(rows) != len(self.read) or both or rows != self.mapped | self.unmapped.keys():
            lost = sorted(rows - self.mapped - self.unmapped.keys())
            raise AssertionError(f"rows lost: {lost[:5]}, rows mapped and reported: {sorted(both)[:5]}")


def enter(lines: Iterable[Line], path: Path, origin: str, keys: Path | None = None) -> Ledger:
    """Make a ledger at `path`, enter the lines and verify it.

    What a line reverses must have been sealed before: a statement does not correct itself. So a block ends before each
    correction of something that the same block would hold.

    Args:
        keys: Folder for the key file; left out, the key is thrown away when the ledger is made, and nothing can be
            added to it.

    Raises:
        RefusedError: there is a file at `path`, or a line breaks a rule of the ledger.
        AssertionError: the ledger does not verify.
    """
    with tempfile.TemporaryDirectory(prefix="books-keys-") as scratch:
        ledger = Ledger.create(path, origin=origin, keys=keys or scratch)
        with ledger.writer() as writer:
            fresh = set[str]()
            for line in lines:
                if line.get("reverses") in fresh:
                    writer.commit()
                    fresh.clear()
                writer.add(line)
                fresh.add(line["id"])
        report = ledger.verify()
        if not report.holds:
            faults = "; ".join(f"{fault.code} {fault.message}" for fault in report.faults)
            raise AssertionError(f"the ledger does not verify: {faults}")
    return ledger


class Recount:
    """A ledger read back entry by entry: what every account holds, what is lent to it, what was spent on what.

    `balance` and `lent` are cents by account; `spent` and `given` cents by purpose and by source, net of what was
    reversed and refunded. A reversal whose reason is ``returned: PURPOSE`` counts for that purpose, as the book had it.
    """

    def __init__(self) -> None:
        self.balance: Counter[str] = Counter()
        self.lent: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.entries: dict[str, Line] = {}

    @classmethod
    def of(cls, ledger: Ledger) -> Recount:
        """Read a whole ledger, and check the balances found against those that the ledger itself gives."""
        recount = cls()
        for entry in export_journal(ledger):
            recount.take(entry)
        for account, (held, _) in ledger.balances().items():
            if cents(str(held)) != recount.balance[account]:
                raise AssertionError(f"{account} holds {held}, recounted {money(recount.balance[account])}")
        return recount

    def origin(self, entry: Line) -> Line:
        """Return the record that a reversal or refund is about."""
        return self.entries[entry["reverses"] if entry["record"] == "reversal" else entry["donation"]]

    def take(self, entry: Line) -> None:
        """Add one entry."""
        kind = entry["record"]
        if kind == "account":
            self.balance[entry["id"]] += 0
            return
        amount = cents(entry["amount"])
        if kind == "donation":
            self._gift(entry, entry["account"], amount)
        elif kind == "disbursement":
            self._move(entry["from"], entry["to"], amount)
        elif kind == "expenditure":
            self.balance[entry["from"]] -= amount
            self.spent[entry["purpose"]] += amount
        elif kind == "refund":
            gift = self.origin(entry)
            self._gift(gift, str(entry.get("from", gift["account"])), -amount)
        elif kind == "reversal":
            self._reverse(entry, self.origin(entry), amount)
        else:
            raise AssertionError(f"no importer here writes the record {kind}")
        self.entries[entry["id"]] = entry

    def _reverse(self, entry: Line, undone: Line, amount: int) -> None:
        if undone["record"] == "donation":
            self._gift(undone, undone["account"], -amount)
        elif undone["record"] == "disbursement":
            self._move(undone["to"], undone["from"], amount)
        else:
            self.balance[undone["from"]] += amount
            purpose = entry.get("reason", "").partition("returned: ")[2] or undone["purpose"]
            self.spent[purpose] -= amount

    def _gift(self, gift: Line, account: str, amount: int) -> None:
        self.balance[account] += amount
        if gift.get("source") == ADVANCE:
            self.lent[gift["donor"]] += amount
        else:
            self.given[gift.get("source", "")] += amount

    def _move(self, source: str, target: str, amount: int) -> None:
        self.balance[source] -= amount
        self.balance[target] += amount


def compare(title: str, rows: Iterable[tuple[str, int, int]]) -> tuple[list[str], bool]:
    """Return a table of (name, the book's cents, the ledger's cents) as lines, and whether all agree."""
    found = list(rows)
    good = all(book == ledger for _, book, ledger in found)
    width = max([len(name) for name, _, _ in found] + [len(title)])
    lines = [f"{title:<{width}}  {'book':>12}  {'ledger':>12}"]
    for name, book, ledger in found:
        differs = "" if book == ledger else "  DIFFERS"
        lines.append(f"{name:<{width}}  {money(book):>12}  {money(ledger):>12}{differs}")
    return lines, good


def arguments(description: str, *, default: Path | None = None) -> argparse.Namespace:
    """Read the command line ``PATH LEDGER [--keys DIR] [--remarks]``; `default` makes PATH optional."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("path", metavar="PATH", type=Path, nargs="?" if default else None, default=default)
    parser.add_argument("ledger", metavar="LEDGER", type=Path, help="the ledger to make")
    parser.add_argument("--keys", metavar="DIR", type=Path, help="keep the ledger's key in this folder")
    parser.add_argument("--remarks", action="store_true", help="show all remarks, not the first ten")
    return parser.parse_args()


def run(main: Callable[[], int]) -> int:
    """Run an importer and return its exit code; what went wrong is told in a sentence on stderr."""
    try:
        return main()
    except CharitychainError as error:
        print(f"Error: {error.message} [{error.code}]", file=sys.stderr)
        return error.exit_code
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 3
    except Exception:
        traceback.print_exc()
        return 70


def say(tally: Tally, lines: int, *, all_remarks: bool) -> None:
    """Print what became of the rows."""
    tally.check()
    print(
        f"{len(tally.read)} rows read = {len(tally.mapped)} mapped + {len(tally.unmapped)} not mapped;"
        f" {lines} journal lines"
    )
    for row, text in tally.unmapped.items():
        print(f"  not mapped: {row}: {text}")
    shown = tally.remarks if all_remarks else tally.remarks[:10]
    for text in shown:
        print(f"  {text}")
    if len(shown) < len(tally.remarks):
        print(f"  … and {len(tally.remarks) - len(shown)} more remarks (--remarks shows them)")
