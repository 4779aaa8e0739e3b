"""Sparse sum-tries: a set of keyed leaves with totals, committed to by one root that does not depend on history.

A binary trie over keys of 64 bits in which every branch has two children: a branch stands at the highest bit in
which the keys below it differ. So the root is a function of the set of leaves alone, a new leaf rewrites one path,
and a trie of few leaves is small however far apart their keys are.

Each account has two:

- *holes*: stretches of a fifo tape that named takes cut out; key = position, sum = length, data = (outflow, offset
  in the outflow);
- *reversed*: outflows that were undone; key = index of the outflow, sum = units reversed so far, data = (last
  reversal's inflow, 0).

Rules upheld here:

- A node binds sum and extent of what is below it, and extents of neighbours never overlap: two holes share no unit.
- Leaves are added or replaced, never removed.
- What storage returns is checked against the root on every read.

Nodes rest in a `TrieStore`; the trie itself holds only its root.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from charitychain.errors import VerificationError
from charitychain.sumlog import Span, empty_root, span_leaf, span_node

__all__ = ["Leaf", "SumTrie", "TrieRef", "TrieStore"]

_LEAF_BIT = -1


class Leaf(NamedTuple):
    """A leaf: key, the last key it covers, its sum, and two numbers of data."""

    key: int
    high: int
    sum: int
    first: int
    second: int


class TrieRef(NamedTuple):
    """A node as its parent knows it: the bit at which it branches (-1 for a leaf), and its span."""

    bit: int
    span: Span

    def pack(self) -> bytes:
        return _REF.pack(self.bit, *self.span)

    @classmethod
    def unpack(cls, data: bytes) -> TrieRef:
        bit, *span = _REF.unpack(data)
        return cls(bit, Span(*span))


class TrieStore(Protocol):
    """Where nodes rest, keyed by (branching bit, common prefix above that bit)."""

    def get(self, bit: int, prefix: int) -> bytes: ...

    def put(self, bit: int, prefix: int, data: bytes) -> None: ...


class _Known:
    """Nodes that are known, for reading only; where one is not, it is empty, and hashes to nothing."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}

    def get(self, bit: int, prefix: int) -> bytes:
        return self.nodes.get((bit, prefix), b"")

    def put(self, bit: int, prefix: int, data: bytes) -> None:
        raise TypeError("a trie of known nodes is read only")


_REF = struct.Struct(">b32sQQQ")
_LEAF = struct.Struct(">QQQQQ")


