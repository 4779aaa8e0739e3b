"""What the money did, what was lost, and what matches a gift: the rules, by the library's own methods."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charitychain import records
from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.ledger import Ledger
from charitychain.state.acting import Acting
from charitychain.state.lookup import Link
from charitychain.writer import Writer


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give a small book: a fund with 52 in gifts, 30 of it spent, a clinic's account, a pledge of 40; then verify."""
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as found:
        with found.writer() as made:
            made.party("clinic", roles=["charity"])
            made.party("firm", roles=["auditor"])
            made.commit()
            made.account("fund", unit="CNY")
            made.account("beds", unit="CNY", owner="clinic")
            made.donation("D-1", account="fund", amount="50")
            made.gifts("taps", account="fund", ids=[7], amounts=["2"])
            made.expenditure("X-1", source="fund", amount="30", payee="Toko Buku", purpose="books")
            made.pledge("P-1", account="fund", amount="40", pledger="A company")
        yield found
        assert found.verify().faults == []


@pytest.fixture
def writer(ledger: Ledger) -> Iterator[Writer]:
    """Give a writer of that book."""
    with ledger.writer() as made:
        yield made


def _refused(code: str, act: Any, *args: Any, error: type[CharitychainError] = RefusedError, **fields: Any) -> str:
    with pytest.raises(error) as caught:
        act(*args, **fields)
    assert caught.value.code == code
    return caught.value.message


def test_an_outcome_is_said_by_the_owner_or_an_auditor_of_its_own_expenditures(writer: Writer) -> None:
    """It names expenditures out of its account; others' words and other records are refused."""
    told = {"account": "fund", "indicator": "books", "quantity": 3, "of": ["X-1"]}
    assert writer.outcome("O-1", **told, place="SD Sukamaju", beneficiaries=90, amount="30", evidence=["ab" * 32])
    assert writer.outcome("O-2", **told, author="firm")
    writer.commit()
    lookup = writer.core.state.lookup
    places = lookup.links("X-1", Link.RESULTED)
    first = writer.core.signed(places[0])[0]
    assert isinstance(first, records.Outcome)
    assert (first.quantity, first.of, first.amount, first.beneficiaries) == (3, ("X-1",), 3000, 90)
    assert len(places) == 2
    _refused("CC-ROLE", writer.outcome, "O-3", **told, author="clinic")
    for wrong in ("D-1", "nothing", "P-1", "fund", "O-1"):
        _refused("CC-OUTCOME", writer.outcome, "O-4", **{**told, "of": [wrong]})
    _refused("CC-OUTCOME", writer.outcome, "O-5", **{**told, "account": "beds"})
    for name, bad in (("quantity", 0), ("of", []), ("beneficiaries", 0), ("of", ["X-1", "X-1"])):
        _refused("CC-RECORD", writer.outcome, "O-6", error=MalformedError, **{**told, name: bad})
    _refused("CC-ENTRY", writer.outcome, "O-7", error=MalformedError, **{**told, "quantity": "3"})


@pytest.mark.parametrize("wrong", ["", " ", " books", "books ", "books\u00a0", "\u3000books"])
def test_an_indicator_neither_begins_nor_ends_with_white_space(writer: Writer, wrong: str) -> None:
    """It is refused when it is entered and when it is read, so no two indicators look alike and count apart."""
    _refused("CC-RECORD", writer.outcome, "O-1", error=MalformedError, account="fund", indicator=wrong, quantity=3,
             of=["X-1"])  # fmt: skip
    with pytest.raises(MalformedError) as caught:
        records.decode_record(records.encode_record(records.Outcome("O-1", 0, wrong, 3, ("X-1",))))
    assert caught.value.code == "CC-RECORD"
    assert writer.outcome("O-1", account="fund", indicator="school books", quantity=3, of=["X-1"])


def test_an_expenditure_that_is_named_twice_or_with_many_others_is_said_so(writer: Writer) -> None:
    """The list is called by its field's name, and a long one is counted rather than cut."""
    told = {"account": "fund", "indicator": "books", "quantity": 3}
    said = _refused("CC-RECORD", writer.outcome, "O-1", error=MalformedError, **told, of=["X-1", "X-1"])
    assert said == (
        "outcome of (the expenditures behind it) must be in rising order, each once, found ['X-1', 'X-1']"
    )
    said = _refused("CC-RECORD", writer.outcome, "O-1", error=MalformedError, **told, of=[f"X-{n}" for n in range(65)])
    assert said == "outcome of (the expenditures behind it) must be an array of at most 64, found 65 items"


