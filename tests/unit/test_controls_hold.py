"""Every control attacked at random through every kind of record that moves value.

An `Attack` proposes entries without asking whether they are allowed: round trips, splits, conversions, refunds, partial
reversals, looser terms, too few signatures, alone or several in one statement. What the ledger accepts is followed
from outside, by what the entries say, what the accounts hold afterwards and who signed. After each entry:

- conservation: each kind of record changed just the balances that it says, and they are those of the unit-by-unit
  model;
- closed accounts neither gain nor lose;
- approvals: no account loses a unit, and no terms change, without enough approvers among the signers of the statement;
- restriction: no unit is used outside any restriction that it ever came under, unless a reversal took it back out;
- caps: right after a cost none of its caps is exceeded;
- naming and levy: no gift is chosen where that is forbidden, and every share is what all splits together make due.

The model refuses on its own account whatever breaks a rule, so that an accepted entry it refuses is a failure too.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from oracle.model import Model, ModelRefused
from oracle.terms import inside

from charitychain.errors import MalformedError, RefusedError
from charitychain.keys import key_id
from charitychain.ledger import Ledger

Entry = dict[str, Any]

NOW = 1_781_500_000  # 2026-06-15
TODAY = "2026-06-15"
APPROVERS = ("board", "treasurer", "guard")
DATES = ("2025-12-31", "2026-01-01", "2026-03-01", "2026-05", "2026", "2026-09-30", "2026-10-01", "2027-01-01")
YEAR = {"from": "2026-01-01", "until": "2026-12-31"}
SUMMER = {"from": "2026-03-01", "until": "2026-09-30"}
TERMS = ("restriction", "approvals", "caps", "naming", "levy", "closed")
APPROVALS = {"of": list(APPROVERS), "needed": 2}

OPENING: list[Entry] = [
    {"id": "open", "unit": "JPY"},
    {"id": "pool", "unit": "JPY", "rule": "pro-rata"},
    {"id": "clinic-fund", "unit": "JPY", "owner": "clinic", "rule": "pro-rata"},
    {"id": "books", "unit": "JPY", "restriction": {"purposes": ["books", "desks"], **YEAR}},
    {"id": "narrow", "unit": "JPY", "rule": "pro-rata", "restriction": {"purposes": ["books"], **SUMMER}},
    {"id": "lean", "unit": "JPY", "caps": [
        {"percent": "20", "base": "received", "scope": "account", "period": "year", "mode": "refuse"},
        {"percent": "30", "base": "spent", "scope": "account", "period": "all", "mode": "refuse"},
        {"percent": "25", "base": "received", "scope": "party", "period": "all", "mode": "refuse"},
    ]},
    {"id": "guarded", "unit": "JPY", "approvals": APPROVALS},
    {"id": "guarded-books", "unit": "JPY", "approvals": APPROVALS, "restriction": {"purposes": ["books", "desks"]}},
    {"id": "fund", "unit": "JPY", "levy": {"open": "8", "clinic-fund": "12.5"}, "naming": "forbidden"},
    {"id": "spare", "unit": "JPY", "naming": "forbidden"},
    {"id": "spare-2", "unit": "JPY"},
    {"id": "masks", "unit": "MASK"},
    {"id": "book-masks", "unit": "MASK", "restriction": {"purposes": ["books"], **SUMMER}},
]  # fmt: skip


class Fact(NamedTuple):
    """An accepted entry, what it changed in which account, and the year in which it counts."""

    entry: Entry
    delta: dict[str, int]
    year: str


def admits(restriction: Entry, entry: Entry) -> bool:
    """Tell whether an expenditure says a purpose and a date that a restriction admits."""
    if restriction.get("purposes") and entry["purpose"] not in restriction["purposes"]:
        return False
    first, last = restriction.get("from"), restriction.get("until")
    return (not first and not last) or ("date" in entry and inside(entry["date"], first, last))


def is_narrower(new: Entry, old: Entry) -> bool:
    """Tell whether whatever `new` admits, `old` admits too."""
    if old.get("purposes") and not (new.get("purposes") and set(new["purposes"]) <= set(old["purposes"])):
        return False
    if old.get("from") and not (new.get("from") and new["from"] >= old["from"]):
        return False
    return not old.get("until") or bool(new.get("until") and new["until"] <= old["until"])


class Attack:
    """Proposes entries at random, and checks what became of those that were accepted."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger, self.rng = ledger, random.Random(f"attack {seed}")
        self.model = Model(today=TODAY)
        self.terms: dict[str, Entry] = {}
        self.facts: dict[str, Fact] = {}
        self.came: Counter[str] = Counter()
        self.shared: dict[str, Counter[str]] = {}
        self.bound: dict[str, list[Entry]] = {}
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        with ledger.writer() as writer:
            for party in (*APPROVERS, "clinic"):
                writer.party(party, roles=["charity"] if party == "clinic" else ["auditor"])
        self.parties = {key_id(entry.public_key): entry.party for entry in ledger.keyring.list()}
        for account in OPENING:
            assert self.offer({"record": "account", "rule": "fifo", **account}), account
        for number, account in enumerate(OPENING):
            assert self.offer({
                "record": "donation", "id": f"D-{number}", "account": account["id"], "amount": "60", "date": "2026",
            })  # fmt: skip
        self.number = len(OPENING)

    # -- following -------------------------------------------------------------------------------

    def offer(self, entry: Entry) -> bool:
        """Offer an entry to the ledger; check what it did, or that it did nothing."""
        before = self.balances()
        records = entry.get("records", [entry])
        try:
            with self.ledger.writer() as writer:
                writer.add(entry)
        except (RefusedError, MalformedError) as error:
            assert self.balances() == before, error
            self.refused[error.code] += 1
            return False
        reader = self.ledger.reader()
        header = reader.checked_block(reader.head.height).statements[-1].header
        signers = frozenset(self.parties[key] for key in (header.author, *header.signers))
        for record in records:
            self.follow(record, signers)
        held = {name: len(account.coins) for name, account in self.model.accounts.items()}
        assert self.balances() == held, entry
        self.accepted.update(record["record"] for record in records)
        return True

    def balances(self) -> dict[str, int]:
        return {name: money.amount for name, (money, _) in self.ledger.balances().items()}

    def follow(self, entry: Entry, signers: frozenset[str]) -> None:
        before = {name: len(account.coins) for name, account in self.model.accounts.items()}
        try:
            self.model.apply(entry, signers)
        except ModelRefused as refusal:
            pytest.fail(f"accepted, but {refusal}: {entry}, signed by {sorted(signers)}")
        after = {name: len(account.coins) for name, account in self.model.accounts.items()}
        delta = {name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)}
        fact = Fact(entry, delta, str(entry.get("date", TODAY))[:4])
        self.facts[entry["id"]] = fact
        self.check_conserved(fact)
        self.check_consent(fact, signers)
        if entry["record"] == "account":
            self.terms[entry["id"]] = {"owner": "self", **entry}
        elif entry["record"] == "account-change":
            self.follow_change(entry)
        else:
            self.check_levy_and_naming(entry)
            self.check_restriction(entry)
            self.check_caps(entry)
        self.came.update({name: n for name, n in delta.items() if n > 0})

    def follow_change(self, entry: Entry) -> None:
        account = entry["account"]
        terms = self.terms[account]
        if entry.get("closed"):
            assert not self.model.accounts[account].coins, entry
        if "restriction" in entry and self.came[account]:
            assert is_narrower(entry["restriction"], terms.get("restriction", {})), entry
        if "levy" in entry:
            self.shared.pop(account, None)
        terms.update({name: entry[name] for name in TERMS if name in entry})

    # -- what must be true -----------------------------------------------------------------------

    def check_conserved(self, fact: Fact) -> None:
        """Each kind of record changes just what it says."""
        entry, delta = fact.entry, fact.delta
        kind, amount = entry["record"], int(entry.get("amount", 0))
        if kind == "donation":
            assert delta == {entry["account"]: amount}, fact
        elif kind == "disbursement":
            assert delta == {entry["from"]: -amount, entry["to"]: amount}, fact
        elif kind == "split":
            assert delta == {entry["from"]: -amount} | {name: int(part) for name, part in entry["to"].items()}, fact
        elif kind == "expenditure":
            assert delta == {entry["from"]: -amount}, fact
        elif kind == "conversion":
            funded = {entry["funded_from"]: -int(entry["gives"])} if "funded_from" in entry else {}
            assert delta == {entry["from"]: -amount, entry["to"]: int(entry["gives"])} | funded, fact
        elif kind == "refund":
            assert len(delta) == 1 and -sum(delta.values()) in ([amount] if amount else range(1, 10_000)), fact
        elif kind == "reversal":
            undone = self.facts[entry["reverses"]].entry
            moved = sum(delta.values())
            if undone["record"] == "disbursement":
                back = delta[undone["from"]]
                assert back > 0 and delta == {undone["from"]: back, undone["to"]: -back}, fact
            elif undone["record"] == "expenditure":
                assert moved > 0 and set(delta) == {undone["from"]}, fact
            else:
                assert undone["record"] == "donation" and all(n < 0 for n in delta.values()) and delta, fact
            same = [f for f in self.facts.values() if f.entry.get("reverses") == entry["reverses"]]
            size = sum(max(sum(n for n in f.delta.values() if n > 0), -sum(f.delta.values())) for f in same)
            assert size <= int(undone["amount"]), fact
        else:
            assert not delta, fact

    def check_consent(self, fact: Fact, signers: frozenset[str]) -> None:
        """No unit leaves, and no terms change, without the owner and enough approvers; closed accounts rest."""
        changed = {fact.entry["account"]: -1} if fact.entry["record"] == "account-change" else fact.delta
        for name, n in changed.items():
            terms = self.terms.get(name, {})
            assert not (terms.get("closed") and fact.delta), fact
            if n < 0:
                assert terms["owner"] in signers, fact
                if approvals := terms.get("approvals"):
                    assert len(signers & set(approvals["of"])) >= approvals["needed"], fact

    def check_levy_and_naming(self, entry: Entry) -> None:
        for name in (entry.get("from"), entry.get("funded_from")):
            terms = self.terms.get(name or "", {})
            if entry["record"] in ("disbursement", "expenditure") and "gift" in entry:
                assert terms.get("naming") != "forbidden", entry
            if not terms.get("levy") or entry["record"] == "refund":
                continue
            assert entry["record"] == "split", entry
            shared = self.shared.setdefault(str(name), Counter())
            shared["all"] += int(entry["amount"])
            for target, percent in terms["levy"].items():
                shared[target] += int(entry["to"].get(target, 0))
                assert shared[target] == shared["all"] * Fraction(percent) // 100, entry

    def check_restriction(self, entry: Entry) -> None:
        """Follow each unit of an expenditure back: every account it came through had its say when it left."""
        sources = [entry[name] for name in ("from", "funded_from") if name in entry]
        bonds = [self.terms[name]["restriction"] for name in sources if self.terms[name].get("restriction")]
        if entry["record"] in ("disbursement", "split", "conversion"):
            self.bound[entry["id"]] = bonds
        if entry["record"] != "expenditure":
            return
        for trail in {trail for coin in self.model.expenditures[entry["id"]].coins for trail in coin.trails.values()}:
            steps: list[str] = []
            for step in trail:
                if step in self.bound:
                    steps.append(step)
                elif self.facts[self.facts[step].entry["reverses"]].entry["record"] == "disbursement":
                    assert steps.pop() == self.facts[step].entry["reverses"], trail
            for restriction in [*bonds, *(each for step in steps for each in self.bound[step])]:
                assert admits(restriction, entry), (entry, trail, restriction)

    def check_caps(self, entry: Entry) -> None:
        if entry["record"] != "expenditure" or entry.get("category") not in ("administration", "fundraising"):
            return
        for name, terms in self.terms.items():
            for cap in terms.get("caps", ()):
                scope = {name}
                if cap["scope"] == "party":
                    mine = (terms["unit"], terms["owner"])
                    scope = {each for each, other in self.terms.items() if (other["unit"], other["owner"]) == mine}
                if cap["mode"] == "refuse" and entry["from"] in scope:
                    costs, base = self.costs(cap, scope, self.facts[entry["id"]].year)
                    assert costs * 100 <= Fraction(cap["percent"]) * base, (entry, name, cap, costs, base)

    def costs(self, cap: Entry, scope: set[str], year: str) -> tuple[int, int]:
        """Return costs and base of a cap in a year, from what entries say and what they changed."""
        costs = spent = given = net = 0
        for fact in self.facts.values():
            change = sum(n for name, n in fact.delta.items() if name in scope)
            undone = self.facts[fact.entry["reverses"]] if fact.entry["record"] == "reversal" else fact
            kind = undone.entry["record"]
            when = undone.year if kind == "expenditure" else fact.year
            if cap["period"] == "year" and when != year:
                continue
            if kind == "expenditure":
                spent -= change
                costs -= change * (undone.entry.get("category") in ("administration", "fundraising"))
            elif kind in ("donation", "refund"):
                given += change
            else:
                net += change
        return costs, given + max(0, net) if cap["base"] == "received" else spent + max(0, -net)

    # -- proposing -------------------------------------------------------------------------------

    def propose(self) -> Entry:
        """Return an entry, or a statement of several, that may or may not be allowed."""
        if self.rng.random() < 0.15:
            return {"record": "statement", "records": [self.propose_one() for _ in range(self.rng.randint(2, 3))]}
        return self.propose_one()

    def propose_one(self) -> Entry:
        kinds = {
            self.pass_on: 6, self.spend: 7, self.undo: 7, self.split: 4, self.convert: 3, self.refund: 2, self.give: 3,
            self.change: 3,
        }  # fmt: skip
        entry = self.rng.choices(list(kinds), list(kinds.values()))[0]()
        self.number += 1
        entry["id"] = f"{entry['record']}-{self.number}"
        if entry["record"] != "donation" and self.rng.random() < 0.6:
            entry["approved_by"] = self.rng.sample(APPROVERS, self.rng.choice((0, 1, 2, 2, 3)))
        if self.rng.random() < 0.7:
            entry["date"] = self.rng.choice(DATES)
        return entry

    def account(self, unit: str | None = None) -> str:
        found = [name for name, terms in self.terms.items() if unit in (None, terms["unit"])]
        return self.rng.choice(found)

    def unit(self, account: str) -> str:
        return str(self.terms[account]["unit"])

    def some(self, account: str) -> int:
        there = len(self.model.accounts[account].coins)
        return max(1, self.rng.choice((1, there // 3, there // 2, there, there + 1, self.rng.randint(1, 20))))

    def maybe_gift(self, entry: Entry, chance: float) -> Entry:
        if self.rng.random() < chance:
            here = [coin.payer for coin in self.model.accounts[entry["from"]].coins] if "from" in entry else []
            entry["gift"] = self.rng.choice(here or list(self.model.donations))
        return entry

    def give(self) -> Entry:
        return {"record": "donation", "account": self.account(), "amount": str(self.rng.randint(1, 40))}

    def pass_on(self) -> Entry:
        source = self.account()
        target = self.account(self.unit(source))
        entry = {"record": "disbursement", "from": source, "to": target, "amount": str(self.some(source))}
        return self.maybe_gift(entry, 0.2)

    def spend(self) -> Entry:
        source = self.account() if self.rng.random() < 0.7 else "lean"
        entry = {
            "record": "expenditure", "from": source, "amount": str(self.some(source)), "payee": "Shop",
            "purpose": self.rng.choice(("books", "books", "desks", "rice")),
        }  # fmt: skip
        if source == "lean" or self.rng.random() < 0.5:
            entry["category"] = self.rng.choice(("administration", "fundraising", "programme"))
        return self.maybe_gift(entry, 0.2)

    def split(self) -> Entry:
        source = self.rng.choice((self.account(), "fund"))
        amount, parts = self.some(source), Counter[str]()
        levy = self.model.accounts[source].terms.levy
        if levy is not None and self.rng.random() < 0.8:
            parts.update(levy.parts(amount))
            if self.rng.random() < 0.2 and parts:
                parts[next(iter(parts))] -= 1
        targets = [self.account(self.unit(source)) for _ in range(self.rng.randint(1, 3))]
        if levy is not None:
            targets = [name for name in targets if name not in levy.percents] or ["pool"]
        for target in targets:
            left = amount - sum(parts.values())
            parts[target] += left if target is targets[-1] else self.rng.randint(0, max(0, left))
        told = {name: str(part) for name, part in parts.items() if part > 0}
        return {"record": "split", "from": source, "amount": str(amount), "to": told}

    def convert(self) -> Entry:
        source, target = self.account(), self.account(self.rng.choice(("JPY", "MASK")))
        entry = {
            "record": "conversion", "from": source, "amount": str(self.some(source)), "to": target,
            "gives": str(self.rng.randint(1, 30)),
        }  # fmt: skip
        if self.unit(source) == "MASK" or self.rng.random() < 0.1:
            entry["funded_from"] = self.account(self.unit(target))
        return entry

    def refund(self) -> Entry:
        source = self.account()
        here = [coin.payer for coin in self.model.accounts[source].coins] or list(self.model.donations)
        entry = {"record": "refund", "donation": self.rng.choice(here), "from": source}
        if self.rng.random() < 0.7:
            entry["amount"] = str(self.rng.randint(1, 15))
        return entry

    def undo(self) -> Entry:
        kind = self.rng.choice(("disbursement", "disbursement", "expenditure", "donation", "split", "refund"))
        found = [name for name, fact in self.facts.items() if fact.entry["record"] == kind]
        entry = {"record": "reversal", "reverses": self.rng.choice(found or ["D-0"]), "reason": "an attack"}
        if self.rng.random() < 0.6:
            entry["amount"] = str(self.rng.randint(1, 20))
        return self.maybe_gift(entry, 0.25)

    def change(self) -> Entry:
        account = self.account()
        restrictions: tuple[Entry, ...] = (
            {}, {"purposes": ["books"]}, {"purposes": ["rice"]}, {"purposes": ["books", "desks", "rice"]}, SUMMER,
            {"purposes": ["books"], **SUMMER}, {"purposes": ["desks"], "from": "2026-01-01"},
        )  # fmt: skip
        cap = {"percent": "10", "base": "spent", "scope": "account", "period": "year", "mode": "refuse"}
        # Where nothing came in any term may go; whatever came in must stay as bound as it came.
        terms: tuple[Entry, ...] = (
            *({"restriction": each} for each in restrictions), {"closed": True}, {"closed": True},
            {"closed": False}, {"approvals": {}}, {"approvals": {"of": ["guard"], "needed": 1}}, {"caps": [cap]},
            {"naming": "allowed"}, {"naming": "forbidden"}, {"levy": {"spare": "33.33"}}, {"title": "Another"},
        )  # fmt: skip
        return {"record": "account-change", "account": account, **self.rng.choice(terms)}


@pytest.mark.parametrize("seed", range(int(os.environ.get("CHARITYCHAIN_ATTACKS", "6"))))
def test_no_control_is_broken_by_any_sequence_of_records(tmp_path: Path, seed: int) -> None:
    """Of 120 proposals to a ledger with every control, whatever is accepted breaks none, and the audit holds."""
    path = tmp_path / "a.ledger"
    with Ledger.create(path, origin="a.example", keys=tmp_path / "keys", clock=lambda: NOW) as ledger:
        attack = Attack(ledger, seed)
        for _ in range(120):
            attack.offer(attack.propose())
        attack.model.check()
        report = ledger.verify()
        assert report.holds, report.faults
        assert sum(attack.accepted.values()) >= 40, attack.accepted
        assert sum(attack.refused.values()) >= 30, attack.refused
