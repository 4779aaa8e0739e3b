"""The questions: where did a gift go, and which gifts paid for this?

`trace_gift` follows one gift to its final uses and says what is still held; `find_sources` runs the same maps
backwards. Both answer from the index and check everything that the answer rests on (`charitychain.reading`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from charitychain import records
from charitychain.answers import (
    Conversion,
    Correction,
    FinalUse,
    Held,
    Money,
    Refunded,
    Sources,
    Step,
    Trace,
    Voided,
)
from charitychain.ends import End, compromised, end_of, has_arrived, is_late
from charitychain.errors import NotFoundError, VerificationError
from charitychain.reading import Reader, Records
from charitychain.records import Place
from charitychain.state.flow import PIECE_LIMIT, Flow, Use, follow
from charitychain.state.lookup import GiftAt, Link, gifts_of
from charitychain.state.movements import Kind, Ref
from charitychain.state.origins import origins

__all__ = ["Money", "Sources", "Trace", "balances", "find_sources", "trace_gift"]


def ledger_facts(reader: Reader) -> dict[str, Any]:
    """Return what an answer says of the ledger and head that it holds for."""
    return {
        "origin": reader.genesis.origin,
        "identity": reader.genesis.identity().hex(),
        "height": reader.head.height,
        "checkpoint": reader.checkpoint,
    }


def trace_gift(reader: Reader, gift_id: str, *, limit: int = PIECE_LIMIT) -> Trace:
    """Follow one gift to its final uses.

    Raises:
        NotFoundError: ``CC-UNKNOWN-GIFT``.
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    index = reader.index
    gift = reader.gift(gift_id)
    flow = follow(index, reader.state.accounts, gift, limit=limit)
    reader.check_movements(flow.touched)
    sealed = next(
        found for found in gifts_of(index, index.movement(gift.account, gift.movement)) if found.id == gift_id
    )
    if (sealed.offset, sealed.amount, sealed.place) != (gift.offset, gift.amount, gift.place):
        raise VerificationError(
            "CC-INDEX", f"the index says another amount or place of gift {gift_id!r} than was sealed"
        )
    return _Telling(reader, gift, flow).tell(sealed.donor)


class _Telling:
    """Turns what a walk found into words: each record read, and its signatures checked, once."""

    def __init__(self, reader: Reader, gift: GiftAt, flow: Flow) -> None:
        self.reader, self.gift, self.flow, self.known = reader, gift, flow, Records(reader)
        self.accounts = reader.state.accounts
        self._ends: dict[Place, End] = {}
        self.known.author(gift.place)

    def tell(self, donor: bytes | None) -> Trace:
        gift, flow, known = self.gift, self.flow, self.known
        refunds = self._refunds()
        unit = self.reader.unit_of(self.accounts[gift.account])
        back = sum(m.amount for (_, donation), m in refunds.items() if donation == gift.id and m.unit == unit)
        held = {number: sum(run.length for run in runs) for number, runs in flow.held.items()}
        arrived = has_arrived(known, gift, self.accounts[gift.account])
        return Trace(
            donation=gift.id,
            account=self.accounts[gift.account].id,
            money=Money(gift.amount, unit),
            refunded=Money(back, unit),
            date=known.date(gift.place),
            source=getattr(known.get(gift.place), "source", None),
            donor=donor.hex() if donor else None,
            uses=tuple(sorted((self._use(*item) for item in flow.uses.items()), key=lambda u: (u.path, u.id))),
            held=tuple(
                Held(
                    self.accounts[n].id, self._money(left, n),
                    "held" if arrived or n != gift.account else "in transit",
                )
                for n, left in sorted(held.items())
                if left
            ),
            converted=self._conversions(),
            refunds=tuple(Refunded(id_, m, donation) for (id_, donation), m in sorted(refunds.items())),
            remainder=tuple(
                Held(self.accounts[n].id, self._money(left, n), "not followed")
                for n, left in sorted(flow.remainder.items())
            ),
            reversed=self._voided(),
            corrections=self._corrections(),
            steps=self._steps(),
            sealed=known.sealed(gift.place),
            lag_days=known.lag_days(gift.place),
            disputed=compromised(known, gift.place),
            ledger=ledger_facts(self.reader),
        )  # fmt: skip

    def _money(self, amount: int, account: int) -> Money:
        return Money(amount, self.reader.unit_of(self.accounts[account]))

    def _owner(self, account: int) -> str:
        return self.reader.state.parties[self.accounts[account].owner].id

    def _end(self, place: Place, id_: str, outflow: Ref, recipients: tuple[int, ...] = ()) -> End:
        """Return what a record that took an outflow has come to."""
        if place not in self._ends:
            movement = self.reader.index.movement(*outflow)
            undone = self.accounts[outflow[0]].reversed.find(outflow[1])
            net = movement.amount - (undone.sum if undone else 0)
            self._ends[place] = end_of(self.known, id_, place, net, recipients)
        return self._ends[place]

    def _use(self, use: Use, amount: int) -> FinalUse:
        known, account = self.known, self.accounts[use.outflow[0]]
        place = self.reader.index.movement(*use.outflow).place
        record = known.get(place)
        assert isinstance(record, records.Expenditure)
        return FinalUse(
            record.id, account.id, self._money(amount, use.outflow[0]), record.payee, record.purpose, record.category,
            tuple(map(known.id, use.path)), known.date(place), self._end(place, record.id, use.outflow),
            known.signed_by(place, self._owner(use.outflow[0])), use.chosen, known.sealed(place), known.lag_days(place),
            is_late(known, record.id, place, (account,)),
            record.replaces, self._taken_over_from(record, account.id),
        )  # fmt: skip

    def _taken_over_from(self, record: records.Expenditure, account: str) -> str | None:
        row = self.reader.index.find_id(record.replaces) if record.replaces is not None else None
        replaced = self.known.get(row.place) if row is not None else None
        if not isinstance(replaced, records.Expenditure) or replaced.id != record.replaces:
            return None
        other = self.accounts[replaced.account].id
        return other if other != account else None

    def _refunds(self) -> dict[tuple[str, str], Money]:
        found: dict[tuple[str, str], Money] = {}
        for use, amount in self.flow.refunds.items():
            place = self.reader.index.movement(*use.outflow).place
            record = self.known.get(place)
            assert isinstance(record, records.Refund)
            self.known.author(place)
            key = (record.id, record.donation)
            found[key] = self._money(amount + (found[key].amount if key in found else 0), use.outflow[0])
        return found

    def _conversions(self) -> tuple[Conversion, ...]:
        found = []
        for place, (left, gave) in sorted(self.flow.converted.items()):
            record = self.known.get(place)
            assert isinstance(record, records.Conversion)
            self.known.author(place)
            found.append(Conversion(record.id, self._money(left, record.account), self._money(gave, record.to)))
        return tuple(found)

    def _voided(self) -> tuple[Voided, ...]:
        found: dict[Place, int] = {}
        for use, amount in self.flow.voided.items():
            place = self.reader.index.movement(*use.outflow).place
            self.known.author(place)
            found[place] = found.get(place, 0) + amount
        return tuple(
            Voided(self.known.id(place), self._money(amount, self.gift.account))
            for place, amount in sorted(found.items())
        )

    def _corrections(self) -> tuple[Correction, ...]:
        found = []
        for ref, amount in sorted(
            self.flow.undone.items(), key=lambda item: self.reader.index.movement(*item[0]).place
        ):
            place = self.reader.index.movement(*ref).place
            record = self.known.get(place)
            assert isinstance(record, records.Reversal)
            self.known.author(place)
            found.append(
                Correction(
                    record.id,
                    record.reverses,
                    self.accounts[ref[0]].id,
                    self._money(amount, ref[0]),
                    record.reason,
                    self._taken_over_by(record.reverses),
                )
            )
        return tuple(found)

    def _taken_over_by(self, id_: str) -> tuple[tuple[str, str], ...]:
        found = []
        for place in self.reader.index.links(id_, Link.REPLACED):
            record = self.known.get(place)
            if isinstance(record, records.Expenditure) and record.replaces == id_:
                found.append((record.id, self.accounts[record.account].id))
        return tuple(found)

    def _steps(self) -> tuple[Step, ...]:
        """Return the records that passed the gift on and were not undone, in ledger order."""
        found = []
        for ref in self.flow.passed:
            outflow = self.reader.index.movement(*ref)
            record = self.known.get(outflow.place)
            if isinstance(record, records.Disbursement | records.Split | records.Conversion):
                targets = [outflow.target] if outflow.target is not None else [part[:2] for part in outflow.parts]
                owners = tuple(self.accounts[target[0]].owner for target in targets)
                end = self._end(outflow.place, record.id, ref, owners)
                by = self.known.signed_by(outflow.place, self._owner(ref[0]))
                date = self.known.date(outflow.place)
                amount = self._money(record.amount, record.account)
                sealed, lag = self.known.sealed(outflow.place), self.known.lag_days(outflow.place)
                found.append((outflow.place, Step(record.id, record.NAME, amount, end, by, date, sealed, lag)))
        return tuple(dict(sorted(found, key=lambda item: item[0])).values())


