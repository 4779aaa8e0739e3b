"""Corrections, splits and terms in the model, against numbers worked out by hand.

Most examples use yen, which have no decimals, so that an amount is a number of coins. In the comments `[1 1 2]` is a
tape whose coins were paid by the gifts D-1, D-1 and D-2.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from .histories import KINDS_2, random_history
from .lines import (
    account,
    change,
    convert,
    converted,
    gifts,
    give,
    held,
    pass_on,
    refund,
    refused,
    reverse,
    spend,
    split,
    uses,
)
from .model import Model, Record

BOOKS = {"purposes": ["books"]}
SCHOOL = {"purposes": ["books", "desks"]}


def cap(percent: str, base: str, **more: Any) -> Record:
    return {"percent": percent, "base": base, "mode": "refuse", "period": "all", **more}


def cost(name: str, source: str, amount: str, **more: Any) -> Record:
    return spend(name, source, amount, category="administration", **more)


# -- splits ------------------------------------------------------------------------------------------


def test_each_part_of_a_split_takes_evenly_from_what_the_parts_before_it_left() -> None:
    """Of [1 1 1 2 2 2] a part of 4 takes the indices 1 2 4 5, and a part of 2 the rest, one coin of each gift."""
    model = Model([
        account("fund"), account("school"), account("admin"), give("D-1", "fund", "3"), give("D-2", "fund", "3"),
        split("S-1", "fund", "6", {"school": "4", "admin": "2"}), spend("X-1", "school", "3"),
    ])  # fmt: skip
    assert held(model, "D-1") == {"admin": "1"}
    assert held(model, "D-2") == {"admin": "1", "school": "1"}
    assert uses(model, "D-1") == [("X-1", "2", ["S-1"])]
    assert uses(model, "D-2") == [("X-1", "1", ["S-1"])]


def test_parts_of_a_split_are_taken_in_the_order_given() -> None:
    """From [1 1 2 2 2] a first part of 1 is index 4; behind a part of 4, which takes 1 2 3 4, it is index 0."""
    start = [
        account("fund"), account("a"), account("b"), account("c"), give("D-1", "fund", "2"), give("D-2", "fund", "3"),
    ]  # fmt: skip
    model = Model([*start, split("S-1", "fund", "5", {"a": "1", "b": "4"})])
    assert (held(model, "D-1"), held(model, "D-2")) == ({"b": "2"}, {"a": "1", "b": "2"})
    model = Model([*start, split("S-1", "fund", "5", {"b": "4", "a": "1"})])
    assert (held(model, "D-1"), held(model, "D-2")) == ({"a": "1", "b": "1"}, {"b": "3"})
    # [2], then 1 3 of [1 1 2 2], then [1 2].
    model = Model([*start, split("S-1", "fund", "5", {"a": "1", "b": "2", "c": "2"})])
    assert (held(model, "D-1"), held(model, "D-2")) == ({"b": "1", "c": "1"}, {"a": "1", "b": "1", "c": "1"})


def test_a_split_is_one_outflow_for_the_pro_rata_phase() -> None:
    """From [1 1 1 2 2 2] a split of 1 + 1 takes the indices 2 and 5, [1 2], and gives the first part index 1 of
    these; then phi is 2 of 4, so that the next takes index 1."""
    model = Model([
        account("pool", rule="pro-rata"), account("a"), account("b"), give("D-1", "pool", "3"),
        give("D-2", "pool", "3"), split("S-1", "pool", "2", {"a": "1", "b": "1"}), spend("X-1", "pool", "1"),
    ])  # fmt: skip
    assert (held(model, "D-1"), held(model, "D-2")) == ({"pool": "1", "b": "1"}, {"pool": "2", "a": "1"})
    assert uses(model, "D-1") == [("X-1", "1", [])]


@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        ("parts", split("n", "fund", "3", {"a": "1", "b": "1"})),
        ("parts", split("n", "fund", "3", {})),
        ("same-account", split("n", "fund", "3", {"a": "1", "fund": "2"})),
        ("unit", split("n", "fund", "3", {"a": "1", "masks": "2"})),
        ("unknown-account", split("n", "fund", "3", {"a": "1", "nowhere": "2"})),
        ("amount", split("n", "fund", "3", {"a": "3", "b": "0"})),
        ("overdraft", split("n", "fund", "5", {"a": "3", "b": "2"})),
    ],
)
def test_a_split_must_add_up(reason: str, bad: Record) -> None:
    """Parts that do not sum, and a part for the source or for another unit, are refused."""
    model = Model([
        account("fund"), account("a"), account("b"), account("masks", "MASK"), give("D-1", "fund", "5"),
        split("S-1", "fund", "1", {"a": "1"}),
    ])  # fmt: skip
    assert refused(model, bad) == reason
    assert held(model, "D-1") == {"fund": "4", "a": "1"}


# -- reversals of disbursements ----------------------------------------------------------------------


def test_only_what_a_disbursement_laid_and_never_moved_goes_back() -> None:
    """School holds [1 1 2 2] as B-1 laid them and a 1 that was spent and came back: 4 go back, the fifth does not."""
    model = Model([
        account("edu"), account("school"), give("D-1", "edu", "3"), give("D-2", "edu", "3"),
        pass_on("B-1", "edu", "school", "5"), spend("X-1", "school", "1"), reverse("U-1", "X-1"),
    ])  # fmt: skip
    assert refused(model, reverse("U-2", "B-1", amount="5")) == "moved-on"
    model.apply(reverse("U-2", "B-1"))
    assert (held(model, "D-1"), held(model, "D-2")) == ({"edu": "2", "school": "1"}, {"edu": "3"})
    assert refused(model, reverse("U-3", "B-1")) == "moved-on"
    model.apply(spend("X-2", "edu", "4"))  # the tape is [2 1 1 2 2]
    assert uses(model, "D-1") == [("X-2", "2", ["B-1", "U-2"])]
    assert uses(model, "D-2") == [("X-2", "1", []), ("X-2", "1", ["B-1", "U-2"])]


def test_a_part_of_a_disbursement_goes_back_in_tape_order_or_of_one_gift() -> None:
    """Of [1 1 2 2] the first is taken back, then, by name, one of D-2; at home they stand as [1 2]."""
    model = Model([
        account("edu"), account("school"), give("D-1", "edu", "2"), give("D-2", "edu", "2"),
        pass_on("B-1", "edu", "school", "4"), reverse("U-1", "B-1", amount="1"),
        reverse("U-2", "B-1", amount="1", gift="D-2"),
    ])  # fmt: skip
    assert held(model, "D-1") == held(model, "D-2") == {"edu": "1", "school": "1"}
    assert refused(model, reverse("U-3", "B-1", amount="2", gift="D-2")) == "moved-on"
    assert refused(model, reverse("U-3", "B-1", gift="D-9")) == "unknown-donation"
    model.apply(spend("X-1", "edu", "1"))
    assert uses(model, "D-1") == [("X-1", "1", ["B-1", "U-1"])]
    model.apply(reverse("U-3", "B-1", gift="D-2"))
    assert held(model, "D-2") == {"edu": "2"}


def test_a_circle_back_does_not_count_as_what_was_laid() -> None:
    """Coins that left the school and were sent there again are B-3's, not B-1's."""
    model = Model([
        account("edu"), account("school"), give("D-1", "edu", "2"), pass_on("B-1", "edu", "school", "2"),
        pass_on("B-2", "school", "edu", "2"), pass_on("B-3", "edu", "school", "2"),
    ])  # fmt: skip
    assert refused(model, reverse("U-1", "B-1")) == "moved-on"
    assert refused(model, reverse("U-1", "B-2")) == "moved-on"
    model.apply(reverse("U-1", "B-3"))
    assert held(model, "D-1") == {"edu": "2"}
    assert refused(model, reverse("U-2", "U-1")) == "reverses"


def test_what_a_disbursements_reversal_takes_is_no_part_of_the_pro_rata_phase() -> None:
    """The pool [1 1 1 2 2 2] lost 2 by rule and 1 to the reversal: [1 2 2] has phi 2 mod 3, so index 0."""
    model = Model([
        account("edu"), account("pool", rule="pro-rata"), give("D-1", "edu", "3"), give("D-2", "edu", "3"),
        pass_on("B-1", "edu", "pool", "6"), spend("X-1", "pool", "2"), reverse("U-1", "B-1", amount="1"),
        spend("X-2", "pool", "1"),
    ])  # fmt: skip
    assert uses(model, "D-1") == [("X-1", "1", ["B-1"]), ("X-2", "1", ["B-1"])]
    assert held(model, "D-1") == {"edu": "1"}


# -- reversals of expenditures by gift ---------------------------------------------------------------


def test_one_gifts_share_comes_back_first_ones_first_and_counts_for_later_phases() -> None:
    """Of [1 1 1 2 2] one 2 comes back; of [1 1 1 2], 2 with phi 1 are the indices 1 and 3; then all of D-1."""
    model = Model([
        account("edu"), give("D-1", "edu", "3"), give("D-2", "edu", "2"), spend("X-1", "edu", "5"),
        reverse("U-1", "X-1", amount="1", gift="D-2"),
    ])  # fmt: skip
    assert model.sources("X-1") == [("D-1", 3), ("D-2", 1)]
    model.apply(reverse("U-2", "X-1", amount="2"))
    assert model.sources("X-1") == [("D-1", 2)]
    assert refused(model, reverse("U-3", "X-1", gift="D-2")) == "reversal"
    assert refused(model, reverse("U-3", "X-1", gift="D-1", amount="3")) == "reversal"
    model.apply(reverse("U-3", "X-1", gift="D-1"))
    assert (model.sources("X-1"), held(model, "D-1"), held(model, "D-2")) == ([], {"edu": "3"}, {"edu": "2"})
    model.apply(spend("X-2", "edu", "4"))  # the tape is [2 1 2 1 1]
    assert uses(model, "D-1") == [("X-2", "1", ["U-2"]), ("X-2", "1", ["U-3"])]


# -- reversals of donations --------------------------------------------------------------------------


def test_a_donation_is_taken_back_from_its_own_account_first_then_by_age_of_the_account() -> None:
    """5 in c, of which 1 is in a and 1 in b: a reversal of 4 takes 3 from c and 1 from a, and leaves b's."""
    model = Model([
        account("a"), account("b"), account("c"), give("D-1", "c", "5"), pass_on("B-1", "c", "b", "1"),
        pass_on("B-2", "c", "a", "1"), reverse("U-1", "D-1", amount="4"),
    ])  # fmt: skip
    assert held(model, "D-1") == {"b": "1"}
    assert model.trace("D-1")["reversed"] == [{"id": "U-1", "amount": "4", "unit": "JPY"}]
    assert refused(model, reverse("U-2", "D-1", amount="2")) == "reversal"
    model.apply(reverse("U-2", "D-1"))
    assert model.trace("D-1")["reversed"] == [
        {"id": "U-1", "amount": "4", "unit": "JPY"},
        {"id": "U-2", "amount": "1", "unit": "JPY"},
    ]
    assert refused(model, reverse("U-3", "D-1")) == "reversal"
    assert (model.balance("a"), model.balance("b"), model.balance("c")) == ("0", "0", "0")


