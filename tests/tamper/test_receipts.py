"""Receipts under attack from outside: bits, values and parts that somebody changes who cannot seal.

Whatever is done to a receipt, it is refused, with the one code for that, or it still tells just what the ledger tells.
The checksum is made to fit each time, so that it is the proofs that refuse. Of the bytes that may differ without any
harm, all are of three kinds: what names words about records (`links`, `ids`), which may be left out anyway; `computed`,
which proves nothing; and what a proof tells of a node that nothing rests on.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

import pytest

from charitychain import codec
from charitychain.errors import UnreadableError, VerificationError
from charitychain.receipts.check import Checked, check_receipt
from charitychain.receipts.make import Maker
from charitychain.receipts.wire import Receipt, body_of, encode_receipt, frame
from charitychain.trace import trace_gift
from tamper.forge import put_together, take_apart
from tamper.ledgers import tiny, village, winding
from tamper.liar import open_ledger

ALL = os.environ.get("CHARITYCHAIN_FLIPS") == "all"
SLICES = 4


@cache
def issued(data: bytes, gift: str) -> Receipt:
    """Return the receipt of a gift."""
    reader = open_ledger(data)
    try:
        (receipt,) = Maker(reader).gift(gift)
        return receipt
    finally:
        reader.index.close()


@cache
def truth(data: bytes, gift: str) -> dict[str, Any]:
    """Return what the ledger itself tells of a gift."""
    reader = open_ledger(data)
    try:
        return trace_gift(reader, gift).to_dict()
    finally:
        reader.index.close()


def told(data: bytes) -> dict[str, Any] | None:
    """Return the trace that a receipt proves, or nothing where it is refused; any other error fails the test."""
    try:
        checked = check_receipt(data)
    except (VerificationError, UnreadableError) as error:
        assert error.code == "CC-RECEIPT"
        return None
    return _trace(checked)


def _trace(checked: Checked) -> dict[str, Any]:
    assert checked.trace is not None
    return checked.trace.to_dict()


# ------------------------------------------------------------------------------------------------ bits and values

FLIPPED = [(tiny, "d"), (tiny, "s/1"), (winding, "D-1"), (winding, "D-3"), (winding, "D-5"), (winding, "s/9")]


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize(("ledger", "gift"), FLIPPED, ids=[gift for _, gift in FLIPPED])
def test_every_bit_of_a_receipt(ledger: Any, gift: str, part: int) -> None:
    """Whichever bit flips, the receipt is refused or tells the same: a bit of each byte, in a campaign all of them."""
    body, want = body_of(encode_receipt(issued(ledger(), gift))), truth(ledger(), gift)
    same = 0
    for byte in range(part, len(body), SLICES):
        for bit in range(8) if ALL else [byte // SLICES % 8]:
            flipped = bytearray(body)
            flipped[byte] ^= 1 << bit
            found = told(frame(bytes(flipped)))
            assert found in (None, want), (byte, bit)
            same += found is not None
    assert same <= len(body) // 100 * (8 if ALL else 1), "more bytes may differ than the words about records have"


def test_a_receipt_whose_checksum_does_not_fit_is_called_damaged() -> None:
    """What a failing disk does is told apart from what somebody forged."""
    data = bytearray(encode_receipt(issued(tiny(), "d")))
    data[100] ^= 1
    with pytest.raises(VerificationError, match="damaged"):
        check_receipt(bytes(data))


BIG = 2**63 - 1


def _others(value: Any) -> Iterator[Any]:
    """Yield other values in the place of one: of its type, and of none."""
    if value is None:
        yield from (0, 1, b"", "", ())
    elif type(value) is int:
        yield from (each for each in (0, 1, value + 1, value - 1, 2**31, 2**32, BIG, None) if each != value)
    elif type(value) is bytes:
        yield from (b"", value[:-1], value + b"\0", bytes(len(value)), None)
    elif type(value) is str:
        yield from ("", value + "x", None)
    else:
        yield from ((), None)
        for at, each in enumerate(value):
            yield value[:at] + value[at + 1 :]
            yield (*value[: at + 1], each, *value[at + 1 :])
            if at:
                yield (*value[: at - 1], each, value[at - 1], *value[at + 1 :])


def _mutants(value: Any) -> Iterator[Any]:
    """Yield a nested value with one thing in it changed."""
    yield from (other for other in _others(value) if other != value)
    if type(value) is tuple:
        for at, each in enumerate(value):
            for other in _mutants(each):
                yield (*value[:at], other, *value[at + 1 :])


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(("ledger", "gift"), FLIPPED, ids=[gift for _, gift in FLIPPED])
def test_every_value_of_a_receipt(ledger: Any, gift: str) -> None:
    """Each number, text, hash and list put otherwise: bounds, types, one more, one less, doubled, left out, swapped."""
    receipt, want = issued(ledger(), gift), truth(ledger(), gift)
    count = 0
    for number, mutant in enumerate(_mutants(_plain(receipt.parts()))):
        if ALL or number % 4 == 0:
            try:
                body = codec.encode(mutant)
            except ValueError:
                continue  # no receipt can say that
            assert told(frame(body)) in (None, want), number
            count += 1
    assert count > 200


# ----------------------------------------------------------------------------------------------------- exchanges

_ROWS = {"AccountShown.summary"}
"""Fields that are rows of different things, not lists of like ones."""


def _parts(value: Any, kind: str = "Receipt") -> Iterator[tuple[str, tuple[int | str, ...], Any]]:
    """Yield every part of a receipt: what kind of part it is, where it stands, and what it is."""
    if is_dataclass(value):
        for each in fields(value):
            yield from _below(f"{kind}.{each.name}", each.name, getattr(value, each.name))
    elif hasattr(value, "_fields"):
        for name, each in zip(value._fields, value, strict=True):
            yield from _below(f"{type(value).__name__}.{name}", value._fields.index(name), each)
    elif type(value) is tuple:
        for at, each in enumerate(value):
            yield from _below(f"{kind}.{at}" if kind in _ROWS or kind.endswith("[]") else f"{kind}[]", at, each)


def _below(kind: str, step: int | str, value: Any) -> Iterator[tuple[str, tuple[int | str, ...], Any]]:
    yield kind, (step,), value
    for inner, path, part in _parts(value, kind):
        yield inner, (step, *path), part


def _put(whole: Any, path: tuple[int | str, ...], part: Any) -> Any:
    """Return the whole with one part put in."""
    if not path:
        return part
    step, *rest = path
    if isinstance(step, str):
        return replace(whole, **{step: _put(getattr(whole, step), tuple(rest), part)})
    listed = [*whole]
    listed[step] = _put(listed[step], tuple(rest), part)
    return whole._make(listed) if hasattr(whole, "_make") else tuple(listed)


def exchanged(one: Receipt, other: Receipt, most: int) -> Iterator[tuple[str, Receipt]]:
    """Yield `one` with a part of `other` in the place of a like part: of each kind some, at random."""
    mine: dict[str, list[tuple[tuple[int | str, ...], Any]]] = {}
    theirs: dict[str, list[Any]] = {}
    for kind, path, part in _parts(one):
        mine.setdefault(kind, []).append((path, part))
    for kind, _, part in _parts(other):
        theirs.setdefault(kind, []).append(part)
    for kind in sorted(mine.keys() & theirs.keys()):
        pairs = [(path, new) for path, old in mine[kind] for new in theirs[kind] if new != old]
        for path, new in random.Random(kind).sample(pairs, min(len(pairs), most)):
            yield f"{kind} at {path}", _put(one, path, new)


def elsewhere(number: int) -> bytes:
    """Return the village's ledger again, of the same origin, parties and keys: only its nonce differs."""
    return village(number).data


