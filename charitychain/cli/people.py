"""``donor`` and ``annex``: the people behind pseudonyms, and private details of records; both stand in the vault."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from charitychain import records
from charitychain.claims import format_claim
from charitychain.cli import output
from charitychain.cli.privately import given_bytes, given_text, made_vault, open_vault
from charitychain.cli.session import formatted, on_ledger, opened
from charitychain.codec import check_id
from charitychain.durable import create_file, sync_directory
from charitychain.errors import NotFoundError, RefusedError, StorageError, UnreadableError, VerificationError
from charitychain.interop.names_table import write_gifts_table
from charitychain.ledger import Ledger
from charitychain.private import DISCLOSURE_MAX, check_disclosure, format_disclosure, parse_disclosure, root_of
from charitychain.vault import Vault

F = TypeVar("F", bound=Callable[..., Any])
_NAME_HELP = "NAME may be -, which reads it from stdin: other users of this machine can see arguments."


def in_vault(command: F) -> F:
    """Add ``--ledger``, ``--vault`` and ``--keys``."""
    command = click.option("--keys", metavar="DIR", help="Folder of key files, where the vault is too.")(command)
    command = click.option("--vault", metavar="FILE", help="The vault; else $CHARITYCHAIN_VAULT.")(command)
    return on_ledger(command)


class _Open(ExitStack):
    """The ledger and its vault, both closed in the end."""

    def __init__(self, options: dict[str, Any], *, create: bool = False) -> None:
        super().__init__()
        self.options, self.create = options, create

    def both(self) -> tuple[Ledger, Vault]:
        found = self.enter_context(opened(self.options["ledger"], keys=self.options["keys"]))
        opening = made_vault if self.create else open_vault
        return found, self.enter_context(opening(found, self.options["vault"]))


def _confirm(yes: bool, question: str) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Erasing cannot be undone; say --yes where nobody can be asked.")
    click.confirm(output.safe(question), abort=True, err=True)


def _hand_out(text: str, path: str | None, what: str) -> None:
    """Write something private to a file of mode 0600, or to stdout."""
    if path is None:
        output.write_json(json.loads(text))  # it escapes what could steer a terminal
        return
    try:
        create_file(Path(path), text.encode())
    except FileExistsError as error:
        raise RefusedError("CC-EXISTS", f"{path} exists already; choose another name", path=path) from error
    except OSError as error:
        raise StorageError("CC-STORAGE", f"{path} could not be written: {error.strerror}", path=path) from error
    output.say(f"{what} written to {path}, readable by you alone.")


# ---------------------------------------------------------------------------------------------------- donors


@click.group()
def donor() -> None:
    """Name donors in the vault, and hand them claims to their gifts; the ledger holds pseudonyms only."""


@donor.command("add", epilog=_NAME_HELP)
@click.argument("name")
@in_vault
def donor_add(name: str, **options: Any) -> None:
    """Note a donor in the vault, which is made if there is none."""
    name = given_text(name, "the donor's name")
    with _Open(options, create=True) as both:
        _, vault = both.both()
        new = vault.add_donor(name)
        output.echo("donor added" if new else "this donor was there already")


@donor.command("list")
@in_vault
@formatted
def donor_list(format_: str, as_json: bool, **options: Any) -> None:
    """List donors, and how many labels (donations and series) were noted for each."""
    with _Open(options) as both:
        _, vault = both.both()
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
    with _Open(options) as both:
        _, vault = both.both()
        output.echo(vault.pseudonym(name, label).hex())


@donor.command("claim", epilog=_NAME_HELP)
@click.argument("name")
@click.option("--label", metavar="LABEL", multiple=True, help="Only this donation or series; may repeat.")
@click.option("-o", "--output", "path", metavar="FILE", help="Write it to a new file that only you can read.")
@in_vault
def donor_claim(name: str, label: tuple[str, ...], path: str | None, **options: Any) -> None:
    """Write a claim: with it a donor follows the gifts with `trace --mine`. Whoever has it knows the gifts."""
    name = given_text(name, "the donor's name")
    with _Open(options) as both:
        _, vault = both.both()
        _hand_out(format_claim(vault.claim(name, label or None)), path, "The claim is")


@donor.command("erase", epilog=_NAME_HELP)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_vault
def donor_erase(name: str, yes: bool, **options: Any) -> None:
    """Erase a donor's name, key and labels from the vault. The gifts stay in the ledger and lead to nobody."""
    name = given_text(name, "the donor's name")
    with _Open(options) as both:
        _, vault = both.both()
        _confirm(yes, f"Erase {name} for ever?")
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
    if path is not None and os.path.lexists(path):
        raise RefusedError("CC-EXISTS", f"{path} exists already; choose another name", path=path)
    with _Open(options, create=True) as both, _source(file) as (source, size), _new_file(path) as target:
        _, vault = both.both()
        meter = output.Meter("Naming donors")
        both.callback(meter.close)
        progress = None if size is None else partial(_show_progress, meter, size)
        done = write_gifts_table(vault, source, target, series=series, progress=progress)
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
def _new_file(path: str | None) -> Iterator[IO[bytes]]:
    """Give a stream whose content stands under `path`, or on stdout, once all went well; else nowhere."""
    if path is None:
        with tempfile.TemporaryFile() as kept:
            yield kept
            kept.seek(0)
            shutil.copyfileobj(kept, sys.stdout.buffer)
        return
    part = f"{path}.part"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise RefusedError("CC-EXISTS", f"{part} stands in the way; remove it", path=part) from error
    except OSError as error:
        raise StorageError("CC-STORAGE", f"{part} could not be made: {error.strerror}", path=part) from error
    try:
        with open(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        if os.path.lexists(path):
            raise RefusedError("CC-EXISTS", f"{path} exists already; choose another name", path=path)
        os.rename(part, path)
        sync_directory(Path(path).parent)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)


