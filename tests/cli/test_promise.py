"""``promise``: made at the counter, carried by mail, asked of a ledger, and made evidence where it was broken."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Cli

from charitychain.armour import unwrap, wrap
from charitychain.ledger import Ledger
from charitychain.promises import Evidence, parse_evidence, parse_promise

EVIDENCE = "EVIDENCE OF OMISSION"


def promised(cli: Cli, gift: str = "D-7", *more: str, within: int = 2) -> Path:
    target = cli.work / f"{gift.replace('/', '-')}.promise"
    cli.ok("promise", "make", gift, "25", "edu", "--within", str(within), "-o", target.name, *more)
    return target


def state(cli: Cli, code: int, *args: str | Path) -> dict[str, Any]:
    done = cli.run("promise", "check", *args, "--json")
    assert done.returncode == code, (done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_promise_is_open_until_the_gift_is_recorded(village: Cli) -> None:
    """Open is exit code 8, kept is 0; nothing is recorded by making one."""
    before = village.ledger.read_bytes()
    said = village.ok("promise", "make", "D-7", "25", "edu", "--within", "2", "-o", "p.txt")
    assert said == "p.txt promises gift D-7, 25.00 CNY for edu, up to block 3\n"
    assert village.ledger.read_bytes() == before
    text = (village.work / "p.txt").read_text()
    assert "  self promised gift D-7, 25.00 CNY for edu, up to block 3.\n" in text
    assert village.run("promise", "check", "p.txt").stdout == (
        "open: self promised gift D-7, 25.00 CNY for edu, up to block 3; up to block 1 it is not there yet\n"
    )
    state(village, 8, "p.txt")
    village.ok("donate", "edu", "25", "--id", "D-7")
    assert village.ok("promise", "check", "p.txt") == (
        "kept: self promised gift D-7, 25.00 CNY for edu, up to block 3; it stands in block 2\n"
    )
    assert state(village, 0, "p.txt", "--replay") | {"made": "", "key": "", "identity": ""} == {
        "origin": "village.example/2026", "identity": "", "party": "self", "key": "", "gift": "D-7", "account": "edu",
        "amount": "25.00", "unit": "CNY", "donor": None, "made": "", "seen": 2, "deadline": 3, "state": "kept",
        "why": "it stands in block 2", "height": 2, "block": 2, "disputed": False, "replayed": True, "evidence": None,
    }  # fmt: skip
    assert "CC-EXISTS" in village.fails(7, "promise", "make", "D-8", "1", "edu", "--within", "2", "-o", "p.txt")


def test_a_broken_promise_makes_evidence_that_another_copy_confirms(village: Cli) -> None:
    """The evidence holds at its own head for ever, also where the gift is slipped in later."""
    promised(village)
    assert "there is no evidence to write" in village.run("promise", "check", "D-7.promise", "--evidence", "e").stderr
    assert not (village.work / "e").exists()
    village.ok("donate", "edu", "1", "--id", "D-other")
    state(village, 8, "D-7.promise")
    village.ok("donate", "edu", "1", "--id", "D-another")
    found = village.run("promise", "check", "D-7.promise", "--evidence", "left-out.txt")
    assert (found.returncode, found.stdout) == (
        1, "broken: self promised gift D-7, 25.00 CNY for edu, up to block 3; up to block 3 it is not there\n"
    )  # fmt: skip
    text = (village.work / "left-out.txt").read_text()
    assert "  Not kept as of block 3.\n" in text and "BEGIN CHARITYCHAIN EVIDENCE OF OMISSION" in text
    assert state(village, 1, "left-out.txt", "--replay")["state"] == "broken"
    shutil.copy(village.ledger, village.work / "then.copy")
    village.ok("donate", "edu", "25", "--id", "D-7")
    assert state(village, 8, "D-7.promise")["state"] == "late"
    late = state(village, 1, "left-out.txt")
    assert (late["state"], late["height"], late["block"]) == ("broken", 3, 4)
    assert "it came only in block 4" in late["why"]
    assert state(village, 1, "left-out.txt", "--ledger", "then.copy")["block"] is None
    village.fails(2, "promise", "check", "left-out.txt", "--checkpoint", "left-out.txt")


def test_evidence_needs_the_ledger_up_to_its_checkpoint(village: Cli) -> None:
    """An older copy cannot say, one that the operator signed otherwise is told, and an early head is no evidence."""
    shutil.copy(village.ledger, village.work / "older.copy")
    shutil.copytree(village.keys, village.home / "keys-of-then")
    promised(village)
    for number in range(2):
        village.ok("donate", "edu", "1", "--id", f"D-other-{number}")
    early = parse_promise(unwrap((village.work / "D-7.promise").read_text(), "PROMISE"))
    state(village, 1, "D-7.promise", "--evidence", "e.txt")
    assert state(village, 8, "e.txt", "--ledger", "older.copy")["state"] == "unknown"
    fork, keys = ("--ledger", "older.copy"), ("--keys", village.home / "keys-of-then")
    for number in range(3):
        village.ok("donate", "edu", "2", "--id", f"D-fork-{number}", *fork, *keys)
    assert "two histories were signed" in village.fails(1, "promise", "check", "e.txt", *fork)
    text = village.ok("checkpoint", "show")
    assert parse_evidence(unwrap((village.work / "e.txt").read_text(), EVIDENCE)) == Evidence(early, text.encode())
    (village.work / "early.txt").write_text(wrap(EVIDENCE, Evidence(early, early_checkpoint(village)).pack()))
    assert state(village, 8, "early.txt")["state"] == "open"


def early_checkpoint(cli: Cli) -> bytes:
    with Ledger.open(cli.ledger) as ledger, ledger.at(height=2) as then:
        return then.reader().checkpoint.encode()


def test_a_promise_is_judged_as_of_a_checkpoint(village: Cli) -> None:
    """A checkpoint that the ledger extends says as of when; one of other blocks is exit code 1, a longer one 8."""
    promised(village, within=1)
    village.ok("donate", "edu", "1", "--id", "D-other")
    village.ok("checkpoint", "save", "kept.txt")
    shutil.copy(village.ledger, village.work / "then.copy")
    village.ok("donate", "edu", "25", "--id", "D-7")
    assert state(village, 8, "D-7.promise")["state"] == "late"
    for more in ((), ("--replay",)):
        told = state(village, 1, "D-7.promise", "--checkpoint", "kept.txt", *more)
        assert (told["state"], told["height"]) == ("broken", 2)
    state(village, 1, "D-7.promise", "--checkpoint", "kept.txt", "--evidence", "e.txt")
    assert state(village, 1, "e.txt")["height"] == 2
    (key,) = village.json("checkpoint", "key")["keys"]
    assert state(village, 1, "e.txt", "--operator-key", key)["state"] == "broken"
    village.init("other.ledger", "other.example")
    (other,) = village.json("checkpoint", "key", "--ledger", "other.ledger")["keys"]
    assert "CC-CHECKPOINT" in village.fails(1, "promise", "check", "e.txt", "--operator-key", other, "-l", "v.ledger")
    (village.work / "other.ledger").unlink()
    village.ok("checkpoint", "save", "later.txt")
    longer = ("--checkpoint", "later.txt", "--ledger", "then.copy")
    assert state(village, 1, "D-7.promise", *longer)["state"] == "broken"  # whatever comes behind it comes too late
    promised(village, "D-9", within=2)
    assert state(village, 8, "D-9.promise", "--ledger", "then.copy")["state"] == "unknown"


def test_a_changed_gift_breaks_the_promise_at_once(village: Cli) -> None:
    """Another amount, account or donor under the promised id is told before the deadline."""
    promised(village, "D-7", within=90)
    promised(village, "D-8", within=90)
    promised(village, "D-9", "--donor", "ab" * 16, within=90)
    village.ok("donate", "edu", "24.99", "--id", "D-7")
    village.ok("donate", "school", "25", "--id", "D-8")
    village.ok("donate", "edu", "25", "--id", "D-9", "--donor", "ba" * 16)
    assert state(village, 1, "D-7.promise")["why"] == "its amount is 24.99 CNY in block 2"
    assert state(village, 1, "D-8.promise")["why"] == "it went into 'school' in block 3"
    assert state(village, 1, "D-9.promise")["why"] == "its donor is another in block 4"


def test_a_series_that_goes_on_without_the_gift_breaks_the_promise(village: Cli) -> None:
    """Numbers of a series only rise, so what was passed over can never come; what comes is kept."""
    for number in (3, 4, 5, 9):
        promised(village, f"S/{number}", within=90)
    batch = {"record": "gifts", "series": "S", "account": "edu", "ids": [1, 3, 6], "amounts": ["1", "25", "2"]}
    village.ok("import", village.journal([batch]))
    assert state(village, 0, "S-3.promise")["block"] == 2
    for number in (4, 5):
        assert state(village, 1, f"S-{number}.promise")["why"] == "block 2 goes on in the series without it"
    assert state(village, 8, "S-9.promise")["state"] == "open"
    village.ok("import", village.journal([{**batch, "ids": [20], "amounts": ["1"]}]))
    assert state(village, 1, "S-9.promise", "--replay")["why"] == "block 3 goes on in the series without it"
    assert "CC-SERIES" in village.fails(7, "promise", "make", "S/19", "1", "edu", "--within", "2")


def test_mail_harms_no_promise_and_forgery_is_told(village: Cli) -> None:
    """Quoted and with other line ends it is read from stdin; one changed character is 1, and no promise 3."""
    text = promised(village).read_text()
    village.ok("donate", "edu", "25", "--id", "D-7")
    quoted = "On Monday you wrote:\r\n" + "".join(f"> {line} \r\n" for line in text.splitlines())
    assert "kept" in village.ok("promise", "check", "-", input=quoted)
    lines = text.splitlines()
    block = next(at for at, line in enumerate(lines) if line.startswith("-----BEGIN")) + 1
    lines[block] = lines[block][:9] + ("A" if lines[block][9] != "A" else "B") + lines[block][10:]
    for damaged in ("\n".join(lines), text[:-40], text.replace("\n=", "\n=A")):
        assert "CC-ARMOUR" in village.fails(1, "promise", "check", "-", input=damaged)
    assert "CC-ARMOUR" in village.fails(3, "promise", "check", "v.ledger")
    assert "CC-ARMOUR" in village.fails(3, "promise", "check", "-", input=text + text)
    assert "CC-PROMISE" in village.fails(3, "promise", "check", "-", input=wrap("PROMISE", b"\x90"))
    assert "CC-UNREADABLE" in village.fails(3, "promise", "check", "none.txt")


def test_another_ledgers_promise_is_refused(village: Cli) -> None:
    """The identity decides, also where the name is the same."""
    file = promised(village)
    village.init("twin.ledger", "village.example/2026")
    assert "CC-PROMISE" in village.fails(7, "promise", "check", file.name, "--ledger", "twin.ledger")


@pytest.mark.parametrize(
    ("code", "said", "args"),
    [
        (7, "CC-DUPLICATE-ID", ("D-1", "1", "edu")),
        (7, "CC-DUPLICATE-ID", ("edu", "1", "edu")),
        (7, "CC-UNKNOWN-ACCOUNT", ("D-2", "1", "nowhere")),
        (7, "CC-UNKNOWN-PARTY", ("D-2", "1", "edu", "--author", "nobody")),
        (7, "CC-AMOUNT", ("D-2", "0", "edu")),
        (7, "CC-AMOUNT", ("D-2", "0.001", "edu")),
        (7, "CC-ID", ("D 2", "1", "edu")),
        (7, "CC-ID", ("S/01", "1", "edu")),
        (2, "pseudonym", ("D-2", "1", "edu", "--donor", "00" * 16)),
        (2, "--within", ("D-2", "1", "edu", "--within", "0")),
    ],
)
def test_what_the_ledger_would_not_take_is_not_promised(
    standing: Cli, code: int, said: str, args: tuple[str, ...]
) -> None:
    """A promise that could never be kept is refused when it is made."""
    assert said in standing.fails(code, "promise", "make", "--within", "2", *args)


def test_without_the_key_nothing_is_promised(standing: Cli) -> None:
    """The promise is signed, so whose key is missing cannot make one."""
    (standing.work / "empty").mkdir(exist_ok=True)
    assert "CC-KEY-MISSING" in standing.fails(
        6, "promise", "make", "D-2", "1", "edu", "--within", "2", "--keys", "empty"
    )


def test_a_promise_goes_to_stdout_as_text_or_as_json(standing: Cli) -> None:
    """Without -o the text itself is printed; as JSON it stands beside its fields."""
    text = standing.ok("promise", "make", "D-2", "1", "edu", "--within", "2")
    assert text.startswith("Promise for the ledger village.example/2026\n  self promised gift D-2, 1.00 CNY for edu")
    assert text.endswith("-----END CHARITYCHAIN PROMISE-----\n")
    told = standing.json("promise", "make", "D-2", "1", "edu", "--within", "2")
    assert (told["gift"], told["amount"], told["deadline"], told["file"]) == ("D-2", "1.00", 3, None)
    assert standing.run("promise", "check", "-", input=told["promise"]).returncode == 8


def test_an_index_that_hides_the_gift_makes_no_evidence(village: Cli) -> None:
    """That something is missing only a replay shows: the index beside the ledger may have lost it."""
    promised(village, within=1)
    village.ok("donate", "edu", "25", "--id", "D-7")
    promised(village, "S/3", within=1)
    for number in (3, 4):
        batch = {"record": "gifts", "series": "S", "account": "edu", "ids": [number], "amounts": ["25"]}
        village.ok("import", village.journal([batch]))
    state(village, 0, "D-7.promise")
    state(village, 0, "S-3.promise")
    with closing(sqlite3.connect(village.work / "v.ledger.index")) as db, db:
        assert db.execute("DELETE FROM ids WHERE id = 'D-7'").rowcount == 1
        assert db.execute("DELETE FROM batches WHERE last = 3").rowcount == 1
    hidden = village.run("promise", "check", "D-7.promise")
    assert hidden.returncode == 1 and "the blocks are asked" in hidden.stderr
    assert state(village, 0, "D-7.promise", "--replay")["state"] == "kept"
    assert state(village, 0, "D-7.promise", "--evidence", "e.txt")["state"] == "kept"
    assert not (village.work / "e.txt").exists()
    assert state(village, 0, "S-3.promise")["state"] == "kept"  # a hole in a series shows, and the index is made anew
