"""Gifts as arrays: a series that is checked and filled many gifts at a time.

`Fund` does with arrays what `charitychain.interop.gifts_table.Series` does with rows, and tells what rounding did.
`OrdersInLedger` finds numbers of orders in all series of a prefix.

Rules upheld here:

- What the ledger holds is compared, array with array; the first gift that differs is named.
- A number stands once in all series of a prefix, whatever account the listing of its order names now.
- Sums of money are exact: 64-bit halves are added apart, since numpy's sums wrap silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from charitychain import columns
from charitychain.errors import RefusedError
from charitychain.interop.gifts_table import GIFTS_IN_STATEMENT, SeriesInLedger, series_under
from charitychain.programmes.orders import OrderFile
from charitychain.state.lookup import Batch, Lookup, columns_at, find_gift
from charitychain.writer import Writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["PARTS", "Fund", "OrdersInLedger", "Part", "Remainders"]

PARTS = 10_000
"""Parts of a smallest unit in which remainders are counted: a percentage has two decimals."""


class Remainders(NamedTuple):
    """What rounding down kept back, and what the least unit added, in ten-thousandths of the smallest unit."""

    kept_back: int
    added: int

    def __str__(self) -> str:
        return f"{_parts(self.kept_back)} kept back, {_parts(self.added)} added"


def _parts(parts: int) -> str:
    """Return ten-thousandths as a decimal of smallest units."""
    return f"{parts // PARTS}.{parts % PARTS:04d}".rstrip("0").rstrip(".")


class Part(NamedTuple):
    """Gifts of one fund, in rising order."""

    rows: Numbers
    ids: Numbers
    amounts: Numbers
    kept: Numbers
    added: Numbers
    donors: NDArray[np.uint8]  # 16 bytes a row
    seconds: NDArray[np.uint8]

    def taken(self, which: Any) -> Part:
        """Return the gifts at some places, or of a slice."""
        columns_: tuple[Any, ...] = self
        return Part(*(column[which] for column in columns_))

    def cut(self, start: int, end: int | None) -> Part:
        return self.taken(slice(start, end))


class OrdersInLedger:
    """Where orders stand in the series of a prefix, ``PREFIX-ACCOUNT`` of any account, as they were before an import.

    Attributes:
        highest: The highest number in any of them, -1 where there is none: no order above it has to be looked for.
    """

    def __init__(self, writer: Writer, prefix: str) -> None:
        self._state = writer.core.state
        lookup = self._state.lookup
        self._series = [_Numbers(lookup, last.series, last.last) for last in series_under(writer, prefix)]
        self.highest = max((series.upto for series in self._series), default=-1)

    def check(self, file: OrderFile, rows: Numbers, orders: Numbers, enters: NDArray[np.bool_]) -> None:
        """Check orders, rising from call to call: no series has one that enters, nor one left out, but wholly reversed.

        Raises:
            RefusedError: ``CC-DUPLICATE-ID``.
        """
        found = sorted(at for series in self._series for at in series.find(orders))
        for at, amount, name in found:
            row, gift = int(rows[at]), f"{name}/{orders[at]}"
            if enters[at]:
                raise _stands(file, row, gift)
            if self._state.reversed_of(gift) < amount:
                raise _refused(
                    file, row, gift,
                    f"gift {gift} is in the ledger already, and would be left out now; if the order was cancelled or"
                    " sent back, reverse that gift first",
                )  # fmt: skip

    def find(self, number: int) -> str | None:
        """Return the gift of one order, whatever series it stands in."""
        gifts = (f"{series.name}/{number}" for series in self._series if number <= series.upto)
        return next((gift for gift in gifts if find_gift(self._state.lookup, gift) is not None), None)


class _Numbers:
    """The numbers of one series, of which a batch is held at a time."""

    def __init__(self, lookup: Lookup, name: str, upto: int) -> None:
        self._lookup, self.name, self.upto = lookup, name, upto
        self._batch: Batch | None = None
        self._held: tuple[Numbers, Numbers] | None = None

    def find(self, orders: Numbers) -> Iterator[tuple[int, int, str]]:
        """Yield which of some rising numbers are there: the place in `orders`, the amount, and the series' name."""
        at, count = 0, int(orders.searchsorted(self.upto, "right"))
        while at < count:
            batch = self._batch
            if batch is None or int(orders[at]) > batch.last:
                batch, self._held = self._lookup.next_batch(self.name, int(orders[at])), None
                if batch is None:
                    return
                self._batch = batch
            at = max(at, int(orders.searchsorted(batch.first)))
            end = int(orders.searchsorted(batch.last, "right"))
            if at < end:
                if self._held is None:
                    whole = _Held(columns_at(self._lookup, batch.place), batch.width)
                    self._held = whole.ids, whole.amounts
                ids, amounts = self._held
                places = ids.searchsorted(orders[at:end])
                for place in (ids[places] == orders[at:end]).nonzero()[0].tolist():
                    yield at + place, int(amounts[places[place]]), self.name
            at = end


