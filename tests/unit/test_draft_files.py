"""Draft files: what travels by mail between those who must sign, and the dry runs in which they are made."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from charitychain import codec
from charitychain.chain.statements import SignedStatement, prepare_statement
from charitychain.drafts import MAX_DRAFT_BYTES, Draft, Look, look_at, merge, signers_of, was_recorded
from charitychain.errors import (
    CharitychainError,
    KeyAccessError,
    MalformedError,
    RefusedError,
    UnreadableError,
    VerificationError,
)
from charitychain.keys import PrivateKey, key_id
from charitychain.ledger import Ledger
from charitychain.records import Donation
from charitychain.state.parties import possession_message

BEGIN, END = b"-----BEGIN CHARITYCHAIN DRAFT-----\n", b"-----END CHARITYCHAIN DRAFT-----\n"
SPEND = {"record": "expenditure", "id": "X-1", "from": "fund", "amount": "4", "payee": "P", "purpose": "q"}


@pytest.fixture
def shared(tmp_path: Path) -> Ledger:
    """Give a ledger in which a charity's fund holds 10.00 CNY, and the board approves what leaves it."""
    ledger = Ledger.create(tmp_path / "a.ledger", origin="a.example", keys=tmp_path / "keys")
    with ledger.writer() as writer:
        writer.party("charity", roles=["charity"])
        writer.party("board", roles=["auditor"])
        writer.commit()
        writer.account("fund", unit="CNY", owner="charity", approvals={"of": ["board"], "needed": 1})
        writer.donation("D-1", account="fund", amount="10", author="self")
    return ledger


def drafted(ledger: Ledger, *listed: dict[str, object]) -> Look:
    with ledger.drafter() as drafter:
        drafter.add_together(listed or [SPEND])
    return drafter.look


def signed(ledger: Ledger, draft: Draft, *parties: str) -> Draft:
    for party in parties:
        entry = next(entry for entry in ledger.keyring.list() if entry.party == party)
        draft = draft.sign(ledger.keyring.load(entry))
    return draft


def file_of(block: bytes) -> bytes:
    text = base64.b64encode(block)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return BEGIN + b"\n".join(lines) + b"\n" + END


def block_of(data: bytes) -> bytes:
    return base64.b64decode(data.split(BEGIN)[1].split(END)[0].replace(b"\n", b""))


def test_a_draft_survives_the_mail(shared: Ledger) -> None:
    """Other line ends, blanks behind lines, and text around the block change nothing of it."""
    draft = signed(shared, drafted(shared).draft, "board")
    data = draft.encode(["any words: X-1", "-----BEGIN CHARITYCHAIN DRAFT-----"])
    assert Draft.parse(data) == draft
    assert Draft.parse(b"Hello,\xff\n\n" + data.replace(b"\n", b" \t\r\n") + b"-- \nsent from a telephone\n") == draft
    assert Draft.parse(data).encode() == draft.encode()


PINNED = b"""Draft for the ledger a.example, identity 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
  hello

-----BEGIN CHARITYCHAIN DRAFT-----
lwGpYS5leGFtcGxlxCAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eH8SX
mwHEIIn0OMTBOxnvjn5p/iXgFzPXUAj6KxAOj6RwBm1f99cMAMABxCAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAM5pVbkAzQPpAcQgEtuEcUjD4Ijy1l6t
5sncGNlPENnRDsT8Lkl6kYF4rCWRxCCtBE8MQGMcKPDTB+MnVDCRE8fyKklAcPo6
08okJK0iW5GSxCCtBE8MQGMcKPDTB+MnVDCRE8fyKklAcPo608okJK0iW8RAOUVi
XV01THJMtj/bxMjbC8idfWGLfjhLYNZaf7d3fNCazQTycsjIGo+ihf/Bw1ja5aBq
J/GL2oAamQCTJIs/AJHED5sQo0QtMQBkwMDAwMCQwJA=
-----END CHARITYCHAIN DRAFT-----
"""


