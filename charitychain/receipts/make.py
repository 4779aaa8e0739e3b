"""Making receipts: a trace over the ledger whose look-ups are noted, and the proofs of what was noted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

from charitychain import merkle, multiproof, note, records
from charitychain.chain import blocks, statements
from charitychain.errors import RefusedError
from charitychain.reading import Reader
from charitychain.receipts.check import PIECES
from charitychain.receipts.noted import Kept, Noted
from charitychain.receipts.wire import (
    AccountShown,
    BlockShown,
    GiftShown,
    IdShown,
    LinkShown,
    MovementShown,
    Receipt,
    StatementShown,
    TapeShown,
)
from charitychain.records import Place
from charitychain.state.flow import follow
from charitychain.state.lookup import GiftAt
from charitychain.state.movements import Kind, Movement, Ref
from charitychain.state.standing import ACCOUNTS, PARTIES
from charitychain.sumlog import LogNode, Span, Tag, log_node, span_leaf, span_node
from charitychain.trace import tell_flow, trace_gift

__all__ = ["REACH", "Maker"]

Node = TypeVar("Node")
T = TypeVar("T")

REACH = 1_000
"""The most later outflows of a pro-rata account that a receipt shows; beyond them it tells what was computed."""
_LEAVES = 200_000
"""The most leaves of all trees that a maker keeps."""
_PARTS = 10_000
"""The most blocks with their statements, and proofs, that it keeps."""


class _Tree(Generic[Node]):
    """A tree over leaves that are all here."""

    def __init__(self, leaves: Sequence[Node], join: Callable[[Node, Node], Node]) -> None:
        self._join, self._levels = join, [list(leaves)]
        while len(below := self._levels[-1]) > 1:
            self._levels.append([join(*below[at : at + 2]) for at in range(0, len(below) - 1, 2)])

    def prove(self, shown: Iterable[int]) -> tuple[Node, ...]:
        """Return the multiproof of some leaves."""
        return _proof(len(self._levels[0]), shown, lambda level, at: self._levels[level][at], self._join)


def _proof(
    size: int, shown: Iterable[int], get: Callable[[int, int], Node], join: Callable[[Node, Node], Node]
) -> tuple[Node, ...]:
    """Return the multiproof of leaves in a tree whose complete nodes `get` returns, by level and index."""
    found = []
    for first, end in multiproof.ranges(size, shown):
        *rest, node = [get(*place) for place in merkle.complete_nodes(first, end)]
        for left in reversed(rest):
            node = join(left, node)
        found.append(node)
    return tuple(found)


class Maker:
    """Makes receipts of one ledger at its head; what they have in common is read once.

    Args:
        checkpoint: The head's checkpoint with its cosignatures; nothing is the seal alone.
    """

    def __init__(self, reader: Reader, checkpoint: bytes | None = None) -> None:
        self.reader = reader
        self._note = reader.checkpoint.encode() if checkpoint is None else checkpoint
        self._kept = Kept()
        self._log_nodes: dict[tuple[int, int, int], LogNode] = {}
        self._headers: dict[tuple[int, int], bytes] = {}
        self._trees: dict[tuple[Any, ...], _Tree[Any]] = {}
        self._leaves = 0
        self._shared: dict[tuple[Any, ...], Any] = {}

    def gift(self, gift_id: str) -> list[Receipt]:
        """Return the receipt of a gift: one, or its pages in order.

        Raises:
            NotFoundError: ``CC-UNKNOWN-GIFT``.
            VerificationError: something that it rests on is damaged or was not sealed.
        """
        noted = Noted(self.reader, self._kept)
        gift = noted.gift(gift_id)
        flow = follow(noted, noted.accounts, gift, limit=PIECES)
        if flow.pieces <= PIECES and not any(map(self._is_far, flow.last)):
            tell_flow(noted, gift, flow)
            return [self._receipt(noted, gift=gift_id)]
        stops = self._stops(gift)
        parts = self._parts(gift, stops)
        pages = [(*part, number, len(parts)) for number, part in enumerate(parts, 1)]
        computed = self._ends(gift_id) if stops else None
        return [self._page(gift_id, page if len(pages) > 1 else None, stops, computed) for page in pages]

    def part(self, gift_id: str, first: int, end: int) -> list[Receipt]:
        """Return the receipt of units ``[first, end)`` of a gift, or its pages in order."""
        gift = self.reader.gift(gift_id)
        stops = self._stops(gift)
        parts = self._parts(gift, stops, (first, end))
        return [self._page(gift_id, (*part, at, len(parts)), stops, None) for at, part in enumerate(parts, 1)]

    def account(self, number: int, movements: Iterable[int] = ()) -> Receipt:
        """Return a statement of an account: its summary, and some of its movements with their records.

        Raises:
            IndexError: the account, or its log, does not reach so far.
        """
        noted = Noted(self.reader, self._kept)
        noted.unit_of(noted.accounts[number])
        for index in movements:
            noted.check_movement(noted.movement(number, index))
        return self._receipt(noted, account=number)

    def record(self, place: Place, account: int) -> Receipt:
        """Return a statement of an account that shows a record, and every movement that it made, in any account."""
        noted = Noted(self.reader, self._kept)
        noted.unit_of(noted.accounts[account])
        noted.record(place)
        for ref in noted.moves(place):
            noted.check_movement(noted.movement(*ref))
        return self._receipt(noted, account=account)

    def again(self, old: Receipt) -> Receipt:
        """Return the receipt of the same gift, page or account at this head, brought forward from the older one.

        Raises:
            VerificationError: ``CC-PROOF``: the ledger does not extend the older receipt's checkpoint.
        """
        if old.account is not None:
            shown = next(each for each in old.accounts if each.summary[0] == old.account)
            made = self.account(old.account, [each.number for each in shown.tape.movements])
        else:
            assert old.gift is not None
            stops = self._stops(self.reader.gift(old.gift))
            told = self._ends(old.gift) if stops else None
            made = self._page(old.gift, old.part, stops, told)
        before = note.parse_checkpoint(note.parse_note(old.note).text)
        size = self.reader.head.height + 1
        if before.size >= size:
            return replace(made, consistency=old.consistency)
        proof = self.reader.prove_beginning(before.size, before.root)
        return replace(made, consistency=(*old.consistency, (old.note, proof)))

    def _page(
        self, gift_id: str, page: tuple[int, int, int, int] | None, stops: Sequence[Ref], computed: str | None
    ) -> Receipt:
        noted = Noted(self.reader, self._kept)
        gift, part = noted.gift(gift_id), page[:2] if page is not None else None
        flow = follow(noted, noted.accounts, gift, limit=PIECES, part=part, stops=stops)
        tell_flow(noted, gift, flow, part)
        told = computed.encode() if computed is not None else None
        return replace(self._receipt(noted, gift=gift_id), part=page, stops=tuple(stops), computed=told)

    def _ends(self, gift_id: str) -> str:
        """Return what the ledger says became of a gift, which its receipt does not prove, as JSON."""
        ends = [end.to_dict() for end in trace_gift(self.reader, gift_id).ends]
        return json.dumps({"ends": ends}, ensure_ascii=False)

    def _stops(self, gift: GiftAt) -> list[Ref]:
        """Return the inflows behind which too many outflows follow to show them all."""
        stops: list[Ref] = []
        while True:
            flow = follow(self.reader, self.reader.accounts, gift, stops=stops)
            far = [ref for ref in sorted(flow.last) if ref not in stops and self._is_far(ref)]
            if not far:
                return sorted(stops)
            stops += far

    def _is_far(self, ref: Ref) -> bool:
        if not self.reader.accounts[ref[0]].pro_rata:
            return False
        return sum(1 for _ in islice(self.reader.outflows(*ref), REACH + 1)) > REACH

    def _parts(
        self, gift: GiftAt, stops: Sequence[Ref], within: tuple[int, int] | None = None
    ) -> list[tuple[int, int]]:
        """Return the gift's units, or those within some, in stretches that each lie in at most `PIECES` pieces."""
        waiting, found = [within or (0, gift.amount)], []
        while waiting:
            part = waiting.pop()
            flow = follow(self.reader, self.reader.accounts, gift, limit=PIECES, part=part, stops=stops)
            if flow.pieces <= PIECES:
                found.append(part)
            elif part[1] - part[0] == 1:
                raise RefusedError(
                    "CC-PIECES", f"one unit of gift {gift.id!r} went on more than {PIECES} times; no receipt shows that"
                )
            else:
                middle = sum(part) // 2
                waiting += [(middle, part[1]), (part[0], middle)]
        return found

    # ------------------------------------------------------------------------------------------ what it shows

    def _receipt(self, noted: Noted, *, gift: str | None = None, account: int | None = None) -> Receipt:
        """Return the receipt that shows what was noted."""
        reader, head = self.reader, self.reader.block.header
        self._complete(noted)
        shown: dict[int, dict[int, list[int]]] = {}
        for height, number, record in sorted(noted.places):
            shown.setdefault(height, {}).setdefault(number, []).append(record)
        parties = {0, *noted.noted_parties, *(each.owner for each in noted.noted_accounts.values())}
        for height, numbers in shown.items():
            for number in numbers:
                header = reader.header(Place(height, number, 0))
                parties |= {reader.state.party_of(key).number for key in (header.author, *header.signers)}
        shown.setdefault(head.height, {})
        accounts = sorted(noted.noted_accounts)
        return Receipt(
            gift=gift,
            account=account,
            part=None,
            stops=(),
            genesis=reader.genesis.encode(),
            note=self._note,
            blocks=tuple(
                self._once(self._block, height, tuple((n, tuple(indices)) for n, indices in numbers.items()))
                for height, numbers in shown.items()
            ),
            log_proof=self._once(self._log_proof, tuple(shown)),
            accounts=tuple(self._account(noted, number) for number in accounts),
            accounts_proof=_proof(head.accounts[0], accounts, reader.state.account_node, ACCOUNTS.node_hash),
            parties=tuple(tuple(reader.parties[number].leaf_fields()) for number in sorted(parties)),
            parties_proof=_proof(head.parties[0], parties, reader.state.party_node, PARTIES.node_hash),
            gifts=tuple(self._gift(each) for _, each in sorted(noted.gifts.items())),
            ids=tuple(
                IdShown(id_, row.place, row.account, row.movement if row[3:5] in noted.refs else None)
                for id_, row in sorted(noted.ids.items())
                if row.place in noted.places
            ),
            links=tuple(
                LinkShown(about, kind, tuple(place for place in places if place in noted.places))
                for (about, kind), places in sorted(noted.links_asked.items())
                if any(place in noted.places for place in places)
            ),
        )  # fmt: skip

    def _complete(self, noted: Noted) -> None:
        """Note what binding the movements to their records needs beside what the trace looked at."""
        for movement in list(noted.refs.values()):
            noted.places.add(movement.place)
            if movement.kind == Kind.REVERSED and movement.source is not None:
                noted.places.add(noted.movement(*movement.source).place)
            record = self.reader.record(movement.place)
            if isinstance(record, records.Conversion):
                for number in (record.account, record.to, record.funded_from):
                    if number is not None:
                        noted.accounts[number]
        for account, _ in noted.refs:
            noted.accounts[account]

    def _header_node(self, level: int, index: int) -> bytes:
        found = self._headers.get((level, index))
        if found is None:
            found = self._headers[level, index] = self.reader.index.header_node(level, index)
        return found

    def _tree(self, key: tuple[Any, ...], leaves: Callable[[], Sequence[Any]], join: Callable[..., Any]) -> _Tree[Any]:
        found = self._trees.get(key)
        if found is None:
            listed = leaves()
            self._leaves += len(listed)
            if self._leaves > _LEAVES:
                self._trees.clear()
                self._leaves = len(listed)
            found = self._trees[key] = _Tree(listed, join)
        return found

    def _once(self, make: Callable[..., T], *key: Any) -> T:
        """Return a part that `make` makes of `key`; gifts whose ways meet have it in common."""
        found: T | None = self._shared.get((make.__name__, *key))
        if found is None:
            if len(self._shared) >= _PARTS:
                self._shared.clear()
            found = self._shared[make.__name__, *key] = make(*key)
        return found

    def _log_proof(self, heights: tuple[int, ...]) -> tuple[bytes, ...]:
        return _proof(self.reader.head.height + 1, heights, self._header_node, merkle.RFC6962.node_hash)

    def _block(self, height: int, shown: tuple[tuple[int, tuple[int, ...]], ...]) -> BlockShown:
        block = self.reader.checked_block(height)
        if not block.statements:
            return BlockShown(block.header.encode(), (), ())

        def leaves() -> list[bytes]:
            made = [self._moves(height, number).prove(())[0] for number in range(len(block.statements))]
            return list(map(statements.sealed_leaf, block.statements, made))

        tree = self._tree(("sealed", height), leaves, blocks.SEALED.node_hash)
        told = tuple(self._statement(height, number, indices) for number, indices in shown)
        return BlockShown(block.header.encode(), told, tree.prove(number for number, _ in shown))

    def _statement(self, height: int, number: int, shown: tuple[int, ...]) -> StatementShown:
        statement = self.reader.statement(Place(height, number, 0))
        signed = self._tree(
            ("records", height, number),
            lambda: list(map(statements.record_hash, statement.record_bytes)),
            statements.RECORDS.node_hash,
        )
        rows = tuple((at, statement.record_bytes[at], statement.moves[at]) for at in shown)
        proofs = signed.prove(shown), self._moves(height, number).prove(shown)
        return StatementShown(number, statement.header_bytes, statement.signatures, rows, *proofs)

    def _moves(self, height: int, number: int) -> _Tree[bytes]:
        """Return the tree over the movements that each record of a statement made."""
        statement = self.reader.checked_block(height).statements[number]
        return self._tree(
            ("moves", height, number), lambda: statements.moves_leaves(statement), statements.MOVES.node_hash
        )

    def _account(self, noted: Noted, number: int) -> AccountShown:
        at = noted.noted_accounts[number]
        listed = sorted((m for m in noted.refs.values() if m.account == number), key=lambda m: m.index)
        holes, undone = (
            tuple(trie.known(nodes)) for trie, nodes in zip((at.holes, at.reversed), at.nodes, strict=True)
        )
        proof = self._once(self._tape_proof, number, tuple(m.index for m in listed))
        tape = TapeShown(tuple(map(_shown, listed)), proof, holes, undone)
        return AccountShown(self._once(self._summary, number), tape)

    def _summary(self, number: int) -> tuple[Any, ...]:
        return tuple(self.reader.accounts[number].summary())

    def _tape_proof(self, number: int, shown: tuple[int, ...]) -> tuple[tuple[Any, ...], ...]:
        def node(level: int, index: int) -> LogNode:
            key = (number, level, index)
            found = self._log_nodes.get(key)
            if found is None:
                if len(self._log_nodes) >= 200_000:
                    self._log_nodes.clear()
                found = self._log_nodes[key] = self.reader.index.log_node(*key)
            return found

        proof = _proof(self.reader.accounts[number].size, shown, node, log_node)
        return tuple((*each[:5], *each.first, *each.last) for each in proof)

    def _gift(self, gift: GiftAt) -> GiftShown:
        inflow = self._kept.movement(self.reader, gift.account, gift.movement)
        record, at = self.reader.record(gift.place), (gift.id, gift.place, gift.account, gift.movement)
        if isinstance(record, records.Gifts):
            runs = self.reader.runs(gift.place)
            number = runs.number_of(int(gift.id.rpartition("/")[2]))
            return GiftShown(*at, (number, runs.run(number)), self._once(self._run_proof, gift.place, number))
        if inflow.gifts is None:  # received from another ledger: the whole inflow is the gift
            return GiftShown(*at, None, ())
        first, count = inflow.place.record, inflow.gifts[0]
        data = self.reader.statement(gift.place).record_bytes

        def leaves() -> list[Span]:
            return [_donation_leaf(data[number], number) for number in range(first, first + count)]

        tree = self._tree(("donations", inflow.place), leaves, partial(span_node, Tag.DONATIONS_NODE))
        return GiftShown(*at, None, tuple(map(tuple, tree.prove([gift.place.record - first]))))

    def _run_proof(self, place: Place, number: int) -> tuple[tuple[Any, ...], ...]:
        runs = self.reader.runs(place)
        tree = self._tree(("gifts", place), lambda: runs.leaves, partial(span_node, Tag.GIFTS_NODE))
        return tuple(map(tuple, tree.prove([number])))


def _donation_leaf(data: bytes, number: int) -> Span:
    record = records.decode_record(data)
    assert isinstance(record, records.Donation)
    return span_leaf(Tag.DONATIONS_LEAF, statements.record_hash(data), record.amount, number, number)


def _shown(m: Movement) -> MovementShown:
    return MovementShown(
        m.index, int(m.kind), m.place, m.amount, m.source, m.second, m.conversion, m.previous, m.gifts, int(m.named),
        m.takes, m.target, m.parts,
    )  # fmt: skip