# ----------------------------------------------------------------------------------------------------- annex


@click.group()
def annex() -> None:
    """Show, disclose, check and erase private details of records."""


@annex.command("show")
@click.argument("id_", metavar="ID")
@in_vault
@formatted
def annex_show(id_: str, format_: str, as_json: bool, **options: Any) -> None:
    """Show the private details of the record ID."""
    check_id(id_)
    with _Open(options) as both:
        found, vault = both.both()
        kept = vault.details(id_)
        try:
            sealed = _sealed_root(found, id_)
        except NotFoundError:
            output.say(f"Note: the ledger holds no {id_}; the details are left from a try that was not sealed.")
        else:
            if sealed != root_of([item.leaf for item in kept]):
                raise VerificationError("CC-PRIVATE", f"the vault's details of {id_!r} are not the sealed ones", id=id_)
        rows = [
            (item.detail.name if item.detail else None, item.detail.value if item.detail else None, item.detail is None)
            for item in kept
        ]
        if format_ == "table" and not as_json:
            rows = [(name or "(erased)", value or "", erased) for name, value, erased in rows]
        output.show_rows("json" if as_json else format_, ("name", "value", "erased"), rows)


@annex.command("disclose")
@click.argument("id_", metavar="ID")
@click.argument("name")
@click.option("-o", "--output", "path", metavar="FILE", help="Write it to a new file that only you can read.")
@in_vault
def annex_disclose(id_: str, name: str, path: str | None, **options: Any) -> None:
    """Write the detail NAME of the record ID with what proves it; it tells nothing of the other details."""
    check_id(id_)
    with _Open(options) as both:
        found, vault = both.both()
        shown = vault.disclose(id_, name)
        check_disclosure(shown, identity=found.identity, root=_sealed_root(found, id_))
        _hand_out(format_disclosure(shown), path, "The disclosure is")


@annex.command("check")
@click.argument("file", metavar="FILE")
@on_ledger
@formatted
def annex_check(file: str, ledger: str | None, format_: str, as_json: bool) -> None:
    """Check a disclosure against the ledger, without its vault. FILE may be -, which reads stdin."""
    shown = parse_disclosure(given_bytes(file, DISCLOSURE_MAX))
    with opened(ledger) as found:
        if shown.identity != found.identity:  # before the id is looked up, which another ledger may hold too
            check_disclosure(shown, identity=found.identity, root=shown.root)
        check_disclosure(shown, identity=found.identity, root=_sealed_root(found, shown.id))
        facts = {"id": shown.id, "name": shown.detail.name, "value": shown.detail.value, "holds": True}
        id_, name, value = (output.safe(text) for text in (shown.id, shown.detail.name, shown.detail.value))
        output.show_facts("json" if as_json else format_, facts, f"{id_}: {name} is {value}; the ledger sealed this.")


@annex.command("erase")
@click.argument("id_", metavar="ID")
@click.argument("name", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_vault
def annex_erase(id_: str, name: str | None, yes: bool, **options: Any) -> None:
    """Erase the detail NAME of the record ID from the vault, or all its details."""
    check_id(id_)
    with _Open(options) as both:
        _, vault = both.both()
        _confirm(yes, f"Erase {f'the detail {name}' if name else 'all details'} of {id_} for ever?")
        count = vault.erase_detail(id_, name)
        output.echo(f"{count} detail{'s' * (count != 1)} of {output.safe(id_)} erased")
        output.say("Copies of the vault, and disclosures that were handed out, are not reached by this.")


def _sealed_root(found: Ledger, id_: str) -> bytes:
    """Return the root that a record was sealed with.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``.
        VerificationError: ``CC-PRIVATE``: the record has no private details.
    """
    reader = found.reader()
    row = reader.index.find_id(id_)
    if row is None:
        raise NotFoundError("CC-UNKNOWN-ID", f"this ledger holds no id {id_!r}", id=id_)
    record = reader.record(row.place)
    reader.check_author(row.place)
    if records.record_id(record) != id_:
        raise VerificationError("CC-INDEX", f"the index says another place of {id_!r} than was sealed")
    root: bytes | None = getattr(record, "private", None)
    if root is None:
        raise VerificationError("CC-PRIVATE", f"the record {id_!r} was sealed without private details", id=id_)
    return root
