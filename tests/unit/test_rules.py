"""The rules as a table: what is refused, with which code, and that nothing remains of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charitychain.errors import CharitychainError, KeyAccessError, RefusedError
from charitychain.ledger import Ledger
from charitychain.writer import Writer

BOOK: list[dict[str, Any]] = [
    {"record": "unit", "id": "RICE-KG", "decimals": 3, "title": "Rice"},
    {"record": "account", "id": "edu", "unit": "CNY"},
    {"record": "account", "id": "school", "unit": "CNY"},
    {"record": "account", "id": "even", "unit": "CNY", "rule": "pro-rata"},
    {"record": "account", "id": "usd", "unit": "USD"},
    {"record": "account", "id": "steps", "unit": "STEP"},
    {"record": "account", "id": "rice", "unit": "RICE-KG"},
    {"record": "donation", "id": "D-1", "account": "edu", "amount": "10.00"},
    {"record": "donation", "id": "D-2", "account": "edu", "amount": "5.00"},
    {"record": "donation", "id": "D-3", "account": "even", "amount": "5.00"},
    {"record": "donation", "id": "D-4", "account": "steps", "amount": "1000"},
    {"record": "disbursement", "id": "B-1", "from": "edu", "to": "school", "amount": "4.00"},
    {"record": "expenditure", "id": "X-1", "from": "school", "amount": "3.00", "payee": "p", "purpose": "q"},
    {"record": "reversal", "id": "U-1", "reverses": "X-1", "amount": "1.00"},
]

USE = {"payee": "p", "purpose": "q"}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("CC-OVERDRAFT", {"record": "expenditure", "id": "N", "from": "edu", "amount": "12.01", **USE}),
    ("CC-OVERDRAFT", {"record": "disbursement", "id": "N", "from": "edu", "to": "school", "amount": "12.01"}),
    ("CC-OVERDRAFT", {"record": "conversion", "id": "N", "from": "edu", "amount": "12", "to": "rice", "gives": "1"}),
    ("CC-UNIT", {"record": "disbursement", "id": "N", "from": "edu", "to": "usd", "amount": "1"}),
    ("CC-UNIT", {"record": "donation", "id": "N", "account": "edu", "amount": "1", "unit": "USD"}),
    ("CC-UNIT", {"record": "account", "id": "N", "unit": "XQQ"}),
    ("CC-UNIT", {"record": "conversion", "id": "N", "from": "steps", "amount": "1", "to": "usd", "gives": "1",
                 "funded_from": "edu"}),
    ("CC-SELF", {"record": "disbursement", "id": "N", "from": "edu", "to": "edu", "amount": "1"}),
    ("CC-SELF", {"record": "conversion", "id": "N", "from": "steps", "amount": "1", "to": "edu", "gives": "1",
                 "funded_from": "edu"}),
    ("CC-CONVERSION", {"record": "conversion", "id": "N", "from": "edu", "amount": "1", "to": "school", "gives": "1"}),
    ("CC-CONVERSION", {"record": "conversion", "id": "N", "from": "steps", "amount": "1", "to": "edu", "gives": "1"}),
    ("CC-UNKNOWN-ACCOUNT", {"record": "donation", "id": "N", "account": "nowhere", "amount": "1"}),
    ("CC-UNKNOWN-PARTY", {"record": "donation", "id": "N", "account": "edu", "amount": "1", "author": "nobody"}),
    ("CC-UNKNOWN-PARTY", {"record": "account", "id": "N", "unit": "CNY", "owner": "nobody"}),
    ("CC-UNKNOWN-GIFT", {"record": "refund", "id": "N", "donation": "D-9"}),
    ("CC-UNKNOWN-GIFT", {"record": "expenditure", "id": "N", "from": "edu", "amount": "1", "gift": "D-9", **USE}),
    ("CC-NAMED", {"record": "expenditure", "id": "N", "from": "edu", "amount": "6.01", "gift": "D-1", **USE}),
    ("CC-NAMED", {"record": "expenditure", "id": "N", "from": "even", "amount": "1", "gift": "D-3", **USE}),
    ("CC-REFUND", {"record": "refund", "id": "N", "donation": "D-1", "amount": "6.01"}),
    ("CC-REFUND", {"record": "refund", "id": "N", "donation": "D-2", "from": "school"}),
    ("CC-REVERSAL", {"record": "reversal", "id": "N", "reverses": "X-1", "amount": "2.01"}),
    ("CC-REVERSAL", {"record": "reversal", "id": "N", "reverses": "edu"}),
    ("CC-REVERSAL", {"record": "reversal", "id": "N", "reverses": "U-1"}),
    *(("CC-DUPLICATE-ID", {"record": "donation", "id": taken, "account": "edu", "amount": "1.23"})
      for taken in ("D-1", "B-1", "X-1", "U-1", "edu", "RICE-KG", "self", "CNY", "STEP")),
    ("CC-DUPLICATE-ID", {"record": "account", "id": "D-1", "unit": "CNY"}),
    ("CC-DUPLICATE-ID", {"record": "unit", "id": "edu", "decimals": 0}),
    ("CC-ID", {"record": "donation", "id": "two words", "account": "edu", "amount": "1"}),
    ("CC-ID", {"record": "donation", "id": "a/1", "account": "edu", "amount": "1"}),
    ("CC-ID", {"record": "donation", "id": "-x", "account": "edu", "amount": "1"}),
    *(("CC-TEXT", {"record": "expenditure", "id": "N", "from": "edu", "amount": "1", **USE, "payee": payee})
      for payee in ("a\x1b[31m", "a\u202eb", "a\x9b1m", "e\u0301")),
    ("CC-RECORD", {"record": "donation", "id": "N", "account": "edu", "amount": "1", "date": "2021-02-30"}),
    ("CC-RECORD", {"record": "expenditure", "id": "N", "from": "edu", "amount": "1", **USE, "category": "lunch"}),
    ("CC-ENTRY", {"record": "donation", "id": "N", "account": "edu", "amount": "1", "donor": "Ann Lee"}),
    ("CC-ENTRY", {"record": "donation", "id": "N", "account": "edu", "amount": "1", "colour": "red"}),
    ("CC-ENTRY", {"record": "donation", "id": "N", "account": "edu"}),
    ("CC-ENTRY", {"record": "gift", "id": "N"}),
    *(("CC-AMOUNT", {"record": "donation", "id": "N", "account": "edu", "amount": bad})
      for bad in ("0", "0.00", "1.234", "-1", "+1", "1e3", " 1", "1_0", "１", "01", "1.", ".5", "", "1,5", "9" * 30)),
]  # fmt: skip


@pytest.mark.parametrize(("code", "entry"), REFUSED)
def test_what_a_rule_refuses_leaves_nothing(ledger: Ledger, code: str, entry: dict[str, Any]) -> None:
    """Each is refused with its code, the file keeps its bytes, and what comes after it is recorded all the same."""
    with ledger.writer() as writer:
        for line in BOOK:
            writer.add(line)
    before = ledger.path.read_bytes()
    with pytest.raises(CharitychainError) as caught, ledger.writer() as writer:
        writer.add(entry)
    assert caught.value.code == code, caught.value
    assert ledger.path.read_bytes() == before
    with ledger.writer() as writer:
        writer.donation("D-8", account="edu", amount="0.01")
        with pytest.raises(CharitychainError):
            writer.add(entry)
        writer.donation("D-9", account="edu", amount="0.02")
    report = ledger.verify()
    assert report.holds, report.faults
    assert str(ledger.balance("edu")) == "11.03"


@pytest.fixture
def parties(ledger: Ledger) -> Ledger:
    """A ledger in which a platform takes gifts in for a charity, and a sponsor pays."""
    with ledger.writer() as writer:
        writer.party("platform", roles=["intake"], title="Platform")
        writer.party("charity", roles=["charity"])
        writer.party("sponsor", roles=["sponsor"])
        writer.party("auditor", roles=["auditor"])
        writer.commit()
        writer.account("fund", unit="CNY", owner="charity")
        writer.account("steps", unit="STEP", owner="charity")
        writer.account("purse", unit="CNY", owner="sponsor")
        writer.donation("D-1", account="fund", amount="5", author="platform")
        writer.donation("D-2", account="purse", amount="5")
        writer.donation("D-3", account="steps", amount="1000", author="platform")
    return ledger


def only(ledger: Ledger, *names: str) -> Ledger:
    """Open the ledger with the operator's key and those of the named parties alone."""
    folder = ledger.path.parent / "some keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    for entry in ledger.keyring.list():
        if entry.party in ("self", *names):
            for file in (entry.path, entry.path.with_suffix(".pub"), entry.path.with_suffix(".mark")):
                if file.exists():
                    (folder / file.name).write_bytes(file.read_bytes())
                    (folder / file.name).chmod(0o600)
    return Ledger.open(ledger.path, keys=folder)


