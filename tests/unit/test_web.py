"""One request over HTTP: what a server does to make us wait, or to fill memory."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from charitychain import web
from charitychain.errors import UnreadableError

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\n"


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection, by `answer` once the request is there; give the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def one() -> None:
            connected, _ = listening.accept()
            with connected:
                connected.recv(65536)
                try:
                    answer(connected)
                except OSError:
                    pass  # whoever asked has gone

        thread = threading.Thread(target=one)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x"
        thread.join()


def test_an_answer_is_given_as_it_came() -> None:
    """Status, content type and body come back, of a status that is a failure too."""
    with answering(lambda to: to.sendall(OK + b"Content-Length: 2\r\n\r\nhi")) as url:
        assert web.post(url, b"body", "text/plain") == web.Answer(200, "text/x", b"hi")
    with answering(lambda to: to.sendall(b"HTTP/1.1 409 Conflict\r\n\r\n7\n")) as url:
        assert web.post(url, b"", "text/plain") == web.Answer(409, "", b"7\n")


def trickle(first: bytes, then: bytes) -> Callable[[socket.socket], None]:
    def answer(to: socket.socket) -> None:
        to.sendall(first)
        for _ in range(200):
            to.sendall(then)
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    ("first", "then"), [(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), (OK + b"\r\n", b"x"), (b"", b""), (b"HTTP", b"x")]
)
def test_an_answer_that_trickles_is_given_up(first: bytes, then: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slowly header or body come, waiting has an end, and what came until then is not taken for the answer."""
    monkeypatch.setattr(web, "SECONDS", 0.5)
    start = time.monotonic()
    with answering(trickle(first, then)) as url:
        with pytest.raises(UnreadableError) as caught:
            web.post(url, b"", "text/plain")
        assert caught.value.code == "CC-WEB"
        assert time.monotonic() - start < 30


def test_a_long_answer_is_given_up() -> None:
    """No more is read than was said, whatever length is announced."""
    for head in (OK + b"\r\n", OK + b"Content-Length: 999999999\r\n\r\n"):
        with (
            answering(lambda to, head=head: to.sendall(head + b"x" * 200_000)) as url,  # type: ignore[misc]
            pytest.raises(UnreadableError, match="more than 1000 bytes"),
        ):
            web.post(url, b"", "text/plain", limit=1000)


@pytest.mark.parametrize(
    "url",
    ["", "x", "file:///etc/passwd", "http://", "http://[", "http://a b/", "http://a\r\nX: y/", "http://a:x/", "http://ä/"],
)
def test_what_is_no_address_is_told(url: str) -> None:
    """Only plain http and https addresses are asked."""
    with pytest.raises(UnreadableError) as caught:
        web.post(url, b"", "text/plain")
    assert caught.value.code == "CC-WEB"
