"""Promises: no bit of one can be changed, and who may give one goes by position in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charitychain import codec, keys
from charitychain.errors import CharitychainError, MalformedError, RefusedError, UnreadableError, VerificationError
from charitychain.keys import PrivateKey
from charitychain.ledger import Ledger
from charitychain.note import Checkpoint, sign_checkpoint
from charitychain.promised import PromiseState, check_promise, judge, make
from charitychain.promises import Evidence, Promise, parse_evidence, parse_promise

KEY = PrivateKey.from_seed(bytes(32))
OTHER = PrivateKey.from_seed(bytes([1]) * 32)
PROMISE = Promise(
    bytes(range(32)), "relief.example/2026", "clinic", KEY.public_key, 3, bytes(32), "D-1", 0, "fund", "EUR", 2500,
    None, 1767139200, 9,
).sign(KEY)  # fmt: skip
NOW = 1_767_139_200


def packed(value: list[codec.Value], key: PrivateKey = KEY) -> bytes:
    """Return fields as a promise whose signature fits them, as somebody with a key could make it."""
    message = keys.signed_message("promise", bytes(range(32)), codec.encode(value))
    return codec.encode([*value, key.sign(message)])


FIELDS: list[codec.Value] = [
    1, bytes(range(32)), "relief.example/2026", "clinic", KEY.public_key, 3, bytes(32), "D-1", 0, "fund", "EUR", 2500,
    None, NOW, 9,
]  # fmt: skip


def test_the_bytes_are_the_contract() -> None:
    """The order of the fields, and what is signed, are written out here once more."""
    assert PROMISE.pack() == packed(FIELDS)
    assert parse_promise(packed(FIELDS)) == PROMISE


@given(
    st.binary(min_size=32, max_size=32), st.from_regex(r"[A-Za-z0-9]{1,20}(/(0|[1-9][0-9]{0,17}))?", fullmatch=True),
    st.integers(1, 2**63 - 1), st.none() | st.binary(min_size=16, max_size=16), st.integers(0, 2**63 - 1),
)  # fmt: skip
def test_parsing_undoes_packing(identity: bytes, gift: str, amount: int, donor: bytes | None, made: int) -> None:
    """Whatever may be promised comes back as it was."""
    promise = replace(PROMISE, identity=identity, gift=gift, amount=amount, donor=donor, made=made).sign(KEY)
    assert parse_promise(promise.pack()) == promise
    evidence = Evidence(promise, sign_checkpoint(Checkpoint("relief.example/2026", 12, bytes(32)), OTHER))
    assert parse_evidence(evidence.pack()) == evidence


def test_every_flipped_bit_is_refused() -> None:
    """No bit of a promise can be changed, added or cut off."""
    data = PROMISE.pack()
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(CharitychainError):
            parse_promise(bytes(flipped))
    for at in range(len(data)):
        with pytest.raises(CharitychainError):
            parse_promise(data[:at])
    with pytest.raises(CharitychainError):
        parse_promise(data + b"\x00")


@pytest.mark.parametrize("name", [field.name for field in fields(Promise) if field.name != "signature"])
def test_the_signature_covers_every_field(name: str) -> None:
    """One field exchanged for another valid one, and the signature no longer fits."""
    other = Promise(
        bytes(32), "other.example", "board", OTHER.public_key, 4, b"\x01" * 32, "D-2", 1, "food", "USD", 2501,
        b"\x01" * 16, NOW + 1, 10,
    )  # fmt: skip
    with pytest.raises(VerificationError, match="signature"):
        parse_promise(replace(PROMISE, **{name: getattr(other, name)}).pack())


def test_a_signature_for_another_purpose_is_none() -> None:
    """What a key signed as a statement is never taken for a promise."""
    message = keys.signed_message("statement", bytes(range(32)), codec.encode(FIELDS))
    with pytest.raises(VerificationError, match="signature"):
        parse_promise(codec.encode([*FIELDS, KEY.sign(message)]))


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        (0, 0, "CC-PROMISE"), (0, None, "CC-PROMISE"), (0, 2, "CC-VERSION"), (1, bytes(31), "CC-PROMISE"),
        (2, "no origin", "CC-ORIGIN"), (3, "a b", "CC-ID"), (4, bytes(33), "CC-KEY"), (5, 0, "CC-PROMISE"),
        (5, 10, "CC-PROMISE"), (6, bytes(33), "CC-PROMISE"), (7, "S/01", "CC-ID"), (7, "S/", "CC-ID"),
        (7, "S/9223372036854775808", "CC-ID"), (7, "S/١", "CC-ID"), (7, "a/1/1", "CC-ID"), (7, 7, "CC-PROMISE"),
        (8, -1, "CC-PROMISE"), (9, "", "CC-ID"), (10, "E\nR", "CC-TEXT"), (11, 0, "CC-PROMISE"),
        (11, -5, "CC-PROMISE"), (12, b"", "CC-PROMISE"), (12, "x", "CC-PROMISE"), (13, -1, "CC-PROMISE"),
        (14, 2, "CC-PROMISE"), (14, None, "CC-PROMISE"),
    ],
)  # fmt: skip
def test_a_field_of_the_wrong_form_is_told(at: int, value: codec.Value, code: str) -> None:
    """Also where its signature fits, since whoever has a key may sign anything."""
    with pytest.raises((MalformedError, UnreadableError)) as refused:
        parse_promise(packed([*FIELDS[:at], value, *FIELDS[at + 1 :]]))
    assert refused.value.code == code


@pytest.mark.parametrize("data", [b"", b"\x90", b"\xc0", b"\x01", codec.encode(["x"]), codec.encode([1]), b"\xff" * 9])
def test_what_is_no_promise_is_told(data: bytes) -> None:
    """Noise is malformed, as promise and as evidence."""
    for parse in (parse_promise, parse_evidence):
        with pytest.raises(MalformedError):
            parse(data)


def test_every_flipped_bit_of_evidence_is_seen() -> None:
    """In the promise it is refused; in the checkpoint it is refused or leaves another note than was signed."""
    note = sign_checkpoint(Checkpoint("relief.example/2026", 12, bytes(32)), OTHER)
    data = Evidence(PROMISE, note).pack()
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        try:
            read = parse_evidence(bytes(flipped))
        except CharitychainError:
            continue
        assert read.promise == PROMISE and read.checkpoint != note


def test_another_key_does_not_sign_for_it() -> None:
    """A promise is signed by the key that it names, or not at all."""
    with pytest.raises(ValueError, match="another key"):
        PROMISE.sign(OTHER)


# --------------------------------------------------------------------------------------------------- at a ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Give a ledger of three blocks: the clinic owns the fund, the desk is an intake, the board neither."""
    made = Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys")
    with made.writer() as writer:
        writer.party("clinic", roles=["charity"])
        writer.party("desk", roles=["intake"])
        writer.party("board", roles=["auditor"])
        writer.commit()
        writer.account("fund", unit="EUR", owner="clinic")
    return made


