"""Mirror: a copy of a published ledger, brought forward block by block, as the ledger file that it once was.

A published ledger (`charitychain.publishing`) is answered for by its copy: a file in the user's cache folder, byte for
byte the operator's own, with an index beside it like any other. So every question that can be asked of a ledger file
can be asked of an address, and nothing is fetched twice.

Rules upheld here:

- A block is kept only if the header in it is the one at its place in the log under the published checkpoint, by a proof
  from the tiles.
- The copy only grows. A published checkpoint that it cannot be reconciled with is a fork, and said, with the evidence.
- A published checkpoint of fewer blocks than the copy has changes nothing, and is said.
- The copy is no more than a cache: it may be deleted at any time, and what the blocks say is checked by whoever reads
  them, as in any other ledger file.

Left to others: what the blocks say (`charitychain.verify`), whose signature the checkpoint has, and what this machine
remembers of ledgers (`charitychain.heads`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from charitychain import forks, merkle, note
from charitychain.chain.blocks import HEADER_SIZE, decode_block, peek_header
from charitychain.checkpoints import read_checkpoint
from charitychain.durable import alone_in
from charitychain.errors import (
    CharitychainError,
    MalformedError,
    StorageError,
    UnreadableError,
    VerificationError,
)
from charitychain.fetch import Source, open_source
from charitychain.forks import Fork
from charitychain.merkle import RFC6962
from charitychain.note import MAX_NOTE_BYTES
from charitychain.publishing import CHECKPOINT, block_path
from charitychain.reading import read_genesis
from charitychain.store.file import FileStore, create_file, open_file
from charitychain.store.frames import MAX_ENTRY, START
from charitychain.store.protocol import Frame
from charitychain.tiles import TileTree

__all__ = [
    "Mirror",
    "bring_forward",
    "cache_directory",
    "copy_path",
    "fetch",
    "published_block",
    "read_published",
]

Progress = Callable[[int, int], None]

_FRAME_HEAD = 12
_BLOCK_START = 3  # an array of four, and the length of the header that follows
_BATCH_BYTES = 16 << 20
_BATCH_BLOCKS = 256


@dataclass(frozen=True, slots=True)
class Mirror:
    """A published ledger and its copy.

    Attributes:
        place: Where it is published.
        path: The copy.
        checkpoint: The published checkpoint, as it was fetched. Nobody's signature on it was checked.
        warnings: What there is to say about it, such as that it has become shorter.
    """

    place: str
    path: Path
    checkpoint: bytes
    warnings: tuple[str, ...]


def fetch(place: str, cache: Path | None = None, progress: Progress | None = None, *, afresh: bool = False) -> Mirror:
    """Bring the copy of what is published at an address or in a folder forward, and say where it is.

    Args:
        cache: Where copies are kept; nothing is the user's cache folder.
        afresh: Forget the copy, and fetch all of it again.

    Raises:
        As `bring_forward`.
    """
    source = open_source(place)
    try:
        path = copy_path(cache if cache is not None else cache_directory(os.environ), source)
        if afresh:
            with _alone(path.parent):
                _remove(path)
        return bring_forward(source, path, progress)
    finally:
        source.close()


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Return the user's cache folder: ``$XDG_CACHE_HOME/charitychain``, else ``~/.cache/charitychain``."""
    base = environ.get("XDG_CACHE_HOME", "")
    folder = Path(base) if os.path.isabs(base) else Path(environ.get("HOME") or Path.home()) / ".cache"
    return folder / "charitychain"


def copy_path(cache: Path, source: Source) -> Path:
    """Return where the copy of what `source` publishes rests."""
    return cache / "published" / hashlib.sha256(os.fsencode(source.name)).hexdigest()[:32] / "copy.ledger"


