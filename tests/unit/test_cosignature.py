"""Cosignatures: published ones, and every way to mangle one."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from charitychain import cosignature, note
from charitychain.cosignature import CosignerKey
from charitychain.errors import CharitychainError, MalformedError, VerificationError
from charitychain.keys import PrivateKey
from charitychain.note import Checkpoint, Note, NoteSignature, VerifierKey

VECTORS = Path(__file__).parents[1] / "vectors"

LOG = PrivateKey.from_seed(b"l" * 32)
WITNESS = PrivateKey.from_seed(b"w" * 32)
SECOND = PrivateKey.from_seed(b"s" * 32)
NAME = "witness.example"
KNOWN = CosignerKey(NAME, WITNESS.public_key)
SEAL = note.sign_checkpoint(Checkpoint("relief.example/2026", 42, bytes(range(32))), LOG)
TIME = 1_767_139_200


def line_of(name: str, key_hash: bytes, payload: bytes) -> bytes:
    return f"— {name} {b64encode(key_hash + payload).decode()}\n".encode()


def signed_by_hand(time: int, key: PrivateKey = WITNESS) -> bytes:
    text = SEAL[: SEAL.rindex(b"\n\n") + 1]
    return time.to_bytes(8, "big") + key.sign(b"cosignature/v1\ntime " + str(time).encode() + b"\n" + text)


@pytest.mark.parametrize(
    ("checkpoint", "description", "name"),
    [
        ("witness-checkpoint.txt", "witness-witness.v0.json", "witness.example.org"),
        ("mirror-checkpoint.txt", "witness-mirror-mirror.v0.json", "mirror.example.org"),
        ("witness2-checkpoint.txt", "witness2-witness.v0.json", "witness2.example.org"),
    ],
)
def test_published_cosignatures_hold(checkpoint: str, description: str, name: str) -> None:
    """Each cosignature that another implementation published verifies, with its time, and other lines are skipped."""
    folder = VECTORS / "sunlight-cosigned"
    [text] = json.loads((folder / description).read_bytes())["verifier_keys"]
    key = cosignature.parse_vkey(text)
    assert cosignature.vkey(key.name, key.public_key) == text
    data = (folder / checkpoint).read_bytes()
    assert cosignature.open_cosigned(data, [key, KNOWN]) == ((CosignerKey(name, key.public_key), 1767139200),)
    with pytest.raises(VerificationError, match="does not hold"):
        cosignature.open_cosigned(data.replace(b"\n300\n", b"\n301\n"), [key])


def test_cosigning_gives_the_bytes_of_another_implementation() -> None:
    """Cosigning sigsum's body with its seed, name and time gives its line; lines of other names are skipped."""
    vectors: dict[str, Any] = json.loads((VECTORS / "checkpoints" / "sigsum.json").read_bytes())
    key = PrivateKey.from_seed(bytes.fromhex(vectors["private_seed_hex"]))
    theirs = vectors["cosignature"]
    data = note.sign_note(theirs["body"], "example.org/log", LOG)
    line = cosignature.cosign(data, theirs["cosigner_name"], key, theirs["timestamp"])
    assert line == theirs["line"].encode()
    cosigner = CosignerKey(theirs["cosigner_name"], key.public_key)
    whole = cosignature.add_lines(data, "".join((*vectors["not_mine"], theirs["line"])).encode())
    assert cosignature.open_cosigned(whole, [cosigner]) == ((cosigner, 1234),)
    only_others = cosignature.add_lines(data, "".join(vectors["not_mine"]).encode())
    assert cosignature.open_cosigned(only_others, [cosigner]) == ()


def test_published_keys_of_cosigners() -> None:
    """Of the published verifier keys the sound ones of type 0x04 are cosigners' keys, and those only."""
    taken = 0
    for case in json.loads((VECTORS / "signed-note" / "keys.json").read_bytes())["vkeys"]:
        # Where the sources differ (ok is null) it is on a hash that is not the key's, which is refused here.
        if case["ok"] and b64decode(case["vkey"].split("+", 2)[2])[0] == 4:
            key = cosignature.parse_vkey(case["vkey"])
            assert cosignature.vkey(key.name, key.public_key) == case["vkey"]
            taken += 1
        else:
            with pytest.raises(MalformedError):
                cosignature.parse_vkey(case["vkey"])
    assert taken == 2


