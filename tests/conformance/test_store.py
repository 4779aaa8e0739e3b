"""What every store must do; `conftest.py` beside says which stores there are."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from charitychain.errors import CharitychainError, UnreadableError
from charitychain.store.protocol import Frame, Store

if TYPE_CHECKING:
    from .conftest import Bench

THREE = (b"first", b"the second entry", b"\x00" * 40)
OFFSETS = [16, 33, 61]  # a head of 16 bytes, then 12 more than each entry has
END = 113


def frame(entry: bytes) -> bytes:
    """Frame an entry, written from the format's description rather than with the code under test."""
    length = struct.pack(">I", len(entry))
    return length + struct.pack(">II", zlib.crc32(b"ccfr" + length), zlib.crc32(entry)) + entry


HEAD = bytes.fromhex("89 43 43 4c 44 47 52 0a 00 02 00 00 00 00 00 00")
RAW = HEAD + b"".join(map(frame, THREE))


def good(frames: Iterable[Frame]) -> list[bytes | None]:
    return [frame.payload for frame in frames if frame.fault is None]


def check_no_gaps(store: Store, frames: list[Frame]) -> None:
    at = store.start()
    for frame in frames:
        assert frame.offset == at and frame.end > at
        at = frame.end
    assert at == store.size()


# ------------------------------------------------------------------------------------------- good stores


def test_what_was_appended_is_read(bench: Bench) -> None:
    """Entries come back in order, at the offsets that append returned, and without gaps."""
    store = bench.create(THREE[0])
    assert store.append(THREE[1:]) == OFFSETS[1:]
    frames = list(store.scan())
    assert frames == [
        Frame(16, 5, b"first", None, 33),
        Frame(33, 16, b"the second entry", None, 61),
        Frame(61, 40, b"\x00" * 40, None, 113),
    ]
    assert store.size() == END
    check_no_gaps(store, frames)


def test_bytes_are_the_documented_ones(bench: Bench) -> None:
    """The bytes of a store are its head and the documented frames, nothing else."""
    bench.create(*THREE)
    assert bench.raw() == RAW


def test_known_frame() -> None:
    """The frame of a known entry has known bytes, its checksums taken from `gzip`."""
    assert frame(b"first") == bytes.fromhex("00000005 accd852e 9271ee57") + b"first"


def test_reopened_store_goes_on(bench: Bench) -> None:
    """A store that is closed and opened again has the same entries and takes more."""
    bench.create(*THREE[:2])
    store = bench.reopen()
    assert good(store.scan()) == list(THREE[:2])
    assert store.append([THREE[2]]) == [61]
    assert good(bench.reopen().scan()) == list(THREE)


def test_scan_starts_anywhere(bench: Bench) -> None:
    """A scan from an entry's offset gives that entry and all later ones; from the end, nothing."""
    store = bench.create(*THREE)
    for number, offset in enumerate(OFFSETS):
        assert good(store.scan(offset)) == list(THREE[number:])
    assert list(store.scan(END)) == list(store.scan(END + 1000)) == []


def test_read_gives_one_entry(bench: Bench) -> None:
    """Reading at an offset gives the frame that a scan gives there; behind the end, an empty one that is torn."""
    store = bench.create(*THREE)
    assert [store.read(offset) for offset in OFFSETS] == list(store.scan())
    assert store.read(END) == Frame(END, 0, None, "CC-TORN", END)


@pytest.mark.parametrize("offset", [-1, -(2**70), 0, 15, 17, 2**63, 2**70])
def test_no_offset_raises(bench: Bench, offset: int) -> None:
    """An offset that is no entry's, such as a damaged index may hold, gives a fault and no exception."""
    store = bench.create(*THREE)
    assert store.read(offset).fault in ("CC-FRAME-LENGTH", "CC-TORN")
    list(store.scan(offset))


def test_scan_goes_on_while_the_store_grows(bench: Bench) -> None:
    """A scan that is under way sees what is appended meanwhile."""
    store = bench.create(b"1")
    seen = []
    for frame in store.scan():
        seen.append(frame.payload)
        if len(seen) < 4:
            store.append([b"%d" % (len(seen) + 1)])
    assert seen == [b"1", b"2", b"3", b"4"]


def test_nothing_appended_changes_nothing(bench: Bench) -> None:
    """An append of no entries is allowed and writes no byte."""
    store = bench.create(*THREE)
    assert store.append([]) == []
    assert bench.raw() == RAW


