"""Distinct: how many different pseudonyms there are, exactly, in bounded memory.

Pseudonyms are 16 bytes. Up to `most` of them are kept in memory; beyond that they go to temporary files by their first
byte, each of which is counted alone: what is equal stands in the same file.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Distinct", "people_of"]

_MOST = 4_000_000


def people_of(columns: bytes, width: int) -> list[bytes]:
    """Return the pseudonyms in the columns of a batch: those of donors, and of second parties where it has them.

    Each is n times 16 bytes end to end; all zero is nobody.
    """
    import numpy as np

    from charitychain.columns import RUN

    words = np.frombuffer(columns, "<u8")
    count = len(columns) // width
    whole = count // RUN * RUN
    table, tail = words[: whole * width // 8].reshape(-1, RUN * width // 8), words[whole * width // 8 :]
    last = count - whole
    found = []
    for first in range(1, width // 8 - 1, 2):
        parts = table[:, RUN * first : RUN * (first + 2)].tobytes(), tail[last * first : last * (first + 2)].tobytes()
        found.append(b"".join(parts))
    return found


class Distinct:
    """Counts different pseudonyms."""

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._waiting, self._count = most, list[bytes](), 0
        self._known: NDArray[Any] | None = None
        self._files: list[IO[bytes]] = []
        self._stack = ExitStack()

    def add(self, people: bytes) -> None:
        """Take in n pseudonyms end to end."""
        self._waiting.append(people)
        self._count += len(people) // 16
        if self._count > self._most:
            self._gather()

    def _gather(self) -> None:
        import numpy as np

        known = np.frombuffer(b"".join(self._waiting), "S16")  # a shorter text ends in zeros: equal where bytes are
        self._waiting.clear()
        known = known[known != b""]
        if self._known is not None:
            known = np.concatenate((self._known, known))
        self._known, self._count = np.unique(known), 0
        if len(self._known) * 2 > self._most:
            self._spill()

    def _spill(self) -> None:
        import numpy as np

        if not self._files:
            for _ in range(256):
                self._files.append(self._stack.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115
        assert self._known is not None
        first = self._known.view("u1").reshape(-1, 16)[:, 0]
        edges = np.searchsorted(first, np.arange(257))
        for number, file in enumerate(self._files):
            file.write(self._known[edges[number] : edges[number + 1]].tobytes())
        self._known = None

    def count(self) -> int:
        """Return how many there are; nothing can be added afterwards."""
        import numpy as np

        self._gather()
        if not self._files:
            return 0 if self._known is None else len(self._known)
        if self._known is not None:
            self._spill()
        found = 0
        with self._stack:
            for file in self._files:
                file.seek(0)
                found += len(np.unique(np.frombuffer(file.read(), "S16")))
        return found
