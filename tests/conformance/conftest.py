"""The stores under test, each behind a bench: make one, show its bytes, open other bytes.

A new store joins by adding its bench to `BENCHES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from charitychain.store.file import create_file, open_file
from charitychain.store.memory import MemoryStore
from charitychain.store.protocol import Store


class Bench(Protocol):
    def create(self, *entries: bytes) -> Store:
        """Make a new store with these entries, open for writing."""

    def raw(self) -> bytes:
        """Return all bytes of the store that is on the bench."""

    def reopen(self, raw: bytes | None = None) -> Store:
        """Close the store and open it again for writing, with its bytes changed to `raw`."""

    def kept(self, name: str) -> bytes:
        """Return what `cut` kept under this name."""


class FileBench:
    """The ledger file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "t.ledger"
        self._store: Store | None = None

    def create(self, *entries: bytes) -> Store:
        self._store = create_file(self._path, entries)
        return self._store

    def raw(self) -> bytes:
        return self._path.read_bytes()

    def reopen(self, raw: bytes | None = None) -> Store:
        self.close()
        if raw is not None:
            self._path.write_bytes(raw)
        self._store = open_file(self._path, write=True)
        return self._store

    def kept(self, name: str) -> bytes:
        return Path(name).read_bytes()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


class MemoryBench:
    """The store in memory."""

    def __init__(self, folder: Path) -> None:
        self._store = MemoryStore()

    def create(self, *entries: bytes) -> Store:
        self._store.append(entries)
        return self._store

    def raw(self) -> bytes:
        return bytes(self._store.data)

    def reopen(self, raw: bytes | None = None) -> Store:
        data = self.raw() if raw is None else raw
        self._store.close()
        self._store = MemoryStore(data)
        return self._store

    def kept(self, name: str) -> bytes:
        return self._store.kept[name]

    def close(self) -> None:
        self._store.close()


BENCHES: dict[str, Callable[[Path], FileBench | MemoryBench]] = {"file": FileBench, "memory": MemoryBench}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Give the bench of each store in turn."""
    made = BENCHES[request.param](tmp_path)
    yield made
    made.close()