def test_a_donation_that_was_spent_is_reversed_only_after_its_expenditure_was() -> None:
    """Of [1 1 2] two are spent: the whole gift cannot be taken back, half of it neither, before X-1 is reversed."""
    model = Model([
        account("edu"), give("D-1", "edu", "2"), give("D-2", "edu", "1"), spend("X-1", "edu", "2"),
    ])  # fmt: skip
    assert refused(model, reverse("U-1", "D-1")) == "moved-on"
    assert refused(model, reverse("U-1", "D-1", amount="1")) == "moved-on"
    model.apply(reverse("U-1", "X-1", amount="1", gift="D-1"))
    assert refused(model, reverse("U-2", "D-1")) == "moved-on"
    model.apply(reverse("U-2", "D-1", amount="1"))
    assert (uses(model, "D-1"), held(model, "D-1")) == ([("X-1", "1", [])], {})
    assert held(model, "D-2") == {"edu": "1"}
    model.check()


def test_what_was_converted_there_and_back_is_not_the_gift_as_it_was_received() -> None:
    """Of 5 yen, 2 became dollars and yen again: only the other 3 can be taken back, though 5 yen rest."""
    model = Model([
        account("yen"), account("usd", "USD"), give("D-1", "yen", "5"), convert("C-1", "yen", "2", "usd", "0.02"),
        convert("C-2", "usd", "0.02", "yen", "2"),
    ])  # fmt: skip
    assert held(model, "D-1") == {"yen": "5"}
    assert refused(model, reverse("U-1", "D-1", amount="4")) == "moved-on"
    model.apply(reverse("U-1", "D-1", amount="3"))
    assert held(model, "D-1") == {"yen": "2"}
    assert converted(model, "D-1") == [("C-1", "2", "0.02"), ("C-2", "0.02", "2")]
    assert refused(model, reverse("U-2", "D-1")) == "moved-on"


