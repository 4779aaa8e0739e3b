"""Policies: which logs and witnesses to believe, and how many of them are enough (C2SP tlog-policy).

    log relief.example/2026+33cb7c91+AYq…
    witness north north.example/witness+5b2c08a1+BHl… https://north.example/
    witness south south.example/witness+0d77e4f2+BJk…
    witness west west.example/witness+91aa63c0+BCw…
    group abroad any south west
    group enough all north abroad
    quorum enough

Keys are verifier keys of C2SP signed-note: a log's of type 0x01 (Ed25519), a witness's of type 0x04 (Ed25519
cosignature). The names of witnesses and groups mean something in their file only; URLs are for those who fetch.

Rules upheld here:

- Bytes are tab, newline, 0x20 to 0x7E and 0x80 to 0xFF; only space and tab part words. A comment is a whole line.
- A name is defined once, and used only below its definition; ``none`` is no name, but may be the quorum.
- A name is a member of one group at most, and one public key is one witness, and one log: nobody counts twice.
- Exactly one quorum. ``k`` is plain decimal, from 1 to the number of members.
- Names are compared as bytes; such as are not UTF-8 come as Python's surrogate escapes.
- At most 64 KiB, so that no file can hang its reader.

Left to others: the signature of a log (`charitychain.note`), whose key's name must be the checkpoint's origin under a
policy, and reading files. Nothing here says that witnesses are independent of each other: who writes a policy judges
that.

>>> policy = parse_policy(b"quorum none")
>>> policy.satisfied_by(set()), policy.missing(set())
(True, ())
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from dataclasses import dataclass, field

from charitychain import cosignature, note
from charitychain.cosignature import CosignerKey
from charitychain.errors import MalformedError
from charitychain.note import VerifierKey

__all__ = ["MAX_POLICY_BYTES", "Group", "Log", "Policy", "Witness", "parse_policy"]

MAX_POLICY_BYTES = 64 * 1024
"""The largest policy that is read: hundreds of logs, witnesses and groups, of which C2SP asks for 32 each."""

_NONE = "none"
_FORBIDDEN = re.compile(rb"[^\x09\x0a\x20-\x7e\x80-\xff]")
_COUNT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Log:
    """A log to believe; the name of its key is its origin."""

    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness to believe, under the name that the policy gives it."""

    name: str
    key: CosignerKey
    url: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and groups of which `needed` are enough."""

    name: str
    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy file says. Build it with `parse_policy`."""

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    """In the order of the file, so that every member stands before its group."""
    quorum: str
    """The name of a witness or group, or ``none``: no cosignature is asked for."""

    def cosigned(self, data: bytes) -> dict[str, int]:
        """Return the policy's names of the witnesses that cosigned the checkpoint in the note `data`, and when.

        Times are POSIX seconds.

        Raises:
            MalformedError, VerificationError: see `charitychain.cosignature.open_cosigned`.
        """
        names = {witness.key: witness.name for witness in self.witnesses}
        return {names[key]: time for key, time in cosignature.open_cosigned(data, tuple(names))}

    def satisfied_by(self, names: Set[str]) -> bool:
        """Return whether cosignatures by the witnesses called `names` are enough. Other names count for nothing."""
        return self.quorum == _NONE or self.quorum in self._met(names)

    def missing(self, names: Set[str]) -> tuple[str, ...]:
        """Return in words what `names` lack for the quorum, from the quorum downwards; nothing if they are enough."""
        if self.satisfied_by(names):
            return ()
        met, groups = self._met(names), {group.name: group for group in self.groups}
        words, open_names = [], [self.quorum]
        for name in open_names:  # grows while we walk; no name comes twice, since each is a member once at most
            group = groups.get(name)
            if group is None:
                words.append(f"witness {name} has not cosigned")
                continue
            lacking = [member for member in group.members if member not in met]
            words.append(
                f"group {name} needs {group.needed} of {len(group.members)} and has "
                f"{len(group.members) - len(lacking)}; not there: {', '.join(lacking)}"
            )
            open_names += [member for member in lacking if member in groups]
        return tuple(words)

    def _met(self, names: Set[str]) -> set[str]:
        met = {witness.name for witness in self.witnesses if witness.name in names}
        for group in self.groups:
            if sum(member in met for member in group.members) >= group.needed:
                met.add(group.name)
        return met


