"""Receipts say what the ledger says: on histories of every kind, whole, in pages and with stops.

That the ledger's own traces are right is tested against a model that follows single units (`test_against_model`). Here
each receipt, checked from its bytes alone, must give the very trace of the ledger.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle.histories import ALL_KINDS, random_history
from unit.test_against_model import create, journal

from charitychain.answers import Trace
from charitychain.errors import VerificationError
from charitychain.interop.journal import import_journal
from charitychain.ledger import Ledger
from charitychain.reading import Reader
from charitychain.receipts import check, make
from charitychain.receipts.check import check_receipt
from charitychain.receipts.make import Maker
from charitychain.receipts.wire import Receipt, encode_receipt
from charitychain.records import Donation, Received
from charitychain.trace import trace_gift

HISTORIES = int(os.environ.get("CHARITYCHAIN_HISTORIES", "48"))
SLICES = 8


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


def gifts(reader: Reader) -> Iterator[str]:
    """Yield every gift of a ledger: single ones, what was received, and all of each batch."""
    index = reader.index
    for (id_,) in index.rows(f"SELECT id FROM ids WHERE kind IN ({Donation.KIND}, {Received.KIND}) ORDER BY id"):
        yield id_
    for series, first, last in index.rows("SELECT series, first, last FROM batches ORDER BY series, first"):
        if "/" not in series:  # else it is an outflow of another ledger
            yield from (f"{series}/{number}" for number in {first, last})


def ledger_of(folder: Path, kind: str, seed: int, steps: int, *, block: int = 9) -> Ledger:
    """Return a ledger with a random history in it, some records to a block."""
    folder.mkdir()
    history, ledger = random_history(seed, kind, steps), create(folder, kind)
    for start in range(0, len(history), block):
        import_journal(ledger, journal(history[start : start + block]))
    return ledger


def checked(receipt: Receipt) -> Trace:
    trace = check_receipt(encode_receipt(receipt)).trace
    assert trace is not None
    return trace


@pytest.mark.parametrize("part", range(SLICES))
def test_receipts_of_histories_give_the_traces_of_the_ledger(tmp_path: Path, part: int) -> None:
    """A receipt of any gift, read from its bytes, gives the ledger's trace; CHARITYCHAIN_HISTORIES sets how many."""
    count = 0
    for number in range(part, HISTORIES, SLICES):
        kind = ALL_KINDS[number % len(ALL_KINDS)]
        with ledger_of(tmp_path / str(number), kind, 70_000 + number, 25 + number % 20) as ledger:
            reader = ledger.reader()
            maker = Maker(reader)
            for gift in gifts(reader):
                (receipt,) = maker.gift(gift)
                assert checked(receipt).to_dict() == trace_gift(reader, gift).to_dict(), (kind, number, gift)
                count += 1
    assert count > 3 * HISTORIES / SLICES


def sums(trace: Trace) -> Counter[tuple[str, ...]]:
    """Return how much became of a gift, by what it became."""
    found = Counter[tuple[str, ...]]()
    for use in trace.uses:
        found["use", use.id, *use.path] += use.money.amount
    for name in ("refunds", "reversed", "converted", "corrections"):
        for each in getattr(trace, name):
            found[name, each.id] += each.money.amount
    for sent in trace.sent:
        found["sent", sent.id, *sent.path] += sent.money.amount
    for held in trace.held:
        found["held", held.account, held.state] += held.money.amount
    return found


def by_record(found: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """Return sums without the ways on which units came."""
    short = Counter[tuple[str, ...]]()
    for what, units in found.items():
        short[what[:2]] += units
    return short


# Kinds of histories, and how many pieces make a page of theirs: more than any one unit passes through.
PAGES = {
    "plain": 10, "records": 12, "reversals": 12, "corrections": 10, "splits": 12, "terms": 9, "trading": 9,
    "funded": 60, "wild": 60,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "pieces"), PAGES.items())