def test_a_reversed_donation_is_no_part_of_the_pro_rata_phase_and_a_refund_is_not_undone() -> None:
    """After 2 by rule and 1 reversed, [1 2 2] has phi 2 mod 3, so index 0; the 1 refunded of D-2 stays refunded."""
    model = Model([
        account("pool", rule="pro-rata"), give("D-1", "pool", "3"), give("D-2", "pool", "3"), spend("X-1", "pool", "2"),
        reverse("U-1", "D-1", amount="1"), spend("X-2", "pool", "1"), refund("R-1", "D-2", amount="1"),
    ])  # fmt: skip
    assert uses(model, "D-1") == [("X-1", "1", []), ("X-2", "1", [])]
    assert refused(model, reverse("U-2", "D-2", amount="2")) == "moved-on"
    model.apply(reverse("U-2", "D-2", amount="1"))
    assert (model.trace("D-2")["refunded"], held(model, "D-2")) == ("1", {})


def test_a_pledge_is_announced_and_nothing_moves() -> None:
    """Of 10 announced 3 are taken back: 7 are left, 8 cannot be taken back, and no account holds anything."""
    pledge = {"record": "pledge", "id": "P-1", "account": "edu", "amount": "10"}
    model = Model([account("edu"), pledge, reverse("U-1", "P-1", amount="3")])
    assert (model.announced("P-1"), model.balance("edu")) == ("7", "0")
    assert refused(model, reverse("U-2", "P-1", amount="8")) == "reversal"
    model.apply(give("D-1", "edu", "4", pledge="P-1"))
    assert refused(model, give("D-2", "edu", "4", pledge="P-2")) == "unknown-pledge"
    model.apply(reverse("U-2", "P-1"))
    assert (model.announced("P-1"), model.balance("edu")) == ("0", "4")


# -- closed, naming, levy ----------------------------------------------------------------------------


