"""Answers: what a trace, and its way back, are as values, and as the documented JSON.

Amounts are `Money`: minor units with their unit, decimal strings in major units outside. `charitychain.trace` finds
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from charitychain.ends import Acknowledged, End
from charitychain.tape import Run
from charitychain.units import Unit, format_amount

__all__ = [
    "STATES", "Came", "Conversion", "Correction", "EndSum", "FinalUse", "Held", "Money", "Reached", "Refunded", "Sent",
    "Sources", "Step", "Trace", "Voided",
]  # fmt: skip

STATES = (
    "in transit", "held", "reported", "evidenced", "acknowledged", "disputed", "refunded", "lost", "sent",
    "converted", "reversed", "not followed",
)  # fmt: skip
"""The states in which units of a gift may have ended, in the order in which they are told."""


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

    `date` is as its author stated it, else the UTC day on which the block was sealed, which `sealed` always is;
    `lag_days` are the days from the one to the other. `end` says what is known of it (`charitychain.ends`); `late` that
    it came after its period was closed. Of `money`, `acknowledged` and `disputed` minor units count as such. It
    `replaces` a reversed record; where that one left another account, it is `taken_over_from` there. `evidence` are the
    SHA-256 hashes of the documents that it names.
    """

    id: str
    account: str
    money: Money
    payee: str | None
    purpose: str | None
    category: str | None
    path: tuple[str, ...]
    date: str
    end: End
    by: str
    chosen: bool
    sealed: str
    lag_days: int = 0
    late: bool = False
    replaces: str | None = None
    taken_over_from: str | None = None
    acknowledged: int = 0
    disputed: int = 0
    evidence: tuple[bytes, ...] = ()

    @property
    def state(self) -> str:
        return self.end.state

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "record": "expenditure", "account": self.account, "amount": str(self.money),
            "unit": self.money.code, "payee": self.payee, "purpose": self.purpose, "category": self.category,
            "path": list(self.path), "date": self.date, **self.end.to_dict(self.money.unit), "by": self.by,
            "acknowledged_amount": self._part(self.acknowledged, self.end.acknowledged_amount),
            "disputed_amount": self._part(self.disputed, self.end.disputed), "chosen": self.chosen,
            "sealed": self.sealed, "lag_days": self.lag_days, "late": self.late or None, "replaces": self.replaces,
            "taken_over_from": self.taken_over_from, "evidence": _hex(self.evidence),
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}

    def _part(self, mine: int, whole: int) -> str | None:
        return str(Money(mine, self.money.unit)) if whole else None


def _hex(hashes: tuple[bytes, ...]) -> list[str] | None:
    return [each.hex() for each in hashes] or None


