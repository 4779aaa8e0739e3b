"""The high-water marks of one ledger: what the operator's keys at hand have sealed of it.

A ledger file is compared with them before anything is built on it. A writer holds the marks and brings them forward; a
dry run only reads them.

Rules upheld here:

- An older copy than the key has sealed is refused, and so is another history: a key never seals two.
- What stands behind the last whole block may be cut off only if it was never acknowledged.
- A dry run reads the marks before it reads the ledger, so that a block sealed meanwhile is no contradiction.

What a mark is, and how it survives a power cut, is `charitychain.mark`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from charitychain.chain.genesis import Genesis
from charitychain.errors import KeyAccessError, RefusedError, StorageError, VerificationError
from charitychain.index import Head, Index
from charitychain.keyring import Keyring
from charitychain.mark import HighWaterMark
from charitychain.store.protocol import Frame

__all__ = ["Marks", "check_mark", "check_tail", "damaged"]


class Marks:
    """The marks beside the operator's keys, each opened once.

    Args:
        dry: Read them as they stand now: they are neither made nor held, and cannot be advanced.
    """

    def __init__(self, keyring: Keyring, genesis: Genesis, *, dry: bool = False) -> None:
        self._keyring, self._genesis, self._dry = keyring, genesis, dry
        self._open: dict[bytes, HighWaterMark] = {}
        if dry:
            for entry in keyring.list():
                with suppress(VerificationError, StorageError):  # another ledger's; or told when it is asked for
                    self.find(entry.public_key)

    def find(self, public: bytes) -> HighWaterMark | None:
        """Return the mark of an operator key, or nothing where the key is not at hand (dry: or has sealed nothing)."""
        if public not in self._open:
            entry = self._keyring.find(public)
            if entry is None:
                return None
            path, identity = entry.path.with_suffix(".mark"), self._genesis.identity()
            found = HighWaterMark.read(path, identity) if self._dry else HighWaterMark.open(path, identity)
            if found is None:
                return None
            self._open[public] = found
        return self._open[public]

    def all_of(self, listed: Iterable[bytes]) -> list[HighWaterMark]:
        """Return the marks of those keys that are at hand."""
        return [mark for public in listed if (mark := self.find(public)) is not None]

    def of(self, public: bytes) -> HighWaterMark:
        """Return the mark of an operator key.

        Raises:
            KeyAccessError: ``CC-KEY-MISSING``: the key is not at hand.
        """
        found = self.find(public)
        if found is None:
            raise KeyAccessError(
                "CC-KEY-MISSING",
                f"the operator's key of {self._genesis.origin} is not in {self._keyring.directory}; only its holder"
                " can write",
            )
        return found

    def close(self) -> None:
        for mark in self._open.values():
            mark.close()


def check_tail(tail: Frame, height: int, mark: HighWaterMark) -> None:
    """Check that what stands behind block `height` was never acknowledged, so that it may be cut off.

    A write that was cut off leaves a torn end, and a power cut often zeros in the last block. But a block that the
    mark knows was sealed and acknowledged: its end was cut off later, or it was damaged, and it is never cut.
    """
    if mark.height <= height:
        return
    if tail.fault == "CC-TORN":
        raise _older(mark.height, height)
    raise damaged(tail)


def check_mark(index: Index, mark: HighWaterMark, head: Head, *, advance: bool) -> None:
    """Check the ledger against what the operator's key has sealed, and bring the mark forward."""
    if mark.height > head.height:
        raise _older(mark.height, head.height)
    if mark.height >= 0 and index.block_hash(mark.height) != mark.block_hash:
        raise VerificationError(
            "CC-FORK",
            f"the operator's key has sealed another block {mark.height} than this file holds: two histories",
            block=mark.height,
        )
    if advance and mark.height < head.height:
        # Sealed and durable, but the mark was not written yet (or the key came without its mark).
        mark.advance(head.height, head.hash)


def damaged(frame: Frame) -> VerificationError:
    """Return what is said of a damaged block that nothing can be built on."""
    return VerificationError(
        frame.fault or "CC-FRAME",
        f"the block at byte {frame.offset} is damaged; nothing can be written until it is restored from a copy."
        " `charitychain verify` lists every fault",
        offset=frame.offset,
    )


def _older(sealed: int, height: int) -> RefusedError:
    return RefusedError(
        "CC-OLDER",
        f"the operator's key has sealed block {sealed}, but this file ends at block {height}: it is an older copy, or"
        " its end was cut off. Writing here would make two histories; bring back the newer file",
        expected=sealed,
        found=height,
    )
