"""The ledgers that are tampered with: a tiny one with every kind of record, and a village with several parties."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from golden.builder import Builder

from charitychain.chain.blocks import Block
from charitychain.chain.genesis import Genesis
from charitychain.keys import PrivateKey
from charitychain.store.memory import MemoryStore
from charitychain.verify import Report, verify
from tamper.forge import put_together, take_apart

__all__ = ["Village", "checked", "codes", "tiny", "village", "winding"]


@cache
def tiny() -> bytes:
    """Return a ledger of three blocks that holds each kind of record, in as few bytes as that takes."""
    b = Builder("t", nonce=bytes(32))
    w = b.writer
    try:
        w.unit("R", decimals=0)
        w.rotate_key("self")
        w.account("a", unit="CNY")
        w.account("b", unit="R")
        w.account("c", unit="CNY")
        w.donation("d", account="a", amount="0.09")
        w.gifts("s", account="a", ids=[1], amounts=["0.05"])
        b.commit()
        w.disbursement("m", source="a", to="c", amount="0.06")
        w.expenditure("x", source="c", amount="0.03", payee="y", purpose="z")
        w.conversion("v", source="a", amount="0.02", to="b", gives="1")
        w.refund("r", donation="s/1")
        w.reversal("u", reverses="x", amount="0.01")
        b.commit()
        return b.data
    finally:
        b.close()


@dataclass(frozen=True)
class Village:
    """A ledger with its blocks and all private keys by party, newest last."""

    data: bytes
    genesis: Genesis
    keys: dict[bytes, PrivateKey]

    @property
    def identity(self) -> bytes:
        return self.genesis.identity()

    def blocks(self) -> list[Block]:
        """Return the blocks, for a test of its own to alter."""
        return take_apart(self.data)

    def key_of(self, public: bytes) -> PrivateKey:
        return self.keys[public]


@cache
def village(nonce: int = 0, *, last_gift: str = "2.00") -> Village:
    """Return a ledger of seven blocks: four parties, cosigned records, and something of each author in the last ones.

    Args:
        nonce: Tells ledgers of the same origin, parties and keys apart.
        last_gift: Amount of a donation in block 5; another one makes another history from there on.
    """
    b = Builder("village.example", nonce=bytes([nonce] * 32))
    w = b.writer
    try:
        w.party("platform", roles=["intake"])  # 1
        w.party("school", roles=["charity"])
        w.party("sponsor", roles=["sponsor"])
        b.commit()
        w.account("edu", unit="CNY")  # 2, numbers from 0
        w.account("books", unit="CNY", owner="school", author="self")
        w.account("run", unit="CNY", owner="sponsor")
        w.account("steps", unit="STEP")
        w.account("yen", unit="JPY")
        b.commit()
        w.donation("D-1", account="edu", amount="10.00", author="platform")  # 3
        w.donation("D-2", account="run", amount="6.00", author="sponsor")
        w.donation("D-3", account="steps", amount="1000")
        w.donation("D-4", account="yen", amount="300")
        b.commit()
        w.disbursement("B-1", source="edu", to="books", amount="7.00")  # 4
        w.conversion("C-1", source="steps", amount="400", to="books", gives="1.50", funded_from="run")
        w.gifts("s", account="edu", ids=[1, 2], amounts=["0.10", "0.20"], author="platform")
        b.commit()
        w.donation("D-5", account="edu", amount=last_gift, author="platform")  # 5
        w.expenditure("X-1", source="books", amount="3.00", payee="Toko Buku", purpose="books")
        b.commit()
        w.donation("D-6", account="edu", amount="1.00", author="platform")  # 6
        w.expenditure("X-2", source="books", amount="1.00", payee="Toko Buku", purpose="chalk")
        w.expenditure("X-3", source="edu", amount="0.50", payee="Bank", purpose="fees", category="administration")
        b.commit()
        return Village(b.data, b.genesis, dict(b.keys))
    finally:
        b.close()


@cache
def winding() -> bytes:
    """Return a ledger whose traces wind through every kind of movement, from several blocks."""
    b = Builder("winding.example", nonce=bytes(32))
    w = b.writer
    try:
        w.unit("RICE", decimals=0)
        w.party("school", roles=["charity"])
        b.commit()
        w.account("edu", unit="CNY")
        w.account("even", unit="CNY", rule="pro-rata")
        w.account("run", unit="CNY")
        w.account("steps", unit="STEP")
        w.account("rice", unit="RICE", owner="school", author="self")
        w.donation("D-1", account="edu", amount="5.00", donor="11" * 16)
        w.donation("D-2", account="edu", amount="3.00")
        w.donation("D-3", account="even", amount="7.01")
        w.donation("D-4", account="run", amount="4.00")
        w.donation("D-5", account="steps", amount="900")
        b.commit()
        w.gifts("s", account="edu", ids=[5, 9], amounts=["1.11", "2.22"], donors=["22" * 16, ""])
        b.commit()
        w.disbursement("B-1", source="edu", to="even", amount="4.00")
        w.disbursement("B-2", source="edu", to="even", amount="1.50", gift="D-2")
        w.conversion("C-1", source="steps", amount="600", to="even", gives="2.50", funded_from="run")
        b.commit()
        w.expenditure("X-1", source="even", amount="6.00", payee="Toko Buku", purpose="books")
        w.gifts("s", account="edu", ids=[10], amounts=["0.40"])
        b.commit()
        w.reversal("U-1", reverses="X-1", amount="2.00")
        w.conversion("C-2", source="even", amount="3.33", to="rice", gives="10")
        w.refund("R-1", donation="D-2")
        w.donation("D-6", account="edu", amount="0.77")
        b.commit()
        w.expenditure("X-2", source="rice", amount="4", payee="Kitchen", purpose="meals")
        w.expenditure("X-3", source="edu", amount="0.30", payee="Bank", purpose="fees")
        b.commit()
        return b.data
    finally:
        b.close()


def checked(parts: bytes | list[Block]) -> Report:
    """Verify a ledger that rests in memory."""
    data = parts if isinstance(parts, bytes) else put_together(parts)
    return verify(MemoryStore(data))


def codes(parts: bytes | list[Block]) -> list[tuple[str, int | None]]:
    """Return code and block of each fault that `verify` finds."""
    return [(fault.code, fault.block) for fault in checked(parts).faults]
