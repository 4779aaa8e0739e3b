"""Volunteer hours: two events gather minutes, projects use them, and one of the two says that it got the work.

Run it with ``python examples/hours``. Everything in it is made up.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage

from charitychain.programmes.hours import import_hours, spend_hours

HERE = Path(__file__).parent
VOLUNTEER = "1a" * 16


def main() -> None:
    """Record the hours of `hours.csv`, let them be used and confirmed, and follow what one volunteer gave."""
    with stage.ledger("hours", __doc__, parties={"hill-school": "charity", "river-council": "charity"}) as ledger:
        with ledger.writer() as writer:
            for event in ("school-garden", "river-day"):
                writer.account(event, unit="MINUTE")
            entered = import_hours(writer, HERE / "hours.csv")
        print(f"{entered.added} entries of volunteers became gifts of minutes.")
        reader = ledger.reader()
        garden = spend_hours(reader, "school-garden", payee="Hill School", purpose="a school garden", id="X-1")
        river = spend_hours(reader, "river-day", payee="River Council", purpose="a clean river bank", id="X-2")
        with ledger.writer() as writer:
            writer.add({**garden, "date": "2026-06-14"})
            writer.add({**river, "date": "2026-06-14"})
            writer.commit()
            writer.acknowledgement("A-1", acknowledges="X-1", author="hill-school", date="2026-06-15")
            writer.outcome(
                "O-1", account="school-garden", indicator="garden beds", quantity=6, of=["X-1"],
                place="Hill School", date="2026-06-20",
            )  # fmt: skip
            writer.acknowledgement("A-O-1", acknowledges="O-1", author="hill-school", date="2026-06-20")
        print(f"{garden['amount']} minutes went to Hill School, which confirms them with its own key;")
        print(f"{river['amount']} minutes went to River Council, which has not said so yet.")
        stage.verify(ledger)
        gifts = [
            gift
            for event in ("school-garden", "river-day")
            for gift in stage.gifts_of(ledger, f"hours-{event}", VOLUNTEER)
        ]
        stage.tell(ledger, "What one volunteer gave", *gifts)


if __name__ == "__main__":
    main()
