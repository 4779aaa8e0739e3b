"""Multiproofs: several leaves of one tree shown together, with each node that they need once.

For a tree of the RFC 6962 shape whose size and root somebody signed, a multiproof of some leaves lists, from left to
right, the roots of the largest ranges of leaves in which none of them lies. Which ranges these are follows from the
size and the leaves' numbers alone, so a proof tells no positions, and there is one proof for each set of leaves.

Rules upheld here:

- A proof with a node too many or too few is refused, and so is a leaf outside the tree.
- The size comes from the caller, who has it from what was signed.
- Nodes may carry more than hashes: the caller says how two are joined, and what is below a node of sums stays in order.

>>> ranges(6, [2])
[(0, 2), (3, 4), (4, 6)]
>>> fold(4, {1: "b"}, ["a", "cd"], lambda left, right: left + right)
('abcd', [(0, 'a'), (1, 'b'), (2, 'cd')])
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from charitychain.errors import VerificationError

__all__ = ["fold", "ranges"]

Node = TypeVar("Node")


def ranges(size: int, leaves: Iterable[int]) -> list[tuple[int, int]]:
    """Return the ranges of leaves, as (first, end), whose roots a multiproof of `leaves` lists; of none, the whole.

    Raises:
        IndexError: a leaf lies outside the tree.
    """
    shown = sorted(set(leaves))
    if shown and not 0 <= shown[0] <= shown[-1] < size:
        raise IndexError(f"leaves {shown[0]} to {shown[-1]} do not lie in a tree of {size}")
    found: list[tuple[int, int]] = []
    stack = [(0, size)] if size else []
    while stack:
        first, end = stack.pop()
        if not _shows(shown, first, end):
            found.append((first, end))
        elif end - first > 1:
            middle = _split(first, end)
            stack += [(middle, end), (first, middle)]
    return found


def fold(
    size: int, leaves: Mapping[int, Node], proof: Sequence[Node], join: Callable[[Node, Node], Node]
) -> tuple[Node, list[tuple[int, Node]]]:
    """Return the root over `leaves` (by number) and the nodes of `proof`, and all of these in order, by first leaf.

    Args:
        size: How many leaves the tree has, at least one, as it was signed.
        join: Makes a node of two neighbours.

    Raises:
        VerificationError: ``CC-PROOF``: a leaf outside the tree, or another number of nodes than the leaves need.
    """
    shown = sorted(leaves)
    if size < 1 or (shown and not 0 <= shown[0] <= shown[-1] < size):
        raise VerificationError("CC-PROOF", f"a leaf that is shown lies outside its tree of {size}")
    order: list[tuple[int, Node]] = []
    rest = iter(proof)

    def root(first: int, end: int) -> Node:
        if not _shows(shown, first, end):
            node = next(rest, None)
            if node is None:
                raise VerificationError("CC-PROOF", f"a proof in a tree of {size} leaves lacks nodes")
        elif end - first == 1:
            node = leaves[first]
        else:
            middle = _split(first, end)
            left = root(first, middle)
            return join(left, root(middle, end))
        order.append((first, node))
        return node

    top = root(0, size)
    if next(rest, None) is not None:
        raise VerificationError("CC-PROOF", f"a proof in a tree of {size} leaves has more nodes than it needs")
    return top, order


def _shows(shown: Sequence[int], first: int, end: int) -> bool:
    at = bisect_left(shown, first)
    return at < len(shown) and shown[at] < end


def _split(first: int, end: int) -> int:
    """Return where a range of two leaves or more splits: behind the largest power of two below its length."""
    return first + (1 << (end - first - 1).bit_length() - 1)
