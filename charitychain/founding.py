"""Founding: block 0 of a ledger, which holds the genesis record and admits the operator."""

from __future__ import annotations

import time as _time
from collections.abc import Callable, Sequence
from dataclasses import replace

from charitychain import merkle, records
from charitychain.chain import blocks, statements
from charitychain.chain.genesis import Genesis
from charitychain.index import Index
from charitychain.keys import PrivateKey
from charitychain.state.rules import State

__all__ = ["first_block", "party_record"]

_EXPIRY = 1000
"""The operator's first statement says what every one says: it may be sealed up to this many blocks later."""


def first_block(
    genesis: Genesis, party: records.Party, key: PrivateKey, index: Index, clock: Callable[[], float] = _time.time
) -> tuple[blocks.Block, bytes]:
    """Build block 0, which admits the operator, and its bytes."""
    identity, now = genesis.identity(), int(clock())
    statement = statements.make_statement(
        [party], [], [key], identity,
        sequence=0, previous=None, seen_size=0, seen_hash=identity, time=now, expiry=_EXPIRY,
    )  # fmt: skip
    state = State(index, identity, genesis.version)
    state.begin_genesis(key.public_key)
    state.begin_block(0)
    state.begin_statement([statement.header.author], now)
    state.apply(party, statement.record_bytes[0])
    statement = replace(statement, moves=state.end_statement())
    state.accept(statement.header, statement.id)
    accounts, parties = state.end_block()
    header = blocks.BlockHeader(
        0, now, identity, blocks.statements_root([statement]), accounts, parties, genesis.version
    )
    log = merkle.Frontier(merkle.RFC6962)
    log.append(header.hash())
    block = blocks.Block(header, genesis, (statement,), blocks.make_seal(genesis.origin, 1, log.root(), key))
    return block, blocks.encode_block(block)


def party_record(id_: str, roles: Sequence[str], public_key: bytes, proof: bytes, title: str | None) -> records.Party:
    """Return a party record with its roles in their standard order."""
    ordered = tuple(role for role in records.ROLES if role in roles)
    return records.Party(id_, ordered, public_key, proof, title)
