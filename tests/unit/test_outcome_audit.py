"""Outcomes in the audit: what overlaps or exceeds is asked about, and what fits is not."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from charitychain.ledger import Ledger
from charitychain.outcomes import EXCEEDS, OVERLAP, _Sharing


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
        (EXCEEDS, "Outcome O-2 claims 6.00 EUR, of which 0.00 EUR stands."),
    ]


def test_an_outcome_without_an_amount_claims_what_stood_when_it_was_said(book: Ledger) -> None:
    """8.99 of 9.00 reversed after it was said is asked about; what had been reversed before is no question."""
    with book.writer() as writer:
        writer.reversal("U-1", reverses="X-1", amount="1")
        writer.reversal("U-2", reverses="X-2")
    say(book, "O-1", "X-1")
    assert told(book) == []
    with book.writer() as writer:
        writer.reversal("U-3", reverses="X-1", amount="8.99")
    assert told(book) == [(EXCEEDS, "Outcome O-1 claims 9.00 EUR, of which 0.01 EUR stands.")]
    say(book, "O-2", "X-2", indicator="rooms")
    assert told(book)[1:] == [(EXCEEDS, "Outcome O-2 stands on expenditures, of which 0.00 EUR stands.")]


@pytest.mark.parametrize("other", ["Books", "BOOKS", "books"])
def test_an_indicator_is_one_however_it_is_written(book: Ledger, other: str) -> None:
    """Case and spacing make no other indicator of one; the first outcome's spelling is told."""
    say(book, "O-1", "X-1", indicator="school books")
    say(book, "O-2", "X-1", indicator=f"School  {other}")
    say(book, "O-3", "X-1", indicator=f"school{other}")
    assert told(book) == [
        (OVERLAP, "2 outcomes count school books and claim 20.00 EUR together, of which 10.00 EUR stands: O-1, O-2.")
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


def test_sharing_out_is_the_largest_there_is() -> None:
    """Over drawn claims the clashes are those that a search of all sets of outcomes finds: the ones that want most."""
    draw, seen = random.Random(7), set[int]()
    for _ in range(400):
        stands = {f"X-{number}": draw.choice([0, 1, 2, 5, 9]) for number in range(draw.randint(1, 5))}
        wants = {
            f"O-{number}": (draw.randint(1, 9), draw.sample(list(stands), draw.randint(1, min(3, len(stands)))))
            for number in range(draw.randint(1, 7))
        }
        sharing, claims = _Sharing(), dict[str, int]()
        for id_, (amount, of) in wants.items():
            sharing.claim(id_, amount, {use: stands[use] for use in of})
            claims[id_] = min(amount, sum(stands[use] for use in of))

        def beyond(ids: tuple[str, ...], claims: dict[str, int] = claims, stands: dict[str, int] = stands,
                   wants: dict[str, tuple[int, list[str]]] = wants) -> int:  # fmt: skip
            uses = {use for id_ in ids for use in wants[id_][1]}
            return sum(claims[id_] for id_ in ids) - sum(stands[use] for use in uses)

        sets = [ids for size in range(1, len(wants) + 1) for ids in combinations(sorted(wants), size)]
        most = max(map(beyond, sets))
        # Of the sets that want most beyond what stands, the smallest is one: their common part wants as much.
        smallest = min((ids for ids in sets if beyond(ids) == most), key=len) if most > 0 else ()
        clashes = list(sharing.clashes())
        assert sorted(id_ for ids, _, _ in clashes for id_ in ids) == list(smallest)
        for ids, claimed, there in clashes:
            assert claimed - there == beyond(tuple(ids)) > 0
        assert sum(claimed - there for _, claimed, there in clashes) == max(most, 0)
        seen.add(len(clashes))
    assert seen >= {0, 1, 2}


@pytest.mark.parametrize("shape", ["chain", "double chain", "one expenditure", "ring", "slack at one end"])
def test_many_outcomes_are_shared_out_in_a_moment(shape: str) -> None:
    """Twice as many outcomes take not four times as long: 16,000 of them are done in two seconds, met or not."""
    count = 16_000
    for claim in (9, 10, 11):
        sharing = _Sharing()
        for number in range(count):
            near = {"one expenditure": (0,), "double chain": (number // 2, number // 2 + 1),
                    "ring": (number, (number + 1) % count)}.get(shape, (number, number + 1))  # fmt: skip
            first = count * claim if shape == "slack at one end" else 10
            sharing.claim(f"O-{number:05}", claim, {f"X-{use}": 10 if use else first for use in near})
        start = time.process_time()
        list(sharing.clashes())
        assert time.process_time() - start < 2
