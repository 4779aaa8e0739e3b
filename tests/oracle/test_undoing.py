"""What is undone in the model, where that is booked, and what a record may say of others, worked out by hand.

Most examples use yen, which have no decimals, so that an amount is a number of coins. In the comments `[1 1 2]` is a
tape whose coins were paid by the gifts D-1, D-1 and D-2; `10%` is the most that may go to costs.
"""

from __future__ import annotations

from typing import Any

import pytest

from .lines import account, change, convert, give, held, pass_on, refund, refused, reverse, spend, split, uses
from .model import Model, Record


def cap(base: str, scope: str = "account", period: str = "year", mode: str = "refuse") -> Record:
    return {"percent": "10", "base": base, "scope": scope, "period": period, "mode": mode}


def base(model: Model, of: str, period: str = "all") -> int:
    """Return what the first cap of an account is a percentage of."""
    return model.weighed().get((of, 0, period), (0, 0))[1]


# -- reversals of splits -----------------------------------------------------------------------------


def _split() -> Model:
    # a has the indices 1 2 4 5 of [1 1 1 2 2 2], [1 1 2 2]; b the rest, [1 2].
    return Model([
        account("fund"), account("a"), account("b"), give("D-1", "fund", "3"), give("D-2", "fund", "3"),
        split("S-1", "fund", "6", {"a": "4", "b": "2"}),
    ])  # fmt: skip


def back(name: str, split: str, out_of: str, **more: Any) -> Record:
    return reverse(name, split, **{"from": out_of}, **more)


def test_a_split_goes_back_out_of_the_target_that_is_named() -> None:
    """Of a [1 1 2 2] three go back, then b [1 2]: the tape of the fund is [1 1 2 1 2], and a 2 is left in a."""
    model = _split()
    for bad in (reverse("n", "S-1"), back("n", "S-1", "fund"), back("n", "S-1", "nowhere")):
        assert refused(model, bad) == "reverses"
    model.apply(back("U-1", "S-1", "a", amount="3"))
    assert (held(model, "D-1"), held(model, "D-2")) == ({"fund": "2", "b": "1"}, {"fund": "1", "a": "1", "b": "1"})
    assert refused(model, back("n", "S-1", "a", amount="2")) == "moved-on"
    model.apply(back("U-2", "S-1", "b"))
    model.apply(spend("X-1", "fund", "4"))
    assert uses(model, "D-1") == [("X-1", "2", ["S-1", "U-1"]), ("X-1", "1", ["S-1", "U-2"])]
    assert uses(model, "D-2") == [("X-1", "1", ["S-1", "U-1"])]
    model.apply(back("U-3", "S-1", "a"))
    assert refused(model, back("n", "S-1", "a")) == refused(model, back("n", "S-1", "b")) == "moved-on"
    assert refused(model, reverse("n", "U-2")) == "reverses"
    assert (model.balance("fund"), model.balance("a"), model.balance("b")) == ("2", "0", "0")


def test_a_transfer_to_one_account_need_not_name_it_and_nothing_else_names_any() -> None:
    """A split in one part and a disbursement go back with or without `from`; a use, a gift and a pledge never with."""
    model = Model([
        account("fund"), account("a"), give("D-1", "fund", "9"), split("S-1", "fund", "3", {"a": "3"}),
        pass_on("B-1", "fund", "a", "3"), spend("X-1", "fund", "1"), reverse("U-1", "S-1", amount="1"),
        back("U-2", "S-1", "a", amount="1"), reverse("U-3", "B-1", amount="1"), back("U-4", "B-1", "a", amount="1"),
        {"record": "pledge", "id": "P-1", "account": "fund", "amount": "1"},
    ])  # fmt: skip
    assert (model.balance("fund"), model.balance("a")) == ("6", "2")
    for wrong in ("X-1", "D-1", "P-1"):
        assert refused(model, back("n", wrong, "fund")) == "reverses", wrong


