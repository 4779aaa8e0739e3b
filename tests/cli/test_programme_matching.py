"""``programme matching``: what is matched, what is left out and told, and the exit codes of what is refused."""

from __future__ import annotations

import json

import pytest
from cli.conftest import Cli
from click.testing import CliRunner

from charitychain.cli import cli as charitychain
from charitychain.cli import session

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
    assert {name: done[name] for name in ("known", "sponsored", "nothing", "without_from", "left", "unit")} == {
        "known": [], "sponsored": [], "nothing": [], "without_from": None, "left": "23.74", "unit": "CNY",
    }  # fmt: skip
    again = pledged.run(*MATCH, "--ratio", "0.5", "D-1", "D-2", "--json")
    assert (again.returncode, again.stderr) == (0, "matched already: D-1, D-2\nLeft of the pledge: 23.74 CNY.\n")
    pledged.ok("donate", "edu", "1.00", "--id", "D-4")
    assert json.loads(again.stdout) == {
        "record": "statement", "records": [], "known": ["D-1", "D-2"], "sponsored": [], "nothing": [],
        "without_from": None, "left": "23.74", "unit": "CNY", "recorded": False,
    }  # fmt: skip
    match = done["records"][0]["id"]
    last = pledged.run(*MATCH, "D-1", match, "D-3", "D-4", "--json")
    told = json.loads(last.stdout)
    assert [(row["because_of"], row["amount"]) for row in told["records"]] == [("D-3", "23.74")]
    assert (told["known"], told["sponsored"], told["without_from"]) == (["D-1"], [match], "D-4")
    assert last.stderr.splitlines() == [
        "matched already: D-1", f"a sponsor's own, not matched: {match}",
        "the pledge is used up; D-4 and all after it get nothing of it", "Left of the pledge: 0.00 CNY.",
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


def test_of_many_matches_the_first_are_named(pledged: Cli) -> None:
    """22 matches: 20 by their ids, and how many more there are; JSON has all of them."""
    gifts = {"record": "gifts", "series": "run", "account": "edu", "ids": list(range(22)), "amounts": ["0.10"] * 22}
    pledged.ok("import", pledged.journal([gifts]))
    assert len(pledged.json(*MATCH, "--series", "run", "--dry-run")["records"]) == 22
    said = pledged.ok(*MATCH, "--series", "run")
    assert said.count("donation D-") == 20 and said.endswith(" and 2 more recorded in block 6\n")


@pytest.mark.parametrize(
    "command",
    [
        (*MATCH, "D-1"),
        ("programme", "hours", "spend", "edu", "--payee", "P", "--purpose", "Q"),
        ("programme", "steps", "convert", "--from", "edu", "--to", "edu", "--funded-from", "edu", "--rate", "1=1"),
        ("programme", "points", "redeem", "--from", "edu", "--to", "edu", "--funded-from", "edu", "--rate", "1=1"),
        ("programme", "services", "s.csv", "--account", "edu", "--payee", "P", "--lists", "L"),
    ],
    ids=lambda command: command[1],
)
def test_a_programme_that_looks_first_shows_that_an_index_is_made(
    pledged: Cli, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the index is gone, the look that comes before the entry is what makes it, and tells how far it is."""
    shown: list[str] = []

    class Meter:
        def __init__(self, label: str) -> None:
            self.label = label

        def __call__(self, done: int, total: int) -> None:
            shown.append(self.label)

        def close(self) -> None:
            pass

    monkeypatch.setattr(session, "Meter", Meter)
    monkeypatch.setenv("XDG_CONFIG_HOME", pledged.env["XDG_CONFIG_HOME"])
    monkeypatch.chdir(pledged.work)
    pledged.ledger.with_name("v.ledger.index").unlink()
    CliRunner().invoke(charitychain, [*command])
    assert shown and set(shown) == {"Making the index"}


def test_facts_in_json_are_whole(pledged: Cli) -> None:
    """25 gifts that were matched: the sentence names 20 of them, JSON all."""
    gifts = {"record": "gifts", "series": "run", "account": "edu", "ids": list(range(25)), "amounts": ["0.10"] * 25}
    pledged.ok("import", pledged.journal([gifts]))
    pledged.ok(*MATCH, "--series", "run")
    again = pledged.run(*MATCH, "--series", "run", "--json")
    assert json.loads(again.stdout)["known"] == [f"run/{n}" for n in range(25)]
    assert "run/19 and 5 more\n" in again.stderr


def test_refusals_have_their_exit_codes(pledged: Cli) -> None:
    """No gifts named, an unknown gift, pledge or series, a ratio without form."""
    pledged.fails(2, *MATCH)
    pledged.fails(2, *MATCH, "D-1", "--id", "D-9")
    assert "CC-UNKNOWN-GIFT" in pledged.fails(4, *MATCH, "D-99")
    other = ("programme", "matching", "--account", "edu", "D-1", "--pledge")
    assert "CC-UNKNOWN-ID" in pledged.fails(7, *other, "P-9")
    assert "CC-UNKNOWN-ID" in pledged.fails(7, *MATCH, "--series", "none")
    assert "CC-AMOUNT" in pledged.fails(7, *MATCH, "D-1", "--ratio", "1/2")


def test_a_pledge_of_30_brings_30(pledged: Cli) -> None:
    """A gift of 30.00 on the pledge, and then a match of 30.00 out of it: refused, by whatever command."""
    entry = {"record": "donation", "account": "edu", "pledge": "P-1"}
    pledged.ok("import", pledged.journal([{**entry, "id": "N-1", "amount": "30.00"}]))
    one = pledged.journal([{**entry, "id": "M-1", "amount": "30.00", "because_of": "D-1"}])
    assert "0.00 CNY is left to match with" in pledged.fails(7, "import", one)
    said = pledged.run(*MATCH, "D-1")
    assert (said.returncode, said.stdout) == (0, "nothing matched\n")
