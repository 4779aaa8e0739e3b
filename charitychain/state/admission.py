"""Admission: the rules for parties, their keys, units and accounts.

Rules upheld here:

- The operator admits a party once, and may suspend it. Its keys are its own: they change under its own signature, or
  under that of its recovery key, which only itself can replace.
- Only a recovery key says that a key was compromised: it marks what that key signed, and erases nothing.
- Unit and rule of an account never change; its owner changes with the consent of both; a restriction is never loosened
  once anything came in, and an account with approvals changes only with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from charitychain import codec, keys, records
from charitychain.chain.statements import record_hash
from charitychain.errors import RefusedError
from charitychain.state.accounts import AccountState
from charitychain.state.acting import Acting
from charitychain.state.lookup import IdAt, Link
from charitychain.state.parties import PartyKey, PartyState, possession_message
from charitychain.state.terms import Terms, is_as_narrow
from charitychain.units import Unit

__all__ = ["RULES"]


def _check_key(state: Acting, party: str, key: bytes, proof: bytes, *, first: bool = False) -> None:
    keys.check_public_key(key)
    if state.knows_key(key) and not first:
        raise RefusedError("CC-KEY-USED", "this key is registered already; make a new one", party=party)
    if not keys.is_valid(key, possession_message(state.identity, party, key), proof):
        raise RefusedError(
            "CC-POSSESSION",
            f"the proof that {party!r} holds its key does not verify for this ledger; ask for a new request",
            party=party,
        )


def _party(state: Acting, record: records.Party, data: bytes) -> None:
    first = state.place == (0, 0, 0)
    state.require_operator("admit a party")
    if first != (record.id == "self") or ("operator" in record.roles) != first:
        raise RefusedError("CC-ROLE", "the first record, and it alone, admits the operator, as party 'self'")
    _check_key(state, record.id, record.key, record.proof, first=first)
    number, start = len(state.parties), state.height + 1
    if first and record.key != state.parties[0].keys[0].key:
        raise RefusedError("CC-GENESIS", "the first party must hold the genesis key")
    if record.recovery is not None:
        _check_key(state, record.id, *record.recovery)
        if record.recovery[0] == record.key:
            raise RefusedError("CC-KEY-USED", "the recovery key must be another key", party=record.id)
    if first:
        state.parties.clear()
        number = start = 0
    recovery = [PartyKey(record.recovery[0], start)] if record.recovery is not None else []
    party = PartyState(number, record.id, record.roles, record.title, [PartyKey(record.key, start)], recovery=recovery)
    state.add_party(party)
    if first:
        state.author = party
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, number))


def _key(state: Acting, record: records.KeyChange, data: bytes) -> None:
    party = state.party(record.party)
    if not (state.recovering and state.author is party):
        state.require(party.number, "a new key of a party")
    old = next((key for key in party.keys if keys.key_id(key.key) == record.replaces), None)
    since = record.compromised_since
    if since is not None:
        if not (state.recovering and state.author is party):
            raise RefusedError(
                "CC-RECOVERY-KEY",
                f"only the recovery key of {party.id!r} can say that one of its keys was compromised",
                party=party.id,
            )
        if old is None:
            name = record.replaces.hex()[:16] if record.replaces is not None else "nothing"
            raise RefusedError(
                "CC-UNKNOWN-KEY",
                f"{party.id!r} has no key {name}…; `charitychain party list` shows them",
                party=party.id,
            )
        if not old.start <= since <= state.height + 1:
            raise RefusedError(
                "CC-UNKNOWN-KEY",
                f"{party.id!r}: that key acts from block {old.start} on, and the next block is {state.height}; name a"
                f" block from {old.start} to {state.height + 1}, not {since}",
                found=since,
            )
        if old.compromised is not None and since >= old.compromised:
            raise RefusedError(
                "CC-UNKNOWN-KEY",
                f"that key of {party.id!r} is marked as compromised since block {old.compromised} already; what is"
                " disputed stays so, and only an earlier block can be named",
                found=since,
            )
    elif record.replaces is not None and (old is None or old.until is not None):
        raise RefusedError("CC-UNKNOWN-KEY", f"{party.id!r} has no acting key {record.replaces.hex()[:16]}…")
    if record.key is None or record.proof is None:
        if since is None or record.key is not record.proof:
            raise RefusedError(
                "CC-UNKNOWN-KEY", "a key record brings a key with its proof, or marks one as compromised"
            )
    else:
        _check_key(state, party.id, record.key, record.proof)
    if record.replaces is not None:
        party.end_key(record.replaces, state.height + 1)
        if since is not None:
            party.mark_compromised(record.replaces, since)
    if record.key is not None:
        state.add_key(party, record.key)
    # Where a key ended and none came, the rest must still be able to sign.
    party.threshold = max(1, min(party.threshold, sum(key.until is None for key in party.keys)))
    state.changed_parties.add(party.number)


def _control(state: Acting, record: records.Control, data: bytes) -> None:
    party = state.party(record.party)
    now = party.recovery_at(state.height + 1)
    by_recovery = state.recovering and state.author is party
    if (record.recovery is None) != (record.proof is None) or (record.recovery is None and record.threshold is None):
        raise RefusedError("CC-CONTROL", "a control record sets a recovery key with its proof, a threshold, or both")
    if not by_recovery:
        state.require(party.number, "a change of how a party's keys are kept")
        if record.recovery is not None and now is not None:
            raise RefusedError(
                "CC-RECOVERY-KEY", f"only the recovery key of {party.id!r} can replace itself", party=party.id
            )
    acting = sum(key.until is None for key in party.keys)
    if record.threshold is not None and record.threshold > acting:
        raise RefusedError(
            "CC-THRESHOLD",
            f"{party.id!r} has {acting} acting key{'s' * (acting != 1)}, so {record.threshold} of them cannot sign",
            party=party.id,
        )
    if record.recovery is not None and record.proof is not None:
        _check_key(state, party.id, record.recovery, record.proof)
        state.add_key(party, record.recovery, recovery=True)
    if record.threshold is not None:
        party.threshold = record.threshold
    state.changed_parties.add(party.number)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, party.number))


def _suspension(state: Acting, record: records.Suspension, data: bytes) -> None:
    state.require_operator("suspend a party")
    party = state.party(record.party)
    if party.number == 0:
        raise RefusedError("CC-ROLE", "the operator cannot be suspended; its keys can be replaced", party=party.id)
    if party.suspended == bool(record.suspended):
        raise RefusedError(
            "CC-SUSPENDED", f"{party.id!r} is {'suspended already' if party.suspended else 'not suspended'}"
        )
    party.suspended = bool(record.suspended)
    state.changed_parties.add(party.number)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, party.number))
    state.lookup.put_link(party.id, Link.CHANGED, state.place)


def _unit(state: Acting, record: records.UnitRecord, data: bytes) -> None:
    state.require_operator("declare a unit")
    state.units[record.id] = Unit(record.id, record.decimals, record.title or "")
    state.lookup.save("unit", len(state.units), codec.encode([record.id, record.decimals, record.title or ""]))
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place))


def _account(state: Acting, record: records.Account, data: bytes) -> None:
    assert state.author is not None
    owner = state.party(record.owner) if record.owner is not None else state.author
    state.require(owner.number, f"account {record.id!r}")
    _check_owner(owner)
    if record.unit not in state.units:
        near = f"did you mean {record.unit.upper()!r}?" if record.unit.upper() in state.units else ""
        raise RefusedError(
            "CC-UNIT",
            f"unit {record.unit!r} is neither an ISO 4217 currency nor declared here;"
            f" {near or '`unit add` declares one'}",
            unit=record.unit,
        )
    if record.number != len(state.accounts):
        raise RefusedError(
            "CC-ACCOUNT-NUMBER", "accounts are numbered densely", expected=len(state.accounts), found=record.number
        )
    terms = Terms.of(record)
    account = AccountState(
        state.lookup, number=record.number, id_=record.id, unit=record.unit, rule=record.rule or "fifo",
        owner=owner.number, terms=terms, first_terms=record_hash(data) if state.version == 1 else None,
    )  # fmt: skip
    _check_terms(state, account, terms)
    state.add_account(account)
    state.changed_accounts.add(account.number)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number))


def _check_owner(owner: PartyState) -> None:
    if not owner.has("charity", "sponsor"):
        raise RefusedError("CC-ROLE", f"{owner.id!r} has no role to own an account: charity or sponsor", party=owner.id)


def _check_terms(state: Acting, account: AccountState, terms: Terms) -> None:
    for approver in terms.approvals[1] if terms.approvals else ():
        state.party(approver)
    for number, _ in terms.levy:
        target = state.account(number)
        if target.number == account.number or target.unit != account.unit:
            raise RefusedError(
                "CC-LEVY", f"a levy on {account.id!r} goes to another account in {account.unit}", account=account.id
            )


def _account_change(state: Acting, record: records.AccountChange, data: bytes) -> None:
    account = state.account(record.account)
    state.require(account.owner, f"a change of account {account.id!r}")
    state.require_approvals(account, "a change")
    if not _changes(record):
        raise RefusedError("CC-CHANGE", f"{record.id!r} changes nothing of account {account.id!r}", id=record.id)
    if record.closed is not None and bool(record.closed) != account.open:
        raise RefusedError(
            "CC-CLOSED", f"account {account.id!r} is {'open' if account.open else 'closed'} already", account=account.id
        )
    terms = account.terms.changed(record)
    _check_terms(state, account, terms)
    if account.in_ and not is_as_narrow(terms.restriction, account.terms.restriction):
        raise RefusedError(
            "CC-RESTRICTION",
            f"account {account.id!r} took money in under its restriction, which can be narrowed, never loosened;"
            " open another account for other purposes",
            account=account.id,
        )
    owner = state.party(record.owner) if record.owner is not None else state.parties[account.owner]
    if record.owner is not None:
        _check_owner(owner)
        state.require(owner.number, f"taking over account {account.id!r}")
    if record.closed == 1 and account.balance:
        raise RefusedError(
            "CC-CLOSED",
            f"account {account.id!r} still holds {state.words(account.balance, account)}; pass it on first",
            account=account.id,
        )
    if record.levy is not None:
        account.levied, account.shares = 0, {}
    account.terms = terms
    if owner.number != account.owner:
        year = state.year(record)  # for caps its balance passes from the one to the other
        account.book(year).went += account.balance
        account.book(year, owner.number).came += account.balance
        state.set_owner(account, owner.number)
    if record.closed is not None:
        account.open = not record.closed
    state.changed_accounts.add(account.number)
    state.lookup.put_id(IdAt(record.id, record.KIND, state.place, account.number))
    state.lookup.put_link(account.id, Link.CHANGED, state.place)
    state.note_late(record, account)


def _changes(record: records.AccountChange) -> bool:
    """Say whether a change names a term, an owner, or opens or closes; an empty term takes one away."""
    return any(getattr(record, name) is not None for name in ("owner", "closed", *Terms.__slots__))


RULES: dict[type[Any], Callable[[Acting, Any, bytes], None]] = {
    records.Party: _party,
    records.KeyChange: _key,
    records.Control: _control,
    records.Suspension: _suspension,
    records.UnitRecord: _unit,
    records.Account: _account,
    records.AccountChange: _account_change,
}
