"""Reconciliation: what matches, what does not, and an identity that always holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charitychain.cli.reconcile import _vouched
from charitychain.errors import MalformedError, NotFoundError, RefusedError
from charitychain.interop.attesting import Attested, attested
from charitychain.interop.bank import BankEntry, BankStatement, Break
from charitychain.interop.matching import LedgerEntry, match
from charitychain.interop.reconcile import Reconciliation, reconcile
from charitychain.keys import key_id
from charitychain.ledger import Ledger
from charitychain.records import Place

USE = {"purpose": "books"}
BOOK: list[dict[str, Any]] = [
    {"record": "account", "id": "fund", "unit": "EUR"},
    {"record": "account", "id": "school", "unit": "EUR"},
    {"record": "account", "id": "far", "unit": "EUR", "rule": "pro-rata"},
    {"record": "account", "id": "usd", "unit": "USD"},
    {"record": "donation", "id": "D-0", "account": "fund", "amount": "50.00", "date": "2025-12-31"},
    {"record": "donation", "id": "D-1", "account": "fund", "amount": "100.00", "date": "2026-01-02"},
    {"record": "donation", "id": "D-2", "account": "fund", "amount": "30.00", "date": "2026-01-05",
     "reference": "BATCH"},
    {"record": "donation", "id": "D-3", "account": "fund", "amount": "20.00", "date": "2026-01-05",
     "reference": "BATCH"},
    {"record": "disbursement", "id": "B-1", "from": "fund", "to": "school", "amount": "120.00", "date": "2026-01-06"},
    {"record": "disbursement", "id": "B-2", "from": "fund", "to": "far", "amount": "10.00", "date": "2026-01-07"},
    {"record": "expenditure", "id": "X-1", "from": "school", "amount": "40.00", "payee": "Shop", "date": "2026-01-08"}
    | USE,
    {"record": "expenditure", "id": "X-2", "from": "school", "amount": "40.00", "payee": "Shop", "date": "2026-01-08"}
    | USE,
    {"record": "reversal", "id": "U-1", "reverses": "X-1", "reason": "entered twice", "date": "2026-01-09"},
    {"record": "refund", "id": "R-1", "donation": "D-1", "amount": "5.00", "date": "2026-01-20"},
    {"record": "conversion", "id": "C-1", "from": "fund", "amount": "5.00", "to": "usd", "gives": "6.00",
     "date": "2026-01-31"},
    {"record": "donation", "id": "D-9", "account": "fund", "amount": "7.00", "date": "2026-02-02"},
    {"record": "gifts", "series": "tin", "account": "school", "ids": ["1", "5", "9"], "amounts": ["1", "2", "3"],
     "date": "2026-01-10"},
]  # fmt: skip


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    folder: Path = tmp_path_factory.mktemp("book")
    with Ledger.create(folder / "t.ledger", origin="test.example/2026", keys=folder / "keys") as made:
        with made.writer() as writer:
            for entry in BOOK:
                writer.add(entry)
        yield made


def said(
    *entries: tuple[str, int, str], opening: int | None = None, closing: int | None = None, currency: str = "EUR"
) -> BankStatement:
    rows = tuple(
        BankEntry(day, amount, (ref,) if ref else (), "", f"line {n}")
        for n, (day, amount, ref) in enumerate(entries, 2)
    )
    return BankStatement("DE02", currency, opening, closing, "2026-01-01", "2026-01-31", rows)


def ids(found: Reconciliation) -> list[tuple[str, list[int], list[str]]]:
    return [(m.by, [e.amount for e in m.bank], [r.id for r in m.ledger]) for m in found.matches]


def holds(found: Reconciliation) -> None:
    """Check the identity: the difference is the sum of its parts."""
    parts = found.explained
    assert parts is not None and found.difference == sum(parts.values())


def test_a_month_that_agrees(book: Ledger) -> None:
    """References first, batches and micro-gifts as one, transfers inside left out, a wrong entry cancelled."""
    statement = said(
        ("2026-01-03", 10000, "D-1"), ("2026-01-07", 5000, "BATCH"), ("2026-01-08", -1000, "B-2"),
        ("2026-01-12", -4000, ""), ("2026-01-12", 600, ""), ("2026-01-19", -500, ""), ("2026-01-31", -500, "C-1"),
        opening=5000, closing=14600,
    )  # fmt: skip
    found = reconcile(book.reader(), ["fund", "school"], statement)
    assert ids(found) == [
        ("reference", [10000], ["D-1"]),
        ("reference", [5000], ["D-2", "D-3"]),
        ("reference", [-1000], ["B-2"]),
        ("amount", [-4000], ["X-2"]),
        ("amount", [600], ["tin/1..9"]),
        ("amount", [-500], ["R-1"]),
        ("reference", [-500], ["C-1"]),
    ]
    assert [[r.id for r in group] for group in found.cancelled] == [["X-1", "U-1"]]
    assert (found.opening_ledger, found.closing_ledger, found.agrees) == (5000, 14600, True)
    assert found.attested == Attested(14600, 14600) and found.attested.share == 0
    assert found.to_dict()["attested"]["unattested_percent"] == "0.00"
    holds(found)


def test_what_does_not_match_explains_the_difference(book: Ledger) -> None:
    """A fee only at the bank and gifts only in the ledger are the difference; a share is unattested."""
    statement = said(("2026-01-15", -199, "FEE"), ("2026-01-03", 10000, "D-1"), opening=5000, closing=14801)
    found = reconcile(book.reader(), ["fund"], statement, end="2026-01-05")
    assert [e.references for e in found.only_bank] == []  # the fee is later than the period
    assert [r.id for r in found.only_ledger] == ["D-2", "D-3"]
    assert (found.closing_bank, found.closing_ledger) == (15000, 20000)
    assert found.explained == {
        "opening": 0, "only_bank": 0, "only_ledger": -5000, "dated_elsewhere": 0, "breaks": 0,
    }  # fmt: skip
    assert (found.attested.unattested, found.attested.share, found.agrees) == (5000, 2500, False)
    holds(found)
    whole = reconcile(book.reader(), ["fund"], statement)
    assert [e.amount for e in whole.only_bank] == [-199]
    holds(whole)


def test_a_record_dated_just_outside_is_matched_and_shown(book: Ledger) -> None:
    """A gift of New Year's Eve that the bank booked in January is matched, and the opening difference with it."""
    found = reconcile(
        book.reader(), ["fund"], said(("2026-01-02", 5000, ""), opening=0, closing=5000), end="2026-01-03"
    )
    assert ids(found) == [("amount", [5000], ["D-0"])]
    assert [r.id for r in found.dated_elsewhere] == ["D-0"]
    assert found.explained == {
        "opening": -5000, "only_bank": 0, "only_ledger": -10000, "dated_elsewhere": 5000, "breaks": 0,
    }  # fmt: skip
    holds(found)
    assert reconcile(book.reader(), ["fund"], said(("2026-01-02", 5000, "")), days=1).matches == ()


