"""A trace as a tree for people: one sentence first, then account by account where the gift went, and what is known.

Leaves are, in this order: uses, what they led to, conversions, refunds, what still rests, what was never received, what
was undone on the way, and the records that passed the gift on. A line of ends tells it all by state.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from charitychain.answers import Conversion, Correction, EndSum, FinalUse, Money, Reached, Step, Trace
from charitychain.cli.output import safe, style
from charitychain.ends import HOW, Acknowledged, End
from charitychain.units import Unit, format_amount

__all__ = ["lag_words", "trace_tree"]

_Node = tuple[str, list[str]]


class _Part(Protocol):
    @property
    def money(self) -> Money: ...


_P = TypeVar("_P", bound=_Part)
_Leg = tuple[Money, str, int]
"""A part of the sentence: how much, what became of it, and by which amount it is put in order."""


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
    yield _ends(trace.ends)
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
    if trace.outcomes:
        yield "led to", _more([_outcome(outcome) for outcome in trace.outcomes], limit)
    for conversion in trace.converted:
        yield f"converted by {safe(conversion.id)}: {_money(conversion.money)} {_gave(conversion)}", []
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
    if end.state == "lost":
        return f"LOST: reported by {safe(by)}" + (f"; {words}" if words else "")
    if end.state == "disputed":
        return f"DISPUTED: {safe(end.why or '')}; reported by {safe(by)}" + (f"; {words}" if words else "")
    return f"{'partly ' if end.state.startswith('partly') else ''}acknowledged: {words}; reported by {safe(by)}"


def _outcome(outcome: Reached) -> str:
    people = f", {outcome.beneficiaries} beneficiaries" if outcome.beneficiaries is not None else ""
    costs = f", said to cost {outcome.costs}" if outcome.costs is not None else ""
    state = "DISPUTED" if outcome.state == "disputed" else outcome.state
    return (
        f"{_reached(outcome)}{people}, {safe(outcome.date)} [{safe(outcome.id)}]: this gift paid {_money(outcome.paid)}"
        f" of {outcome.whole}{costs} ({state} by {safe(outcome.by)})"
    )


def _word(word: Acknowledged, unit: Unit) -> str:
    who = _speaker(word)
    verb = "disputes" if word.disputed else "confirms"
    amount = f"{format_amount(word.amount, unit)} {safe(unit.code)}"
    return f"{who} ({word.how}) {verb} {amount}, {safe(word.date)}"


def _speaker(word: Acknowledged) -> str:
    return safe(word.by) + (f" for {safe(word.on_behalf_of)}" if word.on_behalf_of else "")


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


def _sum(parts: Sequence[_Part]) -> Money:
    return Money(sum(part.money.amount for part in parts), parts[0].money.unit)


def _sentence(trace: Trace) -> str:
    """Say in one sentence what became of the gift: its own unit first, large legs before small; no units are added."""
    own = trace.money.unit
    legs = sorted(_legs(trace), key=lambda leg: (leg[0].unit != own, leg[0].code, -leg[2], leg[1].endswith(" more")))
    told = [f"{money if money.unit == own else _money(money)} {words}" for money, words, _ in legs]
    return f"Of your {_money(trace.money)}: " + "; ".join(told) + "."


def _legs(trace: Trace) -> Iterator[_Leg]:
    for units in _by_unit(trace.uses):
        groups: dict[tuple[str, str], list[FinalUse]] = defaultdict(list)
        for use in units:
            groups[_group(trace, use)].append(use)
        ordered = sorted(groups.items(), key=lambda item: (-_sum(item[1]).amount, item[0]))
        named = [(key, uses) for key, uses in ordered if key[0] in ("outcome", "use")]
        for key, uses in ordered:
            if key[0] not in ("outcome", "use"):
                yield _leg(uses, _cost(key[0], uses))
        for key, uses in named[:3]:
            yield _leg(uses, _programme(trace, key, uses))
        if rest := [use for _, uses in named[3:] for use in uses]:
            # Told after the last of those that are named, whatever it comes to.
            yield _sum(rest), f"went to {len(named) - 3} more", _sum(named[2][1]).amount
    waiting = [held for held in trace.held if held.state != "in transit"]
    for name, parts in (
        ("waits in", waiting), ("is in transit to", [held for held in trace.held if held.state == "in transit"]),
        ("was not followed further in", trace.remainder),
    ):  # fmt: skip
        for rests in _by_unit(parts):
            where = safe(rests[0].account) if len(rests) == 1 else f"{len(rests)} accounts"
            yield _leg(rests, f"{name} {where}")
    for name, moved in (
        ("was refunded", trace.refunds), ("was converted", [each for each in trace.converted if each.gives.amount]),
        ("fell below the smallest unit", [each for each in trace.converted if not each.gives.amount]),
        ("was never received", trace.reversed),
    ):  # fmt: skip
        for same in _by_unit(moved):
            yield _leg(same, name)


def _leg(parts: Sequence[_Part], words: str) -> _Leg:
    money = _sum(parts)
    return money, words, money.amount


def _cost(name: str, uses: list[FinalUse]) -> str:
    purposes = {use.purpose for use in uses}
    if name == "lost":
        return f"was lost ({safe(uses[0].purpose)})" if len(purposes) == 1 and uses[0].purpose else "was lost"
    return "is disputed" if name == "disputed" else name


def _group(trace: Trace, use: FinalUse) -> tuple[str, str]:
    """Return what a use is told with: its state, its kind of cost, the outcome that names it, or those like it."""
    if use.state in ("disputed", "lost"):
        return (use.state, "")
    if use.category in ("administration", "fundraising"):
        return (use.category, "")
    for outcome in trace.outcomes:
        if use.id in outcome.of and outcome.state != "disputed":
            return ("outcome", outcome.id)
    return ("use", json.dumps([use.payee, use.purpose]))


def _programme(trace: Trace, key: tuple[str, str], uses: list[FinalUse]) -> str:
    outcome = next((found for found in trace.outcomes if key == ("outcome", found.id)), None)
    if outcome is not None:
        # Where others paid too, the gift did not bring all of it about.
        alone = _sum(uses).amount == outcome.whole.amount
        share = "became" if alone else f"of {outcome.whole} that became"
        return f"{share} {_reached(outcome)}{_known(uses)}"
    whom = f" to {safe(uses[0].payee)}" if uses[0].payee else ""
    what = f" for {safe(uses[0].purpose)}" if uses[0].purpose else ""
    return f"{'went' if whom or what else 'was spent'}{whom}{what}{_known(uses)}"


def _reached(outcome: Reached) -> str:
    return f"{outcome.quantity} {safe(outcome.indicator)}" + (f" at {safe(outcome.place)}" if outcome.place else "")


def _known(uses: list[FinalUse]) -> str:
    """Say who confirms uses, or that nobody but their author knows of them."""
    words = {word.by: word for use in uses if use.end.levels for word in use.end.words if not word.disputed}
    amount = sum(use.acknowledged for use in uses)
    if not words or not amount:
        return ", evidenced" if all(use.state == "evidenced" for use in uses) else ", reported"
    best = sorted(words.values(), key=lambda word: (HOW.index(word.how), word.by))
    who = _speaker(best[0]) + (f" ({best[0].how})" if best[0].how in ("operator", "stand-in") else "")
    more = f" and {len(best) - 1} more" if len(best) > 1 else ""
    part = "" if amount == _sum(uses).amount else f"{Money(amount, uses[0].money.unit)} of it "
    return f", {part}confirmed by {who}{more} on {safe(best[0].date)}"


def _ends(ends: tuple[EndSum, ...]) -> str:
    told = (f"{_money(end.money)} {safe(end.state)}" + (f" ({safe(end.how)})" if end.how else "") for end in ends)
    return f"Ends: {', '.join(told)}"


def _by_unit(parts: Sequence[_P]) -> list[list[_P]]:
    found: dict[Unit, list[_P]] = {}
    for part in parts:
        found.setdefault(part.money.unit, []).append(part)
    return list(found.values())


def _money(money: Money) -> str:
    return f"{money} {safe(money.code)}"
