"""``receipt verify``: a receipt checked with no ledger at hand, and what stands behind it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charitychain import armour
from charitychain.cli import output
from charitychain.cli.backing import backing
from charitychain.cli.files import read_note
from charitychain.cli.proved import facts_of, show_checked
from charitychain.cli.session import formatted
from charitychain.cli.vkeys import VKEY
from charitychain.errors import CharitychainError, UnreadableError, VerificationError

if TYPE_CHECKING:
    from charitychain.note import VerifierKey
    from charitychain.receipts.check import Checked

__all__ = ["ARMOUR", "is_receipt", "read_receipt", "verify"]

ARMOUR = "RECEIPT"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--operator-key", "trusted", metavar="VKEY", type=VKEY, multiple=True,
    help="The operator's key that you trust, as `checkpoint key` prints it; repeat for the other ledgers in a receipt.",
)  # fmt: skip
@click.option("--checkpoint", "known", metavar="FILE", type=click.Path(path_type=Path), help="A checkpoint you kept.")
@click.option("--policy", metavar="FILE", type=click.Path(path_type=Path), help="Which witnesses must have cosigned.")
@click.option("--auditor-key", "auditors", metavar="VKEY", multiple=True, help="Who must have audited it; repeat.")
@click.option("--all", "everything", is_flag=True, help="Show every use, however many there are.")
@formatted
def verify(
    file: Path, trusted: tuple[VerifierKey, ...], known: Path | None, policy: Path | None, auditors: tuple[str, ...],
    everything: bool, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Check a receipt, with no ledger at hand, and show what it proves; a dash reads it from stdin.

    Exit code 0: it holds. 1: it does not. 8: it holds, but less than was asked for: witnesses, an auditor or the key of
    another ledger in it are missing, a checkpoint cannot be compared, or a part is computed and not proved.
    """
    from charitychain.receipts.check import check_receipt

    format_ = "json" if as_json else format_
    if format_ == "csv":
        raise click.UsageError("A receipt is shown as a table or as JSON.")
    data, _ = read_receipt(file)
    checked = check_receipt(data, file.name)
    notes, short = _whose(checked, trusted)
    short += _compared(checked, known, trusted)
    behind, lines, missing = backing(checked.receipt.note, policy, auditors)
    short += missing
    if checked.receipt.stops:
        short.append("a part of the way is computed and not proved, by the word of whoever made this file")
    if format_ in ("json", "jsonl"):
        told = facts_of(checked) | behind | {"short": short}
        trace = checked.trace.to_dict() if checked.trace is not None else {}
        output.write_json(trace | {"receipt": told}, line=format_ == "jsonl")
    else:
        show_checked(checked, everything)
        for line in lines:
            output.echo(f"The {line}.")
    for line in [*notes, *short]:
        output.say(f"Note: {line}.")
    return 8 if short else 0


def read_receipt(file: Path) -> tuple[bytes, bool]:
    """Return the bytes of a receipt, and whether it was in its text form.

    Raises:
        UnreadableError: ``CC-UNREADABLE``, ``CC-RECEIPT``.
    """
    from charitychain.receipts.wire import MAGIC, MAX_BYTES

    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(2 * MAX_BYTES)
        else:
            with file.open("rb") as stream:
                data = stream.read(2 * MAX_BYTES)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{file} cannot be read: {error.strerror}") from error
    if data.startswith(MAGIC):
        return data, False
    try:
        return armour.unwrap(data, ARMOUR), True
    except CharitychainError as error:
        raise UnreadableError("CC-RECEIPT", f"{file.name} is no receipt: {error.message}") from error


def is_receipt(path: str) -> bool:
    """Say whether a file looks like a receipt, in either form."""
    from charitychain.receipts.wire import MAGIC

    try:
        with open(path, "rb") as stream:
            start = stream.read(1 << 16)
    except OSError:
        return False
    return start.startswith(MAGIC) or b"-----BEGIN CHARITYCHAIN RECEIPT-----" in start


def _whose(checked: Checked, trusted: Sequence[VerifierKey]) -> tuple[list[str], list[str]]:
    """Hold the keys that signed against those that somebody trusts; return what to note, and what is missing.

    Another ledger's first key needs nobody's word: the identity to which this one sent binds it.
    """
    if not trusted:
        notes = ["the operator's key was taken from the receipt itself; compare it, or give it with --operator-key"]
    elif checked.key not in trusted:
        raise VerificationError(
            "CC-RECEIPT", f"the receipt's checkpoint is signed by {checked.vkey}, not by the key that was given"
        )
    else:
        notes = []
    short = [
        f"the part in {each.origin} is signed by {each.vkey}, not the first key of its ledger; give the one that you"
        " trust with --operator-key"
        for each in checked.all_others()
        if not each.by_first_key and each.key not in trusted
    ]
    return notes, short


def _compared(checked: Checked, known: Path | None, trusted: Sequence[VerifierKey]) -> list[str]:
    """Hold the receipt's checkpoints against one that somebody kept, if the operator signed that."""
    from charitychain import note
    from charitychain.checkpoints import read_checkpoint

    if known is None:
        return []
    data = read_note(known)
    told = read_checkpoint(data, known.name)
    if told.origin != checked.origin:
        raise VerificationError("CC-CHECKPOINT", f"{known.name} is of {told.origin}, not of {checked.origin}")
    try:
        sealing = checked.shown.parties[0].sealing_keys(min(told.size, checked.size))
        note.open_note(data, trusted or note.verifier_keys(checked.origin, sealing))
    except VerificationError as error:
        raise VerificationError(
            "CC-CHECKPOINT", f"{known.name} is not signed by the operator of the receipt: {error.message}"
        ) from error
    notes = [checked.receipt.note, *(before for before, _ in checked.receipt.consistency)]
    for mine in (note.parse_checkpoint(note.parse_note(each).text) for each in notes):
        if mine.size == told.size and mine.root == told.root:
            return []
        if mine.size == told.size:
            raise VerificationError(
                "CC-CHECKPOINT",
                f"{known.name} and the receipt know other histories of {mine.size} blocks: two were signed. Keep both"
                " files: together they prove it",
            )
    return [
        f"{known.name} knows {told.size} blocks and the receipt {checked.size}; `receipt update`, or the ledger, shows"
        " whether both are one history"
    ]
