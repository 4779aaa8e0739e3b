"""Services for people: accident cover is bought for two people whom the ledger does not name.

Run it with ``python examples/services``. Everything in it is made up.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage

from charitychain.programmes.people import PeopleFolder
from charitychain.programmes.services import read_services, service_entries

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
        reader, folder = ledger.reader(), PeopleFolder(ledger.path.parent / "lists")
        groups = read_services(HERE / "services.csv", ledger.balance("care").unit)
        entries = service_entries(
            reader, groups, account="care", payee="Village Mutual", list_of=folder.list_of, indicator="people covered",
        )  # fmt: skip
        folder.write()  # before the ledger names them by their hashes
        with ledger.writer() as writer:
            writer.add_together(entries)
            writer.commit()
            outcome = entries[-1]  # it comes last
            for number, said in enumerate([*outcome["of"], outcome["id"]], 1):
                writer.acknowledgement(f"A-{number}", acknowledges=said, author="clinic", date="2026-05-10")
        for group, entry in zip(groups, entries[::2], strict=True):
            print(f"{group.service}, {group.date}: {group.counted} for {group.amount} fen.")
            # The expenditure has nothing of them but the hash of this file, which begins with a random salt.
            digest = hashlib.sha256(folder.list_of(entry["id"], group.people)).hexdigest()
            print(f"  The SHA-256 of lists/{entry['id']}.txt is its evidence: {[digest] == entry['evidence']}")
        stage.verify(ledger)
        stage.tell(ledger, "What a person gave", "D-1")
        stage.tell(ledger, "What the sponsor gave", "S-1")


if __name__ == "__main__":
    main()
