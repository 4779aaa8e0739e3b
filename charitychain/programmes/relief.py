"""Relief goods: money buys them, people give them, they move from hand to hand, and some of them are lost.

Goods are value of a unit of their own, such as ``MASK``: neither money nor the steps or minutes that people give. A
purchase is a conversion of money into them, whose payee is the supplier; a gift in kind is a donation of the source
``in-kind``; a hand-over is a disbursement between the goods accounts of two parties, which the receiver acknowledges by
its own key; a loss is an expenditure of the category ``loss``. A gift of money is thereby followed to the hospital's
word.

Rules upheld here:

- The price of one piece is derived from what was paid and what was got, never entered beside them.
- What a giver says that goods are worth is text of the record's reference: it is never summed with money.

What it leaves to others: who may buy, move and lose (`charitychain.state`), and who may confirm.

>>> unit_price(120000, 400, decimals=0)
'300'
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from charitychain.errors import RefusedError
from charitychain.reading import Reader
from charitychain.units import BUILT_IN, CURRENCIES, Unit, format_amount, parse_amount

__all__ = ["buy", "give", "lose", "move", "unit_price"]

_GIVEN_BY_PEOPLE = ("STEP", "MINUTE")


def unit_price(paid: int, got: int, *, decimals: int = 2) -> str:
    """Return `paid` for each of `got` (smallest units), with four more decimals where it does not come out even.

    What does not come out even with those either is rounded to the nearest, and said to be about that.
    """
    exact = Fraction(paid, got)
    if exact.denominator == 1:
        return _decimal(exact.numerator, decimals)
    finer = exact * 10_000
    return ("" if finer.denominator == 1 else "about ") + _decimal(round(finer), decimals + 4)


def _decimal(value: int, decimals: int) -> str:
    if not decimals:
        return str(value)
    whole, rest = divmod(value, 10**decimals)
    return f"{whole}.{rest:0{decimals}}"


def buy(
    reader: Reader, *, source: str, to: str, amount: str, gives: str, supplier: str, id: str
) -> tuple[dict[str, Any], str]:
    """Return the journal entry of a purchase, and what one whole piece cost, such as ``3.00 CNY for 1 MASK``.

    Args:
        source, amount: The account that pays, and how much.
        to, gives: The goods account, and how much it gets.
        supplier: Who was paid.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``. ``CC-UNIT``: what is bought is money, or is paid for with goods.
        MalformedError: ``CC-AMOUNT``.
    """
    money, goods = _unit(reader, source), _unit(reader, to)
    if not _is_money(money):
        raise RefusedError("CC-UNIT", f"account {source!r} is in {money.code}; goods are bought with money")
    _check_goods(goods, to)
    paid, got = parse_amount(amount, money), parse_amount(gives, goods)
    price = unit_price(paid * 10**goods.decimals, got, decimals=money.decimals)
    entry = {
        "record": "conversion", "id": id, "from": source, "amount": amount, "to": to, "gives": gives,
        "payee": supplier,
    }  # fmt: skip
    return entry, f"{price} {money.code} for 1 {goods.code}"


def give(
    reader: Reader, *, account: str, amount: str, id: str, value: str | None = None, currency: str | None = None
) -> dict[str, Any]:
    """Return the journal entry of goods given in kind; `value` in `currency` is what the giver says they are worth.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``; ``CC-UNIT``: no goods account, or a currency that is no unit of money.
        MalformedError: ``CC-AMOUNT``.
    """
    _check_goods(_unit(reader, account), account)
    entry = {"record": "donation", "id": id, "account": account, "amount": amount, "source": "in-kind"}
    if value is not None:
        unit = BUILT_IN.get(currency or "")
        if unit is None or not _is_money(unit):
            raise RefusedError("CC-UNIT", f"a value is in a currency, such as CNY, found {currency!r:.40}")
        entry["reference"] = f"valued {format_amount(parse_amount(value, unit), unit)} {unit.code} by giver"
    return entry


def move(reader: Reader, *, source: str, to: str, amount: str, id: str) -> dict[str, Any]:
    """Return the journal entry of a batch handed over, from one goods account to another.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``; ``CC-UNIT``: no goods account.
    """
    for account in (source, to):
        _check_goods(_unit(reader, account), account)
    return {"record": "disbursement", "id": id, "from": source, "to": to, "amount": amount}


def lose(reader: Reader, *, source: str, amount: str, how: str, id: str) -> dict[str, Any]:
    """Return the journal entry of goods lost; `how` says what happened to them.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``; ``CC-UNIT``: no goods account.
    """
    _check_goods(_unit(reader, source), source)
    return {"record": "expenditure", "id": id, "from": source, "amount": amount, "purpose": how, "category": "loss"}


def _unit(reader: Reader, account: str) -> Unit:
    return reader.unit_of(reader.state.account_named(account))


def _is_money(unit: Unit) -> bool:
    """Tell whether a unit is a currency (ISO 4217)."""
    return unit.code in CURRENCIES


def _check_goods(unit: Unit, account: str) -> None:
    if _is_money(unit) or unit.code in _GIVEN_BY_PEOPLE:
        what = "money" if _is_money(unit) else "what people walked or worked"
        raise RefusedError("CC-UNIT", f"account {account!r} is in {unit.code}, which is {what} and not goods")
