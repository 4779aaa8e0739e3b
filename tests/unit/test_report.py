"""Reports: their totals are sums over single traces, their counts plain recounts, and a changed figure is found."""

from __future__ import annotations

import io
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import ALL_KINDS, random_history
from oracle.model import Model
from oracle.owning import PARTIES

from charitychain import answers
from charitychain.errors import MalformedError, UnreadableError
from charitychain.interop.journal import import_journal
from charitychain.ledger import Ledger
from charitychain.report.check import check
from charitychain.report.compute import compute, period_of
from charitychain.report.distinct import Distinct, people_of
from charitychain.report.html import page
from charitychain.report.layout import headlines, sections
from charitychain.report.model import Report, percent, read_report
from charitychain.report.rates import read_rates
from charitychain.state.flow import Lineage, follow
from charitychain.state.lookup import known_gift
from charitychain.units import parse_amount


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be synced: these ledgers are thrown away."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


def journal(lines: list[dict[str, Any]]) -> io.BytesIO:
    return io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def generated(
    folder: Path, kind: str, seed: int, history: list[dict[str, Any]] | None = None
) -> tuple[Ledger, list[dict[str, Any]]]:
    """Return a ledger with a generated history in several blocks."""
    ledger = Ledger.create(folder / "a.ledger", origin="a.example", keys=folder)
    if kind == "owners":
        with ledger.writer() as writer:
            for party, roles in PARTIES.items():
                if party != "self":
                    writer.party(party, roles=list(roles))
    history = history or random_history(seed, kind, 40)
    for start in range(0, len(history), 13):
        import_journal(ledger, journal(history[start : start + 13]))
    return ledger, history


def value(report: Report, id_: str) -> int | str | None:
    figure = report.get(id_)
    return figure.value if figure is not None else None


