"""Conventions: how the days and amounts of a table are written, where nothing says so.

Pure. Rules upheld here:

- A convention counts if every cell of its columns fits it.
- Where two fit and say different things, nothing is guessed: the table is refused, and the message names the option
  that decides.

>>> read_days([Cell(2, "01/02/2026"), Cell(3, "31/01/2026")], None)
['2026-02-01', '2026-01-31']
>>> read_decimals([Cell(2, "1.234"), Cell(3, "-0,50")], None)
['1234', '-0.50']
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from charitychain.errors import MalformedError
from charitychain.interop.bank import calendar_day, malformed

__all__ = ["Cell", "read_days", "read_decimals", "unclear"]

_GROUPING = re.compile(r"[\s'’\u00a0\u202f]")
_SIGNED = re.compile(r"([+\-\u2212]?)([^+\-\u2212]+)([+\-\u2212]?)")
_PLAIN = {
    "point": re.compile(r"\d+(?:\.\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII),
    "comma": re.compile(r"\d+(?:,\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?", re.ASCII),
}
_DAYS = {
    "iso": re.compile(r"(?P<y>\d{4})(?P<s>[-/.]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)(?:[T ].*)?", re.ASCII),
    "dmy": re.compile(r"(?P<d>\d{1,2})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<y>\d{4}|\d\d)(?: .*)?", re.ASCII),
    "mdy": re.compile(r"(?P<m>\d{1,2})(?P<s>[-/])(?P<d>\d{1,2})(?P=s)(?P<y>\d{4}|\d\d)(?: .*)?", re.ASCII),
}


class Cell(NamedTuple):
    """Text that a convention must make sense of, and the line where it stands."""

    line: int
    text: str


def read_days(cells: list[Cell], told: str | None) -> list[str]:
    """Return days as ``YYYY-MM-DD``.

    Args:
        told: ``iso``, ``dmy`` or ``mdy``; else decided by the cells.

    Raises:
        MalformedError: ``CC-BANK``, ``CC-BANK-UNCLEAR``.
    """
    return _read(cells, [told] if told is not None else _DAYS, _day, "a day", "--dates")


def read_decimals(cells: list[Cell], told: str | None) -> list[str]:
    """Return amounts as signed plain decimals with a point.

    Args:
        told: ``point`` or ``comma``; else decided by the cells.

    Raises:
        MalformedError: ``CC-BANK``, ``CC-BANK-UNCLEAR``.
    """
    return _read(cells, [told] if told is not None else _PLAIN, _decimal, "an amount", "--decimal")


def unclear(what: str) -> MalformedError:
    """Return the refusal of a table that may be read in two ways, or in none that is known."""
    return MalformedError("CC-BANK-UNCLEAR", what)


def _read(
    cells: list[Cell],
    conventions: Iterable[str],
    read: Callable[[str, str], str | None],
    what: str,
    option: str,
) -> list[str]:
    """Return the one reading that fits every cell."""
    fitting: list[tuple[str, list[str]]] = []
    furthest = 0
    for name in conventions:
        values: list[str] = []
        for cell in cells:
            value = read(cell.text, name)
            if value is None:
                break
            values.append(value)
        else:
            fitting.append((name, values))
        furthest = max(furthest, len(values))
    if not fitting:
        cell = cells[furthest]
        raise malformed(
            f"line {cell.line}", f"{what} as in the rest of the column was expected, found {cell.text!r:.60}"
        )
    (first, chosen), *others = fitting
    for name, values in others:
        for cell, one, other in zip(cells, chosen, values, strict=True):
            if one != other:
                raise unclear(
                    f"line {cell.line}: {cell.text!r:.60} may be {one} ({first}) or {other} ({name}), and no other row"
                    f" decides; tell it with {option}"
                )
    return chosen


def _day(text: str, convention: str) -> str | None:
    found = _DAYS[convention].fullmatch(text)
    if found is None:
        return None
    year = int(found["y"])
    return calendar_day(year + 2000 if len(found["y"]) == 2 else year, int(found["m"]), int(found["d"]))


def _decimal(text: str, convention: str) -> str | None:
    found = _SIGNED.fullmatch(_GROUPING.sub("", text)) if len(text) <= 64 else None
    if found is None or (found[1] and found[3]) or _PLAIN[convention].fullmatch(found[2]) is None:
        return None
    point, group = (".", ",") if convention == "point" else (",", ".")
    whole, _, fraction = found[2].replace(group, "").partition(point)
    sign = "-" if (found[1] or found[3]) not in ("", "+") else ""
    return f"{sign}{whole.lstrip('0') or '0'}" + (f".{fraction}" if fraction else "")
