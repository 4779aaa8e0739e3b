"""The canonical encoding: one spelling for each value, and none for what the format does not have."""

from __future__ import annotations

import enum
import json
import tracemalloc
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charitychain import codec
from charitychain.errors import MalformedError

VECTORS = Path(__file__).parents[1] / "vectors" / "msgpack-suite" / "msgpack-test-suite.json"

# group of the suite: (values, encodings, values of which exactly one encoding is accepted)
EXPECTED = {
    "10.nil.yaml": (1, 1, 1),
    "11.bool.yaml": (2, 2, 0),
    "12.binary.yaml": (3, 9, 3),
    "20.number-positive.yaml": (11, 73, 11),
    "21.number-negative.yaml": (8, 33, 8),
    "22.number-float.yaml": (2, 4, 0),
    "23.number-bignum.yaml": (9, 19, 7),
    "30.string-ascii.yaml": (4, 13, 4),
    "31.string-utf8.yaml": (5, 10, 5),
    "32.string-emoji.yaml": (2, 4, 2),
    "40.array.yaml": (5, 14, 5),
    "41.map.yaml": (3, 9, 0),
    "42.nested.yaml": (4, 12, 1),
    "50.timestamp.yaml": (19, 19, 0),
    "60.ext.yaml": (7, 11, 0),
}

VALUES = st.recursive(
    st.none() | st.integers(codec.MIN_INT, codec.MAX_INT) | st.binary(max_size=300) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=20).map(tuple),
    max_leaves=40,
)


def refused(data: bytes, **options: Any) -> bool:
    try:
        codec.decode(data, **options)
    except MalformedError as error:
        assert error.code == "CC-CANONICAL"
        return True
    return False


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\x01"


def test_published_suite() -> None:
    """Of the suite's 233 encodings exactly one is accepted for each of 47 values, and it encodes back to itself."""
    found = {}
    for group, values in json.loads(VECTORS.read_bytes()).items():
        accepted = 0
        for value in values:
            good = [data for text in value["msgpack"] if not refused(data := bytes.fromhex(text.replace("-", "")))]
            assert len(good) <= 1, value
            accepted += len(good)
            assert all(codec.encode(codec.decode(data)) == data for data in good)
        found[group] = (len(values), sum(len(value["msgpack"]) for value in values), accepted)
    assert found == EXPECTED
    assert tuple(map(sum, zip(*found.values(), strict=True))) == (85, 233, 47)


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_decode_undoes_encode(value: Any) -> None:
    """Any value that encodes decodes to itself."""
    data = codec.encode(value)
    assert codec.decode(data, max_depth=codec.MAX_DEPTH) == value


