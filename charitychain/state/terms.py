"""Terms: what an account's owner promised about it, and what that allows.

A restriction (purposes, period), approvals (k of n), cost caps, whether gifts may be named, a standing levy; beside
them title, tags and the sum hoped for. Plain values and comparisons; `charitychain.state.rules` applies them.

Rules upheld here:

- A restriction is *at least as narrow* as another when whatever it allows, the other allows too.

>>> outer, inner = (("books", "desks"), None, None), (("books",), "2026-01-01", None)
>>> is_as_narrow(inner, outer), is_as_narrow(outer, inner)
(True, False)
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from charitychain import codec
from charitychain.records import Account, AccountChange
from charitychain.records.parties import Approvals, Cap, Levy, Restriction
from charitychain.sumlog import Tag

__all__ = ["Terms", "day_of_time", "days_of", "is_as_narrow"]

HUNDRED_PERCENT = 10_000


@dataclass(frozen=True, slots=True)
class Terms:
    """An account's terms as they stand. Percents are hundredths of a percent, `target` is minor units."""

    title: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    restriction: Restriction | None = None
    approvals: Approvals | None = None
    target: int | None = None
    caps: tuple[Cap, ...] = ()
    naming: str | None = None
    levy: Levy = ()

    @classmethod
    def of(cls, record: Account) -> Terms:
        """Return the terms that an account is opened with."""
        return cls().changed(record)

    def changed(self, record: Account | AccountChange) -> Terms:
        """Return these terms with what a record says; what it leaves out stays, and an empty value takes away."""
        new: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(record, name)
            if value is not None:
                new[name] = value
        if new.get("title") == "":
            new["title"] = None
        if new.get("restriction") == ((), None, None):
            new["restriction"] = None
        if new.get("approvals") == (0, ()):
            new["approvals"] = None
        if new.get("target") == 0:
            new["target"] = None
        if new.get("naming") == "allowed":
            new["naming"] = None
        return replace(self, **new)

    def wire(self) -> tuple[Any, ...]:
        """Return the fields in their order, as the terms' hash covers them."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def hash(self) -> bytes:
        """Return the hash that the account's summary holds."""
        return sha256(bytes((Tag.TERMS,)) + codec.encode(self.wire())).digest()


def days_of(date: str) -> tuple[str, str]:
    """Return the first and last day that a stated date may mean: ``2020-06`` is anything from its 1st to its 30th."""
    first, last = date + "-01-01"[len(date) - 4 :], date + "-12-31"[len(date) - 4 :]
    if len(date) == 7:
        last = f"{date}-{monthrange(int(date[:4]) or 2000, int(date[5:7]))[1]:02}"
    return first, last


def is_as_narrow(inner: Restriction | None, outer: Restriction | None) -> bool:
    """Say whether everything that `inner` allows, `outer` allows too; no restriction allows everything."""
    if outer is None:
        return True
    if inner is None:
        return False
    purposes, start, end = outer
    return (
        (not purposes or (bool(inner[0]) and set(inner[0]) <= set(purposes)))
        and (start is None or (inner[1] is not None and inner[1] >= start))
        and (end is None or (inner[2] is not None and inner[2] <= end))
    )


def day_of_time(seconds: int) -> str:
    """Return the UTC day of a time in seconds since 1970; one beyond the calendar, which a forger writes, is its last.

    >>> day_of_time(0), day_of_time(2**62)
    ('1970-01-01', '9999-12-31')
    """
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return "9999-12-31"
