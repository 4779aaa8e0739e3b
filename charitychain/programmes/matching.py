"""Matching gifts: a sponsor's pledge adds to each gift, once, until it is used up.

For every gift named, one donation with ``because_of`` (the gift) and ``pledge``, all in one statement. Whoever gave the
gift, and whoever pledged, sees by their traces which matched which.

Rules upheld here:

- A match is ``floor(gift * ratio)`` smallest units, of what stands of the gift, and at most what was said.
- The pledge bounds it: the last match may be smaller, and the gifts after it are told as left without one.
- A gift that was matched already is left out and told, so that a list can be entered again.

What it leaves to others: that a gift is matched once and a pledge never exceeded (`charitychain.state` refuses it, from
whatever program it comes).

>>> match_of(1000, Fraction("0.5"), most=None, left=300)
300
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from charitychain import columns, records
from charitychain.errors import MalformedError, RefusedError
from charitychain.reading import Reader
from charitychain.state.lookup import Link, columns_at, known_gift
from charitychain.units import format_amount, parse_amount

__all__ = ["Matches", "gifts_in", "match_gifts", "match_of", "read_ratio"]


@dataclass(frozen=True, slots=True)
class Matches:
    """What comes of a list of gifts.

    Attributes:
        entries: The journal entries, one donation for each gift that is matched now.
        known: Gifts that were matched before.
        nothing: Gifts of which nothing stands, or so small that their match is nothing.
        without: Gifts that the pledge no longer reaches.
        left: What is left of the pledge, in smallest units.
    """

    entries: list[dict[str, Any]]
    known: list[str]
    nothing: list[str]
    without: list[str]
    left: int


def read_ratio(text: str) -> Fraction:
    """Return a ratio such as ``1``, ``0.5`` or ``2``: how much for each unit given.

    Raises:
        MalformedError: ``CC-AMOUNT``: no plain decimal above 0 and up to 100.
    """
    whole, _, rest = text.partition(".")
    if text.isascii() and whole.isdigit() and (rest.isdigit() or text == whole) and len(text) <= 10:
        ratio = Fraction(text)
        if 0 < ratio <= 100:
            return ratio
    raise MalformedError("CC-AMOUNT", f"a ratio is above 0 and up to 100, such as 1 or 0.5, found {text!r:.40}")


def match_of(gift: int, ratio: Fraction, *, most: int | None, left: int) -> int:
    """Return the match of a gift, in smallest units: ``floor(gift * ratio)``, at most `most` and `left`."""
    return min(gift * ratio.numerator // ratio.denominator, left, left if most is None else most)


def gifts_in(reader: Reader, series: str) -> Iterator[str]:
    """Yield the gifts of a series in the order of their numbers, which is that in which they came.

    Raises:
        RefusedError: ``CC-UNKNOWN-ID``: there is no such series.
    """
    if reader.index.last_batch(series) is None:
        raise RefusedError("CC-UNKNOWN-ID", f"this ledger holds no series {series!r}", series=series)
    for batch in reader.index.batches(series):
        for gift in columns.iterate_gifts(columns_at(reader.index, batch.place), batch.width):
            yield f"{series}/{gift.id}"


def match_gifts(
    reader: Reader, *, pledge: str, account: str, gifts: Iterable[str], new_id: Callable[[], str], ratio: str = "1",
    most: str | None = None,
) -> Matches:  # fmt: skip
    """Return the journal entries that match gifts out of a pledge, and what was left out.

    Args:
        account: The account that the pledge is for; matches go there.
        gifts: Ids of single gifts or ``SERIES/NUMBER``; one named twice counts once.
        new_id: Gives each match its id.
        ratio: How much for each unit given.
        most: The most for one gift, in major units; nothing is no bound but the pledge.

    Raises:
        RefusedError: ``CC-UNKNOWN-ID``: no such pledge to this account. ``CC-UNKNOWN-ACCOUNT``. ``CC-UNIT``: a gift in
            another unit.
        NotFoundError: ``CC-UNKNOWN-GIFT``.
        MalformedError: ``CC-AMOUNT``.
    """
    target = reader.state.account_named(account)
    unit, by = reader.unit_of(target), read_ratio(ratio)
    bound = None if most is None else parse_amount(most, unit)
    left = _left(reader, pledge, target.number, account)
    done = Matches([], [], [], [], left)
    for id_ in dict.fromkeys(gifts):
        gift = known_gift(reader.index, id_)
        there = reader.unit_of(reader.state.accounts[gift.account])
        if there.code != unit.code:
            raise RefusedError("CC-UNIT", f"gift {id_!r} is in {there.code}; account {account!r} is in {unit.code}")
        if _is_matched(reader, id_):
            done.known.append(id_)
            continue
        stands = gift.amount - reader.state.reversed_of(id_)
        if match_of(stands, by, most=bound, left=stands * 100) <= 0:
            done.nothing.append(id_)
        elif not left:
            done.without.append(id_)
        else:
            amount = match_of(stands, by, most=bound, left=left)
            left -= amount
            done.entries.append({
                "record": "donation", "id": new_id(), "account": account, "amount": format_amount(amount, unit),
                "source": "matching", "because_of": id_, "pledge": pledge,
            })  # fmt: skip
    return Matches(done.entries, done.known, done.nothing, done.without, left)


def _left(reader: Reader, pledge: str, account: int, name: str) -> int:
    """Return what was not given yet of a pledge, by matches or otherwise."""
    row = reader.index.find_id(pledge)
    found = reader.record(row.place) if row is not None and row.kind == records.Pledge.KIND else None
    if not isinstance(found, records.Pledge) or found.account != account:
        raise RefusedError("CC-UNKNOWN-ID", f"{pledge!r} is no pledge to account {name!r}", id=pledge)
    return max(0, found.amount - reader.state.reversed_of(pledge) - reader.index.sum_of(pledge, Link.FULFILLED))


def _is_matched(reader: Reader, gift: str) -> bool:
    """Say whether something of a match of this gift still stands."""
    found = map(reader.record, reader.index.links(gift, Link.MATCHED))
    return any(isinstance(item, records.Donation) and item.amount > reader.state.reversed_of(item.id) for item in found)
