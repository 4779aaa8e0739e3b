"""Starting is cheap: what a command does not need is not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"numpy", "rich", "asyncio", "sqlite3", "cryptography", "msgpack", "hypothesis"}


def _loaded(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after `code`."""
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "code",
    [
        "import charitychain",
        "from charitychain import RefusedError, __version__",
        "from charitychain.cli import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
        "from charitychain.cli import cli\ntry: cli.main(['--version'])\nexcept SystemExit: pass",
        "from charitychain.cli import main\ntry: main(['tarce'])\nexcept SystemExit: pass",
    ],
)
def test_starting_loads_nothing_heavy(code: str) -> None:
    """Importing the package, its help and its usage errors load none of the heavy modules."""
    assert not _loaded(code.replace("; ", "\n")) & HEAVY


def test_reading_single_donations_needs_no_numpy() -> None:
    """The library itself is usable without loading numpy, which only gift columns need."""
    assert not _loaded("import charitychain; charitychain.Ledger") & {"numpy", "rich", "asyncio"}


def test_every_public_name_is_there() -> None:
    """Each name that the package lists can be had from it, and another one is an AttributeError."""
    import charitychain

    assert all(getattr(charitychain, name) is not None for name in charitychain.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = charitychain.nonsense
