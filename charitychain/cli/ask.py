"""``trace``, ``sources``, ``balance``, ``show`` and ``log``: answers, each checked against the sealed blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from charitychain.answers import Trace
from charitychain.basis import day
from charitychain.cli import output
from charitychain.cli.checking import is_receipt, read_receipt
from charitychain.cli.session import at_moment, formatted, on_ledger, opened, opened_others, with_others
from charitychain.cli.tree import trace_tree
from charitychain.codec import check_id
from charitychain.entries import describe
from charitychain.errors import MalformedError, NotFoundError
from charitychain.ledger import Ledger
from charitychain.reading import Reader
from charitychain.records import Gifts
from charitychain.state.lookup import columns_at


@click.command()
@click.argument("donation_id", nargs=-1)
@click.option("--mine", metavar="CLAIM", help="Follow the gifts of this claim (a file, or - for stdin) instead of ids.")
@click.option(
    "--pseudonym", metavar="HEX", help="Follow what this donor or merchant gave: the ids are then those of series."
)
@click.option("--all", "everything", is_flag=True, help="Show every use, however many there are.")
@with_others
@at_moment
@on_ledger
@formatted
def trace(
    donation_id: tuple[str, ...],
    mine: str | None,
    pseudonym: str | None,
    everything: bool,
    others: tuple[str, ...],
    ledger: str | None,
    format_: str,
    as_json: bool,
    **moment: Any,
) -> int:
    """Follow gifts to their final uses: what was spent on what, and what is still held.

    What was sent to another ledger is followed there if that is given by --with, or a receipt of what it received.

    A gift of a series is named SERIES/NUMBER. An unknown id is told on stderr, the others are answered; exit code 4.
    """
    format_ = "json" if as_json else format_
    if (mine is None) != bool(donation_id) or (mine is not None and pseudonym is not None):
        raise click.UsageError("Name gifts, or give a claim with --mine; with --pseudonym name series.")
    missing = answered = 0
    gifts_of = None
    if mine is not None:
        gifts_of = _claimed(mine)
    elif pseudonym is not None:
        gifts_of = _of_pseudonym(pseudonym, donation_id)
    receipts = [path for path in others if is_receipt(path)]
    others = tuple(path for path in others if path not in receipts)
    with opened(ledger, **moment) as found, opened_others(others) as beside:
        if gifts_of is not None:
            donation_id = gifts_of(found.reader())
        for gift in donation_id:
            try:
                _check_asked(gift)
                answer = found.trace(gift, others=beside)
                if receipts:
                    answer = _gone_on(answer, found.reader(), receipts)
            except NotFoundError as error:
                missing += 1
                output.say(f"Error: {error.message} [{error.code}]")
                continue
            if format_ in ("json", "jsonl"):
                output.write_json(answer.to_dict(), line=format_ == "jsonl" or len(donation_id) > 1)
            elif format_ == "csv":
                _trace_rows(answer, answered == 0)
            else:
                output.echo("\n".join(trace_tree(answer, limit=None if everything else 12)))
            answered += 1
    return 4 if missing else 0


def _gone_on(answer: Trace, reader: Reader, receipts: Sequence[str]) -> Trace:
    """Let a trace go on by receipts of what other ledgers received."""
    from charitychain.receipts.check import check_receipt
    from charitychain.receipts.spanning import with_receipts

    checked = [check_receipt(read_receipt(Path(path))[0], path) for path in receipts]
    for each in checked:
        if not each.by_first_key:
            output.say(f"Note: the part in {each.origin} is signed by {each.vkey}, not the first key of its ledger.")
    return with_receipts(answer, reader, checked)


def _claimed(path: str) -> Callable[[Reader], tuple[str, ...]]:
    """Read a claim; return what finds its gifts, those last that the ledger does not hold."""
    # Imported here: most traces are asked by id, and should not wait for the vault's modules.
    from charitychain.claimed import find_claimed
    from charitychain.claims import CLAIM_MAX, parse_claim
    from charitychain.cli.privately import given_bytes

    claim = parse_claim(given_bytes(path, CLAIM_MAX))

    def find(reader: Reader) -> tuple[str, ...]:
        claimed = find_claimed(reader, claim)
        return (*claimed.gifts, *claimed.unknown)

    return find


def _of_pseudonym(told: str, series: tuple[str, ...]) -> Callable[[Reader], tuple[str, ...]]:
    """Return what finds the gifts of series that carry a pseudonym, as their donor or as their second party."""
    from charitychain.claimed import gifts_in_series

    if len(told) != 32 or not set(told.lower()) <= set("0123456789abcdef") or not int(told, 16):
        raise click.UsageError("A pseudonym is 32 hex digits, and not all of them 0.")

    def find(reader: Reader) -> tuple[str, ...]:
        found = [gift for name in series for gift in gifts_in_series(reader, name, bytes.fromhex(told))]
        if not found:
            raise NotFoundError("CC-UNKNOWN-ID", f"no gift of {', '.join(series)} carries the pseudonym {told}")
        return tuple(found)

    return find


def _check_asked(id_: str) -> None:
    """Answer at once where no ledger can hold such an id; what follows may then take it for text."""
    try:
        check_id(id_.partition("/")[0])
        id_.encode()
    except (MalformedError, UnicodeEncodeError) as error:
        raise NotFoundError("CC-UNKNOWN-ID", f"{id_!r} is no id: {error}", id=id_) from error


def _trace_rows(answer: Trace, header: bool) -> None:
    columns = (
        "donation", "what", "id", "account", "amount", "unit", "payee", "purpose", "path", "gives", "gives_unit",
        "refunded_to", "date", "sealed", "lag_days", "state", "by", "reverses", "reason",
        "how", "acknowledged_amount", "indicator", "quantity", "place", "beneficiaries", "paid", "of",
        "origin", "in_ledger",
    )  # fmt: skip
    shown = [[row.get(name) for name in columns] for row in _rows(answer)]
    output.show_rows("csv", columns, shown, header=header)


def _rows(answer: Trace, beyond: str | None = None) -> list[dict[str, Any]]:
    """Return the parts of a trace as rows; those of a part that went on in another ledger name that one."""
    rows: list[dict[str, Any]] = [{"what": "use", **use.to_dict(), "path": " ".join(use.path)} for use in answer.uses]
    rows += [{"what": "held", **held.to_dict()} for held in answer.held]
    rows += [{"what": "converted", **conversion.to_dict()} for conversion in answer.converted]
    rows += [{"what": "refunded", **refund.to_dict(), "refunded_to": refund.donation} for refund in answer.refunds]
    rows += [{"what": "remainder", **rest.to_dict()} for rest in answer.remainder]
    rows += [{"what": "reversed", **void.to_dict()} for void in answer.reversed]
    rows += [{"what": "undone", **correction.to_dict()} for correction in answer.corrections]
    rows += [{"what": "step", **step.to_dict()} for step in answer.steps]
    rows += [{"what": "outcome", **outcome.to_dict()} for outcome in answer.outcomes]
    rows += [{"what": "end", **end.to_dict()} for end in answer.ends]
    rows += [{"what": "sent", **sent.to_dict(), "path": " ".join(sent.path)} for sent in answer.sent]
    found = [{**row, "donation": answer.donation, "in_ledger": beyond} for row in rows]
    for sent in answer.sent:
        for part in sent.received:
            found += _rows(part, part.ledger["origin"])
    return found


@click.command()
@click.argument("expenditure")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Gifts on a page.")
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True, help="Gifts to leave out first.")
@at_moment
@on_ledger
@formatted
def sources(
    expenditure: str,
    limit: int,
    offset: int,
    ledger: str | None,
    format_: str,
    as_json: bool,
    **moment: Any,
) -> None:
    """Say which gifts paid for EXPENDITURE (or another outflow), largest first."""
    _check_asked(expenditure)
    with opened(ledger, **moment) as found:
        answer = found.sources(expenditure, offset=offset, count=limit)
        format_ = "json" if as_json else format_
        if format_ in ("json", "jsonl"):
            output.write_json(answer.to_dict(), line=format_ == "jsonl")
            return
        rows = [(gift, str(money), money.code) for gift, money in answer.gifts]
        if format_ == "table":
            id_, account = output.safe(answer.id), output.safe(answer.account)
            net = f"{answer.net} {output.safe(answer.net.code)}"
            output.echo(f"{id_}: {net} from {account}, paid by {answer.total} gift{'s' * (answer.total != 1)}")
        output.show_rows(format_, ("gift", "amount", "unit"), rows, right=("amount",))
        rest = answer.total - offset - len(rows)
        if format_ == "table" and rest > 0:
            output.say(f"… and {rest} more; --offset {offset + len(rows)} goes on.")


@click.command()
@click.argument("account", nargs=-1)
@at_moment
@on_ledger
@formatted
def balance(
    account: tuple[str, ...],
    ledger: str | None,
    format_: str,
    as_json: bool,
    **moment: Any,
) -> None:
    """Say what accounts hold: the named ones, or all."""
    with opened(ledger, **moment) as found:
        held = found.balances()
        for name in account:
            if name not in held:
                raise NotFoundError("CC-UNKNOWN-ACCOUNT", f"this ledger has no account {name!r}", account=name)
        rows = [(name, str(held[name][0]), held[name][0].code) for name in (account or held)]
        output.show_rows("json" if as_json else format_, ("account", "amount", "unit"), rows, right=("amount",))


@click.command()
@click.argument("id_", metavar="ID")
@on_ledger
@formatted
def show(id_: str, ledger: str | None, format_: str, as_json: bool) -> None:
    """Show the record of ID, who signed it, and the block that holds it."""
    _check_asked(id_)
    with opened(ledger) as found:
        entry = _record(found, id_)
        if as_json or format_ in ("json", "jsonl"):
            output.write_json(entry, line=format_ == "jsonl")
        else:
            output.show_rows(format_, ("what", "value"), [(k, _plain(v)) for k, v in entry.items()])


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value[:8])) + (f", … ({len(value)})" if len(value) > 8 else "")
    if isinstance(value, dict):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    return str(value)


def _record(found: Ledger, id_: str) -> dict[str, Any]:
    reader = found.reader()
    row = reader.index.find_id(id_)
    gift = None
    if row is None:
        with suppress(NotFoundError):
            gift = reader.gift(id_)
    place = row.place if row is not None else gift.place if gift is not None else None
    if place is None:
        near = reader.index.ids_like(id_, 3)
        hint = f"; there are {', '.join(near)}" if near else ""
        raise NotFoundError("CC-UNKNOWN-ID", f"this ledger holds no id {id_!r}{hint}", id=id_)
    record = reader.record(place)
    author = reader.check_author(place)
    column = columns_at(reader.index, place) if isinstance(record, Gifts) else None
    entry = describe(reader.state, record, author, column, signers=reader.signers(place))
    if gift is not None:
        one = {"gift": id_, "amount": None, "donor": gift.donor.hex() if gift.donor else None}
        number = gift.id.partition("/")[2]
        if isinstance(record, Gifts):
            one["amount"] = entry["amounts"][entry["ids"].index(number)]
        entry = {k: v for k, v in entry.items() if k not in ("ids", "amounts", "donors", "seconds")} | one
    entry = {name: value for name, value in entry.items() if value is not None}
    return entry | {
        "signed_by": ", ".join(reader.signers(place)), "block": place.height, "statement": place.statement,
        "position": place.record, "sealed": day(reader.time(place)),
    }  # fmt: skip


@click.command()
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="Blocks to list.")
@on_ledger
@formatted
def log(limit: int, ledger: str | None, format_: str, as_json: bool) -> None:
    """List blocks, newest first: height, day, what they hold, and their hash."""
    with opened(ledger) as found:
        reader = found.reader()
        rows = []
        for height in range(reader.head.height, max(reader.head.height - limit, -1), -1):
            block = reader.checked_block(height)
            count = sum(len(s.record_bytes) for s in block.statements)
            rows.append((height, day(block.header.time), len(block.statements), count, block.header.hash().hex()))
        columns = ("block", "sealed", "statements", "records", "hash")
        output.show_rows("json" if as_json else format_, columns, rows, right=("block", "statements", "records"))
