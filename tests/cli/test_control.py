"""Accounts' terms, parties and keys, as people control them from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli.conftest import Cli

# --------------------------------------------------------------------------------------------- accounts' terms

USE = ["--payee", "P", "--purpose", "books"]


def test_an_account_is_opened_with_its_terms(village: Cli) -> None:
    """Every term is told by an option, shown by `account show`, and given back by an export as the journal says it."""
    village.ok("party", "add", "board", "--role", "auditor")
    village.ok("party", "add", "treasurer", "--role", "auditor")
    village.ok(
        "account", "open", "books", "--unit", "CNY", "--title", "Books", "--purpose", "books", "--purpose", "desks",
        "--from", "2026-01-01", "--until", "2026-12-31", "--approver", "board", "--approver", "treasurer",
        "--approvals-needed", "1", "--target", "5000", "--naming", "forbidden", "--levy", "school=8%",
        "--cap", "10% of spent per year refuse", "--cap", "12.5% received by party in all for administration",
        "--tag", "country=ID",
    )  # fmt: skip
    shown = village.json("account", "show", "books")
    assert shown == {
        "account": "books", "unit": "CNY", "rule": "fifo", "owner": "self", "state": "open", "holds": "0.00",
        "closed_until": None, "title": "Books", "naming": "forbidden",
        "restriction": {"purposes": ["books", "desks"], "from": "2026-01-01", "until": "2026-12-31"},
        "approvals": {"of": ["board", "treasurer"], "needed": 1}, "target": "5000.00",
        "caps": [
            {"percent": "10", "base": "spent", "scope": "account", "period": "year", "mode": "refuse",
             "categories": ["administration", "fundraising"]},
            {"percent": "12.5", "base": "received", "scope": "party", "period": "all", "mode": "flag",
             "categories": ["administration"]},
        ],
        "levy": {"school": "8"}, "tags": {"country": "ID"}, "cap_uses": shown["cap_uses"],
    }  # fmt: skip
    exported = [json.loads(line) for line in village.ok("export").splitlines()]
    entry = next(line for line in exported if line["record"] == "account" and line["id"] == "books")
    assert entry["caps"] == shown["caps"] and entry["levy"] == {"school": "8"} and entry["naming"] == "forbidden"
    text = village.ok("account", "show", "books")
    assert "10% of spent by account per year, refuse, for administration and fundraising" in text
    assert "1 of board, treasurer" in text
    # And the terms hold.
    village.ok("donate", "books", "10", "--id", "D-2", "--date", "2026-02-01")
    village.fails(7, "disburse", "books", "edu", "1")
    village.fails(7, "spend", "books", "1", "--payee", "P", "--purpose", "bells", "--date", "2026-03-01")
    assert village.json("verify")["holds"]


def test_all_approvers_are_needed_where_no_number_is_told(village: Cli) -> None:
    """Leaving out --approvals-needed asks for the signature of each approver."""
    for party in ("board", "treasurer"):
        village.ok("party", "add", party, "--role", "auditor")
    village.ok("account", "open", "a", "--unit", "CNY", "--approver", "board", "--approver", "treasurer")
    assert village.json("account", "show", "a")["approvals"] == {"of": ["board", "treasurer"], "needed": 2}
    village.ok("donate", "a", "5")
    assert "CC-APPROVALS" in village.fails(7, "account", "change", "a", "--title", "T", "--approved-by", "board")
    village.ok("account", "change", "a", "--title", "T")
    village.ok("spend", "a", "1", *USE)


def test_an_account_is_changed_bit_by_bit(village: Cli) -> None:
    """What no option names stays; parts of tags and restriction are kept; --no-… takes a term away."""
    village.ok("account", "change", "school", "--purpose", "books", "--tag", "country=ID", "--tag", "class=4",
               "--cap", "5% of spent", "--target", "100", "--levy", "edu=2.5", "--id", "AC-1")  # fmt: skip
    village.ok("account", "change", "school", "--until", "2026-12-31", "--tag", "class=", "--title", "School 17")
    shown = village.json("account", "show", "school")
    assert shown["restriction"] == {"purposes": ["books"], "until": "2026-12-31"}
    assert shown["tags"] == {"country": "ID"} and shown["title"] == "School 17" and shown["target"] == "100.00"
    village.ok("account", "change", "school", "--no-caps", "--no-levy", "--no-target", "--no-restriction")
    shown = village.json("account", "show", "school")
    assert not {"caps", "levy", "target", "restriction"} & set(shown)
    assert village.json("show", "AC-1")["record"] == "account-change"
    assert village.json("verify")["holds"]


def test_a_restriction_is_never_loosened(village: Cli) -> None:
    """Once money came in, taking a restriction away or widening it is refused, and narrowing is not."""
    village.ok("account", "change", "school", "--purpose", "books", "--purpose", "desks")
    village.ok("donate", "school", "1")
    before = village.ledger.read_bytes()
    assert "CC-RESTRICTION" in village.fails(7, "account", "change", "school", "--no-restriction")
    assert "CC-RESTRICTION" in village.fails(7, "account", "change", "school", "--purpose", "bells")
    assert village.ledger.read_bytes() == before
    village.ok("account", "change", "school", "--purpose", "books")
    assert village.json("account", "show", "school")["restriction"] == {"purposes": ["books"]}


def test_a_cap_is_enforced_and_its_use_shown(village: Cli) -> None:
    """`account show` says how much of each cap is used in each year, and whether it is exceeded."""
    village.ok("account", "open", "capped", "--unit", "CNY", "--cap", "10% of received refuse for fundraising",
               "--cap", "5% of received")  # fmt: skip
    village.ok("donate", "capped", "100", "--date", "2026-01-01")
    spend = ["spend", "capped", "--payee", "P", "--purpose", "q", "--date", "2026-02-01", "--category", "fundraising"]
    assert "CC-CAP" in village.fails(7, *spend, "10.01")
    village.ok(*spend, "10")
    uses = village.json("account", "show", "capped")["cap_uses"]
    assert [(use["year"], use["costs"], use["base"], use["exceeded"]) for use in uses] == [
        (2026, "10.00", "100.00", False), (2026, "10.00", "100.00", True),
    ]  # fmt: skip
    assert "2026: 10.00 of 100.00 CNY received, EXCEEDED" in village.ok("account", "show", "capped")


def test_an_account_closes_and_opens_again(village: Cli) -> None:
    """Closing wants it empty; a closed account takes nothing, and opens again."""
    assert "12.50 CNY" in village.fails(7, "account", "close", "edu")
    assert "account school is closed" in village.ok("account", "close", "school")
    assert "CC-CLOSED" in village.fails(7, "donate", "school", "1")
    assert {row["account"]: row["state"] for row in village.json("account", "list")} == {
        "edu": "open", "school": "closed",
    }  # fmt: skip
    village.ok("account", "reopen", "school", "--reference", "minute 7")
    village.ok("donate", "school", "1")


def test_an_account_passes_to_another_owner(village: Cli) -> None:
    """Both owners sign; without either key it is 6; afterwards the old owner's key is not asked for."""
    village.ok("party", "add", "clinic", "--role", "charity")
    theirs = village.keys / "village.example_2026.clinic.key"
    theirs.rename(village.work / "away")
    village.fails(6, "account", "change", "edu", "--owner", "clinic")
    (village.work / "away").rename(theirs)
    village.ok("account", "change", "edu", "--owner", "clinic")
    assert village.json("account", "show", "edu")["owner"] == "clinic"
    village.ok("spend", "edu", "1", *USE, "--author", "self", "--id", "X-both")
    assert village.json("show", "X-both")["signed_by"] == "self, clinic"  # the owner signs whoever writes it
    theirs.unlink()
    village.fails(6, "spend", "edu", "1", *USE)
    village.fails(6, "spend", "edu", "1", *USE, "--author", "self")


