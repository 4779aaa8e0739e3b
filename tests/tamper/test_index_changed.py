"""The index lies: whatever stands in it, an answer is right, or refused, or given from an index that was made anew.

Every column of every table is changed row by row: numbers up and down, hashes and packed rows bit by bit and field by
field, rows exchanged and rows removed. No answer may be wrong, and no error may come from outside the family.
"""

from __future__ import annotations

import itertools
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from charitychain import codec
from charitychain.errors import CharitychainError, MalformedError, NotFoundError, VerificationError
from charitychain.ledger import Ledger
from tamper.ledgers import village, winding
from tamper.test_trace_damaged import GIFTS, OUTFLOWS

ROWS = 6
"""Rows of one table that are changed, drawn at random with a fixed seed."""

TABLES = {
    "meta": ("name",), "blocks": ("height",), "header_nodes": ("level", "position"), "ids": ("id",),
    "movements": ("account", "position"), "log_nodes": ("account", "level", "position"),
    "trie_nodes": ("account", "which", "bit", "prefix"), "batches": ("series", "last"), "saved": ("kind", "number"),
}  # fmt: skip

HIDING = {"ids", "batches"}
"""Tables whose rows can hide what the ledger holds; see `test_hidden_gift_is_not_denied`."""
NOT_FOUND = "there is no such thing in this ledger"

Answers = dict[str, Any]


