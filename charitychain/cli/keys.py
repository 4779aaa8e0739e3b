"""``key``: make, replace, recover and control keys.

Rules upheld here:

- A key that a record brings is made in memory, and its file is written only once the ledger's rules took the record,
  but before the block is sealed: no refusal leaves a key file behind, and no sealed key is without its file.
- A new key file is never plain by accident: a passphrase is asked for, unless ``--no-passphrase`` says otherwise.
- A recovery key goes to a folder of its own, so that losing the one folder is not losing the other.

What each key may do is in `charitychain.state.admission`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from charitychain.cli import output
from charitychain.cli.changing import change, changing
from charitychain.cli.entering import new_id
from charitychain.cli.session import formatted, new_passphrase, on_ledger, opened, with_keys
from charitychain.codec import check_id
from charitychain.drafts import Drafter
from charitychain.errors import KeyAccessError, MalformedError, NotFoundError, RefusedError
from charitychain.keyring import Keyring
from charitychain.keys import PrivateKey, key_id
from charitychain.state.parties import PartyKey, PartyState, possession_message
from charitychain.writer import Writer

__all__ = ["key", "short_id"]

F = TypeVar("F", bound=Callable[..., Any])

_SHORT = 16
_WHICH = "Which of its keys, as `party list` shows it, where it has several."


def short_id(public_key: bytes) -> str:
    """Return the first digits of a key's id, as lists show it and commands take it."""
    return key_id(public_key).hex()[:_SHORT]


class _Made:
    """A new key in memory, with the proof that its holder has it; `keep` writes its file."""

    def __init__(self, identity: bytes, party: str) -> None:
        self._seed, self._party = secrets.token_bytes(32), party
        key = PrivateKey.from_seed(self._seed)
        self.public = key.public_key.hex()
        self.proof = key.sign(possession_message(identity, party, key.public_key)).hex()

    def keep(self, keyring: Keyring, origin: str, options: dict[str, Any], label: str = "") -> Path:
        name = f"{self._party}, {label}" if label else self._party
        passphrase = None if options["no_passphrase"] else new_passphrase(options, keyring, name)
        entry, _ = keyring.create(origin, self._party, passphrase=passphrase, seed=self._seed, label=label)
        return entry.path


def _making(command: F) -> F:
    """Add the option of commands that make a key."""
    return click.option("--no-passphrase", is_flag=True, help="Leave the key file plain, readable by you alone.")(
        command
    )


def _recovering(command: F) -> F:
    """Add the option of commands that use or make a recovery key."""
    return click.option(
        "--recovery-keys", metavar="DIR", help="Folder of recovery keys; else the one of your keys with -recovery."
    )(command)


def _folders(keys: str | None, recovery_keys: str | None) -> tuple[Keyring, Keyring]:
    """Return the folders of keys and of recovery keys."""
    own = Keyring(Path(keys) if keys else None)
    spare = Path(recovery_keys) if recovery_keys else Path(os.path.abspath(own.directory) + "-recovery")
    return own, Keyring(spare)


def _both(own: Keyring, spare: Keyring) -> Keyring:
    """Return a keyring that finds the keys of both folders, and makes new ones in the first."""
    return Keyring(own.directory, also=(spare.directory,))


@click.group()
def key() -> None:
    """Make, list, replace, recover and control keys."""


@key.command("list")
@_recovering
@with_keys
@formatted
def key_list(recovery_keys: str | None, format_: str, as_json: bool, **options: Any) -> None:
    """List the key files at hand: your own, then those of the folder of recovery keys."""
    keyring = _both(*_folders(options["keys"], recovery_keys))
    rows = [(entry.party, entry.public_key.hex(), str(entry.path)) for entry in keyring.list()]
    output.show_rows("json" if as_json else format_, ("party", "key", "file"), rows)


@key.command("request")
@click.argument("party")
@click.option("--recovery", is_flag=True, help="Make a recovery key too, in a folder of its own.")
@_making
@_recovering
@on_ledger
@with_keys
def key_request(party: str, recovery: bool, recovery_keys: str | None, ledger: str | None, **options: Any) -> None:
    """Make a key for PARTY and print the request with which the operator admits it.

    The request holds the public key and a proof that you hold the private one; it is good for this ledger alone.
    """
    check_id(party, what="party id")
    if party == "self":
        raise MalformedError("CC-ID", "'self' is the party that made the ledger; take a name of your own", id=party)
    own, spare = _folders(options["keys"], recovery_keys)
    with opened(ledger, **options) as found:
        made = _Made(found.identity, party)
        request = {"id": party, "key": made.public, "proof": made.proof, "origin": found.origin}
        made.keep(own, found.origin, options)
        if recovery:
            second = _Made(found.identity, party)
            request |= {"recovery": second.public, "recovery_proof": second.proof}
            _keep_elsewhere(second.keep(spare, found.origin, options, "recovery"), party)
        output.write_json(request, line=True)


