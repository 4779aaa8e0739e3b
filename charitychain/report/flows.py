"""Flows: what all gifts of a unit have come to, as one walk.

Rules upheld here:

- Units are followed along what paid for what; what a sponsor's money was exchanged for is told apart as earned.
- States sum to what is asked about, in its own unit. What was acknowledged of an expenditure is spread evenly over the
  units that it used, as in a trace, so that sums over single gifts and over all are the same.
- What was converted counts by what became of all that it bought. Of money m that bought g goods, of which a came to
  some state or a better one, ⌊m·a/g⌋ did; and any stretch of that money has its share by a map on boundaries, state by
  state. So what a gift has come to does not hang on which others are asked about, and parts sum to the whole.
- Work is bounded; what lies beyond is "not followed".
"""

from __future__ import annotations

import bisect
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from charitychain import answers, records
from charitychain.ends import End, compromised, end_of
from charitychain.errors import VerificationError
from charitychain.reading import Reader
from charitychain.report.scan import Scan
from charitychain.state.flow import PIECE_LIMIT, Flow, follow_all, reversals_of
from charitychain.state.lookup import Lookup
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.tape import Run

__all__ = ["STATES", "Fates"]

_TOLD = {"in transit": ("transit",), "acknowledged": ("acknowledged", "operator", "stand-in"),
         "converted": ("earned",)}  # fmt: skip
STATES = tuple(state for ended in answers.STATES for state in _TOLD.get(ended, (ended,)))
"""What units may have come to, told in the order of a trace; ``acknowledged`` is by an independent key."""
_BEST_FIRST = (
    "acknowledged", "operator", "stand-in", "evidenced", "reported", "held", "transit",
    *STATES[STATES.index("disputed") :],
)  # fmt: skip
_SAID = {"independent": "acknowledged", "recipient": "acknowledged", "in transit": "transit"}
_KEPT = 200_000


class _Kept:
    """Look-ups in the index of which the last are kept."""

    def __init__(self, reader: Reader) -> None:
        self._index, self._reader = reader.index, reader
        self._movements: OrderedDict[Ref, Movement] = OrderedDict()
        self._outflows: OrderedDict[int, tuple[list[Movement], list[int]]] = OrderedDict()

    def movement(self, account: int, index: int) -> Movement:
        key = (account, index)
        found = self._movements.get(key)
        if found is None:
            found = self._movements[key] = self._index.movement(account, index)
            if len(self._movements) > _KEPT:
                self._movements.popitem(last=False)
        return found

    def outflows(self, account: int, after: int, before: int | None = None) -> Iterator[Movement]:
        if account not in self._outflows:
            found = list(self._index.outflows(account, -1))
            while self._outflows and len(found) + sum(len(kept) for kept, _ in self._outflows.values()) > _KEPT:
                self._outflows.popitem(last=False)
            self._outflows[account] = found, [movement.index for movement in found]
        listed, numbers = self._outflows[account]
        for at in range(bisect.bisect_right(numbers, after), len(listed)):
            if before is not None and numbers[at] >= before:
                return
            yield listed[at]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)


