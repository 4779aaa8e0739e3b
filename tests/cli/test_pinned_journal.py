"""The journal and the trace as the interface states them: written out here in full, and never to change."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cli.conftest import Cli

JOURNAL = """\
{"record":"unit","id":"RICE-KG","decimals":3,"title":"Rice"}
{"record":"account","id":"edu","unit":"CNY","title":"Education","rule":"fifo"}
{"record":"account","id":"school-17","unit":"CNY"}
{"record":"account","id":"steps","unit":"STEP"}
{"record":"account","id":"tracks","unit":"CNY"}
{"record":"account","id":"sponsor","unit":"CNY"}
{"record":"account","id":"rice","unit":"RICE-KG","rule":"pro-rata"}
{"record":"donation","id":"D-1","account":"edu","amount":"12.50","source":"cash","donor":"000102030405060708090a0b0c0d0e0f","reference":"line 7","date":"2020-09-09"}
{"record":"donation","id":"D-2","account":"steps","amount":"100000","source":"steps"}
{"record":"donation","id":"D-3","account":"sponsor","amount":"20"}
{"record":"disbursement","id":"B-1","from":"edu","to":"school-17","amount":"10.00","gift":"D-1"}
{"record":"expenditure","id":"X-1","from":"school-17","amount":"4.00","payee":"Toko Buku","purpose":"books","category":"programme"}
{"record":"conversion","id":"C-1","from":"steps","amount":"100000","to":"tracks","gives":"12.00","funded_from":"sponsor"}
{"record":"expenditure","id":"X-2","from":"tracks","amount":"12","payee":"Builder","purpose":"a running track"}
{"record":"conversion","id":"C-2","from":"school-17","amount":"1.00","to":"rice","gives":"0.5","payee":"Rice Ltd"}
{"record":"refund","id":"R-1","donation":"D-1","from":"edu","amount":"1.00"}
{"record":"reversal","id":"U-1","reverses":"X-1","amount":"1.50","reason":"entered twice"}
"""  # noqa: E501 (as the interface prints them)

X_1 = {
    "id": "X-1", "record": "expenditure", "account": "school-17", "amount": "2.50", "unit": "CNY",
    "payee": "Toko Buku", "purpose": "books", "path": ["B-1"],
}  # fmt: skip
X_2 = {
    "id": "X-2", "record": "expenditure", "account": "tracks", "amount": "12.00", "unit": "CNY",
    "payee": "Builder", "purpose": "a running track", "path": ["C-1"],
}  # fmt: skip
D_1: dict[str, Any] = {
    "donation": "D-1", "account": "edu", "amount": "12.50", "unit": "CNY", "refunded": "1.00",
    "uses": [X_1],
    "held": [
        {"account": "edu", "amount": "1.50", "unit": "CNY"},
        {"account": "school-17", "amount": "6.50", "unit": "CNY"},
        {"account": "rice", "amount": "0.500", "unit": "RICE-KG"},
    ],
    "converted": [{"id": "C-2", "amount": "1.00", "unit": "CNY", "gives": "0.500", "gives_unit": "RICE-KG"}],
    "refunds": [{"id": "R-1", "amount": "1.00", "unit": "CNY", "donation": "D-1"}],
}  # fmt: skip
D_2: dict[str, Any] = {
    "donation": "D-2", "account": "steps", "amount": "100000", "unit": "STEP", "refunded": "0",
    "uses": [X_2],
    "held": [],
    "converted": [{"id": "C-1", "amount": "100000", "unit": "STEP", "gives": "12.00", "gives_unit": "CNY"}],
    "refunds": [],
}  # fmt: skip
D_3: dict[str, Any] = {
    "donation": "D-3", "account": "sponsor", "amount": "20.00", "unit": "CNY", "refunded": "0.00",
    "uses": [X_2], "held": [{"account": "sponsor", "amount": "8.00", "unit": "CNY"}], "converted": [], "refunds": [],
}  # fmt: skip


def _pinned(found: Any, expected: Any) -> Any:
    """Return `found` with only those keys that `expected` has: more keys may be added, none may change."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {name: _pinned(found.get(name), value) for name, value in expected.items()}
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        return [_pinned(one, other) for one, other in zip(found, expected, strict=True)]
    return found


def _in_order(trace: dict[str, Any]) -> dict[str, Any]:
    order = {"edu": 0, "school-17": 1, "rice": 2, "sponsor": 3}
    return trace | {"held": sorted(trace["held"], key=lambda held: order[held["account"]])}


