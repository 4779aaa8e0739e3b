"""The table of ratios; see `tests.bench`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from tests.bench import orders, ours, receipts, references
from tests.bench.measure import CHARITYCHAIN, Job, Row, compare, machine, mebibytes, process, watch

SINGLE = 100_000
COLUMNS = 2_000_000


def appending(folder: Path) -> Iterator[Row]:
    """One durable gift; batches of single donations; gift columns."""
    numbers = count(0, 1_000_000)  # each job takes ids that no other takes
    ledger, db = ours.create(folder, "one"), references.database(folder / "one.db")
    with ledger.writer() as writer:
        yield compare(
            "append one durable gift", lambda: ours.donate_each(writer, next(numbers), 200),
            "SQLite insert, WAL, FULL", lambda: references.insert_each(db, next(numbers), 200), count=200,
        )  # fmt: skip
    ledger, db = ours.create(folder, "many"), references.database(folder / "many.db")
    yield compare(
        "append gifts, statements of 1,000", lambda: ours.donate(ledger, next(numbers), 20_000),
        "SQLite executemany", lambda: references.insert(db, next(numbers), 20_000, ours.BLOCK), count=20_000,
    )  # fmt: skip
    ledger, db = ours.create(folder, "columns"), references.database(folder / "columns.db")
    yield compare(
        "append gift columns of 10,000", lambda: ours.columns(ledger, next(numbers), 200_000),
        "SQLite executemany", lambda: references.insert(db, next(numbers), 200_000, 10 * ours.BATCH),
        count=200_000, rounds=3,
    )  # fmt: skip


def verifying(folder: Path) -> Iterator[Row]:
    """Whole processes; single donations, then columns."""
    ledger = ours.create(folder, "single")
    before = ledger.path.stat().st_size
    ours.donate(ledger, 0, SINGLE)
    verify = process([*CHARITYCHAIN, "verify", str(ledger.path)])
    fsck: Job | None = None
    if references.has("git"):
        repository = references.git_history(folder / "single.git", SINGLE)
        fsck = process(["git", "-C", str(repository), "fsck", "--full", "--no-progress"])
    what = f"verify {SINGLE:,} donations"
    yield compare(what, verify, "git fsck --full, as many commits", fsck, count=SINGLE, rounds=3)
    yield compare(what, verify, "openssl dgst -sha256, same file", _digest(ledger.path), count=SINGLE, rounds=3)
    wide = ours.create(folder, "wide")
    ours.columns(wide, 0, COLUMNS)
    verify = process([*CHARITYCHAIN, "verify", str(wide.path)])
    what = f"verify {COLUMNS:,} gifts as columns"
    yield compare(what, verify, "openssl dgst -sha256, same file", _digest(wide.path), count=COLUMNS)
    yield Row("bytes per gift, single donations", f"{(ledger.path.stat().st_size - before) / SINGLE:.1f} B")
    yield Row("bytes per gift, columns", f"{(wide.path.stat().st_size - before) / COLUMNS:.1f} B")


def _digest(path: Path) -> Job | None:
    return process(["openssl", "dgst", "-sha256", str(path)]) if references.has("openssl") else None


def tracing(folder: Path) -> Iterator[Row]:
    """One gift, warm: the ledger is open and has answered before."""
    for size in (10_000, 100_000):
        ledger = ours.create(folder, f"hops-{size}")
        trace = ours.three_hops(ledger, size)
        query = references.three_hops(folder / f"hops-{size}.db", size)
        yield compare(
            f"trace 1 of {size:,} gifts, three hops", _asking(trace, size),
            "recursive SQL in SQLite", _asking(query, size), count=40,
        )  # fmt: skip


def _asking(question: Callable[[int], object], size: int) -> Job:
    """Return a job that asks about 40 gifts spread over all, others each time."""
    starts = count(7, 13)

    def job() -> None:
        start = next(starts)
        for number in range(40):
            question((start + number * size // 40) % size)

    return job


def starting(folder: Path) -> Iterator[Row]:
    """Whole processes, from start to exit."""
    ledger = ours.create(folder, "small")
    ours.three_hops(ledger, 100)
    python = sys.executable
    trace = [*CHARITYCHAIN, "--ledger", str(ledger.path), "trace", "D-7"]
    for arguments, reference in ((["--help"], "import click"), (["--version"], "import click")):
        yield compare(
            f"charitychain {arguments[0]}", process([*CHARITYCHAIN, *arguments]),
            f'python -c "{reference}"', process([python, "-c", reference]), rounds=20,
        )  # fmt: skip
    yield compare("charitychain trace", process(trace), "python -c pass", process([python, "-c", "pass"]), rounds=20)


def memory(folder: Path) -> Iterator[Row]:
    """Peak resident memory of `charitychain verify` at N and 10 N gifts."""
    for name, fill, size in (("donations", ours.donate, 20_000), ("gifts as columns", ours.columns, 300_000)):
        peaks = []
        for n in (size, 10 * size):
            ledger = ours.create(folder, f"memory-{name[0]}-{n}")
            fill(ledger, 0, n)
            peaks.append(watch([*CHARITYCHAIN, "verify", str(ledger.path)]).peak)
        yield Row(
            f"peak memory, verify {10 * size:,} {name}", mebibytes(peaks[1]),
            f"the same, {size:,}", mebibytes(peaks[0]), f"{peaks[1] / peaks[0]:.2f}",
        )  # fmt: skip


PARTS = {
    "append": appending, "verify": verifying, "trace": tracing, "start": starting, "memory": memory,
    "orders": orders.selling, "receipts": receipts.giving,
}  # fmt: skip
ON_DEMAND = {"orders-large": orders.large, "receipts-large": receipts.large}
"""Parts that take so long that they run only where they are named."""


def main(names: list[str]) -> int:
    parts = PARTS | ON_DEMAND
    unknown = set(names) - set(parts)
    if unknown:
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="charitychain-bench-") as temporary:
        folder = Path(temporary)
        for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):  # remembered heads are not the user's own
            os.environ[name] = str(folder / name)
        print(*machine(folder), "", sep="\n")
        print(f"{'':40} {'ours':>10}  {'reference':34} {'':>20} {'ratio':>7}")
        for name in names or PARTS:
            for row in parts[name](folder):
                print(f"{row.what:40} {row.ours:>10}  {row.reference:34} {row.theirs:>20} {row.ratio:>7}", flush=True)
    print("\nTimes are for one gift, question or start; ratio is our time / that of the reference.")
    print(f"All of it took {time.perf_counter() - began:.0f} s.")
    return 0


sys.exit(main(sys.argv[1:]))
