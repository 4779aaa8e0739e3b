"""A witness: whoever keeps the last checkpoint of a log, and cosigns a newer one only if that extends it.

The rules are those of C2SP tlog-witness; `Witness.add_checkpoint` takes the body of such a request and gives the answer
with its HTTP status, so that `charitychain.witnessing.server` has only to carry bytes. A request is

    old 3
    KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
    …

    relief.example/2026
    5
    QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=

    — relief.example/2026 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

the size that the witness saw last, the hashes that prove that 5 extends it, and the checkpoint.

Rules upheld here:

- Reading the last checkpoint, comparing, and keeping the new one are one step for all threads and processes.
- The new checkpoint is on the disk before its cosignature leaves. A witness that is killed in between has cosigned
  nothing that anybody holds, and answers a repeat.
- Only logs that were made known are answered for, each only under its own keys; before the log's signature has been
  verified, nothing of a request is kept and nobody waits for it.
- A repeat within `REPEAT_SECONDS` has the answer that it had, without a write; and a log can move on only so often.
- Of a log that signed two roots of one size both are kept, and the second is not cosigned.

Left to others: bytes over the network, and what the folder holds (`charitychain.witnessing.folder`).
"""

from __future__ import annotations

import re
import time as _time
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from charitychain import merkle
from charitychain.cosignature import add_lines, cosign, open_cosigned
from charitychain.errors import CharitychainError, MalformedError, VerificationError
from charitychain.keys import PrivateKey
from charitychain.note import (
    MAX_NOTE_BYTES,
    Checkpoint,
    Note,
    format_note,
    open_note,
    parse_checkpoint,
    parse_note,
)
from charitychain.witnessing.folder import KnownLog, WitnessFolder

__all__ = [
    "MAX_ADVANCES",
    "MAX_PROOF_LINES",
    "MAX_REQUEST_BYTES",
    "REPEAT_SECONDS",
    "SIZE_TYPE",
    "Reply",
    "Witness",
    "format_request",
]

MAX_PROOF_LINES = 63
"""The most hashes of one request (C2SP tlog-witness)."""

MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 45 * MAX_PROOF_LINES + 32
"""The longest request: a size, hashes, and a note."""

REPEAT_SECONDS = 60
"""For so long the last checkpoint, sent again, has the cosignature that it had."""

MAX_ADVANCES = 60
"""How often within a minute a log's checkpoint may move on; more often is answered with 429."""

SIZE_TYPE = "text/x.tlog.size"
"""What the body of a 409 is: the size that the witness saw last."""

_OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})", re.ASCII)
_TEXT_TYPE = "text/plain; charset=utf-8"


class Reply(NamedTuple):
    """The answer to a request: an HTTP status, what the body is, and the body."""

    status: int
    content_type: str
    body: bytes


