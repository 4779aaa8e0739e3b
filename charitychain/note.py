"""Signed notes and checkpoints: what any transparency-log client can read.

A *signed note* is a text with signature lines under it (C2SP signed-note). A *checkpoint* is the note that says how
large a log is and what its root is (C2SP tlog-checkpoint). A ledger's seal is a checkpoint over the log of its blocks.

    relief.example/2026
    42
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — relief.example/2026 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

Rules upheld here:

- One note, one spelling: what is parsed formats to the same bytes, base64 down to its last bits. Nothing is repaired.
- Valid UTF-8, no control character below 0x20 but the newline, at most 64 KiB and 100 signatures.
- A signature counts for a key only if name *and* key hash match; other lines, and so all types but Ed25519 (0x01), are
  skipped. A matching line that does not verify spoils the whole note, and a note without any known signature is none.
- One key never counts twice, whatever the number of its lines.
- A checkpoint's size is plain decimal below 2⁶³, its root 32 bytes, and only size 0 has the root of nothing.
- Key hashes are computed, never believed; two configured keys that no line could tell apart are refused.

Left to others: which origins and keys to believe (`charitychain.verify`; the key's name need not be the origin), that
no two checkpoints of one log contradict each other (`charitychain.mark`), cosignatures by witnesses.

>>> from charitychain.keys import PrivateKey
>>> key = PrivateKey.from_seed(bytes(32))
>>> seal = sign_checkpoint(Checkpoint("relief.example/2026", 1, b"\\x0a" * 32), key)
>>> opened = open_note(seal, [parse_vkey(vkey("relief.example/2026", key.public_key))])
>>> parse_checkpoint(opened.text).size
1
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from charitychain import keys
from charitychain.errors import MalformedError, VerificationError

__all__ = [
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "MAX_TREE_SIZE",
    "Checkpoint",
    "Note",
    "NoteSignature",
    "OpenedNote",
    "VerifierKey",
    "check_key_name",
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

MAX_NOTE_BYTES = 64 * 1024
"""The largest note that is read or written; the long lines of ML-DSA cosignatures fit many times."""

MAX_SIGNATURES = 100
"""The most signature lines of one note (C2SP asks for at least 16)."""

MAX_TREE_SIZE = 2**63 - 1
"""The largest size that a checkpoint may state."""

_QUOTED = 60
_LINE_START = "— "  # U+2014 and a space
_HASH_BYTES = 4
_ROOT_BYTES = 32
_EMPTY_ROOT = sha256(b"").digest()
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_VKEY_HASH = re.compile(r"[0-9a-f]{8}", re.ASCII)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who says so, and the bytes. Nothing here is verified."""

    name: str
    key_id: bytes
    """Four bytes that hint at the key: its `key_hash`."""
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note in parts. Nothing here is verified: show or use the text of an `OpenedNote` only."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named Ed25519 public key. Build it with `parse_vkey`, or from a name and the 33 bytes of a checked key."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        keys.check_public_key(self.public_key)

    @property
    def key_hash(self) -> bytes:
        """The four bytes by which signature lines name this key."""
        return key_hash(self.name, self.public_key)


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note that at least one known key has signed."""

    text: str
    verified: tuple[VerifierKey, ...]
    """Each key whose signature was there and holds, once, in the order of the lines."""
    unverified: int
    """How many lines (not counting repeated ones) were by keys that are not known here."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's size and root, and the log's name."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines. Ledgers write none: cosignatures of the newer kind do not cover them."""


def key_hash(name: str, public_key: bytes) -> bytes:
    """Return the four bytes that name a key in a signature line (C2SP signed-note, "Signatures").

    They are the first of SHA-256 over name, newline, algorithm byte and key; our 33 bytes start with the same byte.
    """
    return sha256(name.encode() + b"\n" + public_key).digest()[:_HASH_BYTES]


def verifier_keys(name: str, public_keys: Iterable[bytes]) -> list[VerifierKey]:
    """Return keys of 33 bytes as notes name them: all under one name, such as a log's origin."""
    return [VerifierKey(name, key) for key in public_keys]


def check_key_name(name: str) -> str:
    """Check that `name` may name a key in a note, and return it.

    Raises:
        MalformedError: ``CC-NOTE``: empty, or with white space, a ``+``, a control character or a surrogate.
    """
    if not name or "+" in name or _CONTROL.search(name) or any(character.isspace() for character in name):
        raise _malformed(f"key name {_quoted(name)} is empty or holds white space, '+' or a control character")
    _encode(name)
    return name


