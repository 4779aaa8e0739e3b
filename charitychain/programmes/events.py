"""Events: the rows of a platform's own tables, read strictly.

A table of events is CSV in UTF-8, with commas, and with a header that names its columns, in any order. A row that does
not fit its header is an error with its line; so is a column that is not known, for a misspelled one would be silence.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from charitychain.codec import MAX_INT
from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.records import check_date
from charitychain.units import Unit

__all__ = ["Event", "bad_event", "check_unit", "numbered_events", "person", "read_events", "told", "whole"]

T = TypeVar("T")


class Event(NamedTuple):
    """One row: its line in the file, counted from 1, and its fields by column; a column left out is empty."""

    line: int
    fields: dict[str, str]


def read_events(path: Path, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Iterator[Event]:
    """Yield the rows of a table in order.

    Raises:
        MalformedError: ``CC-TABLE``: a missing or unknown column, a row of another width, or no UTF-8 text.
    """
    with path.open("rb") as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        reader = csv.reader(text, strict=True)
        try:
            header = next(reader, None)
            if header is None:
                raise bad_event(path, 1, f"the file is empty; its first line is {','.join(required)}")
            _check_header(path, header, required, optional)
            empty = dict.fromkeys(optional, "")
            for fields in reader:
                if len(fields) != len(header):
                    if not fields:
                        continue
                    raise bad_event(path, reader.line_num, f"expected {len(header)} fields, found {len(fields)}")
                yield Event(reader.line_num, {**empty, **dict(zip(header, fields, strict=True))})
        except csv.Error as error:
            raise bad_event(path, reader.line_num, str(error)) from error
        except UnicodeDecodeError as error:
            raise bad_event(path, _undecodable_line(raw), "it is no UTF-8 text; save the table as UTF-8") from error


def _undecodable_line(raw: BinaryIO) -> int:
    """Return the first line that is no UTF-8: text is decoded in pieces, ahead of the rows."""
    raw.seek(0)
    line = 1
    for data in raw:
        try:
            data.decode()
        except UnicodeDecodeError:
            break
        line += 1
    return line


def numbered_events(path: Path, *, required: tuple[str, ...]) -> Iterator[tuple[int, Event]]:
    """Yield (number, row) of a table whose first column is a whole number that rises, and which has a `date`.

    Raises:
        MalformedError: ``CC-TABLE``: as `read_events`, or a number that does not rise. ``CC-RECORD``: no date.
    """
    name, previous = required[0], -1
    for event in read_events(path, required=required):
        number = whole(path, event, name)
        if number <= previous:
            raise bad_event(path, event.line, f"{name} {number} does not rise above {previous}")
        previous = number
        told(path, event.line, check_date, event.fields["date"])
        yield number, event


def check_unit(unit: Unit, account: str, expected: str) -> None:
    """Check that an account is in the unit of its programme.

    Raises:
        RefusedError: ``CC-UNIT``.
    """
    if unit.code != expected:
        raise RefusedError(
            "CC-UNIT", f"account {account!r} is in {unit.code}, not in {expected}", expected=expected, found=unit.code
        )


def _check_header(path: Path, header: list[str], required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    known = (*required, *optional)
    if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in header[0]), None)):
        raise bad_event(path, 1, f"columns are separated by commas, not by {other!r}")
    for name in header:
        if name not in known or header.count(name) > 1:
            what = "stands there twice" if name in known else f"is not known; there may be {', '.join(known)}"
            raise bad_event(path, 1, f"column {name!r:.60} {what}")
    for name in required:
        if name not in header:
            raise bad_event(path, 1, f"the column {name!r} is missing")


def bad_event(path: Path, line: int, what: str) -> MalformedError:
    """Return the error for a row that says nothing that can be entered."""
    return MalformedError("CC-TABLE", f"{path.name}, line {line}: {what}", line=line)


def told(path: Path, line: int, read: Callable[[str], T], text: str) -> T:
    """Return what `read` makes of a field, its errors with the file's name and line before them."""
    try:
        return read(text)
    except CharitychainError as error:
        raise MalformedError(error.code, f"{path.name}, line {line}: {error.message}", line=line) from error


def whole(path: Path, event: Event, name: str, *, least: int = 0) -> int:
    """Return a column as a whole number of at least `least` and below 2⁶³."""
    text = event.fields[name]
    digits = text.isascii() and text.isdigit() and len(text) < 20
    if digits and str(int(text)) == text and least <= int(text) <= MAX_INT:
        return int(text)
    below = " and below 2^63" if text.isascii() and text.isdigit() and len(text) > 18 else ""
    raise bad_event(path, event.line, f"{name} must be a whole number of at least {least}{below}, found {text!r:.60}")


def person(path: Path, event: Event, name: str, *, may_be_empty: bool = False) -> str:
    """Return a column as a pseudonym: 32 hexadecimal digits, in lower case."""
    text = event.fields[name].lower()
    if (len(text) == 32 and set(text) <= set("0123456789abcdef")) or (may_be_empty and not text):
        return text
    raise bad_event(path, event.line, f"{name} must be 32 hexadecimal digits, never a name; found {text!r:.60}")
