"""What a receipt shows, proved from its checkpoint down, as a basis for questions.

`Shown` reads a receipt from the top: the note is a checkpoint of the ledger that the genesis record names, signed by a
key of its operator; the block headers are in the log under it, the last of them is its head; the summaries of accounts
and the parties are those that the head commits to; statements are in their blocks, signed by keys that acted then;
records, movements, holes, reversals and gifts are in the trees that all these commit to. Only then is a question asked
on it, by `charitychain.receipts.check`.

Rules upheld here:

- Every size and root comes from what was signed; every part that is shown is proved, used or not.
- All summaries stand under one header, that of the head: no account is shown as it was at another time.
- Positions, balances, order and φ are prefix sums of a log's proof; a receipt claims none.
- What is not shown is not there: a look-up of value raises, one of words (`links`, `find_id`) finds nothing.

Left to others: what each part must be by itself (`charitychain.receipts.parts`); that each movement is what its record
makes (`charitychain.receipts.bind`); and which operator's key and which witnesses to believe.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from charitychain import codec, columns, keys, merkle, multiproof, note, records
from charitychain.basis import Basis
from charitychain.chain import blocks, statements
from charitychain.chain.genesis import decode_genesis
from charitychain.errors import NotFoundError
from charitychain.receipts.parts import (
    check_branches,
    check_extents,
    check_there,
    check_tree,
    misfit,
    offset_of,
    read_log_node,
    read_movement,
    with_sums,
)
from charitychain.receipts.wire import AccountShown, GiftShown, IdShown, Receipt, StatementShown
from charitychain.records import Place
from charitychain.state.accounts import Summary
from charitychain.state.lookup import GiftAt, IdAt
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.state.parties import PartyKey, PartyState, stolen
from charitychain.state.standing import ACCOUNTS, PARTIES
from charitychain.sumlog import Span, Tag, empty_root, log_node, span_leaf
from charitychain.trie import SumTrie
from charitychain.units import BUILT_IN, Unit

__all__ = ["Shown", "ShownAccount"]

_T = TypeVar("_T")


class _ByNumber(Sequence[_T]):
    """Those of a numbered list that are shown."""

    def __init__(self, what: str, count: int, found: Mapping[int, _T]) -> None:
        self._what, self._count, self._found = what, count, found

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> _T: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[_T]: ...
    def __getitem__(self, number: int | slice) -> _T | Sequence[_T]:
        if isinstance(number, slice) or number not in self._found:
            raise misfit(f"the receipt does not show {self._what} {number}, on which its answer rests")
        return self._found[number]


class ShownAccount(Summary):
    """The summary of an account as a header commits to it."""

    __slots__ = ("_size", "log_root", "terms")
    _size: int
    log_root: bytes
    terms: bytes

    def __init__(self, shown: AccountShown) -> None:
        (
            self.number, self.id, self.terms, self.unit, self.rule, self.owner, is_open, self._size, self.log_root,
            self.in_, self.rule_sum, self.named, self.back, holes_root, holes, reversed_root, reversed_,
        ) = shown.summary  # fmt: skip
        if self.rule not in ("fifo", "pro-rata") or is_open > 1:
            raise misfit(f"the summary of account {self.id!r} is none", account=self.id)
        self.open = bool(is_open)
        if (
            self.rule_sum + self.named > self.in_
            or holes != (0 if self.pro_rata else self.named)
            or reversed_ != self.back
        ):
            raise misfit(f"the sums in the summary of account {self.id!r} do not fit each other", account=self.id)
        tape = shown.tape
        check_branches(tape.holes, exact=False)
        check_branches(tape.reversed, exact=True)
        self.holes = SumTrie.from_nodes(Tag.HOLES_LEAF, Tag.HOLES_NODE, tape.holes, holes_root, holes)
        self.reversed = SumTrie.from_nodes(
            Tag.REVERSED_LEAF, Tag.REVERSED_NODE, tape.reversed, reversed_root, reversed_
        )
        check_extents(tape.holes, self)
        if self.holes.root is not None and self.holes.root.span.high >= self.in_:
            raise misfit(f"units were named in account {self.id!r} that never came in", account=self.id)

    @property
    def size(self) -> int:
        return self._size


class Shown(Basis):
    """Checked look-ups in what a receipt shows.

    Attributes:
        identity: The ledger's identity.
        checkpoint: The checkpoint that everything is relative to; `key` is the operator's key that signed it.
        head: The header of the last block.

    Raises:
        VerificationError: a part is not proved, or two do not fit; `MalformedError` where one cannot be read at all.
    """

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        self.genesis = decode_genesis(receipt.genesis)
        self.identity = self.genesis.identity()
        self.checkpoint = note.parse_checkpoint(note.parse_note(receipt.note).text)
        if self.checkpoint.origin != self.genesis.origin:
            raise misfit(f"the checkpoint is of {self.checkpoint.origin}, the receipt of {self.genesis.origin}")
        self._read_headers()
        self._read_parties()
        self._read_accounts()
        self._signed: dict[tuple[int, int], statements.StatementHeader] = {}
        self._records: dict[Place, records.Record] = {}
        self._bytes: dict[Place, bytes] = {}
        self._moves: dict[Place, tuple[Ref, ...]] = {}
        for header, block in zip(self._headers, receipt.blocks, strict=True):
            leaves = {each.number: self._read_statement(header.height, each) for each in block.statements}
            check_tree(blocks.SEALED, *header.statements, leaves, block.proof, f"block {header.height}")
        self.movements: dict[Ref, Movement] = {}
        self._outflows: dict[int, list[Movement]] = {}
        self._by_rule: dict[int, list[Movement]] = {}
        for shown in receipt.accounts:
            self._read_log(shown)
        self._gifts = {each.id: self._read_gift(each) for each in receipt.gifts}
        self._ids = {each.id: self._read_id(each) for each in receipt.ids}
        self._links = {(each.about, each.kind): each.places for each in receipt.links}
        for place in (place for places in self._links.values() for place in places):
            self.record(place)

    # ------------------------------------------------------------------------------------------ what is sealed

    def _read_headers(self) -> None:
        self._headers = [blocks.decode_header(block.header) for block in self.receipt.blocks]
        heights = [header.height for header in self._headers]
        size = self.checkpoint.size
        if not heights or heights != sorted(set(heights)) or heights[-1] != size - 1:
            raise misfit(f"the blocks shown must be in order, and the last of them block {size - 1}, the head")
        if any(header.version != self.genesis.version for header in self._headers):
            raise misfit("a block header has another version than the genesis record")
        leaves = {header.height: header.hash() for header in self._headers}
        check_tree(merkle.RFC6962, size, self.checkpoint.root, leaves, self.receipt.log_proof, "the log of blocks")
        self.head, self._times = self._headers[-1], {header.height: header.time for header in self._headers}

    def _read_parties(self) -> None:
        found: dict[int, PartyState] = {}
        leaves: dict[int, bytes] = {}
        self._by_key: dict[bytes, PartyState] = {}
        for number, id_, roles, listed, control, suspended in self.receipt.parties:
            spare, threshold = control if control is not None else ((), 1)
            party = PartyState(
                number, id_, roles, None, [PartyKey(*key) for key in listed],
                recovery=[PartyKey(*key) for key in spare], threshold=threshold, suspended=suspended is not None,
            )  # fmt: skip
            found[number] = party
            leaves[number] = merkle.leaf_hash(PARTIES, codec.encode([number, id_, roles, listed, control, suspended]))
            for key_id in [keys.key_id(key.key) for key in (*party.keys, *party.recovery)]:
                if key_id in self._by_key:
                    raise misfit("a key is listed twice, so that it cannot tell who signed", key=key_id.hex())
                self._by_key[key_id] = party
        check_tree(PARTIES, *self.head.parties, leaves, self.receipt.parties_proof, "the parties")
        self._parties = _ByNumber("party", self.head.parties[0], found)
        self._named = {party.id: party for party in found.values()}
        sealing = note.verifier_keys(self.genesis.origin, self._parties[0].sealing_keys(self.checkpoint.size))
        self.key = note.open_note(self.receipt.note, sealing).verified[0]

    def _read_accounts(self) -> None:
        found = {shown.summary[0]: ShownAccount(shown) for shown in self.receipt.accounts}
        leaves = {
            shown.summary[0]: merkle.leaf_hash(ACCOUNTS, codec.encode(shown.summary))
            for shown in self.receipt.accounts
        }
        check_tree(ACCOUNTS, *self.head.accounts, leaves, self.receipt.accounts_proof, "the accounts")
        self._accounts = _ByNumber("account", self.head.accounts[0], found)

    def _read_statement(self, height: int, shown: StatementShown) -> bytes:
        """Check a statement's signatures, and that it holds the records shown; return its leaf in the block."""
        header = statements.decode_header(shown.header)
        where = f"statement {shown.number} of block {height}"
        leaves = {number: statements.record_hash(data) for number, data, _ in shown.records}
        signed = (header.count, header.root)
        check_tree(statements.RECORDS, *signed, leaves, shown.records_proof, f"the records of {where}")
        made = {
            number: merkle.leaf_hash(statements.MOVES, codec.encode([number, moves]))
            for number, _, moves in shown.records
        }
        moves_root, _ = multiproof.fold(header.count, made, shown.moves_proof, statements.MOVES.node_hash)
        statement = statements.SignedStatement(shown.header, header, shown.signatures, (), ())

        def key_of(key_id: bytes) -> bytes:
            return self._acting(key_id, height)

        statements.check_signatures(statement, self.identity, key_of)
        self._signed[height, shown.number] = header
        for number, data, moves in shown.records:
            place = Place(height, shown.number, number)
            self._records[place] = records.decode_record(data)
            self._bytes[place], self._moves[place] = data, moves
        return statements.sealed_leaf(statement, moves_root)

    def _acting(self, key_id: bytes, height: int) -> bytes:
        party = self._by_key.get(key_id)
        key = party.find_key(key_id) if party is not None else None
        if key is None or not key.acts_at(height):
            raise misfit(f"a statement of block {height} is signed by a key that does not act there", key=key_id.hex())
        return key.key

    def _read_log(self, shown: AccountShown) -> None:
        account, tape = self._accounts[shown.summary[0]], shown.tape
        assert isinstance(account, ShownAccount)
        if not account.size:
            if tape.movements or tape.proof or account.log_root != empty_root(Tag.MOVEMENT_NODE) or account.in_:
                raise misfit(f"the log of account {account.id!r} is empty, and something of it is shown")
            return
        found = {each.number: read_movement(account.number, each) for each in tape.movements}
        proof = [read_log_node(each) for each in tape.proof]
        root, order = multiproof.fold(
            account.size, {number: movement.leaf() for number, movement in found.items()}, proof, log_node
        )
        if (root.hash, *root[1:5]) != (account.log_root, account.in_, account.rule_sum, account.named, account.back):
            raise misfit(f"the movements shown of account {account.id!r} are not those of its log", account=account.id)
        sums = (0, 0, 0, 0)
        for first, node in order:
            movement = found.get(first)
            if movement is not None:
                placed = with_sums(movement, sums)
                check_there(placed, account)
                self.movements[account.number, first] = placed
                if not placed.is_inflow:
                    self._outflows.setdefault(account.number, []).append(placed)
                    if not placed.named:
                        self._by_rule.setdefault(account.number, []).append(placed)
            sums = (sums[0] + node[1], sums[1] + node[2], sums[2] + node[3], sums[3] + node[4])

    def _read_gift(self, shown: GiftShown) -> GiftAt:
        inflow, record = self.movement(shown.account, shown.movement), self.record(shown.place)
        if isinstance(record, records.Received) and shown.run is None and not shown.proof:
            if (record.id, shown.place, Kind.CAME) != (shown.id, inflow.place, inflow.kind):
                raise misfit(f"what was received as {shown.id!r} is shown in another movement")
            return GiftAt(shown.id, shown.place, inflow.account, inflow.index, 0, inflow.amount)
        if inflow.kind != Kind.DONATED or inflow.gifts is None:
            raise misfit(f"gift {shown.id!r} is shown in a movement that is none of gifts")
        proof = [Span(*each) for each in shown.proof]
        if isinstance(record, records.Gifts):
            return self._read_run(shown, inflow, record, proof)
        if not isinstance(record, records.Donation) or shown.run is not None or record.id != shown.id:
            raise misfit(f"the record shown of gift {shown.id!r} is of another one")
        number = shown.place.record - inflow.place.record
        data = self._bytes[shown.place]
        leaf = span_leaf(Tag.DONATIONS_LEAF, statements.record_hash(data), record.amount, *[shown.place.record] * 2)
        offset = offset_of(Tag.DONATIONS_NODE, inflow.gifts, inflow.amount, number, leaf, proof)
        first = shown.place == inflow.place
        if (
            shown.place[:2] != inflow.place[:2]
            or record.account != inflow.account
            or bool(self._moves[shown.place]) is not first
        ):
            raise misfit(f"gift {shown.id!r} did not go where it is shown")
        return GiftAt(shown.id, shown.place, inflow.account, inflow.index, offset, record.amount, record.donor)

    def _read_run(self, shown: GiftShown, inflow: Movement, record: records.Gifts, proof: list[Span]) -> GiftAt:
        """Find a gift of a batch in the run of columns that is shown."""
        if shown.run is None or shown.place != inflow.place or inflow.gifts != (record.count, record.root):
            raise misfit(f"gift {shown.id!r} is shown in another movement than that of its batch")
        number, run = shown.run
        runs = -(-record.count // columns.RUN)
        length = columns.RUN if number < runs - 1 else record.count - columns.RUN * (runs - 1)
        if not 0 <= number < runs or len(run) != length * record.width:
            raise misfit(f"the run of gifts that holds {shown.id!r} has not its length")
        gifts = list(columns.iterate_gifts(run, record.width))
        rising = all(one.id < other.id for one, other in itertools.pairwise(gifts))
        if not rising or not all(0 < gift.amount <= codec.MAX_INT for gift in gifts):
            raise misfit(f"the run of gifts that holds {shown.id!r} is not in order")
        leaf = span_leaf(Tag.GIFTS_LEAF, run, sum(gift.amount for gift in gifts), gifts[0].id, gifts[-1].id)
        before = offset_of(Tag.GIFTS_NODE, (runs, record.root), record.amount, number, leaf, proof)
        found = next((gift for gift in gifts if f"{record.series}/{gift.id}" == shown.id), None)
        if found is None:
            raise misfit(f"the run of gifts shown does not hold {shown.id!r}")
        return GiftAt(
            shown.id, shown.place, inflow.account, inflow.index, before + found.offset, found.amount, found.donor,
            found.second,
        )  # fmt: skip

    def _read_id(self, shown: IdShown) -> IdAt:
        record = self.record(shown.place)
        if records.record_id(record) != shown.id:
            raise misfit(f"the record shown for the id {shown.id!r} has another one")
        if shown.movement is not None:
            self.movement(-1 if shown.account is None else shown.account, shown.movement)
        return IdAt(shown.id, record.KIND, *shown[1:])

    # ------------------------------------------------------------------------------------- the basis of answers

    @property
    def version(self) -> int:
        return self.genesis.version

    @property
    def accounts(self) -> Sequence[Summary]:
        return self._accounts

    @property
    def parties(self) -> Sequence[PartyState]:
        return self._parties

    def facts(self) -> dict[str, Any]:
        return {
            "origin": self.genesis.origin,
            "identity": self.identity.hex(),
            "height": self.head.height,
            "checkpoint": self.receipt.note.decode(),
        }

    def party(self, id_: str) -> PartyState:
        if id_ not in self._named:
            raise misfit(f"the receipt does not show party {id_!r}, on which its answer rests")
        return self._named[id_]

    def unit_of(self, account: Summary) -> Unit:
        if account.unit in BUILT_IN:
            return BUILT_IN[account.unit]
        row = self._ids.get(account.unit)
        record = self.record(row.place) if row is not None else None
        if not isinstance(record, records.UnitRecord):
            raise misfit(f"the receipt does not show what the unit {account.unit!r} is")
        return Unit(record.id, record.decimals, record.title or "")

    def find_id(self, id_: str) -> IdAt | None:
        return self._ids.get(id_)

    def links(self, about: str, kind: int) -> Sequence[Place]:
        return self._links.get((about, kind), ())

    def record(self, place: Place) -> records.Record:
        if place not in self._records:
            raise misfit(f"the receipt does not show the record at {tuple(place)}, on which its answer rests")
        return self._records[place]

    def header(self, place: Place) -> statements.StatementHeader:
        self.record(place)
        return self._signed[place[:2]]

    def moves(self, place: Place) -> tuple[Ref, ...]:
        self.record(place)
        return self._moves[place]

    def places(self) -> Iterable[Place]:
        """Return where the records that are shown stand."""
        return self._records

    def time(self, place: Place) -> int:
        self.record(place)
        return self._times[place.height]

    def check_author(self, place: Place) -> str:
        return self._by_key[self.header(place).author].id

    def signers(self, place: Place) -> tuple[str, ...]:
        header = self.header(place)
        return tuple(dict.fromkeys(self._by_key[key].id for key in (header.author, *header.signers)))

    def stolen(self, place: Place) -> tuple[PartyState, int] | None:
        return stolen(self._by_key.__getitem__, self.header(place), place.height)

    def movement(self, account: int, index: int) -> Movement:
        found = self.movements.get((account, index))
        if found is None:
            raise misfit(f"the receipt does not show movement {index} of account {account}, on which its answer rests")
        return found

    def rule_outflow_at(self, account: int, rank: int) -> Movement:
        listed = self._by_rule.get(account, [])
        at = bisect_right(listed, rank, key=lambda outflow: outflow.rule_before)
        if not at:
            raise misfit(f"the receipt does not show which outflow of account {account} took unit {rank}")
        return listed[at - 1]

    def outflows(self, account: int, after: int, before: int | None = None) -> Iterator[Movement]:
        for outflow in self._outflows.get(account, ()):
            if outflow.index > after and (before is None or outflow.index < before):
                yield outflow

    def check_movement(self, movement: Movement) -> None:
        """Do nothing: every movement that is shown was proved."""

    def check_movements(self, refs: Iterable[Ref]) -> None:
        """Do nothing, as `check_movement`."""

    def gift(self, gift_id: str) -> GiftAt:
        if gift_id not in self._gifts:
            raise NotFoundError("CC-UNKNOWN-GIFT", f"the receipt shows no gift {gift_id!r}", id=gift_id)
        return self._gifts[gift_id]

    def sealed_gift(self, gift: GiftAt) -> GiftAt:
        return gift
