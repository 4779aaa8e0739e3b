"""The synthetic year: what is recorded equals what its tables say, added up here in plain Python."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import pytest

from charitychain import Ledger

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "examples" / "platform_year"
GIFTS = 20_000
FEN = Decimal("0.01")
TABLES = ("listings", "orders", "walks", "hours", "services")


def run_year(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the example as a user does."""
    return subprocess.run(
        [sys.executable, str(HERE), "--gifts", str(GIFTS), "--folder", str(folder), *more],
        env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder.parent / "state")},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Give the folder of one year of 20,000 gifts, and what its run printed."""
    folder = tmp_path_factory.mktemp("year") / "made"
    done = run_year(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def report(year: tuple[Path, str]) -> dict[str, Any]:
    """Give the figures of the year's report by their ids, as the command line prints them."""
    found: dict[str, Any] = {}
    for figure in json.loads((year[0] / "report.json").read_text())["figures"]:
        found[figure["id"]] = figure
    return found


def rows(year: tuple[Path, str], name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table."""
    with (year[0] / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def given(year: tuple[Path, str]) -> Iterator[tuple[dict[str, str], dict[str, str], Decimal]]:
    """Yield each completed order with its listing and what it gives, rounded down to whole fen."""
    listings = {row["listing"]: row for row in rows(year, "listings")}
    for order in rows(year, "orders"):
        if order["status"] == "completed":
            listing = listings[order["listing"]]
            share = Decimal(order["price"]) * Decimal(listing["percent"] or "0") / 100
            yield order, listing, Decimal(listing["fixed"]) if listing["fixed"] else share.quantize(FEN, ROUND_FLOOR)


def received(ledger: Ledger) -> dict[str, Decimal]:
    """Return what each account took in, in major units."""
    return {
        account: Decimal(sums["in"]) / (100 if money.unit.code == "CNY" else 1)
        for account, (money, sums) in ledger.balances().items()
    }


def test_it_says_on_its_face_that_nothing_is_real(year: tuple[Path, str]) -> None:
    """First and last lines, titles of the ledger and of every account, and its origin say synthetic."""
    lines = year[1].splitlines()
    assert lines[0].startswith("# SYNTHETIC DATA: ")
    assert any(line.startswith("# SYNTHETIC DATA: ") for line in lines[-3:])
    assert "\nsynthetic-year.example/2020, 2020-01-01 to 2020-12-31, as of block " in year[1]
    with Ledger.open(year[0] / "year.ledger") as ledger:
        state = ledger.reader().state
        assert state.accounts and all("SYNTHETIC" in account.terms.title for account in state.accounts)
        assert all("SYNTHETIC" in (party.title or "") for party in state.parties)


def test_orders_are_recorded_as_their_tables_say(year: tuple[Path, str]) -> None:
    """Count, money and every account's income equal what the tables give; the totals are the published ones scaled."""
    sums: Counter[str] = Counter()
    count = 0
    days: Counter[str] = Counter()
    for order, listing, amount in given(year):
        sums[listing["account"]] += amount  # type: ignore[assignment]
        days[order["date"]] += 1
        count += 1
    assert (count, sum(sums.values())) == (20_000, Decimal("4400.00"))
    assert max(days.values()) == days["2020-11-11"] == 600
    with Ledger.open(year[0] / "year.ledger") as ledger:
        found = received(ledger)
    assert {account: found[account] for account in sums} == sums
    assert len(sums) == 24


def test_the_report_counts_what_the_tables_count(year: tuple[Path, str], report: dict[str, Any]) -> None:
    """Gifts in columns, merchants and donors are those of the tables, and each unit's income too."""
    orders = list(given(year))
    walks = [row for row in rows(year, "walks") if row["steps"] != "0"]
    hours = list(rows(year, "hours"))
    values = {figure["label"]: figure["value"] for figure in report.values()}
    assert values["Gifts entered in columns"] == 20_000 + len(walks) + len(hours)
    assert values["Merchants"] == len({listing["merchant"] for _, listing, _ in orders}) == 5
    donors = {order["consumer"] for order, _, _ in orders}
    assert len(donors) == 960
    donors |= {row["walker"] for row in walks} | {row["volunteer"] for row in hours}
    assert values["Donors"] == len(donors) + 2  # the sponsor and the maker of masks
    assert values["CNY received: source goods-for-good"] == "4400.00"
    assert values["STEP received"] == str(sum(int(row["steps"]) for row in walks)) == "3600000"
    assert values["MINUTE received"] == str(sum(int(row["minutes"]) for row in hours)) == "72"
    assert int(values["MASK received"]) + int(values["MASK that CNY was turned into"]) == 400
    insured = sum(row["service"] == "insurance" for row in rows(year, "services"))
    assert values["Outcome: people insured"] == insured == 6


def test_all_ends_are_there(report: dict[str, Any]) -> None:
    """Some money is confirmed by independent keys, and some has each of the other ends; shares sum to all of it."""
    states = ("acknowledged", "operator", "evidenced", "reported", "disputed", "lost", "held", "transit")
    ends = {figure["id"]: Decimal(figure["numerator"]) for figure in report.values()
            if figure["label"].startswith("CNY: ") and "turned into" not in figure["label"]
            and "of that" not in figure["label"]}  # fmt: skip
    assert len(ends) >= len(states)
    assert all(amount > 0 for amount in ends.values())
    whole = {figure["denominator"] for figure in report.values() if figure["id"] in ends}
    assert len(whole) == 1 and sum(ends.values()) == Decimal(whole.pop())


def test_two_runs_are_equal_in_every_figure(year: tuple[Path, str], tmp_path: Path) -> None:
    """The same seed gives the same bytes of tables and the same figures, although the keys are new."""
    again = tmp_path / "again"
    assert run_year(again).returncode == 0
    for name in TABLES:
        assert (again / f"{name}.csv").read_bytes() == (year[0] / f"{name}.csv").read_bytes()
    one, two = (json.loads((folder / "report.json").read_text()) for folder in (year[0], again))
    assert one["figures"] == two["figures"] and len(one["figures"]) > 50
    assert one["ledger"]["height"] == two["ledger"]["height"]
    assert one["ledger"]["identity"] != two["ledger"]["identity"]


def test_another_seed_gives_other_tables(year: tuple[Path, str], tmp_path: Path) -> None:
    """Each table is another one, and each has as many rows."""
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import events, figures;"
        f"events.write_tables(pathlib.Path(sys.argv[2]), figures.Year({GIFTS}), 7)"
    )
    subprocess.run([sys.executable, "-c", code, str(HERE), str(tmp_path)], check=True, timeout=60)
    for name in TABLES:
        one, two = (folder / f"{name}.csv" for folder in (year[0], tmp_path))
        assert one.read_bytes() != two.read_bytes()
        assert one.read_bytes().count(b"\n") == two.read_bytes().count(b"\n")


def test_tables_are_what_they_were(year: tuple[Path, str]) -> None:
    """The bytes of this seed's tables do not depend on the machine or on the release of numpy."""
    found = {name: hashlib.sha256((year[0] / f"{name}.csv").read_bytes()).hexdigest()[:16] for name in TABLES}
    assert found == {
        "listings": "f529a48aef69d58d", "orders": "c2c2b9e280d9b6c8", "walks": "7e4762425b579c8d",
        "hours": "571cd862e2a01b55", "services": "8b5c11b4a5b1c3fa",
    }  # fmt: skip


def test_a_year_too_small_to_pay_for_anything_is_refused(tmp_path: Path) -> None:
    """Below 10,000 gifts, and into a folder that is not empty, nothing is made."""
    done = run_year(tmp_path / "small", "--gifts", "9999")
    assert done.returncode == 2 and "10,000" in done.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    done = run_year(tmp_path / "full")
    assert done.returncode == 2 and "not empty" in done.stderr
