"""Reports: parts sum to the whole through whatever was bought, names cannot meet, and nothing is counted as better."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import random_history

from charitychain.errors import RefusedError
from charitychain.interop.journal import import_journal
from charitychain.keys import key_id
from charitychain.ledger import Ledger
from charitychain.report.check import check
from charitychain.report.compute import compute
from charitychain.report.html import page
from charitychain.report.layout import headlines, sections
from charitychain.report.model import Figure, Report, in_id, read_report
from charitychain.report.rates import read_rates


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be synced: these ledgers are thrown away."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


def made(folder: Path, *blocks: list[dict[str, Any]], parties: tuple[str, ...] = ("school", "town")) -> Ledger:
    """Return a ledger with these records, each list in a block of its own."""
    ledger = Ledger.create(folder / "t.ledger", origin="t.example", keys=folder)
    with ledger.writer() as writer:
        for party in parties:
            writer.party(party, roles=["charity"])
    for block in blocks:
        enter(ledger, *block)
    return ledger


def enter(ledger: Ledger, *lines: dict[str, Any]) -> None:
    import_journal(ledger, io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))


def account(id_: str, unit: str = "EUR", **more: Any) -> dict[str, Any]:
    return {"record": "account", "id": id_, "unit": unit, **more}


def gift(id_: str, to: str, amount: str, date: str = "2025-01-01", **more: Any) -> dict[str, Any]:
    return {"record": "donation", "id": id_, "account": to, "amount": amount, "date": date, **more}


def buy(id_: str, source: str, amount: str, to: str, gives: str) -> dict[str, Any]:
    return {"record": "conversion", "id": id_, "from": source, "amount": amount, "to": to, "gives": gives}


def spend(id_: str, source: str, amount: str, **more: Any) -> dict[str, Any]:
    return {
        "record": "expenditure", "id": id_, "from": source, "amount": amount, "payee": "p", "purpose": "q", **more,
    }  # fmt: skip


def word(id_: str, about: str, by: str = "school", **more: Any) -> dict[str, Any]:
    return {"record": "acknowledgement", "id": id_, "acknowledges": about, "author": by, **more}


def numerators(report: Report) -> Counter[tuple[str, str]]:
    """Return what became of the gifts by unit and state, in smallest parts."""
    found = Counter[tuple[str, str]]()
    for figure in report.figures:
        if figure.id.startswith("share.") and figure.numerator is not None:
            found[figure.of or "", figure.id.split(".", 2)[2]] = int(figure.numerator.replace(".", ""))
    return +found


def values(report: Report) -> dict[str, int | str]:
    return {figure.id: figure.value for figure in report.figures}


def test_years_of_money_that_bought_goods_sum_to_the_whole(tmp_path: Path) -> None:
    """Of 20.00 that bought 3 masks, one acknowledged, 6.66 is: what one year has of it the other has not."""
    with made(tmp_path, [
        account("f"), account("m", "MASK"), gift("D-1", "f", "10.00", "2024-05-05"), gift("D-2", "f", "10.00"),
        buy("C-1", "f", "20.00", "m", "3"), spend("X-1", "m", "1"),
    ], [word("A-1", "X-1")]) as ledger:  # fmt: skip
        reader = ledger.reader()
        whole = numerators(compute(reader))
        parts = [numerators(compute(reader, last="2024-12-31")), numerators(compute(reader, first="2025-01-01"))]
    assert whole["EUR", "acknowledged"] == whole["EUR", "goods.acknowledged"] == 666
    assert parts[0] + parts[1] == whole
    # Boundaries 1000 and 2000 of the money go to 333 and 666 of what is acknowledged.
    assert [part["EUR", "acknowledged"] for part in parts] == [333, 333]


def test_two_gifts_share_the_piano_that_they_bought(tmp_path: Path) -> None:
    """Two gifts that buy one thing together are both acknowledged when it is; nothing was too little."""
    with made(tmp_path, [
        {"record": "unit", "id": "PIANO", "decimals": 0}, account("f"), account("m", "PIANO"),
        gift("D-1", "f", "500.00", "2024-05-05"), gift("D-2", "f", "500.00"),
        buy("C-1", "f", "1000.00", "m", "1"), spend("X-1", "m", "1"),
    ], [word("A-1", "X-1")]) as ledger:  # fmt: skip
        reader = ledger.reader()
        for first, last in ((None, "2024-12-31"), ("2025-01-01", None), (None, None)):
            assert values(compute(reader, first=first, last=last))["share.EUR.acknowledged"] == "100.00", (first, last)


def test_what_goods_buy_in_turn_counts_too(tmp_path: Path) -> None:
    """Euros buy dollars, dollars buy masks: each stretch of the euros has its share of what the masks became."""
    with made(tmp_path, [
        account("f"), account("u", "USD"), account("m", "MASK"), gift("D-1", "f", "9.00", "2024-05-05"),
        gift("D-2", "f", "21.00"), buy("C-1", "f", "30.00", "u", "33.01"), buy("C-2", "u", "33.00", "m", "7"),
        spend("X-1", "m", "3"), spend("X-2", "m", "1", category="loss"),
    ], [word("A-1", "X-1")]) as ledger:  # fmt: skip
        reader = ledger.reader()
        whole = numerators(compute(reader))
        first, rest = numerators(compute(reader, last="2024-12-31")), numerators(compute(reader, first="2025-01-01"))
    # Of 3301 cents 3300 bought 7 masks: 1414 of them 3 that are acknowledged, 1885 with the 3 that are held, 471 the
    # lost one; 1 cent is held. 3000 cents of euros have ⌊3000·1414/3301⌋ = 1285 of the first, and 2572 with the held.
    assert whole == {
        ("EUR", "acknowledged"): 1285, ("EUR", "held"): 1286, ("EUR", "lost"): 429,
        ("EUR", "goods"): 3000, ("EUR", "goods.acknowledged"): 1285,
    }  # fmt: skip
    assert first + rest == whole


def test_long_chains_of_purchases_are_followed(tmp_path: Path) -> None:
    """A hundred exchanges to and fro end where the last one does."""
    chain = [
        buy(f"C-{n}", ("f", "u")[n % 2], "10.00", ("u", "f")[n % 2], "10.00") for n in range(100)
    ]  # fmt: skip
    with made(tmp_path, [
        account("f"), account("u", "USD"), gift("D-1", "f", "10.00"), *chain, spend("X-1", "f", "10.00"),
    ], [word("A-1", "X-1")]) as ledger:  # fmt: skip
        assert values(compute(ledger.reader()))["share.EUR.acknowledged"] == "100.00"


@pytest.mark.parametrize("kind", ["wild", "funded", "corrections", "wild-batches", "records"])
@pytest.mark.parametrize("seed", range(6))
def test_periods_sum_to_the_whole_to_the_unit(tmp_path: Path, kind: str, seed: int) -> None:
    """On generated ledgers, words about every use: what became of each gift alone sums to what became of all."""
    history = random_history(seed, kind, 40)
    days: list[str] = []
    for line in history:
        if line["record"] in ("donation", "gifts"):
            line["date"] = f"2019-{len(days) // 28 + 1:02}-{len(days) % 28 + 1:02}"
            days.append(line["date"])
    with made(tmp_path, *(history[start : start + 13] for start in range(0, len(history), 13))) as ledger:
        uses = [line["id"] for line in history if line["record"] == "expenditure"]
        for number, use in enumerate(uses):
            if number % 4 == 3:
                continue
            try:
                enter(ledger, word(f"word-{use}", use, status="disputed" if number % 4 == 1 else "received"))
            except RefusedError:  # what was wholly reversed cannot be acknowledged
                assert any(line.get("reverses") == use for line in history)
        reader = ledger.reader()
        whole = numerators(compute(reader))
        sums = Counter[tuple[str, str]]()
        for day in days:
            sums += numerators(compute(reader, first=day, last=day))
        assert sums == whole
        assert not any(state == "not followed" for _, state in whole)


def test_conversions_stand_in_the_ledgers_of_that_test() -> None:
    """At least half of them buy something with nobody else's money."""
    bought = [
        any(line["record"] == "conversion" and not line.get("funded_from") for line in random_history(seed, kind, 40))
        for kind in ("wild", "wild-batches")
        for seed in range(6)
    ]
    assert sum(bought) >= len(bought) // 2


