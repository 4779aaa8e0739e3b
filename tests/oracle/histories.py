"""Seeded random journals that the model accepts, and lines that it refuses.

- A history is a list of journal records: first the `account` lines, then exactly `steps` further records.
- The same seed, kind and steps give the same history, on any machine with the same version of Python.
- Every history is valid: each record was applied to the model before it was kept.
- Amounts are small (1 to 60 minor units), so that rounding is felt everywhere.

Kinds: `plain` (donations, disbursements, expenditures), `records` (every kind of record), `reversals` (repeated partial
ones), `wild` (names, refunds under both rules, circles, repeated partial reversals, funded conversions, foreign
exchange) and `funded` (steps and sponsors; often one gift is on both lineages).

    >>> [record["record"] for record in random_history(1, "plain", 2)][-2:]
    ['donation', 'expenditure']
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from .model import CURRENCIES, Model, ModelRefused, Record, format_amount

KINDS = ("plain", "records", "reversals", "wild", "funded")
LARGEST_STEP = 60

_WEIGHTS: dict[str, dict[str, int]] = {
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
}  # fmt: skip

# Several accounts of few units: only then do circles close and a gift meets itself in a conversion.
_UNITS: dict[str, tuple[tuple[str, ...], ...]] = {
    "plain": (("CNY",), ("JPY",), ("CNY", "STEP")),
    "records": (("CNY", "STEP"), ("CNY", "USD", "STEP"), ("CNY", "JPY", "MASK"), ("CNY", "USD", "JPY", "STEP", "MASK")),
    "reversals": (("CNY",), ("JPY", "CNY"), ("MASK",)),
    "wild": (("CNY", "MASK"), ("CNY", "JPY"), ("CNY", "JPY", "STEP"), ("USD", "CNY", "STEP", "MASK")),
    "funded": (("CNY", "STEP"), ("CNY", "MASK"), ("CNY", "STEP", "MASK"), ("JPY", "STEP", "CNY")),
}


def random_history(seed: int, kind: str, steps: int) -> list[Record]:
    """Return a valid journal: 3 to 8 accounts, then exactly `steps` records of that kind of history."""
    return _Maker(seed, kind).make(steps)


def random_refused(seed: int) -> Iterator[tuple[list[Record], Record]]:
    """Yield pairs of one valid history and a record that is refused after it, up to three for each reason that fits it.

    Every bad record has an id of its own, except the one that comes again with other content.
    """
    for history, bad, _ in refused_with_reasons(seed):
        yield history, bad


def refused_with_reasons(seed: int) -> Iterator[tuple[list[Record], Record, str]]:
    """Yield what `random_refused` yields, with the model's reason as a third item."""
    rng = random.Random(f"refused {seed}")
    history = random_history(seed, rng.choice(("records", "wild", "funded")), rng.randint(10, 40))
    model = Model(history)
    by_reason: dict[str, list[Record]] = {}
    for reason, bad in _bad_records(rng, model, history):
        by_reason.setdefault(reason, []).append(bad)
    for reason, found in by_reason.items():
        for bad in rng.sample(found, min(3, len(found))):
            yield history, bad, reason


def fair_pool(gifts: int = 10_000, outflows: int = 500) -> list[Record]:
    """Return a journal in which a pro-rata pool of equal gifts of 0.22 pays expenditures of 2.20.

    With the defaults half of 2,200.00 is spent, so that the fair share of each gift is 0.11; *at the end* every
    gift must be within one minor unit of that (it is exactly there). It need not be half way. Gifts are `D-1` and so
    on, expenditures `X-1`, the account is `pool`.
    """
    journal: list[Record] = [
        {"record": "account", "id": "pool", "unit": "CNY", "title": "Pool", "rule": "pro-rata"},
    ]
    for n in range(1, gifts + 1):
        journal.append({
            "record": "donation", "id": f"D-{n}", "account": "pool", "amount": "0.22", "source": "goods-for-good",
            "donor": f"{n:032x}",
        })  # fmt: skip
    for n in range(1, outflows + 1):
        journal.append({
            "record": "expenditure", "id": f"X-{n}", "from": "pool", "amount": "2.20", "payee": "Toko Buku",
            "purpose": "books", "category": "programme",
        })  # fmt: skip
    return journal


class _Maker:
    """Proposes records at random and keeps those that the model accepts."""

    def __init__(self, seed: int, kind: str) -> None:
        self.rng = random.Random(f"{kind} {seed}")
        self.weights = _WEIGHTS[kind]
        self.model = Model()
        self.journal: list[Record] = []
        self.counts: dict[str, int] = {}
        units = self.rng.choice(_UNITS[kind])
        count = self.rng.randint(max(3, min(8, 2 * len(units))), 8)
        rules = self.rng.choice((("fifo",), ("pro-rata",), ("fifo", "pro-rata"), ("fifo", "pro-rata")))
        for n in range(count):
            # Each unit gets an account before chance decides.
            unit = units[n] if n < len(units) else self.rng.choice(units)
            self._keep({
                "record": "account", "id": f"a{n}", "unit": unit, "title": f"Account {n}",
                "rule": self.rng.choice(rules),
            })  # fmt: skip

    def make(self, steps: int) -> list[Record]:
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
            record["category"] = self.rng.choice(("programme", "administration", "fundraising"))
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


