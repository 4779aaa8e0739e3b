"""Writes the test vectors of ledgers for other implementers: ``PYTHONPATH=.:tests python -m golden.ledgers``.

Valid ledgers are what the library writes. Invalid ones are of two kinds: files that somebody changed who has no key,
and ledgers whose operator altered something and sealed again with its own key all that this key reaches
(`tamper.forge`). Each has its reason in words, the section of the format page that it breaks, the codes that
``charitychain verify`` lists, and whether ``examples/independent_ledger.py`` refuses it too.

The bytes are the same at every run; ``index.json`` lists all files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from tamper.forge import (
    boundaries,
    change_block,
    change_statement,
    put_together,
    repair,
    reseal,
    sign,
    take_apart,
)
from tamper.ledgers import tiny

from charitychain import columns, keys, merkle, records
from charitychain.chain import blocks
from charitychain.chain.blocks import Block
from charitychain.chain.statements import SignedStatement
from charitychain.keys import PrivateKey
from charitychain.records import Conversion, Donation, Expenditure, KeyChange
from charitychain.state import value
from charitychain.state.acting import Acting
from charitychain.state.parties import possession_message
from charitychain.store.frames import HEAD, encode_frame
from golden.builder import Builder, seeded_key

__all__ = ["FOLDER", "Vector", "vectors"]

FOLDER = Path(__file__).parents[1] / "vectors" / "ledgers"
ORIGIN = "vectors.example"
SELF, SCHOOL = seeded_key("self"), seeded_key("school")
FUND, BOOKS, STEPS = range(3)
GIFTS, PASSED, LAST = 3, 4, 5  # heights of the story's blocks
ORDER = 2**252 + 27742317777372353535851937790883648493
WRONG = b"\x55" * 32


class Vector(NamedTuple):
    """A file, why it holds or not, the section of the format page that says so, and what is listed."""

    name: str
    reason: str
    section: str
    data: bytes
    codes: tuple[str, ...] = ()
    independent: bool = True
    exit: int = 1


@cache
def story() -> tuple[bytes, bytes]:
    """Return a ledger of six blocks with two parties, and its identity."""
    with closing(Builder(ORIGIN, nonce=bytes(range(32)))) as builder:
        w = builder.writer
        w.party("school", roles=["charity"])
        builder.commit()
        w.account("fund", unit="EUR")
        w.account("books", unit="EUR", owner="school", author="self")
        w.account("steps", unit="STEP")
        builder.commit()
        w.donation("D-1", account="fund", amount="100.00")
        w.donation("S-1", account="steps", amount="9000")
        w.gifts("m", account="fund", ids=[1, 2], amounts=["0.10", "0.20"])
        builder.commit()
        w.disbursement("B-1", source="fund", to="books", amount="60.00")
        builder.commit()
        w.expenditure("X-1", source="books", amount="40.00", payee="Corner Books", purpose="books")
        w.expenditure("X-2", source="fund", amount="7.00", payee="Bus", purpose="way")
        builder.commit()
        return builder.data, builder.identity


def parts() -> list[Block]:
    """Return the blocks of the story, to be altered."""
    return take_apart(story()[0])


def key_of(public: bytes) -> PrivateKey:
    """Return the operator's key, which is the only one that seals."""
    assert public == SELF.public_key
    return SELF


def resealed(altered: list[Block], **how: Any) -> bytes:
    return put_together(reseal(altered, key_of, **how))


def behind(*made: SignedStatement, after: list[Block] | None = None) -> bytes:
    """Return the story with a block more of these statements, sealed."""
    before = parts() if after is None else after
    return resealed([*before, replace(before[-1], genesis=None, statements=made)])


def signed(*made: records.Record, key: PrivateKey = SELF, column: bytes | None = None, **head: Any) -> SignedStatement:
    return sign(made, [key], story()[1], parts(), columns=() if column is None else (column,), **head)