@key.command("rotate")
@click.argument("party", default="self")
@click.option("--key", "which", metavar="KEYID", help=_WHICH)
@changing
def key_rotate(party: str, which: str | None, **options: Any) -> None:
    """Replace PARTY's key by a new one, signed by the old; it acts from the next block on."""

    def act(writer: Writer) -> bool:
        holder = writer.core.state.party(party)
        old = _to_replace(holder, which, "is to be replaced")
        if old is not None:
            _check_before_making(writer, holder, old)
        return writer.rotate_key(party, old=None if old is None else old.key)

    change("key", party, "replaced", options, act, "; the new one acts from the next block on")


@key.command("add")
@click.argument("party", default="self")
@_making
@changing
def key_add(party: str, **options: Any) -> None:
    """Give PARTY a further key, signed by those that it has; then `key threshold` can ask for several.

    Of several keys of the operator any one seals blocks.
    """
    kept: list[Path] = []
    told, own = _told(options), Keyring(Path(options["keys"]) if options["keys"] else None)

    def act(writer: Writer) -> bool:
        made = _Made(writer.core.identity, party)
        new = writer.add({"record": "key", "party": party, "key": made.public, "proof": made.proof})
        if not told["dry_run"]:
            kept.append(made.keep(own, writer.core.origin, told))
        return new

    change("key", party, "added", options, act, "; it acts from the next block on")
    _say_where(kept)


@key.command("threshold")
@click.argument("party")
@click.argument("number", metavar="N", type=click.IntRange(1))
@click.option("--by-recovery", is_flag=True, help="Sign with the recovery key, where too few of the others are left.")
@click.option("--id", "id_", metavar="ID", help="The record's own id; left out, one is made.")
@_recovering
@changing
def key_threshold(
    party: str, number: int, by_recovery: bool, id_: str | None, recovery_keys: str | None, **options: Any
) -> None:
    """Ask for N of PARTY's keys under whatever it says from now on."""
    options["keys"] = _both(*_folders(options["keys"], recovery_keys))
    made = id_ or new_id("K")
    entry = {"record": "control", "id": made, "party": party, "threshold": number}

    def act(writer: Writer) -> bool:
        if by_recovery:
            _check_at_hand(writer, writer.core.state.party(party), options["keys"])
        return writer.add(entry | ({"by_recovery": True} if by_recovery else {}))

    note = f": {number} of the keys of {output.safe(party)} must sign"
    change("control", made, "recorded", options, act, note)


@key.command("recovery")
@click.argument("party", default="self")
@click.option("--id", "id_", metavar="ID", help="The record's own id; left out, one is made.")
@_making
@_recovering
@changing
def key_recovery(party: str, id_: str | None, recovery_keys: str | None, **options: Any) -> None:
    """Make a recovery key for PARTY, which can replace its keys when they are lost or stolen, and nothing else.

    A first one is signed by PARTY's keys, every later one by the recovery key that it replaces.
    """
    told = _told(options)
    own, spare = _folders(options["keys"], recovery_keys)
    options["keys"] = _both(own, spare)
    kept: list[Path] = []
    made_id = id_ or new_id("K")

    def act(writer: Writer) -> bool:
        state = writer.core.state
        holder = state.party(party)
        made = _Made(writer.core.identity, party)
        fields = {"party": party, "recovery": made.public, "proof": made.proof}
        entry: dict[str, Any] = {"record": "control", "id": made_id, **fields}
        if holder.recovery_at(state.height) is not None:
            _check_at_hand(writer, holder, options["keys"])
            entry["by_recovery"] = True
        new = writer.add(entry)
        if not told["dry_run"]:
            kept.append(made.keep(spare, writer.core.origin, told, "recovery"))
        return new

    note = f": {output.safe(party)} has a new recovery key, which acts from the next block on"
    change("control", made_id, "recorded", options, act, note)
    for path in kept:
        _keep_elsewhere(path, party)


@key.command("recover")
@click.argument("party", default="self")
@click.option("--key", "which", metavar="KEYID", help=_WHICH)
@click.option(
    "--compromised-since", "since", metavar="BLOCK", type=click.IntRange(0),
    help="It was stolen: what it signed from this block on is shown as disputed.",
)  # fmt: skip
@_making
@_recovering
@changing
def key_recover(party: str, which: str | None, since: int | None, recovery_keys: str | None, **options: Any) -> None:
    """Replace a lost or stolen key of PARTY by a new one, signed by its recovery key.

    Needs no other key of PARTY; where that is the operator, the recovery key seals this block too. The new key acts
    from the next block on.
    """
    told = _told(options)
    own, spare = _folders(options["keys"], recovery_keys)
    options["keys"] = _both(own, spare)
    kept: list[Path] = []

    def act(writer: Writer) -> bool:
        holder = writer.core.state.party(party)
        old = _to_replace(holder, which, "is lost")
        if old is None and since is not None:
            raise click.UsageError(f"{party!r} has no acting key; mark the stolen one with `key compromised`.")
        _check_at_hand(writer, holder, options["keys"])
        made = _Made(writer.core.identity, party)
        entry = {"record": "key", "party": party, "key": made.public, "proof": made.proof, "by_recovery": True}
        if old is not None:
            entry["replaces"] = key_id(old.key).hex()
        if since is not None:
            entry["compromised_since"] = since
        new = writer.add(entry)
        if not told["dry_run"]:
            kept.append(made.keep(own, writer.core.origin, told))
        return new

    disputed = f"; what the old one signed from block {since} on is disputed" if since is not None else ""
    note = f"{disputed}; the new one acts from the next block on"
    change("key", party, "replaced", options, act, note)
    _say_where(kept)


