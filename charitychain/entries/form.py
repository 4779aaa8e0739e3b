"""The form of entries: which fields each kind must and may have."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from charitychain.errors import MalformedError
from charitychain.records import LOSS

__all__ = ["CAP_DEFAULTS", "OPTIONAL", "REQUIRED", "Entry", "check_form", "entry_id"]

Entry = Mapping[str, Any]

_COMMON = ("date", "reference", "evidence", "private", "author")
_TERMS = ("title", "tags", "restriction", "approvals", "target", "caps", "naming", "levy")
REQUIRED: dict[str, tuple[str, ...]] = {
    "unit": ("id", "decimals"),
    "party": ("id", "roles", "key"),
    "key": ("party",),
    "control": ("id", "party"),
    "suspension": ("id", "party", "suspended"),
    "account": ("id", "unit"),
    "account-change": ("id", "account"),
    "donation": ("id", "account", "amount"),
    "gifts": ("series", "account", "ids", "amounts"),
    "pledge": ("id", "account", "amount"),
    "plan": ("id", "account", "lines"),
    "disbursement": ("id", "from", "to", "amount"),
    "split": ("id", "from", "to", "amount"),
    "expenditure": ("id", "from", "amount", "payee", "purpose"),
    "conversion": ("id", "from", "amount", "to", "gives"),
    "sent": ("id", "from", "amount", "to_ledger"),
    "received": ("id", "account", "amount", "from_ledger", "checkpoint", "movement", "spans"),
    "outcome": ("id", "account", "indicator", "quantity", "of"),
    "acknowledgement": ("id", "acknowledges"),
    "refund": ("id", "donation"),
    "reversal": ("id", "reverses"),
    "attestation": ("id", "accounts", "amount", "at", "author"),
    "period": ("id", "until"),
}
OPTIONAL: dict[str, tuple[str, ...]] = {
    "unit": ("title", "author"),
    "party": ("title", "proof", "recovery", "recovery_proof", "author"),
    "key": ("key", "proof", "replaces", "compromised_since", "by_recovery", "author"),
    "control": ("recovery", "proof", "threshold", "by_recovery", "date", "reference", "author"),
    "suspension": ("reason", "date", "reference", "author"),
    "account": ("rule", "owner", "author", *_TERMS),
    "account-change": ("owner", "closed", "approved_by", *_TERMS, *_COMMON),
    "donation": ("source", "donor", "unit", "replaces", "pledge", "because_of", *_COMMON),
    "gifts": ("donors", "seconds", "source", "unit", *_COMMON),
    "pledge": ("pledger", "donor", "due", "unit", *_COMMON),
    "plan": ("title", "replaces", *_COMMON),
    "disbursement": ("gift", "unit", "replaces", "approved_by", *_COMMON),
    "split": ("unit", "replaces", "approved_by", *_COMMON),
    "expenditure": ("category", "gift", "unit", "replaces", "invoice", "line", "approved_by", *_COMMON),
    "conversion": ("funded_from", "payee", "replaces", "line", "approved_by", *_COMMON),
    "sent": ("to_origin", "gift", "unit", "approved_by", *_COMMON),
    "received": ("from_origin", "unit", *_COMMON),
    "outcome": ("amount", "place", "beneficiaries", "unit", *_COMMON),
    "acknowledgement": ("amount", "status", "upto", "on_behalf_of", "note", "unit", *_COMMON),
    "refund": ("from", "amount", "unit", "approved_by", *_COMMON),
    "reversal": ("from", "amount", "reason", "unit", "gift", "approved_by", *_COMMON),
    "attestation": ("institution", "note", *(name for name in _COMMON if name != "author")),
    "period": ("accounts", "totals", *_COMMON),
}
CAP_DEFAULTS: dict[str, Any] = {
    "base": "spent", "scope": "account", "period": "year", "mode": "flag",
    "categories": ["administration", "fundraising"],
}  # fmt: skip
"""What a cap is that does not say so; a signed cap says everything."""
_FLAGS = ("suspended", "closed", "upto", "by_recovery")


def entry_id(entry: Entry) -> str | None:
    """Return the id that an entry brings, if it brings one."""
    found = entry.get("id")
    return found if isinstance(found, str) else None


def check_form(entry: Entry) -> str:
    """Check the fields of an entry by name and return its kind.

    Raises:
        MalformedError: ``CC-ENTRY``: an unknown kind or field, or a missing one.
    """
    kind = entry.get("record")
    if not isinstance(kind, str) or kind not in REQUIRED:
        raise MalformedError(
            "CC-ENTRY", f"'record' must be one of {', '.join((*REQUIRED, 'statement'))}, found {kind!r:.60}"
        )
    known = (*REQUIRED[kind], *OPTIONAL[kind])
    for name in entry:
        if name != "record" and name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it may have {', '.join(known)}"
            raise MalformedError("CC-ENTRY", f"the {kind} has no field {name!r:.60}{hint}", field=str(name))
    for name in REQUIRED[kind]:
        if name in ("payee", "purpose") and "private" in entry:
            continue  # they may stand among the private details, off the ledger
        if name == "payee" and entry.get("category") == LOSS:
            continue  # what was lost went to nobody
        if entry.get(name) is None:
            raise MalformedError("CC-ENTRY", f"the {kind} must have the field {name!r}", field=name)
    for name, value in entry.items():
        if value is None:
            raise MalformedError("CC-ENTRY", f"field {name!r} is null; leave it out instead", field=name)
        if isinstance(value, bool) != (name in _FLAGS):  # Python would take true for a number
            what = "must be true or false" if name in _FLAGS else "is true or false, which it cannot be"
            raise MalformedError("CC-ENTRY", f"field {name!r} {what}", field=name)
    return kind