def ask(ledger: Ledger) -> Answers:
    """Ask everything; what is refused as not fitting is left out. Every other error fails the test."""
    found: Answers = {}
    questions: list[tuple[str, Any]] = [
        *((gift, lambda gift=gift: ledger.trace(gift).to_dict()) for gift in GIFTS),
        *((outflow, lambda outflow=outflow: ledger.sources(outflow).to_dict()) for outflow in OUTFLOWS),
        ("balances", lambda: {name: (str(money), sums) for name, (money, sums) in ledger.balances().items()}),
    ]
    for name, question in questions:
        try:
            found[name] = question()
        except VerificationError:
            continue
        except NotFoundError:
            found[name] = NOT_FOUND
    return found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the winding ledger and its honest index."""
    folder = tmp_path_factory.mktemp("original")
    path = folder / "w.ledger"
    path.write_bytes(winding())
    with Ledger.open(path) as ledger:
        ledger.reader()
    return folder


@cache
def truth(folder: Path) -> Answers:
    with Ledger.open(folder / "w.ledger") as ledger:
        found = ask(ledger)
    assert len(found) == len(GIFTS) + len(OUTFLOWS) + 1
    return found


def copy(original: Path, folder: Path) -> Path:
    for name in ("w.ledger", "w.ledger.index"):
        shutil.copy(original / name, folder / name)
    for end in ("-wal", "-shm"):
        (folder / f"w.ledger.index{end}").unlink(missing_ok=True)
    return folder / "w.ledger"


def wrong(path: Path, expected: Answers, *, may_hide: bool = False) -> list[str]:
    """Return the questions that are answered, and wrongly."""
    with Ledger.open(path) as ledger:
        found = ask(ledger)
    return [n for n, answer in found.items() if answer != expected[n] and not (may_hide and answer == NOT_FOUND)]


def altered(value: Any, rng: random.Random) -> Iterator[Any]:
    """Yield other values that could stand in place of one in the index."""
    match value:
        case int():
            yield from (value + 1, value - 1, 0 if value else 7, 2**62, None, "text")
        case str():
            yield from (value + "x", "", None, "edu" if value != "edu" else "even")
        case None:
            yield from (0, 1, b"")
        case bytes():
            yield from (b"", None, value[:-1], value + b"\0")
            for _ in range(3):
                at = rng.randrange(len(value))
                yield value[:at] + bytes((value[at] ^ 1 << rng.randrange(8),)) + value[at + 1 :]
            yield from repacked(value)


def repacked(data: bytes) -> Iterator[bytes]:
    """Yield the bytes of a packed row with one of its numbers changed, as an attacker who knows the format would."""
    try:
        value = cast(tuple[Any, ...], codec.decode(data))
    except MalformedError:
        return
    if not isinstance(value, tuple):
        return
    for at, field in enumerate(value):
        for other in (field + 1, field - 1) if type(field) is int and field else (1,) if field in (0, None) else ():
            yield codec.encode([*value[:at], other, *value[at + 1 :]])


def rows(path: Path, table: str, rng: random.Random) -> tuple[list[str], list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path.with_name("w.ledger.index"))) as db:
        found = db.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in found.description]
        listed = found.fetchall()
    return names, rng.sample(listed, min(ROWS, len(listed)))


def change(path: Path, sql: str, values: tuple[Any, ...]) -> bool:
    """Run one statement on the index; say whether the database took it."""
    with closing(sqlite3.connect(path.with_name("w.ledger.index"))) as db:
        try:
            with db:
                return db.execute(sql, values).rowcount > 0
        except sqlite3.Error:
            return False


@pytest.mark.parametrize("table", TABLES)
def test_changed_values(original: Path, tmp_path: Path, table: str) -> None:
    """Whatever value of a table is changed, no answer is wrong."""
    rng, expected, bad, count = random.Random(table), truth(original), [], 0
    names, listed = rows(original / "w.ledger", table, rng)
    where = " AND ".join(f"{name} = ?" for name in TABLES[table])
    for row in listed:
        key = tuple(row[names.index(name)] for name in TABLES[table])
        for name, value in zip(names, row, strict=True):
            choices = list(altered(value, rng))
            for other in rng.sample(choices, min(4, len(choices))):
                path = copy(original, tmp_path)
                if change(path, f"UPDATE {table} SET {name} = ? WHERE {where}", (other, *key)):
                    count += 1
                    if found := wrong(path, expected, may_hide=table in HIDING):
                        bad.append(f"{table}.{name} of {key}: {value!r:.60} -> {other!r:.60}: {found}")
    assert count > 3
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("table", TABLES)
def test_removed_rows(original: Path, tmp_path: Path, table: str) -> None:
    """Whichever row is removed, no answer is wrong."""
    rng, expected, bad = random.Random(table), truth(original), []
    names, listed = rows(original / "w.ledger", table, rng)
    where = " AND ".join(f"{name} = ?" for name in TABLES[table])
    for row in listed:
        key = tuple(row[names.index(name)] for name in TABLES[table])
        path = copy(original, tmp_path)
        assert change(path, f"DELETE FROM {table} WHERE {where}", key)
        if found := wrong(path, expected, may_hide=table in HIDING):
            bad.append(f"{table} without {key}: {found}")
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize(
    ("table", "row", "question"), [("ids", "D-1", "D-1"), ("ids", "X-1", "X-1"), ("batches", "s", "s/5")]
)
def test_hidden_gift_is_found_once_the_index_is_made_anew(
    original: Path, tmp_path: Path, table: str, row: str, question: str
) -> None:
    """That there is no such id is the index's word alone, as the threat model says; without it the gift is there."""
    path = copy(original, tmp_path)
    assert change(path, f"DELETE FROM {table} WHERE {TABLES[table][0]} = ?", (row,))
    with Ledger.open(path) as ledger:
        assert ask(ledger).get(question) == NOT_FOUND
    path.with_name("w.ledger.index").unlink()
    with Ledger.open(path) as ledger:
        assert ask(ledger) == truth(original)


@pytest.mark.parametrize("table", TABLES)
def test_exchanged_rows(original: Path, tmp_path: Path, table: str) -> None:
    """Two rows that exchange what they say make no answer wrong: each is true, but not of what was asked."""
    rng, expected, bad = random.Random(table), truth(original), []
    names, listed = rows(original / "w.ledger", table, rng)
    said = [name for name in names if name not in TABLES[table]]
    where = " AND ".join(f"{name} = ?" for name in TABLES[table])
    sets = ", ".join(f"{name} = ?" for name in said)
    for one, two in itertools.pairwise(listed):
        path = copy(original, tmp_path)
        for target, giver in ((one, two), (two, one)):
            values = tuple(giver[names.index(name)] for name in said)
            key = tuple(target[names.index(name)] for name in TABLES[table])
            change(path, f"UPDATE {table} SET {sets} WHERE {where}", (*values, *key))
        if found := wrong(path, expected, may_hide=table in HIDING):
            bad.append(f"{table}: {one!r:.60} <-> {two!r:.60}: {found}")
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("table", TABLES)
def test_emptied_tables(original: Path, tmp_path: Path, table: str) -> None:
    """An index with an empty table, or without the table, makes no answer wrong."""
    for sql in (f"DELETE FROM {table}", f"DROP TABLE {table}"):
        path = copy(original, tmp_path)
        change(path, sql, ())
        assert wrong(path, truth(original), may_hide=table in HIDING) == [], sql