class SumTrie:
    """One trie: `root` is nothing while it is empty."""

    __slots__ = ("_leaf_tag", "_node_tag", "_store", "root")

    def __init__(self, leaf_tag: int, node_tag: int, store: TrieStore, root: TrieRef | None = None) -> None:
        self._leaf_tag, self._node_tag, self._store, self.root = leaf_tag, node_tag, store, root

    @classmethod
    def from_nodes(cls, leaf_tag: int, node_tag: int, nodes: Sequence[bytes], root: bytes, total: int) -> SumTrie:
        """Return a trie of which some nodes are known, each below one before it: the root first, left before right.

        Raises:
            VerificationError: ``CC-PROOF``: they do not hash to `root` and `total`; later, where a node is asked for
                that is not known.
        """
        store = _Known()
        self = cls(leaf_tag, node_tag, store)
        if not nodes:
            if (root, total) != (empty_root(node_tag), 0):
                raise VerificationError("CC-PROOF", "no node of a trie is shown, which is not empty")
            return self
        refs = [self._ref(data) for data in nodes]
        store.nodes = {(ref.bit, ref.span.low >> ref.bit + 1): data for ref, data in zip(refs, nodes, strict=True)}
        self.root = refs[0]
        if self.root.span[:2] != (root, total) or [*self._walk(refs[0])] != refs:
            raise VerificationError("CC-PROOF", "the nodes of a trie that are shown do not lead to its root")
        return self

    def known(self, seen: Mapping[tuple[int, int], bytes]) -> Iterator[bytes]:
        """Yield the root's node and those below it that were seen, as `from_nodes` takes them."""
        stack = [self.root] if self.root is not None else []
        while stack:
            ref = stack.pop()
            place = (ref.bit, ref.span.low >> ref.bit + 1)
            if ref is not self.root and place not in seen:
                continue
            data = self._store.get(*place)
            yield data
            if ref.bit != _LEAF_BIT:
                stack += [TrieRef.unpack(data[_REF.size :]), TrieRef.unpack(data[: _REF.size])]

    def _ref(self, data: bytes) -> TrieRef:
        """Return a node as its parent knows it, from what storage holds of it."""
        if len(data) == _LEAF.size:
            leaf = Leaf(*_LEAF.unpack(data))
            return TrieRef(_LEAF_BIT, span_leaf(self._leaf_tag, data, leaf.sum, leaf.key, leaf.high))
        if len(data) != 2 * _REF.size:
            raise VerificationError("CC-PROOF", "a node of a trie has another length")
        left, right = TrieRef.unpack(data[: _REF.size]), TrieRef.unpack(data[_REF.size :])
        bit = (left.span.low ^ right.span.low).bit_length() - 1
        return TrieRef(bit, span_node(self._node_tag, left.span, right.span, bytes((max(bit, 0),))))

    def _walk(self, node: TrieRef) -> Iterator[TrieRef]:
        """Yield the known nodes from `node` on, each checked against its parent: left before right."""
        yield node
        if node.bit == _LEAF_BIT:
            self._leaf(node)
            return
        for child in self._children(node):
            if self._store.get(child.bit, child.span.low >> child.bit + 1):
                yield from self._walk(child)

    @property
    def sum(self) -> int:
        return self.root.span.sum if self.root else 0

    def root_hash(self) -> bytes:
        return self.root.span.hash if self.root else empty_root(self._node_tag)

    def put(self, leaf: Leaf) -> None:
        """Add `leaf`, or replace the one of the same key.

        Raises:
            VerificationError: ``CC-SPAN``: it overlaps a neighbour.
        """
        data = _LEAF.pack(*leaf)
        ref = TrieRef(_LEAF_BIT, span_leaf(self._leaf_tag, data, leaf.sum, leaf.key, leaf.high))
        self._store.put(_LEAF_BIT, leaf.key, data)
        self.root = ref if self.root is None else self._insert(self.root, ref, leaf.key)

    def _insert(self, node: TrieRef, new: TrieRef, key: int) -> TrieRef:
        if node.bit == _LEAF_BIT and node.span.low == key:
            return new
        differ = (node.span.low ^ key) >> (node.bit + 1)
        if differ:  # the key leaves the common prefix above this node: a new branch goes on top of it
            bit = node.bit + differ.bit_length()
            return self._branch(bit, *((node, new) if key > node.span.low else (new, node)))
        left, right = self._children(node)
        if key >> node.bit & 1:
            return self._branch(node.bit, left, self._insert(right, new, key))
        return self._branch(node.bit, self._insert(left, new, key), right)

    def _branch(self, bit: int, left: TrieRef, right: TrieRef) -> TrieRef:
        span = span_node(self._node_tag, left.span, right.span, bytes((bit,)))
        self._store.put(bit, span.low >> (bit + 1), left.pack() + right.pack())
        return TrieRef(bit, span)

    def _children(self, node: TrieRef) -> tuple[TrieRef, TrieRef]:
        data = self._store.get(node.bit, node.span.low >> (node.bit + 1))
        if len(data) != 2 * _REF.size:
            raise _lacking()
        left, right = TrieRef.unpack(data[: _REF.size]), TrieRef.unpack(data[_REF.size :])
        self._check(span_node(self._node_tag, left.span, right.span, bytes((node.bit,))), node)
        return left, right

    def _leaf(self, node: TrieRef) -> Leaf:
        data = self._store.get(_LEAF_BIT, node.span.low)
        if len(data) != _LEAF.size:
            raise _lacking()
        leaf = Leaf(*_LEAF.unpack(data))
        self._check(span_leaf(self._leaf_tag, data, leaf.sum, leaf.key, leaf.high), node)
        return leaf

    def _check(self, found: Span, node: TrieRef) -> None:
        """Check what storage gave against the hash that leads to it, all the way up to the root."""
        if found != node.span:
            raise VerificationError(
                "CC-INDEX", "a stored node does not hash to what its parent says; make the index anew"
            )

    def find(self, key: int) -> Leaf | None:
        """Return the leaf of this key, if there is one."""
        node = self.root
        while node is not None and node.bit != _LEAF_BIT:
            left, right = self._children(node)
            node = right if key >> node.bit & 1 else left
        return self._leaf(node) if node is not None and node.span.low == key else None

    def crossing(self, low: int, high: int) -> Iterator[Leaf]:
        """Yield in order the leaves that share a key with ``[low, high)``."""
        stack = [self.root] if self.root else []
        while stack:
            node = stack.pop()
            if node.span.high < low or node.span.low >= high:
                continue
            if node.bit == _LEAF_BIT:
                yield self._leaf(node)
            else:
                stack.extend(reversed(self._children(node)))

    def covered_below(self, position: int) -> int:
        """Return the units below `position` that leaves cover; for holes, whose sum is their length."""
        total, node = 0, self.root
        while node is not None and node.span.low < position:
            if node.span.high < position:
                return total + node.span.sum
            if node.bit == _LEAF_BIT:
                return total + position - node.span.low
            left, right = self._children(node)
            if right.span.low < position:
                total, node = total + left.span.sum, right
            else:
                node = left
        return total

    def position_of_rank(self, rank: int) -> int:
        """Return the position of the unit that has `rank` uncovered units below it: the inverse of counting holes."""
        total, node = 0, self.root
        while node is not None and node.span.low - total <= rank:
            if node.bit == _LEAF_BIT:
                return rank + total + node.span.sum
            left, right = self._children(node)
            if right.span.low - total - left.span.sum <= rank:
                total, node = total + left.span.sum, right
            else:
                node = left
        return rank + total


def _lacking() -> VerificationError:
    return VerificationError("CC-INDEX", "a node of a trie is not there, or is damaged; make the index anew")
