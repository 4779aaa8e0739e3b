"""Value: the rules for what comes in, moves on, and is used.

Rules upheld here:

- Value leaves an account only under its owner's signature and the approvals it asks for, never beyond its balance, and
  never to itself.
- A conversion mints nothing: same unit to same unit is refused, and a currency made from a commodity is paid by an
  account of that currency.
- What a restriction holds together stays so: it is spent on its purposes, in its period, and passes on only to an
  account that is at least as narrow.
- Out of an account with a levy value passes on by splits alone, each with the exact shares of the levy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from charitychain import columns, records
from charitychain.chain.statements import record_hash
from charitychain.errors import MalformedError, RefusedError, VerificationError
from charitychain.state.accounts import AccountState
from charitychain.state.acting import Acting, Donations
from charitychain.state.caps import check_caps
from charitychain.state.lookup import Batch, IdAt, Link
from charitychain.state.matches import check_match, count_for_pledge
from charitychain.state.movements import Kind
from charitychain.state.terms import HUNDRED_PERCENT, days_of, is_as_narrow
from charitychain.sumlog import Tag, span_leaf
from charitychain.tape import Run, first_units
from charitychain.units import BUILT_IN

__all__ = ["RULES", "apply_gifts", "check_levy", "levy_parts", "note", "takes_of"]


# ---------------------------------------------------------------------------------------------- value comes in


def _check_intake(state: Acting, account: AccountState) -> None:
    assert state.author is not None
    if state.author.number != account.owner and not state.author.has("intake"):
        raise RefusedError(
            "CC-ROLE",
            f"{state.author.id!r} neither owns account {account.id!r} nor has the role intake",
            party=state.author.id,
        )


def _donation(state: Acting, record: records.Donation, data: bytes) -> None:
    account = state.account(record.account)
    _check_intake(state, account)
    state.check_room(account, record.amount)
    _check_replaces(state, record)
    if record.pledge is not None:
        row = state.lookup.find_id(record.pledge)
        if row is None or row.kind != records.Pledge.KIND or row.account != account.number:
            raise RefusedError("CC-UNKNOWN-ID", f"{record.pledge!r} is no pledge to account {account.id!r}")
    if record.because_of is not None:
        check_match(state, record, record.because_of)
        state.lookup.put_link(record.because_of, Link.MATCHED, state.place)
    if record.pledge is not None:
        state.lookup.put_link(record.pledge, Link.FULFILLED, state.place)
        count_for_pledge(state, record, record.amount)
    run = state.run
    if run is None:
        run = state.run = Donations(account, state.place)
        state.moves[-1].append((account.number, account.log.size))
    state.lookup.put_id(
        IdAt(record.id, record.KIND, state.place, account.number, account.log.size, run.amount, record.amount)
    )
    run.leaves.append(span_leaf(Tag.DONATIONS_LEAF, record_hash(data), record.amount, state.record, state.record))
    run.amount += record.amount
    account.book(state.year(record)).given += record.amount
    note(state, record, account)


def apply_gifts(state: Acting, record: records.Gifts, gift_columns: bytes | None) -> None:
    """Apply a batch of gifts with its columns."""
    account = state.account(record.account)
    _check_intake(state, account)
    state.check_room(account, record.amount)
    if gift_columns is None:
        raise MalformedError("CC-GIFTS", "a gifts record must come with its columns")
    found = columns.check_columns(gift_columns, record.width)
    count = len(gift_columns) // record.width
    said = (record.count, record.root, record.amount, record.first, record.last)
    if said != (count, found.hash, found.sum, found.low, found.high):
        raise VerificationError(
            "CC-GIFTS-ROOT",
            f"the columns of series {record.series!r} are not those that the record commits to",
            expected=record.root.hex(),
            found=found.hash.hex(),
        )
    assert state.author is not None
    last = state.lookup.last_batch(record.series)
    if last is None:
        state.check_new(record.series)
    else:
        row = state.lookup.find_id(record.series)
        if row is None or row.account != state.author.number:
            raise RefusedError("CC-SERIES", f"series {record.series!r} belongs to another party", series=record.series)
    if record.previous != (last.last if last else None) or (last and record.first <= last.last):
        raise RefusedError(
            "CC-SERIES",
            f"gifts of series {record.series!r} must go on after {last.last if last else 'nothing'}",
            series=record.series,
            expected=last.last if last else None,
            found=record.previous,
        )
    if last is None:
        state.lookup.put_id(IdAt(record.series, record.KIND, state.place, state.author.number))
    inflow = state.add(account, Kind.DONATED, record.amount, gifts=(count, found.hash))
    state.lookup.put_batch(
        Batch(record.series, record.first, record.last, state.place, account.number, inflow.index, record.width)
    )
    account.book(state.year(record)).given += record.amount
    note(state, record, account)


# ---------------------------------------------------------------------------------------------- value moves on


def _disbursement(state: Acting, record: records.Disbursement, data: bytes) -> None:
    source, target = state.account(record.account), state.account(record.to)
    state.require_out(source, "a disbursement")
    check_levy(source)
    _check_target(state, source, target, record.amount)
    _check_replaces(state, record)
    takes = takes_of(state, source, record.amount, record.gift)
    out, into, year = state.next(source), state.next(target), state.year(record)
    state.add(source, Kind.DISBURSED, record.amount, named=takes is not None, takes=takes or (), target=into, year=year)
    state.add(target, Kind.RECEIVED, record.amount, source=out, year=year)
    source.book(year).went += record.amount
    target.book(year).came += record.amount
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *out, 0, record.amount))
    note(state, record, source, target)


def _split(state: Acting, record: records.Split, data: bytes) -> None:
    source = state.account(record.account)
    state.require_out(source, "a split")
    if sum(amount for _, amount in record.parts) != record.amount:
        raise RefusedError("CC-SPLIT", f"the parts of split {record.id!r} do not sum to its amount")
    parts = [(state.account(number), amount) for number, amount in record.parts]
    for target, amount in parts:
        _check_target(state, source, target, amount)
    told = dict(record.parts)
    shares = levy_parts(source, record.amount)
    for number, amount in shares.items():
        if told.get(number, 0) != amount:
            raise RefusedError(
                "CC-LEVY",
                f"of {state.words(record.amount, source)} out of {source.id!r} the levy gives"
                f" {state.words(amount, source)} to {state.accounts[number].id!r},"
                f" not {state.words(told.get(number, 0), source)}",
                account=source.id,
                expected=amount,
                found=told.get(number, 0),
            )
    _check_replaces(state, record)
    state.check_funds(source, record.amount)
    out, year = state.next(source), state.year(record)
    refs = tuple((target.number, target.log.size, amount) for target, amount in parts)
    state.add(source, Kind.SPLIT, record.amount, parts=refs, year=year)
    source.book(year).went += record.amount
    for target, amount in parts:
        state.add(target, Kind.RECEIVED, amount, source=out, year=year)
        target.book(year).came += amount
    for number, amount in shares.items():
        source.shares[number] = source.shares.get(number, 0) + amount
    source.levied += record.amount
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *out, 0, record.amount))
    note(state, record, source, *(target for target, _ in parts))


def levy_parts(account: AccountState, amount: int) -> dict[int, int]:
    """Return what each target of an account's levy gets of `amount`, by account number; it may be nothing.

    Each gets what is missing to its percentage, rounded down, of all that was passed on since the levy was set, this
    amount included; so however small the amounts, nobody loses by rounding. Where the amount is too small for all of
    them, the later ones wait.
    """
    found, rest = {}, amount
    for number, percent in account.terms.levy:
        due = (account.levied + amount) * percent // HUNDRED_PERCENT - account.shares.get(number, 0)
        found[number] = min(due, rest)
        rest -= found[number]
    return found


def check_levy(source: AccountState) -> None:
    """Refuse what leaves an account with a levy past its split."""
    if source.terms.levy:
        raise RefusedError(
            "CC-LEVY",
            f"account {source.id!r} has a levy, so value leaves it by a split, which gives each its share",
            account=source.id,
        )


def _check_target(state: Acting, source: AccountState, target: AccountState, amount: int) -> None:
    if source is target:
        raise RefusedError("CC-SELF", f"account {source.id!r} cannot pay itself", account=source.id)
    if source.unit != target.unit:
        raise RefusedError(
            "CC-UNIT",
            f"{source.id!r} is in {source.unit} and {target.id!r} in {target.unit}; a conversion changes units",
            expected=source.unit,
            found=target.unit,
        )
    _check_narrow(source, target)
    state.check_room(target, amount)


def _check_narrow(source: AccountState, target: AccountState) -> None:
    if not is_as_narrow(target.terms.restriction, source.terms.restriction):
        raise RefusedError(
            "CC-RESTRICTION",
            f"account {source.id!r} is restricted, and {target.id!r} is not as narrow; restrict {target.id!r} first",
            account=source.id,
        )


def _expenditure(state: Acting, record: records.Expenditure, data: bytes) -> None:
    source = state.account(record.account)
    state.require_out(source, "an expenditure")
    if record.category != records.LOSS:  # nobody chooses what a loss is for
        check_levy(source)
        _check_purpose(source, record)
    _check_replaces(state, record)
    _check_line(state, record.line)
    takes = takes_of(state, source, record.amount, record.gift)
    year = state.year(record)
    check_caps(state, source, record.category, record.amount, year)
    out = state.next(source)
    state.add(
        source, Kind.SPENT, record.amount, named=takes is not None, takes=takes or (), year=year,
        category=record.category,
    )  # fmt: skip
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *out, 0, record.amount))
    source.book(year).spent[record.category] += record.amount
    note(state, record, source)


def _check_purpose(source: AccountState, record: records.Expenditure) -> None:
    if source.terms.restriction is None:
        return
    purposes, start, end = source.terms.restriction
    if purposes and record.purpose not in purposes:
        raise RefusedError(
            "CC-RESTRICTION",
            f"account {source.id!r} may be spent on {', '.join(purposes)}, not on"
            f" {repr(record.purpose) if record.purpose is not None else 'what the record does not tell'}",
            account=source.id,
        )
    if start is None and end is None:
        return
    if record.date is None:
        raise RefusedError(
            "CC-RESTRICTION", f"account {source.id!r} has a period, so an expenditure must state its date"
        )
    first, last = days_of(record.date)
    if (start is not None and first < start) or (end is not None and last > end):
        raise RefusedError(
            "CC-RESTRICTION",
            f"account {source.id!r} may be spent from {start or 'its beginning'} to {end or 'any day'},"
            f" not on {record.date}",
            account=source.id,
        )


def _conversion(state: Acting, record: records.Conversion, data: bytes) -> None:
    source, target = state.account(record.account), state.account(record.to)
    state.require_out(source, "a conversion")
    check_levy(source)
    funding = state.account(record.funded_from) if record.funded_from is not None else None
    if source.unit == target.unit:
        raise RefusedError(
            "CC-CONVERSION", f"{source.id!r} and {target.id!r} are both in {source.unit}; a disbursement moves it"
        )
    if funding is not None and funding in (source, target):
        raise RefusedError("CC-SELF", f"account {funding.id!r} cannot fund a conversion of its own")
    if funding is not None and funding.unit != target.unit:
        raise RefusedError(
            "CC-UNIT",
            f"{funding.id!r} is in {funding.unit}; it must be in {target.unit} to fund this conversion",
            expected=target.unit,
            found=funding.unit,
        )
    if funding is None and _is_currency(target.unit) and not _is_currency(source.unit):
        raise RefusedError(
            "CC-CONVERSION",
            f"{source.unit} cannot become {target.unit} unless an account pays for it: name it as funded_from",
        )
    state.require(target.owner, f"a conversion into {target.id!r}")
    _check_narrow(source, target)
    state.check_room(target, record.gives)
    _check_replaces(state, record)
    _check_line(state, record.line)
    state.check_funds(source, record.amount)
    if funding is not None:
        state.require_out(funding, "funding a conversion")
        check_levy(funding)
        _check_narrow(funding, target)
        state.check_funds(funding, record.gives)
    out, into = state.next(source), state.next(target)
    pays = state.next(funding) if funding is not None else None
    state.add(source, Kind.CONVERTED_OUT, record.amount, target=into)
    if funding is not None:
        state.add(funding, Kind.FUNDED, record.gives, target=into)
    state.add(
        target, Kind.CONVERTED_IN, record.gives, source=out, second=pays, conversion=(record.amount, record.gives)
    )
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *out, 0, record.amount))
    year = state.year(record)
    source.book(year).went += record.amount
    target.book(year).came += record.gives
    if funding is not None:
        funding.book(year).went += record.gives
    note(state, record, source, target)


def _refund(state: Acting, record: records.Refund, data: bytes) -> None:
    gift = state.gift(record.donation)
    account = state.account(gift.account if record.account is None else record.account)
    state.require_out(account, "a refund")
    runs = state.gift_runs(gift, account)
    there = sum(run.length for run in runs)
    amount = there if record.amount is None else record.amount
    takes, missing = first_units(runs, amount)
    if amount == 0 or missing:
        raise RefusedError(
            "CC-REFUND",
            f"account {account.id!r} holds {state.words(there, account)} of gift {gift.id!r};"
            " that much can be refunded from it",
            gift=gift.id,
            held=there,
        )
    out = state.next(account)
    state.add(account, Kind.REFUNDED, amount, named=True, takes=tuple(takes))
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, *out, 0, amount))
    state.take_off_received(account.book(state.year(record)), gift, amount)
    note(state, record, account)


def takes_of(state: Acting, account: AccountState, amount: int, gift_id: str | None) -> tuple[Run, ...] | None:
    """Check that `amount` can leave; return the runs a name chose, or nothing where the rule takes."""
    state.check_funds(account, amount)
    if gift_id is None:
        return None
    if account.pro_rata:
        raise RefusedError(
            "CC-NAMED", f"account {account.id!r} is pro-rata: every gift pays its even share, none can be named"
        )
    if account.terms.naming == "forbidden":
        raise RefusedError("CC-NAMED", f"the terms of account {account.id!r} forbid to choose a gift")
    runs = state.gift_runs(state.gift(gift_id), account)
    takes, missing = first_units(runs, amount)
    if missing:
        raise RefusedError(
            "CC-NAMED",
            f"account {account.id!r} holds {state.words(amount - missing, account)} of gift {gift_id!r},"
            f" not {state.words(amount, account)}",
            gift=gift_id,
            held=amount - missing,
        )
    return tuple(takes)


# ------------------------------------------------------------------------------------------- what they refer to


def _check_replaces(state: Acting, record: Any) -> None:
    """A record that is entered again names the one it replaces: of its kind, reversed, by leave of its owner."""
    if record.replaces is None:
        return
    row = state.lookup.find_id(record.replaces)
    if row is None or not state.lookup.links(record.replaces, Link.REVERSED):
        raise RefusedError(
            "CC-REPLACES",
            f"{record.replaces!r} was not reversed, so no record can replace it; reverse it first",
            id=record.replaces,
        )
    if row.kind != record.KIND and {row.kind, record.KIND} != _TRANSFERS:
        raise RefusedError(
            "CC-REPLACES",
            f"{record.replaces!r} is no {record.NAME}, so no {record.NAME} can replace it",
            id=record.replaces,
        )
    assert row.account is not None
    owner = state.accounts[row.account].owner
    author = state.party_of(state.lookup.statement(*row.place[:2]).header.author).number
    if not state.signed(owner) and not state.signed(author):
        state.require(owner, f"what replaces {record.replaces!r}")


_TRANSFERS = {records.Disbursement.KIND, records.Split.KIND}


def _check_line(state: Acting, line: str | None) -> None:
    if line is None:
        return
    places = state.lookup.links(line, Link.PLANNED)
    if not places:
        raise RefusedError("CC-UNKNOWN-ID", f"this ledger has no plan's line {line!r}", id=line)
    plan = state.record_as(places[0], records.Plan)
    state.require(state.accounts[plan.account].owner, f"a use of the plan's line {line!r}")


def note(state: Acting, record: Any, *accounts: AccountState) -> None:
    """Note what a record refers to, and whether it comes after its period was closed."""
    for name, kind in (("replaces", Link.REPLACED), ("line", Link.BOUGHT)):
        about = getattr(record, name, None)
        if about is not None:
            state.lookup.put_link(about, kind, state.place)
    state.note_late(record, *accounts)


def _is_currency(code: str) -> bool:
    return code in BUILT_IN and len(code) == 3


RULES: dict[type[Any], Callable[[Acting, Any, bytes], None]] = {
    records.Donation: _donation,
    records.Disbursement: _disbursement,
    records.Split: _split,
    records.Expenditure: _expenditure,
    records.Conversion: _conversion,
    records.Refund: _refund,
}
