"""Arrivals: what has reached the owner of an account, and what is still on its way or denied.

A gift that another party took in is *in transit* until the owner of its account says that it arrived; and so is value
that an owner passed on to an account of another, until somebody says that it arrived there.

Rules upheld here:

- What an owner took in itself, or signed for, has arrived. What an owner passed on, spent or gave back had arrived, so
  only what never left its account can be in transit there.
- Of a gift the last word of the owner counts, be it about that gift or about all up to one.
- Of a hand-over counts what is acknowledged of what stands of it, spread evenly over its units; of what is denied, as
  much as rests is *disputed*. Of a conversion, whose receiver signs it, only a denial counts.
- Who owned an account then counts, not who owns it now.
- Format 1 knows no transit: nobody could say that a gift arrived, and all that rests is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from charitychain import records
from charitychain.basis import Records
from charitychain.ends import Acknowledged, End, Owners, compromised, end_of, is_late, undone_of
from charitychain.records import Place
from charitychain.state.lookup import GiftAt, Link
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.tape import Run

__all__ = ["Arrival", "Arrivals"]


class Arrival(NamedTuple):
    """What of a gift has reached the owner of its account (minor units), whether it says not, and all that it says."""

    amount: int
    denied: bool
    words: tuple[Acknowledged, ...] = ()

    def confirming(self) -> tuple[Acknowledged, ...]:
        """Return the word by which it arrived: the last one that counts."""
        last = [word for word in self.words if word.void is None][-1:]
        return () if self.denied else tuple(last)


class Arrivals:
    """Says what arrived, from records each of which is read and checked once."""

    def __init__(self, known: Records, owners: Owners) -> None:
        self._known, self._owners = known, owners
        self._accounts = known.basis.accounts
        self._handed: dict[Ref, tuple[End, bool] | None] = {}

    def rests(
        self, inflow: Movement, runs: Sequence[Run]
    ) -> Iterator[tuple[str, int, tuple[Acknowledged, ...]]]:
        """Yield (state, units, words) of what rests of an inflow in runs: ``in transit``, ``held`` or ``disputed``.

        The words say that what is held arrived, where somebody had to say so.
        """
        ref = (inflow.account, inflow.index)
        if ref not in self._handed:
            self._handed[ref] = self._hand_over(inflow)
        handed = self._handed[ref]
        if handed is None:
            yield "held", sum(run.length for run in runs), ()
            return
        end, waits = handed
        for state, _, units in end.spread(runs):
            came = tuple(end.confirming()) if waits and state == "acknowledged" else ()
            if state != "disputed":
                state = "in transit" if waits and state != "acknowledged" else "held"
            yield state, units, came

    def _hand_over(self, inflow: Movement) -> tuple[End, bool] | None:
        """Return what the record that made an inflow has come to, and whether its receiver must say that it came."""
        known, place, target = self._known, inflow.place, self._accounts[inflow.account]
        if inflow.kind not in (Kind.RECEIVED, Kind.CONVERTED_IN) or known.basis.version == 1:
            return None
        record = known.get(place)
        assert isinstance(record, records.Disbursement | records.Split | records.Conversion)
        parts = [number for number, _ in record.parts] if isinstance(record, records.Split) else []
        conversion = isinstance(record, records.Conversion)
        end = end_of(
            known, self._owners, record.id, place, record.amount if conversion else inflow.amount,
            undone=() if conversion else undone_of(known, record.id, target.number), recipients=[target],
            apart=[self._accounts[number] for number in parts if number != target.number],
        )  # fmt: skip
        owner = self._owners.then(target, place)
        other = owner != self._owners.then(self._accounts[record.account], place)
        return end, other and known.basis.parties[owner].id not in known.basis.signers(place)

    def gift(self, gift: GiftAt) -> Arrival:
        """Return what has arrived of a gift, by the word of the owner of its account."""
        known, account = self._known, self._accounts[gift.account]
        basis = known.basis
        if isinstance(known.get(gift.place), records.Received):  # nobody but the owner says that
            return Arrival(gift.amount, False)
        if basis.version == 1 or basis.party(known.author(gift.place)).number == self._owners.then(account, gift.place):
            return Arrival(gift.amount, False)
        found: list[tuple[Place, records.Acknowledgement]] = []
        for place in basis.links(gift.id, Link.ACKNOWLEDGED):
            record = known.get(place)
            if isinstance(record, records.Acknowledgement) and record.acknowledges == gift.id and not record.upto:
                found.append((place, record))
        for place in reversed(basis.links(account.id, Link.ARRIVED)):
            record = known.get(place)
            if isinstance(record, records.Acknowledgement) and record.upto and self._is_upto(record.acknowledges, gift):
                found.append((place, record))
                if compromised(known, place) is None:
                    break
        arrival = Arrival(0, False)
        for place, record in sorted(found, key=lambda item: item[0]):
            denied, void = record.status == "disputed", compromised(known, place)
            amount = gift.amount if record.amount is None else record.amount
            word = Acknowledged(
                record.id, known.author(place), "recipient", amount, denied, None, known.date(place),
                known.sealed(place), known.lag_days(place), is_late(known, place, [account]), void,
            )  # fmt: skip
            counts = (0 if denied else amount, denied) if void is None else arrival[:2]
            arrival = Arrival(*counts, (*arrival.words, word))
        return arrival

    def _is_upto(self, id_: str, gift: GiftAt) -> bool:
        """Say whether a gift came into the same account before the one of this id, or is that one."""
        marked = self._known.basis.gift(id_)
        record = self._known.get(marked.place)
        told = getattr(record, "account", None) == gift.account and id_.partition("/")[0] == (
            getattr(record, "series", None) or records.record_id(record)
        )
        return told and (marked.place, marked.offset) >= (gift.place, gift.offset)
