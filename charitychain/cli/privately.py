"""What recording commands take for the private side: a donor's name and private details, kept in the vault.

The command line of a process can be read by other users of the machine, so a name or a value may come from stdin
(``-``) and a value from a file (``@FILE``).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from charitychain.codec import MAX_TEXT_BYTES, check_text
from charitychain.errors import MalformedError, UnreadableError
from charitychain.ledger import Ledger
from charitychain.private import Detail, commit, new_details
from charitychain.vault import Vault, vault_path

__all__ = ["Privately", "given_bytes", "given_text", "open_vault"]


def open_vault(found: Ledger, given: str | None, *, create: bool = False) -> Vault:
    """Open the vault of a ledger: the one that was named, or where it usually is."""
    return Vault.open(_path(found, given), found.origin, found.identity, create=create)


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


@dataclass(slots=True)
class Privately:
    """The private side of one record: `fill` tells the ledger's part of it, `keep` notes the rest in the vault."""

    donor: str | None
    values: tuple[tuple[str, str], ...]
    vault: str | None
    details: tuple[Detail, ...] = ()

    @classmethod
    def told(cls, options: dict[str, Any], donor: str | None) -> Privately:
        """Take ``--private`` and ``--vault`` out of the options, and read what stands elsewhere."""
        private, vault = options.pop("private"), options.pop("vault")
        pairs = [text.partition("=") for text in private]
        if not all(equals for _, equals, _ in pairs):
            raise click.UsageError("--private must be NAME=VALUE, such as payee=@payee.txt")
        if (donor == "-") + sum(value == "-" for _, _, value in pairs) > 1:
            raise click.UsageError("Only one thing can be read from stdin; take @FILE for the others.")
        values = tuple((name, _value(name, value)) for name, _, value in pairs)
        if values:
            new_details(values)  # says what is wrong with them before anything is opened
        return cls(None if donor is None else given_text(donor, "the donor's name"), values, vault)

    def fill(self, found: Ledger, entry: dict[str, Any]) -> None:
        """Put the donor's pseudonym and the root of the details into an entry; the vault stays as it is."""
        if self.donor is not None:
            with open_vault(found, self.vault) as vault:
                entry["donor"] = vault.pseudonym(self.donor, entry["id"], note=False).hex()
        if self.values:
            kept = None
            if _path(found, self.vault).exists():
                with open_vault(found, self.vault) as vault:
                    kept = vault.same_details(entry["id"], self.values)
            # Salts of a try that was killed are taken again, so that the record is the same, however often it is told.
            self.details = kept or new_details(self.values)
            entry["private"] = commit(self.details)[0].hex()

    def keep(self, found: Ledger, id_: str) -> None:
        """Note label and details of a record that is about to be sealed for the first time."""
        if self.donor is None and not self.details:
            return
        with open_vault(found, self.vault, create=True) as vault:
            if self.details:
                vault.keep_details(id_, self.details, replace=True)
            if self.donor is not None:
                vault.pseudonym(self.donor, id_)


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
