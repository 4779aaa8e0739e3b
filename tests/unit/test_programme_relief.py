"""The price of one piece, recomputed by hand."""

from __future__ import annotations

import pytest

from charitychain.programmes.relief import unit_price


@pytest.mark.parametrize(
    ("paid", "got", "price"),
    [
        (120000, 400, "3.00"),  # 1,200.00 for 400
        (1000, 3, "about 3.333333"),  # 10.00 for 3
        (20000, 70, "about 2.857143"),  # 200.00 for 70 is 2.857142857...
        (1, 8, "0.001250"),  # 0.01 for 8, exactly
        (100, 40, "0.025000"),  # 1.00 for 40, exactly
    ],
)
def test_the_price_of_one_piece(paid: int, got: int, price: str) -> None:
    """It is exact with as many decimals as it needs, or says that it is not."""
    assert unit_price(paid, got) == price
