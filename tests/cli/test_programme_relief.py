"""``programme relief``: a gift followed over carrier and hospital to an independent word; the codes of refusals."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Cli

NAMES = ("charity", "carrier", "hospital", "office")
RELIEF = ("programme", "relief")
MOVE = (*RELIEF, "move")


class Chain:
    """A charity that runs the ledger; a carrier, a hospital and a health office with keys and copies of their own."""

    def __init__(self, folder: Path) -> None:
        self.orgs: dict[str, Cli] = {}
        for name in NAMES:
            (folder / name).mkdir()
            self.orgs[name] = Cli(folder / name)
        self.charity = self.orgs["charity"]
        self.charity.init()
        self.share()
        for name in NAMES[1:]:
            request = self.orgs[name].ok("key", "request", name, "--no-passphrase")
            role = "auditor" if name == "office" else "charity"
            self.charity.ok("party", "add", "--request", "-", "--role", role, input=request)
        self.charity.ok("account", "open", "fund", "--unit", "CNY")
        self.charity.ok("account", "open", "warehouse", "--unit", "MASK", "--rule", "pro-rata")
        for name, account in (("carrier", "truck"), ("hospital", "ward")):
            self.by(name, "account", "open", account, "--unit", "MASK", "--rule", "pro-rata", "--owner", name)

    def share(self) -> None:
        for name in NAMES[1:]:
            shutil.copy(self.charity.ledger, self.orgs[name].ledger)

    def by(self, name: str, *args: str) -> None:
        """Let a party draft a command's entry and sign it; the charity records it."""
        self.share()
        org = self.orgs[name]
        org.ok(*args, "--draft", "x.draft")
        org.ok("cosign", "x.draft", "--yes")
        shutil.move(org.work / "x.draft", self.charity.work / "x.draft")
        self.charity.ok("submit", "x.draft")
        (self.charity.work / "x.draft").unlink()
        self.share()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Give a chain in which gifts of 900.00 and 300.00 CNY became 300 masks, and 100 were given in kind.

    Of the 400 masks in the truck 16 are lost and 384 arrive at the ward, where 320 are used. Of each batch, 9/16 are
    the first gift's (225 of 400), 3/16 the second's, and 4/16 were given in kind.
    """
    chain = Chain(tmp_path_factory.mktemp("chain"))
    charity = chain.charity
    charity.ok("donate", "fund", "900.00", "--id", "D-1")
    charity.ok("donate", "fund", "300.00", "--id", "D-2")
    papers = charity.work / "papers"
    papers.mkdir()
    (papers / "invoice.txt").write_text("300 masks, 1200.00 CNY\n", "utf-8")
    bought = charity.run(
        *RELIEF, "buy", "--from", "fund", "--to", "warehouse", "--amount", "1200.00", "--gives", "300",
        "--supplier", "Mask Works", "--evidence", "papers/invoice.txt", "--id", "C-1",
    )  # fmt: skip
    assert (bought.returncode, bought.stderr) == (0, "Price: 4.00 CNY for 1 MASK.\n")
    charity.ok(*RELIEF, "give", "warehouse", "100", "--value", "400.00", "--currency", "CNY", "--id", "D-3")
    charity.ok(*MOVE, "--from", "warehouse", "--to", "truck", "--amount", "400", "--id", "B-1")
    chain.by("carrier", "acknowledge", "B-1", "--author", "carrier", "--id", "A-1")
    chain.by("carrier", *RELIEF, "lose", "--from", "truck", "--amount", "16", "--how", "rain", "--id", "X-1")
    chain.by("carrier", *MOVE, "--from", "truck", "--to", "ward", "--amount", "384", "--id", "B-2")
    chain.by("hospital", "acknowledge", "B-2", "--author", "hospital", "--id", "A-2")
    chain.by("hospital", "spend", "ward", "320", "--payee", "Ward 3", "--purpose", "surgery", "--id", "X-2")
    chain.by("office", "acknowledge", "X-2", "--author", "office", "--id", "A-3")
    return chain


def ends(told: dict[str, Any]) -> set[tuple[str, ...]]:
    return {tuple(end.values()) for end in told["ends"]}


def test_a_gift_of_money_reaches_the_hospitals_and_an_independent_word(chain: Chain) -> None:
    """Each hand-over is confirmed by its receiver's own key, and the use by one that had no part in it."""
    told = chain.orgs["hospital"].json("trace", "D-1")
    steps = {step["id"]: step for step in told["steps"]}
    assert list(steps) == ["C-1", "B-1", "B-2"]
    assert (steps["C-1"]["state"], "acknowledged" in steps["C-1"]) == ("evidenced", False)
    for batch, author, receiver, amount in (("B-1", "self", "carrier", "400"), ("B-2", "carrier", "hospital", "384")):
        (word,) = steps[batch]["acknowledged"]
        assert (steps[batch]["by"], word["by"], word["how"], word["amount"]) == (author, receiver, "recipient", amount)
    lost, used = told["uses"]
    assert (lost["id"], lost["by"], lost["state"], lost["amount"]) == ("X-1", "carrier", "lost", "9")
    assert (used["id"], used["by"], used["amount"], used["path"]) == ("X-2", "hospital", "180", ["C-1", "B-1", "B-2"])
    assert [(word["by"], word["how"]) for word in used["acknowledged"]] == [("office", "independent")]
    assert ends(told) == {
        ("converted", "900.00", "CNY"),
        ("acknowledged", "independent", "180", "MASK"),
        ("held", "36", "MASK"),
        ("lost", "9", "MASK"),
    }


