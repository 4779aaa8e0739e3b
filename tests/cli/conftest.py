"""Runs the command line as people do: a process of its own, in a folder and an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ACCOUNTS = [{"record": "account", "id": name, "unit": "CNY"} for name in ("edu", "school")]


class Cli:
    """A person at a terminal: a working folder, a home, and ``charitychain``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work, self.home = folder / "work", folder / "home"
        self.work.mkdir()
        self.home.mkdir()
        self.keys = self.home / "config" / "charitychain" / "keys"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
        }
        self.ledger = self.work / "v.ledger"

    def start(self, *args: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command and return its process."""
        command = [sys.executable, "-m", "charitychain", *map(str, args)]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(command, cwd=options.pop("cwd", self.work), env=self.env, **options)

    def run(
        self, *args: str | Path, input: str | bytes | None = None, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; keyword arguments are added to its environment."""
        command = [sys.executable, "-m", "charitychain", *map(str, args)]
        data = input.encode() if isinstance(input, str) else input
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
        done = subprocess.run(
            command, capture_output=True, cwd=cwd or self.work, env=self.env | env, timeout=120, **given
        )
        stdout, stderr = done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape")
        assert "Traceback" not in stderr, stderr
        return subprocess.CompletedProcess(command, done.returncode, stdout, stderr)

    def ok(self, *args: str | Path, **options: Any) -> str:
        """Run a command that must be good; return its stdout."""
        done = self.run(*args, **options)
        assert done.returncode == 0, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def fails(self, code: int, *args: str | Path, **options: Any) -> str:
        """Run a command that must end with `code`; return its stderr."""
        done = self.run(*args, **options)
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done.stderr

    def json(self, *args: str | Path, **options: Any) -> Any:
        """Run a command with ``--json`` and return what it answers."""
        return json.loads(self.ok(*args, "--json", **options))

    def init(self, name: str = "v.ledger", origin: str = "village.example/2026") -> Path:
        """Make a ledger with a plain key file."""
        self.ok("init", name, "--origin", origin, "--no-passphrase")
        return self.work / name

    def journal(self, lines: Sequence[dict[str, Any] | str], name: str = "j.jsonl") -> Path:
        """Write a journal file."""
        path = self.work / name
        texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        path.write_text("\n".join(texts) + "\n", "utf-8")
        return path


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Give a fresh home and working folder."""
    return Cli(tmp_path)


@pytest.fixture
def village(cli: Cli) -> Cli:
    """Give a ledger ``v.ledger`` with the accounts ``edu`` and ``school`` and the gift D-1 of 12.50 CNY in ``edu``."""
    return _settle(cli)


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Give such a ledger to all tests that change nothing."""
    return _settle(Cli(tmp_path_factory.mktemp("standing")))


def _settle(cli: Cli) -> Cli:
    cli.init()
    gift = {"record": "donation", "id": "D-1", "account": "edu", "amount": "12.50"}
    cli.ok("import", cli.journal([*ACCOUNTS, gift]))
    return cli
