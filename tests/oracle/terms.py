"""What an account's owner has promised: restriction, approvals, caps, naming, levy, closing.

The terms as values, and the arithmetic of dates, percents and caps. Nothing moves here: the model asks before it moves.

Rules upheld here:

- a stated date is a year, a month or a day, and lies inside a period when all of it does;
- a restriction is as narrow as another when it has purposes out of the other's only, and a period inside the other's;
- a percent has at most two decimals: 8 is 800 hundredths, and the parts of a levy are rounded down after *all* splits
  so far together, so that what rounding takes never adds up;
- a sum that caps are computed from is booked under the account, its owner of that time, and the year of the record;
- costs are expenditures of certain categories;
- a cap of an account looks at all that was booked for it, whoever owned it; one of a party at all that was booked under
  that party, in accounts of the unit, whoever owns them now;
- what a cap is a percentage of includes value from elsewhere only as far as more came than went (`received`), or more
  went than came (`spent`), and is never below nothing;
- no date begins later than the day after today.

    >>> Levy({"admin": 800}).parts(100), Levy({"admin": 800}, 110).parts(10)
    ({'admin': 8}, {'admin': 1})
    >>> inside("2026-02", "2026-02-01", "2026-02-28"), inside("2026", "2026-02-01", None)
    (True, False)
"""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date as Day
from datetime import timedelta
from typing import Any, NamedTuple

Record = dict[str, Any]
COSTS = ("administration", "fundraising")


class ModelRefused(Exception):
    """A record that the rules refuse; `reason` is one short word. The model is as it was before."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason


# -- dates and percents ------------------------------------------------------------------------------


def first_day(date: str) -> str:
    """Return the first day of a year, month or day."""
    return date + "-01-01"[3 * date.count("-") :]


def last_day(date: str) -> str:
    """Return the last day of a year, month or day."""
    if len(date) == 4:
        return f"{date}-12-31"
    if len(date) == 7:
        return f"{date}-{calendar.monthrange(int(date[:4]), int(date[5:]))[1]:02}"
    return date


def inside(date: str, first: str | None, last: str | None) -> bool:
    """Tell whether all of a stated date lies in the period from `first` to `last`."""
    return (first is None or first_day(date) >= first) and (last is None or last_day(date) <= last)


def is_to_come(date: str, today: str) -> bool:
    """Tell whether a stated date begins after the day that follows today: somewhere it is that day by now."""
    return first_day(date) > str(Day.fromisoformat(today) + timedelta(days=1))


def parse_percent(text: str, reason: str) -> int:
    """Return hundredths of a percent, 0 to 10,000."""
    whole, _, fraction = text.partition(".")
    if not whole.isdecimal() or len(fraction) > 2 or not (fraction or "0").isdecimal():
        raise ModelRefused(reason, f"{text!r} is no percent of at most two decimals")
    hundredths = int(whole + fraction.ljust(2, "0"))
    if hundredths > 10_000:
        raise ModelRefused(reason, f"{text} is more than all")
    return hundredths


# -- the terms ---------------------------------------------------------------------------------------


class Restriction(NamedTuple):
    """What value may be used for: `purposes` nil is any; the period is open where an end of it is nil."""

    purposes: frozenset[str] | None
    first: str | None
    last: str | None

    def admits(self, purpose: str, date: str | None) -> bool:
        """Tell whether an expenditure may say this; where there is a period, it must state a date."""
        if self.purposes is not None and purpose not in self.purposes:
            return False
        if self.first is None and self.last is None:
            return True
        return date is not None and inside(date, self.first, self.last)

    def keeps(self, other: Restriction | None) -> bool:
        """Tell whether this restriction is at least as narrow as `other`."""
        if other is None:
            return True
        if other.purposes is not None and (self.purposes is None or not self.purposes <= other.purposes):
            return False
        if other.first is not None and (self.first is None or self.first < other.first):
            return False
        return other.last is None or (self.last is not None and self.last <= other.last)


ANYTHING = Restriction(None, None, None)


def read_restriction(value: Mapping[str, Any]) -> Restriction | None:
    """Return the restriction that a record states; an empty one is none."""
    purposes = frozenset(value.get("purposes", ())) or None
    first, last = value.get("from"), value.get("until")
    first, last = first and first_day(first), last and last_day(last)
    if first and last and first > last:
        raise ModelRefused("restriction", f"no day lies between {first} and {last}")
    found = Restriction(purposes, first, last)
    return None if found == ANYTHING else found


class Approvals(NamedTuple):
    """At least `needed` of these parties must sign."""

    of: frozenset[str]
    needed: int


def read_approvals(value: Mapping[str, Any]) -> Approvals | None:
    """Return the approvals that a record states; an empty one is none."""
    if not value:
        return None
    found = Approvals(frozenset(value["of"]), value["needed"])
    if not 1 <= found.needed <= len(found.of):
        raise ModelRefused("approvals", f"{found.needed} of {len(found.of)} can never be")
    return found


class Cap(NamedTuple):
    """Costs may be `percent` hundredths of a percent of `base` in each `period`."""

    percent: int
    base: str
    scope: str
    period: str
    mode: str
    categories: tuple[str, ...]


def read_caps(values: Iterable[Mapping[str, Any]]) -> tuple[Cap, ...]:
    """Return the caps that a record states."""
    found = []
    for value in values:
        cap = Cap(
            parse_percent(value["percent"], "cap"), value["base"], value.get("scope", "account"),
            value.get("period", "year"), value.get("mode", "flag"), tuple(value.get("categories", COSTS)),
        )  # fmt: skip
        words = {cap.base, cap.scope, cap.period, cap.mode}
        if not words <= {"received", "spent", "account", "party", "year", "all", "flag", "refuse"}:
            raise ModelRefused("cap", f"what does {sorted(words)} say?")
        found.append(cap)
    return tuple(found)


@dataclass
class Levy:
    """What each split must give to whom, and how much was split since this was set."""

    percents: dict[str, int]
    split_before: int = 0

    def parts(self, amount: int) -> dict[str, int]:
        """Return what a split of `amount` must give to each; whoever gets nothing is left out."""
        before = self.split_before
        due = {
            name: (before + amount) * percent // 10_000 - before * percent // 10_000
            for name, percent in self.percents.items()
        }
        return {name: part for name, part in due.items() if part}


def read_levy(value: Mapping[str, str]) -> Levy | None:
    """Return the levy that a record states; an empty one is none."""
    percents = {name: parse_percent(text, "levy") for name, text in value.items()}
    if not all(percents.values()) or sum(percents.values()) > 10_000:
        raise ModelRefused("levy", f"{dict(value)} is no share of a whole")
    return Levy(percents) if percents else None


@dataclass
class Terms:
    """All that an account's owner has promised."""

    owner: str = "self"
    restriction: Restriction | None = None
    approvals: Approvals | None = None
    caps: tuple[Cap, ...] = ()
    naming: str = "allowed"
    levy: Levy | None = None
    closed: bool = False

    def changed(self, record: Mapping[str, Any]) -> Terms:
        """Return the terms as a record changes them: what it leaves out stays; an empty value removes."""
        naming = record.get("naming", self.naming) or "allowed"
        if naming not in ("allowed", "forbidden"):
            raise ModelRefused("naming", f"naming is allowed or forbidden, not {naming!r}")
        return Terms(
            owner=record.get("owner", self.owner),
            restriction=read_restriction(record["restriction"]) if "restriction" in record else self.restriction,
            approvals=read_approvals(record["approvals"]) if "approvals" in record else self.approvals,
            caps=read_caps(record["caps"]) if "caps" in record else self.caps,
            naming=naming,
            levy=read_levy(record["levy"]) if "levy" in record else self.levy,
            closed=record.get("closed", self.closed),
        )


