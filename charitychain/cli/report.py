"""``report``: a year as figures, and the check of a published report."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import click

from charitychain.cli import output
from charitychain.cli.output import Meter, safe
from charitychain.cli.session import at_moment, on_ledger, opened
from charitychain.errors import MalformedError, StorageError
from charitychain.ledger import Ledger

_WIDTH = 80


@click.command()
@click.option("--from", "first", metavar="DAY", help="First day of the period: YYYY, YYYY-MM or YYYY-MM-DD.")
@click.option("--to", "last", metavar="DAY", help="Last day of the period, in the same forms.")
@click.option("--rates", "rates_file", metavar="FILE", help="Rates of currencies (CSV: unit,to,rate,date,source).")
@click.option("--check", "published", metavar="FILE", help="Compute this published report (JSON) again and compare.")
@click.option(
    "--format", "format_", type=click.Choice(("table", "json", "html")), default="table", show_default=True,
    help="How to print it.",
)  # fmt: skip
@click.option("--title", metavar="TEXT", help="What to put above it; with --check, the title that it must have.")
@click.option("--all", "show_all", is_flag=True, help="In the table, fold away no long list.")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@at_moment
@on_ledger
def report(
    first: str | None,
    last: str | None,
    rates_file: str | None,
    published: str | None,
    format_: str,
    title: str | None,
    show_all: bool,
    as_json: bool,
    ledger: str | None,
    **moment: Any,
) -> int:
    """Add up a year: gifts, money, goods, outcomes, and what became of them, each with how it is computed.

    Units are never added up; currencies are converted only by a table of rates. With --check a report is computed again
    and every difference is told; exit code 1 if there is one.
    """
    # Imported here: only reports need them, and --help should not wait.
    from charitychain.report.compute import compute, period_of
    from charitychain.report.model import TITLE_MAX
    from charitychain.report.rates import read_rates

    format_ = "json" if as_json else format_
    if title is not None and not 0 < len(title) <= TITLE_MAX:
        raise click.UsageError(f"--title takes 1 to {TITLE_MAX} characters.")
    if published is not None:
        if first or last or any(value is not None for value in moment.values()) or format_ == "html":
            raise click.UsageError("--check takes period and moment from the report, and prints a table or JSON.")
        return _check(ledger, Path(published), rates_file, format_, title)
    try:
        period = period_of(first, last)
    except MalformedError as error:
        raise click.UsageError(error.message) from None
    rates = read_rates(Path(rates_file)) if rates_file is not None else None
    with opened(ledger, **moment) as found:
        made = found.answer(lambda reader: compute(reader, first=period[0], last=period[1], rates=rates, title=title))
    if format_ == "json":
        output.write_json(made.to_dict())
    elif format_ == "html":
        from charitychain.report.html import page

        output.echo(page(made, safe))
    else:
        _table(made, show_all)
    return 0


def _table(made: Any, show_all: bool) -> None:
    from charitychain.report.layout import headlines, sections

    if made.title is not None:
        output.echo(output.style(safe(made.title), bold=True))
    output.echo(output.style(safe(made.ledger["origin"]), bold=True))
    output.echo(f"{made.first or 'the start'} to {made.last or 'the end'}, as of block {made.ledger['height']}")
    for headline in headlines(made):
        output.echo()
        share = output.style(f"{headline.acknowledged.value:>6} %", bold=True)
        text = f"of all {safe(headline.of)} reaches an end acknowledged by an independent key"
        first, *more = textwrap.wrap(text, _WIDTH - 9)
        output.echo(f"{share} {first}")
        for line in more:
            output.echo(" " * 9 + line)
        output.echo(f"{headline.evidenced.value:>6} % is merely evidenced")
        output.echo(f"{headline.reported.value:>6} % is merely reported")
    notes: dict[str, int] = {}
    for section in sections(made):
        output.echo()
        output.echo(output.style(safe(section.title), bold=True))
        for group in section.groups:
            note = notes.setdefault(group.how, len(notes) + 1)
            for figure in (*group.shown, *(group.folded if show_all else ())):
                _line(safe(figure.label), _value(figure), f" [{note}]")
            if group.folded and not show_all:
                output.echo(f"  ... and {len(group.folded)} more (--all shows them)")
    if made.rates is not None:
        output.echo()
        output.echo(output.style("Rates", bold=True))
        for rate in made.rates.rates:
            output.echo(f"  1 {rate.unit} = {rate.rate} {rate.to} on {rate.date}, {safe(rate.source)}")
    output.echo()
    output.echo(output.style("How each figure is computed", bold=True))
    for how, note in notes.items():
        for line in textwrap.wrap(safe(how), _WIDTH, initial_indent=f"{f'[{note}]':>5} ", subsequent_indent=" " * 6):
            output.echo(line)


def _value(figure: Any) -> str:
    if figure.numerator is not None:
        return f"{figure.numerator} of {figure.denominator} {figure.value:>7} %"
    return f"{figure.value} {figure.unit}" if figure.unit is not None else f"{figure.value}"


def _line(label: str, value: str, note: str) -> None:
    """Print a label, its value at the end of the line, and its note; below where they are too long for one line."""
    left = _WIDTH - 9 - output.width(label) - output.width(value)
    if left < 2:
        output.echo(f"  {label}")
        label, left = "", _WIDTH - 9 - output.width(value)
    output.echo(f"  {label} {'.' * left} {value}{note:>5}")


def _check(ledger: str | None, path: Path, rates_file: str | None, format_: str, title: str | None) -> int:
    from charitychain.report.check import check
    from charitychain.report.model import REPORT_MAX, read_report
    from charitychain.report.rates import read_rates

    try:
        with path.open("rb") as stream:
            data = stream.read(REPORT_MAX + 1)
    except OSError as error:
        raise StorageError("CC-STORAGE", f"{path} cannot be read: {error.strerror}", path=str(path)) from error
    told = read_report(data, path.name)
    if (told.rates is not None) != (rates_file is not None):
        raise click.UsageError(
            "This report converts at rates; give their file with --rates FILE."
            if told.rates is not None
            else "This report converts nothing; leave out --rates."
        )
    rates = read_rates(Path(rates_file)) if rates_file is not None else None
    meter = Meter("Going back")

    def watch(then: Ledger) -> None:
        then.progress = meter

    with opened(ledger) as found:
        try:
            differ = check(found, told, rates, title=title, watch=watch)
        finally:
            meter.close()
    if format_ == "json":
        output.write_json({"equal": not differ, "differences": [found.to_dict() for found in differ]})
    elif differ:
        for one in differ:
            theirs, mine = ("nothing" if text is None else safe(text) for text in (one.published, one.computed))
            output.echo(f"{safe(one.id)}: published {theirs}; computed {mine}")
        output.echo(f"{len(differ)} {'differences' if len(differ) != 1 else 'difference'}")
    else:
        output.echo(f"{len(told.figures)} figures, all as the ledger has them at block {told.ledger['height']}")
    if told.title is not None and title is None and format_ != "json":
        output.echo(f"Its title is its publisher's word, and was not checked: {safe(told.title)}")
    return 1 if differ else 0
