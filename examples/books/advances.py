"""Money laid out by somebody before the money came: the part of bookkeeping that an append-only tape finds hardest.

In the old book a person pays a bill of 33.92 in January and gets 33.92 from the bank in April. No account may give what
it does not hold, and yet three things have to be true: in January the bill is paid, and by that person; in April she
has her money back; and from then on a donor's trace ends in *that bill*, not in "repaid to somebody".

`Accounts` writes it so:

- the bill comes in: a gift of source ``advance`` by the person, and an expenditure that names it;
- she is repaid: the expenditure is reversed (the units of her gift come back), the same bill is entered again out of
  the account that pays now, with its own date and `replaces`, and her gift is refunded. Oldest bills come first.

So spending stands in the ledger when it happened; at every moment `balance - lent` of an account is what the old book
says; who laid out money has a gift that ends in a refund; and whoever really paid is found behind the bill. What is
never repaid remains visible as what it is: spending that a person, not a donor, has paid.

An advance may also lie in an account before it is used (a person pays cash into the bank, or repays another person),
and an account may hold money of the charity that lies with a person (she was paid too much). Both are only units that
rest: `Accounts` keeps for each account the stretches of its tape, lent and own, in the order in which fifo takes them.

>>> accounts = Accounts()
>>> bill = Bill("1", "Lyft", "travel")
>>> accounts.spend("ann", 500, bill, lender="ann")
>>> accounts.give("bank", 900, "2", source="cash")
'D-2'
>>> accounts.repay("bank", "ann", 500, "3")
>>> [line["record"] for line in accounts.lines]
['donation', 'expenditure', 'donation', 'reversal', 'expenditure', 'refund']
>>> accounts.owed("ann"), accounts.held("bank")
(0, 400)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from entering import ADVANCE, Line, money


@dataclass(frozen=True, slots=True)
class Bill:
    """What an expenditure says, whoever pays it; `row` is the row of the old book."""

    row: str
    payee: str
    purpose: str
    date: str | None = None
    reference: str | None = None
    category: str | None = None


@dataclass(eq=False, slots=True)
class Loan:
    """A part of an advance that was not repaid yet: it rests in `account`, or has left it as `payment`."""

    lender: str
    advance: str
    amount: int
    account: str
    payment: Payment | None = None


@dataclass(eq=False, slots=True)
class Payment:
    """An expenditure record of which `amount` stands; `loan` says who really paid it, if that is a person."""

    id: str
    account: str
    amount: int
    bill: Bill
    loan: Loan | None = None


@dataclass(eq=False, slots=True)
class Stretch:
    """Units on an account's tape: lent, or its own; `by` is the disbursement that laid them, and from where."""

    amount: int
    loan: Loan | None = None
    by: tuple[str, str] | None = None


