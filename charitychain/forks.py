"""Fork evidence: a small file from which anybody sees that a log's key signed two histories.

Two signed checkpoints of one log contradict each other if they tell different roots for one size, or if the first
blocks of the larger are not the blocks of the smaller. Of the second kind the file shows it by a consistency proof
(RFC 9162, section 2.1.4) from *another* root to the larger one: whoever has the larger tree has, under its signed root,
first blocks with that other root, and no tree has two roots for them.

    charitychain fork evidence v1
    root VWCCaZ0UDDCyi5PTjOb4HKgTQAONIK0jmw+oZ5IwTEE=         only where the sizes differ: of the first blocks in
    PP1LTAzRWD9GrZUzlE2/Ljy8Ew0v6FWB84KcVEbCGsM=              the second history, and the proof that leads from it
                                                              to the root of the second checkpoint
    relief.example/2026
    2
    7Qb4vF1QTqCnQ4ZvyQd1TfG4pDN6ZKg7+O6uG0aYfE8=

    — relief.example/2026 Az3grlgt…

    relief.example/2026
    3
    k6hJd0Z5dRBtMgwGVMGYXzg5Fp2V7Tn2ZJ4c4rVv3Yo=

    — relief.example/2026 Az3grqrM…

Rules upheld here:

- It proves something only under a key that whoever reads it believes to be the operator's; nothing in the file says so.
- It is plain text with one spelling; the checkpoints stand in it byte for byte as they were signed.
- It holds no gift, no amount and no name but the log's.

Left to others: what the two histories say, and which of them is the one to believe. The file proves that there are two.

>>> from charitychain.keys import PrivateKey
>>> key = PrivateKey.from_seed(bytes(32))
>>> first, second = (
...     note.sign_checkpoint(note.Checkpoint("relief.example", 1, root * 32), key) for root in (b"a", b"b")
... )
>>> evidence = find_fork(first, second, lambda level, index: b"")
>>> operator = note.parse_vkey(note.vkey("relief.example", key.public_key))
>>> check_fork(decode_fork(encode_fork(evidence)), [operator])[1].size
1
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from charitychain import merkle, note
from charitychain.errors import MalformedError, UnreadableError, VerificationError
from charitychain.merkle import RFC6962, ReadNode

__all__ = ["MAX_FORK_BYTES", "Fork", "check_fork", "decode_fork", "encode_fork", "find_fork", "forked"]

MAX_FORK_BYTES = 2 * note.MAX_NOTE_BYTES + 8192
"""The largest file that is read: two notes and a proof."""

_MAGIC = b"charitychain fork evidence v1"
_PARTS = 5  # this head, then text and signature lines of two notes


@dataclass(frozen=True, slots=True)
class Fork:
    """Two signed checkpoints that contradict each other. Nothing of it is checked before `check_fork`.

    Attributes:
        first: The note of the smaller tree, or of one of two that are equally large.
        second: The note of the other one.
        root: Where the sizes differ, the root of the first blocks in the second history.
        proof: The consistency proof from `root` to the root of `second`.
    """

    first: bytes
    second: bytes
    root: bytes | None = None
    proof: tuple[bytes, ...] = ()


def find_fork(first: bytes, second: bytes, nodes: ReadNode, where: str = "the log") -> Fork | None:
    """Return why the log of `second` does not extend that of `first`; nothing if it does. Signatures are not checked.

    Args:
        first: A note with a checkpoint, no larger than the second one.
        nodes: Complete nodes of the tree of `second`, from whoever has it; they are not believed.
        where: What errors call the place that the nodes come from.

    Raises:
        MalformedError: one of them is no checkpoint.
        VerificationError: ``CC-PROOF``: the nodes do not lead to the root of `second`, so nothing is shown.
    """
    old, new = _checkpoint(first), _checkpoint(second)
    if old.origin != new.origin or old.size > new.size:
        raise ValueError("two checkpoints of one origin, the smaller one first")
    if old.size == new.size:
        return None if old.root == new.root else Fork(first, second)
    if old.size == 0:
        return None  # everything extends nothing
    root = merkle.Frontier.from_nodes(RFC6962, old.size, nodes).root()
    proof = merkle.prove_consistency_from_nodes(RFC6962, nodes, old.size, new.size)
    try:
        merkle.check_consistency(RFC6962, proof, old.size, root, new.size, new.root)
    except VerificationError as error:
        raise VerificationError(error.code, f"{where}: {error.message}", **error.facts) from error
    return None if root == old.root else Fork(first, second, root, proof)


def check_fork(fork: Fork, trusted: Sequence[note.VerifierKey]) -> tuple[note.Checkpoint, note.Checkpoint]:
    """Check that a fork is one: that trusted keys signed two histories. Return what the two checkpoints say.

    Pure and offline.

    Args:
        trusted: The operator's keys; each checkpoint must be signed by one of them.

    Raises:
        VerificationError: ``CC-NO-FORK``: it proves nothing, with why.
    """
    try:
        told = [note.parse_checkpoint(note.open_note(data, trusted).text) for data in (fork.first, fork.second)]
    except (MalformedError, VerificationError) as error:
        raise _no_fork(f"it is not shown that the operator signed both checkpoints: {error.message}") from error
    first, second = told
    if first.origin != second.origin:
        raise _no_fork(f"one checkpoint is of {first.origin}, the other of {second.origin}")
    if first.size == second.size:
        if first.root == second.root or fork.root is not None or fork.proof:
            raise _no_fork("both checkpoints say the same")
        return first, second
    if fork.root is None or fork.root == first.root:
        raise _no_fork("nothing in it contradicts that the second checkpoint extends the first")
    try:
        merkle.check_consistency(RFC6962, fork.proof, first.size, fork.root, second.size, second.root)
    except VerificationError as error:
        raise _no_fork(f"its proof does not hold: {error.message}") from error
    return first, second


def forked(fork: Fork, where: str) -> VerificationError:
    """Return the error that says that two histories were signed, with the evidence in ``facts["fork"]``.

    Args:
        where: What has the two histories, to begin a sentence.
    """
    first, second = _checkpoint(fork.first).size, _checkpoint(fork.second).size
    return VerificationError(
        "CC-FORK",
        f"{where}: the checkpoint of {second} blocks does not extend that of {first}: two histories were signed. Keep"
        " both, and the evidence of it",
        fork=fork,
    )


def encode_fork(fork: Fork) -> bytes:
    """Return the file: the inverse of `decode_fork`."""
    lines = [_MAGIC]
    if fork.root is not None:
        lines += [b"root " + b64encode(fork.root), *map(b64encode, fork.proof)]
    return b"\n".join([*lines, b"", fork.first, fork.second])


def decode_fork(data: bytes, name: str = "the file") -> Fork:
    """Parse a file of fork evidence.

    Args:
        name: What to call it in errors.

    Raises:
        UnreadableError: ``CC-NO-FORK``: it is none, or of a later version, or too long.
    """
    try:
        if len(data) > MAX_FORK_BYTES:
            raise ValueError("it is too long")
        parts = data.split(b"\n\n")  # neither the head nor the text of a checkpoint holds an empty line
        if len(parts) != _PARTS:
            raise ValueError("it does not consist of a head and two signed checkpoints")
        magic, *hashes = parts[0].split(b"\n")
        if magic != _MAGIC:
            raise ValueError(f"it does not begin with {_MAGIC.decode()!r}")
        root: bytes | None = None
        proof: tuple[bytes, ...] = ()
        if hashes:
            root = _hash(hashes[0].removeprefix(b"root "))
            proof = tuple(map(_hash, hashes[1 : merkle.MAX_PROOF_HASHES + 2]))
        fork = Fork(parts[1] + b"\n\n" + parts[2] + b"\n", parts[3] + b"\n\n" + parts[4], root, proof)
        if encode_fork(fork) != data:
            raise ValueError("it is not in its one spelling")
        _checkpoint(fork.first), _checkpoint(fork.second)
    except (ValueError, MalformedError) as error:
        raise UnreadableError("CC-NO-FORK", f"{name} is no fork evidence of a version known here: {error}") from error
    return fork


def _hash(line: bytes) -> bytes:
    data = b64decode(line, validate=True)
    if len(data) != merkle.HASH_BYTES:
        raise ValueError("a hash has not 32 bytes")
    return data


def _checkpoint(data: bytes) -> note.Checkpoint:
    return note.parse_checkpoint(note.parse_note(data).text)


def _no_fork(why: str) -> VerificationError:
    return VerificationError("CC-NO-FORK", f"this does not prove that two histories were signed: {why}")
