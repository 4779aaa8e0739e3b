"""The commands by address: what people type, and the exit codes that scripts see."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Cli
from published.conftest import ORIGIN, Operator, Server

from charitychain import cosignature, note
from charitychain.keys import PrivateKey

Starter = Callable[[Path], Server]


@pytest.fixture
def person(tmp_path: Path) -> Cli:
    (tmp_path / "person").mkdir()
    return Cli(tmp_path / "person")


@pytest.fixture
def url(operator: Operator, serve: Starter) -> str:
    operator.publish()
    return serve(operator.folder).url


def test_commands_that_read_take_an_address(operator: Operator, url: str, person: Cli) -> None:
    """Trace, balance, show, log, status, export and checkpoint answer as from the file."""
    for command in (
        ["trace", "D-1", "--json"], ["balance", "--json"], ["show", "D-1", "--json"], ["log", "--json"],
        ["checkpoint", "show"], ["checkpoint", "key"], ["trace", "D-1", "--at-height", "2", "--json"],
    ):  # fmt: skip
        assert person.ok(*command, "--ledger", url) == person.ok(*command, "--ledger", operator.path), command
    assert person.run("trace", "D-1", CHARITYCHAIN_LEDGER=url).returncode == 0
    assert person.fails(4, "trace", "D-2", "--ledger", url)
    assert json.loads(person.ok("status", "--ledger", url, "--json"))["origin"] == ORIGIN


def test_verify_takes_an_address(operator: Operator, url: str, person: Cli) -> None:
    """It holds, is remembered, and is told as older, or as forked with evidence, when it is."""
    assert person.ok("verify", url).startswith(f"{url}: holds\n")
    older = (operator.folder / "checkpoint").read_bytes()
    other = operator.twin("other")
    operator.give("D-2")
    operator.publish()
    assert json.loads(person.ok("verify", url, "--json"))["height"] == 3
    newer = (operator.folder / "checkpoint").read_bytes()
    (operator.folder / "checkpoint").write_bytes(older)
    assert "4 were fetched from it before" in person.fails(8, "verify", url)
    assert "block 3" in person.fails(8, "verify", url, "--afresh")
    (operator.folder / "checkpoint").write_bytes(newer)
    person.ok("verify", url)
    other.give("E-1", "E-2")
    shutil.rmtree(operator.folder)
    other.publish(operator.folder)
    assert "CC-FORK" in person.fails(1, "verify", url, "--evidence-to", "fork.txt")
    person.ok("evidence", "verify", "fork.txt", "--operator-key", operator.vkey)
    assert "CC-FORK" in person.run("verify", url, "--afresh", "--evidence-to", "again.txt").stdout
    person.ok("evidence", "verify", "again.txt", "--operator-key", operator.vkey)


def test_verify_fetches_anew_before_it_calls_a_copy_bad(operator: Operator, url: str, person: Cli) -> None:
    """A block that came damaged, and was mended since, is no fault; one that stays damaged is."""
    file = operator.folder / "block/002"
    data = file.read_bytes()
    file.write_bytes(data[:200] + bytes((data[200] ^ 1,)) + data[201:])
    person.fails(1, "verify", url)
    person.fails(1, "trace", "D-1", "--ledger", url)
    file.write_bytes(data)
    person.ok("verify", url)
    person.ok("trace", "D-1", "--ledger", url)


def test_an_answer_is_compared_with_what_was_followed(operator: Operator, url: str, person: Cli) -> None:
    """Who remembers more is told of an older copy, once; of another history no question is answered."""
    other = operator.twin("other")
    other.give("D-2", "D-3")
    other.publish()
    person.ok("verify", other.folder)  # the longest history that this machine has seen
    for command in (["trace", "D-1"], ["balance"], ["show", "D-1"], ["balance", "--at-height", "1"]):
        done = person.run(*command, "--ledger", url)
        assert done.returncode == 0 and done.stderr.count("Warning") == 1, (command, done.stderr)
        assert f"this machine has seen block 4 of this ledger, and {url} ends at block 2" in done.stderr
    operator.give("E-1", "E-2", "E-3")
    operator.publish()
    for command in (["trace", "D-1"], ["balance"], ["show", "D-1"], ["sources", "E-1"], ["status"], ["log"]):
        done = person.run(*command, "--ledger", url)
        assert done.returncode == 1 and not done.stdout and f"{url} and what this" in done.stderr, (command, done)
    assert "CC-FORK" in person.fails(1, "trace", "D-1", "--at-height", "2", "--ledger", url)
    assert "CC-FORK" in person.fails(1, "receipt", "make", "D-1", "--ledger", url)
    done = person.run("publish", "public", "--ledger", operator.path)  # a file answers, and is told of
    assert done.returncode == 0 and done.stderr.count("[CC-FORK]") == 1
    other.give("D-4", "D-5")
    other.publish()
    assert "Warning" not in person.run("trace", "D-4", "--ledger", other.folder).stderr


def test_commands_that_write_do_not(operator: Operator, url: str, person: Cli) -> None:
    """Recording at an address is refused, with whatever keys; a new ledger is a file."""
    for place in (url, operator.folder):
        told = person.fails(7, "donate", "edu", "1.00", "--ledger", place, "--keys", operator.keys)
        assert "CC-PUBLISHED" in told
    person.fails(7, "publish", person.work / "x", "--ledger", url)
    person.fails(2, "init", url, "--origin", "x.example", "--no-passphrase")


def test_who_is_not_there_is_3(person: Cli) -> None:
    """Whoever cannot be reached is neither good nor bad."""
    for command in (["verify"], ["trace", "D-1", "--ledger"], ["follow"]):
        assert "CC-WEB" in person.fails(3, *command, "http://127.0.0.1:1/ledger")


def test_publish_says_what_it_did(operator: Operator, person: Cli) -> None:
    """A sentence, and the same facts for programs."""
    where = ["--ledger", operator.path]
    assert person.ok("publish", "public", *where) == "public holds 3 blocks, 3 of them new\n"
    assert json.loads(person.ok("publish", "public", *where, "--json")) == {
        "folder": "public", "blocks": 3, "new": 0, "files": 0,
    }  # fmt: skip


def test_publish_below_the_policy_is_7(operator: Operator, person: Cli) -> None:
    """Nothing is there afterwards; with the cosignature it is."""
    witness = PrivateKey.from_seed(b"w" * 32)
    vkey = cosignature.vkey("witness.example", witness.public_key)
    (person.work / "policy").write_text(f"log {operator.vkey}\nwitness w {vkey}\nquorum w\n")
    command = ["publish", "public", "--ledger", operator.path, "--policy", "policy"]
    assert "witness w has not cosigned" in person.fails(7, *command)
    assert not (person.work / "public").exists()
    seal = person.ok("checkpoint", "show", "--ledger", operator.path).encode()
    lines = cosignature.cosign(seal, "witness.example", witness, 1_767_139_200)
    operator.path.with_name("v.ledger.cosigned").write_bytes(cosignature.add_lines(seal, lines))
    person.ok(*command)
    checkpoint = (person.work / "public/checkpoint").read_bytes()
    assert len(note.parse_note(checkpoint).signatures) == 2
    person.fails(3, "publish", "public", "--ledger", operator.path, "--policy", "nowhere")
