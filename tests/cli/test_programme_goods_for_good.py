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
        {"account": "meals", "series": "G-meals", "unit": "CNY", "gifts": 1, "amount": "0.30",
         "rounding_kept_back": 0, "rounding_added": 0},
        {"account": "school", "series": "G-school", "unit": "CNY", "gifts": 3, "amount": "4.77",
         "rounding_kept_back": 8500, "rounding_added": 9680},
    ]  # fmt: skip
    command = (*COMMAND, "--series", "G")
    before = shop.ledger.read_bytes()
    told = {
        "added": 4, "known": 0, "blocks": 1, "left_out": 1, "left_out_by_status": {"cancelled": 1}, "gave_nothing": 0,
        "dry_run": False,
    }  # fmt: skip
    found = shop.json(*command, "--dry-run")
    assert {name: found[name] for name in ("added", "left_out", "dry_run")} == {
        "added": 4, "left_out": 1, "dry_run": True,
    }  # fmt: skip
    assert shop.ledger.read_bytes() == before
    assert _plain(shop.json(*command)) == {**told, "accounts": accounts}
    told |= {"added": 0, "known": 4, "blocks": 0}
    assert _plain(shop.json(*command)) == {**told, "accounts": accounts}
    assert "0 added, 4 were there already; left out: 1 cancelled\n" in shop.ok(*command)
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
            {key: int(v) if key in ("gifts", "rounding_kept_back", "rounding_added") else v for key, v in row.items()}
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


def test_what_was_left_out_is_told(shop: Cli) -> None:
    """Statuses are counted by name, the most frequent ones first, 20 at most, all in JSON; hostile text is escaped."""
    header, *_ = (shop.work / "orders.csv").read_text().splitlines()
    statuses = ["cancelled"] * 4 + ["\x1b[31mshipped"] + [f"state {number:02d}" for number in range(20)]
    rows = [f"{number},tea,,1,{status},1," for number, status in enumerate(statuses)]
    (shop.work / "orders.csv").write_text("\n".join((header, *rows, "99,scarf,,0,completed,1,")))
    told = shop.ok(*COMMAND, "--dry-run").splitlines()
    assert told[0].startswith(
        "0 would be added, 0 were there already; left out: 4 cancelled, 1 \\u001b[31mshipped, 1 state 00, "
    )
    assert told[0].endswith(", 1 state 17, 2 of other statuses (2)")
    assert told[1:] == ["left out, too, since a percentage of a price of 0 is nothing: 1"]
    found = shop.json(*COMMAND)
    assert (found["left_out"], found["gave_nothing"]) == (26, 1)
    assert len(found["left_out_by_status"]) == 22 and found["left_out_by_status"]["cancelled"] == 4
    (shop.work / "orders.csv").write_text(f"{header}\n")
    assert shop.ok(*COMMAND) == "0 added, 0 were there already; nothing was left out\n"


def test_an_order_is_refunded(shop: Cli) -> None:
    """A listing that moved gives nothing twice; a refund needs the reversal of the gift, and is then taken."""
    shop.ok(*COMMAND)
    listings, orders = ((shop.work / name).read_text() for name in ("listings.csv", "orders.csv"))
    (shop.work / "listings.csv").write_text(listings.replace(",meals,", ",school,"))
    said = shop.fails(7, *COMMAND)
    assert "orders.csv, line 2: order 1001 stands in the ledger already as gift gfg-meals/1001" in said
    (shop.work / "orders.csv").write_text(orders.replace("12.00,completed", "12.00,refunded"))
    for text in (listings, listings.replace(",meals,", ",school,"), listings.replace("tea,", "coffee,")):
        (shop.work / "listings.csv").write_text(text)
        assert "line 2: gift gfg-meals/1001 is in the ledger already" in shop.fails(7, *COMMAND)
    shop.ok("reverse", "gfg-meals/1001", "--id", "R-1")
    assert "0 added, 3 were there already; left out: 1 cancelled, 1 refunded\n" in shop.ok(*COMMAND)
    assert shop.json("verify")["holds"]


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
