"""Gift columns: the same money as single donations, and batches that must be refused."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import KINDS, random_history
from oracle.model import Model, canonical

from charitychain import columns
from charitychain.errors import MalformedError, RefusedError
from charitychain.interop.gifts_table import import_gifts
from charitychain.interop.journal import export_journal, import_journal
from charitychain.ledger import Ledger


def in_columns(history: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rewrite a history so that donations which follow each other into one account are one batch; return new names."""
    names: dict[str, str] = {}
    lines: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    for line in history:
        if line["record"] != "donation":
            lines.append({k: names.get(v, v) if k in ("gift", "donation", "reverses") else v for k, v in line.items()})
            continue
        account = line["account"]
        counts[account] = counts.get(account, 0) + 7
        names[line["id"]] = f"series-{account}/{counts[account]}"
        last = lines[-1]
        if last["record"] == "gifts" and (last["account"], last.get("date")) == (account, line.get("date")):
            last["ids"].append(str(counts[account]))
            last["amounts"].append(line["amount"])
        else:
            ids, amounts = [str(counts[account])], [line["amount"]]
            dated = {"date": line["date"]} if "date" in line else {}
            series = f"series-{account}"
            lines.append(
                {"record": "gifts", "series": series, "account": account, "ids": ids, "amounts": amounts, **dated}
            )
    return lines, names


def renamed(trace: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return json.loads(json.dumps(trace), object_hook=lambda o: {k: _name(v, names) for k, v in o.items()})  # type: ignore[no-any-return]


def _name(value: Any, names: dict[str, str]) -> Any:
    return names.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_a_gift_of_a_batch_is_followed_like_a_single_one(tmp_path: Path, kind: str, seed: int) -> None:
    """A history whose donations stand in columns has the traces that the model gives for single donations."""
    history = random_history(1000 + seed, kind, 40)
    lines, names = in_columns(history)
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as ledger:
        import_journal(ledger, io.BytesIO(text))
        model = Model(history)
        for single, name in names.items():
            expected = canonical(renamed(model.trace(single), names))
            assert canonical(ledger.trace(name).to_dict()) == expected
        for line in history:
            if line["record"] == "expenditure":
                expected_gifts = sorted((-amount, names[gift]) for gift, amount in model.sources(line["id"]))
                found = ledger.sources(line["id"], count=10**6).gifts
                assert [(-money.amount, gift) for gift, money in found] == expected_gifts
        assert ledger.verify().holds
        assert import_journal(ledger, io.BytesIO(text)).added == 0
        assert [entry for entry in export_journal(ledger) if entry["record"] == "gifts"]


def test_columns_stand_in_runs_of_64_with_a_sum_at_the_root() -> None:
    """130 gifts of 48 bytes are two full runs and one of two; the root tells total, first and last id."""
    ids, amounts = list(range(5, 135)), [3] * 129 + [2**40]
    people = b"".join(struct.pack(">QQ", 0, n) for n in range(130))
    data, root = columns.pack_columns(ids, amounts, people, people[::-1])
    assert len(data) == 130 * 48
    assert data[: 64 * 8] == struct.pack("<64Q", *range(5, 69))
    assert data[64 * 8 : 64 * 24] == people[: 64 * 16]
    assert data[64 * 40 : 64 * 48] == struct.pack("<64Q", *[3] * 64)
    assert data[-16:] == struct.pack("<2Q", 3, 2**40)
    assert (root.sum, root.low, root.high) == (3 * 129 + 2**40, 5, 134)
    gift = columns.find_gift(data, 48, 133)
    assert gift is not None
    assert (gift.amount, gift.offset, gift.donor) == (3, 3 * 128, people[128 * 16 : 129 * 16])
    assert columns.find_gift(data, 48, 4) is None
    assert columns.find_gift(data, 48, 135) is None


def test_every_changed_byte_changes_the_root_or_is_refused() -> None:
    """No byte of the columns is left out of the root."""
    data, root = columns.pack_columns([1, 2, 3], [10, 20, 30], bytes(range(48)))
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        try:
            assert columns.check_columns(bytes(changed), 32).hash != root.hash
        except MalformedError:
            pass


@pytest.mark.parametrize(
    ("ids", "amounts"),
    [
        ([2, 1], [1, 1]),  # fall: the difference of unsigned numbers would be positive
        ([1, 1], [1, 1]),
        ([1, 2], [1, 0]),
        ([1, 2], [2**63 - 1, 1]),  # each fits, the total does not
        ([2**62, 2**63], [1, 1]),
        (list(range(64)), [2**63 - 1] * 64),  # sums that wrap to a small number
    ],
)
def test_bad_columns_are_refused(ids: list[int], amounts: list[int]) -> None:
    """Ids rise strictly, amounts are at least 1, and totals are exact."""
    data = struct.pack(f"<{len(ids)}Q", *ids) + bytes(16 * len(ids)) + struct.pack(f"<{len(ids)}Q", *amounts)
    with pytest.raises(MalformedError):
        columns.check_columns(data, 32)


def table(*rows: str) -> io.BytesIO:
    return io.BytesIO("\n".join(("id,amount,donor", *rows, "")).encode())


def test_a_table_is_entered_once_and_goes_on(ledger: Ledger) -> None:
    """Rows that are there are skipped, new ones added, and a row that says something else is refused."""
    with ledger.writer() as writer:
        writer.account("gfg", unit="CNY")
    donor = "ab" * 16
    first = import_gifts(ledger, table("1,0.10,", f"5,0.22,{donor}"), account="gfg", series="S")
    assert (first.added, first.known) == (2, 0)
    more = import_gifts(ledger, table("1,0.1,", f"5,0.22,{donor}", "6,1,"), account="gfg", series="S")
    assert (more.added, more.known) == (1, 2)
    before = ledger.path.read_bytes()
    for rows in (["5,0.23,"], ["2,1,"], ["7,1,", "7,1,"], ["7,1e3,"], ["7,-1,"], ["07,1,"], ["7,1,abc"], ["7,1"]):
        with pytest.raises((MalformedError, RefusedError), match="line"):
            import_gifts(ledger, table(*rows), account="gfg", series="S")
    assert ledger.path.read_bytes() == before
    assert ledger.trace("S/5").donor == donor
    assert str(ledger.balance("gfg")) == "1.32"
    assert ledger.verify().holds


def test_a_series_belongs_to_one_party(ledger: Ledger) -> None:
    """Another party cannot go on with a series, and its name is taken in the one id space."""
    with ledger.writer() as writer:
        writer.account("gfg", unit="CNY")
        writer.party("platform", roles=["intake"])
        writer.commit()
        writer.gifts("S", account="gfg", ids=[1], amounts=["1"])
        with pytest.raises(RefusedError, match="another party"):
            writer.gifts("S", account="gfg", ids=[2], amounts=["1"], author="platform")
        with pytest.raises(RefusedError, match="ids are unique"):
            writer.donation("S", account="gfg", amount="1")
        writer.gifts("P", account="gfg", ids=[2], amounts=["1"], author="platform")
        with pytest.raises((RefusedError, MalformedError)):
            writer.gifts("S", account="gfg", ids=[1], amounts=["2"])
        writer.expenditure("X", source="gfg", amount="1.50", payee="p", purpose="q")
    assert [str(use.money) for use in ledger.trace("P/2").uses] == ["0.50"]
    assert ledger.verify().holds
