"""``draft``, ``cosign``, ``submit`` and ``--draft``: statements as files between the folders of several people."""

from __future__ import annotations

import json
import os
import pty
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Cli

SPEND = {"record": "expenditure", "id": "X-1", "from": "fund", "amount": "4", "payee": "P", "purpose": "q"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger once: the charity's fund holds 10.00 EUR, and the board approves what leaves it."""
    cli = Cli(tmp_path_factory.mktemp("base"))
    cli.init()
    for name, role in (("charity", "charity"), ("board", "auditor")):
        request = cli.ok("key", "request", name, "--no-passphrase", "--keys", name)
        cli.ok("party", "add", "--request", "-", "--role", role, input=request)
    fund = {"record": "account", "id": "fund", "unit": "EUR", "owner": "charity",
            "approvals": {"of": ["board"], "needed": 1}}  # fmt: skip
    cli.ok("draft", "-", "-o", "fund.draft", input=json.dumps(fund))
    cli.ok("cosign", "fund.draft", "--keys", "charity", "--yes")
    cli.ok("submit", "fund.draft")
    cli.ok("donate", "fund", "10", "--id", "D-1", "--author", "self")
    return cli.folder


@pytest.fixture
def shared(base: Path, tmp_path: Path) -> Cli:
    """Give a copy of that ledger, with the operator's keys in their place and the others' in `charity` and `board`."""
    cli = Cli(tmp_path)
    for name in ("work", "home"):
        shutil.copytree(base / name, tmp_path / name, dirs_exist_ok=True)
    return cli


def spend(cli: Cli, name: str = "x.draft", **more: Any) -> Path:
    cli.ok("draft", "-", "-o", name, input=json.dumps(SPEND | more))
    return cli.work / name


def test_a_draft_goes_round_and_is_recorded(shared: Cli) -> None:
    """Each signs with nothing but its own folder of keys; the operator needs none of theirs."""
    name = spend(shared).name
    assert shared.ok("cosign", name, "--keys", "charity", "--yes").endswith(
        "signed for charity; not signed yet by board\n"
    )
    assert "not signed yet by board;" in shared.fails(7, "submit", name)
    assert shared.ok("cosign", name, "--keys", "board", "--yes").endswith("signed for board; all have signed\n")
    assert shared.ok("cosign", name, "--keys", "board", "--yes").endswith("nothing to add; all have signed\n")
    assert shared.ok("submit", name) == "expenditure X-1 recorded in block 5\n"
    assert shared.ok("submit", name) == "expenditure X-1 was there already\n"
    assert [use["id"] for use in shared.json("trace", "D-1")["uses"]] == ["X-1"]
    assert "holds" in shared.ok("verify")


def test_cosign_shows_every_record_before_anybody_signs(shared: Cli) -> None:
    """Amounts with their unit, whom it goes to, who must sign; as JSON the same for programs."""
    name = spend(shared, payee="Corner Books", purpose="school books").name
    shown = shared.ok("cosign", name, "--show")
    for words in ("1. expenditure X-1", "fund", "4.00", "EUR", "Corner Books", "school books", "charity", "board"):
        assert words in shown
    told = shared.json("cosign", name, "--show")
    assert told["author"] == "charity"
    assert told["records"] == [
        {"record": "expenditure", "id": "X-1", "from": "fund", "amount": "4.00", "payee": "Corner Books",
         "purpose": "school books", "unit": "EUR", "approved_by": ["board"]}
    ]  # fmt: skip
    assert [(one["party"], one["signed"]) for one in told["signers"]] == [("charity", False), ("board", False)]
    assert b"Corner Books" in (shared.work / name).read_bytes()  # and so does the file's head, for those who open it


def test_nobody_signs_without_looking(shared: Cli) -> None:
    """Without a terminal it takes --yes; so does output for programs."""
    path = spend(shared)
    before = path.read_bytes()
    assert "--yes" in shared.fails(2, "cosign", path, "--keys", "charity")
    shared.fails(2, "cosign", path, "--keys", "charity", "--json")
    assert path.read_bytes() == before
    assert shared.json("cosign", path, "--keys", "charity", "--yes")["signers"][0]["signed"]


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 7), (b"\n", 7)])
def test_on_a_terminal_it_asks(shared: Cli, answer: bytes, code: int) -> None:
    """The draft is shown, then a plain question; only yes signs."""
    path = spend(shared)
    before = path.read_bytes()
    ours, theirs = pty.openpty()
    process = shared.start("cosign", path, "--keys", "charity", stdin=theirs)
    os.write(ours, answer)
    stdout, stderr = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code
    assert b"1. expenditure X-1" in stdout and b"Sign this for charity?" in stderr
    assert (path.read_bytes() == before) == (code == 7)


