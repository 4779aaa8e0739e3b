"""Building: from an entry to the record that is signed, with the parties that must sign it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from charitychain import columns, records
from charitychain.codec import MAX_INT
from charitychain.entries.form import CAP_DEFAULTS, Entry, check_form
from charitychain.errors import MalformedError, RefusedError
from charitychain.state.accounts import AccountState
from charitychain.state.corrections import laid_on, void_takes
from charitychain.state.lookup import Link, find_gift
from charitychain.state.parties import PartyState
from charitychain.state.rules import State
from charitychain.state.words import period_totals
from charitychain.units import Unit, parse_amount

__all__ = ["Built", "build"]

_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Built:
    """A record ready to be signed: by `author`, and by `cosigners` too.

    `approvals` are (k, parties) from which k more must sign; who does is for the caller to choose. A change of keys
    may be signed `by_recovery`: by the recovery key of its author.
    """

    record: records.Record
    author: PartyState
    cosigners: tuple[PartyState, ...] = ()
    columns: bytes | None = None
    approvals: tuple[tuple[int, tuple[PartyState, ...]], ...] = ()
    by_recovery: bool = False


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

    def referred(self, author: PartyState) -> list[PartyState]:
        """Return who must agree to what the record refers to: a record that it replaces, a plan's line that it uses."""
        found = []
        if self.text("replaces") is not None:
            row = self.state.lookup.find_id(self.must("replaces"))
            if row is not None and row.account is not None:
                entered = self.state.party_of(self.state.lookup.statement(*row.place[:2]).header.author)
                found += [self.owner(self.state.accounts[row.account])] if entered is not author else []
        line = self.text("line")
        for place in self.state.lookup.links(line, Link.PLANNED) if line is not None else ():
            plan = self.state.record_at(place)
            if isinstance(plan, records.Plan):
                found.append(self.owner(self.state.accounts[plan.account]))
        return found

    def flag(self, name: str) -> int | None:
        value = self.entry.get(name)
        return None if value is None else int(value)

    def whole(self, name: str) -> int | None:
        value = self.entry.get(name)
        return None if value is None else _whole(value, name)

    def pairs(self, name: str) -> dict[str, Any]:
        value = self.entry.get(name)
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise MalformedError("CC-ENTRY", f"{name} must be an object of names and values", field=name)
        return dict(value)

    def names(self, name: str) -> list[str]:
        value = self.entry.get(name)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise MalformedError("CC-ENTRY", f"{name} must be a list of texts", field=name)
        return list(value)

    def built(
        self, record: records.Record, default: PartyState, *cosigners: PartyState, out_of: tuple[AccountState, ...] = ()
    ) -> Built:
        """Return what to sign: by the author who is named, and in any case by the default one.

        Args:
            out_of: Accounts that it takes from, or changes, whose approvals count.
        """
        author = self.author(default)
        cosigners = (*cosigners, *([default] if author is not default else []), *self.referred(author))
        asking = [account.terms.approvals for account in out_of if account.terms.approvals is not None]
        if "approved_by" in self.entry:
            return Built(record, author, (*cosigners, *map(self.state.party, self.names("approved_by"))))
        approvals = tuple((k, tuple(map(self.state.party, parties))) for k, parties in asking)
        return Built(record, author, cosigners, None, approvals)


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


def _whole(value: object, name: str) -> int:
    if type(value) is not int:
        raise MalformedError("CC-ENTRY", f"{name} must be a whole number, found {value!r:.60}", field=name)
    return value


def _percent(value: object, name: str) -> int:
    """Return hundredths of a percent of text such as ``12.5``."""
    if not isinstance(value, str) or not _PERCENT.fullmatch(value):
        raise MalformedError("CC-ENTRY", f"{name} must be a percentage such as 8 or 12.5, found {value!r:.60}")
    whole, _, part = value.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def _amount(value: object, unit: Unit, name: str) -> int:
    if not isinstance(value, str):
        raise MalformedError("CC-ENTRY", f"{name} must be text, found {value!r:.60}", field=name)
    return parse_amount(value, unit)


