"""Fixtures that all tests share: nothing of a test touches the user's own keys or state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from charitychain.ledger import Ledger


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the configuration, state and cache folders at a place of the test's own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    for name in (
        "CHARITYCHAIN_LEDGER",
        "CHARITYCHAIN_KEYS",
        "CHARITYCHAIN_VAULT",
        "CHARITYCHAIN_PASSPHRASE",
        "NO_COLOR",
        "FORCE_COLOR",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give a new ledger whose only party is `self`, with a plain key file."""
    with Ledger.create(tmp_path / "t.ledger", origin="test.example/2026", keys=tmp_path / "keys") as made:
        yield made
