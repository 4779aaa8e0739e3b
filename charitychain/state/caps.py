"""Caps: sums by year, and the cost caps computed from them.

A cap bounds costs (what was spent in its categories) by a share of a base, for one account or for all accounts of its
owner in its unit, in each calendar year or over all years. What law or donors ask for differs: a tenth of yearly
spending, a tenth of collections, an eighth.

Rules upheld here:

- Everything is net of what was reversed. A record counts in the year of its stated date, else in that in which its
  statement was signed; the reversal of an expenditure in the year of that expenditure.
- Passing money around in a circle raises no base: transfers count only as far as more came in (base *received*), or
  went out (base *spent*), than the other way. So those between accounts of one scope cancel, whoever owned them then.
- ``refuse`` refuses a cost beyond the cap. That other spending was reversed later can still put an earlier cost beyond
  it; then, as with ``flag``, `charitychain.verify` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from charitychain.errors import RefusedError
from charitychain.records.kinds import Cap
from charitychain.state.accounts import AccountState, Year
from charitychain.state.acting import Acting
from charitychain.state.standing import Standing
from charitychain.state.terms import HUNDRED_PERCENT

__all__ = ["CapUse", "cap_uses", "check_caps", "note_transfer"]


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


def note_transfer(source: AccountState, target: AccountState, amount: int, year: int, given: int | None = None) -> None:
    """Count what went from one account to another; `given` is what arrived, where that is another unit."""
    source.year(year).went += amount
    target.year(year).came += amount if given is None else given


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
    """Yield every cap of every account, with each year in which its scope had costs."""
    for account in state.accounts:
        for cap in account.terms.caps:
            scope = [account] if cap[3] == "account" else state.owned_by(account.owner, account.unit)
            years = sorted({year for member in scope for year in member.years}) if cap[4] == "year" else [None]
            for year in years:
                used = _use(state, account, cap, year)
                if used.costs or used.base:
                    yield used


def _use(state: Standing, account: AccountState, cap: Cap, year: int | None) -> CapUse:
    scope = state.owned_by(account.owner, account.unit) if cap[3] == "party" else [account]
    sums = [found for member in scope for number, found in member.years.items() if year is None or number == year]
    came, went = sum(s.came for s in sums), sum(s.went for s in sums)  # what moved inside the scope cancels
    if cap[2] == "received":
        base = sum(s.given for s in sums) + max(0, came - went)
    else:
        base = sum(sum(s.spent.values()) for s in sums) + max(0, went - came)
    return CapUse(account, cap, year, sum(_costs(s, cap) for s in sums), base)


def _costs(sums: Year, cap: Cap) -> Any:
    return sum(sums.spent[category] for category in cap[0])
