"""Blocks, headers, seals and whole histories that are swapped, changed, or signed twice by the operator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden.builder import seeded_key

from charitychain import merkle
from charitychain.chain import blocks
from charitychain.chain.blocks import Block
from charitychain.cli import main
from charitychain.errors import RefusedError
from charitychain.heads import Heads
from charitychain.ledger import Ledger
from charitychain.store.memory import MemoryStore
from charitychain.verify import verify
from tamper.forge import boundaries, change_block, change_statement, put_together, reseal, take_apart
from tamper.ledgers import Village, checked, codes, tiny, village

LAST = 6
HEIGHTS = range(LAST + 1)


def exit_code(*args: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    return ended.value.code


# ------------------------------------------------------------------------- parts of another ledger


def twin() -> Village:
    """Return a ledger of the same origin, parties and keys, and of another identity."""
    assert village(1).genesis.origin == village().genesis.origin and village(1).identity != village().identity
    return village(1)


@pytest.mark.parametrize("height", HEIGHTS)
def test_block_of_another_ledger(height: int) -> None:
    """A whole block of another ledger does not link to this one."""
    parts = village().blocks()
    parts[height] = twin().blocks()[height]
    found = codes(parts)
    if height == 0:  # then the ledger is the other one, and block 1 is the stranger
        assert ("CC-LINK", 1) in found
    else:
        assert ("CC-LINK", height) in found and ("CC-SEAL", height) in found


@pytest.mark.parametrize("height", HEIGHTS[1:])
def test_block_of_another_ledger_resealed(height: int) -> None:
    """Resealed into this ledger, the statements of the block are still signed for the other."""
    parts = village().blocks()
    parts[height] = twin().blocks()[height]
    found = codes(reseal(parts, village().key_of))
    assert ("CC-SIGNATURE", height) in found


@pytest.mark.parametrize("height", HEIGHTS)
def test_seal_of_another_ledger(height: int) -> None:
    """The seal of the same operator key, origin and size, over another log, is refused; nothing else is wrong."""
    parts = village().blocks()
    change_block(parts, height, seal=twin().blocks()[height].seal)
    assert codes(parts) == [("CC-SEAL", height)]


@pytest.mark.parametrize("height", HEIGHTS)
def test_seal_of_another_block(height: int) -> None:
    """A true seal of this ledger on another block is refused."""
    parts = village().blocks()
    change_block(parts, height, seal=parts[height - 1].seal)
    assert codes(parts) == [("CC-SEAL", height)]


@pytest.mark.parametrize("height", HEIGHTS)
def test_seal_by_a_party_that_is_not_the_operator(height: int) -> None:
    """A seal by another party's key under the ledger's name is refused."""
    parts = village().blocks()
    sealed = reseal(parts, lambda public: seeded_key("school"))
    change_block(parts, height, seal=sealed[height].seal)
    assert codes(parts) == [("CC-SEAL", height)]


def test_seal_with_two_signature_lines() -> None:
    """A second signature line in a seal is refused, so that no copy differs from another under one root."""
    parts = village().blocks()
    seal = parts[LAST].seal
    line = seal[seal.rindex("—".encode()) :]
    change_block(parts, LAST, seal=seal + line)
    assert codes(parts) == [("CC-SEAL", LAST)]


def test_genesis_of_another_ledger() -> None:
    """Under another genesis record block 0 does not follow from the identity, and nothing is signed for it."""
    parts = village().blocks()
    change_block(parts, 0, genesis=twin().genesis)
    found = codes(parts)
    assert ("CC-LINK", 0) in found and ("CC-SIGNATURE", 0) in found


def test_genesis_of_another_ledger_resealed() -> None:
    """Resealed under the other genesis record, no statement is signed for this identity."""
    parts = village().blocks()
    change_block(parts, 0, genesis=twin().genesis)
    found = codes(reseal(parts, village().key_of))
    assert {block for code, block in found if code in ("CC-SIGNATURE", "CC-UNKNOWN-KEY")} == set(HEIGHTS)
    assert [code for code, _ in found].count("CC-POSSESSION") == 4, "nor did any party prove its key for it"


def test_statement_of_another_ledger() -> None:
    """A statement of the same author out of another ledger does not verify in this one."""
    parts = village().blocks()
    change_statement(parts, LAST, 0, twin().blocks()[LAST].statements[0])
    assert ("CC-SIGNATURE", LAST) in codes(reseal(parts, village().key_of))


# ------------------------------------------------------------------------------- order and number of blocks


@pytest.mark.parametrize("height", HEIGHTS[1:-1])
def test_dropped_block(height: int) -> None:
    """A block that is missing in the middle is told by the one after it."""
    parts = village().blocks()
    del parts[height]
    found = codes(parts)
    assert ("CC-HEIGHT", height) in found


@pytest.mark.parametrize("height", HEIGHTS[1:-1])
def test_dropped_block_resealed(height: int) -> None:
    """Renumbered and resealed, the statements that saw the dropped block, or followed its own, do not fit."""
    parts = village().blocks()
    del parts[height]
    found = {code for code, _ in codes(reseal(parts, village().key_of))}
    assert found & {"CC-SEEN", "CC-SEQUENCE"}


def test_blocks_in_another_order() -> None:
    """Two neighbouring blocks in the other order are told."""
    parts = village().blocks()
    parts[4], parts[5] = parts[5], parts[4]
    assert {code for code, _ in codes(parts)} >= {"CC-HEIGHT"}


def test_block_twice() -> None:
    """A block that stands twice is told at its copy."""
    parts = village().blocks()
    parts.insert(4, parts[3])
    assert ("CC-HEIGHT", 4) in codes(parts)


# ------------------------------------------------------------------------------------------------- headers


def lying(at: int, **fields: Any) -> list[Block]:
    """Return the village with one header changed, links and seals made anew behind it."""
    parts = village().blocks()
    change_block(parts, at, header=replace(parts[at].header, **fields))
    return relinked(parts, at)


def relinked(parts: list[Block], start: int) -> list[Block]:
    """Link and seal again from `start` on, and change nothing else."""
    log = merkle.Frontier(merkle.RFC6962)
    key = seeded_key("self")
    for height, block in enumerate(parts):
        header = block.header
        if height > start:
            header = replace(header, previous=parts[height - 1].header.hash())
        log.append(header.hash())
        seal = blocks.make_seal(village().genesis.origin, log.size, log.root(), key) if height >= start else block.seal
        parts[height] = replace(block, header=header, seal=seal)
    return parts


WRONG = b"\x55" * 32


@pytest.mark.parametrize(
    ("code", "field", "count_too"),
    [
        ("CC-ACCOUNTS-ROOT", "accounts", False), ("CC-ACCOUNTS-ROOT", "accounts", True),
        ("CC-PARTIES-ROOT", "parties", False), ("CC-PARTIES-ROOT", "parties", True),
        ("CC-STATEMENTS-ROOT", "statements", False), ("CC-STATEMENTS-ROOT", "statements", True),
    ],
)  # fmt: skip
def test_root_or_count_that_lies(code: str, field: str, count_too: bool) -> None:
    """Each commitment in a header is checked, root and count, though the operator sealed it."""
    count, root = getattr(village().blocks()[LAST].header, field)
    lie = (count + 1, root) if count_too else (count, WRONG)
    assert codes(lying(LAST, **{field: lie})) == [(code, LAST)]


def test_root_that_lies_in_the_middle() -> None:
    """A lie in an early header is named there, and the later blocks, which saw the true one, tell of it too."""
    found = codes(lying(3, accounts=(5, WRONG)))
    assert ("CC-ACCOUNTS-ROOT", 3) in found and ("CC-SEEN", 4) in found


def test_movements_changed() -> None:
    """Movements other than those that the records make are found, though the sealed leaf commits to them."""
    for moves in (((),), (((0, 3), (0, 4)),), (((0, 2),), ()), ()):
        parts = village().blocks()
        statement = replace(parts[LAST].statements[0], moves=moves)
        change_statement(parts, LAST, 0, statement)
        found = codes(reseal(parts, village().key_of, roots=False))
        assert found == [("CC-MOVES", LAST)], moves


def test_block_time_falling() -> None:
    """A block that is older than the one before it is found; one of the same second is not."""
    times = [block.header.time for block in village().blocks()]
    assert codes(lying(LAST, time=times[LAST - 1])) == []
    assert codes(lying(LAST, time=times[LAST - 1] - 1)) == [("CC-TIME", LAST)]


@pytest.mark.parametrize("height", [1, 3, 5, 7, 2**40])
def test_height_that_lies(height: int) -> None:
    """A header that names another height than its place is found."""
    assert codes(lying(LAST, height=height)) == [("CC-HEIGHT", LAST)]


def test_previous_hash_that_lies() -> None:
    """A sealed header whose previous hash is not the block before is found though the log is right."""
    assert codes(lying(LAST, previous=WRONG)) == [("CC-LINK", LAST)]


@pytest.mark.parametrize("height", HEIGHTS[1:-1])
def test_link_and_log_are_checked_against_each_other(height: int) -> None:
    """A block exchanged for another with a seal over the true log, or over its own, is found either way."""
    parts = village().blocks()
    changed = replace(parts[height].header, time=parts[height].header.time + 1)
    change_block(parts, height, header=changed)  # the seals behind it still commit to the true block
    found = codes(parts)
    assert ("CC-SEAL", height) in found and ("CC-LINK", height + 1) in found


# --------------------------------------------------------------------------------------- two histories


def fork() -> Village:
    """Return another history of the same ledger, equal up to block 4 and of the same height, honestly sealed."""
    other = village(last_gift="3.00")
    assert other.identity == village().identity and codes(other.data) == []
    assert other.blocks()[:5] == village().blocks()[:5] and other.blocks()[5] != village().blocks()[5]
    return other


def test_fork_against_a_remembered_head(tmp_path: Path) -> None:
    """A machine that saw one history calls the other a fork, and goes on remembering the first."""
    heads = Heads(tmp_path / "state")
    assert verify(MemoryStore(village().data), heads=heads).exit_code == 0
    report = verify(MemoryStore(fork().data), heads=heads)
    assert [(fault.code, fault.block) for fault in report.faults] == [("CC-FORK", LAST)]
    assert report.exit_code == 1
    assert verify(MemoryStore(village().data), heads=heads).exit_code == 0


def test_longer_fork_against_a_remembered_head(tmp_path: Path) -> None:
    """A fork is found by the remembered block also where it is longer than what was seen."""
    heads = Heads(tmp_path / "state")
    cut = village().data[: boundaries(village().data)[6]]
    assert verify(MemoryStore(cut), heads=heads).exit_code == 0
    report = verify(MemoryStore(fork().data), heads=heads)
    assert [(fault.code, fault.block) for fault in report.faults] == [("CC-FORK", 5)]


@pytest.mark.parametrize("height", HEIGHTS)
def test_fork_against_a_checkpoint(height: int) -> None:
    """A checkpoint of the other history is refused from the block on in which they part."""
    report = verify(MemoryStore(fork().data), checkpoint=village().blocks()[height].seal)
    assert [fault.code for fault in report.faults] == ([] if height < 5 else ["CC-CHECKPOINT"])
    assert report.exit_code == (0 if height < 5 else 1)


def test_checkpoint_of_another_ledger_or_signer() -> None:
    """A checkpoint of another name, or not by this ledger's operator, is no comfort."""
    for seal in (tiny_seal(), forged_checkpoint()):
        report = verify(MemoryStore(village().data), checkpoint=seal)
        assert [fault.code for fault in report.faults] == ["CC-CHECKPOINT"]