@pytest.mark.parametrize(
    "options",
    [
        ["--cap", "10"], ["--cap", "10% of everything"], ["--cap", "10% spent received"], ["--cap", ""],
        ["--cap", "x% of spent"], ["--levy", "school"], ["--levy", "school=much"], ["--levy", "=8"],
        ["--tag", "a=1", "--tag", "a=2"], ["--naming", "maybe"], ["--approvals-needed", "0"],
        ["--no-caps", "--cap", "1% of spent"], [],
    ],
)  # fmt: skip
def test_a_term_that_is_mistyped_is_told(standing: Cli, options: list[str]) -> None:
    """What cannot be read is 2, and a change that says nothing is too; only 10 alone is a whole cap."""
    if options == ["--cap", "10"]:
        assert "would be" in standing.ok("account", "change", "edu", *options, "--dry-run")
    else:
        standing.fails(2, "account", "change", "edu", *options, "--dry-run")


def test_terms_that_do_not_fit_are_refused(standing: Cli) -> None:
    """An approver or levy account that is not there, too many approvals, or a cap beyond all is 7; no account is 4."""
    for options in (
        ["--approver", "nobody"], ["--levy", "nowhere=8"], ["--approver", "self", "--approvals-needed", "2"],
        ["--levy", "edu=8"], ["--levy", "school=101"], ["--until", "soon"], ["--target", "1.234"],
    ):  # fmt: skip
        standing.fails(7, "account", "change", "edu", *options, "--dry-run")
    standing.fails(7, "account", "change", "nowhere", "--title", "T", "--dry-run")
    standing.fails(4, "account", "show", "nowhere")


