"""``programme goods-for-good``: orders in, once, and told with what rounding did."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time

import pytest
from cli.conftest import ROOT, Cli

pytest.importorskip("pyarrow")

COMMAND = ("programme", "goods-for-good", "orders.csv", "--listings", "listings.csv")


@pytest.fixture
def shop(cli: Cli) -> Cli:
    """Give a ledger with the causes of the example, and the example's files."""
    cli.init()
    cli.ok("account", "open", "meals", "--unit", "CNY")
    cli.ok("account", "open", "school", "--unit", "CNY")
    for name in ("listings.csv", "orders.csv"):
        shutil.copy(ROOT / "examples" / "goods_for_good" / name, cli.work / name)
    return cli


def test_the_example(shop: Cli) -> None:
    """The example's orders become gifts; entered again they are known; what rounding did is told each time."""
    accounts = [
        {"account": "meals", "series": "G-meals", "unit": "CNY", "gifts": 1, "amount": "0.30", "kept_back": 0,
         "least_added": 0},
        {"account": "school", "series": "G-school", "unit": "CNY", "gifts": 3, "amount": "4.77", "kept_back": 8500,
         "least_added": 9680},
    ]  # fmt: skip
    command = (*COMMAND, "--series", "G")
    before = shop.ledger.read_bytes()
    told = {"added": 4, "known": 0, "blocks": 1, "left_out": 1, "dry_run": True}
    found = shop.json(*command, "--dry-run")
    assert {name: found[name] for name in ("added", "left_out", "dry_run")} == {
        "added": 4, "left_out": 1, "dry_run": True,
    }  # fmt: skip
    assert shop.ledger.read_bytes() == before
    assert _plain(shop.json(*command)) == {**told, "dry_run": False, "accounts": accounts}
    told = {"added": 0, "known": 4, "blocks": 0, "left_out": 1, "dry_run": False}
    assert _plain(shop.json(*command)) == {**told, "accounts": accounts}
    assert "0 added, 4 were there already; not completed, and so left out: 1\n" in shop.ok(*command)
    assert json.loads(shop.ok(*command, "--format", "jsonl"))["known"] == 4
    assert shop.ok(*command, "--format", "csv").splitlines()[2] == "school,G-school,CNY,3,4.77,8500,9680"
    assert shop.json("trace", "G-school/1002")["amount"] == "0.89"
    shop.fails(4, "trace", "G-school/1003")
    merchant = shop.ok("trace", "--pseudonym", "b2" * 16, "G-school")
    assert all(f"Gift G-school/{number} " in merchant for number in (1002, 1005, 1006))
    assert shop.json("verify")["holds"]


def _plain(found: dict[str, object]) -> dict[str, object]:
    """Return an answer with its whole numbers as such, which JSON may have as text."""
    return {
        name: [
            {key: int(v) if key in ("gifts", "kept_back", "least_added") else v for key, v in row.items()}
            for row in value
        ] if isinstance(value, list) else value
        for name, value in found.items()
    }  # fmt: skip


def test_refusals_and_their_exit_codes(shop: Cli) -> None:
    """A bad line or other content is 7, a file that is not there 3, and an option left out 2."""
    text = (shop.work / "orders.csv").read_text()
    shop.fails(2, *COMMAND[:3])
    assert "CC-UNREADABLE" in shop.fails(3, "programme", "goods-for-good", "no.csv", "--listings", "listings.csv")
    assert "CC-UNREADABLE" in shop.fails(3, *COMMAND[:4], "no.csv")
    before = shop.ledger.read_bytes()
    (shop.work / "orders.csv").write_text(text.replace("1005,pencil", "1005,pen"))
    assert "orders.csv, line 5: there is no listing 'pen' [CC-TABLE]" in shop.fails(7, *COMMAND)
    (shop.work / "orders.csv").write_text(text.replace("1005", "1002"))
    assert "line 5: order 1002 does not rise above 1003" in shop.fails(7, *COMMAND)
    assert shop.ledger.read_bytes() == before
    (shop.work / "orders.csv").write_text(text)
    shop.ok(*COMMAND)
    (shop.work / "orders.csv").write_text(text.replace("59.90,completed", "69.90,completed"))
    assert "[CC-DUPLICATE-ID]" in shop.fails(7, *COMMAND)


def test_without_pyarrow_it_says_what_to_install(shop: Cli) -> None:
    """Everything else works without it; this command names the extra."""
    (shop.work / "hidden" / "pyarrow").mkdir(parents=True)
    (shop.work / "hidden" / "pyarrow" / "__init__.py").write_text("raise ImportError")
    path = f"{shop.work / 'hidden'}:{ROOT}"
    assert "pip install 'charitychain[tables]'" in shop.fails(3, *COMMAND, PYTHONPATH=path)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_import_goes_on(shop: Cli) -> None:
    """Killed between blocks, the same command enters the rest, and nothing twice."""
    lines = 400_000
    with (shop.work / "orders.csv").open("w") as file:
        file.write("order,listing,consumer,price,status\n")
        file.writelines(f"{n},scarf,{n:032x},59.90,completed\n" for n in range(1, lines + 1))
    start = shop.ledger.stat().st_size
    process = shop.start(*COMMAND)
    deadline = time.monotonic() + 60
    while shop.ledger.stat().st_size < start + 1_000_000 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = shop.json(*COMMAND)
    assert found["added"] + found["known"] == lines
    assert shop.json("trace", f"gfg-school/{lines}")["donor"] == f"{lines:032x}"
    assert shop.json("balance", "school") is not None
    assert shop.json("verify")["holds"]
