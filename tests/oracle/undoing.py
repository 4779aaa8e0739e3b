"""How value comes back in the model: refunds, and reversals of uses, disbursements, gifts and pledges.

Rules upheld here:

- of an expenditure a part comes back evenly, with phi = (all that came back before) mod what is left, or the first
  coins of one gift in the order of the use;
- of a disbursement the first coins go back that it laid on its target and that have not moved since;
- of a gift its own coins, of its unit and never converted, leave the ledger: all that is asked for or nothing;
- of a pledge no coin moves; a split, a refund, a reversal or a whole series cannot be reversed;
- nothing is reversed in the statement that holds it, and no pledge twice in one statement.

Each of them has the signatures of everybody whose coins it takes, and of whoever entered what it undoes where that is
a gift or a pledge. The rest of the model is in `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .checks import Checks
from .coins import Disbursement, Expenditure, Gone, Pledge, take_evenly
from .terms import ModelRefused


class Undoing(Checks):
    """The checks, and what gives coins back."""

    def __init__(self, today: str) -> None:
        super().__init__(today)
        self.pledges: dict[str, Pledge] = {}
        self.refunds: dict[str, Gone] = {}
        # Reversals of gifts; one that is no reversal of a gift is nowhere.
        self.unreceived: dict[str, Gone] = {}

    def _refund(self, record_id: str, record: Mapping[str, Any]) -> None:
        donation = record["donation"]
        if donation not in self.donations:
            raise ModelRefused("unknown-donation", f"no donation {donation}")
        account = self._get_account(record["from"]) if "from" in record else self.donations[donation][0]
        self._check_leave(account)
        there = account.paid_by(donation)
        amount = self.minor(record["amount"], account.unit) if "amount" in record else there
        if not 1 <= amount <= there:
            raise ModelRefused("refund", f"{account.id} holds {there} minor units of {donation}")
        self.refunds[record_id] = Gone(donation, account.unit, account.take_of_gift(donation, amount))
        self._enter(account, record, "returned", amount)

    def _reversal(self, record_id: str, record: Mapping[str, Any]) -> None:
        wrong = record["reverses"]
        if wrong in self._standing:
            raise ModelRefused("same-statement", f"{wrong} stands in this very statement")
        if "gift" in record and wrong not in self.donations and record["gift"] not in self.donations:
            raise ModelRefused("unknown-donation", f"no donation {record['gift']}")
        if wrong in self.expenditures:
            self._reverse_expenditure(record_id, record, self.expenditures[wrong])
        elif wrong in self.disbursements:
            self._reverse_disbursement(record_id, record, self.disbursements[wrong])
        elif wrong in self.donations and "gift" not in record:
            self._reverse_donation(record_id, record, wrong)
        elif wrong in self.pledges and "gift" not in record:
            self._lower_pledge(record, wrong)
        else:
            raise ModelRefused("reverses", f"{wrong} is nothing that can be reversed")

    def _lower_pledge(self, record: Mapping[str, Any], wrong: str) -> None:
        pledge = self.pledges[wrong]
        self._check_signed(self.authors[wrong])
        if f"less of {wrong}" in self._standing:
            raise ModelRefused("same-statement", f"{wrong} is reversed in this very statement")
        pledge.reversed += self._part(record, pledge.account.unit, pledge.amount - pledge.reversed)
        self._standing.add(f"less of {wrong}")

    def _reverse_expenditure(self, record_id: str, record: Mapping[str, Any], use: Expenditure) -> None:
        gift = record.get("gift")
        mine = [coin for coin in use.coins if gift in (None, coin.payer)]
        amount = self._part(record, use.account.unit, len(mine))
        self._check_open(use.account)
        self._check_signed(use.account.terms.owner)
        if gift is None:
            back, use.coins = take_evenly(use.coins, amount, use.reversed % len(use.coins))
        else:
            back, chosen = mine[:amount], {id(coin) for coin in mine[:amount]}
            use.coins = [coin for coin in use.coins if id(coin) not in chosen]
        use.reversed += amount
        use.account.receive(coin.passed(record_id) for coin in back)

    def _reverse_disbursement(self, record_id: str, record: Mapping[str, Any], wrong: Disbursement) -> None:
        resting = wrong.resting(record.get("gift"))
        amount = self._part(record, wrong.source.unit, len(resting), "moved-on")
        self._check_open(wrong.source)
        self._check_signed(wrong.source.terms.owner)
        self._check_leave(wrong.target)
        wrong.source.receive(coin.passed(record_id) for coin in wrong.target.cut(resting[:amount]))
        self._enter(wrong.target, record, "out", amount)
        self._enter(wrong.source, record, "in", amount)

    def _reverse_donation(self, record_id: str, record: Mapping[str, Any], wrong: str) -> None:
        home, given = self.donations[wrong]
        before = sum(len(gone.coins) for gone in self.unreceived.values() if gone.donation == wrong)
        amount = self._part(record, home.unit, given - before)
        places = [home, *(account for account in self.accounts.values() if account is not home)]
        chosen = [
            (account, coin)
            for account in places
            if account.unit == home.unit
            for coin in account.coins
            if coin.payer == wrong and not self.converting & set(coin.trails[wrong])
        ][:amount]
        if len(chosen) < amount:
            raise ModelRefused("moved-on", f"only {len(chosen)} minor units of {wrong} rest as they were given")
        if self._author not in (home.terms.owner, self.authors[wrong]):
            raise ModelRefused("signature", f"{self._author} neither recorded {wrong} nor owns {home.id}")
        taken = {account.id: [coin for place, coin in chosen if place is account] for account, _ in chosen}
        for name in taken:
            self._check_leave(self.accounts[name])
        for name, coins in taken.items():
            self.accounts[name].cut(coins)
            self._enter(self.accounts[name], record, "returned", len(coins))
        self.unreceived[record_id] = Gone(wrong, home.unit, [coin for _, coin in chosen])
