"""What commands share: which ledger, which keys, which passphrase, which output format."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from charitychain.cli.output import FORMATS, Meter, say
from charitychain.errors import CharitychainError, MalformedError, VerificationError
from charitychain.fetch import is_url
from charitychain.heads import Heads, state_directory
from charitychain.keyring import KeyEntry, Keyring, passphrase_source
from charitychain.ledger import Ledger
from charitychain.reading import Reader
from charitychain.records import check_date

__all__ = [
    "at_moment", "formatted", "ledger_path", "ledger_place", "looked_into", "new_passphrase", "on_ledger", "opened",
    "opened_others", "pin_made", "with_keys", "with_others",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


def on_ledger(command: F) -> F:
    """Add ``--ledger``."""
    return click.option("-l", "--ledger", metavar="LEDGER", help="The ledger file.")(command)


def at_moment(command: F) -> F:
    """Add ``--at`` and ``--at-height``."""
    for option in reversed(
        [
            click.option(
                "--at", "at_date", metavar="DATE",
                help="As it was sealed up to the end of this year, month or day (UTC): YYYY, YYYY-MM or YYYY-MM-DD.",
            ),
            click.option("--at-height", metavar="N", type=click.IntRange(0), help="As it was up to block N."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def with_keys(command: F) -> F:
    """Add ``--keys`` and where a passphrase comes from; never the passphrase itself."""
    for option in reversed(
        [
            click.option("--keys", metavar="DIR", help="Folder of key files; else $CHARITYCHAIN_KEYS, else your own."),
            click.option("--passphrase-file", metavar="FILE", help="Read the passphrase from the first line of FILE."),
            click.option("--passphrase-command", metavar="CMD", help="Run CMD and take its output as the passphrase."),
        ]
    ):
        command = option(command)
    return command


def formatted(command: F) -> F:
    """Add ``--format`` and ``--json``."""
    command = click.option("--json", "as_json", is_flag=True, help="Short for --format json.")(command)
    return click.option(
        "--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print it."
    )(command)


def ledger_place(given: str | None) -> Path | str:
    """Return the ledger a command is about: given, from the environment, or the only one in this folder.

    A path; or, as text, the address where one is published.
    """
    if given == "":
        raise click.UsageError("The ledger's name is empty; name a file.")
    context = click.get_current_context()
    found = given or (context.find_root().obj or {}).get("ledger") or os.environ.get("CHARITYCHAIN_LEDGER")
    if found:
        return found if is_url(found) else Path(found)
    here = sorted(Path.cwd().glob("*.ledger"))
    if len(here) == 1:
        return Path(here[0].name)
    what = f"there are {len(here)} *.ledger files" if here else "there is no *.ledger file"
    raise click.UsageError(
        f"Which ledger? {what} in this folder; name one with --ledger LEDGER or $CHARITYCHAIN_LEDGER."
    )


def ledger_path(given: str | None) -> Path:
    """Return the path of the ledger file a command is about, which is no address."""
    place = ledger_place(given)
    if isinstance(place, str):
        raise click.UsageError(f"{place} is an address; this command is about a ledger file.")
    return place


def passphrases(options: dict[str, Any], *, confirm: bool = False) -> Callable[[KeyEntry], bytes]:
    """Return where passphrases come from: file, command, environment, or a prompt on a terminal."""

    def prompt(entry: KeyEntry) -> bytes:
        label = f"New passphrase for {entry.party}" if confirm else f"Passphrase for {entry.path.name}"
        text: str = click.prompt(label, hide_input=True, confirmation_prompt=confirm, err=True)
        return text.encode()

    return passphrase_source(
        file=options.get("passphrase_file"),
        command=options.get("passphrase_command"),
        environ=os.environ,
        prompt=prompt if sys.stdin.isatty() else None,
    )


def new_passphrase(options: dict[str, Any], keyring: Keyring, name: str) -> bytes:
    """Return a passphrase for a key file that is about to be made."""
    return passphrases(options, confirm=True)(KeyEntry(keyring.directory / f"the new key of {name}", name, b""))


def _warn_of_another(found: Ledger) -> None:
    """Say on stderr where another ledger is known at this path; `verify` calls it a fault."""
    try:
        pinned = Heads(state_directory(os.environ)).pinned(found.path)
    except CharitychainError:
        return
    if pinned is not None and pinned != found.identity:
        say(f"Warning: another ledger stood at {found.path} before; `charitychain verify` says more. [CC-IDENTITY]")


def _compare_with_known(found: Ledger, reader: Reader) -> None:
    """Compare a ledger with the head of it that this machine remembers, as `verify` does.

    Args:
        reader: Of `found`, or of an earlier moment of it.

    Raises:
        VerificationError: ``CC-FORK``: what is published is another history. Of a file that is said, and it answers:
            whoever has it may need to see what it holds.
    """
    from charitychain import forks

    try:
        known = Heads(state_directory(os.environ)).head(found.identity)
    except CharitychainError as error:
        say(f"Warning: {error.message} [{error.code}]")
        return
    if known is None:
        return
    if known.height > reader.head.height and found.on_reader is None:
        try:
            reader = found.reader()
        except CharitychainError:  # damage behind the moment that was asked for is no matter here
            return
    name = found.published.place if found.published is not None else str(found.path)
    if known.height > reader.head.height:
        if not found.grown(reader.head):  # else the index is busy, and answers as of an earlier block
            say(
                f"Warning: this machine has seen block {known.height} of this ledger, and {name} ends at block"
                f" {reader.head.height}: it is older, or blocks were cut off. [CC-OLDER]"
            )
        return
    try:
        fork = forks.find_fork(known.checkpoint.encode(), reader.checkpoint.encode(), reader.index.header_node)
    except (MalformedError, ValueError):
        say("Warning: what this machine remembers of this ledger cannot be used; `charitychain verify` says more.")
        return
    except VerificationError as error:
        raise VerificationError("CC-INDEX", f"the index does not fit the sealed log: {error.message}") from error
    if fork is None:
        return
    forked = forks.forked(fork, f"{name} and what this machine remembers")
    if found.published is not None:
        raise forked
    say(f"Warning: {forked.message}: `charitychain verify --evidence-to FILE` writes it. [CC-FORK]")


def _watch(found: Ledger, view: Ledger | None = None) -> None:
    """Let a ledger, or the view of an earlier moment of it, be compared once, when it is first looked into."""
    asked = view if view is not None else found

    def compare(reader: Reader) -> None:
        _compare_with_known(found, reader)
        asked.on_reader = None

    found.on_reader, asked.on_reader = None, compare


@contextmanager
def opened(
    ledger: str | None, *, at_date: str | None = None, at_height: int | None = None, **options: Any
) -> Iterator[Ledger]:
    """Open the ledger for a command, say what it noticed, and show progress while an index is made."""
    if at_date is not None and at_height is not None:
        raise click.UsageError("--at and --at-height say the same in two ways; give one of them.")
    if at_date is not None:
        try:
            check_date(at_date, "--at")
        except MalformedError as error:
            raise click.UsageError(error.message) from None
    keys = options.get("keys")
    with ExitStack() as stack:
        meter = Meter("Fetching")
        stack.callback(meter.close)
        place = ledger_place(ledger)
        found = stack.enter_context(Ledger.open(place, keys=keys, passphrase=passphrases(options), progress=meter))
        meter = Meter("Making the index")
        stack.callback(meter.close)
        _warn_of_another(found)
        _watch(found)
        if at_date is not None or at_height is not None:
            meter = Meter("Going back")
            stack.callback(meter.close)
            whole, found = found, stack.enter_context(found.at(date=at_date, height=at_height))
            _watch(whole, found)
        found.progress = meter
        try:
            yield found
        finally:
            meter.close()
            for notice in found.notices:
                say(f"Note: {notice}")


def pin_made(made: Ledger) -> None:
    """Remember that a ledger was made just now at its path."""
    try:
        Heads(state_directory(os.environ)).pin(made.path, made.identity)
    except (CharitychainError, OSError) as error:
        say(f"Note: the ledger's identity could not be remembered here: {error}")


def with_others(command: F) -> F:
    """Add ``--with``."""
    return click.option(
        "--with", "others", metavar="LEDGER", multiple=True,
        help="Another ledger, to or from which value was sent; may repeat.",
    )(command)  # fmt: skip


@contextmanager
def opened_others(paths: Sequence[str]) -> Iterator[list[Ledger]]:
    """Open the ledgers that ``--with`` names."""
    with ExitStack() as stack:
        yield [stack.enter_context(opened(path)) for path in paths]


@contextmanager
def looked_into(options: dict[str, Any]) -> Iterator[Ledger]:
    """Open the ledger to look at it before an entry is made; what there is to notice is said when it is recorded."""
    with Ledger.open(ledger_path(options["ledger"]), keys=options["keys"]) as found:
        meter = found.progress = Meter("Making the index")
        try:
            yield found
        finally:
            meter.close()
