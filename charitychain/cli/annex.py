"""``annex``: private details of records, which stand in the vault, shown, disclosed, checked and erased.

A payee who wants to be forgotten is in every record that took the payment over, so erasing reaches those too; what may
be the same person elsewhere is named, for somebody to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from charitychain.annex import KeptDetail
from charitychain.cli import output
from charitychain.cli.privately import given_bytes
from charitychain.cli.session import formatted, on_ledger, opened
from charitychain.cli.vaults import confirm_erasing, hand_out, in_vault, vault_of
from charitychain.codec import check_id
from charitychain.errors import NotFoundError, VerificationError
from charitychain.ledger import Ledger
from charitychain.private import DISCLOSURE_MAX, check_disclosure, format_disclosure, parse_disclosure, root_of
from charitychain.reading import Reader
from charitychain.records import record_id
from charitychain.state.lookup import Link
from charitychain.vault import Vault

__all__ = ["annex"]

_NAMED = 5  # ids that a note lists


@click.group()
def annex() -> None:
    """Show, disclose, check and erase private details of records."""


@annex.command("show")
@click.argument("id_", metavar="ID")
@in_vault
@formatted
def annex_show(id_: str, format_: str, as_json: bool, **options: Any) -> None:
    """Show the private details of the record ID.

    Of a record that is not recorded yet there may be several drafts, each with details of its own; `private` says which
    of them they belong to, as the draft does.
    """
    check_id(id_)
    with vault_of(options) as (found, vault):
        try:
            sealed = _sealed_root(found, id_)
        except NotFoundError:
            _show_drafted(vault, id_, format_, as_json)
            return
        kept = _sealed_set(vault, id_, sealed)
        if (others := len(vault.annex.roots(id_)) - 1) > 0:
            drafts = "another draft" if others == 1 else f"{others} other drafts"
            output.say(f"Note: the vault keeps details of {drafts} of {id_} too; `annex erase` reaches them.")
        plain = format_ == "table" and not as_json
        rows = [_row(item, plain) for item in kept]
        output.show_rows("json" if as_json else format_, ("name", "value", "erased"), rows)


def _show_drafted(vault: Vault, id_: str, format_: str, as_json: bool) -> None:
    roots = vault.annex.roots(id_)
    if not roots:
        raise _none_kept(vault, id_)
    output.say(f"Note: {id_} is not recorded yet; a draft, or a try that was cut short, has these details.")
    plain = format_ == "table" and not as_json
    rows = [
        (root.hex()[: 16 if plain else None], *_row(item, plain))
        for root in roots
        for item in vault.annex.details(id_, root)
    ]
    output.show_rows("json" if as_json else format_, ("private", "name", "value", "erased"), rows)


def _row(item: KeptDetail, plain: bool) -> tuple[str | None, str | None, bool]:
    if item.detail is None:
        return ("(erased)", "", True) if plain else (None, None, True)
    return item.detail.name, item.detail.value, False


@annex.command("disclose")
@click.argument("id_", metavar="ID")
@click.argument("name")
@click.option("-o", "--output", "path", metavar="FILE", help="Write it to a new file that only you can read.")
@in_vault
def annex_disclose(id_: str, name: str, path: str | None, **options: Any) -> None:
    """Write the detail NAME of the record ID with what proves it; it tells nothing of the other details."""
    check_id(id_)
    with vault_of(options) as (found, vault):
        sealed = _sealed_root(found, id_)
        _sealed_set(vault, id_, sealed)
        shown = vault.annex.disclose(id_, sealed, name)
        check_disclosure(shown, identity=found.identity, root=sealed)
        hand_out(format_disclosure(shown), path, "The disclosure is")


@annex.command("check")
@click.argument("file", metavar="FILE")
@on_ledger
@formatted
def annex_check(file: str, ledger: str | None, format_: str, as_json: bool) -> None:
    """Check a disclosure against the ledger, without its vault. FILE may be -, which reads stdin."""
    shown = parse_disclosure(given_bytes(file, DISCLOSURE_MAX))
    with opened(ledger) as found:
        if shown.identity != found.identity:  # before the id is looked up, which another ledger may hold too
            check_disclosure(shown, identity=found.identity, root=shown.root)
        check_disclosure(shown, identity=found.identity, root=_sealed_root(found, shown.id))
        facts = {"id": shown.id, "name": shown.detail.name, "value": shown.detail.value, "holds": True}
        id_, name, value = (output.safe(text) for text in (shown.id, shown.detail.name, shown.detail.value))
        output.show_facts("json" if as_json else format_, facts, f"{id_}: {name} is {value}; the ledger sealed this.")


@annex.command("erase")
@click.argument("id_", metavar="ID")
@click.argument("name", required=False)
@click.option("--only", is_flag=True, help="Leave the same details of records that replace it, or that it replaces.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_vault
def annex_erase(id_: str, name: str | None, only: bool, yes: bool, **options: Any) -> None:
    """Erase the detail NAME of the record ID from the vault, or all its details, in drafts of it too.

    The same details of records that replace ID, or that it replaces, are copies, as `recharge` makes them, and are
    erased with it. Where else the same is kept is said, and left to you.
    """
    check_id(id_)
    with vault_of(options) as (found, vault):
        reader = found.reader()
        related = _related(reader, id_)
        wanted = vault.annex.named(id_, name)
        copies = [] if only else [one for one in related if wanted & vault.annex.named(one)]
        what = f"the detail {name}" if name else "all details"
        too = f", and the same of {' and '.join(copies)}," if copies else ""
        confirm_erasing(yes, f"Erase {what} of {id_}{too} for ever?")
        try:
            counts = vault.annex.erase(id_, name, copies=copies, sealed=_sealed_roots(reader, [id_, *copies]))
        except NotFoundError:
            _say_what_is_left(vault, id_, name, related, frozenset())
            raise
        for one, count in counts.items():
            why = f", {related[one]}," if one in related else ""
            output.echo(f"{count} detail{'s' * (count != 1)} of {output.safe(one)}{why} erased")
        _say_what_is_left(vault, id_, name, related, wanted)
        output.say("Copies of the vault, and disclosures that were handed out, are not reached by this.")


def _say_what_is_left(
    vault: Vault, id_: str, name: str | None, related: Mapping[str, str], erased: frozenset[tuple[str, str]]
) -> None:
    """Name other records that may tell of the same person: in the place of this one, or with the same text."""
    for one, why in related.items():
        left = sorted({kept for kept, _ in vault.annex.named(one) if name in (None, kept)})
        if left:
            names = " and ".join(left)
            output.say(f"Note: {one}, {why}, still has {names}; look with `charitychain annex show {one}`.")
    elsewhere = [one for one in vault.annex.find_holders(erased) if one not in related and one != id_]
    if elsewhere:
        more = f" and {len(elsewhere) - _NAMED} more" if len(elsewhere) > _NAMED else ""
        ids = ", ".join(elsewhere[:_NAMED])
        output.say(f"Note: the same is kept for {ids}{more}; erase it there too where it is about the same person.")


def _related(reader: Reader, id_: str) -> dict[str, str]:
    """Return the records that stand in the place of `id_`, or in whose place it stands, each with why."""
    found, todo = {id_: ""}, [id_]
    while todo:
        one = todo.pop(0)
        row = reader.index.find_id(one)
        if row is None:
            continue
        after, before = "which replaces it", "which it replaces"
        if found[one] not in ("", after):
            after = "which replaces the same"
        if found[one] not in ("", before):
            before = "which that one replaces too"
        near = [(record_id(reader.record(place)), after) for place in reader.index.links(one, Link.REPLACED)]
        near.append((getattr(reader.record(row.place), "replaces", None), before))
        for other, why in near:
            if other is not None and other not in found:
                found[other] = why
                todo.append(other)
    del found[id_]
    return found


def _sealed_set(vault: Vault, id_: str, sealed: bytes) -> tuple[KeptDetail, ...]:
    """Return the details that were sealed with a record.

    Raises:
        NotFoundError: ``CC-VAULT``: none of this record are kept.
        VerificationError: ``CC-PRIVATE``: those that are kept are others, or were changed.
    """
    roots = vault.annex.roots(id_)
    if not roots:
        raise _none_kept(vault, id_)
    kept = vault.annex.details(id_, sealed) if sealed in roots else ()
    changed = [item for item in kept if item.detail is not None and item.detail.leaf() != item.leaf]
    if not kept or changed or root_of([item.leaf for item in kept]) != sealed:
        raise VerificationError("CC-PRIVATE", f"the vault's details of {id_!r} are not the sealed ones", id=id_)
    return kept


def _sealed_root(found: Ledger, id_: str) -> bytes:
    """Return the root that a record was sealed with.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``.
        VerificationError: ``CC-PRIVATE``: the record has no private details.
    """
    reader = found.reader()
    row = reader.index.find_id(id_)
    if row is None:
        raise NotFoundError("CC-UNKNOWN-ID", f"this ledger holds no id {id_!r}", id=id_)
    record = reader.record(row.place)
    reader.check_author(row.place)
    if record_id(record) != id_:
        raise VerificationError("CC-INDEX", f"the index says another place of {id_!r} than was sealed")
    root: bytes | None = getattr(record, "private", None)
    if root is None:
        raise VerificationError("CC-PRIVATE", f"the record {id_!r} was sealed without private details", id=id_)
    return root


def _sealed_roots(reader: Reader, ids: Iterable[str]) -> dict[str, bytes]:
    """Return the roots of those of these records that are sealed with one."""
    rows = ((id_, reader.index.find_id(id_)) for id_ in ids)
    roots = {id_: getattr(reader.record(row.place), "private", None) for id_, row in rows if row is not None}
    return {id_: root for id_, root in roots.items() if root is not None}


def _none_kept(vault: Vault, id_: str) -> NotFoundError:
    return NotFoundError("CC-VAULT", f"{vault.path} keeps no details of {id_!r}", id=id_)
