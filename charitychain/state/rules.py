"""The rules: what each kind of record may do, and what it does to accounts and parties.

`State` replays a ledger record by record. The writer and `verify` use the same calls:

    begin_block → (begin_statement → apply … → end_statement) … → end_block

Rules upheld here:

- `apply` checks everything first and changes state only then: a refused record leaves no trace.
- One id space for records, parties, units and series; an id comes once.
- A ledger of format 1 holds what format 1 knew, under the rules that held then.

The rules of each kind stand in `admission`, `value`, `across`, `corrections` and `words`. State reads earlier rows
through a `Lookup` and writes new ones there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from charitychain import records
from charitychain.errors import CharitychainError, RefusedError
from charitychain.state import across, admission, corrections, value, words
from charitychain.state.acting import Acting

__all__ = ["State"]

_RULES: dict[type[Any], Callable[[Acting, Any, bytes], None]] = {
    **admission.RULES, **value.RULES, **across.RULES, **corrections.RULES, **words.RULES,
}  # fmt: skip
_OUTFLOWS = (records.Disbursement, records.Expenditure, records.Conversion, records.Refund, records.Reversal)


class State(Acting):
    """A ledger's standing, and the rules that change it record by record.

    Args:
        lookup: Earlier rows; `load` goes on from what was saved there.
        identity: The ledger's identity, 32 bytes.
        version: The ledger's format.
    """

    def apply(self, record: records.Record, data: bytes, gift_columns: bytes | None = None) -> None:
        """Apply the next record of the open statement.

        Args:
            data: The record's canonical bytes.
            gift_columns: The columns of a `gifts` record.

        Raises:
            RefusedError, MalformedError: a rule is broken; nothing changed.
        """
        if self.author is None:
            raise ValueError("begin_statement comes first")
        self.record += 1
        self.moves.append([])
        run = self.run
        if run is not None and not (isinstance(record, records.Donation) and record.account == run.account.number):
            self.close_run()
        try:
            self.check_author(record)
            if self.version == 1:
                self._check_version_1(record)
            else:
                self.check_dates(record)
            id_ = records.record_id(record)
            if id_ is not None:
                self.check_new(id_)
            if type(record) is records.Gifts:
                value.apply_gifts(self, record, gift_columns)
            else:
                _RULES[type(record)](self, record, data)
        except CharitychainError:
            self.record -= 1
            self.moves.pop()
            raise

    def _check_version_1(self, record: records.Record) -> None:
        known = records.is_of_version_1(record)
        if isinstance(record, records.Reversal):
            row = self.lookup.find_id(record.reverses)
            known = known and (row is None or row.kind == records.Expenditure.KIND)
        if not known:
            raise RefusedError(
                "CC-VERSION",
                f"this ledger has format 1, which knows no such {record.NAME}; export it and import it into a new"
                " ledger",
            )
        assert self.author is not None
        if isinstance(record, _OUTFLOWS):
            account = self._source_of(record)
            if account is not None and account.owner != self.author.number:
                owner = self.parties[account.owner].id
                raise RefusedError(
                    "CC-AUTHOR", f"what leaves {account.id!r} must be signed by its owner {owner!r}", party=owner
                )

    def _source_of(self, record: Any) -> Any:
        if isinstance(record, records.Reversal):
            row = self.lookup.find_id(record.reverses)
            return self.accounts[row.account] if row is not None and row.account is not None else None
        if isinstance(record, records.Refund) and record.account is None:
            return self.accounts[self.gift(record.donation).account]
        return self.account(record.account)
