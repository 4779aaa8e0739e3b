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

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from charitychain import merkle, note, records
from charitychain.answers import Money, Sent, Trace
from charitychain.basis import Basis
from charitychain.errors import CharitychainError, VerificationError
from charitychain.receipts.bind import check_bound, check_chosen
from charitychain.receipts.parts import misfit
from charitychain.receipts.shown import Shown
from charitychain.receipts.wire import Receipt, decode_receipt
from charitychain.state.flow import follow
from charitychain.state.movements import Ref
from charitychain.tape import Run, common_runs, join_runs
from charitychain.trace import tell_flow

__all__ = ["DEPTH", "PIECES", "Checked", "check_receipt", "check_sent"]

PIECES = 2_000
"""The most pieces of a gift on one page of its receipt."""

DEPTH = 8
"""The most ledgers that a receipt goes through after the first."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A receipt that holds: its parts, and the trace, or the account, that it proves.

    `key` is the operator's key that signed the checkpoint, and `size` how many blocks it knows. `others` are the
    receipts of other ledgers in it, each of them signed by the operator of its own.
    """

    receipt: Receipt
    shown: Shown
    trace: Trace | None
    others: tuple[Checked, ...] = ()

    @property
    def origin(self) -> str:
        return self.shown.checkpoint.origin

    @property
    def vkey(self) -> str:
        """The operator's key in the form in which it is handed out."""
        return note.vkey(self.key.name, self.key.public_key)

    @property
    def by_first_key(self) -> bool:
        """Say whether it was the key that the ledger's identity binds: then the identity says whose ledger it is."""
        return self.key.public_key == self.shown.genesis.key

    def all_others(self) -> Iterator[Checked]:
        """Yield the receipts of other ledgers, and those in them."""
        for other in self.others:
            yield other
            yield from other.all_others()

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
        return _check(receipt)
    except CharitychainError as error:
        raise VerificationError("CC-RECEIPT", f"{name} proves nothing: {error.message}", **error.facts) from error


def _check(receipt: Receipt, depth: int = 0) -> Checked:
    shown = Shown(receipt)
    check_bound(shown)
    _check_brought_forward(shown)
    if (receipt.gift is None) == (receipt.account is None):
        raise misfit("a receipt is of one gift or of one account")
    if receipt.account is not None:
        shown.accounts[receipt.account]
        return Checked(receipt, shown, None)
    return _traced(shown, depth)


def _check_brought_forward(shown: Shown) -> None:
    """Check that each checkpoint that a receipt was issued under before is the beginning of the next one."""
    notes = [data for data, _ in shown.receipt.consistency] + [shown.receipt.note]
    told = [note.parse_checkpoint(note.parse_note(data).text) for data in notes]
    for number, (before, (data, proof)) in enumerate(zip(told, shown.receipt.consistency, strict=False)):
        after = told[number + 1]
        if before.origin != after.origin or before.size >= after.size:
            raise misfit("a checkpoint that the receipt was brought forward from is no earlier one of this ledger")
        note.open_note(data, note.verifier_keys(shown.genesis.origin, shown.parties[0].sealing_keys(before.size)))
        merkle.check_consistency(merkle.RFC6962, proof, before.size, before.root, after.size, after.root)


def _traced(shown: Shown, depth: int) -> Checked:
    receipt = shown.receipt
    assert receipt.gift is not None
    gift, part, stops = shown.gift(receipt.gift), None, frozenset(receipt.stops)
    if receipt.part is not None:
        first, end, page, pages = receipt.part
        if not 0 <= first < end <= gift.amount or not 1 <= page <= pages:
            raise misfit(f"page {page} of {pages} is of units that the gift does not have")
        part = (first, end)
    flow = follow(shown, shown.accounts, gift, limit=PIECES, part=part, stops=stops)
    if flow.pieces > PIECES:
        raise misfit(f"the gift lies in more than {PIECES} pieces on this page")
    check_chosen(shown, gift, flow, whole=not flow.remainder and (part is None or part == (0, gift.amount)))
    trace = tell_flow(shown, gift, flow, part if depth == 0 else None)
    if receipt.others:
        if depth == DEPTH:
            raise misfit(f"the gift goes through more than {DEPTH} ledgers")
        trace, others = _gone_on(shown, trace, depth)
        return Checked(receipt, shown, trace, others)
    return Checked(receipt, shown, trace)


