"""The system calls of the ledger file, each with its one trap handled.

Rules upheld here:

- A descriptor is never one of the three standard ones, into which somebody may print.
- A write goes on until all is written, or raises.
- A file gets its name without replacing another.

It leaves order and recovery to `charitychain.store.file`.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from charitychain.durable import sync_directory
from charitychain.errors import StorageError

__all__ = ["PIECE", "compare", "failed", "give_name", "make_durable", "open_descriptor", "write_all"]

PIECE = 1 << 20
# What file systems without hard links answer to link().
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def open_descriptor(path: str, flags: int) -> int:
    """Open a file, never as standard input, output or error: what is printed must not land in a ledger."""
    # O_NONBLOCK: a named pipe must not make us wait. For files it means nothing.
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    if descriptor > 2:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however often the system takes only a part."""
    view = memoryview(data)
    while view:
        count = os.write(descriptor, view)
        if count == 0:
            raise OSError(errno.EIO, "the system wrote nothing")
        view = view[count:]


def compare(descriptor: int, offset: int, data: bytes) -> None:
    """Check that the file holds `data` at `offset`."""
    view = memoryview(data)
    at = 0
    while at < len(data):
        piece = os.pread(descriptor, min(PIECE, len(data) - at), offset + at)
        if not piece or piece != view[at : at + len(piece)]:
            raise OSError(errno.EIO, "what was read back is not what was written")
        at += len(piece)


def give_name(temporary: str, path: str) -> None:
    """Give a finished file its name, unless that is taken."""
    try:
        os.link(temporary, path)  # unlike rename(), fails when the name is taken
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without hard links (FAT, some FUSE mounts): take the name with an empty file, then replace that. A crash in
        # between leaves the empty file, which is no ledger and stands in nobody's way for long.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        try:
            os.replace(temporary, path)
        except OSError:
            os.unlink(path)
            raise


def make_durable(descriptor: int, path: str) -> None:
    """Sync what an earlier writer may have left in memory, the name in its folder included."""
    try:
        os.fsync(descriptor)
        with suppress(PermissionError):  # a folder that we may use but not list
            sync_directory(Path(os.path.realpath(path)).parent)
    except OSError as error:
        raise failed(path, "could not be made durable", error, "check the disk before anything is written") from error


def failed(path: str, what: str, error: OSError, advice: str = "check the disk") -> StorageError:
    """Return the error of the family for what the system said about `path`."""
    reason = error.strerror or str(error)
    return StorageError("CC-STORAGE", f"{path} {what}: {reason}; {advice}", path=path, errno=error.errno)
