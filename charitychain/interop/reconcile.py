"""Reconciliation: what the ledger says of some accounts against what a bank says of the money.

`reconcile` takes a checked reader and a `BankStatement`, and gives a `Reconciliation`.

Rules upheld here:

- Records that are shown stand in a sealed block, and their author's signature is checked.
- An identity always holds, whatever was or was not matched:
  closing (bank) - closing (ledger) = opening (bank) - opening (ledger) + only at the bank - only in the ledger
  + matched with records dated outside the period + breaks of the bank's own balances.
- Only days that the statement covers are compared. Asked days that it does not cover are told, and nothing is vouched
  for there; where it covers none of them, the question is refused.
- A difference is a finding, not a fault of the ledger.
- Memory grows with the records of the period.

What it leaves to others: reading the bank's file (`charitychain.interop.bank`), what the ledger says
(`charitychain.interop.book`), pairing (`charitychain.interop.matching`), and what auditors signed
(`charitychain.interop.attesting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from charitychain.errors import MalformedError, NotFoundError, RefusedError
from charitychain.interop.attesting import Attestation, Attested, attestations, attested, percent
from charitychain.interop.bank import BankEntry, BankStatement, Break, format_signed, moved
from charitychain.interop.book import entries
from charitychain.interop.matching import LedgerEntry, Match, match
from charitychain.reading import Reader
from charitychain.state.accounts import AccountState
from charitychain.units import Unit

__all__ = ["LedgerEntry", "Match", "Reconciliation", "account_unit", "reconcile"]

DAYS = 5
"""How many days an entry and a record of the same amount may be apart."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A bank's statement against accounts of the ledger, from `start` to `end`, both days included.

    These are the first and last of the asked days that the statement covers; `uncovered` are first and last days of
    what was asked for and it does not cover.
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
    uncovered: tuple[tuple[str, str], ...]
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
        """Say whether every asked day is covered, all matched, the statement fits itself, and both close alike."""
        return not (self.only_bank or self.only_ledger or self.breaks or self.difference or self.uncovered)

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
                "bank": money(said.bank), "covered": money(said.covered), "disputed": said.disputed,
                "difference": money(said.amount - said.book),
                "bank_difference": None if said.bank is None else money(said.amount - said.bank),
            }  # fmt: skip

        parts = self.explained
        return {
            "accounts": list(self.accounts), "unit": self.unit.code, "bank_account": self.bank_account,
            "from": self.start, "to": self.end, "not_covered": [{"from": a, "to": b} for a, b in self.uncovered],
            "agrees": self.agrees,
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
        start, end: First and last day, ``YYYY-MM-DD``; else those of the statement.
        days: How far apart an entry and a record of the same amount may be dated.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ACCOUNT``.
        RefusedError: ``CC-BANK-CURRENCY``.
        MalformedError: ``CC-BANK``: the statement covers no day, or none of those asked for.
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
    start, end, uncovered = _compared(statement, start, end)
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
        if last is None or at < moved(start, -1):
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
        uncovered=uncovered,
        ledger=reader.facts(),
        attestations=attestations(reader, states, end, bank),
    )


def _compared(
    statement: BankStatement, start: str | None, end: str | None
) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Return first and last of the asked days that the statement covers, and the stretches that it does not."""
    first, last = statement.start, statement.end
    if first is None or last is None:
        raise MalformedError("CC-BANK", "the statement holds no entry, and does not say which days it covers")
    asked = start or min(first, end or first), end or max(last, start or last)
    holes = list(statement.gaps)
    if asked[0] < first:
        holes.insert(0, (asked[0], moved(first, -1)))
    if asked[1] > last:
        holes.append((moved(last, 1), asked[1]))
    cut = ((max(asked[0], left), min(asked[1], right)) for left, right in holes)
    uncovered = tuple((left, right) for left, right in cut if left <= right)
    start, end = asked
    for left, right in uncovered:
        start = moved(right, 1) if left <= start <= right else start
        end = moved(left, -1) if left <= end <= right else end
    if start > end:
        raise MalformedError(
            "CC-BANK",
            f"the statement covers {first} to {last}, and so no day of {asked[0]} to {asked[1]}, which was asked for;"
            " get the statement of that period",
            start=asked[0],
            end=asked[1],
        )
    return start, end, uncovered


# ------------------------------------------------------------------------------------------------- the book


def _book(
    reader: Reader, accounts: Sequence[AccountState], start: str, end: str, days: int
) -> tuple[int, list[LedgerEntry], list[LedgerEntry]]:
    """Return the balance before `start`, the entries of the period, and those within `days` before or after it."""
    earliest, latest = moved(start, -days), moved(end, days)
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
