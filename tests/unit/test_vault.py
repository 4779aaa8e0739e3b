"""The vault and the claims that come out of it: who can read them, what they open, and what erasing leaves."""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from charitychain.claims import Claim, format_claim, label_secret, parse_claim, pseudonym
from charitychain.errors import (
    CharitychainError,
    KeyAccessError,
    LockedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnreadableError,
)
from charitychain.private import check_disclosure, commit, new_details
from charitychain.vault import Vault, vault_path

ORIGIN, IDENTITY = "village.example/2026", bytes(range(32))
NAME = "Siti Rahayu binti Hassan"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "folder" / "v.vault", ORIGIN, IDENTITY) as made:
        yield made


def everything(folder: Path) -> bytes:
    """Return all bytes of all files of a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


# ------------------------------------------------------------------------------------- pseudonyms and claims


def test_pseudonym_is_what_the_format_says() -> None:
    """A pseudonym is recomputed by hand from the donor's key."""
    secret = hmac.new(b"k" * 32, b"charitychain donor v1" + IDENTITY + b"D-1", "sha256").digest()
    assert label_secret(b"k" * 32, IDENTITY, "D-1") == secret
    assert pseudonym(IDENTITY, "D-1", secret) == hashlib.sha256(b"\x34" + IDENTITY + b"D-1" + secret).digest()[:16]


def test_every_label_ledger_and_donor_has_a_pseudonym_of_its_own(vault: Vault, tmp_path: Path) -> None:
    """Two labels of a donor, two donors of a label and two ledgers share no pseudonym; one label keeps its own."""
    vault.add_donor(NAME)
    vault.add_donor("Ali")
    pairs = [(name, label) for name in (NAME, "Ali") for label in ("D-1", "D-2", "SERIES")]
    found = {vault.pseudonym(*pair) for pair in pairs}
    assert len(found) == 6
    assert {vault.pseudonym(*pair) for pair in pairs} == found
    assert pseudonym(bytes(32), "D-1", vault.claim(NAME).labels[0][1]) not in found


def test_a_claim_opens_its_labels_only(vault: Vault) -> None:
    """The secret of one label gives its pseudonym and, put under another label, not the other's."""
    vault.add_donor(NAME)
    one, two = vault.pseudonym(NAME, "D-1"), vault.pseudonym(NAME, "D-2")
    claim = vault.claim(NAME, ["D-1"])
    ((label, secret),) = claim.labels
    assert (label, pseudonym(IDENTITY, label, secret)) == ("D-1", one)
    assert pseudonym(IDENTITY, "D-2", secret) != two
    assert [label for label, _ in vault.claim(NAME).labels] == ["D-1", "D-2"]
    assert secret.hex() not in repr(claim)


def test_claims_of_what_is_not_there(vault: Vault) -> None:
    """No donor, no label and a label that was never noted are told apart from success, without the name."""
    for ask in (lambda: vault.claim(NAME), lambda: vault.pseudonym(NAME, "D-1"), lambda: vault.erase(NAME)):
        with pytest.raises(NotFoundError) as caught:
            ask()
        assert caught.value.code == "CC-VAULT" and NAME not in caught.value.message
    vault.add_donor(NAME)
    for labels in (None, ["D-1"]):
        with pytest.raises(NotFoundError):
            vault.claim(NAME, labels)
    vault.pseudonym(NAME, "D-1", note=False)
    assert vault.donors() == ((NAME, 0),)


