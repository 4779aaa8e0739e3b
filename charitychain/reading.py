"""Reading: answers from the index, each checked against the sealed blocks it rests on.

The index is derived and not trusted. A `Reader` binds it to the ledger's head:

- the head block's hash, and its seal by the operator's key over the log of all headers;
- the index's accounts and parties against the roots in that header;
- every movement used, by its path to the root of its account's log, with the sums before it;
- every block whose records are shown: hash, path to the sealed log, statements root, author's signature; and the
  columns of every `gifts` record out of which a gift is read.

So an answer holds relative to one checkpoint. That the *rules* held up to there is what `charitychain.verify` shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from charitychain import columns, merkle, records
from charitychain.basis import day
from charitychain.chain import blocks, statements
from charitychain.chain.genesis import Genesis
from charitychain.errors import CharitychainError, NotFoundError, UnreadableError, VerificationError
from charitychain.index import Head, Index
from charitychain.records import Place
from charitychain.replay import header_frontier
from charitychain.sealed import Sealed, unfit
from charitychain.state.accounts import AccountState, Summary
from charitychain.state.lookup import GiftAt, IdAt, gifts_of, known_gift
from charitychain.state.movements import Movement, Ref
from charitychain.state.parties import PartyState
from charitychain.state.rules import State
from charitychain.store.protocol import Store
from charitychain.sumlog import LogNode, check_log_path
from charitychain.units import BUILT_IN, Unit

__all__ = ["Reader", "check_version", "read_block", "read_genesis", "statement_reader"]

K = TypeVar("K")
V = TypeVar("V")

_ROWS = 100_000
"""The most checked movements, and the most checked authors of statements, that it keeps."""


def read_block(store: Store, offset: int, height: int) -> blocks.Block:
    """Read and parse the block at `offset`.

    Raises:
        VerificationError: ``CC-FRAME`` and others: it is damaged.
    """
    frame = store.read(offset)
    if frame.payload is None or frame.fault is not None:
        raise VerificationError(
            frame.fault or "CC-FRAME",
            f"block {height} (byte {offset}) is damaged, and the answer rests on it; restore it from a copy",
            block=height,
            offset=offset,
        )
    try:
        return blocks.decode_block(frame.payload)
    except CharitychainError as error:
        raise VerificationError(error.code, f"block {height} (byte {offset}): {error.message}", block=height) from error


def statement_reader(store: Store) -> Callable[[int, int], statements.SignedStatement]:
    """Return a look-up of statements by (offset of the block, number), which keeps the last block decoded."""
    last: dict[int, blocks.Block] = {}

    def read(offset: int, statement: int) -> statements.SignedStatement:
        block = last.get(offset)
        if block is None:
            frame = store.read(offset)
            if frame.payload is None or frame.fault is not None:
                code = frame.fault or "CC-FRAME"
                raise VerificationError(code, f"byte {offset}: the block that stands here is damaged", offset=offset)
            block = blocks.decode_block(frame.payload)
            last.clear()
            last[offset] = block
        if statement >= len(block.statements):  # only in a damaged block: verify goes on behind its faults
            code = "CC-STATEMENTS-ROOT"
            raise VerificationError(code, f"byte {offset}: a statement that others rest on is not there", offset=offset)
        return block.statements[statement]

    return read


def read_genesis(store: Store) -> Genesis:
    """Return the genesis record of a ledger.

    Raises:
        UnreadableError: ``CC-NO-GENESIS``: there is no whole first block.
    """
    frame, genesis = store.read(store.start()), None
    try:
        if frame.payload is not None and frame.fault is None:
            block = blocks.decode_block(frame.payload)
            genesis = block.genesis
    except CharitychainError:
        pass
    if genesis is not None:
        check_version(store, genesis)
        return genesis
    raise UnreadableError(
        "CC-NO-GENESIS", f"{store.name} holds no whole genesis block; it is no ledger, or its start is damaged"
    )


def check_version(store: Store, genesis: Genesis) -> None:
    """Check that head and genesis record name the same format.

    Raises:
        UnreadableError: ``CC-VERSION``.
    """
    if store.version != genesis.version:
        raise UnreadableError(
            "CC-VERSION",
            f"{store.name} names format {store.version} in its head and {genesis.version} in its genesis record; its"
            " first bytes are damaged: restore them from a copy",
            expected=genesis.version,
            found=store.version,
        )


def moment(store: Store, *, height: int | None = None, day_of: str | None = None) -> tuple[int, int | None]:
    """Return where a ledger's blocks ended at an earlier moment: behind a block, or behind the last one of a day.

    The second offset is where the store is torn, if nothing but that ended the moment: more may have stood there.

    Args:
        height: The last block to count.
        day_of: A UTC day, ``YYYY-MM-DD``; blocks count that were sealed up to its end.

    Raises:
        NotFoundError: ``CC-UNKNOWN-MOMENT``: there is no such block, or none had been sealed by then.
    """
    end, found, first, torn = None, -1, "", None
    for frame in store.scan():
        header = blocks.peek_header(frame.payload or b"")
        # A header that cannot be read is met, and told, by the replay of what stands before the end.
        sealed = day(header.time) if header is not None else ""
        first = first or sealed
        if frame.fault == "CC-TORN":
            torn = frame.offset
        if torn is not None or (day_of is not None and sealed > day_of):
            break
        end, found = frame.end, found + 1
        if found == height:
            return end, None
    if height is not None:
        raise NotFoundError("CC-UNKNOWN-MOMENT", f"{store.name} has no block {height}; its last is {found}")
    if end is None:
        raise NotFoundError(
            "CC-UNKNOWN-MOMENT",
            f"nothing of {store.name} was sealed up to {day_of}; its first block is of {first}. A moment goes by the"
            " day of sealing, not by the dates that records state",
        )
    return end, torn


class Reader:
    """Checked look-ups in a ledger at its head.

    Raises:
        VerificationError: head and index do not fit together, or the head is not sealed by the operator.
    """

    def __init__(self, store: Store, index: Index, genesis: Genesis, head: Head) -> None:
        self.store, self.index, self.genesis, self.head = store, index, genesis, head
        self.state = State.load(index, genesis.identity(), genesis.version, head.height + 1)
        self._nodes: dict[tuple[int, int, int], LogNode] = {}
        # What was found true of sealed things, which is so of their copies read later too.
        self._authors: dict[tuple[int, int], str] = {}
        self._movements: dict[Ref, Movement] = {}
        self._tops: dict[int, bytes] = {}
        self._units: set[str] = set()
        self.block = read_block(store, index.block_offset(head.height), head.height)
        self.log_root = header_frontier(index, head.height + 1).root()
        if self.block.header.hash() != head.hash:
            raise self._unfit()

        def read(height: int) -> blocks.Block:
            return read_block(store, index.block_offset(height), height)

        self._sealed = Sealed(read, index.header_node, head.height + 1, self.log_root)
        self.state.height = head.height
        first = self.block.statements[0].header.author if self.block.statements else None
        sealing = self.state.sealing_keys(first)
        self.state.height = head.height + 1
        blocks.check_seal(self.block.seal, genesis.origin, head.height + 1, self.log_root, sealing)
        if self.state.roots() != (self.block.header.accounts, self.block.header.parties):
            raise self._unfit()

    def _unfit(self) -> VerificationError:
        return unfit(self.head.height)

    @property
    def checkpoint(self) -> str:
        return self.block.seal.decode()

    def facts(self) -> dict[str, Any]:
        """Return what an answer says of the ledger and head that it holds for."""
        return {
            "origin": self.genesis.origin,
            "identity": self.genesis.identity().hex(),
            "height": self.head.height,
            "checkpoint": self.checkpoint,
        }

    # ------------------------------------------------------------------------------- the basis of an answer

    @property
    def version(self) -> int:
        return self.genesis.version

    @property
    def accounts(self) -> Sequence[AccountState]:
        return self.state.accounts

    @property
    def parties(self) -> Sequence[PartyState]:
        return self.state.parties

    def party(self, id_: str) -> PartyState:
        return self.state.party(id_)

    def find_id(self, id_: str) -> IdAt | None:
        return self.index.find_id(id_)

    def links(self, about: str, kind: int) -> Sequence[Place]:
        return self.index.links(about, kind)

    def movement(self, account: int, index: int) -> Movement:
        return self.index.movement(account, index)

    def rule_outflow_at(self, account: int, rank: int) -> Movement:
        return self.index.rule_outflow_at(account, rank)

    def outflows(self, account: int, after: int, before: int | None = None) -> Iterator[Movement]:
        return self.index.outflows(account, after, before)

    def header(self, place: Place) -> statements.StatementHeader:
        return self.statement(place).header

    def moves(self, place: Place) -> tuple[Ref, ...]:
        made = self.statement(place).moves
        return made[place.record] if place.record < len(made) else ()

    def stolen(self, place: Place) -> tuple[PartyState, int] | None:
        return self.state.stolen(self.header(place), place.height)

    def sealed_gift(self, gift: GiftAt) -> GiftAt:
        """Return a gift as the inflow that holds it was sealed.

        Raises:
            VerificationError: ``CC-INDEX``: it is not there, or stands otherwise.
        """
        ref = (gift.account, gift.movement)
        inflow = self._movements.get(ref) or self.index.movement(*ref)
        sealed = self._gift_in(inflow, gift)
        if sealed is None or (sealed.offset, sealed.amount, sealed.place) != (gift.offset, gift.amount, gift.place):
            raise VerificationError(
                "CC-INDEX", f"the index says another amount or place of gift {gift.id!r} than was sealed"
            )
        return sealed

    def _gift_in(self, inflow: Movement, gift: GiftAt) -> GiftAt | None:
        """Return the gift of this id that an inflow holds, if it does."""
        signed = self._sealed.statement(inflow.place)
        runs = signed.runs.get(inflow.place.record)
        if runs is not None:
            record = self.record(inflow.place)
            assert isinstance(record, records.Gifts)
            series, _, number = gift.id.partition("/")
            found = runs.find(int(number)) if number and series == record.series else None
            return _of_batch(gift.id, inflow.place, inflow.account, inflow.index, found) if found is not None else None
        listed = signed.gifts.get(inflow.place.record)
        if listed is None:
            listed = signed.gifts[inflow.place.record] = {each.id: each for each in gifts_of(self.index, inflow)}
        return listed.get(gift.id)

    # --------------------------------------------------------------------------------------------- checking

    def checked_block(self, height: int) -> blocks.Block:
        """Return a block after checking hash, path to the sealed log, and statements root.

        Raises:
            VerificationError: the block is damaged, or is not the one in the log.
        """
        return self._sealed.block(height)

    def prove_beginning(self, size: int, root: bytes) -> tuple[bytes, ...]:
        """Return the proof that the log begins with the blocks of a checkpoint (RFC 9162, section 2.1.4), checked.

        Args:
            size: At least one block, and no more than there are.

        Raises:
            VerificationError: ``CC-PROOF``: it does not. The index's hashes are not believed.
        """
        blocks = self.head.height + 1
        proof = merkle.prove_consistency_from_nodes(merkle.RFC6962, self.index.header_node, size, blocks)
        merkle.check_consistency(merkle.RFC6962, proof, size, root, blocks, self.log_root)
        return proof

    def statement(self, place: Place) -> statements.SignedStatement:
        """Return the statement at a place, its records and gift columns checked against what its author signed."""
        return self._sealed.statement(place).statement

    def runs(self, place: Place) -> columns.Runs:
        """Return the gift columns of the `gifts` record at a place, after checking them.

        Raises:
            VerificationError: no such record stands there, or its columns are not those that were sealed.
        """
        found = self._sealed.statement(place).runs.get(place.record)
        if found is None:
            raise self._unfit()
        return found

    def check_author(self, place: Place) -> str:
        """Check the signatures of the statement at a place; return its author's party id."""
        key = (place.height, place.statement)
        found = self._authors.get(key)
        if found is None:
            statement = self.statement(place)
            self.state.height = place.height
            try:
                statements.check_signatures(statement, self.genesis.identity(), lambda key: self.state.signer(key)[1])
                found = self.state.signer(statement.header.author)[0].id
            finally:
                self.state.height = self.head.height + 1
            _keep(self._authors, key, found)
        return found

    def signers(self, place: Place) -> tuple[str, ...]:
        """Return the party ids of all that signed the statement at a place, its author first; `check_author` checks."""
        header = self.statement(place).header
        return tuple(dict.fromkeys(self.state.party_of(key).id for key in (header.author, *header.signers)))

    def record(self, place: Place) -> records.Record:
        """Return the record at a place, after checking its block."""
        signed = self._sealed.statement(place)
        found = signed.records.get(place.record)
        if found is None:
            if place.record >= len(signed.statement.record_bytes):
                raise self._unfit()
            found = signed.records[place.record] = records.decode_record(signed.statement.record_bytes[place.record])
        return found

    def gift(self, gift_id: str) -> GiftAt:
        """Return where a gift stands; one of a series, after a check of the columns that say so, or deny it.

        Raises:
            NotFoundError: ``CC-UNKNOWN-GIFT``.
            VerificationError: the columns are not those that were sealed.
        """
        if "/" not in gift_id:
            gift = known_gift(self.index, gift_id)
            self.statement(gift.place)
            return gift
        series, number = gift_id.split("/", 1)
        digits = number.isascii() and number.isdigit() and len(number) < 20
        batch = self.index.find_batch(series, int(number)) if digits else None
        found = self.runs(batch.place).find(int(number)) if batch is not None else None
        if batch is None or found is None or str(found.id) != number:
            raise NotFoundError("CC-UNKNOWN-GIFT", f"this ledger holds no gift {gift_id!r}", id=gift_id)
        return _of_batch(gift_id, batch.place, batch.account, batch.movement, found)

    def time(self, place: Place) -> int:
        """Return when the block of a place was sealed, UTC seconds."""
        return self.checked_block(place.height).header.time

    def check_movements(self, refs: Iterable[Ref]) -> None:
        """Check movements against the sealed accounts root: leaf, path, and the sums before it.

        Raises:
            VerificationError: ``CC-INDEX``: the index says something that was not sealed.
        """
        for number, index in sorted(set(refs)):
            self.check_movement(self.index.movement(number, index))

    def check_movement(self, movement: Movement) -> None:
        """Check one movement, as `check_movements` does."""
        ref = (movement.account, movement.index)
        if self._movements.get(ref) == movement:
            return
        account = self.state.account(movement.account)

        def node(level: int, position: int) -> LogNode:
            key = (movement.account, level, position)
            if key not in self._nodes:
                if len(self._nodes) > 100_000:
                    self._nodes.clear()
                self._nodes[key] = self.index.log_node(*key)
            return self._nodes[key]

        top, before = check_log_path(movement.index, account.log.size, movement.leaf(), node)
        said = (movement.in_before, movement.rule_before, movement.named_before, movement.back_before)
        if top.hash != self._top(account.number) or said != before[1:5]:
            raise VerificationError(
                "CC-INDEX",
                f"the index says something of movement {movement.index} of account {account.id!r} that was not sealed;"
                " remove the index and it is made anew",
                account=account.id,
                movement=movement.index,
            )
        _keep(self._movements, ref, movement)

    def _top(self, number: int) -> bytes:
        if number not in self._tops:
            self._tops[number] = self.state.account(number).log.root()
        return self._tops[number]

    def unit_of(self, account: Summary) -> Unit:
        """Return an account's unit; one that the ledger declares is checked against its record."""
        if account.unit in BUILT_IN:
            return BUILT_IN[account.unit]
        unit = self.state.unit_of(account)
        if unit.code not in self._units:
            row = self.index.find_id(account.unit)
            record = self.record(row.place) if row is not None else None
            said = (record.id, record.decimals) if isinstance(record, records.UnitRecord) else None
            if said != (account.unit, unit.decimals):
                raise self._unfit()
            self._units.add(unit.code)
        return unit


def _keep(found: dict[K, V], key: K, value: V) -> None:
    if len(found) >= _ROWS:
        found.clear()
    found[key] = value


def _of_batch(id_: str, place: Place, account: int, movement: int, gift: columns.Gift) -> GiftAt:
    return GiftAt(id_, place, account, movement, gift.offset, gift.amount, gift.donor, gift.second)
