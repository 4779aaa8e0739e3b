"""Services for people: accident cover is bought for two people whom the ledger does not name.

Run it with ``python examples/services``. Everything in it is made up.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage

from charitychain.programmes.services import canonical, read_services, service_entries

HERE = Path(__file__).parent
PARTIES = {"care-fund": "charity", "clinic": "charity"}


def main() -> None:
    """Record the services of `services.csv`, let the clinic confirm them, and follow two gifts that paid."""
    with stage.ledger("services", __doc__, parties=PARTIES) as ledger:
        with ledger.writer() as writer:
            writer.account("care", unit="CNY", owner="care-fund", rule="pro-rata")
            # The fund takes in its gifts itself.
            for gift, amount in (("D-1", "2.00"), ("S-1", "8.00")):
                writer.donation(gift, account="care", amount=amount, date="2026-04-20", author="care-fund")
        unit = ledger.balance("care").unit
        groups = read_services(HERE / "services.csv", unit)
        entries = service_entries(groups, unit, account="care", payee="Village Mutual")
        with ledger.writer() as writer:
            writer.add_together(entries)
            writer.commit()
            outcome = entries[-1]  # it comes last
            for number, said in enumerate([*outcome["of"], outcome["id"]], 1):
                writer.acknowledgement(f"A-{number}", acknowledges=said, author="clinic", date="2026-05-10")
        for group in groups:
            print(f"{group.service}, {group.date}: {len(group.people)} people for {group.amount} fen.")
            # The expenditure has nothing of them but the hash of this list: whoever holds the table can check it.
            digest = hashlib.sha256(canonical(group.people)).hexdigest()
            print(f"  SHA-256 of the list of people, its evidence: {digest}")
        stage.verify(ledger)
        stage.tell(ledger, "What a person gave", "D-1")
        stage.tell(ledger, "What the sponsor gave", "S-1")


if __name__ == "__main__":
    main()
