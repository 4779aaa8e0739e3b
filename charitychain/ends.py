"""Ends: what is known of a record beyond that somebody wrote it.

A use is *reported* by whoever spent; *evidenced* where it names documents by their hashes; *acknowledged* where
somebody other than the payer says that it arrived; *disputed* where somebody denies it, or the key that signed it was
compromised then; *lost* where it says itself that value was lost. What is on its way from one
owner to another is told by `charitychain.arrivals`.

Rules upheld here:

- Each acknowledgement that is shown was read from its block, and its signature checked.
- What a party acknowledged since it last disputed the record sums up. A dispute withdraws what the same party said
  before, and stands as far as the party does not acknowledge it afterwards. Without an amount a word is about all of
  what stood then that the party had not acknowledged.
- How much is disputed is what the party says that disputes most. Of the rest, as much is acknowledged as the party says
  that acknowledged most. It is told by how independent a party said it: what an independent one acknowledged first,
  what only others did after it.
- Who owned an account then counts, not who owns it now. A stand-in's word is shown as such, and for whom it speaks.
- Where a key was compromised from some block on, everything that it signed from there is disputed, and nothing erased;
  words that it signed are shown, and count for nothing.

The index finds acknowledgements; that it left one out can only be seen by `charitychain.verify`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from charitychain import records
from charitychain.basis import Records
from charitychain.records import Place
from charitychain.state.accounts import Summary
from charitychain.state.lookup import Link
from charitychain.state.movements import Kind
from charitychain.state.terms import days_of
from charitychain.tape import Run
from charitychain.units import Unit, format_amount

__all__ = [
    "HOW", "Acknowledged", "End", "Owners", "Undone", "compromised", "end_of", "is_late", "undone_of",
]  # fmt: skip

HOW = ("independent", "recipient", "operator", "stand-in")
"""How independent of the payer whoever acknowledges is, the best first."""

Undone = Sequence[tuple[Place, int]]
"""The reversals of a record: where each stands, and how much it undid in minor units."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One word about a record: by whom, how independent of the payer, and of how much (minor units).

    `date`, `sealed`, `lag_days` and `late` are as in a use of a gift. `void` says why the word counts for nothing.
    """

    id: str
    by: str
    how: str
    amount: int
    disputed: bool
    on_behalf_of: str | None
    date: str
    sealed: str
    lag_days: int = 0
    late: bool = False
    void: str | None = None

    def to_dict(self, unit: Unit | None) -> dict[str, Any]:
        """Return the word as the documented JSON object; without a unit it is about no amount."""
        found = {
            "id": self.id, "by": self.by, "how": self.how,
            "amount": format_amount(self.amount, unit) if unit is not None else None,
            "status": "disputed" if self.disputed else "received", "on_behalf_of": self.on_behalf_of,
            "date": self.date, "sealed": self.sealed, "lag_days": self.lag_days, "late": self.late or None,
            "void": self.void,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class End:
    """What a record has come to. Amounts are minor units of what stands of it.

    Attributes:
        rest: What it is as far as nobody confirms or denies it: ``reported``, ``evidenced`` or ``lost``.
        stands: How much of the record was not reversed.
        words: Everything that was said about it.
        why: Why it is disputed, if it is.
        disputed: How much of it is.
        levels: For each of `HOW` that adds some, how much such a party, or a more independent one, acknowledged of
            the rest, rising; none where the record says that value was lost.
    """

    rest: str
    stands: int
    words: tuple[Acknowledged, ...] = ()
    why: str | None = None
    disputed: int = 0
    levels: tuple[tuple[str, int], ...] = ()

    @property
    def state(self) -> str:
        """The record in one word or two: what is disputed goes before what is acknowledged."""
        for state, amount in (("disputed", self.disputed), ("acknowledged", self.acknowledged_amount)):
            if amount:
                return state if amount >= self.stands else f"partly {state}"
        return self.rest

    def confirming(self) -> list[Acknowledged]:
        """Return the words that count as acknowledging: none that their party has withdrawn, or a stolen key signed."""
        found: list[Acknowledged] = []
        for word in self.words:
            if word.void is None and word.disputed:
                found = [each for each in found if each.by != word.by]
            elif word.void is None:
                found.append(word)
        return found

    @property
    def acknowledged_amount(self) -> int:
        """How much is acknowledged."""
        return self.levels[-1][1] if self.levels else 0

    def spread(self, runs: Iterable[Run]) -> Iterator[tuple[str, str | None, int]]:
        """Yield (state, how, units) of what runs in what stands have come to; together they are all units of the runs.

        Each state is an even part of what it is out of: of all that stands, the part that is acknowledged or disputed;
        of that the part that is acknowledged, of that what better witnesses acknowledged, and so on. Boundary z goes
        to ⌊z·part/whole⌋ each time, so over runs that cover the whole the units of each state are what is said of it.

        >>> list(End("reported", 6, levels=(("independent", 2), ("operator", 3))).spread([Run(0, 6)]))
        [('reported', None, 3), ('acknowledged', 'operator', 1), ('acknowledged', 'independent', 2)]
        """
        steps: list[tuple[str, str | None, int]] = [("acknowledged", how, amount) for how, amount in self.levels]
        steps.append(("disputed", None, self.acknowledged_amount + self.disputed))
        bounds = [(run.position, run.position + run.length) for run in runs]
        state, how, whole = self.rest, None, self.stands
        units = sum(high - low for low, high in bounds)
        for inner, its_how, part in reversed(steps):
            bounds = [(low * part // whole, high * part // whole) for low, high in bounds] if whole else []
            inside = sum(high - low for low, high in bounds)
            if units > inside:
                yield state, how, units - inside
            state, how, whole, units = inner, its_how, part, inside
        if units:
            yield state, how, units

    def to_dict(self, unit: Unit | None) -> dict[str, Any]:
        """Return state, reason and words for programs."""
        found = {"state": self.state, "why": self.why, "acknowledged": [word.to_dict(unit) for word in self.words]}
        return {name: value for name, value in found.items() if value not in (None, [])}


class Owners:
    """Who owned an account at a place, read from the records that say so."""

    def __init__(self, known: Records) -> None:
        self._known = known
        self._found: dict[int, list[tuple[Place, int]]] = {}

    def then(self, account: Summary, place: Place) -> int:
        """Return the number of the party that owned an account where a record stands."""
        if account.number not in self._found:
            self._found[account.number] = list(self._read(account))
        owner = account.owner
        for since, number in self._found[account.number]:
            if since < place:
                owner = number
        return owner

    def _read(self, account: Summary) -> Iterator[tuple[Place, int]]:
        known, basis = self._known, self._known.basis
        changes = basis.links(account.id, Link.CHANGED)
        row = basis.find_id(account.id) if changes else None  # else its owner is who opened it
        opened = known.get(row.place) if row is not None else None
        if row is not None and isinstance(opened, records.Account) and opened.id == account.id:
            yield row.place, basis.party(opened.owner or known.author(row.place)).number
        for place in changes:
            change = known.get(place)
            if isinstance(change, records.AccountChange) and change.account == account.number and change.owner:
                yield place, basis.party(change.owner).number


def end_of(
    known: Records,
    owners: Owners,
    id_: str,
    place: Place,
    amount: int,
    *,
    undone: Undone = (),
    recipients: Sequence[Summary] = (),
    apart: Sequence[Summary] = (),
) -> End:
    """Return what a record has come to.

    Args:
        amount: What the record says, minor units.
        undone: What was reversed of it since.
        recipients: The accounts that it went to.
        apart: Accounts that other parts of it went to; what their owners say is about those.
    """
    words, said, record = list[Acknowledged](), dict[str, _Said](), known.get(place)
    about = getattr(record, "account", None)
    accounts = [*([known.basis.accounts[about]] if about is not None else []), *recipients]
    for at in known.basis.links(id_, Link.ACKNOWLEDGED):
        word = known.get(at)
        if not isinstance(word, records.Acknowledgement) or word.acknowledges != id_:
            continue
        by, denies = known.author(at), word.status == "disputed"
        number = known.basis.party(by).number
        received = any(owners.then(account, at) == number for account in recipients)
        if not received and any(owners.then(account, at) == number for account in apart):
            continue
        stood = amount - sum(part for place_, part in undone if place_ < at)
        mine = said.get(by, _Said(Counter(), 0))
        left = max(stood - (0 if denies else mine.acknowledged.total()), 0)
        of = left if word.amount is None else word.amount
        how = "stand-in" if word.on_behalf_of else "operator" if number == 0 else "independent"
        void = compromised(known, at)
        words.append(Acknowledged(
            word.id, by, "recipient" if received else how, of, denies, word.on_behalf_of, known.date(at),
            known.sealed(at), known.lag_days(at), is_late(known, at, accounts), void,
        ))  # fmt: skip
        if void is None:
            said[by] = mine.after(words[-1], stood)
    stands = amount - sum(part for _, part in undone)
    rest = "evidenced" if getattr(record, "evidence", ()) else "reported"
    if getattr(record, "category", None) == "loss":
        rest = "lost"
    why = compromised(known, place)
    disputed = stands if why is not None else min(max((each.denied for each in said.values()), default=0), stands)
    if why is None and disputed:
        why = f"disputed by {', '.join(by for by, each in said.items() if each.denied)}"
    counted = {} if rest == "lost" else {by: each.acknowledged for by, each in said.items()}
    return End(rest, stands, tuple(words), why, disputed, tuple(_levels(counted, stands - disputed)))


class _Said(NamedTuple):
    """What one party says of a record now: how much it acknowledges, in which capacity, and how much it denies."""

    acknowledged: Counter[str]
    denied: int

    def after(self, word: Acknowledged, stood: int) -> _Said:
        """Return what it says after one more word, when so much of the record stood."""
        if word.disputed:
            return _Said(Counter(), word.amount)
        acknowledged = self.acknowledged + Counter({word.how: word.amount})
        return _Said(acknowledged, max(min(self.denied, stood - acknowledged.total()), 0))


def _levels(sums: Mapping[str, Counter[str]], stands: int) -> Iterator[tuple[str, int]]:
    """Yield how much one party acknowledged in each capacity or a better one, where that is more than in the better."""
    best = 0
    for number, how in enumerate(HOW):
        most = max((sum(said[better] for better in HOW[: number + 1]) for said in sums.values()), default=0)
        if min(most, stands) > best:
            best = min(most, stands)
            yield how, best


def undone_of(known: Records, id_: str, account: int | None = None) -> Undone:
    """Return the reversals of a record, each movement checked; of a split, only what one account gave back."""
    basis, found = known.basis, []
    for place in basis.links(id_, Link.REVERSED):
        record = known.get(place)
        if isinstance(record, records.Reversal) and record.reverses == id_:
            made = [basis.movement(*ref) for ref in basis.moves(place)]
            for movement in made:
                basis.check_movement(movement)
            if account is None:  # of a gift that was entered wrongly nothing comes back
                counted = [movement for movement in made if movement.is_inflow or movement.kind == Kind.VOIDED]
            else:
                counted = [movement for movement in made if not movement.is_inflow and movement.account == account]
            found.append((place, sum(movement.amount for movement in counted)))
    return found


def compromised(known: Records, place: Place) -> str | None:
    """Say whether one of the keys that signed a record was compromised by then."""
    found = known.basis.stolen(place)
    return None if found is None else f"a key of {found[0].id} was compromised since block {found[1]}"


def is_late(known: Records, place: Place, accounts: Iterable[Summary]) -> bool:
    """Say whether a record was entered after the period that its stated date belongs to was closed."""
    record = known.get(place)
    date = getattr(record, "date", None)
    if date is None:
        return False
    first = days_of(date)[0]
    for account in accounts:
        for closing in known.basis.links(account.id, Link.CLOSED):
            period = known.get(closing)
            if not isinstance(period, records.Period) or account.number not in (row[0] for row in period.totals):
                continue
            if closing < place and first <= period.until:
                return True
    return False
