"""Plans and pledges against what was done, and the amounts of splits and recharges."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charitychain.errors import MalformedError, NotFoundError, RefusedError
from charitychain.ledger import Ledger
from charitychain.plans import compare_plan, list_plans, list_pledges
from charitychain.sharing import cut_by_percent, recharge_entries, split_parts

BOOKS = {"line": "books", "kind": "goods", "what": "school books", "quantity": 100, "price": "3.50"}
BUS = {"line": "bus", "kind": "service", "what": "a bus", "quantity": 2, "price": "80"}


@pytest.fixture
def school(ledger: Ledger) -> Ledger:
    """Give a ledger with a fund `edu` of 500.00 CNY from two gifts, a plan and expenditures on its lines."""
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        writer.account("office", unit="CNY")
        writer.account("masks", unit="MASK")
        writer.donation("D-1", account="edu", amount="300")
        writer.donation("D-2", account="edu", amount="200")
        writer.donation("D-3", account="office", amount="50")
        writer.plan("PLAN-1", account="edu", title="2026", lines=[BOOKS, BUS])
        writer.commit()
        paid = {"payee": "P", "purpose": "q"}
        writer.expenditure("X-1", source="edu", amount="210", line="PLAN-1/books", **paid)
        writer.expenditure("X-2", source="office", amount="20", line="PLAN-1/books", **paid)
        writer.conversion("C-1", source="edu", amount="30", to="masks", gives="60", line="PLAN-1/bus")
        writer.expenditure("X-3", source="edu", amount="7", **paid)
        writer.expenditure("X-4", source="masks", amount="5", line="PLAN-1/bus", **paid)
        writer.commit()
        writer.reversal("U-1", reverses="X-1", amount="35")
        writer.reversal("U-3", reverses="X-3", amount="2")
    return ledger


def test_a_line_counts_what_named_it_net_of_reversals(school: Ledger) -> None:
    """Expenditures of any account and conversions count in the plan's unit; what was reversed does not."""
    answer = compare_plan(school.reader(), "PLAN-1")
    books, bus = answer.lines
    assert [(use.id, str(use.money), use.account) for use in books.uses] == [
        ("X-1", "175.00", "edu"), ("X-2", "20.00", "office"),
    ]  # fmt: skip
    assert (str(books.planned), str(books.actual)) == ("350.00", "195.00")
    assert (str(bus.planned), str(bus.actual)) == ("160.00", "30.00")  # five masks are no money
    assert [(use.id, str(use.money), use.money.code) for use in bus.uses] == [
        ("C-1", "30.00", "CNY"), ("X-4", "5", "MASK"),
    ]  # fmt: skip
    told = answer.to_dict()
    assert (told["planned"], told["actual"], told["difference"], told["percent"]) == (
        "510.00", "225.00", "285.00", "44.11",
    )  # fmt: skip
    assert told["outside"] == "5.00"  # X-3, less what came back of it


def test_what_is_reversed_as_a_whole_is_no_use(school: Ledger) -> None:
    """An expenditure of which nothing stands is not listed, and counts neither on a line nor beside them."""
    with school.writer() as writer:
        writer.reversal("U-4", reverses="X-1")
        writer.reversal("U-5", reverses="X-3")
    answer = compare_plan(school.reader(), "PLAN-1")
    assert [use.id for use in answer.lines[0].uses] == ["X-2"]
    assert str(answer.outside) == "0.00"


def test_a_plan_takes_over_lines_of_the_same_name_from_those_before_it(school: Ledger) -> None:
    """Two steps back, by name; a line that was dropped is neither counted nor called outside."""
    with school.writer() as writer:
        writer.plan("PLAN-2", account="edu", lines=[BUS], replaces="PLAN-1")
        writer.plan("PLAN-3", account="edu", lines=[{**BOOKS, "quantity": 50}], replaces="PLAN-2")
        writer.commit()
        writer.expenditure("X-9", source="edu", amount="1", payee="P", purpose="q", line="PLAN-3/books")
    answer = compare_plan(school.reader(), "PLAN-3")
    assert [(use.id, use.line) for use in answer.lines[0].uses] == [
        ("X-1", "PLAN-1/books"), ("X-2", "PLAN-1/books"), ("X-9", "PLAN-3/books"),
    ]  # fmt: skip
    assert answer.to_dict()["difference"] == "-21.00"  # 175.00 planned, 196.00 spent
    assert answer.to_dict()["percent"] == "112.00"
    assert str(answer.outside) == "5.00"
    listed = [(p.plan, str(p.actual), p.replaces, p.replaced_by) for p in list_plans(school.reader())]
    assert listed == [
        ("PLAN-1", "225.00", None, ("PLAN-2",)),
        ("PLAN-2", "30.00", "PLAN-1", ("PLAN-3",)),
        ("PLAN-3", "196.00", "PLAN-2", ()),
    ]


