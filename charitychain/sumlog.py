"""Merkle-sum trees: hashes that also bind totals and order.

Two trees of the RFC 6962 shape whose nodes carry more than a hash:

- `MovementLog`: one append-only log per account. A node binds the sums ``(in, rule, named, back)`` of the movements
  below it and the places of the first and the last. Positions and balances on the tape are prefix sums of this log:
  derived, never claimed.
- span trees (`span_root`): gift columns in runs of 64, runs of donations, takes of a named outflow. A node binds the
  sum below it and the extent ``[low, high]``.

Rules upheld here:

- A parent hashes both children whole: hash, sums and extents. A lie about a sum is a lie about a hash.
- Places strictly rise from left to right, and so do extents; sums stay below 2⁶³.
- Every kind of tree has leaf and node prefix bytes of its own (`Tag`).

What a leaf says is encoded elsewhere; storage is a callable or a list of the new nodes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

from charitychain.codec import MAX_INT
from charitychain.errors import VerificationError
from charitychain.records import Place

__all__ = [
    "LogNode",
    "MovementLog",
    "Span",
    "Tag",
    "check_log_path",
    "empty_root",
    "span_leaf",
    "span_node",
    "span_root",
]


class Tag(IntEnum):
    """First byte of everything that is hashed, so that nothing of one tree can be passed off in another.

    0x00 and 0x01 are the RFC 6962 log of block headers, 0x30 a key id (`charitychain.keys`).
    """

    IDENTITY = 0x10
    RECORD_LEAF = 0x11
    RECORD_NODE = 0x12
    STATEMENT = 0x13
    SEALED_LEAF = 0x14
    SEALED_NODE = 0x15
    MOVES_LEAF = 0x16
    MOVES_NODE = 0x17
    ACCOUNT_LEAF = 0x18
    ACCOUNT_NODE = 0x19
    PARTY_LEAF = 0x1A
    PARTY_NODE = 0x1B
    SIGNATURES = 0x1C
    MOVEMENT_LEAF = 0x20
    MOVEMENT_NODE = 0x21
    GIFTS_LEAF = 0x22
    GIFTS_NODE = 0x23
    DONATIONS_LEAF = 0x24
    DONATIONS_NODE = 0x25
    TAKES_LEAF = 0x26
    TAKES_NODE = 0x27
    HOLES_LEAF = 0x28
    HOLES_NODE = 0x29
    REVERSED_LEAF = 0x2A
    REVERSED_NODE = 0x2B
    PRIVATE_LEAF = 0x32
    PRIVATE_NODE = 0x33
    PSEUDONYM = 0x34
    TERMS = 0x35


def empty_root(node_tag: int) -> bytes:
    """Return the root of a tree without leaves: the hash of its node prefix alone, which no node is."""
    return sha256(bytes((node_tag,))).digest()


# ---------------------------------------------------------------------------------------------- span trees


class Span(NamedTuple):
    """A node of a span tree: hash, sum of the amounts below, lowest and highest key below."""

    hash: bytes
    sum: int
    low: int
    high: int


_SPANS = struct.Struct(">32sQQQ32sQQQ")
_PREFIX = tuple(bytes((tag,)) for tag in range(256))


def span_leaf(leaf_tag: int, content: bytes, amount: int, low: int, high: int) -> Span:
    """Return the leaf over `content`, whose amount and extent the content itself tells."""
    return Span(sha256(_PREFIX[leaf_tag] + content).digest(), amount, low, high)


def span_node(node_tag: int, left: Span, right: Span, shape: bytes = b"") -> Span:
    """Return the parent of two nodes; `shape` binds where a sparse trie branches.

    Raises:
        VerificationError: ``CC-SPAN``: extents do not rise, or the sum is too large.
    """
    if left.high >= right.low or left.sum + right.sum > MAX_INT:
        raise VerificationError("CC-SPAN", "neighbours in a sum tree must rise and their sum stay below 2^63")
    data = _PREFIX[node_tag] + shape + _SPANS.pack(*left, *right)
    return Span(sha256(data).digest(), left.sum + right.sum, left.low, right.high)


def span_root(node_tag: int, leaves: Sequence[Span]) -> Span:
    """Return the root over `leaves` in the RFC 6962 shape (split at the largest power of two below the count).

    Raises:
        VerificationError: ``CC-SPAN``, as `span_node`.
    """
    if not leaves:
        return Span(empty_root(node_tag), 0, 0, 0)
    level = list(leaves)
    while len(level) > 1:
        # Pairing neighbours and letting an odd last one rise gives the RFC 6962 shape.
        paired = [span_node(node_tag, level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


# ------------------------------------------------------------------------------------------- movement logs


class LogNode(NamedTuple):
    """A node of a movement log: hash; units in, out by rule, out by name, in from reversals; first and last place."""

    hash: bytes
    in_: int
    rule: int
    named: int
    back: int
    first: Place
    last: Place

    def pack(self) -> bytes:
        """Return the 96 bytes that a parent hashes for this node."""
        return _LOG.pack(self.hash, self.in_, self.rule, self.named, self.back, *self.first, *self.last)

    @classmethod
    def unpack(cls, data: bytes) -> LogNode:
        """Return the node from its 96 bytes; the inverse of `pack`."""
        digest, in_, rule, named, back, *places = _LOG.unpack(data)
        return cls(digest, in_, rule, named, back, Place(*places[:3]), Place(*places[3:]))


_LOG = struct.Struct(">32sQQQQQIIQII")


def log_node(left: LogNode, right: LogNode) -> LogNode:
    """Return the parent of two nodes of a movement log.

    Raises:
        VerificationError: ``CC-SPAN``: places do not strictly rise, or a sum is too large.
    """
    sums = (left.in_ + right.in_, left.rule + right.rule, left.named + right.named, left.back + right.back)
    if left.last >= right.first or max(sums) > MAX_INT:
        raise VerificationError("CC-SPAN", "places in a movement log must rise and its sums stay below 2^63")
    digest = sha256(bytes((Tag.MOVEMENT_NODE,)) + left.pack() + right.pack()).digest()
    return LogNode(digest, *sums, left.first, right.last)


class MovementLog:
    """The append-only log of one account, held as the roots of its complete subtrees, largest first.

    Cost: `append` amortised O(1), `root` O(log n); nothing grows with the log but by its logarithm.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[LogNode] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        if len(self.peaks) != size.bit_count():
            raise ValueError("a log of this size has another number of complete subtrees")

    def append(self, leaf: LogNode) -> list[tuple[int, int, LogNode]]:
        """Add `leaf`; return the complete nodes that it made as (level, index, node), the leaf itself at level 0."""
        made = [(0, self.size, leaf)]
        node, index, level = leaf, self.size, 0
        while index & 1:
            node = log_node(self.peaks.pop(), node)
            index >>= 1
            level += 1
            made.append((level, index, node))
        self.peaks.append(node)
        self.size += 1
        return made

    def root(self) -> bytes:
        """Return the root hash; sums and places are bound by it."""
        top = self.top()
        return top.hash if top else empty_root(Tag.MOVEMENT_NODE)

    def top(self) -> LogNode | None:
        """Return the root with its sums, or nothing for an empty log."""
        node: LogNode | None = None
        for peak in reversed(self.peaks):
            node = peak if node is None else log_node(peak, node)
        return node