def _stands(file: OrderFile, row: int, gift: str) -> RefusedError:
    return _refused(
        file, row, gift,
        f"order {gift.rpartition('/')[2]} stands in the ledger already as gift {gift}, and would give to another"
        " account now; an order gives once: give a listing that goes over to another cause a new id",
    )  # fmt: skip


def _refused(file: OrderFile, row: int, gift: str, what: str) -> RefusedError:
    where = f"{file.path.name}, {file.unit} {file.number(row)}"
    return RefusedError("CC-DUPLICATE-ID", f"{where}: {what}", **{file.unit: file.number(row)}, gift=gift)


class Fund:
    """The gifts of one account: all are checked first, then entered."""

    def __init__(
        self, writer: Writer, account: str, prefix: str, source: str, author: str | None, orders: OrdersInLedger
    ) -> None:
        self._orders = orders
        self._ledger = SeriesInLedger(
            writer, account=account, series=f"{prefix}-{account}", origin=source, author=author
        )
        self.account, self.series, self.unit = account, self._ledger.name, self._ledger.unit
        self.upto = self._ledger.upto
        self.gifts = self.amount = self.kept_back = self.added = self.known = 0
        self._held: _Held | None = None  # the batch with which completed orders are compared now
        self._date: str | None = None  # and its date
        self._parts: list[Part] = []
        self._parts_date = ""
        self.waiting = 0

    def check_part(self, file: OrderFile, part: Part, date: str) -> None:
        """Check gifts of one date against what the ledger holds."""
        amount = _sum(part.amounts)
        known = int((part.ids <= self.upto).sum())
        self.gifts, self.amount, self.known = self.gifts + len(part.ids), self.amount + amount, self.known + known
        self.kept_back, self.added = self.kept_back + _sum(part.kept), self.added + _sum(part.added)
        if known < len(part.ids):
            if self._ledger.is_to_come(date):
                where = f"{file.path.name}, {file.unit} {file.number(int(part.rows[known]))}"
                raise RefusedError("CC-FUTURE", f"{where}: {date} is still to come")
            if not self._ledger.has_room(_sum(part.amounts[known:])):
                raise file.bad(int(part.rows[-1]), "the account cannot take in 2^63 units or more in all")
        at = 0
        while at < known:
            held = self._held
            if held is None or held.last < int(part.ids[at]):
                held = self._held = self._load(file, int(part.ids[at]), int(part.rows[at]))
            end = min(int(part.ids.searchsorted(held.last, "right")), known)
            self._compare(file, part.cut(at, end), held, date)
            at = end

    def _load(self, file: OrderFile, number: int, row: int) -> _Held:
        lookup = self._ledger.lookup
        batch = lookup.find_batch(self.series, number)
        if batch is None:
            raise self._absent(file, row, number)
        self._date = self._ledger.check_batch(batch, file.unit, file.number(row), f"{file.path.name}, ")
        return _Held(columns_at(lookup, batch.place), batch.width)

    def _compare(self, file: OrderFile, part: Part, held: _Held, date: str) -> None:
        import numpy as np

        at = np.minimum(held.ids.searchsorted(part.ids), len(held.ids) - 1)
        there = held.ids[at] == part.ids
        same = there & (held.amounts[at] == part.amounts) & (held.donors[at] == part.donors).all(axis=1)
        same &= (held.seconds[at] == part.seconds).all(axis=1)
        if date != (self._date or ""):
            same[:] = False
        if not bool(same.all()):
            first = int(np.argmin(same))
            refused = self._differs if there[first] else self._absent
            raise refused(file, int(part.rows[first]), int(part.ids[first]))

    def _absent(self, file: OrderFile, row: int, number: int) -> RefusedError:
        if elsewhere := self._orders.find(number):
            return _stands(file, row, elsewhere)
        gift = f"{self.series}/{number}"
        return _refused(
            file, row, gift,
            f"gift {gift} is not in the ledger, whose series has gone on to {self.upto}, and numbers of a series only"
            " rise; number the sales in the order in which they complete",
        )  # fmt: skip

    def _differs(self, file: OrderFile, row: int, number: int) -> RefusedError:
        gift = f"{self.series}/{number}"
        what = f"says something else than the ledger, whose series has gone on to {self.upto}"
        return _refused(file, row, gift, f"gift {gift} {what}")

    def enter_part(self, part: Part, date: str) -> int:
        """Take gifts of one date; return how many of them are new. Whole batches are recorded at once."""
        known = int((part.ids <= self.upto).sum())
        if known == len(part.ids):
            return 0
        if date != self._parts_date:
            self.record()
        self._parts_date = date
        self._parts.append(part.cut(known, None))
        self.waiting += len(part.ids) - known
        if self.waiting >= GIFTS_IN_STATEMENT:
            whole = _joined(self._parts)
            full = self.waiting // GIFTS_IN_STATEMENT * GIFTS_IN_STATEMENT
            for start in range(0, full, GIFTS_IN_STATEMENT):
                self._seal(whole.cut(start, start + GIFTS_IN_STATEMENT))
            self.waiting -= full
            self._parts = [whole.cut(full, None)] if self.waiting else []
        return len(part.ids) - known

    @property
    def rounding(self) -> Remainders:
        """The remainders of all that was checked."""
        return Remainders(self.kept_back, self.added)

    def record(self) -> None:
        """Record the gifts that wait as one batch, if there are any."""
        if self._parts:
            self._seal(_joined(self._parts))
        self._parts, self.waiting = [], 0

    def _seal(self, part: Part) -> None:
        import numpy as np

        rounding = Remainders(_sum(part.kept), _sum(part.added))
        self._ledger.record(
            part.ids.view(np.uint64), part.amounts.view(np.uint64), part.donors.tobytes(), part.seconds.tobytes(),
            self._parts_date or None, f"rounding {rounding}" if any(rounding) else None,
        )  # fmt: skip


