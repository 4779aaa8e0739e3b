"""Rules that an operator lets a record break: each is listed by its code, in the block and record that break it.

The statements here are truly signed by the parties that they name, and the operator seals them with movements and
roots that fit. So the rule alone is broken, and its fault is the only one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from golden.builder import seeded_key

from charitychain import columns, keys, merkle, records
from charitychain.chain.statements import RECORDS, record_hash
from charitychain.records import (
    Account,
    Conversion,
    Disbursement,
    Donation,
    Expenditure,
    Gifts,
    KeyChange,
    Party,
    Received,
    Record,
    Refund,
    Reversal,
    Sent,
    UnitRecord,
)
from charitychain.state.parties import possession_message
from tamper.forge import header_changed, reseal, sign
from tamper.ledgers import checked, codes, village

# Accounts of the village by number, with what they hold.
EDU, BOOKS, RUN, STEPS, YEN = range(5)
FEW, ALL = b"\x00" * 32, 2**63 - 1
OTHER = b"\x0e" * 32


def broken(made: list[Record], *signers: str, column: bytes | None = None) -> list[tuple[str, int | None]]:
    """Return the faults of the village with one more block, in which `signers` truly sign `made`."""
    v = village()
    parts = v.blocks()
    statement = sign(
        made, [seeded_key(name) for name in signers], v.identity, parts, columns=() if column is None else (column,)
    )
    parts.append(replace(parts[-1], statements=(statement,)))
    return codes(reseal(parts, v.key_of))


def party(name: str, number: int = 0, roles: tuple[str, ...] = ("charity",), *, proven_for: str | None = None) -> Party:
    key = seeded_key(name, number)
    proof = key.sign(possession_message(village().identity, proven_for or name, key.public_key))
    return Party(name, roles, key.public_key, proof)


def key_change(name: str, key: str, number: int, replaces: bytes | None = None) -> KeyChange:
    new = seeded_key(key, number)
    proof = new.sign(possession_message(village().identity, name, new.public_key))
    return KeyChange(name, new.public_key, proof, replaces)


def received(id_: str, amount: int, *spans: tuple[int, int], account: int = EDU, ledger: bytes = OTHER) -> Received:
    return Received(id_, account, amount, ledger, None, (1, FEW), (0, 0), spans)


def gifts(*, previous: int | None, ids: list[int], amounts: list[int], series: str = "s") -> tuple[Gifts, bytes]:
    data, root = columns.pack_columns(ids, amounts)
    return Gifts(series, EDU, previous, len(ids), root.sum, root.low, root.high, 32, root.hash), data


HONEST: list[tuple[list[Record], tuple[str, ...]]] = [
    ([Expenditure("N", EDU, 100)], ("self",)),
    ([Disbursement("N", EDU, RUN, 100)], ("self",)),
    ([Conversion("N", STEPS, 1, RUN, 1, BOOKS)], ("self", "sponsor", "school")),
    ([Reversal("N", "X-1", 300)], ("school",)),
    ([Refund("N", "D-6")], ("self",)),
    ([party("clinic")], ("self",)),
    ([key_change("school", "school", 1)], ("school",)),
    ([UnitRecord("N", 2), Account("N-2", 5, "N")], ("self",)),
    ([Account("N", 5, "EUR", owner="school")], ("self", "school")),
    ([Sent("N", EDU, 580, OTHER)], ("self",)),
    ([received("N", 9, (0, 9)), received("N-2", 3, (9, 1), (20, 2))], ("self",)),
    ([received("N", 9, (0, 9)), Expenditure("N-2", EDU, 1, gift="N"), Refund("N-3", "N")], ("self",)),
]


@pytest.mark.parametrize(("made", "signers"), HONEST)
def test_what_keeps_the_rules_holds(made: list[Record], signers: tuple[str, ...]) -> None:
    """The neighbours of the forgeries below are accepted, so those fail for the one rule that they break."""
    assert broken(made, *signers) == []


BROKEN: list[tuple[str, str, list[Record], tuple[str, ...]]] = [
    # Value that is not there.
    ("overdraft by expenditure", "CC-OVERDRAFT", [Expenditure("N", EDU, 10_000)], ("self",)),
    ("overdraft by one", "CC-OVERDRAFT", [Expenditure("N", EDU, 581)], ("self",)),
    ("overdraft by disbursement", "CC-OVERDRAFT", [Disbursement("N", EDU, RUN, 10_000)], ("self",)),
    ("overdraft by conversion", "CC-OVERDRAFT", [Conversion("N", YEN, 301, EDU, 1)], ("self",)),
    ("overdraft of the funding account", "CC-OVERDRAFT", [Conversion("N", STEPS, 1, BOOKS, 451, RUN)],
     ("self", "school", "sponsor")),
    ("total beyond 2^63", "CC-TOTAL", [Donation("N", EDU, ALL)], ("platform",)),
    # Ids of every kind share one space.
    ("donation twice", "CC-DUPLICATE-ID", [Donation("D-1", EDU, 1)], ("platform",)),
    ("donation twice in one statement", "CC-DUPLICATE-ID", [Donation("N", EDU, 1), Donation("N", EDU, 1)],
     ("platform",)),
    ("expenditure with the id of a donation", "CC-DUPLICATE-ID", [Expenditure("D-1", EDU, 1)], ("self",)),
    ("donation with the id of an account", "CC-DUPLICATE-ID", [Donation("edu", EDU, 1)], ("platform",)),
    ("donation with the id of a party", "CC-DUPLICATE-ID", [Donation("school", EDU, 1)], ("platform",)),
    ("donation with the id of a series", "CC-DUPLICATE-ID", [Donation("s", EDU, 1)], ("platform",)),
    ("donation with the id of a unit", "CC-DUPLICATE-ID", [Donation("CNY", EDU, 1)], ("platform",)),
    ("account with the id of a disbursement", "CC-DUPLICATE-ID", [Account("B-1", 5, "CNY")], ("self",)),
    ("unit that every ledger has", "CC-DUPLICATE-ID", [UnitRecord("EUR", 2)], ("self",)),
    ("a second party self", "CC-DUPLICATE-ID", [party("self", 9)], ("self",)),
    # Parties, keys, roles.
    ("key of an unknown party", "CC-UNKNOWN-PARTY", [key_change("ghost", "school", 1)], ("school",)),
    ("account of an unknown party", "CC-UNKNOWN-PARTY", [Account("N", 5, "CNY", owner="ghost")], ("self",)),
    ("key of another party", "CC-AUTHOR", [key_change("school", "self", 9)], ("self",)),
    ("key used twice", "CC-KEY-USED", [key_change("school", "sponsor", 0)], ("school",)),
    ("key that its holder did not prove", "CC-POSSESSION", [party("clinic", proven_for="other")], ("self",)),
    ("replacing a key that it has not", "CC-UNKNOWN-KEY", [key_change("school", "school", 1, FEW)], ("school",)),
    ("party admitted by another", "CC-ROLE", [party("clinic")], ("school",)),
    ("a second operator", "CC-ROLE", [party("clinic", roles=("operator",))], ("self",)),
    ("unit declared by another", "CC-ROLE", [UnitRecord("N", 0)], ("school",)),
    ("account of a platform", "CC-ROLE", [Account("N", 5, "CNY")], ("platform",)),
    ("donation taken in by a charity", "CC-ROLE", [Donation("N", EDU, 1)], ("school",)),
    ("account without its owner's signature", "CC-AUTHOR", [Account("N", 5, "CNY", owner="school")], ("self",)),
    # Who may move what.
    ("expenditure of another's account", "CC-AUTHOR", [Expenditure("N", BOOKS, 1)], ("self",)),
    ("disbursement of another's account", "CC-AUTHOR", [Disbursement("N", BOOKS, EDU, 1)], ("self",)),
    ("conversion without the target's owner", "CC-AUTHOR", [Conversion("N", YEN, 1, BOOKS, 1)], ("self",)),
    ("conversion without the paying owner", "CC-AUTHOR", [Conversion("N", STEPS, 1, BOOKS, 1, RUN)],
     ("self", "school")),
    ("refund from another's account", "CC-AUTHOR", [Refund("N", "D-1", BOOKS, 1)], ("self",)),
    ("reversal of another's expenditure", "CC-AUTHOR", [Reversal("N", "X-1", 1)], ("self",)),
    # Accounts and units.
    ("unknown account", "CC-UNKNOWN-ACCOUNT", [Expenditure("N", 5, 1)], ("self",)),
    ("account number left out", "CC-ACCOUNT-NUMBER", [Account("N", 6, "CNY")], ("self",)),
    ("account number used twice", "CC-ACCOUNT-NUMBER", [Account("N", 4, "CNY")], ("self",)),
    ("unknown unit", "CC-UNIT", [Account("N", 5, "XYZ")], ("self",)),
    ("disbursement into another unit", "CC-UNIT", [Disbursement("N", EDU, YEN, 1)], ("self",)),
    ("funding in another unit", "CC-UNIT", [Conversion("N", STEPS, 1, YEN, 1, EDU)], ("self",)),
    ("account paying itself", "CC-SELF", [Disbursement("N", EDU, EDU, 1)], ("self",)),
    ("conversion funded by its target", "CC-SELF", [Conversion("N", STEPS, 1, EDU, 1, EDU)], ("self",)),
    ("conversion that mints money", "CC-CONVERSION", [Conversion("N", STEPS, 1, EDU, 1)], ("self",)),
    ("conversion into the same unit", "CC-CONVERSION", [Conversion("N", EDU, 1, BOOKS, 2)], ("self", "school")),
    # Naming, refunds, reversals.
    ("unknown gift named", "CC-UNKNOWN-GIFT", [Expenditure("N", EDU, 1, gift="ghost")], ("self",)),
    ("named gift that is used up", "CC-NAMED", [Disbursement("N", EDU, RUN, 301, gift="D-1")], ("self",)),
    ("refund of more than is left", "CC-REFUND", [Refund("N", "D-6", None, 101)], ("self",)),
    ("refund twice", "CC-REFUND", [Refund("N", "D-6"), Refund("N-2", "D-6")], ("self",)),
    ("refund of an unknown gift", "CC-UNKNOWN-GIFT", [Refund("N", "ghost")], ("self",)),
    ("reversal of more than was spent", "CC-REVERSAL", [Reversal("N", "X-1", 301)], ("school",)),
    ("second reversal beyond what is left", "CC-REVERSAL", [Reversal("N", "X-1", 200), Reversal("N-2", "X-1", 101)],
     ("school",)),
    ("second reversal of everything", "CC-REVERSAL", [Reversal("N", "X-1"), Reversal("N-2", "X-1")], ("school",)),
    ("reversal of an account", "CC-REVERSAL", [Reversal("N", "edu")], ("school",)),
    # From ledger to ledger.
    ("sent beyond what is there", "CC-OVERDRAFT", [Sent("N", EDU, 581, OTHER)], ("self",)),
    ("sent out of another's account", "CC-AUTHOR", [Sent("N", BOOKS, 1, OTHER)], ("self",)),
    ("sent to this ledger", "CC-SELF", [Sent("N", EDU, 1, village().identity)], ("self",)),
    ("sent out of a gift that is used up", "CC-NAMED", [Sent("N", EDU, 301, OTHER, None, "D-1")], ("self",)),
    ("received into another's account", "CC-AUTHOR", [received("N", 1, (0, 1))], ("school",)),
    ("received by an intake", "CC-AUTHOR", [received("N", 1, (0, 1))], ("platform",)),
    ("received from this ledger", "CC-SELF", [received("N", 1, (0, 1), ledger=village().identity)], ("self",)),
    ("more received than its spans", "CC-RECEIVED", [received("N", 2, (0, 1))], ("self",)),
    ("received twice", "CC-RECEIVED-TWICE", [received("N", 9, (0, 9)), received("N-2", 1, (8, 1))], ("self",)),
    ("received twice within a later span", "CC-RECEIVED-TWICE",
     [received("N", 1, (5, 1)), received("N-2", 8, (0, 1), (2, 7))], ("self",)),
    ("total received beyond 2^63", "CC-TOTAL", [received("N", ALL, (0, ALL))], ("self",)),
    ("reversal of somebody else's gift", "CC-AUTHOR", [Reversal("N", "D-1")], ("school",)),
]  # fmt: skip


@pytest.mark.parametrize(("code", "made", "signers"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_broken_rule_is_listed(code: str, made: list[Record], signers: tuple[str, ...]) -> None:
    """Verify lists the rule that was broken, and nothing else."""
    assert broken(made, *signers) == [(code, 7)]


@pytest.mark.parametrize(
    ("code", "previous", "ids", "author"),
    [
        ("CC-SERIES", None, [3], "platform"),
        ("CC-SERIES", 1, [3], "platform"),
        ("CC-SERIES", 2, [2, 3], "platform"),
        ("CC-SERIES", 2, [3], "self"),
    ],
    ids=["opened again", "goes on elsewhere", "a gift twice", "of another party"],
)
def test_broken_series_is_listed(code: str, previous: int | None, ids: list[int], author: str) -> None:
    """A series goes on after its last gift, by the party that opened it."""
    record, data = gifts(previous=previous, ids=ids, amounts=[5] * len(ids))
    assert broken([record], author, column=data) == [(code, 7)]


def test_series_with_a_taken_id_is_listed() -> None:
    """A new series cannot take the id of another record."""
    record, data = gifts(previous=None, ids=[1], amounts=[5], series="D-1")
    assert broken([record], "platform", column=data) == [("CC-DUPLICATE-ID", 7)]


def test_honest_continuation_of_a_series_holds() -> None:
    """The neighbour of the broken series is accepted."""
    record, data = gifts(previous=2, ids=[3, 9], amounts=[5, 6])
    assert broken([record], "platform", column=data) == []


def test_record_of_an_unknown_kind_is_listed() -> None:
    """A record of a kind that this version does not know is refused, not skipped."""
    v = village()
    parts = v.blocks()
    statement = sign([Donation("N", EDU, 1)], [seeded_key("platform")], v.identity, parts)
    data = records.encode_record(Donation("N", EDU, 1))
    odd = bytes([data[0], 0x7D]) + data[2:]
    tree = merkle.root(RECORDS, [record_hash(odd)])
    statement = header_changed(statement, root=tree)
    message = keys.signed_message("statement", v.identity, statement.header_bytes)
    signed = ((statement.header.author, seeded_key("platform").sign(message)),)
    statement = replace(statement, signatures=signed)
    parts.append(replace(parts[-1], statements=(replace(statement, record_bytes=(odd,)),)))
    assert codes(reseal(parts, v.key_of)) == [("CC-KIND", 7)]


def test_two_broken_rules_in_one_statement_are_both_listed() -> None:
    """A fault in a record does not hide the next one, and each names its record."""
    v = village()
    parts = v.blocks()
    made: list[Record] = [Expenditure("N", EDU, ALL), Expenditure("N-1", EDU, 1), Disbursement("N-2", EDU, EDU, 1)]
    parts.append(replace(parts[-1], statements=(sign(made, [seeded_key("self")], v.identity, parts),)))
    found = checked(reseal(parts, v.key_of)).faults
    assert [(f.code, f.block, f.statement, f.record) for f in found] == [
        ("CC-OVERDRAFT", 7, 0, 0),
        ("CC-SELF", 7, 0, 2),
    ]


def test_operator_that_books_the_broken_record_is_found_all_the_same() -> None:
    """Movements and roots that count an overdraft as if it were good change nothing: the rule is still listed."""
    v = village()
    good = v.blocks()
    amount = 500
    made = sign([Expenditure("N", EDU, amount)], [seeded_key("self")], v.identity, good)
    good.append(replace(good[-1], statements=(made,)))
    booked = reseal(good, v.key_of)[-1]
    bad = v.blocks()
    forged = sign([Expenditure("N", EDU, 10_000)], [seeded_key("self")], v.identity, bad)
    forged = replace(forged, moves=booked.statements[0].moves)
    bad.append(replace(booked, statements=(forged,)))
    found = codes(reseal(bad, v.key_of, roots=False))
    assert ("CC-OVERDRAFT", 7) in found and ("CC-MOVES", 7) in found and ("CC-ACCOUNTS-ROOT", 7) in found
