"""``promise``: the counter's signed word that a gift will stand in the ledger, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from charitychain import armour
from charitychain.cli import output
from charitychain.cli.files import read_note, write_new
from charitychain.cli.privately import given_bytes
from charitychain.cli.session import formatted, on_ledger, opened, with_keys
from charitychain.cli.vkeys import VKEY
from charitychain.errors import MalformedError, UnreadableError, VerificationError
from charitychain.ledger import Ledger
from charitychain.units import Unit, format_amount

if TYPE_CHECKING:
    from charitychain.note import VerifierKey
    from charitychain.promised import Verdict
    from charitychain.promises import Promise

__all__ = ["promise"]

T = TypeVar("T")

_PROMISE, _EVIDENCE = "PROMISE", "EVIDENCE OF OMISSION"
_FILE_MAX = 1 << 20
_READABLE = 0o644


@click.group()
def promise() -> None:
    """Promise a gift at the counter, and see later whether the ledger holds it."""


@promise.command()
@click.argument("gift_id")
@click.argument("amount")
@click.argument("account")
@click.option(
    "--within", metavar="BLOCKS", type=click.IntRange(1, 1 << 32), required=True,
    help="In how many blocks after the last one the gift will stand there, at most; 1 is the next.",
)  # fmt: skip
@click.option("--donor", metavar="HEX", help="The donor's pseudonym, 32 hex digits; never a name.")
@click.option("--author", metavar="PARTY", help="Who promises; else the account's owner.")
@click.option("-o", "--output", "target", metavar="FILE", help="Write to FILE instead of stdout.")
@on_ledger
@with_keys
@formatted
def make(
    gift_id: str, amount: str, account: str, within: int, donor: str | None, author: str | None, target: str | None,
    ledger: str | None, format_: str, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Sign that the gift GIFT_ID of AMOUNT into ACCOUNT will stand in the ledger.

    Nothing is recorded: give FILE to the donor, and record the gift under the same id with `donate --id` or `import`.
    """
    from charitychain import promised

    pseudonym = _pseudonym(donor)
    with opened(ledger, **options) as found:
        made = promised.make(
            found.reader(), found.at_hand, gift=gift_id, amount=amount, account=account, within=within,
            made=int(time.time()), author=author, donor=pseudonym,
        )  # fmt: skip
        unit = found.reader().state.units[made.unit]
    text = _head(f"Promise for the ledger {made.origin}", made, unit) + armour.wrap(_PROMISE, made.pack())
    format_ = "json" if as_json else format_
    if target is not None:
        write_new(target, text.encode(), mode=_READABLE)
    elif format_ == "table":
        for line in text.removesuffix("\n").split("\n"):
            output.echo(output.safe(line))
        return
    facts = {**_facts(made, unit), "file": target, "promise": text}
    output.show_facts(format_, facts, f"{output.safe(target or '')} promises {output.safe(_words(made, unit))}")