def test_a_unit_may_have_a_dot(tmp_path: Path) -> None:
    """Its shares and amounts are told under its name, in every form."""
    with made(tmp_path, [
        {"record": "unit", "id": "CO2.kg", "decimals": 0}, account("f", "CO2.kg"), gift("D", "f", "5"),
    ]) as ledger:  # fmt: skip
        report = compute(ledger.reader())
    assert [one.of for one in headlines(report)] == ["CO2.kg received"]
    titles = [section.title for section in sections(report)]
    assert titles[0] == "What became of the CO2.kg received" and "Amounts in CO2.kg" in titles
    assert "of all CO2.kg received" in page(report, lambda text: text)
    assert values(report)["received.CO2%2Ekg"] == "5"


def test_no_two_figures_have_one_id(tmp_path: Path) -> None:
    """Names with dots, colons and percent signs do not meet; the report can be read back, and checks."""
    odd = ["web", "a.b", "a:b", "a%3Ab", "100%", "source-not-stated", "x.source:web", "%2E", "."]
    units = ["EUR.source:web", "M.X", "M%2EX"]
    lines = [{"record": "unit", "id": unit, "decimals": 0} for unit in units]
    lines += [account("f", tags={"programme": "x.region:y"}), *(account(f"a{n}", u) for n, u in enumerate(units))]
    lines += [gift(f"D-{n}", "f", f"{n + 1}.00", source=name) for n, name in enumerate(odd)]
    lines += [gift(f"G-{n}", f"a{n}", "7") for n in range(len(units))]
    lines += [spend("X-1", "f", "9.00")]
    indicators = ["books", "books:people", "books:statements", "books%3Apeople", "books.people", "books:disputed"]
    lines += [
        {"record": "outcome", "id": f"O-{n}", "account": "f", "indicator": name, "quantity": n + 1, "of": ["X-1"],
         "beneficiaries": 9} for n, name in enumerate(indicators)
    ]  # fmt: skip
    with made(tmp_path, lines) as ledger:
        report = compute(ledger.reader())
        ids = [figure.id for figure in report.figures]
        assert len(ids) == len(set(ids))
        again = read_report(json.dumps(report.to_dict()).encode(), "r.json")
        assert again.figures == report.figures and check(ledger, again) == ()
    found = values(report)
    assert [found[f"received.EUR.source:{in_id(name)}"] for name in odd] == [f"{n + 1}.00" for n in range(len(odd))]
    assert [found[f"outcome:{in_id(name)}"] for name in indicators] == [1, 2, 3, 4, 5, 6]


