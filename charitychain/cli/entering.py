"""What recording commands share: the options of every record, and how one entry, or several together, are sealed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, TypeVar

import click

from charitychain.cli import output
from charitychain.cli.drafts import DRAFT, draft_target, write_look
from charitychain.cli.privately import Privately, forget_unsealed
from charitychain.cli.session import formatted, on_ledger, opened, with_keys
from charitychain.entries import describe
from charitychain.errors import CharitychainError, NotFoundError, RefusedError, StorageError
from charitychain.index import IndexDamaged
from charitychain.records import Place
from charitychain.writer import Writer

F = TypeVar("F", bound=Callable[..., Any])


def _hashes(context: click.Context, option: click.Parameter, told: tuple[str, ...]) -> tuple[str, ...]:
    """Return the hashes of documents that are named by their files, or told by their hashes."""
    if not told:
        return ()
    from charitychain.evidence import told_hash

    try:
        return tuple(dict.fromkeys(map(told_hash, told)))
    except (NotFoundError, RefusedError) as error:
        raise click.BadParameter(error.message, context, option) from error


EVIDENCE = click.option(
    "--evidence", metavar="FILE", multiple=True, callback=_hashes, help="A document, or its SHA-256; may repeat."
)


def recording(command: F) -> F:
    """Add the options that every record has."""
    for option in reversed(
        [
            click.option("--id", "id_", metavar="ID", help="The record's own id; left out, one is made."),
            click.option("--date", metavar="DATE", help="When it happened: YYYY, YYYY-MM or YYYY-MM-DD."),
            click.option("--reference", metavar="TEXT", help="A number or word to find it by elsewhere."),
            EVIDENCE,
            click.option(
                "--author",
                metavar="PARTY",
                help="Who signs as author; what leaves an account its owner signs in any case.",
            ),
            click.option(
                "--private",
                metavar="NAME=VALUE",
                multiple=True,
                help="A detail that stays off the ledger, in the vault; may repeat. VALUE may be - (stdin) or @FILE.",
            ),
            click.option("--vault", metavar="FILE", help="The vault; else $CHARITYCHAIN_VAULT, else beside the keys."),
            click.option("--dry-run", is_flag=True, help="Check everything, record nothing."),
            DRAFT,
        ]
    ):
        command = option(command)
    return on_ledger(with_keys(formatted(command)))


def enter(kind: str, letter: str, options: dict[str, Any], **fields: Any) -> None:
    """Record one entry in a block of its own, and say so."""
    made = options.pop("id_") or new_id(letter)
    entry = {"record": kind, "id": made, **fields}
    for name in ("date", "reference", "author"):
        entry[name] = options.pop(name)
    if evidence := options.pop("evidence"):
        entry["evidence"] = list(evidence)
    seal([entry], options)


def seal_made(entry: dict[str, Any], options: dict[str, Any], beside: dict[str, Any] | None = None) -> None:
    """Seal an entry that was made elsewhere, with the options of every record; a reference of its own comes first.

    Args:
        beside: Facts that JSON tells beside those of the record.
    """
    words = [text for text in (entry.get("reference"), options.pop("reference")) if text]
    told = {name: options.pop(name) for name in ("date", "author")}
    evidence = list(options.pop("evidence")) or None
    seal([{**entry, **told, "reference": "; ".join(words) or None, "evidence": evidence}], options, beside)


def new_id(letter: str) -> str:
    """Return an id for a record that was given none."""
    return f"{letter}-{secrets.token_hex(5)}"


def seal(
    listed: list[dict[str, Any]], options: dict[str, Any], beside: dict[str, Any] | None = None, *,
    as_list: bool = False,
) -> None:  # fmt: skip
    """Record entries as one statement in a block of its own, and say so; fields that are None are left out.

    Private details, and a donor's name, belong to the last of them, which gives the whole its name.

    Args:
        beside: Facts that JSON tells beside those of the records.
        as_list: Let JSON list the records, also where there is one.
    """
    dry, as_json = options.pop("dry_run"), options.pop("as_json")
    format_ = "json" if as_json else options.pop("format_")
    privately = Privately.told(options, options.pop("donor_name", None))
    listed = [{name: value for name, value in entry.items() if value is not None} for entry in listed]
    entry = listed[-1]
    made = entry["id"]
    target = draft_target(options, dry)
    with opened(options.pop("ledger"), **options) as ledger:
        if target is not None:
            privately.fill(ledger, entry)
            with ledger.drafter() as drafter:
                drafter.add_together(listed)
            try:
                privately.keep(ledger, made)  # before the draft leaves, as before a seal
                write_look(target, drafter.look, format_)
            except CharitychainError:
                privately.withdraw(ledger, made)
                raise
            return
        try:
            with ledger.writer(dry=dry) as writer:
                privately.fill(ledger, entry)
                new = writer.add(entry) if len(listed) == 1 else writer.add_together(listed)
                if new:  # before the seal: a record whose salts are lost could never be shown
                    privately.keep(ledger, made, dry=dry)
                places = [_place(writer, item["id"]) for item in listed]
                recorded = [writer.core.signed(place)[0] for place in places]
                told = [_as_recorded(writer, place) for place in places]
                head = writer.commit()
        except (StorageError, IndexDamaged) as error:
            # The disk failed somewhere between the block and its acknowledgement: it may be there all the same.
            raise StorageError(
                getattr(error, "code", "CC-INDEX"),
                f"{error}. Before you enter this again, see with `charitychain show {made}` whether it is recorded;"
                f" with --id {made} it is recorded once, however often you enter it",
                id=made,
            ) from error
        except CharitychainError:
            privately.withdraw(ledger, made)
            raise
        if new and not dry:
            forget_unsealed(ledger, recorded, privately.vault)
        facts = told[0] if len(told) == 1 and not as_list else {"record": "statement", "records": told}
        done = {**facts, **(beside or {}), "height": head.height, "recorded": new and not dry}
        was = "was" if len(told) == 1 else "were"
        verb = "would be recorded" if dry and new else "recorded" if new else f"{was} there already"
        where = f" in block {head.height}" if new and not dry else ""
        named = [f"{item['record']} {output.safe(item['id'])}" for item in told[:20]]
        named += [f"{len(told) - 20} more"] if len(told) > 20 else []
        what = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
        output.show_facts(format_, done, f"{what} {verb}{where}")


def _place(writer: Writer, id_: str) -> Place:
    row = writer.core.state.lookup.find_id(id_)
    assert row is not None
    return row.place


def _as_recorded(writer: Writer, place: Place) -> dict[str, Any]:
    """Return the entry as the ledger will give it back: amounts with all decimals."""
    return describe(writer.core.state, *writer.core.signed(place), signers=writer.core.signers_at(place))
