"""Reconciliation: what the ledger says of some accounts against what a bank says of the money.

`reconcile` takes a checked reader and a `BankStatement`, and gives a `Reconciliation`.

Rules upheld here:

- What a record moved is its sum over all compared accounts together. So transfers between them cancel, whatever kind of
  record made them, and a record that moves nothing across the border is no entry.
- All movements of the accounts are read and their log's root is made anew from them: none is left out, none added. Each
  record that is shown stands in a sealed block and its author's signature is checked.
- A record counts on the day that it states, else on the UTC day on which it was sealed. Where it states a month or a
  year only, it counts on the day in it that is nearest to its sealing.
- An identity always holds, whatever was or was not matched:
  closing (bank) - closing (ledger) = opening (bank) - opening (ledger) + only at the bank - only in the ledger
  + matched with records dated outside the period + breaks of the bank's own balances.
- A difference is a finding, not a fault of the ledger.
- Memory grows with the records of the period; a batch of micro-gifts is one entry, and its gifts are not looked at.

What it leaves to others: reading the bank's file (`charitychain.interop.bank`), and pairing
(`charitychain.interop.matching`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from charitychain import records
from charitychain.errors import MalformedError, NotFoundError, RefusedError, VerificationError
from charitychain.interop.bank import BankEntry, BankStatement, Break, format_signed
from charitychain.interop.matching import LedgerEntry, Match, match
from charitychain.reading import Reader, day
from charitychain.records import Place
from charitychain.state.accounts import AccountState
from charitychain.state.movements import Kind, Movement
from charitychain.sumlog import MovementLog
from charitychain.trace import ledger_facts
from charitychain.units import Unit

__all__ = ["Attested", "LedgerEntry", "Match", "Reconciliation", "account_unit", "attested", "reconcile"]

DAYS = 5
"""How many days an entry and a record of the same amount may be apart."""


@dataclass(frozen=True, slots=True)
class Attested:
    """How much of what the ledger holds somebody outside vouches for, in minor units.

    >>> attested(1000, 960).share
    400
    """

    held: int
    covered: int

    @property
    def unattested(self) -> int:
        return self.held - self.covered

    @property
    def share(self) -> int:
        """Return the unattested share in hundredths of a percent, rounded up: 0 means none at all."""
        return -(-self.unattested * 10_000 // self.held) if self.held else 0


def attested(held: int, found: int | None) -> Attested:
    """Compare what the ledger holds with what was really found; nothing found covers nothing.

    What is found beyond what the ledger holds covers no more than that. A ledger that is below 0 at a day (by dates
    as they are stated) holds nothing there.
    """
    held = max(held, 0)
    return Attested(held, min(held, max(found or 0, 0)))


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A bank's statement against accounts of the ledger, from `start` to `end`, both days included.

    Amounts are signed minor units of `unit`. Balances of the ledger are those before `start` and at the end of `end`;
    those of the bank are nothing where its statement states none. `dated_elsewhere` are matched records outside the
    period.
    """

    accounts: tuple[str, ...]
    unit: Unit
    bank_account: str
    start: str
    end: str
    opening_bank: int | None
    closing_bank: int | None
    opening_ledger: int
    closing_ledger: int
    matches: tuple[Match, ...]
    only_bank: tuple[BankEntry, ...]
    only_ledger: tuple[LedgerEntry, ...]
    cancelled: tuple[tuple[LedgerEntry, ...], ...]
    breaks: tuple[Break, ...]
    ledger: dict[str, Any]

    @property
    def difference(self) -> int | None:
        """Return what the bank holds at the end beyond what the ledger does, or nothing if the bank does not say."""
        return None if self.closing_bank is None else self.closing_bank - self.closing_ledger

    @property
    def explained(self) -> dict[str, int] | None:
        """Return the parts that the difference is the sum of, signed; nothing if the bank states no balance."""
        if self.opening_bank is None or self.closing_bank is None:
            return None
        return {
            "opening": self.opening_bank - self.opening_ledger,
            "only_bank": sum(entry.amount for entry in self.only_bank),
            "only_ledger": -sum(entry.amount for entry in self.only_ledger),
            "dated_elsewhere": sum(entry.amount for entry in self.dated_elsewhere),
            "breaks": sum(found.found - found.expected for found in self.breaks),
        }

    @property
    def dated_elsewhere(self) -> tuple[LedgerEntry, ...]:
        """Return the matched records that are dated outside the period."""
        return tuple(r for found in self.matches for r in found.ledger if not self.start <= r.date <= self.end)

    @property
    def attested(self) -> Attested:
        """Return how much of what the ledger holds at the end of the period the statement covers."""
        return attested(self.closing_ledger, self.closing_bank)

    @property
    def agrees(self) -> bool:
        """Say whether everything matched, the statement fits itself, and both close with the same balance."""
        return not (self.only_bank or self.only_ledger or self.breaks or self.difference)

    def to_dict(self) -> dict[str, Any]:
        """Return the reconciliation as the documented JSON object; amounts are signed decimal strings."""

        def money(amount: int | None) -> str | None:
            return None if amount is None else format_signed(amount, self.unit)

        def booked(entry: BankEntry) -> dict[str, Any]:
            return {
                "place": entry.place, "date": entry.date, "amount": money(entry.amount),
                "references": list(entry.references), "text": entry.text,
            }  # fmt: skip

        def recorded(entry: LedgerEntry) -> dict[str, Any]:
            return {
                "id": entry.id, "record": entry.record, "date": entry.date, "amount": money(entry.amount),
                "text": entry.text,
            }  # fmt: skip

        parts = self.explained
        covered = self.attested
        return {
            "accounts": list(self.accounts), "unit": self.unit.code, "bank_account": self.bank_account,
            "from": self.start, "to": self.end, "agrees": self.agrees,
            "bank": {"opening": money(self.opening_bank), "closing": money(self.closing_bank)},
            "book": {"opening": money(self.opening_ledger), "closing": money(self.closing_ledger)},
            "difference": money(self.difference),
            "explained": None if parts is None else {name: money(amount) for name, amount in parts.items()},
            "attested": {
                "held": money(covered.held), "covered": money(covered.covered),
                "unattested": money(covered.unattested), "unattested_percent": percent(covered.share),
            },
            "matched": [
                {"by": m.by, "bank": list(map(booked, m.bank)), "records": list(map(recorded, m.ledger))}
                for m in self.matches
            ],
            "only_bank": list(map(booked, self.only_bank)),
            "only_ledger": list(map(recorded, self.only_ledger)),
            "cancelled": [list(map(recorded, group)) for group in self.cancelled],
            "breaks": [
                {"place": b.place, "expected": money(b.expected), "found": money(b.found)} for b in self.breaks
            ],
            "ledger": self.ledger,
        }  # fmt: skip


