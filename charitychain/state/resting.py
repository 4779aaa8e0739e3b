"""What rests: which units of an inflow never left its account.

Under fifo these are the units that no name took and the rule has not reached; under pro-rata what all later outflows
left of them, in the order of the balance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from charitychain.errors import VerificationError
from charitychain.state.accounts import Summary
from charitychain.state.lookup import Tapes
from charitychain.state.movements import Movement
from charitychain.tape import Run, named_cut, pro_rata_cut
from charitychain.trie import Leaf

__all__ = ["fifo_rest", "index_lies", "pro_rata_cuts", "resting"]


def resting(
    lookup: Tapes, account: Summary, pieces: Iterable[tuple[int, int, int]]
) -> Iterator[list[Run]]:
    """Yield for each piece of an inflow the runs of it that never left its account: positions as in `Flow.held`.

    Args:
        pieces: (index of the inflow, first unit, end) in rising order. Under pro-rata they are held in memory, and all
            of them cost one pass over the outflows after the first; under fifo each costs O(log n) and its holes.
    """
    if account.pro_rata:
        yield from _resting_pro_rata(lookup, account, list(pieces))
        return
    for index, low, high in pieces:
        start = lookup.movement(account.number, index).in_before
        holes = account.holes.crossing(start + low, start + high)
        yield fifo_rest(account, start + low, start + high, holes)[0]


def _resting_pro_rata(
    lookup: Tapes, account: Summary, pieces: Sequence[tuple[int, int, int]]
) -> Iterator[list[Run]]:
    marks: list[int] = []
    at = 0

    def begin(before: int) -> None:
        """Mark the ends of the pieces that came in before an outflow."""
        nonlocal at
        while at < len(pieces) and pieces[at][0] < before:
            index, low, high = pieces[at]
            balance = lookup.movement(account.number, index).balance_before
            marks.extend((balance + low, balance + high))
            at += 1

    if not pieces:
        return
    first = lookup.movement(account.number, pieces[0][0])
    # Outflows tile what left the account, since each takes at least one unit: none can be left out unseen.
    left = first.rule_before + first.named_before
    for outflow in lookup.outflows(account.number, first.index):
        if outflow.rule_before + outflow.named_before != left:
            raise index_lies(account)
        left += outflow.amount
        begin(outflow.index)
        marks = [z - cut for z, cut in zip(marks, pro_rata_cuts(outflow, marks), strict=True)]
    if left != account.rule_sum + account.named:
        raise index_lies(account)
    begin(account.size)
    for low, high in zip(marks[::2], marks[1::2], strict=True):
        yield [Run(low, high - low)] if low < high else []


def fifo_rest(account: Summary, low: int, high: int, holes: Iterable[Leaf]) -> tuple[list[Run], int, int]:
    """Return what rests of ``[low, high)`` on the tape, which `holes` cross, and the ranks of what no name took."""
    below = account.holes.covered_below(low)
    kept: list[Run] = []
    at, inside = low, 0
    for hole in holes:
        x, y = max(hole.key, low), min(hole.key + hole.sum, high)
        if at < x:
            kept.append(Run(at, x - at))
        at, inside = y, inside + y - x
    if at < high:
        kept.append(Run(at, high - at))
    rank, end = low - below, high - below - inside
    # What the rule did not reach is held: the last units of the kept runs.
    skip = max(min(end, account.rule_sum) - rank, 0)
    held = []
    for run in kept:
        cut = min(skip, run.length)
        skip -= cut
        if cut < run.length:
            held.append(Run(run.position + cut, run.length - cut))
    return held, rank, end


def index_lies(account: Summary) -> VerificationError:
    """Return the error for an index whose rows do not tile an account's tape."""
    return VerificationError("CC-INDEX", f"the index misses movements of account {account.id!r}; make it anew")


def pro_rata_cuts(outflow: Movement, positions: Sequence[int]) -> list[int]:
    """Return how many units below each position of the balance an outflow of a pro-rata account took."""
    if outflow.named:
        return [named_cut(z, outflow.takes) for z in positions]
    balance, phi = outflow.balance_before, outflow.phi
    return [pro_rata_cut(z, amount=outflow.amount, balance=balance, phi=phi) for z in positions]