def test_an_id_that_is_no_plan_is_told(school: Ledger) -> None:
    """Neither an unknown id nor that of another record is taken for a plan."""
    for id_ in ("PLAN-9", "X-1", "PLAN-1/books"):
        with pytest.raises(NotFoundError) as caught:
            compare_plan(school.reader(), id_)
        assert caught.value.code == "CC-UNKNOWN-ID"


def test_a_pledge_is_fulfilled_by_gifts_that_stand(ledger: Ledger) -> None:
    """Announced, reversed, fulfilled and open add up; a reversed gift fulfils nothing."""
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        writer.pledge("P-1", account="edu", amount="100", pledger="Example Foundation", due="2026-06")
        writer.pledge("P-2", account="edu", amount="10")
        writer.commit()
        writer.donation("D-1", account="edu", amount="30", pledge="P-1")
        writer.donation("D-2", account="edu", amount="25", pledge="P-1")
        writer.donation("D-3", account="edu", amount="12", pledge="P-2")
        writer.commit()
        writer.reversal("U-1", reverses="P-1", amount="10")
        writer.reversal("U-2", reverses="D-2", amount="5")
        writer.commit()
        writer.reversal("U-3", reverses="D-2")  # what is left: 20.00
    rows = [
        (p.id, *map(str, (p.announced, p.reversed, p.fulfilled, p.open)), p.due) for p in list_pledges(ledger.reader())
    ]
    assert rows == [
        ("P-1", "100.00", "10.00", "30.00", "60.00", "2026-06"),
        ("P-2", "10.00", "0.00", "12.00", "0.00", None),
    ]
    assert str(ledger.balance("edu")) == "42.00"  # pledges brought nothing themselves


# ------------------------------------------------------------------------------------------------------ splits


@given(st.integers(1, 2**63 - 1), st.lists(st.integers(1, 10_000), min_size=1, max_size=12))
def test_parts_by_percent_sum_to_their_share(amount: int, percents: list[int]) -> None:
    """Of any amount the parts sum to their common share, rounded down once, and each is off by less than one unit."""
    parts = cut_by_percent(amount, percents)
    assert sum(parts) == amount * sum(percents) // 10_000
    assert all(abs(part - Fraction(amount * p, 10_000)) < 1 for part, p in zip(parts, percents, strict=True))


@pytest.mark.parametrize(
    ("amount", "to", "parts"),
    [
        ("0.07", ["33.33%", "33.33%", "33.34%"], ["0.02", "0.02", "0.03"]),
        ("100", ["33.33%", "33.33%", "33.34%"], ["33.33", "33.33", "33.34"]),
        ("0.01", ["50%", "50%"], [None, "0.01"]),  # a part of nothing is left out
        ("99.99", ["92%", "8%"], ["91.99", "8.00"]),
        ("10", ["2.5", "25%", None], ["2.50", "2.50", "5.00"]),
        ("10", [None, "100%"], None),
        ("10", ["60%", "30%"], None),
        ("10", ["60%", "50%"], None),
        ("10", ["4", "7"], None),
        ("10", [None, "11"], None),
    ],
)
def test_parts_of_a_split(ledger: Ledger, amount: str, to: list[str | None], parts: list[str | None] | None) -> None:
    """Amounts, percentages and a rest sum to the whole to the cent, or are refused."""
    names = ["a", "b", "c"][: len(to)]
    with ledger.writer() as writer:
        for name in ("fund", *names):
            writer.account(name, unit="CNY")
    asked = list(zip(names, to, strict=True))
    if parts is None:
        with pytest.raises(RefusedError) as caught:
            split_parts(ledger.reader(), "fund", amount, asked)
        assert caught.value.code == "CC-SPLIT"
    else:
        expected = {name: part for name, part in zip(names, parts, strict=True) if part is not None}
        assert split_parts(ledger.reader(), "fund", amount, asked) == expected


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ([("a", "8.123%")], "CC-AMOUNT"), ([("a", "-8%")], "CC-AMOUNT"), ([("a", "1e1")], "CC-AMOUNT"),
        ([("a", "٨%")], "CC-AMOUNT"), ([("a", "1"), ("a", "9")], "CC-ENTRY"), ([("a", None), ("b", None)], "CC-ENTRY"),
    ],
)  # fmt: skip
def test_malformed_parts_are_told(ledger: Ledger, to: list[tuple[str, str | None]], code: str) -> None:
    """A percentage has at most two decimals, an account comes once, and one takes the rest."""
    with ledger.writer() as writer:
        for name in ("fund", "a", "b"):
            writer.account(name, unit="CNY")
    with pytest.raises(MalformedError) as caught:
        split_parts(ledger.reader(), "fund", "10", to)
    assert caught.value.code == code


