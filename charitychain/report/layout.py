"""Layout: how a report is told to people, whatever it is printed on.

Rules upheld here:

- First stands the share that somebody independent acknowledged, beside what is merely evidenced and merely reported: of
  all money at the rates stated, and for each currency. Where no currency was received, it stands for each other unit.
- Every figure follows, in the order of the report, under a heading; figures that follow each other and are computed in
  the same way form a group, so that this is told once. Of a long group the largest are told first, the rest if asked.
- Left out are the amounts of a unit of which there is nothing to tell: all are zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from charitychain.report.model import Figure, Report
from charitychain.units import CURRENCIES

__all__ = ["Group", "Headline", "Section", "headlines", "sections"]

_SHOWN = 20

_TITLES = {
    "gifts": "Counts", "donors": "Counts", "merchants": "Counts", "organisations": "Counts", "projects": "Counts",
    "accounts": "Counts", "converted": "Turned into other units", "earned": "Earned", "outcome": "Outcomes",
    "late": "Late entries", "at-rates": "At the rates stated",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Headline:
    """The shares that matter most, in percent as the report states them, and what they are shares of."""

    of: str
    acknowledged: Figure
    evidenced: Figure
    reported: Figure


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that are computed in the same way: those to show, and those to fold away; each in the report's order."""

    shown: tuple[Figure, ...]
    folded: tuple[Figure, ...] = ()

    @property
    def how(self) -> str:
        return self.shown[0].how


@dataclass(frozen=True, slots=True)
class Section:
    """Groups of figures under a heading."""

    title: str
    groups: tuple[Group, ...]


def headlines(report: Report) -> tuple[Headline, ...]:
    """Return the headlines of a report: at rates first, then in its order."""
    at_rates, units = dict[str, dict[str, Figure]](), dict[str, dict[str, Figure]]()
    for figure in report.figures:
        match figure.id.split("."):
            case ["at-rates", _, "share", state]:
                at_rates.setdefault(figure.of or "", {})[state] = figure
            case ["share", _, state]:
                units.setdefault(figure.of or "", {})[state] = figure
    told = [(f"money received, in {to} at the rates stated,", states) for to, states in at_rates.items()]
    alone = {unit: states for unit, states in units.items() if unit in CURRENCIES} or units
    told += [(f"{unit} received", states) for unit, states in alone.items() if "acknowledged" in states]
    return tuple(
        Headline(of, *(states[state] for state in ("acknowledged", "evidenced", "reported"))) for of, states in told
    )


def sections(report: Report) -> Iterator[Section]:
    """Yield the figures of a report, under headings and in groups."""
    for title, found in groupby(report.figures, key=_title):
        figures = tuple(found)
        if title.startswith("Amounts in ") and not any(map(_size, figures)):
            continue
        groups = groupby(figures, key=lambda figure: figure.how)
        yield Section(title, tuple(_group(tuple(group)) for _, group in groups))


def _group(figures: tuple[Figure, ...]) -> Group:
    if len(figures) <= _SHOWN:
        return Group(figures)
    largest = {figure.id for figure in sorted(figures, key=_size, reverse=True)[:_SHOWN]}
    shown, folded = ([f for f in figures if (f.id in largest) == is_shown] for is_shown in (True, False))
    return Group(tuple(shown), tuple(folded))


def _size(figure: Figure) -> Fraction:
    return Fraction(figure.value)


def _title(figure: Figure) -> str:
    first = figure.id.partition(".")[0].partition(":")[0]
    unit = figure.unit if figure.of is None else figure.of
    if first == "share":
        return f"What became of the {unit} received"
    return _TITLES.get(first) or f"Amounts in {unit}"
