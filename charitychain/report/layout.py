"""Layout: how a report is told to people, whatever it is printed on.

Rules upheld here:

- First stands, for each currency, the share that somebody independent acknowledged, beside what is merely evidenced and
  merely reported. Where no currency was received, it stands for each other unit.
- Every figure follows, in the order of the report, under a heading; figures that follow each other and are computed in
  the same way form a group, so that this is told once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from charitychain.report.model import Figure, Report
from charitychain.units import CURRENCIES

__all__ = ["Headline", "Section", "headlines", "sections"]

_TITLES = {
    "gifts": "Counts", "donors": "Counts", "merchants": "Counts", "organisations": "Counts", "projects": "Counts",
    "converted": "Turned into other units", "earned": "Earned", "outcome": "Outcomes", "late": "Late entries",
    "at-rates": "At the rates stated",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Headline:
    """The shares of one unit that matter most, in percent as the report states them."""

    unit: str
    acknowledged: Figure
    evidenced: Figure
    reported: Figure


@dataclass(frozen=True, slots=True)
class Section:
    """Figures under a heading; those of a group are computed in the same way."""

    title: str
    groups: tuple[tuple[Figure, ...], ...]


def headlines(report: Report) -> tuple[Headline, ...]:
    """Return the headlines of a report, in its order."""
    figures, found = {figure.id: figure for figure in report.figures}, []
    for unit in dict.fromkeys(id_.split(".")[1] for id_ in figures if id_.startswith("share.")):
        told = (figures[f"share.{unit}.{state}"] for state in ("acknowledged", "evidenced", "reported"))
        found.append(Headline(unit, *told))
    return tuple([one for one in found if one.unit in CURRENCIES] or found)


def sections(report: Report) -> Iterator[Section]:
    """Yield every figure of a report, under headings and in groups."""
    for title, figures in groupby(report.figures, key=_title):
        groups = groupby(figures, key=lambda figure: figure.how)
        yield Section(title, tuple(tuple(group) for _, group in groups))


def _title(figure: Figure) -> str:
    first, _, rest = figure.id.partition(".")
    unit = rest.partition(".")[0]
    if first == "share":
        return f"What became of the {unit} received"
    return _TITLES.get(first.partition(":")[0]) or f"Amounts in {unit}"