def find_sources(reader: Reader, id_: str, *, offset: int = 0, count: int = 20, limit: int = PIECE_LIMIT) -> Sources:
    """Return which gifts paid for an expenditure, a disbursement, a conversion or a refund: largest first, one page.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``: no outflow of this ledger has this id.
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    state, index = reader.state, reader.index
    row = index.find_id(id_)
    outflow = None
    if row is not None and row.account is not None and row.movement is not None and row.kind != records.Donation.KIND:
        outflow = index.movement(row.account, row.movement)
    if outflow is None or outflow.is_inflow:
        raise NotFoundError(
            "CC-UNKNOWN-ID", f"no expenditure or other outflow of this ledger has the id {id_!r}", id=id_
        )
    reader.check_author(outflow.place)
    if records.record_id(reader.record(outflow.place)) != id_:
        raise VerificationError("CC-INDEX", f"the index says another place of {id_!r} than was sealed")
    found, remainder, touched = origins(index, state.accounts, outflow, limit=limit)
    reader.check_movements(touched)
    inflows: dict[Place, None] = {
        m.place: None for m in (index.movement(*ref) for ref in touched) if m.kind == Kind.DONATED
    }
    for place in inflows:
        reader.statement(place)
    unit = reader.unit_of(state.accounts[outflow.account])
    order: Sequence[tuple[str, int]] = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return Sources(
        id=id_,
        account=state.accounts[outflow.account].id,
        net=Money(sum(found.values()) + remainder, unit),
        gifts=tuple((gift, Money(amount, unit)) for gift, amount in order[offset : offset + count]),
        total=len(order),
        offset=offset,
        remainder=Money(remainder, unit),
        ledger=ledger_facts(reader),
    )


def balances(reader: Reader) -> dict[str, tuple[Money, dict[str, int]]]:
    """Return by account id what it holds, and the sums of its tape in minor units."""
    found: dict[str, tuple[Money, dict[str, int]]] = {}
    for account in reader.state.accounts:
        sums = {
            "in": account.in_, "by_rule": account.rule_sum, "by_name": account.named, "reversed": account.back,
            "movements": account.log.size,
        }  # fmt: skip
        found[account.id] = (Money(account.balance, reader.unit_of(account)), sums)
    return found
