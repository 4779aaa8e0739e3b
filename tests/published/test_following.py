"""Following: a lying operator against people who remember what they saw, each at a terminal of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cli.conftest import Cli
from published.conftest import ORIGIN, Operator, Server

from charitychain import cosignature, note
from charitychain.chain.blocks import decode_block, encode_block
from charitychain.fetch import open_source
from charitychain.follow import follow
from charitychain.heads import Heads
from charitychain.keys import PrivateKey

Starter = Callable[[Path], Server]


@pytest.fixture
def ana(tmp_path: Path) -> Cli:
    (tmp_path / "ana").mkdir()
    return Cli(tmp_path / "ana")


@pytest.fixture
def ben(tmp_path: Path) -> Cli:
    (tmp_path / "ben").mkdir()
    return Cli(tmp_path / "ben")


def evidence_of(person: Cli, operator: Operator) -> dict[str, object]:
    """Return what the one evidence file in a person's folder proves to anybody."""
    (file,) = person.work.glob("fork-*.txt")
    found: dict[str, object] = json.loads(
        person.ok("evidence", "verify", file, "--operator-key", operator.vkey, "--json")
    )
    return found


def test_an_honest_operator_is_followed(operator: Operator, serve: Starter, ana: Cli) -> None:
    """First sight, growth, standstill: all 0, and what is known grows."""
    operator.publish()
    url = serve(operator.folder).url
    seen = json.loads(ana.ok("follow", url, "--operator-key", operator.vkey, "--json"))
    assert (seen["origin"], seen["blocks"], seen["known"], seen["shorter"]) == (ORIGIN, 3, 0, False)
    operator.give("D-2", "D-3")
    operator.publish()
    for known in (3, 5):
        said = ana.ok("follow", url, "--operator-key", operator.vkey)
        assert said == f"{ORIGIN}: 5 blocks, beginning with the {known} known before\n"
    assert not list(ana.work.iterdir())


def test_the_ledgers_own_word_on_its_key_is_named_as_such(operator: Operator, ana: Cli) -> None:
    """Who names no key is told once that the ledger named it."""
    operator.publish()
    assert "taken from the ledger itself" in ana.run("follow", operator.folder).stderr
    assert ana.run("follow", operator.folder).stderr == ""
    assert ana.run("follow", operator.folder, "--operator-key", operator.vkey).stderr == ""


def test_a_rollback_is_told_each_time(operator: Operator, ana: Cli) -> None:
    """Fewer blocks than before are exit code 8, and what is remembered is not lowered."""
    operator.publish()
    older = (operator.folder / "checkpoint").read_bytes()
    operator.give("D-2")
    operator.publish()
    newer = (operator.folder / "checkpoint").read_bytes()
    ana.ok("follow", operator.folder)
    (operator.folder / "checkpoint").write_bytes(older)
    for _ in range(2):
        assert "taken back" in ana.fails(8, "follow", operator.folder)
    (operator.folder / "checkpoint").write_bytes(newer)
    ana.ok("follow", operator.folder)


@pytest.mark.parametrize("more", [0, 1, 3])
@pytest.mark.parametrize("dropped", [True, False])
def test_a_rewritten_block_is_a_fork_with_evidence(
    operator: Operator, ana: Cli, serve: Starter, dropped: bool, more: int
) -> None:
    """A gift is dropped, or made smaller, and everything after it sealed anew: followers have the proof at once."""
    operator.give("D-2", "D-3")
    operator.publish()
    url = serve(operator.folder).url
    ana.ok("follow", url)
    shutil.rmtree(operator.folder)
    liar = restored(operator)
    liar.give("D-3" if dropped else "D-2", amount="5.00" if dropped else "4.00")
    liar.give(*(f"E-{number}" for number in range(1 + more)))
    liar.publish(operator.folder)
    told = ana.fails(1, "follow", url)
    assert "CC-FORK" in told and "two histories were signed" in told
    proved = evidence_of(ana, operator)
    assert (proved["origin"], proved["blocks"], proved["other_blocks"]) == (ORIGIN, 5, 5 + more)
    assert proved["root"] != proved["other_root"]
    assert "CC-FORK" in ana.fails(1, "follow", url)  # and so it stays


