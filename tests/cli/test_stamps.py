"""Time stamps on checkpoints, by a real authority on this machine: ``openssl ts`` under certificates made here."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cli.conftest import ROOT, Cli

_CONFIGURATION = """
[ tsa ]
default_tsa = one
[ one ]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ req ]
distinguished_name = name
prompt = no
[ name ]
CN = A made-up authority
[ ca ]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[ leaf ]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
"""


class _Authority(BaseHTTPRequestHandler):
    """A time-stamping authority over HTTP, by ``openssl ts``."""

    folder: Path

    def do_POST(self) -> None:
        query, answer = self.folder / "query", self.folder / "answer"
        query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        _openssl(
            self.folder, "ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", str(query),
            "-signer", "leaf.pem", "-inkey", "leaf.key", "-out", str(answer),
        )  # fmt: skip
        self.send_response(200 if self.headers["Content-Type"] == "application/timestamp-query" else 415)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.end_headers()
        self.wfile.write(answer.read_bytes())

    def log_message(self, *args: object) -> None:
        pass


def _openssl(folder: Path, *args: str) -> None:
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Give the address of an authority on this machine, and the folder with its certificates."""
    folder = tmp_path / "tsa"
    folder.mkdir()
    (folder / "tsa.cnf").write_text(_CONFIGURATION.format(folder=folder))
    (folder / "serial").write_text("01\n")
    for name, common in (("ca", "/CN=A made-up root"), ("leaf", "/CN=A made-up authority"), ("other", "/CN=Another")):
        new = ["req", "-config", "tsa.cnf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        new += ["-keyout", f"{name}.key", "-subj", common, "-days", "2"]
        if name == "leaf":
            _openssl(folder, *new, "-out", "leaf.csr")
            _openssl(
                folder, "x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7",
                "-days", "2", "-extfile", "tsa.cnf", "-extensions", "leaf", "-out", "leaf.pem",
            )  # fmt: skip
        else:
            _openssl(folder, *new, "-x509", "-extensions", "ca", "-out", f"{name}.pem")
    handler = type("Handler", (_Authority,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/tsa", folder
    finally:
        server.shutdown()
        server.server_close()


def test_a_checkpoint_is_stamped_and_the_stamp_checked(village: Cli, authority: tuple[str, Path]) -> None:
    """A real authority's stamp holds for this checkpoint, whoever cosigns it later, and for nothing else."""
    url, folder = authority
    village.ok("checkpoint", "save", "march")
    assert village.ok("checkpoint", "stamp", "march", "--tsa", url) == "march.tsr holds the time stamp for march\n"
    assert "CC-EXISTS" in village.fails(7, "checkpoint", "stamp", "march", "--tsa", url)
    ca = folder / "ca.pem"
    when = village.json("checkpoint", "verify", "march", "--stamp", "march.tsr", "--tsa-cert", ca)["stamped"]
    assert abs(time.mktime(time.strptime(when, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - time.time()) < 120
    checked = ["ts", "-verify", "-data", str(village.work / "march"), "-in", str(village.work / "march.tsr")]
    _openssl(folder, *checked, "-CAfile", "ca.pem")  # openssl says so too
    auditor = village.ok("checkpoint", "audit-key", "audit.example", "--no-passphrase").strip()
    village.ok("checkpoint", "audit-sign", auditor)
    village.ok("checkpoint", "verify", "--stamp", "march.tsr", "--tsa-cert", ca, "--auditor-key", auditor)
    stamp = (village.work / "march.tsr").read_bytes()
    village.ok("donate", "edu", "1.00")
    village.ok("checkpoint", "save", "april")
    verify = ("checkpoint", "verify", "march", "--stamp")
    assert "Mismatch" in village.fails(
        1, "checkpoint", "verify", "april", "--stamp", "march.tsr", "--tsa-cert", ca
    )  # fmt: skip
    assert "CC-STAMP" in village.fails(1, *verify, "march.tsr", "--tsa-cert", folder / "other.pem")
    assert "no certificates" in village.fails(7, *verify, "march.tsr", "--tsa-cert", "march")
    village.fails(2, *verify, "march.tsr")
    village.fails(3, *verify, "nowhere", "--tsa-cert", ca)
    codes = set()
    for at in range(0, len(stamp), len(stamp) // 24):
        (village.work / "bad.tsr").write_bytes(stamp[:at] + bytes([stamp[at] ^ 4]) + stamp[at + 1 :])
        codes.add(village.run(*verify, "bad.tsr", "--tsa-cert", ca).returncode)
    assert codes <= {1, 7} and 1 in codes


def test_a_request_for_a_stamp_can_be_sent_by_others(village: Cli, authority: tuple[str, Path]) -> None:
    """The request that is written is one that openssl answers; an answer to another request is refused."""
    _, folder = authority
    village.ok("checkpoint", "save", "march")
    assert village.json("checkpoint", "stamp", "march", "-o", "q")["kind"] == "request"
    _openssl(
        folder, "ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", str(village.work / "q"),
        "-signer", "leaf.pem", "-inkey", "leaf.key", "-out", str(village.work / "march.tsr"),
    )  # fmt: skip
    village.ok("checkpoint", "verify", "march", "--stamp", "march.tsr", "--tsa-cert", folder / "ca.pem")
    old = (village.work / "march.tsr").read_bytes()

    class Repeating(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(old)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Repeating)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        again = f"http://127.0.0.1:{server.server_address[1]}/"
        told = village.fails(1, "checkpoint", "stamp", "march", "--tsa", again, "-o", "other.tsr")
        assert "is for another request" in told and not (village.work / "other.tsr").exists()
    finally:
        server.shutdown()
        server.server_close()
    stub = village.home / "stub"
    stub.mkdir()
    (stub / "rfc3161_client.py").write_text("raise ImportError('No module named rfc3161_client')")
    told = village.fails(3, "checkpoint", "stamp", "march", PYTHONPATH=f"{stub}:{ROOT}")
    assert "pip install 'charitychain[timestamps]'" in told
    village.ok("checkpoint", "verify", "march", PYTHONPATH=f"{stub}:{ROOT}")
