"""What a maker and a reader keep between receipts changes nothing: not their bytes, and not what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from unit.test_receipts import gifts, ledger_of

from charitychain import columns, reading, sealed
from charitychain.errors import NotFoundError, VerificationError
from charitychain.ledger import Ledger
from charitychain.reading import Reader
from charitychain.receipts import make, noted
from charitychain.receipts.make import Maker
from charitychain.receipts.wire import encode_receipt
from charitychain.trace import trace_gift

KINDS = ("wild-batches", "owners", "wild")


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


def receipts(maker: Maker, gift: str) -> list[bytes]:
    return [encode_receipt(page) for page in maker.gift(gift)]


def columned(folder: Path) -> Ledger:
    """Return a ledger of three batches, each in a block of its own, some gifts of which were spent."""
    ledger = Ledger.create(folder / "c.ledger", origin="c.example", keys=folder / "keys")
    with ledger.writer() as writer:
        writer.account("fund", unit="EUR")
        writer.account("school", unit="EUR")
        writer.commit()
        for batch in range(3):
            ids = [str(1000 * batch + 2 * number) for number in range(130)]
            writer.gifts("S", account="fund", ids=ids, amounts=["0.07"] * 130)
            writer.disbursement(f"A-{batch}", source="fund", to="school", amount="7.00")
            writer.commit()
            writer.expenditure(f"X-{batch}", source="school", amount="6.00", payee="Ink Ltd", purpose="books")
            writer.commit()
    return ledger


def test_gifts_are_found_in_runs_as_one_by_one() -> None:
    """Every gift of a batch is found with what stands before it, at the ends of runs and where ids have gaps too."""
    for count, seconds in ((1, None), (64, None), (65, None), (200, bytes(range(16)) * 200)):
        ids, amounts = [3 * number + 5 for number in range(count)], [number % 9 + 1 for number in range(count)]
        donors = b"".join(number.to_bytes(16, "big") for number in range(count))
        packed, _ = columns.pack_columns(ids, amounts, donors, seconds)
        runs = columns.Runs(packed, 32 if seconds is None else 48)
        for number, id_ in enumerate(ids):
            donor = number.to_bytes(16, "big") if number else None
            second = bytes(range(16)) if seconds else None
            assert runs.find(id_) == (id_, donor, second, amounts[number], sum(amounts[:number]))
            assert runs.find(id_ + 1) is None and runs.number_of(id_) == number // 64
        assert runs.find(0) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_maker_makes_what_a_new_one_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A receipt has the same bytes after many others and first, and whether much is kept for it or next to nothing."""
    with ledger_of(tmp_path / kind, kind, 91_000, 60) as ledger:
        reader = ledger.reader()
        maker, all_gifts = Maker(reader), list(gifts(reader))
        assert len(all_gifts) > 5
        first = {gift: receipts(Maker(reader), gift) for gift in all_gifts}
        for gift in [*all_gifts, *reversed(all_gifts)]:
            assert receipts(maker, gift) == first[gift]
        for module, name in ((make, "_LEAVES"), (make, "_PARTS"), (noted, "_MOST"), (sealed, "_BLOCKS"),
                             (sealed, "_COLUMNS"), (reading, "_ROWS")):  # fmt: skip
            monkeypatch.setattr(module, name, 1)
        maker = Maker(reader)
        for gift in all_gifts:
            assert receipts(maker, gift) == first[gift]


def test_a_reader_keeps_few_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches are read, a reader keeps so many bytes of columns, and answers as one that keeps all."""
    with columned(tmp_path) as ledger:
        reader, wanted = ledger.reader(), [f"S/{1000 * batch + 128}" for batch in (0, 2, 1, 0)]
        truth = [trace_gift(reader, gift).to_dict() for gift in wanted]
        assert kept(reader) == 3 * 130 * 32
    monkeypatch.setattr(sealed, "_COLUMNS", 2 * 130 * 32)
    with Ledger.open(tmp_path / "c.ledger") as ledger:
        reader = ledger.reader()
        for gift, told in zip(wanted, truth, strict=True):
            assert trace_gift(reader, gift).to_dict() == told
            assert kept(reader) <= 2 * 130 * 32


def kept(reader: Reader) -> int:
    """Return how many bytes of gift columns a reader keeps."""
    found = [data for block in reader._sealed._blocks.values() for each in block.statements for data in each.columns]
    return sum(map(len, found))


def test_a_number_that_is_no_gift_is_unknown(tmp_path: Path) -> None:
    """Numbers between two gifts, beyond a batch, or written otherwise than the ledger writes them name no gift."""
    with columned(tmp_path) as ledger:
        reader = ledger.reader()
        for gift in ("S/1", "S/00", "S/259", "S/9999", "S/-2", "S/", "S/2/2", "T/2", f"S/{2**64}", "S/²"):
            with pytest.raises(NotFoundError, match="holds no gift"):
                reader.gift(gift)
        assert reader.gift("S/1258")[2:6] == (0, 2, 129 * 7, 7)


def test_a_movement_that_was_checked_vouches_for_no_other(tmp_path: Path) -> None:
    """After the true movement was checked, one that differs from it in anything is refused as before."""
    with columned(tmp_path) as ledger:
        reader = ledger.reader()
        true = reader.movement(0, 1)
        reader.check_movement(true)
        reader.check_movement(true)
        for change in ({"amount": true.amount + 1}, {"rule_before": 5}, {"target": (1, 2)}):
            with pytest.raises(VerificationError, match="not sealed"):
                reader.check_movement(replace(true, **change))
