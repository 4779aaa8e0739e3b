"""Basis: what an answer rests on, and the records of it, each read and checked once.

A question (`charitychain.trace`, `charitychain.ends`) does not ask where its facts come from. It is asked on a *basis*:
a ledger at its head (`charitychain.reading.Reader`), or the parts of one that a receipt shows
(`charitychain.receipts`). So what a donor checks offline is the very computation that the ledger answered with.

Rules upheld here:

- What a basis says of value was checked against what the operator sealed, and each record against what its author
  signed; what it cannot check that way it raises or leaves out.
- What others said of a record (`Basis.links`) may be incomplete; that nothing was left out, only a replay shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Protocol

from charitychain import records
from charitychain.chain.statements import StatementHeader
from charitychain.records import Place
from charitychain.state.accounts import Summary
from charitychain.state.lookup import GiftAt, IdAt, Tapes
from charitychain.state.movements import Movement, Ref
from charitychain.state.parties import PartyState
from charitychain.state.terms import day_of_time as day
from charitychain.state.terms import days_of
from charitychain.units import Unit

__all__ = ["Basis", "Records", "day", "lag_days"]


class Basis(Tapes, Protocol):
    """Checked look-ups in a ledger at one head."""

    @property
    def version(self) -> int:
        """The ledger's format."""

    @property
    def accounts(self) -> Sequence[Summary]:
        """The accounts by number."""

    @property
    def parties(self) -> Sequence[PartyState]:
        """The parties by number."""

    def facts(self) -> dict[str, Any]:
        """Return what an answer says of the ledger and head that it holds for."""

    def party(self, id_: str) -> PartyState:
        """Return a party by its id."""

    def unit_of(self, account: Summary) -> Unit:
        """Return an account's unit."""

    def find_id(self, id_: str) -> IdAt | None:
        """Return where the record of an id is said to stand."""

    def links(self, about: str, kind: int) -> Sequence[Place]:
        """Return where records are said to stand that say this kind of thing about an id, in ledger order."""

    def record(self, place: Place) -> records.Record:
        """Return the record at a place."""

    def header(self, place: Place) -> StatementHeader:
        """Return what the author of the statement at a place signed."""

    def moves(self, place: Place) -> tuple[Ref, ...]:
        """Return the movements that the record at a place made."""

    def time(self, place: Place) -> int:
        """Return when the block of a place was sealed, UTC seconds."""

    def check_author(self, place: Place) -> str:
        """Check the signatures of the statement at a place; return its author's party id."""

    def signers(self, place: Place) -> tuple[str, ...]:
        """Return the party ids of all that signed the statement at a place, its author first."""

    def stolen(self, place: Place) -> tuple[PartyState, int] | None:
        """Return whose key, of those that signed a statement, was compromised by then, and since which height."""

    def check_movement(self, movement: Movement) -> None:
        """Check one movement against the sealed root of its account's log."""

    def check_movements(self, refs: Iterable[Ref]) -> None:
        """Check movements as `check_movement` does."""

    def gift(self, gift_id: str) -> GiftAt:
        """Return where a gift stands.

        Raises:
            NotFoundError: ``CC-UNKNOWN-GIFT``.
        """

    def sealed_gift(self, gift: GiftAt) -> GiftAt:
        """Return a gift as the inflow that holds it was sealed: with its donor, offset and amount."""


class Records:
    """Records by place, each read and checked once."""

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        self._authors: dict[tuple[int, int], str] = {}
        self._found: dict[Place, records.Record] = {}

    def get(self, place: Place) -> records.Record:
        if place not in self._found:
            self._found[place] = self.basis.record(place)
        return self._found[place]

    def id(self, place: Place) -> str:
        return records.record_id(self.get(place)) or ""

    def author(self, place: Place) -> str:
        key = (place.height, place.statement)
        if key not in self._authors:
            self._authors[key] = self.basis.check_author(place)
        return self._authors[key]

    def signed_by(self, place: Place, owner: str) -> str:
        """Return who answers for a record: the owner of its account where that one signed, else the author."""
        author = self.author(place)
        return owner if owner in self.basis.signers(place) else author

    def date(self, place: Place) -> str:
        """Return the date that a record states, else the UTC day on which its block was sealed."""
        stated = getattr(self.get(place), "date", None)
        return stated or self.sealed(place)

    def sealed(self, place: Place) -> str:
        """Return the UTC day on which the block of a place was sealed."""
        return day(self.basis.time(place))

    def lag_days(self, place: Place) -> int:
        """Return how many days after the date that a record states it was sealed; 0 where it states none."""
        stated = getattr(self.get(place), "date", None)
        return 0 if stated is None else lag_days(stated, self.sealed(place))


def lag_days(stated: str, sealed: str) -> int:
    """Return how many days after its stated date a record was sealed: negative before it, 0 within it.

    >>> lag_days("2026-03", "2026-04-02"), lag_days("2026-04", "2026-04-02"), lag_days("2026-04-03", "2026-04-02")
    (2, 0, -1)
    """
    first, last = map(_ordinal, days_of(stated))
    now = _ordinal(sealed)
    return now - last if now > last else min(now - first, 0)


def _ordinal(day: str) -> int:
    """Return a day as a number; the year 0, which Python's calendar has not, is the eve of its first day."""
    return date.fromisoformat(day).toordinal() if day >= "0001" else 0
