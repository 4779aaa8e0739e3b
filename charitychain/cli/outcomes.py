"""``outcome`` and ``check-evidence``: what the money did, and the documents that are to show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from charitychain.answers import Money
from charitychain.cli import output
from charitychain.cli.entering import enter, recording
from charitychain.cli.session import formatted, on_ledger, opened


@click.command()
@click.argument("account")
@click.argument("indicator")
@click.argument("quantity", type=click.IntRange(1, 2**63 - 1))
@click.option("--of", "of", metavar="ID", multiple=True, required=True, help="An expenditure behind it; may repeat.")
@click.option("--amount", metavar="AMOUNT", help="How much of what was spent it claims; left out: all.")
@click.option("--place", metavar="TEXT", help="Where.")
@click.option("--beneficiaries", type=click.IntRange(1, 2**63 - 1), metavar="N", help="How many people.")
@recording
def outcome(
    account: str,
    indicator: str,
    quantity: int,
    of: tuple[str, ...],
    amount: str | None,
    place: str | None,
    beneficiaries: int | None,
    **options: Any,
) -> None:
    """Say what expenditures of ACCOUNT did: QUANTITY of INDICATOR, such as "books" or "pupils taught".

    The account's owner says it, or an auditor with --author.
    """
    enter(
        "outcome", "O", options, account=account, indicator=indicator, quantity=quantity, of=list(of), amount=amount,
        place=place, beneficiaries=beneficiaries,
    )  # fmt: skip


@click.command("check-evidence")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--record", metavar="ID", help="Only the documents of this record.")
@on_ledger
@formatted
def check_evidence(folder: Path, record: str | None, ledger: str | None, format_: str, as_json: bool) -> int:
    """Compare the documents in FOLDER, and below it, with those that the ledger names by their hashes.

    Exit code 8 where one of them is missing; files that no record names change nothing.
    """
    from charitychain.evidence import check_folder

    with opened(ledger) as found:
        answer = check_folder(found.reader(), folder, record=record)
    format_ = "json" if as_json else format_
    if format_ == "json":
        documents = [
            {
                "hash": each.hash,
                "records": list(each.records),
                "amounts": [money and {"amount": str(money), "unit": money.code} for money in each.amounts],
                "file": each.file,
            }
            for each in answer.documents
        ]
        output.write_json({"documents": documents, "unnamed": list(answer.unnamed)})
    else:
        rows = [
            (each.hash, ", ".join(each.records), ", ".join(map(_amount, each.amounts)), each.file or "MISSING")
            for each in answer.documents
        ]
        rows += [("", "none", "", name) for name in answer.unnamed]
        output.show_rows(format_, ("document", "records", "amounts", "file"), rows)
    if format_ == "table":
        missing = len(answer.missing)
        output.say(
            f"{len(answer.documents) - missing} of {len(answer.documents)} documents are there, {missing} missing;"
            f" {len(answer.unnamed)} files are named by no record."
        )
    return 8 if answer.missing else 0


def _amount(money: Money | None) -> str:
    return f"{money} {money.code}" if money is not None else "-"