def test_every_flipped_bit_of_a_claim_is_refused_or_changes_what_it_says(vault: Vault) -> None:
    """A flipped bit is refused as malformed, or gives another claim, or is white space."""
    vault.add_donor(NAME)
    given = vault.pseudonym(NAME, "D-1")
    claim = vault.claim(NAME)
    data = format_claim(claim).encode()
    assert parse_claim(data) == claim
    for at in range(len(data)):
        for bit in range(8):
            try:
                found = parse_claim(data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :])
            except MalformedError as error:
                assert error.code == "CC-CLAIM"
                assert claim.labels[0][1].hex()[:20] not in error.message
            else:
                ((label, secret),) = found.labels
                same = pseudonym(found.identity, label, secret) == given
                assert (found == claim) == (same and found.origin == claim.origin)


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "{}", "[" * 100_000, b"\xff",
        '{"form":"donor claim v1","origin":"a.example","identity":"' + "00" * 32 + '","labels":[]}',
        '{"form":"donor claim v1","origin":"\\u001b","identity":"' + "00" * 32 + '","labels":[{"label":"D","secret":"'
        + "00" * 32 + '"}]}',
        format_claim(Claim("a.example", bytes(32), (("D-1", bytes(32)), ("D-1", bytes(32))))),
        format_claim(Claim("a.example", bytes(32), (("-rf", bytes(32)),))),
        format_claim(Claim("a.example", b"\xab" * 32, (("D-1", bytes(32)),))).replace("ab", "AB"),
    ],
)  # fmt: skip
def test_what_is_no_claim(text: str | bytes) -> None:
    """Text that is not exactly a claim is refused."""
    with pytest.raises(MalformedError) as caught:
        parse_claim(text)
    assert caught.value.code == "CC-CLAIM"


def test_many_names_are_noted_together_or_not_at_all(vault: Vault) -> None:
    """Names under one label get the pseudonyms that they would get one by one; an error leaves the vault as it was."""
    vault.add_donor(NAME)
    with vault.noting("S") as pseudonym_of:
        found = {name: pseudonym_of(name) for name in (NAME, "Ali", NAME)}
    assert found == {name: vault.pseudonym(name, "S", note=False) for name in (NAME, "Ali")}
    assert vault.donors() == (("Ali", 1), (NAME, 1)) and vault.donor_count() == 2
    before = vault.path.read_bytes()
    for bad in ("", " Ali", "Ali ", "A\u0000", "x" * 4097):
        with pytest.raises(CharitychainError), vault.noting("S") as pseudonym_of:
            pseudonym_of("Budi")
            pseudonym_of(bad)
    with pytest.raises(MalformedError), vault.noting("no id"):
        pass
    assert vault.path.read_bytes() == before


def test_what_was_noted_for_nothing_is_taken_back(vault: Vault, tmp_path: Path) -> None:
    """A label goes, and a donor who came with it, unless something else was noted meanwhile; no bytes stay."""
    vault.add_donor("Ali")
    vault.pseudonym("Ali", "UNSEALED")
    vault.withdraw("Ali", "UNSEALED", donor=False)
    assert vault.donors() == (("Ali", 0),)
    for label in ("UNSEALED", "D-1"):
        vault.pseudonym("Ali", label)
    vault.withdraw("Ali", "UNSEALED", donor=True)
    assert vault.donors() == (("Ali", 1),)
    vault.add_donor(NAME)
    vault.pseudonym(NAME, "UNSEALED")
    vault.withdraw(NAME, "UNSEALED", donor=True)
    assert vault.donors() == (("Ali", 1),)
    assert not [part for part in (NAME.encode(), b"UNSEALED") if part in everything(tmp_path)]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Siti Rahayu", None), ("siti rahayu binti hassan", NAME), ("Siti Rahayu binti Hasan", NAME),
        ("Sitti Rahayu binti Hassan", NAME), ("Ziti Rahayu binti Hassan", NAME), ("Ayu", None), ("", None),
        ("José", "Jose"), ("x" * 4096, None),
    ],
)  # fmt: skip
def test_a_name_that_is_nearly_another_one(vault: Vault, name: str, near: str | None) -> None:
    """A slip of the pen, or of the shift key, is noticed; another name is not taken for one."""
    for known in (NAME, "Jose", "Ali"):
        vault.add_donor(known)
    assert vault.find_near(name) == near


# ---------------------------------------------------------------------------------------------------- details


