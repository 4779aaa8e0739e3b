"""The bytes of a receipt: a file's frame, the parts inside, and what they may hold.

A file is a magic of 8 bytes, canonical msgpack compressed by zlib, and the SHA-256 of all that. The checksum shows
damage, nothing more: what a receipt proves is in its parts. The layout is told field by field in
``docs/reference/receipt.md``.

Rules upheld here:

- Every part has its one type; lists that name leaves of a tree rise strictly; nothing is skipped.
- A receipt has at most `MAX_BYTES`, compressed or not, so that no file can hang its reader.
- Nothing is believed here: proofs are checked by `charitychain.receipts.shown`.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

from charitychain import codec
from charitychain.errors import MalformedError, UnreadableError, VerificationError
from charitychain.records import Place

__all__ = [
    "MAX_BYTES", "AccountShown", "BlockShown", "GiftShown", "IdShown", "LinkShown", "MovementShown", "Receipt",
    "StatementShown", "TapeShown", "body_of", "decode_receipt", "encode_receipt", "frame",
]  # fmt: skip

MAGIC = b"\x89CCRCPT\n"
VERSION = 1
MAX_BYTES = 16 * 1024 * 1024
"""The most bytes of a receipt that are read."""

Hashes: TypeAlias = tuple[bytes, ...]
Fields: TypeAlias = tuple[Any, ...]


class StatementShown(NamedTuple):
    """A statement: its number in its block, header and signatures; records with their movements; and both proofs."""

    number: int
    header: bytes
    signatures: tuple[tuple[bytes, bytes], ...]
    records: tuple[tuple[int, bytes, tuple[tuple[int, int], ...]], ...]
    records_proof: Hashes
    moves_proof: Hashes


class BlockShown(NamedTuple):
    """A block header of 158 bytes, the statements that are shown of it, and their proof."""

    header: bytes
    statements: tuple[StatementShown, ...]
    proof: Hashes


class MovementShown(NamedTuple):
    """A movement: its index in its log, what its leaf says, and the runs that it took instead of their root."""

    number: int
    kind: int
    place: Place
    amount: int
    source: tuple[int, int] | None
    second: tuple[int, int] | None
    conversion: tuple[int, int] | None
    previous: int | None
    gifts: tuple[int, bytes] | None
    named: int
    takes: tuple[tuple[int, int], ...]
    target: tuple[int, int] | None
    parts: tuple[tuple[int, int, int], ...]


class TapeShown(NamedTuple):
    """Movements of an account, the proof in its log (each node as 11 fields), and nodes of its two tries."""

    movements: tuple[MovementShown, ...]
    proof: tuple[Fields, ...]
    holes: Hashes
    reversed: Hashes


class AccountShown(NamedTuple):
    """The summary of an account, 17 fields, and what is shown of its tape."""

    summary: Fields
    tape: TapeShown


class GiftShown(NamedTuple):
    """A gift as a part of an inflow: of a batch the run of columns that holds it; and the proof, spans of 4 fields."""

    id: str
    place: Place
    account: int
    movement: int
    run: tuple[int, bytes] | None
    proof: tuple[Fields, ...]


class IdShown(NamedTuple):
    """Where the record of an id stands, and the movement that is its own."""

    id: str
    place: Place
    account: int | None
    movement: int | None


class LinkShown(NamedTuple):
    """Where records stand that say a kind of thing about an id."""

    about: str
    kind: int
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The parts of a receipt; see the reference page for the meaning of each.

    Attributes:
        gift: The gift that it is of, or nothing in a statement of account.
        account: The account that it is of, or nothing.
        part: First and end unit of the gift that are followed, and the number and count of pages; or nothing: all.
        stops: Inflows behind which nothing is followed.
        genesis: The genesis record's bytes.
        note: The checkpoint, with all its signature lines.
        log_proof: The multiproof of the blocks' hashes in the log.
        consistency: For receipts brought up to date: (the note before, consistency proof), oldest first.
        computed: Where not all of it is proved, what its maker says became of the whole gift: JSON ``{"ends": […]}``.
        others: Receipts by which the way goes on in other ledgers, each with the proof that the checkpoint which its
            record names is the beginning of this one's log.
    """

    gift: str | None
    account: int | None
    part: tuple[int, int, int, int] | None
    stops: tuple[tuple[int, int], ...]
    genesis: bytes
    note: bytes
    blocks: tuple[BlockShown, ...]
    log_proof: Hashes
    accounts: tuple[AccountShown, ...]
    accounts_proof: Hashes
    parties: tuple[Fields, ...]
    parties_proof: Hashes
    gifts: tuple[GiftShown, ...] = ()
    ids: tuple[IdShown, ...] = ()
    links: tuple[LinkShown, ...] = ()
    consistency: tuple[tuple[bytes, Hashes], ...] = ()
    computed: bytes | None = field(default=None, repr=False)
    others: tuple[tuple[bytes, Hashes], ...] = ()

    def parts(self) -> list[Any]:
        """Return the fields in the order in which they are encoded."""
        return [VERSION, *(getattr(self, each.name) for each in fields(self))]


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the bytes of a receipt's file."""
    return frame(codec.encode(receipt.parts()))


