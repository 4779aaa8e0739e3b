"""A trace as a tree for people: one sentence first, then account by account where the gift went, and what is known.

Leaves are, in this order: uses, conversions, refunds, what still rests, what was never received, what was undone on the
way, and the records that passed the gift on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from charitychain.answers import Correction, FinalUse, Money, Step, Trace
from charitychain.cli.output import safe, style
from charitychain.ends import Acknowledged, End
from charitychain.units import Unit, format_amount

__all__ = ["lag_words", "trace_tree"]

_Node = tuple[str, list[str]]


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
    yield _sentence(trace)
    lines = list(_nodes(trace, limit))
    for number, (head, below) in enumerate(lines):
        last = number == len(lines) - 1
        yield ("└─ " if last else "├─ ") + head
        for at, text in enumerate(below):
            yield ("   " if last else "│  ") + ("└─ " if at == len(below) - 1 else "├─ ") + text
    place = f"block {trace.ledger['height']} of {safe(trace.ledger['origin'])}"
    yield style(f"As of {place}; checked against its seal.", dim=True)


def _nodes(trace: Trace, limit: int | None) -> Iterator[_Node]:
    groups: dict[tuple[str, ...], list[FinalUse]] = defaultdict(list)
    for use in trace.uses:
        groups[(*use.path, use.account)].append(use)
    for way, uses in sorted(groups.items(), key=lambda item: (len(item[0]), item[0])):
        *path, account = way
        via = "".join(f" → {safe(id_)}" for id_ in path)
        yield (f"{safe(trace.account)}{via} → {safe(account)}" if path else safe(account)), _uses(uses, limit)
    for conversion in trace.converted:
        yield f"converted by {safe(conversion.id)}: {_money(conversion.money)} gave {_money(conversion.gives)}", []
    for refund in trace.refunds:
        whom = "to its donor" if refund.donation == trace.donation else f"to the donor of {safe(refund.donation)}"
        yield f"refunded by {safe(refund.id)}: {_money(refund.money)} {whom}", []
    for held in trace.held:
        where = "in transit to" if held.state == "in transit" else "held in"
        yield f"{where} {safe(held.account)}: {_money(held.money)}", []
    for rest in trace.remainder:
        yield f"not followed further in {safe(rest.account)}: {_money(rest.money)} (too many pieces)", []
    for void in trace.reversed:
        yield f"reversed by {safe(void.id)}: {_money(void.money)} was entered wrongly and never received", []
    for correction in trace.corrections:
        yield _correction(correction), []
    if trace.steps:
        yield "passed on by", _more([_step(step) for step in trace.steps], limit)


def _uses(uses: list[FinalUse], limit: int | None) -> list[str]:
    ordered = sorted(uses, key=lambda use: (-use.money.amount, use.id))
    shown = ordered[:limit]
    lines = []
    for use in shown:
        what = f" for {safe(use.purpose)}" if use.purpose else ""
        whom = f" to {safe(use.payee)}" if use.payee else ""
        when = _when(use.date, use.lag_days, use.late)
        taken = f", taken over from {safe(use.taken_over_from)}" if use.taken_over_from else ""
        again = f" instead of {safe(use.replaces)}" if use.replaces else ""
        how = ", chosen" if use.chosen else ""
        state = _state(use.end, use.by, use.money.unit)
        lines.append(f"{_money(use.money)}{whom}{what}, {when} [{safe(use.id)}{again}{taken}] ({state}{how})")
    rest = ordered[len(shown) :]
    if rest:
        lines.append(f"… and {len(rest)} smaller: {_money(_sum(rest))} (--all shows them)")
    return lines


def _more(lines: list[str], limit: int | None) -> list[str]:
    if limit is None or len(lines) <= limit:
        return lines
    return [*lines[:limit], f"… and {len(lines) - limit} more (--all shows them)"]


def _state(end: End, by: str, unit: Unit) -> str:
    """Say what is known of a record: who says so, and for how much where it is not all of it."""
    if end.state in ("reported", "evidenced"):
        return f"{end.state} by {safe(by)}"
    words = "; ".join(_word(word, unit) for word in end.words)
    if end.state == "disputed":
        return f"DISPUTED: {safe(end.why or '')}; reported by {safe(by)}" + (f"; {words}" if words else "")
    return f"{'partly ' if end.state.startswith('partly') else ''}acknowledged: {words}; reported by {safe(by)}"


def _word(word: Acknowledged, unit: Unit) -> str:
    who = safe(word.by) + (f" for {safe(word.on_behalf_of)}" if word.on_behalf_of else "")
    verb = "disputes" if word.disputed else "confirms"
    amount = f"{format_amount(word.amount, unit)} {safe(unit.code)}"
    return f"{who} ({word.how}) {verb} {amount}, {word.date}"


def _correction(correction: Correction) -> str:
    why = f" ({safe(correction.reason)})" if correction.reason else ""
    taken = " and ".join(f"{safe(id_)} out of {safe(account)}" for id_, account in correction.taken_over_by)
    instead = f"; entered instead: {taken}" if taken else ""
    how = ", chosen" if correction.chosen else ""
    return (
        f"undone by {safe(correction.id)}: {_money(correction.money)} of {safe(correction.reverses)} came back to"
        f" {safe(correction.account)}{how}{why}{instead}"
    )


def _step(step: Step) -> str:
    when = _when(step.date, step.lag_days, step.late)
    state = _state(step.end, step.by, step.amount.unit)
    return f"{safe(step.id)}, a {step.record} of {_money(step.amount)} in all, {when} ({state})"


def _when(date: str, lag: int, late: bool) -> str:
    """Return a date, and how much later it was recorded: a diary and a memoir are not the same evidence."""
    when = f"{date} ({lag_words(lag)})" if lag else date
    return f"{when}, after its period was closed" if late else when


def lag_words(days: int) -> str:
    """Say how long after its stated date a record was sealed.

    >>> lag_words(1), lag_words(45), lag_words(4000), lag_words(-3)
    ('recorded 1 day later', 'recorded 45 days later', 'recorded 10 years later', 'recorded 3 days before')
    """
    count, name = abs(days), "day"
    if count > 730:
        count, name = count * 100 // 36525, "year"
    elif count > 90:
        count, name = count * 100 // 3044, "month"
    return f"recorded {count} {name}{'s' * (count != 1)} {'later' if days > 0 else 'before'}"


def _sum(uses: list[FinalUse]) -> Money:
    return Money(sum(use.money.amount for use in uses), uses[0].money.unit)


def _sentence(trace: Trace) -> str:
    """Say in one sentence what became of the gift, unit by unit: totals never add units."""
    groups = (
        ("was spent", trace.uses), ("was refunded", trace.refunds), ("was converted", trace.converted),
        ("is in transit", [held for held in trace.held if held.state == "in transit"]),
        ("waits", [held for held in trace.held if held.state != "in transit"]),
        ("was not followed further", trace.remainder), ("was never received", trace.reversed),
    )  # fmt: skip
    words = []
    for name, parts in groups:
        sums: dict[Unit, int] = {}
        for part in parts:
            sums[part.money.unit] = sums.get(part.money.unit, 0) + part.money.amount
        words += [f"{_money(Money(amount, unit))} {name}" for unit, amount in sums.items() if amount]
    return f"Of its {_money(trace.money)}: " + "; ".join(words) + "."


def _money(money: Money) -> str:
    return f"{money} {safe(money.code)}"