def tiny_seal() -> bytes:
    return take_apart(tiny())[-1].seal


def forged_checkpoint() -> bytes:
    return reseal(village().blocks(), lambda public: seeded_key("platform"))[LAST].seal


def test_fork_ends_the_command_with_1(tmp_path: Path) -> None:
    """The command says 1 for a fork of what it saw, and for a fork of a checkpoint."""
    path, seal = tmp_path / "v.ledger", tmp_path / "checkpoint"
    path.write_bytes(fork().data)
    seal.write_bytes(village().blocks()[LAST].seal)
    assert exit_code("verify", str(path), "--checkpoint", str(seal)) == 1
    path.write_bytes(village().data)
    assert exit_code("verify", str(path)) == 0
    path.write_bytes(fork().data)
    assert exit_code("verify", str(path)) == 1


def test_another_ledger_at_a_pinned_path(tmp_path: Path) -> None:
    """Another ledger that is put where one was seen is refused, though it holds by itself; elsewhere it is good."""
    path, elsewhere = tmp_path / "v.ledger", tmp_path / "w.ledger"
    path.write_bytes(village().data)
    assert exit_code("verify", str(path)) == 0
    path.write_bytes(twin().data)
    elsewhere.write_bytes(twin().data)
    assert exit_code("verify", str(path)) == 1
    assert exit_code("verify", str(path)) == 1, "and the pin stays"
    assert exit_code("verify", str(elsewhere)) == 0
    path.write_bytes(village().data)
    assert exit_code("verify", str(path)) == 0


