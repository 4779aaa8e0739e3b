"""Goods for Good: orders of two merchants give to a school and to meals, and consumer and merchant see what came of it.

Run it with ``python examples/goods_for_good``; it needs ``charitychain[tables]``. Everything in it is made up.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage

from charitychain.programmes.goods_for_good import import_orders

HERE = Path(__file__).parent
CONSUMER, MERCHANT = "0b" * 16, "b2" * 16
PARTIES = {"school-fund": "charity", "meal-fund": "charity", "hill-school": "charity", "canteen": "charity"}


def main() -> None:
    """Enter the orders of `orders.csv`, let two funds spend them, and follow the gifts of one consumer and merchant."""
    with stage.ledger("goods_for_good", __doc__, parties=PARTIES) as ledger:
        with ledger.writer() as writer:
            writer.account("school", unit="CNY", owner="school-fund")
            writer.account("meals", unit="CNY", owner="meal-fund")
            # The platform takes the gifts in, so they are on their way until the funds say that they arrived.
            entered = import_orders(writer, HERE / "orders.csv", HERE / "listings.csv", author="self")
        print(f"{entered.added} orders were completed and gave; {entered.left_out} was not, and gave nothing.")
        for fund in entered.accounts:
            gifts = f"{fund.gifts} gift{'s' * (fund.gifts != 1)}"
            print(f"  {fund.account}: {gifts}, {fund.amount} fen; rounding: {fund.rounding} (fen)")
        with ledger.writer() as writer:
            writer.acknowledgement(
                "A-1", acknowledges="gfg-school/1006", upto=True, author="school-fund", date="2026-05-31"
            )
            writer.acknowledgement(
                "A-2", acknowledges="gfg-meals/1001", upto=True, author="meal-fund", date="2026-05-31"
            )
            bill = stage.paper(ledger, "paper-shop.txt", "8 exercise books, 4.00")
            writer.expenditure(
                "X-1", source="school", amount="4.00", payee="Paper shop", purpose="exercise books",
                evidence=[bill], date="2026-06-01",
            )  # fmt: skip
            writer.expenditure(
                "X-2", source="meals", amount="0.30", payee="Canteen", purpose="a bowl of soup", date="2026-06-01"
            )
            writer.commit()
            writer.acknowledgement("A-3", acknowledges="X-1", author="hill-school", date="2026-06-03")
            writer.outcome(
                "O-1", account="school", indicator="exercise books", quantity=8, of=["X-1"], place="Hill School",
                date="2026-06-03",
            )  # fmt: skip
            writer.acknowledgement("A-O-1", acknowledges="O-1", author="hill-school", date="2026-06-03")
        stage.verify(ledger)
        stage.tell(ledger, "What one consumer gave", *stage.gifts_of(ledger, "gfg-school", CONSUMER))
        stage.tell(ledger, "What one merchant gave", *stage.gifts_of(ledger, "gfg-school", MERCHANT))
        stage.tell(ledger, "What another gave for meals", *stage.gifts_of(ledger, "gfg-meals", "a1" * 16))


if __name__ == "__main__":
    main()