def test_pages_sum_to_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, pieces: int) -> None:
    """Pages follow disjoint units that are all of the gift, and what became of them sums to the whole trace.

    Only where conversions lie on the way may a unit that arrived on two ways be told on two pages.
    """
    paged = 0
    for module in (check, make):
        monkeypatch.setattr(module, "PIECES", pieces)
    for seed in range(3):
        with ledger_of(tmp_path / str(seed), kind, 80_000 + seed, 60) as ledger:
            reader = ledger.reader()
            for gift in gifts(reader):
                pages, whole, found = Maker(reader).gift(gift), trace_gift(reader, gift), Counter[tuple[str, ...]]()
                parts = [page.part for page in pages if page.part is not None]
                if not parts:
                    assert checked(*pages).to_dict() == whole.to_dict()
                    continue
                paged += 1
                ends = [part[1] for part in parts]
                assert [part[0] for part in parts] == [0, *ends[:-1]] and ends[-1] == whole.money.amount
                for page in pages:
                    found += sums(checked(page))
                if whole.converted:
                    assert (by_record(sums(whole)) - by_record(found)).total() == 0, (kind, seed, gift)
                else:
                    assert found == sums(whole), (kind, seed, gift)
    assert paged


def test_a_page_of_more_pieces_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever checks a receipt follows no more pieces than the reference says."""
    with ledger_of(tmp_path / "a", "wild", 3, 40) as ledger:
        reader = ledger.reader()
        receipts = [Maker(reader).gift(gift)[0] for gift in gifts(reader)]
    monkeypatch.setattr(check, "PIECES", 2)
    refused = 0
    for receipt in receipts:
        try:
            checked(receipt)
        except VerificationError as error:
            assert error.code == "CC-RECEIPT" and "more than 2 pieces" in error.message
            refused += 1
    assert refused


@pytest.mark.parametrize("kind", ["reversals", "splits", "corrections", "terms", "owners", "batches"])
def test_stops_leave_a_remainder_that_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Behind a pro-rata account with many outflows nothing is followed, told as computed, and the rest still sums."""
    monkeypatch.setattr(make, "REACH", 2)
    stopped = 0
    for seed in range(3):
        with ledger_of(tmp_path / str(seed), kind, 90_000 + seed, 60) as ledger:
            reader = ledger.reader()
            for gift in gifts(reader):
                for receipt in Maker(reader).gift(gift):
                    trace, whole = checked(receipt), trace_gift(reader, gift)
                    if not receipt.stops:
                        assert trace.to_dict() == whole.to_dict()
                        continue
                    stopped += bool(trace.remainder)
                    assert receipt.computed is not None
                    if not whole.converted:
                        assert sum(end.money.amount for end in trace.ends) == trace.money.amount
                    for what, units in sums(trace).items():
                        if what[0] in ("use", "refunds", "reversed"):
                            assert units <= sums(whole)[what]
    assert stopped


def test_checking_a_receipt_needs_neither_database_nor_arrays_nor_the_ledger(tmp_path: Path) -> None:
    """A fresh interpreter that checked a receipt has loaded no module that only a ledger needs."""
    with ledger_of(tmp_path / "a", "batches", 1, 30) as ledger:
        reader = ledger.reader()
        for number, gift in enumerate(gifts(reader)):
            (tmp_path / f"{number}.ccr").write_bytes(encode_receipt(Maker(reader).gift(gift)[0]))
    script = (
        "import sys, pathlib\n"
        "from charitychain.receipts.check import check_receipt\n"
        f"for path in pathlib.Path({str(tmp_path)!r}).glob('*.ccr'):\n"
        "    assert check_receipt(path.read_bytes()).trace is not None\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "charitychain.receipts.shown" in loaded
    assert not loaded & {
        "sqlite3", "numpy", "charitychain.ledger", "charitychain.index", "charitychain.replay", "charitychain.reading",
        "charitychain.state.rules", "charitychain.store.files",
    }  # fmt: skip