def read_published(source: Source) -> tuple[bytes, note.Checkpoint]:
    """Return the published checkpoint, as it was fetched and as it was parsed. Nobody is believed yet.

    Raises:
        UnreadableError: ``CC-NOT-A-LEDGER``: there is none. ``CC-WEB``, ``CC-UNREADABLE``, ``CC-NOTE``: it cannot be
            fetched, or is none.
    """
    data = source.get(CHECKPOINT, MAX_NOTE_BYTES)
    if data is None:
        raise UnreadableError("CC-NOT-A-LEDGER", f"{source.name} is no published ledger: it has no file {CHECKPOINT}")
    told = read_checkpoint(data, f"{source.name}/{CHECKPOINT}")
    if not told.size:
        raise UnreadableError("CC-NO-GENESIS", f"{source.name} has published no block yet")
    return data, told


def published_block(source: Source, tree: TileTree, root: bytes, height: int) -> bytes:
    """Return a published block, whose header is at its place in the log under `root`.

    Raises:
        UnreadableError: ``CC-TILE`` and others: it cannot be fetched.
        VerificationError: ``CC-LINK``: it is another block. ``CC-PROOF``, ``CC-TILE``: the tiles are damaged.
    """
    leaf, path = tree.leaf(height, root), block_path(height)
    data = source.get(path, MAX_ENTRY)
    if not data:
        raise UnreadableError("CC-TILE", f"{source.name} has no {path}, which a ledger of {tree.size} blocks has")
    header = peek_header(data)
    if header is None or header.hash() != leaf:
        raise VerificationError(
            "CC-LINK", f"{source.name}/{path} is not the block that the published log holds there: it was changed, or"
            " damaged on its way", block=height, expected=leaf.hex(), found=header and header.hash().hex(),
        )  # fmt: skip
    return data


def bring_forward(source: Source, path: Path, progress: Progress | None = None) -> Mirror:
    """Fetch into the copy at `path`, which is made if need be, what is published beyond it.

    While another process does the same, this waits.

    Args:
        progress: Called with (blocks there, blocks in all).

    Raises:
        UnreadableError: something cannot be fetched; what was fetched before stays.
        VerificationError: ``CC-FORK`` or ``CC-CHECKPOINT``, with ``facts["fork"]``: what is published does not fit the
            copy, and the key that began the ledger signed both, or not. ``CC-LINK``, ``CC-PROOF``, ``CC-TILE``: it
            does not fit itself.
        StorageError: ``CC-STORAGE``.
    """
    with _alone(path.parent):
        return _bring_forward(source, path, progress)


def _bring_forward(source: Source, path: Path, progress: Progress | None) -> Mirror:
    data, told = read_published(source)
    tree = TileTree(source.get, told.size, source.name)
    have = _Copy(path)
    warnings = []
    if have.leaves:
        seal = have.last_seal()
        if told.origin != note.parse_checkpoint(note.parse_note(seal).text).origin:
            raise VerificationError(
                "CC-IDENTITY", f"another ledger was published at {source.name} before; if this is right, remove the"
                f" copy of that one, {path.parent}",
            )  # fmt: skip
        if len(have.leaves) <= told.size:
            fork = forks.find_fork(seal, data, tree.node, source.name)
        else:
            fork = forks.find_fork(data, seal, have.node, f"the copy {path}")
        if fork is not None:
            raise _unfit(source, have, fork)
        if told.size < len(have.leaves):
            warnings.append(
                f"{source.name} publishes {told.size} blocks; {len(have.leaves)} were fetched from it before, and the"
                " answer is about these: it was taken back, or an older copy is served."
            )
    _append(source, tree, told, have, progress)
    return Mirror(source.name, path, data, tuple(warnings))


def _unfit(source: Source, have: _Copy, fork: Fork) -> VerificationError:
    """Return the error for what does not fit the copy: a fork, or what somebody without the key put there."""
    with open_file(have.path) as store:
        genesis = read_genesis(store)
    try:
        forks.check_fork(fork, [note.parse_vkey(note.vkey(genesis.origin, genesis.key))])
    except VerificationError as error:
        return VerificationError(
            "CC-CHECKPOINT",
            f"the checkpoint at {source.name} does not fit the copy that was fetched before, and it is not shown that"
            " the key which began this ledger signed both: it was changed there, or the key was replaced since. With"
            f" the operator's keys `evidence verify` tells; the copy is {have.path} ({error.message})",
            fork=fork,
        )
    return forks.forked(fork, f"{source.name} and the copy that was fetched from it before")


