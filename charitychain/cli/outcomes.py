"""``outcome`` and ``check-evidence``: what the money did, and the documents that are to show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charitychain.answers import Money
from charitychain.cli import output
from charitychain.cli.entering import enter, recording
from charitychain.cli.session import formatted, on_ledger, opened

if TYPE_CHECKING:
    from charitychain.evidence import Document


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
        "outcome", "O", options, account=account, indicator=indicator, quantity=quantity, of=list(dict.fromkeys(of)),
        amount=amount, place=place, beneficiaries=beneficiaries,
    )  # fmt: skip


@click.command("check-evidence")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--record", metavar="ID", help="Only the documents of this record, or of the batch with this gift.")
@on_ledger
@formatted
def check_evidence(folder: Path, record: str | None, ledger: str | None, format_: str, as_json: bool) -> int:
    """Compare the documents in FOLDER, and below it, with those that the ledger names by their hashes.

    Exit code 8 where one of them is missing; files that no record names change nothing.
    """
    from charitychain.evidence import check_folder
    from charitychain.findings import EXAMPLES, names

    with opened(ledger) as found:
        answer = check_folder(found.reader(), folder, record=record)
    format_ = "json" if as_json else format_
    if format_ == "json":
        output.write_json({"documents": _objects(answer.documents), "unnamed": _objects(answer.unnamed)})
    elif format_ == "jsonl":
        for row in _objects((*answer.documents, *answer.unnamed)):
            output.write_json(row, line=True)
    elif format_ == "csv":
        output.show_rows(
            "csv", ("document", "records", "amounts", "reversed", "file"),
            [(each.hash, ", ".join(each.records), ", ".join(_amount(money, "") for money in each.amounts),
              ", ".join("yes" if undone else "no" for undone in each.reversed), each.file)
             for each in (*answer.documents, *answer.unnamed)],
        )  # fmt: skip
    else:
        rows = [
            (each.hash, ", ".join(_named(each)), ", ".join(map(_amount, each.amounts)), each.file or "MISSING")
            for each in answer.documents
        ]
        rows += [("", "none", "", each.file or "") for each in answer.unnamed]
        output.show_rows("table", ("document", "records", "amounts", "file"), rows)
        missing = len(answer.missing)
        output.say(
            f"Documents: {len(answer.documents) - missing} there, {missing} missing."
            f" Files that no record names: {len(answer.unnamed)}."
        )
    if answer.empty:
        output.say(
            "Note: empty files prove nothing, for they all have one hash:"
            f" {names(list(answer.empty[:EXAMPLES]), len(answer.empty))}."
        )
    if answer.missing and answer.links:
        output.say(f"Note: links are not followed: {names(list(answer.links[:EXAMPLES]), len(answer.links))}.")
    return 8 if answer.missing else 0


def _objects(documents: Sequence[Document]) -> list[dict[str, Any]]:
    return [
        {
            "hash": each.hash,
            "records": list(each.records),
            "amounts": [money and {"amount": str(money), "unit": money.code} for money in each.amounts],
            "reversed": list(each.reversed),
            "file": each.file,
        }
        for each in documents
    ]


def _named(document: Document) -> list[str]:
    pairs = zip(document.records, document.reversed, strict=True)
    return [f"{name} (reversed)" if undone else name for name, undone in pairs]


def _amount(money: Money | None, none: str = "-") -> str:
    return f"{money} {money.code}" if money is not None else none
