"""The programmes' examples run as a reader runs them, and every gift in them ends where a calculation by hand says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from charitychain import Ledger

ROOT = Path(__file__).parents[2]
CONFIRMED = "acknowledged (independent)"
Ends = dict[str, set[str]]

# All gifts of each example, and what each has come to.
ENDS: dict[str, Ends] = {
    "hours": {
        "hours-school-garden/1": {f"180 MINUTE {CONFIRMED}"},
        "hours-school-garden/2": {f"95 MINUTE {CONFIRMED}"},
        "hours-school-garden/4": {f"60 MINUTE {CONFIRMED}"},
        "hours-river-day/3": {"240 MINUTE reported"},
    },
    # 1.5 % of 59.90 is 0.89, 0.02 % of 1.60 is one fen at least, 1.5 % of 258.00 is 3.87; 4.00 of the 4.77 was spent.
    "goods_for_good": {
        "gfg-meals/1001": {"0.30 CNY reported"},
        "gfg-school/1002": {f"0.89 CNY {CONFIRMED}"},
        "gfg-school/1005": {f"0.01 CNY {CONFIRMED}"},
        "gfg-school/1006": {f"3.10 CNY {CONFIRMED}", "0.77 CNY held"},
    },
    # Whole thousands of steps lie at 1,000 to 11,000 (walk 2, from 812 to 11,162) and 12,000 to 18,000 (walk 5).
    "steps": {
        "steps/1": {"812 STEP converted"},
        "steps/2": {"10350 STEP converted", f"0.11 CNY {CONFIRMED}"},
        "steps/5": {"6838 STEP converted", "582 STEP held", f"0.07 CNY {CONFIRMED}"},
        "S-1": {f"0.18 CNY {CONFIRMED}", "499.82 CNY held"},
        "D-1": {f"39.82 CNY {CONFIRMED}"},
    },
    # Mask by mask: 2/4, 1/4 and 1/4 of 40 lost, 448 used and 112 left.
    "relief": {
        "D-1": {"1200.00 CNY converted", "20 MASK lost", f"224 MASK {CONFIRMED}", "56 MASK held"},
        "D-2": {"600.00 CNY converted", "10 MASK lost", f"112 MASK {CONFIRMED}", "28 MASK held"},
        "D-3": {"10 MASK lost", f"112 MASK {CONFIRMED}", "28 MASK held"},
    },
    # The tree is whole at the last point, which is of the second act.
    "points": {
        "points/1": {"30 POINT converted", "0.30 CNY converted"},
        "points/2": {"225 POINT converted", "2.25 CNY converted", f"1 TREE {CONFIRMED}"},
        "S-1": {"2.55 CNY converted", "47.45 CNY held", f"1 TREE {CONFIRMED}"},
    },
    # 70.00 of 12.50 + 40.00 + 5.00 + 12.50 + 17.50 = 87.50 was spent: four fifths of each.
    "matching": {
        "spring/1": {f"10.00 CNY {CONFIRMED}", "2.50 CNY held"},
        "spring/2": {f"32.00 CNY {CONFIRMED}", "8.00 CNY held"},
        "spring/3": {f"4.00 CNY {CONFIRMED}", "1.00 CNY held"},
        "M-1": {f"10.00 CNY {CONFIRMED}", "2.50 CNY held"},
        "M-2": {f"14.00 CNY {CONFIRMED}", "3.50 CNY held"},
    },
    # 2.75 of 10.00 was spent.
    "services": {
        "D-1": {f"0.55 CNY {CONFIRMED}", "1.45 CNY held"},
        "S-1": {f"2.20 CNY {CONFIRMED}", "5.80 CNY held"},
    },
}
SAID = {
    "hours": "Of your 180 MINUTE: 180 of 335 that became 6 garden beds at Hill School, confirmed by hill-school",
    "goods_for_good": "Of your 3.87 CNY: 3.10 of 4.00 that became 8 exercise books at Hill School, confirmed by",
    "steps": "0.18 of 40.00 that became 2 metres of running track at Hill School, confirmed by hill-school",
    "relief": "224 MASK of 448 that became 64 patients cared for at Town Hospital, confirmed by health-office",
    "points": "1 TREE became 1 birch on the hill, confirmed by village",
    "matching": "spring/2 by M-2, 17.50 CNY",
    "services": "0.55 of 2.75 that became 2 people covered, confirmed by clinic",
}


def run(example: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / example, *args], capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


@pytest.mark.parametrize("example", ENDS)
def test_an_example_ends_as_it_is_reckoned_by_hand(example: str, tmp_path: Path) -> None:
    """It tells its story, nothing is amiss, and in each unit the ends of every gift sum to it."""
    if example == "goods_for_good":
        pytest.importorskip("pyarrow")
    done = run(example, "--folder", tmp_path / "kept")
    assert (done.returncode, done.stderr) == (0, "")
    assert SAID[example] in done.stdout
    with Ledger.open(tmp_path / "kept" / f"{example}.ledger", keys=tmp_path / "none") as ledger:
        report = ledger.verify()
        assert report.holds
        # Everything was entered on one day, and nobody attested balances; the audit asks for nothing else.
        assert {finding.code for finding in report.findings} <= {"AUDIT-LAG", "AUDIT-UNATTESTED"}
        assert report.counts["gifts"] == len(ENDS[example])
        for gift, expected in ENDS[example].items():
            trace = ledger.trace(gift)
            told = {f"{end.money} {end.money.code} {end.state}{f' ({end.how})' * bool(end.how)}" for end in trace.ends}
            assert (gift, told) == (gift, expected)
            got, ended = Counter({trace.money.code: trace.money.amount}), Counter[str]()
            for conversion in trace.converted:
                got[conversion.gives.code] += conversion.gives.amount
            for end in trace.ends:
                ended[end.money.code] += end.money.amount
            assert +ended == +got


def test_an_example_keeps_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    """Without a folder everything is gone afterwards; a folder that holds something is refused and left alone."""
    (tmp_path / "mine").write_text("x", "utf-8")
    done = run("services", "--folder", tmp_path)
    assert (done.returncode, "is not empty" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    before = set((ROOT / "examples" / "services").iterdir())
    assert run("services").returncode == 0
    assert set((ROOT / "examples" / "services").iterdir()) == before
