"""``receipt`` and ``challenge``: what is written, what it says by itself, and what a file that lies is told."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Cli

from charitychain import note
from charitychain.cosignature import add_lines, cosign, vkey
from charitychain.keys import PrivateKey
from charitychain.receipts.wire import decode_receipt, encode_receipt


@pytest.fixture
def book(village: Cli) -> Cli:
    """Two gifts, of which one is partly spent; and a batch of three."""
    village.ok("donate", "edu", "100", "--id", "D-1x")
    village.ok("donate", "edu", "60", "--id", "D-2x")
    village.ok("disburse", "edu", "school", "130", "--id", "B-1x")
    village.ok("spend", "school", "110", "--payee", "Corner Books", "--purpose", "books", "--id", "X-1x")
    (village.work / "gifts.csv").write_text("id,amount\n7,1.50\n8,2.00\n11,3.25\n")
    village.ok("import", "gifts.csv", "--account", "edu", "--series", "S")
    return village


def without_ledger(book: Cli) -> None:
    """Take everything away but the receipts."""
    for path in book.work.glob("v.ledger*"):
        path.rename(book.folder / path.name)


def test_a_receipt_says_what_the_ledger_says_with_no_ledger_there(book: Cli) -> None:
    """Of single gifts and of one in a batch; in both forms; the file is named for the gift."""
    told = {gift: book.json("trace", gift) for gift in ("D-1x", "D-2x", "S/8")}
    assert [row["file"] for row in book.json("receipt", "make", *told)] == ["D-1x.ccr", "D-2x.ccr", "S-8.ccr"]
    assert book.json("receipt", "make", "S/8", "--text", "-o", "mail.txt")[0]["file"] == "mail.txt"
    without_ledger(book)
    for gift, file in (("D-1x", "D-1x.ccr"), ("D-2x", "D-2x.ccr"), ("S/8", "S-8.ccr"), ("S/8", "mail.txt")):
        found = book.json("receipt", "verify", file)
        assert found.pop("receipt")["holds"]
        assert found == told[gift]
    mail = (book.work / "mail.txt").read_text()
    (book.work / "quoted.txt").write_text("See:\r\n" + "\r\n".join("> " + line for line in mail.splitlines()))
    book.ok("receipt", "verify", "quoted.txt")


def test_gifts_that_are_not_there_are_told_and_the_others_written(book: Cli) -> None:
    """Exit code 4; a file that is there is never written over."""
    assert "CC-UNKNOWN-GIFT" in book.fails(4, "receipt", "make", "D-9", "D-1x", "-o", ".")
    assert (book.work / "D-1x.ccr").exists()
    assert "CC-EXISTS" in book.fails(7, "receipt", "make", "D-1x")
    book.fails(2, "receipt", "make")
    book.fails(2, "receipt", "make", "D-1x", "--account", "edu")
    book.fails(2, "receipt", "make", "D-1x", "--movements", "1-2")


def test_what_was_changed_proves_nothing(book: Cli) -> None:
    """A damaged file is exit code 1, what is no receipt 3; no escape sequence of it reaches the terminal."""
    book.ok("receipt", "make", "D-1x")
    data = (book.work / "D-1x.ccr").read_bytes()
    for at in range(8, len(data), 97):
        (book.work / "bad.ccr").write_bytes(data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :])
        assert "CC-RECEIPT" in book.fails(1, "receipt", "verify", "bad.ccr")
    for junk in (b"", b"\x1b[2J", data[:-9][4:], b"nothing of a receipt\n" * 9):
        (book.work / "bad.ccr").write_bytes(junk)
        assert "\x1b" not in book.fails(3, "receipt", "verify", "bad.ccr")
    book.fails(3, "receipt", "verify", "not-there.ccr")


def test_the_key_and_the_checkpoint_that_one_trusts_decide(book: Cli) -> None:
    """Another key or another history: exit code 1; a checkpoint of another size cannot be compared: 8."""
    book.ok("checkpoint", "save", "then.txt")
    book.ok("receipt", "make", "D-1x")
    (own,) = book.json("checkpoint", "key")["keys"]
    book.ok("receipt", "verify", "D-1x.ccr", "--operator-key", own, "--checkpoint", "then.txt")
    other = PrivateKey.from_seed(bytes(32))
    told = note.parse_checkpoint(note.parse_note((book.work / "then.txt").read_bytes()).text)
    another = note.vkey(told.origin, other.public_key)
    assert "CC-RECEIPT" in book.fails(1, "receipt", "verify", "D-1x.ccr", "--operator-key", another)
    fake = note.sign_checkpoint(note.Checkpoint(told.origin, told.size, b"x" * 32, ()), other)
    (book.work / "fake.txt").write_bytes(fake)
    assert "is not signed by the operator" in book.fails(1, "receipt", "verify", "D-1x.ccr", "--checkpoint", "fake.txt")
    assert "NAME+HASH+BASE64" in book.fails(2, "receipt", "verify", "D-1x.ccr", "--operator-key", "nonsense")
    book.ok("donate", "edu", "1", "--id", "D-more")
    book.ok("checkpoint", "save", "now.txt")
    assert "receipt update" in book.fails(8, "receipt", "verify", "D-1x.ccr", "--checkpoint", "now.txt")
    book.ok("receipt", "update", "D-1x.ccr")
    for kept in ("then.txt", "now.txt"):
        book.ok("receipt", "verify", "D-1x.ccr", "--checkpoint", kept)


def test_two_histories_are_told_with_both_signatures(book: Cli) -> None:
    """A checkpoint that the operator signed over other blocks of the same number convicts it."""
    shutil.copy(book.ledger, book.work / "other.copy")
    book.ok("donate", "edu", "1", "--id", "D-here")
    book.ok("receipt", "make", "D-1x")
    for mark in book.keys.glob("*.mark"):
        mark.unlink()
    book.ok("donate", "edu", "2", "--id", "D-there", "--ledger", "other.copy")
    book.ok("checkpoint", "save", "fork.txt", "--ledger", "other.copy")
    assert "two were signed" in book.fails(1, "receipt", "verify", "D-1x.ccr", "--checkpoint", "fork.txt")


def test_a_receipt_is_brought_forward_and_its_past_stands(book: Cli) -> None:
    """Through several heads; what was held goes on; an older copy keeps it as it is."""
    book.ok("receipt", "make", "D-2x")
    shutil.copy(book.ledger, book.work / "older.copy")
    for number in range(3):
        book.ok("spend", "school", "5", "--payee", "P", "--purpose", "pens", "--id", f"X-more-{number}")
        facts = book.json("receipt", "update", "D-2x.ccr")
        assert facts["to"] == facts["from"] + 1
        found = book.json("receipt", "verify", "D-2x.ccr")
        told = {"X-more-0": "2.50", "X-more-1": "5.00", "X-more-2": "5.00"}
        assert {use["id"]: use["amount"] for use in found["uses"]} == dict(list(told.items())[: number + 1])
    before = (book.work / "D-2x.ccr").read_bytes()
    book.fails(8, "receipt", "update", "D-2x.ccr", "--ledger", "older.copy")
    assert (book.work / "D-2x.ccr").read_bytes() == before
    book.ok("init", "other.ledger", "--origin", "v.example", "--no-passphrase", "--keys", "elsewhere")
    assert "CC-RECEIPT" in book.fails(1, "receipt", "update", "D-2x.ccr", "--ledger", "other.ledger")


def test_a_statement_of_account_shows_balance_and_movements(book: Cli) -> None:
    """All sums, and as many movements as were asked for; a range that the log does not have is refused."""
    book.ok("receipt", "make", "--account", "school", "--movements", "0-1", "-o", "school.ccr")
    book.ok("receipt", "make", "--account", "edu", "-o", "edu.ccr")
    without_ledger(book)
    found = book.json("receipt", "verify", "school.ccr")["receipt"]
    assert (found["balance"], found["sums"]["in"], found["count"]) == ("20.00", "130.00", 2)
    assert [(row["what"], row["amount"], row["record"]) for row in found["movements"]] == [
        ("received", "130.00", "B-1x"), ("spent", "110.00", "X-1x"),
    ]  # fmt: skip
    assert book.json("receipt", "verify", "edu.ccr")["receipt"]["balance"] == "49.25"


def test_a_statement_of_what_is_not_there_is_refused(book: Cli) -> None:
    """An unknown account, and movements beyond the log."""
    assert "CC-UNKNOWN-ACCOUNT" in book.fails(4, "receipt", "make", "--account", "nothing")
    assert "CC-RECEIPT" in book.fails(7, "receipt", "make", "--account", "school", "--movements", "0-2")
    book.fails(2, "receipt", "make", "--account", "school", "--movements", "some")


def test_single_facts_are_asked_for_and_checked(book: Cli) -> None:
    """The movements of a record, the source of an inflow, a movement by its number; kept, they check again."""
    rows = book.json("challenge", "record", "B-1x", "-o", "answer.ccr")["movements"]
    assert [(row["account"], row["what"]) for row in rows] == [("edu", "disbursed"), ("school", "received")]
    assert book.json("receipt", "verify", "answer.ccr")["receipt"]["movements"] == rows
    assert book.json("challenge", "inflow", "school", "0")["movements"] == rows
    assert book.json("challenge", "leaf", "school", "1")["movements"][0]["record"] == "X-1x"
    assert book.json("challenge", "record", "D-1x")["donation"] == "D-1x"
    assert book.json("challenge", "record", "S/11")["amount"] == "3.25"
    assert book.json("challenge", "record", "edu")["movements"] == []
    book.fails(4, "challenge", "record", "X-9")
    book.fails(7, "challenge", "inflow", "school", "1")
    book.fails(7, "challenge", "leaf", "school", "9")


def test_a_receipt_goes_on_into_another_ledger(book: Cli) -> None:
    """It tells what `trace --with` tells; a receipt of units that are not this gift's cannot be put in its place."""
    (book.work / "there").mkdir()
    there = ("--ledger", "there/c.ledger")
    book.ok("init", "there/c.ledger", "--origin", "charity.example", "--no-passphrase")
    book.ok("account", "open", "fund", "--unit", "CNY", *there)
    for number, amount in ((1, "25"), (2, "20")):
        book.ok("send", "edu", amount, "--to", "there/c.ledger", "--id", f"S-{number}")
        book.ok("receive", f"S-{number}", "fund", "--from", "v.ledger", "--id", f"R-{number}", *there)
    book.ok("spend", "fund", "44", "--payee", "P", "--purpose", "pens", "--id", "X-c", *there)
    told = {gift: book.json("trace", gift, "--with", "there/c.ledger") for gift in ("D-2x", "S/7")}
    assert [_uses(trace) for trace in told.values()] == [{"X-c": "42.50"}, {"X-c": "1.50"}]
    book.ok("receipt", "make", *told, "--with", "there/c.ledger", "-o", ".")
    book.ok("receipt", "make", "D-2x", "-o", "alone.ccr")
    (own,) = book.json("checkpoint", "key")["keys"]
    book.ok("receipt", "verify", "D-2x.ccr", "--operator-key", own)
    assert "It is kept" in book.fails(8, "receipt", "update", "D-2x.ccr")
    book.ok("receipt", "update", "D-2x.ccr", "--with", "there/c.ledger")
    book.ok("receipt", "make", "R-1", *there)
    assert _uses(book.json("trace", "D-2x", "--with", "R-1.ccr")) == {"X-c": "25.00"}
    for gift, file in (("D-2x", "D-2x.ccr"), ("S/7", "S-7.ccr")):
        found = book.json("receipt", "verify", file)
        assert _uses(found) == _uses(told[gift])
    assert "received" not in book.json("receipt", "verify", "alone.ccr")["sent"][0]
    other = decode_receipt((book.work / "D-2x.ccr").read_bytes())
    for doubled in ((*other.others, other.others[0]), tuple((data, ()) for data, _ in other.others)):
        (book.work / "bad.ccr").write_bytes(encode_receipt(replace(other, others=doubled)))
        assert "CC-RECEIPT" in book.fails(1, "receipt", "verify", "bad.ccr")
    stranger = decode_receipt((book.work / "S-7.ccr").read_bytes())
    (book.work / "bad.ccr").write_bytes(encode_receipt(replace(stranger, others=other.others)))
    assert "CC-RECEIPT" in book.fails(1, "receipt", "verify", "bad.ccr")


