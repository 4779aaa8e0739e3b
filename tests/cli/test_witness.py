"""``witness`` and what others sign: real witness processes, killed and lied to; auditors; a time-stamping authority."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cli.conftest import ROOT, Cli

from charitychain import cosignature, note
from charitychain.keys import PrivateKey
from charitychain.witnessing.protocol import format_request

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


# ------------------------------------------------------------------------------------------- being witnessed


def test_two_of_three_witnesses_are_enough(village: Cli) -> None:
    """The head is cosigned by those that answer, kept beside the ledger, shown, and held against k of n."""
    vkeys = made(village, "north", "south", "west")
    with served(village, "north") as (north, _), served(village, "south") as (south, _):
        known = {"north": (vkeys["north"], north), "south": (vkeys["south"], south)}
        known |= {"west": (vkeys["west"], "http://127.0.0.1:9/")}  # where nobody listens
        two, three = policy(village, known, "2"), policy(village, known, "all", "strict")
        done = village.run("witness", "request", "--policy", two)
        assert done.returncode == 0 and "west: " in done.stderr and "[CC-WEB]" in done.stderr
        assert re.fullmatch(
            r"north cosigned the checkpoint of 2 blocks at \S+Z\nsouth cosigned the checkpoint of 2 blocks at \S+Z\n"
            r"enough for the policy: enough\n",
            done.stdout,
        )
        assert village.run("witness", "request", "--policy", three).returncode == 8
        village.ok("donate", "edu", "1.00")
        facts = village.json("witness", "request", "--policy", two, "--only", "north", "--only", "south")
        assert facts["size"] == 3 and facts["missing"] == [] and len(facts["witnesses"]) == 2
        village.fails(4, "witness", "request", "--policy", two, "--only", "east")
    text = village.ok("checkpoint", "show", "--cosigned")
    assert text.encode() == (village.work / KEPT).read_bytes() and text.count("— ") == 3
    assert text.startswith(village.ok("checkpoint", "show"))
    assert village.json("checkpoint", "show", "--cosigned")["checkpoint"] == text
    for name in ("north", "south"):
        key = cosignature.parse_vkey(vkeys[name])
        (line,) = cosignature.open_cosigned(text.encode(), [key])
        assert line[0] == key and abs(line[1] - time.time()) < 120
    verified = village.json("checkpoint", "verify", "--policy", two)
    assert set(verified["witnesses"]) == {"north", "south"} and verified["missing"] == []
    done = village.run("checkpoint", "verify", KEPT, "--policy", three)
    assert done.returncode == 8
    assert "below the policy: group enough needs 3 of 3 and has 2; not there: west\n" in done.stdout
    lines = text.splitlines(keepends=True)
    (village.work / "one").write_text("".join([*lines[:-1], lines[-2]]))  # the same witness twice is one
    assert village.run("checkpoint", "verify", "one", "--policy", two).returncode == 8
    (village.work / "bad").write_text(text.replace(lines[-1].split()[-1], lines[-2].split()[-1]))
    village.run("checkpoint", "verify", "bad", "--policy", two)
    village.ok("donate", "edu", "1.00")
    assert village.ok("checkpoint", "show", "--cosigned").count("— ") == 1  # a newer head has no lines yet
    village.ok("checkpoint", "verify", "--policy", two)  # what was cosigned is still what it begins with


def test_a_policy_believes_only_the_logs_that_it_names(village: Cli) -> None:
    """Where a policy has log lines, the operator's line must be by one of them, whatever the ledger says."""
    vkeys = made(village, "north")
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        village.ok("witness", "request", "--policy", path)
    (own,) = village.json("checkpoint", "key")["keys"]
    other = note.vkey(ORIGIN, PrivateKey.from_seed(b"x" * 32).public_key)
    text = path.read_text()
    path.write_text(f"log {own}\n{text}")
    village.ok("checkpoint", "verify", "--policy", path)
    path.write_text(f"log {other}\n{text}")
    assert "CC-SEAL" in village.fails(1, "checkpoint", "verify", "--policy", path)


