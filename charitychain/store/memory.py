"""A store in memory: real frames in a bytearray.

For tests, and for ledgers that need not outlive their process. It passes the same conformance tests as the ledger
file, byte for byte the same layout included, so what is shown with it holds for the file; only durability is missing.

>>> store = MemoryStore()
>>> store.append([b"one", b"two"])
[16, 31]
>>> store.read(31).payload
b'two'
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from charitychain.store.frames import HEAD, START, check_head, place, scan_frames
from charitychain.store.protocol import Frame

__all__ = ["MemoryStore"]


class MemoryStore:
    """An append-only store in memory; implements `charitychain.store.protocol.Store`.

    Args:
        data: The bytes of a ledger file; without them the store is empty.

    Attributes:
        data: The bytes as they stand; writing ``bytes(store.data)`` to a file gives a ledger file.
        kept: What `cut` took away, by the name that it returned.
        version: The format version that the head names.

    Raises:
        UnreadableError: `data` does not begin as a ledger.
    """

    __slots__ = ("_closed", "data", "kept", "name", "version")

    def __init__(self, data: bytes = HEAD, name: str = "memory") -> None:
        self.version = check_head(data[:START], name)
        self.name = name
        self.data = bytearray(data)
        self.kept: dict[str, bytes] = {}
        self._closed = False

    def start(self) -> int:
        """Return the offset of the first frame."""
        return START

    def size(self) -> int:
        """Return the number of bytes, the 16 of the head included."""
        return len(self.data)

    def scan(self, offset: int | None = None) -> Iterator[Frame]:
        """Yield the frames from `offset` on; see `charitychain.store.protocol.Store.scan`."""
        self._check_open()
        return scan_frames(self._read_at, self.size, START if offset is None else offset)

    def read(self, offset: int) -> Frame:
        """Return the frame at `offset`; see `charitychain.store.protocol.Store.read`."""
        return next(self.scan(offset), Frame(offset, 0, None, "CC-TORN", offset))

    def append(self, entries: Sequence[bytes]) -> list[int]:
        """Append entries, all or none, and return their offsets."""
        self._check_open()
        data, offsets = place(entries, self.size())
        self.data += data
        return offsets

    def cut(self, offset: int) -> str | None:
        """Move everything from `offset` on to `kept`, and return its name there."""
        self._check_open()
        if not START <= offset <= self.size():
            raise ValueError(f"{self.name} can be cut from {START} to {self.size()}, not at {offset}")
        if offset == self.size():
            return None
        name = f"{self.name}.torn-{offset}"
        number = 1
        while name in self.kept:
            number += 1
            name = f"{self.name}.torn-{offset}-{number}"
        self.kept[name] = bytes(self.data[offset:])
        del self.data[offset:]
        return name

    def close(self) -> None:
        """Refuse everything from now on; the bytes stay in `data`."""
        self._closed = True

    def _read_at(self, offset: int, count: int) -> bytes:
        return bytes(self.data[offset : offset + count])

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"the store {self.name} is closed")
