"""A collective's transactions on Open Collective as a ledger: gifts, the fees taken from each, refunds, returned bills.

    python examples/books/opencollective.py PATH LEDGER [--keys DIR] [--remarks]

PATH is the CSV that the platform exports (Transactions > Download CSV; 27 columns), or a folder with
``transactions.csv``. The names of backers and payees never reach the ledger: the salt of their pseudonyms is made anew
in each run and forgotten, so two runs give two sets of pseudonyms.

Rules upheld here:

- **One account**, ``collective``, rule fifo, in USD.
- **Order** by time and transaction number; within a group (a gift and the host's fee share one) gifts come first, since
  a fee cannot be taken from what has not come in.
- **Gross.** The file's amounts are net of the payment processor's fee, which has a column of its own. A gift is entered
  as the donor gave it, and the processor's fee as an expenditure that names the gift. So is the host's fee. A donor's
  trace shows her own fees, not a share in everybody's. A bill's processor fee is an expenditure beside the bill.
- **Reversed rows.** A refund gives the whole gift back: its host fee is reversed (the file says that the host returned
  it), its processor fee too (the file's "cover": the host bears it), and then the gift is refunded. A returned bill is
  a reversal of that expenditure; its processor fee comes back only where the file says so.
- **A gift by the collective** to another one is a negative contribution that reverses nothing: an expenditure.
- **An added fund** is a gift without a payer's processor; source ``added-funds``.
- What is none of this, a zero, another currency or a fraction of a cent is reported and not entered.

>>> rows = [{"Effective Date & Time": "2026-01-02T03:04:05", "Transaction ID": "7", "Kind": "CONTRIBUTION",
...     "Amount Single Column": "9.01", "Payment Processor Fee": "-0.99", "Currency": "USD", "Group ID": "g",
...     "Opposite Account Handle": "ada"}]
>>> [(line["id"], line["amount"]) for line in Importer("salt").run(rows).lines[1:]]
[('D-7', '10.00'), ('X-7.fee', '0.99')]
"""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import entering
from entering import Line, Tally, cents, money

