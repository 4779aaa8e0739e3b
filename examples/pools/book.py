"""A real book as a journal: 11 pooled funds, the gifts they received and the grants they made, 2010 to 2023.

`journal` turns the rows of `pools.csv` (origin and changes: README.md) into the records that `charitychain import`
reads, and a report of everything that a reader of the result should know. It is pure: rows in, two lists out.

Rules upheld here:

- **Who is who.** Each of the 11 pools is a fund account in USD. A row whose donor is no pool is a donation ``G-row``;
  from pool to pool, a disbursement ``M-row``; from a pool to anybody else, an expenditure ``X-row``. `row` is the row's
  number in the file, from 1.
- **Order.** By published date (a coarse one stands on the first day of its period, as published), on one date gifts
  first, then disbursements, then expenditures, then by row number. Nothing is moved by hand: a grant published with
  an earlier date than the income that surely paid for it stays before it.
- **Undisclosed income.** The published gifts are a part of the true ones. Where an outflow is more than its pool holds,
  a donation ``U-row`` of source ``undisclosed`` comes immediately before it, of exactly what is missing. Under fifo
  this makes the disclosed gifts leave first, and the pool is empty after that outflow.
- **Nothing silent.** A row without an amount, or with one that is no whole number of cents above zero, is not recorded;
  a row published twice is entered once. Each is in the report. Rows read = rows recorded + rows not recorded.
- A date says only what the source says: quarter and multi-year become the year, and the report has the rest.
- A donor is a hash of the name or pseudonym in the file; two gifts of "Anonymous" are two donors.

What money did inside a pool is left to the ledger and its declared rule.

>>> lines, report = journal([])
>>> lines[1]
{'record': 'account', 'id': 'beri', 'unit': 'USD', 'title': 'Berkeley Existential Risk Initiative', 'rule': 'fifo'}
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POOLS: dict[str, str] = {
    "GiveWell Maximum Impact Fund": "givewell-mif",
    "Berkeley Existential Risk Initiative": "beri",
    "Effective Altruism Funds: Effective Altruism Infrastructure Fund": "infrastructure",
    "Effective Altruism Funds: Long-Term Future Fund": "ltff",
    "Effective Altruism Funds: Animal Welfare Fund": "animal-welfare",
    "Effective Altruism Funds: Global Health and Development Fund": "global-health",
    "EA Giving Group": "ea-giving-group",
    "Donor lottery": "donor-lottery",
    "Survival and Flourishing Fund": "sff",
    "Raising for Effective Giving": "reg",
    "Future of Life Institute": "fli",
}
"""The published name of each pool (which becomes the title) and the id of its account."""

TRACED_GIFT = "G-331"
"""2,000,000 into `beri` in 2017: spent in full, on 12 grants of `beri` and, over three disbursements, 4 of `fli`."""
TRACED_CHAIN = "G-177"
"""15,000 into `ea-giving-group` in 2016. Under fifo all of it goes on to `beri` and ends in `SOURCES_OF`. Under
pro-rata a part of it goes through `beri` and then `fli` or `sff` to their grants: two disbursements and a final use."""
SOURCES_OF = "X-301"
"""300,000 of `beri` to the Center for Applied Rationality: paid by six gifts, which came by three roads."""

ANONYMOUS = "Anonymous"
CSV_PATH = Path(__file__).with_name("pools.csv")
_AMOUNT = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_DATE_LENGTH = {"day": 10, "month": 7, "quarter": 4, "year": 4, "multi-year": 4}
_COARSE = ("quarter", "multi-year")
_INFLOW, _BETWEEN, _OUTFLOW = range(3)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that will be recorded; amounts are whole cents, `source` and `target` accounts (None: not a pool)."""

    number: int
    donor: str
    donee: str
    cents: int
    published: str
    precision: str
    cause: str

    @property
    def source(self) -> str | None:
        return POOLS.get(self.donor)

    @property
    def target(self) -> str | None:
        return POOLS.get(self.donee)

    @property
    def order(self) -> tuple[str, int, int]:
        kind = _INFLOW if self.source is None else _OUTFLOW if self.target is None else _BETWEEN
        return self.published, kind, self.number

    @property
    def date(self) -> str:
        return self.published[: _DATE_LENGTH[self.precision]]


