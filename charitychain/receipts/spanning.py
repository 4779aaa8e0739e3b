"""Receipts that span ledgers: what was sent goes on by receipts of the ledgers that received it.

Each receipt that is embedded follows just those units of what was received that are the gift's, and carries the proof
that the checkpoint which the receiving ledger saw is the beginning of the sending ledger's log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from charitychain import merkle, records
from charitychain.across import match_of, units_within
from charitychain.answers import Money, Sent, Trace
from charitychain.reading import Reader
from charitychain.receipts.check import DEPTH, PIECES, Checked, check_receipt, check_sent
from charitychain.receipts.make import Maker
from charitychain.receipts.parts import misfit
from charitychain.receipts.wire import Receipt, encode_receipt
from charitychain.state.across import outflow_key
from charitychain.state.flow import follow_runs
from charitychain.tape import Run, common_runs
from charitychain.trace import tell_flow

__all__ = ["Makers", "gone_on", "receipts_across", "with_receipts"]

Makers = Mapping[bytes, Maker]
"""What makes receipts of the ledgers at hand, by their identities."""


def receipts_across(maker: Maker, gift_id: str, makers: Makers) -> list[Receipt]:
    """Return the receipt of a gift, or its pages in order, with what the ledgers at hand received of it.

    Raises:
        NotFoundError: ``CC-UNKNOWN-GIFT``.
        VerificationError: something that it rests on is damaged or was not sealed, in any of the ledgers.
    """
    pages = maker.gift(gift_id)
    return [gone_on(page, maker, makers) for page in pages]


def gone_on(page: Receipt, maker: Maker, makers: Makers, depth: int = 0) -> Receipt:
    """Return the receipt of a gift with receipts of what the ledgers at hand received of it."""
    if depth == DEPTH or page.gift is None or len(makers) < 2:
        return page
    trace = check_receipt(encode_receipt(page), "the page").trace
    assert trace is not None
    others = []
    for sent in trace.sent:
        there = makers.get(bytes.fromhex(sent.ledger))
        if there is not None:
            for record, first, end in _received(sent, maker.reader, there.reader):
                proof = _begins(maker.reader, record.checkpoint[0])
                for part in there.part(record.id, first, end):
                    others.append((encode_receipt(gone_on(part, there, makers, depth + 1)), proof))
    return replace(page, others=tuple(others))


def with_receipts(trace: Trace, here: Reader, checked: Sequence[Checked]) -> Trace:
    """Return a trace that goes on by receipts of what other ledgers received, where those ledgers are not at hand.

    Args:
        trace: A trace of the ledger `here`.
        checked: Receipts that hold: each of all that one record of another ledger received.

    Raises:
        VerificationError: ``CC-RECEIPT``: one is of nothing that this ledger sent, or of a part of it only.
    """
    parts: list[list[Trace]] = [[] for _ in trace.sent]
    for each in checked:
        shown, record = each.shown, None
        if each.receipt.gift is not None and each.receipt.part is None:
            record = shown.record(shown.gift(each.receipt.gift).place)
        if not isinstance(record, records.Received):
            raise misfit(f"the receipt of {each.receipt.gift!r} is not of all that a record of {each.origin} received")
        blocks, (size, root) = here.head.height + 1, record.checkpoint
        check_sent(here, here.genesis.identity(), blocks, shown, record)
        merkle.check_consistency(merkle.RFC6962, _begins(here, size), size, root, blocks, here.log_root)
        gift = shown.gift(record.id)
        for number, sent in enumerate(trace.sent):
            if sent.outflow == record.movement:
                runs = units_within(record.spans, sent.runs)
                flow = follow_runs(shown, shown.accounts, gift, runs, limit=PIECES)
                part = tell_flow(shown, gift, flow)
                units = sum(run.length for run in runs)
                if units:
                    parts[number].append(replace(part, money=Money(units, part.money.unit)))
    sent_on = (replace(s, received=(*s.received, *more)) for s, more in zip(trace.sent, parts, strict=True))
    return replace(trace, sent=tuple(sent_on))


def _received(sent: Sent, here: Reader, there: Reader) -> Iterator[tuple[records.Received, int, int]]:
    """Yield each record that received units of what was sent, and which of its own units these are."""
    key, taken = outflow_key(here.genesis.identity(), sent.outflow), list[Run]()
    for place in sorted({batch.place for batch in there.index.batches(key)}):
        record = there.record(place)
        if not isinstance(record, records.Received) or there.state.reversed_of(record.id) >= record.amount:
            continue
        spans = [Run(*span) for span in record.spans]
        match = match_of(there, place, record, {here.genesis.identity(): here})
        if match.state != "matched" or common_runs(sorted(taken), spans):
            continue
        taken += spans
        before = 0
        for start, length in record.spans:
            for low, units in common_runs([Run(start, length)], sorted(sent.runs)):
                yield record, before + low - start, before + low - start + units
            before += length


def _begins(reader: Reader, size: int) -> tuple[bytes, ...]:
    """Return the proof that a ledger's log begins with so many blocks."""
    nodes, blocks = reader.index.header_node, reader.head.height + 1
    return merkle.prove_consistency_from_nodes(merkle.RFC6962, nodes, size, blocks)
