"""Cosignatures: others' word, with a time, that they saw a checkpoint and nothing before it that contradicts it.

A *witness* keeps the last checkpoint of a log that it saw, and adds its line to a newer one only if that extends it.
A cosignature is such a line: an Ed25519 signature of type 0x04 over the text of the note and a time in whole POSIX
seconds (C2SP tlog-cosignature, on lines of C2SP signed-note, over texts of C2SP tlog-checkpoint). What is signed is

    cosignature/v1
    time 1767139200
    relief.example/2026
    42
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

and what stands in the line, after the four bytes that hint at the key, is 8 bytes of time, big-endian, and 64 bytes.

Rules upheld here:

- Only the text of a checkpoint is cosigned, or believed to be.
- A line is a cosigner's if name *and* key hash match; all others, and so the log's own, are skipped. A cosigner's line
  that does not verify (not 72 bytes, a time of 2⁶³ or more, another text) spoils the whole note.
- One public key counts once, whatever the number of its lines and names; its latest time is the one that counts.
- Key hashes and base64 have one spelling each, and a key is as good as `charitychain.keys` wants it.
- Adding a line leaves every byte that was there, and the bounds of `charitychain.note` hold after it too.

Left to others: the log's own signature, without which cosignatures prove little (`charitychain.note.open_note`); which
cosigners, and how many, are enough (`charitychain.policy`); whether a checkpoint extends the one before; and whether a
time lies in the future. A cosignature does not bind its signer's name: a key must have one holder, one name, and no
other use, least of all the log's. Cosignatures of other types (ML-DSA, 0x06) are skipped.

>>> from charitychain.keys import PrivateKey
>>> from charitychain.note import Checkpoint, sign_checkpoint
>>> log, witness = PrivateKey.from_seed(bytes(32)), PrivateKey.from_seed(bytes([1]) * 32)
>>> seal = sign_checkpoint(Checkpoint("relief.example/2026", 1, bytes(32)), log)
>>> cosigned = add_lines(seal, cosign(seal, "witness.example", witness, 1767139200))
>>> known = parse_vkey(vkey("witness.example", witness.public_key))
>>> [(key.name, time) for key, time in open_cosigned(cosigned, [known])]
[('witness.example', 1767139200)]
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from charitychain import keys
from charitychain.errors import MalformedError, VerificationError
from charitychain.note import (
    Note,
    NoteSignature,
    check_key_name,
    format_note,
    key_hash,
    parse_checkpoint,
    parse_note,
)

__all__ = ["MAX_TIME", "CosignerKey", "add_lines", "cosign", "open_cosigned", "parse_vkey", "vkey"]

MAX_TIME = 2**63 - 1
"""The latest time of a cosignature, in POSIX seconds."""

_TYPE = b"\x04"  # Ed25519 cosignature with a time, among the types of C2SP signed-note
_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """The named Ed25519 public key of a cosigner. Build it with `parse_vkey`, or from a name and our 33 bytes."""

    name: str
    public_key: bytes
    """33 bytes as everywhere, first byte 1: the key as such. Its use for cosignatures shows in `key_hash` and vkey."""

    def __post_init__(self) -> None:
        check_key_name(self.name)
        keys.check_public_key(self.public_key)

    @property
    def key_hash(self) -> bytes:
        """The four bytes by which cosignature lines name this key: another value than for its signatures of notes."""
        return key_hash(self.name, _TYPE + self.public_key[1:])


def vkey(name: str, public_key: bytes) -> str:
    """Return the text form of a cosigner's key: ``name+hash+base64``, of type 0x04.

    Args:
        public_key: 33 bytes, algorithm first.

    Raises:
        MalformedError: ``CC-NOTE`` or ``CC-KEY``: a name or a key that is not allowed.
    """
    key = CosignerKey(name, public_key)
    return f"{name}+{key.key_hash.hex()}+{b64encode(_TYPE + public_key[1:]).decode('ascii')}"


def parse_vkey(text: str) -> CosignerKey:
    """Return the cosigner's key that `text` is: the inverse of `vkey`.

    Raises:
        MalformedError: ``CC-NOTE``: not ``name+hash+base64``, another type than 0x04, or another hash or spelling than
            name and key give. ``CC-KEY``: a key that `charitychain.keys.check_public_key` refuses.
    """
    parts = text.split("+", 2)  # base64 may hold "+" itself
    try:
        encoded = b64decode(parts[2], validate=True) if len(parts) == 3 else b""
    except ValueError:
        encoded = b""
    if len(encoded) != keys.PUBLIC_KEY_BYTES:
        raise MalformedError("CC-NOTE", "a cosigner's key is NAME+HASH+BASE64, the last of 33 bytes, type first")
    if encoded[:1] != _TYPE:
        raise MalformedError(
            "CC-NOTE", f"the key is of type {encoded[0]:#04x}; a cosigner's is of type 0x04, an Ed25519 cosignature"
        )
    public_key = bytes((keys.ALGORITHM_ED25519,)) + encoded[1:]
    expected = vkey(parts[0], public_key)
    if text != expected:
        raise MalformedError(
            "CC-NOTE", f"the cosigner's key has another hash or spelling than its name and key give: {expected}"
        )
    return CosignerKey(parts[0], public_key)


def cosign(data: bytes, name: str, private_key: keys.PrivateKey, time: int) -> bytes:
    """Return the line, newline included, that cosigns the checkpoint in the note `data`; `add_lines` adds it.

    Whoever calls this has verified the log's signature, and that the checkpoint extends the last one cosigned.

    Args:
        time: POSIX seconds.

    Raises:
        MalformedError: ``CC-NOTE``: no note with a checkpoint, a note with no room for a line more, or no key's name.
    """
    note = parse_note(data)
    parse_checkpoint(note.text)
    if not 0 <= time <= MAX_TIME:
        raise ValueError(f"the time of a cosignature is in POSIX seconds, from 0 to 2**63 - 1, not {time}")
    payload = time.to_bytes(_TIME_BYTES, "big") + private_key.sign(_message(note.text, time))
    line = NoteSignature(name, CosignerKey(name, private_key.public_key).key_hash, payload)
    return format_note(Note(note.text, (*note.signatures, line)))[len(data) :]


def add_lines(data: bytes, lines: bytes) -> bytes:
    """Return the note `data` with signature lines added under it, as a witness sent them. Nothing is verified.

    Raises:
        MalformedError: ``CC-NOTE``: `data` is no note, `lines` are no signature lines, or both together are too much.
    """
    before, after = parse_note(data), parse_note(data + lines)
    count = len(before.signatures)
    if after.text != before.text or len(after.signatures) == count:
        raise MalformedError("CC-NOTE", "what was to be added to the note is not one or more signature lines")
    return data + lines


def open_cosigned(data: bytes, cosigners: Sequence[CosignerKey]) -> tuple[tuple[CosignerKey, int], ...]:
    """Return whose cosignatures of a checkpoint hold, and their times in POSIX seconds, in the order of the lines.

    None is an answer too: what is enough, `charitychain.policy` says. The log's own signature is not looked at.

    Raises:
        MalformedError: ``CC-NOTE``: no note with a checkpoint, or one public key twice among `cosigners`, or two of
            them that no line could tell apart.
        VerificationError: ``CC-SEAL``: a line by one of `cosigners` does not hold.
    """
    note = parse_note(data)
    parse_checkpoint(note.text)
    known = {(key.name, key.key_hash): key for key in cosigners}
    if len({key.public_key for key in cosigners}) != len(cosigners) or len(known) != len(cosigners):
        raise MalformedError("CC-NOTE", "two of the cosigners have one key, or one name and hash; name one only")
    times: dict[CosignerKey, int] = {}
    for line in dict.fromkeys(note.signatures):
        signer = known.get((line.name, line.key_id))
        if signer is not None:
            times[signer] = max(times.get(signer, 0), _check_line(signer, note.text, line.signature))
    return tuple(times.items())


def _check_line(signer: CosignerKey, text: str, payload: bytes) -> int:
    time = int.from_bytes(payload[:_TIME_BYTES], "big")
    try:
        if time > MAX_TIME:
            raise VerificationError("CC-SEAL", "its time is beyond 2**63 - 1")
        keys.verify(signer.public_key, _message(text, time), payload[_TIME_BYTES:])  # which must be 64 bytes
    except VerificationError as error:
        raise VerificationError(
            "CC-SEAL",
            f"the cosignature by {signer.name}+{signer.key_hash.hex()} does not hold: {error}; "
            "the checkpoint or the cosignature was changed",
            name=signer.name,
        ) from error
    return time


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
