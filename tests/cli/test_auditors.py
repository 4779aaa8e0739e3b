"""Auditors' lines under a checkpoint: made after a full replay only, and no witness's."""

from __future__ import annotations

import shutil
from dataclasses import replace

from cli.conftest import Cli
from cli.witnesses import KEPT, ORIGIN, made, policy, post, served
from golden.builder import seeded_key
from tamper.forge import put_together, reseal, sign
from tamper.ledgers import village as forging_village

from charitychain import cosignature, note
from charitychain.records import Expenditure
from charitychain.witnessing.protocol import format_request


def test_an_auditor_signs_what_it_replayed_and_counts_as_no_witness(village: Cli) -> None:
    """The line is made after a full replay, handed over, kept beside the ledger, and shown apart from witnesses."""
    vkeys = made(village, "north")
    auditor = village.ok("checkpoint", "audit-key", "audit.example", "--no-passphrase", "--keys", "akeys").strip()
    shutil.copy(village.ledger, village.work / "a.copy")
    told = village.ok(
        "checkpoint", "audit-sign", auditor, "--keys", "akeys", "--ledger", "a.copy", "-o", "signed"
    )  # fmt: skip
    assert told == "audit.example replayed 2 blocks, which hold, and signed the checkpoint\n"
    village.fails(2, "checkpoint", "add", "signed")
    assert "CC-SEAL" in village.fails(1, "checkpoint", "add", "signed", "--auditor-key", vkeys["north"])
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        assert village.ok("checkpoint", "add", "signed", "--auditor-key", auditor) == (
            "kept beside the ledger: what audit.example signed in signed\n"
        )
        done = village.run("checkpoint", "verify", "--policy", path, "--auditor-key", auditor)
        assert done.returncode == 8 and "auditor audit.example replayed it and signed at " in done.stdout
        assert "not there: north" in done.stdout
        village.ok("witness", "request", "--policy", path)
    facts = village.json("checkpoint", "verify", "--policy", path, "--auditor-key", auditor)
    assert list(facts["witnesses"]) == ["north"] and list(facts["auditors"]) == ["audit.example"]
    kept = (village.work / KEPT).read_text()
    assert kept.count("— ") == 3
    village.ok("checkpoint", "add", "signed", "--auditor-key", auditor)
    assert (village.work / KEPT).read_text().count("— ") == 3
    village.ok("donate", "edu", "1.00")
    village.ok("checkpoint", "audit-sign", auditor, "--keys", "akeys")
    assert "CC-OLDER" in village.fails(7, "checkpoint", "add", "signed", "--auditor-key", auditor)
    assert village.json("checkpoint", "verify", "--auditor-key", auditor)["known"] == 3
    overlap = village.work / "overlap"
    overlap.write_text(path.read_text().replace(vkeys["north"], auditor))
    for command in (("verify",), ("add", "signed")):
        assert "CC-POLICY" in village.fails(
            7, "checkpoint", *command, "--policy", overlap, "--auditor-key", auditor
        )  # fmt: skip
    absent = village.ok("checkpoint", "audit-key", "other.example", "--no-passphrase", "--keys", "akeys").strip()
    done = village.run("checkpoint", "verify", "--auditor-key", absent)
    assert done.returncode == 8 and "auditor other.example has not signed it" in done.stdout


def test_an_auditor_signs_nothing_that_does_not_hold(village: Cli) -> None:
    """A ledger with a fault, an older one, a missing key, a party's own key: each ends without a signature."""
    auditor = village.ok("checkpoint", "audit-key", "audit.example", "--no-passphrase").strip()
    shutil.copy(village.ledger, village.work / "before")
    village.ok("donate", "edu", "1.00", "--id", "D-2")
    village.ok("verify")
    assert "CC-KEY-MISSING" in village.fails(6, "checkpoint", "audit-sign", auditor, "--keys", "elsewhere")
    data = village.ledger.read_bytes()
    village.fails(8, "checkpoint", "audit-sign", auditor, "--ledger", "before")
    village.ledger.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
    done = village.run("checkpoint", "audit-sign", auditor, "-o", "signed")
    assert done.returncode in (1, 3), done.stderr
    village.ledger.write_bytes(data)
    (own,) = village.json("checkpoint", "key")["keys"]
    operator = cosignature.vkey(ORIGIN, note.parse_vkey(own).public_key)
    assert "CC-KEY-USED" in village.fails(6, "checkpoint", "audit-sign", operator)
    assert not list(village.work.glob("*.cosigned")) and not (village.work / "signed").exists()
    assert village.ok("checkpoint", "audit-sign", auditor, "-o", "signed").startswith("audit.example replayed 3 blocks")
    assert "CC-EXISTS" in village.fails(7, "checkpoint", "audit-sign", auditor, "-o", "signed")


def test_an_auditor_finds_what_only_replay_shows(cli: Cli) -> None:
    """A ledger that breaks a rule under good seals is cosigned by a witness and refused by an auditor."""
    v = forging_village()
    parts = v.blocks()
    spent = sign([Expenditure("N", 0, 2**62)], [seeded_key("self")], v.identity, parts)
    parts = reseal([*parts, replace(parts[-1], statements=(spent,))], v.key_of)
    cli.ledger.write_bytes(put_together(parts))
    told = note.parse_checkpoint(note.parse_note(parts[-1].seal).text)
    cli.ok("witness", "init", "north", "north.example/w", "--no-passphrase")
    cli.ok("witness", "trust", "north", note.vkey(told.origin, seeded_key("self").public_key))
    with served(cli, "north") as (url, _):
        assert post(f"{url}add-checkpoint", format_request(0, [], parts[-1].seal))[0] == 200
    auditor = cli.ok("checkpoint", "audit-key", "audit.example", "--no-passphrase").strip()
    assert "the ledger does not hold, and nothing was signed" in cli.fails(1, "checkpoint", "audit-sign", auditor)
    assert not list(cli.work.glob("*.cosigned"))
