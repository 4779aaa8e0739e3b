"""Points: acts in, a sponsor's money by a declared rate, and both traces at the same trees."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charitychain.errors import CharitychainError, RefusedError
from charitychain.interop import gifts_table
from charitychain.interop.journal import Imported
from charitychain.ledger import Ledger
from charitychain.programmes.points import import_acts, redeem
from charitychain.programmes.rates import Rate
from charitychain.units import Unit

ROOT = Path(__file__).parents[2]
ANN, BO, CY = "0a" * 16, "0b" * 16, "0c" * 16


@pytest.fixture
def green(ledger: Ledger) -> Ledger:
    """Give a ledger with points, a sponsor who has 900.00 CNY, and accounts for tree money and trees."""
    with ledger.writer() as writer:
        writer.unit("POINT", decimals=0)
        writer.account("green", unit="POINT")
        writer.account("sponsor", unit="CNY")
        writer.account("money", unit="CNY")
        writer.account("trees", unit="TREE")
        writer.donation("S-1", account="sponsor", amount="900.00")
    return ledger


@pytest.fixture
def enter(green: Ledger, table: Callable[..., Path]) -> Callable[..., Imported]:
    """Give a function that enters rows of acts."""

    def run(*rows: str, header: str = "act,person,date,points", account: str = "green", **options: Any) -> Imported:
        with green.writer() as writer:
            return import_acts(writer, table(header, *rows), account, **options)

    return run


def turn_in(ledger: Ledger, rate: str = "100=1.00", id: str = "C-1", **options: Any) -> dict[str, Any]:
    entry = redeem(ledger.reader(), source="green", to="money", funded_from="sponsor", rate=rate, id=id, **options)
    with ledger.writer() as writer:
        writer.add(entry)
    return entry


def carried(sizes: list[int], taken: int, gives: int) -> list[tuple[int, int]]:
    """Return by hand, for stretches laid end to end, how many units of each are converted and what they carry.

    Every unit of what is got is laid down by itself, where the share of `taken` that it needs is full.
    """
    ends = [-(-unit * taken // gives) for unit in range(1, gives + 1)]
    found, start = [], 0
    for size in sizes:
        stop = min(start + size, taken)
        found.append((max(stop - start, 0), sum(start < end <= stop for end in ends)))
        start += size
    return found


def test_points_taken_give_exactly_their_money() -> None:
    """At 100=1.00 and 300=1.00, for 0 to 1,000 points: the money is rounded down, and one point fewer gives less."""
    for per in (100, 300):
        rate = Rate.parse(f"{per}=1.00", Unit("POINT", 0), Unit("CNY", 2))
        for points in range(1_001):
            taken, gives = rate.cut(points)
            assert gives == points * 100 // per
            assert taken <= points and taken * 100 // per == gives
            assert taken == 0 or (taken - 1) * 100 // per < gives


def test_acts_become_gifts_of_those_who_acted(green: Ledger, enter: Callable[..., Imported]) -> None:
    """An act is a gift in points: its day, the person as its donor, the source `points`; columns in any order."""
    done = enter(f"2020-05-01,{ANN.upper()},30,1", f"2020-05-02,{BO},225,4", header="date,person,points,act")
    assert done == Imported(2, 0, 1)
    found = green.trace("points/1")
    assert (found.donor, found.source, found.date, str(found.money)) == (ANN, "points", "2020-05-01", "30")
    assert green.trace("points/4").date == "2020-05-02"
    assert str(green.balance("green")) == "255"


def test_points_with_decimals_are_whole_points(green: Ledger, enter: Callable[..., Imported]) -> None:
    """In a unit of two decimals 30 points are 30.00, and a hundredth can be redeemed."""
    with green.writer() as writer:
        writer.unit("LEAF", decimals=2)
        writer.account("leaves", unit="LEAF")
    enter(f"1,{ANN},2020-05-01,30", account="leaves", series="autumn")
    assert str(green.balance("leaves")) == "30.00"
    entry = redeem(
        green.reader(), source="leaves", to="money", funded_from="sponsor", rate="10=1.00", id="C-9", points="12.59"
    )
    assert (entry["amount"], entry["gives"], entry["reference"]) == ("12.50", "1.25", "rate 10.00 LEAF = 1.00 CNY")


def test_entering_again_skips_and_compares(green: Ledger, enter: Callable[..., Imported]) -> None:
    """What is there is skipped, what is new goes on, and a row that says something else is refused with its line."""
    rows = [f"1,{ANN},2020-05-01,30", f"4,{BO},2020-05-01,225", f"5,{BO},2020-05-02,7"]
    assert enter(*rows[:2]) == Imported(2, 0, 1)
    assert enter(*rows) == Imported(1, 2, 1)
    assert enter(*rows) == Imported(0, 3, 0)
    before = green.path.read_bytes()
    for row in (
        f"4,{BO},2020-05-01,226", f"4,{ANN},2020-05-01,225", f"4,{BO},2020-05-02,225", f"3,{BO},2020-05-01,225",
    ):  # fmt: skip
        with pytest.raises(RefusedError, match=r"^table\.csv, line 3: gift points/") as caught:
            enter(rows[0], row, f"9,{BO},2020-05-03,1")
        assert caught.value.code == "CC-DUPLICATE-ID"
    assert green.path.read_bytes() == before


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"1,{ANN},2020-05-01,5", "CC-TABLE"), (f"03,{ANN},2020-05-01,5", "CC-TABLE"),
        ("3,Ann,2020-05-01,5", "CC-TABLE"), ("3,,2020-05-01,5", "CC-TABLE"), (f"3,{ANN},2020-05-01,0", "CC-TABLE"),
        (f"3,{ANN},2020-05-01,-5", "CC-TABLE"), (f"3,{ANN},2020-05-01,1.5", "CC-TABLE"),
        (f"3,{ANN},2020-05-01,1e3", "CC-TABLE"), (f"3,{ANN},2020-05-01,", "CC-TABLE"),
        (f"3,{ANN},2020-05-01,5,6", "CC-TABLE"), (f"3,{ANN},2020-05-01,{2**63}", "CC-TABLE"),
        (f"3,{ANN},2020-05-01,{2**63 - 1}", "CC-TABLE"), (f"3,{ANN},,5", "CC-RECORD"),
        (f"3,{ANN},2020-02-30,5", "CC-RECORD"), (f"3,{ANN},2020-05-01\x1b[2J,5", "CC-RECORD"),
        (f"3,{ANN},2999-01-01,5", "CC-FUTURE"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_with_its_line(
    green: Ledger, enter: Callable[..., Imported], row: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a table with a bad row is recorded, even where each gift would be a block of its own."""
    monkeypatch.setattr(gifts_table, "GIFTS_IN_BLOCK", 1)
    before = green.path.read_bytes()
    with pytest.raises(CharitychainError, match=r"^table\.csv, line 3: ") as caught:
        enter(f"1,{ANN},2020-05-01,5", row, f"9,{ANN},2020-05-01,5")
    assert caught.value.code == code
    assert green.path.read_bytes() == before


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", 1, "the file is empty; its first line is act,person,date,points"),
        (b"act;person;date;points\n", 1, "separated by commas, not by ';'"),
        (b"act,person,date,score\n", 1, "column 'score' is not known"),
        (b"act,person,date\n", 1, "the column 'points' is missing"),
        (b"act,person,date,points,act\n", 1, "column 'act' stands there twice"),
        (b"act,person,date,points\n1,%b,2020-05-01,5\n2,\xff,2020-05-01,5\n" % ANN.encode(), 3, "no UTF-8"),
        (b"act,person,date,points\n1,%b,2020-05-01,\"5\n" % ANN.encode(), 2, "unexpected end"),
    ],
)  # fmt: skip
def test_a_table_without_its_form_is_refused(green: Ledger, tmp_path: Path, data: bytes, line: int, words: str) -> None:
    """What is wrong with it, and in which line."""
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(CharitychainError) as caught, green.writer() as writer:
        import_acts(writer, tmp_path / "a.csv", "green")
    assert (caught.value.code, caught.value.facts["line"]) == ("CC-TABLE", line)
    assert words in caught.value.message


