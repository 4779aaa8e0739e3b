"""``send``, ``receive`` and ``succeed``: value on its way from one ledger into another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from charitychain.chain.genesis import Predecessor, check_origin
from charitychain.cli import output
from charitychain.cli.entering import enter, new_id, recording, seal_made
from charitychain.cli.record import approved
from charitychain.cli.session import formatted, new_passphrase, opened, pin_made, with_keys
from charitychain.errors import RefusedError
from charitychain.keyring import Keyring
from charitychain.ledger import Ledger

_IDENTITY = re.compile(r"[0-9a-fA-F]{64}")


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("amount")
@click.option("--to", "to", required=True, metavar="LEDGER", help="The other ledger: its file, or its identity.")
@click.option("--origin", metavar="NAME", help="What the other ledger is called, where only its identity is given.")
@click.option("--gift", metavar="GIFT", help="Take it from this one gift.")
@approved
@recording
def send(source: str, amount: str, to: str, origin: str | None, **options: Any) -> None:
    """Send AMOUNT of account FROM to another ledger, whose operator then records it with `receive`.

    A trace goes on there when it is given both ledgers: `trace --with`.
    """
    fields = {name: options.pop(name) for name in ("gift", "approved_by")}
    if _IDENTITY.fullmatch(to):
        identity = to.lower()
    else:
        with Ledger.open(to) as other:
            identity, origin = other.identity.hex(), other.origin
    enter("sent", "S", options, **{"from": source}, amount=amount, to_ledger=identity, to_origin=origin, **fields)


@click.command()
@click.argument("sent", metavar="ID")
@click.argument("account")
@click.option("--from", "source", required=True, metavar="LEDGER", help="The file of the ledger that sent it.")
@recording
def receive(sent: str, account: str, source: str, **options: Any) -> None:
    """Receive into ACCOUNT what another ledger sent under ID, all of it."""
    from charitychain.across import received_entry

    with Ledger.open(source) as there:
        made = options.pop("id_") or new_id("R")
        entry = there.answer(lambda reader: received_entry(reader, sent, account=account, id=made))
    seal_made(entry, options)


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--origin", metavar="NAME", help="The new ledger's name for ever; needed where it is yet to be made.")
@click.option("--no-passphrase", is_flag=True, help="Leave the new key file plain, readable by you alone.")
@with_keys
@formatted
def succeed(
    old: str, new: str, origin: str | None, no_passphrase: bool, format_: str, as_json: bool, **options: Any
) -> int:
    """Let ledger NEW go on from ledger OLD: its parties, accounts and terms, and what the accounts hold.

    NEW is made if it is not there, with an operator's key of its own, and binds the blocks that OLD has now. Then OLD
    sends what its accounts hold and NEW receives it, unit for unit: traces go on, with `trace --with`. What the keys at
    hand cannot sign is left and told; exit code 8. Doing it again carries what was left, or came later.
    """
    from charitychain.succession import carry_over, predecessor_of

    with opened(old, **options) as before:
        if not Path(new).exists():
            if origin is None:
                raise click.UsageError(f"{new} is not there; name the ledger to make with --origin.")
            if origin == before.origin:
                raise RefusedError("CC-SUCCESSOR", f"{origin} is the old ledger's name; the new one needs another")
            check_origin(origin)
            _make(Path(new), origin, no_passphrase, options, predecessor_of(before), before.reader().parties[0].title)
        with opened(new, **options) as after:
            done = carry_over(before, after)
            facts = {
                "ledger": new, "origin": after.origin, "identity": after.identity.hex(), "predecessor": before.origin,
                "sent": list(done.sent),
                "received": [{"id": id_, "amount": str(money), "unit": money.code} for id_, money in done.received],
                "left": [{"account": account, "why": why} for account, why in done.left],
            }  # fmt: skip
            lines = [
                f"{output.safe(after.origin)} goes on from {output.safe(before.origin)}",
                f"identity  {after.identity.hex()}",
                *(f"received  {money} {output.safe(money.code)} ({output.safe(id_)})" for id_, money in done.received),
                *(f"left      {output.safe(account)}: {output.safe(why)}" for account, why in done.left),
            ]  # fmt: skip
            output.show_facts("json" if as_json else format_, facts, "\n".join(lines))
    return 8 if done.left else 0


def _make(
    path: Path, origin: str, no_passphrase: bool, options: dict[str, Any], predecessor: Predecessor, name: str | None
) -> None:
    keyring = Keyring(Path(options["keys"]) if options["keys"] else None)
    passphrase = None if no_passphrase else new_passphrase(options, keyring, "self")
    with Ledger.create(
        path, origin=origin, keys=keyring, passphrase=passphrase, name=name, predecessor=predecessor
    ) as made:
        pin_made(made)
