"""``send``, ``receive``, ``succeed``, and ``--with``: from ledger to ledger on the command line."""

from __future__ import annotations

import pytest
from cli.conftest import Cli


@pytest.fixture
def two(cli: Cli) -> Cli:
    """Give p.ledger with the gift D-1 of 9.00 in edu, and c.ledger with the account books."""
    cli.init("p.ledger", "platform.example")
    cli.init("c.ledger", "charity.example")
    cli.ok("-l", "p.ledger", "account", "open", "edu", "--unit", "EUR")
    cli.ok("-l", "c.ledger", "account", "open", "books", "--unit", "EUR")
    cli.ok("-l", "p.ledger", "donate", "edu", "9.00", "--id", "D-1")
    return cli


def identity(cli: Cli, name: str) -> str:
    found: str = cli.json("-l", name, "status")["identity"]
    return found


def test_a_gift_is_followed_into_another_ledger(two: Cli) -> None:
    """Sent, received, spent there: the table and the JSON of a trace with both ledgers tell it."""
    sent = two.json("-l", "p.ledger", "send", "edu", "8.00", "--to", "c.ledger", "--id", "S-1")
    assert (sent["to_ledger"], sent["to_origin"]) == (identity(two, "c.ledger"), "charity.example")
    assert "not received yet" in two.ok("-l", "p.ledger", "trace", "D-1", "--with", "c.ledger")
    got = two.json("-l", "c.ledger", "receive", "S-1", "books", "--from", "p.ledger", "--id", "R-1", "--date", "2026")
    assert (got["from_ledger"], got["spans"], got["date"]) == (identity(two, "p.ledger"), [[0, 800]], "2026")
    two.ok("-l", "c.ledger", "spend", "books", "3.00", "--payee", "P", "--purpose", "chalk", "--id", "X-1")
    alone = two.json("-l", "p.ledger", "trace", "D-1")
    assert [(part["id"], part["amount"], part["origin"], part["path"]) for part in alone["sent"]] == [
        ("S-1", "8.00", "charity.example", [])
    ]
    assert {end["state"]: end["amount"] for end in alone["ends"]} == {"held": "1.00", "sent": "8.00"}
    told = two.json("-l", "p.ledger", "trace", "D-1", "--with", "c.ledger")
    (there,) = told["sent"][0]["received"]
    assert [(use["id"], use["amount"]) for use in there["uses"]] == [("X-1", "3.00")]
    assert there["ledger"]["origin"] == "charity.example" and told["sent"][0]["waits"] == "0.00"
    text = two.ok("-l", "p.ledger", "trace", "D-1", "--with", "c.ledger")
    assert "8.00 was sent to charity.example (there 5.00 waits in books; 3.00 went to P for chalk, reported)" in text
    assert "│  └─ received in charity.example, into books: 8.00 EUR [R-1]" in text
    rows = two.ok("-l", "p.ledger", "trace", "D-1", "--with", "c.ledger", "--format", "csv").splitlines()
    assert any(row.startswith("R-1,use,X-1,") and row.endswith(",charity.example") for row in rows)


def test_a_ledger_may_be_named_by_its_identity(two: Cli) -> None:
    """With or without a name; another text than 64 digits is a file."""
    there = identity(two, "c.ledger")
    entry = two.json("-l", "p.ledger", "send", "edu", "1.00", "--to", there.upper(), "--origin", "charity.example")
    assert (entry["to_ledger"], entry["to_origin"]) == (there, "charity.example")
    assert "to_origin" not in two.json("-l", "p.ledger", "send", "edu", "1.00", "--to", there)
    assert "CC-UNREADABLE" in two.fails(3, "-l", "p.ledger", "send", "edu", "1.00", "--to", there[:-1])
    assert f"ledger {there[:16]}…" in two.ok("-l", "p.ledger", "trace", "D-1")
    assert "CC-SELF" in two.fails(7, "-l", "p.ledger", "send", "edu", "1.00", "--to", "p.ledger")