def test_a_change_travels_as_a_draft(village: Cli) -> None:
    """An account-change is drafted, signed by the approver elsewhere, and submitted."""
    board = village.folder / "board"
    request = village.ok("key", "request", "board", "--keys", board, "--no-passphrase")
    village.ok("party", "add", "--role", "auditor", "--request", "-", input=request)
    village.ok("account", "change", "edu", "--approver", "board")
    village.fails(6, "account", "change", "edu", "--title", "T")
    village.ok("account", "change", "edu", "--title", "T", "--approved-by", "board", "--draft", "t.draft")
    village.fails(7, "submit", "t.draft")
    village.ok("cosign", "t.draft", "--yes")
    village.ok("cosign", "t.draft", "--yes", "--keys", board)
    village.ok("submit", "t.draft")
    assert village.json("account", "show", "edu")["title"] == "T"


# ---------------------------------------------------------------------------------------------- suspension


def test_a_party_is_suspended_and_resumed(village: Cli) -> None:
    """A suspended party signs nothing but changes of its keys, everybody sees it, and it can be resumed."""
    village.ok("party", "add", "clinic", "--role", "charity")
    village.ok("account", "open", "ward", "--unit", "CNY", "--owner", "clinic")
    village.ok("party", "suspend", "clinic", "--reason", "its laptop was stolen", "--id", "SU-1")
    assert {row["party"]: row["state"] for row in village.json("party", "list")} == {
        "self": "active", "clinic": "suspended",
    }  # fmt: skip
    assert village.json("show", "SU-1")["reason"] == "its laptop was stolen"
    assert "CC-SUSPENDED" in village.fails(7, "donate", "ward", "1")
    assert "CC-SUSPENDED" in village.fails(7, "party", "suspend", "clinic")
    village.fails(7, "party", "suspend", "self")
    village.fails(7, "party", "suspend", "nobody")
    village.ok("key", "rotate", "clinic")
    village.ok("party", "resume", "clinic")
    village.ok("donate", "ward", "1")
    assert village.json("verify")["holds"]


# ---------------------------------------------------------------------------------------------------- keys


def rows(cli: Cli, party: str, use: str = "sign") -> list[dict[str, object]]:
    return [row for row in cli.json("party", "list") if (row["party"], row["use"]) == (party, use)]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.key")}


def test_the_operator_loses_its_key_and_goes_on(village: Cli) -> None:
    """Key file gone, recovery key there: `key recover` makes a new key, recording goes on, everything verifies."""
    spare = village.keys.with_name("keys-recovery")
    assert "Move it off this machine" in village.run("key", "recovery", "--no-passphrase").stderr
    assert files(spare) == {"village.example_2026.self.recovery.key"}
    identity = village.json("status")["identity"]
    shutil.rmtree(village.keys)
    village.fails(6, "donate", "edu", "1")
    assert "would be replaced" in village.ok("key", "recover", "self", "--no-passphrase", "--dry-run")
    assert not files(village.keys)
    village.ok("key", "recover", "self", "--no-passphrase")
    spare.rename(village.folder / "safe")
    village.ok("donate", "edu", "1", "--id", "D-2")
    report = village.json("verify")
    assert report["holds"] and report["identity"] == identity
    assert [(row["until"] is None, row["disputed"]) for row in rows(village, "self")] == [(False, None), (True, None)]
    # A second time the recovery key is elsewhere, and has to be named.
    shutil.rmtree(village.keys)
    assert "--recovery-keys" in village.fails(6, "key", "recover", "--no-passphrase")
    assert not files(village.keys)
    village.ok("key", "recover", "--no-passphrase", "--recovery-keys", village.folder / "safe")
    village.ok("donate", "edu", "1", "--id", "D-3")
    assert village.json("verify")["holds"]


def test_without_a_recovery_key_a_lost_key_is_lost(village: Cli) -> None:
    """No recovery key was ever set: `key recover` is refused, and nothing is made or recorded."""
    before = village.ledger.read_bytes()
    shutil.rmtree(village.keys)
    assert "CC-RECOVERY-KEY" in village.fails(7, "key", "recover", "--no-passphrase")
    assert "CC-KEY-MISSING" in village.fails(6, "key", "recovery", "--no-passphrase")
    assert not village.keys.exists() and village.ledger.read_bytes() == before


