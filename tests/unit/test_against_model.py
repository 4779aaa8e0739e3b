"""The product against the brute-force model, which follows single units and shares no code with it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import KINDS, fair_pool, random_history, refused_with_reasons
from oracle.model import Model, canonical

from charitychain.errors import MalformedError, RefusedError
from charitychain.index import Index
from charitychain.interop.journal import export_journal, import_journal
from charitychain.ledger import Ledger
from charitychain.state.flow import follow
from charitychain.state.lookup import known_gift
from charitychain.state.movements import Movement


def journal(lines: list[dict[str, Any]]) -> io.BytesIO:
    return io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def ids(lines: list[dict[str, Any]], kind: str) -> Iterator[str]:
    return (line["id"] for line in lines if line["record"] == kind)


def check_history(ledger: Ledger, history: list[dict[str, Any]]) -> None:
    """Compare every trace, every source and every balance with the model."""
    model = Model(history)
    for gift in ids(history, "donation"):
        assert canonical(ledger.trace(gift).to_dict()) == model.trace(gift), gift
    for use in ids(history, "expenditure"):
        found = ledger.sources(use, count=10**6)
        assert [(gift, money.amount) for gift, money in found.gifts] == model.sources(use), use
    for account in ids(history, "account"):
        assert str(ledger.balance(account)) == model.balance(account)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_traces_sources_and_balances_equal_the_model(tmp_path: Path, kind: str, seed: int) -> None:
    """Every gift's trace and every expenditure's sources are what following single units gives."""
    history = random_history(seed, kind, 40)
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as ledger:
        # In several blocks: what an index holds between them must be enough to go on.
        for start in range(0, len(history), 9):
            import_journal(ledger, journal(history[start : start + 9]))
        check_history(ledger, history)
        report = ledger.verify()
        assert report.holds, report.faults
        again = import_journal(ledger, journal(history))
        assert (again.added, again.known) == (0, len(history))


@pytest.mark.parametrize("chunk", range(20))
def test_thousands_of_histories_equal_the_model(tmp_path: Path, chunk: int) -> None:
    """2,000 further histories of all kinds, each in one block; CHARITYCHAIN_HISTORIES raises the number."""
    for number in range(int(os.environ.get("CHARITYCHAIN_HISTORIES", "2000")) // 20):
        seed = 10_000 + chunk * 1_000_000 + number
        history = random_history(seed, KINDS[number % len(KINDS)], 15 + seed % 30)
        folder = tmp_path / str(number)
        folder.mkdir()
        with Ledger.create(folder / "a.ledger", origin="a.example", keys=folder) as ledger:
            import_journal(ledger, journal(history))
            check_history(ledger, history)


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_entered_elsewhere_gives_the_same_traces(tmp_path: Path, kind: str) -> None:
    """Export, import into a new ledger: every trace is the same but for the ledger it names."""
    history = random_history(99, kind, 40)
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as first:
        import_journal(first, journal(history))
        exported = list(export_journal(first))
    with Ledger.create(tmp_path / "b.ledger", origin="b.example", keys=tmp_path / "keys") as second:
        import_journal(second, journal(exported))
        check_history(second, history)
        assert list(export_journal(second)) == exported


@pytest.mark.parametrize("seed", range(6))
def test_what_the_model_refuses_is_refused_and_leaves_nothing(tmp_path: Path, seed: int) -> None:
    """Every bad record is refused, the ledger stays as it was to the byte, and goes on working."""
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as ledger:
        entered: list[dict[str, Any]] = []
        for history, bad, reason in refused_with_reasons(seed):
            if entered != history:
                import_journal(ledger, journal(history))
                entered = history
            before = ledger.path.read_bytes()
            with pytest.raises((RefusedError, MalformedError)):
                import_journal(ledger, journal([*history, bad]))
            assert ledger.path.read_bytes() == before, reason
        assert ledger.verify().holds


class _Remembering:
    """An index whose outflows are read once: 10,000 traces ask for the same 500 again and again."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._outflows = list(index.outflows(0, -1))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def outflows(self, account: int, after: int, before: int | None = None) -> Iterator[Movement]:
        assert account == 0
        assert before is None
        return (movement for movement in self._outflows if movement.index > after)


def test_a_pro_rata_pool_is_fair_over_many_outflows(tmp_path: Path) -> None:
    """10,000 gifts of 0.22 and 500 outflows of 2.20: every gift ends within one minor unit of its fair share."""
    gifts, outflows = 10_000, 500
    history = fair_pool(gifts, outflows)
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as ledger:
        import_journal(ledger, journal(history))
        reader = ledger.reader()
        index = _Remembering(reader.index)
        fair = outflows * 220 / gifts
        total = 0
        for gift in ids(history, "donation"):
            used = sum(follow(index, reader.state.accounts, known_gift(reader.index, gift)).uses.values())
            assert abs(used - fair) <= 1, gift
            total += used
        assert total == outflows * 220