def test_what_was_lost_did_nothing(writer: Writer) -> None:
    """No outcome names a loss, not even beside what was spent."""
    loss = {"record": "expenditure", "from": "fund", "amount": "1", "category": "loss", "purpose": "theft"}
    writer.add({**loss, "id": "X-2"})
    writer.commit()
    told = {"account": "fund", "indicator": "books", "quantity": 3}
    for of in (["X-2"], ["X-1", "X-2"]):
        said = _refused("CC-OUTCOME", writer.outcome, "O-1", **told, of=of)
        assert said == "'X-2' is a loss, and what was lost did nothing; leave it out"
    assert writer.outcome("O-1", **told, of=["X-1"])
    writer.commit()


def test_nor_did_it_in_its_own_statement(ledger: Ledger) -> None:
    """A loss and an outcome of it in one statement are refused together."""
    both = [
        {"record": "expenditure", "id": "X-3", "from": "fund", "amount": "1", "category": "loss", "purpose": "theft"},
        {"record": "outcome", "id": "O-2", "account": "fund", "indicator": "books", "quantity": 3, "of": ["X-3"]},
    ]
    with pytest.raises(RefusedError) as caught, ledger.writer() as writer:
        writer.add_together(both)
    assert caught.value.code == "CC-OUTCOME"


@pytest.fixture
def seen(ledger: Ledger) -> Ledger:
    """Give the book with O-1, the firm's word on X-2; its account had three owners, and the board approved X-2."""
    with ledger.writer() as made:
        for party in ("school", "heir", "board", "asker"):
            made.party(party, roles=["charity"] if party in ("heir", "asker") else ["auditor"])
        made.commit()
        made.account("edu", unit="CNY", owner="asker", approvals={"of": ["board"], "needed": 1})
        made.donation("D-2", account="edu", amount="9")
        made.expenditure("X-2", source="edu", amount="9", payee="Toko Buku", purpose="books")
        made.commit()
        made.account_change("AC-1", account="edu", owner="clinic", approvals={})
        made.commit()
        made.outcome("O-1", account="edu", indicator="books", quantity=3, of=["X-2"], author="firm")
        made.commit()
        made.account_change("AC-2", account="edu", owner="heir")
    return ledger


@pytest.mark.parametrize("disputed", [False, True])
@pytest.mark.parametrize(
    ("party", "why"),
    [
        ("firm", "signed it"), ("heir", "owns 'edu'"), ("clinic", "owned 'edu' when it was said"),
        ("asker", "it owned 'edu' when that paid it"), ("board", "had a part in 'X-2', which did it: it signed it"),
        ("school", None), ("self", None),
    ],
)  # fmt: skip
def test_whoever_had_no_part_in_an_outcome_says_that_it_is_so(
    seen: Ledger, party: str, why: str | None, disputed: bool
) -> None:
    """Neither its author, nor an owner of its account then or now, nor who paid or approved; but everybody else."""
    more: dict[str, Any] = {"status": "disputed"} if disputed else {}
    with seen.writer() as writer:
        if why is not None:
            told = _refused("CC-ACKNOWLEDGED", writer.acknowledgement, "A-1", acknowledges="O-1", author=party, **more)
            assert why in told and "somebody else" in told
            return
        assert writer.acknowledgement("A-1", acknowledges="O-1", author=party, note="seen", on_behalf_of="SD", **more)
        writer.commit()
        row = writer.core.state.lookup.find_id("A-1")
        assert row is not None and row.amount == 0
        assert writer.core.state.lookup.links("O-1", Link.ACKNOWLEDGED) == [row.place]
    found = [each.message for each in seen.verify().findings if each.code == "AUDIT-DISPUTED"]
    assert found == ([f"O-1 is disputed by {party} (A-1)."] if disputed else [])


