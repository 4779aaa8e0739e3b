"""Check: a published report, computed again from the ledger it names.

Rules upheld here:

- Identity and checkpoint are compared first: a report on another ledger, or on another history, differs.
- Everything published is compared, labels and explanations too, and so is everything that was left out.
- The title is no ledger's; it is compared with the one that the reader expects, if any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from charitychain.errors import MalformedError, UnreadableError
from charitychain.ledger import Ledger
from charitychain.report.compute import compute, period_of
from charitychain.report.model import Figure, Report
from charitychain.report.rates import Rate, Rates

__all__ = ["Difference", "check"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a report says otherwise than the ledger; nothing where one of them does not say it at all."""

    id: str
    published: str | None
    computed: str | None

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "published": self.published, "computed": self.computed}


def check(
    ledger: Ledger,
    report: Report,
    rates: Rates | None = None,
    *,
    title: str | None = None,
    watch: Callable[[Ledger], None] = lambda _: None,
) -> tuple[Difference, ...]:
    """Compute a report again at its height, and return what differs.

    Args:
        rates: The file that the report's rates are said to come from, if it states rates.
        title: The title it must have; nothing is whatever it has.
        watch: Gets the ledger as it was then before it is read, to show progress.

    Raises:
        UnreadableError: ``CC-REPORT``: its period has another form than a report gives it.
        NotFoundError: ``CC-UNKNOWN-MOMENT``: the ledger does not reach that height.
    """
    try:
        period = period_of(report.first, report.last)
    except MalformedError as error:
        raise UnreadableError("CC-REPORT", f"the period of the report is none: {error.message}") from error
    if period != (report.first, report.last):
        raise UnreadableError("CC-REPORT", "the period of the report is not told in whole days")
    told = dict(report.ledger)
    if (told["origin"], told["identity"]) != (ledger.origin, ledger.identity.hex()):
        named = (("origin", ledger.origin), ("identity", ledger.identity.hex()))
        return tuple(Difference(f"ledger.{name}", told[name], mine) for name, mine in named if told[name] != mine)
    with ledger.at(height=told["height"]) as then:
        watch(then)
        found = then.answer(lambda reader: compute(reader, first=report.first, last=report.last, rates=rates))
    differ = []
    mine = dict(found.ledger)
    if title is not None and report.title != title:
        differ.append(Difference("title", report.title, title))
    if not _is_same_seal(told["checkpoint"], mine["checkpoint"]):
        seals = (" ".join(one["checkpoint"].split()) for one in (told, mine))
        differ.append(Difference("ledger.checkpoint", *seals))
    if report.rates != found.rates:
        differ += _rates(report.rates, found.rates)
    published, computed = ({figure.id: figure for figure in one.figures} for one in (report, found))
    for id_ in [*published, *(id_ for id_ in computed if id_ not in published)]:
        differ += _figures(id_, published.get(id_), computed.get(id_))
    return tuple(differ)


def _is_same_seal(published: str, computed: str) -> bool:
    """Say whether two checkpoints say the same, and who signed one signed the other: others may have signed since."""
    (said, _, signed), (says, _, signs) = (checkpoint.partition("\n\n") for checkpoint in (published, computed))
    one, other = ({*lines.splitlines()} for lines in (signed, signs))
    return said == says and bool(one & other) and (one <= other or one >= other)


def _rates(published: Rates | None, computed: Rates | None) -> list[Difference]:
    hashes = [rates.sha256 if rates is not None else None for rates in (published, computed)]
    if hashes[0] != hashes[1]:
        return [Difference("rates.sha256", *hashes)]
    tables = [[_rate(rate) for rate in rates.rates] if rates is not None else [] for rates in (published, computed)]
    rows = enumerate(zip_longest(*tables), 1)
    return [Difference(f"rates.{number}", *row) for number, row in rows if row[0] != row[1]]


def _rate(rate: Rate) -> str:
    return f"1 {rate.unit} = {rate.rate} {rate.to} on {rate.date}, {rate.source}"


def _figures(id_: str, published: Figure | None, computed: Figure | None) -> list[Difference]:
    """Return how a figure differs: as a whole, or field by field."""
    if published is None or computed is None:
        return [Difference(id_, *(_told(figure) if figure is not None else None for figure in (published, computed)))]
    if (type(published.value), _number(published)) != (type(computed.value), _number(computed)):
        return [Difference(id_, _told(published), _told(computed))]
    return [
        Difference(f"{id_} ({name})", getattr(published, name), getattr(computed, name))
        for name in ("label", "how")
        if getattr(published, name) != getattr(computed, name)
    ]


def _number(figure: Figure) -> tuple[object, ...]:
    return figure.value, figure.unit, figure.numerator, figure.denominator, figure.of


def _told(figure: Figure) -> str:
    """Return a value as text, with its unit and what it is a share of."""
    value, unit, numerator, denominator, of = _number(figure)
    parts = [str(value)] + ([str(unit)] if unit is not None else [])
    if (numerator, denominator, of) != (None, None, None):
        parts.append(f"({numerator} of {denominator} {of})")
    return " ".join(parts)