def restored(operator: Operator) -> Operator:
    """Return the operator as of block 2, with the mark beside the key set back: all that the key's holder can do."""
    liar = object.__new__(Operator)
    liar.base = operator.base / "liar"
    liar.base.mkdir()
    liar.path, liar.keys, liar.folder = liar.base / "v.ledger", liar.base / "keys", liar.base / "public"
    shutil.copytree(operator.keys, liar.keys)
    for mark in liar.keys.glob("*.mark"):
        mark.unlink()
    from charitychain.store.file import open_file

    with open_file(operator.path) as store:
        ends = [frame.end for frame in store.scan()]
    liar.path.write_bytes(operator.path.read_bytes()[: ends[2]])
    return liar


def test_two_histories_for_two_people_come_out_when_they_compare(
    operator: Operator, ana: Cli, ben: Cli, serve: Starter
) -> None:
    """Each alone sees nothing wrong; one checkpoint handed over is enough, and the evidence convinces a third."""
    other = operator.twin("other")
    operator.give("D-2", "D-3")
    other.give("E-2", "E-3", "E-4")
    operator.publish()
    other.publish()
    for person, history in ((ana, operator), (ben, other)):
        person.ok("follow", serve(history.folder).url, "--operator-key", operator.vkey)
        person.ok("verify", history.folder)
    shutil.copy(operator.folder / "checkpoint", ben.work / "from-ana.txt")
    told = ben.fails(1, "checkpoint", "verify", "from-ana.txt", "--ledger", other.folder, "--evidence-to", "proof.txt")
    assert "two histories were signed" in told
    said = ana.ok("evidence", "verify", ben.work / "proof.txt", "--operator-key", operator.vkey)
    assert said.startswith(f"{ORIGIN}: two histories were signed\n  one of 5 blocks")
    stranger = note.vkey(ORIGIN, PrivateKey.from_seed(bytes(32)).public_key)
    ana.fails(1, "evidence", "verify", ben.work / "proof.txt", "--operator-key", stranger)
    ana.fails(3, "evidence", "verify", ben.work / "from-ana.txt", "--operator-key", operator.vkey)
    ana.fails(2, "evidence", "verify", ben.work / "proof.txt")


def test_verify_writes_evidence_too(operator: Operator, ana: Cli) -> None:
    """Remembered heads and a checkpoint that somebody kept give the same proof, where a file is named for it."""
    liar = operator.twin("other")
    operator.give("D-2")
    liar.give("E-2", "E-3")
    ana.ok("verify", operator.path)
    ana.fails(1, "verify", liar.path, "--evidence-to", "one.txt")
    shutil.copy(operator.path, ana.work / "mine.ledger")
    ana.ok("checkpoint", "save", "kept.txt", "--ledger", "mine.ledger")
    fresh = {"XDG_STATE_HOME": str(ana.folder / "elsewhere")}
    ana.fails(1, "verify", liar.path, "--checkpoint", "kept.txt", "--evidence-to", "two.txt", **fresh)
    assert (ana.work / "one.txt").read_bytes() == (ana.work / "two.txt").read_bytes()
    ana.ok("evidence", "verify", "one.txt", "--operator-key", operator.vkey)


def test_publish_writes_evidence_too(operator: Operator, ana: Cli) -> None:
    """An operator whose backup went on by itself is not let publish, and has the proof in hand."""
    liar = operator.twin("other")
    operator.give("D-2")
    operator.publish()
    liar.give("E-2", "E-3")
    assert "two histories" in ana.fails(1, "publish", operator.folder, "--ledger", liar.path)
    assert evidence_of(ana, operator)["blocks"] == 4


def test_evidence_is_not_written_over_something_else(operator: Operator, ana: Cli) -> None:
    """A file that stands there stays, and the fork is told all the same."""
    liar = operator.twin("other")
    operator.give("D-2")
    operator.publish()
    liar.give("E-2")
    (ana.work / "mine.txt").write_text("mine")
    told = ana.fails(1, "publish", operator.folder, "--ledger", liar.path, "--evidence-to", "mine.txt")
    assert "could not be written" in told and "CC-CHECKPOINT" in told
    assert (ana.work / "mine.txt").read_text() == "mine"


