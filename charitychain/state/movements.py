"""Movements: what records do to the tape of an account.

Each movement is one leaf of its account's log. An inflow names the outflow it came from and an outflow the inflow it
went to; positions and balances are prefix sums over the log (the ``…_before`` fields here), so they stand in no
leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from charitychain import codec
from charitychain.records import Place
from charitychain.sumlog import LogNode, Span, Tag, span_leaf, span_root
from charitychain.tape import Run

__all__ = ["Kind", "Movement", "Ref", "takes_root"]

Ref = tuple[int, int]
"""An (account number, movement index) pair."""


class Kind(IntEnum):
    """What a movement is; inflows are below 16.

    A disbursement that is reversed leaves its target as GIVEN_BACK and comes in at its source as RETURNED; VOIDED is
    what a gift that was entered wrongly never brought; SPLIT is one outflow with several targets. SENT leaves for
    another ledger, and CAME out of one.
    """

    DONATED = 1
    RECEIVED = 2
    CONVERTED_IN = 3
    REVERSED = 4
    RETURNED = 5
    CAME = 6
    DISBURSED = 16
    SPENT = 17
    CONVERTED_OUT = 18
    FUNDED = 19
    REFUNDED = 20
    GIVEN_BACK = 21
    VOIDED = 22
    SPLIT = 23
    SENT = 24


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement with its prefix sums. Amounts and sums are minor units of the account.

    Inflows: `source` and `second` name outflows (`second` is the paying one of a funded conversion), `conversion` is
    (units taken, units given), `previous` the reversal of the same outflow before this one, `gifts` (count, root) of
    the donations or gift runs. Outflows: `named` says that the units were chosen, `takes` which (positions on the
    tape under fifo, in the balance just before under pro-rata), `target` the inflow they became, `parts` of a split
    the (account, movement, amount) of each. A `named` reversal brought back the units `takes` of what was left of the
    outflow that it undoes. For cost caps it is booked under `owner` and `year`, what was spent under `category`; these
    follow from the records and stand in no leaf.
    """

    account: int
    index: int
    kind: int
    place: Place
    amount: int
    in_before: int = 0
    rule_before: int = 0
    named_before: int = 0
    back_before: int = 0
    source: Ref | None = None
    second: Ref | None = None
    conversion: tuple[int, int] | None = None
    previous: int | None = None
    gifts: tuple[int, bytes] | None = None
    named: bool = False
    takes: tuple[Run, ...] = ()
    target: Ref | None = None
    parts: tuple[tuple[int, int, int], ...] = ()
    year: int = 0
    owner: int = 0
    category: str | None = None

    @property
    def is_inflow(self) -> bool:
        return self.kind < Kind.DISBURSED

    @property
    def balance_before(self) -> int:
        return self.in_before - self.rule_before - self.named_before

    @property
    def phi(self) -> int:
        """Return what the rule took before, mod the balance: see `charitychain.tape.pro_rata_cut`."""
        return self.rule_before % self.balance_before

    def leaf_bytes(self) -> bytes:
        """Return the canonical bytes of this movement's leaf."""
        if self.is_inflow:
            tail: list[codec.Value] = [self.source, self.second, self.conversion, self.previous, self.gifts]
            if self.named:
                tail.append((len(self.takes), takes_root(self.takes).hash))
        else:
            takes = takes_root(self.takes) if self.named else None
            tail = [int(self.named), (len(self.takes), takes.hash) if takes else None, self.target]
            if self.parts:
                tail.append(self.parts)
        return codec.encode([int(self.kind), *self.place, self.amount, *tail])

    def leaf(self) -> LogNode:
        """Return this movement's leaf in the log of its account."""
        digest = sha256(bytes((Tag.MOVEMENT_LEAF,)) + self.leaf_bytes()).digest()
        inflow = self.is_inflow
        return LogNode(
            digest,
            self.amount if inflow else 0,
            0 if inflow or self.named else self.amount,
            self.amount if self.named and not inflow else 0,
            self.amount if self.kind == Kind.REVERSED else 0,
            self.place,
            self.place,
        )


def takes_root(takes: tuple[Run, ...]) -> Span:
    """Return the root over the runs that a named outflow took."""
    leaves = [
        span_leaf(Tag.TAKES_LEAF, codec.encode([start, length]), length, start, start + length - 1)
        for start, length in takes
    ]
    return span_root(Tag.TAKES_NODE, leaves)
