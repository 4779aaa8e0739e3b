"""``checkpoint``: keep the operator's word on how far a ledger goes, and ask later whether it still holds."""

from __future__ import annotations

from pathlib import Path

import click

from charitychain.cli import output
from charitychain.cli.files import read_note
from charitychain.cli.session import formatted, on_ledger, opened
from charitychain.errors import RefusedError, StorageError

__all__ = ["checkpoint"]


@click.group()
def checkpoint() -> None:
    """Show, keep and compare checkpoints: how many blocks the operator signed, and the root over all of them."""


@checkpoint.command()
@on_ledger
@formatted
def show(ledger: str | None, format_: str, as_json: bool) -> None:
    """Print the checkpoint of the last block, as any client of transparency logs reads it."""
    from charitychain.checkpoints import read_checkpoint

    with opened(ledger) as found:
        text = found.reader().checkpoint
        told = read_checkpoint(text.encode(), "the head")
        facts = {
            "origin": told.origin, "size": told.size, "root": told.root.hex(), "identity": found.identity.hex(),
            "checkpoint": text,
        }  # fmt: skip
    if as_json or format_ != "table":
        output.show_facts("json" if as_json else format_, facts, "")
    else:
        for line in text.removesuffix("\n").split("\n"):
            output.echo(output.safe(line))


@checkpoint.command()
@on_ledger
@formatted
def key(ledger: str | None, format_: str, as_json: bool) -> None:
    """Print the operator's keys that act now, as `--operator-key` takes them: hand them out another way."""
    from charitychain import note
    from charitychain.checkpoints import operator_keys

    with opened(ledger) as found:
        reader = found.reader()
        keys = [note.vkey(each.name, each.public_key) for each in operator_keys(reader, reader.head.height + 1)]
    if as_json or format_ in ("json", "jsonl"):
        output.write_json({"keys": keys}, line=format_ == "jsonl")
    else:
        output.show_rows(format_, ("key",), [[text] for text in keys])


@checkpoint.command()
@click.argument("file", type=click.Path(path_type=Path))
@on_ledger
@formatted
def save(file: Path, ledger: str | None, format_: str, as_json: bool) -> None:
    """Keep the checkpoint of the last block in FILE.

    What stands in FILE is replaced only by a checkpoint of the same ledger that extends it.
    """
    from charitychain.checkpoints import check_extends
    from charitychain.durable import replace_file

    with opened(ledger) as found:
        reader = found.reader()
        if file.exists():
            before = check_extends(reader, read_note(file), file.name)
            if before.known > before.blocks:
                raise RefusedError(
                    "CC-OLDER",
                    f"{file} knows {before.known} blocks and this copy of the ledger has {before.blocks}; it is kept",
                )
        try:
            replace_file(file, reader.checkpoint.encode(), 0o644)
        except OSError as error:
            raise StorageError("CC-STORAGE", f"{file} cannot be written: {error.strerror}", path=str(file)) from error
        size = reader.head.height + 1
    facts = {"file": str(file), "size": size}
    sentence = f"{output.safe(str(file))} holds the checkpoint of {_blocks(size)}"
    output.show_facts("json" if as_json else format_, facts, sentence)


@checkpoint.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--operator-key", metavar="VKEY", help="The operator's key that you trust; else those the ledger names.")
@on_ledger
@formatted
def verify(file: Path, operator_key: str | None, ledger: str | None, format_: str, as_json: bool) -> int:
    """Check that the ledger still begins with the blocks of the checkpoint in FILE.

    Exit code 0: it does. 1: it does not, or FILE is of another ledger or signed by nobody who is believed. 8: FILE
    knows more blocks than this copy has. What the blocks say is for `charitychain verify`.
    """
    from charitychain import note
    from charitychain.checkpoints import check_extends

    trusted = note.parse_vkey(operator_key) if operator_key is not None else None
    with opened(ledger) as found:
        known, blocks = check_extends(found.reader(), read_note(file), file.name, key=trusted)
    whole = known <= blocks
    name = output.safe(file.name)
    sentence = f"this ledger of {_blocks(blocks)} begins with the {_blocks(known)} of {name}"
    if not whole:
        sentence = f"{name} knows {_blocks(known)}, and this copy has {blocks}: it is older or was cut off"
    facts = {"file": str(file), "known": known, "blocks": blocks, "extends": whole}
    output.show_facts("json" if as_json else format_, facts, sentence)
    return 0 if whole else 8


def _blocks(count: int) -> str:
    return f"{count} block{'s' * (count != 1)}"
