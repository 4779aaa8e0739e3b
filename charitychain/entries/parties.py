"""From entries to records: units, parties and their keys, accounts and their terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from charitychain import records
from charitychain.entries.fields import Built, Fields, amount_of, known_fields, percent_of, whole_of
from charitychain.entries.form import CAP_DEFAULTS
from charitychain.errors import MalformedError
from charitychain.units import Unit

__all__ = ["BUILD"]


def _unit(f: Fields) -> Built:
    record = records.UnitRecord(f.must("id"), whole_of(f.entry["decimals"], "decimals"), f.text("title"))
    return f.built(record, f.state.parties[0])


def _party(f: Fields) -> Built:
    roles = f.entry["roles"]
    known = isinstance(roles, list | tuple) and all(isinstance(r, str) and r in records.ROLES for r in roles)
    if not known or len(set(roles)) != len(roles):
        raise MalformedError("CC-ENTRY", f"roles must be a list out of {', '.join(records.ROLES)}", field="roles")
    key, proof = f.hex("key", 33), f.hex("proof", 64)
    spare, its_proof = f.hex("recovery", 33), f.hex("recovery_proof", 64)
    if key is None or proof is None or (spare is None) != (its_proof is None):
        raise MalformedError("CC-ENTRY", "a party must come with its keys and the proofs that their holder has them")
    ordered = tuple(role for role in records.ROLES if role in roles)
    recovery = (spare, its_proof) if spare is not None and its_proof is not None else None
    return f.built(records.Party(f.must("id"), ordered, key, proof, f.text("title"), recovery), f.state.parties[0])


def _key(f: Fields) -> Built:
    key, proof = f.hex("key", 33), f.hex("proof", 64)
    if (key is None) != (proof is None):
        raise MalformedError("CC-ENTRY", "a new key must come with the proof that its holder has it")
    party = f.state.party(f.must("party"))
    record = records.KeyChange(party.id, key, proof, f.hex("replaces", 32), f.whole("compromised_since"))
    return Built(record, f.author(party), by_recovery=bool(f.flag("by_recovery")))


def _control(f: Fields) -> Built:
    party = f.state.party(f.must("party"))
    record = records.Control(
        f.must("id"), party.id, f.hex("recovery", 33), f.hex("proof", 64), f.whole("threshold"), f.text("date"),
        f.text("reference"),
    )  # fmt: skip
    return Built(record, f.author(party), by_recovery=bool(f.flag("by_recovery")))


def _suspension(f: Fields) -> Built:
    party, flag = f.state.party(f.must("party")), f.flag("suspended")
    record = records.Suspension(
        f.must("id"), party.id, flag or 0, f.text("reason"), f.text("date"), f.text("reference")
    )
    return f.built(record, f.state.parties[0])


def _terms(f: Fields, unit: Unit) -> dict[str, Any]:
    """Return the terms that an account is opened with or given, as records hold them; nothing where left out."""
    given = f.entry
    found: dict[str, Any] = {"title": f.text("title"), "naming": f.text("naming")}
    if "tags" in given:
        tags = f.pairs("tags")
        if not all(isinstance(value, str) for value in tags.values()):
            raise MalformedError("CC-ENTRY", "tags must be an object of names and texts", field="tags")
        found["tags"] = tuple(sorted(tags.items()))
    if "restriction" in given:
        told = Fields(f.state, known_fields(f.pairs("restriction"), "restriction", "purposes", "from", "until"))
        purposes = tuple(sorted(told.names("purposes"))) if "purposes" in told.entry else ()
        found["restriction"] = (purposes, told.text("from"), told.text("until"))
    if "approvals" in given:
        told = Fields(f.state, known_fields(f.pairs("approvals"), "approvals", "of", "needed"))
        parties = tuple(sorted(told.names("of"))) if "of" in told.entry else ()
        found["approvals"] = (told.whole("needed") or 0, parties)
    if "target" in given:
        found["target"] = amount_of(given["target"], unit, "target") if given["target"] != "" else 0
    if "caps" in given:
        caps = given["caps"]
        if not isinstance(caps, list | tuple) or not all(isinstance(cap, Mapping) for cap in caps):
            raise MalformedError("CC-ENTRY", "caps must be a list of objects", field="caps")
        found["caps"] = tuple(_cap(f, cap) for cap in caps)
    if "levy" in given:
        levies = f.pairs("levy").items()
        found["levy"] = tuple(sorted((f.state.account_named(id_).number, percent_of(p, "levy")) for id_, p in levies))
    return {name: value for name, value in found.items() if value is not None}


def _cap(f: Fields, cap: Mapping[str, Any]) -> tuple[Any, ...]:
    known = known_fields(dict(cap), "cap", "percent", *CAP_DEFAULTS)
    told = Fields(f.state, {**CAP_DEFAULTS, **known})
    categories = told.names("categories")
    ordered = tuple(c for c in records.COSTS if c in categories)
    if len(ordered) != len(categories):
        raise MalformedError("CC-ENTRY", f"categories must be out of {', '.join(records.COSTS)}, each once")
    words = [told.must(name) for name in ("base", "scope", "period", "mode")]
    return (ordered, percent_of(told.entry.get("percent"), "percent"), *words)


def _account(f: Fields) -> Built:
    owner = f.text("owner")
    party = f.state.party(owner) if owner is not None else f.author(f.state.parties[0])
    unit = f.state.units.get(f.must("unit"))
    terms = _terms(f, unit or Unit(f.must("unit"), 0, ""))
    record = records.Account(
        f.must("id"), len(f.state.accounts), f.must("unit"), f.text("rule"), owner,
        **({"tags": ()} | terms),
    )  # fmt: skip
    return Built(record, f.author(party), (party,))


def _account_change(f: Fields) -> Built:
    account = f.account("account")
    new = f.text("owner")
    record = records.AccountChange(
        f.must("id"), account.number, owner=new, closed=f.flag("closed"), **_terms(f, f.state.unit_of(account)),
        **f.common(),
    )  # fmt: skip
    cosigners = (f.state.party(new),) if new is not None else ()
    return f.built(record, f.owner(account), *cosigners, out_of=(account,))


BUILD: dict[str, Callable[[Fields], Built]] = {
    "unit": _unit,
    "party": _party,
    "key": _key,
    "control": _control,
    "suspension": _suspension,
    "account": _account,
    "account-change": _account_change,
}
