"""A synthetic philanthropy year, recorded, verified, traced and reported. NOTHING IN IT IS REAL.

Run it with ``make demo-year``, or ``python examples/platform_year --gifts 20000 --folder somewhere``. Its shape is that
of figures which a national platform published for 2020, times a scale; its events, people and organisations are made up
by a generator from a seed. The same seed and size give the same ledger on every machine, byte for byte; so the report
that stands beside this file can be checked against a ledger that was made anywhere (`README.md` tells how).
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parent))
import events
import figures
import gifts
import opening
import projects
from book import Book

T = TypeVar("T")
HERE = Path(__file__).resolve().parent
BANNER = "SYNTHETIC DATA: every gift, person and organisation here is made up by a generator; nothing of it happened."
PERIOD = ("--from", "2020", "--to", "2020", "--title", "SYNTHETIC DATA: a year that a generator made up")
STAGES: tuple[tuple[str, Callable[[Book], int | None]], ...] = (
    ("parties and accounts", opening.open_accounts),
    ("gifts of orders", gifts.enter_orders),
    ("one gift given back, one undone", gifts.put_right),
    ("walks, and tracks built of them", gifts.enter_walks),
    ("entries of hours", gifts.enter_hours),
    ("acts that earned points, and trees", gifts.enter_acts),
    ("gifts matched", gifts.match),
    ("funds pass on", projects.pass_on),
    ("projects spend, others confirm", projects.spend),
    ("people insured or trained", projects.serve),
    ("masks given, bought, moved, lost", projects.relieve),
    ("year closed", projects.close),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the year; return 0 if everything came out as it should."""
    parser = argparse.ArgumentParser(prog="platform_year", description=BANNER)
    parser.add_argument("--gifts", type=int, default=1_000_000, help="gifts of orders; the scale is this over 10^10")
    parser.add_argument("--seed", type=int, default=2020, help="what all numbers are drawn from")
    parser.add_argument("--folder", type=Path, help="keep tables, ledger, keys and report here; it must be empty")
    parser.add_argument("--publish", action="store_true", help="put report.json and report.html beside this example")
    told = parser.parse_args(arguments)
    try:
        year = figures.Year(told.gifts)
    except ValueError as error:
        parser.error(str(error))
    if told.folder is None:
        with tempfile.TemporaryDirectory(prefix="charitychain-year-") as name:
            return run(Path(name), year, told.seed, publish=told.publish)
    told.folder.mkdir(parents=True, exist_ok=True)
    if any(told.folder.iterdir()):
        parser.error(f"{told.folder} is not empty")
    return run(told.folder, year, told.seed, publish=told.publish)


def run(folder: Path, year: figures.Year, seed: int, *, publish: bool = False) -> int:
    """Make a year in an empty folder and print what became of it."""
    print(f"# {BANNER}")
    print(f"# {opening.KEYS_ARE_PUBLIC}")
    scale = f"{year.gifts:,} / {figures.GIFTS:,}"
    print(f"# Seed {seed}; {year.gifts:,} gifts: the published figures of 2020 times {scale}.")
    print("# What must exist stays at least 1; there are at least 24 organisations.\n", flush=True)
    start = time.perf_counter()
    tables = _stage("tables written", lambda: events.write_tables(folder, year, seed))
    with opening.create(folder, year.gifts, seed) as ledger:
        book = Book(ledger, year, tables, seed)
        for what, act in STAGES:
            _stage(what, partial(act, book))
        checked = _stage("verified", ledger.verify)
        print(f"verification: {'holds' if checked.holds else 'FAILS'}", flush=True)
        for fault in checked.faults:
            print(f"  {fault.code} {fault.message}")
    command = _Command(folder)
    print("\n# Some gifts, followed to their ends (SYNTHETIC):\n", flush=True)
    good = _stage("traced", lambda: _trace(command, book.traced)) and checked.holds
    print("\n# The report of the year (SYNTHETIC):\n", flush=True)
    good &= _stage("reported", lambda: command("report", *PERIOD))
    good &= _stage("kept for programs", lambda: command("report", *PERIOD, "--json", into="report.json"))
    good &= _stage("kept for people", lambda: command("report", *PERIOD, "--format", "html", into="report.html"))
    if publish and good:
        for name in ("report.json", "report.html"):
            shutil.copyfile(folder / name, HERE / name)
            print(f"published as {HERE / name}", flush=True)
    print(f"\n# {BANNER}\n# All of it took {time.perf_counter() - start:.1f} s.")
    return 0 if good else 1


def _stage(what: str, act: Callable[[], T]) -> T:
    """Do one stage, and print how long it took and how many things it was about."""
    start = time.perf_counter()
    result = act()
    count = f"{result:>12,}" if isinstance(result, int) and not isinstance(result, bool) else " " * 12
    print(f"{time.perf_counter() - start:8.2f} s {count} {what}", flush=True)
    return result


def _trace(command: _Command, traced: dict[str, str]) -> bool:
    """Trace gifts; return whether each trace was given."""
    done = []
    for what, gift in traced.items():
        print(f"# {what[0].upper()}{what[1:]}:", flush=True)
        done.append(command("trace", gift))
    return all(done)


class _Command:
    """Runs the command line on the year's ledger, and shows what it prints."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = os.environ | {
            "CHARITYCHAIN_KEYS": str(folder / "keys"),
            "CHARITYCHAIN_LEDGER": str(folder / "year.ledger"),
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": os.pathsep.join(
                [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
            ),
        }

    def __call__(self, *command: str, into: str | None = None) -> bool:
        print(f"$ charitychain {shlex.join(command)}{f' > {into}' if into else ''}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "charitychain", *command], cwd=self._folder, env=self._environment, check=False,
            capture_output=True,
        )  # fmt: skip
        if into is None:
            print(done.stdout.decode(), flush=True)
        else:
            (self._folder / into).write_bytes(done.stdout)
        if done.returncode:
            print(done.stderr.decode())
            print(f"(this command failed with exit code {done.returncode})", flush=True)
        return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
