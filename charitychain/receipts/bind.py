"""Binding: each movement that is shown is the one that its signed record makes, and takes what the record says.

A log proves that a movement is in it; that the operator wrote the movement that the record asks for is proved here,
against the record's own bytes, which its author signed.

Rules upheld here:

- A record makes movements of exactly the number, kinds, accounts and amounts that it says, in their order, and they
  point to each other.
- A conversion mints nothing: units differ, and a currency is never made of a commodity that nobody paid for.
- What a reversal brings back, and what it takes, is of the record that it names.
- What was chosen was chosen of the gift that the record names, and all of what it took is of that gift.
- "All of it" was all: of a refund, and of the reversal of an expenditure or gift.

Not seen here, since a receipt shows no more than one gift's way: whether whoever signed was allowed to, and movements
that a sealed record made and no gift's way shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from charitychain import records
from charitychain.errors import NotFoundError
from charitychain.receipts.parts import misfit
from charitychain.receipts.shown import Shown
from charitychain.records import Place
from charitychain.state.flow import Flow, reversals_of
from charitychain.state.lookup import GiftAt
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.units import BUILT_IN

__all__ = ["check_bound", "check_chosen"]

_WITHIN = (Kind.DISBURSED, Kind.SPLIT, Kind.FUNDED, Kind.GIVEN_BACK)


def check_bound(shown: Shown) -> None:
    """Check every movement that is shown against the record that made it.

    Raises:
        VerificationError: ``CC-RECEIPT``.
    """
    for place in shown.places():
        _check_moved(shown, place)
    moved: dict[Place, list[Movement]] = defaultdict(list)
    for movement in shown.movements.values():
        moved[movement.place].append(movement)
    for place, listed in moved.items():
        made = shown.moves(place)
        wanted = list(_made(shown, shown.record(place), place, made))
        if len(wanted) != len(made):
            raise misfit(f"the record at {tuple(place)} made another number of movements than such a record makes")
        for at, fields in zip(made, wanted, strict=True):
            found = shown.movements.get(at)
            if found is not None and any(getattr(found, name) != value for name, value in fields.items()):
                raise misfit(f"movement {at[1]} of account {at[0]} is not what the record at {tuple(place)} says")
            if found is not None and found.place != place:
                raise misfit(f"two records say that they made movement {at[1]} of account {at[0]}")
        told = set(made)
        for movement in listed:
            if (movement.account, movement.index) not in told:
                raise misfit(f"the record at {tuple(place)} did not make movement {movement.index} of its account")
            if movement.kind in _WITHIN:
                _check_unit(shown, movement)


def _check_unit(shown: Shown, outflow: Movement) -> None:
    """Check that what passes on without being converted stays in its unit."""
    for ref in [outflow.target, *(part[:2] for part in outflow.parts)]:
        if ref in shown.movements and shown.accounts[ref[0]].unit != shown.accounts[outflow.account].unit:
            raise misfit(f"movement {outflow.index} of account {outflow.account} goes on in another unit")


def _check_moved(shown: Shown, place: Place) -> None:
    """Check that a record made as many movements as such a record makes, in the accounts that it says."""
    record, made = shown.record(place), shown.moves(place)
    accounts: Sequence[int | None]
    match record:
        case records.Reversal():  # in which accounts, follows from what it undoes
            accounts = [None] * len(made)
        case records.Donation():  # the movement of a run of them is that of its first
            accounts = [record.account] if made else []
        case records.Disbursement():
            accounts = [record.account, record.to]
        case records.Split():
            accounts = [record.account, *(number for number, _ in record.parts)]
            if sum(amount for _, amount in record.parts) != record.amount:
                raise misfit(f"the parts of split {record.id!r} do not sum to its amount", id=record.id)
        case records.Conversion():
            paying = [record.funded_from] if record.funded_from is not None else []
            accounts = [record.account, *paying, record.to]
        case records.Refund():
            accounts = [record.account if record.account is not None else _account_of(shown, record.donation)]
        case records.Gifts() | records.Expenditure() | records.Sent() | records.Received():
            accounts = [record.account]
        case _:
            accounts = []
    if len(made) != len(accounts):
        raise misfit(f"the record at {tuple(place)} made another number of movements than such a record makes")
    if any(wanted not in (None, at[0]) for at, wanted in zip(made, accounts, strict=True)):
        raise misfit(f"the record at {tuple(place)} moved units of another account than it says")


def _made(shown: Shown, record: records.Record, place: Place, made: tuple[Ref, ...]) -> Iterator[dict[str, Any]]:
    """Yield for each movement that a record makes the fields that it must have; `_check_moved` knows the accounts."""
    told: dict[str, Any]
    nothing: dict[str, Any] = dict.fromkeys(("source", "second", "conversion", "previous", "gifts")) | {"named": False}
    named = {"named": getattr(record, "gift", None) is not None}
    refs: list[Ref | None] = [*made, None, None, None]
    match record:
        case records.Donation():  # one for a run of them, at its first; `Shown` proves which gifts are in it
            if made:
                del nothing["gifts"]
                yield {**nothing, "kind": Kind.DONATED}
        case records.Gifts():
            gifts = {"gifts": (record.count, record.root), "amount": record.amount}
            yield {**nothing, "kind": Kind.DONATED, **gifts}
        case records.Disbursement():
            told = {"amount": record.amount}
            yield {"kind": Kind.DISBURSED, **told, "target": refs[1], "parts": ()} | named
            yield {**nothing, "kind": Kind.RECEIVED, **told, "source": refs[0]}
        case records.Split():
            parts = tuple(
                (number, ref[1], amount) for (number, amount), ref in zip(record.parts, made[1:], strict=False)
            )
            told = {"amount": record.amount, "named": False, "target": None, "parts": parts}
            yield {"kind": Kind.SPLIT, **told}
            for _, amount in record.parts:
                yield {**nothing, "kind": Kind.RECEIVED, "amount": amount, "source": refs[0]}
        case records.Expenditure():
            told = {"amount": record.amount, "target": None, "parts": ()}
            yield {"kind": Kind.SPENT, **told} | named
        case records.Sent():
            told = {"amount": record.amount, "target": None, "parts": ()}
            yield {"kind": Kind.SENT, **told} | named
        case records.Received():
            yield {**nothing, "kind": Kind.CAME, "amount": record.amount}
        case records.Conversion():
            yield from _conversion(shown, record, refs)
        case records.Refund():
            told = {"kind": Kind.REFUNDED, "named": True, "target": None, "parts": ()}
            yield told | _known(amount=record.amount)
        case records.Reversal():
            yield from _reversal(shown, record, made)
        case _:
            return


def _known(**fields: Any) -> dict[str, Any]:
    """Return the fields that are known."""
    return {name: value for name, value in fields.items() if value is not None}


def _account_of(shown: Shown, gift: str) -> int | None:
    try:
        return shown.gift(gift).account
    except NotFoundError:
        return None


def _conversion(shown: Shown, record: records.Conversion, refs: Sequence[Ref | None]) -> Iterator[dict[str, Any]]:
    nothing = {"previous": None, "gifts": None, "named": False}
    funded = record.funded_from is not None
    into, pays = (refs[2], refs[1]) if funded else (refs[1], None)
    source, target = (shown.accounts[number].unit for number in (record.account, record.to))
    paid = shown.accounts[record.funded_from].unit if record.funded_from is not None else target
    if source == target or paid != target or (not funded and _is_currency(target) and not _is_currency(source)):
        raise misfit(f"conversion {record.id!r} makes units of {target} out of nothing", id=record.id)
    if record.funded_from in (record.account, record.to):
        raise misfit(f"conversion {record.id!r} is funded by itself", id=record.id)
    out = {"named": False, "target": into, "parts": ()}
    yield {**out, "kind": Kind.CONVERTED_OUT, "amount": record.amount}
    if funded:
        yield {**out, "kind": Kind.FUNDED, "amount": record.gives}
    came = {"kind": Kind.CONVERTED_IN, "amount": record.gives, "source": refs[0], "second": pays}
    yield nothing | came | {"conversion": (record.amount, record.gives)}


def _reversal(shown: Shown, record: records.Reversal, made: tuple[Ref, ...]) -> Iterator[dict[str, Any]]:
    """Yield what a reversal makes, as its first movement says what it undoes; that it may, is checked on the way."""
    first = shown.movements.get(made[0]) if made else None
    second = shown.movements.get(made[1]) if len(made) == 2 else None
    nothing = {"second": None, "conversion": None, "gifts": None}
    if first is not None and first.kind == Kind.REVERSED:
        chosen = _known(amount=record.amount) | {"named": record.gift is not None}
        yield {"kind": Kind.REVERSED, "target": None, "parts": ()} | nothing | chosen
        undone = shown.movement(first.account, first.source[1]) if first.source is not None else None
        left = (Kind.SPENT, Kind.SENT)
        if undone is None or first.source is None or first.source[0] != first.account or undone.kind not in left:
            raise misfit(f"reversal {record.id!r} undoes what is neither used nor sent by its account", id=record.id)
        _check_names(shown, record, undone)
    elif (first is not None and first.kind == Kind.GIVEN_BACK) or (second is not None and second.kind == Kind.RETURNED):
        amount = first.amount if first is not None else second.amount if second is not None else 0
        told = {"amount": record.amount or amount}
        if len(made) != 2:
            raise misfit(f"reversal {record.id!r} made another number of movements than such a record makes")
        yield {"kind": Kind.GIVEN_BACK, "named": True, "target": made[1], "parts": ()} | told
        yield {**nothing, "kind": Kind.RETURNED, "source": made[0], "previous": None, "named": False} | told
    else:
        for _ in made:
            yield {"kind": Kind.VOIDED, "named": True, "target": None, "parts": ()}


def _check_names(shown: Shown, record: records.Reversal, undone: Movement) -> None:
    if records.record_id(shown.record(undone.place)) != record.reverses:
        raise misfit(f"reversal {record.id!r} names {record.reverses!r} and undoes another record", id=record.id)


# ------------------------------------------------------------------------------------------ what was chosen


def check_chosen(shown: Shown, gift: GiftAt, flow: Flow, *, whole: bool) -> None:
    """Check what was chosen of a gift, after it was followed.

    Args:
        whole: All of the gift was followed to its ends; else what named records took in all cannot be compared.

    Raises:
        VerificationError: ``CC-RECEIPT``.
    """
    taken = Counter[Ref]()
    for (left, ref, paying), units in flow.named.items():
        movement = shown.movements[ref]
        record = shown.record(movement.place)
        if isinstance(record, records.Reversal):
            _check_taken_back(shown, gift, record, movement, left)
            if movement.kind == Kind.GIVEN_BACK and record.amount is None and flow.last.get(left, 0) > movement.index:
                raise misfit(f"reversal {record.id!r} is of all that rested, and left some of it", id=record.id)
        named = record.donation if isinstance(record, records.Refund) else getattr(record, "gift", None)
        if isinstance(record, records.Reversal) and record.gift is None:
            continue
        if paying:
            taken[ref] += units
        if named != gift.id and paying:
            raise misfit(
                f"{records.record_id(record)!r} names gift {named!r} and took units of {gift.id!r}: they were given"
                " to two gifts",
                gift=gift.id,
            )
    if not whole:
        return
    for ref, units in taken.items():
        movement = shown.movements[ref]
        if units != movement.amount:
            raise misfit(f"movement {ref[1]} of account {ref[0]} took units that are not of the gift it names")
        record = shown.record(movement.place)
        if isinstance(record, records.Refund) and record.amount is None:
            _check_all(flow, movement, record.id)
    _check_undone(shown, gift, flow)


def _check_taken_back(shown: Shown, gift: GiftAt, record: records.Reversal, movement: Movement, left: Ref) -> None:
    """Check that what was taken back came by the record that is undone: a transfer to this account, or this gift."""
    came = shown.movements[left]
    if movement.kind == Kind.GIVEN_BACK and came.kind == Kind.RECEIVED:
        _check_names(shown, record, came)
        if movement.target is None or came.source is None or movement.target[0] != came.source[0]:
            raise misfit(f"reversal {record.id!r} did not bring back to where it had come from", id=record.id)
    elif movement.kind == Kind.VOIDED and record.reverses == gift.id:
        return
    elif movement.kind != Kind.REVERSED:
        raise misfit(f"reversal {record.id!r} of {record.reverses!r} took units of gift {gift.id!r}", id=record.id)


def _check_all(flow: Flow, refund: Movement, id_: str) -> None:
    """Check that a refund of all there was left nothing of the gift in its account."""
    for (account, index), last in flow.last.items():
        if account == refund.account and index < refund.index < last:
            raise misfit(f"refund {id_!r} is of all there was, and left some of the gift behind", id=id_)


def _check_undone(shown: Shown, gift: GiftAt, flow: Flow) -> None:
    """Check that reversals of all there was undid all of an expenditure, and of this gift."""
    back = [shown.movements[ref] for ref in flow.undone]
    reached = {use.outflow for use in flow.uses} | {each.source for each in back if each.kind == Kind.REVERSED}
    for outflow in [shown.movements[ref] for ref in sorted(filter(None, reached))]:
        left = outflow.amount
        for undo, _ in reversals_of(shown, shown.accounts[outflow.account], outflow):
            left -= undo.amount
            record = shown.record(undo.place)
            if not isinstance(record, records.Reversal) or (record.amount is None and record.gift is None and left):
                raise misfit(f"what movement {undo.index} of account {undo.account} reverses is not all there was")
        if left < 0:
            raise misfit(f"more was reversed than movement {outflow.index} of account {outflow.account} spent")
    voided = Counter[Place]()
    for use, units in flow.voided.items():
        voided[shown.movements[use.outflow].place] += units
    left = gift.amount
    for place in sorted(voided):
        left -= voided[place]
        record = shown.record(place)
        if isinstance(record, records.Reversal) and record.amount is None and left:
            raise misfit(f"reversal {record.id!r} is of the whole gift, and left some of it", id=record.id)
        if isinstance(record, records.Reversal) and record.amount not in (None, voided[place]):
            raise misfit(f"reversal {record.id!r} took another amount than it says", id=record.id)


def _is_currency(code: str) -> bool:
    return code in BUILT_IN and len(code) == 3
