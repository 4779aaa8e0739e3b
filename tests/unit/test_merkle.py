"""Merkle trees: the reference tree, proofs that must be refused, and growing trees against the plain definition."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from charitychain import merkle
from charitychain.errors import VerificationError
from charitychain.merkle import RFC6962, Frontier, MutableTree, TreeKind

VECTORS = Path(__file__).parents[1] / "vectors" / "merkle-rfc6962"
OTHER = TreeKind("other", 0x10, 0x11)
KINDS = pytest.mark.parametrize("kind", [RFC6962, OTHER], ids=["rfc6962", "other"])

ACCEPTED = {"inclusion": 6, "consistency": 5}
REFUSED = {"inclusion": 92, "consistency": 93}
ROOTS_OF_OTHER_LENGTHS = "testdata/consistency/additional/sizes-are-equal-one-and-proof-is-empty.json"


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_bytes())


def leaves(kind: TreeKind, count: int) -> list[bytes]:
    return [merkle.leaf_hash(kind, b"leaf %d" % index) for index in range(count)]


def by_definition(kind: TreeKind, hashes: list[bytes]) -> bytes:
    """The recursive definition of RFC 9162, section 2.1.1, on leaf hashes."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = by_definition(kind, hashes[:split]), by_definition(kind, hashes[split:])
    return sha256(bytes((kind.node_tag,)) + left + right).digest()


def stored_nodes(kind: TreeKind, count: int) -> dict[tuple[int, int], bytes]:
    frontier = Frontier(kind)
    return {(level, index): node for leaf in leaves(kind, count) for level, index, node in frontier.append(leaf)}


def test_reference_tree_has_its_known_roots_and_nodes() -> None:
    """The eight leaves of the certificate transparency reference tree give its published roots and nodes."""
    vectors = load("roots")
    hashes = [merkle.leaf_hash(RFC6962, bytes.fromhex(text)) for text in vectors["leaf_inputs_hex"]]
    nodes: dict[tuple[int, int], str] = {}
    frontier = Frontier(RFC6962)
    for size, expected in enumerate(vectors["roots_by_size_hex"]):
        assert merkle.root(RFC6962, hashes[:size]).hex() == expected
        assert frontier.root().hex() == expected
        if size < 8:
            nodes.update({(level, index): node.hex() for level, index, node in frontier.append(hashes[size])})
    published = vectors["node_hashes_by_level_hex"]
    assert nodes == {(level, i): text for level, row in enumerate(published) for i, text in enumerate(row)}
    assert len(nodes) == 15


@pytest.mark.parametrize("name", ["inclusion", "consistency"])
def test_published_proofs_are_accepted_and_refused_as_stated(name: str) -> None:
    """Each published proof is accepted or refused as its file says, except the one with roots of 12 bytes."""
    counts = {True: 0, False: 0}
    for case in load(name):
        proof = [b64decode(text) for text in case["proof"] or []]
        try:
            if name == "inclusion":
                leaf, root = b64decode(case["leafHash"]), b64decode(case["root"])
                merkle.check_inclusion(RFC6962, proof, case["leafIdx"], leaf, case["treeSize"], root)
            else:
                old, new = b64decode(case["root1"]), b64decode(case["root2"])
                merkle.check_consistency(RFC6962, proof, case["size1"], old, case["size2"], new)
            accepted = True
        except VerificationError as error:
            assert error.code == "CC-PROOF"
            accepted = False
        counts[accepted] += 1
        assert accepted == (not case["wantErr"] and case["file"] != ROOTS_OF_OTHER_LENGTHS), case["desc"]
    assert counts == {True: ACCEPTED[name], False: REFUSED[name]}


def test_empty_roots_differ_by_kind() -> None:
    """An empty tree has the hash of nothing in RFC 6962, and the hash of its node tag in any other kind."""
    assert merkle.empty_root(RFC6962).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.empty_root(OTHER) == sha256(b"\x11").digest()
    for tree in (Frontier(OTHER), MutableTree(OTHER)):
        assert (tree.size, tree.root()) == (0, sha256(b"\x11").digest())


def test_hashes_start_with_the_tags_of_their_kind() -> None:
    """Leaf and node hashes are SHA-256 over the kind's tag and the content; one tag for both is refused."""
    assert merkle.leaf_hash(OTHER, b"x") == sha256(b"\x10x").digest()
    assert merkle.node_hash(OTHER, b"l" * 32, b"r" * 32) == sha256(b"\x11" + b"l" * 32 + b"r" * 32).digest()
    with pytest.raises(ValueError, match="different tags"):
        TreeKind("bad", 7, 7)


@KINDS
def test_roots_follow_the_recursive_definition(kind: TreeKind) -> None:
    """Level by level, node by node and leaf by leaf, every size up to 70 gives the root of the definition."""
    hashes, frontier, tree = leaves(kind, 70), Frontier(kind), MutableTree(kind)
    for size in range(1, 71):
        frontier.append(hashes[size - 1])
        tree.append(hashes[size - 1])
        expected = by_definition(kind, hashes[:size])
        assert merkle.root(kind, hashes[:size]) == frontier.root() == tree.root() == expected
        assert frontier.size == tree.size == size