def told(report: Report) -> dict[str, int | str]:
    return {figure.id: figure.value for figure in report.figures}


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_totals_are_sums_over_single_traces(tmp_path: Path, kind: str, seed: int) -> None:
    """Held, spent, refunded, sent, received and in transit by unit are what the traces of all gifts add up to."""
    ledger, history = generated(tmp_path, kind, seed)
    with ledger:
        reader = ledger.reader()
        report, state = compute(reader), reader.state
        sums: dict[str, Counter[str]] = {code: Counter() for code in state.units}
        given, model = 0, Model(history)
        for gift in model.donations:
            trace = ledger.trace(gift)
            given += gift not in model.receipts
            for sent in trace.sent:
                sums[sent.money.code]["sent"] += sent.money.amount
            sums[trace.money.code]["received"] += trace.money.amount - sum(m.money.amount for m in trace.reversed)
            for held in trace.held:
                if held.state == "in transit":
                    sums[held.money.code]["transit"] += held.money.amount
            # A trace shows what steps earned as well as what a sponsor paid; a report counts such money once.
            flow = follow(reader.index, state.accounts, known_gift(reader.index, gift), lineage=Lineage.PAYING)
            for use, amount in flow.uses.items():
                sums[state.accounts[use.outflow[0]].unit]["spent"] += amount
            for use, amount in flow.refunds.items():
                sums[state.accounts[use.outflow[0]].unit]["refunded"] += amount
            for (number, _), runs in flow.held.items():
                sums[state.accounts[number].unit]["held"] += sum(run.length for run in runs)
            if kind != "funded" and "funded_from" not in str(history):
                assert sum(flow.uses.values()) == sum(use.money.amount for use in trace.uses)
        assert report.get("gifts") is not None and value(report, "gifts") == given
        for code in {account.unit for account in state.accounts}:
            unit = state.units[code]

            def told_of(name: str, code: str = code, unit: Any = unit) -> int:
                return parse_amount(str(value(report, f"{name}.{code}")), unit, allow_zero=True)

            for name in ("received", "refunded", "held", "transit"):
                assert told_of(name) == sums[code][name], (code, name)
            if value(report, f"sent.{code}") is not None or sums[code]["sent"]:
                assert told_of("sent") == sums[code]["sent"]
            assert told_of("spent") + told_of("lost") == sums[code]["spent"], code


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_received_is_parted_as_the_model_says(tmp_path: Path, kind: str, seed: int) -> None:
    """Of all gifts and of a year's: by source, by tags at the head, by who owned the account when a gift came.

    What came from other ledgers has a source of its own.
    """
    rng, tags = random.Random(f"{kind} {seed}"), dict[str, dict[str, str]]()
    history = random_history(seed, kind, 40)
    for line in history:
        about = line["id"] if line["record"] == "account" else line.get("account", "")
        if line["record"] == "account" or (line["record"] == "account-change" and "tags" in line):
            line["tags"] = {key: f"{key} {rng.randint(1, 2)}" for key in ("programme", "region") if rng.random() < 0.7}
            tags[about] = line["tags"]
    stated = {line.get("id") or line["series"]: line.get("source") for line in history
              if line["record"] in ("donation", "gifts")}  # fmt: skip
    stated |= {line["id"]: "other ledger" for line in history if line["record"] == "received"}
    model = Model(history)
    ledger, _ = generated(tmp_path, kind, seed, history)
    with ledger:
        reader = ledger.reader()
        years = sorted({year for _, year, _ in model.given_under.values()})
        for year in (None, *years):
            expected: Counter[str] = Counter()
            for gift, (account, amount) in model.donations.items():
                owner, of_year, _ = model.given_under[gift]
                left = amount - sum(len(gone.coins) for gone in model.unreceived.values() if gone.donation == gift)
                if year not in (None, of_year):
                    continue
                parts = {"source": stated[gift.partition("/")[0]], "organisation": owner}
                for by in ("source", "programme", "organisation", "region"):
                    name = parts.get(by) or tags[account.id].get(by)
                    expected[f"received.{account.unit}.{f'{by}:{name}' if name else f'{by}-not-stated'}"] += left
            period = (None, None) if year is None else period_of(year, year)
            report = compute(reader, first=period[0], last=period[1])
            found = {
                figure.id: parse_amount(str(figure.value), reader.state.units[figure.unit or ""], allow_zero=True)
                for figure in report.figures
                if figure.id.startswith("received.") and figure.id.count(".") == 2
            }
            assert found == {id_: amount for id_, amount in expected.items() if amount}, year
            for code in {account.unit for account in reader.state.accounts}:
                for what in ("received", "spent"):
                    whole = value(report, f"{what}.{code}")
                    for by in ("programme", "organisation", "region", "source" if what == "received" else "category"):
                        parts_ = [figure for figure in report.figures if figure.id.startswith(f"{what}.{code}.{by}")]
                        told_ = [parse_amount(str(each.value), reader.state.units[code]) for each in parts_]
                        assert sum(told_) == parse_amount(str(whole), reader.state.units[code], allow_zero=True)


