"""Attesting: how much of what the ledger holds somebody outside vouches for.

Rules upheld here:

- An attestation counts where it speaks of the asked accounts alone, and no later one speaks of one of them. Later is
  what is attested of a later day, and of the same day what came later.
- What a compromised key signed is disputed: it is listed, covers nothing, and takes no earlier word's place.
- It covers no more than the ledger holds.
- Each stands in a sealed block, and its author's signature is checked. That the index left one out can only be seen by
  `charitychain.verify`.

>>> attested(1000, 960).share
400
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from charitychain import records
from charitychain.basis import Records
from charitychain.ends import compromised
from charitychain.interop.book import entries, unfit
from charitychain.reading import Reader
from charitychain.records import Place
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import Link

__all__ = ["Attestation", "Attested", "attestations", "attested", "percent"]


@dataclass(frozen=True, slots=True)
class Attested:
    """How much of what the ledger holds somebody outside vouches for, in minor units.

    >>> attested(1000, 960).share
    400
    """

    held: int
    covered: int

    @property
    def unattested(self) -> int:
        return self.held - self.covered

    @property
    def share(self) -> int:
        """Return the unattested share in hundredths of a percent, rounded up: 0 means none at all."""
        return -(-self.unattested * 10_000 // self.held) if self.held else 0


def attested(held: int, found: int | None) -> Attested:
    """Compare what the ledger holds with what was really found; nothing found covers nothing.

    What is found beyond what the ledger holds covers no more than that. A ledger that is below 0 at a day (by dates
    as they are stated) holds nothing there.
    """
    held = max(held, 0)
    return Attested(held, min(held, max(found or 0, 0)))


@dataclass(frozen=True, slots=True)
class Attestation:
    """What somebody signed in the ledger: that `accounts` together really held `amount` at the end of the day `at`.

    `book` is what the ledger had in them then, by the dates of its records, and `held` at the end of the period;
    `bank` what the bank's statement says of that day, where it covers it and `accounts` are all that are compared.
    `disputed` says why it does not count, if it does not.
    """

    id: str
    by: str
    at: str
    accounts: tuple[str, ...]
    institution: str | None
    amount: int
    book: int
    held: int
    bank: int | None
    disputed: str | None = None

    @property
    def covered(self) -> int:
        """Return how much of what the ledger holds at the end of the period this vouches for."""
        return 0 if self.disputed else attested(self.held, self.amount).covered


def percent(hundredths: int) -> str:
    """Return hundredths of a percent as text.

    >>> percent(405)
    '4.05'
    """
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def attestations(
    reader: Reader,
    accounts: Sequence[AccountState],
    end: str,
    bank: Callable[[str], int | None] = lambda day: None,
) -> tuple[Attestation, ...]:
    """Return the attestations that stand at the end of a day, and those that are disputed, the latest first.

    Args:
        bank: What the bank says that all these accounts held at the end of a day, where it says so.

    Raises:
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    own = {account.number: account for account in accounts}
    known = Records(reader)
    latest: dict[int, tuple[str, Place]] = {}
    disputed: dict[tuple[str, Place], str] = {}
    for account in accounts:
        for place in reader.index.links(account.id, Link.ATTESTED):
            record = reader.record(place)
            if not isinstance(record, records.Attestation) or account.number not in record.accounts:
                raise unfit(account)
            if record.at > end:
                continue
            why = compromised(known, place)
            if why is not None:
                disputed[record.at, place] = why
            else:
                latest[account.number] = max(latest.get(account.number, ("", place)), (record.at, place))
    found = []
    for at, place in sorted({*latest.values(), *disputed}, reverse=True):
        record = reader.record(place)
        assert isinstance(record, records.Attestation)
        why = disputed.get((at, place))
        if any(number not in own or not (why or latest[number] == (at, place)) for number in record.accounts):
            continue
        by = reader.check_author(place)
        group = [own[number] for number in record.accounts]
        book = held = 0
        for entry in entries(reader, group):
            book += entry.amount if entry.date <= at else 0
            held += entry.amount if entry.date <= end else 0
        found.append(
            Attestation(
                id=record.id,
                by=by,
                at=at,
                accounts=tuple(account.id for account in group),
                institution=record.institution,
                amount=record.amount,
                book=book,
                held=held,
                bank=bank(at) if len(group) == len(own) else None,
                disputed=why,
            )
        )
    return tuple(found)
