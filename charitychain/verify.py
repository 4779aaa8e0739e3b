"""Verify: is this ledger what it says it is?

`verify` recomputes everything from the bytes, by `charitychain.replay` into a scratch index, and returns a report of
*all* faults. What it is compared with, beyond itself:

- the head that this user's machine remembers for the ledger's identity (rollback, fork);
- the identity pinned to the path (another ledger put in its place);
- a checkpoint handed over by somebody else.

A file alone cannot show that blocks were cut off at its end, so the report says plainly when it had nothing to
compare with. Beside that it audits the books of a ledger that holds (`charitychain.audit`): findings, which change no
verdict. Memory does not grow with the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charitychain import forks, merkle, note
from charitychain.audit import Finding, Watch
from charitychain.errors import CharitychainError, StorageError, UnreadableError, VerificationError
from charitychain.forks import Fork
from charitychain.heads import Head, Heads
from charitychain.index import Index, IndexDamaged
from charitychain.reading import statement_reader
from charitychain.records import Place, Received
from charitychain.replay import Fault, Replay, header_frontier
from charitychain.state.lookup import Link
from charitychain.state.movements import Kind
from charitychain.state.rules import State
from charitychain.store.protocol import Store
from charitychain.units import Unit, format_amount

__all__ = ["Report", "UnitTotals", "verify"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class UnitTotals:
    """What went through one unit, in minor units.

    ``given + received + converted_in = spent + refunded + sent + converted_out + held``: `given` counts donations,
    `received` and `sent` what came from and went to other ledgers, `converted_in` what conversions gave, `spent` what
    was spent; each less what of it was reversed.
    """

    given: int
    received: int
    converted_in: int
    spent: int
    refunded: int
    sent: int
    converted_out: int
    held: int

    @property
    def conserved(self) -> bool:
        came = self.given + self.received + self.converted_in
        return came == self.spent + self.refunded + self.sent + self.converted_out + self.held


@dataclass(slots=True)
class Report:
    """The outcome of `verify`.

    `warnings` make the outcome "good, but less than was asked for" (exit code 8): a torn tail, a ledger older than a
    known head or checkpoint. `findings` are questions about the books, `notices` plain words; they change nothing. A
    ledger with faults is not audited. `received` is where records stand that say what came from other ledgers; whether
    those sent it is asked elsewhere (`charitychain.across`). `fork` is the evidence of a fault that says that two
    histories were signed, where there is any.
    """

    origin: str = ""
    identity: bytes = b""
    height: int = -1
    block_hash: bytes = b""
    checkpoint: str = ""
    size: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    totals: dict[str, UnitTotals] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    units: dict[str, Unit] = field(default_factory=dict)
    received: tuple[Place, ...] = ()
    fork: Fork | None = None

    @property
    def holds(self) -> bool:
        """Say whether no fault was found; `exit_code` also counts what could not be shown."""
        return not self.faults

    @property
    def exit_code(self) -> int:
        return 1 if self.faults else 8 if self.warnings else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the report for programs; amounts are strings in major units."""
        totals = {
            unit: {
                name: format_amount(amount, self.units[unit])
                for name in UnitTotals.__slots__
                if (amount := getattr(total, name)) or name not in ("received", "sent")
            }
            for unit, total in sorted(self.totals.items())
        }
        return {
            "holds": self.holds,
            "origin": self.origin,
            "identity": self.identity.hex(),
            "height": self.height,
            "block_hash": self.block_hash.hex(),
            "checkpoint": self.checkpoint,
            "size_bytes": self.size,
            **self.counts,
            "totals": totals,
            "findings": [finding.to_dict() for finding in self.findings],
            "faults": [fault.to_dict() for fault in self.faults],
            "warnings": self.warnings,
            "notices": self.notices,
        }


