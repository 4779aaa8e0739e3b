"""The gifts table: many micro-donations as CSV, checked whole, and resumed after a kill."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from cli.conftest import Cli

DONOR = "00112233445566778899aabbccddeeff"


def _table(cli: Cli, text: str, name: str = "t.csv") -> list[str | Path]:
    (cli.work / name).write_text(text, "utf-8")
    return ["import", name, "--account", "edu", "--series", "S"]


@pytest.mark.parametrize(
    ("text", "gift"),
    [
        ("id,amount\n1,0.22\n7,1\n", {"amount": "1.00"}),
        ("id,amount,donor\n1,0.22,\n7,1.5," + DONOR + "\n", {"amount": "1.50", "donor": DONOR}),
        (f"id,amount,donor,second\r\n1,0.22,,\r\n7,1,{DONOR.upper()},{'0f' * 16}\r\n", {"donor": DONOR}),
        ('\ufeffid,amount\n"1","0.22"\n\n7,2.50\n', {"amount": "2.50"}),
    ],
)
def test_each_form_of_the_header(village: Cli, text: str, gift: dict[str, str]) -> None:
    """Two, three or four columns, with either line end; a gift of it is traced as SERIES/id."""
    command = _table(village, text)
    assert village.json(*command) == {"added": 2, "known": 0, "blocks": 1, "dry_run": False}
    found = village.json("trace", "S/7")
    assert found["donation"] == "S/7" and found["account"] == "edu"
    assert {name: found[name] for name in gift} == gift
    assert village.json(*command) == {"added": 0, "known": 2, "blocks": 0, "dry_run": False}
    assert village.json("show", "S/1")["amount"] == "0.22"
    village.fails(4, "trace", "S/2")
    assert village.json("verify")["holds"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1), ("amount,id\n1,1\n", 1), ("id;amount\n1;1\n", 1), ("id,amount,name\n1,1,Bob\n", 1), ("1,1\n", 1),
        ("id,amount\n1,1\n1,1\n", 3), ("id,amount\n2,1\n1,1\n", 3), ("id,amount\n-1,1\n", 2), ("id,amount\n+1,1\n", 2),
        ("id,amount\n01,1\n", 2), ("id,amount\n１,1\n", 2), ("id,amount\n1.0,1\n", 2), ("id,amount\n,1\n", 2),
        (f"id,amount\n{2**63},1\n", 2), ("id,amount\n1,1e3\n", 2), ("id,amount\n1,0\n", 2), ("id,amount\n1,-1\n", 2),
        ("id,amount\n1,1.005\n", 2), ("id,amount\n1,\n", 2), ("id,amount\n1\n", 2), ("id,amount\n1,1,1\n", 2),
        ("id,amount,donor\n1,1,Bob\n", 2), ("id,amount,donor\n1,1,0" + DONOR + "\n", 2),
        ('id,amount\n1,"1\n', 2), ("id,amount\n1,92233720368547758.07\n2,1\n", 2),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_with_its_line(standing: Cli, text: str, line: int) -> None:
    """All rows are checked before anything is recorded."""
    before = standing.ledger.read_bytes()
    assert f"line {line}:" in standing.fails(7, *_table(standing, text))
    assert standing.ledger.read_bytes() == before


def test_text_that_is_no_utf8_is_refused(standing: Cli) -> None:
    """A table in another encoding is told as such."""
    (standing.work / "l.csv").write_bytes(b"id,amount\n1,1\n\xff,2\n")
    assert "UTF-8" in standing.fails(7, "import", "l.csv", "--account", "edu", "--series", "S")


def test_other_content_is_refused_and_more_rows_are_added(village: Cli) -> None:
    """A row that the ledger holds otherwise, or a new one before its end, is refused; rows behind it are new."""
    village.ok(*_table(village, "id,amount\n1,1\n5,2\n"))
    before = village.ledger.read_bytes()
    for text in ("id,amount\n1,1\n5,3\n", f"id,amount,donor\n1,1,{DONOR}\n", "id,amount\n1,1\n3,2\n5,2\n6,1\n"):
        assert "line " in village.fails(7, *_table(village, text))
    assert village.ledger.read_bytes() == before
    assert village.json(*_table(village, "id,amount\n1,1.0\n5,2.00\n6,9\n")) == {
        "added": 1, "known": 2, "blocks": 1, "dry_run": False,
    }  # fmt: skip
    village.fails(7, "import", "t.csv", "--account", "school", "--series", "S")
    before = village.ledger.read_bytes()
    assert "would be" in village.ok(*_table(village, "id,amount\n7,1\n"), "--dry-run")
    assert village.ledger.read_bytes() == before
    # A series shares the one space of ids.
    village.fails(7, "import", "t.csv", "--account", "edu", "--series", "edu")
    assert village.json("balance", "edu") == [{"account": "edu", "amount": "24.50", "unit": "CNY"}]


def test_an_import_that_was_killed_goes_on_where_it_stopped(village: Cli) -> None:
    """After kill -9 between two blocks, the same command adds the rest, and the totals are those of the table."""
    rows = 210_000
    lines = (f"{n * 3},0.{n % 99 + 1:02},{n:032x}" for n in range(1, rows + 1))
    command = _table(village, "id,amount,donor\n" + "\n".join(lines) + "\n", "big.csv")
    before = village.ledger.stat().st_size
    process = village.start(*command)
    until = time.monotonic() + 120
    while village.ledger.stat().st_size == before and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    outcome = village.json(*command)
    assert outcome["known"] in (0, 100_000, 200_000) and outcome["added"] + outcome["known"] == rows
    total = 1250 + sum(n % 99 + 1 for n in range(1, rows + 1))
    assert village.json("balance", "edu")[0]["amount"] == f"{total // 100}.{total % 100:02}"
    assert village.json("trace", "S/450000")["amount"] == f"0.{150_000 % 99 + 1:02}"
    report = village.run("verify", "--json")
    assert report.returncode in (0, 8), report.stderr
    assert f'"gifts": {rows + 1}' in report.stdout
