"""A donor's pseudonyms, and the claim with which a donor finds the gifts behind them.

In the ledger a donor is 16 bytes that differ for every label: the id of a single donation, or the id of a series for
the gifts of that series. Whoever knows the secret of a label can recompute its pseudonym; nobody can go from one
pseudonym to another, or to a name. A `Claim` hands the secrets of some labels to the donor.

Rules upheld here:

- A label's secret opens that label of that ledger alone: it is a MAC under the donor's key, which no claim holds.
- Once the donor's key is gone, and the claims with it, nothing recomputes the pseudonyms.
- A claim is read strictly: no field too many or twice, no label twice, hex in lower case only.

It leaves to others where donor keys are kept (`charitychain.vault`), and whether a ledger holds such gifts.

>>> identity = bytes(32)
>>> secret = label_secret(bytes(32), identity, "D-1")
>>> pseudonym(identity, "D-1", secret).hex()
'8c240694d6aa2eaa12a4c418eb9a1145'
>>> claim = Claim("relief.example/2026", identity, (("D-1", secret),))
>>> parse_claim(format_claim(claim)) == claim
True
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import Any

from charitychain.chain.genesis import check_origin
from charitychain.codec import check_id
from charitychain.errors import MalformedError
from charitychain.strictjson import read_json
from charitychain.sumlog import Tag

__all__ = ["CLAIM_MAX", "Claim", "format_claim", "label_secret", "parse_claim", "pseudonym"]

CLAIM_MAX = 16_777_216
"""The most bytes of a claim that are read: some 70,000 labels."""

_FORM = "donor claim v1"
_CONTEXT = b"charitychain donor v1"
_HEX_32 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a donor needs to find gifts of a ledger; it is as private as what it finds, so it never shows in a repr.

    Attributes:
        origin: The ledger's name, for people.
        identity: The ledger's identity, 32 bytes.
        labels: (label, its secret of 32 bytes): the id of a donation or of a series. Each label once.
    """

    origin: str
    identity: bytes
    labels: tuple[tuple[str, bytes], ...] = field(repr=False)


def label_secret(donor_key: bytes, identity: bytes, label: str) -> bytes:
    """Return the secret of a label: HMAC-SHA256 (RFC 2104) under the donor's key of context, identity and label.

    Args:
        donor_key: 32 random bytes that belong to one donor.
        identity: The ledger's identity, 32 bytes.

    Raises:
        MalformedError: ``CC-ID``: the label is no id.
    """
    _check_size(donor_key, "a donor's key")
    _check_size(identity, "a ledger's identity")
    return hmac.digest(donor_key, _CONTEXT + identity + check_id(label, what="label").encode(), "sha256")


def pseudonym(identity: bytes, label: str, secret: bytes) -> bytes:
    """Return the 16 bytes that stand for a donor in the ledger under this label."""
    _check_size(identity, "a ledger's identity")
    _check_size(secret, "a label's secret")
    # Identity and secret have fixed lengths, so the label between them can be read in one way only.
    return hashlib.sha256(bytes((Tag.PSEUDONYM,)) + identity + label.encode() + secret).digest()[:16]


def format_claim(claim: Claim) -> str:
    """Return a claim as JSON (RFC 8259) for a file."""
    labels = [{"label": label, "secret": secret.hex()} for label, secret in claim.labels]
    value = {"form": _FORM, "origin": claim.origin, "identity": claim.identity.hex(), "labels": labels}
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def parse_claim(text: str | bytes) -> Claim:
    """Read a claim.

    Raises:
        MalformedError: ``CC-CLAIM``: it has not the form of a claim. Facts never hold a secret.
    """
    value = _fields(_load(text), ("form", "origin", "identity", "labels"), "the claim")
    if value["form"] != _FORM:
        raise _bad(f"'form' must be {_FORM!r}; this is no claim, or one of a newer release")
    listed = value["labels"]
    if not isinstance(listed, list) or not listed:
        raise _bad("'labels' must list at least one label")
    labels: dict[str, bytes] = {}
    try:
        origin = check_origin(_text(value["origin"], "origin"))
        for number, item in enumerate(listed, 1):
            one = _fields(item, ("label", "secret"), f"label {number}")
            label = check_id(_text(one["label"], "label"), what="label")
            if label in labels:
                raise _bad(f"label {number} stands there twice")
            labels[label] = _bytes_32(one["secret"], f"the secret of label {number}")
    except MalformedError as error:
        if error.code == "CC-CLAIM":
            raise
        raise _bad(error.message) from error
    return Claim(origin, _bytes_32(value["identity"], "'identity'"), tuple(labels.items()))


def _load(text: str | bytes) -> object:
    try:
        return read_json(text, size_max=CLAIM_MAX)
    except ValueError as error:
        raise _bad(str(error)) from error


def _fields(value: object, names: tuple[str, ...], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise _bad(f"{what} must have exactly the fields {', '.join(names)}")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise _bad(f"{what!r} must be text")
    return value


def _bytes_32(value: object, what: str) -> bytes:
    if not isinstance(value, str) or _HEX_32.fullmatch(value) is None:
        raise _bad(f"{what} must be 64 digits of hex in lower case")
    return bytes.fromhex(value)


def _check_size(value: bytes, what: str) -> None:
    if len(value) != 32:
        raise ValueError(f"{what} is 32 bytes, not {len(value)}")


def _bad(why: str) -> MalformedError:
    return MalformedError("CC-CLAIM", f"this is no whole claim: {why}; ask for it again")
