"""The high-water mark beside an operator's key: the last block that the key sealed.

A restored backup, a cloned machine or a cut file must not make one key sign two histories. So the height and hash of
each sealed block are written here, durably, before the seal leaves the machine; whoever opens the ledger for writing
compares.

Rules upheld here:

- The mark only rises; advancing it twice to the same block changes nothing.
- Two slots are written in turn, so a power cut in the middle of a write leaves the other one. A slot counts only if its
  checksum fits.
- One durable write for each advance: the file never changes its size.
- One process holds a mark at a time; a forked child may not use its parent's.
- After a failed write the handle refuses everything: what the disk then holds is unknown until it is opened again.

Format: two slots of 160 bytes of ASCII, each ``identity height hash checksum LF``: identity and hash as 64 hex digits,
the height as 20 characters with leading zeros (-1: no block yet, the hash is then zeros), the checksum as CRC-32 of all
before it, 8 hex digits.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     mark = HighWaterMark.open(Path(folder) / "x.mark", bytes(32))
...     mark.advance(0, bytes.fromhex("ab" * 32))
...     mark.height
...     mark.close()
0
"""

from __future__ import annotations

import fcntl
import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple, Self

from charitychain.durable import create_file
from charitychain.errors import LockedError, StorageError, VerificationError

__all__ = ["HighWaterMark"]

_SLOT_SIZE = 160
_SLOT = re.compile(rb"([0-9a-f]{64}) (-0{18}1|[0-9]{20}) ([0-9a-f]{64}) ([0-9a-f]{8})\n")
_HEIGHT_MAX = 2**63 - 1
_datasync = getattr(os, "fdatasync", os.fsync)


class _Slot(NamedTuple):
    identity: bytes
    height: int
    block_hash: bytes


class HighWaterMark:
    """The open mark of one operator key; make one with `HighWaterMark.open`."""

    __slots__ = ("_current", "_descriptor", "_pid", "_slot", "path")

    def __init__(self, path: Path, descriptor: int, slot: int, current: _Slot) -> None:
        self.path = path
        self._descriptor = descriptor
        self._slot = slot
        self._current = current
        self._pid = os.getpid()

    @classmethod
    def open(cls, path: Path, identity: bytes) -> HighWaterMark:
        """Open the mark at `path`, which is made if there is none.

        Args:
            identity: Identity of the ledger that the key seals, 32 bytes.

        Raises:
            LockedError: ``CC-LOCKED``: another process holds this mark.
            VerificationError: ``CC-MARK``: it is the mark of another ledger.
            StorageError: ``CC-STATE``: it cannot be read, or both slots are damaged.
        """
        if len(identity) != 32:
            raise ValueError(f"an identity has 32 bytes, not {len(identity)}")
        try:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                create_file(path, _encode(_Slot(identity, -1, bytes(32))) * 2)
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError("CC-STATE", f"the mark {path} cannot be opened: {error}", path=str(path)) from error
        try:
            _lock(descriptor, path)
            slot, current = _read(descriptor, path, identity)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, slot, current)

    @classmethod
    def read(cls, path: Path, identity: bytes) -> HighWaterMark | None:
        """Read the mark at `path` as it stands, if there is one: it is not held, and cannot be advanced.

        A process that writes it meanwhile spoils one slot at most, so the mark is then as of before.

        Raises:
            VerificationError, StorageError: as for `open`.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError("CC-STATE", f"the mark {path} cannot be opened: {error}", path=str(path)) from error
        try:
            slot, current = _read(descriptor, path, identity)
        finally:
            os.close(descriptor)
        return cls(path, -1, slot, current)

    @property
    def height(self) -> int:
        """Height of the last block that the key sealed; -1 when there is none."""
        return self._current.height

    @property
    def block_hash(self) -> bytes | None:
        """Hash of that block, 32 bytes."""
        return self._current.block_hash if self._current.height >= 0 else None

    def advance(self, height: int, block_hash: bytes) -> None:
        """Record durably that the key seals block `height`; when this returns, the seal may leave.

        Raises:
            ValueError: the mark would fall, or the key would seal a second block of one height; or it is closed.
            StorageError: ``CC-STATE``: the disk failed; the seal must not leave.
        """
        if self._descriptor < 0 or self._pid != os.getpid():
            raise ValueError("this mark is closed, only read, or was opened by the parent process; open it again")
        if not self._current.height <= height <= _HEIGHT_MAX or height < 0 or len(block_hash) != 32:
            raise ValueError(f"the mark {self.path} stands at block {self.height} and never falls: {height}")
        if height == self._current.height:
            if block_hash != self._current.block_hash:
                raise ValueError(f"the key has sealed another block {height}; two histories must never be signed")
            return
        following = _Slot(self._current.identity, height, block_hash)
        try:
            if os.pwrite(self._descriptor, _encode(following), (1 - self._slot) * _SLOT_SIZE) != _SLOT_SIZE:
                raise OSError(0, "only a part was written")
            _datasync(self._descriptor)
        except OSError as error:
            self.close()
            raise StorageError(
                "CC-STATE",
                f"the mark {self.path} could not be written ({error}); block {height} was not acknowledged",
                path=str(self.path),
            ) from error
        self._slot, self._current = 1 - self._slot, following

    def close(self) -> None:
        """Let go of the mark; may be called twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(
            "CC-LOCKED", f"another process is writing with the key of {path}; wait until it is done", path=str(path)
        ) from None
    except OSError as error:
        raise StorageError(
            "CC-STATE", f"the file system of {path} cannot lock files ({error.strerror}); keep keys on a local disk"
        ) from error


def _read(descriptor: int, path: Path, identity: bytes) -> tuple[int, _Slot]:
    """Return the number and content of the slot that counts: the higher one of those whose checksum fits."""
    data = os.pread(descriptor, 2 * _SLOT_SIZE + 1, 0)
    found = ((_decode(data[number * _SLOT_SIZE :][:_SLOT_SIZE]), number) for number in (0, 1))
    slots = [(slot, number) for slot, number in found if slot is not None]
    if not slots or len(data) > 2 * _SLOT_SIZE:
        raise StorageError(
            "CC-STATE",
            f"the mark {path} is damaged, so nobody knows which block its key sealed last. Compare the ledger with"
            " copies or checkpoints that others hold; when it is surely the newest, move this file away and go on",
            path=str(path),
        )
    slot, number = max(slots, key=lambda item: item[0].height)
    if slot.identity != identity:
        raise VerificationError(
            "CC-MARK",
            f"the mark {path} belongs to ledger {slot.identity.hex()[:16]}…, not to {identity.hex()[:16]}…;"
            " each ledger has its own operator key",
            expected=identity.hex(),
            found=slot.identity.hex(),
        )
    return number, slot


def _encode(slot: _Slot) -> bytes:
    body = b"%s %020d %s " % (slot.identity.hex().encode(), slot.height, slot.block_hash.hex().encode())
    return b"%s%08x\n" % (body, zlib.crc32(body))


def _decode(data: bytes) -> _Slot | None:
    match = _SLOT.fullmatch(data)
    if match is None or int(match[4], 16) != zlib.crc32(data[: match.start(4)]):
        return None
    identity, height, block_hash = bytes.fromhex(match[1].decode()), int(match[2]), bytes.fromhex(match[3].decode())
    return _Slot(identity, height, block_hash)
