"""Ends of a trace sum to the gift, in every unit, and over all gifts to what was acknowledged of each expenditure; and
what is on its way is what the model says, coin by coin."""

from __future__ import annotations

import io
import json
import os
import random
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import ALL_KINDS, random_history
from oracle.model import Model
from oracle.owning import PARTIES

from charitychain.errors import RefusedError
from charitychain.interop.journal import import_journal
from charitychain.ledger import Ledger

Entry = dict[str, Any]
CHECKERS = {"checker": ["auditor"], "second": ["auditor"]}


def total(rows: list[Entry], sums: Counter[str]) -> None:
    for row in rows:
        sums[row["unit"]] += Decimal(row["amount"])


def words(history: list[Entry], rng: random.Random) -> list[Entry]:
    """Make acknowledgements of what stands of some expenditures: whole, in part, by stand-ins, in part disputed."""
    model, found = Model(history), []
    for use_id, use in model.expenditures.items():
        stands, unit = len(use.coins), use.account.unit
        for number, author in enumerate(rng.sample(list(CHECKERS), rng.choice([0, 1, 1, 2]))):
            if stands:
                entry = {"record": "acknowledgement", "id": f"A-{use_id}-{number}", "acknowledges": use_id,
                         "amount": model.text(rng.randint(1, stands), unit), "author": author}  # fmt: skip
                if rng.random() < 0.3:
                    entry["on_behalf_of"] = "a school"
                elif rng.random() < 0.1:
                    entry["status"] = "disputed"
                found.append(entry)
    return found


def expected(history: list[Entry], said: list[Entry]) -> dict[str, tuple[Decimal, Decimal]]:
    """Return what of each expenditure is acknowledged, the most that a party says of what is not disputed, and what is.

    Each party speaks once of each.
    """
    model, found = Model(history), {}
    for use_id, use in model.expenditures.items():
        mine = [entry for entry in said if entry["acknowledges"] == use_id]
        net = Decimal(model.text(len(use.coins), use.account.unit))
        most, denied = (
            max((Decimal(entry["amount"]) for entry in mine if ("status" in entry) == denies), default=Decimal(0))
            for denies in (False, True)
        )
        disputed = min(denied, net)
        lost = use.record.get("category") == "loss"
        found[use_id] = Decimal(0) if lost else min(most, net - disputed), disputed
    return found


def by_how(
    history: list[Entry], said: list[Entry], known: dict[str, tuple[Decimal, Decimal]]
) -> Counter[tuple[str, str]]:
    """Return by unit what independent parties acknowledged, and what only stand-ins did; each party speaks once."""
    model, found = Model(history), Counter[tuple[str, str]]()
    for use_id, (most, _) in known.items():
        unit = model.expenditures[use_id].account.unit
        own = (
            Decimal(e["amount"]) for e in said
            if e["acknowledges"] == use_id and "on_behalf_of" not in e and "status" not in e
        )  # fmt: skip
        best = min(max(own, default=Decimal(0)), most)
        found["independent", unit] += best
        found["stand-in", unit] += most - best
    return +found


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_ends_sum_to_the_gift_and_to_what_was_acknowledged(
    tmp_path: Path, kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the history: nothing is told twice, and nothing is left out."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    history = random_history(7_000 + seed, kind, 45)
    rng = random.Random(f"{kind}{seed}")
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path) as ledger:
        with ledger.writer() as writer:
            for party, roles in ({**PARTIES, **CHECKERS} if kind == "owners" else CHECKERS).items():
                if party != "self":
                    writer.party(party, roles=list(roles))
        import_journal(ledger, io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in history)))
        said = words(history, rng)
        for entry in said:
            with ledger.writer() as writer:
                writer.add(entry)
        known = expected(history, said)
        found: Counter[str] = Counter()
        denied: Counter[str] = Counter()
        hows: Counter[tuple[str, str]] = Counter()
        for gift in Model(history).donations:
            told = ledger.trace(gift).to_dict()
            _check_gift(told, known)
            for use in told["uses"]:
                found[use["id"]] += Decimal(use.get("acknowledged_amount", "0"))
                denied[use["id"]] += Decimal(use.get("disputed_amount", "0"))
            for end in told["ends"]:
                if "how" in end:
                    hows[end["how"], end["unit"]] += Decimal(end["amount"])
        if not any("funded_from" in line for line in history):
            # Where a sponsor's money was exchanged for steps, units stand in two traces.
            assert +found == {use: amount for use, (amount, _) in known.items() if amount}
            assert +denied == {use: amount for use, (_, amount) in known.items() if amount}
            assert +hows == by_how(history, said, known)


