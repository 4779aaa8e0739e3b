"""The gifts table: micro-donations as CSV, ``id,amount[,donor[,second]]``, entered as columns of one series.

Rules upheld here:

- All rows are checked before the first block: form, amounts, strictly rising ids, totals.
- Idempotent: rows that the ledger holds already are skipped, so an import that was killed goes on where it stopped;
  a row that says something else than the ledger is refused.
- Memory does not grow with the table, but in a dry run, which keeps what it would have written.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from charitychain import columns
from charitychain.codec import MAX_INT
from charitychain.entries import build
from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.interop.journal import Imported
from charitychain.ledger import Ledger
from charitychain.records import Gifts
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import Batch, columns_at
from charitychain.units import Unit, parse_amount
from charitychain.writer import Writer

__all__ = ["import_gifts"]

GIFTS_IN_STATEMENT = 10_000
GIFTS_IN_BLOCK = 100_000
_HEADERS = (["id", "amount"], ["id", "amount", "donor"], ["id", "amount", "donor", "second"])


class Row(NamedTuple):
    """One row: line in the file, gift number, minor units, donor and second party (16 bytes each, zero: not given)."""

    line: int
    id: int
    amount: int
    donor: bytes
    second: bytes


def import_gifts(
    ledger: Ledger,
    source: IO[bytes],
    *,
    account: str,
    series: str,
    origin: str | None = None,
    author: str | None = None,
    dry: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Enter a gifts table into an account.

    Args:
        source: A binary file that can be read twice.
        account: Id of the account that the gifts go to.
        series: Name of the series; a gift is then traced as ``SERIES/id``.
        origin: Source of the gifts, such as ``goods-for-good``.
        author: Party that signs; nothing is the account's owner.

    Raises:
        MalformedError, RefusedError: naming the line; nothing of this import was recorded.
    """
    with ledger.writer(dry=dry) as writer:
        core = writer.core
        target = core.state.account_named(account)
        unit = core.state.unit_of(target)
        head = {"record": "gifts", "series": series, "account": account, "source": origin, "author": author}
        entry = {name: value for name, value in head.items() if value is not None}
        wide = _check_all(writer, source, entry, unit, target, progress)
        source.seek(0)
        batch: list[Row] = []
        added = known = blocks = 0
        for row in _rows(source, unit):
            last = core.state.lookup.last_batch(series) if not batch else None
            if last is not None and row.id <= last.last:
                known += 1
                continue
            batch.append(row)
            if len(batch) == GIFTS_IN_STATEMENT:
                _record(writer, entry, batch, wide)
                added, batch = added + len(batch), []
                if added % GIFTS_IN_BLOCK == 0:
                    writer.commit()
                    blocks += 1
                if progress is not None:
                    progress(source.tell())
        if batch:
            _record(writer, entry, batch, wide)
            added += len(batch)
        if core.pending:
            writer.commit()
            blocks += 1
    return Imported(added, known, blocks)


def _record(writer: Writer, entry: dict[str, str], batch: list[Row], wide: bool) -> None:
    data, root = columns.pack_columns(
        [row.id for row in batch],
        [row.amount for row in batch],
        b"".join(row.donor for row in batch),
        b"".join(row.second for row in batch) if wide else None,
    )
    state = writer.core.state
    last = state.lookup.last_batch(entry["series"])
    # One gift stands for the batch, so that what `build` decides (who signs, which fields) is decided in one place.
    built = build(state, {**entry, "ids": [batch[0].id], "amounts": ["1"]})
    assert isinstance(built.record, Gifts)
    record = Gifts(
        entry["series"], built.record.account, last.last if last else None, len(batch), root.sum, root.low, root.high,
        48 if wide else 32, root.hash, built.record.source,
    )  # fmt: skip
    writer.core.record(record, built.author, built.cosigners, data)


