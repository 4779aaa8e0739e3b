"""Matching gifts: a company pledges a sum and adds to each gift out of it, until it is used up.

Run it with ``python examples/matching``. Everything in it is made up.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage

from charitychain.interop.gifts_table import import_gifts
from charitychain.programmes.matching import gifts_in, match_gifts

HERE = Path(__file__).parent


def main() -> None:
    """Enter the gifts of `gifts.csv`, match them out of a pledge, and follow a gift and its match."""
    parties = {"school-fund": "charity", "company": "sponsor", "hill-school": "charity"}
    with stage.ledger("matching", __doc__, parties=parties) as ledger:
        with ledger.writer() as writer:
            writer.account("school", unit="CNY", owner="school-fund", rule="pro-rata")
            writer.commit()
            writer.pledge("P-1", account="school", amount="30.00", author="company", date="2026-05-01")
        with (HERE / "gifts.csv").open("rb") as table:
            entered = import_gifts(ledger, table, account="school", series="spring")
        reader, names = ledger.reader(), (f"M-{number}" for number in itertools.count(1))
        found = match_gifts(
            reader, pledge="P-1", account="school", gifts=gifts_in(reader, "spring"), new_id=names.__next__,
            most="20.00",
        )  # fmt: skip
        with ledger.writer() as writer:
            writer.add_together([{**entry, "date": "2026-05-31"} for entry in found.entries])
            bill = stage.paper(ledger, "desks.txt", "3 desks, 70.00")
            writer.expenditure(
                "X-1", source="school", amount="70.00", payee="Joiner", purpose="desks", evidence=[bill],
                date="2026-06-01",
            )  # fmt: skip
            writer.commit()
            writer.acknowledgement("A-1", acknowledges="X-1", author="hill-school", date="2026-06-05")
            writer.outcome(
                "O-1", account="school", indicator="desks", quantity=3, of=["X-1"], place="Hill School",
                date="2026-06-05",
            )  # fmt: skip
            writer.acknowledgement("A-O-1", acknowledges="O-1", author="hill-school", date="2026-06-05")
        print(f"{entered.added} gifts came in, and {len(found.entries)} were matched out of a pledge of 30.00 CNY:")
        for entry in found.entries:
            print(f"  {entry['because_of']} by {entry['id']}, {entry['amount']} CNY")
        print(f"The pledge is used up; without a match: {found.without_from} and all after it.")
        stage.verify(ledger)
        stage.tell(ledger, "What somebody gave", "spring/1")
        stage.tell(ledger, "What the company added to it", "M-1")


if __name__ == "__main__":
    main()
