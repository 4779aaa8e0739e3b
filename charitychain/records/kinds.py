"""The kinds of records, one frozen data class each.

A record is one fact. On the wire it is an array with the kind number first and the fields in the order in which they
stand here (`charitychain.records.wire`, and `docs/reference/format.md`).

Rules upheld here:

- Amounts are whole minor units, 1..2⁶³-1. What an author left out stays left out: ``None``, and no default is ever
  filled in.
- `SINCE` of a class says which of its fields came with format 2; they stand last, and an array ends before those that
  are left out, so that a record which uses none of them has the bytes it had in format 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

__all__ = [
    "CATEGORIES",
    "COSTS",
    "KINDS",
    "LOSS",
    "PLAN_KINDS",
    "ROLES",
    "RULES",
    "Account",
    "AccountChange",
    "Acknowledgement",
    "Approvals",
    "Attestation",
    "Cap",
    "Control",
    "Conversion",
    "Disbursement",
    "Donation",
    "Expenditure",
    "Gifts",
    "KeyChange",
    "Levy",
    "Line",
    "Outcome",
    "Party",
    "Period",
    "Place",
    "Plan",
    "Pledge",
    "Record",
    "Refund",
    "Restriction",
    "Reversal",
    "Split",
    "Suspension",
    "UnitRecord",
    "record_id",
]

ROLES = ("operator", "intake", "charity", "sponsor", "auditor", "witness")
RULES = ("fifo", "pro-rata")
COSTS = ("programme", "administration", "fundraising")
"""What an expenditure may be; caps and shares of costs speak of these."""
LOSS = "loss"
CATEGORIES = (*COSTS, LOSS)
PLAN_KINDS = ("goods", "money", "service")


class Place(NamedTuple):
    """Where a record stands: height of its block, statement in the block, record in the statement, each from 0."""

    height: int
    statement: int
    record: int


# On the wire these are arrays; which values they may hold, `charitychain.records.wire` checks.
Restriction: TypeAlias = tuple[tuple[str, ...], str | None, str | None]
"""(purposes, first day, last day): what may be spent on, none being anything, and when. Days are ``YYYY-MM-DD``."""

Approvals: TypeAlias = tuple[int, tuple[str, ...]]
"""(k, party ids in rising order): k of them must sign whatever leaves the account."""

Cap: TypeAlias = tuple[tuple[str, ...], int, str, str, str, str]
"""(categories, hundredths of a percent, base, scope, period, mode)."""

Levy: TypeAlias = tuple[tuple[int, int], ...]
"""(account number, hundredths of a percent) pairs in rising order of the numbers."""

Line: TypeAlias = tuple[str, str, str, int, int]
"""(id within the plan, kind, what, quantity, unit price in minor units)."""


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
class Acknowledgement:
    """Somebody other than the payer says that what a record says arrived, or disputes it.

    `acknowledges` is the id of a disbursement, split, expenditure or conversion, or a gift. With `upto` 1 it is a gift
    up to which, in order of arrival, all that others took in for the account has reached its owner. `amount` nil is
    all of it. `on_behalf_of` says for whom a stand-in speaks.
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
class Outcome:
    """What expenditures of an account did, by its owner's word or an auditor's: `quantity` of `indicator`.

    `of` are the expenditures behind it; `amount` is how much of what stands of them it claims, nil being all.
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


Record: TypeAlias = (
    Party
    | KeyChange
    | Suspension
    | UnitRecord
    | Account
    | AccountChange
    | Control
    | Donation
    | Gifts
    | Pledge
    | Plan
    | Disbursement
    | Expenditure
    | Conversion
    | Acknowledgement
    | Refund
    | Reversal
    | Outcome
    | Split
    | Attestation
    | Period
)

KINDS: tuple[type[Any], ...] = (
    Party, KeyChange, Suspension, UnitRecord, Account, AccountChange, Control, Donation, Gifts, Pledge, Plan,
    Disbursement, Expenditure, Conversion, Acknowledgement, Refund, Reversal, Outcome, Split, Attestation, Period,
)  # fmt: skip


def record_id(record: Record) -> str | None:
    """Return the id that a record brings into the ledger's one id space; gifts and key changes bring none."""
    return None if isinstance(record, Gifts | KeyChange) else record.id