def test_a_key_that_an_identity_does_not_bind_has_to_be_given(book: Cli) -> None:
    """Anybody can make up a ledger behind a public identity; so a replaced key of another ledger is asked for."""
    there = ("--ledger", "there/c.ledger")
    (book.work / "there").mkdir()
    book.ok("init", "there/c.ledger", "--origin", "charity.example", "--no-passphrase")
    book.ok("account", "open", "fund", "--unit", "CNY", *there)
    book.ok("send", "edu", "40", "--to", "there/c.ledger", "--id", "S-1")
    book.ok("receive", "S-1", "fund", "--from", "v.ledger", "--id", "R-1", *there)
    book.ok("key", "rotate", "self", *there)
    book.ok("donate", "fund", "1", *there)
    book.ok("receipt", "make", "D-2x", "--with", "there/c.ledger")
    (own,), (its,) = (book.json("checkpoint", "key", *where)["keys"] for where in ((), there))
    args = ("receipt", "verify", "D-2x.ccr", "--operator-key", own)
    assert "not the first key of its ledger" in book.fails(8, *args)
    assert book.json(*args, "--operator-key", its)["receipt"]["ledgers"][0]["operator_key"] == its


def test_what_was_sent_and_taken_back_is_no_other_past(book: Cli) -> None:
    """A sending that nobody received is reversed, in the open; the receipt is brought forward."""
    book.ok("send", "edu", "40", "--to", "ab" * 32, "--id", "S-1")
    book.ok("receipt", "make", "D-2x", "--text", "-o", "sent.txt")
    book.ok("reverse", "S-1", "--reason", "nobody received it")
    book.ok("receipt", "update", "sent.txt")
    assert (book.work / "sent.txt").read_bytes().startswith(b"-----BEGIN")
    assert "sent" not in book.json("receipt", "verify", "sent.txt")