def test_the_form_of_a_draft_is_pinned() -> None:
    """What one release writes another reads: one donation of two fixed keys, signed by the second alone."""
    author, other = PrivateKey.from_seed(bytes(32)), PrivateKey.from_seed(bytes([1]) * 32)
    statement = prepare_statement(
        [Donation("D-1", 0, 100)], [], [author.public_key, other.public_key],
        sequence=0, previous=None, seen_size=1, seen_hash=bytes(32), time=1_767_225_600, expiry=1001,
    )  # fmt: skip
    draft = Draft("a.example", bytes(range(32)), statement).sign(other)
    assert draft.encode(["hello"]) == PINNED
    assert Draft.parse(PINNED) == draft
    assert draft.missing() == (key_id(author.public_key),)


def test_a_draft_says_what_it_does_and_who_must_sign(shared: Ledger) -> None:
    """Records come back as the ledger would give them; the author stands first among the signers."""
    look = drafted(shared)
    assert look.entries == (
        {
            "record": "expenditure", "id": "X-1", "from": "fund", "amount": "4.00", "payee": "P", "purpose": "q",
            "unit": "CNY", "approved_by": ["board"],
        },
    )  # fmt: skip
    assert [(signer.party, signer.signed) for signer in look.signers] == [("charity", False), ("board", False)]
    with shared.writer(dry=True) as writer:
        seen = look_at(writer, signed(shared, look.draft, "board"))
    assert seen.entries == look.entries
    assert [(signer.party, signer.signed) for signer in seen.signers] == [("charity", False), ("board", True)]


def test_no_changed_byte_of_a_signed_draft_passes(shared: Ledger) -> None:
    """Each byte of the file's block, and of what it encodes, altered: never a draft that all have signed."""
    data = signed(shared, drafted(shared).draft, "charity", "board").encode()
    start, end = data.index(BEGIN), data.index(END) + len(END) - 1
    block = block_of(data)
    changed = [data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :] for at in range(start, end) for bit in (1, 2, 32)]
    changed += [
        file_of(block[:at] + bytes((block[at] ^ bit,)) + block[at + 1 :])
        for at in range(len(block))
        for bit in (1, 16, 128)
    ]
    changed += [file_of(block[:at]) for at in range(len(block))] + [file_of(block + b"\0")]
    good = Draft.parse(data)
    with shared.writer(dry=True) as writer:

        def passes(text: bytes) -> bool:
            draft = Draft.parse(text)
            draft.check_ledger(shared.origin, shared.identity)
            look_at(writer, draft)
            return not draft.missing()

        for text in changed:
            try:
                assert Draft.parse(text) == good or not passes(text)  # blanks at a line's end are no change
            except CharitychainError:
                continue
    assert len(changed) > 2500
    with shared.writer() as writer:
        assert writer.submit(good.statement)


