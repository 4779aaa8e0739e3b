"""The money rules, one minor unit at a time.

A brute-force model to compare the library with. It shares no code with it and knows no intervals:
every minor unit is one `Coin` object, every account a list of coins in order of arrival, and a rule
is a choice of list indices. Slow, small, and meant to be read beside the description of the rules.

How value moves:

- fifo takes the first x coins that remain;
- pro-rata takes from B coins the one at index z iff `((z+1)*x+phi)//B - (z*x+phi)//B == 1`, with phi = (all that
  the *rule* took from this account before) mod B; refunds are not part of phi, and what reversals bring back does not
  lower it;
- a named outflow (fifo accounts) and a refund (both rules) take the first coins whose *payer* is the gift;
- the source coin at p of S in a conversion gives the target places `[p*M//S, (p+1)*M//S)`: each place has one source
  coin, and a source coin gives several places, one or none;
- in a funded conversion the funding coin at i pays for place i, and the source coin of that place has earned it;
- a split takes its coins by the source's rule, as one outflow; each part in the order given takes evenly (phi 0) from
  what the parts before it left, and the last part takes the rest.

How it comes back is told in `undoing`: of an expenditure, a disbursement, a split, a gift or a pledge. What leaves for
another ledger, or comes from one, is told in `crossing`.

A batch of a series is as many single gifts, laid down in their order; each is named SERIES/NUMBER. Numbers rise
through all batches of a series, whatever account they go to, and only the party that opened it goes on with it.

What an account's terms forbid is said in `checks`; it is asked before anything moves. Reversals and refunds are free of
restriction and levy. A cap binds every expenditure in its scope, not only those of the account that states it. What an
account with a balance holds when it changes hands went from its old owner and came to its new one. What is undone
counts as if it had never been, there as well.

Lineages: a coin has one `payer` (the gift at the end of its paying lineage) and a `trail` for every gift that reaches
it, along whatever mixture of paying and earning. Where a gift reaches a coin through both parents of a conversion, it
is there once, with the trail of the paying parent, and `gives` of the conversion does not count it again.

Who acts: the model is told who signed, and who of them is the author of the statement; told nothing, it takes every
signature for given, and for author whom the record names or else the owner. It knows roles only where it is told them.

Left to others: keys, suspension, imports that repeat a line.

    >>> model = Model()
    >>> model.apply({"record": "account", "id": "edu", "unit": "CNY", "title": "Education", "rule": "fifo"})
    >>> model.apply({"record": "donation", "id": "D-1", "account": "edu", "amount": "0.05"})
    >>> model.apply({"record": "expenditure", "id": "X-1", "from": "edu", "amount": "0.03", "payee": "T"})
    >>> model.trace("D-1")["held"]
    [{'account': 'edu', 'amount': '0.02', 'unit': 'CNY'}]
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from . import tracing
from .coins import (
    COMMODITIES,
    CURRENCIES,
    LARGEST,
    Account,
    Coin,
    Conversion,
    Expenditure,
    HandOver,
    Series,
    Transfer,
    even_indices,
    format_amount,
    parse_amount,
    parse_number,
    take_evenly,
)
from .crossing import Crossing
from .terms import ANYTHING, ModelRefused, Record, Terms
from .tracing import Trace, canonical

__all__ = [
    "COMMODITIES", "CURRENCIES", "LARGEST", "Coin", "Model", "ModelRefused", "Record", "Trace", "canonical",
    "even_indices", "format_amount", "parse_amount",
]  # fmt: skip

# What an account-change may change; all else that it says is about itself.
CHANGEABLE = {
    "title", "tags", "restriction", "approvals", "target", "caps", "naming", "levy", "owner", "closed",
}  # fmt: skip


class Model(Crossing):
    """All accounts, coin by coin, after the records applied so far.

    Args:
        journal: Records to apply at once.
        today: The day on which all of it is signed, in UTC.
        roles: The roles of every party; nothing is that everybody has every role.
    """

    def __init__(
        self,
        journal: Iterable[Mapping[str, Any]] = (),
        today: str = "2026-12-31",
        roles: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        super().__init__(today)
        # One space of ids; `self` is the first party of every ledger.
        self.ids: set[str] = {"self"}
        self.series: dict[str, Series] = {}
        self.conversions: dict[str, Conversion] = {}
        if roles is not None:
            self.roles = {party: frozenset(each) for party, each in roles.items()}
            self.ids.update(self.roles)
        for record in journal:
            self.apply(record)

    # -- records ---------------------------------------------------------------------------------

    def apply(
        self, record: Mapping[str, Any], signers: frozenset[str] | None = None, author: str | None = None
    ) -> None:
        """Apply one journal record, or raise `ModelRefused` and leave the model as it was.

        Args:
            record: A journal line; one of kind `statement` holds a list of others, of which all count or none.
            signers: The parties that signed; nothing is all that are needed.
            author: Who of them is the statement's author; nothing is the author of its (first) record.
        """
        is_statement = record["record"] == "statement"
        records = record["records"] if is_statement else [record]
        if not records or any(each["record"] == "statement" for each in records):
            raise ModelRefused("kind", "a statement holds records, at least one, and no statement")
        self._author = self.author_of(records[0]) if author is None else author
        if signers is not None and self._author not in signers:
            raise ModelRefused("signature", f"{self._author} speaks and does not sign")
        self._signers, self._standing = signers, set()
        if not is_statement:
            self._apply(record)
            return
        trial = copy.deepcopy(self)
        for each in records:
            trial._apply(each)
        self.__dict__ = trial.__dict__

    def _apply(self, record: Mapping[str, Any]) -> None:
        kinds = {
            "unit": self._unit,
            "account": self._account,
            "account-change": self._account_change,
            "donation": self._donation,
            "pledge": self._pledge,
            "plan": self._plan,
            "outcome": self._outcome,
            "disbursement": self._disbursement,
            "split": self._split,
            "expenditure": self._expenditure,
            "conversion": self._conversion,
            "refund": self._refund,
            "reversal": self._reversal,
            "sent": self._sent,
            "received": self._received,
        }
        self.time += 1
        self._check_date(record)
        self._check_replaces(record)
        self._check_line(record)
        if record["record"] == "gifts":
            self._gifts(record)
            return
        act = kinds.get(record["record"])
        if act is None:
            raise ModelRefused("kind", f"{record['record']!r} is no record of this model")
        record_id = record["id"]
        if record_id in self.ids:
            raise ModelRefused("duplicate-id", f"{record_id} was used before")
        act(record_id, record)
        if record["record"] in ("donation", "disbursement", "split", "expenditure"):
            account = self.accounts[record["account" if record["record"] == "donation" else "from"]]
            self.replaceable[record_id] = (record["record"], account, self._author)
        self.ids.add(record_id)
        self._standing.add(record_id)

    def _unit(self, record_id: str, record: Mapping[str, Any]) -> None:
        if record_id in self.decimals:
            raise ModelRefused("duplicate-id", f"unit {record_id} exists")
        self.decimals[record_id] = int(record["decimals"])

    # -- accounts --------------------------------------------------------------------------------

    def _account(self, record_id: str, record: Mapping[str, Any]) -> None:
        if record["unit"] not in self.decimals:
            raise ModelRefused("unknown-unit", f"no unit {record['unit']}")
        if record["rule"] not in ("fifo", "pro-rata"):
            raise ModelRefused("rule", f"no rule {record['rule']}")
        account = Account(record_id, record["unit"], record["rule"], Terms(self._author).changed(record))
        self._check_signed(account.terms.owner)
        self._check_owner(account.terms.owner)
        self._check_levy(account, account.terms)
        self._check_approvers(account.terms)
        self.accounts[record_id] = account

    def _account_change(self, _: str, record: Mapping[str, Any]) -> None:
        account = self._get_account(record["account"])
        if not record.keys() & CHANGEABLE:
            raise ModelRefused("change", f"{account.id} stays as it is")
        if record.get("closed") is account.terms.closed:
            raise ModelRefused("change", f"whether {account.id} is closed stays as it is")
        old, new = account.terms, account.terms.changed(record)
        self._check_signed(old.owner, new.owner)
        self._check_approved(account)
        self._check_owner(new.owner)
        self._check_approvers(new)
        if new.closed and account.coins:
            raise ModelRefused("closed", f"{account.id} holds {len(account.coins)}")
        if account.came and not (new.restriction or ANYTHING).keeps(old.restriction):
            raise ModelRefused("restriction", f"{account.id} took value in under a narrower restriction")
        self._check_levy(account, new)
        if new.owner != old.owner:
            account.hand_overs.append(HandOver(self.time, self._year(record), old.owner, new.owner))
            self._enter_hand_overs(account, self.time - 1, self.time + 1, len(account.coins))
        account.terms = new

    def _check_levy(self, account: Account, terms: Terms) -> None:
        for name in terms.levy.percents if terms.levy is not None else ():
            target = self._get_account(name)
            if target is account or target.unit != account.unit:
                raise ModelRefused("levy", f"{account.id} cannot give a share to {name}")

    # -- value in --------------------------------------------------------------------------------

    def _donation(self, record_id: str, record: Mapping[str, Any]) -> None:
        account = self._get_account(record["account"])
        amount = self.minor(record["amount"], account.unit)
        if "pledge" in record:
            pledge = self.pledges.get(record["pledge"])
            if pledge is None or pledge.account is not account:
                raise ModelRefused("unknown-pledge", f"no pledge {record['pledge']} to {account.id}")
        if "because_of" in record:
            self._check_match(record, amount)
        self._check_open(account)
        self._check_intake(account, "intake")
        self._receive(account, record_id, amount, self._year(record))
        if "pledge" in record:
            self.given_on[record_id] = (record["pledge"], record.get("because_of"))

    def _check_match(self, record: Mapping[str, Any], amount: int) -> None:
        """A gift is matched once, no match is, and with a match a pledge brings no more than was pledged."""
        gift, name = record["because_of"], record.get("pledge", "")
        pledge = self.pledges.get(name)
        if gift not in self.donations:
            raise ModelRefused("unknown-donation", f"no donation {gift}")
        if pledge is None or gift in self._standing:
            raise ModelRefused("match", f"{gift} cannot be matched here")
        given_on, matching = self.given_on.get(gift, (None, None))
        if given_on == name or matching is not None:
            raise ModelRefused("match", f"{gift} is a sponsor's own")
        stands = {each: self.donations[each][1] - self._unreceived_of(each) for each in self.given_on}
        if any(stands[match] for match, (_, matched) in self.given_on.items() if matched == gift):
            raise ModelRefused("match", f"{gift} was matched before")
        used = sum(stands[each] for each, (on, _) in self.given_on.items() if on == name)
        if used + amount > pledge.amount - pledge.reversed:
            raise ModelRefused("match", f"{used} of {name} is used")

    def _gifts(self, record: Mapping[str, Any]) -> None:
        """Take in a batch of a series: as many single gifts as it says, in their order, or none of them."""
        name, account = record["series"], self._get_account(record["account"])
        numbers = [parse_number(told) for told in record["ids"]]
        amounts = [self.minor(text, account.unit) for text in record["amounts"]]
        if not numbers or len(numbers) != len(amounts) or len(record.get("donors", numbers)) != len(numbers):
            raise ModelRefused("gifts", f"{name} has {len(numbers)} gifts and {len(amounts)} amounts")
        if any(second <= first for first, second in pairwise(numbers)):
            raise ModelRefused("gifts", f"the numbers of {name} must rise")
        self._check_open(account)
        self._check_intake(account, "intake")
        series = self.series.get(name)
        if series is None:
            if name in self.ids:
                raise ModelRefused("duplicate-id", f"{name} was used before")
            series = self.series[name] = Series(self._author)
            self.ids.add(name)
            self._standing.add(name)
        if series.author != self._author:
            raise ModelRefused("series", f"{name} belongs to {series.author}")
        if numbers[0] <= series.last:
            raise ModelRefused("series", f"{name} goes on after {series.last}")
        series.last = numbers[-1]
        for number, amount in zip(numbers, amounts, strict=True):
            self._receive(account, f"{name}/{number}", amount, self._year(record))

    def _receive(self, account: Account, gift: str, amount: int, year: str) -> None:
        self.authors[gift] = self._author
        self._standing.add(gift)
        self.donations[gift] = (account, amount)
        self.given_under[gift] = (account.terms.owner, year, self.time)
        self._enter(account.id, account.terms.owner, year, "given", amount)
        account.receive(Coin(gift, {gift: ()}) for _ in range(amount))

    # -- value on --------------------------------------------------------------------------------

    def _disbursement(self, record_id: str, record: Mapping[str, Any]) -> None:
        source, target = self._get_account(record["from"]), self._get_account(record["to"])
        amount, gift = self.minor(record["amount"], source.unit), record.get("gift")
        self._check_passing(record_id, source, target)
        self._check_outflow(source, amount, gift)
        hop = self._hop(source, target, record)
        laid = [coin.passed(record_id, hop) for coin in self._take(source, amount, gift)]
        target.receive(laid)
        self.transfers[record_id] = Transfer(source, [(target, laid)])
        self._enter_hop(hop, amount)

    def _split(self, record_id: str, record: Mapping[str, Any]) -> None:
        source = self._get_account(record["from"])
        amount = self.minor(record["amount"], source.unit)
        parts = [(self._get_account(name), self.minor(text, source.unit)) for name, text in record["to"].items()]
        if sum(part for _, part in parts) != amount:
            raise ModelRefused("parts", f"the parts of {record_id} are not {amount} together")
        for target, _ in parts:
            self._check_passing(record_id, source, target)
        self._check_outflow(source, amount, None, is_split=True)
        levy = source.terms.levy
        if levy is not None:
            given = {target.id: part for target, part in parts if target.id in levy.percents}
            if given != levy.parts(amount):
                raise ModelRefused("levy", f"of {amount}, {levy.parts(amount)} is due and not {given}")
            levy.split_before += amount
        left, laid = source.take_by_rule(amount), []
        for target, part in parts:
            mine, left = take_evenly(left, part, 0)
            hop = self._hop(source, target, record)
            laid.append((target, [coin.passed(record_id, hop) for coin in mine]))
            target.receive(laid[-1][1])
            self._enter_hop(hop, part)
        assert not left, "the last part takes what the others left"
        self.transfers[record_id] = Transfer(source, laid)

    def _expenditure(self, record_id: str, record: Mapping[str, Any]) -> None:
        source = self._get_account(record["from"])
        amount, gift = self.minor(record["amount"], source.unit), record.get("gift")
        lost = record.get("category") == "loss"  # nobody meant it, so neither levy nor restriction binds it
        self._check_outflow(source, amount, gift, is_split=lost)
        bound = source.terms.restriction
        if bound is not None and not lost and not bound.admits(record.get("purpose", ""), record.get("date")):
            raise ModelRefused("restriction", f"{source.id} is bound to {bound}")
        year = self._year(record)
        self.check_caps(source, year, record.get("category"), amount)
        taken = self._take(source, amount, gift)
        self.expenditures[record_id] = Expenditure(dict(record), source, taken, year, self.time)

    def _conversion(self, record_id: str, record: Mapping[str, Any]) -> None:
        source, target = self._get_account(record["from"]), self._get_account(record["to"])
        size = self.minor(record["amount"], source.unit)
        gives = self.minor(record["gives"], target.unit)
        if source.unit == target.unit:
            raise ModelRefused("same-unit", f"{record_id} converts {source.unit} into itself")
        self._check_open(target)
        self._check_signed(target.terms.owner)
        funding: Account | None = None
        if "funded_from" in record:
            funding = self._get_account(record["funded_from"])
            if funding is source or funding is target or funding.unit != target.unit:
                raise ModelRefused("funded-from", f"{funding.id} cannot pay {target.unit} into {target.id}")
            self._check_outflow(funding, gives, None)
            self._check_bound(funding, target)
        elif target.unit in CURRENCIES and source.unit not in CURRENCIES:
            raise ModelRefused("unfunded", f"{source.unit} becomes {target.unit} only when somebody pays it")
        self._check_outflow(source, size, None)
        self._check_bound(source, target)

        earning = source.take_by_rule(size)
        paying = None if funding is None else funding.take_by_rule(gives)
        conversion = Conversion(source.unit, size, target.unit, gives, funding is not None)
        places: list[Coin] = []
        for p, earner in enumerate(earning):
            conversion.amounts.update(earner.trails.keys())
            for place in range(p * gives // size, (p + 1) * gives // size):
                assert place == len(places), "the places of a conversion follow each other without a gap"
                earned = earner.converted(record_id)
                if paying is None:
                    coin = earned
                    conversion.gives.update(earned.trails.keys())
                else:
                    paid = paying[place].converted(record_id)
                    conversion.gives.update(earned.trails.keys() - paid.trails.keys())
                    conversion.met.update(earned.trails.keys() & paid.trails.keys())
                    # Right wins: a gift that comes along both parents is shown on the paying one.
                    coin = Coin(paid.payer, earned.trails | paid.trails)
                places.append(coin)
        assert len(places) == gives, "a conversion gives what it says"
        self.conversions[record_id] = conversion
        self.converting.add(record_id)
        target.receive(places)
        self._enter_now(source, record, "went", size)
        self._enter_now(target, record, "came", gives)
        if funding is not None:
            self._enter_now(funding, record, "went", gives)

    # -- questions -------------------------------------------------------------------------------

    def balance(self, account_id: str) -> str:
        """Return what an account holds, as a decimal string."""
        account = self.accounts[account_id]
        return self.text(len(account.coins), account.unit)

    def announced(self, pledge_id: str) -> str:
        """Return what is left of a pledge after reversals, as a decimal string."""
        pledge = self.pledges[pledge_id]
        return self.text(pledge.amount - pledge.reversed, pledge.account.unit)

    def trace(self, donation_id: str) -> Trace:
        """Return the canonical trace of one gift; assert that it sums in every unit.

        `refunded` is in the gift's own unit: a refund to this donor out of an account of another unit is in
        `refunds` only.
        """
        return tracing.trace(self, donation_id)

    def sources(self, expenditure_id: str) -> list[tuple[str, int]]:
        """Return whose gifts paid for an expenditure (what of it was not reversed), in minor units, largest
        first, then by id."""
        paid = Counter(coin.payer for coin in self.expenditures[expenditure_id].coins)
        return sorted(paid.items(), key=lambda item: (-item[1], item[0]))

    def check(self) -> None:
        """Assert everything that must hold in any state: each gift's sums, each account's, and those of each unit."""
        tracing.check(self)

    def text(self, minor: int, unit: str) -> str:
        """Write minor units of a unit as a decimal string."""
        return format_amount(minor, self.decimals[unit])
