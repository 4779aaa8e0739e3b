"""One value, one sequence of bytes: strict canonical msgpack, and the rules for text and ids.

Everything that is hashed or signed in a ledger is an array of positional fields in msgpack. msgpack allows many
spellings of one value; a ledger allows one, so that no two copies of it differ in bytes under one meaning. This is the
only module that knows msgpack.

Rules upheld here:

- A value is an int, bytes, str, ``None`` or an array of values. Maps, floats, booleans, extensions and timestamps are
  refused both ways: each has several spellings, or equals something else in Python (``True == 1``).
- Integers lie in −2⁶³ … 2⁶³−1. msgpack reaches 2⁶⁴−1, but other languages' signed 64-bit integers do not.
- What is decoded encodes to the same bytes again. This alone refuses every number, string or array that is written
  longer than it need be.
- Arrays nest no deeper than the caller says. The library's own limit differs between its releases, so it must never
  decide what a valid ledger is.
- Decoding allocates in proportion to the bytes that are there, never to a length that they claim.
- Whatever the library raises, callers see one error, ``CC-CANONICAL``.
- Text is in Unicode normal form C and holds nothing that can hide or reorder what a person reads: no controls, line
  separators, bidirectional controls or surrogates.

Left to others: which fields a record has and what they may hold (`charitychain.records`), how large a block may be
(the store). Callers hash and check the bytes that they received, never an encoding of what they understood.

>>> encode([1, "edu", b"\\x00", None, [2**63 - 1]]).hex()
'9501a3656475c40100c091cf7fffffffffffffff'
>>> decode(bytes.fromhex("9202a3656475"))
(2, 'edu')
>>> decode(bytes.fromhex("92cc02a3656475"))  # the number 2 in two bytes
Traceback (most recent call last):
charitychain.errors.MalformedError: not canonical: the value decodes, but encodes to 6 bytes, not these 7
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NoReturn, TypeAlias

import msgpack  # type: ignore[import-untyped]

from charitychain.errors import MalformedError

__all__ = [
    "MAX_DEPTH",
    "MAX_ID_BYTES",
    "MAX_INT",
    "MAX_TEXT_BYTES",
    "MIN_INT",
    "Value",
    "check_id",
    "check_text",
    "decode",
    "encode",
    "folded",
]

Value: TypeAlias = "int | bytes | str | Sequence[Value] | None"
"""What can be encoded. Decoding gives tuples, never lists."""

MAX_INT = 2**63 - 1
"""The largest integer, and so the largest amount, count, height or position, of any ledger."""

MIN_INT = -(2**63)
"""The smallest integer that can be encoded."""

MAX_DEPTH = 16
"""The deepest nesting of arrays that any caller may ask for; ledgers themselves need 6."""

MAX_TEXT_BYTES = 4096
"""The most bytes of UTF-8 in one text."""

MAX_ID_BYTES = 128
"""The most bytes of UTF-8 in one id."""

_ARRAYS = (tuple, list)

# msgpack-python allocates what an array claims before its elements are read, once per level and 8 bytes an element,
# and gives up only about 1,000 levels down. Above this size the claims are therefore checked first, without building.
_UNCHECKED_BYTES = 1024

_ID_ASCII = re.compile(r"(?!-)[!-.0-~]{1,128}")
# C0, DEL and C1 controls; line and paragraph separator; the bidirectional controls, which reorder what is shown.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def encode(value: Value) -> bytes:
    """Return the one encoding of `value`.

    Raises:
        MalformedError: ``CC-CANONICAL``: an integer outside −2⁶³ … 2⁶³−1, text that is not Unicode (a lone surrogate),
            or a string of 4 GiB.
        TypeError: a bool, float, map or other value that the format does not have: a mistake of our own.
        ValueError: arrays nest deeper than `MAX_DEPTH`.
    """
    if isinstance(value, _ARRAYS):
        _check_encodable(value, MAX_DEPTH)
    else:
        _check_encodable((value,), MAX_DEPTH + 1)
    try:
        packed: bytes = msgpack.packb(value)
    except (ValueError, OverflowError) as error:
        raise MalformedError("CC-CANONICAL", f"cannot be encoded: {_reason(error)}") from error
    return packed


def decode(data: bytes, *, max_depth: int = 6) -> Value:
    """Return the value that `data` encodes, with arrays as tuples.

    Args:
        max_depth: How deep arrays may nest: 0 for a single value, 1 for a flat array.

    Raises:
        MalformedError: ``CC-CANONICAL``: `data` is not the one encoding of an allowed value.
    """
    if not 0 <= max_depth <= MAX_DEPTH:
        raise ValueError(f"max_depth must be 0 to {MAX_DEPTH}, not {max_depth}")
    try:
        if len(data) > _UNCHECKED_BYTES:
            _check_lengths(data)
        value: Any = msgpack.unpackb(
            data, use_list=False, raw=False, strict_map_key=True, ext_hook=_refuse_ext, object_pairs_hook=_refuse_map
        )
        if type(value) is tuple:
            _check_decoded(value, max_depth)
        else:
            _check_decoded((value,), 1)
        packed: bytes = msgpack.packb(value)
    except MalformedError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise MalformedError("CC-CANONICAL", f"not canonical msgpack: {_reason(error)}") from error
    if packed != data:
        raise MalformedError(
            "CC-CANONICAL",
            f"not canonical: the value decodes, but encodes to {len(packed)} bytes, not these {len(data)}",
            expected=packed,
            found=data,
        )
    return value  # type: ignore[no-any-return]


def check_text(text: str, *, what: str) -> str:
    """Check that `text` may stand in a ledger, and return it.

    Normal form C is decided by the Unicode tables of the running Python. Characters assigned later than those tables
    could be judged otherwise by a newer one; for all others Unicode promises that it never changes.

    Args:
        what: What the text is, for the message.

    Raises:
        MalformedError: ``CC-TEXT``: no text, over 4096 bytes of UTF-8, not in normal form C, or holding a control
            character, line separator, bidirectional control or surrogate.
    """
    if type(text) is not str:
        raise MalformedError("CC-TEXT", f"{what}: expected text, found {type(text).__name__}", what=what)
    if text.isascii() and text.isprintable() and len(text) <= MAX_TEXT_BYTES:
        return text
    fault = _text_fault(text)
    if fault:
        raise MalformedError("CC-TEXT", f"{what}: {fault}", what=what)
    return text


def folded(text: str) -> str:
    """Return a text as it is compared where neither case nor the spacing of words tells things apart.

    >>> folded(" Pupils  taught")
    'pupils taught'
    """
    return " ".join(text.split()).casefold()


def check_id(text: str, *, what: str = "id") -> str:
    """Check that `text` may be an id, and return it.

    Upper and lower case differ. An id never starts with ``-``, so that no command takes it for an option, and never
    holds ``/``, which joins a series to a gift's number.

    Raises:
        MalformedError: ``CC-ID``: not 1 to 128 bytes of UTF-8, white space, ``/``, a leading ``-``, or anything that
            `check_text` refuses.
    """
    if type(text) is not str:
        raise MalformedError("CC-ID", f"{what}: expected text, found {type(text).__name__}", what=what)
    if _ID_ASCII.fullmatch(text):
        return text
    fault = _text_fault(text) or _id_fault(text)
    if fault:
        raise MalformedError("CC-ID", f"{what} {text[:40]!a}: {fault}", what=what)
    return text


def _text_fault(text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        return f"holds a lone surrogate at character {error.start}; write the text as UTF-8"
    if size > MAX_TEXT_BYTES:
        return f"at most {MAX_TEXT_BYTES} bytes of UTF-8 are allowed, found {size}"
    found = _FORBIDDEN.search(text)
    if found:
        return f"character {found.start()} is U+{ord(found.group()):04X}, a control character; remove it"
    if not unicodedata.is_normalized("NFC", text):
        return "not in Unicode normal form C; normalise it first"
    return ""


def _id_fault(text: str) -> str:
    size = len(text.encode())
    if not 1 <= size <= MAX_ID_BYTES:
        return f"1 to {MAX_ID_BYTES} bytes of UTF-8 are allowed, found {size}"
    if text[0] == "-":
        return "must not start with '-'"
    if "/" in text:
        return "must not hold '/'"
    if any(character.isspace() for character in text):
        return "must not hold white space"
    return ""


def _check_encodable(items: Sequence[Any], depth: int) -> None:
    if depth < 1:
        raise ValueError(f"arrays nest deeper than {MAX_DEPTH}")
    for item in items:
        kind = type(item)
        if item is None or kind is bytes or kind is str:
            continue
        if kind is not int and isinstance(item, _ARRAYS):  # a named tuple is packed as the array that it is
            _check_encodable(item, depth - 1)
        elif kind is int or (isinstance(item, int) and kind is not bool):  # an IntEnum is packed as its number
            if not MIN_INT <= item <= MAX_INT:
                raise MalformedError(
                    "CC-CANONICAL", f"an integer of {item.bit_length()} bits does not fit 64 with a sign"
                )
        else:
            raise TypeError(f"the ledger format has no {kind.__name__}")


def _check_decoded(items: tuple[Any, ...], depth: int) -> None:
    if depth < 1:
        raise MalformedError("CC-CANONICAL", "arrays nest deeper than is allowed here")
    for item in items:
        kind = type(item)
        if item is None or kind is bytes or kind is str:
            continue
        if kind is tuple:
            _check_decoded(item, depth - 1)
        elif kind is int:
            if item > MAX_INT:  # msgpack's smallest is MIN_INT
                raise MalformedError("CC-CANONICAL", f"integer {item} is larger than 2**63 - 1", found=item)
        else:  # bool, float, and timestamps, for which ext_hook is not called
            raise MalformedError("CC-CANONICAL", f"a {kind.__name__} is not allowed", found=kind.__name__)


def _check_lengths(data: bytes) -> None:
    unpacker = msgpack.Unpacker(max_buffer_size=len(data))
    unpacker.feed(data)
    unpacker.skip()  # walks the whole value and builds nothing; raises when a claimed length is not there


def _refuse_ext(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code} is not allowed")


def _refuse_map(pairs: Any) -> NoReturn:
    raise ValueError("a map is not allowed")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
