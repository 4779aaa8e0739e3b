"""The example books: entered whole, they agree with the published balances and totals to the cent.

Hack Club's book is in this repository. The two others have no open licence: their tests run where CHARITYCHAIN_BOOKS
names a folder that holds ``astro-opencollective`` and ``sumbawanga-2019``.
"""

from __future__ import annotations

import csv
import importlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from charitychain import Ledger

HERE = Path(__file__).resolve().parents[2] / "examples" / "books"
sys.path.insert(0, str(HERE))
advances = importlib.import_module("advances")
entering = importlib.import_module("entering")
hackclub = importlib.import_module("hackclub")
opencollective = importlib.import_module("opencollective")
sumbawanga = importlib.import_module("sumbawanga")
sys.path.remove(str(HERE))


def folder(name: str) -> Path:
    """Return where a book without an open licence lies, or skip."""
    books = os.environ.get("CHARITYCHAIN_BOOKS")
    if not books:
        pytest.skip("CHARITYCHAIN_BOOKS names no folder of books")
    return Path(books) / name


def cents(text: str) -> int:
    return int(Decimal(text.replace(",", "")) * 100)


# ------------------------------------------------------------------------------------------------------- hackclub


@pytest.fixture(scope="module")
def club() -> Any:
    return hackclub.load()