def test_a_table_of_a_spreadsheet_enters(green: Ledger, tmp_path: Path) -> None:
    """With a byte order mark and CR LF; and one that holds its header alone enters nothing."""
    for rows, added in (("", 0), (f"1,{ANN},2020-05-01,30\r\n", 1)):
        (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfact,person,date,points\r\n" + rows.encode())
        with green.writer() as writer:
            assert import_acts(writer, tmp_path / "a.csv", "green").added == added
    assert green.trace("points/1").donor == ANN


@pytest.mark.parametrize("unit", ["CNY", "STEP", "MINUTE", "MASK"])
def test_points_are_of_a_unit_that_the_ledger_declared(
    green: Ledger, enter: Callable[..., Imported], unit: str
) -> None:
    """An account in money, minutes, steps or goods takes no acts, and nothing of it is redeemed."""
    with green.writer() as writer:
        writer.account("other", unit=unit)
    words = f"account 'other' is in {unit}, which is no unit of points; declare one, such as POINT"
    with pytest.raises(RefusedError, match=words):
        enter(f"1,{ANN},2020-05-01,5", account="other")
    with pytest.raises(RefusedError, match=words) as caught:
        redeem(green.reader(), source="other", to="money", funded_from="sponsor", rate="1=1", id="C-1")
    assert caught.value.code == "CC-UNIT"


@pytest.mark.parametrize("seed", range(6))
def test_both_traces_end_at_the_same_trees(green: Ledger, enter: Callable[..., Imported], seed: int) -> None:
    """Who carries which fen, and which tree, is recomputed unit by unit for random acts; the sums are the sponsor's."""
    rng = random.Random(seed)
    people = [rng.choice((ANN, BO, CY)) for _ in range(12)]
    points = [rng.choice((1, 7, 30, 225, rng.randrange(1, 700))) for _ in people]
    per, fen = rng.choice(((100, 100), (300, 100), (7, 3), (90, 1)))
    enter(*(f"{n},{who},2020-05-01,{count}" for n, (who, count) in enumerate(zip(people, points, strict=True), 1)))
    most = rng.randrange(sum(points) // 2, sum(points) + 1)
    turn_in(green, f"{per}={fen // 100}.{fen % 100:02}", points=str(most))
    money = most * fen // per
    taken = next(n for n in range(most + 1) if n * fen // per == money)  # the fewest points that give as much
    assert (green.balance("money").amount, green.balance("green").amount) == (money, sum(points) - taken)
    price = max(money // rng.randrange(2, 9), 1)
    trees = money // price  # what is left of the money waits for the next tree
    spent = trees * price
    with green.writer() as writer:
        paid = f"{spent // 100}.{spent % 100:02}"
        writer.conversion("C-2", source="money", amount=paid, to="trees", gives=str(trees), payee="Nursery")
        writer.expenditure("X-1", source="trees", amount=str(trees), payee="Forest", purpose="a wood")
    in_fen = carried(points, taken, money)
    in_trees = carried([fen for _, fen in in_fen], spent, trees)
    for n, ((redeemed, fen_here), (fen_used, planted)) in enumerate(zip(in_fen, in_trees, strict=True), 1):
        found = green.trace(f"points/{n}")
        first = [(c.money.amount, c.gives.amount) for c in found.converted if c.id == "C-1"]
        second = [(c.money.amount, c.gives.amount) for c in found.converted if c.id == "C-2"]
        assert first == ([(redeemed, fen_here)] if redeemed else [])
        assert second == ([(fen_used, planted)] if fen_used else [])
        assert [(use.id, use.money.amount) for use in found.uses] == ([("X-1", planted)] if planted else [])
        assert {held.account: held.money.amount for held in found.held} == {
            account: amount
            for account, amount in (("green", points[n - 1] - redeemed), ("money", fen_here - fen_used))
            if amount
        }
    assert (sum(fen for _, fen in in_fen), sum(tree for _, tree in in_trees)) == (money, trees)
    sponsor = green.trace("S-1")
    assert [(use.id, str(use.money)) for use in sponsor.uses] == [("X-1", str(trees))]
    assert {held.account: held.money.amount for held in sponsor.held} == {
        account: amount for account, amount in (("sponsor", 90_000 - money), ("money", money - spent)) if amount
    }
    assert green.verify().holds


def test_points_below_the_rate_wait_for_the_next_time(green: Ledger, enter: Callable[..., Imported]) -> None:
    """299 points at 300=1.00 give 0.99 for 297; the other 2 give nothing, until more come in."""
    enter(f"1,{ANN},2020-05-01,299")
    assert (turn_in(green, "300=1.00")["amount"], str(green.balance("money"))) == ("297", "0.99")
    with pytest.raises(RefusedError, match=r"2 POINT of 'green' give nothing: 0\.01 CNY takes 3 at") as caught:
        turn_in(green, "300=1.00", id="C-2")
    assert caught.value.code == "CC-CONVERSION"
    enter(f"2,{BO},2020-05-02,1", series="more")
    assert (turn_in(green, "300=1.00", id="C-2")["amount"], str(green.balance("money"))) == ("3", "1.00")
    # The fen of the 2 points and the 1: it became whole with Bo's point.
    (last,) = green.trace("more/2").converted
    assert (str(last.money), str(last.gives)) == ("1", "0.01")
    assert [(str(part.money), str(part.gives)) for part in green.trace("points/1").converted] == [
        ("297", "0.99"), ("2", "0.00"),
    ]  # fmt: skip


def test_redeeming_again_is_the_same_entry(green: Ledger, enter: Callable[..., Imported]) -> None:
    """Under its id the same entry, also when more points came in; another one under that id is refused by its id."""
    enter(f"1,{ANN},2020-05-01,255")
    entry = {
        "record": "conversion", "id": "C-1", "from": "green", "amount": "255", "to": "money", "gives": "2.55",
        "funded_from": "sponsor", "reference": "rate 100 POINT = 1.00 CNY",
    }  # fmt: skip
    assert turn_in(green) == entry and turn_in(green) == entry and turn_in(green, points="255") == entry
    enter(f"1,{ANN},2020-05-02,500", series="more")
    assert turn_in(green) == entry
    before = green.path.read_bytes()
    for rate, id_, options in (
        ("100=2.00", "C-1", {}), ("90000=1.00", "C-1", {}), ("100=1.00", "C-1", {"points": "254"}),
        ("100=1.00", "C-1", {"points": "9999"}), ("100=1.00", "S-1", {}),
    ):  # fmt: skip
        with pytest.raises(RefusedError, match=f"'{id_}' is recorded already"):
            turn_in(green, rate, id=id_, **options)
    assert green.path.read_bytes() == before


@pytest.mark.parametrize(
    ("rate", "options", "code", "words"),
    [
        ("100=1.00", {"points": "256"}, "CC-OVERDRAFT", "'green' holds 255 POINT, fewer than 256 POINT"),
        ("1=9.00", {}, "CC-OVERDRAFT", "'sponsor' holds 900.00 CNY, not 2295.00"),
        ("256=0.01", {}, "CC-CONVERSION", "255 POINT of 'green' give nothing: 0.01 CNY takes 256"),
        ("100=1.00", {"points": "-5"}, "CC-AMOUNT", "'-5'"), ("100=1.00", {"points": "1.5"}, "CC-AMOUNT", "'1.5'"),
        ("100=1.00", {"points": "0"}, "CC-AMOUNT", "'0'"), ("100", {}, "CC-AMOUNT", "a rate is POINT=CNY"),
        ("100=1.001", {}, "CC-AMOUNT", "rate '100=1.001': "), ("0=1.00", {}, "CC-AMOUNT", "rate '0=1.00': "),
        ("100=1=1", {}, "CC-AMOUNT", "rate '100=1=1': "),
    ],
)  # fmt: skip
def test_what_cannot_be_redeemed_is_refused(
    green: Ledger, enter: Callable[..., Imported], rate: str, options: dict[str, str], code: str, words: str
) -> None:
    """With what there is, and with what was asked for; nothing is recorded."""
    enter(f"1,{ANN},2020-05-01,255")
    before = green.path.read_bytes()
    with pytest.raises(CharitychainError) as caught:
        turn_in(green, rate, **options)
    assert caught.value.code == code and words in caught.value.message
    assert green.path.read_bytes() == before


def test_the_page_shows_the_example() -> None:
    """The table on the page is the file among the examples."""
    page = (ROOT / "docs/how-to/run-green-points.md").read_text("utf-8")
    shown = re.search(r"> (act,person.*?)> END", page, re.DOTALL)
    assert shown is not None
    assert shown[1].replace("> ", "") == (ROOT / "examples/points/acts.csv").read_text("utf-8")