# -- caps --------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a sum is booked; `what` is given, came or went."""

    account: str
    owner: str
    year: str
    what: str


class Spent(NamedTuple):
    """One expenditure, net of what was reversed of it."""

    account: str
    owner: str
    year: str
    category: str | None
    amount: int


class Scope(NamedTuple):
    """What a cap looks at: what was booked for these accounts, under one owner or (nothing) under any."""

    accounts: frozenset[str]
    owner: str | None

    def holds(self, booked: Place | Spent) -> bool:
        """Tell whether a sum is one of those."""
        return booked.account in self.accounts and self.owner in (None, booked.owner)


@dataclass
class Books:
    """What was given, came and went; what is undone is taken off at the place where it was booked."""

    sums: Counter[Place] = field(default_factory=Counter)

    def weigh(self, cap: Cap, year: str, scope: Scope, spending: Iterable[Spent]) -> tuple[int, int]:
        """Return the costs, and what the cap is a percentage of, in `year` where it is yearly."""
        total = Counter[str]()
        for place, amount in self.sums.items():
            if scope.holds(place) and _counts(cap, place.year, year):
                total[place.what] += amount
        uses = [each for each in spending if scope.holds(each) and _counts(cap, each.year, year)]
        more = total["came"] - total["went"]
        if cap.base == "received":
            base = total["given"] + max(0, more)
        else:
            base = sum(use.amount for use in uses if use.category != "loss") + max(0, -more)
        return sum(use.amount for use in uses if use.category in cap.categories), max(0, base)

    def exceeds(self, cap: Cap, year: str, scope: Scope, spending: Iterable[Spent]) -> bool:
        """Tell whether the costs are now more than the cap allows."""
        costs, base = self.weigh(cap, year, scope, spending)
        return costs * 10_000 > cap.percent * base


def _counts(cap: Cap, year: str, asked: str) -> bool:
    return cap.period == "all" or year == asked
