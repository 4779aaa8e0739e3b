"""A bank's table: CSV as banks export it, which no standard describes.

Rules upheld here:

- The header is the first of the leading lines that names a date and an amount (or debit and credit), split at comma,
  semicolon or tab; lines before it are passed over. Names that are not known here are told by the caller.
- How decimals and days are written is decided over all their columns: a convention counts if every cell fits it. Where
  two fit and give different figures, the table is refused and the caller asked.
- A balance column is checked row by row, in the direction (oldest or newest first) in which it fits better; each row
  that does not follow from the one before is a break.
- A debit column holds what went out, with or without a minus, but not now so and now so.
- What stands in a cell is text: nothing is run, and nothing of it is trusted by whoever prints it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol

from charitychain.errors import MalformedError
from charitychain.interop.bank import (
    REFERENCE_MAX,
    SIZE_MAX,
    TEXT_MAX,
    BankEntry,
    BankStatement,
    Break,
    Reading,
    calendar_day,
    minor_units,
    other_currency,
    same_account,
)
from charitychain.units import Unit

__all__ = ["COLUMNS", "read_table"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "date": (
        "date", "booking date", "posting date", "transaction date", "entry date", "value date", "buchungstag",
        "buchungsdatum", "buchung", "datum", "valuta", "date de comptabilisation", "date operation", "fecha", "data",
        "tanggal", "交易日期", "记账日期", "日期",
    ),
    "amount": (
        "amount", "transaction amount", "betrag", "umsatz", "montant", "importe", "importo", "bedrag", "valor",
        "jumlah", "金额", "交易金额",
    ),
    "debit": (
        "debit", "debit amount", "withdrawal", "withdrawals", "paid out", "money out", "soll", "belastung", "cargo",
        "支出",
    ),
    "credit": (
        "credit", "credit amount", "deposit", "deposits", "paid in", "money in", "haben", "gutschrift", "abono", "收入",
    ),
    "sign": ("soll/haben", "s/h", "debit/credit", "dr/cr", "d/c", "credit debit indicator"),
    "balance": ("balance", "running balance", "saldo", "kontostand", "solde", "余额"),
    "reference": (
        "reference", "ref", "end to end id", "endtoendid", "end to end reference", "kundenreferenz", "referenz",
        "referencia", "transaction reference", "transaction id", "流水号",
    ),
    "text": (
        "text", "description", "details", "verwendungszweck", "buchungstext", "narrative", "remittance information",
        "libelle", "concepto", "memo", "摘要",
    ),
    "currency": ("currency", "ccy", "waehrung", "währung", "wahrung", "devise", "moneda", "币种"),
    "account": ("account", "iban", "account number", "auftragskonto", "konto", "kontonummer", "账号"),
}  # fmt: skip
"""Header names by what they hold, the surer ones first; compared without case, accents, underscores and brackets."""

HEADER_LINES = 50
_OUT, _IN = {"s", "d", "dr", "dbit", "debit", "soll", "-"}, {"h", "c", "cr", "crdt", "credit", "haben", "+"}
_GROUPING = re.compile(r"[\s'’\u00a0\u202f]")
_SIGNED = re.compile(r"([+\-\u2212]?)([^+\-\u2212]+)([+\-\u2212]?)")
_PLAIN = {
    "point": re.compile(r"\d+(?:\.\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII),
    "comma": re.compile(r"\d+(?:,\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?", re.ASCII),
}
_DAYS = {
    "iso": re.compile(r"(?P<y>\d{4})(?P<s>[-/.]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)(?:[T ].*)?", re.ASCII),
    "dmy": re.compile(r"(?P<d>\d{1,2})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<y>\d{4}|\d\d)(?: .*)?", re.ASCII),
    "mdy": re.compile(r"(?P<m>\d{1,2})(?P<s>[-/])(?P<d>\d{1,2})(?P=s)(?P<y>\d{4}|\d\d)(?: .*)?", re.ASCII),
}


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Cell(NamedTuple):
    """Text that a convention must make sense of, and where it stands."""

    line: int
    text: str


class _Row(NamedTuple):
    line: int
    cells: dict[str, str]


def read_table(source: _Source, unit: Unit, reading: Reading) -> BankStatement:
    """Read a table of one bank account.

    Raises:
        MalformedError: ``CC-BANK``, ``CC-AMOUNT`` with the line, or ``CC-BANK-UNCLEAR`` with the option that decides.
        RefusedError: ``CC-BANK-CURRENCY``.
    """
    names, rows = _table(_decoded(source, reading.encoding), reading)
    rows = _of_one_account(rows, reading.account)
    for row in rows:
        code = row.cells.get("currency", "")
        if code and code != unit.code:
            raise other_currency(code, unit, f"line {row.line}")
    days = _days(rows, reading.dates)
    money = _Money(rows, names, unit, reading.decimal)
    entries = [
        BankEntry(day, money.amount(row), _references(row), row.cells.get("text", "")[:TEXT_MAX], f"line {row.line}")
        for row, day in zip(rows, days, strict=True)
    ]
    told = [money.told(text, name) for text, name in ((reading.opening, "--opening"), (reading.closing, "--closing"))]
    account = reading.account or next((row.cells["account"] for row in rows if row.cells.get("account")), "")
    if "balance" in names:
        return _with_balances(account, unit, entries, [money.balance(row) for row in rows], told[0], told[1])
    if days and days[0] > days[-1]:
        entries.reverse()
    opening, closing = told
    total = sum(entry.amount for entry in entries)
    breaks: tuple[Break, ...] = ()
    if opening is not None and closing is not None and opening + total != closing:
        breaks = (Break("closing balance", opening + total, closing),)
    if opening is None and closing is not None:
        opening = closing - total
    elif closing is None and opening is not None:
        closing = opening + total
    kept = tuple(entry for entry in entries if entry.amount)
    return BankStatement(account, unit.code, opening, closing, None, None, kept, breaks)


# ------------------------------------------------------------------------------------------------- the table


def _decoded(source: _Source, encoding: str) -> str:
    parts: list[bytes] = []
    left = SIZE_MAX + 1
    while left and (part := source.read(min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    data = b"".join(parts)
    if not left:
        raise _bad("the file", f"it is larger than {SIZE_MAX} bytes")
    try:
        name = codecs.lookup(encoding).name
        return str(data, "utf-8-sig" if name == "utf-8" else name)
    except LookupError as error:
        raise _unclear(f"no text encoding is called {encoding!r:.40}; a common one is windows-1252") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _unclear(f"line {line}: it is no text in {encoding}; tell --encoding, such as windows-1252") from error


def _table(text: str, reading: Reading) -> tuple[set[str], list[_Row]]:
    """Return which columns there are, and all rows below the header that hold anything."""
    found: list[tuple[int, int, str, dict[str, int]]] = []
    for delimiter in ",;\t":
        try:
            for number, (_, names) in enumerate(islice(_lines(text, delimiter), HEADER_LINES)):
                named = _columns(names, reading.columns)
                if named is not None:
                    found.append((number, -len(named), delimiter, named))
                    break
        except csv.Error:
            continue
    if not found:
        raise _unclear(
            f"none of the first {HEADER_LINES} lines names a date and an amount (or debit and credit); tell the names,"
            " such as --column date=Buchungstag"
        )
    start, _, delimiter, columns = min(found, key=lambda item: item[:2])
    rows: list[_Row] = []
    line, width = 0, 0
    try:
        for number, (line, cells) in enumerate(_lines(text, delimiter)):
            if number == start:
                width = len(cells)
            if number <= start or not any(cells):
                continue
            if len(cells) < width or any(cells[width:]):
                raise _bad(f"line {line}", f"the header has {width} columns, but this line {len(cells)}")
            rows.append(_Row(line, {what: cells[at] for what, at in columns.items()}))
    except csv.Error as error:
        raise _bad(f"line {line + 1}", str(error)) from error
    return set(columns), rows


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for cells in reader:
        yield reader.line_num, [cell.strip() for cell in cells]


def _columns(cells: list[str], told: Mapping[str, str]) -> dict[str, int] | None:
    """Return the place of each column that a header line names, or nothing where it is no header."""
    names = [_plain(cell) for cell in cells]
    columns: dict[str, int] = {}
    for what, known in COLUMNS.items():
        wanted = (_plain(told[what]),) if what in told else known
        at = next((names.index(name) for name in wanted if name in names), None)
        if at is None and what in told:
            return None
        if at is not None:
            if names.count(names[at]) > 1:
                raise _unclear(f"two columns are called {cells[at]!r:.60}; rename one in the file")
            columns[what] = at
    both = {"debit", "credit"} <= set(columns)
    if "amount" in columns and "amount" not in told and both and {"debit", "credit"} & set(told):
        del columns["amount"]
    return columns if "date" in columns and ("amount" in columns or both) else None


def _plain(name: str) -> str:
    # The bound keeps a cell of a hundred thousand brackets from taking the square of that.
    name = re.sub(r"\(.*?\)|\[.*?\]", " ", unicodedata.normalize("NFKD", name[:100]))
    name = "".join(c for c in name if not unicodedata.combining(c))
    return " ".join(re.sub(r"[_\-.:]", " ", name).casefold().split())


def _of_one_account(rows: list[_Row], wanted: str | None) -> list[_Row]:
    named = {"".join(row.cells["account"].split()): row.line for row in rows if row.cells.get("account")}
    if wanted is not None and named:
        rows = [row for row in rows if same_account(row.cells["account"], wanted)]
        if not rows:
            raise _bad("the file", f"it holds no row of bank account {wanted!r:.60}, but of {', '.join(named)!r:.200}")
    elif len(named) > 1:
        names = ", ".join(named)
        raise _unclear(f"the table holds {len(named)} bank accounts ({names!r:.200}); tell which with --bank-account")
    return rows


def _references(row: _Row) -> tuple[str, ...]:
    reference = row.cells.get("reference", "")
    return (reference,) if reference and len(reference) <= REFERENCE_MAX else ()


# ------------------------------------------------------------------------------------------------ conventions


def _days(rows: list[_Row], told: str | None) -> list[str]:
    cells = [_Cell(row.line, row.cells["date"]) for row in rows]
    conventions = [told] if told is not None else list(_DAYS)
    read = {name: [_day(cell.text, name) for cell in cells] for name in conventions}
    chosen = _choose(read, cells, "a day", "--dates")
    return [day for day in chosen if isinstance(day, str)]


def _day(text: str, convention: str) -> str | None:
    found = _DAYS[convention].fullmatch(text)
    if found is None:
        return None
    year = int(found["y"])
    return calendar_day(year + 2000 if len(found["y"]) == 2 else year, int(found["m"]), int(found["d"]))


def _choose(read: Mapping[str, list[str | None]], cells: list[_Cell], what: str, option: str) -> list[str | None]:
    """Return the one reading that fits every cell.

    Raises:
        MalformedError: no convention fits all, or two do and say different things.
    """
    fitting = {name: values for name, values in read.items() if None not in values}
    if not fitting:
        best = max(read.values(), key=lambda values: len(values) - values.count(None))
        cell = cells[best.index(None)]
        raise _bad(f"line {cell.line}", f"{what} as in the rest of the column was expected, found {cell.text!r:.60}")
    first, *others = fitting.items()
    for name, values in others:
        for cell, one, other in zip(cells, first[1], values, strict=True):
            if one != other:
                raise _unclear(
                    f"line {cell.line}: {cell.text!r:.60} may be {one} ({first[0]}) or {other} ({name}), and no other"
                    f" row decides; tell it with {option}"
                )
    return first[1]


class _Money:
    """The columns that hold amounts, read under one convention."""

    def __init__(self, rows: list[_Row], names: set[str], unit: Unit, told: str | None) -> None:
        self._unit, self._names = unit, names
        columns = ["amount"] if "amount" in names else ["debit", "credit"]
        self._columns = columns
        cells = [
            _Cell(row.line, row.cells[name])
            for row in rows
            for name in (*columns, "balance")
            if name in names and row.cells[name]
        ]
        conventions = [told] if told is not None else list(_PLAIN)
        read = {name: [_decimal(cell.text, name) for cell in cells] for name in conventions}
        chosen = _choose(read, cells, "an amount", "--decimal")
        self._read = {cell.text: value or "" for cell, value in zip(cells, chosen, strict=True)}
        out = [row for row in rows if "debit" in columns and row.cells["debit"]]
        debits = [self._minor(row.cells["debit"], row.line) for row in out]
        self._debits_signed = any(amount < 0 for amount in debits)
        if self._debits_signed and any(amount > 0 for amount in debits):
            raise _bad("the file", "its debit column holds amounts with a minus and without one; name an amount column")

    def _minor(self, text: str, line: int) -> int:
        plain = self._read[text]
        amount = minor_units(plain.lstrip("-"), self._unit, f"line {line}")
        return -amount if plain.startswith("-") else amount

    def amount(self, row: _Row) -> int:
        """Return a row's signed amount."""
        cells = row.cells
        if self._columns == ["amount"]:
            if not cells["amount"]:
                raise _bad(f"line {row.line}", "it has no amount")
            amount = self._minor(cells["amount"], row.line)
            return self._turned(amount, row) if "sign" in self._names else amount
        out, in_ = (self._minor(cells[name], row.line) if cells[name] else 0 for name in ("debit", "credit"))
        if out and in_:
            raise _bad(f"line {row.line}", "it has both a debit and a credit")
        if not cells["debit"] and not cells["credit"]:
            raise _bad(f"line {row.line}", "it has neither a debit nor a credit")
        return in_ + (out if self._debits_signed else -out)

    def _turned(self, amount: int, row: _Row) -> int:
        sign = row.cells["sign"].casefold()
        if sign not in _OUT | _IN:
            raise _bad(f"line {row.line}", f"{row.cells['sign']!r:.40} says neither debit nor credit")
        return -abs(amount) if sign in _OUT else abs(amount)

    def balance(self, row: _Row) -> int | None:
        text = row.cells["balance"]
        return self._minor(text, row.line) if text else None

    def told(self, text: str | None, name: str) -> int | None:
        """Return a balance told by the caller, a signed decimal with a point."""
        if text is None:
            return None
        amount = minor_units(text.strip().lstrip("-"), self._unit, name)
        return -amount if text.strip().startswith("-") else amount