def promised(ledger: Ledger, gift: str = "D-1", *, within: int = 2, **more: Any) -> Promise:
    return make(
        ledger.reader(), ledger.at_hand, gift=gift, amount="25", account="fund", within=within, made=NOW, **more
    )


def grow(ledger: Ledger, number: int = 1) -> None:
    for _ in range(number):
        with ledger.writer() as writer:
            writer.donation(f"D-of-block-{ledger.reader().head.height + 1}", account="fund", amount="1")


def test_owner_and_intake_may_promise_and_nobody_else(ledger: Ledger) -> None:
    """As in the ledger itself: who may record the gift may promise it."""
    owner, desk = promised(ledger), promised(ledger, author="desk")
    assert (owner.party, owner.seen_size, owner.deadline, owner.amount) == ("clinic", 3, 4, 2500)
    assert desk.party == "desk" and desk.key != owner.key
    for promise in (owner, desk):
        assert judge(ledger.reader(), promise).state is PromiseState.OPEN
    with pytest.raises(RefusedError, match="neither owns"):
        promised(ledger, author="board")


def signed_by(ledger: Ledger, party: str, promise: Promise) -> Promise:
    entry = next(entry for entry in ledger.keyring.list() if entry.party == party)
    return replace(promise, key=entry.public_key).sign(ledger.keyring.load(entry))