def test_no_balance_attests_nothing(book: Ledger) -> None:
    """Without a balance of the bank there is no difference to explain, and the whole holding is unattested."""
    found = reconcile(book.reader(), ["far"], said(("2026-01-07", 1000, "")))
    assert (found.difference, found.explained, found.agrees) == (None, None, True)
    assert (found.attested.held, found.attested.covered, found.attested.share) == (1000, 0, 10_000)


def test_a_break_is_no_agreement(book: Ledger) -> None:
    """A statement that does not fit itself does not agree, though all entries match."""
    statement = BankStatement(
        "",
        "EUR",
        0,
        1100,
        "2026-01-07",
        "2026-01-07",
        (BankEntry("2026-01-07", 1000, (), "", "line 2"),),
        (Break("line 2", 1000, 1100),),
    )
    found = reconcile(book.reader(), ["far"], statement)
    assert not found.agrees
    assert found.explained is not None and found.explained["breaks"] == 100
    holds(found)


def test_what_is_refused(book: Ledger) -> None:
    """Unknown accounts, accounts of two units, another currency and no period at all are refused."""
    with pytest.raises(NotFoundError):
        reconcile(book.reader(), ["nowhere"], said())
    for accounts, currency in ((["fund", "usd"], "EUR"), (["usd"], "EUR"), (["fund"], "USD")):
        with pytest.raises(RefusedError) as caught:
            reconcile(book.reader(), accounts, said(currency=currency))
        assert caught.value.code == "CC-BANK-CURRENCY"
    with pytest.raises(MalformedError) as bare:
        reconcile(book.reader(), ["fund"], BankStatement("", "EUR", 0, 0, None, None, ()))
    assert bare.value.code == "CC-BANK"
    for told in ({"start": "2026-02-01"}, {"end": "2025-12-31"}, {"start": "2026-02-01", "end": "2026-02-28"}):
        with pytest.raises(MalformedError, match="covers 2026-01-01 to 2026-01-31, and so no day of") as caught:
            reconcile(book.reader(), ["fund"], said(opening=0, closing=0), **told)
        assert caught.value.code == "CC-BANK"


