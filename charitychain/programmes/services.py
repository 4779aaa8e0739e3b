"""Services for people: insurance cover or training, bought for each person, whom the ledger does not name.

The table of services is CSV, ``person,date,service,price``: `person` a pseudonym of 32 hexadecimal digits, `date` a
whole day, `price` in major units. The rows of one service and one day become one expenditure, and each of these one
outcome that says how many people it reached.

Rules upheld here:

- No pseudonym enters the ledger: the expenditure's evidence is the SHA-256 of a salted list of the people
  (`charitychain.programmes.people`).
- The ids of records come from the account, the payee, the service and the day. So a table is recorded once, one that
  has grown by other days adds these, and one that tells of other people for a day that was paid is refused and not paid
  again. Services and payees that differ in case or white space alone are one.
- A day whose expenditure was reversed is not taken for one that is there: it is entered again as a table with a batch
  name of its own, which the ids then come from, too.
- The same person twice for one service on one day is refused.

What it leaves to others: who may spend (`charitychain.state`).

>>> Group("cover", "2026-05-01", {"0a" * 16}).counted
'1 person'
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charitychain import records
from charitychain.codec import MAX_INT, check_id, check_text, folded
from charitychain.errors import MalformedError, RefusedError
from charitychain.programmes.events import Event, bad_event, person, read_events, told
from charitychain.reading import Reader
from charitychain.records import check_date
from charitychain.units import CURRENCIES, Unit, format_amount, parse_amount

__all__ = ["Group", "read_services", "service_entries"]

_COLUMNS = ("person", "date", "service", "price")


@dataclass(slots=True)
class Group:
    """One service on one day: who got it, and what it cost in smallest units."""

    service: str
    date: str
    people: set[str] = field(default_factory=set)
    amount: int = 0

    @property
    def counted(self) -> str:
        """How many people, in words."""
        return "1 person" if len(self.people) == 1 else f"{len(self.people)} people"


def read_services(path: Path, unit: Unit) -> list[Group]:
    """Return the groups of a table by service and day, in that order; a service is called as in its first row.

    Raises:
        MalformedError: naming the line.
    """
    found: dict[tuple[str, str], Group] = {}
    for event in read_events(path, required=_COLUMNS):
        who, service, date = person(path, event, "person"), _service(path, event), event.fields["date"]
        told(path, event.line, check_date, date)
        if len(date) != len("YYYY-MM-DD"):
            raise bad_event(path, event.line, f"date must be a whole day, such as 2026-05-01, found {date!r:.60}")
        price = told(path, event.line, lambda text: parse_amount(text, unit), event.fields["price"])
        group = found.setdefault((folded(service), date), Group(service, date))
        if who in group.people:
            raise bad_event(path, event.line, f"this person stands there twice for {service!r:.60} on {date}")
        group.people.add(who)
        group.amount += price
        if group.amount > MAX_INT:
            raise bad_event(path, event.line, f"{service!r:.60} on {date} cost more than any account can hold")
    return [found[key] for key in sorted(found)]


def _service(path: Path, event: Event) -> str:
    service = event.fields["service"]
    if not service.strip():
        raise bad_event(path, event.line, "the service is empty")
    if service != service.strip():
        raise bad_event(path, event.line, f"the service begins or ends with white space: {service!r:.60}")
    return told(path, event.line, lambda text: check_text(text, what="service"), service)


def service_entries(
    reader: Reader, groups: Iterable[Group], *, account: str, payee: str, list_of: Callable[[str, set[str]], bytes],
    batch: str | None = None, indicator: str = "people reached", place: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the journal entries: for each service and day an expenditure, and then its outcome.

    Args:
        payee: Who was paid: the insurer, the school.
        list_of: Gives the list of an expenditure, by its id and its people; its SHA-256 is the evidence. It is
            `charitychain.programmes.people.PeopleFolder.list_of`, or `charitychain.programmes.people.people_list` with
            a salt of one's own.
        batch: Name of a further table of days that were entered before.
        indicator: What the outcomes count.
        place: Where.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``. ``CC-UNIT``: the account is not in money. ``CC-DUPLICATE-ID``: a day is
            recorded with another list of people, or was recorded and reversed.
        MalformedError: ``CC-TEXT``: the payee begins or ends with white space. ``CC-ID``: the batch has no form.
    """
    unit = reader.unit_of(reader.state.account_named(account))
    if unit.code not in CURRENCIES:
        raise RefusedError("CC-UNIT", f"account {account!r} is in {unit.code}, and services are paid in money")
    if payee != payee.strip() or not payee:
        raise MalformedError("CC-TEXT", f"the payee is empty, or begins or ends with white space: {payee!r:.60}")
    if batch is not None:
        check_id(batch, what="the batch")
    entries: list[dict[str, Any]] = []
    for group in groups:
        of = (account, folded(payee), folded(group.service), group.date, *([batch] if batch is not None else []))
        digest = hashlib.sha256(chr(0).join(of).encode()).hexdigest()[:16]
        paid, count = f"X-{digest}", len(group.people)
        evidence = hashlib.sha256(list_of(paid, group.people)).hexdigest()
        _check_known(reader, paid, group, evidence)
        entries.append({
            "record": "expenditure", "id": paid, "from": account, "amount": format_amount(group.amount, unit),
            "payee": payee, "purpose": group.service, "date": group.date,
            "reference": group.counted + (f", batch {batch}" if batch is not None else ""), "evidence": [evidence],
        })  # fmt: skip
        entries.append({
            "record": "outcome", "id": f"O-{digest}", "account": account, "indicator": indicator, "quantity": count,
            "of": [paid], "beneficiaries": count, "date": group.date,
            **({"place": place} if place is not None else {}),
        })  # fmt: skip
    return entries


def _check_known(reader: Reader, id_: str, group: Group, evidence: str) -> None:
    """Check that a day which the ledger holds already still stands, and is that of these people."""
    row = reader.index.find_id(id_)
    record = reader.record(row.place) if row is not None else None
    if row is None or not isinstance(record, records.Expenditure):
        return
    what = f"{group.service!r:.60} on {group.date} was recorded already, as {id_}"
    if reader.state.reversed_of(id_) >= row.amount:
        raise RefusedError(
            "CC-DUPLICATE-ID",
            f"{what}, and was reversed: leave this day out, and enter what is right for it as a table of its own with a"
            " new batch name (--batch)",
            id=id_,
        )
    if bytes.fromhex(evidence) not in record.evidence:
        raise RefusedError(
            "CC-DUPLICATE-ID",
            f"{what}, with another list of people: the table was changed since, or this is not the folder that its list"
            " was written to",
            id=id_,
        )
