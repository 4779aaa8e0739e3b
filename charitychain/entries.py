"""Entries: records as people write them, with ids, decimal amounts and left-out defaults.

An *entry* is a mapping as in the journal: ``{"record": "donation", "id": "D-1", "account": "edu", "amount": "12.50"}``.
`build` turns one into the record that is signed, with the parties that must sign it; `describe` turns a signed record
back into an entry. The command line, the journal and the library's writer all go through here.

Rules upheld here:

- An unknown field is refused, a known one is parsed strictly.
- What an entry leaves out, the record leaves out: ``describe(build(entry))`` says the same as `entry`.
- Whether the ledger's rules allow the record is not decided here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from charitychain import columns, records
from charitychain.codec import MAX_INT
from charitychain.errors import MalformedError, RefusedError
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import find_gift
from charitychain.state.parties import PartyState
from charitychain.state.rules import State
from charitychain.units import format_amount, parse_amount

__all__ = ["Built", "Entry", "build", "describe", "differing_fields", "entry_id"]

Entry = Mapping[str, Any]

_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")

_COMMON = ("date", "reference", "evidence", "private", "author")
_REQUIRED: dict[str, tuple[str, ...]] = {
    "unit": ("id", "decimals"),
    "party": ("id", "roles", "key"),
    "key": ("party", "key"),
    "account": ("id", "unit"),
    "donation": ("id", "account", "amount"),
    "gifts": ("series", "account", "ids", "amounts"),
    "disbursement": ("id", "from", "to", "amount"),
    "expenditure": ("id", "from", "amount", "payee", "purpose"),
    "conversion": ("id", "from", "amount", "to", "gives"),
    "refund": ("id", "donation"),
    "reversal": ("id", "reverses"),
}
_OPTIONAL: dict[str, tuple[str, ...]] = {
    "unit": ("title", "author"),
    "party": ("title", "proof", "author"),
    "key": ("proof", "replaces", "author"),
    "account": ("title", "rule", "owner", "tags", "author"),
    "donation": ("source", "donor", "unit", *_COMMON),
    "gifts": ("donors", "seconds", "source", "unit", *_COMMON),
    "disbursement": ("gift", "unit", *_COMMON),
    "expenditure": ("category", "gift", "unit", *_COMMON),
    "conversion": ("funded_from", "payee", *_COMMON),
    "refund": ("from", "amount", "unit", *_COMMON),
    "reversal": ("amount", "reason", "unit", *_COMMON),
}


@dataclass(frozen=True, slots=True)
class Built:
    """A record ready to be signed: by `author`, and by `cosigners` too."""

    record: records.Record
    author: PartyState
    cosigners: tuple[PartyState, ...] = ()
    columns: bytes | None = None


def entry_id(entry: Entry) -> str | None:
    """Return the id that an entry brings, if it brings one."""
    found = entry.get("id")
    return found if isinstance(found, str) else None


def check_form(entry: Entry) -> str:
    """Check the fields of an entry by name and return its kind.

    Raises:
        MalformedError: ``CC-ENTRY``: an unknown kind or field, or a missing one.
    """
    kind = entry.get("record")
    if not isinstance(kind, str) or kind not in _REQUIRED:
        raise MalformedError("CC-ENTRY", f"'record' must be one of {', '.join(_REQUIRED)}, found {kind!r:.60}")
    known = (*_REQUIRED[kind], *_OPTIONAL[kind])
    for name in entry:
        if name != "record" and name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it may have {', '.join(known)}"
            raise MalformedError("CC-ENTRY", f"the {kind} has no field {name!r:.60}{hint}", field=str(name))
    for name in _REQUIRED[kind]:
        if entry.get(name) is None:
            raise MalformedError("CC-ENTRY", f"the {kind} must have the field {name!r}", field=name)
    for name, value in entry.items():
        if value is None:
            raise MalformedError("CC-ENTRY", f"field {name!r} is null; leave it out instead", field=name)
        if isinstance(value, bool):  # which Python would take for a number
            raise MalformedError("CC-ENTRY", f"field {name!r} is true or false, which no field can be", field=name)
    return kind


class _Fields:
    """The fields of one entry, parsed against the ledger's state."""

    def __init__(self, state: State, entry: Entry) -> None:
        self.state, self.entry = state, entry

    def text(self, name: str) -> str | None:
        value = self.entry.get(name)
        if value is not None and not isinstance(value, str):
            raise MalformedError("CC-ENTRY", f"field {name!r} must be text, found {value!r:.60}", field=name)
        return value

    def must(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise MalformedError("CC-ENTRY", f"field {name!r} is missing", field=name)
        return value

    def account(self, name: str) -> AccountState:
        return self.state.account_named(self.must(name))

    def maybe_account(self, name: str) -> AccountState | None:
        return self.account(name) if name in self.entry else None

    def amount(self, name: str, account: AccountState) -> int:
        stated = self.text("unit")
        if stated is not None and stated != account.unit:
            raise RefusedError(
                "CC-UNIT",
                f"account {account.id!r} is in {account.unit}, not in {stated}",
                expected=account.unit,
                found=stated,
            )
        return parse_amount(self.must(name), self.state.unit_of(account))

    def hex(self, name: str, size: int) -> bytes | None:
        value = self.text(name)
        return None if value is None else _hex(value, name, size)

    def common(self) -> dict[str, Any]:
        evidence = self.entry.get("evidence", [])
        if not isinstance(evidence, list | tuple):
            raise MalformedError("CC-ENTRY", "evidence must be a list of SHA-256 hashes in hex", field="evidence")
        return {
            "date": self.text("date"),
            "reference": self.text("reference"),
            "evidence": tuple(_hex(item, "evidence", 32) for item in evidence),
            "private": self.hex("private", 32),
        }

    def author(self, default: PartyState) -> PartyState:
        stated = self.text("author")
        return default if stated is None else self.state.party(stated)

    def owner(self, account: AccountState) -> PartyState:
        return self.state.parties[account.owner]


def _hex(value: object, name: str, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not set(value) <= set("0123456789abcdefABCDEF"):
        raise MalformedError("CC-ENTRY", f"{name} must be {2 * size} hex digits, found {value!r:.80}", field=name)
    return bytes.fromhex(value)


def build(state: State, entry: Entry) -> Built:
    """Turn an entry into the record to sign.

    Raises:
        MalformedError: ``CC-ENTRY``, ``CC-AMOUNT``, …: the entry is not well formed.
        RefusedError: it names an account, party or gift that this ledger has not.
    """
    return _BUILD[check_form(entry)](_Fields(state, entry))


def _unit(f: _Fields) -> Built:
    decimals = f.entry["decimals"]
    if type(decimals) is not int:
        raise MalformedError("CC-ENTRY", f"decimals must be a whole number, found {decimals!r:.60}", field="decimals")
    return Built(records.UnitRecord(f.must("id"), decimals, f.text("title")), f.author(f.state.parties[0]))


def _party(f: _Fields) -> Built:
    roles = f.entry["roles"]
    known = isinstance(roles, list | tuple) and all(isinstance(r, str) and r in records.ROLES for r in roles)
    if not known or len(set(roles)) != len(roles):
        raise MalformedError("CC-ENTRY", f"roles must be a list out of {', '.join(records.ROLES)}", field="roles")
    key, proof = f.hex("key", 33), f.hex("proof", 64)
    if key is None or proof is None:
        raise MalformedError("CC-ENTRY", "a party must come with its key and the proof that its holder has it")
    ordered = tuple(role for role in records.ROLES if role in roles)
    return Built(records.Party(f.must("id"), ordered, key, proof, f.text("title")), f.author(f.state.parties[0]))


def _key(f: _Fields) -> Built:
    key, proof = f.hex("key", 33), f.hex("proof", 64)
    if key is None or proof is None:
        raise MalformedError("CC-ENTRY", "a new key must come with the proof that its holder has it")
    party = f.state.party(f.must("party"))
    return Built(records.KeyChange(party.id, key, proof, f.hex("replaces", 32)), f.author(party))


def _account(f: _Fields) -> Built:
    owner = f.text("owner")
    party = f.state.party(owner) if owner is not None else f.author(f.state.parties[0])
    tags = f.entry.get("tags", {})
    if not isinstance(tags, Mapping) or not all(isinstance(v, str) for pair in tags.items() for v in pair):
        raise MalformedError("CC-ENTRY", "tags must be an object of names and texts", field="tags")
    record = records.Account(
        f.must("id"), len(f.state.accounts), f.must("unit"), f.text("rule"), owner, f.text("title"),
        tuple(sorted(tags.items())),
    )  # fmt: skip
    return Built(record, f.author(party), (party,))


def _donation(f: _Fields) -> Built:
    account = f.account("account")
    record = records.Donation(
        f.must("id"), account.number, f.amount("amount", account), f.text("source"), f.hex("donor", 16), **f.common()
    )
    return Built(record, f.author(f.owner(account)))


def _gifts(f: _Fields) -> Built:
    account = f.account("account")
    unit = f.state.unit_of(account)
    lists = {name: f.entry.get(name) for name in ("ids", "amounts", "donors", "seconds")}
    if not all(isinstance(v, list | tuple) for v in lists.values() if v is not None):
        raise MalformedError("CC-ENTRY", "ids, amounts, donors and seconds must be lists")
    ids = [_gift_number(value) for value in lists["ids"] or ()]
    amounts = [parse_amount(value, unit) for value in lists["amounts"] or ()]
    people = [
        b"".join(bytes(16) if v == "" else _hex(v, name, 16) for v in values) if (values := lists[name]) else None
        for name in ("donors", "seconds")
    ]
    data, root = columns.pack_columns(ids, amounts, people[0], people[1])
    last = f.state.lookup.last_batch(f.must("series"))
    record = records.Gifts(
        f.must("series"), account.number, last.last if last else None, len(ids), root.sum, root.low, root.high,
        48 if people[1] is not None else 32, root.hash, f.text("source"), **f.common(),
    )  # fmt: skip
    return Built(record, f.author(f.owner(account)), (), data)


def _gift_number(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_INT:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 and str(int(value)) == value:
        return int(value)
    raise MalformedError("CC-ENTRY", f"a gift's number must be a whole number below 2^63, found {value!r:.60}")


def _disbursement(f: _Fields) -> Built:
    source, target = f.account("from"), f.account("to")
    record = records.Disbursement(
        f.must("id"), source.number, target.number, f.amount("amount", source), f.text("gift"), **f.common()
    )
    return Built(record, f.author(f.owner(source)))


def _expenditure(f: _Fields) -> Built:
    source = f.account("from")
    record = records.Expenditure(
        f.must("id"), source.number, f.amount("amount", source), f.text("payee"), f.text("purpose"), f.text("category"),
        f.text("gift"), **f.common(),
    )  # fmt: skip
    return Built(record, f.author(f.owner(source)))


def _conversion(f: _Fields) -> Built:
    source, target, funding = f.account("from"), f.account("to"), f.maybe_account("funded_from")
    record = records.Conversion(
        f.must("id"), source.number, f.amount("amount", source), target.number, f.amount("gives", target),
        funding.number if funding else None, f.text("payee"), **f.common(),
    )  # fmt: skip
    owners = (f.owner(target), *((f.owner(funding),) if funding else ()))
    return Built(record, f.author(f.owner(source)), owners)


def _refund(f: _Fields) -> Built:
    gift = find_gift(f.state.lookup, f.must("donation"))
    if gift is None:
        raise RefusedError("CC-UNKNOWN-GIFT", f"this ledger has no gift {f.must('donation')!r}")
    stated = f.maybe_account("from")
    account = stated or f.state.accounts[gift.account]
    amount = f.amount("amount", account) if "amount" in f.entry else None
    record = records.Refund(f.must("id"), gift.id, stated.number if stated else None, amount, **f.common())
    return Built(record, f.author(f.owner(account)))


def _reversal(f: _Fields) -> Built:
    row = f.state.lookup.find_id(f.must("reverses"))
    if row is None or row.kind != records.Expenditure.KIND or row.account is None:
        raise RefusedError("CC-REVERSAL", f"{f.must('reverses')!r} is no expenditure of this ledger")
    account = f.state.accounts[row.account]
    amount = f.amount("amount", account) if "amount" in f.entry else None
    record = records.Reversal(f.must("id"), row.id, amount, f.text("reason"), **f.common())
    return Built(record, f.author(f.owner(account)))


_BUILD: dict[str, Callable[[_Fields], Built]] = {
    "unit": _unit, "party": _party, "key": _key, "account": _account, "donation": _donation, "gifts": _gifts,
    "disbursement": _disbursement, "expenditure": _expenditure, "conversion": _conversion, "refund": _refund,
    "reversal": _reversal,
}  # fmt: skip


# -------------------------------------------------------------------------------------------------- back


def describe(
    state: State, record: records.Record, author: str, gift_columns: bytes | None = None, *, with_unit: bool = False
) -> dict[str, Any]:
    """Turn a signed record back into an entry; `author` is left out where it is the one that `build` would take.

    Args:
        gift_columns: What a batch of gifts carries beside its record.
        with_unit: Say the unit too, where `build` takes one.
    """
    entry: dict[str, Any] = {"record": record.NAME}
    account = _account_of(state, record)
    default = state.parties[account.owner if account is not None else 0].id
    for name in record.__slots__:
        value = getattr(record, name)
        if value is None or value == ():
            continue
        entry[_NAMES.get((record.NAME, name), name)] = _plain(state, record, name, value, account)
    if isinstance(record, records.Account):
        entry.pop("number")
        default = record.owner or default
    elif isinstance(record, records.KeyChange):
        default = record.party
    elif isinstance(record, records.Gifts):
        for name in ("previous", "count", "amount", "first", "last", "width", "root"):
            entry.pop(name, None)
        entry |= _describe_columns(state, record, gift_columns or b"")
    if author != default:
        entry["author"] = author
    if with_unit and account is not None and "unit" in _OPTIONAL[record.NAME]:
        entry["unit"] = account.unit
    return entry


_NAMES = {(kind, "account"): "from" for kind in ("disbursement", "expenditure", "conversion", "refund")}


def _account_of(state: State, record: records.Record) -> AccountState | None:
    match record:
        case (
            records.Donation() | records.Gifts() | records.Disbursement() | records.Expenditure() | records.Conversion()
        ):
            return state.accounts[record.account]
        case records.Refund():
            if record.account is not None:
                return state.accounts[record.account]
            gift = find_gift(state.lookup, record.donation)
            return state.accounts[gift.account] if gift else None
        case records.Reversal():
            row = state.lookup.find_id(record.reverses)
            return state.accounts[row.account] if row and row.account is not None else None
    return None


def _plain(state: State, record: records.Record, name: str, value: Any, account: AccountState | None) -> Any:
    if name in ("account", "to", "funded_from"):
        return state.accounts[value].id
    if name == "gives":
        assert isinstance(record, records.Conversion)
        return format_amount(value, state.unit_of(state.accounts[record.to]))
    if name == "amount" and account is not None:
        return format_amount(value, state.unit_of(account))
    if name == "tags":
        return dict(value)
    if name in ("evidence", "roles"):
        return [item.hex() if isinstance(item, bytes) else item for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _describe_columns(state: State, record: records.Gifts, data: bytes) -> dict[str, Any]:
    unit = state.unit_of(state.accounts[record.account])
    found: dict[str, Any] = {"ids": [], "amounts": [], "donors": [], "seconds": []}
    for gift in columns.iterate_gifts(data, record.width):
        found["ids"].append(str(gift.id))
        found["amounts"].append(format_amount(gift.amount, unit))
        found["donors"].append(gift.donor.hex() if gift.donor else "")
        found["seconds"].append(gift.second.hex() if gift.second else "")
    if record.width == 32:
        del found["seconds"]
    if not any(found["donors"]):
        del found["donors"]
    return found


def differing_fields(new: Entry, signed: Entry) -> list[str]:
    """Return the fields in which an entry and a signed record differ: amounts by value, nothing filled in."""
    ours, theirs = _normal(new), _normal(signed)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def _normal(entry: Entry) -> dict[str, Any]:
    found = dict(entry)
    for name in ("amount", "gives"):
        found[name] = _by_value(found.get(name))
    for name in ("donor", "key", "private", "replaces"):
        if isinstance(found.get(name), str):
            found[name] = found[name].lower()
    if isinstance(found.get("evidence"), list | tuple):
        found["evidence"] = [str(item).lower() for item in found["evidence"]]
    if isinstance(found.get("roles"), list | tuple):
        found["roles"] = sorted(map(str, found["roles"]))
    for name, plain in (("ids", str), ("amounts", _by_value), ("donors", _lower), ("seconds", _lower)):
        if isinstance(values := found.get(name), list | tuple):
            found[name] = [plain(value) for value in values] if name in ("ids", "amounts") or any(values) else None
    found.pop("proof", None)
    return {name: value for name, value in found.items() if value not in (None, [], (), {})}


def _by_value(amount: object) -> object:
    """Return an amount without the zeros that change nothing; what is no amount stays what it is, and unequal."""
    if isinstance(amount, str) and _DECIMAL.fullmatch(amount):
        return amount.rstrip("0").rstrip(".")
    return amount


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value
