"""The rate of points, recomputed by hand."""

from __future__ import annotations

from charitychain.programmes.rates import Rate
from charitychain.units import Unit


def test_points_taken_give_exactly_their_money() -> None:
    """At 100=1.00 and 300=1.00, for 0 to 1,000 points: the money is rounded down, and one point fewer gives less."""
    for per in (100, 300):
        rate = Rate.parse(f"{per}=1.00", Unit("POINT", 0), Unit("CNY", 2))
        for points in range(1_001):
            taken, gives = rate.cut(points)
            assert gives == points * 100 // per
            assert taken <= points and taken * 100 // per == gives
            assert taken == 0 or (taken - 1) * 100 // per < gives
