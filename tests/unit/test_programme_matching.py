"""Matches recomputed by hand."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest

from charitychain.errors import MalformedError
from charitychain.ledger import Ledger
from charitychain.programmes.matching import gifts_in, match_of, read_ratio


def test_a_series_is_found_whole_where_each_gift_was_spent_before_the_next(ledger: Ledger) -> None:
    """More movements than units came in: none of the later gifts is left out."""
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        for number in (1, 2, 3):
            writer.gifts("taps", account="edu", ids=[number], amounts=["0.01"])
            writer.expenditure(f"X-{number}", source="edu", amount="0.01", payee="Shop", purpose="chalk")
    assert list(gifts_in(ledger.reader(), "taps")) == ["taps/1", "taps/2", "taps/3"]


def test_matches_are_rounded_down_and_bounded() -> None:
    """Against decimals: every gift to 3.00, some ratios, with and without bounds."""
    for gift in range(301):
        for ratio in ("1", "0.5", "0.333", "2"):
            plain = int((gift * Decimal(ratio)).to_integral_value(ROUND_FLOOR))
            assert match_of(gift, Fraction(ratio), most=None, left=10_000) == plain
            assert match_of(gift, Fraction(ratio), most=50, left=10_000) == min(plain, 50)
            assert match_of(gift, Fraction(ratio), most=50, left=20) == min(plain, 20)


@pytest.mark.parametrize("text", ["", "0", "-1", "1/2", "1e3", "101", ".5", "1.", "٣"])
def test_a_ratio_without_form_is_refused(text: str) -> None:
    """Only a plain decimal above 0 and up to 100 is one."""
    with pytest.raises(MalformedError):
        read_ratio(text)
