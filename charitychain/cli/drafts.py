"""``draft``, ``cosign`` and ``submit``: statements that travel as files between those who must sign them.

A draft is written where its author is, signed wherever a key is, and recorded by the operator. Nobody signs what was
not shown: without a terminal ``cosign`` signs only with ``--yes``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from charitychain import records
from charitychain.basis import day
from charitychain.cli import output
from charitychain.cli.files import write_new
from charitychain.cli.privately import forget_unsealed, given_bytes
from charitychain.cli.session import formatted, on_ledger, opened, passphrases, with_keys
from charitychain.drafts import (
    MAX_DRAFT_BYTES,
    Draft,
    Look,
    Signer,
    check_place,
    look_at,
    merge,
    record,
    signers_of,
    was_recorded,
)
from charitychain.durable import replace_file
from charitychain.errors import CharitychainError, KeyAccessError, MalformedError, RefusedError, StorageError
from charitychain.interop.journal import parse_line
from charitychain.keys import PrivateKey, key_id
from charitychain.ledger import Ledger
from charitychain.writer import Writer

__all__ = ["DRAFT", "cosign", "draft", "draft_target", "submit", "write_look"]

_SHOWN_IN_HEAD, _SHOWN_ITEMS, _HEAD_WIDTH = 20, 12, 300


DRAFT = click.option(
    "--draft", metavar="FILE", help="Record nothing: write it to FILE, for others to sign (see `draft`); - is stdout."
)


@click.command()
@click.argument("file")
@click.option("-o", "--output", "target", metavar="DRAFT", default="-", help="Write to DRAFT instead of stdout.")
@on_ledger
@with_keys
@formatted
def draft(file: str, target: str, ledger: str | None, format_: str, as_json: bool, **options: Any) -> None:
    """Write the entries of FILE (JSON Lines; - is stdin) as one statement for others to sign.

    All rules are checked, nothing is recorded and nothing signed: the author signs with `cosign` too.
    """
    listed = _entries(file)
    with opened(ledger, **options) as found:
        with found.drafter() as drafter:
            drafter.add_together(listed)
        write_look(target, drafter.look, "json" if as_json else format_)


@click.command()
@click.argument("file")
@click.argument("others", nargs=-1)
@click.option("--as", "party", metavar="PARTY", help="Sign for this party alone; else for all whose keys are at hand.")
@click.option("--show", is_flag=True, help="Show what it says and who has signed; sign nothing.")
@click.option("--yes", is_flag=True, help="Sign without asking.")
@click.option("-o", "--output", "target", metavar="DRAFT", help="Write to DRAFT instead of FILE.")
@on_ledger
@with_keys
@formatted
def cosign(
    file: str, others: tuple[str, ...], party: str | None, show: bool, yes: bool, target: str | None,
    ledger: str | None, format_: str, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Show the draft in FILE, and add your signature to it.

    OTHERS are copies of it that others signed meanwhile: their signatures are taken over.
    """
    format_ = "json" if as_json else format_
    with opened(ledger, **options) as found:
        drafts = [_read(path) for path in (file, *others)]
        # No writer stays open while somebody thinks: it would keep the index from others.
        with found.writer(dry=True) as writer:
            look = _merged(writer, found, drafts)
        if format_ == "table":
            _show(look)
        elif show:
            output.show_facts(format_, _facts(look, file), "")
        if show:
            return
        keys = _choose(found, look, party, merging=bool(others))
        if keys and not yes:
            _ask(keys, format_)
        signed = look.draft
        for signer in keys:
            signed = signed.sign(_load(found, signer, options))
    done = {signer.key for signer in keys}
    signers = tuple(Signer(one.party, one.key, one.signed or one.key in done) for one in look.signers)
    look = Look(signed, look.entries, signers)
    place = target or file
    if target is not None or signed != drafts[0]:
        _write(place, signed.encode(_head(look)), instead=target is None)
    said = f"signed for {_listed(sorted({key.party for key in keys}))}" if keys else "nothing to add"
    _tell(format_, _facts(look, place), f"{said}; {_state(look)}", place)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@on_ledger
