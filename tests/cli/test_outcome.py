"""What the money did, said on the command line and told in the trace of the gift that paid."""

from __future__ import annotations

import json
from typing import Any

SPEND = ("spend", "edu", "6.00", "--payee", "Toko Buku", "--purpose", "books", "--id", "X-1")


def test_an_outcome_stands_in_the_trace_of_the_gift_that_paid(village: Any) -> None:
    """Three books for the 6.00 spent: the sentence says so, and the page tells where."""
    village.ok(*SPEND)
    told = village.ok("outcome", "edu", "books", "3", "--of", "X-1", "--place", "SD Sukamaju", "--id", "O-1")
    assert "outcome O-1 recorded" in told
    trace = village.ok("trace", "D-1")
    assert "became 3 books at SD Sukamaju" in trace
    found = village.json("trace", "D-1")["outcomes"]
    assert [(each["id"], each["quantity"], each["paid"], each["of"]) for each in found] == [("O-1", 3, "6.00", "6.00")]


def test_wrong_outcomes_are_refused(village: Any) -> None:
    """No expenditure of the account, none at all, no quantity: each with its exit code."""
    village.ok(*SPEND)
    assert "CC-OUTCOME" in village.fails(7, "outcome", "edu", "books", "3", "--of", "D-1")
    assert "CC-OUTCOME" in village.fails(7, "outcome", "school", "books", "3", "--of", "X-1")
    village.fails(2, "outcome", "edu", "books", "3")
    village.fails(2, "outcome", "edu", "books", "0", "--of", "X-1")
    village.fails(7, "outcome", "nowhere", "books", "1", "--of", "X-1")
    assert village.run("outcome", "edu", "books", "1", "--of", "X-1", "--dry-run").returncode == 0
    assert "outcomes" not in village.json("trace", "D-1")


def test_repeated_expenditures_count_once_and_losses_not_at_all(village: Any) -> None:
    """--of X-1 twice is once; a loss, which needs no payee, did nothing."""
    village.ok(*SPEND)
    assert village.json("outcome", "edu", "books", "3", "--of", "X-1", "--of", "X-1", "--id", "O-1")["of"] == ["X-1"]
    village.ok("spend", "edu", "1.00", "--category", "loss", "--purpose", "theft", "--id", "X-2")
    assert "what was lost did nothing" in village.fails(7, "outcome", "edu", "books", "3", "--of", "X-2")
    assert "Missing option '--purpose'" in village.fails(2, "spend", "edu", "1.00", "--category", "loss")
    for more in ((), ("--category", "programme")):
        assert "Missing option '--payee'" in village.fails(2, "spend", "edu", "1.00", "--purpose", "theft", *more)


def test_an_outcome_is_acknowledged_by_who_had_no_part_in_it(village: Any) -> None:
    """The school says so, or disputes it; the owner cannot, and an amount makes no sense. A journal tells it again."""
    village.ok("party", "add", "school-board", "--role", "charity")
    village.ok(*SPEND)
    village.ok("outcome", "edu", "books", "3", "--of", "X-1", "--id", "O-1")
    assert "'self' cannot acknowledge 'O-1'" in village.fails(7, "acknowledge", "O-1")
    school = ("--author", "school-board", "--note", "seen by us")
    assert "leave the amount out" in village.fails(7, "acknowledge", "O-1", "--amount", "1", *school)
    assert "leave upto out" in village.fails(7, "acknowledge", "O-1", "--upto", *school)
    village.ok("acknowledge", "O-1", "--disputed", "--id", "A-1", *school)
    assert "O-1 is disputed by school-board (A-1)." in village.ok("verify")
    village.ok("acknowledge", "O-1", "--on-behalf-of", "SD Sukamaju", "--id", "A-2", *school)
    assert "disputed" not in village.ok("verify")
    told = [json.loads(line) for line in village.ok("export").splitlines()]
    said = [each for each in told if each["record"] == "acknowledgement"]
    assert said == [
        {"record": "acknowledgement", "id": "A-1", "acknowledges": "O-1", "status": "disputed", "note": "seen by us",
         "author": "school-board"},
        {"record": "acknowledgement", "id": "A-2", "acknowledges": "O-1", "on_behalf_of": "SD Sukamaju",
         "note": "seen by us", "author": "school-board"},
    ]  # fmt: skip
    village.ok("import", village.journal(told))


def test_an_indicator_is_written_without_space_around_it(village: Any) -> None:
    """What would look like another indicator and count apart is refused."""
    village.ok(*SPEND)
    assert "white space" in village.fails(7, "outcome", "edu", "books ", "3", "--of", "X-1")
