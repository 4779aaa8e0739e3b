"""Keys lost, stolen and shared: recovery keys, thresholds, suspension, compromised spans; and owners that change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charitychain.errors import CharitychainError, KeyAccessError, RefusedError, VerificationError
from charitychain.keys import key_id
from charitychain.ledger import Ledger
from charitychain.records import encode_record
from charitychain.writer import Writer

Entry = dict[str, Any]
USE = {"payee": "P", "purpose": "q"}


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Ledger]:
    """Give a ledger in which the party `clinic` owns `ward`, which holds 10.00 CNY, and `board` stands by.

    `self` and `clinic` have recovery keys. Blocks: 1 and 2 parties, 3 recovery keys, 4 accounts and a gift.
    """
    with Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys") as ledger:
        for party, roles in (("clinic", ["charity"]), ("board", ["auditor", "charity"])):
            add(ledger, {"record": "party", "id": party, "roles": roles, "key": made(ledger, party)})
        add(ledger, control("K-1", "self", recovery=made(ledger, "self-spare")),
            control("K-2", "clinic", recovery=made(ledger, "clinic-spare")))  # fmt: skip
        add(ledger, {"record": "account", "id": "fund", "unit": "CNY"},
            {"record": "account", "id": "ward", "unit": "CNY", "owner": "clinic"},
            {"record": "donation", "id": "D-1", "account": "ward", "amount": "10", "author": "self"})  # fmt: skip
        yield ledger


def add(ledger: Ledger, *entries: Entry) -> int:
    """Record entries in one block; return its height."""
    with ledger.writer() as writer:
        for entry in entries:
            assert writer.add(entry)
        return writer.commit().height


def made(ledger: Ledger, name: str) -> str:
    """Make a key file and return its public key."""
    return ledger.keyring.create(ledger.origin, name, passphrase=None)[1].public_key.hex()


def public(ledger: Ledger, name: str) -> str:
    return next(entry.public_key.hex() for entry in ledger.keyring.list() if entry.party == name)


def id_of(key: str) -> str:
    return key_id(bytes.fromhex(key)).hex()


def lose(ledger: Ledger, name: str) -> None:
    """Lose a key file with its mark, and forget the key."""
    path = next(entry.path for entry in ledger.keyring.list() if entry.party == name)
    for suffix in (".key", ".pub", ".mark"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    ledger.at_hand.loaded.clear()


def control(id_: str, party: str, **fields: Any) -> Entry:
    return {"record": "control", "id": id_, "party": party, **fields}


def replaced(ledger: Ledger, party: str, old: str, name: str = "", **fields: Any) -> Entry:
    """Return the entry that replaces a key by a new one, whose file is called `name` (else the party and ``-new``)."""
    key = made(ledger, name or f"{party}-new")
    return {"record": "key", "party": party, "key": key, "replaces": id_of(old), **fields}


def spend(id_: str, amount: str = "1", **fields: Any) -> Entry:
    return {"record": "expenditure", "id": id_, "from": "ward", "amount": amount, **USE, **fields}


def gift(id_: str, **fields: Any) -> Entry:
    return {"record": "donation", "id": id_, "account": "fund", "amount": "1", **fields}


def refused(ledger: Ledger, code: str, *entries: Entry, kind: type[CharitychainError] = RefusedError) -> None:
    """Check that entries are refused with `code`, and that nothing of them is in the file."""
    before = ledger.path.read_bytes()
    with pytest.raises(kind) as caught, ledger.writer() as writer:
        for entry in entries:
            writer.add(entry)
    assert caught.value.code == code
    assert ledger.path.read_bytes() == before


# -------------------------------------------------------------------------------------------- recovery keys


def test_the_operator_goes_on_after_losing_its_key(shared: Ledger) -> None:
    """Without the operator's key its recovery key signs the new key and seals that block; then the new key seals."""
    old = public(shared, "self")
    lose(shared, "self")
    refused(shared, "CC-KEY-MISSING", gift("D-2"), kind=KeyAccessError)
    height = add(shared, replaced(shared, "self", old, by_recovery=True))
    add(shared, gift("D-2"))
    reader = shared.reader()
    assert reader.head.height == height + 1
    assert [key.until for key in reader.state.parties[0].keys] == [height + 1, None]
    assert shared.verify().holds and str(shared.balance("fund")) == "1.00"


