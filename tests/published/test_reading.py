"""Reading what is published: by path and by address, fetched once, whoever serves it and whatever they serve."""

from __future__ import annotations

import http.server
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from published.conftest import ORIGIN, Operator, Server

from charitychain import fetch, mirror, note
from charitychain.chain.blocks import decode_block, encode_block
from charitychain.errors import CharitychainError, RefusedError, UnreadableError, VerificationError
from charitychain.fetch import Web, open_source
from charitychain.forks import check_fork
from charitychain.heads import Heads
from charitychain.keys import PrivateKey
from charitychain.ledger import Ledger

Starter = Callable[[Path], Server]


def copy_of(place: str) -> Path:
    with Ledger.open(place) as ledger:
        return ledger.path


# ------------------------------------------------------------------------------------------ as it should be


def test_a_published_ledger_is_the_ledger(long: Operator, serve: Starter) -> None:
    """By address and by path, the copy is the operator's file to the byte, and questions have the same answers."""
    long.publish()
    for place in (serve(long.folder).url, str(long.folder)):
        with Ledger.open(place) as published, Ledger.open(long.path) as own:
            assert published.path.read_bytes() == long.path.read_bytes()
            assert published.trace("D-17").to_dict() == own.trace("D-17").to_dict()
            assert published.verify().exit_code == 0
            assert published.published is not None and published.published.place in (place, str(long.folder))


def test_nothing_is_fetched_twice(operator: Operator, serve: Starter) -> None:
    """A second question asks for the checkpoint alone, and after growth for what is new."""
    operator.publish()
    server = serve(operator.folder)
    with Ledger.open(server.url) as ledger:
        ledger.trace("D-1")
    first = server.asked()
    assert sorted(path for path in first if "block" in path) == ["/block/000", "/block/001", "/block/002"]
    copy_of(server.url)
    assert server.asked() == [*first, "/checkpoint"]
    operator.give("D-2")
    operator.publish()
    count = len(server.asked())
    with Ledger.open(server.url) as ledger:
        assert str(ledger.trace("D-2").money) == "5.00"
    assert sorted(server.asked()[count:]) == ["/block/003", "/checkpoint", "/tile/0/000.p/4"]


def test_one_connection_serves_all(operator: Operator, tmp_path: Path) -> None:
    """The connection is kept from file to file."""
    operator.publish()
    with Hostile(operator.folder) as server:
        copy_of(server.url)
        assert server.connections == 1


def test_what_is_published_is_not_written_to(operator: Operator) -> None:
    """Who has the operator's keys and names the published copy by mistake makes no second history."""
    operator.publish()
    with (
        Ledger.open(operator.folder, keys=operator.keys) as ledger,
        pytest.raises(RefusedError) as caught,
        ledger.writer() as writer,
    ):
        writer.donation("D-9", account="edu", amount="1.00")
    assert caught.value.code == "CC-PUBLISHED"


def test_a_copy_may_be_deleted_cut_or_damaged(operator: Operator) -> None:
    """It is a cache: what is missing or torn is fetched again."""
    operator.publish()
    path = copy_of(str(operator.folder))
    whole = operator.path.read_bytes()
    for data in (b"", whole[:20], whole[:-1], whole[:-400], b"\0" * 4096, whole[:16]):
        path.write_bytes(data)
        assert copy_of(str(operator.folder)).read_bytes() == whole
    shutil.rmtree(path.parent)
    assert copy_of(str(operator.folder)).read_bytes() == whole