class Accounts:
    """Writes journal lines, and follows what is lent. All amounts are cents; every account is fifo.

    Args:
        donor: Gives the pseudonym of a lender.
    """

    def __init__(self, donor: Callable[[str], str] | None = None) -> None:
        self.lines: list[Line] = []
        self.payments: dict[str, list[Payment]] = defaultdict(list)
        """The standing payments of each row."""
        self._tapes: dict[str, list[Stretch]] = defaultdict(list)
        self._loans: dict[str, list[Loan]] = defaultdict(list)
        self._used: Counter[str] = Counter()
        self._donor = donor

    # ------------------------------------------------------------------------------------------- questions

    def held(self, account: str) -> int:
        """Return what an account holds."""
        return sum(stretch.amount for stretch in self._tapes[account])

    def owed(self, lender: str) -> int:
        """Return what a person laid out and was not repaid."""
        return sum(loan.amount for loan in self._loans[lender])

    # ---------------------------------------------------------------------------------------------- entries

    def open(self, account: str, unit: str, title: str) -> None:
        """Open an account."""
        self.lines.append({"record": "account", "id": account, "unit": unit, "title": title})

    def give(self, account: str, amount: int, row: str, *, source: str, **fields: Any) -> str:
        """Enter a gift and return its id."""
        id_ = self._id("D", row)
        self._write("donation", id_, account=account, amount=amount, source=source, **fields)
        self._tapes[account].append(Stretch(amount))
        return id_

    def lend(self, account: str, amount: int, row: str, lender: str, **fields: Any) -> Loan:
        """Enter money that a person puts into an account and expects back."""
        id_ = self._id("A", row)
        donor = self._donor(lender) if self._donor is not None else None
        self._write("donation", id_, account=account, amount=amount, source=ADVANCE, donor=donor, **fields)
        loan = Loan(lender, id_, amount, account)
        self._loans[lender].append(loan)
        self._tapes[account].append(Stretch(amount, loan))
        return loan

    def spend(self, account: str, amount: int, bill: Bill, *, lender: str | None = None) -> None:
        """Pay a bill out of an account; what the account does not hold is lent by `lender`."""
        missing = amount - self.held(account)
        if lender is not None and missing > 0:
            if amount > missing:
                self._pay(account, amount - missing, bill)
            self.lend(account, missing, bill.row, lender, date=bill.date, reference=bill.reference)
            amount = missing
        self._pay(account, amount, bill)

    def move(self, source: str, target: str, amount: int, row: str, **fields: Any) -> None:
        """Move money between accounts; what is lent goes on being lent."""
        for loan, part in self._take(source, amount):
            id_ = self._id("M", row)
            self._write(
                "disbursement", id_, source=source, to=target, amount=part, gift=loan and loan.advance, **fields
            )
            if loan is not None:
                loan.account = target
            self._tapes[target].append(Stretch(part, loan, (id_, source)))

    def give_back(self, holder: str, target: str, amount: int, row: str, **fields: Any) -> int:
        """Move back what `holder` was paid too much, and return how much that was.

        Where it goes back to the account that it came from, the disbursement is reversed: it never should have been.
        """
        rest = amount
        while rest and self._tapes[holder]:
            first = self._tapes[holder][0]
            part = min(rest, first.amount)
            if first.loan is None and first.by is not None and first.by[1] == target:
                self._take(holder, part)
                self._write("reversal", self._id("U", row), reverses=first.by[0], amount=part, **fields)
                self._tapes[target].append(Stretch(part))
            else:
                self.move(holder, target, part, row, **{k: v for k, v in fields.items() if k != "reason"})
            rest -= part
        return amount - rest

    def refund(self, gift: str, account: str, amount: int, row: str, *, mistaken: bool = False, **fields: Any) -> None:
        """Give back a part of a gift that still lies in its account; `mistaken`: it was no gift in the first place."""
        if mistaken:
            self._write("reversal", self._id("U", row), reverses=gift, amount=amount, **fields)
        else:
            self._write("refund", self._id("R", row), donation=gift, amount=amount, **fields)
        for stretch in reversed(self._tapes[account]):  # of which stretch does not matter: all of these are own units
            if stretch.loan is None and amount:
                part = min(amount, stretch.amount)
                stretch.amount -= part
                amount -= part
        self._tapes[account] = [stretch for stretch in self._tapes[account] if stretch.amount]

    def repay(self, source: str, lender: str, amount: int, row: str, **fields: Any) -> None:
        """Pay `amount` out of `source` to who lent it, oldest bills first; what is too much lies with the lender."""
        rest = amount
        while rest and self._loans[lender]:
            loan = self._loans[lender][0]
            self._split(loan, min(rest, loan.amount))
            rest -= loan.amount
            self._settle(loan, source, row, fields)
        if rest:
            self.move(source, lender, rest, row, **fields)

    def undo(self, payment: Payment, amount: int, row: str, reason: str, **fields: Any) -> None:
        """Reverse a payment wholly or in part: the money is back in the account that paid, or its lender has it."""
        loan = payment.loan
        if loan is not None:
            self._split(loan, amount)
            self._loans[loan.lender].remove(loan)
            self._reverse(payment, amount, row, reason, fields)
            self._write(
                "refund", self._id("R", row), donation=loan.advance, source=payment.account, amount=amount, **fields
            )
            return
        self._reverse(payment, amount, row, reason, fields)
        self._tapes[payment.account].append(Stretch(amount))

    # ----------------------------------------------------------------------------------------------- inside

    def _settle(self, loan: Loan, source: str, row: str, fields: dict[str, Any]) -> None:
        self._loans[loan.lender].remove(loan)
        payment, home = loan.payment, loan.account
        if payment is None:
            if home != source:
                self.move(source, home, loan.amount, row, **fields)
            self._tapes[home] = [stretch for stretch in self._tapes[home] if stretch.loan is not loan]
        else:
            self._reverse(payment, loan.amount, row, "repaid; entered again as paid by who pays now", fields)
            self._pay(source, loan.amount, payment.bill, replaces=payment.id, row=row)
            home = payment.account
        self._write(
            "refund", self._id("R", row), donation=loan.advance, source=home, amount=loan.amount, **fields
        )

    def _reverse(self, payment: Payment, amount: int, row: str, reason: str, fields: dict[str, Any]) -> None:
        self._write("reversal", self._id("U", row), reverses=payment.id, amount=amount, reason=reason, **fields)
        payment.amount -= amount
        if not payment.amount:
            self.payments[payment.bill.row].remove(payment)

    def _pay(
        self, account: str, amount: int, bill: Bill, *, replaces: str | None = None, row: str | None = None
    ) -> None:
        for loan, part in self._take(account, amount):
            id_ = self._id("X", bill.row)
            reference = bill.reference if row is None else f"{bill.reference or bill.row}; repaid by row {row}"
            self._write(
                "expenditure", id_, source=account, amount=part, payee=bill.payee, purpose=bill.purpose,
                category=bill.category, gift=loan and loan.advance, date=bill.date, reference=reference,
                replaces=replaces,
            )  # fmt: skip
            payment = Payment(id_, account, part, bill, loan)
            if loan is not None:
                loan.payment = payment
            self.payments[bill.row].append(payment)

    def _take(self, account: str, amount: int) -> Iterator[tuple[Loan | None, int]]:
        """Take units off an account in the order of its tape; own units that follow each other are one part."""
        tape, parts = self._tapes[account], list[tuple[Loan | None, int]]()
        while amount:
            if not tape:
                raise ValueError(f"{account} lacks {money(amount)}")
            first = tape[0]
            part = min(amount, first.amount)
            if part < first.amount:
                if first.loan is not None:
                    self._split(first.loan, part)
                else:
                    tape.insert(1, replace(first, amount=first.amount - part))
                    first.amount = part
            tape.pop(0)
            amount -= part
            if first.loan is None and parts and parts[-1][0] is None:
                parts[-1] = (None, parts[-1][1] + part)
            else:
                parts.append((first.loan, part))
        return iter(parts)

    def _split(self, loan: Loan, amount: int) -> None:
        """Make `loan` as large as `amount`; the rest becomes a loan behind it."""
        rest = loan.amount - amount
        if not rest:
            return
        other = replace(loan, amount=rest)
        loan.amount = amount
        loans = self._loans[loan.lender]
        loans.insert(loans.index(loan) + 1, other)
        if loan.payment is not None:  # one record, of which two parts may be repaid at different times
            other.payment = replace(loan.payment, amount=rest, loan=other)
            loan.payment.amount = amount
            payments = self.payments[loan.payment.bill.row]
            payments.insert(payments.index(loan.payment) + 1, other.payment)
            return
        tape = self._tapes[loan.account]
        at = next(index for index, stretch in enumerate(tape) if stretch.loan is loan)
        tape.insert(at + 1, replace(tape[at], amount=rest, loan=other))
        tape[at].amount = amount

    def _id(self, letter: str, row: str) -> str:
        self._used[letter + row] += 1
        count = self._used[letter + row]
        return f"{letter}-{row}" if count == 1 else f"{letter}-{row}.{count}"

    def _write(self, record: str, id_: str, **fields: Any) -> None:
        line: Line = {"record": record, "id": id_}
        for name, value in fields.items():
            if value is not None:
                line["from" if name == "source" and record != "donation" else name] = (
                    money(value) if name == "amount" else value
                )
        self.lines.append(line)