@pytest.fixture(scope="module")
def club_ledger(club: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path = tmp_path_factory.mktemp("club") / "club.ledger"
    with entering.enter(club[1].lines, path, hackclub.ORIGIN) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def club_recount(club_ledger: Ledger) -> Any:
    return entering.Recount.of(club_ledger)


def test_hackclub_rows_are_mapped_or_reported(club: Any) -> None:
    """Of 1,360 transactions one is of zero and reported; no other is left out."""
    transactions, importer = club
    importer.tally.check()
    assert (len(transactions), sum(len(t.postings) for t in transactions)) == (1360, 2777)
    assert len(importer.tally.mapped) == 1359
    assert list(importer.tally.unmapped) == ["line 1905, receipt e5672699ffd0d2bf56cc9df9157dfca7.pdf"]


def test_hackclub_balances_are_the_published_ones(club_recount: Any) -> None:
    """Banks, what is owed to people, and income are those of the book."""
    balance, given = club_recount.balance, club_recount.given
    assert [balance[name] for name in ("chase", "wf-checking", "wf-savings")] == [640844, 0, 0]
    people = [name for name in balance if name.startswith("person-")]
    assert len(people) == 12
    assert sum(club_recount.lent.values()) == 68255
    assert {name: balance[name] for name in people if balance[name]} == {"person-12": 4650}
    published = {
        "fundraising": "250,426.23",
        "website-donations": "32,745.58",
        "hack-camp": "5,765.00",
        "bank-interest": "0.15",
        "other": "0.00",
    }
    assert {name: given[name] for name in published} == {name: cents(amount) for name, amount in published.items()}


def test_hackclub_expenses_are_the_published_ones(club: Any, club_recount: Any) -> None:
    """All expenses and all accounts of expenses agree, what payees sent back taken off."""
    assert sum(club_recount.spent.values()) - club_recount.given["returned"] == cents("283,164.57")
    assert club_recount.spent["Operating:Staff:Salary"] == cents("186,671.54")
    text, good = hackclub.reconcile(club[0], club_recount)
    assert good and not any("DIFFERS" in line for line in text)
    assert sum(line.startswith("Expenses:") for line in text) == 31


def test_a_comparison_can_fail(club: Any, club_recount: Any) -> None:
    """One cent more in one account of the ledger, and the reconciliation names that account."""
    club_recount.spent["Operating:Food"] += 1
    text, good = hackclub.reconcile(club[0], club_recount)
    club_recount.spent["Operating:Food"] -= 1
    assert not good
    assert [line.split()[0] for line in text if "DIFFERS" in line] == ["Expenses:Operating:Food", "all"]


def test_a_repaid_bill_is_paid_by_gifts_and_its_advance_is_refunded(club_ledger: Ledger) -> None:
    """The first bill of the book: the advance ends in a refund, and the bill in gifts to the charity."""
    advance = club_ledger.trace("A-1")
    assert not advance.uses and not advance.held and [str(refund.money) for refund in advance.refunds] == ["33.92"]
    assert [(gift, str(money)) for gift, money in club_ledger.sources("X-1.2").gifts] == [("D-757", "33.92")]


def test_hackclub_corrections_are_entered_as_corrections(club: Any) -> None:
    """What the book corrects is a reversal here: payments that came back, mistaken deposits, a bounced repayment."""
    reversed_ids = [line["reverses"] for line in club[1].lines if line["record"] == "reversal"]
    returned = [line for line in club[1].lines if line.get("reason", "").startswith("returned: ")]
    assert [line["id"] for line in returned] == [
        "U-751", "U-1382", "U-1392", "U-1474", "U-1598", "U-1694", "U-2788", "U-4092", "U-4098",
    ]  # fmt: skip
    assert [id_ for id_ in reversed_ids if id_[0] == "D"] == [
        "D-1313", "D-1340", "D-2970", "D-3009", "D-3009.2", "D-3445", "D-3445.2",
    ]  # fmt: skip
    assert [id_ for id_ in reversed_ids if id_[0] == "M"] == ["M-3140"]


def test_every_bill_entered_again_says_what_it_replaces(club: Any) -> None:
    """A bill that is repaid keeps payee, purpose and date, and replaces the record that was reversed before it."""
    seen: dict[str, Any] = {}
    undone = set()
    count = 0
    for line in club[1].lines:
        if line["record"] == "reversal":
            undone.add(line["reverses"])
        elif "replaces" in line:
            old = seen[line["replaces"]]
            assert old["id"] in undone
            assert [line[name] for name in ("payee", "purpose", "date")] == [
                old[name] for name in ("payee", "purpose", "date")
            ]
            count += 1
        seen[line["id"]] = line
    assert count > 900


def test_hackclub_copy_has_no_names(club: Any) -> None:
    """In the copy, whoever is no listed organisation is PERSON-n, in accounts, payees and comments."""
    organisations = set((HERE / "hackclub" / "organisations.txt").read_text("utf-8").splitlines())
    transactions = club[0]
    payees = {posting.payee for t in transactions for posting in t.postings} | {t.payee for t in transactions}
    accounts = {p.account for t in transactions for p in t.postings if p.account.startswith("Liabilities:")}
    assert all(re.fullmatch(r"PERSON-\d+", name) for name in payees - organisations)
    assert all(re.fullmatch(r"Liabilities:Reimbursement:PERSON-\d+", name) for name in accounts)
    people = {name for name in payees if name.startswith("PERSON-")} | {name.split(":")[2] for name in accounts}
    assert len(people) == 27


def test_pseudonyms_are_given_in_all_places() -> None:
    """An account, a payee and a first name in a comment get the same pseudonym; a stranger gets another."""
    sys.path.insert(0, str(HERE / "hackclub"))
    pseudonymise = importlib.import_module("pseudonymise")
    sys.path.remove(str(HERE / "hackclub"))
    lines = [
        "2015/01/24 Lyft",
        "    ; Rent for Ada's friend Bob Stone",
        "    Expenses:Operating:Other            $1.00 ; Payee: Carl Kay",
        "    Liabilities:Reimbursement:Ada Lovelace",
        "2015/01/25 Ada Lovelace",
    ]
    names = pseudonymise.Names(lines)
    assert [names.line(line) for line in lines] == [
        "2015/01/24 Lyft",
        "    ; Rent for PERSON-1's friend PERSON-2",
        "    Expenses:Operating:Other            $1.00 ; Payee: PERSON-3",
        "    Liabilities:Reimbursement:PERSON-1",
        "2015/01/25 PERSON-1",
    ]
    del sys.modules["pseudonymise"]


# ------------------------------------------------------------------------------------------------- shared parts


def test_a_bill_repaid_in_two_parts_by_two_payers() -> None:
    """A repays B's bill partly out of his own pocket, the bank the rest and then A: at each step debts are right."""
    accounts = advances.Accounts(donor=lambda lender: entering.donor("salt", lender))
    for name in ("bank", "a", "b"):
        accounts.open(name, "EUR", name)
    accounts.spend("b", 1000, advances.Bill("1", "Shop", "books"), lender="b")
    accounts.lend("a", 400, "2", "a")
    accounts.repay("a", "b", 400, "2")
    assert (accounts.owed("a"), accounts.owed("b")) == (400, 600)
    accounts.give("bank", 5000, "3", source="cash")
    accounts.repay("bank", "b", 700, "4")
    assert (accounts.owed("b"), accounts.held("b"), accounts.held("bank")) == (0, 100, 4300)
    accounts.repay("bank", "a", 400, "5")
    assert (accounts.owed("a"), accounts.held("a"), accounts.held("bank")) == (0, 0, 3900)
    standing = [(payment.account, payment.amount, payment.loan) for payment in accounts.payments["1"]]
    assert standing == [("bank", 600, None), ("bank", 400, None)]


def test_such_lines_are_a_ledger_whose_traces_are_right(tmp_path: Path) -> None:
    """What is lent, used, overpaid and given back adds up in a real ledger, and the bill is paid by the gift."""
    accounts = advances.Accounts(donor=lambda lender: entering.donor("salt", lender))
    for name in ("bank", "a"):
        accounts.open(name, "EUR", name)
    accounts.lend("bank", 300, "1", "a")
    accounts.spend("bank", 200, advances.Bill("2", "Shop", "books"))
    accounts.give("bank", 1000, "3", source="cash")
    accounts.repay("bank", "a", 450, "4")
    assert accounts.give_back("a", "bank", 150, "5") == 150
    with entering.enter(accounts.lines, tmp_path / "x.ledger", "x.example") as ledger:
        recount = entering.Recount.of(ledger)
        assert (recount.balance["bank"], recount.balance["a"], sum(recount.lent.values())) == (800, 0, 0)
        uses = ledger.trace("D-3").uses
        assert sum(Decimal(str(use.money)) for use in uses) == 2 and {use.payee for use in uses} == {"Shop"}
        assert not ledger.trace("A-1").uses and len(ledger.trace("A-1").held) == 0


def test_a_lost_row_is_found() -> None:
    """A row that is neither mapped nor reported, or both, is a fault of the importer."""
    tally = entering.Tally(read=["1", "2"], mapped={"1"})
    with pytest.raises(AssertionError, match="rows lost: \\['2'\\]"):
        tally.check()
    tally.unmapped = {"2": "zero", "1": "no"}
    with pytest.raises(AssertionError, match="mapped and reported: \\['1'\\]"):
        tally.check()


@pytest.mark.parametrize("text", ["1.005", "1e3", "", "- 1", "٣", "1.", "--1"])
def test_amounts_are_whole_cents(text: str) -> None:
    """What has fractions of a cent, or is no plain decimal number, is refused."""
    with pytest.raises(ValueError, match="no whole number of cents"):
        entering.cents(text)


@pytest.mark.parametrize("name", ["hackclub", "opencollective", "sumbawanga"])
@pytest.mark.parametrize("book", ["missing", "empty", "text.md", "table.csv"])
def test_a_book_that_is_none_is_told_in_a_sentence(name: str, book: str, tmp_path: Path) -> None:
    """No such file, an empty folder and a file of another kind end with 3 and one line, and no ledger is made."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.md").write_text("# Some page\n\nNothing to enter.\n", "utf-8")
    (tmp_path / "table.csv").write_text("Transaction ID,Kind\n1,EXPENSE\n", "utf-8")
    command = [sys.executable, str(HERE / f"{name}.py"), book, "x.ledger"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert done.stderr.startswith("Error: ") and book in done.stderr
    assert not (tmp_path / "x.ledger").exists()


def test_other_failures_of_an_importer_have_their_own_exit_codes(tmp_path: Path) -> None:
    """Wrong usage is 2, a ledger that is there already 7, a fault of the importer 70: 1 is left for what differs."""
    (tmp_path / "x.ledger").write_bytes(b"something")
    assert subprocess.run([sys.executable, str(HERE / "sumbawanga.py")], capture_output=True).returncode == 2
    again = [sys.executable, str(HERE / "hackclub.py"), "x.ledger"]
    done = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 7 and done.stderr.endswith("[CC-EXISTS]\n")

    def lost() -> int:
        raise AssertionError("rows lost")

    assert entering.run(lost) == 70


@pytest.mark.parametrize(
    ("waterfall", "told", "said"),
    [
        ("name,value\nSTART,1.00\n", "Beleg,Datum\n1,2019-01-01\n", "no column 'Adressat'"),
        ("name,value\nSTART\n", "", "line 2 of waterfall.csv has not as many columns"),
        ("name,value\nSTART,1\n", "Beleg,Datum,Kategorie,Adressat,Betrag,Saldo\n1,2019-01-01,INIT,x,y,1\n", "is not"),
    ],
)
def test_a_folder_of_other_tables_is_told(waterfall: str, told: str, said: str, tmp_path: Path) -> None:
    """Tables that lack a column or a value, or an amount that is none, are named."""
    (tmp_path / "waterfall.csv").write_text(waterfall, "utf-8")
    (tmp_path / "Barkasse.csv").write_text(told, "utf-8")
    with pytest.raises(entering.BookError, match=said):
        sumbawanga.load(tmp_path)


# ----------------------------------------------------------------------------------------------- opencollective


@pytest.fixture(scope="module")
def collective(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any, Ledger]]:
    rows = opencollective.read_rows(folder("astro-opencollective"))
    importer = opencollective.Importer("a salt").run(rows)
    path = tmp_path_factory.mktemp("collective") / "collective.ledger"
    with entering.enter(importer.lines, path, opencollective.ORIGIN) as ledger:
        yield rows, importer, ledger


def test_collective_agrees_with_its_file(collective: tuple[Any, Any, Ledger]) -> None:
    """All 3,136 rows are mapped, each kind adds up, and the balance is the published one."""
    rows, importer, ledger = collective
    importer.tally.check()
    assert (len(rows), len(importer.tally.mapped), importer.tally.unmapped) == (3136, 3136, {})
    assert str(ledger.balance("collective")) == "123410.95"
    text, good = opencollective.reconcile(rows, entering.Recount.of(ledger))
    assert good
    found = {line[:30].strip(): line.split()[-1] for line in text[1:]}
    assert found == {
        "ADDED_FUNDS credit": "197001.14",
        "CONTRIBUTION credit": "564288.39",
        "CONTRIBUTION debit": "-5250.00",
        "EXPENSE credit": "570.00",
        "EXPENSE debit": "-558063.28",
        "HOST_FEE credit": "75.00",
        "HOST_FEE debit": "-75245.33",
        "PAYMENT_PROCESSOR_COVER credit": "35.03",
        "final balance": "123410.95",
    }


def test_collective_fees_are_those_of_each_gift(collective: tuple[Any, Any, Ledger]) -> None:
    """Every host fee names its gift; a donor's trace begins with her own two fees."""
    _, importer, ledger = collective
    fees = [line for line in importer.lines if line.get("purpose") == "host fee"]
    assert len(fees) == 1418 and all(line["category"] == "administration" and "gift" in line for line in fees)
    trace = ledger.trace("D-8262996")
    assert str(trace.money) == "250.00" and not trace.uses
    assert [str(refund.money) for refund in trace.refunds] == ["250.00"]
    own = {use.purpose: str(use.money) for use in ledger.trace("D-11531176").uses}
    assert own == {"host fee": "1.00", "payment processor fee": "0.99"}


def test_collective_refunds_and_returned_bills(collective: tuple[Any, Any, Ledger]) -> None:
    """Three gifts are refunded whole, and 10 rows reverse bills and fees."""
    lines = collective[1].lines
    refunds = [line for line in lines if line["record"] == "refund"]
    assert [line["amount"] for line in refunds] == ["250.00"] * 3
    kinds = Counter(line["reference"].split(", ")[1] for line in lines if line["record"] == "reversal")
    assert kinds == {"HOST_FEE": 3, "PAYMENT_PROCESSOR_COVER": 4, "EXPENSE": 4}


def test_collective_names_stay_out(collective: tuple[Any, Any, Ledger]) -> None:
    """No handle or name of a backer or payee stands in the journal."""
    rows, importer, _ = collective
    names = {row[name] for row in rows for name in ("Opposite Account Handle", "Opposite Account Name")}
    told = {str(value) for line in importer.lines for value in line.values()}
    assert not (names - {"Astro", "collective"}) & told
    payees = {line["payee"] for line in importer.lines if "payee" in line}
    assert all(re.fullmatch("payee-[0-9a-f]{8}|payment processor", payee) for payee in payees)


# --------------------------------------------------------------------------------------------------- sumbawanga

FINAL = {
    "1440600": "1,471.64",
    "1440601": "7,024.94",
    "1440602": "3,392.70",
    "1440603": "22.25",
    "1440604": "626.00",
    "Barkasse": "88.30",
    "Barkasse_Team_Wetter": "4,000.00",
    "betterplace.org": "97.50",
}
CATEGORIES = {
    "INIT": "19,564.01",
    "SPENDE": "93,761.65",
    "SPENDE_PUB": "26,476.79",
    "BUCHH": "5,742.12",
    "SONST": "814.91",
    "REPAIR": "-70.43",
    "ENTW": "-819.00",
    "VISA": "-2,712.00",
    "ABSCHLAG": "-6,930.10",
    "PATIENT": "-7,214.26",
    "MAT": "-9,543.16",
    "TRANS": "-9,723.76",
    "ANSCH": "-10,602.80",
    "UNTERB": "-11,836.01",
    "REISE": "-70,184.63",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any, Ledger]]:
    importer, oracle = sumbawanga.load(folder("sumbawanga-2019"))
    path = tmp_path_factory.mktemp("project") / "project.ledger"
    with entering.enter(importer.lines, path, sumbawanga.ORIGIN) as ledger:
        yield importer, oracle, ledger


