"""Random journals in which mistakes are corrected, value is split, and accounts have terms.

- Reversals of disbursements, splits and donations, and of one gift's share in an expenditure, are of what is there, in
  parts, repeated, with further flows between them.
- What was reversed is now and then entered again, as a record that replaces it.
- Splits have one to four parts in any order; where a levy is due, its parts are right.
- Spending under terms often goes to the limit of a cap, and its dates to the ends of a period. Every record of such a
  journal that counts for a cap states its date, so that the journal means the same on any day.
- All accounts have one owner, and no approvals are asked for: one key can sign all of it.

    >>> [record["record"] for record in AmendingMaker(2, "splits").make(3)][-3:]
    ['donation', 'expenditure', 'split']
"""

from __future__ import annotations

from typing import Any

from .coins import Coin
from .makers import LARGEST_STEP, Maker
from .model import ModelRefused, Record

PURPOSES = ("books", "rice", "desks")
DATES = ("2025-05-02", "2025-12-31", "2026-01-01", "2026-03", "2026-03-31", "2026-04-01", "2026", "2026-06-15")
# From wide to narrow, so that value often may pass.
_PURPOSE_SETS: tuple[tuple[str, ...], ...] = ((), (), ("books", "rice"), ("books", "rice"), ("books",))
_PERIODS: tuple[dict[str, str], ...] = (
    {}, {}, {"from": "2025-06-01"}, {"until": "2026-09-30"}, {"from": "2026-01-01", "until": "2026-09-30"},
    {"from": "2026-03-01", "until": "2026-03-31"},
)  # fmt: skip
_DATED = frozenset({
    "account-change", "donation", "gifts", "disbursement", "split", "expenditure", "conversion", "refund", "reversal",
    "sent", "received",
})  # fmt: skip
_AGAIN = {
    "donation": {"donation"}, "expenditure": {"expenditure"}, "disbursement": {"disbursement", "split"},
    "split": {"disbursement", "split"},
}  # fmt: skip