def test_of_a_split_one_gift_goes_back_and_only_what_never_left() -> None:
    """D-2 has 2 in a and 1 in b; a spent all and got one 2 back, so of the split only b's 2 is left to go back."""
    model = _split()
    model.apply(spend("X-1", "a", "4"))
    model.apply(reverse("U-1", "X-1", gift="D-2", amount="1"))
    assert refused(model, back("n", "S-1", "a", gift="D-2")) == "moved-on"
    assert refused(model, back("n", "S-1", "b", gift="D-2", amount="2")) == "moved-on"
    assert refused(model, back("n", "S-1", "b", gift="D-9")) == "unknown-donation"
    model.apply(back("U-2", "S-1", "b", gift="D-2"))
    assert held(model, "D-2") == {"a": "1", "fund": "1"}
    model.apply(back("U-3", "S-1", "b"))
    assert held(model, "D-1") == {"fund": "1"}


def test_a_split_that_went_back_stays_in_the_sum_of_the_levy_and_moves_no_phase() -> None:
    """8% of 10 and 10 are 0 and 1, though the first 10 are back; the pool's phase is what its rule took, 20 mod 20."""
    model = Model([
        account("admin"), account("school"), account("pool", rule="pro-rata", levy={"admin": "8"}),
        give("D-1", "pool", "30"), split("S-1", "pool", "10", {"school": "10"}), reverse("U-1", "S-1"),
    ])  # fmt: skip
    assert refused(model, split("n", "pool", "10", {"school": "10"})) == "levy"
    model.apply(split("S-2", "pool", "10", {"school": "9", "admin": "1"}))
    assert (model.accounts["pool"].rule_taken, model.balance("pool")) == (20, "20")


def test_a_split_goes_back_with_the_signatures_of_its_source_and_of_the_account_that_gives() -> None:
    """The source signs, and the target with its approvers: b's not for a's part."""
    model = Model([
        account("fund"), account("a", owner="clinic"),
        account("b", owner="school", approvals={"of": ["z"], "needed": 1}),
        give("D-1", "fund", "4"), split("S-1", "fund", "4", {"a": "2", "b": "2"}),
    ])  # fmt: skip
    for_a, for_b = back("U-1", "S-1", "a"), back("U-2", "S-1", "b")
    assert refused(model, for_a, "self") == refused(model, {**for_a, "author": "clinic"}, "clinic") == "signature"
    assert refused(model, for_b, "self", "z") == "signature"
    assert refused(model, for_b, "self", "school") == "approvals"
    model.apply(for_a, frozenset({"self", "clinic"}))
    model.apply(for_b, frozenset({"self", "school", "z"}))
    assert model.balance("fund") == "4"


def test_a_split_does_not_go_back_to_a_closed_account_or_in_its_own_statement() -> None:
    """A closed source takes nothing in; a split is reversed by a later statement."""
    model = _split()
    model.apply(change("AC-1", "fund", closed=True))
    assert refused(model, back("n", "S-1", "a")) == "closed"
    both = [split("S-2", "a", "1", {"b": "1"}), reverse("n", "S-2")]
    assert refused(model, {"record": "statement", "records": both}) == "same-statement"


# -- what is booked, for whom and for when -----------------------------------------------------------


def test_what_an_account_holds_goes_and_comes_when_it_changes_hands() -> None:
    """Of b's 40 the clinic used 30: the operator gets 10 and no costs, and the clinic keeps its own 40 and 30."""
    model = Model([
        account("a", caps=[cap("received", "party", "all")]), account("b", owner="clinic"),
        account("c", owner="clinic", caps=[cap("received", "party", "all", "flag")]), give("D-1", "a", "60"),
        give("D-2", "b", "40"), spend("X-1", "b", "30", category="administration"),
        change("AC-1", "b", owner="self"),
    ])  # fmt: skip
    assert (model.weighed()["a", 0, "all"], model.weighed()["c", 0, "all"]) == ((0, 70), (30, 40))
    # The account alone is what it was: 40 given, and nothing from elsewhere.
    model.apply(change("AC-2", "b", caps=[cap("received", "account", "all")]))
    assert model.weighed()["b", 0, "all"] == (30, 40)
    assert refused(model, spend("n", "a", "8", category="administration")) == "cap"
    model.apply(spend("X-2", "a", "7", category="administration"))
    # What is undone now was the clinic's, and would have gone along with the account, or not.
    model.apply(reverse("U-1", "X-1", amount="4"))
    assert (model.weighed()["a", 0, "all"], model.weighed()["c", 0, "all"]) == ((7, 74), (26, 40))
    model.apply(reverse("U-2", "D-2", amount="5"))
    assert (model.weighed()["a", 0, "all"], model.weighed()["c", 0, "all"]) == ((7, 69), (26, 35))


