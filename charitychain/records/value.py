"""Kinds of records that bring value in, move it, use it, or take it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "CATEGORIES",
    "COSTS",
    "LOSS",
    "Conversion",
    "Disbursement",
    "Donation",
    "Expenditure",
    "Gifts",
    "Refund",
    "Reversal",
    "Split",
]

COSTS = ("programme", "administration", "fundraising")
"""What an expenditure may be; caps and shares of costs speak of these."""
LOSS = "loss"
CATEGORIES = (*COSTS, LOSS)


@dataclass(frozen=True, slots=True)
class Donation:
    """One gift into an account. `donor` is a pseudonym of 16 bytes and nothing else.

    `donor_key` keeps the place of the donor's own key and signature, and is nil in this version. `replaces` names a
    reversed record that this one enters rightly; `pledge` the pledge that it fulfils; `because_of` the gift that it
    matches.
    """

    KIND: ClassVar[int] = 16
    NAME: ClassVar[str] = "donation"
    SINCE: ClassVar[tuple[str, ...]] = ("replaces", "pledge", "because_of")
    id: str
    account: int
    amount: int
    source: str | None = None
    donor: bytes | None = None
    donor_key: None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None
    replaces: str | None = None
    pledge: str | None = None
    because_of: str | None = None


@dataclass(frozen=True, slots=True)
class Gifts:
    """Many micro-donations as columns; the columns stand beside the record and hash to `root`.

    `previous` is the last id of the series before this record (nil opens the series). `width` is the bytes a gift
    takes: 32, or 48 with a second party such as the merchant.
    """

    KIND: ClassVar[int] = 17
    NAME: ClassVar[str] = "gifts"
    series: str
    account: int
    previous: int | None
    count: int
    amount: int
    first: int
    last: int
    width: int
    root: bytes
    source: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Disbursement:
    """Moves value to another account of the same unit; `gift` names the one gift it is taken from."""

    KIND: ClassVar[int] = 20
    NAME: ClassVar[str] = "disbursement"
    SINCE: ClassVar[tuple[str, ...]] = ("replaces",)
    id: str
    account: int
    to: int
    amount: int
    gift: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Expenditure:
    """Final use: value leaves the ledger for a payee and a purpose; of the category ``loss`` it was lost.

    `invoice` is (key, total in minor units) of the document that this pays wholly or in part; `line` a plan's line as
    ``PLAN/LINE``.
    """

    KIND: ClassVar[int] = 21
    NAME: ClassVar[str] = "expenditure"
    SINCE: ClassVar[tuple[str, ...]] = ("replaces", "invoice", "line")
    id: str
    account: int
    amount: int
    payee: str | None = None
    purpose: str | None = None
    category: str | None = None
    gift: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None
    replaces: str | None = None
    invoice: tuple[str, int] | None = None
    line: str | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """Value changes unit: `amount` leaves `account`, `gives` arrives in `to`, paid by `funded_from` if that is set."""

    KIND: ClassVar[int] = 22
    NAME: ClassVar[str] = "conversion"
    SINCE: ClassVar[tuple[str, ...]] = ("replaces", "line")
    id: str
    account: int
    amount: int
    to: int
    gives: int
    funded_from: int | None = None
    payee: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None
    replaces: str | None = None
    line: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """What is left of one gift in an account goes back to its donor.

    `account` nil is the gift's own account; `amount` nil is all of it there.
    """

    KIND: ClassVar[int] = 24
    NAME: ClassVar[str] = "refund"
    id: str
    donation: str
    account: int | None = None
    amount: int | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """Undoes an expenditure, disbursement, split, gift or pledge, wholly (`amount` nil: all there is) or in part.

    `gift` names the gift whose share comes back, `account` the one out of which a split is taken back.
    """

    KIND: ClassVar[int] = 25
    NAME: ClassVar[str] = "reversal"
    SINCE: ClassVar[tuple[str, ...]] = ("gift", "account")
    id: str
    reverses: str
    amount: int | None = None
    reason: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None
    gift: str | None = None
    account: int | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Moves value to several accounts at once, each gift's evenly: `parts` are (account number, amount) pairs."""

    KIND: ClassVar[int] = 27
    NAME: ClassVar[str] = "split"
    id: str
    account: int
    amount: int
    parts: tuple[tuple[int, int], ...]
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None
    replaces: str | None = None