def test_receiving_says_what_is_wrong(two: Cli) -> None:
    """No such record there 4, received before 7, another account's unit 7."""
    two.ok("-l", "p.ledger", "send", "edu", "8.00", "--to", "c.ledger", "--id", "S-1")
    receive = ("-l", "c.ledger", "receive")
    assert "CC-UNKNOWN-ID" in two.fails(4, *receive, "D-1", "books", "--from", "p.ledger")
    two.ok("-l", "c.ledger", "account", "open", "yen", "--unit", "JPY")
    assert "CC-UNIT" in two.fails(7, *receive, "S-1", "yen", "--from", "p.ledger")
    two.ok(*receive, "S-1", "books", "--from", "p.ledger", "--dry-run")
    two.ok(*receive, "S-1", "books", "--from", "p.ledger")
    assert "CC-RECEIVED-TWICE" in two.fails(7, *receive, "S-1", "books", "--from", "p.ledger")


def test_verify_with_the_sending_ledger_finds_what_none_sent(two: Cli) -> None:
    """0 where all fits, 1 where a record claims what was not sent, 8 where its ledger is not given."""
    two.ok("-l", "p.ledger", "send", "edu", "8.00", "--to", "c.ledger", "--id", "S-1")
    two.ok("-l", "c.ledger", "receive", "S-1", "books", "--from", "p.ledger", "--id", "R-1")
    two.ok("verify", "c.ledger", "--with", "p.ledger")
    told = two.json("verify", "c.ledger")
    assert told["totals"]["EUR"]["received"] == "8.00" and any("--with" in notice for notice in told["notices"])
    line = next(line for line in two.ok("-l", "c.ledger", "export").splitlines() if '"received"' in line)
    invented = line.replace('"R-1"', '"R-2"').replace('"movement": [0, 1]', '"movement": [0, 0]')
    two.ok("-l", "c.ledger", "import", two.journal([invented]))
    found = two.run("verify", "c.ledger", "--with", "p.ledger", "--json")
    assert found.returncode == 1 and '"CC-UNMATCHED"' in found.stdout and "R-2" in found.stdout
    two.ok("verify", "c.ledger")
    assert "UNMATCHED" in two.ok("-l", "c.ledger", "trace", "R-2", "--with", "p.ledger")
    two.init("x.ledger", "x.example")
    two.fails(8, "verify", "c.ledger", "--with", "x.ledger")
    two.fails(3, "verify", "c.ledger", "--with", "nothing.ledger")


def test_a_ledger_is_succeeded(two: Cli) -> None:
    """NEW is made, takes everything over, and is checked with OLD; again carries nothing."""
    two.ok("-l", "p.ledger", "send", "edu", "8.00", "--to", "c.ledger", "--id", "S-1")
    two.ok("-l", "c.ledger", "receive", "S-1", "books", "--from", "p.ledger")
    assert "--origin" in two.fails(2, "succeed", "c.ledger", "n.ledger")
    same = two.fails(7, "succeed", "c.ledger", "n.ledger", "--origin", "charity.example", "--no-passphrase")
    assert "CC-SUCCESSOR" in same and not (two.work / "n.ledger").exists()
    done = two.json("succeed", "c.ledger", "n.ledger", "--origin", "charity.example/2", "--no-passphrase")
    assert done["received"] == [{"id": "received-books", "amount": "8.00", "unit": "EUR"}] and done["left"] == []
    assert two.json("succeed", "c.ledger", "n.ledger")["received"] == []
    assert "CC-SUCCESSOR" in two.fails(7, "succeed", "p.ledger", "n.ledger")
    two.ok("verify", "n.ledger", "--with", "c.ledger")
    trace = two.ok("-l", "p.ledger", "trace", "D-1", "--with", "c.ledger", "--with", "n.ledger")
    assert "received in charity.example/2, into books: 8.00 EUR [received-books]" in trace
    assert two.json("-l", "n.ledger", "status")["predecessor"] == identity(two, "c.ledger")


def test_what_is_left_is_told(two: Cli) -> None:
    """An account whose owner's key is elsewhere stays, and the exit code is 8."""
    two.ok("-l", "c.ledger", "party", "add", "school", "--role", "charity")
    two.ok("-l", "c.ledger", "account", "open", "class", "--unit", "EUR", "--owner", "school")
    two.ok("-l", "c.ledger", "donate", "class", "1.00")
    (key,) = two.keys.glob("*school*.key")
    key.rename(two.work / "school.key")
    done = two.run("succeed", "c.ledger", "n.ledger", "--origin", "charity.example/2", "--no-passphrase")
    assert done.returncode == 8 and "class: the key of school is not at hand" in done.stdout
    assert two.json("-l", "c.ledger", "balance", "class")[0]["amount"] == "1.00"
