"""Outcomes in an audit: claims that overlap, and claims beyond what was spent.

`charitychain.audit` lets `Outcomes` see every outcome of a replay and asks in the end. An outcome claims the amount it
states, or, where it states none, all that stands of the expenditures it names.

- An outcome *exceeds* where it claims more than stands of its expenditures, or where nothing of them stands.
- Outcomes of one indicator *overlap* where there is no way to share out what stands of their expenditures so that each
  gets what it claims, which is a maximum flow. Named are the outcomes that stand in each other's way, and no others:
  by Hall's theorem they claim more together than stands of all that they may draw on.

>>> EXCEEDS, OVERLAP
('AUDIT-OUTCOME-EXCEEDS', 'AUDIT-OUTCOME-OVERLAP')
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from charitychain.findings import EXAMPLES, Finding, names
from charitychain.index import Index
from charitychain.records import Outcome
from charitychain.state.rules import State
from charitychain.units import format_amount

__all__ = ["EXCEEDS", "OVERLAP", "Outcomes"]

EXCEEDS, OVERLAP = "AUDIT-OUTCOME-EXCEEDS", "AUDIT-OUTCOME-OVERLAP"
_TABLES = (
    "CREATE TABLE audit_outcomes (id TEXT PRIMARY KEY, account INTEGER, amount INTEGER) WITHOUT ROWID",
    "CREATE TABLE audit_outcome_uses (indicator TEXT, account INTEGER, use TEXT, outcome TEXT)",
)
_SHARING = (
    "SELECT DISTINCT indicator, account, outcome FROM audit_outcome_uses AS a WHERE EXISTS (SELECT 1 FROM"
    " audit_outcome_uses AS b WHERE b.use = a.use AND b.indicator = a.indicator AND b.outcome <> a.outcome)"
    " ORDER BY indicator, account, outcome"
)


class Outcomes:
    """What was claimed, noted in the scratch index of a replay."""

    def __init__(self, index: Index) -> None:
        self._index = index
        for table in _TABLES:
            index.run(table)
        index.run("CREATE INDEX audit_outcomes_of ON audit_outcome_uses (use, indicator)")
        index.run("CREATE INDEX audit_uses_of ON audit_outcome_uses (outcome)")

    def see(self, state: State, record: Outcome) -> None:
        """Note an outcome that was just applied."""
        self._index.run("INSERT INTO audit_outcomes VALUES (?, ?, ?)", (record.id, record.account, record.amount))
        for use in record.of:
            row = (record.indicator, record.account, use, record.id)
            self._index.run("INSERT INTO audit_outcome_uses VALUES (?, ?, ?, ?)", row)

    def exceeding(self, state: State) -> Iterator[Finding]:
        """Yield each outcome that claims more than stands of its expenditures."""
        for id_, account, amount in self._index.rows("SELECT id, account, amount FROM audit_outcomes ORDER BY id"):
            stands = sum(self._stands(state, use) for use in self._uses(id_))
            if stands and (amount is None or amount <= stands):
                continue
            unit = state.unit_of(state.accounts[account])
            left = format_amount(stands, unit)
            told = format_amount(amount, unit) if amount is not None else None
            what = f"claims {told} {unit.code}" if told is not None else "stands on expenditures"
            yield Finding(
                EXCEEDS,
                f"Outcome {id_} {what}, of which {left} {unit.code} stands.",
                {"outcome": id_, "claimed": told, "stands": left, "unit": unit.code},
            )

    def overlapping(self, state: State) -> Iterator[Finding]:
        """Yield each set of outcomes of one indicator that cannot all be met by what stands of their expenditures."""
        for (indicator, account), group in groupby(self._index.rows(_SHARING), key=itemgetter(0, 1)):
            sharing = _Sharing()
            for _, _, id_ in group:
                amount: int | None = self._index.one("SELECT amount FROM audit_outcomes WHERE id = ?", (id_,))[0]
                sharing.claim(id_, amount, {use: self._stands(state, use) for use in self._uses(id_)})
            unit = state.unit_of(state.accounts[account])
            for ids, claimed, stands in sharing.clashes():
                said, left = format_amount(claimed, unit), format_amount(stands, unit)
                yield Finding(
                    OVERLAP,
                    f"{len(ids)} outcomes count {indicator} and claim {said} {unit.code} together, of which {left}"
                    f" {unit.code} stands: {names(ids[:EXAMPLES], len(ids))}.",
                    {"indicator": indicator, "claimed": said, "stands": left, "unit": unit.code,
                     "outcomes": ids[:EXAMPLES], "count": len(ids)},
                )  # fmt: skip

    def _uses(self, outcome: str) -> list[str]:
        return [row[0] for row in self._index.rows("SELECT use FROM audit_outcome_uses WHERE outcome = ?", (outcome,))]

    def _stands(self, state: State, use: str) -> int:
        """Return what of an expenditure was not reversed, minor units."""
        row = self._index.find_id(use)
        if row is None or row.account is None or row.movement is None:
            return 0
        leaf = state.accounts[row.account].reversed.find(row.movement)
        return row.amount - (leaf.sum if leaf else 0)


class _Sharing:
    """Shares out what stands of expenditures among the outcomes that claim it: Edmonds and Karp's maximum flow."""

    def __init__(self) -> None:
        self._stands: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self._claims: dict[str, int] = {}
        self._uses: dict[str, list[str]] = {}
        self._given: dict[str, dict[str, int]] = {}  # by expenditure, then outcome
        self._unmet: list[str] = []

    def claim(self, outcome: str, amount: int | None, stands: dict[str, int]) -> None:
        """Give an outcome what it claims, moving others to other expenditures of theirs where that helps.

        What it claims beyond all that stands of its own expenditures is no one else's fault, and is not asked for.
        """
        for use, stand in stands.items():
            if use not in self._stands:
                self._stands[use] = self._left[use] = stand
                self._given[use] = {}
        whole = sum(stands.values())
        need = self._claims[outcome] = whole if amount is None else min(amount, whole)
        self._uses[outcome] = list(stands)
        while need:
            came, end = self._reach(outcome)
            if end is None:
                self._unmet.append(outcome)
                return
            need -= self._move(outcome, need, came, *end)

    def clashes(self) -> Iterator[tuple[list[str], int, int]]:
        """Yield outcomes that claim too much together, what they claim, and what stands of all they may draw on."""
        clashing: list[set[str]] = []
        for outcome in self._unmet:
            ids = {outcome, *self._reach(outcome)[0]}
            clashing = [each for each in clashing if not each & ids] + [
                ids.union(*(each for each in clashing if each & ids))
            ]
        for ids in clashing:
            uses = {use for id_ in ids for use in self._uses[id_]}
            yield sorted(ids), sum(self._claims[id_] for id_ in ids), sum(self._stands[use] for use in uses)

    def _reach(self, outcome: str) -> tuple[dict[str, tuple[str, str]], tuple[str, str] | None]:
        """Go from an outcome to those that were given what it could draw on, and so on, until something is left.

        Returns:
            For each outcome reached the expenditure it was given of, and who wants that; and the outcome and the
            expenditure that has something left, if there is one.
        """
        came: dict[str, tuple[str, str]] = {}
        waiting, seen, looked = deque([outcome]), {outcome}, set[str]()
        while waiting:
            at = waiting.popleft()
            for use in self._uses[at]:
                if self._left[use]:
                    return came, (at, use)
                if use not in looked:
                    for other in self._given[use]:
                        if other not in seen:
                            came[other] = use, at
                            waiting.append(other)
                            seen.add(other)
                    looked.add(use)
        return came, None

    def _move(self, outcome: str, need: int, came: dict[str, tuple[str, str]], last: str, use: str) -> int:
        """Give `last` what is left of `use`, and each before it what the next one gives up; return how much."""
        amount, at = min(need, self._left[use]), last
        while at != outcome:
            held, before = came[at]
            amount, at = min(amount, self._given[held][at]), before
        self._left[use] -= amount
        at, gets = last, use
        while True:
            self._given[gets][at] = self._given[gets].get(at, 0) + amount
            if at == outcome:
                return amount
            held, before = came[at]
            self._given[held][at] -= amount
            if not self._given[held][at]:
                del self._given[held][at]
            at, gets = before, held