def _unit(f: _Fields) -> Built:
    record = records.UnitRecord(f.must("id"), _whole(f.entry["decimals"], "decimals"), f.text("title"))
    return f.built(record, f.state.parties[0])


def _party(f: _Fields) -> Built:
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


def _key(f: _Fields) -> Built:
    key, proof = f.hex("key", 33), f.hex("proof", 64)
    if (key is None) != (proof is None):
        raise MalformedError("CC-ENTRY", "a new key must come with the proof that its holder has it")
    party = f.state.party(f.must("party"))
    record = records.KeyChange(party.id, key, proof, f.hex("replaces", 32), f.whole("compromised_since"))
    return Built(record, f.author(party), by_recovery=bool(f.flag("by_recovery")))


def _control(f: _Fields) -> Built:
    party = f.state.party(f.must("party"))
    record = records.Control(
        f.must("id"), party.id, f.hex("recovery", 33), f.hex("proof", 64), f.whole("threshold"), f.text("date"),
        f.text("reference"),
    )  # fmt: skip
    return Built(record, f.author(party), by_recovery=bool(f.flag("by_recovery")))


def _suspension(f: _Fields) -> Built:
    party, flag = f.state.party(f.must("party")), f.flag("suspended")
    record = records.Suspension(
        f.must("id"), party.id, flag or 0, f.text("reason"), f.text("date"), f.text("reference")
    )
    return f.built(record, f.state.parties[0])


# --------------------------------------------------------------------------------------------------- accounts


def _terms(f: _Fields, unit: Unit) -> dict[str, Any]:
    """Return the terms that an account is opened with or given, as records hold them; nothing where left out."""
    given = f.entry
    found: dict[str, Any] = {"title": f.text("title"), "naming": f.text("naming")}
    if "tags" in given:
        tags = f.pairs("tags")
        if not all(isinstance(value, str) for value in tags.values()):
            raise MalformedError("CC-ENTRY", "tags must be an object of names and texts", field="tags")
        found["tags"] = tuple(sorted(tags.items()))
    if "restriction" in given:
        told = _Fields(f.state, _known(f.pairs("restriction"), "restriction", "purposes", "from", "until"))
        purposes = tuple(sorted(told.names("purposes"))) if "purposes" in told.entry else ()
        found["restriction"] = (purposes, told.text("from"), told.text("until"))
    if "approvals" in given:
        told = _Fields(f.state, _known(f.pairs("approvals"), "approvals", "of", "needed"))
        parties = tuple(sorted(told.names("of"))) if "of" in told.entry else ()
        found["approvals"] = (told.whole("needed") or 0, parties)
    if "target" in given:
        found["target"] = _amount(given["target"], unit, "target") if given["target"] != "" else 0
    if "caps" in given:
        caps = given["caps"]
        if not isinstance(caps, list | tuple) or not all(isinstance(cap, Mapping) for cap in caps):
            raise MalformedError("CC-ENTRY", "caps must be a list of objects", field="caps")
        found["caps"] = tuple(_cap(f, cap) for cap in caps)
    if "levy" in given:
        levies = f.pairs("levy").items()
        found["levy"] = tuple(sorted((f.state.account_named(id_).number, _percent(p, "levy")) for id_, p in levies))
    return {name: value for name, value in found.items() if value is not None}


def _cap(f: _Fields, cap: Mapping[str, Any]) -> tuple[Any, ...]:
    known = _known(dict(cap), "cap", "percent", *CAP_DEFAULTS)
    told = _Fields(f.state, {**CAP_DEFAULTS, **known})
    categories = told.names("categories")
    ordered = tuple(c for c in records.COSTS if c in categories)
    if len(ordered) != len(categories):
        raise MalformedError("CC-ENTRY", f"categories must be out of {', '.join(records.COSTS)}, each once")
    words = [told.must(name) for name in ("base", "scope", "period", "mode")]
    return (ordered, _percent(told.entry.get("percent"), "percent"), *words)


