"""Signed notes and checkpoints: published ones, and every way to mangle one."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from charitychain import note
from charitychain.errors import CharitychainError, MalformedError, VerificationError
from charitychain.keys import PrivateKey
from charitychain.note import Checkpoint, Note, NoteSignature, VerifierKey

VECTORS = Path(__file__).parents[1] / "vectors"

KEY = PrivateKey.from_seed(b"k" * 32)
OTHER_KEY = PrivateKey.from_seed(b"o" * 32)
NAME = "relief.example/2026"
KNOWN = VerifierKey(NAME, KEY.public_key)
CHECKPOINT = Checkpoint(NAME, 42, bytes(range(32)))

# set: how many of its cases we take, and refuse
EXPECTED = {"notes": (4, 12), "vkeys": (6, 8), "bodies": (2, 14), "sum.golang.org": (9, 0)}
# Where we are stricter than the sources, and why: README.md beside the vectors.
STRICTER_NOTES = {"ambiguous key list, unused"}
TYPE_COSIGNATURE = "+B"  # base64 of a first byte 0x04 to 0x07


def load(path: str) -> Any:
    return json.loads((VECTORS / path).read_bytes())


def sign_line(signature: NoteSignature) -> bytes:
    return f"— {signature.name} {b64encode(signature.key_id + signature.signature).decode()}\n".encode()


def test_published_notes_open_as_stated() -> None:
    """Each published note opens, with the stated numbers of signatures, or is refused, as its source says."""
    counts = {True: 0, False: 0}
    for case in load("signed-note/notes.json"):
        data = b64decode(case["note_b64"])
        try:
            opened = note.open_note(data, [note.parse_vkey(text) for text in case["vkeys"]])
            taken = True
            assert (len(opened.verified), opened.unverified) == (case["verified"], case["unverified"]), case["name"]
        except CharitychainError as error:
            taken = False
            assert error.code in ("CC-NOTE", "CC-SEAL")
        counts[taken] += 1
        assert taken == (case["ok"] and case["name"] not in STRICTER_NOTES), case["name"]
    assert (counts[True], counts[False]) == EXPECTED["notes"]


def test_published_verifier_keys() -> None:
    """Each published verifier key of type 0x01 is taken or refused as its source says; other types are refused."""
    counts = {True: 0, False: 0}
    for case in load("signed-note/keys.json")["vkeys"]:
        try:
            key = note.parse_vkey(case["vkey"])
            taken = True
            assert note.vkey(key.name, key.public_key) == case["vkey"]
        except MalformedError as error:
            taken = False
            assert error.code in ("CC-NOTE", "CC-KEY")
        counts[taken] += 1
        assert taken == (case["ok"] is True and TYPE_COSIGNATURE not in case["vkey"]), case["vkey"]
    assert (counts[True], counts[False]) == EXPECTED["vkeys"]


def test_published_key_pairs_belong_together() -> None:
    """From the seed in each published private key comes the published verifier key."""
    for pair in load("signed-note/keys.json")["keypairs"]:
        name, _, encoded = pair["skey"].removeprefix("PRIVATE+KEY+").split("+", 2)
        key = PrivateKey.from_seed(b64decode(encoded)[1:])
        assert note.vkey(name, key.public_key) == pair["vkey"]


def test_published_checkpoint_bodies() -> None:
    """Each published checkpoint body is parsed or refused as the strict reading of C2SP says."""
    counts = {True: 0, False: 0}
    for case in load("checkpoints/bodies.json"):
        try:
            parsed = note.parse_checkpoint(case["body"])
            taken = True
            assert note.format_checkpoint(parsed) == case["body"]
        except MalformedError as error:
            taken = False
            assert error.code == "CC-NOTE"
        counts[taken] += 1
        assert taken == case["strict_c2sp_sha256"], case["name"]
    assert (counts[True], counts[False]) == EXPECTED["bodies"]


def test_real_checkpoints_of_sum_golang_org() -> None:
    """All nine real checkpoints open under that log's key, whose name is not the origin."""
    vectors = load("checkpoints/sum-golang-org.json")
    key = note.parse_vkey(vectors["vkey"])
    sizes = []
    for text in vectors["checkpoints"]:
        opened = note.open_note(text.encode(), [key])
        assert (opened.verified, opened.unverified) == ((key,), 0)
        parsed = note.parse_checkpoint(opened.text)
        assert parsed.origin == vectors["origin"] != key.name
        sizes.append(parsed.size)
    assert (len(sizes), 0) == EXPECTED["sum.golang.org"]
    assert (min(sizes), max(sizes)) == (756113, 59045944)