def format_request(old: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return the body of a request to cosign `checkpoint`, by the hashes that prove it an extension of size `old`."""
    return b"".join([b"old %d\n" % old, *(b64encode(each) + b"\n" for each in proof), b"\n", checkpoint])


class Witness:
    """Answers requests. Build one as ``Witness(WitnessFolder(path), private_key)``.

    Args:
        clock: Gives seconds since 1970.
    """

    def __init__(self, folder: WitnessFolder, key: PrivateKey, *, clock: Callable[[], float] = _time.time) -> None:
        if key.public_key != folder.key.public_key:
            raise ValueError("this is not the key of that witness")
        self.folder, self._key, self._clock = folder, key, clock
        self._advances: dict[str, deque[float]] = {}

    def add_checkpoint(self, request: bytes) -> Reply:
        """Answer a request to cosign a checkpoint (C2SP tlog-witness, add-checkpoint).

        The status is 200 with the cosignature's line, 400 for what has not the form, 404 for an unknown log, 403 for
        one that did not sign, 409 with the size known here where another one was named, 422 for what does not extend
        it, 429 for a log in too great a hurry.

        Raises:
            StorageError: ``CC-STATE``: state cannot be read or kept; nothing was cosigned.
        """
        try:
            old, proof, data = _parse(request)
            head = _checkpoint(parse_note(data).text)
        except MalformedError as error:
            return _refused(400, error.message)
        log = self.folder.find(head.origin)
        if log is None:
            return _refused(404, "this witness does not know that log")
        try:
            open_note(data, log.keys)
        except CharitychainError as error:
            return _refused(403, error.message)
        if old > head.size:
            return _refused(400, "the old size is beyond that of the checkpoint")
        with self.folder.locked():
            log = self.folder.find(head.origin) or log  # as it is now that nobody else changes it
            return self._decide(log, old, proof, head, data)

    def last_checkpoint(self, name: str) -> Reply:
        """Answer who asks for the last checkpoint of the log whose origin has this hash; 404 where there is none."""
        log = self.folder.find_hash(name)
        if log is None or log.note is None:
            return _refused(404, "there is no checkpoint of that log here")
        self.folder.settle()
        return Reply(200, _TEXT_TYPE, log.note)

    def _decide(self, log: KnownLog, old: int, proof: list[bytes], head: Checkpoint, data: bytes) -> Reply:
        last = log.last
        if head.size == last.size and head.root != last.root:
            self.folder.keep_fork(log.origin, data)
        if old != last.size:
            return Reply(409, SIZE_TYPE, b"%d\n" % last.size)
        try:
            _check_extension(last, proof, head)
        except VerificationError as error:
            return _refused(422, error.message)
        now, known = int(self._clock()), log.note
        if known is not None and parse_note(known).text == parse_note(data).text:
            before = dict(open_cosigned(known, [self.folder.key])).get(self.folder.key)
            if before is not None and abs(now - before) < REPEAT_SECONDS:
                self.folder.settle()
                return _cosigned(known)
        elif not self._may_advance(log.origin):
            return _refused(429, "this log moves on too often; wait a minute")
        ours = {(key.name, key.key_hash) for key in log.keys}
        told = parse_note(data)
        signed = Note(told.text, tuple(line for line in told.signatures if (line.name, line.key_id) in ours))
        seal = format_note(signed)
        cosigned = add_lines(seal, cosign(seal, self.folder.key.name, self._key, now))
        self.folder.keep(replace(log, note=cosigned))  # on the disk before the line leaves
        return _cosigned(cosigned)

    def _may_advance(self, origin: str) -> bool:
        now, times = _time.monotonic(), self._advances.setdefault(origin, deque(maxlen=MAX_ADVANCES))
        if len(times) == MAX_ADVANCES and now - times[0] < 60:
            return False
        times.append(now)
        return True


def _check_extension(last: Checkpoint, proof: list[bytes], head: Checkpoint) -> None:
    """Check that `head` extends `last` and that the proof is the one for it, or none where none is needed."""
    if not head.size and head.root != merkle.empty_root(merkle.RFC6962):
        raise VerificationError("CC-PROOF", "a checkpoint of size 0 must have the root of nothing")
    if last.size:
        merkle.check_consistency(merkle.RFC6962, proof, last.size, last.root, head.size, head.root)
    elif proof:
        raise VerificationError("CC-PROOF", "the consistency proof from size 0 must be empty")


def _parse(request: bytes) -> tuple[int, list[bytes], bytes]:
    """Return old size, hashes and note of a request."""
    if len(request) > MAX_REQUEST_BYTES:
        raise MalformedError("CC-NOTE", f"a request has at most {MAX_REQUEST_BYTES} bytes")
    top, empty, data = request.partition(b"\n\n")
    first, *lines = top.split(b"\n")
    old = _OLD.fullmatch(first)
    if not empty or old is None:
        raise MalformedError("CC-NOTE", "a request begins with `old SIZE`, hashes, and an empty line")
    if len(lines) > MAX_PROOF_LINES:
        raise MalformedError("CC-NOTE", f"a request has at most {MAX_PROOF_LINES} hashes")
    return int(old[1]), [_hash(line) for line in lines], data


def _hash(line: bytes) -> bytes:
    with suppress(ValueError):
        found = b64decode(line, validate=True)
        if len(found) == merkle.HASH_BYTES and b64encode(found) == line:
            return found
    raise MalformedError("CC-NOTE", "a line of the proof is not a hash of 32 bytes in base64")


def _checkpoint(text: str) -> Checkpoint:
    """Parse a checkpoint; of size 0 with any root, for which the protocol has an answer of its own."""
    lines = text.split("\n")
    if lines[1:2] == ["0"]:
        return replace(parse_checkpoint("\n".join([lines[0], "1", *lines[2:]])), size=0)
    return parse_checkpoint(text)


def _refused(status: int, why: str) -> Reply:
    return Reply(status, _TEXT_TYPE, f"{why}\n".encode("utf-8", "backslashreplace"))


def _cosigned(note: bytes) -> Reply:
    return Reply(200, _TEXT_TYPE, note[note.rindex(b"\n", 0, -1) + 1 :])  # our line stands last
