"""Receipts: made, weighed and checked in ledgers of very different size, beside the inclusion proofs of pymerkle.

A ledger has the shape of a platform's year: micro-gifts come in batches, a thousand of them are disbursed together
to a programme, and what arrived there is spent in five parts. So a gift goes one hop and has one use or a few.

Rules upheld here:

- What is checked must also sum to its gift, and tell a use; else there is no figure.
- One maker and one process, as somebody runs them who sends every donor a receipt; gifts differ each time.
- A reference that this machine cannot hold is measured as large as it can be, and the row says how large that is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path
from statistics import median

import numpy as np

from charitychain import Ledger
from charitychain.columns import pack_columns
from charitychain.receipts.check import check_receipt
from charitychain.receipts.make import Maker
from charitychain.receipts.wire import encode_receipt
from charitychain.records import Disbursement, Expenditure, Gifts
from charitychain.writer import Writer
from tests.bench import references
from tests.bench.measure import Job, Row, compare, seconds, timed

__all__ = ["giving", "large"]

SIZES = (10_000, 1_000_000)
LARGE = 100_000_000
LEAVES = 10_000_000
"""The most leaves of the reference's tree: it takes 0.4 KB of memory for each."""
BATCH = 100_000
"""Gifts in one record, at most."""
BLOCK = 2
"""Records of gifts in one block; what they pay for stands in the next one."""
SHARE = 1_000
"""Gifts that are disbursed together."""
PARTS = 5
"""Expenditures of what was disbursed together."""
MADE = 1_000
"""Receipts that are made in one round."""
SAMPLE = 50
"""Gifts spread over all, whose receipts are weighed and checked."""


def giving(folder: Path) -> Iterator[Row]:
    """Receipts in ledgers of ten thousand and of a million gifts."""
    for size in SIZES:
        yield from _measured(folder, size)


def large(folder: Path) -> Iterator[Row]:
    """The same in a ledger of a hundred million gifts; takes 3.5 GB of disk, and 4 GB of memory for the reference."""
    yield from _measured(folder, LARGE)


def _measured(folder: Path, size: int) -> Iterator[Row]:
    start = time.perf_counter()
    ledger = _ledger(folder / f"receipts-{size}", size)
    yield Row(f"a ledger of {size:,} gifts, recorded", seconds(time.perf_counter() - start))
    leaves = min(size, LEAVES)
    tree = references.merkle_tree(leaves)
    maker, starts = Maker(ledger.reader()), count(size // 2, MADE)

    def make() -> None:
        first = next(starts)
        for number in range(first, first + MADE):
            _made(maker, number % size)

    yield compare(
        "  receipts made, gift after gift", make,
        f"pymerkle proofs, {leaves:,} leaves", _proving(tree, leaves) if tree else None, count=MADE, rates=True,
    )  # fmt: skip
    numbers = [(2 * number + 1) * size // (2 * SAMPLE) for number in range(SAMPLE)]
    found: list[bytes] = []
    took = timed(lambda: found.extend(_made(maker, number) for number in numbers))
    yield Row("  receipts made, of gifts anywhere", f"{SAMPLE / took:,.0f}/s")
    weights = sorted(map(len, found))
    yield Row(
        f"  bytes of a receipt ({weights[0]:,} to {weights[-1]:,})", f"{median(weights):,.0f}",
        "one of those proofs, as JSON", f"{tree.weight():,}" if tree else "",
        f"{median(weights) / tree.weight():.2f}" if tree else "",
    )  # fmt: skip
    yield compare(
        "  receipt checked", _checking(found),
        "pymerkle verifies one of them", _verifying(tree, leaves) if tree else None, count=SAMPLE,
    )  # fmt: skip
    ledger.close()


def _made(maker: Maker, number: int) -> bytes:
    (receipt,) = maker.gift(f"S/{number}")
    return encode_receipt(receipt)


def _checking(receipts: list[bytes]) -> Job:
    def job() -> None:
        for data in receipts:
            trace = check_receipt(data).trace
            if trace is None or not trace.uses or sum(end.money.amount for end in trace.ends) != trace.money.amount:
                raise ValueError("a receipt does not sum to its gift: this is no measurement")

    return job


def _proving(tree: references.MerkleTree, leaves: int) -> Job:
    def job() -> None:
        for number in range(MADE):
            tree.prove(number * 7919 % leaves)

    return job


def _verifying(tree: references.MerkleTree, leaves: int) -> Job:
    proofs = [tree.prove(number * leaves // SAMPLE) for number in range(SAMPLE)]

    def job() -> None:
        for proof in proofs:
            tree.verify(proof)

    return job


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
    return [int(total) for total in amounts.reshape(-1, SHARE).sum(axis=1)]


def _use(writer: Writer, first: int, shares: list[int]) -> None:
    """Disburse each sum to the programme, then spend it there."""
    state = writer.core.state
    party = state.party("self")
    for number, amount in enumerate(shares):
        writer.core.record(Disbursement(f"A-{first}-{number}", 0, 1, amount, date="2026-07-01"), party)
    for number, amount in enumerate(shares):
        bounds = [amount * part // PARTS for part in range(PARTS + 1)]
        for part, (low, high) in enumerate(pairwise(bounds)):
            id_ = f"X-{first}-{number}-{part}"
            record = Expenditure(id_, 1, high - low, payee="Toko Buku", purpose="school books", date="2026-07-03")
            writer.core.record(record, party)
