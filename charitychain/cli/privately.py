"""What recording commands take for the private side: a donor's name and private details, kept in the vault.

A donor who is not known yet is added, just before the block is sealed: a gift whose donor's key is lost could never be
claimed. Where nothing is sealed in the end, what was noted is taken back; only a process that is killed between the
two leaves a donor without a gift, and the same command again goes on with the key that was kept.

Private details are kept when a draft is written as well as when a block is sealed. Two drafts of one id each have
theirs, until one of them is sealed: then those of the other are forgotten.

The command line of a process can be read by other users of the machine, so a name or a value may come from stdin
(``-``) and a value from a file (``@FILE``).
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from charitychain.claims import label_secret, pseudonym
from charitychain.cli import output
from charitychain.codec import MAX_TEXT_BYTES, check_text
from charitychain.errors import CharitychainError, LockedError, MalformedError, NotFoundError, UnreadableError
from charitychain.ledger import Ledger
from charitychain.private import Detail, commit, new_details
from charitychain.records import Record, record_id
from charitychain.vault import Vault, check_donor_name, vault_path

__all__ = ["Privately", "forget_unsealed", "given_bytes", "given_text", "made_vault", "open_vault"]


def open_vault(found: Ledger, given: str | None, *, create: bool = False) -> Vault:
    """Open the vault of a ledger: the one that was named, or where it usually is."""
    return Vault.open(_path(found, given), found.origin, found.identity, create=create)


@contextmanager
def made_vault(found: Ledger, given: str | None) -> Iterator[Vault]:
    """Open the vault of a ledger, and make it where there is none; say then that it must not be lost."""
    new = not _path(found, given).exists()
    with open_vault(found, given, create=True) as vault:
        yield vault
    if new:
        output.say(f"The vault is {vault.path}; keep a copy of it as you keep one of your keys.")


def given_text(text: str, what: str) -> str:
    """Return what was told: the argument itself, or, for ``-``, what stands on stdin, without its line end."""
    if text == "-":
        text = _decoded(given_bytes("-", MAX_TEXT_BYTES + 2), what)
    return check_text(text, what=what)


def given_bytes(path: str, limit: int) -> bytes:
    """Return up to `limit` and one more bytes of a file, or of stdin for ``-``."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(limit + 1)
        with open(path, "rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}", path=path) from error


def forget_unsealed(found: Ledger, recorded: Iterable[Record], given: str | None = None) -> None:
    """Forget what the vault, if it is here, keeps for other drafts of records that are sealed now."""
    listed = [(record_id(one), getattr(one, "private", None), getattr(one, "donor", None)) for one in recorded]
    listed = [item for item in listed if item[1:] != (None, None)]
    if not listed or not _path(found, given).exists():
        return
    try:
        with open_vault(found, given) as vault:
            for id_, root, donor in listed:
                if id_ is not None and root is not None:
                    vault.annex.settle(id_, root)
                if id_ is not None and donor is not None:
                    vault.settle(id_, donor)
    except CharitychainError as error:  # what was asked for is done, and `annex erase` forgets them too
        output.say(f"Note: what the vault keeps for drafts that were not recorded stays there: {error.message}")