def test_a_closed_account_takes_nothing_in_until_it_is_opened_again() -> None:
    """It closes when it is empty; gifts, transfers, conversions and what would come back are refused till it opens."""
    model = Model([
        account("edu"), account("old"), account("masks", "MASK"), give("D-1", "old", "3"), give("D-2", "edu", "2"),
        give("D-3", "masks", "1"),
    ])  # fmt: skip
    assert refused(model, change("AC-1", "old", closed=True)) == "closed"
    for record in (
        spend("X-1", "old", "1"), pass_on("B-1", "old", "edu", "2"), change("AC-1", "old", closed=True),
        change("AC-2", "old", title="No more"),
    ):  # fmt: skip
        model.apply(record)
    for bad in (
        give("n", "old", "1"), pass_on("n", "edu", "old", "1"), split("n", "edu", "2", {"old": "2"}),
        reverse("n", "X-1"), reverse("n", "B-1"), spend("n", "old", "1"), gifts("n", "old", {1: "1"}),
        refund("n", "D-1"), convert("n", "masks", "1", "old", "1", funded_from="edu"),
        {"record": "pledge", "id": "n", "account": "old", "amount": "1"},
    ):  # fmt: skip
        assert refused(model, bad) == "closed", bad
    for record in (
        change("AC-3", "old", closed=False), reverse("U-1", "X-1"), reverse("U-2", "B-1"), give("D-4", "old", "1"),
    ):  # fmt: skip
        model.apply(record)
    assert (model.balance("old"), held(model, "D-1")) == ("4", {"old": "3"})
    assert refused(model, change("n", "old", closed=True)) == "closed"


def test_where_naming_is_forbidden_only_a_whole_gift_can_be_given_back_or_unreceived() -> None:
    """No use, transfer or reversal of one chooses a gift, on either side; a refund, or the gift's reversal, may."""
    model = Model([
        account("edu", naming="forbidden"), account("school"), account("far"), give("D-1", "edu", "4"),
        give("D-2", "edu", "4"), give("D-3", "school", "3"), spend("X-1", "edu", "1"),
        pass_on("B-1", "edu", "school", "1"), pass_on("B-2", "school", "edu", "1", gift="D-3"),
        split("S-1", "edu", "1", {"far": "1"}), split("S-2", "school", "2", {"far": "1", "edu": "1"}),
    ])  # fmt: skip
    for bad in (
        spend("n", "edu", "1", gift="D-2"), pass_on("n", "edu", "school", "1", gift="D-2"),
        reverse("n", "X-1", gift="D-1"), reverse("n", "B-1", gift="D-1"), reverse("n", "B-2", gift="D-3"),
        reverse("n", "S-1", gift="D-1"), reverse("n", "S-2", gift="D-3", **{"from": "edu"}),
    ):  # fmt: skip
        assert refused(model, bad) == "naming", bad
    for record in (
        reverse("U-1", "X-1"), refund("R-1", "D-2", amount="1"), reverse("U-2", "D-2", amount="1"),
        change("AC-1", "edu", naming="allowed"), reverse("U-3", "B-2", gift="D-3"),
        spend("X-2", "edu", "1", gift="D-2"),
    ):  # fmt: skip
        model.apply(record)
    assert (held(model, "D-2"), held(model, "D-3")) == ({"edu": "1"}, {"school": "1", "far": "1", "edu": "1"})


def test_a_levy_rounds_over_all_splits_and_not_in_each() -> None:
    """8% of 10, 10, 10 and 100: the sums 0.8, 1.6, 2.4 and 10.4 make parts of 0, 1, 1 and 8."""
    model = Model([
        account("admin"), account("school"), account("fund", levy={"admin": "8"}), give("D-1", "fund", "200"),
    ])  # fmt: skip
    assert refused(model, split("n", "fund", "10", {"school": "9", "admin": "1"})) == "levy"
    model.apply(split("S-1", "fund", "10", {"school": "10"}))
    assert refused(model, split("n", "fund", "10", {"school": "10"})) == "levy"
    assert refused(model, split("n", "fund", "10", {"admin": "2", "school": "8"})) == "levy"
    model.apply(split("S-2", "fund", "10", {"admin": "1", "school": "9"}))
    model.apply(split("S-3", "fund", "10", {"school": "9", "admin": "1"}))
    model.apply(split("S-4", "fund", "100", {"school": "92", "admin": "8"}))
    assert (model.balance("admin"), model.balance("school")) == ("10", "120")
    # Set again, it counts from there: 0.8 of the next 10 is nothing once more.
    model.apply(change("AC-1", "fund", levy={"admin": "8"}))
    model.apply(split("S-5", "fund", "10", {"school": "10"}))


