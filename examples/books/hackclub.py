"""Hack Club's public books, 2015 to 2017, as a ledger in which gifts are followed to the bills they paid.

    python examples/books/hackclub.py [PATH] LEDGER [--keys DIR] [--remarks]

PATH is a file in ledger-cli's format (https://ledger-cli.org/doc/ledger3.html); left out, the copy in `hackclub/`.

Rules upheld here:

- **Accounts.** The three bank accounts are accounts. So is each person who laid out money or was paid too much: what
  lies there is money of the charity in that person's hands.
- **Flows.** A transaction is balanced, so its negative postings pay its positive ones, in file order. What the two ends
  of a flow are decides the record: income to bank is a donation, bank to expense an expenditure, bank to bank a
  disbursement, person to expense a bill laid out, bank or person to person a repayment (both: see `advances`).
- **Corrections are entered as corrections.** Money that comes back from a payee reverses the expenditure: same payee,
  same amount, the latest before it; else same payee and account, a larger one. Money that was put into the bank by
  mistake, and test deposits, are donations reversed; other income that went back is a refund. A repayment that bounced
  is a disbursement reversed.
- **Which bill a repayment pays** the book does not say: the oldest of that person. Which gift a refund of "Stripe" is
  about neither: the latest of that payer in that income account that is large enough.
- **Dates** are the book's: a bill repaid in May keeps its date of January and says in which row it was repaid.

The last of these is why a donor's trace is right: it ends in Lyft or Namecheap, not in a person who was repaid.

>>> parse(["2015/01/24 Lyft", "    Expenses:Food   $33.92", "    Liabilities:Reimbursement:PERSON-1"])[0].postings[1]
Posting(account='Liabilities:Reimbursement:PERSON-1', amount=-3392, payee='Lyft')
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import entering
from advances import Accounts, Bill, Payment
from entering import Line, Tally, cents, money

OWN_COPY = Path(__file__).with_name("hackclub") / "main.dat"
ORIGIN = "hackclub.example/2017"
BANKS = {
    "Assets:Wells Fargo:Checking": "wf-checking",
    "Assets:Wells Fargo:Savings": "wf-savings",
    "Assets:Chase:Checking": "chase",
}
CATEGORIES = {
    "Fundraising": "fundraising",
    "Operating:Bank": "administration",
    "Operating:Insurance": "administration",
    "Operating:Legal": "administration",
    "Operating:Tax": "administration",
    "Services:ZenPayroll": "administration",
}
"""Only where the book's account says it; the other expenses have no category."""

_HEAD = re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})\s+(\S.*?)\s*")
_POSTING = re.compile(r"\s+([A-Z][^;]*?)(?:\s{2,}(-?)\$(-?[0-9,.]+))?\s*(?:;\s*(.*?)\s*)?")
_MISTAKE = re.compile("accidental|verification|verify", re.IGNORECASE)
_DAY_IN_NOTE = re.compile(r"\b20[0-9]{2}-[0-9]{2}(?:-[0-9]{2})?\b")


@dataclass(frozen=True, slots=True)
class Posting:
    """An account and what is added to it, in cents."""

    account: str
    amount: int
    payee: str


@dataclass(slots=True)
class Transaction:
    """A transaction of the book; `line` is where it begins in the file, from 1, and names it everywhere."""

    line: int
    date: str
    payee: str
    postings: list[Posting] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def row(self) -> str:
        return str(self.line)

    @property
    def reference(self) -> str:
        receipts = [note.removeprefix("Receipt: ") for note in self.notes if note.startswith("Receipt: ")]
        return ", receipt ".join([f"line {self.line}", *receipts])


