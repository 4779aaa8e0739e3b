"""Details of a record that stay off the ledger: the ledger holds one hash, and each detail can be shown by itself.

The details of a record (a payee's name, an address, a case number) are leaves of a Merkle tree in the order of their
names; its root is the record's ``private`` field. Each leaf has a salt of its own.

Rules upheld here:

- The root tells nothing of a detail: without its 16 random bytes of salt not even a good guess can be checked.
- A disclosure shows one detail, and of the others hashes alone. It tells neither how many they are nor which one this
  is: a root commits to no size, so its maker could say what he liked. (The length of the path tells the order of
  magnitude: with p hashes there are at least p other details.)
- Nobody can show another value, or another name, under a root that was sealed.
- Names differ, and their order is that of their code points, so that equal details with equal salts have equal roots.

It leaves to others where values and salts are kept (`charitychain.vault`), and which root was sealed. What nobody can
check without all details is that their names differ: a disclosure proves that a detail was sealed with a record, not
that no other one of that name was.

>>> root, leaves = commit([Detail("payee", "Siti", b"s" * 16), Detail("case", "17", b"t" * 16)])
>>> shown = disclose(bytes(32), "X-1", Detail("payee", "Siti", b"s" * 16), leaves, 1)
>>> check_disclosure(parse_disclosure(format_disclosure(shown)), identity=bytes(32), root=root)
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from charitychain import merkle
from charitychain.codec import check_id, check_text, encode
from charitychain.errors import MalformedError, VerificationError
from charitychain.strictjson import read_json
from charitychain.sumlog import Tag

__all__ = [
    "DETAILS_MAX",
    "DISCLOSURE_MAX",
    "Detail",
    "Disclosure",
    "Sibling",
    "check_disclosure",
    "commit",
    "disclose",
    "format_disclosure",
    "new_details",
    "parse_disclosure",
]

DETAILS_MAX = 1000
"""The most private details of one record."""

DISCLOSURE_MAX = 65_536
"""The most bytes of a disclosure that are read."""

SALT_BYTES = 16
_TREE = merkle.TreeKind("private", Tag.PRIVATE_LEAF, Tag.PRIVATE_NODE)
_FORM = "private detail v2"
_FIELDS = ("form", "identity", "id", "name", "value", "salt", "path", "root")
_SIDES = ("left", "right")
_PATH_MAX = (DETAILS_MAX - 1).bit_length()


@dataclass(frozen=True, slots=True)
class Detail:
    """One private detail. Value and salt never show in a repr.

    Attributes:
        name: What it is, such as ``payee``: an id (see `charitychain.codec.check_id`).
        value: The text, at most 4096 bytes of UTF-8, without line breaks.
        salt: 16 random bytes.
    """

    name: str
    value: str = field(repr=False)
    salt: bytes = field(repr=False)

    def leaf(self) -> bytes:
        """Return the hash of its leaf, 32 bytes.

        Raises:
            MalformedError: ``CC-ID`` or ``CC-TEXT``: name or value are not what they may be.
        """
        if len(self.salt) != SALT_BYTES:
            raise ValueError(f"a salt is {SALT_BYTES} bytes, not {len(self.salt)}")
        name = check_id(self.name, what="name of a private detail")
        return _TREE.leaf_hash(encode([self.salt, name, check_text(self.value, what=f"private detail {name}")]))


class Sibling(NamedTuple):
    """A hash beside the path from a detail to the root, and on which `side` it stands: ``left`` or ``right``."""

    side: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One detail of one record, shown to somebody, with what proves it.

    Attributes:
        identity: The ledger's identity, 32 bytes.
        id: The record.
        detail: What is shown.
        path: What stands beside the way to the root, nearest to the leaf first; at most 10.
        root: The record's ``private`` field.
    """

    identity: bytes
    id: str
    detail: Detail
    path: tuple[Sibling, ...]
    root: bytes


def new_details(values: Iterable[tuple[str, str]]) -> tuple[Detail, ...]:
    """Return details with fresh salts, in the order of their names.

    Raises:
        MalformedError: ``CC-PRIVATE``: none, too many, a name twice, or a value that says nothing. ``CC-ID``,
            ``CC-TEXT``: as `Detail.leaf` does.
    """
    values = tuple(values)
    for name, value in values:
        if not value.strip():  # a file that was empty by accident would be sealed for ever
            name = check_id(name, what="name of a private detail")
            raise MalformedError(
                "CC-PRIVATE", f"the private detail {name!r} is empty; give it a value, or leave it out"
            )
    details = tuple(sorted((Detail(*pair, secrets.token_bytes(SALT_BYTES)) for pair in values), key=lambda d: d.name))
    commit(details)
    return details


def commit(details: Iterable[Detail]) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the root over details, and their leaf hashes in the order of their names.

    Raises:
        MalformedError: as `new_details` does; what is empty was sealed once and still counts.
    """
    ordered = sorted(details, key=lambda detail: detail.name)
    if not 0 < len(ordered) <= DETAILS_MAX:
        raise MalformedError("CC-PRIVATE", f"a record has 1 to {DETAILS_MAX} private details, found {len(ordered)}")
    if len({detail.name for detail in ordered}) != len(ordered):
        raise MalformedError("CC-PRIVATE", "two private details of a record have the same name; give each its own")
    leaves = tuple(detail.leaf() for detail in ordered)
    return root_of(leaves), leaves


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes: what the ledger holds. Works for details that were erased, too."""
    return merkle.root(_TREE, leaves)


