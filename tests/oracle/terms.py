"""What an account's owner has promised: restriction, approvals, caps, naming, levy, closing.

The terms as values, and the arithmetic of dates, percents and caps. Nothing moves here: the model asks before it moves.

Rules upheld here:

- a stated date is a year, a month or a day, and lies inside a period when all of it does;
- a restriction is as narrow as another when it has purposes out of the other's only, and a period inside the other's;
- a percent has at most two decimals: 8 is 800 hundredths, and the parts of a levy are rounded down after *all* splits
  so far together, so that what rounding takes never adds up;
- costs are expenditures of certain categories, counted in the year of their own date, and what was reversed of one is
  taken off that same year; everything else counts in the year in which it was made;
- what a cap is a percentage of includes value from elsewhere only as far as more came than went (`received`), or more
  went than came (`spent`).

    >>> Levy({"admin": 800}).parts(100), Levy({"admin": 800}, 110).parts(10)
    ({'admin': 8}, {'admin': 1})
    >>> inside("2026-02", "2026-02-01", "2026-02-28"), inside("2026", "2026-02-01", None)
    (True, False)
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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


class Entry(NamedTuple):
    """One sum in the books that caps are computed from; `what` is donated, returned, in or out."""

    account: str
    year: str
    what: str
    amount: int


class Spent(NamedTuple):
    """One expenditure, net of what was reversed of it."""

    account: str
    year: str
    category: str | None
    amount: int


@dataclass
class Books:
    """What came and went, by account and year."""

    entries: list[Entry] = field(default_factory=list)

    def exceeds(self, cap: Cap, year: str, scope: frozenset[str], spending: Iterable[Spent]) -> bool:
        """Tell whether the costs of these accounts are now more than the cap allows, in `year` where it is yearly."""
        entries = [each for each in self.entries if each.account in scope and _counts(cap, each.year, year)]
        uses = [each for each in spending if each.account in scope and _counts(cap, each.year, year)]
        total = {"donated": 0, "returned": 0, "in": 0, "out": 0}
        for entry in entries:
            total[entry.what] += entry.amount
        more_in = total["in"] - total["out"]
        if cap.base == "received":
            base = total["donated"] - total["returned"] + max(0, more_in)
        else:
            base = sum(use.amount for use in uses) + max(0, -more_in)
        costs = sum(use.amount for use in uses if use.category in cap.categories)
        return costs * 10_000 > cap.percent * base


def _counts(cap: Cap, year: str, asked: str) -> bool:
    return cap.period == "all" or year == asked
