"""Rates: for so many units that people earned, such as steps or points, a sponsor gives so much money.

Arithmetic is in whole numbers. A conversion by a rate takes no more than its money needs: what gives not one more
smallest unit of money stays where it is.

>>> from charitychain.units import BUILT_IN
>>> Rate.parse("1000=0.01", BUILT_IN["STEP"], BUILT_IN["CNY"]).cut(3512)
(3000, 3)
"""

from __future__ import annotations

from dataclasses import dataclass

from charitychain.errors import MalformedError
from charitychain.units import Unit, format_amount, parse_amount

__all__ = ["Rate"]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many units that were earned for so much money, both in smallest units."""

    earned: int
    money: int
    text: str

    @classmethod
    def parse(cls, text: str, unit: Unit, currency: Unit) -> Rate:
        """Read ``EARNED=MONEY``, both in major units, such as ``1000=0.01``.

        Raises:
            MalformedError: ``CC-AMOUNT``.
        """
        earned, equals, money = text.partition("=")
        if not equals:
            raise MalformedError("CC-AMOUNT", f"a rate is STEPS=MONEY, such as 1000=0.01, found {text!r:.60}")
        a, b = parse_amount(earned, unit), parse_amount(money, currency)
        words = f"{format_amount(a, unit)} {unit.code} = {format_amount(b, currency)} {currency.code}"
        return cls(a, b, words)

    @property
    def smallest(self) -> int:
        """The fewest that give one smallest unit of money."""
        return -(-self.earned // self.money)

    def cut(self, earned: int) -> tuple[int, int]:
        """Return how many of `earned` are converted and what they give: ``floor(earned * rate)``.

        What is taken is the fewest that give as much; the rest gives nothing yet.
        """
        gives = earned * self.money // self.earned
        return -(-gives * self.earned // self.money), gives