def test_index_of_another_ledger(original: Path, tmp_path: Path) -> None:
    """A whole and honest index that belongs to another ledger is not believed."""
    other = tmp_path / "other.ledger"
    other.write_bytes(village().data)
    with Ledger.open(other) as ledger:
        ledger.reader()
    path = copy(original, tmp_path)
    shutil.copy(tmp_path / "other.ledger.index", tmp_path / "w.ledger.index")
    assert wrong(path, truth(original)) == []


def test_bytes_flipped_in_the_database_file(original: Path, tmp_path: Path) -> None:
    """Bytes changed anywhere in the database file make no answer wrong."""
    rng, expected, bad = random.Random(1), truth(original), []
    whole = (original / "w.ledger.index").read_bytes()
    for _ in range(60):
        path = copy(original, tmp_path)
        at = rng.randrange(len(whole)) if rng.random() < 0.8 else rng.randrange(200)
        flipped = bytes((whole[at] ^ 1 << rng.randrange(8),))
        path.with_name("w.ledger.index").write_bytes(whole[:at] + flipped + whole[at + 1 :])
        if found := wrong(path, expected, may_hide=True):
            bad.append(f"byte {at}: {found}")
    assert not bad, "\n".join(bad)


def test_index_that_is_no_database(original: Path, tmp_path: Path) -> None:
    """Text, nothing, and half an index in place of the index are made anew, and the answers are all there."""
    whole = (original / "w.ledger.index").read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2], bytes(len(whole))):
        path = copy(original, tmp_path)
        path.with_name("w.ledger.index").write_bytes(content)
        with Ledger.open(path) as ledger:
            assert ask(ledger) == truth(original)


@pytest.mark.parametrize(
    ("sql", "entry"),
    [
        ("DELETE FROM ids WHERE id = 'D'", {"record": "donation", "id": "D", "account": "a", "amount": "5"}),
        ("UPDATE ids SET amount = 900 WHERE id = 'X'", {"record": "reversal", "id": "U", "reverses": "X"}),
        ("UPDATE ids SET amount = 300 WHERE id = 'D'", {"record": "refund", "id": "R", "donation": "D"}),
        ("DELETE FROM batches", {"record": "gifts", "series": "s", "account": "a", "ids": [1], "amounts": ["1"]}),
    ],
    ids=["hidden id", "amount of an expenditure", "amount of a gift", "hidden batch"],
)
def test_writer_believes_no_index_that_others_could_write(tmp_path: Path, sql: str, entry: dict[str, Any]) -> None:
    """An index that somebody else could have changed is made anew before anything is sealed on its word."""
    path = tmp_path / "o.ledger"
    with Ledger.create(path, origin="o.example", keys=tmp_path / "keys") as ledger:
        with ledger.writer() as writer:
            writer.account("a", unit="CNY")
            writer.donation("D", account="a", amount="5")
            writer.gifts("s", account="a", ids=[1], amounts=["1"])
            writer.expenditure("X", source="a", amount="1", payee="p", purpose="q")
        ledger.reader()
    with closing(sqlite3.connect(path.with_name("o.ledger.index"))) as db, db:
        assert db.execute(sql).rowcount == 1
        if "batches" in sql:
            db.execute("DELETE FROM ids WHERE id = 's'")
    path.with_name("o.ledger.index").chmod(0o664)
    with Ledger.open(path, keys=tmp_path / "keys") as ledger:
        with suppress(CharitychainError), ledger.writer() as writer:
            writer.add(entry)
        assert ledger.verify().faults == []
