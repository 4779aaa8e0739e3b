"""``receipt``: proofs for a donor's hand: made, checked with no ledger at hand, and brought forward."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charitychain import armour
from charitychain.cli import output
from charitychain.cli.checking import ARMOUR, read_receipt, verify
from charitychain.cli.files import check_new, write_new
from charitychain.cli.session import formatted, on_ledger, opened, opened_others, with_others
from charitychain.errors import NotFoundError, RefusedError, VerificationError

if TYPE_CHECKING:
    from charitychain.ledger import Ledger
    from charitychain.receipts.make import Maker
    from charitychain.receipts.wire import Receipt
    from charitychain.state.accounts import AccountState

__all__ = ["READABLE", "maker_of", "receipt", "statement_of"]

READABLE = 0o644


@click.group()
def receipt() -> None:
    """Make, check and bring up to date the proof of what became of a gift."""


receipt.add_command(verify)


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
        folder = target not in (None, "-") and (len(wanted) > 1 or Path(target or "").is_dir())
        if folder and target is not None:
            Path(target).mkdir(exist_ok=True)
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
            rows += [(id_, *row) for row in _write(id_, pages, target, folder, text)]
    format_ = "json" if as_json else format_
    if target == "-":
        return 4 if missing else 0
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


def account_asked(found: Ledger, account: str) -> AccountState:
    """Return an account that somebody asks about.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ACCOUNT``.
    """
    for at in found.reader().accounts:
        if at.id == account:
            return at
    raise NotFoundError("CC-UNKNOWN-ACCOUNT", f"this ledger has no account {account!r}", account=account)


def statement_of(maker: Maker, found: Ledger, account: str, movements: str | None) -> Receipt:
    """Return a statement of an account, with the movements that ``FIRST-LAST`` or one number names."""
    at = account_asked(found, account)
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


def _write(id_: str, pages: Sequence[Receipt], target: str | None, folder: bool, text: bool) -> list[tuple[str, int]]:
    """Write the pages of a receipt, or, where `target` is a dash, the one page to stdout."""
    from charitychain.receipts.wire import encode_receipt

    ending = ".ccr.txt" if text else ".ccr"
    stem = "".join(c if c.isalnum() or c in "._-" else "-" for c in id_)
    name = Path(target or "") / f"{stem}{ending}" if folder or target is None else Path(target)
    names = [name]
    if len(pages) > 1:
        ending = ending if name.name.endswith(ending) else name.suffix
        start = name.name.removesuffix(ending)
        names = [name.with_name(f"{start}-{number}-of-{len(pages)}{ending}") for number in range(1, len(pages) + 1)]
    data = [armoured(encode_receipt(page), text) for page in pages]
    if target == "-":
        if len(pages) > 1:
            raise RefusedError("CC-RECEIPT", f"the receipt of {id_!r} has {len(pages)} pages; name a file for them")
        sys.stdout.buffer.write(data[0])
        return []
    for path in names:
        check_new(str(path))
    for path, written in zip(names, data, strict=True):
        write_new(str(path), written, mode=READABLE)
    return [(str(path), len(written)) for path, written in zip(names, data, strict=True)]


def armoured(data: bytes, text: bool) -> bytes:
    """Return a receipt as it is written: as it is, or in a form that survives e-mail."""
    return armour.wrap(ARMOUR, data).encode() if text else data


# --------------------------------------------------------------------------------------------- bringing forward


@receipt.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", "target", metavar="FILE", help="Write to FILE; else FILE is replaced.")
@click.option("--text", is_flag=True, help="In a form that survives e-mail; what was in it stays so.")
@with_others
@on_ledger
@formatted
def update(
    file: Path, target: str | None, text: bool, others: tuple[str, ...], ledger: str | None, format_: str, as_json: bool
) -> int:
    """Bring a receipt forward to the ledger's last block, with a proof that nothing before was taken back.

    Exit code 1: the receipt does not hold, the ledger does not extend its checkpoint, or what was done with the gift
    in the past has changed. 8: it is kept, since this copy of the ledger is older, or another ledger that it tells of
    was not given by --with.
    """
    from charitychain.checkpoints import check_extends
    from charitychain.durable import replace_file
    from charitychain.receipts.check import check_receipt
    from charitychain.receipts.compare import changes
    from charitychain.receipts.spanning import gone_on
    from charitychain.receipts.wire import encode_receipt

    data, was_text = read_receipt(file)
    old = check_receipt(data, file.name)
    with opened(ledger) as found, opened_others(others) as beside:
        ledgers = {each.identity: each for each in (found, *beside)}
        if found.identity != old.shown.identity:
            raise VerificationError("CC-RECEIPT", f"{file.name} is of another ledger than {found.path}")
        for part in (old, *old.all_others()):
            there = ledgers.get(part.shown.identity)
            if there is None:
                output.say(f"Note: {file.name} tells of {part.origin}; give that ledger by --with. It is kept.")
                return 8
            known, blocks = check_extends(there.reader(), part.receipt.note, file.name)
            if known > blocks:
                copy = f"this copy of {part.origin} has {blocks}"
                output.say(f"Note: {file.name} knows {known} blocks, and {copy}. It is kept.")
                return 8
        makers = {identity: maker_of(each) for identity, each in ledgers.items()}
        maker = makers[found.identity]
        data = encode_receipt(gone_on(maker.again(old.receipt), maker, makers))
    new = check_receipt(data, "the newer receipt")
    if old.trace is not None and new.trace is not None:
        for change in changes(old.trace, new.trace):
            raise VerificationError("CC-RECEIPT", f"{file.name} and the ledger tell another past: {change}")
    written, path = armoured(data, text or was_text), Path(target) if target is not None else file
    if target is not None:
        write_new(target, written, mode=READABLE)
    else:
        replace_file(path, written, READABLE)
    facts = {"file": str(path), "from": old.size, "to": new.size, "bytes": len(written)}
    sentence = f"{output.safe(str(path))}: brought forward from {old.size} to {new.size} blocks, {len(written)} bytes"
    output.show_facts("json" if as_json else format_, facts, sentence)
    return 0
