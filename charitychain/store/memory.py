"""A store in memory: real frames in a bytearray, for tests and for ledgers that need not outlive a process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from charitychain.store.frames import encode_frame, read_frame, scan_frames
from charitychain.store.protocol import Frame

__all__ = ["MemoryStore"]


class MemoryStore:
    """An append-only store in memory; implements `charitychain.store.protocol.Store`."""

    name = "memory"

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def _read_at(self, offset: int, count: int) -> bytes:
        return bytes(self.data[offset : offset + count])

    def start(self) -> int:
        return 0

    def size(self) -> int:
        return len(self.data)

    def scan(self, offset: int | None = None) -> Iterator[Frame]:
        return scan_frames(self._read_at, offset or 0, self.size())

    def read(self, offset: int) -> Frame:
        return read_frame(self._read_at, offset, self.size())

    def append(self, entries: Sequence[bytes]) -> list[int]:
        frames = [encode_frame(entry) for entry in entries]
        offsets, at = [], self.size()
        for frame in frames:
            offsets.append(at)
            at += len(frame)
        self.data += b"".join(frames)
        return offsets

    def cut(self, offset: int) -> str | None:
        del self.data[offset:]
        return None

    def close(self) -> None:
        pass
