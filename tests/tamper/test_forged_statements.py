"""Statements that the operator replays, drops, reorders, strips, changes or takes from elsewhere.

In each test the operator reseals everything that its key reaches. `codes` lists what is still found, and where.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from golden.builder import seeded_key

from charitychain import keys, records
from charitychain.chain.blocks import Block
from charitychain.chain.statements import SignedStatement
from charitychain.keys import PrivateKey
from charitychain.state.parties import possession_message
from tamper.forge import change_statement, header_changed, reseal, sign
from tamper.ledgers import Village, codes, village

LAST = 6


def only(statement: SignedStatement) -> records.Record:
    (record,) = statement.records()
    return record


def find(parts: list[Block], id_: str) -> tuple[int, int]:
    """Return height and number of the statement that holds the record of this id."""
    for height, block in enumerate(parts):
        for number, statement in enumerate(block.statements):
            if any(records.record_id(record) == id_ for record in statement.records()):
                return height, number
    raise LookupError(id_)


def appended(found: Village, *made: SignedStatement) -> list[Block]:
    """Return the village with one more block of these statements, everything resealed."""
    parts = found.blocks()
    parts.append(replace(parts[-1], genesis=None, statements=made))
    return reseal(parts, found.key_of)


def test_resealing_an_honest_ledger_changes_nothing() -> None:
    """What the forge makes anew is what the library made, so each fault below comes from what a test altered."""
    assert reseal(village().blocks(), village().key_of) == village().blocks()
    assert codes(village().data) == []


def test_an_honest_statement_signed_by_the_forge_is_accepted() -> None:
    """A statement that `sign` makes and nothing spoils holds, so those below fail for what they say."""
    v = village()
    gift = records.Donation("N-1", 0, 100)
    assert codes(appended(v, sign([gift], [seeded_key("platform")], v.identity, v.blocks()))) == []


# ------------------------------------------------------------------------------- replay, drop, reorder, double


def test_replayed_statement() -> None:
    """A statement that was sealed once is refused a second time, by its sequence and by its record's id."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "D-5")
    found = codes(appended(v, parts[height].statements[number]))
    assert found == [("CC-SEQUENCE", 7), ("CC-DUPLICATE-ID", 7)]


def test_doubled_statement() -> None:
    """The same statement twice in one block is found, though its copy stands right beside it."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "D-6")
    one = parts[height].statements[number]
    change_statement(parts, height, number, one, one)
    found = codes(reseal(parts, v.key_of))
    assert ("CC-SEQUENCE", LAST) in found and ("CC-DUPLICATE-ID", LAST) in found


def test_dropped_statement() -> None:
    """A dropped statement leaves a gap in its author's sequence, found at the author's next one."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "D-5")
    change_statement(parts, height, number)
    found = codes(reseal(parts, v.key_of))
    assert ("CC-SEQUENCE", LAST) in found


def test_dropped_statement_in_spite_of_a_patched_sequence() -> None:
    """An author that numbers on over a dropped statement of its own is found by the hash of the one before."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "X-2")
    own = parts[height].statements[number]
    wrong = bytes(32)
    signed = sign([only(own)], [seeded_key("school")], v.identity, parts[:LAST], previous=wrong)
    change_statement(parts, height, number, signed)
    assert codes(reseal(parts, v.key_of)) == [("CC-PREVIOUS", LAST)]


def test_reordered_statements() -> None:
    """Two statements of one author in the other order are found at both."""
    v = village()
    first = sign([records.Donation("N-1", 0, 1)], [seeded_key("platform")], v.identity, v.blocks())
    second = sign(
        [records.Donation("N-2", 0, 1)], [seeded_key("platform")], v.identity, v.blocks(),
        sequence=first.header.sequence + 1, previous=first.id,
    )  # fmt: skip
    assert codes(appended(v, first, second)) == []
    assert codes(appended(v, second, first)) == [("CC-SEQUENCE", 7)] * 2


# ------------------------------------------------------------------------------------------------- signatures


def test_author_signature_stripped() -> None:
    """A statement without its author's signature is none."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "X-2")
    change_statement(parts, height, number, replace(parts[height].statements[number], signatures=()))
    assert codes(reseal(parts, v.key_of)) == [("CC-SIGNERS", height)]


