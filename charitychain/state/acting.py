"""Acting: the statement that is open, who signed it, and what its records do to tapes.

`charitychain.state.rules` opens a statement and applies its records one by one; the rules of each kind, in
`admission`, `value`, `corrections` and `words`, are functions over an `Acting`: they check everything first and
change state only then.

Rules upheld here:

- A party has signed when as many of its keys as its threshold asks for did, and none of them is a recovery key.
- Whatever leaves an account has its owner's signature and those that its approvals ask for.
- Donations that follow each other into one account within a statement make one inflow together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar

from charitychain import codec, records
from charitychain.chain.statements import Moves, StatementHeader
from charitychain.errors import RefusedError, VerificationError
from charitychain.records import Place
from charitychain.state.accounts import AccountState, Year
from charitychain.state.flow import PIECE_LIMIT, Flow, Lineage, follow
from charitychain.state.lookup import GiftAt, Link, Lookup, find_gift
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.state.parties import PartyState, stolen
from charitychain.state.standing import Standing
from charitychain.state.terms import day_of_time, days_of
from charitychain.sumlog import Span, Tag, span_root
from charitychain.tape import Run, join_runs
from charitychain.units import BUILT_IN, format_amount

__all__ = ["Acting", "Donations"]


_OF_KEYS = (records.KeyChange, records.Control)
_DAY = 86_400
_R = TypeVar("_R")


class Donations:
    """An uninterrupted run of donations into one account that is still open."""

    def __init__(self, account: AccountState, place: Place) -> None:
        self.account, self.place = account, place
        self.amount = 0
        self.leaves: list[Span] = []


class Acting(Standing):
    """A ledger's standing with an open statement."""

    def __init__(self, lookup: Lookup, identity: bytes, version: int) -> None:
        super().__init__(lookup, identity, version)
        self.run: Donations | None = None
        self.author: PartyState | None = None
        self.recovering = False
        self.moves: list[list[Ref]] = []
        self._signers: frozenset[int] = frozenset()
        self._short: dict[int, int] = {}
        self._time = 0
        self._today: str | None = None
        self._statement = self.record = -1

    # ------------------------------------------------------------------------------------------ statements

    def begin_block(self, height: int) -> None:
        super().begin_block(height)
        self._statement = -1

    def begin_statement(self, header_keys: Iterable[bytes], time: int) -> None:
        """Open a statement by its author's key id, followed by those of the required signers.

        Args:
            time: When its author says that it signed, UTC seconds: the day of records that state none.
        """
        listed = list(header_keys)
        self.author, self._time, self._today = self.signer(listed[0])[0], time, None
        self.recovering = self.is_recovery(listed[0])
        self.sign_too(listed)
        self._statement += 1
        self.record = -1
        self.moves = []

    def sign_too(self, header_keys: Iterable[bytes]) -> None:
        """Let more sign the open statement: all key ids of its header, as they are now."""
        signed = Counter(self.signer(key_id)[0].number for key_id in header_keys if not self.is_recovery(key_id))
        self._signers = frozenset(n for n, count in signed.items() if count >= self.parties[n].threshold)
        self._short = {n: count for n, count in signed.items() if n not in self._signers}

    def end_statement(self) -> Moves:
        """Close the statement; return for each record the movements that it made."""
        self.close_run()
        return tuple(map(tuple, self.moves))

    def cancel_statement(self) -> None:
        """Take back `begin_statement`, as long as no record was applied."""
        if self.moves:
            raise ValueError("a statement with records cannot be cancelled")
        self._statement -= 1

    def skip_record(self) -> None:
        """Count a record that cannot be applied, so that those after it keep their places."""
        self.record += 1
        self.moves.append([])

    def record_at(self, place: Place) -> records.Record:
        """Return a record of an earlier statement.

        Raises:
            VerificationError: ``CC-RECORDS-ROOT``: it is not there. Only in a damaged block: verify goes on behind it.
        """
        data = self.lookup.statement(place.height, place.statement).record_bytes
        if place.record >= len(data):
            why = f"block {place.height}: a record that others rest on is not there"
            raise VerificationError("CC-RECORDS-ROOT", why, block=place.height)
        return records.decode_record(data[place.record])

    def reversed_of(self, id_: str) -> int:
        """Return how much of a record was reversed, minor units."""
        return sum(map(self.amount_at, self.lookup.links(id_, Link.REVERSED)))

    def amount_at(self, place: Place) -> int:
        """Return the amount of a record of an earlier statement, as it was taken; minor units."""
        row = self.lookup.find_id(records.record_id(self.record_at(place)) or "")
        return row.amount if row is not None else 0

    def record_as(self, place: Place, kind: type[_R]) -> _R:
        """Return a record of an earlier statement, of a kind that is known.

        Raises:
            VerificationError: ``CC-RECORDS-ROOT``: another one stands there. Only in a damaged block, as `record_at`.
        """
        found = self.record_at(place)
        if not isinstance(found, kind):
            why = f"block {place.height}: another record stands where others rest on one"
            raise VerificationError("CC-RECORDS-ROOT", why, block=place.height)
        return found

    @property
    def place(self) -> Place:
        return Place(self.height, self._statement, self.record)

    def day(self, record: Any) -> str:
        """Return the date that a record states, else the UTC day on which its statement was signed."""
        stated: str | None = getattr(record, "date", None)
        if stated is not None:
            return stated
        if self._today is None:
            self._today = day_of_time(self._time)
        return self._today

    def year(self, record: Any) -> int:
        """Return the year that a record counts in."""
        return int(self.day(record)[:4])

    def year_of(self, place: Place) -> int:
        """Return the year that an earlier record counts in."""
        stated: str | None = getattr(self.record_at(place), "date", None)
        return int((stated or day_of_time(self.lookup.statement(*place[:2]).header.time))[:4])

    def check_dates(self, record: Any) -> None:
        """Check that no record tells of a day to come: what happened has a date up to the day after its signing (UTC).

        Raises:
            RefusedError: ``CC-FUTURE``.
        """
        for name in ("date", "at", "until"):
            stated: str | None = getattr(record, name, None)
            if stated is not None and days_of(stated)[0] > day_of_time(self._time + _DAY):
                raise RefusedError(
                    "CC-FUTURE",
                    f"{name} is {stated}, which was still to come when this was signed, on {day_of_time(self._time)};"
                    " state the day on which it happened, and see that the clock is right",
                    field=name,
                )

    def note_late(self, record: Any, *accounts: AccountState) -> None:
        """Note a record whose date lies in a period of one of these accounts that was closed before."""
        if record.date is None:
            return
        closed = max((account.closed_until for account in accounts if account.closed_until is not None), default=None)
        if closed is not None and days_of(record.date)[0] <= closed:
            self.lookup.put_link(records.record_id(record) or record.series, Link.LATE, self.place)

    # ------------------------------------------------------------------------------------------ who signed

    def check_new(self, id_: str) -> None:
        if id_ in BUILT_IN:
            raise RefusedError("CC-DUPLICATE-ID", f"{id_!r} is a unit that every ledger has", id=id_)
        if id_ == "self" and self.place != (0, 0, 0):
            raise RefusedError("CC-DUPLICATE-ID", "'self' is the ledger's first party", id=id_)
        row = self.lookup.find_id(id_)
        if row is not None:
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"id {id_!r} is taken by a record in block {row.place.height}; ids are unique in a ledger",
                id=id_,
            )

    def check_author(self, record: records.Record) -> None:
        """Check that the author may say anything now: enough of its keys signed, and it is not suspended."""
        assert self.author is not None
        changes_keys = isinstance(record, _OF_KEYS) and record.party == self.author.id
        if self.recovering and not changes_keys:
            raise RefusedError(
                "CC-RECOVERY-KEY",
                f"the recovery key of {self.author.id!r} signs changes of its keys and nothing else",
                party=self.author.id,
            )
        if not self.recovering and self.author.number in self._short:
            raise RefusedError(
                "CC-THRESHOLD",
                f"{self.author.id!r} wants {self.author.threshold} of its keys to sign,"
                f" {self._short[self.author.number]} did",
                party=self.author.id,
            )
        for number in self._signers:
            party = self.parties[number]
            if party.suspended and not changes_keys:
                raise RefusedError(
                    "CC-SUSPENDED", f"{party.id!r} is suspended: its signature counts for nothing", party=party.id
                )

    def signed(self, number: int) -> bool:
        """Say whether the party of this number signed the open statement."""
        return number in self._signers

    def require(self, number: int, what: str) -> None:
        """Require that the party of this number signed the open statement."""
        if number not in self._signers:
            party = self.parties[number]
            short = f", {party.threshold} of its keys" if number in self._short else ""
            raise RefusedError("CC-AUTHOR", f"{what} needs the signature of {party.id!r}{short}", party=party.id)

    def require_operator(self, what: str) -> None:
        assert self.author is not None
        if self.author.number != 0:
            raise RefusedError("CC-ROLE", f"only the operator may {what}, not {self.author.id!r}", party=self.author.id)

    def require_out(self, account: AccountState, what: str) -> None:
        """Require what everything that leaves an account needs: its owner, its approvals, and that it is open."""
        if account.owner not in self._signers:
            owner = self.parties[account.owner].id
            raise RefusedError(
                "CC-AUTHOR", f"{what} out of {account.id!r} must be signed by its owner {owner!r}", party=owner
            )
        self.require_open(account)
        self.require_approvals(account, what)

    def require_approvals(self, account: AccountState, what: str) -> None:
        if account.terms.approvals is None:
            return
        needed, approvers = account.terms.approvals
        signed = [id_ for id_ in approvers if self.party(id_).number in self._signers]
        if len(signed) < needed:
            raise RefusedError(
                "CC-APPROVALS",
                f"{what} out of {account.id!r} needs {needed} of {', '.join(approvers)} to sign,"
                f" found {', '.join(signed) or 'none'}",
                account=account.id,
                expected=needed,
                found=len(signed),
            )

    def require_open(self, account: AccountState) -> None:
        if not account.open:
            raise RefusedError(
                "CC-CLOSED", f"account {account.id!r} is closed; its owner can open it again", account=account.id
            )

    # -------------------------------------------------------------------------------------------- the tape

    def check_room(self, account: AccountState, amount: int) -> None:
        self.require_open(account)
        pending = self.run.amount if self.run is not None and self.run.account is account else 0
        if account.in_ + pending + amount > codec.MAX_INT:
            raise RefusedError("CC-TOTAL", f"account {account.id!r} cannot take in 2^63 units or more in all")

    def check_funds(self, account: AccountState, amount: int) -> None:
        if amount > account.balance:
            raise RefusedError(
                "CC-OVERDRAFT",
                f"account {account.id!r} holds {self.words(account.balance, account)},"
                f" not {format_amount(amount, self.unit_of(account))}",
                account=account.id,
                balance=account.balance,
                amount=amount,
            )

    def stolen(self, header: StatementHeader, height: int) -> tuple[PartyState, int] | None:
        """Return whose key, of those that signed a statement, was compromised when it was sealed, and since when."""
        return stolen(self.party_of, header, height)

    def words(self, amount: int, account: AccountState) -> str:
        """Return an amount of an account as people write it, with its unit."""
        return f"{format_amount(amount, self.unit_of(account))} {account.unit}"

    def gift(self, gift_id: str) -> GiftAt:
        gift = find_gift(self.lookup, gift_id)
        if gift is None:
            raise RefusedError("CC-UNKNOWN-GIFT", f"this ledger has no gift {gift_id!r}", gift=gift_id)
        return gift

    def gift_runs(self, gift: GiftAt, account: AccountState) -> list[Run]:
        """Return the runs of `account` that descend from `gift` along the paying lineage and are still held."""
        flow = follow(self.lookup, self.accounts, gift, lineage=Lineage.PAYING)
        self.check_pieces(flow, gift)
        return join_runs(sorted(run for ref, runs in flow.held.items() if ref[0] == account.number for run in runs))

    def check_pieces(self, flow: Flow, gift: GiftAt) -> None:
        """Check that a gift was followed to its ends; which of its units are there must not hang on a limit.

        Raises:
            RefusedError: ``CC-PIECES``.
        """
        if flow.remainder and self.version > 1:
            raise RefusedError(
                "CC-PIECES",
                f"gift {gift.id!r} lies in more than {PIECE_LIMIT} pieces, so it can neither be named nor taken back",
                gift=gift.id,
            )

    def count_against(self, kind: Kind, undoing: Kind, account: AccountState, amount: int) -> None:
        """Count what undid movements of a kind against those, not as a movement of its own."""
        for each in (kind, undoing):
            self.totals[account.unit, each] = self.totals.get((account.unit, each), 0) - amount

    def take_off_received(self, book: Year, gift: GiftAt, amount: int) -> None:
        """Book that part of a gift was not received in the end: as given, or as what came from another ledger."""
        if self.lookup.movement(gift.account, gift.movement).kind == Kind.CAME:
            book.came -= amount
        else:
            book.given -= amount

    def close_run(self) -> None:
        run, self.run = self.run, None
        if run is not None:
            root = span_root(Tag.DONATIONS_NODE, run.leaves)
            self.add(run.account, Kind.DONATED, run.amount, place=run.place, gifts=(len(run.leaves), root.hash))

    def next(self, account: AccountState) -> Ref:
        return account.number, account.log.size

    def add(
        self, account: AccountState, kind: Kind, amount: int, *, place: Place | None = None, **links: Any
    ) -> Movement:
        """Write the next movement of an account."""
        links = {"owner": account.owner} | links
        movement = Movement(
            account.number, account.log.size, kind, place or self.place, amount,
            account.in_, account.rule_sum, account.named, account.back, **links,
        )  # fmt: skip
        account.append(self.lookup, movement)
        self.changed_accounts.add(account.number)
        self.totals[account.unit, kind] = self.totals.get((account.unit, kind), 0) + amount
        if place is None:  # a run of donations was noted when it began
            self.moves[-1].append((account.number, movement.index))
        return movement