@pytest.mark.parametrize("rule", ["fifo", "pro-rata"])
@pytest.mark.parametrize("seed", range(4))
def test_shares_are_sums_over_the_ends_of_single_traces(tmp_path: Path, rule: str, seed: int) -> None:
    """Acknowledged in part by several parties, disputed, lost, undone in part: all as every gift's own trace."""
    rng = random.Random(f"{rule} {seed}")
    with Ledger.create(tmp_path / "e.ledger", origin="e.example", keys=tmp_path) as ledger:
        with ledger.writer() as writer:
            for party in ("aid", "school", "clinic"):
                writer.party(party, roles=["charity"])
        with ledger.writer() as writer:
            for name in ("edu", "town"):
                writer.account(name, unit="EUR", rule=rule, owner="aid", author="aid")
        for turn in range(4):
            with ledger.writer() as writer:
                for n in range(6):
                    author = rng.choice(("self", "aid"))
                    amount = f"{rng.randint(1, 99)}.{rng.randint(10, 99)}"
                    date = f"2025-0{rng.randint(1, 4)}"
                    writer.donation(f"D-{turn}-{n}", account="edu", amount=amount, author=author, date=date)
                writer.disbursement(
                    f"T-{turn}", source="edu", to="town", amount=f"{rng.randint(9, 15)}.07", author="aid"
                )
                for n in range(5):
                    more: dict[str, Any] = {"evidence": ["cd" * 32]} if rng.random() < 0.3 else {}
                    more["category"] = rng.choice(("programme", "loss", "administration", "programme"))
                    writer.expenditure(
                        f"X-{turn}-{n}",
                        source=rng.choice(("edu", "edu", "town")) if turn else "edu",
                        amount=f"0.{rng.randint(30, 99)}",
                        payee="p",
                        purpose="q",
                        author="aid",
                        **more,
                    )
            with ledger.writer() as writer:
                for n in range(5):
                    for by in ("school", "clinic", "self"):
                        word = {"acknowledges": f"X-{turn}-{n}", "author": by, "amount": f"0.{rng.randint(10, 29)}"}
                        if rng.random() < 0.5:
                            writer.acknowledgement(f"A-{turn}-{n}-{by}", **word)
                    if rng.random() < 0.2:
                        writer.acknowledgement(
                            f"B-{turn}-{n}", acknowledges=f"X-{turn}-{n}", author="school", status="disputed", note="no"
                        )
                    elif rng.random() < 0.3:
                        writer.reversal(f"U-{turn}-{n}", reverses=f"X-{turn}-{n}", amount="0.01", author="aid")
        reader = ledger.reader()
        unit = reader.state.units["EUR"]
        for months, dated in (((1, 2, 3, 4), (None, None)), ((2, 3), ("2025-02-01", "2025-03-31"))):
            sums: Counter[str] = Counter()
            for gift in (f"D-{turn}-{n}" for turn in range(4) for n in range(6)):
                trace = ledger.trace(gift)
                if int(trace.date[5:7]) in months:
                    for end in trace.ends:
                        state = {"operator": "operator", "in transit": "transit"}.get(end.how or end.state, end.state)
                        sums[state] += end.money.amount
            found = {
                figure.id.split(".")[2]: parse_amount(figure.numerator or "", unit, allow_zero=True)
                for figure in compute(reader, first=dated[0], last=dated[1]).figures
                if figure.id.startswith("share.")
            }
            assert {state: amount for state, amount in found.items() if amount} == dict(sums)
            assert sums["held"] or sums["transit"]
            if dated == (None, None):
                assert sums["acknowledged"] and sums["reported"] and sums["lost"] and sums["transit"]


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_recounts_of_the_journal(tmp_path: Path, seed: int) -> None:
    """Gifts, donors, merchants and accounts are what a reader of the journal counts."""
    ledger, history = generated(tmp_path, "batches", 70 + seed)
    single = [line for line in history if line["record"] == "donation"]
    batches = [line for line in history if line["record"] == "gifts"]
    donors = {line["donor"] for line in single if line.get("donor")}
    seconds: set[str] = set()
    for batch in batches:
        donors |= {one for one in batch.get("donors") or () if one and one != "0" * 32}
        seconds |= {one for one in batch.get("seconds") or () if one and one != "0" * 32}
    with ledger:
        report = compute(ledger.reader())
    assert value(report, "gifts.single") == len(single)
    assert value(report, "gifts.columns") == sum(len(batch["ids"]) for batch in batches)
    assert value(report, "donors") == len(donors)
    assert value(report, "merchants") == len(seconds)
    assert value(report, "accounts") == sum(line["record"] == "account" for line in history)


def test_two_runs_give_the_same_report(tmp_path: Path) -> None:
    """Figures, their order and their words do not differ between two runs, nor with another index."""
    ledger, _ = generated(tmp_path, "wild", 5)
    with ledger:
        first = compute(ledger.reader()).to_dict()
    (tmp_path / "a.ledger.index").unlink()
    with Ledger.open(tmp_path / "a.ledger", keys=tmp_path) as again:
        assert json.dumps(compute(again.reader()).to_dict()) == json.dumps(first)


