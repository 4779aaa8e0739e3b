"""Statements: records by one author, signed once.

A statement is a header, signatures over that header, the records, and the gift columns that `gifts` records commit
to; the operator adds the movements that each record made when it seals. One donor signing one gift and a platform
signing 10,000 at once differ only in the number of records.

Rules upheld here:

- A statement's identity is the hash of its header, without signatures: a signer can make many valid signatures of
  one message, so they identify nothing. The sealed leaf commits to the signatures all the same, so that no copy of
  a ledger differs in them under one root.
- The header names its required signers; exactly the author and they have signed, in that order.
- `previous` and `sequence` show a statement that was replayed, dropped, reordered or doubled; ``(seen_size,
  seen_hash)`` ties it to one history of the ledger; after `expiry` (a height) nobody can use it late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, TypeAlias

from charitychain import codec, keys, merkle
from charitychain.errors import MalformedError, VerificationError
from charitychain.records import Record, decode_record, encode_record
from charitychain.sumlog import Tag

__all__ = [
    "MOVES",
    "RECORDS",
    "Moves",
    "SignedStatement",
    "StatementHeader",
    "add_signature",
    "check_records_root",
    "check_signatures",
    "decode_header",
    "make_statement",
    "moves_leaves",
    "prepare_statement",
    "record_hash",
    "sealed_leaf",
    "unpack_statement",
]

RECORDS = merkle.TreeKind("records", Tag.RECORD_LEAF, Tag.RECORD_NODE)
MOVES = merkle.TreeKind("movements of a statement", Tag.MOVES_LEAF, Tag.MOVES_NODE)
STATEMENT_VERSION = 1

Moves: TypeAlias = tuple[tuple[tuple[int, int], ...], ...]
"""For each record of a statement the (account number, movement index) pairs that it made."""


@dataclass(frozen=True, slots=True)
class StatementHeader:
    """What the author signs. Hashes are 32 bytes; `time` is UTC in whole seconds since 1970.

    `seen_size` blocks were sealed when the author looked, and the last of them had the hash `seen_hash` (the ledger's
    identity where the size is 0). The statement may stand in no block higher than `expiry`.
    """

    author: bytes
    sequence: int
    previous: bytes | None
    seen_size: int
    seen_hash: bytes
    time: int
    expiry: int
    count: int
    root: bytes
    signers: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        return codec.encode(
            [
                STATEMENT_VERSION,
                self.author,
                self.sequence,
                self.previous,
                self.seen_size,
                self.seen_hash,
                self.time,
                self.expiry,
                self.count,
                self.root,
                self.signers,
            ]
        )


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement as it stands in a block: the author's bytes, parsed once.

    `signatures` are (key id, 64 bytes) pairs; `columns` are the gift columns, one for each `gifts` record in order.
    `moves` is what the operator adds when it seals: the movements that each record made.
    """

    header_bytes: bytes
    header: StatementHeader
    signatures: tuple[tuple[bytes, bytes], ...]
    record_bytes: tuple[bytes, ...]
    columns: tuple[bytes, ...]
    moves: Moves = ()

    @property
    def id(self) -> bytes:
        return sha256(bytes((Tag.STATEMENT,)) + self.header_bytes).digest()

    def records(self) -> tuple[Record, ...]:
        """Decode every record.

        Raises:
            MalformedError: as `charitychain.records.decode_record`.
        """
        return tuple(map(decode_record, self.record_bytes))

    def wire(self) -> list[Any]:
        """Return the value that a block encodes for this statement."""
        return [self.header_bytes, self.signatures, self.record_bytes, self.columns, self.moves]


def record_hash(data: bytes) -> bytes:
    """Return the leaf hash of a record's bytes in its statement's tree."""
    return sha256(b"\x11" + data).digest()


def _is_hash(value: Any) -> bool:
    return type(value) is bytes and len(value) == 32


def _is_count(value: Any, low: int = 0, high: int = codec.MAX_INT) -> bool:
    return type(value) is int and low <= value <= high


def _is_ref(value: Any) -> bool:
    return type(value) is tuple and len(value) == 2 and all(map(_is_count, value))


def decode_header(data: bytes) -> StatementHeader:
    """Parse a statement header.

    Raises:
        MalformedError: ``CC-STATEMENT`` or ``CC-CANONICAL``.
    """
    value = codec.decode(data, max_depth=2)
    if type(value) is not tuple or len(value) != 11 or value[0] != STATEMENT_VERSION or type(value[0]) is not int:
        raise MalformedError("CC-STATEMENT", "a statement header must be an array of 11 with version 1 first")
    _, author, sequence, previous, seen_size, seen_hash, time, expiry, count, root, signers = value
    good = (
        all(map(_is_hash, (author, seen_hash, root)))
        and (previous is None if sequence == 0 else _is_hash(previous))
        and all(map(_is_count, (sequence, seen_size, time, expiry)))
        and _is_count(count, 1, 2**32 - 1)
        and type(signers) is tuple
        and len(signers) < 64
        and all(map(_is_hash, signers))
        and len({author, *signers}) == 1 + len(signers)
        and list(signers) == sorted(signers)
    )
    if not good:
        raise MalformedError("CC-STATEMENT", "a field of the statement header has the wrong type, length or range")
    return StatementHeader(*value[1:])


