"""Volunteer hours: minutes given at an event become MINUTE gifts, which a project uses.

The table of hours is CSV, ``entry,volunteer,date,event,minutes``: `entry` a whole number that rises from row to row,
`volunteer` a pseudonym of 32 hexadecimal digits, `event` the id of an account in MINUTE. An entry becomes a gift
``PREFIX-EVENT/entry`` of the source ``hours`` into the event's account, and its donor is the volunteer. What an event
gathered is spent on a project as one expenditure, and the organisation that got the work confirms it by its own key
(`charitychain acknowledge`).

Rules upheld here:

- All rows, of all events, are checked before the first block; a table that was entered is skipped when it is entered
  again, and one that says something else is refused.
- An entry of no minutes is refused, for it would be an hour that nobody gave.
- Nothing is rounded: a minute is the smallest unit.

What it leaves to others: who may spend, and who may confirm (`charitychain.state`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from charitychain import records
from charitychain.errors import RefusedError
from charitychain.interop.gifts_table import Row, Series, import_rows
from charitychain.interop.journal import Imported
from charitychain.programmes.balances import whole_balance
from charitychain.programmes.events import Event, bad_event, check_unit, numbered_events, person, whole
from charitychain.reading import Reader
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
            says something else.
    """
    events: dict[str, Series] = {}

    def series_of(event: Event) -> Series:
        id_ = event.fields["event"]
        if not id_:
            raise bad_event(path, event.line, "the event is empty")
        found = events.get(id_)
        if found is None:
            try:
                found = Series(writer, account=id_, series=f"{prefix}-{id_}", origin="hours", author=author)
                check_unit(found.unit, id_, UNIT)
            except RefusedError as error:
                where = f"{path.name}, line {event.line}"
                raise RefusedError(error.code, f"{where}: {error.message}", line=event.line) from error
            events[id_] = found
        return found

    def rows() -> Iterator[tuple[Series, Row]]:
        for entry, event in numbered_events(path, required=_COLUMNS):
            minutes = whole(path, event, "minutes", least=1)
            donor = bytes.fromhex(person(path, event, "volunteer"))
            yield series_of(event), Row(event.line, entry, minutes, donor, bytes(16), event.fields["date"])

    return import_rows(writer, rows, tick=tick)


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
