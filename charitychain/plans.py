"""Plans and pledges: what was meant against what was done.

A plan is a budget of an account, line by line; expenditures and conversions name the line that they use. A pledge is
announced, and gifts that name it fulfil it. Neither moves anything, so both are read against what was recorded later.

Rules upheld here:

- What was spent counts net of reversals. So does what a pledge brought: a gift that was entered wrongly and reversed
  fulfils nothing.
- What is announced is never counted as received.
- A plan that replaces another takes over what named a line of the same name there, and of the plans before it.
- Amounts of different units are never added: what was paid in another unit than the plan's stands apart.
- Every amount was read from its block, under its author's checked signature, and what of it was reversed from sums that
  the head commits to. That the index left out a record can only be seen by `charitychain.verify`.

>>> share(1234, 10000), share(3, 1), share(1, 3)
('12.34', '300.00', '33.33')
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from charitychain import records
from charitychain.answers import Money
from charitychain.basis import Basis, Records
from charitychain.errors import NotFoundError, VerificationError
from charitychain.reading import Reader
from charitychain.records import Place
from charitychain.state.accounts import AccountState, Summary
from charitychain.state.lookup import Link
from charitychain.state.movements import Kind, Ref
from charitychain.units import Unit, format_amount

__all__ = ["Against", "LineAgainst", "LineUse", "Pledged", "compare_plan", "list_plans", "list_pledges", "share"]


def share(part: int, whole: int) -> str:
    """Return a part as percent of a whole with two decimals, rounded down."""
    hundredths = part * 10_000 // whole
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _signed(amount: int, unit: Unit) -> str:
    return f"{'-' if amount < 0 else ''}{format_amount(abs(amount), unit)}"


@dataclass(frozen=True, slots=True)
class LineUse:
    """An expenditure or conversion that named a line; `money` is net of reversals. `line` is ``PLAN/LINE``."""

    id: str
    record: str
    account: str
    money: Money
    date: str
    line: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id, "record": self.record, "account": self.account, "amount": str(self.money),
            "unit": self.money.code, "date": self.date, "line": self.line,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineAgainst:
    """One line of a plan: planned is quantity × price; `uses` say what it came to."""

    line: str
    kind: str
    what: str
    quantity: int
    price: Money
    uses: tuple[LineUse, ...]

    @property
    def planned(self) -> Money:
        return Money(self.quantity * self.price.amount, self.price.unit)

    @property
    def actual(self) -> Money:
        """Return what was paid in the plan's unit."""
        unit = self.price.unit
        return Money(sum(use.money.amount for use in self.uses if use.money.unit == unit), unit)

    def to_dict(self) -> dict[str, Any]:
        found = {
            "line": self.line, "kind": self.kind, "what": self.what, "quantity": self.quantity,
            "price": str(self.price), **_compared(self.planned, self.actual),
        }  # fmt: skip
        return found | {"uses": [use.to_dict() for use in self.uses]}


