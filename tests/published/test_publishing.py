"""Publishing: what is written, in what order, what is never touched again, and what is refused."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published.conftest import ORIGIN, Operator

from charitychain import cosignature, durable, merkle, note, publishing
from charitychain.errors import RefusedError, StorageError, VerificationError
from charitychain.fetch import Folder
from charitychain.forks import check_fork
from charitychain.keys import PrivateKey
from charitychain.ledger import Ledger
from charitychain.policy import parse_policy
from charitychain.store.memory import MemoryStore
from charitychain.tiles import TileTree


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(folder: Path) -> note.Checkpoint:
    return note.parse_checkpoint(note.parse_note((folder / "checkpoint").read_bytes()).text)


def check_whole(folder: Path) -> int:
    """Check that everything the checkpoint of a folder calls for is there and fits; return how many blocks."""
    checkpoint = told(folder)
    tree = TileTree(Folder(folder).get, checkpoint.size)
    for height in range(checkpoint.size):
        leaf = tree.leaf(height, checkpoint.root)
        assert merkle.leaf_hash(merkle.RFC6962, tree.entries(height // 256)[height % 256]) == leaf
        assert (folder / publishing.block_path(height)).read_bytes()[3:161] == tree.entries(height // 256)[height % 256]
    return checkpoint.size


def test_a_small_ledger_is_these_files(operator: Operator) -> None:
    """Three blocks are: a tile, a bundle of their headers, the blocks as they rest in the ledger, the head's seal."""
    done = operator.publish()
    assert (done.blocks, done.before) == (3, 0)
    found = files(operator.folder)
    assert sorted(found) == [
        "block/000", "block/001", "block/002", "checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3",
    ]  # fmt: skip
    blocks = [frame.payload for frame in MemoryStore(operator.path.read_bytes()).scan()]
    assert [found[f"block/00{height}"] for height in range(3)] == blocks
    headers = [block[3:161] for block in blocks if block is not None]
    assert found["tile/entries/000.p/3"] == b"".join(b"\x00\x9e" + header for header in headers)
    leaves = [merkle.leaf_hash(merkle.RFC6962, header) for header in headers]
    assert found["tile/0/000.p/3"] == b"".join(leaves)
    checkpoint = note.parse_checkpoint(note.open_note(found["checkpoint"], [note.parse_vkey(operator.vkey)]).text)
    assert checkpoint == note.Checkpoint(ORIGIN, 3, merkle.root(merkle.RFC6962, leaves))


def test_a_longer_ledger_is_published_whole(long: Operator) -> None:
    """527 blocks have two full tiles and a partial one, a partial tile above them, and all proofs hold."""
    assert long.publish().blocks == 527 == check_whole(long.folder)
    found = set(files(long.folder))
    assert {path for path in found if path.startswith("tile/")} == {
        "tile/0/000", "tile/0/001", "tile/0/002.p/15", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/15",
    }  # fmt: skip
    assert {"block/000", "block/255", "block/526"} < found and len(found) == 527 + 7 + 1


