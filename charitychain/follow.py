"""Follow: watch a published log, and see to it that it never takes anything back.

Whoever follows remembers the last checkpoint that it saw, and asks of every new one that the operator signed it and
that it extends the last one, by a proof made from the published tiles. That needs no more than a few kilobytes, however
large the ledger is, and shows what only somebody who saw more can show: another history for the same blocks.

Rules upheld here:

- A checkpoint is remembered only when it is signed by a key that is believed, holds the policy that was given, and
  extends the one before. What is remembered is never lowered (`charitychain.heads`).
- Two checkpoints that do not fit are a fork: the error carries the evidence, which convinces anybody.
- A log that has become shorter is told each time, and changes nothing that is remembered.
- The key that the first block names is believed only where nobody names another; which ledger stands at a place is
  remembered from the first time on.

Left to others: whether the blocks follow the rules (`charitychain.verify`), and whether two followers were shown the
same: they compare what they remember, or ask for cosignatures (`charitychain.policy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from charitychain import forks, note
from charitychain.chain.blocks import decode_block
from charitychain.chain.genesis import Genesis
from charitychain.cosigned import check_policy
from charitychain.errors import MalformedError, VerificationError
from charitychain.fetch import Source
from charitychain.heads import Head, Heads
from charitychain.mirror import published_block, read_published
from charitychain.policy import Policy
from charitychain.tiles import TileTree

__all__ = ["Sighting", "follow"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of a published log, and what was known of it before.

    Attributes:
        origin: The log's name.
        identity: The identity of the ledger that is published.
        blocks: How many blocks the checkpoint counts.
        known: How many were known; 0 if nothing was.
        checkpoint: The checkpoint, with all lines.
        named: Whether the key that signed it was named by whoever follows, and not by the ledger itself.
        missing: In words, what the checkpoint lacks for the policy; then it was not remembered.
    """

    origin: str
    identity: bytes
    blocks: int
    known: int
    checkpoint: bytes
    named: bool
    missing: tuple[str, ...]

    @property
    def shorter(self) -> bool:
        """Say whether the log has fewer blocks than were known: it was taken back, or an older copy is served."""
        return self.blocks < self.known


def follow(
    source: Source,
    heads: Heads,
    place: Path,
    *,
    keys: Sequence[note.VerifierKey] = (),
    policy: Policy | None = None,
) -> Sighting:
    """Look once at a published log: compare it with what is remembered, and remember it.

    Args:
        heads: What this machine remembers of ledgers.
        place: The path under which heads remember which ledger is published here (`charitychain.mirror.copy_path`).
        keys: The operator's keys that are believed; where none is named, the logs of the policy are, and else the key
            that the first block names.
        policy: What a checkpoint must satisfy.

    Raises:
        UnreadableError: ``CC-WEB`` and others: it cannot be reached, or what it publishes is not all there.
        VerificationError: ``CC-FORK``, with ``facts["fork"]``: it is not the history that is remembered. ``CC-SEAL``:
            no key that is believed signed it. ``CC-IDENTITY``: another ledger is published there. ``CC-PROOF``,
            ``CC-TILE``, ``CC-LINK``, ``CC-GENESIS``: the files do not lead to the checkpoint.
        StorageError: ``CC-STATE``: what is remembered cannot be used.
    """
    data, told = read_published(source)
    tree = TileTree(source.get, told.size, source.name)
    pinned = heads.pinned(place)
    believed = list(keys)
    if not believed and policy is not None:
        believed = [log.key for log in policy.logs if log.key.name == told.origin]
    if believed:
        note.open_note(data, believed)
        _compare(source, tree, data, told, heads.head(pinned) if pinned is not None else None)
    genesis = _genesis(source, tree, told)
    identity = genesis.identity()
    if pinned is not None and pinned != identity:
        raise VerificationError(
            "CC-IDENTITY", f"another ledger was published at {source.name} before; if this is right, remove"
            f" {heads.pin_path(place)}", expected=pinned.hex(), found=identity.hex(),
        )  # fmt: skip
    if not believed:
        note.open_note(data, [note.parse_vkey(note.vkey(genesis.origin, genesis.key))])
    missing = check_policy(data, policy) if policy is not None else ()
    known = heads.head(identity)
    _compare(source, tree, data, told, known)
    last = tree.leaf(told.size - 1, told.root)
    if not missing:
        if pinned is None:
            heads.pin(place, identity)
        heads.remember(identity, Head(told.size - 1, last, data.decode()))
    return Sighting(told.origin, identity, told.size, known.height + 1 if known else 0, data, bool(believed), missing)


def _compare(source: Source, tree: TileTree, data: bytes, told: note.Checkpoint, known: Head | None) -> None:
    """Check that what is published extends what is remembered, as far as it goes."""
    if known is None:
        return
    before = known.checkpoint.encode()
    kept = note.parse_checkpoint(note.parse_note(before).text)
    if kept.origin != told.origin or kept.size > told.size:
        return  # another ledger, or a shorter one: both are told
    fork = forks.find_fork(before, data, tree.node, source.name)
    if fork is not None:
        raise forks.forked(fork, f"{source.name} and what this machine remembers")


def _genesis(source: Source, tree: TileTree, told: note.Checkpoint) -> Genesis:
    """Return the genesis record: the one whose identity the header of block 0 commits to."""
    try:
        block = decode_block(published_block(source, tree, told.root, 0))
    except MalformedError as error:
        raise VerificationError(error.code, f"{source.name}, block 0: {error.message}", block=0) from error
    genesis = block.genesis
    if genesis is None or genesis.identity() != block.header.previous or genesis.origin != told.origin:
        raise VerificationError(
            "CC-GENESIS", f"block 0 at {source.name} is not the beginning of the log {told.origin:.60}", block=0
        )
    return genesis
