"""Where units went: interval overlap, account by account.

`follow` takes a stretch of an inflow forward to everything it became. It walks in ledger order, so that all that
arrives at one inflow is known before any of it goes on, and counts each unit once even where it arrives on two
lineages (the steps that earned it, the sponsor's gift that paid it; the paying one is counted first).
It uses the maps on boundaries of `charitychain.tape` and reads movements through `Tapes`; the way back is
`charitychain.state.origins`.

Cost under fifo: O(pieces · log n). Under pro-rata a piece costs one step for each later outflow of the account.
Circles between pro-rata accounts multiply pieces, so a walk stops at `limit` pieces and returns the rest as a
remainder that still sums.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial

from charitychain.records import Place
from charitychain.state.accounts import Summary
from charitychain.state.lookup import GiftAt, Tapes
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.state.resting import fifo_rest, index_lies, pro_rata_cuts
from charitychain.tape import Run, clip, convert, named_cut, pro_rata_cut
from charitychain.trie import Leaf

__all__ = [
    "PIECE_LIMIT", "Flow", "Lineage", "Use", "follow", "follow_all", "follow_runs", "lay_run", "part_cuts",
    "reversals_of",
]  # fmt: skip

PIECE_LIMIT = 1_000_000
Path = tuple[Place, ...]
Hops = tuple[tuple[Ref, Ref], ...]
"""Transfers on the way, each as the outflow and the inflow that it became."""


class Lineage(IntEnum):
    """Which way units are followed: everywhere; along what they paid for; or within their unit, unconverted."""

    ALL = 0
    PAYING = 1
    UNCONVERTED = 2


_PASSING = (Kind.DISBURSED, Kind.SPLIT, Kind.CONVERTED_OUT, Kind.FUNDED)
# Named by their authors; the other takes only put right.
_CHOSEN = (Kind.DISBURSED, Kind.SPENT, Kind.REFUNDED, Kind.SENT)


@dataclass(frozen=True, slots=True)
class Use:
    """A final use, or a refund, as an outflow, with the records on the way and whether a name chose any step."""

    outflow: Ref
    path: Path
    chosen: bool


@dataclass(slots=True)
class Flow:
    """What a stretch of units became. Amounts are minor units of the account where they rest or left.

    `held` has by inflow what of it rests: runs on the tape under fifo, in today's balance under pro-rata.
    `converted` has for the place of each conversion (units that left, units they gave). `voided` counts as never
    received; under `Lineage.UNCONVERTED` `hops` tells it by outflow and the transfers on the way. `used` lists for each
    outflow of `uses` the runs of units in what of it was not reversed, `sent` for each way of what went to another
    ledger the runs of units in its outflow; `undone` has what each reversal brought back, by
    its inflow, and `passed` the outflows that led on. `touched` is every movement that the answer rests on. `named` has
    what movements took that chose their units, by what they took it from, themselves, and whether it came along what
    paid; `last` for each inflow the index of the last outflow that took of it along what paid, or the size of the log
    where some of it rests. `pieces` counts the pieces that were met, those beyond the limit too.
    """

    uses: dict[Use, int] = field(default_factory=dict)
    refunds: dict[Use, int] = field(default_factory=dict)
    voided: dict[Use, int] = field(default_factory=dict)
    sent: dict[Use, list[Run]] = field(default_factory=lambda: defaultdict(list))
    used: dict[Ref, list[Run]] = field(default_factory=lambda: defaultdict(list))
    hops: dict[tuple[Ref, Hops], int] = field(default_factory=dict)
    converted: dict[Place, tuple[int, int]] = field(default_factory=dict)
    held: dict[Ref, list[Run]] = field(default_factory=dict)
    remainder: dict[int, int] = field(default_factory=dict)
    touched: set[Ref] = field(default_factory=set)
    undone: dict[Ref, int] = field(default_factory=dict)
    passed: dict[Ref, None] = field(default_factory=dict)
    named: dict[tuple[Ref, Ref, bool], int] = field(default_factory=lambda: defaultdict(int))
    last: dict[Ref, int] = field(default_factory=dict)
    pieces: int = 0


@dataclass(slots=True)
class _Arrival:
    start: int
    end: int
    path: Path
    paying: bool
    chosen: bool
    conversion: Place | None = None
    hops: Hops = ()
    earned: bool = False  # on the way a conversion was passed that another account paid for: names cannot reach it


class _Walk:
    """One forward walk: arrivals wait in a heap by the place of the inflow they belong to."""

    def __init__(self, lookup: Tapes, accounts: Sequence[Summary], lineage: Lineage) -> None:
        self.lookup, self.accounts, self.lineage = lookup, accounts, lineage
        self.flow = Flow()
        self.waiting: dict[Ref, list[_Arrival]] = defaultdict(list)
        self.order: list[tuple[Place, Ref]] = []

    def movement(self, ref: Ref) -> Movement:
        self.flow.touched.add(ref)
        return self.lookup.movement(*ref)

    def arrive(self, ref: Ref, arrival: _Arrival) -> None:
        if arrival.start == arrival.end:
            return
        if ref not in self.waiting:
            heapq.heappush(self.order, (self.movement(ref).place, ref))
        self.waiting[ref].append(arrival)

    def run(self, limit: int, stops: Container[Ref] = ()) -> Flow:
        while self.order:
            _, ref = heapq.heappop(self.order)
            arrivals = sorted(self.waiting.pop(ref), key=lambda a: (not a.paying, a.start, a.path))
            seen: list[tuple[int, int]] = []
            inflow = self.movement(ref)
            for arrival in arrivals:
                fresh = clip(seen, arrival.start, arrival.end)
                seen = sorted([*seen, *fresh])
                if arrival.conversion is not None:
                    left, gave = self.flow.converted[arrival.conversion]
                    self.flow.converted[arrival.conversion] = (left, gave + sum(b - a for a, b in fresh))
                for a, b in fresh:
                    self.flow.pieces += 1
                    if self.flow.pieces > limit or ref in stops:
                        self.flow.remainder[ref[0]] = self.flow.remainder.get(ref[0], 0) + b - a
                    else:
                        self.spread(inflow, a, b, arrival)
        return self.flow

    def spread(self, inflow: Movement, a: int, b: int, arrival: _Arrival) -> None:
        """Send units ``[a, b)`` of an inflow through the outflows that took them."""
        account = self.accounts[inflow.account]
        fate = _fate_pro_rata if account.pro_rata else _fate_fifo
        held: list[Run] = []
        ref, last = (inflow.account, inflow.index), -1
        for outflow, c, d in fate(self.lookup, account, inflow, a, b, held):
            self.flow.touched.add((outflow.account, outflow.index))
            if c < d:
                last = max(last, outflow.index)
                if outflow.named:
                    self.flow.named[ref, (outflow.account, outflow.index), not arrival.earned] += d - c
                self.through(outflow, c, d, arrival)
        if rests := [run for run in held if run.length]:
            last = account.size
            self.flow.held.setdefault(ref, []).extend(rests)
        if not arrival.earned:
            self.flow.last[ref] = max(last, self.flow.last.get(ref, -1))

    def undone(self, inflow: Ref, amount: int) -> None:
        if amount:
            self.flow.undone[inflow] = self.flow.undone.get(inflow, 0) + amount

    def hopped(self, came: _Arrival, outflow: Movement, target: Ref) -> Hops:
        """Return the transfers on the way with one more, where they are asked."""
        return (*came.hops, ((outflow.account, outflow.index), target)) if self.lineage == Lineage.UNCONVERTED else ()

    def through(self, outflow: Movement, c: int, d: int, came: _Arrival) -> None:
        """Send the stretch ``[c, d)`` of an outflow to where it went."""
        path, chosen = came.path, came.chosen or (outflow.named and outflow.kind in _CHOSEN)
        if outflow.kind in _PASSING:
            self.flow.passed[outflow.account, outflow.index] = None
        match outflow.kind:
            case Kind.DISBURSED | Kind.FUNDED | Kind.GIVEN_BACK:
                assert outflow.target is not None
                if outflow.kind == Kind.GIVEN_BACK:
                    self.undone(outflow.target, d - c)
                if outflow.kind != Kind.FUNDED or self.lineage != Lineage.UNCONVERTED:
                    hops = self.hopped(came, outflow, outflow.target)
                    way = (*path, outflow.place)
                    self.arrive(outflow.target, _Arrival(c, d, way, True, chosen, None, hops, came.earned))
            case Kind.SPLIT:
                for target, cut in part_cuts(outflow):
                    x, y = cut(c), cut(d)
                    hops = self.hopped(came, outflow, target)
                    self.arrive(target, _Arrival(x, y, (*path, outflow.place), True, chosen, None, hops, came.earned))
                    c, d = c - x, d - y
            case Kind.CONVERTED_OUT:
                assert outflow.target is not None
                inflow = self.movement(outflow.target)
                assert inflow.conversion is not None
                taken, given = inflow.conversion
                left, gave = self.flow.converted.get(outflow.place, (0, 0))
                self.flow.converted[outflow.place] = (left + d - c, gave)
                paying = inflow.second is None
                if self.lineage == Lineage.ALL or (paying and self.lineage == Lineage.PAYING):
                    x, y = (convert(z, given=given, taken=taken) for z in (c, d))
                    way = (*path, outflow.place)
                    earned = came.earned or not paying
                    arrival = _Arrival(x, y, way, paying, chosen, outflow.place, (), earned)
                    self.arrive(outflow.target, arrival)
            case Kind.REFUNDED:
                use = Use((outflow.account, outflow.index), path, chosen)
                self.flow.refunds[use] = self.flow.refunds.get(use, 0) + d - c
            case Kind.VOIDED:
                use = Use((outflow.account, outflow.index), path, chosen)
                self.flow.voided[use] = self.flow.voided.get(use, 0) + d - c
                way_back = (use.outflow, came.hops)
                self.flow.hops[way_back] = self.flow.hops.get(way_back, 0) + d - c
            case _:
                for reversal, cut in reversals_of(self.lookup, self.accounts[outflow.account], outflow):
                    self.flow.touched.add((reversal.account, reversal.index))
                    x, y = cut(c), cut(d)
                    if reversal.named and x < y:
                        key = ((outflow.account, outflow.index), (reversal.account, reversal.index), not came.earned)
                        self.flow.named[key] += y - x
                    self.undone((reversal.account, reversal.index), y - x)
                    way = (*path, reversal.place)
                    back = _Arrival(x, y, way, True, chosen or reversal.named, None, came.hops, came.earned)
                    self.arrive((reversal.account, reversal.index), back)
                    c, d = c - x, d - y
                use = Use((outflow.account, outflow.index), path, chosen)
                if c < d and outflow.kind == Kind.SENT:  # undone as a whole if at all, so its units keep their numbers
                    lay_run(self.flow.sent[use], Run(c, d - c))
                elif c < d:
                    self.flow.uses[use] = self.flow.uses.get(use, 0) + d - c
                    self.flow.used[use.outflow].append(Run(c, d - c))


def follow(
    lookup: Tapes,
    accounts: Sequence[Summary],
    gift: GiftAt,
    *,
    lineage: Lineage = Lineage.ALL,
    limit: int = PIECE_LIMIT,
    part: tuple[int, int] | None = None,
    stops: Container[Ref] = (),
) -> Flow:
    """Follow one gift forward to everything it became.

    Args:
        part: Follow units ``[first, end)`` of the gift only.
        stops: Inflows at which following ends; what arrives there is part of `Flow.remainder`.
        lineage: `Lineage.PAYING` does not follow a conversion that somebody else funded: the units it earned can be
            named and refunded along the paying lineage only.
    """
    walk = _Walk(lookup, accounts, lineage)
    first, end = part if part is not None else (0, gift.amount)
    walk.arrive((gift.account, gift.movement), _Arrival(gift.offset + first, gift.offset + end, (), True, False))
    return walk.run(limit, stops)


def follow_runs(
    lookup: Tapes, accounts: Sequence[Summary], gift: GiftAt, runs: Iterable[Run], *, limit: int = PIECE_LIMIT
) -> Flow:
    """Follow some runs of the units of a gift forward, and nothing else of it."""
    walk = _Walk(lookup, accounts, Lineage.ALL)
    for run in runs:
        start = gift.offset + run.position
        walk.arrive((gift.account, gift.movement), _Arrival(start, start + run.length, (), True, False))
    return walk.run(limit)


class _Sum(_Walk):
    """A walk that asks how much went where and not on which ways: stretches that touch go on as one.

    It stops at conversions, whose stretches stand in `Flow.used` beside those of final uses.
    """

    def arrive(self, ref: Ref, arrival: _Arrival) -> None:
        arrival.path, arrival.chosen = (), False
        waiting = self.waiting.get(ref)
        if waiting and waiting[-1].end == arrival.start:
            waiting[-1].end = arrival.end
        else:
            super().arrive(ref, arrival)

    def through(self, outflow: Movement, c: int, d: int, came: _Arrival) -> None:
        if outflow.kind == Kind.CONVERTED_OUT:
            self.flow.used[outflow.account, outflow.index].append(Run(c, d - c))
        else:
            super().through(outflow, c, d, came)
        if runs := self.flow.used.get((outflow.account, outflow.index)):
            lay_run(runs, runs.pop())


def follow_all(
    lookup: Tapes,
    accounts: Sequence[Summary],
    stretches: Mapping[Ref, Sequence[tuple[int, int]]],
    *,
    limit: int = PIECE_LIMIT,
) -> Flow:
    """Follow many stretches of inflows at once, within their unit and along what paid; the ways are not told.

    What was converted stands in `Flow.used` by its outflow. Sums are those of following each stretch alone.
    """
    walk = _Sum(lookup, accounts, Lineage.PAYING)
    for ref, parts in stretches.items():
        for start, end in parts:
            walk.arrive(ref, _Arrival(start, end, (), True, False))
    return walk.run(limit)


def lay_run(runs: list[Run], run: Run) -> None:
    """Add a run behind others; where it touches the last of them, make the two one."""
    if runs and runs[-1].position + runs[-1].length == run.position:
        run = Run(runs[-1].position, runs.pop().length + run.length)
    runs.append(run)


def reversals_of(
    lookup: Tapes, account: Summary, outflow: Movement
) -> Iterator[tuple[Movement, Callable[[int], int]]]:
    """Yield what undid an outflow, oldest first, each with its map on the boundaries of what was left then."""
    leaf = account.reversed.find(outflow.index)
    chain: list[Movement] = []
    last, above, total = leaf.first if leaf else None, account.size, leaf.sum if leaf else 0
    while last is not None:
        chain.append(lookup.movement(account.number, last))
        if not outflow.index < last < above or chain[-1].source != (account.number, outflow.index):
            raise index_lies(account)
        above, last = last, chain[-1].previous
    if total != sum(reversal.amount for reversal in chain) or total > outflow.amount:
        raise index_lies(account)
    left, done = outflow.amount, 0
    for reversal in reversed(chain):
        if reversal.named and sum(reversal.takes[-1]) > left:
            raise index_lies(account)
        if reversal.named:
            yield reversal, partial(named_cut, takes=reversal.takes)
        else:
            yield reversal, partial(pro_rata_cut, amount=reversal.amount, balance=left, phi=done % left)
        left, done = left - reversal.amount, done + reversal.amount


def part_cuts(split: Movement) -> Iterator[tuple[Ref, Callable[[int], int]]]:
    """Yield the inflows that a split made, each with its map on the boundaries of what the parts before it left."""
    left = split.amount
    for account, index, amount in split.parts:
        yield (account, index), partial(pro_rata_cut, amount=amount, balance=left, phi=0)
        left -= amount


def _fate_fifo(
    lookup: Tapes, account: Summary, inflow: Movement, a: int, b: int, held: list[Run]
) -> Iterator[tuple[Movement, int, int]]:
    low, high = inflow.in_before + a, inflow.in_before + b
    holes = list(account.holes.crossing(low, high))
    rests, rank, end = fifo_rest(account, low, high, holes)
    held += rests
    inside = 0
    for hole in holes:
        x, y = max(hole.key, low), min(hole.key + hole.sum, high)
        start = hole.second + x - hole.key
        outflow = lookup.movement(account.number, hole.first)
        unspent = rank + x - low - inside >= outflow.rule_before  # the rule had not reached it when it was taken
        if not outflow.named or outflow.index < inflow.index or not unspent or not _took(outflow, hole):
            raise index_lies(account)
        yield outflow, start, start + y - x
        inside += y - x
    spent = min(end, account.rule_sum)
    while rank < spent:
        outflow = lookup.rule_outflow_at(account.number, rank)
        if not outflow.rule_before <= rank < outflow.rule_before + outflow.amount or outflow.index < inflow.index:
            raise index_lies(account)
        upto = min(spent, outflow.rule_before + outflow.amount)
        yield outflow, rank - outflow.rule_before, upto - outflow.rule_before
        rank = upto


def _took(outflow: Movement, hole: Leaf) -> bool:
    """Say whether a hole is one of the runs that a named outflow took, with so many of its units before it."""
    return Run(hole.key, hole.sum) in outflow.takes and named_cut(hole.key, outflow.takes) == hole.second


def _fate_pro_rata(
    lookup: Tapes, account: Summary, inflow: Movement, a: int, b: int, held: list[Run]
) -> Iterator[tuple[Movement, int, int]]:
    x, y = inflow.balance_before + a, inflow.balance_before + b
    # Outflows tile what left the account, since each takes at least one unit: none can be left out unseen.
    left = inflow.rule_before + inflow.named_before
    for outflow in lookup.outflows(account.number, inflow.index):
        if outflow.rule_before + outflow.named_before != left:
            raise index_lies(account)
        left += outflow.amount
        c, d = pro_rata_cuts(outflow, [x, y])
        yield outflow, c, d
        x, y = x - c, y - d
        if x == y:
            return
    if left != account.rule_sum + account.named:
        raise index_lies(account)
    held.append(Run(x, y - x))