def percent(hundredths: int) -> str:
    """Return hundredths of a percent as text.

    >>> percent(405)
    '4.05'
    """
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def account_unit(reader: Reader, accounts: Sequence[str]) -> Unit:
    """Return the one unit that all these accounts are kept in.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ACCOUNT``.
        RefusedError: ``CC-BANK-CURRENCY``: they are kept in different units, which no bank account is.
    """
    units = {reader.unit_of(found).code: reader.unit_of(found) for found in _states(reader, accounts)}
    if len(units) != 1:
        raise RefusedError(
            "CC-BANK-CURRENCY",
            f"these accounts are kept in {' and '.join(sorted(units))}; compare those of one unit at a time",
            found=sorted(units),
        )
    return units.popitem()[1]


def _states(reader: Reader, accounts: Sequence[str]) -> list[AccountState]:
    by_id = {account.id: account for account in reader.state.accounts}
    for name in accounts:
        if name not in by_id:
            raise NotFoundError("CC-UNKNOWN-ACCOUNT", f"this ledger has no account {name!r}", account=name)
    return [by_id[name] for name in dict.fromkeys(accounts)]


def reconcile(
    reader: Reader,
    accounts: Sequence[str],
    statement: BankStatement,
    *,
    start: str | None = None,
    end: str | None = None,
    days: int = DAYS,
) -> Reconciliation:
    """Compare accounts of the ledger with a bank's statement.

    Args:
        accounts: Ids of all accounts whose money rests in this bank account.
        start, end: First and last day, ``YYYY-MM-DD``; else those of the statement, else of its entries.
        days: How far apart an entry and a record of the same amount may be dated.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ACCOUNT``.
        RefusedError: ``CC-BANK-CURRENCY``.
        MalformedError: ``CC-BANK``: no days are told, and the statement has neither days nor entries.
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    unit = account_unit(reader, accounts)
    if statement.currency != unit.code:
        raise RefusedError(
            "CC-BANK-CURRENCY",
            f"the statement is in {statement.currency!r:.40}, but the accounts are kept in {unit.code}",
            expected=unit.code,
            found=statement.currency,
        )
    dates = [entry.date for entry in statement.entries]
    start = start or statement.start or min(dates, default=None)
    end = end or statement.end or max(dates, default=None)
    if start is None or end is None or start > end:
        raise MalformedError(
            "CC-BANK", f"the period from {start} to {end} is none; tell it with --from and --to", start=start, end=end
        )
    states = _states(reader, accounts)
    opening, inside, outside = _book(reader, states, start, end, days)
    booked = [entry for entry in statement.entries if start <= entry.date <= end]
    found = match(booked, inside, outside, days=days)
    first, last = statement.opening, statement.closing
    if first is not None:
        first += sum(entry.amount for entry in statement.entries if entry.date < start)
    if last is not None:
        last -= sum(entry.amount for entry in statement.entries if entry.date > end)
    return Reconciliation(
        accounts=tuple(account.id for account in states),
        unit=unit,
        bank_account=statement.account,
        start=start,
        end=end,
        opening_bank=first,
        closing_bank=last,
        opening_ledger=opening,
        closing_ledger=opening + sum(entry.amount for entry in inside),
        matches=found.matches,
        only_bank=found.only_bank,
        only_ledger=found.only_ledger,
        cancelled=found.cancelled,
        breaks=statement.breaks,
        ledger=ledger_facts(reader),
    )


# ------------------------------------------------------------------------------------------------- the book


def _book(
    reader: Reader, accounts: Sequence[AccountState], start: str, end: str, days: int
) -> tuple[int, list[LedgerEntry], list[LedgerEntry]]:
    """Return the balance before `start`, the entries of the period, and those within `days` before or after it."""
    earliest, latest = _moved(start, -days), _moved(end, days)
    before = 0
    inside: list[LedgerEntry] = []
    outside: list[LedgerEntry] = []
    signed: tuple[int, int] | None = None
    for entry in _entries(reader, accounts):
        if entry.date < start:
            before += entry.amount
        if earliest <= entry.date <= latest:
            if entry.place[:2] != signed:
                reader.check_author(entry.place)
                signed = entry.place[:2]
            (inside if start <= entry.date <= end else outside).append(entry)
    return before, inside, outside


def _moved(text: str, days: int) -> str:
    ordinal = date.fromisoformat(text).toordinal() + days
    return date.fromordinal(min(max(ordinal, 1), date.max.toordinal())).isoformat()


def _entries(reader: Reader, accounts: Sequence[AccountState]) -> Iterator[LedgerEntry]:
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
        raise _unfit(account)


def _gifts(reader: Reader, inflow: Movement, count: int) -> Iterator[LedgerEntry]:
    """Yield one entry for each donation of a run, or one for a whole batch."""
    account = reader.state.account(inflow.account)
    place, left = inflow.place, inflow.amount
    record = reader.record(place)
    if isinstance(record, records.Gifts):
        if record.amount != inflow.amount:
            raise _unfit(account)
        yield _entry(reader, place, record, inflow.amount)
        return
    for number in range(place.record, place.record + count):
        at = place._replace(record=number)
        record = reader.record(at)
        if not isinstance(record, records.Donation):
            raise _unfit(account)
        left -= record.amount
        yield _entry(reader, at, record, record.amount)
    if left:
        raise _unfit(account)


def _entry(reader: Reader, place: Place, record: records.Record, amount: int) -> LedgerEntry:
    reference = getattr(record, "reference", None)
    if isinstance(record, records.Gifts):
        id_, own = f"{record.series}/{record.first}..{record.last}", record.series
    else:
        id_ = own = records.record_id(record) or ""
    return LedgerEntry(
        id=id_,
        record=record.NAME,
        date=_counts_on(getattr(record, "date", None), day(reader.time(place))),
        amount=amount,
        references=tuple(dict.fromkeys(name for name in (reference, own) if name)),
        text=getattr(record, "payee", None) or getattr(record, "reason", None) or "",
        place=place,
        reverses=getattr(record, "reverses", None),
    )


def _counts_on(stated: str | None, sealed: str) -> str:
    """Return the day that a record counts on: in the day, month or year stated, the one nearest to its sealing.

    >>> _counts_on("2026-02", "2026-03-09"), _counts_on("2026", "2026-03-09"), _counts_on(None, "2026-03-09")
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


def _unfit(account: AccountState) -> VerificationError:
    return VerificationError(
        "CC-INDEX",
        f"the movements of account {account.id!r} in the index are not those that were sealed; remove the index and it"
        " is made anew",
        account=account.id,
    )
