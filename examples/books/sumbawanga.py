"""Eight cash books of a medical project in Tanzania, 2019, as one ledger that agrees with every running balance.

    python examples/books/sumbawanga.py FOLDER LEDGER [--keys DIR] [--remarks]

FOLDER holds one CSV a book (columns Beleg, BelegURL, Datum, Kategorie, Adressat, Betrag, Saldo; in German) and
``waterfall.csv``, the project's own total of each category. Who is named in the column Adressat never reaches the
ledger: the salt of the pseudonyms is made anew in each run and forgotten.

Rules upheld here:

- **Running balances.** Each book keeps its own order, and after each row what the account holds, less what is lent to
  it, is that row's Saldo. Across the books rows go by date as far as that order and the transfers allow.
- **Fractions of a cent.** Cash converted from shillings or dollars has up to 13 decimals. A row is entered as its Saldo
  less the Saldo before it: what rounding took from one row is given back by the next ones, no row is off by a cent or
  more, and all balances are right. Categories are then off by a cent at most; at the end these cents are moved between
  categories openly, by reversals and expenditures of 0.01 in the cash box.
- **Transfers.** The two entries of a transfer are one disbursement: same amount, other account; the same day, or up to
  ten days apart if what the rows say of the other account does not contradict. Entries are joined only while the order
  within every book can be kept. An entry without its other half is entered as income of source ``transfer`` or as an
  expenditure, and reported.
- **Spending before income** is lent (see `advances`): somebody whom the books do not name laid it out. What comes in
  repays it first.
- **Corrections.** "Rückbuchung" within three days in the same book reverses the expenditure.
- **Amounts with the other sign** (money that came back, in a category of costs) are income of source ``returned``.
- **Dates** that are no day of 2019 are mistyped: the record has none, and the report says what the book has.

>>> [row.amount for row in rounded([("a", "10.333", "10.33"), ("b", "10.333", "20.67")])]
[1033, 1034]
"""

from __future__ import annotations

import datetime
import heapq
import re
import secrets
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import entering
from advances import Accounts, Bill
from entering import Line, Tally, cents, money

from charitychain.interop.journal import export_journal

