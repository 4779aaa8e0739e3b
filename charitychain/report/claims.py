"""Claims: the outcomes of a period, by indicator, and how well each is attested.

Rules upheld here:

- An outcome counts whole, in one state: disputed, or signed by a stolen key; acknowledged, by whom it is; evidenced; or
  merely reported.
- What the audit flags (`charitychain.outcomes`), over the whole ledger, is told beside that.
- Indicators are one whatever their case and however their words are spaced; they are shown as first written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from charitychain import records
from charitychain.basis import Records
from charitychain.codec import folded
from charitychain.ends import Owners, end_of
from charitychain.errors import VerificationError
from charitychain.index import Index
from charitychain.outcomes import Outcomes
from charitychain.records import Place
from charitychain.state.flow import reversals_of
from charitychain.state.rules import State
from charitychain.tape import Run

__all__ = ["Claimed", "Claims"]


@dataclass(slots=True)
class Claimed:
    """What is claimed of one indicator. Statements and people are those of claims that nobody disputes.

    `quantities` has the quantity by state, and beside that ``flagged``: what of the undisputed the audit flags.
    """

    name: str
    statements: int = 0
    people: int = 0
    quantities: Counter[str] = field(default_factory=Counter)


class Claims:
    """Sees all outcomes of a ledger, in its order."""

    def __init__(self, known: Records, owners: Owners, beside: Index) -> None:
        self._known, self._owners, self._index = known, owners, beside
        self._outcomes = Outcomes(beside)
        self._names: dict[str, str] = {}
        self._counted: list[tuple[records.Outcome, Place]] = []

    def see(self, place: Place, record: records.Outcome, counted: bool) -> None:
        """Note an outcome, and whether it belongs to the period."""
        self._names.setdefault(folded(record.indicator), " ".join(record.indicator.split()))
        self._outcomes.note(record, lambda movement, amount: self._stood(place, record, movement, amount))
        if counted:
            self._counted.append((record, place))

    def _stood(self, place: Place, record: records.Outcome, movement: int, amount: int) -> int:
        """Return what stood of an expenditure where an outcome names it, each movement checked."""
        basis, index = self._known.basis, self._index
        outflow = index.movement(record.account, movement)
        undone = [back for back, _ in reversals_of(index, basis.accounts[record.account], outflow)]
        for moved in (outflow, *undone):
            basis.check_movement(moved)
        used = self._known.get(outflow.place)
        if not isinstance(used, records.Expenditure) or used.id not in record.of or outflow.amount != amount:
            raise VerificationError(
                "CC-INDEX", f"the index says another place of what {record.id!r} names than was sealed"
            )
        return amount - sum(back.amount for back in undone if back.place < place)

    def told(self, state: State) -> Iterator[Claimed]:
        """Yield what is claimed in the period, indicator by indicator."""
        flagged = self._outcomes.flagged(state) if self._counted else set()
        found: dict[str, Claimed] = {}
        for record, place in self._counted:
            key = folded(record.indicator)
            claimed = found.setdefault(key, Claimed(self._names[key]))
            end = end_of(self._known, self._owners, record.id, place, 1)
            came_to, how, _ = next(end.spread([Run(0, 1)]))
            came_to = "acknowledged" if how == "independent" else how or came_to
            claimed.quantities[came_to] += record.quantity
            if came_to != "disputed":
                claimed.statements += 1
                claimed.people += record.beneficiaries or 0
                claimed.quantities["flagged"] += record.quantity if record.id in flagged else 0
        for key in sorted(found):
            yield found[key]