def _known(given: dict[str, Any], what: str, *names: str) -> dict[str, Any]:
    for name in given:
        if name not in names:
            raise MalformedError("CC-ENTRY", f"{what} has no field {name!r:.60}; it may have {', '.join(names)}")
    return given


def _account(f: _Fields) -> Built:
    owner = f.text("owner")
    party = f.state.party(owner) if owner is not None else f.author(f.state.parties[0])
    unit = f.state.units.get(f.must("unit"))
    terms = _terms(f, unit or Unit(f.must("unit"), 0, ""))
    record = records.Account(
        f.must("id"), len(f.state.accounts), f.must("unit"), f.text("rule"), owner,
        **({"tags": ()} | terms),
    )  # fmt: skip
    return Built(record, f.author(party), (party,))


def _account_change(f: _Fields) -> Built:
    account = f.account("account")
    new = f.text("owner")
    record = records.AccountChange(
        f.must("id"), account.number, owner=new, closed=f.flag("closed"), **_terms(f, f.state.unit_of(account)),
        **f.common(),
    )  # fmt: skip
    cosigners = (f.state.party(new),) if new is not None else ()
    return f.built(record, f.owner(account), *cosigners, out_of=(account,))


# ------------------------------------------------------------------------------------------------------ value


def _donation(f: _Fields) -> Built:
    account = f.account("account")
    record = records.Donation(
        f.must("id"), account.number, f.amount("amount", account), f.text("source"), f.hex("donor", 16), **f.common(),
        replaces=f.text("replaces"), pledge=f.text("pledge"), because_of=f.text("because_of"),
    )  # fmt: skip
    author = f.author(f.owner(account))
    return Built(record, author, tuple(f.referred(author)))


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
        f.must("id"), source.number, target.number, f.amount("amount", source), f.text("gift"), **f.common(),
        replaces=f.text("replaces"),
    )  # fmt: skip
    return f.built(record, f.owner(source), out_of=(source,))


def _split(f: _Fields) -> Built:
    source = f.account("from")
    unit = f.state.unit_of(source)
    parts = tuple((f.state.account_named(id_).number, _amount(v, unit, "to")) for id_, v in f.pairs("to").items())
    record = records.Split(
        f.must("id"), source.number, f.amount("amount", source), parts, **f.common(), replaces=f.text("replaces")
    )
    return f.built(record, f.owner(source), out_of=(source,))


def _expenditure(f: _Fields) -> Built:
    source = f.account("from")
    invoice = None
    if "invoice" in f.entry:
        told = _known(f.pairs("invoice"), "invoice", "key", "total")
        key = _Fields(f.state, told).must("key")
        invoice = (key, _amount(told.get("total"), f.state.unit_of(source), "invoice total"))
    record = records.Expenditure(
        f.must("id"), source.number, f.amount("amount", source), f.text("payee"), f.text("purpose"), f.text("category"),
        f.text("gift"), **f.common(), replaces=f.text("replaces"), invoice=invoice, line=f.text("line"),
    )  # fmt: skip
    return f.built(record, f.owner(source), out_of=(source,))


def _conversion(f: _Fields) -> Built:
    source, target, funding = f.account("from"), f.account("to"), f.maybe_account("funded_from")
    record = records.Conversion(
        f.must("id"), source.number, f.amount("amount", source), target.number, f.amount("gives", target),
        funding.number if funding else None, f.text("payee"), **f.common(), replaces=f.text("replaces"),
        line=f.text("line"),
    )  # fmt: skip
    owners = (f.owner(target), *((f.owner(funding),) if funding else ()))
    return f.built(record, f.owner(source), *owners, out_of=(source, funding) if funding else (source,))


