"""Keys, passphrases and parties, as several people with folders of their own use them."""

from __future__ import annotations

import json
import shutil

import pytest
from cli.conftest import Cli

SECRET = "correct horse battery staple"


@pytest.fixture
def locked(cli: Cli) -> Cli:
    """Give a ledger whose key file has a passphrase, with the account ``edu``."""
    cli.ok("init", "v.ledger", "--origin", "safe.example", CHARITYCHAIN_PASSPHRASE=SECRET)
    cli.ok("account", "open", "edu", "--unit", "CNY", CHARITYCHAIN_PASSPHRASE=SECRET)
    return cli


def test_a_passphrase_comes_from_a_file_a_command_or_the_environment(locked: Cli) -> None:
    """Each source works, the first line counts, and without one, or with a wrong one, it is 6."""
    file = locked.work / "secret"
    file.write_text(SECRET + "\nmore\n")
    locked.ok("donate", "edu", "1", "--passphrase-file", "secret")
    locked.ok("donate", "edu", "1", "--passphrase-command", f"cat {file}")
    locked.ok("donate", "edu", "1", CHARITYCHAIN_PASSPHRASE=SECRET)
    locked.ok("donate", "edu", "1", CHARITYCHAIN_PASSPHRASE_FILE=str(file))
    locked.ok("donate", "edu", "1", CHARITYCHAIN_PASSPHRASE_COMMAND=f"cat {file}")
    before = locked.ledger.read_bytes()
    for options in ({"CHARITYCHAIN_PASSPHRASE": "wrong"}, {"CHARITYCHAIN_PASSPHRASE": ""}, {}):
        stderr = locked.fails(6, "donate", "edu", "1", **options)
        assert "passphrase" in stderr and SECRET not in stderr
    locked.fails(6, "donate", "edu", "1", "--passphrase-file", "nowhere")
    locked.fails(6, "donate", "edu", "1", "--passphrase-command", "false")
    locked.fails(6, "donate", "edu", "1", "--passphrase-command", "no-such-program")
    assert locked.ledger.read_bytes() == before
    key = next(locked.keys.glob("*.key")).read_text()
    assert "ENCRYPTED PRIVATE KEY" in key
    # Whoever only reads needs none.
    locked.ok("verify")


def test_a_passphrase_is_never_an_argument(locked: Cli) -> None:
    """Arguments are seen by everybody on the machine, so no option takes a passphrase itself."""
    for command in ("init", "donate", "import"):
        help_ = locked.ok(command, "--help")
        assert "--passphrase-file" in help_ and "--passphrase-command" in help_
        assert "--passphrase " not in help_
    locked.fails(2, "donate", "edu", "1", "--passphrase", SECRET)


def test_without_a_passphrase_no_key_is_made_by_accident(cli: Cli) -> None:
    """No terminal and no passphrase: nothing is made, unless --no-passphrase says so."""
    assert "--passphrase-file" in cli.fails(6, "init", "v.ledger", "--origin", "a.example")
    assert not cli.ledger.exists() and not list(cli.keys.glob("*"))


def test_a_mistyped_passphrase_never_locks_a_new_key(locked: Cli) -> None:
    """A new key gets the operator's passphrase, one that opens the operator's key; after a rotation too."""
    for command in (["key", "rotate"], ["party", "add", "p", "--role", "auditor"]):
        locked.fails(6, *command, CHARITYCHAIN_PASSPHRASE=SECRET + "x")
    assert len(list(locked.keys.glob("*.key"))) == 1
    locked.ok("key", "rotate", CHARITYCHAIN_PASSPHRASE=SECRET)
    (locked.keys / "safe.example.self.key").unlink()
    locked.ok("party", "add", "p", "--role", "charity", CHARITYCHAIN_PASSPHRASE=SECRET)
    assert all("ENCRYPTED" in path.read_text() for path in locked.keys.glob("*.key"))
    locked.ok("account", "open", "theirs", "--unit", "CNY", "--owner", "p", CHARITYCHAIN_PASSPHRASE=SECRET)


def test_a_key_file_that_others_can_read_is_refused(village: Cli) -> None:
    """Mode 0644 is 6, with the command that mends it."""
    key = next(village.keys.glob("*.key"))
    key.chmod(0o644)
    assert f"chmod 600 {key}" in village.fails(6, "donate", "edu", "1")
    key.chmod(0o600)
    village.ok("donate", "edu", "1")


