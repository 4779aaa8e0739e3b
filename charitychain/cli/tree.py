"""A trace as a tree for people: one sentence first, then account by account where the gift went, and what is known.

Leaves are, in this order: uses, what they led to, conversions, refunds, what went to other ledgers with how it goes on
there, what still rests, what was never received, what was undone on the way, and the records that passed the gift on.
A line of ends tells it all by state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from charitychain.answers import (
    Came,
    Conversion,
    Correction,
    EndSum,
    FinalUse,
    Money,
    Reached,
    Sent,
    Step,
    Trace,
)
from charitychain.cli.output import safe, style
from charitychain.ends import Acknowledged, End
from charitychain.sentence import lag_words, reached, said, sentence, speaker
from charitychain.units import Unit, format_amount

__all__ = ["trace_tree"]

_RESTS = {"held": "held in", "in transit": "in transit to", "disputed": "disputed in"}
_Node: TypeAlias = "tuple[str, Sequence[_Node | str]]"


def trace_tree(trace: Trace, *, limit: int | None) -> Iterator[str]:
    """Yield the lines of a trace.

    Args:
        limit: Uses to show in each group, largest first; nothing shows all.
    """
    when = _when(trace.date, trace.lag_days, trace.late)
    head = style(f"Gift {safe(trace.donation)}", bold=True)
    yield f"{head} of {_money(trace.money)}, {when}, into {safe(trace.account)}"
    if trace.disputed:
        yield style(f"The record of this gift is DISPUTED: {safe(trace.disputed)}.", bold=True)
    yield safe(sentence(trace))
    yield from _draw(list(_nodes(trace, limit)))
    yield _ends(trace.ends)
    place = f"block {trace.ledger['height']} of {safe(trace.ledger['origin'])}"
    yield style(f"As of {place}; checked against its seal.", dim=True)


def _draw(nodes: Sequence[_Node | str], before: str = "") -> Iterator[str]:
    for number, node in enumerate(nodes):
        head, below = (node, ()) if isinstance(node, str) else node
        last = number == len(nodes) - 1
        yield before + ("└─ " if last else "├─ ") + head
        yield from _draw(below, before + ("   " if last else "│  "))


def _nodes(trace: Trace, limit: int | None) -> Iterator[_Node]:
    if trace.came is not None:
        yield _came(trace.came), []
    if trace.because_of:
        wrongly = ", which was entered wrongly and never received" if trace.because_of_reversed else ""
        yield f"it matches {safe(trace.because_of)}{wrongly}", []
    if trace.matched_by:
        yield f"matched by {', '.join(map(safe, trace.matched_by))}", []
    for word in trace.arrived:
        yield _arrived(word, trace.money.unit), []
    groups: dict[tuple[str, ...], list[FinalUse]] = defaultdict(list)
    for use in trace.uses:
        groups[(*use.path, use.account)].append(use)
    for way, uses in sorted(groups.items(), key=lambda item: (len(item[0]), item[0])):
        *path, account = way
        via = "".join(f" → {safe(id_)}" for id_ in path)
        yield (f"{safe(trace.account)}{via} → {safe(account)}" if path else safe(account)), _uses(uses, limit)
    if trace.outcomes:
        yield "led to", _more([_outcome(outcome) for outcome in trace.outcomes], limit)
    for conversion in trace.converted:
        yield f"converted by {safe(conversion.id)}: {_money(conversion.money)} {_gave(conversion)}", []
    for refund in trace.refunds:
        whom = "to its donor" if refund.donation == trace.donation else f"to the donor of {safe(refund.donation)}"
        why = f" (DISPUTED: {safe(refund.disputed)})" if refund.disputed else ""
        yield f"refunded by {safe(refund.id)}: {_money(refund.money)} {whom}{why}", []
    for sent in trace.sent:
        yield _sent(sent, limit)
    for held in trace.held:
        yield f"{_RESTS[held.state]} {safe(held.account)}: {_money(held.money)}", []
    for rest in trace.remainder:
        yield f"not followed further in {safe(rest.account)}: {_money(rest.money)}", []
    for void in trace.reversed:
        why = f" ({_said(void.reason)})" if void.reason else ""
        yield f"reversed by {safe(void.id)}: {_money(void.money)} was entered wrongly and never received{why}", []
    for correction in trace.corrections:
        yield _correction(correction), []
    if trace.steps:
        yield "passed on by", _more([_step(step) for step in trace.steps], limit)


def _came(came: Came) -> str:
    """Say from which ledger a gift came, and whether that one bears it out."""
    name = safe(said(came.origin or f"ledger {came.ledger[:16]}…"))
    if came.state == "matched":
        return f"it came from {name}, which sent it by {safe(came.id or '')}"
    if came.state == "unmatched":
        return f"it is said to have come from {name}, UNMATCHED: {safe(came.why or '')}"
    return f"it came from {name}, by the word of this ledger ({safe(came.why or 'that one is not at hand')})"


def _sent(sent: Sent, limit: int | None) -> _Node:
    """Tell of what went to another ledger, and how it goes on there, if that is known."""
    how = ", chosen" if sent.chosen else ""
    disputed = f"DISPUTED: {safe(sent.disputed)}; " if sent.disputed else ""
    via = f" by way of {', '.join(map(safe, sent.path))}" if sent.path else ""
    head = (
        f"sent to {safe(said(sent.name))}: {_money(sent.money)} out of {safe(sent.account)}{via}, {safe(sent.date)}"
        f" [{safe(sent.id)}] ({disputed}reported by {safe(sent.by)}{how})"
    )
    below: list[_Node | str] = []
    for part in sent.received:
        place = f"{safe(part.ledger['origin'])}, into {safe(part.account)}"
        there = f"received in {place}: {_money(part.money)} [{safe(part.donation)}]"
        below.append((there, [*_nodes(replace(part, came=None), limit), _ends(part.ends)]))
    for id_, why in sent.doubted:
        below.append(f"{safe(id_)} there claims units of it, UNMATCHED: {safe(why)}")
    if sent.waits is not None and sent.waits.amount:
        below.append(f"not received there yet: {_money(sent.waits)}")
    return head, below


def _gave(conversion: Conversion) -> str:
    """Say what a conversion gave; where it is nothing, that no unit of the new kind carries this gift, and why."""
    if conversion.gives.amount:
        return f"gave {_money(conversion.gives)}"
    one = _money(Money(1, conversion.gives.unit))
    return f"fell below the smallest unit: {one} took {_money(conversion.smallest)}, so none of it carries them"


def _uses(uses: list[FinalUse], limit: int | None) -> list[str]:
    ordered = sorted(uses, key=lambda use: (-use.money.amount, use.id))
    shown = ordered[:limit]
    lines = []
    for use in shown:
        what = f" {'lost:' if use.category == 'loss' else 'for'} {_said(use.purpose)}" if use.purpose else ""
        whom = f" to {_said(use.payee)}" if use.payee else ""
        when = _when(use.date, use.lag_days, use.late)
        taken = f", taken over from {safe(use.taken_over_from)}" if use.taken_over_from else ""
        again = f" instead of {safe(use.replaces)}" if use.replaces else ""
        how = ", chosen" if use.chosen else ""
        state = _state(use.end, use.by, use.money.unit, use.evidence)
        lines.append(f"{_money(use.money)}{whom}{what}, {when} [{safe(use.id)}{again}{taken}] ({state}{how})")
    rest = ordered[len(shown) :]
    if rest:
        sum_ = Money(sum(use.money.amount for use in rest), rest[0].money.unit)
        lines.append(f"… and {len(rest)} smaller: {_money(sum_)} (--all shows them)")
    return lines


def _more(lines: list[str], limit: int | None) -> list[str]:
    if limit is None or len(lines) <= limit:
        return lines
    return [*lines[:limit], f"… and {len(lines) - limit} more (--all shows them)"]


def _state(end: End, by: str, unit: Unit | None, evidence: Sequence[bytes] = ()) -> str:
    """Say what is known of a record: who says so, and for how much where it is not all of it."""
    documents = " with " + ", ".join(f"{each.hex()[:12]}…" for each in evidence) if evidence else ""
    author = f"{'evidenced' if evidence else 'reported'} by {safe(by)}{documents}"
    words = "; ".join(_word(word, unit) for word in end.words)
    if end.disputed:
        first = f"{end.state.upper()}: {safe(end.why or '')}; {author}"
    elif end.acknowledged_amount:
        return f"{end.state}: {words}; {author}"
    else:
        first = f"LOST: {author}" if end.state == "lost" else author
    return f"{first}; {words}" if words else first


def _outcome(outcome: Reached) -> str:
    count = outcome.beneficiaries
    people = f", {count} {'beneficiary' if count == 1 else 'beneficiaries'}" if count is not None else ""
    claims = ""
    if outcome.claimed is not None:
        excess = outcome.claimed.amount > outcome.whole.amount
        which = f"MORE THAN THE {outcome.whole} THAT STAND" if excess else f"of the {outcome.whole} that stand"
        claims = f", which it claims{',' * excess} {which}"
    when = _when(outcome.date, outcome.lag_days, outcome.late)
    return (
        f"{safe(reached(outcome))}{people}, {when} [{safe(outcome.id)}]: this gift paid {_money(outcome.paid)}"
        f" of {outcome.cost}{claims} ({_state(outcome.end, outcome.by, None, outcome.evidence)})"
    )


def _word(word: Acknowledged, unit: Unit | None) -> str:
    verb = "disputes" if word.disputed else "confirms"
    amount = f" {format_amount(word.amount, unit)} {safe(unit.code)}" if unit is not None else ""
    return f"{safe(speaker(word))} ({word.how}) {verb}{amount}, {_said_when(word)}"


def _arrived(word: Acknowledged, unit: Unit) -> str:
    """Say what the owner of an account says of a gift that another party took in."""
    what = "did not arrive" if word.disputed else "arrived"
    amount = f"{format_amount(word.amount, unit)} {safe(unit.code)}"
    return f"{amount} {what}, says {safe(word.by)}, {_said_when(word)} [{safe(word.id)}]"


def _said_when(word: Acknowledged) -> str:
    void = f" (COUNTS FOR NOTHING: {safe(word.void)})" if word.void else ""
    return _when(word.date, word.lag_days, word.late) + void


def _correction(correction: Correction) -> str:
    why = f" ({_said(correction.reason)})" if correction.reason else ""
    taken = " and ".join(f"{safe(id_)} out of {safe(account)}" for id_, account in correction.taken_over_by)
    instead = f"; entered instead: {taken}" if taken else ""
    how = ", chosen" if correction.chosen else ""
    return (
        f"undone by {safe(correction.id)}: {_money(correction.money)} of {safe(correction.reverses)} came back to"
        f" {safe(correction.account)}{how}{why}{instead}"
    )


def _step(step: Step) -> str:
    when = _when(step.date, step.lag_days, step.late)
    state = _state(step.end, step.by, step.amount.unit, step.evidence)
    return f"{safe(step.id)}, a {step.record} of {_money(step.amount)} in all, {when} ({state})"


def _when(date: str, lag: int, late: bool) -> str:
    """Return a date, and how much later it was recorded: a diary and a memoir are not the same evidence."""
    when = f"{safe(date)} ({lag_words(lag)})" if lag else safe(date)
    return f"{when}, after its period was closed" if late else when


def _said(text: str) -> str:
    return safe(said(text))


def _ends(ends: tuple[EndSum, ...]) -> str:
    told = (f"{_money(end.money)} {safe(end.state)}" + (f" ({safe(end.how)})" if end.how else "") for end in ends)
    return f"Ends: {', '.join(told)}"


def _money(money: Money) -> str:
    return f"{money} {safe(money.code)}"
