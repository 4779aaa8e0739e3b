"""The synthetic year: what is recorded equals what its tables say, added up here in plain Python.

And its published report, which stands in the repository, checks against a ledger that is built here.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import pytest

from charitychain import Ledger
from charitychain.keys import PrivateKey

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "examples" / "platform_year"
TITLE = "SYNTHETIC DATA: a year that a generator made up"
GIFTS = 20_000
FEN = Decimal("0.01")
TABLES = ("listings", "orders", "walks", "hours", "services", "acts")
PUBLISHED = json.loads((HERE / "report.json").read_text(encoding="utf-8"))
HEADLINE = "share.CNY.acknowledged"


def kind(id_: str) -> str:
    """Return what kind of figure an id names: without units, and without the names that the ledger holds."""
    if id_.startswith("outcome:"):
        return "outcome" + re.sub(r"outcome:[^:]*", "", id_)
    return ".".join(part for part in id_.partition(":")[0].split(".") if not part.isupper())


KINDS = {kind(figure["id"]): figure["id"] for figure in PUBLISHED["figures"]}
"""One figure of each kind."""


def run_year(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the example as a user does."""
    return subprocess.run(
        [sys.executable, str(HERE), "--gifts", str(GIFTS), "--folder", str(folder), *more],
        env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder.parent / "state"),
                          "PYTHONHASHSEED": "7"},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


def check_report(folder: Path, published: Path, *more: str) -> tuple[int, str]:
    """Check a report as a reader does, without any key; return exit code and output."""
    done = subprocess.run(
        [sys.executable, "-m", "charitychain", "report", "--check", str(published), "--title", TITLE, *more,
         "--ledger", str(folder / "year.ledger")],
        env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder.parent / "state"),
                          "CHARITYCHAIN_KEYS": str(folder.parent / "no-keys")},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def altered(report: dict[str, Any], ids: set[str], path: Path) -> dict[str, tuple[Any, Any]]:
    """Write a copy of a report whose figures with these ids are others; return their old and new values."""
    copy, found = json.loads(json.dumps(report)), {}
    for figure in copy["figures"]:
        if figure["id"] in ids:
            old = figure["value"]
            new = old + 1 if isinstance(old, int) else old[:-1] + str((int(old[-1]) + 1) % 10)
            figure["value"], found[figure["id"]] = new, (old, new)
    path.write_text(json.dumps(copy), encoding="utf-8")
    return found


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
    assert "\nsynthetic-data.example/year-2020/20000\n2020-01-01 to 2020-12-31, as of block " in year[1]
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
    hours, acts = list(rows(year, "hours")), list(rows(year, "acts"))
    values = {id_: figure["value"] for id_, figure in report.items()}
    assert values["gifts.columns"] == 20_000 + len(walks) + len(hours) + len(acts)
    assert values["merchants"] == len({listing["merchant"] for _, listing, _ in orders}) == 5
    donors = {order["consumer"] for order, _, _ in orders}
    assert len(donors) == 960
    donors |= {row["walker"] for row in walks} | {row["volunteer"] for row in hours} | {row["person"] for row in acts}
    assert values["donors"] == len(donors) + 2  # the sponsor and the maker of masks
    assert values["received.STEP"] == str(sum(int(row["steps"]) for row in walks))
    assert values["received.MINUTE"] == str(sum(int(row["minutes"]) for row in hours))
    assert values["received.POINT"] == str(sum(int(row["points"]) for row in acts)) == "120000"
    assert values["outcome:people insured"] == sum(row["service"] == "insurance" for row in rows(year, "services"))
    redeemed = Decimal(108_000) * Decimal("0.10") / 100  # nine of ten points
    assert values["earned.POINT.CNY.in"] == str(redeemed) == "108.00"
    assert values["outcome:trees planted"] == int(redeemed / Decimal("2.50")) == 43


@pytest.mark.parametrize(
    ("id_", "value"),
    [
        ("received.CNY.source:goods-for-good", "4400.00"), ("merchants", 5), ("received.STEP", "3600000"),
        ("received.MINUTE", "72"), ("outcome:running tracks", 1), ("outcome:music classrooms", 1),
        ("outcome:music classrooms:people", 1), ("outcome:playgrounds", 1), ("outcome:playgrounds:people", 1),
        ("outcome:schools with water", 1), ("outcome:schools with water:people", 1), ("outcome:meals", 1),
        ("outcome:people insured", 6), ("outcome:villages trained", 1), ("gifts.undone", 1),
        ("received.MASK", "200"), ("converted.CNY.MASK.in", "200"), ("lost.MASK", "20"), ("late", 0),
    ],
)  # fmt: skip
def test_the_report_holds_each_published_figure_at_its_scale(report: dict[str, Any], id_: str, value: Any) -> None:
    """Published figures divided by 500,000, rounded down, and 1 at least; relief goods are half given, half bought."""
    assert report[id_]["value"] == value


