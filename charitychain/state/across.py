"""Across ledgers: the rules of what is sent to another ledger, and of what is received from one.

A ledger cannot see into another. What it can see to is that nothing is received twice, and that each side says exactly
which units it means; whether the other side agrees is a question to both (`charitychain.across`).

Rules upheld here:

- What is sent leaves its account as a disbursement does: under the owner's signature and the approvals that the account
  asks for, by rule or out of one named gift, and not past a levy.
- What is received is signed by the account's owner. Its spans sum to its amount, and no unit of an outflow of another
  ledger is received twice, unless the first record of it was wholly reversed.
- No ledger sends to itself or receives from itself.
- What was sent is taken back as a whole or not at all: the other ledger names its units by their place in it.
- For caps both count as transfers: money that goes out and comes in again raises no base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from charitychain import records
from charitychain.errors import RefusedError
from charitychain.state.acting import Acting
from charitychain.state.lookup import Batch, IdAt, Link
from charitychain.state.movements import Kind
from charitychain.state.value import check_levy, note, takes_of

__all__ = ["RULES", "outflow_key"]


def outflow_key(ledger: bytes, movement: tuple[int, int]) -> str:
    """Return under what an outflow of another ledger is looked up; no id or series holds such a text."""
    return f"{ledger.hex()}/{movement[0]}/{movement[1]}"


def _sent(state: Acting, record: records.Sent, data: bytes) -> None:
    account = state.account(record.account)
    state.require_out(account, "what is sent")
    _check_other(state, record.to_ledger)
    check_levy(account)
    takes = takes_of(state, account, record.amount, record.gift)
    out, year = state.next(account), state.year(record)
    state.add(account, Kind.SENT, record.amount, named=takes is not None, takes=takes or (), year=year)
    account.book(year).went += record.amount
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *out, 0, record.amount))
    state.lookup.put_link(record.to_ledger.hex(), Link.SENT, state.place)
    note(state, record, account)


def _received(state: Acting, record: records.Received, data: bytes) -> None:
    account = state.account(record.account)
    state.require(account.owner, f"what is received into {account.id!r}")
    _check_other(state, record.from_ledger)
    state.check_room(account, record.amount)
    if sum(length for _, length in record.spans) != record.amount:
        raise RefusedError("CC-RECEIVED", f"the spans of {record.id!r} do not sum to its amount", id=record.id)
    key = outflow_key(record.from_ledger, record.movement)
    for start, length in record.spans:
        _check_first(state, record, key, start, start + length)
    into, year = state.next(account), state.year(record)
    state.add(account, Kind.CAME, record.amount, year=year)
    account.book(year).came += record.amount
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *into, 0, record.amount))
    state.lookup.put_link(record.from_ledger.hex(), Link.CAME, state.place)
    for start, length in record.spans:
        state.lookup.put_batch(Batch(key, start, start + length - 1, state.place, *into, 0))
    note(state, record, account)


def _check_other(state: Acting, ledger: bytes) -> None:
    if ledger == state.identity:
        raise RefusedError("CC-SELF", "this is that ledger itself; within it a disbursement moves value")


def _check_first(state: Acting, record: records.Received, key: str, start: int, end: int) -> None:
    """Check that nothing that stands received units ``[start, end)`` of an outflow of another ledger."""
    found = state.lookup.next_batch(key, start)
    while found is not None:
        stands = found.place[:2] == state.place[:2] or not _is_reversed(state, found.place)
        if stands and found.first < end:
            raise RefusedError(
                "CC-RECEIVED-TWICE",
                f"units {max(found.first, start)} to {min(found.last, end - 1)} of that outflow were received"
                f" already, by a record in block {found.place.height}; what is sent once is received once",
                id=record.id,
                block=found.place.height,
            )
        if stands:
            return
        found = state.lookup.next_batch(key, found.last + 1)


def _is_reversed(state: Acting, place: records.Place) -> bool:
    """Say whether a record was wholly reversed; by an earlier statement, as for all that builds on a reversal."""
    earlier = state.record_as(place, records.Received)
    undone = [at for at in state.lookup.links(earlier.id, Link.REVERSED) if at[:2] != state.place[:2]]
    return sum(map(state.amount_at, undone)) >= earlier.amount


RULES: dict[type[Any], Callable[[Acting, Any, bytes], None]] = {records.Sent: _sent, records.Received: _received}
