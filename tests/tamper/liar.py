"""The lying operator: writes a ledger whose rules it bends, seals it with its own key, and issues receipts of it.

While a lie is told (`telling`), the product itself keeps the books: the same writer, the same hashes, roots and seals,
with one rule or one movement changed. So everything in the ledger fits but for the lie, and the receipts that the
product makes of it are the best that such an operator can show. What is checked afterwards is checked without the lie.

- `telling` bends the product for a while; `move`, `leaf` and `patched` make lies;
- `tell` writes a ledger so, and issues receipts of its gifts;
- `story` gives what it is about: five gifts, and records made by `spent`, `moved`, `undone` and others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from golden.builder import Builder

from charitychain import merkle, multiproof
from charitychain.errors import CharitychainError
from charitychain.index import Index, IndexDamaged
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
from charitychain.sumlog import Tag
from charitychain.trace import tell_flow
from charitychain.trie import Leaf, SumTrie
from charitychain.writer import Writer

__all__ = [
    "BOOKS", "EDU", "EUR", "EVEN", "LATE", "STEPS", "Entering", "Lie", "Story", "Told", "given", "issue", "leaf",
    "move", "moved", "nothing", "open_ledger", "patched", "proof_of", "refund", "shared", "spent", "story", "tell",
    "telling", "undone", "walked",
]  # fmt: skip

Lie = Callable[[pytest.MonkeyPatch], None]
"""Bends the product."""

Story = Callable[[Writer, Callable[[], Any]], None]
"""Enters records with the writer, and seals a block wherever it calls the second."""

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


def leaf(tag: Tag, change: Callable[[Leaf], Leaf | None]) -> Lie:
    """Return the lie of putting other leaves into the tries of holes or of reversals, or none."""

    def bend(patch: pytest.MonkeyPatch) -> None:
        honest = SumTrie.put

        def put(self: SumTrie, new: Leaf) -> None:
            told = change(new) if self._leaf_tag == tag else new
            if told is not None:
                honest(self, told)

        patch.setattr(SumTrie, "put", put)

    return bend


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


def tell(story: Story, gifts: Iterable[str], *lies: Lie) -> Told:
    """Write a ledger under some lies and issue receipts of its gifts."""
    builder = Builder("liar.example", nonce=bytes(32))
    try:
        with telling(*lies):
            story(builder.writer, builder.commit)
            builder.commit()
            reader = open_ledger(builder.data)
            try:
                return Told(builder.data, {gift: issue(reader, gift) for gift in gifts})
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


_STUMBLES = (CharitychainError, IndexDamaged, AssertionError)


def issue(reader: Reader, gift: str) -> Receipt:
    """Return the receipt of a gift; where the product sees that it cannot hold, with what it looked at until then."""
    maker = Maker(reader)
    try:
        return maker.gift(gift)[0]
    except _STUMBLES:
        noted = Noted(reader)
        found = noted.gift(gift)
        with suppress(*_STUMBLES):
            tell_flow(noted, found, follow(noted, noted.accounts, found, limit=100))
        return maker._receipt(noted, gift=gift)


def proof_of(kind: merkle.TreeKind, leaves: Sequence[bytes], shown: Iterable[int]) -> tuple[bytes, ...]:
    """Return the multiproof of some leaves of a tree of plain hashes."""
    return tuple(merkle.root(kind, leaves[first:end]) for first, end in multiproof.ranges(len(leaves), shown))


# ------------------------------------------------------------------------------------------------------ stories

EDU, BOOKS, EVEN, EUR, STEPS, LATE = range(6)
"""The accounts of a story: two under fifo, an even one, one in euros, one of steps, one that is empty at first."""

Entering = Callable[[Writer], Any]


def story(*entered: Entering) -> Story:
    """Return a story of five gifts, and of some records with a block after each."""

    def tell_it(writer: Writer, seal: Callable[[], Any]) -> None:
        for id_ in ("edu", "books"):
            writer.account(id_, unit="JPY")
        writer.account("even", unit="JPY", rule="pro-rata")
        writer.account("eur", unit="EUR")
        writer.account("steps", unit="STEP")
        writer.account("late", unit="JPY")
        writer.account("later", unit="JPY", rule="pro-rata")
        writer.donation("D-1", account="edu", amount="10")
        writer.donation("D-2", account="edu", amount="7")
        writer.donation("E-1", account="even", amount="10")
        writer.donation("E-2", account="even", amount="10")
        writer.donation("S-1", account="steps", amount="100")
        seal()
        for each in entered:
            each(writer)
            seal()

    return tell_it


def spent(id_: str, source: str, amount: str, **more: Any) -> Entering:
    return lambda w: w.expenditure(id_, source=source, amount=amount, payee="shop", purpose="books", **more)


def moved(id_: str, to: str, amount: str, source: str = "edu", **more: Any) -> Entering:
    return lambda w: w.disbursement(id_, source=source, to=to, amount=amount, **more)


def undone(id_: str, reverses: str, **more: Any) -> Entering:
    return lambda w: w.reversal(id_, reverses=reverses, **more)


def refund(id_: str, gift: str, **more: Any) -> Entering:
    return lambda w: w.refund(id_, donation=gift, **more)


def given(id_: str, account: str, amount: str) -> Entering:
    return lambda w: w.donation(id_, account=account, amount=amount)


def walked(id_: str, to: str, gives: str, **more: Any) -> Entering:
    return lambda w: w.conversion(id_, source="steps", amount="100", to=to, gives=gives, **more)


def shared(to: dict[str, str]) -> Entering:
    return lambda w: w.split("P-1", source="edu", to=to, amount="9")


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing: in the place of a rule that would refuse."""
