"""Steps: people walk, a sponsor pays by a declared rate, and walker and sponsor find the same running track.

Run it with ``python examples/steps``. Everything in it is made up.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage

from charitychain.programmes.steps import convert_steps, import_walks

HERE = Path(__file__).parent
PARTIES = {"shoe-company": "sponsor", "builders": "charity", "hill-school": "charity"}


def main() -> None:
    """Enter the walks of `walks.csv`, let the sponsor pay for them, and follow two walks and the sponsor's gift."""
    with stage.ledger("steps", __doc__, parties=PARTIES) as ledger:
        with ledger.writer() as writer:
            writer.account("walks", unit="STEP")
            writer.account("sponsor", unit="CNY", owner="shoe-company")
            writer.account("track", unit="CNY", owner="builders")
            writer.donation("S-1", account="sponsor", amount="500.00", date="2026-04-20", author="shoe-company")
            # The rest of the track is paid by somebody else.
            writer.donation("D-1", account="track", amount="39.82", date="2026-04-20", author="builders")
            entered = import_walks(writer, HERE / "walks.csv", "walks", least=100)
        print(f"{entered.added} walks entered; {entered.left_out} below 100 steps did not:")
        for walk in entered.left_out_walks:
            print(f"  walker {walk.walker[:4]}…, {walk.date}: {walk.steps} steps")
        paid = convert_steps(
            ledger.reader(), source="walks", to="track", funded_from="sponsor", rate="1000=0.01", id="C-1"
        )
        with ledger.writer() as writer:
            writer.add({**paid, "date": "2026-05-03"})
            bill = stage.paper(ledger, "track.txt", "running track, 40.00")
            writer.expenditure(
                "X-1", source="track", amount="40.00", payee="Track Works", purpose="running track",
                evidence=[bill], date="2026-06-01",
            )  # fmt: skip
            writer.commit()
            writer.acknowledgement("A-1", acknowledges="X-1", author="hill-school", date="2026-06-10")
            writer.outcome(
                "O-1", account="track", indicator="metres of running track", quantity=2, of=["X-1"],
                place="Hill School", date="2026-06-10",
            )  # fmt: skip
            writer.acknowledgement("A-O-1", acknowledges="O-1", author="hill-school", date="2026-06-10")
        waiting = ledger.balance("walks")
        print(f"{paid['amount']} steps became {paid['gives']} CNY of the sponsor's; {waiting} steps wait for more.")
        stage.verify(ledger)
        stage.tell(ledger, "What two walkers gave", "steps/2", "steps/1")
        print("  The 812 steps are in the track too; the fen they began became whole during the other walk.")
        stage.tell(ledger, "What the sponsor gave", "S-1")


if __name__ == "__main__":
    main()