@KINDS
def test_inclusion_proofs_agree_and_hold(kind: TreeKind) -> None:
    """From leaves, from stored nodes and from a tree in memory comes one proof, and it holds at its place only."""
    nodes = stored_nodes(kind, 33)
    for size in range(1, 34):
        hashes, tree = leaves(kind, size), MutableTree(kind)
        for leaf in hashes:
            tree.append(leaf)
        root = tree.root()
        for index in range(size):
            proof = merkle.prove_inclusion(kind, hashes, index)
            read = merkle.prove_inclusion_from_nodes(kind, lambda level, i: nodes[level, i], index, size)
            assert proof == tree.prove(index) == read
            assert len(merkle.inclusion_nodes(size, index)) == len(proof)
            merkle.check_inclusion(kind, proof, index, hashes[index], size, root)
            for other in range(size):
                if other != index:
                    with pytest.raises(VerificationError):
                        merkle.check_inclusion(kind, proof, other, hashes[index], size, root)


@KINDS
def test_consistency_proofs_agree_and_hold(kind: TreeKind) -> None:
    """Between any two sizes up to 33 both ways to prove agree, the proof holds, and holds between these roots only."""
    nodes, hashes = stored_nodes(kind, 33), leaves(kind, 33)
    roots = [merkle.root(kind, hashes[:size]) for size in range(34)]
    for new in range(1, 34):
        for old in range(1, new + 1):
            proof = merkle.prove_consistency(kind, hashes[:new], old)
            assert proof == merkle.prove_consistency_from_nodes(kind, lambda level, i: nodes[level, i], old, new)
            merkle.check_consistency(kind, proof, old, roots[old], new, roots[new])
            for roots_swapped in ((roots[old - 1], roots[new]), (roots[old], roots[new - 1])):
                with pytest.raises(VerificationError):
                    merkle.check_consistency(kind, proof, old, roots_swapped[0], new, roots_swapped[1])


def test_proof_of_a_large_tree_reads_few_nodes() -> None:
    """A proof in a tree of more than 10⁹ leaves names no more than a few hundred complete nodes, all inside it."""
    size, index = 2**30 + 2**29 + 12345, 2**30 + 77
    needed = merkle.inclusion_nodes(size, index)
    assert sum(map(len, needed)) < 300
    assert all((place + 1) << level <= size for places in needed for level, place in places)
    covered = sum(1 << level for places in needed for level, _ in places)
    assert covered == size - 1  # every other leaf exactly once


def test_manglings_of_a_proof_are_refused() -> None:
    """A proof with any hash changed, dropped, doubled, moved or added is refused."""
    hashes = leaves(RFC6962, 21)
    root, root_old = merkle.root(RFC6962, hashes), merkle.root(RFC6962, hashes[:13])
    for inclusion in (True, False):
        good = (
            merkle.prove_inclusion(RFC6962, hashes, 9) if inclusion else merkle.prove_consistency(RFC6962, hashes, 13)
        )
        bad = [good[::-1], (*good, good[-1]), (*good, bytes(32)), (bytes(32), *good), (root, *good), (*good, root), ()]
        for i, hash_ in enumerate(good):
            bad.append(good[:i] + good[i + 1 :])
            bad.append((*good[:i], hash_, *good[i:]))
            bad.append((*good[:i], bytes((hash_[0] ^ 1,)) + hash_[1:], *good[i + 1 :]))
            bad.append((*good[:i], hash_[:31], *good[i + 1 :]))
        for proof in bad:
            with pytest.raises(VerificationError):
                if inclusion:
                    merkle.check_inclusion(RFC6962, proof, 9, hashes[9], 21, root)
                else:
                    merkle.check_consistency(RFC6962, proof, 13, root_old, 21, root)


def test_proofs_hold_for_their_own_sizes_only() -> None:
    """A true proof of a larger tree is refused for a smaller size at which only its number of hashes is wrong."""
    hashes = leaves(RFC6962, 8)
    roots = [merkle.root(RFC6962, hashes[:size]) for size in range(9)]
    pair = merkle.prove_inclusion(RFC6962, hashes[:2], 1)
    merkle.check_inclusion(RFC6962, pair, 1, hashes[1], 2, roots[2])
    with pytest.raises(VerificationError, match="more hashes"):
        merkle.check_inclusion(RFC6962, pair, 0, hashes[1], 1, roots[2])
    proof = merkle.prove_consistency(RFC6962, hashes, 7)
    merkle.check_consistency(RFC6962, proof, 7, roots[7], 8, roots[8])
    with pytest.raises(VerificationError, match="too many"):
        merkle.check_consistency(RFC6962, proof, 3, roots[7], 4, roots[8])


