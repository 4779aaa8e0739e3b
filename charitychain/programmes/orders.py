"""Orders: the lines of a table of orders, CSV or Parquet, as arrays, batch by batch.

The columns are ``order,listing,consumer,price,status`` and, where they are there, ``quantity`` and ``date``, in any
order. A file whose name ends with ``.parquet`` is Parquet, with text, whole numbers, decimals, dates or timestamps in
its columns, and pseudonyms also as 16 bytes; every other is CSV in UTF-8 with a header.
`charitychain.programmes.goods_for_good` makes gifts of them.

Rules upheld here:

- A file is read in batches: memory does not grow with it.
- Numbers are taken from their text, digit by digit: nothing passes through a float, and a column of floats is refused.
- pyarrow reads the next batch on another core while this one is looked at.
- Every row must fit, and an error names its line (CSV) or row (Parquet), both counted from 1.
- Only lines with the status `completed` are read further; one that looks like it and is not is an error, and others
  are counted by name. The numbers of all orders rise strictly.
- A timestamp is its day in UTC; one of another time zone is refused.

pyarrow does the reading; it is the extra ``tables`` and imported only when a file is opened.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from charitychain.codec import MAX_INT
from charitychain.errors import MalformedError, UnreadableError
from charitychain.programmes.events import bad_event, read_events
from charitychain.programmes.parquet_text import as_text, can_be_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    _Batch = tuple[Any, int, int]  # rows; how much is read, and of how much

__all__ = ["Lines", "OrderFile"]

REQUIRED = ("order", "listing", "consumer", "price", "status")
OPTIONAL = ("quantity", "date")
COMPLETED = "completed"
QUANTITY_MAX = 10**9
_BYTES_IN_BATCH = 1_000_000  # pyarrow reads up to 32 of them ahead
_ROWS_IN_BATCH = 65_536
_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")
_PRICE = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_PRICE_DIGITS = 18  # so that its digits always fit 64 bits
_PERSON = re.compile(r"(?:[0-9a-fA-F]{32})?")


class Lines(NamedTuple):
    """Some completed orders, and which were left out between them; arrays of equal length.

    Attributes:
        rows: Where each stands in the file, counted from 0.
        orders: The numbers of the orders.
        listings, listing: Ids of listings, and for each line which of them.
        digits, decimals: The price without its point, and how many digits stood behind that.
        quantity: 1 where it is not told.
        consumers: 16 bytes a line, zero where nobody is named.
        dates, date: Dates, empty where none is told, and for each line which of them.
        left_rows, left_orders: The lines that were left out.
        left: How many of them have which status.
    """

    rows: Numbers
    orders: Numbers
    listings: list[str]
    listing: Numbers
    digits: Numbers
    decimals: Numbers
    quantity: Numbers
    consumers: NDArray[np.uint8]
    dates: list[str]
    date: Numbers
    left_rows: Numbers
    left_orders: Numbers
    left: dict[str, int]


class OrderFile:
    """A table of orders that is read from its start each time that `lines` is called.

    Raises:
        UnreadableError: ``CC-UNREADABLE``: pyarrow is not installed, or the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
        except ImportError as error:
            raise UnreadableError(
                "CC-UNREADABLE",
                "a table of orders is read with the package pyarrow; install it (pip install 'charitychain[tables]')",
            ) from error
        self.path = path
        self.is_parquet = path.name.lower().endswith(".parquet")
        self.unit = "row" if self.is_parquet else "line"
        try:
            with path.open("rb"):
                self.size = path.stat().st_size
        except OSError as error:
            raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}") from error

    def number(self, row: int) -> int:
        """Return the line (CSV, after a header) or row (Parquet) of a row that is counted from 0."""
        return row + (1 if self.is_parquet else 2)

    def bad(self, row: int, what: str) -> MalformedError:
        """Return the error for a row, counted from 0, that says nothing that can be entered."""
        if not self.is_parquet:
            return bad_event(self.path, self.number(row), what)
        number = self.number(row)
        return MalformedError("CC-TABLE", f"{self.path.name}, row {number}: {what}", row=number)

    def lines(self, progress: Callable[[int, int], None] | None = None) -> Iterator[Lines]:
        """Yield the lines of the file in order.

        Args:
            progress: Called with how much is read, and how much there is.

        Raises:
            MalformedError: ``CC-TABLE``, naming the line or row.
        """
        import pyarrow as pa

        first, previous = 0, -1
        try:
            for batch, done, size in _ahead(self._parquet() if self.is_parquet else self._csv()):
                if batch.num_rows:
                    found = _Rows(self, batch, first).lines(previous)
                    first, previous = first + batch.num_rows, found[1]
                    yield found[0]
                if progress is not None:
                    progress(done, size)
        except pa.ArrowInvalid as error:
            raise self._explained(str(error), first) from error
        except (pa.ArrowException, OSError) as error:
            raise UnreadableError("CC-UNREADABLE", f"{self.path} cannot be read: {error!s:.200}") from error

    def _csv(self) -> Iterator[_Batch]:
        import pyarrow as pa
        from pyarrow import csv

        if next(read_events(self.path, required=REQUIRED, optional=OPTIONAL), None) is None:
            return  # it looks at the header and the first row, as in every other table
        with pa.OSFile(str(self.path), "rb") as file:
            reader = csv.open_csv(
                file,
                csv.ReadOptions(block_size=_BYTES_IN_BATCH),
                csv.ParseOptions(ignore_empty_lines=False),
                csv.ConvertOptions(
                    column_types=dict.fromkeys((*REQUIRED, *OPTIONAL), pa.string()), strings_can_be_null=False
                ),
            )
            for batch in reader:
                yield batch, file.tell(), self.size

    def _parquet(self) -> Iterator[_Batch]:
        import pyarrow as pa
        from pyarrow import parquet

        with parquet.ParquetFile(self.path) as file:
            schema = file.schema_arrow
            self._check_names(schema.names)
            for field in schema:
                if not can_be_text(field.type, or_bytes=field.name == "consumer"):
                    fits = "text, whole numbers, decimals, dates or timestamps in UTC"
                    raise self.bad(0, f"column {field.name!r} holds {field.type}; it must hold {fits}")
            done = 0
            for batch in file.iter_batches(_ROWS_IN_BATCH):
                texts = [as_text(column) for column in batch.columns]
                done += batch.num_rows
                yield pa.RecordBatch.from_arrays(texts, names=schema.names), done, file.metadata.num_rows

    def _check_names(self, names: list[str]) -> None:
        known = (*REQUIRED, *OPTIONAL)
        for name in names:
            if name not in known or names.count(name) > 1:
                what = "stands there twice" if name in known else f"is not known; there may be {', '.join(known)}"
                raise self.bad(0, f"column {name!r:.60} {what}")
        for name in REQUIRED:
            if name not in names:
                raise self.bad(0, f"the column {name!r} is missing")

    def _explained(self, told: str, first: int) -> MalformedError:
        """Return what is wrong where pyarrow could not read on, with the line, which it does not always tell."""
        if not self.is_parquet:
            with self.path.open("rb") as file:
                for number, line in enumerate(file):
                    try:
                        line.decode("utf-8")
                    except UnicodeDecodeError:
                        return self.bad(number - 1, "it is no UTF-8 text")
            if "Expected" in told:  # it does not always tell the line
                return self._misfit(first)
        return self.bad(max(first, 0), f"it cannot be read from here on: {told:.120}")

    def _misfit(self, first: int) -> MalformedError:
        """Return the error for the first row from `first` on that has not as many fields as the header."""
        import csv

        with self.path.open(encoding="utf-8-sig", newline="") as file:
            expected = len(next(csv.reader([file.readline()])))
            for row, line in enumerate(file):
                found = len(next(csv.reader([line]), []))
                if row >= first and found not in (0, expected):
                    return self.bad(row, f"expected {expected} fields, found {found}")
        return self.bad(first, f"a row has not {expected} fields")