@pytest.mark.parametrize(
    ("code", "record"),
    [
        ("CC-ROLE", lambda w: w.donation("N", account="fund", amount="1", author="sponsor")),
        ("CC-ROLE", lambda w: w.account("N", unit="CNY", owner="auditor")),
        ("CC-ROLE", lambda w: w.unit("N", decimals=0, author="charity")),
        ("CC-ROLE", lambda w: w.party("N", roles=["charity"], author="charity")),
        ("CC-ROLE", lambda w: w.party("N", roles=["operator"])),
    ],
)
def test_nobody_acts_for_another(parties: Ledger, code: str, record: Any) -> None:
    """A record needs the right role, and the owner's signature."""
    with pytest.raises(CharitychainError) as caught, parties.writer() as writer:
        record(writer)
    assert caught.value.code == code, caught.value


@pytest.mark.parametrize(
    "record",
    [
        lambda w: w.expenditure("N", source="fund", amount="1", payee="p", purpose="q", author="self"),
        lambda w: w.disbursement("N", source="fund", to="purse", amount="1", author="platform"),
        lambda w: w.refund("N", donation="D-1", author="platform"),
    ],
)
def test_whoever_writes_an_outflow_its_owner_signs(parties: Ledger, record: Any) -> None:
    """Another author does not replace the owner: without her key nothing leaves, with it both have signed."""
    with only(parties, "platform") as ledger, pytest.raises(KeyAccessError), ledger.writer() as writer:
        record(writer)
    with parties.writer() as writer:
        record(writer)
    assert "charity" in parties.reader().signers(parties.reader().index.find_id("N").place)  # type: ignore[union-attr]


