"""Ends: what is known of a record beyond that somebody wrote it.

A use is *reported* by whoever spent; *evidenced* where it names documents by their hashes; *acknowledged* where
somebody other than the payer says that it arrived; *disputed* where somebody denies it, or the key that signed it was
compromised then. Money that another party took in is *in transit* until its owner says that it has it.

Rules upheld here:

- Each acknowledgement that is shown was read from its block, and its signature checked.
- The last word of each party counts. A stand-in's word is shown as such, and for whom it speaks.
- Where a key was compromised from some block on, everything that it signed from there is disputed, and nothing erased.

The index finds acknowledgements; that it left one out can only be seen by `charitychain.verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from charitychain import records
from charitychain.reading import Records
from charitychain.records import Place
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import GiftAt, Link, known_gift
from charitychain.state.terms import days_of
from charitychain.units import format_amount

__all__ = ["Acknowledged", "End", "compromised", "end_of", "has_arrived", "is_late"]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One word about a record: by whom, how independent of the payer, and of how much (minor units)."""

    id: str
    by: str
    how: str
    amount: int
    disputed: bool
    on_behalf_of: str | None
    date: str


@dataclass(frozen=True, slots=True)
class End:
    """What a record has come to: `state`, why it is disputed if it is, and everything said about it."""

    state: str
    words: tuple[Acknowledged, ...] = ()
    why: str | None = None

    def to_dict(self, unit: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"state": self.state, "why": self.why}
        found["acknowledged"] = [
            {
                "id": word.id, "by": word.by, "how": word.how, "amount": format_amount(word.amount, unit),
                "status": "disputed" if word.disputed else "received", "on_behalf_of": word.on_behalf_of,
                "date": word.date,
            }
            for word in self.words
        ]  # fmt: skip
        found["acknowledged"] = [{k: v for k, v in word.items() if v is not None} for word in found["acknowledged"]]
        return {name: value for name, value in found.items() if value not in (None, [])}


def end_of(known: Records, id_: str, place: Place, amount: int, recipients: tuple[int, ...] = ()) -> End:
    """Return what a record has come to.

    Args:
        amount: What of it stands, net of reversals, minor units.
        recipients: Party numbers of those to whom it went.
    """
    words = tuple(_words(known, id_, recipients, amount))
    why = compromised(known, place)
    last = {word.by: word for word in words}
    denied = [word.by for word in last.values() if word.disputed]
    if why is not None or denied:
        return End("disputed", words, why or f"disputed by {', '.join(denied)}")
    sums: dict[str, int] = {}
    for word in words:
        sums[word.by] = sums.get(word.by, 0) + word.amount
    if sums and max(sums.values()) >= amount:
        return End("acknowledged", words)
    if sums:
        return End("partly acknowledged", words)
    return End("evidenced" if getattr(known.get(place), "evidence", ()) else "reported")


def _words(known: Records, id_: str, recipients: tuple[int, ...], amount: int) -> list[Acknowledged]:
    found = []
    for place in known.reader.index.links(id_, Link.ACKNOWLEDGED):
        record = known.get(place)
        if not isinstance(record, records.Acknowledgement) or record.acknowledges != id_:
            continue
        by = known.author(place)
        number = known.reader.state.party(by).number
        how = "recipient" if number in recipients else "stand-in" if record.on_behalf_of else "independent"
        if number == 0 and how == "independent":
            how = "operator"
        said = amount if record.amount is None else record.amount
        found.append(
            Acknowledged(record.id, by, how, said, record.status == "disputed", record.on_behalf_of, known.date(place))
        )
    return found


def compromised(known: Records, place: Place) -> str | None:
    """Say whether one of the keys that signed a record was compromised by then."""
    header = known.reader.statement(place).header
    for key_id in (header.author, *header.signers):
        party = known.reader.state.party_of(key_id)
        key = party.find_key(key_id)
        if key is not None and key.compromised is not None and key.compromised <= place.height:
            return f"a key of {party.id} was compromised since block {key.compromised}"
    return None


def has_arrived(known: Records, gift: GiftAt, account: AccountState) -> bool:
    """Say whether a gift that another party took in has reached the owner of its account, by the owner's word."""
    author = known.author(gift.place)
    owner = known.reader.state.parties[account.owner].id
    if author == owner:
        return True
    index = known.reader.index
    for place in reversed(index.links(gift.id, Link.ACKNOWLEDGED)):
        record = known.get(place)
        if isinstance(record, records.Acknowledgement) and record.acknowledges == gift.id:
            whole = record.amount is None or record.amount >= gift.amount
            return record.status != "disputed" and whole and known.author(place) == owner
    for place in reversed(index.links(account.id, Link.ARRIVED)):
        record = known.get(place)
        if isinstance(record, records.Acknowledgement) and record.upto and known.author(place) == owner:
            upto = known_gift(index, record.acknowledges)
            if upto.account == gift.account and (upto.movement, upto.offset) >= (gift.movement, gift.offset):
                return True
    return False


def is_late(known: Records, id_: str, place: Place, accounts: tuple[AccountState, ...]) -> bool:
    """Say whether a record was entered after the period that its stated date belongs to was closed."""
    date = getattr(known.get(place), "date", None)
    if date is None or not known.reader.index.links(id_, Link.LATE):
        return False
    first = days_of(date)[0]
    for account in accounts:
        for closing in known.reader.index.links(account.id, Link.CLOSED):
            period = known.get(closing)
            if isinstance(period, records.Period) and closing < place and first <= period.until:
                return True
    return False