@key.command("compromised")
@click.argument("party")
@click.argument("which", metavar="KEYID")
@click.option("--since", metavar="BLOCK", type=click.IntRange(0), required=True, help="From this block on.")
@_recovering
@changing
def key_compromised(party: str, which: str, since: int, recovery_keys: str | None, **options: Any) -> None:
    """Say that the key KEYID of PARTY was stolen, signed by its recovery key; a key that still acts ends.

    What it signed in block BLOCK and after is shown as disputed; nothing is erased. To bring a new key at once, use
    `key recover`. Where fewer keys are left than must sign, all that are left must, and the command says so.
    """
    options["keys"] = _both(*_folders(options["keys"], recovery_keys))
    notes: list[str] = []

    def act(writer: Writer) -> bool:
        holder = writer.core.state.party(party)
        old = _find_key(holder, which)
        _check_at_hand(writer, holder, options["keys"])
        marked = {"replaces": key_id(old.key).hex(), "compromised_since": since}
        before = holder.threshold
        new = writer.add({"record": "key", "party": party, "by_recovery": True, **marked})
        notes.extend(_weakened(writer.core.state.party(party), before) if new else [])
        return new

    change("key", party, "marked", options, act, f"; what it signed from block {since} on is disputed")
    for note in notes:
        output.say(note)


def _weakened(party: PartyState, before: int) -> Iterator[str]:
    """Say what the end of a key did to how many keys must sign, `before` of them until then."""
    left = sum(key.until is None for key in party.keys)
    if left == 0:
        yield f"Warning: {party.id} has no key left; bring a new one with `charitychain key recover {party.id}`."
    elif party.threshold < before:
        rest = "1 is" if left == 1 else f"{left} are"
        yield (
            f"Warning: {before} keys of {party.id} had to sign, and {rest} left, so from the next block on"
            f" {party.threshold} must. Bring a new key with `charitychain key add {party.id}`, then ask for {before}"
            f" again with `charitychain key threshold {party.id} {before}`."
        )


# -------------------------------------------------------------------------------------------------- finding


def _told(options: dict[str, Any]) -> dict[str, Any]:
    """Return what making a key file needs of the options, and take out what `change` does not know."""
    names = ("dry_run", "passphrase_file", "passphrase_command")
    return {name: options[name] for name in names} | {"no_passphrase": options.pop("no_passphrase")}


def _to_replace(party: PartyState, which: str | None, why: str) -> PartyKey | None:
    """Return the key that was named, or the only one; of several nobody but their holder knows which is meant."""
    if which is not None:
        return _find_key(party, which)
    acting = [key for key in party.keys if key.until is None]
    if len(acting) > 1:
        raise click.UsageError(
            f"{party.id!r} has {len(acting)} keys; say with --key which {why}: "
            + ", ".join(short_id(key.key) for key in acting)
        )
    return acting[0] if acting else None


def _find_key(party: PartyState, which: str) -> PartyKey:
    found = [key for key in party.keys if len(which) >= 8 and key_id(key.key).hex().startswith(which.lower())]
    if len(found) != 1:
        raise NotFoundError(
            "CC-UNKNOWN-KEY",
            f"{party.id!r} has no key {which!r}; `charitychain party list` shows the ids of its keys, of which 8 digits"
            " are enough",
            party=party.id,
        )
    return found[0]


def _check_before_making(writer: Writer, party: PartyState, old: PartyKey) -> None:
    """Check what would refuse a replacement only when the file of the new key is made already."""
    if old.until is not None:
        raise RefusedError(
            "CC-UNKNOWN-KEY", f"the key {short_id(old.key)}… of {party.id!r} was replaced before", party=party.id
        )
    if not isinstance(writer, Drafter):
        writer.core.signers.check_at_hand(writer.core.signers.of(party, ()))


def _check_at_hand(writer: Writer, party: PartyState, keyring: Keyring) -> None:
    """Check that the recovery key of a party is here; that it has none is for the rules to say."""
    public = party.recovery_at(writer.core.state.height)
    if public is not None and not isinstance(writer, Drafter) and not writer.core.signers.has_key(public):
        raise KeyAccessError(
            "CC-KEY-MISSING",
            f"the recovery key {short_id(public)}… of {party.id!r} is not in {' or '.join(keyring.places)}; name its"
            " folder with --recovery-keys",
            party=party.id,
            key=public.hex(),
        )


def _keep_elsewhere(path: Path, party: str) -> None:
    output.say(
        f"The recovery key of {party} is in {path}. Move it off this machine, to where nobody uses it day by day, and"
        " keep a second copy: whoever has it can replace the keys of this party."
    )


def _say_where(paths: list[Path]) -> None:
    for path in paths:
        output.say(f"The new key is in {path}; keep a copy of it.")
