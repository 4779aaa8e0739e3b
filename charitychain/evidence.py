"""Evidence: documents kept elsewhere, told by their SHA-256, and compared with the hashes that a ledger holds.

Rules upheld here:

- A document is what its bytes are: names and dates of files count for nothing.
- What could be a hash and a file is taken as neither.
- The ledger's side is read out of sealed blocks, each checked, not out of the index.
- Files are read in pieces, and no link is followed out of the folder.

>>> told_hash("ab" * 32) == "ab" * 32
True
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from charitychain import records
from charitychain.answers import Money
from charitychain.errors import NotFoundError, RefusedError, StorageError
from charitychain.reading import Reader
from charitychain.records import Place

__all__ = ["Document", "EvidenceCheck", "check_folder", "document_hash", "told_hash"]

_PIECE = 1 << 20
_HEX = set("0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class Document:
    """A document that the ledger names: its SHA-256 in hex, the records that name it, and a file that has it.

    `amounts` are those that the records state, in the same order; None where one states none in an account's unit.
    """

    hash: str
    records: tuple[str, ...]
    amounts: tuple[Money | None, ...]
    file: str | None


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """What a folder holds of the documents that a ledger names, in ledger order, and its files that none names."""

    documents: tuple[Document, ...]
    unnamed: tuple[str, ...]

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
        RefusedError: ``CC-EVIDENCE``: it is both.
        StorageError: ``CC-STORAGE``: the file cannot be read.
    """
    if len(text) == 64 and set(text) <= _HEX:
        if os.path.isfile(text):  # nobody but its author knows which of the two is meant
            raise RefusedError(
                "CC-EVIDENCE",
                f"{text!r} is a SHA-256 hash and the name of a file here: write './{text}' for the file, or tell the"
                " hash from another folder",
            )
        return text.lower()
    if not os.path.isfile(text):
        raise NotFoundError("CC-EVIDENCE", f"{text!r} is neither a file nor a SHA-256 hash of 64 hex digits")
    return document_hash(Path(text))


def check_folder(reader: Reader, folder: Path, *, record: str | None = None) -> EvidenceCheck:
    """Compare the files below a folder with the documents that a ledger names.

    Args:
        record: Only the documents of this record.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``: there is no such record.
        StorageError: ``CC-STORAGE``: a file cannot be read, or the folder is none.
        VerificationError: a block is damaged or was not sealed.
    """
    named: dict[str, list[tuple[str, Money | None]]] = {}
    for document, id_, money in _named(reader, record):
        named.setdefault(document, []).append((id_, money))
    found: dict[str, str] = {}
    unnamed = []
    for name in _files(folder):
        digest = document_hash(folder / name)
        if digest in named:
            found.setdefault(digest, name)
        else:
            unnamed.append(name)
    documents = []
    for digest, by in named.items():
        ids, amounts = zip(*by, strict=True)
        documents.append(Document(digest, ids, amounts, found.get(digest)))
    return EvidenceCheck(tuple(documents), tuple(unnamed))


def _named(reader: Reader, only: str | None) -> Iterator[tuple[str, str, Money | None]]:
    """Yield (document, record, its amount) for each document that a record names, in ledger order."""
    if only is not None:
        row = reader.index.find_id(only)
        if row is None:
            raise NotFoundError("CC-UNKNOWN-ID", f"this ledger holds no id {only!r}", id=only)
        reader.check_author(row.place)
        yield from _of(reader, reader.record(row.place))
        return
    for height in range(reader.head.height + 1):
        for number, statement in enumerate(reader.checked_block(height).statements):
            reader.statement(Place(height, number, 0))  # its records are those that its author signed
            for record in statement.records():
                yield from _of(reader, record)


def _of(reader: Reader, record: records.Record) -> Iterator[tuple[str, str, Money | None]]:
    for document in dict.fromkeys(getattr(record, "evidence", ())):
        name = record.series if isinstance(record, records.Gifts) else records.record_id(record)
        yield document.hex(), name or "", _stated(reader, record)


def _stated(reader: Reader, record: records.Record) -> Money | None:
    """Return the amount that a record states, in the unit of its account."""
    account, amount = getattr(record, "account", None), getattr(record, "amount", None)
    if account is None or amount is None:
        return None
    return Money(amount, reader.unit_of(reader.state.account(account)))


def _files(folder: Path) -> Iterator[str]:
    """Yield the regular files below a folder, by name; links are left out."""

    def fail(error: OSError) -> None:
        raise StorageError("CC-STORAGE", f"{error.filename}: {error.strerror or error}") from error

    for at, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        for name in sorted(files):
            path = Path(at, name)
            if path.is_file() and not path.is_symlink():
                yield str(path.relative_to(folder))
