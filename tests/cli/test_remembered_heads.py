"""What `verify` remembers between two runs, and what it says when a ledger is not what it was."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Cli


def test_a_first_verify_says_that_it_had_nothing_to_compare_with(village: Cli) -> None:
    """A file alone cannot show that blocks were cut off its end; the first verify is 0 and says so."""
    assert "No earlier head" in village.run("verify").stderr
    assert "No earlier head" not in village.run("verify").stderr


def test_a_rollback_is_8_whatever_the_path(village: Cli) -> None:
    """A ledger that became shorter is seen, under its own name and as a copy, and the memory is never lowered."""
    older = village.ledger.read_bytes()
    village.ok("donate", "edu", "1")
    village.ok("verify")
    newer = village.ledger.read_bytes()
    village.ledger.write_bytes(older)
    for _ in range(2):
        assert "block 2" in village.fails(8, "verify")
    copy = village.work / "copy.bin"
    copy.write_bytes(older)
    village.fails(8, "verify", copy)
    village.ledger.write_bytes(newer)
    village.ok("verify")
    other = Cli.run(village, "verify", XDG_STATE_HOME=str(village.folder / "another"))
    assert other.returncode == 0


def test_another_ledger_at_a_known_path_is_1_until_init_pins_anew(village: Cli) -> None:
    """Who swaps the file is found out; the operator who makes a new ledger there on purpose is not."""
    village.ok("verify")
    village.init("w.ledger", "village.example/2027")
    first = village.ledger.read_bytes()
    village.ledger.write_bytes((village.work / "w.ledger").read_bytes())
    assert "CC-IDENTITY" in village.run("verify", "v.ledger").stdout
    assert "another ledger stood" in village.run("status", "-l", "v.ledger").stderr
    village.fails(1, "verify", "v.ledger")
    village.ledger.write_bytes(first)
    village.ok("verify", "v.ledger")
    for path in village.work.glob("v.ledger*"):
        path.unlink()
    village.ok("init", "v.ledger", "--origin", "new.example", "--no-passphrase")
    village.ok("verify", "v.ledger")


def _checkpoint(cli: Cli, ledger: str | Path, name: str) -> Path:
    path = cli.work / name
    path.write_text(cli.json("verify", ledger)["checkpoint"])
    return path


def test_a_checkpoint_is_compared_with_the_ledger(village: Cli) -> None:
    """A checkpoint of the past or the present is 0, of blocks that are not here 8, a forged or foreign one 1."""
    older = village.ledger.read_bytes()
    past = _checkpoint(village, "v.ledger", "past")
    village.ok("donate", "edu", "1")
    present = _checkpoint(village, "v.ledger", "present")
    for checkpoint in (past, present):
        assert "extends" in village.run("verify", "v.ledger", "--checkpoint", checkpoint).stderr
        village.ok("verify", "v.ledger", "--checkpoint", checkpoint)
    short = village.work / "short.ledger"
    short.write_bytes(older)
    fresh = {"XDG_STATE_HOME": str(village.folder / "elsewhere")}
    assert "3 blocks" in village.fails(8, "verify", short, "--checkpoint", present, **fresh)

    text = present.read_text()
    forged = village.work / "forged"
    lines = text.split("\n")
    lines[2] = "A" * 43 + "="  # another root under the same signature
    forged.write_text("\n".join(lines))
    village.fails(1, "verify", "v.ledger", "--checkpoint", forged)
    village.init("w.ledger", "village.example/2026")
    foreign = _checkpoint(village, "w.ledger", "foreign")  # same origin, another key
    village.fails(1, "verify", "v.ledger", "--checkpoint", foreign)
    for content in ("", "nonsense", text[:-10], "x" * 2_000_000):
        forged.write_text(content)
        village.fails(3, "verify", "v.ledger", "--checkpoint", forged)
    village.fails(3, "verify", "v.ledger", "--checkpoint", "nowhere")


def test_two_histories_of_one_key_are_1(village: Cli) -> None:
    """A fork signed by the operator is found by whoever saw the other side."""
    mark = next(village.keys.glob("*.mark"))
    before, marked = village.ledger.read_bytes(), mark.read_bytes()
    village.ok("donate", "edu", "1", "--id", "D-2")
    village.ok("verify")
    kept = _checkpoint(village, "v.ledger", "kept")
    village.ledger.write_bytes(before)
    mark.write_bytes(marked)
    village.ok("donate", "edu", "2", "--id", "D-3")
    village.ok("donate", "edu", "3", "--id", "D-4")
    assert "CC-FORK" in village.run("verify").stdout
    village.fails(1, "verify")
    fresh = {"XDG_STATE_HOME": str(village.folder / "elsewhere")}
    village.fails(1, "verify", "--checkpoint", kept, **fresh)
    village.ok("verify", **fresh)  # who never saw the other side cannot know


def test_questions_are_compared_with_what_was_verified(village: Cli) -> None:
    """A file that became shorter or forked answers with a warning; recording says it no more than once."""
    mark = next(village.keys.glob("*.mark"))
    before, marked = village.ledger.read_bytes(), mark.read_bytes()
    village.ok("donate", "edu", "1", "--id", "D-2")
    village.ok("verify")
    assert not village.run("trace", "D-2").stderr
    village.ledger.write_bytes(before)
    mark.write_bytes(marked)
    for command in (["trace", "D-1"], ["balance"], ["trace", "D-1", "--at-height", "1"], ["receipt", "make", "D-1"]):
        done = village.run(*command)
        assert done.returncode == 0 and done.stderr.count("has seen block 2 of this ledger") == 1, (command, done)
    for amount in ("2", "3"):
        done = village.run("donate", "edu", amount)
        assert done.returncode == 0 and done.stderr.count("Warning") <= 1
    for command in (["trace", "D-1"], ["show", "D-1"], ["trace", "D-1", "--at-height", "1"]):
        done = village.run(*command)
        assert done.returncode == 0 and done.stderr.count("[CC-FORK]") == 1, (command, done)


def test_memory_that_cannot_be_read_is_said(village: Cli) -> None:
    """What is remembered is trust: a damaged file is told, and never taken for nothing known."""
    village.ok("verify")
    head = next((village.home / "state" / "charitychain" / "heads").glob("*.json"))
    head.write_text("{")
    assert str(head) in village.fails(8, "verify")
    assert head.read_text() == "{"
    assert str(head) in village.run("trace", "D-1").stderr