def outcome(id_: str, quantity: int, *of: str, indicator: str = "books", **more: Any) -> dict[str, Any]:
    told = {"indicator": indicator, "quantity": quantity, "of": list(of), "beneficiaries": 10 * quantity}
    return {"record": "outcome", "id": id_, "account": "f", "date": "2025-03-01", **told, **more}


def test_outcomes_are_parted_by_how_well_they_are_attested(tmp_path: Path) -> None:
    """Acknowledged, by the operator, by a stand-in, evidenced, reported; what is disputed is not in the total."""
    with made(tmp_path, [
        account("f", owner="aid", author="aid"), gift("D-1", "f", "900.00", author="aid"),
        *(spend(f"X-{n}", "f", "10.00", author="aid") for n in range(7)),
    ], [
        *(outcome(f"O-{n}", 10**n, f"X-{n}", indicator="Books read", author="aid") for n in range(5)),
        outcome("O-5", 100_000, "X-5", indicator="BOOKS  read", author="aid", evidence=["ab" * 32]),
        outcome("O-6", 1_000_000, "X-6", indicator="Books read", date="2026-01-01", author="aid"),
    ], [
        word("A-0", "O-0"), word("A-1", "O-1", status="disputed", note="no"), word("A-2", "O-2", "self"),
        word("A-3", "O-3", "town", on_behalf_of="pupils"),
    ], parties=("school", "town", "aid")) as ledger:  # fmt: skip
        report = compute(ledger.reader(), first="2025-01-01", last="2025-12-31")
    assert {id_: value for id_, value in values(report).items() if id_.startswith("outcome")} == {
        "outcome:Books read": 111_101, "outcome:Books read:acknowledged": 1, "outcome:Books read:operator": 100,
        "outcome:Books read:stand-in": 1_000, "outcome:Books read:evidenced": 100_000,
        "outcome:Books read:reported": 10_000, "outcome:Books read:disputed": 10, "outcome:Books read:statements": 5,
        "outcome:Books read:people": 1_111_010,
    }  # fmt: skip


