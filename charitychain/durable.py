"""Small files that are there whole, or not at all, even after a power cut.

Key files, marks and remembered heads are written here. (Ledgers are not: they grow by appending, see
`charitychain.store`.)

Rules upheld here:

- The bytes are on the disk before the name is: write a temporary file, fsync it, give it its name, fsync the folder.
- `create_file` never replaces anything; `replace_file` leaves either the old or the new content.
- The mode is the one asked for, whatever the umask, from the first moment the file exists.

It leaves errors as the `OSError` they are: only the caller knows what the file meant.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     create_file(Path(folder) / "x", b"1")
...     replace_file(Path(folder) / "x", b"2")
...     (Path(folder) / "x").read_bytes()
b'2'
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["alone_in", "create_file", "make_directory", "replace_file", "sync_directory", "write_all"]

# What file systems without hard links (FAT, some network and FUSE mounts) answer to link().
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def create_file(path: Path, data: bytes, mode: int = 0o600, *, sync_name: bool = True) -> None:
    """Create `path` with `data`.

    Args:
        sync_name: Make the name durable too. Whoever makes many files in a folder may do that once, at their end, by
            `sync_directory`.

    Raises:
        FileExistsError: there is something of that name; it stays untouched.
        OSError: the system could not write it.
    """
    with _temporary(path, data, mode) as temporary:
        try:
            os.link(temporary, path)  # unlike rename(), fails when the name is taken
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _create_directly(path, data, mode)
    if sync_name:
        sync_directory(path.parent)


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Give `path` the content `data`, whether it existed or not.

    Raises:
        OSError: the system could not write it; the old content is still there.
    """
    with _temporary(path, data, mode) as temporary:
        os.replace(temporary, path)
    sync_directory(path.parent)


def make_directory(path: Path, mode: int = 0o700) -> None:
    """Make `path` and what is missing above it, open to nobody else; leave existing folders as they are."""
    if path.is_dir():
        return
    if path.parent != path:
        make_directory(path.parent, mode)
    with suppress(FileExistsError):
        path.mkdir(mode)
        sync_directory(path.parent)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


@contextmanager
def alone_in(folder: Path, mode: int = 0o700) -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be: whoever else asks for it waits."""
    make_directory(folder, mode)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make the names in the folder `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no fsync for folders and say so; there is nothing more that we could do.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however often the system takes only a part."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _temporary(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        _create_directly(temporary, data, mode)
        yield temporary
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _create_directly(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)  # a strict umask may have taken bits away
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