def _bad_records(rng: random.Random, model: Model, history: list[Record]) -> Iterator[tuple[str, Record]]:
    accounts = list(model.accounts.values())
    anyone = rng.choice(accounts)

    def text(minor: int, unit: str) -> str:
        return format_amount(minor, model.decimals[unit])

    def spend(**fields: str) -> Record:
        return {"record": "expenditure", "id": "bad", "payee": "Shop 7", "purpose": "rice", **fields}

    def pass_on(source: str, target: str, amount: str, **fields: str) -> Record:
        return {"record": "disbursement", "id": "bad", "from": source, "to": target, "amount": amount, **fields}

    def convert(source: str, target: str, amount: str, gives: str, **fields: str) -> Record:
        record = {"record": "conversion", "id": "bad", "from": source, "amount": amount, "to": target, "gives": gives}
        return {**record, **fields}

    yield "overdraft", spend(**{"from": anyone.id, "amount": text(len(anyone.coins) + 1, anyone.unit)})
    yield "unknown-account", spend(**{"from": "nowhere", "amount": "1"})
    yield "unknown-account", {"record": "donation", "id": "bad", "account": "nowhere", "amount": "1", "source": "cash"}
    yield "unknown-donation", {"record": "refund", "id": "bad", "donation": "nothing"}
    for amount in ("0", "-1", "1e1", "+1", "", "1.", ".5", "0.001", "1,5", " 1", "9223372036854775808"):
        yield "amount", spend(**{"from": anyone.id, "amount": amount})
    # A line of its own that takes the id of another one.
    taken = rng.choice(history)["id"]
    yield "duplicate-id", {
        "record": "donation", "id": taken, "account": anyone.id, "amount": text(61, anyone.unit), "source": "cash",
    }  # fmt: skip

    full = [account for account in accounts if account.coins]
    for source in rng.sample(full, min(2, len(full))):
        one = text(1, source.unit)
        yield "same-account", pass_on(source.id, source.id, one)
        yield "unknown-account", pass_on(source.id, "nowhere", one)
        gift = rng.choice(source.coins).payer
        there = source.paid_by(gift)
        if source.rule == "fifo":
            over = text(there + 1, source.unit)
            yield "gift-short", spend(**{"from": source.id, "amount": over, "gift": gift})
            yield "unknown-donation", spend(**{"from": source.id, "amount": one, "gift": "nothing"})
        else:
            yield "named-pro-rata", spend(**{"from": source.id, "amount": one, "gift": gift})
        yield (
            "refund",
            {
                "record": "refund",
                "id": "bad",
                "donation": gift,
                "from": source.id,
                "amount": text(there + 1, source.unit),
            },
        )
        absent = [donation for donation in model.donations if not source.paid_by(donation)]
        if absent:
            yield "refund", {"record": "refund", "id": "bad", "donation": rng.choice(absent), "from": source.id}
        for target in accounts:
            if target is source:
                continue
            if target.unit == source.unit:
                yield "same-unit", convert(source.id, target.id, one, one)
                continue
            gives = text(1, target.unit)
            yield "unit", pass_on(source.id, target.id, one)
            if target.unit in CURRENCIES and source.unit not in CURRENCIES:
                yield "unfunded", convert(source.id, target.id, one, gives)
            yield "funded-from", convert(source.id, target.id, one, gives, funded_from=source.id)
            yield "funded-from", convert(source.id, target.id, one, gives, funded_from=target.id)
            yield "unknown-account", convert(source.id, target.id, one, gives, funded_from="nowhere")
            for sponsor in accounts:
                if sponsor is source or sponsor is target:
                    continue
                if sponsor.unit != target.unit:
                    yield "funded-from", convert(source.id, target.id, one, gives, funded_from=sponsor.id)
                else:
                    short = text(len(sponsor.coins) + 1, target.unit)
                    yield "overdraft", convert(source.id, target.id, one, short, funded_from=sponsor.id)
            over = text(len(source.coins) + 1, source.unit)
            if target.unit not in CURRENCIES or source.unit in CURRENCIES:
                yield "overdraft", convert(source.id, target.id, over, gives)

    for use_id, use in model.expenditures.items():
        over = text(len(use.coins) + 1, use.account.unit)
        yield (
            "reversal",
            {"record": "reversal", "id": "bad", "reverses": use_id, "amount": over, "reason": "entered twice"},
        )
        if not use.coins:
            yield "reversal", {"record": "reversal", "id": "bad", "reverses": use_id, "reason": "entered twice"}
    for kind in ("donation", "conversion", "refund", "reversal"):
        of_kind = [record["id"] for record in history if record["record"] == kind]
        if of_kind:
            yield (
                "reverses",
                {"record": "reversal", "id": "bad", "reverses": rng.choice(of_kind), "reason": "entered twice"},
            )
    yield "reverses", {"record": "reversal", "id": "bad", "reverses": "nothing", "reason": "entered twice"}
