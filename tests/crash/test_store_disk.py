"""A disk that fails: full, short, lying, or dead in the middle. Faults are real ones, or injected into system calls."""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import charitychain
from charitychain.errors import StorageError
from charitychain.store.file import create_file, open_file

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(charitychain.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}

# Runs steps against one ledger and reports what became of each; a failed step does not end it.
CHILD = """if True:
    import json, sys
    from charitychain.errors import CharitychainError
    from charitychain.store.file import create_file, open_file
    path, steps = sys.argv[1], json.loads(sys.argv[2])
    store = None
    for step, *given in steps:
        try:
            if step == "create":
                store, result = create_file(path, [text.encode() for text in given]), 0
            elif step == "open":
                store, result = open_file(path, write=True), 0
            elif step == "read":
                store, result = open_file(path), 0
            elif step == "append":
                result = store.append([text.encode() for text in given])
            elif step == "close":
                store, result = store.close(), 0
            elif step == "tear":
                with open(path, "ab") as file:
                    file.write(given[0].encode())
                result = 0
            elif step == "limit":
                import resource
                result = resource.setrlimit(resource.RLIMIT_FSIZE, (given[0], given[0]))
            elif step == "scan":
                result = [(frame.offset, frame.fault) for frame in store.scan()]
            else:
                result = getattr(store, step)(*given)
        except CharitychainError as error:
            result = error.code
        print(json.dumps([step, result, store.size() if store is not None else None]), flush=True)
    """


@functools.cache
def strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    probe = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.fixture
def strace() -> None:
    if not strace_works():
        pytest.skip("strace cannot trace here")


def run(path: Path, *steps: Sequence[Any], inject: Sequence[str] = (), everywhere: bool = False) -> list[list[Any]]:
    """Run the steps in a child, with faults in its system calls on the ledger (or on any file); return its reports.

    A child killed by a fault reports less.
    """
    command = [sys.executable, "-c", CHILD, str(path), json.dumps(steps)]
    if inject:
        calls = ",".join(fault.partition(":")[0] for fault in inject)
        faults = [word for fault in inject for word in ("-e", f"inject={fault}")]
        only = [] if everywhere else ["-P", str(path)]
        command = ["strace", "-f", "-qq", "-o", os.devnull, *only, "-e", f"trace={calls}", *faults, *command]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)
    killed = done.returncode in (-9, 137) and any("SIGKILL" in fault for fault in inject)
    assert done.returncode == 0 or killed, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def entries(path: Path) -> list[bytes | None]:
    """Return the entries of a ledger in which nothing is damaged."""
    with open_file(path) as store:
        frames = list(store.scan())
    assert [frame.fault for frame in frames] == [None] * len(frames)
    return [frame.payload for frame in frames]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "t.ledger"
    create_file(made, [b"first"]).close()
    return made


# ------------------------------------------------------------------------------------------- full


def test_short_write_is_cut_back(path: Path) -> None:
    """When the system takes only a part and then no more, that part is cut away and the handle is spent."""
    steps = ("open",), ("append", "second"), ("limit", 1000), ("append", "A" * 5000), ("append", "x"), ("scan",)
    *_, failed, spent, scan = run(path, *steps)
    assert failed == ["append", "CC-STORAGE", 51]
    assert spent == ["append", "CC-POISONED", 51]
    assert scan[1] == [[16, None], [33, None]]
    assert path.stat().st_size == 51
    with open_file(path, write=True) as store:
        store.append([b"third"])
    assert entries(path) == [b"first", b"second", b"third"]


def test_write_in_parts_goes_on(path: Path, strace: None) -> None:
    """An interrupted write that took a part, or nothing, is continued or refused, never acknowledged in half."""
    big = "B" * 100_000
    reports = run(path, ("open",), ("append", big), inject=["write:error=EINTR:when=1"])
    assert reports[-1][1] == [33]
    assert entries(path) == [b"first", big.encode()]
    reports = run(path, ("open",), ("append", "x"), inject=["write:retval=0:when=1"])
    assert reports[-1][1] == "CC-STORAGE"
    assert entries(path) == [b"first", big.encode()]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(small_disk: Path) -> None:
    """On a disk that is really full nothing is acknowledged, what was there stays, and with room it goes on."""
    path = small_disk / "t.ledger"
    with create_file(path, [b"first"]) as store:
        (small_disk / "ballast").write_bytes(bytes(40_000))
        with pytest.raises(StorageError) as caught:
            store.append([b"C" * 50_000])
        assert caught.value.code == "CC-STORAGE" and "No space left" in caught.value.message
        assert path.stat().st_size == 33
        (small_disk / "ballast").unlink()
        with pytest.raises(StorageError) as caught:
            store.append([b"D"])
        assert caught.value.code == "CC-POISONED"
    with open_file(path, write=True) as store:
        store.append([b"C" * 50_000])
    assert entries(path) == [b"first", b"C" * 50_000]


