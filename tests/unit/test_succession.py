"""One ledger goes on from another: what is carried, what is left, and that nothing is carried twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from golden.builder import Builder

from charitychain.entries.describe import describe_terms
from charitychain.errors import RefusedError
from charitychain.keyring import Keyring
from charitychain.ledger import Ledger
from charitychain.succession import carry_over, predecessor_of


def made(folder: Path, name: str) -> Ledger:
    return Ledger.create(folder / f"{name}.ledger", origin=f"{name}.example", keys=folder / "keys")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Ledger]:
    """Give a ledger of two parties with accounts of every kind of terms, most of which hold something."""
    with made(tmp_path, "old") as ledger:
        with ledger.writer() as writer:
            writer.party("school", roles=["charity"], title="The school")
            writer.party("board", roles=["auditor"])
            writer.commit()
            writer.unit("RICE-KG", decimals=3, title="Rice")
            writer.account("office", unit="EUR")
            writer.account("pool", unit="EUR", rule="pro-rata", title="Pool", levy={"office": "10"})
            writer.account(
                "class", unit="EUR", owner="school", tags={"region": "north"}, target="500.00",
                approvals={"of": ["board"], "needed": 1}, restriction={"purposes": ["books"]},
                caps=[{"percent": "10"}],
            )  # fmt: skip
            writer.account("rice", unit="RICE-KG")
            writer.account("gone", unit="EUR")
            writer.account("bare", unit="JPY", naming="forbidden")
            writer.account_change("AC-1", account="gone", closed=True)
            for number, (account, amount) in enumerate((("pool", "9.00"), ("class", "5.00"), ("pool", "1.00"))):
                writer.donation(f"D-{number}", account=account, amount=amount)
            writer.donation("D-rice", account="rice", amount="2.5")
        yield ledger


def successor(old: Ledger, folder: Path, name: str = "new", keys: str = "keys") -> Ledger:
    return Ledger.create(
        folder / f"{name}.ledger", origin=f"{name}.example", keys=folder / keys, predecessor=predecessor_of(old)
    )


def test_everything_that_accounts_hold_is_carried_unit_for_unit(old: Ledger, tmp_path: Path) -> None:
    """Parties, units, accounts, terms and balances are the same there, and traces go on; the old one holds nothing."""
    before = predecessor_of(old)
    with successor(old, tmp_path) as new:
        held = {name: str(money) for name, (money, _) in old.balances().items() if name != "gone"}
        terms = {a.id: describe_terms(old.reader().state, a) for a in old.reader().state.accounts if a.open}
        done = carry_over(old, new)
        assert new.genesis.predecessor == before and done.left == ()
        assert {name: str(money) for name, (money, _) in new.balances().items()} == held
        assert not any(money.amount for money, _ in old.balances().values())
        state = new.reader().state
        assert {a.id: describe_terms(state, a) for a in state.accounts} == terms
        assert [(party.id, party.title) for party in state.parties][1:] == [("school", "The school"), ("board", None)]
        assert state.parties[state.account_named("class").owner].id == "school"
        assert state.units["RICE-KG"].decimals == 3 and state.account_named("pool").rule == "pro-rata"
        with new.writer() as writer:
            writer.split("S-1", source="pool", to={"office": "0.50", "class": "4.50"}, amount="5.00")
        for gift, pool, spent in (("D-0", "4.50", "4.50"), ("D-2", "0.50", "0.50")):
            (sent,) = old.trace(gift, others=[new]).sent
            (there,) = sent.received
            found = {held.account: str(held.money) for held in there.held if held.account == "pool"}
            rest = sum(held.money.amount for held in there.held if held.account != "pool")
            assert found == {"pool": pool} and rest == round(float(spent) * 100), gift
        report = new.verify(others=[old])
        assert report.holds and report.exit_code == 0
        assert any(f"goes on from old.example as of {before.size} blocks" in notice for notice in report.notices)
        assert old.verify().holds


def test_carrying_again_carries_only_what_came_later(old: Ledger, tmp_path: Path) -> None:
    """Nothing twice; what came into the old ledger afterwards, or was sent before a crash, is carried then."""
    with successor(old, tmp_path) as new:
        first = carry_over(old, new)
        assert len(first.sent) == len(first.received) == 3
        size = new.reader().head.height
        again = carry_over(old, new)
        assert (again.sent, again.received, new.reader().head.height) == ((), (), size)
        with old.writer() as writer:
            writer.donation("D-late", account="pool", amount="0.30")
            writer.donation("D-lost", account="office", amount="0.20")
            writer.commit()
            writer.sent("S-own", source="office", amount="0.20", to_ledger=new.identity.hex())
        later = carry_over(old, new)
        assert later.sent == ("sent-pool-2",)
        assert [(id_, str(money)) for id_, money in later.received] == [
            ("received-office", "0.20"), ("received-pool-2", "0.30"),
        ]  # fmt: skip
        assert str(new.balance("pool")) == "10.30" and new.verify(others=[old]).holds


def test_what_the_keys_at_hand_cannot_sign_is_left_and_told(old: Ledger, tmp_path: Path) -> None:
    """Without the board's key the account that asks for it stays, with what it holds; the others go."""
    board = next(party for party in old.reader().parties if party.id == "board")
    entry = Keyring(tmp_path / "keys").find(board.keys[0].key)
    assert entry is not None
    for suffix in (".key", ".pub"):
        entry.path.with_suffix(suffix).rename(tmp_path / f"board{suffix}")
    with successor(old, tmp_path) as new:
        done = carry_over(old, new)
        assert done.left == (("class", "the key of board is not at hand"),)
        assert str(old.balance("class")) == "5.00" and str(new.balance("pool")) == "10.00"
        for suffix in (".key", ".pub"):
            (tmp_path / f"board{suffix}").rename(entry.path.with_suffix(suffix))
        later = carry_over(old, new)
        assert (later.left, later.sent) == ((), ("sent-class",)) and str(new.balance("class")) == "5.00"


