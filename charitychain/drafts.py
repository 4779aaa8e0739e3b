"""Drafts: statements that travel as files, from whoever writes them to everybody who must sign, and to the operator.

A draft file is text that survives e-mail: a head for people, then a block of base64 between two marker lines, as in
RFC 7468. The block holds the ledger's origin and identity, the statement, and the signatures given so far.

Rules upheld here:

- The head, and whatever else stands outside the block, is for people and never read.
- Every byte of the block is checked: one encoding only, records that fit the statement's header, and no signature but
  those that the header asks for, each of them valid.
- A draft is good for one place in one ledger: the next statement of its author. A draft for another ledger, one that
  was overtaken, and a copy of the ledger that is too old to judge it are told apart.
- Whoever signs is shown every record as the ledger would give it back, after all rules were checked.

Signing itself, and what a statement is, is `charitychain.chain.statements`; recording, `charitychain.writer`. Which
keys sign, and where files are, is for the caller.

>>> from charitychain import Ledger
>>> ledger = Ledger.create("d.ledger", origin="d.example", keys="keys")
>>> with ledger.drafter() as drafter:
...     drafter.account("school", unit="IDR")
True
>>> draft = Draft.parse(drafter.look.draft.encode())
>>> draft.statement.header.count, len(draft.missing())
(1, 1)
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from charitychain import codec, entries, records
from charitychain.chain.genesis import check_origin
from charitychain.chain.statements import SignedStatement, add_signature, check_records_root, unpack_statement
from charitychain.errors import MalformedError, RefusedError, UnreadableError, VerificationError
from charitychain.keys import PrivateKey, is_valid, signed_message
from charitychain.sealing import Sealer
from charitychain.state.rules import State
from charitychain.writer import Writer

__all__ = [
    "MAX_DRAFT_BYTES",
    "Draft",
    "Drafter",
    "Look",
    "Signer",
    "check_place",
    "find_recorded",
    "look_at",
    "merge",
    "record",
    "signers_of",
    "was_recorded",
]

MAX_DRAFT_BYTES = 32 * 1024 * 1024
"""The largest draft file: more than mail carries, and room for some 400,000 gifts."""

_VERSION = 1
_BEGIN, _END = b"-----BEGIN CHARITYCHAIN DRAFT-----", b"-----END CHARITYCHAIN DRAFT-----"
_LINE = 64
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]{1,64}={0,2}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement for one ledger, with the signatures given so far; `identity` is 32 bytes."""

    origin: str
    identity: bytes
    statement: SignedStatement

    @classmethod
    def parse(cls, data: bytes) -> Draft:
        """Read a draft file; what of it depends on a ledger is checked by `look_at`.

        Raises:
            MalformedError: ``CC-DRAFT-FORM``, ``CC-STATEMENT``, ``CC-CANONICAL`` and those of records.
            UnreadableError: ``CC-VERSION``: a draft of a later version.
            VerificationError: ``CC-RECORDS-ROOT``, ``CC-GIFTS-ROOT``: the records are not those of its header.
                ``CC-SIGNERS``: it was signed by a key that its header does not ask for.
        """
        value = codec.decode(_block(data), max_depth=3)
        if type(value) is tuple and value and type(value[0]) is int and value[0] > _VERSION:
            raise UnreadableError("CC-VERSION", f"this draft has version {value[0]}; a newer release reads it")
        if type(value) is not tuple or len(value) != 7 or type(value[0]) is not int or value[0] != _VERSION:
            raise _malformed("what stands between its markers is no draft")
        _, origin, identity, *parts = value
        if type(origin) is not str or type(identity) is not bytes or len(identity) != 32:
            raise _malformed("it names no ledger")
        statement = unpack_statement((*parts, ()))
        _check_statement(statement)
        return cls(check_origin(origin), identity, statement)

    def encode(self, about: Sequence[str] = ()) -> bytes:
        """Return the draft as a file.

        Args:
            about: Lines for people, to stand above the block.

        Raises:
            RefusedError: ``CC-DRAFT-SIZE``.
        """
        s = self.statement
        parts: list[codec.Value] = [s.header_bytes, s.signatures, s.record_bytes, s.columns]
        block = base64.b64encode(codec.encode([_VERSION, self.origin, self.identity, *parts]))
        # Each line of the head begins with a word of ours or is indented, so none can pass for a marker.
        head = [f"Draft for the ledger {self.origin}, identity {self.identity.hex()}", *(f"  {line}" for line in about)]
        lines = [block[at : at + _LINE] for at in range(0, len(block), _LINE)]
        data = b"\n".join([*(line.encode() for line in head), b"", _BEGIN, *lines, _END, b""])
        if len(data) > MAX_DRAFT_BYTES:
            raise RefusedError(
                "CC-DRAFT-SIZE",
                f"a draft of {len(data)} bytes is too large to travel, which {MAX_DRAFT_BYTES} may; make several",
                expected=MAX_DRAFT_BYTES,
                found=len(data),
            )
        return data

    def check_ledger(self, origin: str, identity: bytes) -> None:
        """Check that the draft is for the ledger of this name and identity.

        Raises:
            RefusedError: ``CC-DRAFT``.
        """
        if (self.origin, self.identity) != (origin, identity):
            raise RefusedError(
                "CC-DRAFT",
                f"this draft is for the ledger {self.origin} ({self.identity.hex()[:16]}…), and this one is {origin}"
                f" ({identity.hex()[:16]}…); name the right ledger with --ledger",
                expected=identity.hex(),
                found=self.identity.hex(),
            )

    def sign(self, key: PrivateKey) -> Draft:
        """Return the draft with the signature of `key` too, which its header must ask for."""
        return replace(self, statement=add_signature(self.statement, key, self.identity))

    def missing(self) -> tuple[bytes, ...]:
        """Return the ids of the keys that have not signed, the author's first."""
        header, signed = self.statement.header, dict(self.statement.signatures)
        return tuple(key for key in (header.author, *header.signers) if key not in signed)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that must sign: whose it is, the public key (33 bytes), and whether it has signed."""

    party: str
    key: bytes
    signed: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What a draft says: its records as journal entries, and who must sign it, the author first."""

    draft: Draft
    entries: tuple[dict[str, Any], ...]
    signers: tuple[Signer, ...]


