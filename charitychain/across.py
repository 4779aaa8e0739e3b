"""Across ledgers: a trace that goes on from one ledger into the next, and whether what one received the other sent.

What is `sent` in one ledger is `received` in another, and each record names the other ledger, its outflow and its
units. With both at hand the way of a gift goes on unit by unit: from a platform's ledger into a charity's own, from one
year's ledger into the next.

Rules upheld here:

- A record that says what was received counts only where the sending ledger bears it out: it extends the checkpoint that
  the record names, the outflow stands under that checkpoint, was sent to just this ledger and not taken back, is in the
  same unit, and has the units that are claimed. Anything else is *unmatched*, with the reason.
- The sending ledger's own records decide to whom it sent; the receiving one's only whether that arrived.
- Sums of a trace are those of its own ledger: what became of a part elsewhere is told beside it.

What it leaves to others: whether each ledger holds is for `charitychain.verify` of each. That nothing is received twice
within one ledger its own rules see to (`charitychain.state.across`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from charitychain import records
from charitychain.answers import Money, Sent, Trace
from charitychain.chain.genesis import Genesis
from charitychain.errors import NotFoundError, RefusedError, VerificationError
from charitychain.reading import Reader
from charitychain.records import Place
from charitychain.replay import Fault
from charitychain.state.across import outflow_key
from charitychain.state.flow import PIECE_LIMIT, follow_runs, lay_run
from charitychain.state.movements import Kind
from charitychain.state.terms import is_as_narrow
from charitychain.tape import Run
from charitychain.trace import tell_flow, trace_gift
from charitychain.units import format_amount
from charitychain.verify import Report

__all__ = [
    "Match", "Readers", "check_predecessor", "check_received", "claims_on", "compare", "match_of", "received_entry",
    "trace_across", "units_within",
]  # fmt: skip

Readers = Mapping[bytes, Reader]
"""The ledgers at hand, by identity."""
_MOST_HOPS = 64
"""How many ledgers a trace goes through; behind the last it says where the rest was sent."""


@dataclass(frozen=True, slots=True)
class Match:
    """Whether a record of what was received fits the ledger that it came from.

    `state` is ``matched``, and `sent` the id of the record there; ``unmatched``; or ``unchecked``, where that ledger is
    not at hand, or the copy of it too old. `why` says what does not fit, or what is missing. `loose` is true where it
    left an account there whose restriction the one here does not keep.
    """

    id: str
    place: Place
    money: Money
    ledger: str
    origin: str | None
    state: str
    sent: str | None = None
    why: str | None = None
    loose: bool = False

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "amount": str(self.money), "unit": self.money.code, "ledger": self.ledger,
            "origin": self.origin, "state": self.state, "sent": self.sent, "why": self.why,
            "loose": self.loose or None,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


def received_entry(there: Reader, sent: str, *, account: str, id: str) -> dict[str, Any]:
    """Return the journal entry by which all of what another ledger sent is received into `account`.

    Args:
        there: The ledger that sent it, at its head.
        sent: The id of its record there.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``: it sent nothing under this id.
        RefusedError: ``CC-RECEIVED``: it took that back.
    """
    row = there.find_id(sent)
    record = there.record(row.place) if row is not None else None
    if row is None or not isinstance(record, records.Sent) or record.id != sent:
        raise NotFoundError("CC-UNKNOWN-ID", f"{there.genesis.origin} sent nothing under the id {sent!r}", id=sent)
    there.check_author(row.place)
    (number, index), unit = there.moves(row.place)[0], there.unit_of(there.accounts[record.account])
    there.check_movement(there.movement(number, index))
    if there.accounts[number].reversed.find(index) is not None:
        raise RefusedError("CC-RECEIVED", f"{there.genesis.origin} took {sent!r} back", id=sent)
    return {
        "record": "received", "id": id, "account": account, "amount": format_amount(record.amount, unit),
        "unit": unit.code, "from_ledger": there.genesis.identity().hex(), "from_origin": there.genesis.origin,
        "checkpoint": {"size": there.head.height + 1, "root": there.log_root.hex()},
        "movement": [number, index], "spans": [[0, record.amount]],
    }  # fmt: skip


def match_of(here: Reader, place: Place, record: records.Received, others: Readers) -> Match:
    """Ask the ledger that a record at a place names whether it sent what the record says was received."""
    there = others.get(record.from_ledger)
    money = Money(record.amount, here.unit_of(here.accounts[record.account]))
    origin = record.from_origin or (there.genesis.origin if there is not None else None)
    found = Match(record.id, place, money, record.from_ledger.hex(), origin, "unchecked")
    if there is None:
        return replace(found, why="that ledger is not at hand")
    size = record.checkpoint[0]
    if size > there.head.height + 1:
        return replace(found, why=f"this copy of it has {_blocks(there.head.height + 1)}, and it names {size}")
    sent, why = _sent_by(there, here, record)
    if why is not None:
        return replace(found, state="unmatched", sent=sent, why=why)
    terms, its_terms = here.accounts[record.account].terms, there.accounts[record.movement[0]].terms
    loose = not is_as_narrow(terms.restriction, its_terms.restriction)
    return replace(found, state="matched", sent=sent, loose=loose)


def _sent_by(there: Reader, here: Reader, record: records.Received) -> tuple[str | None, str | None]:
    """Return the id of the record that sent what another received, or why there is none."""
    origin, (size, root), (number, index) = there.genesis.origin, record.checkpoint, record.movement
    if record.from_origin not in (None, origin):
        return None, f"that ledger is called {origin}, not {record.from_origin}"
    if not _extends(there, size, root):
        return None, f"{origin} begins with other blocks than the {size} that it names"
    if number >= len(there.accounts) or index >= there.accounts[number].size:
        return None, f"{origin} has no such movement"
    outflow = there.movement(number, index)
    there.check_movement(outflow)
    if outflow.kind != Kind.SENT:
        return None, f"that movement of {origin} sent nothing to another ledger"
    sent = there.record(outflow.place)
    assert isinstance(sent, records.Sent)
    there.check_author(outflow.place)
    unit, its_unit = here.unit_of(here.accounts[record.account]), there.unit_of(there.accounts[number])
    reversed_ = there.accounts[number].reversed.find(index)
    last = record.spans[-1]
    if sent.to_ledger != here.genesis.identity():
        return None, f"{sent.id} of {origin} was sent to another ledger"
    if outflow.place.height >= size:
        return None, f"{sent.id} came into {origin} after the checkpoint that it names"
    if (unit.code, unit.decimals) != (its_unit.code, its_unit.decimals):
        return None, f"{sent.id} of {origin} is in {its_unit.code} with {its_unit.decimals} decimals"
    if last[0] + last[1] > outflow.amount:
        return None, f"it claims units beyond the {Money(outflow.amount, its_unit)} of {sent.id} of {origin}"
    if reversed_ is not None:
        return None, f"{sent.id} was taken back in {origin}"
    return sent.id, None


def _blocks(count: int) -> str:
    return f"{count} block{'s' * (count != 1)}"


def _extends(reader: Reader, size: int, root: bytes) -> bool:
    """Say whether a ledger begins with the blocks of this root; the index's hashes are not believed."""
    try:
        reader.prove_beginning(size, root)
    except VerificationError:
        return False
    return True


