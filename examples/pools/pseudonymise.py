"""Make `pools.csv` from the published rows: organisations keep their names, people become `individual-NNN`.

Rules upheld here:

- A name stays only if it stands in `organisations.txt`, which was decided name by name. Every other donor or donee,
  a family's foundation or a placeholder too, is treated as a person: the list says who stays, not who goes.
- The same name gets the same pseudonym everywhere; numbers run in order of first appearance, so the same input gives
  the same file byte for byte. No row is added, dropped or moved.
- Columns that hold people's names or help to find them (earmark, influencer, source file, …) are left out. An address
  stays only in rows without a person, only if it begins with one of `ADDRESSES`, and without its `#fragment`.
- `duplicate_of` is decided on all published columns, before any is left out: rows that were told apart by an earmark
  look alike afterwards and are still two grants.

This hides names from whoever reads the example; it does not make the people unknown, since the source is public and
has the same amounts and dates.

    python examples/pools/pseudonymise.py PUBLISHED.csv > examples/pools/pools.csv

>>> list(pseudonymise([{"donor": "Ada L.", "donee": "Anonymous", "amount": "5"}], frozenset()))[0]["donor"]
'individual-001'
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ANONYMOUS = "Anonymous"
NAMES_PATH = Path(__file__).with_name("organisations.txt")
COLUMNS = (
    "row",
    "donor",
    "donee",
    "amount",
    "donation_date",
    "donation_date_precision",
    "donation_date_basis",
    "cause_area",
    "url",
    "duplicate_of",
)
ADDRESSES = (
    "https://www.givewell.org/maximum-impact-fund",
    "https://app.effectivealtruism.org/funds/",
    "https://app.effectivealtruism.org/lotteries/",
    "https://funds.effectivealtruism.org/grants",
    "https://funds.effectivealtruism.org/funds/payouts/",
    "https://funds.effectivealtruism.org/payouts/",
    "https://survivalandflourishing.fund/sff-",
    "https://futureoflife.org/AI/2015awardees",
    "https://futureoflife.org/2018-ai-grant-recipients",
    "https://futureoflife.org/grant-program/2023-grants/",
    "https://www.openphilanthropy.org/focus/",
    "http://existence.org/grants",
    "http://web.archive.org/web/20190623203105/http://existence.org/grants/",
    "https://web.archive.org/web/20180731180958/http://existence.org:80/grants",
    "https://web.archive.org/web/20180905034853/http://existence.org/organization-grants/",
    "https://web.archive.org/web/20180921215949/http://existence.org/organization-grants/",
    "https://web.archive.org/web/20181019174535/http://existence.org/grants-list/",
    "https://web.archive.org/web/20181107040049/http://existence.org/grants-list/",
)


def organisations() -> frozenset[str]:
    """Read the names that stay, one a line."""
    return frozenset(NAMES_PATH.read_text(encoding="utf-8").splitlines())


def pseudonymise(rows: Iterable[Mapping[str, str]], keep: frozenset[str]) -> Iterator[dict[str, str]]:
    """Yield each published row with `COLUMNS` only and with people replaced; `keep` names the organisations."""
    people: dict[str, str] = {}
    first_row: dict[tuple[tuple[str, str], ...], int] = {}

    def shown(name: str) -> str:
        if name in keep or name == ANONYMOUS:
            return name
        return people.setdefault(name, f"individual-{len(people) + 1:03d}")

    for number, row in enumerate(rows, start=1):
        first = first_row.setdefault(tuple(sorted(row.items())), number)
        out = {column: row.get(column, "") for column in COLUMNS}
        out["row"] = str(number)
        out["donor"], out["donee"] = shown(row["donor"]), shown(row["donee"])
        out["duplicate_of"] = str(first) if first != number else ""
        named = row["donor"] in people or row["donee"] in people
        out["url"] = "" if named else _address(out["url"])
        yield out


def _address(text: str) -> str:
    """The addresses of a cell without their fragments; empty as soon as one of them is not on the list."""
    parts = text.split(" ")
    if not all(part.startswith(ADDRESSES) for part in parts):
        return ""
    return " ".join(part.partition("#")[0] for part in parts)


def main(published: str) -> None:
    """Write the new file to standard output."""
    with open(published, encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(pseudonymise(csv.DictReader(file), organisations()))


if __name__ == "__main__":
    main(sys.argv[1])
