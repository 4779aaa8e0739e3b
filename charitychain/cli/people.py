"""``donor``: the people behind pseudonyms, who stand in the vault."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import click

from charitychain.claims import format_claim
from charitychain.cli import output
from charitychain.cli.files import check_new, new_file
from charitychain.cli.privately import given_text
from charitychain.cli.session import formatted
from charitychain.cli.vaults import confirm_erasing, hand_out, in_vault, vault_of
from charitychain.codec import check_id
from charitychain.errors import UnreadableError
from charitychain.interop.names_table import write_gifts_table

_NAME_HELP = "NAME may be -, which reads it from stdin: other users of this machine can see arguments."


@click.group()
def donor() -> None:
    """Name donors in the vault, and hand them claims to their gifts; the ledger holds pseudonyms only."""


@donor.command("add", epilog=_NAME_HELP)
@click.argument("name")
@in_vault
def donor_add(name: str, **options: Any) -> None:
    """Note a donor in the vault, which is made if there is none."""
    name = given_text(name, "the donor's name")
    with vault_of(options, create=True) as (_, vault):
        new = vault.add_donor(name)
        output.echo("donor added" if new else "this donor was there already")


@donor.command("list")
@in_vault
@formatted
def donor_list(format_: str, as_json: bool, **options: Any) -> None:
    """List donors, and how many labels (donations and series) were noted for each."""
    with vault_of(options) as (_, vault):
        columns = ("donor", "labels")
        output.show_rows("json" if as_json else format_, columns, vault.donors(), right=("labels",))


@donor.command("pseudonym", epilog=_NAME_HELP)
@click.argument("name")
@click.argument("label")
@in_vault
def donor_pseudonym(name: str, label: str, **options: Any) -> None:
    """Print the pseudonym of a donor under LABEL, and note the label.

    LABEL is the id of the donation, or, for gifts of a series, the id of the series.
    """
    name = given_text(name, "the donor's name")
    with vault_of(options) as (_, vault):
        output.echo(vault.pseudonym(name, label).hex())


@donor.command("claim", epilog=_NAME_HELP)
@click.argument("name")
@click.option("--label", metavar="LABEL", multiple=True, help="Only this donation or series; may repeat.")
@click.option("-o", "--output", "path", metavar="FILE", help="Write it to a new file that only you can read.")
@in_vault
def donor_claim(name: str, label: tuple[str, ...], path: str | None, **options: Any) -> None:
    """Write a claim: with it a donor follows the gifts with `trace --mine`. Whoever has it knows the gifts."""
    name = given_text(name, "the donor's name")
    with vault_of(options) as (_, vault):
        hand_out(format_claim(vault.claim(name, label or None)), path, "The claim is")


@donor.command("erase", epilog=_NAME_HELP)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_vault
def donor_erase(name: str, yes: bool, **options: Any) -> None:
    """Erase a donor's name, key and labels from the vault. The gifts stay in the ledger and lead to nobody."""
    name = given_text(name, "the donor's name")
    with vault_of(options) as (_, vault):
        confirm_erasing(yes, f"Erase {name} for ever?")
        vault.erase(name)
        output.echo("donor erased")
        output.say("Copies of the vault, and claims that were handed out, are not reached by this: erase them too.")


@donor.command("table")
@click.argument("file", metavar="FILE")
@click.option("--series", metavar="NAME", help="The series of the gifts; else FILE's name without its ending.")
@click.option("-o", "--output", "path", metavar="OUT", help="Write it to a new file instead of stdout.")
@in_vault
def donor_table(file: str, series: str | None, path: str | None, **options: Any) -> None:
    """Turn FILE, a CSV of gifts with names (id,amount,name[,second]), into a gifts table with pseudonyms.

    Names that the vault does not know are added to it. The table is for `import --series`, and for that series alone.
    FILE may be -, which reads stdin.
    """
    if series is None:
        if file == "-":
            raise click.UsageError("A table from stdin needs --series NAME.")
        series = Path(file).stem
    check_id(series, what="series")
    if path is not None:
        check_new(path)
    with vault_of(options, create=True) as (_, vault), _source(file) as (source, size), _target(path) as target:
        meter = output.Meter("Naming donors")
        progress = None if size is None else partial(_show_progress, meter, size)
        try:
            done = write_gifts_table(vault, source, target, series=series, progress=progress)
        finally:
            meter.close()
    one = done.added == 1
    output.say(
        f"{done.gifts} gift{'s' * (done.gifts != 1)} of series {series}; {done.added} donor{'s' * (not one)}"
        f" {'was' if one else 'were'} added to the vault."
    )
    out = "FILE" if path is None else shlex.quote(path)
    output.say(f"Enter them with: charitychain import {out} --account ACCOUNT --series {shlex.quote(series)}")


def _show_progress(meter: output.Meter, size: int, done: int) -> None:
    meter(done, size)


@contextmanager
def _source(path: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open a file; its size is not known where it is stdin."""
    if path == "-":
        yield sys.stdin.buffer, None
        return
    try:
        stream = open(path, "rb")  # noqa: SIM115 (only its opening is tried)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}", path=path) from error
    with stream:
        yield stream, os.fstat(stream.fileno()).st_size


@contextmanager
def _target(path: str | None) -> Iterator[IO[bytes]]:
    """Give a stream whose content stands under `path`, or on stdout, once all went well; else nowhere."""
    if path is not None:
        with new_file(path) as stream:
            yield stream
        return
    with tempfile.TemporaryFile() as kept:
        yield kept
        kept.seek(0)
        shutil.copyfileobj(kept, sys.stdout.buffer)
