"""Goods for Good: what completed orders give, by what merchants promised for each item.

A merchant lists an item with a fixed amount or a percentage of each sale for a named cause. The listings are CSV,
``listing,merchant,account,fixed,percent``: exactly one of `fixed` (major units, for each piece) and `percent` (above 0,
at most 100, two decimals) is told, and `account` is the cause. Orders are `charitychain.programmes.orders`. Each
completed order becomes a gift ``PREFIX-ACCOUNT/order`` of the source ``goods-for-good``; its donor is the consumer, its
second party the merchant, and both can find it by their own pseudonym.

Rules upheld here:

- A gift is fixed × quantity, or price × quantity × percent rounded down to whole smallest units, and one at least.
- What rounding keeps back and what that least unit adds are summed exactly, in ten-thousandths of the smallest unit;
  they are told for each account, and each batch says its own in its `reference`.
- An order that was not completed never enters, and neither does a percentage of a price of 0; both are counted.
- An order gives once: its number stands in one series of the prefix, whatever account its listing names now. One that
  gave and would be left out now is refused, but where its gift was reversed.
- All lines are checked before the first block; lines that the ledger holds already are compared with it and skipped, so
  an import that was killed goes on where it stopped.
- Memory grows with the listings, not with the orders, but in a dry run, which keeps what it would have written.
- Money is whole 64-bit numbers, and each product is checked before it is made.

What it leaves to others: who may take in gifts (`charitychain.state`).

>>> str(Remainders(123, 4000)), str(Remainders(0, 0))
('0.0123 kept back, 0.4 added', '0 kept back, 0 added')
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from charitychain.codec import MAX_INT
from charitychain.errors import MalformedError, RefusedError, UnreadableError
from charitychain.programmes.events import Event, bad_event, person, read_events, told
from charitychain.programmes.gift_arrays import PARTS, Fund, OrdersInLedger, Part, Remainders
from charitychain.programmes.orders import Lines, OrderFile
from charitychain.records import check_date
from charitychain.units import Unit, parse_amount
from charitychain.writer import Writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["FundTotals", "ImportedOrders", "Remainders", "import_orders"]

SOURCE = "goods-for-good"
_COLUMNS = ("listing", "merchant", "account", "fixed", "percent")
_PERCENT = Unit("PERCENT", 2)
_STATEMENTS_IN_GROWING_BLOCK = 10  # of full batches, for the most part
_STATEMENTS_IN_BLOCK = 1_000
_STATUSES = 1_000  # different ones; a column of more holds something else
_GIFTS_WAITING = 500_000  # gifts of all accounts that wait for a full batch


@dataclass(frozen=True, slots=True)
class FundTotals:
    """What all completed orders of the file give to one account, those that the ledger held before among them.

    Attributes:
        account, series, unit: Where the gifts stand.
        gifts, amount: How many, and their sum in smallest units.
        rounding: Sums of remainders: amount × 10000 + kept_back − added is what was promised, exactly.
    """

    account: str
    series: str
    unit: Unit
    gifts: int
    amount: int
    rounding: Remainders


@dataclass(frozen=True, slots=True)
class ImportedOrders:
    """What came of a table of orders.

    Attributes:
        added, known, blocks: Gifts that are new, that the ledger held before, and blocks sealed.
        left: How many orders did not enter since they have which other status.
        gave_nothing: How many completed orders did not enter since they promised a percentage of 0.
        accounts: One for each account that got a gift, in the order of the listings.
    """

    added: int
    known: int
    blocks: int
    left: dict[str, int]
    gave_nothing: int
    accounts: tuple[FundTotals, ...]

    @property
    def left_out(self) -> int:
        """How many orders did not enter in all."""
        return sum(self.left.values()) + self.gave_nothing


class _Listings:
    """The listings, as arrays, and the funds that they name."""

    def __init__(self, writer: Writer, path: Path, prefix: str, author: str | None) -> None:
        import numpy as np

        self._in_ledger = OrdersInLedger(writer, prefix)
        self.index: dict[str, int] = {}
        self.funds: list[Fund] = []
        by_account: dict[str, int] = {}
        rows: list[tuple[int, int, int, int]] = []
        merchants = bytearray()
        for event in _events(path):
            id_, account = event.fields["listing"], event.fields["account"]
            if not id_ or id_ in self.index:
                what = f"listing {id_!r:.60} is told twice" if id_ else "a listing must have an id"
                raise bad_event(path, event.line, what)
            if account not in by_account:
                try:
                    self.funds.append(Fund(writer, account, prefix, SOURCE, author, self._in_ledger))
                except RefusedError as error:
                    where = f"{path.name}, line {event.line}"
                    raise RefusedError(error.code, f"{where}: {error.message}", line=event.line) from error
                by_account[account] = len(self.funds) - 1
            fund = by_account[account]
            fixed, rate = _promise(path, event, self.funds[fund].unit)
            self.index[id_] = len(rows)
            rows.append((fund, fixed, rate, self.funds[fund].unit.decimals))
            merchants += bytes.fromhex(person(path, event, "merchant"))
        table = np.array(rows, np.int64).reshape(-1, 4)
        self.fund, self.fixed, self.rate, self.decimals = (np.ascontiguousarray(table[:, i]) for i in range(4))
        self.upto = np.array([fund.upto for fund in self.funds], np.int64)
        self.fund = self.fund.astype(np.min_scalar_type(len(self.funds)))  # numpy sorts small numbers much faster
        self.merchants = np.frombuffer(bytes(merchants), np.uint8).reshape(-1, 16)

    def giving(self, file: OrderFile, lines: Lines) -> tuple[Lines, Numbers]:
        """Return the lines, those that give nothing among the ones that were left out, and the listing of each."""
        import numpy as np

        places = np.array([self.index.get(id_, -1) for id_ in lines.listings], np.int64)
        at = places[lines.listing]
        if bool((at < 0).any()):
            row = int(np.argmax(at < 0))
            name = lines.listings[int(lines.listing[row])]
            raise file.bad(int(lines.rows[row]), f"there is no listing {name!r:.60}")
        free = lines.digits == 0
        if not bool(free.any()):
            return lines, at
        free &= self.fixed[at] == 0
        left_rows = np.concatenate([lines.left_rows, lines.rows[free]])
        left_orders = np.concatenate([lines.left_orders, lines.orders[free]])
        gives = ~free
        names = ("rows", "orders", "listing", "digits", "decimals", "quantity", "consumers", "date")
        kept = {name: getattr(lines, name)[gives] for name in names}
        return lines._replace(**kept, left_rows=np.sort(left_rows), left_orders=np.sort(left_orders)), at[gives]

    def check_numbers(self, file: OrderFile, lines: Lines, at: Numbers) -> None:
        """Check that orders which are new to their series stand in no other, and that those left out stand in none."""
        import numpy as np

        highest = self._in_ledger.highest
        if all(int(orders[0]) > highest for orders in (lines.orders, lines.left_orders) if len(orders)):
            return
        new, left = (lines.orders > self.upto[self.fund[at]]) & (lines.orders <= highest), lines.left_orders <= highest
        rows = np.concatenate([lines.rows[new], lines.left_rows[left]])
        rising = np.argsort(rows)
        enters = np.arange(len(rows)) < int(new.sum())
        orders = np.concatenate([lines.orders[new], lines.left_orders[left]])
        self._in_ledger.check(file, rows[rising], orders[rising], enters[rising])

    def parts(self, file: OrderFile, lines: Lines, at: Numbers) -> Iterator[tuple[Fund, Part, str]]:
        """Yield the gifts of lines, of which `giving` told the listings, by fund, and by date within it."""
        import numpy as np

        if not len(lines.rows):
            return
        amounts, kept, added = self._amounts(file, lines, at)
        for date in lines.dates:
            if date:
                self._check_date(file, lines, date)
        fund = self.fund[at]
        whole = Part(lines.rows, lines.orders, amounts, kept, added, lines.consumers, self.merchants[at])
        dates = lines.date
        if bool((fund != fund[0]).any()):
            order = np.argsort(fund, kind="stable")
            whole, fund, dates = whole.taken(order), fund[order], dates[order]
        cuts = np.flatnonzero((fund[1:] != fund[:-1]) | (dates[1:] != dates[:-1])) + 1
        bounds = [0, *cuts.tolist(), len(fund)]
        for start, end in pairwise(bounds):
            yield self.funds[int(fund[start])], whole.cut(start, end), lines.dates[int(dates[start])]

    def _amounts(self, file: OrderFile, lines: Lines, at: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Return the amount of each line, what it kept back and what was added, in parts."""
        import numpy as np

        shift, digits = self.decimals[at] - lines.decimals, lines.digits
        if bool((shift < 0).any()):  # fine, where they are zeros
            cut = 10 ** np.maximum(-shift, 0)
            digits = digits // cut
            lossy = digits * cut != lines.digits
            if bool(lossy.any()):
                row = int(np.argmax(lossy))
                unit = self.funds[int(self.fund[at[row]])].unit
                what = f"price has more decimals than {unit.code}, which has {unit.decimals}"
                raise file.bad(int(lines.rows[row]), what)
            shift = np.maximum(shift, 0)
        fixed = self.fixed[at]
        base = np.where(fixed > 0, fixed, digits)
        shift[fixed > 0] = 0
        powers = 10 ** np.arange(13)
        large = base > (MAX_INT // powers)[shift]
        one, many = base * powers[shift], lines.quantity
        # The upper half of one × many, from halves of one: many is below 2³⁰. (numpy divides large numbers slowly.)
        large |= (one >> 32) * many + ((one & 0xFFFFFFFF) * many >> 32) >= 2**31
        if bool(large.any()):
            raise file.bad(int(lines.rows[int(np.argmax(large))]), "price × quantity is 2^63 smallest units or more")
        total, rate = one * many, self.rate[at]
        # In two steps, so that no product is above 2⁶³: rate is at most PARTS. (numpy's % is slower than its //.)
        whole = total // PARTS
        rest = (total - whole * PARTS) * rate
        carried = rest // PARTS
        amounts, rest = whole * rate + carried, rest - carried * PARTS
        least = amounts == 0
        return np.where(least, 1, amounts), np.where(least, 0, rest), np.where(least, PARTS - rest, 0)

    def _check_date(self, file: OrderFile, lines: Lines, date: str) -> None:
        import numpy as np

        try:
            check_date(date)
        except MalformedError as error:
            row = int(np.argmax(lines.date == lines.dates.index(date)))
            raise file.bad(int(lines.rows[row]), error.message) from error


def import_orders(
    writer: Writer,
    orders_path: Path,
    listings_path: Path,
    series: str = "gfg",
    progress: Callable[[int, int], None] | None = None,
    *,
    author: str | None = None,
) -> ImportedOrders:
    """Enter what the completed orders of a file give, each into the account of its listing, and commit.

    Args:
        orders_path: CSV, or Parquet where its name ends with ``.parquet``; it is read twice.
        listings_path: CSV.
        series: A gift is then traced as ``SERIES-ACCOUNT/order``.
        progress: Called with how much is done, and how much there is to do.
        author: Party that signs; nothing is the owner of each account.

    Raises:
        UnreadableError: ``CC-UNREADABLE``: a file cannot be opened, or pyarrow is not installed.
        MalformedError, RefusedError: naming the line or row; nothing of this file was recorded. ``CC-TABLE``;
            ``CC-UNKNOWN-ACCOUNT``: a cause is no account. ``CC-DUPLICATE-ID``: an order that is in the ledger says
            something else, would give to another account, or would be left out now; or one completed too late for the
            numbers of its series, which only rise.
    """
    file = OrderFile(orders_path)
    listings = _Listings(writer, listings_path, series, author)
    core = writer.core

    def half(number: int) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, size: progress(number * size + done, 2 * size)

    left, left_out = Counter[str](), 0
    for told_lines in file.lines(half(0)):
        lines, at = listings.giving(file, told_lines)
        left.update(lines.left)
        left_out += len(lines.left_rows)
        if len(left) > _STATUSES:
            what = f"up to here there are more than {_STATUSES} different statuses; is the column 'status' another one?"
            raise file.bad(int(lines.left_rows[-1]), what)
        listings.check_numbers(file, lines, at)
        for fund, part, date in listings.parts(file, lines, at):
            fund.check_part(file, part, date)
    known, gifts = (sum(getattr(fund, name) for fund in listings.funds) for name in ("known", "gifts"))
    added = blocks = 0
    if known < gifts:
        for told_lines in file.lines(half(1)):
            for fund, part, date in listings.parts(file, *listings.giving(file, told_lines)):
                added += fund.enter_part(part, date)
                if core.pending >= _STATEMENTS_IN_GROWING_BLOCK:
                    writer.commit()
                    blocks += 1
            if sum(fund.waiting for fund in listings.funds) >= _GIFTS_WAITING:
                blocks += _flush(writer, listings.funds)
        blocks += _flush(writer, listings.funds)
    totals = tuple(
        FundTotals(fund.account, fund.series, fund.unit, fund.gifts, fund.amount, fund.rounding)
        for fund in listings.funds
        if fund.gifts
    )
    return ImportedOrders(added, known, blocks, dict(left), left_out - left.total(), totals)


def _flush(writer: Writer, funds: list[Fund]) -> int:
    blocks = 0
    for fund in funds:
        fund.record()
        if writer.core.pending >= _STATEMENTS_IN_BLOCK:
            writer.commit()
            blocks += 1
    if writer.core.pending:
        writer.commit()
        blocks += 1
    return blocks


def _events(path: Path) -> Iterator[Event]:
    try:
        yield from read_events(path, required=_COLUMNS)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}") from error


def _promise(path: Path, event: Event, unit: Unit) -> tuple[int, int]:
    """Return the fixed amount (0: a percentage) and the rate in ten-thousandths."""
    fixed, percent = event.fields["fixed"], event.fields["percent"]
    if bool(fixed) == bool(percent):
        raise bad_event(path, event.line, "exactly one of fixed and percent is told")
    if fixed:
        return told(path, event.line, lambda text: parse_amount(text, unit), fixed), PARTS
    rate = told(path, event.line, lambda text: parse_amount(text, _PERCENT), percent)
    if rate > PARTS:
        raise bad_event(path, event.line, f"percent is at most 100, found {percent!r}")
    return 0, rate
