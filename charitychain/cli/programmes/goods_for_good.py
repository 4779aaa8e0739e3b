"""``programme goods-for-good``: what completed orders give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.session import formatted, on_ledger, opened, with_keys

__all__ = ["command"]


_STATUSES_TOLD = 20


def _left_out(left: dict[str, int]) -> str:
    """Say how many orders have which status, the most frequent ones first."""
    if not left:
        return "nothing was left out"
    ranked = sorted(left.items(), key=lambda pair: (-pair[1], pair[0]))
    told = [f"{count} {output.safe(status[:40])}" for status, count in ranked[:_STATUSES_TOLD]]
    if rest := ranked[_STATUSES_TOLD:]:
        told.append(f"{sum(count for _, count in rest)} of other statuses ({len(rest)})")
    return f"left out: {', '.join(told)}"


@click.command()
@click.argument("orders", type=click.Path(path_type=Path))
@click.option(
    "--listings", metavar="FILE", type=click.Path(path_type=Path), required=True,
    help="What merchants promised: CSV with the columns listing,merchant,account,fixed,percent.",
)  # fmt: skip
@click.option(
    "--series", metavar="PREFIX", default="gfg", show_default=True, help="A gift is traced as PREFIX-ACCOUNT/order."
)
@click.option("--author", metavar="PARTY", help="Who signs, where it is not the owner of each account.")
@click.option("--dry-run", is_flag=True, help="Check everything, record nothing.")
@on_ledger
@with_keys
@formatted
def command(
    orders: Path, listings: Path, series: str, author: str | None, dry_run: bool, ledger: str | None, format_: str,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Enter what completed ORDERS give: CSV, or Parquet with the columns order,listing,consumer,price,status.

    All of it or nothing. What the ledger holds already is skipped. Needs the package pyarrow.
    """
    from charitychain.programmes.goods_for_good import import_orders
    from charitychain.units import format_amount

    meter = output.Meter("Importing")
    try:
        with opened(ledger, **options) as found, found.writer(dry=dry_run) as writer:
            done = import_orders(writer, orders, listings, series, meter, author=author)
    finally:
        meter.close()
    accounts = [
        {
            "account": fund.account, "series": fund.series, "unit": fund.unit.code, "gifts": fund.gifts,
            "amount": format_amount(fund.amount, fund.unit), "rounding_kept_back": fund.rounding.kept_back,
            "rounding_added": fund.rounding.added,
        }
        for fund in done.accounts
    ]  # fmt: skip
    facts, sentence = output.imported(done.added, done.known, done.blocks, dry_run)
    facts |= {"left_out": done.left_out, "left_out_by_status": done.left, "gave_nothing": done.gave_nothing}
    if as_json or format_ in ("json", "jsonl"):
        output.write_json({**facts, "accounts": accounts}, line=not as_json and format_ == "jsonl")
    elif format_ == "csv":
        names = ("account", "series", "unit", "gifts", "amount", "rounding_kept_back", "rounding_added")
        output.show_rows("csv", names, [tuple(fund.values()) for fund in accounts])
    else:
        output.echo(f"{sentence}; {_left_out(done.left)}")
        if done.gave_nothing:
            output.echo(f"left out, too, since a percentage of a price of 0 is nothing: {done.gave_nothing}")
        for fund in done.accounts:
            money = f"{format_amount(fund.amount, fund.unit)} {fund.unit.code}"
            rounding = f"rounding, in smallest units: {fund.rounding}" if any(fund.rounding) else "nothing was rounded"
            output.echo(f"{output.safe(fund.account)}: {money} in gifts: {fund.gifts}; {rounding}")
