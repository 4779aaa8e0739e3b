"""C2SP signed notes and checkpoints: text that a person can read and a program can check.

A note is text that ends in a newline, an empty line, and signature lines (c2sp.org/signed-note):

    relief.example/2026
    42
    iV0…=

    — relief.example/2026 Az3grl…=

A checkpoint (c2sp.org/tlog-checkpoint) is a note whose text is origin, tree size and base64 root: it is the seal of
every block, and any transparency-log client reads it.

Rules upheld here:

- What has not exactly the form is refused, never repaired.
- An unknown (name, key id) pair is skipped; a known one that fails refuses the whole note; one key counts once.
- Nothing of the text is returned before a signature verified.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from charitychain import keys
from charitychain.codec import MAX_INT
from charitychain.errors import MalformedError, VerificationError

__all__ = [
    "Checkpoint",
    "Note",
    "NoteSignature",
    "OpenedNote",
    "VerifierKey",
    "format_checkpoint",
    "format_note",
    "key_hash",
    "open_note",
    "parse_checkpoint",
    "parse_note",
    "parse_vkey",
    "sign_checkpoint",
    "sign_note",
    "vkey",
]

MAX_NOTE = 64 * 1024
MAX_SIGNATURES = 100
_DASH = "— "


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: key name, key id (4 bytes), and the signature bytes."""

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; its text is not verified."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key (33 bytes) with its key id (4 bytes)."""

    name: str
    public_key: bytes
    key_hash: bytes


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A verified note: its text, the keys that verified, and how many signatures nobody here knows."""

    text: str
    verified: tuple[VerifierKey, ...]
    unverified: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's origin, its size in leaves, and its RFC 6962 root (32 bytes)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def _bad(why: str) -> MalformedError:
    return MalformedError("CC-NOTE", f"no signed note: {why}")


def _base64(text: str, what: str) -> bytes:
    """Decode base64 that is spelt in the one canonical way."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad(f"{what} is no base64") from error
    if base64.b64encode(data).decode() != text:
        raise _bad(f"{what} is not base64 in its canonical form")
    return data


def _check_name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise _bad("a key name must not be empty or hold white space or '+'")
    return name


def key_hash(name: str, public_key: bytes) -> bytes:
    """Return the key id of a named key: the first 4 bytes of SHA-256(name, newline, algorithm byte, key)."""
    return sha256(name.encode() + b"\n" + public_key).digest()[:4]


def vkey(name: str, public_key: bytes) -> str:
    """Return the verifier key's text: ``name+key id in hex+base64 of algorithm byte and key``."""
    return f"{_check_name(name)}+{key_hash(name, public_key).hex()}+{base64.b64encode(public_key).decode()}"


def parse_vkey(text: str) -> VerifierKey:
    """Parse a verifier key.

    Raises:
        MalformedError: ``CC-NOTE``, or ``CC-KEY`` for a key that is refused.
    """
    # Base64 may hold "+", so only the first two count.
    parts = text.split("+", 2)
    if len(parts) != 3 or not re.fullmatch("[0-9a-f]{8}", parts[1], re.ASCII):
        raise _bad("a verifier key is NAME+8 hex digits+base64")
    name, public_key = _check_name(parts[0]), _base64(parts[2], "the key")
    keys.check_public_key(public_key)
    if key_hash(name, public_key).hex() != parts[1]:
        raise _bad("the key id of the verifier key does not fit its name and key")
    return VerifierKey(name, public_key, bytes.fromhex(parts[1]))


