"""``pledge``, ``acknowledge``, ``attest`` and ``period``: records that say something and move nothing."""

from __future__ import annotations

from typing import Any

import click

from charitychain import records
from charitychain.basis import Records
from charitychain.cli import output
from charitychain.cli.entering import enter, recording
from charitychain.cli.session import at_moment, formatted, on_ledger, opened
from charitychain.errors import VerificationError
from charitychain.state.lookup import Link
from charitychain.units import format_amount

__all__ = ["acknowledge", "attest", "period", "pledge"]


@click.group()
def pledge() -> None:
    """Record what somebody announces to give, and list what came of it."""


@pledge.command("make")
@click.argument("account")
@click.argument("amount")
@click.option(
    "--pledger", metavar="TEXT", help="Which organisation announces it; people have --donor, and no name here."
)
@click.option("--donor", metavar="HEX", help="The donor's pseudonym, 32 hex digits.")
@click.option("--due", metavar="DATE", help="When it is to come: YYYY, YYYY-MM or YYYY-MM-DD.")
@recording
def pledge_make(account: str, amount: str, **options: Any) -> None:
    """Record that somebody announces AMOUNT for ACCOUNT.

    It is never counted as received: a gift that names it with `donate --pledge` fulfils it, and `reverse` lowers it.
    """
    fields = {name: options.pop(name) for name in ("pledger", "donor", "due")}
    enter("pledge", "P", options, account=account, amount=amount, **fields)


@pledge.command("list")
@at_moment
@on_ledger
@formatted
def pledge_list(ledger: str | None, format_: str, as_json: bool, **moment: Any) -> None:
    """List pledges: what was announced, taken back, received, and what is still open."""
    from charitychain.plans import list_pledges

    columns = (
        "pledge", "account", "pledger", "announced", "reversed", "fulfilled", "open", "unit", "due", "date",
    )  # fmt: skip
    with opened(ledger, **moment) as found:
        rows = [
            (
                p.id, p.account, p.pledger, str(p.announced), str(p.reversed), str(p.fulfilled), str(p.open),
                p.announced.code, p.due, p.date,
            )
            for p in list_pledges(found.reader())
        ]  # fmt: skip
    output.show_rows("json" if as_json else format_, columns, rows, right=columns[3:7])


@click.command()
@click.argument("record_id", metavar="ID")
@click.option("--amount", help="How much of it arrived, or is disputed; else all.")
@click.option("--disputed", is_flag=True, help="It did not arrive, or not as it says.")
@click.option("--upto", is_flag=True, help="ID is a gift: it and all before it that others took in have arrived.")
@click.option("--on-behalf-of", metavar="TEXT", help="For whom a stand-in speaks.")
@click.option("--note", metavar="TEXT", help="What else is to be said; never a person's name.")
@recording
def acknowledge(record_id: str, disputed: bool, upto: bool, **options: Any) -> None:
    """Say that what ID says arrived: a disbursement, split, expenditure, conversion or gift; or that an outcome is so.

    The recipient says so, or whom --author names; never the payer, nor anybody who had a part in the outcome.
    """
    fields = {name: options.pop(name) for name in ("amount", "on_behalf_of", "note")}
    fields |= {"status": "disputed" if disputed else None, "upto": upto or None}
    enter("acknowledgement", "A", options, acknowledges=record_id, **fields)


@click.command()
@click.argument("accounts", metavar="ACCOUNT...", nargs=-1, required=True)
@click.option("--amount", required=True, help="What they really held together; may be 0.")
@click.option("--at", "at", required=True, metavar="DAY", help="At the end of which day: YYYY-MM-DD.")
@click.option("--institution", metavar="TEXT", help="Where the money rests, such as a bank.")
@click.option("--note", metavar="TEXT", help="What else is to be said.")
@recording
def attest(accounts: tuple[str, ...], **options: Any) -> None:
    """Sign as an auditor (--author PARTY) what accounts really held together on a day.

    `reconcile` and the findings of `verify` compare it with what the ledger holds.
    """
    if options["author"] is None:
        raise click.MissingParameter(param_hint="'--author'", param_type="option")
    fields = {name: options.pop(name) for name in ("amount", "at", "institution", "note")}
    enter("attestation", "T", options, accounts=list(dict.fromkeys(accounts)), **fields)


# --------------------------------------------------------------------------------------------------- periods


@click.group()
def period() -> None:
    """Close periods of the books, and list what was closed."""


@period.command("close")
@click.option("--until", required=True, metavar="DAY", help="The period's last day: YYYY-MM-DD.")
@click.option(
    "--account", "accounts", metavar="ID", multiple=True, help="Close this account; else all of the author's."
)
@recording
def period_close(until: str, accounts: tuple[str, ...], **options: Any) -> None:
    """Sign the totals of accounts as they stand; what is dated by then and comes later is flagged as late."""
    enter("period", "PC", options, until=until, accounts=list(dict.fromkeys(accounts)) or None)


@period.command("list")
@at_moment
@on_ledger
@formatted
def period_list(ledger: str | None, format_: str, as_json: bool, **moment: Any) -> None:
    """List what was closed until when, and the totals that were signed.

    In and out are since the account was opened; what came back is part of in.
    """
    columns = ("period", "until", "account", "in", "out", "came_back", "held", "unit", "by", "sealed")
    rows = []
    with opened(ledger, **moment) as found:
        reader = found.reader()
        known = Records(reader)
        for place in sorted({place for _, place in reader.index.linked(Link.CLOSED)}):
            record = known.get(place)
            if not isinstance(record, records.Period):
                raise VerificationError("CC-INDEX", "the index takes another record for a period; make it anew")
            by, sealed = known.author(place), known.sealed(place)
            for number, came, by_rule, by_name, back in record.totals:
                account = reader.state.account(number)
                unit = reader.unit_of(account)
                sums = (came, by_rule + by_name, back, came - by_rule - by_name)
                amounts = [format_amount(amount, unit) for amount in sums]
                rows.append((record.id, record.until, account.id, *amounts, unit.code, by, sealed))
    output.show_rows("json" if as_json else format_, columns, rows, right=columns[3:7])
