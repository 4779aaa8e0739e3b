"""``witness``: cosign other people's checkpoints, and have one's own cosigned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from charitychain.cli import output
from charitychain.cli.backing import moment_of
from charitychain.cli.cosigning import size_of
from charitychain.cli.session import formatted, new_passphrase, on_ledger, opened, passphrases
from charitychain.cli.vkeys import VKEY
from charitychain.errors import CharitychainError, NotFoundError

if TYPE_CHECKING:
    from charitychain.note import VerifierKey
    from charitychain.policy import Policy, Witness

__all__ = ["witness"]

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


def _with_passphrase(command: F) -> F:
    """Add where a passphrase comes from; never the passphrase itself."""
    command = click.option("--passphrase-command", metavar="CMD", help="Run CMD, take its output as the passphrase.")(
        command
    )
    return click.option("--passphrase-file", metavar="FILE", help="Read the passphrase from the first line of FILE.")(
        command
    )


@click.group()
def witness() -> None:
    """Be a witness of other ledgers, or ask witnesses to cosign your own.

    A witness keeps the last checkpoint that it saw of a ledger, and cosigns a newer one only if that extends it. It
    says nothing about what the ledger records.
    """


@witness.command()
@_FOLDER
@click.argument("name")
@click.option("--no-passphrase", is_flag=True, help="Leave the key file plain, readable by you alone.")
@_with_passphrase
def init(folder: Path, name: str, no_passphrase: bool, **options: Any) -> None:
    """Make a witness called NAME, with its key, in DIR, and print its public key as policy files take it.

    NAME is for everybody, such as `north.example/witness`: no spaces, and none that somebody else has.
    """
    from charitychain.witnessing.folder import WitnessFolder

    made = WitnessFolder.create(
        folder, name, lambda keyring: None if no_passphrase else new_passphrase(options, keyring, "the witness")
    )
    output.echo(output.safe(made.vkey))
    output.say(
        f"Keep {folder} on one machine, and never bring it back from a backup: what it saw last would be forgotten, and"
        " then it could cosign two histories."
    )


@witness.command()
@_FOLDER
def key(folder: Path) -> None:
    """Print the public key of the witness in DIR."""
    from charitychain.witnessing.folder import WitnessFolder

    output.echo(output.safe(WitnessFolder(folder).vkey))


@witness.command()
@_FOLDER
@click.argument("log", metavar="VKEY", type=VKEY)
@click.option("--origin", metavar="ORIGIN", help="The first line of its checkpoints, where the key has another name.")
def trust(folder: Path, log: VerifierKey, origin: str | None) -> None:
    """Let the witness in DIR know a log by its key VKEY, as the log's operator prints it with `checkpoint key`.

    Get the key from somewhere else than the log. A witness that is being served knows the log at once.
    """
    from charitychain.witnessing.folder import WitnessFolder

    new = WitnessFolder(folder).trust(log, origin)
    name = output.safe(origin if origin is not None else log.name)
    output.echo(f"the log {name} is {'known from now on' if new else 'known already, under this key'}")


@witness.command()
@_FOLDER
@formatted
def logs(folder: Path, format_: str, as_json: bool) -> None:
    """List the logs that the witness in DIR knows, and how many blocks it saw of each."""
    from charitychain.note import vkey
    from charitychain.witnessing.folder import WitnessFolder

    rows = [
        (log.origin, log.last.size, log.last.root.hex() if log.note else None, vkey(each.name, each.public_key))
        for log in WitnessFolder(folder).logs()
        for each in log.keys
    ]
    output.show_rows("json" if as_json else format_, ("origin", "size", "root", "key"), rows, right=("size",))


@witness.command()
@_FOLDER
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=7380, show_default=True, help="0 takes a free one.")
@click.option("-q", "--quiet", is_flag=True, help="Do not tell of each request.")
@_with_passphrase
def serve(folder: Path, host: str, port: int, quiet: bool, **options: Any) -> None:
    """Answer for the witness in DIR over HTTP (C2SP tlog-witness), until it is stopped.

    Needs the packages starlette and uvicorn. It listens for this machine alone unless --host says otherwise; let a web
    server with a certificate stand in front.
    """
    from charitychain.witnessing.folder import WitnessFolder
    from charitychain.witnessing.protocol import Witness
    from charitychain.witnessing.server import serve

    found = WitnessFolder(folder)
    answering = Witness(found, found.private_key(passphrases(options)))

    def ready(url: str) -> None:
        output.echo(f"{output.safe(found.key.name)} answers at {url}")

    def told(line: str) -> None:
        if not quiet or line.endswith("]"):
            output.say(line)

    serve(answering, host, port, told, ready)


@witness.command()
@click.option("--policy", "policy_path", metavar="FILE", required=True, type=click.Path(path_type=Path),
              help="The policy that names witnesses, their addresses, and how many are enough.")  # fmt: skip
@click.option("--only", metavar="NAME", multiple=True, help="Ask this witness only, by its name in FILE; repeat.")
@on_ledger
@formatted
def request(policy_path: Path, only: tuple[str, ...], ledger: str | None, format_: str, as_json: bool) -> int:
    """Ask witnesses to cosign the checkpoint of the last block, and keep what they sign beside the ledger.

    It goes to NAME.ledger.cosigned; `checkpoint show --cosigned` prints it. Exit code 0: enough for the policy. 8: not
    enough. 7: a witness has seen more blocks than this copy has. 1: a witness says that it has seen another history.
    """
    from charitychain.asking import ask_witnesses
    from charitychain.cosigned import check_policy, cosigned_checkpoint, read_policy

    policy = read_policy(policy_path)
    asked = [each for each in policy.witnesses if not only or each.name in only]
    for name in set(only) - {each.name for each in asked}:
        raise NotFoundError("CC-UNKNOWN-ID", f"{policy_path} names no witness {name}", id=name)
    with opened(ledger) as found:
        outcomes = found.answer(lambda reader: ask_witnesses(found.path, reader, asked))
        head = cosigned_checkpoint(found.path, found.reader())
        missing = check_policy(head, policy)
        size = found.reader().head.height + 1
    facts = {
        "size": size,
        "witnesses": [
            {"name": each.name, "cosigned": not isinstance(outcome, CharitychainError),
             "error": outcome.code if isinstance(outcome, CharitychainError) else None,
             "message": outcome.message if isinstance(outcome, CharitychainError) else None,
             "time": None if isinstance(outcome, CharitychainError) else outcome}
            for each, outcome in zip(asked, outcomes, strict=True)
        ],
        "missing": list(missing),
    }  # fmt: skip
    if as_json or format_ != "table":
        output.show_facts("json" if as_json else format_, facts, "")
    else:
        _show(asked, outcomes, size, policy, missing)
    codes = [outcome.exit_code for outcome in outcomes if isinstance(outcome, CharitychainError)]
    if 1 in codes:
        return 1
    if any(isinstance(outcome, CharitychainError) and outcome.code == "CC-OLDER" for outcome in outcomes):
        return 7
    return 8 if missing else 0


def _show(
    asked: list[Witness], outcomes: list[int | CharitychainError], size: int, policy: Policy, missing: tuple[str, ...]
) -> None:
    for each, outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, CharitychainError):
            output.say(f"{outcome.message} [{outcome.code}]")
        else:
            name = output.safe(each.name)
            output.echo(f"witness {name} cosigned the checkpoint of {size_of(size)} at {moment_of(outcome)}")
    if not missing:
        output.echo(f"enough for the policy: {output.safe(policy.quorum)}")
    for words in missing:
        output.echo(f"below the policy: {output.safe(words)}")
