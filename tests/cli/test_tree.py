"""The text form of a trace says all that its JSON says: how a record ended, by whose word, and how late it was told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from charitychain.answers import EndSum, Held, Reached
from charitychain.basis import lag_days
from charitychain.cli.tree import trace_tree
from charitychain.ledger import Ledger

NOON = 1_790_000_000  # 2026-09-21


@pytest.fixture
def relief(tmp_path: Path) -> Ledger:
    """Give a ledger in which a platform takes in gifts for a charity, which passes them on to a hospital."""
    ledger = Ledger.create(tmp_path / "r.ledger", origin="r.example", keys=tmp_path / "keys", clock=lambda: NOON)
    with ledger.writer() as writer:
        writer.party("charity", roles=["charity"])
        writer.party("hospital", roles=["charity"])
        writer.commit()
        writer.account("fund", unit="CNY", owner="charity")
        writer.account("other", unit="CNY", owner="charity")
        writer.account("ward", unit="CNY", owner="hospital")
        writer.donation("D-1", account="fund", amount="10", author="self", date="2026-09-20")
        writer.donation("D-2", account="other", amount="10", author="charity")
    return ledger


def told(ledger: Ledger, gift: str = "D-1", limit: int | None = None) -> list[str]:
    return list(trace_tree(ledger.trace(gift), limit=limit))


def add(ledger: Ledger, *listed: dict[str, object]) -> None:
    with ledger.writer() as writer:
        for entry in listed:
            writer.add(entry)


GIVE = {"record": "disbursement", "id": "B-1", "from": "fund", "to": "ward", "amount": "8", "date": "2026-06-01"}
SPEND = {"record": "expenditure", "id": "X-1", "from": "fund", "amount": "2", "payee": "P", "purpose": "masks"}


def test_money_that_its_charity_has_not_confirmed_is_in_transit(relief: Ledger) -> None:
    """Until the owner of the account says so, nothing shows that the platform passed it on."""
    assert told(relief)[:3] == [
        "\x1b[1mGift D-1\x1b[0m of 10.00 CNY, 2026-09-20 (recorded 1 day later), into fund",
        "Of your 10.00 CNY: 10.00 is in transit to fund.",
        "└─ in transit to fund: 10.00 CNY",
    ]
    add(relief, {"record": "acknowledgement", "id": "A-1", "acknowledges": "D-1"})
    assert told(relief)[1:4] == [
        "Of your 10.00 CNY: 10.00 waits in fund, received by charity on 2026-09-21.",
        "├─ 10.00 CNY arrived, says charity, 2026-09-21 [A-1]",
        "└─ held in fund: 10.00 CNY",
    ]


def test_a_step_says_who_confirms_it_and_how_late_it_was_told(relief: Ledger) -> None:
    """Reported, then partly confirmed, then disputed: the last word of each party counts."""
    step = "   └─ B-1, a disbursement of 8.00 CNY in all, 2026-06-01 (recorded 3 months later)"
    add(relief, GIVE)
    assert told(relief)[-3] == f"{step} (reported by charity)"
    said = {"record": "acknowledgement", "acknowledges": "B-1", "author": "hospital"}
    add(relief, {**said, "id": "A-1", "amount": "5"})
    word = "hospital (recipient) confirms 5.00 CNY, 2026-09-21"
    assert told(relief)[-3] == f"{step} (partly acknowledged: {word}; reported by charity)"
    add(relief, {**said, "id": "A-2", "status": "disputed", "amount": "3"})
    assert told(relief)[-3] == (
        f"{step} (PARTLY DISPUTED: disputed by hospital; reported by charity; {word};"
        " hospital (recipient) disputes 3.00 CNY, 2026-09-21)"
    )


def test_a_stand_in_is_shown_as_one(relief: Ledger) -> None:
    """The platform speaks for a school that has no key, and the tree says for whom."""
    said = {
        "record": "acknowledgement",
        "id": "A-1",
        "acknowledges": "X-1",
        "on_behalf_of": "SD Suka",
        "author": "self",
    }
    add(relief, SPEND)
    add(relief, said)
    assert (
        "│  └─ 2.00 CNY to P for masks, 2026-09-21 [X-1] (acknowledged: self for SD Suka (stand-in) confirms 2.00 CNY"
        in ("\n".join(told(relief)))
    )


def test_what_was_undone_says_who_took_over(relief: Ledger) -> None:
    """One line in both traces: here it came back, there it was taken over."""
    add(relief, SPEND)
    swap = [
        {"record": "reversal", "id": "U-1", "reverses": "X-1", "reason": "wrong fund"},
        {**SPEND, "id": "X-2", "from": "other", "replaces": "X-1"},
    ]
    add(relief, {"record": "statement", "records": swap})
    assert (
        "└─ undone by U-1: 2.00 CNY of X-1 came back to fund (wrong fund); entered instead: X-2 out of other"
        in told(relief)
    )
    assert (
        "│  └─ 2.00 CNY to P for masks, 2026-09-21 [X-2 instead of X-1, taken over from fund] (reported by charity)"
        in told(relief, "D-2")
    )


def test_a_gift_entered_wrongly_was_never_received(relief: Ledger) -> None:
    """It is neither spent nor refunded."""
    add(relief, {"record": "reversal", "id": "U-1", "reverses": "D-2", "amount": "4"})
    assert told(relief, "D-2")[1:4] == [
        "Of your 10.00 CNY: 6.00 waits in other; 4.00 was never received.",
        "├─ held in other: 6.00 CNY",
        "└─ reversed by U-1: 4.00 CNY was entered wrongly and never received",
    ]


def test_what_comes_after_its_period_was_closed_is_told(relief: Ledger) -> None:
    """The date lies in a period whose totals had been stated."""
    add(
        relief,
        {"record": "period", "id": "P-1", "until": "2026-08-31", "accounts": ["fund", "other"], "author": "charity"},
    )
    add(relief, {**SPEND, "date": "2026-08-01"})
    assert "2026-08-01 (recorded 51 days later), after its period was closed [X-1]" in "\n".join(told(relief))


def test_no_text_of_a_trace_steers_a_terminal(relief: Ledger) -> None:
    """The records refuse control characters; a trace that came another way could still bring some."""
    evil = "a\x1b[31mb\u202ec"
    add(relief, SPEND)
    add(relief, {"record": "acknowledgement", "id": "A-1", "acknowledges": "X-1", "author": "self"})
    add(relief, {"record": "reversal", "id": "U-1", "reverses": "X-1", "amount": "1", "reason": "r"})
    trace = relief.trace("D-1")
    (use,), (undone,) = trace.uses, trace.corrections
    end = replace(use.end, words=(replace(use.end.words[0], by=evil, on_behalf_of=evil, void=evil),))
    reached = Reached("O-1", evil, 3, evil, 5, evil, evil, end, use.money, use.money, None, (use.id,), (), evil)
    hostile = replace(
        trace,
        uses=(replace(use, payee=evil, purpose=evil, by=evil, replaces=evil, taken_over_from=evil, end=end),),
        outcomes=(reached,),
        arrived=end.words,
        because_of=evil,
        matched_by=(evil,),
        ends=(EndSum(evil, use.money, evil),),
        held=(Held(evil, use.money),),
        corrections=(replace(undone, reason=evil, reverses=evil, taken_over_by=((evil, evil),)),),
    )
    text = "\n".join(trace_tree(hostile, limit=None))
    for styled in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
        text = text.replace(styled, "")
    assert "\x1b" not in text and "\u202e" not in text and text.count("a\\u001b[31mb\\u202ec") == 30


def test_long_lists_are_cut_and_say_so(relief: Ledger) -> None:
    """Steps as well as uses."""
    for number in range(3):
        add(relief, {**GIVE, "id": f"B-{number}", "amount": "1"})
    assert told(relief, limit=2)[-3] == "   └─ … and 1 more (--all shows them)"


def test_the_sentence_tells_each_cost_as_its_own_leg_and_what_the_rest_became(tmp_path: Path) -> None:
    """Books that a school confirms, office costs, a loss, what waits; then all of it by state."""
    ledger = Ledger.create(tmp_path / "s.ledger", origin="s.example", keys=tmp_path / "keys", clock=lambda: NOON)
    with ledger.writer() as writer:
        writer.party("school", roles=["charity"])
        writer.commit()
        writer.account("edu", unit="CNY")
        writer.donation("D-1", account="edu", amount="10")
        spent = {"source": "edu", "payee": "Toko Buku", "purpose": "books"}
        writer.expenditure("X-1", **spent, amount="8")
        writer.expenditure("X-2", source="edu", amount="0.60", payee="P", purpose="rent", category="administration")
        writer.add({"record": "expenditure", "id": "X-3", "from": "edu", "amount": "0.40", "purpose": "fire",
                    "category": "loss"})  # fmt: skip
        writer.outcome("O-1", account="edu", indicator="books", quantity=3, of=["X-1"], place="SD Sukamaju",
                       beneficiaries=90, amount="7")  # fmt: skip
        writer.commit()
        writer.add({"record": "acknowledgement", "id": "A-1", "acknowledges": "X-1", "author": "school",
                    "date": "2026-05-04"})  # fmt: skip
    lines = told(ledger)
    assert lines[1] == (
        "Of your 10.00 CNY: 7.00 became 3 books at SD Sukamaju (reported by self), payment confirmed by school on"
        " 2026-05-04, recorded 4 months later; 1.00 went to Toko Buku for books, confirmed by school on 2026-05-04,"
        " recorded 4 months later; 1.00 waits in edu; 0.60 administration; 0.40 was lost (fire)."
    )
    assert lines[6:9] == [
        "├─ led to",
        "│  └─ 3 books at SD Sukamaju, 90 beneficiaries, 2026-09-21 [O-1]: this gift paid 7.00 CNY of 7.00, which"
        " it claims of the 8.00 that stand (reported by self)",
        "└─ held in edu: 1.00 CNY",
    ]
    assert lines[-2] == "Ends: 1.00 CNY held, 0.60 CNY reported, 8.00 CNY acknowledged (independent), 0.40 CNY lost"
    assert "0.40 CNY lost: fire, 2026-09-21 [X-3] (LOST: reported by self)" in "\n".join(lines)


def test_the_sentence_names_three_uses_and_counts_the_others(tmp_path: Path) -> None:
    """Another unit is told with its name, and a share of what several gifts paid as a share."""
    ledger = Ledger.create(tmp_path / "s.ledger", origin="s.example", keys=tmp_path / "keys", clock=lambda: NOON)
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        writer.account("masks", unit="MASK")
        writer.donation("D-1", account="edu", amount="20")
        for number in range(1, 6):
            writer.expenditure(f"X-{number}", source="edu", amount=str(number), payee=f"P{number}", purpose="q")
        writer.donation("D-2", account="edu", amount="10")
        writer.expenditure("X-6", source="edu", amount="7", payee="P", purpose="q")
        writer.outcome("O-1", account="edu", indicator="taps", quantity=2, of=["X-6"])
        writer.add({"record": "conversion", "id": "C-1", "from": "edu", "amount": "8", "to": "masks", "gives": "16"})
        writer.expenditure("X-7", source="masks", amount="9", payee="Ward", purpose="care")
    assert told(ledger)[1] == (
        "Of your 20.00 CNY: 5.00 of 7.00 that became 2 taps (reported by self), payment reported; 5.00 went to P5 for"
        " q, reported; 4.00 went to P4 for q, reported; 6.00 went to 3 more uses."
    )
    assert told(ledger, "D-2")[1] == (
        "Of your 10.00 CNY: 8.00 became 16 MASK; 2.00 of 7.00 that became 2 taps (reported by self), payment reported;"
        " 9 MASK went to Ward for care, reported; 7 MASK waits in masks."
    )


@pytest.mark.parametrize(
    ("stated", "sealed", "days"),
    [
        ("2026-02", "2026-03-01", 1), ("2024-02", "2024-02-29", 0), ("2026", "2026-06-01", 0),
        ("2026", "2025-12-30", -2), ("0000", "2026-01-01", 739_617), ("9999-12-31", "2026-01-01", -2_912_442),
    ],
)  # fmt: skip
def test_a_date_is_an_interval_and_lag_counts_from_its_end(stated: str, sealed: str, days: int) -> None:
    """Within the interval there is none."""
    assert lag_days(stated, sealed) == days
