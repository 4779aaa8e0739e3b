"""Goods for Good: each gift recomputed with fractions, who finds it, what does not enter, and going on after a kill."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import pytest

from charitychain.claimed import gifts_in_series
from charitychain.errors import CharitychainError, MalformedError, NotFoundError, RefusedError, UnreadableError
from charitychain.ledger import Ledger
from charitychain.programmes import gift_arrays, goods_for_good
from charitychain.programmes.goods_for_good import ImportedOrders, Remainders, import_orders
from charitychain.records import Gifts
from charitychain.state.lookup import known_gift
from charitychain.writer import Writer

pa = pytest.importorskip("pyarrow")

ANN, BO, SHOP, MILL = "0a" * 16, "0b" * 16, "a1" * 16, "b2" * 16
LISTINGS = f"""listing,merchant,account,fixed,percent
tea,{SHOP},meals,0.10,
scarf,{MILL},school,,1.5
pencil,{MILL},school,,0.02
boat,{SHOP},abroad,,33.33
"""
HEADER = "order,listing,consumer,price,status,quantity"


@pytest.fixture
def causes(ledger: Ledger) -> Ledger:
    """Give a ledger with three causes, one of them in yen, which have no decimals."""
    with ledger.writer() as writer:
        writer.account("meals", unit="CNY")
        writer.account("school", unit="CNY")
        writer.account("abroad", unit="JPY")
    return ledger


@pytest.fixture
def enter(causes: Ledger, tmp_path: Path) -> Callable[..., ImportedOrders]:
    """Give a function that imports rows of orders."""

    def run(*rows: str, header: str = HEADER, listings: str = LISTINGS, dry: bool = False) -> ImportedOrders:
        (tmp_path / "listings.csv").write_text(listings, "utf-8")
        (tmp_path / "orders.csv").write_text("\n".join((header, *rows, "")), "utf-8")
        with causes.writer(dry=dry) as writer:
            return import_orders(writer, tmp_path / "orders.csv", tmp_path / "listings.csv")

    return run


def reference(ledger: Ledger, id_: str) -> str | None:
    """Return what the record of a gift says about rounding."""
    state = ledger.reader().state
    record = state.record_at(known_gift(state.lookup, id_).place)
    assert isinstance(record, Gifts) and record.width == 48
    return record.reference


def carried(ledger: Ledger, series: str, person: str) -> tuple[str, ...]:
    return tuple(gifts_in_series(ledger.reader(), series, bytes.fromhex(person)))


ROWS = [
    f"1,tea,{ANN},12.00,completed,3", f"2,scarf,{BO},59.9,completed,1", f"3,scarf,{ANN},59.90,cancelled,1",
    f"5,pencil,{BO.upper()},0.80,completed,2", "6,scarf,,129,completed,2", f"9,boat,{ANN},7,completed,",
]  # fmt: skip


def test_what_orders_give(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """Fixed times quantity, a percentage rounded down, one smallest unit at least; remainders are exact."""
    done = enter(*ROWS)
    assert (done.added, done.known, done.blocks, done.left_out) == (5, 0, 1, 1)
    totals = {fund.account: (fund.series, fund.gifts, fund.amount, fund.rounding) for fund in done.accounts}
    # 59.90 at 1.5 % is 89.85 fen; 258.00 at 1.5 % is 387 fen; 1.60 at 0.02 % is 0.032 fen, and becomes 1.
    assert totals["meals"] == ("gfg-meals", 1, 30, Remainders(0, 0))
    assert totals["school"] == ("gfg-school", 3, 89 + 1 + 387, Remainders(8500, 9680))
    assert totals["abroad"] == ("gfg-abroad", 1, 2, Remainders(3331, 0))  # 7 yen at 33.33 % are 2.3331
    assert [str(causes.balance(name)) for name in ("meals", "school", "abroad")] == ["0.30", "4.77", "2"]
    found = causes.trace("gfg-school/5")
    assert (found.donor, found.source, str(found.money)) == (BO, "goods-for-good", "0.01")
    assert reference(causes, "gfg-school/2") == "rounding 0.85 kept back, 0.968 added"
    assert reference(causes, "gfg-meals/1") is None
    assert causes.trace("gfg-school/6").donor is None
    for gone in ("gfg-school/3", "gfg-school/1"):
        with pytest.raises(NotFoundError):
            causes.trace(gone)
    assert causes.verify().holds


def test_consumer_and_merchant_find_their_gifts(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """Each finds by its own pseudonym the gifts that it had part in, and no others."""
    enter(*ROWS)
    assert carried(causes, "gfg-school", BO) == ("gfg-school/2", "gfg-school/5")
    assert carried(causes, "gfg-school", MILL) == ("gfg-school/2", "gfg-school/5", "gfg-school/6")
    assert carried(causes, "gfg-meals", ANN) == ("gfg-meals/1",)
    assert carried(causes, "gfg-meals", MILL) == ()


def _drawn(count: int) -> tuple[str, list[tuple[str, ...]], list[tuple[str, ...]]]:
    draw = random.Random(7)
    listed = [
        (f"i{n}", f"{n + 1000:032x}", draw.choice(("meals", "school", "abroad")), draw.choice(("", "3", "17")),
         f"{draw.randrange(1, 10001) / 100:.2f}") for n in range(40)
    ]  # fmt: skip
    listed = [(*row[:4], "" if row[3] else row[4]) for row in listed]
    rows, number = [], 0
    for _ in range(count):
        number += draw.choice((1, 1, 1, 7))
        item = draw.choice(listed)
        cents = "" if item[2] == "abroad" else draw.choice(("", f".{draw.randrange(10)}", f".{draw.randrange(100):02}"))
        rows.append((
            str(number), item[0], draw.choice(("", f"{draw.randrange(1, 50):032x}")),
            f"{draw.choice((0, 0, draw.randrange(300), draw.randrange(10**12)))}{cents}",
            draw.choice(("completed",) * 9 + ("cancelled",)), str(draw.randrange(1, 4)),
        ))  # fmt: skip
    text = "\n".join(map(",".join, [("listing", "merchant", "account", "fixed", "percent"), *listed])) + "\n"
    return text, listed, rows


def _expected(
    listed: list[tuple[str, ...]], rows: list[tuple[str, ...]]
) -> tuple[dict[str, tuple[int, str, str]], dict[str, list[Fraction]]]:
    """Return gifts by id (amount, consumer, merchant), and by account what was kept back and what was added."""
    items = {row[0]: row for row in listed}
    gifts: dict[str, tuple[int, str, str]] = {}
    rests = {name: [Fraction(0), Fraction(0)] for name in ("meals", "school", "abroad")}
    for order, listing, consumer, price, status, quantity in rows:
        if status != "completed":
            continue
        _, merchant, account, fixed, percent = items[listing]
        smallest = 1 if account == "abroad" else 100
        promised = Fraction(fixed or Fraction(price) * Fraction(percent) / 100) * int(quantity) * smallest
        if not promised:
            continue
        amount = max(floor(promised), 1)
        rests[account][promised < 1] += abs(promised - amount)
        gifts[f"gfg-{account}/{order}"] = (amount, consumer, merchant)
    return gifts, rests


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_gift_is_recomputed(causes: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Amounts, both pseudonyms and remainders of drawn orders are those of exact fractions, in CSV and in Parquet."""
    monkeypatch.setattr(gift_arrays, "GIFTS_IN_STATEMENT", 100)
    monkeypatch.setattr(goods_for_good, "_STATEMENTS_IN_GROWING_BLOCK", 7)
    monkeypatch.setattr("charitychain.programmes.orders._BYTES_IN_BATCH", 20_000)
    monkeypatch.setattr("charitychain.programmes.orders._ROWS_IN_BATCH", 300)
    text, listed, rows = _drawn(2500)
    gifts, rests = _expected(listed, rows)
    (tmp_path / "listings.csv").write_text(text, "utf-8")
    path = tmp_path / f"orders.{form}"
    if form == "csv":
        path.write_text("\n".join([HEADER, *map(",".join, rows)]), "utf-8")
    else:
        from pyarrow import parquet

        columns: dict[str, Any] = dict(zip(HEADER.split(","), map(list, zip(*rows, strict=True)), strict=True))
        columns["order"] = [int(n) for n in columns["order"]]
        columns["quantity"] = [None if n == "1" else int(n) for n in columns["quantity"]]
        columns["consumer"] = [who or None for who in columns["consumer"]]
        parquet.write_table(pa.table(columns), path)
    with causes.writer() as writer:
        done = import_orders(writer, path, tmp_path / "listings.csv")
    assert (done.added, done.left_out) == (len(gifts), len(rows) - len(gifts))
    for fund in done.accounts:
        assert [Fraction(part, 10_000) for part in fund.rounding] == rests[fund.account]
        assert fund.amount == sum(gift[0] for id_, gift in gifts.items() if id_.startswith(f"{fund.series}/"))
        assert causes.balance(fund.account).amount == fund.amount
    of_shop = {shop: set(carried(causes, "gfg-school", shop)) for shop in {row[1] for row in listed}}
    for shop, found_ids in of_shop.items():
        assert found_ids == {id_ for id_, gift in gifts.items() if id_.startswith("gfg-school/") and gift[2] == shop}
    for id_, (amount, consumer, _) in random.Random(1).sample(sorted(gifts.items()), 150):
        found = causes.trace(id_)
        assert (found.money.amount, found.donor or "") == (amount, consumer), id_
    with causes.writer() as writer:
        again = import_orders(writer, path, tmp_path / "listings.csv")
    assert (again.added, again.known, again.blocks, again.accounts) == (0, len(gifts), 0, done.accounts)
    assert causes.verify().holds


