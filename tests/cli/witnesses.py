"""Real witness processes for tests: made, served on a free port of this machine, asked, and lied to."""

from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from cli.conftest import Cli

ORIGIN = "village.example/2026"
KEPT = "v.ledger.cosigned"


@contextmanager
def served(cli: Cli, folder: str, *args: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve the witness of a folder on a free port of this machine; give its address and its process."""
    process = cli.start("witness", "serve", folder, "--port", "0", *args)
    assert process.stdout is not None
    try:
        line = process.stdout.readline().decode()
        assert " answers at http://127.0.0.1:" in line, (line, process.stderr.read() if process.stderr else b"")
        yield line.split()[-1], process
    finally:
        process.kill()
        process.communicate(timeout=30)


def made(cli: Cli, *folders: str) -> dict[str, str]:
    """Make witnesses that know the ledger; return their keys."""
    (log,) = cli.json("checkpoint", "key")["keys"]
    vkeys = {}
    for folder in folders:
        vkeys[folder] = cli.ok("witness", "init", folder, f"{folder}.example/w", "--no-passphrase").strip()
        assert cli.ok("witness", "trust", folder, log) == f"the log {ORIGIN} is known from now on\n"
    return vkeys


def policy(cli: Cli, witnesses: dict[str, tuple[str, str]], needed: str = "all", name: str = "policy") -> Path:
    """Write a policy over witnesses, given as key and address."""
    lines = [f"witness {each} {vkey} {url}" for each, (vkey, url) in witnesses.items()]
    path = cli.work / name
    path.write_text("\n".join([*lines, f"group enough {needed} {' '.join(witnesses)}", "quorum enough", ""]))
    return path


def post(url: str, body: bytes, method: str = "POST") -> tuple[int, str, bytes]:
    """Send a request to a witness and return status, content type and body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, parts.path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    finally:
        connection.close()


def forked(cli: Cli) -> str:
    """Make a second history of the ledger from its present state on, as only the holder of the operator's key can."""
    shutil.copy(cli.ledger, cli.work / "other.copy")
    for mark in (cli.home / "config" / "charitychain" / "keys").glob("*.mark"):
        shutil.copy(mark, cli.home / f"{mark.name}.saved")
    cli.ok("donate", "edu", "1.00", "--id", "D-here")
    for saved in cli.home.glob("*.mark.saved"):
        shutil.copy(saved, cli.home / "config" / "charitychain" / "keys" / saved.name.removesuffix(".saved"))
    cli.ok("donate", "edu", "2.00", "--id", "D-there", "--ledger", "other.copy")
    return "other.copy"
