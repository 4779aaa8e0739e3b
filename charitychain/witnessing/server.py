"""The HTTP face of a witness: a Starlette application, run by uvicorn (the extra ``witness``).

``POST /add-checkpoint`` asks for a cosignature, ``GET /HASH/checkpoint`` for the last checkpoint of the log whose
origin has that SHA-256 (C2SP tlog-witness).

Rules upheld here:

- A body is read no further than a request may be long, and for `BODY_SECONDS` at most.
- So many connections at a time and no more; the next ones are told 503.
- What fails on the disk is told as 500 without its details, which are for the one who keeps the witness.
- A signal to stop lets the requests at hand have their answers first.

Left to others: TLS, for which a web server stands in front; and every decision (`charitychain.witnessing.protocol`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from charitychain.errors import CharitychainError, StorageError, UnreadableError
from charitychain.witnessing.protocol import MAX_REQUEST_BYTES, Reply, Witness

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["BODY_SECONDS", "MAX_CONNECTIONS", "application", "serve"]

BODY_SECONDS = 10
"""How long the body of a request may take to arrive."""

MAX_CONNECTIONS = 64
"""How many connections are answered at a time."""

_STOPPING_SECONDS = 10
_FAILED = Reply(500, "text/plain; charset=utf-8", b"this witness cannot use its disk\n")


def application(witness: Witness, told: Callable[[str], None]) -> Starlette:
    """Return the application that answers for `witness`.

    Args:
        told: Called with one line for each request to cosign, and for each failure.

    Raises:
        UnreadableError: ``CC-PACKAGE``: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import ClientDisconnect
        from starlette.responses import Response
        from starlette.routing import Route
    except ImportError as error:
        raise _no_package(error) from error

    async def answer(question: Callable[[], Reply], what: str) -> Response:
        try:
            reply = await run_in_threadpool(question)
        except CharitychainError as error:
            told(f"{what}: {error.message} [{error.code}]")
            reply = _FAILED
        if what:
            told(f"{what}: {reply.status}")
        return Response(reply.body, reply.status, media_type=None, headers={"Content-Type": reply.content_type})

    async def add_checkpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = b""
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > MAX_REQUEST_BYTES:
                        return Response("the request is too long\n", 413, headers={"Connection": "close"})
        except TimeoutError:
            return Response("the request came too slowly\n", 408, headers={"Connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return await answer(lambda: witness.add_checkpoint(body), _about(body))

    async def checkpoint(request: Request) -> Response:
        return await answer(lambda: witness.last_checkpoint(request.path_params["name"]), "")

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{name}/checkpoint", checkpoint, methods=["GET"]),
        ]
    )


def serve(witness: Witness, host: str, port: int, told: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """Answer for `witness` at an address until the process is told to stop.

    Args:
        port: 0 takes a free one.
        ready: Called with the URL once connections are taken.

    Raises:
        UnreadableError: ``CC-PACKAGE``: Starlette or uvicorn is not installed.
        StorageError: ``CC-STORAGE``: the address cannot be had.
    """
    app = application(witness, told)
    try:
        import uvicorn
    except ImportError as error:
        raise _no_package(error) from error
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise StorageError("CC-STORAGE", f"{host}, port {port}, cannot be listened at: {why}") from error
    with listening:
        name = f"[{host}]" if family == socket.AF_INET6 else host
        ready(f"http://{name}:{listening.getsockname()[1]}/")
        config = uvicorn.Config(
            app, lifespan="off", ws="none", log_level="error", access_log=False, server_header=False,
            limit_concurrency=MAX_CONNECTIONS, timeout_keep_alive=5, timeout_graceful_shutdown=_STOPPING_SECONDS,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listening])


def _about(body: bytes) -> str:
    """Return which log a request says it is of, and which size, to be told; nobody has signed that yet."""
    lines = body.partition(b"\n\n")[2].split(b"\n", 2)
    return " ".join(line[:120].decode("utf-8", "replace") for line in lines[:2]) or "a request"


def _no_package(error: ImportError) -> UnreadableError:
    return UnreadableError(
        "CC-PACKAGE",
        f"to serve a witness the packages starlette and uvicorn are needed ({error}):"
        " pip install 'charitychain[witness]'",
    )
