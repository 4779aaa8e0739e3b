"""Every control attacked at random through every kind of record that moves value.

An `Attack` proposes entries without asking whether they are allowed: round trips, splits, conversions, refunds, batches
of gifts, partial reversals, looser terms, accounts that change hands, alone or several in one statement, and signed by
whomever it likes. The ledger and the unit-by-unit model must agree on each of them, in both directions. What is
accepted is then followed from outside, by what the entries say, what the accounts hold afterwards and who signed:

- conservation: each kind of record changed just the balances that it says, and they are those of the model;
- closed accounts neither gain nor lose;
- consent: no account loses a unit, and no terms change, without its owner of that time and enough approvers among the
  signers of the statement; nobody takes an account over without signing;
- restriction: no unit is used outside any restriction that it ever came under, unless a reversal took it back out;
- caps: right after a cost none of its caps is exceeded, and what the ledger calls exceeded later is;
- naming and levy: no gift is chosen where that is forbidden, and every share is what all splits together make due;
- dates, changes and replacing: nothing is dated in the time to come, no change says nothing or closes what is closed,
  and what replaces a record is of its kind and signed by its owner or by who entered it.
"""

from __future__ import annotations

import copy
import os
import random
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from oracle.model import Model, ModelRefused
from oracle.terms import ANYTHING, first_day, inside

from charitychain import entries
from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.ledger import Ledger
from charitychain.state.caps import cap_uses
from charitychain.state.rules import State

Entry = dict[str, Any]

NOW = 1_792_040_800  # 2026-10-15
TODAY, TOMORROW = "2026-10-15", "2026-10-16"
APPROVERS = ("board", "treasurer", "guard")
ROLES: dict[str, tuple[str, ...]] = {
    "self": ("operator", "intake", "charity", "sponsor"), "clinic": ("charity",), "platform": ("intake",),
    **dict.fromkeys(APPROVERS, ("auditor",)),
}  # fmt: skip
DATES = ("2025-12-31", "2026-01-01", "2026-03-01", "2026-05", "2026", "2026-09-30", "2026-10-01", TOMORROW)
TO_COME = ("2026-10-17", "2026-11", "2027", "2999-01-01")
YEAR = {"from": "2026-01-01", "until": "2026-12-31"}
SUMMER = {"from": "2026-03-01", "until": "2026-09-30"}
# Every sort of record that moves value, or changes who may: all of them must get through somewhere.
SORTS = {
    "donation", "gifts", "disbursement", "disbursement by gift", "split", "expenditure", "expenditure by gift",
    "conversion", "conversion funded", "refund", "reversal of expenditure", "reversal of expenditure by gift",
    "reversal of disbursement", "reversal of disbursement by gift", "reversal of split", "reversal of split by gift",
    "reversal of donation", "reversal of series gift", "replacing donation", "replacing transfer",
    "replacing expenditure", "account-change", "hand-over", "closing",
}  # fmt: skip
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
    """An accepted entry, what it changed in which account, the year in which it counts, who owned what then, who spoke,
    and as the how-manieth of all."""

    entry: Entry
    delta: dict[str, int]
    year: str
    owners: dict[str, str]
    author: str
    time: int


class Sum(NamedTuple):
    """Something booked: `what` is costs, spent, given or moved (in, or, below nothing, out)."""

    account: str
    owner: str
    year: str
    what: str
    amount: int


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


def build(state: State, record: Entry) -> entries.Built | CharitychainError:
    """Return an entry ready to be signed, or why it cannot be made ready."""
    try:
        return entries.build(state, record)
    except (RefusedError, MalformedError) as error:
        return error


def whole(built: entries.Built | CharitychainError) -> entries.Built:
    if isinstance(built, CharitychainError):
        raise built
    return built


def admit(ledger: Ledger) -> None:
    """Make everybody but the operator a party."""
    with ledger.writer() as writer:
        for party, roles in ROLES.items():
            if party != "self":
                writer.party(party, roles=list(roles))


