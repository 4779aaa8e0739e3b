"""Corrections: the rules of reversals. Nothing is edited; a mistake is answered by a later record.

Rules upheld here:

- An expenditure comes back to the account it left, evenly from what is left of it, or the share of a named gift.
- What was sent to another ledger comes back as a whole, for its units are numbered there.
- A disbursement comes back only as far as its units never left the account they went to, with that owner's signature;
  the first of them in tape order, or those of a named gift. A split comes back so out of one account at a time.
- Where an account's terms forbid to choose a gift, undoing chooses none either.
- What is undone is taken off the sums for caps just where it was booked.
- A gift that was entered wrongly counts as never received: its units are taken from where they rest, the gift's own
  account first, under the signature of everyone who holds some. What was used has to be reversed first.
- A pledge is lowered; no value moves.
- No record is reversed beyond what is there of it, nor in the statement that holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from charitychain import records
from charitychain.errors import RefusedError
from charitychain.state.accounts import AccountState
from charitychain.state.acting import Acting
from charitychain.state.caps import pass_on
from charitychain.state.flow import Flow, Lineage, follow
from charitychain.state.lookup import GiftAt, IdAt, Link
from charitychain.state.matches import count_for_pledge
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.state.resting import resting
from charitychain.state.value import note
from charitychain.tape import Run, common_runs, first_units, join_runs

__all__ = ["RULES", "laid_on", "pledge_left", "void_takes"]


def _reversal(state: Acting, record: records.Reversal, data: bytes) -> None:
    row = state.lookup.find_id(record.reverses)
    if row is not None and row.place[:2] == state.place[:2] and state.version > 1:
        raise RefusedError(
            "CC-REVERSAL", f"{record.reverses!r} stands in this very statement; leave it out instead", id=record.id
        )
    transfer = row is not None and row.kind in (records.Disbursement.KIND, records.Split.KIND)
    if record.account is not None and not transfer:
        raise RefusedError(
            "CC-REVERSAL", "only a disbursement or split is taken back out of an account; name none", id=record.id
        )
    if row is not None and row.kind == records.Expenditure.KIND:
        _undo_expenditure(state, record, row)
    elif row is not None and row.kind == records.Sent.KIND:
        _undo_sent(state, record, row)
    elif row is not None and transfer:
        _undo_transfer(state, record, row)
    elif row is not None and row.kind == records.Pledge.KIND:
        _lower_pledge(state, record, row)
    elif "/" in record.reverses or (row is not None and row.kind in _GIFTS):
        _void(state, record, state.gift(record.reverses))
    else:
        raise RefusedError(
            "CC-REVERSAL",
            f"{record.reverses!r} is no expenditure, disbursement, split, gift or pledge of this ledger, and not sent"
            " to or received from another",
            reverses=record.reverses,
        )
    state.lookup.put_link(record.reverses, Link.REVERSED, state.place)


_GIFTS = (records.Donation.KIND, records.Received.KIND)


def _amount(state: Acting, record: records.Reversal, there: int, account: AccountState, why: str = "") -> int:
    amount = there if record.amount is None else record.amount
    if not 0 < amount <= there:
        raise RefusedError(
            "CC-REVERSAL",
            f"{state.words(there, account)} of {record.reverses!r} can be reversed{why}",
            reverses=record.reverses,
            left=there,
        )
    return amount


def _undo_expenditure(state: Acting, record: records.Reversal, row: IdAt) -> None:
    assert row.account is not None and row.movement is not None
    account = state.accounts[row.account]
    state.require(account.owner, f"the reversal of {record.reverses!r}")
    before = account.reversed.find(row.movement)
    left = row.amount - (before.sum if before else 0)
    takes: tuple[Run, ...] = ()
    _check_naming(record, account)
    if record.gift is not None:
        gift = state.gift(record.gift)
        used = _followed(state, gift, Lineage.PAYING).used
        runs = join_runs(sorted(used.get((row.account, row.movement), [])))
        left = sum(run.length for run in runs)
        amount = _amount(state, record, left, account, f": that much of it was paid by gift {gift.id!r}")
        takes = tuple(first_units(runs, amount)[0])
    else:
        amount = _amount(state, record, left, account)
    state.check_room(account, amount)
    spent = state.lookup.movement(row.account, row.movement)
    back = state.next(account)
    state.add(
        account, Kind.REVERSED, amount, source=(row.account, row.movement), named=record.gift is not None, takes=takes,
        previous=before.first if before else None,
    )  # fmt: skip
    account.book(spent.year, spent.owner).spent[spent.category] -= amount
    pass_on(state, account, amount, spent.place)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *back, 0, amount))
    note(state, record, account)


def _undo_sent(state: Acting, record: records.Reversal, row: IdAt) -> None:
    assert row.account is not None and row.movement is not None
    account, sent = state.accounts[row.account], state.lookup.movement(row.account, row.movement)
    state.require(account.owner, f"the reversal of {record.reverses!r}")
    before = account.reversed.find(row.movement)
    left = row.amount - (before.sum if before else 0)
    amount = _amount(state, record, left, account)
    if record.gift is not None or amount < row.amount:
        raise RefusedError(
            "CC-REVERSAL",
            f"{record.reverses!r} was sent to another ledger, which names its units by their place: reverse all of it,"
            " and send anew what did arrive",
            reverses=record.reverses,
        )
    state.check_room(account, amount)
    back = state.next(account)
    state.add(account, Kind.REVERSED, amount, source=(row.account, row.movement))
    state.count_against(Kind.SENT, Kind.REVERSED, account, amount)
    account.book(sent.year, sent.owner).went -= amount
    pass_on(state, account, amount, sent.place)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *back, 0, amount))
    note(state, record, account)


def _undo_transfer(state: Acting, record: records.Reversal, row: IdAt) -> None:
    """Take back what a disbursement or split laid on another tape, as far as it still rests there."""
    assert row.account is not None and row.movement is not None
    source, gone = state.accounts[row.account], state.lookup.movement(row.account, row.movement)
    into = state.lookup.movement(*laid_on(state, record, gone))
    target = state.accounts[into.account]
    what = f"the reversal of {record.reverses!r}"
    state.require(source.owner, what)
    state.require_out(target, what)
    _check_naming(record, source, target)
    (runs,) = resting(state.lookup, state.accounts[into.account], [(into.index, 0, into.amount)])
    if record.gift is not None:
        runs = common_runs(runs, state.gift_runs(state.gift(record.gift), target))
    there = sum(run.length for run in runs)
    why = f": that much of it still rests in {target.id!r} and never left it"
    amount = _amount(state, record, there, target, why)
    state.check_room(source, amount)
    takes = tuple(first_units(runs, amount)[0])
    out, back = state.next(target), state.next(source)
    # What comes back is taken off where it was booked, whoever owns the accounts now.
    state.add(target, Kind.GIVEN_BACK, amount, named=True, takes=takes, target=back, year=into.year, owner=into.owner)
    state.add(source, Kind.RETURNED, amount, source=out, year=gone.year, owner=gone.owner)
    target.book(into.year, into.owner).came -= amount
    source.book(gone.year, gone.owner).went -= amount
    pass_on(state, target, -amount, into.place)
    pass_on(state, source, amount, gone.place)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *out, 0, amount))
    note(state, record, source, target)


def laid_on(state: Acting, record: records.Reversal, gone: Movement) -> Ref:
    """Return the inflow that the reversal of a transfer takes from: out of several, that of the account it names.

    Raises:
        RefusedError: ``CC-REVERSAL``: it names none of them.
    """
    targets = [gone.target] if gone.target is not None else [part[:2] for part in gone.parts]
    found = [ref for ref in targets if record.account in (None, ref[0])]
    if len(found) != 1:
        listed = " or ".join(repr(state.accounts[number].id) for number, _ in targets)
        raise RefusedError(
            "CC-REVERSAL", f"{record.reverses!r} went to {listed}; say out of which it is taken back", id=record.id
        )
    return found[0]


def _check_naming(record: records.Reversal, *accounts: AccountState) -> None:
    """Nobody chooses a gift by undoing either, where terms forbid to choose one."""
    for account in accounts:
        if record.gift is not None and account.terms.naming == "forbidden":
            raise RefusedError("CC-NAMED", f"the terms of account {account.id!r} forbid to choose a gift")


def _void(state: Acting, record: records.Reversal, gift: GiftAt) -> None:
    """Take the units of a gift that was entered wrongly from where they rest."""
    assert state.author is not None
    own = state.accounts[gift.account]
    if gift.place[:2] == state.place[:2]:
        raise RefusedError("CC-REVERSAL", f"{gift.id!r} stands in this very statement; leave it out instead")
    entered_by = state.party_of(state.lookup.statement(*gift.place[:2]).header.author)
    if state.author.number not in (own.owner, entered_by.number):
        raise RefusedError(
            "CC-AUTHOR",
            f"the reversal of gift {gift.id!r} must be signed by {entered_by.id!r}, who entered it, or by the owner of"
            f" {own.id!r}",
            party=entered_by.id,
        )
    if record.gift is not None:
        raise RefusedError("CC-REVERSAL", "the reversal of a gift names no other gift", id=record.id)
    taken, amount = void_takes(state, gift, record.amount)
    for account, _, _ in taken:
        state.require_out(account, f"the reversal of gift {gift.id!r}")
    first = state.next(taken[0][0])
    voided = [state.add(account, Kind.VOIDED, part, named=True, takes=takes) for account, part, takes in taken]
    _take_off(state, gift, {(movement.account, movement.index) for movement in voided})
    came = state.lookup.movement(gift.account, gift.movement)
    state.take_off_received(own.book(state.year_of(gift.place), came.owner), gift, amount)
    if came.kind == Kind.CAME:
        state.count_against(Kind.CAME, Kind.VOIDED, own, amount)
    entered = state.record_at(gift.place)
    if isinstance(entered, records.Donation):
        count_for_pledge(state, entered, -amount)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *first, 0, amount))
    note(state, record, *(account for account, _, _ in taken))


def _take_off(state: Acting, gift: GiftAt, voided: set[Ref]) -> None:
    """Take what was never received off the sums in which its way was booked: transfers, and hand-overs on the way."""
    for (outflow, hops), amount in _followed(state, gift).hops.items():
        if outflow not in voided:
            continue
        way: list[tuple[Movement, Movement]] = []
        for hop in hops:
            gone, into = (state.lookup.movement(*ref) for ref in hop)
            if gone.kind == Kind.GIVEN_BACK:  # straight after the transfer that it undid: as if both had never been
                way.pop()
            else:
                way.append((gone, into))
        account, since = state.accounts[gift.account], gift.place
        for gone, into in way:
            target = state.accounts[into.account]
            account.book(gone.year, gone.owner).went -= amount
            target.book(into.year, into.owner).came -= amount
            pass_on(state, account, -amount, since, gone.place)
            account, since = target, gone.place
        pass_on(state, account, -amount, since)


def _followed(state: Acting, gift: GiftAt, lineage: Lineage = Lineage.UNCONVERTED) -> Flow:
    flow = follow(state.lookup, state.accounts, gift, lineage=lineage)
    state.check_pieces(flow, gift)
    return flow


def void_takes(
    state: Acting, gift: GiftAt, amount: int | None
) -> tuple[list[tuple[AccountState, int, tuple[Run, ...]]], int]:
    """Return what the reversal of a gift takes from where, and how much in all.

    Args:
        amount: Minor units; nothing is all of the gift that was not reversed before.

    Raises:
        RefusedError: ``CC-REVERSAL``: less of it rests where it can be taken back.
    """
    own = state.accounts[gift.account]
    flow = _followed(state, gift)
    parts: dict[int, list[Run]] = {}
    for (number, _), runs in flow.held.items():
        parts.setdefault(number, []).extend(runs)
    held = {number: join_runs(sorted(runs)) for number, runs in parts.items()}
    there = sum(run.length for runs in held.values() for run in runs)
    wanted = gift.amount - sum(flow.voided.values()) if amount is None else amount
    if not 0 < wanted <= there:
        raise RefusedError(
            "CC-REVERSAL",
            f"of gift {gift.id!r} {state.words(there, own)} still rest where they can be taken back; reverse what was"
            " done with the rest first",
            reverses=gift.id,
            left=there,
        )
    taken: list[tuple[AccountState, int, tuple[Run, ...]]] = []
    rest = wanted
    for number in sorted(held, key=lambda number: (number != own.number, number)):
        runs, missing = first_units(held[number], rest)
        part, rest = rest - missing, missing
        if part:
            taken.append((state.accounts[number], part, tuple(runs)))
    return taken, wanted


def pledge_left(state: Acting, row: IdAt) -> int:
    """Return what is still announced by a pledge, less what was reversed of it; minor units."""
    left = row.amount
    for place in state.lookup.links(row.id, Link.REVERSED):
        earlier = state.lookup.find_id(records.record_id(state.record_at(place)) or "")
        left -= earlier.amount if earlier is not None else 0
    return left


def _lower_pledge(state: Acting, record: records.Reversal, row: IdAt) -> None:
    assert state.author is not None and row.account is not None
    account = state.accounts[row.account]
    said_by = state.party_of(state.lookup.statement(*row.place[:2]).header.author)
    state.require(said_by.number, f"the reversal of pledge {row.id!r}")
    if record.gift is not None:
        raise RefusedError("CC-REVERSAL", "the reversal of a pledge names no gift", id=record.id)
    if any(place[:2] == state.place[:2] for place in state.lookup.links(row.id, Link.REVERSED)):
        raise RefusedError("CC-REVERSAL", f"pledge {row.id!r} is reversed in this very statement already")
    amount = _amount(state, record, pledge_left(state, row), account)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number, None, 0, amount))
    note(state, record, account)


RULES: dict[type[Any], Callable[[Acting, Any, bytes], None]] = {records.Reversal: _reversal}