def test_a_year_of_full_size_has_the_published_figures() -> None:
    """At scale 1 each figure is the one that was published; at a ten-thousandth it is that many times smaller."""
    code = """if True:
        import sys; sys.path.insert(0, sys.argv[1])
        import figures as f
        for gifts in (f.GIFTS, 1_000_000):
            y = f.Year(gifts)
            print(y.gifts, y.money, y.consumers, y.merchants, y.organisations, y.steps, y.tracks, y.minutes,
                  y.classrooms, *map(y.scaled, (f.MUSIC_PUPILS, f.PLAYGROUNDS, f.PLAYGROUND_PUPILS, f.WATER_PEOPLE,
                  f.WATER_SCHOOLS, f.MEALS, f.INSURED, f.TRAINED_VILLAGES, f.RELIEF_UNITS)))"""
    done = subprocess.run([sys.executable, "-c", code, str(HERE)], capture_output=True, text=True, check=True)
    full, small = ([int(word) for word in line.split()] for line in done.stdout.splitlines())
    assert full == [
        10_000_000_000, 220_000_000_000, 480_000_000, 2_500_000, 3_000, 1_800_000_000_000, 99, 36_000_000, 147, 109_757,
        271, 141_779, 123_312, 236, 450_000, 3_022_000, 496, 200_000_000,
    ]  # fmt: skip
    assert small == [
        1_000_000, 22_000_000, 48_000, 250, 24, 180_000_000, 1, 3_600, 1, 10, 1, 14, 12, 1, 45, 302, 1, 20_000,
    ]  # fmt: skip


def test_all_ends_are_there(report: dict[str, Any]) -> None:
    """Some money is confirmed by independent keys, and some has each of the other ends; shares sum to all of it."""
    states = {"acknowledged", "operator", "stand-in", "evidenced", "reported", "disputed", "lost", "refunded", "held",
              "transit"}  # fmt: skip
    shares = {id_.removeprefix("share.CNY."): figure for id_, figure in report.items() if id_.startswith("share.CNY.")}
    ends = {state: Decimal(figure["numerator"]) for state, figure in shares.items() if "goods" not in state}
    assert ends.keys() == states
    assert all(amount > 0 for amount in ends.values())
    assert {figure["denominator"] for state, figure in shares.items() if state in states} == {
        report["received.CNY"]["value"]
    }
    assert sum(ends.values()) == Decimal(report["received.CNY"]["value"])


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("An order that gives to music", "music classrooms, confirmed by school on 2020-12-31"),
        ("An order that gives to relief", "(acknowledged: carrier (recipient) confirms 360 MASK, 2020-12-31"),
        ("An order that gives to relief", "(acknowledged: hospital (recipient) confirms 340 MASK, 2020-12-31"),
        ("An order whose end somebody confirmed", "confirmed by village for the cooks (stand-in) on 2020-12-31"),
        ("An order that was sent back", "0.25 CNY refunded\n"),
        ("A gift that was entered twice", "12.00 was never received."),
        ("A walk", "running tracks, confirmed by school on 2020-12-31, recorded 4 days later."),
        ("A sponsor's money for steps", "[X-track-001]"),
        ("Hours of a volunteer", "confirmed by village on 2020-12-31, recorded 4 days later."),
        ("An act that earned green points", "payment 0.17 CNY of it confirmed by village"),
        ("What the sponsor added to an order", "music classrooms, confirmed by school on 2020-12-31"),
        ("Masks given in kind", "200 MASK to Wards (made up) for masks used"),
    ],
)
def test_a_gift_of_each_programme_is_traced_to_its_end(year: tuple[Path, str], what: str, words: str) -> None:
    """Under words for people stands a trace, and it says how that gift ended."""
    traces = year[1].partition("\n# The report of the year")[0].split("\n# ")
    found = [trace for trace in traces if trace.startswith(what)]
    assert len(found) == 1 and words in found[0]


