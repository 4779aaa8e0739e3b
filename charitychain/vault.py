"""The vault: who is behind the pseudonyms of a ledger, and the private details of its records; one file, off it.

The ledger can never forget, so no name stands in it. Names and donor keys are here, where they can be erased; what is
left in the ledger then leads to nobody. Private details, in the same file, are `charitychain.annex`.

Rules upheld here:

- The file is its owner's alone, and of one ledger (`charitychain.vaultfile`). It is not encrypted: whoever can read the
  owner's files can read it.
- What is noted is on the disk when a method returns, so that it can be noted before a block is sealed.
- What is erased is gone from the file and the files beside it.
- Names and keys appear in no message and no log.

It leaves to others copies of the file: backups, snapshots, and cells that a flash disk no longer shows.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     with Vault.open(f"{folder}/v", "relief.example/2026", bytes(32)) as vault:
...         vault.add_donor("Siti"), len(vault.pseudonym("Siti", "D-1")), vault.donors()
(True, 16, (('Siti', 1),))
"""

from __future__ import annotations

import os
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import TracebackType

from charitychain import claims
from charitychain.annex import Annex
from charitychain.codec import check_id, check_text
from charitychain.errors import NotFoundError, RefusedError
from charitychain.vaultfile import VaultFile, vault_path

__all__ = ["Vault", "check_donor_name", "vault_path"]


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

    def __init__(self, file: VaultFile) -> None:
        self._file, self.path = file, file.path
        self.annex = Annex(file)

    @classmethod
    def open(cls, path: str | os.PathLike[str], origin: str, identity: bytes, *, create: bool = True) -> Vault:
        """Open the vault of a ledger, and make it where there is none, unless `create` is false.

        Args:
            identity: The ledger's identity, 32 bytes.

        Raises:
            KeyAccessError, RefusedError, NotFoundError, UnreadableError, LockedError: ``CC-VAULT``: as
                `charitychain.vaultfile.VaultFile.open` does.
        """
        return cls(VaultFile.open(path, origin, identity, create=create))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

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
        with self._file.writing():
            return self._add(name, secrets.token_bytes(32) if key is None else key)

    def donor_count(self) -> int:
        """Return how many donors there are."""
        return int(next(self._file.rows("SELECT count(*) FROM donors"))[0])

    def knows(self, name: str) -> bool:
        """Tell whether there is a donor of exactly this name."""
        return bool(list(self._file.rows("SELECT 1 FROM donors WHERE name = ?", (check_donor_name(name),))))

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
        folded = {_fold(found): found for (found,) in self._file.rows(sql, (name, len(name) // 2, len(name) * 2))}
        near = difflib.get_close_matches(_fold(name), folded, 1, 0.8)
        return folded[near[0]] if near else None

    def donors(self) -> tuple[tuple[str, int], ...]:
        """Return the donors by name, with the number of labels that were noted for each."""
        sql = "SELECT name, (SELECT count(*) FROM given WHERE donor = name) FROM donors ORDER BY name"
        return tuple((name, count) for name, count in self._file.rows(sql))

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
        with self._file.writing():
            found = self._pseudonym(name, label)  # inside the transaction: the donor may be erased meanwhile
            self._file.run("INSERT INTO given VALUES (?, ?) ON CONFLICT DO NOTHING", (name, label))
        return found

    def withdraw(self, name: str, label: str, *, donor: bool) -> None:
        """Take back a label that was noted for a record which was not sealed.

        Args:
            donor: The donor was noted for it, too, and goes unless another label was noted meanwhile.
        """
        unused = "DELETE FROM donors WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM given WHERE donor = ?1)"
        with self._file.writing():
            self._file.run("DELETE FROM given WHERE donor = ? AND label = ?", (name, label))
            if donor:
                self._file.run(unused, (name,))
        self._file.rewrite()

    def settle(self, label: str, sealed: bytes) -> None:
        """Forget for whom else a donation was drafted: sealed with this pseudonym, it is in no claim of theirs."""
        with self._file.writing():
            noted = [name for (name,) in self._file.rows("SELECT donor FROM given WHERE label = ?", (label,))]
            others = [name for name in noted if self._pseudonym(name, label) != sealed]
            for name in others:
                self._file.run("DELETE FROM given WHERE donor = ? AND label = ?", (name, label))
        if others:
            self._file.rewrite()

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
            self._file.run("INSERT INTO given VALUES (?, ?) ON CONFLICT DO NOTHING", (name, label))
            return self._pseudonym(name, label)

        with self._file.writing():
            yield pseudonym_of

    def claim(self, name: str, labels: Iterable[str] | None = None) -> claims.Claim:
        """Return the claim of a donor: for these labels, or for all that were noted.

        Raises:
            NotFoundError: ``CC-VAULT``: no such donor, or a label that was not noted for the donor, or none at all.
        """
        key = self._key(name)
        noted = [
            label for (label,) in self._file.rows("SELECT label FROM given WHERE donor = ? ORDER BY label", (name,))
        ]
        wanted = noted if labels is None else list(dict.fromkeys(labels))
        for label in wanted:
            if label not in noted:
                raise NotFoundError("CC-VAULT", f"{self.path} knows no gift {label!r} of this donor", label=label)
        if not wanted:
            raise NotFoundError("CC-VAULT", f"{self.path} knows no gift of this donor yet", path=str(self.path))
        secrets_ = ((label, claims.label_secret(key, self._file.identity, label)) for label in wanted)
        return claims.Claim(self._file.origin, self._file.identity, tuple(secrets_))

    def erase(self, name: str) -> None:
        """Erase a donor: the name, the key, and which labels were noted. The gifts stay, and lead to nobody.

        Raises:
            NotFoundError: ``CC-VAULT``: no such donor.
        """
        try:
            with self._file.writing():
                self._key(name)
                self._file.run("DELETE FROM given WHERE donor = ?", (name,))
                self._file.run("DELETE FROM donors WHERE name = ?", (name,))
        finally:
            self._file.rewrite()  # also for a donor who is gone: a try before may have been killed just here

    def _add(self, name: str, key: bytes) -> bool:
        sql = "INSERT INTO donors VALUES (?, ?) ON CONFLICT DO NOTHING"
        return self._file.run(sql, (name, key)).rowcount == 1

    def _key(self, name: str) -> bytes:
        check_text(name, what="the donor's name")
        for (key,) in self._file.rows("SELECT key FROM donors WHERE name = ?", (name,)):
            return bytes(key)
        raise NotFoundError(
            "CC-VAULT", f"{self.path} knows no donor of that name; add one with `charitychain donor add`",
            path=str(self.path),
        )  # fmt: skip

    def _pseudonym(self, name: str, label: str) -> bytes:
        secret = claims.label_secret(self._key(name), self._file.identity, label)
        return claims.pseudonym(self._file.identity, label, secret)