def label(entry: Entry, undone: str) -> str:
    """Return what sort of attack a record is, in words."""
    kind = entry["record"]
    if "replaces" in entry:
        return "replacing " + {"disbursement": "transfer", "split": "transfer"}.get(kind, kind)
    if kind == "reversal":
        return f"reversal of {undone}" + " by gift" * ("gift" in entry)
    if kind == "account-change":
        return "hand-over" if "owner" in entry else "closing" if entry.get("closed") else kind
    return kind + " by gift" * ("gift" in entry) + " funded" * ("funded_from" in entry)


class Attack:
    """Proposes entries at random, and checks what became of those that were accepted."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger, self.rng = ledger, random.Random(f"attack {seed}")
        self.model = Model(today=TODAY, roles=ROLES)
        self.terms: dict[str, Entry] = {}
        self.facts: dict[str, Fact] = {}
        # Single gifts of batches, as if they were donations.
        self.of_batches: dict[str, Fact] = {}
        self.came: Counter[str] = Counter()
        self.sums: list[Sum] = []
        self.shared: dict[str, Counter[str]] = {}
        self.bound: dict[str, list[Entry]] = {}
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        # What passed (sort of record, control of an account that it changed), and what the model refused, and why.
        self.passed: Counter[tuple[str, str]] = Counter()
        self.stopped: Counter[tuple[str, str]] = Counter()
        admit(ledger)
        for account in OPENING:
            self.offer({"record": "account", "rule": "fifo", **account}, honest=True)
        for number, account in enumerate(OPENING):
            gift = {"record": "donation", "id": f"D-{number}", "account": account["id"], "amount": "60"}
            self.offer({**gift, "date": "2026"}, honest=True)
        assert self.accepted == {"account": len(OPENING), "donation": len(OPENING)}
        self.number = len(OPENING)

    # -- following -------------------------------------------------------------------------------

    def offer(self, entry: Entry, *, honest: bool = False) -> None:
        """Offer an entry to the model and to the ledger; they must agree, and what it did must be right."""
        records = entry.get("records", [entry])
        trial = copy.deepcopy(self.model) if len(records) > 1 else self.model
        held = self.held()
        refusal: ModelRefused | None = None
        try:
            with self.ledger.writer() as writer:
                state = writer.core.state
                built = [build(state, record) for record in records]
                author, signers = self.sign(records, built, honest=honest)
                try:
                    trial.apply(entry, signers, author)
                except ModelRefused as error:
                    refusal = error
                items = [(each.record, each.columns, ()) for each in map(whole, built)]
                writer.core.record_together(items, state.party(author), [state.party(signer) for signer in signers])
        except (RefusedError, MalformedError) as error:
            assert refusal is not None, (error, entry, author, sorted(signers))
            assert self.balances() == held, error
            self.refused[error.code] += 1
            self.stopped[self.label(records[0]), refusal.reason] += len(records) == 1
            return
        assert refusal is None, (refusal, entry, author, sorted(signers))
        for record in records:
            if trial is not self.model:
                self.model.apply(record, signers, author)
            after = self.held()
            delta = {n: after[n] - held.get(n, 0) for n in after if after[n] != held.get(n, 0)}
            self.follow(record, signers, author, delta)
            held = after
        assert self.balances() == held, entry
        self.accepted.update(record["record"] for record in records)

    def sign(
        self, records: list[Entry], built: list[entries.Built | CharitychainError], *, honest: bool
    ) -> tuple[str, frozenset[str]]:
        """Return an author and signers: mostly who has to sign, now and then one less, one more, or anybody."""
        author, needed = "self", {"self"}
        for number, each in enumerate(built):
            if not isinstance(each, entries.Built):
                continue
            author = each.author.id if number == 0 else author
            needed |= {each.author.id, *(party.id for party in each.cosigners)}
            for count, parties in each.approvals:
                needed |= {party.id for party in self.rng.sample(parties, count)}
        if author != "self" and all(self.owner_of(record) != "self" for record in records):
            needed.discard("self")
        chance = 1.0 if honest else self.rng.random()
        if chance < 0.15:
            needed.discard(self.rng.choice(sorted(needed)))
        elif chance < 0.25:
            needed.add(self.rng.choice(list(ROLES)))
        elif chance < 0.3:
            needed = set(self.rng.sample(list(ROLES), self.rng.randint(1, 4)))
        if author not in needed or (not honest and self.rng.random() < 0.05):
            author = self.rng.choice(sorted(needed or ROLES))
        return author, frozenset(needed | {author})

    def owner_of(self, record: Entry) -> str:
        return self.model.author_of({name: value for name, value in record.items() if name != "author"})

    def label(self, entry: Entry) -> str:
        undone = self.find(entry.get("reverses", ""))
        return label(entry, undone.entry["record"] if undone is not None else "nothing")

    def find(self, name: str) -> Fact | None:
        return self.facts.get(name) or self.of_batches.get(name)

    def held(self) -> dict[str, int]:
        return {name: len(account.coins) for name, account in self.model.accounts.items()}

    def balances(self) -> dict[str, int]:
        return {name: money.amount for name, (money, _) in self.ledger.balances().items()}

    def follow(self, entry: Entry, signers: frozenset[str], author: str, delta: dict[str, int]) -> None:
        owners = {name: str(terms["owner"]) for name, terms in self.terms.items()}
        time = len(self.facts)
        fact = Fact(entry, delta, str(entry.get("date", TODAY))[:4], owners, author, time)
        self.facts[entry.get("id") or f"{entry['series']} from {entry['ids'][0]}"] = fact
        if entry["record"] == "gifts":
            for number, amount in zip(entry["ids"], entry["amounts"], strict=True):
                gift = {"record": "series gift", "id": f"{entry['series']}/{number}", "amount": amount}
                self.of_batches[gift["id"]] = Fact(
                    gift, {entry["account"]: int(amount)}, fact.year, owners, author, time
                )
        self.check_conserved(fact)
        self.check_consent(fact, signers)
        self.check_sayings(fact, signers)
        self.sums += self.book(fact)
        for name in [*delta, entry.get("account", "")]:
            terms = self.terms.get(name, {})
            controls = [control for control in TERMS if terms.get(control)]
            self.passed.update((self.label(entry), control) for control in [*controls, terms.get("owner", "")])
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
        assert entry.keys() & {"title", "owner", *TERMS}, entry
        assert entry.get("closed", not terms.get("closed", False)) != terms.get("closed", False), entry
        if entry.get("closed"):
            assert not self.model.accounts[account].coins, entry
        if "restriction" in entry and self.came[account]:
            assert is_narrower(entry["restriction"], terms.get("restriction", {})), entry
        if "levy" in entry:
            self.shared.pop(account, None)
        terms.update({name: entry[name] for name in (*TERMS, "owner") if name in entry})

    # -- what must be true -----------------------------------------------------------------------

    def check_conserved(self, fact: Fact) -> None:
        """Each kind of record changes just what it says."""
        entry, delta = fact.entry, fact.delta
        kind, amount = entry["record"], int(entry.get("amount", 0))
        if kind == "gifts":
            assert delta == {entry["account"]: sum(map(int, entry["amounts"]))}, fact
        elif kind == "donation":
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
            wrong = self.find(entry["reverses"])
            assert wrong is not None, fact
            undone = wrong.entry
            moved = sum(delta.values())
            if undone["record"] in ("disbursement", "split"):
                back = delta[undone["from"]]
                targets = [undone["to"]] if undone["record"] == "disbursement" else list(undone["to"])
                (target,) = [entry["from"]] if "from" in entry else targets
                assert back > 0 and target in targets, fact
                assert delta == {undone["from"]: back, target: -back}, fact
            elif undone["record"] == "expenditure":
                assert moved > 0 and set(delta) == {undone["from"]}, fact
            else:
                assert undone["record"] in ("donation", "series gift"), fact
                assert delta and all(n < 0 for n in delta.values()), fact
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
                assert {terms["owner"], fact.entry.get("owner", terms["owner"])} <= signers, fact
                if approvals := terms.get("approvals"):
                    assert len(signers & set(approvals["of"])) >= approvals["needed"], fact

    def check_levy_and_naming(self, entry: Entry) -> None:
        for name in (entry.get("from"), entry.get("funded_from")):
            terms = self.terms.get(name or "", {})
            if entry["record"] in ("disbursement", "expenditure") and "gift" in entry:
                assert terms.get("naming") != "forbidden", entry
            if not terms.get("levy") or entry["record"] in ("refund", "reversal"):
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
                elif self.undoes_transfer(step):
                    assert steps.pop() == self.facts[step].entry["reverses"], trail
            for restriction in [*bonds, *(each for step in steps for each in self.bound[step])]:
                assert admits(restriction, entry), (entry, trail, restriction)

    def check_sayings(self, fact: Fact, signers: frozenset[str]) -> None:
        """What a record says of its date, of a gift that it chooses to undo, and of one that it replaces."""
        entry = fact.entry
        assert first_day(entry.get("date", TODAY)) <= TOMORROW, fact
        if entry["record"] == "reversal" and "gift" in entry:
            for name in fact.delta:
                assert self.terms[name].get("naming") != "forbidden", fact
        if "replaces" in entry:
            wrong = self.facts[entry["replaces"]]
            kinds = {wrong.entry["record"], entry["record"]}
            assert len(kinds) == 1 or kinds == {"disbursement", "split"}, fact
            assert any(each.entry.get("reverses") == entry["replaces"] for each in self.facts.values()), fact
            home = wrong.entry["account" if "account" in wrong.entry else "from"]
            assert signers & {self.terms[home]["owner"], wrong.author}, fact

    def undoes_transfer(self, name: str) -> bool:
        entry = self.facts[name].entry
        return entry["record"] == "reversal" and "to" in self.facts.get(entry["reverses"], self.facts[name]).entry

    # -- caps ------------------------------------------------------------------------------------

    def book(self, fact: Fact) -> list[Sum]:
        """Return what an entry adds to the sums of accounts, by the owners and the year that it counts under."""
        entry, kind = fact.entry, fact.entry["record"]
        if kind == "account-change":
            return self.passing(entry["account"], fact.time - 1, len(self.model.accounts[entry["account"]].coins))
        if kind == "expenditure":
            return self.spent(fact, int(entry["amount"]))
        if kind != "reversal":
            what = "given" if kind in ("donation", "gifts", "refund") else "moved"
            return [Sum(name, fact.owners[name], fact.year, what, n) for name, n in fact.delta.items()]
        wrong = self.find(entry["reverses"])
        assert wrong is not None
        sums: list[Sum] = []
        if wrong.entry["record"] == "expenditure" or "to" in wrong.entry:
            for name, n in fact.delta.items():
                sums += self.passing(name, wrong.time, n)
            if "to" in wrong.entry:
                return sums + [Sum(name, wrong.owners[name], wrong.year, "moved", n) for name, n in fact.delta.items()]
            return sums + self.spent(wrong, -sum(fact.delta.values()))
        # A gift: along the way of each of its units, from where it lay back to where it was given.
        (home,) = wrong.delta
        sums = [Sum(home, wrong.owners[home], wrong.year, "given", sum(fact.delta.values()))]
        lay = [name for name, n in fact.delta.items() for _ in range(-n)]
        lay.sort(key=lambda name: (name != home, list(self.terms).index(name)))
        for name, coin in zip(lay, self.model.unreceived[entry["id"]].coins, strict=True):
            until = fact.time
            for step in self.way(coin.trails[entry["reverses"]]):
                move = self.facts[step]
                sender = move.entry["from"]
                assert name in move.entry["to"], (fact, coin.trails)
                sums += self.passing(name, move.time, -1, until)
                sums.append(Sum(sender, move.owners[sender], move.year, "moved", 1))
                sums.append(Sum(name, move.owners[name], move.year, "moved", -1))
                name, until = sender, move.time
            assert name == home, (fact, coin.trails)
            sums += self.passing(home, wrong.time, -1, until)
        return sums

    def passing(self, name: str, after: int, amount: int, until: int | None = None) -> list[Sum]:
        """Return what went along whenever an account changed hands in a time, as if it had lain there, or had not."""
        sums: list[Sum] = []
        for fact in list(self.facts.values())[after + 1 : until]:
            if "owner" in fact.entry and fact.entry["record"] == "account-change" and fact.entry["account"] == name:
                sums.append(Sum(name, fact.owners[name], fact.year, "moved", -amount))
                sums.append(Sum(name, fact.entry["owner"], fact.year, "moved", amount))
        return sums

    def way(self, trail: tuple[str, ...]) -> list[str]:
        """Return the transfers of a unit that were not undone, the last one first."""
        steps: list[str] = []
        for step in trail:
            if "to" in self.facts[step].entry:
                steps.append(step)
            elif self.undoes_transfer(step):
                assert steps.pop() == self.facts[step].entry["reverses"], trail
        return steps[::-1]

    def spent(self, use: Fact, amount: int) -> list[Sum]:
        name = use.entry["from"]
        whats = ["spent", "costs"] if use.entry.get("category") in ("administration", "fundraising") else ["spent"]
        return [Sum(name, use.owners[name], use.year, what, amount) for what in whats]

    def check_caps(self, entry: Entry) -> None:
        if entry["record"] != "expenditure" or entry.get("category") not in ("administration", "fundraising"):
            return
        for name, terms in self.terms.items():
            for cap in terms.get("caps", ()):
                mine, source = (terms["unit"], terms["owner"]), self.terms[entry["from"]]
                bound = (source["unit"], source["owner"]) == mine if cap["scope"] == "party" else entry["from"] == name
                if cap["mode"] == "refuse" and bound:
                    costs, base = self.costs(cap, name, self.facts[entry["id"]].year)
                    assert costs * 100 <= Fraction(cap["percent"]) * base, (entry, name, cap, costs, base)

    def costs(self, cap: Entry, name: str, year: str) -> tuple[int, int]:
        """Return costs and base of an account's cap in a year, of all that was booked so far."""
        mine = self.terms[name]
        total: Counter[str] = Counter()
        for each in self.sums:
            same = each.owner == mine["owner"] and self.unit(each.account) == mine["unit"]
            counts = same if cap["scope"] == "party" else each.account == name
            if counts and (cap["period"] == "all" or each.year == year):
                total[each.what] += each.amount
        if cap["base"] == "received":
            return total["costs"], max(0, total["given"] + max(0, total["moved"]))
        return total["costs"], max(0, total["spent"] + max(0, -total["moved"]))

    def check_sums(self) -> None:
        """What the model weighs is what the entries say."""
        for (name, number, year), sums in self.model.weighed().items():
            assert self.costs(self.terms[name]["caps"][number], name, year) == sums, (name, number, year)

    # -- proposing -------------------------------------------------------------------------------

    def propose(self) -> Entry:
        """Return an entry, or a statement of several, that may or may not be allowed."""
        records = [self.propose_one()]
        if self.rng.random() < 0.2:
            records += [self.propose_one() for _ in range(self.rng.randint(1, 2))]
        return {"record": "statement", "records": records} if len(records) > 1 else records[0]

    def propose_one(self) -> Entry:
        kinds = {
            self.pass_on: 6, self.spend: 7, self.undo: 8, self.split: 4, self.convert: 4, self.refund: 2, self.give: 2,
            self.give_many: 2, self.change: 5,
        }  # fmt: skip
        entry = self.rng.choices(list(kinds), list(kinds.values()))[0]()
        self.number += 1
        if entry["record"] != "gifts":
            entry["id"] = f"{entry['record']}-{self.number}"
        chance = self.rng.random()
        if chance < 0.7:
            entry["date"] = self.rng.choice(DATES if chance < 0.67 else TO_COME)
        if self.rng.random() < 0.2 and entry["record"] in ("donation", "disbursement", "split", "expenditure"):
            entry["replaces"] = self.replaced(entry["record"])
        return entry

    def replaced(self, kind: str) -> str:
        """Return what an entry may replace: mostly something of its kind that was reversed."""
        undone = [fact.entry["reverses"] for fact in self.facts.values() if "reverses" in fact.entry]
        alike = [name for name in undone if name in self.facts and self.facts[name].entry["record"] == kind]
        chosen = alike if alike and self.rng.random() < 0.75 else self.rng.choice((undone, list(self.facts)))
        return str(self.rng.choice(chosen or ["D-0"]))

    def account(self, unit: str | None = None) -> str:
        found = [name for name, terms in self.terms.items() if unit in (None, terms["unit"])]
        return self.rng.choice(found)

    def open_to(self, source: str) -> str:
        """Return an account that value from `source` may go to."""
        bound = self.model.accounts[source].terms.restriction
        found = [
            each.id
            for each in self.model.accounts.values()
            if each.id != source
            and each.unit == self.unit(source)
            and (each.terms.restriction or ANYTHING).keeps(bound)
        ]
        return self.rng.choice(found or [source])

    def unit(self, account: str) -> str:
        return str(self.terms[account]["unit"])

    def some(self, account: str) -> int:
        there = len(self.model.accounts[account].coins)
        return max(1, self.rng.choice((1, there // 3, there // 2, there, there + 1, self.rng.randint(1, 20))))

    def maybe_gift(self, entry: Entry, chance: float) -> Entry:
        if self.rng.random() < chance:
            moves = "from" in entry and entry["record"] != "reversal"
            here = [coin.payer for coin in self.model.accounts[entry["from"]].coins] if moves else []
            entry["gift"] = self.rng.choice(here or list(self.model.donations))
        return entry

    def give(self) -> Entry:
        entry = {"record": "donation", "account": self.account(), "amount": str(self.rng.randint(1, 40))}
        return self.by_somebody(entry)

    def give_many(self) -> Entry:
        series = self.rng.choice(("S", "T", f"series-{self.number}"))
        first = self.model.series[series].last + self.rng.choice((0, 1, 1, 1, 7)) if series in self.model.series else 5
        count = self.rng.randint(1, 6)
        amounts = [str(self.rng.randint(1, 15)) for _ in range(count)]
        entry = {"record": "gifts", "series": series, "account": self.account(), "amounts": amounts}
        entry["ids"] = [first + n * self.rng.choice((1, 1, 1, 0)) + n for n in range(count)]
        return self.by_somebody(entry)

    def by_somebody(self, entry: Entry) -> Entry:
        if self.rng.random() < 0.4:
            entry["author"] = self.rng.choice(("platform", "platform", "clinic", "board"))
        return entry

    def pass_on(self) -> Entry:
        source = self.account()
        target = self.rng.choice((self.account(self.unit(source)), self.open_to(source), self.open_to(source)))
        entry = {"record": "disbursement", "from": source, "to": target, "amount": str(self.some(source))}
        return self.maybe_gift(entry, 0.3)

    def spend(self) -> Entry:
        source = self.account() if self.rng.random() < 0.7 else "lean"
        entry = {
            "record": "expenditure", "from": source, "amount": str(self.some(source)), "payee": "Shop",
            "purpose": self.rng.choice(("books", "books", "desks", "rice")),
        }  # fmt: skip
        if source == "lean" or self.rng.random() < 0.5:
            entry["category"] = self.rng.choice(("administration", "fundraising", "programme"))
        return self.maybe_gift(entry, 0.3)

    def split(self) -> Entry:
        source = self.rng.choice((self.account(), "fund"))
        amount, parts = self.some(source), Counter[str]()
        levy = self.model.accounts[source].terms.levy
        if levy is not None and self.rng.random() < 0.8:
            parts.update(levy.parts(amount))
            if self.rng.random() < 0.2 and parts:
                parts[next(iter(parts))] -= 1
        find = self.rng.choice((self.open_to, self.open_to, lambda source: self.account(self.unit(source))))
        targets = [find(source) for _ in range(self.rng.randint(1, 3))]
        if levy is not None:
            targets = [name for name in targets if name not in levy.percents] or ["pool"]
        for target in targets:
            left = amount - sum(parts.values())
            parts[target] += left if target is targets[-1] else self.rng.randint(0, max(0, left))
        told = {name: str(part) for name, part in parts.items() if part > 0}
        return {"record": "split", "from": source, "amount": str(amount), "to": told}

    def convert(self) -> Entry:
        source = self.account(self.rng.choice(("JPY", "MASK")))
        target = self.account("MASK" if self.unit(source) == "JPY" or self.rng.random() < 0.05 else "JPY")
        entry = {
            "record": "conversion", "from": source, "amount": str(self.some(source)), "to": target,
            "gives": str(self.rng.randint(1, 30)),
        }  # fmt: skip
        if self.unit(source) == "MASK" or self.rng.random() < 0.3:
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
        kind = self.rng.choice(
            ("disbursement", "split", "expenditure", "expenditure", "donation", "series gift", "other")
        )
        found = [name for name, fact in (self.facts | self.of_batches).items() if fact.entry["record"] == kind]
        if kind == "other":
            kinds = ("conversion", "refund", "reversal", "gifts")
            found = [name for name, fact in self.facts.items() if fact.entry["record"] in kinds]
        entry = {"record": "reversal", "reverses": self.rng.choice(found or ["D-0"]), "reason": "an attack"}
        if self.rng.random() < 0.6:
            entry["amount"] = str(self.rng.randint(1, 20))
        use, transfer = self.model.expenditures.get(entry["reverses"]), self.model.transfers.get(entry["reverses"])
        coins = use.coins if use is not None else []
        if transfer is not None:
            target = self.rng.choice([target for target, _ in transfer.laid])
            coins = transfer.resting(target)
            if len(transfer.laid) > 1 or self.rng.random() < 0.1:
                entry["from"] = target.id if self.rng.random() < 0.95 else self.account()
        if (use is not None or transfer is not None) and self.rng.random() < 0.4:
            entry["gift"] = self.rng.choice(coins).payer if coins else "D-1"
        return self.maybe_gift(entry, 0.03)

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
            {}, {"naming": "allowed"}, {"naming": "forbidden"}, {"levy": {"spare": "33.33"}}, {"title": "Another"},
            *[{"owner": "clinic"}, {"owner": "self"}] * 3, {"owner": "platform"}, {"owner": "self", "caps": [cap]},
        )  # fmt: skip
        idle = [each for each in self.model.accounts.values() if each.terms.closed or not each.coins]
        if idle and self.rng.random() < 0.2:
            chosen = self.rng.choice(idle)
            return {"record": "account-change", "account": chosen.id, "closed": not chosen.terms.closed}
        return {"record": "account-change", "account": account, **self.rng.choice(terms)}


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be synced: these ledgers are thrown away."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


def test_no_control_is_broken_by_any_sequence_of_records(tmp_path: Path) -> None:
    """Of 150 proposals to each of some ledgers with every control, whatever is accepted breaks none."""
    passed: Counter[tuple[str, str]] = Counter()
    stopped: Counter[tuple[str, str]] = Counter()
    for seed in range(int(os.environ.get("CHARITYCHAIN_ATTACKS", "8"))):
        path = tmp_path / f"{seed}.ledger"
        with Ledger.create(path, origin="a.example", keys=tmp_path / f"keys-{seed}", clock=lambda: NOW) as ledger:
            attack = Attack(ledger, seed)
            for _ in range(150):
                attack.offer(attack.propose())
            attack.model.check()
            state = ledger.reader().state
            assert {(account, year) for account, _, year in attack.model.exceeded()} == {
                (use.account.id, "all" if use.year is None else str(use.year))
                for use in cap_uses(state)
                if use.exceeded
            }
            attack.check_sums()
            report = ledger.verify()
            assert report.holds, report.faults
            assert sum(attack.accepted.values()) >= 40, attack.accepted
            assert sum(attack.refused.values()) >= 30, attack.refused
            passed += attack.passed
            stopped += attack.stopped
    assert {kind for kind, _ in passed} >= SORTS, SORTS - {kind for kind, _ in passed}
    for control in ("restriction", "approvals", "caps", "naming", "levy", "clinic"):
        assert len({kind for kind, found in passed if found == control}) >= 10, (control, passed)
    reasons = {reason for _, reason in stopped}
    assert reasons >= {"restriction", "approvals", "cap", "naming", "levy", "closed", "signature", "role", "series"}
    assert reasons >= {"future", "change", "replaces", "moved-on", "reverses"}