def test_a_levy_is_exact_over_many_small_splits(ledger: Ledger) -> None:
    """Seven splits of 0.33 under a levy of 8 % give 0.18 of 2.31, as one split would, and the rules take each."""
    with ledger.writer() as writer:
        for name in ("school", "clinic", "admin"):
            writer.account(name, unit="CNY")
        writer.account("fund", unit="CNY", levy={"admin": "8"})
        writer.donation("D-1", account="fund", amount="2.31")
    for number in range(7):
        parts = split_parts(ledger.reader(), "fund", "0.33", [("school", "50%"), ("clinic", "50%")])
        with ledger.writer() as writer:
            writer.split(f"S-{number}", source="fund", to=parts, amount="0.33")
    held = {name: str(money) for name, (money, _) in ledger.balances().items()}
    assert held == {"school": "1.05", "clinic": "1.08", "admin": "0.18", "fund": "0.00"}
    again = split_parts(ledger.reader(), "fund", "0.33", [("school", "50%"), ("clinic", "50%")], id="S-0")
    first = ledger.reader().record(ledger.reader().index.find_id("S-0").place)  # type: ignore[union-attr]
    assert again == {ledger.reader().state.accounts[n].id: f"0.{part:02}" for n, part in first.parts}  # type: ignore[union-attr]


# --------------------------------------------------------------------------------------------------- recharges


def test_a_recharge_of_one_gifts_share_is_what_it_paid(school: Ledger) -> None:
    """Of X-1, net 175.00, D-1 paid all; of a use by two gifts each has its part."""
    with school.writer() as writer:
        writer.expenditure("X-5", source="edu", amount="150", payee="P", purpose="q")  # 53 of D-1, 97 of D-2
        writer.donation("D-9", account="office", amount="200")
    reader = school.reader()
    _, new = recharge_entries(reader, "X-5", to="office", id="X-6", gift="D-2")
    assert new["amount"] == "97.00"
    reversal, new = recharge_entries(reader, "X-1", to="office", id="X-7", reason="r", given={"purpose": "other"})
    assert reversal == {
        "record": "reversal", "id": reversal["id"], "reverses": "X-1", "amount": "175.00", "reason": "r",
    }  # fmt: skip
    assert new == {
        "record": "expenditure", "id": "X-7", "from": "office", "amount": "175.00", "payee": "P", "purpose": "other",
        "replaces": "X-1",
    }  # fmt: skip
    with school.writer() as writer:
        assert writer.add_together(recharge_entries(reader, "X-5", to="office", id="X-6", gift="D-2"))
    reader = school.reader()
    with school.writer() as writer:  # told again, it is the same
        assert not writer.add_together(recharge_entries(reader, "X-5", to="office", id="X-6", gift="D-2"))
    assert [(gift, str(money)) for gift, money in school.sources("X-5").gifts] == [("D-1", "53.00")]


@pytest.mark.parametrize(
    ("expenditure", "to", "gift", "code"),
    [
        ("X-404", "office", None, "CC-UNKNOWN-ID"), ("D-1", "office", None, "CC-REVERSAL"),
        ("X-1", "masks", None, "CC-UNIT"), ("X-1", "nowhere", None, "CC-UNKNOWN-ACCOUNT"),
        ("X-1", "office", "D-3", "CC-REVERSAL"), ("X-1", "office", "D-404", "CC-UNKNOWN-GIFT"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_over_is_told(
    school: Ledger, expenditure: str, to: str, gift: str | None, code: str
) -> None:
    """Only an expenditure, in the account's unit, of which something is left."""
    with pytest.raises((RefusedError, NotFoundError)) as caught:
        recharge_entries(school.reader(), expenditure, to=to, id="X-9", gift=gift)
    assert caught.value.code == code
