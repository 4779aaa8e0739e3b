"""Batches of gifts, and accounts that change hands, in the model, against numbers worked out by hand."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from .histories import ALL_KINDS, KINDS_3, in_statements, random_history, refused_batches
from .lines import account, change, convert, gifts, give, held, pass_on, refund, refused, reverse, spend, uses
from .model import Model, Record
from .owning import PARTIES

# -- batches -----------------------------------------------------------------------------------------


def test_gifts_of_a_batch_lie_in_their_order_between_single_ones() -> None:
    """Of [D-1, S/3 S/3, S/4, D-2] the first three are spent, and then S/4 by name."""
    model = Model([
        account("edu"), give("D-1", "edu", "1"), gifts("S", "edu", {3: "2", 4: "1"}), give("D-2", "edu", "1"),
        spend("X-1", "edu", "3"), spend("X-2", "edu", "1", gift="S/4"),
    ])  # fmt: skip
    assert model.sources("X-1") == [("S/3", 2), ("D-1", 1)]
    assert (uses(model, "S/3"), uses(model, "S/4")) == ([("X-1", "2", [])], [("X-2", "1", [])])
    assert (held(model, "S/4"), held(model, "D-2")) == ({}, {"edu": "1"})


def test_a_series_goes_on_into_another_account_and_unit() -> None:
    """S/1 is yen and S/2 is dollars; each is held where it went."""
    model = Model([
        account("yen"), account("usd", "USD"), gifts("S", "yen", {1: "5"}), gifts("S", "usd", {2: "0.07"}),
    ])  # fmt: skip
    assert (held(model, "S/1"), held(model, "S/2")) == ({"yen": "5"}, {"usd": "0.07"})
    assert (model.trace("S/2")["account"], model.trace("S/2")["unit"]) == ("usd", "USD")


def test_a_gift_of_a_batch_is_refunded_and_reversed_like_any_other() -> None:
    """Of S/2's 6 yen, 2 are refunded, 1 of its share of a use comes back, and what rests is never received."""
    model = Model([
        account("edu"), account("school"), gifts("S", "edu", {1: "3", 2: "6"}), pass_on("B-1", "edu", "school", "5"),
        spend("X-1", "school", "4"), refund("R-1", "S/2", amount="2"),
    ])  # fmt: skip
    # school holds the last of [1 1 1 2 2]; edu the 2 that are left of [2 2 2 2].
    assert held(model, "S/2") == {"edu": "2", "school": "1"}
    assert model.trace("S/2")["refunded"] == "2"
    assert refused(model, reverse("n", "S/2")) == "moved-on"
    model.apply(reverse("U-1", "X-1", gift="S/2"))
    assert refused(model, reverse("n", "S/2", amount="5")) == "moved-on"
    model.apply(reverse("U-2", "S/2", amount="4"))
    assert (held(model, "S/2"), held(model, "S/1")) == ({}, {})
    assert model.trace("S/2")["reversed"] == [{"id": "U-2", "amount": "4", "unit": "JPY"}]
    assert uses(model, "S/1") == [("X-1", "3", ["B-1"])]
    assert refused(model, reverse("n", "S/1")) == "moved-on"
    assert refused(model, reverse("n", "S")) == refused(model, reverse("n", "S/9")) == "reverses"


def test_a_gift_of_a_batch_is_the_payer_behind_a_funded_conversion() -> None:
    """Steps of D-1, paid by S/1 and S/2: the yen are theirs, and D-1 has earned them."""
    model = Model([
        account("steps", "STEP"), account("spons"), account("edu"), give("D-1", "steps", "4"),
        gifts("S", "spons", {1: "1", 2: "1"}), convert("C-1", "steps", "4", "edu", "2", funded_from="spons"),
        spend("X-1", "edu", "2"),
    ])  # fmt: skip
    assert model.sources("X-1") == [("S/1", 1), ("S/2", 1)]
    assert uses(model, "D-1") == [("X-1", "2", ["C-1"])]


def test_a_series_belongs_to_whoever_opened_it_and_its_numbers_rise() -> None:
    """The platform goes on with S; the owner of the account, its own old numbers and equal ones are refused."""
    model = Model([account("edu"), gifts("S", "edu", {4: "1"}, author="platform")], roles=PARTIES)
    assert refused(model, gifts("S", "edu", {5: "1"})) == "series"
    assert refused(model, gifts("S", "edu", {4: "1"}, author="platform")) == "series"
    assert refused(model, gifts("S", "edu", {6: "1", 5: "1"}, author="platform")) == "gifts"
    assert refused(model, gifts("T", "edu", {1: "1"}, author="board"), "self", "board") == "role"
    assert refused(model, {**gifts("S", "edu", {5: "1"}, author="platform"), "ids": [5, 6]}) == "gifts"
    model.apply(gifts("S", "edu", {5: "1"}, author="platform"), frozenset({"platform"}))
    assert model.balance("edu") == "2"


