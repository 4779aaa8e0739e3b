"""``witness``: real witness processes, killed and lied to, and what they cosign kept beside the ledger."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from cli.conftest import ROOT, Cli
from cli.witnesses import KEPT, ORIGIN, forked, made, policy, post, served

from charitychain import cosignature, note
from charitychain.keys import PrivateKey
from charitychain.witnessing.protocol import format_request

# ------------------------------------------------------------------------------------------- being witnessed


def test_two_of_three_witnesses_are_enough(village: Cli) -> None:
    """The head is cosigned by those that answer, kept beside the ledger, shown, and held against k of n."""
    vkeys = made(village, "north", "south", "west")
    with served(village, "north") as (north, _), served(village, "south") as (south, _):
        known = {"north": (vkeys["north"], north), "south": (vkeys["south"], south)}
        known |= {"west": (vkeys["west"], "http://127.0.0.1:9/")}  # where nobody listens
        two, three = policy(village, known, "2"), policy(village, known, "all", "strict")
        done = village.run("witness", "request", "--policy", two)
        assert done.returncode == 0 and "witness west: http" in done.stderr and "[CC-WEB]" in done.stderr
        assert re.fullmatch(
            r"witness north cosigned the checkpoint of 2 blocks at \S+Z\n"
            r"witness south cosigned the checkpoint of 2 blocks at \S+Z\n"
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
        assert left != [True, True]
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
    for delay in (0.0, 0.002, 0.004, 0.008, 0.5):
        village.ok("donate", "edu", "1.00")
        seal, old = village.ok("checkpoint", "show").encode(), village.json("witness", "logs", "north")[0]["size"]
        request, answers = _moved(village, old, seal), list[bytes]()
        with served(village, "north") as (url, process):

            def ask(url: str = url, request: bytes = request, answers: list[bytes] = answers) -> None:
                try:
                    answers.append(post(f"{url}add-checkpoint", request)[2])
                except (OSError, http.client.HTTPException):
                    pass  # killed in between

            thread = threading.Thread(target=ask)
            thread.start()
            time.sleep(delay)
            process.kill()
            process.wait(timeout=30)
            thread.join()
        for body in answers:
            assert cosignature.open_cosigned(seal + body, [key])
            assert village.json("witness", "logs", "north")[0]["size"] == village.json("checkpoint", "show")["size"]
    assert answers  # half a second is enough
    with served(village, "north") as (url, _):
        village.ok("witness", "request", "--policy", policy(village, {"north": (vkeys["north"], url)}))


def _moved(cli: Cli, old: int, seal: bytes) -> bytes:
    from charitychain.asking import prove_extension
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
    lies: dict[str, tuple[tuple[int, dict[str, str], object], int, str]] = {
        "nothing": ((200, {}, b""), 8, "sent no cosignature"),
        "a page": ((200, {}, b"<html>\x1b[2J</html>"), 8, "sent no cosignature"),
        "another key": ((200, {}, foreign), 8, "no line by the key that the policy names"),
        "another checkpoint": ((200, {}, cosignature.cosign(older, "north.example/w", right, 7)), 8, "does not hold"),
        "a text more": ((200, {}, b"\nmore\n\n" + line), 8, "sent no cosignature"),
        "no end": ((200, {}, (b"x" * 65536, 1000)), 8, "more than 65536 bytes"),
        "a failure": ((500, {}, b"\x1b[2J it broke\n"), 8, "answered with status 500: \\u001b[2J it broke"),
        "elsewhere": ((302, {"Location": "http://127.0.0.1:9/"}, b""), 8, "answered with status 302"),
        "unknown": ((404, {}, b""), 8, "does not know this log"),
        "not believed": ((403, {}, b""), 8, "does not believe the key"),
        "in a hurry": ((429, {}, b""), 8, "too often"),
        "no size": ((409, size, b"-1\n"), 8, "answered with status 409"),
        "a size as a page": ((409, {"Content-Type": "text/html"}, b"1\n"), 8, "answered with status 409"),
        "the same size for ever": ((409, size, b"1\n"), 8, "names another size each time"),
        "a huge size": ((409, size, b"9999999999\n"), 7, "CC-OLDER"),
        "a fork": ((422, {}, b""), 1, "CC-FORK"),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lying)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        path = policy(village, {"north": (cosignature.vkey("north.example/w", right.public_key), url)})
        for name, (lie, code, told) in lies.items():
            server.lie = lie  # type: ignore[attr-defined]
            done = village.run("witness", "request", "--policy", path)
            assert done.returncode == code and told in done.stderr, (name, done.stdout, done.stderr)
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
        for content, code in ((b"junk", 3), (village.ok("checkpoint", "show", "--ledger", other).encode(), 1)):
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
