"""The annex of a ledger: the private details of its records, kept in the vault and shown or erased one by one.

A record that was drafted twice under one id has two sets of details, of which the ledger will seal one at most; which
one, nobody knows while the drafts are out. So a set is kept by the record's id and by its root, which is what the
record says of it.

Rules upheld here:

- No set takes the place of another one: only what was sealed says which set counts.
- Of an erased detail its leaf hash stays, for the other details of the record need it. The rest is gone from the file.
- Erasing reaches every set of a record, and on demand the records that took the same details over.
- Names, values and salts appear in no message and no log.

It leaves to others the file (`charitychain.vaultfile`), what proves a detail (`charitychain.private`), and which root
was sealed.

>>> import tempfile
>>> from charitychain.private import new_details
>>> from charitychain.vault import Vault
>>> with tempfile.TemporaryDirectory() as folder:
...     with Vault.open(f"{folder}/v", "relief.example/2026", bytes(32)) as vault:
...         vault.annex.keep("X-1", new_details([("payee", "Siti")])), vault.annex.erase("X-1")
(True, {'X-1': 1})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from charitychain import private
from charitychain.codec import check_id
from charitychain.errors import NotFoundError
from charitychain.private import Detail, Disclosure
from charitychain.vaultfile import VaultFile

__all__ = ["Annex", "KeptDetail"]

_ERASED = "name = NULL, value = NULL, salt = NULL"


class KeptDetail(NamedTuple):
    """A place among the details of a record; `detail` is nothing where it was erased."""

    detail: Detail | None
    leaf: bytes


class Annex:
    """The private details in an open vault; `charitychain.vault.Vault` has one."""

    def __init__(self, file: VaultFile) -> None:
        self._file = file

    def keep(self, record_id: str, details: Iterable[Detail]) -> bool:
        """Keep a set of details of a record, beside those that are kept of it; tell whether it was new.

        Raises:
            MalformedError: as `charitychain.private.commit` does.
        """
        ordered = sorted(details, key=lambda detail: detail.name)
        root, leaves = private.commit(ordered)
        with self._file.writing():
            if root in self.roots(record_id):
                return False
            for position, (detail, leaf) in enumerate(zip(ordered, leaves, strict=True)):
                row = (record_id, root, position, detail.name, detail.value, detail.salt, leaf)
                self._file.run("INSERT INTO details VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return True

    def drop(self, record_id: str, root: bytes) -> None:
        """Forget one set, leaf hashes too: what it was kept for will never be sealed."""
        with self._file.writing():
            self._file.run("DELETE FROM details WHERE id = ? AND root = ?", (record_id, root))
        self._file.rewrite()

    def settle(self, record_id: str, root: bytes) -> None:
        """Forget all sets of a record but the one that was sealed, where that one is here."""
        with self._file.writing():
            dropped = self._drop_others(record_id, root)
        if dropped:
            self._file.rewrite()

    def roots(self, record_id: str) -> tuple[bytes, ...]:
        """Return the roots of the sets that are kept of a record."""
        sql = "SELECT DISTINCT root FROM details WHERE id = ? ORDER BY root"
        return tuple(root for (root,) in self._file.rows(sql, (check_id(record_id),)))

    def find_same(self, record_id: str, values: Iterable[tuple[str, str]]) -> tuple[Detail, ...] | None:
        """Return a kept set of a record that says the same as `values`, with the salts it has."""
        wanted = sorted(values)
        for root in self.roots(record_id):
            details = [item.detail for item in self.details(record_id, root)]
            found = tuple(detail for detail in details if detail is not None)
            if len(found) == len(details) and [(detail.name, detail.value) for detail in found] == wanted:
                return found
        return None

    def find_holders(self, details: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Return the ids of all records of which a detail of one of these names and values is kept."""
        sql = "SELECT DISTINCT id FROM details WHERE name = ? AND value = ?"
        return tuple(sorted({id_ for pair in details for (id_,) in self._file.rows(sql, pair)}))

    def details(self, record_id: str, root: bytes) -> tuple[KeptDetail, ...]:
        """Return the set of this root, in the order of its leaves.

        Raises:
            NotFoundError: ``CC-VAULT``: no such set of this record is kept.
        """
        sql = "SELECT name, value, salt, leaf FROM details WHERE id = ? AND root = ? ORDER BY position"
        found = tuple(
            KeptDetail(None if name is None else Detail(name, value, salt), leaf)
            for name, value, salt, leaf in self._file.rows(sql, (check_id(record_id), root))
        )
        if not found:
            raise NotFoundError("CC-VAULT", f"{self._file.path} keeps no details of {record_id!r}", id=record_id)
        return found

    def disclose(self, record_id: str, root: bytes, name: str) -> Disclosure:
        """Return one detail of the set of this root with what proves it.

        Raises:
            NotFoundError: ``CC-VAULT``: it is not kept, or was erased.
            VerificationError: ``CC-PRIVATE``: what is kept is damaged.
        """
        kept = self.details(record_id, root)
        leaves: Sequence[bytes] = [item.leaf for item in kept]
        for index, (detail, _) in enumerate(kept):
            if detail is not None and detail.name == name:
                return private.disclose(self._file.identity, record_id, detail, leaves, index)
        raise self._none(record_id)

    def named(self, record_id: str, name: str | None = None) -> frozenset[tuple[str, str]]:
        """Return names and values of all that is kept of a record, or of the details of one name."""
        sql = "SELECT name, value FROM details WHERE id = ?1 AND name IS NOT NULL AND (?2 IS NULL OR name = ?2)"
        return frozenset(self._file.rows(sql, (check_id(record_id), name)))

    def erase(
        self,
        record_id: str,
        name: str | None = None,
        *,
        copies: Iterable[str] = (),
        sealed: Mapping[str, bytes] | None = None,
    ) -> dict[str, int]:
        """Erase one detail of a record, or all, in every set of it; return how many, by record.

        Args:
            copies: Records in which details of the same names and values are erased too.
            sealed: Roots by id, of those of these records that are sealed: their other sets are forgotten.

        Raises:
            NotFoundError: ``CC-VAULT``: there is nothing to erase.
        """
        if name is not None:
            check_id(name, what="name")
        sql = f"UPDATE details SET {_ERASED} WHERE id = ? AND name = ? AND value = ?"
        counts: dict[str, int] = {}
        try:
            with self._file.writing():
                pairs = self.named(record_id, name)
                if not pairs:
                    raise self._none(record_id)
                for id_ in dict.fromkeys((record_id, *copies)):
                    counts[id_] = sum(1 for pair in pairs if pair in self.named(id_))
                    if sealed is not None and id_ in sealed:
                        self._drop_others(id_, sealed[id_])
                    for pair in pairs:
                        self._file.run(sql, (id_, *pair))
        finally:
            self._file.rewrite()  # also where nothing is left: a try before may have been killed just here
        return {id_: count for id_, count in counts.items() if count}

    def _drop_others(self, record_id: str, root: bytes) -> bool:
        if root not in self.roots(record_id):
            return False
        sql = "DELETE FROM details WHERE id = ? AND root <> ?"
        return self._file.run(sql, (record_id, root)).rowcount > 0

    def _none(self, record_id: str) -> NotFoundError:
        return NotFoundError("CC-VAULT", f"{self._file.path} keeps no such detail of {record_id!r}", id=record_id)
