"""Blocks: statements in the order in which the operator sealed them, hash-linked and sealed.

A block header has 158 bytes of fixed width. The RFC 6962 leaf hash of those bytes is the block hash, and the seal is
a C2SP signed-note checkpoint over the RFC 6962 log of all headers up to this one: one signature both seals the block
and commits to the whole past, and any transparency-log client can read it.

Rules upheld here:

- Block 0 holds the genesis record, and its previous hash is the ledger's identity.
- A block's bytes are canonical msgpack ``[header, genesis or nil, statements, seal]``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from charitychain import codec, keys, merkle, note
from charitychain.chain.genesis import VERSIONS, Genesis, decode_genesis
from charitychain.chain.statements import SignedStatement, sealed_leaf, unpack_statement
from charitychain.errors import MalformedError, VerificationError
from charitychain.sumlog import Tag

__all__ = [
    "SEALED",
    "Block",
    "BlockHeader",
    "check_seal",
    "decode_block",
    "decode_header",
    "encode_block",
    "make_seal",
    "peek_header",
    "statements_root",
]

SEALED = merkle.TreeKind("sealed statements", Tag.SEALED_LEAF, Tag.SEALED_NODE)
_HEADER = struct.Struct(">HQQ32sI32sI32sI32s")
HEADER_SIZE = _HEADER.size


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """Height, UTC seconds, previous block hash, (count, root) of statements, accounts and parties; format version."""

    height: int
    time: int
    previous: bytes
    statements: tuple[int, bytes]
    accounts: tuple[int, bytes]
    parties: tuple[int, bytes]
    version: int

    def encode(self) -> bytes:
        """Return the 158 bytes that are this block's leaf in the log."""
        return _HEADER.pack(
            self.version, self.height, self.time, self.previous, *self.statements, *self.accounts, *self.parties
        )

    def hash(self) -> bytes:
        """Return the block hash: the RFC 6962 leaf hash of the header's bytes."""
        return merkle.leaf_hash(merkle.RFC6962, self.encode())


def decode_header(data: bytes) -> BlockHeader:
    """Parse a block header.

    Raises:
        MalformedError: ``CC-HEADER``: another length, version, or a number out of range.
    """
    if len(data) != HEADER_SIZE:
        raise MalformedError("CC-HEADER", f"a block header has {HEADER_SIZE} bytes, found {len(data)}")
    version, height, time, previous, *pairs = _HEADER.unpack(data)
    if version not in VERSIONS:
        raise MalformedError("CC-HEADER", f"block version {version} is not known to this release")
    if max(height, time) > codec.MAX_INT:
        raise MalformedError("CC-HEADER", "height and time of a block must stay below 2^63")
    statements, accounts, parties = zip(pairs[::2], pairs[1::2], strict=True)
    return BlockHeader(height, time, previous, statements, accounts, parties, version)


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it rests in a store. `seal` is the whole signed note."""

    header: BlockHeader
    genesis: Genesis | None
    statements: tuple[SignedStatement, ...]
    seal: bytes


def encode_block(block: Block) -> bytes:
    """Return the block's canonical bytes; the inverse of `decode_block`."""
    genesis = block.genesis.encode() if block.genesis else None
    statements = [statement.wire() for statement in block.statements]
    return codec.encode([block.header.encode(), genesis, statements, block.seal])


def peek_header(data: bytes) -> BlockHeader | None:
    """Return the header at the start of a block's bytes, whatever the rest is; for naming damaged blocks."""
    if len(data) < 3 + HEADER_SIZE or data[:3] != bytes((0x94, 0xC4, HEADER_SIZE)):
        return None
    try:
        return decode_header(data[3 : 3 + HEADER_SIZE])
    except MalformedError:
        return None


def decode_block(data: bytes) -> Block:
    """Parse a block from its bytes.

    Raises:
        MalformedError: not canonical, or a part has not the form it must have.
    """
    value: Any = codec.decode(data, max_depth=6)
    if type(value) is not tuple or len(value) != 4 or type(value[0]) is not bytes or type(value[3]) is not bytes:
        raise MalformedError("CC-BLOCK", "a block must be [header, genesis or nil, statements, seal]")
    header = decode_header(value[0])
    if (header.height == 0) != (type(value[1]) is bytes) or not (value[1] is None or type(value[1]) is bytes):
        raise MalformedError("CC-BLOCK", "block 0, and it alone, must hold the genesis record")
    if type(value[2]) is not tuple:
        raise MalformedError("CC-BLOCK", "a block must hold an array of statements")
    genesis = decode_genesis(value[1]) if value[1] is not None else None
    return Block(header, genesis, tuple(map(unpack_statement, value[2])), value[3])


def statements_root(statements: Sequence[SignedStatement]) -> tuple[int, bytes]:
    """Return count and root over the sealed leaves of statements, as a header holds them."""
    return len(statements), merkle.root(SEALED, list(map(sealed_leaf, statements)))


def make_seal(origin: str, size: int, root: bytes, key: keys.PrivateKey) -> bytes:
    """Sign the checkpoint of a log of `size` headers: the seal of block ``size - 1``."""
    return note.sign_checkpoint(note.Checkpoint(origin, size, root, ()), key)


def check_seal(seal: bytes, origin: str, size: int, root: bytes, public_keys: Sequence[bytes]) -> None:
    """Check that `seal` is the operator's checkpoint of exactly this log, signed by one of its keys.

    Ed25519 signing is deterministic, yet a signer can make other valid signatures; what is fixed is the text, the key
    name and that there is one signature line.

    Raises:
        MalformedError: ``CC-NOTE``: no signed note.
        VerificationError: ``CC-SEAL``: another text, another key, or a bad signature.
    """
    text = note.format_checkpoint(note.Checkpoint(origin, size, root, ()))
    opened = note.open_note(seal, note.verifier_keys(origin, public_keys))
    if opened.text != text or seal.count(b"\n\xe2\x80\x94 ") != 1:
        raise VerificationError(
            "CC-SEAL",
            "the seal is no checkpoint of the log up to this block",
            expected=text,
            found=opened.text,
        )