def unpack_statement(value: Any) -> SignedStatement:
    """Parse one statement out of a decoded block; records are decoded later, by `SignedStatement.records`.

    Raises:
        MalformedError: ``CC-STATEMENT`` or ``CC-CANONICAL``.
    """
    good = (
        type(value) is tuple
        and len(value) == 5
        and type(value[0]) is bytes
        and all(type(part) is tuple for part in value[1:])
        and all(
            type(pair) is tuple and len(pair) == 2 and _is_hash(pair[0]) and type(pair[1]) is bytes for pair in value[1]
        )
        and all(type(data) is bytes for data in value[2] + value[3])
        and all(type(made) is tuple and all(map(_is_ref, made)) for made in value[4])
    )
    if not good:
        raise MalformedError("CC-STATEMENT", "a statement must be [header, signatures, records, columns, movements]")
    return SignedStatement(value[0], decode_header(value[0]), *value[1:])


def check_signatures(statement: SignedStatement, identity: bytes, key_of: Callable[[bytes], bytes]) -> None:
    """Check that exactly the author and the required signers signed, each with its key.

    Args:
        key_of: Gives the public key (33 bytes) for a key id; raises where the ledger knows none.

    Raises:
        VerificationError: ``CC-SIGNERS`` or ``CC-SIGNATURE``.
    """
    header = statement.header
    wanted = (header.author, *header.signers)
    found = tuple(key for key, _ in statement.signatures)
    if found != wanted:
        raise VerificationError(
            "CC-SIGNERS",
            "exactly the author and the required signers must have signed, in that order",
            expected=[key.hex() for key in wanted],
            found=[key.hex() for key in found],
        )
    message = keys.signed_message("statement", identity, statement.header_bytes)
    for key, signature in statement.signatures:
        keys.verify(key_of(key), message, signature)


def check_records_root(statement: SignedStatement) -> None:
    """Check count and root of the records against the signed header.

    Raises:
        VerificationError: ``CC-RECORDS-ROOT``.
    """
    header = statement.header
    root = merkle.root(RECORDS, [record_hash(data) for data in statement.record_bytes])
    if len(statement.record_bytes) != header.count or root != header.root:
        raise VerificationError(
            "CC-RECORDS-ROOT",
            "the records are not those that the author signed",
            expected=f"{header.count} records, root {header.root.hex()}",
            found=f"{len(statement.record_bytes)} records, root {root.hex()}",
        )


def prepare_statement(
    records: Sequence[Record],
    columns: Sequence[bytes],
    signers: Sequence[bytes],
    *,
    sequence: int,
    previous: bytes | None,
    seen_size: int,
    seen_hash: bytes,
    time: int,
    expiry: int,
) -> SignedStatement:
    """Return `records` as a statement that nobody has signed yet.

    Args:
        signers: Public keys (33 bytes): the author's first, then those of the others who must sign too.
    """
    data = tuple(map(encode_record, records))
    header = StatementHeader(
        author=keys.key_id(signers[0]),
        sequence=sequence,
        previous=previous,
        seen_size=seen_size,
        seen_hash=seen_hash,
        time=time,
        expiry=expiry,
        count=len(data),
        root=merkle.root(RECORDS, [record_hash(item) for item in data]),
        signers=tuple(sorted(map(keys.key_id, signers[1:]))),
    )
    return SignedStatement(header.encode(), header, (), data, tuple(columns))


def add_signature(statement: SignedStatement, key: keys.PrivateKey, identity: bytes) -> SignedStatement:
    """Return the statement with one more signature, in the order of its header.

    Raises:
        ValueError: the header does not name this key.
    """
    wanted = (statement.header.author, *statement.header.signers)
    if keys.key_id(key.public_key) not in wanted:
        raise ValueError("the header names no such signer")
    message = keys.signed_message("statement", identity, statement.header_bytes)
    found = dict(statement.signatures) | {keys.key_id(key.public_key): key.sign(message)}
    return replace(statement, signatures=tuple((key_id, found[key_id]) for key_id in wanted if key_id in found))


def make_statement(
    records: Sequence[Record],
    columns: Sequence[bytes],
    signers: Sequence[keys.PrivateKey],
    identity: bytes,
    **head: Any,
) -> SignedStatement:
    """Sign `records` as one statement; the first signer is the author, the others are required to sign too.

    Args:
        head: Sequence, previous, what was seen, time and expiry, as `prepare_statement` takes them.
    """
    statement = prepare_statement(records, columns, [key.public_key for key in signers], **head)
    for key in signers:
        statement = add_signature(statement, key, identity)
    return statement


def moves_leaves(statement: SignedStatement) -> list[bytes]:
    """Return the leaves over the movements of each record."""
    return [merkle.leaf_hash(MOVES, codec.encode([i, made])) for i, made in enumerate(statement.moves)]


def sealed_leaf(statement: SignedStatement, moves_root: bytes | None = None) -> bytes:
    """Return the leaf that a block commits to: statement identity, signatures, and the movements of each record.

    Args:
        moves_root: The root over the movements, where the statement is not there as a whole.
    """
    signatures = sha256(bytes((Tag.SIGNATURES,)) + codec.encode(statement.signatures)).digest()
    if moves_root is None:
        moves_root = merkle.root(MOVES, moves_leaves(statement))
    content = statement.id + signatures + moves_root
    return sha256(bytes((Tag.SEALED_LEAF,)) + content).digest()