def test_another_party_recovers_under_the_operators_seal(shared: Ledger) -> None:
    """A party whose key is gone replaces it by its recovery key, and what it owns is its own again."""
    old = public(shared, "clinic")
    lose(shared, "clinic")
    refused(shared, "CC-KEY-MISSING", spend("X-1"), kind=KeyAccessError)
    add(shared, replaced(shared, "clinic", old, by_recovery=True))
    add(shared, spend("X-1"))
    assert str(shared.balance("ward")) == "9.00" and shared.verify().holds


def test_a_new_key_acts_from_the_next_block_on(shared: Ledger) -> None:
    """In the block of the recovery it is still the old key that signs, and in the next one only the new key can."""
    old = public(shared, "clinic")
    height = add(shared, replaced(shared, "clinic", old, by_recovery=True), spend("X-0"))
    signers = [statement.header.author.hex() for statement in shared.reader().checked_block(height).statements]
    assert signers == [id_of(public(shared, "clinic-spare")), id_of(old)]
    refused(shared, "CC-UNKNOWN-KEY", replaced(shared, "clinic", old, "unused"))
    lose(shared, "clinic-new")
    refused(shared, "CC-KEY-MISSING", spend("X-1"), kind=KeyAccessError)


@pytest.mark.parametrize(
    "entry",
    [
        gift("D-2"),
        {"record": "account", "id": "more", "unit": "CNY"},
        {"record": "account-change", "id": "AC-1", "account": "fund", "title": "Mine"},
        {"record": "suspension", "id": "SU-1", "party": "board", "suspended": True},
        {"record": "unit", "id": "BRICK", "decimals": 0},
    ],
)
def test_a_recovery_key_signs_nothing_else(shared: Ledger, entry: Entry) -> None:
    """Gifts, accounts, units and suspensions under the operator's recovery key are refused, and so is its seal."""

    def by_recovery(writer: Writer) -> None:
        built = writer._build(entry)
        writer.core.record(built.record, built.author, by_recovery=True)

    before = shared.path.read_bytes()
    with pytest.raises(RefusedError) as caught, shared.writer() as writer:
        by_recovery(writer)
    assert caught.value.code == "CC-RECOVERY-KEY"
    assert shared.path.read_bytes() == before


def test_a_recovery_key_changes_no_other_partys_keys(shared: Ledger) -> None:
    """The clinic's recovery key cannot replace the board's key, nor say that it was stolen."""
    theirs = public(shared, "board")
    for entry in (
        replaced(shared, "board", theirs, by_recovery=True, author="clinic"),
        {"record": "key", "party": "board", "replaces": id_of(theirs), "compromised_since": 2, "by_recovery": True,
         "author": "clinic"},
        control("K-9", "board", threshold=1, by_recovery=True, author="clinic"),
    ):  # fmt: skip
        refused(shared, "CC-RECOVERY-KEY", entry)


def test_without_a_recovery_key_there_is_none_to_sign(shared: Ledger) -> None:
    """A party that never set one cannot recover."""
    refused(shared, "CC-RECOVERY-KEY", replaced(shared, "board", public(shared, "board"), by_recovery=True))


def test_a_thief_of_an_ordinary_key_cannot_take_the_recovery(shared: Ledger) -> None:
    """Whoever holds only the ordinary key can neither replace the recovery key nor mark a key as compromised."""
    old = public(shared, "clinic")
    refused(shared, "CC-RECOVERY-KEY", control("K-9", "clinic", recovery=made(shared, "thief")))
    refused(shared, "CC-RECOVERY-KEY", {"record": "key", "party": "clinic", "replaces": id_of(old),
                                        "compromised_since": 2})  # fmt: skip
    refused(shared, "CC-RECOVERY-KEY", replaced(shared, "clinic", old, compromised_since=2))
    # Even after the thief has replaced the ordinary key, the recovery key puts its owner back in.
    add(shared, replaced(shared, "clinic", old))
    thiefs = public(shared, "clinic-new")
    height = add(shared, gift("D-2"))
    add(shared, replaced(shared, "clinic", thiefs, "clinic-own", by_recovery=True, compromised_since=height))
    lose(shared, "clinic-own")
    refused(shared, "CC-KEY-MISSING", spend("X-1"), kind=KeyAccessError)
    assert shared.verify().holds


