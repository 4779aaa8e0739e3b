"""What the rules look up: a Protocol, and the rows that travel through it.

The one implementation is `charitychain.index`, over SQLite in a file or in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple, Protocol

from charitychain import columns
from charitychain.chain.statements import SignedStatement
from charitychain.errors import NotFoundError, VerificationError
from charitychain.records import Donation, Gifts, Place, Received, decode_record
from charitychain.state.movements import Kind, Movement
from charitychain.sumlog import LogNode
from charitychain.trie import TrieStore

__all__ = ["Batch", "GiftAt", "IdAt", "Link", "Lookup", "Tapes", "columns_at", "find_gift", "gifts_of", "known_gift"]


class Link(IntEnum):
    """What one record says about another, an account, a plan's line, or (the last two) another ledger."""

    ACKNOWLEDGED = 1
    ARRIVED = 2
    REVERSED = 3
    REPLACED = 4
    PLANNED = 5
    CLOSED = 6
    LATE = 7
    CHANGED = 8
    FULFILLED = 9
    BOUGHT = 10
    ATTESTED = 11
    RESULTED = 12
    MATCHED = 13
    SENT = 14
    CAME = 15


class IdAt(NamedTuple):
    """Where an id stands: its record, and, where it has one, its movement.

    For an account or a party `account` is its number. `offset` counts the units of the movement before this record.
    """

    id: str
    kind: int
    place: Place
    account: int | None = None
    movement: int | None = None
    offset: int = 0
    amount: int = 0


class Batch(NamedTuple):
    """A `gifts` record of a series: first and last gift number, and where it stands."""

    series: str
    first: int
    last: int
    place: Place
    account: int
    movement: int
    width: int


class GiftAt(NamedTuple):
    """One gift, single or of a batch, as a stretch of an inflow. `number` is its place among the inflow's gifts."""

    id: str
    place: Place
    account: int
    movement: int
    offset: int
    amount: int
    donor: bytes | None = None
    second: bytes | None = None


class Tapes(Protocol):
    """What following units asks: movements, by number and by where they stand on the tape."""

    def movement(self, account: int, index: int) -> Movement: ...
    def rule_outflow_at(self, account: int, rank: int) -> Movement:
        """Return the outflow by rule that took the unit of this rank."""

    def outflows(self, account: int, after: int, before: int | None = None) -> Iterator[Movement]:
        """Yield outflows with ``after < index < before`` in order."""


class Lookup(Tapes, Protocol):
    """What `charitychain.state` asks of an index. Rows are put in ledger order; reads see them at once."""

    def find_id(self, id_: str) -> IdAt | None: ...
    def put_id(self, row: IdAt) -> None: ...
    def put_movement(self, movement: Movement) -> None: ...
    def put_log_node(self, account: int, level: int, index: int, node: LogNode) -> None: ...
    def log_node(self, account: int, level: int, index: int) -> LogNode: ...
    def inflow_at(self, account: int, position: int) -> Movement:
        """Return the inflow that holds this position of the tape."""

    def inflows(self, account: int, before: int) -> Iterator[Movement]:
        """Yield inflows with ``index < before`` in order."""

    def trie(self, account: int, which: int) -> TrieStore: ...
    def find_batch(self, series: str, number: int) -> Batch | None: ...
    def next_batch(self, series: str, number: int) -> Batch | None:
        """Return the first batch that ends with this gift number or a higher one."""

    def last_batch(self, series: str) -> Batch | None: ...
    def put_batch(self, batch: Batch) -> None: ...
    def batches(self, series: str) -> Iterator[Batch]:
        """Yield the batches of a series in the order of their gifts' numbers."""

    def statement(self, height: int, statement: int) -> SignedStatement:
        """Return a statement of the ledger, or of the block that is being built."""

    def block_hash(self, height: int) -> bytes | None: ...
    def put_block_hash(self, height: int, block_hash: bytes) -> None: ...
    def put_link(self, about: str, kind: int, place: Place) -> None: ...
    def links(self, about: str, kind: int) -> list[Place]:
        """Return where the records stand that say this kind of thing about an id, in ledger order."""

    def linked(self, kind: int) -> Iterator[tuple[str, Place]]:
        """Yield everything that is said of this kind, by what it is about, then in ledger order."""

    def add_to_sum(self, about: str, kind: int, amount: int) -> None: ...
    def sum_of(self, about: str, kind: int) -> int:
        """Return the running sum of a kind about an id, smallest units, less what was reversed; where none, 0."""

    def save(self, kind: str, number: int, data: bytes) -> None: ...
    def saved(self, kind: str) -> Iterator[bytes]: ...


