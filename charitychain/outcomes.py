"""Outcomes in an audit: claims that overlap, and claims beyond what was spent.

`charitychain.audit` lets `Outcomes` see every outcome of a replay and asks in the end. An outcome claims the amount it
states, or, where it states none, all that stood of the expenditures it names when it was said.

- An outcome *exceeds* where it claims more than stands of its expenditures, or where nothing of them stands.
- Outcomes of one indicator *overlap* where there is no way to share out what stands of their expenditures so that each
  gets what it claims, which is a maximum flow. Named are the outcomes that stand in each other's way, and no others:
  by Hall's theorem they claim more together than stands of all that they may draw on.
- Indicators are one whatever their case, and however their words are spaced.

>>> EXCEEDS, OVERLAP
('AUDIT-OUTCOME-EXCEEDS', 'AUDIT-OUTCOME-OVERLAP')
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from charitychain.codec import folded
from charitychain.findings import EXAMPLES, Finding, names
from charitychain.index import Index
from charitychain.records import Outcome
from charitychain.state.rules import State
from charitychain.units import format_amount

__all__ = ["EXCEEDS", "OVERLAP", "Outcomes"]

EXCEEDS, OVERLAP = "AUDIT-OUTCOME-EXCEEDS", "AUDIT-OUTCOME-OVERLAP"
_TABLES = (
    "CREATE TABLE audit_outcomes (id TEXT PRIMARY KEY, account INTEGER, indicator TEXT, told TEXT, claims INTEGER)"
    " WITHOUT ROWID",
    "CREATE TABLE audit_outcome_uses (outcome TEXT, use TEXT, indicator TEXT, movement INTEGER, amount INTEGER,"
    " PRIMARY KEY (outcome, use)) WITHOUT ROWID",
    "CREATE INDEX audit_outcomes_of ON audit_outcome_uses (use, indicator)",
)
_USES = (
    "SELECT id, account, claims, movement, amount FROM audit_outcomes JOIN audit_outcome_uses ON outcome = id"
    " ORDER BY id"
)
_SHARING = (
    "SELECT o.indicator, account, id, told, claims, use, movement, amount FROM audit_outcome_uses AS u"
    " JOIN audit_outcomes AS o ON id = outcome WHERE outcome IN (SELECT outcome FROM audit_outcome_uses WHERE"
    " (use, indicator) IN (SELECT use, indicator FROM audit_outcome_uses GROUP BY use, indicator HAVING count(*) > 1))"
    " ORDER BY o.indicator, account, id, use"
)


class Outcomes:
    """What was claimed, noted in the scratch index of a replay."""

    def __init__(self, index: Index) -> None:
        self._index = index
        for table in _TABLES:
            index.run(table)

    def see(self, state: State, record: Outcome) -> None:
        """Note an outcome that was just applied, and what stands of its expenditures now."""
        self.note(record, lambda movement, amount: _stands(state, record.account, movement, amount))

    def note(self, record: Outcome, stands: Callable[[int, int], int]) -> None:
        """Note an outcome; `stands` says what stood of an outflow, by number and amount, when it was said."""
        indicator, stood = folded(record.indicator), 0
        for use in record.of:
            row = self._index.find_id(use)
            assert row is not None and row.movement is not None  # the rules of outcomes held
            stood += stands(row.movement, row.amount)
            noted = (record.id, use, indicator, row.movement, row.amount)
            self._index.run("INSERT INTO audit_outcome_uses VALUES (?, ?, ?, ?, ?)", noted)
        claims = stood if record.amount is None else record.amount
        said = (record.id, record.account, indicator, record.indicator, claims)
        self._index.run("INSERT INTO audit_outcomes VALUES (?, ?, ?, ?, ?)", said)

    def flagged(self, state: State) -> set[str]:
        """Return the ids of all outcomes that exceed, or overlap with others."""
        found = {id_ for id_, *_ in self._beyond(state)}
        return found.union(*(ids for _, _, ids, _, _ in self._clashes(state)))

    def exceeding(self, state: State) -> Iterator[Finding]:
        """Yield each outcome that claims more than stands of its expenditures."""
        for id_, account, claims, stands in self._beyond(state):
            unit = state.unit_of(state.accounts[account])
            told, left = format_amount(claims, unit), format_amount(stands, unit)
            what = f"claims {told} {unit.code}" if claims else "stands on expenditures"
            yield Finding(
                EXCEEDS,
                f"Outcome {id_} {what}, of which {left} {unit.code} stands.",
                {"outcome": id_, "claimed": told, "stands": left, "unit": unit.code},
            )

    def _beyond(self, state: State) -> Iterator[tuple[str, int, int, int]]:
        for (id_, account, claims), uses in groupby(self._index.rows(_USES), key=itemgetter(0, 1, 2)):
            stands = sum(_stands(state, account, movement, amount) for *_, movement, amount in uses)
            if not stands or claims > stands:
                yield id_, account, claims, stands

    def overlapping(self, state: State) -> Iterator[Finding]:
        """Yield each set of outcomes of one indicator that cannot all be met by what stands of their expenditures."""
        for account, indicator, ids, claimed, stands in self._clashes(state):
            unit = state.unit_of(state.accounts[account])
            said, left = format_amount(claimed, unit), format_amount(stands, unit)
            yield Finding(
                OVERLAP,
                f"{len(ids)} outcomes count {indicator} and claim {said} {unit.code} together, of which {left}"
                f" {unit.code} stands: {names(ids[:EXAMPLES], len(ids))}.",
                {"indicator": indicator, "claimed": said, "stands": left, "unit": unit.code,
                 "outcomes": ids[:EXAMPLES], "count": len(ids)},
            )  # fmt: skip

    def _clashes(self, state: State) -> Iterator[tuple[int, str, list[str], int, int]]:
        """Yield outcomes that clash: account, indicator and ids, what they claim, and what stands (minor units)."""
        for (_, account), rows in groupby(self._index.rows(_SHARING), key=itemgetter(0, 1)):
            sharing, indicators = _Sharing(), dict[str, str]()
            for (id_, told, claims), uses in groupby(rows, key=itemgetter(2, 3, 4)):
                sharing.claim(id_, claims, {row[5]: _stands(state, account, row[6], row[7]) for row in uses})
                indicators[id_] = told
            for ids, claimed, stands in sharing.clashes():
                yield account, indicators[ids[0]], ids, claimed, stands


def _stands(state: State, account: int, movement: int, amount: int) -> int:
    """Return what of an expenditure was not reversed, minor units."""
    leaf = state.accounts[account].reversed.find(movement)
    return amount - (leaf.sum if leaf else 0)


@dataclass(slots=True)
class _Claim:
    """What outcomes that draw on the same expenditures claim together, and need still; minor units."""

    uses: tuple[str, ...]
    outcomes: list[str] = field(default_factory=list)
    claimed: int = 0
    need: int = 0


class _Sharing:
    """Shares out what stands of expenditures among those who claim it: a maximum flow.

    Whoever has no choice is served first: a claim with one expenditure left, an expenditure with one claim left. That
    alone settles all that closes no ring, such as chains, in linear time. The rest takes Edmonds and Karp's paths.
    """

    def __init__(self) -> None:
        self._stands: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self._claims: list[_Claim] = []
        self._by_uses: dict[tuple[str, ...], _Claim] = {}
        self._given: dict[str, dict[int, int]] = defaultdict(dict)  # by expenditure, then claim
        self._closed: set[str] = set()  # expenditures from which nothing that is left can be reached
        self._short: set[int] = set()  # the claims that hold them, and those that would

    def claim(self, outcome: str, amount: int, stands: Mapping[str, int]) -> None:
        """Note what an outcome claims of what stands of its expenditures.

        What it claims beyond all that stands of its own expenditures is no one else's fault, and is not asked for.
        """
        uses = tuple(use for use, stand in stands.items() if stand)
        if not uses:
            return
        self._stands.update(stands)
        claim = self._by_uses.get(uses)
        if claim is None:
            claim = self._by_uses[uses] = _Claim(uses)
            self._claims.append(claim)
        claim.outcomes.append(outcome)
        claim.claimed += min(amount, sum(stands.values()))

    def clashes(self) -> Iterator[tuple[list[str], int, int]]:
        """Yield outcomes that claim too much together, what they claim, and what stands of all they may draw on."""
        self._left = dict(self._stands)
        for claim in self._claims:
            claim.need = claim.claimed
        self._serve_forced()
        for number in range(len(self._claims)):
            self._serve(number)
        drawing: dict[str, list[int]] = defaultdict(list)
        for number in self._short:
            for use in self._claims[number].uses:
                drawing[use].append(number)
        clashes = []
        while self._short:
            clash, uses = [self._short.pop()], set[str]()
            for number in clash:  # which grows meanwhile
                for use in self._claims[number].uses:
                    if use not in uses:
                        uses.add(use)
                        met = self._short.intersection(drawing[use])
                        self._short -= met
                        clash += met
            claims = [self._claims[number] for number in clash]
            ids = sorted(id_ for claim in claims for id_ in claim.outcomes)
            clashes.append((ids, sum(claim.claimed for claim in claims), sum(self._stands[use] for use in uses)))
        yield from sorted(clashes)

    def _serve_forced(self) -> None:
        """Give where there is no choice, until there is choice everywhere."""
        choices = [set(claim.uses) for claim in self._claims]
        drawing: dict[str, set[int]] = defaultdict(set)
        for number, uses in enumerate(choices):
            for use in uses:
                drawing[use].add(number)
        forced = [(number, use) for number, uses in enumerate(choices) if len(uses) == 1 for use in uses]
        forced += [(number, use) for use, claims in drawing.items() if len(claims) == 1 for number in claims]
        while forced:
            number, use = forced.pop()
            if use not in choices[number]:
                continue
            claim = self._claims[number]
            amount = min(claim.need, self._left[use])
            claim.need -= amount
            self._left[use] -= amount
            self._given[use][number] = amount
            done = {(number, use)}
            done |= {(other, use) for other in drawing[use]} if not self._left[use] else set()
            done |= {(number, other) for other in choices[number]} if not claim.need else set()
            for other, spent in done:
                choices[other].remove(spent)
                drawing[spent].remove(other)
                if len(choices[other]) == 1:
                    forced += [(other, only) for only in choices[other]]
                if len(drawing[spent]) == 1:
                    forced += [(only, spent) for only in drawing[spent]]

    def _serve(self, number: int) -> None:
        """Give a claim what it needs still, moving others to other expenditures of theirs where that helps."""
        claim = self._claims[number]
        while claim.need:
            came, looked, end = self._reach(number)
            if end is None:  # and never will be: no path to what is left can lead through these any more
                self._closed |= looked
                self._short |= {number, *came}
                return
            claim.need -= self._move(number, claim.need, came, *end)

    def _reach(self, number: int) -> tuple[dict[int, tuple[str, int]], set[str], tuple[int, str] | None]:
        """Go from a claim to those that were given what it could draw on, and so on, until something is left.

        Returns:
            For each claim reached the expenditure it was given of, and who wants that; the expenditures looked at; and
            the claim and the expenditure that has something left, if there is one.
        """
        came: dict[int, tuple[str, int]] = {}
        waiting, seen, looked = deque([number]), {number}, set[str]()
        while waiting:
            at = waiting.popleft()
            for use in self._claims[at].uses:
                if self._left[use]:
                    return came, looked, (at, use)
                if use not in looked and use not in self._closed:
                    for other, held in self._given[use].items():
                        if held and other not in seen:
                            came[other] = use, at
                            waiting.append(other)
                            seen.add(other)
                    looked.add(use)
        return came, looked, None

    def _move(self, number: int, need: int, came: dict[int, tuple[str, int]], last: int, use: str) -> int:
        """Give `last` what is left of `use`, and each before it what the next one gives up; return how much."""
        amount, at = min(need, self._left[use]), last
        while at != number:
            held, before = came[at]
            amount, at = min(amount, self._given[held][at]), before
        self._left[use] -= amount
        at, gets = last, use
        while True:
            self._given[gets][at] = self._given[gets].get(at, 0) + amount
            if at == number:
                return amount
            held, before = came[at]
            self._given[held][at] -= amount
            at, gets = before, held
