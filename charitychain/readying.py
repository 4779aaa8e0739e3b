"""Making ready: from a ledger file to a sealer that may go on with it.

Rules upheld here:

- One writer: the file is locked before anything is judged.
- What stands behind the last whole block is cut, and kept, only where it is torn or the operator key's mark says that
  it never left; else it is damage, and told.
- A ledger that is older than its operator key's mark, or of another history, is refused.
- The index must fit the sealed head to be built on; one that does not is made anew, once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from charitychain.athand import KeysAtHand
from charitychain.chain.genesis import Genesis
from charitychain.errors import LockedError
from charitychain.index import Index, IndexBusy
from charitychain.keyring import HighWaterMark
from charitychain.marks import Marks, check_mark, check_tail, damaged
from charitychain.reading import Reader
from charitychain.replay import header_frontier
from charitychain.sealing import Sealer
from charitychain.sidecar import Scratch, Sidecar, is_index_fault
from charitychain.state.rules import State
from charitychain.store.file import open_file
from charitychain.store.protocol import Frame, Store

__all__ = ["Readying"]


class Readying:
    """Opens one ledger for writing, or for a dry run.

    Args:
        notices: Where what there is to notice is told.
        distrust: Throws the index away.
    """

    def __init__(
        self, path: Path, genesis: Genesis, sidecar: Sidecar, keys: KeysAtHand, notices: list[str],
        clock: Callable[[], float], distrust: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        self._path, self._genesis, self._sidecar, self._keys = path, genesis, sidecar, keys
        self._notices, self._clock, self._distrust = notices, clock, distrust

    def sealer(self, stack: ExitStack) -> Sealer:
        """Make all ready for writing; what must be closed goes onto `stack`."""
        store = open_file(self._path, write=True)
        stack.callback(store.close)
        try:
            return self._sealer(stack.enter_context(ExitStack()), store, self._sidecar)
        except IndexBusy as error:
            raise LockedError(
                "CC-LOCKED", f"another process is making the index {self._sidecar.path}; try again when it is done"
            ) from error
        except Exception as error:
            if not is_index_fault(error):
                raise
            stack.pop_all().close()
            store = open_file(self._path, write=True)
            stack.callback(store.close)
            self._distrust(error)
            return self._sealer(stack, store, self._sidecar)

    def trial(self, stack: ExitStack) -> Sealer:
        """Make all ready for a dry run; where the index is busy, damaged or read-only, it gets one of its own."""
        store = open_file(self._path)
        stack.callback(store.close)
        with ExitStack() as attempt:
            try:
                core = self._sealer(attempt, store, self._sidecar, dry=True)
                stack.enter_context(attempt.pop_all())
                return core
            except Exception as error:
                if not isinstance(error, IndexBusy) and not is_index_fault(error):
                    raise
        return self._sealer(stack, store, Scratch(self._sidecar.path, self._genesis, self._notices), dry=True)

    def _sealer(self, stack: ExitStack, store: Store, sidecar: Sidecar, *, dry: bool = False) -> Sealer:
        """Make ready index, torn tail and marks; what must be closed goes onto `stack`."""
        marks = Marks(self._keys.keyring, self._genesis, dry=dry)
        stack.callback(marks.close)
        index = sidecar.open(store, to_write=True, patient=not dry)
        stack.callback(index.close)
        height, tail = self._tail(store, index)
        listed = self._sealing_keys(index)
        held = marks.all_of(listed)
        if tail is not None:
            self._judge(tail, height, held if dry else held or [marks.of(listed[0])])
            if not dry:
                self._cut(store, tail)
        head = sidecar.bring_forward(index, store, upto=tail.offset if tail is not None else None)
        reader = Reader(store, index, self._genesis, head)  # the index must fit the sealed head to be built on
        operator, recovery = reader.state.sealing_keys(), reader.state.parties[0].recovery_at(head.height + 1)
        self._keys.operator = next(filter(None, map(self._keys.keyring.find, operator)), None)
        # Keys may have been replaced in what was replayed, and a recovery key has sealed what it signed. Without any
        # of them nothing can be sealed, but all can be checked.
        for mark in {*held, *marks.all_of([*operator, *([recovery] if recovery is not None else [])])}:
            check_mark(index, mark, head, advance=not dry)
        core = Sealer(
            store, index, self._genesis, header_frontier(index, head.height + 1), head, reader.block.header.time,
            self._keys.private, None if dry else marks.of, self._clock, self._keys.has,
        )  # fmt: skip
        stack.callback(core.close)
        if dry and index.head() != head:  # no lock kept others away: the state now fits another head than ours
            raise IndexBusy("another process has brought the index forward")
        return core

    def _judge(self, tail: Frame, height: int, held: list[HighWaterMark]) -> None:
        """Check that what stands behind the last whole block may be left out."""
        for mark in held:
            check_tail(tail, height, mark)
        if held:
            return
        if tail.fault != "CC-TORN":
            raise damaged(tail)
        # A dry run of somebody who has no mark to judge by goes on as a reader does.
        self._notices.append(f"The file ends inside a block at byte {tail.offset}: a write was cut off.")

    def _tail(self, store: Store, index: Index) -> tuple[int, Frame | None]:
        """Return the height of the last whole block, and the frame behind it that is not one, if there is one."""
        head = index.head()
        start, height = (head.end, head.height) if head is not None else (None, -1)
        bad: Frame | None = None
        for frame in store.scan(start):
            if bad is not None:  # something stands behind it: this is no tail
                raise damaged(bad)
            if frame.fault is None:
                height += 1
            else:
                bad = frame
        return height, bad

    def _cut(self, store: Store, tail: Frame) -> None:
        kept = store.cut(tail.offset)
        self._notices.append(f"A write was cut off at byte {tail.offset}; the bytes after it are kept in {kept}.")

    def _sealing_keys(self, index: Index) -> list[bytes]:
        head = index.head()
        if head is None:
            return [self._genesis.key]
        return State.load(index, self._genesis.identity(), self._genesis.version, head.height + 1).sealing_keys()
