"""The vault's file: who may hold it, and what SQLite says about it in our words.

Rules upheld here:

- A vault that others may read or write, or that belongs to somebody else, is refused, as key files are; so is one with
  a journal of that kind beside it, out of which SQLite would take changes.
- A new file has mode 0600 whatever the umask, and SQLite gives the files beside it the mode of the vault.
- A symbolic link to a vault is followed, since people keep it on an encrypted disk; one that leads nowhere is refused,
  for what is made at its end would be somewhere that nobody looked at.

It leaves to others what stands in the file (`charitychain.vault`). The file is not encrypted.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from charitychain.durable import create_file, make_directory
from charitychain.errors import KeyAccessError, LockedError, RefusedError, StorageError, UnreadableError
from charitychain.keyring import slug

__all__ = ["check_file", "make_file", "told", "vault_path"]

_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite keeps beside a database (sqlite.org/tempfiles.html)


def check_file(path: Path) -> bool:
    """Tell whether there is a vault, and refuse one that others may read or write.

    Raises:
        KeyAccessError: ``CC-VAULT``: its mode gives others something, or it belongs to another user.
        RefusedError: ``CC-VAULT``: it is a link that leads nowhere.
        UnreadableError: ``CC-VAULT``: it cannot be looked at, or is no regular file.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise RefusedError(
                "CC-VAULT", f"the vault {path} is a link that leads nowhere; put back what it led to", path=str(path)
            ) from None
        return False
    except OSError as error:
        raise UnreadableError(
            "CC-VAULT", f"the vault {path} cannot be read: {error.strerror}", path=str(path)
        ) from error
    _check_own(path, found)
    real = path.resolve()  # SQLite follows links, and keeps its journal beside the file itself
    for ending in _BESIDE:
        beside = real.with_name(real.name + ending)
        with suppress(FileNotFoundError):
            _check_own(beside, os.lstat(beside))
    return True


def make_file(path: Path) -> None:
    """Make an empty vault of mode 0600, and the folder it is in.

    Raises:
        StorageError: ``CC-VAULT``: it could not be made. Others as `check_file` raises them.
    """
    try:
        make_directory(path.parent)
        with suppress(FileExistsError):  # somebody was faster
            create_file(path, b"")  # SQLite takes an empty file for a new database, and its mode for those beside it
    except OSError as error:
        raise StorageError(
            "CC-VAULT", f"the vault {path} could not be made: {error.strerror}", path=str(path)
        ) from error
    check_file(path)


def vault_path(origin: str, given: str | None, environ: Mapping[str, str], keys: Path) -> Path:
    """Return where the vault of a ledger is: `given`, else ``$CHARITYCHAIN_VAULT``, else in the folder of keys."""
    if chosen := given or environ.get("CHARITYCHAIN_VAULT"):
        return Path(chosen)
    return keys / f"{slug(origin)}.vault"


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into ours; no value of a statement stands in them."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LockedError(
                "CC-VAULT", f"another process is using the vault {path}; try again", path=str(path)
            ) from error
        raise StorageError("CC-VAULT", f"the vault {path} could not be used: {error}", path=str(path)) from error
    except sqlite3.Error as error:
        raise UnreadableError(
            "CC-VAULT", f"the vault {path} cannot be read: {error}; put back a good copy", path=str(path)
        ) from error


def _check_own(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableError("CC-VAULT", f"the vault {path} is not a regular file", path=str(path))
    if found.st_uid != os.geteuid():
        raise KeyAccessError(
            "CC-VAULT",
            f"the vault {path} belongs to another user (number {found.st_uid}), who can read it; use your own",
            path=str(path),
            expected=os.geteuid(),
            found=found.st_uid,
        )
    if found.st_mode & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise KeyAccessError(
            "CC-VAULT",
            f"the vault {path} has mode {mode}, so others may read or write it; if nobody has, run: chmod 600 {path}",
            path=str(path),
            expected="0600",
            found=mode,
        )
