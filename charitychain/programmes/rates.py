"""Rates: for so many units that people earned, such as steps or points, a sponsor gives so much money.

A conversion by a rate is one record, whose reference declares the rate: the traces of those who earned and that of the
sponsor end at the same uses.

Rules upheld here:

- Arithmetic is in whole numbers. A conversion takes no more than its money needs: what gives not one more smallest
  unit of money stays in the account.
- Told again under its id it is the same entry; where a record of that id says something else, the ledger refuses it.

What it leaves to others: which unit a programme takes (`charitychain.programmes.steps`, `.points`), and who may convert
and whether the sponsor has the money (`charitychain.state`).

>>> from charitychain.units import BUILT_IN
>>> Rate.parse("1000=0.01", BUILT_IN["STEP"], BUILT_IN["CNY"]).cut(3512)
(3000, 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from charitychain.errors import MalformedError, RefusedError
from charitychain.programmes.balances import whole_balance
from charitychain.reading import Reader
from charitychain.records import Conversion
from charitychain.units import Unit, format_amount, parse_amount

__all__ = ["Rate", "convert_at_rate"]


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
            raise MalformedError(
                "CC-AMOUNT", f"a rate is {unit.code}={currency.code}, such as 1000=0.01, found {text!r:.60}"
            )
        try:
            a, b = parse_amount(earned, unit), parse_amount(money, currency)
        except MalformedError as error:
            raise MalformedError(error.code, f"rate {text!r:.60}: {error.message}") from error
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


def convert_at_rate(
    reader: Reader, *, source: str, to: str, funded_from: str, rate: str, id: str, most: str | None = None
) -> dict[str, Any]:
    """Return the journal entry of one conversion of what an account holds into money.

    Args:
        source: The account that holds what was earned.
        to: The account that gets the money.
        funded_from: The sponsor's account, which pays; in the currency of `to`.
        rate: ``EARNED=MONEY``.
        most: How much at most, in major units; nothing is the whole balance.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``. ``CC-OVERDRAFT``: `most` is more than the account holds.
            ``CC-CONVERSION``: too little for one smallest unit of money.
        MalformedError: ``CC-AMOUNT``: the rate or `most` has not its form.
    """
    account, target = reader.state.account_named(source), reader.state.account_named(to)
    unit, currency = reader.unit_of(account), reader.unit_of(target)
    declared = Rate.parse(rate, unit, currency)
    if most is None:
        earned = whole_balance(reader, account, kind=Conversion.KIND, id=id)
    else:
        earned = parse_amount(most, unit)
    taken, gives = declared.cut(earned)
    if reader.index.find_id(id) is None:  # else the ledger says whether that record is this one
        said = f"{format_amount(earned, unit)} {unit.code}"
        if earned > account.balance:
            raise RefusedError(
                "CC-OVERDRAFT",
                f"account {source!r} holds {format_amount(account.balance, unit)} {unit.code}, fewer than {said}",
                account=source,
            )
        if not gives:
            raise RefusedError(
                "CC-CONVERSION",
                f"{said} of {source!r} give nothing: {format_amount(1, currency)} {currency.code} takes"
                f" {format_amount(declared.smallest, unit)} at {declared.text}",
                account=source,
            )
    return {
        "record": "conversion", "id": id, "from": source, "amount": format_amount(taken, unit), "to": to,
        "gives": format_amount(gives, currency), "funded_from": funded_from, "reference": f"rate {declared.text}",
    }  # fmt: skip
