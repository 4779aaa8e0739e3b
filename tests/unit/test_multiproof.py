"""Multiproofs against a plain construction over all ranges of the tree."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charitychain import merkle, multiproof
from charitychain.errors import VerificationError

NODE = merkle.RFC6962.node_hash


def leaf(number: int) -> bytes:
    return sha256(b"leaf %d" % number).digest()


def all_ranges(size: int) -> set[tuple[int, int]]:
    """Return the ranges of all nodes of an RFC 6962 tree: of complete ones, and of those on its right edge."""
    found = {(at, at + width) for width in (1, 2, 4, 8, 16, 32) for at in range(0, size - width + 1, width)}
    start, rest = 0, size
    while rest:  # what is right of each complete subtree, largest first, is a node too
        found.add((start, size))
        width = 1 << rest.bit_length() - 1
        start, rest = start + width, rest - width
    return found


def plain_ranges(size: int, shown: set[int]) -> list[tuple[int, int]]:
    """Return the nodes with no shown leaf that lie in no other such node."""
    free = [(a, b) for a, b in all_ranges(size) if not any(a <= leaf < b for leaf in shown)]
    return sorted(r for r in free if not any(o != r and o[0] <= r[0] and r[1] <= o[1] for o in free))


sets = st.integers(1, 40).flatmap(
    lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1), max_size=size))
)


def proven(size: int, shown: set[int]) -> tuple[dict[int, bytes], list[bytes], bytes]:
    """Return leaves, a proof and the root, from whole ranges."""
    leaves = [leaf(number) for number in range(size)]
    proof = [merkle.root(merkle.RFC6962, leaves[a:b]) for a, b in plain_ranges(size, shown)]
    return {number: leaves[number] for number in shown}, proof, merkle.root(merkle.RFC6962, leaves)


@given(sets)
@settings(max_examples=300)
def test_ranges_are_the_largest_without_a_shown_leaf(drawn: tuple[int, set[int]]) -> None:
    """The proof names each largest node in which nothing is shown, once, from left to right."""
    size, shown = drawn
    assert multiproof.ranges(size, shown) == plain_ranges(size, shown)


@given(sets)
@settings(max_examples=300)
def test_a_proof_gives_the_root_of_all_leaves(drawn: tuple[int, set[int]]) -> None:
    """Folding shown leaves with the proof gives the whole tree's root, and all nodes in their order."""
    size, shown = drawn
    leaves, proof, root = proven(size, shown)
    found, order = multiproof.fold(size, leaves, proof, NODE)
    assert found == root
    assert [first for first, _ in order] == sorted([*shown, *(a for a, _ in plain_ranges(size, shown))])


@given(sets, st.data())
@settings(max_examples=300)
def test_a_proof_that_was_changed_gives_no_root(drawn: tuple[int, set[int]], data: st.DataObject) -> None:
    """A node more or fewer is refused; another node, another leaf, or two in each other's place give another root."""
    size, shown = drawn
    leaves, proof, root = proven(size, shown)
    extra = data.draw(st.integers(0, len(proof)))
    with pytest.raises(VerificationError, match="more nodes"):
        multiproof.fold(size, leaves, [*proof[:extra], leaf(99), *proof[extra:]], NODE)
    for at in range(len(proof)):
        with pytest.raises(VerificationError, match="lacks nodes"):
            multiproof.fold(size, leaves, proof[:at] + proof[at + 1 :], NODE)
        assert multiproof.fold(size, leaves, [*proof[:at], leaf(99), *proof[at + 1 :]], NODE)[0] != root
        if at:
            swapped = [*proof[: at - 1], proof[at], proof[at - 1], *proof[at + 1 :]]
            assert multiproof.fold(size, leaves, swapped, NODE)[0] != root
    for number in shown:
        assert multiproof.fold(size, leaves | {number: leaf(99)}, proof, NODE)[0] != root


@pytest.mark.parametrize("size", [0, 3])
@pytest.mark.parametrize("number", [-1, 3, 2**70])
def test_a_leaf_outside_the_tree_is_refused(size: int, number: int) -> None:
    """Whoever checks refuses it as a proof that fails, whoever makes one as a mistake."""
    with pytest.raises(VerificationError, match="outside"):
        multiproof.fold(size, {number: leaf(0)}, [leaf(1), leaf(2)], NODE)
    with pytest.raises(IndexError):
        multiproof.ranges(size, [number])


def test_of_an_empty_tree_nothing_is_proved() -> None:
    """There is no range to name, and no root to fold to."""
    assert multiproof.ranges(0, []) == []
    with pytest.raises(VerificationError):
        multiproof.fold(0, {}, [], NODE)


def test_a_huge_tree_costs_its_depth() -> None:
    """Sizes come from what was signed, and may be large: a proof of one leaf has one node a level."""
    assert len(multiproof.ranges(2**63 - 1, [5])) == 63
