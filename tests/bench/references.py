"""The references: the same work done by something that everybody has.

They do less: SQLite keeps no history and signs nothing, git knows no money, openssl only hashes, and a proof of
inclusion says that some bytes are in a tree. They say what the least is that the same machine must do.
"""

from __future__ import annotations

import gc
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.bench.ours import SHARE

__all__ = ["MerkleTree", "database", "git_history", "has", "insert", "insert_each", "merkle_tree", "three_hops"]


def has(program: str) -> bool:
    return shutil.which(program) is not None


def database(path: Path) -> sqlite3.Connection:
    """Make a table of gifts in a database that is as durable as a ledger: WAL, ``synchronous = FULL``."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE gifts (id TEXT PRIMARY KEY, account INTEGER, amount INTEGER, donor BLOB)")
    return db


def insert_each(db: sqlite3.Connection, first: int, count: int) -> None:
    """Insert gifts, each in a transaction of its own."""
    for number in range(first, first + count):
        db.execute("INSERT INTO gifts VALUES (?, ?, ?, ?)", (f"D-{number}", 0, 1250, None))


def insert(db: sqlite3.Connection, first: int, count: int, block: int) -> None:
    """Insert gifts with one `executemany` for each block of them."""
    for start in range(first, first + count, block):
        rows = ((f"D-{number}", 0, 1250, bytes(16)) for number in range(start, start + block))
        db.execute("BEGIN")
        db.executemany("INSERT INTO gifts VALUES (?, ?, ?, ?)", rows)
        db.execute("COMMIT")


def git_history(folder: Path, count: int) -> Path:
    """Make a repository of `count` commits in the way that is cheapest to check.

    Every commit holds one donation in its message, and all share one tree of one file, so that there are no trees and
    blobs to check but the first.
    """
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
    lines = ["blob\nmark :1\ndata 6\ngifts\n"]
    for number in range(count):
        message = f'{{"record":"donation","id":"D-{number}","account":"fund","amount":"12.50"}}'
        lines.append(
            f"commit refs/heads/main\ncommitter self <self@a.example> {1_700_000_000 + number} +0000\n"
            f"data {len(message)}\n{message}\n" + ("M 100644 :1 gifts\n" if number == 0 else "")
        )
    command = ["git", "-C", str(folder), "fast-import", "--quiet"]
    subprocess.run(command, input="".join(lines).encode(), check=True)
    return folder


_FLOW = """
WITH RECURSIVE flow (account, low, high) AS (
    SELECT account, low, high FROM gifts WHERE id = ?
    UNION ALL
    SELECT o.target, o.at + max(f.low, o.low) - o.low, o.at + min(f.high, o.high) - o.low
    FROM flow f JOIN outflows o ON o.account = f.account AND o.low < f.high AND o.high > f.low
        AND o.low > f.low - ?
    WHERE f.account IS NOT NULL
)
SELECT low, high FROM flow WHERE account IS NULL
"""


def three_hops(path: Path, count: int) -> Callable[[int], object]:
    """Store the history of `ours.three_hops` as stretches of tapes; return the same question as recursive SQL.

    The tables hold what the ledger derives, indexed; nothing is checked. Final uses have no target account.
    """
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE gifts (id TEXT PRIMARY KEY, account INTEGER, low INTEGER, high INTEGER)")
    db.execute("CREATE TABLE outflows (account INTEGER, low INTEGER, high INTEGER, target INTEGER, at INTEGER)")
    db.execute("CREATE INDEX outflows_by_low ON outflows (account, low)")
    gifts = ((f"D-{n}", 0, 1250 * n, 1250 * (n + 1)) for n in range(count))
    db.executemany("INSERT INTO gifts VALUES (?, ?, ?, ?)", gifts)
    size = 1250 * SHARE
    for account, target in ((0, 1), (1, 2), (2, None)):
        taken = ((account, size * n, size * (n + 1), target, size * n) for n in range(count // SHARE))
        db.executemany("INSERT INTO outflows VALUES (?, ?, ?, ?, ?)", taken)
    db.commit()
    return lambda number: db.execute(_FLOW, (f"D-{number}", size)).fetchall()


class MerkleTree:
    """A tree of hashes in memory, by pymerkle, and its proofs that a leaf is in it."""

    def __init__(self, leaves: int) -> None:
        import pymerkle  # type: ignore[import-not-found,import-untyped,unused-ignore]

        self._check = pymerkle.verify_inclusion
        self._tree = pymerkle.InmemoryTree(algorithm="sha256")
        for number in range(leaves):
            self._tree.append_entry(b"S/%d" % number)
        self._size, self._root = leaves, self._tree.get_root(leaves)

    def prove(self, number: int) -> tuple[bytes, Any]:
        """Return a leaf's hash and the proof for it."""
        return self._tree.get_leaf(number + 1), self._tree.prove_inclusion(number + 1, self._size)

    def verify(self, proof: tuple[bytes, Any]) -> None:
        """Check a proof; what is wrong raises."""
        self._check(proof[0], self._root, proof[1])

    def weight(self) -> int:
        """Return the bytes of a proof in the form that the library writes it in."""
        return len(json.dumps(self.prove(self._size // 2)[1].serialize()))


def merkle_tree(leaves: int) -> MerkleTree | None:
    """Return a tree of so many leaves, where pymerkle is installed."""
    if find_spec("pymerkle") is None:
        return None
    tree = MerkleTree(leaves)
    gc.freeze()  # else each collection walks millions of nodes, whoever's turn it is
    return tree