def test_the_published_report_checks_against_a_ledger_built_anew(year: tuple[Path, str]) -> None:
    """Identity, checkpoint and all figures are as published: so the ledger is the same, byte for byte."""
    code, said = check_report(year[0], HERE / "report.json")
    assert (code, said) == (
        0, f"{len(PUBLISHED['figures'])} figures, all as the ledger has them at block {PUBLISHED['ledger']['height']}\n"
    )  # fmt: skip
    for name in ("report.json", "report.html"):
        assert (year[0] / name).read_bytes() == (HERE / name).read_bytes(), "publish it anew; README.md says how"


def test_a_nicer_headline_is_found(year: tuple[Path, str], tmp_path: Path) -> None:
    """The output names the headline, what is published and what the ledger gives, and the exit code is 1."""
    old, new = altered(PUBLISHED, {HEADLINE}, tmp_path / "nicer.json")[HEADLINE]
    code, said = check_report(year[0], tmp_path / "nicer.json")
    assert code == 1
    headline = next(figure for figure in PUBLISHED["figures"] if figure["id"] == HEADLINE)
    beside = f"({headline['numerator']} of {headline['denominator']} CNY)"
    assert said == f"{HEADLINE}: published {new} % {beside}; computed {old} % {beside}\n1 difference\n"


@pytest.fixture(scope="module")
def told(year: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Give published and computed value of each difference of a report with one changed figure of every kind."""
    path = tmp_path_factory.mktemp("changed") / "report.json"
    changed = altered(PUBLISHED, set(KINDS.values()), path)
    code, said = check_report(year[0], path, "--json")
    answer = json.loads(said)
    assert (code, answer["equal"], len(answer["differences"])) == (1, False, len(changed))
    found: dict[str, tuple[str, str]] = {}
    for one in answer["differences"]:
        old, new = changed[one["id"]]
        assert one["published"].split()[0] == str(new) and one["computed"].split()[0] == str(old)
        found[one["id"]] = (one["published"], one["computed"])
    return found


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_changed_figure_of_each_kind_is_found(told: dict[str, tuple[str, str]], name: str) -> None:
    """The check names the figure, with what is published and what the ledger gives."""
    published, computed = told[KINDS[name]]
    assert published != computed


def test_kinds_are_many() -> None:
    """Every family of figures of the report has one that is changed."""
    families = {"share", "gifts", "donors", "merchants", "organisations", "projects", "received", "spent", "lost",
                "administration", "refunded", "held", "transit", "converted", "earned", "outcome", "late"}  # fmt: skip
    assert {re.split(r"[.:]", name)[0] for name in KINDS} >= families


def test_keys_follow_from_the_seed_and_say_so(year: tuple[Path, str]) -> None:
    """The operator's key is the hash of a sentence, and output and page say that it is worth nothing."""
    assert "\n# All keys are derived from the seed" in year[1]
    assert "the keys are worth nothing" in (HERE / "README.md").read_text(encoding="utf-8")
    seed = hashlib.sha256(b"SYNTHETIC key, worth nothing: seed 2020, self").digest()
    with Ledger.open(year[0] / "year.ledger") as ledger:
        assert ledger.genesis.key == PrivateKey.from_seed(seed).public_key
        files = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))).hexdigest()
        nonce = f"SYNTHETIC nonce, worth nothing: seed 2020, 20000 gifts, {files}"
        assert ledger.genesis.nonce == hashlib.sha256(nonce.encode()).digest()


def test_a_given_nonce_is_used_and_another_length_refused(tmp_path: Path) -> None:
    """A ledger has the nonce it was given, two without one have two, and of 31 bytes nothing is made."""
    with Ledger.create(tmp_path / "a", origin="a.example", keys=tmp_path / "keys", nonce=b"n" * 32) as ledger:
        assert ledger.genesis.nonce == b"n" * 32
    by_chance = set()
    for name in "bc":
        with Ledger.create(tmp_path / name, origin="a.example", keys=tmp_path / "keys") as ledger:
            by_chance.add(ledger.genesis.nonce)
    assert len(by_chance) == 2
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        Ledger.create(tmp_path / "d", origin="a.example", keys=tmp_path / "other", nonce=b"n" * 31)
    assert not (tmp_path / "d").exists() and not (tmp_path / "other").exists()


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
        "acts": "35aea2cc1d4e1521",
    }  # fmt: skip


def test_a_year_too_small_to_pay_for_anything_is_refused(tmp_path: Path) -> None:
    """Below 10,000 gifts, and into a folder that is not empty, nothing is made."""
    done = run_year(tmp_path / "small", "--gifts", "9999")
    assert done.returncode == 2 and "10,000" in done.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    done = run_year(tmp_path / "full")
    assert done.returncode == 2 and "not empty" in done.stderr