def test_identity_pinned_is_named_by_its_code(tmp_path: Path) -> None:
    """The report names the pinned identity and the one that was found."""
    heads, path = Heads(tmp_path / "state"), tmp_path / "v.ledger"
    heads.pin(path, village().identity)
    report = verify(MemoryStore(twin().data), heads=heads, path=path)
    assert [(f.code, f.expected, f.found) for f in report.faults] == [
        ("CC-IDENTITY", village().identity.hex(), twin().identity.hex())
    ]


def test_writer_refuses_a_fork_of_what_its_key_sealed(tmp_path: Path) -> None:
    """The operator's own key does not go on from another history, nor from an older copy, than it sealed."""
    path = tmp_path / "o.ledger"
    with Ledger.create(path, origin="o.example", keys=tmp_path / "keys") as ledger:
        with ledger.writer() as writer:
            writer.account("a", unit="CNY")
        older = path.read_bytes()
        with ledger.writer() as writer:
            writer.donation("D", account="a", amount="1")
    whole = path.read_bytes()
    path.write_bytes(older)
    with (
        Ledger.open(path, keys=tmp_path / "keys") as ledger,
        pytest.raises(RefusedError, match="older copy"),
        ledger.writer() as writer,
    ):
        writer.donation("D", account="a", amount="2")
    assert path.read_bytes() == older
    path.write_bytes(whole)
    with Ledger.open(path, keys=tmp_path / "keys") as ledger, ledger.writer() as writer:
        writer.donation("E", account="a", amount="2")


