"""Units and amounts as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charitychain.errors import MalformedError
from charitychain.units import (
    AMOUNT_MAX,
    BUILT_IN,
    COMMODITIES,
    CURRENCIES,
    MAX_DECIMALS,
    Unit,
    format_amount,
    parse_amount,
)

CNY = BUILT_IN["CNY"]
STEP = BUILT_IN["STEP"]


@pytest.mark.parametrize(
    ("code", "decimals"),
    [
        ("CNY", 2),
        ("IDR", 2),
        ("EUR", 2),
        ("USD", 2),
        ("TZS", 2),
        ("MGA", 2),
        ("JPY", 0),
        ("KRW", 0),
        ("UGX", 0),
        ("XOF", 0),
        ("ISK", 0),
        ("BHD", 3),
        ("KWD", 3),
        ("TND", 3),
        ("CLF", 4),
        ("UYW", 4),
        ("STEP", 0),
        ("MINUTE", 0),
        ("MASK", 0),
        ("MEAL", 0),
        ("TREE", 0),
    ],
)
def test_spot_values(code: str, decimals: int) -> None:
    """Well-known units have the decimals that ISO 4217 gives them; commodities have none."""
    assert BUILT_IN[code].decimals == decimals
    assert BUILT_IN[code].code == code


def test_the_table_is_whole() -> None:
    """The table has every currency with a minor unit once, and nothing that has none."""
    assert len(CURRENCIES) == 165
    assert set(COMMODITIES) == {"STEP", "MINUTE", "MASK", "MEAL", "TREE"}
    assert len(BUILT_IN) == 170
    assert not {"XAU", "XDR", "XTS", "XXX", "DEM", "HRK"} & set(BUILT_IN)
    assert all(len(code) == 3 for code in CURRENCIES)


def test_the_table_agrees_with_the_iso4217_package() -> None:
    """Every currency that the published list has too has the same decimals there."""
    iso4217 = pytest.importorskip("iso4217")
    published = {currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None}
    common = published.keys() & CURRENCIES.keys()
    assert len(common) > 150
    assert {code: published[code] for code in common} == {code: CURRENCIES[code].decimals for code in common}
    if str(iso4217.__published__) == "2026-01-01":
        assert published.keys() == CURRENCIES.keys()


def test_the_table_cannot_be_changed() -> None:
    """Nobody can change a unit at run time: old integers would mean something else."""
    with pytest.raises(TypeError):
        BUILT_IN["CNY"] = Unit("CNY", 0)  # type: ignore[index]
    with pytest.raises(AttributeError):
        CNY.decimals = 0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("12", CNY, 1200),
        ("12.5", CNY, 1250),
        ("12.50", CNY, 1250),
        ("0.01", CNY, 1),
        ("0.1", CNY, 10),
        ("100000", STEP, 100000),
        ("0.001", BUILT_IN["KWD"], 1),
        ("92233720368547758.07", CNY, AMOUNT_MAX),
        ("9223372036854775807", STEP, AMOUNT_MAX),
        ("0." + "0" * 11 + "1", Unit("FINE", MAX_DECIMALS), 1),
    ],
)
def test_parse(text: str, unit: Unit, amount: int) -> None:
    """Plain decimals become minor units."""
    assert parse_amount(text, unit) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0",
        "0.00",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "1.",
        ".5",
        "01",
        "00",
        "1.234",
        "1e3",
        "1E3",
        "1e3000000",
        "1_000",
        "1,000",
        "1'000",
        "0x10",
        "١٢٣",
        "１２",
        "12.5٠",
        "NaN",
        "inf",
        "1.2.3",
        "92233720368547758.08",
        "1" * 64,
        "1" * 5000,
        "1." + "0" * 100000,
        "\x001",
    ],
)
def test_refuse(text: str) -> None:
    """Anything but a plain decimal above zero that the unit can hold is refused with CC-AMOUNT."""
    with pytest.raises(MalformedError) as caught:
        parse_amount(text, CNY)
    assert caught.value.code == "CC-AMOUNT"
    assert len(caught.value.message) < 250


@pytest.mark.parametrize("value", [12, 12.5, None, True, b"12", ["12"]])
def test_refuse_what_is_no_text(value: object) -> None:
    """A JSON number, null or list is no amount: floats have lost digits before we see them."""
    with pytest.raises(MalformedError) as caught:
        parse_amount(value, CNY)  # type: ignore[arg-type]
    assert caught.value.code == "CC-AMOUNT"


def test_decimals_of_a_unit_without_any() -> None:
    """A step has no parts, not even written as zero."""
    with pytest.raises(MalformedError, match="has 1 decimal, but STEP has 0"):
        parse_amount("1.0", STEP)


def test_zero_where_it_is_allowed() -> None:
    """Zero is taken only where it is asked for, and minus zero never."""
    assert parse_amount("0", CNY, allow_zero=True) == 0
    assert parse_amount("0.00", CNY, allow_zero=True) == 0
    with pytest.raises(MalformedError):
        parse_amount("-0", CNY, allow_zero=True)


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (0, CNY, "0.00"),
        (5, CNY, "0.05"),
        (50, CNY, "0.50"),
        (1250, CNY, "12.50"),
        (AMOUNT_MAX, CNY, "92233720368547758.07"),
        (2**70, STEP, "1180591620717411303424"),
        (0, STEP, "0"),
        (1, BUILT_IN["CLF"], "0.0001"),
    ],
)
def test_format(amount: int, unit: Unit, text: str) -> None:
    """All decimals of the unit are written, always."""
    assert format_amount(amount, unit) == text


def test_format_refuses_negative_amounts() -> None:
    """A negative amount is a bug of the caller, not something to print."""
    with pytest.raises(ValueError, match="never negative"):
        format_amount(-1, CNY)


@given(st.integers(1, AMOUNT_MAX), st.integers(0, MAX_DECIMALS))
def test_parse_undoes_format(amount: int, decimals: int) -> None:
    """What was written is read back as the same amount, and dropping zeros changes nothing."""
    unit = Unit("X", decimals)
    text = format_amount(amount, unit)
    assert parse_amount(text, unit) == amount
    if decimals:
        short = text.rstrip("0").rstrip(".")
        assert parse_amount(short, unit) == amount


@given(st.text(alphabet="0123456789.+-eE_, ٣\n", max_size=12))
def test_what_is_taken_is_a_plain_decimal(text: str) -> None:
    """Whatever is taken reads, digit for digit, as the amount it became."""
    try:
        amount = parse_amount(text, Unit("X", 3), allow_zero=True)
    except MalformedError:
        return
    assert set(text) <= set("0123456789.")
    whole, _, fraction = text.partition(".")
    assert (whole + "." + (fraction + "000")[:3]) == format_amount(amount, Unit("X", 3))