def test_only_days_that_the_statement_covers_are_compared(book: Ledger) -> None:
    """What the ledger did before, after and since is left out of it, and no such period agrees."""
    rows = (BankEntry("2026-01-07", 1000, (), "", "line 2"),)
    statement = BankStatement("", "EUR", 0, 1000, "2026-01-06", "2026-01-20", rows, (), (("2026-01-09", "2026-01-11"),))
    for start, end, compared, uncovered in (
        (None, None, ("2026-01-06", "2026-01-20"), [("2026-01-09", "2026-01-11")]),
        ("2026-01-07", "2026-01-08", ("2026-01-07", "2026-01-08"), []),
        ("2026-01-02", "2026-01-10", ("2026-01-06", "2026-01-08"),
         [("2026-01-02", "2026-01-05"), ("2026-01-09", "2026-01-10")]),
        ("2026-01-12", "2026-01-21", ("2026-01-12", "2026-01-20"), [("2026-01-21", "2026-01-21")]),
    ):  # fmt: skip
        found = reconcile(book.reader(), ["far"], statement, start=start, end=end)
        assert ((found.start, found.end), list(found.uncovered)) == (compared, uncovered)
        assert (found.only_bank, found.only_ledger, found.difference) == ((), (), 0)
        assert found.agrees is (not uncovered)
    with pytest.raises(MalformedError):
        reconcile(book.reader(), ["far"], statement, start="2026-01-09", end="2026-01-11")


def test_an_index_that_lies_is_found(book: Ledger) -> None:
    """An amount that was changed in the index does not pass for what was sealed."""
    from charitychain.errors import VerificationError

    reader = book.reader()
    real = reader.index.movement

    def lying(account: int, index: int) -> Any:
        import dataclasses

        found = real(account, index)
        return dataclasses.replace(found, amount=found.amount + 1) if found.account == 2 else found

    reader.index.movement = lying  # type: ignore[method-assign]
    try:
        with pytest.raises(VerificationError) as caught:
            reconcile(reader, ["far"], said())
    finally:
        reader.index.movement = real  # type: ignore[method-assign]
    assert caught.value.code == "CC-INDEX"


def test_stated_months_and_years_count_on_the_day_nearest_to_their_sealing(tmp_path: Path) -> None:
    """A record that states no day counts on the day of its sealing, kept within what it states."""
    sealed = 1_772_700_000  # 2026-03-05
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "k", clock=lambda: sealed) as made:
        with made.writer() as writer:
            writer.account("fund", unit="EUR")
            for id_, stated in (("A", None), ("B", "2026-02"), ("C", "2026"), ("D", "2025"), ("E", "2026-03")):
                writer.donation(id_, account="fund", amount="1", **({"date": stated} if stated else {}))
        statement = BankStatement("", "EUR", None, None, "2025-01-01", "2026-12-31", ())
        found = reconcile(made.reader(), ["fund"], statement)
    assert {r.id: r.date for r in found.only_ledger} == {
        "A": "2026-03-05", "B": "2026-02-28", "C": "2026-03-05", "D": "2025-12-31", "E": "2026-03-05",
    }  # fmt: skip


