"""Publishing: a ledger as a folder of files that any web server or bucket can serve, and anybody can check.

    checkpoint              the operator's signed checkpoint, and the cosignatures kept beside the ledger
    tile/…                  the log of block headers (C2SP tlog-tiles, see `charitychain.tiles`)
    block/000               each block as it rests in the ledger

Rules upheld here:

- Every file but the checkpoint is written once and stays: one of that name with other content is refused, never
  replaced.
- The checkpoint is last, and replaced as a whole: at no moment, not even after a power cut, does it name a file that
  is not there. Publishing that was interrupted goes on where it stopped.
- A checkpoint that stands there already must be one that this ledger extends. If it is the operator's and is not, two
  histories were signed, and the error carries the evidence.
- Nothing is published below a policy that was given.
- What is written was checked against the sealed head: the tiles and blocks lead to the root that the operator signed.

The work is that of what is new since the checkpoint that stands there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from charitychain import forks, note
from charitychain.checkpoints import check_extends, read_checkpoint
from charitychain.cosigned import check_policy, cosigned_checkpoint
from charitychain.durable import alone_in, create_file, make_directory, replace_file, sync_directory
from charitychain.errors import RefusedError, StorageError, VerificationError
from charitychain.fetch import Folder
from charitychain.note import MAX_NOTE_BYTES
from charitychain.policy import Policy
from charitychain.reading import Reader
from charitychain.tiles import WIDTH, Growth, TileTree, encode_entries, entries_path, number_path

__all__ = ["CHECKPOINT", "Published", "block_path", "publish"]

CHECKPOINT = "checkpoint"
"""The path of the one file that changes."""

_MODE, _FOLDER_MODE = 0o644, 0o755


def block_path(height: int) -> str:
    """Return the path of a block."""
    return f"block/{number_path(height)}"


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing: how many blocks are published now, how many were before, and how many files are new."""

    blocks: int
    before: int
    files: int


def publish(reader: Reader, ledger: Path, folder: Path, *, policy: Policy | None = None) -> Published:
    """Publish a ledger up to its head into `folder`, which is made if it is not there.

    Args:
        ledger: The ledger's file, beside which cosignatures are kept.
        policy: What the checkpoint must satisfy.

    Raises:
        RefusedError: ``CC-QUORUM``: the checkpoint is below the policy. ``CC-OLDER``: more blocks are published than
            this file holds. ``CC-EXISTS``: a file there has other content.
        VerificationError: ``CC-CHECKPOINT`` or ``CC-FORK``: this ledger is not the one that was published; with
            ``facts["fork"]`` if two histories were signed. ``CC-TILE``, ``CC-PROOF`` and others: what stands there, or
            the ledger, is damaged.
        StorageError: ``CC-STORAGE``: it could not be written; the checkpoint is still the one before.
    """
    signed = cosigned_checkpoint(ledger, reader)
    if policy is not None and (missing := check_policy(signed, policy)):
        raise RefusedError("CC-QUORUM", f"the checkpoint is below the policy, so nothing is published: {missing[0]}")
    try:
        with alone_in(folder, _FOLDER_MODE):  # of two that publish at once, the later one must find what the other did
            return _publish(reader, folder, signed)
    except OSError as error:
        name = error.filename or folder
        raise StorageError("CC-STORAGE", f"{name} cannot be written: {error.strerror}", path=str(name)) from error


def _publish(reader: Reader, folder: Path, signed: bytes) -> Published:
    source = Folder(folder)
    standing = _standing(reader, source)
    files, folders = 0, set[Path]()
    for path, data in _new_files(reader, source, standing):
        files += _write(folder / path, data)
        folders.add((folder / path).parent)
    for each in folders:  # files that an earlier run left are named for good now, too
        sync_directory(each)
    if source.get(CHECKPOINT, MAX_NOTE_BYTES) != signed:
        replace_file(folder / CHECKPOINT, signed, _MODE)
    return Published(reader.head.height + 1, standing.size if standing is not None else 0, files)


def _standing(reader: Reader, source: Folder) -> note.Checkpoint | None:
    """Return the checkpoint that is published already, after a check that this ledger extends it."""
    standing = source.get(CHECKPOINT, MAX_NOTE_BYTES + 1)
    if standing is None:
        return None
    name = f"{source.name}/{CHECKPOINT}"
    told, blocks = read_checkpoint(standing, name), check_extends(reader, standing, name).blocks
    if told.size > blocks:
        tree = TileTree(source.get, told.size, source.name)
        fork = forks.find_fork(reader.checkpoint.encode(), standing, tree.node, source.name)
        if fork is not None:
            raise forks.forked(fork, f"{source.name} and this ledger")
        raise RefusedError(
            "CC-OLDER", f"{source.name} holds {told.size} blocks and this copy of the ledger has {blocks}: it is older"
            " or was cut off",
        )  # fmt: skip
    return told


def _new_files(reader: Reader, source: Folder, standing: note.Checkpoint | None) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of everything that the head has beyond what is published."""
    before, growth, bundle = 0, Growth(), list[bytes]()
    if standing is not None:
        before, tree = standing.size, TileTree(source.get, standing.size, source.name)
        growth = Growth.resume(tree)
        if growth.root() != standing.root:
            raise VerificationError(
                "CC-PROOF", f"the tiles in {source.name} do not lead to the root of its checkpoint: files there are"
                " damaged; remove what is below tile/ and the checkpoint, and publish again",
            )  # fmt: skip
        bundle = tree.entries(before // WIDTH) if before % WIDTH else []
    for height in range(before, reader.head.height + 1):
        header = reader.checked_block(height).header
        yield block_path(height), reader.store.read(reader.index.block_offset(height)).payload or b""
        bundle.append(header.encode())
        yield from growth.append(header.hash())
        if len(bundle) == WIDTH:
            yield entries_path(height // WIDTH), encode_entries(bundle)
            bundle.clear()
    if growth.root() != reader.log_root:
        raise VerificationError("CC-INDEX", "the index does not fit the sealed log; remove it and it is made anew")
    yield from growth.partial_tiles()
    if bundle:
        yield entries_path(growth.size // WIDTH, len(bundle)), encode_entries(bundle)


def _write(file: Path, data: bytes) -> bool:
    """Write a file that stays; return whether it is new.

    Raises:
        RefusedError: ``CC-EXISTS``: it has other content.
    """
    make_directory(file.parent, _FOLDER_MODE)
    try:
        create_file(file, data, _MODE, sync_name=False)
    except FileExistsError:
        if file.read_bytes() == data:
            return False
        raise RefusedError(
            "CC-EXISTS", f"{file} has other content than this ledger gives it, and what is published is never replaced;"
            " find out who wrote it, and publish into another folder", path=str(file),
        ) from None  # fmt: skip
    return True
