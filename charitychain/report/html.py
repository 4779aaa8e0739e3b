"""HTML: a report as one page of its own, without scripts and without anything to load.

Rules upheld here:

- Every text is escaped; the page's own policy forbids scripts, pictures and connections.
- The headlines come first and are large. How figures are computed stands below them, to be read and not to be clicked
  for, once for figures that are computed in the same way.
- Colours only repeat what words say: each state has letters and a pattern of its own, in the bar and beside its name,
  for whoever sees no colours; the page is as good in the dark, on a telephone and on paper.
- Of a long group the largest figures are told, and the rest is folded beneath them.
- At the end stand the checkpoint, and the command that checks the page's figures.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator

from charitychain.report.layout import Group, Headline, Section, headlines, sections
from charitychain.report.model import Figure, Report

__all__ = ["page"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de; --good: #1a7f5a;
  --near: #8cc98a; --stand: #4f8a10; --known: #2f6fb0; --said: #b7791f; --bad: #c0392b; --gone: #7d1f3f;
  --rest: #aab2bb; --way: #6e7781; --back: #d5d9de; --odd: #57606a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9aa4af; --line: #30363d; --good: #3fb98a;
    --near: #b5dfa6; --stand: #8fc03f; --known: #5b9bd9; --said: #d9a441; --bad: #e5675a; --gone: #c9688e;
    --rest: #8b949e; --way: #b1bac4; --back: #59626c; --odd: #9aa4af; }
}
* { box-sizing: border-box; }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.25rem; line-height: 1.25; margin: 2.5rem 0 .5rem; break-after: avoid; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0; padding: 0; list-style: none; }
a { color: inherit; }
.headline { margin: 1.5rem 0; padding: 1rem 1.25rem; border-left: .5rem solid var(--good); font-size: 1.125rem; }
.headline p { margin: 0; }
.headline strong { white-space: nowrap; }
.headline .share { display: block; font-size: clamp(3rem, 14vw, 5rem); line-height: 1.1; }
.states { display: flex; height: 1.5rem; margin: .5rem 0; background: var(--line); }
.states span { min-width: 1px; overflow: hidden; border-right: 1px solid var(--paper); font-size: .75rem;
  line-height: 1.5rem; text-align: center; }
.key { display: inline-block; min-width: 2.25em; margin-right: .5em; padding: 0 .25em; font-size: .75rem;
  text-align: center; }
.states small, .key small { padding: 0 .2em; color: #000; background: #fff; font-size: inherit; }
.states, .states *, .key, .key * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .3rem 0; border-top: 1px solid var(--line); vertical-align: baseline; text-align: left;
  font-weight: 400; }
thead th { border: 0; color: var(--soft); font-size: .875em; }
td, th + th { width: 1%; padding-left: 1rem; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
td strong { display: inline-block; min-width: 6em; }
tr { break-inside: avoid; }
.title { font-weight: 600; }
details table { margin-bottom: .5rem; }
.how { break-before: avoid; }
.how td { padding: 0 0 .6rem; border: 0; text-align: left; white-space: normal; font-size: .875em; color: var(--soft); }
pre { white-space: pre-wrap; padding: .75rem; border: 1px solid var(--line); }
@media (max-width: 40rem) { td { font-size: .875em; } td span { display: block; } }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } nav { display: none; } }
"""

_WIDE_ENOUGH = 4.0  # percent of the bar, for the letters of a state

_PATTERNS = {
    "plain": "{0}",
    "rising": "repeating-linear-gradient(45deg,{0} 0 6px,var(--paper) 6px 8px)",
    "falling": "repeating-linear-gradient(-45deg,{0} 0 6px,var(--paper) 6px 8px)",
    "upright": "repeating-linear-gradient(90deg,{0} 0 4px,var(--paper) 4px 5px)",
    "level": "repeating-linear-gradient(0deg,{0} 0 4px,var(--paper) 4px 5px)",
}
_STATES = {
    "transit": ("T", "way", "rising"), "held": ("H", "rest", "plain"), "reported": ("R", "said", "falling"),
    "evidenced": ("E", "known", "upright"), "acknowledged": ("A", "good", "plain"),
    "operator": ("AO", "near", "level"), "stand-in": ("AS", "stand", "rising"), "disputed": ("D", "bad", "plain"),
    "refunded": ("B", "back", "upright"), "lost": ("L", "gone", "falling"), "earned": ("W", "good", "upright"),
    "sent": ("S", "way", "level"), "not followed": ("?", "odd", "level"),
}  # fmt: skip
"""The letters of each state, its colour and its pattern."""


