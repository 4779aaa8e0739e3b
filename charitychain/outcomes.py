"""Outcomes in an audit: claims that overlap, and claims beyond what was spent.

`charitychain.audit` lets `Outcomes` see every outcome of a replay and asks in the end. Two outcomes of one indicator
that stand on one expenditure *overlap*, unless each says how much it claims and that is together no more than what
stands of their expenditures. An outcome *exceeds* where it claims more than stands of its expenditures, or where
nothing of them stands; so do all outcomes of one indicator and account that claim more together, where no two of them
do. Whether claims could be shared out over expenditures in every other way is not asked.

>>> EXCEEDS, OVERLAP
('AUDIT-OUTCOME-EXCEEDS', 'AUDIT-OUTCOME-OVERLAP')
"""

from __future__ import annotations

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
_SHARED = (
    "SELECT indicator, account, use, outcome FROM audit_outcome_uses AS a WHERE EXISTS (SELECT 1 FROM"
    " audit_outcome_uses AS b WHERE b.use = a.use AND b.indicator = a.indicator AND b.outcome <> a.outcome)"
    " ORDER BY indicator, account, use, outcome"
)
_CLAIMS = (
    "SELECT DISTINCT indicator, u.account, o.id, o.amount FROM audit_outcome_uses AS u JOIN audit_outcomes AS o"
    " ON o.id = u.outcome ORDER BY indicator, u.account, o.id"
)
_USES = "SELECT DISTINCT use FROM audit_outcome_uses WHERE indicator = ? AND account = ?"


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

        yield from self._together(state)

    def _together(self, state: State) -> Iterator[Finding]:
        """Yield each indicator of an account whose outcomes fit one by one and two by two, but not all together."""
        told = {(indicator, account) for indicator, account, _, _ in self._clashing(state)}
        for key, group in groupby(self._index.rows(_CLAIMS), key=itemgetter(0, 1)):
            ids, claimed, fits = list[str](), 0, key not in told
            count = 0
            for _, _, id_, amount in group:
                stands = sum(self._stands(state, use) for use in self._uses(id_))
                fits = fits and stands > 0 and (amount is None or amount <= stands)
                claimed += stands if amount is None else amount
                count += 1
                if len(ids) < EXAMPLES:
                    ids.append(id_)
            spent = sum(self._stands(state, row[0]) for row in self._index.rows(_USES, key))
            if count < 2 or not fits or claimed <= spent:
                continue
            indicator, account = key
            unit = state.unit_of(state.accounts[account])
            said, left = format_amount(claimed, unit), format_amount(spent, unit)
            yield Finding(
                EXCEEDS,
                f"{count} outcomes of {indicator} claim {said} {unit.code} together, of which {left} {unit.code}"
                f" stands: {names(ids, count)}.",
                {"indicator": indicator, "claimed": said, "stands": left, "unit": unit.code, "outcomes": ids,
                 "count": count},
            )  # fmt: skip

    def overlapping(self, state: State) -> Iterator[Finding]:
        """Yield each expenditure on which several outcomes of one indicator stand that do not fit together."""
        for indicator, account, use, ids in self._clashing(state):
            unit = state.unit_of(state.accounts[account])
            yield Finding(
                OVERLAP,
                f"{len(ids)} outcomes count {indicator} for expenditure {use}: {names(ids[:EXAMPLES], len(ids))}.",
                {"indicator": indicator, "expenditure": use, "unit": unit.code, "outcomes": ids[:EXAMPLES],
                 "count": len(ids)},
            )  # fmt: skip

    def _clashing(self, state: State) -> Iterator[tuple[str, int, str, list[str]]]:
        """Yield (indicator, account, expenditure, outcomes) wherever outcomes on one expenditure do not fit."""
        for (indicator, account, use), group in groupby(self._index.rows(_SHARED), key=itemgetter(0, 1, 2)):
            ids = [row[3] for row in group]
            amounts = [self._claimed(id_) for id_ in ids]
            behind = {name for id_ in ids for name in self._uses(id_)}
            if None not in amounts and sum(filter(None, amounts)) <= sum(self._stands(state, name) for name in behind):
                continue
            yield indicator, account, use, ids

    def _uses(self, outcome: str) -> list[str]:
        return [row[0] for row in self._index.rows("SELECT use FROM audit_outcome_uses WHERE outcome = ?", (outcome,))]

    def _claimed(self, outcome: str) -> int | None:
        amount: int | None = self._index.one("SELECT amount FROM audit_outcomes WHERE id = ?", (outcome,))[0]
        return amount

    def _stands(self, state: State, use: str) -> int:
        """Return what of an expenditure was not reversed, minor units."""
        row = self._index.find_id(use)
        if row is None or row.account is None or row.movement is None:
            return 0
        leaf = state.accounts[row.account].reversed.find(row.movement)
        return row.amount - (leaf.sum if leaf else 0)
