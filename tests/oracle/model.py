"""The money rules, one minor unit at a time.

A brute-force model to compare the library with. It shares no code with it and knows no intervals:
every minor unit is one `Coin` object, every account a list of coins in order of arrival, and a rule
is a choice of list indices. Slow, small, and meant to be read beside the description of the rules.

Rules upheld here:

- fifo takes the first x coins that remain;
- pro-rata takes from B coins the one at index z iff `((z+1)*x+phi)//B - (z*x+phi)//B == 1`, with phi = (all that
  the *rule* took from this account before) mod B; refunds are not part of phi, and what reversals bring back does not
  lower it;
- a named outflow (fifo accounts) and a refund (both rules) take the first coins whose *payer* is the gift;
- the source coin at p of S in a conversion gives the target places `[p*M//S, (p+1)*M//S)`: each place has one source
  coin, and a source coin gives several places, one or none;
- in a funded conversion the funding coin at i pays for place i, and the source coin of that place has earned it;
- a reversal lays coins of an expenditure on the end of the tape again, a partial one takes them evenly.

Lineages: a coin has one `payer` (the gift at the end of its paying lineage) and a `trail` for every gift that reaches
it, along whatever mixture of paying and earning. Where a gift reaches a coin through both parents of a conversion, it
is there once, with the trail of the paying parent, and `gives` of the conversion does not count it again.

Left to others: parties, signatures, dates, approvals, batches of gifts, reversals of disbursements, imports that repeat
a line.

    >>> model = Model()
    >>> model.apply({"record": "account", "id": "edu", "unit": "CNY", "title": "Education", "rule": "fifo"})
    >>> model.apply({"record": "donation", "id": "D-1", "account": "edu", "amount": "0.05"})
    >>> model.apply({"record": "expenditure", "id": "X-1", "from": "edu", "amount": "0.03", "payee": "T"})
    >>> model.trace("D-1")["held"]
    [{'account': 'edu', 'amount': '0.02', 'unit': 'CNY'}]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = dict[str, str]
Trace = dict[str, Any]

CURRENCIES = {"CNY": 2, "USD": 2, "EUR": 2, "IDR": 2, "JPY": 0, "KWD": 3}
COMMODITIES = {"STEP": 0, "MINUTE": 0, "MASK": 0, "MEAL": 0, "TREE": 0}
LARGEST = 2**63 - 1
DIGITS = frozenset("0123456789")


class ModelRefused(Exception):
    """A record that the rules refuse; `reason` is one short word. The model is as it was before."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason


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


class Coin:
    """One minor unit: who paid it, and the way by which each gift that reaches it came here."""

    __slots__ = ("payer", "trails")

    def __init__(self, payer: str, trails: dict[str, tuple[str, ...]]) -> None:
        self.payer = payer
        self.trails = trails

    def passed(self, record_id: str) -> Coin:
        """Return this coin with `record_id` as the last step of every trail."""
        return Coin(self.payer, {gift: (*trail, record_id) for gift, trail in self.trails.items()})


class Account:
    """A list of the coins that remain, in order of arrival, and what its rule took so far."""

    def __init__(self, account_id: str, unit: str, rule: str) -> None:
        self.id = account_id
        self.unit = unit
        self.rule = rule
        self.coins: list[Coin] = []
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
        return self._remove([z for z, coin in enumerate(self.coins) if coin.payer == gift][:count], count)

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
    """A final use: the coins that are still used, in the order in which they were taken, and how many came back."""

    def __init__(self, record: Mapping[str, str], account: Account, coins: list[Coin]) -> None:
        self.record = record
        self.account = account
        self.coins = coins
        self.reversed = 0


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


class Refund:
    """Coins that went back to the donor of one gift."""

    def __init__(self, donation: str, unit: str, coins: list[Coin]) -> None:
        self.donation = donation
        self.unit = unit
        self.coins = coins


