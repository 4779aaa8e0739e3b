"""What each part of a receipt must be by itself, before it is held against others.

Leaves and nodes as they are shown are read into what the ledger's own code works with; a tree's root, the sums before a
movement, and the room for what was named follow from them.

Rules upheld here:

- A movement has what its kind has and nothing else; what a named one took are runs that rise, and sum to its amount.
- No more leaves an account than came in before, and what a movement took was there.
- Tries are of the one shape that their leaves give, as far as they are shown: no look-up goes past a leaf, and no hole
  holds more units than it is long.

>>> raise misfit("two parts do not fit")
Traceback (most recent call last):
charitychain.errors.VerificationError: two parts do not fit
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from charitychain import merkle, multiproof
from charitychain.errors import VerificationError
from charitychain.receipts.wire import MovementShown
from charitychain.records import Place
from charitychain.state.accounts import Summary
from charitychain.state.movements import Kind, Movement
from charitychain.sumlog import LogNode, Span, span_node
from charitychain.tape import Run
from charitychain.trie import TrieRef

__all__ = [
    "check_branches", "check_extents", "check_there", "check_tree", "misfit", "offset_of", "read_log_node",
    "read_movement", "with_sums",
]  # fmt: skip

_LEAF_BYTES, _BRANCH_BYTES = 40, 114


def misfit(why: str, **facts: Any) -> VerificationError:
    """Return the error for a receipt whose parts do not fit, or do not prove what they say."""
    return VerificationError("CC-RECEIPT", why, **facts)


def check_tree(
    kind: merkle.TreeKind, size: int, root: bytes, leaves: Mapping[int, bytes], proof: Sequence[bytes], what: str
) -> None:
    """Check that leaves are in a tree of plain hashes; of an empty one nothing can be shown."""
    if not size:
        if leaves or proof or root != merkle.empty_root(kind):
            raise misfit(f"nothing is in the tree of {what}, and something is shown")
        return
    found, _ = multiproof.fold(size, leaves, proof, kind.node_hash)
    if found != root:
        raise misfit(f"the parts shown are not those that were sealed: the tree of {what} has another root")


def read_log_node(fields: Sequence[Any]) -> LogNode:
    """Return a node of a movement log."""
    hash_, in_, rule, named, back, *places = fields
    return LogNode(hash_, in_, rule, named, back, _log_place(places[:3]), _log_place(places[3:]))


def _log_place(fields: Sequence[int]) -> Place:
    place = Place(*fields)
    if max(place[1:]) >> 32:
        raise misfit(f"no block has a statement or record {max(place[1:])}")
    return place


def read_movement(account: int, shown: MovementShown) -> Movement:
    """Return a movement, without the sums before it."""
    inflow = shown.kind < Kind.DISBURSED
    told = (shown.target, shown.parts or None) if inflow else shown[4:9]
    if any(each is not None for each in told) or shown.named > 1 or (shown.takes and not shown.named):
        raise misfit(f"movement {shown.number} of account {account} has parts that its kind has not")
    if shown.kind not in Kind._value2member_map_ or shown.amount < 1:
        raise misfit(f"movement {shown.number} of account {account} is of no known kind, or of nothing")
    takes = tuple(Run(*run) for run in shown.takes)
    rising = all(one.position + one.length <= other.position for one, other in itertools.pairwise(takes))
    if shown.named and (not rising or min((run.length for run in takes), default=0) < 1):
        raise misfit(f"the units that movement {shown.number} of account {account} took are not told one by one")
    if shown.named and sum(run.length for run in takes) != shown.amount:
        raise misfit(f"movement {shown.number} of account {account} took another number of units than its amount")
    return Movement(
        account, shown.number, Kind(shown.kind), _log_place(shown.place), shown.amount, source=shown.source,
        second=shown.second, conversion=shown.conversion, previous=shown.previous, gifts=shown.gifts,
        named=bool(shown.named), takes=takes, target=shown.target, parts=shown.parts,
    )  # fmt: skip


def check_there(m: Movement, account: Summary) -> None:
    """Check that no more had left than had come in, and that what a movement takes was there."""
    there = m.in_before if m.takes and not account.pro_rata else m.balance_before
    end = sum(m.takes[-1]) if m.takes else m.amount
    if m.balance_before < 0 or (not m.is_inflow and (m.amount > m.balance_before or end > there)):
        raise misfit(f"movement {m.index} takes more than was there in account {account.id!r}", account=account.id)


def _children(branch: bytes) -> list[TrieRef]:
    half = _BRANCH_BYTES // 2
    return [TrieRef.unpack(branch[:half]), TrieRef.unpack(branch[half:])]


def check_branches(nodes: Sequence[bytes], *, exact: bool) -> None:
    """Check that branches of a trie are where they must be; `exact`: so that a look-up by key misses no leaf."""
    for data in nodes:
        if len(data) not in (_LEAF_BYTES, _BRANCH_BYTES):
            raise misfit("a node of a trie has another length")
        if len(data) == _BRANCH_BYTES:
            left, right = _children(data)
            bit = (left.span.low ^ right.span.low).bit_length() - 1
            fits = -1 <= left.bit < bit and -1 <= right.bit < bit and left.span.low < right.span.low
            if exact:
                fits = fits and all(each.span.low >> bit == each.span.high >> bit for each in (left, right))
            if not fits:
                raise misfit("a branch of a trie does not stand where it must")


def check_extents(nodes: Sequence[bytes], account: Summary) -> None:
    """Check that holes hold as many units as they are long, and what is below a node no more than fits between."""
    for data in nodes:
        if len(data) == _LEAF_BYTES:
            low, high, total = (int.from_bytes(data[at : at + 8], "big") for at in (0, 8, 16))
            fits = 0 < total == high - low + 1
        else:
            fits = all(0 < child.span.sum <= child.span.high - child.span.low + 1 for child in _children(data))
        if not fits:
            raise misfit(f"what was named in account {account.id!r} is more than there is room for", account=account.id)


def with_sums(m: Movement, sums: tuple[int, int, int, int]) -> Movement:
    """Return a movement with the sums of everything before it."""
    return Movement(
        m.account, m.index, m.kind, m.place, m.amount, *sums, m.source, m.second, m.conversion, m.previous, m.gifts,
        m.named, m.takes, m.target, m.parts,
    )  # fmt: skip


def offset_of(tag: int, tree: tuple[int, bytes], amount: int, number: int, leaf: Span, proof: list[Span]) -> int:
    """Check that a leaf is in a tree of spans, given as (count, root); return the sum before it."""

    def join(left: Span, right: Span) -> Span:
        return span_node(tag, left, right)

    root, order = multiproof.fold(tree[0], {number: leaf}, proof, join)
    if (root.hash, root.sum) != (tree[1], amount):
        raise misfit("the gift shown is not in the movement that it is shown in")
    return sum(span.sum for first, span in order if first < number)
