"""Parties: who may act, with which key, from which block on.

Rules upheld here:

- Keys act by position in the ledger, never by time: one that is registered or replaced in block h acts, or stops,
  from block h+1 on. The genesis key acts in block 0.
- Every key came with proof of possession, and no two parties ever share a key.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from charitychain import codec, keys
from charitychain.sumlog import Tag

__all__ = ["PartyKey", "PartyState", "possession_message"]


def possession_message(identity: bytes, party: str, key: bytes) -> bytes:
    """Return what a key signs to prove that its holder has it, for one party of one ledger."""
    return keys.signed_message("possession", identity, codec.encode([party, key]))


@dataclass(frozen=True, slots=True)
class PartyKey:
    """A public key with the heights between which it acts: ``start <= height`` and, where set, ``height < until``."""

    key: bytes
    start: int
    until: int | None = None

    def acts_at(self, height: int) -> bool:
        return self.start <= height and (self.until is None or height < self.until)


@dataclass(slots=True)
class PartyState:
    """One party while the ledger is replayed or written.

    `sequence` counts its statements, `previous` is the identity of the last one, `seen` the ledger size it saw then.
    """

    number: int
    id: str
    roles: tuple[str, ...]
    title: str | None
    keys: list[PartyKey] = field(default_factory=list)
    sequence: int = 0
    previous: bytes | None = None
    seen: int = 0

    def has(self, *roles: str) -> bool:
        return any(role in self.roles for role in roles)

    def key_at(self, height: int) -> bytes | None:
        """Return the newest key that acts at `height`."""
        return next((key.key for key in reversed(self.keys) if key.acts_at(height)), None)

    def end_key(self, key_id: bytes, until: int) -> None:
        self.keys = [
            replace(key, until=until) if keys.key_id(key.key) == key_id and key.until is None else key
            for key in self.keys
        ]

    def leaf_hash(self) -> bytes:
        """Return this party's leaf under the parties root.

        The nils keep the places of `compromised since` of each key, of the recovery key, and of suspension.
        """
        listed = [[key.key, key.start, key.until, None] for key in self.keys]
        content = codec.encode([self.number, self.id, self.roles, listed, None, None])
        return sha256(bytes((Tag.PARTY_LEAF,)) + content).digest()

    def pack(self) -> bytes:
        listed = [[key.key, key.start, key.until] for key in self.keys]
        return codec.encode(
            [self.number, self.id, self.roles, self.title, listed, self.sequence, self.previous, self.seen]
        )

    @classmethod
    def unpack(cls, data: bytes) -> PartyState:
        value: Any = codec.decode(data)
        number, id_, roles, title, listed, sequence, previous, seen = value
        return cls(number, id_, roles, title, [PartyKey(*key) for key in listed], sequence, previous, seen)
