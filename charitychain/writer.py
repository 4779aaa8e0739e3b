"""The writer: journal entries in, records under the right signatures.

A `Writer` is what `charitychain.Ledger.writer` gives: methods named for the records of the journal. It finds out
whether the ledger holds an entry already, and hands new ones to a `charitychain.sealing.Sealer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from charitychain import entries
from charitychain.chain.statements import SignedStatement
from charitychain.errors import MalformedError, RefusedError, VerificationError
from charitychain.index import Head
from charitychain.keys import PrivateKey, key_id
from charitychain.records import Record
from charitychain.sealing import Part, Sealer
from charitychain.state.lookup import Link, columns_at
from charitychain.state.parties import PartyState, possession_message

__all__ = ["Writer"]


class Writer:
    """Records entries and seals them as blocks; made by `Ledger.writer`.

    Methods are named for the records of the journal and take its fields; ``from`` is spelt `source`. Each checks the
    ledger's rules at once. Amounts are decimal strings in major units.

    Leaving the ``with`` block commits; an exception that leaves it records nothing of what was not yet committed.
    """

    def __init__(self, core: Sealer, make_key: Callable[[str], PrivateKey]) -> None:
        self.core, self._make_key = core, make_key

    def add(self, entry: entries.Entry) -> bool:
        """Record one journal entry; return False where the ledger holds the same already.

        Raises:
            MalformedError: the entry is not well formed.
            RefusedError: a rule says no, or its id is taken by other content; nothing changed.
            KeyAccessError: the key of its author is not at hand.
        """
        if entry.get("record") == "statement":
            return self.add_together(_listed(entry))
        kind = entries.check_form(entry)
        signed = self._signed(kind, entry)
        if signed is not None:
            self._check_same(dict(entry), *signed)
            return False
        built = self._build(entry)
        cosigners = (*built.cosigners, *self._approvers(built))
        self.core.record(built.record, built.author, cosigners, built.columns, by_recovery=built.by_recovery)
        return True

    def add_together(self, listed: Sequence[entries.Entry]) -> bool:
        """Record entries as one statement, all or none; return False where the ledger holds all of them already.

        The author of the first signs, and so does everybody whose signature any of them needs.

        Raises:
            MalformedError, RefusedError, KeyAccessError: as for `add`; nothing since the last commit is recorded then.
        """
        known = [self._known(entry) for entry in listed]
        if known and all(known):
            return False
        if any(known):
            raise RefusedError(
                "CC-DUPLICATE-ID", "some records of this statement are recorded already, and others are not"
            )
        first, parts = self._together(listed)
        if first.by_recovery:
            raise RefusedError("CC-RECOVERY-KEY", "what a recovery key signs is entered record by record")
        self.core.record_together(parts, first.author)
        return True

    def draft(self, listed: Sequence[entries.Entry]) -> SignedStatement:
        """Return entries, one at least, as one statement that nobody has signed yet; for a dry run.

        Raises:
            MalformedError, RefusedError: as for `add`.
        """
        first, parts = self._together(listed)
        return self.core.prepare(parts, first.author, by_recovery=first.by_recovery)

    def submit(self, statement: SignedStatement) -> bool:
        """Record a statement that was signed elsewhere; return False where it is the last one of its author.

        Raises:
            VerificationError: it is not signed as it must be.
            RefusedError: a rule says no, or it does not go on from where its author stands now.
        """
        try:
            author = self.core.state.party_of(statement.header.author)
        except KeyError:
            raise RefusedError("CC-DRAFT", "the author of this draft is no party of this ledger") from None
        if author.previous == statement.id:
            return False
        try:
            self.core.state.check_order(statement.header)
        except VerificationError as error:
            raise RefusedError(
                "CC-DRAFT", f"this draft does not go on from where the ledger stands ({error}); make it anew"
            ) from error
        self.core.add(statement)
        return True

    def _together(self, listed: Sequence[entries.Entry]) -> tuple[entries.Built, Iterator[Part]]:
        """Return the first record of a statement, and all of them, each built when those before it count."""
        if not listed:
            raise MalformedError("CC-ENTRY", "a statement holds one record at least")
        for entry in listed:
            entries.check_form(entry)
        if len({bool(entry.get("by_recovery")) for entry in listed}) > 1:
            raise RefusedError("CC-RECOVERY-KEY", "a recovery key signs nothing together with other keys")
        first = self._build(listed[0])

        def parts() -> Iterator[Part]:
            for number, entry in enumerate(listed):
                built = self._build(entry) if number else first
                yield built.record, built.columns, (built.author, *built.cosigners, *self._approvers(built))

        return first, parts()

    def _known(self, entry: entries.Entry) -> bool:
        signed = self._signed(entries.check_form(entry), entry)
        if signed is not None:
            self._check_same(dict(entry), *signed)
        return signed is not None

    def _build(self, entry: entries.Entry) -> entries.Built:
        kind = entries.check_form(entry)
        if "because_of" in entry or kind == "received":
            self.core.settle_reversals()
        for about in ("reverses", "acknowledges", "replaces", "line", "because_of"):
            if isinstance(entry.get(about), str):
                self.core.settle(str(entry[about]).partition("/")[0] if about == "line" else str(entry[about]))
        if kind in ("party", "key") and "proof" not in entry and "key" in entry:
            entry = {**entry, "proof": self._prove(entry, "key")}
        if kind == "party" and "recovery" in entry and "recovery_proof" not in entry:
            entry = {**entry, "recovery_proof": self._prove(entry, "recovery")}
        if kind == "control" and "recovery" in entry and "proof" not in entry:
            entry = {**entry, "proof": self._prove(entry, "recovery")}
        return entries.build(self.core.state, entry)

    def _approvers(self, built: entries.Built) -> list[PartyState]:
        """Choose who approves: those that sign anyway, then those whose keys are at hand, then the others in order."""
        state, chosen = self.core.state, []
        signing = [built.author, *built.cosigners]
        for needed, parties in built.approvals:

            def rank(party: PartyState) -> tuple[bool, bool, bool]:
                key = party.key_at(state.height)
                return party.suspended, party not in signing, key is None or not self.core.signers.has_key(key)

            chosen += sorted(parties, key=rank)[:needed]
        return chosen

    def _check_same(self, told: dict[str, Any], signed: dict[str, Any], author: str) -> None:
        """Refuse an entry that says something else than the record which has its id."""
        if told.get("author") == author:  # said outright, or left out where it is the one that would be taken
            told.pop("author")
            signed.pop("author", None)
        if names := entries.differing_fields(told, signed):
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"{told.get('id') or told.get('series') or told.get('party')!r} is recorded already, with another"
                f" {', '.join(names)}; ids are unique",
                id=entries.entry_id(told),
                fields=names,
            )

    def _as_told(self, entry: entries.Entry, found: dict[str, Any], record: Record) -> dict[str, Any]:
        """Return what a record says, without its author where the one taken then may own the account no more."""
        if "author" not in entry and self._had_other_owners(record):
            found.pop("author", None)
        return found

    def _had_other_owners(self, record: Record) -> bool:
        """Say whether an account that a record is about belonged to somebody else once."""
        state = self.core.state
        return any(
            getattr(state.record_at(place), "owner", None) is not None
            for account in entries.accounts_of(state, record)
            for place in state.lookup.links(account.id, Link.CHANGED)
        )

    def _signed(self, kind: str, entry: entries.Entry) -> tuple[dict[str, Any], str] | None:
        """Return as an entry what the ledger holds under this entry's id, and who signed it."""
        state = self.core.state
        if kind == "key":
            return self._signed_key(entry)
        if kind == "gifts":
            return self._signed_gifts(entry)
        id_ = entries.entry_id(entry)
        row = state.lookup.find_id(id_) if id_ is not None else None
        if row is None:
            return None
        record, author = self.core.signed(row.place)
        signers = self.core.signers_at(row.place)
        found = entries.describe(state, record, author, with_unit="unit" in entry, signers=signers)
        found = self._as_told(entry, found, record)
        told = entry.get("approved_by")
        if isinstance(told, list | tuple) and set(map(str, told)) <= set(signers):  # others may have signed beside them
            found["approved_by"] = list(told)
        return found, author

    def _signed_key(self, entry: entries.Entry) -> tuple[dict[str, Any], str] | None:
        try:
            party = self.core.state.party(str(entry["party"]))
        except RefusedError:
            return None
        known = [key.key.hex() for key in party.keys]
        told = str(entry.get("key", "")).lower()
        if not told:  # it marks a key as compromised, and brings none
            since, marked = entry.get("compromised_since"), str(entry.get("replaces", "")).lower()
            said = any(key_id(key.key).hex() == marked and key.compromised == since for key in party.keys)
            return (dict(entry), party.id) if said else None
        return (dict(entry), party.id) if told in known else None

    def _signed_gifts(self, entry: entries.Entry) -> tuple[dict[str, Any], str] | None:
        state = self.core.state
        ids = entry["ids"]
        batch = None
        first = str(ids[0]) if isinstance(ids, list | tuple) and ids else ""
        if first.isascii() and first.isdigit() and len(first) < 20:
            batch = state.lookup.find_batch(str(entry["series"]), int(first))
        if batch is None or batch.first != int(ids[0]):
            return None
        record, author = self.core.signed(batch.place)
        data = columns_at(state.lookup, batch.place)
        found = entries.describe(state, record, author, data, with_unit="unit" in entry)
        return self._as_told(entry, found, record), author

    def _prove(self, entry: entries.Entry, field: str) -> str:
        """Make the proof of possession for a key that is in the keyring."""
        name = str(entry.get("id") if entry["record"] == "party" else entry["party"])
        try:
            public = bytes.fromhex(str(entry[field]))
            if len(public) != 33:
                raise ValueError(f"it has {len(public)} bytes")
        except ValueError as error:
            raise MalformedError("CC-ENTRY", f"{field} must be 66 hex digits", field=field) from error
        key = self.core.signers.key_of(public)
        return key.sign(possession_message(self.core.identity, name, public)).hex()

    # ------------------------------------------------------------------------------------------ kinds

    def unit(self, id: str, *, decimals: int, **fields: Any) -> bool:
        """Declare a commodity with its decimals (0..12)."""
        return self.add(_entry("unit", fields, id=id, decimals=decimals))

    def party(self, id: str, *, roles: list[str], key: str | None = None, **fields: Any) -> bool:
        """Admit a party; without `key` (66 hex digits) one is made in the keyring. It acts from the next block on."""
        if key is None:
            if self.core.state.lookup.find_id(id) is not None:
                raise RefusedError("CC-DUPLICATE-ID", f"id {id!r} is taken", id=id)
            key = self._make_key(id).public_key.hex()
        return self.add(_entry("party", fields, id=id, roles=roles, key=key))

    def rotate_key(self, party: str, *, old: bytes | None = None) -> bool:
        """Replace a party's key by a new one in the keyring, which acts from the next block on.

        Args:
            old: The public key, where the party has several and it is not the newest.
        """
        old = old or self.core.state.party(party).key_at(self.core.state.height)
        if old is None:
            raise RefusedError("CC-KEY-LATER", f"{party!r} has no acting key to replace", party=party)
        new = self._make_key(party).public_key.hex()
        return self.add({"record": "key", "party": party, "key": new, "replaces": key_id(old).hex()})

    def account(self, id: str, *, unit: str, **fields: Any) -> bool:
        """Open a fund or project in one unit; `rule` is ``fifo`` or ``pro-rata``."""
        return self.add(_entry("account", fields, id=id, unit=unit))

    def account_change(self, id: str, *, account: str, **fields: Any) -> bool:
        """Change an account's terms or owner, close it (`closed=True`) or open it again; what is left out stays."""
        return self.add(_entry("account-change", fields, id=id, account=account))

    def donation(self, id: str, *, account: str, amount: str, **fields: Any) -> bool:
        """Record one gift."""
        return self.add(_entry("donation", fields, id=id, account=account, amount=amount))

    def gifts(self, series: str, *, account: str, ids: Any, amounts: Any, donors: Any = None, **fields: Any) -> bool:
        """Record many micro-donations as columns: `ids` rise, `amounts` are decimal strings, `donors` 32 hex digits."""
        return self.add(
            _entry("gifts", fields, series=series, account=account, ids=ids, amounts=amounts, donors=donors)
        )

    def disbursement(self, id: str, *, source: str, to: str, amount: str, **fields: Any) -> bool:
        """Move value to another account."""
        return self.add(_entry("disbursement", fields, id=id, source=source, to=to, amount=amount))

    def split(self, id: str, *, source: str, to: Mapping[str, str], amount: str, **fields: Any) -> bool:
        """Move value to several accounts, each of which gets its share of every gift; `to` is amounts by account."""
        return self.add(_entry("split", fields, id=id, source=source, to=dict(to), amount=amount))

    def expenditure(
        self, id: str, *, source: str, amount: str, purpose: str, payee: str | None = None, **fields: Any
    ) -> bool:
        """Record a final use. Only a loss (``category="loss"``) has no payee."""
        return self.add(
            _entry("expenditure", fields, id=id, source=source, amount=amount, payee=payee, purpose=purpose)
        )

    def conversion(self, id: str, *, source: str, amount: str, to: str, gives: str, **fields: Any) -> bool:
        """Change the unit of value."""
        return self.add(_entry("conversion", fields, id=id, source=source, amount=amount, to=to, gives=gives))

    def refund(self, id: str, *, donation: str, **fields: Any) -> bool:
        """Give back to its donor what is left of a gift; without `amount`, all of it there."""
        return self.add(_entry("refund", fields, id=id, donation=donation))

    def reversal(self, id: str, *, reverses: str, **fields: Any) -> bool:
        """Undo an expenditure, disbursement, gift or pledge; without `amount`, all that is left of it."""
        return self.add(_entry("reversal", fields, id=id, reverses=reverses))

    def sent(self, id: str, *, source: str, amount: str, to_ledger: str, **fields: Any) -> bool:
        """Send value to another ledger, named by its identity (64 hex digits)."""
        return self.add(_entry("sent", fields, id=id, source=source, amount=amount, to_ledger=to_ledger))

    def received(self, id: str, *, account: str, amount: str, from_ledger: str, **fields: Any) -> bool:
        """Receive what another ledger sent; `charitychain.across.received_entry` gives all fields."""
        return self.add(_entry("received", fields, id=id, account=account, amount=amount, from_ledger=from_ledger))

    def pledge(self, id: str, *, account: str, amount: str, **fields: Any) -> bool:
        """Record what somebody announces to give; it never counts as received."""
        return self.add(_entry("pledge", fields, id=id, account=account, amount=amount))

    def plan(self, id: str, *, account: str, lines: Sequence[Mapping[str, Any]], **fields: Any) -> bool:
        """Record a budget: `lines` with the fields line, kind, what, quantity and price."""
        return self.add(_entry("plan", fields, id=id, account=account, lines=[dict(line) for line in lines]))

    def acknowledgement(self, id: str, *, acknowledges: str, author: str, **fields: Any) -> bool:
        """Say as `author` that something arrived; `status="disputed"` says that it did not."""
        return self.add(_entry("acknowledgement", fields, id=id, acknowledges=acknowledges, author=author))

    def outcome(
        self, id: str, *, account: str, indicator: str, quantity: int, of: Sequence[str], **fields: Any
    ) -> bool:
        """Say what the expenditures `of` an account did: `quantity` of an indicator."""
        return self.add(
            _entry("outcome", fields, id=id, account=account, indicator=indicator, quantity=quantity, of=list(of))
        )

    def attestation(self, id: str, *, accounts: list[str], amount: str, at: str, author: str, **fields: Any) -> bool:
        """Say as an auditor what accounts really hold at the end of day `at` (``YYYY-MM-DD``)."""
        return self.add(_entry("attestation", fields, id=id, accounts=accounts, amount=amount, at=at, author=author))

    def period(self, id: str, *, until: str, **fields: Any) -> bool:
        """Close the books up to day `until`: what is dated by then and comes later is flagged as late."""
        return self.add(_entry("period", fields, id=id, until=until))

    def commit(self) -> Head:
        """Seal what was recorded as one block and return the new head; durable when it returns."""
        return self.core.commit()


def _listed(entry: entries.Entry) -> list[entries.Entry]:
    listed = entry.get("records")
    if set(entry) != {"record", "records"} or not isinstance(listed, list | tuple):
        raise MalformedError("CC-ENTRY", "a statement has the field 'records', a list of entries, and no other")
    for item in listed:
        if not isinstance(item, Mapping):
            raise MalformedError("CC-ENTRY", f"a record of a statement must be an object, found {item!r:.60}")
    return list(listed)


_OUTFLOWS = ("disbursement", "split", "expenditure", "conversion", "sent", "refund")


def _entry(record: str, fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    found = {"record": record, **more, **fields}
    if "source" in found and record in _OUTFLOWS:
        found["from"] = found.pop("source")
    return {name: value for name, value in found.items() if value is not None}