def disclose(identity: bytes, id_: str, detail: Detail, leaves: Sequence[bytes], index: int) -> Disclosure:
    """Return the disclosure of the detail whose leaf is `leaves[index]`.

    Raises:
        VerificationError: ``CC-PRIVATE``: its leaf is another one, so what was kept is damaged.
    """
    if detail.leaf() != leaves[index]:
        raise VerificationError(
            "CC-PRIVATE", f"{id_}: the detail {detail.name!r} is not the one its leaf was made of", id=id_
        )
    path, at, size = [], index, len(leaves)
    for hash_ in merkle.prove_inclusion(_TREE, leaves, index):
        while not at & 1 and at == size - 1:  # an odd last node rises without a sibling
            at, size = at >> 1, (size + 1) >> 1
        path.append(Sibling("left" if at & 1 else "right", hash_))
        at, size = at >> 1, (size + 1) >> 1
    return Disclosure(identity, id_, detail, tuple(path), root_of(leaves))


def check_disclosure(disclosure: Disclosure, *, identity: bytes, root: bytes) -> None:
    """Check that a disclosure shows a detail of a record of this ledger.

    Args:
        identity: The ledger's identity, as its reader knows it.
        root: The ``private`` field of the record `disclosure.id`, as it was sealed.

    Raises:
        VerificationError: ``CC-PRIVATE``: it is of another ledger, under another root, or its value was changed.
    """
    if disclosure.identity != identity:
        raise _false(disclosure, "it was made for another ledger")
    if disclosure.root != root:
        raise _false(disclosure, "the record was sealed with another root")
    why = "name, value, salt or path were changed"
    try:
        node = disclosure.detail.leaf()
    except MalformedError as error:
        raise _false(disclosure, why) from error
    for side, hash_ in disclosure.path:
        node = merkle.node_hash(_TREE, *((hash_, node) if side == "left" else (node, hash_)))
    # Leaves and nodes are hashed with prefixes of their own, so a path of whatever length leads from a leaf alone.
    if node != root or len(disclosure.path) > _PATH_MAX:
        raise _false(disclosure, why)


def format_disclosure(disclosure: Disclosure) -> str:
    """Return a disclosure as JSON (RFC 8259) for a file."""
    detail = disclosure.detail
    value = {
        "form": _FORM, "identity": disclosure.identity.hex(), "id": disclosure.id, "name": detail.name,
        "value": detail.value, "salt": detail.salt.hex(),
        "path": [{side: hash_.hex()} for side, hash_ in disclosure.path], "root": disclosure.root.hex(),
    }  # fmt: skip
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def parse_disclosure(text: str | bytes) -> Disclosure:
    """Read a disclosure.

    Raises:
        MalformedError: ``CC-PRIVATE``: it has not the form of a disclosure.
    """
    try:
        value = read_json(text, size_max=DISCLOSURE_MAX)
    except ValueError as error:
        raise _bad(str(error)) from error
    if not isinstance(value, dict) or value.get("form") != _FORM:
        raise _bad(f"'form' must be {_FORM!r}; this is no disclosure, or one of another release")
    if value.keys() != set(_FIELDS):
        raise _bad(f"it must have exactly the fields {', '.join(_FIELDS)}")
    if not isinstance(value["path"], list) or len(value["path"]) > _PATH_MAX:
        raise _bad(f"'path' must list at most {_PATH_MAX} hashes")
    try:
        detail = Detail(
            check_id(value["name"], what="name"), check_text(value["value"], what="value"),
            _hex(value["salt"], SALT_BYTES, "salt"),
        )  # fmt: skip
        id_ = check_id(value["id"])
    except MalformedError as error:
        raise _bad(error.message) from error
    path = tuple(map(_sibling, value["path"]))
    return Disclosure(_hex(value["identity"], 32, "identity"), id_, detail, path, _hex(value["root"], 32, "root"))


def _hex(value: object, size: int, name: str) -> bytes:
    if not isinstance(value, str) or re.fullmatch(f"[0-9a-f]{{{2 * size}}}", value) is None:
        raise _bad(f"{name!r} must be {2 * size} digits of hex in lower case")
    return bytes.fromhex(value)


def _sibling(value: object) -> Sibling:
    if not isinstance(value, dict) or len(value) != 1 or (side := next(iter(value))) not in _SIDES:
        raise _bad('each hash of \'path\' must be {"left": HASH} or {"right": HASH}')
    return Sibling(side, _hex(value[side], 32, "path"))


def _bad(why: str) -> MalformedError:
    return MalformedError("CC-PRIVATE", f"this is no whole disclosure: {why}; ask for it again")


def _false(disclosure: Disclosure, why: str) -> VerificationError:
    return VerificationError(
        "CC-PRIVATE",
        f"the detail {disclosure.detail.name!r} of {disclosure.id!r} is not what the ledger sealed: {why}",
        id=disclosure.id,
    )