# --------------------------------------------------------------------------------------------------- matching


def recorded(id_: str, amount: int, day: str = "2026-01-10", *refs: str, reverses: str | None = None) -> LedgerEntry:
    return LedgerEntry(id_, "donation", day, amount, (id_, *refs), "", Place(1, 0, 0), reverses)


def booked(amount: int, day: str = "2026-01-10", *refs: str) -> BankEntry:
    return BankEntry(day, amount, refs, "", "")


def pairs(bank: list[BankEntry], ledger: list[LedgerEntry], **options: Any) -> list[tuple[list[int], list[str]]]:
    found = match(bank, ledger, **options)
    return [([bank.index(e) for e in m.bank], [r.id for r in m.ledger]) for m in found.matches]


def test_the_nearest_day_wins_and_days_bound() -> None:
    """Of equal amounts the nearest in date is taken, on ties the earlier; more than `days` apart is no match."""
    ledger = [recorded("A", 5, "2026-01-01"), recorded("B", 5, "2026-01-09"), recorded("C", 5, "2026-01-11")]
    assert pairs([booked(5, "2026-01-10")], ledger) == [([0], ["B"])]
    assert pairs([booked(5, "2026-01-17")], ledger) == []
    assert pairs([booked(5, "2026-01-17")], ledger, days=6) == [([0], ["C"])]
    assert pairs([booked(-5, "2026-01-10")], ledger) == []


def test_a_reference_needs_the_same_amount() -> None:
    """The same reference with another amount is no match: it is the finding."""
    found = match([booked(100, "2026-01-10", "D-1")], [recorded("D-1", 90)])
    assert (len(found.only_bank), len(found.only_ledger), found.matches) == (1, 1, ())


def test_one_against_several() -> None:
    """One entry matches records that share its reference and sum to it, and a record paid in parts its entries."""
    ledger = [recorded("A", 5, "2026-01-01", "R"), recorded("B", 7, "2026-01-02", "R"), recorded("C", 12)]
    assert pairs([booked(12, "2026-01-20", "R")], ledger) == [([0], ["A", "B"])]
    assert pairs([booked(12, "2026-01-20", "A", "B")], ledger) == [([0], ["A", "B"])]
    assert pairs([booked(4, "2026-01-20", "C"), booked(8, "2026-01-21", "C")], ledger[2:]) == [([0, 1], ["C"])]


def test_a_reversal_that_the_bank_saw_is_matched() -> None:
    """Money that really went out and came back matches both records; one that the bank never saw cancels."""
    ledger = [recorded("X", -5), recorded("U", 5, reverses="X"), recorded("Y", -5)]
    found = match([booked(-5)], ledger)
    assert [m.ledger[0].id for m in found.matches] == ["Y"] and found.only_ledger == ()
    assert [[r.id for r in group] for group in found.cancelled] == [["X", "U"]]
    found = match([booked(-5), booked(5), booked(-5)], ledger)
    assert len(found.matches) == 3 and found.cancelled == ()


@pytest.mark.parametrize("size", [20_000])
def test_work_does_not_grow_with_the_product(size: int) -> None:
    """Many equal amounts under one reference are matched in seconds."""
    import time

    started = time.monotonic()
    found = match(
        [booked(5, "2026-01-10", "R")] * size, [recorded(f"D-{n}", 5, "2026-01-10", "R") for n in range(size)]
    )
    assert len(found.matches) == size
    match([booked(7, "2026-01-10", "R")] * size, [recorded(f"D-{n}", 5, "2026-01-10", "R") for n in range(size)])
    match([booked(5)] * size, [recorded(f"D-{n}", 5) for n in range(size)])
    assert time.monotonic() - started < 10


