"""Words: the rules for records that say something and move nothing.

Rules upheld here:

- An acknowledgement never comes from the payer: not from the owner of the account that paid, nor from the author of
  the payment. Nobody acknowledges more of a record than it says.
- A pledge is never counted as received. A plan says what is meant to be bought; expenditures name its lines.
- An attestation comes from an auditor that owns none of the accounts.
- A period is closed by the owner of its accounts, with the totals that the ledger has of them at that place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from charitychain import records
from charitychain.errors import RefusedError
from charitychain.state.acting import Acting
from charitychain.state.lookup import IdAt, Link

__all__ = ["RULES", "period_totals"]

_ACKNOWLEDGED = {
    kind.KIND for kind in (records.Disbursement, records.Expenditure, records.Conversion, records.Split)
}  # fmt: skip


def _pledge(state: Acting, record: records.Pledge, data: bytes) -> None:
    assert state.author is not None
    account = state.account(record.account)
    state.require_open(account)
    if state.author.number != account.owner and not state.author.has("intake", "sponsor"):
        raise RefusedError(
            "CC-ROLE",
            f"{state.author.id!r} neither owns account {account.id!r} nor has the role intake or sponsor",
            party=state.author.id,
        )
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number, None, 0, record.amount))


def _plan(state: Acting, record: records.Plan, data: bytes) -> None:
    account = state.account(record.account)
    state.require(account.owner, f"a plan of account {account.id!r}")
    if record.replaces is not None:
        row = state.lookup.find_id(record.replaces)
        if row is None or row.kind != records.Plan.KIND or row.account != account.number:
            raise RefusedError("CC-REPLACES", f"{record.replaces!r} is no plan of account {account.id!r}")
        state.lookup.put_link(record.replaces, Link.REPLACED, state.place)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number))
    for line in record.lines:
        state.lookup.put_link(f"{record.id}/{line[0]}", Link.PLANNED, state.place)


def _acknowledgement(state: Acting, record: records.Acknowledgement, data: bytes) -> None:
    assert state.author is not None
    row = state.lookup.find_id(record.acknowledges)
    if record.upto or "/" in record.acknowledges or (row is not None and row.kind == records.Donation.KIND):
        _arrival(state, record)
        return
    if row is None or row.kind not in _ACKNOWLEDGED or row.account is None:
        raise RefusedError(
            "CC-ACKNOWLEDGED",
            f"{record.acknowledges!r} is nothing that can be acknowledged: a disbursement, split, expenditure,"
            " conversion or gift",
            id=record.acknowledges,
        )
    payers = {state.accounts[row.account].owner}
    if row.place[:2] == state.place[:2]:
        raise RefusedError("CC-ACKNOWLEDGED", f"{record.acknowledges!r} stands in this very statement; its payer signs")
    header = state.lookup.statement(row.place.height, row.place.statement).header
    payers.add(state.party_of(header.author).number)
    if state.author.number in payers:
        raise RefusedError(
            "CC-ACKNOWLEDGED",
            f"{state.author.id!r} paid {record.acknowledges!r}, so somebody else must say that it arrived",
            party=state.author.id,
        )
    account = state.accounts[row.account]
    if record.amount is not None and record.amount > row.amount:
        raise RefusedError(
            "CC-ACKNOWLEDGED",
            f"{record.acknowledges!r} says {state.words(row.amount, account)}, so no more can have arrived",
            id=record.acknowledges,
        )
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number, None, 0, record.amount or row.amount))
    state.lookup.put_link(record.acknowledges, Link.ACKNOWLEDGED, state.place)


def _arrival(state: Acting, record: records.Acknowledgement) -> None:
    """A gift that an intake took has reached the account's owner, or is disputed by it."""
    assert state.author is not None
    gift = state.gift(record.acknowledges)
    account = state.accounts[gift.account]
    if state.author.number != account.owner:
        raise RefusedError(
            "CC-ACKNOWLEDGED",
            f"that gift {gift.id!r} arrived can only be said by the owner of {account.id!r}",
            party=state.author.id,
        )
    if record.amount is not None and (record.upto or record.amount > gift.amount):
        raise RefusedError("CC-ACKNOWLEDGED", f"gift {gift.id!r} is {state.words(gift.amount, account)}; leave the"
                           " amount out, or say how much of it arrived", id=gift.id)  # fmt: skip
    if record.upto and record.status == "disputed":
        raise RefusedError("CC-ACKNOWLEDGED", "gifts are disputed one by one; leave out upto", id=gift.id)
    state.lookup.put_id(
        IdAt(record.id, record.KIND, state.place, account.number, None, 0, record.amount or gift.amount)
    )
    if record.upto:
        state.lookup.put_link(account.id, Link.ARRIVED, state.place)
    else:
        state.lookup.put_link(gift.id, Link.ACKNOWLEDGED, state.place)


def _attestation(state: Acting, record: records.Attestation, data: bytes) -> None:
    assert state.author is not None
    if not state.author.has("auditor"):
        raise RefusedError(
            "CC-ROLE", f"{state.author.id!r} has not the role auditor, so it attests nothing", party=state.author.id
        )
    accounts = [state.account(number) for number in record.accounts]
    for account in accounts:
        if account.owner == state.author.number:
            raise RefusedError("CC-ROLE", f"{state.author.id!r} owns {account.id!r}, so somebody else must attest it")
        if account.unit != accounts[0].unit:
            raise RefusedError("CC-UNIT", f"{account.id!r} and {accounts[0].id!r} are in different units")
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, accounts[0].number, None, 0, record.amount))
    for account in accounts:
        state.lookup.put_link(account.id, Link.ATTESTED, state.place)


def period_totals(state: Acting, numbers: list[int]) -> tuple[tuple[int, int, int, int, int], ...]:
    """Return the totals of accounts as a period record holds them."""
    accounts = [state.accounts[number] for number in sorted(numbers)]
    return tuple((a.number, a.in_, a.rule_sum, a.named, a.back) for a in accounts)


def _period(state: Acting, record: records.Period, data: bytes) -> None:
    assert state.author is not None
    accounts = [state.account(row[0]) for row in record.totals]
    for account in accounts:
        state.require(account.owner, f"closing a period of account {account.id!r}")
        if account.closed_until is not None and account.closed_until >= record.until:
            raise RefusedError(
                "CC-PERIOD", f"account {account.id!r} is closed to {account.closed_until} already", account=account.id
            )
    if not accounts:
        raise RefusedError("CC-PERIOD", "a period has the totals of one account at least")
    found = period_totals(state, [account.number for account in accounts])
    if found != record.totals:
        raise RefusedError(
            "CC-PERIOD", "the totals are not those of the ledger at this place; make the record anew",
            expected=found, found=record.totals,
        )  # fmt: skip
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, state.author.number))
    for account in accounts:
        account.closed_until = record.until
        state.changed_accounts.add(account.number)
        state.lookup.put_link(account.id, Link.CLOSED, state.place)


RULES: dict[type[Any], Callable[[Acting, Any, bytes], None]] = {
    records.Pledge: _pledge,
    records.Plan: _plan,
    records.Acknowledgement: _acknowledgement,
    records.Attestation: _attestation,
    records.Period: _period,
}
