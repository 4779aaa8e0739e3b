"""Where keys live: a folder of private key files that many ledgers share.

For each key there are ``NAME.key`` (the private key, see `charitychain.keyfile`) and ``NAME.pub`` (one line: party id
and public key as hex), so that a key is found without its passphrase; beside an operator's key also ``NAME.mark`` (see
`charitychain.mark`). NAME is made of the ledger's origin and the party's id. It is for people: a key is always looked
up by its public key, as the ledger knows it, never by name.

Rules upheld here:

- A key file is created with mode 0600 whatever the umask, durably, and never replaces another file.
- A key file that others may read or write is refused: whatever it once kept secret is no longer.
- What was decrypted must belong to the public key beside it.
- A passphrase comes from a file, a command, the environment or a prompt, never from an argument, which every user of
  the machine can see. It appears in no message.

It leaves to others what a key may do in a ledger, and the form of key files.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     keyring = Keyring(Path(folder))
...     entry, key = keyring.create("relief.example/2026", "self", passphrase=None)
...     entry.path.name, keyring.load(keyring.find(key.public_key)).public_key == key.public_key
('relief.example_2026.self.key', True)
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from charitychain.durable import create_file, make_directory, replace_file
from charitychain.errors import KeyAccessError, StorageError
from charitychain.keyfile import KEY_FILE_MAX, decode_key, encode_key, is_encrypted_key
from charitychain.keys import PrivateKey
from charitychain.mark import HighWaterMark

__all__ = ["HighWaterMark", "KeyEntry", "Keyring", "default_directory", "passphrase_source", "slug"]

_SLUG_MAX = 96  # bytes of a file name for origin and party each; a name may have 255
_PUB_MAX = 1024
_PUB = re.compile(r"(\S{1,128}) ([0-9a-f]{66})\n?")
_PASSPHRASE_FILE_MAX = 65_536


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key in a keyring.

    Attributes:
        path: The private key file, ``NAME.key``.
        party: Id of the party that it was made for.
        public_key: 33 bytes: algorithm, key.
    """

    path: Path
    party: str
    public_key: bytes


def default_directory(environ: Mapping[str, str]) -> Path:
    """Return the folder of the user's keys.

    ``$CHARITYCHAIN_KEYS``, else ``$XDG_CONFIG_HOME/charitychain/keys``, else ``~/.config/charitychain/keys``.
    """
    if chosen := environ.get("CHARITYCHAIN_KEYS"):
        return Path(chosen)
    base = environ.get("XDG_CONFIG_HOME", "")
    # The specification of XDG wants a relative path to be ignored.
    folder = Path(base) if os.path.isabs(base) else Path(environ.get("HOME") or Path.home()) / ".config"
    return folder / "charitychain" / "keys"