def frame(body: bytes) -> bytes:
    """Return the file around the msgpack of a receipt."""
    data = MAGIC + zlib.compress(body, 9)
    return data + sha256(data).digest()


def body_of(data: bytes, name: str = "receipt") -> bytes:
    """Return the msgpack in a receipt's file: the inverse of `frame`.

    Raises:
        UnreadableError: ``CC-RECEIPT``: it is no receipt, or too large.
        VerificationError: ``CC-RECEIPT``: it was damaged.
    """
    if len(data) > MAX_BYTES or len(data) < len(MAGIC) + 33 or not data.startswith(MAGIC):
        raise UnreadableError("CC-RECEIPT", f"{name} is no receipt, or has more than {MAX_BYTES} bytes")
    packed, told = data[len(MAGIC) : -32], data[-32:]
    if sha256(data[:-32]).digest() != told:
        raise VerificationError("CC-RECEIPT", f"{name} was damaged: its bytes do not fit its checksum; get it again")
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(packed, MAX_BYTES)
    except zlib.error as error:
        raise VerificationError("CC-RECEIPT", f"{name} cannot be decompressed: {error}") from error
    if not stream.eof or stream.unused_data:
        raise VerificationError("CC-RECEIPT", f"{name} does not end where it says, or has more than {MAX_BYTES} bytes")
    return body


def decode_receipt(data: bytes, name: str = "receipt") -> Receipt:
    """Parse a receipt's file; nothing of it is believed yet.

    Args:
        name: What to call it in errors.

    Raises:
        UnreadableError: ``CC-RECEIPT``: it is no receipt, of a later version, or too large.
        VerificationError: ``CC-RECEIPT``: it was damaged, or a part is not of its type.
    """
    body = body_of(data, name)
    try:
        value = codec.decode(body, max_depth=10)
        if type(value) is not tuple or not value or type(value[0]) is not int:
            raise _Misfit("not an array that begins with a version")
        if value[0] != VERSION:
            raise UnreadableError("CC-RECEIPT", f"{name} has version {value[0]}, which this release does not know")
        return Receipt(*_RECEIPT(value[1:]))
    except (_Misfit, MalformedError) as error:
        raise VerificationError("CC-RECEIPT", f"{name} does not hold what a receipt holds: {error}") from error


# ------------------------------------------------------------------------------------------------- shapes


class _Misfit(ValueError):
    """A part that is not of its type."""


Shape: TypeAlias = Callable[[Any], Any]