@dataclass(frozen=True, slots=True)
class Against:
    """A plan against what was spent. `outside` is what its account spent, net of reversals, without naming a line."""

    plan: str
    title: str | None
    account: str
    unit: Unit
    date: str
    replaces: str | None
    replaced_by: tuple[str, ...]
    lines: tuple[LineAgainst, ...]
    outside: Money | None
    ledger: dict[str, Any]

    @property
    def percent(self) -> str:
        """Return how much of what was planned was spent, as `share` does."""
        return share(self.actual.amount, self.planned.amount)

    @property
    def planned(self) -> Money:
        return Money(sum(line.planned.amount for line in self.lines), self.unit)

    @property
    def actual(self) -> Money:
        return Money(sum(line.actual.amount for line in self.lines), self.unit)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as a JSON object; amounts are decimal strings, `difference` is planned less actual."""
        found: dict[str, Any] = {
            "plan": self.plan, "title": self.title, "account": self.account, "unit": self.unit.code,
            "date": self.date, "replaces": self.replaces, "replaced_by": list(self.replaced_by) or None,
            "lines": [line.to_dict() for line in self.lines], **_compared(self.planned, self.actual),
            "outside": None if self.outside is None else str(self.outside), "ledger": self.ledger,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


def _compared(planned: Money, actual: Money) -> dict[str, str]:
    return {
        "planned": str(planned), "actual": str(actual),
        "difference": _signed(planned.amount - actual.amount, planned.unit),
        "percent": share(actual.amount, planned.amount),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pledged:
    """A pledge: what was announced, what of that was taken back, and what gifts that name it brought, all of one unit.

    `open` is what is still awaited: nothing where more came than was announced.
    """

    id: str
    account: str
    pledger: str | None
    due: str | None
    date: str
    announced: Money
    reversed: Money
    fulfilled: Money

    @property
    def open(self) -> Money:
        rest = self.announced.amount - self.reversed.amount - self.fulfilled.amount
        return Money(max(rest, 0), self.announced.unit)


def compare_plan(reader: Reader, plan: str, *, outside: bool = True) -> Against:
    """Compare a plan with what named its lines.

    Args:
        outside: Say what the account spent beside them as well; that takes one step for each outflow of the account.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``: this ledger has no such plan.
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    known = Records(reader)
    record, place = _plan(known, plan)
    account = reader.state.accounts[record.account]
    unit = reader.unit_of(account)
    chain = tuple(_chain(known, record))
    lines, met = [], dict[Ref, int]()
    for name, kind, what, quantity, price in record.lines:
        uses = [use for one in reversed(chain) for use in _uses(known, f"{one}/{name}", met)]
        lines.append(LineAgainst(name, kind, what, quantity, Money(price, unit), tuple(uses)))
    if outside:  # lines that a later plan dropped are outside of it no more than its own: somebody planned them
        for one in chain[1:]:
            for dropped in _plan(known, one)[0].lines:
                if dropped[0] not in {line.line for line in lines}:
                    list(_uses(known, f"{one}/{dropped[0]}", met))
    return Against(
        plan=record.id,
        title=record.title,
        account=account.id,
        unit=unit,
        date=known.date(place),
        replaces=record.replaces,
        replaced_by=tuple(_replaced_by(known, plan)),
        lines=tuple(lines),
        outside=Money(_spent(reader, account, met), unit) if outside else None,
        ledger=reader.facts(),
    )


def list_plans(reader: Reader) -> Iterator[Against]:
    """Yield every plan of the ledger, in ledger order, without what was spent outside of its lines."""
    places = {place: about.partition("/")[0] for about, place in reader.index.linked(Link.PLANNED)}
    for _, plan in sorted(places.items()):
        yield compare_plan(reader, plan, outside=False)


def _plan(known: Records, id_: str) -> tuple[records.Plan, Place]:
    row = known.basis.find_id(id_)
    record = known.get(row.place) if row is not None and row.kind == records.Plan.KIND else None
    if row is None or record is None:
        raise NotFoundError("CC-UNKNOWN-ID", f"this ledger holds no plan {id_!r}", id=id_)
    if not isinstance(record, records.Plan) or record.id != id_:
        raise _unfit(id_)
    known.author(row.place)
    return record, row.place


def _chain(known: Records, record: records.Plan) -> Iterator[str]:
    """Yield the ids of a plan and of those that it replaces, one after the other."""
    yield record.id
    seen = {record.id}
    while record.replaces is not None and record.replaces not in seen:
        seen.add(record.replaces)
        record = _plan(known, record.replaces)[0]
        yield record.id


def _replaced_by(known: Records, plan: str) -> Iterator[str]:
    for place in known.basis.links(plan, Link.REPLACED):
        record = known.get(place)
        if isinstance(record, records.Plan) and record.replaces == plan:
            known.author(place)
            yield record.id


