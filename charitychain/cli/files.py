"""Files that commands write, whole or not at all, and never over one that nobody named; and notes that they read.

What stands there already is told with ``CC-EXISTS``; what the disk refuses, with ``CC-STORAGE``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from charitychain.durable import create_file, sync_directory
from charitychain.errors import RefusedError, StorageError, UnreadableError

__all__ = ["check_new", "new_file", "read_note", "write_new"]

_PRIVATE = 0o600


def read_note(path: Path) -> bytes:
    """Return the bytes of a signed note, and of a longer file as many as show that it is none.

    Raises:
        UnreadableError: ``CC-UNREADABLE``.
    """
    from charitychain.note import MAX_NOTE_BYTES

    try:
        with path.open("rb") as stream:
            return stream.read(MAX_NOTE_BYTES + 1)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}") from error


def check_new(path: str, hint: str = "choose another name") -> None:
    """Check that nothing stands under a name yet.

    Raises:
        RefusedError: ``CC-EXISTS``.
    """
    if os.path.lexists(path):
        raise _exists(path, hint)


def write_new(path: str, data: bytes, *, mode: int = _PRIVATE, hint: str = "choose another name") -> None:
    """Write a new file, which `path` names from the moment on in which it is whole.

    Raises:
        RefusedError: ``CC-EXISTS``, with the hint.
        StorageError: ``CC-STORAGE``.
    """
    try:
        create_file(Path(path), data, mode=mode)
    except FileExistsError as error:
        raise _exists(path, hint) from error
    except OSError as error:
        raise _unwritten(path, error) from error


@contextmanager
def new_file(path: str, *, mode: int = _PRIVATE, replace: bool = False) -> Iterator[IO[bytes]]:
    """Give a stream whose content stands under `path` once all went well, else nowhere; made in ``path.part``.

    Args:
        mode: Less what the umask takes away.
        replace: What stands under `path` gives way.

    Raises:
        RefusedError: ``CC-EXISTS``.
        StorageError: ``CC-STORAGE``.
    """
    part = f"{path}.part"
    if not replace:
        check_new(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise _exists(part, "another command is writing it, or was cut short; if none is, remove it") from error
    except OSError as error:
        raise _unwritten(part, error) from error
    try:
        with open(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        if not replace:
            check_new(path)
        os.replace(part, path)
        sync_directory(Path(path).parent)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)


def _exists(path: str, hint: str) -> RefusedError:
    return RefusedError("CC-EXISTS", f"{path} exists already; {hint}", path=path)


def _unwritten(path: str, error: OSError) -> StorageError:
    return StorageError("CC-STORAGE", f"{path} cannot be written: {error.strerror}", path=path)
