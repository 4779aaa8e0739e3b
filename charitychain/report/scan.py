"""Scan: one pass over the records of a ledger, which adds up what they say.

Rules upheld here:

- Each block, statement and column is checked against the sealed head before it counts, and each signature of an author.
- A record belongs to a period by the last day of the date that it states, else by the day on which it was sealed.
- An expenditure counts as what is left of it at the head; a gift too.
- A gift that a stolen key entered was received, as far as is known; it is summed apart and never followed.
- Sums stand by unit, and by what tells them apart; nothing is added up here that differs in unit.
- Memory grows with statements, accounts, transfers and expenditures, not with the gifts of a batch.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

from charitychain import records
from charitychain.arrivals import Arrivals
from charitychain.basis import Records, day
from charitychain.codec import MAX_INT
from charitychain.ends import Owners, compromised
from charitychain.errors import VerificationError
from charitychain.index import Index
from charitychain.reading import Reader
from charitychain.records import Place
from charitychain.report.claims import Claimed, Claims
from charitychain.report.distinct import Distinct, people_of
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import Link, find_gift
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.state.resting import resting
from charitychain.state.terms import days_of
from charitychain.transit import Taken

__all__ = ["OTHER_LEDGER", "Scan", "scan"]

Stretches = dict[Ref, list[tuple[int, int]]]
Sums = Counter[tuple[int, int, str | None]]
"""Minor units by account, the number of who owned it then, and what the record states: a source, or a category."""


class _Beside:
    """The index for look-ups, with tables of its own beside it that are gone in the end."""

    def __init__(self, index: Index) -> None:
        self._index, self._db = index, sqlite3.connect("", isolation_level=None)
        self.run = self.rows = self._db.execute

    def close(self) -> None:
        self._db.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)


class Scan:
    """What the records of a period say, minor units, by accounts or by codes of units; see `scan`."""

    def __init__(self, reader: Reader, first: str | None, last: str | None) -> None:
        self.reader, self.first, self.last = reader, first, last
        self.known = Records(reader)
        self.owners = Owners(self.known)
        self.arrivals = Arrivals(self.known, self.owners)
        self.gifts: Counter[str] = Counter()  # single, columns, undone
        self.donors, self.seconds = Distinct(), Distinct()
        self.received, self.spent = Sums(), Sums()
        self.converted: Counter[tuple[str, str, bool, int]] = Counter()
        self.refunded: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.outcomes: tuple[Claimed, ...] = ()
        self.stolen: Counter[str] = Counter()
        self.late = 0
        self.cohort: dict[str, Stretches] = defaultdict(dict)
        self.transit: Counter[str] = Counter()
        self.transit_here: Counter[str] = Counter()
        self.denied: Counter[str] = Counter()
        self.denied_here: Counter[str] = Counter()
        self._inflows: dict[Place, Movement] = {}
        self._came: dict[int, list[Movement]] = defaultdict(list)  # what other accounts passed on, by account
        self._run: tuple[Movement, int] | None = None
        self._lates: set[Place] = set()
        self._undone: Counter[str] = Counter()

    def inside(self, record: Any, sealed: int) -> bool:
        """Say whether a record belongs to the period; `sealed` is its block's time."""
        stated = getattr(record, "date", None)
        last = days_of(stated)[1] if stated is not None else day(sealed)
        return (self.first is None or last >= self.first) and (self.last is None or last <= self.last)

    def run(self) -> Scan:
        reader, index = self.reader, self.reader.index
        self._lates = {place for _, place in index.linked(Link.LATE)}
        for account in reader.state.accounts:
            for inflow in index.inflows(account.number, MAX_INT):
                if inflow.kind in (Kind.DONATED, Kind.CAME):
                    self._inflows[inflow.place] = inflow
                elif inflow.kind in (Kind.RECEIVED, Kind.CONVERTED_IN):
                    self._came[account.number].append(inflow)
        with closing(_Beside(index)) as opened:
            beside = cast(Index, opened)
            taken, claims = Taken(beside), Claims(self.known, self.owners, beside)
            for place, record, columns in self._records():
                self._see(place, record, columns, taken)
                if isinstance(record, records.Outcome):
                    claims.see(place, record, self.inside(record, reader.time(place)))
            self._end_run()
            self._waits(taken)
            self.outcomes = tuple(claims.told(reader.state))
        return self

    def _records(self) -> Iterator[tuple[Place, records.Record, bytes | None]]:
        """Yield each record with its place, and the columns of a batch, all checked."""
        for height in range(self.reader.head.height + 1):
            for number in range(len(self.reader.checked_block(height).statements)):
                statement = self.reader.statement(Place(height, number, 0))
                self.known.author(Place(height, number, 0))
                columns = iter(statement.columns)
                for nth, data in enumerate(statement.record_bytes):
                    record = records.decode_record(data)
                    batch = next(columns) if isinstance(record, records.Gifts) else None
                    yield Place(height, number, nth), record, batch

    def _see(self, place: Place, record: records.Record, columns: bytes | None, taken: Taken) -> None:
        sealed = self.reader.time(place)
        if isinstance(record, _GIVEN):
            self._gift(place, record, columns, sealed, taken)
            return
        if isinstance(record, records.Acknowledgement):
            taken.said(place, record)
        elif isinstance(record, records.Reversal):
            taken.undone(record)
            self._reversal(record)
        if not self.inside(record, sealed):
            return
        self.late += place in self._lates
        if isinstance(record, records.Expenditure):
            self._expenditure(place, record)
        elif isinstance(record, records.Conversion):
            ends = (self._account(record.account).unit, self._account(record.to).unit)
            self.converted[(*ends, record.funded_from is not None, 0)] += record.amount
            self.converted[(*ends, record.funded_from is not None, 1)] += record.gives
        elif isinstance(record, records.Refund):
            outflow = self._outflow(record.id, place)
            self.refunded[self._account(outflow.account).unit] += outflow.amount
        elif isinstance(record, records.Sent):
            account, outflow = self._account(record.account), self._outflow(record.id, place)
            self.sent[account.unit] += 0 if account.reversed.find(outflow.index) else outflow.amount

    def _account(self, number: int) -> AccountState:
        return self.reader.state.account(number)

    def _gift(
        self,
        place: Place,
        record: records.Donation | records.Gifts | records.Received,
        columns: bytes | None,
        sealed: int,
        taken: Taken,
    ) -> None:
        inflow, low = self._inflows.get(place), 0
        owner = self.owners.then(self._account(record.account), place)
        if inflow is not None:
            self._end_run()
            came = isinstance(record, records.Received)  # its owner signed it, whoever else did
            if not came and self.reader.state.party(self.known.author(place)).number != owner:
                taken.took(inflow.account, inflow.index, inflow.amount)
        elif self._run is not None:
            inflow, low = self._run
        if inflow is None or inflow.account != record.account or inflow.place[:2] != place[:2]:
            raise self._unfit()
        self._run = inflow, low + record.amount
        if not self.inside(record, sealed):
            return
        self.late += place in self._lates
        unit = self._account(record.account).unit
        if compromised(self.known, place) is not None:
            self.stolen[unit] += record.amount
        else:
            stretches = self.cohort[unit].setdefault((inflow.account, inflow.index), [])
            if stretches and stretches[-1][1] == low:
                stretches[-1] = (stretches[-1][0], low + record.amount)
            else:
                stretches.append((low, low + record.amount))
        self.received[record.account, owner, _source(record)] += record.amount
        if isinstance(record, records.Received):
            return
        if isinstance(record, records.Donation):
            self.gifts["single"] += 1
            if record.donor is not None:
                self.donors.add(record.donor)
            return
        self.gifts["columns"] += record.count
        for counted, people in zip((self.donors, self.seconds), people_of(columns or b"", record.width), strict=False):
            counted.add(people)

    def _end_run(self) -> None:
        if self._run is not None and self._run[0].amount != self._run[1]:
            raise self._unfit()
        self._run = None

    def _unfit(self) -> VerificationError:
        return VerificationError("CC-INDEX", "the index says of gifts what was not sealed; remove it, it is made anew")

    def _reversal(self, record: records.Reversal) -> None:
        """Take a gift that was entered wrongly off what was received, if it belongs to the period."""
        gift = find_gift(self.reader.index, record.reverses)
        row = self.reader.index.find_id(record.id)
        if gift is None or row is None:
            return
        made = self.reader.record(gift.place)
        if self.inside(made, self.reader.time(gift.place)):
            owner = self.owners.then(self._account(gift.account), gift.place)
            self.received[gift.account, owner, _source(made)] -= row.amount
            if compromised(self.known, gift.place) is not None:
                self.stolen[self._account(gift.account).unit] -= row.amount
            if isinstance(made, records.Received):
                return
            self._undone[gift.id] += row.amount
            self.gifts["undone"] += self._undone[gift.id] == gift.amount

    def _outflow(self, id_: str, place: Place) -> Movement:
        row = self.reader.index.find_id(id_)
        if row is None or row.account is None or row.movement is None or row.place != place:
            raise self._unfit()
        outflow = self.reader.index.movement(row.account, row.movement)
        self.reader.check_movement(outflow)
        if outflow.place != place:
            raise self._unfit()
        return outflow

    def _expenditure(self, place: Place, record: records.Expenditure) -> None:
        account = self._account(record.account)
        leaf = account.reversed.find(self._outflow(record.id, place).index)
        left = record.amount - (leaf.sum if leaf else 0)
        self.spent[account.number, self.owners.then(account, place), record.category] += left

    def _waits(self, taken: Taken) -> None:
        """Note what is in transit: in all, and of the gifts of the period what has not left where it was given."""
        state = self.reader.state
        whole = self.first is None and self.last is None and not any(self.stolen.values())
        stretches = {ref: parts for found in self.cohort.values() for ref, parts in found.items()}
        for sums, asked in ((self.transit, None), (self.transit_here, stretches)):
            if whole and asked is not None:
                sums.update(self.transit)
                self.denied_here.update(self.denied)
                continue
            for number, amount, denied in taken.waiting(state, asked):
                sums[state.accounts[number].unit] += amount - denied
                (self.denied if asked is None else self.denied_here)[state.accounts[number].unit] += denied
        for account in state.accounts:
            self.transit[account.unit] += self._handed(account)

    def _handed(self, account: AccountState) -> int:
        """Return what others passed on to an account, rests there and is not acknowledged."""
        handed, waits = self._came[account.number], 0
        rests = resting(self.reader.index, account, [(inflow.index, 0, inflow.amount) for inflow in handed])
        for inflow, runs in zip(handed, rests, strict=True):
            self.reader.check_movement(inflow)
            waits += sum(part for state, part, _ in self.arrivals.rests(inflow, runs) if state == "in transit")
        return waits


OTHER_LEDGER = "other ledger"
"""The source of what came from other ledgers; no record can state one with a space in it."""
_GIVEN = (records.Donation, records.Gifts, records.Received)


def _source(record: records.Record) -> str | None:
    """Return where a record of what came in says that it came from."""
    return OTHER_LEDGER if isinstance(record, records.Received) else getattr(record, "source", None)


def scan(reader: Reader, first: str | None, last: str | None) -> Scan:
    """Go through a ledger once and add up what belongs to a period, of which each end may be open.

    Raises:
        VerificationError: something is damaged or was not sealed.
    """
    return Scan(reader, first, last).run()