def _int(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise _Misfit("a number from 0 on stands elsewhere than here")
    return value


def _bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        raise _Misfit("a part that must be bytes is none")
    return value


def _hash(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != 32:
        raise _Misfit("a hash must have 32 bytes")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _Misfit("a part that must be text is none")
    return value


def _any(value: Any) -> Any:
    return value


def _maybe(shape: Shape) -> Shape:
    return lambda value: None if value is None else shape(value)


def _list(shape: Shape) -> Shape:
    def check(value: Any) -> tuple[Any, ...]:
        if type(value) is not tuple:
            raise _Misfit("a part that must be a list is none")
        return tuple(map(shape, value))

    return check


def _rising(shape: Shape, key: Callable[[Any], Any]) -> Shape:
    """A list whose members rise strictly, so that there is one way to write a set of leaves."""
    listed = _list(shape)

    def check(value: Any) -> tuple[Any, ...]:
        found: tuple[Any, ...] = listed(value)
        keys = list(map(key, found))
        if any(not low < high for low, high in itertools.pairwise(keys)):
            raise _Misfit("a list is not in rising order")
        return found

    return check


def _row(*shapes: Shape, make: Callable[..., Any] | None = None) -> Shape:
    def check(value: Any) -> Any:
        if type(value) is not tuple or len(value) != len(shapes):
            raise _Misfit(f"a row of {len(shapes)} fields is none")
        fields = [shape(part) for shape, part in zip(shapes, value, strict=True)]
        return make(*fields) if make is not None else tuple(fields)

    return check


def _first(row: Sequence[Any]) -> Any:
    return row[0]


_REF = _row(_int, _int)
_PLACE = _row(_int, _int, _int, make=Place)
_HASHES = _list(_hash)
_LOG_NODE = _row(_hash, *[_int] * 10)
_SPAN = _row(_hash, _int, _int, _int)
_RECORD = _row(_int, _bytes, _list(_REF))
_STATEMENT = _row(
    _int, _bytes, _list(_row(_hash, _bytes)), _rising(_RECORD, _first), _HASHES, _HASHES, make=StatementShown
)
_BLOCK = _row(_bytes, _rising(_STATEMENT, _first), _HASHES, make=BlockShown)
_MOVEMENT = _row(
    _int, _int, _PLACE, _int, _maybe(_REF), _maybe(_REF), _maybe(_REF), _maybe(_int), _maybe(_row(_int, _hash)), _int,
    _list(_REF), _maybe(_REF), _list(_row(_int, _int, _int)), make=MovementShown,
)  # fmt: skip
_TAPE = _row(_rising(_MOVEMENT, _first), _list(_LOG_NODE), _list(_bytes), _list(_bytes), make=TapeShown)
_SUMMARY = _row(
    _int, _text, _hash, _text, _text, _int, _int, _int, _hash, _int, _int, _int, _int, _hash, _int, _hash, _int
)
_ACCOUNT = _row(_SUMMARY, _TAPE, make=AccountShown)
_KEYS = _list(_row(_bytes, _int, _maybe(_int), _maybe(_int)))
_CONTROL = _row(_list(_row(_bytes, _int, _maybe(_int))), _int)
_PARTY = _row(_int, _text, _list(_text), _KEYS, _maybe(_CONTROL), _maybe(_int))
_GIFT = _row(_text, _PLACE, _int, _int, _maybe(_row(_int, _bytes)), _list(_SPAN), make=GiftShown)
_ID = _row(_text, _PLACE, _maybe(_int), _maybe(_int), make=IdShown)
_LINK = _row(_text, _int, _rising(_PLACE, _any), make=LinkShown)
_RECEIPT = _row(
    _maybe(_text),
    _maybe(_int),
    _maybe(_row(_int, _int, _int, _int)),
    _rising(_REF, _any),
    _bytes,
    _bytes,
    _list(_BLOCK),
    _HASHES,
    _rising(_ACCOUNT, lambda row: row.summary[0]),
    _HASHES,
    _rising(_PARTY, _first),
    _HASHES,
    _rising(_GIFT, _first),
    _rising(_ID, _first),
    _rising(_LINK, lambda row: row[:2]),
    _list(_row(_bytes, _HASHES)),
    _maybe(_bytes),
    _list(_row(_bytes, _HASHES)),
)
