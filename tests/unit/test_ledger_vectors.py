"""The test vectors of ledgers say what `charitychain verify` and the independent verifier say, and come out the same.

What each row must say was written by hand in `golden.ledgers`, beside what it does to the bytes.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from golden import ledgers
from golden.receipts import VERIFIER

from charitychain.cli import main

sys.path.insert(0, str(VERIFIER.parent))
import independent_ledger

FOLDER = ledgers.FOLDER
ROWS: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text("utf-8"))
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "format.md"
each = pytest.mark.parametrize("row", ROWS, ids=[row["file"].removesuffix(".ledger") for row in ROWS])


@each
def test_verify_lists_what_the_index_says(row: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends as the row says, and lists these codes and no others."""
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(FOLDER / row["file"]), "--json"])
    out, err = capsys.readouterr()
    assert ended.value.code == row["exit"], out + err
    if row["exit"] == 3:
        found = re.findall(r"\[(CC-[A-Z-]+)\]", err)
    else:
        told = json.loads(out)
        assert told["holds"] is row["valid"]
        found = [fault["code"] for fault in told["faults"]]
    assert list(dict.fromkeys(found)) == row["codes"]
    assert row["valid"] == (row["exit"] in (0, 8)) == (not row["codes"])


@each
def test_the_independent_verifier_says_what_the_index_says(row: dict[str, Any]) -> None:
    """The verifier that was written from the reference takes the valid ones, and refuses where the row says so."""
    data = (FOLDER / row["file"]).read_bytes()
    if row["independent"]:
        with pytest.raises(independent_ledger.Bad):
            independent_ledger.check_ledger(data)
        assert not row["valid"]
    else:
        assert independent_ledger.check_ledger(data)["torn"] == (row["exit"] == 8)


def test_the_script_makes_the_same_bytes_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder holds what the script writes: each file and the index to the byte, and nothing besides but words."""
    monkeypatch.setattr(ledgers, "FOLDER", tmp_path / "made")
    ledgers.main()
    made, kept = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path / "made", FOLDER))
    del kept["README.md"]
    assert made == kept
    assert sorted(made) == sorted([row["file"] for row in ROWS] + ["index.json"])


def test_rows_are_small_and_name_a_section_of_the_page() -> None:
    """No file is above 8 KB, no two are the same, each row gives a reason, and its section is a heading."""
    headings = set(re.findall(r"^#+ (.*)$", PAGE.read_text("utf-8"), re.MULTILINE))
    files = [(FOLDER / row["file"]).read_bytes() for row in ROWS]
    assert max(map(len, files)) < 8000 and len(set(files)) == len(files)
    assert [row["file"] for row in ROWS if row["section"] not in headings or not row["reason"].endswith(".")] == []
