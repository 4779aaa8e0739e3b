"""How random journals are made: propose a record, keep it if the model accepts it.

`Maker` knows the records that move value once. What corrects them, splits them or sets terms is in `amendments`.
Nothing but the seed decides: the same seed, kind and steps make the same journal.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from .model import CURRENCIES, Model, ModelRefused, Record, format_amount

LARGEST_STEP = 60

WEIGHTS: dict[str, dict[str, int]] = {
    "plain": {"donation": 4, "disbursement": 4, "expenditure": 3},
    "records": {
        "donation": 6, "disbursement": 5, "named": 2, "expenditure": 4, "conversion": 3, "funded": 3, "refund": 2,
        "reversal": 2,
    },
    "reversals": {"donation": 3, "disbursement": 3, "expenditure": 3, "reversal": 6},
    "wild": {
        "donation": 3, "disbursement": 8, "named": 3, "expenditure": 4, "conversion": 3, "funded": 4, "refund": 2,
        "reversal": 5,
    },
    "funded": {
        "donation": 5, "disbursement": 4, "expenditure": 2, "conversion": 2, "funded": 6, "refund": 1, "reversal": 1,
    },
    "corrections": {
        "donation": 6, "disbursement": 6, "named": 2, "split": 3, "expenditure": 4, "conversion": 4, "refund": 1,
        "reversal": 4, "back": 6, "unreceive": 3, "pledge": 1, "unpledge": 1,
    },
    "splits": {
        "donation": 5, "split": 8, "disbursement": 2, "named": 1, "expenditure": 3, "conversion": 1, "refund": 1,
        "reversal": 2, "back": 6, "unreceive": 2,
    },
    "terms": {
        "donation": 6, "disbursement": 5, "named": 2, "split": 3, "expenditure": 9, "conversion": 1, "funded": 1,
        "refund": 1, "reversal": 2, "back": 2, "unreceive": 2, "change": 4,
    },
    "batches": {
        "donation": 2, "gifts": 6, "disbursement": 6, "named": 3, "expenditure": 4, "conversion": 2, "refund": 3,
        "reversal": 4, "back": 4, "unreceive": 5, "pledge": 1, "unpledge": 1,
    },
    "wild-batches": {
        "donation": 1, "gifts": 3, "disbursement": 8, "named": 3, "expenditure": 4, "conversion": 3, "funded": 4,
        "refund": 2, "reversal": 5,
    },
    "owners": {
        "donation": 5, "gifts": 3, "disbursement": 6, "named": 2, "split": 4, "expenditure": 8, "conversion": 1,
        "funded": 1, "refund": 2, "reversal": 3, "back": 5, "unreceive": 5, "pledge": 1, "unpledge": 1, "change": 3,
        "hand-over": 4,
    },
    "trading": {
        "donation": 3, "gifts": 1, "sent": 5, "received": 5, "unsend": 3, "disbursement": 4, "named": 3, "split": 2,
        "expenditure": 4, "conversion": 2, "refund": 3, "reversal": 3, "back": 2, "unreceive": 4, "change": 1,
    },
}  # fmt: skip

# Several accounts of few units: only then do circles close and a gift meets itself in a conversion.
UNITS: dict[str, tuple[tuple[str, ...], ...]] = {
    "plain": (("CNY",), ("JPY",), ("CNY", "STEP")),
    "records": (("CNY", "STEP"), ("CNY", "USD", "STEP"), ("CNY", "JPY", "MASK"), ("CNY", "USD", "JPY", "STEP", "MASK")),
    "reversals": (("CNY",), ("JPY", "CNY"), ("MASK",)),
    "wild": (("CNY", "MASK"), ("CNY", "JPY"), ("CNY", "JPY", "STEP"), ("USD", "CNY", "STEP", "MASK")),
    "funded": (("CNY", "STEP"), ("CNY", "MASK"), ("CNY", "STEP", "MASK"), ("JPY", "STEP", "CNY")),
    "corrections": (("CNY",), ("JPY",), ("CNY", "USD"), ("CNY", "MASK")),
    "splits": (("CNY",), ("JPY",), ("MASK",), ("CNY", "USD")),
    "terms": (("CNY",), ("JPY",), ("CNY", "MASK"), ("CNY", "USD", "STEP")),
    "batches": (("CNY",), ("JPY",), ("CNY", "USD"), ("CNY", "MASK")),
    "wild-batches": (("CNY", "MASK"), ("CNY", "JPY"), ("JPY", "STEP")),
    "owners": (("CNY",), ("JPY",), ("CNY", "STEP")),
    "trading": (("CNY",), ("JPY",), ("CNY", "MASK")),
}


class Maker:
    """Proposes records at random and keeps those that the model accepts."""

    def __init__(self, seed: int, kind: str, roles: Mapping[str, Iterable[str]] | None = None) -> None:
        self.rng = random.Random(f"{kind} {seed}")
        self.weights = WEIGHTS[kind]
        self.model = Model(roles=roles)
        self.journal: list[Record] = []
        self.counts: dict[str, int] = {}
        units = self.rng.choice(UNITS[kind])
        count = self.rng.randint(max(3, min(8, 2 * len(units))), 8)
        rules = self.rng.choice((("fifo",), ("pro-rata",), ("fifo", "pro-rata"), ("fifo", "pro-rata")))
        for n in range(count):
            # Each unit gets an account before chance decides.
            unit = units[n] if n < len(units) else self.rng.choice(units)
            self._keep({
                "record": "account", "id": f"a{n}", "unit": unit, "title": f"Account {n}",
                "rule": self.rng.choice(rules), **self._terms(unit),
            })  # fmt: skip

    def _terms(self, unit: str) -> Record:
        """Return what an account line says about its terms: nothing here."""
        return {}

    def make(self, steps: int) -> list[Record]:
        """Add exactly `steps` records and return the journal."""
        names = list(self.weights)
        kept = 0
        while kept < steps:
            name = self.rng.choices(names, [self.weights[each] for each in names])[0]
            record = self._propose(name)
            if record is None:
                continue
            try:
                self._keep(record)
            except ModelRefused:
                continue
            kept += 1
        return self.journal

    def _keep(self, record: Record) -> None:
        self.model.apply(record)
        self.journal.append(record)
        self.counts[record["record"]] = self.counts.get(record["record"], 0) + 1

    def _propose(self, name: str) -> Record | None:
        """Return a likely record of this sort, or nothing when the history holds nothing for it yet."""
        if name == "donation":
            return self._donation()
        if name == "gifts":
            return self._gifts()
        if name == "reversal":
            return self._reversal()
        if name == "refund":
            return self._refund()
        full = [account.id for account in self.model.accounts.values() if account.coins]
        if not full:
            return None
        source = self.rng.choice(full)
        if name in ("conversion", "funded"):
            return self._conversion(source, funded=name == "funded")
        gift: str | None = None
        if name == "named" or (name == "expenditure" and "named" in self.weights and self.rng.random() < 0.2):
            gift = self.rng.choice(self.model.accounts[source].coins).payer
        if name == "expenditure" or (name == "named" and self.rng.random() < 0.4):
            return self._expenditure(source, gift)
        return self._disbursement(source, gift)

    def _donation(self) -> Record:
        account = self.model.accounts[self.rng.choice(list(self.model.accounts))]
        record = self._new("donation", "D")
        record["account"] = account.id
        record["amount"] = self._text(self.rng.randint(1, LARGEST_STEP), account.unit)
        if account.unit in CURRENCIES:
            record["source"] = "cash"
        else:
            record["source"] = "steps" if account.unit == "STEP" else "in-kind"
        if self.rng.random() < 0.5:
            record["donor"] = f"{self.rng.getrandbits(128):032x}"
        return record

    def _gifts(self) -> Record:
        """Return 1 to 12 gifts of a new series or of one that goes on, into any account."""
        account = self.rng.choice(list(self.model.accounts.values()))
        record: Record = {"record": "gifts", "series": f"S{len(self.model.series)}", "account": account.id}
        number = self.rng.choice((-1, 0, 999))
        if self.model.series and self.rng.random() < 0.6:
            record["series"] = self.rng.choice(list(self.model.series))
            number = self.model.series[record["series"]].last
        count = self.rng.choice((1, 2, 3, self.rng.randint(4, 12)))
        record["ids"], most = [], self.rng.choice((3, LARGEST_STEP // count))
        for _ in range(count):
            number += self.rng.choice((1, 1, self.rng.randint(2, 900)))
            record["ids"].append(number if self.rng.random() < 0.5 else str(number))
        record["amounts"] = [self._text(self.rng.randint(1, most), account.unit) for _ in range(count)]
        if self.rng.random() < 0.4:
            record["donors"] = [self.rng.choice(("", f"{self.rng.getrandbits(128):032x}")) for _ in range(count)]
        return record

    def _disbursement(self, source: str, gift: str | None) -> Record | None:
        unit = self.model.accounts[source].unit
        targets = [each.id for each in self.model.accounts.values() if each.unit == unit and each.id != source]
        if not targets:
            return None
        record = self._new("disbursement", "B")
        record.update({"from": source, "to": self.rng.choice(targets), "amount": self._some(source, gift)})
        if gift is not None:
            record["gift"] = gift
        return record

    def _expenditure(self, source: str, gift: str | None) -> Record:
        record = self._new("expenditure", "X")
        record.update({
            "from": source, "amount": self._some(source, gift),
            "payee": self.rng.choice(("Toko Buku", "Shop 7", "Well Works")),
            "purpose": self.rng.choice(("books", "rice")),
        })  # fmt: skip
        if self.rng.random() < 0.5:
            record["category"] = self.rng.choice(("programme", "administration", "fundraising", "loss"))
        if gift is not None:
            record["gift"] = gift
        return record

    def _conversion(self, source: str, *, funded: bool) -> Record | None:
        unit = self.model.accounts[source].unit
        targets = [each for each in self.model.accounts.values() if each.unit != unit]
        if not targets:
            return None
        target = self.rng.choice(targets)
        record = self._new("conversion", "C")
        record.update({"from": source, "amount": self._some(source, None), "to": target.id})
        if not funded:
            record["gives"] = self._text(self.rng.randint(1, LARGEST_STEP), target.unit)
            return record
        sponsors = [
            each.id
            for each in self.model.accounts.values()
            if each.unit == target.unit and each is not target and each.coins
        ]
        if not sponsors:
            return None
        sponsor = self.rng.choice(sponsors)
        record.update({"gives": self._some(sponsor, None), "funded_from": sponsor})
        return record

    def _refund(self) -> Record | None:
        full = [account for account in self.model.accounts.values() if account.coins]
        if not full:
            return None
        account = self.rng.choice(full)
        donation = self.rng.choice(account.coins).payer
        record = self._new("refund", "R")
        record["donation"] = donation
        if account is not self.model.donations[donation][0] or self.rng.random() < 0.5:
            record["from"] = account.id
        if self.rng.random() < 0.7:
            record["amount"] = self._text(
                self.rng.randint(1, min(LARGEST_STEP, account.paid_by(donation))), account.unit
            )
        return record

    def _reversal(self) -> Record | None:
        uses = [use_id for use_id, use in self.model.expenditures.items() if use.coins]
        if not uses:
            return None
        # The one reversed before is likely to be reversed again: rounding shows only then.
        begun = [use_id for use_id in uses if self.model.expenditures[use_id].reversed]
        use_id = self.rng.choice(begun if begun and self.rng.random() < 0.6 else uses)
        use = self.model.expenditures[use_id]
        record = self._new("reversal", "U")
        record["reverses"] = use_id
        if self.rng.random() < 0.85:
            most = len(use.coins) if self.rng.random() < 0.3 else max(1, len(use.coins) // 3)
            record["amount"] = self._text(self.rng.randint(1, most), use.account.unit)
        record["reason"] = self.rng.choice(("entered twice", "goods sent back"))
        return record

    def _new(self, kind: str, letter: str) -> Record:
        return {"record": kind, "id": f"{letter}-{self.counts.get(kind, 0) + 1}"}

    def _some(self, account_id: str, gift: str | None) -> str:
        """Return an amount that is there, now and then all of it."""
        account = self.model.accounts[account_id]
        there = min(LARGEST_STEP, len(account.coins) if gift is None else account.paid_by(gift))
        return self._text(there if self.rng.random() < 0.15 else self.rng.randint(1, there), account.unit)

    def _text(self, minor: int, unit: str) -> str:
        """Write an amount, sometimes in the short spelling that means the same."""
        text = format_amount(minor, self.model.decimals[unit])
        if "." in text and self.rng.random() < 0.3:
            text = text.rstrip("0").rstrip(".")
        return text
