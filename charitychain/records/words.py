"""Kinds of records by which parties say something and move nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

__all__ = [
    "PLAN_KINDS",
    "Acknowledgement",
    "Attestation",
    "Line",
    "Outcome",
    "Period",
    "Plan",
    "Pledge",
]

PLAN_KINDS = ("goods", "money", "service")

Line: TypeAlias = tuple[str, str, str, int, int]
"""(id within the plan, kind, what, quantity, unit price in minor units)."""


@dataclass(frozen=True, slots=True)
class Pledge:
    """Announces a sum for an account. It is never counted as received; donations that name it fulfil it."""

    KIND: ClassVar[int] = 18
    NAME: ClassVar[str] = "pledge"
    id: str
    account: int
    amount: int
    pledger: str | None = None
    donor: bytes | None = None
    due: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Budget lines of an account: what, how much of it, at what unit price. Expenditures name the line they use."""

    KIND: ClassVar[int] = 19
    NAME: ClassVar[str] = "plan"
    id: str
    account: int
    lines: tuple[Line, ...]
    title: str | None = None
    replaces: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody other than the payer says that what a record says arrived, or came about, or disputes it.

    `acknowledges` is the id of a disbursement, split, expenditure, conversion or outcome, or a gift. With `upto` 1 it
    is a gift up to which, in order of arrival, all that others took in for the account has reached its owner. `amount`
    nil is all of it; an outcome has none. `on_behalf_of` says for whom a stand-in speaks.
    """

    KIND: ClassVar[int] = 23
    NAME: ClassVar[str] = "acknowledgement"
    id: str
    acknowledges: str
    amount: int | None = None
    status: str | None = None
    upto: int | None = None
    on_behalf_of: str | None = None
    note: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What expenditures of an account did, by its owner's word or an auditor's: `quantity` of `indicator`.

    `of` are the expenditures behind it; `amount` is how much of them it claims, nil being all that stood of them then.
    """

    KIND: ClassVar[int] = 26
    NAME: ClassVar[str] = "outcome"
    id: str
    account: int
    indicator: str
    quantity: int
    of: tuple[str, ...]
    amount: int | None = None
    place: str | None = None
    beneficiaries: int | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Attestation:
    """A bank or an auditor says what accounts together really held, at the end of the day `at`; `amount` may be 0."""

    KIND: ClassVar[int] = 28
    NAME: ClassVar[str] = "attestation"
    id: str
    accounts: tuple[int, ...]
    amount: int
    at: str
    institution: str | None = None
    note: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """An owner closes a period: the totals of its accounts. What is dated `until` or before and comes later is late.

    `totals` are (account number, came in, taken by rule, taken by name, came back) in rising order of the numbers.
    """

    KIND: ClassVar[int] = 29
    NAME: ClassVar[str] = "period"
    id: str
    until: str
    totals: tuple[tuple[int, int, int, int, int], ...]
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None
