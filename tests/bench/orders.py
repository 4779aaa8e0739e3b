"""Orders: tables of any size for *Goods for Good*, made from the number of lines alone, and what reads them.

Rules upheld here:

- Both sides are whole processes that read the same file in pieces, so that neither is spared its start.
- Each says how many lines it saw; where that is not what was written, there is no figure.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from charitychain.ledger import Ledger
from tests.bench.measure import CHARITYCHAIN, Row, Watched, compare, mebibytes, seconds, watch

__all__ = ["large", "selling"]

SIZE = 1_000_000
SMALL = 300_000
LISTINGS = 1_000
CAUSES = ("meals", "school", "trees")
LINES = 100_000
"""Lines that are made at a time."""
_BARE = {
    ".csv": """
from pyarrow import csv, string
names = ("order", "listing", "consumer", "price", "status", "quantity")
convert = csv.ConvertOptions(column_types=dict.fromkeys(names, string()), strings_can_be_null=False)
print(sum(batch.num_rows for batch in csv.open_csv(PATH, convert_options=convert)))
""",
    ".parquet": """
from pyarrow import parquet
print(sum(batch.num_rows for batch in parquet.ParquetFile(PATH).iter_batches()))
""",
}
"""Reading a file with pyarrow alone, in pieces of its own choice, with the same types of columns."""


def selling(folder: Path) -> Iterator[Row]:
    """Importing orders, as CSV and as Parquet, and its peak memory at N and 10 N lines."""
    ledgers = [_ledger(folder, f"orders-{number}") for number in range(10)]  # each is filled once

    def ours(path: Path, lines: int) -> Watched:
        return _imported(ledgers.pop(), path, lines)

    table = orders(folder / "orders.csv", SIZE)
    for path in (table, _as_parquet(table)):
        yield compare(
            f"import {SIZE:,} orders, {path.suffix[1:]}", partial(ours, path, SIZE),
            "pyarrow reads the same file", partial(_bare, path, SIZE), count=SIZE, rounds=3, rates=True,
        )  # fmt: skip
    small, big = (ours(orders(folder / f"{n}.csv", n), n).peak for n in (SMALL, 10 * SMALL))
    yield Row(
        f"peak memory, import {10 * SMALL:,} orders", mebibytes(big), f"the same, {SMALL:,}", mebibytes(small),
        f"{big / small:.2f}",
    )  # fmt: skip


def large(folder: Path) -> Iterator[Row]:
    """One import of 1 and of 10 million orders, and the check of what came of it; takes 1.3 GB of disk."""
    for lines in (SIZE, 10 * SIZE):
        path = orders(folder / f"{lines}.csv", lines)
        ledger = _ledger(folder, f"orders-{lines}")
        found, bare = _imported(ledger, path, lines), _bare(path, lines)
        yield Row(
            f"import {lines:,} orders, csv", f"{lines / found.seconds:,.0f}/s", "pyarrow reads the same file",
            f"{lines / bare.seconds:,.0f}/s", f"{found.seconds / bare.seconds:.2f}",
        )  # fmt: skip
        yield Row(f"  gifts added: {json.loads(found.output)['added']:,}", seconds(found.seconds))
        yield Row("  peak memory", mebibytes(found.peak))
        checked = watch([*CHARITYCHAIN, "verify", str(ledger), "--json"])
        yield Row(f"  verify: holds {json.loads(checked.output)['holds']}", seconds(checked.seconds))
        yield Row("  peak memory of verify", mebibytes(checked.peak))


def listings(path: Path) -> None:
    """Write `LISTINGS` listings of a hundred merchants, every third one with a fixed amount."""
    with path.open("w", encoding="ascii") as file:
        file.write("listing,merchant,account,fixed,percent\n")
        for number in range(LISTINGS):
            merchant = sha256(b"merchant %d" % (number % 100)).hexdigest()[:32]
            promise = f"0.{number % 90 + 10}," if number % 3 == 0 else f",{number % 9 + 1}.{number % 90 + 10}"
            file.write(f"item-{number},{merchant},{CAUSES[number % len(CAUSES)]},{promise}\n")


def orders(path: Path, lines: int) -> Path:
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
    return path


def _as_parquet(path: Path) -> Path:
    """Write the same table as Parquet, with whole numbers where they are such, and prices as decimals."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    from pyarrow import csv, parquet

    types = {"price": pa.decimal128(12, 2), "consumer": pa.string()}
    table = csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=types))
    parquet.write_table(table, path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def _ledger(folder: Path, name: str) -> Path:
    """Make a ledger with an account for each cause, and the listings beside it."""
    path = folder / f"{name}.ledger"
    with Ledger.create(path, origin=f"{name}.example", keys=folder / "keys") as ledger, ledger.writer() as writer:
        for cause in CAUSES:
            writer.account(cause, unit="CNY")
    listings(folder / "listings.csv")
    return path


def _imported(ledger: Path, path: Path, lines: int) -> Watched:
    keys, promised = ledger.with_name("keys"), ledger.with_name("listings.csv")
    command = ["programme", "goods-for-good", str(path), "--listings", str(promised), "--keys", str(keys), "--json"]
    found = watch([*CHARITYCHAIN, "--ledger", str(ledger), *command])
    told = json.loads(found.output)
    _check_lines("charitychain", sum(int(told[name]) for name in ("added", "known", "left_out")), lines)
    return found


def _bare(path: Path, lines: int) -> Watched:
    found = watch([sys.executable, "-c", _BARE[path.suffix].replace("PATH", repr(str(path)))])
    _check_lines("pyarrow", int(found.output), lines)
    return found


def _check_lines(who: str, seen: int, written: int) -> None:
    if seen != written:
        raise ValueError(f"{who} saw {seen} lines of {written}: this is no comparison")
