"""``programme steps``: what people see, and the exit codes of what is refused."""

from __future__ import annotations

import pytest
from cli.conftest import Cli

ANN, BO = "0a" * 16, "0b" * 16
ROWS = f"walk,walker,date,steps\n1,{ANN},2020-05-01,812\n2,{BO},2020-05-01,9188\n3,{ANN},2020-05-02,0\n"
CONVERT = ("programme", "steps", "convert", "--from", "walks", "--to", "edu", "--funded-from", "sponsor")


@pytest.fixture
def walkers(village: Cli) -> Cli:
    """Give a ledger with an account in steps, a sponsor's, and a table of walks."""
    village.ok("account", "open", "walks", "--unit", "STEP")
    village.ok("account", "open", "sponsor", "--unit", "CNY")
    village.ok("donate", "sponsor", "5.00", "--id", "S-1")
    (village.work / "walks.csv").write_text(ROWS)
    return village


def test_walks_in_and_money_out(walkers: Cli) -> None:
    """Walks enter once, a dry run enters none, and the conversion says its rate."""
    enter = ("programme", "steps", "enter", "walks.csv", "--account", "walks")
    left = "; 1 walk of no steps did not enter\n"
    assert walkers.ok(*enter, "--dry-run") == "2 would be added, 0 were there already" + left
    assert walkers.ok(*enter) == "2 added, 0 were there already" + left
    assert walkers.json(*enter) == {
        "added": 0, "known": 2, "blocks": 0, "dry_run": False, "least": 1, "left_out": 1, "left_out_steps": 0,
        "left_out_walks": [{"walk": "3", "walker": ANN, "date": "2020-05-02", "steps": "0"}],
    }  # fmt: skip
    assert walkers.json(*enter, "--limit", "0")["left_out_walks"] == []
    assert "conversion C-1 would be recorded" in walkers.ok(*CONVERT, "--rate", "1000=0.01", "--id", "C-1", "--dry-run")
    done = walkers.json(*CONVERT, "--rate", "1000=0.01", "--id", "C-1", "--reference", "May", "--date", "2020-05-03")
    assert (done["amount"], done["gives"], done["reference"]) == ("10000", "0.10", "rate 1000 STEP = 0.01 CNY; May")
    again = walkers.ok(*CONVERT, "--rate", "1000=0.01", "--id", "C-1", "--reference", "May", "--date", "2020-05-03")
    assert again == "conversion C-1 was there already\n"
    other = walkers.fails(7, *CONVERT, "--rate", "20000=0.01", "--id", "C-1")
    assert "'C-1' is recorded already" in other and "CC-DUPLICATE-ID" in other


def test_refusals_have_their_exit_codes(walkers: Cli) -> None:
    """A table that does not fit, an account in money, a rate without form, and too few steps."""
    enter = ("programme", "steps", "enter")
    assert "CC-UNIT" in walkers.fails(7, *enter, "walks.csv", "--account", "edu")
    assert "CC-UNKNOWN-ACCOUNT" in walkers.fails(7, *enter, "walks.csv", "--account", "nobody")
    walkers.fails(2, *enter, "walks.csv", "--account", "walks", "--least", "0")
    walkers.fails(2, *enter, "walks.csv")
    walkers.fails(3, *enter, "none.csv", "--account", "walks")
    (walkers.work / "bad.csv").write_text(ROWS.replace("812", "8e2"))
    assert "bad.csv, line 2" in walkers.fails(7, *enter, "bad.csv", "--account", "walks")
    assert "CC-CONVERSION" in walkers.fails(7, *CONVERT, "--rate", "1000=0.01")
    walkers.ok(*enter, "walks.csv", "--account", "walks")
    assert "CC-AMOUNT" in walkers.fails(7, *CONVERT, "--rate", "1000")
    assert "CC-OVERDRAFT" in walkers.fails(7, *CONVERT, "--rate", "1=1.00")
    (walkers.work / "bad.csv").write_text(ROWS.replace("812", "813"))
    said = walkers.fails(7, *enter, "bad.csv", "--account", "walks")
    assert said.startswith("Error: bad.csv, line 2: gift steps/1 says something else")
    assert walkers.json("balance", "walks")