def test_outcomes_that_the_audit_flags_are_told(tmp_path: Path) -> None:
    """Exceeding after a reversal, without an amount too, and overlapping: as much as the audit says, no more."""
    with made(tmp_path, [
        account("f"), gift("D-1", "f", "900.00"), *(spend(f"X-{n}", "f", "10.00") for n in range(5)),
    ], [
        outcome("O-0", 1, "X-0"), outcome("O-1", 10, "X-1"), outcome("O-2", 100, "X-1", "X-2", amount="10.01"),
        outcome("O-3", 1_000, "X-3", amount="4.00"), outcome("O-4", 10_000, "X-3", amount="6.00"),
        outcome("O-5", 100_000, "X-4", amount="9.00"), outcome("O-6", 1_000_000, "X-0", indicator="readers"),
    ], [
        {"record": "reversal", "id": "U-0", "reverses": "X-0", "amount": "0.01"},
        {"record": "reversal", "id": "U-4", "reverses": "X-4", "amount": "1.00"},
    ]) as ledger:  # fmt: skip
        found = values(compute(ledger.reader()))
        audit = [each for each in ledger.verify().findings if each.code.startswith("AUDIT-OUTCOME")]
    assert {each.facts.get("outcome") for each in audit} == {"O-0", "O-6", None}
    assert [each.facts["outcomes"] for each in audit if "outcomes" in each.facts] == [["O-1", "O-2"]]
    assert (found["outcome:books"], found["outcome:books:flagged"]) == (111_111, 111)
    assert (found["outcome:readers"], found["outcome:readers:flagged"]) == (1_000_000, 1_000_000)


def test_a_gift_that_a_stolen_key_entered_is_disputed(tmp_path: Path) -> None:
    """It is received, told apart, and disputed whatever it became; outcomes that the key signed count for nothing."""
    with made(tmp_path, parties=("school", "aid")) as ledger:
        with ledger.writer() as writer:
            writer.party("thief", roles=["charity", "intake"])
        spare, new = (ledger.keyring.create(ledger.origin, "thief", passphrase=None)[0].public_key.hex() for _ in "ab")
        stolen = next(key for party in ledger.reader().state.parties if party.id == "thief" for key in party.keys)
        enter(ledger, {"record": "control", "id": "K-1", "party": "thief", "recovery": spare})
        enter(ledger, account("f", owner="aid", author="aid"), gift("D-1", "f", "10.00", author="aid"))
        enter(ledger, account("g", owner="thief", author="thief"), gift("D-2", "g", "5.00", author="thief"))
        since = ledger.reader().head.height + 1
        enter(
            ledger, gift("D-3", "f", "1000.00", author="thief", source="cash"), gift("D-4", "f", "7.00", author="thief")
        )
        enter(ledger, spend("X-1", "f", "1010.00", author="aid"), spend("X-2", "g", "5.00", author="thief"))
        enter(ledger, {**outcome("O-1", 8, "X-2", author="thief"), "account": "g"})
        enter(ledger, word("A-1", "X-1"), {"record": "reversal", "id": "U", "reverses": "D-4", "author": "aid"})
        before = compute(ledger.reader())
        marked = {"by_recovery": True, "replaces": key_id(stolen.key).hex(), "compromised_since": since}
        enter(ledger, {"record": "key", "party": "thief", "key": new, **marked})
        after, alone = compute(ledger.reader()), compute(ledger.reader(), first="2025-01-01", last="2025-01-01")
    assert values(before)["share.EUR.acknowledged"] == "99.51" and values(before)["outcome:books"] == 8
    # 10.00 is acknowledged; 1000.00 was entered by the thief, and 5.00 spent by it.
    assert numerators(after) == {("EUR", "acknowledged"): 1000, ("EUR", "disputed"): 100_500}
    assert values(after)["received.EUR"] == "1015.00" and values(after)["received-disputed.EUR"] == "1000.00"
    assert (values(after)["outcome:books"], values(after)["outcome:books:disputed"]) == (0, 8)
    assert numerators(alone) == numerators(after)
    assert values(alone)["received-disputed.EUR"] == "1000.00"