def test_key_hash_is_that_of_the_specification() -> None:
    """The four bytes are the start of SHA-256 over name, newline, 0x04 and the key, and not those of a note's key."""
    expected = sha256(NAME.encode() + b"\n\x04" + WITNESS.public_key[1:]).digest()[:4]
    assert KNOWN.key_hash == expected != note.key_hash(NAME, WITNESS.public_key)


def test_every_altered_character_of_a_key_is_refused() -> None:
    """A cosigner's key with any character changed, dropped or doubled is none."""
    text = cosignature.vkey(NAME, WITNESS.public_key)
    assert cosignature.parse_vkey(text) == KNOWN
    for i in range(len(text)):
        flipped = (chr(ord(text[i]) ^ 1 << bit) for bit in range(7))
        for middle in {*flipped, "", text[i] * 2, "\n", "+", "="} - {text[i]}:
            with pytest.raises(MalformedError):
                cosignature.parse_vkey(text[:i] + middle + text[i + 1 :])


def test_every_flipped_bit_of_a_cosigned_note_is_refused_or_changes_nothing() -> None:
    """With any one bit flipped no cosigned note says anything else under the log's and the witness's key."""
    cosigned = cosignature.add_lines(SEAL, cosignature.cosign(SEAL, NAME, WITNESS, TIME))
    log = VerifierKey("relief.example/2026", LOG.public_key)
    text = note.open_note(cosigned, [log]).text
    begin = len(SEAL)
    refused = skipped = 0
    for i in range(len(cosigned)):
        for bit in range(8):
            data = cosigned[:i] + bytes((cosigned[i] ^ 1 << bit,)) + cosigned[i + 1 :]
            try:
                assert note.open_note(data, [log]).text == text
                times = cosignature.open_cosigned(data, [KNOWN])
            except CharitychainError as error:
                assert error.code in ("CC-NOTE", "CC-SEAL")
                refused += 1
            else:
                # A line that no longer names the witness is a stranger's: it is skipped, and nobody has cosigned.
                assert times == ()
                assert i >= begin
                skipped += 1
    assert refused + skipped == 8 * len(cosigned)
    assert 0 < skipped < 8 * (len("— ".encode()) + len(NAME) + 1 + 6)  # name and hash only


def test_adding_a_line_keeps_what_was_there() -> None:
    """The note with a cosignature starts with all bytes of the note without, and the log's signature still holds."""
    line = cosignature.cosign(SEAL, NAME, WITNESS, TIME)
    assert line == line_of(NAME, KNOWN.key_hash, signed_by_hand(TIME))
    whole = cosignature.add_lines(SEAL, line)
    assert whole == SEAL + line
    opened = note.open_note(whole, [VerifierKey("relief.example/2026", LOG.public_key)])
    assert (opened.text, opened.unverified) == (note.parse_note(SEAL).text, 1)


@pytest.mark.parametrize(
    "lines",
    [b"", b"\n", b"nonsense\n", b"\n" + 2 * line_of("a", bytes(4), b"x"), line_of("a", bytes(4), b"x")[:-1]],
)
def test_what_cannot_be_added(lines: bytes) -> None:
    """Nothing, no signature line, or what would turn signatures into text is not added."""
    with pytest.raises(MalformedError) as caught:
        cosignature.add_lines(SEAL, lines)
    assert caught.value.code == "CC-NOTE"


