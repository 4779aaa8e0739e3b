"""``checkpoint``: keep the operator's word on how far a ledger goes, and ask later whether it still holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charitychain.cli import cosigning, output
from charitychain.cli.backing import backing
from charitychain.cli.cosigning import size_of
from charitychain.cli.files import read_note
from charitychain.cli.privately import given_bytes
from charitychain.cli.publishing import evidence_kept
from charitychain.cli.session import formatted, on_ledger, opened
from charitychain.cli.vkeys import VKEY
from charitychain.errors import RefusedError, StorageError

if TYPE_CHECKING:
    from charitychain.note import VerifierKey

__all__ = ["checkpoint"]


@click.group()
def checkpoint() -> None:
    """Show, keep and compare checkpoints: how many blocks the operator signed, and the root over all of them."""


for _command in cosigning.COMMANDS:
    checkpoint.add_command(_command)


@checkpoint.command()
@click.option("--cosigned", is_flag=True, help="With the lines of witnesses and auditors that are kept beside it.")
@on_ledger
@formatted
def show(cosigned: bool, ledger: str | None, format_: str, as_json: bool) -> None:
    """Print the checkpoint of the last block, as any client of transparency logs reads it."""
    from charitychain.checkpoints import read_checkpoint
    from charitychain.cosigned import cosigned_checkpoint

    with opened(ledger) as found:
        text = found.reader().checkpoint
        if cosigned:
            text = cosigned_checkpoint(found.path, found.reader()).decode()
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
    sentence = f"{output.safe(str(file))} holds the checkpoint of {size_of(size)}"
    output.show_facts("json" if as_json else format_, facts, sentence)


@checkpoint.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--operator-key", metavar="VKEY", type=VKEY, help="The operator's key that you trust; else those the ledger names."
)
@click.option("--policy", "policy_path", metavar="FILE", type=click.Path(path_type=Path),
              help="Which witnesses must have cosigned it, and how many of them.")  # fmt: skip
@click.option("--auditor-key", "auditors", metavar="VKEY", multiple=True, help="Who must have audited it; repeat.")
@click.option("--stamp", metavar="FILE", help="A time stamp on it (RFC 3161), as `checkpoint stamp` got it.")
@click.option("--tsa-cert", metavar="FILE", help="The certificates to believe for --stamp, PEM.")
@click.option("--evidence-to", metavar="FILE", help="If two histories were signed, write the evidence to FILE.")
@on_ledger
@formatted
def verify(
    file: Path | None, operator_key: VerifierKey | None, policy_path: Path | None, auditors: tuple[str, ...],
    stamp: str | None, tsa_cert: str | None, evidence_to: str | None, ledger: str | None, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Check that the ledger still begins with the blocks of the checkpoint in FILE.

    Without FILE it is the last one that others cosigned, NAME.ledger.cosigned.

    Exit code 0: it does, and those who were asked for have signed it. 1: it does not, or FILE is of another ledger or
    signed by nobody who is believed, or a signature or stamp does not hold. 8: FILE knows more blocks than this copy
    has, or too few have signed it. What the blocks say is for `charitychain verify`.
    """
    from charitychain import cosigned
    from charitychain.checkpoints import check_extends

    if (stamp is None) != (tsa_cert is None):
        raise click.UsageError("--stamp and --tsa-cert belong together.")
    with opened(ledger) as found, evidence_kept(evidence_to, always=False):
        file = file if file is not None else cosigned.cosigned_path(found.path)
        data, reader = read_note(file), found.reader()
        known, blocks = check_extends(reader, data, file.name, key=operator_key)
        seal = cosigned.log_lines(data, reader) if stamp is not None else b""
    whole = known <= blocks
    name = output.safe(file.name)
    sentences = [f"this ledger of {size_of(blocks)} begins with the {size_of(known)} of {name}"]
    if not whole:
        sentences = [f"{name} knows {size_of(known)}, and this copy has {blocks}: it is older or was cut off"]
    facts: dict[str, Any] = {"file": str(file), "known": known, "blocks": blocks, "extends": whole}
    told, lines, missing = backing(data, policy_path, auditors)
    facts |= told
    sentences += lines
    if stamp is not None and tsa_cert is not None:
        when = _check_stamp(seal, stamp, tsa_cert)
        facts["stamped"] = when
        sentences.append(f"stamped: it was there at {when}")
    output.show_facts("json" if as_json else format_, facts, "\n".join(sentences))
    return 0 if whole and not missing else 8


def _check_stamp(seal: bytes, stamp: str, tsa_cert: str) -> str:
    from charitychain import stamps

    answer = given_bytes(stamp, stamps.MAX_STAMP_BYTES)
    return stamps.check_stamp(seal, answer, given_bytes(tsa_cert, 1 << 20)).time.strftime("%Y-%m-%dT%H:%M:%SZ")
