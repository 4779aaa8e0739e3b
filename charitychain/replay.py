"""Replay: feeding the blocks of a ledger, one after another, into state and index, and checking all of them.

One road for everything: `verify` replays into a scratch index and collects faults, a missing index is made by the
same replay, and an index that is behind is brought forward by it.

Rules upheld here:

- Everything is recomputed from the bytes: structure, links, trees, signatures, sequence, rules, movements, roots.
- A fault is reported with its place and never hides the next one. Where damage makes the ledger's state unknown,
  what does not depend on it (structure, links, statement roots, seals) is still checked in every later block, and
  one fault says that the rest was not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charitychain import merkle, records
from charitychain.chain import blocks, statements
from charitychain.chain.genesis import Genesis
from charitychain.errors import CharitychainError, MalformedError, RefusedError, VerificationError
from charitychain.index import Head, Index
from charitychain.state.rules import State
from charitychain.store.protocol import Frame

__all__ = ["Fault", "Replay", "raise_fault"]

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where. `offset` is the byte in the file; `code` is stable and documented."""

    code: str
    message: str
    block: int | None = None
    statement: int | None = None
    record: int | None = None
    offset: int | None = None
    expected: str | None = None
    found: str | None = None

    def where(self) -> str:
        """Return the place in words."""
        parts = [("block", self.block), ("statement", self.statement), ("record", self.record), ("byte", self.offset)]
        return ", ".join(f"{name} {value}" for name, value in parts if value is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return the fault for programs; what is not known is left out."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


def raise_fault(fault: Fault) -> None:
    """Turn the first fault into an error: what readers other than `verify` do."""
    facts = {name: value for name, value in fault.to_dict().items() if name not in ("code", "message")}
    raise VerificationError(
        fault.code, f"{fault.where()}: {fault.message}; `charitychain verify` lists every fault", **facts
    )


def _words(value: object) -> str | None:
    return None if value is None else str(value)


class Replay:
    """Replays frames of a store into an index.

    Args:
        index: An index with an open transaction: new, or covering a prefix of the ledger.
        report: Called with each fault; `raise_fault` stops at the first.
        see: Called with the state, each record that was applied, and the time of its block, UTC seconds.
    """

    def __init__(
        self,
        index: Index,
        report: Callable[[Fault], None],
        see: Callable[[State, records.Record, int], None] | None = None,
    ) -> None:
        self.index, self._report, self._see = index, report, see
        self.genesis: Genesis | None = None
        self.identity = b""
        self.state: State | None = None
        self.height = 0
        self.log = merkle.Frontier(merkle.RFC6962)
        self.last_hash = b""
        self.time = self._sealed = 0
        self.seal = b""
        self.end = 0
        self.last_readable = (-1, b"")
        self.counts = {"blocks": 0, "statements": 0, "records": 0, "gifts": 0}
        self._log_before = self.log.copy()
        self._log_known = True
        self._unknown_since: int | None = None
        self._roots_off = False
        self._frame = Frame(0, 0, b"", None, 0)
        self._damaged = self._was_damaged = False

    @classmethod
    def resume(
        cls, index: Index, genesis: Genesis, last: blocks.Block, head: Head, report: Callable[[Fault], None]
    ) -> Replay:
        """Go on from the last block that an index covers."""
        self = cls(index, report)
        self.genesis, self.identity = genesis, genesis.identity()
        self.height, self.last_hash, self.end = head.height + 1, head.hash, head.end
        self.time, self.seal = last.header.time, last.seal
        self.state = State.load(index, self.identity, genesis.version, self.height)
        self.log = header_frontier(index, self.height)
        self._log_before = self.log.copy()
        return self

    @property
    def head(self) -> Head:
        return Head(self.height - 1, self.last_hash, self.end)

    def _fault(
        self,
        code: str,
        message: str,
        *,
        statement: int | None = None,
        record: int | None = None,
        part: bytes = b"",
        expected: object = None,
        found: object = None,
    ) -> None:
        offset = self._frame.offset
        if part and self._frame.payload is not None:
            at = self._frame.payload.find(part)
            offset = offset if at < 0 else self._frame.end - self._frame.length + at
        self._report(Fault(code, message, self.height, statement, record, offset, _words(expected), _words(found)))

    def _error(
        self, error: CharitychainError, *, statement: int | None = None, record: int | None = None, part: bytes = b""
    ) -> None:
        self._fault(
            error.code,
            error.message,
            statement=statement,
            record=record,
            part=part,
            expected=error.facts.get("expected"),
            found=error.facts.get("found"),
        )

    # ------------------------------------------------------------------------------------------- a block

    def feed(self, frame: Frame) -> None:
        """Check the next frame of the ledger and apply it."""
        self._frame = frame
        self._was_damaged, self._damaged = self._damaged, False
        if frame.fault is not None:
            self._damaged = True
            what = "the length" if frame.fault == "CC-FRAME-LENGTH" else "the block"
            self._fault(frame.fault, f"the checksum of {what} does not fit its bytes; restore this block from a copy")
        block = None
        if frame.payload is not None:
            header = blocks.peek_header(frame.payload)
            try:
                block = blocks.decode_block(frame.payload)
            except MalformedError as error:
                self._damaged = True
                if header is not None and self._stands_behind_a_gap(header):
                    self._fault(
                        "CC-HEIGHT", "blocks are missing before this one", expected=self.height, found=header.height
                    )
                    self._lose(header.height)
                self._error(error)
        if block is None:
            self._lose(self.height + 1)
            self.end = frame.end
            return
        self._block(block)
        self.end = frame.end

    def _stands_behind_a_gap(self, header: blocks.BlockHeader) -> bool:
        """Say whether blocks are missing before this one; a height out of damaged bytes, or against its link, lies."""
        return header.height > self.height and self._frame.fault is None and header.previous != self.last_hash

    def _lose(self, next_height: int) -> None:
        """Go on behind blocks that cannot be read."""
        if next_height - self.height != 1:
            self._log_known = False
        self._forget(self.height)
        self.height, self.last_hash = next_height, b""
        self._log_before = self.log.copy()
        self._damaged = True

    def _forget(self, height: int) -> None:
        """From this block on the state of the ledger is not known."""
        if self._unknown_since is None:
            self._unknown_since = height
            self._fault(
                "CC-UNCHECKED",
                f"rules, balances and accounts after block {height} cannot be checked until that block is restored;"
                " structure, links, statement roots and seals still are",
            )

    def _block(self, block: blocks.Block) -> None:
        header = block.header
        if header.height != self.height:
            self._fault("CC-HEIGHT", "a block stands at the wrong height", expected=self.height, found=header.height)
            self._damaged = True
            if self._stands_behind_a_gap(header):
                self._lose(header.height)
        if self.genesis is None and block.genesis is not None:
            self.genesis, self.identity = block.genesis, block.genesis.identity()
            self.state = State(self.index, self.identity, block.genesis.version)
            self.state.begin_genesis(block.genesis.key)
            self.last_hash = self.identity
        if self.genesis is None or self.state is None:
            return
        if header.version != self.genesis.version:
            self._fault(
                "CC-HEADER", "the block has another version than the genesis record",
                expected=self.genesis.version, found=header.version,
            )  # fmt: skip
        self._link(header)
        if header.time < self.time:
            self._fault("CC-TIME", "block time falls", expected=f"at least {self.time}", found=header.time)
        self.state.begin_block(self.height)
        self._sealed = header.time
        for number, statement in enumerate(block.statements):
            self._statement(number, statement)
        count_root = blocks.statements_root(block.statements)
        if count_root != header.statements:
            self._damaged = True
            self._fault(
                "CC-STATEMENTS-ROOT", "the statements are not those that this block's header commits to",
                expected=_pair(header.statements), found=_pair(count_root),
            )  # fmt: skip
        self._check_roots(header)
        self._seal(block)
        self.index.pending.clear()
        self.time = header.time
        self.height += 1

    def _link(self, header: blocks.BlockHeader) -> None:
        if self.last_hash == b"":  # the block before could not be read: this link is all that is left of its hash
            if self._log_known:
                self.log = self._log_before.copy()
                self.index.put_header_nodes(self.log.append(header.previous))
                self.index.put_block_hash(self.height - 1, header.previous)
        elif header.previous != self.last_hash:
            before = "the identity of this ledger" if self.height == 0 else f"the hash of block {self.height - 1}"
            why = "a block was changed, dropped or taken from elsewhere"
            if self._was_damaged:
                why = "that block is damaged, as said above"
            self._fault(
                "CC-LINK",
                f"previous hash is not {before}: {why}",
                expected=self.last_hash.hex(),
                found=header.previous.hex(),
            )
            if self._was_damaged and self.height:  # the damaged block's own hash is what its follower says
                self.log = self._log_before.copy()
                self.index.put_header_nodes(self.log.append(header.previous))
                self.index.put_block_hash(self.height - 1, header.previous)
            else:
                self._damaged = True

    def _check_roots(self, header: blocks.BlockHeader) -> None:
        assert self.state is not None
        try:
            accounts, parties = self.state.end_block()
        except VerificationError as error:
            self._error(error)
            return
        if self._unknown_since is not None or self._roots_off:
            return
        for code, what, said, found in (
            ("CC-ACCOUNTS-ROOT", "accounts", header.accounts, accounts),
            ("CC-PARTIES-ROOT", "parties", header.parties, parties),
        ):
            if said != found:
                self._roots_off = True
                self._fault(
                    code,
                    f"the {what} after this block are not what its header commits to; later {what} follow from it",
                    expected=_pair(found),
                    found=_pair(said),
                )
        if self._roots_off and self._damaged:
            self._forget(self.height)

    def _seal(self, block: blocks.Block) -> None:
        assert self.genesis is not None and self.state is not None
        self.last_hash = block.header.hash()
        self._log_before = self.log.copy()
        self.index.put_header_nodes(self.log.append(self.last_hash))
        self.index.put_block(self.height, self._frame.offset, self.last_hash)
        size, root = self.height + 1, self.log.root()
        try:
            if self._log_known:
                first = block.statements[0].header.author if block.statements else None
                blocks.check_seal(block.seal, self.genesis.origin, size, root, self.state.sealing_keys(first))
        except CharitychainError as error:
            self._damaged = True
            self._error(error, part=block.seal)
        self.seal = block.seal
        self.last_readable = (self.height, self.last_hash)
        self.counts["blocks"] += 1

    # --------------------------------------------------------------------------------------- a statement

    def _statement(self, number: int, statement: statements.SignedStatement) -> None:
        assert self.state is not None
        state, header = self.state, statement.header
        self.index.pending[self.height, number] = statement
        self.counts["statements"] += 1
        self.counts["records"] += len(statement.record_bytes)
        part = statement.header_bytes
        known = True
        try:
            statements.check_signatures(statement, self.identity, lambda key_id: state.signer(key_id)[1])
        except CharitychainError as error:
            known = error.code != "CC-UNKNOWN-KEY"
            if self._unknown_since is None or known:
                self._error(error, statement=number, part=part)
        try:
            statements.check_records_root(statement)
        except VerificationError as error:
            self._error(error, statement=number, part=part)
        try:
            if self._unknown_since is None and known:
                state.check_order(header)
        except VerificationError as error:
            self._error(error, statement=number, part=part)
        if self.genesis is not None and self.genesis.version > 1 and header.time > self._sealed + _DAY:
            self._fault(
                "CC-FUTURE", "the statement was signed more than a day after its block was sealed, as they say",
                statement=number, part=part, expected=f"at most {self._sealed + _DAY}", found=header.time,
            )  # fmt: skip
        try:
            state.begin_statement([header.author, *header.signers], header.time)
        except VerificationError:  # an unknown key: reported above
            return
        self._records(number, statement)
        moves = state.end_statement()
        if moves != statement.moves and self._unknown_since is None and not self._roots_off:
            self._fault(
                "CC-MOVES", "the movements sealed with this statement are not those that its records make",
                statement=number, part=part, expected=moves, found=statement.moves,
            )  # fmt: skip
        state.accept(header, statement.id)

    def _records(self, number: int, statement: statements.SignedStatement) -> None:
        assert self.state is not None
        gift_columns = iter(statement.columns)
        for position, data in enumerate(statement.record_bytes):
            try:
                record = records.decode_record(data)
                column = next(gift_columns, None) if isinstance(record, records.Gifts) else None
                self.state.apply(record, data, column)
                if isinstance(record, records.Gifts):
                    self.counts["gifts"] += record.count
                elif isinstance(record, records.Donation):
                    self.counts["gifts"] += 1
            except CharitychainError as error:
                self.state.skip_record()
                if self._unknown_since is None or not isinstance(error, RefusedError):
                    self._error(error, statement=number, record=position, part=data)
            else:
                if self._see is not None:
                    self._see(self.state, record, self._sealed)
        if next(gift_columns, None) is not None:
            self._fault(
                "CC-GIFTS-ROOT", "there are gift columns that no record commits to", statement=number,
                part=statement.header_bytes,
            )  # fmt: skip


def _pair(pair: tuple[int, bytes]) -> str:
    return f"{pair[0]}, root {pair[1].hex()}"


def header_frontier(index: Index, size: int) -> merkle.Frontier:
    """Return the log of the first `size` headers as its complete subtrees, from an index."""
    hashes, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            hashes.append(index.header_node(level, start >> level))
            start += 1 << level
    return merkle.Frontier.from_hashes(merkle.RFC6962, size, hashes)