def test_the_attested_share_is_rounded_up() -> None:
    """A cent without a voucher is never shown as nothing, and more than all is never vouched for."""
    assert attested(1_000_000, 999_999).share == 1
    assert attested(10, 20) == Attested(10, 10)
    assert attested(-5, 20) == Attested(0, 0)
    assert attested(10, -3) == Attested(10, 0)
    assert attested(10, None).share == 10_000


# ------------------------------------------------------------------------------------------------- properties

DAYS = [f"2026-01-{n:02d}" for n in range(1, 13)]
REFS = ["D-1", "D-2", "BATCH", "X-1", "B-1", "B-2", "U-1", "R-1", "C-1", "tin", "FEE", ""]
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(DAYS),
        st.sampled_from([10000, 5000, 3000, 2000, -1000, -4000, 4000, 600, -500, -12000, 12000, 1, -7]),
        st.sampled_from(REFS),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=150)
@given(
    entries=ENTRIES, opening=st.integers(-10_000, 10_000), slip=st.integers(-3, 3),
    accounts=st.sets(st.sampled_from(["fund", "school", "far"]), min_size=1),
    period=st.tuples(st.sampled_from(DAYS), st.sampled_from([*DAYS, "2026-01-31"])).filter(lambda p: p[0] <= p[1]),
    days=st.integers(0, 8), gaps=st.sampled_from([(), (("2026-01-04", "2026-01-06"),)]),
)  # fmt: skip
def test_the_identity_always_holds(
    book: Ledger, entries: list[tuple[str, int, str]], opening: int, slip: int, accounts: set[str],
    period: tuple[str, str], days: int, gaps: tuple[tuple[str, str], ...],
) -> None:  # fmt: skip
    """Whatever the statement says and whatever matched: the difference is the sum of its parts, each thing once."""
    total = sum(amount for _, amount, _ in entries)
    rows = tuple(BankEntry(d, a, (r,) if r else (), "", f"line {n}") for n, (d, a, r) in enumerate(entries))
    breaks = (Break("closing balance", opening + total, opening + total + slip),) if slip else ()
    statement = BankStatement(
        "", "EUR", opening, opening + total + slip, "2026-01-02", "2026-01-30", rows, breaks, gaps
    )
    asked = [day for n in range(1, 32) if period[0] <= (day := f"2026-01-{n:02d}") <= period[1]]
    unseen = {"2026-01-01", "2026-01-31"} | ({"2026-01-04", "2026-01-05", "2026-01-06"} if gaps else set())
    told = {"start": period[0], "end": period[1], "days": days}
    if unseen.issuperset(asked):
        with pytest.raises(MalformedError):
            reconcile(book.reader(), sorted(accounts), statement, **told)
        return
    found = reconcile(book.reader(), sorted(accounts), statement, **told)
    compared = [day for day in asked if day not in unseen]
    assert (found.start, found.end) == (compared[0], compared[-1])
    assert [day for day in asked if any(a <= day <= b for a, b in found.uncovered)] == sorted(unseen & set(asked))
    assert found.agrees <= (not found.uncovered)
    holds(found)
    seen = [e.place for m in found.matches for e in m.bank] + [e.place for e in found.only_bank]
    assert sorted(seen) == sorted(e.place for e in rows if found.start <= e.date <= found.end)
    records = [r.id for m in found.matches for r in m.ledger] + [r.id for r in found.only_ledger]
    records += [r.id for group in found.cancelled for r in group]
    assert len(set(records)) == len(records)
    for group in found.matches:
        assert sum(e.amount for e in group.bank) == sum(r.amount for r in group.ledger) != 0
    assert all(sum(r.amount for r in group) == 0 for group in found.cancelled)
    assert reconcile(book.reader(), sorted(accounts), statement, **told) == found
    assert 0 <= found.attested.unattested <= found.attested.held


