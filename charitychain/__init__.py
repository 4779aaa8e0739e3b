"""charitychain: a donation ledger that nobody can quietly change, in which every unit of every gift can be followed.

The public names are below; everything else may move. They load what they need when first used, so that importing the
package stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from charitychain.answers import Money, Sources, Trace
    from charitychain.errors import (
        CharitychainError,
        KeyAccessError,
        LockedError,
        MalformedError,
        NotFoundError,
        RefusedError,
        StorageError,
        UnreadableError,
        VerificationError,
    )
    from charitychain.findings import Finding
    from charitychain.ledger import Ledger
    from charitychain.receipts.check import Checked, check_receipt
    from charitychain.replay import Fault
    from charitychain.verify import Report
    from charitychain.writer import Writer

_PLACES = {
    "Ledger": "ledger",
    "Checked": "receipts.check",
    "check_receipt": "receipts.check",
    "Writer": "writer",
    "Report": "verify",
    "Fault": "replay",
    "Finding": "findings",
    "Trace": "answers",
    "Sources": "answers",
    "Money": "answers",
    "CharitychainError": "errors",
    "KeyAccessError": "errors",
    "LockedError": "errors",
    "MalformedError": "errors",
    "NotFoundError": "errors",
    "RefusedError": "errors",
    "StorageError": "errors",
    "UnreadableError": "errors",
    "VerificationError": "errors",
}

__all__ = [
    "CharitychainError",
    "Checked",
    "Fault",
    "Finding",
    "KeyAccessError",
    "Ledger",
    "LockedError",
    "MalformedError",
    "Money",
    "NotFoundError",
    "RefusedError",
    "Report",
    "Sources",
    "StorageError",
    "Trace",
    "UnreadableError",
    "VerificationError",
    "Writer",
    "__version__",
    "check_receipt",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(f"charitychain.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'charitychain' has no attribute {name!r}")
