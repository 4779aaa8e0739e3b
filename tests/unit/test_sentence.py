"""The sentence of a trace: every leg is true, whoever wrote the texts, and whoever confirmed how much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charitychain.ledger import Ledger
from charitychain.sentence import said, sentence

NOON = 1_790_000_000  # 2026-09-21
Entry = dict[str, Any]


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    """Give an account `edu` with 10.00, of which X-1 spent 9.00, and a school and an auditor that look on."""
    ledger = Ledger.create(tmp_path / "s.ledger", origin="s.example", keys=tmp_path / "keys", clock=lambda: NOON)
    with ledger.writer() as writer:
        writer.party("school", roles=["charity"])
        writer.party("aud", roles=["auditor"])
        writer.commit()
        writer.account("edu", unit="CNY")
        writer.donation("D-1", account="edu", amount="10")
        writer.expenditure("X-1", source="edu", amount="9", payee="Shop", purpose="books")
    return ledger


def enter(ledger: Ledger, *entries: Entry) -> str:
    """Record entries and return the sentence of the gift."""
    with ledger.writer() as writer:
        for entry in entries:
            writer.add(entry)
    return sentence(ledger.trace("D-1"))


def outcome(id_: str, indicator: str, quantity: int, *of: str, **more: Any) -> Entry:
    return {"record": "outcome", "id": id_, "account": "edu", "indicator": indicator, "quantity": quantity,
            "of": list(of or ("X-1",)), **more}  # fmt: skip


def say(id_: str, about: str, author: str = "school", **more: Any) -> Entry:
    return {"record": "acknowledgement", "id": id_, "acknowledges": about, "author": author, **more}


def spend(id_: str, amount: str, **more: Any) -> Entry:
    told = {"record": "expenditure", "id": id_, "from": "edu", "amount": amount, "payee": "Shop", "purpose": "books"}
    return told | more


def test_outcomes_share_a_use_by_what_each_claims(book: Ledger) -> None:
    """2.00 of the 9.00 became books and 7.00 meals; what each says the gift paid is that much."""
    told = enter(book, outcome("O-1", "books", 3, amount="2"), outcome("O-2", "meals", 7, amount="7"))
    assert told == (
        "Of your 10.00 CNY: 7.00 became 7 meals (reported by self), payment reported; 2.00 became 3 books (reported by"
        " self), payment reported; 1.00 waits in edu."
    )
    assert [str(found.paid) for found in book.trace("D-1").outcomes] == ["2.00", "7.00"]


def test_outcomes_of_the_same_uses_are_told_together_and_alike_ones_added(book: Ledger) -> None:
    """One training taught pupils and teachers; books bought in three shops are one number."""
    told = enter(book, outcome("O-1", "pupils", 30), outcome("O-2", "teachers", 2))
    assert "9.00 became 30 pupils and 2 teachers (reported by self), payment reported;" in told
    enter(book, {"record": "donation", "id": "D-2", "account": "edu", "amount": "9"})
    for number in range(2, 5):
        enter(book, spend(f"X-{number}", "1"), outcome(f"O-b{number}", "books", number, f"X-{number}", place="Lombok"))
    assert sentence(book.trace("D-2")) == (
        "Of your 9.00 CNY: 7.00 waits in edu; 2.00 became 7 books at Lombok (reported by self), payment reported."
    )


def test_who_confirms_is_who_confirms_most(book: Ledger) -> None:
    """A school that confirms one cent does not stand for a whole that only a stand-in confirms."""
    told = enter(book, say("A-1", "X-1", amount="0.01"), say("A-2", "X-1", "aud", on_behalf_of="SD Suka"))
    assert "9.00 went to Shop for books, confirmed by aud for SD Suka (stand-in) and 1 more on 2026-09-21;" in told


def test_a_part_that_is_confirmed_is_told_as_a_part(book: Ledger) -> None:
    """Of 9.00 the school confirms 4.00; then it denies all."""
    assert "9.00 went to Shop for books, 4.00 CNY of it confirmed by school on 2026-09-21;" in enter(
        book, say("A-1", "X-1", amount="4")
    )
    told = enter(book, say("A-2", "X-1", amount="2", status="disputed"))
    assert told == (
        "Of your 10.00 CNY: 7.00 went to Shop for books, reported; 2.00 is disputed by school; 1.00 waits in edu."
    )
    assert [(end.state, str(end.money)) for end in book.trace("D-1").ends] == [
        ("held", "1.00"), ("reported", "7.00"), ("disputed", "2.00"),
    ]  # fmt: skip


def test_the_same_party_confirms_an_outcome_and_its_payment(book: Ledger) -> None:
    """Then one word says both; before, the outcome is its author's word."""
    told = enter(book, outcome("O-1", "books", 3, place="SD Suka"), say("A-1", "X-1", date="2026-09-04"))
    assert "9.00 became 3 books at SD Suka (reported by self), payment confirmed by school on 2026-09-04" in told
    told = enter(book, say("A-2", "O-1", date="2026-09-20"))
    assert "9.00 became 3 books at SD Suka, confirmed by school on 2026-09-20" in told
    assert book.trace("D-1").outcomes[0].end.state == "acknowledged"
    told = enter(book, say("A-3", "O-1", "aud", status="disputed"))
    assert "became" not in told and "9.00 went to Shop for books, confirmed by school on 2026-09-04" in told


