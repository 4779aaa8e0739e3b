"""The questions: where did a gift go, and which gifts paid for this?

`trace_gift` follows one gift to its final uses and says what is still held; `find_sources` runs the same maps
backwards. Both answer from the index and check everything that the answer rests on (`charitychain.reading`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from charitychain import records
from charitychain.errors import NotFoundError, VerificationError
from charitychain.reading import Reader
from charitychain.records import Place
from charitychain.state.flow import PIECE_LIMIT, Use, follow
from charitychain.state.lookup import gifts_of, known_gift
from charitychain.state.movements import Kind
from charitychain.state.origins import origins
from charitychain.units import Unit, format_amount

__all__ = ["Conversion", "FinalUse", "Held", "Money", "Refunded", "Sources", "Trace", "find_sources", "trace_gift"]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of minor units in a unit; as text it is in major units."""

    amount: int
    unit: Unit

    def __str__(self) -> str:
        return format_amount(self.amount, self.unit)

    @property
    def code(self) -> str:
        return self.unit.code


@dataclass(frozen=True, slots=True)
class FinalUse:
    """Part of a gift that an expenditure used. `path` lists disbursements, conversions and reversals on the way.

    `date` is as its author stated it, else the UTC day on which the block was sealed. `state` is ``evidenced`` where
    the record names documents by hash, else ``reported``: somebody's word.
    """

    id: str
    account: str
    money: Money
    payee: str | None
    purpose: str | None
    category: str | None
    path: tuple[str, ...]
    date: str
    state: str
    by: str
    chosen: bool

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "record": "expenditure", "account": self.account, "amount": str(self.money),
            "unit": self.money.code, "payee": self.payee, "purpose": self.purpose, "category": self.category,
            "path": list(self.path), "date": self.date, "state": self.state, "by": self.by, "chosen": self.chosen,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Held:
    """Part of a gift that still rests in an account."""

    account: str
    money: Money

    def to_dict(self) -> dict[str, Any]:
        return {"account": self.account, "amount": str(self.money), "unit": self.money.code}


@dataclass(frozen=True, slots=True)
class Conversion:
    """Part of a gift that changed its unit: what left and what that gave."""

    id: str
    money: Money
    gives: Money

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id, "amount": str(self.money), "unit": self.money.code,
            "gives": str(self.gives), "gives_unit": self.gives.code,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refunded:
    """Part of a gift that went back: to its own donor, or to that of `donation` along the paying lineage."""

    id: str
    money: Money
    donation: str

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "amount": str(self.money), "unit": self.money.code, "donation": self.donation}


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of one gift: in every unit, gift + given by conversions = uses + held + refunds + converted.

    `remainder` is what could not be followed within the piece limit, by account; it is part of that sum too.
    """

    donation: str
    account: str
    money: Money
    refunded: Money
    date: str
    source: str | None
    donor: str | None
    uses: tuple[FinalUse, ...]
    held: tuple[Held, ...]
    converted: tuple[Conversion, ...]
    refunds: tuple[Refunded, ...]
    remainder: tuple[Held, ...]
    ledger: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the trace as the documented JSON object; amounts and ids are strings."""
        found: dict[str, Any] = {
            "donation": self.donation, "account": self.account, "amount": str(self.money), "unit": self.money.code,
            "refunded": str(self.refunded), "date": self.date, "source": self.source, "donor": self.donor,
            "uses": [use.to_dict() for use in self.uses],
            "held": [held.to_dict() for held in self.held],
            "converted": [conversion.to_dict() for conversion in self.converted],
            "refunds": [refund.to_dict() for refund in self.refunds],
        }  # fmt: skip
        if self.remainder:
            found["remainder"] = [held.to_dict() for held in self.remainder]
        found["ledger"] = self.ledger
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Sources:
    """Which gifts paid for an expenditure, largest first: (gift id, money).

    `net` is the expenditure less what was reversed; `total` counts all gifts, `gifts` is one page of them.
    """

    id: str
    account: str
    net: Money
    gifts: tuple[tuple[str, Money], ...]
    total: int
    offset: int
    remainder: Money
    ledger: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id, "account": self.account, "amount": str(self.net), "unit": self.net.code,
            "gifts": [{"donation": gift, "amount": str(money), "unit": money.code} for gift, money in self.gifts],
            "total": self.total, "offset": self.offset, "remainder": str(self.remainder), "ledger": self.ledger,
        }  # fmt: skip


