"""Rates: a table of exchange rates that a report states whole, with the hash of its file.

The file is CSV with the columns unit, to, rate, date, source: one `unit` is worth `rate` of `to`, as a decimal; both
are currencies.

Rules upheld here:

- Nothing is converted without a table, and only currencies: steps, hours and goods have no rate.
- Sums are exact until the last step, which rounds to the smallest part of the target, half to even.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from charitychain.errors import MalformedError, StorageError, UnreadableError
from charitychain.records import check_date
from charitychain.units import CURRENCIES

__all__ = ["Rate", "Rates", "read_rates"]

_COLUMNS = ("unit", "to", "rate", "date", "source")
_SIZE_MAX = 1024 * 1024
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True)
class Rate:
    """One `unit` is worth `rate` (a decimal) of `to`, on a date, as a source says."""

    unit: str
    to: str
    rate: str
    date: str
    source: str

    def to_dict(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in _COLUMNS}


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one file, and its SHA-256 in hexadecimal."""

    sha256: str
    rates: tuple[Rate, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "rates": [rate.to_dict() for rate in self.rates]}

    @classmethod
    def from_dict(cls, value: dict[str, Any], bad: Callable[[str], NoReturn]) -> Rates:
        """Read them as a report states them; `bad` raises."""
        if value.keys() != {"sha256", "rates"} or not isinstance(value["rates"], list):
            bad("its rates have other fields than sha256 and rates")
        found = []
        for item in value["rates"]:
            if not isinstance(item, dict) or item.keys() != set(_COLUMNS):
                bad(f"a rate has other fields than {', '.join(_COLUMNS)}")
            if not isinstance(value["sha256"], str) or not all(isinstance(text, str) for text in item.values()):
                bad("its rates hold what is no text")
            found.append(Rate(**item))
        return cls(value["sha256"], tuple(found))

    def targets(self) -> list[str]:
        """Return the currencies that something is converted to, in order."""
        return sorted({rate.to for rate in self.rates})

    def total(self, sums: Mapping[str, int], to: str) -> int:
        """Return what sums by unit (minor units) come to in `to`, minor units; those without a rate are left out."""
        target, found = CURRENCIES[to], Fraction(sums.get(to, 0))
        for rate in self.rates:
            if rate.to == to and rate.unit != to:
                minor = Fraction(10**target.decimals, 10 ** CURRENCIES[rate.unit].decimals)
                found += sums.get(rate.unit, 0) * Fraction(rate.rate) * minor
        return round(found)  # Python rounds fractions half to even

    def units(self, to: str) -> set[str]:
        """Return the currencies that `total` counts."""
        return {to, *(rate.unit for rate in self.rates if rate.to == to)}


def read_rates(path: Path) -> Rates:
    """Read a table of rates.

    Raises:
        StorageError: ``CC-STORAGE``: it cannot be read.
        MalformedError: ``CC-TABLE``: a row is no rate between two currencies, or tells a pair twice.
        UnreadableError: ``CC-UNREADABLE``: it is too large.
    """
    # Imported here: whoever only reads reports needs no tables of events.
    from charitychain.programmes.events import bad_event, read_events

    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError("CC-STORAGE", f"{path} cannot be read: {error.strerror}", path=str(path)) from error
    if len(data) > _SIZE_MAX:
        raise UnreadableError("CC-UNREADABLE", f"{path} has more than {_SIZE_MAX} bytes; it is no table of rates")
    found: dict[tuple[str, str], Rate] = {}
    for event in read_events(path, required=_COLUMNS):
        rate = Rate(**event.fields)
        for code in (rate.unit, rate.to):
            if code not in CURRENCIES:
                raise bad_event(path, event.line, f"{code!r:.60} is no currency of ISO 4217; nothing else has a rate")
        if _DECIMAL.fullmatch(rate.rate) is None or not Fraction(rate.rate):
            raise bad_event(path, event.line, f"rate must be a plain decimal above 0, found {rate.rate!r:.60}")
        if rate.unit == rate.to or (rate.unit, rate.to) in found:
            raise bad_event(path, event.line, f"{rate.unit} to {rate.to} needs no rate, or has one already")
        try:
            check_date(rate.date, "date")
        except MalformedError as error:
            raise bad_event(path, event.line, error.message) from error
        if not rate.source.strip() or len(rate.source) > 256:
            raise bad_event(path, event.line, "source must say who publishes the rate, in up to 256 characters")
        found[rate.unit, rate.to] = rate
    if not found:
        raise bad_event(path, 1, "it holds no rate")
    return Rates(sha256(data).hexdigest(), tuple(found.values()))