def test_sumbawanga_balances_step_by_step(project: tuple[Any, Any, Ledger]) -> None:
    """784 of 785 rows are mapped; each running balance, each final one and all 15 categories agree to the cent."""
    importer, oracle, ledger = project
    importer.tally.check()
    assert len(importer.tally.read) == 785 and list(importer.tally.unmapped) == ["betterplace.org row 35"]
    text, good = sumbawanga.reconcile(importer, oracle, sumbawanga.export_journal(ledger))
    assert good and text[0] == "784 of 784 running balances are those of the books"
    assert {name: str(ledger.balance(name)) for name in FINAL} == {n: a.replace(",", "") for n, a in FINAL.items()}
    assert oracle == {name: cents(amount) for name, amount in CATEGORIES.items()}


def test_sumbawanga_steps_are_the_files_own(project: tuple[Any, Any, Ledger]) -> None:
    """What is compared step by step is the column Saldo of each file, row by row and in its order."""
    importer = project[0]
    for path in sorted(folder("sumbawanga-2019").glob("*.csv")):
        if path.stem != "waterfall":
            with path.open(encoding="utf-8", newline="") as file:
                told = [cents(row["Saldo"].strip()) for row in csv.DictReader(file) if Decimal(row["Betrag"])]
            assert [balance for _, book, balance, _ in importer.steps if book == path.stem] == told, path.stem