class Fates:
    """Says what stretches of inflows have come to; each end is read once, and each purchase followed once."""

    def __init__(self, seen: Scan) -> None:
        self._seen, self._reader = seen, seen.reader
        # Enough for every movement to be met several times; circles between even accounts can multiply pieces.
        self._left = max(20 * PIECE_LIMIT, 4 * sum(account.log.size for account in seen.reader.state.accounts))
        self._lookup = cast(Lookup, _Kept(seen.reader))
        self._checked: set[Ref] = set()
        self._ends: dict[Ref, End] = {}
        self._became: dict[Ref, Counter[str]] = {}  # all that a conversion gave, by the inflow that it made

    def of(self, stretches: Mapping[Ref, Sequence[tuple[int, int]]]) -> tuple[Counter[str], Counter[str]]:
        """Return amounts by state, and those of them that were converted on the way."""
        flow = self._walk(stretches)
        self._settle(self._bought(flow))
        return self._sum(flow)

    def _walk(self, stretches: Mapping[Ref, Sequence[tuple[int, int]]]) -> Flow:
        reader = self._reader
        flow = follow_all(self._lookup, reader.state.accounts, stretches, limit=max(self._left, 0))
        reader.check_movements(flow.touched - self._checked)
        self._checked |= flow.touched
        self._left -= len(flow.touched)
        return flow

    def _bought(self, flow: Flow) -> list[Ref]:
        """Return the inflows that units of a walk bought and nothing is known of yet."""
        found = []
        for ref in flow.used:
            outflow = self._lookup.movement(*ref)
            if outflow.kind == Kind.CONVERTED_OUT and outflow.target not in self._became:
                assert outflow.target is not None
                if self._lookup.movement(*outflow.target).second is None:  # nobody else funded it
                    found.append(outflow.target)
        return found

    def _settle(self, waiting: list[Ref]) -> None:
        """Find what became of all that was bought, and first of what that bought: each lies later in the ledger."""
        walks: dict[Ref, Flow] = {}
        while waiting:
            ref = waiting[-1]
            if ref in self._became:
                waiting.pop()
                continue
            given = self._lookup.movement(*ref).amount
            if ref not in walks:
                walks[ref] = self._walk({ref: [(0, given)]})
            further = self._bought(walks[ref])
            if further:
                waiting += further
                continue
            became, _ = self._sum(walks.pop(ref))
            if sum(became.values()) != given:
                raise VerificationError(
                    "CC-INDEX", "what became of goods does not sum to them; remove the index, it is made anew"
                )
            self._became[ref] = became

    def _sum(self, flow: Flow) -> tuple[Counter[str], Counter[str]]:
        found, goods = Counter[str](), Counter[str]()
        for ref, runs in flow.used.items():
            outflow = self._lookup.movement(*ref)
            if outflow.kind == Kind.CONVERTED_OUT:
                goods.update(self._converted(outflow, runs))
                continue
            for state, how, amount in self._end(outflow).spread(runs):
                found[_SAID.get(how or state, how or state)] += amount
        for use, amount in flow.refunds.items():
            place = self._lookup.movement(*use.outflow).place
            found["refunded" if compromised(self._seen.known, place) is None else "disputed"] += amount
        for use, runs in flow.sent.items():
            place = self._lookup.movement(*use.outflow).place
            state = "sent" if compromised(self._seen.known, place) is None else "disputed"
            found[state] += sum(run.length for run in runs)
        for state, amounts in (("reversed", flow.voided.values()), ("not followed", flow.remainder.values())):
            found[state] += sum(amounts)
        for ref, runs in flow.held.items():
            for state, amount, _ in self._seen.arrivals.rests(self._lookup.movement(*ref), runs):
                found[_SAID.get(state, state)] += amount
        found.update(goods)
        return found, goods

    def _end(self, outflow: Movement) -> End:
        """Return what an expenditure has come to."""
        ref = (outflow.account, outflow.index)
        if ref not in self._ends:
            known, account = self._seen.known, self._reader.state.accounts[outflow.account]
            record = known.get(outflow.place)
            assert isinstance(record, records.Expenditure)
            undone = [(back.place, back.amount) for back, _ in reversals_of(self._lookup, account, outflow)]
            self._ends[ref] = end_of(known, self._seen.owners, record.id, outflow.place, record.amount, undone=undone)
        return self._ends[ref]

    def _converted(self, outflow: Movement, runs: Iterable[Run]) -> dict[str, int]:
        """Return what became of units that were converted: their share of what became of all that was bought."""
        bounds = [(run.position, run.position + run.length) for run in runs]
        units, found = sum(high - low for low, high in bounds), dict[str, int]()
        assert outflow.target is not None
        inflow = self._lookup.movement(*outflow.target)
        if inflow.second is not None:
            return {"earned": units}
        became, whole, better = self._became[outflow.target], outflow.amount, inflow.amount
        for state in reversed(_BEST_FIRST):
            better -= became[state]
            part = outflow.amount * better // inflow.amount
            bounds = [(low * part // whole, high * part // whole) for low, high in bounds] if whole else []
            inside = sum(high - low for low, high in bounds)
            found[state], units, whole = units - inside, inside, part
        return found