def test_an_account_changes_hands_in_the_year_of_the_change() -> None:
    """Handed over with 40 in 2025 and back with 30 in 2026: 40 came to the clinic in 2025, and 30 to the operator."""
    model = Model([
        account("a", caps=[cap("received", "party")]), account("b", owner="clinic", caps=[cap("received", "party")]),
        give("D-1", "a", "40", date="2025-03"), account("d", caps=[cap("received", "party")]),
        change("AC-1", "a", owner="clinic", date="2025-04-01"), spend("X-1", "a", "10", date="2026-01-01"),
        change("AC-2", "a", owner="self", date="2026"),
    ])  # fmt: skip
    assert [base(model, "b", year) for year in ("2025", "2026")] == [40, 0]
    assert [base(model, "d", year) for year in ("2025", "2026")] == [40, 30]


def test_what_is_undone_of_a_transfer_is_taken_off_in_its_year_and_under_its_owners() -> None:
    """30 of 50 sent in 2025 come back in 2026: 20 came to the clinic in 2025, and nothing came or went in 2026."""
    model = Model([
        account("a", caps=[cap("spent")]), account("b", owner="clinic", caps=[cap("received")]),
        account("c", owner="clinic", caps=[cap("received", "party")]), give("D-1", "a", "90", date="2025"),
        pass_on("B-1", "a", "b", "50", date="2025-12-31"), reverse("U-1", "B-1", amount="30", date="2026-01-01"),
        pass_on("B-2", "a", "b", "1", date="2026-02"),
    ])  # fmt: skip
    assert [base(model, name, year) for name in "abc" for year in ("2025", "2026")] == [20, 1, 20, 1, 20, 1]
    model = Model([
        account("a", caps=[cap("spent")]), account("b", owner="clinic", caps=[cap("received")]),
        account("c", owner="clinic", caps=[cap("received")]), give("D-1", "a", "90", date="2025"),
        split("S-1", "a", "50", {"b": "30", "c": "20"}, date="2025"), back("U-1", "S-1", "b", date="2026"),
        back("U-2", "S-1", "c", amount="5", date="2026"),
        give("D-2", "a", "1", date="2026"),
    ])  # fmt: skip
    assert [base(model, name, year) for name in "abc" for year in ("2025", "2026")] == [15, 0, 0, 0, 15, 0]


def _hopped(*more: Record, period: str = "year") -> Model:
    # 30 of 40, given in 2024, went from a to b in 2025, and 20 of them on to c in 2026.
    caps = [cap("received", "account", period)]
    return Model([
        account("a", caps=caps), account("b", owner="clinic", caps=caps), account("c", owner="school", caps=caps),
        give("D-1", "a", "40", date="2024"), pass_on("B-1", "a", "b", "30", date="2025"),
        split("S-1", "b", "20", {"c": "20"}, date="2026"), *more,
    ])  # fmt: skip


def test_what_is_undone_counts_as_if_it_had_never_been_when_accounts_changed_hands() -> None:
    """9 come back of what a sent to b: a's hand-over in 2025 was of 49, and b's in 2026 of 11, not of 40 and 20."""
    model = Model([
        account("a", caps=[cap("received", "party")]), account("b", caps=[cap("received", "party")]),
        account("c", owner="clinic", caps=[cap("received", "party")]),
        account("d", owner="school", caps=[cap("received", "party")]), give("D-1", "a", "60", date="2024"),
        pass_on("B-1", "a", "b", "20", date="2024"), change("AC-1", "a", owner="clinic", date="2025"),
        change("AC-2", "b", owner="school", date="2026"),
    ])  # fmt: skip
    assert [base(model, "c", year) for year in ("2024", "2025", "2026")] == [0, 40, 0]
    assert [base(model, "d", year) for year in ("2024", "2025", "2026")] == [0, 0, 20]
    model.apply(reverse("U-1", "B-1", amount="9"))
    assert [base(model, "c", year) for year in ("2024", "2025", "2026")] == [0, 49, 0]
    assert [base(model, "d", year) for year in ("2024", "2025", "2026")] == [0, 0, 11]
    model.apply(reverse("U-2", "D-1"))
    assert not any(model.books.sums.values())


