"""Green points: acts earn points, and a sponsor's money redeems them, for trees for instance.

The table of acts is CSV, ``act,person,date,points``: `act` a whole number that rises from row to row, `person` a
pseudonym of 32 hexadecimal digits, `points` a whole number of at least 1. An act becomes a gift ``SERIES/act`` of the
source ``points``, and its donor is the person. The account is in a unit of its own, declared by a record, such as
``POINT``. One conversion by a declared rate turns points into money that a sponsor's account pays.

Rules upheld here:

- All rows are checked before the first block; a table that was entered is skipped when it is entered again, and one
  that says something else is refused.
- A conversion takes no more points than its money needs; the rest stays in the account.

What it leaves to others: who may convert, and whether the sponsor has the money (`charitychain.state`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from charitychain.errors import RefusedError
from charitychain.interop.gifts_table import Row, Series, import_rows
from charitychain.interop.journal import Imported
from charitychain.programmes.events import numbered_events, person, told, whole
from charitychain.programmes.rates import Rate
from charitychain.reading import Reader
from charitychain.units import CURRENCIES, Unit, format_amount, parse_amount
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
            in money. ``CC-DUPLICATE-ID``: an act that is there says something else.
    """
    target = Series(writer, account=account, series=series, origin="points", author=author)
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
        source, to: The account in points, and the account that gets the money.
        funded_from: The sponsor's account, which pays.
        rate: ``POINTS=MONEY``, such as ``100=1.00``; the record's reference declares it.
        points: How many at most; nothing is the whole balance.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``; ``CC-UNIT``: an account in money. ``CC-CONVERSION``: too few points for
            one smallest unit of money. ``CC-OVERDRAFT``: more points than the account holds.
        MalformedError: ``CC-AMOUNT``.
    """
    account, target = reader.state.account_named(source), reader.state.account_named(to)
    unit, currency = reader.unit_of(account), reader.unit_of(target)
    _check_points(unit, source)
    declared = Rate.parse(rate, unit, currency)
    available = account.balance if points is None else parse_amount(points, unit)
    if available > account.balance and reader.index.find_id(id) is None:
        raise RefusedError(
            "CC-OVERDRAFT",
            f"account {source!r} holds {format_amount(account.balance, unit)} {unit.code}, fewer than {points}",
        )
    taken, gives = declared.cut(available)
    if not gives:
        raise RefusedError(
            "CC-CONVERSION",
            f"{format_amount(available, unit)} {unit.code} of {source!r} give nothing at {declared.text}",
        )
    return {
        "record": "conversion", "id": id, "from": source, "amount": format_amount(taken, unit), "to": to,
        "gives": format_amount(gives, currency), "funded_from": funded_from, "reference": f"rate {declared.text}",
    }  # fmt: skip


def _check_points(unit: Unit, account: str) -> None:
    if unit.code in CURRENCIES:
        raise RefusedError("CC-UNIT", f"account {account!r} is in {unit.code}, which is money and not points")
