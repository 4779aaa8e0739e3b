"""The records: what a ledger can say, one frozen data class for each kind.

A record is one fact. On the wire it is a msgpack array with the kind number first and the fields in the order in
which they stand here (see `docs/reference/format.md`).

Rules upheld here:

- `decode_record` parses once, at the border: types, lengths and ranges are checked, and what it returns is sound
  taken alone. Whether a record *may* stand where it stands is for `charitychain.state`.
- Amounts are whole minor units, 1..2⁶³-1. What an author left out stays left out: ``None`` is written as nil, and no
  default is ever filled in.
- An unknown kind is refused, never skipped.
- Kinds 3, 6, 18, 19, 23 and 26 are kept for suspension, account change, pledge, plan, acknowledgement and outcome.

>>> gift = Donation(id="D-1", account=0, amount=1250, source="cash")
>>> decode_record(encode_record(gift)) == gift
True
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, TypeAlias

from charitychain import codec
from charitychain.errors import MalformedError

__all__ = [
    "CATEGORIES",
    "ROLES",
    "RULES",
    "Account",
    "Conversion",
    "Disbursement",
    "Donation",
    "Expenditure",
    "Gifts",
    "KeyChange",
    "Party",
    "Place",
    "Record",
    "Refund",
    "Reversal",
    "UnitRecord",
    "check_record",
    "decode_record",
    "encode_record",
    "record_id",
]

ROLES = ("operator", "intake", "charity", "sponsor", "auditor", "witness")
RULES = ("fifo", "pro-rata")
CATEGORIES = ("programme", "administration", "fundraising")


class Place(NamedTuple):
    """Where a record stands: height of its block, statement in the block, record in the statement, each from 0."""

    height: int
    statement: int
    record: int


@dataclass(frozen=True, slots=True)
class Party:
    """Admits an organisation or person with its first key.

    `proof` is the signature of that key over a possession message, so that nobody registers a key of another.
    `recovery` keeps the place of a recovery key and is nil in this version.
    """

    KIND: ClassVar[int] = 1
    NAME: ClassVar[str] = "party"
    id: str
    roles: tuple[str, ...]
    key: bytes
    proof: bytes
    title: str | None = None
    recovery: None = None


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Gives a party a further key from the next block on; `replaces` ends that older key there.

    `compromised_since` keeps its place in the format and is nil in this version.
    """

    KIND: ClassVar[int] = 2
    NAME: ClassVar[str] = "key"
    party: str
    key: bytes
    proof: bytes
    replaces: bytes | None = None
    compromised_since: None = None


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """Declares a commodity and its decimals."""

    KIND: ClassVar[int] = 4
    NAME: ClassVar[str] = "unit"
    id: str
    decimals: int
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Opens a fund or project. `number` is the count of accounts before it; unit and rule are fixed for ever.

    `rule` nil is ``fifo``; `owner` nil is the author. The last four fields keep the places of restriction,
    approvals, target and caps, and are nil in this version.
    """

    KIND: ClassVar[int] = 5
    NAME: ClassVar[str] = "account"
    id: str
    number: int
    unit: str
    rule: str | None = None
    owner: str | None = None
    title: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    restriction: None = None
    approvals: None = None
    target: None = None
    caps: None = None


@dataclass(frozen=True, slots=True)
class Donation:
    """One gift into an account. `donor` is a pseudonym of 16 bytes and nothing else.

    `donor_key` keeps the place of the donor's own key and signature, and is nil in this version.
    """

    KIND: ClassVar[int] = 16
    NAME: ClassVar[str] = "donation"
    id: str
    account: int
    amount: int
    source: str | None = None
    donor: bytes | None = None
    donor_key: None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Gifts:
    """Many micro-donations as columns; the columns stand beside the record and hash to `root`.

    `previous` is the last id of the series before this record (nil opens the series). `width` is the bytes a gift
    takes: 32, or 48 with a second party such as the merchant.
    """

    KIND: ClassVar[int] = 17
    NAME: ClassVar[str] = "gifts"
    series: str
    account: int
    previous: int | None
    count: int
    amount: int
    first: int
    last: int
    width: int
    root: bytes
    source: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Disbursement:
    """Moves value to another account of the same unit; `gift` names the one gift it is taken from."""

    KIND: ClassVar[int] = 20
    NAME: ClassVar[str] = "disbursement"
    id: str
    account: int
    to: int
    amount: int
    gift: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Expenditure:
    """Final use: value leaves the ledger for a payee and a purpose."""

    KIND: ClassVar[int] = 21
    NAME: ClassVar[str] = "expenditure"
    id: str
    account: int
    amount: int
    payee: str | None = None
    purpose: str | None = None
    category: str | None = None
    gift: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """Value changes unit: `amount` leaves `account`, `gives` arrives in `to`, paid by `funded_from` if that is set."""

    KIND: ClassVar[int] = 22
    NAME: ClassVar[str] = "conversion"
    id: str
    account: int
    amount: int
    to: int
    gives: int
    funded_from: int | None = None
    payee: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """What is left of one gift in an account goes back to its donor.

    `account` nil is the gift's own account; `amount` nil is all of it there.
    """

    KIND: ClassVar[int] = 24
    NAME: ClassVar[str] = "refund"
    id: str
    donation: str
    account: int | None = None
    amount: int | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """Undoes an expenditure, wholly (`amount` nil: all that is left to reverse) or in part."""

    KIND: ClassVar[int] = 25
    NAME: ClassVar[str] = "reversal"
    id: str
    reverses: str
    amount: int | None = None
    reason: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


Record: TypeAlias = (
    Party
    | KeyChange
    | UnitRecord
    | Account
    | Donation
    | Gifts
    | Disbursement
    | Expenditure
    | Conversion
    | Refund
    | Reversal
)

_Check: TypeAlias = Callable[[Any, str], None]
_DATE = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _bad(what: str, expected: str, found: object) -> MalformedError:
    return MalformedError("CC-RECORD", f"{what} must be {expected}, found {found!r:.80}", field=what)


def _id(value: Any, what: str) -> None:
    if type(value) is not str:
        raise _bad(what, "an id", value)
    codec.check_id(value, what=what)


def _gift_id(value: Any, what: str) -> None:
    """An id, or `series/number` for one gift of a series."""
    if type(value) is not str:
        raise _bad(what, "the id of a gift", value)
    series, slash, number = value.partition("/")
    codec.check_id(series, what=what)
    if slash and (not re.fullmatch(r"0|[1-9][0-9]{0,18}", number, re.ASCII) or int(number) > codec.MAX_INT):
        raise _bad(what, "an id or SERIES/NUMBER", value)


def _text(value: Any, what: str) -> None:
    if type(value) is not str or not value:
        raise _bad(what, "text, or left out", value)
    codec.check_text(value, what=what)


def _date(value: Any, what: str) -> None:
    good = type(value) is str and _DATE.fullmatch(value) is not None
    if good and len(value) == 10:
        year, month, day = int(value[:4]), int(value[5:7]), int(value[8:])
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        good = day <= _DAYS[month - 1] and (leap or (month, day) != (2, 29))
    if not good:
        raise _bad(what, "a date as YYYY, YYYY-MM or YYYY-MM-DD", value)


def _range(low: int, high: int) -> _Check:
    def check(value: Any, what: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise _bad(what, f"a whole number from {low} to {high}", value)

    return check


def _bytes(size: int) -> _Check:
    def check(value: Any, what: str) -> None:
        if type(value) is not bytes or len(value) != size:
            raise _bad(what, f"{size} bytes", value)

    return check


def _one_of(*allowed: object) -> _Check:
    def check(value: Any, what: str) -> None:
        if type(value) not in (str, int) or value not in allowed:
            raise _bad(what, "one of " + ", ".join(map(str, allowed)), value)

    return check


class _Optional(NamedTuple):
    """The check of a field that may be left out; most are, and nil then calls nothing."""

    check: _Check


def _must_be_nil(value: Any, what: str) -> None:
    raise _bad(what, "nil in this version", value)


def _roles(value: Any, what: str) -> None:
    if type(value) is not tuple or not value or [r for r in ROLES if r in value] != list(value):
        raise _bad(what, "distinct roles in the order " + ", ".join(ROLES), value)


def _evidence(value: Any, what: str) -> None:
    if type(value) is not tuple or len(value) > 64:
        raise _bad(what, "at most 64 SHA-256 hashes", value)
    for item in value:
        _bytes(32)(item, what)


def _tags(value: Any, what: str) -> None:
    if type(value) is not tuple or len(value) > 64:
        raise _bad(what, "at most 64 tags", value)
    names = []
    for pair in value:
        if type(pair) is not tuple or len(pair) != 2:
            raise _bad(what, "pairs of name and value", pair)
        _id(pair[0], what)
        _text(pair[1], what)
        names.append(pair[0])
    if sorted(set(names)) != names:
        raise _bad(what, "tags in rising order of their names, each once", value)


_AMOUNT = _range(1, codec.MAX_INT)
_NUMBER = _range(0, 2**32 - 1)
_GIFT_NUMBER = _range(0, codec.MAX_INT)
_HASH = _bytes(32)
_NIL = _Optional(_must_be_nil)
_CHECKS: dict[str, _Check | _Optional] = {
    "id": _id, "series": _id, "party": _id, "title": _Optional(_text), "roles": _roles, "key": _bytes(33),
    "proof": _bytes(64), "replaces": _Optional(_HASH), "recovery": _NIL, "compromised_since": _NIL,
    "decimals": _range(0, 12), "number": _NUMBER, "unit": _id, "rule": _Optional(_one_of(*RULES)),
    "owner": _Optional(_id), "tags": _tags, "restriction": _NIL, "approvals": _NIL, "target": _NIL, "caps": _NIL,
    "account": _NUMBER, "to": _NUMBER, "funded_from": _Optional(_NUMBER), "amount": _AMOUNT, "gives": _AMOUNT,
    "source": _Optional(_id), "donor": _Optional(_bytes(16)), "donor_key": _NIL, "previous": _Optional(_GIFT_NUMBER),
    "count": _range(1, 2**32 - 1), "first": _GIFT_NUMBER, "last": _GIFT_NUMBER, "width": _one_of(32, 48),
    "root": _HASH, "payee": _Optional(_text), "purpose": _Optional(_text), "category": _Optional(_one_of(*CATEGORIES)),
    "gift": _Optional(_gift_id), "donation": _gift_id, "reverses": _id, "reason": _Optional(_text),
    "date": _Optional(_date), "reference": _Optional(_text), "evidence": _evidence, "private": _Optional(_HASH),
}  # fmt: skip
# A refund may leave out where and how much, a reversal how much.
_OVERRIDES: dict[tuple[str, str], _Check | _Optional] = {
    ("refund", "account"): _Optional(_NUMBER),
    ("refund", "amount"): _Optional(_AMOUNT),
    ("reversal", "amount"): _Optional(_AMOUNT),
}
_CLASSES: tuple[type[Any], ...] = (
    Party, KeyChange, UnitRecord, Account, Donation, Gifts, Disbursement, Expenditure, Conversion, Refund, Reversal,
)  # fmt: skip


class _Field(NamedTuple):
    name: str
    check: _Check
    may_be_nil: bool


def _field(cls: type[Any], name: str) -> _Field:
    check = _OVERRIDES.get((cls.NAME, name), _CHECKS[name])
    return _Field(name, check.check, True) if isinstance(check, _Optional) else _Field(name, check, False)


_SCHEMA: dict[type[Any], tuple[_Field, ...]] = {
    cls: tuple(_field(cls, f.name) for f in fields(cls)) for cls in _CLASSES
}
_VALUES: dict[type[Any], Callable[[Any], tuple[Any, ...]]] = {
    cls: attrgetter(*(field.name for field in schema)) for cls, schema in _SCHEMA.items()
}
"""For each class a function that gives all fields of a record in their order."""
_BY_KIND: dict[int, type[Any]] = {cls.KIND: cls for cls in _CLASSES}


def check_record(record: Record) -> None:
    """Check types, lengths and ranges of every field.

    Raises:
        MalformedError: ``CC-RECORD``, ``CC-ID`` or ``CC-TEXT``, naming the field.
    """
    values = _VALUES[type(record)](record)
    for (name, check, may_be_nil), value in zip(_SCHEMA[type(record)], values, strict=True):
        if value is not None or not may_be_nil:
            check(value, f"{record.NAME} {name}")


def encode_record(record: Record) -> bytes:
    """Return the record's canonical bytes; the inverse of `decode_record`."""
    return codec.encode((record.KIND, *_VALUES[type(record)](record)))


def decode_record(data: bytes) -> Record:
    """Parse a record from its canonical bytes.

    Raises:
        MalformedError: not canonical, an unknown kind, or a field out of its range.
    """
    value = codec.decode(data, max_depth=4)
    if type(value) is not tuple or not value or type(value[0]) is not int:
        raise MalformedError("CC-RECORD", "a record must be an array with its kind number first")
    cls = _BY_KIND.get(value[0])
    if cls is None:
        raise MalformedError(
            "CC-KIND", f"record kind {value[0]} is not known to this version; a newer release may read it"
        )
    schema = _SCHEMA[cls]
    if len(value) != len(schema) + 1:
        raise MalformedError("CC-RECORD", f"{cls.NAME} must have {len(schema)} fields, found {len(value) - 1}")
    values = value[1:]
    for (name, check, may_be_nil), item in zip(schema, values, strict=True):
        if item is not None or not may_be_nil:
            check(item, name)
    record: Record = cls(*values)
    return record


def record_id(record: Record) -> str | None:
    """Return the id that a record brings into the ledger's one id space; gifts and key changes bring none."""
    return None if isinstance(record, Gifts | KeyChange) else record.id