def test_a_changed_cosignature_is_found(village: Cli) -> None:
    """Any changed byte of a witness's line is told, or leaves the head below the policy; none passes."""
    vkeys = made(village, "north")
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        village.ok("witness", "request", "--policy", path)
    kept = (village.work / KEPT).read_bytes()
    start = kept.rindex(b"\n", 0, -1) + 1
    codes = set()
    for at in range(start, len(kept), 9):
        (village.work / "changed").write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
        codes.add(village.run("checkpoint", "verify", "changed", "--policy", path).returncode)
    assert codes <= {1, 3, 8} and 1 in codes


def test_an_older_copy_is_refused_and_keeps_what_was_cosigned(village: Cli) -> None:
    """A ledger that was rolled back gets no cosignature, and does not replace the newer checkpoint beside it."""
    vkeys = made(village, "north")
    shutil.copy(village.ledger, village.work / "before")
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        village.ok("donate", "edu", "1.00")
        village.ok("witness", "request", "--policy", path)
        kept = (village.work / KEPT).read_bytes()
        shutil.copy(village.work / "before", village.ledger)
        done = village.run("witness", "request", "--policy", path)
        assert done.returncode == 7 and "has seen 3 blocks of this ledger and this copy has 2" in done.stderr
        assert (village.work / KEPT).read_bytes() == kept
        assert village.run("checkpoint", "verify", "--policy", path).returncode == 8


def test_a_second_history_is_refused(village: Cli) -> None:
    """Whoever reseals with the operator's key is told by the witness, at the same size and at a larger one."""
    vkeys = made(village, "north")
    other = forked(village)
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        village.ok("witness", "request", "--policy", path)
        for _ in range(2):
            done = village.run("witness", "request", "--policy", path, "--ledger", other)
            assert done.returncode == 1 and "two histories were signed" in done.stderr and "CC-FORK" in done.stderr
            assert not (village.work / f"{other}.cosigned").exists()
            village.ok("donate", "edu", "1.00", "--ledger", other)
        seen = done.stderr.split()[-2]
        assert seen == f"{url}{sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
        status, _, body = post(seen, b"", "GET")
        assert status == 200
    (village.work / "seen").write_bytes(body)
    village.ok("checkpoint", "verify", "seen")
    assert "two histories" in village.fails(1, "checkpoint", "verify", "seen", "--ledger", other)


def test_a_race_of_two_histories_has_one_winner(village: Cli) -> None:
    """Two processes that ask for one size of two histories at the same moment never both get a cosignature."""
    vkeys = made(village, "north")
    other = forked(village)
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        asking = [
            village.start("witness", "request", "--policy", path, "--ledger", ledger)
            for ledger in ("v.ledger", other)
            for _ in range(2)
        ]
        for process in asking:
            process.communicate(timeout=60)
        codes = [process.returncode for process in asking]
        assert sorted(codes) == [0, 0, 1, 1] and codes[0] == codes[1]


# ---------------------------------------------------------------------------------------------- being killed


def test_a_killed_witness_goes_on_where_it_was(village: Cli) -> None:
    """Killed between requests, it refuses the second history afterwards and goes on with the first."""
    vkeys = made(village, "north")
    other = forked(village)
    with served(village, "north") as (url, process):
        village.ok("witness", "request", "--policy", policy(village, {"north": (vkeys["north"], url)}))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    village.ok("donate", "edu", "1.00", "--ledger", other)
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        assert village.run("witness", "request", "--policy", path, "--ledger", other).returncode == 1
        assert village.run("witness", "request", "--policy", path).returncode == 0
    assert [log["size"] for log in village.json("witness", "logs", "north")] == [3]


_KILLED = """
import os, signal, sys
from pathlib import Path
import charitychain.durable as durable
from charitychain.witnessing.folder import WitnessFolder
from charitychain.witnessing.protocol import Witness

folder, request, moment = WitnessFolder(Path(sys.argv[1])), Path(sys.argv[2]).read_bytes(), int(sys.argv[3])
witness = Witness(folder, folder.private_key())
count = 0

def counted(real):
    def call(*args, **named):
        global count
        for half in (0, 1):
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            if not half:
                found = real(*args, **named)
        return found
    return call

for name in ("open", "write", "fsync", "fchmod", "replace", "unlink", "close"):
    setattr(durable.os, name, counted(getattr(os, name)))
sys.stdout.buffer.write(witness.add_checkpoint(request).body)
sys.stdout.flush()
"""


