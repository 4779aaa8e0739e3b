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
        (f"2,scarf,{ANN},1,completed", "Expected 6 columns, got 5"),
        (f"2,scarf,{ANN},1,completed,1,9", "Expected 6 columns, got 7"),
        ("", "order must be a whole number"),
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
    ("row", "said"), [("1800,tea,,1,completed", "Expected 6 columns, got 5"), ("1800,coat,,1,completed,1", "'coat'")]
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


def test_a_dry_run_and_an_empty_table_record_nothing(causes: Ledger, enter: Callable[..., ImportedOrders]) -> None:
    """A dry run tells the same and leaves the ledger as it is."""
    before = causes.path.read_bytes()
    assert enter(*ROWS, dry=True).added == 5
    assert enter() == ImportedOrders(0, 0, 0, 0, ())
    assert enter(ROWS[2]) == ImportedOrders(0, 0, 0, 1, ())
    assert causes.path.read_bytes() == before


def test_without_pyarrow_it_says_what_to_install(
    enter: Callable[..., ImportedOrders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the package."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnreadableError, match=r"pip install 'charitychain\[tables\]'"):
        enter(*ROWS)