@pytest.mark.parametrize(
    ("data", "error", "code"),
    [
        (b"", MalformedError, "CC-DRAFT-FORM"),
        (b"\xff\xfe" + BEGIN, MalformedError, "CC-DRAFT-FORM"),
        (END + BEGIN, MalformedError, "CC-DRAFT-FORM"),
        (BEGIN + END, MalformedError, "CC-DRAFT-FORM"),
        (BEGIN + b"A\n" + END, MalformedError, "CC-DRAFT-FORM"),
        (BEGIN + b"AB==\n" + END, MalformedError, "CC-DRAFT-FORM"),
        (BEGIN + b"AA==\nAA==\n" + END, MalformedError, "CC-DRAFT-FORM"),
        (BEGIN + b"*" * 64 + b"\n" + END, MalformedError, "CC-DRAFT-FORM"),
        (file_of(b"\xc1"), MalformedError, "CC-CANONICAL"),
        (file_of(b"\xdd\xff\xff\xff\xff"), MalformedError, "CC-CANONICAL"),
        (file_of(b"\x91" * 5000 + b"\xc0"), MalformedError, "CC-CANONICAL"),
        (file_of(codec.encode(7)), MalformedError, "CC-DRAFT-FORM"),
        (file_of(codec.encode([2])), UnreadableError, "CC-VERSION"),
        (file_of(codec.encode([1])), MalformedError, "CC-DRAFT-FORM"),
        (file_of(codec.encode([1, "a.example", b"", b"", [], [], []])), MalformedError, "CC-DRAFT-FORM"),
        (file_of(codec.encode([1, "a.example", bytes(32), "", [], [], []])), MalformedError, "CC-STATEMENT"),
        (file_of(codec.encode([1, "a.example", bytes(32), b"", [], [], [None]])), MalformedError, "CC-STATEMENT"),
        (file_of(codec.encode([1, "a.example", bytes(32), b"\xc0", [], [], []])), MalformedError, "CC-STATEMENT"),
        (b" " * (MAX_DRAFT_BYTES + 1), MalformedError, "CC-DRAFT-FORM"),
    ],
)  # fmt: skip
def test_what_is_no_draft_is_refused(data: bytes, error: type[CharitychainError], code: str) -> None:
    """Whatever somebody sends, the answer is an error with a code."""
    with pytest.raises(error) as caught:
        Draft.parse(data)
    assert caught.value.code == code


def test_a_file_with_two_drafts_is_none(shared: Ledger) -> None:
    """Which of two blocks counts is never guessed."""
    data = drafted(shared).draft.encode()
    with pytest.raises(MalformedError, match="one line"):
        Draft.parse(data + data)


def test_signatures_of_strangers_and_of_others_are_told(shared: Ledger) -> None:
    """A signer that was not asked, one twice, and one whose signature is another's: each is found."""
    draft = drafted(shared).draft
    ready = signed(shared, draft, "charity", "board").statement
    (author, first), (board, second) = ready.signatures
    stranger = PrivateKey.generate()

    def refused(*signatures: tuple[bytes, bytes]) -> str:
        told = replace(draft, statement=replace(ready, signatures=signatures))
        with pytest.raises(VerificationError) as caught, shared.writer(dry=True) as writer:
            signers_of(Draft.parse(told.encode()), writer.core.state)
        return caught.value.code

    assert refused((key_id(stranger.public_key), stranger.sign(b"x")), (board, second)) == "CC-SIGNERS"
    assert refused((author, first), (author, first)) == "CC-SIGNERS"
    assert refused((board, second), (author, first)) == "CC-SIGNERS"
    assert refused((author, second), (board, first)) == "CC-SIGNATURE"
    assert refused((author, first), (board, first[:-1])) == "CC-SIGNATURE"


def test_copies_that_were_signed_in_parallel_are_merged(shared: Ledger) -> None:
    """Signatures of one draft go together whatever their order; those of two drafts never do."""
    draft = drafted(shared).draft
    copies = [signed(shared, draft, "board"), draft, signed(shared, draft, "charity")]
    assert merge(copies) == merge(copies[::-1]) == signed(shared, draft, "charity", "board")
    other = drafted(shared, SPEND | {"amount": "5"}).draft
    with pytest.raises(RefusedError) as caught:
        merge([draft, other])
    assert caught.value.code == "CC-DRAFT"


def test_gift_columns_travel_along_and_none_more(shared: Ledger) -> None:
    """A batch of gifts is drafted with its columns; a column that no record commits to is refused."""
    gifts = {"record": "gifts", "series": "S", "account": "fund", "ids": [1, 2], "amounts": ["1", "2"]}
    draft = signed(shared, drafted(shared, gifts).draft, "charity")
    assert Draft.parse(draft.encode()) == draft
    more = replace(draft, statement=replace(draft.statement, columns=(*draft.statement.columns, bytes(32))))
    with pytest.raises(VerificationError) as caught:
        Draft.parse(more.encode())
    assert caught.value.code == "CC-GIFTS-ROOT"
    with pytest.raises(VerificationError) as caught, shared.writer() as writer:
        writer.submit(more.statement)
    assert caught.value.code == "CC-GIFTS-ROOT"
    with shared.writer() as writer:
        assert writer.submit(draft.statement)
        assert was_recorded(draft.statement, writer.core.state)
    assert str(shared.trace("S/2").money) == "2.00"