@pytest.mark.parametrize(
    ("gift", "money", "masks", "used", "held", "lost"),
    [("D-1", "900.00", 225, 180, 36, 9), ("D-2", "300.00", 75, 60, 12, 3), ("D-3", None, 100, 80, 16, 4)],
)
def test_every_gift_shares_in_every_batch(
    chain: Chain, gift: str, money: str | None, masks: int, used: int, held: int, lost: int
) -> None:
    """Money and goods given in kind go the same road; units are told apart, and each sums to what there was."""
    assert used + held + lost == masks
    told = chain.orgs["office"].json("trace", gift)
    assert ends(told) == {
        *([("converted", money, "CNY")] if money else []),
        ("acknowledged", "independent", str(used), "MASK"),
        ("held", str(held), "MASK"),
        ("lost", str(lost), "MASK"),
    }
    shown = chain.orgs["office"].ok("trace", gift)
    assert "to Ward 3 for surgery, confirmed by office on " in shown
    assert "was lost (rain)" in shown


def test_the_books_balance_without_the_value_of_gifts_in_kind(chain: Chain) -> None:
    """Of 1,200.00 CNY given all is spent; 384 - 320 masks are in the ward; the copy of each party verifies."""
    assert [(row["account"], row["amount"], row["unit"]) for row in chain.charity.json("balance")] == [
        ("fund", "0.00", "CNY"), ("warehouse", "0", "MASK"), ("truck", "0", "MASK"), ("ward", "64", "MASK"),
    ]  # fmt: skip
    for name in NAMES:
        checked = chain.orgs[name].ok("verify")
        assert "holds" in checked
        assert "CNY       given 1200.00 = " in checked


def test_whoever_has_the_invoice_can_check_it(chain: Chain) -> None:
    """The folder of papers holds the invoice that the purchase names; one character more, and it is missing."""
    done = chain.charity.run("check-evidence", "papers")
    assert (done.returncode, done.stderr) == (
        0, "Documents: 1 there, 0 missing. Files that no record names: 0.\n"
    )  # fmt: skip
    other = chain.charity.work / "other"
    other.mkdir()
    (other / "invoice.txt").write_text("300 masks, 1200.00 CNY.\n", "utf-8")
    done = chain.charity.run("check-evidence", "other")
    assert (done.returncode, "Documents: 0 there, 1 missing." in done.stderr) == (8, True)


def test_nobody_hands_over_or_loses_what_another_has(chain: Chain) -> None:
    """What is in the ward only the hospital moves, loses or uses, and the carrier cannot confirm what it sent."""
    charity, office = chain.charity, chain.orgs["office"]
    charity.fails(6, *RELIEF, "lose", "--from", "ward", "--amount", "1", "--how", "gone")
    charity.fails(6, *MOVE, "--from", "ward", "--to", "warehouse", "--amount", "1")
    assert "CC-ACKNOWLEDGED" in chain.orgs["carrier"].fails(
        7, "acknowledge", "B-2", "--author", "carrier", "--draft", "y.draft"
    )
    office.fails(6, "spend", "ward", "1", "--payee", "Office", "--purpose", "use")


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


def test_the_price_of_a_purchase_is_among_the_facts(store: Cli) -> None:
    """What one piece cost stands beside the record, also where nothing is recorded."""
    buy = (*RELIEF, "buy", "--from", "edu", "--to", "store", "--amount", "12.00", "--gives", "4", "--supplier", "S")
    for more in (("--dry-run",), ()):
        done = store.json(*buy, *more)
        assert (done["price"], done["gives"], done["recorded"]) == ("3.00 CNY for 1 MASK", "4", not more)


@pytest.mark.parametrize("unit", ["STEP", "MINUTE"])
def test_what_people_walked_or_worked_is_no_goods(store: Cli, unit: str) -> None:
    """Steps and minutes are neither given in kind, bought, handed over nor lost."""
    store.ok("account", "open", "theirs", "--unit", unit)
    store.ok("account", "open", "others", "--unit", unit)
    for command in (
        ("give", "theirs", "5"), ("lose", "--from", "theirs", "--amount", "1", "--how", "rain"),
        ("move", "--from", "theirs", "--to", "others", "--amount", "1"),
        ("buy", "--from", "edu", "--to", "theirs", "--amount", "1", "--gives", "1", "--supplier", "S"),
    ):  # fmt: skip
        said = store.fails(7, *RELIEF, *command)
        assert f"'theirs' is in {unit}, which is what people walked or worked and not goods [CC-UNIT]" in said


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


def test_a_hand_over_is_told_with_what_its_receiver_says_of_it(store: Cli) -> None:
    """At first only the sender reports it; then the receiver confirms a part, and at last denies it."""
    store.ok("party", "add", "hospital", "--role", "charity")
    store.ok("account", "open", "ward", "--unit", "MASK", "--owner", "hospital")
    store.ok(*RELIEF, "give", "store", "50", "--id", "D-2")
    store.ok(*MOVE, "--from", "store", "--to", "ward", "--amount", "50", "--id", "B-1")
    said = ("acknowledge", "B-1", "--author", "hospital")

    def state() -> str:
        (step,) = store.json("trace", "D-2")["steps"]
        return str(step["state"])

    assert state() == "reported"
    store.ok(*said, "--amount", "45")
    assert state() == "partly acknowledged"
    store.ok(*said, "--disputed")
    assert state() == "disputed"
    assert "(DISPUTED: disputed by hospital; reported by self; " in store.ok("trace", "D-2")