def test_details_are_kept_disclosed_and_erased(vault: Vault) -> None:
    """A kept detail can be shown; after another was erased it still can, and the erased one cannot."""
    annex, details = vault.annex, new_details([("payee", "Toko Buku Sari"), ("case", "17")])
    root = commit(details)[0]
    assert annex.keep("X-1", details) and not annex.keep("X-1", details)
    assert annex.find_same("X-1", [("payee", "Toko Buku Sari"), ("case", "17")]) == details
    assert annex.find_same("X-1", [("payee", "Toko Buku Sari")]) is None
    assert annex.erase("X-1", "payee") == {"X-1": 1}
    check_disclosure(annex.disclose("X-1", root, "case"), identity=IDENTITY, root=root)
    assert [item.detail.name if item.detail else None for item in annex.details("X-1", root)] == ["case", None]
    for ask in (lambda: annex.disclose("X-1", root, "payee"), lambda: annex.erase("X-1", "payee")):
        with pytest.raises(NotFoundError):
            ask()
    assert annex.find_same("X-1", [("case", "17")]) is None


def test_sets_of_one_record_stand_beside_each_other(vault: Vault, tmp_path: Path) -> None:
    """Two drafts of an id each keep their details, until one is sealed: then the other's are in no file."""
    one, two = new_details([("payee", "Hidden Harry")]), new_details([("payee", "Other Olga")])
    annex, roots = vault.annex, [commit(one)[0], commit(two)[0]]
    assert annex.keep("X-1", one) and annex.keep("X-1", two)
    assert annex.roots("X-1") == tuple(sorted(roots))
    for details, root in zip((one, two), roots, strict=True):
        check_disclosure(annex.disclose("X-1", root, "payee"), identity=IDENTITY, root=root)
        assert annex.find_same("X-1", [("payee", details[0].value)]) == details
    annex.settle("X-1", b"r" * 32)
    assert len(annex.roots("X-1")) == 2, "which of them was sealed is not known here"
    annex.settle("X-1", roots[0])
    assert annex.roots("X-1") == (roots[0],)
    assert b"Harry" in everything(tmp_path) and b"Olga" not in everything(tmp_path)
    annex.drop("X-1", roots[0])
    assert annex.roots("X-1") == () and b"Harry" not in everything(tmp_path)


def test_erasing_reaches_all_sets_and_copies(vault: Vault, tmp_path: Path) -> None:
    """A detail goes out of every set of its record and out of named copies; other text, and other records, stay."""
    annex = vault.annex
    for id_, payee in (("X-1", "Harry"), ("X-1", "Olga"), ("X-2", "Harry"), ("X-3", "Harry"), ("X-4", "Dewi")):
        annex.keep(id_, new_details([("payee", payee), ("case", f"of {id_}")]))
    assert annex.find_holders([("payee", "Harry")]) == ("X-1", "X-2", "X-3")
    assert annex.erase("X-1", "payee", copies=["X-2", "X-4"]) == {"X-1": 2, "X-2": 1}
    assert annex.named("X-1") == {("case", "of X-1")} and annex.named("X-2") == {("case", "of X-2")}
    assert annex.named("X-3") == {("case", "of X-3"), ("payee", "Harry")}
    assert annex.named("X-4", "payee") == {("payee", "Dewi")}
    assert annex.erase("X-3") == {"X-3": 2}
    assert not [part for part in (b"Harry", b"Olga", b"of X-3") if part in everything(tmp_path)]


def test_erasing_forgets_what_was_only_drafted(vault: Vault) -> None:
    """Where it is known which set was sealed, the others of that record go wholly."""
    sealed, draft = new_details([("payee", "Harry"), ("case", "17")]), new_details([("payee", "Olga")])
    root = commit(sealed)[0]
    vault.annex.keep("X-1", sealed)
    vault.annex.keep("X-1", draft)
    assert vault.annex.erase("X-1", "payee", sealed={"X-1": root}) == {"X-1": 2}
    assert vault.annex.roots("X-1") == (root,) and vault.annex.named("X-1") == {("case", "17")}


def test_a_label_stays_with_the_donor_who_was_sealed(vault: Vault) -> None:
    """A gift that was drafted for two donors is in the claim of the one whose pseudonym was sealed, and in no other."""
    for name in ("Ali", "Budi"):
        vault.add_donor(name)
        vault.pseudonym(name, "D-1")
        vault.pseudonym(name, "D-2")
    vault.settle("D-1", vault.pseudonym("Budi", "D-1", note=False))
    assert [label for label, _ in vault.claim("Ali").labels] == ["D-2"]
    assert [label for label, _ in vault.claim("Budi").labels] == ["D-1", "D-2"]


