"""Relief goods: masks are bought and given, go over a carrier to a hospital, some are lost, the others are used.

Run it with ``python examples/relief``. Everything in it is made up.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage

from charitychain import Ledger
from charitychain.programmes.relief import buy, give, lose, move

HERE = Path(__file__).parent
PARTIES = {"carrier": "charity", "hospital": "charity", "health-office": "auditor"}
OWNERS = {"warehouse": "self", "truck": "carrier", "ward": "hospital"}


def main() -> None:
    """Record `movements.csv`, each hand-over with its receiver's word, and follow a gift of money and one of masks."""
    with stage.ledger("relief", __doc__, parties=PARTIES) as ledger:
        with ledger.writer() as writer:
            writer.account("fund", unit="CNY")
            for account, owner in OWNERS.items():
                writer.account(account, unit="MASK", owner=owner, rule="pro-rata")
            writer.donation("D-1", account="fund", amount="1200.00", date="2026-05-01")
            writer.donation("D-2", account="fund", amount="600.00", date="2026-05-01")
        with (HERE / "movements.csv").open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table):
                entry = entry_of(ledger, row)
                with ledger.writer() as writer:
                    writer.add({**entry, "date": row["date"]})
                    if row["what"] == "move":  # whoever receives a batch says so, with its own key
                        writer.commit()
                        writer.acknowledgement(
                            f"A-{row['id']}", acknowledges=row["id"], author=OWNERS[row["to"]], date=row["date"]
                        )
                print(f"{row['date']} {row['id']}: {row['what']} {row['quantity']} masks, {row['note']}")
        with ledger.writer() as writer:
            writer.expenditure(
                "X-2", source="ward", amount="448", payee="Ward 3", purpose="the care of patients", date="2026-05-20"
            )
            writer.commit()
            writer.acknowledgement("A-X-2", acknowledges="X-2", author="health-office", date="2026-05-31")
            writer.outcome(
                "O-1", account="ward", indicator="patients cared for", quantity=64, of=["X-2"], place="Town Hospital",
                date="2026-05-31",
            )  # fmt: skip
            writer.acknowledgement("A-O-1", acknowledges="O-1", author="health-office", date="2026-05-31")
        stage.verify(ledger)
        stage.tell(ledger, "What two people gave in money", "D-1", "D-2")
        stage.tell(ledger, "What somebody gave in masks", "D-3")


def entry_of(ledger: Ledger, row: Mapping[str, str]) -> dict[str, Any]:
    """Turn a line of the warehouse's own table into a journal entry."""
    reader, id_, quantity = ledger.reader(), row["id"], row["quantity"]
    if row["what"] == "buy":
        entry, price = buy(
            reader, source=row["from"], to=row["to"], amount=row["money"], gives=quantity, supplier=row["note"],
            id=id_,
        )  # fmt: skip
        invoice = stage.paper(ledger, "invoice.txt", f"{quantity} masks, {price}, {row['money']} CNY in all")
        return {**entry, "evidence": [invoice]}
    if row["what"] == "give":
        return give(reader, account=row["to"], amount=quantity, id=id_, value=row["money"], currency="CNY")
    if row["what"] == "move":
        return move(reader, source=row["from"], to=row["to"], amount=quantity, id=id_)
    return lose(reader, source=row["from"], amount=quantity, how=row["note"], id=id_)


if __name__ == "__main__":
    main()