def test_a_use_that_comes_back_went_along_when_its_account_changed_hands() -> None:
    """Of 10 the operator used 6 and handed 4 over; 5 of these come back: it handed 9 over, in the year of that."""
    model = Model([
        account("a"), account("c", owner="clinic", caps=[cap("received", "party")]),
        give("D-1", "a", "10", date="2024"), spend("X-1", "a", "6", date="2024"),
        change("AC-1", "a", owner="clinic", date="2025"), reverse("U-1", "X-1", amount="5", date="2026"),
    ])  # fmt: skip
    assert [base(model, "c", year) for year in ("2024", "2025", "2026")] == [0, 9, 0]
    model.check()


def test_a_gift_reversed_after_many_hand_overs_leaves_nobody_anything() -> None:
    """It was at the operator's, the clinic's, and in an account that the clinic had and the school got meanwhile."""
    model = Model([
        account("a"), account("b", owner="clinic"), give("D-0", "a", "3", date="2023"),
        give("D-1", "a", "8", date="2024"), change("AC-1", "a", owner="clinic", date="2024"),
        pass_on("B-1", "a", "b", "5", gift="D-1", date="2025"), change("AC-2", "a", owner="self", date="2025"),
        change("AC-3", "b", owner="school", date="2026"), pass_on("B-2", "b", "a", "2", date="2026"),
        change("AC-4", "a", owner="school", date="2026"), reverse("U-1", "D-1"), refund("R-1", "D-0"),
    ])  # fmt: skip
    model.check()
    left = {place: amount for place, amount in model.books.sums.items() if amount}
    # D-0 came with account a, to the clinic and back and to the school, which gave it back to the donor.
    assert sum(abs(amount) for place, amount in left.items() if place.what == "given") == 6
    assert {place.account for place in left} == {"a"}
    assert set(left.values()) == {3, -3}


def test_a_gift_that_was_not_received_is_undone_hop_by_hop() -> None:
    """10 from a, 10 from b and 15 from c are as if they had never been: no year of any account keeps them."""
    before = {("a", "2024"): 40, ("b", "2025"): 30, ("c", "2026"): 20}
    after = {("a", "2024"): 5, ("b", "2025"): 5, ("c", "2026"): 5}
    for model, bases in ((_hopped(), before), (_hopped(reverse("U-1", "D-1", amount="35", date="2026")), after)):
        found = {(name, year): amount for (name, _, year), (_, amount) in model.weighed().items() if amount}
        assert found == bases
        model.check()
    model = _hopped(reverse("U-1", "D-1", amount="35"))
    assert held(model, "D-1") == {"c": "5"}
    model.apply(reverse("U-2", "D-1"))
    assert not any(model.books.sums.values())


def test_hops_that_were_undone_are_not_undone_again() -> None:
    """Sent, sent back and sent to another account: the gift's reversal undoes the last transfer only."""
    model = _hopped(
        reverse("U-1", "S-1", amount="20", date="2026"), reverse("U-2", "B-1", date="2026"),
        pass_on("B-2", "a", "c", "15", date="2026"), spend("X-1", "c", "5", date="2026"), reverse("U-3", "X-1"),
        reverse("U-4", "D-1", date="2026"),
    )  # fmt: skip
    assert held(model, "D-1") == {}
    assert not any(model.books.sums.values())


def test_a_refund_counts_in_its_own_year_where_it_is_taken_from() -> None:
    """Of 10 held in c, refunded in 2026, c's own books lose 10 of 2026; a's and b's keep all they had."""
    model = _hopped(refund("R-1", "D-1", amount="10", date="2026", **{"from": "c"}))
    found = {(name, year): amount for (name, _, year), (_, amount) in model.weighed().items() if amount}
    assert found == {("a", "2024"): 40, ("b", "2025"): 30, ("c", "2026"): 10}