@dataclass(frozen=True, slots=True)
class Held:
    """Part of a gift that still rests in an account; `state` is one of ``in transit``, ``held`` and ``disputed``.

    `received` says that it arrived, where another owner passed it on.
    """

    account: str
    money: Money
    state: str = "held"
    received: tuple[Acknowledged, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        found = {"account": self.account, "amount": str(self.money), "unit": self.money.code, "state": self.state}
        words = [word.to_dict(self.money.unit) for word in self.received]
        return found | ({"received": words} if words else {})


@dataclass(frozen=True, slots=True)
class Correction:
    """Part of a gift that came back because a record was undone; `taken_over_by` are records entered instead.

    It is `chosen` where the reversal named a gift.
    """

    id: str
    reverses: str
    account: str
    money: Money
    reason: str | None
    taken_over_by: tuple[tuple[str, str], ...]
    chosen: bool = False

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "reverses": self.reverses, "account": self.account, "amount": str(self.money),
            "unit": self.money.code, "reason": self.reason, "chosen": self.chosen or None,
            "taken_over_by": [{"id": id_, "account": account} for id_, account in self.taken_over_by] or None,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Voided:
    """Part of a gift that counts as never received: it was entered wrongly, for the `reason` that is told, if any."""

    id: str
    money: Money
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        found = {"id": self.id, "amount": str(self.money), "unit": self.money.code}
        return found | ({"reason": self.reason} if self.reason is not None else {})


@dataclass(frozen=True, slots=True)
class Step:
    """A record on the way of a gift: a disbursement, split or conversion, and what is known of it.

    `amount` is that of the whole record, of which the gift may be a small part; `late` as in a use.
    """

    id: str
    record: str
    amount: Money
    end: End
    by: str
    date: str
    sealed: str
    lag_days: int
    late: bool = False
    evidence: tuple[bytes, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "record": self.record, "amount": str(self.amount), "unit": self.amount.code, "by": self.by,
            "date": self.date, "sealed": self.sealed, "lag_days": self.lag_days, "late": self.late or None,
            **self.end.to_dict(self.amount.unit), "evidence": _hex(self.evidence),
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Conversion:
    """Part of a gift that changed its unit: what left and what that gave.

    `smallest` is how much it took for one smallest unit, rounded up: less than that may have given nothing. `whole` is
    all that the record converted, this gift's and others', and `gave` what that gave.
    """

    id: str
    money: Money
    gives: Money
    smallest: Money
    whole: Money
    gave: Money

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id, "amount": str(self.money), "unit": self.money.code,
            "gives": str(self.gives), "gives_unit": self.gives.code, "smallest": str(self.smallest),
            "of": str(self.whole), "of_gives": str(self.gave),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refunded:
    """Part of a gift that went back: to its own donor, or to that of `donation` along the paying lineage.

    `disputed` says why its record is, if it is.
    """

    id: str
    money: Money
    donation: str
    disputed: str | None = None

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "amount": str(self.money), "unit": self.money.code, "donation": self.donation,
            "disputed": self.disputed,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Sent:
    """Part of a gift that left for another ledger, the one of the identity `ledger`, which its author calls `origin`.

    `outflow` is (account number, movement index) of the whole record, `runs` which of its units the gift was. With that
    ledger at hand `received` is how the part goes on there, by each record that took some of it in; `doubted` are
    records there that claim units of the outflow and do not fit it, each with the reason; and `waits` how much nobody
    received there yet. Without that ledger `waits` is nothing.
    """

    id: str
    account: str
    money: Money
    ledger: str
    origin: str | None
    path: tuple[str, ...]
    date: str
    by: str
    chosen: bool
    sealed: str
    outflow: tuple[int, int]
    runs: tuple[Run, ...]
    disputed: str | None = None
    received: tuple[Trace, ...] = ()
    doubted: tuple[tuple[str, str], ...] = ()
    waits: Money | None = None

    @property
    def name(self) -> str:
        """What to call the other ledger."""
        return self.origin or f"ledger {self.ledger[:16]}…"

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "record": "sent", "account": self.account, "amount": str(self.money),
            "unit": self.money.code, "ledger": self.ledger, "origin": self.origin, "path": list(self.path),
            "date": self.date, "by": self.by, "chosen": self.chosen, "sealed": self.sealed, "disputed": self.disputed,
            "received": [part.to_dict() for part in self.received] or None,
            "doubted": [{"id": id_, "why": why} for id_, why in self.doubted] or None,
            "waits": str(self.waits) if self.waits is not None else None,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Came:
    """What a gift that came from another ledger says of it: its identity `ledger`, its `origin`, and which outflow.

    `state` is ``unchecked`` without that ledger at hand; else ``matched``, and `id` is the record there that sent it,
    or ``unmatched``, and `why` says what does not fit.
    """

    ledger: str
    origin: str | None
    outflow: tuple[int, int]
    state: str = "unchecked"
    id: str | None = None
    why: str | None = None

    def to_dict(self) -> dict[str, Any]:
        found = {
            "ledger": self.ledger, "origin": self.origin, "movement": list(self.outflow), "state": self.state,
            "id": self.id, "why": self.why,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class EndSum:
    """How much of a gift has ended in one of `STATES`, in one unit; `how` independent who acknowledged it is."""

    state: str
    money: Money
    how: str | None = None

    def to_dict(self) -> dict[str, Any]:
        found = {"state": self.state, "how": self.how, "amount": str(self.money), "unit": self.money.code}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Reached:
    """An outcome behind which the gift stands.

    `whole` is all that stands of the expenditures that it names, and `claimed` how much of that it says that it cost,
    if it says so. Of that, or else of the whole, the gift `paid` so much. `end` says what is known of it beyond the
    word of `by`; `date`, `sealed`, `lag_days` and `late` are as in a use.
    """

    id: str
    indicator: str
    quantity: int
    place: str | None
    beneficiaries: int | None
    by: str
    date: str
    end: End
    paid: Money
    whole: Money
    claimed: Money | None
    of: tuple[str, ...]
    evidence: tuple[bytes, ...]
    sealed: str
    lag_days: int = 0
    late: bool = False

    @property
    def cost(self) -> Money:
        """What it stands on: what it claims, or else all that stands of its expenditures."""
        return self.whole if self.claimed is None else self.claimed

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "indicator": self.indicator, "quantity": self.quantity, "place": self.place,
            "beneficiaries": self.beneficiaries, "by": self.by, "date": self.date, **self.end.to_dict(None),
            "expenditures": list(self.of), "paid": str(self.paid), "of": str(self.whole),
            "claimed": str(self.claimed) if self.claimed is not None else None, "unit": self.paid.code,
            "evidence": _hex(self.evidence), "sealed": self.sealed, "lag_days": self.lag_days,
            "late": self.late or None,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of one gift: gift + given by conversions = uses + held + refunds + sent + converted + reversed.

    So in every unit. `sent` is what left for another ledger; its way there is told in it and is no part of this sum.

    `remainder` is what could not be followed within the piece limit, by account; it is part of that sum too.
    `reversed` counts as never received. `corrections` are the records that were undone on the way, `steps` the ones
    that were not: neither is part of the sum. `ends` tells the same sum by state, in each unit; `outcomes` what the
    uses led to. `disputed` says why the record of the gift itself is, if it is; `late` as in a use. `arrived` is what
    the owner of the account says of the gift; it came `because_of` another gift, which may be wholly reversed, or
    is `matched_by` others.
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
    reversed: tuple[Voided, ...]
    corrections: tuple[Correction, ...]
    steps: tuple[Step, ...]
    sealed: str
    lag_days: int
    disputed: str | None
    ledger: dict[str, Any]
    late: bool = False
    ends: tuple[EndSum, ...] = ()
    outcomes: tuple[Reached, ...] = ()
    arrived: tuple[Acknowledged, ...] = ()
    because_of: str | None = None
    because_of_reversed: bool = False
    matched_by: tuple[str, ...] = ()
    sent: tuple[Sent, ...] = ()
    came: Came | None = None

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
        for name in ("sent", "remainder", "reversed", "corrections", "steps", "outcomes", "ends"):
            if parts := getattr(self, name):
                found[name] = [part.to_dict() for part in parts]
        found |= {
            "sealed": self.sealed, "lag_days": self.lag_days, "late": self.late or None, "disputed": self.disputed,
            "arrived": [word.to_dict(self.money.unit) for word in self.arrived] or None,
            "because_of": self.because_of, "because_of_reversed": self.because_of_reversed or None,
            "matched_by": list(self.matched_by) or None,
            "came_from": self.came.to_dict() if self.came is not None else None,
        }  # fmt: skip
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
