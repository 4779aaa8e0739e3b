"""Gifts in columns: the gifts table, CSV as ``id,amount[,donor[,second]]``, and how rows of any table become gifts.

Rules upheld here:

- All rows are checked before the first block: form, amounts, strictly rising ids, totals.
- Idempotent: rows that the ledger holds already are skipped, so an import that was killed goes on where it stopped;
  a row that says something else than the ledger is refused.
- Memory does not grow with the table, but in a dry run, which keeps what it would have written.

A table with one series is `import_gifts`. Others that have more than that, such as those of
`charitychain.programmes`, give `import_rows` each row with its `Series`.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

from charitychain import columns
from charitychain.codec import MAX_INT, check_id
from charitychain.entries import build
from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.interop.journal import Imported
from charitychain.ledger import Ledger
from charitychain.records import Gifts
from charitychain.state.lookup import Batch, columns_at, find_gift
from charitychain.units import Unit, parse_amount
from charitychain.writer import Writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = Sequence[int] | NDArray[np.uint64]

__all__ = ["Row", "Series", "SeriesInLedger", "import_gifts", "import_rows", "series_under"]

GIFTS_IN_STATEMENT = 10_000
GIFTS_IN_BLOCK = 100_000
STATEMENTS_IN_BLOCK = 1_000
_HEADERS = (["id", "amount"], ["id", "amount", "donor"], ["id", "amount", "donor", "second"])


class Row(NamedTuple):
    """One row: line in the file, gift number, minor units, donor and second party (16 bytes each, zero: not given).

    `date` is when the gift was given, where the table says so; rows of one batch are of one date.
    """

    line: int
    id: int
    amount: int
    donor: bytes
    second: bytes
    date: str | None = None


class SeriesInLedger:
    """A series as the ledger holds it, what an import adds to it, and how a batch of that is recorded.

    Args:
        account: Id of the account that the gifts go to.
        series: Name of the series; a gift is then traced as ``SERIES/id``.
        origin: Source of the gifts, such as ``goods-for-good``.
        author: Party that signs; nothing is the account's owner.

    Attributes:
        upto: The last gift that the ledger held before this import; -1 where it held none.
    """

    def __init__(
        self, writer: Writer, *, account: str, series: str, origin: str | None = None, author: str | None = None
    ) -> None:
        self._core, self.name = writer.core, series
        self.lookup = self._core.state.lookup
        self.account = self._core.state.account_named(account)
        self.unit = self._core.state.unit_of(self.account)
        head = {"record": "gifts", "series": series, "account": account, "source": origin, "author": author}
        self._entry = {name: value for name, value in head.items() if value is not None}
        last = self.lookup.last_batch(series)
        if last is not None and last.account != self.account.number:
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"series {series!r} goes to account {self._core.state.accounts[last.account].id!r}, not to"
                f" {account!r}; name that one, or another series",
                series=series,
            )
        if last is None:
            self._core.state.check_new(check_id(series, what="the series"))
        self.upto = last.last if last is not None else -1
        self._total = self.account.in_
        self._latest = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))

    def is_to_come(self, date: str) -> bool:
        """Say whether a date is still to come everywhere on earth; a month or year to come is so as text, too."""
        return date > self._latest

    def has_room(self, amount: int) -> bool:
        """Say whether the account can take in this much, too, beside all that was asked about before."""
        self._total += amount
        return self._total <= MAX_INT

    def check_batch(self, batch: Batch, unit: str, number: int, file: str = "") -> str | None:
        """Return the date of a batch; refuse a table that says another source or author than it was signed with.

        Args:
            unit, number: Where the table is read now, such as line 7.
            file: The name of the table's file and a comma, where errors tell it.
        """
        record, signer = self._core.signed(batch.place)
        assert isinstance(record, Gifts)
        owner = self._core.state.parties[self._core.state.accounts[record.account].owner].id
        told_author = self._entry.get("author", owner)
        for what, told, signed in (
            ("source", self._entry.get("source"), record.source), ("author", told_author, signer),
        ):  # fmt: skip
            if told != signed:
                raise RefusedError(
                    "CC-DUPLICATE-ID",
                    f"{file}{unit} {number}: gifts of series {record.series!r} are recorded already, with the {what}"
                    f" {signed!r}, not {told!r}",
                    **{unit: number},
                )
        return record.date

    def record(
        self, ids: Numbers, amounts: Numbers, donors: bytes, seconds: bytes | None, date: str | None,
        reference: str | None = None,
    ) -> None:  # fmt: skip
        """Record one batch: columns as in `charitychain.columns.pack_columns`, and what its record tells of all."""
        data, root = columns.pack_columns(ids, amounts, donors, seconds)
        last = self.lookup.last_batch(self.name)
        told = {name: value for name, value in (("date", date), ("reference", reference)) if value is not None}
        # One gift stands for the batch, so that what `build` decides (who signs, which fields) is decided in one place.
        built = build(self._core.state, {**self._entry, **told, "ids": [int(ids[0])], "amounts": ["1"]})
        assert isinstance(built.record, Gifts)
        record = Gifts(
            self.name, built.record.account, last.last if last else None, len(ids), root.sum, root.low, root.high,
            32 if seconds is None else 48, root.hash, built.record.source, built.record.date, built.record.reference,
        )  # fmt: skip
        self._core.record(record, built.author, built.cosigners, data)


def series_under(writer: Writer, prefix: str) -> list[Batch]:
    """Return the last batch of each series ``PREFIX-ACCOUNT`` whose gifts go to that account."""
    state = writer.core.state
    last = ((account, state.lookup.last_batch(f"{prefix}-{account.id}")) for account in state.accounts)
    return [batch for account, batch in last if batch is not None and batch.account == account.number]


class Series:
    """One series of a table: its rows are first all checked, then entered. Further arguments are `SeriesInLedger`'s.

    Args:
        file: The name of the table's file, where errors tell it.
        tells: Gives each batch the reference of its record, when that is made.
    """

    def __init__(
        self, writer: Writer, *, account: str, series: str, origin: str | None = None, author: str | None = None,
        file: str = "", tells: Callable[[], str | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._ledger = SeriesInLedger(writer, account=account, series=series, origin=origin, author=author)
        self.name, self.unit, self.upto = series, self._ledger.unit, self._ledger.upto
        self._file, self._tells = f"{file}, " if file else "", tells
        self._previous, self._wide = -1, False
        self._known: Iterator[columns.Gift] = iter(())
        self._known_upto = -1
        self._gift: columns.Gift | None = None
        self._date: str | None = None
        self._batch: list[Row] = []

    def check(self, row: Row) -> None:
        """Check the next row against those before it and against what the ledger holds."""
        if row.id <= self._previous:
            raise _bad(row.line, f"id {row.id} does not rise above {self._previous}", self._file)
        self._previous = row.id
        self._wide = self._wide or row.second != bytes(16)
        if row.id > self._ledger.upto:
            if row.date is not None and self._ledger.is_to_come(row.date):
                where = f"{self._file}line {row.line}"
                raise RefusedError("CC-FUTURE", f"{where}: {row.date} is still to come", line=row.line)
            if not self._ledger.has_room(row.amount):
                raise _bad(row.line, "the account cannot take in 2^63 units or more in all", self._file)
            return
        lookup = self._ledger.lookup
        if row.id > self._known_upto:
            batch = lookup.find_batch(self.name, row.id)
            self._known = columns.iterate_gifts(columns_at(lookup, batch.place), batch.width) if batch else iter(())
            self._known_upto = batch.last if batch else row.id
            if batch is not None:
                self._date = self._ledger.check_batch(batch, "line", row.line, self._file)
            self._gift = next(self._known, None)
        while self._gift is not None and self._gift.id < row.id:
            self._gift = next(self._known, None)
        gift = self._gift
        found = (gift.id, gift.amount, gift.donor or bytes(16), gift.second or bytes(16)) if gift else None
        dated = row.date is None or row.date == self._date
        if found != (row.id, row.amount, row.donor, row.second) or not dated:
            what = "says something else than the ledger" if gift and gift.id == row.id else "is not in the ledger"
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"{self._file}line {row.line}: gift {self.name}/{row.id} {what}, whose series has gone on to"
                f" {self._ledger.upto}",
                line=row.line,
            )

    def check_left_out(self, line: int, id_: int) -> None:
        """Check that a row which is not to be entered is not in the ledger already."""
        if id_ <= self._ledger.upto and find_gift(self._ledger.lookup, f"{self.name}/{id_}") is not None:
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"{self._file}line {line}: gift {self.name}/{id_} is in the ledger already, and would be left out now",
                line=line,
            )

    def enter(self, row: Row) -> bool:
        """Take a checked row into the next batch; return False where the ledger held it before this import."""
        if row.id <= self._ledger.upto:
            return False
        if self._batch and (len(self._batch) == GIFTS_IN_STATEMENT or self._batch[0].date != row.date):
            self.record()
        self._batch.append(row)
        return True

    def record(self) -> None:
        """Record the rows taken so far as one batch, if there are any."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        self._ledger.record(
            [row.id for row in batch],
            [row.amount for row in batch],
            b"".join(row.donor for row in batch),
            b"".join(row.second for row in batch) if self._wide else None,
            batch[0].date,
            self._tells(),
        )


