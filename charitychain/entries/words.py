"""From entries to records: what parties say without moving value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from charitychain import records
from charitychain.entries.fields import Built, Fields, amount_of, known_fields, whole_of
from charitychain.errors import MalformedError, RefusedError
from charitychain.state.lookup import find_gift
from charitychain.state.words import period_totals
from charitychain.units import Unit, parse_amount

__all__ = ["BUILD"]


def _pledge(f: Fields) -> Built:
    account = f.account("account")
    record = records.Pledge(
        f.must("id"), account.number, f.amount("amount", account), f.text("pledger"), f.hex("donor", 16), f.text("due"),
        **f.common(),
    )  # fmt: skip
    return Built(record, f.author(f.owner(account)))


def _plan(f: Fields) -> Built:
    account = f.account("account")
    told = f.entry["lines"]
    if not isinstance(told, list | tuple) or not all(isinstance(line, Mapping) for line in told):
        raise MalformedError("CC-ENTRY", "lines must be a list of objects", field="lines")
    lines = tuple(_line(f, dict(line), f.state.unit_of(account)) for line in told)
    record = records.Plan(f.must("id"), account.number, lines, f.text("title"), f.text("replaces"), **f.common())
    return f.built(record, f.owner(account))


def _line(f: Fields, told: dict[str, Any], unit: Unit) -> tuple[str, str, str, int, int]:
    line = Fields(f.state, known_fields(told, "a plan's line", "line", "kind", "what", "quantity", "price"))
    price = amount_of(told.get("price"), unit, "price")
    return (line.must("line"), line.must("kind"), line.must("what"), whole_of(told.get("quantity"), "quantity"), price)


def _acknowledgement(f: Fields) -> Built:
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


def _outcome(f: Fields) -> Built:
    account = f.account("account")
    record = records.Outcome(
        f.must("id"), account.number, f.must("indicator"), whole_of(f.entry["quantity"], "quantity"),
        tuple(sorted(f.names("of"))), f.amount("amount", account) if "amount" in f.entry else None, f.text("place"),
        f.whole("beneficiaries"), **f.common(),
    )  # fmt: skip
    return Built(record, f.author(f.owner(account)))


def _attestation(f: Fields) -> Built:
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


def _period(f: Fields) -> Built:
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


def _sums(f: Fields, told: Any, unit: Unit) -> tuple[int, int, int, int]:
    names = ("in", "by_rule", "by_name", "reversed")
    if not isinstance(told, Mapping) or set(told) != set(names):
        raise MalformedError("CC-ENTRY", f"the totals of an account are {', '.join(names)}", field="totals")
    a, b, c, d = (0 if not told[n].strip("0.") else parse_amount(told[n], unit) for n in names)
    return a, b, c, d


BUILD: dict[str, Callable[[Fields], Built]] = {
    "pledge": _pledge,
    "plan": _plan,
    "acknowledgement": _acknowledgement,
    "outcome": _outcome,
    "attestation": _attestation,
    "period": _period,
}
