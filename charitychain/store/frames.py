"""Frames: how entries stand in a file, and how damage shows.

A frame is ``length (4) · checksum of the length (4) · checksum of the entry (4) · entry``, numbers big-endian,
checksums CRC-32 (as zlib). The length's checksum also covers the letters ``ccfr``, so that zeros are never a head.

*Torn* means that the file ends inside a frame: a write that was cut off. A frame of full length whose checksum is
wrong is damage, wherever it stands. The length has a checksum of its own so that the two are told apart.

Checksums find accidents; what finds intent are the hashes and signatures inside.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from charitychain.store.protocol import Frame

__all__ = ["HEAD_SIZE", "MAX_ENTRY", "encode_frame", "read_frame", "scan_frames"]

_HEAD = struct.Struct(">III")
HEAD_SIZE = _HEAD.size
MAX_ENTRY = 256 * 1024 * 1024
_SALT = b"ccfr"
_STEP = 1 << 16

ReadAt = Callable[[int, int], bytes]


def encode_frame(entry: bytes) -> bytes:
    """Return the frame of an entry."""
    if not 0 < len(entry) <= MAX_ENTRY:
        raise ValueError(f"an entry has 1 to {MAX_ENTRY} bytes, not {len(entry)}")
    length = struct.pack(">I", len(entry))
    return _HEAD.pack(len(entry), zlib.crc32(_SALT + length), zlib.crc32(entry)) + entry


def _length(head: bytes) -> int | None:
    """Return the length that a frame head declares, or nothing where its checksum does not fit."""
    length, check, _ = _HEAD.unpack_from(head)
    good = zlib.crc32(_SALT + head[:4]) == check and 0 < length <= MAX_ENTRY
    return length if good else None


def read_frame(read_at: ReadAt, offset: int, size: int) -> Frame:
    """Read the frame at `offset` of a store that ends at `size`; a bad length reaches to the end."""
    head = read_at(offset, HEAD_SIZE)
    if len(head) < HEAD_SIZE:
        return Frame(offset, 0, None, "CC-TORN", size)
    length = _length(head)
    if length is None:
        return Frame(offset, 0, None, "CC-FRAME-LENGTH", size)
    end = offset + HEAD_SIZE + length
    if end > size:
        return Frame(offset, length, None, "CC-TORN", size)
    entry = read_at(offset + HEAD_SIZE, length)
    if len(entry) < length:  # cut off under us
        return Frame(offset, length, None, "CC-TORN", size)
    good = zlib.crc32(entry) == struct.unpack_from(">I", head, 8)[0]
    return Frame(offset, length, entry, None if good else "CC-FRAME", end)


def scan_frames(read_at: ReadAt, offset: int, size: int) -> Iterator[Frame]:
    """Yield frames from `offset` on.

    Where a length cannot be read, the next whole frame is searched for byte by byte, and the gap is one faulty frame.
    A bad length with no whole frame behind it is damage too, not a torn write: a torn write is a prefix, and every
    head that is whole in a prefix is good.
    """
    while offset < size:
        frame = read_frame(read_at, offset, size)
        if frame.fault == "CC-FRAME-LENGTH":
            frame = _with_end(frame, _next_whole(read_at, offset + 1, size))
        yield frame
        offset = frame.end


def _with_end(frame: Frame, end: int) -> Frame:
    return Frame(frame.offset, frame.length, frame.payload, frame.fault, end)


def _next_whole(read_at: ReadAt, offset: int, size: int) -> int:
    """Return where the next frame stands whose two checksums fit, or `size`."""
    while offset + HEAD_SIZE <= size:
        window = read_at(offset, _STEP + HEAD_SIZE)
        for at in range(len(window) - HEAD_SIZE + 1):
            if _length(window[at : at + HEAD_SIZE]) is not None:
                frame = read_frame(read_at, offset + at, size)
                if frame.fault is None:
                    return offset + at
        offset += max(len(window) - HEAD_SIZE + 1, 1)
    return size