def _refund(f: _Fields) -> Built:
    gift = find_gift(f.state.lookup, f.must("donation"))
    if gift is None:
        raise RefusedError("CC-UNKNOWN-GIFT", f"this ledger has no gift {f.must('donation')!r}")
    stated = f.maybe_account("from")
    account = stated or f.state.accounts[gift.account]
    amount = f.amount("amount", account) if "amount" in f.entry else None
    record = records.Refund(f.must("id"), gift.id, stated.number if stated else None, amount, **f.common())
    return f.built(record, f.owner(account), out_of=(account,))


def _reversal(f: _Fields) -> Built:
    undone = f.must("reverses")
    row = f.state.lookup.find_id(undone)
    gift = find_gift(f.state.lookup, undone)
    number = gift.account if gift is not None else row.account if row is not None else None
    if number is None or (gift is None and (row is None or row.kind not in _REVERSIBLE)):
        raise RefusedError(
            "CC-REVERSAL", f"{undone!r} is no expenditure, disbursement, split, gift or pledge of this ledger"
        )
    account = f.state.accounts[number]
    amount = f.amount("amount", account) if "amount" in f.entry else None
    stated = f.maybe_account("from")
    record = records.Reversal(
        f.must("id"), undone, amount, f.text("reason"), **f.common(), gift=f.text("gift"),
        account=stated.number if stated is not None else None,
    )  # fmt: skip
    if gift is not None:
        taken = [account for account, _, _ in void_takes(f.state, gift, amount)[0]]
        author = f.author(f.state.party_of(f.state.lookup.statement(*gift.place[:2]).header.author))
        return f.built(record, author, *map(f.owner, taken), out_of=tuple(taken))
    assert row is not None
    if row.kind == records.Pledge.KIND:
        return f.built(record, f.state.party_of(f.state.lookup.statement(*row.place[:2]).header.author))
    if row.kind in (records.Disbursement.KIND, records.Split.KIND) and row.movement is not None:
        target = f.state.accounts[laid_on(f.state, record, f.state.lookup.movement(number, row.movement))[0]]
        return f.built(record, f.owner(account), f.owner(target), out_of=(target,))
    return f.built(record, f.owner(account))


