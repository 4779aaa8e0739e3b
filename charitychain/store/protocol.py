"""What a store is: an append-only sequence of entries, each in a frame that shows damage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Frame", "Store"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it was read.

    Attributes:
        offset: Where its head stands, in bytes.
        length: Bytes of payload that it declares; 0 where that cannot be read.
        payload: The entry, also where its checksum is wrong; nothing where it cannot be read.
        fault: Nothing, ``CC-FRAME-LENGTH`` (the length's checksum), ``CC-FRAME`` (the entry's checksum) or ``CC-TORN``
            (the file ends inside this frame).
        end: Where the next frame stands.
    """

    offset: int
    length: int
    payload: bytes | None
    fault: str | None
    end: int


class Store(Protocol):
    """An append-only sequence of entries.

    A store opened for reading needs no lock and sees a prefix; one opened for writing is alone.
    """

    @property
    def name(self) -> str:
        """A name for messages."""
        ...

    def start(self) -> int:
        """Return the offset of the first frame."""
        ...

    def size(self) -> int:
        """Return where the readable bytes end."""
        ...

    def scan(self, offset: int | None = None) -> Iterator[Frame]:
        """Yield frames in order, from the first or from `offset`; damage is told in the frame, never raised."""
        ...

    def read(self, offset: int) -> Frame:
        """Return the frame at `offset`."""
        ...

    def append(self, entries: Sequence[bytes]) -> list[int]:
        """Append entries durably, all or none, and return their offsets."""
        ...

    def cut(self, offset: int) -> str | None:
        """Cut off everything from `offset` on, keeping it beside; return the name of what was kept."""
        ...

    def close(self) -> None: ...