def test_signing_gives_the_bytes_of_another_implementation() -> None:
    """Signing sigsum's checkpoint with its seed gives its bytes; its cosignatures are skipped, not counted."""
    vectors = load("checkpoints/sigsum.json")
    key = PrivateKey.from_seed(bytes.fromhex(vectors["private_seed_hex"]))
    data = vectors["checkpoint"].encode()
    checkpoint = note.parse_checkpoint(note.parse_note(data).text)
    assert note.sign_checkpoint(checkpoint, key) == data
    lines = "".join((vectors["cosignature"]["line"], *vectors["not_mine"])).encode()
    log_key = VerifierKey(checkpoint.origin, key.public_key)
    opened = note.open_note(data + lines, [log_key])
    assert (opened.verified, opened.unverified) == ((log_key,), 3)


def test_checkpoint_survives_its_note() -> None:
    """What is signed opens to the same origin, size and root."""
    seal = note.sign_checkpoint(CHECKPOINT, KEY)
    opened = note.open_note(seal, [KNOWN])
    assert opened.text == "relief.example/2026\n42\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert note.parse_checkpoint(opened.text) == CHECKPOINT
    assert note.format_note(note.parse_note(seal)) == seal


def test_key_hash_is_that_of_the_specification() -> None:
    """The four bytes are the start of SHA-256 over name, newline, 0x01 and the key."""
    expected = sha256(NAME.encode() + b"\n\x01" + KEY.public_key[1:]).digest()[:4]
    assert KNOWN.key_hash == note.key_hash(NAME, KEY.public_key) == expected


def test_every_substring_and_every_altered_byte_of_a_verifier_key_is_refused() -> None:
    """No proper substring of a verifier key is one, nor is it with any one bit or byte changed."""
    text = load("signed-note/keys.json")["vkeys"][0]["vkey"]
    note.parse_vkey(text)
    for start in range(len(text)):
        for end in range(start, len(text) + 1):
            if end - start < len(text):
                with pytest.raises(MalformedError):
                    note.parse_vkey(text[start:end])
    for i in range(len(text)):
        for byte in {*(ord(text[i]) ^ 1 << bit for bit in range(8)), ord(text[i]) + 1, *b"\n\x00 +/=-0Az"} - {
            ord(text[i])
        }:
            with pytest.raises(MalformedError):
                note.parse_vkey(text[:i] + chr(byte) + text[i + 1 :])


def test_every_substring_and_every_altered_byte_of_a_note_is_refused() -> None:
    """No proper substring of a sealed checkpoint opens, nor does it with any one bit or byte changed."""
    seal = note.sign_checkpoint(CHECKPOINT, KEY)
    assert note.open_note(seal, [KNOWN]).verified == (KNOWN,)
    for start in range(len(seal)):
        for end in range(start, len(seal) + 1):
            if end - start < len(seal):
                with pytest.raises(CharitychainError):
                    note.open_note(seal[start:end], [KNOWN])
    for i in range(len(seal)):
        for changed in {*(seal[i] ^ 1 << bit for bit in range(8)), 0x0A, 0x20, 0x2B, 0x00} - {seal[i]}:
            with pytest.raises(CharitychainError):
                note.open_note(seal[:i] + bytes((changed,)) + seal[i + 1 :], [KNOWN])


