"""Bank statements: what a bank says about one account, whatever file it came in.

`read_statement` looks at the first character and takes the file for a table (`charitychain.interop.bank_csv`) or for
camt.053 XML (`charitychain.interop.camt`). Both give one `BankStatement`.

Rules upheld here:

- A statement is foreign and unsigned: it is evidence to compare with, and nothing of it enters the ledger.
- Amounts are signed minor units of one unit, that of the accounts it is compared with; another currency is refused.
- Nothing is guessed where two readings give different figures: the reader refuses and names the option that decides.
- A statement covers the days that it says it covers, else those from its first to its last line. Of any other day it
  knows nothing.
- An option that this kind of file has no use for is refused: nobody shall take it for a check.
- The statement is checked against itself: opening balance + entries + breaks = closing balance, and every break (a
  stated balance that does not follow from the one before) is reported with its place.
- Entries of zero move nothing and are left out.

What it leaves to others: matching with the ledger (`charitychain.interop.reconcile`).

>>> entry = BankEntry("2026-01-02", -1250, ("X-1",), "Corner Books", "line 2")
>>> statement = BankStatement("DE02 1234", "EUR", 5000, 3750, "2026-01-01", "2026-01-31", (entry,))
>>> statement.opening + statement.total == statement.closing
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import IO, Protocol

from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.units import Unit, format_amount, parse_amount

__all__ = ["BankEntry", "BankStatement", "Break", "OptionError", "Reading", "format_signed", "read_statement"]

SIZE_MAX = 256 * 1024 * 1024
"""The largest statement that is read, in bytes."""

TEXT_MAX = 500
"""How many characters of an entry's text are kept; it is shown and never compared."""

REFERENCE_MAX = 256
"""A longer reference is no reference; it is left out."""

_OF_TABLES = ("columns", "decimal", "dates", "encoding", "opening", "closing")


class OptionError(ValueError):
    """The caller told something that this kind of file has no use for."""


class Source(Protocol):
    """What the readers need of a file."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One booked entry. `amount` is in minor units: above 0 came in, below 0 went out.

    Attributes:
        date: Day on which it was booked, ``YYYY-MM-DD``, as the bank wrote it.
        references: Everything the bank gives as a reference, in order, each once.
        text: What the entry says for people, shortened.
        place: Where it stands in the file, such as ``line 7`` or ``statement 1, entry 3``.
    """

    date: str
    amount: int
    references: tuple[str, ...]
    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Break:
    """A stated balance that does not follow from the one before it, in minor units."""

    place: str
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class BankStatement:
    """What a bank says about one account, from the opening to the closing balance.

    `opening` and `closing` are minor units, or nothing where the file states no balance. `entries` are in the order in
    which the balance moved.

    Attributes:
        start, end: First and last day that it covers, ``YYYY-MM-DD``; nothing where it covers no day.
        gaps: First and last days of what it does not cover in between, in order.
    """

    account: str
    currency: str
    opening: int | None
    closing: int | None
    start: str | None
    end: str | None
    entries: tuple[BankEntry, ...]
    breaks: tuple[Break, ...] = ()
    gaps: tuple[tuple[str, str], ...] = ()

    @property
    def total(self) -> int:
        """Return what all entries sum to, minor units."""
        return sum(entry.amount for entry in self.entries)

    @property
    def broken(self) -> int:
        """Return what all breaks sum to: opening + total + broken = closing, where both are stated."""
        return sum(found.found - found.expected for found in self.breaks)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a file where it does not say so itself.

    Attributes:
        columns: Column names by what they hold: ``date``, ``amount``, ``debit``, ``credit``, ``sign``, ``balance``,
            ``reference``, ``text``, ``currency``, ``account``.
        decimal: ``point`` or ``comma``.
        dates: ``iso``, ``dmy`` (day first) or ``mdy`` (month first).
        encoding: Of a table, else UTF-8; XML names its own.
        account: Which bank account in the file, as the file writes it (spaces do not count).
        opening, closing: Balances before the first and after the last line of a table, as signed decimals in major
            units.
        start, end: The days that these two balances are told of, ``YYYY-MM-DD``: the beginning of `start` and the end
            of `end`. With its balance told the table covers the days up to its first line, or from its last one on.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    dates: str | None = None
    encoding: str | None = None
    account: str | None = None
    opening: str | None = None
    closing: str | None = None
    start: str | None = None
    end: str | None = None