def test_a_recovery_key_is_replaced_by_itself_alone(shared: Ledger) -> None:
    """A new recovery key under the old one's signature acts from the next block on, and the old one no more."""
    spare = public(shared, "clinic-spare")
    add(shared, control("K-3", "clinic", recovery=made(shared, "clinic-spare-2"), by_recovery=True))
    party = shared.reader().state.party("clinic")
    assert [(key.key.hex() == spare, key.until) for key in party.recovery] == [(True, 6), (False, None)]
    lose(shared, "clinic-spare-2")
    refused(shared, "CC-KEY-MISSING", replaced(shared, "clinic", public(shared, "clinic"), by_recovery=True),
            kind=KeyAccessError)  # fmt: skip
    # It stays known for good, so it can never come back as an ordinary key.
    refused(shared, "CC-KEY-USED", {"record": "key", "party": "clinic", "key": spare})


def test_a_party_is_admitted_with_its_recovery_key(shared: Ledger) -> None:
    """A recovery key that came with the admission recovers; one without a proof of its own is refused."""
    entry = {"record": "party", "id": "late", "roles": ["charity"], "key": made(shared, "late")}
    same = {**entry, "recovery": entry["key"]}
    refused(shared, "CC-KEY-USED", same)
    wrong = {**entry, "recovery": made(shared, "late-spare"), "recovery_proof": "00" * 64}
    refused(shared, "CC-POSSESSION", wrong)
    add(shared, {**entry, "recovery": public(shared, "late-spare")})
    lose(shared, "late")
    add(shared, replaced(shared, "late", entry["key"], by_recovery=True))
    add(shared, {"record": "account", "id": "late-fund", "unit": "CNY", "owner": "late"})
    assert shared.verify().holds


def test_a_recovery_key_never_seals_two_histories(shared: Ledger, tmp_path: Path) -> None:
    """The block that the operator's recovery key sealed is remembered beside it: an older copy is refused."""
    old, copy = public(shared, "self"), tmp_path / "copy.ledger"
    lose(shared, "self")
    shutil.copy(shared.path, copy)
    add(shared, replaced(shared, "self", old, by_recovery=True))
    with Ledger.open(copy, keys=shared.keyring) as older:
        refused(older, "CC-OLDER", replaced(older, "self", old, by_recovery=True))


# ----------------------------------------------------------------------------------------------- thresholds


THREE = ("clinic", "clinic-2", "clinic-3")


@pytest.fixture
def three(shared: Ledger) -> Ledger:
    """Give the clinic three keys, of which two must sign; the next block is 7."""
    add(shared, *({"record": "key", "party": "clinic", "key": made(shared, name)} for name in THREE[1:]))
    add(shared, control("K-3", "clinic", threshold=2))
    return shared


def test_one_of_two_signatures_is_refused(three: Ledger) -> None:
    """A statement under one key of a party that asks for two says nothing, as author, owner or cosigner."""
    with pytest.raises(RefusedError) as caught, three.writer() as writer:
        one = writer.core.state.party("clinic").keys_at(7)[:1]
        built = writer._build(spend("X-1"))
        writer.core._open_statement(tuple(one))
        writer.core.state.apply(built.record, encode_record(built.record))
    assert caught.value.code == "CC-THRESHOLD"


