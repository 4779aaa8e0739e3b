"""The ledger: what most programs import.

>>> from charitychain import Ledger
>>> ledger = Ledger.create("village.ledger", origin="village.example/2026", keys="keys")
>>> with ledger.writer() as writer:
...     writer.account("school", unit="IDR", title="School books")
...     writer.donation("D-1", account="school", amount="150000.00")
...     writer.expenditure("X-1", source="school", amount="90000.00", payee="Toko Buku", purpose="books")
>>> ledger.verify().holds
True
>>> str(ledger.trace("D-1").uses[0].money)
'90000.00'

A `Ledger` reads; `Ledger.writer` writes, one at a time, and what it records counts when its block is sealed. Answers
come from an index beside the file (``NAME.ledger.index``) that is made and brought forward as needed, and are checked
against the sealed blocks.
"""

from __future__ import annotations

import os
import secrets
import time as _time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from charitychain.across import check_predecessor, check_received, compare, trace_across
from charitychain.answers import Money, Sources, Trace
from charitychain.athand import KeysAtHand, Passphrase
from charitychain.chain.genesis import Genesis, Predecessor, check_origin
from charitychain.codec import check_text
from charitychain.drafts import Drafter
from charitychain.errors import (
    NotFoundError,
    RefusedError,
    StorageError,
)
from charitychain.founding import first_block, party_record
from charitychain.heads import Heads
from charitychain.index import Head, Index
from charitychain.keyring import HighWaterMark, Keyring
from charitychain.reading import Reader, moment, read_genesis
from charitychain.readying import Readying
from charitychain.records import check_date
from charitychain.sidecar import Scratch, Sidecar, is_index_fault
from charitychain.sources import balances, find_sources
from charitychain.state.flow import PIECE_LIMIT
from charitychain.state.parties import possession_message
from charitychain.state.terms import days_of
from charitychain.store.file import create_file, open_file
from charitychain.store.protocol import Store
from charitychain.store.upto import StoreUpto
from charitychain.trace import trace_gift
from charitychain.verify import Progress, Report, verify
from charitychain.writer import Writer

if TYPE_CHECKING:
    from charitychain.mirror import Mirror

__all__ = ["Ledger"]

T = TypeVar("T")
SELF_ROLES = ("operator", "intake", "charity", "sponsor")