def test_sumbawanga_transfers(project: tuple[Any, Any, Ledger]) -> None:
    """31 transfers have both their halves, 18 of them on one day under BUCHH on both sides; 15 entries have not."""
    books, _ = sumbawanga.read_books(folder("sumbawanga-2019"), entering.Tally())
    joined = sumbawanga.transfers(books, entering.Tally())
    assert len(joined) == 31
    same_day = [(out, into) for out, into in joined.items() if out.stated == into.stated and into.category == "BUCHH"]
    assert len(same_day) == 18
    moves = {line["reference"] for line in project[0].lines if line["record"] == "disbursement"}
    assert len(moves) == 31
    assert sum("no book that is here" in text for text in project[0].tally.remarks) == 15
    mistyped = [text for text in project[0].tally.remarks if "which is none" in text]
    assert [text.split(":")[0] for text in mistyped] == [
        "1440600 row 313", "1440600 row 346", "Barkasse row 204", "betterplace.org row 55",
    ]  # fmt: skip


def test_rounding_follows_the_running_balance() -> None:
    """Fractions go where the balance puts them; a balance that does not follow is refused."""
    rows = sumbawanga.rounded([("1", "10.333", "10.33"), ("2", "-5.333", "  5.00"), ("3", "0.004", "5.00")])
    assert [row.amount for row in rows] == [1033, -533, 0]
    with pytest.raises(ValueError, match="does not follow"):
        sumbawanga.rounded([("1", "10.333", "10.35")])