@dataclass(slots=True)
class Privately:
    """The private side of one record: `fill` tells the ledger's part of it, `keep` notes the rest in the vault.

    Attributes:
        known: The donor must be known to the vault already.
        key: The key of a donor who is not.
        near: A known donor of nearly that name.
        pseudonym: What the record has for its donor.
        noted: `keep` has noted something of a donor that `withdraw` can take back.
        kept: The root of the details that `keep` has put into the vault and that were not there before.
    """

    donor: str | None
    values: tuple[tuple[str, str], ...]
    vault: str | None
    known: bool = False
    details: tuple[Detail, ...] = ()
    key: bytes | None = None
    near: str | None = None
    pseudonym: bytes = b""
    noted: bool = False
    kept: bytes | None = None

    @classmethod
    def told(cls, options: dict[str, Any], donor: str | None) -> Privately:
        """Take ``--private`` and ``--vault`` out of the options, and read what stands elsewhere."""
        private, vault, known = options.pop("private"), options.pop("vault"), options.pop("known_donor", False)
        pairs = [text.partition("=") for text in private]
        if not all(equals for _, equals, _ in pairs):
            raise click.UsageError("--private must be NAME=VALUE, such as payee=@payee.txt")
        if (donor == "-") + sum(value == "-" for _, _, value in pairs) > 1:
            raise click.UsageError("Only one thing can be read from stdin; take @FILE for the others.")
        values = tuple((name, _value(name, value)) for name, _, value in pairs)
        if values:
            new_details(values)  # says what is wrong with them before anything is opened
        if donor is not None:
            donor = check_donor_name(given_text(donor, "the donor's name"))
        elif known:
            raise click.UsageError("--known-donor is about the donor of --donor-name; give one.")
        return cls(donor, values, vault, known)

    def fill(self, found: Ledger, entry: dict[str, Any]) -> None:
        """Put the donor's pseudonym and the root of the details into an entry; the vault stays as it is."""
        if self.donor is not None:
            self.pseudonym = self._pseudonym(found, entry["id"])
            entry["donor"] = self.pseudonym.hex()
        if self.values:
            kept = None
            if _path(found, self.vault).exists():
                with open_vault(found, self.vault) as vault:
                    kept = vault.annex.find_same(entry["id"], self.values)
            # Salts of a draft, or of a try that was killed, are taken again, so that the record is the same, however
            # often it is told.
            self.details = kept or new_details(self.values)
            entry["private"] = commit(self.details)[0].hex()

    def keep(self, found: Ledger, id_: str, *, dry: bool = False) -> None:
        """Note donor, label and details of a record before it is sealed, or leaves as a draft; say who is new.

        Args:
            dry: Only say who would be.
        """
        if self.donor is None and not self.details:
            return
        if not dry:
            with made_vault(found, self.vault) as vault:
                if self.details and vault.annex.keep(id_, self.details):
                    self.kept = commit(self.details)[0]
                if self.donor is not None:
                    self._note_donor(vault, id_)
        if self.key is not None:
            near = "" if self.near is None else f"; it knows {self.near} too: is that somebody else?"
            output.say(f"{self.donor} {'would be' if dry else 'was'} added to the vault{near}")

    def withdraw(self, found: Ledger, id_: str) -> None:
        """Take back what `keep` noted for a record that was refused after all, and nothing that was there before."""
        if not self.noted and self.kept is None:
            return
        with open_vault(found, self.vault) as vault:
            if self.noted and self.donor is not None:
                vault.withdraw(self.donor, id_, donor=self.key is not None)
            if self.kept is not None:
                vault.annex.drop(id_, self.kept)
        self.noted, self.kept = False, None

    def _pseudonym(self, found: Ledger, id_: str) -> bytes:
        """Return the donor's pseudonym; the vault stays as it is."""
        assert self.donor is not None
        if self.known or _path(found, self.vault).is_symlink() or _path(found, self.vault).exists():
            with open_vault(found, self.vault) as vault:
                if self.known or vault.knows(self.donor):
                    return vault.pseudonym(self.donor, id_, note=False)
                self.near = vault.find_near(self.donor)
        self.key = secrets.token_bytes(32)
        return pseudonym(found.identity, id_, label_secret(self.key, found.identity, id_))

    def _note_donor(self, vault: Vault, id_: str) -> None:
        assert self.donor is not None
        new = self.key is not None and vault.add_donor(self.donor, self.key)
        try:
            same = vault.pseudonym(self.donor, id_, note=False) == self.pseudonym
        except NotFoundError:
            same = False
        if not same:  # added, or erased, by another process since we looked
            raise LockedError("CC-VAULT", f"another process changed this donor in {vault.path}; enter it again")
        vault.pseudonym(self.donor, id_)
        self.key, self.noted = self.key if new else None, True


def _path(found: Ledger, given: str | None) -> Path:
    return vault_path(found.origin, given, os.environ, found.keyring.directory)


def _value(name: str, value: str) -> str:
    if value == "-" or value[:1] == "@":
        return _decoded(given_bytes(value if value == "-" else value[1:], MAX_TEXT_BYTES + 2), f"private detail {name}")
    return value


def _decoded(data: bytes, what: str) -> str:
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise MalformedError("CC-TEXT", f"{what}: this is not UTF-8", what=what) from error
