"""Ours: the ledgers that are measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from charitychain import Ledger
from charitychain.columns import pack_columns
from charitychain.records import Gifts
from charitychain.writer import Writer

__all__ = ["BATCH", "BLOCK", "columns", "create", "donate", "donate_each", "three_hops"]

BATCH = 10_000
"""Gifts in one batch of columns."""
BLOCK = 10_000
"""Single donations in one block; the writer makes statements of 1,000 of them."""
SHARE = 100
"""Gifts that one outflow of `three_hops` takes."""


def create(folder: Path, name: str) -> Ledger:
    """Make a ledger with one account, its key files beside it."""
    ledger = Ledger.create(folder / f"{name}.ledger", origin=f"{name}.example", keys=folder / "keys")
    with ledger.writer() as writer:
        writer.account("fund", unit="IDR")
    return ledger


def donate(ledger: Ledger, first: int, count: int) -> None:
    """Record single donations in blocks of `BLOCK`."""
    with ledger.writer() as writer:
        _donate(writer, first, count)


def _donate(writer: Writer, first: int, count: int) -> None:
    for number in range(first, first + count):
        writer.donation(f"D-{number}", account="fund", amount="12.50")
        if writer.core.pending == BLOCK:
            writer.commit()


def donate_each(writer: Writer, first: int, count: int) -> None:
    """Record single donations, each durable before the next."""
    for number in range(first, first + count):
        writer.donation(f"D-{number}", account="fund", amount="12.50")
        writer.commit()


def columns(ledger: Ledger, first: int, count: int) -> None:
    """Record gifts as columns from arrays, in batches of `BATCH` and blocks of ten batches."""
    with ledger.writer() as writer:
        party = writer.core.state.party("self")
        for start in range(first, first + count, BATCH):
            ids = np.arange(start, start + BATCH, dtype=np.uint64)
            donors = ids.repeat(2).tobytes()  # 16 bytes a gift
            data, root = pack_columns(ids, np.full(BATCH, 1250, dtype=np.uint64), donors)
            last = writer.core.state.lookup.last_batch("S")
            record = Gifts(
                "S", 0, last.last if last else None, BATCH, root.sum, root.low, root.high, 32, root.hash,
            )  # fmt: skip
            writer.core.record(record, party, columns=data)
            if writer.core.pending == 10:
                writer.commit()


def three_hops(ledger: Ledger, count: int) -> Callable[[int], object]:
    """Record donations that go through two accounts to expenditures; return the trace of a donation by number."""
    donate(ledger, 0, count)
    amount = f"{12.5 * SHARE:.2f}"
    with ledger.writer() as writer:
        writer.account("programme", unit="IDR")
        writer.account("project", unit="IDR")
        for number in range(count // SHARE):
            writer.disbursement(f"A-{number}", source="fund", to="programme", amount=amount)
        writer.commit()
        for number in range(count // SHARE):
            writer.disbursement(f"B-{number}", source="programme", to="project", amount=amount)
        writer.commit()
        for number in range(count // SHARE):
            writer.expenditure(f"X-{number}", source="project", amount=amount, payee="Toko Buku", purpose="books")
    return lambda number: ledger.trace(f"D-{number}")