class _Held:
    """The columns of a batch in the ledger, as arrays."""

    def __init__(self, data: bytes, width: int) -> None:
        import numpy as np

        self.ids, self.amounts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        size, rows = columns.RUN * width, len(data) // width
        raw = np.frombuffer(data, np.uint8)
        self.donors, self.seconds = (np.zeros((rows, 16), np.uint8) for _ in range(2))
        ids, amounts = [], []
        whole = rows // columns.RUN
        for count, runs, at in ((columns.RUN, whole, 0), (rows - whole * columns.RUN, 1, whole * size)):
            if not count or not runs:
                continue
            table = raw[at : at + runs * count * width].reshape(runs, count * width)
            first = at // width
            ids.append(np.frombuffer(table[:, : 8 * count].tobytes(), "<i8"))
            amounts.append(np.frombuffer(table[:, -8 * count :].tobytes(), "<i8"))
            self.donors[first : first + runs * count] = table[:, 8 * count : 24 * count].reshape(-1, 16)
            if width == 48:
                self.seconds[first : first + runs * count] = table[:, 24 * count : 40 * count].reshape(-1, 16)
        self.ids, self.amounts = np.concatenate(ids), np.concatenate(amounts)
        self.first, self.last = int(self.ids[0]), int(self.ids[-1])


def _joined(parts: list[Part]) -> Part:
    import numpy as np

    return parts[0] if len(parts) == 1 else Part(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _sum(numbers: Numbers) -> int:
    """Return an exact sum of numbers that are not negative: numpy's own wraps silently."""
    return int((numbers & 0xFFFFFFFF).sum()) + (int((numbers >> 32).sum()) << 32)