def vkey(name: str, public_key: bytes) -> str:
    """Return the text form of a named public key: ``name+hash+base64``, as the settings of any C2SP tool take it.

    Raises:
        MalformedError: ``CC-NOTE`` or ``CC-KEY``: a name or a key that is not allowed.
    """
    key = VerifierKey(name, public_key)
    return f"{name}+{key.key_hash.hex()}+{_to_base64(public_key)}"


def parse_vkey(text: str) -> VerifierKey:
    """Return the named public key that `text` is: the inverse of `vkey`.

    Raises:
        MalformedError: ``CC-NOTE``: not ``name+hash+base64``, or the hash is another key's. ``CC-KEY``: another type
            than Ed25519 (0x01), or a key that `charitychain.keys.check_public_key` refuses.
    """
    parts = text.split("+", 2)  # base64 may hold "+" itself
    if len(parts) != 3 or not _VKEY_HASH.fullmatch(parts[1]):
        raise _malformed("a verifier key is NAME+HASH+BASE64, with a hash of 8 lower-case hexadecimal digits")
    key = VerifierKey(parts[0], _from_base64(parts[2], "verifier key"))
    if key.key_hash.hex() != parts[1]:
        raise _malformed(
            f"verifier key {key.name}: its hash is {parts[1]}, but its name and key give {key.key_hash.hex()}",
            expected=key.key_hash.hex(),
            found=parts[1],
        )
    return key


