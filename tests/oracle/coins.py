"""Minor units as single objects, and the lists of them that accounts and uses are.

What the model counts with: amounts as people write them, `Coin`, and what coins can be part of. No record is read here.

Rules upheld here:

- an amount is 1 to 2^63-1 minor units, written as a decimal string without sign, exponent or too many decimals;
- a coin never changes: a move makes a new one with a longer trail, so that *the same object still being there* means
  that this unit has not moved;
- fifo takes the first that remain, pro-rata takes evenly from the remainder that the rule took before.

    >>> even_indices(10, 3, 0)
    [3, 6, 9]
    >>> format_amount(parse_amount("2.5", 2), 2)
    '2.50'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .terms import ModelRefused, Terms

CURRENCIES = {"CNY": 2, "USD": 2, "EUR": 2, "IDR": 2, "JPY": 0, "KWD": 3}
COMMODITIES = {"STEP": 0, "MINUTE": 0, "MASK": 0, "MEAL": 0, "TREE": 0}
LARGEST = 2**63 - 1
DIGITS = frozenset("0123456789")


def parse_amount(text: str, decimals: int) -> int:
    """Return the minor units (>= 1) of a decimal string; refuse signs, exponents, zero and too many decimals."""
    whole, dot, fraction = text.partition(".")
    if not whole or (dot and not fraction) or not DIGITS.issuperset(whole + fraction):
        raise ModelRefused("amount", f"{text!r} is no decimal amount")
    if len(fraction) > decimals:
        raise ModelRefused("amount", f"{text!r} has more than {decimals} decimals")
    minor = int(whole + fraction.ljust(decimals, "0"))
    if not 1 <= minor <= LARGEST:
        raise ModelRefused("amount", f"{text!r} is outside 1..2^63-1 minor units")
    return minor


def format_amount(minor: int, decimals: int) -> str:
    """Write minor units with the full exponent: 250 of 2 decimals is `2.50`."""
    if decimals == 0:
        return str(minor)
    digits = str(minor).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def even_indices(size: int, count: int, phi: int) -> list[int]:
    """Return the indices that the pro-rata map takes: `count` of `size`, starting from the remainder `phi`."""
    return [z for z in range(size) if ((z + 1) * count + phi) // size - (z * count + phi) // size == 1]


def take_evenly(coins: list[Coin], count: int, phi: int) -> tuple[list[Coin], list[Coin]]:
    """Return the `count` coins that the pro-rata map takes, and those that it leaves, both in their order."""
    indices = even_indices(len(coins), count, phi)
    assert len(indices) == count, "the even map takes what is asked for"
    chosen = set(indices)
    return [coins[z] for z in indices], [coin for z, coin in enumerate(coins) if z not in chosen]


def parse_number(told: object) -> int:
    """Return the number of a gift in its series: a whole number, or one written without leading zeros."""
    text = str(told) if type(told) is int else told
    if not isinstance(text, str) or not text or not DIGITS.issuperset(text) or str(int(text)) != text:
        raise ModelRefused("gifts", f"{told!r} is no number of a gift")
    if int(text) > LARGEST:
        raise ModelRefused("gifts", f"{text} is 2^63 or more")
    return int(text)


class Hop(NamedTuple):
    """One transfer between accounts of one unit, as it was booked: who owned them then, in which year, and as the
    how-manieth record of all."""

    source: str
    source_owner: str
    target: str
    target_owner: str
    year: str
    time: int


class HandOver(NamedTuple):
    """An account changed hands."""

    time: int
    year: str
    old: str
    new: str


class Coin:
    """One minor unit: who paid it, the way by which each gift that reaches it came here, and its transfers since it
    was given or converted, but for those that were undone."""

    __slots__ = ("hops", "payer", "trails")

    def __init__(self, payer: str, trails: dict[str, tuple[str, ...]], hops: tuple[Hop, ...] = ()) -> None:
        self.payer = payer
        self.trails = trails
        self.hops = hops

    def __deepcopy__(self, memo: object) -> Coin:
        """Stay the same: a coin never changes, and which object it is says whether it moved."""
        return self

    def passed(self, record_id: str, *hops: Hop) -> Coin:
        """Return this coin with `record_id` as the last step of every trail, after one more transfer or none."""
        return Coin(self.payer, self._trails_and(record_id), (*self.hops, *hops))

    def sent_back(self, record_id: str) -> Coin:
        """Return this coin with `record_id` as the last step of every trail, and its last transfer undone."""
        return Coin(self.payer, self._trails_and(record_id), self.hops[:-1])

    def converted(self, record_id: str) -> Coin:
        """Return this coin with `record_id` as the last step of every trail, and no transfer that could be undone."""
        return Coin(self.payer, self._trails_and(record_id))

    def _trails_and(self, record_id: str) -> dict[str, tuple[str, ...]]:
        return {gift: (*trail, record_id) for gift, trail in self.trails.items()}


class Account:
    """A list of the coins that remain, in order of arrival, what its rule took so far, and its terms."""

    def __init__(self, account_id: str, unit: str, rule: str, terms: Terms | None = None) -> None:
        self.id = account_id
        self.unit = unit
        self.rule = rule
        self.terms = terms if terms is not None else Terms()
        self.coins: list[Coin] = []
        self.hand_overs: list[HandOver] = []
        self.rule_taken = 0
        self.came = 0
        self.went = 0

    def receive(self, coins: Iterable[Coin]) -> None:
        """Lay coins on the end of the tape, in their order."""
        before = len(self.coins)
        self.coins.extend(coins)
        self.came += len(self.coins) - before

    def take_by_rule(self, count: int) -> list[Coin]:
        """Take `count` coins as the account's rule says."""
        size = len(self.coins)
        if self.rule == "fifo":
            indices = list(range(count))
        else:
            indices = even_indices(size, count, self.rule_taken % size)
        self.rule_taken += count
        return self._remove(indices, count)

    def take_of_gift(self, gift: str, count: int) -> list[Coin]:
        """Take the first `count` coins that this gift paid; the rule's own count stays as it is."""
        return self.cut([coin for coin in self.coins if coin.payer == gift][:count])

    def cut(self, coins: Iterable[Coin]) -> list[Coin]:
        """Take these very coins, in tape order; the rule's own count stays as it is."""
        chosen = {id(coin) for coin in coins}
        return self._remove([z for z, coin in enumerate(self.coins) if id(coin) in chosen], len(chosen))

    def paid_by(self, gift: str) -> int:
        """Return how many coins here this gift paid."""
        return sum(coin.payer == gift for coin in self.coins)

    def _remove(self, indices: Sequence[int], count: int) -> list[Coin]:
        assert len(indices) == count, "a choice of coins has the size that was asked for"
        chosen = set(indices)
        taken = [self.coins[z] for z in indices]
        self.coins = [coin for z, coin in enumerate(self.coins) if z not in chosen]
        self.went += count
        return taken