def test_series_and_records_share_one_space_of_ids() -> None:
    """A series cannot have the id of a record or a party, nor a record that of a series."""
    model = Model([account("edu"), give("D-1", "edu", "1"), gifts("S", "edu", {1: "1"})], roles=PARTIES)
    for taken in ("D-1", "edu", "clinic"):
        assert refused(model, gifts(taken, "edu", {1: "1"})) == "duplicate-id"
    assert refused(model, give("S", "edu", "1")) == refused(model, account("S")) == "duplicate-id"


def test_nothing_is_reversed_in_the_statement_that_holds_it() -> None:
    """A use, a gift and a gift of a batch are reversed by a later statement; a pledge is lowered once in one."""
    model = Model([account("edu"), {"record": "pledge", "id": "P-1", "account": "edu", "amount": "9"}])
    for record, undone in (
        (give("D-1", "edu", "2"), "D-1"), (gifts("S", "edu", {1: "2"}), "S/1"),
        (reverse("U-1", "P-1", amount="1"), "P-1"),
    ):  # fmt: skip
        bad = {"record": "statement", "records": [record, reverse("n", undone, amount="1")]}
        assert refused(model, bad) == "same-statement"
        model.apply(record)
        model.apply(reverse(f"U-{undone}", undone, amount="1"))
    assert (model.balance("edu"), model.announced("P-1")) == ("2", "7")


def test_whatever_is_wrong_with_a_batch_it_is_refused_whole() -> None:
    """Over 20 seeds each bad batch, and each gift that no batch holds, is refused for its reason."""
    reasons: Counter[str] = Counter()
    for seed in range(20):
        model: Model | None = None
        for history, bad, reason in refused_batches(seed):
            model = model or Model(history)
            assert refused(model, bad) == reason, bad
            reasons[reason] += 1
        assert model is not None
        model.check()
    assert set(reasons) == {
        "duplicate-id", "gifts", "amount", "unknown-account", "series", "reverses", "unknown-donation",
    }  # fmt: skip


# -- owners ------------------------------------------------------------------------------------------


def test_after_a_hand_over_only_the_new_owner_counts() -> None:
    """The clinic spends and changes what was the operator's; the operator's signature, needed before, is nothing."""
    model = Model([account("edu"), give("D-1", "edu", "9")], roles=PARTIES)
    both = frozenset({"self", "clinic"})
    for few in ({"self"}, {"clinic"}):
        assert refused(model, change("n", "edu", owner="clinic"), *few) == "signature"
    assert refused(model, change("n", "edu", owner="board"), "self", "board") == "role"
    model.apply(change("AC-1", "edu", owner="clinic"), both)
    for record in (spend("n", "edu", "1"), change("n", "edu", title="x"), refund("n", "D-1"), reverse("n", "D-1")):
        assert refused(model, record, "self") == "signature", record
    model.apply(spend("X-1", "edu", "4"), frozenset({"clinic"}))
    # Who entered the gift undoes it, with whoever holds it now; or the owner alone.
    assert refused(model, reverse("n", "D-1", amount="1", author="self"), "self") == "signature"
    model.apply(reverse("U-1", "D-1", amount="1"), both)
    model.apply(reverse("U-2", "D-1", amount="1", author="clinic"), frozenset({"clinic"}))
    assert model.balance("edu") == "3"


def test_a_cap_of_a_party_follows_the_accounts_to_their_owner() -> None:
    """10% of 60 given to a and 5 that came; when the operator gets b, the 35 that it holds come too, and go with it."""
    cap = {"percent": "10", "base": "received", "scope": "party", "period": "all", "mode": "refuse"}
    model = Model([
        account("a", caps=[cap]), account("b", owner="clinic"), give("D-1", "a", "60"), give("D-2", "b", "40"),
        pass_on("B-1", "a", "b", "20"), pass_on("B-2", "b", "a", "25"),
    ])  # fmt: skip
    cost = spend("n", "a", "7", category="fundraising")
    assert refused(model, cost) == "cap"  # 10% of 60 + 5
    model.apply(change("AC-1", "b", owner="self"))
    assert refused(model, {**cost, "amount": "11"}) == "cap"  # 10% of 60 + 5 + 35
    model.apply({**cost, "id": "X-1", "amount": "9"})
    model.apply(change("AC-2", "b", owner="clinic"))
    assert model.exceeded() == [("a", 0, "all")]  # 9 of 65


