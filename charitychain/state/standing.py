"""Standing: who and what is there at a position in the ledger, and what a block header commits to.

Parties with their keys, accounts, units; which key speaks for whom at this height; whether a statement stands where
its author put it; and the accounts and parties roots. What records may change here is `charitychain.state.rules`.
"""

from __future__ import annotations

from typing import Any, Self

from charitychain import codec, keys, merkle
from charitychain.chain.statements import StatementHeader
from charitychain.errors import RefusedError, VerificationError
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import Lookup
from charitychain.state.movements import Kind
from charitychain.state.parties import PartyKey, PartyState
from charitychain.sumlog import Tag
from charitychain.units import BUILT_IN, Unit

__all__ = ["ACCOUNTS", "PARTIES", "Standing"]

ACCOUNTS = merkle.TreeKind("accounts", Tag.ACCOUNT_LEAF, Tag.ACCOUNT_NODE)
PARTIES = merkle.TreeKind("parties", Tag.PARTY_LEAF, Tag.PARTY_NODE)


class Standing:
    """Parties, accounts and units of one ledger at a position in it.

    Args:
        lookup: Earlier rows; `load` goes on from what was saved there.
        identity: The ledger's identity, 32 bytes.
    """

    def __init__(self, lookup: Lookup, identity: bytes) -> None:
        self.lookup, self.identity = lookup, identity
        self.height = 0
        self.parties: list[PartyState] = []
        self.accounts: list[AccountState] = []
        self.units: dict[str, Unit] = dict(BUILT_IN)
        self.totals: dict[tuple[str, Kind], int] = {}
        self._party_numbers: dict[str, int] = {}
        self._account_numbers: dict[str, int] = {}
        self._key_parties: dict[bytes, int] = {}
        self._account_tree = merkle.MutableTree(ACCOUNTS)
        self._party_tree = merkle.MutableTree(PARTIES)
        self._changed_accounts: set[int] = set()
        self._changed_parties: set[int] = set()
        self._authors: set[int] = set()

    @classmethod
    def load(cls, lookup: Lookup, identity: bytes, height: int) -> Self:
        """Go on from what `end_block` saved; `height` is that of the next block."""
        self = cls(lookup, identity)
        self.height = height
        for data in lookup.saved("party"):
            self._add_party(PartyState.unpack(data))
        for data in lookup.saved("account"):
            account = AccountState.unpack(lookup, data)
            self._add_account(account)
            self._account_tree.append(account.leaf_hash())
        for data in lookup.saved("unit"):
            value: Any = codec.decode(data)
            self.units[value[0]] = Unit(*value)
        for party in self.parties:
            self._party_tree.append(party.leaf_hash())
        self._changed_parties.clear()
        return self

    # ------------------------------------------------------------------------------------------ look-ups

    def party(self, id_: str) -> PartyState:
        """Return a party.

        Raises:
            RefusedError: ``CC-UNKNOWN-PARTY``.
        """
        number = self._party_numbers.get(id_)
        if number is None:
            raise RefusedError(
                "CC-UNKNOWN-PARTY", f"this ledger has no party {id_!r}; `party add` admits one", party=id_
            )
        return self.parties[number]

    def account(self, number: int) -> AccountState:
        """Return an account by its number.

        Raises:
            RefusedError: ``CC-UNKNOWN-ACCOUNT``.
        """
        if number >= len(self.accounts):
            raise RefusedError("CC-UNKNOWN-ACCOUNT", f"this ledger has no account number {number}", account=number)
        return self.accounts[number]

    def account_named(self, id_: str) -> AccountState:
        """Return an account by its id.

        Raises:
            RefusedError: ``CC-UNKNOWN-ACCOUNT``.
        """
        number = self._account_numbers.get(id_)
        if number is None:
            raise RefusedError("CC-UNKNOWN-ACCOUNT", f"this ledger has no account {id_!r}", account=id_)
        return self.accounts[number]

    def unit_of(self, account: AccountState) -> Unit:
        return self.units[account.unit]

    def party_of(self, key_id: bytes) -> PartyState:
        """Return the party that a key belongs to, whether or not it still acts."""
        return self.parties[self._key_parties[key_id]]

    def signer(self, key_id: bytes) -> tuple[PartyState, bytes]:
        """Return the party that a key speaks for at this height, and the key.

        Raises:
            VerificationError: ``CC-UNKNOWN-KEY``.
        """
        number = self._key_parties.get(key_id)
        if number is not None:
            for key in self.parties[number].keys:
                if keys.key_id(key.key) == key_id and key.acts_at(self.height):
                    return self.parties[number], key.key
        raise VerificationError(
            "CC-UNKNOWN-KEY", f"no key {key_id.hex()[:16]}… acts in block {self.height}", key=key_id.hex()
        )

    def operator_key(self) -> bytes:
        """Return the key that seals the block at this height."""
        key = self.parties[0].key_at(self.height)
        if key is None:
            raise VerificationError("CC-UNKNOWN-KEY", f"the operator has no key that acts in block {self.height}")
        return key

    # ----------------------------------------------------------------------------------- blocks

    def begin_genesis(self, key: bytes) -> None:
        """Open block 0, in which the genesis key acts before its party stands in a record."""
        self.height = 0
        self._add_party(PartyState(0, "self", ("operator",), None, [PartyKey(key, 0)]))

    def begin_block(self, height: int) -> None:
        self.height = height

    def check_order(self, header: StatementHeader) -> None:
        """Check that a statement stands where its author put it: sequence, previous, what it saw, and expiry.

        Raises:
            VerificationError: ``CC-SEQUENCE``, ``CC-PREVIOUS``, ``CC-SEEN`` or ``CC-EXPIRED``.
        """
        author, _ = self.signer(header.author)
        if header.sequence != author.sequence:
            raise VerificationError(
                "CC-SEQUENCE",
                f"statement {header.sequence} of {author.id!r} stands where its statement {author.sequence} must:"
                " one was dropped, doubled or reordered",
                expected=author.sequence,
                found=header.sequence,
            )
        if header.previous != author.previous:
            raise VerificationError(
                "CC-PREVIOUS",
                f"statement {header.sequence} of {author.id!r} follows another statement than the one before it here",
                expected=author.previous.hex() if author.previous else None,
                found=header.previous.hex() if header.previous else None,
            )
        seen = self.identity if header.seen_size == 0 else None
        if 0 < header.seen_size <= self.height:
            seen = self.lookup.block_hash(header.seen_size - 1)
        if header.seen_hash != seen or header.seen_size < author.seen:
            raise VerificationError(
                "CC-SEEN",
                f"the author saw {header.seen_size} blocks of another history than this one",
                expected=seen.hex() if seen else f"{author.seen} to {self.height} blocks",
                found=header.seen_hash.hex() if seen else header.seen_size,
            )
        if self.height > header.expiry:
            raise VerificationError(
                "CC-EXPIRED",
                f"the statement expired at height {header.expiry}",
                expected=f"at most height {header.expiry}",
                found=self.height,
            )

    def accept(self, header: StatementHeader, statement_id: bytes) -> None:
        """Count a statement as its author's last one."""
        author, _ = self.signer(header.author)
        author.sequence, author.previous = author.sequence + 1, statement_id
        author.seen = header.seen_size
        self._authors.add(author.number)

    def end_block(self) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        """Close the block: save what changed, and return (count, root) of accounts and of parties."""
        for number in sorted(self._changed_accounts):
            account = self.accounts[number]
            _put_leaf(self._account_tree, number, account.leaf_hash())
            self.lookup.save("account", number, account.pack())
        for number in sorted(self._changed_parties):
            _put_leaf(self._party_tree, number, self.parties[number].leaf_hash())
        for number in sorted(self._changed_parties | self._authors):
            self.lookup.save("party", number, self.parties[number].pack())
        self._changed_accounts.clear()
        self._changed_parties.clear()
        self._authors.clear()
        return self.roots()

    def roots(self) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        """Return (count, root) of accounts and of parties as of the last closed block."""
        return (
            (self._account_tree.size, self._account_tree.root()),
            (self._party_tree.size, self._party_tree.root()),
        )

    def _add_account(self, account: AccountState) -> None:
        self.accounts.append(account)
        self._account_numbers[account.id] = account.number

    def _add_party(self, party: PartyState) -> None:
        self.parties.append(party)
        self._party_numbers[party.id] = party.number
        for key in party.keys:
            self._key_parties[keys.key_id(key.key)] = party.number
        self._changed_parties.add(party.number)


def _put_leaf(tree: merkle.MutableTree, number: int, leaf: bytes) -> None:
    if number < tree.size:
        tree.set(number, leaf)
    else:
        tree.append(leaf)
