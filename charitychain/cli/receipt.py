"""``receipt``: proofs for a donor's hand: made, checked with no ledger at hand, and brought forward."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charitychain import armour
from charitychain.cli import output
from charitychain.cli.files import read_note, write_new
from charitychain.cli.proved import facts_of, show_checked
from charitychain.cli.session import formatted, on_ledger, opened, opened_others, with_others
from charitychain.errors import CharitychainError, NotFoundError, RefusedError, UnreadableError, VerificationError

if TYPE_CHECKING:
    from charitychain.ledger import Ledger
    from charitychain.receipts.check import Checked
    from charitychain.receipts.make import Maker
    from charitychain.receipts.wire import Receipt

__all__ = ["READABLE", "maker_of", "receipt", "statement_of"]

READABLE = 0o644
_ARMOUR = "RECEIPT"


@click.group()
def receipt() -> None:
    """Make, check and bring up to date the proof of what became of a gift."""


@receipt.command()
@click.argument("donation", nargs=-1)
@click.option("--account", metavar="ID", help="A statement of this account instead of the receipt of a gift.")
@click.option(
    "--movements", metavar="FIRST-LAST", help="With --account: all its movements from one to another, by their numbers."
)
@click.option("-o", "--output", "target", metavar="FILE", help="Write to FILE; of several gifts, into this folder.")
@click.option("--text", is_flag=True, help="In a form that survives e-mail.")
@with_others
@on_ledger
@formatted
def make(
    donation: tuple[str, ...], account: str | None, movements: str | None, target: str | None, text: bool,
    others: tuple[str, ...], ledger: str | None, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Write the receipt of each gift to a file: DONATION.ccr, or -o FILE.

    What was sent to another ledger goes on in it, if that is given by --with.

    An unknown id is told on stderr, the others are written; exit code 4.
    """
    if bool(donation) == bool(account) or (movements is not None and account is None):
        raise click.UsageError("Name gifts, or an account with --account; --movements goes with an account.")
    from charitychain.receipts.spanning import receipts_across

    rows, missing = [], 0
    with opened(ledger) as found, opened_others(others) as beside:
        maker = maker_of(found)
        makers = {each.identity: maker_of(each) for each in (found, *beside)}
        wanted = [account] if account is not None else list(donation)
        folder = Path(target) if target is not None and (len(wanted) > 1 or Path(target).is_dir()) else None
        for id_ in wanted:
            try:
                if account is not None:
                    pages = [statement_of(maker, found, id_, movements)]
                else:
                    pages = receipts_across(maker, id_, makers)
            except NotFoundError as error:
                missing += 1
                output.say(f"Error: {error.message} [{error.code}]")
                continue
            name = Path(target) if target is not None and folder is None else (folder or Path()) / _file_name(id_, text)
            rows += [(id_, *row) for row in _write(pages, name, text)]
    format_ = "json" if as_json else format_
    if format_ == "table":
        for id_, path, size in rows:
            what = "statement of account" if account is not None else "receipt of"
            output.echo(f"{what} {output.safe(id_)}: {output.safe(path)}, {size} bytes")
    else:
        output.show_rows(format_, ("id", "file", "bytes"), rows)
    return 4 if missing else 0


def maker_of(found: Ledger) -> Maker:
    """Return what makes receipts, with the cosignatures that are kept beside the ledger."""
    from charitychain.cosigned import cosigned_checkpoint
    from charitychain.receipts.make import Maker

    reader = found.reader()
    return Maker(reader, cosigned_checkpoint(found.path, reader))


def _file_name(id_: str, text: bool) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in id_) + (".ccr.txt" if text else ".ccr")


def statement_of(maker: Maker, found: Ledger, account: str, movements: str | None) -> Receipt:
    """Return a statement of an account, with the movements that ``FIRST-LAST`` or one number names."""
    state = found.reader().state
    at = state.account_named(account)
    if movements is None:
        return maker.account(at.number)
    first, dash, last = movements.partition("-")
    if not (first.isdecimal() and (last.isdecimal() if dash else True)) or len(movements) > 40:
        raise click.UsageError("--movements takes FIRST-LAST, two numbers from 0 on.")
    low, high = int(first), int(last) if dash else int(first)
    if not low <= high < at.log.size:
        raise RefusedError(
            "CC-RECEIPT", f"account {account!r} has movements 0 to {at.log.size - 1}, not {movements}", account=account
        )
    return maker.account(at.number, range(low, high + 1))


