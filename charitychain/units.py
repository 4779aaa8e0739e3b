"""Units of value, and amounts as text.

A unit is a currency of ISO 4217 or a commodity (steps walked, minutes given, masks, …). Inside, an amount is a whole
number of the unit's smallest part; as text it is a decimal string in major units. This module is the only place where
one becomes the other.

Rules upheld here:

- Amounts are exact: integers and strings, never floats.
- ``"12"``, ``"12.5"`` and ``"12.50"`` are the same amount; what comes out always has all decimals of the unit.
- Text is refused unless it is plain ASCII digits with at most one point: no sign, exponent, space, grouping or leading
  zero, and its length is bounded before anything is converted.
- A code's decimals never change. A ledger keeps the decimals that were valid when it was written, so a later decision
  of ISO cannot give old integers another meaning. (IDR has ISO's two decimals although nobody uses *sen*.)

The table is ISO 4217 list one as published on 2026-01-01: currencies and funds codes that have a minor unit (metals,
bond market units, XDR, XSU, XUA, XTS and XXX have none and are left out). Other units are declared in the ledger by a
``unit`` record. What a ledger allows is decided by `charitychain.state`, how a unit is shown by the faces.

>>> parse_amount("12.5", BUILT_IN["CNY"])
1250
>>> format_amount(1250, BUILT_IN["CNY"])
'12.50'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from charitychain.errors import MalformedError

__all__ = [
    "AMOUNT_MAX",
    "BUILT_IN",
    "COMMODITIES",
    "CURRENCIES",
    "MAX_DECIMALS",
    "Unit",
    "format_amount",
    "parse_amount",
]

AMOUNT_MAX = 2**63 - 1
"""The largest amount, total or position of any unit, in minor units: it fits a signed 64-bit integer everywhere."""

MAX_DECIMALS = 12
"""The most decimals that a declared unit may have."""

_TEXT_MAX = 64  # AMOUNT_MAX has 19 digits; a longer text can only be trailing zeros or an attack
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_CODE = re.compile(r"[A-Z][A-Z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of value, such as ``Unit("CNY", 2)``.

    Attributes:
        code: ISO 4217 code or the id under which the ledger declares it.
        decimals: Digits after the point; the smallest part is ``10 ** -decimals``.
        title: Name for people; may be empty.
    """

    code: str
    decimals: int
    title: str = ""


# Decimals → codes. ISO 4217 list one, 2026-01-01.
_ISO_4217 = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
        COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
        INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
        MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
        STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

CURRENCIES: Mapping[str, Unit] = MappingProxyType(
    {code: Unit(code, decimals) for decimals, codes in _ISO_4217.items() for code in codes.split()}
)
"""The currencies of ISO 4217 that have a minor unit, by code."""

COMMODITIES: Mapping[str, Unit] = MappingProxyType(
    {
        code: Unit(code, 0, title)
        for code, title in (
            ("STEP", "Steps walked"),
            ("MINUTE", "Minutes of volunteer work"),
            ("MASK", "Masks"),
            ("MEAL", "Meals"),
            ("TREE", "Trees"),
        )
    }
)
"""The commodities that every ledger knows from the start."""

BUILT_IN: Mapping[str, Unit] = MappingProxyType({**CURRENCIES, **COMMODITIES})
"""Every unit that needs no declaration, by code."""


def parse_amount(text: str, unit: Unit, *, allow_zero: bool = False) -> int:
    """Return the amount that `text` states in major units, in minor units of `unit`.

    Args:
        allow_zero: Take ``"0"`` as well; no movement of value is of nothing, so this is off.

    Raises:
        MalformedError: ``CC-AMOUNT``: no plain decimal, more decimals than the unit has, zero, or above `AMOUNT_MAX`.
    """
    whole, _, fraction = _split(text)
    if len(fraction) > unit.decimals:
        raise MalformedError(
            "CC-AMOUNT",
            f"amount {text!r} has {len(fraction)} decimal{'s' * (len(fraction) != 1)}, but {unit.code} has"
            f" {unit.decimals}",
            found=text,
            unit=unit.code,
        )
    amount = int(whole + fraction.ljust(unit.decimals, "0"))
    if amount > AMOUNT_MAX:
        raise MalformedError(
            "CC-AMOUNT",
            f"amount {text!r} is too large; the most in {unit.code} is {format_amount(AMOUNT_MAX, unit)}",
            found=text,
            unit=unit.code,
        )
    if amount == 0 and not allow_zero:
        raise MalformedError("CC-AMOUNT", f"amount {text!r} is nothing; it must be above 0", found=text, unit=unit.code)
    return amount


def format_amount(amount: int, unit: Unit) -> str:
    """Return `amount` minor units as a decimal string in major units, with all decimals of the unit.

    Raises:
        ValueError: `amount` is negative; a ledger has no negative amounts.
    """
    if amount < 0:
        raise ValueError(f"an amount is never negative: {amount}")
    digits = str(amount).rjust(unit.decimals + 1, "0")
    if unit.decimals == 0:
        return digits
    return f"{digits[: -unit.decimals]}.{digits[-unit.decimals :]}"


def _split(text: str) -> tuple[str, str, str]:
    # The length goes first: int() of a huge text takes seconds, and Python refuses it with another error.
    if not isinstance(text, str) or len(text) > _TEXT_MAX or _AMOUNT.fullmatch(text) is None:
        raise MalformedError(
            "CC-AMOUNT",
            f"amount {_shown(text)} must be a string of plain digits with at most one point, such as '12' or '12.50'",
            found=_shown(text),
        )
    return text.partition(".")


def _shown(value: object) -> str:
    """Return a bounded form of a value from outside, for a message."""
    if not isinstance(value, str):
        return f"({type(value).__name__})"
    return ascii(value) if len(value) <= _TEXT_MAX else f"{value[:16]!a}… ({len(value)} characters)"