def test_bounds_of_checks() -> None:
    """Old size 0, sizes that fall, more than 64 hashes, a leaf outside, and hashes of another length are refused."""
    leaf = merkle.leaf_hash(RFC6962, b"")
    empty = merkle.empty_root(RFC6962)
    refused = [
        lambda: merkle.check_consistency(RFC6962, (), 0, empty, 1, leaf),
        lambda: merkle.check_consistency(RFC6962, (), 0, empty, 0, empty),
        lambda: merkle.check_consistency(RFC6962, (), 2, leaf, 1, leaf),
        lambda: merkle.check_consistency(RFC6962, (), 1, leaf, 2, leaf),
        lambda: merkle.check_consistency(RFC6962, (leaf,), 1, leaf, 1, leaf),
        lambda: merkle.check_inclusion(RFC6962, (), 0, leaf, 0, leaf),
        lambda: merkle.check_inclusion(RFC6962, (), -1, leaf, 1, leaf),
        lambda: merkle.check_inclusion(RFC6962, (), 1, leaf, 1, leaf),
        lambda: merkle.check_inclusion(RFC6962, (), 0, leaf[:31], 1, leaf[:31]),
        lambda: merkle.check_inclusion(RFC6962, (leaf,) * 65, 0, leaf, 2**65, leaf),
    ]
    for check in refused:
        with pytest.raises(VerificationError) as caught:
            check()
        assert caught.value.code == "CC-PROOF"
    merkle.check_inclusion(RFC6962, (), 0, leaf, 1, leaf)


def test_nothing_of_one_kind_passes_in_another() -> None:
    """A proof of one kind of tree is refused as another kind's."""
    hashes = leaves(OTHER, 5)
    proof = merkle.prove_inclusion(OTHER, hashes, 2)
    with pytest.raises(VerificationError):
        merkle.check_inclusion(RFC6962, proof, 2, hashes[2], 5, merkle.root(OTHER, hashes))


def test_proving_outside_the_tree_is_a_mistake_of_the_caller() -> None:
    """Asking for a proof that cannot exist raises IndexError."""
    hashes, tree = leaves(RFC6962, 3), MutableTree(RFC6962)
    for ask in (
        lambda: merkle.prove_inclusion(RFC6962, hashes, 3),
        lambda: merkle.prove_inclusion(RFC6962, hashes, -1),
        lambda: merkle.inclusion_nodes(0, 0),
        lambda: merkle.prove_consistency(RFC6962, hashes, 0),
        lambda: merkle.prove_consistency(RFC6962, hashes, 4),
        lambda: tree.prove(0),
        lambda: tree.set(0, bytes(32)),
    ):
        with pytest.raises(IndexError):
            ask()


def test_frontier_can_be_kept_and_taken_up_again() -> None:
    """A frontier rebuilt from its hashes, or copied, goes on to the same roots, and the original does not move."""
    hashes, frontier = leaves(OTHER, 40), Frontier(OTHER)
    for leaf in hashes[:23]:
        frontier.append(leaf)
    assert len(frontier.hashes) == 4  # 23 = 16 + 4 + 2 + 1
    assert frontier.hashes[0] == by_definition(OTHER, hashes[:16])
    before = frontier.root()
    for other in (frontier.copy(), Frontier.from_hashes(OTHER, 23, frontier.hashes)):
        for leaf in hashes[23:]:
            other.append(leaf)
        assert other.root() == by_definition(OTHER, hashes)
        assert frontier.root() == before
    for size, kept in ((22, frontier.hashes), (23, frontier.hashes[1:]), (1, [b"short"]), (-1, [bytes(32)])):
        with pytest.raises(VerificationError):
            Frontier.from_hashes(OTHER, size, kept)


def test_mutable_tree_follows_random_changes() -> None:
    """After any mix of appends and changes, root and proofs are those of a tree built afresh."""
    random = Random(6962)
    tree, model = MutableTree(OTHER), list[bytes]()
    for step in range(400):
        leaf = random.randbytes(32)
        if model and random.random() < 0.6:
            index = random.randrange(len(model))
            tree.set(index, leaf)
            model[index] = leaf
        else:
            tree.append(leaf)
            model.append(leaf)
        assert tree.leaf(len(model) - 1) == model[-1]
        if step % 7 == 0:
            assert tree.root() == by_definition(OTHER, model)
            index = random.randrange(len(model))
            assert tree.prove(index) == merkle.prove_inclusion(OTHER, model, index)


def test_changing_one_leaf_costs_one_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing one leaf of 1,024 hashes ten nodes, and asking again hashes none."""
    tree = MutableTree(OTHER)
    for leaf in leaves(OTHER, 1024):
        tree.append(leaf)
    tree.root()
    calls = []

    def counted(self: TreeKind, left: bytes, right: bytes) -> bytes:
        calls.append(1)
        return sha256(b"\x11" + left + right).digest()

    monkeypatch.setattr(TreeKind, "node_hash", counted)
    tree.set(500, bytes(32))
    tree.root()
    tree.root()
    assert len(calls) == 10
