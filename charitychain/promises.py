"""Promises: the word of whoever took a gift at the counter that the ledger will hold it by a certain block.

A donor takes the promise home, and asks a ledger later what became of it (`charitychain.promised`). A broken one, with
the operator's signed word on how far the ledger went, is *evidence of omission*.

A promise is signed under the purpose ``promise`` (`charitychain.keys.signed_message`) and travels armoured
(`charitychain.armour`), with a head for people that is never read. It is no part of the ledger.

Rules upheld here:

- One encoding only. The signature covers every field but itself, so no bit of a promise can be changed.
- A promise binds one history of one ledger: it names the last block that its maker saw.
- It carries the key that signed it, so that a copy is seen to be whole by anybody; whose key it is, only the ledger
  tells.

>>> from charitychain.keys import PrivateKey
>>> key = PrivateKey.from_seed(bytes(32))
>>> promise = Promise(
...     bytes(32), "p.example", "clinic", key.public_key, 3, bytes(32), "D-1", 0, "fund", "EUR", 2500, None, 1767139200,
...     deadline=9,
... ).sign(key)
>>> parse_promise(promise.pack()) == promise
True
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from charitychain import codec, keys
from charitychain.chain.genesis import check_origin
from charitychain.errors import MalformedError, RefusedError, UnreadableError
from charitychain.note import MAX_NOTE_BYTES, parse_note

__all__ = ["Evidence", "Promise", "check_gift_id", "parse_evidence", "parse_promise"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Promise:
    """That the ledger will hold a gift; `sign` completes one, `parse_promise` reads one.

    Attributes:
        identity: The ledger's identity, 32 bytes; `origin` is its name.
        party: Who promises, by the public key `key` (33 bytes).
        seen_size: How many blocks its maker saw; `seen` is the hash of the last of them.
        gift: The id, or ``SERIES/NUMBER``.
        account: The account's number; `account_id` and `unit` are its id and unit.
        amount: Smallest units, above 0.
        donor: The donor's pseudonym, 16 bytes, where one was told.
        made: When it was made, as its maker's clock said: UTC seconds.
        deadline: The height of the last block in which the gift may come.
        signature: 64 bytes.
    """

    identity: bytes
    origin: str
    party: str
    key: bytes
    seen_size: int
    seen: bytes
    gift: str
    account: int
    account_id: str
    unit: str
    amount: int
    donor: bytes | None
    made: int
    deadline: int
    signature: bytes = b""

    def sign(self, key: keys.PrivateKey) -> Promise:
        """Return the promise with the signature of `key`, which must be the one that it names."""
        if key.public_key != self.key:
            raise ValueError("another key than the promise names")
        return replace(self, signature=key.sign(self._message()))

    def pack(self) -> bytes:
        """Return the promise with its signature: the inverse of `parse_promise`."""
        return codec.encode([*self._fields(), self.signature])

    def check_ledger(self, origin: str, identity: bytes) -> None:
        """Check that the promise is for the ledger of this name and identity.

        Raises:
            RefusedError: ``CC-PROMISE``.
        """
        if (self.origin, self.identity) != (origin, identity):
            raise RefusedError(
                "CC-PROMISE",
                f"this promise is for the ledger {self.origin} ({self.identity.hex()[:16]}…), and this one is {origin}"
                f" ({identity.hex()[:16]}…); name the right ledger with --ledger",
                expected=self.identity.hex(),
                found=identity.hex(),
            )

    def _message(self) -> bytes:
        return keys.signed_message("promise", self.identity, codec.encode(self._fields()))

    def _fields(self) -> list[codec.Value]:
        return [
            _VERSION, self.identity, self.origin, self.party, self.key, self.seen_size, self.seen, self.gift,
            self.account, self.account_id, self.unit, self.amount, self.donor, self.made, self.deadline,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of omission: a promise, and the signed checkpoint (a note) at whose last block it was broken."""

    promise: Promise
    checkpoint: bytes

    def pack(self) -> bytes:
        """Return it as bytes: the inverse of `parse_evidence`."""
        return codec.encode([_VERSION, self.promise.pack(), self.checkpoint])


_KINDS = (int, bytes, str, str, bytes, int, bytes, str, int, str, str, int, bytes, int, int, bytes)


def parse_promise(data: bytes) -> Promise:
    """Read a promise and check its signature; whose key it is, only the ledger tells.

    Raises:
        MalformedError: ``CC-PROMISE``, ``CC-CANONICAL``, ``CC-ID`` and others: it is none.
        UnreadableError: ``CC-VERSION``: one of a later version.
        VerificationError: ``CC-SIGNATURE``.
    """
    fields = _fields(data, _KINDS, nil=12)
    promise = Promise(*fields[1:])
    sizes = (promise.account, promise.amount, promise.made, promise.deadline)
    hashes, donor = (promise.identity, promise.seen), promise.donor
    if any(len(told) != 32 for told in hashes) or (donor is not None and len(donor) != 16):
        raise _malformed("a hash or the donor's pseudonym has another length")
    if min(sizes) < 0 or not promise.amount or not 0 < promise.seen_size <= promise.deadline:
        raise _malformed("its amount, time or heights can be no gift's")
    check_origin(promise.origin)
    codec.check_id(promise.party, what="party")
    codec.check_id(promise.account_id, what="account")
    codec.check_text(promise.unit, what="unit")
    check_gift_id(promise.gift)
    keys.check_public_key(promise.key)
    keys.verify(promise.key, promise._message(), promise.signature)
    return promise


def parse_evidence(data: bytes) -> Evidence:
    """Read evidence of omission; its checkpoint is believed by nobody yet.

    Raises:
        MalformedError: ``CC-PROMISE``, ``CC-NOTE`` and others: it is none.
        UnreadableError, VerificationError: as for `parse_promise`.
    """
    _, promise, checkpoint = _fields(data, (int, bytes, bytes))
    if len(checkpoint) > MAX_NOTE_BYTES:
        raise _malformed("its checkpoint is too long")
    parse_note(checkpoint)
    return Evidence(parse_promise(promise), checkpoint)


def check_gift_id(gift: str) -> str:
    """Check that `gift` may name a gift, single or of a series (``SERIES/NUMBER``), and return it.

    Raises:
        MalformedError: ``CC-ID``.
    """
    id_, slash, number = gift.partition("/")
    codec.check_id(id_, what="gift")
    digits = number.isascii() and number.isdigit() and len(number) < 20
    if slash and not (digits and str(int(number)) == number and int(number) <= codec.MAX_INT):
        raise MalformedError("CC-ID", f"a gift of a series is SERIES/NUMBER, not {gift!r:.150}")
    return gift


def _fields(data: bytes, kinds: tuple[type, ...], nil: int = -1) -> tuple[Any, ...]:
    """Return the fields of an array of these kinds; the one at `nil` may be missing."""
    value = codec.decode(data, max_depth=1)
    version = value[0] if type(value) is tuple and value else None
    if type(version) is int and version > _VERSION:
        raise UnreadableError("CC-VERSION", f"this promise has version {version}; a newer release reads it")
    if version != _VERSION or type(value) is not tuple or len(value) != len(kinds):
        raise _malformed("what stands between its markers is none")
    for at, (found, kind) in enumerate(zip(value, kinds, strict=True)):
        if type(found) is not kind and not (at == nil and found is None):
            raise _malformed(f"its field {at} is of another kind")
    return value


def _malformed(why: str) -> MalformedError:
    return MalformedError("CC-PROMISE", f"this is no promise: {why}; `charitychain promise make` makes one")