def test_empty_entry_is_refused(bench: Bench) -> None:
    """An empty entry is our caller's mistake; none of the entries given with it is recorded."""
    store = bench.create(*THREE)
    with pytest.raises(ValueError):
        store.append([b"good", b""])
    assert bench.raw() == RAW
    assert store.append([b"x"]) == [END]


def test_closed_store_refuses(bench: Bench) -> None:
    """A closed store refuses everything; closing twice is allowed."""
    store = bench.create(*THREE)
    store.close()
    store.close()
    uses = lambda: list(store.scan()), lambda: store.read(16), lambda: store.append([b"x"]), lambda: store.cut(33)
    for use in uses:
        with pytest.raises(ValueError):
            use()
    assert bench.raw() == RAW


@pytest.mark.parametrize("length", [0, 1, 7, 8, 15])
def test_short_head_is_no_ledger(bench: Bench, length: int) -> None:
    """Fewer bytes than a head are no ledger."""
    bench.create()
    with pytest.raises(UnreadableError) as caught:
        bench.reopen(RAW[:length])
    assert caught.value.code == "CC-NOT-A-LEDGER"


def test_every_bit_of_the_head_counts(bench: Bench) -> None:
    """A changed magic is no ledger, a changed version or reserved byte one of another version."""
    bench.create()
    for bit in range(16 * 8):
        with pytest.raises(UnreadableError) as caught:
            bench.reopen(flipped(RAW, bit))
        assert caught.value.code == ("CC-NOT-A-LEDGER" if bit < 64 else "CC-VERSION")


# ------------------------------------------------------------------------------------------- damage


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_cut_anywhere_is_torn_or_whole(bench: Bench) -> None:
    """Cut at any byte, a store has the entries that end before it, and is torn unless an entry ends just there."""
    bench.create()
    for length in range(16, END + 1):
        store = bench.reopen(RAW[:length])
        frames = list(store.scan())
        whole = [entry for entry, end in zip(THREE, [*OFFSETS[1:], END], strict=True) if end <= length]
        boundary = length in (*OFFSETS, END)
        assert good(frames) == whole
        assert [frame.fault for frame in frames[len(whole) :]] == ([] if boundary else ["CC-TORN"])
        check_no_gaps(store, frames)
        if not boundary:
            torn = frames[-1]
            assert torn == store.read(torn.offset) and torn.payload is None