def ledger_facts(reader: Reader) -> dict[str, Any]:
    """Return what an answer says of the ledger and head that it holds for."""
    return {
        "origin": reader.genesis.origin,
        "identity": reader.genesis.identity().hex(),
        "height": reader.head.height,
        "checkpoint": reader.checkpoint,
    }


def day(seconds: int) -> str:
    """Return the UTC day of a time in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


class _Records:
    """Records by place, each read and checked once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._authors: dict[tuple[int, int], str] = {}
        self._found: dict[Place, records.Record] = {}

    def get(self, place: Place) -> records.Record:
        if place not in self._found:
            self._found[place] = self._reader.record(place)
        return self._found[place]

    def id(self, place: Place) -> str:
        return records.record_id(self.get(place)) or ""

    def author(self, place: Place) -> str:
        key = (place.height, place.statement)
        if key not in self._authors:
            self._authors[key] = self._reader.check_author(place)
        return self._authors[key]

    def date(self, place: Place) -> str:
        stated = getattr(self.get(place), "date", None)
        return stated or day(self._reader.time(place))


def trace_gift(reader: Reader, gift_id: str, *, limit: int = PIECE_LIMIT) -> Trace:
    """Follow one gift to its final uses.

    Raises:
        NotFoundError: ``CC-UNKNOWN-GIFT``.
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    state, index = reader.state, reader.index
    gift = known_gift(index, gift_id)
    flow = follow(index, state.accounts, gift, limit=limit)
    reader.check_movements(flow.touched)
    known = _Records(reader)
    inflow = index.movement(gift.account, gift.movement)
    sealed = next(found for found in gifts_of(index, inflow) if found.id == gift_id)
    known.author(gift.place)
    if (sealed.offset, sealed.amount, sealed.place) != (gift.offset, gift.amount, gift.place):
        raise VerificationError(
            "CC-INDEX", f"the index says another amount or place of gift {gift_id!r} than was sealed"
        )

    def money(amount: int, account: int) -> Money:
        return Money(amount, reader.unit_of(state.accounts[account]))

    def use_of(use: Use, amount: int) -> FinalUse:
        place = index.movement(*use.outflow).place
        record = known.get(place)
        assert isinstance(record, records.Expenditure)
        return FinalUse(
            record.id, state.accounts[use.outflow[0]].id, money(amount, use.outflow[0]), record.payee, record.purpose,
            record.category, tuple(map(known.id, use.path)), known.date(place),
            "evidenced" if record.evidence else "reported", known.author(place), use.chosen,
        )  # fmt: skip

    refunds: dict[tuple[str, str], Money] = {}
    for use, amount in flow.refunds.items():
        place = index.movement(*use.outflow).place
        record = known.get(place)
        assert isinstance(record, records.Refund)
        known.author(place)
        key = (record.id, record.donation)
        refunds[key] = money(amount + (refunds[key].amount if key in refunds else 0), use.outflow[0])
    unit = reader.unit_of(state.accounts[gift.account])
    back = sum(m.amount for (_, donation), m in refunds.items() if donation == gift_id and m.unit == unit)
    conversions = []
    for place, (left, gave) in sorted(flow.converted.items()):
        record = known.get(place)
        assert isinstance(record, records.Conversion)
        known.author(place)
        conversions.append(Conversion(record.id, money(left, record.account), money(gave, record.to)))
    first = known.get(gift.place)
    held = {number: sum(run.length for run in runs) for number, runs in flow.held.items()}
    return Trace(
        donation=gift_id,
        account=state.accounts[gift.account].id,
        money=Money(gift.amount, unit),
        refunded=Money(back, unit),
        date=known.date(gift.place),
        source=getattr(first, "source", None),
        donor=sealed.donor.hex() if sealed.donor else None,
        uses=tuple(sorted((use_of(*item) for item in flow.uses.items()), key=lambda u: (u.path, u.id))),
        held=tuple(Held(state.accounts[n].id, money(left, n)) for n, left in sorted(held.items()) if left),
        converted=tuple(conversions),
        refunds=tuple(Refunded(id_, m, donation) for (id_, donation), m in sorted(refunds.items())),
        remainder=tuple(Held(state.accounts[n].id, money(left, n)) for n, left in sorted(flow.remainder.items())),
        ledger=ledger_facts(reader),
    )


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
