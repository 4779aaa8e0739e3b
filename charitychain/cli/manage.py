"""``init``, ``key``, ``party``, ``account`` and ``unit``: what a ledger is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from charitychain.chain.genesis import check_origin
from charitychain.cli import output
from charitychain.cli.session import formatted, ledger_path, new_passphrase, on_ledger, opened, with_keys
from charitychain.errors import CharitychainError, MalformedError, RefusedError, UnreadableError
from charitychain.keyring import Keyring
from charitychain.keys import key_id
from charitychain.records import ROLES, RULES
from charitychain.units import BUILT_IN


@click.command()
@click.argument("ledger", required=False)
@click.option("--origin", required=True, metavar="NAME", help="The ledger's name for ever: relief.example/2026.")
@click.option("--name", metavar="TEXT", help="A title for the first party.")
@click.option("--no-passphrase", is_flag=True, help="Leave the key file plain, readable by you alone.")
@with_keys
def init(ledger: str | None, origin: str, name: str | None, no_passphrase: bool, **options: Any) -> None:
    """Make a ledger, its key file, and a first party `self` that may do everything but audit and witness."""
    import os

    from charitychain.heads import Heads, state_directory
    from charitychain.ledger import Ledger

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
        output.echo(f"ledger    {output.safe(str(path))}")
        output.echo(f"origin    {output.safe(origin)}")
        output.echo(f"identity  {made.identity.hex()}")
        output.echo(f"key       {output.safe(str(entry.path)) if entry else ''}")
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
    from charitychain.state.parties import possession_message

    with opened(ledger, **options) as found:
        passphrase = None if no_passphrase else new_passphrase(options, found.keyring, party)
        _, made = found.keyring.create(found.origin, party, passphrase=passphrase)
        proof = made.sign(possession_message(found.identity, party, made.public_key))
        request = {"id": party, "key": made.public_key.hex(), "proof": proof.hex(), "origin": found.origin}
        output.write_json(request, line=True)


@key.command("rotate")
@click.argument("party", default="self")
@on_ledger
@with_keys
def key_rotate(party: str, ledger: str | None, **options: Any) -> None:
    """Replace PARTY's key by a new one, signed by the old; it acts from the next block on."""
    with opened(ledger, **options) as found, found.writer() as writer:
        writer.rotate_key(party)
        head = writer.commit()
        new = writer.core.state.party(party).keys[-1].key
        output.echo(f"key {key_id(new).hex()[:16]}… of {output.safe(party)} acts from block {head.height + 1} on")


# --------------------------------------------------------------------------------------------------- parties


@click.group()
def party() -> None:
    """Admit and list parties."""


@party.command("add")
@click.argument("id_", metavar="ID", required=False)
@click.option("--role", "roles", type=click.Choice([r for r in ROLES if r != "operator"]), multiple=True, required=True)
@click.option("--title", help="The party's name for people.")
@click.option("--request", metavar="FILE", help="The request that the party made with `key request`; - is stdin.")
@on_ledger
@with_keys
def party_add(
    id_: str | None, roles: tuple[str, ...], title: str | None, request: str | None, ledger: str | None, **options: Any
) -> None:
    """Admit party ID: with its own request, or with a new key in your own folder of keys."""
    told = _read_request(request) if request else {}
    name = id_ or told.get("id")
    if not name or (told and told["id"] != name):
        raise click.UsageError("Name the party, or give its --request; where both are given they must agree.")
    with opened(ledger, **options) as found, found.writer() as writer:
        new = writer.party(name, roles=list(roles), key=told.get("key"), proof=told.get("proof"), title=title)
        head = writer.commit()
        verb = f"admitted in block {head.height}; its key acts from the next block on" if new else "was there already"
        output.echo(f"party {output.safe(name)} {verb}")


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
@on_ledger
@with_keys
def account_open(id_: str, tags: tuple[str, ...], ledger: str | None, **options: Any) -> None:
    """Open account ID, a fund or a project."""
    pairs = dict(tag.partition("=")[::2] for tag in tags)
    if len(pairs) != len(tags) or not all(pairs.values()):
        raise click.UsageError("A tag is NAME=TEXT, and each NAME comes once.")
    fields = {name: options.pop(name) for name in ("unit", "title", "rule", "owner")}
    with opened(ledger, **options) as found, found.writer() as writer:
        new = writer.account(id_, tags=pairs or None, **fields)
        head = writer.commit()
        output.echo(f"account {output.safe(id_)} " + (f"opened in block {head.height}" if new else "was there already"))


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
@on_ledger
@with_keys
def unit_add(id_: str, decimals: int, title: str | None, ledger: str | None, **options: Any) -> None:
    """Declare commodity ID, such as RICE-KG."""
    with opened(ledger, **options) as found, found.writer() as writer:
        new = writer.unit(id_, decimals=decimals, title=title)
        head = writer.commit()
        output.echo(f"unit {output.safe(id_)} " + (f"declared in block {head.height}" if new else "was there already"))


@unit.command("list")
@on_ledger
@formatted
def unit_list(ledger: str | None, format_: str, as_json: bool) -> None:
    """List the units declared in this ledger; every ledger also has the currencies of ISO 4217."""
    with opened(ledger) as found:
        known = found.reader().state.units
        rows = [(u.code, u.decimals, u.title) for u in known.values() if u.code not in BUILT_IN or len(u.code) != 3]
        output.show_rows("json" if as_json else format_, ("unit", "decimals", "title"), rows)
