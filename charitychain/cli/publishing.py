"""``publish``, ``follow`` and ``evidence``: a ledger for everybody to read, and what to do when it forks."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charitychain.cli import output
from charitychain.cli.files import write_new
from charitychain.cli.session import formatted, on_ledger, opened
from charitychain.cli.vkeys import VKEY
from charitychain.errors import CharitychainError, RefusedError, UnreadableError, VerificationError

if TYPE_CHECKING:
    from charitychain.follow import Sighting
    from charitychain.forks import Fork
    from charitychain.note import VerifierKey

__all__ = ["evidence", "evidence_kept", "follow", "keep_evidence", "publish"]

_POLICY = click.option("--policy", metavar="FILE", help="What the checkpoint must satisfy, in the form of C2SP.")
_TO = click.option("--evidence-to", metavar="FILE", help="Where evidence of a fork goes; else fork-HASH.txt here.")


def keep_evidence(fork: Fork, to: str | None) -> None:
    """Write evidence of a fork, and say where; that it cannot be written must not hide that there is a fork."""
    from charitychain.forks import encode_fork

    data = encode_fork(fork)
    path = to or f"fork-{hashlib.sha256(data).hexdigest()[:16]}.txt"
    try:
        write_new(path, data, mode=0o644)
    except RefusedError as error:
        if not _holds(path, data):
            output.say(f"The evidence could not be written: {error.message}")
            return
    except CharitychainError as error:
        output.say(f"The evidence could not be written: {error.message}")
        return
    output.say(f"Evidence: {path}. Anybody can check it: charitychain evidence verify {path} --operator-key VKEY")


def _holds(path: str, data: bytes) -> bool:
    try:
        return Path(path).read_bytes() == data
    except OSError:
        return False


@contextmanager
def evidence_kept(to: str | None, *, always: bool = True) -> Iterator[None]:
    """Write the evidence of a fork that is met on the way.

    Args:
        always: Write it even where nobody named a file.
    """
    try:
        yield
    except VerificationError as error:
        fork = error.facts.get("fork")
        if fork is not None and (always or to is not None):
            keep_evidence(fork, to)
        raise


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_POLICY
@_TO
@on_ledger
@formatted
def publish(
    folder: Path, policy: str | None, evidence_to: str | None, ledger: str | None, format_: str, as_json: bool
) -> None:
    """Publish the ledger into FOLDER, for any web server or bucket to serve.

    What is there stays; what is new is added, and the checkpoint is replaced last. Exit code 7: the checkpoint is
    below the policy, or more is published than this file holds. 1: another history is published there.
    """
    from charitychain.cosigned import read_policy
    from charitychain.publishing import publish as publish_into

    wanted = read_policy(Path(policy)) if policy is not None else None
    with opened(ledger) as found, evidence_kept(evidence_to):
        if found.published is not None:
            raise RefusedError(
                "CC-PUBLISHED", f"{found.published.place} is published already; copy its files, the checkpoint last"
            )
        done = publish_into(found.reader(), found.path, folder, policy=wanted)
    name, more = output.safe(str(folder)), done.blocks - done.before
    sentence = f"{name} holds {done.blocks} block{'s' * (done.blocks != 1)}, {more} of them new"
    facts = {"folder": str(folder), "blocks": done.blocks, "new": more, "files": done.files}
    output.show_facts("json" if as_json else format_, facts, sentence)


@click.command()
@click.argument("place", metavar="PLACE")
@click.option("--once", is_flag=True, help="Look once; so it is without --every, too.")
@click.option("--every", metavar="SECONDS", type=click.IntRange(1), help="Look again and again, until interrupted.")
@click.option(
    "--operator-key", metavar="VKEY", type=VKEY, multiple=True,
    help="A key of the operator that you trust; may repeat. Else the policy's logs, else the one block 0 names.",
)  # fmt: skip
@_POLICY
@_TO
@formatted
def follow(
    place: str, once: bool, every: int | None, operator_key: tuple[VerifierKey, ...], policy: str | None,
    evidence_to: str | None, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Watch a published ledger: what was published before must still be there.

    PLACE is an address, or a folder. Exit code 0: what is published extends what this machine remembers, and is
    remembered now. 1: it does not, or is signed by nobody who is believed; evidence of a fork is written. 8: it has
    become shorter, or is below the policy, and is not remembered. 3: it cannot be reached.
    """
    if once and every is not None:
        raise click.UsageError("--once and --every contradict each other; give one of them.")
    from charitychain.cosigned import read_policy
    from charitychain.fetch import open_source
    from charitychain.follow import follow as look
    from charitychain.heads import Heads, state_directory
    from charitychain.mirror import cache_directory, copy_path

    wanted = read_policy(Path(policy)) if policy is not None else None
    format_ = "json" if as_json else format_
    source, heads = open_source(place), Heads(state_directory(os.environ))
    pin = copy_path(cache_directory(os.environ), source)
    code = 0
    try:
        with evidence_kept(evidence_to):
            while True:
                try:
                    seen = look(source, heads, pin, keys=operator_key, policy=wanted)
                except UnreadableError as error:
                    if every is None:
                        raise
                    output.say(f"Error: {error.message} [{error.code}]")
                else:
                    code = 8 if seen.shorter or seen.missing else 0
                    _tell(seen, place, format_)
                if every is None:
                    return code
                time.sleep(every)
    finally:
        source.close()