def test_what_a_cap_is_a_percentage_of_is_never_below_nothing() -> None:
    """100 given in 2025 and refunded in 2026 make less than nothing of 2026: no costs are no more than that."""
    model = Model([
        account("a", caps=[cap("received")]), give("D-1", "a", "100", date="2025"),
        refund("R-1", "D-1", amount="60", date="2026"),
    ])  # fmt: skip
    assert (base(model, "a", "2025"), base(model, "a", "2026"), model.exceeded()) == (100, 0, [])
    model.apply(give("D-2", "a", "70", date="2026"))
    assert base(model, "a", "2026") == 10
    assert refused(model, spend("n", "a", "2", category="administration", date="2026")) == "cap"


def test_a_conversion_went_and_came_and_is_not_undone_with_the_gift() -> None:
    """20 of 50 yen became dollars: the other 30 can be taken back, and the 20 that went stay gone."""
    model = Model([
        account("yen", caps=[cap("spent", "account", "all")]), account("usd", "USD", caps=[cap("received")]),
        give("D-1", "yen", "50"), convert("C-1", "yen", "20", "usd", "0.40", date="2026"),
        reverse("U-1", "D-1", amount="30"),
    ])  # fmt: skip
    assert (base(model, "yen"), base(model, "usd", "2026")) == (20, 40)


# -- what a record may say ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "future"),
    [("2026-06-15", ""), ("2026-06-16", ""), ("2026-06-17", "future"), ("2026-06", ""), ("2026-07", "future"),
     ("2026", ""), ("2027", "future"), ("2999-01-01", "future"), ("1999", "")],
)  # fmt: skip
def test_a_date_begins_tomorrow_at_the_latest(date: str, future: str) -> None:
    """On 15 June a record may say 16 June, or a month or year that has begun; of any kind."""
    start = [
        account("edu"), account("b"), account("masks", "MASK"), give("D-1", "edu", "9"), spend("X-1", "edu", "1"),
        {"record": "pledge", "id": "P-1", "account": "edu", "amount": "1", "due": "2999-01-01"},
    ]  # fmt: skip
    for number, record in enumerate((
        give("n", "edu", "1"), spend("n", "edu", "1"), pass_on("n", "edu", "b", "1"),
        split("n", "edu", "1", {"b": "1"}), refund("n", "D-1", amount="1"), reverse("n", "X-1"),
        reverse("n", "D-1", amount="1"), convert("n", "edu", "1", "masks", "1"), change("n", "edu", title="x"),
        {"record": "pledge", "id": "n", "account": "edu", "amount": "1"},
    )):  # fmt: skip
        model = Model(start, today="2026-06-15")
        if future:
            assert refused(model, {**record, "date": date}) == future, number
        else:
            model.apply({**record, "date": date})


def test_a_change_must_change_something() -> None:
    """Nothing said, closing what is closed and opening what is open are refused; stating a term again is not."""
    model = Model([account("edu", naming="forbidden")])
    assert refused(model, change("n", "edu")) == "change"
    assert refused(model, change("n", "edu", date="2026-01-01", reference="7")) == "change"
    assert refused(model, change("n", "edu", closed=False)) == "change"
    assert refused(model, change("n", "edu", closed=False, title="x")) == "change"
    model.apply(change("AC-1", "edu", naming="forbidden"))
    model.apply(change("AC-2", "edu", closed=True))
    assert refused(model, change("n", "edu", closed=True)) == "change"
    model.apply(change("AC-3", "edu", closed=False))