def test_killed_at_any_moment_it_never_signs_two_histories(village: Cli) -> None:
    """Before and after each step to the disk: what left is remembered, and after each kill the witness answers."""
    made(village, "north")
    first = format_request(0, [], village.ok("checkpoint", "show").encode())
    requests = [village.work / "first", village.work / "second"]
    requests[0].write_bytes(first)
    cli = village
    other = PrivateKey.from_seed(b"f" * 32)
    assert cli.ok("witness", "trust", "north", note.vkey(ORIGIN, other.public_key)).startswith("the log")
    head = note.parse_checkpoint(note.parse_note(first.partition(b"\n\n")[2]).text)
    forged = note.sign_checkpoint(note.Checkpoint(ORIGIN, head.size, b"f" * 32), other)
    requests[1].write_bytes(format_request(0, [], forged))
    shutil.copytree(cli.work / "north", cli.work / "fresh")
    finished, moment, left_over = False, 0, 0
    while not finished:
        shutil.rmtree(cli.work / "north")
        shutil.copytree(cli.work / "fresh", cli.work / "north")
        left = []
        for request, at in ((requests[0], moment), (requests[1], 10**6)):
            done = subprocess.run(
                [sys.executable, "-c", _KILLED, "north", str(request), str(at)],
                cwd=cli.work, env=cli.env, capture_output=True, timeout=60,
            )  # fmt: skip
            assert done.returncode in (0, -signal.SIGKILL), done.stderr
            left.append(done.stdout.startswith("— ".encode()))
            finished = finished or (at == moment and done.returncode == 0)
        assert left != [True, True] and left != [False, True] or left == [False, True] and not finished
        left_over += left == [False, False]
        (log,) = {(each["origin"], each["size"], each["root"]) for each in cli.json("witness", "logs", "north")}
        assert log == (ORIGIN, head.size, (head.root if not left[1] else b"f" * 32).hex())
        moment += 1
    assert moment > 15 and left == [True, False]
    assert left_over  # killed after the new state was there and before the line left: nobody holds it, and it stays


def test_killed_under_requests_it_remembers_all_that_left(village: Cli) -> None:
    """A served witness that is killed at random moments has on its disk whatever it had answered."""
    vkeys = made(village, "north")
    key = cosignature.parse_vkey(vkeys["north"])
    for delay in (0.0, 0.002, 0.004, 0.008, 0.016):
        village.ok("donate", "edu", "1.00")
        seal = village.ok("checkpoint", "show").encode()
        answers: list[bytes] = []
        with served(village, "north") as (url, process):

            def ask(url: str = url, seal: bytes = seal, answers: list[bytes] = answers) -> None:
                status, kind, body = post(f"{url}add-checkpoint", format_request(0, [], seal))
                answers.append(body)
                if status == 409:
                    with ExitStack() as stack:
                        stack.callback(lambda: None)
                        answers.append(post(f"{url}add-checkpoint", _moved(village, int(body), seal))[2])

            def asking(ask: object = ask) -> None:
                try:
                    ask()  # type: ignore[operator]
                except (OSError, http.client.HTTPException):
                    pass  # killed in between

            thread = threading.Thread(target=asking)
            thread.start()
            time.sleep(delay)
            process.kill()
            process.wait(timeout=30)
            thread.join()
        size = village.json("witness", "logs", "north")[0]["size"]
        for body in answers:
            if body.startswith("— ".encode()):
                assert cosignature.open_cosigned(seal + body, [key])
                assert size == note.parse_checkpoint(note.parse_note(seal).text).size
    with served(village, "north") as (url, _):
        village.ok("witness", "request", "--policy", policy(village, {"north": (vkeys["north"], url)}))


def _moved(cli: Cli, old: int, seal: bytes) -> bytes:
    from charitychain.cosigned import prove_extension
    from charitychain.ledger import Ledger

    with Ledger.open(cli.ledger) as ledger:
        return format_request(old, prove_extension(ledger.reader(), old), seal)