def test_erasing_leaves_no_bytes(vault: Vault, tmp_path: Path) -> None:
    """An erased donor's name, key and labels and an erased detail's value and salt are in no file."""
    for number in range(300):
        vault.add_donor(f"Donor {number}")
        vault.pseudonym(f"Donor {number}", f"D-{number}")
        vault.annex.keep(f"X-{number}", new_details([("payee", f"Toko {number} " + "x" * 200), ("case", "1")]))
    vault.add_donor(NAME)
    vault.pseudonym(NAME, "SPECIAL-LABEL")
    vault.annex.keep("X", found := new_details([("payee", "Toko Istimewa")]))
    other = sqlite3.connect(vault.path)
    ((key,),) = other.execute("SELECT key FROM donors WHERE name = ?", (NAME,)).fetchall()
    other.close()
    secret = [NAME.encode(), key, b"SPECIAL-LABEL", b"Toko Istimewa", found[0].salt]
    assert all(part in everything(tmp_path) for part in secret)
    vault.erase(NAME)
    vault.annex.erase("X")
    assert not [part for part in secret if part in everything(tmp_path)]
    assert vault.annex.roots("X") == (found[0].leaf(),), "the root over one detail is its leaf"
    assert vault.annex.details("X", found[0].leaf())[0] == (None, found[0].leaf())
    assert len(vault.donors()) == 300


def test_what_a_rule_refuses_leaves_nothing_behind(vault: Vault) -> None:
    """Control characters and empty names are refused, and the vault can be used afterwards."""
    for name in ("", "  ", "\x1b]0;x\x07", "a\nb", "\ud800", "\u202eabc", "x" * 4097):
        with pytest.raises(CharitychainError) as caught:
            vault.add_donor(name)
        assert caught.value.exit_code == 7 and "\x1b" not in caught.value.message
    for id_ in ("a b", "\ud800", "-x"):
        with pytest.raises(MalformedError):
            vault.annex.roots(id_)
    assert vault.add_donor("Ali") and not vault.add_donor("Ali")


# --------------------------------------------------------------------------------------------------- the file


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_the_owner_may_read(tmp_path: Path, umask: int) -> None:
    """Whatever the umask, the vault has mode 0600 and so has the journal beside it while it is written."""
    folder = tmp_path / "folder"
    folder.mkdir()
    before = os.umask(umask)
    try:
        with Vault.open(folder / "v", ORIGIN, IDENTITY) as vault:
            vault.add_donor("Ali")
            with vault._file.writing():
                vault._file.run("DELETE FROM donors")
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"v": 0o600, "v-journal": 0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o610])
def test_a_vault_open_to_others_is_refused(vault: Vault, mode: int) -> None:
    """One bit for group or others is enough."""
    vault.path.chmod(mode)
    with pytest.raises(KeyAccessError) as caught:
        Vault.open(vault.path, ORIGIN, IDENTITY)
    assert (caught.value.code, caught.value.facts["found"]) == ("CC-VAULT", f"{mode:04o}")


