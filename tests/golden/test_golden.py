"""The committed ledger verifies and answers as it did when it was written, and is written the same again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from charitychain import records
from charitychain.chain import blocks
from charitychain.ledger import Ledger
from charitychain.store.memory import MemoryStore
from golden.make import ANSWERS, ANSWERS_2, LEDGER, LEDGER_2, answers, build, build_2

EXPECTED: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8"))
EXPECTED_2: dict[str, Any] = json.loads(ANSWERS_2.read_text(encoding="utf-8"))


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """Give a copy of the golden ledger, so that no index is left beside the committed one."""
    return Path(shutil.copy(LEDGER, tmp_path / "v1.ledger"))


def as_then(found: Any, committed: Any) -> Any:
    """Leave out what a later release says in addition."""
    if isinstance(committed, dict):
        return {name: as_then(found[name], committed[name]) for name in committed}
    if isinstance(committed, list) and len(found) == len(committed):
        return [as_then(one, other) for one, other in zip(found, committed, strict=True)]
    return found


def test_building_gives_the_committed_bytes() -> None:
    """The same keys, clock and entries give the same ledger, byte for byte, in either format."""
    assert build() == LEDGER.read_bytes()
    assert build_2() == LEDGER_2.read_bytes()


def test_a_ledger_of_format_2_answers_as_committed(tmp_path: Path) -> None:
    """Report, balances, every trace and every list of sources are what they were."""
    found = answers(Path(shutil.copy(LEDGER_2, tmp_path / "v2.ledger")))
    assert found.keys() == EXPECTED_2.keys()
    for part in found:
        assert found[part] == EXPECTED_2[part], part


def test_ledger_answers_as_committed(golden: Path) -> None:
    """Report, balances, every trace and every list of sources are what they were."""
    found = answers(golden)
    assert found.keys() == EXPECTED.keys()
    for part in found:
        assert as_then(found[part], EXPECTED[part]) == EXPECTED[part], part


def test_answers_outlive_the_index(golden: Path) -> None:
    """The answers from an index that is opened again, and from one that is made anew, are the same."""
    first = answers(golden)
    again = answers(golden)
    golden.with_name("v1.ledger.index").unlink()
    assert first == again == answers(golden)


def test_command_line_says_what_the_library_says(golden: Path) -> None:
    """`verify --json` exits 0 with the committed facts."""
    command = [sys.executable, "-m", "charitychain", "verify", str(golden), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    del report["notices"], report["findings"]
    assert report == EXPECTED["verify"]


def test_every_kind_of_record_and_movement_is_there() -> None:
    """The golden ledger holds all kinds of records, both widths of columns, both rules, runs and cosignatures."""
    seen: set[str] = set()
    for frame in MemoryStore(LEDGER_2.read_bytes()).scan():
        assert frame.payload is not None
        for statement in blocks.decode_block(frame.payload).statements:
            found = statement.records()
            seen |= {type(record).__name__ for record in found}
            seen |= {f"cosigned by {len(statement.header.signers)}"}
            seen |= {"run" for made, later in pairwise(statement.moves) if made and not later}
            for record in found:
                match record:
                    case records.Gifts():
                        seen |= {f"width {record.width}", "runs of gifts" if record.count > 64 else "one run of gifts"}
                    case records.Account():
                        seen.add(f"rule {record.rule}")
                    case records.Disbursement() | records.Expenditure():
                        seen.add(f"{record.NAME} {'named' if record.gift else 'by rule'}")
                    case records.Conversion():
                        seen.add("funded" if record.funded_from is not None else "unfunded")
                    case records.Reversal():
                        seen.add("partial reversal" if record.amount is not None else "whole reversal")
                    case records.Refund():
                        seen.add("partial refund" if record.amount is not None else "whole refund")
    kinds = {
        "Account", "Conversion", "Disbursement", "Donation", "Expenditure", "Gifts", "KeyChange", "Party", "Refund",
        "Reversal", "UnitRecord", "Suspension", "AccountChange", "Control", "Pledge", "Plan", "Acknowledgement",
        "Split", "Attestation", "Period", "Outcome", "Sent", "Received",
    }  # fmt: skip
    variants = {
        "cosigned by 0", "cosigned by 1", "cosigned by 2", "run", "width 32", "width 48", "runs of gifts",
        "rule fifo", "rule pro-rata", "rule None",
        "disbursement named", "disbursement by rule", "expenditure named", "expenditure by rule", "funded", "unfunded",
        "partial reversal", "whole reversal", "partial refund", "whole refund",
    }  # fmt: skip
    assert kinds | variants <= seen


def test_committed_traces_sum_to_their_gifts() -> None:
    """In its own unit each gift is its uses, what is held, refunds and what was converted."""
    for gift, trace in [*EXPECTED["traces"].items(), *EXPECTED_2["traces"].items()]:
        names = ("uses", "held", "refunds", "sent", "converted", "reversed")
        parts = [part for name in names for part in trace.get(name, ())]
        own = sum(Decimal(part["amount"]) for part in parts if part["unit"] == trace["unit"])
        given = sum(Decimal(p["gives"]) for p in trace["converted"] if p["gives_unit"] == trace["unit"])
        assert own == Decimal(trace["amount"]) + given, gift


def test_committed_sources_are_the_traces_read_backwards() -> None:
    """What an expenditure says of a gift is what the gift's trace says of the expenditure, both ways.

    Sources follow who paid, so the steps that earned the running track are in the traces alone.
    """
    forward: dict[tuple[str, str], Decimal] = {}
    for gift, trace in EXPECTED["traces"].items():
        for use in trace["uses"]:
            forward[use["id"], gift] = forward.get((use["id"], gift), Decimal(0)) + Decimal(use["amount"])
    assert forward.pop(("X-track", "D-steps")) == Decimal("8.00")
    backward = {
        (id_, part["donation"]): Decimal(part["amount"])
        for id_, sources in EXPECTED["sources"].items()
        if id_.startswith("X-")
        for part in sources["gifts"]
    }
    assert backward == forward


def test_committed_ledger_can_be_opened_read_only(golden: Path) -> None:
    """A ledger of an earlier release opens and verifies from a folder that nobody may write to."""
    golden.parent.chmod(0o500)
    try:
        with Ledger.open(golden) as ledger:
            assert ledger.verify().holds
    finally:
        golden.parent.chmod(0o700)
