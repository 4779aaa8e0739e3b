"""One request over HTTP, bounded: what is asked of witnesses and of time-stamping authorities.

Rules upheld here:

- ``http`` and ``https`` only, certificates of the latter checked against those that the system trusts.
- No redirect is followed and no proxy is asked: the answer is that of the address that was named.
- An answer longer than was said is given up, and so is one that is not there `SECONDS` later, however it trickles.

What an answer means, its status too, is left to whoever asked.

>>> post("ftp://example.org/", b"", "text/plain")
Traceback (most recent call last):
charitychain.errors.UnreadableError: ftp://example.org/ is no address that begins with http:// or https://
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from charitychain.errors import UnreadableError

__all__ = ["SECONDS", "Answer", "post"]

SECONDS = 15
"""How long connecting may take, and then all of the answer."""


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    content_type: str
    """As it was sent, empty if it was not."""
    body: bytes


def post(url: str, body: bytes, content_type: str, *, limit: int = 64 * 1024) -> Answer:
    """Send `body` to `url` with POST and return the answer, whatever its status.

    Args:
        limit: The most bytes that the answer may have.

    Raises:
        UnreadableError: ``CC-WEB``: the address is none, nobody answers, or the answer is too long or too slow.
    """
    try:
        parts = urlsplit(url)
        kinds = {"http": HTTPConnection, "https": HTTPSConnection}
        if parts.scheme not in kinds or not parts.hostname or not url.isascii() or not url.isprintable():
            raise UnreadableError("CC-WEB", f"{url} is no address that begins with http:// or https://", url=url)
        connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=SECONDS)
    except (ValueError, HTTPException) as error:
        raise UnreadableError("CC-WEB", f"{url} is no address: {error}", url=url) from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    watch, late = None, threading.Event()
    try:
        connection.connect()
        # A server that sends a letter now and then is never late by the socket's own clock.
        watch = threading.Timer(SECONDS, _hang_up, (connection.sock, late))
        watch.daemon = True
        watch.start()
        connection.request("POST", target, body, {"Content-Type": content_type, "Connection": "close"})
        with connection.getresponse() as response:
            data = response.read(limit + 1)
        if len(data) > limit:
            raise UnreadableError("CC-WEB", f"{url}: the answer has more than {limit} bytes", url=url)
        if late.is_set():  # what there is may be a part of it
            raise TimeoutError(f"the answer was not there after {SECONDS} seconds")
        return Answer(response.status, response.headers.get("Content-Type", ""), data)
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableError("CC-WEB", f"{url} cannot be asked: {why}", url=url) from error
    finally:
        if watch is not None:
            watch.cancel()
        connection.close()


def _hang_up(connected: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