# ------------------------------------------------------------------------- several faults at once


def test_two_faults_in_different_blocks_are_both_listed() -> None:
    """Independent faults are all listed, each with its block."""
    parts = village().blocks()
    statement = parts[3].statements[1]
    change_statement(parts, 3, 1, replace(statement, signatures=()))
    parts = reseal(parts, village().key_of, seal_from=9)
    change_block(parts, 5, seal=parts[4].seal)
    found = codes(parts)
    assert ("CC-SIGNERS", 3) in found and ("CC-STATEMENTS-ROOT", 3) in found and ("CC-SEAL", 5) in found


def damaged_in(height: int, data: bytes, *, at: int = 400) -> bytes:
    spoilt = bytearray(data)
    spoilt[boundaries(data)[height] + at] ^= 0x40
    return bytes(spoilt)


def test_faults_of_two_damaged_blocks_are_both_listed() -> None:
    """Two damaged blocks are both named, with the bytes at which they stand."""
    data = damaged_in(5, damaged_in(2, village().data))
    found = checked(data).faults
    ends = boundaries(village().data)
    assert {(f.block, f.offset) for f in found if f.code == "CC-FRAME"} == {(2, ends[2]), (5, ends[5])}


@pytest.mark.parametrize("damaged", [1, 2, 3, 4])
@pytest.mark.parametrize("at", [4, 8, 12, 20, 171, 300], ids=["length", "checksum", "start", "header", "body", "later"])
def test_damage_hides_no_later_fault(damaged: int, at: int) -> None:
    """Behind a damaged block a bad signature, a bad seal and a bad link are still listed."""
    v = village()
    parts = v.blocks()
    statement = parts[5].statements[0]
    forged = replace(statement, signatures=((statement.header.author, seeded_key("self").sign(b"")),))
    change_statement(parts, 5, 0, forged)
    parts = reseal(parts, v.key_of, roots=False, seal_from=5)
    change_block(parts, LAST, header=replace(parts[LAST].header, previous=WRONG), seal=parts[0].seal)
    found = codes(damaged_in(damaged, put_together(parts), at=at))
    assert {block for code, block in found if code.startswith("CC-FRAME")} == {damaged}
    expected = {("CC-SEAL", LAST), ("CC-LINK", LAST)}
    if (damaged, at) not in PARTY_LOST:
        expected.add(("CC-SIGNATURE", 5))
    assert expected <= set(found), found


# Where the block that admits the author is unreadable, its key is not known, and its signature cannot be checked.
PARTY_LOST = {(1, 4), (1, 12)}


def test_damage_alone_makes_no_later_fault() -> None:
    """Behind one damaged block, honest blocks get no faults beyond the word that their rules are not checked."""
    for height in HEIGHTS[1:]:
        for at in (4, 8, 12):
            found = codes(damaged_in(height, village().data, at=at))
            assert {block for _, block in found} == {height}, (height, at, found)
