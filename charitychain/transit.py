"""Transit: what others took in for an account, rests there, and of which its owner has not said that it arrived.

A `Taken` sees the records of a replay, as `charitychain.audit` does, and sums for each account what traces say gift by
gift: of a gift that another party took in, what stands of it less what arrived is in transit, as far as it still rests
in the account.

Rules upheld here:

- A gift has arrived where the account's owner of then took it in, or where an owner says so: of the gift, wholly or in
  part, or of all up to one. The last word on a gift counts.
- A gift that was entered wrongly, and reversed, does not count; nor does what was refunded, passed on or spent.
- In format 1 nobody can say that a gift arrived, so nothing is told.
- Memory grows with accounts, not with gifts: rows stand in the scratch index.
- Work is bounded: where units may have come back to their account on too many ways, the rest counts in full, and the
  finding says "at most".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple

from charitychain import records
from charitychain.findings import Finding
from charitychain.index import Index
from charitychain.state.accounts import AccountState
from charitychain.state.flow import Lineage, follow, pro_rata_cuts
from charitychain.state.lookup import GiftAt, find_gift, gifts_of
from charitychain.state.movements import Ref
from charitychain.state.rules import State
from charitychain.units import format_amount

__all__ = ["Taken"]

_MOST = 200_000
_CHUNK = 10_000

_TABLES = (
    "CREATE TABLE audit_taken (account INTEGER, movement INTEGER, start INTEGER, amount INTEGER,"
    " PRIMARY KEY (account, movement)) WITHOUT ROWID",
    "CREATE TABLE audit_gifts (id TEXT PRIMARY KEY, account INTEGER, movement INTEGER, position INTEGER,"
    " amount INTEGER, arrived INTEGER, voided INTEGER) WITHOUT ROWID",
    "CREATE INDEX audit_gifts_at ON audit_gifts (account, movement, position)",
    "CREATE INDEX audit_gifts_said ON audit_gifts (account, movement, position) WHERE arrived IS NOT NULL",
)


class Taken:
    """Sums what is not acknowledged.

    Args:
        index: The scratch index of the replay.
        most: How many movements may be looked at in all, to see what came back to accounts that it had left.
    """

    def __init__(self, index: Index, most: int = _MOST) -> None:
        self._index, self._most = index, most
        self._open: tuple[int, int, int] | None = None
        self._amount = 0
        self._given: dict[int, int] = {}
        self._upto: dict[int, tuple[int, int]] = {}
        for table in _TABLES:
            index.run(table)

    # ------------------------------------------------------------------------------------------- the replay

    def came(self, state: State, record: records.Donation | records.Gifts) -> None:
        """Note a gift, or a batch of gifts, that was just applied."""
        assert state.author is not None
        account = state.accounts[record.account]
        before = self._given.get(account.number, 0)
        self._given[account.number] = before + record.amount
        if state.author.number == account.owner:
            return
        if isinstance(record, records.Gifts):
            place = (account.number, account.log.size - 1, account.in_ - record.amount)
        else:
            place = (account.number, account.log.size, account.in_)  # a run of donations is not closed yet
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
        gift = find_gift(self._index, record.acknowledges)
        if gift is None:
            return
        if record.upto:
            upto = (gift.movement, gift.offset + gift.amount)
            self._upto[gift.account] = max(self._upto.get(gift.account, upto), upto)
            self._index.run(  # what was said of single gifts before counts no more
                "UPDATE audit_gifts SET arrived = NULL WHERE account = ? AND (movement, position) <= (?, ?)"
                " AND arrived IS NOT NULL",
                (gift.account, gift.movement, gift.offset),
            )
            return
        whole = gift.amount if record.amount is None else record.amount
        self._gift(gift)
        arrived = 0 if record.status == "disputed" else whole
        self._index.run("UPDATE audit_gifts SET arrived = ? WHERE id = ?", (arrived, gift.id))

    def undone(self, record: records.Reversal) -> None:
        """Note the reversal of a gift that was entered wrongly."""
        gift, row = find_gift(self._index, record.reverses), self._index.find_id(record.id)
        if gift is not None and row is not None:
            self._gift(gift)
            self._index.run("UPDATE audit_gifts SET voided = voided + ? WHERE id = ?", (row.amount, gift.id))

    def _gift(self, gift: GiftAt) -> None:
        self._index.run(
            "INSERT OR IGNORE INTO audit_gifts VALUES (?, ?, ?, ?, ?, NULL, 0)",
            (gift.id, gift.account, gift.movement, gift.offset, gift.amount),
        )

    # --------------------------------------------------------------------------------------------- the end

    def took(self, account: int, movement: int, start: int, amount: int, *, by_owner: bool) -> None:
        """Note an inflow of gifts that begins at `start`; `came` says this in a replay, gift by gift."""
        self._given[account] = self._given.get(account, 0) + amount
        if not by_owner:
            self._index.run("INSERT INTO audit_taken VALUES (?, ?, ?, ?)", (account, movement, start, amount))

    def waiting(
        self, state: State, stretches: Mapping[Ref, Sequence[tuple[int, int]]] | None = None
    ) -> Iterator[tuple[int, int, bool]]:
        """Yield (account, what is in transit there, whether that is only a bound from above) by account.

        Args:
            stretches: The units asked about, by inflow, never a part of a gift; nothing is all.
        """
        if state.version == 1:
            return
        self._flush()
        for number, pieces in groupby(self._asked(stretches), key=attrgetter("account")):
            account = state.accounts[number]
            only_given = self._given[number] == account.in_
            held = _Held(state, account, self._index, only_given=only_given, most=self._most)
            amount = sum(held.waits(pieces))
            self._most = held.most
            yield number, amount, held.at_most

    def findings(self, state: State) -> Iterator[Finding]:
        """Yield each account with gifts of others that its owner has not acknowledged."""
        for number, amount, at_most in self.waiting(state):
            account = state.accounts[number]
            if amount:
                words = format_amount(amount, state.unit_of(account))
                most = {"at_most": True} if at_most else {}
                yield Finding(
                    "AUDIT-TRANSIT",
                    f"{'At most ' if most else ''}{words} {account.unit} that others took in for {account.id} is not"
                    f" acknowledged by its owner {state.parties[account.owner].id}.",
                    {"account": account.id, "unit": account.unit, "amount": words, **most},
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
        for number, movement, start, amount in self._index.rows("SELECT * FROM audit_taken ORDER BY account, movement"):
            upto, end = self._upto.get(number, (-1, 0))
            at = amount if movement < upto else end if movement == upto else 0
            rows = self._index.rows(
                "SELECT position, amount, arrived, voided FROM audit_gifts WHERE account = ? AND movement = ?"
                " ORDER BY position",
                (number, movement),
            )
            for position, its_amount, arrived, voided in rows:
                if position < at and arrived is None:
                    continue
                if at < position:
                    yield _Piece(number, movement, start, at, position, position - at, False)
                left = its_amount - voided - (arrived or 0)
                if left > 0:
                    yield _Piece(number, movement, start, position, position + its_amount, left, True)
                at = max(at, position + its_amount)
            if at < amount:
                yield _Piece(number, movement, start, at, amount, amount - at, False)


class _Piece(NamedTuple):
    """Units ``[low, high)`` of an inflow that begins at `start`, of which `left` did not arrive; one gift, or many."""

    account: int
    movement: int
    start: int
    low: int
    high: int
    left: int
    single: bool


class _Held:
    """Says how much of what was taken in still rests in one account, or rests there again.

    Args:
        only_given: Nothing but gifts came into the account, so nothing came back to it.
        most: How many movements may be looked at to see what came back.
    """

    def __init__(self, state: State, account: AccountState, index: Index, *, only_given: bool, most: int) -> None:
        self._state, self._account, self._index = state, account, index
        self._only_given, self.most = only_given, most
        self.at_most = False

    def waits(self, pieces: Iterable[_Piece]) -> Iterator[int]:
        """Yield for each piece what is in transit of it."""
        rest = iter(pieces)
        while chunk := list(islice(rest, _CHUNK)):
            here = self._by_rate(chunk) if self._account.pro_rata else map(self._by_rank, chunk)
            for piece, amount in zip(chunk, here, strict=True):
                stays = self._only_given or amount == piece.high - piece.low
                yield min(piece.left, amount if stays else self._followed(piece))

    def _by_rank(self, piece: _Piece) -> int:
        """Return what never left a fifo account: what no name took, and the rule has not reached."""
        account = self._account
        low, high = (z - account.holes.covered_below(z) for z in (piece.start + piece.low, piece.start + piece.high))
        return max(high - max(low, account.rule_sum), 0)

    def _by_rate(self, pieces: list[_Piece]) -> list[int]:
        """Return what never left a pro-rata account, piece by piece, in one pass over its outflows."""
        marks: list[int] = []
        waiting = iter([*pieces, None])
        piece = next(waiting)
        for outflow in self._index.outflows(self._account.number, pieces[0].movement):
            while piece is not None and piece.movement < outflow.index:
                marks += self._marks(piece)
                piece = next(waiting)
            marks = [z - cut for z, cut in zip(marks, pro_rata_cuts(outflow, marks), strict=True)]
        while piece is not None:
            marks += self._marks(piece)
            piece = next(waiting)
        return [high - low for low, high in zip(marks[::2], marks[1::2], strict=True)]

    def _marks(self, piece: _Piece) -> tuple[int, int]:
        before = self._index.movement(piece.account, piece.movement).balance_before
        return before + piece.low, before + piece.high

    def _followed(self, piece: _Piece) -> int:
        """Return what rests here of units some of which left, wherever they went in between."""
        inflow = self._index.movement(piece.account, piece.movement)
        whole = GiftAt("", inflow.place, piece.account, piece.movement, piece.low, piece.high - piece.low)
        held = self._follow(whole, Lineage.ALL)
        if piece.single or held == self._follow(whole, Lineage.UNCONVERTED):
            return held
        # Units that were converted on the way may be of two gifts, so each is asked alone, as its trace does.
        return sum(
            min(gift.amount, self._follow(gift, Lineage.ALL))
            for gift in gifts_of(self._index, inflow)
            if piece.low <= gift.offset < piece.high
        )

    def _follow(self, stretch: GiftAt, lineage: Lineage) -> int:
        if self.most > 0:
            flow = follow(self._index, self._state.accounts, stretch, lineage=lineage, limit=self.most)
            self.most -= len(flow.touched)
            if not flow.remainder:
                return sum(run.length for run in flow.held.get(self._account.number, ()))
        self.at_most = True
        return stretch.amount
