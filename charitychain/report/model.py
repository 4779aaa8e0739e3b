"""Reports as values, and as the documented JSON.

Rules upheld here:

- A figure is an id, a label, a value, its unit and one sentence that says how it is computed.
- Its id is unambiguous whatever a ledger names things: in a name in it ``%``, ``.`` and ``:`` are percent-encoded.
- Counts are whole numbers; amounts are decimal strings in major units; shares are percentages as decimal strings with
  two places, rounded half to even, with numerator and denominator beside them, and the unit of both.
- What is read is read strictly: another format, an unknown or missing field, a figure twice, is an error.

>>> in_id("books: 2.5 %"), in_id("EUR")
('books%3A 2%2E5 %25', 'EUR')
>>> percent(1, 8), percent(1, 3), percent(2, 3), percent(1, 32)
('12.50', '33.33', '66.67', '3.12')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from charitychain.errors import UnreadableError
from charitychain.report.rates import Rates
from charitychain.strictjson import read_json

__all__ = ["FORMAT", "REPORT_MAX", "TITLE_MAX", "Figure", "Report", "half_even", "in_id", "percent", "read_report"]

FORMAT = "charitychain-report/1"
REPORT_MAX = 64 * 1024 * 1024
"""The most bytes of a report that are read."""

TITLE_MAX = 256
"""The most characters of a title."""

_FIGURE = {"id": str, "label": str, "value": (int, str), "how": str}
_FIGURE_MORE = {"unit": str, "numerator": (int, str), "denominator": (int, str), "of": str}
_LEDGER = {"origin": str, "identity": str, "height": int, "checkpoint": str}


def in_id(name: str) -> str:
    """Return a name as it stands in the id of a figure, where ``.`` and ``:`` part one thing from the next."""
    return name.replace("%", "%25").replace(".", "%2E").replace(":", "%3A")


def half_even(numerator: int, denominator: int) -> int:
    """Return a quotient of whole numbers that are not negative, rounded half to even."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))


def percent(part: int, whole: int) -> str:
    """Return `part` of `whole` in percent, two places."""
    hundredths = half_even(part * 10_000, whole)
    return f"{hundredths // 100}.{hundredths % 100:02}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `numerator` and `denominator` stand beside a share, as amounts in the unit `of`."""

    id: str
    label: str
    value: int | str
    unit: str | None
    how: str
    numerator: str | None = None
    denominator: str | None = None
    of: str | None = None

    def to_dict(self) -> dict[str, Any]:
        found = {
            "id": self.id, "label": self.label, "value": self.value, "unit": self.unit, "how": self.how,
            "numerator": self.numerator, "denominator": self.denominator, "of": self.of,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Report:
    """A report: the ledger and head it holds for, its period (first and last day, or open), figures and rates.

    The title is what its publisher says, and nothing that the ledger holds.
    """

    ledger: Mapping[str, Any]
    first: str | None
    last: str | None
    figures: tuple[Figure, ...]
    rates: Rates | None = None
    title: str | None = None

    def get(self, id_: str) -> Figure | None:
        """Return the figure with this id, if there is one."""
        return next((figure for figure in self.figures if figure.id == id_), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as the documented JSON object."""
        return {
            "report": FORMAT,
            "title": self.title,
            "ledger": dict(self.ledger),
            "period": {"from": self.first, "to": self.last},
            "figures": [figure.to_dict() for figure in self.figures],
            "rates": self.rates.to_dict() if self.rates is not None else None,
        }


def read_report(data: bytes, name: str) -> Report:
    """Read a published report.

    Args:
        name: What the file is called, for messages.

    Raises:
        UnreadableError: ``CC-REPORT``: it is no report of this format.
    """

    def bad(what: str) -> NoReturn:
        raise UnreadableError("CC-REPORT", f"{name} is no report of the format {FORMAT}: {what}")

    def fields(value: Any, what: str, must: Mapping[str, Any], may: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(value, dict):
            bad(f"{what} is no object")
        for field in sorted(value.keys() | must.keys()):
            if field not in value:
                bad(f"{what} has no field {field!r}")
            kind = must.get(field) or may.get(field)
            if kind is None:
                bad(f"{what} has the unknown field {field!r:.60}")
            if not isinstance(value[field], kind) or isinstance(value[field], bool):
                bad(f"{what} has a {field!r} of another kind")
        return value

    try:
        value = read_json(data, size_max=REPORT_MAX)
    except ValueError as error:
        bad(str(error))
    if not isinstance(value, dict) or value.get("report") != FORMAT:
        bad("its field 'report' does not say so")
    nothing = type(None)
    parts = {"title": (str, nothing), "ledger": dict, "period": dict, "figures": list, "rates": (dict, nothing)}
    fields(value, "it", {"report": str, **parts}, {})
    if value["title"] is not None and not 0 < len(value["title"]) <= TITLE_MAX:
        bad(f"its title has no character, or more than {TITLE_MAX}")
    ledger = fields(value["ledger"], "its ledger", _LEDGER, {})
    day = (str, nothing)
    period = fields(value["period"], "its period", {"from": day, "to": day}, {})
    figures: dict[str, Figure] = {}
    for number, item in enumerate(value["figures"], 1):
        found = fields(item, f"figure {number}", _FIGURE, _FIGURE_MORE)
        if found["id"] in figures:
            bad(f"figure {number} has the id of another one")
        figures[found["id"]] = Figure(**{"unit": None, **found})
    rates = Rates.from_dict(value["rates"], bad) if value["rates"] is not None else None
    return Report(ledger, period["from"], period["to"], tuple(figures.values()), rates, value["title"])