def check_received(here: Reader, places: Iterable[Place], others: Readers) -> Iterator[Match]:
    """Yield for records of what was received whether the ledgers at hand sent it.

    Args:
        places: Where they stand, as `charitychain.verify.Report.received` tells it: no index is believed in that.
    """
    for place in places:
        record = here.record(place)
        assert isinstance(record, records.Received)
        yield match_of(here, place, record, others)


def compare(report: Report, matches: Iterable[Match]) -> None:
    """Add to a report what came of asking other ledgers: what is unmatched is a fault."""
    fit = 0
    for match in matches:
        name = match.origin or f"ledger {match.ledger[:16]}…"
        what = f"{match.id} says that {match.money} {match.money.code} came from {name}"
        if match.state == "unmatched":
            report.faults.append(Fault("CC-UNMATCHED", f"{what}: {match.why}", *match.place))
        elif match.state == "unchecked":
            report.warnings.append(f"{what}, which was not checked: {match.why}.")
        elif match.loose:
            report.notices.append(f"{what}, out of an account there whose restriction the one here does not keep.")
        fit += match.state == "matched"
    if fit:
        report.notices.append(f"{fit} {'record' if fit == 1 else 'records'} of what was received fit what was sent.")


def check_predecessor(report: Report, genesis: Genesis, others: Readers) -> None:
    """Add to a report whether the ledger that this one goes on from, if it is at hand, begins as this one says."""
    told = genesis.predecessor
    there = others.get(told.identity) if told is not None else None
    if told is None or there is None:
        return
    origin, blocks = there.genesis.origin, there.head.height + 1
    if told.size > blocks:
        report.warnings.append(
            f"This ledger goes on from {origin} as of {_blocks(told.size)}; the copy that was given has {blocks}."
        )
    elif not _extends(there, told.size, told.root):
        why = f"{origin} begins with other blocks than the {told.size} that this ledger goes on from"
        report.faults.append(Fault("CC-UNMATCHED", why, 0))
    else:
        report.notices.append(f"This ledger goes on from {origin} as of {_blocks(told.size)}.")