class Drafter(Writer):
    """A writer whose entries become one draft, found in `look`; made by `Ledger.drafter`."""

    def __init__(self, core: Sealer, make_key: Callable[[str], PrivateKey], origin: str) -> None:
        super().__init__(core, make_key)
        self._origin = origin
        self._look: Look | None = None

    @property
    def look(self) -> Look:
        """The draft that was made, as whoever signs it will see it."""
        if self._look is None:
            raise ValueError("nothing was drafted yet")
        return self._look

    def add(self, entry: entries.Entry) -> bool:
        """Draft one entry, or the entries of a ``statement``; always new.

        Raises:
            MalformedError, RefusedError: as for `Writer.add`.
        """
        listed = entry.get("records")
        if entry.get("record") == "statement" and isinstance(listed, list | tuple):
            return self.add_together(listed)
        return self.add_together([entry])

    def add_together(self, listed: Sequence[entries.Entry]) -> bool:
        """Draft entries as one statement; always new.

        Raises:
            MalformedError, RefusedError: as for `Writer.add_together`.
        """
        if self._look is not None:
            raise ValueError("one drafter makes one draft")
        statement = self.draft(listed)
        draft = Draft(self._origin, self.core.identity, statement)
        state = self.core.state
        self._look = Look(draft, _described(state, statement), signers_of(draft, state))
        return True


def merge(drafts: Sequence[Draft]) -> Draft:
    """Return copies of one draft, which different people have signed, as one.

    Raises:
        RefusedError: ``CC-DRAFT``: they are different drafts.
    """
    first = drafts[0]
    found: dict[bytes, bytes] = {}
    for draft in drafts:
        if replace(draft.statement, signatures=()) != replace(first.statement, signatures=()):
            raise RefusedError("CC-DRAFT", "these files hold different drafts, so their signatures do not go together")
        found |= dict(draft.statement.signatures)
    header = first.statement.header
    ordered = tuple((key, found[key]) for key in (header.author, *header.signers) if key in found)
    return replace(first, statement=replace(first.statement, signatures=ordered))


