"""The index: everything that can be looked up fast, derived from the ledger and never trusted.

One SQLite database, in a file beside the ledger, in a temporary file (`verify`), or in memory. It implements
`charitychain.state.lookup.Lookup`.

Rules upheld here:

- Derived: the file may be deleted at any time and is then made anew by replay.
- Tied to the ledger: height and hash of the last block, and where it ends in the store, are written in the same
  transaction as the rows.
- Whatever it says about value or presence is checked by `charitychain.trace` against the blocks it points to.
- A damaged database is an `IndexDamaged`, which callers answer by building a new one.

Memory does not grow with the ledger: SQLite's page cache is bounded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from charitychain import codec
from charitychain.chain.statements import SignedStatement
from charitychain.records import Place
from charitychain.state.lookup import Batch, IdAt
from charitychain.state.movements import Movement
from charitychain.sumlog import LogNode
from charitychain.tape import Run

__all__ = ["Head", "Index", "IndexBusy", "IndexDamaged"]

_SCHEMA_VERSION = 8
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE blocks (height INTEGER PRIMARY KEY, offset INTEGER, hash BLOB);
CREATE TABLE header_nodes (level INTEGER, position INTEGER, hash BLOB, PRIMARY KEY (level, position)) WITHOUT ROWID;
CREATE TABLE ids (id TEXT PRIMARY KEY, kind INTEGER, height INTEGER, statement INTEGER, record INTEGER,
    account INTEGER, movement INTEGER, offset INTEGER, amount INTEGER) WITHOUT ROWID;
CREATE TABLE movements (account INTEGER, position INTEGER, outflow INTEGER, named INTEGER, in_before INTEGER,
    rule_before INTEGER, data BLOB, PRIMARY KEY (account, position)) WITHOUT ROWID;
CREATE INDEX rule_outflows ON movements (account, rule_before) WHERE outflow = 1 AND named = 0;
CREATE INDEX inflows ON movements (account, in_before) WHERE outflow = 0;
CREATE TABLE log_nodes (account INTEGER, level INTEGER, position INTEGER, data BLOB,
    PRIMARY KEY (account, level, position)) WITHOUT ROWID;
CREATE TABLE trie_nodes (account INTEGER, which INTEGER, bit INTEGER, prefix INTEGER, data BLOB,
    PRIMARY KEY (account, which, bit, prefix)) WITHOUT ROWID;
CREATE TABLE batches (series TEXT, last INTEGER, first INTEGER, height INTEGER, statement INTEGER, record INTEGER,
    account INTEGER, movement INTEGER, width INTEGER, PRIMARY KEY (series, last)) WITHOUT ROWID;
CREATE TABLE links (about TEXT, kind INTEGER, height INTEGER, statement INTEGER, record INTEGER,
    PRIMARY KEY (about, kind, height, statement, record)) WITHOUT ROWID;
CREATE TABLE sums (about TEXT, kind INTEGER, amount INTEGER, PRIMARY KEY (about, kind)) WITHOUT ROWID;
CREATE TABLE saved (kind TEXT, number INTEGER, data BLOB, PRIMARY KEY (kind, number)) WITHOUT ROWID;
"""
_CACHE_KIB = 32 * 1024
_PENDING_IDS = 20_000


class IndexDamaged(Exception):
    """The index is no database of this version or is damaged; make it anew."""


class IndexBusy(IndexDamaged):
    """Another process is writing the index."""


def _trouble(error: sqlite3.Error) -> IndexDamaged:
    busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return (IndexBusy if busy else IndexDamaged)(str(error))


class Head(NamedTuple):
    """The last block that the index covers, and the offset in the store at which it ends."""

    height: int
    hash: bytes
    end: int


class _Trie:
    """One trie's nodes; implements `charitychain.trie.TrieStore`."""

    __slots__ = ("_index", "_key")

    def __init__(self, index: Index, account: int, which: int) -> None:
        self._index, self._key = index, (account, which)

    def get(self, bit: int, prefix: int) -> bytes:
        sql = "SELECT data FROM trie_nodes WHERE account = ? AND which = ? AND bit = ? AND prefix = ?"
        return cast(bytes, self._index.one(sql, (*self._key, bit, prefix))[0])

    def put(self, bit: int, prefix: int, data: bytes) -> None:
        self._index.run("INSERT OR REPLACE INTO trie_nodes VALUES (?, ?, ?, ?, ?)", (*self._key, bit, prefix, data))