def test_what_a_stolen_key_said_counts_for_nothing(village: Cli) -> None:
    """A word that it signed is shown with the reason, and counts neither in a trace nor in a report's headline."""
    village.ok("party", "add", "clinic", "--role", "charity")
    village.ok("key", "recovery", "clinic", "--no-passphrase")
    village.ok("account", "open", "fund", "--unit", "EUR", "--owner", "clinic")
    village.ok("donate", "fund", "5", "--id", "D-9", "--author", "self")
    village.ok("spend", "edu", "2", *USE, "--id", "X-1")
    height = village.json("status")["height"] + 1
    village.ok("acknowledge", "X-1", "--author", "clinic", "--id", "A-1")
    village.ok("acknowledge", "D-9", "--author", "clinic", "--id", "A-2")

    def told() -> tuple[str, list[str], str]:
        (use,) = village.json("trace", "D-1")["uses"]
        figures = {figure["id"]: figure for figure in village.json("report")["figures"]}
        unit = village.json("trace", "D-1")["unit"]
        return (
            use["state"], [held["state"] for held in village.json("trace", "D-9")["held"]],
            figures[f"share.{unit}.acknowledged"]["numerator"],
        )  # fmt: skip

    assert told() == ("acknowledged", ["held"], "2.00")
    village.ok("key", "recover", "clinic", "--compromised-since", str(height), "--no-passphrase")
    assert told() == ("reported", ["in transit"], "0.00")
    why = f"COUNTS FOR NOTHING: a key of clinic was compromised since block {height}"
    assert why in village.ok("trace", "D-1") and why in village.ok("trace", "D-9")
    findings = [each for each in village.json("verify")["findings"] if each["code"] == "AUDIT-TRANSIT"]
    assert [each["amount"] for each in findings] == ["5.00"]


def test_a_stolen_key_is_replaced_and_its_uses_are_disputed(village: Cli) -> None:
    """What the stolen key signed from the block on is shown as disputed by `trace`, and nothing is lost."""
    village.ok("key", "recovery", "--no-passphrase")
    village.ok("spend", "edu", "1", *USE, "--id", "X-1")
    village.ok("spend", "edu", "2", *USE, "--id", "X-2")
    height = village.json("status")["height"]
    stolen = str(rows(village, "self")[0]["key"])
    village.ok("key", "recover", "self", "--compromised-since", str(height), "--no-passphrase")
    village.ok("spend", "edu", "3", *USE, "--id", "X-3")
    states = {use["id"]: (use["state"], use.get("why")) for use in village.json("trace", "D-1")["uses"]}
    why = f"a key of self was compromised since block {height}"
    assert states == {"X-1": ("reported", None), "X-2": ("disputed", why), "X-3": ("reported", None)}
    assert f"DISPUTED: {why}" in village.ok("trace", "D-1")
    assert rows(village, "self")[0]["disputed"] == height
    # It turns out that it was stolen a block earlier.
    village.ok("key", "compromised", "self", stolen, "--since", str(height - 1))
    states = {use["id"]: use["state"] for use in village.json("trace", "D-1")["uses"]}
    assert states == {"X-1": "disputed", "X-2": "disputed", "X-3": "reported"}
    village.fails(7, "key", "compromised", "self", stolen, "--since", "999")
    for unknown in ("abcdef0123", stolen[:7], ""):
        village.fails(4, "key", "compromised", "self", unknown, "--since", "1")
    assert village.json("verify")["holds"]


def test_a_thief_with_the_key_folder_cannot_take_the_recovery(village: Cli) -> None:
    """With the ordinary keys alone neither recovery key nor disputes can be touched, and no key file is left behind."""
    village.ok("key", "recovery", "--no-passphrase")
    key = str(rows(village, "self")[0]["key"])
    village.keys.with_name("keys-recovery").rename(village.folder / "safe")
    before, there = village.ledger.read_bytes(), files(village.keys)
    village.fails(6, "key", "recovery", "--no-passphrase")
    village.fails(6, "key", "recover", "--no-passphrase")
    village.fails(6, "key", "compromised", "self", key, "--since", "1")
    village.fails(6, "key", "threshold", "self", "1", "--by-recovery")
    assert village.ledger.read_bytes() == before and files(village.keys) == there
    assert not village.keys.with_name("keys-recovery").exists()


