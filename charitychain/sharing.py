"""Sharing costs: the parts of a split, and another account taking over an expenditure, worked out as journal entries.

What is worked out here are amounts; what may be recorded, the rules in `charitychain.state` decide.

Rules upheld here:

- Arithmetic is in whole minor units. Parts by percent are cut from a running total, rounded down, so that parts whose
  percentages sum to 100 sum to the whole, and none of them is off by more than one unit.
- An account's levy gets its exact part of a split where the caller does not name one; percentages are of what it
  leaves.
- A recharge is two records, the reversal of an expenditure and the one that replaces it, of the same amount. Under the
  same id it gives the same entries, however often it is asked, so that a try which was cut off can be told again.
- What the old expenditure says was read from its block, and its signature checked.

What it leaves to others: private details, which are not in the ledger, and signing both records as one statement
(`charitychain.writer.Writer.add_together`).

>>> cut_by_percent(1000, [3333, 3333, 3334])
[333, 333, 334]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from charitychain import records
from charitychain.errors import MalformedError, NotFoundError, RefusedError, VerificationError
from charitychain.reading import Reader
from charitychain.state.accounts import AccountState
from charitychain.state.flow import Lineage, follow
from charitychain.state.lookup import known_gift
from charitychain.state.value import levy_parts
from charitychain.tape import join_runs
from charitychain.units import format_amount, parse_amount

__all__ = ["cut_by_percent", "recharge_entries", "split_parts"]

_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%", re.ASCII)
_TAKEN_OVER = ("payee", "purpose", "category", "date", "reference")


def cut_by_percent(amount: int, percents: Sequence[int]) -> list[int]:
    """Return the parts of `amount` minor units for percentages in hundredths of a percent."""
    parts, share, done = [], 0, 0
    for percent in percents:
        share += percent
        upto = amount * share // 10_000
        parts.append(upto - done)
        done = upto
    return parts


def split_parts(
    reader: Reader, source: str, amount: str, to: Sequence[tuple[str, str | None]], *, id: str | None = None
) -> dict[str, str]:
    """Return what each account gets of a split, as decimal strings by account id; a part of nothing is left out.

    Args:
        source: The account that the split is out of. What its levy takes comes first, unless `to` names its target.
        amount: The whole, a decimal string in major units.
        to: (account, part) in order; a part is a decimal string, ``N%``, or nothing: one account may take the rest.
        id: The split's own id; where it is recorded already, the levy's parts are those that it recorded.

    Raises:
        RefusedError: ``CC-UNKNOWN-ACCOUNT``; ``CC-SPLIT``: the parts do not sum to the amount.
        MalformedError: ``CC-AMOUNT``: an amount or a percentage has not its form. ``CC-ENTRY``: an account comes twice,
            or two take the rest.
    """
    account = reader.state.account_named(source)
    unit = reader.unit_of(account)
    whole = parse_amount(amount, unit)
    named = [reader.state.account_named(name).id for name, _ in to]
    if len(set(named)) != len(named):
        raise MalformedError("CC-ENTRY", "an account gets two parts of this split; name it once", field="to")
    parts = {name: part for name, part in _levied(reader, account, whole, id).items() if name not in named}
    percents = [(name, percent) for name, part in to if part is not None and (percent := _percent(part)) is not None]
    shares = dict(
        zip(dict(percents), cut_by_percent(whole - sum(parts.values()), [p for _, p in percents]), strict=True)
    )
    rest: str | None = None
    for name, part in to:
        if part is None and rest is not None:
            raise MalformedError(
                "CC-ENTRY", f"both {rest!r} and {name!r} would take the rest; only one can", field="to"
            )
        if part is None:
            rest = name
        parts[name] = 0 if part is None else shares[name] if name in shares else parse_amount(part, unit)
    found = sum(parts.values())
    if rest is not None and found < whole:
        parts[rest] = whole - found
    elif found != whole or rest is not None:
        share = sum(percent for _, percent in percents)
        why = f" (with {share / 100:g} percent told by percentages)" if percents else ""
        what = f"which leaves nothing for {rest!r}" if rest is not None else "and no account takes the rest"
        raise RefusedError(
            "CC-SPLIT",
            f"the parts of this split sum to {format_amount(found, unit)} of {format_amount(whole, unit)}"
            f" {unit.code}{why}, {what}",
            expected=whole,
            found=found,
        )
    return {name: format_amount(part, unit) for name, part in parts.items() if part}


def _levied(reader: Reader, account: AccountState, amount: int, id_: str | None) -> dict[str, int]:
    found = levy_parts(account, amount)
    row = reader.index.find_id(id_) if id_ is not None and found else None
    if row is not None and row.kind == records.Split.KIND:
        record = reader.record(row.place)
        if isinstance(record, records.Split) and (record.id, record.account, record.amount) == (
            id_, account.number, amount,
        ):  # fmt: skip
            recorded = dict(record.parts)
            found = {number: recorded.get(number, 0) for number in found}
    return {reader.state.accounts[number].id: part for number, part in found.items()}


def _percent(text: str) -> int | None:
    """Return hundredths of a percent, or nothing where this is no percentage."""
    if not text.endswith("%"):
        return None
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise MalformedError(
            "CC-AMOUNT", f"{text!r:.60} is no percentage such as 8% or 12.5%, with at most two decimals", found=text
        )
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def recharge_entries(
    reader: Reader,
    expenditure: str,
    *,
    to: str,
    id: str,
    amount: str | None = None,
    gift: str | None = None,
    reason: str | None = None,
    given: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two entries by which account `to` takes over an expenditure: its reversal, and the new expenditure.

    Payee, purpose, category, date, reference, evidence and invoice are those of the old one unless `given`. Its
    plan line stays where it is entered again for the same account; a gift that it named is not taken over.

    Args:
        id: The new expenditure's id; the reversal's follows from it.
        amount: Decimal string; left out, it is all that was not reversed yet, or all of that which `gift` paid.
        gift: The gift whose share comes back.
        given: Fields of the new expenditure.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``, ``CC-UNKNOWN-GIFT``.
        RefusedError: ``CC-REVERSAL``: it is no expenditure, or nothing of it is left. ``CC-UNIT``: `to` is in another
            unit. ``CC-UNKNOWN-ACCOUNT``.
    """
    row = reader.index.find_id(expenditure)
    if row is None:
        raise NotFoundError("CC-UNKNOWN-ID", f"this ledger holds no expenditure {expenditure!r}", id=expenditure)
    old = reader.record(row.place)
    if not isinstance(old, records.Expenditure) or old.id != expenditure:
        raise RefusedError(
            "CC-REVERSAL",
            f"{expenditure!r} is a {old.NAME}; only an expenditure can be taken over",
            reverses=expenditure,
        )
    reader.check_author(row.place)
    source, target = reader.state.accounts[old.account], reader.state.account_named(to)
    if source.unit != target.unit:
        raise RefusedError(
            "CC-UNIT",
            f"{expenditure!r} was paid in {source.unit}, but {target.id!r} is in {target.unit}",
            expected=source.unit,
            found=target.unit,
        )
    unit = reader.unit_of(source)
    if amount is None:
        amount = format_amount(_left(reader, old, source, id, gift), unit)
    reversal = {
        "record": "reversal", "id": f"U-{sha256(f'{id} {expenditure}'.encode()).hexdigest()[:10]}",
        "reverses": expenditure, "amount": amount, "gift": gift, "reason": reason,
    }  # fmt: skip
    new: dict[str, Any] = {"record": "expenditure", "id": id, "from": target.id, "amount": amount}
    new["replaces"] = expenditure
    new |= {name: getattr(old, name) for name in _TAKEN_OVER}
    if target is source:
        new["line"] = old.line
    if old.evidence:
        new["evidence"] = [document.hex() for document in old.evidence]
    if old.invoice is not None:
        new["invoice"] = {"key": old.invoice[0], "total": format_amount(old.invoice[1], unit)}
    new |= {name: value for name, value in (given or {}).items() if value is not None}
    return (
        {name: value for name, value in reversal.items() if value is not None},
        {name: value for name, value in new.items() if value is not None},
    )


