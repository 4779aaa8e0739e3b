"""Lists of people: whom a service reached, kept in a folder, and told to the ledger by their hash alone.

A list is a file: a salt of 32 hexadecimal digits, then the people's pseudonyms in lower case, in rising order, a line
feed after each line. An expenditure's evidence is the file's SHA-256, so that whoever is shown the file can check it
(`charitychain check-evidence`).

Rules upheld here:

- The salt is random: without the file nobody can find out from the hash whether somebody is on the list, although the
  pseudonym is known and the list short.
- A list that is there keeps its salt, so that a table can be entered again, and is never replaced by another list.
- Files and folder are open to nobody else.

It leaves to others what a list is for (`charitychain.programmes.services`).

>>> people_list("ab" * 16, ["0B" * 16, "0a" * 16]).split()[1][:4]
b'0a0a'
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from charitychain.durable import create_file, make_directory
from charitychain.errors import RefusedError, StorageError

__all__ = ["PeopleFolder", "people_list"]

_SALT_BYTES = 16


def people_list(salt: str, people: Iterable[str]) -> bytes:
    """Return the bytes of a list.

    Args:
        salt: 32 hexadecimal digits that nobody else knows, of its own for each list.
        people: Their pseudonyms, in any order and case.
    """
    lines = [salt, *sorted({name.lower() for name in people})]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


class PeopleFolder:
    """A folder of lists; such as are new are kept back until `write`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._new: dict[Path, bytes] = {}

    def list_of(self, id_: str, people: Iterable[str]) -> bytes:
        """Return the list of an expenditure: the one that is there, or a new one.

        Raises:
            RefusedError: ``CC-DUPLICATE-ID``: a list of that name is there, and is not that of these people.
            StorageError: ``CC-STORAGE``: it cannot be read.
        """
        path, people = self._folder / f"{id_}.txt", list(people)
        try:
            there = path.read_bytes()
        except FileNotFoundError:
            made = self._new[path] = people_list(secrets.token_hex(_SALT_BYTES), people)
            return made
        except OSError as error:
            raise StorageError("CC-STORAGE", f"{path}: {error.strerror or error}") from error
        salt = there[: 2 * _SALT_BYTES]
        if not set(salt) <= set(b"0123456789abcdef") or there != people_list(salt.decode("ascii"), people):
            raise RefusedError(
                "CC-DUPLICATE-ID",
                f"{path} is there, and is not the list of the people in the table: what was entered is not entered"
                " again with others; if nothing was recorded with that list, remove it",
                file=str(path),
            )
        return there

    def write(self) -> None:
        """Write the lists that are new.

        Raises:
            StorageError: ``CC-STORAGE``: one cannot be written, or came to be there meanwhile.
        """
        try:
            if self._new:
                make_directory(self._folder)
            for path, data in self._new.items():
                create_file(path, data)
        except OSError as error:
            raise StorageError("CC-STORAGE", f"{error.filename or self._folder}: {error.strerror or error}") from error

    def withdraw(self) -> None:
        """Remove what `write` wrote: nothing was recorded with it."""
        for path in self._new:
            path.unlink(missing_ok=True)
