"""The writer has a method for every record that moves value or says something of it, and each takes its fields."""

from __future__ import annotations

from pathlib import Path

from charitychain.ledger import Ledger


def test_every_method_records_what_it_is_named_for(tmp_path: Path) -> None:
    """Recorded by methods, a book reads as it would by journal lines."""
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as ledger:
        with ledger.writer() as writer:
            writer.party("school", roles=["charity"])
            writer.party("firm", roles=["auditor"])
            writer.commit()
            writer.unit("MASK-BOX", decimals=0)
            writer.account("fund", unit="CNY")
            writer.account("class", unit="CNY", owner="school")
            writer.account("office", unit="CNY")
            writer.account("masks", unit="MASK-BOX")
            writer.account_change("AC-1", account="fund", title="The fund")
            writer.pledge("P-1", account="fund", amount="50")
            writer.plan(
                "PLAN",
                account="office",
                lines=[{"line": "ink", "kind": "goods", "what": "ink", "quantity": 2, "price": "1"}],
            )
            writer.donation("D-1", account="fund", amount="50", pledge="P-1")
            writer.gifts("taps", account="fund", ids=[1, 2], amounts=["1", "2"])
            writer.disbursement("B-1", source="fund", to="class", amount="10")
            writer.split("S-1", source="fund", to={"class": "9", "office": "1"}, amount="10")
            writer.expenditure("X-1", source="office", amount="1", payee="Ink", purpose="ink", line="PLAN/ink")
            writer.conversion("C-1", source="fund", amount="5", to="masks", gives="50")
            writer.commit()
            writer.reversal("U-1", reverses="X-1", amount="0.50", reason="half the ink came")
            writer.acknowledgement("A-1", acknowledges="B-1", author="school")
            writer.refund("R-1", donation="taps/2")
            writer.sent("W-1", source="fund", amount="3", to_ledger="ab" * 32)
            writer.received(
                "V-1", account="fund", amount="3", from_ledger="ab" * 32, checkpoint={"size": 1, "root": "cd" * 32},
                movement=[0, 1], spans=[[0, 300]],
            )  # fmt: skip
            writer.period("PC-1", until="2020-12-31", accounts=["fund", "office", "masks"])
            writer.attestation("T-1", accounts=["fund"], amount="26", at="2026-11-25", author="firm")
        steps = {step.id: step.end.state for step in ledger.trace("D-1").steps}
        assert steps == {"B-1": "acknowledged", "S-1": "reported", "C-1": "reported"}
        assert {name: str(money) for name, (money, _) in ledger.balances().items()} == {
            "fund": "26.00", "class": "19.00", "office": "0.50", "masks": "50",
        }  # fmt: skip
        assert ledger.verify().holds
