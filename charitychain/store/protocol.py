"""What a store is: an append-only sequence of entries, each in a frame that shows damage.

Rules that every store upholds:

- What `Store.append` returned is durable; before it returns, nothing of it is acknowledged. An append that raises has
  recorded nothing that anyone may rely on.
- No byte of an entry is ever rewritten. Only `Store.cut` takes bytes away, from the end, and keeps them beside.
- Damage is told in the frames, never raised, and one bad frame hides no other.
- Frames stand without gaps: each begins where the one before it ended.
- Readers need no lock and see whole entries; what a writer is still writing shows as a torn end.

What an entry means, and whether a bad end may be cut, is for the caller to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Frame", "Store"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it was read.

    Attributes:
        offset: Where its head stands, in bytes from the start of the store.
        length: Bytes of payload: as declared, or as many as there are before `end` where that cannot be read.
        payload: The entry; as read where only its checksum is wrong; None where it cannot be read.
        fault: None, or what is wrong: ``CC-FRAME-LENGTH`` (the checksum of the length; where the frame ends was
            searched for), ``CC-FRAME`` (the checksum of the payload), ``CC-TORN`` (the store ends inside this frame).
        end: Where the next frame stands.
    """

    offset: int
    length: int
    payload: bytes | None
    fault: str | None
    end: int


class Store(Protocol):
    """An append-only sequence of entries. One thread at a time writes; any number may read."""

    @property
    def name(self) -> str:
        """What messages call this store, such as its path."""
        ...

    @property
    def version(self) -> int:
        """The format version that the store's head names; the genesis record must name the same."""
        ...

    def start(self) -> int:
        """Return the offset of the first frame."""
        ...

    def size(self) -> int:
        """Return where the readable bytes end; for a store open for writing, what is durable."""
        ...

    def scan(self, offset: int | None = None) -> Iterator[Frame]:
        """Yield the frames from `offset` (the first frame, when None) to the end, in order, whatever their state.

        After a length that cannot be read the search goes on, byte by byte, for the next place where a whole frame
        stands; the gap is one faulty frame. Memory is bounded by one frame, time by the size.

        Raises:
            StorageError: ``CC-STORAGE``: the store itself is out of reach; damaged bytes never raise.
        """
        ...

    def read(self, offset: int) -> Frame:
        """Return the frame at `offset`, just as `scan` does; where nothing is left, an empty one that is torn.

        Raises:
            StorageError: ``CC-STORAGE``, as `scan`.
        """
        ...

    def append(self, entries: Sequence[bytes]) -> list[int]:
        """Append entries, durably and in order, and return their offsets.

        Args:
            entries: 1 byte to 256 MiB each.

        Raises:
            ValueError: An entry is empty or too large, or the store is open for reading only.
            StorageError: ``CC-STORAGE``, ``CC-REPLACED``, ``CC-POISONED`` or ``CC-FORKED``: nothing was acknowledged.
        """
        ...

    def cut(self, offset: int) -> str | None:
        """Cut off everything from `offset` on, durably, keeping it beside.

        Returns:
            The name of what was kept; None when there was nothing to cut.

        Raises:
            ValueError: `offset` lies outside the store, or the store is open for reading only.
            StorageError: as for `append`; the bytes are still in their place or kept beside.
        """
        ...

    def close(self) -> None:
        """Let go of everything; may be called twice."""
        ...
