"""Armour: bytes as text that survives e-mail, between two lines that say what it is.

    -----BEGIN CHARITYCHAIN PROMISE-----
    AAECAwQF
    =F+iNsYev
    -----END CHARITYCHAIN PROMISE-----

Between the markers stands base64 (RFC 4648, section 4), 64 characters a line, then one line with ``=`` and the base64
of the first six bytes of SHA-256 over the data.

Rules upheld here:

- What unwraps gives the very bytes that were wrapped, or an error: the checksum sees what mail mangled.
- Mail may change line ends, break lines anew, add blanks, empty lines and ``>`` before them; nothing else is repaired.
- What stands outside the markers is for people and never read. Of one kind there is one block, else neither counts.
- At most `MAX_ARMOUR_BYTES` are read.

The checksum is no protection from people: whatever is wrapped is signed, or checked in some other way, by its own
rules. A head for people above the block is the caller's, who indents its lines so that none passes for a marker.

>>> print(wrap("PROMISE", bytes(range(6))), end="")
-----BEGIN CHARITYCHAIN PROMISE-----
AAECAwQF
=F+iNsYev
-----END CHARITYCHAIN PROMISE-----
>>> unwrap("> " + wrap("PROMISE", bytes(range(6))).replace("\\n", "  \\r\\n> "), "PROMISE")
b'\\x00\\x01\\x02\\x03\\x04\\x05'
"""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha256

from charitychain.errors import MalformedError

__all__ = ["MAX_ARMOUR_BYTES", "unwrap", "wrap"]

MAX_ARMOUR_BYTES = 32 * 1024 * 1024
"""The longest text that is read or made."""

_KIND = re.compile(r"[A-Z]{1,20}(?: [A-Z]{1,20}){0,2}")
_BEGIN = re.compile(rb"-----BEGIN CHARITYCHAIN ([A-Z ]{1,62})-----")
_LINE = 64
_CHECK_BYTES = 6  # 8 characters of base64, so the line needs no padding


def wrap(kind: str, data: bytes) -> str:
    """Return `data` as armoured text that ends in a newline.

    Args:
        kind: What it is, such as ``PROMISE``: one to three words of capitals.

    Raises:
        MalformedError: ``CC-ARMOUR``: the text would be longer than `MAX_ARMOUR_BYTES`.
    """
    begin, end = _markers(kind)
    block = base64.b64encode(data)
    lines = [block[at : at + _LINE] for at in range(0, len(block), _LINE)]
    text = b"\n".join([begin, *lines, _checksum(data), end, b""])
    if len(text) > MAX_ARMOUR_BYTES:
        raise _malformed(kind, f"{len(data)} bytes are too many for text of at most {MAX_ARMOUR_BYTES}")
    return text.decode("ascii")


def unwrap(text: str | bytes, kind: str) -> bytes:
    """Return the bytes that `wrap` was given; of another kind, or mangled beyond what mail does, none.

    Raises:
        MalformedError: ``CC-ARMOUR``.
    """
    begin, end = _markers(kind)
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if len(raw) > MAX_ARMOUR_BYTES:
        raise _malformed(kind, f"the text is longer than {MAX_ARMOUR_BYTES} bytes")
    # No line of ours begins with what is stripped here, so stripping cannot make another block of it.
    lines = [line.lstrip(b"> \t").rstrip() for line in raw.removeprefix(b"\xef\xbb\xbf").splitlines()]
    if lines.count(begin) != 1 or lines.count(end) != 1 or lines.index(begin) > lines.index(end):
        others = sorted({found[1].decode() for line in lines if (found := _BEGIN.fullmatch(line))} - {kind})
        hint = f"; what stands there is a {' and a '.join(others[:3]).lower()}" if others else ""
        raise _malformed(kind, f"it must have one line {begin.decode()} and then one line {end.decode()}{hint}")
    body = [line for line in lines[lines.index(begin) + 1 : lines.index(end)] if line]
    if not body:
        raise _malformed(kind, "nothing stands between its markers")
    *block, checksum = body
    joined = b"".join(block)
    try:
        data = base64.b64decode(joined, validate=True)
    except binascii.Error as error:
        raise _malformed(kind, f"its base64 is broken: {error}") from error
    if base64.b64encode(data) != joined:
        raise _malformed(kind, "its base64 is not the one encoding of its bytes")
    if checksum != _checksum(data):
        raise _malformed(kind, "its checksum is that of other bytes")
    return data


def _markers(kind: str) -> tuple[bytes, bytes]:
    if not _KIND.fullmatch(kind):
        raise ValueError(f"a kind is one to three words of capitals, not {kind!r}")
    return f"-----BEGIN CHARITYCHAIN {kind}-----".encode(), f"-----END CHARITYCHAIN {kind}-----".encode()


def _checksum(data: bytes) -> bytes:
    return b"=" + base64.b64encode(sha256(data).digest()[:_CHECK_BYTES])


def _malformed(kind: str, why: str) -> MalformedError:
    return MalformedError(
        "CC-ARMOUR", f"this is no armoured {kind.lower()}: {why}; ask for it again, as an attachment", kind=kind
    )
