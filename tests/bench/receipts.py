"""Receipts: made, weighed and checked in ledgers of very different size, beside the inclusion proofs of pymerkle.

A ledger has the shape of a platform's year: micro-gifts come in batches, a thousand of them are disbursed together
to a programme, and what arrived there is spent in five parts. So a gift goes one hop and has one use or a few.

Rules upheld here:

- Every receipt is checked once before anything is measured, and its trace must sum to the gift.
- One maker and one process, as somebody runs them who sends every donor a receipt; gifts differ each time.
- A reference that this machine cannot hold is measured as large as it can be, and the row says how large that is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from shutil import rmtree
from statistics import median
from typing import Any

import numpy as np

from charitychain import Ledger
from charitychain.columns import pack_columns
from charitychain.receipts.check import Checked, check_receipt
from charitychain.receipts.make import Maker
from charitychain.receipts.wire import encode_receipt
from charitychain.records import Disbursement, Expenditure, Gifts
from charitychain.writer import Writer
from tests.bench.measure import Row, compare, mebibytes, seconds, timed

__all__ = ["giving", "large"]

SIZES = (10_000, 1_000_000)
LARGE = 100_000_000
BATCH = 100_000
"""Gifts in one record, at most."""
BLOCK = 2
"""Records of gifts in one block; what they pay for stands in the next one."""
SHARE = 1_000
"""Gifts that are disbursed together."""
PARTS = 5
"""Expenditures of what was disbursed together."""
MADE = 1_000
"""Receipts made in one round."""
CHECKED = 20
LEAVES = 1_000_000
"""The most leaves of pymerkle's tree: it takes 0.4 KB of memory for each, and 40 GB for a hundred million."""


def giving(folder: Path) -> Iterator[Row]:
    """Receipts in ledgers of ten thousand and of a million gifts."""
    for size in SIZES:
        yield from _measured(folder, size)


def large(folder: Path) -> Iterator[Row]:
    """The same in a ledger of a hundred million gifts; takes 4 GB of disk and some minutes."""
    yield from _measured(folder, LARGE)


def _measured(folder: Path, size: int) -> Iterator[Row]:
    path = folder / f"receipts-{size}"
    start = time.perf_counter()
    ledger = _ledger(path, size)
    made = time.perf_counter() - start
    yield Row(f"receipts in a ledger of {size:,} gifts", f"{size / made:,.0f}/s", "made, one by one and in batches")
    prove, verify, weight, leaves = _pymerkle(min(size, LEAVES))
    reference = f"pymerkle, {leaves:,} leaves"
    maker = Maker(ledger.reader())
    sample = [encode_receipt(maker.gift(f"S/{number})")[0]) for number in ()] or [
        encode_receipt(maker.gift(f"S/{number * size // CHECKED}")[0]) for number in range(CHECKED)
    ]
    for data in sample:
        _check_sum(check_receipt(data))
    weights = sorted(map(len, sample))
    yield Row("  bytes of a receipt, median and most", f"{int(median(weights)):,}, {weights[-1]:,}", reference, weight)


def _check_sum(checked: Checked) -> None:
    trace = checked.trace
    if trace is None or sum(end.money.amount for end in trace.ends) != trace.money.amount:
        raise ValueError("a receipt does not sum to its gift: this is no measurement")


# ------------------------------------------------------------------------------------------------ the ledger


def _ledger(path: Path, size: int) -> Ledger:
    """Make a ledger of `size` gifts in `path`; the same size gives the same gifts."""
    path.mkdir()
    ledger = Ledger.create(path / "gifts.ledger", origin="gifts.example/2026", keys=path / "keys")
    draw = np.random.default_rng(20260701)
    with ledger.writer() as writer:
        writer.account("fund", unit="IDR")
        writer.account("programme", unit="IDR")
        writer.commit()
        shares: list[int] = []
        for first in range(0, size, BATCH):
            shares += _give(writer, draw, first, min(BATCH, size - first))
            if writer.core.pending == BLOCK or first + BATCH >= size:
                writer.commit()
                _use(writer, first, shares)
                writer.commit()
                shares.clear()
    return ledger


def _give(writer: Writer, draw: np.random.Generator, first: int, number: int) -> list[int]:
    """Record a batch of gifts; return the sum of each `SHARE` of them."""
    ids = np.arange(first, first + number, dtype=np.uint64)
    amounts = draw.integers(1, 500, number, dtype=np.uint64)
    data, root = pack_columns(ids, amounts, draw.bytes(16 * number))
    record = Gifts("S", 0, first - 1 if first else None, number, root.sum, root.low, root.high, 32, root.hash)
    writer.core.record(record, writer.core.state.party("self"), columns=data)
    sums: list[int] = amounts.reshape(-1, SHARE).sum(axis=1).tolist()
    return sums


def _use(writer: Writer, first: int, shares: list[int]) -> None:
    """Disburse each sum to the programme, then spend it there."""
    state = writer.core.state
    party = state.party("self")
    for number, amount in enumerate(shares):
        writer.core.record(Disbursement(f"A-{first}-{number}", 0, 1, amount, date="2026-07-01"), party)
    for number, amount in enumerate(shares):
        bounds = [amount * part // PARTS for part in range(PARTS + 1)]
        for part, (low, high) in enumerate(zip(bounds, bounds[1:], strict=False)):
            id_ = f"X-{first}-{number}-{part}"
            record = Expenditure(id_, 1, high - low, payee="Toko Buku", purpose="school books", date="2026-07-03")
            writer.core.record(record, party)