@pytest.mark.parametrize(
    "change",
    [
        lambda ledger, one: signed_by(ledger, "board", replace(one, party="board")),
        lambda ledger, one: signed_by(ledger, "desk", one),
        lambda ledger, one: replace(one, key=KEY.public_key).sign(KEY),
        lambda ledger, one: signed_by(ledger, "clinic", replace(one, party="nobody")),
        lambda ledger, one: signed_by(ledger, "clinic", replace(one, seen_size=1, seen=hash_of(ledger, 0))),
        lambda ledger, one: signed_by(ledger, "clinic", replace(one, account=1)),
        lambda ledger, one: signed_by(ledger, "clinic", replace(one, account_id="food")),
        lambda ledger, one: signed_by(ledger, "clinic", replace(one, unit="USD")),
    ],
    ids=["auditor", "other-party", "unknown-key", "unknown-party", "too-early", "no-account", "other-name", "unit"],
)
def test_what_binds_nobody_is_told(ledger: Ledger, change: Callable[[Ledger, Promise], Promise]) -> None:
    """A signature that fits is not enough: key, party and account must be so in this ledger at that height."""
    promise = parse_promise(change(ledger, promised(ledger)).pack())
    with pytest.raises(VerificationError) as bad:
        judge(ledger.reader(), promise)
    assert bad.value.code == "CC-PROMISE"


def hash_of(ledger: Ledger, height: int) -> bytes:
    return ledger.reader().checked_block(height).header.hash()


def test_a_promise_on_another_history_is_told(ledger: Ledger) -> None:
    """Whoever promised was shown another block than this copy holds: a fork, and no word on the gift."""
    promise = signed_by(ledger, "clinic", replace(promised(ledger), seen=bytes(32)))
    with pytest.raises(VerificationError) as bad:
        check_promise(ledger.reader(), promise)
    assert bad.value.code == "CC-SEEN"


def test_another_ledgers_promise_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    """Also one of the same name, and also where that copy is shorter."""
    twin = Ledger.create(tmp_path / "b.ledger", origin="a.example", keys=tmp_path / "keys")
    with pytest.raises(RefusedError, match=r"for the ledger a\.example"):
        judge(twin.reader(), promised(ledger))


def test_the_deadline_is_the_last_block_in_which_the_gift_may_come(ledger: Ledger) -> None:
    """Open below it, kept in it, late behind it, and broken at it and after it."""
    kept, late = promised(ledger, "D-kept"), promised(ledger, "D-late")
    assert kept.deadline == 4
    grow(ledger)
    assert judge(ledger.reader(), kept).state is PromiseState.OPEN
    with ledger.writer() as writer:
        writer.donation("D-kept", account="fund", amount="25", author="desk")
    reader = ledger.reader()
    assert reader.head.height == 4
    assert (judge(reader, kept).state, judge(reader, kept).block) == (PromiseState.KEPT, 4)
    assert (judge(reader, late).state, judge(reader, late).block) == (PromiseState.BROKEN, None)
    with ledger.writer() as writer:
        writer.donation("D-late", account="fund", amount="25")
    reader = ledger.reader()
    assert judge(reader, late).state is PromiseState.LATE
    assert [judge(reader, late, height).state.value for height in (1, 2, 3, 4, 5)] == [
        "unknown", "open", "open", "broken", "late",
    ]  # fmt: skip
    assert [judge(reader, kept, height).state.value for height in (3, 4, 5)] == ["open", "kept", "kept"]