def test_every_flipped_bit_is_one_fault(bench: Bench) -> None:
    """Any flipped bit makes exactly the frame that it stands in faulty; all others are still read."""
    bench.create()
    for bit in range(16 * 8, END * 8):
        store = bench.reopen(flipped(RAW, bit))
        frames = list(store.scan())
        number = sum(offset <= bit // 8 for offset in OFFSETS) - 1
        within = bit // 8 - OFFSETS[number]
        assert [frame.offset for frame in frames] == OFFSETS
        bad = frames.pop(number)
        assert bad.fault == ("CC-FRAME-LENGTH" if within < 8 else "CC-FRAME")
        assert bad.length == len(THREE[number])
        assert good(frames) == [entry for entry in THREE if entry is not THREE[number]]
        if within >= 12:
            assert bad.payload is not None and bad.payload != THREE[number]
        elif within < 8:
            assert bad.payload is None
        assert store.read(bad.offset) == bad


@pytest.mark.parametrize("count", [1, 11, 12, 13, 4096, 100_000])
def test_zeros_at_the_end_are_no_entries(bench: Bench, count: int) -> None:
    """A store that grew without its data shows one fault over all zeros, and its entries as before."""
    bench.create()
    store = bench.reopen(RAW + bytes(count))
    *whole, last = store.scan()
    assert good(whole) == list(THREE)
    assert (last.offset, last.end) == (END, END + count)
    assert last.fault == ("CC-TORN" if count < 12 else "CC-FRAME-LENGTH")


def test_hole_of_zeros_inside_the_last_entry_is_damage(bench: Bench) -> None:
    """A last frame of full length with zeros where data should be is damage, not a torn end."""
    bench.create()
    raw = RAW + frame(b"A" * 100)[:60] + bytes(52)
    *whole, last = bench.reopen(raw).scan()
    assert good(whole) == list(THREE) and last.fault == "CC-FRAME" and last.end == len(raw)


def test_absurd_length_is_damage_and_allocates_nothing(bench: Bench) -> None:
    """A length beyond the maximum is damage even with a good checksum; one beyond the end is torn."""
    bench.create()
    faults = {0: "CC-FRAME-LENGTH", 2**28: "CC-TORN", 2**28 + 1: "CC-FRAME-LENGTH", 2**32 - 1: "CC-FRAME-LENGTH"}
    for length, fault in faults.items():
        packed = struct.pack(">I", length)
        head = packed + struct.pack(">II", zlib.crc32(b"ccfr" + packed), 0)
        *whole, last = bench.reopen(RAW + head + b"xyz").scan()
        assert good(whole) == list(THREE) and last.fault == fault and last.payload is None


def test_search_finds_the_entry_behind_a_long_gap(bench: Bench) -> None:
    """Behind a bad length the next whole frame is found wherever it stands, window borders of the search included."""
    bench.create()
    noise = random.Random(7).randbytes(20_000)
    for gap in (12, 13, 4083, 4084, 4085, 4086, 4087, 4095, 4096, 4097, 12_275, 12_276, 20_000):
        raw = RAW + b"\xff" * 12 + noise[:gap] + frame(b"behind")
        frames = list(bench.reopen(raw).scan())
        assert good(frames) == [*THREE, b"behind"], gap
        assert [frame.fault for frame in frames] == [None, None, None, "CC-FRAME-LENGTH", None]


def test_search_passes_false_frames(bench: Bench) -> None:
    """In the search a frame counts only when both checksums fit and it ends before the store does."""
    bench.create()
    false = frame(b"not what it says")[:-1] + b"?"
    too_long = frame(b"A" * 5000)[:100]
    raw = RAW + b"\xff" * 12 + false + too_long + frame(b"behind")
    frames = list(bench.reopen(raw).scan())
    assert good(frames) == [*THREE, b"behind"]
    assert frames[3].end == len(raw) - len(frame(b"behind"))


def test_any_bytes_can_be_scanned(bench: Bench) -> None:
    """A scan of random damage never raises, leaves no gaps, and yields only entries that fit their checksums."""
    bench.create()
    chance = random.Random(11)
    for _ in range(300):
        raw = bytearray(HEAD + b"".join(frame(chance.randbytes(chance.randint(1, 60))) for _ in range(8)))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(16, len(raw))
            damage = chance.choice([b"", bytes(20), chance.randbytes(chance.randint(1, 20))])
            raw[at : at + chance.randint(0, 20)] = damage
        store = bench.reopen(bytes(raw))
        frames = list(store.scan())
        check_no_gaps(store, frames)
        for found in frames:
            if found.fault is None:
                assert found.payload is not None
                assert bytes(raw[found.offset : found.end]) == frame(found.payload)


# ------------------------------------------------------------------------------------------- cutting


def test_cut_keeps_what_it_takes(bench: Bench) -> None:
    """A cut takes the end away, keeps it under the name that it returns, and appending goes on there."""
    bench.create()
    torn = RAW + frame(b"torn")[:-1]
    store = bench.reopen(torn)
    name = store.cut(END)
    assert name is not None and name.endswith(f".torn-{END}")
    assert bench.kept(name) == frame(b"torn")[:-1]
    assert store.size() == END and bench.raw() == RAW
    assert store.append([b"next"]) == [END]
    assert good(bench.reopen().scan()) == [*THREE, b"next"]


def test_each_cut_keeps_its_own_copy(bench: Bench) -> None:
    """Two cuts at one place keep two copies; the first is not replaced."""
    store = bench.create(THREE[0], b"one")
    first = store.cut(33)
    store.append([b"two"])
    second = store.cut(33)
    assert first is not None and second is not None and first != second
    assert (bench.kept(first), bench.kept(second)) == (frame(b"one"), frame(b"two"))


def test_cut_at_the_end_takes_nothing(bench: Bench) -> None:
    """With nothing to cut, nothing is kept."""
    store = bench.create(*THREE)
    assert store.cut(END) is None
    assert bench.raw() == RAW


@pytest.mark.parametrize("offset", [-1, 0, 15, END + 1])
def test_cut_outside_is_refused(bench: Bench, offset: int) -> None:
    """A place in the head or behind the end is our caller's mistake, and nothing is cut."""
    store = bench.create(*THREE)
    with pytest.raises(ValueError):
        store.cut(offset)
    assert bench.raw() == RAW


def test_errors_are_of_the_family(bench: Bench) -> None:
    """What is wrong with the bytes of a head is an error of our family that carries its facts."""
    bench.create()
    with pytest.raises(CharitychainError) as caught:
        bench.reopen(HEAD[:9] + b"\x03" + HEAD[10:])
    assert caught.value.facts["found"] == 3 and "version 3" in caught.value.message