def parse(lines: Iterable[str]) -> list[Transaction]:
    """Read transactions; the one amount that a transaction may leave out is filled in.

    Raises:
        ValueError: a line is none that this small part of the format knows, or a transaction does not balance.
    """
    found: list[Transaction] = []
    for number, line in enumerate(lines, start=1):
        if head := _HEAD.fullmatch(line):
            date = f"{head[1]}-{int(head[2]):02d}-{int(head[3]):02d}"
            found.append(Transaction(number, date, head[4]))
        elif not line.strip():
            continue
        elif not found:
            raise ValueError(f"line {number} belongs to no transaction: {line!r}")
        elif line.lstrip().startswith(";"):
            found[-1].notes.append(line.strip("; \t"))
        elif posting := _POSTING.fullmatch(line):
            amount = None if posting[3] is None else cents(posting[2] + posting[3])
            _, says_payee, payee = (posting[4] or "").partition("Payee: ")
            found[-1].postings.append(
                Posting(posting[1].strip(), _ELIDED if amount is None else amount, payee if says_payee else "")
            )
        else:
            raise ValueError(f"line {number} is no posting: {line!r}")
    return [_balance(transaction) for transaction in found]


_ELIDED = 1 << 62


def _balance(transaction: Transaction) -> Transaction:
    rest = -sum(posting.amount for posting in transaction.postings if posting.amount != _ELIDED)
    elided = sum(posting.amount == _ELIDED for posting in transaction.postings)
    if elided > 1 or (not elided and rest):
        raise ValueError(f"line {transaction.line}: the transaction does not balance")
    transaction.postings = [
        Posting(told.account, rest if told.amount == _ELIDED else told.amount, told.payee or transaction.payee)
        for told in transaction.postings
    ]
    return transaction


def flows(postings: list[Posting]) -> Iterator[tuple[Posting, Posting, int]]:
    """Yield (who pays, who gets, cents): negative postings pay positive ones, both in file order."""
    payers = [(posting, -posting.amount) for posting in postings if posting.amount < 0]
    for target in (posting for posting in postings if posting.amount > 0):
        missing = target.amount
        while missing:
            payer, left = payers.pop(0)
            part = min(missing, left)
            yield payer, target, part
            missing -= part
            if part < left:
                payers.insert(0, (payer, left - part))