def test_fetching_goes_on_where_it_was_cut_off(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that were there when the connection failed are not asked for again."""
    operator.give(*(f"M-{number}" for number in range(9)))
    operator.publish()
    monkeypatch.setattr(mirror, "_BATCH_BLOCKS", 2)
    gone = operator.folder / "block/007"
    gone.rename(operator.base / "kept")
    with pytest.raises(UnreadableError) as caught:
        copy_of(str(operator.folder))
    assert "block/007" in caught.value.message
    (operator.base / "kept").rename(gone)
    for number in range(6):
        (operator.folder / f"block/00{number}").unlink()
    assert copy_of(str(operator.folder)).read_bytes() == operator.path.read_bytes()


def test_a_published_checkpoint_may_stand_behind_the_copy(operator: Operator) -> None:
    """What was fetched stays, and verify says that the place has become shorter: exit code 8."""
    operator.publish()
    older = (operator.folder / "checkpoint").read_bytes()
    operator.give("D-2")
    operator.publish()
    copy_of(str(operator.folder))
    (operator.folder / "checkpoint").write_bytes(older)
    with Ledger.open(operator.folder) as ledger:
        report = ledger.verify()
        assert (report.exit_code, report.height) == (8, 3) and "4 were fetched" in report.warnings[0]
        assert str(ledger.trace("D-2").money) == "5.00" and "4 were fetched" in ledger.notices[0]


@pytest.mark.parametrize("version", [1, 2])
def test_ledgers_of_every_format_are_published_and_read(version: int, tmp_path: Path) -> None:
    """The copy of a published ledger names the format that its genesis record does."""
    from charitychain.publishing import publish

    path = shutil.copy(Path(__file__).parents[1] / "golden" / f"v{version}.ledger", tmp_path / "t.ledger")
    with Ledger.open(path) as ledger:
        publish(ledger.reader(), ledger.path, tmp_path / "public")
    with Ledger.open(tmp_path / "public") as ledger:
        assert ledger.path.read_bytes() == path.read_bytes() and ledger.verify().holds


def test_two_who_fetch_at_once_have_one_whole_copy(long: Operator) -> None:
    """Threads or processes that open the same place at the same time wait for each other."""
    from concurrent.futures import ThreadPoolExecutor

    long.publish()
    with ThreadPoolExecutor(6) as pool:
        paths = set(pool.map(copy_of, [str(long.folder)] * 12))
    assert len(paths) == 1 and paths.pop().read_bytes() == long.path.read_bytes()


def test_progress_is_told(operator: Operator) -> None:
    """Whoever waits sees how many blocks there are."""
    operator.publish()
    seen: list[tuple[int, int]] = []
    Ledger.open(operator.folder, progress=lambda done, all_: seen.append((done, all_))).close()
    assert seen == [(1, 3), (2, 3), (3, 3)]


# ------------------------------------------------------------------------------------------- lies and damage


def fails(place: str | Path, *, afresh: bool = True) -> CharitychainError:
    with pytest.raises(CharitychainError) as caught, Ledger.open(place, afresh=afresh) as ledger:
        report = ledger.verify()
        assert report.faults
        raise VerificationError(report.faults[0].code, report.faults[0].message)
    return caught.value


def test_every_file_is_missed_and_every_change_found(operator: Operator) -> None:
    """A file that is gone is exit code 3; one with any byte changed, cut or longer is 1, or 3 where it is no file."""
    operator.publish()
    for path in sorted(path for path in operator.folder.rglob("*") if path.is_file()):
        if "entries" in str(path):
            continue  # headers stand in the blocks too; who wants the bundles alone checks them against the tiles
        data = path.read_bytes()
        path.unlink()
        assert fails(operator.folder).exit_code == 3, path
        for at in range(0, len(data), max(len(data) // 60, 1)):
            path.write_bytes(data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :])
            assert fails(operator.folder).exit_code in ((1, 3) if path.name == "checkpoint" else (1,)), (path, at)
        for other in (data[:-1], b"", data[: len(data) // 2], data + b"x"):
            path.write_bytes(other)
            assert fails(operator.folder).exit_code in (1, 3), path
        path.write_bytes(data)
        with Ledger.open(operator.folder, afresh=True) as ledger:
            assert ledger.verify().exit_code == 0


def test_a_block_with_another_statement_under_its_header_is_found_and_mended(operator: Operator) -> None:
    """The log binds headers; verify finds what stands behind one, and a mended file is fetched anew by `afresh`."""
    operator.publish()
    file = operator.folder / "block/002"
    data = file.read_bytes()
    block, other = decode_block(data), decode_block((operator.folder / "block/001").read_bytes())
    file.write_bytes(encode_block(type(block)(block.header, None, other.statements, block.seal)))
    assert fails(operator.folder).code in ("CC-STATEMENTS-ROOT", "CC-SIGNATURE", "CC-SEQUENCE")
    file.write_bytes(data)
    assert fails(operator.folder, afresh=False).exit_code == 1
    with Ledger.open(operator.folder, afresh=True) as ledger:
        assert ledger.verify().holds


def test_a_checkpoint_signed_by_somebody_else_is_a_fault(operator: Operator) -> None:
    """The blocks are the operator's, and the checkpoint over them is not: verify says so."""
    operator.publish()
    file = operator.folder / "checkpoint"
    told = note.parse_checkpoint(note.parse_note(file.read_bytes()).text)
    file.write_bytes(note.sign_checkpoint(told, PrivateKey.from_seed(bytes(32))))
    assert fails(operator.folder).code == "CC-CHECKPOINT"


def test_a_second_history_at_one_place_is_a_fork(operator: Operator) -> None:
    """Whoever has a copy of the first history is not given the second one, of whatever length, and has the proof."""
    other = operator.twin("other")
    operator.give("D-2", "D-3")
    operator.publish()
    copy_of(str(operator.folder))
    for gifts in (["E-1"], ["E-2"], ["E-3"]):
        other.give(*gifts)
        shutil.rmtree(operator.folder)
        other.publish(operator.folder)
        with pytest.raises(VerificationError) as caught:
            Ledger.open(operator.folder)
        assert caught.value.code == "CC-FORK"
        first, second = check_fork(caught.value.facts["fork"], [note.parse_vkey(operator.vkey)])
        assert {first.size, second.size} == {5, other.blocks()} and first.origin == ORIGIN


def test_who_has_no_key_cannot_make_it_look_like_a_fork(operator: Operator) -> None:
    """Whoever takes over the server and signs another history with a key of their own accuses nobody."""
    operator.publish()
    copy_of(str(operator.folder))
    stranger = PrivateKey.from_seed(bytes(32))
    forged = note.sign_checkpoint(note.Checkpoint(ORIGIN, 3, bytes(32)), stranger)
    (operator.folder / "checkpoint").write_bytes(forged)
    with pytest.raises(VerificationError) as caught:
        Ledger.open(operator.folder)
    assert caught.value.code == "CC-CHECKPOINT" and "was changed there" in caught.value.message
    with pytest.raises(VerificationError):
        check_fork(caught.value.facts["fork"], [note.parse_vkey(operator.vkey)])


def test_another_ledger_at_one_place_is_told(operator: Operator, tmp_path: Path) -> None:
    """An address at which another ledger stood before is not taken for it, by its name or by its identity."""
    operator.publish()
    with Ledger.open(operator.folder) as ledger:
        assert ledger.verify(heads=Heads(tmp_path / "state")).holds
    shutil.rmtree(operator.folder)
    with Ledger.create(tmp_path / "w.ledger", origin="other.example", keys=tmp_path / "k") as made:
        from charitychain.publishing import publish

        publish(made.reader(), made.path, operator.folder)
    with pytest.raises(VerificationError) as caught:
        Ledger.open(operator.folder)
    assert caught.value.code == "CC-IDENTITY"
    with Ledger.open(operator.folder, afresh=True) as ledger:
        assert [fault.code for fault in ledger.verify(heads=Heads(tmp_path / "state")).faults] == ["CC-IDENTITY"]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 100, b"x\n" * 99, b"x" * 70_000])