def on_its_way(ledger: Ledger, history: list[Entry], arrived: set[str]) -> Counter[tuple[str, str]]:
    """Count by (gift, account) the coins that rest where somebody of another owner put them last, who alone says so.

    Args:
        arrived: Gifts, disbursements and splits whose receivers say that they arrived.
    """
    model, reader, found = Model(history), ledger.reader(), Counter[tuple[str, str]]()
    handed = {line["id"]: line for line in history if line["record"] in ("disbursement", "split")}
    for account in model.accounts.values():
        for coin in account.coins:
            gift = next(iter(coin.trails))
            last = coin.trails[gift][-1] if coin.trails[gift] else gift
            row = reader.index.find_id(last)
            if last in arrived:
                continue
            if last in handed:
                hop = coin.hops[-1]
                assert row is not None
                alone = hop.target_owner not in reader.signers(row.place)
                waits = hop.source_owner != hop.target_owner and alone
            else:
                author = reader.signers(reader.gift(gift).place)[0]
                waits = last == gift and author != owner_then(history, gift, account.id)
            for each in coin.trails if waits else ():
                found[each, account.id] += 1
    return found


def owner_then(history: list[Entry], gift: str, account: str) -> str:
    """Return who owned an account when a gift came in."""
    owner = "self"
    for line in history:
        if line.get("id") == gift or (line["record"] == "gifts" and gift.partition("/")[0] == line["series"] and
                                      gift.partition("/")[2] in map(str, line["ids"])):  # fmt: skip
            return owner
        if line["record"] in ("account", "account-change") and account in (line.get("account"), line["id"]):
            owner = line.get("owner", owner)
    raise AssertionError(gift)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_on_its_way_is_what_the_model_says(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever moves between owners is in transit until its receiver says that it came, or goes on with it."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    history, rng = random_history(9_000 + seed, "owners", 60), random.Random(seed)
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path) as ledger:
        with ledger.writer() as writer:
            for party, roles in PARTIES.items():
                if party != "self":
                    writer.party(party, roles=list(roles))
        import_journal(ledger, io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in history)))
        arrived: set[str] = set()
        for round_ in range(2):
            known = on_its_way(ledger, history, arrived)
            found = Counter[tuple[str, str]]()
            for gift in Model(history).donations:
                for held in ledger.trace(gift).held:
                    if held.state == "in transit":
                        found[gift, held.account] += held.money.amount
                    assert held.state in ("in transit", "held")
            assert found == known
            assert round_ or known, "nothing was on its way"
            for line in history if not round_ else ():
                if line["record"] == "disbursement" and rng.random() < 0.5:
                    receiver = ledger.reader().state.account_named(line["to"]).owner
                    word = {"record": "acknowledgement", "id": f"A-{line['id']}", "acknowledges": line["id"],
                            "author": ledger.reader().state.parties[receiver].id}  # fmt: skip
                    with suppress(RefusedError):  # it paid or signed itself, or nothing stands
                        with ledger.writer() as writer:
                            writer.add(word)
                        arrived.add(line["id"])


def _check_gift(told: Entry, known: dict[str, tuple[Decimal, Decimal]]) -> None:
    came: Counter[str] = Counter({told["unit"]: Decimal(told["amount"])})
    for conversion in told["converted"]:
        came[conversion["gives_unit"]] += Decimal(conversion["gives"])
    ended: Counter[str] = Counter()
    total(told["ends"], ended)
    assert +ended == +came, told["donation"]
    states: Counter[tuple[str, str]] = Counter()
    for end in told["ends"]:
        assert Decimal(end["amount"]) > 0 and ("how" in end) == (end["state"] == "acknowledged")
        states[end["state"], end["unit"]] += Decimal(end["amount"])
    sums: Counter[tuple[str, str]] = Counter()
    for name, key in (("refunded", "refunds"), ("converted", "converted"), ("reversed", "reversed"), ("sent", "sent"),
                      ("", "held")):  # fmt: skip
        for part in told.get(key, []):
            sums[name or part["state"], part["unit"]] += Decimal(part["amount"])
    for use in told["uses"]:
        part, denied = (Decimal(use.get(f"{state}_amount", "0")) for state in ("acknowledged", "disputed"))
        assert 0 <= part <= part + denied <= Decimal(use["amount"])
        assert ("disputed" in use["state"]) == bool(known[use["id"]][1])
        sums["acknowledged", use["unit"]] += part
        sums["disputed", use["unit"]] += denied
        rest = "lost" if use.get("category") == "loss" else "evidenced" if "evidence" in use else "reported"
        sums[rest, use["unit"]] += Decimal(use["amount"]) - part - denied
    assert +states == +sums, told["donation"]
