"""Remembered heads and pinned identities."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from charitychain.errors import StorageError, VerificationError
from charitychain.heads import Head, Heads, state_directory

A, B = bytes([0xA1] * 32), bytes([0xB2] * 32)
HASH, OTHER = bytes([0x11] * 32), bytes([0x22] * 32)
GOOD = {"identity": A.hex(), "height": 1, "block_hash": HASH.hex(), "checkpoint": ""}


@pytest.fixture
def heads(tmp_path: Path) -> Heads:
    """An empty memory."""
    return Heads(tmp_path / "state" / "charitychain")


def test_nothing_known(heads: Heads, tmp_path: Path) -> None:
    """An empty memory knows nothing, and asking does not create anything."""
    assert heads.head(A) is None
    assert heads.pinned(tmp_path / "x.ledger") is None
    assert not heads.directory.exists()


def test_remember(heads: Heads) -> None:
    """A head is remembered for its own ledger only, checkpoint included, by a later process too."""
    head = Head(41, HASH, "relief.example/2026\n42\n…\n\n— relief.example/2026 abc\n")
    heads.remember(A, head)
    assert Heads(heads.directory).head(A) == head
    assert heads.head(B) is None


def test_never_lowered(heads: Heads) -> None:
    """An older head changes nothing; a newer one replaces."""
    heads.remember(A, Head(41, HASH, "new"))
    heads.remember(A, Head(40, OTHER, "old"))
    assert heads.head(A) == Head(41, HASH, "new")
    heads.remember(A, Head(42, OTHER, "newer"))
    assert heads.head(A) == Head(42, OTHER, "newer")


def test_fork(heads: Heads) -> None:
    """Another block at the remembered height is a fork, exit code 1, and the memory keeps what it had."""
    heads.remember(A, Head(41, HASH, "x"))
    heads.remember(A, Head(41, HASH, "x"))
    with pytest.raises(VerificationError) as caught:
        heads.remember(A, Head(41, OTHER, "x"))
    assert (caught.value.code, caught.value.exit_code) == ("CC-FORK", 1)
    assert caught.value.facts["expected"] == HASH.hex()
    head = heads.head(A)
    assert head is not None
    assert head.block_hash == HASH


def test_pins_follow_the_real_path(heads: Heads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger is known by its resolved path: through a relative name or a link it is the same one."""
    ledger = tmp_path / "a.ledger"
    ledger.write_bytes(b"")
    heads.pin(ledger, A)
    (tmp_path / "link.ledger").symlink_to(ledger)
    monkeypatch.chdir(tmp_path)
    assert heads.pinned(Path("a.ledger")) == A
    assert heads.pinned(Path("link.ledger")) == A
    assert heads.pinned(tmp_path / "b.ledger") is None


def test_pin_anew(heads: Heads, tmp_path: Path) -> None:
    """`init` pins a path anew; the head of the earlier ledger stays remembered."""
    heads.pin(tmp_path / "a.ledger", A)
    heads.remember(A, Head(1, HASH, "x"))
    heads.pin(tmp_path / "a.ledger", B)
    assert heads.pinned(tmp_path / "a.ledger") == B
    assert heads.head(A) == Head(1, HASH, "x")