class Expenditure:
    """A final use: the coins that are still used, in the order in which they were taken, and how many came back.

    It is booked under its year and the account's owner of then.
    """

    def __init__(self, record: Mapping[str, Any], account: Account, coins: list[Coin], year: str, time: int) -> None:
        self.record = record
        self.account = account
        self.coins = coins
        self.year = year
        self.time = time
        self.owner = account.terms.owner
        self.reversed = 0


class Transfer:
    """The coins that a disbursement, or each part of a split, laid on the tape of its target: those that are still
    there have not moved."""

    def __init__(self, source: Account, laid: list[tuple[Account, list[Coin]]]) -> None:
        self.source = source
        self.laid = laid

    @property
    def size(self) -> int:
        """How many coins were laid."""
        return sum(len(coins) for _, coins in self.laid)

    def resting(self, target: Account, gift: str | None = None) -> list[Coin]:
        """Return what could go back out of one target, in tape order: of this gift, if one is named."""
        mine = {id(coin) for account, coins in self.laid if account is target for coin in coins}
        return [coin for coin in target.coins if id(coin) in mine and gift in (None, coin.payer)]


class Conversion:
    """What each gift put into a conversion as its source, and how many places it reached only through that."""

    def __init__(self, source_unit: str, size: int, target_unit: str, given: int, funded: bool) -> None:
        self.source_unit = source_unit
        self.size = size
        self.target_unit = target_unit
        self.given = given
        self.funded = funded
        self.amounts: Counter[str] = Counter()
        self.gives: Counter[str] = Counter()
        # Places that a gift reached along both lineages: there once, and not in `gives`.
        self.met: Counter[str] = Counter()


class Gone:
    """Coins of one gift that left the ledger: by a refund to its donor, or because they were never received."""

    def __init__(self, donation: str, unit: str, coins: list[Coin]) -> None:
        self.donation = donation
        self.unit = unit
        self.coins = coins


class Pledge:
    """An announced sum: no coins."""

    def __init__(self, account: Account, amount: int) -> None:
        self.account = account
        self.amount = amount
        self.reversed = 0


class Series:
    """Batches of gifts: whose they are, and the highest number so far."""

    def __init__(self, author: str) -> None:
        self.author = author
        self.last = -1


class Plan:
    """Lines of a budget of an account: no coins. It is replaced once at most."""

    def __init__(self, account: Account, lines: frozenset[str]) -> None:
        self.account = account
        self.lines = lines
        self.replaced = False
