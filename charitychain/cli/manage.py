"""``init``, ``key``, ``party``, ``account`` and ``unit``: what a ledger is made of."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from charitychain.chain.genesis import check_origin
from charitychain.cli import output
from charitychain.cli.session import formatted, ledger_path, new_passphrase, on_ledger, opened, with_keys
from charitychain.errors import CharitychainError, MalformedError, RefusedError, UnreadableError
from charitychain.heads import Heads, state_directory
from charitychain.keyring import Keyring
from charitychain.keys import key_id
from charitychain.ledger import Ledger
from charitychain.records import ROLES, RULES
from charitychain.state.parties import possession_message
from charitychain.units import BUILT_IN
from charitychain.writer import Writer

F = TypeVar("F", bound=Callable[..., Any])


def changing(command: F) -> F:
    """Add the options of a command that changes what a ledger is made of."""
    dry = click.option("--dry-run", is_flag=True, help="Check everything, record nothing.")
    return dry(on_ledger(with_keys(formatted(command))))


def _change(
    kind: str, id_: str, verb: str, options: dict[str, Any], act: Callable[[Writer], bool], note: str = ""
) -> None:
    """Record one change in a block of its own, and say so."""
    dry, as_json = options.pop("dry_run"), options.pop("as_json")
    format_ = "json" if as_json else options.pop("format_")
    with opened(options.pop("ledger"), **options) as found:
        with found.writer(dry=dry) as writer:
            new = act(writer)
            head = writer.commit()
        facts = {"record": kind, "id": id_, "height": head.height, "recorded": new and not dry}
        if dry and new:
            done = f"would be {verb}"
        else:
            done = f"{verb} in block {head.height}{note}" if new else "was there already"
        what = "key of" if kind == "key" else kind
        output.show_facts(format_, facts, f"{what} {output.safe(id_)} {done}")


@click.command()
@click.argument("ledger", required=False)
@click.option("--origin", required=True, metavar="NAME", help="The ledger's name for ever: relief.example/2026.")
@click.option("--name", metavar="TEXT", help="A title for the first party.")
@click.option("--no-passphrase", is_flag=True, help="Leave the key file plain, readable by you alone.")
@with_keys
@formatted
def init(
    ledger: str | None, origin: str, name: str | None, no_passphrase: bool, format_: str, as_json: bool, **options: Any
) -> None:
    """Make a ledger, its key file, and a first party `self` that may do everything but audit and witness."""
    path = ledger_path(ledger)
    check_origin(origin)
    if path.exists():
        raise RefusedError("CC-EXISTS", f"{path} exists already; choose another name", path=str(path))
    keyring = Keyring(Path(options["keys"]) if options["keys"] else None)
    passphrase = None if no_passphrase else new_passphrase(options, keyring, "self")
    with Ledger.create(path, origin=origin, keys=keyring, passphrase=passphrase, name=name) as made:
        try:
            Heads(state_directory(os.environ)).pin(path, made.identity)
        except (CharitychainError, OSError) as error:
            output.say(f"Note: the ledger's identity could not be remembered here: {error}")
        entry = made.keyring.find(made.genesis.key)
        facts = {
            "ledger": str(path), "origin": origin, "identity": made.identity.hex(),
            "key": str(entry.path) if entry else "",
        }  # fmt: skip
        lines = [f"{name:<8}  {output.safe(value)}" for name, value in facts.items()]
        output.show_facts("json" if as_json else format_, facts, "\n".join(lines))
        output.say("Keep a copy of the key file, and give the identity to whoever will check this ledger.")


# ------------------------------------------------------------------------------------------------------ keys


@click.group()
def key() -> None:
    """Make, list and replace key files."""


@key.command("list")
@with_keys
@formatted
def key_list(format_: str, as_json: bool, **options: Any) -> None:
    """List the key files at hand."""
    keyring = Keyring(Path(options["keys"]) if options["keys"] else None)
    rows = [(entry.party, entry.public_key.hex(), str(entry.path)) for entry in keyring.list()]
    output.show_rows("json" if as_json else format_, ("party", "key", "file"), rows)


@key.command("request")
@click.argument("party")
@click.option("--no-passphrase", is_flag=True, help="Leave the key file plain, readable by you alone.")
@on_ledger
@with_keys
def key_request(party: str, no_passphrase: bool, ledger: str | None, **options: Any) -> None:
    """Make a key for PARTY and print the request with which the operator admits it.

    The request holds the public key and a proof that you hold the private one; it is good for this ledger alone.
    """
    with opened(ledger, **options) as found:
        passphrase = None if no_passphrase else new_passphrase(options, found.keyring, party)
        _, made = found.keyring.create(found.origin, party, passphrase=passphrase)
        proof = made.sign(possession_message(found.identity, party, made.public_key))
        request = {"id": party, "key": made.public_key.hex(), "proof": proof.hex(), "origin": found.origin}
        output.write_json(request, line=True)


@key.command("rotate")
@click.argument("party", default="self")
@changing
def key_rotate(party: str, **options: Any) -> None:
    """Replace PARTY's key by a new one, signed by the old; it acts from the next block on."""

    def act(writer: Writer) -> bool:
        return writer.rotate_key(party)

    _change("key", party, "replaced", options, act, "; the new one acts from the next block on")


