"""Ends: what is known of a record beyond that somebody wrote it.

A use is *reported* by whoever spent; *evidenced* where it names documents by their hashes; *acknowledged* where
somebody other than the payer says that it arrived; *disputed* where somebody denies it, or the key that signed it was
compromised then; *lost* where it says itself that value was lost. Money that another party took in is *in transit* as
far as its owner has not said that it has it.

Rules upheld here:

- Each acknowledgement that is shown was read from its block, and its signature checked.
- What a party acknowledged since it last disputed the record sums up; a party whose last word is a dispute disputes it.
  Without an amount a word is about all of what stood then that the party had not acknowledged.
- How much is acknowledged is what the party says that acknowledged most, never more than stands. It is told by how
  independent a party said it: what an independent one acknowledged first, what only others did after it.
- Of a gift the last word counts, be it about that gift or about all up to one.
- Who owned an account then counts, not who owns it now. A stand-in's word is shown as such, and for whom it speaks.
- Where a key was compromised from some block on, everything that it signed from there is disputed, and nothing erased.

The index finds acknowledgements; that it left one out can only be seen by `charitychain.verify`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charitychain import records
from charitychain.reading import Records
from charitychain.records import Place
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import GiftAt, Link
from charitychain.state.terms import days_of
from charitychain.tape import Run
from charitychain.units import format_amount

__all__ = [
    "HOW", "Acknowledged", "End", "Owners", "Undone", "arrived_of", "compromised", "end_of", "is_late", "spread",
    "undone_of",
]  # fmt: skip

HOW = ("independent", "recipient", "operator", "stand-in")
"""How independent of the payer whoever acknowledges is, the best first."""

Undone = Sequence[tuple[Place, int]]
"""The reversals of a record: where each stands, and how much it undid in minor units."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One word about a record: by whom, how independent of the payer, and of how much (minor units)."""

    id: str
    by: str
    how: str
    amount: int
    disputed: bool
    on_behalf_of: str | None
    date: str


@dataclass(frozen=True, slots=True)
class End:
    """What a record has come to: `state`, why it is disputed if it is, and everything said about it.

    `levels` tells for each of `HOW` that adds some how much of what stands such a party, or a more independent one,
    acknowledged (minor units, rising); none where the record is disputed or lost.
    """

    state: str
    words: tuple[Acknowledged, ...] = ()
    why: str | None = None
    levels: tuple[tuple[str, int], ...] = ()

    @property
    def acknowledged_amount(self) -> int:
        """How much of what stands of the record is acknowledged, minor units."""
        return self.levels[-1][1] if self.levels else 0

    @property
    def how(self) -> str | None:
        """The most independent capacity in which somebody acknowledged it."""
        return self.levels[0][0] if self.levels else None

    def to_dict(self, unit: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"state": self.state, "why": self.why}
        found["acknowledged"] = [
            {
                "id": word.id, "by": word.by, "how": word.how, "amount": format_amount(word.amount, unit),
                "status": "disputed" if word.disputed else "received", "on_behalf_of": word.on_behalf_of,
                "date": word.date,
            }
            for word in self.words
        ]  # fmt: skip
        found["acknowledged"] = [{k: v for k, v in word.items() if v is not None} for word in found["acknowledged"]]
        return {name: value for name, value in found.items() if value not in (None, [])}


class Owners:
    """Who owned an account at a place, read from the records that say so."""

    def __init__(self, known: Records) -> None:
        self._known = known
        self._found: dict[int, list[tuple[Place, int]]] = {}

    def then(self, account: AccountState, place: Place) -> int:
        """Return the number of the party that owned an account where a record stands."""
        if account.number not in self._found:
            self._found[account.number] = list(self._read(account))
        owner = account.owner
        for since, number in self._found[account.number]:
            if since < place:
                owner = number
        return owner

    def _read(self, account: AccountState) -> Iterator[tuple[Place, int]]:
        known, state, index = self._known, self._known.reader.state, self._known.reader.index
        row = index.find_id(account.id)
        opened = known.get(row.place) if row is not None else None
        if row is not None and isinstance(opened, records.Account) and opened.id == account.id:
            yield row.place, state.party(opened.owner or known.author(row.place)).number
        for place in index.links(account.id, Link.CHANGED):
            change = known.get(place)
            if isinstance(change, records.AccountChange) and change.account == account.number and change.owner:
                yield place, state.party(change.owner).number


def end_of(
    known: Records,
    owners: Owners,
    id_: str,
    place: Place,
    amount: int,
    *,
    undone: Undone = (),
    recipients: Sequence[AccountState] = (),
) -> End:
    """Return what a record has come to.

    Args:
        amount: What the record says, minor units.
        undone: What was reversed of it since.
        recipients: The accounts that it went to.
    """
    words, sums, denied = list[Acknowledged](), dict[str, Counter[str]](), dict[str, None]()
    for said in known.reader.index.links(id_, Link.ACKNOWLEDGED):
        record = known.get(said)
        if not isinstance(record, records.Acknowledgement) or record.acknowledges != id_:
            continue
        by, disputed = known.author(said), record.status == "disputed"
        if disputed:
            sums.pop(by, None)
        before = sums[by].total() if by in sums else 0
        left = max(amount - sum(part for at, part in undone if at < said) - before, 0)
        of = left if record.amount is None else record.amount
        denied.pop(by, None)
        if disputed:
            denied[by] = None
        number = known.reader.state.party(by).number
        how = "stand-in" if record.on_behalf_of else "operator" if number == 0 else "independent"
        if any(owners.then(account, said) == number for account in recipients):
            how = "recipient"
        if not disputed:
            sums.setdefault(by, Counter())[how] += of
        words.append(Acknowledged(record.id, by, how, of, disputed, record.on_behalf_of, known.date(said)))
    why = compromised(known, place)
    if why is not None or denied:
        return End("disputed", tuple(words), why or f"disputed by {', '.join(denied)}")
    if getattr(known.get(place), "category", None) == "loss":
        return End("lost", tuple(words))
    if words:
        stands = amount - sum(part for _, part in undone)
        levels = tuple(_levels(sums, stands))
        whole = bool(levels) and levels[-1][1] >= stands
        return End("acknowledged" if whole else "partly acknowledged", tuple(words), None, levels)
    return End("evidenced" if getattr(known.get(place), "evidence", ()) else "reported")


