"""``challenge``: single facts for whoever wants to sample a ledger, each checked, and checkable again by anybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from charitychain.cli import output
from charitychain.cli.files import write_new
from charitychain.cli.proved import facts_of, show_checked
from charitychain.cli.receipt import READABLE, account_asked, maker_of, statement_of
from charitychain.cli.session import formatted, on_ledger, opened
from charitychain.errors import NotFoundError, RefusedError
from charitychain.records import Donation

if TYPE_CHECKING:
    from charitychain.ledger import Ledger
    from charitychain.receipts.make import Maker
    from charitychain.receipts.wire import Receipt

__all__ = ["challenge"]


@click.group()
def challenge() -> None:
    """Ask a ledger for one fact that no receipt shows, and check the answer; with -o anybody can check it again."""


def _answering(command: Any) -> Any:
    keep = "Keep the answer; `receipt verify` checks it."
    option = click.option("-o", "--output", "target", metavar="FILE", help=keep)
    return option(on_ledger(formatted(command)))


@challenge.command("record")
@click.argument("id_", metavar="ID")
@_answering
def challenge_record(id_: str, **options: Any) -> None:
    """Show every movement that the record of ID made: none was left out, none is too many."""
    heading = f"The record {id_} made just these movements:"
    _answer(options, heading, lambda maker, found: _of_record(maker, found, id_))


@challenge.command("leaf")
@click.argument("account")
@click.argument("number", type=click.IntRange(0))
@_answering
def challenge_leaf(account: str, number: int, **options: Any) -> None:
    """Show movement NUMBER of an account, and the signed record that made it."""
    heading = f"Movement {number} of {account} is this:"
    _answer(options, heading, lambda maker, found: statement_of(maker, found, account, str(number)))


@challenge.command("inflow")
@click.argument("account")
@click.argument("number", type=click.IntRange(0))
@_answering
def challenge_inflow(account: str, number: int, **options: Any) -> None:
    """Show where the units of inflow NUMBER of an account came from: the movements of the record that made it."""

    def made(maker: Maker, found: Ledger) -> Receipt:
        reader = found.reader()
        at = account_asked(found, account)
        if number >= at.log.size or not (inflow := reader.movement(at.number, number)).is_inflow:
            raise RefusedError("CC-RECEIPT", f"movement {number} of account {account!r} is no inflow")
        return maker.record(inflow.place, at.number)

    _answer(options, f"The record behind inflow {number} of {account} made just these movements:", made)


def _of_record(maker: Maker, found: Ledger, id_: str) -> Receipt:
    reader = found.reader()
    if "/" in id_ or ((row := reader.find_id(id_)) is not None and row.kind == Donation.KIND):
        gift = reader.gift(id_)
        return maker.gift(gift.id)[0]
    if row is None:
        raise NotFoundError("CC-UNKNOWN-ID", f"this ledger has no record {id_!r}", id=id_)
    made = reader.moves(row.place)
    return maker.record(row.place, made[0][0] if made else 0)


def _answer(options: dict[str, Any], heading: str, ask: Callable[[Maker, Ledger], Receipt]) -> None:
    from charitychain.receipts.check import check_receipt
    from charitychain.receipts.wire import encode_receipt

    with opened(options["ledger"]) as found:
        data = encode_receipt(ask(maker_of(found), found))
    checked = check_receipt(data, "the answer")
    if options["target"] is not None:
        write_new(options["target"], data, mode=READABLE)
    if options["as_json"] or options["format_"] != "table":
        told = facts_of(checked)
        if checked.trace is not None:
            told = checked.trace.to_dict() | {"receipt": told}
        output.write_json(told, line=options["format_"] == "jsonl")
    else:
        show_checked(checked, everything=False, heading=heading)
