"""Comparing entries: whether one says the same as a record that is signed already."""

from __future__ import annotations

import re
from typing import Any

from charitychain.entries.form import CAP_DEFAULTS, Entry

__all__ = ["differing_fields"]

_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")
_HEX = ("donor", "key", "private", "replaces", "recovery", "recovery_proof", "to_ledger", "from_ledger")
_NESTED = (
    "amount", "gives", "to", "target", "caps", "levy", "restriction", "approvals", "invoice", "lines", "totals", "tags",
    "checkpoint", "movement", "spans",
)  # fmt: skip
_SETS = ("roles", "purposes", "categories", "of", "accounts", "approved_by")


def differing_fields(new: Entry, signed: Entry) -> list[str]:
    """Return the fields in which an entry and a signed record differ: amounts by value, nothing filled in."""
    ours, theirs = _normal(new), _normal(signed)
    if "totals" not in ours:  # an owner may leave them to the ledger
        theirs.pop("totals", None)
    if "approved_by" not in ours:  # whoever signed is in the header, not in the record
        theirs.pop("approved_by", None)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def _normal(entry: Entry) -> dict[str, Any]:
    found = dict(entry)
    for name in _HEX:
        if isinstance(found.get(name), str) and (name != "replaces" or entry.get("record") == "key"):
            found[name] = found[name].lower()
    if isinstance(found.get("evidence"), list | tuple):
        found["evidence"] = [str(item).lower() for item in found["evidence"]]
    for name, plain in (("ids", str), ("amounts", _by_value), ("donors", _lower), ("seconds", _lower)):
        if isinstance(values := found.get(name), list | tuple):
            found[name] = [plain(value) for value in values] if name in ("ids", "amounts") or any(values) else None
    if isinstance(checkpoint := found.get("checkpoint"), dict):
        found["checkpoint"] = {name: _lower(value) for name, value in checkpoint.items()}
    if isinstance(caps := found.get("caps"), list | tuple):
        found["caps"] = [{**CAP_DEFAULTS, **cap} if isinstance(cap, dict) else cap for cap in caps]
    for name in (*_NESTED, *_SETS):
        if name in found:
            found[name] = _deep(found[name], name)
    found.pop("proof", None)
    found.pop("recovery_proof", None)
    empty: tuple[Any, ...] = () if entry.get("record") == "account-change" else ("", [], (), {})
    return {name: value for name, value in found.items() if value is not None and value not in empty}


def _deep(value: Any, name: str) -> Any:
    """Return a nested value in which equal amounts are equal and the order of a set does not count."""
    if isinstance(value, dict):
        return {key: _deep(item, key) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        items = [_deep(item, "") for item in value]
        return sorted(items, key=repr) if name in _SETS else items
    return _by_value(value)


def _by_value(amount: object) -> object:
    """Return an amount without the zeros that change nothing; what is no amount stays what it is, and unequal."""
    if isinstance(amount, str) and _DECIMAL.fullmatch(amount):
        return amount.rstrip("0").rstrip(".")
    return amount


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value