ORIGIN = "sumbawanga.example/2019"
ORACLE = "waterfall"
COLUMNS = ("Beleg", "Datum", "Kategorie", "Adressat", "Betrag", "Saldo")
KIND = "the folder of this project's cash books"
YEAR = "2019"
SOURCES = {"INIT": "opening", "SPENDE": "private-gifts", "SPENDE_PUB": "gifts-of-organisations", "BUCHH": "transfer"}
TRANSFER = "BUCHH"
NOT_STATED = "*Datenschutz*"
DAYS_APART = 10
CASH = "Barkasse"
BANK = "1440600"
_BANK_NAMES = ("bank für sozialwirtschaft", "144600")
_CHARGE = re.compile("spesen|kosten|gebühr|token", re.IGNORECASE)
_UNDONE = re.compile("rückbuchung", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a book: `amount` in cents, as its balance says; `day` orders rows and never falls within a book."""

    book: str
    number: int
    voucher: str
    stated: str
    day: str
    category: str
    party: str
    amount: int
    balance: int

    @property
    def name(self) -> str:
        return f"{self.book} row {self.number}"

    @property
    def row(self) -> str:
        return f"{self.book}.{self.number}"

    @property
    def date(self) -> str | None:
        return self.stated if self.stated.startswith(YEAR) else None

    @property
    def reference(self) -> str:
        return f"{self.name} ({self.category}), voucher {self.voucher}"


def rounded(told: Iterable[tuple[str, str, str]]) -> list[Row]:
    """Give each row, told as (name, Betrag, Saldo), the whole cents by which its Saldo differs from the one before.

    Raises:
        ValueError: a Saldo does not fit the amounts: the difference is a cent or more.
    """
    rows, before = list[Row](), 0
    for number, (name, amount, balance) in enumerate(told, start=1):
        after = cents(balance)
        if abs(Decimal(after - before) - 100 * Decimal(amount)) >= 1:
            raise ValueError(f"{name}: the running balance {balance.strip()} does not follow from the amount {amount}")
        rows.append(Row("", number, "", "", "", "", "", after - before, after))
        before = after
    return rows


def read_books(folder: Path, tally: Tally) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Read all books of a folder, and the totals of the oracle in cents."""
    books: dict[str, list[Row]] = {}
    told = entering.table(folder / f"{ORACLE}.csv", ("name", "value"))
    oracle = {row["name"].replace("START", "INIT"): cents(row["value"]) for row in told}
    for path in sorted(folder.glob("*.csv")):
        if path.stem == ORACLE:
            continue
        told = entering.table(path, COLUMNS)
        amounts = rounded((f"{path.stem} row {n}", row["Betrag"], row["Saldo"]) for n, row in enumerate(told, start=1))
        day, rows = f"{YEAR}-01-01", list[Row]()
        for row, amount in zip(told, amounts, strict=True):
            stated = row["Datum"]
            made = replace(
                amount, book=path.stem, voucher=row["Beleg"], stated=stated, category=row["Kategorie"],
                party=row["Adressat"].strip() or NOT_STATED,
            )  # fmt: skip
            if made.date is None:
                tally.remark(made.name, f"dated {stated}: no day of {YEAR}, so the record has no date")
            elif stated < day:
                tally.remark(made.name, f"dated {stated}, but it stands after {day}; kept in its place")
            for number in re.findall(r"\b144\d{3}\b", made.party):
                tally.remark(made.name, f"names an account {number}, which is none: taken for {_full(number)}")
            day = max(day, made.date or day)
            rows.append(replace(made, day=day))
            tally.read.append(made.name)
        books[path.stem] = rows
    return books, oracle


# ---------------------------------------------------------------------------------------------------- transfers


def _may_be(row: Row, other: Row) -> bool:
    """Say whether what a row tells of the other account allows `other`; account numbers may lack a digit."""
    told = row.party.lower()
    named = {_full(number) for number in re.findall(r"\b144\d{3,4}\b", told)}
    if any(name in told for name in _BANK_NAMES):
        named.add(BANK)
    if "barkasse" in told and row.book not in (CASH, "Barkasse_Team_Wetter"):
        named |= {CASH, "Barkasse_Team_Wetter"}
    if re.search(r"(von|aus) better?t?place", told) and not named:
        named |= {"betterplace.org", BANK}
    return not named or other.book in named or row.book in named


def _full(number: str) -> str:
    """Mend an account number that lacks a zero: 144601 is 1440601."""
    return number if len(number) == 7 else number[:3] + "0" + number[3:]


def _evidence(out: Row, into: Row) -> int:
    """Rate how well the texts of two entries agree, 0 being best: the other account is named, the same giver is."""
    numbers = {_full(number) for number in re.findall(r"\b144\d{3,4}\b", out.party)}
    people = [set(re.findall(r"\b[A-Z]+-\d+\b", row.party)) for row in (out, into)]
    return (into.book not in numbers) + (not people[0] & people[1])


def transfers(books: dict[str, list[Row]], tally: Tally) -> dict[Row, Row]:
    """Join the two entries of each transfer: out -> in. What the texts say comes first, then the same day."""
    rows = [row for book in books.values() for row in book]
    outs = [row for row in rows if row.category == TRANSFER and row.amount < 0 and not _CHARGE.search(row.party)]
    ins = [row for row in rows if row.amount > 0 and row.category not in ("INIT", "SPENDE", "SPENDE_PUB")]
    near = []
    for out in outs:
        for into in ins:
            apart = abs((_day(out) - _day(into)).days)
            fits = out.book != into.book and out.amount == -into.amount and apart <= DAYS_APART
            if fits and _may_be(out, into) and _may_be(into, out):
                other = into.category != TRANSFER
                rank = (_evidence(out, into), apart > 0, other, out.day, out.number, apart, into.number)
                near.append((rank, out, into))
    joined: dict[Row, Row] = {}
    crossed: dict[Row, Row] = {}
    for _, out, into in sorted(near, key=lambda pair: pair[0]):
        if out not in joined and into not in joined.values():
            kept = order(books, joined | {out: into}) is not None
            (joined if kept else crossed)[out] = into
    for out, into in crossed.items():
        if out not in joined:
            tally.remark(out.name, f"looks like {into.name}, but joined the order of some book could not be kept")
    for out, into in joined.items():
        apart = abs((_day(out) - _day(into)).days)
        if apart or into.category != TRANSFER:
            tally.remark(out.name, f"joined with {into.name}: {apart} days apart, {into.category} there")
    return joined


def _day(row: Row) -> datetime.date:
    return datetime.date.fromisoformat(row.day)


def order(books: dict[str, list[Row]], joined: dict[Row, Row]) -> list[Row] | None:
    """Order all rows by day so that each book keeps its order and the two entries of a transfer stand together.

    Returns nothing if there is no such order. Of a transfer only the row that pays is listed.
    """
    head = {into: out for out, into in joined.items()}
    after: dict[Row, list[Row]] = defaultdict(list)
    waits: Counter[Row] = Counter()
    for rows in books.values():
        units = [head.get(row, row) for row in rows]
        for unit in units:
            waits[unit] += 0
        for before, unit in pairwise(units):
            after[before].append(unit)
            waits[unit] += 1
    ready = [(row.day, row.book, row.number, row) for row, count in waits.items() if not count]
    heapq.heapify(ready)
    found: list[Row] = []
    while ready:
        row = heapq.heappop(ready)[3]
        found.append(row)
        for unit in after[row]:
            waits[unit] -= 1
            if not waits[unit]:
                heapq.heappush(ready, (unit.day, unit.book, unit.number, unit))
    return found if len(found) == len(waits) else None


# ------------------------------------------------------------------------------------------------------- mapping


class Importer:
    """Turns the books into journal lines; `lines`, `tally` and `steps` are the outcome.

    `steps` says after how many lines a book must stand at which balance: (lines, book, cents, row).

    Args:
        salt: Makes the pseudonyms of this run.
    """

    def __init__(self, salt: str) -> None:
        self.tally = Tally()
        self.accounts = Accounts(donor=lambda lender: entering.donor(salt, f"lender to {lender}"))
        self.steps: list[tuple[int, str, int, str]] = []
        self.totals: Counter[str] = Counter()
        """What each category adds up to in the records, in cents."""
        self._salt = salt

    @property
    def lines(self) -> list[Line]:
        return self.accounts.lines

    def lender(self, book: str) -> str:
        """Return the pseudonym of who lays out money for a book."""
        return entering.donor(self._salt, f"lender to {book}")

    def run(self, books: dict[str, list[Row]], oracle: dict[str, int]) -> None:
        """Map all books."""
        for book in books:
            self.accounts.open(book, "EUR", book)
        joined = transfers(books, self.tally)
        rows = order(books, joined)
        assert rows is not None
        for row in rows:
            if not row.amount:
                self.tally.unmapped[row.name] = f"its amount is zero ({row.category})"
                continue
            into = joined.get(row)
            if into is not None:
                self._transfer(row, into)
            elif row.amount > 0:
                self._in(row)
            else:
                self._out(row)
            for part in (row, *([into] if into else [])):
                self.totals[part.category] += part.amount
                self.tally.mapped.add(part.name)
                self.steps.append((len(self.lines), part.book, part.balance, part.name))
        self._round(oracle)

    def _transfer(self, out: Row, into: Row) -> None:
        fields = {"date": out.date, "reference": f"{out.reference} to {into.reference}"}
        self.accounts.move(out.book, into.book, into.amount, out.row, **fields)
        self._settle(into)

    def _in(self, row: Row) -> None:
        if _UNDONE.search(row.party) and self._undo(row):
            return
        source = SOURCES.get(row.category, "returned")
        who = None if row.party == NOT_STATED or source in ("opening", "transfer") else row.party
        self.accounts.give(
            row.book, row.amount, row.row, source=source, donor=who and entering.donor(self._salt, who),
            date=row.date, reference=row.reference,
        )  # fmt: skip
        if source == "transfer":
            self.tally.remark(row.name, f"{money(row.amount)} came from no book that is here: entered as income")
        elif source == "returned":
            self.tally.remark(row.name, f"{money(row.amount)} came in under {row.category}, which is costs: income")
        self._settle(row)

    def _settle(self, row: Row) -> None:
        """Repay what is lent to a book out of what has just come in."""
        due = min(row.amount, self.accounts.owed(row.book))
        if due:
            self.accounts.repay(row.book, row.book, due, row.row, date=row.date, reference=row.reference)

    def _undo(self, row: Row) -> bool:
        for payments in self.accounts.payments.values():
            for payment in payments:
                same = payment.account == row.book and payment.amount == row.amount and payment.loan is None
                days = (_day(row) - datetime.date.fromisoformat(payment.bill.date or row.day)).days
                if same and payment.bill.purpose == row.category and days <= 3:
                    fields = {"date": row.date, "reference": row.reference}
                    self.accounts.undo(payment, row.amount, row.row, "booked back", **fields)
                    return True
        return False

    def _out(self, row: Row) -> None:
        if row.category in SOURCES and row.category != TRANSFER:
            self.tally.remark(row.name, f"a gift of {money(row.amount)}, unexplained: entered as an expenditure")
        charge = row.category == TRANSFER and _CHARGE.search(row.party) is not None
        if row.category == TRANSFER and not charge:
            self.tally.remark(row.name, f"{money(-row.amount)} went to no book that is here: entered as an expenditure")
        payee = "not stated" if row.party == NOT_STATED else entering.short(self._salt, row.party, "payee")
        bill = Bill(row.row, payee, row.category, row.date, row.reference, "administration" if charge else None)
        self.accounts.spend(row.book, -row.amount, bill, lender=row.book)

    def _round(self, oracle: dict[str, int]) -> None:
        """Move the cents that rounding left in a wrong category; together they are nothing."""
        wrong = {name: oracle[name] - self.totals[name] for name in oracle if oracle[name] != self.totals[name]}
        if sum(wrong.values()):
            raise ValueError(f"the categories differ from the totals by {wrong}, which is more than rounding")
        for name, amount in sorted(wrong.items(), key=lambda pair: -pair[1]):
            reference = f"rounding of all rows ({name})"
            self.tally.remark(f"category {name}", f"{money(amount)} added at the end, for fractions of a cent")
            if amount < 0:
                self.accounts.spend(CASH, -amount, Bill(f"rounding.{name}", "none: rounding", name, None, reference))
                continue
            payment = next(
                payment for payments in self.accounts.payments.values() for payment in payments
                if payment.account == CASH and payment.bill.purpose == name and payment.loan is None
            )  # fmt: skip
            self.accounts.undo(payment, amount, f"rounding.{name}", "rounding", reference=reference)


# ---------------------------------------------------------------------------------------------------- comparison

_CATEGORY = re.compile(r"\(([A-Z_]+)\)")


def reconcile(importer: Importer, oracle: dict[str, int], entries: Iterable[Line]) -> tuple[list[str], bool]:
    """Hold a ledger's entries against the books: each running balance in turn, final balances, all categories."""
    recount, wrong, steps = entering.Recount(), list[str](), iter(importer.steps)
    step = next(steps, None)
    totals: Counter[str] = Counter()
    done = 0
    final: dict[str, int] = {}
    for count, entry in enumerate(entries, start=1):
        recount.take(entry)
        _categorise(entry, recount, totals)
        while step is not None and step[0] == count:
            _, book, balance, name = step
            found = recount.balance[book] - recount.lent[importer.lender(book)]
            if found != balance:
                wrong.append(f"{name}: the book has {money(balance)}, the ledger {money(found)}")
            final[book] = balance
            done += 1
            step = next(steps, None)
    text = [f"{done - len(wrong)} of {len(importer.steps)} running balances are those of the books", *wrong, ""]
    balances = [(n, final[n], recount.balance[n] - recount.lent[importer.lender(n)]) for n in sorted(final)]
    everything = ("all", sum(final.values()), sum(recount.balance.values()) - sum(recount.lent.values()))
    first, good = entering.compare("final balance", [*balances, everything])
    second, agree = entering.compare("category", [(name, oracle[name], totals[name]) for name in oracle])
    return [*text, *first, "", *second], good and agree and not wrong and step is None


def _categorise(entry: Line, recount: entering.Recount, totals: Counter[str]) -> None:
    """Add an entry to the categories that its reference names; what is lent and repaid is in none."""
    kind, amount = entry["record"], cents(entry.get("amount", "0"))
    if kind == "account" or kind == "refund" or entry.get("source") == entering.ADVANCE:
        return
    found = _CATEGORY.findall((recount.origin(entry) if kind == "reversal" else entry)["reference"])
    totals[found[0]] += amount if kind in ("donation", "reversal") else -amount
    if kind == "disbursement":
        totals[found[1]] += amount


def load(folder: Path) -> tuple[Importer, dict[str, int]]:
    """Read the books of a folder and map them; return the oracle beside."""
    importer = Importer(secrets.token_hex(16))
    with entering.reading(folder, KIND):
        books, oracle = read_books(folder, importer.tally)
    importer.run(books, oracle)
    return importer, oracle


def main() -> int:
    """Make the ledger and print the reconciliation; return 1 if books and ledger differ."""
    asked = entering.arguments("Eight cash books as one ledger.")
    importer, oracle = load(asked.path)
    entering.say(importer.tally, len(importer.lines), all_remarks=asked.remarks)
    with entering.enter(importer.lines, asked.ledger, ORIGIN, asked.keys) as ledger:
        entering.Recount.of(ledger)
        text, good = reconcile(importer, oracle, export_journal(ledger))
    print("", *text, "", "Books and ledger agree to the cent." if good else "BOOKS AND LEDGER DIFFER.", sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(entering.run(main))