def test_a_forged_draft_with_one_signature_is_refused(three: Ledger) -> None:
    """A statement whose header asks for one key only is refused when it is handed in."""
    from dataclasses import replace

    from charitychain.chain.statements import add_signature

    with three.writer(dry=True) as writer:
        draft = writer.draft([spend("X-1")])
    assert len(draft.header.signers) == 1
    header = replace(draft.header, signers=())
    alone = replace(draft, header=header, header_bytes=header.encode())
    author = next(e for e in three.keyring.list() if key_id(e.public_key) == draft.header.author)
    with pytest.raises(RefusedError) as caught, three.writer() as writer:
        writer.submit(add_signature(alone, three.keyring.load(author), three.identity))
    assert caught.value.code == "CC-THRESHOLD"


def test_any_two_of_three_keys_speak_for_the_party(three: Ledger) -> None:
    """Whichever of the three is away, the other two sign; with two away nothing can be said."""
    folder = three.keyring.directory
    files = [entry.path for entry in three.keyring.list() if entry.party in THREE]
    assert len(files) == 3
    for number, path in enumerate(files):
        path.rename(folder / "away")
        three.at_hand.loaded.clear()
        add(three, spend(f"X-{number}"))
        (folder / "away").rename(path)
    for path in files[:2]:
        path.unlink()
    three.at_hand.loaded.clear()
    refused(three, "CC-KEY-MISSING", spend("X-9"), kind=KeyAccessError)
    assert str(three.balance("ward")) == "7.00" and three.verify().holds


def test_a_threshold_cannot_exceed_the_keys(three: Ledger) -> None:
    """Four of three keys are refused, and it takes two keys to go back to one."""
    refused(three, "CC-THRESHOLD", control("K-9", "clinic", threshold=4))
    lose(three, "clinic")
    lose(three, "clinic-2")
    refused(three, "CC-KEY-MISSING", control("K-9", "clinic", threshold=1), kind=KeyAccessError)
    # The recovery key may, so that two lost keys of three are no end.
    add(three, control("K-9", "clinic", threshold=1, by_recovery=True))
    add(three, spend("X-1"))
    assert three.verify().holds


def test_ending_keys_never_leaves_a_threshold_beyond_reach(three: Ledger) -> None:
    """Of two-of-three: after one key ends it is two of two, after two one of one."""
    keys = [public(three, name) for name in THREE]
    for number, (left, needed) in enumerate(((2, 2), (1, 1), (0, 1))):
        add(three, {"record": "key", "party": "clinic", "replaces": id_of(keys[number]), "compromised_since": 7,
                    "by_recovery": True})  # fmt: skip
        party = three.reader().state.party("clinic")
        assert (sum(key.until is None for key in party.keys), party.threshold) == (left, needed)
    refused(three, "CC-KEY-LATER", spend("X-1"))
    add(three, {"record": "key", "party": "clinic", "key": made(three, "clinic-4"), "by_recovery": True})
    add(three, spend("X-1"))
    assert three.verify().holds


def test_the_operators_threshold_counts_too(shared: Ledger) -> None:
    """The operator may ask for two of its keys; the newest of them seals, and both must sign."""
    add(shared, {"record": "key", "party": "self", "key": made(shared, "self-2")})
    add(shared, control("K-3", "self", threshold=2))
    add(shared, gift("D-2"))
    lose(shared, "self")
    refused(shared, "CC-KEY-MISSING", gift("D-3"), kind=KeyAccessError)
    assert shared.verify().holds


# ---------------------------------------------------------------------------------------------- suspension

SUSPEND = {"record": "suspension", "id": "SU-1", "party": "clinic", "suspended": True, "reason": "key lost"}
RESUME = {"record": "suspension", "id": "SU-2", "party": "clinic", "suspended": False}


