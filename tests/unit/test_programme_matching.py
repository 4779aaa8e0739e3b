"""Matches recomputed by hand."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

import pytest

from charitychain.errors import MalformedError
from charitychain.ledger import Ledger
from charitychain.programmes.matching import Matches, gifts_in, match_gifts, match_of, read_ratio
from charitychain.reading import Reader


def test_a_series_is_found_whole_where_each_gift_was_spent_before_the_next(ledger: Ledger) -> None:
    """More movements than units came in: none of the later gifts is left out."""
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        for number in (1, 2, 3):
            writer.gifts("taps", account="edu", ids=[number], amounts=["0.01"])
            writer.expenditure(f"X-{number}", source="edu", amount="0.01", payee="Shop", purpose="chalk")
    assert list(gifts_in(ledger.reader(), "taps")) == ["taps/1", "taps/2", "taps/3"]


def test_a_series_that_went_to_two_accounts_is_found_whole(ledger: Ledger) -> None:
    """In the order of its numbers, and nothing else that came into these accounts."""
    with ledger.writer() as writer:
        for account in ("edu", "beds"):
            writer.account(account, unit="CNY")
        writer.gifts("taps", account="edu", ids=[1, 5], amounts=["1", "1"])
        writer.gifts("other", account="edu", ids=[2], amounts=["1"])
        writer.gifts("taps", account="beds", ids=[6, 9], amounts=["1", "1"])
        writer.donation("D-1", account="edu", amount="1")
    assert list(gifts_in(ledger.reader(), "taps")) == ["taps/1", "taps/5", "taps/6", "taps/9"]


def _match_all(ledger: Ledger, gifts: list[str], **options: str) -> Matches:
    names = itertools.count(int(ledger.reader().head.height) * 100)
    done = match_gifts(
        ledger.reader(), pledge="P-1", account="edu", gifts=gifts, new_id=lambda: f"M-{next(names)}", **options
    )
    if done.entries:
        with ledger.writer() as writer:
            writer.add_together(done.entries)
    return done


@pytest.mark.parametrize("seed", range(4))
def test_lists_entered_one_after_another_use_up_the_pledge(ledger: Ledger, seed: int) -> None:
    """Random lists, with gifts named again, gifts taken back and matches undone: each match is as counted by hand."""
    rng = random.Random(seed)
    gifts = {f"G-{n}": rng.choice((1, 2, rng.randrange(1, 3000))) for n in range(25)}
    left = 15_000 - 1_000  # the sponsor gave G-0 and G-1 on the pledge itself
    gifts |= {"G-0": 700, "G-1": 300}
    matched: dict[str, tuple[str, int]] = {}
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        writer.pledge("P-1", account="edu", amount="150.00")
        for name, fen in gifts.items():
            own = {"pledge": "P-1"} if name in ("G-0", "G-1") else {}
            writer.donation(name, account="edu", amount=f"{fen // 100}.{fen % 100:02}", **own)
    for turn in range(6):
        named = rng.choices(sorted(gifts), k=8)
        ratio, most = rng.choice((("1", 2000), ("0.5", 700), ("1.5", 10_000)))
        expected: dict[str, int] = {}
        known, sponsored, nothing, without_from = [], [], [], None
        rest = left
        for name in dict.fromkeys(named):
            wanted = min(int(gifts[name] * Decimal(ratio)), most)
            if not rest:
                without_from = name
                break
            if name in matched:
                known.append(name)
            elif name in ("G-0", "G-1"):
                sponsored.append(name)
            elif not wanted:
                nothing.append(name)
            else:
                expected[name] = min(wanted, rest)
                rest -= expected[name]
        done = _match_all(ledger, named, ratio=ratio, most=f"{most // 100}.{most % 100:02}")
        assert [(entry["because_of"], int(entry["amount"].replace(".", ""))) for entry in done.entries] == list(
            expected.items()
        )
        assert (done.known, done.sponsored, done.nothing) == (known, sponsored, nothing)
        assert (done.without_from, done.left) == (without_from, rest)
        left = rest
        matched |= {entry["because_of"]: (entry["id"], expected[entry["because_of"]]) for entry in done.entries}
        if turn % 2 and matched:
            gift = rng.choice(sorted(matched))
            match, fen = matched.pop(gift)
            with ledger.writer() as writer:  # the match undone: it may be matched again
                writer.reversal(f"U-{turn}", reverses=match)
            left += fen
        gift = rng.choice(sorted(gifts)[2:])
        if gifts[gift] > 1:
            with ledger.writer() as writer:  # a fen of the gift was never given
                writer.reversal(f"V-{turn}", reverses=gift, amount="0.01")
            gifts[gift] -= 1
    assert matched and ledger.verify().holds


def test_what_is_left_of_a_pledge_is_not_added_up_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 300 matches one more reads no more records than after 3."""
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        writer.pledge("P-1", account="edu", amount="1000")
        for n in range(310):
            writer.donation(f"G-{n}", account="edu", amount="1")
    read: list[Any] = []
    real = Reader.record
    monkeypatch.setattr(Reader, "record", lambda reader, place: read.append(place) or real(reader, place))
    counts = []
    for first, upto, one in ((0, 3, 301), (3, 300, 302)):
        _match_all(ledger, [f"G-{n}" for n in range(first, upto)])
        read.clear()
        match_gifts(ledger.reader(), pledge="P-1", account="edu", gifts=[f"G-{one}"], new_id=lambda: "M")
        counts.append(len(read))
    assert counts == [0, 0]  # what the gift itself is, the rules read