ORIGIN = "opencollective.example"
ACCOUNT = "collective"
UNIT = "USD"
HOST_FEE = "host fee"
PROCESSOR_FEE = "payment processor fee"
COLUMNS = (
    "Effective Date & Time", "Transaction ID", "Kind", "Amount Single Column", "Payment Processor Fee", "Currency",
    "Group ID", "Opposite Account Handle",
)  # fmt: skip
SOURCES = {"CONTRIBUTION": "contribution", "ADDED_FUNDS": "added-funds"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file; `amount` is net of `fee`, the payment processor's; both cents, a fee paid is negative."""

    id: str
    at: str
    kind: str
    amount: int
    fee: int
    group: str
    party: str
    reverses: bool
    undone: str
    description: str

    @property
    def name(self) -> str:
        return f"transaction {self.id}"

    @property
    def order(self) -> tuple[str, int]:
        return self.at, int(self.id)


class Importer:
    """Turns rows into journal lines; `lines` and `tally` are the outcome.

    Args:
        salt: Makes the pseudonyms of this run.
    """

    def __init__(self, salt: str) -> None:
        self.tally = Tally()
        self.lines: list[Line] = []
        self._salt = salt
        self._rows: dict[str, Row] = {}
        self._gifts: dict[str, str] = {}
        """The gift of each group."""

    def run(self, rows: Iterable[Mapping[str, str]]) -> Importer:
        """Map all rows."""
        parsed = sorted((row for row in map(self._parse, rows) if row is not None), key=lambda row: row.order)
        self.lines.append({"record": "account", "id": ACCOUNT, "unit": UNIT, "title": "the collective's balance"})
        self._rows = {row.id: row for row in parsed}
        groups: dict[str, list[Row]] = {}
        for row in parsed:
            groups.setdefault(row.group, []).append(row)
        for group in groups.values():
            refunded = next((row for row in group if row.reverses and row.kind != "HOST_FEE" and row.undone), None)
            for row in sorted(group, key=lambda row: (_turn(row), row.order)):
                fault = self._enter(row, refunded)
                if fault is None:
                    self.tally.mapped.add(row.name)
                else:
                    self.tally.unmapped[row.name] = fault
        return self

    def _parse(self, row: Mapping[str, str]) -> Row | None:
        name = f"transaction {row['Transaction ID']}"
        self.tally.read.append(name)
        try:
            amount, fee = cents(row["Amount Single Column"]), cents(row["Payment Processor Fee"] or "0")
            tax = cents(row.get("Tax Amount") or "0")
        except ValueError as error:
            self.tally.unmapped[name] = str(error)
            return None
        if row["Currency"] != UNIT or tax or not amount:
            self.tally.unmapped[name] = f"amount {money(amount)} {row['Currency']}, tax {money(tax)}: not handled here"
            return None
        return Row(
            row["Transaction ID"], row["Effective Date & Time"], row["Kind"], amount, fee, row["Group ID"],
            row["Opposite Account Handle"], row.get("Is Reverse") == "REVERSE", row.get("Reverse Transaction ID", ""),
            row.get("Accounting Category Name") or row.get("Expense Type") or "",
        )  # fmt: skip

    def _enter(self, row: Row, refunded: Row | None) -> str | None:
        """Write the records of one row; return why that cannot be done, if it cannot."""
        match row.kind, row.amount > 0, row.reverses:
            case ("CONTRIBUTION" | "ADDED_FUNDS"), True, False:
                self._gift(row)
            case "HOST_FEE", False, False:
                gift = self._gifts.get(row.group)
                if gift is None:
                    return "its group has no gift from which this fee was taken"
                self._spend(f"X-{row.id}", row, -row.amount, HOST_FEE, self._short(row.party), gift=gift)
            case "EXPENSE", False, False:
                self._spend(f"X-{row.id}", row, -row.amount + row.fee, row.description or "not stated",
                            self._short(row.party))  # fmt: skip
                self._processor(row, None)
            case "CONTRIBUTION", False, False:
                self.tally.remark(row.name, "a contribution by the collective itself: entered as an expenditure")
                self._spend(f"X-{row.id}", row, -row.amount, "contribution to another collective",
                            self._short(row.party))  # fmt: skip
            case "HOST_FEE", True, True:
                return self._undo(row, f"X-{row.undone}", row.amount, "the host returned its fee")
            case "EXPENSE", True, True:
                fault = self._undo(row, f"X-{row.undone}", row.amount - max(row.fee, 0), "returned")
                if fault is None and row.fee > 0:
                    fault = self._undo(row, f"X-{row.undone}.fee", row.fee, "returned")
                return fault
            case "PAYMENT_PROCESSOR_COVER", True, True if refunded is not None:
                return self._undo(row, f"X-{refunded.undone}.fee", row.amount, "the host bears this fee")
            case "CONTRIBUTION", False, True:
                return self._refund(row)
            case kind:
                return f"no record for {kind}"
        return None

    def _gift(self, row: Row) -> None:
        gift = f"D-{row.id}"
        self._gifts[row.group] = gift
        self._write(
            "donation", gift, row, account=ACCOUNT, amount=row.amount - row.fee, source=SOURCES[row.kind],
            donor=entering.donor(self._salt, row.party),
        )  # fmt: skip
        self._processor(row, gift)

    def _processor(self, row: Row, gift: str | None) -> None:
        if row.fee < 0:
            self._spend(f"X-{row.id}.fee", row, -row.fee, PROCESSOR_FEE, "payment processor", gift=gift)

    def _spend(self, id_: str, row: Row, amount: int, purpose: str, payee: str, *, gift: str | None = None) -> None:
        category = "administration" if purpose in (HOST_FEE, PROCESSOR_FEE) else None
        self._write(
            "expenditure", id_, row, source=ACCOUNT, amount=amount, payee=payee, purpose=purpose, category=category,
            gift=gift,
        )  # fmt: skip

    def _undo(self, row: Row, reverses: str, amount: int, reason: str) -> str | None:
        undone = next((line for line in self.lines if line["id"] == reverses), None)
        if undone is None or cents(undone["amount"]) < amount:
            return f"there is no expenditure {reverses} of {money(amount)} or more that it could reverse"
        count = "" if not reverses.endswith(".fee") or row.kind == "PAYMENT_PROCESSOR_COVER" else ".fee"
        self._write("reversal", f"U-{row.id}{count}", row, reverses=reverses, amount=amount, reason=reason)
        return None

    def _refund(self, row: Row) -> str | None:
        given = self._rows.get(row.undone)
        if given is None or given.amount - given.fee != -row.amount:
            return "it does not refund the whole of a gift that is in the file"
        self._write("refund", f"R-{row.id}", row, donation=f"D-{given.id}", amount=-row.amount)
        return None

    def _short(self, handle: str) -> str:
        return entering.short(self._salt, handle, "payee")

    def _write(self, record: str, id_: str, row: Row, **fields: Any) -> None:
        line: Line = {"record": record, "id": id_}
        for name, value in fields.items():
            if value is not None:
                key = "from" if name == "source" and record == "expenditure" else name
                line[key] = money(value) if name == "amount" else value
        self.lines.append(line | {"date": row.at[:10], "reference": f"{row.name}, {row.kind}"})


def _turn(row: Row) -> int:
    """Within a group gifts come first, and a refund last, when the fees are back."""
    if row.kind in SOURCES:
        return 0 if row.amount > 0 else 2
    return 1


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the export; `path` is the file, or its folder.

    Raises:
        BookError: there is no such file, or it is no such export.
    """
    with entering.reading(path, "a table of transactions as Open Collective exports it"):
        return entering.table(path / "transactions.csv" if path.is_dir() else path, COLUMNS)


def reconcile(rows: Iterable[Mapping[str, str]], recount: entering.Recount) -> tuple[list[str], bool]:
    """Hold the ledger against the file: what each kind of row adds up to, and the balance."""
    book: Counter[str] = Counter()
    for row in rows:
        sign = "credit" if not row["Amount Single Column"].startswith("-") else "debit"
        book[f"{row['Kind']} {sign}"] += cents(row["Amount Single Column"])
    ledger: Counter[str] = Counter()
    for entry in recount.entries.values():
        kind, amount = entry["reference"].partition(", ")[2], cents(entry["amount"])
        inflow = entry["record"] in ("donation", "reversal")
        # A gift's processor fee is taken off the gift, and a bill's is put on the bill, as the file does it.
        off_gift = kind in SOURCES and entry.get("purpose") == PROCESSOR_FEE
        ledger[f"{kind} {'credit' if inflow or off_gift else 'debit'}"] += amount if inflow else -amount
    names = sorted(book.keys() | ledger.keys())
    balance = ("final balance", sum(book.values()), recount.balance[ACCOUNT])
    return entering.compare("kind of row", [*((name, book[name], ledger[name]) for name in names), balance])


def main() -> int:
    """Make the ledger and print the reconciliation; return 1 if file and ledger differ."""
    asked = entering.arguments("A collective's transactions on Open Collective as a ledger.")
    rows = read_rows(asked.path)
    importer = Importer(secrets.token_hex(16)).run(rows)
    entering.say(importer.tally, len(importer.lines), all_remarks=asked.remarks)
    with entering.enter(importer.lines, asked.ledger, ORIGIN, asked.keys) as ledger:
        text, good = reconcile(rows, entering.Recount.of(ledger))
    print("", *text, "", "File and ledger agree to the cent." if good else "FILE AND LEDGER DIFFER.", sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(entering.run(main))
