"""Fetch: files by their paths, out of a folder or from a web server. What comes is bytes to check, nothing more.

Rules upheld here:

- Nobody can fill memory: the caller says how many bytes it takes at most, and more is an error.
- Nobody can make us wait for ever: every answer has a time within which it must come, and a file as a whole another.
- A web server is asked by GET over one connection that is kept; redirections are followed a few times, and never from
  https to http or to anything else than the two.
- A path is what our own code makes (`charitychain.tiles`): never one that somebody else wrote.

Left to others: what the bytes mean, and whether they are true. Proxies and passwords are not supported; a program that
needs them copies the files first, by whatever means.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as name:
...     _ = (Path(name) / "checkpoint").write_bytes(b"...")
...     folder = open_source(name)
...     folder.get("checkpoint", 10), folder.get("tile/0/000", 10)
(b'...', None)
"""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from charitychain.errors import UnreadableError

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse
    from socket import socket

__all__ = ["Folder", "Source", "Web", "is_url", "open_source"]

_WAIT = 30.0
"""Seconds for a connection, and between two pieces of an answer."""

_WAIT_FOR_ALL = 900.0
"""Seconds for a whole file, however slowly it trickles."""

_REDIRECTIONS = 3
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ABSENT = {403, 404, 410}  # some buckets answer 403 for what is not there
_PIECE = 1 << 16
# Of the module socket, which only a web source needs: SHUT_RDWR, IPPROTO_TCP, and TCP_QUICKACK, which is Linux's own.
_BOTH_WAYS, _TCP, _QUICKACK = 2, 6, 12 if sys.platform == "linux" else None