def test_publishing_again_adds_what_is_new_and_touches_nothing_else(long: Operator) -> None:
    """A second publishing writes the new blocks and the tiles at the edge; no file but the checkpoint changes."""
    long.publish()
    before, stats = files(long.folder), {path: path.stat() for path in long.folder.rglob("*") if path.is_file()}
    assert (long.publish().files, files(long.folder)) == (0, before)
    long.give("N-1", "N-2")
    done = long.publish()
    assert (done.blocks, done.before, done.files) == (529, 527, 2 + 2)  # two blocks, and the edge of tile and bundle
    for path, stat in stats.items():
        if path.name != "checkpoint":
            assert (path.stat().st_ino, path.stat().st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
    assert check_whole(long.folder) == 529
    assert not [path for path in files(long.folder) if path.endswith(".tmp")]


def test_each_growth_leaves_the_same_tree_as_one_step(tmp_path: Path) -> None:
    """Published after every few blocks, a ledger has the files that it has when published at once, and older edges."""
    (tmp_path / "small").mkdir()
    small = Operator(tmp_path / "small")
    for number in range(0, 270, 45):
        small.give(*(f"D-{number + more}" for more in range(45)))
        small.publish()
        check_whole(small.folder)
    at_once = tmp_path / "at-once"
    small.publish(at_once)
    stepwise = files(small.folder)
    assert all(stepwise[path] == data for path, data in files(at_once).items())
    assert all(".p/" in path for path in set(stepwise) - set(files(at_once)))


@pytest.mark.parametrize("landed", [False, True])
def test_cut_off_anywhere_nothing_is_named_that_is_not_there(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    """Whichever write fails, before or after it landed, the checkpoint is whole, and the next run ends as one would."""
    operator.publish()
    operator.give("D-2", "D-3", "D-4")
    whole = operator.base / "whole"
    operator.publish(whole)

    class Cut(Exception):
        pass

    left = 0

    def failing(real: Callable[..., None]) -> Callable[..., None]:
        def write(*args: Any, **more: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0 and not landed:
                raise Cut
            real(*args, **more)
            if left < 0:
                raise Cut

        return write

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "create_file", failing(durable.create_file))
        patched.setattr(publishing, "replace_file", failing(durable.replace_file))
        cuts = 0
        for count in range(99):
            left = count
            try:
                operator.publish()
                break
            except Cut:
                cuts += 1
                assert check_whole(operator.folder) in (3, 6)
    assert cuts >= (1 if landed else 6)
    found = files(operator.folder)
    assert check_whole(operator.folder) == 6 and all(found[path] == data for path, data in files(whole).items())


def test_killed_at_any_moment_it_goes_on(long: Operator) -> None:
    """A process that is killed while it publishes leaves no checkpoint without its files, and the next run ends it."""
    script = (
        "import sys; from pathlib import Path; from charitychain.ledger import Ledger;"
        "from charitychain.publishing import publish\n"
        "with Ledger.open(sys.argv[1]) as ledger:\n"
        "    reader = ledger.reader(); print('ready', flush=True)\n"
        "    publish(reader, Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    chance, killed = random.Random(5), 0
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", script, long.path, long.folder], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(chance.random() / 20)
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        killed += process.wait() == -signal.SIGKILL
        if (long.folder / "checkpoint").exists():
            assert check_whole(long.folder) == 527
    assert killed
    whole = long.base / "whole"
    long.publish(whole)
    long.publish()
    found = {path: data for path, data in files(long.folder).items() if not path.endswith(".tmp")}
    assert found == files(whole)


def test_the_checkpoint_is_written_when_everything_else_is_on_the_disk(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file is synced before it has its name, its folder after, and the checkpoint gets its name after all."""
    calls: list[tuple[str, str]] = []
    names: dict[int, str] = {}
    real_open, real_sync, real_link, real_replace = os.open, os.fsync, os.link, os.replace

    def open_(path: Any, *args: Any, **more: Any) -> int:
        descriptor = real_open(path, *args, **more)
        names[descriptor] = os.fspath(path)
        return descriptor

    def sync(descriptor: int) -> None:
        calls.append(("sync", names[descriptor]))
        real_sync(descriptor)

    def link(source: Any, target: Any) -> None:
        assert ("sync", str(source)) in calls
        calls.append(("named", os.fspath(target)))
        real_link(source, target)

    def replace(source: Any, target: Any) -> None:
        assert ("sync", str(source)) in calls
        calls.append(("named", os.fspath(target)))
        real_replace(source, target)

    for name, function in (("open", open_), ("fsync", sync), ("link", link), ("replace", replace)):
        monkeypatch.setattr(os, name, function)
    operator.publish()
    ours = [(what, path) for what, path in calls if path.startswith(str(operator.folder))]
    assert ours[-2:] == [("named", str(operator.folder / "checkpoint")), ("sync", str(operator.folder))]
    for at, (what, path) in enumerate(ours):
        if what == "named" and not path.endswith("checkpoint"):
            assert ("sync", os.path.dirname(path)) in ours[at:-2]


def test_two_who_publish_at_once_take_nothing_back(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that began before another block was sealed does not put its older checkpoint over the newer one."""
    operator.publish()
    operator.give("D-2")
    with Ledger.open(operator.path) as ledger:
        reader = ledger.reader()  # of four blocks, while a fifth is recorded and published
        operator.give("D-3")
        real, waiting = publishing._publish, list[subprocess.Popen[bytes]]()

        def late(*args: Any) -> publishing.Published:
            monkeypatch.setattr(publishing, "_publish", real)
            script = "import sys; from charitychain.cli import main; main(['publish', sys.argv[1], '-l', sys.argv[2]])"
            other = subprocess.Popen([sys.executable, "-c", script, operator.folder, operator.path])
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(1.5)  # it waits for us
            try:
                return real(*args)
            finally:
                waiting.append(other)

        monkeypatch.setattr(publishing, "_publish", late)
        assert publishing.publish(reader, operator.path, operator.folder).blocks == 4
    assert waiting[0].wait(60) == 0
    assert check_whole(operator.folder) == 5


def test_a_file_with_other_content_is_refused_and_kept(operator: Operator) -> None:
    """Nothing that is published is overwritten: not a block, not a tile, not a bundle."""
    for path in ("block/001", "tile/0/000.p/3", "tile/entries/000.p/3"):
        folder = operator.base / path.replace("/", "-")
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(b"something else")
        with pytest.raises(RefusedError) as caught:
            operator.publish(folder)
        assert caught.value.code == "CC-EXISTS" and str(folder / path) in caught.value.message
        assert (folder / path).read_bytes() == b"something else" and not (folder / "checkpoint").exists()


def test_another_history_is_refused_with_the_evidence(operator: Operator) -> None:
    """Longer, shorter or as long: what contradicts the published checkpoint stays unpublished, and proves the fork."""
    other = operator.twin("other")
    operator.give("D-2", "D-3")
    operator.publish()
    before = files(operator.folder)
    keys = [note.parse_vkey(operator.vkey)]
    for gifts in (["E-1"], ["E-2"], ["E-3"]):
        other.give(*gifts)
        with pytest.raises(VerificationError) as caught:
            other.publish(operator.folder)
        assert caught.value.code in ("CC-FORK", "CC-CHECKPOINT")
        first, second = check_fork(caught.value.facts["fork"], keys)
        assert {first.size, second.size} == {5, other.blocks()}
        assert files(operator.folder) == before


def test_an_older_copy_of_the_ledger_is_refused(operator: Operator) -> None:
    """A copy from a backup holds less than is published; nothing is taken back."""
    older = operator.twin("older")
    operator.give("D-2")
    operator.publish()
    before = files(operator.folder)
    with pytest.raises(RefusedError) as caught:
        older.publish(operator.folder)
    assert caught.value.code == "CC-OLDER" and files(operator.folder) == before


def test_a_folder_of_another_ledger_is_refused(operator: Operator, tmp_path: Path) -> None:
    """Another origin, another key, and what is no checkpoint at all: told, and left as it is."""
    operator.publish()
    (tmp_path / "second").mkdir()
    second = Operator(tmp_path / "second")
    with pytest.raises(VerificationError) as caught:
        second.publish(operator.folder)
    assert caught.value.code == "CC-CHECKPOINT" and "is not signed" in caught.value.message
    checkpoint = operator.folder / "checkpoint"
    foreign = note.sign_checkpoint(note.Checkpoint("other.example", 3, bytes(32)), operator.key)
    checkpoint.write_bytes(foreign)
    with pytest.raises(VerificationError) as caught:
        operator.publish()
    assert caught.value.code == "CC-CHECKPOINT" and checkpoint.read_bytes() == foreign


def test_damaged_tiles_are_found_before_anything_is_added(operator: Operator) -> None:
    """What stands there is read again before the log goes on behind it."""
    operator.publish()
    operator.give("D-2")
    tile = operator.folder / "tile/0/000.p/3"
    data = tile.read_bytes()
    tile.write_bytes(data[:40] + bytes((data[40] ^ 1,)) + data[41:])
    with pytest.raises(VerificationError) as caught:
        operator.publish()
    assert caught.value.code == "CC-PROOF" and told(operator.folder).size == 3


def test_nothing_is_published_below_the_policy(operator: Operator) -> None:
    """A head without the cosignatures that the policy asks for stays unpublished; with them, it carries them."""
    witness = PrivateKey.from_seed(b"w" * 32)
    vkey = cosignature.vkey("witness.example", witness.public_key)
    policy = parse_policy(f"log {operator.vkey}\nwitness w {vkey}\nquorum w\n".encode())
    with pytest.raises(RefusedError) as caught:
        operator.publish(policy=policy)
    assert caught.value.code == "CC-QUORUM" and not operator.folder.exists()
    with Ledger.open(operator.path) as ledger:
        seal = ledger.reader().checkpoint.encode()
    signed = cosignature.add_lines(seal, cosignature.cosign(seal, "witness.example", witness, 1_767_139_200))
    operator.path.with_name("v.ledger.cosigned").write_bytes(signed)
    operator.publish(policy=policy)
    assert (operator.folder / "checkpoint").read_bytes() == signed
    operator.give("D-2")
    with pytest.raises(RefusedError):
        operator.publish(policy=policy)
    assert told(operator.folder).size == 3


def test_cosignatures_that_come_later_are_published_too(operator: Operator) -> None:
    """The checkpoint of the same size is replaced when others have put their lines under it."""
    operator.publish()
    seal = (operator.folder / "checkpoint").read_bytes()
    witness = PrivateKey.from_seed(b"w" * 32)
    signed = cosignature.add_lines(seal, cosignature.cosign(seal, "witness.example", witness, 1_767_139_200))
    operator.path.with_name("v.ledger.cosigned").write_bytes(signed)
    done = operator.publish()
    assert (done.files, (operator.folder / "checkpoint").read_bytes()) == (0, signed)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(operator: Operator) -> None:
    """The disk's refusal is a storage error, exit code 3."""
    operator.folder.mkdir(mode=0o500)
    with pytest.raises(StorageError):
        operator.publish()


def test_a_file_in_the_place_of_a_folder_is_told(operator: Operator) -> None:
    """What cannot be written is a storage error that names the place."""
    operator.folder.write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        operator.publish()
    assert str(operator.folder) in caught.value.message


def test_everybody_may_read_what_is_published(operator: Operator) -> None:
    """A web server runs as another user: files are readable by all, and writable by the owner alone."""
    operator.publish()
    for path in operator.folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path