def read_statement(source: IO[bytes], unit: Unit, reading: Reading | None = None) -> BankStatement:
    """Read a bank statement: camt.053 where it begins with ``<``, else a table.

    Args:
        source: A binary file; at most `SIZE_MAX` bytes are read.
        unit: Unit of the accounts that it will be compared with.

    Raises:
        OptionError: `reading` tells something that this kind of file has no use for.
        MalformedError: ``CC-BANK``, ``CC-BANK-UNCLEAR``, ``CC-XML`` or ``CC-AMOUNT``, naming the place.
        RefusedError: ``CC-BANK-CURRENCY``: it is about another currency.
    """
    reading = reading or Reading()
    head = source.read(64)
    if head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
        from charitychain.interop.camt import read_camt

        told = [name for name in _OF_TABLES if getattr(reading, name) not in (None, {})]
        if told:
            names = ", ".join(f"--{'column' if name == 'columns' else name}" for name in told)
            raise OptionError(f"{names}: this is an XML statement, which says that itself; leave it out.")
        return read_camt(_Again(head, source), unit, account=reading.account)
    from charitychain.interop.bank_csv import read_table

    return read_table(_Again(head, source), unit, reading)


class _Again:
    """A file whose first bytes were read already: what the readers need of it, for a pipe as well."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int) -> bytes:
        head, self._head = self._head[:size], self._head[size:]
        return head + self._rest.read(size - len(head)) if len(head) < size else head


def format_signed(amount: int, unit: Unit) -> str:
    """Return signed minor units as a decimal string in major units.

    >>> format_signed(-1250, Unit("EUR", 2))
    '-12.50'
    """
    return ("-" if amount < 0 else "") + format_amount(abs(amount), unit)


def minor_units(text: str, unit: Unit, place: str) -> int:
    """Return a plain decimal as minor units, zero allowed, naming the place where it is none."""
    try:
        return parse_amount(text, unit, allow_zero=True)
    except CharitychainError as error:
        raise MalformedError(error.code, f"{place}: {error.message}", place=place) from error


def malformed(place: str, what: str) -> MalformedError:
    """Return the refusal of a file for what stands at one of its places."""
    return MalformedError("CC-BANK", f"{place}: {what}", place=place)


def moved(day: str, days: int) -> str:
    """Return the day that is so many days later, or earlier; the calendar has an end on either side.

    >>> moved("2026-03-01", -1)
    '2026-02-28'
    """
    ordinal = date.fromisoformat(day).toordinal() + days
    return date.fromordinal(min(max(ordinal, 1), date.max.toordinal())).isoformat()


def calendar_day(year: int, month: int, day: int) -> str | None:
    """Return the day as ``YYYY-MM-DD``, or nothing where the calendar has no such day."""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def same_account(one: str, other: str) -> bool:
    """Say whether two bank account numbers are the same but for spaces and case (an IBAN is printed in fours)."""
    return "".join(one.split()).casefold() == "".join(other.split()).casefold()


def other_currency(found: str, unit: Unit, place: str) -> RefusedError:
    """Return the refusal of a statement in another currency than the accounts'."""
    return RefusedError(
        "CC-BANK-CURRENCY",
        f"{place}: the statement is in {found!r:.40}, but the accounts are kept in {unit.code}; name accounts of that"
        " unit, or the statement of another bank account",
        expected=unit.code,
        found=found,
    )