def _gone_on(shown: Shown, trace: Trace, depth: int) -> tuple[Trace, tuple[Checked, ...]]:
    """Return the trace with what became of it in other ledgers, by the receipts of these, and them."""
    others: list[Checked] = []
    told: list[list[Trace]] = [[] for _ in trace.sent]
    units: dict[Ref, list[Run]] = defaultdict(list)
    for data, proof in shown.receipt.others:
        other = _check(decode_receipt(data, "the receipt of another ledger"), depth + 1)
        record = other.shown.record(other.shown.gift(other.receipt.gift or "").place)
        if other.trace is None or not isinstance(record, records.Received):
            raise misfit("the receipt of another ledger is of nothing that it received")
        mine = join_runs(sorted(run for sent in trace.sent if sent.outflow == record.movement for run in sent.runs))
        at = shown.checkpoint
        check_sent(shown, shown.identity, at.size, other.shown, record)
        size, root = record.checkpoint
        merkle.check_consistency(merkle.RFC6962, proof, size, root, at.size, at.root)
        runs = join_runs(_units(record, other.receipt.part))
        if common_runs(mine, runs) != runs or common_runs(sorted(units[record.movement]), runs):
            raise misfit(f"{record.id!r} of another ledger tells of units that are not this gift's, or told already")
        units[record.movement] += runs
        length = sum(run.length for run in runs)
        where = next(n for n, sent in enumerate(trace.sent) if sent.outflow == record.movement and _meet(sent, runs))
        told[where].append(replace(other.trace, money=Money(length, other.trace.money.unit)))
        others.append(other)
    sent = [replace(each, received=tuple(parts)) for each, parts in zip(trace.sent, told, strict=True)]
    return replace(trace, sent=tuple(sent)), tuple(others)


def check_sent(here: Basis, identity: bytes, blocks: int, there: Shown, record: records.Received) -> None:
    """Check that what another ledger received this one, of this identity and so many blocks, had sent to it.

    Whether the checkpoint that the record names is the beginning of this ledger's log is left to the caller.

    Raises:
        VerificationError: ``CC-RECEIPT``.
    """
    outflow = here.movement(*record.movement)
    here.check_movement(outflow)
    sent, size = here.record(outflow.place), record.checkpoint[0]
    units = (here.unit_of(here.accounts[outflow.account]), there.unit_of(there.accounts[record.account]))
    codes = {(unit.code, unit.decimals) for unit in units}
    if (
        not isinstance(sent, records.Sent)
        or (sent.to_ledger, record.from_ledger) != (there.identity, identity)
        or len(codes) > 1
    ):
        raise misfit(f"{record.id!r} of another ledger says that it received what was not sent to it")
    if not outflow.place.height < size <= blocks:
        raise misfit(f"{record.id!r} of another ledger names a checkpoint that does not hold what was sent")


def _units(record: records.Received, part: tuple[int, int, int, int] | None) -> list[Run]:
    """Return which units of the outflow a receipt follows, by the spans that the record received."""
    first, end = part[:2] if part is not None else (0, record.amount)
    found, before = [], 0
    for start, length in record.spans:
        low, high = max(first, before), min(end, before + length)
        if low < high:
            found.append(Run(start + low - before, high - low))
        before += length
    return found


def _meet(sent: Sent, runs: list[Run]) -> bool:
    return bool(common_runs(sorted(sent.runs), runs))
