"""The rules: what each kind of record may do, and what it does to accounts and parties.

`State` replays a ledger record by record. The writer and `verify` use the same calls:

    begin_block → (begin_statement → apply … → end_statement) … → end_block

Rules upheld here:

- `apply` checks everything first and changes state only then: a refused record leaves no trace.
- One id space for records, parties, units and series; an id comes once.
- Value leaves an account only under its owner's signature, never beyond its balance, and never to itself.
- A conversion mints nothing: same unit to same unit is refused, and a currency made from a commodity is paid by an
  account of that currency.
- Donations that follow each other into one account within a statement make one inflow together.

State reads earlier rows through a `Lookup` and writes new ones there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from charitychain import codec, columns, keys, records
from charitychain.chain.statements import Moves, record_hash
from charitychain.errors import CharitychainError, MalformedError, RefusedError, VerificationError
from charitychain.records import Place
from charitychain.state.accounts import AccountState
from charitychain.state.flow import follow
from charitychain.state.lookup import Batch, GiftAt, IdAt, Lookup, find_gift
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.state.parties import PartyKey, PartyState, possession_message
from charitychain.state.standing import Standing
from charitychain.sumlog import Span, Tag, span_leaf, span_root
from charitychain.tape import Run, first_units, join_runs
from charitychain.units import BUILT_IN, Unit, format_amount

__all__ = ["State"]


class _Donations:
    """An uninterrupted run of donations into one account that is still open."""

    def __init__(self, account: AccountState, place: Place) -> None:
        self.account, self.place = account, place
        self.amount = 0
        self.leaves: list[Span] = []


class State(Standing):
    """A ledger's standing, and the rules that change it record by record.

    Args:
        lookup: Earlier rows; `load` goes on from what was saved there.
        identity: The ledger's identity, 32 bytes.
    """

    def __init__(self, lookup: Lookup, identity: bytes) -> None:
        super().__init__(lookup, identity)
        self._run: _Donations | None = None
        self._author: PartyState | None = None
        self._signers: frozenset[int] = frozenset()
        self._statement = self._record = -1
        self._moves: list[list[Ref]] = []

    # ------------------------------------------------------------------------------------------ statements

    def begin_block(self, height: int) -> None:
        super().begin_block(height)
        self._statement = -1

    def begin_statement(self, header_keys: Iterable[bytes]) -> None:
        """Open a statement by its author's key id, followed by those of the required signers."""
        parties = [self.signer(key_id)[0] for key_id in header_keys]
        self._author = parties[0]
        self._signers = frozenset(party.number for party in parties)
        self._statement += 1
        self._record = -1
        self._moves = []

    def end_statement(self) -> Moves:
        """Close the statement; return for each record the movements that it made."""
        self._close_run()
        return tuple(map(tuple, self._moves))

    def cancel_statement(self) -> None:
        """Take back `begin_statement`, as long as no record was applied."""
        if self._moves:
            raise ValueError("a statement with records cannot be cancelled")
        self._statement -= 1

    def skip_record(self) -> None:
        """Count a record that cannot be applied, so that those after it keep their places."""
        self._record += 1
        self._moves.append([])

    # ------------------------------------------------------------------------------------------- records

    def apply(self, record: records.Record, data: bytes, gift_columns: bytes | None = None) -> None:
        """Apply the next record of the open statement.

        Args:
            data: The record's canonical bytes.
            gift_columns: The columns of a `gifts` record.

        Raises:
            RefusedError, MalformedError: a rule is broken; nothing changed.
        """
        if self._author is None:
            raise ValueError("begin_statement comes first")
        self._record += 1
        self._moves.append([])
        run = self._run
        if run is not None and not (isinstance(record, records.Donation) and record.account == run.account.number):
            self._close_run()
        try:
            id_ = records.record_id(record)
            if id_ is not None:
                self._check_new(id_)
            if type(record) is records.Gifts:
                self._gifts(record, gift_columns)
            else:
                _APPLY[type(record)](self, record, data)
        except CharitychainError:
            self._record -= 1
            self._moves.pop()
            raise

    @property
    def _place(self) -> Place:
        return Place(self.height, self._statement, self._record)

    def _check_new(self, id_: str) -> None:
        if id_ in BUILT_IN:
            raise RefusedError("CC-DUPLICATE-ID", f"{id_!r} is a unit that every ledger has", id=id_)
        if id_ == "self" and not self._is_first:
            raise RefusedError("CC-DUPLICATE-ID", "'self' is the ledger's first party", id=id_)
        row = self.lookup.find_id(id_)
        if row is not None:
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"id {id_!r} is taken by a record in block {row.place.height}; ids are unique in a ledger",
                id=id_,
            )

    @property
    def _is_first(self) -> bool:
        return self._place == (0, 0, 0)

    def _check_key(self, party: str, key: bytes, proof: bytes) -> None:
        keys.check_public_key(key)
        if keys.key_id(key) in self._key_parties and not self._is_first:
            raise RefusedError("CC-KEY-USED", "this key is registered already; make a new one", party=party)
        if not keys.is_valid(key, possession_message(self.identity, party, key), proof):
            raise RefusedError(
                "CC-POSSESSION",
                f"the proof that {party!r} holds its key does not verify for this ledger; ask for a new request",
                party=party,
            )

    def _require(self, number: int, what: str) -> None:
        """Require that the party of this number signed the open statement."""
        if number not in self._signers:
            raise RefusedError(
                "CC-AUTHOR",
                f"{what} needs the signature of {self.parties[number].id!r}",
                party=self.parties[number].id,
            )

    def _require_operator(self, what: str) -> None:
        assert self._author is not None
        if self._author.number != 0:
            raise RefusedError(
                "CC-ROLE", f"only the operator may {what}, not {self._author.id!r}", party=self._author.id
            )

    def _party(self, record: records.Party, data: bytes) -> None:
        self._require_operator("admit a party")
        if self._is_first != (record.id == "self") or ("operator" in record.roles) != self._is_first:
            raise RefusedError("CC-ROLE", "the first record, and it alone, admits the operator, as party 'self'")
        self._check_key(record.id, record.key, record.proof)
        number, start = len(self.parties), self.height + 1
        if self._is_first:
            if record.key != self.parties[0].keys[0].key:
                raise RefusedError("CC-GENESIS", "the first party must hold the genesis key")
            self.parties.clear()
            number = start = 0
        self._add_party(PartyState(number, record.id, record.roles, record.title, [PartyKey(record.key, start)]))
        if self._is_first:
            self._author = self.parties[0]
        self.lookup.put_id(IdAt(record.id, record.KIND, self._place, number))

    def _key(self, record: records.KeyChange, data: bytes) -> None:
        party = self.party(record.party)
        self._require(party.number, "a new key of a party")
        self._check_key(party.id, record.key, record.proof)
        if record.replaces is not None and not any(
            keys.key_id(key.key) == record.replaces and key.until is None for key in party.keys
        ):
            raise RefusedError("CC-UNKNOWN-KEY", f"{party.id!r} has no acting key {record.replaces.hex()[:16]}…")
        if record.replaces is not None:
            party.end_key(record.replaces, self.height + 1)
        party.keys.append(PartyKey(record.key, self.height + 1))
        self._key_parties[keys.key_id(record.key)] = party.number
        self._changed_parties.add(party.number)

    def _unit(self, record: records.UnitRecord, data: bytes) -> None:
        self._require_operator("declare a unit")
        self.units[record.id] = Unit(record.id, record.decimals, record.title or "")
        self.lookup.save("unit", len(self.units), codec.encode([record.id, record.decimals, record.title or ""]))
        self.lookup.put_id(IdAt(record.id, record.KIND, self._place))

    def _account(self, record: records.Account, data: bytes) -> None:
        assert self._author is not None
        owner = self.party(record.owner) if record.owner is not None else self._author
        self._require(owner.number, f"account {record.id!r}")
        if not owner.has("charity", "sponsor"):
            raise RefusedError(
                "CC-ROLE", f"{owner.id!r} has no role to own an account: charity or sponsor", party=owner.id
            )
        if record.unit not in self.units:
            near = f"did you mean {record.unit.upper()!r}?" if record.unit.upper() in self.units else ""
            raise RefusedError(
                "CC-UNIT",
                f"unit {record.unit!r} is neither an ISO 4217 currency nor declared here;"
                f" {near or '`unit add` declares one'}",
                unit=record.unit,
            )
        if record.number != len(self.accounts):
            raise RefusedError(
                "CC-ACCOUNT-NUMBER", "accounts are numbered densely", expected=len(self.accounts), found=record.number
            )
        account = AccountState(
            self.lookup, number=record.number, id_=record.id, unit=record.unit, rule=record.rule or "fifo",
            owner=owner.number, terms=record_hash(data), title=record.title,
        )  # fmt: skip
        self._add_account(account)
        self._changed_accounts.add(account.number)
        self.lookup.put_id(IdAt(record.id, record.KIND, self._place, account.number))

    # ------------------------------------------------------------------------------------ value comes in

    def _check_intake(self, account: AccountState) -> None:
        assert self._author is not None
        if self._author.number != account.owner and not self._author.has("intake"):
            raise RefusedError(
                "CC-ROLE",
                f"{self._author.id!r} neither owns account {account.id!r} nor has the role intake",
                party=self._author.id,
            )

    def _check_room(self, account: AccountState, amount: int) -> None:
        pending = self._run.amount if self._run is not None and self._run.account is account else 0
        if account.in_ + pending + amount > codec.MAX_INT:
            raise RefusedError("CC-TOTAL", f"account {account.id!r} cannot take in 2^63 units or more in all")

    def _donation(self, record: records.Donation, data: bytes) -> None:
        account = self.account(record.account)
        self._check_intake(account)
        self._check_room(account, record.amount)
        run = self._run
        if run is None:
            run = self._run = _Donations(account, self._place)
            self._moves[-1].append((account.number, account.log.size))
        self.lookup.put_id(
            IdAt(record.id, record.KIND, self._place, account.number, account.log.size, run.amount, record.amount)
        )
        run.leaves.append(span_leaf(Tag.DONATIONS_LEAF, record_hash(data), record.amount, self._record, self._record))
        run.amount += record.amount

    def _close_run(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            root = span_root(Tag.DONATIONS_NODE, run.leaves)
            self._add(run.account, Kind.DONATED, run.amount, place=run.place, gifts=(len(run.leaves), root.hash))

    def _gifts(self, record: records.Gifts, gift_columns: bytes | None) -> None:
        account = self.account(record.account)
        self._check_intake(account)
        self._check_room(account, record.amount)
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
        assert self._author is not None
        last = self.lookup.last_batch(record.series)
        if last is None:
            self._check_new(record.series)
        else:
            row = self.lookup.find_id(record.series)
            if row is None or row.account != self._author.number:
                raise RefusedError(
                    "CC-SERIES", f"series {record.series!r} belongs to another party", series=record.series
                )
        if record.previous != (last.last if last else None) or (last and record.first <= last.last):
            raise RefusedError(
                "CC-SERIES",
                f"gifts of series {record.series!r} must go on after {last.last if last else 'nothing'}",
                series=record.series,
                expected=last.last if last else None,
                found=record.previous,
            )
        if last is None:
            self.lookup.put_id(IdAt(record.series, record.KIND, self._place, self._author.number))
        inflow = self._add(account, Kind.DONATED, record.amount, gifts=(count, found.hash))
        self.lookup.put_batch(
            Batch(record.series, record.first, record.last, self._place, account.number, inflow.index, record.width)
        )

    # ------------------------------------------------------------------------------------ value moves on

    def _owned(self, account: AccountState, what: str) -> AccountState:
        assert self._author is not None
        if self._author.number != account.owner:
            owner = self.parties[account.owner].id
            raise RefusedError(
                "CC-AUTHOR", f"{what} out of {account.id!r} must be signed by its owner {owner!r}", party=owner
            )
        return account

    def _check_funds(self, account: AccountState, amount: int) -> None:
        if amount > account.balance:
            unit = self.unit_of(account)
            raise RefusedError(
                "CC-OVERDRAFT",
                f"account {account.id!r} holds {format_amount(account.balance, unit)} {unit.code},"
                f" not {format_amount(amount, unit)}",
                account=account.id,
                balance=account.balance,
                amount=amount,
            )

    def _disbursement(self, record: records.Disbursement, data: bytes) -> None:
        source = self._owned(self.account(record.account), "a disbursement")
        target = self.account(record.to)
        if source is target:
            raise RefusedError("CC-SELF", f"account {source.id!r} cannot pay itself", account=source.id)
        if source.unit != target.unit:
            raise RefusedError(
                "CC-UNIT",
                f"{source.id!r} is in {source.unit} and {target.id!r} in {target.unit}; a conversion changes units",
                expected=source.unit,
                found=target.unit,
            )
        self._check_room(target, record.amount)
        takes = self._takes(source, record.amount, record.gift)
        out = self._next(source)
        into = self._next(target)
        self._add(source, Kind.DISBURSED, record.amount, named=takes is not None, takes=takes or (), target=into)
        self._add(target, Kind.RECEIVED, record.amount, source=out)
        self.lookup.put_id(IdAt(record.id, record.KIND, self._place, *out, 0, record.amount))

    def _expenditure(self, record: records.Expenditure, data: bytes) -> None:
        source = self._owned(self.account(record.account), "an expenditure")
        takes = self._takes(source, record.amount, record.gift)
        out = self._next(source)
        self._add(source, Kind.SPENT, record.amount, named=takes is not None, takes=takes or ())
        self.lookup.put_id(IdAt(record.id, record.KIND, self._place, *out, 0, record.amount))

    def _conversion(self, record: records.Conversion, data: bytes) -> None:
        source = self._owned(self.account(record.account), "a conversion")
        target = self.account(record.to)
        funding = self.account(record.funded_from) if record.funded_from is not None else None
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
        self._require(target.owner, f"a conversion into {target.id!r}")
        self._check_room(target, record.gives)
        self._check_funds(source, record.amount)
        if funding is not None:
            self._require(funding.owner, f"a conversion funded from {funding.id!r}")
            self._check_funds(funding, record.gives)
        out, into = self._next(source), self._next(target)
        pays = self._next(funding) if funding is not None else None
        self._add(source, Kind.CONVERTED_OUT, record.amount, target=into)
        if funding is not None:
            self._add(funding, Kind.FUNDED, record.gives, target=into)
        self._add(
            target, Kind.CONVERTED_IN, record.gives, source=out, second=pays, conversion=(record.amount, record.gives)
        )
        self.lookup.put_id(IdAt(record.id, record.KIND, self._place, *out, 0, record.amount))

    def _refund(self, record: records.Refund, data: bytes) -> None:
        gift = self._gift(record.donation)
        account = self.account(gift.account if record.account is None else record.account)
        self._owned(account, "a refund")
        runs = self.gift_runs(gift, account)
        there = sum(run.length for run in runs)
        amount = there if record.amount is None else record.amount
        takes, missing = first_units(runs, amount)
        if amount == 0 or missing:
            unit = self.unit_of(account)
            raise RefusedError(
                "CC-REFUND",
                f"account {account.id!r} holds {format_amount(there, unit)} {unit.code} of gift {gift.id!r};"
                " that much can be refunded from it",
                gift=gift.id,
                held=there,
            )
        out = self._next(account)
        self._add(account, Kind.REFUNDED, amount, named=True, takes=tuple(takes))
        self.lookup.put_id(IdAt(record.id, record.KIND, self._place, *out, 0, amount))

    def _reversal(self, record: records.Reversal, data: bytes) -> None:
        row = self.lookup.find_id(record.reverses)
        if row is None or row.kind != records.Expenditure.KIND or row.account is None or row.movement is None:
            raise RefusedError(
                "CC-REVERSAL", f"{record.reverses!r} is no expenditure of this ledger", reverses=record.reverses
            )
        account = self._owned(self.accounts[row.account], "the reversal of an expenditure")
        before = account.reversed.find(row.movement)
        left = row.amount - (before.sum if before else 0)
        amount = left if record.amount is None else record.amount
        if not 0 < amount <= left:
            raise RefusedError(
                "CC-REVERSAL",
                f"{format_amount(left, self.unit_of(account))} {account.unit} of {record.reverses!r} can be reversed",
                reverses=record.reverses,
                left=left,
            )
        self._check_room(account, amount)
        back = self._next(account)
        self._add(
            account,
            Kind.REVERSED,
            amount,
            source=(row.account, row.movement),
            previous=before.first if before else None,
        )
        self.lookup.put_id(IdAt(record.id, record.KIND, self._place, *back, 0, amount))

    # --------------------------------------------------------------------------------------- the tape

    def _gift(self, gift_id: str) -> GiftAt:
        gift = find_gift(self.lookup, gift_id)
        if gift is None:
            raise RefusedError("CC-UNKNOWN-GIFT", f"this ledger has no gift {gift_id!r}", gift=gift_id)
        return gift

    def gift_runs(self, gift: GiftAt, account: AccountState) -> list[Run]:
        """Return the runs of `account` that descend from `gift` along the paying lineage and are still held."""
        held = follow(self.lookup, self.accounts, gift, paying_only=True).held.get(account.number, [])
        return join_runs(sorted(held))

    def _takes(self, account: AccountState, amount: int, gift_id: str | None) -> tuple[Run, ...] | None:
        """Check that `amount` can leave; return the runs a name chose, or nothing where the rule takes."""
        self._check_funds(account, amount)
        if gift_id is None:
            return None
        if account.pro_rata:
            raise RefusedError(
                "CC-NAMED", f"account {account.id!r} is pro-rata: every gift pays its even share, none can be named"
            )
        gift = self._gift(gift_id)
        runs = self.gift_runs(gift, account)
        takes, missing = first_units(runs, amount)
        if missing:
            unit = self.unit_of(account)
            raise RefusedError(
                "CC-NAMED",
                f"account {account.id!r} holds {format_amount(amount - missing, unit)} {unit.code} of gift {gift_id!r},"
                f" not {format_amount(amount, unit)}",
                gift=gift_id,
                held=amount - missing,
            )
        return tuple(takes)

    def _next(self, account: AccountState) -> Ref:
        return account.number, account.log.size

    def _add(
        self, account: AccountState, kind: Kind, amount: int, *, place: Place | None = None, **links: Any
    ) -> Movement:
        movement = Movement(
            account.number, account.log.size, kind, place or self._place, amount,
            account.in_, account.rule_sum, account.named, account.back, **links,
        )  # fmt: skip
        account.append(self.lookup, movement)
        self._changed_accounts.add(account.number)
        self.totals[account.unit, kind] = self.totals.get((account.unit, kind), 0) + amount
        if place is None:  # a run of donations was noted when it began
            self._moves[-1].append((account.number, movement.index))
        return movement


def _is_currency(code: str) -> bool:
    return code in BUILT_IN and len(code) == 3


_APPLY: dict[type[Any], Callable[[State, Any, bytes], None]] = {
    records.Party: State._party,
    records.KeyChange: State._key,
    records.UnitRecord: State._unit,
    records.Account: State._account,
    records.Donation: State._donation,
    records.Disbursement: State._disbursement,
    records.Expenditure: State._expenditure,
    records.Conversion: State._conversion,
    records.Refund: State._refund,
    records.Reversal: State._reversal,
}
