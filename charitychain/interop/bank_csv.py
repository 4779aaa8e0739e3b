"""A bank's table: CSV as banks export it, which no standard describes.

Rules upheld here:

- The header is the first of the leading lines that names a date and an amount (or debit and credit), split at comma,
  semicolon or tab; lines before it are passed over. Names that are not known here are told by the caller.
- How decimals and days are written is decided over all their columns (`charitychain.interop.conventions`).
- A balance column is checked row by row, in the direction (oldest or newest first) in which it fits better; each row
  that does not follow from the one before is a break.
- A table covers the days from its first to its last line. Those before and after it covers only as far as the caller
  tells the balance there, and a day for it: lines that are not there prove nothing.
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
from typing import NamedTuple

from charitychain.interop.bank import (
    REFERENCE_MAX,
    SIZE_MAX,
    TEXT_MAX,
    BankEntry,
    BankStatement,
    Break,
    OptionError,
    Reading,
    Source,
    malformed,
    minor_units,
    other_currency,
    same_account,
)
from charitychain.interop.conventions import Cell, read_days, read_decimals, unclear
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


class _Row(NamedTuple):
    line: int
    cells: dict[str, str]


def read_table(source: Source, unit: Unit, reading: Reading) -> BankStatement:
    """Read a table of one bank account.

    Raises:
        OptionError: a bank account is told, and the table names none.
        MalformedError: ``CC-BANK``, ``CC-AMOUNT`` with the line, or ``CC-BANK-UNCLEAR`` with the option that decides.
        RefusedError: ``CC-BANK-CURRENCY``.
    """
    names, rows = _table(_decoded(source, reading.encoding or "utf-8"), reading)
    if not rows and None in (reading.start, reading.end, reading.opening, reading.closing):
        raise malformed(
            "the table",
            "it has no lines below its header, so it covers no day; if nothing moved, tell that with --from, --to,"
            " --opening and --closing",
        )
    rows = _of_one_account(rows, reading.account)
    for row in rows:
        code = row.cells.get("currency", "")
        if code and code != unit.code:
            raise other_currency(code, unit, f"line {row.line}")
    days = read_days([Cell(row.line, row.cells["date"]) for row in rows], reading.dates)
    money = _Money(rows, names, unit, reading.decimal)
    entries = [
        BankEntry(day, money.amount(row), _references(row), row.cells.get("text", "")[:TEXT_MAX], f"line {row.line}")
        for row, day in zip(rows, days, strict=True)
    ]
    opening, closing = money.told(reading.opening, "--opening"), money.told(reading.closing, "--closing")
    before = [reading.start] if opening is not None and reading.start is not None else []
    after = [reading.end] if closing is not None and reading.end is not None else []
    start, end = min(days + before), max(days + after)
    account = reading.account or next((row.cells["account"] for row in rows if row.cells.get("account")), "")
    opening, closing, entries, breaks = _balanced(entries, [money.balance(row) for row in rows], opening, closing)
    kept = tuple(entry for entry in entries if entry.amount)
    return BankStatement(account, unit.code, opening, closing, start, end, kept, tuple(breaks))


# ------------------------------------------------------------------------------------------------- the table


def _decoded(source: Source, encoding: str) -> str:
    parts: list[bytes] = []
    left = SIZE_MAX + 1
    while left and (part := source.read(min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    data = b"".join(parts)
    if not left:
        raise malformed("the file", f"it is larger than {SIZE_MAX} bytes")
    try:
        name = codecs.lookup(encoding).name
        return str(data, "utf-8-sig" if name == "utf-8" else name)
    except LookupError as error:
        raise unclear(f"no text encoding is called {encoding!r:.40}; a common one is windows-1252") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unclear(f"line {line}: it is no text in {encoding}; tell --encoding, such as windows-1252") from error


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
        raise unclear(
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
                raise malformed(f"line {line}", f"the header has {width} columns, but this line {len(cells)}")
            rows.append(_Row(line, {what: cells[at] for what, at in columns.items()}))
    except csv.Error as error:
        raise malformed(f"line {line + 1}", str(error)) from error
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
                raise unclear(f"two columns are called {cells[at]!r:.60}; rename one in the file")
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
    named = list(dict.fromkeys("".join(row.cells["account"].split()) for row in rows if row.cells.get("account")))
    if wanted is None:
        if len(named) > 1:
            names = ", ".join(named)
            raise unclear(
                f"the table holds {len(named)} bank accounts ({names!r:.200}); tell which with --bank-account"
            )
        return rows
    if not named:
        raise OptionError(
            "--bank-account: this table names no bank account that it could be compared with; leave it out, or tell the"
            " column that does with --column account=NAME."
        )
    found = [row for row in rows if same_account(row.cells["account"], wanted)]
    if not found:
        raise malformed("the file", f"it holds no row of bank account {wanted!r:.60}, but of {', '.join(named)!r:.200}")
    return found


def _references(row: _Row) -> tuple[str, ...]:
    reference = row.cells.get("reference", "")
    return (reference,) if reference and len(reference) <= REFERENCE_MAX else ()


# ------------------------------------------------------------------------------------------------------ money


class _Money:
    """The columns that hold amounts, read under one convention."""

    def __init__(self, rows: list[_Row], names: set[str], unit: Unit, told: str | None) -> None:
        self._unit, self._names = unit, names
        columns = ["amount"] if "amount" in names else ["debit", "credit"]
        self._columns = columns
        cells = [
            Cell(row.line, row.cells[name])
            for row in rows
            for name in (*columns, "balance")
            if name in names and row.cells[name]
        ]
        self._read = dict(zip((cell.text for cell in cells), read_decimals(cells, told), strict=True))
        out = [row for row in rows if "debit" in columns and row.cells["debit"]]
        debits = [self._minor(row.cells["debit"], row.line) for row in out]
        self._debits_signed = any(amount < 0 for amount in debits)
        if self._debits_signed and any(amount > 0 for amount in debits):
            raise malformed(
                "the file", "its debit column holds amounts with a minus and without one; name an amount column"
            )

    def _minor(self, text: str, line: int) -> int:
        plain = self._read[text]
        amount = minor_units(plain.lstrip("-"), self._unit, f"line {line}")
        return -amount if plain.startswith("-") else amount

    def amount(self, row: _Row) -> int:
        """Return a row's signed amount."""
        cells = row.cells
        if self._columns == ["amount"]:
            if not cells["amount"]:
                raise malformed(f"line {row.line}", "it has no amount")
            amount = self._minor(cells["amount"], row.line)
            return self._turned(amount, row) if "sign" in self._names else amount
        out, in_ = (self._minor(cells[name], row.line) if cells[name] else 0 for name in ("debit", "credit"))
        if out and in_:
            raise malformed(f"line {row.line}", "it has both a debit and a credit")
        if not cells["debit"] and not cells["credit"]:
            raise malformed(f"line {row.line}", "it has neither a debit nor a credit")
        return in_ + (out if self._debits_signed else -out)

    def _turned(self, amount: int, row: _Row) -> int:
        sign = row.cells["sign"].casefold()
        if sign not in _OUT | _IN:
            raise malformed(f"line {row.line}", f"{row.cells['sign']!r:.40} says neither debit nor credit")
        return -abs(amount) if sign in _OUT else abs(amount)

    def balance(self, row: _Row) -> int | None:
        text = row.cells.get("balance")
        return self._minor(text, row.line) if text else None

    def told(self, text: str | None, name: str) -> int | None:
        """Return a balance told by the caller, a signed decimal with a point."""
        if text is None:
            return None
        amount = minor_units(text.strip().removeprefix("-"), self._unit, name)
        return -amount if text.strip().startswith("-") else amount


# ---------------------------------------------------------------------------------------------------- balances


def _balanced(
    entries: list[BankEntry], balances: list[int | None], opening: int | None, closing: int | None
) -> tuple[int | None, int | None, list[BankEntry], list[Break]]:
    """Return opening, closing, the entries as the balance moved, and where it does not follow.

    The balance column is walked in the direction that fits better: newest first only if that has fewer breaks, or as
    many and its days say so.
    """
    rows = list(zip(entries, balances, strict=True))
    ways = [rows, rows[::-1]]
    if entries and entries[0].date > entries[-1].date:
        ways.reverse()
    walked = [(_walk(way, opening), way) for way in ways]
    (start, end, breaks), way = min(walked, key=lambda item: len(item[0][2]))
    ordered = [entry for entry, _ in way]
    if closing is not None:
        if end is not None and closing != end:
            breaks.append(Break("closing balance", end, closing))
        if start is None:  # no row states a balance, and none is told before them
            start = closing - sum(entry.amount for entry in ordered)
    return start, end if closing is None else closing, ordered, breaks


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