class Model:
    """All accounts, coin by coin, after the records applied so far."""

    def __init__(self, journal: Iterable[Mapping[str, str]] = ()) -> None:
        self.decimals: dict[str, int] = {**CURRENCIES, **COMMODITIES}
        # One space of ids; `self` is the first party of every ledger.
        self.ids: set[str] = {"self"}
        self.accounts: dict[str, Account] = {}
        self.donations: dict[str, tuple[Account, int]] = {}
        self.expenditures: dict[str, Expenditure] = {}
        self.conversions: dict[str, Conversion] = {}
        self.refunds: dict[str, Refund] = {}
        for record in journal:
            self.apply(record)

    # -- records ---------------------------------------------------------------------------------

    def apply(self, record: Mapping[str, str]) -> None:
        """Apply one journal record, or raise `ModelRefused` and leave the model as it was."""
        kinds = {
            "unit": self._unit,
            "account": self._account,
            "donation": self._donation,
            "disbursement": self._disbursement,
            "expenditure": self._expenditure,
            "conversion": self._conversion,
            "refund": self._refund,
            "reversal": self._reversal,
        }
        act = kinds.get(record["record"])
        if act is None:
            raise ModelRefused("kind", f"{record['record']!r} is no record of this model")
        record_id = record["id"]
        if record_id in self.ids:
            raise ModelRefused("duplicate-id", f"{record_id} was used before")
        act(record_id, record)
        self.ids.add(record_id)

    def _unit(self, record_id: str, record: Mapping[str, str]) -> None:
        if record_id in self.decimals:
            raise ModelRefused("duplicate-id", f"unit {record_id} exists")
        self.decimals[record_id] = int(record["decimals"])

    def _account(self, record_id: str, record: Mapping[str, str]) -> None:
        if record["unit"] not in self.decimals:
            raise ModelRefused("unknown-unit", f"no unit {record['unit']}")
        if record["rule"] not in ("fifo", "pro-rata"):
            raise ModelRefused("rule", f"no rule {record['rule']}")
        self.accounts[record_id] = Account(record_id, record["unit"], record["rule"])

    def _donation(self, record_id: str, record: Mapping[str, str]) -> None:
        account = self._get_account(record["account"])
        amount = self._amount(record["amount"], account.unit)
        self.donations[record_id] = (account, amount)
        account.receive(Coin(record_id, {record_id: ()}) for _ in range(amount))

    def _disbursement(self, record_id: str, record: Mapping[str, str]) -> None:
        source, target = self._get_account(record["from"]), self._get_account(record["to"])
        amount = self._amount(record["amount"], source.unit)
        if source is target:
            raise ModelRefused("same-account", f"{record_id} goes from {source.id} to itself")
        if source.unit != target.unit:
            raise ModelRefused("unit", f"{source.unit} cannot be passed on as {target.unit}")
        self._check_outflow(source, amount, record.get("gift"))
        target.receive(coin.passed(record_id) for coin in self._take(source, amount, record.get("gift")))

    def _expenditure(self, record_id: str, record: Mapping[str, str]) -> None:
        source = self._get_account(record["from"])
        amount = self._amount(record["amount"], source.unit)
        self._check_outflow(source, amount, record.get("gift"))
        coins = self._take(source, amount, record.get("gift"))
        self.expenditures[record_id] = Expenditure(dict(record), source, coins)

    def _conversion(self, record_id: str, record: Mapping[str, str]) -> None:
        source, target = self._get_account(record["from"]), self._get_account(record["to"])
        size = self._amount(record["amount"], source.unit)
        gives = self._amount(record["gives"], target.unit)
        if source.unit == target.unit:
            raise ModelRefused("same-unit", f"{record_id} converts {source.unit} into itself")
        funding: Account | None = None
        if "funded_from" in record:
            funding = self._get_account(record["funded_from"])
            if funding is source or funding is target or funding.unit != target.unit:
                raise ModelRefused("funded-from", f"{funding.id} cannot pay {target.unit} into {target.id}")
            self._check_outflow(funding, gives, None)
        elif target.unit in CURRENCIES and source.unit not in CURRENCIES:
            raise ModelRefused("unfunded", f"{source.unit} becomes {target.unit} only when somebody pays it")
        self._check_outflow(source, size, None)

        earning = source.take_by_rule(size)
        paying = None if funding is None else funding.take_by_rule(gives)
        conversion = Conversion(source.unit, size, target.unit, gives, funding is not None)
        places: list[Coin] = []
        for p, earner in enumerate(earning):
            conversion.amounts.update(earner.trails.keys())
            for place in range(p * gives // size, (p + 1) * gives // size):
                assert place == len(places), "the places of a conversion follow each other without a gap"
                earned = earner.passed(record_id)
                if paying is None:
                    coin = earned
                    conversion.gives.update(earned.trails.keys())
                else:
                    paid = paying[place].passed(record_id)
                    conversion.gives.update(earned.trails.keys() - paid.trails.keys())
                    conversion.met.update(earned.trails.keys() & paid.trails.keys())
                    # Right wins: a gift that comes along both parents is shown on the paying one.
                    coin = Coin(paid.payer, earned.trails | paid.trails)
                places.append(coin)
        assert len(places) == gives, "a conversion gives what it says"
        self.conversions[record_id] = conversion
        target.receive(places)

    def _refund(self, record_id: str, record: Mapping[str, str]) -> None:
        donation = record["donation"]
        if donation not in self.donations:
            raise ModelRefused("unknown-donation", f"no donation {donation}")
        account = self._get_account(record["from"]) if "from" in record else self.donations[donation][0]
        there = account.paid_by(donation)
        amount = self._amount(record["amount"], account.unit) if "amount" in record else there
        if not 1 <= amount <= there:
            raise ModelRefused("refund", f"{account.id} holds {there} minor units of {donation}")
        self.refunds[record_id] = Refund(donation, account.unit, account.take_of_gift(donation, amount))

    def _reversal(self, record_id: str, record: Mapping[str, str]) -> None:
        use = self.expenditures.get(record["reverses"])
        if use is None:
            raise ModelRefused("reverses", f"{record['reverses']} is no expenditure")
        left = len(use.coins)
        amount = self._amount(record["amount"], use.account.unit) if "amount" in record else left
        if not 1 <= amount <= left:
            raise ModelRefused("reversal", f"{left} minor units of {record['reverses']} are left to reverse")
        indices = even_indices(left, amount, use.reversed % left)
        assert len(indices) == amount, "a reversal brings back what it says"
        chosen = set(indices)
        back = [use.coins[z].passed(record_id) for z in indices]
        use.coins = [coin for z, coin in enumerate(use.coins) if z not in chosen]
        use.reversed += amount
        use.account.receive(back)

    def _get_account(self, account_id: str) -> Account:
        account = self.accounts.get(account_id)
        if account is None:
            raise ModelRefused("unknown-account", f"no account {account_id}")
        return account

    def _amount(self, text: str, unit: str) -> int:
        return parse_amount(text, self.decimals[unit])

    def _check_outflow(self, account: Account, amount: int, gift: str | None) -> None:
        if gift is not None:
            if gift not in self.donations:
                raise ModelRefused("unknown-donation", f"no donation {gift}")
            if account.rule != "fifo":
                raise ModelRefused("named-pro-rata", f"{account.id} is pro-rata: no gift can be chosen")
            if account.paid_by(gift) < amount:
                raise ModelRefused("gift-short", f"{account.id} holds {account.paid_by(gift)} of {gift}")
        if len(account.coins) < amount:
            raise ModelRefused("overdraft", f"{account.id} holds {len(account.coins)}, not {amount}")

    def _take(self, account: Account, amount: int, gift: str | None) -> list[Coin]:
        return account.take_by_rule(amount) if gift is None else account.take_of_gift(gift, amount)

    # -- questions -------------------------------------------------------------------------------

    def balance(self, account_id: str) -> str:
        """Return what an account holds, as a decimal string."""
        account = self.accounts[account_id]
        return self._text(len(account.coins), account.unit)

    def trace(self, donation_id: str) -> Trace:
        """Return the canonical trace of one gift; assert that it sums in every unit.

        `refunded` is in the gift's own unit: a refund to this donor out of an account of another unit is in
        `refunds` only.
        """
        account, amount = self.donations[donation_id]
        # (unit) -> gift + given, and (unit) -> used + held + refunded + converted
        came: Counter[str] = Counter({account.unit: amount})
        ended: Counter[str] = Counter()
        uses: list[dict[str, Any]] = []
        for use_id, use in self.expenditures.items():
            paths = Counter(coin.trails[donation_id] for coin in use.coins if donation_id in coin.trails)
            for path, count in paths.items():
                ended[use.account.unit] += count
                uses.append({
                    "id": use_id, "record": "expenditure", "account": use.account.id,
                    "amount": self._text(count, use.account.unit), "unit": use.account.unit,
                    "payee": use.record.get("payee", ""), "purpose": use.record.get("purpose", ""), "path": list(path),
                })  # fmt: skip
        held: list[dict[str, str]] = []
        for place in self.accounts.values():
            if count := sum(donation_id in coin.trails for coin in place.coins):
                ended[place.unit] += count
                held.append({"account": place.id, "amount": self._text(count, place.unit), "unit": place.unit})
        converted: list[dict[str, str]] = []
        for conversion_id, conversion in self.conversions.items():
            if count := conversion.amounts[donation_id]:
                ended[conversion.source_unit] += count
                came[conversion.target_unit] += conversion.gives[donation_id]
                converted.append({
                    "id": conversion_id,
                    "amount": self._text(count, conversion.source_unit), "unit": conversion.source_unit,
                    "gives": self._text(conversion.gives[donation_id], conversion.target_unit),
                    "gives_unit": conversion.target_unit,
                })  # fmt: skip
        refunds: list[dict[str, str]] = []
        refunded = 0
        for refund_id, refund in self.refunds.items():
            if count := sum(donation_id in coin.trails for coin in refund.coins):
                ended[refund.unit] += count
                if refund.donation == donation_id and refund.unit == account.unit:
                    refunded += count
                refunds.append({
                    "id": refund_id, "amount": self._text(count, refund.unit), "unit": refund.unit,
                    "donation": refund.donation,
                })  # fmt: skip
        assert +came == +ended, f"{donation_id}: came {dict(came)}, ended {dict(ended)}"
        return canonical({
            "donation": donation_id, "account": account.id, "amount": self._text(amount, account.unit),
            "unit": account.unit, "refunded": self._text(refunded, account.unit),
            "uses": uses, "held": held, "converted": converted, "refunds": refunds,
        })  # fmt: skip

    def sources(self, expenditure_id: str) -> list[tuple[str, int]]:
        """Return whose gifts paid for an expenditure (what of it was not reversed), in minor units, largest
        first, then by id."""
        paid = Counter(coin.payer for coin in self.expenditures[expenditure_id].coins)
        return sorted(paid.items(), key=lambda item: (-item[1], item[0]))

    def check(self) -> None:
        """Assert everything that must hold in any state: each gift's sums, each account's, and those of each unit."""
        for donation_id in self.donations:
            self.trace(donation_id)
        resting: Counter[str] = Counter()
        for account in self.accounts.values():
            assert account.came - account.went == len(account.coins), account.id
            assert account.rule_taken <= account.went, account.id
            resting[account.unit] += len(account.coins)
            for coin in account.coins:
                assert coin.payer in coin.trails, account.id
        for use in self.expenditures.values():
            written = self._amount(use.record["amount"], use.account.unit)
            assert use.reversed + len(use.coins) == written, use.record["id"]
            assert sum(count for _, count in self.sources(use.record["id"])) == len(use.coins), use.record["id"]
            resting[use.account.unit] += len(use.coins)
        for refund_id, refund in self.refunds.items():
            assert all(coin.payer == refund.donation for coin in refund.coins), refund_id
            resting[refund.unit] += len(refund.coins)
        minted: Counter[str] = Counter()
        for account, amount in self.donations.values():
            minted[account.unit] += amount
        for conversion in self.conversions.values():
            minted[conversion.source_unit] -= conversion.size
            if not conversion.funded:
                minted[conversion.target_unit] += conversion.given
        assert +minted == +resting, f"minted {dict(minted)}, resting {dict(resting)}"

    def _text(self, minor: int, unit: str) -> str:
        return format_amount(minor, self.decimals[unit])


SHAPE: dict[str, tuple[str, ...]] = {
    "uses": ("id", "record", "account", "amount", "unit", "payee", "purpose"),
    "held": ("account", "amount", "unit"),
    "converted": ("id", "amount", "unit", "gives", "gives_unit"),
    "refunds": ("id", "amount", "unit", "donation"),
}


def canonical(trace: Mapping[str, Any]) -> Trace:
    """Return a trace with the pinned keys only and its lists sorted, so that two traces can be compared with `==`.

    Nothing is merged: two entries for one use and path stay two. A missing payee or purpose is an empty one.
    """
    result: Trace = {key: trace[key] for key in ("donation", "account", "amount", "unit", "refunded")}
    for name, keys in SHAPE.items():
        entries: list[dict[str, Any]] = []
        for entry in trace[name]:
            kept: dict[str, Any] = {
                key: (entry.get(key) or "") if key in ("payee", "purpose") else entry[key] for key in keys
            }
            if name == "uses":
                kept["path"] = list(entry["path"])
            entries.append(kept)
        result[name] = sorted(entries, key=_order)
    return result


def _order(entry: Mapping[str, Any]) -> tuple[str, ...]:
    path = entry.get("path", ())
    return (entry.get("id", ""), entry.get("account", ""), *path, entry["amount"])
