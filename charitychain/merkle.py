"""Merkle trees of the RFC 6962 shape: roots, proofs, and trees that grow.

A tree of n leaves splits at the largest power of two below n, again and again; so every complete subtree stays as it
is for ever, and a tree that has grown can prove that it holds the old one unchanged. The log of blocks is RFC 6962 to
the byte. Every other `TreeKind` has the same shape over SHA-256 with prefix bytes of its own.

Rules upheld here:

- No node is taken for a leaf, and nothing of one kind of tree is taken for another: each leaf and each node hash starts
  with a byte that nothing else starts with, and so does the root of an empty tree.
- Checking is pure arithmetic over plain values. A check returns nothing when the proof holds and raises when not.
- A proof is refused if it has a hash too many or too few, even when the hashes that it needs lead to the root.
- A consistency proof from an empty tree says nothing and is refused. Who accepts "never seen before" decides that
  outside.
- The last node is neither doubled nor padded (the fault of CVE-2012-2459).

Left to others: the root commits to no size and no name. Sizes and roots must come from what was signed, together, and
never from the proof that is being checked.

>>> leaves = [leaf_hash(RFC6962, text) for text in (b"one", b"two", b"three")]
>>> tree = root(RFC6962, leaves)
>>> proof = prove_inclusion(RFC6962, leaves, 2)
>>> check_inclusion(RFC6962, proof, 2, leaves[2], 3, tree)
>>> log = Frontier(RFC6962)
>>> [[(level, index) for level, index, _ in log.append(leaf)] for leaf in leaves]
[[(0, 0)], [(0, 1), (1, 0)], [(0, 2)]]
>>> log.root() == tree
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from charitychain.errors import VerificationError

__all__ = [
    "HASH_BYTES",
    "MAX_PROOF_HASHES",
    "RFC6962",
    "Frontier",
    "MutableTree",
    "TreeKind",
    "check_consistency",
    "check_inclusion",
    "complete_nodes",
    "empty_root",
    "inclusion_nodes",
    "leaf_hash",
    "node_hash",
    "prove_consistency",
    "prove_consistency_from_nodes",
    "prove_inclusion",
    "prove_inclusion_from_nodes",
    "root",
]

HASH_BYTES = 32
"""The length of every hash here: SHA-256."""

MAX_PROOF_HASHES = 64
"""The most hashes of one proof: enough for 2⁶³ leaves, whichever proof it is."""


@dataclass(frozen=True, slots=True)
class TreeKind:
    """One kind of tree: its name, for messages, and the bytes before what is hashed into a leaf and into a node.

    Build one as ``TreeKind("records", 0x10, 0x11)``; no two kinds of one format may share a byte.
    """

    name: str
    leaf_tag: int
    node_tag: int
    _leaf: bytes = field(init=False, repr=False, compare=False)
    _node: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.leaf_tag == self.node_tag:
            raise ValueError(f"tree kind {self.name!r}: leaves and nodes need different tags")
        object.__setattr__(self, "_leaf", bytes((self.leaf_tag,)))
        object.__setattr__(self, "_node", bytes((self.node_tag,)))

    def leaf_hash(self, data: bytes) -> bytes:
        """Return the hash of the leaf that holds `data`."""
        return sha256(self._leaf + data).digest()

    def node_hash(self, left: bytes, right: bytes) -> bytes:
        """Return the hash of the node over two hashes."""
        return sha256(self._node + left + right).digest()

    def empty_root(self) -> bytes:
        """Return the root of a tree with no leaves: SHA-256 of nothing in RFC 6962, else of the node tag alone."""
        return sha256(b"" if (self.leaf_tag, self.node_tag) == (0, 1) else self._node).digest()


RFC6962 = TreeKind("rfc6962", 0x00, 0x01)
"""The tree of certificate transparency and of C2SP transparency logs (RFC 6962, section 2.1)."""

ReadNode = Callable[[int, int], bytes]
"""Given level and index, returns the stored hash of the complete node over 2^level leaves from index·2^level on."""


def leaf_hash(kind: TreeKind, data: bytes) -> bytes:
    """Return the hash of the leaf that holds `data` in a tree of this kind."""
    return kind.leaf_hash(data)


def node_hash(kind: TreeKind, left: bytes, right: bytes) -> bytes:
    """Return the hash of the node over two hashes in a tree of this kind."""
    return kind.node_hash(left, right)


def empty_root(kind: TreeKind) -> bytes:
    """Return the root of a tree of this kind with no leaves."""
    return kind.empty_root()


def root(kind: TreeKind, leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over `leaf_hashes` (RFC 9162, section 2.1.1)."""
    if not leaf_hashes:
        return kind.empty_root()
    level: Sequence[bytes] = leaf_hashes
    while len(level) > 1:
        level = _next_level(kind, level)
    return level[0]