def signers_of(draft: Draft, state: State) -> tuple[Signer, ...]:
    """Return who must sign a draft and who has, author first; every signature is checked.

    Raises:
        RefusedError: ``CC-DRAFT``: it names a key that does not act here now.
        VerificationError: ``CC-SIGNATURE``: a signature does not fit.
    """
    header, given = draft.statement.header, dict(draft.statement.signatures)
    message = signed_message("statement", draft.identity, draft.statement.header_bytes)
    found = []
    for key_id in (header.author, *header.signers):
        try:
            party, key = state.signer(key_id)
        except VerificationError as error:
            raise RefusedError(
                "CC-DRAFT",
                f"this draft names the key {key_id.hex()[:16]}…, which does not act in this ledger now: it was replaced"
                " since, or this copy is older than the draft. Get the newest copy; if the key was replaced, draft it"
                " anew",
                key=key_id.hex(),
            ) from error
        if key_id in given and not is_valid(key, message, given[key_id]):
            raise VerificationError(
                "CC-SIGNATURE",
                f"the signature of {party.id!r} does not fit this draft: it was changed after {party.id!r} signed, or"
                " the signature is another's. Record nothing of it; ask who sent it",
                party=party.id,
            )
        found.append(Signer(party.id, key, key_id in given))
    return tuple(found)


def look_at(writer: Writer, draft: Draft) -> Look:
    """Check a draft against the ledger and its rules, as if all had signed; for the writer of a dry run.

    Raises:
        RefusedError: ``CC-DRAFT``: it is not for this ledger, or not for where the ledger stands; or a rule says no.
        VerificationError: a signature does not fit; or the draft was made on another history of this ledger.
    """
    state = writer.core.state
    check_place(draft, state)
    signers = signers_of(draft, state)
    with _numbers_told():
        writer.core.try_out(draft.statement)
    return Look(draft, _described(state, draft.statement), signers)


def record(writer: Writer, draft: Draft) -> bool:
    """Record a draft that all have signed; return False where the ledger holds it already.

    Raises:
        RefusedError: ``CC-DRAFT``: as for `look_at`; ``CC-SIGNERS``: a signature is missing; or a rule says no.
        VerificationError: a signature does not fit; or the draft was made on another history of this ledger.
    """
    state = writer.core.state
    if was_recorded(draft.statement, state):
        return False
    check_place(draft, state)
    missing = tuple(dict.fromkeys(signer.party for signer in signers_of(draft, state) if not signer.signed))
    if missing:
        raise RefusedError(
            "CC-SIGNERS",
            f"this draft is not signed yet by {' and '.join(missing)}; send it there for `charitychain cosign`",
            missing=missing,
        )
    with _numbers_told():
        return writer.submit(draft.statement)


@contextmanager
def _numbers_told() -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        if error.code != "CC-ACCOUNT-NUMBER":
            raise
        raise RefusedError(
            "CC-DRAFT",
            "another account was opened since this draft, which opens one too, was made; draft it anew on the newest"
            " copy of the ledger",
        ) from error


def check_place(draft: Draft, state: State) -> None:
    """Check that a draft is its author's next statement here.

    Raises:
        RefusedError: ``CC-DRAFT``: it was recorded, overtaken, or has expired; or this copy is too old to judge it.
        VerificationError: ``CC-SEEN``, ``CC-PREVIOUS``: it was made on another history of this ledger.
    """
    header = draft.statement.header
    try:
        author = state.party_of(header.author)
    except KeyError:
        raise RefusedError(
            "CC-DRAFT", "the author of this draft is no party of this ledger, or of a newer copy of it"
        ) from None
    if header.sequence > author.sequence or header.seen_size > state.height:
        raise RefusedError(
            "CC-DRAFT",
            f"this draft was made on a copy with {header.seen_size} blocks or more, and this one has {state.height};"
            " get the newest copy of the ledger",
            expected=header.seen_size,
            found=state.height,
        )
    if header.sequence < author.sequence:
        height = find_recorded(draft.statement, state)
        if height is not None:
            raise RefusedError("CC-DRAFT", f"this draft is recorded already, in block {height}", block=height)
        raise RefusedError(
            "CC-DRAFT",
            f"{author.id!r} has recorded something else since this was drafted, so it can no longer be recorded; draft"
            " it anew on the newest copy of the ledger, and let all sign again",
            party=author.id,
        )
    try:
        state.check_order(header)
    except VerificationError as error:
        if error.code not in ("CC-EXPIRED", "CC-UNKNOWN-KEY"):
            raise
        raise RefusedError("CC-DRAFT", f"{error.message}; draft it anew on the newest copy of the ledger") from error


