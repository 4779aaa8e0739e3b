"""Parties: who may act, with which key, from which block on.

Rules upheld here:

- Keys act by position in the ledger, never by time: one that is registered or replaced in block h acts, or stops,
  from block h+1 on. The genesis key acts in block 0.
- Every key came with proof of possession, and no two parties ever share a key.
- A recovery key signs nothing but changes of its own party's keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from charitychain import codec, keys
from charitychain.chain.statements import StatementHeader
from charitychain.sumlog import Tag

__all__ = ["PartyKey", "PartyState", "possession_message", "stolen"]


def possession_message(identity: bytes, party: str, key: bytes) -> bytes:
    """Return what a key signs to prove that its holder has it, for one party of one ledger."""
    return keys.signed_message("possession", identity, codec.encode([party, key]))


@dataclass(frozen=True, slots=True)
class PartyKey:
    """A public key with the heights between which it acts: ``start <= height`` and, where set, ``height < until``.

    What a `compromised` key signed in blocks of that height and above is disputed; it erases nothing.
    """

    key: bytes
    start: int
    until: int | None = None
    compromised: int | None = None

    def acts_at(self, height: int) -> bool:
        return self.start <= height and (self.until is None or height < self.until)


@dataclass(slots=True)
class PartyState:
    """One party while the ledger is replayed or written.

    `sequence` counts its statements, `previous` is the identity of the last one, `seen` the ledger size it saw then.
    `recovery` are its recovery keys, which sign nothing but changes of its keys; `threshold` is how many of its own
    keys must sign what it says.
    """

    number: int
    id: str
    roles: tuple[str, ...]
    title: str | None
    keys: list[PartyKey] = field(default_factory=list)
    sequence: int = 0
    previous: bytes | None = None
    seen: int = 0
    recovery: list[PartyKey] = field(default_factory=list)
    threshold: int = 1
    suspended: bool = False

    def has(self, *roles: str) -> bool:
        return any(role in self.roles for role in roles)

    def key_at(self, height: int) -> bytes | None:
        """Return the newest key that acts at `height`."""
        return next((key.key for key in reversed(self.keys) if key.acts_at(height)), None)

    def keys_at(self, height: int) -> list[bytes]:
        """Return all keys that act at `height`, newest first."""
        return [key.key for key in reversed(self.keys) if key.acts_at(height)]

    def recovery_at(self, height: int) -> bytes | None:
        """Return the recovery key that acts at `height`."""
        return next((key.key for key in reversed(self.recovery) if key.acts_at(height)), None)

    def sealing_keys(self, size: int) -> list[bytes]:
        """Return the operator's keys that may have signed a checkpoint of `size` blocks, newest first.

        A key acts from some block on and until another; a recovery key seals the block in which it replaces another.
        """
        height = max(size - 1, 0)
        recovery = self.recovery_at(height)
        return list(dict.fromkeys([*self.keys_at(height), *([recovery] if recovery is not None else [])]))

    def find_key(self, key_id: bytes) -> PartyKey | None:
        """Return one of its keys, recovery keys too, whether or not it still acts."""
        return next((key for key in (*self.keys, *self.recovery) if keys.key_id(key.key) == key_id), None)

    def end_key(self, key_id: bytes, until: int) -> None:
        self.keys = [
            replace(key, until=until) if keys.key_id(key.key) == key_id and key.until is None else key
            for key in self.keys
        ]

    def mark_compromised(self, key_id: bytes, since: int) -> None:
        self.keys = [replace(key, compromised=since) if keys.key_id(key.key) == key_id else key for key in self.keys]

    def set_recovery(self, key: bytes, start: int) -> None:
        """Replace the recovery key from `start` on."""
        self.recovery = [k if k.until is not None else replace(k, until=start) for k in self.recovery]
        self.recovery.append(PartyKey(key, start))

    def leaf_hash(self) -> bytes:
        """Return this party's leaf under the parties root."""
        return sha256(bytes((Tag.PARTY_LEAF,)) + codec.encode(self.leaf_fields())).digest()

    def leaf_fields(self) -> list[codec.Value]:
        """Return what this party's leaf says."""
        control: list[codec.Value] | None = None
        if self.recovery or self.threshold != 1:
            control = [[[key.key, key.start, key.until] for key in self.recovery], self.threshold]
        listed = [[key.key, key.start, key.until, key.compromised] for key in self.keys]
        suspended = 1 if self.suspended else None
        return [self.number, self.id, self.roles, listed, control, suspended]

    def pack(self) -> bytes:
        listed = [
            [[key.key, key.start, key.until, key.compromised] for key in some] for some in (self.keys, self.recovery)
        ]
        return codec.encode(
            [
                self.number, self.id, self.roles, self.title, *listed, self.sequence, self.previous, self.seen,
                self.threshold, int(self.suspended),
            ]
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: bytes) -> PartyState:
        value: Any = codec.decode(data)
        number, id_, roles, title, listed, recovery, sequence, previous, seen, threshold, suspended = value
        own, spare = ([PartyKey(*key) for key in some] for some in (listed, recovery))
        return cls(number, id_, roles, title, own, sequence, previous, seen, spare, threshold, bool(suspended))


def stolen(
    party_of: Callable[[bytes], PartyState], header: StatementHeader, height: int
) -> tuple[PartyState, int] | None:
    """Return whose key, of those that signed a statement, was compromised at a height, and since when."""
    for key_id in (header.author, *header.signers):
        party = party_of(key_id)
        key = party.find_key(key_id)
        if key is not None and key.compromised is not None and key.compromised <= height:
            return party, key.compromised
    return None