def test_an_outcome_is_acknowledged_as_a_whole_and_later_words_count(seen: Ledger) -> None:
    """No amount and no upto, not in the outcome's own statement; a dispute is withdrawn by the party's next word."""
    with seen.writer() as writer:
        for more, what in (({"amount": "1"}, "leave the amount out"), ({"upto": True}, "leave upto out")):
            told = _refused("CC-ACKNOWLEDGED", writer.acknowledgement, "A-1", acknowledges="O-1", author="school",
                            **more)  # fmt: skip
            assert what in told
    both = [
        {"record": "outcome", "id": "O-2", "account": "edu", "indicator": "books", "quantity": 1, "of": ["X-2"],
         "author": "school"},
        {"record": "acknowledgement", "id": "A-1", "acknowledges": "O-2", "author": "school"},
    ]  # fmt: skip
    with pytest.raises(RefusedError, match="very statement"), seen.writer() as writer:
        writer.add_together(both)
    with seen.writer() as writer:
        writer.acknowledgement("A-1", acknowledges="O-1", author="school", status="disputed")
        writer.acknowledgement("A-2", acknowledges="O-1", author="school")
    assert [each for each in seen.verify().findings if each.code == "AUDIT-DISPUTED"] == []


def test_a_loss_needs_no_payee_and_no_restriction_binds_it(writer: Writer) -> None:
    """A restricted account can lose what it may not spend; a loss is no cost of any cap, and no base either."""
    cap = {"percent": "50", "base": "spent", "mode": "refuse", "categories": ["administration"]}
    writer.add({"record": "account-change", "id": "AC-1", "account": "beds", "restriction": {"purposes": ["beds"]},
                "caps": [cap]})  # fmt: skip
    writer.donation("D-2", account="beds", amount="10")
    _refused("CC-RESTRICTION", writer.expenditure, "X-2", source="beds", amount="1", payee="A", purpose="fire")
    _refused(
        "CC-ENTRY", writer.add, error=MalformedError,
        entry={"record": "expenditure", "id": "X-3", "from": "beds", "amount": "1", "purpose": "beds"},
    )  # fmt: skip
    assert writer.add(
        {"record": "expenditure", "id": "X-4", "from": "beds", "amount": "4", "purpose": "fire", "category": "loss"}
    )
    rent = {"source": "beds", "payee": "A", "purpose": "beds", "category": "administration"}
    _refused("CC-CAP", writer.expenditure, "X-5", amount="1", **rent)  # of the 4 that were lost nothing was spent
    writer.expenditure("X-6", source="beds", amount="2", payee="A", purpose="beds")
    assert writer.expenditure("X-7", amount="2", **rent)


def test_a_cap_cannot_speak_of_losses(writer: Writer) -> None:
    """What is lost is no cost that somebody decides on."""
    cap = {"percent": "50", "categories": ["loss"]}
    _refused(
        "CC-ENTRY", writer.add, error=MalformedError,
        entry={"record": "account-change", "id": "AC-1", "account": "beds", "caps": [cap]},
    )  # fmt: skip


def test_a_gift_is_matched_once_out_of_a_pledge_that_bounds_all_matches(writer: Writer) -> None:
    """A second match of one gift, and one unit beyond the pledge, are refused; what was reversed makes room."""
    _refused("CC-MATCH", writer.donation, "M-0", account="fund", amount="1", because_of="D-1")
    _refused("CC-UNKNOWN-GIFT", writer.donation, "M-0", account="fund", amount="1", because_of="D-9", pledge="P-1")
    assert writer.donation("M-1", account="fund", amount="38", because_of="D-1", pledge="P-1")
    _refused("CC-MATCH", writer.donation, "M-2", account="fund", amount="1", because_of="D-1", pledge="P-1")
    writer.commit()
    said = _refused("CC-MATCH", writer.donation, "M-2", account="fund", amount="1", because_of="D-1", pledge="P-1")
    assert "'M-1'" in said
    said = _refused("CC-MATCH", writer.donation, "M-3", account="fund", amount="2.01", because_of="taps/7",
                    pledge="P-1")  # fmt: skip
    assert "2.00 CNY is left" in said
    assert writer.donation("M-3", account="fund", amount="2", because_of="taps/7", pledge="P-1")
    writer.commit()
    writer.reversal("U-1", reverses="M-1")
    assert writer.donation("M-4", account="fund", amount="38", because_of="D-1", pledge="P-1")
    writer.reversal("U-2", reverses="M-4", amount="37")
    writer.commit()
    _refused("CC-MATCH", writer.donation, "M-5", account="fund", amount="1", because_of="D-1", pledge="P-1")