def parse_note(data: bytes) -> Note:
    """Parse a note's form; nothing is verified.

    Raises:
        MalformedError: ``CC-NOTE``.
    """
    if len(data) > MAX_NOTE:
        raise _bad(f"it is longer than {MAX_NOTE} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad("it is no UTF-8") from error
    if any(c < " " and c != "\n" for c in whole):
        raise _bad("it holds a control character")
    at = whole.rfind("\n\n")
    if at < 0 or not whole.endswith("\n"):
        raise _bad("text and signatures must be parted by an empty line and end in a newline")
    text, lines = whole[: at + 1], whole[at + 2 : -1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _bad(f"it has more than {MAX_SIGNATURES} signatures")
    return Note(text, tuple(map(_parse_signature, lines)))


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise _bad("a signature line is '— NAME BASE64'")
    data = _base64(encoded, "a signature")
    if len(data) < 5:
        raise _bad("a signature is shorter than 5 bytes")
    return NoteSignature(_check_name(name), data[:4], data[4:])


def format_note(note: Note) -> bytes:
    """Return a note's bytes; the inverse of `parse_note`."""
    lines = (
        f"{_DASH}{s.name} {base64.b64encode(s.key_hash + s.signature).decode()}\n" for s in note.signatures
    )
    return (note.text + "\n" + "".join(lines)).encode()


def open_note(data: bytes, known: Sequence[VerifierKey]) -> OpenedNote:
    """Verify a note by known keys and return its text.

    Raises:
        MalformedError: ``CC-NOTE``: its form, or two known keys with one name and key id.
        VerificationError: ``CC-SEAL``: a known key's signature fails, or no known key signed.
    """
    by_name = {(key.name, key.key_hash): key for key in known}
    if len(by_name) != len(known):
        raise MalformedError("CC-NOTE", "two known keys have one name and key id")
    note = parse_note(data)
    verified: dict[tuple[str, bytes], VerifierKey] = {}
    unknown: set[NoteSignature] = set()
    for line in note.signatures:
        key = by_name.get((line.name, line.key_hash))
        if key is None:
            unknown.add(line)
        elif (line.name, line.key_hash) not in verified:
            if not keys.is_valid(key.public_key, note.text.encode(), line.signature):
                raise VerificationError("CC-SEAL", f"the note's signature by {line.name} does not verify", name=line.name)
            verified[line.name, line.key_hash] = key
    if not verified:
        raise VerificationError("CC-SEAL", "no known key signed the note", known=[key.name for key in known])
    return OpenedNote(note.text, tuple(verified.values()), len(unknown))


def sign_note(text: str, name: str, key: keys.PrivateKey) -> bytes:
    """Sign a text that ends in a newline, and return the note."""
    if not text.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise ValueError("a note's text ends in a newline and holds no other control character")
    line = NoteSignature(_check_name(name), key_hash(name, key.public_key), key.sign(text.encode()))
    return format_note(Note(text, (line,)))


# ------------------------------------------------------------------------------------------------ checkpoints


def parse_checkpoint(text: str) -> Checkpoint:
    """Parse a checkpoint's text (c2sp.org/tlog-checkpoint).

    Raises:
        MalformedError: ``CC-NOTE``.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise _bad("a checkpoint is origin, size and root, each on a line of its own")
    origin, size, root, *extensions = lines[:-1]
    if not re.fullmatch("0|[1-9][0-9]{0,18}", size, re.ASCII) or int(size) > MAX_INT:
        raise _bad("a checkpoint's size is a plain decimal number below 2^63")
    digest = _base64(root, "the root")
    if len(digest) != 32:
        raise _bad(f"a checkpoint's root has 32 bytes, found {len(digest)}")
    if int(size) == 0 and digest != sha256(b"").digest():
        raise _bad("an empty log must have the empty root")
    return Checkpoint(origin, int(size), digest, tuple(extensions))


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Return a checkpoint's text; the inverse of `parse_checkpoint`."""
    root = base64.b64encode(checkpoint.root).decode()
    lines = (checkpoint.origin, str(checkpoint.size), root, *checkpoint.extensions)
    return "".join(f"{line}\n" for line in lines)


def sign_checkpoint(checkpoint: Checkpoint, key: keys.PrivateKey) -> bytes:
    """Sign a checkpoint under its origin as the key name."""
    return sign_note(format_checkpoint(checkpoint), checkpoint.origin, key)
