"""What a receipt proves and what it cannot, in the words that stand on its face."""

from __future__ import annotations

__all__ = ["ONLY_REPLAY", "PROVED", "PROVED_ACCOUNT"]

PROVED = (
    "the gift stands in the ledger under its author's signature",
    "as far as it is followed, these outflows took its units, by rule or by name, and what is held was still held",
    "each step is what its signed record says; keys and reversals are as of this checkpoint",
    "no other receipt that holds under this checkpoint shares a unit with it, but for what a funded conversion gave:"
    " who earned it and who paid for it both tell of that",
    "in every unit the parts, and what is not followed, sum to the gift",
)
"""What holds relative to the checkpoint, if the receipt holds."""

PROVED_ACCOUNT = (
    "the balance and the sums of the account are those that this checkpoint commits to",
    "each movement shown is what its signed record says, and between those shown without a gap there is no other",
)
"""The same for a statement of account."""

ONLY_REPLAY = (
    "that no sealed record was left out of the logs, and no unit made up elsewhere",
    "that whoever signed was allowed to, and that caps, restrictions and approvals were kept",
    "that nothing else was said of these records, such as a dispute",
    "that accounts, owners and keys of each block follow from the block before it",
)
"""What only `charitychain verify` on the whole ledger shows."""