def test_an_import_that_was_killed_goes_on(causes: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sealed before stays; the same file is then entered to its end, and nothing twice."""
    monkeypatch.setattr(gift_arrays, "GIFTS_IN_STATEMENT", 100)
    monkeypatch.setattr(goods_for_good, "_STATEMENTS_IN_GROWING_BLOCK", 3)
    text, listed, rows = _drawn(3000)
    gifts, _ = _expected(listed, rows)
    (tmp_path / "listings.csv").write_text(text, "utf-8")
    path = tmp_path / "orders.csv"
    path.write_text("\n".join([HEADER, *map(",".join, rows)]), "utf-8")
    commit, count = Writer.commit, 0

    def dying(self: Writer) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return commit(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), causes.writer() as writer:
        patch.setattr(Writer, "commit", dying)
        import_orders(writer, path, tmp_path / "listings.csv")
    with causes.writer() as writer:
        done = import_orders(writer, path, tmp_path / "listings.csv")
    assert done.known >= 900 and done.added > 0 and done.known + done.added == len(gifts)
    for fund in done.accounts:
        assert causes.balance(fund.account).amount == fund.amount
    assert causes.verify().holds


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"2,coat,{ANN},1,completed,1", "there is no listing 'coat'"),
        (f"1,tea,{ANN},1,completed,1", "order 1 does not rise above 1"),
        (f"0,tea,{ANN},1,cancelled,1", "order 0 does not rise above 1"),
        (f"02,tea,{ANN},1,completed,1", "order must be a whole number"),
        (f"0x2,tea,{ANN},1,completed,1", "order must be a whole number"),
        (f"-2,tea,{ANN},1,completed,1", "order must be a whole number"),
        (f",tea,{ANN},1,completed,1", "order must be a whole number"),
        (f"{2**63},tea,{ANN},1,completed,1", "order must be a whole number"),
        ("2,tea,Bob,1,completed,1", "consumer must be 32 hexadecimal digits"),
        (f"2,tea,{ANN[:-2]} z,1,completed,1", "consumer must be"),
        (f"2,tea,{ANN[:-2]}  ,1,completed,1", "consumer must be"),
        (f"2,scarf,{ANN},1e3,completed,1", "price must be plain digits"),
        (f"2,scarf,{ANN},-1,completed,1", "price must be"),
        (f"2,scarf,{ANN},.5,completed,1", "price must be"),
        (f"2,scarf,{ANN},5.,completed,1", "price must be"),
        (f"2,scarf,{ANN},1.2.3,completed,1", "price must be"),
        (f"2,scarf,{ANN},05,completed,1", "price must be"),
        (f"2,scarf,{ANN},,completed,1", "price must be"),
        (f"2,scarf,{ANN},１,completed,1", "price must be"),
        (f"2,scarf,{ANN},1.005,completed,1", "price has more decimals than CNY, which has 2"),
        (f"2,boat,{ANN},1.5,completed,1", "price has more decimals than JPY, which has 0"),
        (f"2,boat,{ANN},{10**17},completed,100", "price × quantity is 2^63"),
        (f"2,boat,{ANN},576460752303423488,completed,16", "price × quantity is 2^63"),  # 2^59 × 2^4
        (f"2,scarf,{ANN},{10**17},completed,1", "price × quantity is 2^63"),  # in fen
        (f"2,scarf,{ANN},1,completed,0", "quantity must be 1 at least"),
        (f"2,scarf,{ANN},1,completed,1.5", "quantity must be a whole number"),
        (f"2,scarf,{ANN},1,completed", "expected 6 fields, found 5"),
        (f"2,scarf,{ANN},1,completed,1,9", "expected 6 fields, found 7"),
        (f" ,tea,{ANN},1,completed,1", "order must be a whole number"),
        (" ", "expected 6 fields"),
        ("2,,,,,", "status must be 'completed' exactly"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(
    causes: Ledger, enter: Callable[..., ImportedOrders], row: str, said: str
) -> None:
    """All lines are checked before anything is recorded."""
    before = causes.path.read_bytes()
    with pytest.raises(MalformedError) as caught:
        enter(ROWS[0], row, f"9,tea,{ANN},1,completed,1")
    assert caught.value.code == "CC-TABLE" and said in caught.value.message
    assert "orders.csv, line 3: " in caught.value.message and caught.value.facts["line"] == 3
    assert causes.path.read_bytes() == before


def test_the_largest_order_that_fits(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """16 × (2^59 - 1) yen are below 2^63: 33.33 % of them are exact to the last yen."""
    done = enter(f"2,boat,{ANN},576460752303423487,completed,16")
    (fund,) = done.accounts
    assert (fund.amount, fund.rounding) == (3074149899883696771, Remainders(4736, 0))
    assert causes.balance("abroad").amount == 3074149899883696771


@pytest.mark.parametrize(
    ("row", "said"), [("1800,tea,,1,completed", "expected 6 fields, found 5"), ("1800,coat,,1,completed,1", "'coat'")]
)
def test_a_bad_row_far_down_is_refused_with_its_line(
    causes: Ledger, enter: Callable[..., ImportedOrders], monkeypatch: pytest.MonkeyPatch, row: str, said: str
) -> None:
    """The line is right in a file of many pieces, of which the next is read before this one is looked at."""
    monkeypatch.setattr("charitychain.programmes.orders._BYTES_IN_BATCH", 5_000)
    before = causes.path.read_bytes()
    rows = [f"{number},tea,{ANN},1,completed,1" for number in range(1, 2001)]
    with pytest.raises(MalformedError, match=r"orders\.csv, line 1801: ") as caught:
        enter(*rows[:1799], row, *rows[1800:])
    assert said in caught.value.message
    assert causes.path.read_bytes() == before


def test_text_that_is_none_is_refused_with_its_line(causes: Ledger, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are found."""
    (tmp_path / "listings.csv").write_text(LISTINGS)
    (tmp_path / "orders.csv").write_bytes(f"{HEADER}\n{ROWS[0]}\n2,te\xff,,1,completed,1\n".encode("latin-1"))
    with causes.writer() as writer, pytest.raises(MalformedError, match="line 3: it is no UTF-8 text"):
        import_orders(writer, tmp_path / "orders.csv", tmp_path / "listings.csv")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("order,listing,consumer,price,state,quantity", "line 1: column 'state' is not known"),
        ("order,listing,consumer,price,status,status", "line 1: column 'status' stands there twice"),
        ("order,listing,consumer,price,quantity,date", "line 1: the column 'status' is missing"),
    ],
)
def test_a_header_that_is_not_understood(enter: Callable[..., ImportedOrders], header: str, said: str) -> None:
    """A misspelled column is an error, not silence."""
    with pytest.raises(MalformedError, match=said):
        enter(*ROWS, header=header)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"tea,{SHOP},meals,0.10,", "CC-TABLE"), (f"x,{SHOP},meals,0.10,5", "CC-TABLE"),
        (f"x,{SHOP},meals,,", "CC-TABLE"), (f"x,{SHOP},meals,,100.01", "CC-TABLE"), (f"x,{SHOP},meals,,0", "CC-AMOUNT"),
        (f"x,{SHOP},meals,,1.555", "CC-AMOUNT"), (f"x,{SHOP},meals,0,", "CC-AMOUNT"),
        ("x,Tea Shop,meals,1,", "CC-TABLE"), (f"x,{SHOP},nowhere,1,", "CC-UNKNOWN-ACCOUNT"),
    ],
)  # fmt: skip
def test_a_bad_listing_is_refused(enter: Callable[..., ImportedOrders], row: str, code: str) -> None:
    """A listing names one known cause and promises one thing."""
    with pytest.raises(CharitychainError, match=r"listings\.csv, line 6: ") as caught:
        enter(*ROWS, listings=f"{LISTINGS}{row}\n")
    assert caught.value.code == code


