"""Green points: acts earn points, a sponsor redeems them, and a tree stands for them.

Run it with ``python examples/points``. Everything in it is made up.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage

from charitychain.programmes.points import import_acts, redeem
from charitychain.programmes.relief import buy

HERE = Path(__file__).parent
PARTIES = {"bank": "sponsor", "foresters": "charity", "village": "charity"}


def main() -> None:
    """Enter the acts of `acts.csv`, redeem their points, plant a tree, and follow an act and the sponsor's gift."""
    with stage.ledger("points", __doc__, parties=PARTIES) as ledger:
        with ledger.writer() as writer:
            writer.unit("POINT", decimals=0)
            writer.account("green", unit="POINT")
            writer.account("sponsor", unit="CNY", owner="bank")
            writer.account("tree-money", unit="CNY", owner="foresters")
            writer.account("trees", unit="TREE", owner="foresters")
            writer.donation("S-1", account="sponsor", amount="50.00", date="2026-04-20", author="bank")
            entered = import_acts(writer, HERE / "acts.csv", "green")
        points = ledger.balance("green")
        redeemed = redeem(
            ledger.reader(), source="green", to="tree-money", funded_from="sponsor", rate="100=1.00", id="C-1"
        )
        with ledger.writer() as writer:
            writer.add({**redeemed, "date": "2026-05-10"})
            writer.commit()
            bill = stage.paper(ledger, "nursery.txt", "1 birch, 2.55")
            bought, price = buy(
                ledger.reader(), source="tree-money", to="trees", amount="2.55", gives="1", supplier="Nursery", id="C-2"
            )
            writer.add({**bought, "date": "2026-05-11", "evidence": [bill]})
            writer.expenditure(
                "X-1", source="trees", amount="1", payee="Village", purpose="planting on the hill", date="2026-05-20"
            )
            writer.commit()
            writer.acknowledgement("A-1", acknowledges="X-1", author="village", date="2026-05-21")
            writer.outcome(
                "O-1", account="trees", indicator="birch on the hill", quantity=1, of=["X-1"], date="2026-05-21"
            )
            writer.acknowledgement("A-O-1", acknowledges="O-1", author="village", date="2026-05-21")
        print(f"{entered.added} acts earned {points} points; the sponsor gave {redeemed['gives']} CNY for them.")
        print(f"A tree was bought ({price}) and planted.")
        stage.verify(ledger)
        stage.tell(ledger, "What two people's acts earned", "points/1", "points/2")
        print("  A tree has no parts: the money of both is in it, and it is told with the act that completed it.")
        stage.tell(ledger, "What the sponsor gave", "S-1")


if __name__ == "__main__":
    main()