def year(folder: Path) -> Ledger:
    """Return a ledger in which a year's money goes every way there is.

    100.00 in January: 40.00 acknowledged by the school to 30.00; 10.00 evidenced; 8.00 lost; 12.00 bought 7 books, of
    which the school acknowledged 3; 5.00 refunded; 25.00 held. 50.00 in February is in transit.
    """
    ledger = Ledger.create(folder / "y.ledger", origin="y.example", keys=folder)
    with ledger.writer() as writer:
        writer.party("school", roles=["charity"])
        writer.party("aid", roles=["charity"])
    with ledger.writer() as writer:
        writer.unit("BOOK", decimals=0)
        tags = {"programme": "reading", "region": "west"}
        writer.account("edu", unit="EUR", tags=tags, owner="aid", author="aid")
        writer.account("books", unit="BOOK", owner="aid", author="aid")
        writer.account("walk", unit="STEP", owner="aid", author="aid")
    with ledger.writer() as writer:
        january: dict[str, Any] = {"author": "aid", "date": "2025-01-05"}
        writer.donation("D-1", account="edu", amount="100.00", source="web", donor="11" * 16, **january)
        writer.expenditure("X-1", source="edu", amount="40.00", payee="p", purpose="q", category="programme", **january)
        evidence: dict[str, Any] = {"evidence": ["ab" * 32], "category": "administration"}
        writer.expenditure("X-2", source="edu", amount="10.00", payee="p", purpose="q", **evidence, **january)
        writer.expenditure("X-3", source="edu", amount="8.00", payee="p", purpose="q", category="loss", **january)
        writer.conversion("C-1", source="edu", amount="12.00", to="books", gives="7", **january)
        writer.expenditure("X-4", source="books", amount="7", payee="p", purpose="q", **january)
        writer.refund("F-1", donation="D-1", amount="5.00", **january)
        writer.donation("D-2", account="edu", amount="50.00", date="2025-02", donor="11" * 16, author="self")
    with ledger.writer() as writer:
        writer.acknowledgement("A-1", acknowledges="X-1", author="school", amount="30.00")
        writer.acknowledgement("A-2", acknowledges="X-4", author="school", amount="3")
        said: dict[str, Any] = {"account": "edu", "indicator": "pupils", "of": ["X-1"], "author": "aid"}
        writer.outcome("O-1", quantity=30, beneficiaries=28, amount="30.00", date="2025-01-31", **said)
        writer.outcome("O-2", quantity=5, amount="10.00", date="2025-03", **said)
    return ledger


YEAR = {
    "share.EUR.acknowledged": "23.43", "share.EUR.evidenced": "6.67", "share.EUR.reported": "11.24",
    "share.EUR.lost": "5.33", "share.EUR.refunded": "3.33", "share.EUR.held": "16.67", "share.EUR.transit": "33.33",
    "share.EUR.goods": "8.00", "share.EUR.goods.acknowledged": "42.83",
    "gifts": 2, "gifts.single": 2, "gifts.columns": 0, "gifts.undone": 0, "donors": 1, "merchants": 0,
    "organisations": 1, "projects": 2, "accounts": 3, "accounts.open": 3,
    "received.EUR": "150.00", "received.EUR.source:web": "100.00", "received.EUR.source-not-stated": "50.00",
    "received.EUR.programme:reading": "150.00", "received.EUR.organisation:aid": "150.00",
    "received.EUR.region:west": "150.00",
    "spent.EUR": "50.00", "spent.EUR.category:administration": "10.00", "spent.EUR.category:programme": "40.00",
    "spent.EUR.programme:reading": "50.00", "spent.EUR.organisation:aid": "50.00", "spent.EUR.region:west": "50.00",
    "administration.EUR": "20.00", "lost.EUR": "8.00", "refunded.EUR": "5.00", "held.EUR": "75.00",
    "transit.EUR": "50.00",
    "received.BOOK": "0", "spent.BOOK": "7", "spent.BOOK.category-not-stated": "7",
    "spent.BOOK.programme-not-stated": "7", "spent.BOOK.organisation:aid": "7", "spent.BOOK.region-not-stated": "7",
    "administration.BOOK": "0.00", "lost.BOOK": "0", "refunded.BOOK": "0", "held.BOOK": "0", "transit.BOOK": "0",
    "received.STEP": "0", "spent.STEP": "0", "lost.STEP": "0", "refunded.STEP": "0", "held.STEP": "0",
    "transit.STEP": "0",
    "converted.EUR.BOOK.out": "12.00", "converted.EUR.BOOK.in": "7",
    "outcome:pupils": 35, "outcome:pupils:acknowledged": 0, "outcome:pupils:reported": 35,
    "outcome:pupils:statements": 2, "outcome:pupils:people": 28, "late": 0,
}  # fmt: skip


def test_a_year_written_out(tmp_path: Path) -> None:
    """Every figure of a small year is what can be reckoned by hand, down to the cent that goods cost."""
    with year(tmp_path) as ledger:
        report = compute(ledger.reader())
    assert told(report) == YEAR
    headline = report.get("share.EUR.acknowledged")
    # 30.00 of what was spent, and floor(12.00 * 3/7) = 5.14 of all that the books cost.
    assert headline is not None and (headline.numerator, headline.denominator) == ("35.14", "150.00")
    assert all(figure.how.endswith(".") for figure in report.figures)