@pytest.mark.parametrize(
    "entry",
    [
        spend("X-1"),
        {"record": "donation", "id": "D-2", "account": "ward", "amount": "1"},
        {"record": "disbursement", "id": "B-2", "from": "ward", "to": "fund", "amount": "1"},
        {"record": "account", "id": "more", "unit": "CNY", "owner": "clinic"},
        {"record": "account-change", "id": "AC-1", "account": "ward", "title": "T"},
        {"record": "account-change", "id": "AC-1", "account": "ward", "owner": "board"},
        {"record": "account-change", "id": "AC-1", "account": "fund", "owner": "clinic"},
        {"record": "acknowledgement", "id": "A-1", "acknowledges": "B-1", "author": "clinic"},
        {"record": "expenditure", "id": "X-1", "from": "guarded", "amount": "1", "payee": "P", "purpose": "q",
         "approved_by": ["clinic"]},
    ],
)  # fmt: skip
def test_a_suspended_party_says_nothing(shared: Ledger, entry: Entry) -> None:
    """As author, owner, new owner, recipient or approver: its signature counts for nothing until it is resumed."""
    add(shared, {"record": "account", "id": "guarded", "unit": "CNY", "approvals": {"of": ["clinic"], "needed": 1}},
        gift("D-0", account="guarded"), gift("D-00"))  # fmt: skip
    add(shared, {"record": "disbursement", "id": "B-1", "from": "fund", "to": "ward", "amount": "1"})
    add(shared, SUSPEND)
    refused(shared, "CC-SUSPENDED", entry)
    add(shared, RESUME)
    add(shared, entry)
    assert shared.verify().holds


def test_a_suspended_approver_is_not_counted(shared: Ledger) -> None:
    """One of two approvers is suspended: the other one's signature is enough for one, and two cannot be had."""
    both = {"of": ["board", "clinic"], "needed": 1}
    add(shared, {"record": "account", "id": "one", "unit": "CNY", "approvals": both},
        {"record": "account", "id": "two", "unit": "CNY", "approvals": {**both, "needed": 2}},
        gift("D-2", account="one"), gift("D-3", account="two"))  # fmt: skip
    add(shared, SUSPEND)
    use = {"record": "expenditure", "amount": "1", **USE}
    refused(shared, "CC-APPROVALS", {**use, "id": "X-2", "from": "two", "approved_by": ["board"]})
    refused(shared, "CC-SUSPENDED", {**use, "id": "X-2", "from": "two", "approved_by": ["board", "clinic"]})
    add(shared, {**use, "id": "X-1", "from": "one", "approved_by": ["board"]})


def test_a_suspended_party_can_still_change_its_keys(shared: Ledger) -> None:
    """Rotation, recovery and a threshold go on under a suspension, so that it can be lifted for a good key."""
    add(shared, SUSPEND)
    old = public(shared, "clinic")
    add(shared, replaced(shared, "clinic", old))
    add(shared, replaced(shared, "clinic", public(shared, "clinic-new"), "clinic-newer", by_recovery=True))
    add(shared, control("K-3", "clinic", threshold=1))
    refused(shared, "CC-SUSPENDED", spend("X-1"))
    add(shared, RESUME)
    add(shared, spend("X-1"))
    assert shared.verify().holds


def test_who_may_suspend_whom(shared: Ledger) -> None:
    """Only the operator suspends, never itself, nobody twice, and nobody who is not there."""
    entry = SUSPEND | {"id": "N"}
    refused(shared, "CC-ROLE", entry | {"party": "self"})
    refused(shared, "CC-ROLE", entry | {"party": "board", "author": "clinic"})
    refused(shared, "CC-SUSPENDED", RESUME)
    refused(shared, "CC-UNKNOWN-PARTY", entry | {"party": "nobody"})
    add(shared, SUSPEND)
    refused(shared, "CC-SUSPENDED", entry)


# ---------------------------------------------------------------------------------------- compromised spans


def test_what_a_stolen_key_signed_is_disputed_from_that_block_on(shared: Ledger) -> None:
    """Uses before the block are as they were, those from it on are disputed, with why; nothing is erased."""
    add(shared, spend("X-before"))  # block 5
    stolen = add(shared, spend("X-theft"))  # block 6
    add(shared, spend("X-later"), spend("X-last"))
    old = public(shared, "clinic")
    add(shared, replaced(shared, "clinic", old, by_recovery=True, compromised_since=stolen))
    add(shared, spend("X-after"))
    uses = {use.id: use.end for use in shared.trace("D-1").uses}
    assert {id_: end.state for id_, end in uses.items()} == {
        "X-before": "reported", "X-theft": "disputed", "X-later": "disputed", "X-last": "disputed",
        "X-after": "reported",
    }  # fmt: skip
    assert uses["X-theft"].why == "a key of clinic was compromised since block 6"
    assert uses["X-before"].why is None
    assert str(shared.balance("ward")) == "5.00" and shared.verify().holds


