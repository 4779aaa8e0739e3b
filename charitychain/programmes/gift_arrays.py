"""Gifts as arrays: a series that is checked and filled many gifts at a time.

`Fund` does with arrays what `charitychain.interop.gifts_table.Series` does with rows, and tells what rounding did.

Rules upheld here:

- What the ledger holds is compared, array with array; the first gift that differs is named.
- Sums of money are exact: 64-bit halves are added apart, since numpy's sums wrap silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from charitychain import columns
from charitychain.errors import RefusedError
from charitychain.interop.gifts_table import GIFTS_IN_STATEMENT, SeriesInLedger
from charitychain.programmes.orders import OrderFile
from charitychain.state.lookup import columns_at
from charitychain.writer import Writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["PARTS", "Fund", "Part", "Remainders"]

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


class Fund:
    """The gifts of one account: all are checked first, then entered."""

    def __init__(self, writer: Writer, account: str, prefix: str, source: str, author: str | None) -> None:
        self._ledger = SeriesInLedger(
            writer, account=account, series=f"{prefix}-{account}", origin=source, author=author
        )
        self.account, self.series, self.unit = account, self._ledger.name, self._ledger.unit
        self.gifts = self.amount = self.kept_back = self.added = self.known = 0
        self._held: _Held | None = None  # the batch with which completed orders are compared now
        self._date: str | None = None  # and its date
        self._left: _Held | None = None  # and the one in which no other order may be
        self._parts: list[Part] = []
        self._parts_date = ""
        self.waiting = 0

    def check_part(self, file: OrderFile, part: Part, date: str) -> None:
        """Check gifts of one date against what the ledger holds."""
        amount = _sum(part.amounts)
        known = int((part.ids <= self._ledger.upto).sum())
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

    def holds(self, number: int) -> bool:
        """Say whether the series had gone on to this number before the import."""
        return number <= self._ledger.upto

    def check_left(self, file: OrderFile, rows: Numbers, orders: Numbers) -> None:
        """Check that no gift of these orders is in the ledger."""
        lookup = self._ledger.lookup
        at, known = 0, int(orders.searchsorted(self._ledger.upto, "right"))
        while at < known:
            held = self._left
            if held is None or not held.first <= int(orders[at]) <= held.last:
                batch = lookup.find_batch(self.series, int(orders[at]))
                if batch is None:
                    at += 1
                    continue
                held = self._left = _Held(columns_at(lookup, batch.place), batch.width)
            end = int(orders.searchsorted(held.last, "right"))
            there = held.ids[held.ids.searchsorted(orders[at:end])] == orders[at:end]
            if bool(there.any()):
                first = at + int(there.argmax())
                what = "is in the ledger already, and would be left out now"
                raise self._differs(file, int(rows[first]), int(orders[first]), what)
            at = end

    def _load(self, file: OrderFile, number: int, row: int) -> _Held:
        lookup = self._ledger.lookup
        batch = lookup.find_batch(self.series, number)
        if batch is None:
            raise self._differs(file, row, number, "is not in the ledger")
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
            what = "says something else than the ledger" if there[first] else "is not in the ledger"
            raise self._differs(file, int(part.rows[first]), int(part.ids[first]), what)

    def _differs(self, file: OrderFile, row: int, number: int, what: str) -> RefusedError:
        return RefusedError(
            "CC-DUPLICATE-ID",
            f"{file.path.name}, {file.unit} {file.number(row)}: gift {self.series}/{number} {what}, whose series has"
            f" gone on to {self._ledger.upto}",
            **{file.unit: file.number(row)},
        )

    def enter_part(self, part: Part, date: str) -> int:
        """Take gifts of one date; return how many of them are new. Whole batches are recorded at once."""
        known = int((part.ids <= self._ledger.upto).sum())
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
