"""Transit: what others took in for an account, rests there, and of which its owner has not said that it arrived.

A `Taken` sees the records of a replay, as `charitychain.audit` does, and sums for each account what traces say gift by
gift: of a gift that another party took in, what stands of it less what arrived is in transit, as far as it never left
the account.

Rules upheld here:

- A gift has arrived where the account's owner of then took it in, or where an owner says so: of the gift, wholly or in
  part, or of all up to one. The last word on a gift counts.
- A gift that was entered wrongly, and reversed, does not count; nor does what was refunded, passed on or spent.
- In format 1 nobody can say that a gift arrived, so nothing is told.
- What was spent and came back had arrived, since its owner spent it.
- Memory grows with accounts, not with gifts: rows stand in the scratch index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple

from charitychain import records
from charitychain.findings import Finding
from charitychain.index import Index
from charitychain.records import Place
from charitychain.state.lookup import GiftAt, find_gift
from charitychain.state.movements import Ref
from charitychain.state.resting import resting
from charitychain.state.rules import State
from charitychain.units import format_amount

__all__ = ["Taken"]

_CHUNK = 10_000

_TABLES = (
    "CREATE TABLE audit_taken (account INTEGER, movement INTEGER, amount INTEGER,"
    " PRIMARY KEY (account, movement)) WITHOUT ROWID",
    "CREATE TABLE audit_gifts (id TEXT PRIMARY KEY, account INTEGER, movement INTEGER, position INTEGER,"
    " amount INTEGER, arrived INTEGER, voided INTEGER, denied INTEGER) WITHOUT ROWID",
    "CREATE TABLE audit_words (height INTEGER, statement INTEGER, id TEXT, upto INTEGER, amount INTEGER,"
    " denied INTEGER)",
    "CREATE INDEX audit_gifts_at ON audit_gifts (account, movement, position)",
    "CREATE INDEX audit_gifts_said ON audit_gifts (account, movement, position) WHERE arrived IS NOT NULL",
)


class Taken:
    """Sums what is not acknowledged, in the scratch index of a replay."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._open: tuple[int, int] | None = None
        self._amount = 0
        self._upto: dict[int, tuple[int, int]] = {}
        for table in _TABLES:
            index.run(table)

    # ------------------------------------------------------------------------------------------- the replay

    def came(self, state: State, record: records.Donation | records.Gifts) -> None:
        """Note a gift, or a batch of gifts, that was just applied."""
        assert state.author is not None
        account = state.accounts[record.account]
        if state.author.number == account.owner:
            return
        if isinstance(record, records.Gifts):
            place = (account.number, account.log.size - 1)
        else:
            place = (account.number, account.log.size)  # a run of donations is not closed yet
        if place != self._open:
            self._flush()
            self._open = place
        self._amount += record.amount

    def _flush(self) -> None:
        if self._open is not None:
            self._index.run("INSERT OR REPLACE INTO audit_taken VALUES (?, ?, ?)", (*self._open, self._amount))
        self._open, self._amount = None, 0

    def said(self, place: Place, record: records.Acknowledgement) -> None:
        """Note what an owner says of a gift, and where; whether it counts is known only in the end."""
        gift = find_gift(self._index, record.acknowledges)
        if gift is None:
            return
        whole = gift.amount if record.amount is None else record.amount
        row = (*place[:2], gift.id, int(bool(record.upto)), whole, int(record.status == "disputed"))
        self._index.run("INSERT INTO audit_words VALUES (?, ?, ?, ?, ?, ?)", row)

    def _hear(self, state: State) -> None:
        """Take what was said in its order, without what a stolen key signed."""
        places = self._index.rows("SELECT DISTINCT height, statement FROM audit_words") if _stolen(state) else ()
        void = {at for at in map(tuple, places) if state.stolen(state.lookup.statement(*at).header, at[0])}
        words = self._index.rows("SELECT * FROM audit_words ORDER BY rowid")
        for height, statement, id_, upto, amount, denied in words:
            gift = find_gift(self._index, id_)
            if gift is None or (height, statement) in void:
                continue
            if upto:
                end = (gift.movement, gift.offset + gift.amount)
                self._upto[gift.account] = max(self._upto.get(gift.account, end), end)
                self._index.run(  # what was said of single gifts before counts no more
                    "UPDATE audit_gifts SET arrived = NULL, denied = 0 WHERE account = ? AND (movement, position) <="
                    " (?, ?) AND arrived IS NOT NULL",
                    (gift.account, gift.movement, gift.offset),
                )
                continue
            self._gift(gift)
            told = (0 if denied else amount, denied, gift.id)
            self._index.run("UPDATE audit_gifts SET arrived = ?, denied = ? WHERE id = ?", told)
        self._index.run("DELETE FROM audit_words")

    def undone(self, record: records.Reversal) -> None:
        """Note the reversal of a gift that was entered wrongly."""
        gift, row = find_gift(self._index, record.reverses), self._index.find_id(record.id)
        if gift is not None and row is not None:
            self._gift(gift)
            self._index.run("UPDATE audit_gifts SET voided = voided + ? WHERE id = ?", (row.amount, gift.id))

    def _gift(self, gift: GiftAt) -> None:
        self._index.run(
            "INSERT OR IGNORE INTO audit_gifts VALUES (?, ?, ?, ?, ?, NULL, 0, 0)",
            (gift.id, gift.account, gift.movement, gift.offset, gift.amount),
        )

    # --------------------------------------------------------------------------------------------- the end

    def took(self, account: int, movement: int, amount: int) -> None:
        """Note an inflow of gifts that others took in; in a replay `came` says this, gift by gift."""
        self._index.run("INSERT INTO audit_taken VALUES (?, ?, ?)", (account, movement, amount))

    def waiting(
        self, state: State, stretches: Mapping[Ref, Sequence[tuple[int, int]]] | None = None
    ) -> Iterator[tuple[int, int, int]]:
        """Yield what is in transit by account, as (account number, minor units, those of them that its owner denies).

        Args:
            stretches: The units asked about, by inflow, never a part of a gift; nothing is all.
        """
        if state.version == 1:
            return
        self._flush()
        self._hear(state)
        for number, group in groupby(self._asked(stretches), key=attrgetter("account")):
            amount = denied = 0
            while pieces := list(islice(group, _CHUNK)):
                rests = resting(self._index, state.accounts[number], [piece[1:4] for piece in pieces])
                for piece, runs in zip(pieces, rests, strict=True):
                    waits = min(piece.left, sum(run.length for run in runs))
                    amount += waits
                    denied += waits if piece.denied else 0
            yield number, amount, denied

    def findings(self, state: State) -> Iterator[Finding]:
        """Yield each account with gifts of others that its owner has not acknowledged."""
        for number, amount, _ in self.waiting(state):
            account = state.accounts[number]
            if amount:
                words = format_amount(amount, state.unit_of(account))
                yield Finding(
                    "AUDIT-TRANSIT",
                    f"{words} {account.unit} that others took in for {account.id} is not acknowledged by its owner"
                    f" {state.parties[account.owner].id}.",
                    {"account": account.id, "unit": account.unit, "amount": words},
                )

    def _asked(self, stretches: Mapping[Ref, Sequence[tuple[int, int]]] | None) -> Iterator[_Piece]:
        for piece in self._pieces():
            if stretches is None:
                yield piece
                continue
            for start, end in stretches.get((piece.account, piece.movement), ()):
                low, high = max(piece.low, start), min(piece.high, end)
                if low < high:
                    yield piece if piece.single else piece._replace(low=low, high=high, left=high - low)

    def _pieces(self) -> Iterator[_Piece]:
        """Yield what others took in and no owner acknowledged: gifts with words of their own, and the rest."""
        for number, movement, amount in self._index.rows("SELECT * FROM audit_taken ORDER BY account, movement"):
            upto, end = self._upto.get(number, (-1, 0))
            at = amount if movement < upto else end if movement == upto else 0
            rows = self._index.rows(
                "SELECT position, amount, arrived, voided, denied FROM audit_gifts WHERE account = ? AND movement = ?"
                " ORDER BY position",
                (number, movement),
            )
            for position, its_amount, arrived, voided, denied in rows:
                if position < at and arrived is None:
                    continue
                if at < position:
                    yield _Piece(number, movement, at, position, position - at)
                left = its_amount - voided - (arrived or 0)
                if left > 0:
                    yield _Piece(number, movement, position, position + its_amount, left, True, bool(denied))
                at = max(at, position + its_amount)
            if at < amount:
                yield _Piece(number, movement, at, amount, amount - at)


class _Piece(NamedTuple):
    """Units ``[low, high)`` of an inflow, of which `left` did not arrive: one gift, which may be denied, or many."""

    account: int
    movement: int
    low: int
    high: int
    left: int
    single: bool = False
    denied: bool = False


def _stolen(state: State) -> bool:
    return any(key.compromised is not None for party in state.parties for key in party.keys)