def test_one_party_may_be_chosen(shared: Cli) -> None:
    """Where several keys are at hand, --as signs for one; a party that is not asked is refused."""
    for path in (shared.work / "board").iterdir():
        (shared.work / "charity" / path.name).write_bytes(path.read_bytes())
        (shared.work / "charity" / path.name).chmod(0o600)
    name = spend(shared).name
    told = shared.json("cosign", name, "--keys", "charity", "--yes", "--as", "board")
    assert [one["signed"] for one in told["signers"]] == [False, True]
    assert "'self' is not asked" in shared.fails(7, "cosign", name, "--yes", "--as", "self")
    said = shared.ok("cosign", name, "--yes", "--keys", "board")
    assert said.endswith("nothing to add; not signed yet by charity\n")
    assert "wants the signature of charity" in shared.fails(6, "cosign", name, "--yes")
    assert shared.ok("cosign", name, "--keys", "charity", "--yes").endswith("signed for charity; all have signed\n")


def test_copies_signed_in_parallel_come_together(shared: Cli) -> None:
    """Two copies are merged by `submit`, or by `cosign` without any key; drafts of different content are not."""
    one = spend(shared)
    shared.ok("cosign", one, "--keys", "charity", "--yes", "-o", "charity.draft")
    shared.ok("cosign", one, "--keys", "board", "--yes", "-o", "board.draft")
    shown = shared.json("cosign", one, "charity.draft", "--show")
    assert [signer["signed"] for signer in shown["signers"]] == [True, False]
    merged = shared.ok("cosign", "charity.draft", "board.draft", "-o", "both.draft")
    assert merged.endswith("nothing to add; all have signed\n")
    other = spend(shared, "other.draft", amount="5")
    assert "different drafts" in shared.fails(7, "cosign", one, other, "--show")
    assert shared.ok("submit", "charity.draft", "board.draft") == "expenditure X-1 recorded in block 5\n"
    assert shared.ok("submit", "both.draft") == "expenditure X-1 was there already\n"


def test_drafts_of_several_authors_make_one_block(shared: Cli) -> None:
    """All of them are recorded, or none."""
    shared.ok("donate", "fund", "3", "--id", "D-2", "--author", "self", "--draft", "gift.draft")
    shared.ok("cosign", "gift.draft", "--yes")
    name = spend(shared).name
    shared.ok("cosign", name, "--keys", "charity", "--yes")
    before = shared.ledger.read_bytes()
    shared.fails(7, "submit", "gift.draft", name)
    assert shared.ledger.read_bytes() == before
    shared.ok("cosign", name, "--keys", "board", "--yes")
    said = shared.ok("submit", "gift.draft", name)
    assert said == "donation D-2 recorded in block 5\nexpenditure X-1 recorded in block 5\n"


def test_every_recording_command_can_draft(shared: Cli) -> None:
    """--draft records nothing, asks for no key of others, and says who must sign; - is stdout."""
    before = shared.ledger.read_bytes()
    said = shared.json("spend", "fund", "4", "--payee", "P", "--purpose", "q", "--draft", "a.draft")
    assert [one["party"] for one in said["signers"]] == ["charity", "board"]
    done = shared.run("account", "open", "field", "--unit", "EUR", "--owner", "charity", "--draft", "-")
    assert done.stdout.startswith("Draft for the ledger village.example/2026")
    assert done.stderr == "account field drafted; not signed yet by charity\n"
    shared.fails(2, "spend", "fund", "4", "--payee", "P", "--purpose", "q", "--draft", "b.draft", "--dry-run")
    assert "exists already" in shared.fails(
        7, "spend", "fund", "4", "--payee", "P", "--purpose", "q", "--draft", "a.draft"
    )
    assert "CC-OVERDRAFT" in shared.fails(
        7, "spend", "fund", "11", "--payee", "P", "--purpose", "q", "--draft", "c.draft"
    )
    assert not (shared.work / "b.draft").exists() and not (shared.work / "c.draft").exists()
    shared.fails(3, "spend", "fund", "4", "--payee", "P", "--purpose", "q", "--draft", "no/such/folder.draft")
    assert shared.ledger.read_bytes() == before


def test_private_details_of_a_draft_stay_with_who_drafts(shared: Cli) -> None:
    """The payee's name goes to the drafter's vault; the draft carries its commitment alone."""
    shared.ok("spend", "fund", "4", "--private", "payee=Anna", "--id", "X-7", "--keys", "charity", "--draft", "p.draft")
    assert b"Anna" not in (shared.work / "p.draft").read_bytes()
    for keys in ("charity", "board"):
        shared.ok("cosign", "p.draft", "--keys", keys, "--yes")
    shared.ok("submit", "p.draft")
    assert "Anna" in shared.ok("annex", "show", "X-7", "--keys", "charity")
    shared.fails(4, "annex", "show", "X-7")


