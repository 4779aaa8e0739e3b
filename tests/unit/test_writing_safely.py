"""What a writer may not do: cut what was acknowledged, leave files in a dry run, or ask for keys it does not need."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from charitychain.errors import KeyAccessError, MalformedError, RefusedError, VerificationError
from charitychain.interop.gifts_table import import_gifts
from charitychain.interop.journal import export_journal, import_journal
from charitychain.ledger import Ledger


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder but indexes and lock notes, which are derived."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".index" not in path.name and not path.name.endswith(".lock")
    }


def journal(lines: list[dict[str, Any]]) -> io.BytesIO:
    return io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


@pytest.fixture
def grown(ledger: Ledger) -> Ledger:
    with ledger.writer() as writer:
        writer.account("a", unit="CNY")
        writer.commit()
        writer.donation("D-1", account="a", amount="1")
    return ledger


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_sealed_block_that_was_cut_into_is_never_cut_off(grown: Ledger, dry: bool, cut: int) -> None:
    """The mark knows that the last block was acknowledged: what is left of it stays, and nothing is written."""
    grown.path.write_bytes(grown.path.read_bytes()[:-cut])
    before = contents(grown.path.parent)
    with pytest.raises(RefusedError) as caught, grown.writer(dry=dry) as writer:
        writer.donation("D-2", account="a", amount="1")
    assert caught.value.code == "CC-OLDER"
    assert contents(grown.path.parent) == before


@pytest.mark.parametrize("tail", [b"\x00\x00\x03", bytes(200)])
def test_a_dry_run_leaves_an_unacknowledged_tail_where_it_is(grown: Ledger, tail: bytes) -> None:
    """A dry run checks up to the tail and changes nothing; the next real write cuts it off and keeps it."""
    grown.path.write_bytes(grown.path.read_bytes() + tail)
    before = contents(grown.path.parent)
    with grown.writer(dry=True) as writer:
        writer.donation("D-2", account="a", amount="1")
    assert contents(grown.path.parent) == before
    with grown.writer() as writer:
        writer.donation("D-2", account="a", amount="1")
    kept = next(grown.path.parent.glob("*.torn-*"))
    assert kept.read_bytes() == tail
    assert grown.verify().exit_code == 0


def test_a_damaged_sealed_block_is_never_cut_off(grown: Ledger) -> None:
    """The last block, whole but changed, is damage that a writer refuses to touch."""
    data = bytearray(grown.path.read_bytes())
    data[-3] ^= 1
    grown.path.write_bytes(data)
    grown.index_path.unlink()
    before = contents(grown.path.parent)
    with pytest.raises(VerificationError), grown.writer() as writer:
        writer.donation("D-2", account="a", amount="1")
    assert contents(grown.path.parent) == before


def test_a_dry_run_makes_no_key_files(grown: Ledger) -> None:
    """Admitting a party and replacing a key in a dry run leave nothing behind."""
    before = contents(grown.path.parent)
    with grown.writer(dry=True) as writer:
        assert writer.party("p", roles=["charity"])
        assert writer.rotate_key("self")
    assert contents(grown.path.parent) == before


def test_what_needs_no_key_asks_for_none(grown: Ledger, tmp_path: Path) -> None:
    """Entering what is there already, with no key at hand, says so; something new needs the key of its author."""
    known = list(export_journal(grown))
    empty = tmp_path / "no keys"
    with Ledger.open(grown.path, keys=empty) as stranger:
        assert import_journal(stranger, journal(known)).added == 0
        before = grown.path.read_bytes()
        new = {"record": "donation", "id": "D-9", "account": "a", "amount": "1"}
        with pytest.raises(KeyAccessError) as caught:
            import_journal(stranger, journal([*known, new]))
    assert caught.value.code == "CC-KEY-MISSING"
    assert grown.path.read_bytes() == before


def test_an_export_after_key_changes_can_be_entered_elsewhere(grown: Ledger, tmp_path: Path) -> None:
    """Keys of `self` are a ledger's own and stay behind; those of other parties come along."""
    with grown.writer() as writer:
        writer.party("charity", roles=["charity"])
        writer.rotate_key("self")
        writer.commit()
        writer.account("b", unit="CNY", owner="charity")
        writer.rotate_key("charity")
        writer.commit()
        writer.disbursement("B-1", source="a", to="b", amount="0.60")
        writer.expenditure("X-1", source="b", amount="0.50", payee="p", purpose="q")
    exported = list(export_journal(grown))
    with Ledger.create(tmp_path / "other.ledger", origin="other.example", keys=tmp_path / "keys") as other:
        import_journal(other, journal(exported))
        assert other.verify().holds
        one, two = (found.trace("D-1").to_dict() for found in (grown, other))
        assert one.pop("ledger") != two.pop("ledger")
        assert one == two
        assert list(export_journal(other)) == exported


def test_a_table_from_elsewhere_is_refused_where_it_is_known(grown: Ledger) -> None:
    """The same rows with another source are other content."""
    table = b"id,amount\n1,0.10\n"
    import_gifts(grown, io.BytesIO(table), account="a", series="S", origin="cash")
    assert import_gifts(grown, io.BytesIO(table), account="a", series="S", origin="cash").known == 1
    for origin in ("steps", None):
        with pytest.raises(RefusedError, match="source"):
            import_gifts(grown, io.BytesIO(table), account="a", series="S", origin=origin)


@pytest.mark.parametrize(
    "line",
    [
        {"record": "unit", "id": "QQ", "decimals": True},
        {"record": "party", "id": "z", "roles": [["a"]], "key": "00", "proof": "00"},
        {"record": "party", "id": "z", "roles": [True], "key": "00", "proof": "00"},
    ],
)
def test_values_of_another_type_are_malformed(grown: Ledger, line: dict[str, Any]) -> None:
    """True is no 1, also where the ledger knows the id already; and the line is named."""
    with grown.writer() as writer:
        writer.unit("QQ", decimals=1)
    with pytest.raises(MalformedError, match="line 1"):
        import_journal(grown, journal([line]))


def test_a_journal_may_begin_with_a_byte_order_mark(grown: Ledger) -> None:
    """As a gifts table may; a huge number is refused in our own words."""
    line = b'{"record":"donation","id":"D-2","account":"a","amount":"1"}\n'
    assert import_journal(grown, io.BytesIO(b"\xef\xbb\xbf" + line)).added == 1
    with pytest.raises(MalformedError, match="too large"):
        import_journal(grown, io.BytesIO(b'{"record":"unit","id":"U","decimals":' + b"1" * 5000 + b"}\n"))


def test_no_key_is_made_for_a_ledger_that_cannot_be(tmp_path: Path) -> None:
    """Where the folder is missing, `create` leaves nothing behind."""
    with pytest.raises(Exception, match="no folder"):
        Ledger.create(tmp_path / "no" / "b.ledger", origin="b.example", keys=tmp_path / "keys")
    assert list(tmp_path.iterdir()) == []