def test_author_signature_exchanged() -> None:
    """The operator's signature under the name of the author's key does not verify."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "X-2")
    statement = parts[height].statements[number]
    message = keys.signed_message("statement", v.identity, statement.header_bytes)
    forged = ((statement.header.author, seeded_key("self").sign(message)),)
    change_statement(parts, height, number, replace(statement, signatures=forged))
    assert codes(reseal(parts, v.key_of)) == [("CC-SIGNATURE", height)]


def test_author_signature_taken_from_another_statement() -> None:
    """A true signature of the author under another statement of the same ledger does not verify."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "X-2")
    other_height, other = find(parts, "X-1")
    stolen = parts[other_height].statements[other].signatures
    change_statement(parts, height, number, replace(parts[height].statements[number], signatures=stolen))
    assert codes(reseal(parts, v.key_of)) == [("CC-SIGNATURE", height)]


def cosigned(v: Village) -> tuple[list[Block], int, int, SignedStatement]:
    parts = v.blocks()
    height, number = find(parts, "C-1")
    statement = parts[height].statements[number]
    assert len(statement.signatures) == 3
    return parts, height, number, statement


@pytest.mark.parametrize("drop", [0, 1, 2])
def test_one_of_three_signatures_stripped(drop: int) -> None:
    """A conversion that three parties must sign is found without any one of them."""
    v = village()
    parts, height, number, statement = cosigned(v)
    kept = tuple(pair for n, pair in enumerate(statement.signatures) if n != drop)
    change_statement(parts, height, number, replace(statement, signatures=kept))
    assert ("CC-SIGNERS", height) in codes(reseal(parts, v.key_of))


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 2, 0), (0, 1, 1)], ids=["reordered", "author last", "doubled"])
def test_signatures_in_another_order(order: tuple[int, ...]) -> None:
    """True signatures in another order or one of them twice are refused, so no copy differs in them under one root."""
    v = village()
    parts, height, number, statement = cosigned(v)
    moved = tuple(statement.signatures[n] for n in order)
    change_statement(parts, height, number, replace(statement, signatures=moved))
    assert ("CC-SIGNERS", height) in codes(reseal(parts, v.key_of))


def test_cosigner_signature_exchanged() -> None:
    """Two cosigners' signatures under each other's names do not verify."""
    v = village()
    parts, height, number, statement = cosigned(v)
    author, (one, sign_one), (two, sign_two) = statement.signatures
    change_statement(parts, height, number, replace(statement, signatures=(author, (one, sign_two), (two, sign_one))))
    assert ("CC-SIGNATURE", height) in codes(reseal(parts, v.key_of))