def test_value_leaves_an_account_with_a_levy_by_splits_refunds_and_reversals_only() -> None:
    """Disbursement, expenditure, conversion and funding are refused; a refund and both reversals pass."""
    model = Model([
        account("admin"), account("fund"), account("masks", "MASK"), account("steps", "STEP"), give("D-1", "fund", "9"),
        give("D-2", "steps", "1"), give("D-3", "admin", "2"), pass_on("B-1", "admin", "fund", "2"),
        change("AC-1", "fund", levy={"admin": "50"}),
    ])  # fmt: skip
    for bad in (
        spend("n", "fund", "1"), pass_on("n", "fund", "admin", "1"), convert("n", "fund", "1", "masks", "1"),
        convert("n", "steps", "1", "admin", "1", funded_from="fund"),
    ):  # fmt: skip
        assert refused(model, bad) == "levy", bad
    for record in (refund("R-1", "D-1", amount="2"), reverse("U-1", "B-1"), reverse("U-2", "D-1", amount="3")):
        model.apply(record)
    assert held(model, "D-1") == {"fund": "4"}
    for levy in ({"fund": "5"}, {"masks": "5"}, {"admin": "0"}, {"admin": "100.01"}, {"admin": "1.234"}):
        assert refused(model, change("n", "fund", levy=levy)) == "levy", levy
    model.apply(change("AC-2", "fund", levy={}))
    model.apply(spend("X-1", "fund", "4"))


def test_two_shares_may_come_due_at_once_and_be_more_than_a_very_small_split() -> None:
    """Half and half of 1 are nothing and nothing; of the next 1 they are 1 and 1: it takes a split of 2 or more."""
    model = Model([
        account("a"), account("b"), account("c"), account("fund", levy={"a": "50", "b": "50"}),
        give("D-1", "fund", "9"), split("S-1", "fund", "1", {"c": "1"}),
    ])  # fmt: skip
    assert refused(model, split("n", "fund", "1", {"a": "1"})) == "levy"
    model.apply(split("S-2", "fund", "2", {"a": "1", "b": "1"}))


# -- restriction -------------------------------------------------------------------------------------


def test_a_restricted_account_spends_for_its_purposes_in_its_period() -> None:
    """Books or desks, from February to November 2026, with a date that lies wholly inside."""
    bound = {**SCHOOL, "from": "2026-02-01", "until": "2026-11-30"}
    model = Model([account("edu", restriction=bound), give("D-1", "edu", "9")])
    for date in ("2026-02-01", "2026-02", "2026-11-30"):
        model.apply(spend(f"X-{date}", "edu", "1", purpose="desks", date=date))
    for date in ("2026", "2026-01-31", "2026-12-01", "2026-01", "2025", "2026-12"):
        assert refused(model, spend("n", "edu", "1", purpose="books", date=date)) == "restriction", date
    assert refused(model, spend("n", "edu", "1", purpose="books")) == "restriction"
    assert refused(model, spend("n", "edu", "1", purpose="rice", date="2026-06-01")) == "restriction"


def test_restricted_value_goes_only_where_it_stays_as_narrow() -> None:
    """From {books, desks} to {books} and not to {books, rice} or to no restriction, by any kind of record."""
    model = Model([
        account("edu", restriction=SCHOOL), account("narrow", restriction=BOOKS), account("wide"),
        account("other", restriction={"purposes": ["books", "rice"]}), account("goods", "MASK", restriction=BOOKS),
        account("free", "MASK"), give("D-1", "edu", "9"), give("D-2", "free", "9"), give("D-3", "wide", "9"),
    ])  # fmt: skip
    for bad in (
        pass_on("n", "edu", "wide", "1"), pass_on("n", "edu", "other", "1"),
        pass_on("n", "edu", "wide", "1", gift="D-1"), split("n", "edu", "2", {"narrow": "1", "wide": "1"}),
        convert("n", "edu", "1", "free", "1"), convert("n", "free", "1", "wide", "1", funded_from="edu"),
    ):  # fmt: skip
        assert refused(model, bad) == "restriction", bad
    for record in (
        pass_on("B-1", "edu", "narrow", "1"), split("S-1", "edu", "1", {"narrow": "1"}),
        convert("C-1", "edu", "1", "goods", "1"), convert("C-2", "free", "1", "narrow", "1", funded_from="edu"),
        pass_on("B-2", "wide", "narrow", "1"), reverse("U-1", "B-2"), refund("R-1", "D-1", amount="1"),
    ):  # fmt: skip
        model.apply(record)
    assert model.balance("wide") == "9"


def test_a_period_is_kept_by_a_period_inside_it() -> None:
    """An end that is open in the target, or lies outside, is no end inside."""
    year = {"from": "2026-01-01", "until": "2026-12-31"}
    model = Model([account("edu", restriction=year), give("D-1", "edu", "9")])
    narrow = [{"from": "2026-01-01", "until": "2026-12-31"}, {**BOOKS, "from": "2026-03-01", "until": "2026-03-01"}]
    wide = [{"from": "2026-01-01"}, {"until": "2026-12-31"}, {"from": "2025-12-31", "until": "2026-12-31"}, BOOKS]
    for n, bound in enumerate(narrow):
        model.apply(account(f"narrow-{n}", restriction=bound))
        model.apply(pass_on(f"B-{n}", "edu", f"narrow-{n}", "1"))
    for n, bound in enumerate(wide):
        model.apply(account(f"wide-{n}", restriction=bound))
        assert refused(model, pass_on("n", "edu", f"wide-{n}", "1")) == "restriction", bound