def test_a_key_is_replaced_and_the_identity_stays(village: Cli) -> None:
    """After `key rotate` the new key seals, the old one is history, and everything still verifies."""
    identity = village.json("status")["identity"]
    village.ok("key", "rotate")
    village.ok("donate", "edu", "1", "--id", "D-2")
    keys = village.json("party", "list")
    assert [row["until"] is None for row in keys] == [False, True]
    report = village.json("verify")
    assert report["holds"] and report["identity"] == identity
    assert len(village.json("key", "list")) == 2
    old = village.keys / "village.example_2026.self.key"
    old.unlink()
    village.ok("donate", "edu", "1", "--id", "D-3")
    assert village.json("trace", "D-1")["held"] == [
        {"account": "edu", "amount": "12.50", "unit": "CNY", "state": "held"}
    ]


def test_a_second_party_keeps_its_own_key(village: Cli) -> None:
    """A party makes its key and request in its own folder; the operator admits it without ever seeing the key."""
    theirs = village.folder / "theirs"
    request = village.ok("key", "request", "sport", "--keys", theirs, "--no-passphrase")
    (village.work / "request.json").write_text(request)
    assert set(json.loads(request)) == {"id", "key", "proof", "origin"}
    admit = ["party", "add", "--request", "request.json", "--role", "sponsor", "--role", "charity", "--title", "Sport"]
    assert "admitted" in village.ok(*admit)
    assert "was there already" in village.ok(*admit)
    assert {row["party"] for row in village.json("party", "list")} == {"self", "sport"}
    # What the new party owns needs its key, and the operator has not got it.
    lines = village.journal(
        [
            {"record": "account", "id": "steps", "unit": "STEP"},
            {"record": "donation", "id": "W-1", "account": "steps", "amount": "1000"},
            {"record": "account", "id": "sponsor", "unit": "CNY", "owner": "sport"},
            {"record": "donation", "id": "W-2", "account": "sponsor", "amount": "5"},
            {
                "record": "conversion", "id": "C-1", "from": "steps", "amount": "1000", "to": "edu", "gives": "5",
                "funded_from": "sponsor",
            },
        ]
    )  # fmt: skip
    before = village.ledger.read_bytes()
    assert "line 3:" in village.fails(6, "import", lines)
    assert "line 1:" in village.fails(
        6, "import", "-", input='{"record":"account","id":"a","unit":"CNY","author":"sport"}\n'
    )
    assert village.ledger.read_bytes() == before
    # With both keys at hand, both sign.
    for file in theirs.iterdir():
        shutil.copy2(file, village.keys / file.name)
    village.ok("import", lines)
    assert village.json("show", "sponsor")["owner"] == "sport"
    assert village.json("trace", "W-1")["converted"][0]["gives"] == "5.00"
    (village.keys / "village.example_2026.sport.key").unlink()
    village.fails(6, "convert", "steps", "1", "edu", "1", "--funded-from", "sponsor")
    village.fails(6, "donate", "edu", "1", "--author", "sport")
    assert village.json("verify")["holds"]


def test_a_request_is_good_for_one_ledger_and_one_name(village: Cli) -> None:
    """A request that was changed, or made for another ledger, is refused."""
    village.init("w.ledger", "other.example")
    request = json.loads(
        village.ok("key", "request", "p", "--keys", village.folder / "k", "--no-passphrase", "-l", "w.ledger")
    )
    admit = ["party", "add", "--role", "auditor", "-l", "v.ledger", "--request", "-"]
    village.fails(7, *admit, input=json.dumps(request))
    village.fails(7, "party", "add", "--role", "auditor", "-l", "w.ledger", "--request", "-",
                  input=json.dumps(request | {"id": "q"}))  # fmt: skip
    for text in ("", "[]", "{}", '{"id":"p","key":1,"proof":""}', "x" * 100_000):
        village.fails(7, *admit, input=text)
    village.fails(3, *admit[:-1], "nowhere.json")


def test_an_older_copy_is_not_written_to(village: Cli) -> None:
    """A restored backup cannot make the operator's key sign two histories, wherever it stands."""
    backup = village.ledger.read_bytes()
    village.ok("donate", "edu", "1", "--id", "D-2")
    newer = village.ledger.read_bytes()
    copy = village.work / "copy" / "c.ledger"
    copy.parent.mkdir()
    copy.write_bytes(backup)
    stderr = village.fails(7, "donate", "edu", "9", "--ledger", copy)
    assert "block 2" in stderr and "block 1" in stderr
    assert copy.read_bytes() == backup
    village.ledger.write_bytes(backup)
    village.fails(7, "donate", "edu", "9", "--ledger", "v.ledger")
    village.ledger.write_bytes(newer)
    village.ok("donate", "edu", "9", "--ledger", "v.ledger")
