"""``programme relief``: one gift of money followed to the hospital's word, and the exit codes of what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli.conftest import Cli


class Chain:
    """A charity that runs the ledger, and a carrier and a hospital with keys and copies of their own."""

    def __init__(self, folder: Path) -> None:
        self.orgs: dict[str, Cli] = {}
        for name in ("charity", "carrier", "hospital"):
            (folder / name).mkdir()
            self.orgs[name] = Cli(folder / name)
        self.charity, self.carrier, self.hospital = self.orgs.values()
        self.charity.init()
        self.share()
        for name in ("carrier", "hospital"):
            request = self.orgs[name].ok("key", "request", name, "--no-passphrase")
            self.charity.ok("party", "add", "--request", "-", "--role", "charity", input=request)
        self.charity.ok("account", "open", "fund", "--unit", "CNY")
        self.charity.ok("account", "open", "warehouse", "--unit", "MASK")
        self.share()
        for name, account in (("carrier", "truck"), ("hospital", "ward")):
            self.by(name, "account", "open", account, "--unit", "MASK", "--owner", name)

    def share(self) -> None:
        for org in (self.carrier, self.hospital):
            shutil.copy(self.charity.ledger, org.ledger)

    def by(self, name: str, *args: str) -> None:
        """Let a party draft a command's entry and sign it; the charity records it."""
        self.share()
        org = self.orgs[name]
        org.ok(*args, "--draft", "x.draft")
        org.ok("cosign", "x.draft", "--yes")
        shutil.copy(org.work / "x.draft", self.charity.work / "x.draft")
        self.charity.ok("submit", "x.draft")
        (org.work / "x.draft").unlink()
        (self.charity.work / "x.draft").unlink()
        self.share()


MOVE = ("programme", "relief", "move")


def test_a_gift_of_money_reaches_the_hospitals_word(tmp_path: Path) -> None:
    """1,200.00 CNY become 400 masks; 20 are lost on the way, 380 arrive, and the hospital's own key says so."""
    chain = Chain(tmp_path)
    charity = chain.charity
    charity.ok("donate", "fund", "1200.00", "--id", "D-1")
    bought = charity.run(
        "programme", "relief", "buy", "--from", "fund", "--to", "warehouse", "--amount", "1200.00", "--gives", "400",
        "--supplier", "Mask Works", "--evidence", "ab" * 32, "--id", "C-1",
    )  # fmt: skip
    assert (bought.returncode, bought.stderr) == (0, "Price: 3.00 CNY for 1 MASK.\n")
    charity.ok(*MOVE, "--from", "warehouse", "--to", "truck", "--amount", "400", "--id", "B-1")
    chain.by("carrier", "acknowledge", "B-1", "--author", "carrier")
    chain.by("carrier", "programme", "relief", "lose", "--from", "truck", "--amount", "20", "--how", "rain", "--id",
             "X-1")  # fmt: skip
    chain.by("carrier", *MOVE, "--from", "truck", "--to", "ward", "--amount", "380", "--id", "B-2")
    chain.by("hospital", "acknowledge", "B-2", "--author", "hospital")
    chain.by("hospital", "spend", "ward", "300", "--payee", "ward 3", "--purpose", "surgery", "--id", "X-2")
    told = json.loads(chain.hospital.ok("trace", "D-1", "--json"))
    assert [use["id"] for use in told["uses"]] == ["X-1", "X-2"]
    steps = {step["id"]: step for step in told["steps"]}
    assert [(word["by"], word["how"]) for word in steps["B-2"]["acknowledged"]] == [("hospital", "recipient")]
    ends = [(end["amount"], end["unit"], end["state"]) for end in told["ends"]]
    assert sorted(ends) == sorted(
        [("1200.00", "CNY", "converted"), ("20", "MASK", "lost"), ("300", "MASK", "reported"), ("80", "MASK", "held")]
    )
    assert "holds" in chain.hospital.ok("verify")


@pytest.fixture
def store(village: Cli) -> Cli:
    """Give a ledger with 12.50 CNY in ``edu`` and a goods account ``store``."""
    village.ok("account", "open", "store", "--unit", "MASK")
    return village


def test_goods_given_in_kind_are_valued_in_words_only(store: Cli) -> None:
    """The giver's value is the record's reference, and no balance in money has it."""
    gave = store.json("programme", "relief", "give", "store", "100", "--value", "300", "--currency", "CNY",
                      "--reference", "box 7")  # fmt: skip
    assert (gave["source"], gave["reference"]) == ("in-kind", "valued 300.00 CNY by giver; box 7")
    assert {row["account"]: row["amount"] for row in store.json("balance")} == {
        "edu": "12.50", "school": "0.00", "store": "100",
    }  # fmt: skip


def test_refusals_have_their_exit_codes(store: Cli) -> None:
    """Money for money, goods into money, a value without currency, and more than there is."""
    buy = ("programme", "relief", "buy", "--gives", "4", "--supplier", "S")
    assert "CC-UNIT" in store.fails(7, *buy, "--from", "edu", "--to", "school", "--amount", "1")
    assert "CC-UNIT" in store.fails(7, *buy, "--from", "store", "--to", "store", "--amount", "1")
    assert "CC-OVERDRAFT" in store.fails(7, *buy, "--from", "edu", "--to", "store", "--amount", "12.51")
    assert "CC-UNKNOWN-ACCOUNT" in store.fails(7, *buy, "--from", "x", "--to", "store", "--amount", "1")
    assert "CC-UNIT" in store.fails(7, *MOVE, "--from", "edu", "--to", "school", "--amount", "1")
    give = ("programme", "relief", "give", "store", "5", "--value", "3")
    store.fails(2, *give)
    assert "CC-UNIT" in store.fails(7, *give, "--currency", "MASK")
    store.fails(2, *buy, "--from", "edu", "--to", "store")
