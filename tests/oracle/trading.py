"""Random journals in which value goes to other ledgers and comes from them, and is taken back.

- What is sent goes by rule or out of one gift, and is taken back as a whole now and then.
- What is received has one run of places or two, of few outflows, so that they often meet; of one that was wholly
  reversed the places are free again.
- Both are mixed with all that `AmendingMaker` proposes.

    >>> kinds = {record["record"] for record in TradingMaker(1, "trading").make(60)}
    >>> {"sent", "received"} <= kinds
    True
"""

from __future__ import annotations

from .amendments import AmendingMaker
from .makers import LARGEST_STEP
from .model import Record

LEDGERS = ("11" * 32, "22" * 32)


class TradingMaker(AmendingMaker):
    """Proposes what crosses between ledgers, beside all that `AmendingMaker` proposes."""

    def _propose(self, name: str) -> Record | None:
        proposals = {"sent": self._sent, "received": self._received, "unsend": self._unsend}
        return proposals[name]() if name in proposals else super()._propose(name)

    def _sent(self) -> Record | None:
        full = [account.id for account in self.model.accounts.values() if account.coins]
        if not full:
            return None
        source = self.rng.choice(full)
        gift = self.rng.choice(self.model.accounts[source].coins).payer if self.rng.random() < 0.3 else None
        record = self._new("sent", "W")
        record.update({"from": source, "amount": self._some(source, gift), "to_ledger": self.rng.choice(LEDGERS)})
        if gift is not None:
            record["gift"] = gift
        if self.rng.random() < 0.5:
            record["to_origin"] = "other.example"
        return record

    def _received(self) -> Record:
        account = self.rng.choice(list(self.model.accounts.values()))
        first, count = self.rng.randint(0, 80), self.rng.randint(1, LARGEST_STEP)
        spans = [[first, count]]
        if count > 1 and self.rng.random() < 0.3:
            here = self.rng.randint(1, count - 1)
            spans = [[first, here], [first + here + self.rng.randint(1, 9), count - here]]
        record = self._new("received", "V")
        record.update({
            "account": account.id, "amount": self._text(count, account.unit), "from_ledger": self.rng.choice(LEDGERS),
            "checkpoint": {"size": 3, "root": "33" * 32}, "movement": [0, self.rng.randint(0, 3)], "spans": spans,
        })  # fmt: skip
        if self.rng.random() < 0.5:
            record["from_origin"] = "other.example"
        return record

    def _unsend(self) -> Record | None:
        sent = [name for name, each in self.model.sends.items() if each.coins]
        if not sent:
            return None
        record = self._new("reversal", "U")
        record.update({"reverses": self.rng.choice(sent), "reason": "the bank sent it back"})
        return record