def test_only_a_ledger_that_names_the_old_one_takes_over(old: Ledger, tmp_path: Path) -> None:
    """Neither a plain ledger nor one that goes on from another, nor one of the same name."""
    with made(tmp_path, "plain") as plain, successor(plain, tmp_path, "other") as other:
        for new in (plain, other):
            with pytest.raises(RefusedError) as caught:
                carry_over(old, new)
            assert caught.value.code == "CC-SUCCESSOR"


def test_a_ledger_of_format_1_is_not_succeeded(tmp_path: Path) -> None:
    """It cannot send; its journal can be entered into a new ledger instead."""
    b = Builder("old.example", nonce=bytes(32), version=1)
    b.commit()
    path = tmp_path / "one.ledger"
    path.write_bytes(b.data)
    b.close()
    with Ledger.open(path) as ledger, pytest.raises(RefusedError) as caught:
        predecessor_of(ledger)
    assert caught.value.code == "CC-VERSION"


def test_another_past_is_found(old: Ledger, tmp_path: Path) -> None:
    """A copy of the old ledger that does not begin as the new one says is a fault, and a shorter one a warning."""
    with successor(old, tmp_path) as new:
        with old.writer() as writer:
            writer.donation("D-9", account="office", amount="1.00")
        short = old.at(height=1)
        try:
            report = new.verify(others=[short])
            assert report.holds and report.exit_code == 8
        finally:
            short.close()
        assert new.genesis.predecessor is not None
        wrong = new.genesis.predecessor._replace(root=bytes(32))
        with Ledger.create(
            tmp_path / "liar.ledger", origin="liar.example", keys=tmp_path / "keys", predecessor=wrong
        ) as liar:
            report = liar.verify(others=[old])
            assert [(fault.code, fault.block) for fault in report.faults] == [("CC-UNMATCHED", 0)]
