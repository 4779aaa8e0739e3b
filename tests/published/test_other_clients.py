"""Programs that nobody here wrote read what we publish: Go's checksum database packages, OpenSSL, and aics-tlog."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from published.conftest import ORIGIN, Operator

from charitychain import note

GO_FILE = Path(__file__).parents[1] / "clients" / "tlog.go"
# Where Debian's golang-golang-x-mod-dev puts the packages.
GO_PATH = Path("/usr/share/gocode")

with_go = pytest.mark.skipif(
    shutil.which("go") is None or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir(),
    reason="needs go and golang.org/x/mod: on Debian and Ubuntu golang-go and golang-golang-x-mod-dev",
)


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the Go program once."""
    folder = tmp_path_factory.mktemp("go")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "GO111MODULE": "off", "GOPATH": str(GO_PATH),
        "GOCACHE": str(folder / "cache"), "GOFLAGS": "", "CGO_ENABLED": "0",
    }  # fmt: skip
    subprocess.run(
        ["go", "build", "-o", folder / "tlog", GO_FILE], check=True, env=environment, cwd=folder, capture_output=True
    )
    return folder / "tlog"


def read(client: Path, operator: Operator, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [client, folder or operator.folder, operator.vkey], capture_output=True, text=True, timeout=120
    )


@with_go
def test_go_reads_checkpoint_tiles_inclusion_and_consistency(client: Path, long: Operator) -> None:
    """Go finds the signature, every entry, and every earlier size in the log, whatever edge it has."""
    long.publish()
    done = read(client, long)
    assert (done.returncode, done.stdout, done.stderr) == (0, "527\n", "")


@with_go
def test_go_reads_small_logs_and_one_that_grows(client: Path, operator: Operator) -> None:
    """One block, a few, and the same log later, beside its older edges."""
    for number in range(2, 6):
        operator.publish()
        assert read(client, operator).stdout == f"{operator.blocks()}\n"
        operator.give(f"D-{number}")


@with_go
def test_go_refuses_what_was_changed(client: Path, operator: Operator) -> None:
    """A changed byte in checkpoint, tile or bundle is found there too: the program is no rubber stamp."""
    operator.publish()
    for path, at in (("checkpoint", 25), ("tile/0/000.p/3", 40), ("tile/entries/000.p/3", 100)):
        file = operator.folder / path
        data = file.read_bytes()
        file.write_bytes(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
        assert read(client, operator).returncode == 1
        file.write_bytes(data)
    assert read(client, operator).returncode == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_checks_the_signature_of_the_checkpoint(operator: Operator, tmp_path: Path) -> None:
    """The signature in the note is plain Ed25519 over the text, by the key in the verifier key; with a bit off, not."""
    operator.publish()
    signed = note.parse_note((operator.folder / "checkpoint").read_bytes())
    key = base64.b64decode(operator.vkey.split("+", 2)[2])[1:]
    prefix = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of an Ed25519 key, RFC 8410
    (tmp_path / "key.der").write_bytes(prefix + key)
    (tmp_path / "signature").write_bytes(signed.signatures[0].signature)
    command = [
        "openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.der", "-keyform", "DER",
        "-sigfile", "signature", "-in", "text",
    ]  # fmt: skip
    for text, good in ((signed.text, True), (signed.text.replace("2026", "2027"), False)):
        (tmp_path / "text").write_text(text)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode == 0) is good, done.stderr


def test_another_python_implementation_audits_every_tile(long: Operator) -> None:
    """aics-tlog verifies the checkpoint, and authenticates every tile and every bundle against its root."""
    tlog = pytest.importorskip("aics_tlog", reason="needs aics-tlog, and so Python 3.12")
    long.publish()
    key = tlog.parse_vkey(long.vkey)
    signed = tlog.parse_note((long.folder / "checkpoint").read_bytes())
    assert tlog.verify_checkpoint(signed, key, expected_origin=ORIGIN).ok
    told = tlog.parse_checkpoint(signed.text)
    reader = tlog.FileSystemTileReader(long.folder)
    report = tlog.audit_tiles(reader, told.size, told.root)
    assert (report.size, report.tiles, report.bundles) == (527, 4, 3)
    tile = long.folder / "tile/0/001"
    data = tile.read_bytes()
    tile.write_bytes(data[:99] + bytes((data[99] ^ 1,)) + data[100:])
    with pytest.raises(tlog.TileVerificationError):
        tlog.audit_tiles(reader, told.size, told.root)
