"""Every error that charitychain raises, as one family.

    CharitychainError
    ├── MalformedError      bytes or text from outside that do not have the form they must have
    ├── VerificationError   checked, and found bad: a hash, a signature, a proof, a history
    ├── UnreadableError     cannot be read, or is no ledger of a known version
    ├── NotFoundError       no such id in this ledger
    ├── LockedError         another writer holds the ledger
    ├── KeyAccessError      key, passphrase or role is missing or wrong
    ├── RefusedError        a rule of the ledger says no; nothing was recorded
    └── StorageError        the disk failed; what was acknowledged is still there

Rules upheld here:

- A caller picks a branch by what it would *do* next; misuse by our own caller stays `ValueError` or `TypeError`.
- Each error carries a stable `code` (such as ``CC-LINK``), documented in `docs/reference/errors.md`; wording may
  improve, codes stay.
- Facts (height, offset, expected, found, …) are attributes in `facts`; the sentence is built from them.
- Nothing here prints, exits or knows about a terminal.

>>> error = RefusedError("CC-OVERDRAFT", "account 'edu' holds 2.00 CNY, not 3.00", account="edu")
>>> error.code, error.exit_code, error.facts["account"]
('CC-OVERDRAFT', 7, 'edu')
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "CharitychainError",
    "KeyAccessError",
    "LockedError",
    "MalformedError",
    "NotFoundError",
    "RefusedError",
    "StorageError",
    "UnreadableError",
    "VerificationError",
]


class CharitychainError(Exception):
    """Base of everything that charitychain raises about the outside world.

    Args:
        code: Stable short code, ``CC-`` and capitals.
        message: One sentence: where, expected what, found what, what to do.
        facts: The facts of the sentence by name, for programs.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.code, self.message, self.facts)


def _rebuild(cls: type[CharitychainError], code: str, message: str, facts: dict[str, Any]) -> CharitychainError:
    return cls(code, message, **facts)


class MalformedError(CharitychainError):
    """Bytes or text from outside do not have the form that they must have."""

    exit_code = 7


class VerificationError(CharitychainError):
    """Something was checked and found bad. The only family member with exit code 1."""

    exit_code = 1


class UnreadableError(CharitychainError):
    """The file cannot be read, or is no ledger of a version that this release knows."""

    exit_code = 3


class NotFoundError(CharitychainError):
    """The ledger holds no such id."""

    exit_code = 4


class LockedError(CharitychainError):
    """Another writer holds the ledger; the message names it."""

    exit_code = 5


class KeyAccessError(CharitychainError):
    """A key or passphrase is missing or wrong, or the key's party lacks the role."""

    exit_code = 6


class RefusedError(CharitychainError):
    """A rule of the ledger refuses the record; nothing was recorded."""

    exit_code = 7


class StorageError(CharitychainError):
    """The operating system failed to store or read; what was acknowledged before is still there."""

    exit_code = 3
