"""``plan``: budgets, and what was spent against them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.entering import enter, recording
from charitychain.cli.privately import given_bytes
from charitychain.cli.session import at_moment, formatted, on_ledger, opened
from charitychain.errors import MalformedError
from charitychain.plans import Against, compare_plan, list_plans
from charitychain.records import PLAN_KINDS

__all__ = ["plan"]

_FIELDS = ("line", "kind", "what", "quantity", "price")
_FILE_MAX = 4 << 20  # a plan has 1024 lines at most


@click.group()
def plan() -> None:
    """Record a budget, and compare it with what was spent."""


@plan.command("make")
@click.argument("account")
@click.option(
    "--line",
    "told",
    metavar="LINE",
    multiple=True,
    help=f"LINE:KIND:WHAT:QUANTITY:PRICE, such as 'books:goods:school books:100:3.50'; may repeat. KIND is"
    f" {', '.join(PLAN_KINDS)}; PRICE is that of one.",
)
@click.option(
    "--lines", "file", metavar="FILE", help=f"Lines from a CSV with the header {','.join(_FIELDS)}; - is stdin."
)
@click.option("--title", help="The plan's name for people.")
@click.option("--replaces", metavar="PLAN", help="The plan of this account that this one replaces.")
@recording
def plan_make(account: str, told: tuple[str, ...], file: str | None, **options: Any) -> None:
    """Record a budget of ACCOUNT, line by line; `spend --line PLAN/LINE` says later what uses it."""
    lines = [*(_from_file(file) if file is not None else ()), *map(_from_text, told)]
    if not lines:
        raise click.UsageError("A plan has one line at least; give --line or --lines.")
    fields = {name: options.pop(name) for name in ("title", "replaces")}
    enter("plan", "PLAN", options, account=account, lines=lines, **fields)


def _from_text(text: str) -> dict[str, Any]:
    """Return a line; what it is for may hold colons itself."""
    head, tail = text.split(":", 2), text.rsplit(":", 2)
    if len(head) != 3 or text.count(":") < 4:
        raise click.UsageError(f"--line {text!r}: the form is LINE:KIND:WHAT:QUANTITY:PRICE.")
    what = head[2].rsplit(":", 2)[0]
    return _line((head[0], head[1], what, tail[1], tail[2]), f"--line {text!r}")


def _from_file(path: str) -> Iterator[dict[str, Any]]:
    data = given_bytes(path, _FILE_MAX)
    if len(data) > _FILE_MAX:
        raise MalformedError("CC-ENTRY", f"{path} is larger than {_FILE_MAX} bytes; a plan has 1024 lines at most")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError("CC-TEXT", f"{path} is not UTF-8 at byte {error.start}") from error
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        if tuple(name.strip().lower() for name in header) != _FIELDS:
            raise MalformedError(
                "CC-ENTRY", f"{path}: the first line must be {','.join(_FIELDS)}, found {header!r:.80}"
            )
        for row in rows:
            if row:
                if len(row) != len(_FIELDS):
                    raise MalformedError(
                        "CC-ENTRY", f"{path}: line {rows.line_num} has {len(row)} fields, not {len(_FIELDS)}"
                    )
                yield _line(tuple(row), f"{path}: line {rows.line_num}")
    except csv.Error as error:
        raise MalformedError("CC-ENTRY", f"{path}: line {rows.line_num}: {error}") from error


def _line(fields: tuple[str, ...], where: str) -> dict[str, Any]:
    line, kind, what, quantity, price = (field.strip() for field in fields)
    if not (quantity.isascii() and quantity.isdigit() and len(quantity) < 20):
        raise MalformedError("CC-ENTRY", f"{where}: the quantity must be a whole number, found {quantity!r:.60}")
    return {"line": line, "kind": kind, "what": what, "quantity": int(quantity), "price": price}


@plan.command("list")
@at_moment
@on_ledger
@formatted
def plan_list(ledger: str | None, format_: str, as_json: bool, **moment: Any) -> None:
    """List plans with what they planned and what was spent on their lines."""
    columns = ("plan", "title", "account", "lines", "planned", "actual", "percent", "unit", "date", "replaced_by")
    with opened(ledger, **moment) as found:
        rows = [
            (
                p.plan, p.title, p.account, len(p.lines), str(p.planned), str(p.actual), p.percent, p.unit.code, p.date,
                ", ".join(p.replaced_by) or None,
            )
            for p in list_plans(found.reader())
        ]  # fmt: skip
    output.show_rows("json" if as_json else format_, columns, rows, right=columns[3:7])


@plan.command("show")
@click.argument("plan_id", metavar="PLAN")
@at_moment
@on_ledger
@formatted
def plan_show(plan_id: str, ledger: str | None, format_: str, as_json: bool, **moment: Any) -> None:
    """Compare PLAN with what was spent: line by line, net of what was reversed.

    What named a line of a plan that this one replaces counts under the line of the same name.
    """
    with opened(ledger, **moment) as found:
        answer = compare_plan(found.reader(), plan_id)
    if as_json or format_ in ("json", "jsonl"):
        output.write_json(answer.to_dict(), line=not as_json and format_ == "jsonl")
    elif format_ == "csv":
        _as_csv(answer)
    else:
        _as_table(answer)


def _as_csv(answer: Against) -> None:
    # What is left and what is over stand in columns of their own: a cell with a minus would be escaped.
    columns = (
        "plan", "line", "kind", "what", "quantity", "price", "planned", "actual", "left", "over", "percent", "unit",
    )  # fmt: skip
    rows = []
    for line in answer.lines:
        told = line.to_dict()
        over = told["difference"].startswith("-")
        rows.append(
            (
                answer.plan, *(told[name] for name in (*_FIELDS, "planned", "actual")),
                None if over else told["difference"], told["difference"][1:] if over else None, told["percent"],
                answer.unit.code,
            )
        )  # fmt: skip
    output.show_rows("csv", columns, rows)


def _as_table(answer: Against) -> None:
    told = answer.to_dict()
    code = output.safe(answer.unit.code)
    title = f" ({output.safe(answer.title)})" if answer.title else ""
    output.echo(f"Plan {output.safe(answer.plan)}{title} of account {output.safe(answer.account)}, in {code}")
    columns = (*_FIELDS, "planned", "actual", "difference", "percent")
    rows = [[line[name] for name in columns] for line in told["lines"]]
    rows.append(["total", None, None, None, None, *(told[name] for name in columns[5:])])
    output.show_rows("table", columns, rows, right=columns[3:])
    for line in answer.lines:
        for use in line.uses:
            if use.money.unit != answer.unit:
                other = f"{use.money} {use.money.code} by {use.id}"
                output.echo(output.safe(f"Line {line.line} was also paid {other}, which is not counted above."))
    output.echo(f"Beside its lines, {output.safe(answer.account)} spent {answer.outside} {code}.")
    if answer.replaces is not None:
        output.echo(f"It replaces {output.safe(answer.replaces)}.")
    if answer.replaced_by:
        output.echo(f"It was replaced by {', '.join(map(output.safe, answer.replaced_by))}.")
    place = f"block {answer.ledger['height']} of {output.safe(answer.ledger['origin'])}"
    output.echo(output.style(f"As of {place}; checked against its seal.", dim=True))