def verify(
    store: Store,
    *,
    heads: Heads | None = None,
    path: Path | None = None,
    checkpoint: bytes | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a whole ledger.

    Args:
        heads: Remembered heads and pinned identities; what holds is remembered there.
        path: The ledger's path, to which its identity is pinned on first use.
        checkpoint: A signed checkpoint (C2SP note) that this ledger must extend.
        progress: Called with (bytes done, bytes in all), after each block.

    Raises:
        UnreadableError: there is no whole genesis block: this is no ledger.
        MalformedError: `checkpoint` is no checkpoint.
    """
    report = Report()
    index = Index("", statement_reader(store), scratch=True)
    try:
        index.begin()
        watch = Watch(index)
        replay = Replay(index, report.faults.append, watch.see)
        torn = _feed(store, replay, report, progress)
        if replay.genesis is None or replay.state is None:
            raise UnreadableError(
                "CC-NO-GENESIS", f"{store.name} holds no whole genesis block; it is no ledger, or its start is damaged"
            )
        _fill(report, replay, store)
        if not report.faults:
            report.findings = watch.findings(replay.state, store)
            report.received = tuple(_received(replay.state, index))
        if torn is not None:
            report.warnings.append(
                f"The file ends inside a block at byte {torn}: a write was cut off, or the file was. After a crash"
                " nothing that was acknowledged is lost, and the next write cuts these bytes off and keeps them beside"
                " the ledger; it refuses to where the operator's key has sealed that block."
            )
        if checkpoint is not None:
            _check_checkpoint(report, replay, index, checkpoint)
        _compare(report, index, heads, path, told=checkpoint is not None)
    finally:
        index.close()
    return report


def _feed(store: Store, replay: Replay, report: Report, progress: Progress | None) -> int | None:
    """Replay every frame; return where the file is torn, if it is."""
    for frame in store.scan():
        if frame.fault == "CC-TORN":
            return frame.offset
        replay.feed(frame)
        if replay.genesis is None and not report.faults:
            return None
        if progress is not None:
            progress(frame.end, store.size())
    return None


def _fill(report: Report, replay: Replay, store: Store) -> None:
    state = replay.state
    assert state is not None and replay.genesis is not None
    report.origin, report.identity = replay.genesis.origin, replay.identity
    report.height, report.block_hash = replay.last_readable
    report.checkpoint = replay.seal.decode("utf-8", "replace")
    report.size, report.counts = store.size(), {**replay.counts}
    report.counts["accounts"], report.counts["parties"] = len(state.accounts), len(state.parties)
    for unit in sorted({account.unit for account in state.accounts}):
        total = {kind: state.totals.get((unit, kind), 0) for kind in Kind}
        held = sum(account.balance for account in state.accounts if account.unit == unit)
        totals = UnitTotals(
            given=total[Kind.DONATED] - total[Kind.VOIDED],  # net of what was entered wrongly and never received
            received=total[Kind.CAME],
            # What a funded conversion gave had been given before, by its sponsor: one amount, counted once.
            converted_in=total[Kind.CONVERTED_IN] - total[Kind.FUNDED],
            spent=total[Kind.SPENT] - total[Kind.REVERSED],
            refunded=total[Kind.REFUNDED],
            sent=total[Kind.SENT],
            converted_out=total[Kind.CONVERTED_OUT],
            held=held,
        )
        report.totals[unit], report.units[unit] = totals, state.units[unit]
        if not totals.conserved:
            report.faults.append(
                Fault("CC-CONSERVATION", f"what went into {unit} is not what was used, refunded, converted and held")
            )


def _received(state: State, index: Index) -> Iterator[Place]:
    """Yield where records stand that say what came from other ledgers, and were not wholly reversed."""
    for place in sorted(place for _, place in index.linked(Link.CAME)):
        record = state.record_at(place)
        if isinstance(record, Received) and state.reversed_of(record.id) < record.amount:
            yield place


def _check_checkpoint(report: Report, replay: Replay, index: Index, data: bytes) -> None:
    """Compare with a checkpoint that somebody else kept."""
    assert replay.state is not None and replay.genesis is not None
    parsed = note.parse_checkpoint(note.parse_note(data).text)
    if parsed.origin != report.origin:
        report.faults.append(
            Fault("CC-CHECKPOINT", "the checkpoint is of another ledger", expected=parsed.origin, found=report.origin)
        )
        return
    listed = [key.key for key in replay.state.parties[0].keys] if replay.state.parties else [replay.genesis.key]
    vkeys = [note.parse_vkey(note.vkey(report.origin, key)) for key in listed]
    try:
        note.open_note(data, vkeys)
    except VerificationError as error:
        report.faults.append(Fault("CC-CHECKPOINT", f"the checkpoint is not signed by this ledger's operator: {error}"))
        return
    if parsed.size > replay.height:
        report.warnings.append(
            f"The checkpoint knows {parsed.size} blocks, this copy has {replay.height}: it is older or was cut off."
        )
        return
    try:
        root = header_frontier(index, parsed.size).root() if parsed.size else merkle.empty_root(merkle.RFC6962)
    except IndexDamaged:  # blocks are missing: their faults are told, and the log up to here is not known
        report.warnings.append("The checkpoint could not be compared: blocks before its end are damaged or missing.")
        return
    if root != parsed.root:
        report.faults.append(
            Fault(
                "CC-CHECKPOINT",
                f"the first {parsed.size} blocks here are not those of the checkpoint: two histories were signed",
                expected=parsed.root.hex(),
                found=root.hex(),
            )
        )
        report.fork = _fork(report, index, data)
    else:
        report.notices.append(f"This ledger extends the given checkpoint of {parsed.size} blocks.")


def _compare(report: Report, index: Index, heads: Heads | None, path: Path | None, *, told: bool) -> None:
    """Compare with what this machine remembers, and remember what holds."""
    if heads is None:
        if not told:
            report.notices.append(_NOTHING_KNOWN)
        return
    try:
        pinned = heads.pinned(path) if path is not None else None
        known = heads.head(report.identity)
    except StorageError as error:
        report.warnings.append(str(error))
        return
    if path is not None and pinned is not None and pinned != report.identity:
        report.faults.append(
            Fault(
                "CC-IDENTITY",
                "another ledger stood at this path before; if this is right, use another path, or remove"
                f" {heads.pin_path(path)}",
                expected=pinned.hex(),
                found=report.identity.hex(),
            )
        )
    elif known is not None:
        _compare_head(report, index, known)
    elif not told:
        report.notices.append(_NOTHING_KNOWN + ("" if report.faults else " From now on this machine remembers."))
    if not report.faults:
        try:
            if path is not None and pinned is None:
                heads.pin(path, report.identity)
            if known is None or known.height < report.height:
                heads.remember(report.identity, Head(report.height, report.block_hash, report.checkpoint))
        except (StorageError, OSError) as error:
            report.notices.append(f"The head could not be remembered: {error}")
        except CharitychainError as error:
            report.faults.append(Fault(error.code, error.message))


_NOTHING_KNOWN = (
    "No earlier head of this ledger is known here and no checkpoint was given: nothing proves that this is its end."
)


def _compare_head(report: Report, index: Index, known: Head) -> None:
    if known.height > report.height:
        report.warnings.append(
            f"This machine has seen block {known.height} of this ledger; this copy ends at block {report.height}:"
            " it is older, or blocks were cut off."
        )
        return
    found = index.block_hash(known.height)
    if found != known.block_hash:
        report.faults.append(
            Fault(
                "CC-FORK",
                f"block {known.height} is not the one that this machine saw before: two histories were signed",
                block=known.height,
                expected=known.block_hash.hex(),
                found=found.hex() if found else None,
            )
        )
        report.fork = _fork(report, index, known.checkpoint.encode())


def _fork(report: Report, index: Index, data: bytes) -> Fork | None:
    """Return evidence that an earlier checkpoint and this ledger's last one do not fit; nothing if there is none."""
    try:
        return forks.find_fork(data, report.checkpoint.encode(), index.header_node)
    except (CharitychainError, IndexDamaged, ValueError):  # a damaged ledger shows nothing
        return None