_REVERSIBLE = (
    records.Expenditure.KIND, records.Disbursement.KIND, records.Split.KIND, records.Pledge.KIND,
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------ words


def _pledge(f: _Fields) -> Built:
    account = f.account("account")
    record = records.Pledge(
        f.must("id"), account.number, f.amount("amount", account), f.text("pledger"), f.hex("donor", 16), f.text("due"),
        **f.common(),
    )  # fmt: skip
    return Built(record, f.author(f.owner(account)))


def _plan(f: _Fields) -> Built:
    account = f.account("account")
    told = f.entry["lines"]
    if not isinstance(told, list | tuple) or not all(isinstance(line, Mapping) for line in told):
        raise MalformedError("CC-ENTRY", "lines must be a list of objects", field="lines")
    lines = tuple(_line(f, dict(line), f.state.unit_of(account)) for line in told)
    record = records.Plan(f.must("id"), account.number, lines, f.text("title"), f.text("replaces"), **f.common())
    return f.built(record, f.owner(account))


def _line(f: _Fields, told: dict[str, Any], unit: Unit) -> tuple[str, str, str, int, int]:
    line = _Fields(f.state, _known(told, "a plan's line", "line", "kind", "what", "quantity", "price"))
    price = _amount(told.get("price"), unit, "price")
    return (line.must("line"), line.must("kind"), line.must("what"), _whole(told.get("quantity"), "quantity"), price)


def _acknowledgement(f: _Fields) -> Built:
    said = f.must("acknowledges")
    row, gift = f.state.lookup.find_id(said), find_gift(f.state.lookup, said)
    number = gift.account if gift is not None else row.account if row is not None else None
    if number is None:
        raise RefusedError("CC-ACKNOWLEDGED", f"{said!r} is nothing of this ledger that can be acknowledged")
    account = f.state.accounts[number]
    recipient = f.owner(account)
    if (
        row is not None
        and row.kind in (records.Disbursement.KIND, records.Conversion.KIND)
        and row.movement is not None
    ):
        into = f.state.lookup.movement(number, row.movement).target
        recipient = f.owner(f.state.accounts[into[0]]) if into is not None else recipient
    amount = f.amount("amount", account) if "amount" in f.entry else None
    record = records.Acknowledgement(
        f.must("id"), said, amount, f.text("status"), 1 if f.flag("upto") else None, f.text("on_behalf_of"),
        f.text("note"), **f.common(),
    )  # fmt: skip
    return Built(record, f.author(recipient))


def _outcome(f: _Fields) -> Built:
    account = f.account("account")
    record = records.Outcome(
        f.must("id"), account.number, f.must("indicator"), _whole(f.entry["quantity"], "quantity"),
        tuple(sorted(f.names("of"))), f.amount("amount", account) if "amount" in f.entry else None, f.text("place"),
        f.whole("beneficiaries"), **f.common(),
    )  # fmt: skip
    return Built(record, f.author(f.owner(account)))


def _attestation(f: _Fields) -> Built:
    accounts = [f.state.account_named(id_) for id_ in f.names("accounts")]
    if not accounts:
        raise MalformedError("CC-ENTRY", "an attestation names one account at least", field="accounts")
    unit = f.state.unit_of(accounts[0])
    told = f.must("amount")
    amount = 0 if set(told) <= set("0.") and "0" in told else parse_amount(told, unit)
    numbers = tuple(sorted({account.number for account in accounts}))
    record = records.Attestation(
        f.must("id"), numbers, amount, f.must("at"), f.text("institution"), f.text("note"), **f.common()
    )
    return Built(record, f.author(f.state.parties[0]))


def _period(f: _Fields) -> Built:
    author = f.author(f.state.parties[0])
    if "accounts" in f.entry:
        accounts = [f.state.account_named(id_) for id_ in f.names("accounts")]
    else:
        accounts = [account for account in f.state.accounts if account.owner == author.number]
    totals = period_totals(f.state, [account.number for account in accounts])
    if "totals" in f.entry:
        told = f.pairs("totals")
        totals = tuple(
            (account.number, *_sums(f, told[account.id], f.state.unit_of(account)))
            for account in sorted((f.state.account_named(id_) for id_ in told), key=lambda account: account.number)
        )
    record = records.Period(f.must("id"), f.must("until"), totals, **f.common())
    owners = {account.owner for account in accounts}
    return f.built(record, author, *(f.state.parties[n] for n in sorted(owners) if n != author.number))


def _sums(f: _Fields, told: Any, unit: Unit) -> tuple[int, int, int, int]:
    names = ("in", "by_rule", "by_name", "reversed")
    if not isinstance(told, Mapping) or set(told) != set(names):
        raise MalformedError("CC-ENTRY", f"the totals of an account are {', '.join(names)}", field="totals")
    a, b, c, d = (0 if not told[n].strip("0.") else parse_amount(told[n], unit) for n in names)
    return a, b, c, d


_BUILD: dict[str, Callable[[_Fields], Built]] = {
    "unit": _unit, "party": _party, "key": _key, "control": _control, "suspension": _suspension, "account": _account,
    "account-change": _account_change, "donation": _donation, "gifts": _gifts, "pledge": _pledge, "plan": _plan,
    "disbursement": _disbursement, "split": _split, "expenditure": _expenditure, "conversion": _conversion,
    "acknowledgement": _acknowledgement, "outcome": _outcome, "refund": _refund, "reversal": _reversal,
    "attestation": _attestation, "period": _period,
}  # fmt: skip
