"""Fork evidence: what it proves to somebody who has nothing but the file and the operator's key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from charitychain import merkle, note
from charitychain.errors import CharitychainError, UnreadableError, VerificationError
from charitychain.forks import Fork, check_fork, decode_fork, encode_fork, find_fork
from charitychain.keys import PrivateKey
from charitychain.merkle import RFC6962

ORIGIN = "relief.example/2026"
KEY, OTHER = PrivateKey.from_seed(bytes(32)), PrivateKey.from_seed(bytes([1]) * 32)
OPERATOR = note.parse_vkey(note.vkey(ORIGIN, KEY.public_key))


class History:
    """A log of small leaves; two of them share what they begin with."""

    def __init__(self, *texts: str) -> None:
        self.leaves = [RFC6962.leaf_hash(text.encode()) for text in texts]

    def signed(self, size: int | None = None, *, key: PrivateKey = KEY, origin: str = ORIGIN) -> bytes:
        leaves = self.leaves[:size]
        return note.sign_checkpoint(note.Checkpoint(origin, len(leaves), merkle.root(RFC6962, leaves)), key)

    def node(self, level: int, index: int) -> bytes:
        assert (index + 1) << level <= len(self.leaves)
        return merkle.root(RFC6962, self.leaves[index << level : (index + 1) << level])


ONE = History(*"abcdefghijklmnopq")
TWO = History(*"abcXefghijklmnopq")


def found(first: int, second: int) -> Fork:
    fork = find_fork(ONE.signed(first), TWO.signed(second), TWO.node)
    assert fork is not None
    return fork


def test_every_pair_of_sizes_is_evidence_exactly_if_they_contradict() -> None:
    """Two histories that part at the fourth block: all pairs of sizes beyond it prove the fork, and no other does."""
    for first in range(1, 18):
        for second in range(first, 18):
            assert find_fork(ONE.signed(first), ONE.signed(second), ONE.node) is None
            fork = find_fork(ONE.signed(first), TWO.signed(second), TWO.node)
            assert (fork is not None) == (first > 3)
            if fork is not None:
                old, new = check_fork(decode_fork(encode_fork(fork)), [OPERATOR])
                assert (old.size, new.size) == (first, second)


def test_the_file_is_plain_text_with_both_notes_in_it() -> None:
    """It reads as documented: a head, the other root and the proof, and the checkpoints as they were signed."""
    fork = found(4, 6)
    data = encode_fork(fork)
    lines = data.decode().split("\n")
    assert lines[0] == "charitychain fork evidence v1"
    assert lines[1].startswith("root ") and lines[2] and lines[3] == ""
    assert data.endswith(b"\n\n" + fork.first + b"\n" + fork.second)
    assert decode_fork(data) == fork
    same = found(5, 5)
    assert (same.root, same.proof) == (None, ())
    assert encode_fork(same) == b"charitychain fork evidence v1\n\n" + same.first + b"\n" + same.second


@pytest.mark.parametrize(("first", "second"), [(4, 4), (4, 9), (5, 16), (8, 17)])
def test_no_bit_of_it_can_be_changed(first: int, second: int) -> None:
    """Whatever byte is changed, the file is refused: as no evidence, or as evidence of nothing."""
    data = encode_fork(found(first, second))
    for at in range(len(data)):
        for bit in (1, 2, 32, 128):
            changed = data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]
            with pytest.raises(CharitychainError) as caught:
                check_fork(decode_fork(changed), [OPERATOR])
            assert caught.value.code == "CC-NO-FORK"
    for cut in range(len(data)):
        with pytest.raises(CharitychainError):
            check_fork(decode_fork(data[:cut]), [OPERATOR])


def refused(fork: Fork, *keys: note.VerifierKey) -> str:
    with pytest.raises(VerificationError) as caught:
        check_fork(fork, keys or [OPERATOR])
    assert caught.value.code == "CC-NO-FORK"
    return caught.value.message


def test_an_honest_operator_cannot_be_accused() -> None:
    """Without two signatures of two histories there is no way to put a file together that convinces."""
    honest = {size: ONE.signed(size) for size in range(1, 18)}
    lie = TWO.signed(5, key=OTHER)  # somebody else's history, under the same name
    for fork in (
        Fork(honest[5], honest[5]),
        Fork(honest[5], lie),
        Fork(honest[4], honest[9]),
        Fork(honest[4], honest[9], merkle.root(RFC6962, ONE.leaves[:4]), _proof(4, 9)),
        Fork(honest[4], honest[9], merkle.root(RFC6962, TWO.leaves[:4]), _proof(4, 9)),
        Fork(honest[4], honest[9], bytes(32), ()),
        Fork(honest[9], honest[4], bytes(32), _proof(4, 9)),
        Fork(honest[5], honest[5], bytes(32), ()),
    ):
        refused(fork)
    other = ONE.signed(5, origin="other.example")
    keys = [OPERATOR, note.parse_vkey(note.vkey("other.example", KEY.public_key))]
    assert "the other of other.example" in refused(Fork(honest[5], other), *keys)


def _proof(first: int, second: int) -> tuple[bytes, ...]:
    return merkle.prove_consistency(RFC6962, ONE.leaves[:second], first)


def test_only_the_operators_keys_count() -> None:
    """Under any other key the file proves nothing; under several, each note must be signed by one of them."""
    fork = found(5, 9)
    other = note.parse_vkey(note.vkey(ORIGIN, OTHER.public_key))
    assert "not shown that the operator signed both" in refused(fork, other)
    later = replace(fork, second=TWO.signed(9, key=OTHER))
    refused(later)
    check_fork(later, [OPERATOR, other])


def test_nodes_that_lie_prove_nothing() -> None:
    """Who asks for evidence believes no hash that it is given: another tree's nodes are an error, never a fork."""
    with pytest.raises(VerificationError) as caught:
        find_fork(ONE.signed(5), ONE.signed(9), TWO.node)
    assert caught.value.code == "CC-PROOF"
    with pytest.raises(ValueError):
        find_fork(ONE.signed(9), ONE.signed(5), ONE.node)
    with pytest.raises(ValueError):
        find_fork(ONE.signed(5), ONE.signed(9, origin="other.example"), ONE.node)


@pytest.mark.parametrize(
    "data", [b"", b"\n\n\n\n", b"charitychain fork evidence v1\n\na\n\nb\n\nc\n\nd", b"\xff" * 99, b"x" * 999_999]
)
def test_what_is_no_evidence_is_told(data: bytes) -> None:
    """Other files are exit code 3."""
    with pytest.raises(UnreadableError) as caught:
        decode_fork(data)
    assert caught.value.code == "CC-NO-FORK"


def test_a_later_version_is_no_evidence_yet() -> None:
    """A file that says another version is not read as if it were this one."""
    with pytest.raises(UnreadableError):
        decode_fork(encode_fork(found(5, 9)).replace(b"evidence v1", b"evidence v2"))