def test_a_period_counts_what_is_dated_in_it(tmp_path: Path) -> None:
    """A month that is stated belongs where its last day is; what is held and in transit is as of the head."""
    with year(tmp_path) as ledger:
        january = told(compute(ledger.reader(), first="2025-01-01", last="2025-01-31"))
        february = told(compute(ledger.reader(), first="2025-02-28", last="2025-02-28"))
        before = told(compute(ledger.reader(), first="2025-02-01", last="2025-02-27"))
    assert january["received.EUR"] == january["received.EUR.region:west"] == "100.00"
    assert january["share.EUR.acknowledged"] == "35.14"
    assert january["share.EUR.held"] == "25.00" and "share.EUR.transit" not in january
    assert january["outcome:pupils"] == 30 and january["held.EUR"] == "75.00"
    assert february["received.EUR"] == "50.00" and february["share.EUR.transit"] == "100.00"
    assert february["spent.EUR"] == "0.00" and february["transit.EUR"] == "50.00"
    assert before["gifts"] == 0 and before["received.EUR"] == "0.00" and "share.EUR.held" not in before


@pytest.mark.parametrize("cut", ["2024-12", "2025-01", "2025-02-10", "2025-05"])
def test_two_periods_sum_to_the_whole(tmp_path: Path, cut: str) -> None:
    """Cohorts cut inside runs of single gifts: states of both sides of a day sum to those of all."""
    rng = random.Random(cut)
    with Ledger.create(tmp_path / "r.ledger", origin="r.example", keys=tmp_path) as ledger:
        lines: list[dict[str, Any]] = [{"record": "account", "id": "a", "unit": "EUR", "rule": "pro-rata"}]
        lines += [
            {"record": "donation", "id": f"D-{n}", "account": "a", "amount": f"{rng.randint(1, 900)}.00",
             "date": f"2025-0{rng.randint(1, 4)}-{rng.randint(10, 28)}"} for n in range(30)
        ]  # fmt: skip
        lines.append(
            {"record": "expenditure", "id": "X", "from": "a", "amount": "733.00", "payee": "p", "purpose": "q"}
        )
        import_journal(ledger, journal(lines))
        reader = ledger.reader()
        _, last = period_of(None, cut)
        assert last is not None
        following = {"2024-12-31": "2025-01-01", "2025-01-31": "2025-02-01", "2025-02-10": "2025-02-11"}
        whole = compute(reader)
        parts = [compute(reader, last=last), compute(reader, first=following.get(last, "2025-06-01"))]
        for id_ in ("share.EUR.reported", "share.EUR.held"):
            figures = [part.get(id_) for part in parts]
            amounts = [
                parse_amount(f.numerator or "", reader.state.units["EUR"], allow_zero=True) for f in figures if f
            ]
            told_whole = whole.get(id_)
            assert told_whole is not None and told_whole.numerator is not None
            assert sum(amounts) == parse_amount(told_whole.numerator, reader.state.units["EUR"])


def test_the_earned_lineage_stands_apart(tmp_path: Path) -> None:
    """Steps that a sponsor's money was exchanged for are earned; the money counts once, as the sponsor's gift."""
    with Ledger.create(tmp_path / "s.ledger", origin="s.example", keys=tmp_path) as ledger:
        with ledger.writer() as writer:
            for name, unit in (("steps", "STEP"), ("sponsor", "CNY"), ("track", "CNY")):
                writer.account(name, unit=unit)
            writer.donation("W-1", account="steps", amount="900")
            writer.donation("S-1", account="sponsor", amount="10.00")
            writer.conversion("C-1", source="steps", amount="600", to="track", gives="6.00", funded_from="sponsor")
            writer.expenditure("X-1", source="track", amount="6.00", payee="p", purpose="q")
        found = told(compute(ledger.reader()))
    assert (found["received.CNY"], found["share.CNY.reported"], found["share.CNY.held"]) == ("10.00", "60.00", "40.00")
    assert (found["share.STEP.earned"], found["share.STEP.held"]) == ("66.67", "33.33")
    assert (found["earned.STEP.CNY.out"], found["earned.STEP.CNY.in"]) == ("600", "6.00")
    assert "converted.STEP.CNY.out" not in found and "share.STEP.goods" not in found


