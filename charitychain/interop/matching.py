"""Matching: which entries of a bank belong to which records of a ledger, by figures alone.

Pure: no file, no ledger, no clock. Rules upheld here:

- Each entry and each record is matched at most once, and both sides of a match have the same sum.
- A reference is stronger than an amount: first one to one by reference and amount, then one against several that share
  a reference and sum to it, then by amount and nearest day, at most `days` apart, the nearest pairs first.
- A record dated inside the period is preferred to one dated just outside of it.
- A record that another one reverses, and the reversal, are matched by amount last; if the bank saw neither, they cancel
  each other and are no finding.
- Deterministic: ties go to the earlier entry, then to the earlier record. The work grows with entries and records, not
  with their product.

What it cannot do: find which of many sums fits an entry without a shared reference. That would be a guess.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from charitychain.interop.bank import BankEntry
from charitychain.records import Place

__all__ = ["LedgerEntry", "Match", "Matching", "match"]

SHARED_MAX = 10_000
"""A reference that more records share than this says nothing together with others."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What one record moved into (above 0) or out of (below 0) the compared accounts together, in minor units.

    Attributes:
        id: Of the record; ``SERIES/FIRST..LAST`` for a batch of micro-gifts, which is one entry.
        date: Day as stated, else the UTC day on which it was sealed, ``YYYY-MM-DD``.
        references: What a bank may give to name it: its reference and its id (of a batch, the series).
        reverses: Id of the record that this one undoes.
    """

    id: str
    record: str
    date: str
    amount: int
    references: tuple[str, ...]
    text: str
    place: Place
    reverses: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """Entries of the bank and records of the ledger with the same sum; `by` is ``reference`` or ``amount``."""

    by: str
    bank: tuple[BankEntry, ...]
    ledger: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """What matched, what stands on one side only, and records of the period that cancel each other."""

    matches: tuple[Match, ...]
    only_bank: tuple[BankEntry, ...]
    only_ledger: tuple[LedgerEntry, ...]
    cancelled: tuple[tuple[LedgerEntry, ...], ...]


def match(
    bank: Sequence[BankEntry], inside: Sequence[LedgerEntry], outside: Sequence[LedgerEntry] = (), *, days: int = 5
) -> Matching:
    """Match a bank's entries with the records of a period.

    Args:
        inside: Records dated in the period.
        outside: Records dated just before or after it; they may be matched, and are no finding where they are not.
        days: How far apart an entry and a record of the same amount may be dated.
    """
    return _Matcher(bank, inside, outside, days).run()


class _Matcher:
    """Both sides by number: `bank[i]`, and `ledger[j]`, of which the first `inside` are dated in the period."""

    def __init__(
        self, bank: Sequence[BankEntry], inside: Sequence[LedgerEntry], outside: Sequence[LedgerEntry], days: int
    ) -> None:
        self.bank, self.ledger = list(bank), [*inside, *outside]
        self.inside, self.days = len(inside), days
        self.bank_day = [date.fromisoformat(entry.date).toordinal() for entry in self.bank]
        self.ledger_day = [date.fromisoformat(entry.date).toordinal() for entry in self.ledger]
        self.free_bank = [True] * len(self.bank)
        self.free_ledger = [True] * len(self.ledger)
        self.found: list[tuple[str, list[int], list[int]]] = []

    def run(self) -> Matching:
        for end in (self.inside, len(self.ledger)):
            self._pairs_by_reference(end)
            self._groups_by_reference(end)
        reversed_, period = self._in_reversals(), range(self.inside)
        self._pairs_by_amount(j for j in period if j not in reversed_)
        self._pairs_by_amount(j for j in period if j in reversed_)
        cancelled = self._cancelled()
        self._pairs_by_amount(range(self.inside, len(self.ledger)))
        matches = [
            Match(by, tuple(self.bank[i] for i in left), tuple(self.ledger[j] for j in right))
            for by, left, right in sorted(self.found, key=lambda item: item[1:])
        ]
        only_bank = tuple(entry for entry, free in zip(self.bank, self.free_bank, strict=True) if free)
        rest = zip(self.ledger[: self.inside], self.free_ledger[: self.inside], strict=True)
        return Matching(tuple(matches), only_bank, tuple(entry for entry, free in rest if free), cancelled)

    def _take(self, by: str, left: list[int], right: list[int]) -> None:
        for i in left:
            self.free_bank[i] = False
        for j in right:
            self.free_ledger[j] = False
        self.found.append((by, left, right))

    # -------------------------------------------------------------------------------------------- by reference

    def _pairs_by_reference(self, end: int) -> None:
        """Pair entry and record of the same amount that share a reference, the record nearest in date."""
        waiting: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        for j in range(end):
            if self.free_ledger[j]:
                for reference in self.ledger[j].references:
                    waiting[reference, self.ledger[j].amount].append((self.ledger_day[j], j))
        for rows in waiting.values():
            rows.sort()
        for i, entry in enumerate(self.bank):
            if not self.free_bank[i]:
                continue
            near = []
            for reference in entry.references:
                rows = waiting.get((reference, entry.amount), [])
                at = self._nearest(rows, self.bank_day[i])
                if at is not None:
                    near.append((abs(rows[at][0] - self.bank_day[i]), rows[at][1]))
            if near:
                self._take("reference", [i], [min(near)[1]])

    def _nearest(self, rows: list[tuple[int, int]], day: int) -> int | None:
        """Return where the free row nearest to a day stands; rows that were taken are dropped on the way."""
        while rows:
            at = bisect_left(rows, (day, -1))
            near = min((k for k in (at - 1, at) if 0 <= k < len(rows)), key=lambda k: (abs(rows[k][0] - day), rows[k]))
            if self.free_ledger[rows[near][1]]:
                return near
            del rows[near]
        return None

    def _groups_by_reference(self, end: int) -> None:
        """Match one entry with the records that share a reference and sum to it, then one record with entries."""
        records = [(j, self.ledger[j]) for j in range(end) if self.free_ledger[j]]
        right = _Shared((j, record.references, record.amount) for j, record in records)
        for i, entry in enumerate(self.bank):
            if self.free_bank[i] and (group := right.summing(entry.references, entry.amount)):
                self._take("reference", [i], group)
        left = _Shared((i, b.references, b.amount) for i, b in enumerate(self.bank) if self.free_bank[i])
        for j, record in records:
            if self.free_ledger[j] and (group := left.summing(record.references, record.amount)):
                self._take("reference", group, [j])

    # ----------------------------------------------------------------------------------------------- by amount

    def _pairs_by_amount(self, records: Iterable[int]) -> None:
        """Pair entry and record of the same amount, those of the same day first, then one day apart, and so on."""
        waiting: dict[tuple[int, int], deque[int]] = defaultdict(deque)
        for j in records:
            if self.free_ledger[j]:
                waiting[self.ledger[j].amount, self.ledger_day[j]].append(j)
        for apart in range(self.days + 1) if waiting else ():
            for i, entry in enumerate(self.bank):
                if not self.free_bank[i]:
                    continue
                for day in (self.bank_day[i] - apart, self.bank_day[i] + apart):
                    rows = waiting.get((entry.amount, day))
                    if rows:
                        self._take("amount", [i], [rows.popleft()])
                        break

    # --------------------------------------------------------------------------------------------- reversals

    def _in_reversals(self) -> set[int]:
        """Return the records of the period that are reversed or reverse."""
        undone = {entry.reverses for entry in self.ledger[: self.inside]} - {None}
        return {j for j in range(self.inside) if self.ledger[j].reverses is not None or self.ledger[j].id in undone}

    def _cancelled(self) -> tuple[tuple[LedgerEntry, ...], ...]:
        """Take out records and their reversals that sum to nothing and that no entry of the bank matched."""
        groups: dict[str, list[int]] = {}
        for j in range(self.inside):
            if self.free_ledger[j]:
                groups.setdefault(self.ledger[j].reverses or self.ledger[j].id, []).append(j)
        found = []
        for group in groups.values():
            if len(group) > 1 and sum(self.ledger[j].amount for j in group) == 0:
                for j in group:
                    self.free_ledger[j] = False
                found.append(tuple(self.ledger[j] for j in group))
        return tuple(found)


class _Shared:
    """Numbers by the references they have, with the sum of what is left under each reference."""

    def __init__(self, rows: Iterable[tuple[int, tuple[str, ...], int]]) -> None:
        self._rows = {number: (references, amount) for number, references, amount in rows}
        self._left: dict[str, set[int]] = defaultdict(set)
        self._sums: dict[str, int] = defaultdict(int)
        for number, (references, amount) in self._rows.items():
            for reference in set(references):
                self._left[reference].add(number)
                self._sums[reference] += amount

    def summing(self, references: Sequence[str], amount: int) -> list[int]:
        """Take and return all that is left under one of these references, or under all of them, if it sums so."""
        for reference in references:
            if self._left.get(reference) and self._sums[reference] == amount:
                return self._taken(self._left[reference])
        shared = [self._left[r] for r in references if 0 < len(self._left.get(r, ())) <= SHARED_MAX]
        if len(shared) > 1:
            union = set().union(*shared)
            if sum(self._rows[number][1] for number in union) == amount:
                return self._taken(union)
        return []

    def _taken(self, numbers: set[int]) -> list[int]:
        group = sorted(numbers)
        for number in group:
            references, amount = self._rows[number]
            for reference in set(references):
                self._left[reference].discard(number)
                self._sums[reference] -= amount
        return group