def test_two_of_three_keys(village: Cli) -> None:
    """A party with three keys asks for two; one alone is not enough; a lost one is named and replaced."""
    village.ok("key", "recovery", "--no-passphrase")
    village.fails(7, "key", "threshold", "self", "2")
    for _ in range(2):
        village.ok("key", "add", "--no-passphrase")
    village.ok("key", "threshold", "self", "2")
    village.ok("donate", "edu", "1")
    assert len(rows(village, "self")) == 3 and {row["needed"] for row in rows(village, "self")} == {2}
    (village.keys / "village.example_2026.self.key").unlink()
    village.ok("donate", "edu", "1")
    away = village.folder / "away"
    village.keys.rename(away)
    village.keys.mkdir()
    for path in away.glob("*.self.3.*"):
        shutil.copy2(path, village.keys)
    village.fails(6, "donate", "edu", "1")
    assert "say with --key" in village.fails(2, "key", "recover", "--no-passphrase")
    lost = [str(row["key"]) for row in rows(village, "self")][:2]
    village.ok("key", "recover", "--key", lost[0], "--no-passphrase")
    village.ok("donate", "edu", "1", "--id", "D-9")
    assert village.json("verify")["holds"]


def test_a_request_brings_a_recovery_key(village: Cli) -> None:
    """`key request --recovery` makes two keys in two folders, and the party recovers with the second one later."""
    theirs, safe = village.folder / "theirs", village.folder / "safe"
    request = village.ok("key", "request", "clinic", "--recovery", "--keys", theirs, "--recovery-keys", safe,
                         "--no-passphrase")  # fmt: skip
    told = json.loads(request)
    assert set(told) == {"id", "key", "proof", "origin", "recovery", "recovery_proof"}
    admit = ["party", "add", "--role", "charity", "--request", "-"]
    village.fails(7, *admit, input=json.dumps({k: v for k, v in told.items() if k != "recovery_proof"}))
    village.fails(7, *admit, input=json.dumps(told | {"recovery": told["key"]}))
    village.ok(*admit, input=request)
    assert "was there already" in village.ok(*admit, input=request)
    assert len(rows(village, "clinic", "recover")) == 1
    assert files(theirs) == {"village.example_2026.clinic.key"}
    shutil.rmtree(theirs)
    # On her own machine she drafts and signs with the recovery key alone; the operator only seals.
    village.ok("key", "recover", "clinic", "--keys", theirs, "--recovery-keys", safe, "--no-passphrase",
               "--draft", "new.draft")  # fmt: skip
    village.ok("cosign", "new.draft", "--yes", "--keys", safe)
    village.ok("submit", "new.draft")
    village.ok("account", "open", "ward", "--unit", "CNY", "--owner", "clinic", "--draft", "ward.draft")
    village.ok("cosign", "ward.draft", "--yes", "--keys", theirs)
    village.ok("submit", "ward.draft")
    assert village.json("account", "show", "ward")["owner"] == "clinic"
    assert village.json("verify")["holds"]


def test_a_new_key_is_never_plain_by_accident(village: Cli) -> None:
    """Without a terminal, a passphrase or --no-passphrase each command that makes a key is 6 and leaves nothing."""
    village.ok("key", "recovery", "--no-passphrase")
    before = village.ledger.read_bytes()
    there = files(village.keys) | files(village.keys.with_name("keys-recovery"))
    for command in (["add"], ["recovery"], ["recover"], ["request", "p", "--recovery"]):
        village.fails(6, "key", *command)
    assert files(village.keys) | files(village.keys.with_name("keys-recovery")) == there
    assert village.ledger.read_bytes() == before
    village.ok("key", "recover", CHARITYCHAIN_PASSPHRASE="correct horse battery staple")
    new = next(path for path in village.keys.glob("*.key") if path.name not in there)
    assert "ENCRYPTED" in new.read_text()


def test_a_refused_change_of_keys_leaves_no_key_file(village: Cli) -> None:
    """Unknown parties and a lying block leave neither a block nor a key file."""
    village.ok("key", "recovery", "--no-passphrase")
    before, there = village.ledger.read_bytes(), files(village.keys)
    village.fails(7, "key", "add", "nobody", "--no-passphrase")
    village.fails(7, "key", "recovery", "nobody", "--no-passphrase")
    village.fails(7, "key", "recover", "nobody", "--no-passphrase")
    village.fails(7, "key", "recover", "--compromised-since", "999", "--no-passphrase")
    assert village.ledger.read_bytes() == before and files(village.keys) == there
    assert len(files(village.keys.with_name("keys-recovery"))) == 1
