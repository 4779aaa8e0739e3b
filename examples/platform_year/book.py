"""The book: a ledger that is being filled, and the few acts of which all its records are made.

`opening` makes the ledger and its parties, `gifts` enters what was given, `projects` what became of it. Each of their
stages takes a `Book`.

Rules upheld here:

- Everything is recorded by the library's own methods and the modules of `charitychain.programmes`.
- Amounts are whole fen, shares of what an account holds rounded down, so each run of a seed gives the same records.
- Documents are made up: their hashes are those of sentences that say so.
- Every record is dated in 2020, up to its last day.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from events import PROGRAMMES, REGIONS, Tables, yuan
from figures import Year

from charitychain import Ledger
from charitychain.programmes.people import people_list
from charitychain.writer import Writer

SYNTHETIC = "SYNTHETIC, made up by a generator"
SERIES = "gfg"


@dataclass(slots=True)
class Book:
    """A year's ledger while it is written.

    Attributes:
        traced: Gifts to be followed to their ends, by what they are; filled while recording.
        words: How many acknowledgements were recorded.
    """

    ledger: Ledger
    year: Year
    tables: Tables
    seed: int
    traced: dict[str, str] = field(default_factory=dict)
    words: int = 0

    def held(self) -> dict[str, int]:
        """Return what each account holds, in smallest units."""
        return {account: money.amount for account, (money, _) in self.ledger.balances().items()}

    def people_list(self, id_: str, people: Iterable[str]) -> bytes:
        """Return the list of people behind an expenditure; its salt comes from the seed, so it is the same each run."""
        return people_list(hashlib.sha256(f"salt {self.seed} {id_}".encode()).hexdigest()[:32], people)

    def pay(
        self, writer: Writer, account: str, id_: str, fen: int, payee: str, purpose: str, *, papers: bool = True,
        date: str = "2020-12-10",
    ) -> None:  # fmt: skip
        """Spend an amount; without `papers` no document is named."""
        evidence = {"evidence": [document(id_)]} if papers else {}
        writer.expenditure(
            id_, source=account, amount=yuan(fen), payee=payee, purpose=purpose, date=date, category="programme",
            **evidence,
        )  # fmt: skip

    def spend(
        self, writer: Writer, account: str, id_: str, percent: int, payee: str, purpose: str,
        confirms: str | None = None, **fields: Any,
    ) -> None:  # fmt: skip
        """Spend a share of all that the account ever took in, and let somebody confirm it."""
        taken_in = writer.core.state.account_named(account).in_
        self.pay(writer, account, id_, taken_in * percent // 100, payee, purpose, **fields)
        writer.commit()
        if confirms is not None:
            self.say(writer, id_, confirms)

    def say(self, writer: Writer, about: str, author: str, **fields: Any) -> None:
        """Say as `author` that something arrived, or what `fields` say."""
        self.words += 1
        writer.acknowledgement(f"A-{self.words:04}", acknowledges=about, author=author, date="2020-12-31", **fields)

    def did(
        self, writer: Writer, account: str, what: str, quantity: int, of: list[str], confirms: str | None = None,
        **fields: Any,
    ) -> None:  # fmt: skip
        """Say what expenditures did, and let somebody confirm it."""
        id_ = f"O-{what.replace(' ', '-')}-{account}"
        writer.outcome(
            id_, account=account, indicator=what, quantity=quantity, of=of, date="2020-12-31", **fields
        )
        if confirms is not None:
            self.say(writer, id_, confirms)


def charity(number: int) -> str:
    """Return the party id of an organisation; the first is number 0."""
    return f"charity-{number + 1:03}"


def programme_and_region(number: int) -> tuple[str, str]:
    """Return what an organisation works for, and where."""
    count = len(PROGRAMMES)
    return PROGRAMMES[number % count], REGIONS[(number + number // count) % len(REGIONS)]


def series(account: str) -> str:
    """Return the series of the gifts that orders give to an account."""
    return f"{SERIES}-{account}"


def document(about: str) -> str:
    """Return the hash of a document that was made up."""
    return hashlib.sha256(f"{SYNTHETIC}: receipt of {about}".encode()).hexdigest()


def completed(tables: Tables) -> Iterator[tuple[int, str, int]]:
    """Yield number, account and gift (fen, rounded down) of each completed order."""
    with tables.listings.open(encoding="utf-8", newline="") as stream:
        listings = {row["listing"]: row for row in csv.DictReader(stream)}
    with tables.orders.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["status"] == "completed":
                listing = listings[row["listing"]]
                share = _hundredths(row["price"]) * _hundredths(listing["percent"] or "0.00") // 10_000
                fen = _hundredths(listing["fixed"]) if listing["fixed"] else share
                yield int(row["order"]), listing["account"], fen


def _hundredths(text: str) -> int:
    return int(text.replace(".", ""))
