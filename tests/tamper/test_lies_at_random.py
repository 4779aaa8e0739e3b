"""Lies at random: whatever an operator writes, receipts that hold share no unit, and each sums to its gift.

Histories are entered by an operator who writes some movements, holes and reversals otherwise than the rules say, each
at random, and seals all of it. Of the receipts that hold all the same, no two may tell of one unit: that is what
receipts promise of a ledger that nobody replayed. CHARITYCHAIN_HISTORIES sets how many ledgers are written.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import ALL_KINDS, random_history
from unit.test_against_model import create, journal
from unit.test_receipts import gifts

from charitychain.errors import CharitychainError, VerificationError
from charitychain.interop.journal import import_journal
from charitychain.receipts.check import check_receipt
from charitychain.receipts.wire import Receipt, encode_receipt
from charitychain.state import acting, corrections
from charitychain.state.accounts import AccountState
from charitychain.state.acting import Acting
from charitychain.state.flow import Lineage, follow
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.tape import Run
from charitychain.trie import Leaf, SumTrie
from tamper.liar import Lie, issue, nothing, telling

LEDGERS = int(os.environ.get("CHARITYCHAIN_HISTORIES", "60")) // 4
SLICES = 4


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


def _takes(rng: random.Random, takes: tuple[Run, ...], amount: int) -> tuple[Run, ...]:
    """Return other runs than a movement took: moved, dropped, longer, doubled, anywhere."""
    listed, way = [*takes], rng.randrange(5) if takes else 4
    at = rng.randrange(len(listed)) if listed else 0
    if way == 0:
        listed[at] = Run(max(0, listed[at].position + rng.choice([-5, -1, 1, 5])), listed[at].length)
    elif way == 1:
        listed.pop()
    elif way == 2:
        listed[at] = Run(listed[at].position, max(0, listed[at].length + rng.choice([-1, 1, 3])))
    elif way == 3:
        listed.append(Run(sum(listed[-1]), listed[-1].length))
    else:
        listed = [Run(rng.randrange(60), amount)]
    return tuple(listed)


def _ref(rng: random.Random, ref: Ref) -> Ref:
    return (rng.choice([ref[0], rng.randrange(4)]), max(0, ref[1] - rng.randrange(3)))


def _changed(rng: random.Random, kind: Kind, told: dict[str, Any], accounts: list[AccountState]) -> None:
    """Change one field of a movement, if it has the one that was drawn."""
    field = rng.choice(["amount", "takes", "named", "target", "source", "kind", "previous", "account", "parts"])
    outflow = kind >= Kind.DISBURSED
    if field == "amount":
        told["amount"] = max(1, told["amount"] + rng.choice([-3, -1, 1, 2, 10]))
    elif field == "takes" and told.get("named"):
        told["takes"] = _takes(rng, told.get("takes", ()), told["amount"])
    elif field == "named" and outflow:
        told["named"] = not told.get("named")
        told["takes"] = _takes(rng, (), told["amount"]) if told["named"] else ()
    elif field in ("target", "source") and told.get(field):
        told[field] = _ref(rng, told[field])
    elif field == "kind":
        told["kind"] = rng.choice([each for each in Kind if (each >= Kind.DISBURSED) is outflow])
    elif field == "previous" and "previous" in told:
        told["previous"] = rng.choice([None, rng.randrange(6)])
    elif field == "account":
        told["account"] = rng.choice(accounts)
    elif field == "parts" and told.get("parts"):
        told["parts"] = tuple((*_ref(rng, part[:2]), max(1, part[2] + rng.randrange(-1, 2))) for part in told["parts"])


def _told(rng: random.Random, leaf: Leaf) -> Leaf | None:
    """Return another leaf of a trie than the one that the rules give, or none."""
    step = rng.choice([-3, -1, 1, 3])
    moved = leaf._replace(key=max(0, leaf.key + step), high=max(0, leaf.high + step))
    wider = leaf._replace(high=max(leaf.key, leaf.high + step))
    fuller = leaf._replace(sum=max(0, leaf.sum + step))
    other = leaf._replace(first=max(0, leaf.first + step))
    return rng.choice([moved, wider, fuller, other, leaf._replace(second=max(0, leaf.second + step)), None])


def lies(seed: int) -> Lie:
    """Return a way to lie now and then: the same each time that a ledger is written or read."""
    rate = random.Random(seed).choice([0.03, 0.08, 0.2])

    def bend(patch: pytest.MonkeyPatch) -> None:
        honest, put = Acting.add, SumTrie.put

        def add(self: Acting, account: AccountState, kind: Kind, amount: int, **links: Any) -> Movement:
            rng = random.Random(f"{seed} {self.height} {account.number} {account.log.size} {kind}")
            told: dict[str, Any] = {"account": account, "kind": kind, "amount": amount, **links}
            if rng.random() < rate:
                _changed(rng, kind, told, self.accounts)
            whole = random.Random(f"{seed} {self.place}")  # the same for all that a record makes
            if whole.random() < rate / 3:
                told["amount"] = max(1, told["amount"] + whole.choice([-2, -1, 1, 2]))
            return honest(self, told.pop("account"), told.pop("kind"), told.pop("amount"), **told)

        def put_leaf(self: SumTrie, leaf: Leaf) -> None:
            rng = random.Random(f"{seed} {leaf}")
            found = _told(rng, leaf) if rng.random() < rate else leaf
            if found is not None:
                put(self, found)

        patch.setattr(Acting, "add", add)
        patch.setattr(SumTrie, "put", put_leaf)
        for module in (acting, corrections):  # circles that lies make have no end
            patch.setattr(module, "follow", partial(follow, limit=2000))
        if seed % 2:
            patch.setattr(Acting, "check_funds", nothing)

    return bend


def receipts(folder: Path, seed: int) -> Iterator[Receipt]:
    """Yield the receipts of a history that somebody lies about; what the lies make impossible is left out of it."""
    kind = ALL_KINDS[seed % len(ALL_KINDS)]
    with telling(lies(seed)), create(folder, kind) as ledger:
        for line in random_history(seed, kind, 25):
            try:
                import_journal(ledger, journal([line]))
            except Exception:
                continue
        try:
            reader = ledger.reader()
            listed = [*gifts(reader)]
        except CharitychainError:
            return
        for gift in listed:
            try:
                yield issue(reader, gift)
            except Exception:
                continue


def _check_sums(seed: int, found: list[Receipt]) -> int:
    """Check receipts that hold against each other; return how many do."""
    used, held, balances = defaultdict(list), defaultdict(list), Counter[int]()
    for receipt in found:
        try:
            shown = check_receipt(encode_receipt(receipt)).shown
        except VerificationError as error:
            assert error.code == "CC-RECEIPT"
            continue
        gift = shown.gift(receipt.gift or "")
        flow = follow(shown, shown.accounts, gift, lineage=Lineage.PAYING)
        for ref, runs in flow.used.items():
            used[ref] += runs
        for ref, runs in flow.held.items():
            held[ref[0]] += runs
        balances |= {each.summary[0]: shown.accounts[each.summary[0]].balance for each in receipt.accounts}
        ends = [*flow.uses.values(), *flow.refunds.values(), *flow.voided.values()]
        ends += [run.length for runs in (*flow.sent.values(), *flow.held.values()) for run in runs]
        assert flow.converted or sum(ends) == gift.amount, (seed, gift.id)
    for where, runs in (*used.items(), *held.items()):
        assert all(sum(one) <= other.position for one, other in pairwise(sorted(runs))), (seed, where)
    for number, runs in held.items():
        assert sum(run.length for run in runs) <= balances[number], (seed, number)
    return sum(map(len, used.values()))


@pytest.mark.parametrize("part", range(SLICES))
def test_receipts_that_hold_share_no_unit(tmp_path: Path, part: int) -> None:
    """Of a ledger full of lies, those receipts that hold tell of disjoint units, and each of all of its gift."""
    uses = 0
    for number in range(part, LEDGERS, SLICES):
        folder = tmp_path / str(number)
        folder.mkdir()
        uses += _check_sums(number, [*receipts(folder, number)])
    assert uses > 0