@with_keys
@formatted
def submit(files: tuple[str, ...], ledger: str | None, format_: str, as_json: bool, **options: Any) -> None:
    """Record the drafts in FILE..., which all have signed, in one block; it needs the operator's key alone.

    Files of the same draft are merged: each may hold the signatures of others.
    """
    with opened(ledger, **options) as found:
        groups: dict[bytes, list[Draft]] = {}
        for one in map(_read, files):
            groups.setdefault(one.statement.id, []).append(one)
        with found.writer() as writer:
            new = [one for one in groups.values() if _submit(writer, found, one)]
            head = writer.commit()
        for group in new:
            forget_unsealed(found, group[0].statement.records())
    known = [one for one in groups.values() if one not in new]
    facts: dict[str, Any] = {
        "records": [fact for group in groups.values() for fact in _records(group[0])],
        "height": head.height,
        "recorded": bool(new),
    }
    words = [f"{_names(_records(one[0]))} recorded in block {head.height}" for one in new]
    words += [f"{_names(_records(one[0]))} was there already" for one in known]
    output.show_facts("json" if as_json else format_, facts, "\n".join(words))


def draft_target(options: dict[str, Any], dry: bool) -> str | None:
    """Take ``--draft`` out of the options of a recording command."""
    target: str | None = options.pop("draft")
    if target is not None and dry:
        raise click.UsageError("--draft records nothing as it is; leave --dry-run out.")
    return target


def write_look(target: str, look: Look, format_: str) -> None:
    """Write a new draft to a file, or to stdout for ``-``, and say who must sign it."""
    _write(target, look.draft.encode(_head(look)), instead=False)
    _tell(format_, _facts(look, target), f"{_names(look.entries)} drafted; {_state(look)}", target)


# ---------------------------------------------------------------------------------------------------- checks


def _merged(writer: Writer, found: Ledger, drafts: Sequence[Draft]) -> Look:
    """Check copies of one draft, each by itself, and return what they come to together."""
    for one in drafts:
        one.check_ledger(found.origin, found.identity)
        check_place(one, writer.core.state)
        signers_of(one, writer.core.state)
    return look_at(writer, merge(drafts))


def _submit(writer: Writer, found: Ledger, drafts: Sequence[Draft]) -> bool:
    """Record one draft, of which there may be several copies; return False where the ledger holds it already."""
    state, whole = writer.core.state, merge(drafts)
    whole.check_ledger(found.origin, found.identity)
    if not was_recorded(whole.statement, state):
        for one in drafts:
            check_place(one, state)
            signers_of(one, state)  # of each copy: a bad signature is told, not replaced by a good one
    return record(writer, whole)


def _choose(found: Ledger, look: Look, party: str | None, *, merging: bool) -> list[Signer]:
    """Return the keys at hand that must sign and have not."""
    wanted = [signer for signer in look.signers if party in (None, signer.party)]
    if not wanted:
        parties = _listed(dict.fromkeys(signer.party for signer in look.signers))
        raise RefusedError("CC-SIGNERS", f"{party!r} is not asked to sign this draft; {parties} must", party=party)
    at_hand = [signer for signer in wanted if found.keyring.find(signer.key) is not None]
    missing = [f"{one.party} (key {key_id(one.key).hex()[:16]})" for one in wanted if not one.signed]
    if missing and not at_hand and not (merging and party is None):
        raise KeyAccessError(
            "CC-KEY-MISSING",
            f"this draft wants the signature of {_listed(missing)}, and no such key is in {found.keyring.directory};"
            " name another folder with --keys",
            missing=missing,
        )
    return [signer for signer in at_hand if not signer.signed]


def _ask(keys: Sequence[Signer], format_: str) -> None:
    if format_ != "table" or not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to be asked: look at the draft with --show, then sign it with --yes.")
    parties = output.safe(_listed(sorted({key.party for key in keys})))
    if not click.confirm(f"Sign this for {parties}?", err=True):
        raise RefusedError("CC-DRAFT", "the draft was not signed, as you wished")


def _load(found: Ledger, signer: Signer, options: dict[str, Any]) -> PrivateKey:
    entry = found.keyring.find(signer.key)
    if entry is None:
        raise KeyAccessError("CC-KEY-MISSING", f"the key of {signer.party!r} has just gone", party=signer.party)
    return found.keyring.load(entry, passphrases(options))


# ----------------------------------------------------------------------------------------------------- files


def _read(path: str) -> Draft:
    try:
        return Draft.parse(given_bytes(path, MAX_DRAFT_BYTES))
    except CharitychainError as error:
        if path in error.message:
            raise
        raise type(error)(error.code, f"{path}: {error.message}", **error.facts) from error


