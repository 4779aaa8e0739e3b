"""``programme hours``: what people see, and the exit codes of what is refused."""

from __future__ import annotations

import pytest
from cli.conftest import Cli

ANN, BO = "1a" * 16, "1b" * 16
ROWS = f"entry,volunteer,date,event,minutes\n1,{ANN},2020-06-06,garden,180\n2,{BO},2020-06-06,river,95\n"
SPEND = ("programme", "hours", "spend")


@pytest.fixture
def volunteers(village: Cli) -> Cli:
    """Give a ledger with two events and a table of hours."""
    village.ok("account", "open", "garden", "--unit", "MINUTE")
    village.ok("account", "open", "river", "--unit", "MINUTE")
    (village.work / "hours.csv").write_text(ROWS)
    return village


def test_minutes_in_and_spent(volunteers: Cli) -> None:
    """Hours enter once, a dry run enters none, and an event is spent whole, once."""
    enter = ("programme", "hours", "enter", "hours.csv")
    assert volunteers.ok(*enter, "--dry-run") == "2 would be added, 0 were there already\n"
    assert volunteers.ok(*enter) == "2 added, 0 were there already\n"
    assert volunteers.json(*enter) == {"added": 0, "known": 2, "blocks": 0, "dry_run": False}
    spend = (*SPEND, "garden", "--payee", "Hill School", "--purpose", "a garden", "--id", "X-1", "--date", "2020-06-07")
    done = volunteers.json(*spend)
    assert (done["amount"], done["payee"], done["date"]) == ("180", "Hill School", "2020-06-07")
    assert volunteers.ok(*spend) == "expenditure X-1 was there already\n"
    assert "'X-1' is recorded already, with another payee" in volunteers.fails(7, *spend, "--payee", "Club")
    assert [use["id"] for use in volunteers.json("trace", "hours-garden/1")["uses"]] == ["X-1"]


def test_refusals_have_their_exit_codes(volunteers: Cli) -> None:
    """A table that does not fit, an event that is none, and an account without minutes."""
    enter = ("programme", "hours", "enter")
    (volunteers.work / "bad.csv").write_text(ROWS.replace("river", "lake"))
    assert "bad.csv, line 3" in volunteers.fails(7, *enter, "bad.csv")
    (volunteers.work / "bad.csv").write_text(ROWS.replace(BO, "Bo"))
    assert "CC-TABLE" in volunteers.fails(7, *enter, "bad.csv")
    (volunteers.work / "bad.csv").write_text(ROWS.replace("river", ""))
    assert "bad.csv, line 3: the event is empty" in volunteers.fails(7, *enter, "bad.csv")
    volunteers.ok(*enter, "hours.csv")
    (volunteers.work / "bad.csv").write_text(ROWS.replace("river", "garden"))
    said = volunteers.fails(7, *enter, "bad.csv")
    assert "bad.csv, line 3: entry 2 stands in the ledger already, as gift hours-river/2" in said
    volunteers.ok("reverse", "hours-river/2")
    volunteers.ok("reverse", "hours-garden/1")
    volunteers.fails(3, *enter, "none.csv")
    volunteers.fails(2, *SPEND, "garden", "--payee", "Hill School")
    said = ("--payee", "Hill School", "--purpose", "a garden")
    assert "CC-OVERDRAFT" in volunteers.fails(7, *SPEND, "garden", *said)
    assert "CC-UNIT" in volunteers.fails(7, *SPEND, "edu", *said)
    assert "CC-UNKNOWN-ACCOUNT" in volunteers.fails(7, *SPEND, "lake", *said)
