"""The journal: a ledger's records as JSON Lines, one record a line, in order.

`import_journal` enters a journal into a ledger and `export_journal` writes one; an export entered into a new ledger
gives the same traces.

Rules upheld here:

- Strict JSON: a name twice in one object, a number that is no whole number, or nesting is refused with its line.
- Idempotent: a line that the ledger holds already is skipped, one whose id is taken by other content is refused.
- All or nothing: a journal of more than one block is first gone through whole in a dry run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from charitychain import records
from charitychain.entries import describe
from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.ledger import Ledger
from charitychain.writer import Writer

__all__ = ["Imported", "export_journal", "import_journal", "parse_line"]

MAX_LINE = 64 * 1024 * 1024
BLOCK_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class Imported:
    """How many records an import added, how many the ledger held already, and in how many blocks."""

    added: int
    known: int
    blocks: int


def parse_line(data: bytes, number: int) -> dict[str, Any]:
    """Parse one line of a journal.

    Raises:
        MalformedError: ``CC-JOURNAL``, with the line's number.
    """
    try:
        if len(data) > MAX_LINE:
            raise ValueError(f"it is longer than {MAX_LINE} bytes")
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
        if not isinstance(value, dict):
            raise ValueError("it must be a JSON object")
        return value
    except RecursionError as error:
        raise MalformedError("CC-JOURNAL", f"line {number}: it is nested too deeply", line=number) from error
    except ValueError as error:
        raise MalformedError("CC-JOURNAL", f"line {number}: {error}", line=number) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} stands twice in one object")
    return found


def _whole(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"the number {text:.20}… is too large")
    return int(text)


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"the number {text:.40} is no whole number; amounts are written as text")


def _lines(source: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, data in enumerate(iter(lambda: source.readline(MAX_LINE + 2), b""), 1):
        if number == 1:
            data = data.removeprefix(b"\xef\xbb\xbf")  # editors on some systems write a byte order mark
        if data.strip():
            yield number, data


def import_journal(
    ledger: Ledger, source: IO[bytes], *, dry: bool = False, progress: Callable[[int], None] | None = None
) -> Imported:
    """Enter a journal: all of it, or nothing.

    Args:
        source: A binary file that can be read twice.
        dry: Check everything, record nothing.
        progress: Called with the bytes read so far.

    Raises:
        MalformedError, RefusedError, KeyAccessError: naming the line; nothing of this import was recorded.
    """
    if not dry:
        try:
            with ledger.writer() as writer:
                return _enter(writer, source, progress, one_block=True)
        except _MoreThanOneBlock:
            source.seek(0)
    with ledger.writer(dry=True) as writer:
        outcome = _enter(writer, source, progress)
    if not dry:
        source.seek(0)
        with ledger.writer() as writer:
            outcome = _enter(writer, source, progress)
    return outcome


class _MoreThanOneBlock(Exception):
    """The journal does not fit one block: it must be gone through before any of it is sealed."""


def _enter(
    writer: Writer, source: IO[bytes], progress: Callable[[int], None] | None, *, one_block: bool = False
) -> Imported:
    added = known = sealed = 0

    def seal() -> None:
        nonlocal sealed
        if one_block:
            raise _MoreThanOneBlock
        if writer.core.pending:
            writer.commit()
            sealed += 1

    for number, data in _lines(source):
        entry = parse_line(data, number)
        try:
            try:
                new = writer.add(entry)
            except RefusedError as error:
                if error.code != "CC-KEY-LATER":
                    raise
                seal()  # a key that this import registers acts from the next block on
                new = writer.add(entry)
        except CharitychainError as error:
            error.facts["line"] = number
            raise type(error)(error.code, f"line {number}: {error.message}", **error.facts) from error
        added, known = added + new, known + (not new)
        if writer.core.pending >= BLOCK_RECORDS:
            seal()
        if progress is not None and number % 1000 == 0:
            progress(source.tell())
    if writer.core.pending:
        writer.commit()
        sealed += 1
    return Imported(added, known, sealed)


def export_journal(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Yield every record as a journal entry, in ledger order; the first party, which every ledger has, is left out
    with its keys.

    Raises:
        VerificationError: a block is damaged.
    """
    reader = ledger.reader()
    for height in range(reader.head.height + 1):
        for statement in reader.checked_block(height).statements:
            keys = (statement.header.author, *statement.header.signers)
            author, *others = (reader.state.party_of(key).id for key in keys)
            signers = (author, *others)
            gift_columns = iter(statement.columns)
            for record in statement.records():
                column = next(gift_columns, None) if isinstance(record, records.Gifts) else None
                if "self" in (getattr(record, "party", None), getattr(record, "id", None)):
                    continue  # every ledger's own: its first party and that party's keys
                entry = describe(reader.state, record, author, column, signers=signers)
                entry.pop("proof", None)  # it binds this ledger, and is made anew for another
                yield entry
