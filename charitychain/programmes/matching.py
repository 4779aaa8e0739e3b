"""Matching gifts: a sponsor's pledge adds to each gift, once, until it is used up.

For every gift named, one donation with ``because_of`` (the gift) and ``pledge``, all in one statement. Whoever gave the
gift, and whoever pledged, sees by their traces which matched which.

Rules upheld here:

- A match is ``floor(gift * ratio)`` smallest units, of what stands of the gift, and at most what was said.
- The pledge bounds it, less all that was given on it: the last match may be smaller. Then no further gift is looked
  at, and the first of those is told.
- A gift that was matched already is left out and told, so that a list can be entered again; so is one that a sponsor
  gave: a match of another gift, or a gift on the very pledge.

What it leaves to others: the rules (`charitychain.state.matches`), which refuse what is against them from whatever
program it comes.

>>> match_of(1001, Fraction("0.5"), most=None), match_of(1001, Fraction("0.5"), most=300)
(500, 300)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from charitychain import columns, records
from charitychain.errors import MalformedError, RefusedError
from charitychain.reading import Reader
from charitychain.state.lookup import IdAt, columns_at, known_gift
from charitychain.state.matches import left_of_pledge, match_of_gift, why_no_match
from charitychain.units import format_amount, parse_amount

__all__ = ["Matches", "gifts_in", "match_gifts", "match_of", "read_ratio"]


@dataclass(frozen=True, slots=True)
class Matches:
    """What comes of a list of gifts.

    Attributes:
        entries: The journal entries, one donation for each gift that is matched now.
        known: Gifts that were matched before.
        sponsored: Gifts that are matches themselves, or were given on this very pledge.
        nothing: Gifts of which nothing stands, or so small that their match is nothing.
        without_from: The first gift that was not looked at, since the pledge was used up before it: it and all after
            it get nothing of it now. Nothing where the pledge reached all.
        left: What is left of the pledge, in smallest units.
    """

    entries: list[dict[str, Any]]
    known: list[str]
    sponsored: list[str]
    nothing: list[str]
    without_from: str | None
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


def match_of(gift: int, ratio: Fraction, *, most: int | None) -> int:
    """Return the match of a gift, in smallest units: ``floor(gift * ratio)``, and at most `most`."""
    match = gift * ratio.numerator // ratio.denominator
    return match if most is None else min(match, most)


def gifts_in(reader: Reader, series: str) -> Iterator[str]:
    """Yield the gifts of a series in the order of their numbers, which is that in which they came.

    Raises:
        RefusedError: ``CC-UNKNOWN-ID``: there is no such series.
    """
    if reader.index.last_batch(series) is None:
        raise RefusedError("CC-UNKNOWN-ID", f"this ledger holds no series {series!r}", series=series)
    for batch in list(reader.index.batches(series)):  # whole: once a pledge is used up nothing is read any more
        for gift in columns.iterate_gifts(columns_at(reader.index, batch.place), batch.width):
            yield f"{series}/{gift.id}"


def match_gifts(
    reader: Reader, *, pledge: str, account: str, gifts: Iterable[str], new_id: Callable[[], str], ratio: str = "1",
    most: str | None = None,
) -> Matches:  # fmt: skip
    """Return the journal entries that match gifts out of a pledge, and what was left out.

    Args:
        account: The account that the pledge is for; matches go there.
        gifts: Ids of single gifts or ``SERIES/NUMBER``; one named twice counts once. None is taken beyond the first
            that the pledge no longer reaches.
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
    row = _pledge(reader, pledge, target.number, account)
    left = max(0, left_of_pledge(reader.state, row))
    done = Matches([], [], [], [], None, left)
    seen: set[str] = set()
    for id_ in gifts:
        if id_ in seen:
            continue
        if not left:
            return replace(done, without_from=id_, left=0)
        seen.add(id_)
        gift = known_gift(reader.index, id_)
        there = reader.unit_of(reader.state.accounts[gift.account])
        if there.code != unit.code:
            raise RefusedError("CC-UNIT", f"gift {id_!r} is in {there.code}; account {account!r} is in {unit.code}")
        wanted = match_of(gift.amount - reader.state.reversed_of(id_), by, most=bound)
        if match_of_gift(reader.state, id_):
            done.known.append(id_)
        elif why_no_match(reader.state, gift, pledge):
            done.sponsored.append(id_)
        elif not wanted:
            done.nothing.append(id_)
        else:
            amount = min(wanted, left)
            left -= amount
            done.entries.append({
                "record": "donation", "id": new_id(), "account": account, "amount": format_amount(amount, unit),
                "source": "matching", "because_of": id_, "pledge": pledge,
            })  # fmt: skip
    return replace(done, left=left)


def _pledge(reader: Reader, pledge: str, account: int, name: str) -> IdAt:
    row = reader.index.find_id(pledge)
    if row is None or row.kind != records.Pledge.KIND or row.account != account:
        raise RefusedError("CC-UNKNOWN-ID", f"{pledge!r} is no pledge to account {name!r}", id=pledge)
    return row
