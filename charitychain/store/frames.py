"""The bytes of a store: a head, then frames; how damage shows, and how reading goes on behind it.

======  ====  ==========================================================================
offset  size  head of the store
======  ====  ==========================================================================
0       8     ``89 43 43 4c 44 47 52 0a``: not text, and spoilt by line-end conversion
8       2     format version, 1 or 2
10      6     zero
======  ====  ==========================================================================

======  ====  ==========================================================================
offset  size  frame
======  ====  ==========================================================================
0       4     length of the entry, 1 to 2²⁸
4       4     CRC-32 of the letters ``ccfr`` and the 4 bytes of the length
8       4     CRC-32 of the entry
12      n     entry
======  ====  ==========================================================================

Numbers are big-endian; CRC-32 is the one of zlib (ISO 3309, ITU-T V.42).

Rules upheld here:

- The length has a checksum of its own, so a damaged length is never mistaken for a torn end, nor for a request to
  allocate memory. Zeros are never a head: a file that grew without its data is not a sequence of empty entries.
- Torn means: the bytes end inside a frame's head, or before the end that its good head declares. Everything else that
  does not fit is damage.
- Damage is read twice before it is told, since a writer may just have cut a torn end and written anew.
- Reading never raises for bytes, and its time stays proportional to the size whoever made them: the search behind a
  bad length has a budget for false frames, and where that is spent the rest is one faulty frame.

Checksums find accidents. What finds intent are the hashes and signatures inside the entries.

>>> data = HEAD + encode_frame(b"one") + encode_frame(b"two")
>>> [frame.payload for frame in scan_frames(lambda at, count: data[at : at + count], lambda: len(data), START)]
[b'one', b'two']
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

from charitychain.errors import UnreadableError
from charitychain.store.protocol import Frame

__all__ = [
    "FORMAT_VERSION", "HEAD", "MAGIC", "MAX_ENTRY", "START",
    "VERSIONS", "check_head", "encode_frame", "make_head", "place", "scan_frames",
]  # fmt: skip

MAGIC = b"\x89CCLDGR\n"
FORMAT_VERSION = 2
VERSIONS = (1, 2)
START = 16
MAX_ENTRY = 1 << 28

_FRAME_HEAD = struct.Struct(">III")
_FRAME_HEAD_SIZE = _FRAME_HEAD.size
_SALT = zlib.crc32(b"ccfr")
_WINDOW_FIRST, _WINDOW_MAX = 1 << 12, 1 << 20
_BUDGET_FLOOR, _BUDGET_FACTOR = 1 << 26, 4

# Gives up to `count` bytes at `offset`; fewer only where they end.
ReadAt = Callable[[int, int], bytes]


def make_head(version: int = FORMAT_VERSION) -> bytes:
    """Return the first bytes of a store that holds a ledger of this format."""
    return MAGIC + struct.pack(">H6x", version)


HEAD = make_head()


def check_head(head: bytes, name: str) -> int:
    """Check the first bytes of a store, and return the format version that they name.

    The frames are the same in all versions; what they hold is not (`charitychain.chain.genesis`).

    Raises:
        UnreadableError: ``CC-NOT-A-LEDGER``: other bytes than a ledger's; ``CC-VERSION``: of a later version.
    """
    if len(head) < START or not head.startswith(MAGIC):
        raise UnreadableError(
            "CC-NOT-A-LEDGER",
            f"{name} is no charitychain ledger: it begins with {head[:8].hex(' ') or 'nothing'}, not {MAGIC.hex(' ')}",
            path=name,
        )
    version = int.from_bytes(head[8:10], "big")
    if version not in VERSIONS or any(head[10:START]):
        raise UnreadableError(
            "CC-VERSION",
            f"{name} has format version {version} (reserved bytes {head[10:START].hex()}), this release knows versions"
            f" {', '.join(map(str, VERSIONS))}; use a newer charitychain, or restore the file from a copy",
            path=name,
            expected=FORMAT_VERSION,
            found=version,
        )
    return version


def encode_frame(entry: bytes) -> bytes:
    """Return the frame of an entry.

    Raises:
        ValueError: The entry is empty or has more than `MAX_ENTRY` bytes.
    """
    if not 0 < len(entry) <= MAX_ENTRY:
        raise ValueError(f"an entry has 1 to {MAX_ENTRY} bytes, not {len(entry)}")
    length = struct.pack(">I", len(entry))
    return b"".join((_FRAME_HEAD.pack(len(entry), zlib.crc32(length, _SALT), zlib.crc32(entry)), entry))


def place(entries: Sequence[bytes], offset: int) -> tuple[bytes, list[int]]:
    """Return the frames of `entries` as one run of bytes that begins at `offset`, and where each of them stands."""
    frames = [encode_frame(entry) for entry in entries]
    offsets = []
    for frame in frames:
        offsets.append(offset)
        offset += len(frame)
    return b"".join(frames), offsets


def scan_frames(read_at: ReadAt, size_of: Callable[[], int], offset: int) -> Iterator[Frame]:
    """Yield the frames from `offset` on; see `charitychain.store.protocol.Store.scan`.

    Args:
        read_at: Gives up to so many bytes at an offset.
        size_of: Gives the size, which may grow and shrink while we read.
    """
    budget = _Budget()
    if offset < START:
        yield Frame(offset, 0, None, "CC-FRAME-LENGTH", START)
        offset = START
    while offset < (size := size_of()):
        frame = _frame_at(read_at, size, offset)
        if frame.fault is not None:
            size = size_of()
            frame = _frame_at(read_at, size, offset)
        if frame.fault == "CC-FRAME-LENGTH":
            budget.grow_to(_BUDGET_FLOOR + _BUDGET_FACTOR * size)
            end = _next_whole(read_at, size, offset + 1, budget)
            frame = Frame(offset, max(0, end - offset - _FRAME_HEAD_SIZE), None, frame.fault, end)
        yield frame
        if frame.fault == "CC-TORN":
            return
        offset = frame.end


class _Budget:
    """Bytes of false frames that one scan may still read."""

    __slots__ = ("limit", "spent")

    def __init__(self) -> None:
        self.limit = self.spent = 0

    def grow_to(self, limit: int) -> None:
        self.limit = max(self.limit, limit)

    def spend(self, count: int) -> bool:
        """Say whether so many bytes are left, and take them."""
        if self.spent + count > self.limit:
            return False
        self.spent += count
        return True


def _declared(head: bytes, at: int = 0) -> int | None:
    """Return the length that a frame head declares; None where it cannot be one."""
    length, check, _ = _FRAME_HEAD.unpack_from(head, at)
    fits = 0 < length <= MAX_ENTRY and zlib.crc32(head[at : at + 4], _SALT) == check
    return length if fits else None


def _frame_at(read_at: ReadAt, size: int, offset: int) -> Frame:
    """Read one frame; one with a bad length is given without a payload and with the end of its head."""
    head = _read_all(read_at, offset, min(_FRAME_HEAD_SIZE, size - offset))
    if len(head) < _FRAME_HEAD_SIZE:
        return Frame(offset, 0, None, "CC-TORN", offset + len(head))
    length = _declared(head)
    start = offset + _FRAME_HEAD_SIZE
    if length is None:
        return Frame(offset, 0, None, "CC-FRAME-LENGTH", start)
    if start + length > size:  # checked before anything is allocated
        return Frame(offset, length, None, "CC-TORN", size)
    payload = _read_all(read_at, start, length)
    if len(payload) < length:  # it became shorter just now
        return Frame(offset, length, None, "CC-TORN", start + len(payload))
    fault = None if zlib.crc32(payload) == _FRAME_HEAD.unpack(head)[2] else "CC-FRAME"
    return Frame(offset, length, payload, fault, start + length)


def _read_all(read_at: ReadAt, offset: int, count: int) -> bytes:
    data = read_at(offset, count)
    if len(data) in (0, count):
        return data
    parts = [data]
    while data and (count := count - len(data)):
        offset += len(data)
        data = read_at(offset, count)
        parts.append(data)
    return b"".join(parts)


def _next_whole(read_at: ReadAt, size: int, offset: int, budget: _Budget) -> int:
    """Return the first place from `offset` on where a frame stands whose two checksums fit; `size` if there is none."""
    # Bytes that can begin a head: the length is not longer than what is left, and eight zeros are never one. This
    # keeps the slow look at each place to a small part of all places, and passes quickly over zeros.
    top = min(MAX_ENTRY, size) >> 24
    pattern = re.compile(rb"(?=[\x00-\x%02x])(?!\x00{8})" % top)
    window_size = _WINDOW_FIRST
    while offset + _FRAME_HEAD_SIZE < size:
        window = _read_all(read_at, offset, min(window_size, size - offset))
        last = len(window) - _FRAME_HEAD_SIZE
        for found in pattern.finditer(window):
            at = found.start()
            if at > last:
                break
            length = _declared(window, at)
            if length is None or offset + at + _FRAME_HEAD_SIZE + length > size:
                continue
            if _frame_at(read_at, size, offset + at).fault is None:
                return offset + at
            if not budget.spend(length):
                return size
        if last < 0:
            break
        offset += last + 1
        window_size = min(2 * window_size, _WINDOW_MAX)
    return size
