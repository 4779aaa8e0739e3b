"""Signers: whose keys must sign a record, and whether they are at hand.

Rules upheld here:

- Of each party as many of its own keys sign as its threshold asks for, those that are at hand first.
- Before anything is recorded all keys are looked up; a missing one is told by whose it is and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from charitychain.errors import KeyAccessError, RefusedError
from charitychain.keys import PrivateKey, key_id
from charitychain.state.parties import PartyState
from charitychain.state.rules import State

__all__ = ["KeyOf", "Signers"]

KeyOf = Callable[[bytes], PrivateKey]


class Signers:
    """Chooses keys by the ledger's state.

    Args:
        key_of: Gives the private key for a public one; raises `KeyAccessError` where it is not at hand.
        has_key: Says whether `key_of` would find a key, without asking for its passphrase.
    """

    def __init__(self, state: State, key_of: KeyOf, has_key: Callable[[bytes], bool]) -> None:
        self._state, self.key_of, self.has_key = state, key_of, has_key

    def of(self, author: PartyState, cosigners: Sequence[PartyState]) -> tuple[bytes, ...]:
        """Return the public keys that must sign: as many of each party's as its threshold asks for, at hand if any."""
        others = sorted({party.id: party for party in cosigners if party is not author}.items())
        return tuple(key for party in (author, *(party for _, party in others)) for key in self._acting_keys(party))

    def recovery(self, party: PartyState) -> tuple[bytes, ...]:
        """Return the recovery key of a party, which then signs alone.

        Raises:
            RefusedError: ``CC-RECOVERY-KEY``: it has none that acts here.
        """
        key = party.recovery_at(self._state.height)
        if key is None:
            raise RefusedError("CC-RECOVERY-KEY", f"{party.id!r} has no recovery key that acts here", party=party.id)
        return (key,)

    def _acting_keys(self, party: PartyState) -> list[bytes]:
        acting = party.keys_at(self._state.height)
        if len(acting) < party.threshold:
            raise RefusedError(
                "CC-KEY-LATER", f"the key of {party.id!r} acts from the next block on; commit first", party=party.id
            )
        if party.threshold == 1 and len(acting) == 1:
            return acting
        return sorted(acting, key=lambda key: not self.has_key(key))[: party.threshold]

    def check_at_hand(self, signers: Sequence[bytes]) -> None:
        """Check that these keys can sign here, before anything is recorded, and say whose is missing.

        Raises:
            KeyAccessError: ``CC-KEY-MISSING``; others as ``key_of`` raises them.
        """
        for public in signers:
            self.at_hand(public)

    def at_hand(self, public: bytes) -> PrivateKey:
        """Return the private key of a public one, or say whose is missing."""
        try:
            return self.key_of(public)
        except KeyAccessError as error:
            if error.code != "CC-KEY-MISSING":
                raise
            party = self._state.party_of(key_id(public))
            if party.number == 0:
                whose, way = "the operator", "write it with --draft FILE and let the operator record it"
            else:
                whose = repr(party.id)
                way = f"take --author where somebody else may sign, or write it with --draft FILE for {whose} to cosign"
            raise KeyAccessError(
                error.code,
                f"{whose} must sign, and {error.message}; name another folder with --keys, or {way}",
                **{**error.facts, "party": party.id},
            ) from error