# --------------------------------------------------------------------------------------------------- parties


@click.group()
def party() -> None:
    """Admit and list parties."""


@party.command("add")
@click.argument("id_", metavar="ID", required=False)
@click.option("--role", "roles", type=click.Choice([r for r in ROLES if r != "operator"]), multiple=True, required=True)
@click.option("--title", help="The party's name for people.")
@click.option("--request", metavar="FILE", help="The request that the party made with `key request`; - is stdin.")
@changing
def party_add(id_: str | None, roles: tuple[str, ...], title: str | None, request: str | None, **options: Any) -> None:
    """Admit party ID: with its own request, or with a new key in your own folder of keys."""
    told = _read_request(request) if request else {}
    name = id_ or told.get("id")
    if not name or (told and told["id"] != name):
        raise click.UsageError("Name the party, or give its --request; where both are given they must agree.")

    def act(writer: Writer) -> bool:
        return writer.party(name, roles=list(roles), key=told.get("key"), proof=told.get("proof"), title=title)

    _change("party", name, "admitted", options, act, "; its key acts from the next block on")


def _read_request(path: str) -> dict[str, str]:
    try:
        with click.open_file(path, "rb") as file:
            value = json.loads(file.read(65536))
        if isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("id", "key", "proof")):
            return {name: value[name] for name in ("id", "key", "proof")}
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        pass
    raise MalformedError("CC-REQUEST", f"{path} is no request; `charitychain key request` makes one")


@party.command("list")
@on_ledger
@formatted
def party_list(ledger: str | None, format_: str, as_json: bool) -> None:
    """List parties with their roles and keys."""
    with opened(ledger) as found:
        reader = found.reader()
        rows = [
            (p.id, ",".join(p.roles), p.title, key_id(k.key).hex()[:16], k.start, k.until)
            for p in reader.state.parties
            for k in p.keys
        ]
        output.show_rows("json" if as_json else format_, ("party", "roles", "title", "key", "from", "until"), rows)


# -------------------------------------------------------------------------------------------------- accounts


@click.group()
def account() -> None:
    """Open and list accounts."""


@account.command("open")
@click.argument("id_", metavar="ID")
@click.option("--unit", required=True, help="A currency such as EUR, or a declared unit; fixed for ever.")
@click.option("--title", help="The account's name for people.")
@click.option("--rule", type=click.Choice(RULES), help="How money leaves: fifo (default) or pro-rata; fixed for ever.")
@click.option("--owner", metavar="PARTY", help="Who owns it; else the first party.")
@click.option("--tag", "tags", metavar="NAME=TEXT", multiple=True)
@changing
def account_open(id_: str, tags: tuple[str, ...], **options: Any) -> None:
    """Open account ID, a fund or a project."""
    pairs = dict(tag.partition("=")[::2] for tag in tags)
    if len(pairs) != len(tags) or not all(pairs.values()):
        raise click.UsageError("A tag is NAME=TEXT, and each NAME comes once.")
    fields = {name: options.pop(name) for name in ("unit", "title", "rule", "owner")}

    def act(writer: Writer) -> bool:
        return writer.account(id_, tags=pairs or None, **fields)

    _change("account", id_, "opened", options, act)


@account.command("list")
@on_ledger
@formatted
def account_list(ledger: str | None, format_: str, as_json: bool) -> None:
    """List accounts with what they hold."""
    with opened(ledger) as found:
        held = found.balances()
        rows = [
            (a.id, a.title, a.rule, found.reader().state.parties[a.owner].id, str(held[a.id][0]), a.unit)
            for a in found.reader().state.accounts
        ]
        columns = ("account", "title", "rule", "owner", "holds", "unit")
        output.show_rows("json" if as_json else format_, columns, rows, right=("holds",))


# ----------------------------------------------------------------------------------------------------- units


@click.group()
def unit() -> None:
    """Declare and list units."""


@unit.command("add")
@click.argument("id_", metavar="ID")
@click.option("--decimals", type=click.IntRange(0, 12), required=True)
@click.option("--title", help="The unit's name for people.")
@changing
def unit_add(id_: str, decimals: int, title: str | None, **options: Any) -> None:
    """Declare commodity ID, such as RICE-KG."""

    def act(writer: Writer) -> bool:
        return writer.unit(id_, decimals=decimals, title=title)

    _change("unit", id_, "declared", options, act)


@unit.command("list")
@on_ledger
@formatted
def unit_list(ledger: str | None, format_: str, as_json: bool) -> None:
    """List the units declared in this ledger; every ledger also has the currencies of ISO 4217."""
    with opened(ledger) as found:
        known = found.reader().state.units
        rows = [(u.code, u.decimals, u.title) for u in known.values() if u.code not in BUILT_IN or len(u.code) != 3]
        output.show_rows("json" if as_json else format_, ("unit", "decimals", "title"), rows)