def test_a_promise_outlives_its_key_and_a_stolen_one_is_disputed(ledger: Ledger) -> None:
    """A replaced key bound its party when it acted; after its end it binds nobody; declared stolen, it is disputed."""
    promise = promised(ledger, within=1)
    old = keys.key_id(promise.key)
    with ledger.writer() as writer:
        writer.rotate_key("clinic")
    grow(ledger)
    reader = ledger.reader()
    verdict = judge(reader, promise)
    assert (verdict.state, verdict.disputed) == (PromiseState.BROKEN, False)
    after = replace(promise, seen_size=5, seen=hash_of(ledger, 4), deadline=9)
    with pytest.raises(VerificationError, match="did not act"):
        judge(reader, signed_by_key(ledger, promise.key, after))
    party = reader.state.party("clinic")
    party.mark_compromised(old, 3)
    verdict = judge(reader, promise)
    assert (verdict.state, verdict.disputed) == (PromiseState.BROKEN, True)
    party.mark_compromised(old, 4)
    assert not judge(reader, promise).disputed


def signed_by_key(ledger: Ledger, public: bytes, promise: Promise) -> Promise:
    return replace(promise, key=public).sign(ledger.at_hand.private(public))


def test_an_account_that_changed_hands_leaves_promises_binding(ledger: Ledger) -> None:
    """Who owned the account at the making may have promised; who owned it only later may not."""
    with ledger.writer() as writer:
        writer.party("hospital", roles=["charity"])
    before = promised(ledger)
    with ledger.writer() as writer:
        writer.account_change("C-1", account="fund", owner="hospital")
    assert ledger.reader().state.parties[ledger.reader().state.account_named("fund").owner].id == "hospital"
    assert judge(ledger.reader(), before).state is PromiseState.OPEN
    after = promised(ledger)
    assert after.party == "hospital" and judge(ledger.reader(), after).state is PromiseState.OPEN
    too_early = replace(after, seen_size=before.seen_size, seen=before.seen)
    with pytest.raises(VerificationError, match="neither owned"):
        judge(ledger.reader(), signed_by_key(ledger, after.key, too_early))
    too_late = replace(before, seen_size=after.seen_size, seen=after.seen, deadline=9)
    with pytest.raises(VerificationError, match="neither owned"):
        judge(ledger.reader(), signed_by_key(ledger, before.key, too_late))


def test_who_cannot_record_now_cannot_promise(ledger: Ledger) -> None:
    """A closed account, a suspended party, and one that speaks with several keys are told."""
    with ledger.writer() as writer:
        writer.account_change("C-1", account="fund", closed=True)
    with pytest.raises(RefusedError) as closed:
        promised(ledger)
    assert closed.value.code == "CC-CLOSED"
    reader = ledger.reader()
    desk = reader.state.party("desk")
    desk.suspended = True
    with pytest.raises(RefusedError) as suspended:
        promised(ledger, author="desk")
    assert suspended.value.code == "CC-SUSPENDED"
    desk.suspended, desk.threshold = False, 2
    with pytest.raises(RefusedError) as several:
        promised(ledger, author="desk")
    assert several.value.code == "CC-THRESHOLD"


def test_series_promises_follow_the_series_of_their_party(ledger: Ledger) -> None:
    """A number that a series passed, and a series of another party, cannot be promised."""
    with ledger.writer() as writer:
        writer.gifts("S", account="fund", ids=[5], amounts=["1"], author="desk")
    assert promised(ledger, "S/6", author="desk").gift == "S/6"
    for gift, author in (("S/5", "desk"), ("S/6", "clinic")):
        with pytest.raises(RefusedError) as refused:
            promised(ledger, gift, author=author)
        assert refused.value.code == "CC-SERIES"