def _entries(path: str) -> list[dict[str, Any]]:
    """Read the lines of a journal; what a ``statement`` lists counts as lines of their own."""
    data = given_bytes(path, MAX_DRAFT_BYTES)
    if len(data) > MAX_DRAFT_BYTES:
        raise MalformedError("CC-JOURNAL", f"{path} is larger than {MAX_DRAFT_BYTES} bytes; make several drafts of it")
    found: list[dict[str, Any]] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        entry = parse_line(line, number)
        listed = entry.get("records") if entry.get("record") == "statement" else [entry]
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise MalformedError("CC-ENTRY", f"line {number}: a statement has the field 'records', a list of entries")
        found += listed
    return found


def _write(target: str, data: bytes, *, instead: bool) -> None:
    """Write a draft: `instead` of the one that is there, or under a name that nothing has yet."""
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    if not instead:
        write_new(target, data, mode=0o644, hint="it may hold signatures; choose another name")
        return
    try:
        replace_file(Path(os.path.realpath(target)), data, mode=0o644)
    except OSError as error:
        raise StorageError("CC-STORAGE", f"{target} cannot be written: {error.strerror}", path=target) from error


# ----------------------------------------------------------------------------------------------------- words


def _tell(format_: str, facts: dict[str, Any], sentence: str, target: str) -> None:
    if target == "-":
        output.say(sentence)
    else:
        output.show_facts(format_, facts, output.safe(sentence))


def _facts(look: Look, path: str) -> dict[str, Any]:
    return {
        "draft": path,
        "author": look.signers[0].party,
        "records": list(look.entries),
        "signers": [{"party": one.party, "key": one.key.hex(), "signed": one.signed} for one in look.signers],
    }


def _records(draft: Draft) -> list[dict[str, Any]]:
    """Return kind and name of each record, which need no ledger."""
    found = []
    for one in draft.statement.records():
        name = records.record_id(one) or getattr(one, "party", None) or getattr(one, "series", None)
        found.append({"record": one.NAME, "id": name})
    return found


def _names(entries: Sequence[dict[str, Any]]) -> str:
    if len(entries) > 5:
        return f"{len(entries)} records"
    return " and ".join(f"{entry['record']} {_name(entry)}" for entry in entries)


def _name(entry: dict[str, Any]) -> str:
    return output.safe(str(entry.get("id") or entry.get("party") or entry.get("series") or ""))


def _listed(names: Iterable[str]) -> str:
    return " and ".join(output.safe(name) for name in names)


def _state(look: Look) -> str:
    missing = dict.fromkeys(signer.party for signer in look.signers if not signer.signed)
    return f"not signed yet by {_listed(missing)}" if missing else "all have signed"


def _head(look: Look) -> list[str]:
    """Return what stands above the block of a draft file, for people who open it."""
    lines = [json.dumps(entry, ensure_ascii=False) for entry in look.entries[:_SHOWN_IN_HEAD]]
    lines = [line if len(line) <= _HEAD_WIDTH else line[:_HEAD_WIDTH] + "…" for line in lines]
    if len(look.entries) > len(lines):
        lines.append(f"… and {len(look.entries) - len(lines)} more")
    return [
        *lines,
        *(f"{signer.party}: {'signed' if signer.signed else 'not signed yet'}" for signer in look.signers),
        "These lines are for people and prove nothing; `charitychain cosign --show FILE` reads what counts.",
    ]


def _show(look: Look) -> None:
    """Print every record of a draft in full, and who must sign it."""
    header = look.draft.statement.header
    author = output.safe(look.signers[0].party)
    output.echo(f"Draft for {look.draft.origin}, by {author}, of {_day(header.time)}")
    for number, entry in enumerate(look.entries, 1):
        output.echo(output.style(f"{number}. {entry['record']} {_name(entry)}", bold=True))
        for name, value in entry.items():
            if name not in ("record", "id"):
                output.echo(f"   {name:<12}  {output.safe(_value(value))}")
    output.echo("Signatures")
    for signer in look.signers:
        state = "signed" if signer.signed else "not signed yet"
        output.echo(f"   {output.safe(signer.party):<12}  {state}  (key {key_id(signer.key).hex()[:16]})")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) > _SHOWN_ITEMS:
        shown = json.dumps(value[:_SHOWN_ITEMS], ensure_ascii=False)
        return f"{shown} … and {len(value) - _SHOWN_ITEMS} more (--json shows all)"
    return json.dumps(value, ensure_ascii=False)


def _day(seconds: int) -> str:
    try:
        return day(seconds)
    except (ValueError, OverflowError, OSError):
        return f"the impossible time {seconds}"
