"""camt.053: a bank's statement as XML (ISO 20022, BankToCustomerStatement, versions 02 to 13).

Rules upheld here:

- XML is hostile. Any DOCTYPE is refused before it is read, so there are no entities, defaults or outside files; size,
  depth and the length of one token and one text are bounded, and the file streams through expat.
- Elements are told by their local names below ``BkToCstmrStmt``, so every version's namespace and any envelope will do.
- Only booked entries count: those of status PDNG, INFO or FUTR are left out.
- ``CdtDbtInd`` of the entry decides the sign. ``RvslInd`` only tells that the entry undoes an earlier one: its own
  ``CdtDbtInd`` is already the way in which the money moved (ISO 20022, ReversalIndicator).
- Opening is OPBD (else PRCD, the closing balance before), closing is CLBD. Opening + entries = closing is checked, and
  so is that each statement of a file begins where the one before it ended.
- It covers the days of its period (FrToDt), else those between its balances, else those of its entries. Days between
  two statements count as covered where the balance is the same on either side.
- A field that may stand once and stands twice is refused, and so is a statement that comes twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from charitychain.errors import MalformedError
from charitychain.interop.bank import (
    REFERENCE_MAX,
    SIZE_MAX,
    TEXT_MAX,
    BankEntry,
    BankStatement,
    Break,
    Source,
    calendar_day,
    malformed,
    minor_units,
    moved,
    other_currency,
    same_account,
)
from charitychain.units import Unit

__all__ = ["read_camt"]

DEPTH_MAX = 64
TOKEN_MAX = 256 * 1024
_CHUNK = 64 * 1024
_FIELD_MAX = 10_000
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:$|[TZ+-])", re.ASCII)
_MIDNIGHT = re.compile(r"[^T]*T00:00(?::00(?:\.0+)?)?(?:$|[Z+-].*)", re.ASCII)
_DECIMAL = re.compile(r"\+?0*(\d+)(?:\.(\d*?)0*)?|\+?\.(\d+?)0*", re.ASCII)
_OTHERS = {"BkToCstmrAcctRpt": "a report within the day (camt.052)", "BkToCstmrDbtCdtNtfctn": "a notice (camt.054)"}
_ONCE = {
    "Stmt/Id", "Stmt/Acct/Id/IBAN", "Stmt/Acct/Id/Othr/Id", "Stmt/FrToDt/FrDtTm", "Stmt/FrToDt/ToDtTm", "Stmt/Acct/Ccy",
    "Bal/Tp/CdOrPrtry/Cd", "Bal/Amt", "Bal/CdtDbtInd", "Bal/Dt/Dt", "Bal/Dt/DtTm",
    "Ntry/Amt", "Ntry/CdtDbtInd", "Ntry/Sts", "Ntry/Sts/Cd", "Ntry/BookgDt/Dt", "Ntry/BookgDt/DtTm", "Ntry/ValDt/Dt",
    "Ntry/ValDt/DtTm", "Ntry/AddtlNtryInf",
}  # fmt: skip
_TX = "Ntry/NtryDtls/TxDtls"
_REFERENCES = {
    "Ntry/NtryRef", "Ntry/AcctSvcrRef", "Ntry/NtryDtls/Btch/MsgId", "Ntry/NtryDtls/Btch/PmtInfId",
    f"{_TX}/RmtInf/Strd/CdtrRefInf/Ref",
    *(f"{_TX}/Refs/{name}" for name in ("EndToEndId", "AcctSvcrRef", "MsgId", "PmtInfId", "InstrId", "TxId", "UETR")),
}  # fmt: skip
_TEXTS = {f"{_TX}/RmtInf/Ustrd"}
_NO_REFERENCE = {"", "NOTPROVIDED", "NOT PROVIDED", "NONREF"}


@dataclass(slots=True)
class _Part:
    """The fields of a statement, a balance or an entry while it is read."""

    once: dict[str, str] = field(default_factory=dict)
    currencies: dict[str, str] = field(default_factory=dict)
    references: dict[str, None] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    lists: dict[str, list[_Part]] = field(default_factory=lambda: {"Bal": [], "Ntry": []})

    def first(self, *names: str) -> str | None:
        return next((self.once[name] for name in names if self.once.get(name)), None)


def read_camt(source: Source, unit: Unit, *, account: str | None = None) -> BankStatement:
    """Read all statements of one bank account from a camt.053 file.

    Args:
        unit: Currency that is asked for; statements in others are passed over, and refused if there is no other.
        account: IBAN or other number of the bank account, needed where the file holds several.

    Raises:
        MalformedError: ``CC-XML`` (no well-formed XML, or a kind of it that is refused), ``CC-BANK`` (no camt.053),
            ``CC-AMOUNT``.
        RefusedError: ``CC-BANK-CURRENCY``.
    """
    parts = _Parser().read(source)
    found = [_statement(part, number, unit) for number, part in enumerate(parts, 1)]
    if account is not None:
        found = [one for one in found if same_account(one.account, account)]
        if not found:
            held = ", ".join(sorted({part_account(part) for part in parts}))
            raise malformed("the file", f"it holds no statement of bank account {account!r:.60}, but of {held!r:.200}")
    ours = [one for one in found if one.currency == unit.code]
    if found and not ours:
        raise other_currency(found[0].currency, unit, "the file")
    names = list(dict.fromkeys("".join(one.account.split()) for one in ours))
    if len(names) > 1:
        raise MalformedError(
            "CC-BANK-UNCLEAR",
            f"the file holds statements of {len(names)} bank accounts ({', '.join(names)!r:.200}); tell which with"
            " --bank-account",
        )
    return _joined(ours)


class _Parser:
    """Feeds expat and keeps what a statement needs."""

    def __init__(self) -> None:
        self.statements: list[_Part] = []
        self._path: list[str] = []
        self._base: int | None = None  # how deep BkToCstmrStmt stands
        self._seen = ""
        self._open: list[_Part] = []
        self._text: list[str] = []
        self._length = 0
        self._waiting = 0
        self._relative = ""
        self._expat = parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.DefaultHandler = self._other  # comments, instructions, white space outside: they end a token too

    def read(self, source: Source) -> list[_Part]:
        """Parse to the end.

        Raises:
            MalformedError: ``CC-XML``, ``CC-BANK``.
        """
        size = 0
        try:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > SIZE_MAX:
                    raise self._refused(f"it is larger than {SIZE_MAX} bytes")
                self._waiting += len(chunk)
                self._expat.Parse(chunk, False)
                # Without this, an older expat reads an endless token again from its start with every chunk.
                if self._waiting > TOKEN_MAX:
                    raise self._refused(f"one tag or comment is longer than {TOKEN_MAX} bytes")
            self._expat.Parse(b"", True)
        except expat.ExpatError as error:
            raise MalformedError("CC-XML", f"line {error.lineno}: no well-formed XML: {error}") from error
        except (LookupError, UnicodeError, ValueError) as error:  # an encoding that Python does not know
            raise self._refused(str(error)) from error
        if self._base is None and not self.statements:
            kind = next((text for name, text in _OTHERS.items() if name in self._seen), "some other XML")
            raise malformed("the file", f"it is no statement (camt.053) but {kind}")
        if not self.statements:
            raise malformed("the file", "it holds no statement")
        return self.statements

    def _refused(self, what: str) -> MalformedError:
        return MalformedError("CC-XML", f"line {self._expat.CurrentLineNumber}: {what}; this is no bank's statement")

    def _doctype(self, *_: Any) -> None:
        raise self._refused("it declares a DOCTYPE, which may define entities")

    def _other(self, _: str) -> None:
        self._waiting = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._waiting = 0
        if len(self._path) >= DEPTH_MAX:
            raise self._refused(f"elements stand more than {DEPTH_MAX} deep")
        local = name.rpartition(":")[2]
        self._path.append(local)
        self._text, self._length = [], 0
        depth = len(self._path)
        if self._base is None:
            if local == "BkToCstmrStmt":
                self._base = depth
            elif local in _OTHERS:
                self._seen = local
            return
        below = self._path[self._base :]
        if below == ["Stmt"]:
            self._open = [_Part()]
            self.statements.append(self._open[0])
        elif len(below) == 2 and below[0] == "Stmt" and local in ("Bal", "Ntry"):
            self._open = [self.statements[-1], _Part()]
            self.statements[-1].lists[local].append(self._open[1])
        self._relative = "/".join(below[1:] if len(self._open) == 2 else below)
        if self._open and self._relative in ("Bal/Amt", "Ntry/Amt"):
            self._open[-1].currencies.setdefault(self._relative, attributes.get("Ccy", ""))

    def _characters(self, text: str) -> None:
        self._waiting = 0
        relative = self._relative
        if relative in _ONCE or relative in _REFERENCES or relative in _TEXTS:
            self._length += len(text)
            if self._length > _FIELD_MAX:
                raise self._refused(f"the text of {relative} is longer than {_FIELD_MAX} characters")
            self._text.append(text)

    def _end(self, _: str) -> None:
        self._waiting = 0
        relative, text = self._relative, "".join(self._text).strip()
        if self._open and text:
            self._keep(self._open[-1], relative, text)
        self._path.pop()
        self._text, self._length = [], 0
        if self._base is None:
            return
        if len(self._path) < self._base:
            self._base, self._open, self._relative = None, [], ""
            return
        below = self._path[self._base :]
        if len(below) == 1:
            self._open = self._open[:1]
        elif not below:
            self._open = []
        self._relative = "/".join(below[1:] if len(self._open) == 2 else below)

    def _keep(self, part: _Part, relative: str, text: str) -> None:
        if relative in _ONCE:
            if relative in part.once:
                raise self._refused(f"{relative} stands twice where it may stand once")
            part.once[relative] = text
        elif relative in _REFERENCES:
            if text.upper() not in _NO_REFERENCE and len(text) <= REFERENCE_MAX:
                part.references[text] = None
        elif relative in _TEXTS and sum(map(len, part.texts)) < TEXT_MAX:
            part.texts.append(text)


def part_account(part: _Part) -> str:
    """Return the number of the bank account that a statement is about."""
    return part.first("Stmt/Acct/Id/IBAN", "Stmt/Acct/Id/Othr/Id") or ""


@dataclass(frozen=True, slots=True)
class _One:
    """One statement of a file: its own id, and what `BankStatement` holds."""

    id: str
    place: str
    account: str
    currency: str
    opening: int | None
    closing: int | None
    start: str | None
    end: str | None
    entries: tuple[BankEntry, ...]


def _statement(part: _Part, number: int, unit: Unit) -> _One:
    place = f"statement {number}"
    balances, entries = part.lists["Bal"], part.lists["Ntry"]
    told = part.first("Stmt/Acct/Ccy")
    stated = [*((b, "Bal/Amt") for b in balances), *((e, "Ntry/Amt") for e in entries)]
    said = [p.currencies.get(name, "") for p, name in stated]
    currency = told or next((code for code in said if code), "")
    if any(code != currency for code in said):
        raise malformed(place, f"its balances and entries are not all in {currency!r:.40}")
    if currency != unit.code:  # of another unit: its amounts cannot be read, and are not asked for
        return _One("", place, part_account(part), currency, None, None, None, None, ())
    opened = _balances(balances, "OPBD", place, unit)
    opened = opened or [(day and moved(day, 1), amount) for day, amount in _balances(balances, "PRCD", place, unit)]
    closed = _balances(balances, "CLBD", place, unit)
    read = (_entry(entry, f"{place}, entry {n}", unit) for n, entry in enumerate(entries, 1))
    booked = [entry for entry in read if entry is not None]
    days = [entry.date for entry in booked]
    start, end = _covered(part, place, opened[0][0] if opened else "", closed[-1][0] if closed else "", days)
    return _One(
        id=part.first("Stmt/Id") or "",
        place=place,
        account=part_account(part),
        currency=currency,
        opening=opened[0][1] if opened else None,
        closing=closed[-1][1] if closed else None,
        start=start,
        end=end,
        entries=tuple(entry for entry in booked if entry.amount),
    )


def _covered(part: _Part, place: str, opened: str, closed: str, days: list[str]) -> tuple[str | None, str | None]:
    """Return the first and last day that a statement covers, or nothing: its period, else its balances', else entries.

    A period up to midnight does not hold the day that begins then, unless the closing balance or an entry is of it.
    """
    begins, ends = part.first("Stmt/FrToDt/FrDtTm"), part.first("Stmt/FrToDt/ToDtTm")
    start, end = _day(begins, place), _day(ends, place)
    if start and end and start > end:
        raise malformed(place, f"its period (FrToDt) ends on {end}, before it begins on {start}")
    start = start or opened or min(days, default="")
    if end and ends and _MIDNIGHT.fullmatch(ends):
        end = max(day for day in (moved(end, -1), start, closed, *days) if day <= end)
    end = end or closed or max(days, default="")
    return (min(start, end), end) if start and end else (None, None)


def _balances(parts: list[_Part], code: str, place: str, unit: Unit) -> list[tuple[str, int]]:
    """Return (day, minor units) of all balances of a kind, earliest first: there may be one for each day."""
    found = []
    for part in parts:
        if part.first("Bal/Tp/CdOrPrtry/Cd") == code:
            where = f"{place}, balance {code}"
            day = _day(part.first("Bal/Dt/Dt", "Bal/Dt/DtTm"), where) or ""
            found.append((day, _signed(part, "Bal", where, unit)))
    return sorted(found, key=lambda item: item[0])


def _entry(part: _Part, place: str, unit: Unit) -> BankEntry | None:
    if (part.first("Ntry/Sts/Cd", "Ntry/Sts") or "BOOK") in ("PDNG", "INFO", "FUTR"):
        return None
    day = _day(part.first("Ntry/BookgDt/Dt", "Ntry/BookgDt/DtTm", "Ntry/ValDt/Dt", "Ntry/ValDt/DtTm"), place)
    if day is None:
        raise malformed(place, "it has no booking date (BookgDt)")
    text = " ".join(part.texts) or part.first("Ntry/AddtlNtryInf") or ""
    return BankEntry(day, _signed(part, "Ntry", place, unit), tuple(part.references), text[:TEXT_MAX], place)


def _signed(part: _Part, kind: str, place: str, unit: Unit) -> int:
    text, way = part.first(f"{kind}/Amt"), part.first(f"{kind}/CdtDbtInd")
    if text is None or way not in ("CRDT", "DBIT"):
        raise malformed(
            place, f"it needs an amount (Amt) and CRDT or DBIT (CdtDbtInd), found {text!r:.40} and {way!r:.40}"
        )
    decimal = _DECIMAL.fullmatch(text) if len(text) <= 64 else None
    if decimal is not None:  # xs:decimal allows a sign, leading and trailing zeros and a bare point
        whole, fraction = decimal[1] or "0", decimal[2] or decimal[3] or ""
        fraction = fraction if fraction.strip("0") else ""
        text = whole + ("." + fraction if fraction else "")
    amount = minor_units(text, unit, place)
    return amount if way == "CRDT" else -amount


def _day(text: str | None, place: str) -> str | None:
    """Return the calendar day as the bank wrote it; a time and a zone behind it do not move it."""
    if text is None:
        return None
    found = _DAY.match(text)
    day = calendar_day(int(found[1]), int(found[2]), int(found[3])) if found else None
    if day is None:
        raise malformed(place, f"a date must be YYYY-MM-DD, found {text!r:.40}")
    return day


def _joined(statements: list[_One]) -> BankStatement:
    """Put the statements of one bank account one behind the other, and check that they join."""
    if all(one.start for one in statements):
        statements = sorted(statements, key=lambda one: one.start or "")
    seen: dict[str, str] = {}
    breaks: list[Break] = []
    gaps: list[tuple[str, str]] = []
    balance: int | None = None
    start = end = None
    for one in statements:
        if one.id and one.id in seen:
            raise malformed(one.place, f"it has the same id {one.id!r:.60} as {seen[one.id]}; it would count twice")
        seen[one.id] = one.place
        if one.start and one.end:
            start, follows = min(start or one.start, one.start), moved(end or one.start, 1)
            if one.start > follows and (balance is None or balance != one.opening):
                gaps.append((follows, moved(one.start, -1)))
            end = max(end or one.end, one.end)
        if one.opening is not None:
            if balance is not None and balance != one.opening:
                breaks.append(Break(f"{one.place}, opening balance", balance, one.opening))
            balance = one.opening
        if balance is not None:
            balance += sum(entry.amount for entry in one.entries)
        if one.closing is not None:
            if balance is not None and balance != one.closing:
                breaks.append(Break(f"{one.place}, closing balance", balance, one.closing))
            balance = one.closing
    entries = tuple(entry for one in statements for entry in one.entries)
    known = next((n for n, one in enumerate(statements) if one.opening is not None or one.closing is not None), None)
    opening: int | None = None
    if known is not None:  # what came before the first balance that is stated is taken back from it
        one = statements[known]
        before = statements[:known] if one.opening is not None else statements[: known + 1]
        stated = one.opening if one.opening is not None else one.closing
        opening = (stated or 0) - sum(entry.amount for earlier in before for entry in earlier.entries)
    first = statements[0]
    return BankStatement(
        first.account, first.currency, opening, balance, start, end, entries, tuple(breaks), tuple(gaps)
    )