def test_counts_say_what_they_count(tmp_path: Path) -> None:
    """Who owns an account, whatever its role; what was spent from, in the period; accounts, and those not closed."""
    with made(tmp_path, [
        account("f"), account("g", owner="school", author="school"), account("h"), account("i"),
        gift("D-1", "f", "5.00"), gift("D-2", "g", "5.00", author="school"), gift("D-3", "i", "5.00"),
        spend("X-1", "f", "1.00", date="2025-02-01"), spend("X-2", "g", "1.00", date="2024-02-01", author="school"),
        spend("X-3", "i", "1.00", category="loss"), spend("X-4", "f", "1.00", date="2025-02-01"),
    ], [
        {"record": "reversal", "id": "U", "reverses": "X-4"},
        {"record": "account-change", "id": "Z", "account": "h", "closed": True},
    ], parties=("school",)) as ledger:  # fmt: skip
        found = values(compute(ledger.reader(), first="2025-01-01"))
    assert (found["organisations"], found["projects"], found["accounts"], found["accounts.open"]) == (2, 1, 4, 3)


def test_the_share_of_all_money_at_rates(tmp_path: Path) -> None:
    """With rates the first headline is of all money together; its parts are sums at rates."""
    table = tmp_path / "rates.csv"
    table.write_text("unit,to,rate,date,source\nJPY,EUR,0.006,2025-12-31,Central bank\n")
    with made(tmp_path, [
        account("f"), account("j", "JPY"), account("k", "KWD"), account("s", "STEP"), gift("D-1", "f", "10.00"),
        gift("D-2", "j", "2000"), gift("D-3", "k", "1.000"), gift("D-4", "s", "90"), spend("X-1", "f", "4.00"),
        spend("X-2", "j", "500", evidence=["ab" * 32]), spend("X-3", "j", "250"),
    ], [word("A-1", "X-1")]) as ledger:  # fmt: skip
        report = compute(ledger.reader(), rates=read_rates(table))
        plain = compute(ledger.reader())
    told = {
        figure.id.rpartition(".")[2]: (figure.value, figure.numerator, figure.denominator, figure.of)
        for figure in report.figures if figure.id.startswith("at-rates.EUR.share.")
    }  # fmt: skip
    # 10.00 and 2000 * 0.006 = 12.00 were received; 4.00, 3.00 and 1.50 of it came to each state.
    assert told == {
        "acknowledged": ("18.18", "4.00", "22.00", "EUR"), "evidenced": ("13.64", "3.00", "22.00", "EUR"),
        "reported": ("6.82", "1.50", "22.00", "EUR"),
    }  # fmt: skip
    how = next(figure.how for figure in report.figures if figure.id == "at-rates.EUR.share.acknowledged")
    assert "received in EUR, JPY," in how and "left out: KWD" in how
    first, *rest = headlines(report)
    assert first.of == "money received, in EUR at the rates stated," and first.acknowledged.value == "18.18"
    assert [one.of for one in rest] == [one.of for one in headlines(plain)]


def shown(figures: tuple[Figure, ...]) -> Report:
    return Report({"origin": "t.example", "identity": "00", "height": 1, "checkpoint": "x"}, None, None, figures)