def test_a_changed_figure_is_found(tmp_path: Path) -> None:
    """A published report checks against its ledger, also after more came; every change in it is told."""
    with year(tmp_path) as ledger:
        data = json.dumps(compute(ledger.reader(), first="2025-01-01").to_dict()).encode()
        with ledger.writer() as writer:
            writer.donation("D-9", account="edu", amount="1.00", date="2025-01-06")
        report = read_report(data, "r.json")
        assert check(ledger, report) == ()
        for number in (0, len(report.figures) // 2, len(report.figures) - 1):
            figure = report.figures[number]
            changed = 7 if isinstance(figure.value, int) else figure.value + "1"
            for other in (replace(figure, value=changed), replace(figure, how="Trust us."), replace(figure, unit="X")):
                figures = (*report.figures[:number], other, *report.figures[number + 1 :])
                found = check(ledger, replace(report, figures=figures))
                assert [one.id.partition(" ")[0] for one in found] == [figure.id]
            found = check(ledger, replace(report, figures=report.figures[:number] + report.figures[number + 1 :]))
            assert [(one.id, one.published) for one in found] == [(figure.id, None)]
        other_ledger = replace(report, ledger={**report.ledger, "identity": "00" * 32})
        assert [one.id for one in check(ledger, other_ledger)] == ["ledger.identity"]
        other_ledger = replace(report, ledger={**report.ledger, "origin": "z.example", "identity": "00" * 32})
        assert [one.id for one in check(ledger, other_ledger)] == ["ledger.origin", "ledger.identity"]
        added = replace(report.figures[0], id="happiness", value="100.00")
        found = check(ledger, replace(report, figures=(*report.figures, added)))
        assert [(one.id, one.computed) for one in found] == [("happiness", None)]


def test_a_checkpoint_is_compared_with_who_signed_it(tmp_path: Path) -> None:
    """Another head, or another signature, is a difference; a witness that signed since is none."""
    with year(tmp_path) as ledger:
        report = compute(ledger.reader())
        sealed = str(report.ledger["checkpoint"])
        head, _, signed = sealed.partition("\n\n")

        def found(checkpoint: str) -> list[str]:
            changed = replace(report, ledger={**report.ledger, "checkpoint": checkpoint})
            return [one.id for one in check(ledger, changed)]

        assert found(sealed) == found(sealed + "— witness.example AAAA\n") == []
        forged = f"{signed[:-9]}{'B' if signed[-9] != 'B' else 'C'}{signed[-8:]}"
        for other in (sealed.replace("\n", "\nx", 2), f"{head}\n\n{forged}", f"{head}\n", head, f"x{sealed}", ""):
            assert found(other) == ["ledger.checkpoint"], other


def mutations(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {**report, "report": "charitychain-report/2"}
    yield {**report, "more": 1}
    yield {name: value for name, value in report.items() if name != "rates"}
    yield {**report, "figures": [*report["figures"], report["figures"][0]]}
    yield {**report, "figures": [{**report["figures"][0], "value": 1.5}]}
    yield {**report, "figures": [{**report["figures"][0], "value": True}]}
    yield {**report, "ledger": {**report["ledger"], "height": "3"}}
    yield {**report, "period": {"from": 2025, "to": None}}
    yield {**report, "rates": {"sha256": "", "rates": [{}]}}


def test_a_foreign_report_is_refused(tmp_path: Path) -> None:
    """What is no report of this format is unreadable, whatever is wrong with it."""
    with year(tmp_path) as ledger:
        report = compute(ledger.reader()).to_dict()
        for number, bad in enumerate(mutations(report)):
            with pytest.raises(UnreadableError) as caught:
                read_report(json.dumps(bad).encode(), "r.json")
            assert caught.value.code == "CC-REPORT", number
        for data in (b"", b"\xff", b"[]", b'{"report":'):
            with pytest.raises(UnreadableError):
                read_report(data, "r.json")
        odd = read_report(json.dumps({**report, "period": {"from": "2025-13-01", "to": None}}).encode(), "r.json")
        with pytest.raises(UnreadableError):
            check(ledger, odd)


def test_other_currencies_only_by_rates(tmp_path: Path) -> None:
    """Sums at rates are exact, name what they count, and stand apart; other rates are a difference."""
    table = tmp_path / "rates.csv"
    table.write_text("unit,to,rate,date,source\nEUR,JPY,161.25,2025-12-31,Central bank\n")
    with year(tmp_path) as ledger:
        rates = read_rates(table)
        plain, report = compute(ledger.reader()), compute(ledger.reader(), rates=rates)
        assert [figure for figure in report.figures if not figure.id.startswith("at-rates.")] == list(plain.figures)
        found = told(report)
        assert found["at-rates.JPY.received"] == "24188"  # 150.00 * 161.25 = 24187.5, half to even
        assert found["at-rates.JPY.held"] == "12094"  # 75.00 * 161.25 = 12093.75
        assert check(ledger, report, rates) == ()
        nicer = replace(rates, rates=(replace(rates.rates[0], rate="200"),))
        found_ = check(ledger, replace(report, rates=nicer), rates)
        assert [(one.id, one.published, one.computed) for one in found_] == [
            ("rates.1", "1 EUR = 200 JPY on 2025-12-31, Central bank", "1 EUR = 161.25 JPY on 2025-12-31, Central bank")
        ]
        more = replace(rates, rates=(*rates.rates, replace(rates.rates[0], to="CNY")))
        assert [(one.id, one.computed) for one in check(ledger, replace(report, rates=more), rates)] == [
            ("rates.2", None)
        ]
        table.write_text("unit,to,rate,date,source\nEUR,JPY,161.26,2025-12-31,Central bank\n")
        assert "rates.sha256" in [one.id for one in check(ledger, report, read_rates(table))]


@pytest.mark.parametrize(
    "row",
    [
        "STEP,EUR,1,2025,x", "EUR,EUR,1,2025,x", "EUR,JPY,0,2025,x", "EUR,JPY,1e3,2025,x", "EUR,JPY,1,25,x",
        "EUR,JPY,1,2025,",
    ],
)  # fmt: skip
def test_rates_are_read_strictly(tmp_path: Path, row: str) -> None:
    """A row that is no rate between two currencies, with a date and a source, is refused with its line."""
    table = tmp_path / "rates.csv"
    table.write_text(f"unit,to,rate,date,source\n{row}\n")
    with pytest.raises(MalformedError) as caught:
        read_rates(table)
    assert caught.value.code == "CC-TABLE" and "line 2" in caught.value.message


def test_pseudonyms_are_counted_exactly_beyond_memory() -> None:
    """Counting through files gives what a set gives, with zeros at the end of some, and nobody left out."""
    rng = random.Random(4)
    people = [bytes([rng.randrange(256), rng.randrange(3)]) + bytes(14) for _ in range(5000)] + [bytes(16)] * 9
    small, large = Distinct(300), Distinct()
    for start in range(0, len(people), 170):
        for counted in (small, large):
            counted.add(b"".join(people[start : start + 170]))
    expected = len(set(people) - {bytes(16)})
    assert (small.count(), large.count()) == (expected, expected)
    assert Distinct().count() == 0


def test_people_of_columns_are_those_of_its_gifts() -> None:
    """Donors and second parties come out of the runs of a batch in order, for both widths."""
    from charitychain.columns import iterate_gifts, pack_columns

    rng = random.Random(5)
    for count in (1, 63, 64, 65, 200):
        donors, seconds = rng.randbytes(16 * count), rng.randbytes(16 * count)
        for second in (None, seconds):
            data, _ = pack_columns(range(count), [1] * count, donors, second)
            width = 32 if second is None else 48
            gifts = list(iterate_gifts(data, width))
            expected = [b"".join(g.donor or b"" for g in gifts)] + ([seconds] if second else [])
            assert people_of(data, width) == expected


def test_periods_and_percentages() -> None:
    """Ends of a period are whole days in the right order; percentages are rounded half to even."""
    assert period_of("2024-02", "2024-02") == ("2024-02-01", "2024-02-29")
    assert period_of(None, "2024") == (None, "2024-12-31")
    for first, last in (("2025", "2024"), ("x", None), (None, "2024-02-30")):
        with pytest.raises(MalformedError):
            period_of(first, last)
    assert [percent(*pair) for pair in ((0, 7), (7, 7), (1, 800), (3, 800), (1, 3))] == [
        "0.00", "100.00", "0.12", "0.38", "33.33",
    ]  # fmt: skip


def test_the_page_is_alone_and_escaped(tmp_path: Path) -> None:
    """The page loads nothing, runs nothing, and shows hostile text as text."""
    with Ledger.create(tmp_path / "h.ledger", origin="h.example", keys=tmp_path) as ledger:
        with ledger.writer() as writer:
            writer.account("a", unit="EUR")
            writer.donation("D-1", account="a", amount="1.00", source="<script>alert('x')<b>&\"")
        text = page(compute(ledger.reader()), lambda one: one)
    assert "<script" not in text and "&lt;script&gt;alert(&#x27;x&#x27;)&lt;b&gt;&amp;&quot;" in text
    assert "default-src 'none'" in text and "http://" not in text and "https://" not in text and "src=" not in text
    assert text.index('class="headline"') < text.index("<section") and "report --check" in text


def test_states_are_told_in_the_order_of_a_trace(tmp_path: Path) -> None:
    """In the figures, and so in every form; the headline stands above them all."""
    with year(tmp_path) as ledger:
        report = compute(ledger.reader())
    states = [figure.id.split(".", 2)[2] for figure in report.figures if figure.id.startswith("share.EUR.")]
    assert states == [
        "transit", "held", "reported", "evidenced", "acknowledged", "refunded", "lost", "goods", "goods.acknowledged",
    ]  # fmt: skip
    places = {"in transit": 0, **{state: at for at, state in enumerate(answers.STATES)}}
    ordered = [places[state] for state in ("in transit", *states[1:-2])]
    assert ordered == sorted(ordered)


def test_headlines_are_of_currencies_where_there_are_any(tmp_path: Path) -> None:
    """The share of money stands on top; that of steps only where nothing else was given."""
    with Ledger.create(tmp_path / "u.ledger", origin="u.example", keys=tmp_path) as ledger:
        with ledger.writer() as writer:
            for name, unit in (("walk", "STEP"), ("edu", "EUR")):
                writer.account(name, unit=unit)
            writer.donation("W-1", account="walk", amount="1234567")
        steps = compute(ledger.reader())
        with ledger.writer() as writer:
            writer.donation("D-1", account="edu", amount="1234.50")
        both = compute(ledger.reader())
    assert [one.of for one in headlines(steps)] == ["STEP received"]
    assert [(one.of, one.acknowledged.value) for one in headlines(both)] == [("EUR received", "0.00")]
    text = page(both, lambda one: one)
    assert "0.00 of 1,234.50" in text and "1,234,567" in text
    every = [figure for section in sections(both) for group in section.groups for figure in group.shown]
    assert every == list(both.figures)


def test_what_was_passed_on_is_in_transit_until_somebody_says_that_it_came(tmp_path: Path) -> None:
    """Between owners, as in a trace: what is acknowledged is held, the rest in transit, and what is denied disputed."""
    with Ledger.create(tmp_path / "t.ledger", origin="t.example", keys=tmp_path) as ledger:
        with ledger.writer() as writer:
            for party in ("aid", "clinic"):
                writer.party(party, roles=["charity"])
        with ledger.writer() as writer:
            for name, owner in (("edu", "aid"), ("ward", "clinic")):
                writer.account(name, unit="EUR", owner=owner, author=owner)
            writer.donation("D-1", account="edu", amount="100.00", author="aid")
            writer.disbursement("T-1", source="edu", to="ward", amount="60.00", author="aid")
            writer.disbursement("T-2", source="edu", to="ward", amount="10.00", author="aid")
        with ledger.writer() as writer:
            writer.acknowledgement("A-1", acknowledges="T-1", author="clinic", amount="20.00")
            writer.acknowledgement("A-2", acknowledges="T-2", author="clinic", status="disputed", note="no")
        report, trace = compute(ledger.reader()), ledger.trace("D-1")
    found = {figure.id: figure.numerator for figure in report.figures if figure.id.startswith("share.")}
    assert found["share.EUR.transit"] == "40.00" == value(report, "transit.EUR")
    assert (found["share.EUR.held"], found["share.EUR.disputed"]) == ("50.00", "10.00")
    assert value(report, "held.EUR") == "100.00"
    assert {end.state: str(end.money) for end in trace.ends} == {
        "in transit": "40.00", "held": "50.00", "disputed": "10.00",
    }  # fmt: skip
