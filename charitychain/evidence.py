"""Evidence: documents kept elsewhere, told by their SHA-256, and compared with the hashes that a ledger holds.

Rules upheld here:

- A document is what its bytes are: names and dates of files count for nothing. An empty file is none.
- What could be a hash and a file is taken as neither.
- The ledger's side is read out of sealed blocks, each checked, not out of the index; only how much a reversal undid
  that does not say so itself is the index's word.
- A file is named by no record where none of the whole ledger names it, whatever records were asked for.
- Files are read in pieces, and no link is followed out of the folder.

>>> told_hash("ab" * 32) == "ab" * 32
True
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from charitychain import records
from charitychain.answers import Money
from charitychain.entries.describe import account_of
from charitychain.errors import NotFoundError, RefusedError, StorageError
from charitychain.reading import Reader
from charitychain.records import Place

__all__ = ["Document", "EvidenceCheck", "check_folder", "document_hash", "told_hash"]

_PIECE = 1 << 20
_HEX = set("0123456789abcdefABCDEF")
_EMPTY = hashlib.sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its SHA-256 in hex, the records that name it, if any does, and a file that has it.

    `amounts` are those that the records state, in the same order; None where one states none in an account's unit.
    `reversed` says in that order which of the records were reversed as a whole.
    """

    hash: str
    records: tuple[str, ...]
    amounts: tuple[Money | None, ...]
    reversed: tuple[bool, ...]
    file: str | None


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """What a folder holds of the documents that a ledger names, in ledger order.

    `unnamed` are the files that no record of the ledger names. `empty` are those without a byte, named or not, and
    `links` are what was not looked into.
    """

    documents: tuple[Document, ...]
    unnamed: tuple[Document, ...]
    empty: tuple[str, ...]
    links: tuple[str, ...]

    @property
    def missing(self) -> tuple[Document, ...]:
        return tuple(document for document in self.documents if document.file is None)


def document_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex (FIPS 180-4).

    Raises:
        StorageError: ``CC-STORAGE``: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise StorageError("CC-STORAGE", f"{path}: {error.strerror or error}") from error
    return digest.hexdigest()


def told_hash(text: str) -> str:
    """Return the hash that somebody tells as 64 hex digits or as the name of a file.

    Raises:
        NotFoundError: ``CC-EVIDENCE``: it is neither.
        RefusedError: ``CC-EVIDENCE``: it is both, or that of an empty file.
        StorageError: ``CC-STORAGE``: the file cannot be read.
    """
    if len(text) == 64 and set(text) <= _HEX:
        if os.path.isfile(text):  # nobody but its author knows which of the two is meant
            raise RefusedError(
                "CC-EVIDENCE",
                f"{text!r} is a SHA-256 hash and the name of a file here: write './{text}' for the file, or tell the"
                " hash from another folder",
            )
        told, what = text.lower(), f"{text!r} is the hash of an empty file"
    else:
        if not os.path.isfile(text):
            raise NotFoundError("CC-EVIDENCE", f"{text!r} is neither a file nor a SHA-256 hash of 64 hex digits")
        told, what = document_hash(Path(text)), f"{text!r} is an empty file"
    if told == _EMPTY:
        raise RefusedError("CC-EVIDENCE", f"{what}, which proves nothing: all empty files have one hash")
    return told


def check_folder(reader: Reader, folder: Path, *, record: str | None = None) -> EvidenceCheck:
    """Compare the files below a folder with the documents that a ledger names.

    Args:
        record: Only the documents of this record, or of the batch that holds this gift of a series.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``, ``CC-UNKNOWN-GIFT``: there is no such record.
        StorageError: ``CC-STORAGE``: a file cannot be read, or the folder is none.
        VerificationError: a block is damaged or was not sealed.
    """
    named = _Named(reader, record)
    files, links = list[str](), list[str]()
    for name, is_link in _found(folder):
        (links if is_link else files).append(name)
    found, unnamed, empty = dict[str, str](), list[Document](), list[str]()
    for name in files:
        digest = document_hash(folder / name)
        if digest == _EMPTY:
            empty.append(name)
        if digest in named.asked:
            found.setdefault(digest, name)
        elif digest not in named.others:
            unnamed.append(Document(digest, (), (), (), name))
    documents = tuple(named.document(digest, found.get(digest)) for digest in named.asked)
    return EvidenceCheck(documents, tuple(unnamed), tuple(empty), tuple(links))


class _Named:
    """The documents that a ledger names, in ledger order: `asked` are those of the records asked for, by hash."""

    def __init__(self, reader: Reader, only: str | None) -> None:
        self.asked: dict[str, list[tuple[Place, records.Record]]] = {}
        self.others: set[str] = set()
        self._reader, self._only = reader, only
        self._place = self._place_of(only) if only is not None else None
        self._holding: set[Place] = set()  # the records that name documents
        self._undone: Counter[Place] = Counter()
        for height in range(reader.head.height + 1):
            for number in range(len(reader.checked_block(height).statements)):
                statement = reader.statement(Place(height, number, 0))  # its records are those that its author signed
                for nth, record in enumerate(statement.records()):
                    self._see(Place(height, number, nth), record)

    def _place_of(self, only: str) -> Place:
        if "/" in only:
            return self._reader.gift(only).place
        row = self._reader.index.find_id(only)
        if row is None:
            raise NotFoundError("CC-UNKNOWN-ID", f"this ledger holds no id {only!r}", id=only)
        return row.place

    def _see(self, place: Place, record: records.Record) -> None:
        asked = self._only is None or place == self._place or _name(record) == self._only
        if asked and self._only is not None:
            self._reader.check_author(place)
        for document in dict.fromkeys(getattr(record, "evidence", ())):
            if asked:
                self.asked.setdefault(document.hex(), []).append((place, record))
            else:
                self.others.add(document.hex())
            self._holding.add(place)
        if isinstance(record, records.Reversal):
            index, (series, _, number) = self._reader.index, record.reverses.partition("/")
            about = index.find_batch(series, int(number)) if number else index.find_id(series)
            if about is not None and about.place in self._holding:
                row = index.find_id(record.id)
                self._undone[about.place] += record.amount or (row.amount if row is not None else 0)

    def document(self, digest: str, file: str | None) -> Document:
        """Return a document that was asked for, with the file that has it."""
        by = self.asked[digest]
        names, amounts = (_name(record) for _, record in by), (self._stated(record) for _, record in by)
        undone = (bool(self._undone[place]) and self._undone[place] >= _amount(record) for place, record in by)
        return Document(digest, tuple(names), tuple(amounts), tuple(undone), file)

    def _stated(self, record: records.Record) -> Money | None:
        """Return the amount that a record states, in the unit of the account that it is about."""
        amount, account = getattr(record, "amount", None), account_of(self._reader.state, record)
        return Money(amount, self._reader.unit_of(account)) if amount is not None and account is not None else None


def _name(record: records.Record) -> str:
    return record.series if isinstance(record, records.Gifts) else records.record_id(record) or ""


def _amount(record: records.Record) -> int:
    return getattr(record, "amount", None) or 0


def _found(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield the regular files below a folder, and its links, by name; and whether it is a link."""

    def fail(error: OSError) -> None:
        raise StorageError("CC-STORAGE", f"{error.filename}: {error.strerror or error}") from error

    for at, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(at, name)
            if path.is_symlink() or path.is_file():
                yield str(path.relative_to(folder)), path.is_symlink()