def test_pin_a_path_that_is_no_text(heads: Heads, tmp_path: Path) -> None:
    """A file name that is not UTF-8 can be pinned."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.ledger"))
    heads.pin(path, A)
    assert heads.pinned(path) == A


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        json.dumps({**GOOD, "height": True}).encode(),
        json.dumps({**GOOD, "height": -1}).encode(),
        json.dumps({**GOOD, "height": 1.0}).encode(),
        json.dumps({**GOOD, "block_hash": "11"}).encode(),
        json.dumps({**GOOD, "block_hash": HASH.hex().upper() + "\n"}).encode(),
        json.dumps({**GOOD, "identity": B.hex()}).encode(),
        json.dumps({**GOOD, "checkpoint": None}).encode(),
        b" " * 2_000_000,
    ],
)
def test_a_damaged_memory_is_never_forgotten(heads: Heads, content: bytes) -> None:
    """A damaged file is an error that says what to do, for reading and for remembering, and is not overwritten."""
    heads.remember(A, Head(1, HASH, "x"))
    (path,) = (heads.directory / "heads").glob("*.json")
    path.write_bytes(content)
    for attempt in (lambda: heads.head(A), lambda: heads.remember(A, Head(2, HASH, "x"))):
        with pytest.raises(StorageError, match="move this file away") as caught:
            attempt()
        assert caught.value.code == "CC-STATE"
    assert path.read_bytes() == content


def test_every_cut_of_a_head_file_is_refused(heads: Heads) -> None:
    """A file cut anywhere but behind its last brace is refused."""
    heads.remember(A, Head(1, HASH, "x"))
    (path,) = (heads.directory / "heads").glob("*.json")
    whole = path.read_bytes()
    for size in range(len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(StorageError):
            heads.head(A)


def test_damaged_pin(heads: Heads, tmp_path: Path) -> None:
    """A damaged pin is an error too."""
    heads.pin(tmp_path / "a.ledger", A)
    (path,) = (heads.directory / "pins").glob("*.json")
    path.write_text(json.dumps({"identity": "short"}))
    with pytest.raises(StorageError) as caught:
        heads.pinned(tmp_path / "a.ledger")
    assert caught.value.code == "CC-STATE"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where the state folder cannot be, remembering fails as CC-STATE and leaves the ledger alone."""
    (tmp_path / "file").write_bytes(b"")
    heads = Heads(tmp_path / "file" / "charitychain")
    head = Head(1, HASH, "x")
    for attempt in (lambda: heads.remember(A, head), lambda: heads.pin(tmp_path, A), lambda: heads.head(A)):
        with pytest.raises(StorageError) as caught:
            attempt()
        assert caught.value.code == "CC-STATE"


def test_modes_under_umask_000(tmp_path: Path) -> None:
    """Files and folders are the user's alone, whatever the umask; no temporary file stays."""
    code = (
        "import os, sys; os.umask(0); from pathlib import Path; from charitychain.heads import *;"
        "h = Heads(Path(sys.argv[1]) / 's' / 'c'); h.remember(bytes(32), Head(1, bytes(32), 'x'));"
        "h.pin(Path('x'), bytes(32))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    found = sorted(path for path in tmp_path.rglob("*"))
    assert [path.name for path in found if path.suffix == ".tmp"] == []
    assert len([path for path in found if path.suffix == ".json"]) == 2
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_two_processes_never_lower_it(tmp_path: Path) -> None:
    """Processes that remember rising and falling heights at once leave the highest."""
    code = (
        "import sys; from pathlib import Path; from charitychain.heads import *\n"
        "h = Heads(Path(sys.argv[1])); last = -1\n"
        "for n in eval(sys.argv[2]):\n"
        "    h.remember(bytes(32), Head(n, n.to_bytes(32, 'big'), str(n)))\n"
        "    now = h.head(bytes(32)).height\n"
        "    assert now >= last and now >= n; last = now\n"
    )
    ranges = ["range(0, 60)", "range(59, -1, -1)", "range(0, 61, 3)", "range(50, 0, -2)"]
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), text]) for text in ranges]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    head = Heads(tmp_path).head(bytes(32))
    assert head == Head(60, (60).to_bytes(32, "big"), "60")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/charitychain"),
        ({"HOME": "/h"}, "/h/.local/state/charitychain"),
        ({"XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/charitychain"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/charitychain"),
    ],
)
def test_state_directory(environ: dict[str, str], expected: str) -> None:
    """The folder follows the XDG base directory specification."""
    assert state_directory(environ) == Path(expected)


def test_misuse() -> None:
    """Values that are no identity or head are the caller's bug."""
    heads = Heads(Path("/nonexistent"))
    with pytest.raises(ValueError, match="32 bytes"):
        heads.head(b"")
    with pytest.raises(ValueError, match="32 bytes"):
        heads.pin(Path("x"), b"")
    with pytest.raises(ValueError, match="not a head"):
        heads.remember(A, Head(-1, HASH, ""))