def test_signature_added() -> None:
    """A signature that the header does not ask for is refused, a true one too."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "X-2")
    statement = parts[height].statements[number]
    message = keys.signed_message("statement", v.identity, statement.header_bytes)
    key = seeded_key("sponsor")
    more = (*statement.signatures, (keys.key_id(key.public_key), key.sign(message)))
    change_statement(parts, height, number, replace(statement, signatures=more))
    assert codes(reseal(parts, v.key_of)) == [("CC-SIGNERS", height)]


def test_required_signers_struck_from_the_header() -> None:
    """A header that no longer asks for the cosigners is not the one that the author signed."""
    v = village()
    parts, height, number, statement = cosigned(v)
    struck = replace(header_changed(statement, signers=()), signatures=statement.signatures[:1])
    change_statement(parts, height, number, struck)
    found = codes(reseal(parts, v.key_of))
    assert ("CC-SIGNATURE", height) in found
    assert ("CC-AUTHOR", height) in found, "and without its cosigners the conversion breaks a rule"


def test_signature_for_another_ledger() -> None:
    """A statement signed for a ledger of the same origin, parties and keys does not verify in this one."""
    v, other = village(), village(1)
    gift = sign([records.Donation("N-1", 0, 100)], [seeded_key("platform")], other.identity, v.blocks())
    assert codes(appended(v, gift)) == [("CC-SIGNATURE", 7)]


def test_signature_for_another_purpose() -> None:
    """A signature that the author's key made over the same bytes for another purpose does not verify."""
    v = village()
    gift = sign([records.Donation("N-1", 0, 100)], [seeded_key("platform")], v.identity, v.blocks())
    message = keys.signed_message("possession", v.identity, gift.header_bytes)
    moved = ((gift.header.author, seeded_key("platform").sign(message)),)
    assert codes(appended(v, replace(gift, signatures=moved))) == [("CC-SIGNATURE", 7)]


@pytest.mark.parametrize("stranger", [seeded_key("nobody"), seeded_key("platform", 1)])
def test_key_that_the_ledger_does_not_know(stranger: PrivateKey) -> None:
    """A statement by a key that was never registered is found, its record counts for nothing."""
    v = village()
    gift = sign([records.Donation("N-1", 0, 100)], [stranger], v.identity, v.blocks())
    found = codes(appended(v, gift))
    assert ("CC-UNKNOWN-KEY", 7) in found


# ------------------------------------------------------------------------------- what the author saw, and until when


def test_statement_made_on_another_history() -> None:
    """A statement whose author saw another block at that height is refused: a fork must drop it."""
    v, fork = village(), village(last_gift="3.00")
    gift = sign([records.Donation("N-1", 0, 100)], [seeded_key("platform")], v.identity, v.blocks(),
                seen_hash=fork.blocks()[-1].header.hash())  # fmt: skip
    assert codes(appended(v, gift)) == [("CC-SEEN", 7)]


def test_later_statements_do_not_fit_a_rewritten_past() -> None:
    """An operator that rewrites block 5 cannot keep what other authors signed after it."""
    v, fork = village(), village(last_gift="3.00")
    parts = [*fork.blocks()[:6], v.blocks()[6]]
    found = codes(reseal(parts, v.key_of))
    # The platform's own statement before is another one; school and operator saw another block 5.
    assert found == [("CC-PREVIOUS", LAST), ("CC-SEEN", LAST), ("CC-SEEN", LAST)]


@pytest.mark.parametrize("size", [0, 3, 9])
def test_what_was_seen_never_falls_and_never_lies_ahead(size: int) -> None:
    """An author that claims to have seen less than before, or more than there is, is refused."""
    v = village()
    gift = sign([records.Donation("N-1", 0, 100)], [seeded_key("platform")], v.identity, v.blocks(), seen_size=size,
                seen_hash=v.blocks()[size - 1].header.hash() if 0 < size < 7 else v.identity)  # fmt: skip
    assert codes(appended(v, gift)) == [("CC-SEEN", 7)]


def test_expired_statement_used_late() -> None:
    """A statement that the operator held back past its expiry is refused; in its last block it is good."""
    v = village()
    for expiry, expected in ((7, []), (6, [("CC-EXPIRED", 7)])):
        gift = sign([records.Donation("N-1", 0, 100)], [seeded_key("platform")], v.identity, v.blocks(), expiry=expiry)
        assert codes(appended(v, gift)) == expected


# ------------------------------------------------------------------------------------------------- what was signed


