"""Succession: one ledger goes on from another, as the next year's books go on from the last.

The new ledger's genesis record binds the old one: its identity, and the blocks that it had then. Then the old ledger
sends what its accounts hold to the new one, and the new one receives it, unit for unit, so that a trace goes on.

Rules upheld here:

- The new ledger has an operator's key of its own: the mark beside an operator's key is that of one ledger. That the old
  ledger meant this one the owners of its accounts sign, who send to its identity.
- What can be signed with the keys at hand is carried: an account needs its owner's key, and those of the approvers that
  it asks for. What is left is told, each with its reason.
- It can be done again: after it was cut off, or when something came into the old ledger later, it goes on where it
  stands, and nothing is carried twice.

What it leaves to others: terms that no account holds, such as recovery keys and thresholds of parties, plans, pledges
and closed accounts. They stay in the old ledger, which stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from charitychain import records
from charitychain.across import received_entry
from charitychain.answers import Money
from charitychain.chain.genesis import Predecessor
from charitychain.entries.describe import describe_terms
from charitychain.errors import RefusedError
from charitychain.ledger import Ledger
from charitychain.state.accounts import AccountState
from charitychain.state.across import outflow_key
from charitychain.state.lookup import Link
from charitychain.state.rules import State
from charitychain.units import BUILT_IN, format_amount

__all__ = ["Carried", "carry_over", "predecessor_of"]


@dataclass(frozen=True, slots=True)
class Carried:
    """What was carried into the new ledger, and by account what was left, with the reason."""

    sent: tuple[str, ...]
    received: tuple[tuple[str, Money], ...]
    left: tuple[tuple[str, str], ...]


def predecessor_of(old: Ledger) -> Predecessor:
    """Return what the genesis record of a ledger says that goes on from this one, as it is now.

    Raises:
        RefusedError: ``CC-VERSION``: it has format 1.
    """
    reader = old.reader()
    if reader.version == 1:
        raise RefusedError("CC-VERSION", f"{old.path} has format 1, which cannot send; export it into a new ledger")
    return Predecessor(old.identity, reader.head.height + 1, reader.log_root)


def carry_over(old: Ledger, new: Ledger) -> Carried:
    """Take parties, units and accounts of an old ledger into a new one, and what the accounts hold.

    Args:
        new: A ledger made with `predecessor_of` the old one.

    Raises:
        RefusedError: ``CC-SUCCESSOR``: the new ledger goes on from another one, or from none.
        KeyAccessError: an operator's key is not at hand, or a passphrase is missing.
    """
    told = new.genesis.predecessor
    if told is None or told.identity != old.identity:
        raise RefusedError("CC-SUCCESSOR", f"{new.path} does not go on from {old.path}, so nothing is carried over")
    parties = _party_entries(old, new)
    with new.writer() as writer:
        for entry in [*parties, *_unit_entries(old, new)]:
            writer.add(entry)
    left = _open_accounts(old, new)
    sent = _send(old, new, {account for account, _ in left})
    return Carried(sent, _receive(old, new), tuple(left))


def _party_entries(old: Ledger, new: Ledger) -> list[dict[str, Any]]:
    """Return the parties whose keys are at hand and which the new ledger has not yet."""
    state, known = old.reader().state, {party.id for party in new.reader().parties}
    found = []
    for party in state.parties:
        key = party.key_at(state.height)
        at_hand = key is not None and old.at_hand.has(key) and new.at_hand.has(key)
        if party.id in known or party.suspended or key is None or not at_hand:
            continue
        entry = {"record": "party", "id": party.id, "roles": list(party.roles), "key": key.hex()}
        found.append(entry | ({"title": party.title} if party.title is not None else {}))
    return found


def _unit_entries(old: Ledger, new: Ledger) -> list[dict[str, Any]]:
    known = new.reader().state.units
    return [
        {"record": "unit", "id": unit.code, "decimals": unit.decimals} | ({"title": unit.title} if unit.title else {})
        for unit in old.reader().state.units.values()
        if unit.code not in BUILT_IN and unit.code not in known
    ]


def _open_accounts(old: Ledger, new: Ledger) -> list[tuple[str, str]]:
    """Open in the new ledger what can be opened there; return the accounts that cannot be carried, and why."""
    state, there = old.reader().state, new.reader().state
    known = {account.id for account in there.accounts}
    parties = {party.id for party in there.parties}
    left, levied = list[tuple[str, str]](), list[dict[str, Any]]()
    with new.writer() as writer:
        for account in state.accounts:
            if not account.open:
                continue
            if why := _why_not(old, state, account, parties):
                left.append((account.id, why))
                continue
            if account.id in known:
                continue
            terms = describe_terms(state, account)
            levy = terms.pop("levy", None)
            entry = {"record": "account", "id": account.id, "unit": account.unit, "rule": account.rule, **terms}
            owner = state.parties[account.owner].id
            writer.add(entry | ({"owner": owner} if owner != "self" else {}))
            if levy is not None:
                levied.append({"record": "account-change", "id": f"levy-{account.id}", "account": account.id,
                               "levy": levy})  # fmt: skip
        gone = {account for account, _ in left}
        for entry in levied:
            if gone & entry["levy"].keys():
                left.append((entry["account"], "its levy goes to an account that was not carried"))
            else:
                writer.add(entry)
    return left


def _why_not(old: Ledger, state: State, account: AccountState, parties: set[str]) -> str | None:
    """Say why an account cannot be carried with the keys at hand."""
    owner = state.parties[account.owner]
    asked = account.terms.approvals[1] if account.terms.approvals is not None else ()
    if missing := next((id_ for id_ in (owner.id, *asked) if id_ not in parties), None):
        return f"the key of {missing} is not at hand"
    if owner.suspended:
        return f"{owner.id} is suspended"
    return None


def _send(old: Ledger, new: Ledger, left: set[str]) -> tuple[str, ...]:
    """Send what the accounts of the old ledger hold to the new one; return the ids of the records."""
    state, sent = old.reader().state, list[str]()
    there = {account.id: account for account in new.reader().accounts}
    with old.writer() as writer:
        for account in state.accounts:
            target = there.get(account.id)
            if not account.balance or not account.open or target is None or account.id in left:
                continue
            if account.terms.levy:  # past a levy nothing is sent; the new account has it
                change = _free(writer.core.state, f"unlevied-{account.id}")
                writer.add({"record": "account-change", "id": change, "account": account.id, "levy": {}})
            id_ = _free(writer.core.state, f"sent-{account.id}")
            writer.add({
                "record": "sent", "id": id_, "from": account.id,
                "amount": format_amount(account.balance, state.unit_of(account)), "to_ledger": new.identity.hex(),
                "to_origin": new.origin,
            })  # fmt: skip
            sent.append(id_)
    return tuple(sent)


def _receive(old: Ledger, new: Ledger) -> tuple[tuple[str, Money], ...]:
    """Receive in the new ledger what the old one sent to it and it has not received yet."""
    reader, found = old.reader(), list[tuple[str, Money]]()
    there = {account.id: account for account in new.reader().accounts}
    with new.writer() as writer:
        state = writer.core.state
        for sent, movement in _sent_to(old, new):
            account = reader.accounts[sent.account]
            target = there.get(account.id)
            key = outflow_key(old.identity, movement)
            if target is None or state.lookup.next_batch(key, 0) is not None:
                continue
            id_ = _free(state, f"received-{account.id}")
            writer.add(received_entry(reader, sent.id, account=account.id, id=id_))
            found.append((id_, Money(sent.amount, reader.unit_of(account))))
    return tuple(found)


def _sent_to(old: Ledger, new: Ledger) -> Iterator[tuple[records.Sent, tuple[int, int]]]:
    """Yield what an old ledger sent to the new one and did not take back, with its movement."""
    reader = old.reader()
    for place in reader.links(new.identity.hex(), Link.SENT):
        record = reader.record(place)
        movement = reader.moves(place)[0]
        if isinstance(record, records.Sent) and reader.accounts[movement[0]].reversed.find(movement[1]) is None:
            yield record, movement


def _free(state: State, id_: str) -> str:
    """Return this id, or the first of ``ID-2``, ``ID-3``, … that is free."""
    found, number = id_, 1
    while state.lookup.find_id(found) is not None:
        number += 1
        found = f"{id_}-{number}"
    return found