def parse_note(data: bytes) -> Note:
    """Return the parts of a signed note, unverified. What is parsed formats to the same bytes.

    Raises:
        MalformedError: ``CC-NOTE``: not a signed note, or beyond the bounds at the top of this module.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise _malformed(f"a note has at most {MAX_NOTE_BYTES} bytes, found {len(data)}")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} of the note is not UTF-8") from error
    control = _CONTROL.search(whole)
    if control:
        raise _malformed(f"character {control.start()} of the note is control character {ord(control.group()):#04x}")
    end = whole.rfind("\n\n") + 1
    lines = whole[end + 1 :].split("\n")
    if not end or len(lines) < 2 or lines.pop():
        raise _malformed("a note is text, an empty line, and signature lines that end in a newline")
    if len(lines) > MAX_SIGNATURES:
        raise _malformed(f"a note has at most {MAX_SIGNATURES} signatures, found {len(lines)}")
    return Note(whole[:end], tuple(_parse_line(line, number) for number, line in enumerate(lines, 1)))


def format_note(note: Note) -> bytes:
    """Return the bytes of a signed note: the inverse of `parse_note`.

    Raises:
        MalformedError: ``CC-NOTE``: the parts make no note that `parse_note` would take.
    """
    lines = [
        f"{_LINE_START}{check_key_name(each.name)} {_to_base64(each.key_id + each.signature)}\n"
        for each in note.signatures
    ]
    data = _encode(f"{note.text}\n{''.join(lines)}")
    if parse_note(data) != note:
        raise _malformed("the text and signatures make no note; text ends in a newline, a key id has 4 bytes")
    return data


def open_note(data: bytes, keys: Sequence[VerifierKey]) -> OpenedNote:
    """Verify a signed note and return its text, and whose signatures hold.

    Args:
        keys: The keys to believe. Signatures by others are counted and otherwise skipped.

    Raises:
        MalformedError: ``CC-NOTE``: no signed note, or two of `keys` have one name and hash, so that no signature line
            could tell them apart (one key given twice, too).
        VerificationError: ``CC-SEAL``: a signature by a known key does not hold, or there is none by a known key.
    """
    note = parse_note(data)
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if (key.name, key.key_hash) in known:
            raise _malformed(f"two of the known keys are called {key.name}+{key.key_hash.hex()}; name one of them only")
        known[key.name, key.key_hash] = key
    message = note.text.encode()
    verified: dict[VerifierKey, None] = {}
    unverified = 0
    for line in dict.fromkeys(note.signatures):
        signer = known.get((line.name, line.key_id))
        if signer is None:
            unverified += 1
        else:
            _check_line(signer, message, line.signature)
            verified[signer] = None
    if not verified:
        names = ", ".join(f"{key.name}+{key.key_hash.hex()}" for key in keys) or "none"
        raise VerificationError(
            "CC-SEAL",
            f"the note carries no signature by a known key (known: {names}); "
            f"it has {unverified} by others; check the key you were given, or get the note again",
            unverified=unverified,
        )
    return OpenedNote(note.text, tuple(verified), unverified)


def sign_note(text: str, name: str, key: keys.PrivateKey) -> bytes:
    """Return `text` as a note with one signature, by `key` under `name`.

    Raises:
        MalformedError: ``CC-NOTE``: no text of a note (which ends in a newline), or no name of a key.
    """
    signature = NoteSignature(name, key_hash(check_key_name(name), key.public_key), key.sign(_encode(text)))
    return format_note(Note(text, (signature,)))


def parse_checkpoint(text: str) -> Checkpoint:
    """Return what the text of a checkpoint says (C2SP tlog-checkpoint). Whether it is true, its signatures tell.

    Raises:
        MalformedError: ``CC-NOTE``: fewer than three lines, an empty line, a size that is not plain decimal below 2⁶³,
            a root that is not 32 bytes in base64, or size 0 with another root than SHA-256 of nothing.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop():
        raise _malformed("a checkpoint has at least three lines, origin, size and root, and ends in a newline")
    if not all(lines):
        raise _malformed(f"line {lines.index('') + 1} of the checkpoint is empty")
    control = _CONTROL.search(text)
    if control:
        raise _malformed(f"the checkpoint holds control character {ord(control.group()):#04x}")
    origin, size_text, root_text, *extensions = lines
    if not _SIZE.fullmatch(size_text) or int(size_text) > MAX_TREE_SIZE:
        raise _malformed(f"the checkpoint's size must be plain decimal below 2**63, not {_quoted(size_text)}")
    size, root = int(size_text), _from_base64(root_text, "the checkpoint's root")
    if len(root) != _ROOT_BYTES:
        raise _malformed(f"the checkpoint's root must be {_ROOT_BYTES} bytes, found {len(root)}")
    if not size and root != _EMPTY_ROOT:
        raise _malformed("a checkpoint of size 0 must have the root of nothing, SHA-256 of no bytes")
    return Checkpoint(origin, size, root, tuple(extensions))


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Return the text of a checkpoint: the inverse of `parse_checkpoint`.

    Raises:
        MalformedError: ``CC-NOTE``: the parts make no checkpoint that `parse_checkpoint` would take.
    """
    lines = (checkpoint.origin, str(checkpoint.size), _to_base64(checkpoint.root), *checkpoint.extensions)
    text = "".join(f"{line}\n" for line in lines)
    _encode(text)
    if parse_checkpoint(text) != checkpoint:
        raise _malformed("origin, size, root and extensions make no checkpoint; each is one line")
    return text


def sign_checkpoint(checkpoint: Checkpoint, key: keys.PrivateKey) -> bytes:
    """Return the checkpoint as a note signed by its log: the key's name is the origin.

    A log must never sign two checkpoints that contradict each other; whoever calls this keeps a record, on disk,
    before the note leaves.

    Raises:
        MalformedError: ``CC-NOTE``: no checkpoint, or an origin that cannot name a key.
    """
    return sign_note(format_checkpoint(checkpoint), checkpoint.origin, key)


def _parse_line(line: str, number: int) -> NoteSignature:
    name, space, encoded = line.removeprefix(_LINE_START).partition(" ")
    if not line.startswith(_LINE_START) or not space:
        raise _malformed(f"signature line {number} is not '— NAME BASE64'")
    check_key_name(name)
    payload = _from_base64(encoded, f"signature line {number}")
    if len(payload) <= _HASH_BYTES:
        raise _malformed(f"signature line {number} must hold {_HASH_BYTES} bytes of key hash and a signature")
    return NoteSignature(name, payload[:_HASH_BYTES], payload[_HASH_BYTES:])


def _check_line(signer: VerifierKey, message: bytes, signature: bytes) -> None:
    try:
        keys.verify(signer.public_key, message, signature)
    except VerificationError as error:
        raise VerificationError(
            "CC-SEAL",
            f"the signature by {signer.name}+{signer.key_hash.hex()} does not hold: {error}; "
            "the text or the signature was changed",
            name=signer.name,
        ) from error


def _to_base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _from_base64(text: str, what: str) -> bytes:
    """Decode base64 in its one spelling: the library alone would take spare bits that are not zero."""
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise _malformed(f"{what}: not base64: {error}") from error
    if _to_base64(data) != text:
        raise _malformed(f"{what}: not the canonical base64 of its bytes")
    return data


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _malformed(f"character {error.start} is a lone surrogate, which UTF-8 does not have") from error


def _quoted(text: str) -> str:
    """Return what stands where something else should, in at most 60 characters: it may be a whole web page."""
    shown = ascii(text)
    return shown if len(shown) <= _QUOTED else f"{shown[: _QUOTED - 1]}…"


def _malformed(why: str, **facts: object) -> MalformedError:
    return MalformedError("CC-NOTE", why, **facts)