def sealed_header(**fields: Any) -> bytes:
    """Return the story with another header of its last block, under a seal that fits it."""
    altered = parts()
    change_block(altered, LAST, header=replace(altered[LAST].header, **fields))
    log = merkle.Frontier(merkle.RFC6962)
    for block in altered:
        log.append(block.header.hash())
    change_block(altered, LAST, seal=blocks.make_seal(ORIGIN, log.size, log.root(), SELF))
    return put_together(altered)


def proof_of(name: str, key: PrivateKey, party: str = "") -> bytes:
    return key.sign(possession_message(story()[1], party or name, key.public_key))


def of_school(altered: list[Block]) -> tuple[int, SignedStatement]:
    """Return number and statement of the school's expenditure in the last block."""
    own = keys.key_id(SCHOOL.public_key)
    return next((n, s) for n, s in enumerate(altered[LAST].statements) if s.header.author == own)


def with_school(statement: SignedStatement) -> bytes:
    """Return the story with another statement in the place of the school's."""
    altered = parts()
    change_statement(altered, LAST, of_school(altered)[0], statement)
    return resealed(altered)


def valid() -> Iterator[Vector]:
    """Yield ledgers that hold."""
    data = story()[0]
    yield Vector("story", "Six blocks of two parties: gifts, a batch, a disbursement, two expenditures.", "Block",
                 data, exit=0)
    yield Vector("tiny", "A ledger of format 2 with kinds of records from units to reversals, and a rotated key.",
                 "Records", tiny(), exit=0)
    with closing(Builder("first.example", version=1)) as builder:
        builder.writer.account("fund", unit="EUR")
        builder.writer.donation("D-1", account="fund", amount="1.00")
        builder.writer.expenditure("X-1", source="fund", amount="0.40", payee="Post", purpose="stamps")
        builder.commit()
        yield Vector("format-1", "Ledgers of version 1 stay good under the rules of version 1.",
                     "What differs in version 1", builder.data, exit=0)
    with closing(Builder("columns.example")) as builder:
        w = builder.writer
        w.account("even", unit="EUR", rule="pro-rata")
        w.gifts("m", account="even", ids=list(range(1, 71)), amounts=["0.01"] * 70)
        builder.commit()
        w.gifts("m", account="even", ids=[80, 2**62], amounts=["1.00", "0.07"], donors=["11" * 16, ""],
                seconds=["", "22" * 16])  # fmt: skip
        w.expenditure("X-1", source="even", amount="0.33", payee="Post", purpose="stamps")
        builder.commit()
        yield Vector("columns", "A series of two batches, the first of two runs, the second of width 48.",
                     "Gift columns", builder.data, exit=0)
    yield Vector("torn", "The file ends before its last frame does, so the ledger ends before that frame.",
                 "Frame", data[:-40], exit=8)


def of_files() -> Iterator[Vector]:
    """Yield files that somebody changed who has no key."""
    data, _ = story()
    ends = boundaries(data)
    at = data.index(b"D-1", ends[GIFTS]) + 2

    def flipped(place: int, *, fits: bool) -> bytes:
        spoilt = bytearray(data)
        spoilt[place] ^= 3
        if fits:
            repair(spoilt, ends[GIFTS], ends[GIFTS + 1])
        return bytes(spoilt)

    yield Vector("byte-flipped", "A byte of a record is changed and the block's checksum does not fit.", "Frame",
                 flipped(at, fits=False), ("CC-FRAME", "CC-RECORDS-ROOT", "CC-ACCOUNTS-ROOT", "CC-UNCHECKED"))
    yield Vector("byte-flipped-repaired", "A byte of a record is changed, and the checksum with it: the record is not "
                 "of its statement's root.", "Statement header", flipped(at, fits=True),
                 ("CC-RECORDS-ROOT", "CC-ACCOUNTS-ROOT"))
    yield Vector("block-cut-out", "Block 3 is missing: the next block has not the next height.", "Block header",
                 data[: ends[GIFTS]] + data[ends[PASSED] :], ("CC-HEIGHT", "CC-UNCHECKED"))
    yield Vector("blocks-exchanged", "Blocks 3 and 4 change places: heights do not rise one by one.", "Block header",
                 data[: ends[3]] + data[ends[4] : ends[5]] + data[ends[3] : ends[4]] + data[ends[5] :],
                 ("CC-HEIGHT", "CC-UNCHECKED", "CC-LINK", "CC-TIME", "CC-SEAL"))
    yield Vector("later-version", "The head says version 3, which this page does not describe.", "Head",
                 data[:9] + b"\3" + data[10:], ("CC-VERSION",), exit=3)
    yield Vector("another-version", "The head says version 1 and the genesis record version 2.", "Versions",
                 data[:9] + b"\1" + data[10:], ("CC-VERSION",), exit=3)
    whole = [blocks.encode_block(block) for block in parts()]
    whole[LAST] = b"\xdc\0\4" + whole[LAST][1:]
    yield Vector("block-not-canonical", "The array of the last block has the long header dc 00 04 in the place of 94.",
                 "Canonical msgpack", HEAD + b"".join(map(encode_frame, whole)), ("CC-CANONICAL", "CC-UNCHECKED"))