def _tell(seen: Sighting, place: str, format_: str) -> None:
    facts: dict[str, Any] = {
        "place": place, "origin": seen.origin, "identity": seen.identity.hex(), "blocks": seen.blocks,
        "known": seen.known, "shorter": seen.shorter, "missing": list(seen.missing),
        "checkpoint": seen.checkpoint.decode(),
    }  # fmt: skip
    count = f"{output.safe(seen.origin)}: {seen.blocks} block{'s' * (seen.blocks != 1)}"
    if seen.shorter:
        sentence = f"{count}, fewer than the {seen.known} that were published before"
    elif seen.known:
        sentence = f"{count}, beginning with the {seen.known} known before"
    else:
        sentence = f"{count}, seen for the first time"
    output.show_facts("jsonl" if format_ == "json" else format_, facts, sentence)
    if seen.shorter:
        output.say("Warning: what was published has been taken back, or an older copy is served.")
    for words in seen.missing:
        output.say(f"Warning: below the policy, so it is not remembered: {words}")
    if not seen.named and not seen.known:
        output.say(
            "Note: the operator's key was taken from the ledger itself; --operator-key with the key that you got"
            " another way shows that it is the operator's."
        )


@click.group()
def evidence() -> None:
    """Check evidence that an operator signed two histories. Documents behind records: see `check-evidence`."""


@evidence.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--operator-key", metavar="VKEY", type=VKEY, multiple=True, required=True,
    help="The operator's key that you trust; may repeat, where a ledger has had several.",
)  # fmt: skip
@formatted
def verify(file: Path, operator_key: tuple[VerifierKey, ...], format_: str, as_json: bool) -> None:
    """Check that FILE proves that the operator signed two histories. It needs nothing else.

    Exit code 0: it does. 1: it does not. 3: FILE is no such evidence.
    """
    from charitychain.forks import MAX_FORK_BYTES, check_fork, decode_fork

    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FORK_BYTES + 1)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{file} cannot be read: {error.strerror}") from error
    fork = decode_fork(data, str(file))
    first, second = check_fork(fork, operator_key)
    other = (fork.root or second.root).hex()
    facts = {
        "origin": first.origin, "blocks": first.size, "root": first.root.hex(), "other_root": other,
        "other_blocks": second.size,
    }  # fmt: skip
    sentence = (
        f"{output.safe(first.origin)}: two histories were signed\n"
        f"  one of {first.size} blocks with root {first.root.hex()}\n"
        f"  one of {second.size} blocks, whose first {first.size} have root {other}"
    )
    output.show_facts("json" if as_json else format_, facts, sentence)
