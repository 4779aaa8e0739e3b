"""Receipts that span ledgers: what was sent goes on by receipts of the ledgers that received it.

Each receipt that is embedded follows just those units of what was received that are the gift's, and carries the proof
that the checkpoint which the receiving ledger saw is the beginning of the sending ledger's log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from charitychain import records
from charitychain.across import claims_on, units_within
from charitychain.answers import Money, Trace
from charitychain.reading import Reader
from charitychain.receipts.check import DEPTH, PIECES, Checked, check_sent
from charitychain.receipts.make import Maker
from charitychain.receipts.parts import misfit
from charitychain.receipts.wire import Receipt, encode_receipt
from charitychain.state.flow import follow_runs
from charitychain.trace import tell_flow, trace_gift

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
    part = page.part[:2] if page.part is not None else None
    others = []
    for sent in trace_gift(maker.reader, page.gift, part=part, stops=page.stops).sent:
        there = makers.get(bytes.fromhex(sent.ledger))
        if there is None:
            continue
        for record, runs, _, why in claims_on(sent, maker.reader, there.reader):
            if why is not None:
                continue
            proof = maker.reader.prove_beginning(*record.checkpoint)
            for first, length in runs:
                for each in there.part(record.id, first, first + length):
                    others.append((encode_receipt(gone_on(each, there, makers, depth + 1)), proof))
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
        check_sent(here, here.genesis.identity(), here.head.height + 1, shown, record)
        here.prove_beginning(*record.checkpoint)
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
