"""Balances: how much a command takes that takes all there is, so that it can be told twice.

A command that takes a whole balance says something else a minute later, when more came in. Under the id of a record
that stands there it therefore takes what that record took: a try that was cut off is told again in the same words and
is recorded once.
"""

from __future__ import annotations

from charitychain.reading import Reader
from charitychain.state.accounts import AccountState

__all__ = ["whole_balance"]


def whole_balance(reader: Reader, account: AccountState, *, kind: int, id: str) -> int:
    """Return what an account holds, or what a record of this kind and id took out of it already; smallest units.

    Args:
        kind: Number of the record's kind, such as `charitychain.records.Conversion.KIND`.
    """
    row = reader.index.find_id(id)
    if row is not None and row.kind == kind and row.account == account.number:
        return row.amount
    return account.balance
