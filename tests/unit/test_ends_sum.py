"""Ends of a trace sum to the gift, in every unit, and over all gifts to what was acknowledged of each expenditure."""

from __future__ import annotations

import io
import json
import os
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import ALL_KINDS, random_history
from oracle.model import Model
from oracle.owning import PARTIES

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


def expected(history: list[Entry], said: list[Entry]) -> dict[str, tuple[Decimal, bool]]:
    """Return what of each expenditure counts as acknowledged: the most that was said of it, unless disputed or lost."""
    model, found = Model(history), {}
    for use_id, use in model.expenditures.items():
        mine = [entry for entry in said if entry["acknowledges"] == use_id]
        net = Decimal(model.text(len(use.coins), use.account.unit))
        disputed = any("status" in entry for entry in mine)
        most = max((Decimal(entry["amount"]) for entry in mine), default=Decimal(0))
        found[use_id] = Decimal(0) if disputed or use.record.get("category") == "loss" else min(most, net), disputed
    return found


def by_how(history: list[Entry], said: list[Entry], known: dict[str, tuple[Decimal, bool]]) -> Counter[tuple[str, str]]:
    """Return by unit what independent parties acknowledged, and what only stand-ins did; each party speaks once."""
    model, found = Model(history), Counter[tuple[str, str]]()
    for use_id, (most, _) in known.items():
        unit = model.expenditures[use_id].account.unit
        own = (Decimal(e["amount"]) for e in said if e["acknowledges"] == use_id and "on_behalf_of" not in e)
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
        hows: Counter[tuple[str, str]] = Counter()
        for gift in Model(history).donations:
            told = ledger.trace(gift).to_dict()
            _check_gift(told, known)
            for use in told["uses"]:
                found[use["id"]] += Decimal(use.get("acknowledged_amount", "0"))
            for end in told["ends"]:
                if "how" in end:
                    hows[end["how"], end["unit"]] += Decimal(end["amount"])
        if not any("funded_from" in line for line in history):
            # Where a sponsor's money was exchanged for steps, units stand in two traces.
            assert +found == {use: amount for use, (amount, _) in known.items() if amount}
            assert +hows == by_how(history, said, known)


def _check_gift(told: Entry, known: dict[str, tuple[Decimal, bool]]) -> None:
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
    for name, key in (("refunded", "refunds"), ("converted", "converted"), ("reversed", "reversed"), ("", "held")):
        for part in told.get(key, []):
            sums[name or part["state"], part["unit"]] += Decimal(part["amount"])
    for use in told["uses"]:
        part = Decimal(use.get("acknowledged_amount", "0"))
        assert 0 <= part <= Decimal(use["amount"])
        assert use["id"] in known and (use["state"] == "disputed") == known[use["id"]][1]
        assert use["state"] != "lost" or use["category"] == "loss"
        sums["acknowledged", use["unit"]] += part
        rest = "reported" if "acknowledged" in use["state"] else use["state"]
        sums[rest, use["unit"]] += Decimal(use["amount"]) - part
    assert +states == +sums, told["donation"]
