"""Cosigned checkpoints: what others signed of a ledger's head, kept beside it and held against a policy.

Beside ``NAME.ledger`` stands ``NAME.ledger.cosigned``: the last checkpoint that others cosigned, as a note with the
operator's line and theirs. It is derived from nothing, so losing it is losing their lines, but it is not believed
either: whoever reads it verifies.

Two kinds of cosigner have lines of one form, and mean different things by them:

- a *witness* says: this checkpoint extends the last one that I saw of this log. A policy says which count.
- an *auditor* says: I replayed the whole ledger up to this checkpoint, and its rules hold. That is shown apart; no
  policy counts it, and a key that is in both places is refused.

Rules upheld here:

- The file is only ever replaced by a note of the same checkpoint, or of one that extends it.
- Only lines that were verified are kept, and of one key the latest only.

Left to others: the forms (`charitychain.cosignature`, `charitychain.policy`), and asking (`charitychain.asking`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from charitychain import note
from charitychain.checkpoints import check_extends, operator_keys, read_checkpoint
from charitychain.cosignature import CosignerKey, open_cosigned
from charitychain.durable import alone_in, replace_file
from charitychain.errors import (
    MalformedError,
    RefusedError,
    StorageError,
    UnreadableError,
)
from charitychain.note import MAX_NOTE_BYTES, Note, NoteSignature
from charitychain.policy import MAX_POLICY_BYTES, Policy, parse_policy
from charitychain.reading import Reader

__all__ = [
    "check_apart",
    "check_policy",
    "cosigned_checkpoint",
    "cosigned_path",
    "keep_cosigned",
    "log_lines",
    "read_cosigned",
    "read_policy",
]


def cosigned_path(ledger: Path) -> Path:
    """Return the file beside a ledger that keeps its last cosigned checkpoint."""
    return ledger.with_name(ledger.name + ".cosigned")


def read_cosigned(ledger: Path) -> bytes | None:
    """Return the note beside a ledger, unverified; nothing if there is none.

    Raises:
        UnreadableError: ``CC-UNREADABLE``, ``CC-NOTE``: it cannot be read, or is no note with a checkpoint.
    """
    path = cosigned_path(ledger)
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_NOTE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}") from error
    read_checkpoint(data, str(path))
    return data


def cosigned_checkpoint(ledger: Path, reader: Reader) -> bytes:
    """Return the note of a ledger's head, with the lines that others put under it, as far as they are kept beside it.

    These lines are not verified here (`check_policy` does); the operator's is, by `reader`.

    Raises:
        UnreadableError: see `read_cosigned`.
    """
    seal, kept = reader.checkpoint.encode(), read_cosigned(ledger)
    return kept if kept is not None and kept.startswith(seal) else seal


def keep_cosigned(ledger: Path, reader: Reader, data: bytes, cosigners: Sequence[CosignerKey]) -> bytes:
    """Keep a cosigned checkpoint beside a ledger, with the lines of `cosigners` only, and return what stands there now.

    Lines that stand there under the same checkpoint stay; of one key the later line does.

    Args:
        data: A checkpoint that this ledger begins with.

    Raises:
        VerificationError: ``CC-CHECKPOINT``, ``CC-SEAL``: it is of another ledger or history, or a line of
            `cosigners` does not hold; or this is so of what stands there.
        RefusedError: ``CC-OLDER``: what stands there, or `data`, knows more blocks than may be.
        StorageError: ``CC-STORAGE``.
    """
    told = check_extends(reader, data, "the cosigned checkpoint")
    if told.known > told.blocks:
        raise _older(f"the cosigned checkpoint knows {told.known} blocks and this copy of the ledger has {told.blocks}")
    open_cosigned(data, cosigners)
    parts, ours = note.parse_note(data), {(key.name, key.key_hash) for key in cosigners}
    seal = log_lines(data, reader)
    lines = [line for line in parts.signatures if (line.name, line.key_id) in ours]
    path = cosigned_path(ledger)
    with _alone(path):
        before = read_cosigned(ledger)
        if before is not None:
            known = check_extends(reader, before, path.name).known
            if known > told.known:
                raise _older(f"{path} keeps a checkpoint of {known} blocks; it is not replaced by one of {told.known}")
            old = note.parse_note(before)
            if old.text == parts.text:
                standing = note.parse_note(seal).signatures
                lines = [line for line in old.signatures if line not in standing] + lines
        latest: dict[tuple[str, bytes], NoteSignature] = {}
        for line in lines:
            place = (line.name, line.key_id)
            if place not in latest or line.signature[:8] >= latest[place].signature[:8]:  # the time, big-endian
                latest[place] = line
        kept = note.format_note(Note(parts.text, (*note.parse_note(seal).signatures, *latest.values())))
        try:
            replace_file(path, kept, 0o644)
        except OSError as error:
            raise StorageError("CC-STORAGE", f"{path} cannot be written: {error.strerror}", path=str(path)) from error
    return kept


def log_lines(data: bytes, reader: Reader) -> bytes:
    """Return the checkpoint in the note `data` under the operator's own lines alone: what the ledger itself sealed.

    Raises:
        VerificationError: ``CC-SEAL``: none of the operator's keys signed it.
    """
    keys = operator_keys(reader, min(read_checkpoint(data, "the checkpoint").size, reader.head.height + 1))
    note.open_note(data, keys)
    parts, known = note.parse_note(data), {(key.name, key.key_hash) for key in keys}
    own = dict.fromkeys(line for line in parts.signatures if (line.name, line.key_id) in known)
    return note.format_note(Note(parts.text, tuple(own)))


def read_policy(path: Path) -> Policy:
    """Return what a policy file says.

    Raises:
        UnreadableError: ``CC-UNREADABLE``.
        MalformedError: ``CC-POLICY``: see `charitychain.policy.parse_policy`.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_POLICY_BYTES + 1)
    except OSError as error:
        raise UnreadableError("CC-UNREADABLE", f"{path} cannot be read: {error.strerror}") from error
    return parse_policy(data, str(path))


