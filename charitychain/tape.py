"""The tape: following money as a map on boundaries.

Money is fungible, so a trace needs a rule that is exact, cheap and the same for everybody.
Each account is a tape of units in order of arrival: a gift of 500 that comes when 12,000 have come in holds the
stretch ``[12000, 12500)``. An outflow takes units from the tape, and what it took is laid, in order, on the end of
the target's tape. A stretch of units is known by its two ends, and every rule is a monotone map on those ends:

- *rule, pro-rata*: `pro_rata_cut` says how many of the first `z` units of the balance an outflow takes;
- *rule, fifo*: `fifo_cut` says the same for the first x remaining units;
- *named* and *refund*: `named_cut` says it for listed runs of the tape;
- *conversion*: `convert` maps a position in S units to one in M units;
- *reversal*: `pro_rata_cut` once more, over what is left of the outflow that is undone.

Rules upheld here:

- Integers only; every division is a floor, and the parts of a whole always sum to it, since they are differences of
  one map at neighbouring ends.
- Each cut `f` has ``f(0) = 0``, ``f(balance) = amount`` and ``0 <= f(z + 1) - f(z) <= 1``: an outflow takes each unit
  once or not at all.

This module knows nothing of accounts, records or storage.

>>> [pro_rata_cut(z, amount=2, balance=4, phi=0) for z in range(5)]
[0, 0, 1, 1, 2]
>>> convert(3, given=5, taken=10)
1
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["Run", "clip", "common_runs", "convert", "fifo_cut", "first_units", "join_runs", "named_cut", "pro_rata_cut"]


class Run(NamedTuple):
    """An uninterrupted run of units: where it starts and how many units it holds."""

    position: int
    length: int


def pro_rata_cut(z: int, *, amount: int, balance: int, phi: int) -> int:
    """Return how many of the first `z` units of a balance an even take of `amount` takes.

    Args:
        z: A boundary in the balance, 0..balance.
        amount: Units taken, 1..balance.
        balance: Units there before the take.
        phi: What was taken evenly before, mod `balance`: it gives back next time what rounding took. Without it
            early units would stay unspent and late ones be used up.
    """
    return (z * amount + phi) // balance


def fifo_cut(rank: int, *, rule_before: int, amount: int) -> int:
    """Return how many of the units below `rank` an outflow takes by fifo.

    Args:
        rank: A boundary counted in units that no named take cut out, from the start of the tape.
        rule_before: Units that the rule took from this account before.
        amount: Units this outflow takes.
    """
    return min(max(rank - rule_before, 0), amount)


def named_cut(position: int, takes: Iterable[Run]) -> int:
    """Return how many units below `position` are in `takes` (ascending, disjoint runs)."""
    total = 0
    for start, length in takes:
        if start >= position:
            break
        total += min(position - start, length)
    return total


def convert(position: int, *, given: int, taken: int) -> int:
    """Map a boundary in the `taken` units of a conversion to one in the `given` units: ``⌊p·given/taken⌋``."""
    return position * given // taken


def first_units(runs: Iterable[Run], amount: int) -> tuple[list[Run], int]:
    """Return the first `amount` units of ascending `runs`, and how many of the amount could not be found."""
    taken: list[Run] = []
    for position, length in runs:
        if amount == 0:
            break
        part = min(length, amount)
        taken.append(Run(position, part))
        amount -= part
    return taken, amount


def join_runs(runs: Iterable[Run]) -> list[Run]:
    """Return ascending, disjoint `runs` with neighbours that touch made one."""
    joined: list[Run] = []
    for run in runs:
        if joined and joined[-1].position + joined[-1].length == run.position:
            joined[-1] = Run(joined[-1].position, joined[-1].length + run.length)
        else:
            joined.append(run)
    return joined


def common_runs(some: Sequence[Run], others: Sequence[Run]) -> list[Run]:
    """Return the units that are in both of two lists of ascending, disjoint runs."""
    found: list[Run] = []
    i = j = 0
    while i < len(some) and j < len(others):
        end, other_end = (run.position + run.length for run in (some[i], others[j]))
        low, high = max(some[i].position, others[j].position), min(end, other_end)
        if low < high:
            found.append(Run(low, high - low))
        i, j = i + (end <= other_end), j + (other_end <= end)
    return found


def clip(seen: Sequence[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """Return the parts of ``[start, end)`` that none of `seen` (ascending, disjoint stretches) covers."""
    parts: list[tuple[int, int]] = []
    for a, b in seen:
        if b <= start:
            continue
        if a >= end:
            break
        if a > start:
            parts.append((start, a))
        start = max(start, b)
    if start < end:
        parts.append((start, end))
    return parts
