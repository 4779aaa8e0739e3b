"""Orders: a table of any size for *Goods for Good*, made from its number of lines alone."""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path

import numpy as np

from charitychain.ledger import Ledger
from charitychain.programmes.goods_for_good import import_orders

__all__ = ["bare", "import_", "listings", "measure", "orders"]

LISTINGS = 1_000
CAUSES = ("meals", "school", "trees")
LINES = 100_000
"""Lines that are made at a time."""


def listings(path: Path) -> None:
    """Write `LISTINGS` listings of a hundred merchants, every third one with a fixed amount."""
    with path.open("w", encoding="ascii") as file:
        file.write("listing,merchant,account,fixed,percent\n")
        for number in range(LISTINGS):
            merchant = sha256(b"merchant %d" % (number % 100)).hexdigest()[:32]
            promise = f"0.{number % 90 + 10}," if number % 3 == 0 else f",{number % 9 + 1}.{number % 90 + 10}"
            file.write(f"item-{number},{merchant},{CAUSES[number % len(CAUSES)]},{promise}\n")


def orders(path: Path, lines: int) -> None:
    """Write a table of orders, of which every twentieth is cancelled; the same number gives the same bytes."""
    draw = np.random.default_rng(20260501)
    with path.open("w", encoding="ascii") as file:
        file.write("order,listing,consumer,price,status,quantity\n")
        for first in range(0, lines, LINES):
            count = min(LINES, lines - first)
            people = draw.bytes(16 * count).hex()
            items, prices, pieces = (
                draw.integers(low, high, count).tolist() for low, high in ((0, LISTINGS), (50, 50_000), (1, 4))
            )
            file.writelines(
                f"{number},item-{items[i]},{people[32 * i : 32 * i + 32]},{prices[i] // 100}.{prices[i] % 100:02d},"
                f"{'cancelled' if number % 20 == 0 else 'completed'},{pieces[i]}\n"
                for i, number in enumerate(range(first + 1, first + count + 1))
            )


def bare(path: Path) -> int:
    """Read the table with pyarrow alone, with the same types of columns; return how many lines it has."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    from pyarrow import csv

    names = ("order", "listing", "consumer", "price", "status", "quantity")
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    return sum(
        batch.num_rows for batch in csv.open_csv(path, csv.ReadOptions(block_size=4_000_000), convert_options=convert)
    )


def import_(folder: Path, name: str, path: Path) -> int:
    """Import a table into a new ledger; return how many gifts were added."""
    with Ledger.create(folder / f"{name}.ledger", origin=f"{name}.example", keys=folder / f"{name}.keys") as ledger:
        with ledger.writer() as writer:
            for cause in CAUSES:
                writer.account(cause, unit="CNY")
        listings(folder / "listings.csv")
        with ledger.writer() as writer:
            return import_orders(writer, path, folder / "listings.csv").added


def measure(folder: Path, lines: int) -> tuple[float, float]:
    """Return lines per second of an import into a new ledger, and of pyarrow's bare read of the same file."""
    path = folder / f"orders-{lines}.csv"
    orders(path, lines)
    figures = []
    for job in (lambda: import_(folder, f"orders-{lines}", path), lambda: bare(path)):
        start = time.perf_counter()
        job()
        figures.append(lines / (time.perf_counter() - start))
    return figures[0], figures[1]
