"""Where units came from: from an outflow back to the gifts that paid for it.

The maps of `charitychain.state.flow`, run the other way. A gift's units need not lie together in what an outflow took,
so nothing is inverted: each step back composes one more map from the units of an earlier outflow to those of the asked
one, and the boundaries of inflows and gifts are pushed forward through it.

Only the paying lineage is walked: a sponsor's gift paid for what a walker's steps earned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from charitychain.errors import VerificationError
from charitychain.state.accounts import AccountState
from charitychain.state.flow import PIECE_LIMIT, part_cuts, reversals_of
from charitychain.state.lookup import Lookup, gifts_of
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.state.resting import index_lies, pro_rata_cuts
from charitychain.tape import Run, convert, fifo_cut, named_cut

__all__ = ["origins"]

Push = Callable[[Sequence[int]], list[int]]


@dataclass(frozen=True, slots=True)
class _Back:
    """A path back from the asked outflow: units of `outflow` map to units of the asked one through `pushes`."""

    outflow: Ref
    pushes: tuple[Push, ...]


def origins(
    lookup: Lookup, accounts: Sequence[AccountState], outflow: Movement, *, limit: int = PIECE_LIMIT
) -> tuple[dict[str, int], int, set[Ref]]:
    """Return which gifts paid for an outflow, along the paying lineage.

    Returns:
        Units of the outflow (net of what was reversed) by gift id; the units beyond `limit` pieces, whose gifts are
        not told; and the movements that the answer rests on.
    """
    found: dict[str, int] = defaultdict(int)
    touched: set[Ref] = set()
    undo = []
    for reversal, undone in reversals_of(lookup, accounts[outflow.account], outflow):
        touched.add((reversal.account, reversal.index))
        undo.append(undone)

    def net(ends: Sequence[int]) -> list[int]:
        rest = list(ends)
        for cut in undo:
            rest = [z - cut(z) for z in rest]
        return rest

    stack = [_Back((outflow.account, outflow.index), (net,))]
    remainder = pieces = 0
    while stack:
        back = stack.pop()
        touched.add(back.outflow)
        taker = lookup.movement(*back.outflow)
        for inflow, cut in _takes_from(lookup, accounts[taker.account], taker, touched):
            touched.add((inflow.account, inflow.index))
            ends = _push((cut, *back.pushes), [0, inflow.amount])
            if ends[0] == ends[1]:
                continue
            pieces += 1
            if pieces > limit:
                remainder += ends[1] - ends[0]
            elif inflow.kind in (Kind.DONATED, Kind.CAME):
                gifts = list(gifts_of(lookup, inflow))
                marks = _push((cut, *back.pushes), [gift.offset for gift in gifts] + [inflow.amount])
                for gift, (low, high) in zip(gifts, pairwise(marks), strict=True):
                    if low < high:
                        found[gift.id] += high - low
            else:
                stack.append(_source(lookup, accounts, inflow, (cut, *back.pushes), touched))
    return dict(found), remainder, touched


def _push(pushes: tuple[Push, ...], ends: Sequence[int]) -> list[int]:
    marks = list(ends)
    for push in pushes:
        marks = push(marks)
    return marks


def _source(
    lookup: Lookup, accounts: Sequence[AccountState], inflow: Movement, pushes: tuple[Push, ...], touched: set[Ref]
) -> _Back:
    """Return the step from an inflow back to the outflow that paid it."""
    assert inflow.source is not None
    if inflow.kind == Kind.REVERSED:
        outflow = lookup.movement(*inflow.source)
        cuts: list[Callable[[int], int]] = []
        for reversal, cut in reversals_of(lookup, accounts[inflow.account], outflow):
            touched.add((reversal.account, reversal.index))
            cuts.append(cut)
            if reversal.index == inflow.index:
                break

        def came_back(ends: Sequence[int]) -> list[int]:
            rest = list(ends)
            for cut in cuts[:-1]:
                rest = [z - cut(z) for z in rest]
            return [cuts[-1](z) for z in rest]

        return _Back(inflow.source, (came_back, *pushes))
    if inflow.kind == Kind.RECEIVED and (split := lookup.movement(*inflow.source)).kind == Kind.SPLIT:
        return _Back(inflow.source, (_part_push(split, inflow), *pushes))
    if inflow.conversion is None or inflow.second is not None:
        return _Back(inflow.second or inflow.source, pushes)
    taken, given = inflow.conversion

    def converted(ends: Sequence[int]) -> list[int]:
        return [convert(z, given=given, taken=taken) for z in ends]

    return _Back(inflow.source, (converted, *pushes))


def _part_push(split: Movement, inflow: Movement) -> Push:
    """Return the map from the units of a split to those of the part that an inflow got."""

    def push(ends: Sequence[int]) -> list[int]:
        rest = list(ends)
        for target, cut in part_cuts(split):
            if target == (inflow.account, inflow.index):
                return [cut(z) for z in rest]
            rest = [z - cut(z) for z in rest]
        raise VerificationError("CC-INDEX", "the index says another target of a split than was sealed; make it anew")

    return push


def _takes_from(
    lookup: Lookup, account: AccountState, taker: Movement, touched: set[Ref]
) -> Iterator[tuple[Movement, Push]]:
    """Yield the inflows that an outflow took units from, each with the map from its units to the outflow's."""
    if account.pro_rata:
        yield from _takes_from_pro_rata(lookup, account, taker, touched)
        return
    if taker.named:
        runs = list(taker.takes)
    else:
        low = account.holes.position_of_rank(taker.rule_before)
        high = account.holes.position_of_rank(taker.rule_before + taker.amount - 1) + 1
        runs = [Run(low, high - low)]
    done: set[int] = set()
    for run in runs:
        at = run.position
        while at < run.position + run.length:
            inflow = lookup.inflow_at(account.number, at)
            if not inflow.in_before <= at < inflow.in_before + inflow.amount:
                raise index_lies(account)
            at = inflow.in_before + inflow.amount
            if inflow.index not in done:
                done.add(inflow.index)
                yield inflow, _fifo_push(account, inflow, taker)


