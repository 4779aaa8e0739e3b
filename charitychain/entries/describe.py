"""Describing: from a signed record back to the entry that people read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from charitychain import columns, records
from charitychain.entries.form import OPTIONAL
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import Link, find_gift
from charitychain.state.parties import PartyState
from charitychain.state.rules import State
from charitychain.units import Unit, format_amount

__all__ = ["account_of", "describe", "describe_terms"]

_NAMES = {
    (kind, "account"): "from"
    for kind in ("disbursement", "split", "expenditure", "conversion", "sent", "refund", "reversal")
} | {("split", "parts"): "to"}  # fmt: skip
_TERMS = ("restriction", "approvals", "target", "caps", "levy", "tags")
_CAP = ("percent", "base", "scope", "period", "mode", "categories")
_SUMS = ("in", "by_rule", "by_name", "reversed")


def describe(
    state: State,
    record: records.Record,
    author: str,
    gift_columns: bytes | None = None,
    *,
    with_unit: bool = False,
    signers: Sequence[str] = (),
    by_recovery: bool = False,
) -> dict[str, Any]:
    """Turn a signed record back into an entry; `author` is left out where the one that `build` would take signed it.

    Args:
        gift_columns: What a batch of gifts carries beside its record.
        with_unit: Say the unit too, where `build` takes one.
        signers: All parties that signed it; those whom the account's approvals ask for are told.
        by_recovery: The author's recovery key signed it.
    """
    entry: dict[str, Any] = {"record": record.NAME}
    account = account_of(state, record)
    for name in record.__slots__:
        value = getattr(record, name)
        if value is None or (value == () and not isinstance(record, records.AccountChange)):
            continue
        entry[_NAMES.get((record.NAME, name), name)] = _plain(state, record, name, value, account)
    match record:
        case records.Account():
            entry.pop("number")
        case records.AccountChange():
            if entry.get("evidence") == []:
                del entry["evidence"]
        case records.Party() if record.recovery is not None:
            entry["recovery"], entry["recovery_proof"] = (part.hex() for part in record.recovery)
        case records.Gifts():
            for name in ("previous", "count", "amount", "first", "last", "width", "root"):
                entry.pop(name, None)
            entry |= _describe_columns(state, record, gift_columns or b"")
    default = _default_author(state, record, account)
    if author != default and default not in signers:
        entry["author"] = author
    if by_recovery:
        entry["by_recovery"] = True
    if with_unit and account is not None and "unit" in OPTIONAL[record.NAME]:
        entry["unit"] = account.unit
    asked = account is not None and (account.terms.approvals is not None or len(signers) > 1)
    if account is not None and asked and "approved_by" in OPTIONAL[record.NAME]:
        told = [id_ for id_ in _approvers(state, account) if id_ in signers]
        if told:
            entry["approved_by"] = told
    return entry


def describe_terms(state: State, account: AccountState) -> dict[str, Any]:
    """Return the terms of an account as an entry would say them."""
    terms, found = account.terms, {}
    for name in ("title", "naming", *_TERMS):
        value = getattr(terms, name)
        if value not in (None, ()):
            found[name] = _term(state, name, value, state.unit_of(account)) if name in _TERMS else value
    return found


def _approvers(state: State, account: AccountState) -> list[str]:
    """Return everybody who was asked to approve what leaves an account, at any time: who signed then may not be now."""
    changes = state.lookup.links(account.id, Link.CHANGED)
    listed = [account.terms.approvals]
    if changes:
        opened = state.lookup.find_id(account.id)
        places = [*([opened.place] if opened is not None else []), *changes]
        listed += [getattr(state.record_at(place), "approvals", None) for place in places]
    return sorted({id_ for approvals in listed if approvals for id_ in approvals[1]})


def _default_author(state: State, record: records.Record, account: AccountState | None) -> str:
    default = state.parties[account.owner if account is not None else 0]
    match record:
        case records.Account():
            return record.owner or default.id
        case records.KeyChange() | records.Control():
            return record.party
        case records.Attestation():
            return ""
        case records.Acknowledgement():
            row = state.lookup.find_id(record.acknowledges)
            moved = (records.Disbursement.KIND, records.Conversion.KIND)
            if row is not None and row.kind in moved and row.account is not None and row.movement is not None:
                into = state.lookup.movement(row.account, row.movement).target
                return state.parties[state.accounts[into[0]].owner].id if into is not None else default.id
        case records.Reversal():
            return _author_of_undone(state, record, default).id
    return default.id


def _author_of_undone(state: State, record: records.Reversal, default: PartyState) -> PartyState:
    """Return who signs the reversal of a gift or pledge: whoever entered it."""
    row, gift = state.lookup.find_id(record.reverses), find_gift(state.lookup, record.reverses)
    place = gift.place if gift is not None else row.place if row is not None else None
    if place is None or (gift is None and row is not None and row.kind != records.Pledge.KIND):
        return default
    return state.party_of(state.lookup.statement(*place[:2]).header.author)


def account_of(state: State, record: records.Record) -> AccountState | None:
    """Return the account that a record is about, in whose unit its amount is."""
    match record:
        case records.Attestation():
            return state.accounts[record.accounts[0]]
        case records.Refund():
            if record.account is not None:
                return state.accounts[record.account]
            gift = find_gift(state.lookup, record.donation)
            return state.accounts[gift.account] if gift else None
        case records.Reversal() | records.Acknowledgement():
            about = record.reverses if isinstance(record, records.Reversal) else record.acknowledges
            gift = find_gift(state.lookup, about)
            row = state.lookup.find_id(about)
            number = gift.account if gift is not None else row.account if row is not None else None
            return state.accounts[number] if number is not None else None
    number = getattr(record, "account", None)
    return state.accounts[number] if number is not None else None


def accounts_of(state: State, record: records.Record) -> list[AccountState]:
    """Return every account whose owner may have to sign a record."""
    numbers = {getattr(record, name, None) for name in ("account", "to", "funded_from")}
    found = {number: state.accounts[number] for number in numbers if isinstance(number, int)}
    about = account_of(state, record)
    if about is not None:
        found[about.number] = about
    return [found[number] for number in sorted(found)]


def _plain(state: State, record: records.Record, name: str, value: Any, account: AccountState | None) -> Any:
    if name in ("account", "to", "funded_from"):
        return state.accounts[value].id
    if name == "gives":
        assert isinstance(record, records.Conversion)
        return format_amount(value, state.unit_of(state.accounts[record.to]))
    unit = state.unit_of(account) if account is not None else state.units.get(getattr(record, "unit", ""))
    if name == "amount" and unit is not None:
        return format_amount(value, unit)
    if name in _TERMS:
        return _term(state, name, value, unit)
    if name == "parts" and unit is not None:
        return {state.accounts[number].id: format_amount(amount, unit) for number, amount in value}
    if name == "invoice" and unit is not None:
        return {"key": value[0], "total": format_amount(value[1], unit)}
    if name == "lines" and unit is not None:
        return [
            {"line": line, "kind": kind, "what": what, "quantity": quantity, "price": format_amount(price, unit)}
            for line, kind, what, quantity, price in value
        ]
    if name == "checkpoint":
        return {"size": value[0], "root": value[1].hex()}
    if name == "movement":
        return list(value)
    if name == "spans":
        return [list(span) for span in value]
    if name == "accounts":
        return [state.accounts[number].id for number in value]
    if name == "totals":
        rows = [(state.accounts[number], sums) for number, *sums in value]
        return {a.id: {n: format_amount(v, state.unit_of(a)) for n, v in zip(_SUMS, s, strict=True)} for a, s in rows}
    if name in ("suspended", "closed", "upto"):
        return bool(value)
    if name in ("evidence", "roles", "of"):
        return [item.hex() if isinstance(item, bytes) else item for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _term(state: State, name: str, value: Any, unit: Unit | None) -> Any:
    if name == "tags":
        return dict(value)
    if name == "restriction":
        purposes, start, end = value
        found = {"purposes": list(purposes) or None, "from": start, "until": end}
        return {key: item for key, item in found.items() if item is not None}
    if name == "approvals":
        return {"of": list(value[1]), "needed": value[0]} if value[0] else {}
    if name == "target":
        return format_amount(value, unit) if value and unit is not None else ""
    if name == "caps":
        return [
            dict(zip(_CAP, (_percent(percent), *words, list(categories)), strict=True))
            for categories, percent, *words in value
        ]
    return {state.accounts[number].id: _percent(percent) for number, percent in value}


def _percent(hundredths: int) -> str:
    whole, part = divmod(hundredths, 100)
    return f"{whole}.{part:02}".rstrip("0").rstrip(".") if part else str(whole)


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
