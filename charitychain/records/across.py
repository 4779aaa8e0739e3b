"""Kinds of records that take value from one ledger into another.

What leaves is `Sent` in the one and `Received` in the other. Each names the other ledger by its identity; the second
says besides under which checkpoint of the first it saw the outflow, and which of its units it takes in, so that the way
of a gift goes on from ledger to ledger unit by unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Received", "Sent"]


@dataclass(frozen=True, slots=True)
class Sent:
    """Value leaves this ledger for another: the one of the identity `to_ledger`, called `to_origin`.

    `gift` names the one gift that it is taken from.
    """

    KIND: ClassVar[int] = 30
    NAME: ClassVar[str] = "sent"
    id: str
    account: int
    amount: int
    to_ledger: bytes
    to_origin: str | None = None
    gift: str | None = None
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """Value comes into this ledger out of another, in the order in which it left there.

    `movement` is (account number, movement index) of the outflow there, and `checkpoint` (size, root) of a log of that
    ledger that holds it. `spans` are the (start, length) runs of its units, rising, that this record takes in: together
    `amount`, as a rule one run.
    """

    KIND: ClassVar[int] = 31
    NAME: ClassVar[str] = "received"
    id: str
    account: int
    amount: int
    from_ledger: bytes
    from_origin: str | None
    checkpoint: tuple[int, bytes]
    movement: tuple[int, int]
    spans: tuple[tuple[int, int], ...]
    date: str | None = None
    reference: str | None = None
    evidence: tuple[bytes, ...] = ()
    private: bytes | None = None
