"""Audit: findings about the books that are no faults of the ledger.

A ledger can hold to the last bit and its books still want a question: an invoice paid beyond its total, one document
behind two payments, a gift entered after its period was closed, an auditor that owns what it checks.
`charitychain.verify` lets a `Watch` see every record while it replays them, and lists what was found as `Finding`s.
They change no verdict and no exit code.

Rules upheld here:

- No second pass: what is needed of a record is noted as it is replayed, in the scratch index. Only the blocks in which
  a compromised key signed, and reversals of disputed records, are read again.
- Memory does not grow with the ledger: lists are bounded, and the rest is counted.
- What was reversed does not count, and no attestation that a compromised key signed.
- A ledger with a fault is not audited: what its books are is not known then.

What it leaves to others: whether a finding is a mistake. Each is a question to the bookkeeper.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from charitychain import keys, records
from charitychain.findings import EXAMPLES, Finding, Sum, bounded, days, exceeded_caps, mixed_roles, names
from charitychain.index import Index
from charitychain.lag import Lag
from charitychain.outcomes import Outcomes
from charitychain.reading import read_block
from charitychain.records import Place
from charitychain.state.lookup import Link, find_gift
from charitychain.state.parties import PartyState
from charitychain.state.rules import State
from charitychain.store.protocol import Store
from charitychain.transit import Taken
from charitychain.units import format_amount

__all__ = ["Finding", "Watch"]

_TABLES = (
    "CREATE TABLE audit_invoices (key TEXT, unit TEXT, total INTEGER, id TEXT, account INTEGER, movement INTEGER,"
    " amount INTEGER)",
    "CREATE TABLE audit_documents (hash BLOB, invoice TEXT, unit TEXT, id TEXT, account INTEGER, movement INTEGER,"
    " amount INTEGER)",
    "CREATE TABLE audit_disputes (about TEXT, party INTEGER, word TEXT, PRIMARY KEY (about, party)) WITHOUT ROWID",
    "CREATE TABLE audit_attested (at TEXT, id TEXT, party INTEGER, amount INTEGER, accounts TEXT, held TEXT)",
)


# Reversals only lower what stands, so most keys need no second look. total() is a float, exact up to 2^53.
_SUSPECT_INVOICES = (
    "SELECT a.* FROM audit_invoices AS a JOIN (SELECT key AS k, unit AS u FROM audit_invoices GROUP BY key, unit"
    " HAVING min(total) < max(total) OR total(amount) > min(total) OR total(amount) > 9e15) ON a.key = k AND a.unit = u"
    " ORDER BY key, unit, a.rowid"
)
_SUSPECT_DOCUMENTS = (
    "SELECT a.* FROM audit_documents AS a JOIN (SELECT hash AS h FROM audit_documents GROUP BY hash"
    " HAVING count(*) > 1 AND (count(invoice) < count(*) OR min(invoice) < max(invoice))) ON a.hash = h"
    " ORDER BY hash, a.rowid"
)


class _Attested(NamedTuple):
    """An attestation, and what the ledger held in its accounts where it stands; minor units."""

    id: str
    by: str
    at: str
    amount: int
    accounts: tuple[int, ...]
    held: int


class Watch:
    """Sees every record of a replay, and tells in the end what was found.

    Args:
        index: The scratch index of the replay, in an open transaction.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lag, self._taken, self._outcomes = Lag(), Taken(index), Outcomes(index)
        self._noted: dict[type[Any], Callable[[State, Any], None]] = {
            records.Donation: self._taken.came,
            records.Gifts: self._taken.came,
            records.Expenditure: self._expenditure,
            records.Reversal: lambda _, record: self._taken.undone(record),
            records.Acknowledgement: self._acknowledgement,
            records.Attestation: self._attestation,
            records.Outcome: self._outcomes.see,
        }
        for table in _TABLES:
            index.run(table)

    # ------------------------------------------------------------------------------------------- the replay

    def see(self, state: State, record: records.Record, sealed: int) -> None:
        """Note what is needed of a record that was just applied; `sealed` is its block's time, UTC seconds."""
        self._lag.see(record, sealed)
        note = self._noted.get(type(record))
        if note is not None:
            note(state, record)

    def _expenditure(self, state: State, record: records.Expenditure) -> None:
        if record.invoice is None and not record.evidence:
            return
        row = self._index.find_id(record.id)
        if row is None:
            return
        unit = state.accounts[record.account].unit
        key, total = record.invoice or (None, None)
        if key is not None:
            self._index.run(
                "INSERT INTO audit_invoices VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, unit, total, record.id, row.account, row.movement, record.amount),
            )
        for document in dict.fromkeys(record.evidence):
            self._index.run(
                "INSERT INTO audit_documents VALUES (?, ?, ?, ?, ?, ?, ?)",
                (document, key, unit, record.id, row.account, row.movement, record.amount),
            )

    def _acknowledgement(self, state: State, record: records.Acknowledgement) -> None:
        assert state.author is not None
        self._taken.said(state.place, record)
        about = (record.acknowledges, state.author.number)
        if record.status == "disputed":
            self._index.run("INSERT OR REPLACE INTO audit_disputes VALUES (?, ?, ?)", (*about, record.id))
        elif not record.upto:  # the last word of each party counts, and a word on many says nothing new of one
            self._index.run("DELETE FROM audit_disputes WHERE about = ? AND party = ?", about)

    def _attestation(self, state: State, record: records.Attestation) -> None:
        assert state.author is not None
        # As text, for the sum of many accounts may be more than a column holds.
        held = str(sum(state.accounts[number].balance for number in record.accounts))
        self._index.run(
            "INSERT INTO audit_attested VALUES (?, ?, ?, ?, ?, ?)",
            (record.at, record.id, state.author.number, record.amount, ",".join(map(str, record.accounts)), held),
        )

    # --------------------------------------------------------------------------------------------- the end

    def findings(self, state: State, store: Store) -> tuple[Finding, ...]:
        """Return everything found, in the order of the page that explains it."""
        parts: tuple[Iterable[Finding], ...] = (
            self._beyond_total(state), self._told_differently(state), self._documents(state), exceeded_caps(state),
            self._late(), self._lag_found(), self._disputes(state), self._compromised(state, store),
            self._taken.findings(state), self._unattested(state, store), self._outcomes.exceeding(state),
            self._outcomes.overlapping(state), mixed_roles(state),
        )  # fmt: skip
        return tuple(chain.from_iterable(map(bounded, parts)))

    def _left(self, state: State, account: int, movement: int, amount: int) -> int:
        """Return what of an expenditure was not reversed, minor units."""
        leaf = state.accounts[account].reversed.find(movement)
        return amount - (leaf.sum if leaf else 0)

    def _invoices(self, state: State) -> Iterator[tuple[str, str, Sum, int, int]]:
        """Yield (key, unit, what stands, lowest total, highest total) of each invoice that may be worth a word."""
        for (key, unit), group in groupby(self._index.rows(_SUSPECT_INVOICES), key=itemgetter(0, 1)):
            found, low, high = Sum(), 0, 0
            for _, _, total, id_, account, movement, amount in group:
                left = self._left(state, account, movement, amount)
                if left:
                    low, high = (min(low, total), max(high, total)) if found.count else (total, total)
                    found.add(id_, left)
            if found.count:
                yield key, unit, found, low, high

    def _beyond_total(self, state: State) -> Iterator[Finding]:
        for key, unit, found, _, total in self._invoices(state):
            if found.amount > total:
                said, used = (format_amount(amount, state.units[unit]) for amount in (total, found.amount))
                yield Finding(
                    "AUDIT-INVOICE",
                    f"Invoice {key} over {said} {unit} is behind expenditures of {used} {unit}: {found.names()}.",
                    {"invoice": key, "unit": unit, "total": said, "used": used, **found.facts()},
                )

    def _told_differently(self, state: State) -> Iterator[Finding]:
        for key, unit, found, low, high in self._invoices(state):
            if low != high:
                least, most = (format_amount(amount, state.units[unit]) for amount in (low, high))
                yield Finding(
                    "AUDIT-INVOICE-TOTAL",
                    f"The total of invoice {key} is told differently, from {least} to {most} {unit}: {found.names()}.",
                    {"invoice": key, "unit": unit, "lowest": least, "highest": most, **found.facts()},
                )

    def _documents(self, state: State) -> Iterator[Finding]:
        for document, group in groupby(self._index.rows(_SUSPECT_DOCUMENTS), key=itemgetter(0)):
            found, invoice, common, sums = Sum(), None, True, dict[str, int]()
            for _, key, unit, id_, account, movement, amount in group:
                left = self._left(state, account, movement, amount)
                if left:
                    common = common and key is not None and (not found.count or key == invoice)
                    invoice = key
                    found.add(id_, left)
                    sums[unit] = sums.get(unit, 0) + left
            if found.count > 1 and not common:
                amounts = {unit: format_amount(sums[unit], state.units[unit]) for unit in sorted(sums)}
                words = " and ".join(f"{amount} {unit}" for unit, amount in amounts.items())
                name = document.hex()
                yield Finding(
                    "AUDIT-DOCUMENT",
                    f"Document {name[:16]}… is behind {found.count} expenditures of {words} in all that do not name"
                    f" one invoice: {found.names()}.",
                    {"document": name, "amounts": amounts, **found.facts()},
                )

    def _late(self) -> Iterator[Finding]:
        count = 0

        def counted() -> Iterator[tuple[Place, str]]:
            nonlocal count
            for about, place in self._index.linked(Link.LATE):
                count += 1
                yield place, about

        ids = [about for _, about in heapq.nsmallest(EXAMPLES, counted())]
        if count:
            yield Finding(
                "AUDIT-LATE",
                f"{count} {'record states' if count == 1 else 'records state'} a day in a period that was closed"
                f" before: {names(ids, count)}.",
                {"count": count, "records": ids},
            )

    def _lag_found(self) -> Iterator[Finding]:
        lag = self._lag.measure()
        if lag.largest or lag.ahead:
            dated = f"{lag.dated} record{'s state' if lag.dated != 1 else ' states'} a date"
            ahead = f" {lag.ahead} stated a day that was still to come." if lag.ahead else ""
            yield Finding(
                "AUDIT-LAG",
                f"{dated}: half were sealed at most {days(lag.median)} later, the last {days(lag.largest)} later"
                f"{f' ({lag.id})' if lag.id else ''}.{ahead}",
                {
                    "dated": lag.dated, "median_days": lag.median, "largest_days": lag.largest, "record": lag.id,
                    "ahead": lag.ahead,
                },
            )  # fmt: skip

    def _disputes(self, state: State) -> Iterator[Finding]:
        rows = self._index.rows("SELECT about, party, word FROM audit_disputes ORDER BY about, party")
        for about, group in groupby(rows, key=itemgetter(0)):
            words = [(state.parties[party].id, word) for _, party, word in group]
            if self._undone(state, about):
                continue
            by = ", ".join(f"{party} ({word})" for party, word in words[:EXAMPLES])
            yield Finding(
                "AUDIT-DISPUTED",
                f"{about} is disputed by {by}.",
                {
                    "id": about,
                    "by": [party for party, _ in words[:EXAMPLES]],
                    "words": [w for _, w in words[:EXAMPLES]],
                },
            )

    def _undone(self, state: State, about: str) -> bool:
        """Say whether all of a record was reversed."""
        reversals = self._index.links(about, Link.REVERSED)
        if not reversals:
            return False
        row = find_gift(self._index, about) or self._index.find_id(about)
        done = 0
        for place in reversals:
            found = self._index.find_id(records.record_id(state.record_at(place)) or "")
            done += found.amount if found is not None else 0
        return row is not None and done >= row.amount

    def _compromised(self, state: State, store: Store) -> Iterator[Finding]:
        spans: dict[bytes, tuple[PartyState, int, int]] = {}
        for party in state.parties:
            for key in party.keys:
                if key.compromised is not None:
                    end = state.height + 1 if key.until is None else min(key.until, state.height + 1)
                    spans[keys.key_id(key.key)] = (party, key.compromised, end)
        signed = dict.fromkeys(spans, 0)
        first = min((start for _, start, _ in spans.values()), default=0)
        for height in range(first, max((end for _, _, end in spans.values()), default=0)):
            if not any(start <= height < end for _, start, end in spans.values()):
                continue
            for statement in read_block(store, self._index.block_offset(height), height).statements:
                for key_id in {statement.header.author, *statement.header.signers} & spans.keys():
                    signed[key_id] += spans[key_id][1] <= height < spans[key_id][2]
        for key_id, (party, start, end) in spans.items():
            count = signed[key_id]
            yield Finding(
                "AUDIT-COMPROMISED",
                f"Key {key_id.hex()[:16]}… of {party.id} was compromised from block {start} on and ended before block"
                f" {end}: {count} statement{'s' * (count != 1)} that it signed in between"
                f" {'are' if count != 1 else 'is'} disputed.",
                {"party": party.id, "key_id": key_id.hex(), "since": start, "until": end, "statements": count},
            )

    def _standing(self, state: State, store: Store) -> list[_Attested]:
        """Return the attestations that are the last word on all that they name, without what a stolen key signed."""
        stolen = {
            keys.key_id(key.key): key.compromised
            for party in state.parties
            for key in party.keys
            if key.compromised is not None
        }
        latest: dict[int, _Attested] = {}
        rows = self._index.rows("SELECT id, party, at, amount, accounts, held FROM audit_attested ORDER BY at, rowid")
        for id_, party, at, amount, accounts, held in rows:
            if stolen and self._signed_with(stolen, store, id_):
                continue
            numbers = tuple(map(int, accounts.split(",")))
            said = _Attested(id_, state.parties[party].id, at, amount, numbers, int(held))
            latest.update(dict.fromkeys(numbers, said))
        return [
            said
            for number, said in sorted(latest.items())
            if number == min(said.accounts) and all(latest[other] is said for other in said.accounts)
        ]

    def _signed_with(self, stolen: dict[bytes, int], store: Store, id_: str) -> bool:
        """Say whether a record was signed with a key that was compromised by then."""
        row = self._index.find_id(id_)
        assert row is not None
        block = read_block(store, self._index.block_offset(row.place.height), row.place.height)
        header = block.statements[row.place.statement].header
        signed = {header.author, *header.signers} & stolen.keys()
        return any(stolen[key_id] <= row.place.height for key_id in signed)

    def _unattested(self, state: State, store: Store) -> Iterator[Finding]:
        heard = self._index.first("SELECT 1 FROM audit_attested") is not None
        if not heard and not any(party.has("auditor") for party in state.parties):
            return
        stands = self._standing(state, store)
        for unit in sorted({account.unit for account in state.accounts}):
            held = sum(account.balance for account in state.accounts if account.unit == unit)
            said_here = [said for said in stands if state.accounts[said.accounts[0]].unit == unit]
            if not held and not said_here:
                continue
            now = [sum(state.accounts[number].balance for number in said.accounts) for said in said_here]
            covered = sum(min(said.amount, there) for said, there in zip(said_here, now, strict=True))
            known = state.units[unit]
            there, sure = format_amount(held, known), format_amount(covered, known)
            told = [
                {
                    "id": said.id, "by": said.by, "at": said.at, "amount": format_amount(said.amount, known),
                    "held_then": format_amount(said.held, known),
                    "accounts": [state.accounts[number].id for number in said.accounts[:EXAMPLES]],
                }
                for said in said_here[:EXAMPLES]
            ]  # fmt: skip
            words = "; ".join(
                f"{said['id']} of {said['by']} says {said['amount']} on {said['at']}, and the ledger held"
                f" {said['held_then']} when it came"
                for said in told
            )
            more = f"; and {len(said_here) - len(told)} more" if len(said_here) > len(told) else ""
            share = f"{sure} is" if covered else "nothing is"
            yield Finding(
                "AUDIT-UNATTESTED",
                f"Of {there} {unit} held here {share} attested{': ' if words else ''}{words}{more}.",
                {"unit": unit, "held": there, "attested": sure, "attestations": told, "count": len(said_here)},
            )