@pytest.fixture
def pinned(cli: Cli) -> Cli:
    """Give a ledger into which the journal was imported."""
    cli.init(origin="relief.example/2026")
    (cli.work / "j.jsonl").write_text(JOURNAL)
    assert cli.json("import", "j.jsonl") == {"added": 17, "known": 0, "blocks": 1, "dry_run": False}
    return cli


def test_the_trace_says_every_pinned_key(pinned: Cli) -> None:
    """A gift's trace has each key of the interface with the value that was computed by hand."""
    report = pinned.json("verify")
    assert report["holds"] and report["height"] == 1
    ledger = {name: report[name] for name in ("identity", "checkpoint")}
    ledger |= {"origin": "relief.example/2026", "height": 1}
    for id_, expected in (("D-1", D_1), ("D-2", D_2), ("D-3", D_3)):
        stdout = pinned.ok("trace", id_, "--json")
        found = _in_order(json.loads(stdout))
        assert stdout.count("\n") > 10  # one document for people and programs
        assert _pinned(found, expected | {"ledger": ledger}) == expected | {"ledger": ledger}
        assert set(found["ledger"]) >= set(ledger)


def test_several_ids_are_a_line_each_in_the_order_asked(pinned: Cli) -> None:
    """An unknown id among known ones is named on stderr, the others are answered, and the code is 4."""
    for options in (["--json"], ["--format", "jsonl"]):
        done = pinned.run("trace", "D-3", "nope", "D-1", "D-2", *options)
        assert done.returncode == 4
        assert "nope" in done.stderr and "nope" not in done.stdout
        lines = [_in_order(json.loads(line)) for line in done.stdout.splitlines()]
        assert [_pinned(line, other) for line, other in zip(lines, (D_3, D_1, D_2), strict=True)] == [D_3, D_1, D_2]
    assert len(pinned.ok("trace", "D-1", "--format", "jsonl").splitlines()) == 1


def test_the_same_journal_again_adds_nothing(pinned: Cli) -> None:
    """Alone or as part of a longer one, what is known is skipped: the file does not change, or only grows."""
    before = pinned.ledger.read_bytes()
    assert pinned.json("import", "j.jsonl") == {"added": 0, "known": 17, "blocks": 0, "dry_run": False}
    assert pinned.ledger.read_bytes() == before
    longer = JOURNAL + '{"record":"donation","id":"D-4","account":"edu","amount":"1"}\n'
    (pinned.work / "longer.jsonl").write_text(longer)
    assert pinned.json("import", "longer.jsonl", "--dry-run")["added"] == 1
    assert pinned.ledger.read_bytes() == before
    assert pinned.json("import", "longer.jsonl") == {"added": 1, "known": 17, "blocks": 1, "dry_run": False}
    assert pinned.ledger.read_bytes().startswith(before)
    # From standard input it is the same.
    assert pinned.json("import", "-", input=longer)["known"] == 18


def test_an_export_gives_the_same_traces_elsewhere(pinned: Cli) -> None:
    """The export of a ledger, entered into a new one, is the same journal again and gives the same traces."""
    pinned.ok("export", "-o", "out.jsonl")
    exported = (pinned.work / "out.jsonl").read_text()
    assert exported == pinned.ok("export")
    pinned.init("w.ledger", "other.example")
    pinned.ok("import", "out.jsonl", "--ledger", "w.ledger")
    assert pinned.ok("export", "--ledger", "w.ledger") == exported
    for id_ in ("D-1", "D-2", "D-3"):
        one, two = pinned.json("trace", id_, "-l", "v.ledger"), pinned.json("trace", id_, "-l", "w.ledger")
        assert one.pop("ledger") != two.pop("ledger")
        assert one == two


def test_people_read_a_sentence_and_a_tree(pinned: Cli) -> None:
    """On a terminal or not, a trace begins with one sentence that says it all, and backwards it names the gifts."""
    text = pinned.ok("trace", "D-1")
    assert re.search(r"Gift D-1 of 12.50 CNY, 2020-09-09 \(recorded \d+ years later\), into edu", text)
    assert "2.50 CNY to Toko Buku for books" in text and "held in school-17: 6.50 CNY" in text
    assert "\x1b" not in text  # no terminal, no color
    assert [(row["donation"], row["amount"]) for row in pinned.json("sources", "X-1")["gifts"]] == [("D-1", "2.50")]