def test_a_signal_to_stop_is_followed_and_a_taken_address_told(village: Cli) -> None:
    """SIGTERM ends it at once where nothing is being answered; a port that another has is no bug."""
    made(village, "north")
    with served(village, "north") as (url, process):
        port = str(urlsplit(url).port)
        assert "CC-STORAGE" in village.fails(3, "witness", "serve", "north", "--port", port)
        process.terminate()
        assert process.wait(timeout=15) in (0, -signal.SIGTERM)


# -------------------------------------------------------------------------------------------- being lied to


def test_the_server_keeps_to_its_limits(village: Cli) -> None:
    """Other paths and methods, long bodies and junk have their statuses, and the witness goes on answering."""
    made(village, "north")
    with served(village, "north") as (url, process):
        add = f"{url}add-checkpoint"
        assert post(add, b"junk")[0] == 400
        assert post(add, b"x" * 200_000)[0] == 413
        assert post(add, b"", "GET")[0] == 405
        assert post(f"{url}nothing/here", b"", "GET")[0] == 404
        assert post(f"{url}{'0' * 64}/checkpoint", b"", "GET")[0] == 404
        head = village.ok("checkpoint", "show").encode()
        status, kind, body = post(add, format_request(0, [], head))
        assert status == 200 and kind.startswith("text/plain") and body.startswith("— north.example/w ".encode())
        status, kind, body = post(add, format_request(1, [], head))
        assert (status, kind, body) == (409, "text/x.tlog.size", b"2\n")
        name = sha256(ORIGIN.encode()).hexdigest()
        status, _, body = post(f"{url}{name}/checkpoint", b"", "GET")
        assert status == 200 and body.startswith(head)
        process.terminate()
        told = process.communicate(timeout=30)[1].decode()
        assert f"{ORIGIN} 2: 200\n" in told and "\x1b" not in told


class _Lying(BaseHTTPRequestHandler):
    """A witness that answers whatever its server's `lie` says."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, body = self.server.lie  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for _ in range(body[1] if isinstance(body, tuple) else 1):
                self.wfile.write(body[0] if isinstance(body, tuple) else body)
        except OSError:
            pass

    def log_message(self, *args: object) -> None:
        pass


def test_a_witness_that_answers_nonsense_changes_nothing(village: Cli) -> None:
    """Whatever comes back instead of the witness's own line is told, and none of it is kept or steers a terminal."""
    head = village.ok("checkpoint", "show").encode()
    right, wrong = PrivateKey.from_seed(b"r" * 32), PrivateKey.from_seed(b"w" * 32)
    line = cosignature.cosign(head, "north.example/w", right, 1_767_139_200)
    foreign = cosignature.cosign(head, "north.example/w", wrong, 1_767_139_200)
    older = note.sign_checkpoint(note.Checkpoint(ORIGIN, 1, b"x" * 32), wrong)
    size = {"Content-Type": "text/x.tlog.size"}
    lies: dict[str, tuple[tuple[int, dict[str, str], object], int]] = {
        "nothing": ((200, {}, b""), 8),
        "a page": ((200, {}, b"<html>\x1b[2J</html>"), 8),
        "another key": ((200, {}, foreign), 8),
        "another checkpoint": ((200, {}, cosignature.cosign(older, "north.example/w", right, 7)), 8),
        "a text more": ((200, {}, b"\nmore\n\n" + line), 8),
        "no end": ((200, {}, (b"x" * 65536, 1000)), 8),
        "a failure": ((500, {}, b"\x1b[2J it broke\n"), 8),
        "elsewhere": ((302, {"Location": "http://127.0.0.1:9/"}, b""), 8),
        "unknown": ((404, {}, b""), 8),
        "not believed": ((403, {}, b""), 8),
        "in a hurry": ((429, {}, b""), 8),
        "no size": ((409, size, b"-1\n"), 8),
        "a size as a page": ((409, {"Content-Type": "text/html"}, b"1\n"), 8),
        "the same size for ever": ((409, size, b"1\n"), 8),
        "a huge size": ((409, size, b"9999999999\n"), 7),
        "a fork": ((422, {}, b""), 1),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lying)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        path = policy(village, {"north": (cosignature.vkey("north.example/w", right.public_key), url)})
        for name, (lie, code) in lies.items():
            server.lie = lie  # type: ignore[attr-defined]
            done = village.run("witness", "request", "--policy", path)
            assert done.returncode == code, (name, done.stdout, done.stderr)
            assert "\x1b" not in done.stderr + done.stdout and "below the policy" in done.stdout
            assert not (village.work / KEPT).exists(), name
        server.lie = (200, {}, foreign + line)  # type: ignore[attr-defined]
        village.ok("witness", "request", "--policy", path)
        assert (village.work / KEPT).read_bytes() == head + line  # lines of others are dropped
        server.lie = (409, size, b"1\n")  # type: ignore[attr-defined]
        assert "it forgot what it saw" in village.run("witness", "request", "--policy", path).stderr
    finally:
        server.shutdown()
        server.server_close()
    for url in ("ftp://127.0.0.1/", "http://", "file:///etc/passwd", "http://127.0.0.1:99999/", "nonsense"):
        path = policy(village, {"north": (cosignature.vkey("north.example/w", right.public_key), url)})
        assert "CC-WEB" in village.run("witness", "request", "--policy", path).stderr
    path.write_text(path.read_text().replace(" nonsense", ""))
    assert "names no address" in village.run("witness", "request", "--policy", path).stderr