class Importer:
    """Turns transactions into journal lines; `lines` and `tally` are the outcome."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.accounts = Accounts(donor=_pseudonym)
        self.incomes: list[list[Any]] = []
        """[payer, income account, gift, bank, cents left, paid in by mistake] in order."""
        for name, account in BANKS.items():
            self.accounts.open(account, "USD", name.removeprefix("Assets:"))

    @property
    def lines(self) -> list[Line]:
        return self.accounts.lines

    def run(self, transactions: list[Transaction]) -> None:
        """Map all transactions, in file order."""
        people = {p.account: None for t in transactions for p in t.postings if p.account.startswith("Liabilities:")}
        for name in people:
            self.accounts.open(_person(name), "USD", f"money of the charity in the hands of {name.split(':')[2]}")
        latest = ""
        for transaction in transactions:
            self.tally.read.append(transaction.reference)
            if transaction.date < latest:
                self.tally.remark(transaction.reference, f"{transaction.date} stands after {latest}; kept in its place")
            latest = max(latest, transaction.date)
            if not any(posting.amount for posting in transaction.postings):
                self.tally.unmapped[transaction.reference] = f"its amount is zero ({transaction.payee})"
                continue
            for source, target, amount in flows(transaction.postings):
                self._flow(transaction, source, target, amount)
            self.tally.mapped.add(transaction.reference)

    def _flow(self, transaction: Transaction, source: Posting, target: Posting, amount: int) -> None:
        row, common = transaction.row, {"date": transaction.date, "reference": transaction.reference}
        match _kind(source), _kind(target):
            case "Income", "Assets":
                self._income(transaction, source, BANKS[target.account], amount)
            case "Assets", "Income":
                self._give_back(transaction, target, BANKS[source.account], amount)
            case "Assets", "Expenses":
                self.accounts.spend(BANKS[source.account], amount, _bill(transaction, target))
            case "Liabilities", "Expenses":
                person = _person(source.account)
                self.accounts.spend(person, amount, _bill(transaction, target), lender=person)
            case "Expenses", "Assets":
                self._returned(transaction, source, BANKS[target.account], amount)
            case "Expenses", "Liabilities":
                self._not_owed(transaction, source, _person(target.account), amount)
            case "Assets", "Assets":
                self.accounts.move(BANKS[source.account], BANKS[target.account], amount, row, **common)
            case "Assets", "Liabilities":
                self.accounts.repay(BANKS[source.account], _person(target.account), amount, row, **common)
            case "Liabilities", "Liabilities":
                payer = _person(source.account)
                missing = amount - self.accounts.held(payer)
                if missing > 0:
                    self.accounts.lend(payer, missing, row, payer, **common)
                self.accounts.repay(payer, _person(target.account), amount, row, **common)
            case "Liabilities", "Assets":
                self._paid_in(transaction, _person(source.account), BANKS[target.account], amount)
            case kinds:
                raise ValueError(f"{transaction.reference}: no record for a flow from {kinds[0]} to {kinds[1]}")

    def _income(self, transaction: Transaction, source: Posting, bank: str, amount: int) -> None:
        gift = self.accounts.give(
            bank, amount, transaction.row, source=_source(source.account), donor=_pseudonym(transaction.payee),
            date=transaction.date, reference=transaction.reference,
        )  # fmt: skip
        self.incomes.append([transaction.payee, source.account, gift, bank, amount, _is_mistake(transaction)])

    def _give_back(self, transaction: Transaction, target: Posting, bank: str, amount: int) -> None:
        candidates = [
            income for income in self.incomes if income[:2] == [transaction.payee, target.account] and income[3] == bank
        ]
        exact = [income for income in candidates if income[4] == amount]
        chosen = (exact or [income for income in candidates if income[4] >= amount])[-1]
        chosen[4] -= amount
        mistaken = chosen[5] or _is_mistake(transaction)
        if not exact:
            self.tally.remark(
                transaction.reference,
                f"the book does not say which gift of {transaction.payee} went back: the latest, {chosen[2]}",
            )
        fields = {"reason": "paid in by mistake"} if mistaken else {}
        self.accounts.refund(
            chosen[2], bank, amount, transaction.row, mistaken=mistaken, date=transaction.date,
            reference=transaction.reference, **fields,
        )  # fmt: skip

    def _returned(self, transaction: Transaction, source: Posting, bank: str, amount: int) -> None:
        purpose = source.account.removeprefix("Expenses:")
        payment = self._find(transaction, purpose, amount, bank)
        if payment is None:
            self.tally.remark(
                transaction.reference,
                f"{transaction.payee} paid {money(amount)}, booked as less spent on {purpose}; no payment to them"
                " stands before it, so it is entered as income of source `returned`",
            )
            self.accounts.give(
                bank, amount, transaction.row, source="returned", donor=_pseudonym(transaction.payee),
                date=transaction.date, reference=f"{transaction.reference}; {purpose}",
            )  # fmt: skip
            return
        self.accounts.undo(
            payment, amount, transaction.row, f"returned: {purpose}", date=transaction.date,
            reference=transaction.reference,
        )  # fmt: skip

    def _find(self, transaction: Transaction, purpose: str, amount: int, bank: str) -> Payment | None:
        """Find the payment that came back."""
        standing = [
            payment for payments in self.accounts.payments.values() for payment in payments
            if payment.bill.payee == transaction.payee and payment.account == bank and payment.loan is None
        ]  # fmt: skip
        exact = [payment for payment in standing if payment.amount == amount]
        same = [payment for payment in exact if payment.bill.purpose == purpose] or exact
        larger = [payment for payment in standing if payment.amount > amount and payment.bill.purpose == purpose]
        found = max(same or larger, key=lambda payment: int(payment.bill.row), default=None)
        if found is not None and (len(same) > 1 or not same):
            self.tally.remark(
                transaction.reference,
                f"the book does not say which payment to {transaction.payee} came back: taken is {found.id}",
            )
        return found

    def _not_owed(self, transaction: Transaction, source: Posting, person: str, amount: int) -> None:
        """Undo a bill that was booked twice: the money that repaid it pays other bills of that person."""
        purpose = source.account.removeprefix("Expenses:")
        days = [day for note in transaction.notes for day in _DAY_IN_NOTE.findall(note)]
        advances = (line for line in self.lines if line.get("source") == entering.ADVANCE)
        laid_out = {line["reference"] for line in advances if line["account"] == person}
        payment = next(
            payment for payments in self.accounts.payments.values() for payment in payments
            if payment.amount == amount and payment.bill.purpose == purpose and payment.bill.reference in laid_out
            and any((payment.bill.date or "").startswith(day) for day in days)
        )  # fmt: skip
        fields = {"date": transaction.date, "reference": transaction.reference}
        lent = payment.loan is not None
        self.accounts.undo(payment, amount, transaction.row, f"returned: {purpose}", **fields)
        if not lent:
            self.accounts.repay(payment.account, person, amount, transaction.row, **fields)

    def _paid_in(self, transaction: Transaction, person: str, bank: str, amount: int) -> None:
        fields = {"date": transaction.date, "reference": transaction.reference}
        reason = "the repayment came back"
        back = self.accounts.give_back(person, bank, amount, transaction.row, reason=reason, **fields)
        if back < amount:
            self.accounts.lend(bank, amount - back, transaction.row, person, **fields)


def _is_mistake(transaction: Transaction) -> bool:
    return any(_MISTAKE.search(note) for note in transaction.notes)


def _kind(posting: Posting) -> str:
    return posting.account.partition(":")[0]


def _person(account: str) -> str:
    return account.split(":")[2].lower()


def _source(account: str) -> str:
    return account.removeprefix("Income:").lower().replace(" ", "-")


def _pseudonym(name: str) -> str:
    return entering.donor("hackclub", name.lower())


def _bill(transaction: Transaction, target: Posting) -> Bill:
    purpose = target.account.removeprefix("Expenses:")
    category = next((value for prefix, value in CATEGORIES.items() if f"{purpose}:".startswith(f"{prefix}:")), None)
    return Bill(transaction.row, target.payee, purpose, transaction.date, transaction.reference, category)


def reconcile(transactions: list[Transaction], recount: entering.Recount) -> tuple[list[str], bool]:
    """Hold the ledger against the book: banks, people, income and expenses, account by account."""
    book: Counter[str] = Counter()
    for transaction in transactions:
        for posting in transaction.postings:
            book[posting.account] += posting.amount
    returned: Counter[str] = Counter()
    for entry in recount.entries.values():
        if entry["record"] == "donation" and entry.get("source") == "returned":
            returned[entry["reference"].rpartition("; ")[2]] += cents(entry["amount"])
    names = sorted(book)
    tables = {
        "bank": [(n, book[n], recount.balance[BANKS[n]]) for n in names if n.startswith("Assets:")],
        "owed to (less what they hold)": [
            (n.split(":")[2], -book[n], recount.lent[_pseudonym(_person(n))] - recount.balance[_person(n)])
            for n in names if n.startswith("Liabilities:")
        ],
        "income": [(n, -book[n], recount.given[_source(n)]) for n in names if n.startswith("Income:")],
        "expenses": [
            (n, book[n], recount.spent[n.removeprefix("Expenses:")] - returned[n.removeprefix("Expenses:")])
            for n in names if n.startswith("Expenses:")
        ],
    }  # fmt: skip
    text, good = list[str](), True
    for title, rows in tables.items():
        total = ("all", sum(row[1] for row in rows), sum(row[2] for row in rows))
        lines, agree = entering.compare(title, [*rows, total])
        text, good = [*text, *lines, ""], good and agree
    return text, good


def load(path: Path = OWN_COPY) -> tuple[list[Transaction], Importer]:
    """Read a book and map it."""
    with entering.reading(path, "a book in the form that Hack Club's has"):
        transactions = parse(path.read_text(encoding="utf-8").splitlines())
    importer = Importer()
    importer.run(transactions)
    return transactions, importer


def main() -> int:
    """Make the ledger and print the reconciliation; return 1 if book and ledger differ."""
    asked = entering.arguments("Hack Club's books as a ledger.", default=OWN_COPY)
    transactions, importer = load(asked.path)
    entering.say(importer.tally, len(importer.lines), all_remarks=asked.remarks)
    with entering.enter(importer.lines, asked.ledger, ORIGIN, asked.keys) as ledger:
        text, good = reconcile(transactions, entering.Recount.of(ledger))
    print("", *text, "Book and ledger agree to the cent." if good else "BOOK AND LEDGER DIFFER.", sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(entering.run(main))