def of_blocks() -> Iterator[Vector]:
    """Yield ledgers whose operator altered blocks and headers, and sealed again."""
    data, _ = story()
    altered = parts()
    del altered[GIFTS]
    yield Vector("block-cut-out-resealed", "Block 3 is missing and all is sealed anew: what came after it was signed "
                 "behind it.", "Statement header", resealed(altered), ("CC-SEQUENCE", "CC-OVERDRAFT", "CC-SEEN"))
    altered = parts()
    change_block(altered, LAST, seal=altered[PASSED].seal)
    yield Vector("seal-of-another-block", "The last block has the seal of the one before.", "Seal",
                 put_together(altered), ("CC-SEAL",))
    header = take_apart(data)[LAST].header
    before = take_apart(data)[PASSED].header
    yield Vector("time-falls", "The last block is a second older than the one before.", "Block header",
                 sealed_header(time=before.time - 1), ("CC-TIME",))
    yield Vector("accounts-root", "The sealed header has another root of the accounts.", "Account summary",
                 sealed_header(accounts=(header.accounts[0], WRONG)), ("CC-ACCOUNTS-ROOT",))


def of_statements() -> Iterator[Vector]:
    """Yield ledgers whose operator altered statements, and sealed again all that its key reaches."""
    _, identity = story()
    altered = parts()
    number, own = of_school(altered)
    later = sign([Expenditure("X-3", BOOKS, 1)], [SCHOOL], identity, altered)
    change_statement(altered, LAST, number)
    yield Vector("statement-dropped", "A statement is dropped: its author's next one has not the next sequence.",
                 "Statement header", behind(later, after=altered), ("CC-SEQUENCE",))
    altered = parts()
    change_statement(altered, LAST, number, own, own)
    yield Vector("statement-doubled", "A statement stands twice: neither its sequence nor its record's id is new.",
                 "Statement header", resealed(altered), ("CC-SEQUENCE", "CC-DUPLICATE-ID"))
    first = signed(Donation("N-1", FUND, 1))
    second = signed(Donation("N-2", FUND, 1), sequence=first.header.sequence + 1, previous=first.id)
    yield Vector("statements-reordered", "Two statements of one author change places.", "Statement header",
                 behind(second, first), ("CC-SEQUENCE",))
    yield Vector("signature-stripped", "The author's signature is missing.", "Statement",
                 with_school(replace(own, signatures=())), ("CC-SIGNERS",))
    message = keys.signed_message("statement", identity, own.header_bytes)
    author = own.header.author
    yield Vector("wrong-signer", "The operator signed under the name of the author's key.", "Keys and signatures",
                 with_school(replace(own, signatures=((author, SELF.sign(message)),))), ("CC-SIGNATURE",))
    ((_, good),) = own.signatures
    high = good[:32] + (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")
    yield Vector("signature-high", "The S of a true signature has L added to it, so it is not below L.",
                 "Keys and signatures", with_school(replace(own, signatures=((author, high),))), ("CC-SIGNATURE",))
    (record,) = own.records()
    assert isinstance(record, Expenditure)
    less = records.encode_record(replace(record, amount=record.amount - 1))
    yield Vector("record-not-of-root", "The author signed an expenditure of one cent more.", "Statement header",
                 with_school(replace(own, record_bytes=(less,))), ("CC-RECORDS-ROOT",))
    altered = parts()
    (made,) = own.moves
    change_statement(altered, LAST, number, replace(own, moves=(made[:-1],)))
    yield Vector("movement-left-out", "The moves of an expenditure leave out what it took from its account.",
                 "Movements", resealed(altered, roots=False), ("CC-MOVES",))
    altered = parts()
    number, batch = next((n, s) for n, s in enumerate(altered[GIFTS].statements) if s.columns)
    change_statement(altered, GIFTS, number, replace(batch, columns=(columns.pack_columns([1, 2], [20, 10])[0],)))
    yield Vector("columns-of-another-batch", "The gift columns are of another batch with the same numbers and sum.",
                 "Gift columns", resealed(altered, roots=False), ("CC-GIFTS-ROOT", "CC-MOVES", "CC-ACCOUNTS-ROOT"))
    new = seeded_key("school", 1)
    change = KeyChange("school", new.public_key, proof_of("school", new), keys.key_id(SCHOOL.public_key))
    rotated = [*parts(), replace(parts()[-1], statements=(signed(change, key=SCHOOL),))]
    rotated = reseal(rotated, key_of)
    late = sign([Expenditure("X-3", BOOKS, 1)], [SCHOOL], identity, rotated)
    yield Vector("replaced-key", "The author's key was replaced in the block before.", "Whose signature counts",
                 behind(late, after=rotated), ("CC-UNKNOWN-KEY",))


def of_rules() -> Iterator[Vector]:
    """Yield ledgers with a record that its author truly signed, and that breaks a rule and nothing else.

    The operator booked each as if there were no such rule, but for the overdraft, which no tape can show.
    """
    listed = ("CC-MOVES", "CC-ACCOUNTS-ROOT")
    yield Vector("overdraft", "An expenditure takes more than the account holds.", "Value",
                 behind(signed(Expenditure("N-1", FUND, 1_000_000))), ("CC-OVERDRAFT",))
    with patch.object(value, "_is_currency", lambda unit: False):
        minted = behind(signed(Conversion("N-1", STEPS, 1000, FUND, 500)))
    yield Vector("conversion-minted", "Steps are turned into money that no account pays.", "Value", minted,
                 ("CC-CONVERSION", *listed), independent=False)
    with patch.object(Acting, "check_new", lambda state, id_: None):
        twice = behind(signed(Expenditure("X-1", FUND, 1)))
    yield Vector("duplicate-id", "An expenditure has the id of another one.", "Ids, days and years", twice,
                 ("CC-DUPLICATE-ID", *listed), independent=False)
    with patch.object(Acting, "require_out", lambda state, account, what: None):
        taken = behind(signed(Expenditure("N-1", BOOKS, 1)))
    yield Vector("another-owner", "The operator spends from an account that the school owns.",
                 "Whose signature counts", taken, ("CC-AUTHOR", *listed), independent=False)


def vectors() -> list[Vector]:
    """Return all of them."""
    return [*valid(), *of_files(), *of_blocks(), *of_statements(), *of_rules()]


def main() -> None:
    """Write the files and their index."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.ledger"):
        old.unlink()
    rows = []
    for vector in vectors():
        file = f"{vector.name}.ledger"
        (FOLDER / file).write_bytes(vector.data)
        rows.append({
            "file": file, "valid": not vector.codes, "reason": vector.reason, "section": vector.section,
            "codes": vector.codes, "exit": vector.exit, "independent": bool(vector.codes) and vector.independent,
        })  # fmt: skip
    (FOLDER / "index.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