def test_witnesses_and_auditors_stand_in_a_receipt_apart(book: Cli) -> None:
    """A policy that is met is good, one that is not is exit code 8; an auditor counts as no witness."""
    seal = book.ok("checkpoint", "show").encode()
    keys = [PrivateKey.from_seed(bytes((each,)) * 32) for each in range(3)]
    names = ("north.example", "south.example", "auditor.example")
    lines = b"".join(cosign(seal, name, key, 1_767_139_200) for name, key in list(zip(names, keys, strict=True))[::2])
    Path(f"{book.ledger}.cosigned").write_bytes(add_lines(seal, lines))
    book.ok("receipt", "make", "D-1x")
    vkeys = [vkey(name, key.public_key) for name, key in zip(names, keys, strict=True)]
    for quorum, code in (("any", 0), ("all", 8)):
        policy = f"witness n {vkeys[0]}\nwitness s {vkeys[1]}\ngroup g {quorum} n s\nquorum g\n"
        (book.work / "policy").write_text(policy)
        done = book.run("receipt", "verify", "D-1x.ccr", "--policy", "policy")
        assert done.returncode == code and ("needs 2 of 2" in done.stderr) == bool(code)
    book.ok("receipt", "verify", "D-1x.ccr", "--auditor-key", vkeys[2])
    assert "south.example" in book.fails(8, "receipt", "verify", "D-1x.ccr", "--auditor-key", vkeys[1])
    done = book.run("receipt", "verify", "D-1x.ccr", "--policy", "policy", "--auditor-key", vkeys[2], "--json")
    told = json.loads(done.stdout)["receipt"]
    assert (list(told["witnesses"]), list(told["auditors"])) == (["n"], ["auditor.example"])
    args = ("receipt", "verify", "D-1x.ccr", "--policy", "policy", "--auditor-key", vkeys[0])
    assert "CC-POLICY" in book.fails(7, *args)


def _uses(trace: dict[str, Any]) -> dict[str, str]:
    """Return what of a gift was used in the other ledger, by record."""
    parts = [part for sent in trace["sent"] for part in sent.get("received", ())]
    found = Counter[str]()
    for use in (use for part in parts for use in part["uses"]):
        found[use["id"]] += int(use["amount"].replace(".", ""))
    return {id_: f"{cents // 100}.{cents % 100:02}" for id_, cents in found.items()}
