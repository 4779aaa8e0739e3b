"""The ledger file: append-only, durable before it is acknowledged, one writer, any number of readers.

Rules upheld here:

- An append is one write and one fsync, then the bytes are read back and compared; only after that its offsets return.
- An append that fails or is interrupted is cut back to the durable size, and its handle refuses all further writing.
  Above all a failed fsync is never repeated: the system has marked those pages clean, and a second fsync would report
  success for bytes that are lost. Whoever opens the file anew begins with what is durable.
- Opening for writing begins with an fsync: a whole entry that a killed writer left is kept, and nothing may be built on
  it before it is durable.
- Before each append the path must still name this file, and its size must be the one we know.
- A forked child loses its parent's handle, and with it any hold on the lock (`charitychain.store.lock`).
- A new file appears under its name whole, with its first entries, or not at all.
- Reading is `pread` in bounded pieces, never a memory map: a file cut short under a reader is an answer, not a death.
  Pages that the disk cannot read count as zeros, so that their frame shows as damaged and the others can still be read.

Layout: `charitychain.store.frames`. A reader may see a whole entry in the instant before it is durable; whoever must
not act on it compares with the checkpoint that the operator published.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     with create_file(Path(folder) / "x.ledger", [b"first"]) as store:
...         offsets = store.append([b"second"])
...     with open_file(Path(folder) / "x.ledger") as store:
...         offsets, [frame.payload for frame in store.scan()]
([33], [b'first', b'second'])
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Self
from weakref import WeakSet

from charitychain.durable import sync_directory
from charitychain.errors import RefusedError, StorageError, UnreadableError
from charitychain.store import disk, lock
from charitychain.store.frames import FORMAT_VERSION, MAGIC, START, check_head, make_head, place, scan_frames
from charitychain.store.protocol import Frame

__all__ = ["FORMAT_VERSION", "MAGIC", "FileStore", "create_file", "open_file"]

_PAGE = 4096
_KEPT_MAX = 1000
# What a disk or file system answers for a page that it has lost.
_LOST = {errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)}


def create_file(path: str | os.PathLike[str], entries: Sequence[bytes], *, version: int = FORMAT_VERSION) -> FileStore:
    """Create a ledger file with its first entries, whole or not at all, and return it open for writing.

    Raises:
        ValueError: An entry is empty or too large.
        RefusedError: ``CC-EXISTS``: there is something of that name; it stays untouched.
        StorageError: ``CC-STORAGE``, ``CC-NO-LOCKS``: it could not be written or locked; there is no such file.
    """
    path = os.path.abspath(path)
    data = make_head(version) + place(entries, START)[0]
    temporary = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}.tmp")
    try:
        descriptor = disk.open_descriptor(temporary, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
    except OSError as error:
        raise disk.failed(path, "cannot be created", error) from error
    try:
        try:
            disk.write_all(descriptor, data)
            os.fsync(descriptor)
            disk.compare(descriptor, 0, data)
            lock.take(descriptor, path)  # before it has its name, so that nobody else can hold it first
            disk.give_name(temporary, path)
        finally:
            with suppress(OSError):
                os.unlink(temporary)
        try:
            sync_directory(Path(path).parent)
        except OSError:
            os.unlink(path)
            raise
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, FileExistsError):
            raise RefusedError("CC-EXISTS", f"{path} exists already; choose another name", path=path) from error
        if isinstance(error, OSError):
            raise disk.failed(path, "cannot be created", error) from error
        raise
    return FileStore(path, descriptor, version, write=True)


def open_file(path: str | os.PathLike[str], *, write: bool = False) -> FileStore:
    """Open a ledger file; for reading alone neither a lock nor a writable medium is needed.

    A torn end stays as it is: see `FileStore.cut`.

    Raises:
        UnreadableError: ``CC-UNREADABLE``, ``CC-NOT-A-LEDGER`` or ``CC-VERSION``.
        LockedError: ``CC-LOCKED``: another writer holds it; the message says who.
        StorageError: ``CC-NO-LOCKS``: this file system cannot lock; ``CC-STORAGE``: what is there could not be made
            durable; ``CC-REPLACED``: the file was replaced while we opened it.
    """
    path = os.path.abspath(path)
    try:
        descriptor = disk.open_descriptor(path, os.O_RDWR | os.O_APPEND if write else os.O_RDONLY)
    except OSError as error:
        purpose = "opened for writing" if write else "opened"
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be {purpose}: {error.strerror}", path=path) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableError("CC-NOT-A-LEDGER", f"{path} is no charitychain ledger: it is no file", path=path)
        try:
            head = os.pread(descriptor, START, 0)
        except OSError as error:
            raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}", path=path) from error
        version = check_head(head, path)
        if write:
            lock.take(descriptor, os.path.realpath(path))
            disk.make_durable(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    store = FileStore(path, descriptor, version, write=write)
    if write:
        try:
            store.check_unchanged()
        except BaseException:
            store.close()
            raise
    return store


class FileStore:
    """An open ledger file; implements `charitychain.store.protocol.Store`. Made by `create_file` and `open_file`.

    Attributes:
        path: Where it was opened, absolute.
        version: The format version that the file's head names.
    """

    __slots__ = (
        "__weakref__", "_descriptor", "_file_id", "_pid", "_poison", "_real_path", "_size", "_write", "path", "version",
    )  # fmt: skip

    def __init__(self, path: str, descriptor: int, version: int, *, write: bool) -> None:
        self.path, self.version = path, version
        self._real_path = os.path.realpath(path)  # what is kept beside stands beside the file, not beside a link to it
        self._descriptor = descriptor
        self._write = write
        self._pid = os.getpid()
        self._poison: str | None = None
        found = os.fstat(descriptor)
        self._file_id = (found.st_dev, found.st_ino)
        self._size = found.st_size
        if write:
            _open_writers.add(self)
            lock.leave_note(self._real_path)

    @property
    def name(self) -> str:
        """The path of the file."""
        return self.path

    # ------------------------------------------------------------------------------------------- reading

    def start(self) -> int:
        """Return the offset of the first frame."""
        return START

    def size(self) -> int:
        """Return the size of the file in bytes; of one open for writing, what is durable."""
        self._check_open()
        return self._size if self._write else os.fstat(self._descriptor).st_size

    def scan(self, offset: int | None = None) -> Iterator[Frame]:
        """Yield the frames from `offset` on; see `charitychain.store.protocol.Store.scan`."""
        self._check_open()
        return scan_frames(self._read_at, self.size, START if offset is None else offset)

    def read(self, offset: int) -> Frame:
        """Return the frame at `offset`; see `charitychain.store.protocol.Store.read`."""
        return next(self.scan(offset), Frame(offset, 0, None, "CC-TORN", offset))

    def _read_at(self, offset: int, count: int) -> bytes:
        self._check_open()
        try:
            return os.pread(self._descriptor, count, offset)
        except OSError as error:
            if error.errno not in _LOST:
                raise disk.failed(self.path, f"cannot be read at byte {offset}", error) from error
        return b"".join(self._salvage(offset, offset + count))

    def _salvage(self, offset: int, end: int) -> Iterator[bytes]:
        """Read page by page; one that the disk has lost counts as zeros, and its frame's checksum tells."""
        while offset < end:
            step = min(_PAGE - offset % _PAGE, end - offset)
            try:
                piece = os.pread(self._descriptor, step, offset)
            except OSError as error:
                if error.errno not in _LOST:
                    raise disk.failed(self.path, f"cannot be read at byte {offset}", error) from error
                piece = bytes(step)
            if not piece:
                return
            yield piece
            offset += len(piece)

    # ------------------------------------------------------------------------------------------- writing

    def append(self, entries: Sequence[bytes]) -> list[int]:
        """Append entries with one write and one fsync, and return their offsets.

        After an exception out of the write itself the handle is spent: close it, and open the file anew.

        Raises:
            ValueError: an entry is empty or too large; or the store is closed, or open for reading only.
            StorageError: nothing was acknowledged. ``CC-STORAGE``: the system failed; ``CC-POISONED``: it did so
                before; ``CC-REPLACED``: the file is not the one that we know; ``CC-FORKED``: this is a child process.
        """
        data, offsets = place(entries, self._size)
        what = f"could not be written ({len(data)} bytes at byte {self._size})"
        with self._writing(what, "nothing of it counts as recorded"):
            if data:
                disk.write_all(self._descriptor, data)
                os.fsync(self._descriptor)
                disk.compare(self._descriptor, self._size, data)
                self._size += len(data)
        return offsets

    def cut(self, offset: int) -> str | None:
        """Cut off everything from `offset` on, keeping it in ``LEDGER.torn-OFFSET``, and return that path.

        Raises:
            ValueError: `offset` lies outside the file; or the store is closed, or open for reading only.
            StorageError: as for `append`. When the bytes could not be kept, nothing was cut and the handle stays good.
        """
        self._check_writable()
        if not START <= offset <= self._size:
            raise ValueError(f"{self.path} can be cut from {START} to {self._size}, not at {offset}")
        if offset == self._size:
            return None
        kept = self._keep(offset)
        with self._writing(f"could not be cut at byte {offset}", f"what stands there is kept in {kept}"):
            os.ftruncate(self._descriptor, offset)
            self._size = offset
            os.fsync(self._descriptor)
        return kept

    @contextmanager
    def _writing(self, what: str, outcome: str) -> Iterator[None]:
        """Run a change of the file; whatever leaves early, an interrupt too, poisons the handle."""
        self._check_writable()
        self._poison = "an earlier change was interrupted"
        try:
            yield
        except BaseException as error:
            # Not durable, so not ours: cut it away, or pages that the disk never took would be read as recorded.
            # Where this fails too, the next writer finds a torn end, or a whole entry and makes it durable.
            with suppress(OSError):
                if os.fstat(self._descriptor).st_size > self._size:
                    os.ftruncate(self._descriptor, self._size)
            if not isinstance(error, OSError):
                raise
            self._poison = f"an earlier change failed ({error.strerror})"
            advice = f"{outcome}. Make room or check the disk, then open the ledger again"
            raise disk.failed(self.path, what, error, advice) from error
        self._poison = None

    def _check_writable(self) -> None:
        self._check_open()
        if not self._write:
            raise ValueError(f"{self.path} is open for reading only")
        if self._poison is not None:
            raise StorageError(
                "CC-POISONED",
                f"{self.path}: {self._poison}, so this handle writes no more; close it and open the ledger again",
                path=self.path,
            )
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Check that the path still names the file that is open, and that nobody else has changed its size.

        Raises:
            StorageError: ``CC-REPLACED``.
        """
        try:
            found = os.stat(self.path)
        except OSError as error:
            self._replaced(f"is gone ({error.strerror})")
        if (found.st_dev, found.st_ino) != self._file_id:
            self._replaced("now names another file than the one that was opened")
        if found.st_size != self._size:
            self._replaced(f"has {found.st_size} bytes, not the {self._size} that were recorded: another program wrote")

    def _replaced(self, what: str) -> NoReturn:
        raise StorageError(
            "CC-REPLACED",
            f"{self.path} {what}; nothing was written. Find out why, then open the ledger again",
            path=self.path,
        )

    def _keep(self, offset: int) -> str:
        """Copy everything from `offset` on to a new file beside, durably, and return its path."""
        base = kept = f"{self._real_path}.torn-{offset}"
        number = 1
        try:
            while True:
                try:
                    descriptor = disk.open_descriptor(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                    break
                except FileExistsError:
                    number += 1
                    if number > _KEPT_MAX:
                        raise
                    kept = f"{base}-{number}"
            try:
                for at in range(offset, self._size, disk.PIECE):
                    disk.write_all(descriptor, self._read_at(at, min(disk.PIECE, self._size - at)))
                os.fsync(descriptor)
            except BaseException:
                with suppress(OSError):
                    os.unlink(kept)
                raise
            finally:
                os.close(descriptor)
            sync_directory(Path(kept).parent)
        except OSError as error:
            advice = "nothing was cut; make room, then try again"
            raise disk.failed(kept, "could not be written", error, advice) from error
        return kept

    # ------------------------------------------------------------------------------------------- closing

    def close(self) -> None:
        """Close the file and let go of its lock; may be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        _open_writers.discard(self)
        if self._write and self._pid == os.getpid():
            lock.release(descriptor, self._real_path)
        os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._write and self._pid != os.getpid():
            raise StorageError(
                "CC-FORKED",
                f"{self.path} was opened for writing by the parent process; a child opens its own",
                path=self.path,
            )
        if self._descriptor < 0:
            raise ValueError(f"the store {self.path} is closed")


# A child that kept the descriptor would keep the lock when its parent is long dead. Closing it, without unlocking,
# leaves the lock with the parent alone.
_open_writers: WeakSet[FileStore] = WeakSet()


def _drop_in_child() -> None:
    for store in list(_open_writers):
        with suppress(OSError):
            store.close()


os.register_at_fork(after_in_child=_drop_in_child)
