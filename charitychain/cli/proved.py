"""How a receipt that holds is shown: what it proves first, and on its face what only a replay could show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from charitychain.cli import output

if TYPE_CHECKING:
    from charitychain.receipts.check import Checked

__all__ = ["facts_of", "show_checked"]


def facts_of(checked: Checked) -> dict[str, Any]:
    """Return what a receipt proves and for which checkpoint, for programs."""
    from charitychain.receipts.words import ONLY_REPLAY, PROVED, PROVED_ACCOUNT

    told: dict[str, Any] = {
        "holds": True, "operator_key": checked.vkey, "size": checked.size,
        "root": checked.shown.checkpoint.root.hex(), "identity": checked.shown.identity.hex(),
        "proved": list(PROVED if checked.trace is not None else PROVED_ACCOUNT), "only_replay": list(ONLY_REPLAY),
    }  # fmt: skip
    if checked.others:
        told["ledgers"] = [
            {
                "origin": each.origin, "identity": each.shown.identity.hex(), "size": each.size,
                "operator_key": each.vkey,
            }
            for each in checked.all_others()
        ]  # fmt: skip
    if checked.receipt.part is not None:
        first, end, page, pages = checked.receipt.part
        told["page"] = {"first": first, "end": end, "page": page, "pages": pages}
    if checked.receipt.computed is not None:
        told["computed"] = _computed(checked.receipt.computed)
    if checked.receipt.account is not None:
        told |= _account(checked)
    return told


def _computed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _account(checked: Checked) -> dict[str, Any]:
    from charitychain import records
    from charitychain.state.movements import Kind
    from charitychain.units import format_amount

    shown = checked.shown
    account = shown.accounts[checked.receipt.account or 0]
    unit = shown.unit_of(account)
    sums = {"in": account.in_, "by_rule": account.rule_sum, "by_name": account.named, "reversed": account.back}
    rows = []
    for (number, index), movement in sorted(shown.movements.items()):
        record = shown.record(movement.place)
        rows.append({
            "account": shown.accounts[number].id, "movement": index, "what": Kind(movement.kind).name.lower(),
            "amount": format_amount(movement.amount, shown.unit_of(shown.accounts[number])),
            "unit": shown.accounts[number].unit, "record": records.record_id(record) or getattr(record, "series", None),
            "block": movement.place.height,
        })  # fmt: skip
    return {
        "account": account.id, "owner": shown.parties[account.owner].id,
        "balance": format_amount(account.balance, unit), "unit": unit.code,
        "sums": {name: format_amount(units, unit) for name, units in sums.items()},
        "open": account.open, "count": account.size, "movements": rows,
    }  # fmt: skip


def show_checked(checked: Checked, everything: bool, heading: str | None = None) -> None:
    """Print what a receipt proves, and what it cannot, for people.

    Args:
        heading: What the movements shown are the answer to.
    """
    from charitychain.cli.tree import trace_tree
    from charitychain.receipts.words import ONLY_REPLAY, PROVED, PROVED_ACCOUNT

    if checked.trace is not None:
        output.echo("\n".join(trace_tree(checked.trace, limit=None if everything else 12)))
    else:
        _show_account(_account(checked), heading)
    facts = facts_of(checked)
    output.echo()
    holds = output.style("This receipt holds", bold=True)
    output.echo(f"{holds}, relative to the checkpoint of {checked.size} blocks")
    output.echo(f"of {output.safe(checked.origin)}, signed by {output.safe(checked.vkey)}.")
    for each in checked.all_others():
        output.echo(f"The part in {output.safe(each.origin)} holds relative to {each.size} blocks,")
        output.echo(f"signed by {output.safe(each.vkey)}.")
    if checked.receipt.part is not None:
        first, end, page, pages = checked.receipt.part
        output.echo(f"It is page {page} of {pages}: of the gift's smallest units those from {first} up to {end}.")
    if checked.receipt.stops:
        output.echo(f"Behind {_counted(len(checked.receipt.stops))} nothing is proved: too many outflows follow.")
        ends = _ends(facts.get("computed"))
        if ends:
            output.echo(f"Whoever made this file says of all of the gift, unproved: {output.safe(ends)}.")
    output.echo("It proves that")
    for line in PROVED if checked.trace is not None else PROVED_ACCOUNT:
        output.echo(f"  - {line}.")
    output.echo("Only a replay of the whole ledger shows")
    for line in ONLY_REPLAY:
        output.echo(f"  - {line}.")


def _counted(stops: int) -> str:
    return "one inflow" if stops == 1 else f"{stops} inflows"


def _ends(computed: Any) -> str:
    """Return what became of a gift by what the ledger computed, which anybody may have written."""
    ends = computed.get("ends") if isinstance(computed, dict) else None
    rows = [end for end in ends if isinstance(end, dict)] if isinstance(ends, list) else []
    names = ("amount", "unit", "state")
    return ", ".join(" ".join(str(end.get(name, "?"))[:80] for name in names) for end in rows[:40])


def _show_account(told: dict[str, Any], heading: str | None) -> None:
    safe = output.safe
    balance = f"{told['balance']} {safe(told['unit'])}"
    output.echo(f"Account {safe(told['account'])} of {safe(told['owner'])} holds {balance}.")
    output.echo("  " + ", ".join(f"{name.replace('_', ' ')} {units}" for name, units in told["sums"].items()))
    count, shown = told["count"], len(told["movements"])
    output.echo(f"  {count} movement{'s' * (count != 1)} in all.")
    if told["movements"]:
        output.echo(safe(heading) if heading else f"{shown} movement{'s' * (shown != 1)} shown:")
    for row in told["movements"]:
        amount = f"{row['amount']} {safe(row['unit'])}"
        output.echo(f"  {safe(row['account'])}/{row['movement']}  {row['what']} {amount}  {safe(str(row['record']))}")
