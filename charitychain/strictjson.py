"""Strict JSON (RFC 8259) out of small files that strangers hand in: claims, disclosures, requests.

Rules upheld here:

- A field that stands twice in one object is refused: two readers could take two meanings out of one file.
- What is too large or nested too deeply is refused in words, before it can exhaust anything.
- No sentence quotes what was read: it may hold secrets.

It leaves to others which fields there are, and to `charitychain.interop.journal` the lines of a journal.

>>> read_json(b'{"form": "x"}', size_max=100)
{'form': 'x'}
>>> read_json('{"form": "x", "form": "y"}', size_max=100)
Traceback (most recent call last):
ValueError: a field stands there twice
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

__all__ = ["read_json"]


def read_json(text: str | bytes, *, size_max: int) -> object:
    """Return the one value that stands in a text.

    Args:
        text: In UTF-8, where it is bytes.
        size_max: The most bytes, or characters, that are read.

    Raises:
        ValueError: it is too large, not UTF-8, no JSON, nested too deeply, or has a field twice; the sentence says
            which, for the caller to put into its own error.
    """
    if len(text) > size_max:
        raise ValueError(f"it has more than {size_max} bytes")
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    try:
        return json.loads(decoded, object_pairs_hook=_once, parse_int=_whole, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON from line {error.lineno}, column {error.colno} on") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands there twice")
    return found


def _whole(text: str) -> int:
    if len(text) > 20:  # Python itself would refuse thousands of digits, in a sentence of its own
        raise ValueError("a number in it is too large")
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