def import_rows(
    writer: Writer, rows: Callable[[], Iterator[tuple[Series, Row]]], *, tick: Callable[[], None] | None = None
) -> Imported:
    """Enter the rows of a table, each into its series: all are checked before the first block is sealed.

    Args:
        rows: Gives the rows from the first one, each time that it is called; it is called twice.
        tick: Called now and then, to show how far it is.

    Raises:
        MalformedError, RefusedError: naming the line; nothing of this import was recorded.
    """
    core = writer.core
    for number, (series, row) in enumerate(rows(), 1):
        series.check(row)
        if tick is not None and number % GIFTS_IN_STATEMENT == 0:
            tick()
    filling: dict[str, Series] = {}
    added = known = blocks = waiting = 0

    def flush() -> int:
        for series in filling.values():
            series.record()
        filling.clear()
        if not core.pending:
            return 0
        writer.commit()
        return 1

    for number, (series, row) in enumerate(rows(), 1):
        if series.enter(row):
            filling[series.name] = series
            added, waiting = added + 1, waiting + 1
        else:
            known += 1
        if waiting >= GIFTS_IN_BLOCK or core.pending >= STATEMENTS_IN_BLOCK:
            blocks, waiting = blocks + flush(), 0
        if tick is not None and number % GIFTS_IN_STATEMENT == 0:
            tick()
    return Imported(added, known, blocks + flush())


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
        target = Series(writer, account=account, series=series, origin=origin, author=author)

        def rows() -> Iterator[tuple[Series, Row]]:
            source.seek(0)
            return ((target, row) for row in _rows(source, target.unit))

        def tick() -> None:
            if progress is not None:
                progress(source.tell())

        return import_rows(writer, rows, tick=tick)


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


def _bad(line: int, what: str, file: str = "") -> MalformedError:
    return MalformedError("CC-TABLE", f"{file}line {line}: {what}", line=line)
