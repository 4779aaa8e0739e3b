"""Private details: one is shown without the others, and no other can be shown in its place."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re

import pytest

from charitychain.codec import encode
from charitychain.errors import CharitychainError, MalformedError, VerificationError
from charitychain.private import (
    Detail,
    Disclosure,
    Sibling,
    check_disclosure,
    commit,
    disclose,
    format_disclosure,
    new_details,
    parse_disclosure,
)

IDENTITY = bytes(range(32))
DETAILS = (
    Detail("address", "Jalan Mawar 7", b"a" * 16),
    Detail("case", "17", b"c" * 16),
    Detail("payee", "Siti", b"p" * 16),
)
ROOT, LEAVES = commit(DETAILS)


def shown(index: int) -> Disclosure:
    return disclose(IDENTITY, "X-1", DETAILS[index], LEAVES, index)


def test_root_is_what_the_format_says() -> None:
    """A root of three details is recomputed by hand from tags 0x32 and 0x33."""

    def leaf(salt: bytes, name: str, value: str) -> bytes:
        return hashlib.sha256(b"\x32" + encode([salt, name, value])).digest()

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x33" + left + right).digest()

    first, second = leaf(b"a" * 16, "address", "Jalan Mawar 7"), leaf(b"c" * 16, "case", "17")
    assert node(node(first, second), leaf(b"p" * 16, "payee", "Siti")) == ROOT


def test_order_of_details_does_not_count() -> None:
    """Details told in another order have the same root."""
    assert commit(reversed(DETAILS)) == (ROOT, LEAVES)


@pytest.mark.parametrize("index", range(3))
def test_a_disclosure_holds_and_tells_nothing_of_the_others(index: int) -> None:
    """Each detail can be shown by itself; the text of the others and their salts are not in it."""
    text = format_disclosure(shown(index))
    check_disclosure(parse_disclosure(text), identity=IDENTITY, root=ROOT)
    for other in DETAILS[:index] + DETAILS[index + 1 :]:
        assert f'"{other.value}"' not in text and f'"{other.name}"' not in text
        assert other.salt.hex() not in text


@pytest.mark.parametrize("count", range(1, 18))
def test_every_detail_of_any_number_can_be_shown(count: int) -> None:
    """Among 1 to 17 details each one holds where it stands, with no more hashes than the tree is high."""
    details = [Detail(f"n{number:02}", str(number), bytes([number]) * 16) for number in range(count)]
    root, leaves = commit(details)
    for index, detail in enumerate(details):
        disclosure = disclose(IDENTITY, "X-1", detail, leaves, index)
        check_disclosure(parse_disclosure(format_disclosure(disclosure)), identity=IDENTITY, root=root)
        assert len(disclosure.path) <= (count - 1).bit_length()


def test_a_disclosure_says_nothing_that_the_root_does_not_prove() -> None:
    """It names no number of details and no place among them: a root commits to neither."""
    assert set(json.loads(format_disclosure(shown(2)))) == {
        "form", "identity", "id", "name", "value", "salt", "path", "root",
    }  # fmt: skip
    two = commit(DETAILS[:2])[0]
    assert shown(2).path == (Sibling("left", two),), "the last of three has one hash beside it, as one of two has"


def test_a_node_passes_for_no_detail() -> None:
    """A path from a node inside the tree is refused: leaves have a prefix of their own."""
    for path in (shown(0).path[1:], ()):
        with pytest.raises(VerificationError):
            check_disclosure(dataclasses.replace(shown(0), path=path), identity=IDENTITY, root=ROOT)


@pytest.mark.parametrize("index", range(3))
def test_every_flipped_bit_is_refused_or_changes_nothing(index: int) -> None:
    """A disclosure with a flipped bit is refused, unless it still says exactly the same."""
    told = shown(index)
    data = format_disclosure(told).encode()
    refused = 0
    for at in range(len(data)):
        for bit in range(8):
            changed = data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :]
            try:
                found = parse_disclosure(changed)
                if found.id != "X-1":  # another record has another root
                    refused += 1
                    continue
                check_disclosure(found, identity=IDENTITY, root=ROOT)
            except (MalformedError, VerificationError) as error:
                assert error.code == "CC-PRIVATE"
                refused += 1
            else:
                assert (found.detail, found.root, found.path) == (told.detail, told.root, told.path)
    assert refused > 7 * len(data)


@pytest.mark.parametrize(
    "change",
    [
        {"identity": bytes(32)},
        {"root": bytes(32)},
        {"path": ()},
        {"path": shown(1).path[:1]},
        {"path": shown(1).path[::-1]},
        {"path": (Sibling("right", shown(1).path[0].hash), *shown(1).path[1:])},
        {"path": (*shown(1).path, Sibling("left", bytes(32)))},
        {"path": (Sibling("left", bytes(32)), Sibling("right", bytes(32)))},
        {"detail": Detail("case", "18", b"c" * 16)},
        {"detail": Detail("Case", "17", b"c" * 16)},
        {"detail": Detail("case", "17", b"d" * 16)},
    ],
)
def test_a_changed_disclosure_is_refused(change: dict[str, object]) -> None:
    """Whatever is changed of a disclosure, it no longer holds."""
    changed = dataclasses.replace(shown(1), **change)
    with pytest.raises(VerificationError) as caught:
        check_disclosure(changed, identity=IDENTITY, root=ROOT)
    assert (caught.value.code, caught.value.exit_code) == ("CC-PRIVATE", 1)


def test_salts_are_fresh() -> None:
    """The same details committed twice have different roots, so nobody learns that they are the same."""
    values = [("payee", "Siti")]
    assert commit(new_details(values))[0] != commit(new_details(values))[0]
    assert len(new_details(values)[0].salt) == 16


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([], "CC-PRIVATE"),
        ([("a", "1"), ("a", "2")], "CC-PRIVATE"),
        ([(f"n{number}", "") for number in range(1001)], "CC-PRIVATE"),
        ([("", "1")], "CC-ID"),
        ([("a b", "1")], "CC-ID"),
        ([("a", "line\nline")], "CC-TEXT"),
        ([("a", "\x1b[2J")], "CC-TEXT"),
        ([("a", "x" * 4097)], "CC-TEXT"),
    ],
)
def test_what_no_detail_may_be(values: list[tuple[str, str]], code: str) -> None:
    """No details, two of one name, too many, and text that no ledger takes are refused, without the value."""
    with pytest.raises(CharitychainError) as caught:
        new_details(values)
    assert caught.value.code == code
    assert "line" not in caught.value.message and "[2J" not in caught.value.message


def test_values_and_salts_show_in_no_repr() -> None:
    """A detail that ends up in a log by mistake shows its name alone."""
    assert repr(DETAILS[2]) == "Detail(name='payee')"
    assert "Siti" not in repr(shown(2))


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", "[" * 100_000, '{"form":"private detail v2"}', "\ud800", b"\xff",
        format_disclosure(shown(0)).replace("detail v2", "detail v1"),
        format_disclosure(shown(0)).replace('"id": "X-1"', '"id": "X-1", "id": "X-1"'),
        format_disclosure(shown(0)).replace('"id": "X-1"', '"id": "X-1", "count": 3'),
        format_disclosure(shown(0)).replace('"right"', '"middle"'),
        format_disclosure(shown(0)).replace('"right"', '"left": "", "right"'),
        format_disclosure(dataclasses.replace(shown(0), path=(Sibling("left", bytes(32)),) * 11)),
        re.sub(r"\{\s*(\"right\"): (\S+)\s*\}", r"\2", format_disclosure(shown(0))),
        re.sub(r"(\"right\"): (\S+)", r"\1: 5", format_disclosure(shown(0))),
        format_disclosure(shown(0)).replace("Jalan", "\\u001b["),
        " " * 70_000,
    ],
)  # fmt: skip
def test_what_is_no_disclosure(text: str | bytes) -> None:
    """Text that is not exactly a disclosure is refused as malformed, not as false."""
    with pytest.raises(MalformedError) as caught:
        parse_disclosure(text)
    assert caught.value.code == "CC-PRIVATE"
