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


def test_refusals_have_their_exit_codes(green: Cli) -> None:
    """An account in money, no points, more than there are, more money than the sponsor has."""
    assert "CC-UNIT" in green.fails(7, *ENTER[:-1], "edu")
    assert "CC-CONVERSION" in green.fails(7, *REDEEM, "--rate", "100=1.00")
    green.ok(*ENTER)
    assert "CC-OVERDRAFT" in green.fails(7, *REDEEM, "--rate", "100=1.00", "--points", "256")
    assert "CC-OVERDRAFT" in green.fails(7, *REDEEM, "--rate", "1=1.00")
    (green.work / "a.csv").write_text(ROWS.replace("225", "0"))
    assert "line 3" in green.fails(7, *ENTER)