class Source(Protocol):
    """A place from which files are fetched."""

    @property
    def name(self) -> str:
        """What messages call this place."""
        ...

    def get(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a file, or nothing if there is none.

        Raises:
            UnreadableError: ``CC-WEB`` or, in a folder, ``CC-UNREADABLE``: the place cannot be reached, or the file
                has more than `limit` bytes.
        """
        ...

    def close(self) -> None:
        """Let go of everything; may be called twice."""
        ...


def is_url(place: str) -> bool:
    """Say whether `place` is an address in the web, and not a path."""
    return place.lower().startswith(("http://", "https://"))


def open_source(place: str) -> Source:
    """Return the source for an address or the path of a folder; nothing is fetched yet.

    Raises:
        UnreadableError: ``CC-WEB``: an address that is not supported.
    """
    if is_url(place):
        return Web(place)
    if _SCHEME.match(place):
        raise UnreadableError("CC-WEB", f"{place} cannot be read: only http, https and folders are", place=place)
    return Folder(Path(place).resolve())


class Folder:
    """Files below a folder; implements `Source`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        return os.fspath(self.folder)

    def get(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a file; see `Source.get`."""
        file = self.folder / path
        try:
            # O_NONBLOCK: a named pipe that somebody put here must not make us wait.
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise UnreadableError("CC-UNREADABLE", f"{file} is no file", path=str(file))
                data = stream.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UnreadableError("CC-UNREADABLE", f"{file} cannot be read: {error.strerror}") from error
        if len(data) > limit:
            raise _too_long(str(file), limit, "CC-UNREADABLE")
        return data

    def close(self) -> None:
        """There is nothing to let go of."""


class Web:
    """Files below an address, over one connection that is kept; implements `Source`.

    Raises:
        UnreadableError: ``CC-WEB``: the address has a password, a query or a fragment, or no host.
    """

    def __init__(self, address: str) -> None:
        self._base = _checked(address.rstrip("/") + "/", address)
        self._connection: HTTPConnection | None = None
        self._socket: socket | None = None  # of the last question; the connection may have let go of it
        self._host = ("", "")

    @property
    def name(self) -> str:
        return self._base.geturl().rstrip("/")

    def get(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a file; see `Source.get`."""
        # A server that sends a letter now and then is never late by the socket's own clock.
        watch = threading.Timer(_WAIT_FOR_ALL, self._hang_up)
        watch.daemon = True
        watch.start()
        try:
            return self._get(self._base._replace(path=self._base.path + path), limit, time.monotonic() + _WAIT_FOR_ALL)
        finally:
            watch.cancel()

    def _hang_up(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(_BOTH_WAYS)

    def _get(self, address: SplitResult, limit: int, until: float) -> bytes | None:
        for _ in range(_REDIRECTIONS + 1):
            response = self._ask(address)
            if response.status == 200:
                return self._body(response, address.geturl(), limit, until)
            if response.status in (301, 302, 303, 307, 308):
                to = urljoin(address.geturl(), response.getheader("Location", ""))
                self.close()
                before, address = address, _checked(to, to)
                if before.scheme == "https" and address.scheme != "https":
                    raise _unreachable(before.geturl(), f"it sends to {to[:200]!a}, which is not protected")
                continue
            self.close()
            if response.status in _ABSENT:
                return None
            raise _unreachable(address.geturl(), f"the server answers {response.status}")
        raise _unreachable(self.name, f"it redirects more than {_REDIRECTIONS} times")

    def close(self) -> None:
        """Close the connection; the next file opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, address: SplitResult) -> HTTPResponse:
        """Send the question, once more where a kept connection turns out to have been closed meanwhile."""
        from http.client import HTTPException

        kept = self._connection is not None and self._host == (address.scheme, address.netloc)
        for again in (kept, False):
            try:
                connection = self._connect(address)
                connection.request("GET", address.path or "/", headers={"User-Agent": "charitychain"})
                self._socket = connection.sock
                if _QUICKACK is not None:  # else a server that sends head and body apart waits 40 ms between them
                    self._socket.setsockopt(_TCP, _QUICKACK, 1)
                return connection.getresponse()
            except (OSError, HTTPException, ValueError) as error:
                self.close()
                if not again:
                    raise _unreachable(address.geturl(), _why(error)) from error
        raise AssertionError("both turns return or raise")

    def _connect(self, address: SplitResult) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        host = (address.scheme, address.netloc)
        if self._connection is None or self._host != host:
            self.close()
            kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
            self._connection, self._host = kind(address.netloc, timeout=_WAIT), host
        return self._connection

    def _body(self, response: HTTPResponse, name: str, limit: int, until: float) -> bytes:
        from http.client import HTTPException

        parts, count = [], 0
        try:
            while piece := response.read1(_PIECE):
                parts.append(piece)
                count += len(piece)
                if count > limit:
                    raise _too_long(name, limit)
            if time.monotonic() > until:
                raise _unreachable(name, f"it does not come within {_WAIT_FOR_ALL:.0f} seconds")
            declared = response.getheader("Content-Length")
            if declared is not None and declared != str(count):
                raise _unreachable(name, "the answer was cut short")
        except (OSError, HTTPException) as error:
            self.close()
            raise _unreachable(name, _why(error)) from error
        except UnreadableError:
            self.close()
            raise
        response.close()  # it is read to its end; the connection waits for this to take the next question
        if response.will_close:
            self.close()
        return b"".join(parts)


def _checked(address: str, told: str) -> SplitResult:
    parts = None
    with suppress(ValueError):
        parts = urlsplit(address)
        _ = parts.port  # which raises where it is no number
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _unreachable(told, "it is no address of http or https")
    if "@" in parts.netloc or parts.query or parts.fragment or not parts.geturl().isascii():
        raise _unreachable(told, "an address here has no password, query, fragment or letter beyond ASCII")
    return parts


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _unreachable(name: str, why: str) -> UnreadableError:
    return UnreadableError("CC-WEB", f"{name} cannot be fetched: {why}", place=name)


def _too_long(name: str, limit: int, code: str = "CC-WEB") -> UnreadableError:
    return UnreadableError(code, f"{name} has more than the {limit} bytes that it may have", place=name)
