"""Reconciliation: what the ledger says of some accounts against what a bank says of the money.

`reconcile` takes a checked reader and a `BankStatement`, and gives a `Reconciliation`.

Rules upheld here:

- Records that are shown stand in a sealed block, and their author's signature is checked.
- An identity always holds, whatever was or was not matched:
  closing (bank) - closing (ledger) = opening (bank) - opening (ledger) + only at the bank - only in the ledger
  + matched with records dated outside the period + breaks of the bank's own balances.
- A difference is a finding, not a fault of the ledger.
- Memory grows with the records of the period.

What it leaves to others: reading the bank's file (`charitychain.interop.bank`), what the ledger says
(`charitychain.interop.book`), pairing (`charitychain.interop.matching`), and what auditors signed
(`charitychain.interop.attesting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from charitychain.errors import MalformedError, NotFoundError, RefusedError
from charitychain.interop.attesting import Attestation, Attested, attestations, attested, percent
from charitychain.interop.bank import BankEntry, BankStatement, Break, format_signed
from charitychain.interop.book import entries
from charitychain.interop.matching import LedgerEntry, Match, match
from charitychain.reading import Reader
from charitychain.state.accounts import AccountState
from charitychain.trace import ledger_facts
from charitychain.units import Unit

__all__ = ["LedgerEntry", "Match", "Reconciliation", "account_unit", "reconcile"]

DAYS = 5
"""How many days an entry and a record of the same amount may be apart."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A bank's statement against accounts of the ledger, from `start` to `end`, both days included.

    Amounts are signed minor units of `unit`. Balances of the ledger are those before `start` and at the end of `end`;
    those of the bank are nothing where its statement states none. `dated_elsewhere` are matched records outside the
    period. `attestations` are those in the ledger that stand, the latest first.
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
    attestations: tuple[Attestation, ...] = ()

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
    def vouched(self) -> Attested:
        """Return how much of it the attestations in the ledger cover."""
        return attested(self.closing_ledger, sum(said.covered for said in self.attestations))

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

        def share(covered: Attested) -> dict[str, Any]:
            return {
                "held": money(covered.held), "covered": money(covered.covered),
                "unattested": money(covered.unattested), "unattested_percent": percent(covered.share),
            }  # fmt: skip

        def vouched(said: Attestation) -> dict[str, Any]:
            return {
                "id": said.id, "by": said.by, "at": said.at, "accounts": list(said.accounts),
                "institution": said.institution, "amount": money(said.amount), "book": money(said.book),
                "bank": money(said.bank), "covered": money(said.covered),
                "difference": money(said.amount - said.book),
                "bank_difference": None if said.bank is None else money(said.amount - said.bank),
            }  # fmt: skip

        parts = self.explained
        return {
            "accounts": list(self.accounts), "unit": self.unit.code, "bank_account": self.bank_account,
            "from": self.start, "to": self.end, "agrees": self.agrees,
            "bank": {"opening": money(self.opening_bank), "closing": money(self.closing_bank)},
            "book": {"opening": money(self.opening_ledger), "closing": money(self.closing_ledger)},
            "difference": money(self.difference),
            "explained": None if parts is None else {name: money(amount) for name, amount in parts.items()},
            "attested": share(self.attested), "vouched": share(self.vouched),
            "attestations": list(map(vouched, self.attestations)),
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
    closing = opening + sum(entry.amount for entry in inside)
    booked = [entry for entry in statement.entries if start <= entry.date <= end]
    found = match(booked, inside, outside, days=days)
    first, last = statement.opening, statement.closing
    if first is not None:
        first += sum(entry.amount for entry in statement.entries if entry.date < start)
    if last is not None:
        last -= sum(entry.amount for entry in statement.entries if entry.date > end)

    def bank(at: str) -> int | None:
        if last is None or at < _moved(start, -1):
            return None
        return last - sum(entry.amount for entry in booked if entry.date > at)

    return Reconciliation(
        accounts=tuple(account.id for account in states),
        unit=unit,
        bank_account=statement.account,
        start=start,
        end=end,
        opening_bank=first,
        closing_bank=last,
        opening_ledger=opening,
        closing_ledger=closing,
        matches=found.matches,
        only_bank=found.only_bank,
        only_ledger=found.only_ledger,
        cancelled=found.cancelled,
        breaks=statement.breaks,
        ledger=ledger_facts(reader),
        attestations=attestations(reader, states, end, bank),
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
    for entry in entries(reader, accounts):
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