def test_a_checkpoint_by_nobody_who_is_believed_is_1(operator: Operator, ana: Cli) -> None:
    """Another key's word is none: not on first sight, not later, and it is never remembered."""
    operator.publish()
    good = (operator.folder / "checkpoint").read_bytes()
    told = note.parse_checkpoint(note.parse_note(good).text)
    stranger = PrivateKey.from_seed(bytes(32))
    forged = note.sign_checkpoint(told, stranger)
    (operator.folder / "checkpoint").write_bytes(forged)
    for args in ([], ["--operator-key", operator.vkey]):
        assert "CC-SEAL" in ana.fails(1, "follow", operator.folder, *args)
    (operator.folder / "checkpoint").write_bytes(good)
    ana.ok("follow", operator.folder)
    (operator.folder / "checkpoint").write_bytes(note.sign_checkpoint(note.Checkpoint(ORIGIN, 3, bytes(32)), stranger))
    ana.fails(1, "follow", operator.folder, "--operator-key", operator.vkey)
    (operator.folder / "checkpoint").write_bytes(good)
    ana.ok("follow", operator.folder)


def test_a_mistyped_key_is_wrong_usage(operator: Operator, ana: Cli) -> None:
    """Whatever takes an operator's key says its form, before it looks at anything."""
    wrong = operator.vkey[:-2]
    for args in (["follow", operator.folder], ["evidence", "verify", "none"], ["promise", "check", "none"]):
        for key in ("nonsense", wrong):
            assert "NAME+HASH+BASE64" in ana.fails(2, *args, "--operator-key", key)
    ana.ok("witness", "init", "north", "north.example", "--no-passphrase")
    assert "NAME+HASH+BASE64" in ana.fails(2, "witness", "trust", "north", wrong)


def test_a_place_that_cannot_be_followed_is_named(operator: Operator, ana: Cli, serve: Starter) -> None:
    """Another scheme, a web page, and tiles that are missing or damaged are told; capitals are the same."""
    assert "only http, https and folders" in ana.fails(3, "follow", "ftp://x.example/")
    operator.publish()
    url = serve(operator.folder).url
    loud = url.replace("http://", "HTTP://")
    for command in (["follow"], ["verify"], ["trace", "D-1", "--ledger"]):
        ana.ok(*command, loud)
    tile = operator.folder / "tile/0/000.p/3"
    data = tile.read_bytes()
    tile.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
    assert f"{url}/tile" in ana.fails(1, "follow", url)
    tile.unlink()
    assert f"there is no {url}/tile/0/000.p/3" in ana.fails(3, "follow", url)
    page = "<html>\n" + "a" * 900 + "\n\n\u2014 " + "é" * 900 + "+ AAAA\n"
    (operator.folder / "checkpoint").write_text(page)
    told = ana.fails(3, "follow", url)
    assert f"{url}/checkpoint is no signed checkpoint" in told and r"'\xe9\xe9" in told and len(told) < 300


def test_files_that_do_not_lead_to_the_checkpoint_are_1_and_missing_ones_3(operator: Operator, ana: Cli) -> None:
    """A signed checkpoint whose tiles are not its own is not believed, and nothing is remembered of it."""
    operator.publish()
    ana.ok("follow", operator.folder)
    operator.give("D-2")
    operator.publish()
    for path in ("tile/0/000.p/4", "block/000"):
        file = operator.folder / path
        data = file.read_bytes()
        file.write_bytes(data[:50] + bytes((data[50] ^ 1,)) + data[51:])
        ana.fails(1, "follow", operator.folder)
        file.unlink()
        ana.fails(3, "follow", operator.folder)
        file.write_bytes(data)
    assert "beginning with the 3 known" in ana.ok("follow", operator.folder)