@promise.command()
@click.argument("file")
@click.option(
    "--checkpoint", metavar="FILE", type=click.Path(path_type=Path),
    help="Judge as of this signed checkpoint, which the ledger must extend; else as of the ledger's last block.",
)  # fmt: skip
@click.option(
    "--operator-key", metavar="VKEY", type=VKEY, help="The operator's key that you trust; else those the ledger names."
)
@click.option("--replay", is_flag=True, help="Replay the whole ledger instead of believing the index beside it.")
@click.option(
    "--evidence", metavar="FILE", help="Where it is broken, write evidence of omission to FILE, after a replay."
)
@on_ledger
@formatted
def check(
    file: str, checkpoint: Path | None, operator_key: VerifierKey | None, replay: bool, evidence: str | None,
    ledger: str | None, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Say what became of the promise in FILE (- is stdin), or whether evidence of omission holds.

    Exit code 0: kept. 1: broken; or FILE was damaged, or is no promise of this ledger by a key that might give it. 3:
    FILE is no promise. 8: still open, or kept late, or this copy of the ledger is too old to say. Evidence is judged as
    of the checkpoint that it carries.
    """
    from charitychain import promised
    from charitychain.promises import Evidence, parse_evidence, parse_promise

    raw = given_bytes(file, _FILE_MAX)
    given = read_note(checkpoint) if checkpoint is not None else None
    if f"-----BEGIN CHARITYCHAIN {_EVIDENCE}-----".encode() in raw:
        if given is not None:
            raise click.UsageError("Evidence of omission carries the checkpoint that it is about; leave --checkpoint.")
        shown = _read(raw, _EVIDENCE, parse_evidence)
        told, given = shown.promise, shown.checkpoint
    else:
        told = _read(raw, _PROMISE, parse_promise)
    with opened(ledger) as found, ExitStack() as stack:
        told.check_ledger(found.origin, found.identity)
        height, newer = _height(found, given, operator_key)
        asked = found
        if replay or evidence is not None:
            asked = stack.enter_context(found.at(height=height))
            asked.progress = found.progress
        verdict = asked.answer(lambda reader: promised.judge(reader, told, height))
        unit = found.reader().state.units.get(told.unit)
        proof = given if given is not None and not newer else asked.reader().checkpoint.encode()
    if newer and verdict.state is not promised.PromiseState.BROKEN:
        verdict = promised.Verdict(
            promised.PromiseState.UNKNOWN, f"the checkpoint knows {newer} blocks; get a newer copy", height
        )
    broken = verdict.state is promised.PromiseState.BROKEN
    if evidence is not None and broken:
        whole = armour.wrap(_EVIDENCE, Evidence(told, proof).pack())
        title = f"Evidence that the ledger {told.origin} left out a gift that was promised"
        write_new(evidence, (_head(title, told, unit, as_of=verdict.height) + whole).encode(), mode=_READABLE)
    elif evidence is not None:
        output.say(f"The promise is {verdict.state.value}, so there is no evidence to write.")
    if broken and asked is found and verdict.block is None:
        output.say("Note: the index beside the ledger says so; with --replay or --evidence the blocks are asked.")
    facts = _facts(told, unit) | {
        "state": verdict.state.value, "why": verdict.why, "height": verdict.height, "block": verdict.block,
        "disputed": verdict.disputed, "replayed": asked is not found,
        "evidence": evidence if broken else None,
    }  # fmt: skip
    output.show_facts("json" if as_json else format_, facts, output.safe(_sentence(told, unit, verdict)))
    return 1 if broken else 0 if verdict.state is promised.PromiseState.KEPT else 8


def _read(raw: bytes, kind: str, parse: Callable[[bytes], T]) -> T:
    """Return what a file holds between its markers: what begins as one and is not whole was damaged."""
    try:
        data = armour.unwrap(raw, kind)
    except MalformedError as error:
        begun = raw.count(f"-----BEGIN CHARITYCHAIN {kind}-----".encode()) == 1
        raise (VerificationError if begun else UnreadableError)(error.code, error.message, **error.facts) from error
    try:
        return parse(data)
    except MalformedError as error:  # it came as it was sent, and was never one
        raise UnreadableError(error.code, error.message, **error.facts) from error


def _height(found: Ledger, checkpoint: bytes | None, key: VerifierKey | None) -> tuple[int, int]:
    """Return as of which block to judge, and, where the checkpoint knows more blocks than the ledger has, how many."""
    from charitychain.checkpoints import check_extends

    head = found.reader().head.height
    if checkpoint is None:
        return head, 0
    known, blocks = found.answer(lambda reader: check_extends(reader, checkpoint, "the checkpoint", key=key))
    return min(max(known - 1, 0), head), known if known > blocks else 0


def _pseudonym(told: str | None) -> bytes | None:
    if told is None:
        return None
    if len(told) != 32 or not set(told.lower()) <= set("0123456789abcdef") or not int(told, 16):
        raise click.UsageError("A pseudonym is 32 hex digits, and not all of them 0.")
    return bytes.fromhex(told)


def _amount(told: Promise, unit: Unit | None) -> str:
    return f"{format_amount(told.amount, unit)} {told.unit}" if unit else f"{told.amount} of the smallest {told.unit}"


def _words(told: Promise, unit: Unit | None) -> str:
    donor = f" of donor {told.donor.hex()}" if told.donor is not None else ""
    return f"gift {told.gift}{donor}, {_amount(told, unit)} for {told.account_id}, up to block {told.deadline}"


def _sentence(told: Promise, unit: Unit | None, verdict: Verdict) -> str:
    disputed = f"; a key of {told.party} that was compromised by then signed it" if verdict.disputed else ""
    return f"{verdict.state.value}: {told.party} promised {_words(told, unit)}; {verdict.why}{disputed}"


def _made(told: Promise) -> str:
    try:
        return datetime.fromtimestamp(told.made, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # a time that no clock shows
        return str(told.made)


def _head(title: str, told: Promise, unit: Unit | None, as_of: int | None = None) -> str:
    """Return what stands above the block, for people."""
    lines = [
        f"{told.party} promised {_words(told, unit)}.",
        f"Made {_made(told)}; ledger {told.identity.hex()}.",
        *([f"Not kept as of block {as_of}."] if as_of is not None else []),
        "See what became of it with: charitychain promise check FILE --ledger LEDGER",
    ]
    return "\n".join([output.safe(title), *(f"  {output.safe(line)}" for line in lines), "", ""])


def _facts(told: Promise, unit: Unit | None) -> dict[str, Any]:
    return {
        "origin": told.origin, "identity": told.identity.hex(), "party": told.party, "key": told.key.hex(),
        "gift": told.gift, "account": told.account_id,
        "amount": format_amount(told.amount, unit) if unit is not None else None, "unit": told.unit,
        "donor": told.donor.hex() if told.donor is not None else None, "made": _made(told),
        "seen": told.seen_size, "deadline": told.deadline,
    }  # fmt: skip
