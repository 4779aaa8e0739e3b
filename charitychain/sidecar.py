"""The sidecar: the index beside a ledger, opened, brought forward, or made anew.

Rules upheld here:

- An index whose last block the ledger does not have is thrown away and made anew by replay.
- What is sealed rests on the index's answers, so a writer uses none that another user owns or could write.
- A reader that finds the index busy answers as of where the index is: a prefix of the ledger, and hardly a wait.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from charitychain.chain.blocks import peek_header
from charitychain.chain.genesis import Genesis
from charitychain.errors import (
    KeyAccessError,
    LockedError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreadableError,
    VerificationError,
)
from charitychain.index import Head, Index, IndexBusy, IndexDamaged
from charitychain.reading import read_block, statement_reader
from charitychain.replay import Replay, raise_fault
from charitychain.store.protocol import Store

__all__ = ["Scratch", "Sidecar", "is_index_fault"]

_READER_WAITS, _WRITER_WAITS = 0.1, 120
"""Seconds to wait for another process that is writing the index."""


class Sidecar:
    """The index of one ledger at `path`; what it noticed goes onto `notices`."""

    def __init__(self, path: Path, genesis: Genesis, notices: list[str]) -> None:
        self.path, self._genesis, self._notices = path, genesis, notices
        self.progress: Callable[[int, int], None] | None = None

    def current(self, store: Store) -> tuple[Index, Head]:
        """Open the index for reading, brought up to the ledger's head."""
        try:
            index = self.open(store)
        except IndexBusy:
            index = Index("", statement_reader(store), scratch=True)
        try:
            try:
                self.bring_forward(index, store)
            except IndexBusy:
                if index.head() is None:  # somebody is making it: this answer gets one of its own
                    index.close()
                    index = Index("", statement_reader(store), scratch=True)
                    self.bring_forward(index, store)
            # A writer may commit between two look-ups; a snapshot keeps them of one moment.
            head = index.snapshot()
            if head is None:
                raise IndexDamaged("it is empty")
            return index, head
        except BaseException:
            index.close()
            raise

    def open(self, store: Store, *, to_write: bool = False, patient: bool = False) -> Index:
        """Open the index, or make an empty one where it cannot be used.

        Args:
            to_write: What is built on its answers is signed or sealed.
            patient: Wait for another process that writes it.
        """
        fetch = statement_reader(store)
        if not to_write or self._is_own():
            try:
                index = Index(self.path, fetch, wait=_WRITER_WAITS if patient else _READER_WAITS)
                if self._fits(index, store):
                    return index
                index.close()
            except IndexBusy:
                raise  # it is sound, and somebody else's for the moment
            except IndexDamaged:
                pass
        try:
            self.remove()
            return Index(self.path, fetch)
        except (IndexDamaged, StorageError):  # nowhere to write: a read-only medium, for example
            return Index("", fetch, scratch=True)

    def _is_own(self) -> bool:
        """Say whether the file is this user's own and writable by nobody else, as key files must be."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return found.st_uid == os.geteuid() and not found.st_mode & 0o022

    def _fits(self, index: Index, store: Store) -> bool:
        """Say whether the ledger still has the block that the index ends at; a damaged one is met when it is read."""
        head = index.head()
        if head is None:
            return True
        frame = store.read(index.block_offset(head.height)) if head.end <= store.size() else None
        if frame is None or frame.end != head.end:
            return False
        header = peek_header(frame.payload or b"")
        return frame.fault is not None or (header is not None and header.hash() == head.hash)

    def bring_forward(self, index: Index, store: Store, *, upto: int | None = None) -> Head:
        """Replay into the index what the ledger has beyond it, and return the block that it then ends at.

        Args:
            upto: Offset of a frame to stop at, though it stands in the ledger.

        Raises:
            VerificationError: what it has to replay is damaged or breaks a rule.
        """
        head = index.head()
        if head is not None and store.size() <= head.end:
            return head
        index.begin()
        try:
            head = index.head()  # again: another process may have brought it forward while this one waited
            if head is not None and store.size() <= head.end:
                index.rollback()
                return head
            replay = Replay(index, raise_fault)
            if head is not None:
                last = read_block(store, index.block_offset(head.height), head.height)
                replay = Replay.resume(index, self._genesis, last, head, raise_fault)
            for frame in store.scan(head.end if head is not None else None):
                if frame.offset == upto:
                    break
                if frame.fault == "CC-TORN":
                    self._notices.append(f"The file ends inside a block at byte {frame.offset}: a write was cut off.")
                    break
                replay.feed(frame)
                if self.progress is not None:
                    self.progress(frame.end, store.size())
        except BaseException:
            index.rollback()
            raise
        index.commit(replay.head)
        return replay.head

    def remove(self) -> None:
        """Delete the index; the next look-up makes it anew.

        Raises:
            StorageError: ``CC-INDEX``: it cannot be deleted.
        """
        for name in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm", "-journal"))):
            try:
                name.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError("CC-INDEX", f"the index {name} cannot be removed: {error.strerror}") from error


class Scratch(Sidecar):
    """An index that rests nowhere: made by replay for one ledger object, and gone with it."""

    def open(self, store: Store, *, to_write: bool = False, patient: bool = False) -> Index:
        return Index("", statement_reader(store), scratch=True)

    def remove(self) -> None:
        """There is nothing to delete."""


def is_index_fault(error: Exception) -> bool:
    """Say whether making the index anew may help: every error that is no answer, for a damaged index has many forms."""
    if isinstance(error, VerificationError):
        return error.code == "CC-INDEX"
    answers = (NotFoundError, UnreadableError, StorageError, RefusedError, KeyAccessError, LockedError, IndexBusy)
    return not isinstance(error, answers)