def page(report: Report, clean: Callable[[str], str]) -> str:
    """Return a report as a page.

    Args:
        clean: Takes out of a text what could steer a screen or turn its direction; escaping is done here.
    """

    def told(text: object) -> str:
        return html.escape(clean(str(text)))

    def headline(found: Headline) -> Iterator[str]:
        share = found.acknowledged
        yield f'<div class="headline">\n<p><strong class="share">{told(share.value)} %</strong>'
        yield f"of all {told(found.of)} reaches an end acknowledged by an independent key:"
        yield f"{_number(told(share.numerator))} of {_number(told(share.denominator))}.</p>"
        yield f"<p><strong>{told(found.evidenced.value)} %</strong> is merely evidenced,"
        yield f"<strong>{told(found.reported.value)} %</strong> merely reported.</p>\n</div>"

    def row(figure: Figure) -> str:
        state = _state(figure)
        key = ""
        if state is not None:
            key = f'<span class="key" style="background:{_paint(state)}"><small>{_STATES[state][0]}</small></span>'
        value = _number(told(figure.value))
        if figure.numerator is not None:
            part, whole = _number(told(figure.numerator)), _number(told(figure.denominator))
            value = f"<span>{part}</span> <span>of {whole}</span> <strong>{value} %</strong>"
        elif figure.unit is not None:
            value += f" {told(figure.unit)}"
        return f'<tr><th scope="row">{key}<bdi>{told(figure.label)}</bdi></th><td>{value}</td></tr>'

    def bar(states: list[Figure]) -> Iterator[str]:
        yield '<div class="states" aria-hidden="true">'
        for figure in states:
            state, wide = _state(figure) or "", _wide(figure)
            letters = f"<small>{_STATES[state][0]}</small>" if float(wide) >= _WIDE_ENOUGH else ""
            yield f'<span style="background:{_paint(state)};width:{wide}%">{letters}</span>'
        yield "</div>"

    def group(found: Group) -> Iterator[str]:
        yield "<tbody>"
        yield from map(row, found.shown)
        if found.folded:
            yield f'<tr class="more"><td colspan="2"><details><summary>and {len(found.folded)} more</summary><table>'
            yield from map(row, found.folded)
            yield "</table></details></td></tr>"
        yield f'<tr class="how"><td colspan="2">{told(found.how)}</td></tr>\n</tbody>'

    def section(number: int, found: Section) -> Iterator[str]:
        yield f'<section id="part-{number}">\n<h2>{told(found.title)}</h2>'
        states = [figure for group in found.groups for figure in group.shown if _state(figure)]
        if states:
            yield "".join(bar(states))
        yield '<table>\n<thead><tr><th scope="col">Figure</th><th scope="col">Value</th></tr></thead>'
        for part in found.groups:
            yield from group(part)
        yield "</table>\n</section>"

    def lines() -> Iterator[str]:
        ledger, parts = report.ledger, list(enumerate(sections(report), 1))
        title = f"Report of {told(ledger['origin'])}"
        named = title if report.title is None else f"{told(report.title)} - {title}"
        yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
        yield """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f"<title>{named}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>"
        if report.title is not None:
            yield f'<p class="title"><bdi>{told(report.title)}</bdi></p>'
        period = f"{report.first or 'the start'} to {report.last or 'the end'}"
        yield f"<p>From {told(period)}, as of block {told(ledger['height'])}.</p>"
        for found in headlines(report):
            yield from headline(found)
        yield '<nav aria-label="Parts of this report">\n<ul>'
        for number, part in parts:
            yield f'<li><a href="#part-{number}">{told(part.title)}</a></li>'
        yield '<li><a href="#check">Check it</a></li>\n</ul>\n</nav>'
        for number, part in parts:
            yield from section(number, part)
        if report.rates is not None:
            sha256 = told(report.rates.sha256)
            yield f"<section>\n<h2>Rates</h2>\n<p>SHA-256 of their file: <code>{sha256}</code></p>\n<ul>"
            for rate in report.rates.rates:
                yield (
                    f"<li>1 {told(rate.unit)} = {told(rate.rate)} {told(rate.to)} on {told(rate.date)},"
                    f" {told(rate.source)}</li>"
                )
            yield "</ul>\n</section>"
        yield '<section id="check">\n<h2>Check it</h2>'
        yield f"<p>Ledger <code>{told(ledger['identity'])}</code>, sealed by this checkpoint:</p>"
        sealed = "\n".join(told(line) for line in str(ledger["checkpoint"]).splitlines())
        yield f"<pre>{sealed}</pre>"
        yield "<p>Whoever has the ledger and this report as JSON computes every figure again with:</p>"
        rates = " --rates RATES.csv" if report.rates is not None else ""
        yield f"<pre>charitychain --ledger LEDGER report --check REPORT.json{rates}</pre>"
        yield "</section>\n</main>\n</body>\n</html>"

    return "\n".join(lines())


def _number(text: str) -> str:
    """Return a number with commas between thousands."""
    whole, point, part = text.partition(".")
    return f"{int(whole):,}{point}{part}" if whole.isdecimal() and whole.isascii() else text


def _state(figure: Figure) -> str | None:
    """Return the state of which a figure is the share, if it is one that others do not hold too."""
    match figure.id.split("."):
        case ["share", _, state] if state in _STATES:
            return state
    return None


def _paint(state: str) -> str:
    _, colour, pattern = _STATES[state]
    return _PATTERNS[pattern].format(f"var(--{colour})")


def _wide(figure: Figure) -> str:
    # Not what a report says, but what it can mean: nothing else ever stands in the style.
    return f"{min(max(float(figure.value), 0.0), 100.0):.2f}"
