"""Comparing two receipts of one gift: what was done with it in the past must stand, or be visibly undone.

An honest ledger only ever adds. So what an older receipt proved of a use, or of what was sent, may be less in a newer
one only by what reversals of just that brought back, as the newer one shows them; refunds, conversions and what was
never received stay as they were; only what was held may go on. Of other ledgers that both tell of, it is the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from charitychain.answers import Money, Trace

__all__ = ["changes"]


def changes(old: Trace, new: Trace) -> Iterator[str]:
    """Yield in words what of an older trace does not stand in a newer one, though nothing undid it."""
    yield from _changes([old], [new])


def _changes(old: Sequence[Trace], new: Sequence[Trace]) -> Iterator[str]:
    """Yield the same of traces that together tell of one gift."""
    undone = _sums((each.reverses, each.money) for trace in new for each in trace.corrections)
    undone.subtract(_sums((each.reverses, each.money) for trace in old for each in trace.corrections))
    for what, name in (
        ("use", "uses"), ("sending", "sent"), ("refund", "refunds"), ("conversion", "converted"),
        ("reversal", "reversed"),
    ):  # fmt: skip
        before = [(each.id, each.money) for trace in old for each in getattr(trace, name)]
        now = _sums((each.id, each.money) for trace in new for each in getattr(trace, name))
        units = {id_: money.unit for id_, money in before}
        for id_, amount in sorted(_sums(before).items()):
            spared = undone[id_] if what in ("use", "sending") else 0
            if now[id_] + spared < amount:
                was, left = (f"{Money(sum_, units[id_])} {units[id_].code}" for sum_ in (amount, now[id_]))
                yield f"{what} {id_!r} took {was} of the gift, and takes {left} now"
    told, now_told = _elsewhere(old), _elsewhere(new)
    for key in sorted(told.keys() & now_told.keys()):
        for change in _changes(told[key], now_told[key]):
            yield f"in {told[key][0].ledger['origin']}, {change}"


def _elsewhere(traces: Iterable[Trace]) -> dict[tuple[str, str], list[Trace]]:
    """Return how a gift went on in other ledgers, by what was sent and the record that received it."""
    found: dict[tuple[str, str], list[Trace]] = defaultdict(list)
    for sent in (sent for trace in traces for sent in trace.sent):
        for part in sent.received:
            found[sent.id, part.donation].append(part)
    return found


def _sums(rows: Iterable[tuple[str, Money]]) -> Counter[str]:
    found = Counter[str]()
    for id_, money in rows:
        found[id_] += money.amount
    return found
