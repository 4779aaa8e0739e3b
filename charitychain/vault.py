"""The vault: who is behind the pseudonyms of a ledger, and the private details of its records; one file, off it.

The ledger can never forget, so no name stands in it. Names, donor keys and private details are here, where they can be
erased; what is left in the ledger then leads to nobody.

Rules upheld here:

- The file has mode 0600 whatever the umask; one that others may read or write, or that is somebody else's, is refused
  (`charitychain.vaultfile`). It is not encrypted: whoever can read the owner's files can read it.
- A vault belongs to one ledger, by its identity; with another it refuses to work.
- What is noted is on the disk when a method returns, so that it can be noted before a block is sealed.
- What is erased is gone from the file and the files beside it: pages are overwritten with zeros, then all is rewritten.
  Of an erased detail its leaf hash stays, for the other details of the record need it.
- Names, values, keys and salts appear in no message and no log.

It leaves to others copies of the file: backups, snapshots, and cells that a flash disk no longer shows.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     with Vault.open(Path(folder) / "v", "relief.example/2026", bytes(32)) as vault:
...         vault.add_donor("Siti"), len(vault.pseudonym("Siti", "D-1")), vault.donors()
(True, 16, (('Siti', 1),))
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from charitychain import claims, private
from charitychain.codec import check_id, check_text
from charitychain.errors import CharitychainError, NotFoundError, RefusedError, UnreadableError
from charitychain.private import Detail, Disclosure
from charitychain.vaultfile import check_file, make_file, told, vault_path

__all__ = ["KeptDetail", "Vault", "check_donor_name", "vault_path"]

_APPLICATION = 0x63635631  # "ccV1", in the file's header, so that no other database is taken for a vault
_WAIT = 5.0  # seconds for another process that writes
_TABLES = (
    "CREATE TABLE ledger (origin TEXT NOT NULL, identity BLOB NOT NULL)",
    "CREATE TABLE donors (name TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE given (donor TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (donor, label)) WITHOUT ROWID",
    "CREATE TABLE details (id TEXT NOT NULL, position INTEGER NOT NULL, name TEXT, value TEXT, salt BLOB,"
    " leaf BLOB NOT NULL, PRIMARY KEY (id, position)) WITHOUT ROWID",
)


class KeptDetail(NamedTuple):
    """A place among the details of a record; `detail` is nothing where it was erased."""

    detail: Detail | None
    leaf: bytes


def check_donor_name(name: str) -> str:
    """Check that `name` may be a donor's, and return it.

    Raises:
        MalformedError: ``CC-TEXT``: it is too long, not in normal form C, or holds control characters.
        RefusedError: ``CC-VAULT``: it is empty, or begins or ends with white space, which would make two of one person.
    """
    if not check_text(name, what="the donor's name"):
        raise RefusedError("CC-VAULT", "the donor's name is empty; give one")
    if name != name.strip():
        raise RefusedError("CC-VAULT", "the donor's name begins or ends with white space; leave that out")
    return name


def _fold(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


class Vault:
    """An open vault; usable as a context manager, which closes it. Get one from `Vault.open`."""

    def __init__(self, path: Path, database: sqlite3.Connection, origin: str, identity: bytes) -> None:
        self.path, self._database, self.origin, self.identity = path, database, origin, identity

    @classmethod
    def open(cls, path: str | os.PathLike[str], origin: str, identity: bytes, *, create: bool = True) -> Vault:
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
            vault = cls(path, database, origin, identity)
            with told(path):
                vault._prepare()
            return vault
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------------------------------------- donors

    def add_donor(self, name: str, key: bytes | None = None) -> bool:
        """Note a donor; tell whether the donor was new.

        Args:
            key: 32 random bytes, where they were drawn before; a donor who is known keeps the old ones.

        Raises:
            MalformedError: ``CC-TEXT``: the name is too long or holds control characters.
            RefusedError: ``CC-VAULT``: the name is empty.
        """
        check_donor_name(name)
        with self._writing():
            return self._add(name, secrets.token_bytes(32) if key is None else key)

    def donor_count(self) -> int:
        """Return how many donors there are."""
        return int(next(self._rows("SELECT count(*) FROM donors"))[0])

    def knows(self, name: str) -> bool:
        """Tell whether there is a donor of exactly this name."""
        return bool(list(self._rows("SELECT 1 FROM donors WHERE name = ?", (check_donor_name(name),))))

    def find_near(self, name: str) -> str | None:
        """Return the donor whose name is nearest to `name`, where one is so near that it may be a slip of the pen.

        Case and accents count for nothing. Compared are names that begin or end as this one does, 50,000 at most.
        """
        import difflib  # only where a donor is new

        sql = (
            "SELECT name FROM donors WHERE name <> ?1 AND length(name) BETWEEN ?2 AND ?3"
            " AND (lower(substr(name, 1, 1)) = lower(substr(?1, 1, 1)) OR lower(substr(name, -1)) ="
            " lower(substr(?1, -1))) LIMIT 50000"
        )
        folded = {_fold(found): found for (found,) in self._rows(sql, (name, len(name) // 2, len(name) * 2))}
        near = difflib.get_close_matches(_fold(name), folded, 1, 0.8)
        return folded[near[0]] if near else None

    def donors(self) -> tuple[tuple[str, int], ...]:
        """Return the donors by name, with the number of labels that were noted for each."""
        sql = "SELECT name, (SELECT count(*) FROM given WHERE donor = name) FROM donors ORDER BY name"
        return tuple((name, count) for name, count in self._rows(sql))

    def pseudonym(self, name: str, label: str, *, note: bool = True) -> bytes:
        """Return what stands for a donor in the ledger under a label, 16 bytes, and note the label.

        Args:
            label: The id of a donation, or of the series of a gift.
            note: False leaves the vault as it is.

        Raises:
            NotFoundError: ``CC-VAULT``: no such donor.
            MalformedError: ``CC-ID``: the label is no id.
        """
        check_id(label, what="label")
        if not note:
            return self._pseudonym(name, label)
        with self._writing():
            found = self._pseudonym(name, label)  # inside the transaction: the donor may be erased meanwhile
            self._run("INSERT INTO given VALUES (?, ?) ON CONFLICT DO NOTHING", (name, label))
        return found

    def withdraw(self, name: str, label: str, *, donor: bool) -> None:
        """Take back a label that was noted for a record which was not sealed.

        Args:
            donor: The donor was noted for it, too, and goes unless another label was noted meanwhile.
        """
        unused = "DELETE FROM donors WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM given WHERE donor = ?1)"
        with self._writing():
            self._run("DELETE FROM given WHERE donor = ? AND label = ?", (name, label))
            if donor:
                self._run(unused, (name,))
        self._rewrite()

    @contextmanager
    def noting(self, label: str) -> Iterator[Callable[[str], bytes]]:
        """Give a function from a name to its pseudonym under `label`, which adds a donor who is not there yet.

        All is noted in the end, together, or, where an error comes, nothing. Memory does not grow with the number of
        names. Other processes wait meanwhile.

        Raises:
            MalformedError: ``CC-ID``: the label is no id. The function raises as `check_donor_name` does.
        """
        check_id(label, what="label")

        @lru_cache(10_000)  # those who give often are asked for once
        def pseudonym_of(name: str) -> bytes:
            self._add(check_donor_name(name), secrets.token_bytes(32))
            self._run("INSERT INTO given VALUES (?, ?) ON CONFLICT DO NOTHING", (name, label))
            return self._pseudonym(name, label)

        with self._writing():
            yield pseudonym_of

    def claim(self, name: str, labels: Iterable[str] | None = None) -> claims.Claim:
        """Return the claim of a donor: for these labels, or for all that were noted.

        Raises:
            NotFoundError: ``CC-VAULT``: no such donor, or a label that was not noted for the donor, or none at all.
        """
        key = self._key(name)
        noted = [label for (label,) in self._rows("SELECT label FROM given WHERE donor = ? ORDER BY label", (name,))]
        wanted = noted if labels is None else list(dict.fromkeys(labels))
        for label in wanted:
            if label not in noted:
                raise NotFoundError("CC-VAULT", f"{self.path} knows no gift {label!r} of this donor", label=label)
        if not wanted:
            raise NotFoundError("CC-VAULT", f"{self.path} knows no gift of this donor yet", path=str(self.path))
        secrets_ = ((label, claims.label_secret(key, self.identity, label)) for label in wanted)
        return claims.Claim(self.origin, self.identity, tuple(secrets_))

    def erase(self, name: str) -> None:
        """Erase a donor: the name, the key, and which labels were noted. The gifts stay, and lead to nobody.

        Raises:
            NotFoundError: ``CC-VAULT``: no such donor.
        """
        try:
            with self._writing():
                self._key(name)
                self._run("DELETE FROM given WHERE donor = ?", (name,))
                self._run("DELETE FROM donors WHERE name = ?", (name,))
        finally:
            self._rewrite()  # also for a donor who is gone: a try before may have been killed just here

    # ------------------------------------------------------------------------------------- private details

    def same_details(self, record_id: str, values: Sequence[tuple[str, str]]) -> tuple[Detail, ...] | None:
        """Return the kept details of a record where they say the same as `values`, with the salts they have."""
        kept = [item.detail for item in self._details(record_id)]
        found = tuple(detail for detail in kept if detail is not None)
        same = len(found) == len(kept) and sorted(values) == [(detail.name, detail.value) for detail in found]
        return found if found and same else None

    def keep_details(self, record_id: str, details: Iterable[Detail], *, replace: bool = False) -> bytes:
        """Keep the details of a record and return their root; again with the same details changes nothing.

        Args:
            replace: Other details of this record, left by a try that was never sealed, give way.

        Raises:
            RefusedError: ``CC-VAULT``: other details of this record are kept.
            MalformedError: as `charitychain.private.commit` does.
        """
        ordered = sorted(details, key=lambda detail: detail.name)
        root, leaves = private.commit(ordered)
        with self._writing():
            kept = [item.leaf for item in self._details(record_id)]
            if kept == list(leaves):
                return root
            if kept and not replace:
                raise RefusedError("CC-VAULT", f"{self.path} keeps other details of {record_id!r}", id=record_id)
            self._run("DELETE FROM details WHERE id = ?", (record_id,))
            for position, (detail, leaf) in enumerate(zip(ordered, leaves, strict=True)):
                row = (record_id, position, detail.name, detail.value, detail.salt, leaf)
                self._run("INSERT INTO details VALUES (?, ?, ?, ?, ?, ?)", row)
        return root

    def details(self, record_id: str) -> tuple[KeptDetail, ...]:
        """Return the details of a record in the order of their leaves.

        Raises:
            NotFoundError: ``CC-VAULT``: none of this record were kept.
        """
        if not (found := self._details(record_id)):
            raise NotFoundError("CC-VAULT", f"{self.path} keeps no details of {record_id!r}", id=record_id)
        return found

    def disclose(self, record_id: str, name: str) -> Disclosure:
        """Return one detail of a record with what proves it.

        Raises:
            NotFoundError: ``CC-VAULT``: it is not kept, or was erased.
            VerificationError: ``CC-PRIVATE``: what is kept is damaged.
        """
        kept = self.details(record_id)
        for index, (detail, _) in enumerate(kept):
            if detail is not None and detail.name == name:
                return private.disclose(self.identity, record_id, detail, [item.leaf for item in kept], index)
        raise self._no_detail(record_id)

    def erase_detail(self, record_id: str, name: str | None = None) -> int:
        """Erase one detail of a record, or all; return how many. Only leaf hashes stay, so the others can be shown.

        Raises:
            NotFoundError: ``CC-VAULT``: there is nothing to erase.
        """
        sql = "UPDATE details SET name = NULL, value = NULL, salt = NULL WHERE id = ? AND name IS NOT NULL"
        check_id(record_id)
        try:
            with self._writing():
                if name is None:
                    count = self._run(sql, (record_id,)).rowcount
                else:
                    count = self._run(sql + " AND name = ?", (record_id, check_id(name, what="name"))).rowcount
                if not count:
                    raise self._no_detail(record_id)
        finally:
            self._rewrite()
        return count

    # --------------------------------------------------------------------------------------------- the file

    def _prepare(self) -> None:
        self._run(f"PRAGMA busy_timeout = {int(_WAIT * 1000)}")
        self._run("PRAGMA trusted_schema = OFF")
        self._run("PRAGMA secure_delete = ON")
        self._run("PRAGMA temp_store = MEMORY")  # VACUUM would else copy everything into a file elsewhere
        self._run("PRAGMA cache_size = -32768")  # KiB
        self._run("PRAGMA journal_mode = DELETE")
        self._run("PRAGMA synchronous = EXTRA")  # FULL, and the folder too: a commit cannot come undone
        with self._writing():
            (application,) = next(self._rows("PRAGMA application_id"))
            empty = not next(self._rows("SELECT count(*) FROM sqlite_master"))[0]
            if application == 0 and empty:
                for table in _TABLES:
                    self._run(table)
                self._run("INSERT INTO ledger VALUES (?, ?)", (self.origin, self.identity))
                self._run(f"PRAGMA application_id = {_APPLICATION}")
            elif application != _APPLICATION:
                raise UnreadableError("CC-VAULT", f"{self.path} is no vault of this release", path=str(self.path))
            rows = list(self._rows("SELECT origin, identity FROM ledger"))
        if len(rows) != 1 or rows[0][1] != self.identity:
            origin = rows[0][0] if rows else "?"
            raise RefusedError(
                "CC-VAULT",
                f"{self.path} belongs to another ledger, {origin!r}; name the right vault with --vault",
                path=str(self.path),
                expected=self.identity.hex(),
            )

    def _rewrite(self) -> None:
        """Write the whole file anew: zeroed pages may still hold something in their unused rest."""
        with told(self.path):
            self._run("VACUUM")

    def _add(self, name: str, key: bytes) -> bool:
        sql = "INSERT INTO donors VALUES (?, ?) ON CONFLICT DO NOTHING"
        return self._run(sql, (name, key)).rowcount == 1

    def _key(self, name: str) -> bytes:
        check_text(name, what="the donor's name")
        for (key,) in self._rows("SELECT key FROM donors WHERE name = ?", (name,)):
            return bytes(key)
        raise NotFoundError(
            "CC-VAULT", f"{self.path} knows no donor of that name; add one with `charitychain donor add`",
            path=str(self.path),
        )  # fmt: skip

    def _pseudonym(self, name: str, label: str) -> bytes:
        secret = claims.label_secret(self._key(name), self.identity, label)
        return claims.pseudonym(self.identity, label, secret)

    def _details(self, record_id: str) -> tuple[KeptDetail, ...]:
        check_id(record_id)
        sql = "SELECT name, value, salt, leaf FROM details WHERE id = ? ORDER BY position"
        return tuple(
            KeptDetail(None if name is None else Detail(name, value, salt), leaf)
            for name, value, salt, leaf in self._rows(sql, (record_id,))
        )

    def _no_detail(self, record_id: str) -> NotFoundError:
        return NotFoundError("CC-VAULT", f"{self.path} keeps no such detail of {record_id!r}", id=record_id)

    def _run(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        with told(self.path):
            return self._database.execute(sql, values)

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        with told(self.path):
            return iter(self._database.execute(sql, values).fetchall())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            with suppress(CharitychainError):
                if self._database.in_transaction:
                    self._run("ROLLBACK")
            raise