def test_long_lists_are_folded_and_nothing_is_lost(tmp_path: Path) -> None:
    """The 20 largest are shown in the report's order, the rest folded; units of which all is zero are left out."""
    parts = tuple(
        Figure(f"received.EUR.organisation:o{n:02}", f"o{n:02}", f"{(7 * n) % 25}.00", "EUR", "By owner.")
        for n in range(25)
    )  # fmt: skip
    zeros = tuple(Figure(f"{what}.STEP", what, "0", "STEP", f"{what}.") for what in ("received", "spent", "held"))
    report = shown((Figure("received.EUR", "Received", "300.00", "EUR", "All."), *parts, *zeros))
    (section,) = sections(report)
    assert section.title == "Amounts in EUR"
    (whole, owners) = section.groups
    assert whole.folded == () and len(owners.shown) == 20
    assert {figure.value for figure in owners.folded} == {"0.00", "1.00", "2.00", "3.00", "4.00"}
    assert tuple(sorted((*owners.shown, *owners.folded), key=lambda figure: figure.id)) == parts
    assert list(owners.shown) == [part for part in parts if part in owners.shown]
    text = page(report, lambda text: text)
    assert "<summary>and 5 more</summary>" in text and all(part.label in text for part in parts) and "STEP" not in text


def test_what_could_only_earn_has_no_share_that_is_acknowledged(tmp_path: Path) -> None:
    """Of steps that were exchanged, and else rest, no row says that nothing was acknowledged."""
    with made(tmp_path, [
        account("w", "STEP"), account("s", "CNY"), account("t", "CNY"), gift("W", "w", "900"), gift("S", "s", "10.00"),
        {**buy("C-1", "w", "600", "t", "6.00"), "funded_from": "s"},
    ]) as ledger:  # fmt: skip
        found = numerators(compute(ledger.reader())), values(compute(ledger.reader()))
    assert found[0] == {("STEP", "earned"): 600, ("STEP", "held"): 300, ("CNY", "held"): 1000}
    assert "share.CNY.acknowledged" in found[1] and "share.STEP.acknowledged" not in found[1]


def test_each_state_has_a_look_of_its_own() -> None:
    """No two states have the same colour and pattern, nor the same letters, which stand in the key and in the bar."""
    from charitychain.report.flows import STATES
    from charitychain.report.html import _STATES

    assert set(_STATES) == {state for state in STATES if state != "reversed"}
    assert len({look[1:] for look in _STATES.values()}) == len({look[0] for look in _STATES.values()}) == len(_STATES)
    for alike in (("held", "transit", "refunded"), ("acknowledged", "operator", "stand-in")):
        assert len({_STATES[state][1] for state in alike}) == len({_STATES[state][2] for state in alike}) == 3
    share = Figure("share.EUR.stand-in", "by a stand-in", "50.00", "%", "How.", "1.00", "2.00", "EUR")
    assert page(shown((share,)), lambda text: text).count("<small>AS</small>") == 2


def test_a_title_is_told_and_checked_where_it_is_expected(tmp_path: Path) -> None:
    """It stands on the page and in the JSON; a check with another one, or with one where there is none, differs."""
    with made(tmp_path, [account("f"), gift("D", "f", "5.00")]) as ledger:
        report = compute(ledger.reader(), title="SYNTHETIC <DATA>")
        again = read_report(json.dumps(report.to_dict()).encode(), "r.json")
        assert again.title == "SYNTHETIC <DATA>"
        assert check(ledger, again) == check(ledger, again, title="SYNTHETIC <DATA>") == ()
        (differs,) = check(ledger, again, title="Audited")
        assert (differs.id, differs.published, differs.computed) == ("title", "SYNTHETIC <DATA>", "Audited")
        (differs,) = check(ledger, compute(ledger.reader()), title="Audited")
        assert (differs.published, differs.computed) == (None, "Audited")
    text = page(report, lambda text: text)
    assert "<title>SYNTHETIC &lt;DATA&gt; - Report of t.example</title>" in text
    assert text.index('<p class="title">') < text.index("As of block" if "As of block" in text else "as of block")