def _append(
    source: Source, tree: TileTree, told: note.Checkpoint, have: _Copy, progress: Progress | None
) -> None:
    """Fetch what is missing, and append it in batches."""
    waiting: list[bytes] = []
    store: FileStore | None = None
    try:
        for height in range(len(have.leaves), told.size):
            waiting.append(published_block(source, tree, told.root, height))
            if progress is not None:
                progress(height + 1, told.size)
            if len(waiting) < _BATCH_BLOCKS and sum(map(len, waiting)) < _BATCH_BYTES and height + 1 < told.size:
                continue
            if store is None:
                store = _open_copy(have, waiting)
            else:
                store.append(waiting)
            waiting.clear()
    finally:
        if store is not None:
            store.close()


def _open_copy(have: _Copy, blocks: list[bytes]) -> FileStore:
    """Open the copy for writing and append, or make it."""
    if not have.leaves:
        try:
            genesis = decode_block(blocks[0]).genesis
        except MalformedError as error:
            raise VerificationError(error.code, f"the published block 0: {error.message}") from error
        if genesis is None:
            raise VerificationError("CC-GENESIS", "the published block 0 holds no genesis record")
        _remove(have.path)
        return create_file(have.path, blocks, version=genesis.version)
    store = open_file(have.path, write=True)
    try:
        store.cut(have.end)  # what an earlier write left torn
        store.append(blocks)
    except BaseException:
        store.close()
        raise
    return store


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder of one copy."""
    with ExitStack() as stack:
        try:
            stack.enter_context(alone_in(folder))
        except OSError as error:
            raise StorageError("CC-STORAGE", f"{folder} cannot be used: {error.strerror}", path=str(folder)) from error
        yield


def _remove(path: Path) -> None:
    """Delete a copy with its index."""
    for name in path.parent.glob(f"{path.name}*"):
        try:
            name.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError("CC-STORAGE", f"{name} cannot be removed: {error.strerror}", path=str(name)) from error


class _Copy:
    """What the copy holds: the leaf hashes of its blocks, and where its last whole block stands and ends."""

    def __init__(self, path: Path) -> None:
        self.path, self.leaves = path, list[bytes]()
        self.last = self.end = START
        for offset, end, leaf in self._walk():
            self.leaves.append(leaf)
            self.last, self.end = offset, end

    def _walk(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield offset, end and leaf of each block, reading heads only."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError("CC-STORAGE", f"{self.path} cannot be read: {error.strerror}") from error
        try:
            size, offset = os.fstat(descriptor).st_size, START
            while len(head := os.pread(descriptor, _FRAME_HEAD + _BLOCK_START + HEADER_SIZE, offset)) > _FRAME_HEAD:
                end, header = offset + _FRAME_HEAD + int.from_bytes(head[:4], "big"), peek_header(head[_FRAME_HEAD:])
                if end > size or header is None or header.height != len(self.leaves):
                    return
                yield offset, end, header.hash()
                offset = end
        finally:
            os.close(descriptor)

    def last_frame(self) -> Frame:
        with open_file(self.path) as store:
            return store.read(self.last)

    def last_seal(self) -> bytes:
        """Return the checkpoint that the last block was sealed with."""
        try:
            return decode_block(self.last_frame().payload or b"").seal
        except CharitychainError as error:
            raise VerificationError(
                "CC-BLOCK", f"the copy {self.path} is damaged ({error.message}); remove it, and it is fetched anew"
            ) from error

    def node(self, level: int, index: int) -> bytes:
        """Return the hash over the 2^level blocks from index·2^level on."""
        return merkle.root(RFC6962, self.leaves[index << level : (index + 1) << level])