def stands(ledger: Ledger, draft: Draft) -> str:
    with pytest.raises(RefusedError) as caught, ledger.writer(dry=True) as writer:
        look_at(writer, draft)
    assert caught.value.code == "CC-DRAFT"
    return caught.value.message


def test_a_draft_is_judged_by_where_its_author_stands(shared: Ledger, tmp_path: Path) -> None:
    """An old copy, an overtaken draft, a recorded one and one of another ledger are told apart."""
    shutil.copy(shared.path, tmp_path / "old.ledger")
    with shared.writer() as writer:
        writer.donation("D-2", account="fund", amount="1")
    draft = signed(shared, drafted(shared).draft, "charity", "board")
    with Ledger.open(tmp_path / "old.ledger", keys=tmp_path / "none") as old:
        assert "get the newest copy" in stands(old, draft)
    with shared.writer() as writer:
        writer.submit(draft.statement)
    assert "is recorded already, in block 4" in stands(shared, draft)
    late = drafted(shared, SPEND | {"id": "X-2", "amount": "1"}).draft
    with shared.writer() as writer:
        writer.donation("D-3", account="fund", amount="1")
    assert "'charity' has recorded something else since" in stands(shared, late)
    with pytest.raises(RefusedError) as caught:
        late.check_ledger("a.example", bytes(32))
    assert caught.value.code == "CC-DRAFT"


def test_a_recovery_key_drafts_the_change_of_a_lost_key(tmp_path: Path) -> None:
    """Who lost its key and kept the other one sends the operator a draft that the recovery key alone signs."""
    spare, new = PrivateKey.generate(), PrivateKey.generate()
    with Ledger.create(tmp_path / "r.ledger", origin="r.example", keys=tmp_path / "keys") as ledger:

        def proof(key: PrivateKey) -> str:
            return key.sign(possession_message(ledger.identity, "charity", key.public_key)).hex()

        with ledger.writer() as writer:
            writer.party("charity", roles=["charity"], recovery=spare.public_key.hex(), recovery_proof=proof(spare))
        change = {
            "record": "key", "party": "charity", "key": new.public_key.hex(), "proof": proof(new), "by_recovery": True,
        }  # fmt: skip
        with ledger.drafter() as drafter:
            drafter.add(change)
        assert [signer.key for signer in drafter.look.signers] == [spare.public_key]
        assert drafter.look.entries[0]["by_recovery"]
        with ledger.writer() as writer:
            assert writer.submit(drafter.look.draft.sign(spare).statement)
        with pytest.raises(RefusedError) as caught, ledger.drafter() as drafter:
            drafter.add_together([change, {"record": "account", "id": "x", "unit": "EUR", "owner": "charity"}])
        assert caught.value.code == "CC-RECOVERY-KEY"
        assert ledger.verify().holds


def test_one_draft_opens_several_accounts(shared: Ledger) -> None:
    """Accounts that one statement opens are numbered one after the other."""
    opened = [{"record": "account", "id": name, "unit": "EUR", "owner": "charity"} for name in ("x", "y")]
    with shared.writer() as writer:
        writer.submit(signed(shared, drafted(shared, *opened).draft, "charity").statement)
    assert [str(shared.balance(name)) for name in ("x", "y")] == ["0.00", "0.00"]


