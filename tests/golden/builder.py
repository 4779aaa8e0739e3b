"""A ledger in memory that comes out the same, byte for byte, each time it is built.

Keys come from seeds, the clock is fixed, the nonce is given; everything else is the library's own writing path, from
journal entries to sealed blocks.

- `Builder.writer` takes entries, as `charitychain.writer.Writer` does;
- `Builder.commit` seals a block and moves the clock on;
- `Builder.data` are the bytes of the ledger file so far.

>>> village = Builder("village.example/2026")
>>> village.writer.account("school", unit="IDR")
True
>>> village.commit().height
1
"""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path

from charitychain.chain.genesis import FORMAT_VERSION, Genesis
from charitychain.errors import KeyAccessError
from charitychain.founding import first_block, party_record
from charitychain.index import Head, Index
from charitychain.keyring import HighWaterMark
from charitychain.keys import PrivateKey, key_id
from charitychain.ledger import SELF_ROLES
from charitychain.reading import statement_reader
from charitychain.replay import Replay, raise_fault
from charitychain.sealing import Sealer
from charitychain.state.parties import possession_message
from charitychain.store.frames import make_head
from charitychain.store.memory import MemoryStore
from charitychain.writer import Writer

__all__ = ["START_TIME", "STEP", "Builder", "seeded_key"]

START_TIME = 1_767_225_600
"""2026-01-01T00:00:00Z, when block 0 of every built ledger is sealed."""
STEP = 60
"""Seconds between two blocks."""


def seeded_key(party: str, number: int = 0) -> PrivateKey:
    """Return the key number `number` of a party; the same in every ledger that is built here."""
    return PrivateKey.from_seed(sha256(f"charitychain test key: {party} {number}".encode()).digest())


class Builder:
    """Builds one ledger.

    Args:
        origin: The ledger's name.
        nonce: 32 bytes; with `origin` and the operator's seeded key it fixes the identity.
        version: The format.
    """

    def __init__(self, origin: str, *, nonce: bytes = bytes(32), version: int = FORMAT_VERSION) -> None:
        self.time = START_TIME
        self.keys: dict[bytes, PrivateKey] = {}
        self._made: dict[str, int] = {}
        operator = self.make_key("self")
        self.genesis = Genesis(origin, nonce, operator.public_key, version)
        self.identity = self.genesis.identity()
        proof = operator.sign(possession_message(self.identity, "self", operator.public_key))
        party = party_record("self", SELF_ROLES, operator.public_key, proof, None)
        self.store = MemoryStore(make_head(version))
        scratch = Index(":memory:", statement_reader(self.store), scratch=True)
        try:
            block, data = first_block(self.genesis, party, operator, scratch, self.clock)
        finally:
            scratch.close()
        self.store.append([data])
        index = Index(":memory:", statement_reader(self.store))
        index.begin()
        replay = Replay(index, raise_fault)
        for frame in self.store.scan():
            replay.feed(frame)
        index.commit(replay.head)
        self._folder = tempfile.TemporaryDirectory()
        self._marks: dict[bytes, HighWaterMark] = {}
        self._index = index
        self.core = Sealer(
            self.store, index, self.genesis, replay.log, replay.head, block.header.time, self.key_of, self._mark_of,
            self.clock,
        )  # fmt: skip
        self.writer = Writer(self.core, self.make_key)
        self.time += STEP

    def clock(self) -> float:
        return self.time

    def make_key(self, party: str) -> PrivateKey:
        """Make the next key of a party."""
        number = self._made.get(party, 0)
        self._made[party] = number + 1
        key = seeded_key(party, number)
        self.keys[key.public_key] = key
        return key

    def key_id_of(self, party: str) -> str:
        """Return the id of a party's acting key, as hex."""
        key = self.core.state.party(party).key_at(self.core.state.height)
        assert key is not None
        return key_id(key).hex()

    def key_of(self, public: bytes) -> PrivateKey:
        if public not in self.keys:
            raise KeyAccessError("CC-KEY-MISSING", f"no key {public.hex()} was made here")
        return self.keys[public]

    def _mark_of(self, public: bytes) -> HighWaterMark:
        if public not in self._marks:
            path = Path(self._folder.name) / f"{public.hex()}.mark"
            self._marks[public] = HighWaterMark.open(path, self.identity)
        return self._marks[public]

    def commit(self) -> Head:
        """Seal what was recorded as one block, and let a minute pass."""
        head = self.core.commit()
        self.time += STEP
        return head

    def close(self) -> None:
        """Let go of the scratch files; `data` stays."""
        self.core.close()
        self._index.close()
        for mark in self._marks.values():
            mark.close()
        self._folder.cleanup()

    @property
    def data(self) -> bytes:
        """The bytes of the ledger file, as far as they are sealed."""
        return bytes(self.store.data)