class Ledger:
    """One ledger file; open it with `Ledger.open` or make it with `Ledger.create`.

    Usable as a context manager, which closes it.
    """

    def __init__(
        self, path: Path, store: Store, keyring: Keyring, passphrase: Passphrase | None, clock: Callable[[], float]
    ) -> None:
        self.path, self._store, self.keyring, self._passphrase, self._clock = path, store, keyring, passphrase, clock
        self.genesis = read_genesis(store)
        self.identity = self.genesis.identity()
        self.notices: list[str] = []
        self.published: Mirror | None = None
        self._sidecar = Sidecar(path.with_name(path.name + ".index"), self.genesis, self.notices)
        self._reader: Reader | None = None
        self.on_reader: Callable[[Reader], None] | None = None
        self.at_hand = KeysAtHand(keyring, passphrase, self.genesis.origin)

    # -------------------------------------------------------------------------------------- open, create

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        origin: str,
        keys: str | os.PathLike[str] | Keyring | None = None,
        passphrase: bytes | None = None,
        name: str | None = None,
        nonce: bytes | None = None,
        predecessor: Predecessor | None = None,
        clock: Callable[[], float] = _time.time,
    ) -> Ledger:
        """Make a ledger, a key file, and its first party ``self`` with every role but auditor and witness.

        Args:
            origin: The ledger's name for ever, such as ``relief.example/2026``.
            keys: Folder of key files; nothing is the user's own (`charitychain.keyring.default_directory`).
            passphrase: Encrypts the key file; nothing leaves it plain, readable by its owner alone.
            name: A title for the first party.
            nonce: 32 bytes that set this ledger apart from others of its origin and key; random unless given. Only for
                made-up ledgers that must come out the same each time: what is signed in one of two ledgers with the
                same origin, key and nonce is valid in the other.
            predecessor: The ledger that this one goes on from, as `charitychain.succession` tells it.
            clock: Gives seconds since 1970.

        Raises:
            RefusedError: ``CC-EXISTS``: there is a file at `path`.
            MalformedError: ``CC-ORIGIN``.
        """
        path = Path(path)
        check_origin(origin)
        if nonce is None:
            nonce = secrets.token_bytes(32)
        elif len(nonce) != 32:  # such a ledger could not be opened
            raise ValueError(f"a nonce is 32 bytes, not {len(nonce)}")
        if path.exists():
            raise RefusedError("CC-EXISTS", f"{path} exists already; choose another name", path=str(path))
        if not path.parent.is_dir():  # told before a key file is made that nobody would need
            raise StorageError("CC-STORAGE", f"there is no folder {path.parent} for the ledger", path=str(path))
        if name is not None:
            check_text(name, what="name")  # before a key file is made
        keyring = _keyring(keys)
        entry, key = keyring.create(origin, "self", passphrase=passphrase)
        genesis = Genesis(origin, nonce, key.public_key, predecessor=predecessor)
        identity = genesis.identity()
        proof = key.sign(possession_message(identity, "self", key.public_key))
        party = party_record("self", SELF_ROLES, key.public_key, proof, name)
        scratch = Index(":memory:", _no_statement, scratch=True)
        try:
            block, data = first_block(genesis, party, key, scratch, clock)
        finally:
            scratch.close()
        mark = HighWaterMark.open(entry.path.with_suffix(".mark"), identity)
        try:
            store = create_file(path, [data])
            mark.advance(0, block.header.hash())
        finally:
            mark.close()
        store.close()
        ledger = cls.open(path, keys=keyring, passphrase=passphrase, clock=clock)
        ledger.at_hand.loaded[key.public_key] = key
        return ledger

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        keys: str | os.PathLike[str] | Keyring | None = None,
        passphrase: bytes | Passphrase | None = None,
        clock: Callable[[], float] = _time.time,
        cache: Path | None = None,
        afresh: bool = False,
        progress: Progress | None = None,
    ) -> Ledger:
        """Open a ledger for reading; `writer` opens it for writing.

        Args:
            path: The ledger file; or a published ledger, by the folder or the address (``https://…``) that holds it,
                for reading only: what is new there is fetched into a copy, which then answers.
            passphrase: For encrypted key files: the bytes, or a function that gives them when one is needed.
            cache: Where copies of published ledgers are kept; nothing is the user's cache folder.
            afresh: Forget the copy, and fetch all of it again.
            progress: Called with (blocks fetched, blocks in all) while a published ledger is fetched.

        Raises:
            UnreadableError: no such file, or no ledger of a known version; or it cannot be fetched.
            VerificationError: ``CC-FORK`` and others: what is published does not fit itself, or what was before.
        """
        place = os.fspath(path)
        published = None
        if place.lower().startswith(("http://", "https://")) or os.path.isdir(place):
            from charitychain.mirror import fetch  # here, since who opens a file needs no web

            published = fetch(place, cache, progress, afresh=afresh)
            path = published.path
        path = Path(path)
        store = open_file(path)
        try:
            ask = passphrase if callable(passphrase) or passphrase is None else _always(passphrase)
            found = cls(path, store, _keyring(keys), ask, clock)
        except BaseException:
            store.close()
            raise
        if published is not None:
            found.published = published
            found.notices += published.warnings
        return found

    def close(self) -> None:
        """Close files; the ledger can no longer be used."""
        self._drop_reader()
        self._store.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def progress(self) -> Progress | None:
        """Called with (bytes done, bytes in all) while an index is made; nothing by default."""
        return self._sidecar.progress

    @progress.setter
    def progress(self, progress: Progress | None) -> None:
        self._sidecar.progress = progress

    # ------------------------------------------------------------------------------------------- questions

    @property
    def origin(self) -> str:
        return self.genesis.origin

    def verify(
        self,
        *,
        heads: Heads | None = None,
        checkpoint: bytes | None = None,
        progress: Progress | None = None,
        others: Sequence[Ledger] = (),
    ) -> Report:
        """Recompute everything from the bytes and list all faults; see `charitychain.verify`.

        Of a published ledger, the published checkpoint too must be the operator's, unless another one is given.

        Args:
            others: Ledgers that value came from; a record that says so and does not fit them is a fault. They are read
                at their heads, and not verified themselves.
        """
        if checkpoint is None and self.published is not None:
            checkpoint = self.published.checkpoint
        report = verify(self._store, heads=heads, path=self.path, checkpoint=checkpoint, progress=progress)
        if self.published is not None:
            report.warnings += self.published.warnings
        if others and report.holds:
            readers = {other.identity: other.reader() for other in others}
            compare(report, self._ask(lambda: list(check_received(self._open_reader(), report.received, readers))))
            check_predecessor(report, self.genesis, readers)
        elif report.received:
            report.notices.append(_ITS_WORD)
        return report

    def trace(self, gift: str, *, limit: int = PIECE_LIMIT, others: Sequence[Ledger] = ()) -> Trace:
        """Follow one gift (a donation's id, or ``SERIES/NUMBER``) to its final uses.

        Args:
            others: Ledgers into which the trace goes on where value was sent there, and whence it came.

        Raises:
            NotFoundError: there is no such gift.
            VerificationError: something that the answer rests on is damaged.
        """
        if not others:
            return self._ask(lambda: trace_gift(self._open_reader(), gift, limit=limit))
        readers = {other.identity: other.reader() for other in others}

        def ask() -> Trace:
            here = self._open_reader()
            return trace_across(here, gift, {**readers, self.identity: here}, limit=limit)

        return self._ask(ask)

    def receipt(self, gift: str) -> list[bytes]:
        """Return the receipt of a gift, for files with the ending ``.ccr``: one, or its pages in order.

        `charitychain.check_receipt` checks one, with no ledger at hand. It carries the cosignatures that are kept
        beside the ledger.

        Raises:
            NotFoundError: there is no such gift.
            VerificationError: something that it rests on is damaged.
        """
        from charitychain.cosigned import cosigned_checkpoint
        from charitychain.receipts.make import Maker
        from charitychain.receipts.wire import encode_receipt

        def ask() -> list[bytes]:
            reader = self._open_reader()
            maker = Maker(reader, cosigned_checkpoint(self.path, reader))
            return [encode_receipt(page) for page in maker.gift(gift)]

        return self._ask(ask)

    def sources(self, id: str, *, offset: int = 0, count: int = 20) -> Sources:
        """Say which gifts paid for an expenditure or another outflow: largest first, `count` of them from `offset`."""
        return self._ask(lambda: find_sources(self._open_reader(), id, offset=offset, count=count))

    def balance(self, account: str) -> Money:
        """Return what an account holds.

        Raises:
            NotFoundError: ``CC-UNKNOWN-ACCOUNT``.
        """
        found = self.balances().get(account)
        if found is None:
            raise NotFoundError("CC-UNKNOWN-ACCOUNT", f"this ledger has no account {account!r}", account=account)
        return found[0]

    def balances(self) -> dict[str, tuple[Money, dict[str, int]]]:
        """Return what every account holds, with the sums of its tape in minor units."""
        return self._ask(lambda: balances(self._open_reader()))

    def at(self, *, height: int | None = None, date: str | None = None) -> Ledger:
        """Return this ledger as it was at an earlier moment: another object, for questions only, to be closed.

        What stood there then is replayed, which takes as long as verifying that part.

        Args:
            height: As of this block.
            date: ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``: as of the last block that was sealed up to the end of that
                year, month or day (UTC). What records say of when they happened plays no part.

        Raises:
            NotFoundError: ``CC-UNKNOWN-MOMENT``: there is no such block, or none had been sealed by then.
            MalformedError: `date` is no date.
        """
        if (height is None) == (date is None):
            raise ValueError("give height or date")
        last = None
        if date is not None:
            check_date(date)
            last = days_of(date)[1]
        store = open_file(self.path)
        try:
            end, torn = moment(store, height=height, day_of=last)
            view = StoreUpto(store, end)
            found = Ledger(self.path, view, self.keyring, self._passphrase, self._clock)
        except BaseException:
            store.close()
            raise
        if torn is not None:
            found.notices.append(f"The file ends inside a block at byte {torn}: a write was cut off.")
        found._sidecar = Scratch(self._sidecar.path, found.genesis, found.notices)
        return found

    def reader(self) -> Reader:
        """Return checked look-ups at the ledger's present head."""
        return self._ask(self._open_reader)

    def answer(self, question: Callable[[Reader], T]) -> T:
        """Answer a question from checked look-ups; where the index is at fault, it is made anew once."""
        return self._ask(lambda: question(self._open_reader()))

    def _open_reader(self) -> Reader:
        if self._reader is not None and not self.grown(self._reader.head):
            return self._reader
        self._drop_reader()
        index, head = self._sidecar.current(self._store)
        try:
            reader = Reader(self._store, index, self.genesis, head)
            if self.on_reader is not None:
                self.on_reader(reader)
        except BaseException:
            index.close()
            raise
        self._reader = reader
        return reader

    def _ask(self, question: Callable[[], T]) -> T:
        """Answer; where the index is at fault, make it anew once and answer again.

        What a damaged index provokes has many forms, so every error that is no answer counts as its fault; one that
        has another cause comes again.
        """
        try:
            return question()
        except Exception as error:
            if not is_index_fault(error):
                raise
            self._distrust(error)
            return question()

    def _distrust(self, error: Exception) -> None:
        """Throw the index away; the next look-up makes it anew."""
        self.notices.append(f"The index did not fit the ledger ({error}); it was made anew.")
        self._drop_reader()
        self._sidecar.remove()

    def _drop_reader(self) -> None:
        if self._reader is not None:
            self._reader.index.close()
            self._reader = None

    @property
    def index_path(self) -> Path:
        """Where the index rests; it may be deleted at any time."""
        return self._sidecar.path

    def grown(self, head: Head) -> bool:
        """Say whether a block stands behind a head that was read."""
        frame = next(iter(self._store.scan(head.end)), None) if self._store.size() > head.end else None
        return frame is not None and frame.fault != "CC-TORN"

    # -------------------------------------------------------------------------------------------- writing

    @contextmanager
    def writer(self, *, dry: bool = False) -> Iterator[Writer]:
        """Open the ledger for writing; leaving the ``with`` block commits.

        Args:
            dry: Check everything, write nothing: no lock is taken, and the file may be read-only.

        Raises:
            LockedError: another writer holds the ledger.
            KeyAccessError: at `Writer.commit`: the operator's key is not at hand.
            VerificationError: ``CC-FORK``: the operator's key has sealed another history than this file holds.
            RefusedError: ``CC-OLDER``: its key has sealed more blocks than this file holds; ``CC-PUBLISHED``: this is
                a copy of what somebody published.
        """
        if self.published is not None:
            raise RefusedError(
                "CC-PUBLISHED", f"what is published at {self.published.place} is for reading; write to the ledger file"
            )
        with ExitStack() as stack:
            core = self._readying().trial(stack) if dry else self._readying().sealer(stack)
            yield Writer(core, self.at_hand.loose if dry else self.at_hand.make)
            core.commit()

    @contextmanager
    def drafter(self) -> Iterator[Drafter]:
        """Open the ledger for drafting: what is added becomes one statement that nobody has signed yet.

        As a dry run it takes no lock and writes nothing, but a key that a record brings is made for good.
        """
        with ExitStack() as stack:
            yield Drafter(self._readying().trial(stack), self.at_hand.make, self.origin)

    def _readying(self) -> Readying:
        return Readying(
            self.path, self.genesis, self._sidecar, self.at_hand, self.notices, self._clock, self._distrust
        )


_ITS_WORD = (
    "What this ledger says that it received from other ledgers was not compared with them; --with LEDGER does that."
)


def _keyring(keys: str | os.PathLike[str] | Keyring | None) -> Keyring:
    return keys if isinstance(keys, Keyring) else Keyring(Path(keys) if keys is not None else None)


def _always(passphrase: bytes) -> Passphrase:
    return lambda entry: passphrase


def _no_statement(offset: int, statement: int) -> Any:
    raise NotFoundError("CC-UNKNOWN-ID", "a new ledger has no statements yet")