def test_bounds_of_notes_hold() -> None:
    """A note takes 100 lines and 64 KiB with its cosignatures, and not one more."""
    lines = b"".join(line_of(f"w{i}", bytes(4), b"x") for i in range(98))
    almost = cosignature.add_lines(SEAL, lines)
    full = cosignature.add_lines(almost, cosignature.cosign(almost, NAME, WITNESS, TIME))
    assert cosignature.open_cosigned(full, [KNOWN]) == ((KNOWN, TIME),)
    with pytest.raises(MalformedError, match="100 signatures"):
        cosignature.cosign(full, "other.example", SECOND, TIME)
    with pytest.raises(MalformedError, match="65536 bytes"):
        cosignature.add_lines(SEAL, line_of("w", bytes(4), bytes(49152)))


def test_one_key_counts_once_with_its_latest_time() -> None:
    """Several lines by one witness are one cosignature, as of the latest, whatever their order."""
    lines = [cosignature.cosign(SEAL, NAME, WITNESS, time) for time in (5, 9, 7)]
    other = cosignature.cosign(SEAL, "second.example", SECOND, 6)
    second = CosignerKey("second.example", SECOND.public_key)
    whole = SEAL + b"".join(lines) + other + lines[0]
    assert cosignature.open_cosigned(whole, [second, KNOWN]) == ((KNOWN, 9), (second, 6))


def test_one_key_cannot_be_two_cosigners() -> None:
    """One public key under two names, or given twice, is refused before any line is read."""
    for keys in ([KNOWN, KNOWN], [KNOWN, CosignerKey("other.example", WITNESS.public_key)]):
        with pytest.raises(MalformedError, match="one key") as caught:
            cosignature.open_cosigned(SEAL, keys)
        assert caught.value.code == "CC-NOTE"


@pytest.mark.parametrize(
    "payload",
    [
        signed_by_hand(TIME)[:-1],
        signed_by_hand(TIME) + b"\x00",
        signed_by_hand(TIME)[8:],
        (TIME + 1).to_bytes(8, "big") + signed_by_hand(TIME)[8:],
        signed_by_hand(2**63),
        signed_by_hand(TIME, SECOND),
        bytes(72),
        TIME.to_bytes(8, "big") + WITNESS.sign(SEAL[: SEAL.rindex(b"\n\n") + 1]),
    ],
)
def test_one_bad_line_of_a_cosigner_spoils_the_note(payload: bytes) -> None:
    """A witness's line of another length, time, key or form spoils the note, even beside a good one of its own."""
    good = cosignature.cosign(SEAL, NAME, WITNESS, TIME)
    for data in (SEAL + line_of(NAME, KNOWN.key_hash, payload), SEAL + good + line_of(NAME, KNOWN.key_hash, payload)):
        with pytest.raises(VerificationError, match="does not hold") as caught:
            cosignature.open_cosigned(data, [KNOWN])
        assert caught.value.code == "CC-SEAL"


def test_edges_of_time() -> None:
    """The first and the last time are cosigned and read again; times outside are misuse."""
    for time in (0, 2**63 - 1):
        whole = SEAL + cosignature.cosign(SEAL, NAME, WITNESS, time)
        assert cosignature.open_cosigned(whole, [KNOWN]) == ((KNOWN, time),)
    for time in (-1, 2**63):
        with pytest.raises(ValueError, match="POSIX seconds"):
            cosignature.cosign(SEAL, NAME, WITNESS, time)


def test_only_checkpoints_are_cosigned() -> None:
    """A note that is no checkpoint is neither cosigned nor believed to be."""
    plain = note.sign_note("to whom it may concern\n", "relief.example/2026", LOG)
    with pytest.raises(MalformedError, match="checkpoint"):
        cosignature.cosign(plain, NAME, WITNESS, TIME)
    with pytest.raises(MalformedError, match="checkpoint"):
        cosignature.open_cosigned(plain, [KNOWN])


def test_a_signature_of_the_note_is_no_cosignature() -> None:
    """The witness's plain signature of type 0x01 is skipped, since its hash is another."""
    text = note.parse_note(SEAL).text
    plain = NoteSignature(NAME, note.key_hash(NAME, WITNESS.public_key), WITNESS.sign(text.encode()))
    assert cosignature.open_cosigned(note.format_note(Note(text, (plain,))), [KNOWN]) == ()
