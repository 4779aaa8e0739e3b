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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from charitychain import merkle, records
from charitychain.chain import blocks, statements
from charitychain.chain.genesis import Genesis
from charitychain.errors import CharitychainError, RefusedError, StorageError, VerificationError
from charitychain.index import Head, Index, IndexDamaged
from charitychain.keyring import HighWaterMark
from charitychain.keys import key_id
from charitychain.records import Place
from charitychain.signers import KeyOf, Signers
from charitychain.state.lookup import Link
from charitychain.state.parties import PartyState
from charitychain.state.rules import State
from charitychain.store.protocol import Store

__all__ = ["Part", "Sealer", "write_block"]

_RECORDS_IN_STATEMENT = 1000
_EXPIRY = 1000
"""A statement made here may be sealed up to this many blocks later."""
_DAY = 86_400

Part = tuple[records.Record, bytes | None, Sequence[PartyState]]
"""A record of a statement, its gift columns, and everybody whose signature it needs beside the author's."""


class Sealer:
    """Takes records and seals them as blocks; use `charitychain.Ledger.writer`, which opens and closes it.

    Args:
        key_of: Gives the private key for a public one; raises `KeyAccessError` where it is not at hand.
        mark_of: Gives the high-water mark of an operator key; nothing for a dry run, which never seals.
        has_key: Says whether `key_of` would find a key, without asking for its passphrase.
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
        has_key: Callable[[bytes], bool] = lambda key: True,
    ) -> None:
        self._store, self._index, self._genesis, self._log = store, index, genesis, log
        self._head, self._time, self._mark_of, self._clock = head, time, mark_of, clock
        self._dry = mark_of is None
        self.identity, self.origin = genesis.identity(), genesis.origin
        self._index.begin()
        self.state = State.load(self._index, self.identity, genesis.version, self._head.height + 1)
        self.signers = Signers(self.state, key_of, has_key)
        self._start_block()

    def _start_block(self) -> None:
        self.state.begin_block(self._head.height + 1)
        self._statements: list[statements.SignedStatement] = []
        self._records: list[records.Record] = []
        self._columns: list[bytes] = []
        self._signers: tuple[bytes, ...] = ()
        self._time_signed = 0
        self._broken = False
        self.pending = 0

    # ------------------------------------------------------------------------------------------ records

    def record(
        self,
        record: records.Record,
        author: PartyState,
        cosigners: Sequence[PartyState] = (),
        columns: bytes | None = None,
        *,
        by_recovery: bool = False,
    ) -> None:
        """Add a record under the signatures of `author` and `cosigners`, or of the author's recovery key alone.

        Raises:
            RefusedError, MalformedError: a rule is broken; nothing changed, and other records may follow.
            KeyAccessError: a key is not at hand.
        """
        self._check_whole()
        records.check_record(record)
        signers = self.signers.recovery(author) if by_recovery else self.signers.of(author, cosigners)
        full = len(self._records) >= _RECORDS_IN_STATEMENT
        if signers != self._signers or full or columns is not None:
            self._close_statement()
        if not self._records:
            self._open_statement(signers)
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
        if columns is not None or isinstance(record, records.AccountChange):
            self._close_statement()  # so that what follows in this block can look up its gifts, or who owned what

    def settle(self, id_: str) -> None:
        """Close the open statement if it holds this id, undoes it or acknowledges it, so that others can see it."""
        if self._records:
            row = self.state.lookup.find_id(id_)
            places = [row.place] if row is not None else []
            for kind in (Link.REVERSED, Link.ACKNOWLEDGED):
                places += self.state.lookup.links(id_, kind)
            if any(place[:2] == self.state.place[:2] for place in places):
                self._close_statement()

    def settle_reversals(self) -> None:
        """Close the open statement if it undoes anything, so that others can see what still stands."""
        if any(isinstance(record, records.Reversal) for record in self._records):
            self._close_statement()

    def record_together(self, parts: Iterable[Part], author: PartyState, cosigners: Sequence[PartyState] = ()) -> None:
        """Add records as one statement: all of them or none.

        Args:
            parts: Taken one by one, each when those before it count, so that a record may be made out of what they did.

        Raises:
            RefusedError, MalformedError: a rule is broken. Where that is not at the first record, nothing since the
                last commit can be recorded any more, and every later call says so.
            KeyAccessError: a key is not at hand.
        """
        self._records, self._columns, self._signers = self._apply_parts(parts, author, cosigners)
        self.pending += len(self._records)
        self._close_statement()

    def prepare(
        self,
        parts: Iterable[Part],
        author: PartyState,
        cosigners: Sequence[PartyState] = (),
        *,
        by_recovery: bool = False,
    ) -> statements.SignedStatement:
        """Return records, as `record_together` takes them, as one unsigned statement, checked against the rules.

        Raises:
            ValueError: this is no dry run: what nobody has signed must never be sealed.
        """
        if not self._dry:
            raise ValueError("a draft is prepared in a dry run")
        listed, columns, signers = self._apply_parts(parts, author, cosigners, by_recovery=by_recovery, draft=True)
        made = statements.prepare_statement(listed, columns, signers, **self._header_fields(author))
        self._accept(made)
        return made

    def _apply_parts(
        self,
        parts: Iterable[Part],
        author: PartyState,
        cosigners: Sequence[PartyState],
        *,
        by_recovery: bool = False,
        draft: bool = False,
    ) -> tuple[list[records.Record], list[bytes], tuple[bytes, ...]]:
        """Open a statement and apply records in it; return them, their gift columns, and the keys that must sign."""
        self._check_whole()
        self._close_statement()
        listed: list[records.Record] = []
        columns: list[bytes] = []
        needed, signers, waiting = list(cosigners), tuple[bytes, ...](), None
        place = self.state.height, len(self._statements)
        self._time_signed = int(self._clock())
        try:
            for record, its_columns, parties in parts:
                needed += [party for party in parties if party not in needed]
                signers = self.signers.recovery(author) if by_recovery else self.signers.of(author, needed)
                if not draft:
                    self.signers.check_at_hand(signers)
                records.check_record(record)
                if waiting is None:
                    waiting = statements.prepare_statement([], [], signers, **self._header_fields(author))
                    self.state.begin_statement(map(key_id, signers), self._time_signed)
                else:
                    self.state.sign_too(map(key_id, signers))
                data = records.encode_record(record)
                self.state.apply(record, data, its_columns)
                listed.append(record)
                columns += [its_columns] if its_columns is not None else []
                # What follows in this statement may refer to it.
                waiting = replace(waiting, record_bytes=(*waiting.record_bytes, data), columns=tuple(columns))
                self._index.pending[place] = waiting
        except CharitychainError:
            self._broken = bool(listed)
            if waiting is not None and not listed:
                self.state.cancel_statement()
            raise
        return listed, columns, signers

    def add(self, statement: statements.SignedStatement) -> None:
        """Add a statement that was signed elsewhere.

        Raises:
            VerificationError: it is not whole, not signed as it must be, or does not go on from its author's last.
            RefusedError, MalformedError: as for `record_together`.
        """
        statements.check_signatures(statement, self.identity, lambda key: self.state.signer(key)[1])
        self._take(statement)

    def try_out(self, statement: statements.SignedStatement) -> None:
        """Apply a statement whose signatures are not all there yet, as if they were.

        Raises:
            ValueError: this is no dry run: what nobody has signed must never be sealed.
            VerificationError, RefusedError, MalformedError: as for `add`.
        """
        if not self._dry:
            raise ValueError("a draft is tried out in a dry run")
        self._take(statement)

    def _take(self, statement: statements.SignedStatement) -> None:
        self._check_whole()
        statements.check_records_root(statement)
        self._close_statement()
        self.state.check_order(statement.header)
        if self._genesis.version > 1 and statement.header.time > self._clock() + _DAY:
            raise RefusedError(
                "CC-FUTURE", "this was signed more than a day from now, by its author's clock; see which clock is wrong"
            )
        columns = iter(statement.columns)
        items = [
            (record, next(columns, None) if isinstance(record, records.Gifts) else None)
            for record in statement.records()
        ]
        if next(columns, None) is not None:
            raise VerificationError("CC-GIFTS-ROOT", "there are gift columns that no record commits to")
        self.state.begin_statement([statement.header.author, *statement.header.signers], statement.header.time)
        self._index.pending[self.state.height, len(self._statements)] = statement
        for number, (record, its_columns) in enumerate(items):
            try:
                records.check_record(record)
                self.state.apply(record, records.encode_record(record), its_columns)
            except CharitychainError:
                if number == 0:
                    self.state.cancel_statement()
                else:
                    self._broken = True
                raise
        self.pending += len(items)
        self._accept(statement)

    def _check_whole(self) -> None:
        if self._broken:
            raise RefusedError(
                "CC-HALFWAY",
                "a statement of several records was refused halfway, so nothing since the last commit is recorded; open"
                " the ledger for writing anew",
            )

    def _open_statement(self, signers: tuple[bytes, ...]) -> None:
        self.signers.check_at_hand(signers)
        self._time_signed = int(self._clock())
        self.state.begin_statement(map(key_id, signers), self._time_signed)
        self._signers = signers

    def _header_fields(self, author: PartyState) -> dict[str, Any]:
        return {
            "sequence": author.sequence,
            "previous": author.previous,
            "seen_size": self._head.height + 1,
            "seen_hash": self._head.hash,
            "time": self._time_signed,
            "expiry": self.state.height + _EXPIRY,
        }

    def _close_statement(self) -> None:
        if not self._records:
            return
        author = self.state.signer(key_id(self._signers[0]))[0]
        statement = statements.make_statement(
            self._records,
            self._columns,
            [self.signers.key_of(key) for key in self._signers],
            self.identity,
            **self._header_fields(author),
        )
        self._records, self._columns, self._signers = [], [], ()
        self.state.check_order(statement.header)
        self._accept(statement)

    def _accept(self, statement: statements.SignedStatement) -> None:
        statement = replace(statement, moves=self.state.end_statement())
        self.state.accept(statement.header, statement.id)
        # So that what follows in this block, or in a dry run, can look it up.
        self._index.pending[self.state.height, len(self._statements)] = statement
        self._statements.append(statement)

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
        self._check_whole()
        self._close_statement()
        if not self._statements:
            return self._head
        height = self.state.height
        accounts, parties = self.state.end_block()
        time = max(int(self._clock()), self._time)
        count_root = blocks.statements_root(self._statements)
        header = blocks.BlockHeader(height, time, self._head.hash, count_root, accounts, parties, self._genesis.version)
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
        listed = self.state.sealing_keys(self._statements[0].header.author)
        operator = next((key for key in listed if self.signers.has_key(key)), listed[0])
        key = self.signers.at_hand(operator)
        seal = blocks.make_seal(self._genesis.origin, log.size, log.root(), key)
        block = blocks.Block(header, None, tuple(self._statements), seal)
        # Each operator key has its own mark: after a rotation it is the new key that must never seal twice.
        mark = self._mark_of(operator) if self._mark_of else None
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

    def signers_at(self, place: Place) -> tuple[str, ...]:
        """Return the ids of all parties that signed the record at a place, sealed or waiting; the author first."""
        if (place.height, place.statement) == (self.state.height, len(self._statements)):
            return tuple(dict.fromkeys(self.state.party_of(key_id(key)).id for key in self._signers))
        header = self.state.lookup.statement(place.height, place.statement).header
        return tuple(dict.fromkeys(self.state.party_of(key).id for key in (header.author, *header.signers)))


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