def test_full_disk_creates_nothing(small_disk: Path) -> None:
    """A ledger that does not fit on the disk is not created, not even in part."""
    with pytest.raises(StorageError):
        create_file(small_disk / "t.ledger", [b"E" * 100_000])
    assert list(small_disk.iterdir()) == []


def test_full_disk_keeps_the_torn_end_in_place(small_disk: Path) -> None:
    """When the torn end cannot be kept beside, it is not cut, and the handle stays good."""
    path = small_disk / "t.ledger"
    create_file(path, [b"first"]).close()
    with open(path, "ab") as file:
        file.write(bytes(20_000))
    (small_disk / "ballast").write_bytes(bytes(30_000))
    with open_file(path, write=True) as store:
        with pytest.raises(StorageError) as caught:
            store.cut(33)
        assert "nothing was cut" in caught.value.message
        assert path.stat().st_size == 20_033 and not list(small_disk.glob("*.torn-*"))
        (small_disk / "ballast").unlink()
        assert store.cut(33) == f"{path}.torn-33"


def test_read_only_medium(small_disk: Path) -> None:
    """A read-only medium can be read; opening it for writing is refused with words."""
    path = small_disk / "t.ledger"
    create_file(path, [b"first"]).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert entries(path) == [b"first"]
    reports = run(path, ("open",))
    assert reports[0][1] == "CC-UNREADABLE"


# ------------------------------------------------------------------------------------------- failing


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EDQUOT"])
def test_failed_fsync_is_never_repeated(path: Path, strace: None, error: str) -> None:
    """After a failed fsync nothing is acknowledged, and no later fsync is asked, which would report success."""
    # fsync 1 is that of opening, 2 that of the first append; from 3 on they would succeed.
    steps = ("open",), ("append", "lost"), ("append", "x"), ("cut", 16), ("append", "y")
    reports = run(path, *steps, inject=[f"fsync:error={error}:when=2"])
    assert [report[1] for report in reports] == [0, "CC-STORAGE", "CC-POISONED", "CC-POISONED", "CC-POISONED"]
    assert {report[2] for report in reports} == {33}
    assert entries(path) == [b"first"]  # cut back: the disk may not have what memory shows


def test_interrupt_spends_the_handle(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted before it is durable, an entry is cut away, and the handle writes no more."""

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    with open_file(path, write=True) as store:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.append([b"never"])
        assert path.stat().st_size == store.size() == 33
        with pytest.raises(StorageError) as caught:
            store.append([b"x"])
        assert caught.value.code == "CC-POISONED"
    assert entries(path) == [b"first"]


def test_failed_cut_back_leaves_what_the_next_writer_handles(path: Path, strace: None) -> None:
    """When even cutting back fails, the file has a torn end or a whole entry that nobody acknowledged."""
    inject = ["fsync:error=EIO:when=2", "ftruncate:error=EIO"]
    reports = run(path, ("open",), ("append", "maybe"), ("append", "x"), ("scan",), inject=inject)
    assert [report[1] for report in reports[1:3]] == ["CC-STORAGE", "CC-POISONED"]
    assert reports[3][1] == [[16, None]]  # the spent handle does not show it as recorded
    assert entries(path) == [b"first", b"maybe"]
    with open_file(path, write=True) as store:
        store.append([b"third"])
    assert entries(path) == [b"first", b"maybe", b"third"]


def test_opening_for_writing_makes_durable_first(path: Path, strace: None) -> None:
    """When what a killed writer left cannot be made durable, the ledger does not open for writing."""
    assert run(path, ("open",), inject=["fsync:error=EIO:when=1"])[0][1] == "CC-STORAGE"
    assert run(path, ("open",))[0][1] == 0  # and its lock is gone


def test_write_that_lies_is_found(path: Path, strace: None) -> None:
    """A write that reports success and wrote nothing is found by reading back, and not acknowledged."""
    reports = run(path, ("open",), ("append", "second"), ("append", "x"), inject=["write:retval=18:when=1"])
    assert [report[1] for report in reports] == [0, "CC-STORAGE", "CC-POISONED"]
    assert entries(path) == [b"first"]


def test_write_that_skips_bytes_is_found(path: Path, strace: None) -> None:
    """A write that loses its first bytes is found by reading back, and cut away."""
    reports = run(path, ("open",), ("append", "second"), inject=["write:retval=3:when=1"])
    assert reports[1][1] == "CC-STORAGE"
    assert entries(path) == [b"first"]


def test_failed_cut_poisons(path: Path, strace: None) -> None:
    """A cut whose fsync fails is not acknowledged; its bytes are kept beside all the same."""
    reports = run(path, ("tear", "abc"), ("open",), ("cut", 33), ("append", "x"), inject=["fsync:error=EIO:when=2"])
    assert [report[1] for report in reports[2:]] == ["CC-STORAGE", "CC-POISONED"]
    assert Path(f"{path}.torn-33").read_bytes() == b"abc"


def test_lost_page_is_one_damaged_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that the disk cannot read makes its own entry faulty; the others are still read."""
    path = tmp_path / "t.ledger"
    create_file(path, [b"first", b"F" * 9000, b"third"]).close()
    pread = os.pread

    def failing(descriptor: int, count: int, offset: int) -> bytes:
        if offset < 8192 and offset + count > 4096:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", failing)
    with open_file(path) as store:
        frames = list(store.scan())
    assert [frame.fault for frame in frames] == [None, "CC-FRAME", None]
    assert frames[1].payload == b"F" * 4051 + bytes(4096) + b"F" * 853


def test_unreadable_once_is_read_again(path: Path, strace: None) -> None:
    """A read that fails once is tried again before damage is told."""
    reports = run(path, ("read",), ("scan",), inject=["pread64:error=EIO:when=2"])
    assert reports[1][1] == [[16, None]]


def test_file_system_gone_is_an_error(path: Path, strace: None) -> None:
    """A file system that went away is an error of the store, not damage of an entry."""
    reports = run(path, ("read",), ("scan",), inject=["pread64:error=ESTALE:when=2+"])
    assert reports[1][1] == "CC-STORAGE"


def test_no_locks_no_writing(path: Path, strace: None) -> None:
    """A file system that cannot lock is refused for writing, not trusted; reading goes on."""
    for error in ("ENOSYS", "EOPNOTSUPP", "ENOLCK"):
        assert run(path, ("open",), inject=[f"flock:error={error}"])[0][1] == "CC-NO-LOCKS"
    assert run(path, ("read",), inject=["flock:error=ENOSYS"])[0][1] == 0


def test_created_without_hard_links(tmp_path: Path, strace: None) -> None:
    """Where the file system has no hard links a ledger is created all the same, and never replaces another."""
    path = tmp_path / "t.ledger"
    for expected in (0, "CC-EXISTS"):
        inject = ["link:error=EPERM", "linkat:error=EPERM"]
        assert run(path, ("create", "first"), inject=inject, everywhere=True)[0][1] == expected
        assert entries(path) == [b"first"]
        assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    "fault",
    ["write:error=ENOSPC:when=1", "fsync:error=EIO:when=1", "fsync:error=EIO:when=2", "link:error=EIO:when=1"],
)
def test_failed_creation_leaves_nothing(tmp_path: Path, strace: None, fault: str) -> None:
    """A ledger that cannot be written, synced or named is not there, and nothing else is."""
    path = tmp_path / "t.ledger"
    assert run(path, ("create", "first"), inject=[fault], everywhere=True)[0][1] == "CC-STORAGE"
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------- killed

