"""The ledger file: 16 bytes of head, then frames, append-only.

Rules upheld here:

- No byte of an entry is ever rewritten. An append is one write and one fsync, and returns only after both.
- A failed write is cut back; a failed fsync poisons the handle for good, since a second fsync would report success
  for pages that were thrown away. Reopen, and write again.
- One writer: `flock` on the ledger's own file decides, so that two names of one file are one lock. The text in
  ``NAME.lock`` only says who holds it.
- Reading uses `pread`, never a memory map: a file cut short under a reader is an answer, not a crash.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from charitychain.durable import create_file as create_durably
from charitychain.durable import sync_directory
from charitychain.errors import LockedError, RefusedError, StorageError, UnreadableError
from charitychain.store.frames import encode_frame, read_frame, scan_frames
from charitychain.store.protocol import Frame

__all__ = ["FORMAT_VERSION", "HEAD_SIZE", "MAGIC", "FileStore", "create_file", "open_file"]

MAGIC = b"\x89CCLDGR\n"
FORMAT_VERSION = 1
_HEAD = struct.Struct(">8sH6s")
HEAD_SIZE = _HEAD.size


def create_file(path: Path, entries: Sequence[bytes]) -> FileStore:
    """Create a ledger file with its first entries, whole or not at all, and open it for writing.

    Raises:
        RefusedError: ``CC-EXISTS``: there is a file of that name; it stays untouched.
        StorageError: ``CC-STORAGE``: the system could not write it.
    """
    data = _HEAD.pack(MAGIC, FORMAT_VERSION, bytes(6)) + b"".join(map(encode_frame, entries))
    try:
        create_durably(path, data, 0o644)
    except FileExistsError as error:
        raise RefusedError("CC-EXISTS", f"{path} exists already; choose another name", path=str(path)) from error
    except OSError as error:
        raise StorageError("CC-STORAGE", f"{path} cannot be written: {error.strerror}", path=str(path)) from error
    return open_file(path, write=True)


def open_file(path: Path, *, write: bool = False) -> FileStore:
    """Open a ledger file.

    Raises:
        UnreadableError: ``CC-UNREADABLE``, ``CC-NOT-A-LEDGER`` or ``CC-VERSION``.
        LockedError: ``CC-LOCKED``: another writer holds it.
        StorageError: ``CC-NO-LOCKS``: this file system has no locks, so one writer cannot be guaranteed.
    """
    try:
        descriptor = os.open(path, (os.O_RDWR | os.O_APPEND if write else os.O_RDONLY) | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be opened: {error.strerror}", path=str(path)) from error
    try:
        try:
            head = os.pread(descriptor, HEAD_SIZE, 0)
        except OSError as error:
            raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}", path=str(path)) from error
        if head[:8] != MAGIC[: len(head[:8])] or len(head) < HEAD_SIZE:
            raise UnreadableError("CC-NOT-A-LEDGER", f"{path} is no charitychain ledger", path=str(path))
        _, version, reserved = _HEAD.unpack(head)
        if version != FORMAT_VERSION or reserved != bytes(6):
            raise UnreadableError(
                "CC-VERSION", f"{path} has format version {version}; this release knows {FORMAT_VERSION}", path=str(path)
            )
        if write:
            _lock(descriptor, path)
        return FileStore(path, descriptor, write)
    except BaseException:
        os.close(descriptor)
        raise


def _lock(descriptor: int, path: Path) -> None:
    note = path.with_name(path.name + ".lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = "another process"
        with suppress(OSError):
            holder = note.read_text("utf-8", "replace").strip()[:200] or holder
        raise LockedError("CC-LOCKED", f"{path} is being written by {holder}", path=str(path), holder=holder) from error
    except OSError as error:
        raise StorageError(
            "CC-NO-LOCKS", f"the file system of {path} has no locks ({error.strerror}); keep the ledger on a local disk"
        ) from error
    command = Path(sys.argv[0]).name or "python"
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with suppress(OSError):  # information only: a lock without its note is a lock all the same
        note.write_text(f"process {os.getpid()} on {socket.gethostname()} ({command}) since {since}\n", "utf-8")


class FileStore:
    """An open ledger file; implements `charitychain.store.protocol.Store`. Made by `open_file` and `create_file`."""

    def __init__(self, path: Path, descriptor: int, write: bool) -> None:
        self.path, self._descriptor, self._write, self._pid = path, descriptor, write, os.getpid()
        self._poisoned: str | None = None
        found = os.fstat(descriptor)
        self._inode = (found.st_dev, found.st_ino)
        self.durable_size = found.st_size

    @property
    def name(self) -> str:
        return str(self.path)

    # ------------------------------------------------------------------------------------------- reading

    def start(self) -> int:
        return HEAD_SIZE

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _read_at(self, offset: int, count: int) -> bytes:
        parts = []
        try:
            while count and (part := os.pread(self._descriptor, count, offset)):
                parts.append(part)
                offset, count = offset + len(part), count - len(part)
        except OSError as error:
            raise StorageError(
                "CC-STORAGE", f"{self.path}: byte {offset} cannot be read: {error.strerror}", offset=offset
            ) from error
        return b"".join(parts)

    def scan(self, offset: int | None = None) -> Iterator[Frame]:
        return scan_frames(self._read_at, HEAD_SIZE if offset is None else offset, self.size())

    def read(self, offset: int) -> Frame:
        return read_frame(self._read_at, offset, self.size())

    # ------------------------------------------------------------------------------------------- writing

    def append(self, entries: Sequence[bytes]) -> list[int]:
        """Append entries durably, all or none, and return their offsets.

        Raises:
            StorageError: nothing counts as written; after ``CC-POISONED`` open the file anew.
        """
        self._check_handle()
        frames = [encode_frame(entry) for entry in entries]
        offsets, at = [], self.durable_size
        for frame in frames:
            offsets.append(at)
            at += len(frame)
        data = b"".join(frames)
        try:
            self._write_all(data)
        except BaseException as error:  # an interrupt too must not leave half a frame behind that we know of
            self._cut_back()
            if isinstance(error, OSError):
                raise StorageError("CC-STORAGE", f"{self.path} cannot be written: {error.strerror}") from error
            raise
        self._sync()
        if self._read_at(self.durable_size, len(data)) != data:
            self._poisoned = "what was read back is not what was written"
            raise StorageError("CC-POISONED", f"{self.path}: {self._poisoned}; check this disk")
        self.durable_size = at
        return offsets

    def _check_handle(self) -> None:
        if not self._write:
            raise ValueError("this store was opened for reading")
        if os.getpid() != self._pid:
            raise StorageError("CC-FORKED", f"{self.path} was opened by another process; a child opens its own")
        if self._poisoned is not None:
            raise StorageError("CC-POISONED", f"{self.path}: {self._poisoned}; open it anew", path=str(self.path))
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise StorageError("CC-REPLACED", f"{self.path} is gone: {error.strerror}", path=str(self.path)) from error
        if (found.st_dev, found.st_ino) != self._inode or found.st_size != self.durable_size:
            raise StorageError(
                "CC-REPLACED", f"{self.path} was replaced or changed by another program; open it anew", path=str(self.path)
            )

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.durable_size)
        except OSError as error:
            self._poisoned = f"a failed write could not be cut back ({error.strerror})"

    def _sync(self) -> None:
        try:
            os.fsync(self._descriptor)
        except BaseException as error:
            # Never retried: the pages are marked clean now, and a second fsync would lie.
            self._poisoned = "the disk failed to store the last block, which may or may not be there"
            if isinstance(error, OSError):
                raise StorageError("CC-POISONED", f"{self.path}: {self._poisoned} ({error.strerror}); open it anew") from error
            raise

    def cut(self, offset: int) -> str | None:
        """Cut off everything from `offset` on, keeping it in ``NAME.torn-OFFSET``; return that name.

        Raises:
            StorageError: the bytes could not be kept; nothing was cut.
        """
        self._check_handle()
        tail = self._read_at(offset, self.size() - offset)
        kept = self._keep(offset, tail)
        try:
            os.ftruncate(self._descriptor, offset)
        except OSError as error:
            raise StorageError("CC-STORAGE", f"{self.path} cannot be cut: {error.strerror}") from error
        self._sync()
        self.durable_size = offset
        return str(kept)

    def _keep(self, offset: int, tail: bytes) -> Path:
        for number in range(1, 1000):
            end = "" if number == 1 else f".{number}"
            kept = self.path.with_name(f"{self.path.name}.torn-{offset}{end}")
            try:
                create_durably(kept, tail, 0o644)
                return kept
            except FileExistsError:
                continue
            except OSError as error:
                raise StorageError("CC-STORAGE", f"{kept} cannot be written: {error.strerror}; nothing was cut") from error
        raise StorageError("CC-STORAGE", f"{self.path} has too many kept tails beside it; move them away")

    def close(self) -> None:
        """Close the file and let go of its lock; may be called twice."""
        if self._descriptor >= 0:
            if self._write and os.getpid() == self._pid:
                with suppress(OSError):
                    sync_directory(self.path.parent)
                with suppress(OSError):
                    os.unlink(self.path.with_name(self.path.name + ".lock"))
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1