def _write(pages: Sequence[Receipt], name: Path, text: bool) -> list[tuple[str, int]]:
    from charitychain.receipts.wire import encode_receipt

    rows = []
    for number, page in enumerate(pages, 1):
        path = name
        if len(pages) > 1:
            path = name.with_name(f"{name.name.partition('.')[0]}-{number}-of-{len(pages)}.ccr")
        data = encode_receipt(page)
        written = armour.wrap(_ARMOUR, data).encode() if text else data
        write_new(str(path), written, mode=READABLE)
        rows.append((str(path), len(written)))
    return rows


# --------------------------------------------------------------------------------------------------- checking


@receipt.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--operator-key", metavar="VKEY", help="The operator's key that you trust; `checkpoint key` prints it.")
@click.option("--checkpoint", "known", metavar="FILE", type=click.Path(path_type=Path), help="A checkpoint you kept.")
@click.option("--policy", metavar="FILE", type=click.Path(path_type=Path), help="Which witnesses must have cosigned.")
@click.option("--auditor-key", metavar="VKEY", help="An auditor whose cosignature you want to see.")
@click.option("--all", "everything", is_flag=True, help="Show every use, however many there are.")
@formatted
def verify(
    file: Path, operator_key: str | None, known: Path | None, policy: Path | None, auditor_key: str | None,
    everything: bool, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Check a receipt, with no ledger at hand, and show what it proves.

    Exit code 0: it holds. 1: it does not. 8: it holds, but less than was asked for: witnesses or an auditor are
    missing, another checkpoint cannot be compared, or a part is computed and not proved.
    """
    checked = _checked(file)
    _check_whose(checked, operator_key)
    short = [*_compared(checked, known), *_witnessed(checked, policy, auditor_key)]
    if checked.receipt.stops and (auditor_key is None or short):
        short.append("a part of the way is computed, not proved; only an auditor whom you trust stands for it")
    if as_json or format_ in ("json", "jsonl"):
        told = facts_of(checked) | {"short": short}
        trace = checked.trace.to_dict() if checked.trace is not None else {}
        output.write_json(trace | {"receipt": told}, line=format_ == "jsonl")
    elif format_ == "csv":
        raise click.UsageError("A receipt is shown as a table or as JSON.")
    else:
        show_checked(checked, everything)
        for line in short:
            output.say(f"Note: {line}")
    return 8 if short else 0


def _checked(file: Path) -> Checked:
    from charitychain.receipts.check import check_receipt

    return check_receipt(_read(file), file.name)


def _read(file: Path) -> bytes:
    """Return the bytes of a receipt, which may be in its text form."""
    from charitychain.receipts.wire import MAGIC, MAX_BYTES

    try:
        with file.open("rb") as stream:
            data = stream.read(2 * MAX_BYTES)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{file} cannot be read: {error.strerror}") from error
    if data.startswith(MAGIC):
        return data
    try:
        return armour.unwrap(data, _ARMOUR)
    except CharitychainError as error:
        raise UnreadableError("CC-RECEIPT", f"{file.name} is no receipt: {error.message}") from error


def _check_whose(checked: Checked, operator_key: str | None) -> None:
    from charitychain import note

    if operator_key is None:
        return
    trusted = note.parse_vkey(operator_key)
    try:
        note.open_note(checked.receipt.note, [trusted])
    except VerificationError as error:
        raise VerificationError(
            "CC-RECEIPT", f"the receipt's checkpoint is not signed by the key that was given: {error.message}"
        ) from error


def _compared(checked: Checked, known: Path | None) -> list[str]:
    """Hold the receipt's checkpoints against one that somebody kept."""
    from charitychain.checkpoints import read_checkpoint
    from charitychain.note import parse_checkpoint, parse_note

    if known is None:
        return []
    told = read_checkpoint(read_note(known), known.name)
    notes = [checked.receipt.note, *(data for data, _ in checked.receipt.consistency)]
    for mine in (parse_checkpoint(parse_note(data).text) for data in notes):
        if mine.origin != told.origin:
            raise VerificationError("CC-CHECKPOINT", f"{known.name} is of {told.origin}, not of {mine.origin}")
        if mine.size == told.size:
            if mine.root == told.root:
                return []
            raise VerificationError(
                "CC-CHECKPOINT",
                f"{known.name} and the receipt know other histories of {mine.size} blocks: two were signed. Keep both"
                " files: together they prove it",
            )
    return [
        f"{known.name} knows {told.size} blocks and the receipt {checked.size}; `receipt update`, or the ledger, shows"
        " whether both are one history"
    ]


def _witnessed(checked: Checked, policy: Path | None, auditor_key: str | None) -> list[str]:
    from charitychain import cosignature
    from charitychain.cosigned import check_apart, check_policy, read_policy

    short, auditors = [], []
    if auditor_key is not None:
        auditors = [cosignature.parse_vkey(auditor_key)]
        if not cosignature.open_cosigned(checked.receipt.note, auditors):
            short.append(f"{auditors[0].name} has not cosigned the receipt's checkpoint after a full replay")
    if policy is not None:
        parsed = read_policy(policy)
        check_apart(parsed, auditors)
        short += [f"by {policy.name}: {words}" for words in check_policy(checked.receipt.note, parsed)]
    return short


# --------------------------------------------------------------------------------------------- bringing forward


@receipt.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", "target", metavar="FILE", help="Write to FILE; else FILE is replaced.")
@click.option("--text", is_flag=True, help="In a form that survives e-mail.")
@with_others
@on_ledger
@formatted
def update(
    file: Path, target: str | None, text: bool, others: tuple[str, ...], ledger: str | None, format_: str, as_json: bool
) -> int:
    """Bring a receipt forward to the ledger's last block, with a proof that nothing before was taken back.

    Exit code 1: the receipt does not hold, the ledger does not extend its checkpoint, or what was done with the gift
    in the past has changed. 8: this copy of the ledger is older than the receipt.
    """
    from charitychain.checkpoints import check_extends
    from charitychain.durable import replace_file
    from charitychain.receipts.check import check_receipt
    from charitychain.receipts.compare import changes
    from charitychain.receipts.spanning import gone_on
    from charitychain.receipts.wire import encode_receipt

    old = _checked(file)
    with opened(ledger) as found, opened_others(others) as beside:
        reader = found.reader()
        if found.identity != old.shown.identity:
            raise VerificationError("CC-RECEIPT", f"{file.name} is of another ledger than {found.path}")
        known, blocks = check_extends(reader, old.receipt.note, file.name)
        if known > blocks:
            output.say(f"Note: {file.name} knows {known} blocks, and this copy of the ledger {blocks}; it is kept")
            return 8
        maker, makers = maker_of(found), {each.identity: maker_of(each) for each in (found, *beside)}
        newer = gone_on(maker.again(old.receipt), maker, makers)
    if len(newer.others) < len(old.receipt.others):
        output.say("Note: what other ledgers received of the gift is not told any more; give them by --with")
    data = encode_receipt(newer)
    new = check_receipt(data, "the newer receipt")
    if old.trace is not None and new.trace is not None:
        for change in changes(old.trace, new.trace):
            raise VerificationError("CC-RECEIPT", f"{file.name} and the ledger tell another past: {change}")
    written = armour.wrap(_ARMOUR, data).encode() if text else data
    path = Path(target) if target is not None else file
    if target is not None:
        write_new(target, written, mode=READABLE)
    else:
        replace_file(path, written, READABLE)
    facts = {"file": str(path), "from": old.size, "to": new.size, "bytes": len(written)}
    sentence = f"{output.safe(str(path))}: brought forward from {old.size} to {new.size} blocks, {len(written)} bytes"
    output.show_facts("json" if as_json else format_, facts, sentence)
    return 0