def test_name_and_hash_must_both_match() -> None:
    """A line under our name with another hash, or our hash under another name, is skipped and proves nothing."""
    seal = note.sign_checkpoint(CHECKPOINT, KEY)
    line = note.parse_note(seal).signatures[0]
    text = note.format_checkpoint(CHECKPOINT)
    for stranger in (
        NoteSignature("other.example", line.key_id, line.signature),
        NoteSignature(NAME, b"\x00\x00\x00\x00", line.signature),
    ):
        with pytest.raises(VerificationError, match="no signature by a known key") as caught:
            note.open_note(note.format_note(Note(text, (stranger,))), [KNOWN])
        assert caught.value.code == "CC-SEAL"
        opened = note.open_note(note.format_note(Note(text, (stranger, line))), [KNOWN])
        assert (opened.verified, opened.unverified) == ((KNOWN,), 1)


def test_one_bad_line_of_a_known_key_spoils_the_note() -> None:
    """A second line by a known key that does not hold spoils the note, whatever else signs it."""
    seal = note.sign_checkpoint(CHECKPOINT, KEY)
    bad = NoteSignature(NAME, KNOWN.key_hash, bytes(64))
    with pytest.raises(VerificationError, match="does not hold") as caught:
        note.open_note(seal + sign_line(bad), [KNOWN])
    assert caught.value.code == "CC-SEAL"


def test_one_key_never_counts_twice() -> None:
    """The same line a hundred times is one signature by one key; a hundred and first is refused."""
    seal = note.sign_checkpoint(CHECKPOINT, KEY)
    line = sign_line(note.parse_note(seal).signatures[0])
    opened = note.open_note(seal + 99 * line, [KNOWN])
    assert (opened.verified, opened.unverified) == ((KNOWN,), 0)
    with pytest.raises(MalformedError, match="100 signatures"):
        note.open_note(seal + 100 * line, [KNOWN])


def test_several_keys_may_sign() -> None:
    """Each known key that signed is listed once; one key given twice is refused."""
    second = VerifierKey("auditor.example", OTHER_KEY.public_key)
    text = note.format_checkpoint(CHECKPOINT)
    lines = note.parse_note(note.sign_note(text, second.name, OTHER_KEY)).signatures
    data = note.sign_note(text, NAME, KEY) + sign_line(lines[0])
    assert note.open_note(data, [second, KNOWN]).verified == (KNOWN, second)
    assert note.open_note(data, [second]).unverified == 1
    with pytest.raises(MalformedError, match="two of the known keys"):
        note.open_note(data, [KNOWN, second, KNOWN])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n\n",
        b"text\n\n\n",
        "text\n\n— a AAAAAAA".encode(),
        "text\n— a AAAAAAA=\n".encode(),
        "text\r\n\r\n— a AAAAAAA=\r\n".encode(),
        "te\txt\n\n— a AAAAAAA=\n".encode(),
        "te\x00xt\n\n— a AAAAAAA=\n".encode(),
        b"text\n\n- a AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n".encode(),
        "text\n\n— a  AAAAAAA=\n".encode(),
        "text\n\n— a\u00a0b AAAAAAA=\n".encode(),
        "text\n\n— a+b AAAAAAA=\n".encode(),
        "text\n\n— a AAAA\n".encode(),
        "text\n\n— a AAAAAA==\n".encode(),
        "text\n\n— a AAAAAAB=\n".encode(),
        "text\n\n— a AAAAAAA\n".encode(),
        "text\n\n— a AAAAAA-=\n".encode(),
        "text\n\n— a AAAAAAA= \n".encode(),
        "text\n\n— a AAAAAAA=\n\n".encode(),
        b"text\n\n\xe2\x80\x94 a\xff AAAAAAA=\n",
        b"x" * 65536 + "\n\n— a AAAAAAA=\n".encode(),
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    """Missing parts, other controls, doubled spaces and second spellings of base64 make no note."""
    with pytest.raises(MalformedError) as caught:
        note.parse_note(data)
    assert caught.value.code == "CC-NOTE"


