"""What is known of a record: who may say that it arrived, how much of it, when, and how a trace tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charitychain.answers import FinalUse, Step
from charitychain.cli.tree import trace_tree
from charitychain.errors import RefusedError
from charitychain.ledger import Ledger
from charitychain.state.lookup import Link

NOON = 1_790_000_000  # 2026-09-21
Entry = dict[str, Any]


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    """Give a charity's `fund` with 1,000.00 that a platform took in, a hospital's `ward`, and others who look on."""
    ledger = Ledger.create(tmp_path / "e.ledger", origin="e.example", keys=tmp_path / "keys", clock=lambda: NOON)
    with ledger.writer() as writer:
        for party in ("charity", "hospital", "sponsor"):
            writer.party(party, roles=["charity"])
        writer.party("board", roles=["auditor"])
        writer.commit()
        for account, unit, owner in (
            ("fund", "CNY", "charity"), ("ward", "CNY", "hospital"), ("cash", "CNY", "sponsor"),
            ("steps", "STEP", "charity"),
        ):  # fmt: skip
            writer.account(account, unit=unit, owner=owner)
        writer.donation("D-1", account="fund", amount="1000", author="self")
    return ledger


def enter(ledger: Ledger, *entries: Entry) -> None:
    """Record entries in a block of their own."""
    with ledger.writer() as writer:
        for entry in entries:
            writer.add(entry)


def together(ledger: Ledger, *entries: Entry) -> None:
    """Record entries as one statement."""
    enter(ledger, {"record": "statement", "records": list(entries)})


def refused(ledger: Ledger, *entries: Entry) -> str:
    """Return why the last of these entries is refused; the others are recorded."""
    enter(ledger, *entries[:-1])
    with pytest.raises(RefusedError) as caught:
        enter(ledger, entries[-1])
    assert caught.value.code == "CC-ACKNOWLEDGED"
    return caught.value.message


def pay(id_: str = "B-1", amount: str = "300", **more: Any) -> Entry:
    return {"record": "disbursement", "id": id_, "from": "fund", "to": "ward", "amount": amount, **more}


def spend(id_: str = "X-1", amount: str = "300", source: str = "fund", **more: Any) -> Entry:
    return {"record": "expenditure", "id": id_, "from": source, "amount": amount, "payee": "P", "purpose": "q", **more}


def say(id_: str, about: str, author: str = "hospital", **more: Any) -> Entry:
    return {"record": "acknowledgement", "id": id_, "acknowledges": about, "author": author, **more}


def undo(id_: str, about: str, **more: Any) -> Entry:
    return {"record": "reversal", "id": id_, "reverses": about, **more}


def hand_over(account: str, owner: str) -> Entry:
    return {"record": "account-change", "id": f"AC-{account}-{owner}", "account": account, "owner": owner}


def step(ledger: Ledger, id_: str = "B-1", gift: str = "D-1") -> Step:
    return next(found for found in ledger.trace(gift).steps if found.id == id_)


def use(ledger: Ledger, id_: str = "X-1", gift: str = "D-1") -> FinalUse:
    return next(found for found in ledger.trace(gift).uses if found.id == id_)


def held(ledger: Ledger, gift: str = "D-1") -> list[tuple[str, int, str]]:
    return [(found.account, found.money.amount // 100, found.state) for found in ledger.trace(gift).held]


# ------------------------------------------------------------------------------------------- who may say so


def test_who_funds_a_conversion_does_not_acknowledge_it(book: Ledger) -> None:
    """The sponsor whose account paid has signed it, and is no stranger; somebody else is."""
    enter(book, {"record": "donation", "id": "S-1", "account": "steps", "amount": "100"})
    enter(book, {"record": "donation", "id": "D-2", "account": "cash", "amount": "50"})
    enter(book, {"record": "conversion", "id": "C-1", "from": "steps", "amount": "100", "to": "fund", "gives": "50",
                 "funded_from": "cash"})  # fmt: skip
    assert refused(book, say("A-1", "C-1", "sponsor")) == (
        "'sponsor' cannot acknowledge 'C-1': it owned 'cash' when that paid it; somebody else must say that it arrived"
    )
    assert "owned 'steps' when that paid it" in refused(book, say("A-1", "C-1", "charity"))
    enter(book, say("A-1", "C-1", "board"))
    (word,) = step(book, "C-1", "S-1").end.words
    assert (word.by, word.how, word.amount) == ("board", "independent", 100)
    (word,) = step(book, "C-1", "D-2").end.words  # of a conversion the same amount is acknowledged in both traces
    assert (step(book, "C-1", "D-2").end.state, word.amount) == ("acknowledged", 100)


def test_a_target_of_a_conversion_may_speak(book: Ledger) -> None:
    """It had to sign to let the value in, and it is who received it."""
    enter(book, {"record": "account", "id": "masks", "unit": "MASK", "owner": "hospital"})
    enter(book, {"record": "conversion", "id": "C-1", "from": "fund", "amount": "10", "to": "masks", "gives": "40"})
    enter(book, say("A-1", "C-1", "hospital"))
    assert [(word.by, word.how) for word in step(book, "C-1").end.words] == [("hospital", "recipient")]


def test_an_account_that_was_handed_over_keeps_its_payer(book: Ledger) -> None:
    """Neither who owned it when it paid nor who owns it now says that the money arrived."""
    enter(book, pay(), spend(), hand_over("fund", "sponsor"))
    for party, why in (("charity", "owned 'fund' when that paid it"), ("sponsor", "owns 'fund', which paid it")):
        assert why in refused(book, say("A-1", "B-1", party))
        assert why in refused(book, say("A-1", "X-1", party))
    # A payer that later owns what it paid into is no recipient; a recipient that later owns what paid it is one.
    enter(book, hand_over("ward", "charity"))
    assert "owned 'fund' when that paid it" in refused(book, say("A-1", "B-1", "charity"))
    enter(book, hand_over("ward", "sponsor"), say("A-1", "B-1", "sponsor"))
    assert [(word.by, word.how) for word in step(book).end.words] == [("sponsor", "recipient")]


def test_who_signed_a_payment_does_not_acknowledge_it(book: Ledger) -> None:
    """An approver has vouched for it already, unless the money went to an account of its own."""
    approvals = {"of": ["board", "hospital"], "needed": 1}
    enter(book, {"record": "account-change", "id": "AC", "account": "fund", "approvals": approvals})
    enter(book, pay("B-1", approved_by=["board"]), pay("B-2", approved_by=["hospital"]))
    enter(book, spend("X-1", "1", approved_by=["hospital"]))
    assert refused(book, say("A-1", "B-1", "board")) == (
        "'board' cannot acknowledge 'B-1': it signed it; somebody else must say that it arrived"
    )
    assert "it signed it" in refused(book, say("A-1", "X-1", "hospital"))
    enter(book, say("A-1", "B-1", "hospital"), say("A-2", "B-2", "hospital"), say("A-3", "B-2", "board"))
    assert [word.how for word in step(book, "B-2").end.words] == ["recipient", "independent"]


def test_a_word_is_the_recipients_if_it_was_then(book: Ledger) -> None:
    """Who received the money stays its recipient when the account goes to somebody else, and the newcomer was none."""
    enter(book, pay(), say("A-1", "B-1", amount="100"))
    enter(book, hand_over("ward", "sponsor"))
    enter(book, say("A-2", "B-1", amount="100"), say("A-3", "B-1", "sponsor", amount="100"))
    assert [(word.by, word.how) for word in step(book).end.words] == [
        ("hospital", "recipient"), ("hospital", "independent"), ("sponsor", "recipient"),
    ]  # fmt: skip
    assert step(book).by == "charity"


def test_who_answers_for_a_record_is_who_owned_its_account(book: Ledger) -> None:
    """A new owner did not spend what the old one spent, even if both signed."""
    together(book, spend(), hand_over("fund", "sponsor"))
    assert use(book).by == "charity"


# ------------------------------------------------------------------------------------------------ how much


def test_the_same_part_said_twice_is_not_the_whole(book: Ledger) -> None:
    """What a party acknowledges of a record sums up, and never beyond what stands of it."""
    enter(book, pay(), say("A-1", "B-1", amount="200"))
    assert refused(book, say("A-2", "B-1", amount="200")) == (
        "of 'B-1' 300.00 CNY stands; you acknowledged 200.00 CNY of it already; 100.00 CNY is left"
    )
    assert step(book).end.state == "partly acknowledged"
    enter(book, say("A-2", "B-1", "board", amount="200"))  # each party counts by itself
    assert step(book).end.state == "partly acknowledged"
    enter(book, say("A-3", "B-1"))  # all that is left
    assert step(book).end.state == "acknowledged"
    assert [word.amount for word in step(book).end.words] == [20_000, 20_000, 10_000]
    assert "0.00 CNY is left" in refused(book, say("A-4", "B-1"))


def test_words_in_one_statement_sum_up_too(book: Ledger) -> None:
    """Entered at once, one by one or together."""
    enter(book, pay(), pay("B-2"))
    assert "100.00 CNY is left" in refused(book, say("A-1", "B-1", amount="200"), say("A-2", "B-1", amount="200"))
    with pytest.raises(RefusedError, match="you acknowledged 200"), book.writer() as writer:
        writer.add(say("A-3", "B-2", amount="200"))
        writer.add(say("A-4", "B-2", amount="200"))
    with pytest.raises(RefusedError, match="you acknowledged 200"):
        together(book, say("A-5", "B-2", amount="200"), say("A-6", "B-2", amount="200"))
    together(book, say("A-5", "B-2", amount="200"), say("A-6", "B-2"))
    assert step(book, "B-2").end.state == "acknowledged" and book.verify().holds


def test_a_dispute_withdraws_what_was_said(book: Ledger) -> None:
    """Afterwards the same party may say again how much arrived, of the whole."""
    enter(book, pay(), say("A-1", "B-1", amount="200"), say("A-2", "B-1", status="disputed"))
    assert step(book).end.why == "disputed by hospital"
    enter(book, say("A-3", "B-1", amount="250"))
    assert (step(book).end.state, step(book).end.disputed) == ("partly disputed", 5_000)
    assert "50.00 CNY is left" in refused(book, say("A-4", "B-1", amount="50.01"))
    enter(book, say("A-4", "B-1", amount="50"))
    assert step(book).end.state == "acknowledged"


def test_what_was_reversed_of_a_disbursement_need_not_arrive(book: Ledger) -> None:
    """Words are compared with what stands; one without an amount was about what stood then."""
    enter(book, pay(), undo("U-1", "B-1", amount="100"))
    assert refused(book, say("A-1", "B-1", amount="201")) == ("of 'B-1' 200.00 CNY stands, so no more can have arrived")
    enter(book, say("A-1", "B-1", amount="150"), say("A-2", "B-1"))
    assert [word.amount for word in step(book).end.words] == [15_000, 5_000]
    assert step(book).end.state == "acknowledged"
    enter(book, undo("U-2", "B-1", amount="50"))
    assert [word.amount for word in step(book).end.words] == [15_000, 5_000]
    assert "you acknowledged 200.00 CNY of it already; 0.00 CNY is left" in refused(book, say("A-3", "B-1"))
    enter(book, undo("U-3", "B-1"))
    assert book.trace("D-1").steps == ()  # wholly undone, it passed nothing on
    assert "0.00 CNY stands" in refused(book, say("A-3", "B-1", "board"))


def test_what_was_reversed_of_a_use_need_not_arrive(book: Ledger) -> None:
    """Of 300 spent 120 came back: 180 confirmed is all of it, and 179 is not."""
    enter(book, spend(), say("A-1", "X-1", amount="179"), undo("U-1", "X-1", amount="120"))
    assert (use(book).money.amount, use(book).state) == (18_000, "partly acknowledged")
    enter(book, say("A-2", "X-1"))
    assert (use(book).state, [word.amount for word in use(book).end.words]) == ("acknowledged", [17_900, 100])
    assert "acknowledged: hospital (independent) confirms 179.00 CNY" in text(book)


def test_more_of_a_gift_than_stands_never_arrived(book: Ledger) -> None:
    """What was entered wrongly and reversed cannot be confirmed."""
    enter(book, undo("U-1", "D-1", amount="400"))
    assert "gift 'D-1' is 600.00 CNY" in refused(book, say("A-1", "D-1", "charity", amount="600.01"))
    enter(book, say("A-1", "D-1", "charity", amount="600"))
    assert held(book) == [("fund", 600, "held")]


# ----------------------------------------------------------------------------------------------- in transit


def test_what_arrived_of_a_gift_is_no_longer_on_its_way(book: Ledger) -> None:
    """A part that arrived is held; what still rests counts, and the last word."""
    enter(book, say("A-1", "D-1", "charity", amount="600"))
    assert held(book) == [("fund", 400, "in transit"), ("fund", 600, "held")]
    assert (
        "Of your 1000.00 CNY: 600.00 waits in fund, received by charity on 2026-09-21; 400.00 is in transit to fund."
        in text(book)
    )
    enter(book, spend("X-1", "500"))
    assert held(book) == [("fund", 400, "in transit"), ("fund", 100, "held")]
    enter(book, spend("X-2", "200"))
    assert held(book) == [("fund", 300, "in transit")]
    enter(book, say("A-2", "D-1", "charity", status="disputed"))
    assert held(book) == [("fund", 300, "disputed")]
    enter(book, say("A-3", "D-1", "charity", amount="900"))
    assert held(book) == [("fund", 100, "in transit"), ("fund", 200, "held")]
    enter(book, {"record": "refund", "id": "R-1", "donation": "D-1", "amount": "250"}, pay("B-1", "20"))
    assert held(book) == [("fund", 30, "in transit"), ("ward", 20, "in transit")]


def test_what_was_handed_over_is_on_its_way_until_its_receiver_has_it(book: Ledger) -> None:
    """Wholly or in part, in the tree, the sentence and the ends; a word that it did not come makes it disputed."""
    enter(book, say("A-0", "D-1", "charity"), pay("B-1", "300"))
    assert held(book) == [("fund", 700, "held"), ("ward", 300, "in transit")]
    assert "300.00 is in transit to ward" in text(book) and "in transit to ward: 300.00 CNY" in text(book)
    assert ends(book) == [("in transit", None, "300.00 CNY"), ("held", None, "700.00 CNY")]
    enter(book, say("A-1", "B-1", amount="100"))
    assert held(book) == [("fund", 700, "held"), ("ward", 200, "in transit"), ("ward", 100, "held")]
    enter(book, spend("X-1", "30", "ward", author="hospital"))  # a third of what is left came
    assert held(book) == [("fund", 700, "held"), ("ward", 180, "in transit"), ("ward", 90, "held")]
    enter(book, say("A-2", "B-1", "board", status="disputed"))
    assert held(book) == [("fund", 700, "held"), ("ward", 270, "disputed")]
    assert "270.00 is disputed in ward" in text(book) and "disputed in ward: 270.00 CNY" in text(book)
    enter(book, say("A-3", "B-1", "board"))
    assert held(book) == [("fund", 700, "held"), ("ward", 270, "held")]


def test_who_goes_on_with_it_or_signed_for_it_has_it(book: Ledger) -> None:
    """A receiver that passes money on within its own accounts, or signed the hand-over, need not confirm it."""
    with book.writer() as writer:
        writer.account("beds", unit="CNY", owner="hospital")
    enter(book, say("A-0", "D-1", "charity"), pay("B-1", "300"), pay("B-2", "40", approved_by=["hospital"]))
    assert held(book) == [("fund", 660, "held"), ("ward", 300, "in transit"), ("ward", 40, "held")]
    enter(book, {"record": "disbursement", "id": "B-3", "from": "ward", "to": "beds", "amount": "300"})
    assert held(book) == [("fund", 660, "held"), ("ward", 40, "held"), ("beds", 300, "held")]


def test_each_receiver_of_a_split_speaks_of_its_part(book: Ledger) -> None:
    """What one confirms leaves the part of another on its way; what was taken back is not waited for."""
    split = {"record": "split", "id": "S-1", "from": "fund", "amount": "500", "to": {"ward": "200", "cash": "300"}}
    enter(book, say("A-0", "D-1", "charity"), split)
    assert held(book)[1:] == [("ward", 200, "in transit"), ("cash", 300, "in transit")]
    enter(book, say("A-1", "S-1"))
    assert held(book)[1:] == [("ward", 200, "held"), ("cash", 300, "in transit")]
    enter(book, undo("U-1", "S-1", **{"from": "cash", "amount": "100"}), say("A-2", "S-1", "sponsor", amount="200"))
    assert held(book)[1:] == [("ward", 200, "held"), ("cash", 200, "held")]


def test_the_last_word_on_a_gift_counts(book: Ledger) -> None:
    """Whether it is about that gift or about all up to one."""
    enter(book, {"record": "gifts", "series": "taps", "account": "fund", "author": "self", "ids": [1, 5],
                 "amounts": ["7", "8"]})  # fmt: skip
    enter(book, {"record": "donation", "id": "D-3", "account": "fund", "amount": "9", "author": "self"})
    enter(book, say("A-1", "D-1", "charity", status="disputed"), say("A-2", "taps/1", "charity", upto=True))
    states = {gift: held(book, gift)[0][2] for gift in ("D-1", "taps/1", "taps/5", "D-3")}
    assert states == {"D-1": "held", "taps/1": "held", "taps/5": "in transit", "D-3": "in transit"}
    enter(book, say("A-3", "D-1", "charity", status="disputed"))
    assert held(book) == [("fund", 1000, "disputed")]
    enter(book, say("A-4", "taps/5", "charity", upto=True))
    assert held(book) == [("fund", 1000, "held")] and held(book, "taps/5") == [("fund", 8, "held")]
    assert held(book, "D-3") == [("fund", 9, "in transit")]


def test_what_an_owner_had_it_still_has_when_the_account_changes_hands(book: Ledger) -> None:
    """Gifts that the owner of then took in or confirmed have arrived; what the owner of now takes in as well."""
    enter(book, {"record": "donation", "id": "D-2", "account": "fund", "amount": "20"})
    enter(book, say("A-1", "D-1", "charity"), hand_over("fund", "sponsor"))
    enter(book, {"record": "donation", "id": "D-3", "account": "fund", "amount": "30"})
    enter(book, {"record": "donation", "id": "D-4", "account": "fund", "amount": "40", "author": "self"})
    states = {gift: held(book, gift)[0][2] for gift in ("D-1", "D-2", "D-3", "D-4")}
    assert states == {"D-1": "held", "D-2": "held", "D-3": "held", "D-4": "in transit"}
    assert [found.facts["amount"] for found in book.verify().findings if found.code == "AUDIT-TRANSIT"] == ["40.00"]
    enter(book, hand_over("fund", "hospital"))
    assert {gift: held(book, gift)[0][2] for gift in ("D-1", "D-2", "D-3", "D-4")} == states


# ---------------------------------------------------------------------------------------------- ends of a gift


def ends(ledger: Ledger, gift: str = "D-1") -> list[tuple[str, str | None, str]]:
    return [(end.state, end.how, f"{end.money} {end.money.code}") for end in ledger.trace(gift).ends]


def test_what_is_acknowledged_is_told_by_how_independent_its_witness_is(book: Ledger) -> None:
    """An independent word comes first, then what only the operator says, then what it says for somebody else."""
    enter(book, spend("X-1", "300"))
    enter(book, say("A-1", "X-1", "self", amount="200", on_behalf_of="a school"))
    assert (use(book).end.acknowledged_amount, use(book).end.levels) == (20_000, (("stand-in", 20_000),))
    enter(book, say("A-2", "X-1", "self", amount="50"), say("A-3", "X-1", "board", amount="10"))
    end = use(book).end
    assert end.levels == (("independent", 1_000), ("operator", 5_000), ("stand-in", 25_000))
    assert (end.state, end.acknowledged_amount) == ("partly acknowledged", 25_000)
    assert ends(book) == [
        ("in transit", None, "700.00 CNY"), ("reported", None, "50.00 CNY"),
        ("acknowledged", "independent", "10.00 CNY"), ("acknowledged", "operator", "40.00 CNY"),
        ("acknowledged", "stand-in", "200.00 CNY"),
    ]  # fmt: skip
    enter(book, undo("U-1", "X-1", amount="180"))
    assert use(book).end.levels == (("independent", 1_000), ("operator", 5_000), ("stand-in", 12_000))
    assert use(book).to_dict()["acknowledged_amount"] == "120.00"


def test_two_gifts_share_what_is_acknowledged_to_the_cent(book: Ledger) -> None:
    """A third of a use of two gifts: each has its share, and the shares are the whole."""
    enter(book, {"record": "donation", "id": "D-2", "account": "fund", "amount": "0.02"})
    enter(book, spend("X-0", "999.99"), spend("X-1", "0.03"), say("A-1", "X-1", amount="0.01"))
    assert [use(book, gift=gift).to_dict()["acknowledged_amount"] for gift in ("D-1", "D-2")] == ["0.00", "0.01"]
    assert ends(book, "D-2") == [("reported", None, "0.01 CNY"), ("acknowledged", "independent", "0.01 CNY")]


def test_a_loss_stays_one_and_a_dispute_goes_before(book: Ledger) -> None:
    """Somebody may confirm that it burned, which makes no use of it; who denies it is heard first."""
    enter(book, {"record": "expenditure", "id": "X-1", "from": "fund", "amount": "30", "purpose": "fire",
                 "category": "loss"}, say("A-1", "X-1"))  # fmt: skip
    assert (use(book).state, use(book).end.acknowledged_amount, len(use(book).end.words)) == ("lost", 0, 1)
    assert ends(book)[1:] == [("lost", None, "30.00 CNY")]
    assert "(LOST: reported by charity; hospital (independent) confirms 30.00 CNY" in text(book)
    enter(book, say("A-2", "X-1", "board", status="disputed"))
    assert ends(book)[1:] == [("disputed", None, "30.00 CNY")]


def test_ends_tell_each_unit_by_itself(book: Ledger) -> None:
    """What left by a conversion, and what that gave; what went back, and what never came."""
    enter(book, say("A-0", "D-1", "charity"))
    enter(book, {"record": "account", "id": "masks", "unit": "MASK", "owner": "charity"})
    enter(book, {"record": "conversion", "id": "C-1", "from": "fund", "amount": "10", "to": "masks", "gives": "40"})
    enter(book, spend("X-1", "15", "masks", evidence=["ab" * 32]))
    enter(book, {"record": "refund", "id": "R-1", "donation": "D-1", "amount": "5"}, undo("U-1", "D-1", amount="1"))
    assert ends(book) == [
        ("held", None, "984.00 CNY"), ("refunded", None, "5.00 CNY"), ("converted", None, "10.00 CNY"),
        ("reversed", None, "1.00 CNY"), ("held", None, "25 MASK"), ("evidenced", None, "15 MASK"),
    ]  # fmt: skip
    assert book.trace("D-1").to_dict()["ends"][3:5] == [
        {"state": "reversed", "amount": "1.00", "unit": "CNY"}, {"state": "held", "amount": "25", "unit": "MASK"},
    ]  # fmt: skip


def test_a_trace_says_what_its_uses_led_to(book: Ledger) -> None:
    """The gift paid a part of what an outcome names; what was reversed of it is no part of either."""
    enter(book, {"record": "donation", "id": "D-2", "account": "fund", "amount": "50"})
    enter(book, spend("X-1", "900"), spend("X-2", "150"))
    enter(book, {"record": "outcome", "id": "O-1", "account": "fund", "indicator": "pupils taught", "quantity": 7,
                 "of": ["X-1", "X-2"], "author": "board", "evidence": ["ab" * 32], "date": "2026-09"})  # fmt: skip
    enter(book, undo("U-1", "X-2", amount="30"))
    assert [found["paid"] for gift in ("D-1", "D-2") for found in book.trace(gift).to_dict()["outcomes"]] == [
        "980.00", "40.00",
    ]  # fmt: skip
    (told,) = book.trace("D-2").to_dict()["outcomes"]
    assert told == {
        "id": "O-1", "indicator": "pupils taught", "quantity": 7, "by": "board", "date": "2026-09",
        "state": "evidenced", "expenditures": ["X-1", "X-2"], "paid": "40.00", "of": "1020.00", "unit": "CNY",
        "evidence": ["ab" * 32], "sealed": "2026-09-21", "lag_days": 0,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------- late


def test_words_that_come_after_their_period_are_late(book: Ledger) -> None:
    """Pledges, plans, acknowledgements and attestations that are dated in a closed period are told as late."""
    enter(book, pay())
    before = {"date": "2026-08-31"}
    line = {"line": "a", "kind": "goods", "what": "b", "quantity": 1, "price": "1"}

    def words(mark: str) -> list[Entry]:
        return [
            {"record": "pledge", "id": f"P-{mark}", "account": "fund", "amount": "1", **before},
            {"record": "plan", "id": f"PLAN-{mark}", "account": "fund", "lines": [line], **before},
            say(f"A-{mark}", "B-1", amount="1", **before),
            say(f"G-{mark}", "D-1", "charity", **before),
            {"record": "attestation", "id": f"T-{mark}", "accounts": ["fund"], "amount": "1", "at": "2026-08-31",
             "author": "board", **before},
        ]  # fmt: skip

    enter(book, *words("early"))
    enter(book, {"record": "period", "id": "PC", "until": "2026-08-31", "accounts": ["fund"], "author": "charity"})
    enter(book, *words("late"), {**words("undated")[0], "date": "2026-09"})
    late = sorted(about for about, _ in book.reader().index.linked(Link.LATE))
    assert late == ["A-late", "G-late", "P-late", "PLAN-late", "T-late"]


def test_a_trace_says_what_came_after_its_period(book: Ledger) -> None:
    """The gift itself, the records that passed it on, and its uses: in JSON and in words."""
    before, series = {"date": "2026-08-31"}, {"record": "gifts", "series": "taps", "account": "fund", "author": "self"}
    gift = {"record": "donation", "account": "fund", "amount": "10", "author": "self", **before}
    enter(book, gift | {"id": "D-2"})
    enter(book, {"record": "period", "id": "PC", "until": "2026-08-31", "accounts": ["fund"], "author": "charity"})
    enter(book, gift | {"id": "D-3"}, series | {"ids": [1], "amounts": ["1"], **before})
    enter(book, series | {"ids": [2], "amounts": ["1"], "date": "2026-09"})
    enter(book, pay("B-1", "600", **before), pay("B-2", "410"), spend("X-1", "1", **before))
    told = {gift: book.trace(gift).to_dict() for gift in ("D-1", "D-2", "D-3", "taps/1", "taps/2")}
    assert {gift: "late" in found for gift, found in told.items()} == {
        "D-1": False, "D-2": False, "D-3": True, "taps/1": True, "taps/2": False,
    }  # fmt: skip
    assert told["D-3"]["late"] is True and told["D-3"]["uses"][0]["late"] is True
    assert [(found["id"], found.get("late")) for found in told["D-1"]["steps"]] == [("B-1", True), ("B-2", None)]
    words = "2026-08-31 (recorded 21 days later), after its period was closed"
    assert f"of 10.00 CNY, {words}, into fund" in text(book, "D-3")
    assert f"B-1, a disbursement of 600.00 CNY in all, {words} (reported by charity)" in text(book)


# ------------------------------------------------------------------------------------------- what was undone


def test_a_reversal_is_told_with_what_was_entered_instead_of_it(book: Ledger) -> None:
    """In its own statement; else what came in statements that reversed nothing of the same record."""
    enter(book, spend("X-1", "300"))
    together(book, undo("U-1", "X-1", amount="100"), spend("X-2", "100", "fund", replaces="X-1", category="programme"))
    together(book, undo("U-2", "X-1", amount="50"), spend("X-3", "50", "fund", replaces="X-1", category="fundraising"))
    enter(book, undo("U-3", "X-1", amount="10"))
    enter(book, spend("X-4", "10", replaces="X-1"))
    told = {found["id"]: found["taken_over_by"] for found in book.trace("D-1").to_dict()["corrections"]}
    assert told == {
        "U-1": [{"id": "X-2", "account": "fund"}], "U-2": [{"id": "X-3", "account": "fund"}],
        "U-3": [{"id": "X-4", "account": "fund"}],
    }  # fmt: skip


def test_a_disbursement_that_was_entered_again_is_told_too(book: Ledger) -> None:
    """What replaces a disbursement is one, or a split."""
    enter(book, pay())
    together(book, undo("U-1", "B-1"), pay("B-2", "200", replaces="B-1"))
    assert "U-1: 300.00 CNY of B-1 came back to fund; entered instead: B-2 out of fund" in text(book)


@pytest.mark.parametrize("wrong", [spend(), pay()])
def test_a_reversal_of_one_gifts_share_is_a_choice(book: Ledger, wrong: Entry) -> None:
    """It is told as chosen, and so is what its units pay for afterwards; what no name touched is not."""
    enter(book, {"record": "donation", "id": "D-2", "account": "fund", "amount": "1"})
    enter(book, {**wrong, "amount": "1000.50"})
    enter(book, undo("U-1", wrong["id"], gift="D-2"), spend("X-2", "1"))
    ways = [(found.path, found.chosen) for found in book.trace("D-2").uses if found.id == "X-2"]
    assert ways == [((), False), ((("B-1",) if wrong["id"] == "B-1" else ()) + ("U-1",), True)]
    (correction,) = book.trace("D-2").to_dict()["corrections"]
    assert correction["chosen"] is True
    assert f"U-1: 0.50 CNY of {wrong['id']} came back to fund, chosen" in text(book, "D-2")
    enter(book, undo("U-2", "X-2"))
    assert [found.get("chosen") for found in book.trace("D-2").to_dict()["corrections"]] == [True, None]


def test_a_plan_is_replaced_once(book: Ledger) -> None:
    """Which of two successors counts could not be told."""
    plan = {"record": "plan", "account": "fund",
            "lines": [{"line": "a", "kind": "goods", "what": "b", "quantity": 1, "price": "1"}]}  # fmt: skip
    enter(book, {**plan, "id": "PLAN-1"}, {**plan, "id": "PLAN-2", "replaces": "PLAN-1"})
    with pytest.raises(RefusedError, match="plan 'PLAN-1' was replaced already") as caught:
        enter(book, {**plan, "id": "PLAN-3", "replaces": "PLAN-1"})
    assert caught.value.code == "CC-REPLACES"
    enter(book, {**plan, "id": "PLAN-3", "replaces": "PLAN-2"})


def text(ledger: Ledger, gift: str = "D-1") -> str:
    return "\n".join(trace_tree(ledger.trace(gift), limit=None))
