"""The folder of a witness: its name, its key, and what it saw last of each log.

``witness.vkey`` is the witness's public name and key; ``keys/`` holds its private key; ``logs/`` one file for each log
that it knows, with the log's keys and the last checkpoint cosigned; and beside that, should a log ever sign two roots
of one size, the second one (``….fork``).

Rules upheld here:

- A file is replaced whole and durably, or not at all.
- One lock for all threads and processes, so that reading, comparing and replacing can be one step.
- The witness's key is no log's.

Left to others: what may be cosigned (`charitychain.witnessing.protocol`), and keeping the folder. One that comes back
from a backup has forgotten what it cosigned: the witness must then go on under a new key, and nothing here sees that.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from charitychain import merkle
from charitychain.cosignature import CosignerKey, parse_vkey, vkey
from charitychain.durable import create_file, make_directory, replace_file, sync_directory
from charitychain.errors import KeyAccessError, MalformedError, RefusedError, StorageError
from charitychain.keyring import KeyEntry, Keyring
from charitychain.keys import PrivateKey
from charitychain.note import MAX_NOTE_BYTES, Checkpoint, VerifierKey, format_checkpoint, parse_checkpoint, parse_note
from charitychain.note import parse_vkey as parse_log_vkey
from charitychain.note import vkey as log_vkey

__all__ = ["MAX_LOGS", "KnownLog", "WitnessFolder", "origin_hash"]

MAX_LOGS = 10_000
"""The most logs of one witness."""

_MAX_STATE_BYTES = 4 * MAX_NOTE_BYTES


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log that a witness knows, and what it cosigned of it last."""

    origin: str
    keys: tuple[VerifierKey, ...]
    note: bytes | None
    """The last checkpoint, with the log's signatures and the witness's; nothing if there is none yet."""

    @property
    def last(self) -> Checkpoint:
        """The last checkpoint cosigned; before the first one the empty log."""
        if self.note is None:
            return Checkpoint(self.origin, 0, merkle.empty_root(merkle.RFC6962))
        return parse_checkpoint(parse_note(self.note).text)


def origin_hash(origin: str) -> str:
    """Return the name under which a witness shows its last checkpoint of a log: SHA-256 of the origin, in hex."""
    return sha256(origin.encode()).hexdigest()


