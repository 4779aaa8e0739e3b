"""The lying operator: writes a ledger whose rules it bends, seals it with its own key, and issues receipts of it.

While a lie is told (`telling`), the product itself keeps the books: the same writer, the same hashes, roots and seals,
with one rule or one movement changed. So everything in the ledger fits but for the lie, and the receipts that the
product makes of it are the best that such an operator can show. What is checked afterwards is checked without the lie.

- `telling(*lies)` bends the rules for a while; `move`, `unruly` and others are lies;
- `Told` is the ledger that came out, with `receipts` of its gifts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from golden.builder import Builder

from charitychain import keys, merkle, multiproof
from charitychain.chain import blocks
from charitychain.errors import CharitychainError
from charitychain.index import Index
from charitychain.reading import Reader, statement_reader
from charitychain.receipts.make import Maker
from charitychain.receipts.noted import Noted
from charitychain.receipts.wire import Receipt
from charitychain.replay import Replay, raise_fault
from charitychain.state.accounts import AccountState
from charitychain.state.acting import Acting
from charitychain.state.flow import follow
from charitychain.state.movements import Kind, Movement
from charitychain.store.memory import MemoryStore
from charitychain.trace import tell_flow
from charitychain.writer import Writer

__all__ = ["Lie", "Told", "issue", "log_proof", "move", "open_ledger", "patched", "tell", "telling"]

Lie = Callable[[pytest.MonkeyPatch], None]
"""Bends the product."""

Change = Callable[[Acting, dict[str, Any]], dict[str, Any] | None]
"""Returns a movement's fields as the operator tells them, or nothing: it writes no movement at all."""


def patched(owner: Any, name: str, value: Any) -> Lie:
    """Return the lie of putting `value` in the place of something of the product."""
    return lambda patch: patch.setattr(owner, name, value)


def move(kind: Kind, change: Change | None, amount: int | None = None) -> Lie:
    """Return the lie of writing movements of a kind, all or those of an amount, with other fields, or not at all.

    The fields are those of `Movement` that the rule gives, with ``account`` (an `AccountState`), ``kind``, ``amount``.
    """

    def bend(patch: pytest.MonkeyPatch) -> None:
        honest = Acting.add

        def add(self: Acting, account: AccountState, told: Kind, units: int, **links: Any) -> Movement:
            fields: dict[str, Any] | None = {"account": account, "kind": told, "amount": units, **links}
            if told == kind and amount in (None, units):
                fields = change(self, dict(fields)) if change is not None else None
            if fields is None:
                return Movement(account.number, account.log.size, told, self.place, units)
            return honest(self, fields.pop("account"), fields.pop("kind"), fields.pop("amount"), **fields)

        patch.setattr(Acting, "add", add)

    return bend


def _summary(self: AccountState) -> list[Any]:
    """Return the fields of a summary as they are, whether or not they fit each other."""
    return [
        self.number, self.id, self.first_terms or self.terms.hash(), self.unit, self.rule, self.owner, int(self.open),
        self.log.size, self.log.root(), self.in_, self.rule_sum, self.named, self.back,
        self.holes.root_hash(), self.holes.sum, self.reversed.root_hash(), self.reversed.sum,
    ]  # fmt: skip


@contextmanager
def telling(*lies: Lie) -> Iterator[None]:
    """Bend the product, and see to it that it does not notice sums that do not fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccountState, "summary", _summary)
        for lie in lies:
            lie(patch)
        yield


@dataclass
class Told:
    """A ledger as the operator tells it, and the receipts of its gifts."""

    data: bytes
    receipts: dict[str, Receipt]
    builder: Builder


def tell(story: Callable[[Writer, Callable[[], Any]], None], gifts: tuple[str, ...], *lies: Lie) -> Told:
    """Write a ledger under some lies and issue receipts of its gifts; the story gets the writer and what seals."""
    builder = Builder("liar.example", nonce=bytes(32))
    try:
        with telling(*lies):
            story(builder.writer, builder.commit)
            builder.commit()
            reader = open_ledger(builder.data)
            try:
                return Told(builder.data, {gift: issue(reader, gift) for gift in gifts}, builder)
            finally:
                reader.index.close()
    finally:
        builder.close()


def open_ledger(data: bytes) -> Reader:
    """Return checked look-ups in a ledger, as the rules are told just now; its index is the caller's to close."""
    store = MemoryStore(data)
    index = Index(":memory:", statement_reader(store))
    index.begin()
    replay = Replay(index, raise_fault)
    for frame in store.scan():
        replay.feed(frame)
    index.commit(replay.head)
    assert replay.genesis is not None
    return Reader(store, index, replay.genesis, replay.head)


def issue(reader: Reader, gift: str) -> Receipt:
    """Return the receipt of a gift: where the product sees that it cannot hold, with all that it looked at until then."""
    maker = Maker(reader)
    try:
        return maker.gift(gift)[0]
    except CharitychainError:
        noted = Noted(reader)
        found = noted.gift(gift)
        try:
            tell_flow(noted, found, follow(noted, noted.accounts, found, limit=100))
        except CharitychainError:
            pass
        return maker._receipt(noted, gift=gift)


def log_proof(parts: list[blocks.Block], heights: list[int]) -> tuple[bytes, ...]:
    """Return the multiproof of some blocks in the log of all of them."""
    hashes = [block.header.hash() for block in parts]

    def root(first: int, end: int) -> bytes:
        if end - first == 1:
            return hashes[first]
        middle = first + (1 << (end - first - 1).bit_length() - 1)
        return merkle.RFC6962.node_hash(root(first, middle), root(middle, end))

    return tuple(root(*each) for each in multiproof.ranges(len(parts), heights))


def sealed(genesis: Any, log: list[blocks.Block], key: keys.PrivateKey) -> bytes:
    """Return the operator's seal over the log of these blocks."""
    tree = merkle.Frontier(merkle.RFC6962)
    for block in log:
        tree.append(block.header.hash())
    return blocks.make_seal(genesis.origin, tree.size, tree.root(), key)


_ = replace