def prove_inclusion(kind: TreeKind, leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the proof that the leaf at `index` is in the tree: sibling hashes, nearest to the leaf first.

    RFC 9162, section 2.1.3.1. Builds the whole tree; `MutableTree` and `prove_inclusion_from_nodes` do not.

    Raises:
        IndexError: `index` lies outside the tree.
    """
    _check_index(index, len(leaf_hashes))
    proof = []
    level: Sequence[bytes] = leaf_hashes
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level = _next_level(kind, level)
        index >>= 1
    return tuple(proof)


def check_inclusion(
    kind: TreeKind, proof: Sequence[bytes], index: int, leaf_hash: bytes, size: int, root: bytes
) -> None:
    """Check that the tree of `size` leaves under `root` holds `leaf_hash` at `index` (RFC 9162, section 2.1.3.2).

    Args:
        proof: Sibling hashes, nearest to the leaf first.
        size: How many leaves the tree has, as it was signed beside the root.

    Raises:
        VerificationError: ``CC-PROOF``: `index` lies outside the tree, or the proof does not lead to the root.
    """
    _check_hashes(kind, proof, leaf_hash, root)
    if not 0 <= index < size:
        raise _bad(kind, f"leaf {index} lies outside a tree of {size} leaves")
    node, last, hash_ = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise _bad(kind, f"the proof for leaf {index} of {size} has more hashes than its path")
        if node & 1 or node == last:
            hash_ = kind.node_hash(sibling, hash_)
            while not node & 1 and node:  # an incomplete right edge: levels where this node had no sibling
                node >>= 1
                last >>= 1
        else:
            hash_ = kind.node_hash(hash_, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise _bad(kind, f"the proof for leaf {index} of {size} has fewer hashes than its path")
    if hash_ != root:
        raise _bad(kind, f"the proof for leaf {index} of {size} leads to {_short(hash_)}, not to root {_short(root)}")


def prove_consistency(kind: TreeKind, leaf_hashes: Sequence[bytes], size_old: int) -> tuple[bytes, ...]:
    """Return the proof that the first `size_old` leaves are those of the older tree (RFC 9162, section 2.1.4.1).

    Raises:
        IndexError: `size_old` is 0 or larger than the tree.
    """
    return tuple(root(kind, leaf_hashes[start:end]) for start, end in _consistency_ranges(size_old, len(leaf_hashes)))


def check_consistency(
    kind: TreeKind, proof: Sequence[bytes], size_old: int, root_old: bytes, size_new: int, root_new: bytes
) -> None:
    """Check that the tree under `root_new` starts with the whole tree under `root_old` (RFC 9162, section 2.1.4.2).

    Raises:
        VerificationError: ``CC-PROOF``: `size_old` is 0 or larger than `size_new`, or the proof leads to other roots.
    """
    _check_hashes(kind, proof, root_old, root_new)
    if not 0 < size_old <= size_new:
        raise _bad(kind, f"nothing can be proved from size {size_old} to size {size_new}")
    if size_old == size_new:
        if proof or root_old != root_new:
            raise _bad(kind, f"two roots of {size_old} leaves: {_short(root_old)} and {_short(root_new)}")
        return
    if not proof:
        raise _bad(kind, f"no proof from size {size_old} to size {size_new}")
    path = list(proof)
    if size_old & (size_old - 1) == 0:
        path.insert(0, root_old)
    node, last = size_old - 1, size_new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old = new = path[0]
    for hash_ in path[1:]:
        if last == 0:
            raise _bad(kind, f"the proof from size {size_old} to size {size_new} has too many hashes")
        if node & 1 or node == last:
            old = kind.node_hash(hash_, old)
            new = kind.node_hash(hash_, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = kind.node_hash(new, hash_)
        node >>= 1
        last >>= 1
    if last:
        raise _bad(kind, f"the proof from size {size_old} to size {size_new} has too few hashes")
    if old != root_old or new != root_new:
        raise _bad(
            kind,
            f"the proof from size {size_old} to size {size_new} leads to {_short(old)} and {_short(new)}, "
            f"not to {_short(root_old)} and {_short(root_new)}",
        )


def inclusion_nodes(size: int, index: int) -> list[list[tuple[int, int]]]:
    """Return which complete nodes a proof for the leaf at `index` needs.

    One list for each hash of the proof, nearest to the leaf first: the (level, index) of the complete nodes, from left
    to right, that fold into it from the right. Only on the incomplete right edge is it more than one.

    Raises:
        IndexError: `index` lies outside the tree.
    """
    _check_index(index, size)
    needed = []
    for level in range((size - 1).bit_length()):
        start = ((index >> level) ^ 1) << level
        if start < size:
            needed.append(complete_nodes(start, min(start + (1 << level), size)))
    return needed


def prove_inclusion_from_nodes(kind: TreeKind, get: ReadNode, index: int, size: int) -> tuple[bytes, ...]:
    """Return the proof of `prove_inclusion`, reading complete nodes only, at most log₂(size)² of them in all.

    Args:
        get: Returns the stored hash at (level, index); `Frontier.append` says which nodes there are to store.
        size: The size of the tree to prove in, which may be smaller than what is stored.
    """
    return tuple(_fold(kind, [get(*place) for place in places]) for places in inclusion_nodes(size, index))


def prove_consistency_from_nodes(kind: TreeKind, get: ReadNode, size_old: int, size_new: int) -> tuple[bytes, ...]:
    """Return the proof of `prove_consistency`, reading complete nodes only."""
    return tuple(
        _fold(kind, [get(*place) for place in complete_nodes(start, end)])
        for start, end in _consistency_ranges(size_old, size_new)
    )


class Frontier:
    """The right edge of a tree that only grows: enough to append and to tell the root, in log₂(size) hashes.

    Build one empty as ``Frontier(kind)``, or with `from_hashes` from what `hashes` and `size` gave.
    """

    __slots__ = ("_hashes", "_size", "kind")

    def __init__(self, kind: TreeKind) -> None:
        self.kind = kind
        self._size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def from_hashes(cls, kind: TreeKind, size: int, hashes: Iterable[bytes]) -> Frontier:
        """Rebuild a frontier.

        Args:
            hashes: The roots of the complete subtrees, largest first.

        Raises:
            VerificationError: ``CC-PROOF``: not the number of hashes that a tree of this size has.
        """
        frontier = cls(kind)
        frontier._size, frontier._hashes = size, list(hashes)
        _check_hashes(kind, frontier._hashes)
        if size < 0 or len(frontier._hashes) != size.bit_count():
            raise _bad(kind, f"{len(frontier._hashes)} subtrees do not make a tree of {size} leaves")
        return frontier

    @classmethod
    def from_nodes(cls, kind: TreeKind, size: int, get: ReadNode) -> Frontier:
        """Rebuild the frontier of the first `size` leaves of a tree, reading complete nodes only."""
        return cls.from_hashes(kind, size, [get(*place) for place in complete_nodes(0, size)])

    @property
    def size(self) -> int:
        """How many leaves have been appended."""
        return self._size

    @property
    def hashes(self) -> list[bytes]:
        """The roots of the complete subtrees, largest first: one for each bit that is set in `size`."""
        return list(self._hashes)

    def append(self, leaf_hash: bytes) -> list[tuple[int, int, bytes]]:
        """Append a leaf and return the complete nodes that this made: (level, index, hash), the leaf itself first."""
        if len(leaf_hash) != HASH_BYTES:
            raise ValueError(f"a leaf hash is {HASH_BYTES} bytes, not {len(leaf_hash)}")
        level, index, hash_ = 0, self._size, leaf_hash
        created = [(level, index, hash_)]
        while index & 1:
            hash_ = self.kind.node_hash(self._hashes.pop(), hash_)
            level, index = level + 1, index >> 1
            created.append((level, index, hash_))
        self._hashes.append(hash_)
        self._size += 1
        return created

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return _fold(self.kind, self._hashes) if self._hashes else self.kind.empty_root()

    def copy(self) -> Frontier:
        """Return an independent frontier with the same leaves."""
        other = Frontier(self.kind)
        other._size, other._hashes = self._size, list(self._hashes)
        return other


class MutableTree:
    """A tree in memory whose leaves may change: about two hashes a leaf.

    Changes are gathered and hashed when the root or a proof is next asked for, so many of them cost
    O(changed · log size) together. Build one empty as ``MutableTree(kind)``.
    """

    __slots__ = ("_changed", "_levels", "kind")

    def __init__(self, kind: TreeKind) -> None:
        self.kind = kind
        self._levels: list[list[bytes]] = [[]]  # a node without a sibling stands unchanged on the next level too
        self._changed: set[int] = set()

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return len(self._levels[0])

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash at `index`."""
        _check_index(index, self.size)
        return self._levels[0][index]

    def append(self, leaf_hash: bytes) -> None:
        """Add a leaf at the end."""
        if len(leaf_hash) != HASH_BYTES:
            raise ValueError(f"a leaf hash is {HASH_BYTES} bytes, not {len(leaf_hash)}")
        self._changed.add(self.size)
        self._levels[0].append(leaf_hash)

    def set(self, index: int, leaf_hash: bytes) -> None:
        """Put another leaf hash at `index`.

        Raises:
            IndexError: there is no such leaf.
        """
        _check_index(index, self.size)
        if len(leaf_hash) != HASH_BYTES:
            raise ValueError(f"a leaf hash is {HASH_BYTES} bytes, not {len(leaf_hash)}")
        if self._levels[0][index] != leaf_hash:
            self._levels[0][index] = leaf_hash
            self._changed.add(index)

    def root(self) -> bytes:
        """Return the root over the leaves as they are now."""
        if not self._levels[0]:
            return self.kind.empty_root()
        self._rehash()
        return self._levels[-1][0]

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node, as `complete_nodes` names it."""
        self._rehash()
        return self._levels[level][index]

    def prove(self, index: int) -> tuple[bytes, ...]:
        """Return the proof that the leaf at `index` is in the tree, nearest sibling first.

        Raises:
            IndexError: there is no such leaf.
        """
        _check_index(index, self.size)
        self._rehash()
        proof = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                proof.append(level[sibling])
            index >>= 1
        return tuple(proof)

    def _rehash(self) -> None:
        changed: Iterable[int] = self._changed
        if not self._changed:
            return
        height = 0
        while len(below := self._levels[height]) > 1:
            height += 1
            if height == len(self._levels):
                self._levels.append([])
            above = self._levels[height]
            changed = sorted({index >> 1 for index in changed})
            for index in changed:
                pair = below[2 * index : 2 * index + 2]
                hash_ = self.kind.node_hash(*pair) if len(pair) == 2 else pair[0]
                if index < len(above):
                    above[index] = hash_
                else:
                    above.append(hash_)  # in order: new leaves are all at the end
        self._changed.clear()


def _next_level(kind: TreeKind, level: Sequence[bytes]) -> list[bytes]:
    """Pair up neighbours; a last one without a neighbour goes up as it is. Gives the shape of RFC 6962."""
    tag = kind._node
    paired = [sha256(tag + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) & 1:
        paired.append(level[-1])
    return paired


def _fold(kind: TreeKind, hashes: Sequence[bytes]) -> bytes:
    """Return the hash over neighbouring complete subtrees, each smaller than the one on its left."""
    folded = hashes[-1]
    for hash_ in reversed(hashes[:-1]):
        folded = kind.node_hash(hash_, folded)
    return folded


def complete_nodes(start: int, end: int) -> list[tuple[int, int]]:
    """Split leaves start … end−1, with `start` where a subtree of that size starts, into complete nodes."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _consistency_ranges(size_old: int, size_new: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves whose roots make up a consistency proof (SUBPROOF of RFC 9162, 2.1.4.1)."""
    if not 0 < size_old <= size_new:
        raise IndexError(f"nothing can be proved from size {size_old} to size {size_new}")
    start, end, from_left = 0, size_new, True
    ranges = []
    while size_old != end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if size_old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, from_left = middle, False
    if not from_left:
        ranges.append((start, end))
    return ranges[::-1]


def _check_index(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} lies outside a tree of {size} leaves")


def _check_hashes(kind: TreeKind, proof: Sequence[bytes], *others: bytes) -> None:
    if len(proof) > MAX_PROOF_HASHES:
        raise _bad(kind, f"a proof has at most {MAX_PROOF_HASHES} hashes, found {len(proof)}")
    for hash_ in (*proof, *others):
        if not isinstance(hash_, bytes) or len(hash_) != HASH_BYTES:
            raise _bad(kind, f"each hash must be {HASH_BYTES} bytes")


def _short(hash_: bytes) -> str:
    return hash_[:8].hex() + "…"


def _bad(kind: TreeKind, why: str) -> VerificationError:
    return VerificationError("CC-PROOF", f"tree {kind.name!r}: {why}", tree=kind.name)