def _levels(sums: Mapping[str, Counter[str]], stands: int) -> Iterator[tuple[str, int]]:
    """Yield how much one party acknowledged in each capacity or a better one, where that is more than in the better."""
    best = 0
    for number, how in enumerate(HOW):
        most = max((sum(said[better] for better in HOW[: number + 1]) for said in sums.values()), default=0)
        if min(most, stands) > best:
            best = min(most, stands)
            yield how, best


def spread(runs: Iterable[Run], levels: Sequence[tuple[str, int]], whole: int) -> Iterator[tuple[str, int]]:
    """Yield how many units of runs in a whole belong to each level of `End.levels` and to no better one, worst first.

    Each level is an even part of the next worse one: boundary z goes to ⌊z·part/whole⌋, level by level. So no run has a
    negative part, and over runs that cover the whole the parts sum to the levels.

    >>> list(spread([Run(0, 6)], [("independent", 2), ("operator", 3)], 6))
    [('operator', 1), ('independent', 2)]
    """
    bounds, told = [(run.position, run.position + run.length) for run in runs], list[tuple[str, int]]()
    for how, part in reversed(levels):
        bounds, whole = [(low * part // whole, high * part // whole) for low, high in bounds], part
        told.append((how, sum(high - low for low, high in bounds)))
    betters = [units for _, units in told[1:]] + [0]
    for (how, units), better in zip(told, betters, strict=False):
        yield how, units - better


def undone_of(known: Records, id_: str) -> Undone:
    """Return the reversals of a record, each movement checked."""
    reader, found = known.reader, []
    for place in reader.index.links(id_, Link.REVERSED):
        record = known.get(place)
        if isinstance(record, records.Reversal) and record.reverses == id_:
            moves = reader.statement(place).moves[place.record : place.record + 1]
            made = [reader.index.movement(*ref) for refs in moves for ref in refs]
            for movement in made:
                reader.check_movement(movement)
            found.append((place, sum(movement.amount for movement in made if movement.is_inflow)))
    return found


def compromised(known: Records, place: Place) -> str | None:
    """Say whether one of the keys that signed a record was compromised by then."""
    header = known.reader.statement(place).header
    for key_id in (header.author, *header.signers):
        party = known.reader.state.party_of(key_id)
        key = party.find_key(key_id)
        if key is not None and key.compromised is not None and key.compromised <= place.height:
            return f"a key of {party.id} was compromised since block {key.compromised}"
    return None


def arrived_of(known: Records, owners: Owners, gift: GiftAt, account: AccountState) -> int:
    """Return how much of a gift has reached the owner of its account, by that owner's word; minor units.

    What its owner took in itself has arrived. In format 1 nobody can say that a gift arrived, so none is on its way.
    """
    state, index = known.reader.state, known.reader.index
    if state.version == 1 or state.party(known.author(gift.place)).number == owners.then(account, gift.place):
        return gift.amount
    last, arrived = gift.place, 0
    for place in index.links(gift.id, Link.ACKNOWLEDGED):
        record = known.get(place)
        if isinstance(record, records.Acknowledgement) and record.acknowledges == gift.id and not record.upto:
            known.author(place)
            said = gift.amount if record.amount is None else record.amount
            last, arrived = place, 0 if record.status == "disputed" else said
    for place in reversed(index.links(account.id, Link.ARRIVED)):
        if place < last:
            break
        record = known.get(place)
        if isinstance(record, records.Acknowledgement) and record.upto and _is_upto(known, record.acknowledges, gift):
            known.author(place)
            return gift.amount
    return arrived


def _is_upto(known: Records, id_: str, gift: GiftAt) -> bool:
    """Say whether a gift came into the same account before the one of this id, or is that one."""
    marked = known.reader.gift(id_)
    record = known.get(marked.place)
    told = getattr(record, "account", None) == gift.account and id_.partition("/")[0] == (
        getattr(record, "series", None) or records.record_id(record)
    )
    return told and (marked.place, marked.offset) >= (gift.place, gift.offset)


def is_late(known: Records, place: Place, accounts: Iterable[AccountState]) -> bool:
    """Say whether a record was entered after the period that its stated date belongs to was closed."""
    record = known.get(place)
    date = getattr(record, "date", None)
    if date is None:
        return False
    first = days_of(date)[0]
    for account in accounts:
        for closing in known.reader.index.links(account.id, Link.CLOSED):
            period = known.get(closing)
            if not isinstance(period, records.Period) or account.number not in (row[0] for row in period.totals):
                continue
            if closing < place and first <= period.until:
                return True
    return False
