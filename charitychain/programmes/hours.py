"""Volunteer hours: minutes given at an event become MINUTE gifts, which a project uses.

The table of hours is CSV, ``entry,volunteer,date,event,minutes``: `entry` a whole number that rises from row to row,
`volunteer` a pseudonym of 32 hexadecimal digits, `event` the id of an account in MINUTE. An entry becomes a gift
``PREFIX-EVENT/entry`` of the source ``hours`` into the event's account, and its donor is the volunteer. What an event
gathered is spent on a project as one expenditure, and the organisation that got the work confirms it by its own key
(`charitychain acknowledge`).

Rules upheld here:

- All rows, of all events, are checked before the first block; a table that was entered is skipped when it is entered
  again, and one that says something else is refused.
- An entry's number is its own in all events of a prefix: one that stands as the gift of another event is refused, for
  its minutes would be given twice. Where that gift was reversed, it stands no more.
- An entry of no minutes is refused, for it would be an hour that nobody gave.
- Nothing is rounded: a minute is the smallest unit.

What it leaves to others: who may spend, and who may confirm (`charitychain.state`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from charitychain import columns, records
from charitychain.errors import RefusedError
from charitychain.interop.gifts_table import Row, Series, import_rows, series_under
from charitychain.interop.journal import Imported
from charitychain.programmes.balances import whole_balance
from charitychain.programmes.events import Event, bad_event, check_unit, numbered_events, person, whole
from charitychain.reading import Reader
from charitychain.state.lookup import columns_at
from charitychain.units import format_amount
from charitychain.writer import Writer

__all__ = ["import_hours", "spend_hours"]

UNIT = "MINUTE"
_COLUMNS = ("entry", "volunteer", "date", "event", "minutes")


def import_hours(
    writer: Writer,
    path: Path,
    *,
    prefix: str = "hours",
    author: str | None = None,
    tick: Callable[[], None] | None = None,
) -> Imported:
    """Enter a table of hours, each entry into the account of its event, and commit.

    Args:
        prefix: An entry is then traced as ``PREFIX-EVENT/entry``.
        author: Party that signs; nothing is the owner of each account.
        tick: Called now and then, to show that it goes on.

    Raises:
        MalformedError, RefusedError: naming the line; nothing of this table was recorded. ``CC-UNKNOWN-ACCOUNT``,
            ``CC-UNIT``: an event is no account, or one in another unit. ``CC-DUPLICATE-ID``: an entry that is there
            says something else, or is of another event.
    """
    events: dict[str, Series] = {}
    entered: _Entered | None = _Entered(writer, prefix)  # until all rows are checked

    def series_of(event: Event) -> Series:
        id_ = event.fields["event"]
        if not id_:
            raise bad_event(path, event.line, "the event is empty")
        found = events.get(id_)
        if found is None:
            try:
                found = Series(
                    writer, account=id_, series=f"{prefix}-{id_}", origin="hours", author=author, file=path.name
                )
                check_unit(found.unit, id_, UNIT)
            except RefusedError as error:
                where = f"{path.name}, line {event.line}"
                raise RefusedError(error.code, f"{where}: {error.message}", line=event.line) from error
            events[id_] = found
        return found

    def rows() -> Iterator[tuple[Series, Row]]:
        nonlocal entered
        for entry, event in numbered_events(path, required=_COLUMNS):
            minutes = whole(path, event, "minutes", least=1)
            donor, series = bytes.fromhex(person(path, event, "volunteer")), series_of(event)
            other = None if entered is None else entered.elsewhere(entry, series.name)
            if other is not None:
                raise RefusedError(
                    "CC-DUPLICATE-ID",
                    f"{path.name}, line {event.line}: entry {entry} stands in the ledger already, as gift {other}; if"
                    " it stands there wrongly, reverse that gift first",
                    line=event.line,
                    gift=other,
                )
            yield series, Row(event.line, entry, minutes, donor, bytes(16), event.fields["date"])
        entered = None

    return import_rows(writer, rows, tick=tick)


class _Entered:
    """The entries of all events that the ledger holds under a prefix, asked for in rising order."""

    def __init__(self, writer: Writer, prefix: str) -> None:
        self._state = writer.core.state
        self._names = [last.series for last in series_under(writer, prefix)]
        self._gifts: Iterator[tuple[int, str]] | None = None
        self._next: tuple[int, str] | None = None

    def elsewhere(self, entry: int, series: str) -> str | None:
        """Return the gift of another series that has this number and of which something stands; nothing if none."""
        if self._gifts is None:
            self._gifts = heapq.merge(*(self._of(name, entry) for name in self._names))
            self._next = next(self._gifts, None)
        while self._next is not None and self._next[0] <= entry:
            number, name = self._next
            if number == entry and name != series:
                gift = self._state.gift(f"{name}/{number}")
                if self._state.reversed_of(gift.id) < gift.amount:
                    return gift.id
            self._next = next(self._gifts, None)
        return None

    def _of(self, series: str, first: int) -> Iterator[tuple[int, str]]:
        """Yield the numbers of a series from `first` on, or from one before it; batches before it are not read."""
        lookup = self._state.lookup
        for batch in list(lookup.batches(series)):  # whole: an import that is refused reads no further
            if batch.last >= first:
                for gift in columns.iterate_gifts(columns_at(lookup, batch.place), batch.width):
                    yield gift.id, series


def spend_hours(reader: Reader, event: str, *, payee: str, purpose: str, id: str) -> dict[str, Any]:
    """Return the journal entry of an expenditure of all that an event's account holds.

    Under the id of an expenditure that is recorded already it is the same entry, although the account is empty by then.

    Args:
        payee: The organisation for which the volunteers worked.
        purpose: The project.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``; ``CC-UNIT``: not in MINUTE; ``CC-OVERDRAFT``: the account holds nothing.
    """
    account = reader.state.account_named(event)
    unit = reader.unit_of(account)
    check_unit(unit, event, UNIT)
    amount = whole_balance(reader, account, kind=records.Expenditure.KIND, id=id)
    if not amount and reader.index.find_id(id) is None:  # else the ledger says whether that record is this one
        raise RefusedError("CC-OVERDRAFT", f"account {event!r} holds no minutes that could be spent", account=event)
    return {
        "record": "expenditure", "id": id, "from": event, "amount": format_amount(amount, unit), "payee": payee,
        "purpose": purpose,
    }  # fmt: skip