def _uses(known: Records, line: str, met: dict[Ref, int]) -> Iterator[LineUse]:
    """Yield what named a line; `met` gets what of each expenditure stands."""
    for place in known.basis.links(line, Link.BOUGHT):
        record = known.get(place)
        if not isinstance(record, records.Expenditure | records.Conversion) or record.line != line:
            raise _unfit(line)
        known.author(place)
        account = known.basis.accounts[record.account]
        ref, left = _standing(known.basis, record, place, account)
        if isinstance(record, records.Expenditure):
            met[ref] = left
        if left:
            money = Money(left, known.basis.unit_of(account))
            yield LineUse(record.id, record.NAME, account.id, money, known.date(place), line)


def _standing(
    basis: Basis, record: records.Expenditure | records.Conversion, place: Place, account: Summary
) -> tuple[Ref, int]:
    """Return the movement of an outflow, and what of it was not reversed."""
    row = basis.find_id(record.id)
    if row is None or row.movement is None or (row.place, row.account) != (place, account.number):
        raise _unfit(record.id)
    movement = basis.movement(account.number, row.movement)
    basis.check_movement(movement)
    if (movement.place, movement.amount) != (place, record.amount):
        raise _unfit(record.id)
    undone = account.reversed.find(row.movement)
    return (account.number, row.movement), record.amount - (undone.sum if undone else 0)


def _spent(reader: Reader, account: AccountState, met: dict[Ref, int]) -> int:
    """Return what an account spent, net of reversals, beside the expenditures that were met already."""
    spent = left = 0
    for outflow in reader.index.outflows(account.number, -1):
        if outflow.rule_before + outflow.named_before != left:  # outflows tile what left: none can be missing unseen
            raise _unfit(account.id)
        left += outflow.amount
        if outflow.kind == Kind.SPENT:
            spent += outflow.amount
        reader.check_movement(outflow)
    if left != account.rule_sum + account.named:
        raise _unfit(account.id)
    return spent - account.back - sum(amount for (number, _), amount in met.items() if number == account.number)


# --------------------------------------------------------------------------------------------------- pledges


def list_pledges(reader: Reader) -> Iterator[Pledged]:
    """Yield every pledge of the ledger, in ledger order.

    Raises:
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    known = Records(reader)
    sql = "SELECT id FROM ids WHERE kind = ? ORDER BY height, statement, record"
    for (id_,) in list(reader.index.rows(sql, (records.Pledge.KIND,))):
        row = reader.index.find_id(id_)
        record = known.get(row.place) if row is not None else None
        if row is None or not isinstance(record, records.Pledge) or record.id != id_:
            raise _unfit(id_)
        known.author(row.place)
        account = reader.state.accounts[record.account]
        unit = reader.unit_of(account)
        brought = 0
        for place in reader.index.links(id_, Link.FULFILLED):
            gift = known.get(place)
            if not isinstance(gift, records.Donation) or gift.pledge != id_:
                raise _unfit(id_)
            known.author(place)
            brought += gift.amount - _reversed(known, gift.id, gift.amount)
        yield Pledged(
            id_, account.id, record.pledger, record.due, known.date(row.place), Money(record.amount, unit),
            Money(_reversed(known, id_, record.amount), unit), Money(brought, unit),
        )  # fmt: skip


def _reversed(known: Records, about: str, amount: int) -> int:
    """Return how much of a pledge or gift was reversed; a reversal that says no amount takes all that is left."""
    done = 0
    for place in known.basis.links(about, Link.REVERSED):
        record = known.get(place)
        if not isinstance(record, records.Reversal) or record.reverses != about:
            raise _unfit(about)
        known.author(place)
        done += amount - done if record.amount is None else record.amount
    return done


def _unfit(about: str) -> VerificationError:
    return VerificationError(
        "CC-INDEX",
        f"the index says something of {about!r} that was not sealed; remove it and it is made anew",
        id=about,
    )
