"""A trace from ledger to ledger against two brute-force models, coin by coin."""

from __future__ import annotations

import io
import json
import os
import random
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from oracle.crossing import part
from oracle.histories import random_history
from oracle.model import Model, ModelRefused, canonical
from oracle.tracing import Trace

from charitychain.across import received_entry
from charitychain.interop.journal import import_journal
from charitychain.ledger import Ledger

Entry = dict[str, Any]


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be synced: these ledgers are thrown away."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


def enter(ledger: Ledger, lines: list[Entry]) -> None:
    import_journal(ledger, io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))


def cut(rng: random.Random, amount: int) -> list[list[list[int]]]:
    """Return the places of an outflow, parted among one to three records in runs; some are left out."""
    marks = sorted({0, amount, *(rng.randint(0, amount) for _ in range(rng.randint(0, 4)))})
    records: list[list[list[int]]] = [[] for _ in range(rng.randint(1, 3))]
    for low, high in pairwise(marks):
        if rng.random() < 0.85:
            spans = rng.choice(records)
            if spans and sum(spans[-1]) == low:
                spans[-1][1] += high - low
            else:
                spans.append([low, high - low])
    return [spans for spans in records if spans]


@pytest.mark.parametrize("seed", range(40))
def test_a_trace_goes_on_coin_by_coin_in_the_next_ledger(tmp_path: Path, seed: int) -> None:
    """Whatever was done on both sides, what one sent and the other received is followed as single coins are."""
    rng = random.Random(f"across {seed}")
    with (
        Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path) as first,
        Ledger.create(tmp_path / "b.ledger", origin="b.example", keys=tmp_path) as second,
    ):
        history = random_history(seed, "trading", 40)
        for line in history:
            if line["record"] == "sent":
                line["to_ledger"] = second.identity.hex()
        enter(first, history)
        here = Model(history)
        there_history = random_history(1_000 + seed, rng.choice(("corrections", "splits", "batches")), 25)
        accounts = [line for line in there_history if line["record"] == "account"]
        received: list[Entry] = []
        for name, sending in here.sends.items():
            targets = [line["id"] for line in accounts if line["unit"] == sending.account.unit and "owner" not in line]
            if not targets or not sending.coins:
                continue
            for number, spans in enumerate(cut(rng, len(sending.coins))):
                entry = received_entry(first.reader(), name, account=rng.choice(targets), id=f"{name}-{number}")
                amount = here.text(sum(length for _, length in spans), sending.account.unit)
                received.append({**entry, "amount": amount, "spans": spans})
        lines = [*accounts, *received]
        there = Model(lines)
        for line in there_history[len(accounts) :]:
            with suppress(ModelRefused):  # what came from elsewhere may leave too little of its own gifts in a place
                there.apply(line)
                lines.append(line)
        enter(second, lines)
        there.check()
        for gift in here.donations:
            trace = first.trace(gift, others=[second]).to_dict()
            assert canonical(trace) == here.trace(gift), gift
            for sent in trace.get("sent", []):
                coins = here.sends[sent["id"]].coins
                mine = [n for n, coin in enumerate(coins) if list(coin.trails.get(gift, ("-",))) == sent["path"]]
                expected = expected_parts(there, received, sent["id"], mine)
                found = {each["donation"]: canonical({**each, "refunded": "0"}) for each in sent.get("received", [])}
                assert found == expected, (gift, sent["id"])
                waiting = len(mine) - sum(len(places_of(each, mine)) for each in received if each["id"] in expected)
                assert sent["waits"] == here.text(waiting, sent["unit"]), (gift, sent["id"])
        report = second.verify(others=[first])
        assert report.holds, report.faults
        assert first.verify().holds


def places_of(entry: Entry, mine: list[int]) -> list[int]:
    """Return which coins of a record of what was received are these of the outflow."""
    units = [unit for start, length in entry["spans"] for unit in range(start, start + length)]
    wanted = set(mine)
    return [place for place, unit in enumerate(units) if unit in wanted]


def expected_parts(there: Model, received: list[Entry], sent: str, mine: list[int]) -> dict[str, Trace]:
    """Return what became there of these coins of an outflow, by the record that received them."""
    found: dict[str, Trace] = {}
    for entry in received:
        places = places_of(entry, mine)
        if entry["id"].rpartition("-")[0] == sent and places:
            found[entry["id"]] = part(there, entry["id"], places)
    return found
