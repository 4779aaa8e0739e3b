"""Records as bytes: msgpack arrays with the kind number first, checked field by field.

Rules upheld here:

- `decode_record` parses once, at the border: types, lengths and ranges are checked, and what it returns is sound
  taken alone. Whether a record *may* stand where it stands is for `charitychain.state`.
- An unknown kind is refused, never skipped.
- The fields that came with format 2 stand last, and the array ends before those of them that are left out: one record
  has one encoding, and one that uses none of them is the same in both formats.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from charitychain import codec
from charitychain.errors import MalformedError
from charitychain.records.kinds import KINDS, Record
from charitychain.records.parties import ROLES, RULES, Account, KeyChange, Party, UnitRecord
from charitychain.records.value import (
    CATEGORIES,
    COSTS,
    LOSS,
    Conversion,
    Disbursement,
    Donation,
    Expenditure,
    Gifts,
    Refund,
    Reversal,
)
from charitychain.records.words import PLAN_KINDS

__all__ = ["check_date", "check_record", "decode_record", "encode_record", "is_of_version_1"]

_Check: TypeAlias = Callable[[Any, str], None]
_DATE = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _bad(what: str, expected: str, found: object) -> MalformedError:
    told = repr(found)
    if len(told) > 80:
        told = f"{len(found)} items" if isinstance(found, tuple | list) else f"{told[:79]}…"
    return MalformedError("CC-RECORD", f"{what} must be {expected}, found {told}", field=what)


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


def check_date(value: Any, what: str = "date") -> None:
    """Check a stated date: ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``.

    Raises:
        MalformedError: it is none.
    """
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


def _full_day(value: Any, what: str) -> None:
    if type(value) is not str or len(value) != 10:
        raise _bad(what, "a day as YYYY-MM-DD", value)
    check_date(value, what)


def _array(value: Any, what: str, size: int | None = None, *, most: int = 256) -> tuple[Any, ...]:
    if type(value) is not tuple or len(value) > most or (size is not None and len(value) != size):
        raise _bad(what, f"an array of {size}" if size is not None else f"an array of at most {most}", value)
    return value


def _rising(keys: list[Any], what: str) -> None:
    if sorted(set(keys)) != keys:
        raise _bad(what, "in rising order, each once", keys)


def _restriction(value: Any, what: str) -> None:
    purposes, start, end = _array(value, what, 3)
    for purpose in _array(purposes, f"{what} purposes"):
        _text(purpose, f"{what} purpose")
    _rising(list(purposes), f"{what} purposes")
    for day in (start, end):
        if day is not None:
            _full_day(day, f"{what} day")
    if start is not None and end is not None and start > end:
        raise _bad(what, "a period that ends after it begins", value)


def _approvals(value: Any, what: str) -> None:
    needed, parties = _array(value, what, 2)
    for party in _array(parties, f"{what} parties", most=62):
        _id(party, f"{what} party")
    _rising(list(parties), f"{what} parties")
    if type(needed) is not int or not (1 <= needed <= len(parties) or (needed == 0 and not parties)):
        raise _bad(what, "k of n parties, 1 <= k <= n", value)


def _caps(value: Any, what: str) -> None:
    for cap in _array(value, what, most=16):
        categories, percent, base, scope, period, mode = _array(cap, what, 6)
        for category in _array(categories, f"{what} categories", most=3):
            _one_of(*COSTS)(category, f"{what} category")
        if not categories or [c for c in COSTS if c in categories] != list(categories):
            raise _bad(f"{what} categories", "distinct, in the order " + ", ".join(COSTS), categories)
        _range(0, 10_000)(percent, f"{what} percent")
        for name, word, allowed in (
            ("base", base, ("spent", "received")), ("scope", scope, ("account", "party")),
            ("period", period, ("year", "all")), ("mode", mode, ("flag", "refuse")),
        ):  # fmt: skip
            _one_of(*allowed)(word, f"{what} {name}")


def _levy(value: Any, what: str) -> None:
    total = 0
    for pair in _array(value, what, most=16):
        number, percent = _array(pair, what, 2)
        _NUMBER(number, f"{what} account")
        _range(1, 10_000)(percent, f"{what} percent")
        total += percent
    _rising([pair[0] for pair in value], f"{what} accounts")
    if total > 10_000:
        raise _bad(what, "at most 100 percent in all", value)


def _parts(value: Any, what: str) -> None:
    if not _array(value, what):
        raise _bad(what, "one part at least", value)
    for pair in value:
        number, amount = _array(pair, what, 2)
        _NUMBER(number, f"{what} account")
        _AMOUNT(amount, f"{what} amount")
    if len({pair[0] for pair in value}) != len(value):
        raise _bad(what, "each account once", value)


def _lines(value: Any, what: str) -> None:
    if not _array(value, what, most=1024):
        raise _bad(what, "one line at least", value)
    for line in value:
        name, kind, text, quantity, price = _array(line, what, 5)
        _id(name, f"{what} id")
        _one_of(*PLAN_KINDS)(kind, f"{what} kind")
        _text(text, f"{what} what")
        _AMOUNT(quantity, f"{what} quantity")
        _AMOUNT(price, f"{what} price")
    if len({line[0] for line in value}) != len(value):
        raise _bad(what, "each line's id once", value)
    if sum(line[3] * line[4] for line in value) > codec.MAX_INT:
        raise _bad(what, "less than 2^63 units in all", value)


def _totals(value: Any, what: str) -> None:
    for row in _array(value, what, most=65_535):
        for number in _array(row, what, 5):
            _GIFT_NUMBER(number, what)
    _rising([row[0] for row in value], f"{what} accounts")


def _behind(value: Any, what: str) -> None:
    what = f"{what} (the expenditures behind it)"
    if not _array(value, what, most=64):
        raise _bad(what, "one expenditure at least", value)
    for name in value:
        _id(name, what)
    _rising(list(value), what)


def _indicator(value: Any, what: str) -> None:
    _text(value, what)
    if value != value.strip():  # it would look like another one, and count apart
        raise _bad(what, "text that neither begins nor ends with white space", value)


def _accounts(value: Any, what: str) -> None:
    if not _array(value, what):
        raise _bad(what, "one account at least", value)
    for number in value:
        _NUMBER(number, what)
    _rising(list(value), what)


def _recovery(value: Any, what: str) -> None:
    key, proof = _array(value, what, 2)
    _bytes(33)(key, f"{what} key")
    _bytes(64)(proof, f"{what} proof")


def _invoice(value: Any, what: str) -> None:
    key, total = _array(value, what, 2)
    _text(key, f"{what} key")
    _AMOUNT(total, f"{what} total")


def _plan_line(value: Any, what: str) -> None:
    plan, slash, line = value.partition("/") if type(value) is str else ("", "", "")
    if not slash:
        raise _bad(what, "a plan's line as PLAN/LINE", value)
    codec.check_id(plan, what=what)
    codec.check_id(line, what=what)


def _checkpoint(value: Any, what: str) -> None:
    size, root = _array(value, what, 2)
    _AMOUNT(size, f"{what} size")
    _HASH(root, f"{what} root")


def _movement(value: Any, what: str) -> None:
    account, index = _array(value, what, 2)
    _NUMBER(account, f"{what} account")
    _GIFT_NUMBER(index, f"{what} index")


def _spans(value: Any, what: str) -> None:
    if not _array(value, what):
        raise _bad(what, "one run of units at least", value)
    end = -1
    for pair in value:
        start, length = _array(pair, what, 2)
        _GIFT_NUMBER(start, f"{what} start")
        _AMOUNT(length, f"{what} length")
        if start <= end:  # two that touch are one
            raise _bad(what, "in rising order, with units between them", value)
        end = start + length
    _GIFT_NUMBER(end, f"{what} end")


def _text_or_empty(value: Any, what: str) -> None:
    if value != "":
        _text(value, what)


_AMOUNT = _range(1, codec.MAX_INT)
_NUMBER = _range(0, 2**32 - 1)
_GIFT_NUMBER = _range(0, codec.MAX_INT)
_FLAG = _range(0, 1)
_HASH = _bytes(32)
_CHECKS: dict[str, _Check | _Optional] = {
    "id": _id, "series": _id, "party": _id, "title": _Optional(_text), "roles": _roles, "key": _bytes(33),
    "proof": _bytes(64), "replaces": _Optional(_id), "recovery": _Optional(_recovery),
    "compromised_since": _Optional(_GIFT_NUMBER), "suspended": _FLAG, "threshold": _Optional(_range(1, 64)),
    "decimals": _range(0, 12), "number": _NUMBER, "unit": _id, "rule": _Optional(_one_of(*RULES)),
    "owner": _Optional(_id), "tags": _tags, "restriction": _Optional(_restriction), "approvals": _Optional(_approvals),
    "target": _Optional(_GIFT_NUMBER), "caps": _Optional(_caps), "naming": _Optional(_one_of("forbidden")),
    "levy": _Optional(_levy), "closed": _Optional(_FLAG),
    "account": _NUMBER, "to": _NUMBER, "funded_from": _Optional(_NUMBER), "amount": _AMOUNT, "gives": _AMOUNT,
    "source": _Optional(_id), "donor": _Optional(_bytes(16)), "donor_key": _Optional(_must_be_nil),
    "previous": _Optional(_GIFT_NUMBER), "count": _range(1, 2**32 - 1), "first": _GIFT_NUMBER, "last": _GIFT_NUMBER,
    "width": _one_of(32, 48), "root": _HASH, "payee": _Optional(_text), "purpose": _Optional(_text),
    "category": _Optional(_one_of(*CATEGORIES)), "gift": _Optional(_gift_id), "donation": _gift_id,
    "reverses": _gift_id, "acknowledges": _gift_id, "reason": _Optional(_text),
    "status": _Optional(_one_of("received", "disputed")), "upto": _Optional(_one_of(1)),
    "on_behalf_of": _Optional(_text), "note": _Optional(_text),
    "institution": _Optional(_text), "at": _full_day, "until": _full_day, "accounts": _accounts, "totals": _totals,
    "parts": _parts, "lines": _lines, "line": _Optional(_plan_line), "invoice": _Optional(_invoice),
    "because_of": _Optional(_gift_id), "indicator": _indicator, "quantity": _AMOUNT, "of": _behind,
    "to_ledger": _HASH, "from_ledger": _HASH, "to_origin": _Optional(_text), "from_origin": _Optional(_text),
    "checkpoint": _checkpoint, "movement": _movement, "spans": _spans,
    "place": _Optional(_text), "beneficiaries": _Optional(_AMOUNT),
    "pledge": _Optional(_id), "pledger": _Optional(_text), "due": _Optional(check_date),
    "date": _Optional(check_date), "reference": _Optional(_text), "evidence": _evidence, "private": _Optional(_HASH),
}  # fmt: skip
# The same name, another range: what one kind may leave out and others may not.
_OVERRIDES: dict[tuple[str, str], _Check | _Optional] = {
    ("key", "key"): _Optional(_bytes(33)),
    ("key", "proof"): _Optional(_bytes(64)),
    ("key", "replaces"): _Optional(_HASH),
    ("control", "recovery"): _Optional(_bytes(33)),
    ("control", "proof"): _Optional(_bytes(64)),
    ("account-change", "title"): _Optional(_text_or_empty),
    ("account-change", "tags"): _Optional(_tags),
    ("account-change", "naming"): _Optional(_one_of("forbidden", "allowed")),
    ("refund", "account"): _Optional(_NUMBER),
    ("refund", "amount"): _Optional(_AMOUNT),
    ("reversal", "amount"): _Optional(_AMOUNT),
    ("reversal", "account"): _Optional(_NUMBER),
    ("acknowledgement", "amount"): _Optional(_AMOUNT),
    ("outcome", "amount"): _Optional(_AMOUNT),
    ("attestation", "amount"): _GIFT_NUMBER,
}


class _Field(NamedTuple):
    name: str
    check: _Check
    may_be_nil: bool


def _field(cls: type[Any], name: str) -> _Field:
    check = _OVERRIDES.get((cls.NAME, name), _CHECKS[name])
    return _Field(name, check.check, True) if isinstance(check, _Optional) else _Field(name, check, False)


_SCHEMA: dict[type[Any], tuple[_Field, ...]] = {cls: tuple(_field(cls, f.name) for f in fields(cls)) for cls in KINDS}
_SHORTEST: dict[type[Any], int] = {cls: len(_SCHEMA[cls]) - len(getattr(cls, "SINCE", ())) for cls in KINDS}
"""How many fields stand in the array even where they are nil."""
_VALUES: dict[type[Any], Callable[[Any], tuple[Any, ...]]] = {
    cls: attrgetter(*(field.name for field in schema)) for cls, schema in _SCHEMA.items()
}
"""For each class a function that gives all fields of a record in their order."""
_BY_KIND: dict[int, type[Any]] = {cls.KIND: cls for cls in KINDS}
_VERSION_1 = (
    Party, KeyChange, UnitRecord, Account, Donation, Gifts, Disbursement, Expenditure, Conversion, Refund, Reversal,
)  # fmt: skip


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
    values = _VALUES[type(record)](record)
    size, shortest = len(values), _SHORTEST[type(record)]
    while size > shortest and values[size - 1] is None:
        size -= 1
    return codec.encode((record.KIND, *values[:size]))


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
    schema, count, shortest = _SCHEMA[cls], len(value) - 1, _SHORTEST[cls]
    if not shortest <= count <= len(schema):
        raise MalformedError("CC-RECORD", f"{cls.NAME} must have {shortest} to {len(schema)} fields, found {count}")
    if count > shortest and value[-1] is None:
        raise MalformedError("CC-CANONICAL", f"{cls.NAME} must end before the fields that it leaves out")
    values = value[1:]
    for (name, check, may_be_nil), item in zip(schema, values, strict=False):
        if item is not None or not may_be_nil:
            check(item, name)
    record: Record = cls(*values)
    return record


def is_of_version_1(record: Record) -> bool:
    """Say whether format 1 knew this kind of record, and every field that this one uses."""
    if not isinstance(record, _VERSION_1):
        return False
    later = {*getattr(type(record), "SINCE", ())}
    if isinstance(record, Account):
        later |= {"restriction", "approvals", "target", "caps"}
    elif isinstance(record, Party | KeyChange):
        later |= {"recovery", "compromised_since"}
        if isinstance(record, KeyChange) and record.key is None:
            return False
    elif isinstance(record, Reversal) and "/" in record.reverses:
        return False
    elif isinstance(record, Expenditure):
        return record.category != LOSS and all(getattr(record, name) is None for name in later)
    return all(getattr(record, name, None) is None for name in later)
