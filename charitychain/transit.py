"""Transit: what others took in for an account, of which its owner has not said that it arrived.

A `Taken` sees the records of a replay, as `charitychain.audit` does, and sums for each account what `charitychain.ends`
says gift by gift. What was spent meanwhile counts too: this is about who said what, and not about where units rest.

Rules upheld here:

- A gift has arrived where the account's owner took it in, or says so: of the gift, or of all up to one. What is said of
  one gift goes before what is said of many; the last word counts.
- A gift that was entered wrongly, and reversed, does not count. A refund is no arrival.
- In format 1 nobody can say that a gift arrived, so nothing is told.
- Memory grows with accounts, not with gifts: rows stand in the scratch index.
"""

from __future__ import annotations

from collections.abc import Iterator

from charitychain import records
from charitychain.findings import Finding
from charitychain.index import Index
from charitychain.state.lookup import GiftAt, find_gift
from charitychain.state.rules import State
from charitychain.units import format_amount

__all__ = ["Taken"]

_TABLES = (
    "CREATE TABLE audit_taken (account INTEGER, movement INTEGER, author INTEGER, amount INTEGER,"
    " PRIMARY KEY (account, movement)) WITHOUT ROWID",
    "CREATE TABLE audit_gifts (id TEXT PRIMARY KEY, account INTEGER, movement INTEGER, position INTEGER,"
    " amount INTEGER, word_of INTEGER, arrived INTEGER, voided INTEGER) WITHOUT ROWID",
)


class Taken:
    """Sums what is not acknowledged. `index` is the scratch index of the replay."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._open: tuple[int, int, int] | None = None
        self._amount = 0
        self._upto: dict[tuple[int, int], tuple[int, int, int]] = {}
        for table in _TABLES:
            index.run(table)

    def came(self, state: State, record: records.Donation | records.Gifts) -> None:
        """Note a gift, or a batch of gifts, that was just applied."""
        assert state.author is not None
        account = state.accounts[record.account]
        movement = account.log.size - isinstance(record, records.Gifts)  # a run of donations is not closed yet
        place = (account.number, movement, state.author.number)
        if place != self._open:
            self._flush()
            self._open = place
        self._amount += record.amount

    def _flush(self) -> None:
        if self._open is not None:
            self._index.run("INSERT OR REPLACE INTO audit_taken VALUES (?, ?, ?, ?)", (*self._open, self._amount))
        self._open, self._amount = None, 0

    def said(self, state: State, record: records.Acknowledgement) -> None:
        """Note what an owner says of a gift."""
        assert state.author is not None
        gift = find_gift(self._index, record.acknowledges)
        if gift is None:
            return
        by = state.author.number
        if record.upto:
            upto = (gift.movement, gift.offset, gift.offset + gift.amount)
            self._upto[gift.account, by] = max(self._upto.get((gift.account, by), upto), upto)
            return
        whole = record.amount is None or record.amount >= gift.amount
        self._gift(gift)
        self._index.run(
            "UPDATE audit_gifts SET word_of = ?, arrived = ? WHERE id = ?",
            (by, int(record.status != "disputed" and whole), gift.id),
        )

    def undone(self, record: records.Reversal) -> None:
        """Note the reversal of a gift that was entered wrongly."""
        gift, row = find_gift(self._index, record.reverses), self._index.find_id(record.id)
        if gift is not None and row is not None:
            self._gift(gift)
            self._index.run("UPDATE audit_gifts SET voided = voided + ? WHERE id = ?", (row.amount, gift.id))

    def _gift(self, gift: GiftAt) -> None:
        self._index.run(
            "INSERT OR IGNORE INTO audit_gifts VALUES (?, ?, ?, ?, ?, NULL, NULL, 0)",
            (gift.id, gift.account, gift.movement, gift.offset, gift.amount),
        )

    def findings(self, state: State) -> Iterator[Finding]:
        """Yield each account with gifts of others that its owner has not acknowledged."""
        if state.version == 1:
            return
        self._flush()
        sums: dict[int, int] = {}
        for number, movement, author, amount in self._index.rows("SELECT * FROM audit_taken"):
            owner = state.accounts[number].owner
            upto = self._upto.get((number, owner), (-1, 0, 0))
            if author != owner and movement >= upto[0]:
                sums[number] = sums.get(number, 0) + amount - (upto[2] if movement == upto[0] else 0)
        rows = self._index.rows(
            "SELECT g.account, g.movement, position, g.amount, word_of, arrived, voided, author FROM audit_gifts AS g"
            " JOIN audit_taken AS t ON g.account = t.account AND g.movement = t.movement"
        )
        for number, movement, position, amount, word_of, arrived, voided, author in rows:
            owner = state.accounts[number].owner
            if author == owner:
                continue
            beyond = (movement, position) > self._upto.get((number, owner), (-1, 0, 0))[:2]
            waits = beyond if arrived is None else not (arrived and word_of == owner)
            sums[number] = sums.get(number, 0) + amount * (waits - beyond) - voided * waits
        for number, amount in sorted(sums.items()):
            if amount:
                account = state.accounts[number]
                words = format_amount(amount, state.unit_of(account))
                yield Finding(
                    "AUDIT-TRANSIT",
                    f"{words} {account.unit} that others took in for {account.id} is not acknowledged by its owner"
                    f" {state.parties[account.owner].id}.",
                    {"account": account.id, "unit": account.unit, "amount": words},
                )