class Index:
    """A look-up database over one ledger.

    Args:
        path: The file; ``":memory:"`` keeps it in memory, ``""`` in a temporary file that SQLite removes.
        fetch: Gives a statement of the ledger for (offset of its block, number of the statement).
        scratch: Durability does not matter: the database is thrown away in the end.
        wait: Seconds to wait for another process that writes it.

    Raises:
        IndexDamaged: the file is no index of this version.
        IndexBusy: another process is writing it.
    """

    def __init__(
        self, path: Path | str, fetch: Callable[[int, int], SignedStatement], *, scratch: bool = False, wait: float = 5
    ) -> None:
        self._fetch = fetch
        self.pending: dict[tuple[int, int], SignedStatement] = {}
        self._ids: dict[str, IdAt] = {}
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=wait)
            self._db.execute("PRAGMA trusted_schema = OFF")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._db.execute("PRAGMA temp_store = FILE")
            if scratch:
                self._db.execute("PRAGMA journal_mode = OFF")
                self._db.execute("PRAGMA synchronous = OFF")
            else:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
            elif version != _SCHEMA_VERSION:
                raise IndexDamaged(f"index version {version}")
        except sqlite3.Error as error:
            raise _trouble(error) from error

    def close(self) -> None:
        self._db.close()

    # ------------------------------------------------------------------------------------ plain access

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> None:
        try:
            self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise _trouble(error) from error

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        try:
            yield from self._db.execute(sql, values)
        except (UnicodeEncodeError, OverflowError):
            return  # as in `first`
        except sqlite3.Error as error:
            raise _trouble(error) from error

    def first(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        try:
            return self._db.execute(sql, values).fetchone()
        except (UnicodeEncodeError, OverflowError):
            return None  # asked for what no ledger can hold: a lone surrogate, a number of 2^63 or more
        except sqlite3.Error as error:
            raise _trouble(error) from error

    def one(self, sql: str, values: tuple[Any, ...]) -> Any:
        row = self.first(sql, values)
        if row is None:
            raise IndexDamaged("a row that must be there is missing")
        return row

    # ------------------------------------------------------------------------------------- transactions

    def begin(self) -> None:
        """Open a transaction; readers go on seeing what was committed."""
        self.run("BEGIN IMMEDIATE")

    def snapshot(self) -> Head | None:
        """Answer from now on as of this moment, whatever another process commits; return the last block covered."""
        self.run("BEGIN")
        return self.head()

    def commit(self, head: Head | None = None) -> None:
        """Commit, tied to the last block that the rows cover."""
        self._flush()
        if head is not None:
            self.set_head(head)
        self.run("COMMIT")

    def rollback(self) -> None:
        """Forget everything since `begin`."""
        self._ids.clear()
        self.pending.clear()
        if self._db.in_transaction:
            self.run("ROLLBACK")

    def set_head(self, head: Head) -> None:
        self.run("INSERT OR REPLACE INTO meta VALUES ('head', ?)", (codec.encode(list(head)),))

    def head(self) -> Head | None:
        """Return the last block covered, or nothing in a new index."""
        row = self.first("SELECT value FROM meta WHERE name = 'head'")
        value: Any = codec.decode(row[0]) if row else None
        return Head(*value) if value else None

    # -------------------------------------------------------------------------------------------- blocks

    def put_block(self, height: int, offset: int, block_hash: bytes) -> None:
        self.run("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", (height, offset, block_hash))

    def put_block_hash(self, height: int, block_hash: bytes) -> None:
        self.run(
            "INSERT INTO blocks VALUES (?, NULL, ?) ON CONFLICT DO UPDATE SET hash = excluded.hash",
            (height, block_hash),
        )

    def block_hash(self, height: int) -> bytes | None:
        row = self.first("SELECT hash FROM blocks WHERE height = ?", (height,))
        return row[0] if row else None

    def block_offset(self, height: int) -> int:
        """Return the offset of a block's frame in the store."""
        return cast(int, self.one("SELECT offset FROM blocks WHERE height = ?", (height,))[0])

    def put_header_nodes(self, nodes: list[tuple[int, int, bytes]]) -> None:
        for node in nodes:
            self.run("INSERT OR REPLACE INTO header_nodes VALUES (?, ?, ?)", node)

    def header_node(self, level: int, position: int) -> bytes:
        sql = "SELECT hash FROM header_nodes WHERE level = ? AND position = ?"
        return cast(bytes, self.one(sql, (level, position))[0])

    def statement(self, height: int, statement: int) -> SignedStatement:
        waiting = self.pending.get((height, statement))
        return waiting if waiting is not None else self._fetch(self.block_offset(height), statement)

    # ----------------------------------------------------------------------------------------------- ids

    def _flush(self) -> None:
        if self._ids:
            rows = [(r.id, r.kind, *r.place, r.account, r.movement, r.offset, r.amount) for r in self._ids.values()]
            self._ids.clear()
            try:
                self._db.executemany("INSERT INTO ids VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            except sqlite3.Error as error:
                raise _trouble(error) from error

    def put_id(self, row: IdAt) -> None:
        self._ids[row.id] = row
        if len(self._ids) >= _PENDING_IDS:
            self._flush()

    def find_id(self, id_: str) -> IdAt | None:
        waiting = self._ids.get(id_)
        if waiting is not None:
            return waiting
        row = self.first("SELECT * FROM ids WHERE id = ?", (id_,))
        return IdAt(row[0], row[1], Place(*row[2:5]), *row[5:]) if row else None

    def ids_like(self, prefix: str, limit: int) -> list[str]:
        """Return up to `limit` ids that begin with `prefix`."""
        self._flush()
        sql = "SELECT id FROM ids WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT ?"
        return [row[0] for row in self.rows(sql, (len(prefix), prefix, limit))]

    def count(self, kind: int) -> int:
        """Return how many ids of a record kind there are."""
        self._flush()
        return cast(int, self.first("SELECT count(*) FROM ids WHERE kind = ?", (kind,))[0])

    # ----------------------------------------------------------------------------------------- movements

    def put_movement(self, movement: Movement) -> None:
        m = movement
        row = (m.account, m.index, int(not m.is_inflow), int(m.named), m.in_before, m.rule_before, _pack(m))
        self.run("INSERT INTO movements VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def movement(self, account: int, index: int) -> Movement:
        sql = "SELECT account, position, data FROM movements WHERE account = ? AND position = ?"
        return _unpack(*self.one(sql, (account, index)))

    def rule_outflow_at(self, account: int, rank: int) -> Movement:
        sql = (
            "SELECT account, position, data FROM movements WHERE account = ? AND outflow = 1 AND named = 0"
            " AND rule_before <= ? ORDER BY rule_before DESC LIMIT 1"
        )
        return _unpack(*self.one(sql, (account, rank)))

    def inflow_at(self, account: int, position: int) -> Movement:
        sql = (
            "SELECT account, position, data FROM movements WHERE account = ? AND outflow = 0 AND in_before <= ?"
            " ORDER BY in_before DESC LIMIT 1"
        )
        return _unpack(*self.one(sql, (account, position)))

    def outflows(self, account: int, after: int, before: int | None = None) -> Iterator[Movement]:
        sql = (
            "SELECT account, position, data FROM movements WHERE account = ? AND position > ? AND position < ?"
            " AND outflow = 1 ORDER BY position"
        )
        for row in self.rows(sql, (account, after, codec.MAX_INT if before is None else before)):
            yield _unpack(*row)

    def inflows(self, account: int, before: int) -> Iterator[Movement]:
        sql = (
            "SELECT account, position, data FROM movements WHERE account = ? AND position < ? AND outflow = 0"
            " ORDER BY position"
        )
        for row in self.rows(sql, (account, before)):
            yield _unpack(*row)

    def put_log_node(self, account: int, level: int, index: int, node: LogNode) -> None:
        self.run("INSERT OR REPLACE INTO log_nodes VALUES (?, ?, ?, ?)", (account, level, index, node.pack()))

    def log_node(self, account: int, level: int, index: int) -> LogNode:
        sql = "SELECT data FROM log_nodes WHERE account = ? AND level = ? AND position = ?"
        return LogNode.unpack(self.one(sql, (account, level, index))[0])

    def trie(self, account: int, which: int) -> _Trie:
        return _Trie(self, account, which)

    # ------------------------------------------------------------------------------- batches, saved state

    def find_batch(self, series: str, number: int) -> Batch | None:
        batch = self.next_batch(series, number)
        return batch if batch is not None and batch.first <= number else None

    def next_batch(self, series: str, number: int) -> Batch | None:
        sql = "SELECT * FROM batches WHERE series = ? AND last >= ? ORDER BY last LIMIT 1"
        row = self.first(sql, (series, number))
        return _batch(row) if row else None

    def last_batch(self, series: str) -> Batch | None:
        row = self.first("SELECT * FROM batches WHERE series = ? ORDER BY last DESC LIMIT 1", (series,))
        return _batch(row) if row else None

    def batches(self, series: str) -> Iterator[Batch]:
        for row in self.rows("SELECT * FROM batches WHERE series = ? ORDER BY last", (series,)):
            yield _batch(row)

    def put_batch(self, batch: Batch) -> None:
        row = (batch.series, batch.last, batch.first, *batch.place, batch.account, batch.movement, batch.width)
        self.run("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def put_link(self, about: str, kind: int, place: Place) -> None:
        self.run("INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?, ?)", (about, kind, *place))

    def links(self, about: str, kind: int) -> list[Place]:
        sql = (
            "SELECT height, statement, record FROM links WHERE about = ? AND kind = ?"
            " ORDER BY height, statement, record"
        )
        return [Place(*row) for row in self.rows(sql, (about, kind))]

    def linked(self, kind: int) -> Iterator[tuple[str, Place]]:
        sql = (
            "SELECT about, height, statement, record FROM links WHERE kind = ?"
            " ORDER BY about, height, statement, record"
        )
        for row in self.rows(sql, (kind,)):
            yield row[0], Place(*row[1:])

    def add_to_sum(self, about: str, kind: int, amount: int) -> None:
        sql = "INSERT INTO sums VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount"
        self.run(sql, (about, kind, amount))

    def sum_of(self, about: str, kind: int) -> int:
        row = self.first("SELECT amount FROM sums WHERE about = ? AND kind = ?", (about, kind))
        return cast(int, row[0]) if row else 0

    def save(self, kind: str, number: int, data: bytes) -> None:
        self.run("INSERT OR REPLACE INTO saved VALUES (?, ?, ?)", (kind, number, data))

    def saved(self, kind: str) -> Iterator[bytes]:
        for row in self.rows("SELECT data FROM saved WHERE kind = ? ORDER BY number", (kind,)):
            yield row[0]


def _batch(row: Any) -> Batch:
    return Batch(row[0], row[2], row[1], Place(*row[3:6]), *row[6:])


def _pack(m: Movement) -> bytes:
    return codec.encode(
        [
            m.account, m.index, int(m.kind), m.place, m.amount, m.in_before, m.rule_before, m.named_before,
            m.back_before, m.source, m.second, m.conversion, m.previous, m.gifts, int(m.named), m.takes, m.target,
            m.parts, m.year, m.owner, m.category,
        ]
    )  # fmt: skip


def _unpack(account: int, position: int, data: bytes) -> Movement:
    value: list[Any] = list(cast(tuple[Any, ...], codec.decode(data)))
    value[3], value[14], value[15] = Place(*value[3]), bool(value[14]), tuple(Run(*run) for run in value[15])
    if value[:2] != [account, position]:  # so that what is checked later is what was read here
        raise IndexDamaged("a movement stands in the row of another one")
    return Movement(*value)