def test_a_gift_that_a_stolen_key_entered_is_disputed_itself(shared: Ledger) -> None:
    """Whether it ever came is as open as what else the thief signed; a gift of before is not."""
    gift = {"record": "donation", "account": "ward", "amount": "1", "author": "clinic"}
    add(shared, gift | {"id": "D-good"})
    height = add(shared, gift | {"id": "D-bad"})
    add(shared, replaced(shared, "clinic", public(shared, "clinic"), by_recovery=True, compromised_since=height))
    assert shared.trace("D-bad").disputed == f"a key of clinic was compromised since block {height}"
    assert shared.trace("D-good").disputed is None and "disputed" not in shared.trace("D-good").to_dict()


def test_one_compromised_cosigner_is_enough(shared: Ledger) -> None:
    """What a stolen approver's key helped to sign is disputed, though the owner's key is good."""
    add(shared, {"record": "account-change", "id": "AC-1", "account": "ward",
                 "approvals": {"of": ["board"], "needed": 1}},
        control("K-3", "board", recovery=made(shared, "board-spare")))  # fmt: skip
    height = add(shared, spend("X-1", approved_by=["board"]))
    add(shared, {"record": "key", "party": "board", "replaces": id_of(public(shared, "board")),
                 "compromised_since": height, "by_recovery": True})  # fmt: skip
    use = shared.trace("D-1").uses[0]
    assert (use.end.state, use.end.why) == ("disputed", f"a key of board was compromised since block {height}")


def test_a_dispute_outlives_an_acknowledgement(shared: Ledger) -> None:
    """That somebody confirms a use does not lift the dispute about the key that signed it; both are shown."""
    height = add(shared, spend("X-1"))
    add(shared, {"record": "acknowledgement", "id": "A-1", "acknowledges": "X-1", "author": "board"})
    assert shared.trace("D-1").uses[0].end.state == "acknowledged"
    add(shared, {"record": "key", "party": "clinic", "replaces": id_of(public(shared, "clinic")),
                 "compromised_since": height, "by_recovery": True})  # fmt: skip
    end = shared.trace("D-1").uses[0].end
    assert end.state == "disputed" and [word.by for word in end.words] == ["board"]


@pytest.mark.parametrize("since", [0, 1, 99])
def test_a_span_lies_within_the_life_of_the_key(shared: Ledger, since: int) -> None:
    """The clinic's key acts from block 2: compromised before that, or in blocks to come, is refused."""
    old = id_of(public(shared, "clinic"))
    refused(shared, "CC-UNKNOWN-KEY", {"record": "key", "party": "clinic", "replaces": old,
                                       "compromised_since": since, "by_recovery": True})  # fmt: skip


def test_a_span_only_grows(shared: Ledger) -> None:
    """Whoever holds the recovery key cannot take back what was said to be disputed; an earlier block can be named."""
    old = public(shared, "clinic")
    heights = [add(shared, spend(name)) for name in ("X-1", "X-2", "X-3")]
    mark = {"record": "key", "party": "clinic", "replaces": id_of(old), "by_recovery": True}
    add(shared, replaced(shared, "clinic", old, by_recovery=True, compromised_since=heights[1]))
    refused(shared, "CC-UNKNOWN-KEY", mark | {"compromised_since": heights[2]})
    assert [use.end.state for use in shared.trace("D-1").uses] == ["reported", "disputed", "disputed"]
    add(shared, mark | {"compromised_since": heights[0]})
    assert [use.end.state for use in shared.trace("D-1").uses] == ["disputed"] * 3