def test_what_was_given_on_a_pledge_leaves_the_less_of_it_to_match_with(writer: Writer) -> None:
    """A pledge of 40 brings 40: by donations of it and by matches together; what was reversed makes room again."""
    writer.donation("N-1", account="fund", amount="25", pledge="P-1")
    said = _refused("CC-MATCH", writer.add, _match("M-1", "D-1", 16, "P-1"))
    assert "15.00 CNY is left" in said
    writer.commit()
    writer.add(_match("M-1", "D-1", 15, "P-1"))
    writer.donation("N-2", account="fund", amount="7", pledge="P-1")  # whoever pledged may give more
    writer.commit()
    said = _refused("CC-MATCH", writer.add, _match("M-2", "taps/7", 1, "P-1"))
    assert "0.00 CNY is left" in said
    writer.reversal("U-1", reverses="N-1", amount="9")
    _refused("CC-MATCH", writer.add, _match("M-2", "taps/7", 3, "P-1"))
    assert writer.add(_match("M-2", "taps/7", 2, "P-1"))


def test_what_a_sponsor_gave_is_not_matched(writer: Writer) -> None:
    """Neither a match, out of whatever pledge, nor a gift on the very pledge; one on another pledge is."""
    writer.pledge("P-2", account="fund", amount="40")
    writer.add(_match("M-1", "D-1", 5, "P-1"))
    writer.donation("N-1", account="fund", amount="5", pledge="P-1")
    writer.commit()
    for pledge in ("P-1", "P-2"):
        said = _refused("CC-MATCH", writer.add, _match("M-2", "M-1", 1, pledge))
        assert "'M-1' matches 'D-1' itself" in said
    said = _refused("CC-MATCH", writer.add, _match("M-2", "N-1", 1, "P-1"))
    assert "'N-1' was given on pledge 'P-1' itself" in said
    assert writer.add(_match("M-2", "N-1", 1, "P-2"))
    writer.commit()
    writer.reversal("U-1", reverses="M-1")
    _refused("CC-MATCH", writer.add, _match("M-3", "M-1", 1, "P-1"))


def test_matches_of_one_statement_count_together(ledger: Ledger) -> None:
    """Two records of one statement match neither one gift twice nor more than the pledge."""
    for wrong in (("taps/7", 3), ("D-1", 1)):
        with pytest.raises(RefusedError) as caught, ledger.writer() as writer:
            writer.add_together([_match("M-1", "D-1", 38, "P-1"), _match("M-2", *wrong, "P-1")])
        assert caught.value.code == "CC-MATCH"
    with ledger.writer() as writer:
        assert writer.add_together([_match("M-1", "D-1", 38, "P-1"), _match("M-2", "taps/7", 2, "P-1")])


def test_a_match_may_come_in_the_statement_that_reverses_the_other(writer: Writer) -> None:
    """A correction is one statement: the wrong match reversed, the right one entered."""
    writer.donation("M-1", account="fund", amount="40", because_of="D-1", pledge="P-1")
    writer.commit()
    assert writer.add_together([
        {"record": "reversal", "id": "U-1", "reverses": "M-1"},
        {"record": "donation", "id": "M-2", "account": "fund", "amount": "4", "because_of": "D-1", "pledge": "P-1",
         "replaces": "M-1"},
    ])  # fmt: skip
    writer.commit()