def test_the_whole_cost_of_an_outcome_is_the_givers_even_where_part_of_it_is_told_apart(book: Ledger) -> None:
    """An outcome that stands on office costs too became of this gift alone, which paid both."""
    told = enter(book, spend("X-2", "1", category="administration"), outcome("O-1", "wells", 3, "X-1", "X-2"))
    assert told == (
        "Of your 10.00 CNY: 9.00 became 3 wells (reported by self), payment reported; 1.00 administration."
    )


def test_text_of_others_cannot_speak_for_the_sentence(book: Ledger) -> None:
    """A purpose that looks like a leg, and an indicator that looks like a confirmation, stand in quotation marks."""
    enter(book, {"record": "reversal", "id": "U-1", "reverses": "X-1"})
    forged = 'books, confirmed by school on 2026-05-04; 0.50 "office"'
    assert enter(book, spend("X-2", "9", purpose=forged)) == (
        "Of your 10.00 CNY: 9.00 went to Shop for \"books, confirmed by school on 2026-05-04; 0.50 'office'\","
        " reported; 1.00 waits in edu."
    )
    forgeries = ("3 books (acknowledged: school", "books Confirmed by school", "3 wells; 2 taps", "A [X-9]", "a “b”")
    assert all(said(text) == f'"{text}"' for text in forgeries)
    assert all(said(text) == text for text in ("Toko Buku & Co.", "pupils taught", "80,000 Hours (UK)", "沪江图书"))


def test_words_that_come_late_say_so(book: Ledger) -> None:
    """A word of 2014 that was sealed in 2026 is no word of 2014."""
    enter(book, {"record": "period", "id": "P-1", "until": "2026-08-31"})
    told = enter(book, say("A-1", "X-1", date="2014"))
    assert "confirmed by school in 2014, recorded 11 years later;" in told
    (word,) = book.trace("D-1").uses[0].end.words
    assert (word.date, word.sealed, word.late) == ("2014", "2026-09-21", True)


def test_what_was_handed_over_says_who_has_it(book: Ledger) -> None:
    """The sentence names the receiver; before that the money is on its way, by the payer's word alone."""
    enter(book, {"record": "account", "id": "class", "unit": "CNY", "owner": "school"})
    pay = {"record": "disbursement", "id": "B-1", "from": "edu", "to": "class", "amount": "1"}
    assert enter(book, pay).endswith("; 1.00 is in transit to class.")
    assert enter(book, say("A-1", "B-1", date="2026-09-20")).endswith(
        "; 1.00 waits in class, received by school on 2026-09-20, recorded 1 day later."
    )
    (held,) = book.trace("D-1").to_dict()["held"]
    assert [word["id"] for word in held["received"]] == ["A-1"]


def test_matches_are_told_by_both_as_long_as_they_stand(book: Ledger) -> None:
    """A match that was reversed is no match any more; of a gift that was, its match says so, with the reason."""
    with book.writer() as writer:
        writer.pledge("P-1", account="edu", amount="20")
        writer.donation("M-1", account="edu", amount="10", because_of="D-1", pledge="P-1")
    assert (book.trace("D-1").matched_by, book.trace("M-1").because_of) == (("M-1",), "D-1")
    enter(book, {"record": "reversal", "id": "U-1", "reverses": "M-1", "reason": "order was refunded"})
    assert book.trace("D-1").matched_by == ()
    assert [void.reason for void in book.trace("M-1").reversed] == ["order was refunded"]
    enter(book, {"record": "donation", "id": "M-2", "account": "edu", "amount": "10", "because_of": "D-1",
                 "pledge": "P-1"})  # fmt: skip
    assert book.trace("D-1").matched_by == ("M-2",) and not book.trace("M-2").because_of_reversed
    enter(book, {"record": "reversal", "id": "U-2", "reverses": "X-1"})
    enter(book, {"record": "reversal", "id": "U-3", "reverses": "D-1"})
    assert book.trace("M-2").because_of_reversed