def test_corrections_count_by_what_crosses_the_border(tmp_path: Path) -> None:
    """Splits, reversals of transfers and of gifts count once, with what they moved across the compared accounts."""
    lines: list[dict[str, Any]] = [
        *({"record": "account", "id": name, "unit": "EUR"} for name in ("fund", "school", "far")),
        {"record": "donation", "id": "D-1", "account": "fund", "amount": "100.00"},
        {"record": "donation", "id": "D-2", "account": "fund", "amount": "9.00"},
        {"record": "split", "id": "S-1", "from": "fund", "amount": "50.00", "to": {"school": "30.00", "far": "20.00"}},
        {"record": "disbursement", "id": "B-1", "from": "fund", "to": "far", "amount": "7.00"},
        {"record": "reversal", "id": "U-1", "reverses": "B-1"},
        {"record": "disbursement", "id": "B-2", "from": "fund", "to": "school", "amount": "3.00"},
        {"record": "reversal", "id": "U-2", "reverses": "B-2"},
        {"record": "reversal", "id": "U-3", "reverses": "D-2"},
    ]
    with Ledger.create(tmp_path / "c.ledger", origin="c.example", keys=tmp_path / "k") as made:
        with made.writer() as writer:
            for line in lines:
                writer.add({**line, "date": "2026-01-05"} if line["record"] != "account" else line)
        found = reconcile(made.reader(), ["fund", "school"], said(("2026-01-05", 10000, "D-1")))
    assert [(r.id, r.amount) for r in found.only_ledger] == [("S-1", -2000)]
    assert [[(r.id, r.amount) for r in group] for group in found.cancelled] == [
        [("D-2", 900), ("U-3", -900)],
        [("B-1", -700), ("U-1", 700)],
    ]
    assert found.closing_ledger == 8000


# ------------------------------------------------------------------------------------------- what auditors signed


@pytest.fixture
def attesting(tmp_path: Path) -> Iterator[Ledger]:
    """Give 50.00 EUR in `fund` and 30.00 EUR in `school` since 2 January, 5.00 more in `fund` since the 20th."""
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as made:
        with made.writer() as writer:
            writer.party("auditor", roles=["auditor"])
        with made.writer() as writer:
            writer.account("fund", unit="EUR")
            writer.account("school", unit="EUR")
            writer.donation("D-1", account="fund", amount="80.00", date="2026-01-02")
            writer.disbursement("B-1", source="fund", to="school", amount="30.00", date="2026-01-02")
            writer.donation("D-2", account="fund", amount="5.00", date="2026-01-20")
        yield made


def attest(ledger: Ledger, id_: str, accounts: list[str], amount: str, at: str, **more: str) -> None:
    entry = {"record": "attestation", "id": id_, "accounts": accounts, "amount": amount, "at": at, "author": "auditor"}
    with ledger.writer() as writer:
        writer.add(entry | more)


def test_an_attestation_stands_beside_ledger_and_bank(attesting: Ledger) -> None:
    """It is compared with both on its own day, and vouches for no more than it says."""
    statement = said(("2026-01-02", 8000, "D-1"), ("2026-01-20", 500, "D-2"), opening=0, closing=8500)
    plain = reconcile(attesting.reader(), ["fund", "school"], statement)
    assert plain.attestations == () and plain.vouched == Attested(8500, 0)
    attest(attesting, "T-1", ["fund", "school"], "79.00", "2026-01-15", institution="Village Bank")
    attest(attesting, "T-2", ["school", "fund"], "1.00", "2026-02-01")  # after the period
    found = reconcile(attesting.reader(), ["fund", "school"], statement)
    assert found.agrees  # it is no part of that
    assert found.vouched == Attested(8500, 7900) and found.attested == Attested(8500, 8500)
    assert found.to_dict()["attestations"] == [{
        "id": "T-1", "by": "auditor", "at": "2026-01-15", "accounts": ["fund", "school"],
        "institution": "Village Bank", "amount": "79.00", "book": "80.00", "bank": "80.00", "covered": "79.00",
        "disputed": None, "difference": "-1.00", "bank_difference": "-1.00",
    }]  # fmt: skip
    assert found.to_dict()["vouched"] == {
        "held": "85.00", "covered": "79.00", "unattested": "6.00", "unattested_percent": "7.06",
    }  # fmt: skip


