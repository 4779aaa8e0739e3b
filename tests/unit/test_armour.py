"""Armour: what mail does to text changes nothing, and what changes a byte is seen."""

from __future__ import annotations

import doctest
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charitychain import armour
from charitychain.armour import unwrap, wrap
from charitychain.errors import MalformedError

DATA = bytes(range(100))
TEXT = """\
-----BEGIN CHARITYCHAIN PROMISE-----
AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v
MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f
YGFiYw==
=vOCv8Zz1
-----END CHARITYCHAIN PROMISE-----
"""


def test_the_text_form_is_fixed() -> None:
    """The same bytes always give this text, lines of 64 characters and the checksum below."""
    assert wrap("PROMISE", DATA) == TEXT
    assert unwrap(TEXT, "PROMISE") == DATA
    assert doctest.testmod(armour).failed == 0


@given(st.binary(max_size=400), st.sampled_from(["PROMISE", "RECEIPT", "EVIDENCE OF OMISSION"]))
def test_unwrapping_undoes_wrapping(data: bytes, kind: str) -> None:
    """Any bytes come back, from text and from its bytes, and only under the kind they were wrapped as."""
    text = wrap(kind, data)
    assert unwrap(text, kind) == unwrap(text.encode(), kind) == data
    assert all(len(line) <= 64 for line in text.splitlines())
    with pytest.raises(MalformedError, match="what stands there is a"):
        unwrap(text, "SOMETHING ELSE")


@pytest.mark.parametrize(
    "mangled",
    [
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        TEXT.replace("\n", " \t \r\n"),
        TEXT.replace("\n", "\n\n"),
        TEXT.removesuffix("\n"),
        textwrap.indent(TEXT, "> "),
        textwrap.indent(TEXT, "> >> "),
        "\ufeff" + TEXT,
        "Dear donor, — thank you\n\n" + TEXT + "\n-- \nThe office\n",
        TEXT.replace("LS4v\n", "LS\n4v").replace("YGFi", "YG\nFi"),
    ],
    ids=["crlf", "cr", "blanks", "double", "no-end", "quoted", "quoted-twice", "bom", "in-a-letter", "broken-anew"],
)
def test_what_mail_does_changes_nothing(mangled: str) -> None:
    """Line ends, blanks, quoting, other line breaks and text around the block are not part of the data."""
    assert unwrap(mangled, "PROMISE") == unwrap(mangled.encode(), "PROMISE") == DATA


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "no block at all",
        TEXT + TEXT,
        TEXT.replace("-----END", "----END"),
        TEXT.replace("YGFiYw==\n", ""),
        TEXT.replace("=vOCv8Zz1\n", ""),
        TEXT.replace("YGFiYw==", "YGFiYw="),
        TEXT.replace("YGFiYw==", "YGFiYx=="),
        TEXT.replace("AAEC", "AA C"),
        TEXT.replace("AAEC", "AA_C"),
        "\n".join([TEXT.splitlines()[-1], *TEXT.splitlines()[1:-1], TEXT.splitlines()[0]]),
        "\n".join([TEXT.splitlines()[0], TEXT.splitlines()[-1]]),
    ],
)
def test_what_mail_must_not_do_is_refused(broken: str) -> None:
    """A missing, doubled, broken or reordered part is told as CC-ARMOUR, and never any bytes given back."""
    with pytest.raises(MalformedError) as refused:
        unwrap(broken, "PROMISE")
    assert refused.value.code == "CC-ARMOUR"


def test_no_flipped_bit_gives_other_bytes() -> None:
    """Each of the text's bits, flipped, is refused, or stood where nothing is read."""
    raw = TEXT.encode()
    for at in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[at // 8] ^= 1 << at % 8
        try:
            assert unwrap(bytes(flipped), "PROMISE") == DATA, at
        except MalformedError as error:
            assert error.code == "CC-ARMOUR"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_our_own_words(data: bytes) -> None:
    """Noise, also between markers, raises CC-ARMOUR and nothing else."""
    for raw in (data, b"-----BEGIN CHARITYCHAIN PROMISE-----\n" + data + b"\n-----END CHARITYCHAIN PROMISE-----\n"):
        with pytest.raises(MalformedError) as refused:
            unwrap(raw, "PROMISE")
        assert refused.value.code == "CC-ARMOUR"


def test_size_is_bounded_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than the bound is neither made nor read."""
    monkeypatch.setattr(armour, "MAX_ARMOUR_BYTES", len(TEXT))
    assert unwrap(wrap("PROMISE", DATA), "PROMISE") == DATA
    with pytest.raises(MalformedError, match="too many"):
        wrap("PROMISE", DATA + b"more")
    with pytest.raises(MalformedError, match="longer"):
        unwrap(TEXT + " ", "PROMISE")


def test_a_kind_is_words_of_capitals() -> None:
    """A kind that could be no marker is our own mistake."""
    for kind in ("", "promise", "A  B", "A-B", "A\nB", "A B C D"):
        with pytest.raises(ValueError, match="kind"):
            wrap(kind, b"")
