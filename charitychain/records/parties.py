"""Kinds of records that say who there is and what there is: parties, keys, units, accounts and their terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

__all__ = [
    "ROLES",
    "RULES",
    "Account",
    "AccountChange",
    "Approvals",
    "Cap",
    "Control",
    "KeyChange",
    "Levy",
    "Party",
    "Restriction",
    "Suspension",
    "UnitRecord",
]

ROLES = ("operator", "intake", "charity", "sponsor", "auditor", "witness")
RULES = ("fifo", "pro-rata")

# On the wire these are arrays; which values they may hold, `charitychain.records.wire` checks.
Restriction: TypeAlias = tuple[tuple[str, ...], str | None, str | None]
"""(purposes, first day, last day): what may be spent on, none being anything, and when. Days are ``YYYY-MM-DD``."""

Approvals: TypeAlias = tuple[int, tuple[str, ...]]
"""(k, party ids in rising order): k of them must sign whatever leaves the account."""

Cap: TypeAlias = tuple[tuple[str, ...], int, str, str, str, str]
"""(categories, hundredths of a percent, base, scope, period, mode)."""

Levy: TypeAlias = tuple[tuple[int, int], ...]
"""(account number, hundredths of a percent) pairs in rising order of the numbers."""


@dataclass(frozen=True, slots=True)
class Party:
    """Admits an organisation or person with its first key.

    `proof` is the signature of that key over a possession message, so that nobody registers a key of another.
    `recovery` is a recovery key with its own proof; nil has none.
    """

    KIND: ClassVar[int] = 1
    NAME: ClassVar[str] = "party"
    id: str
    roles: tuple[str, ...]
    key: bytes
    proof: bytes
    title: str | None = None
    recovery: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Gives a party a further key from the next block on; `replaces` (a key id) ends that older key there.

    `compromised_since` marks the key `replaces`: what it signed in blocks of that height and above is disputed. Only
    the recovery key may say so, and may then leave out a new key.
    """

    KIND: ClassVar[int] = 2
    NAME: ClassVar[str] = "key"
    party: str
    key: bytes | None
    proof: bytes | None
    replaces: bytes | None = None
    compromised_since: int | None = None


@dataclass(frozen=True, slots=True)
class Suspension:
    """The operator suspends a party, or lifts a suspension (`suspended` 0): its signature counts for nothing then."""

    KIND: ClassVar[int] = 3
    NAME: ClassVar[str] = "suspension"
    id: str
    party: str
    suspended: int
    reason: str | None = None
    date: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """Declares a commodity and its decimals."""

    KIND: ClassVar[int] = 4
    NAME: ClassVar[str] = "unit"
    id: str
    decimals: int
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Opens a fund or project. `number` is the count of accounts before it; unit and rule are fixed for ever.

    `rule` nil is ``fifo``; `owner` nil is the author. `target` is the sum hoped for, minor units. `naming` may forbid
    to take money of one gift by name; `levy` takes a share of whatever is passed on.
    """

    KIND: ClassVar[int] = 5
    NAME: ClassVar[str] = "account"
    SINCE: ClassVar[tuple[str, ...]] = ("naming", "levy")
    id: str
    number: int
    unit: str
    rule: str | None = None
    owner: str | None = None
    title: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    restriction: Restriction | None = None
    approvals: Approvals | None = None
    target: int | None = None
    caps: tuple[Cap, ...] | None = None
    naming: str | None = None
    levy: Levy | None = None


@dataclass(frozen=True, slots=True)
class AccountChange:
    """Changes an account's terms. What is nil stays as it is; an empty value takes a term away.

    `restriction` without purposes and days, `approvals` of nobody, `target` 0, no `caps`, `levy` or `tags`, an empty
    `title`. A new `owner` signs too. `closed` 1 closes the account, 0 opens it again.
    """

    KIND: ClassVar[int] = 6
    NAME: ClassVar[str] = "account-change"
    id: str
    account: int
    title: str | None = None
    tags: tuple[tuple[str, str], ...] | None = None
    restriction: Restriction | None = None
    approvals: Approvals | None = None
    target: int | None = None
    caps: tuple[Cap, ...] | None = None
    naming: str | None = None
    levy: Levy | None = None
    owner: str | None = None
    closed: int | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """Sets a party's recovery key, or how many of its own keys must sign what it says.

    A first recovery key is set by the party; another, by the one that it replaces.
    """

    KIND: ClassVar[int] = 7
    NAME: ClassVar[str] = "control"
    id: str
    party: str
    recovery: bytes | None = None
    proof: bytes | None = None
    threshold: int | None = None
    date: str | None = None
    reference: str | None = None
