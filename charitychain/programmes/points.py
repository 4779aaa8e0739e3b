"""Green points: acts earn points, and a sponsor's money redeems them, for trees for instance.

The table of acts is CSV, ``act,person,date,points``: `act` a whole number that rises from row to row, `person` a
pseudonym of 32 hexadecimal digits, `points` a whole number of at least 1. An act becomes a gift ``SERIES/act`` of the
source ``points``, and its donor is the person. The account is in a unit of its own, declared by a record, such as
``POINT``. One conversion by a declared rate turns points into money that a sponsor's account pays.

Rules upheld here:

- Points are of a unit that the ledger declared: neither money nor steps, minutes or goods.
- All rows are checked before the first block; a table that was entered is skipped when it is entered again, and one
  that says something else is refused.

What it leaves to others: the conversion (`charitychain.programmes.rates`), who may convert, and whether the sponsor has
the money (`charitychain.state`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from charitychain.errors import RefusedError
from charitychain.interop.gifts_table import Row, Series, import_rows
from charitychain.interop.journal import Imported
from charitychain.programmes.events import numbered_events, person, told, whole
from charitychain.programmes.rates import convert_at_rate
from charitychain.reading import Reader
from charitychain.units import BUILT_IN, Unit, parse_amount
from charitychain.writer import Writer

__all__ = ["import_acts", "redeem"]

_COLUMNS = ("act", "person", "date", "points")


def import_acts(
    writer: Writer,
    path: Path,
    account: str,
    *,
    series: str = "points",
    author: str | None = None,
    tick: Callable[[], None] | None = None,
) -> Imported:
    """Enter a table of acts into an account in points, and commit.

    Args:
        series: An act is then traced as ``SERIES/act``.
        author: Party that signs; nothing is the account's owner.
        tick: Called now and then, to show that it goes on.

    Raises:
        MalformedError, RefusedError: naming the line; nothing of this table was recorded. ``CC-UNIT``: the account is
            in a unit that every ledger has. ``CC-DUPLICATE-ID``: an act that is there says something else.
    """
    target = Series(writer, account=account, series=series, origin="points", author=author, file=path.name)
    _check_points(target.unit, account)

    def rows() -> Iterator[tuple[Series, Row]]:
        for act, event in numbered_events(path, required=_COLUMNS):
            whole(path, event, "points", least=1)
            points = told(path, event.line, lambda text: parse_amount(text, target.unit), event.fields["points"])
            donor = bytes.fromhex(person(path, event, "person"))
            yield target, Row(event.line, act, points, donor, bytes(16), event.fields["date"])

    return import_rows(writer, rows, tick=tick)


def redeem(
    reader: Reader, *, source: str, to: str, funded_from: str, rate: str, id: str, points: str | None = None
) -> dict[str, Any]:
    """Return the journal entry of one conversion of points into money.

    Args:
        source: The account in points.
        to: The account that gets the money.
        funded_from: The sponsor's account, which pays; in the currency of `to`.
        rate: ``POINTS=MONEY``, such as ``100=1.00``; the record's reference declares it.
        points: How many at most; nothing is the whole balance.

    Raises:
        RefusedError, MalformedError: as `charitychain.programmes.rates.convert_at_rate`; and ``CC-UNIT``: `source` is
            in a unit that every ledger has.
    """
    _check_points(reader.unit_of(reader.state.account_named(source)), source)
    return convert_at_rate(reader, source=source, to=to, funded_from=funded_from, rate=rate, id=id, most=points)


def _check_points(unit: Unit, account: str) -> None:
    if unit.code in BUILT_IN:
        what = f"account {account!r} is in {unit.code}, which is no unit of points; declare one, such as POINT"
        raise RefusedError("CC-UNIT", what)