def _check_all(
    writer: Writer,
    source: IO[bytes],
    entry: dict[str, str],
    unit: Unit,
    account: AccountState,
    progress: Callable[[int], None] | None,
) -> bool:
    """Check every row before anything is recorded; return whether the table has second parties."""
    lookup, series = writer.core.state.lookup, entry["series"]
    last = lookup.last_batch(series)
    if last is not None and last.account != account.number:
        raise RefusedError(
            "CC-DUPLICATE-ID",
            f"series {series!r} goes to account {writer.core.state.accounts[last.account].id!r}, not to {account.id!r};"
            " name that one, or another series",
            series=series,
        )
    known: Iterator[columns.Gift] = iter(())
    known_upto, gift = -1, None
    previous, total, wide = -1, account.in_, False
    for row in _rows(source, unit):
        if row.id <= previous:
            raise _bad(row.line, f"id {row.id} does not rise above {previous}")
        previous = row.id
        wide = wide or row.second != bytes(16)
        if last is None or row.id > last.last:
            total += row.amount
            if total > MAX_INT:
                raise _bad(row.line, "the account cannot take in 2^63 units or more in all")
            continue
        if row.id > known_upto:
            batch = lookup.find_batch(series, row.id)
            known = columns.iterate_gifts(columns_at(lookup, batch.place), batch.width) if batch else iter(())
            known_upto = batch.last if batch else row.id
            if batch is not None:
                _check_batch(writer, batch, entry, row.line)
            gift = next(known, None)
        while gift is not None and gift.id < row.id:
            gift = next(known, None)
        found = (gift.id, gift.amount, gift.donor or bytes(16), gift.second or bytes(16)) if gift else None
        if found != (row.id, row.amount, row.donor, row.second):
            what = "says something else than the ledger" if gift and gift.id == row.id else "is not in the ledger"
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"line {row.line}: gift {series}/{row.id} {what}, whose series has gone on to {last.last}",
                line=row.line,
            )
        if progress is not None and row.line % 10_000 == 0:
            progress(source.tell())
    return wide


def _check_batch(writer: Writer, batch: Batch, entry: dict[str, str], line: int) -> None:
    """Refuse a table that says another source or author than the batch was signed with."""
    record, signer = writer.core.signed(batch.place)
    assert isinstance(record, Gifts)
    owner = writer.core.state.parties[writer.core.state.accounts[record.account].owner].id
    told_author = entry.get("author", owner)
    for what, told, signed in (("source", entry.get("source"), record.source), ("author", told_author, signer)):
        if told != signed:
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"line {line}: gifts of series {record.series!r} are recorded already, with the {what} {signed!r}, not"
                f" {told!r}",
                line=line,
            )


def _rows(source: IO[bytes], unit: Unit) -> Iterator[Row]:
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, None)
        if header not in _HEADERS:
            raise _bad(1, "the first line must be id,amount or id,amount,donor or id,amount,donor,second")
        width = len(header)
        for fields in reader:
            if len(fields) != width:
                if not fields:
                    continue
                raise _bad(reader.line_num, f"expected {width} fields, found {len(fields)}")
            yield _row(reader.line_num, fields, unit)
    except csv.Error as error:
        raise _bad(reader.line_num, str(error)) from error
    except UnicodeDecodeError as error:
        raise _bad(reader.line_num + 1, "it is no UTF-8 text") from error
    finally:
        text.detach()  # so that the end of this reading does not close the file, which is read twice


def _row(line: int, fields: list[str], unit: Unit) -> Row:
    number = fields[0]
    if not number.isascii() or not number.isdigit() or len(number) > 19 or str(int(number)) != number:
        raise _bad(line, f"id must be a whole number, found {number!r:.60}")
    if int(number) > MAX_INT:
        raise _bad(line, f"id {number} is 2^63 or more")
    try:
        amount = parse_amount(fields[1], unit)
    except CharitychainError as error:
        raise MalformedError(error.code, f"line {line}: {error.message}", line=line) from error
    people = [_person(line, value) for value in fields[2:]] + [bytes(16)] * (4 - len(fields))
    return Row(line, int(number), amount, people[0], people[1])


def _person(line: int, value: str) -> bytes:
    if value == "":
        return bytes(16)
    if len(value) != 32 or not set(value) <= set("0123456789abcdefABCDEF"):
        raise _bad(line, f"a donor is 32 hex digits or nothing, found {value!r:.60}")
    return bytes.fromhex(value)


def _bad(line: int, what: str) -> MalformedError:
    return MalformedError("CC-TABLE", f"line {line}: {what}", line=line)
