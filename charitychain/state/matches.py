"""Matches: what a donation says that is given because of another, out of a pledge.

Rules upheld here:

- A gift is matched once; a match that was wholly reversed does not count.
- A gift that is a match itself, or that was given on the very pledge, is not matched.
- With a match all that donations gave on its pledge, less what of them was reversed, is at most what stands of the
  pledge. A donation that matches nothing may exceed it: whoever pledged may give more.

What it leaves to others: who may record a donation, and that its pledge is one to its account
(`charitychain.state.value`). `charitychain.programmes.matching` asks the same questions before it makes an entry.
"""

from __future__ import annotations

from charitychain import records
from charitychain.errors import RefusedError
from charitychain.state.acting import Acting
from charitychain.state.lookup import GiftAt, IdAt, Link

__all__ = ["check_match", "count_for_pledge", "left_of_pledge", "match_of_gift", "why_no_match"]


def check_match(state: Acting, record: records.Donation, gift_id: str) -> None:
    """Check that a donation may match a gift out of its pledge.

    Raises:
        RefusedError: ``CC-MATCH``. ``CC-UNKNOWN-GIFT``.
    """
    gift = state.gift(gift_id)
    pledge = state.lookup.find_id(record.pledge) if record.pledge is not None else None
    if pledge is None:
        raise RefusedError("CC-MATCH", f"what matches gift {gift.id!r} must name the pledge that it is taken from")
    if gift.place[:2] == state.place[:2]:
        raise RefusedError("CC-MATCH", f"gift {gift.id!r} stands in this very statement; match it in a later one")
    if why := why_no_match(state, gift, pledge.id):
        raise RefusedError("CC-MATCH", f"gift {gift.id!r} {why}, and is not matched", gift=gift.id)
    if match := match_of_gift(state, gift.id):
        raise RefusedError("CC-MATCH", f"gift {gift.id!r} was matched {match} already; a gift is matched once",
                           gift=gift.id)  # fmt: skip
    left = left_of_pledge(state, pledge)
    if record.amount > left:
        account = state.accounts[record.account]
        raise RefusedError(
            "CC-MATCH",
            f"of pledge {pledge.id!r} {state.words(max(left, 0), account)} is left to match with, not"
            f" {state.words(record.amount, account)}",
            pledge=pledge.id,
            left=left,
        )


def why_no_match(state: Acting, gift: GiftAt, pledge: str) -> str | None:
    """Say why a gift is never matched out of a pledge; nothing where it may be. Gifts of a series name no pledge."""
    given = None if "/" in gift.id else state.record_at(gift.place)
    if not isinstance(given, records.Donation):
        return None
    if given.because_of is not None:
        return f"matches {given.because_of!r} itself"
    return f"was given on pledge {pledge!r} itself" if given.pledge == pledge else None


def match_of_gift(state: Acting, gift: str) -> str | None:
    """Say by what a gift is matched, such as ``by 'M-1'``; nothing where no match of it stands, even in part."""
    for place in state.lookup.links(gift, Link.MATCHED):
        if place[:2] == state.place[:2]:  # nothing of this very statement can be reversed in it
            return "in this very statement"
        match = state.record_at(place)
        if isinstance(match, records.Donation) and match.amount > state.reversed_of(match.id):
            return f"by {match.id!r}"
    return None


def left_of_pledge(state: Acting, pledge: IdAt) -> int:
    """Return what stands of a pledge and was not given yet, by matches or otherwise; less than 0 where more was."""
    return pledge.amount - state.reversed_of(pledge.id) - state.lookup.sum_of(pledge.id, Link.FULFILLED)


def count_for_pledge(state: Acting, record: records.Donation, amount: int) -> None:
    """Add to what a donation's pledge brought; less than nothing where it is undone.

    It is a sum that goes along, for the donations on one pledge may be millions.
    """
    if record.pledge is not None:
        state.lookup.add_to_sum(record.pledge, Link.FULFILLED, amount)