def test_a_key_is_replaced_by_a_draft(shared: Cli) -> None:
    """The party makes its new key in its own folder; the operator never has either of them."""
    shared.ok("key", "rotate", "charity", "--keys", "charity", "--draft", "k.draft")
    assert len(list((shared.work / "charity").glob("*.key"))) == 2
    shared.ok("cosign", "k.draft", "--keys", "charity", "--yes")
    assert "key charity recorded in block 5" in shared.ok("submit", "k.draft")
    assert "key charity was there already" in shared.ok("submit", "k.draft")
    name = spend(shared).name
    shared.ok("cosign", name, "--keys", "charity", "--yes")
    shared.ok("cosign", name, "--keys", "board", "--yes")
    shared.ok("submit", name)


def test_an_encrypted_key_signs_with_its_passphrase(shared: Cli) -> None:
    """From a file or a command as everywhere; a wrong one is told and nothing is written."""
    (shared.work / "pass").write_text("correct horse\n")
    (shared.work / "wrong").write_text("battery staple\n")
    request = shared.ok("key", "request", "ngo", "--keys", "ngo", "--passphrase-file", "pass")
    shared.ok("party", "add", "--request", "-", "--role", "charity", input=request)
    shared.ok("account", "open", "n", "--unit", "EUR", "--owner", "ngo", "--draft", "n.draft")
    before = (shared.work / "n.draft").read_bytes()
    shared.fails(6, "cosign", "n.draft", "--keys", "ngo", "--yes")
    shared.fails(6, "cosign", "n.draft", "--keys", "ngo", "--yes", "--passphrase-file", "wrong")
    assert (shared.work / "n.draft").read_bytes() == before
    shared.ok("cosign", "n.draft", "--keys", "ngo", "--yes", "--passphrase-command", "cat pass")
    shared.ok("submit", "n.draft")


def test_a_party_that_wants_two_of_its_keys(shared: Cli) -> None:
    """Two people of one party, each with a key of their own: the draft waits for both."""
    second = json.loads(shared.ok("key", "request", "charity", "--no-passphrase", "--keys", "second"))
    key = {"record": "key", "party": "charity", "key": second["key"], "proof": second["proof"]}
    for line in (key, {"record": "control", "id": "K-1", "party": "charity", "threshold": 2}):
        shared.ok("draft", "-", "-o", f"{line['record']}.draft", "--keys", "charity", input=json.dumps(line))
        shared.ok("cosign", f"{line['record']}.draft", "--keys", "charity", "--yes")
        shared.ok("submit", f"{line['record']}.draft")
    name = spend(shared).name
    shared.ok("cosign", name, "--keys", "board", "--yes")
    shared.ok("cosign", name, "--keys", "charity", "--yes")
    assert "not signed yet by charity;" in shared.fails(7, "submit", name)
    shared.ok("cosign", name, "--keys", "second", "--yes")
    shared.ok("submit", name)
    assert "holds" in shared.ok("verify")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 7),
        ("\n\n", 7),
        ("{", 7),
        ('{"record":"statement"}', 7),
        ('{"record":"statement","records":["x"]}', 7),
        ('{"record":"expenditure","id":"X-1","from":"nowhere","amount":"1","payee":"P","purpose":"q"}', 7),
    ],
)
def test_what_cannot_be_drafted(shared: Cli, text: str, code: int) -> None:
    """No lines, broken ones, and what a rule refuses; no file is left."""
    shared.fails(code, "draft", "-", "-o", "x.draft", input=text)
    assert not (shared.work / "x.draft").exists()


def test_entries_of_a_file_are_one_statement(shared: Cli) -> None:
    """All lines together, those of a `statement` too, are signed by the union of whom they need."""
    lines = [
        SPEND | {"amount": "1"},
        {"record": "statement", "records": [SPEND | {"id": "X-2", "amount": "2"}]},
        {"record": "account", "id": "a", "unit": "EUR"},
    ]
    told = shared.json("draft", shared.journal(lines), "-o", "x.draft")
    assert [entry["id"] for entry in told["records"]] == ["X-1", "X-2", "a"]
    first, *others = [one["party"] for one in told["signers"]]
    assert first == "charity" and sorted(others) == ["board", "self"]


@pytest.mark.parametrize("command", [("cosign", "--show"), ("cosign", "--yes"), ("submit",)])
@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("missing.draft", None, 3),
        ("empty.draft", b"", 7),
        ("noise.draft", bytes(range(256)) * 20, 7),
        ("form.draft", b"-----BEGIN CHARITYCHAIN DRAFT-----\nAAAA\n-----END CHARITYCHAIN DRAFT-----\n", 7),
    ],
)
def test_what_is_no_draft(shared: Cli, command: tuple[str, ...], name: str, content: bytes | None, code: int) -> None:
    """A file that is not there, and files that are something else."""
    if content is not None:
        (shared.work / name).write_bytes(content)
    assert name in shared.fails(code, *command, name)


def test_whoever_has_none_of_the_keys_is_told(shared: Cli) -> None:
    """The operator may look at a draft, and has no key that it asks for."""
    name = spend(shared).name
    shared.ok("cosign", name, "--show")
    assert "CC-KEY-MISSING" in shared.fails(6, "cosign", name, "--yes")
    shared.fails(6, "cosign", name, "--yes", "--keys", "no-such-folder")