def test_no_checkpoint_is_no_ledger(operator: Operator, content: bytes) -> None:
    """Whatever stands in its place, it is exit code 3."""
    operator.publish()
    (operator.folder / "checkpoint").write_bytes(content)
    assert fails(operator.folder).exit_code == 3


def test_an_empty_folder_is_no_ledger(tmp_path: Path) -> None:
    """A folder without a checkpoint is told as such."""
    (tmp_path / "empty").mkdir()
    assert fails(tmp_path / "empty").code == "CC-NOT-A-LEDGER"


# --------------------------------------------------------------------------------------------- hostile servers


class Hostile:
    """A web server in this process that serves a folder, but for what a test tells it to answer."""

    def __init__(self, folder: Path) -> None:
        self.connections, self.answers = 0, dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]]()
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __init__(self, *args: object) -> None:
                super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_GET(self) -> None:
                answer = outer.answers.get(self.path)
                if answer is None:
                    super().do_GET()
                else:
                    answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hostile:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def hostile(operator: Operator) -> Iterator[Hostile]:
    operator.publish()
    with Hostile(operator.folder) as server:
        yield server


def answering(status: int, body: bytes = b"", **headers: str) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def test_what_a_server_cannot_do_is_told(hostile: Hostile) -> None:
    """Errors, an answer cut short, one that is too long, and what is not HTTP at all are exit code 3."""
    def close(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    def babble(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x00\x01 nonsense\r\n" * 10)
        handler.close_connection = True

    answers = (
        answering(500), answering(503), answering(418), answering(206, b"x"), answering(200, b"x", Content_Length="9"),
        answering(200, b"y" * 70_000), close, babble, answering(200, b"", Transfer_Encoding="chunked"),
    )  # fmt: skip
    for answer in answers:
        hostile.answers["/checkpoint"] = answer
        error = fails(hostile.url)
        assert (error.exit_code, error.code) == (3, "CC-WEB"), error
    hostile.answers["/checkpoint"] = answering(404)
    assert fails(hostile.url).code == "CC-NOT-A-LEDGER"


def test_redirections_are_followed_a_few_times_and_not_to_elsewhere(hostile: Hostile, operator: Operator) -> None:
    """To another path of the web, yes; in a circle, to a file or another protocol, never."""
    hostile.answers["/checkpoint"] = answering(302, Location="/other")
    hostile.answers["/other"] = answering(200, (operator.folder / "checkpoint").read_bytes())
    with Ledger.open(hostile.url) as ledger:
        assert ledger.verify().holds
    for where in ("/checkpoint", "file:///etc/passwd", "ftp://127.0.0.1/x", "//", "", "http://a b/", "http://x:y@h/"):
        hostile.answers["/checkpoint"] = answering(302, Location=where)
        assert fails(hostile.url).code == "CC-WEB", where


def test_a_protected_place_never_sends_to_an_open_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for by https does not come by http."""
    source = Web("https://example.org/log")

    class Answer:
        status = 301

        def getheader(self, name: str, default: str = "") -> str:
            return "http://example.org/log/checkpoint"

    monkeypatch.setattr(source, "_ask", lambda address: Answer())
    with pytest.raises(UnreadableError) as caught:
        source.get("checkpoint", 10)
    assert "not protected" in caught.value.message


def test_a_server_that_trickles_is_given_up(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a body nor headers that come letter by letter keep anybody waiting beyond the limit."""
    monkeypatch.setattr(fetch, "_WAIT_FOR_ALL", 0.5)

    def body(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        trickle(handler)

    def trickle(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        try:
            for _ in range(100):
                handler.wfile.write(b"x")
                time.sleep(0.1)
        except OSError:
            pass

    for answer in (body, trickle):
        hostile.answers["/checkpoint"] = answer
        start = time.monotonic()
        assert fails(hostile.url).code == "CC-WEB"
        assert time.monotonic() - start < 5


def test_nobody_there_is_told() -> None:
    """A port that nobody listens on, a name that nobody has, and what is no address."""
    for place in (
        "http://127.0.0.1:1", "http://nobody.invalid/", "http://", "http://[", "http://a:b/", "https://u:p@example.org",
        "http://example.org/?x=1", "http://example.org/#x", "http://ex\u00e4mple.org", "http://127.0.0.1:99999",
    ):  # fmt: skip
        assert fails(place).code == "CC-WEB", place


def test_a_pipe_or_folder_in_the_place_of_a_file_is_told(operator: Operator) -> None:
    """Nothing in a folder that somebody gave us makes us wait."""
    import os

    operator.publish()
    (operator.folder / "checkpoint").unlink()
    os.mkfifo(operator.folder / "checkpoint")
    assert fails(operator.folder).exit_code == 3
    (operator.folder / "checkpoint").unlink()
    (operator.folder / "checkpoint").mkdir()
    assert fails(operator.folder).exit_code == 3


def test_sources_say_what_they_are(tmp_path: Path) -> None:
    """An address is one by how it begins; everything else is a path, made absolute."""
    assert open_source("HTTP://example.org/log/").name == "http://example.org/log"
    assert open_source(str(tmp_path / "x" / "..")).name == str(tmp_path)
