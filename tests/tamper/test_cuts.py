"""A ledger that is cut: unreadable, torn, or, at the end of a block, good as far as it goes.

Nothing in a file can show that blocks were cut off its end. What can is a head that this machine remembers, or a
checkpoint that somebody else kept.
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import pytest
from golden.make import LEDGER

from charitychain.cli import main
from charitychain.errors import UnreadableError
from charitychain.heads import Heads
from charitychain.store.memory import MemoryStore
from charitychain.verify import verify
from tamper.forge import boundaries
from tamper.ledgers import tiny, village

NOTICE = "nothing proves that this is its end"


def check_cut(data: bytes, ends: list[int], length: int) -> None:
    """Require the right outcome for the first `length` bytes alone."""
    if length < ends[1]:
        with pytest.raises(UnreadableError):
            verify(MemoryStore(data[:length]))
        return
    report = verify(MemoryStore(data[:length]))
    whole = bisect_right(ends, length) - 1
    assert report.holds and report.height == whole - 1, length
    if length in ends:
        assert report.exit_code == 0 and not report.warnings, length
        assert any(NOTICE in notice for notice in report.notices), length
    else:
        assert report.exit_code == 8, length
        assert any(f"byte {ends[whole]}" in warning for warning in report.warnings), length


def test_every_length_of_a_tiny_ledger() -> None:
    """Each cut says what it is: no ledger before the end of block 0, torn inside a frame, else good with a notice."""
    data, ends = tiny(), boundaries(tiny())
    for length in range(len(data) + 1):
        check_cut(data, ends, length)


def test_lengths_around_each_block_of_a_larger_ledger() -> None:
    """The same around all ends of frames, inside frame heads and in the middle of blocks."""
    for data in (LEDGER.read_bytes(), village().data):
        ends = boundaries(data)
        near = {end + step for end in ends for step in (-1, 0, 1, 3, 4, 7, 8, 11, 12, 13, 100)}
        for length in sorted(near & set(range(len(data) + 1))):
            check_cut(data, ends, length)


def test_every_cut_at_a_block_is_found_with_a_remembered_head(tmp_path: Path) -> None:
    """A machine that has seen more blocks says so, and does not forget them; the whole file is good again."""
    data = village().data
    heads = Heads(tmp_path / "state")
    assert verify(MemoryStore(data), heads=heads).exit_code == 0
    for end in boundaries(data)[1:-1]:
        report = verify(MemoryStore(data[:end]), heads=heads)
        assert (report.exit_code, report.faults) == (8, [])
        assert "This machine has seen block 6" in report.warnings[0]
    assert verify(MemoryStore(data), heads=heads).exit_code == 0


def test_every_cut_at_a_block_is_found_with_a_checkpoint() -> None:
    """A checkpoint of more blocks than there are makes the verdict 8; one of fewer is extended."""
    data = village().data
    ends, sealed = boundaries(data), village().blocks()
    for height, block in enumerate(sealed):
        for blocks_kept in range(1, len(sealed) + 1):
            report = verify(MemoryStore(data[: ends[blocks_kept]]), checkpoint=block.seal)
            assert report.faults == []
            assert report.exit_code == (0 if blocks_kept > height else 8)
            assert any("extends the given checkpoint" in n for n in report.notices) == (blocks_kept > height)


def test_a_fault_outweighs_a_torn_end() -> None:
    """Exit code 1 goes before 8."""
    data = bytearray(tiny())
    ends = boundaries(tiny())
    data[ends[1] + 40] ^= 1
    report = verify(MemoryStore(bytes(data[:-5])))
    assert report.faults and report.warnings and report.exit_code == 1


@pytest.fixture
def cut_file(tmp_path: Path) -> Path:
    """Give the path of a ledger file that tests cut."""
    path = tmp_path / "v.ledger"
    path.write_bytes(village().data)
    return path


def exit_code(path: Path, *more: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(path), *more])
    return ended.value.code


def test_exit_codes_of_the_command(cut_file: Path, tmp_path: Path) -> None:
    """The command ends with 3, 8, 0 and, once it knows more, 8."""
    data, ends = village().data, boundaries(village().data)
    for length in (0, 15, 16, ends[1] - 1):
        cut_file.write_bytes(data[:length])
        assert exit_code(cut_file) == 3, length
    cut_file.write_bytes(data[: ends[4] + 20])
    assert exit_code(cut_file) == 8
    cut_file.write_bytes(data[: ends[4]])
    assert exit_code(cut_file) == 0
    seal = tmp_path / "checkpoint"
    seal.write_bytes(village().blocks()[-1].seal)
    assert exit_code(cut_file, "--checkpoint", str(seal)) == 8
    cut_file.write_bytes(data)
    assert exit_code(cut_file, "--checkpoint", str(seal)) == 0
    cut_file.write_bytes(data[: ends[4]])
    assert exit_code(cut_file) == 8
