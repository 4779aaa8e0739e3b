"""Accounts: their terms, their tape's sums, and the summary that a block header commits to.

The summary of an account is one leaf, numbered by the account's number, of the tree under the header's accounts
root. It binds the movement log, its sums, the holes and the reversals: everything a proof about the account starts
from; and the terms as they stand.

Beside that an account keeps sums by owner and year, from which cost caps are computed. They follow from the records
and stand in no leaf.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from charitychain import codec
from charitychain.errors import VerificationError
from charitychain.records import CATEGORIES
from charitychain.state.lookup import Lookup
from charitychain.state.movements import Movement
from charitychain.state.terms import Terms
from charitychain.sumlog import LogNode, MovementLog, Tag
from charitychain.trie import Leaf, SumTrie, TrieRef

__all__ = ["HOLES", "REVERSED", "AccountState", "Summary", "Year"]

HOLES, REVERSED = 0, 1


class Year:
    """What went through an account under one owner in one year, minor units, net of what was undone.

    `came` and `went` are transfers from and to other accounts; `spent` is by category (None: none stated).
    """

    __slots__ = ("came", "given", "spent", "went")

    def __init__(self, given: int = 0, came: int = 0, went: int = 0, *spent: int) -> None:
        self.given, self.came, self.went = given, came, went
        categories = (None, *CATEGORIES)
        self.spent: dict[str | None, int] = dict(zip(categories, spent or (0,) * len(categories), strict=True))

    def wire(self) -> list[int]:
        return [self.given, self.came, self.went, *self.spent.values()]


class Summary:
    """What a block commits to of an account, but for its terms: all that following units through it needs.

    `number`, `id`, `unit`, `rule`, `owner` (a party's number) and `open` say what it is; `in_`, `rule_sum`, `named` and
    `back` are the sums of its log, minor units; `holes` and `reversed` its tries.
    """

    __slots__ = (
        "back", "holes", "id", "in_", "named", "number", "open", "owner", "reversed", "rule", "rule_sum", "unit",
    )  # fmt: skip
    number: int
    id: str
    unit: str
    rule: str
    owner: int
    open: bool
    in_: int
    rule_sum: int
    named: int
    back: int
    holes: SumTrie
    reversed: SumTrie

    @property
    def size(self) -> int:
        """How many movements its log has."""
        raise NotImplementedError

    @property
    def balance(self) -> int:
        return self.in_ - self.rule_sum - self.named

    @property
    def pro_rata(self) -> bool:
        return self.rule == "pro-rata"


class AccountState(Summary):
    """One account while the ledger is replayed or written."""

    __slots__ = ("books", "closed_until", "first_terms", "levied", "log", "shares", "terms")

    def __init__(
        self,
        lookup: Lookup,
        *,
        number: int,
        id_: str,
        unit: str,
        rule: str,
        owner: int,
        terms: Terms,
        first_terms: bytes | None = None,
    ) -> None:
        self.number, self.id, self.unit, self.rule, self.owner = number, id_, unit, rule, owner
        self.terms, self.open = terms, True
        self.first_terms = first_terms  # in format 1 the summary holds the hash of the account's record
        self.levied = 0  # what was split since the levy was set, and what of it each of its targets got
        self.shares: dict[int, int] = {}
        self.closed_until: str | None = None
        self.books: dict[tuple[int, int], Year] = {}
        self.in_ = self.rule_sum = self.named = self.back = 0
        self.log = MovementLog()
        self.holes = SumTrie(Tag.HOLES_LEAF, Tag.HOLES_NODE, lookup.trie(number, HOLES))
        self.reversed = SumTrie(Tag.REVERSED_LEAF, Tag.REVERSED_NODE, lookup.trie(number, REVERSED))

    @property
    def title(self) -> str | None:
        return self.terms.title

    def book(self, year: int, owner: int | None = None) -> Year:
        """Return the sums of a year under an owner (nothing: the present one), to be added to."""
        key = (self.owner if owner is None else owner, year)
        found = self.books.get(key)
        if found is None:
            found = self.books[key] = Year()
        return found

    @property
    def size(self) -> int:
        return self.log.size

    def append(self, lookup: Lookup, movement: Movement) -> None:
        """Write a movement that was made for the end of this log, and all it changes here."""
        leaf = movement.leaf()
        for level, index, node in self.log.append(leaf):
            lookup.put_log_node(self.number, level, index, node)
        lookup.put_movement(movement)
        self.in_ += leaf.in_
        self.rule_sum += leaf.rule
        self.named += leaf.named
        self.back += leaf.back
        if movement.named and not movement.is_inflow and not self.pro_rata:
            offset = 0
            for run in movement.takes:
                last = run.position + run.length - 1
                self.holes.put(Leaf(run.position, last, run.length, movement.index, offset))
                offset += run.length
        if leaf.back and movement.source is not None:
            before = self.reversed.find(movement.source[1])
            total = movement.amount + (before.sum if before else 0)
            self.reversed.put(Leaf(movement.source[1], movement.source[1], total, movement.index, 0))

    def summary(self) -> list[Any]:
        """Return the fields of the summary, checked against each other.

        Raises:
            VerificationError: ``CC-SUMMARY``: the account's own sums do not fit.
        """
        holes = 0 if self.pro_rata else self.named
        if self.balance < 0 or self.holes.sum != holes or self.reversed.sum != self.back:
            raise VerificationError("CC-SUMMARY", f"the sums of account {self.id!r} do not fit", account=self.id)
        terms = self.first_terms or self.terms.hash()
        return [
            self.number, self.id, terms, self.unit, self.rule, self.owner, int(self.open),
            self.log.size, self.log.root(), self.in_, self.rule_sum, self.named, self.back,
            self.holes.root_hash(), self.holes.sum, self.reversed.root_hash(), self.reversed.sum,
        ]  # fmt: skip

    def leaf_hash(self) -> bytes:
        """Return this account's leaf under the accounts root."""
        return sha256(bytes((Tag.ACCOUNT_LEAF,)) + codec.encode(self.summary())).digest()

    def pack(self) -> bytes:
        """Return what `unpack` needs to go on; derived data, never part of the ledger."""
        peaks = [node.pack() for node in self.log.peaks]
        tries = [trie.root.pack() if trie.root else None for trie in (self.holes, self.reversed)]
        years = [[*key, *sums.wire()] for key, sums in sorted(self.books.items())]
        levied: list[codec.Value] = [self.levied, sorted(self.shares.items())]
        rest = [self.terms.wire(), self.first_terms, levied, self.closed_until, years]
        return codec.encode([self.summary(), rest, peaks, tries])

    @classmethod
    def unpack(cls, lookup: Lookup, data: bytes) -> AccountState:
        value: Any = codec.decode(data, max_depth=8)
        summary, (terms, first_terms, levied, closed_until, years), peaks, tries = value
        number, id_, _, unit, rule, owner, open_, size, _, in_, rule_sum, named, back, *_ = summary
        self = cls(
            lookup, number=number, id_=id_, unit=unit, rule=rule, owner=owner, terms=Terms(*terms),
            first_terms=first_terms,
        )  # fmt: skip
        self.open, self.levied, self.closed_until = bool(open_), levied[0], closed_until
        self.shares = dict(levied[1])
        self.books = {(owner, year): Year(*sums) for owner, year, *sums in years}
        self.in_, self.rule_sum, self.named, self.back = in_, rule_sum, named, back
        self.log = MovementLog(size, map(LogNode.unpack, peaks))
        for trie, root in zip((self.holes, self.reversed), tries, strict=True):
            trie.root = TrieRef.unpack(root) if root else None
        return self