def find_recorded(statement: SignedStatement, state: State) -> int | None:
    """Return the height of the block that holds this very statement, as far as its records can be found by an id."""
    for record in statement.records():
        if isinstance(record, records.Gifts):
            found = state.lookup.find_batch(record.series, record.last)
            place = found.place if found is not None else None
        else:
            id_ = records.record_id(record)
            row = state.lookup.find_id(id_) if id_ is not None else None
            place = row.place if row is not None else None
        if place is not None and state.lookup.statement(place.height, place.statement).id == statement.id:
            return place.height
    return None


def was_recorded(statement: SignedStatement, state: State) -> bool:
    """Say whether the ledger holds this very statement; one that only changed keys is known as its author's last."""
    try:
        last = state.party_of(statement.header.author).previous
    except KeyError:
        return False
    return last == statement.id or find_recorded(statement, state) is not None


def _described(state: State, statement: SignedStatement) -> tuple[dict[str, Any], ...]:
    """Return the records of a statement that was applied as journal entries."""
    header, columns = statement.header, iter(statement.columns)
    signers = [state.party_of(key).id for key in (header.author, *header.signers)]
    found = []
    for record in statement.records():
        column = next(columns, None) if isinstance(record, records.Gifts) else None
        found.append(
            entries.describe(
                state, record, signers[0], column, with_unit=True, signers=signers,
                by_recovery=state.is_recovery(header.author),
            )
        )  # fmt: skip
    return tuple(found)


def _check_statement(statement: SignedStatement) -> None:
    """Check what can be checked of a statement without a ledger."""
    check_records_root(statement)
    gifts = sum(isinstance(record, records.Gifts) for record in statement.records())
    if gifts != len(statement.columns):
        raise VerificationError("CC-GIFTS-ROOT", "the draft has not the gift columns that its records commit to")
    header = statement.header
    signed = [key for key, _ in statement.signatures]
    if signed != [key for key in (header.author, *header.signers) if key in signed]:
        raise VerificationError(
            "CC-SIGNERS", "this draft was signed by a key that it does not ask for, or twice, or out of order"
        )


def _block(data: bytes) -> bytes:
    """Return what stands between the markers. Mail may change line ends and add blanks to them, nothing else."""
    if len(data) > MAX_DRAFT_BYTES:
        raise _malformed(f"it is larger than {MAX_DRAFT_BYTES} bytes")
    lines = [line.rstrip(b" \t\r") for line in data.split(b"\n")]
    if lines.count(_BEGIN) != 1 or lines.count(_END) != 1:
        raise _malformed(f"it must have one line {_BEGIN.decode()} and one line {_END.decode()}")
    body = lines[lines.index(_BEGIN) + 1 : lines.index(_END)]
    if not body or not all(map(_BASE64_LINE.fullmatch, body)) or any(len(line) != _LINE for line in body[:-1]):
        raise _malformed(f"between its markers must stand base64, {_LINE} characters a line")
    text = b"".join(body)
    try:
        block = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _malformed(f"its base64 is broken: {error}") from error
    if base64.b64encode(block) != text:
        raise _malformed("its base64 is not the one encoding of its bytes")
    return block


def _malformed(what: str) -> MalformedError:
    return MalformedError("CC-DRAFT-FORM", f"this is no draft file: {what}; `charitychain draft` makes one")
