"""Gift columns: many micro-donations as arrays, 32 bytes a gift, committed to by one Merkle-sum root.

The columns of a `gifts` record stand in runs of 64 gifts. A run is ``[ids][donors][amounts]``, or
``[ids][donors][seconds][amounts]`` where the record's width is 48; ids and amounts are little-endian 64-bit, donors
and seconds 16 bytes each (all zero: not given). A leaf covers one run; its sum is the run's total and its extent the
lowest and highest id.

Rules upheld here:

- Ids strictly rise through all columns; amounts are 1..2⁶³-1 and so is their total.
- Sums are exact: 64-bit halves are added apart, since numpy's sums wrap silently.
- Nothing is read out of columns that were not compared with a sealed root: `check_sealed` does that for a reader.

numpy is imported only by `pack_columns` and `check_columns`, which work on whole batches; `find_gift`,
`iterate_gifts`, `Runs` and `check_sealed` do without it.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from charitychain.codec import MAX_INT
from charitychain.errors import MalformedError, VerificationError
from charitychain.sumlog import Span, Tag, span_leaf, span_root

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RUN", "Gift", "Runs", "check_columns", "check_sealed", "find_gift", "iterate_gifts", "pack_columns"]

RUN = 64
_NOBODY = bytes(16)
_ID = struct.Struct("<Q")


class Gift(NamedTuple):
    """One gift of a batch: its number in the series, donor and second party (16 bytes or nothing), minor units.

    `offset` counts the units of the batch before this gift.
    """

    id: int
    donor: bytes | None
    second: bytes | None
    amount: int
    offset: int


def pack_columns(
    ids: Sequence[int] | NDArray[np.uint64],
    amounts: Sequence[int] | NDArray[np.uint64],
    donors: bytes | None = None,
    seconds: bytes | None = None,
) -> tuple[bytes, Span]:
    """Lay out a batch as columns in runs of 64 and return them with their root.

    Args:
        ids: Strictly rising numbers, shape (n,).
        amounts: Minor units, shape (n,), each at least 1.
        donors: n pseudonyms of 16 bytes end to end, or nothing.
        seconds: The same for second parties; its presence makes the width 48.

    Raises:
        MalformedError: ``CC-GIFTS``: lengths differ, ids do not rise, or an amount is out of range.
    """
    import numpy as np

    ids_, amounts_ = np.asarray(ids), np.asarray(amounts)
    if ids_.size and (int(ids_.min()) < 0 or int(ids_.max()) > MAX_INT or int(amounts_.min()) < 1):
        raise MalformedError("CC-GIFTS", "gift ids must be 0..2^63-1 and amounts at least 1 minor unit")
    ids_, amounts_ = ids_.astype("<u8"), amounts_.astype("<u8")
    count = len(ids_)
    donors = bytes(16 * count) if donors is None else donors
    if not count or len(amounts_) != count or len(donors) != 16 * count or (seconds and len(seconds) != 16 * count):
        raise MalformedError("CC-GIFTS", "the columns of a batch must all have the same number of gifts, at least one")
    people = [np.frombuffer(data, "<u8") for data in (donors, seconds) if data is not None]
    parts = [part.reshape(count, -1) for part in (ids_, *people, amounts_)]  # words of a gift: 1, 2, (2,) 1
    whole = count // RUN * RUN
    table = np.concatenate([part[:whole].reshape(whole // RUN, RUN * part.shape[1]) for part in parts], axis=1)
    tail = np.concatenate([part[whole:].ravel() for part in parts])
    columns = table.tobytes() + tail.tobytes()
    return columns, check_columns(columns, 32 if seconds is None else 48)


def check_columns(columns: bytes, width: int) -> Span:
    """Check a batch and return its root: hash, total of the amounts, first and last id.

    Raises:
        MalformedError: ``CC-GIFTS``: not a whole number of gifts, ids that do not rise, an amount out of range.
    """
    import numpy as np

    count, rest = divmod(len(columns), width)
    if rest or not count:
        raise MalformedError(
            "CC-GIFTS", f"columns of {len(columns)} bytes are no whole number of gifts of {width} bytes"
        )
    whole = count // RUN * RUN
    words = np.frombuffer(columns, dtype="<u8")
    run_words = RUN * width // 8
    table = words[: whole * width // 8].reshape(-1, run_words)
    tail = words[whole * width // 8 :]
    last = count - whole
    ids: NDArray[Any] = np.concatenate([table[:, :RUN].ravel(), tail[:last]])
    amounts: NDArray[Any] = np.concatenate([table[:, run_words - RUN :].ravel(), tail[len(tail) - last :]])
    # Compared, not subtracted: the difference of unsigned numbers that fall is a large positive one.
    if not bool((ids[1:] > ids[:-1]).all()) or int(ids[-1]) > MAX_INT:
        raise MalformedError("CC-GIFTS", "gift ids must rise strictly and stay below 2^63")
    if int(amounts.min()) < 1 or int(amounts.max()) > MAX_INT:
        raise MalformedError("CC-GIFTS", "gift amounts must be 1..2^63-1 minor units")
    starts = np.arange(0, count, RUN)
    low = np.add.reduceat(amounts & np.uint64(0xFFFFFFFF), starts).tolist()
    high = np.add.reduceat(amounts >> np.uint64(32), starts).tolist()
    firsts = ids[starts].tolist()
    lasts = ids[np.minimum(starts + RUN, count) - 1].tolist()
    size = RUN * width
    try:
        leaves = [
            span_leaf(Tag.GIFTS_LEAF, columns[i * size : (i + 1) * size], lo + (hi << 32), first, final)
            for i, (lo, hi, first, final) in enumerate(zip(low, high, firsts, lasts, strict=True))
        ]
        total = span_root(Tag.GIFTS_NODE, leaves)
    except (VerificationError, struct.error) as error:
        raise MalformedError("CC-GIFTS", "the amounts of a batch must sum to less than 2^63") from error
    if total.sum > MAX_INT:
        raise MalformedError("CC-GIFTS", "the amounts of a batch must sum to less than 2^63")
    return total


class Runs:
    """The runs of a batch, each with its leaf, which tells its last id and its sum: so a gift is found at once."""

    __slots__ = ("_before", "columns", "leaves", "width")

    def __init__(self, columns: bytes, width: int) -> None:
        self.columns, self.width, self.leaves = columns, width, _leaves(columns, width)
        self._before = list(accumulate((leaf.sum for leaf in self.leaves), initial=0))

    def number_of(self, id_: int) -> int:
        """Return the number of the run that holds, or would hold, the gift with this id."""
        return bisect_left(self.leaves, id_, key=lambda leaf: leaf.high)

    def run(self, number: int) -> bytes:
        """Return the columns of one run."""
        size = RUN * self.width
        return self.columns[number * size : (number + 1) * size]

    def find(self, id_: int) -> Gift | None:
        """Return the gift with this id, or nothing."""
        number = self.number_of(id_)
        found = _find_in_run(self.run(number), self.width, id_) if number < len(self.leaves) else None
        return found._replace(offset=self._before[number] + found.offset) if found else None


def check_sealed(columns: bytes, width: int, root: bytes) -> Runs:
    """Check that columns are those that a `gifts` record commits to; their form was checked before they were sealed.

    Args:
        width: Bytes of a gift, and `root` the hash, as the sealed record tells them.

    Raises:
        VerificationError: ``CC-GIFTS-ROOT``.
    """
    runs = None
    try:
        runs = Runs(columns, width)
        found = span_root(Tag.GIFTS_NODE, runs.leaves).hash
    except VerificationError:  # numbers that fall, or a sum that no columns have
        found = b""
    if runs is None or len(columns) % width or found != root:
        raise VerificationError(
            "CC-GIFTS-ROOT",
            "gift columns are not those that were sealed; restore the ledger from a copy",
            expected=root.hex(),
            found=found.hex(),
        )
    return runs


def _leaves(columns: bytes, width: int) -> list[Span]:
    """Return the leaves over the runs of a batch; a gift that is cut off is left out."""
    found, size = [], RUN * width
    for at in range(0, len(columns) // width * width, size):
        run = columns[at : at + size]
        n = len(run) // width
        first, last = _ID.unpack_from(run)[0], _ID.unpack_from(run, 8 * (n - 1))[0]
        total = sum(struct.unpack_from(f"<{n}Q", run, len(run) - 8 * n))
        found.append(span_leaf(Tag.GIFTS_LEAF, run, total, first, last))
    return found


def iterate_gifts(columns: bytes, width: int) -> Iterator[Gift]:
    """Yield the gifts of a batch in order; the columns are taken to be checked."""
    offset, size = 0, RUN * width
    for at in range(0, len(columns), size):
        run = columns[at : at + size]
        n = len(run) // width
        ids = struct.unpack_from(f"<{n}Q", run)
        amounts = struct.unpack_from(f"<{n}Q", run, len(run) - 8 * n)
        for i in range(n):
            yield Gift(ids[i], *_people(run, width, n, i), amounts[i], offset)
            offset += amounts[i]


def _people(run: bytes, width: int, n: int, i: int) -> tuple[bytes | None, bytes | None]:
    """Return the donor and the second party of gift `i` of the `n` in a run."""
    donor = run[8 * n + 16 * i : 8 * n + 16 * i + 16]
    second = run[24 * n + 16 * i : 24 * n + 16 * i + 16] if width == 48 else _NOBODY
    return None if donor == _NOBODY else donor, None if second == _NOBODY else second


def find_gift(columns: bytes, width: int, number: int) -> Gift | None:
    """Return the gift with this number, or nothing."""
    size, offset = RUN * width, 0
    for at in range(0, len(columns), size):
        run = columns[at : at + size]
        n = len(run) // width
        if _ID.unpack_from(run, 8 * (n - 1))[0] >= number:
            found = _find_in_run(run, width, number)
            return found._replace(offset=offset + found.offset) if found else None
        offset += sum(struct.unpack_from(f"<{n}Q", run, len(run) - 8 * n))
    return None


def _find_in_run(run: bytes, width: int, number: int) -> Gift | None:
    n = len(run) // width
    ids = struct.unpack_from(f"<{n}Q", run)
    at = bisect_left(ids, number)
    if at == n or ids[at] != number:
        return None
    amounts = struct.unpack_from(f"<{n}Q", run, len(run) - 8 * n)
    return Gift(number, *_people(run, width, n, at), amounts[at], sum(amounts[:at]))
