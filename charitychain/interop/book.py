"""The book: what records moved across the border of some accounts, as entries that a bank could know.

Rules upheld here:

- What a record moved is its sum over all these accounts together. So transfers between them cancel, whatever kind of
  record made them, and a record that moves nothing across the border is no entry.
- All movements of the accounts are read and their log's root is made anew from them: none is left out, none added.
- A record counts on the day that it states, else on the UTC day on which it was sealed. Where it states a month or a
  year only, it counts on the day in it that is nearest to its sealing.
- A batch of micro-gifts is one entry, and its gifts are not looked at.

>>> counts_on("2026-02", "2026-03-09"), counts_on("2026", "2026-03-09"), counts_on(None, "2026-03-09")
('2026-02-28', '2026-03-09', '2026-03-09')
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby

from charitychain import records
from charitychain.basis import day
from charitychain.errors import VerificationError
from charitychain.interop.matching import LedgerEntry
from charitychain.reading import Reader
from charitychain.records import Place
from charitychain.state.accounts import AccountState
from charitychain.state.movements import Kind, Movement
from charitychain.sumlog import MovementLog

__all__ = ["counts_on", "entries", "unfit"]


def entries(reader: Reader, accounts: Sequence[AccountState]) -> Iterator[LedgerEntry]:
    """Yield in ledger order what each record moved across the border of these accounts."""
    merged = heapq.merge(*(_movements(reader, account) for account in accounts), key=lambda m: m.place)
    for place, group in groupby(merged, key=lambda m: m.place):
        movements = list(group)
        if movements[0].kind == Kind.DONATED and movements[0].gifts is not None:
            yield from _gifts(reader, movements[0], movements[0].gifts[0])
            continue
        amount = sum(m.amount if m.is_inflow else -m.amount for m in movements)
        if amount:
            yield _entry(reader, place, reader.record(place), amount)


def _movements(reader: Reader, account: AccountState) -> Iterator[Movement]:
    """Yield all movements of an account; at their end, check that they are those that were sealed."""
    log = MovementLog()
    for index in range(account.log.size):
        movement = reader.index.movement(account.number, index)
        log.append(movement.leaf())
        yield movement
    if log.root() != account.log.root():
        raise unfit(account)


def _gifts(reader: Reader, inflow: Movement, count: int) -> Iterator[LedgerEntry]:
    """Yield one entry for each donation of a run, or one for a whole batch."""
    account = reader.state.account(inflow.account)
    place, left = inflow.place, inflow.amount
    record = reader.record(place)
    if isinstance(record, records.Gifts):
        if record.amount != inflow.amount:
            raise unfit(account)
        yield _entry(reader, place, record, inflow.amount)
        return
    for number in range(place.record, place.record + count):
        at = place._replace(record=number)
        record = reader.record(at)
        if not isinstance(record, records.Donation):
            raise unfit(account)
        left -= record.amount
        yield _entry(reader, at, record, record.amount)
    if left:
        raise unfit(account)


def _entry(reader: Reader, place: Place, record: records.Record, amount: int) -> LedgerEntry:
    reference = getattr(record, "reference", None)
    if isinstance(record, records.Gifts):
        id_, own = f"{record.series}/{record.first}..{record.last}", record.series
    else:
        id_ = own = records.record_id(record) or ""
    return LedgerEntry(
        id=id_,
        record=record.NAME,
        date=counts_on(getattr(record, "date", None), day(reader.time(place))),
        amount=amount,
        references=tuple(dict.fromkeys(name for name in (reference, own) if name)),
        text=getattr(record, "payee", None) or getattr(record, "reason", None) or "",
        place=place,
        reverses=getattr(record, "reverses", None),
    )


def counts_on(stated: str | None, sealed: str) -> str:
    """Return the day that a record counts on: in the day, month or year stated, the one nearest to its sealing.

    >>> counts_on("2026-02", "2026-03-09"), counts_on("2026", "2026-03-09"), counts_on(None, "2026-03-09")
    ('2026-02-28', '2026-03-09', '2026-03-09')
    """
    if stated is None:
        return sealed
    year, month = int(stated[:4]), int(stated[5:7] or 0)
    if len(stated) == 10 or year < 1:
        return stated if year else sealed
    first = date(year, month or 1, 1)
    last = date(year, 12, 31) if not month else (first.replace(day=28) + timedelta(4)).replace(day=1) - timedelta(1)
    return min(max(sealed, first.isoformat()), last.isoformat())


def unfit(account: AccountState) -> VerificationError:
    return VerificationError(
        "CC-INDEX",
        f"the movements of account {account.id!r} in the index are not those that were sealed; remove the index and it"
        " is made anew",
        account=account.id,
    )
