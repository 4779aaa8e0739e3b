"""A ledger's answers, with a note of each look-up that they rest on: what a receipt has to show.

`Noted` is a basis over a ledger's. A trace asked on it answers as on the ledger, and leaves behind which blocks,
statements, records, accounts, parties, movements, nodes of tries, gifts, ids and links it looked at.

What many receipts of one ledger have in common is read once: movements, and the nodes of tries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

from charitychain import records
from charitychain.basis import Basis
from charitychain.chain.statements import StatementHeader
from charitychain.reading import Reader
from charitychain.records import Place
from charitychain.state.accounts import HOLES, REVERSED, AccountState, Summary
from charitychain.state.lookup import GiftAt, IdAt
from charitychain.state.movements import Movement, Ref
from charitychain.state.parties import PartyState
from charitychain.sumlog import Tag
from charitychain.trie import SumTrie, TrieStore
from charitychain.units import BUILT_IN, Unit

__all__ = ["Kept", "Noted"]

_MOST = 100_000
"""The most movements that are kept for later receipts."""


class Kept:
    """Movements that were read for one receipt and are kept for others, of the same ledger at the same head."""

    def __init__(self) -> None:
        self._found: dict[Ref, Movement] = {}
        self._by_rule: dict[int, Movement] = {}  # of each account the outflow by rule that was last asked for

    def movement(self, reader: Reader, account: int, index: int) -> Movement:
        return self._found.get((account, index)) or self.keep(reader.movement(account, index))

    def rule_outflow_at(self, reader: Reader, account: int, rank: int) -> Movement:
        last = self._by_rule.get(account)
        if last is None or not last.rule_before <= rank < last.rule_before + last.amount:
            last = self._by_rule[account] = self.keep(reader.rule_outflow_at(account, rank))
        return last

    def keep(self, movement: Movement) -> Movement:
        if len(self._found) >= _MOST:
            self._found.clear()
        self._found[movement.account, movement.index] = movement
        return movement


class _NotedNodes:
    """A trie's nodes, each noted that is read."""

    def __init__(self, store: TrieStore, seen: dict[tuple[int, int], bytes]) -> None:
        self._store, self._seen = store, seen

    def get(self, bit: int, prefix: int) -> bytes:
        data = self._seen.get((bit, prefix))
        if data is None:
            data = self._seen[bit, prefix] = self._store.get(bit, prefix)
        return data

    def put(self, bit: int, prefix: int, data: bytes) -> None:
        raise TypeError("what is noted is read only")


class NotedAccount(Summary):
    """An account of a ledger whose tries note what is read of them, in `nodes`."""

    __slots__ = ("account", "nodes")

    def __init__(self, reader: Reader, account: AccountState) -> None:
        self.account = account
        for name in ("number", "id", "unit", "rule", "owner", "open", "in_", "rule_sum", "named", "back"):
            setattr(self, name, getattr(account, name))
        self.nodes: tuple[dict[tuple[int, int], bytes], dict[tuple[int, int], bytes]] = ({}, {})
        stores = [_NotedNodes(reader.index.trie(account.number, which), self.nodes[which]) for which in (0, 1)]
        self.holes = SumTrie(Tag.HOLES_LEAF, Tag.HOLES_NODE, stores[HOLES], account.holes.root)
        self.reversed = SumTrie(Tag.REVERSED_LEAF, Tag.REVERSED_NODE, stores[REVERSED], account.reversed.root)

    @property
    def size(self) -> int:
        return self.account.size


class _NotedAccounts(Sequence[Summary]):
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.found: dict[int, NotedAccount] = {}

    def __len__(self) -> int:
        return len(self._reader.accounts)

    @overload
    def __getitem__(self, number: int) -> Summary: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Summary]: ...
    def __getitem__(self, number: int | slice) -> Summary | Sequence[Summary]:
        if isinstance(number, slice):
            raise TypeError("accounts are asked for one by one")
        if number not in self.found:
            self.found[number] = NotedAccount(self._reader, self._reader.accounts[number])
        return self.found[number]


