"""Ledger files made to hurt: time and memory stay bounded, and files that change under a reader do not kill it."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import charitychain
from charitychain.store.file import create_file, open_file
from charitychain.store.frames import HEAD, START, encode_frame, scan_frames

ROOT = str(Path(charitychain.__file__).parents[1])


def frame_head(length: int, check: int = 0) -> bytes:
    packed = struct.pack(">I", length)
    return packed + struct.pack(">II", zlib.crc32(b"ccfr" + packed), check)


def bytes_read(data: bytes) -> int:
    """Return how many bytes a whole scan of `data` asks for."""
    total = 0

    def read_at(offset: int, count: int) -> bytes:
        nonlocal total
        total += count
        return data[offset : offset + count]

    for _ in scan_frames(read_at, lambda: len(data), START):
        pass
    return total


def test_nested_false_frames_cost_linear_time() -> None:
    """Heads within heads, each with a length to the end and a wrong checksum, are not each read to the end."""
    count = 100_000
    size = 1 + 12 * count
    data = HEAD + b"\xff" + b"".join(frame_head(size - at - 12, 1) for at in range(1, size - 12, 12))
    assert bytes_read(data) < 70_000_000 + 10 * len(data)  # without a budget: 60,000,000,000


def test_many_gaps_cost_little_each() -> None:
    """Many short gaps, each with a whole frame behind it, are searched in small steps."""
    data = HEAD + (b"\xff" * 12 + encode_frame(b"x")) * 5000
    frames = list(scan_frames(lambda at, count: data[at : at + count], lambda: len(data), START))
    assert len(frames) == 10_000
    assert bytes_read(data) < 5000 * 5000


def test_search_that_gives_up_says_so_in_one_fault() -> None:
    """Where the budget for false frames is spent, the rest of the store is one faulty frame."""
    size = 30_000_000
    false = b"".join(frame_head(size // 2, 1) for _ in range(20_000))
    data = HEAD + b"\xff" + false + bytes(size) + encode_frame(b"behind")
    frames = list(scan_frames(lambda at, count: data[at : at + count], lambda: len(data), START))
    assert [(frame.fault, frame.end) for frame in frames] == [("CC-FRAME-LENGTH", len(data))]


def test_fault_is_looked_at_twice() -> None:
    """A frame that a writer replaces between two reads of it, as after cutting a torn end, is no damage."""
    good = HEAD + encode_frame(b"new")
    answers = [encode_frame(b"old")[:12]]  # the head of before, then the bytes of now

    def read_at(offset: int, count: int) -> bytes:
        return answers.pop() if answers else good[offset : offset + count]

    frames = list(scan_frames(read_at, lambda: len(good), START))
    assert [(frame.payload, frame.fault) for frame in frames] == [(b"new", None)]


def test_memory_is_bounded_by_one_frame(tmp_path: Path) -> None:
    """A ledger much larger than the memory allowed is scanned from end to end."""
    path = tmp_path / "t.ledger"
    size = 4 << 20
    with open(path, "wb") as file:  # sparse: the entries are zeros
        file.write(HEAD)
        head = frame_head(size, zlib.crc32(bytes(size)))
        for _ in range(100):
            file.write(head)
            file.seek(size, os.SEEK_CUR)
        file.truncate(file.tell())
    script = """if True:
        import resource, sys
        from charitychain.store.file import open_file
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20), used + (24 << 20)))
        with open_file(sys.argv[1]) as store:
            print(sum(frame.fault is None for frame in store.scan()), store.size())
        """
    run = subprocess.run(
        [sys.executable, "-c", script, path], env={"PYTHONPATH": ROOT}, capture_output=True, text=True, check=False
    )
    assert run.stdout.split() == ["100", str(START + 100 * (size + 12))], run.stderr


def test_file_cut_under_a_reader_is_an_answer(tmp_path: Path) -> None:
    """A reader whose file becomes shorter sees it end, torn or not, and lives."""
    path = tmp_path / "t.ledger"
    create_file(path, [b"%d" % number * 1000 for number in range(9)]).close()
    with open_file(path) as store:
        frames = store.scan()
        first, second = next(frames), next(frames)
        os.truncate(path, second.end + 500)
        assert [frame.fault for frame in frames] == ["CC-TORN"]
        os.truncate(path, first.end - 1)
        assert store.read(first.offset).fault == "CC-TORN"
        os.truncate(path, 3)
        assert list(store.scan()) == [] and store.size() == 3