STORY = (
    ("create", "first"),
    ("append", "second"),
    ("append", "third", "G" * 9000),
    ("close",),
    ("tear", "abc"),
    ("open",),
    ("cut", 9080),
    ("append", "last"),
    ("close",),
)
WRITTEN = [b"first", b"second", b"third", b"G" * 9000, b"last"]
ACKNOWLEDGED = [0, 1, 2, 4, 4, 4, 4, 4, 5, 5]


@pytest.mark.parametrize("call", ["write", "fsync", "link", "unlink", "flock", "ftruncate", "openat"])
def test_killed_at_every_call(tmp_path: Path, strace: None, call: str) -> None:
    """Killed before any one system call, a ledger has all that was acknowledged, and opens and goes on."""
    reports: list[list[Any]] = []
    number = first = 0
    if call == "openat":  # those of starting Python come first
        calls = tmp_path / "calls"
        nothing = json.dumps([])
        subprocess.run(
            ["strace", "-f", "-qq", "-o", calls, "-e", "trace=openat", sys.executable, "-c", CHILD, "x", nothing],
            env=ENVIRONMENT, check=True,
        )  # fmt: skip
        number = first = len(calls.read_text().splitlines())
    while len(reports) < len(STORY):
        number += 1
        assert number < first + 100
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "t.ledger"
        reports = run(path, *STORY, inject=[f"{call}:signal=SIGKILL:when={number}"], everywhere=True)
        check_story(path, len(reports))
    assert number > first + 1  # it was killed at least once


def check_story(path: Path, steps: int) -> None:
    acknowledged = ACKNOWLEDGED[steps]
    if not path.exists():
        assert acknowledged == 0
        return
    with open_file(path, write=True) as store:
        frames = list(store.scan())
        torn = frames.pop() if frames and frames[-1].fault == "CC-TORN" else None
        found = [frame.payload for frame in frames]
        assert found == WRITTEN[: len(found)] and len(found) >= max(1, acknowledged)
        kept = [other.read_bytes() for other in path.parent.glob("*.torn-*")]
        if torn is not None:
            store.cut(torn.offset)
        elif steps > 4:  # the torn end was written; it is in its place (above) or kept beside, never gone
            assert kept == [b"abc"]
        store.append([b"after"])
    assert entries(path) == [*found, b"after"]