def _fifo_push(account: AccountState, inflow: Movement, taker: Movement) -> Push:
    def push(ends: Sequence[int]) -> list[int]:
        positions = [inflow.in_before + z for z in ends]
        if taker.named:
            return [named_cut(p, taker.takes) for p in positions]
        ranks = [p - account.holes.covered_below(p) for p in positions]
        return [fifo_cut(rank, rule_before=taker.rule_before, amount=taker.amount) for rank in ranks]

    return push


def _takes_from_pro_rata(
    lookup: Lookup, account: AccountState, taker: Movement, touched: set[Ref]
) -> Iterator[tuple[Movement, Push]]:
    # Outflows and inflows tile what left and what came in before: none can be left out unseen.
    outflows, left, came = list(lookup.outflows(account.number, -1, taker.index)), 0, 0
    for outflow in [*outflows, taker]:
        touched.add((outflow.account, outflow.index))
        if outflow.rule_before + outflow.named_before != left:
            raise index_lies(account)
        left += outflow.amount
    inflows = list(lookup.inflows(account.number, taker.index))
    for inflow in [*inflows, taker]:
        if inflow.in_before != came:
            raise index_lies(account)
        came += inflow.amount
    for inflow in inflows:
        later = [m for m in outflows if m.index > inflow.index] + [taker]

        def push(ends: Sequence[int], inflow: Movement = inflow, later: list[Movement] = later) -> list[int]:
            positions = [inflow.balance_before + z for z in ends]
            for outflow in later[:-1]:
                taken = pro_rata_cuts(outflow, positions)
                positions = [z - c for z, c in zip(positions, taken, strict=True)]
            return pro_rata_cuts(later[-1], positions)

        yield inflow, push
