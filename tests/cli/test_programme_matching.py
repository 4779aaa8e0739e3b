"""``programme matching``: what is matched, what is left out and told, and the exit codes of what is refused."""

from __future__ import annotations

import pytest
from cli.conftest import Cli

MATCH = ("programme", "matching", "--pledge", "P-1", "--account", "edu")


@pytest.fixture
def pledged(village: Cli) -> Cli:
    """Give D-1 of 12.50, D-2 of 0.03, D-3 of 40.00, and a pledge of 30.00 by a sponsor."""
    village.ok("donate", "edu", "0.03", "--id", "D-2")
    village.ok("donate", "edu", "40.00", "--id", "D-3")
    village.ok("import", village.journal([{"record": "pledge", "id": "P-1", "account": "edu", "amount": "30.00"}]))
    return village


def test_gifts_are_matched_until_the_pledge_is_used_up(pledged: Cli) -> None:
    """Half of each, rounded down: 6.25 and 0.01; then 20.00 of D-3; a gift matched before is told and left out."""
    done = pledged.json(*MATCH, "--ratio", "0.5", "D-1", "D-2", "D-1")
    assert [(row["because_of"], row["amount"]) for row in done["records"]] == [("D-1", "6.25"), ("D-2", "0.01")]
    again = pledged.run(*MATCH, "--ratio", "0.5", "D-1", "D-2", "--json")
    assert (again.returncode, again.stderr) == (0, "matched already: D-1, D-2\nLeft of the pledge: 23.74 CNY.\n")
    pledged.ok("donate", "edu", "1.00", "--id", "D-4")
    last = pledged.run(*MATCH, "D-1", "D-3", "D-4", "--json")
    assert '"amount": "23.74"' in last.stdout
    assert last.stderr.splitlines() == [
        "matched already: D-1", "the pledge is used up, no match: D-4", "Left of the pledge: 0.00 CNY.",
    ]  # fmt: skip
    assert "holds" in pledged.ok("verify")


def test_a_series_is_matched_with_a_bound_for_each_gift(pledged: Cli) -> None:
    """All gifts of a series, each at most 2.00: 1.50, 2.00 and 2.00."""
    gifts = {"record": "gifts", "series": "run", "account": "edu", "ids": [1, 2, 7], "amounts": ["1.5", "2", "9"]}
    pledged.ok("import", pledged.journal([gifts]))
    done = pledged.json(*MATCH, "--series", "run", "--most", "2.00")
    assert [(row["because_of"], row["amount"]) for row in done["records"]] == [
        ("run/1", "1.50"), ("run/2", "2.00"), ("run/7", "2.00"),
    ]  # fmt: skip


def test_refusals_have_their_exit_codes(pledged: Cli) -> None:
    """No gifts named, an unknown gift, pledge or series, a ratio without form."""
    pledged.fails(2, *MATCH)
    pledged.fails(2, *MATCH, "D-1", "--id", "D-9")
    assert "CC-UNKNOWN-GIFT" in pledged.fails(4, *MATCH, "D-99")
    other = ("programme", "matching", "--account", "edu", "D-1", "--pledge")
    assert "CC-UNKNOWN-ID" in pledged.fails(7, *other, "P-9")
    assert "CC-UNKNOWN-ID" in pledged.fails(7, *MATCH, "--series", "none")
    assert "CC-AMOUNT" in pledged.fails(7, *MATCH, "D-1", "--ratio", "1/2")
