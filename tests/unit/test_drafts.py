"""Statements that travel: drafted where one key is, signed where the others are, and recorded by the operator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from charitychain.chain.statements import SignedStatement, add_signature
from charitychain.errors import MalformedError, RefusedError, VerificationError
from charitychain.keys import PrivateKey
from charitychain.ledger import Ledger

SPEND = {"record": "expenditure", "id": "X-1", "from": "fund", "amount": "4", "payee": "P", "purpose": "q"}
MORE = {"record": "expenditure", "id": "X-2", "from": "fund", "amount": "5", "payee": "P", "purpose": "q"}


@pytest.fixture
def shared(tmp_path: Path) -> Ledger:
    """Give a ledger in which a charity's fund holds 10.00 CNY, and the board approves what leaves it."""
    ledger = Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys")
    with ledger.writer() as writer:
        writer.party("charity", roles=["charity"])
        writer.party("board", roles=["auditor"])
        writer.commit()
        writer.account("fund", unit="CNY", owner="charity", approvals={"of": ["board"], "needed": 1})
        writer.donation("D-1", account="fund", amount="10", author="self")
    return ledger


def key_of(ledger: Ledger, party: str) -> PrivateKey:
    entry = next(entry for entry in ledger.keyring.list() if entry.party == party)
    return ledger.keyring.load(entry)


def drafted(ledger: Ledger, *listed: dict[str, str]) -> SignedStatement:
    with ledger.writer(dry=True) as writer:
        return writer.draft(listed)


def signed(ledger: Ledger, statement: SignedStatement, *parties: str) -> SignedStatement:
    for party in parties:
        statement = add_signature(statement, key_of(ledger, party), ledger.identity)
    return statement


def test_a_draft_that_all_signed_is_recorded_once(shared: Ledger) -> None:
    """Owner and approver sign in any order; the same statement again changes nothing."""
    draft = drafted(shared, SPEND, MORE)
    assert not draft.signatures and len(draft.header.signers) == 1
    ready = signed(shared, draft, "board", "charity")
    with shared.writer() as writer:
        assert writer.submit(ready)
    with shared.writer() as writer:
        assert not writer.submit(ready)
    assert [use.id for use in shared.trace("D-1").uses] == ["X-1", "X-2"]
    assert shared.verify().holds


@pytest.mark.parametrize("parties", [(), ("charity",), ("board",)])
def test_no_signature_can_be_left_out(shared: Ledger, parties: tuple[str, ...]) -> None:
    """A draft that misses the owner's or the approver's signature is recorded by nobody."""
    part = signed(shared, drafted(shared, SPEND), *parties)
    with pytest.raises(VerificationError) as caught, shared.writer() as writer:
        writer.submit(part)
    assert caught.value.code == "CC-SIGNERS"
    assert str(shared.balance("fund")) == "10.00"


def test_the_signer_list_cannot_be_shortened(shared: Ledger) -> None:
    """Whoever takes the approver out of the header has a statement that the owner never signed, and a rule against."""
    ready = signed(shared, drafted(shared, SPEND), "charity", "board")
    header = replace(ready.header, signers=())
    stripped = replace(ready, header=header, header_bytes=header.encode(), signatures=ready.signatures[:1])
    with pytest.raises(VerificationError) as caught, shared.writer() as writer:
        writer.submit(stripped)
    assert caught.value.code == "CC-SIGNATURE"
    alone = signed(shared, replace(stripped, signatures=()), "charity")
    with pytest.raises(RefusedError) as refused, shared.writer() as writer:
        writer.submit(alone)
    assert refused.value.code == "CC-APPROVALS"


def test_a_draft_grows_stale_with_its_authors_next_statement(shared: Ledger) -> None:
    """After another statement of its author a draft no longer fits, and has to be made anew."""
    ready = signed(shared, drafted(shared, SPEND), "charity", "board")
    with shared.writer() as writer:
        writer.add(MORE)
    with pytest.raises(RefusedError) as caught, shared.writer() as writer:
        writer.submit(ready)
    assert caught.value.code == "CC-DRAFT"


def test_a_draft_is_checked_by_the_rules_and_needs_a_dry_run(shared: Ledger) -> None:
    """What a rule refuses is refused when it is drafted; and nothing unsigned can come near a seal."""
    with pytest.raises(RefusedError) as caught:
        drafted(shared, SPEND | {"amount": "11"})
    assert caught.value.code == "CC-OVERDRAFT"
    with pytest.raises(ValueError, match="dry run"), shared.writer() as writer:
        writer.draft([SPEND])


def test_a_statement_refused_halfway_leaves_nothing(shared: Ledger) -> None:
    """All records of a statement are recorded or none, even by a caller that goes on after the refusal."""
    with pytest.raises(RefusedError) as caught, shared.writer() as writer:
        with pytest.raises(RefusedError):
            writer.add_together([SPEND, MORE | {"amount": "7"}])
        writer.donation("D-2", account="fund", amount="1", author="self")
    assert caught.value.code == "CC-HALFWAY"
    assert str(shared.balance("fund")) == "10.00" and shared.verify().holds


def test_a_key_record_without_a_key_must_be_well_formed(shared: Ledger) -> None:
    """Hex that is none is told as such."""
    with pytest.raises(MalformedError), shared.writer() as writer:
        writer.add({"record": "key", "party": "charity", "replaces": "zz", "compromised_since": 1})


def test_verify_says_which_cap_is_exceeded(shared: Ledger) -> None:
    """A cap that only flags refuses nothing, and verify tells what was used of it."""
    cap = {"percent": "10", "base": "received", "categories": ["administration"]}
    with shared.writer() as writer:
        writer.account("office", unit="CNY", owner="charity", caps=[cap])
        writer.donation("D-2", account="office", amount="20", author="self", date="2026-02-01")
        writer.expenditure("X-3", source="office", amount="2", payee="P", purpose="q", category="administration",
                           date="2026-03-01")  # fmt: skip
    assert "AUDIT-CAP" not in {finding.code for finding in shared.verify().findings}
    with shared.writer() as writer:
        writer.expenditure("X-4", source="office", amount="0.01", payee="P", purpose="q", category="administration",
                           date="2026-03-02")  # fmt: skip
    report = shared.verify()
    assert report.holds
    assert (
        "Account office caps administration at 10 percent of what is received by it: in 2026 2.01 CNY were used, of"
        " 20.00 CNY received."
    ) in [finding.message for finding in report.findings if finding.code == "AUDIT-CAP"]