def check_policy(data: bytes, policy: Policy) -> tuple[str, ...]:
    """Return in words what a cosigned checkpoint lacks for `policy`; nothing if it is enough.

    Raises:
        MalformedError: ``CC-NOTE``: `data` is no note with a checkpoint.
        VerificationError: ``CC-SEAL``: a witness's line does not hold, or the policy names logs, and no line of the
            one with this origin holds.
    """
    if policy.logs:
        origin = note.parse_checkpoint(note.parse_note(data).text).origin
        note.open_note(data, [log.key for log in policy.logs if log.key.name == origin])
    return policy.missing(policy.cosigned(data).keys())


def check_apart(policy: Policy | None, auditors: Sequence[CosignerKey]) -> None:
    """Check that no auditor's key is that of a witness or log of the policy.

    Raises:
        MalformedError: ``CC-POLICY``.
    """
    if policy is not None:
        others = {witness.key.public_key: f"witness {witness.name}" for witness in policy.witnesses}
        others |= {log.key.public_key: f"log {log.key.name}" for log in policy.logs}
        for auditor in auditors:
            if auditor.public_key in others:
                raise MalformedError(
                    "CC-POLICY",
                    f"the auditor {auditor.name} has the key of {others[auditor.public_key]} of the policy; an auditor"
                    " counts as nothing else",
                )


def _older(why: str) -> RefusedError:
    return RefusedError("CC-OLDER", f"{why}: it is older or was cut off")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let nobody else replace a file in this folder meanwhile, by a lock on the folder."""
    try:
        with alone_in(path.parent):
            yield
    except OSError as error:
        raise StorageError(
            "CC-STORAGE", f"{path.parent} cannot be used: {error.strerror}", path=str(path.parent)
        ) from error
