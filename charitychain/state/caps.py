"""Caps: sums by year, and the cost caps computed from them.

A cap bounds costs (what was spent in its categories) by a share of a base, for one account or for all accounts of its
owner in its unit, in each calendar year or over all years. What law or donors ask for differs: a tenth of yearly
spending, a tenth of collections, an eighth.

Rules upheld here:

- A record counts in the year of its stated date, else in that in which its statement was signed, and under the owner
  that its account had then. What undoes it is taken off just there; a refund counts in its own year.
- Passing money around in a circle raises no base: transfers count only as far as more came in (base *received*), or
  went out (base *spent*), than the other way. So those within one scope cancel; and an account that changes hands
  passes its balance from the old owner to the new.
- ``refuse`` refuses a cost beyond the cap. That other spending was reversed later can still put an earlier cost beyond
  it; then, as with ``flag``, `charitychain.verify` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from charitychain.errors import RefusedError
from charitychain.records import COSTS, Account, AccountChange, Place
from charitychain.records.parties import Cap
from charitychain.state.accounts import AccountState, Year
from charitychain.state.acting import Acting
from charitychain.state.lookup import Link
from charitychain.state.standing import Standing
from charitychain.state.terms import HUNDRED_PERCENT

__all__ = ["CapUse", "cap_uses", "check_caps", "pass_on"]


@dataclass(frozen=True, slots=True)
class CapUse:
    """What a cap allows and what was used of it, minor units; `year` is nothing for all years."""

    account: AccountState
    cap: Cap
    year: int | None
    costs: int
    base: int

    @property
    def exceeded(self) -> bool:
        return self.costs * HUNDRED_PERCENT > self.cap[1] * self.base


def pass_on(state: Acting, account: AccountState, amount: int, after: Place, before: Place | None = None) -> None:
    """Book an amount as passing with its account from owner to owner, wherever that changed hands meanwhile.

    What is undone counts as if it had never been recorded: its units then rested, or (negative) did not rest, in the
    account when it was handed over.

    Args:
        after: Hand-overs behind this record count, and, where `before` is told, before that one.
    """
    state.changed_accounts.add(account.number)  # for the index: its sums changed, if nothing else
    for place, old, new in _hand_overs(state, account):
        if place > after and (before is None or place < before):
            year = state.year_of(place)
            account.book(year, old).went += amount
            account.book(year, new).came += amount


def _hand_overs(state: Acting, account: AccountState) -> Iterator[tuple[Place, int, int]]:
    """Yield where an account changed hands, from whom to whom."""
    changes = state.lookup.links(account.id, Link.CHANGED)
    row = state.lookup.find_id(account.id) if changes else None
    if row is None:
        return
    opened = state.record_as(row.place, Account)
    if opened.owner is not None:
        owner = state.party(opened.owner).number
    else:
        owner = state.party_of(state.lookup.statement(*row.place[:2]).header.author).number
    for place in changes:
        record = state.record_at(place)
        if isinstance(record, AccountChange) and record.owner is not None:
            new = state.party(record.owner).number
            if new != owner:
                yield place, owner, new
            owner = new


def check_caps(state: Acting, account: AccountState, category: str | None, amount: int, year: int) -> None:
    """Refuse a cost that goes beyond a cap of mode ``refuse``.

    Raises:
        RefusedError: ``CC-CAP``.
    """
    if category is None:
        return
    for holder in state.owned_by(account.owner, account.unit):
        for cap in holder.terms.caps:
            categories, percent, _, scope, period, mode = cap
            if mode != "refuse" or category not in categories or (scope == "account" and holder is not account):
                continue
            used = _use(state, holder, cap, year if period == "year" else None)
            more = CapUse(holder, cap, used.year, used.costs + amount, used.base + _adds(cap, amount))
            if more.exceeded:
                when = f"in {used.year}" if used.year is not None else "in all"
                there, base = state.words(max(used.costs, 0), account), state.words(max(used.base, 0), account)
                raise RefusedError(
                    "CC-CAP",
                    f"account {holder.id!r} caps {' and '.join(categories)} at {percent / 100:g} percent of what is"
                    f" {cap[2]}: {when} {there} of {base} are used,"
                    f" and {state.words(amount, account)} more is too much",
                    account=holder.id,
                    costs=used.costs,
                    base=used.base,
                )


def _adds(cap: Cap, amount: int) -> int:
    return amount if cap[2] == "spent" else 0


def cap_uses(state: Standing) -> Iterator[CapUse]:
    """Yield every cap of every account, with each year in which its scope had costs or a base."""
    for account in state.accounts:
        for cap in account.terms.caps:
            years = sorted({year for year, _ in _booked(state, account, cap)}) if cap[4] == "year" else [None]
            for year in years:
                used = _use(state, account, cap, year)
                if used.costs or used.base:
                    yield used


def _booked(state: Standing, account: AccountState, cap: Cap) -> Iterator[tuple[int, Year]]:
    """Yield the sums in a cap's scope by year: of the account, whoever owned it, or of its owner, in any account."""
    if cap[3] == "account":
        for (_, year), sums in account.books.items():
            yield year, sums
        return
    for member in state.booked_by(account.owner, account.unit):
        for (owner, year), sums in member.books.items():
            if owner == account.owner:
                yield year, sums


def _use(state: Standing, account: AccountState, cap: Cap, year: int | None) -> CapUse:
    sums = [found for number, found in _booked(state, account, cap) if year is None or number == year]
    net = sum(s.came - s.went for s in sums)  # what moved inside the scope cancels
    if cap[2] == "received":
        base = sum(s.given for s in sums) + max(0, net)
    else:
        base = sum(s.spent[category] for s in sums for category in (None, *COSTS)) + max(0, -net)
    return CapUse(account, cap, year, sum(_costs(s, cap) for s in sums), max(0, base))


def _costs(sums: Year, cap: Cap) -> Any:
    return sum(sums.spent[category] for category in cap[0])
