"""Small JSON files from strangers: what is read, and in which words the rest is refused."""

from __future__ import annotations

import pytest

from charitychain.strictjson import read_json


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": [1, "x", null, true]}', {"a": [1, "x", None, True]}), ("é".encode().join([b'"', b'"']), "é"), ("7", 7)],
)
def test_good_json_is_read(text: str | bytes, value: object) -> None:
    """Text, or bytes in UTF-8, give what they say."""
    assert read_json(text, size_max=100) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"x" * 101, "it has more than 100 bytes"),
        (b'"\xff"', "it is not UTF-8"),
        ('{"a": 1,\n "b": }', "it is no JSON from line 2, column 7 on"),
        ("", "it is no JSON from line 1, column 1 on"),
        ('{"a": {"b": 1, "b": 1}}', "a field stands there twice"),
        ("[NaN]", "NaN and Infinity are no JSON"),
        ("-Infinity", "NaN and Infinity are no JSON"),
        ("9" * 21, "a number in it is too large"),
    ],
)
def test_bad_json_is_refused_in_words(text: str | bytes, why: str) -> None:
    """Each fault has its sentence, which quotes nothing of the text."""
    with pytest.raises(ValueError) as caught:
        read_json(text, size_max=100)
    assert str(caught.value) == why


@pytest.mark.parametrize("text", ["[" * 50_000, '{"secret":' * 50_000, "[" * 50_000 + "]" * 50_000])
def test_deep_nesting_is_refused(text: str) -> None:
    """However deep, it is one sentence, and no RecursionError."""
    with pytest.raises(ValueError, match=r"^it is nested too deeply$"):
        read_json(text, size_max=1_000_000)
