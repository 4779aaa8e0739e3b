"""``--at`` and ``--at-height``: the same questions, answered as of an earlier moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.conftest import Cli

from charitychain.errors import MalformedError, NotFoundError, VerificationError
from charitychain.ledger import Ledger
from charitychain.store.file import open_file
from charitychain.store.upto import StoreUpto

DAY = 86_400  # seconds
NEW_YEAR_2026 = 1_767_225_600  # 2026-01-01T00:00:00Z
USE = {"record": "expenditure", "from": "edu", "payee": "Toko Buku", "purpose": "books"}


@pytest.fixture
def year(tmp_path: Path) -> Path:
    """Give a ledger with blocks of 1 January, 31 January just before midnight, 1 February and 3 March 2026."""
    now = [NEW_YEAR_2026]
    path = tmp_path / "y.ledger"
    with Ledger.create(path, origin="y.example", keys=tmp_path / "keys", clock=lambda: now[0]) as ledger:

        def record(at: int, *listed: dict[str, str]) -> None:
            now[0] = at
            with ledger.writer() as writer:
                for entry in listed:
                    writer.add(entry)

        record(
            NEW_YEAR_2026 + 31 * DAY - 1,
            {"record": "account", "id": "edu", "unit": "CNY"},
            {"record": "donation", "id": "D-1", "account": "edu", "amount": "10"},
        )
        record(NEW_YEAR_2026 + 31 * DAY, {**USE, "id": "X-1", "amount": "4"})
        record(NEW_YEAR_2026 + 61 * DAY, {"record": "reversal", "id": "U-1", "reverses": "X-1", "amount": "1"})
    return path


@pytest.mark.parametrize(
    ("asked", "height", "held"),
    [
        ({"height": 1}, 1, "10.00"), ({"height": 2}, 2, "6.00"), ({"height": 3}, 3, "7.00"),
        ({"date": "2026-01-31"}, 1, "10.00"), ({"date": "2026-01"}, 1, "10.00"), ({"date": "2026-02-01"}, 2, "6.00"),
        ({"date": "2026-03-02"}, 2, "6.00"), ({"date": "2026"}, 3, "7.00"), ({"date": "2031-07"}, 3, "7.00"),
    ],
)  # fmt: skip
def test_a_moment_is_a_block_or_the_end_of_a_day_of_sealing(
    year: Path, asked: dict[str, int | str], height: int, held: str
) -> None:
    """What was sealed by then counts, to the second, and nothing later."""
    with Ledger.open(year) as ledger, ledger.at(**asked) as then:  # type: ignore[arg-type]
        assert str(then.balance("edu")) == held
        trace = then.trace("D-1")
        assert trace.ledger["height"] == height
        assert sum(use.money.amount for use in trace.uses) + trace.held[0].money.amount == 1000
        assert str(ledger.balance("edu")) == "7.00"


def test_an_earlier_moment_answers_as_the_ledger_did_then(year: Path, tmp_path: Path) -> None:
    """Cut off behind block 2, a copy of the file gives the same trace, sources and checkpoint."""
    copy = tmp_path / "copy.ledger"
    store = open_file(year)
    ends = [frame.end for frame in store.scan()]
    assert [frame.end for frame in StoreUpto(store, ends[2]).scan()] == ends[:3]
    assert list(StoreUpto(store, ends[2]).scan(ends[2])) == []
    store.close()
    copy.write_bytes(year.read_bytes()[: ends[2]])
    with Ledger.open(year) as ledger, ledger.at(height=2) as then, Ledger.open(copy) as old:
        assert then.trace("D-1") == old.trace("D-1")
        assert then.sources("X-1") == old.sources("X-1")
        assert str(then.sources("X-1").net) == "4.00" and str(ledger.sources("X-1").net) == "3.00"


@pytest.mark.parametrize("asked", [{"height": 4}, {"date": "2025"}, {"date": "2025-12-31"}])
def test_what_was_not_there_yet_is_refused(year: Path, asked: dict[str, int | str]) -> None:
    """A block that does not exist, and a day before the first one."""
    with Ledger.open(year) as ledger, pytest.raises(NotFoundError) as caught:
        ledger.at(**asked)  # type: ignore[arg-type]
    assert caught.value.code == "CC-UNKNOWN-MOMENT"


def test_an_id_of_later_is_unknown_then(year: Path) -> None:
    """At block 1 nothing had been spent."""
    with Ledger.open(year) as ledger, ledger.at(height=1) as then, pytest.raises(NotFoundError):
        then.sources("X-1")


def test_damage_before_the_moment_is_told(year: Path) -> None:
    """The past is replayed and checked like everything else."""
    data = bytearray(year.read_bytes())
    store = open_file(year)
    start = list(store.scan())[1].offset
    store.close()
    data[start + 200] ^= 1
    year.write_bytes(data)
    with Ledger.open(year) as ledger, ledger.at(height=2) as then, pytest.raises(VerificationError):
        then.balance("edu")


def test_a_torn_end_is_told_where_it_may_belong_to_the_moment(year: Path) -> None:
    """The lost block may have been sealed in that year; what ends before it is not concerned."""
    year.write_bytes(year.read_bytes()[:-5])
    with Ledger.open(year) as ledger, ledger.at(date="2026") as then, ledger.at(height=2) as before:
        assert str(then.balance("edu")) == "6.00"
        assert "a write was cut off" in then.notices[0] and before.notices == []


def test_the_command_line_takes_a_moment(year: Path, cli: Cli) -> None:
    """``trace``, ``sources`` and ``balance`` answer for it, and say for which block."""
    run = cli.run
    told = json.loads(run("balance", "-l", year, "--at", "2026-02", "--json").stdout)
    assert told == [{"account": "edu", "amount": "6.00", "unit": "CNY"}]
    assert json.loads(run("trace", "D-1", "-l", year, "--at-height", "1", "--json").stdout)["uses"] == []
    assert "As of block 1 of y.example" in run("trace", "D-1", "-l", year, "--at-height", "1").stdout
    assert "4.00 CNY from edu" in run("sources", "X-1", "-l", year, "--at", "2026-02-10").stdout
    for code, *asked in (
        (4, "--at", "2025"), (4, "--at-height", "9"), (2, "--at", "2026-02-30"), (2, "--at", "soon"),
        (2, "--at", "2026", "--at-height", "1"), (2, "--at-height", "-1"),
    ):  # fmt: skip
        done = run("balance", "-l", year, *asked)
        assert (done.returncode, done.stdout) == (code, ""), asked


def test_an_impossible_date_is_malformed(year: Path) -> None:
    """There is no 30 February, and no month 13."""
    for date in ("2026-02-30", "2026-13", "26", ""):
        with Ledger.open(year) as ledger, pytest.raises(MalformedError):
            ledger.at(date=date)
