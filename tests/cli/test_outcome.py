"""What the money did, said on the command line and told in the trace of the gift that paid."""

from __future__ import annotations

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