OF_ONE_LEDGER = [
    (winding, gift, other)
    for gift, other in (("D-1", "D-2"), ("D-2", "D-1"), ("D-3", "D-5"), ("D-4", "D-3"), ("s/9", "D-1"), ("D-1", "D-1"))
]


def _check_exchange(ledger: bytes, one: Receipt, other: Receipt) -> None:
    kinds = set()
    for what, mutant in exchanged(one, other, 1000 if ALL else 6):
        found = told(encode_receipt(mutant))
        assert found is None or found == truth(ledger, found["donation"]), what
        kinds.add(what.partition(" ")[0])
    assert len(kinds) > 25


@pytest.mark.parametrize(("ledger", "gift", "other"), OF_ONE_LEDGER, ids=[f"{a}-{b}" for _, a, b in OF_ONE_LEDGER])
def test_parts_exchanged_with_another_receipt_of_the_ledger(ledger: Any, gift: str, other: str) -> None:
    """A part of another gift's receipt, or another part of its own, is refused or changes nothing."""
    _check_exchange(ledger(), issued(ledger(), gift), issued(ledger(), other))


@pytest.mark.parametrize("gift", ["D-1", "D-2", "D-3", "s/2"])
def test_parts_exchanged_with_another_ledger(gift: str) -> None:
    """So is a part of the same gift's receipt of another ledger, which has the same origin, parties, keys and ids."""
    ledger = elsewhere(0)
    for other in (elsewhere(1), village(last_gift="3.00").data):
        _check_exchange(ledger, issued(ledger, gift), issued(other, gift))


HEAD = ("note", "blocks", "log_proof", "accounts", "accounts_proof", "parties", "parties_proof")


@pytest.mark.parametrize("gift", ["D-1", "D-3"])
def test_parts_of_an_old_receipt_under_a_fresh_checkpoint(gift: str) -> None:
    """Of the receipts of a gift at two heads no mixture holds: each tells what its one checkpoint commits to."""
    new = winding()
    old = put_together(take_apart(new)[:6])
    truths = [truth(old, gift), truth(new, gift)]
    assert truths[0]["held"] != truths[1]["held"]
    held = []
    for count in range(len(HEAD) + 1):
        for names in itertools.combinations(HEAD, count):
            mixed = replace(issued(new, gift), **{name: getattr(issued(old, gift), name) for name in names})
            found = told(encode_receipt(mixed))
            assert found is None or found in truths, names
            held += [names] if found is not None else []
    assert set(held) <= {(), HEAD} | {("parties",), ("parties_proof",), ("parties", "parties_proof"), (*HEAD[:5],),
                                      (*HEAD[:6],), (*HEAD[:5], "parties_proof")}  # fmt: skip
