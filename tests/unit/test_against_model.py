"""The product against the brute-force model, which follows single units and shares no code with it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import (
    ALL_KINDS,
    fair_pool,
    in_statements,
    random_history,
    refused_batches,
    refused_with_reasons,
)
from oracle.model import Model, canonical
from oracle.owning import PARTIES

from charitychain.errors import MalformedError, RefusedError
from charitychain.index import Index
from charitychain.interop.journal import export_journal, import_journal
from charitychain.ledger import Ledger
from charitychain.state.caps import cap_uses
from charitychain.state.flow import follow
from charitychain.state.lookup import known_gift
from charitychain.state.movements import Movement


def journal(lines: list[dict[str, Any]]) -> io.BytesIO:
    return io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def ids(lines: list[dict[str, Any]], kind: str) -> Iterator[str]:
    return (line["id"] for line in lines if line["record"] == kind)


def create(folder: Path, kind: str = "", origin: str = "a.example") -> Ledger:
    """Make a ledger, with those parties in it that a history of this kind speaks of."""
    ledger = Ledger.create(folder / f"{origin}.ledger", origin=origin, keys=folder)
    if kind == "owners":
        with ledger.writer() as writer:
            for party, roles in PARTIES.items():
                if party != "self":
                    writer.party(party, roles=list(roles))
    return ledger


def check_history(ledger: Ledger, history: list[dict[str, Any]]) -> None:
    """Compare every trace, every source, every balance, and what every cap counts, with the model."""
    model = Model(history)
    assert len(model.donations) >= sum(line["record"] in ("donation", "gifts") for line in history)
    for gift in model.donations:
        assert canonical(ledger.trace(gift).to_dict()) == model.trace(gift), gift
    for use in ids(history, "expenditure"):
        found = ledger.sources(use, count=10**6)
        assert [(gift, money.amount) for gift, money in found.gifts] == model.sources(use), use
    state = ledger.reader().state
    for account in ids(history, "account"):
        assert str(ledger.balance(account)) == model.balance(account)
        terms = model.accounts[account].terms
        mine = state.account_named(account)
        assert (state.parties[mine.owner].id, mine.open) == (terms.owner, not terms.closed), account
    weighed = {}
    for (account, number, year), sums in model.weighed().items():
        cap = model.accounts[account].terms.caps[number]
        weighed[account, cap.percent, cap.base, cap.scope, cap.mode, cap.categories, year] = sums
    counted = {
        (use.account.id, *use.cap[1:4], use.cap[5], use.cap[0], "all" if use.year is None else str(use.year)): use
        for use in cap_uses(state)
    }
    # A year in which nothing counts may be left out.
    assert {key: (use.costs, use.base) for key, use in counted.items() if use.costs or use.base} == {
        key: sums for key, sums in weighed.items() if any(sums)
    }
    assert {key for key, use in counted.items() if use.exceeded} == {
        key for key, (costs, base) in weighed.items() if costs * 10_000 > key[1] * base
    }


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be synced: thousands of ledgers are thrown away here, and none is to outlive the machine."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("seed", range(9))
def test_traces_sources_and_balances_equal_the_model(tmp_path: Path, kind: str, seed: int) -> None:
    """Every gift's trace and every expenditure's sources are what following single units gives."""
    history = random_history(seed, kind, 40)
    with create(tmp_path, kind) as ledger:
        # In several blocks: what an index holds between them must be enough to go on.
        for start in range(0, len(history), 9):
            import_journal(ledger, journal(history[start : start + 9]))
        check_history(ledger, history)
        report = ledger.verify()
        assert report.holds, report.faults
        again = import_journal(ledger, journal(history))
        assert (again.added, again.known) == (0, len(history))


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_statements_of_several_records_equal_the_model(tmp_path: Path, kind: str, seed: int) -> None:
    """Up to five records of any kinds in one statement, batches beside single gifts, in one block or in several."""
    history = random_history(500 + seed, kind, 40)
    lines = in_statements(history, seed)
    with create(tmp_path, kind) as ledger:
        for start in range(0, len(lines), 7 if seed % 2 else len(lines)):
            import_journal(ledger, journal(lines[start:][: 7 if seed % 2 else len(lines)]))
        check_history(ledger, history)
        report = ledger.verify()
        assert report.holds, report.faults


@pytest.mark.parametrize("chunk", range(20))
def test_thousands_of_histories_equal_the_model(tmp_path: Path, chunk: int) -> None:
    """880 further histories of all kinds, each in one block; CHARITYCHAIN_HISTORIES raises the number."""
    for number in range(int(os.environ.get("CHARITYCHAIN_HISTORIES", "880")) // 20):
        seed = 10_000 + chunk * 1_000_000 + number
        kind = ALL_KINDS[number % len(ALL_KINDS)]
        history = random_history(seed, kind, 15 + seed % 30)
        folder = tmp_path / str(number)
        folder.mkdir()
        with create(folder, kind) as ledger:
            import_journal(ledger, journal(history))
            check_history(ledger, history)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_an_export_entered_elsewhere_gives_the_same_traces(tmp_path: Path, kind: str) -> None:
    """Export, import into a new ledger: every trace is the same but for the ledger it names."""
    history = random_history(99, kind, 40)
    with create(tmp_path, kind) as first:
        import_journal(first, journal(history))
        exported = list(export_journal(first))
    with create(tmp_path, origin="b.example") as second:
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


@pytest.mark.parametrize("seed", range(4))
def test_what_the_model_refuses_of_a_series_is_refused_and_leaves_nothing(tmp_path: Path, seed: int) -> None:
    """Batches whose numbers fall, repeat or are none, whose id is taken, and gifts that no series holds are refused."""
    with create(tmp_path) as ledger:
        before = b""
        for history, bad, reason in refused_batches(seed):
            if not before:
                import_journal(ledger, journal(history))
                before = ledger.path.read_bytes()
            with pytest.raises((RefusedError, MalformedError)):
                import_journal(ledger, journal([bad]))
            assert ledger.path.read_bytes() == before, (reason, bad)
        check_history(ledger, history)


ACCOUNT = {"record": "account", "id": "a", "unit": "JPY", "rule": "fifo"}
GIFT = {"record": "donation", "id": "D", "account": "a", "amount": "9"}
BATCH = {"record": "gifts", "series": "S", "account": "a", "ids": [1, 2], "amounts": ["3", "4"]}
SPENT = {"record": "expenditure", "id": "X", "from": "a", "amount": "3", "payee": "Shop 7", "purpose": "books"}


@pytest.mark.parametrize(
    ("before", "records"),
    [
        ([ACCOUNT], [BATCH, {**SPENT, "gift": "S/2"}]),
        ([ACCOUNT], [BATCH, {"record": "refund", "id": "R", "donation": "S/1"}]),
        ([ACCOUNT], [BATCH, {**BATCH, "ids": [7]  , "amounts": ["1"]}]),
        ([ACCOUNT], [GIFT, {"record": "refund", "id": "R", "donation": "D", "amount": "2"}]),
        ([ACCOUNT, GIFT, SPENT], [
            {"record": "reversal", "id": "U", "reverses": "X"}, {"record": "reversal", "id": "V", "reverses": "D"},
        ]),
        ([], [ACCOUNT, GIFT]),
    ],
)  # fmt: skip
def test_a_record_may_build_on_those_before_it_in_its_statement(
    tmp_path: Path, before: list[dict[str, Any]], records: list[dict[str, Any]]
) -> None:
    """A statement means what its records mean one by one."""
    with create(tmp_path) as ledger:
        import_journal(ledger, journal([*before, {"record": "statement", "records": records}]))
        check_history(ledger, [*before, *records])
        assert ledger.verify().holds


CAPS = [
    {"percent": "10", "base": base, "scope": scope, "period": "year", "mode": "flag"}
    for base in ("received", "spent") for scope in ("account", "party")
]  # fmt: skip
OURS, THEIRS = {**ACCOUNT, "caps": CAPS}, {**ACCOUNT, "caps": CAPS, "owner": "clinic"}
UNDONE = [
    OURS, {**OURS, "id": "b"}, {**THEIRS, "id": "c"}, {**THEIRS, "id": "d"}, {**GIFT, "amount": "14", "date": "2024"},
    {"record": "disbursement", "id": "B", "from": "a", "to": "b", "amount": "12", "date": "2025"},
    {"record": "split", "id": "T", "from": "b", "amount": "7", "to": {"c": "4", "a": "3"}, "date": "2025"},
    {"record": "account-change", "id": "C", "account": "c", "owner": "self", "date": "2026"},
    {"record": "expenditure", "id": "X", "from": "b", "amount": "2", "payee": "P", "purpose": "q", "date": "2026"},
    {"record": "account-change", "id": "E", "account": "b", "owner": "clinic", "date": "2026"},
]  # fmt: skip


AWAY = {"record": "disbursement", "id": "B", "from": "a", "to": "b", "amount": "9"}
CHANGED = {"record": "account-change", "id": "C", "account": "a", "owner": "clinic"}


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize(
    ("done", "undoing"),
    [
        (UNDONE, [{"reverses": "X"}]),
        (UNDONE, [{"reverses": "T", "from": "c", "amount": "3"}, {"reverses": "T", "from": "a"}]),
        (UNDONE, [{"reverses": "T", "from": "c"}, {"reverses": "B"}]),
        (UNDONE, [{"reverses": "D", "amount": "5"}]),
        (UNDONE, [{"reverses": "X", "amount": "1"}, {"reverses": "D", "amount": "8"}]),
        (UNDONE, [{"reverses": "X"}, {"reverses": "D"}]),
        (UNDONE, [{"reverses": "T", "from": "a"}, {"reverses": "D", "amount": "12"}]),
        (UNDONE, [{"reverses": "X"}, {"reverses": "T", "from": "a"}, {"reverses": "B"}, {"reverses": "D"}]),
        ([OURS, {**OURS, "id": "b"}, GIFT, AWAY], [{"reverses": "D", "amount": "2"}]),
        ([OURS, {**THEIRS, "id": "c"}, GIFT, CHANGED], [{"reverses": "D"}]),
        ([OURS, {**OURS, "id": "b"}, GIFT, AWAY, CHANGED], [{"reverses": "B"}, {"reverses": "D"}]),
    ],
)
def test_what_is_undone_is_taken_off_alike_in_one_block_and_in_many(
    tmp_path: Path, done: list[dict[str, Any]], undoing: list[dict[str, Any]], size: int
) -> None:
    """Accounts whose sums change are kept, whether or not their units move, and hand-overs of any block are known."""
    reversals = [{"record": "reversal", "id": f"U-{n}", **each} for n, each in enumerate(undoing)]
    lines = [*done, *reversals]
    with create(tmp_path, "owners") as ledger:
        for start in range(0, len(lines), size):
            import_journal(ledger, journal(lines[start : start + size]))
        check_history(ledger, lines)
        assert ledger.verify().holds


HANDED_OVER = [
    ACCOUNT, GIFT, SPENT, {"record": "reversal", "id": "U", "reverses": "X", "amount": "1"},
    {"record": "refund", "id": "R", "donation": "D", "amount": "2"},
    {"record": "account-change", "id": "C", "account": "a", "owner": "clinic"},
]  # fmt: skip


def test_a_line_is_known_again_after_its_account_changed_hands(tmp_path: Path) -> None:
    """All lines of a journal are skipped when it is entered again, whoever owns the account by then."""
    with create(tmp_path, "owners") as ledger:
        import_journal(ledger, journal(HANDED_OVER))
        assert import_journal(ledger, journal(HANDED_OVER)).known == len(HANDED_OVER)


def test_an_export_says_who_approved_then(tmp_path: Path) -> None:
    """Two approved, and later the terms ask for one: the export still says both, and can be entered elsewhere."""
    two, one = {"of": ["board", "treasurer"], "needed": 2}, {"of": ["treasurer"], "needed": 1}
    change = {"record": "account-change", "id": "C", "account": "a", "approvals": one}
    with create(tmp_path, "owners") as first:
        import_journal(first, journal([{**ACCOUNT, "approvals": two}, GIFT, SPENT, change]))
        exported = list(export_journal(first))
    with create(tmp_path, origin="b.example") as second:
        import_journal(second, journal(exported))
        assert list(export_journal(second)) == exported


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