def _match(name: str, gift: str, amount: int, pledge: str) -> dict[str, str]:
    return {"record": "donation", "id": name, "account": "fund", "amount": f"{amount}", "because_of": gift,
            "pledge": pledge}  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_of_pledges_follows_every_act(ledger: Ledger, seed: int) -> None:
    """Random matches, refusals, failed statements, reversals and a lost index: what is left is as counted by hand."""
    rng = random.Random(seed)
    pledged, brought = {"P-1": 40, "P-2": 25}, {"P-1": 0, "P-2": 0}
    standing: dict[str, list[Any]] = {}  # by match: what stands of it, its gift, its pledge
    with ledger.writer() as writer:
        writer.pledge("P-2", account="fund", amount="25")
        for n in range(30):
            writer.donation(f"G-{n}", account="fund", amount="1")

    def left(pledge: str) -> int:
        return pledged[pledge] - brought[pledge]

    for act in range(60):
        pledge, gift = rng.choice(("P-1", "P-2")), f"G-{rng.randrange(30)}"
        amount, told = rng.randrange(1, 12), f"M-{act}"
        fits = amount <= left(pledge) and not any(stands and of == gift for stands, of, _ in standing.values())
        kind = rng.choice(("one", "one", "together", "halfway", "reverse", "lower", "plain", "forget"))
        if kind in ("one", "together", "halfway"):
            entry = _match(told, gift, amount, pledge)
            first = {"record": "donation", "id": f"F-{act}", "account": "fund", "amount": "1"}
            wrong = {**first, "id": f"W-{act}", "account": "fund", "because_of": "D-1"}  # it names no pledge
            listed = {"one": [entry], "together": [first, entry], "halfway": [first, entry, wrong]}[kind]
            done = True
            try:
                with ledger.writer() as writer:
                    writer.add(entry) if kind == "one" else writer.add_together(listed)
            except RefusedError as error:
                assert error.code == "CC-MATCH"
                done = False
            assert done == (fits and kind != "halfway"), (act, kind, entry)
            if done:
                standing[told] = [amount, gift, pledge]
                brought[pledge] += amount
        elif kind == "reverse" and (whole := [name for name, found in standing.items() if found[0]]):
            name = rng.choice(whole)
            back = rng.randrange(1, standing[name][0] + 1)
            with ledger.writer() as writer:
                writer.reversal(f"U-{act}", reverses=name, amount=str(back))
            standing[name][0] -= back
            brought[standing[name][2]] -= back
        elif kind == "lower" and pledged[pledge] > 20:
            with ledger.writer() as writer:
                writer.reversal(f"U-{act}", reverses=pledge, amount="1")
            pledged[pledge] -= 1
        elif kind == "plain":  # a donation out of a pledge that matches nothing may exceed it, a match may not
            with ledger.writer() as writer:
                writer.donation(f"N-{act}", account="fund", amount="1", pledge=pledge)
            brought[pledge] += 1
        elif kind == "forget":
            for end in ("", "-wal", "-shm"):
                ledger.path.with_name(f"{ledger.path.name}.index{end}").unlink(missing_ok=True)
        with Ledger.open(ledger.path) as again:
            lookup = again.reader().index
            for name in pledged:
                assert lookup.sum_of(name, Link.FULFILLED) == brought[name] * 100
    assert len(standing) > 5 and any(stands == 0 for stands, _, _ in standing.values())
    for name in pledged:
        with pytest.raises(RefusedError) as caught, ledger.writer() as writer:
            writer.add(_match("M-last", "taps/7", max(left(name), 0) + 1, name))
        assert caught.value.facts["left"] == left(name) * 100


def test_a_refused_match_leaves_no_trace(writer: Writer) -> None:
    """Neither the pledge nor the gift knows of it, and the next record at its place is not taken for it."""
    _refused("CC-MATCH", writer.add, _match("M-1", "D-1", 41, "P-1"))
    writer.donation("N-1", account="fund", amount="1")
    writer.commit()
    lookup = writer.core.state.lookup
    assert lookup.links("P-1", Link.FULFILLED) == lookup.links("D-1", Link.MATCHED) == []
    assert lookup.sum_of("P-1", Link.FULFILLED) == 0


def test_a_match_reads_none_of_the_earlier_matches_of_its_pledge(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing and verifying 400 matches of one pledge fetch each matched gift, in turn, and nothing else."""
    fetched: list[Any] = []
    real = Acting.record_at
    monkeypatch.setattr(Acting, "record_at", lambda state, place: fetched.append(place) or real(state, place))
    with ledger.writer() as writer:
        writer.pledge("P-9", account="fund", amount="400")
        for n in range(400):
            writer.donation(f"G-{n}", account="fund", amount="1")
        writer.commit()
        gifts = [writer.core.state.gift(f"G-{n}").place for n in range(400)]
        for n in range(400):
            writer.add(_match(f"M-{n}", f"G-{n}", 1, "P-9"))
            if n % 50 == 0:
                writer.commit()
    assert ledger.verify().holds
    assert fetched == gifts + gifts


def test_format_1_knows_none_of_them() -> None:
    """A ledger of format 1 holds no loss, no outcome and no match, as before."""
    loss = records.Expenditure("X", 0, 1, category="loss")
    assert not records.is_of_version_1(loss)
    assert records.is_of_version_1(records.Expenditure("X", 0, 1, category="programme"))
    assert not records.is_of_version_1(records.Outcome("O", 0, "books", 1, ("X",)))
    assert not records.is_of_version_1(records.Donation("M", 0, 1, because_of="D-1"))