def trace_across(here: Reader, gift: str, others: Readers, *, limit: int = PIECE_LIMIT) -> Trace:
    """Follow a gift as `charitychain.trace.trace_gift` does, and what was sent on into the ledgers at hand.

    Raises:
        NotFoundError: ``CC-UNKNOWN-GIFT``.
        VerificationError: something that the answer rests on is damaged or was not sealed, in any of the ledgers.
    """
    trace = _go_on(trace_gift(here, gift, limit=limit), here, others, limit)
    place = here.gift(gift).place
    record = here.record(place)
    if trace.came is None or not isinstance(record, records.Received):
        return trace
    match = match_of(here, place, record, others)
    return replace(trace, came=replace(trace.came, state=match.state, id=match.sent, why=match.why))


def _go_on(trace: Trace, here: Reader, others: Readers, limit: int, hops: int = 0) -> Trace:
    """Tell of everything that a trace says was sent how it goes on, where the other ledger is at hand."""
    if hops == _MOST_HOPS:
        return trace
    parts = []
    for sent in trace.sent:
        there = others.get(bytes.fromhex(sent.ledger))
        parts.append(sent if there is None else _received(sent, here, there, others, limit, hops))
    return replace(trace, sent=tuple(parts))


def _received(sent: Sent, here: Reader, there: Reader, others: Readers, limit: int, hops: int) -> Sent:
    received, doubted, left = list[Trace](), list[tuple[str, str]](), sent.money.amount
    for record, runs, match, why in claims_on(sent, here, there):
        if why is not None:
            doubted.append((record.id, why))
            continue
        units = sum(run.length for run in runs)
        gift = there.gift(record.id)
        part = tell_flow(there, gift, follow_runs(there, there.accounts, gift, runs, limit=limit))
        came = replace(part.came, state=match.state, id=match.sent) if part.came is not None else None
        part = replace(part, money=Money(units, part.money.unit), came=came)
        received.append(_go_on(part, there, others, limit, hops + 1))
        left -= units
    return replace(
        sent, origin=there.genesis.origin, received=tuple(received), doubted=tuple(doubted),
        waits=Money(left, sent.money.unit),
    )  # fmt: skip


def claims_on(
    sent: Sent, here: Reader, there: Reader
) -> Iterator[tuple[records.Received, list[Run], Match, str | None]]:
    """Yield each record of another ledger that says that it received units of what was sent, in its order.

    With it come the runs of its own units that these are, whether `here` bears it out, and why it does not count, where
    it does not.

    Raises:
        VerificationError: ``CC-INDEX`` and others: what the other ledger says is damaged or was not sealed.
    """
    taken = list[Run]()
    key = outflow_key(here.genesis.identity(), sent.outflow)
    for place in sorted({batch.place for batch in there.index.batches(key)}):
        record = there.record(place)
        if not isinstance(record, records.Received) or outflow_key(record.from_ledger, record.movement) != key:
            raise VerificationError("CC-INDEX", f"the index says that {sent.id!r} was received otherwise than it was")
        runs = units_within(record.spans, sent.runs)
        if not runs or there.state.reversed_of(record.id) >= record.amount:
            continue
        there.check_author(place)
        match = match_of(there, place, record, {here.genesis.identity(): here})
        why = "it claims units that were received already" if units_within(record.spans, taken) else match.why
        if why is None:
            taken += [Run(*span) for span in record.spans]
        yield record, runs, match, why


def units_within(spans: Sequence[tuple[int, int]], runs: Sequence[Run]) -> list[Run]:
    """Return which units of a record that received `spans` of an outflow are among `runs` of that outflow.

    >>> units_within([(0, 10), (20, 5)], [Run(8, 14)])
    [Run(position=8, length=4)]
    """
    found, before = list[Run](), 0
    for start, length in spans:
        for run in runs:
            low, high = max(start, run.position), min(start + length, run.position + run.length)
            if low < high:
                lay_run(found, Run(before + low - start, high - low))
        before += length
    return found
