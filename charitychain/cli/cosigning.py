"""What others put under a checkpoint: auditors' lines, lines that arrive as files, and time stamps.

These are subcommands of ``checkpoint``, which adds them to itself.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.files import check_new, read_note, write_new
from charitychain.cli.session import formatted, new_passphrase, on_ledger, opened, passphrases, with_keys
from charitychain.errors import KeyAccessError, VerificationError

__all__ = ["COMMANDS", "size_of"]

_READABLE = 0o644


def size_of(count: int) -> str:
    """Return a number of blocks in words."""
    return f"{count} block{'s' * (count != 1)}"


@click.command("audit-key")
@click.argument("name")
@click.option("--no-passphrase", is_flag=True, help="Leave the key file plain, readable by you alone.")
@with_keys
def audit_key(name: str, no_passphrase: bool, **options: Any) -> None:
    """Make a key with which the auditor NAME signs checkpoints, and print its public key for others to trust.

    NAME is for everybody, such as `audit.example`: no spaces. The key has no other use: it is no party's and no
    witness's.
    """
    from charitychain.cosignature import vkey
    from charitychain.keyring import Keyring
    from charitychain.note import check_key_name

    check_key_name(name)
    keyring = Keyring(Path(options["keys"]) if options["keys"] else None)
    passphrase = None if no_passphrase else new_passphrase(options, keyring, "the auditor")
    entry, key = keyring.create(name, "auditor", passphrase=passphrase)
    output.echo(output.safe(vkey(name, key.public_key)))
    output.say(f"The private key is in {entry.path}.")


@click.command("audit-sign")
@click.argument("vkey")
@click.option("-o", "--output", "target", metavar="FILE", help="Write the checkpoint with the line to FILE too.")
@on_ledger
@with_keys
@formatted
def audit_sign(
    vkey: str, target: str | None, ledger: str | None, format_: str, as_json: bool, **options: Any
) -> int:
    """Replay the whole ledger, and only if all of it holds sign the checkpoint of its last block as the auditor VKEY.

    VKEY is what `checkpoint audit-key` printed. The line says: "I recomputed everything up to here, and the rules
    hold." It goes to NAME.ledger.cosigned and, with -o, to FILE; the operator takes it over with `checkpoint add`.
    Exit code 1: the ledger is bad; `verify` lists why. 8: it holds, but is torn, or older than a head that is known
    here. In both cases nothing is signed.
    """
    from charitychain.cosignature import add_lines, cosign, parse_vkey
    from charitychain.cosigned import keep_cosigned
    from charitychain.heads import Heads, state_directory
    from charitychain.keyring import Keyring

    auditor = parse_vkey(vkey)
    if target is not None:
        check_new(target)
    keyring = Keyring(Path(options["keys"]) if options["keys"] else None)
    entry = keyring.find(auditor.public_key)
    if entry is None:
        raise KeyAccessError("CC-KEY-MISSING", f"the key of the auditor {auditor.name} is not in {keyring.directory}")
    meter = output.Meter("Verifying")
    with opened(ledger) as found:
        try:
            report = found.verify(heads=Heads(state_directory(os.environ)), progress=meter)
        finally:
            meter.close()
        if not report.holds:
            first = report.faults[0]
            raise VerificationError(
                first.code, f"the ledger does not hold, and nothing was signed; `verify` lists all: {first.message}"
            )
        if report.warnings:
            for warning in report.warnings:
                output.say(f"Warning: {warning}")
            output.say("Nothing was signed.")
            return 8
        if any(key.key == auditor.public_key for party in found.reader().parties for key in party.keys):
            raise KeyAccessError("CC-KEY-USED", "that is the key of a party of this ledger; an auditor has another one")
        seal, key = report.checkpoint.encode(), keyring.load(entry, passphrases(options))
        cosigned = add_lines(seal, cosign(seal, auditor.name, key, int(time.time())))
        keep_cosigned(found.path, found.reader(), cosigned, [auditor])
    if target is not None:
        write_new(target, cosigned, mode=_READABLE)
    size = report.height + 1
    facts = {"auditor": auditor.name, "size": size, "file": target}
    sentence = f"{output.safe(auditor.name)} replayed {size_of(size)}, which hold, and signed the checkpoint"
    output.show_facts("json" if as_json else format_, facts, sentence)
    return 0


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--policy", "policy_path", metavar="FILE", type=click.Path(path_type=Path),
              help="Take the lines of the witnesses that this policy names.")  # fmt: skip
@click.option("--auditor-key", "auditors", metavar="VKEY", multiple=True, help="Take this auditor's line; repeat.")
@on_ledger
@formatted
def add(
    file: Path, policy_path: Path | None, auditors: tuple[str, ...], ledger: str | None, format_: str, as_json: bool
) -> None:
    """Keep beside the ledger what others signed in FILE, a checkpoint of it that came back with their lines.

    Only lines of those whom you name are kept, and only such as hold.
    """
    from charitychain.cosignature import open_cosigned, parse_vkey
    from charitychain.cosigned import check_apart, keep_cosigned, read_policy

    if policy_path is None and not auditors:
        raise click.UsageError("Whose lines? Name witnesses with --policy, or auditors with --auditor-key.")
    policy = read_policy(policy_path) if policy_path is not None else None
    cosigners = [parse_vkey(text) for text in auditors]
    check_apart(policy, cosigners)
    cosigners += [each.key for each in policy.witnesses] if policy is not None else []
    data = read_note(file)
    signed = open_cosigned(data, cosigners)
    if not signed:
        raise VerificationError("CC-SEAL", f"{file} has no line by any of those whom you named")
    with opened(ledger) as found:
        keep_cosigned(found.path, found.reader(), data, cosigners)
    names = [key.name for key, _ in signed]
    facts = {"file": str(file), "added": names}
    sentence = f"kept beside the ledger: what {output.safe(', '.join(names))} signed in {output.safe(file.name)}"
    output.show_facts("json" if as_json else format_, facts, sentence)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--tsa", "url", metavar="URL", help="Ask this time-stamping authority, and write its answer.")
@click.option("-o", "--output", "target", metavar="FILE", help="Where to write; else to FILE.tsq or FILE.tsr.")
@on_ledger
@formatted
def stamp(
    file: Path, url: str | None, target: str | None, ledger: str | None, format_: str, as_json: bool
) -> None:
    """Have the checkpoint in FILE, as `checkpoint save` keeps it, stamped by a time-stamping authority (RFC 3161).

    Without --tsa the request is written, to be sent by any other program. Keep the authority's answer with FILE, and
    give it and the authority's certificates to `checkpoint verify`. What is stamped is the checkpoint under the
    operator's line alone, so that cosignatures can come later. Needs the package rfc3161-client.
    """
    from charitychain import stamps, web
    from charitychain.checkpoints import check_extends
    from charitychain.cosigned import log_lines

    path = target if target is not None else f"{file}{'.tsr' if url else '.tsq'}"
    check_new(path, "name another with -o")
    data = read_note(file)
    with opened(ledger) as found:
        reader = found.reader()
        check_extends(reader, data, file.name)
        seal = log_lines(data, reader)
    request = stamps.make_request(seal)
    written, what = request.der, "the request for a time stamp"
    if url is not None:
        answer = web.post(url, request.der, stamps.QUERY_TYPE, limit=stamps.MAX_STAMP_BYTES)
        if answer.status != 200:
            told = answer.body[:200].decode("utf-8", "replace").strip()
            raise VerificationError("CC-STAMP", f"{url} answered with status {answer.status}: {told}")
        request.check_answer(answer.body)
        written, what = answer.body, "the time stamp"
    write_new(path, written, mode=_READABLE)
    facts = {"file": str(file), "written": path, "kind": "stamp" if url else "request"}
    sentence = f"{output.safe(path)} holds {what} for {output.safe(file.name)}"
    output.show_facts("json" if as_json else format_, facts, sentence)


COMMANDS = (audit_key, audit_sign, add, stamp)
