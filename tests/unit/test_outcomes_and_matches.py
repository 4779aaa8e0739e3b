"""What the money did, what was lost, and what matches a gift: the rules, by the library's own methods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charitychain import records
from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.ledger import Ledger
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


def test_matches_of_one_statement_count_together(ledger: Ledger) -> None:
    """Two records of one statement match neither one gift twice nor more than the pledge."""

    def match(name: str, gift: str, amount: str) -> dict[str, str]:
        return {"record": "donation", "id": name, "account": "fund", "amount": amount, "because_of": gift,
                "pledge": "P-1"}  # fmt: skip

    for wrong in (("taps/7", "3"), ("D-1", "1")):
        with pytest.raises(RefusedError) as caught, ledger.writer() as writer:
            writer.add_together([match("M-1", "D-1", "38"), match("M-2", *wrong)])
        assert caught.value.code == "CC-MATCH"
    with ledger.writer() as writer:
        assert writer.add_together([match("M-1", "D-1", "38"), match("M-2", "taps/7", "2")])


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


def test_format_1_knows_none_of_them() -> None:
    """A ledger of format 1 holds no loss, no outcome and no match, as before."""
    loss = records.Expenditure("X", 0, 1, category="loss")
    assert not records.is_of_version_1(loss)
    assert records.is_of_version_1(records.Expenditure("X", 0, 1, category="programme"))
    assert not records.is_of_version_1(records.Outcome("O", 0, "books", 1, ("X",)))
    assert not records.is_of_version_1(records.Donation("M", 0, 1, because_of="D-1"))