def _decimal(text: str, convention: str) -> str | None:
    """Return a cell as a signed plain decimal with a point, or nothing where the convention does not fit it."""
    found = _SIGNED.fullmatch(_GROUPING.sub("", text)) if len(text) <= 64 else None
    if found is None or (found[1] and found[3]) or _PLAIN[convention].fullmatch(found[2]) is None:
        return None
    point, group = (".", ",") if convention == "point" else (",", ".")
    whole, _, fraction = found[2].replace(group, "").partition(point)
    sign = "-" if (found[1] or found[3]) not in ("", "+") else ""
    return f"{sign}{whole.lstrip('0') or '0'}" + (f".{fraction}" if fraction else "")


# ---------------------------------------------------------------------------------------------------- balances


def _with_balances(
    account: str,
    unit: Unit,
    entries: list[BankEntry],
    balances: list[int | None],
    opening: int | None,
    closing: int | None,
) -> BankStatement:
    """Walk the balance column in the direction that fits better: newest first only if that has fewer breaks."""
    rows = list(zip(entries, balances, strict=True))
    newest_first = bool(entries) and entries[0].date > entries[-1].date
    ways = [list(reversed(rows)), rows] if newest_first else [rows, list(reversed(rows))]
    walked = [(_walk(way, opening), way) for way in ways]
    (start, end, breaks), way = min(walked, key=lambda item: len(item[0][2]))
    if closing is not None and end is not None and closing != end:
        breaks.append(Break("closing balance", end, closing))
    kept = tuple(entry for entry, _ in way if entry.amount)
    if closing is None:
        closing = end
    elif start is None:  # no row states a balance
        start = closing - sum(entry.amount for entry in entries)
    return BankStatement(account, unit.code, start, closing, None, None, kept, tuple(breaks))


def _walk(
    rows: Iterable[tuple[BankEntry, int | None]], opening: int | None
) -> tuple[int | None, int | None, list[Break]]:
    """Return the balances before and after, and each row whose balance does not follow from the one before."""
    balance, waiting = opening, 0
    breaks: list[Break] = []
    for entry, stated in rows:
        if balance is None:
            waiting += entry.amount
            if stated is not None:
                opening, balance = stated - waiting, stated
            continue
        balance += entry.amount
        if stated is not None and stated != balance:
            breaks.append(Break(entry.place, balance, stated))
            balance = stated
    return opening, balance, breaks


def _bad(place: str, what: str) -> MalformedError:
    return MalformedError("CC-BANK", f"{place}: {what}", place=place)


def _unclear(what: str) -> MalformedError:
    return MalformedError("CC-BANK-UNCLEAR", what)