def test_once_the_pledge_is_used_up_no_further_gift_is_read(ledger: Ledger) -> None:
    """Of an endless list that a pledge of 3.00 meets, four ids are taken: the fourth is where it ends."""
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        writer.pledge("P-1", account="edu", amount="3")
        writer.gifts("taps", account="edu", ids=list(range(9)), amounts=["1"] * 9)
    taken: list[str] = []

    def endless() -> Iterator[str]:
        for n in itertools.count():
            taken.append(f"taps/{n}")
            yield taken[-1]

    done = match_gifts(ledger.reader(), pledge="P-1", account="edu", gifts=endless(), new_id=iter("ABC").__next__)
    assert (len(done.entries), done.left, done.without_from, len(taken)) == (3, 0, "taps/3", 4)
    with ledger.writer() as writer:
        writer.add_together(done.entries)
    taken.clear()
    done = match_gifts(ledger.reader(), pledge="P-1", account="edu", gifts=endless(), new_id=iter("ABC").__next__)
    assert done == Matches([], [], [], [], "taps/0", 0) and taken == ["taps/0"]


def test_a_match_of_a_match_is_left_out(ledger: Ledger) -> None:
    """Out of another pledge, too."""
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        for pledge in ("P-1", "P-2"):
            writer.pledge(pledge, account="edu", amount="9")
        writer.donation("D-1", account="edu", amount="2")
    done = _match_all(ledger, ["D-1"])
    match = done.entries[0]["id"]
    again = match_gifts(ledger.reader(), pledge="P-2", account="edu", gifts=[match, "D-1"], new_id=lambda: "M")
    assert again == Matches([], ["D-1"], [match], [], None, 900)


def test_matches_are_rounded_down_and_bounded() -> None:
    """Against decimals: every gift to 3.00, some ratios, with and without a bound."""
    for gift in range(301):
        for ratio in ("1", "0.5", "0.333", "2"):
            plain = int((gift * Decimal(ratio)).to_integral_value(ROUND_FLOOR))
            assert match_of(gift, Fraction(ratio), most=None) == plain
            assert match_of(gift, Fraction(ratio), most=50) == min(plain, 50)


@pytest.mark.parametrize("text", ["", "0", "-1", "1/2", "1e3", "101", ".5", "1.", "٣"])
def test_a_ratio_without_form_is_refused(text: str) -> None:
    """Only a plain decimal above 0 and up to 100 is one."""
    with pytest.raises(MalformedError):
        read_ratio(text)