def check_log_path(
    index: int, size: int, leaf: LogNode, node: Callable[[int, int], LogNode]
) -> tuple[LogNode, LogNode]:
    """Walk from `leaf` to the root of a log of `size`, with its complete nodes given by ``node(level, index)``.

    Returns:
        The root, and the sums of everything before `leaf` as a node whose hash and places mean nothing.

    Raises:
        VerificationError: ``CC-SPAN``: sums or places do not fit.
    """
    if not 0 <= index < size:
        raise VerificationError("CC-PROOF", f"movement {index} lies outside a log of {size}")
    before = LogNode(b"", 0, 0, 0, 0, leaf.first, leaf.first)

    def add(left: LogNode) -> None:
        nonlocal before
        before = before._replace(
            in_=before.in_ + left.in_, rule=before.rule + left.rule,
            named=before.named + left.named, back=before.back + left.back,
        )  # fmt: skip

    # The complete subtrees of the log, largest first, and the one that holds the leaf.
    start, peaks = 0, []
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            peaks.append((level, start))
            start += 1 << level
    holder = next(i for i, (level, first) in enumerate(peaks) if first <= index < first + (1 << level))
    level_top = peaks[holder][0]
    at, place = leaf, index
    for level in range(level_top):
        if place & 1:
            left = node(level, place - 1)
            add(left)
            at = log_node(left, at)
        else:
            at = log_node(at, node(level, place + 1))
        place >>= 1
    tail: LogNode | None = None
    for level, first in reversed(peaks[holder + 1 :]):
        peak = node(level, first >> level)
        tail = peak if tail is None else log_node(peak, tail)
    root = at if tail is None else log_node(at, tail)
    for level, first in reversed(peaks[:holder]):
        left = node(level, first >> level)
        add(left)
        root = log_node(left, root)
    return root, before