def test_a_restriction_is_never_loosened_once_anything_came_in() -> None:
    """An empty account may be loosened; one that took in and gave out all of it may only be narrowed."""
    model = Model([
        account("edu", restriction=BOOKS), change("AC-1", "edu", restriction=SCHOOL), give("D-1", "edu", "1"),
        refund("R-1", "D-1"),
    ])  # fmt: skip
    for loose in ({}, {"purposes": ["books", "desks", "rice"]}, {"from": "2026-01-01"}):
        assert refused(model, change("n", "edu", restriction=loose)) == "restriction", loose
    model.apply(change("AC-2", "edu", restriction={**BOOKS, "until": "2026-12-31"}))
    assert refused(model, change("n", "edu", restriction=BOOKS)) == "restriction"


# -- caps --------------------------------------------------------------------------------------------


def test_a_cap_on_what_was_received_counts_gifts_and_what_came_from_elsewhere_on_balance() -> None:
    """10% of 100 given is 10; 50 more came than went, so 15; once 40 went, 11; a refund and a reversal take off too."""
    model = Model([
        account("edu", caps=[cap("10", "received")]), account("other"), give("D-1", "edu", "100"),
        give("D-2", "other", "50"), cost("X-1", "edu", "10"),
    ])  # fmt: skip
    assert refused(model, cost("n", "edu", "1")) == "cap"
    model.apply(pass_on("B-1", "other", "edu", "50"))
    assert refused(model, cost("n", "edu", "6")) == "cap"
    model.apply(pass_on("B-2", "edu", "other", "40"))  # 110 of base
    assert refused(model, cost("n", "edu", "2")) == "cap"
    model.apply(cost("X-2", "edu", "1"))
    assert model.exceeded() == []
    model.apply(refund("R-1", "D-1", amount="1"))
    assert model.exceeded() == [("edu", 0, "all")]
    model.apply(reverse("U-1", "X-2"))
    model.apply(reverse("U-2", "D-2", amount="9"))  # from edu: 100 - 1 - 9 + 10 = 100
    assert model.exceeded() == []
    model.apply(reverse("U-3", "D-2", amount="1"))
    assert model.exceeded() == [("edu", 0, "all")]


def test_a_cap_on_what_was_spent_counts_the_cost_itself_and_what_went_elsewhere_on_balance() -> None:
    """With 90 for the cause 10 are 10% of 100, and 11 more than 10% of 101; 30 passed on let 3 more through."""
    model = Model([
        account("edu", caps=[cap("10", "spent")]), account("other"), give("D-1", "edu", "200"),
        spend("X-1", "edu", "90", category="programme"),
    ])  # fmt: skip
    assert refused(model, cost("n", "edu", "11")) == "cap"
    model.apply(cost("X-2", "edu", "10"))
    assert refused(model, spend("n", "edu", "1", category="fundraising")) == "cap"
    model.apply(pass_on("B-1", "edu", "other", "30"))
    assert refused(model, cost("n", "edu", "4")) == "cap"
    model.apply(cost("X-3", "edu", "3"))
    model.apply(spend("X-4", "edu", "1"))  # of no category: no cost
    model.apply(reverse("U-1", "B-1", amount="5"))  # 13 of 129
    assert model.exceeded() == [("edu", 0, "all")]


def test_a_yearly_cap_counts_each_year_by_stated_dates_and_a_use_in_its_own_year() -> None:
    """100 of 2025 allow 10 of 2025; in 2026 nothing was received, so nothing; a later reversal frees 2025 again."""
    model = Model(
        [
            account("edu", caps=[cap("10", "received", period="year")]), give("D-1", "edu", "100", date="2025-06"),
            cost("X-1", "edu", "10", date="2025-12-31"),
        ],
        today="2026-12-30",
    )  # fmt: skip
    assert refused(model, cost("n", "edu", "1", date="2025")) == "cap"
    assert refused(model, cost("n", "edu", "1", date="2026-01-01")) == "cap"
    assert refused(model, cost("n", "edu", "1")) == "cap"
    assert refused(model, give("n", "edu", "1", date="2027-01-01")) == "future"
    model.apply(reverse("U-1", "X-1", amount="4", date="2026-02-01"))
    model.apply(cost("X-2", "edu", "4", date="2025"))
    model.apply(give("D-2", "edu", "30"))
    model.apply(cost("X-3", "edu", "3", date="2026-01-01"))
    model.apply(refund("R-1", "D-1", amount="1", date="2026-12-31"))  # of 2026, whenever it was given
    assert model.exceeded() == [("edu", 0, "2026")]