def parse_policy(data: bytes, file: str = "policy") -> Policy:
    """Return what the bytes of a policy file say.

    Args:
        file: What to call it in errors.

    Raises:
        MalformedError: ``CC-POLICY``, with the line: what C2SP tlog-policy does not allow, a key of another type or
            one that does not hold up, or beyond the bounds at the top of this module.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise MalformedError("CC-POLICY", f"{file}: a policy has at most {MAX_POLICY_BYTES} bytes, found {len(data)}")
    reader = _Reader()
    try:
        for line in data.split(b"\n"):
            reader.read(line)
        if reader.quorum is None:
            raise _Fault("the file ends without a quorum line; write `quorum NAME`, or `quorum none` for no witnesses")
    except (_Fault, MalformedError) as error:
        raise MalformedError("CC-POLICY", f"{file}, line {reader.number}: {error}", line=reader.number) from error
    return Policy(tuple(reader.logs.values()), tuple(reader.witnesses.values()), tuple(reader.groups), reader.quorum)


class _Fault(Exception):
    """What is wrong with a line, in words; its place is added by `parse_policy`."""


@dataclass(slots=True)
class _Reader:
    logs: dict[bytes, Log] = field(default_factory=dict)
    witnesses: dict[bytes, Witness] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    quorum: str | None = None
    number: int = 0

    def read(self, line: bytes) -> None:
        self.number += 1
        forbidden = _FORBIDDEN.search(line)
        if forbidden:
            raise _Fault(f"control character {ord(forbidden.group()):#04x}; only tab and newline are allowed")
        # Words apart from space and tab are opaque: str.split() without arguments would cut at more than these two.
        words = [word for word in line.decode("utf-8", "surrogateescape").replace("\t", " ").split(" ") if word]
        if not words or words[0].startswith("#"):
            return
        readers: dict[str, tuple[Callable[..., None], int, int, str]] = {
            "log": (self._log, 1, 2, "VKEY [URL]"),
            "witness": (self._witness, 2, 3, "NAME VKEY [URL]"),
            "group": (self._group, 3, len(words), "NAME all|any|K MEMBER..."),
            "quorum": (self._quorum, 1, 1, "NAME"),
        }
        if words[0] not in readers:
            raise _Fault("a line begins with log, witness, group, quorum or #")
        reader, least, most, form = readers[words[0]]
        if not least <= len(words) - 1 <= most:
            raise _Fault(f"expected `{words[0]} {form}`; a comment has its own line")
        reader(*words[1:])

    def _log(self, vkey: str, url: str | None = None) -> None:
        key = note.parse_vkey(vkey)
        if key.public_key in self.logs:
            raise _Fault("a log with this public key stands above; name one of them only")
        self.logs[key.public_key] = Log(key, url)

    def _witness(self, name: str, vkey: str, url: str | None = None) -> None:
        self._define(name)
        key = cosignature.parse_vkey(vkey)
        if key.public_key in self.witnesses:
            raise _Fault(f"{name} has the public key of {self.witnesses[key.public_key].name}; it would count twice")
        self.witnesses[key.public_key] = Witness(name, key, url)

    def _group(self, name: str, needed: str, *members: str) -> None:
        for member in members:
            if member not in self.names:
                raise _Fault(f"{member} is not defined above as a witness or group")
            if member in self.members:
                raise _Fault(f"{member} is a member of a group already; each is of one at most, and once")
            self.members.add(member)
        self._define(name)
        count = {"any": "1", "all": str(len(members))}.get(needed, needed)
        if not _COUNT.fullmatch(count) or int(count) > len(members):
            raise _Fault(f"a group needs all, any or a number from 1 to its {len(members)} members, not {needed}")
        self.groups.append(Group(name, int(count), members))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise _Fault(f"a second quorum; the first is {self.quorum}")
        if name != _NONE and name not in self.names:
            raise _Fault(f"{name} is not defined above as a witness or group")
        self.quorum = name

    def _define(self, name: str) -> None:
        if name == _NONE or name in self.names:
            raise _Fault(f"the name {name} is taken")
        self.names.add(name)
