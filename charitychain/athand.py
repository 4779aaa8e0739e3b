"""Keys at hand: the private keys of one ledger, looked up in a folder of key files and kept once they are open.

Rules upheld here:

- A passphrase is asked for once for each key, and only when the key signs.
- A new key is encrypted as the operator's is, under a passphrase that has opened that one first.
"""

from __future__ import annotations

from collections.abc import Callable

from charitychain.errors import KeyAccessError
from charitychain.keyring import KeyEntry, Keyring
from charitychain.keys import PrivateKey, key_id

__all__ = ["KeysAtHand", "Passphrase"]

Passphrase = Callable[[KeyEntry], bytes]


class KeysAtHand:
    """Private keys by their public ones.

    Attributes:
        operator: The key file of the operator, where there is one.
        loaded: Keys that are open.
    """

    def __init__(self, keyring: Keyring, passphrase: Passphrase | None, origin: str) -> None:
        self.keyring, self._passphrase, self._origin = keyring, passphrase, origin
        self.operator: KeyEntry | None = None
        self.loaded: dict[bytes, PrivateKey] = {}

    def private(self, public: bytes) -> PrivateKey:
        """Return the private key of a public one.

        Raises:
            KeyAccessError: ``CC-KEY-MISSING``, ``CC-PASSPHRASE``.
        """
        key = self.loaded.get(public)
        if key is None:
            entry = self.keyring.find(public)
            if entry is None:
                raise KeyAccessError(
                    "CC-KEY-MISSING",
                    f"the key {key_id(public).hex()[:16]}… is not in {self.keyring.directory}",
                    key=public.hex(),
                )
            key = self.loaded[public] = self.keyring.load(entry, self._passphrase)
        return key

    def has(self, public: bytes) -> bool:
        """Say whether `private` would find a key, without asking for its passphrase."""
        return public in self.loaded or self.keyring.find(public) is not None

    def loose(self, party: str) -> PrivateKey:
        """Make a key that no file keeps: a dry run leaves nothing behind."""
        key = PrivateKey.generate()
        self.loaded[key.public_key] = key
        return key

    def make(self, party: str) -> PrivateKey:
        """Make a key for a party, encrypted as the operator's is, or, where that is not at hand, as its own is."""
        own = next((entry for entry in self.keyring.list() if entry.party == party), None)
        model, passphrase = self.operator or own, None
        if model is not None and self.keyring.is_encrypted(model):
            if self._passphrase is None:
                raise KeyAccessError("CC-PASSPHRASE", f"a passphrase is needed to make a key for {party!r}")
            told = passphrase = self._passphrase(model)
            # A mistyped passphrase must not lock a new key away for ever: it has to open the other key first.
            self.loaded[model.public_key] = self.keyring.load(model, lambda entry: told)
        _, key = self.keyring.create(self._origin, party, passphrase=passphrase)
        self.loaded[key.public_key] = key
        return key