def read_rows(path: Path = CSV_PATH) -> Iterator[dict[str, str]]:
    """Yield the rows of the file, one at a time."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def journal(rows: Iterable[Mapping[str, str]], rule: str = "fifo") -> tuple[list[dict[str, Any]], list[str]]:
    """Turn rows of `pools.csv` into journal records, in order, and a report.

    Args:
        rows: As `read_rows` yields them, in any order.
        rule: What every account declares: ``fifo`` or ``pro-rata``. The records are otherwise the same.

    Returns:
        The 11 accounts followed by the money, and one sentence for each row not recorded (``… not recorded: …``),
        for each that is recorded with less or more than it says (``… recorded, but …``), and for each `U-` record.
    """
    lines: list[dict[str, Any]] = [
        {"record": "account", "id": account, "unit": "USD", "title": title, "rule": rule}
        for title, account in POOLS.items()
    ]
    report: list[str] = []
    recorded = sorted(_parse(rows, report), key=lambda row: row.order)
    first_income: dict[str, _Row] = {}
    for row in recorded:
        if row.target is not None:
            first_income.setdefault(row.target, row)
    held = dict.fromkeys(POOLS.values(), 0)
    for row in recorded:
        if row.precision in _COARSE:
            report.append(f"row {row.number}: recorded, but dated {row.date}: the source says {row.precision}")
        if row.source is not None:
            lines += _cover(row, held, first_income.get(row.source), report)
            held[row.source] -= row.cents
        if row.target is not None:
            held[row.target] += row.cents
        lines.append(_record(row))
    return lines, report


def _parse(rows: Iterable[Mapping[str, str]], report: list[str]) -> Iterator[_Row]:
    """Yield what can be recorded; report what cannot."""
    for row in rows:
        number, amount = int(row["row"]), row["amount"]
        whole, _, fraction = amount.partition(".")
        fraction = fraction.rstrip("0")
        if row["duplicate_of"]:
            fault = f"published twice, see row {row['duplicate_of']}"
        elif not amount:
            fault = "no amount is published"
        elif _AMOUNT.fullmatch(amount) is None or len(fraction) > 2:
            fault = f"the amount {amount} is no whole number of cents"
        elif not int(whole + fraction):
            fault = "the amount is zero"
        elif row["donation_date_precision"] not in _DATE_LENGTH:
            fault = f"the precision of its date is {row['donation_date_precision']!r}"
        elif row["donor"] == row["donee"] or not {row["donor"], row["donee"]} & POOLS.keys():
            fault = "it moves nothing into or out of a pool"
        else:
            yield _Row(
                number=number,
                donor=row["donor"],
                donee=row["donee"],
                cents=int(whole + fraction.ljust(2, "0")),
                published=row["donation_date"],
                precision=row["donation_date_precision"],
                cause=row["cause_area"],
            )
            continue
        report.append(f"row {number}: not recorded: {fault}")


def _cover(row: _Row, held: dict[str, int], first: _Row | None, report: list[str]) -> list[dict[str, Any]]:
    """Enter the income that `row` proves and nobody published, and say so."""
    assert row.source is not None
    if first is not None and row.order < first.order:
        report.append(
            f"row {row.number}: recorded, but its date {row.date} is before the first listed income of {row.source}"
            f" (row {first.number}, {first.date})"
        )
    missing = row.cents - held[row.source]
    if missing <= 0:
        return []
    report.append(
        f"row {row.number}: {row.source} held {_usd(held[row.source])} of {_usd(row.cents)}:"
        f" U-{row.number} enters {_usd(missing)} of undisclosed income"
    )
    held[row.source] += missing
    return [
        {
            "record": "donation",
            "id": f"U-{row.number}",
            "account": row.source,
            "amount": _usd(missing),
            "source": "undisclosed",
            "reference": f"before row {row.number}",
            "date": row.date,
        }
    ]


def _record(row: _Row) -> dict[str, Any]:
    tail = {"reference": f"row {row.number}", "date": row.date}
    if row.source is None:
        record: dict[str, Any] = {"record": "donation", "id": f"G-{row.number}", "account": row.target}
        return record | {"amount": _usd(row.cents), "source": "cash", "donor": _donor(row)} | tail
    if row.target is not None:
        record = {"record": "disbursement", "id": f"M-{row.number}", "from": row.source, "to": row.target}
        return record | {"amount": _usd(row.cents)} | tail
    record = {"record": "expenditure", "id": f"X-{row.number}", "from": row.source, "amount": _usd(row.cents)}
    return record | {"payee": row.donee, "purpose": row.cause or "not stated"} | tail


def _donor(row: _Row) -> str:
    """32 hex digits; nobody says that two anonymous gifts are from one person, so the row takes part in theirs."""
    name = f"{ANONYMOUS} {row.number}" if row.donor == ANONYMOUS else row.donor
    return hashlib.sha256(f"pools.csv donor: {name}".encode()).hexdigest()[:32]


def _usd(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def main() -> None:
    """Write the journal to standard output and the report to standard error."""
    lines, report = journal(read_rows())
    for line in lines:
        print(json.dumps(line, ensure_ascii=False))
    for sentence in report:
        print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()
