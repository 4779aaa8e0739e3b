"""Columns of Parquet as text, so that they are read by the same rules as those of CSV.

Rules upheld here:

- Nothing passes through a float: a column of floats cannot be text.
- Decimals are plain digits with a point, never ``1E-7``.
- A timestamp is its day in UTC; where it has no time zone, it is taken for UTC.

What it leaves to others: what the text has to say (`charitychain.programmes.orders`). pyarrow is imported only when a
column is looked at; a column of ``decimal128(10, 7)`` that holds 0.0000001 and nothing becomes ``["0.0000001", ""]``.
"""

from __future__ import annotations

import binascii
from decimal import Decimal
from typing import Any

__all__ = ["as_text", "can_be_text"]

_UTC = ("UTC", "Etc/UTC", "Z", "+00:00")
_TEXT = ("string", "large_string", "string_view")  # by name: views are newer than the oldest pyarrow that is taken
_BYTES = ("binary", "large_binary", "binary_view")


def _plain_type(kind: Any) -> Any:
    """Return the type of the values themselves, of a dictionary or of an extension such as Arrow's UUID."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    return str(kind) in _BYTES or bool(types.is_fixed_size_binary(kind))


def can_be_text(kind: Any, *, or_bytes: bool = False) -> bool:
    """Say whether a column of this Arrow type can be taken exactly; bytes only where they are asked for."""
    from pyarrow import types

    kind = _plain_type(kind)
    if types.is_timestamp(kind):
        return kind.tz in (None, *_UTC)
    fits = (types.is_integer, types.is_decimal, types.is_date, types.is_null)
    return str(kind) in _TEXT or any(is_of(kind) for is_of in fits) or (or_bytes and _is_bytes(kind))


def as_text(column: Any) -> Any:
    """Return a column as an array of text: nothing as empty text, days as YYYY-MM-DD, bytes as hexadecimal digits."""
    import pyarrow as pa

    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    kind = _plain_type(column.type)
    column = column.cast(kind)
    if _is_bytes(kind):
        return _hexadecimal(column)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        column = column.cast(pa.date32())
    texts = column.cast(pa.string()).fill_null("")
    if not pa.types.is_decimal(kind):
        return texts
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    if not pc.any(pc.match_substring(texts, "E")).as_py():
        return texts
    plain = (format(Decimal(text), "f") if "E" in text else text for text in texts.to_pylist())  # such as 1E-7
    return pa.array(plain, pa.string())


def _hexadecimal(column: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    column = column.cast(pa.binary()).fill_null(b"")
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    digits = binascii.hexlify(memoryview(data or b"")[bounds[0] : bounds[-1]])
    buffers = [None, pa.py_buffer((bounds - bounds[0]) * 2), pa.py_buffer(digits)]
    return pa.Array.from_buffers(pa.string(), len(column), buffers)
