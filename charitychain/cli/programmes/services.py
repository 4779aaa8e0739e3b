"""``programme services``: insurance cover or training for people whom the ledger does not name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.entering import recording, seal
from charitychain.cli.record import approved
from charitychain.cli.session import looked_into
from charitychain.errors import CharitychainError, StorageError

__all__ = ["command"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--account", metavar="ID", required=True, help="The account that pays.")
@click.option("--payee", metavar="TEXT", required=True, help="Who was paid: the insurer, the school.")
@click.option(
    "--lists", metavar="FOLDER", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="Where the salted lists of people are kept; keep it private.",
)
@click.option("--batch", metavar="NAME", help="A name for a further table of days that were entered before.")
@click.option("--indicator", metavar="TEXT", default="people reached", show_default=True, help="What is counted.")
@click.option("--place", metavar="TEXT", help="Where.")
@approved
@recording
def command(
    file: Path, account: str, payee: str, lists: Path, batch: str | None, indicator: str, place: str | None,
    approved_by: list[str] | None, **options: Any,
) -> None:  # fmt: skip
    """Enter the services of FILE: CSV with the columns person,date,service,price.

    One expenditure for each service and day, whose evidence is the SHA-256 of the list of people, and one outcome; all
    in one statement. No pseudonym enters the ledger: each list is a file in the folder of lists, with a random salt.
    """
    from charitychain.programmes.people import PeopleFolder
    from charitychain.programmes.services import read_services, service_entries

    if options.pop("id_") is not None or options.pop("date") is not None or options.pop("evidence"):
        raise click.UsageError("Ids, dates and evidence come from the table; leave --id, --date and --evidence out.")
    author, reference = options.pop("author"), options.pop("reference")
    folder = PeopleFolder(lists)
    with looked_into(options) as found:
        reader = found.reader()
        groups = read_services(file, reader.unit_of(reader.state.account_named(account)))
        entries = service_entries(
            reader, groups, account=account, payee=payee, list_of=folder.list_of, batch=batch, indicator=indicator,
            place=place,
        )  # fmt: skip
        for entry in entries:
            more: dict[str, Any] = {"author": author}
            if entry["record"] == "expenditure":
                more["approved_by"] = approved_by or None
                more["reference"] = "; ".join(filter(None, (entry["reference"], reference)))
            entry.update({name: value for name, value in more.items() if value is not None})
        with found.writer(dry=True) as writer:  # of what is there already it says whether it is the same
            new = [entry for entry in entries if reader.index.find_id(entry["id"]) is None or writer.add(entry)]
    if not entries:
        format_ = "json" if options["as_json"] else options["format_"]
        output.show_facts(format_, {"records": [], "recorded": False}, "the table has no rows, nothing recorded")
        return
    if not options["dry_run"]:
        folder.write()  # before the ledger has their hashes: what it names could else be lost
    try:
        seal(new or entries, options)
    except (CharitychainError, click.ClickException) as error:
        if not isinstance(error, StorageError):  # then it may be recorded all the same
            folder.withdraw()
        raise
