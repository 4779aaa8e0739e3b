"""Seeded random journals that the model accepts, and lines that it refuses.

- A history is a list of journal records: first the `account` lines, then exactly `steps` further records.
- The same seed, kind and steps give the same history, on any machine with the same version of Python.
- Every history is valid: each record was applied to the model before it was kept.
- Amounts are small (1 to 60 minor units), so that rounding is felt everywhere.

Kinds: `plain` (donations, disbursements, expenditures), `records` (every kind of record), `reversals` (repeated partial
ones), `wild` (names, refunds under both rules, circles, repeated partial reversals, funded conversions, foreign
exchange) and `funded` (steps and sponsors; often one gift is on both lineages). Then `corrections` (disbursements,
splits, donations, pledges and single gifts' shares of a use reversed in parts, and entered again), `splits` (repeated,
reversed in parts, in circles, with levies)
and `terms` (restrictions, caps, naming, levies, closed accounts, and changes of all these). Then `batches` and
`wild-batches` (corrections, and wild, with batches of 1 to 12 gifts between single donations) and `owners` (several
parties: accounts that change hands, approvals, gifts entered by an intake) and `trading` (what goes to other ledgers
and comes from them).

    >>> [record["record"] for record in random_history(1, "plain", 2)][-2:]
    ['donation', 'expenditure']
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator

from .amendments import DATES, AmendingMaker
from .makers import Maker
from .model import CURRENCIES, Model, ModelRefused, Record, format_amount
from .owning import OwningMaker
from .trading import TradingMaker

KINDS_1 = ("plain", "records", "reversals", "wild", "funded")
KINDS_2 = ("corrections", "splits", "terms")
KINDS = (*KINDS_1, *KINDS_2)
# Those above have single donations of one owner's accounts only, which some tests rewrite.
KINDS_3 = ("batches", "wild-batches", "owners", "trading")
ALL_KINDS = (*KINDS, *KINDS_3)


def random_history(seed: int, kind: str, steps: int) -> list[Record]:
    """Return a valid journal: 3 to 8 accounts, then exactly `steps` records of that kind of history."""
    if kind == "owners":
        return OwningMaker(seed, kind).make(steps)
    if kind == "trading":
        return TradingMaker(seed, kind).make(steps)
    return (AmendingMaker if kind in (*KINDS_2, *KINDS_3) else Maker)(seed, kind).make(steps)


def in_statements(history: list[Record], seed: int = 0) -> list[Record]:
    """Return the same journal with its records, behind the accounts, in statements of one to five records each.

    A statement is a line that holds a list of records, of which all count or none. All records of one have the same
    author, and what undoes a record stands in a later one than that record.
    """
    rng = random.Random(f"statements {seed}")
    start = next((n for n, record in enumerate(history) if record["record"] != "account"), len(history))
    result, model = history[:start], Model(history[:start])
    held: list[Record] = []
    room, author, standing = 0, "", set[str]()
    for record in history[start:]:
        undone = record.get("reverses", "")
        ends = not room or model.author_of(record) != author or undone.partition("/")[0] in standing
        if ends:
            held = []
            result.append({"record": "statement", "records": held})
            room, author, standing = rng.randint(1, 5), model.author_of(record), set()
        held.append(record)
        room -= 1
        standing.add(record.get("id") or record["series"])
        if undone in model.pledges:
            standing.add(undone)  # a pledge is lowered once in a statement
        model.apply(record)
    return result


def random_refused(seed: int) -> Iterator[tuple[list[Record], Record]]:
    """Yield pairs of one valid history and a record that is refused after it, up to three for each reason that fits it.

    Every bad record has an id of its own, except the one that comes again with other content.
    """
    for history, bad, _ in refused_with_reasons(seed):
        yield history, bad


def refused_with_reasons(seed: int) -> Iterator[tuple[list[Record], Record, str]]:
    """Yield what `random_refused` yields, with the model's reason as a third item.

    Seeds take turns: even ones have records that break the rules of value alone, odd ones those of terms, splits and
    corrections too.
    """
    rng = random.Random(f"refused {seed}")
    kinds = KINDS_2 if seed % 2 else ("records", "wild", "funded")
    history = random_history(seed, rng.choice(kinds), rng.randint(10, 40))
    model = Model(history)
    by_reason: dict[str, list[Record]] = {}
    for reason, bad in _bad_records(rng, model, history):
        by_reason.setdefault(reason, []).append(bad)
    if seed % 2:
        # What is bad without terms may be refused because of them first, or not at all.
        candidates = [bad for found in by_reason.values() for bad in found]
        by_reason, trial = {}, copy.deepcopy(model)
        for bad in [*candidates, *_bad_amendments(rng, model)]:
            try:
                trial.apply(bad)
            except ModelRefused as refusal:
                by_reason.setdefault(refusal.reason, []).append(bad)
            else:
                trial = copy.deepcopy(model)
    for reason, found in by_reason.items():
        for bad in rng.sample(found, min(3, len(found))):
            yield history, bad, reason


def refused_batches(seed: int) -> Iterator[tuple[list[Record], Record, str]]:
    """Yield one valid history with batches, a record about a series that is refused after it, and the reason."""
    rng = random.Random(f"refused batches {seed}")
    history = random_history(seed, rng.choice(("batches", "wild-batches")), rng.randint(20, 40))
    model = Model(history)
    anyone = rng.choice(list(model.accounts.values()))
    one, two = model.text(1, anyone.unit), model.text(2, anyone.unit)
    taken = [record["id"] for record in history if "id" in record]

    def batch(series: str, ids: list[object], amounts: list[str], **more: object) -> Record:
        return {"record": "gifts", "series": series, "account": anyone.id, "ids": ids, "amounts": amounts, **more}

    yield history, batch(rng.choice(taken), [1], [one]), "duplicate-id"
    for ids, amounts in (
        ([1, 2], [one]), ([], []), ([2, 1], [one, one]), ([1, 1], [one, one]), ([-1], [one]), (["01"], [one]),
        ([2**63], [one]), (["1/2"], [one]), ([1], [one, one]),
    ):  # fmt: skip
        yield history, batch("bad", ids, amounts), "gifts"
    yield history, batch("bad", [1, 2], [one, two], donors=[""]), "gifts"
    for amount in ("0", "-1", "", "0.0001"):
        yield history, batch("bad", [1, 2], [one, amount]), "amount"
    yield history, {**batch("bad", [1], [one]), "account": "nowhere"}, "unknown-account"
    for name, series in model.series.items():
        yield history, batch(name, [series.last], [one]), "series"
        yield history, batch(name, [0, series.last + 1], [two, one]), "series"
        yield history, {"record": "donation", "id": name, "account": anyone.id, "amount": two}, "duplicate-id"
        undo = {"record": "reversal", "id": "bad", "reason": "entered twice"}
        yield history, {**undo, "reverses": name}, "reverses"
        yield history, {**undo, "reverses": f"{name}/{series.last + 1}"}, "reverses"
        for gift in (name, f"{name}/{series.last + 1}", f"{name}/0{series.last}", f"{name}/"):
            yield history, {"record": "refund", "id": "bad", "donation": gift, "from": anyone.id}, "unknown-donation"


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

    for date in ("2999-01-01", "2999-01", "2999"):
        gift = {"record": "donation", "id": "bad", "account": anyone.id, "amount": text(1, anyone.unit), "date": date}
        yield "future", gift
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
    for kind in ("conversion", "refund", "reversal"):
        of_kind = [record["id"] for record in history if record["record"] == kind]
        if of_kind:
            yield (
                "reverses",
                {"record": "reversal", "id": "bad", "reverses": rng.choice(of_kind), "reason": "entered twice"},
            )
    yield "reverses", {"record": "reversal", "id": "bad", "reverses": "nothing", "reason": "entered twice"}


def _bad_amendments(rng: random.Random, model: Model) -> Iterator[Record]:
    """Yield records likely to break a rule of terms, splits or corrections; the model says whether they do."""

    def change(account: str, **fields: object) -> Record:
        return {"record": "account-change", "id": "bad", "account": account, **fields}

    def split(source: str, amount: str, to: dict[str, str]) -> Record:
        return {"record": "split", "id": "bad", "from": source, "amount": amount, "to": to, "date": "2026-03-31"}

    def undo(wrong: str, **fields: str) -> Record:
        return {"record": "reversal", "id": "bad", "reverses": wrong, "reason": "entered twice", **fields}

    for source in model.accounts.values():
        one, two = model.text(1, source.unit), model.text(2, source.unit)
        yield {"record": "donation", "id": "bad", "account": source.id, "amount": one, "source": "cash"}
        if not source.coins:
            continue
        gift = rng.choice(source.coins).payer
        yield change(source.id, closed=True)
        yield change(source.id, restriction={"purposes": ["something else"]})
        yield change(source.id, restriction={})
        yield change(source.id)
        yield change(source.id, closed=source.terms.closed)
        yield change(source.id, title="A name to come", date="2999-01-01")
        yield split(source.id, one, {source.id: one})
        for amount in (1, len(source.coins) // 2 + 1, len(source.coins)):
            text = model.text(amount, source.unit)
            spend = {"record": "expenditure", "id": "bad", "from": source.id, "amount": text, "payee": "Shop 7"}
            for purpose in ("books", "something else"):
                yield {**spend, "purpose": purpose, "date": rng.choice(DATES)}
                yield {**spend, "purpose": purpose}
            for date in rng.sample(DATES, 3):
                yield {**spend, "purpose": "books", "date": date, "category": "administration"}
            yield {**spend, "amount": one, "purpose": "books", "date": rng.choice(DATES), "gift": gift}
        for target in model.accounts.values():
            if target is source:
                continue
            yield {"record": "disbursement", "id": "bad", "from": source.id, "to": target.id, "amount": one}
            yield split(source.id, one, {target.id: one})
            yield split(source.id, two, {target.id: one})
            yield split(source.id, two, {target.id: one, source.id: one})
            if target.unit != source.unit:
                gives = model.text(1, target.unit)
                yield {
                    "record": "conversion", "id": "bad", "from": source.id, "amount": one, "to": target.id,
                    "gives": gives, "date": "2026-03-31",
                }  # fmt: skip
    for use_id, use in model.expenditures.items():
        yield undo(use_id)
        yield undo(use_id, **{"from": use.account.id})
        for gift, there in model.sources(use_id):
            yield undo(use_id, gift=gift, amount=model.text(there + 1, use.account.unit))
    for wrong, transfer in model.transfers.items():
        unit = transfer.source.unit
        yield undo(wrong)
        target, laid = rng.choice(transfer.laid)
        yield undo(wrong, amount=model.text(len(transfer.resting(target)) + 1, unit), **{"from": target.id})
        gift = rng.choice(laid).payer
        there = len(transfer.resting(target, gift))
        yield undo(wrong, gift=gift, amount=model.text(there + 1, unit), **{"from": target.id})
        yield undo(wrong, gift=gift, **{"from": target.id})
        yield undo(wrong, **{"from": rng.choice(sorted(model.accounts))})
    for wrong, (home, given) in model.donations.items():
        yield undo(wrong)
        yield undo(wrong, **{"from": home.id})
        yield undo(wrong, amount=model.text(given, home.unit))
        yield undo(wrong, amount=model.text(given + 1, home.unit))
    for wrong, pledge in model.pledges.items():
        yield undo(wrong, amount=model.text(pledge.amount - pledge.reversed + 1, pledge.account.unit))
    yield from _bad_replacements(rng, model)


def _bad_replacements(rng: random.Random, model: Model) -> Iterator[Record]:
    """Yield records that replace what was not reversed, or what is of another kind; of the right kind it counts."""
    for source in rng.sample(list(model.accounts.values()), 2):
        one = model.text(1, source.unit)
        others = [each for each in model.accounts.values() if each is not source and each.unit == source.unit]
        again: list[Record] = [{"record": "donation", "id": "bad", "account": source.id, "amount": one}]
        if source.coins:
            move = {"id": "bad", "from": source.id, "amount": one}
            again.append({"record": "expenditure", "payee": "Shop 7", "purpose": "books", "date": "2026-03-31", **move})
            for target in others[:1]:
                again.append({"record": "disbursement", "to": target.id, **move})
                again.append({"record": "split", "to": {target.id: one}, **move})
        for wrong in rng.sample(sorted(model.ids), min(4, len(model.ids))):
            for record in again:
                yield {**record, "replaces": wrong}
