"""A writer dies at any moment; what it had acknowledged is there, the ledger holds, and the next writer goes on.

``CHARITYCHAIN_KILLS`` raises the number of random kills for a long campaign, ``CHARITYCHAIN_SEED`` chooses another one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from charitychain.ledger import Ledger

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KILLS = int(os.environ.get("CHARITYCHAIN_KILLS", "300"))
SEED = int(os.environ.get("CHARITYCHAIN_SEED", "2026"))
CALLS = ("write", "fsync", "pwrite64", "fdatasync", "ftruncate", "unlink")
STORES = {"ledger": ["k.ledger"], "mark": ["keys/kill.example.self.mark"], "index": ["k.ledger.index"]}


def test_random_kills_lose_nothing() -> None:
    """Killed hundreds of times at random points over one growing ledger, no acknowledged record is ever lost."""
    # What a killed process had written is the kernel's: memory serves as well as a disk here, and kills more often.
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=fast) as folder:
        command = [sys.executable, str(HERE / "kill_campaign.py"), folder, str(KILLS), str(SEED)]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60 + 5 * KILLS, check=False)
        assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["kills"] == KILLS and summary["told"] > KILLS // 2
    assert summary["height"] >= summary["told"]
    assert summary["verified"] >= KILLS // 25


# ------------------------------------------------------------------------------------------- at each system call


def _strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    code = "import os, sys\ntry: os.fsync(os.open('.', os.O_RDONLY))\nexcept OSError: sys.exit(0)\nsys.exit(1)"
    probe = ["strace", "-f", "-o", os.devnull, "-e", "inject=fsync:error=EIO:when=1", sys.executable, "-c", code]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_strace = pytest.mark.skipif(not _strace_works(), reason="strace cannot trace here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a small ledger and its keys."""
    made = Ledger.create(tmp_path / "k.ledger", origin="kill.example", keys=tmp_path / "keys")
    with made as ledger, ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        writer.donation("D-0", account="edu", amount="1")
    return tmp_path


def _donate(
    folder: Path, id_: str, inject: str | None, paths: list[str], log: str = os.devnull
) -> subprocess.CompletedProcess[str]:
    """Run a whole `donate` command, with the system calls on some files tampered with."""
    command = [sys.executable, "-m", "charitychain", "donate", "edu", "1", "--id", id_, "--keys", "keys"]
    if paths:
        watched = [word for path in paths for word in ("-P", str(folder / path))]
        calls = ["-e", f"inject={inject}"] if inject else ["-e", f"trace={','.join(CALLS)}"]
        command = ["strace", "-f", "-o", log, *watched, *calls, *command]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env, timeout=120, check=False)


def _calls(folder: Path, paths: list[str]) -> dict[str, int]:
    """Count the system calls of one good `donate` on some files."""
    done = _donate(folder, "COUNT", None, paths, log=str(folder / "log"))
    assert done.returncode == 0, done.stderr
    lines = [line.split(None, 1)[1] for line in (folder / "log").read_text().splitlines()]
    return {call: count for call in CALLS if (count := sum(line.startswith(f"{call}(") for line in lines))}


def _some(count: int) -> list[int]:
    """Return the first two, a middle one and the last of `count` calls."""
    return sorted({1, min(2, count), (count + 1) // 2, count})


def _check_and_go_on(folder: Path, said: set[str], next_: str) -> None:
    """Check that the ledger holds and has all that was said, and write to it."""
    with Ledger.open(folder / "k.ledger", keys=folder / "keys") as ledger:
        report = ledger.verify()
        assert report.holds, report.faults
        for id_ in said:
            assert ledger.trace(id_).donation == id_
        with ledger.writer() as writer:
            writer.donation(next_, account="edu", amount="1")
        report = ledger.verify()
        assert report.holds and not report.warnings, report
        assert ledger.trace(next_).donation == next_
        assert ledger.verify().totals["CNY"].held == 100 * report.counts["gifts"]


@needs_strace
@pytest.mark.parametrize("store", STORES)
def test_a_kill_at_each_kind_of_system_call(folder: Path, store: str) -> None:
    """Killed on entering a write, a sync, a cut or an unlink of ledger, mark or index, nothing said is lost."""
    said = {"D-0"}
    paths = STORES[store] + ([f"{name}-wal" for name in STORES[store]] if store == "index" else [])
    for call, count in _calls(folder, paths).items():
        for nth in _some(count):
            id_ = f"{call}-{nth}"
            done = _donate(folder, id_, f"{call}:signal=SIGKILL:when={nth}", paths)
            assert done.returncode != 0 or "recorded" in done.stdout
            if "recorded" in done.stdout:
                said.add(id_)
            _check_and_go_on(folder, said, f"after-{id_}")
            said.add(f"after-{id_}")


@needs_strace
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("store", STORES)
def test_a_disk_that_fails(folder: Path, store: str, error: str) -> None:
    """A full or broken disk under ledger, mark or index is exit 3; the ledger holds, and goes on when mended."""
    said, failed = {"D-0"}, 0
    paths = STORES[store] + ([f"{name}-wal" for name in STORES[store]] if store == "index" else [])
    for call, count in _calls(folder, paths).items():
        if call == "unlink":
            continue
        for nth in sorted({1, count}):
            id_ = f"{call}-{nth}"
            done = _donate(folder, id_, f"{call}:error={error}:when={nth}+", paths)
            recorded = "recorded" in done.stdout
            assert done.returncode == (0 if recorded else 3), (call, nth, done.returncode, done.stdout, done.stderr)
            assert "Traceback" not in done.stderr and "bug" not in done.stderr
            if recorded:
                said.add(id_)
            else:
                assert done.stderr.startswith("Error: ") and "[CC-" in done.stderr and f"show {id_}" in done.stderr
                failed += 1
            _check_and_go_on(folder, said, f"after-{id_}")
            said.add(f"after-{id_}")
    assert failed >= 2
