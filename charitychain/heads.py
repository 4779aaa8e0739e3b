"""What this machine remembers of ledgers: the newest head seen of each, and which ledger stood at which path.

A ledger file that was cut at the end of a block looks whole: only somebody who saw more can tell. So everyone who
verifies remembers the head, and the next verify says when a ledger has become shorter, was replaced, or forked.

Rules upheld here:

- Heads are kept by the ledger's identity, whatever the path, and are never lowered, not even by two processes at once.
- Another hash at the same height is a fork, and is said.
- What is remembered is trust, not cache: a file that cannot be read is an error with words what to do, never forgotten.
- Files are replaced as a whole and durably.

Files below the user's state folder: ``heads/IDENTITY.json`` (identity, height, block hash, checkpoint) and
``pins/HASH.json`` (path, identity), where HASH is the SHA-256 of the resolved path.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     heads = Heads(Path(folder))
...     heads.remember(bytes(32), Head(7, bytes.fromhex("ab" * 32), "…"))
...     heads.remember(bytes(32), Head(3, bytes.fromhex("cd" * 32), "…"))
...     heads.head(bytes(32)).height
7
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charitychain.durable import make_directory, replace_file
from charitychain.errors import StorageError, VerificationError

__all__ = ["Head", "Heads", "state_directory"]

_FILE_MAX = 1_048_576
_HEX_32 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a ledger as it was seen and found good.

    Attributes:
        height: Number of the last block, from 0.
        block_hash: Its hash, 32 bytes.
        checkpoint: The operator's signed checkpoint over all blocks up to it, as text.
    """

    height: int
    block_hash: bytes
    checkpoint: str


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return the user's state folder: ``$XDG_STATE_HOME/charitychain``, else ``~/.local/state/charitychain``."""
    base = environ.get("XDG_STATE_HOME", "")
    # The specification of XDG wants a relative path to be ignored.
    folder = Path(base) if os.path.isabs(base) else Path(environ.get("HOME") or Path.home()) / ".local" / "state"
    return folder / "charitychain"


class Heads:
    """Remembered heads and pinned identities in one folder, which is made when there is something to remember.

    Args:
        directory: The folder, such as `state_directory` gives.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def head(self, identity: bytes) -> Head | None:
        """Return the newest head that was remembered of a ledger.

        Raises:
            StorageError: ``CC-STATE``: it was remembered, but cannot be read.
        """
        path = self._head_path(identity)
        found = _read(path)
        if found is None:
            return None
        height, checkpoint = found.get("height"), found.get("checkpoint")
        if type(height) is not int or height < 0 or not isinstance(checkpoint, str):
            raise _damaged(path, "it does not hold a head")
        if _bytes_32(path, found, "identity") != identity:
            raise _damaged(path, "it is about another ledger")
        return Head(height, _bytes_32(path, found, "block_hash"), checkpoint)

    def remember(self, identity: bytes, head: Head) -> None:
        """Remember `head`, unless a newer one is known already.

        Raises:
            VerificationError: ``CC-FORK``: another block of that height is remembered.
            StorageError: ``CC-STATE``: what is remembered cannot be read, or `head` could not be written.
        """
        if head.height < 0 or len(head.block_hash) != 32:
            raise ValueError(f"not a head: {head}")
        path = self._head_path(identity)
        with self._locked(path.parent):
            known = self.head(identity)
            if known is not None and known.height == head.height and known.block_hash != head.block_hash:
                raise VerificationError(
                    "CC-FORK",
                    f"block {head.height} of ledger {identity.hex()[:16]}… has the hash {head.block_hash.hex()[:16]}…,"
                    f" but this machine has seen {known.block_hash.hex()[:16]}… there: two histories were signed; keep"
                    " a copy of both",
                    height=head.height,
                    expected=known.block_hash.hex(),
                    found=head.block_hash.hex(),
                )
            if known is None or known.height < head.height:
                _write(
                    path,
                    identity=identity.hex(),
                    height=head.height,
                    block_hash=head.block_hash.hex(),
                    checkpoint=head.checkpoint,
                )

    def pinned(self, path: Path) -> bytes | None:
        """Return the identity of the ledger that stood at `path`, if one is known.

        Raises:
            StorageError: ``CC-STATE``: it was remembered, but cannot be read.
        """
        place = self.pin_path(path)
        found = _read(place)
        return None if found is None else _bytes_32(place, found, "identity")

    def pin(self, path: Path, identity: bytes) -> None:
        """Remember that the ledger at `path` is this one, instead of what stood there before.

        Raises:
            StorageError: ``CC-STATE``: it could not be written.
        """
        if len(identity) != 32:
            raise ValueError(f"an identity has 32 bytes, not {len(identity)}")
        place = self.pin_path(path)
        with self._locked(place.parent):
            _write(place, path=os.fspath(path.resolve()), identity=identity.hex())

    def _head_path(self, identity: bytes) -> Path:
        if len(identity) != 32:
            raise ValueError(f"an identity has 32 bytes, not {len(identity)}")
        return self.directory / "heads" / f"{identity.hex()}.json"

    def pin_path(self, path: Path) -> Path:
        """Return the file that pins the identity of the ledger at `path`; removing it forgets the pin."""
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
        return self.directory / "pins" / f"{name}.json"

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        """Hold the lock of a folder: reading, comparing and replacing are one step for everybody else."""
        try:
            make_directory(folder)
            descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _not_written(folder, error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise _not_written(folder, error) from error
            yield
        finally:
            os.close(descriptor)


def _read(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or nothing if there is no such file."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(_FILE_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(path, str(error.strerror)) from error
    try:
        found = json.loads(data.decode()) if len(data) <= _FILE_MAX else None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is no JSON") from error
    if not isinstance(found, dict):
        raise _damaged(path, "it is no JSON object")
    return found


def _bytes_32(path: Path, found: dict[str, Any], name: str) -> bytes:
    value = found.get(name)
    if not isinstance(value, str) or _HEX_32.fullmatch(value) is None:
        raise _damaged(path, f"its {name} is not 64 hex digits")
    return bytes.fromhex(value)


def _write(file: Path, **values: str | int) -> None:
    try:
        replace_file(file, json.dumps(values, indent=1).encode() + b"\n")
    except OSError as error:
        raise _not_written(file, error) from error


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(
        "CC-STATE",
        f"{path}, in which this machine remembers a ledger, cannot be used: {why}. Restore it from a copy, or compare"
        " the ledger with a checkpoint that you trust (verify --checkpoint) and then move this file away",
        path=str(path),
    )


def _not_written(path: Path, error: OSError) -> StorageError:
    return StorageError(
        "CC-STATE", f"{path} could not be written ({error.strerror}); the ledger itself is not touched", path=str(path)
    )
