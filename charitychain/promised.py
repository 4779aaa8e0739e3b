"""Promised: promises at a ledger: who may give one, and what became of it.

*Kept*, *late*, still *open*, or *broken*. The form of a promise is `charitychain.promises`.

Rules upheld here:

- The key of a promise acted for its party in the block after the last one that its maker saw, and the party might take
  gifts for the account there: as its owner, or as an intake. Whether a key acts goes by position in the ledger, never
  by the time that the promise states.
- A promise that a compromised key signed is disputed, and counts as before: else a party could unsay its promises.
- An id is never used twice, and the gifts of a series only rise. So a gift of another amount, account or donor under
  the promised id breaks the promise at once, and so does a series that passed over its number.

What it cannot: a ledger holds no proof that an id is absent. That a gift is missing is the index's word, made from the
ledger at hand; asked of a replayed ledger (`Ledger.at`) it is that of the blocks. Evidence names the head at which the
gift was missing: whoever holds that ledger sees it by replay, whoever says otherwise shows the gift. A ledger that
stands still reaches no deadline.

>>> from charitychain import Ledger
>>> ledger = Ledger.create("p.ledger", origin="p.example", keys="keys")
>>> with ledger.writer() as writer:
...     writer.account("fund", unit="EUR")
True
>>> promise = make(ledger.reader(), ledger.at_hand, gift="D-1", amount="25", account="fund", within=2, made=1767139200)
>>> judge(ledger.reader(), promise).state.value
'open'
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from charitychain import records
from charitychain.athand import KeysAtHand
from charitychain.errors import NotFoundError, RefusedError, VerificationError
from charitychain.promises import Promise, check_gift_id
from charitychain.reading import Reader
from charitychain.signers import Signers
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import Link
from charitychain.state.parties import PartyKey, PartyState
from charitychain.units import format_amount, parse_amount

__all__ = ["PromiseState", "Verdict", "check_promise", "judge", "make"]


class PromiseState(Enum):
    """What became of a promise."""

    KEPT = "kept"
    LATE = "late"
    """The gift is there as promised, in a block after the deadline."""
    OPEN = "open"
    BROKEN = "broken"
    """The gift is missing at the deadline or after it, or can no longer come as promised."""
    UNKNOWN = "unknown"
    """This copy of the ledger ends before the block that the promise's maker saw."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a promise stands as of the block `height`.

    `why` is a sentence without its full stop. `block` is where a gift of the promised id stands, also where that is
    above `height` or the gift another one. `disputed` says that its key was compromised when it signed.
    """

    state: PromiseState
    why: str
    height: int
    block: int | None = None
    disputed: bool = False


def make(
    reader: Reader, at_hand: KeysAtHand, *, gift: str, amount: str, account: str, within: int, made: int,
    author: str | None = None, donor: bytes | None = None,
) -> Promise:  # fmt: skip
    """Promise a gift with the key of whoever takes it; nothing is recorded.

    Args:
        amount: In major units, as people write it.
        within: In how many blocks after the ledger's last one, at most; 1 is the next.
        made: UTC seconds.
        author: The party that promises; nothing is the account's owner.

    Raises:
        RefusedError: the ledger would not take the gift from that party, or holds its id; ``CC-THRESHOLD``: one key
            does not speak for the party.
        KeyAccessError: ``CC-KEY-MISSING``, ``CC-PASSPHRASE``.
        MalformedError: ``CC-ID``, ``CC-AMOUNT`` and others.
    """
    state, head = reader.state, reader.head
    into = state.account_named(account)
    party = state.party(author) if author is not None else state.parties[into.owner]
    _check_may_take(party, into)
    _check_free(reader, party, gift)
    public = Signers(state, at_hand.private, at_hand.has).of(party, ())[0]
    unsigned = Promise(
        reader.genesis.identity(), reader.genesis.origin, party.id, public, head.height + 1, head.hash, gift,
        into.number, into.id, into.unit, parse_amount(amount, reader.unit_of(into)), donor, made, head.height + within,
    )  # fmt: skip
    return unsigned.sign(at_hand.private(public))


def check_promise(reader: Reader, promise: Promise) -> PartyKey:
    """Check that a promise of this ledger is by a key that might give it; return the key.

    The ledger must hold the block that its maker saw.

    Raises:
        VerificationError: ``CC-SEEN``: it was made on another history. ``CC-PROMISE``: by no key that acted for its
            party there, by a party that took no gifts for the account, or for an account that is not so.
    """
    state = reader.state
    if reader.checked_block(promise.seen_size - 1).header.hash() != promise.seen:
        raise VerificationError(
            "CC-SEEN",
            f"whoever promised saw another block {promise.seen_size - 1} than this ledger has: two histories were"
            " shown. Keep the promise and this copy",
            block=promise.seen_size - 1,
        )
    party = next((party for party in state.parties if party.id == promise.party), None)
    key = next((key for key in (party.keys if party is not None else ()) if key.key == promise.key), None)
    if party is None or key is None or not key.acts_at(promise.seen_size):
        raise _bad(f"the key that signed it did not act for {promise.party!r} in block {promise.seen_size}")
    account = state.accounts[promise.account] if promise.account < len(state.accounts) else None
    if account is None or (account.id, account.unit) != (promise.account_id, promise.unit):
        raise _bad(f"this ledger has no account {promise.account_id!r} of that number in {promise.unit}")
    if _owner_at(reader, account, promise.seen_size) != party.id and not party.has("intake"):
        raise _bad(f"{party.id!r} neither owned account {account.id!r} nor has the role intake")
    return key


def judge(reader: Reader, promise: Promise, height: int | None = None) -> Verdict:
    """Say what became of a promise, once all of it is checked.

    Args:
        height: As of this block, and no later than the ledger's last, which it is by default.

    Raises:
        RefusedError: ``CC-PROMISE``: it is of another ledger.
        VerificationError: as for `check_promise`; or what the answer rests on is damaged.
    """
    height = reader.head.height if height is None else height
    promise.check_ledger(reader.genesis.origin, reader.genesis.identity())
    if promise.seen_size > height + 1:
        return Verdict(PromiseState.UNKNOWN, f"its maker saw {promise.seen_size} blocks; get a newer copy", height)
    key = check_promise(reader, promise)
    disputed = key.compromised is not None and promise.seen_size >= key.compromised
    found = _find(reader, promise.gift)
    block = found.height if found is not None else None

    def told(state: PromiseState, why: str) -> Verdict:
        return Verdict(state, why, height, block, disputed)

    if found is not None and found.height <= height:
        if why := _differs(reader, promise, found):
            return told(PromiseState.BROKEN, f"{why} in block {found.height}")
        if found.height > promise.deadline:
            return told(PromiseState.LATE, f"it came in block {found.height}")
        return told(PromiseState.KEPT, f"it stands in block {found.height}")
    since = f"; it came only in block {block}" if block is not None else ""
    passed = _passed_over(reader, promise.gift)
    if passed is not None and passed <= height:
        return told(PromiseState.BROKEN, f"block {passed} goes on in the series without it")
    if height >= promise.deadline:
        return told(PromiseState.BROKEN, f"up to block {height} it is not there{since}")
    return told(PromiseState.OPEN, f"up to block {height} it is not there yet")


# ------------------------------------------------------------------------------------------------------ the gift


class _Found(NamedTuple):
    height: int
    account: int
    amount: int
    donor: bytes | None


def _find(reader: Reader, gift_id: str) -> _Found | None:
    """Return the gift as its author signed it; of the index only that there is none is believed."""
    try:
        gift = reader.gift(gift_id)
    except NotFoundError:
        return None
    record = reader.record(gift.place)
    reader.check_author(gift.place)
    if isinstance(record, records.Donation) and record.id == gift_id:
        return _Found(gift.place.height, record.account, record.amount, record.donor)
    if isinstance(record, records.Gifts) and gift_id.startswith(f"{record.series}/"):
        return _Found(gift.place.height, record.account, gift.amount, gift.donor)
    raise VerificationError("CC-INDEX", f"the index takes another record for gift {gift_id!r}; make it anew")


def _differs(reader: Reader, promise: Promise, found: _Found) -> str:
    """Say how a gift is another one than was promised, if it is."""
    if found.account != promise.account:
        return f"it went into {reader.state.account(found.account).id!r}"
    if found.amount != promise.amount:
        account = reader.state.account(found.account)
        return f"its amount is {format_amount(found.amount, reader.unit_of(account))} {account.unit}"
    if promise.donor is not None and found.donor != promise.donor:
        return "its donor is another"
    return ""


def _passed_over(reader: Reader, gift_id: str) -> int | None:
    """Return the height at which a series went on without a gift of it that is not there."""
    series, slash, number = gift_id.partition("/")
    batch = reader.index.next_batch(series, int(number)) if slash else None
    if batch is None:
        return None
    record = reader.record(batch.place)
    if isinstance(record, records.Gifts) and record.series == series:
        before = -1 if record.previous is None else record.previous
        if before < int(number) <= record.last:  # so no other batch of the series can hold it
            return batch.place.height
    raise VerificationError("CC-INDEX", f"the index takes another record for series {series!r}; make it anew")


# ---------------------------------------------------------------------------------------------- who may promise


def _check_may_take(party: PartyState, account: AccountState) -> None:
    if party.number != account.owner and not party.has("intake"):
        raise RefusedError(
            "CC-ROLE", f"{party.id!r} neither owns account {account.id!r} nor has the role intake", party=party.id
        )
    if party.suspended:
        raise RefusedError("CC-SUSPENDED", f"{party.id!r} is suspended; ask the operator", party=party.id)
    if party.threshold > 1:
        raise RefusedError(
            "CC-THRESHOLD",
            f"a promise has one signature, and {party.id!r} speaks with {party.threshold} keys; let another promise",
            party=party.id,
        )
    if not account.open:
        raise RefusedError("CC-CLOSED", f"account {account.id!r} is closed", account=account.id)


def _check_free(reader: Reader, party: PartyState, gift: str) -> None:
    """Check that a gift of this id may still come from this party."""
    check_gift_id(gift)
    series, slash, number = gift.partition("/")
    row = reader.find_id(series)
    if row is None:
        return
    if not slash:
        raise RefusedError("CC-DUPLICATE-ID", f"{gift!r} is there already; choose another id", id=gift)
    last = reader.index.last_batch(series)
    if last is None or row.account != party.number or last.last >= int(number):
        raise RefusedError("CC-SERIES", f"{gift!r} cannot come: the series is another's, or went beyond it", id=gift)


def _owner_at(reader: Reader, account: AccountState, height: int) -> str:
    """Return who owned an account when the block of this height was about to be made."""
    opened = reader.find_id(account.id)
    if opened is None:
        raise VerificationError("CC-INDEX", f"the index does not know account {account.id!r}; make it anew")
    owner = ""
    for place in (opened.place, *reader.links(account.id, Link.CHANGED)):
        told = getattr(reader.record(place), "owner", None)
        if place.height < height or not owner:
            owner = told or owner or reader.signers(place)[0]
    return owner


def _bad(why: str) -> VerificationError:
    return VerificationError("CC-PROMISE", f"this promise binds nobody here: {why}")
