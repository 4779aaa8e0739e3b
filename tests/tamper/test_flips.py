"""Every bit of a ledger matters: one that is flipped is found, in the block that it stands in.

Of a tiny ledger with every kind of record two bits of each byte are flipped as somebody does it who also repairs the
two checksums of the frame, and one bit of each byte as a failing disk does it, which the checksums see at once; in a
campaign (``CHARITYCHAIN_FLIPS=all``) all bits both ways. Of a larger ledger a sample is flipped. The test is cut in
slices for ``pytest -n``.
"""

from __future__ import annotations

import os
import random
from bisect import bisect_right

import pytest
from golden.make import LEDGER

from charitychain.errors import UnreadableError
from charitychain.store.frames import MAX_ENTRY, START
from charitychain.store.memory import MemoryStore
from charitychain.verify import Report, verify
from tamper.forge import boundaries, repair, take_apart
from tamper.ledgers import checked, tiny

SLICES = 8
SAMPLE = 400
ALL = os.environ.get("CHARITYCHAIN_FLIPS") == "all"


def outcome(data: bytes) -> Report | None:
    """Return the report; nothing where this is no ledger. Every other error fails the test."""
    try:
        return verify(MemoryStore(data))
    except UnreadableError:
        return None


def check_flip(data: bytes, ends: list[int], bit: int, *, repaired: bool) -> None:
    """Flip one bit and require that verify finds it, and where."""
    place = f"bit {bit % 8} of byte {bit // 8}, repaired: {repaired}"
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    height = bisect_right(ends, bit // 8) - 1
    if height >= 0 and repaired:
        repair(flipped, ends[height], ends[height + 1])
        if flipped == data:
            return  # it was a bit of a checksum
    report = outcome(bytes(flipped))
    if height < 0:
        assert report is None, f"{place}: a file without the head of a ledger was read"
        return
    if report is None:
        assert height == 0, f"{place}: block 0 is whole, and the ledger is called unreadable"
        return
    at = ends[height] + 12
    declared = int.from_bytes(flipped[ends[height] : ends[height] + 4], "big")
    if repaired and len(data) - at < declared <= MAX_ENTRY:
        # A good length beyond the end of the file is what a write that was cut off looks like; see `test_cuts`.
        assert (report.exit_code, report.height) == (8, height - 1) and report.warnings, place
        return
    assert report.exit_code == 1 and not report.holds, f"{place}: passes"
    assert height in {fault.block for fault in report.faults}, f"{place}: {report.faults}"


@pytest.mark.parametrize("repaired", [False, True], ids=["as is", "checksums repaired"])
@pytest.mark.parametrize("part", range(SLICES))
def test_every_bit_of_a_tiny_ledger(part: int, repaired: bool) -> None:
    """Whichever bit flips, verify lists a fault in its block, or says that this is no ledger."""
    data, ends = tiny(), boundaries(tiny())
    assert len(data) < 3000 and checked(data).holds
    for bit in range(part, 8 * len(data), SLICES):
        if ALL or bit // 8 % (4 if repaired else 8) == bit % (4 if repaired else 8):
            check_flip(data, ends, bit, repaired=repaired)


@pytest.mark.parametrize("repaired", [False, True], ids=["as is", "checksums repaired"])
def test_sampled_bits_of_the_golden_ledger(repaired: bool) -> None:
    """The same for a sample of the bits of a ledger with columns, several parties and both rules."""
    data = LEDGER.read_bytes()
    ends = boundaries(data)
    for bit in random.Random(20260101).sample(range(8 * START, 8 * len(data)), SAMPLE // 2):
        check_flip(data, ends, bit, repaired=repaired)


def test_the_tiny_ledger_holds_every_kind_of_record() -> None:
    """The ledger that is flipped bit by bit has all eleven kinds in it."""
    kinds = {type(r).__name__ for block in take_apart(tiny()) for s in block.statements for r in s.records()}
    assert len(kinds) == 11
