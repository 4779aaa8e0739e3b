"""One writer, whatever happens: races, other names, killed holders, forked children, replaced files, interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import charitychain
from charitychain.errors import LockedError, RefusedError, StorageError, UnreadableError
from charitychain.store.file import create_file, open_file

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(charitychain.__file__).parents[1])}
PRELUDE = """
import os, signal, sys, time
from charitychain.errors import CharitychainError
from charitychain.store.file import create_file, open_file
path = sys.argv[1]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "t.ledger"
    create_file(made, [b"first"]).close()
    return made


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Give a function that starts Python code in a process of its own; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + code, *map(str, arguments)],
            env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


HOLD = """
store = open_file(path, write=True)
print("held", flush=True)
sys.stdin.read()
"""


def test_second_writer_learns_who_holds_it(path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    """A second writer is refused and told process, machine and time; readers are not held up."""
    holder = start(HOLD, path)
    assert line(holder) == "held"
    with pytest.raises(LockedError) as caught:
        open_file(path, write=True)
    assert caught.value.code == "CC-LOCKED"
    assert caught.value.facts["pid"] == str(holder.pid)
    assert caught.value.facts["host"] == os.uname().nodename
    assert f"process {holder.pid} on " in caught.value.message and " since 2" in caught.value.message
    with open_file(path) as reader:
        assert [frame.payload for frame in reader.scan()] == [b"first"]


def test_killed_holder_leaves_no_lock(path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    """The lock dies with its process; the note that stays behind decides nothing."""
    holder = start(HOLD, path)
    assert line(holder) == "held"
    holder.kill()
    holder.wait()
    note = Path(f"{path}.lock")
    assert f"pid: {holder.pid}\n" in note.read_text()
    with open_file(path, write=True) as store:
        assert f"pid: {os.getpid()}\n" in note.read_text()
        store.append([b"second"])
    assert not note.exists()


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_other_name_is_the_same_lock(path: Path, link: Callable[[Path, Path], None]) -> None:
    """A symbolic or hard link to a ledger is locked with it, also against this very process."""
    other = path.with_name("other.ledger")
    link(path, other)
    for first, second in ((path, other), (other, path)):
        with open_file(first, write=True), pytest.raises(LockedError):
            open_file(second, write=True)


def test_kept_bytes_stand_beside_the_file_not_the_link(path: Path, tmp_path: Path) -> None:
    """Through a symbolic link, the note and the kept bytes stand beside the ledger itself."""
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "other.ledger"
    other.symlink_to(path)
    with open_file(other, write=True) as store:
        assert Path(f"{path}.lock").exists()
        assert store.cut(16) == f"{path}.torn-16"


def test_new_ledger_is_locked_from_the_start(tmp_path: Path) -> None:
    """A new ledger is held by its creator, and not created twice."""
    path = tmp_path / "t.ledger"
    with create_file(path, [b"first"]):
        with pytest.raises(LockedError):
            open_file(path, write=True)
        with pytest.raises(RefusedError) as caught:
            create_file(path, [b"other"])
        assert caught.value.code == "CC-EXISTS"
    with open_file(path, write=True) as store:
        assert store.read(16).payload == b"first"


def test_hostile_note_is_not_printed(path: Path) -> None:
    """A note with control characters or a form of its own is left out of the message; a link is not followed."""
    note = Path(f"{path}.lock")
    with open_file(path, write=True):
        note.write_bytes(b"pid: 1\x1b[31m\nhost: \xffevil\npid: " + b"9" * 5000)
        with pytest.raises(LockedError) as caught:
            open_file(path, write=True)
        assert caught.value.message.isprintable() and "another process" in caught.value.message
    victim = path.with_name("victim")
    victim.write_text("precious")
    note.symlink_to(victim)
    with open_file(path, write=True):
        pass
    assert victim.read_text() == "precious"


RACE = """
count = 0
sys.stdin.readline()
while count < 40:
    try:
        store = open_file(path, write=True)
    except CharitychainError as error:
        assert error.code == "CC-LOCKED", error
        continue
    print(store.append([b"%s %d" % (sys.argv[2].encode(), count)])[0], flush=True)
    count += 1
    store.close()
"""


def test_racing_writers_lose_nothing(path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    """Three processes that race for the ledger record each of their entries once, each in its own place."""
    racers = [start(RACE, path, name) for name in "abc"]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    acknowledged = {}
    for name, racer in zip("abc", racers, strict=True):
        for number in range(40):
            acknowledged[int(line(racer))] = f"{name} {number}".encode()
        assert racer.wait() == 0
    with open_file(path) as store:
        found = {frame.offset: frame.payload for frame in store.scan() if frame.fault is None}
    assert found == {16: b"first", **acknowledged} and len(acknowledged) == 120


FORK = r"""
store = create_file(path, [b"first"])
child = os.fork()
if child == 0:
    codes = []
    for use in (lambda: store.append([b"child"]), lambda: store.cut(16), lambda: list(store.scan())):
        try:
            use()
            codes.append("done")
        except CharitychainError as error:
            codes.append(error.code)
    if sys.argv[2] == "close":
        store.close()
    os.write(1, f"{' '.join(codes)}\n".encode())  # one write: the parent prints into the same pipe
    sys.stdin.read()
    os._exit(0)
os.write(1, b"%d\n" % child)
time.sleep(0.3)
store.append([b"parent"])
print("appended", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("then", ["close", "leave"])
def test_forked_child_has_no_handle_and_no_lock(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]], then: str
) -> None:
    """A forked child can neither write nor unlock, and does not keep the lock when its parent is dead."""
    path = tmp_path / "t.ledger"
    parent = start(FORK, path, then)
    said = {line(parent), line(parent)}
    assert "CC-FORKED CC-FORKED CC-FORKED" in said
    with pytest.raises(LockedError):  # the child has closed its copy by now; the parent still holds it
        open_file(path, write=True)
    assert line(parent) == "appended"
    child = next(int(word) for word in said if word.isdigit())
    try:
        parent.wait()
        os.kill(child, 0)  # it lives
        with open_file(path, write=True) as store:
            assert [frame.payload for frame in store.scan()] == [b"first", b"parent"]
    finally:
        os.kill(child, signal.SIGKILL)


def test_replaced_file_is_noticed(path: Path, tmp_path: Path) -> None:
    """A writer whose file was replaced, removed, grown or cut by another program writes nothing."""
    other = tmp_path / "other"

    def replace() -> None:
        other.write_bytes(path.read_bytes())
        os.replace(other, path)

    def grow() -> None:
        with open(path, "ab") as file:
            file.write(b"x")

    for change in (replace, grow, lambda: os.truncate(path, 30), path.unlink):
        path.unlink(missing_ok=True)
        create_file(path, [b"first"]).close()
        with open_file(path, write=True) as store:
            store.append([b"second"])
            change()
            before = path.read_bytes() if path.exists() else None
            for use in (lambda: store.append([b"third"]), lambda: store.cut(16)):
                with pytest.raises(StorageError) as caught:
                    use()
                assert caught.value.code == "CC-REPLACED"
            assert before == (path.read_bytes() if path.exists() else None)
    assert not list(tmp_path.glob("*.torn-*"))


def test_reader_beside_a_writer_sees_a_prefix(path: Path) -> None:
    """While a writer appends, each scan sees whole entries in order, and at most a torn end."""
    written = [bytes([number % 251]) * (1 + number * 37 % 9000) for number in range(250)]
    done = threading.Event()

    def write() -> None:
        with open_file(path, write=True) as store:
            for entry in written:
                store.append([entry])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    scans = last = 0
    with open_file(path) as store:
        finished = False
        while not finished:
            finished = done.is_set()
            frames = list(store.scan())
            if frames[-1].fault == "CC-TORN":
                frames.pop()
            assert [frame.payload for frame in frames] == [b"first", *written][: len(frames)]
            assert len(frames) >= last
            last = len(frames)
            scans += 1
    writer.join()
    assert last == 251 and scans > 2


STORM = """
import random
chance = random.Random(5)
class Stop(BaseException):
    pass
def stop(*_):
    raise Stop
signal.signal(signal.SIGALRM, stop)
done, stopped = 33, 0
for number in range(250):
    store = open_file(path, write=True)
    entry = b"%03d" % number * 3000
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.random() * 0.004 + 1e-6)
        while True:
            done = store.append([entry])[0] + 12 + len(entry)
    except Stop:
        stopped += 1
    store.close()
    with open_file(path) as reader:
        assert reader.size() >= done, number
        assert all(frame.fault is None for frame in reader.scan()), number
    os.truncate(path, 33)
    done = 33
print("stopped", stopped)
"""


def test_interrupts_leave_nothing_torn(path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    """Interrupted at any moment of an append, the ledger holds all that was acknowledged and no half entry."""
    assert line(start(STORM, path)) == "stopped 250"


def test_never_a_standard_descriptor(path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    """With standard output and error closed, what is printed does not land in the ledger."""
    code = """
os.close(1), os.close(2)
store = open_file(path, write=True)
for descriptor in (1, 2):
    try:
        os.write(descriptor, b"printed")
    except OSError:
        pass
store.append([b"second"])
"""
    assert start(code, path).wait() == 0
    with open_file(path) as store:
        assert [(frame.payload, frame.fault) for frame in store.scan()] == [(b"first", None), (b"second", None)]


def test_what_is_no_ledger(tmp_path: Path) -> None:
    """A folder, a pipe, an empty file, a missing one: each is refused with its own words, and none makes us wait."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("not a ledger, but longer than a head")
    expected = {
        ".": "CC-NOT-A-LEDGER", "pipe": "CC-NOT-A-LEDGER", "empty": "CC-NOT-A-LEDGER", "text": "CC-NOT-A-LEDGER",
        "missing": "CC-UNREADABLE", "empty/x": "CC-UNREADABLE",
    }  # fmt: skip
    for name, code in expected.items():
        with pytest.raises(UnreadableError) as caught:
            open_file(tmp_path / name)
        assert caught.value.code == code, name


def test_reading_handle_does_not_write(path: Path) -> None:
    """A store opened for reading refuses to append and to cut, and leaves no note."""
    with open_file(path) as store:
        for use in (lambda: store.append([b"x"]), lambda: store.cut(16)):
            with pytest.raises(ValueError):
                use()
        assert list(path.parent.iterdir()) == [path]
