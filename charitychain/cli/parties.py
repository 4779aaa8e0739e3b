"""``party``: who may speak here. ``key``, which stands beside it, is in `charitychain.cli.keys`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.changing import change, changing
from charitychain.cli.entering import new_id
from charitychain.cli.keys import key, short_id
from charitychain.cli.privately import given_bytes
from charitychain.cli.session import formatted, on_ledger, opened
from charitychain.codec import check_id
from charitychain.errors import MalformedError
from charitychain.records import ROLES
from charitychain.strictjson import read_json
from charitychain.writer import Writer

__all__ = ["key", "party"]

_REQUEST_MAX = 65_536  # bytes


@click.group()
def party() -> None:
    """Admit, suspend and list parties."""


@party.command("add")
@click.argument("id_", metavar="ID", required=False)
@click.option("--role", "roles", type=click.Choice([r for r in ROLES if r != "operator"]), multiple=True, required=True)
@click.option("--title", help="The party's name for people.")
@click.option("--request", metavar="FILE", help="The request that the party made with `key request`; - is stdin.")
@changing
def party_add(id_: str | None, roles: tuple[str, ...], title: str | None, request: str | None, **options: Any) -> None:
    """Admit party ID: with its own request, or with a new key in your own folder of keys.

    A request may bring a recovery key too.
    """
    told = _read_request(request) if request else {}
    name = told.get("id") if id_ is None else id_
    if name is None or (told and told["id"] != name):
        raise click.UsageError("Name the party, or give its --request; where both are given they must agree.")
    check_id(name, what="party id")  # before a key is made for it

    def act(writer: Writer) -> bool:
        keys = {field: told.get(field) for field in ("key", "proof", "recovery", "recovery_proof")}
        return writer.party(name, roles=list(roles), title=title, **keys)

    change("party", name, "admitted", options, act, "; its key acts from the next block on")


def _read_request(path: str) -> dict[str, str]:
    try:
        value = read_json(given_bytes(path, _REQUEST_MAX), size_max=_REQUEST_MAX)
    except ValueError as error:
        raise _no_request(path, str(error)) from error
    names = ["id", "key", "proof"]
    if isinstance(value, dict) and ("recovery" in value or "recovery_proof" in value):
        names += ["recovery", "recovery_proof"]
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in names):
        raise _no_request(path, f"it must have the fields {', '.join(names)}")
    return {name: value[name] for name in names}


def _no_request(path: str, why: str) -> MalformedError:
    return MalformedError("CC-REQUEST", f"{path} is no request: {why}; `charitychain key request` makes one")


def _suspending(command: Callable[..., None]) -> Callable[..., None]:
    """Add what suspending and resuming take."""
    made = click.option("--id", "suspension", metavar="ID", help="The record's own id; left out, one is made.")
    why = click.option("--reason", metavar="TEXT", help="Why, for everybody to read.")
    return click.argument("id_", metavar="ID")(why(made(changing(command))))


@party.command("suspend")
@_suspending
def party_suspend(id_: str, reason: str | None, suspension: str | None, **options: Any) -> None:
    """Suspend party ID: its signature counts for nothing, but it can still change its keys."""
    _suspend(id_, suspension, {"suspended": True, "reason": reason}, "is suspended", options)


@party.command("resume")
@_suspending
def party_resume(id_: str, reason: str | None, suspension: str | None, **options: Any) -> None:
    """Let the signature of party ID count again."""
    _suspend(id_, suspension, {"suspended": False, "reason": reason}, "may sign again", options)


def _suspend(party: str, id_: str | None, fields: dict[str, Any], done: str, options: dict[str, Any]) -> None:
    made = id_ or new_id("SU")
    entry = {"record": "suspension", "id": made, "party": party}
    entry |= {name: value for name, value in fields.items() if value is not None}

    def act(writer: Writer) -> bool:
        return writer.add(entry)

    change("suspension", made, "recorded", options, act, f": {output.safe(party)} {done}")


@party.command("list")
@on_ledger
@formatted
def party_list(ledger: str | None, format_: str, as_json: bool) -> None:
    """List parties with their roles and keys, one key a row.

    `use` says what a key is for: to sign, or to recover. `needed` is how many of its keys must sign what a party says;
    `disputed` from which block on a key was compromised; `state` whether the party is suspended.
    """
    with opened(ledger) as found:
        reader = found.reader()
        rows = [
            (
                p.id, ",".join(p.roles), p.title, short_id(k.key), use, k.start, k.until, k.compromised, p.threshold,
                "suspended" if p.suspended else "active",
            )
            for p in reader.state.parties
            for use, listed in (("sign", p.keys), ("recover", p.recovery))
            for k in listed
        ]  # fmt: skip
        columns = ("party", "roles", "title", "key", "use", "from", "until", "disputed", "needed", "state")
        output.show_rows("json" if as_json else format_, columns, rows)