def _left(reader: Reader, old: records.Expenditure, account: AccountState, id_: str, gift: str | None) -> int:
    """Return what can be taken over; where it was taken over under this id already, how much that was."""
    done = reader.index.find_id(id_)
    if done is not None and done.kind == records.Expenditure.KIND:
        record = reader.record(done.place)
        if isinstance(record, records.Expenditure) and (record.id, record.replaces) == (id_, old.id):
            return record.amount
    row = reader.index.find_id(old.id)
    assert row is not None and row.account == account.number and row.movement is not None
    movement = reader.index.movement(account.number, row.movement)
    reader.check_movement(movement)
    if movement.place != row.place:
        raise VerificationError("CC-INDEX", f"the index says another place of {old.id!r} than was sealed")
    if gift is not None:
        flow = follow(reader.index, reader.state.accounts, known_gift(reader.index, gift), lineage=Lineage.PAYING)
        reader.check_movements(flow.touched)
        left = sum(run.length for run in join_runs(sorted(flow.used.get((account.number, row.movement), []))))
    else:
        undone = account.reversed.find(row.movement)
        left = old.amount - (undone.sum if undone else 0)
    if not left:
        why = f"gift {gift!r} paid nothing of it" if gift is not None else "all of it was reversed before"
        raise RefusedError("CC-REVERSAL", f"nothing of {old.id!r} can be taken over: {why}", reverses=old.id, left=0)
    return left
