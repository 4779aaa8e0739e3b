"""How value comes back in the model: refunds, and reversals of uses, disbursements, splits, gifts and pledges.

Rules upheld here:

- of an expenditure a part comes back evenly, with phi = (all that came back before) mod what is left, or the first
  coins of one gift in the order of the use;
- of a disbursement or a split the first coins go back that it laid on one target and that have not moved since; where
  there are several targets, the reversal says out of which (`from`), and one that reverses anything else does not;
- of a gift its own coins, of its unit and never converted, leave the ledger: all that is asked for or nothing;
- of a pledge no coin moves; a refund, a reversal or a whole series cannot be reversed;
- nothing is reversed in the statement that holds it, and no pledge twice in one statement;
- what is undone is taken off the books where it was entered, in the year and under the owners of then: a use, a
  transfer, a gift, and each transfer that the coins of a reversed gift had made. Where an account changed hands
  meanwhile, the books are as if the coins had lain there then, or had not. A refund counts in its own year.

Each of them has the signatures of everybody whose coins it takes, and of whoever entered what it undoes where that is
a gift or a pledge. The rest of the model is in `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .coins import Expenditure, Gone, Transfer, take_evenly
from .promising import Promising
from .terms import ModelRefused


class Undoing(Promising):
    """The checks, what is promised, and what gives coins back."""

    def __init__(self, today: str) -> None:
        super().__init__(today)
        self.refunds: dict[str, Gone] = {}
        # Reversals of gifts; one that is no reversal of a gift is nowhere.
        self.unreceived: dict[str, Gone] = {}
        self.given_on: dict[str, tuple[str, str | None]] = {}
        """The pledge of each donation that names one, and the gift that it matches."""

    def _reverse_sent(self, record_id: str, record: Mapping[str, Any], wrong: Any) -> None:
        raise NotImplementedError

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
        self._enter_now(account, record, self._booked_as(donation), -amount)

    def _booked_as(self, gift: str) -> str:
        """Return what a gift counts as by the books."""
        return "given"

    def _reversal(self, record_id: str, record: Mapping[str, Any]) -> None:
        wrong = record["reverses"]
        if wrong in self._standing:
            raise ModelRefused("same-statement", f"{wrong} stands in this very statement")
        if "gift" in record and wrong not in self.donations and record["gift"] not in self.donations:
            raise ModelRefused("unknown-donation", f"no donation {record['gift']}")
        if wrong in self.expenditures and "from" not in record:
            self._reverse_expenditure(record_id, record, self.expenditures[wrong])
        elif wrong in self.sends and "from" not in record:
            self._reverse_sent(record_id, record, self.sends[wrong])
        elif wrong in self.transfers:
            self._reverse_transfer(record_id, record, self.transfers[wrong])
        elif wrong in self.donations and "gift" not in record and "from" not in record:
            self._reverse_donation(record_id, record, wrong)
        elif wrong in self.pledges and "gift" not in record and "from" not in record:
            self._lower_pledge(record, wrong)
        else:
            raise ModelRefused("reverses", f"{wrong} is nothing that can be reversed")
        self.undone.add(wrong)

    def _reverse_expenditure(self, record_id: str, record: Mapping[str, Any], use: Expenditure) -> None:
        gift = record.get("gift")
        mine = [coin for coin in use.coins if gift in (None, coin.payer)]
        amount = self._part(record, use.account.unit, len(mine))
        self._check_open(use.account)
        self._check_signed(use.account.terms.owner)
        if gift is not None:
            self._check_naming(use.account)
        if gift is None:
            back, use.coins = take_evenly(use.coins, amount, use.reversed % len(use.coins))
        else:
            back, chosen = mine[:amount], {id(coin) for coin in mine[:amount]}
            use.coins = [coin for coin in use.coins if id(coin) not in chosen]
        use.reversed += amount
        self._enter_hand_overs(use.account, use.time, self.time, amount)
        use.account.receive(coin.passed(record_id) for coin in back)

    def _reverse_transfer(self, record_id: str, record: Mapping[str, Any], wrong: Transfer) -> None:
        targets = [target for target, _ in wrong.laid if record.get("from", target.id) == target.id]
        if len(targets) != 1:
            raise ModelRefused("reverses", f"{record['reverses']} laid nothing on that one account")
        target, source = targets[0], wrong.source
        resting = wrong.resting(target, record.get("gift"))
        amount = self._part(record, source.unit, len(resting), "moved-on")
        if "gift" in record:
            self._check_naming(source, target)
        self._check_open(source)
        self._check_signed(source.terms.owner)
        self._check_leave(target)
        back = target.cut(resting[:amount])
        for coin in back:
            self._enter_hop(coin.hops[-1], -1)
            self._enter_hand_overs(target, coin.hops[-1].time, self.time, -1)
            self._enter_hand_overs(source, coin.hops[-1].time, self.time, 1)
        source.receive(coin.sent_back(record_id) for coin in back)

    def _unreceived_of(self, gift: str) -> int:
        return sum(len(gone.coins) for gone in self.unreceived.values() if gone.donation == gift)

    def _reverse_donation(self, record_id: str, record: Mapping[str, Any], wrong: str) -> None:
        home, given = self.donations[wrong]
        before = self._unreceived_of(wrong)
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
        owner, year, time = self.given_under[wrong]
        self._enter(home.id, owner, year, self._booked_as(wrong), -amount)
        for _, coin in chosen:
            here, since = home, time
            for hop in coin.hops:
                self._enter_hand_overs(here, since, hop.time, -1)
                self._enter_hop(hop, -1)
                here, since = self.accounts[hop.target], hop.time
            self._enter_hand_overs(here, since, self.time, -1)
        self.unreceived[record_id] = Gone(wrong, home.unit, [coin for _, coin in chosen])