class Keyring:
    """The key files of one folder; the folder is made, open to its user alone, when the first key is.

    Args:
        directory: The folder; nothing is the user's own (`default_directory`).
        also: More folders in which keys are found; none is made there.
    """

    def __init__(self, directory: Path | None = None, *, also: Sequence[Path] = ()) -> None:
        self.directory = directory if directory is not None else default_directory(os.environ)
        self._also = tuple(also)

    @property
    def places(self) -> tuple[str, ...]:
        """All folders in which keys are found."""
        return tuple(map(str, (self.directory, *self._also)))

    def __repr__(self) -> str:
        return f"Keyring({str(self.directory)!r})"

    def list(self) -> tuple[KeyEntry, ...]:
        """Return all keys, in order of their names; files that are not ours are passed over.

        Raises:
            KeyAccessError: ``CC-KEY-READ``: the folder cannot be read. One that does not exist is empty.
        """
        return tuple(entry for folder in (self.directory, *self._also) for entry in _list_folder(folder))

    def find(self, public_key: bytes) -> KeyEntry | None:
        """Return the key with this public key (33 bytes), if it is here."""
        return next((entry for entry in self.list() if entry.public_key == public_key), None)

    def create(
        self, origin: str, party: str, *, passphrase: bytes | None, seed: bytes | None = None, label: str = ""
    ) -> tuple[KeyEntry, PrivateKey]:
        """Make a new key for a party of a ledger; without a passphrase the file is plain.

        Args:
            seed: 32 random bytes, where the key was made before; nothing makes them now.
            label: A word for people at the end of the file's name, such as ``recovery``.

        Raises:
            KeyAccessError: ``CC-PASSPHRASE``: the passphrase is empty or too long.
            StorageError: ``CC-STATE``: the files could not be written.
        """
        seed = seed if seed is not None else secrets.token_bytes(32)
        key = PrivateKey.from_seed(seed)
        return self._store(origin, party, encode_key(seed, passphrase), key.public_key, label), key

    def load(self, entry: KeyEntry, passphrase: Callable[[KeyEntry], bytes] | None = None) -> PrivateKey:
        """Return the private key of an entry.

        Args:
            passphrase: Asked only if the file is encrypted.

        Raises:
            KeyAccessError: ``CC-KEY-MODE``: others may read or write the file. ``CC-PASSPHRASE``: missing or wrong.
                ``CC-KEY-MISMATCH``: the file holds another key than the entry says. ``CC-KEY-FORM``,
                ``CC-KEY-COST``: see `charitychain.keyfile.decode_key`. ``CC-KEY-READ``: it cannot be read.
        """
        key = _decode(_read_secret(entry.path), entry, passphrase)
        if key.public_key != entry.public_key:
            raise KeyAccessError(
                "CC-KEY-MISMATCH",
                f"{entry.path} holds the key {key.public_key[1:].hex()[:16]}…, but the .pub file beside it says"
                f" {entry.public_key[1:].hex()[:16]}…; put back the files that belong together",
                path=str(entry.path),
                expected=entry.public_key.hex(),
                found=key.public_key.hex(),
            )
        return key

    def is_encrypted(self, entry: KeyEntry) -> bool:
        """Tell whether loading this key needs a passphrase.

        Raises:
            KeyAccessError: ``CC-KEY-MODE``, ``CC-KEY-READ``, ``CC-KEY-FORM``, as `load` does.
        """
        return is_encrypted_key(_read_secret(entry.path))

    def _store(self, origin: str, party: str, data: bytes, public_key: bytes, label: str = "") -> KeyEntry:
        if _PUB.fullmatch(line := f"{party} {public_key.hex()}\n") is None:
            raise ValueError(f"a party id has 1 to 128 characters and no white space: {party!r}")
        base = f"{slug(origin)}.{slug(party)}{label and '.'}{label}"
        number = 1
        try:
            make_directory(self.directory)
            while True:
                path = self.directory / f"{base}{'' if number == 1 else f'.{number}'}.key"
                number += 1
                # A mark without its key belongs to a key that was moved away: never give it to another one.
                if path.exists() or path.with_suffix(".mark").exists():
                    continue
                try:
                    create_file(path, data)
                except FileExistsError:
                    continue  # somebody was faster
                # The key first: it claims the name. A crash between the two leaves a key that nobody uses yet.
                replace_file(path.with_suffix(".pub"), line.encode(), mode=0o644)
                return KeyEntry(path, party, public_key)
        except OSError as error:
            raise StorageError(
                "CC-STATE",
                f"the key could not be written to {self.directory}: {error.strerror}",
                path=str(self.directory),
            ) from error


def passphrase_source(
    *,
    file: str | os.PathLike[str] | None = None,
    command: str | None = None,
    environ: Mapping[str, str],
    prompt: Callable[[KeyEntry], bytes] | None = None,
) -> Callable[[KeyEntry], bytes]:
    """Return a function that gives the passphrase for a key, from the first place that has one.

    In this order: `file`, `command`, ``$CHARITYCHAIN_PASSPHRASE``, ``$CHARITYCHAIN_PASSPHRASE_FILE``,
    ``$CHARITYCHAIN_PASSPHRASE_COMMAND``, `prompt`. Of a file or a command's output the first line counts, without its
    end. A command is split like a shell would, but no shell runs it.

    The function raises `KeyAccessError` ``CC-PASSPHRASE`` if there is no passphrase anywhere, if it is empty, or if its
    source fails.
    """

    def ask(entry: KeyEntry) -> bytes:
        if file is not None:
            found = _from_file(os.fspath(file))
        elif command is not None:
            found = _from_command(command)
        elif "CHARITYCHAIN_PASSPHRASE" in environ:
            found = os.fsencode(environ["CHARITYCHAIN_PASSPHRASE"])
        elif path := environ.get("CHARITYCHAIN_PASSPHRASE_FILE"):
            found = _from_file(path)
        elif line := environ.get("CHARITYCHAIN_PASSPHRASE_COMMAND"):
            found = _from_command(line)
        elif prompt is not None:
            found = prompt(entry)
        else:
            raise KeyAccessError(
                "CC-PASSPHRASE",
                f"{entry.path} needs a passphrase; give it with --passphrase-file, --passphrase-command or"
                " $CHARITYCHAIN_PASSPHRASE, or run this in a terminal",
                path=str(entry.path),
            )
        found = found.partition(b"\n")[0].removesuffix(b"\r")
        if not found:
            raise KeyAccessError("CC-PASSPHRASE", f"the passphrase for {entry.path} is empty", path=str(entry.path))
        return found

    return ask


