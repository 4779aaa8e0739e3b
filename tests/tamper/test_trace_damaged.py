"""Asking a damaged ledger: an answer that rests on a damaged block is refused, every other one is still given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charitychain import records
from charitychain.errors import UnreadableError, VerificationError
from charitychain.ledger import Ledger
from tamper.forge import boundaries, take_apart
from tamper.ledgers import winding

GIFTS = ("D-1", "D-2", "D-3", "D-4", "D-5", "D-6", "s/5", "s/9", "s/10")
OUTFLOWS = ("B-1", "B-2", "C-1", "C-2", "R-1", "X-1", "X-2", "X-3")
PLACES = {"length": 2, "checksum": 9, "header": 30, "body": 260}


def answers(path: Path) -> dict[str, dict[str, Any]]:
    """Return every trace, as the ledger at `path` gives it."""
    with Ledger.open(path) as ledger:
        return {gift: ledger.trace(gift).to_dict() for gift in GIFTS}


def heights() -> dict[str, int]:
    """Return the block of each record by id, gifts of a series by theirs."""
    found: dict[str, int] = {}
    for height, block in enumerate(take_apart(winding())):
        for statement in block.statements:
            for record in statement.records():
                if isinstance(record, records.Gifts):
                    found |= {f"{record.series}/{record.first}": height, f"{record.series}/{record.last}": height}
                elif (id_ := records.record_id(record)) is not None:
                    found[id_] = height
    return found


def rests_on(trace: dict[str, Any], where: dict[str, int]) -> set[int]:
    """Return the blocks of all records and declared units that a trace names, and the head."""
    ids = {trace["donation"]}
    ids |= {part["id"] for kind in ("uses", "converted", "refunds") for part in trace[kind]}
    ids |= {id_ for use in trace["uses"] for id_ in use["path"]}
    parts = [part for kind in ("uses", "held", "converted", "refunds") for part in trace[kind]]
    ids |= {unit for part in parts for unit in (part["unit"], part.get("gives_unit")) if unit in where}
    return {where[id_] for id_ in ids} | {trace["ledger"]["height"]}


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    """Give the winding ledger with its index beside it."""
    path = tmp_path / "w.ledger"
    path.write_bytes(winding())
    with Ledger.open(path) as ledger:
        ledger.reader()
    assert path.with_name("w.ledger.index").exists()
    return path


def damage(path: Path, height: int, at: int) -> None:
    data = bytearray(winding())
    data[boundaries(winding())[height] + at] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("height", range(1, 8))
def test_traces_of_a_ledger_with_one_damaged_block(indexed: Path, height: int, place: str) -> None:
    """Each trace fails if it names something in the damaged block or needs the head, and else answers as before."""
    truth, where = answers(indexed), heights()
    damage(indexed, height, PLACES[place])
    refused = set()
    for gift in GIFTS:
        with Ledger.open(indexed) as ledger:
            try:
                assert ledger.trace(gift).to_dict() == truth[gift]
            except VerificationError as error:
                assert error.exit_code == 1
                refused.add(gift)
    assert refused == {gift for gift in GIFTS if height in rests_on(truth[gift], where)}


@pytest.mark.parametrize("height", range(1, 8))
def test_sources_of_a_ledger_with_one_damaged_block(indexed: Path, height: int) -> None:
    """Lists of sources are right or refused; where the outflow's own block or the head is damaged they are refused."""
    with Ledger.open(indexed) as ledger:
        truth = {outflow: ledger.sources(outflow).to_dict() for outflow in OUTFLOWS}
    damage(indexed, height, PLACES["body"])
    where = heights()
    for outflow in OUTFLOWS:
        with Ledger.open(indexed) as ledger:
            try:
                assert ledger.sources(outflow).to_dict() == truth[outflow]
                assert height not in (where[outflow], 7)
            except VerificationError as error:
                assert error.exit_code == 1


def test_some_traces_outlive_the_damage(indexed: Path) -> None:
    """The test above is not empty: with block 5 damaged some gifts are traced, others refused."""
    truth, where = answers(indexed), heights()
    resting = {gift for gift in GIFTS if 5 in rests_on(truth[gift], where)}
    assert {"D-3"} <= resting and {"D-6", "s/9"} <= set(GIFTS) - resting


@pytest.mark.parametrize("height", range(1, 8))
def test_without_its_index_a_damaged_ledger_answers_nothing(indexed: Path, height: int) -> None:
    """An index is never made from damaged blocks: where there is none, every question is refused."""
    damage(indexed, height, PLACES["body"])
    indexed.with_name("w.ledger.index").unlink()
    with Ledger.open(indexed) as ledger:
        questions: list[Callable[[], object]] = [
            lambda: ledger.trace("D-6"), lambda: ledger.sources("X-1"), ledger.balances,
        ]  # fmt: skip
        for question in questions:
            with pytest.raises(VerificationError):
                question()


def test_damaged_genesis_is_unreadable(indexed: Path) -> None:
    """Without a whole block 0 nobody knows which ledger it is, index or not."""
    damage(indexed, 0, PLACES["body"])
    with pytest.raises(UnreadableError):
        Ledger.open(indexed)


def test_restored_block_answers_again(indexed: Path) -> None:
    """With the damaged block restored from a copy everything is answered as before."""
    truth = answers(indexed)
    damage(indexed, 5, PLACES["body"])
    with Ledger.open(indexed) as ledger, pytest.raises(VerificationError):
        ledger.trace("D-3")
    indexed.write_bytes(winding())
    assert answers(indexed) == truth


@pytest.mark.parametrize("keep", range(1, 8))
def test_index_ahead_of_a_cut_ledger(indexed: Path, keep: int) -> None:
    """An index that covers more than the ledger holds is made anew: it speaks of no block that is not there."""
    indexed.write_bytes(winding()[: boundaries(winding())[keep]])
    with Ledger.open(indexed) as ledger:
        assert ledger.reader().head.height == keep - 1
        held = {name: str(money) for name, (money, _) in ledger.balances().items()}
    indexed.with_name("w.ledger.index").unlink()
    with Ledger.open(indexed) as ledger:
        assert held == {name: str(money) for name, (money, _) in ledger.balances().items()}


@pytest.mark.parametrize("keep", range(1, 8))
def test_index_behind_a_grown_ledger(tmp_path: Path, keep: int) -> None:
    """An index of a shorter ledger is brought forward and answers as a new one does."""
    path = tmp_path / "w.ledger"
    path.write_bytes(winding()[: boundaries(winding())[keep]])
    with Ledger.open(path) as ledger:
        ledger.reader()
    path.write_bytes(winding())
    grown = answers(path)
    path.with_name("w.ledger.index").unlink()
    assert grown == answers(path)