def test_what_stands_beside_the_ledger_is_not_believed(village: Cli) -> None:
    """A checkpoint there that is junk, of another ledger or of another history is told, and never replaced."""
    vkeys = made(village, "north")
    other = forked(village)
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        village.ok("witness", "request", "--policy", path)
        cosigned = (village.work / KEPT).read_bytes()
        for content, code in ((b"junk", 3), (village.ok("checkpoint", "show", "--ledger", other).encode(), 8)):
            (village.work / KEPT).write_bytes(content)
            village.fails(code, "witness", "request", "--policy", path)
            assert (village.work / KEPT).read_bytes() == content
        assert village.ok("checkpoint", "show", "--cosigned") == village.ok("checkpoint", "show")
        (village.work / KEPT).write_bytes(cosigned)
        village.ok("witness", "request", "--policy", path)


def test_a_witness_asks_for_its_packages_and_its_passphrase(village: Cli) -> None:
    """Without starlette it says what to install; with an encrypted key it wants the passphrase before it listens."""
    stub = village.home / "stub"
    stub.mkdir()
    (stub / "starlette.py").write_text("raise ImportError('No module named starlette')")
    village.ok("witness", "init", "north", "north.example/w", CHARITYCHAIN_PASSPHRASE="secret")
    assert "CC-EXISTS" in village.fails(7, "witness", "init", "north", "n.example", "--no-passphrase")
    assert "CC-PASSPHRASE" in village.fails(6, "witness", "serve", "north")
    assert "CC-PASSPHRASE" in village.fails(6, "witness", "serve", "north", CHARITYCHAIN_PASSPHRASE="wrong")
    told = village.fails(
        3, "witness", "serve", "north", CHARITYCHAIN_PASSPHRASE="secret", PYTHONPATH=f"{stub}:{ROOT}"
    )  # fmt: skip
    assert "pip install 'charitychain[witness]'" in told and "CC-PACKAGE" in told
    (village.work / "pass").write_text("secret\n")
    with served(village, "north", "--passphrase-file", "pass"):
        pass
    assert village.ok("witness", "key", "north").startswith("north.example/w+")
    assert "CC-STATE" in village.fails(3, "witness", "key", "nowhere")


# --------------------------------------------------------------------------------------------------- auditors