class AmendingMaker(Maker):
    """Proposes what corrects, splits or is bound by terms, beside all that `Maker` proposes."""

    def _keep(self, record: Record) -> None:
        if "change" in self.weights and record["record"] in _DATED and "date" not in record:
            record["date"] = self.rng.choice(DATES)
        super()._keep(record)

    def _replacing(self, record: Record | None) -> Record | None:
        """Let a record say, now and then, that it replaces one that was reversed."""
        kinds = _AGAIN.get(record["record"], ()) if record is not None else ()
        wrong = [name for name, (kind, *_) in self.model.replaceable.items() if kind in kinds]
        wrong = [name for name in wrong if name in self.model.undone]
        if record is not None and wrong and self.rng.random() < 0.25:
            record["replaces"] = self.rng.choice(wrong)
        return record

    def _propose(self, name: str) -> Record | None:
        proposals = {
            "back": self._back, "unreceive": self._unreceive, "pledge": self._pledge, "unpledge": self._unpledge,
            "split": self._split, "change": self._change,
        }  # fmt: skip
        if name in proposals:
            return self._replacing(proposals[name]())
        return self._replacing(super()._propose(name))

    # -- corrections -----------------------------------------------------------------------------

    def _donation(self) -> Record:
        record = super()._donation()
        pledges = [name for name, pledge in self.model.pledges.items() if pledge.account.id == record["account"]]
        if pledges and self.rng.random() < 0.3:
            record["pledge"] = self.rng.choice(pledges)
            if self.rng.random() < 0.5:
                record["because_of"] = self.rng.choice(list(self.model.donations) or ["nothing"])
        return record

    def _reversal(self) -> Record | None:
        record = super()._reversal()
        if record is None or self.rng.random() < 0.5:
            return record
        use = self.model.expenditures[record["reverses"]]
        record["gift"] = self.rng.choice(use.coins).payer
        there = sum(coin.payer == record["gift"] for coin in use.coins)
        self._part(record, there, use.account.unit)
        return record

    def _back(self) -> Record | None:
        """Return a reversal of a transfer of which something rests; rather one of which something has moved."""
        resting: list[tuple[str, str, list[Coin]]] = []
        begun: list[tuple[str, str, list[Coin]]] = []
        for name, each in self.model.transfers.items():
            for target, laid in each.laid:
                if coins := each.resting(target):
                    (resting if len(coins) == len(laid) else begun).append((name, target.id, coins))
        if not resting and not begun:
            return None
        few = begun and self.rng.random() < 0.7
        wrong, out_of, coins = self.rng.choice(begun if few else [*resting, *begun])
        record = self._new("reversal", "U")
        record["reverses"] = wrong
        if len(self.model.transfers[wrong].laid) > 1 or self.rng.random() < 0.2:
            record["from"] = out_of
        if self.rng.random() < 0.4:
            record["gift"] = self.rng.choice(coins).payer
            coins = [coin for coin in coins if coin.payer == record["gift"]]
        self._part(record, len(coins), self.model.transfers[wrong].source.unit)
        record["reason"] = "sent to the wrong place"
        return record

    def _unreceive(self) -> Record | None:
        """Return a reversal of a donation, of no more than rests somewhere; the model knows whether that counts."""
        names = [name for name in self.model.donations if self._rest_of(name)]
        if not names:
            return None
        wrong = self.rng.choice(names)
        home, amount = self.model.donations[wrong]
        there = self._rest_of(wrong)
        record = self._new("reversal", "U")
        record["reverses"] = wrong
        if there < amount or self.rng.random() < 0.5:
            whole = self.rng.random() < 0.4
            record["amount"] = self._text(there if whole else self.rng.randint(1, there), home.unit)
        record["reason"] = "the cheque was not honoured"
        return record

    def _rest_of(self, gift: str) -> int:
        unit = self.model.donations[gift][0].unit
        return sum(account.paid_by(gift) for account in self.model.accounts.values() if account.unit == unit)

    def _part(self, record: Record, there: int, unit: str) -> None:
        """Let a reversal state a part, now and then all that is there, and now and then nothing."""
        record.pop("amount", None)
        if self.rng.random() < 0.8:
            most = there if self.rng.random() < 0.3 else max(1, there // 2)
            record["amount"] = self._text(self.rng.randint(1, most), unit)

    def _pledge(self) -> Record:
        account = self.rng.choice(list(self.model.accounts.values()))
        record = self._new("pledge", "P")
        record.update({
            "account": account.id, "amount": self._text(self.rng.randint(1, LARGEST_STEP), account.unit),
            "pledger": "Example Foundation", "due": "2026-06-30",
        })  # fmt: skip
        return record

    def _unpledge(self) -> Record | None:
        open_ = [name for name, pledge in self.model.pledges.items() if pledge.reversed < pledge.amount]
        if not open_:
            return None
        record = self._new("reversal", "U")
        record["reverses"] = self.rng.choice(open_)
        pledge = self.model.pledges[record["reverses"]]
        self._part(record, pledge.amount - pledge.reversed, pledge.account.unit)
        record["reason"] = "less was meant"
        return record

    # -- splits ----------------------------------------------------------------------------------

    def _split(self) -> Record | None:
        full = [account for account in self.model.accounts.values() if account.coins]
        levied = [account for account in full if account.terms.levy is not None]
        if not full:
            return None
        source = self.rng.choice(levied if levied and self.rng.random() < 0.5 else full)
        levy = source.terms.levy
        others = [
            each.id
            for each in self.model.accounts.values()
            if each.unit == source.unit and each is not source and (levy is None or each.id not in levy.percents)
        ]
        there = min(LARGEST_STEP, len(source.coins))
        amount = there if self.rng.random() < 0.15 else self.rng.randint(1, there)
        parts = {} if levy is None else levy.parts(amount)
        left = amount - sum(parts.values())
        count = min(left, len(others), self.rng.randint(1, 4))
        if left < 0 or (left and not count):  # so small that the shares, rounded over all splits, are more than it
            return None
        cuts = sorted(self.rng.sample(range(1, left), count - 1)) if count else []
        sizes = [end - start for start, end in zip([0, *cuts], [*cuts, left], strict=True)] if count else []
        parts |= dict(zip(self.rng.sample(others, count), sizes, strict=True))
        names = list(parts)
        self.rng.shuffle(names)
        record = self._new("split", "S")
        record.update({
            "from": source.id, "amount": self._text(amount, source.unit),
            "to": {name: self._text(parts[name], source.unit) for name in names},
        })  # fmt: skip
        return record

    def _disbursement(self, source: str, gift: str | None) -> Record | None:
        record = super()._disbursement(source, gift)
        levied = self.model.accounts[source].terms.levy is not None
        return None if levied else record

    # -- terms -----------------------------------------------------------------------------------

    def _terms(self, unit: str) -> Record:
        terms: Record = {}
        earlier = [account.id for account in self.model.accounts.values() if account.unit == unit]
        chance = 0.2 if "change" in self.weights else 0.4 if "split" in self.weights else 0.0
        if earlier and self.rng.random() < chance:
            terms["levy"] = self._levy(earlier)
        if "change" not in self.weights:
            return terms
        if self.rng.random() < 0.5 and (bound := self._restriction()):
            terms["restriction"] = bound
        if self.rng.random() < 0.5:
            terms["caps"] = self._caps()
        if self.rng.random() < 0.3:
            terms["naming"] = "forbidden"
        if self.rng.random() < 0.2:
            terms["target"] = self._text(self.rng.randint(1, 9_999), unit)
        return terms

    def _levy(self, targets: list[str]) -> dict[str, str]:
        chosen = self.rng.sample(targets, min(len(targets), self.rng.randint(1, 2)))
        return {name: self.rng.choice(("8", "12.5", "33.33", "0.5", "50")) for name in chosen}

    def _restriction(self) -> dict[str, Any]:
        purposes = self.rng.choice(_PURPOSE_SETS)
        return ({"purposes": list(purposes)} if purposes else {}) | self.rng.choice(_PERIODS)

    def _caps(self) -> list[Record]:
        caps: list[Record] = []
        for _ in range(self.rng.choice((1, 1, 2))):
            cap: Record = {
                "percent": self.rng.choice(("10", "20", "33.33", "50", "2.5")),
                "base": self.rng.choice(("received", "spent")),
                "scope": self.rng.choice(("account", "account", "party")),
                "period": self.rng.choice(("year", "all")),
                "mode": self.rng.choice(("refuse", "refuse", "refuse", "flag")),
            }
            if self.rng.random() < 0.3:
                cap["categories"] = ["administration"]
            caps.append(cap)
        return caps

    def _expenditure(self, source: str, gift: str | None) -> Record:
        record = super()._expenditure(source, gift)
        if "change" not in self.weights:
            return record
        bound = self.model.accounts[source].terms.restriction
        meant = sorted(bound.purposes) if bound is not None and bound.purposes is not None else list(PURPOSES)
        record["purpose"] = self.rng.choice(meant)
        ends = [end for end in (bound.first, bound.last) if end is not None] if bound is not None else []
        record["date"] = self.rng.choice(ends if ends and self.rng.random() < 0.5 else DATES)
        if self.rng.random() < 0.5:
            record["category"] = self.rng.choice(("administration", "fundraising"))
            record["amount"] = self._up_to_the_cap(record)
        return record

    def _up_to_the_cap(self, record: Record) -> str:
        """Return the amount, or the most that the caps allow of it, or, to be refused, one unit more."""
        account = self.model.accounts[record["from"]]
        asked = self.model.minor(record["amount"], account.unit)
        for amount in range(asked, 0, -1):
            try:
                self.model.check_caps(account, record["date"][:4], record["category"], amount)
            except ModelRefused:
                continue
            return self._text(amount, account.unit)
        return str(record["amount"])

    def _change(self) -> Record | None:
        account = self.rng.choice(list(self.model.accounts.values()))
        terms = account.terms
        if terms.closed:
            return None
        record = self._new("account-change", "AC")
        record["account"] = account.id
        what = self.rng.choice(("restriction", "caps", "naming", "levy", "title", "target", "closed"))
        if what == "restriction":
            if not (bound := self._restriction()) and terms.restriction is None:
                return None
            record[what] = bound
        elif what == "caps":
            record[what] = [] if terms.caps and self.rng.random() < 0.4 else self._caps()
        elif what == "naming":
            record[what] = "allowed" if terms.naming == "forbidden" else "forbidden"
        elif what == "levy":
            others = [e.id for e in self.model.accounts.values() if e.unit == account.unit and e is not account]
            if terms.levy is None and not others:
                return None
            record[what] = {} if terms.levy is not None and self.rng.random() < 0.6 else self._levy(others)
        elif what == "title":
            record.update({"title": f"Account {record['id']}", "tags": {"changed": record["id"]}})
        elif what == "target":
            record[what] = self._text(self.rng.randint(10_000, 99_999), account.unit)
        else:
            open_ = [each for each in self.model.accounts.values() if not each.terms.closed]
            if account.coins or len(open_) < 4:
                return None
            record[what] = True
        return record
