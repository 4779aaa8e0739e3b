"""``donate``, ``disburse``, ``spend``, ``convert``, ``split``, ``refund``, ``reverse``, ``recharge``: value on its way.

Each is one record, sealed at once; ``recharge`` is two that stand or fall together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from charitychain.cli import output
from charitychain.cli.entering import enter, new_id, recording, seal
from charitychain.cli.privately import open_vault
from charitychain.cli.session import looked_into
from charitychain.errors import NotFoundError
from charitychain.ledger import Ledger
from charitychain.private import root_of
from charitychain.records import CATEGORIES, LOSS

F = TypeVar("F", bound=Callable[..., Any])

_REPLACES = click.option("--replaces", metavar="ID", help="The reversed record that this one enters rightly.")
_LINE = click.option("--line", metavar="PLAN/LINE", help="The line of a plan that it uses.")
_INVOICE = click.option(
    "--invoice", metavar="KEY=TOTAL", help="The document that it pays wholly or in part, and the document's total."
)
_CATEGORY = click.option("--category", type=click.Choice(CATEGORIES))


def approved(command: F) -> F:
    """Add ``--approved-by``."""
    return click.option(
        "--approved-by",
        metavar="PARTY",
        multiple=True,
        callback=lambda context, option, given: list(given) or None,
        help="Which approvers of the account sign; left out, those whose keys are here. May repeat.",
    )(command)


def _invoice_of(told: str | None) -> dict[str, str] | None:
    if told is None:
        return None
    key, equals, total = told.rpartition("=")
    if not (key and equals and total):
        raise click.UsageError("An --invoice is KEY=TOTAL, such as INV-7=300.00.")
    return {"key": key, "total": total}


# ------------------------------------------------------------------------------------------- in, on, and used


@click.command()
@click.argument("account")
@click.argument("amount")
@click.option("--source", metavar="WORD", help="cash, goods-for-good, steps, hours, in-kind, undisclosed, …")
@click.option("--donor", metavar="HEX", help="The donor's pseudonym, 32 hex digits; never a name.")
@click.option("--donor-name", metavar="NAME", help="The donor, whom the vault keeps; - reads the name from stdin.")
@click.option("--known-donor", is_flag=True, help="Refuse a donor name that the vault does not know.")
@click.option("--pledge", metavar="ID", help="The pledge that it fulfils, wholly or in part.")
@_REPLACES
@recording
def donate(account: str, amount: str, donor: str | None, **options: Any) -> None:
    """Record a gift of AMOUNT into ACCOUNT."""
    if donor is not None and options["donor_name"] is not None:
        raise click.UsageError("--donor and --donor-name say the same in two ways; give one of them.")
    fields = {name: options.pop(name) for name in ("source", "pledge", "replaces")}
    enter("donation", "D", options, account=account, amount=amount, donor=donor, **fields)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("to")
@click.argument("amount")
@click.option("--gift", metavar="GIFT", help="Take it from this one gift.")
@_REPLACES
@approved
@recording
def disburse(source: str, to: str, amount: str, **options: Any) -> None:
    """Move AMOUNT out of account FROM into account TO."""
    fields = {name: options.pop(name) for name in ("gift", "replaces", "approved_by")}
    enter("disbursement", "B", options, **{"from": source}, to=to, amount=amount, **fields)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("amount")
@click.option("--payee", help="Who was paid; may be left out with --private, or of a loss.")
@click.option("--purpose", help="What for; may be left out with --private.")
@_CATEGORY
@click.option("--gift", metavar="GIFT", help="Pay it out of this one gift.")
@_LINE
@_INVOICE
@_REPLACES
@approved
@recording
def spend(source: str, amount: str, invoice: str | None, **options: Any) -> None:
    """Record that AMOUNT of account FROM was spent: its final use."""
    for name in ("payee", "purpose"):
        if name == "payee" and options["category"] == LOSS:
            continue  # what was lost went to nobody
        if options[name] is None and not options["private"]:
            raise click.MissingParameter(param_hint=f"'--{name}'", param_type="option")
    names = ("payee", "purpose", "category", "gift", "line", "replaces", "approved_by")
    fields = {name: options.pop(name) for name in names}
    enter("expenditure", "X", options, **{"from": source}, amount=amount, invoice=_invoice_of(invoice), **fields)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("amount")
@click.argument("to")
@click.argument("gives")
@click.option("--funded-from", metavar="ACCOUNT", help="The account that pays what the conversion gives.")
@click.option("--payee", help="Who was paid, where goods were bought.")
@_LINE
@_REPLACES
@approved
@recording
def convert(source: str, amount: str, to: str, gives: str, **options: Any) -> None:
    """Turn AMOUNT of account FROM into GIVES of account TO, which has another unit."""
    fields = {name: options.pop(name) for name in ("funded_from", "payee", "line", "replaces", "approved_by")}
    enter("conversion", "C", options, **{"from": source}, amount=amount, to=to, gives=gives, **fields)


# ---------------------------------------------------------------------------------------------- shared and undone


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("amount")
@click.option(
    "--to",
    "targets",
    metavar="ACCOUNT[=PART]",
    multiple=True,
    help="Who gets what; may repeat. PART is an amount or N%; without it the account takes the rest.",
)
@_REPLACES
@approved
@recording
def split(source: str, amount: str, targets: tuple[str, ...], **options: Any) -> None:
    """Move AMOUNT out of account FROM into several accounts, each of which gets its share of every gift.

    Where FROM has a levy, the levy's accounts get their exact parts without being named, and percentages are of what it
    leaves.
    """
    from charitychain.sharing import split_parts

    told = [_part(text) for text in targets]
    with looked_into(options) as found:
        parts = split_parts(found.reader(), source, amount, told, id=options["id_"])
    fields = {name: options.pop(name) for name in ("replaces", "approved_by")}
    enter("split", "S", options, **{"from": source}, amount=amount, to=parts, **fields)


def _part(text: str) -> tuple[str, str | None]:
    account, equals, part = text.rpartition("=")
    if equals and not (account and part):
        raise click.UsageError("A --to is ACCOUNT=PART, such as school=92.00 or school=92%, or ACCOUNT for the rest.")
    return (account, part) if equals else (text, None)


@click.command()
@click.argument("gift")
@click.option("--from", "source", metavar="ACCOUNT", help="Where it is taken from; else the gift's own account.")
@click.option("--amount", help="How much; else all of the gift that is there.")
@approved
@recording
def refund(gift: str, source: str | None, **options: Any) -> None:
    """Give back to its donor what is left of GIFT."""
    fields = {name: options.pop(name) for name in ("amount", "approved_by")}
    enter("refund", "R", options, donation=gift, **{"from": source}, **fields)


@click.command()
@click.argument("record_id", metavar="ID")
@click.option("--amount", help="How much; else all that is left of it.")
@click.option("--gift", metavar="GIFT", help="Bring back the share of this gift alone.")
@click.option("--from", "source", metavar="ACCOUNT", help="Of a split, the account that gives back what it got.")
@click.option("--reason", help="Why.")
@approved
@recording
def reverse(record_id: str, **options: Any) -> None:
    """Undo what ID did, wholly or in part: an expenditure, a disbursement, a split, a gift or a pledge.

    What was spent or moved comes back, and its trace goes on. A disbursement comes back as far as it still rests where
    it went; a split so, out of one account at a time. A gift entered wrongly counts as never received. A pledge is
    lowered. A conversion cannot be reversed.
    """
    fields = {name: options.pop(name) for name in ("amount", "gift", "reason", "approved_by")}
    fields["from"] = options.pop("source")
    enter("reversal", "U", options, reverses=record_id, **fields)


@click.command()
@click.argument("expenditure")
@click.option("--to", required=True, metavar="ACCOUNT", help="The account that takes it over; its owner signs too.")
@click.option("--amount", help="How much; else all that is left of it.")
@click.option("--gift", metavar="GIFT", help="Take over the share of this gift alone.")
@click.option("--reason", help="Why.")
@click.option("--payee", help="Who was paid; else as before.")
@click.option("--purpose", help="What for; else as before.")
@_CATEGORY
@_LINE
@_INVOICE
@approved
@recording
def recharge(expenditure: str, to: str, invoice: str | None, **options: Any) -> None:
    """Let account ACCOUNT take over EXPENDITURE: reverse it, and enter it anew out of ACCOUNT, both or neither.

    The gifts that paid for it are free again, and the traces on both sides say so. --id is the new expenditure's. Date,
    reference, evidence and invoice are those of the old one unless given; the plan's line only where ACCOUNT is the old
    one, as it is to correct a purpose or category.
    """
    from charitychain.sharing import recharge_entries

    names = ("payee", "purpose", "category", "line", "date", "reference", "author", "approved_by")
    given = {name: options.pop(name) for name in names} | {"invoice": _invoice_of(invoice)}
    given["evidence"] = list(options.pop("evidence")) or None
    asked = {name: options.pop(name) for name in ("amount", "gift", "reason")}
    made = options.pop("id_") or new_id("X")
    with looked_into(options) as found:
        entries = recharge_entries(found.reader(), expenditure, to=to, id=made, given=given, **asked)
        if not options["private"]:
            options["private"] = _private_details(found, entries[1], options["vault"])
    if given["author"] is not None:
        entries[0]["author"] = given["author"]
    seal(list(entries), options)


def _private_details(found: Ledger, entry: dict[str, Any], vault_path: str | None) -> tuple[str, ...]:
    """Return the private details of the record that an entry replaces, as the vault keeps them, to be sealed anew."""
    id_ = entry["replaces"]
    row = found.reader().index.find_id(id_)
    sealed = getattr(found.reader().record(row.place), "private", None) if row is not None else None
    if sealed is None:
        return ()
    kept: dict[str, str] = {}
    try:
        with open_vault(found, vault_path) as vault:
            details = vault.annex.details(id_, sealed)
        if root_of([item.leaf for item in details]) == sealed:
            kept = {item.detail.name: item.detail.value for item in details if item.detail is not None}
    except NotFoundError:
        pass
    kept = {name: value for name, value in kept.items() if name not in entry}
    missing = [name for name in ("payee", "purpose") if name not in entry]
    if any(value == "-" or value[:1] == "@" for value in kept.values()) or (missing and not kept):
        names = " and ".join(missing) or "details"
        raise click.UsageError(
            f"{id_}: its {names} cannot be taken from the vault of this machine; give --private NAME=VALUE, or"
            " --payee and --purpose."
        )
    if not kept:
        output.say(f"Note: {id_} has private details that are not kept here; {entry['id']} has none.")
    return tuple(f"{name}={value}" for name, value in kept.items())