def test_other_content_is_refused(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """An order that says something else than the ledger, or is cancelled now, is refused with its line."""
    enter(*ROWS)
    before = causes.path.read_bytes()
    for at, row in (
        (1, f"2,scarf,{BO},69.9,completed,1"), (1, f"2,scarf,{ANN},59.9,completed,1"),
        (1, f"2,scarf,{BO},59.9,cancelled,1"), (2, f"3,scarf,{ANN},59.90,completed,1"),
    ):  # fmt: skip
        with pytest.raises(RefusedError, match=rf"orders.csv, line {at + 2}: gift gfg-school/") as caught:
            enter(*ROWS[:at], row, *ROWS[at + 1 :], f"20,tea,{ANN},1,completed,1")
        assert caught.value.code == "CC-DUPLICATE-ID"
    with pytest.raises(RefusedError, match="line 3: gift gfg-school/2 says"):  # another merchant
        enter(*ROWS, listings=LISTINGS.replace(f"scarf,{MILL}", f"scarf,{SHOP}"))
    assert causes.path.read_bytes() == before
    assert enter(*ROWS, f"20,tea,{ANN},1,completed,1").added == 1


def test_dates_go_into_their_batches(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """Gifts of one day are one batch; another date for a gift that is there is refused, and so is one to come."""
    header = "date,status,price,consumer,listing,order"
    rows = [f"2020-05-0{day},completed,1,{ANN},tea,{number}" for number, day in enumerate((1, 1, 2), 1)]
    assert (enter(*rows, header=header).added, enter(*rows, header=header).known) == (3, 3)
    assert [causes.trace(f"gfg-meals/{n}").date for n in (1, 2, 3)] == ["2020-05-01", "2020-05-01", "2020-05-02"]
    for date, code in (("2020-05-03", "CC-DUPLICATE-ID"), ("2020-13-01", "CC-TABLE")):
        with pytest.raises(CharitychainError, match="line 4: ") as caught:
            enter(*rows[:2], rows[2].replace("2020-05-02", date), header=header)
        assert caught.value.code == code
    with pytest.raises(RefusedError, match=r"orders\.csv, line 5: 9999-01-01 is still to come"):
        enter(*rows, f"9999-01-01,completed,1,{ANN},tea,9", header=header)


def test_parquet_names_rows_and_takes_no_floats(causes: Ledger, tmp_path: Path) -> None:
    """Errors of a Parquet file name the row; prices are decimals or text, never floats."""
    from decimal import Decimal

    from pyarrow import parquet

    (tmp_path / "listings.csv").write_text(LISTINGS)
    columns: dict[str, Any] = {
        "order": [1, 2], "listing": ["tea", "scarf"], "consumer": [ANN, ANN], "status": ["completed"] * 2,
        "price": [Decimal("1.00"), Decimal("59.90")],
    }  # fmt: skip

    def enter(**changed: Any) -> ImportedOrders:
        parquet.write_table(pa.table({**columns, **changed}), tmp_path / "orders.parquet")
        with causes.writer() as writer:
            return import_orders(writer, tmp_path / "orders.parquet", tmp_path / "listings.csv")

    for changed, said in (
        ({"price": [1.0, 59.9]}, "column 'price' holds double"), ({"order": [1, 1]}, "orders.parquet, row 2: order 1"),
        ({"listing": ["tea", "coat"]}, "row 2: there is no listing 'coat'"),
    ):  # fmt: skip
        with pytest.raises(MalformedError, match=said):
            enter(**changed)
    assert [fund.amount for fund in enter().accounts] == [10, 89]
    with pytest.raises(RefusedError, match=r"orders\.parquet, row 2: gift gfg-school/2 says something else"):
        enter(consumer=[ANN, BO])
    (tmp_path / "orders.parquet").write_bytes(b"PAR1 and no more")
    with causes.writer() as writer, pytest.raises(MalformedError, match="cannot be read"):
        import_orders(writer, tmp_path / "orders.parquet", tmp_path / "listings.csv")


MOVED = LISTINGS.replace(f"tea,{SHOP},meals", f"tea,{SHOP},school")
INK = LISTINGS + f"ink,{MILL},school,0.20,\n"
SOLD = [f"1,ink,{ANN},5,completed,1", f"2,tea,{ANN},5,completed,1", f"3,tea,{BO},5,completed,1"]


@pytest.mark.parametrize("first", [1, 9])
def test_a_listing_that_moves_to_another_cause_gives_no_order_twice(
    causes: Ledger, enter: Callable[..., ImportedOrders], first: int
) -> None:
    """An order gives once, whether the series of its new cause had gone on beyond its number or not."""
    rows = SOLD if first == 1 else [*SOLD[1:], f"9,ink,{ANN},5,completed,1"]
    enter(*rows, listings=INK)
    before = causes.path.read_bytes()
    moved = INK.replace(f"tea,{SHOP},meals", f"tea,{SHOP},school")
    at = 3 if first == 1 else 2
    with pytest.raises(
        RefusedError, match=f"orders.csv, line {at}: order 2 stands in the ledger already as gift gfg-meals/2,"
    ) as caught:
        enter(*rows, listings=moved)
    assert (caught.value.code, caught.value.facts["line"]) == ("CC-DUPLICATE-ID", at)
    assert causes.path.read_bytes() == before
    more = enter(f"4,tea,{ANN},5,completed,1" if first == 1 else f"10,tea,{ANN},5,completed,1", listings=moved)
    assert [fund.series for fund in more.accounts] == ["gfg-school"]  # new orders of it give to the new cause


def test_an_order_of_an_account_that_no_listing_names_any_more_is_found(
    causes: Ledger, enter: Callable[..., ImportedOrders]
) -> None:
    """All series of the prefix in the ledger count; those of another prefix, or of another account, do not."""
    with causes.writer() as writer:
        writer.gifts("gfg-old-meals", account="abroad", ids=[7], amounts=["3"])  # gfg-old-meals is of another account
        writer.gifts("other-meals", account="meals", ids=[7], amounts=["3"])
    only_school = "\n".join(row for row in MOVED.splitlines() if "abroad" not in row) + "\n"
    enter(f"5,boat,{ANN},300,completed,1")
    with pytest.raises(RefusedError, match=r"line 2: order 5 stands in the ledger already as gift gfg-abroad/5,"):
        enter(f"5,scarf,{ANN},300,completed,1", listings=only_school)
    assert enter(f"4,scarf,{ANN},300,completed,1", f"7,scarf,{ANN},300,completed,1", listings=only_school).added == 2


def test_an_import_that_was_killed_does_not_give_twice_either(
    causes: Ledger, enter: Callable[..., ImportedOrders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where some causes were sealed and others not, orders between are looked for, found if moved, entered if not."""
    monkeypatch.setattr(gift_arrays, "GIFTS_IN_STATEMENT", 10)
    monkeypatch.setattr(goods_for_good, "_STATEMENTS_IN_GROWING_BLOCK", 2)
    monkeypatch.setattr("charitychain.programmes.orders._BYTES_IN_BATCH", 1_000)
    items = ("tea", "scarf", "scarf", "scarf", "boat")
    rows = [f"{number},{items[number % 5]},{ANN},100,completed,1" for number in range(1, 201)]
    commit, count = Writer.commit, 0

    def dying(self: Writer) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return commit(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Writer, "commit", dying)
        enter(*rows)
    held = {name: set(range(201)) & _numbers(causes, f"gfg-{name}") for name in ("meals", "school", "abroad")}
    assert max(held["school"]) > max(held["meals"]) > 0  # so that orders for meals lie below the highest of school
    before = causes.path.read_bytes()
    with pytest.raises(RefusedError, match=f"order {min(held['meals'])} stands in the ledger already as gift gfg-meal"):
        enter(*rows, listings=MOVED)
    school = LISTINGS.replace(f"scarf,{MILL},school", f"scarf,{MILL},meals")
    later = min(number for number in held["school"] if number > max(held["meals"]))
    with pytest.raises(RefusedError, match=f"order {later} stands in the ledger already as gift gfg-school/{later},"):
        enter(*(row for row in rows if int(row.split(",")[0]) >= later), listings=school)
    assert causes.path.read_bytes() == before
    done = enter(*rows)
    assert (done.known, done.added) == (sum(map(len, held.values())), 200 - sum(map(len, held.values())))
    assert [str(causes.balance(name)) for name in ("meals", "school", "abroad")] == ["4.00", "180.00", "1320"]


def _numbers(ledger: Ledger, series: str) -> set[int]:
    reader = ledger.reader()
    return {int(gift.id.partition("/")[2]) for gift in _gifts(reader, series)}


def _gifts(reader: Any, series: str) -> Any:
    from charitychain.state.lookup import gifts_of

    for batch in reader.index.batches(series):
        yield from gifts_of(reader.index, reader.index.movement(batch.account, batch.movement))


def test_orders_left_out_are_looked_for_in_every_batch(
    causes: Ledger, enter: Callable[..., ImportedOrders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of drawn orders that are cancelled now, the first one that gave is refused, wherever it stands."""
    monkeypatch.setattr(gift_arrays, "GIFTS_IN_STATEMENT", 7)
    monkeypatch.setattr("charitychain.programmes.orders._BYTES_IN_BATCH", 500)
    draw = random.Random(3)
    gave = {
        number: draw.choice(("tea", "scarf", "boat") if number < 300 else ("tea",))
        for number in sorted(draw.sample(range(1, 500), 250))
    }
    enter(*(f"{number},{item},,100,completed,1" for number, item in gave.items()))
    series = {"tea": "meals", "scarf": "school", "boat": "abroad"}
    absent = sorted(set(range(600)) - set(gave))
    for _ in range(40):
        there = sorted(draw.sample(sorted(gave), draw.choice((0, 1, 1, 2, 5))))
        some = sorted({*there, *draw.sample(absent, draw.choice((0, 3, 100)))})
        rows = [f"{number},{draw.choice(('tea', 'boat', 'gone'))},,100,cancelled,1" for number in some]
        if not there:
            assert enter(*rows).left_out == len(some)
            continue
        line, where = some.index(there[0]) + 2, f"gfg-{series[gave[there[0]]]}/{there[0]}"
        with pytest.raises(RefusedError, match=f"line {line}: gift {where} is in the ledger already, and would"):
            enter(*rows)


@pytest.mark.parametrize("listings", [INK, MOVED + f"ink,{MILL},school,0.20,\n", f"{INK.splitlines()[0]}\n"])
def test_a_cancellation_is_never_swallowed(
    causes: Ledger, enter: Callable[..., ImportedOrders], listings: str
) -> None:
    """An order that gave and is cancelled now is refused, although its listing moved, or is not there any more."""
    enter(*SOLD, listings=INK)
    kept = ["4,tea,,5,shipped,1"]
    with pytest.raises(RefusedError, match=r"line 2: gift gfg-meals/2 is in the ledger already, .* reverse") as caught:
        enter(SOLD[1].replace("completed", "cancelled"), *kept, listings=listings)
    assert caught.value.code == "CC-DUPLICATE-ID"
    assert enter(*kept, listings=listings).left == {"shipped": 1}


def test_a_reversed_gift_may_be_left_out(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """The whole export, in which the order is refunded, is taken once its gift was wholly reversed, and not before."""
    rows = [f"1,tea,{ANN},5,completed,3", f"2,tea,{BO},5,completed,1"]
    enter(*rows)
    with causes.writer() as writer:
        writer.reversal("R-1", reverses="gfg-meals/1", amount="0.20")
    refunded = [rows[0].replace("completed", "refunded"), rows[1]]
    with pytest.raises(RefusedError, match="gift gfg-meals/1 is in the ledger already"):
        enter(*refunded)
    with causes.writer() as writer:
        writer.reversal("R-2", reverses="gfg-meals/1", amount="0.10")
    before = causes.path.read_bytes()
    done = enter(*refunded)
    assert (done.added, done.known, done.left) == (0, 1, {"refunded": 1})
    again = enter(*rows)  # a platform that still calls the order completed
    assert (again.added, again.known) == (0, 2)
    assert causes.path.read_bytes() == before and str(causes.balance("meals")) == "0.10"


def test_an_order_that_completes_later_is_refused_and_told_why(
    causes: Ledger, enter: Callable[..., ImportedOrders]
) -> None:
    """The numbers of a series rise: a number below them is refused, and the error says how to number."""
    rows = [f"1,tea,{ANN},5,completed,1", f"2,tea,{ANN},5,shipped,1", f"3,tea,{ANN},5,completed,1"]
    assert enter(*rows).left == {"shipped": 1}
    with pytest.raises(RefusedError, match=r"line 3: gift gfg-meals/2 is not .* number the sales in the") as caught:
        enter(rows[0], rows[1].replace("shipped", "completed"), rows[2])
    assert caught.value.code == "CC-DUPLICATE-ID"


@pytest.mark.parametrize(
    "status", ["Completed", "COMPLETED", " completed", "completed ", "com pleted", "", "  ", "\u00a0"]
)
def test_a_status_that_only_looks_like_completed_is_refused(
    causes: Ledger, enter: Callable[..., ImportedOrders], status: str
) -> None:
    """A sale is not lost for a capital letter or a blank, and no sale is without a status."""
    with pytest.raises(MalformedError, match=r"orders\.csv, line 4: status must be 'completed' exactly"):
        enter(ROWS[0], f"2,tea,{ANN},5,cancelled,1", f"3,tea,{ANN},5,{status},1")


def test_every_other_status_is_counted_by_name(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """Names are taken as they are; so many of them that the column must be another one are refused."""
    names = ("cancelled", "shipped", "cancelled", "Cancelled", "completed!")
    done = enter(*(f"{number},tea,,5,{name},1" for number, name in enumerate(names)))
    assert (done.left_out, done.left) == (5, {"cancelled": 2, "shipped": 1, "Cancelled": 1, "completed!": 1})
    assert len(enter(*(f"{number},tea,,5,state {number},1" for number in range(1000))).left) == 1000
    with pytest.raises(MalformedError, match="more than 1000 different statuses"):
        enter(*(f"{number},tea,,5,state {number},1" for number in range(1001)))


def test_a_percentage_of_nothing_gives_nothing(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """It is left out and counted; a fixed amount is given for what was free, too; a gift cannot vanish in this way."""
    rows = [f"1,scarf,{ANN},0,completed,1", f"2,scarf,{ANN},0.00,completed,2", f"3,tea,{ANN},0,completed,2"]
    done = enter(*rows, f"4,scarf,{ANN},1,completed,1")
    assert (done.added, done.left_out, done.left, done.gave_nothing) == (2, 2, {}, 2)
    assert [(fund.series, fund.amount) for fund in done.accounts] == [("gfg-meals", 20), ("gfg-school", 1)]
    with pytest.raises(RefusedError, match="line 5: gift gfg-school/4 is in the ledger already, and would be left out"):
        enter(*rows, f"4,scarf,{ANN},0,completed,1")


def test_zeros_behind_the_decimals_of_a_unit_are_fine(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """12.5000 CNY and 100.00 JPY are whole fen and yen; more digits than fit are, too, where they are zeros."""
    done = enter(
        f"1,scarf,{ANN},100.000,completed,1", f"2,boat,{ANN},100.00,completed,1",
        f"3,scarf,{ANN},12.500000000000000000,completed,8", f"4,boat,{ANN},200.000000000000000000,completed,1",
        f"5,scarf,{ANN},0.000000000000000000,completed,1",
    )  # fmt: skip
    assert [(fund.series, fund.amount) for fund in done.accounts] == [("gfg-school", 300), ("gfg-abroad", 33 + 66)]
    assert done.gave_nothing == 1
    for price, said in (
        ("1.0050", "more decimals than CNY"), ("1.000000000000000001", "price must be"), ("5.", "price must be"),
        (".000000000000000000000", "price must be"), ("00.000000000000000000000", "price must be"),
    ):  # fmt: skip
        with pytest.raises(MalformedError, match=f"line 3: {said}|line 3: price has {said}"):
            enter(f"8,boat,{ANN},1.0,completed,1", f"9,scarf,{ANN},{price},completed,1")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_skipped_and_counted_as_lines(causes: Ledger, tmp_path: Path, end: str) -> None:
    """Errors name the line of the file, blank ones among them; the file may start with a byte order mark."""
    (tmp_path / "listings.csv").write_text(LISTINGS, "utf-8")
    path = tmp_path / "orders.csv"

    def enter(*rows: str) -> ImportedOrders:
        path.write_bytes(("\ufeff" + end.join((HEADER, *rows, ""))).encode())
        with causes.writer() as writer:
            return import_orders(writer, path, tmp_path / "listings.csv")

    for rows, said in (
        (("", ROWS[0], "", "", f"9,coat,{ANN},1,completed,1"), "line 6: there is no listing 'coat'"),
        (("", ROWS[0], "", "", "9,tea", ""), "line 6: expected 6 fields, found 2"),
        (("", ROWS[0], "", f"1,tea,{ANN},1,completed,1"), "line 5: order 1 does not rise above 1"),
    ):
        with pytest.raises(MalformedError, match=said):
            enter(*rows)
    assert enter("", ROWS[0], "", "", *ROWS[1:], "", "").added == 5
    assert enter("", "").known == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the file is empty; its first line is order,listing,consumer,price,status"),
        (HEADER.replace(",", ";") + "\n1;tea;;1,2;completed;1\n", "line 1: columns are separated by commas, not by ';"),
        (HEADER.replace(",", "\t") + "\n", r"line 1: columns are separated by commas, not by '\\t'"),
        (f"{HEADER}", ""),
    ],
)
def test_a_file_that_is_no_table_of_orders_is_explained(causes: Ledger, tmp_path: Path, text: str, said: str) -> None:
    """It says what is wrong as every other table of events does; a header alone is a table without orders."""
    (tmp_path / "listings.csv").write_text(LISTINGS, "utf-8")
    (tmp_path / "orders.csv").write_text(text, "utf-8")
    with causes.writer() as writer:
        if not said:
            assert import_orders(writer, tmp_path / "orders.csv", tmp_path / "listings.csv").added == 0
            return
        with pytest.raises(MalformedError, match=said) as caught:
            import_orders(writer, tmp_path / "orders.csv", tmp_path / "listings.csv")
    assert caught.value.code == "CC-TABLE"


def test_the_forms_of_parquet(causes: Ledger, tmp_path: Path) -> None:
    """Every exact form of a column gives the same gifts; forms that are not exact are refused with their column."""
    from datetime import UTC, date, datetime, timedelta, timezone
    from decimal import Decimal

    from pyarrow import parquet

    (tmp_path / "listings.csv").write_text(LISTINGS)
    people = [bytes.fromhex(ANN), None]
    base: dict[str, Any] = {
        "order": pa.array([1, 2]), "listing": pa.array(["tea", "scarf"]), "consumer": pa.array([ANN, None]),
        "status": pa.array(["completed"] * 2), "price": pa.array(["1", "59.90"]),
        "date": pa.array([date(2020, 5, 1)] * 2),
    }  # fmt: skip
    late = datetime(2020, 5, 1, 23, 59, 59)

    def newer(*names: str) -> list[str]:  # types that an older pyarrow has not got
        return [name for name in names if hasattr(pa, name)]

    def enter(**changed: Any) -> ImportedOrders:
        parquet.write_table(pa.table({**base, **changed}), tmp_path / "orders.parquet")
        with causes.writer() as writer:
            return import_orders(writer, tmp_path / "orders.parquet", tmp_path / "listings.csv")

    assert enter().added == 2
    prices = [Decimal("1"), Decimal("59.90")]
    forms: list[dict[str, Any]] = [
        *({"price": pa.array(prices, kind)} for kind in (
            pa.decimal128(12, 4), pa.decimal128(38, 18), pa.decimal256(50, 20), pa.decimal128(10, 7),
        )),
        *({"date": pa.array([late] * 2, pa.timestamp(unit))} for unit in ("s", "ms", "us", "ns")),
        *({"date": pa.array([late] * 2, pa.timestamp(unit, "UTC"))} for unit in ("ms", "us", "ns")),
        {"date": pa.array([date(2020, 5, 1)] * 2, pa.date64())}, {"date": pa.array(["2020-05-01"] * 2)},
        *({"consumer": pa.array(people, kind)} for kind in (
            pa.binary(16), pa.binary(), pa.large_binary(),
            *(getattr(pa, name)() for name in newer("binary_view", "uuid")),
        )),
        *({"listing": pa.array(["tea", "scarf"], kind), "status": pa.array(["completed"] * 2, kind)} for kind in (
            pa.large_string(), pa.dictionary(pa.int8(), pa.string()), *(pa.string_view() for _ in newer("string_view"))
        )),
        {"consumer": pa.array([ANN, None], pa.large_string()).dictionary_encode()},
    ]  # fmt: skip
    for form in forms:
        assert enter(**form).known == 2, form
    east = datetime(2020, 5, 1, 23, 0, tzinfo=timezone(timedelta(hours=-5)))  # 2 May in UTC
    with pytest.raises(RefusedError, match="row 1: gift gfg-meals/1 says something else"):
        enter(date=pa.array([east.astimezone(UTC)] * 2, pa.timestamp("us", "UTC")))
    tiny = [Decimal("0.0000001"), Decimal(1)]
    for changed, said in (
        ({"price": pa.array([1.0, 59.9])}, "column 'price' holds double; it must hold"),
        ({"date": pa.array([late] * 2, pa.timestamp("us", "Asia/Shanghai"))}, "column 'date' holds timestamp"),
        ({"listing": pa.array([b"tea", b"scarf"])}, "column 'listing' holds binary"),
        ({"consumer": pa.array([b"x", None])}, "row 1: consumer must be 32 hexadecimal digits"),
        ({"price": pa.array([Decimal(1), Decimal("-0.0000001")], pa.decimal128(10, 7))}, "found '-0.0000001'"),
        ({"price": pa.array(tiny[::-1], pa.decimal128(10, 7))}, "row 2: price has more decimals than CNY"),
        ({"price": pa.array([Decimal(1), Decimal("1E-19")], pa.decimal128(38, 30))}, "found '0.0000000000000000001'"),
        ({"status": pa.array(["completed", None])}, "row 2: status must be 'completed' exactly"),
        ({"order": pa.array([1, None])}, "row 2: order must be a whole number"),
    ):  # fmt: skip
        with pytest.raises(MalformedError, match=said):
            enter(**changed)


def test_a_dry_run_and_an_empty_table_record_nothing(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """A dry run tells the same and leaves the ledger as it is."""
    before = causes.path.read_bytes()
    assert enter(*ROWS, dry=True).added == 5
    assert enter() == ImportedOrders(0, 0, 0, {}, 0, ())
    assert enter(ROWS[2]) == ImportedOrders(0, 0, 0, {"cancelled": 1}, 0, ())
    assert causes.path.read_bytes() == before


def test_without_pyarrow_it_says_what_to_install(
    enter: Callable[..., ImportedOrders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the package."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnreadableError, match=r"pip install 'charitychain\[tables\]'"):
        enter(*ROWS)
