"""Outcomes in the audit: what overlaps or exceeds is asked about, and what fits is not."""

from __future__ import annotations

from collections.abc import Iterator
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


@pytest.mark.parametrize("amount", [None, "12.01"])
def test_one_indicator_twice_on_one_expenditure_overlaps(book: Ledger, amount: str | None) -> None:
    """Without amounts, or with too much in all, an expenditure is named with the outcomes that share it."""
    say(book, "O-1", "X-1", amount="4")
    say(book, "O-2", "X-1", "X-2", amount=amount)
    assert told(book) == [(OVERLAP, "2 outcomes count books for expenditure X-1: O-1, O-2.")]


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


def test_claims_that_fit_two_by_two_can_exceed_together(book: Ledger) -> None:
    """8 of X-1, 8 of both and 6 of X-2 fit wherever two meet, and are 22 of 16 spent."""
    say(book, "O-1", "X-1", amount="8")
    say(book, "O-2", "X-1", "X-2", amount="8")
    assert told(book) == []
    say(book, "O-3", "X-2", amount="6")
    assert told(book) == [
        (EXCEEDS, "3 outcomes of books claim 22.00 EUR together, of which 16.00 EUR stands: O-1, O-2, O-3.")
    ]
