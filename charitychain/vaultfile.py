"""The vault's file: who may hold it, which ledger it belongs to, and what SQLite says about it in our words.

Rules upheld here:

- A vault that others may read or write, or that belongs to somebody else, is refused, as key files are; so is one with
  a journal of that kind beside it, out of which SQLite would take changes.
- A new file has mode 0600 whatever the umask, and SQLite gives the files beside it the mode of the vault.
- It belongs to one ledger, by its identity; for another one it is refused.
- What was written is on the disk when `VaultFile.writing` ends; where an error comes, nothing of it was.
- `VaultFile.rewrite` leaves no byte of what was deleted: pages are overwritten with zeros, then all is written anew.
- A symbolic link to a vault is followed, since people keep it on an encrypted disk; one that leads nowhere is refused,
  for what is made at its end would be somewhere that nobody looked at.

It leaves to others what stands in the file: donors (`charitychain.vault`) and private details (`charitychain.annex`).
The file is not encrypted.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from charitychain.durable import create_file, make_directory
from charitychain.errors import (
    CharitychainError,
    KeyAccessError,
    LockedError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreadableError,
)
from charitychain.keyring import slug

__all__ = ["VaultFile", "check_file", "make_file", "told", "vault_path"]

_APPLICATION = 0x63635632  # "ccV2", in the file's header, so that no other database is taken for a vault
_WAIT = 5.0  # seconds for another process that writes
_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite keeps beside a database (sqlite.org/tempfiles.html)
_TABLES = (
    "CREATE TABLE ledger (origin TEXT NOT NULL, identity BLOB NOT NULL)",
    "CREATE TABLE donors (name TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE given (donor TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (donor, label)) WITHOUT ROWID",
    "CREATE TABLE details (id TEXT NOT NULL, root BLOB NOT NULL, position INTEGER NOT NULL, name TEXT, value TEXT,"
    " salt BLOB, leaf BLOB NOT NULL, PRIMARY KEY (id, root, position)) WITHOUT ROWID",
)


class VaultFile:
    """An open file of names and details. Get one from `VaultFile.open`, and close it."""

    def __init__(self, path: Path, database: sqlite3.Connection, origin: str, identity: bytes) -> None:
        self.path, self._database, self.origin, self.identity = path, database, origin, identity

    @classmethod
    def open(cls, path: str | os.PathLike[str], origin: str, identity: bytes, *, create: bool = True) -> VaultFile:
        """Open the vault of a ledger, and make it where there is none.

        Args:
            identity: The ledger's identity, 32 bytes.
            create: False refuses where there is none.

        Raises:
            KeyAccessError: ``CC-VAULT``: others may read or write the file, or it belongs to another user.
            RefusedError: ``CC-VAULT``: it belongs to another ledger, or is a link that leads nowhere.
            NotFoundError: ``CC-VAULT``: there is none, and none is to be made.
            UnreadableError: ``CC-VAULT``: it cannot be read, or is no vault.
            LockedError: ``CC-VAULT``: another process is writing to it.
        """
        path = Path(path)
        if not check_file(path):
            if not create:
                raise NotFoundError("CC-VAULT", f"there is no vault {path}; name it with --vault", path=str(path))
            make_file(path)
        with told(path):
            database = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
        try:
            found = cls(path, database, origin, identity)
            with told(path):
                found._prepare()
            return found
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run one statement of SQL."""
        with told(self.path):
            return self._database.execute(sql, values)

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Return what a query finds, all of it read already."""
        with told(self.path):
            return iter(self._database.execute(sql, values).fetchall())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let what is run inside count together, or, where an error comes, not at all; others wait meanwhile."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(CharitychainError):
                if self._database.in_transaction:
                    self.run("ROLLBACK")
            raise

    def rewrite(self) -> None:
        """Write the whole file anew: zeroed pages may still hold something in their unused rest."""
        self.run("VACUUM")

    def _prepare(self) -> None:
        self.run(f"PRAGMA busy_timeout = {int(_WAIT * 1000)}")
        self.run("PRAGMA trusted_schema = OFF")
        self.run("PRAGMA secure_delete = ON")
        self.run("PRAGMA temp_store = MEMORY")  # VACUUM would else copy everything into a file elsewhere
        self.run("PRAGMA cache_size = -32768")  # KiB
        self.run("PRAGMA journal_mode = DELETE")
        self.run("PRAGMA synchronous = EXTRA")  # FULL, and the folder too: a commit cannot come undone
        with self.writing():
            (application,) = next(self.rows("PRAGMA application_id"))
            empty = not next(self.rows("SELECT count(*) FROM sqlite_master"))[0]
            if application == 0 and empty:
                for table in _TABLES:
                    self.run(table)
                self.run("INSERT INTO ledger VALUES (?, ?)", (self.origin, self.identity))
                self.run(f"PRAGMA application_id = {_APPLICATION}")
            elif application != _APPLICATION:
                raise UnreadableError("CC-VAULT", f"{self.path} is no vault of this release", path=str(self.path))
            rows = list(self.rows("SELECT origin, identity FROM ledger"))
        if len(rows) != 1 or rows[0][1] != self.identity:
            origin = rows[0][0] if rows else "?"
            raise RefusedError(
                "CC-VAULT",
                f"{self.path} belongs to another ledger, {origin!r}; name the right vault with --vault",
                path=str(self.path),
                expected=self.identity.hex(),
            )


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
