"""The types of the public names, as mypy sees them from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_a_users_code_is_clean_under_strict_checking() -> None:
    """The client code beside this file passes ``mypy --strict``."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=", str(HERE / "api.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=HERE.parents[1], check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_says_that_it_is_typed() -> None:
    """`py.typed` lies beside the package, so that checkers read its annotations."""
    import charitychain

    assert (Path(charitychain.__file__).parent / "py.typed").exists()