class _NotedParties(Sequence[PartyState]):
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.found: set[int] = set()

    def __len__(self) -> int:
        return len(self._reader.parties)

    @overload
    def __getitem__(self, number: int) -> PartyState: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[PartyState]: ...
    def __getitem__(self, number: int | slice) -> PartyState | Sequence[PartyState]:
        if isinstance(number, slice):
            raise TypeError("parties are asked for one by one")
        self.found.add(number)
        return self._reader.parties[number]


class Noted(Basis):
    """A ledger's basis that notes what is looked up.

    Attributes:
        reader: The ledger.
        places: Where the records stand that were read.
        gifts, ids, links: What was asked for by its id, and found.
        refs: The movements that were read.
    """

    def __init__(self, reader: Reader, kept: Kept | None = None) -> None:
        self.reader = reader
        self._kept = kept or Kept()
        self._accounts, self._parties = _NotedAccounts(reader), _NotedParties(reader)
        self.places: set[Place] = set()
        self.gifts: dict[str, GiftAt] = {}
        self.ids: dict[str, IdAt] = {}
        self.links_asked: dict[tuple[str, int], Sequence[Place]] = {}
        self.refs: dict[Ref, Movement] = {}

    @property
    def noted_accounts(self) -> dict[int, NotedAccount]:
        return self._accounts.found

    @property
    def noted_parties(self) -> set[int]:
        return self._parties.found

    # ----------------------------------------------------------------------------------------------- the basis

    @property
    def version(self) -> int:
        return self.reader.version

    @property
    def accounts(self) -> Sequence[Summary]:
        return self._accounts

    @property
    def parties(self) -> Sequence[PartyState]:
        return self._parties

    def facts(self) -> dict[str, Any]:
        return self.reader.facts()

    def party(self, id_: str) -> PartyState:
        return self._parties[self.reader.party(id_).number]

    def unit_of(self, account: Summary) -> Unit:
        number = account.number
        if account.unit not in BUILT_IN:
            row = self.find_id(account.unit)
            if row is not None:
                self.record(row.place)
        return self.reader.unit_of(self.reader.accounts[number])

    def find_id(self, id_: str) -> IdAt | None:
        row = self.reader.find_id(id_)
        if row is not None:
            self.ids[id_] = row
        return row

    def links(self, about: str, kind: int) -> Sequence[Place]:
        places = self.reader.links(about, kind)
        if places:
            self.links_asked[about, int(kind)] = places
        return places

    def record(self, place: Place) -> records.Record:
        self.places.add(place)
        return self.reader.record(place)

    def header(self, place: Place) -> StatementHeader:
        self.places.add(place)
        return self.reader.header(place)

    def moves(self, place: Place) -> tuple[Ref, ...]:
        self.places.add(place)
        return self.reader.moves(place)

    def time(self, place: Place) -> int:
        self.places.add(place)
        return self.reader.time(place)

    def check_author(self, place: Place) -> str:
        self.places.add(place)
        return self.reader.check_author(place)

    def signers(self, place: Place) -> tuple[str, ...]:
        self.places.add(place)
        return self.reader.signers(place)

    def stolen(self, place: Place) -> tuple[PartyState, int] | None:
        self.places.add(place)
        return self.reader.stolen(place)

    def movement(self, account: int, index: int) -> Movement:
        return self._note(self._kept.movement(self.reader, account, index))

    def rule_outflow_at(self, account: int, rank: int) -> Movement:
        return self._note(self._kept.rule_outflow_at(self.reader, account, rank))

    def outflows(self, account: int, after: int, before: int | None = None) -> Iterator[Movement]:
        for outflow in self.reader.outflows(account, after, before):
            yield self._note(self._kept.keep(outflow))

    def _note(self, movement: Movement) -> Movement:
        self.refs[movement.account, movement.index] = movement
        return movement

    def check_movement(self, movement: Movement) -> None:
        self.reader.check_movement(movement)

    def check_movements(self, refs: Iterable[Ref]) -> None:
        for ref in sorted(set(refs)):
            self.check_movement(self.movement(*ref))

    def gift(self, gift_id: str) -> GiftAt:
        gift = self.gifts[gift_id] = self.reader.gift(gift_id)
        self.places.add(gift.place)
        self.movement(gift.account, gift.movement)
        return gift

    def sealed_gift(self, gift: GiftAt) -> GiftAt:
        return self.reader.sealed_gift(gift)
