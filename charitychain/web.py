"""One request over HTTP, bounded: what is asked of witnesses and of time-stamping authorities.

Rules upheld here:

- ``http`` and ``https`` only, certificates of the latter checked against those that the system trusts.
- No redirect is followed and no proxy is asked: the answer is that of the address that was named.
- An answer longer than was said, or that takes longer than `SECONDS`, is given up.

What an answer means, its status too, is left to whoever asked.

>>> post("ftp://example.org/", b"", "text/plain")
Traceback (most recent call last):
charitychain.errors.UnreadableError: ftp://example.org/ is no address that begins with http:// or https://
"""

from __future__ import annotations

import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from charitychain.errors import UnreadableError

__all__ = ["SECONDS", "Answer", "post"]

SECONDS = 15
"""How long a request may take: to connect, to wait, and to read the answer, each."""

_CHUNK = 16 * 1024


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
    except ValueError as error:
        raise UnreadableError("CC-WEB", f"{url} is no address: {error}", url=url) from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, {"Content-Type": content_type, "Connection": "close"})
        response = connection.getresponse()
        data, until = b"", time.monotonic() + SECONDS
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > limit or time.monotonic() > until:
                raise UnreadableError("CC-WEB", f"{url}: the answer is too long or comes too slowly", url=url)
        return Answer(response.status, response.headers.get("Content-Type", ""), data)
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableError("CC-WEB", f"{url} cannot be asked: {why}", url=url) from error
    finally:
        connection.close()