def test_a_conversion_needs_all_its_owners(parties: Ledger) -> None:
    """Where the sponsor's key is not at hand the conversion cannot be signed; where it is, both signed it."""

    def convert(writer: Writer) -> None:
        writer.conversion("C-1", source="steps", amount="1000", to="fund", gives="4", funded_from="purse")

    with only(parties, "charity") as without, pytest.raises(KeyAccessError), without.writer() as writer:
        convert(writer)
    with parties.writer() as writer:
        convert(writer)
    statement = parties.reader().checked_block(parties.reader().head.height).statements[0]
    assert len(statement.signatures) == 2
    assert str(parties.trace("D-3").converted[0].gives) == "4.00"
    assert parties.verify().holds


def test_keys_act_from_the_next_block(ledger: Ledger) -> None:
    """A new party signs after the block that admits it; a replaced key no longer signs, and old signatures hold."""
    with ledger.writer() as writer:
        writer.party("charity", roles=["charity"])
        with pytest.raises(RefusedError, match="next block"):
            writer.account("fund", unit="CNY", owner="charity")
        writer.commit()
        writer.account("fund", unit="CNY", owner="charity")
        writer.donation("D-1", account="fund", amount="1")
        writer.rotate_key("charity")
        writer.donation("D-2", account="fund", amount="1")  # the old key still acts in this block
        writer.commit()
        writer.donation("D-3", account="fund", amount="1")
        writer.rotate_key("self")
        writer.commit()
        writer.donation("D-4", account="fund", amount="1")
    assert ledger.verify().holds
    keys = [key for party in ledger.reader().state.parties for key in party.keys]
    assert [(key.start, key.until) for key in keys] == [(0, 4), (4, None), (2, 3), (3, None)]
    with ledger.writer() as writer:
        writer.donation("D-5", account="fund", amount="1")
    assert ledger.verify().holds


def test_a_key_is_registered_once_and_with_proof(ledger: Ledger, tmp_path: Path) -> None:
    """A key without its holder's proof, or one that is registered already, is refused."""
    with Ledger.create(tmp_path / "o.ledger", origin="other.example", keys=tmp_path / "keys") as other:
        foreign = other.genesis.key.hex()
    with ledger.writer() as writer:
        with pytest.raises(RefusedError) as used:
            writer.party("again", roles=["charity"], key=ledger.genesis.key.hex())
        with pytest.raises(RefusedError) as unproven:
            writer.party("thief", roles=["charity"], key=foreign, proof="00" * 64)
        low_order = "01" + "00" * 32
        with pytest.raises(CharitychainError) as weak:
            writer.party("weak", roles=["charity"], key=low_order, proof="00" * 64)
    assert [e.value.code for e in (used, unproven, weak)] == ["CC-KEY-USED", "CC-POSSESSION", "CC-KEY"]


def test_many_records_and_statements_make_one_block(ledger: Ledger) -> None:
    """2,500 donations stand in three statements of one block, and each of those is one inflow."""
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        for number in range(2500):
            writer.donation(f"D-{number}", account="edu", amount="0.01")
    report = ledger.verify()
    assert report.holds
    assert (report.counts["blocks"], report.counts["statements"], report.counts["gifts"]) == (2, 4, 2500)
    assert ledger.balances()["edu"][1]["movements"] == 3


def test_leaving_with_an_exception_records_nothing(ledger: Ledger) -> None:
    """An exception out of the with block leaves the ledger as it was."""
    before = ledger.path.read_bytes()
    with pytest.raises(KeyboardInterrupt), ledger.writer() as writer:
        writer.account("edu", unit="CNY")
        raise KeyboardInterrupt
    assert ledger.path.read_bytes() == before
    with ledger.writer() as writer:
        writer.account("edu", unit="CNY")
    assert ledger.verify().holds
