"""The records: what a ledger can say, one frozen data class for each kind, and their bytes.

>>> gift = Donation(id="D-1", account=0, amount=1250, source="cash")
>>> decode_record(encode_record(gift)) == gift
True
"""

from charitychain.records.across import Received, Sent
from charitychain.records.kinds import KINDS, Place, Record, record_id
from charitychain.records.parties import (
    ROLES,
    RULES,
    Account,
    AccountChange,
    Control,
    KeyChange,
    Party,
    Suspension,
    UnitRecord,
)
from charitychain.records.value import (
    CATEGORIES,
    COSTS,
    LOSS,
    Conversion,
    Disbursement,
    Donation,
    Expenditure,
    Gifts,
    Refund,
    Reversal,
    Split,
)
from charitychain.records.wire import check_date, check_record, decode_record, encode_record, is_of_version_1
from charitychain.records.words import PLAN_KINDS, Acknowledgement, Attestation, Outcome, Period, Plan, Pledge

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
    "Attestation",
    "Control",
    "Conversion",
    "Disbursement",
    "Donation",
    "Expenditure",
    "Gifts",
    "KeyChange",
    "Outcome",
    "Party",
    "Period",
    "Place",
    "Plan",
    "Pledge",
    "Received",
    "Record",
    "Refund",
    "Reversal",
    "Sent",
    "Split",
    "Suspension",
    "UnitRecord",
    "check_date",
    "check_record",
    "decode_record",
    "encode_record",
    "is_of_version_1",
    "record_id",
]