def test_text_may_hold_empty_lines() -> None:
    """The signatures start at the last empty line, so that a text may hold others."""
    parsed = note.parse_note("one\n\ntwo\n\n— a AAAAAAA=\n".encode())
    assert parsed == Note("one\n\ntwo\n", (NoteSignature("a", bytes(4), bytes(1)),))
    assert note.parse_note(("x" * 65000 + "\n\n— a AAAAAAA=\n").encode()).text == "x" * 65000 + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "o\n1\n",
        "o\n1\n{root}",
        "o\n1\n{root}\n\n",
        "o\n1\n{root}\n\nmore\n",
        "\n1\n{root}\n",
        "o\n\n{root}\n",
        "o\n01\n{root}\n",
        "o\n+1\n{root}\n",
        "o\n-1\n{root}\n",
        "o\n 1\n{root}\n",
        "o\n1_0\n{root}\n",
        "o\n٣\n{root}\n",
        "o\n1.0\n{root}\n",
        "o\n9223372036854775808\n{root}\n",
        "o\n" + "1" * 5000 + "\n{root}\n",
        "o\n0\n{root}\n",
        "o\n1\nAAAA\n",
        "o\n1\n{root} \n",
        "o\n1\n{loose}\n",
        "o\r\n1\r\n{root}\r\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    """Missing or empty lines, sizes and roots in any other spelling, and size 0 with a root make no checkpoint."""
    root = b64encode(b"\x01" * 32).decode()
    loose = root[:-2] + chr(ord(root[-2]) + 1) + "="  # spare bits that are not zero
    assert b64decode(loose) == b"\x01" * 32
    with pytest.raises(MalformedError) as caught:
        note.parse_checkpoint(text.format(root=root, loose=loose))
    assert caught.value.code == "CC-NOTE"


def test_edges_of_checkpoints() -> None:
    """Size 0 with the root of nothing, the largest size and extension lines are parsed, and format back."""
    for checkpoint in (
        Checkpoint("o", 0, sha256(b"").digest()),
        Checkpoint("o", 2**63 - 1, bytes(32)),
        Checkpoint("go.sum database tree", 1, bytes(32), ("one", "two")),
    ):
        assert note.parse_checkpoint(note.format_checkpoint(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, bytes(32)),
        Checkpoint("o\n2", 1, bytes(32)),
        Checkpoint("o\x00", 1, bytes(32)),
        Checkpoint("o\ud800", 1, bytes(32)),
        Checkpoint("o", -1, bytes(32)),
        Checkpoint("o", 2**63, bytes(32)),
        Checkpoint("o", 0, bytes(32)),
        Checkpoint("o", 1, bytes(31)),
        Checkpoint("o", 1, bytes(32), ("",)),
        Checkpoint("o", 1, bytes(32), ("a\nb",)),
        Checkpoint("not a key name", 1, bytes(32)),
        Checkpoint("a+b", 1, bytes(32)),
    ],
)
def test_what_cannot_be_sealed(checkpoint: Checkpoint) -> None:
    """Nothing is signed that could not be parsed again to the same values."""
    with pytest.raises(MalformedError) as caught:
        note.sign_checkpoint(checkpoint, KEY)
    assert caught.value.code == "CC-NOTE"


def test_what_cannot_be_a_note() -> None:
    """A text without its newline, no signature, and a key id of another length are refused on writing too."""
    good = NoteSignature("a", bytes(4), bytes(64))
    for bad in (
        Note("text", (good,)),
        Note("", (good,)),
        Note("text\n", ()),
        Note("text\n", (NoteSignature("a", bytes(3), bytes(64)),)),
        Note("text\n", (NoteSignature("a b", bytes(4), bytes(64)),)),
        Note("text\n", (NoteSignature("", bytes(4), bytes(64)),)),
        Note("text\n", (NoteSignature("a", bytes(4), b""),)),
    ):
        with pytest.raises(MalformedError) as caught:
            note.format_note(bad)
        assert caught.value.code == "CC-NOTE"


def test_keys_that_prove_nothing_are_no_verifier_keys() -> None:
    """A low-order key, for which one signature fits every note, cannot be configured."""
    neutral = b"\x01\x01" + bytes(31)
    text = f"{NAME}+{note.key_hash(NAME, neutral).hex()}+{b64encode(neutral).decode()}"
    with pytest.raises(MalformedError, match="low order") as caught:
        note.parse_vkey(text)
    assert caught.value.code == "CC-KEY"
