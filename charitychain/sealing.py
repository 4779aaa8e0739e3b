"""Sealing: records in, sealed blocks out.

Records are applied to the ledger's state as they come, so a broken rule is told at once; they become part of the
ledger when the block that holds them is sealed.

Rules upheld here:

- All or nothing: what was not sealed leaves no trace, neither in the file nor in the index.
- Order of a commit: the block is on disk (fsync) → the operator key's high-water mark → the index → the caller.
- A key never seals two histories: a ledger older than its operator key's mark is refused.
- What leaves is checked once more: the block is parsed again from its bytes before it is written.
"""

from __future__ import annotations

import time as _time
from collections.abc import Callable, Sequence
from dataclasses import replace

from charitychain import merkle, records
from charitychain.chain import blocks, statements
from charitychain.chain.genesis import Genesis
from charitychain.errors import CharitychainError, RefusedError, StorageError, VerificationError
from charitychain.index import Head, Index, IndexDamaged
from charitychain.keyring import HighWaterMark
from charitychain.keys import PrivateKey, key_id
from charitychain.records import Place
from charitychain.state.parties import PartyState
from charitychain.state.rules import State
from charitychain.store.protocol import Store

__all__ = ["Sealer", "first_block", "party_record", "write_block"]

_RECORDS_IN_STATEMENT = 1000
_EXPIRY = 1000
"""A statement made here may be sealed up to this many blocks later."""

KeyOf = Callable[[bytes], PrivateKey]


class Sealer:
    """Takes records and seals them as blocks; use `charitychain.Ledger.writer`, which opens and closes it.

    Args:
        key_of: Gives the private key for a public one; raises `KeyAccessError` where it is not at hand.
        mark_of: Gives the high-water mark of an operator key; nothing for a dry run, which never seals.
    """

    def __init__(
        self,
        store: Store,
        index: Index,
        genesis: Genesis,
        log: merkle.Frontier,
        head: Head,
        time: int,
        key_of: KeyOf,
        mark_of: Callable[[bytes], HighWaterMark] | None,
        clock: Callable[[], float] = _time.time,
    ) -> None:
        self._store, self._index, self._genesis, self._log = store, index, genesis, log
        self._head, self._time, self.key_of, self._mark_of, self._clock = head, time, key_of, mark_of, clock
        self._dry = mark_of is None
        self.identity = genesis.identity()
        self._index.begin()
        self.state = State.load(self._index, self.identity, self._head.height + 1)
        self._start_block()

    def _start_block(self) -> None:
        self.state.begin_block(self._head.height + 1)
        self._statements: list[statements.SignedStatement] = []
        self._records: list[records.Record] = []
        self._columns: list[bytes] = []
        self._signers: tuple[bytes, ...] = ()
        self.pending = 0

    # ------------------------------------------------------------------------------------------ records

    def record(
        self,
        record: records.Record,
        author: PartyState,
        cosigners: Sequence[PartyState] = (),
        columns: bytes | None = None,
    ) -> None:
        """Add a record under the signatures of `author` and `cosigners`.

        Raises:
            RefusedError, MalformedError: a rule is broken; nothing changed, and other records may follow.
            KeyAccessError: a key is not at hand.
        """
        records.check_record(record)
        others = sorted({party.id: party for party in cosigners if party is not author}.items())
        signers = tuple(self._acting_key(party) for party in (author, *(party for _, party in others)))
        if signers != self._signers or len(self._records) >= _RECORDS_IN_STATEMENT or columns is not None:
            self._close_statement()
        if not self._records:
            for key in signers:
                self.key_of(key)  # a missing key is told before anything is recorded
            self.state.begin_statement(map(key_id, signers))
            self._signers = signers
        try:
            self.state.apply(record, records.encode_record(record), columns)
        except CharitychainError:
            # Applying may have closed a run of donations; a new statement keeps the replay the same.
            if self._records:
                self._close_statement()
            else:
                self.state.cancel_statement()
                self._signers = ()
            raise
        self._records.append(record)
        self.pending += 1
        if columns is not None:
            self._columns.append(columns)
            self._close_statement()  # so that its gifts can be found by what follows in this block

    def _acting_key(self, party: PartyState) -> bytes:
        key = party.key_at(self.state.height)
        if key is None:
            raise RefusedError(
                "CC-KEY-LATER", f"the key of {party.id!r} acts from the next block on; commit first", party=party.id
            )
        return key

    def _close_statement(self) -> None:
        if not self._records:
            return
        author = self.state.signer(key_id(self._signers[0]))[0]
        statement = statements.make_statement(
            self._records,
            self._columns,
            [self.key_of(key) for key in self._signers],
            self.identity,
            sequence=author.sequence,
            previous=author.previous,
            seen_size=self._head.height + 1,
            seen_hash=self._head.hash,
            time=int(self._clock()),
            expiry=self.state.height + _EXPIRY,
        )
        statement = replace(statement, moves=self.state.end_statement())
        self.state.check_order(statement.header)
        self.state.accept(statement.header, statement.id)
        if statement.columns or self._dry:  # so that it can be looked up before, or without, being sealed
            self._index.pending[self.state.height, len(self._statements)] = statement
        self._statements.append(statement)
        self._records, self._columns, self._signers = [], [], ()

    # ------------------------------------------------------------------------------------------- commit

    def commit(self) -> Head:
        """Seal what was recorded as one block; without records, do nothing.

        A dry run goes through everything but sealing and writing, so that what follows is checked against it.

        Returns:
            The ledger's new head: height, block hash, and where the block ends in the store.

        Raises:
            StorageError: the disk failed. Where the message says so, the block is recorded all the same. Open the
                ledger anew.
        """
        self._close_statement()
        if not self._statements:
            return self._head
        height = self.state.height
        accounts, parties = self.state.end_block()
        time = max(int(self._clock()), self._time)
        count_root = blocks.statements_root(self._statements)
        header = blocks.BlockHeader(height, time, self._head.hash, count_root, accounts, parties)
        if self._dry:
            nodes, offset = self._log.append(header.hash()), self._head.end
        else:
            nodes, offset = self._seal(header)
        self._index.put_header_nodes(nodes)
        self._index.put_block(height, offset, header.hash())
        self._time = time
        if self._dry:
            self._head = Head(height, header.hash(), offset)
        else:
            self._head = Head(height, header.hash(), self._store.size())
            self._commit_index()
        self._start_block()
        return self._head

    def _commit_index(self) -> None:
        try:
            self._index.commit(self._head)
            self._index.pending.clear()
            self._index.begin()
        except IndexDamaged as error:
            raise StorageError(
                "CC-INDEX",
                f"block {self._head.height} is recorded, but the index could not follow ({error}); open the ledger"
                " anew, and do not enter these records again",
                block=self._head.height,
            ) from error

    def _seal(self, header: blocks.BlockHeader) -> tuple[list[tuple[int, int, bytes]], int]:
        log = self._log.copy()
        nodes = log.append(header.hash())
        key = self.key_of(self.state.operator_key())
        seal = blocks.make_seal(self._genesis.origin, log.size, log.root(), key)
        block = blocks.Block(header, None, tuple(self._statements), seal)
        # Each operator key has its own mark: after a rotation it is the new key that must never seal twice.
        mark = self._mark_of(self.state.operator_key()) if self._mark_of else None
        offset = write_block(self._store, block, mark)
        self._log = log
        return nodes, offset

    def close(self) -> None:
        """End writing; what was not committed is forgotten."""
        self._index.rollback()

    def signed(self, place: Place) -> tuple[records.Record, str]:
        """Return the record at a place, sealed or waiting, and the id of the party that signed it."""
        if (place.height, place.statement) == (self.state.height, len(self._statements)):
            return self._records[place.record], self.state.party_of(key_id(self._signers[0])).id
        if place.height == self.state.height:
            statement = self._statements[place.statement]
        else:
            statement = self._index.statement(place.height, place.statement)
        record = records.decode_record(statement.record_bytes[place.record])
        return record, self.state.party_of(statement.header.author).id