def test_an_auditor_signs_what_it_replayed_and_counts_as_no_witness(village: Cli) -> None:
    """The line is made after a full replay, handed over, kept beside the ledger, and shown apart from witnesses."""
    vkeys = made(village, "north")
    auditor = village.ok("checkpoint", "audit-key", "audit.example", "--no-passphrase", "--keys", "akeys").strip()
    shutil.copy(village.ledger, village.work / "a.copy")
    told = village.ok(
        "checkpoint", "audit-sign", auditor, "--keys", "akeys", "--ledger", "a.copy", "-o", "signed"
    )  # fmt: skip
    assert told == "audit.example replayed 2 blocks, which hold, and signed the checkpoint\n"
    village.fails(2, "checkpoint", "add", "signed")
    assert "CC-SEAL" in village.fails(1, "checkpoint", "add", "signed", "--auditor-key", vkeys["north"])
    with served(village, "north") as (url, _):
        path = policy(village, {"north": (vkeys["north"], url)})
        assert village.ok("checkpoint", "add", "signed", "--auditor-key", auditor) == (
            "kept beside the ledger: what audit.example signed in signed\n"
        )
        done = village.run("checkpoint", "verify", "--policy", path, "--auditor-key", auditor)
        assert done.returncode == 8 and "auditor audit.example replayed it and signed at " in done.stdout
        assert "not there: north" in done.stdout
        village.ok("witness", "request", "--policy", path)
    facts = village.json("checkpoint", "verify", "--policy", path, "--auditor-key", auditor)
    assert list(facts["witnesses"]) == ["north"] and list(facts["auditors"]) == ["audit.example"]
    kept = (village.work / KEPT).read_text()
    assert kept.count("— ") == 3
    village.ok("checkpoint", "add", "signed", "--auditor-key", auditor)
    assert (village.work / KEPT).read_text().count("— ") == 3
    overlap = village.work / "overlap"
    overlap.write_text(path.read_text().replace(vkeys["north"], auditor))
    for command in (("verify",), ("add", "signed")):
        assert "CC-POLICY" in village.fails(
            7, "checkpoint", *command, "--policy", overlap, "--auditor-key", auditor
        )  # fmt: skip
    absent = village.ok("checkpoint", "audit-key", "other.example", "--no-passphrase", "--keys", "akeys").strip()
    done = village.run("checkpoint", "verify", "--auditor-key", absent)
    assert done.returncode == 8 and "auditor other.example has not signed it" in done.stdout


def test_an_auditor_signs_nothing_that_does_not_hold(village: Cli) -> None:
    """A ledger with a fault, an older one, a missing key, a party's own key: each ends without a signature."""
    auditor = village.ok("checkpoint", "audit-key", "audit.example", "--no-passphrase").strip()
    shutil.copy(village.ledger, village.work / "before")
    village.ok("donate", "edu", "1.00", "--id", "D-2")
    village.ok("verify")
    assert "CC-KEY-MISSING" in village.fails(6, "checkpoint", "audit-sign", auditor, "--keys", "elsewhere")
    data = village.ledger.read_bytes()
    village.fails(8, "checkpoint", "audit-sign", auditor, "--ledger", "before")
    village.ledger.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
    done = village.run("checkpoint", "audit-sign", auditor, "-o", "signed")
    assert done.returncode in (1, 3), done.stderr
    village.ledger.write_bytes(data)
    (own,) = village.json("checkpoint", "key")["keys"]
    operator = cosignature.vkey(ORIGIN, note.parse_vkey(own).public_key)
    assert "CC-KEY-USED" in village.fails(6, "checkpoint", "audit-sign", operator)
    assert not list(village.work.glob("*.cosigned")) and not (village.work / "signed").exists()
    assert village.ok("checkpoint", "audit-sign", auditor, "-o", "signed").startswith("audit.example replayed 3 blocks")
    assert "CC-EXISTS" in village.fails(7, "checkpoint", "audit-sign", auditor, "-o", "signed")


def test_an_auditor_finds_what_only_replay_shows(village: Cli) -> None:
    """A ledger that breaks a rule under good seals is cosigned by a witness and refused by an auditor."""
    from tamper.forge import REFORGED  # noqa: F401


# ------------------------------------------------------------------------------------------------ time stamps


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
    village.ok("checkpoint", "verify", KEPT, "--stamp", "march.tsr", "--tsa-cert", ca, "--auditor-key", auditor)
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
    url, folder = authority
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
    json.loads(village.ok("checkpoint", "show", "--json", PYTHONPATH=f"{stub}:{ROOT}"))
