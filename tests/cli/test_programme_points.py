"""``programme points``: points in, money for trees, and the exit codes of what is refused."""

from __future__ import annotations

import pytest
from cli.conftest import Cli

ANN, BO = "0a" * 16, "0b" * 16
ROWS = f"act,person,date,points\n1,{ANN},2020-05-01,30\n2,{BO},2020-05-01,225\n"
ENTER = ("programme", "points", "enter", "a.csv", "--account", "green")
REDEEM = ("programme", "points", "redeem", "--from", "green", "--to", "trees", "--funded-from", "edu")


@pytest.fixture
def green(village: Cli) -> Cli:
    """Give accounts in a declared unit POINT and for trees; ``edu`` is the sponsor's, with 12.50."""
    lines = [
        {"record": "unit", "id": "POINT", "decimals": 0},
        {"record": "account", "id": "green", "unit": "POINT"},
        {"record": "account", "id": "trees", "unit": "CNY"},
    ]
    village.ok("import", village.journal(lines))
    (village.work / "a.csv").write_text(ROWS)
    return village


def test_points_become_trees(green: Cli) -> None:
    """255 points at 100=1.00 are 2.55; entered twice they are there once; a purchase ends the sponsor's trace."""
    assert green.ok(*ENTER) == "2 added, 0 were there already\n"
    assert green.ok(*ENTER) == "0 added, 2 were there already\n"
    done = green.json(*REDEEM, "--rate", "100=1.00")
    assert (done["amount"], done["gives"], done["reference"]) == ("255", "2.55", "rate 100 POINT = 1.00 CNY")
    assert {row["account"]: row["amount"] for row in green.json("balance")} == {
        "edu": "9.95", "school": "0.00", "green": "0", "trees": "2.55",
    }  # fmt: skip
    assert "holds" in green.ok("verify")


def test_the_same_command_again_records_nothing(green: Cli) -> None:
    """Also when more points came in meanwhile; another rate under that id is refused."""
    green.ok(*ENTER)
    redeem = (*REDEEM, "--id", "C-1", "--reference", "spring", "--date", "2020-06-01", "--rate")
    assert green.json(*redeem, "100=1.00")["reference"] == "rate 100 POINT = 1.00 CNY; spring"
    (green.work / "a.csv").write_text(ROWS + f"3,{ANN},2020-05-02,100\n")
    assert green.ok(*ENTER) == "1 added, 2 were there already\n"
    assert green.ok(*redeem, "100=1.00") == "conversion C-1 was there already\n"
    said = green.fails(7, *redeem, "100=2.00")
    assert said == "Error: 'C-1' is recorded already, with another gives, reference; ids are unique [CC-DUPLICATE-ID]\n"
    assert green.json("balance", "green")[0]["amount"] == "100"


def test_refusals_have_their_exit_codes(green: Cli) -> None:
    """An account in money, no points, more than there are, more money than the sponsor has, tables that do not fit."""
    assert "CC-UNIT" in green.fails(7, *ENTER[:-1], "edu")
    green.ok("account", "open", "work", "--unit", "MINUTE")
    assert "CC-UNIT" in green.fails(7, *ENTER[:-1], "work")
    redeem = ("programme", "points", "redeem", "--to", "trees", "--funded-from", "edu", "--rate", "1=1", "--from")
    assert "CC-UNIT" in green.fails(7, *redeem, "work")
    assert "CC-CONVERSION" in green.fails(7, *REDEEM, "--rate", "100=1.00")
    green.ok(*ENTER)
    assert "CC-OVERDRAFT" in green.fails(7, *REDEEM, "--rate", "100=1.00", "--points", "256")
    assert "CC-OVERDRAFT" in green.fails(7, *REDEEM, "--rate", "1=1.00")
    (green.work / "a.csv").write_text(ROWS.replace("225", "0"))
    assert "line 3" in green.fails(7, *ENTER)
    (green.work / "a.csv").write_bytes(b"")
    assert "a.csv, line 1: the file is empty; its first line is act,person,date,points" in green.fails(7, *ENTER)
    (green.work / "a.csv").write_text(f"act,person,date,points\n7,\x1b[2J{ANN},2020-05-01,5\n")
    said = green.fails(7, *ENTER)
    assert "a.csv, line 2: person must be" in said and "\x1b" not in said
    green.fails(2, "programme", "points", "redeem", "--from", "green")