def test_a_draft_that_brings_a_key_keeps_it(tmp_path: Path) -> None:
    """A new key is encrypted as the party's own is, and lies in the folder before anybody signs for it."""
    with Ledger.create(tmp_path / "k.ledger", origin="k.example", keys=tmp_path / "keys") as ledger:
        theirs = Ledger.open(ledger.path, keys=tmp_path / "theirs", passphrase=b"secret words")
        entry, key = theirs.keyring.create("k.example", "charity", passphrase=b"secret words")
        proof = key.sign(possession_message(ledger.identity, "charity", key.public_key)).hex()
        with ledger.writer() as writer:
            writer.party("charity", roles=["charity"], key=key.public_key.hex(), proof=proof)
        with theirs.drafter() as drafter:
            drafter.rotate_key("charity")
        draft = drafter.look.draft.sign(theirs.keyring.load(entry, lambda e: b"secret words"))
        assert [theirs.keyring.is_encrypted(one) for one in theirs.keyring.list()] == [True, True]
        with ledger.writer() as writer:
            assert writer.submit(draft.statement)
        assert ledger.verify().holds
        with pytest.raises(KeyAccessError), Ledger.open(ledger.path, keys=tmp_path / "theirs") as poor:
            poor.keyring.load(poor.keyring.list()[1], lambda e: b"other words")


# ------------------------------------------------------------------------------------------------- dry runs


def names(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_dry_run_beside_a_writer_sees_what_is_sealed(shared: Ledger) -> None:
    """It takes no lock, waits for none, and leaves no file; what the writer has not sealed yet plays no part."""
    with shared.writer() as writer, Ledger.open(shared.path, keys=shared.keyring) as other:
        writer.donation("D-2", account="fund", amount="5")
        before = names(shared.path.parent)
        with pytest.raises(RefusedError) as caught, other.writer(dry=True) as dry:
            dry.expenditure("X-1", source="fund", amount="11", payee="P", purpose="q")
        assert caught.value.code == "CC-OVERDRAFT"
        writer.commit()
        with other.drafter() as drafter:
            drafter.add(SPEND | {"amount": "11"})
        after = names(shared.path.parent)
        assert after.keys() == before.keys()
        assert not other.notices
    assert shared.verify().holds


def test_a_dry_run_makes_no_mark(shared: Ledger) -> None:
    """Where the operator's key came without its mark, a dry run leaves it so."""
    mark = next(shared.keyring.directory.glob("*.mark"))
    mark.unlink()
    drafted(shared)
    assert not mark.exists()


@pytest.mark.parametrize("tail", [b"\x00\x00\x03", bytes(200)])
def test_who_has_no_mark_drafts_beside_a_torn_end_and_not_beside_damage(shared: Ledger, tail: bytes) -> None:
    """Without the operator's key nobody can judge an end: a torn one is a note, a damaged block stops."""
    shared.path.write_bytes(shared.path.read_bytes() + tail)
    with Ledger.open(shared.path, keys=shared.path.parent / "none") as partner:
        if len(tail) == 3:
            assert drafted(partner).entries
            assert any("a write was cut off" in notice for notice in partner.notices)
        else:
            with pytest.raises(VerificationError):
                drafted(partner)


def in_child(act: Callable[[], bool]) -> bool:
    """Run `act` in a child process that may not write where modes forbid it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            code = 0 if act() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("with_index", [False, True])
def test_a_partner_drafts_on_a_read_only_copy(shared: Ledger, with_index: bool) -> None:
    """A ledger file of mode 0444 in a folder that cannot be written is enough, with its index or without."""
    shared.balance("fund")
    folder = Path(tempfile.mkdtemp())
    try:
        copy = folder / "copy.ledger"
        shutil.copy(shared.path, copy)
        if with_index:
            shutil.copy(shared.index_path, folder / "copy.ledger.index")
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)
        before = names(folder)

        def act() -> bool:
            try:
                copy.write_bytes(b"")
                return False
            except PermissionError:
                pass
            with Ledger.open(copy, keys=folder / "none") as partner:
                return drafted(partner).entries[0]["amount"] == "4.00"

        assert in_child(act)
        assert names(folder) == before
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_only_a_dry_run_tries_out(shared: Ledger) -> None:
    """What misses signatures never comes near a seal."""
    statement: SignedStatement = drafted(shared).draft.statement
    with pytest.raises(ValueError, match="dry run"), shared.writer() as writer:
        writer.core.try_out(statement)