def _from_file(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_PASSPHRASE_FILE_MAX)
    except OSError as error:
        raise KeyAccessError(
            "CC-PASSPHRASE", f"the passphrase file {path} cannot be read: {error.strerror}", path=path
        ) from error


def _from_command(command: str) -> bytes:
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
        if not words:
            raise ValueError("it is empty")
        done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    except (OSError, ValueError) as error:
        raise KeyAccessError("CC-PASSPHRASE", f"the passphrase command cannot be run: {error}") from error
    if done.returncode != 0:
        raise KeyAccessError("CC-PASSPHRASE", f"the passphrase command failed with exit code {done.returncode}")
    return done.stdout


def _decode(data: bytes, entry: KeyEntry, passphrase: Callable[[KeyEntry], bytes] | None) -> PrivateKey:
    try:
        secret = passphrase(entry) if passphrase is not None and is_encrypted_key(data) else None
        return PrivateKey.from_cryptography(decode_key(data, secret))
    except KeyAccessError as error:
        if str(entry.path) in error.message:
            raise
        facts = {"path": str(entry.path), **error.facts}
        raise KeyAccessError(error.code, f"{entry.path}: {error.message}", **facts) from error


def _read_secret(path: Path) -> bytes:
    """Return the bytes of a key file, after a look at who else can."""
    try:
        # Without O_NONBLOCK a pipe of that name would hang us; the check is on what was opened, not on a name.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyAccessError(
            "CC-KEY-READ", f"the key file {path} cannot be read: {error.strerror}", path=str(path)
        ) from error
    with open(descriptor, "rb") as stream:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise KeyAccessError("CC-KEY-READ", f"the key file {path} is not a regular file", path=str(path))
        if mode & 0o077:
            raise KeyAccessError(
                "CC-KEY-MODE",
                f"the key file {path} has mode {stat.S_IMODE(mode):04o}, so others may read or write it; if nobody has,"
                f" run: chmod 600 {path}",
                path=str(path),
                expected="0600",
                found=f"{stat.S_IMODE(mode):04o}",
            )
        try:
            return stream.read(KEY_FILE_MAX + 1)
        except OSError as error:
            raise KeyAccessError(
                "CC-KEY-READ", f"the key file {path} cannot be read: {error.strerror}", path=str(path)
            ) from error


def _list_folder(folder: Path) -> tuple[KeyEntry, ...]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".pub") and name[0] != ".")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeyAccessError(
            "CC-KEY-READ", f"the keys in {folder} cannot be read: {error.strerror}", path=str(folder)
        ) from error
    entries = (_read_entry(folder / name) for name in names)
    return tuple(entry for entry in entries if entry is not None)


def _read_entry(pub: Path) -> KeyEntry | None:
    """Return what a ``NAME.pub`` says, or nothing if it is not one of ours or has no key beside it."""
    path = pub.with_suffix(".key")
    try:
        if not path.exists() or not pub.is_file():
            return None
        with open(pub, "rb") as stream:
            match = _PUB.fullmatch(stream.read(_PUB_MAX).decode())
        if match is None:
            return None
    except (OSError, ValueError):
        return None
    return KeyEntry(path, match[1], bytes.fromhex(match[2]))


def slug(text: str) -> str:
    """Return `text` with everything but ``A-Z a-z 0-9 . _ -`` replaced, short enough for a file name."""
    slug = re.sub(r"[^A-Za-z0-9._-]", "_", text)[:_SLUG_MAX]
    return "_" + slug[1:] if slug[:1] in ("", ".", "-") else slug
