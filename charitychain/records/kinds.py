"""The kinds of records, one frozen data class each.

A record is one fact. On the wire it is an array with the kind number first and the fields in the order in which they
stand in their classes: `parties`, `value`, `across` and `words` beside this file. See `charitychain.records.wire`, and
`docs/reference/format.md`.

Rules upheld here:

- Amounts are whole minor units, 1..2⁶³-1. What an author left out stays left out: ``None``, and no default is ever
  filled in.
- `SINCE` of a class says which of its fields came with format 2; they stand last, and an array ends before those that
  are left out, so that a record which uses none of them has the bytes it had in format 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from charitychain.records.across import Received, Sent
from charitychain.records.parties import (
    Account,
    AccountChange,
    Control,
    KeyChange,
    Party,
    Suspension,
    UnitRecord,
)
from charitychain.records.value import (
    Conversion,
    Disbursement,
    Donation,
    Expenditure,
    Gifts,
    Refund,
    Reversal,
    Split,
)
from charitychain.records.words import (
    Acknowledgement,
    Attestation,
    Outcome,
    Period,
    Plan,
    Pledge,
)

__all__ = ["KINDS", "Place", "Record", "record_id"]


class Place(NamedTuple):
    """Where a record stands: height of its block, statement in the block, record in the statement, each from 0."""

    height: int
    statement: int
    record: int


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
    | Sent
    | Received
)

KINDS: tuple[type[Any], ...] = (
    Party, KeyChange, Suspension, UnitRecord, Account, AccountChange, Control, Donation, Gifts, Pledge, Plan,
    Disbursement, Expenditure, Conversion, Acknowledgement, Refund, Reversal, Outcome, Split, Attestation, Period, Sent,
    Received,
)  # fmt: skip


def record_id(record: Record) -> str | None:
    """Return the id that a record brings into the ledger's one id space; gifts and key changes bring none."""
    return None if isinstance(record, Gifts | KeyChange) else record.id
