"""What tests of this folder share: tables as a platform would hand them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a CSV table of a header and rows, and returns its path."""

    def write(header: str, *rows: str) -> Path:
        path = tmp_path / "table.csv"
        path.write_text("\n".join((header, *rows, "")), "utf-8")
        return path

    return write