def test_a_cap_may_flag_or_mean_other_categories_or_parts_of_a_percent() -> None:
    """A flag is never refused; 33.33% of 100 are 33; only the categories it names are costs."""
    model = Model([account("edu", caps=[cap("33.33", "received", mode="flag")]), give("D-1", "edu", "100")])
    model.apply(cost("X-1", "edu", "33"))
    assert model.exceeded() == []
    model.apply(cost("X-2", "edu", "1"))
    assert model.exceeded() == [("edu", 0, "all")]
    model.apply(change("AC-1", "edu", caps=[cap("1", "received", categories=["fundraising"])]))
    model.apply(cost("X-3", "edu", "9"))
    assert refused(model, spend("n", "edu", "2", category="fundraising")) == "cap"
    assert refused(model, change("n", "edu", caps=[cap("101", "spent")])) == "cap"
    model.apply(change("AC-2", "edu", caps=[]))
    model.apply(spend("X-4", "edu", "9", category="fundraising"))


def test_a_cap_of_a_party_looks_at_all_its_accounts_of_that_unit() -> None:
    """100 in two accounts allow 10 from either; passing on between them changes nothing, to another owner it does."""
    model = Model([
        account("a", caps=[cap("10", "received", scope="party")]), account("b"), account("far", owner="clinic"),
        account("usd", "USD"), give("D-1", "a", "60"), give("D-2", "b", "40"), give("D-3", "far", "9"),
        give("D-4", "usd", "9"), pass_on("B-1", "a", "b", "50"), cost("X-1", "b", "10"), cost("X-2", "far", "9"),
    ])  # fmt: skip
    assert refused(model, cost("n", "b", "1")) == "cap"
    assert refused(model, cost("n", "a", "1")) == "cap"
    model.apply(convert("C-1", "usd", "1", "a", "20"))  # 120
    assert refused(model, cost("n", "a", "3")) == "cap"
    model.apply(cost("X-3", "a", "2"))
    model.apply(pass_on("B-2", "b", "far", "1"))  # 119
    assert model.exceeded() == [("a", 0, "all")]


# -- signatures, approvals, statements ---------------------------------------------------------------


