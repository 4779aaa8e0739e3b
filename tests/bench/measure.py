"""Measuring: two things in turn, medians of several rounds, and a description of the machine.

Rules upheld here:

- A ratio compares two things that ran in turn (A B A B …) in the same process run, so that a machine that slows down
  slows both. It is the median of the ratios of the rounds; times beside it are medians.
- The first round warms caches and is thrown away.
- A reference that this machine has not is said to be missing, never guessed.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

__all__ = ["CHARITYCHAIN", "Row", "Watched", "compare", "machine", "mebibytes", "process", "seconds", "watch"]

Job = Callable[[], object]

_SCRIPT = Path(sys.executable).with_name("charitychain")
CHARITYCHAIN: tuple[str, ...] = (str(_SCRIPT),) if _SCRIPT.exists() else (sys.executable, "-m", "charitychain")
"""How the command line is started: the installed script where there is one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, ours, the reference's name and figure, and ours / reference."""

    what: str
    ours: str
    reference: str = ""
    theirs: str = ""
    ratio: str = ""


def timed(job: Job) -> float:
    """Return how many seconds a job takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def compare(
    what: str, ours: Job, reference: str, theirs: Job | None, *, count: int = 1, rounds: int = 5, rates: bool = False
) -> Row:
    """Run two jobs in turn and compare them.

    Args:
        theirs: Nothing where this machine has not got the reference.
        count: How many gifts, questions or starts one job does; times are shown for one.
        rates: Show how many there are in a second instead; the ratio is one of times all the same.
    """
    shown = _rate if rates else seconds
    pairs = [(timed(ours), timed(theirs) if theirs else 0.0) for _ in range(rounds + 1)][1:]
    mine = statistics.median(pair[0] for pair in pairs) / count
    if theirs is None:
        return Row(what, shown(mine), reference, "not on this machine")
    ratio = statistics.median(a / b for a, b in pairs)
    return Row(what, shown(mine), reference, shown(statistics.median(b for _, b in pairs) / count), f"{ratio:.2f}")


def _rate(value: float) -> str:
    return f"{1 / value:,.0f}/s"


def mebibytes(value: int) -> str:
    """Return a size of memory in MiB."""
    return f"{value / 2**20:.0f} MiB"


def seconds(value: float) -> str:
    """Return a time in the unit that suits it."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def process(command: Sequence[str]) -> Job:
    """Return a job that runs a program to its end.

    Raises:
        subprocess.CalledProcessError: when the job runs: the program failed.
    """

    def job() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return job


_WATCH = """
import os, sys, time
start = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
print("", time.perf_counter() - start, usage.ru_maxrss, sep="\\n")
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Watched(NamedTuple):
    """What a program took: seconds, the most memory that it held resident, in bytes, and what it printed."""

    seconds: float
    peak: int
    output: str


def watch(command: Sequence[str]) -> Watched:
    """Run a program to its end.

    A child's ``ru_maxrss`` begins at what its parent holds, so a bare Python, which is small, starts the program.

    Raises:
        subprocess.CalledProcessError: the program failed.
    """
    watch = [sys.executable, "-I", "-S", "-c", _WATCH, *command]
    done = subprocess.run(watch, check=True, capture_output=True, text=True)
    output, took, peak = done.stdout.rstrip("\n").rsplit("\n", 2)
    return Watched(float(took), int(peak) * (1 if sys.platform == "darwin" else 1024), output)


def machine(folder: Path) -> list[str]:
    """Describe what the figures hold for: processor, memory, versions, and what one fsync costs in `folder`."""
    return [
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"load {os.getloadavg()[0]:.2f}; one fsync of 4 KiB in {folder.parent}: {seconds(_fsync(folder))}",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        + ", ".join(_version(name) for name in ("git", "openssl"))
        + "".join(f", {name} {metadata.version(name)}" for name in ("numpy", "pyarrow", "pymerkle") if find_spec(name)),
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    if shutil.which(name) is None:
        return f"{name} missing"
    return subprocess.run([name, "version"], capture_output=True, text=True).stdout.strip().partition(" (")[0]


def _fsync(folder: Path) -> float:
    path = folder / "fsync"
    with path.open("wb", buffering=0) as file:

        def job() -> None:
            file.write(bytes(4096))
            os.fsync(file.fileno())

        times = [timed(job) for _ in range(50)]
    path.unlink()
    return statistics.median(times)