def _ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Yield batches while a thread, which pyarrow lets run beside Python's own work, reads the next one."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _looks_completed(status: str) -> bool:
    """Say whether a status is nothing, or `completed` but for case and white space."""
    return "".join(status.split()).casefold() in ("", COMPLETED)


class _Rows:
    """One batch of rows, all of them text."""

    def __init__(self, file: OrderFile, batch: Any, first: int) -> None:
        import numpy as np

        self._file, self._batch = file, batch
        self._rows = np.arange(first, first + batch.num_rows, dtype=np.int64)

    def lines(self, previous: int) -> tuple[Lines, int]:
        """Return the lines, and the number of the last order."""
        import numpy as np
        import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

        if not self._file.is_parquet:
            self._drop_blank()
        orders = self._whole("order")
        last, left_rows, left_orders, left = previous, orders[:0], orders[:0], dict[str, int]()
        if len(orders):
            last = int(orders[-1])
            if orders[0] <= previous or not bool((orders[1:] > orders[:-1]).all()):
                before = np.concatenate([np.array([previous], np.int64), orders[:-1]])
                at = int(np.argmax(orders <= before))
                raise self._bad(at, f"order {orders[at]} does not rise above {before[at]}")
        status = self._batch.column("status")
        entering = pc.equal(status, COMPLETED)
        if not pc.all(entering).as_py():
            counted = pc.value_counts(status.filter(pc.invert(entering)))
            left = dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))
            if any(map(_looks_completed, left)):
                what = f"status must be {COMPLETED!r} exactly, or the name of another state"
                raise self._refused("status", lambda text: text == COMPLETED or not _looks_completed(text), what)
            kept = entering.to_numpy(zero_copy_only=False)
            left_rows, left_orders = self._rows[~kept], orders[~kept]
            used = [name for name in self._batch.schema.names if name not in ("order", "status")]
            self._batch = self._batch.select(used).filter(entering)
            self._rows, orders = self._rows[kept], orders[kept]
        listings, listing = self._distinct("listing")
        digits, decimals = self._price()
        dates, date = self._distinct("date")
        return Lines(
            self._rows, orders, listings, listing, digits, decimals, self._quantity(), self._people(), dates, date,
            left_rows, left_orders, left,
        ), last  # fmt: skip

    def _drop_blank(self) -> None:
        """Drop the lines that hold nothing at all: pyarrow makes rows of empty fields of them."""
        import numpy as np
        import pyarrow.compute as pc

        _, bounds = self._bytes("order")
        if bool((bounds[1:] > bounds[:-1]).all()):
            return
        told = np.zeros(len(self._rows), np.bool_)
        for column in self._batch.columns:
            told |= pc.not_equal(column, "").to_numpy(zero_copy_only=False)
        self._batch, self._rows = self._batch.filter(told), self._rows[told]

    def _bad(self, at: int, what: str) -> MalformedError:
        return self._file.bad(int(self._rows[at]), what)

    def _refused(self, name: str, fits: Callable[[str], object], what: str) -> MalformedError:
        """Return the error for the first text of a column that does not fit."""
        texts = self._batch.column(name).to_pylist()
        at = next((i for i, text in enumerate(texts) if not fits(text)), 0)
        return self._bad(at, f"{what}, found {texts[at]!r:.60}")

    def _bytes(self, name: str) -> tuple[NDArray[np.uint8], Numbers]:
        """Return the bytes of a column end to end, and where each text starts and the last one ends."""
        import numpy as np

        array = self._batch.column(name)
        _, offsets, data = array.buffers()
        bounds = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
        held = np.frombuffer(data if data is not None else b"", np.uint8)[bounds[0] : bounds[-1]]
        return held, bounds - bounds[0]

    def _distinct(self, name: str) -> tuple[list[str], Numbers]:
        import numpy as np

        if name not in self._batch.schema.names:
            return [""], np.zeros(len(self._rows), np.int64)
        found = self._batch.column(name).dictionary_encode()
        return found.dictionary.to_pylist(), found.indices.to_numpy().astype(np.int64)

    def _whole(self, name: str, most: int = MAX_INT) -> Numbers:
        """Return a column of whole numbers without leading zeros."""
        import pyarrow as pa

        data, bounds = self._bytes(name)
        lengths = bounds[1:] - bounds[:-1]
        if len(lengths) == 0:
            return lengths
        good = bool(lengths.min() >= 1) and bool(lengths.max() <= 19) and bool(((data - 48) < 10).all())
        if good and not bool(((data[bounds[:-1]] == 48) & (lengths > 1)).any()):
            try:
                found: Numbers = self._batch.column(name).cast(pa.int64()).to_numpy()
            except pa.ArrowInvalid:  # above 2⁶³
                pass
            else:
                if bool(found.max() <= most):
                    return found
        what = f"{name} must be a whole number of at most {most}"
        raise self._refused(name, lambda text: _WHOLE.fullmatch(text) and int(text) <= most, what)

    def _quantity(self) -> Numbers:
        import numpy as np
        import pyarrow.compute as pc

        count = len(self._rows)
        if "quantity" not in self._batch.schema.names or not count:
            return np.ones(count, np.int64)
        at = self._batch.schema.get_field_index("quantity")
        told = self._batch.column(at)
        untold = pc.equal(told, "")
        if pc.any(untold).as_py():
            self._batch = self._batch.set_column(at, "quantity", pc.if_else(untold, "1", told))
        found = self._whole("quantity", QUANTITY_MAX)
        if not bool(found.min() >= 1):
            raise self._bad(int(np.argmin(found)), "quantity must be 1 at least, found '0'")
        return found

    def _price(self, *, stripped: bool = False) -> tuple[Numbers, Numbers]:
        """Return the digits of prices as whole numbers, and how many of them stand behind the point."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        data, bounds = self._bytes("price")
        count, lengths = len(bounds) - 1, bounds[1:] - bounds[:-1]
        if not count:
            return lengths, lengths
        point = pc.find_substring(self._batch.column("price"), ".").to_numpy()
        has_point = point >= 0
        whole = np.where(has_point, point, lengths)
        decimals = np.where(has_point, lengths - 1 - point, 0)
        digits = data[data != 46]
        starts = bounds.astype(np.int32)
        starts[1:] -= has_point.cumsum(dtype=np.int32)
        good = len(digits) == int(starts[-1]) and bool(((digits - 48) < 10).all())  # no price has a second point
        good = good and bool(whole.min() >= 1) and bool((whole + decimals).max() <= _PRICE_DIGITS)
        if not good or bool(((decimals < 1) & has_point | (data[bounds[:-1]] == 48) & (whole > 1)).any()):
            if not stripped:  # of decimals such as 12.500000000000000000, zeros are no digits too many
                at = self._batch.schema.get_field_index("price")
                column = pc.replace_substring_regex(self._batch.column(at), r"^(\d+)\.0+$", r"\1")
                column = pc.replace_substring_regex(column, r"^(\d+\.\d*[1-9])0+$", r"\1")
                self._batch = self._batch.set_column(at, "price", column)
                return self._price(stripped=True)
            what = f"price must be plain digits, {_PRICE_DIGITS} at most, with at most one point, such as 12.50"
            raise self._refused(
                "price", lambda text: _PRICE.fullmatch(text) and len(text.replace(".", "")) <= _PRICE_DIGITS, what
            )
        buffers = [None, pa.py_buffer(starts), pa.py_buffer(digits)]
        return pa.Array.from_buffers(pa.string(), count, buffers).cast(pa.int64()).to_numpy(), decimals

    def _people(self) -> NDArray[np.uint8]:
        import numpy as np

        data, bounds = self._bytes("consumer")
        lengths = bounds[1:] - bounds[:-1]
        told = lengths > 0
        try:
            if not bool((lengths[told] == 32).all()):
                raise ValueError("of another length")
            found = binascii.unhexlify(data.data)
        except ValueError:  # binascii.Error is one
            what = "consumer must be 32 hexadecimal digits (in Parquet also 16 bytes) or nothing, never a name"
            raise self._refused("consumer", _PERSON.fullmatch, what) from None
        named = np.frombuffer(found, np.uint8).reshape(-1, 16)
        if bool(told.all()):
            return named
        people = np.zeros((len(lengths), 16), np.uint8)
        people[told] = named
        return people
