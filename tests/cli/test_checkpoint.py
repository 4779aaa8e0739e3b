"""``checkpoint``: what is printed and kept, and what a copy that lies, or is older, is told."""

from __future__ import annotations

import shutil

from cli.conftest import Cli

from charitychain import note
from charitychain.keys import PrivateKey


def test_what_is_printed_is_a_checkpoint_under_the_printed_key(village: Cli) -> None:
    """Any client of transparency logs reads it: origin, size and root, signed by the key that `key` prints."""
    text = village.ok("checkpoint", "show")
    (vkey,) = village.json("checkpoint", "key")["keys"]
    told = note.parse_checkpoint(note.open_note(text.encode(), [note.parse_vkey(vkey)]).text)
    facts = village.json("checkpoint", "show")
    assert (told.origin, told.size, told.root.hex()) == (facts["origin"], facts["size"], facts["root"])
    assert facts["checkpoint"] == text and told.size == village.json("status")["height"] + 1
    assert village.ok("checkpoint", "key").splitlines()[-1].strip() == vkey


def test_a_kept_checkpoint_is_extended_and_replaced_by_later_ones(village: Cli) -> None:
    """Each later state begins with it; saving again goes forward only."""
    assert village.ok("checkpoint", "save", "kept.txt") == "kept.txt holds the checkpoint of 2 blocks\n"
    assert village.ok("checkpoint", "verify", "kept.txt") == (
        "this ledger of 2 blocks begins with the 2 blocks of kept.txt\n"
    )
    shutil.copy(village.ledger, village.work / "older.copy")
    for number in range(4):
        village.ok("donate", "edu", "1", "--id", f"D-more-{number}")
        assert village.json("checkpoint", "verify", "kept.txt") == {
            "file": "kept.txt", "known": 2, "blocks": 3 + number, "extends": True,
        }  # fmt: skip
    village.ok("checkpoint", "save", "kept.txt")
    assert "CC-OLDER" in village.fails(7, "checkpoint", "save", "kept.txt", "--ledger", "older.copy")
    village.fails(8, "checkpoint", "verify", "kept.txt", "--ledger", "older.copy")
    assert village.json("checkpoint", "verify", "kept.txt")["known"] == 6


def test_a_checkpoint_that_does_not_fit_is_told(village: Cli) -> None:
    """Of another history, another ledger, another key, or of nobody: exit code 1; what is none: 3."""
    kept, text = village.work / "kept.txt", village.ok("checkpoint", "show")
    key = PrivateKey.from_seed(bytes(32))
    told = note.parse_checkpoint(note.parse_note(text.encode()).text)
    forged = note.Checkpoint(told.origin, told.size - 1, b"x" * 32, ())
    kept.write_bytes(note.sign_checkpoint(forged, key))
    assert "is not signed by this ledger's operator" in village.fails(1, "checkpoint", "verify", "kept.txt")
    vkey = note.vkey(told.origin, key.public_key)
    assert "two histories were signed" in village.fails(1, "checkpoint", "verify", "kept.txt", "--operator-key", vkey)
    assert "CC-CHECKPOINT" in village.fails(1, "checkpoint", "save", "kept.txt")
    assert kept.read_bytes() == note.sign_checkpoint(forged, key)
    kept.write_text(text)
    village.ok("checkpoint", "verify", "kept.txt")
    assert "by the key that was given" in village.fails(1, "checkpoint", "verify", "kept.txt", "--operator-key", vkey)
    kept.write_bytes(note.sign_checkpoint(note.Checkpoint("other.example", 1, b"x" * 32, ()), key))
    assert "is a checkpoint of other.example" in village.fails(1, "checkpoint", "verify", "kept.txt")
    for junk in (b"", b"\x1b[2J", b"x\n" * 99):
        kept.write_bytes(junk)
        village.fails(3, "checkpoint", "verify", "kept.txt")
    village.fails(3, "checkpoint", "verify", "none.txt")
    assert "NAME+HASH+BASE64" in village.fails(2, "checkpoint", "verify", "kept.txt", "--operator-key", "nonsense")


def test_every_changed_byte_of_a_kept_checkpoint_is_found(village: Cli) -> None:
    """No byte of it can be changed so that it still holds and says something else."""
    from charitychain.checkpoints import check_extends
    from charitychain.errors import CharitychainError
    from charitychain.ledger import Ledger

    text = village.ok("checkpoint", "show").encode()
    with Ledger.open(village.ledger) as ledger:
        reader = ledger.reader()
        assert check_extends(reader, text, "it").known == reader.head.height + 1
        for at in range(len(text)):
            for bit in (1, 32):
                changed = text[:at] + bytes((text[at] ^ bit,)) + text[at + 1 :]
                try:
                    check_extends(reader, changed, "it")
                except CharitychainError:
                    continue
                raise AssertionError(f"byte {at}")