class WitnessFolder:
    """The folder of a witness: its name, its key, and the logs that it knows. Make one with `create`."""

    def __init__(self, path: Path) -> None:
        """Open the folder at `path`.

        Raises:
            StorageError: ``CC-STATE``: it is no witness's folder, or cannot be read.
        """
        self.path, self._logs = path, path / "logs"
        self.keyring = Keyring(path / "keys")
        try:
            self.key: CosignerKey = parse_vkey((path / "witness.vkey").read_text("utf-8").removesuffix("\n"))
        except (OSError, ValueError, MalformedError) as error:
            why = getattr(error, "strerror", None) or error
            raise StorageError(
                "CC-STATE", f"{path} is not the folder of a witness, as `witness init` makes it: {why}", path=str(path)
            ) from error

    @classmethod
    def create(cls, path: Path, name: str, passphrase: Callable[[Keyring], bytes | None]) -> WitnessFolder:
        """Make a witness: its folder and its key.

        Args:
            passphrase: Gives what encrypts the key file; nothing leaves it plain, readable by its owner alone.

        Raises:
            RefusedError: ``CC-EXISTS``: a witness is there already.
            MalformedError: ``CC-NOTE``: no name for a key.
            StorageError: ``CC-STATE``: it could not be written.
        """
        if (path / "witness.vkey").exists():
            raise RefusedError("CC-EXISTS", f"{path} is a witness's folder already; choose another", path=str(path))
        vkey(name, PrivateKey.generate().public_key)  # the name must do before a key file is made
        keyring = Keyring(path / "keys")
        _, key = keyring.create(name, "witness", passphrase=passphrase(keyring))
        try:
            make_directory(path / "logs")
            create_file(path / "witness.vkey", vkey(name, key.public_key).encode() + b"\n", 0o644)
        except OSError as error:
            raise _unwritten(path, error) from error
        return cls(path)

    @property
    def vkey(self) -> str:
        """The witness's name and public key, as policy files take it."""
        return vkey(self.key.name, self.key.public_key)

    def private_key(self, passphrase: Callable[[KeyEntry], bytes] | None = None) -> PrivateKey:
        """Return the witness's private key.

        Raises:
            KeyAccessError: ``CC-KEY-MISSING``, ``CC-PASSPHRASE`` and others: see `charitychain.keyring.Keyring.load`.
        """
        entry = self.keyring.find(self.key.public_key)
        if entry is None:
            raise KeyAccessError(
                "CC-KEY-MISSING", f"the key of {self.key.name} is not in {self.keyring.directory}; bring it back"
            )
        return self.keyring.load(entry, passphrase)

    def trust(self, key: VerifierKey, origin: str | None = None) -> bool:
        """Make a log, or one more key of a log, known from now on; return False if it was known.

        Args:
            origin: The first line of the log's checkpoints; nothing: the name of its key.

        Raises:
            MalformedError: ``CC-NOTE``: no checkpoint can have this origin.
            RefusedError: ``CC-WITNESS``: it is the witness's own key, or there are too many logs.
            StorageError: ``CC-STATE``.
        """
        origin = key.name if origin is None else origin
        format_checkpoint(Checkpoint(origin, 1, bytes(32)))  # or no checkpoint could have it
        if key.public_key == self.key.public_key:
            raise RefusedError("CC-WITNESS", "that is the witness's own key: it must have no other use")
        with self.locked():
            known = self.find(origin)
            if known is None and len(self.logs()) >= MAX_LOGS:
                raise RefusedError("CC-WITNESS", f"a witness knows at most {MAX_LOGS} logs")
            if known is not None and key in known.keys:
                return False
            before = known if known is not None else KnownLog(origin, (), None)
            self.keep(replace(before, keys=(*before.keys, key)))
        return True

    def logs(self) -> list[KnownLog]:
        """Return all logs that are known, by their origins.

        Raises:
            StorageError: ``CC-STATE``.
        """
        try:
            paths = sorted(self._logs.glob("*.json"))
        except OSError as error:
            raise _unwritten(self._logs, error) from error
        return sorted((_read(path) for path in paths), key=lambda log: log.origin)

    def find(self, origin: str) -> KnownLog | None:
        """Return what is known of a log.

        Raises:
            StorageError: ``CC-STATE``.
        """
        found = self.find_hash(origin_hash(origin))
        if found is not None and found.origin != origin:
            raise _damaged(self._place(origin_hash(origin)), f"it is of {found.origin}")
        return found

    def find_hash(self, name: str) -> KnownLog | None:
        """Return what is known of the log whose origin has this hash, 64 digits in lower case."""
        path = self._place(name)
        return _read(path) if re.fullmatch("[0-9a-f]{64}", name, re.ASCII) and path.exists() else None

    def keep(self, log: KnownLog) -> None:
        """Replace what is known of a log, durably; whoever calls this holds the lock."""
        told = {
            "origin": log.origin, "keys": [log_vkey(key.name, key.public_key) for key in log.keys],
            "checkpoint": None if log.note is None else log.note.decode(),
        }  # fmt: skip
        path = self._place(origin_hash(log.origin))
        try:
            replace_file(path, json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n")
        except OSError as error:
            raise _unwritten(path, error) from error

    def settle(self) -> None:
        """Make sure that what is read here is what a power cut leaves: whoever wrote it may have been killed midway."""
        try:
            sync_directory(self._logs)
        except OSError as error:
            raise _unwritten(self._logs, error) from error

    def keep_fork(self, origin: str, checkpoint: bytes) -> None:
        """Keep a log's second root of one size, once."""
        with suppress(OSError):  # the request is refused all the same
            create_file(self._place(origin_hash(origin)).with_suffix(".fork"), checkpoint)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: reading, comparing and replacing are one step for every other thread and process."""
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritten(self.path, error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise _unwritten(self.path, error) from error
            yield
        finally:
            os.close(descriptor)

    def _place(self, name: str) -> Path:
        return self._logs / f"{name}.json"


def _read(path: Path) -> KnownLog:
    try:
        with open(path, "rb") as stream:
            told = json.loads(stream.read(_MAX_STATE_BYTES).decode())
        keys = tuple(parse_log_vkey(key) for key in told["keys"])
        log = KnownLog(str(told["origin"]), keys, None if told["checkpoint"] is None else told["checkpoint"].encode())
        if log.last.origin != log.origin:
            raise ValueError("its checkpoint is of another log")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MalformedError) as error:
        raise _damaged(path, str(getattr(error, "strerror", None) or error)) from error
    return log


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(
        "CC-STATE",
        f"{path}, in which this witness remembers a log, cannot be used: {why}. Do not take an older one from a backup:"
        " make a new witness with a new key",
        path=str(path),
    )


def _unwritten(path: Path, error: OSError) -> StorageError:
    return StorageError("CC-STATE", f"{path} could not be read or written: {error.strerror}", path=str(path))
