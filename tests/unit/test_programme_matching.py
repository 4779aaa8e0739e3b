"""Matches recomputed by hand."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest

from charitychain.errors import MalformedError
from charitychain.programmes.matching import match_of, read_ratio


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
