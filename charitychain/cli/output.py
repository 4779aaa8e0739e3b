"""What commands print: tables, trees and JSON on stdout, talk on stderr.

Text from ledgers and files is hostile: everything passes `safe`, so that no control character, escape sequence or
bidi override reaches a terminal. In JSON such characters are written as escapes; in CSV a cell that a spreadsheet
would run as a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click

__all__ = ["Meter", "echo", "safe", "say", "show_facts", "show_rows", "style", "write_json"]

FORMATS = ("table", "json", "jsonl", "csv")
# C0 and C1 controls, DEL, line and paragraph separators, bidi controls, zero-width and tag characters, surrogates.
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def safe(text: str) -> str:
    """Return `text` with every character that could steer a terminal written as an escape."""
    return _HOSTILE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _color() -> bool | None:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def style(text: str, **styles: Any) -> str:
    """Style text for a terminal; `echo` takes the styles out where they do not belong."""
    return click.style(text, **styles)


def echo(text: str = "") -> None:
    """Print data to stdout; the caller has made its parts `safe`."""
    click.echo(text, color=_color())


def say(text: str) -> None:
    """Print talk to stderr."""
    click.echo(safe(text), err=True)


def write_json(value: Any, *, line: bool = False) -> None:
    """Print a value as JSON: one document, or one line of JSON Lines."""
    text = json.dumps(value, ensure_ascii=False, indent=None if line else 2)
    click.echo(text if not _HOSTILE.search(text) else _escape_json(text))


def _escape_json(text: str) -> str:
    # The line breaks are our own layout; json.dumps has escaped those in strings.
    return _HOSTILE.sub(lambda found: found[0] if found[0] == "\n" else _json_escape(found[0]), text)


def _json_escape(char: str) -> str:
    return json.dumps(char)[1:-1]


def show_rows(
    format_: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Sequence[str] = (),
    header: bool = True,
) -> None:
    """Print rows in the chosen format; columns named in `right` are aligned to the right in a table."""
    if format_ == "json":
        write_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif format_ == "jsonl":
        for row in rows:
            write_json(dict(zip(columns, row, strict=True)), line=True)
    elif format_ == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        if header:
            writer.writerow(columns)
        for row in rows:
            writer.writerow([_cell(value) for value in row])
        click.echo(out.getvalue(), nl=False)
    else:
        _table(columns, [[safe("" if v is None else str(v)) for v in row] for row in rows], right)


def show_facts(format_: str, facts: dict[str, Any], sentence: str) -> None:
    """Print what was done: a sentence (made `safe` by the caller) for people, the facts in every other format."""
    if format_ == "table":
        echo(sentence)
    elif format_ == "csv":
        show_rows("csv", tuple(facts), [tuple(facts.values())])
    else:
        write_json(facts, line=format_ == "jsonl")


def imported(added: int, known: int, blocks: int, dry_run: bool) -> tuple[dict[str, Any], str]:
    """Return what came of a table or a journal: the facts for programs, and the sentence for people."""
    facts = {"added": added, "known": known, "blocks": blocks, "dry_run": dry_run}
    return facts, f"{added} {'would be added' if dry_run else 'added'}, {known} were there already"


def _cell(value: Any) -> str:
    text = safe("" if value is None else str(value))
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def width(text: str) -> int:
    """Return how many columns a terminal needs for `text`."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    widths = [max([width(name), *(width(row[i]) for row in rows)]) for i, name in enumerate(columns)]

    def line(cells: Sequence[str]) -> str:
        parts = []
        for name, cell, wide in zip(columns, cells, widths, strict=True):
            pad = " " * (wide - width(cell))
            parts.append(pad + cell if name in right else cell + pad)
        return "  ".join(parts).rstrip()

    echo(style(line(columns), bold=True))
    for row in rows:
        echo(line(row))


class Meter:
    """A progress line with time left on stderr: only on a terminal, and only for work of more than half a second."""

    def __init__(self, label: str) -> None:
        self._label, self._start, self._last, self._shown = label, time.monotonic(), 0.0, False
        self._on = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        spent = now - self._start
        if not self._on or spent < 0.5 or now - self._last < 0.1 or not done:
            return
        self._last, self._shown = now, True
        left = max(total - done, 0) * spent / done
        bar = "#" * (24 * done // max(total, 1))
        part = f"{100 * done // max(total, 1):3d}%  {int(left // 60)}:{int(left % 60):02d} left "
        text = f"\r{self._label} [{bar:<24}] {part}"
        sys.stderr.write(text)
        sys.stderr.flush()

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\r" + " " * 79 + "\r")
            sys.stderr.flush()