def columns_at(lookup: Lookup, place: Place) -> bytes:
    """Return the gift columns of the `gifts` record at `place`."""
    statement = lookup.statement(place.height, place.statement)
    nth = sum(1 for data in statement.record_bytes[: place.record] if data[1:2] == bytes((Gifts.KIND,)))
    if nth >= len(statement.columns):  # only in a damaged block: verify goes on behind its faults
        raise VerificationError("CC-GIFTS-ROOT", f"block {place.height}: the columns of a gifts record are not there")
    return statement.columns[nth]


def find_gift(lookup: Lookup, gift_id: str) -> GiftAt | None:
    """Return where a gift stands: a donation's id, or ``SERIES/NUMBER``; nothing where there is none.

    What came from another ledger is a gift here too, by the id of its record.
    """
    series, slash, number = gift_id.partition("/")
    if not slash:
        row = lookup.find_id(gift_id)
        if row is None or row.kind not in (Donation.KIND, Received.KIND) or row.account is None or row.movement is None:
            return None
        return GiftAt(gift_id, row.place, row.account, row.movement, row.offset, row.amount)
    if not number.isascii() or not number.isdigit() or len(number) > 19 or str(int(number)) != number:
        return None
    batch = lookup.find_batch(series, int(number))
    if batch is None:
        return None
    gift = columns.find_gift(columns_at(lookup, batch.place), batch.width, int(number))
    if gift is None:
        return None
    return GiftAt(
        gift_id, batch.place, batch.account, batch.movement, gift.offset, gift.amount, gift.donor, gift.second
    )


def known_gift(lookup: Lookup, gift_id: str) -> GiftAt:
    """Return where a gift stands.

    Raises:
        NotFoundError: ``CC-UNKNOWN-GIFT``.
    """
    gift = find_gift(lookup, gift_id)
    if gift is None:
        raise NotFoundError("CC-UNKNOWN-GIFT", f"this ledger holds no gift {gift_id!r}", id=gift_id)
    return gift


def gifts_of(lookup: Lookup, inflow: Movement) -> Iterator[GiftAt]:
    """Yield the gifts that make up an inflow, in tape order: of kind `Kind.DONATED`, or `Kind.CAME`, which is one."""
    if inflow.kind == Kind.CAME:
        statement = lookup.statement(inflow.place.height, inflow.place.statement)
        record = decode_record(statement.record_bytes[inflow.place.record])
        assert isinstance(record, Received)
        yield GiftAt(record.id, inflow.place, inflow.account, inflow.index, 0, record.amount)
        return
    if inflow.kind != Kind.DONATED or inflow.gifts is None:
        raise ValueError("only what was given, or came from another ledger, is made of gifts")
    statement = lookup.statement(inflow.place.height, inflow.place.statement)
    start = inflow.place.record
    first = decode_record(statement.record_bytes[start])
    if isinstance(first, Gifts):
        for gift in columns.iterate_gifts(columns_at(lookup, inflow.place), first.width):
            yield GiftAt(
                f"{first.series}/{gift.id}", inflow.place, inflow.account, inflow.index,
                gift.offset, gift.amount, gift.donor, gift.second,
            )  # fmt: skip
        return
    offset = 0
    for number, data in enumerate(statement.record_bytes[start : start + inflow.gifts[0]], start):
        record = decode_record(data)
        assert isinstance(record, Donation)
        place = Place(inflow.place.height, inflow.place.statement, number)
        yield GiftAt(record.id, place, inflow.account, inflow.index, offset, record.amount, record.donor)
        offset += record.amount
