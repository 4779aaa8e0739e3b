"""The verdict on a receipt, and the trace that it proves.

Rules upheld here:

- Nothing but the receipt is read; whom to believe is the caller's: the operator's key, a checkpoint, witnesses.
- The trace is computed anew from what is shown, by the code that a ledger answers with.
- Whatever does not fit is one error, ``CC-RECEIPT``, that says what.

>>> check_receipt(b"nothing")
Traceback (most recent call last):
charitychain.errors.UnreadableError: receipt is no receipt, or has more than 16777216 bytes
"""

from __future__ import annotations

from dataclasses import dataclass

from charitychain import merkle, note
from charitychain.answers import Trace
from charitychain.errors import CharitychainError, UnreadableError, VerificationError
from charitychain.receipts.bind import check_bound, check_chosen
from charitychain.receipts.shown import Shown, misfit
from charitychain.receipts.wire import Receipt, decode_receipt
from charitychain.state.flow import follow
from charitychain.trace import tell_flow

__all__ = ["PIECES", "Checked", "check_receipt"]

PIECES = 2_000
"""The most pieces of a gift on one page of its receipt."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A receipt that holds: its parts, and the trace, or the account, that it proves.

    `key` is the operator's key that signed the checkpoint, and `size` how many blocks it knows.
    """

    receipt: Receipt
    shown: Shown
    trace: Trace | None

    @property
    def key(self) -> note.VerifierKey:
        return self.shown.key

    @property
    def size(self) -> int:
        return self.shown.checkpoint.size


def check_receipt(data: bytes, name: str = "receipt") -> Checked:
    """Check a receipt, and compute the trace that it proves.

    Args:
        name: What to call it in errors.

    Raises:
        UnreadableError: ``CC-RECEIPT``: it is no receipt, or of a later version.
        VerificationError: ``CC-RECEIPT``: it was damaged, or does not prove what it says.
    """
    receipt = decode_receipt(data, name)
    try:
        shown = Shown(receipt)
        check_bound(shown)
        _check_brought_forward(shown)
        if (receipt.gift is None) == (receipt.account is None):
            raise misfit("a receipt is of one gift or of one account")
        if receipt.account is not None:
            shown.accounts[receipt.account]
        return Checked(receipt, shown, _trace(shown))
    except UnreadableError:
        raise
    except CharitychainError as error:
        raise VerificationError("CC-RECEIPT", f"{name} proves nothing: {error.message}", **error.facts) from error


def _check_brought_forward(shown: Shown) -> None:
    """Check that each checkpoint that a receipt was issued under before is the beginning of the next one."""
    notes = [data for data, _ in shown.receipt.consistency] + [shown.receipt.note]
    told = [note.parse_checkpoint(note.parse_note(data).text) for data in notes]
    for number, (before, (data, proof)) in enumerate(zip(told, shown.receipt.consistency, strict=False)):
        after = told[number + 1]
        if before.origin != after.origin or before.size >= after.size:
            raise misfit("a checkpoint that the receipt was brought forward from is no earlier one of this ledger")
        note.open_note(data, shown.operator_keys(before.size))
        merkle.check_consistency(merkle.RFC6962, proof, before.size, before.root, after.size, after.root)


def _trace(shown: Shown) -> Trace | None:
    receipt = shown.receipt
    if receipt.gift is None:
        return None
    gift, part, stops = shown.gift(receipt.gift), None, frozenset(receipt.stops)
    if receipt.part is not None:
        first, end, page, pages = receipt.part
        if not 0 <= first < end <= gift.amount or not 1 <= page <= pages:
            raise misfit(f"page {page} of {pages} is of units that the gift does not have")
        part = (first, end)
    flow = follow(shown, shown.accounts, gift, limit=PIECES, part=part, stops=stops)
    if flow.pieces > PIECES:
        raise misfit(f"the gift lies in more than {PIECES} pieces on this page")
    check_chosen(shown, gift, flow, whole=not flow.remainder)
    return tell_flow(shown, gift, flow, part)
