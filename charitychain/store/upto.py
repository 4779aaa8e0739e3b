"""A store as it was when it ended at one of its frames: for questions about an earlier moment.

>>> from charitychain.store.memory import MemoryStore
>>> store = MemoryStore()
>>> first, second = store.append([b"one", b"two"])
>>> [frame.payload for frame in StoreUpto(store, second).scan()]
[b'one']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from charitychain.store.protocol import Frame, Store

__all__ = ["StoreUpto"]


class StoreUpto:
    """The frames of another store before the offset `end`, for reading only; closing it closes the other one.

    Implements `charitychain.store.protocol.Store`.
    """

    __slots__ = ("_end", "_store")

    def __init__(self, store: Store, end: int) -> None:
        self._store, self._end = store, end

    @property
    def name(self) -> str:
        return self._store.name

    @property
    def version(self) -> int:
        return self._store.version

    def start(self) -> int:
        """Return the offset of the first frame."""
        return self._store.start()

    def size(self) -> int:
        """Return where this view ends."""
        return self._end

    def scan(self, offset: int | None = None) -> Iterator[Frame]:
        """Yield the frames from `offset` on that stand before the end; see `charitychain.store.protocol.Store.scan`."""
        if offset is not None and offset >= self._end:
            return
        for frame in self._store.scan(offset):
            if frame.offset >= self._end:
                return
            yield frame

    def read(self, offset: int) -> Frame:
        """Return the frame at `offset`."""
        return self._store.read(offset)

    def append(self, entries: Sequence[bytes]) -> list[int]:
        """Refuse: the past is for reading only."""
        raise ValueError("an earlier moment of a store is for reading only")

    def cut(self, offset: int) -> str | None:
        """Refuse: the past is for reading only."""
        raise ValueError("an earlier moment of a store is for reading only")

    def close(self) -> None:
        """Close the other store."""
        self._store.close()
