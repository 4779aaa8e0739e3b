"""One writer for one ledger file.

Rules upheld here:

- The system decides, by `flock` on the ledger's own file. So all names of one file (symbolic and hard links) are one
  lock, and it ends with its process, however that died. POSIX record locks are not used: closing any other descriptor
  of the file would silently drop them.
- ``LEDGER.lock`` says who holds it. That text is information for people and decides nothing; it may be missing, or
  old. It holds no arguments of the command, which may name donors.
- A file system that cannot lock is refused for writing rather than trusted.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import time
from contextlib import suppress

from charitychain.errors import LockedError, StorageError

__all__ = ["leave_note", "release", "take"]

_NOTE_MAX = 1024
_NOTE_LINE = re.compile(r"(pid|host|command|since): ([!-~]([ -~]{0,120}[!-~])?)")


def take(descriptor: int, path: str) -> None:
    """Take the lock of the open ledger at `path`, without waiting.

    Raises:
        LockedError: ``CC-LOCKED``: another writer holds it; the message says who, as far as known.
        StorageError: ``CC-NO-LOCKS``: the file system cannot lock.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _read_note(path)
        raise LockedError(
            "CC-LOCKED",
            f"{path} is being written by {_describe(holder)}; wait until it is done, then try again",
            path=path,
            **holder,
        ) from None
    except OSError as error:
        raise StorageError(
            "CC-NO-LOCKS",
            f"the file system of {path} cannot lock files ({error.strerror}), so a single writer cannot be guaranteed;"
            " keep the ledger on a local disk for writing",
            path=path,
        ) from error


def leave_note(path: str) -> None:
    """Say beside the ledger at `path` that this process holds its lock, where that can be written."""
    with suppress(OSError):  # a lock without its note is a lock all the same
        _write_note(path)


def release(descriptor: int, path: str) -> None:
    """Let go of the lock. Only its holder may call this, never a child forked from it."""
    with suppress(OSError):
        os.unlink(_note(path))  # before the lock goes: afterwards it could be another writer's note
    with suppress(OSError):
        # Said aloud, since a descriptor that a child inherited would keep the lock beyond our close().
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _note(path: str) -> str:
    return path + ".lock"


def _write_note(path: str) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = f"pid: {os.getpid()}\nhost: {os.uname().nodename}\ncommand: {_command()}\nsince: {since}\n"
    # Never through a symbolic link: whoever may write to this folder must not choose which file we empty.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(_note(path), flags, 0o644)
    try:
        os.write(descriptor, text.encode("ascii", "replace"))
    finally:
        os.close(descriptor)


def _command() -> str:
    """Return the name of the program, and for our own also the subcommand, such as ``import``."""
    program = sys.argv[0] if sys.argv else ""
    folder, name = os.path.split(program)
    if name == "__main__.py":
        name = os.path.basename(folder)
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    ours = name == "charitychain" and re.fullmatch(r"[a-z]{2,16}", word) is not None
    return f"{name} {word}" if ours else name or "python"


def _read_note(path: str) -> dict[str, str]:
    """Return what the note says, as far as it has the form that we write; never more than printable ASCII."""
    try:
        descriptor = os.open(_note(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, _NOTE_MAX).decode("ascii", "replace")
        finally:
            os.close(descriptor)
    except OSError:
        return {}
    return {match[1]: match[2] for match in map(_NOTE_LINE.fullmatch, text.split("\n")) if match is not None}


def _describe(holder: dict[str, str]) -> str:
    if "pid" not in holder:
        return "another process"
    words = f"process {holder['pid']}"
    if "host" in holder:
        words += f" on {holder['host']}"
    if "command" in holder:
        words += f" ({holder['command']})"
    if "since" in holder:
        words += f" since {holder['since']}"
    return words