def test_which_attestations_stand(attesting: Ledger) -> None:
    """The latest day counts, of one day the later record; one that names other accounts too cannot be compared."""
    attest(attesting, "T-1", ["fund", "school"], "85.00", "2026-01-31")
    attest(attesting, "T-0", ["fund", "school"], "1.00", "2026-01-30")  # entered later, of an earlier day
    statement = said(opening=0, closing=8500)

    def standing(*accounts: str) -> list[tuple[str, int, int, int | None]]:
        found = reconcile(attesting.reader(), accounts, statement)
        return [(a.id, a.book, a.covered, a.bank) for a in found.attestations]

    assert standing("fund", "school") == [("T-1", 8500, 8500, 8500)]
    assert standing("fund") == []
    attest(attesting, "T-2", ["fund"], "54.00", "2026-01-31")
    assert standing("fund", "school") == [("T-2", 5500, 5400, None)]
    attest(attesting, "T-3", ["school"], "999.00", "2026-01-10")
    assert standing("fund", "school") == [("T-2", 5500, 5400, None)]  # T-1 is still the last word on school
    attest(attesting, "T-4", ["school"], "999.00", "2026-01-31")
    assert standing("fund", "school") == [("T-4", 3000, 3000, None), ("T-2", 5500, 5400, None)]


def test_a_bank_is_compared_only_on_days_that_its_statement_covers(attesting: Ledger) -> None:
    """The day before the period is its opening balance; of earlier days, or without a balance, nothing is said."""
    attest(attesting, "T-1", ["fund", "school"], "80.00", "2026-01-09")

    def bank(start: str, closing: int | None = 8500) -> int | None:
        statement = said(("2026-01-20", 500, "D-2"), closing=closing)
        return reconcile(attesting.reader(), ["fund", "school"], statement, start=start).attestations[0].bank

    assert (bank("2026-01-10"), bank("2026-01-11"), bank("2026-01-01"), bank("2026-01-01", None)) == (
        8000, None, 8000, None,
    )  # fmt: skip


def test_what_a_compromised_key_signed_vouches_for_nothing(attesting: Ledger) -> None:
    """It is listed as disputed; what the key signed before it was stolen, and the new key's word, stand."""
    ring, state = attesting.keyring, attesting.reader().state
    stolen = next(party for party in state.parties if party.id == "auditor").keys[0].key
    spare, new = (ring.create(attesting.origin, "auditor", passphrase=None)[0].public_key.hex() for _ in range(2))
    with attesting.writer() as writer:
        writer.add({"record": "control", "id": "K-1", "party": "auditor", "recovery": spare})
    statement = said(opening=0, closing=8500)

    def standing() -> list[tuple[str, int, bool]]:
        found = reconcile(attesting.reader(), ["fund", "school"], statement)
        assert found.vouched.covered == sum(a.covered for a in found.attestations)
        return [(a.id, a.covered, a.disputed is not None) for a in found.attestations]

    attest(attesting, "T-1", ["fund", "school"], "80.00", "2026-01-15")
    since = attesting.reader().head.height + 1
    attest(attesting, "T-2", ["fund", "school"], "85.00", "2026-01-31")
    assert standing() == [("T-2", 8500, False)]
    with attesting.writer() as writer:
        writer.add({
            "record": "key", "party": "auditor", "key": new, "by_recovery": True, "replaces": key_id(stolen).hex(),
            "compromised_since": since,
        })  # fmt: skip
    assert standing() == [("T-2", 0, True), ("T-1", 8000, False)]
    found = reconcile(attesting.reader(), ["fund", "school"], statement)
    told = found.to_dict()["attestations"][0]
    assert _vouched(found, told).endswith(
        f" It is disputed and covers nothing: a key of auditor was compromised since block {since}."
    )
    assert told["disputed"] == f"a key of auditor was compromised since block {since}"
    attest(attesting, "T-3", ["fund", "school"], "84.00", "2026-01-31")
    assert standing() == [("T-3", 8400, False), ("T-2", 0, True)]