REVERSED: list[Record] = [
    account("edu"), account("b"), account("masks", "MASK"), give("D-1", "edu", "20"), give("D-2", "edu", "5"),
    spend("X-1", "edu", "1"), spend("X-2", "edu", "1"), pass_on("B-1", "edu", "b", "2"),
    split("S-1", "edu", "2", {"b": "2"}), convert("C-1", "edu", "1", "masks", "1"),
    reverse("U-1", "X-1"), reverse("U-2", "B-1", amount="1"), reverse("U-3", "S-1"), reverse("U-4", "D-1", amount="5"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "replaced"),
    [
        (give("n", "edu", "1"), {"D-1"}),
        (spend("n", "edu", "1"), {"X-1"}),
        (pass_on("n", "edu", "b", "1"), {"B-1", "S-1"}),
        (split("n", "edu", "1", {"b": "1"}), {"B-1", "S-1"}),
        (convert("n", "edu", "1", "masks", "1"), set()),
    ],
)
def test_a_record_replaces_a_reversed_one_of_its_kind(record: Record, replaced: set[str]) -> None:
    """A disbursement and a split may stand for each other; nothing stands for what was not reversed, even in part."""
    names = ("D-1", "D-2", "X-1", "X-2", "B-1", "S-1", "C-1", "U-1", "edu", "self", "nothing")
    model = Model(REVERSED)
    assert {name for name in names if not _refusal(model, {**record, "replaces": name})} == replaced


def _refusal(model: Model, record: Record, *signers: str, **more: Any) -> str:
    """Return why a record is refused, or nothing: then it is applied, under another id each time."""
    record = {**record, **more, "id": f"n-{len(model.ids)}"}
    try:
        return refused(model, record, *signers)
    except pytest.fail.Exception:
        return ""


def test_what_replaces_a_record_is_signed_by_its_owner_of_now_or_its_author() -> None:
    """The platform entered D-1 into edu, which is the clinic's by now: either of them signs, the owner of then need
    not, and the owner of the new account is not enough."""
    model = Model([
        account("edu"), account("home"), give("D-1", "edu", "5", author="platform"), reverse("U-1", "D-1"),
        change("AC-1", "edu", owner="clinic"),
    ])  # fmt: skip
    again = give("n", "home", "1", replaces="D-1", author="self")
    assert _refusal(model, again, "self") == "signature"
    assert _refusal(model, again, "self", "board") == "signature"
    assert _refusal(model, again, "self", "clinic") == ""
    assert _refusal(model, again, "self", "platform") == ""
    assert _refusal(model, again, "platform", author="platform") == ""


def _plan(name: str, of: str, *lines: str, **more: Any) -> Record:
    told = [{"line": line, "kind": "money", "what": "w", "quantity": 1, "price": "1"} for line in lines]
    return {"record": "plan", "id": name, "account": of, "lines": told, **more}


def test_a_line_of_a_plan_is_named_with_the_signature_of_the_plans_owner_of_now() -> None:
    """A use of home names a line of the clinic's plan: the clinic signs too, until the plan's account is another's."""
    model = Model([
        account("home"), account("far", owner="clinic"), account("masks", "MASK"), give("D-1", "home", "9"),
        _plan("PL-1", "far", "books"),
    ])  # fmt: skip
    for record in (
        spend("n", "home", "1", line="PL-1/books"),
        convert("n", "home", "1", "masks", "1", line="PL-1/books"),
    ):
        assert _refusal(model, record, "self") == "signature"
        assert _refusal(model, record, "self", "clinic") == ""
    assert _refusal(model, spend("n", "home", "1", line="PL-1/rice"), "self", "clinic") == "line"
    model.apply(change("AC-1", "far", owner="self"))
    assert _refusal(model, spend("n", "home", "1", line="PL-1/books"), "self") == ""


def test_a_plan_is_replaced_once_by_a_plan_of_its_account() -> None:
    """The second that replaces it, and one of another account, are refused; the one that replaced it can be."""
    model = Model([account("home"), account("b"), _plan("PL-1", "home", "books")])
    assert _refusal(model, _plan("n", "b", "books", replaces="PL-1")) == "replaces"
    model.apply(_plan("PL-2", "home", "books", replaces="PL-1"))
    assert _refusal(model, _plan("n", "home", "books", replaces="PL-1")) == "replaces"
    assert _refusal(model, _plan("n", "home", "books", replaces="home")) == "replaces"
    assert _refusal(model, _plan("n", "home", "books", replaces="PL-2")) == ""
