"""The names table: gifts with donors' names as CSV, ``id,amount,name[,second]``, made into a gifts table.

In the gifts table (`charitychain.interop.gifts_table`) each name has become the pseudonym that it has in the series;
who is behind it is noted in the vault, where it can be erased.

Rules upheld here:

- No name leaves but into the vault: not in the table that is written, and not in an error, which says a line.
- What is written can be entered: ids are whole numbers that rise, amounts plain decimals. Whether an amount fits its
  unit is found out on entering.
- One bad line, and nothing is noted and no table is made.
- Made again from the same names, the table is the same.
- Memory does not grow with the table.

It leaves to others where the table goes; it is written to a binary stream that the caller makes into a file.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from charitychain.codec import MAX_INT
from charitychain.errors import MalformedError, RefusedError
from charitychain.vault import Vault

__all__ = ["Named", "write_gifts_table"]

_HEADERS = (["id", "amount", "name"], ["id", "amount", "name", "second"])
_WRITTEN = ("id,amount,donor\n", "id,amount,donor,second\n")
_ID = re.compile(r"0|[1-9][0-9]{0,18}")
_AMOUNT = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?")
_LINE_MAX = 65_536  # bytes: two names of 4096 bytes in quotes fit
_HEX = re.compile(r"[0-9a-fA-F]{32}")


class Named(NamedTuple):
    """What was made: rows of the gifts table, and how many names the vault did not know before."""

    gifts: int
    added: int


def write_gifts_table(
    vault: Vault, source: IO[bytes], target: IO[bytes], *, series: str, progress: Callable[[int], None] | None = None
) -> Named:
    """Write the gifts table of a names table; add the names that are new to the vault.

    Args:
        source: CSV (RFC 4180) in UTF-8. `name` and `second` are names, or nothing where there is none.
        series: The series that the gifts will be entered in; the pseudonyms hold for no other.

    Raises:
        MalformedError: ``CC-TABLE``, naming the line; the vault is as it was.
    """
    before = vault.donor_count()
    count = 0
    with vault.noting(series) as pseudonym_of:
        for line, text in _rows(source, pseudonym_of):
            target.write(text.encode("ascii"))
            count += line > 1
            if progress is not None and line % 10_000 == 0:
                progress(source.tell())
        target.flush()  # a full disk is told before anything is noted
    return Named(count, vault.donor_count() - before)


def _rows(source: IO[bytes], pseudonym_of: Callable[[str], bytes]) -> Iterator[tuple[int, str]]:
    """Yield line number and text of each row, the header first."""
    reader = csv.reader(_lines(source), strict=True)
    try:
        header = next(reader, None)
        if header not in _HEADERS:
            raise _bad(1, "the first line must be id,amount,name or id,amount,name,second")
        width, previous = len(header), -1
        yield 1, _WRITTEN[width - 3]
        for fields in reader:
            line = reader.line_num
            if not fields:
                continue
            if len(fields) != width:
                raise _bad(line, f"expected {width} fields, found {len(fields)}")
            previous = _check_numbers(line, fields, previous)
            people = (_person(line, name, pseudonym_of) for name in fields[2:])
            yield line, ",".join((fields[0], fields[1], *people)) + "\n"
    except csv.Error as error:
        raise _bad(reader.line_num, str(error)) from error  # its sentence quotes nothing of the line


def _lines(source: IO[bytes]) -> Iterator[str]:
    """Yield lines, and never hold more of an endless one than a line may have."""
    number = 0
    while line := source.readline(_LINE_MAX + 1):
        number += 1
        if len(line) > _LINE_MAX:
            raise _bad(number, f"it has more than {_LINE_MAX} bytes")
        try:
            yield line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").decode()
        except UnicodeDecodeError:
            raise _bad(number, "it is no UTF-8 text") from None  # the error holds the bytes


def _check_numbers(line: int, fields: list[str], previous: int) -> int:
    """Return the id; nothing of the fields is told, since in a table with shifted columns they may hold a name."""
    number = int(fields[0]) if _ID.fullmatch(fields[0]) else MAX_INT + 1
    if number > MAX_INT:
        raise _bad(line, "id must be a whole number below 2^63")
    if number <= previous:
        raise _bad(line, "ids must rise from line to line, and each gift needs its own")
    if not _AMOUNT.fullmatch(fields[1]):
        raise _bad(line, "amount must be a plain decimal number, such as 12.50")
    return number


def _person(line: int, name: str, pseudonym_of: Callable[[str], bytes]) -> str:
    if name == "":
        return ""
    if _HEX.fullmatch(name):
        raise _bad(line, "there is a pseudonym (32 hex digits) where a name belongs")
    try:
        return pseudonym_of(name).hex()
    except (MalformedError, RefusedError) as error:
        raise _bad(line, error.message) from error


def _bad(line: int, what: str) -> MalformedError:
    return MalformedError("CC-TABLE", f"line {line}: {what}", line=line)
