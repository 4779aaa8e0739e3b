"""Comparing two receipts of one gift: what was done with it in the past must stand, or be visibly undone.

An honest ledger only ever adds. So what an older receipt proved of a use may be less in a newer one only by what
reversals of just that use brought back, as the newer one shows them; refunds, conversions, what was sent and what was
never received stay as they were; only what was held may go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from charitychain.answers import Money, Trace

__all__ = ["changes"]


def changes(old: Trace, new: Trace) -> Iterator[str]:
    """Yield in words what of an older trace does not stand in a newer one, though nothing undid it."""
    undone = _sums((each.reverses, each.money) for each in new.corrections)
    undone.subtract(_sums((each.reverses, each.money) for each in old.corrections))
    for what, before, after, spared in (
        ("use", old.uses, new.uses, undone),
        ("refund", old.refunds, new.refunds, Counter[str]()),
        ("conversion", old.converted, new.converted, Counter[str]()),
        ("sending", old.sent, new.sent, Counter[str]()),
        ("reversal", old.reversed, new.reversed, Counter[str]()),
    ):
        now = _sums((each.id, each.money) for each in after)
        for id_, amount in sorted(_sums((each.id, each.money) for each in before).items()):
            if now[id_] + spared[id_] < amount:
                yield f"{what} {id_!r} took {amount} units of the gift, and takes {now[id_]} now"


def _sums(rows: Iterable[tuple[str, Money]]) -> Counter[str]:
    found = Counter[str]()
    for id_, money in rows:
        found[id_] += money.amount
    return found