def _approved() -> Model:
    board = {"of": ["board", "treasurer", "auditor"], "needed": 2}
    return Model([
        account("edu", approvals=board), account("school", owner="school"), account("masks", "MASK"),
        account("steps", "STEP"), give("D-1", "edu", "9"), give("D-2", "school", "4"), give("D-3", "steps", "2"),
        pass_on("B-1", "school", "edu", "2"), spend("X-1", "edu", "1"),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("record", "others"),
    [
        (pass_on("n", "edu", "school", "1"), ()),
        (split("n", "edu", "1", {"school": "1"}), ()),
        (spend("n", "edu", "1"), ()),
        (convert("n", "edu", "1", "masks", "1"), ()),
        (convert("n", "steps", "1", "school", "1", funded_from="edu"), ("school",)),
        (refund("n", "D-1"), ()),
        (reverse("n", "B-1"), ("school",)),
        (reverse("n", "D-1"), ()),
        (change("n", "edu", title="x"), ()),
        (change("n", "edu", approvals={}), ()),
        (change("n", "edu", owner="school"), ("school",)),
    ],
)
def test_whatever_leaves_an_account_needs_its_approvers_and_all_owners(record: Record, others: tuple[str, ...]) -> None:
    """One approver, or the same one twice, is too few; without each owner's signature it is refused as well."""
    model = _approved()
    if record["record"] == "reversal" and record["reverses"] == "D-1":
        model.apply(reverse("U-1", "X-1"))
    assert refused(model, record, "self", *others) == "approvals"
    assert refused(model, record, "self", "board", *others) == "approvals"
    assert refused(model, record, "self", "board", "somebody", *others) == "approvals"
    assert refused(model, record, "board", "treasurer", *others) == "signature"
    if others:
        assert refused(model, record, "self", "board", "treasurer") == "signature"
    model.apply(record, frozenset({"self", "board", "auditor", *others}))


def test_what_comes_in_or_comes_back_needs_no_approvers() -> None:
    """A gift, a transfer in and the reversal of an expenditure are signed by owners alone."""
    model = _approved()
    model.apply(give("D-9", "edu", "1"), frozenset({"self"}))
    model.apply(reverse("U-1", "X-1"), frozenset({"self"}))
    model.apply(pass_on("B-2", "school", "edu", "1"), frozenset({"school"}))
    assert refused(model, pass_on("n", "school", "edu", "1"), "self", "board", "treasurer") == "signature"
    assert refused(model, change("n", "school", approvals={"of": ["board"], "needed": 2})) == "approvals"


def test_a_donation_is_reversed_by_who_recorded_it_or_owns_the_account_and_whoever_holds_it() -> None:
    """D-1 was recorded by the platform and has gone to the school in part: the school must sign for its part."""
    model = Model([
        account("edu"), account("school", owner="school"), give("D-1", "edu", "3", author="platform"),
        pass_on("B-1", "edu", "school", "1"),
    ])  # fmt: skip
    assert refused(model, reverse("n", "D-1", author="school"), "self", "school", "platform") == "signature"
    assert refused(model, reverse("n", "D-1", author="platform"), "platform", "self") == "signature"
    assert refused(model, reverse("n", "D-1", author="platform"), "platform", "school") == "signature"
    model.apply(reverse("U-1", "D-1", author="platform", amount="1"), frozenset({"platform", "self"}))
    # Left out, the author is who recorded it, and the platform does not sign here.
    assert refused(model, reverse("n", "D-1"), "self", "school") == "signature"
    model.apply(reverse("U-2", "D-1", author="self"), frozenset({"self", "school"}))
    assert (model.balance("edu"), model.balance("school")) == ("0", "0")


def test_of_a_statement_all_counts_or_nothing() -> None:
    """The second record of a statement needs the first; where the third is refused, neither is there."""
    model = Model([account("edu"), account("school"), give("D-1", "edu", "3")])
    good = [pass_on("B-1", "edu", "school", "3"), spend("X-1", "school", "2")]
    assert refused(model, {"record": "statement", "records": [*good, spend("X-2", "school", "2")]}) == "overdraft"
    assert refused(model, {"record": "statement", "records": [*good, give("B-1", "edu", "2")]}) == "duplicate-id"
    assert refused(model, {"record": "statement", "records": []}) == "kind"
    assert held(model, "D-1") == {"edu": "3"}
    model.apply({"record": "statement", "records": good})
    assert (uses(model, "D-1"), held(model, "D-1")) == ([("X-1", "2", ["B-1"])], {"school": "1"})


# -- histories ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS_2)
def test_amended_histories_sum_after_every_step_and_are_journal_lines(kind: str) -> None:
    """Every sum holds, and no coin is in two places, after each record; ids are unique, and JSON changes nothing."""
    for seed in range(15):
        history = random_history(seed, kind, 50)
        assert json.loads(json.dumps(history)) == history
        assert len({record["id"] for record in history}) == len(history)
        assert not any("owner" in record or "approvals" in record for record in history)
        model = Model()
        for record in history:
            model.apply(record, frozenset({"self"}))
            model.check()


def test_terms_mean_the_same_on_any_day() -> None:
    """Every record that counts for a cap states its date, so that today's date decides nothing."""
    for seed in range(40):
        history = random_history(seed, "terms", 40)
        assert Model(history, today="2099-12-31").exceeded() == Model(history, today="2026-11-01").exceeded()


def test_amended_histories_reach_the_corners_they_are_for() -> None:
    """Over 80 seeds there are reversals of each kind, in parts and by gift, levied splits, and terms at work."""
    seen: Counter[str] = Counter()
    for kind in KINDS_2:
        for seed in range(80):
            model = Model()
            for record in random_history(seed, kind, 40):
                if record["record"] == "split":
                    seen[f"split in {min(4, len(record['to']))}"] += 1
                    seen["levied"] += model.accounts[record["from"]].terms.levy is not None
                    seen["split pro-rata"] += model.accounts[record["from"]].rule == "pro-rata"
                if record["record"] == "reversal":
                    wrong = record["reverses"]
                    seen["back"] += wrong in model.transfers
                    seen["back by gift"] += wrong in model.transfers and "gift" in record
                    seen["share by gift"] += wrong in model.expenditures and "gift" in record
                    seen["unreceived"] += wrong in model.donations
                    if wrong in model.transfers:
                        transfer = model.transfers[wrong]
                        target, laid = next(
                            each for each in transfer.laid if record.get("from", each[0].id) == each[0].id
                        )
                        seen["moved on in part"] += len(transfer.resting(target)) < len(laid)
                        seen["back from pro-rata"] += target.rule == "pro-rata"
                        if model.replaceable[wrong][0] == "split":
                            seen["split back"] += 1
                            seen["split back by gift"] += "gift" in record
                            seen["split back from one of several"] += len(transfer.laid) > 1
                            seen["split back in part"] += "amount" in record
                            seen["split back levied"] += model.accounts[transfer.source.id].terms.levy is not None
                seen["replaced"] += "replaces" in record
                if "replaces" in record and record["record"] != model.replaceable[record["replaces"]][0]:
                    seen["replaced by another kind"] += 1
                if record["record"] == "account-change":
                    seen.update(record.keys() - {"record", "id", "account"})
                if record["record"] == "expenditure" and model.accounts[record["from"]].terms.restriction:
                    seen["bound"] += 1
                model.apply(record)
            for gift in model.donations:
                found = model.trace(gift)["reversed"]
                seen["from two accounts or twice"] += len(found) > 1
            seen["converted and back"] += any(
                len(model.conversions.keys() & set(trail)) > 1
                for place in model.accounts.values()
                for coin in place.coins
                for trail in coin.trails.values()
            )
            seen["exceeded"] += bool(model.exceeded())
    for corner in (
        "split in 1", "split in 2", "split in 3", "split in 4", "levied", "split pro-rata", "back", "back by gift",
        "share by gift", "unreceived", "moved on in part", "back from pro-rata", "bound", "restriction", "caps",
        "naming", "levy", "title", "target", "closed", "from two accounts or twice", "converted and back", "exceeded",
        "split back", "split back by gift", "split back from one of several", "split back in part", "split back levied",
        "replaced", "replaced by another kind",
    ):  # fmt: skip
        assert seen[corner] >= 10, (corner, seen)
