"""The hostile operator: takes a ledger apart, alters it, and puts it together again as well as its key allows.

`take_apart` gives the blocks of a ledger and `put_together` writes blocks as a ledger file whose checksums all fit.
Between them a test alters what it likes, and `reseal` makes everything that the operator alone can make fit again:
movements, statement roots, accounts and parties roots, links, and seals. What stays wrong afterwards is wrong in
spite of the operator's key, and each test says by which fault it must be found.

What the operator can not do is sign for others: statements stay as their authors signed them, unless a test forges
them with `sign` and a key that it chooses.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from charitychain import keys, merkle, records
from charitychain.chain import blocks, statements
from charitychain.chain.blocks import Block
from charitychain.chain.genesis import FORMAT_VERSION
from charitychain.chain.statements import SignedStatement
from charitychain.errors import CharitychainError
from charitychain.index import Index
from charitychain.keys import PrivateKey
from charitychain.reading import statement_reader
from charitychain.state.rules import State
from charitychain.store.frames import HEAD, START, encode_frame
from charitychain.store.memory import MemoryStore

__all__ = [
    "boundaries", "change_block", "change_statement", "header_changed", "put_together", "repair", "reseal", "sign",
    "take_apart",
]  # fmt: skip

KeyOf = Callable[[bytes], PrivateKey]


def take_apart(data: bytes) -> list[Block]:
    """Return the blocks of an undamaged ledger file."""
    found = []
    for frame in MemoryStore(data).scan():
        assert frame.payload is not None and frame.fault is None
        found.append(blocks.decode_block(frame.payload))
    return found


def put_together(parts: Sequence[Block]) -> bytes:
    """Return a ledger file of these blocks, whatever they say."""
    return HEAD + b"".join(encode_frame(blocks.encode_block(block)) for block in parts)


def boundaries(data: bytes) -> list[int]:
    """Return where the frames of an undamaged ledger file begin, and where the last one ends."""
    return [START, *(frame.end for frame in MemoryStore(data).scan())]


def repair(data: bytearray, start: int, end: int) -> None:
    """Make both checksums of the frame in ``[start, end)`` fit what stands there, as far as it declares a length."""
    declared = int.from_bytes(data[start : start + 4], "big")
    body = bytes(data[start + 12 : start + 12 + declared])
    check = zlib.crc32(bytes(data[start : start + 4]), zlib.crc32(b"ccfr"))
    data[start + 4 : start + 12] = struct.pack(">II", check, zlib.crc32(body))


def change_block(parts: list[Block], height: int, **fields: Any) -> None:
    """Replace fields of one block."""
    parts[height] = replace(parts[height], **fields)


def change_statement(parts: list[Block], height: int, number: int, *changed: SignedStatement) -> None:
    """Put `changed` in the place of one statement: none, one or several."""
    before = parts[height].statements
    change_block(parts, height, statements=(*before[:number], *changed, *before[number + 1 :]))


def header_changed(statement: SignedStatement, **fields: Any) -> SignedStatement:
    """Change fields of a statement's header and leave its signatures as they are."""
    header = replace(statement.header, **fields)
    return replace(statement, header=header, header_bytes=header.encode())


def sign(
    made: Sequence[records.Record],
    signers: Sequence[PrivateKey],
    identity: bytes,
    after: Sequence[Block],
    *,
    columns: Sequence[bytes] = (),
    **fields: Any,
) -> SignedStatement:
    """Sign records as the next statement of their author behind the blocks `after`, without asking any rule.

    Args:
        fields: Header fields to set otherwise, such as `seen_hash` or `expiry`.
    """
    author = keys.key_id(signers[0].public_key)
    own = [s for block in after for s in block.statements if s.header.author == author]
    said: dict[str, Any] = {
        "sequence": len(own),
        "previous": own[-1].id if own else None,
        "seen_size": len(after),
        "seen_hash": after[-1].header.hash(),
        "time": after[-1].header.time,
        "expiry": len(after) + 10,
    }
    return statements.make_statement(made, columns, signers, identity, **{**said, **fields})


def reseal(
    parts: Sequence[Block],
    key_of: KeyOf,
    *,
    roots: bool = True,
    seal_from: int = 0,
    time_of: Callable[[int, int], int] = lambda height, time: time,
) -> list[Block]:
    """Make all that the operator alone can make fit the statements as they stand, and seal again.

    Args:
        parts: Blocks; heights and links come anew from their order.
        key_of: Gives the operator's key for the public key that acts.
        roots: Also make movements, accounts and parties anew, as a replay counts them that skips what breaks a rule;
            else only links, statement roots and seals.
        seal_from: Blocks below this height are left as they are.
        time_of: The time to give to a block, from its height and time.
    """
    genesis = parts[0].genesis
    assert genesis is not None
    identity, store = genesis.identity(), MemoryStore()
    index = Index(":memory:", statement_reader(store), scratch=True)
    state = State(index, identity, FORMAT_VERSION)
    state.begin_genesis(genesis.key)
    log, previous, sealed = merkle.Frontier(merkle.RFC6962), identity, []
    try:
        for height, block in enumerate(parts):
            state.begin_block(height)
            made = [_replayed(state, statement) for statement in block.statements]
            for number, statement in enumerate(made):
                index.pending[height, number] = statement
            accounts, parties = state.end_block()
            if height >= seal_from:
                kept = block.header
                said = tuple(made) if roots else block.statements
                header = replace(
                    kept, height=height, time=time_of(height, kept.time), previous=previous,
                    statements=blocks.statements_root(said),
                    accounts=accounts if roots else kept.accounts, parties=parties if roots else kept.parties,
                )  # fmt: skip
                block = replace(block, header=header, statements=said)
            log.append(block.header.hash())
            if height >= seal_from:
                key = key_of(state.sealing_keys()[0])
                block = replace(block, seal=blocks.make_seal(genesis.origin, log.size, log.root(), key))
            previous = block.header.hash()
            index.put_block(height, store.append([blocks.encode_block(block)])[0], previous)
            index.pending.clear()
            sealed.append(block)
    finally:
        index.close()
    return sealed


def _replayed(state: State, statement: SignedStatement) -> SignedStatement:
    """Return a statement with the movements that it makes; records that break a rule make none."""
    header = statement.header
    try:
        state.begin_statement([header.author, *header.signers], header.time)
    except CharitychainError:
        return statement
    left = iter(statement.columns)
    for data in statement.record_bytes:
        try:
            record = records.decode_record(data)
            columns = next(left, None) if isinstance(record, records.Gifts) else None
            state.apply(record, data, columns)
        except CharitychainError:
            state.skip_record()
    moves = state.end_statement()
    state.accept(header, statement.id)
    return replace(statement, moves=moves)