def test_an_old_key_can_be_marked_later(shared: Ledger) -> None:
    """That a key which was replaced long ago had been stolen can still be said."""
    height = add(shared, spend("X-1"))
    old = public(shared, "clinic")
    add(shared, replaced(shared, "clinic", old))
    add(shared, {"record": "key", "party": "clinic", "replaces": id_of(old), "compromised_since": height,
                 "by_recovery": True})  # fmt: skip
    assert shared.trace("D-1").uses[0].end.state == "disputed"
    add(shared, spend("X-2"))
    assert shared.verify().holds


# ------------------------------------------------------------------------------------------ owners, closing


def test_the_new_owner_can_and_the_old_one_cannot(shared: Ledger) -> None:
    """An account changes hands with both signatures; from then on only the new owner spends and changes it."""
    add(shared, {"record": "account-change", "id": "AC-1", "account": "ward", "owner": "board"})
    for entry in (
        spend("X-1"), {"record": "account-change", "id": "AC-2", "account": "ward", "title": "T"}
    ):  # fmt: skip
        with pytest.raises(RefusedError) as caught, shared.writer() as writer:
            built = writer._build(entry)
            writer.core.record(built.record, writer.core.state.party("clinic"), ())
        assert caught.value.code == "CC-AUTHOR"
    lose(shared, "clinic")
    add(shared, spend("X-1"))
    assert shared.reader().state.account_named("ward").owner == 2 and shared.verify().holds


def test_no_owner_is_made_or_unmade_alone(shared: Ledger) -> None:
    """Neither the old owner alone nor the new one, nor the operator for either, moves an account."""
    change = {"record": "account-change", "id": "AC-1", "account": "ward", "owner": "board"}
    for name in ("board", "clinic"):
        folder = shared.keyring.directory
        path = next(entry.path for entry in shared.keyring.list() if entry.party == name)
        path.rename(folder / "away")
        shared.at_hand.loaded.clear()
        refused(shared, "CC-KEY-MISSING", change, kind=KeyAccessError)
        (folder / "away").rename(path)
    with pytest.raises(RefusedError) as caught, shared.writer() as writer:
        built = writer._build(change)
        writer.core.record(built.record, writer.core.state.party("self"), ())
    assert caught.value.code == "CC-AUTHOR"


def test_a_closed_account_stands_still(shared: Ledger) -> None:
    """Closing wants it empty; then nothing goes in or out until its owner opens it again."""
    closing = {"record": "account-change", "id": "AC-1", "account": "ward", "closed": True}
    refused(shared, "CC-CLOSED", closing)
    add(shared, {"record": "disbursement", "id": "B-1", "from": "ward", "to": "fund", "amount": "10"})
    add(shared, closing)
    refused(shared, "CC-CLOSED", {"record": "donation", "id": "D-2", "account": "ward", "amount": "1",
                                  "author": "self"})  # fmt: skip
    refused(shared, "CC-CLOSED", {"record": "disbursement", "id": "B-2", "from": "fund", "to": "ward", "amount": "1"})
    again = {"record": "account-change", "id": "AC-2", "account": "ward"}
    refused(shared, "CC-CLOSED", again | {"closed": True})
    refused(shared, "CC-CHANGE", again)
    add(shared, again | {"closed": False})
    refused(shared, "CC-CLOSED", again | {"id": "AC-3", "closed": False})
    add(shared, {"record": "disbursement", "id": "B-2", "from": "fund", "to": "ward", "amount": "1"})
    assert shared.verify().holds


def test_a_block_that_a_recovery_key_sealed_without_signing_first_is_bad(shared: Ledger) -> None:
    """The operator's recovery key seals only a block whose first statement it signed; no other seal of it counts."""
    from charitychain.chain import blocks

    add(shared, gift("D-2"))
    reader = shared.reader()
    spare = next(entry for entry in shared.keyring.list() if entry.party == "self-spare")
    block = reader.checked_block(reader.head.height)
    size, root = reader.head.height + 1, reader.log_root
    forged = blocks.make_seal(shared.origin, size, root, shared.keyring.load(spare))
    first = block.statements[0].header.author
    reader.state.height = reader.head.height
    with pytest.raises(VerificationError) as caught:
        blocks.check_seal(forged, shared.origin, size, root, reader.state.sealing_keys(first))
    assert caught.value.code == "CC-SEAL"
