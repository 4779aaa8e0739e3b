"""Which ledger a command is about: the argument, ``--ledger``, the environment, or the only one in the folder."""

from __future__ import annotations

from cli.conftest import Cli


def test_the_order_in_which_a_ledger_is_looked_for(cli: Cli) -> None:
    """The argument goes before the environment, that before the folder, and only ``*.ledger`` counts there."""
    elsewhere = cli.folder / "elsewhere"
    elsewhere.mkdir()
    assert "no *.ledger file" in cli.fails(2, "verify")
    cli.init("a.ledger", "a.example")
    (cli.work / "b.txt").write_text("no ledger")
    assert cli.json("status")["origin"] == "a.example"

    cli.init("b.ledger", "b.example")
    assert "2 *.ledger files" in cli.fails(2, "status") and "--ledger" in cli.fails(2, "verify")
    both = {"CHARITYCHAIN_LEDGER": str(cli.work / "a.ledger")}
    assert cli.json("status", cwd=elsewhere, **both)["origin"] == "a.example"
    assert cli.json("status", "--ledger", "b.ledger", **both)["origin"] == "b.example"
    assert cli.json("status", "-l", cli.work / "b.ledger", cwd=elsewhere)["origin"] == "b.example"
    assert cli.json("--ledger", "b.ledger", "status", **both)["origin"] == "b.example"
    assert cli.json("verify", "b.ledger", **both)["origin"] == "b.example"
    assert cli.json("verify", **both)["origin"] == "a.example"
    assert cli.json("verify", "-l", "b.ledger")["origin"] == "b.example"
    cli.fails(3, "status", CHARITYCHAIN_LEDGER=str(cli.work / "c.ledger"))
    # Keys of both ledgers rest in one folder, each file named for its ledger.
    assert sorted(path.name for path in cli.keys.glob("*.key")) == ["a.example.self.key", "b.example.self.key"]
    assert {path.stat().st_mode & 0o777 for path in cli.keys.glob("*.key")} == {0o600}
