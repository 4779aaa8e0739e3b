"""What ``donor`` and ``annex`` share: the open vault, a question before erasing, and private things handed out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from charitychain.cli import output
from charitychain.cli.files import write_new
from charitychain.cli.privately import made_vault, open_vault
from charitychain.cli.session import on_ledger, opened
from charitychain.ledger import Ledger
from charitychain.vault import Vault

__all__ = ["confirm_erasing", "hand_out", "in_vault", "vault_of"]

F = TypeVar("F", bound=Callable[..., Any])


def in_vault(command: F) -> F:
    """Add ``--ledger``, ``--vault`` and ``--keys``."""
    command = click.option("--keys", metavar="DIR", help="Folder of key files, where the vault is too.")(command)
    command = click.option("--vault", metavar="FILE", help="The vault; else $CHARITYCHAIN_VAULT.")(command)
    return on_ledger(command)


@contextmanager
def vault_of(options: dict[str, Any], *, create: bool = False) -> Iterator[tuple[Ledger, Vault]]:
    """Open the ledger and its vault, which is made where there is none and `create` says so."""
    opening = made_vault if create else open_vault
    with opened(options["ledger"], keys=options["keys"]) as found, opening(found, options["vault"]) as vault:
        yield found, vault


def confirm_erasing(yes: bool, question: str) -> None:
    """Ask before something is erased, unless ``--yes`` was said; where nobody can be asked, it must be."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Erasing cannot be undone; say --yes where nobody can be asked.")
    click.confirm(output.safe(question), abort=True, err=True)


def hand_out(text: str, path: str | None, what: str) -> None:
    """Write something private, which is JSON, to a new file of mode 0600, or to stdout."""
    if path is None:
        output.write_json(json.loads(text))  # it escapes what could steer a terminal
        return
    write_new(path, text.encode())
    output.say(f"{what} written to {path}, readable by you alone.")
