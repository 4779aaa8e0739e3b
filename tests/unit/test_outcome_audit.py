"""Outcomes in the audit: what overlaps or exceeds is asked about, and what fits is not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from charitychain.ledger import Ledger
from charitychain.outcomes import EXCEEDS, OVERLAP


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    """Give a ledger that spent X-1 of 10.00 and X-2 of 6.00 out of `edu`."""
    with Ledger.create(tmp_path / "b.ledger", origin="b.example", keys=tmp_path / "keys") as made:
        with made.writer() as writer:
            writer.account("edu", unit="EUR")
            writer.donation("D-1", account="edu", amount="100")
            writer.expenditure("X-1", source="edu", amount="10", payee="Shop", purpose="books")
            writer.expenditure("X-2", source="edu", amount="6", payee="Shop", purpose="books")
        yield made


def told(book: Ledger) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in book.verify().findings if each.code.startswith("AUDIT-OUTCOME")]


def say(book: Ledger, name: str, *of: str, amount: str | None = None, indicator: str = "books") -> None:
    with book.writer() as writer:
        writer.outcome(name, account="edu", indicator=indicator, quantity=3, of=of, amount=amount)


def test_outcomes_that_share_what_was_spent_are_no_finding(book: Ledger) -> None:
    """Different indicators, or amounts that fit together, count nothing twice."""
    say(book, "O-1", "X-1", amount="4")
    say(book, "O-2", "X-1", "X-2", amount="12")
    say(book, "O-3", "X-1", indicator="readers")
    assert told(book) == []


@pytest.mark.parametrize(("amount", "claimed"), [(None, "20.00"), ("12.01", "16.01")])
def test_one_indicator_twice_on_one_expenditure_overlaps(book: Ledger, amount: str | None, claimed: str) -> None:
    """Without an amount all that stands is claimed; both are named, with what they claim and what there is."""
    say(book, "O-1", "X-1", amount="4")
    say(book, "O-2", "X-1", "X-2", amount=amount)
    assert told(book) == [
        (OVERLAP, f"2 outcomes count books and claim {claimed} EUR together, of which 16.00 EUR stands: O-1, O-2.")
    ]


def test_what_is_claimed_beyond_what_stands_exceeds(book: Ledger) -> None:
    """A claim that fitted is asked about once part of its expenditure, or all of it, was reversed."""
    say(book, "O-1", "X-1", amount="10")
    say(book, "O-2", "X-2")
    assert told(book) == []
    with book.writer() as writer:
        writer.reversal("U-1", reverses="X-1", amount="1")
        writer.reversal("U-2", reverses="X-2")
    assert told(book) == [
        (EXCEEDS, "Outcome O-1 claims 10.00 EUR, of which 9.00 EUR stands."),
        (EXCEEDS, "Outcome O-2 stands on expenditures, of which 0.00 EUR stands."),
    ]


def test_a_claim_beyond_what_was_ever_spent_exceeds(book: Ledger) -> None:
    """Nobody refuses such a claim; everybody sees it."""
    say(book, "O-1", "X-1", "X-2", amount="16.01")
    assert told(book) == [(EXCEEDS, "Outcome O-1 claims 16.01 EUR, of which 16.00 EUR stands.")]


def test_claims_that_fit_two_by_two_can_overlap_together(book: Ledger) -> None:
    """8 of X-1, 8 of both and 6 of X-2 fit wherever two meet, and are 22 of 16 spent."""
    say(book, "O-1", "X-1", amount="8")
    say(book, "O-2", "X-1", "X-2", amount="8")
    assert told(book) == []
    say(book, "O-3", "X-2", amount="6")
    assert told(book) == [
        (OVERLAP, "3 outcomes count books and claim 22.00 EUR together, of which 16.00 EUR stands: O-1, O-2, O-3.")
    ]


def test_room_elsewhere_hides_no_overlap(book: Ledger) -> None:
    """O-1 and O-2 claim X-1 twice, although O-3 leaves 5.00 of X-2 unclaimed and O-4 joins the two expenditures."""
    say(book, "O-1", "X-1", amount="8")
    say(book, "O-2", "X-1", amount="3")
    say(book, "O-3", "X-2", amount="1")
    say(book, "O-4", "X-1", "X-2", amount="1")
    assert told(book) == [
        (OVERLAP, "2 outcomes count books and claim 11.00 EUR together, of which 10.00 EUR stands: O-1, O-2.")
    ]


def test_overlaps_are_those_that_no_sharing_out_meets(book: Ledger) -> None:
    """Over drawn claims, a set is named exactly where some set of outcomes claims more than all it may draw on."""
    draw, stands = random.Random(5), {"X-1": 1000, "X-2": 600, "X-3": 700}
    with book.writer() as writer:
        writer.expenditure("X-3", source="edu", amount="7", payee="Shop", purpose="books")
    both: set[bool] = set()
    for turn in range(30):
        claims = {
            f"O-{turn}-{number}": (draw.randint(1, 600), draw.sample(list(stands), draw.randint(1, 3)))
            for number in range(5)
        }
        for id_, (amount, of) in claims.items():
            say(book, id_, *of, amount=f"{amount / 100:.2f}", indicator=f"books {turn}")
        sets = [names for size in range(2, 6) for names in combinations(claims, size)]
        too_much = [
            set(names) for names in sets
            if sum(claims[name][0] for name in names)
            > sum(stands[use] for use in {use for name in names for use in claims[name][1]})
        ]  # fmt: skip
        alone = {name for name, (amount, of) in claims.items() if amount > sum(stands[use] for use in of)}
        found = [
            set(each.facts["outcomes"]) for each in book.verify().findings
            if each.code == OVERLAP and each.facts["indicator"] == f"books {turn}"
        ]  # fmt: skip
        if alone:
            continue
        assert bool(found) == bool(too_much)
        assert all(names in too_much for names in found)
        both.add(bool(found))
    assert both == {True, False}
