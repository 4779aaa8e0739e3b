"""An operator who publishes a ledger, may sign a second history, and a real web server for what is published."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from charitychain import note
from charitychain.keyring import Keyring
from charitychain.keys import PrivateKey
from charitychain.ledger import Ledger
from charitychain.policy import Policy
from charitychain.publishing import Published, publish

ORIGIN = "village.example/2026"


class Operator:
    """A ledger file with its keys, and the folder into which it is published."""

    def __init__(self, base: Path) -> None:
        self.base, self.path, self.keys, self.folder = base, base / "v.ledger", base / "keys", base / "public"
        with Ledger.create(self.path, origin=ORIGIN, keys=self.keys) as ledger, ledger.writer() as writer:
            writer.account("edu", unit="CNY")

    def give(self, *gifts: str, amount: str = "5.00") -> None:
        """Record gifts, a block each."""
        with Ledger.open(self.path, keys=self.keys) as ledger, ledger.writer() as writer:
            for gift in gifts:
                writer.donation(gift, account="edu", amount=amount)
                writer.commit()

    def publish(self, folder: Path | None = None, *, policy: Policy | None = None) -> Published:
        with Ledger.open(self.path) as ledger:
            return publish(ledger.reader(), self.path, folder or self.folder, policy=policy)

    def blocks(self) -> int:
        with Ledger.open(self.path) as ledger:
            return ledger.reader().head.height + 1

    def twin(self, name: str) -> Operator:
        """Return the same operator with a copy of everything: whoever restores a backup, or wants two histories."""
        other = object.__new__(Operator)
        other.base = self.base / name
        other.base.mkdir()
        other.path, other.keys, other.folder = other.base / "v.ledger", other.base / "keys", other.base / "public"
        shutil.copy(self.path, other.path)
        shutil.copytree(self.keys, other.keys)
        return other

    @property
    def key(self) -> PrivateKey:
        (entry,) = Keyring(self.keys).list()
        return Keyring(self.keys).load(entry)

    @property
    def vkey(self) -> str:
        return note.vkey(ORIGIN, self.key.public_key)


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """Give a ledger of three blocks with the gift D-1."""
    made = Operator(tmp_path)
    made.give("D-1")
    return made


@pytest.fixture(scope="session")
def _long(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    made = Operator(tmp_path_factory.mktemp("long"))
    made.give(*(f"D-{number}" for number in range(1, 526)))
    return made


@pytest.fixture
def long(_long: Operator, tmp_path: Path) -> Operator:
    """Give a ledger of 527 blocks: two full tiles, and a partial one."""
    _long.base = tmp_path
    return _long.twin("long")



class Server:
    """A static web server in a process of its own."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._log = log
        command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-p", "HTTP/1.1"]
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [*command, "-d", folder], stdout=subprocess.PIPE, stderr=stream, text=True
            )
        assert self._process.stdout is not None
        found = re.search(r"port (\d+)", self._process.stdout.readline())
        assert found is not None
        self.url = f"http://127.0.0.1:{found[1]}"

    def asked(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return re.findall(r'"GET (\S+)', self._log.read_text())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], Server]]:
    """Give what serves a folder, for as long as the test runs."""
    servers: list[Server] = []

    def start(folder: Path) -> Server:
        servers.append(Server(folder, tmp_path / f"server-{len(servers)}.log"))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
