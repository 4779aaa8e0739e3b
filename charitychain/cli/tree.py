"""A trace as a tree for people: one sentence first, then account by account where the gift went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from charitychain.answers import FinalUse, Money, Trace
from charitychain.cli.output import safe, style
from charitychain.units import Unit

__all__ = ["trace_tree"]


def trace_tree(trace: Trace, *, limit: int | None) -> Iterator[str]:
    """Yield the lines of a trace.

    Args:
        limit: Uses to show in each group, largest first; nothing shows all.
    """
    about = f" of {_money(trace.money)}, {trace.date}, into {safe(trace.account)}"
    yield style(f"Gift {safe(trace.donation)}", bold=True) + about
    yield _sentence(trace)
    groups: dict[tuple[str, ...], list[FinalUse]] = defaultdict(list)
    for use in trace.uses:
        groups[(*use.path, use.account)].append(use)
    lines: list[tuple[str, list[str]]] = []
    for way, uses in sorted(groups.items(), key=lambda item: (len(item[0]), item[0])):
        *path, account = way
        via = "".join(f" → {safe(id_)}" for id_ in path)
        lines.append((f"{safe(trace.account)}{via} → {safe(account)}" if path else safe(account), _uses(uses, limit)))
    for conversion in trace.converted:
        change = f"{_money(conversion.money)} gave {_money(conversion.gives)}"
        lines.append((f"converted by {safe(conversion.id)}: {change}", []))
    for refund in trace.refunds:
        whom = "to its donor" if refund.donation == trace.donation else f"to the donor of {safe(refund.donation)}"
        lines.append((f"refunded by {safe(refund.id)}: {_money(refund.money)} {whom}", []))
    for held in trace.held:
        lines.append((f"held in {safe(held.account)}: {_money(held.money)}", []))
    for rest in trace.remainder:
        lines.append((f"not followed further in {safe(rest.account)}: {_money(rest.money)} (too many pieces)", []))
    for number, (head, below) in enumerate(lines):
        last = number == len(lines) - 1
        yield ("└─ " if last else "├─ ") + head
        for at, text in enumerate(below):
            yield ("   " if last else "│  ") + ("└─ " if at == len(below) - 1 else "├─ ") + text
    place = f"block {trace.ledger['height']} of {safe(trace.ledger['origin'])}"
    yield style(f"As of {place}; checked against its seal.", dim=True)


def _uses(uses: list[FinalUse], limit: int | None) -> list[str]:
    ordered = sorted(uses, key=lambda use: (-use.money.amount, use.id))
    shown = ordered[:limit]
    lines = []
    for use in shown:
        what = f" for {safe(use.purpose)}" if use.purpose else ""
        whom = f" to {safe(use.payee)}" if use.payee else ""
        how = ", chosen" if use.chosen else ""
        state = f" ({use.state} by {safe(use.by)}{how})"
        lines.append(f"{_money(use.money)}{whom}{what}, {use.date} [{safe(use.id)}]{state}")
    rest = ordered[len(shown) :]
    if rest:
        lines.append(f"… and {len(rest)} smaller: {_money(_sum(rest))} (--all shows them)")
    return lines


def _sum(uses: list[FinalUse]) -> Money:
    return Money(sum(use.money.amount for use in uses), uses[0].money.unit)


def _sentence(trace: Trace) -> str:
    """Say in one sentence what became of the gift, unit by unit: totals never add units."""
    totals: dict[str, dict[Unit, int]] = {"was spent": {}, "was refunded": {}, "was converted": {}, "waits": {}}
    for name, parts in (
        ("was spent", trace.uses), ("was refunded", trace.refunds), ("was converted", trace.converted),
        ("waits", trace.held),
    ):  # fmt: skip
        for part in parts:
            totals[name][part.money.unit] = totals[name].get(part.money.unit, 0) + part.money.amount
    words = [
        f"{_money(Money(amount, unit))} {name}"
        for name, units in totals.items()
        for unit, amount in units.items()
        if amount
    ]
    return f"Of its {_money(trace.money)}: " + "; ".join(words) + "."


def _money(money: Money) -> str:
    return f"{money} {safe(money.code)}"
