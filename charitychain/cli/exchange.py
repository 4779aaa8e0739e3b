"""``import`` and ``export``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from charitychain.cli import output
from charitychain.cli.files import new_file
from charitychain.cli.session import formatted, on_ledger, opened, with_keys
from charitychain.errors import UnreadableError
from charitychain.interop.gifts_table import import_gifts
from charitychain.interop.journal import export_journal, import_journal


@contextmanager
def _source(path: str) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file that can be read twice; standard input is kept in a temporary file for that."""
    if path != "-":
        try:
            file = open(path, "rb")  # noqa: SIM115 (only its opening is tried)
        except OSError as error:
            raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}") from error
        with file:
            yield file, os.fstat(file.fileno()).st_size
        return
    with tempfile.TemporaryFile() as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        size = kept.tell()
        kept.seek(0)
        yield kept, size


@click.command("import")
@click.argument("file")
@click.option("--account", metavar="ID", help="For a gifts table: the account that the gifts go to.")
@click.option("--series", metavar="NAME", help="For a gifts table: the name of its series.")
@click.option("--source", metavar="WORD", help="For a gifts table: where the gifts come from, such as goods-for-good.")
@click.option("--author", metavar="PARTY", help="For a gifts table: who signs, where it is not the owner.")
@click.option("--dry-run", is_flag=True, help="Check everything, record nothing.")
@on_ledger
@with_keys
@formatted
def import_(
    file: str, account: str | None, series: str | None, source: str | None, author: str | None, dry_run: bool,
    ledger: str | None, format_: str, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Enter FILE: a journal (JSON Lines), or with --account and --series a table of gifts (CSV). - is stdin.

    All of it or nothing. What the ledger holds already is skipped.
    """
    if (account is None) != (series is None):
        raise click.UsageError("A table of gifts needs both --account and --series.")
    if account is None and file.lower().endswith(".csv"):
        raise click.UsageError("A table of gifts (CSV) needs --account ID and --series NAME.")
    meter = output.Meter("Importing")
    try:
        with opened(ledger, **options) as found, _source(file) as (data, size):

            def progress(done: int) -> None:
                meter(done, size)

            if account is not None and series is not None:
                outcome = import_gifts(
                    found, data, account=account, series=series, origin=source, author=author, dry=dry_run,
                    progress=progress,
                )  # fmt: skip
            else:
                outcome = import_journal(found, data, dry=dry_run, progress=progress)
    finally:
        meter.close()
    told = output.imported(outcome.added, outcome.known, outcome.blocks, dry_run)
    output.show_facts("json" if as_json else format_, *told)


@click.command()
@click.option("-o", "--output", "target", metavar="FILE", help="Write to FILE instead of stdout.")
@on_ledger
def export(target: str | None, ledger: str | None) -> None:
    """Write the ledger as a journal: JSON Lines, one record a line."""
    import json

    with opened(ledger) as found:
        if target is None:
            for entry in export_journal(found):
                output.write_json(entry, line=True)
            return
        with new_file(target, mode=0o666, replace=True) as file:
            for entry in export_journal(found):
                file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
