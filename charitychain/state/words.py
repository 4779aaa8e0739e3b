"""Words: the rules for records that say something and move nothing.

Rules upheld here:

- An acknowledgement never comes from the payer: not from who owned an account that paid, then or now, nor from anybody
  who signed the payment, unless it owns an account that the payment went to.
- What one party acknowledges of a record, since it last disputed it, never sums to more than stands of the record. Of a
  gift the last word counts, whether it is about that gift or about all up to one; of an outcome, which has no amount
  that could arrive, the last word too.
- An outcome is acknowledged neither by who signed it, nor by who owns its account or owned it then, nor by a payer of
  what it names.
- What is dated in a period that was closed before is noted as late, though it moves nothing.
- A pledge is never counted as received. A plan says what is meant to be bought; expenditures name its lines.
- An outcome names expenditures out of one account; that account's owner says it, or an auditor. What was lost did
  nothing.
- An attestation comes from an auditor that owns none of the accounts.
- A period is closed by the owner of its accounts, with the totals that the ledger has of them at that place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from charitychain import records
from charitychain.errors import RefusedError
from charitychain.state.accounts import AccountState
from charitychain.state.acting import Acting
from charitychain.state.lookup import IdAt, Link
from charitychain.state.movements import Movement

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
    state.note_late(record, account)


def _plan(state: Acting, record: records.Plan, data: bytes) -> None:
    account = state.account(record.account)
    state.require(account.owner, f"a plan of account {account.id!r}")
    if record.replaces is not None:
        row = state.lookup.find_id(record.replaces)
        if row is None or row.kind != records.Plan.KIND or row.account != account.number:
            raise RefusedError("CC-REPLACES", f"{record.replaces!r} is no plan of account {account.id!r}")
        if state.lookup.links(record.replaces, Link.REPLACED):
            raise RefusedError(
                "CC-REPLACES", f"plan {record.replaces!r} was replaced already; replace the one that stands instead"
            )
        state.lookup.put_link(record.replaces, Link.REPLACED, state.place)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number))
    for line in record.lines:
        state.lookup.put_link(f"{record.id}/{line[0]}", Link.PLANNED, state.place)
    state.note_late(record, account)


def _acknowledgement(state: Acting, record: records.Acknowledgement, data: bytes) -> None:
    row = state.lookup.find_id(record.acknowledges)
    if row is not None and row.kind == records.Outcome.KIND:
        _outcome_seen(state, record, row)
        return
    if record.upto or "/" in record.acknowledges or (row is not None and row.kind == records.Donation.KIND):
        _arrival(state, record)
        return
    if row is None or row.kind not in _ACKNOWLEDGED or row.account is None or row.movement is None:
        raise RefusedError(
            "CC-ACKNOWLEDGED",
            f"{record.acknowledges!r} is nothing that can be acknowledged: a disbursement, split, expenditure,"
            " conversion, outcome or gift",
            id=record.acknowledges,
        )
    _check_earlier(state, row)
    account, paid = state.accounts[row.account], state.lookup.movement(row.account, row.movement)
    targets = _targets(state, paid)
    _check_no_payer(state, row, paid, targets)
    stands = row.amount - state.reversed_of(row.id)
    if record.status == "disputed":
        said, left = 0, row.amount
    else:
        said = _said_of(state, row.id)
        left = max(stands - said, 0)
    amount = min(stands, left) if record.amount is None else record.amount
    if amount > left or (record.status != "disputed" and not amount):
        stand, rest = state.words(stands, account), state.words(left, account)
        before = f"; you acknowledged {state.words(said, account)} of it already; {rest} is left" if said else ""
        raise RefusedError(
            "CC-ACKNOWLEDGED",
            f"of {row.id!r} {stand} stands{before or ', so no more can have arrived'}",
            id=row.id,
            said=said,
            left=left,
        )
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number, None, 0, amount))
    state.lookup.put_link(record.acknowledges, Link.ACKNOWLEDGED, state.place)
    state.note_late(record, account, *targets)


def _targets(state: Acting, paid: Movement) -> list[AccountState]:
    """Return the accounts that a payment went to; an expenditure went to none."""
    refs = [paid.target] if paid.target is not None else [part[:2] for part in paid.parts]
    return [state.accounts[number] for number, _ in refs]


def _check_earlier(state: Acting, row: IdAt) -> None:
    if row.place[:2] == state.place[:2]:
        raise RefusedError("CC-ACKNOWLEDGED", f"{row.id!r} stands in this very statement; who says it signs that too")


def _check_no_payer(state: Acting, row: IdAt, paid: Movement, targets: list[AccountState]) -> None:
    """Check that the author of an acknowledgement had no part in the payment."""
    why = _part_in_payment(state, row, paid, targets)
    if why:
        assert state.author is not None
        raise RefusedError(
            "CC-ACKNOWLEDGED",
            f"{state.author.id!r} cannot acknowledge {row.id!r}: it {why}; somebody else must say that it arrived",
            party=state.author.id,
            id=row.id,
        )


def _part_in_payment(state: Acting, row: IdAt, paid: Movement, targets: list[AccountState]) -> str:
    """Return what part the author of the open statement had in a payment, or nothing."""
    assert state.author is not None
    me = state.author.number
    paying = [paid]
    if paid.target is not None and (pays := state.lookup.movement(*paid.target).second) is not None:
        paying.append(state.lookup.movement(*pays))
    why = ""
    if me not in {target.owner for target in targets}:
        owned = next((state.accounts[m.account] for m in paying if state.accounts[m.account].owner == me), None)
        signed = me in _signers(state, row)
        why = "signed it" if signed else f"owns {owned.id!r}, which paid it," if owned is not None else ""
    for movement in paying:
        if movement.owner == me:
            why = f"owned {state.accounts[movement.account].id!r} when that paid it"
    return why


def _signers(state: Acting, row: IdAt) -> set[int]:
    """Return the numbers of the parties that signed the statement of a record."""
    header = state.lookup.statement(*row.place[:2]).header
    return {state.party_of(key_id).number for key_id in (header.author, *header.signers)}


def _outcome_seen(state: Acting, record: records.Acknowledgement, row: IdAt) -> None:
    """An outcome came about, or is disputed, by the word of somebody who had no part in it."""
    assert state.author is not None and row.account is not None
    if record.amount is not None or record.upto:
        more = "upto" if record.upto else "the amount"
        raise RefusedError(
            "CC-ACKNOWLEDGED", f"outcome {row.id!r} is acknowledged or disputed as a whole; leave {more} out", id=row.id
        )
    _check_earlier(state, row)
    why = _part_in_outcome(state, row, state.accounts[row.account])
    if why:
        raise RefusedError(
            "CC-ACKNOWLEDGED",
            f"{state.author.id!r} cannot acknowledge {row.id!r}: it {why}; somebody else must say that it came about",
            party=state.author.id,
            id=row.id,
        )
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, row.account))
    state.lookup.put_link(row.id, Link.ACKNOWLEDGED, state.place)
    state.note_late(record, state.accounts[row.account])


def _part_in_outcome(state: Acting, row: IdAt, account: AccountState) -> str:
    """Return what part the author of the open statement had in an outcome of an account, or nothing."""
    assert state.author is not None
    if state.author.number in _signers(state, row):
        return "signed it"
    if state.author.number == account.owner:
        return f"owns {account.id!r}, whose expenditures did it,"
    if state.author.number == _owner_then(state, account, row.place):
        return f"owned {account.id!r} when it was said"
    outcome = state.record_as(row.place, records.Outcome)
    for id_ in outcome.of:
        use = state.lookup.find_id(id_)
        assert use is not None and use.movement is not None
        why = _part_in_payment(state, use, state.lookup.movement(account.number, use.movement), [])
        if why:
            return f"had a part in {id_!r}, which did it: it {why}"
    return ""


def _owner_then(state: Acting, account: AccountState, place: records.Place) -> int:
    """Return who owned an account where a record stands that was entered when the account was open."""
    for changed in reversed([at for at in state.lookup.links(account.id, Link.CHANGED) if at < place]):
        change = state.record_at(changed)
        if isinstance(change, records.AccountChange) and change.owner is not None:
            return state.party(change.owner).number
    row = state.lookup.find_id(account.id)
    assert row is not None
    opened = state.record_at(row.place)
    if isinstance(opened, records.Account) and opened.owner is not None:
        return state.party(opened.owner).number
    return state.party_of(state.lookup.statement(*row.place[:2]).header.author).number


def _said_of(state: Acting, id_: str) -> int:
    """Return how much of a record the author of the open statement acknowledged since it last disputed it."""
    said = 0
    for place in reversed(state.lookup.links(id_, Link.ACKNOWLEDGED)):
        if state.party_of(state.lookup.statement(*place[:2]).header.author) is state.author:
            word = state.record_at(place)
            if isinstance(word, records.Acknowledgement) and word.status == "disputed":
                break
            said += state.amount_at(place)
    return said


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
    stands = gift.amount - state.reversed_of(gift.id)
    if record.amount is not None and (record.upto or record.amount > stands):
        raise RefusedError("CC-ACKNOWLEDGED", f"gift {gift.id!r} is {state.words(stands, account)}; leave the"
                           " amount out, or say how much of it arrived", id=gift.id)  # fmt: skip
    if record.upto and record.status == "disputed":
        raise RefusedError("CC-ACKNOWLEDGED", "gifts are disputed one by one; leave out upto", id=gift.id)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number, None, 0, record.amount or stands))
    if record.upto:
        state.lookup.put_link(account.id, Link.ARRIVED, state.place)
    else:
        state.lookup.put_link(gift.id, Link.ACKNOWLEDGED, state.place)
    state.note_late(record, account)


def _outcome(state: Acting, record: records.Outcome, data: bytes) -> None:
    assert state.author is not None
    account = state.account(record.account)
    if state.author.number != account.owner and not state.author.has("auditor"):
        raise RefusedError(
            "CC-ROLE",
            f"{state.author.id!r} neither owns account {account.id!r} nor has the role auditor",
            party=state.author.id,
        )
    for id_ in record.of:
        row = state.lookup.find_id(id_)
        if row is None or row.kind != records.Expenditure.KIND or row.account != account.number:
            raise RefusedError("CC-OUTCOME", f"{id_!r} is no expenditure out of account {account.id!r}", id=id_)
        assert row.movement is not None
        if state.lookup.movement(account.number, row.movement).category == records.LOSS:
            raise RefusedError("CC-OUTCOME", f"{id_!r} is a loss, and what was lost did nothing; leave it out", id=id_)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number, None, 0, record.amount or 0))
    for id_ in record.of:
        state.lookup.put_link(id_, Link.RESULTED, state.place)
    state.note_late(record, account)


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
    state.note_late(record, *accounts)


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
    records.Outcome: _outcome,
    records.Attestation: _attestation,
    records.Period: _period,
}
