"""HTML: a report as one page of its own, without scripts and without anything to load.

Rules upheld here:

- Every text is escaped; the page's own policy forbids scripts, pictures and connections.
- How a figure is computed stands beside it, to be read and not to be clicked for.
- At the end stand the checkpoint, and the command that checks the page's figures.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from itertools import groupby

from charitychain.report.model import Figure, Report

__all__ = ["page", "section_of"]

_SECTIONS = {
    "share": "What became of the gifts",
    "gifts": "Counts", "donors": "Counts", "merchants": "Counts", "organisations": "Counts", "projects": "Counts",
    "converted": "Turned into other units", "earned": "Earned", "outcome": "Outcomes", "late": "Late entries",
    "at-rates": "At the rates stated",
}  # fmt: skip

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de; --bar: #1a7f5a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9aa4af; --line: #30363d; --bar: #3fb98a; }
}
body { max-width: 54rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .5rem .25rem; border-bottom: 1px solid var(--line); vertical-align: top; text-align: left; }
th { font-weight: 600; }
td.value { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
small { display: block; font-weight: 400; color: var(--soft); }
.headline { margin: 1rem 0; padding: 1rem; border: 2px solid var(--bar); border-radius: .5rem; }
.headline strong { display: block; font-size: 2rem; }
.bar { display: block; height: .5rem; background: var(--line); border-radius: .25rem; margin-top: .25rem; }
.bar span { display: block; height: 100%; background: var(--bar); border-radius: .25rem; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); }
"""


def section_of(figure: Figure) -> str:
    """Return the heading under which a figure stands."""
    first, _, rest = figure.id.partition(".")
    known = _SECTIONS.get(first.partition(":")[0])
    return known or rest.partition(".")[0]


def page(report: Report, clean: Callable[[str], str]) -> str:
    """Return a report as a page.

    Args:
        clean: Takes out of a text what could steer a screen or turn its direction; escaping is done here.
    """

    def told(text: object) -> str:
        return html.escape(clean(str(text)))

    def lines() -> Iterator[str]:
        ledger = report.ledger
        title = f"Report of {told(ledger['origin'])}"
        yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
        yield """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>"
        period = f"{report.first or 'the start'} to {report.last or 'the end'}"
        yield f"<p>From {told(period)}, as of block {told(ledger['height'])}.</p>"
        for figure in report.figures:
            if figure.id.startswith("share.") and figure.id.endswith(".acknowledged") and figure.id.count(".") == 2:
                yield f'<div class="headline"><strong>{told(figure.value)} %</strong> {told(figure.label)}'
                yield f"<br>{told(figure.numerator)} of {told(figure.denominator)}{_bar(figure)}"
                yield f"<small>{told(figure.how)}</small></div>"
        for title, figures in groupby(report.figures, key=section_of):
            yield f"<section>\n<h2>{told(title)}</h2>\n<table>\n<thead>"
            yield '<tr><th scope="col">Figure</th><th scope="col">Value</th></tr></thead>\n<tbody>'
            for figure in figures:
                unit = f" {told(figure.unit)}" if figure.unit is not None else ""
                beside = "" if figure.numerator is None else (
                    f"<small>{told(figure.numerator)} of {told(figure.denominator)}</small>"
                )  # fmt: skip
                yield (
                    f'<tr><th scope="row"><bdi>{told(figure.label)}</bdi><small>{told(figure.how)}</small></th>'
                    f'<td class="value">{told(figure.value)}{unit}{beside}{_bar(figure)}</td></tr>'
                )
            yield "</tbody>\n</table>\n</section>"
        if report.rates is not None:
            sha256 = told(report.rates.sha256)
            yield f"<section>\n<h2>Rates</h2>\n<p>SHA-256 of their file: <code>{sha256}</code></p>\n<ul>"
            for rate in report.rates.rates:
                yield (
                    f"<li>1 {told(rate.unit)} = {told(rate.rate)} {told(rate.to)} on {told(rate.date)},"
                    f" {told(rate.source)}</li>"
                )
            yield "</ul>\n</section>"
        yield "<section>\n<h2>Check it</h2>"
        yield f"<p>Ledger <code>{told(ledger['identity'])}</code>, sealed by this checkpoint:</p>"
        sealed = "\n".join(told(line) for line in str(ledger["checkpoint"]).splitlines())
        yield f"<pre>{sealed}</pre>"
        yield "<p>Whoever has the ledger and this report as JSON computes every figure again with:</p>"
        rates = " --rates RATES.csv" if report.rates is not None else ""
        yield f"<pre>charitychain --ledger LEDGER report --check REPORT.json{rates}</pre>"
        yield "</section>\n</main>\n</body>\n</html>"

    return "\n".join(lines())


def _bar(figure: Figure) -> str:
    if figure.unit != "%":
        return ""
    # Not what a report says, but what it can mean: nothing else ever stands in the style.
    wide = min(max(float(figure.value), 0.0), 100.0)
    return f'<span class="bar" aria-hidden="true"><span style="width:{wide:.2f}%"></span></span>'