@pytest.mark.parametrize(
    ("source", "target", "refusal"),
    [("self", "nobody", "unknown-party"), ("self", "treasurer", "role"), ("self", "school", "")],
)
def test_accounts_belong_to_charities_and_sponsors(source: str, target: str, refusal: str) -> None:
    """An account is opened for, and handed to, a party with a role to own one, and approved by parties only."""
    model = Model([account("a", owner=source)], roles=PARTIES)
    for record in (account("n", owner=target), change("n", "a", owner=target)):
        if refusal:
            assert refused(model, record) == refusal
    if not refusal:
        model.apply(change("AC-1", "a", owner=target))
        assert model.accounts["a"].terms.owner == target
    assert refused(model, change("n", "a", approvals={"of": ["nobody"], "needed": 1})) == "unknown-party"


# -- histories ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS_3)
def test_histories_with_batches_and_owners_sum_after_every_step(kind: str) -> None:
    """Every sum holds after each record; JSON changes nothing; steps are as many as asked."""
    for seed in range(15):
        history = random_history(seed, kind, 50)
        assert json.loads(json.dumps(history)) == history
        assert len([record for record in history if record["record"] != "account"]) == 50
        model = Model(roles=PARTIES if kind == "owners" else None)
        for record in history:
            model.apply(record)
            model.check()


def test_statements_mean_what_their_records_mean_one_by_one() -> None:
    """Of every kind, records one by one or five at once give the same traces, and many statements hold several."""
    sizes: Counter[int] = Counter()
    for kind in ALL_KINDS:
        for seed in range(4):
            history = random_history(seed, kind, 40)
            lines = in_statements(history, seed)
            flat: list[Record] = []
            for line in lines:
                flat += line.get("records", [line])
                sizes[len(line.get("records", ()))] += 1
            assert flat == history
            one, many = Model(history), Model(lines)
            assert [one.trace(gift) for gift in one.donations] == [many.trace(gift) for gift in many.donations]
    assert min(sizes[size] for size in range(1, 6)) >= 30, sizes


def test_histories_with_batches_and_owners_reach_the_corners_they_are_for() -> None:
    """Over 60 seeds gifts of batches are named, refunded and reversed in every way, and accounts change hands."""
    seen: Counter[str] = Counter()
    for kind in KINDS_3:
        for seed in range(66):
            model = Model()
            for record in random_history(seed, kind, 40):
                if record["record"] == "gifts":
                    seen[f"batch of {min(4, len(record['ids']))}"] += 1
                    seen["goes on"] += record["series"] in model.series
                    homes = {home.id for gift, (home, _) in model.donations.items() if record["series"] in gift}
                    seen["goes on elsewhere"] += bool(homes) and record["account"] not in homes
                seen["named"] += "/" in record.get("gift", "") and record["record"] != "reversal"
                seen["share reversed"] += "/" in record.get("gift", "") and record["record"] == "reversal"
                seen["refunded"] += "/" in record.get("donation", "")
                seen["reversed"] += "/" in record.get("reverses", "")
                if record["record"] == "account-change":
                    held_now = len(model.accounts[record["account"]].coins)
                    seen["handed over with money"] += "owner" in record and held_now > 0
                    seen["opened again"] += record.get("closed") is False
                    seen["approvals"] += "approvals" in record
                if record["record"] == "reversal" and record["reverses"] in model.transfers:
                    target, laid = model.transfers[record["reverses"]].laid[0]
                    hop = laid[0].hops[-1]
                    seen["back in another year"] += hop.year != record["date"][:4] if "date" in record else 0
                    owners = (model.accounts[hop.source].terms.owner, target.terms.owner)
                    seen["back after a hand-over"] += owners != (hop.source_owner, hop.target_owner)
                seen["by intake"] += record.get("author") == "platform"
                model.apply(record)
            seen["used"] += any("/" in gift for use in model.expenditures for gift, _ in model.sources(use))
            seen["exceeded"] += bool(model.exceeded())
            for gone in model.unreceived.values():
                for coin in gone.coins:
                    years = {hop.year for hop in coin.hops}
                    seen[f"unreceived after {min(2, len(coin.hops))}"] += 1
                    seen["unreceived over years"] += len({*years, model.given_under[gone.donation][1]}) > 1
    for corner in (
        "batch of 1", "batch of 2", "batch of 3", "batch of 4", "goes on", "goes on elsewhere", "named",
        "share reversed", "refunded", "reversed", "handed over with money", "opened again", "approvals", "by intake",
        "used", "exceeded", "back in another year", "back after a hand-over", "unreceived after 1",
        "unreceived after 2", "unreceived over years",
    ):  # fmt: skip
        assert seen[corner] >= 10, (corner, seen)