@given(st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_canonical_or_refused(data: bytes) -> None:
    """Whatever the bytes, they are refused with one error or are the encoding of what they decode to."""
    if not refused(data):
        assert codec.encode(codec.decode(data)) == data


def test_every_prefix_and_every_lengthening_is_refused() -> None:
    """No proper prefix of an encoding decodes, nor does it with a byte more."""
    data = codec.encode([1, "edu", bytes(300), None, [2**40, -5, "ñ" * 40]])
    assert codec.decode(data) == (1, "edu", bytes(300), None, (2**40, -5, "ñ" * 40))
    for end in range(len(data)):
        assert refused(data[:end])
    assert refused(data + b"\xc0")


@pytest.mark.parametrize(
    "text",
    [
        "c2",  # false
        "c3",  # true
        "9201c3",
        "ca3f800000",  # 1.0
        "cb7ff8000000000000",  # not a number
        "80",  # {}
        "8101c0",  # {1: None}
        "91810102",
        "d40100",  # extension
        "d6ff00000000",  # timestamp
        "c70cff000000000000000000000000",
        "c703ff000000",  # timestamp of no known length
        "c1",  # never used
        "cf8000000000000000",  # 2**63
        "d9016b",  # "k" with a length in two bytes
        "c5000101",  # one byte with a length in two
        "dc000101",  # one element, counted in two bytes
        "a1ff",  # not UTF-8
        "a2c080",  # an overlong NUL
        "a3eda080",  # a surrogate
        "",
    ],
)
def test_what_the_format_does_not_have(text: str) -> None:
    """Booleans, floats, maps, extensions, timestamps, longer spellings and bad UTF-8 are refused."""
    assert refused(bytes.fromhex(text))


@pytest.mark.parametrize("value", [True, [False], 1.0, {"a": 1}, {1}, [[1.5]], object(), bytearray(b"x"), 1j])
def test_encoding_another_type_is_a_mistake_of_ours(value: Any) -> None:
    """What the format does not have raises TypeError on encoding."""
    with pytest.raises(TypeError):
        codec.encode(value)


def test_integers_have_64_bits_with_a_sign() -> None:
    """The edges −2⁶³ and 2⁶³−1 pass both ways, the next integers neither way."""
    assert codec.encode(2**63 - 1) == b"\xcf\x7f" + b"\xff" * 7
    assert codec.encode(-(2**63)) == b"\xd3\x80" + bytes(7)
    for value in (2**63 - 1, -(2**63)):
        assert codec.decode(codec.encode(value)) == value
    for value in (2**63, -(2**63) - 1, 2**64, 10**400):
        with pytest.raises(MalformedError) as caught:
            codec.encode([value])
        assert caught.value.code == "CC-CANONICAL"


def test_numbers_of_an_enum_are_numbers() -> None:
    """A member of an IntEnum is encoded as its number."""

    class Kind(enum.IntEnum):
        GIFT = 7

    assert codec.encode([Kind.GIFT]) == codec.encode([7]) == b"\x91\x07"


def test_text_that_is_not_unicode_is_refused() -> None:
    """A lone surrogate is refused on encoding, with an error of our family."""
    with pytest.raises(MalformedError) as caught:
        codec.encode(["\ud800"])
    assert caught.value.code == "CC-CANONICAL"


def test_depth_is_ours_to_set() -> None:
    """Arrays nest as deep as the caller says and no deeper, far below and far beyond the library's own limit."""
    for depth in range(codec.MAX_DEPTH + 1):
        assert not refused(nested(depth), max_depth=depth)
        assert refused(nested(depth + 1), max_depth=depth)
    assert codec.decode(b"\x05", max_depth=0) == 5
    for depth in (600, 1100, 100_000):
        assert refused(nested(depth))
    with pytest.raises(ValueError, match="max_depth"):
        codec.decode(b"\x05", max_depth=codec.MAX_DEPTH + 1)
    with pytest.raises(ValueError, match="nest deeper"):
        codec.encode(json.loads("[" * (codec.MAX_DEPTH + 1) + "]" * (codec.MAX_DEPTH + 1)))
    codec.encode(json.loads("[" * codec.MAX_DEPTH + "]" * codec.MAX_DEPTH))


def test_claimed_lengths_allocate_nothing() -> None:
    """A megabyte of nested arrays that each claim a million elements is refused within a few megabytes."""
    data = (b"\xdd\x00\x0f\x00\x00" * 900).ljust(1_000_000, b"\x01")
    tracemalloc.start()
    try:
        assert refused(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


def test_large_values_pass() -> None:
    """Values far above the size where lengths are checked first decode like small ones."""
    value = (b"x" * 3_000_000, tuple((i, f"D-{i}", bytes(32)) for i in range(5000)), "y" * 70_000)
    data = codec.encode(value)
    assert data == msgpack.packb(value)
    assert codec.decode(data) == value
    assert refused(data[:-1])
    assert refused(data + b"\x00")


@pytest.mark.parametrize(
    "text", ["", "plain", "two words", "Ñandú", "慈善", "🎈", "x" * 4096, "é" * 2048, "e\u0301"[0]]
)
def test_good_text(text: str) -> None:
    """Printable text in normal form C passes, up to 4,096 bytes."""
    assert codec.check_text(text, what="title") == text


@pytest.mark.parametrize(
    "text",
    [
        *(chr(code) for code in (0, 9, 10, 13, 0x1F, 0x7F, 0x80, 0x85, 0x9F)),
        *(chr(code) for code in (0x61C, 0x200E, 0x200F, 0x2028, 0x2029)),
        *(chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
        "\ud800",
        "e\u0301",  # normal form C writes é
        "\u212b",  # the Ångström sign, which normal form C writes Å
        "x" * 4097,
        "é" * 2049,
        b"bytes",
        None,
        7,
    ],
)
def test_bad_text(text: Any) -> None:
    """Controls, separators, bidirectional controls, surrogates, other normal forms, too long and no text fail."""
    for check, code in ((codec.check_text, "CC-TEXT"), (codec.check_id, "CC-ID")):
        for whole in (text, f"a{text}b") if isinstance(text, str) else (text,):
            with pytest.raises(MalformedError) as caught:
                check(whole, what="title")
            assert caught.value.code == code
            assert "title" in str(caught.value)
            str(caught.value).encode()  # a message can always be shown


@pytest.mark.parametrize("text", ["D-1", "a", "_", "x" * 128, "é" * 64, "慈善-1", "a.b:c@d+e", "9", "a-", "~!\"#$%&'"])
def test_good_ids(text: str) -> None:
    """One to 128 bytes without white space or slash are an id."""
    assert codec.check_id(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "-", "-x", "-é", "a/b", "é/", "a b", " a", "a ", "a\n", "a\u00a0b", "a\u3000", "x" * 129, "é" * 65, "a\x7f"],
)
def test_bad_ids(text: str) -> None:
    """Nothing, a leading hyphen, a slash, white space of any kind and too many bytes make no id."""
    with pytest.raises(MalformedError) as caught:
        codec.check_id(text)
    assert caught.value.code == "CC-ID"