def test_record_changed_under_the_signature() -> None:
    """A smaller amount in an expenditure than its author signed is found."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "X-2")
    statement = parts[height].statements[number]
    record = only(statement)
    assert isinstance(record, records.Expenditure)
    changed = records.encode_record(replace(record, amount=record.amount - 1))
    change_statement(parts, height, number, replace(statement, record_bytes=(changed,)))
    assert codes(reseal(parts, v.key_of)) == [("CC-RECORDS-ROOT", height)]


def test_record_and_header_changed_together() -> None:
    """A header that commits to the changed record is not the one that was signed."""
    v = village()
    parts = v.blocks()
    height, number = find(parts, "X-2")
    statement = parts[height].statements[number]
    record = only(statement)
    assert isinstance(record, records.Expenditure)
    honest = sign([replace(record, payee="Me")], [seeded_key("school")], v.identity, parts[:LAST])
    change_statement(parts, height, number, replace(honest, signatures=statement.signatures))
    assert codes(reseal(parts, v.key_of)) == [("CC-SIGNATURE", height)]


def test_records_added_dropped_and_exchanged() -> None:
    """One record more, one less, or two in the other order are not what was signed."""
    v = village()
    made = [records.Donation("N-1", 0, 1), records.Donation("N-2", 1, 2)]
    statement = sign(made, [seeded_key("platform")], v.identity, v.blocks())
    first, second = statement.record_bytes
    third = records.encode_record(records.Donation("N-3", 1, 3))
    assert codes(appended(v, statement)) == []
    for kept in ((first,), (second, first), (first, second, third), ()):
        assert ("CC-RECORDS-ROOT", 7) in codes(appended(v, replace(statement, record_bytes=kept)))


def test_gift_columns_changed() -> None:
    """Columns that are not those that the record commits to are found, whatever is resealed around them."""
    v = village()
    parts = v.blocks()
    height, number = find_gifts(parts)
    statement = parts[height].statements[number]
    (columns,) = statement.columns
    last, first = columns[:-1] + bytes([columns[-1] ^ 1]), bytes([columns[0] ^ 8]) + columns[1:]
    for changed in (last, first, columns[:-32], columns * 2):
        change_statement(parts, height, number, replace(statement, columns=(changed,)))
        found = codes(reseal(parts, v.key_of))
        assert {code for code, block in found if block == height} & {"CC-GIFTS-ROOT", "CC-GIFTS"}, changed


def test_gift_columns_added_and_dropped() -> None:
    """Columns that no record commits to, and a record without its columns, are found."""
    v = village()
    parts = v.blocks()
    height, number = find_gifts(parts)
    statement = parts[height].statements[number]
    change_statement(parts, height, number, replace(statement, columns=(*statement.columns, b"more")))
    assert ("CC-GIFTS-ROOT", height) in codes(reseal(parts, v.key_of))
    change_statement(parts, height, number, replace(statement, columns=()))
    assert ("CC-GIFTS", height) in codes(reseal(parts, v.key_of))


def find_gifts(parts: list[Block]) -> tuple[int, int]:
    for height, block in enumerate(parts):
        for number, statement in enumerate(block.statements):
            if statement.columns:
                return height, number
    raise LookupError("gifts")


def test_statement_of_a_replaced_key() -> None:
    """A key that its party has replaced speaks no more from the next block on; in the same block it still does."""
    v = village()
    old, new = seeded_key("platform"), seeded_key("platform", 7)
    proof = new.sign(possession_message(v.identity, "platform", new.public_key))
    change = records.KeyChange("platform", new.public_key, proof, keys.key_id(old.public_key))
    parts = v.blocks()
    rotated = sign([change], [old], v.identity, parts)
    same_block = sign(
        [records.Donation("N-1", 0, 1)], [old], v.identity, parts,
        sequence=rotated.header.sequence + 1, previous=rotated.id,
    )  # fmt: skip
    parts.append(replace(parts[-1], statements=(rotated, same_block)))
    parts = reseal(parts, v.key_of)
    assert codes(parts) == []
    late = sign([records.Donation("N-2", 0, 1)], [old], v.identity, parts)
    parts.append(replace(parts[-1], statements=(late,)))
    assert ("CC-UNKNOWN-KEY", 8) in codes(reseal(parts, v.key_of))
