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


@pytest.mark.parametrize("name", ["", "a b", "cl\x1b[31m", "x" * 300, "-x", "a/b"])
def test_no_key_is_made_for_what_is_no_id(village: Cli, name: str) -> None:
    """A request, and an admission, under a name that no party can have are refused before there is any file."""
    before = sorted(village.keys.iterdir())
    for command in (("key", "request", "--recovery", "--no-passphrase"), ("party", "add", "--role", "auditor")):
        stderr = village.fails(7, *command, "--", name)
        assert "CC-ID" in stderr and "\x1b" not in stderr
    assert sorted(village.keys.iterdir()) == before
    assert not (village.keys.parent / "keys-recovery").exists()


def test_the_operators_name_is_taken(village: Cli) -> None:
    """Nobody can ask to be admitted as ``self``."""
    theirs = village.folder / "theirs"
    assert "CC-ID" in village.fails(7, "key", "request", "self", "--keys", theirs, "--no-passphrase")
    assert not theirs.exists()


def test_a_missing_key_is_told_with_its_party_and_the_way_out(village: Cli) -> None:
    """Whoever lacks a key reads whose it is, and what can be done; for the operator that is another thing."""
    theirs = village.folder / "theirs"
    request = village.ok("key", "request", "sport", "--keys", theirs, "--no-passphrase")
    village.ok("party", "add", "--request", "-", "--role", "charity", input=request)
    opening = ("account", "open", "steps", "--unit", "STEP", "--owner", "sport")
    stderr = village.fails(6, *opening)
    for word in ("'sport' must sign", "--keys", "--author", "--draft", "CC-KEY-MISSING"):
        assert word in stderr
    stderr = village.fails(6, *opening, "--keys", theirs)
    for word in ("the operator", "--keys", "--draft", "CC-KEY-MISSING"):
        assert word in stderr
    village.ok(*opening, "--keys", theirs, "--draft", "x.draft")


def rows_of(cli: Cli, party: str, use: str = "sign") -> list[dict[str, object]]:
    return [row for row in cli.json("party", "list") if (row["party"], row["use"]) == (party, use)]


def test_one_of_several_keys_is_replaced(village: Cli) -> None:
    """With several keys --key says which one `key rotate` replaces; without it nothing is made."""
    village.ok("party", "add", "sport", "--role", "charity")
    village.ok("key", "add", "sport", "--no-passphrase")
    first, second = (str(row["key"]) for row in rows_of(village, "sport"))
    before = sorted(village.keys.glob("*.key"))
    stderr = village.fails(2, "key", "rotate", "sport")
    assert first in stderr and second in stderr and "--key" in stderr
    village.ok("key", "rotate", "sport", "--key", first, "--dry-run")
    village.fails(4, "key", "rotate", "sport", "--key", "00" * 8)
    assert sorted(village.keys.glob("*.key")) == before
    village.ok("key", "rotate", "sport", "--key", first)
    assert [row["until"] is None for row in rows_of(village, "sport")] == [False, True, True]
    before = sorted(village.keys.glob("*.key"))
    assert "CC-UNKNOWN-KEY" in village.fails(7, "key", "rotate", "sport", "--key", first)
    for path in before:
        if ".sport." in path.name:
            path.rename(village.work / path.name)
    assert "'sport' must sign" in village.fails(6, "key", "rotate", "sport", "--key", second)
    assert [path for path in village.keys.glob("*.key") if ".sport." in path.name] == []
    assert village.json("verify")["holds"]


def test_recovery_keys_are_listed_too(village: Cli) -> None:
    """`key list` shows the folder of recovery keys, the usual one or the one that is named."""
    village.ok("key", "recovery", "--no-passphrase")
    spare = village.keys.parent / "keys-recovery"
    assert [row["file"] for row in village.json("key", "list")] == [
        str(village.keys / "village.example_2026.self.key"), str(spare / "village.example_2026.self.recovery.key"),
    ]  # fmt: skip
    spare.rename(village.work / "safe")
    assert len(village.json("key", "list")) == 1
    assert len(village.json("key", "list", "--recovery-keys", "safe")) == 2


def test_a_lowered_threshold_is_said(village: Cli) -> None:
    """A stolen key may leave fewer keys than must sign: the command says how many then must, and the way back."""
    village.ok("party", "add", "sport", "--role", "charity")
    village.ok("key", "recovery", "sport", "--no-passphrase")
    village.ok("key", "add", "sport", "--no-passphrase")
    village.ok("key", "add", "sport", "--no-passphrase")
    village.ok("key", "threshold", "sport", "3")
    keys = [str(row["key"]) for row in rows_of(village, "sport")]
    marked = ("key", "compromised", "sport", "--since", "6")
    lowered = "3 keys of sport had to sign, and 2 are left, so from the next block on 2 must."
    for options in (("--dry-run",), ("--draft", "x.draft"), ("--json",)):
        done = village.run(*marked, keys[0], *options)
        assert done.returncode == 0 and lowered in done.stderr
    assert {row["needed"] for row in rows_of(village, "sport")} == {2}
    assert "key threshold sport 3" in done.stderr
    assert village.run(*marked, keys[0]).stderr == ""
    assert "2 keys of sport had to sign, and 1 is left" in village.run(*marked, keys[1]).stderr
    assert (
        "sport has no key left; bring a new one"
        in village.run("key", "compromised", "sport", "--since", "7", keys[2]).stderr
    )