def test_a_vault_of_somebody_else_is_refused(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns a file can read it, whatever its mode."""
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeyAccessError) as caught:
        Vault.open(vault.path, ORIGIN, IDENTITY)
    assert (caught.value.code, caught.value.facts["found"]) == ("CC-VAULT", os.getuid())


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
def test_what_others_put_beside_the_vault_is_refused(vault: Vault, tmp_path: Path, ending: str) -> None:
    """SQLite would take changes out of a journal beside the vault, so it is judged as the vault is; a link is none."""
    vault.close()
    beside = vault.path.with_name(vault.path.name + ending)
    beside.write_bytes(b"")
    beside.chmod(0o644)
    with pytest.raises(KeyAccessError) as caught:
        Vault.open(vault.path, ORIGIN, IDENTITY)
    assert caught.value.facts["path"] == str(beside)
    beside.unlink()
    (target := tmp_path / "elsewhere").write_bytes(b"kept")
    target.chmod(0o600)
    beside.symlink_to(target)
    with pytest.raises(UnreadableError):
        Vault.open(vault.path, ORIGIN, IDENTITY)
    assert target.read_bytes() == b"kept"


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_a_vault_that_was_used_with_a_log_beside_it(vault: Vault, umask: int) -> None:
    """What another program left in a write-ahead log (mode 0600 too) is taken in, and the log is gone."""
    vault.add_donor("Ali")
    vault.close()
    before = os.umask(umask)
    other = sqlite3.connect(vault.path)
    try:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("UPDATE donors SET name = 'Budi'")
        other.commit()
        copies = {path.name: path.read_bytes() for path in vault.path.parent.iterdir()}
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in vault.path.parent.iterdir()}
    finally:
        other.close()
        os.umask(before)
    assert modes == {"v.vault": 0o600, "v.vault-wal": 0o600, "v.vault-shm": 0o600}
    for name, data in copies.items():  # as they stood when that program was killed
        path = vault.path.with_name(name)
        path.write_bytes(data)
        path.chmod(0o600)
    with Vault.open(vault.path, ORIGIN, IDENTITY) as again:
        assert again.donors() == (("Budi", 0),)
    assert [path.name for path in vault.path.parent.iterdir()] == ["v.vault"]


def test_links_to_a_vault(vault: Vault, tmp_path: Path) -> None:
    """A link to a vault is followed and judged by what it leads to; one that leads nowhere makes nothing there."""
    link, nowhere = tmp_path / "link", tmp_path / "nowhere"
    link.symlink_to(vault.path)
    with Vault.open(link, ORIGIN, IDENTITY) as same:
        same.add_donor("Ali")
    assert vault.donors() == (("Ali", 0),)
    vault.path.chmod(0o644)
    with pytest.raises(KeyAccessError):
        Vault.open(link, ORIGIN, IDENTITY)
    nowhere.symlink_to(tmp_path / "gone")
    for create in (True, False):
        with pytest.raises(RefusedError) as caught:
            Vault.open(nowhere, ORIGIN, IDENTITY, create=create)
        assert caught.value.code == "CC-VAULT"
    assert not (tmp_path / "gone").exists()


def test_another_ledgers_vault_is_refused(vault: Vault) -> None:
    """A ledger of the same origin but another identity gets nothing out of it and puts nothing in."""
    with pytest.raises(RefusedError) as caught:
        Vault.open(vault.path, ORIGIN, bytes(32))
    assert caught.value.code == "CC-VAULT"


def test_what_is_no_vault(tmp_path: Path) -> None:
    """Rubbish, another SQLite database, a folder and nothing at all are told as such and left as they are."""
    rubbish, other = tmp_path / "rubbish", tmp_path / "other"
    rubbish.write_bytes(b"SQLite format 2" + bytes(4096))
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE donors (x)")
    database.close()
    for path in (rubbish, other):
        path.chmod(0o600)
        before = path.read_bytes()
        with pytest.raises(UnreadableError) as caught:
            Vault.open(path, ORIGIN, IDENTITY)
        assert caught.value.code == "CC-VAULT" and path.read_bytes() == before
    with pytest.raises(UnreadableError):
        Vault.open(tmp_path, ORIGIN, IDENTITY)
    with pytest.raises(NotFoundError):
        Vault.open(tmp_path / "none", ORIGIN, IDENTITY, create=False)
    assert not (tmp_path / "none").exists()


def test_another_writer_is_told(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes, a vault waits, and then says so."""
    monkeypatch.setattr("charitychain.vaultfile._WAIT", 0.05)
    with vault._file.writing(), pytest.raises(LockedError) as caught:
        Vault.open(vault.path, ORIGIN, IDENTITY)
    assert caught.value.code == "CC-VAULT"


def test_where_the_vault_is(tmp_path: Path) -> None:
    """The named one, else the environment's, else one beside the keys, named by origin."""
    environ = {"CHARITYCHAIN_VAULT": "/e/v"}
    assert vault_path(ORIGIN, "given", environ, tmp_path) == Path("given")
    assert vault_path(ORIGIN, None, environ, tmp_path) == Path("/e/v")
    assert vault_path(ORIGIN, None, {}, tmp_path) == tmp_path / "village.example_2026.vault"