def test_a_genesis_record_of_somebody_else_is_1(operator: Operator, ana: Cli) -> None:
    """A strange key under the first header's own identity is not believed, though nobody named another."""
    operator.publish()
    file, checkpoint = operator.folder / "block/000", operator.folder / "checkpoint"
    stranger = PrivateKey.from_seed(bytes(32))
    block = decode_block(file.read_bytes())
    assert block.genesis is not None
    file.write_bytes(encode_block(replace(block, genesis=replace(block.genesis, key=stranger.public_key))))
    told = note.parse_checkpoint(note.parse_note(checkpoint.read_bytes()).text)
    checkpoint.write_bytes(note.sign_checkpoint(told, stranger))
    assert "CC-GENESIS" in ana.fails(1, "follow", operator.folder)


def test_who_is_not_there_is_3(ana: Cli, operator: Operator) -> None:
    """Unreachable, no address, no folder: exit code 3; contradicting options: 2."""
    for place in ("http://127.0.0.1:1/", "http://nobody.invalid", "nowhere"):
        ana.fails(3, "follow", place)
    ana.fails(2, "follow", "nowhere", "--once", "--every", "5")


def test_another_ledger_at_the_place_is_1(operator: Operator, ana: Cli, tmp_path: Path) -> None:
    """A new ledger of the same name under the same roof is not taken for the old one."""
    operator.publish()
    ana.ok("follow", operator.folder)
    shutil.rmtree(operator.folder)
    (tmp_path / "second").mkdir()
    second = Operator(tmp_path / "second")
    second.give("D-1")
    second.publish(operator.folder)
    assert "CC-IDENTITY" in ana.fails(1, "follow", operator.folder)


def test_a_policy_asks_for_witnesses(operator: Operator, ana: Cli) -> None:
    """Too few cosignatures are exit code 8 and not remembered; with them, the log is followed by the policy's key."""
    witness = PrivateKey.from_seed(b"w" * 32)
    vkey = cosignature.vkey("witness.example", witness.public_key)
    policy = ana.work / "policy.txt"
    policy.write_text(f"log {operator.vkey}\nwitness w {vkey}\nquorum w\n")
    operator.publish()
    checkpoint = operator.folder / "checkpoint"
    seal = checkpoint.read_bytes()
    for _ in range(2):
        assert "witness w has not cosigned" in ana.fails(8, "follow", operator.folder, "--policy", policy)
    checkpoint.write_bytes(
        cosignature.add_lines(seal, cosignature.cosign(seal, "witness.example", witness, 1_767_139_200))
    )
    assert "first time" in ana.ok("follow", operator.folder, "--policy", policy)
    assert "the 3 known before" in ana.ok("follow", operator.folder, "--policy", policy)
    policy.write_text(policy.read_text().replace(operator.vkey, note.vkey(ORIGIN, witness.public_key)))
    ana.fails(1, "follow", operator.folder, "--policy", policy)


def test_following_goes_on_until_it_is_interrupted(operator: Operator, ana: Cli) -> None:
    """With --every it looks again, tells each look as a line, and goes on when the place is away for a while."""
    import signal

    operator.publish()
    process = ana.start("follow", operator.folder, "--every", "1", "--json")
    try:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["known"] == 0
        operator.folder.rename(operator.base / "away")
        assert any(b"CC-NOT-A-LEDGER" in line for line in iter(process.stderr.readline, b""))
        (operator.base / "away").rename(operator.folder)
        operator.give("D-2")
        operator.publish()
        lines = iter(process.stdout.readline, b"")
        assert any(json.loads(line)["blocks"] == 4 for line in lines)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130


def test_a_follower_needs_little(long: Operator, tmp_path: Path) -> None:
    """To follow 527 blocks it reads the checkpoint, block 0 and a few tiles, not the ledger."""
    long.publish()
    asked: list[str] = []
    source = open_source(str(long.folder))
    real = source.get
    source.get = lambda path, limit: (asked.append(path), real(path, limit))[1]  # type: ignore[method-assign]
    heads = Heads(tmp_path / "state")
    follow(source, heads, tmp_path / "pin")
    assert len(asked) == len(set(asked)) <= 6
    long.give("N-1")
    long.publish()
    asked.clear()
    seen = follow(source, heads, tmp_path / "pin")
    assert (seen.blocks, seen.known) == (528, 527) and len(asked) <= 8
    known = heads.head(seen.identity)
    assert known is not None and known.height == 527
    block = decode_block((long.folder / "block/527").read_bytes())
    assert known.block_hash == block.header.hash()
