"""Checkpoints: what one keeps of a ledger to see later that nothing of it was taken back.

A checkpoint is the operator's signed word (a C2SP tlog-checkpoint) on how many blocks there are and on the root over
all of them. Whoever keeps one can ask any copy of the ledger, years later, whether it still begins with just those
blocks.

Rules upheld here:

- A checkpoint counts only under a key that is believed: the one that was given, or one of the operator's keys that the
  ledger itself names, each at the time at which it acted.
- That the ledger extends it is proved by a consistency proof (RFC 9162, section 2.1.4), whose hashes come from the
  index and are not believed; that it does not, by what convinces anybody else too (`charitychain.forks`).
- It reads the head and no more; what the blocks say is for `charitychain.verify`.
"""

from __future__ import annotations

from typing import NamedTuple

from charitychain import forks, note
from charitychain.errors import MalformedError, UnreadableError, VerificationError
from charitychain.reading import Reader

__all__ = ["Extension", "check_extends", "operator_keys", "read_checkpoint"]


class Extension(NamedTuple):
    """How many blocks a checkpoint knows, and how many a ledger has; where these are fewer, it was cut or is older."""

    known: int
    blocks: int


def read_checkpoint(data: bytes, name: str) -> note.Checkpoint:
    """Parse a signed checkpoint; nobody is believed yet.

    Raises:
        UnreadableError: ``CC-NOTE``, ``CC-CHECKPOINT`` and others: it is none; `name` says which file.
    """
    try:
        return note.parse_checkpoint(note.parse_note(data).text)
    except MalformedError as error:
        raise UnreadableError(error.code, f"{name} is no signed checkpoint: {error.message}") from error


def operator_keys(reader: Reader, size: int) -> list[note.VerifierKey]:
    """Return the keys by which the operator may have signed a checkpoint of `size` blocks, newest first."""
    return note.verifier_keys(reader.genesis.origin, reader.parties[0].sealing_keys(size))


def check_extends(reader: Reader, data: bytes, name: str, *, key: note.VerifierKey | None = None) -> Extension:
    """Check that a ledger begins with the blocks of a checkpoint.

    Args:
        name: What to call the checkpoint in errors.
        key: The operator's key that somebody trusts; nothing is the ones that the ledger names.

    Raises:
        UnreadableError: it is no checkpoint.
        VerificationError: ``CC-CHECKPOINT``: it is of another ledger, not signed by its operator, or of other blocks,
            then with the evidence in ``facts["fork"]``.
    """
    told = read_checkpoint(data, name)
    origin, blocks = reader.genesis.origin, reader.head.height + 1
    if told.origin != origin:
        raise VerificationError(
            "CC-CHECKPOINT", f"{name} is a checkpoint of {told.origin:.60}, and this ledger is {origin}",
            expected=told.origin, found=origin,
        )  # fmt: skip
    try:
        note.open_note(data, [key] if key is not None else operator_keys(reader, min(told.size, blocks)))
    except VerificationError as error:
        whose = "by the key that was given" if key is not None else "by this ledger's operator"
        raise VerificationError("CC-CHECKPOINT", f"{name} is not signed {whose}: {error.message}") from error
    if told.size > blocks:
        return Extension(told.size, blocks)
    try:
        fork = forks.find_fork(data, reader.checkpoint.encode(), reader.index.header_node)
    except VerificationError as error:
        raise VerificationError("CC-INDEX", f"the index does not fit the sealed log: {error.message}") from error
    if fork is not None:
        raise VerificationError(
            "CC-CHECKPOINT",
            f"the first {told.size} blocks here are not those of {name}: two histories were signed. Keep both files:"
            " together they prove it",
            blocks=told.size,
            fork=fork,
        )
    return Extension(told.size, blocks)