def write_block(store: Store, block: blocks.Block, mark: HighWaterMark | None) -> int:
    """Append a block durably and advance the mark; return its offset.

    The block is parsed from its bytes once more before it is written, so that a bit that flipped since hashing is
    never sealed into the file.
    """
    data = blocks.encode_block(block)
    again = blocks.decode_block(data)
    try:
        for statement in again.statements:
            statements.check_records_root(statement)
        same = again.header == block.header and blocks.statements_root(again.statements) == again.header.statements
    except VerificationError:
        same = False
    if not same:
        raise StorageError("CC-MEMORY", "the block changed in memory before it was written; check this machine")
    offset = store.append([data])[0]
    if mark is not None:
        try:
            mark.advance(block.header.height, block.header.hash())
        except StorageError as error:
            raise StorageError(
                error.code,
                f"{error.message}; block {block.header.height} is in the file, and the next writer takes it over: do"
                " not enter its records again",
                block=block.header.height,
            ) from error
    return offset


def first_block(
    genesis: Genesis, party: records.Party, key: PrivateKey, index: Index, clock: Callable[[], float] = _time.time
) -> tuple[blocks.Block, bytes]:
    """Build block 0, which admits the operator, and its bytes."""
    identity, now = genesis.identity(), int(clock())
    statement = statements.make_statement(
        [party], [], [key], identity,
        sequence=0, previous=None, seen_size=0, seen_hash=identity, time=now, expiry=_EXPIRY,
    )  # fmt: skip
    state = State(index, identity)
    state.begin_genesis(key.public_key)
    state.begin_block(0)
    state.begin_statement([statement.header.author])
    state.apply(party, statement.record_bytes[0])
    statement = replace(statement, moves=state.end_statement())
    state.accept(statement.header, statement.id)
    accounts, parties = state.end_block()
    header = blocks.BlockHeader(0, now, identity, blocks.statements_root([statement]), accounts, parties)
    log = merkle.Frontier(merkle.RFC6962)
    log.append(header.hash())
    block = blocks.Block(header, genesis, (statement,), blocks.make_seal(genesis.origin, 1, log.root(), key))
    return block, blocks.encode_block(block)


def party_record(
    id_: str, roles: Sequence[str], public_key: bytes, proof: bytes, title: str | None
) -> records.Party:
    """Return a party record with its roles in their standard order."""
    ordered = tuple(role for role in records.ROLES if role in roles)
    return records.Party(id_, ordered, public_key, proof, title)
