"""Genesis: the record that names a ledger for ever.

The genesis record holds the origin, a nonce and the operator's first key. Nobody signs it; its hash is the ledger's
*identity*, which every signature in the ledger binds. Keys may rotate, the identity stays.

A ledger that goes on from an older one, as the next year's does, names it here, with the last blocks that it had then:
so whoever trusts the new ledger's identity knows which past it claims.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from charitychain import codec, keys
from charitychain.errors import MalformedError
from charitychain.sumlog import Tag

__all__ = ["FORMAT_VERSION", "VERSIONS", "Genesis", "Predecessor", "check_origin", "decode_genesis"]

FORMAT_VERSION = 2
"""The format of ledgers that this release makes."""

VERSIONS = (1, 2)
"""The formats that it reads and writes; a ledger keeps the one that its genesis record names."""

# A C2SP key name has no white space and no "+"; "—" starts a signature line. ASCII keeps look-alikes out.
_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/~-]{0,126}[A-Za-z0-9]|[A-Za-z0-9]")


def check_origin(origin: str) -> str:
    """Check a ledger's origin, such as ``relief.example/2026``: 1 to 128 ASCII letters, digits and ``._:/~-``.

    Raises:
        MalformedError: ``CC-ORIGIN``.
    """
    if not _ORIGIN.fullmatch(origin):
        raise MalformedError(
            "CC-ORIGIN",
            f"origin {origin!r:.140} must be 1 to 128 of letters, digits and ._:/~- and begin and end with a letter or"
            " digit, such as relief.example/2026",
        )
    return origin


class Predecessor(NamedTuple):
    """The ledger that another one goes on from: its identity, and size and root of its log as that one was made."""

    identity: bytes
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Genesis:
    """Origin, a nonce of 32 bytes, random as a rule, the operator's first key (33 bytes), and the format's version.

    `predecessor` is the ledger that this one goes on from, in format 2.
    """

    origin: str
    nonce: bytes
    key: bytes
    version: int = FORMAT_VERSION
    predecessor: Predecessor | None = None

    def encode(self) -> bytes:
        last = [self.predecessor] if self.predecessor is not None else []
        return codec.encode([0, self.version, self.origin, self.nonce, self.key, *last])

    def identity(self) -> bytes:
        """Return the ledger's identity, 32 bytes."""
        return sha256(bytes((Tag.IDENTITY,)) + self.encode()).digest()


def decode_genesis(data: bytes) -> Genesis:
    """Parse a genesis record.

    Raises:
        MalformedError: ``CC-GENESIS``, ``CC-CANONICAL``, ``CC-ORIGIN`` or ``CC-KEY``.
    """
    match codec.decode(data, max_depth=2):
        case (0, int(version), str(origin), bytes(nonce), bytes(key), *last) if version in VERSIONS:
            predecessor = _predecessor(last) if last and version > 1 else None
            if len(nonce) == 32 and bool(last) == (predecessor is not None):
                check_origin(origin)
                keys.check_public_key(key)
                return Genesis(origin, nonce, key, version, predecessor)
    raise MalformedError(
        "CC-GENESIS",
        "the genesis record must be [0, version 1 or 2, origin, 32-byte nonce, 33-byte key], and in version 2 may end"
        " with [32-byte identity, size, 32-byte root] of the ledger that it goes on from",
    )


def _predecessor(last: Sequence[object]) -> Predecessor | None:
    match last:
        case [(bytes(identity), int(size), bytes(root))] if len(identity) == len(root) == 32 and size > 0:
            return Predecessor(identity, size, root)
    return None
