"""Services for people: insurance cover or training, bought for each person, whom the ledger does not name.

The table of services is CSV, ``person,date,service,price``: `person` a pseudonym of 32 hexadecimal digits, `price` in
major units. The rows of one service and one day become one expenditure, and each service one outcome that says how many
people it reached.

Rules upheld here:

- No pseudonym enters the ledger: the expenditure's evidence is the SHA-256 of the list of people, which is every
  pseudonym in lower case in rising order, each followed by a line feed. Whoever holds the table can check it.
- The ids of records come from the account, the service and the day. So a table is recorded once, one that has grown by
  other days adds these, and one that tells of other people for a day that was paid is refused and not paid again.
- The same person twice for one service on one day is refused.

What it leaves to others: who may spend (`charitychain.state`).

>>> canonical(["0B" * 16, "0a" * 16]).split()[0][:4]
b'0a0a'
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charitychain.codec import MAX_INT, check_text
from charitychain.errors import RefusedError
from charitychain.programmes.events import bad_event, person, read_events, told
from charitychain.records import check_date
from charitychain.units import CURRENCIES, Unit, format_amount, parse_amount

__all__ = ["Group", "canonical", "read_services", "service_entries"]

_COLUMNS = ("person", "date", "service", "price")


@dataclass(slots=True)
class Group:
    """One service on one day: who got it, and what it cost in smallest units."""

    service: str
    date: str
    people: set[str] = field(default_factory=set)
    amount: int = 0


def canonical(people: Iterable[str]) -> bytes:
    """Return the list of people whose SHA-256 is the evidence: rising, in lower case, a line feed after each."""
    return "".join(f"{name}\n" for name in sorted({name.lower() for name in people})).encode("ascii")


def read_services(path: Path, unit: Unit) -> list[Group]:
    """Return the groups of a table by service and day, in that order.

    Raises:
        MalformedError: naming the line.
    """
    found: dict[tuple[str, str], Group] = {}
    for event in read_events(path, required=_COLUMNS):
        who, service, date = person(path, event, "person"), event.fields["service"], event.fields["date"]
        if not service.strip():
            raise bad_event(path, event.line, "the service is empty")
        told(path, event.line, lambda text: check_text(text, what="service"), service)
        told(path, event.line, check_date, date)
        price = told(path, event.line, lambda text: parse_amount(text, unit), event.fields["price"])
        group = found.setdefault((service, date), Group(service, date))
        if who in group.people:
            raise bad_event(path, event.line, f"this person stands there twice for {service!r:.60} on {date}")
        group.people.add(who)
        group.amount += price
        if group.amount > MAX_INT:
            raise bad_event(path, event.line, f"{service!r:.60} on {date} cost more than any account can hold")
    return [found[key] for key in sorted(found)]


def service_entries(
    groups: list[Group], unit: Unit, *, account: str, payee: str, indicator: str = "people covered"
) -> list[dict[str, Any]]:
    """Return the journal entries: for each service and day an expenditure, and then its outcome.

    Args:
        payee: Who was paid: the insurer, the school.
        indicator: What the outcome counts.

    Raises:
        RefusedError: ``CC-UNIT``: the account is not in money.
    """
    if unit.code not in CURRENCIES:
        raise RefusedError("CC-UNIT", f"account {account!r} is in {unit.code}, and services are paid in money")
    entries: list[dict[str, Any]] = []
    for group in groups:
        listed, count = canonical(group.people), len(group.people)
        paid = _id("X", account, group.service, group.date)
        entries.append({
            "record": "expenditure", "id": paid, "from": account, "amount": format_amount(group.amount, unit),
            "payee": payee, "purpose": group.service, "date": group.date, "reference": f"{count} people",
            "evidence": [hashlib.sha256(listed).hexdigest()],
        })  # fmt: skip
        entries.append({
            "record": "outcome", "id": _id("O", account, group.service, group.date), "account": account,
            "indicator": indicator, "quantity": count, "of": [paid], "beneficiaries": count, "date": group.date,
        })  # fmt: skip
    return entries


def _id(letter: str, *parts: str) -> str:
    return f"{letter}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"
