"""Lag: how long after the day that a record states it was sealed.

Rules upheld here:

- A month or a year that is stated ends on its last day: nothing is late that may have been on time.
- What is stated up to one day ahead of its sealing counts as on time: clocks stand in different zones. More than that
  is counted as ahead.
- Memory is bounded by the calendar, not by the ledger: a histogram by days.

>>> from charitychain.records import Donation
>>> lag, noon = Lag(), 20_000 * 86_400 + 43_200  # 2024-10-04
>>> for date in ("2024-10-04", "2024-10-01", "2024-09"):
...     lag.see(Donation(f"D-{date}", 0, 100, date=date), noon)
>>> lag.measure()
Measured(dated=3, median=3, largest=4, id='D-2024-09', ahead=0)
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from charitychain import records
from charitychain.basis import day, lag_days

__all__ = ["Lag", "Measured"]

_DAY = 86_400
_WAITING = 10_000
_LONGEST = 40_000
"""Days beyond which the histogram does not tell apart; the largest is kept by itself."""


class Measured(NamedTuple):
    """The lags in days of all `dated` records; `id` is that of the one with the largest, where it has an id."""

    dated: int
    median: int
    largest: int
    id: str | None
    ahead: int


class Lag:
    """Collects lags record by record."""

    def __init__(self) -> None:
        self._days: Counter[int] = Counter()
        self._largest = self._ahead = 0
        self._id: str | None = None
        self._sealed = 0
        self._waiting: dict[str, tuple[int, str | None]] = {}

    def see(self, record: records.Record, sealed: int) -> None:
        """Count a record; `sealed` is the time of its block, UTC seconds."""
        stated = getattr(record, "date", None)
        if stated is None:
            return
        today = sealed // _DAY
        if today != self._sealed or len(self._waiting) >= _WAITING:
            self._count()
            self._sealed = today
        count, first = self._waiting.get(stated) or (0, records.record_id(record))
        self._waiting[stated] = (count + 1, first)

    def _count(self) -> None:
        for stated, (count, first) in self._waiting.items():
            lag = lag_days(stated, day(self._sealed * _DAY))
            if lag < -1:
                self._ahead += count
            if lag > self._largest:
                self._largest, self._id = lag, first
            self._days[min(max(lag, 0), _LONGEST)] += count
        self._waiting.clear()

    def measure(self) -> Measured:
        """Return what was collected so far; the median is the lower of two."""
        self._count()
        count = sum(self._days.values())
        median, seen = 0, 0
        for median in sorted(self._days):
            seen += self._days[median]
            if 2 * seen >= count:
                break
        return Measured(count, median, self._largest, self._id, self._ahead)
