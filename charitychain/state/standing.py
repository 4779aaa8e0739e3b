"""Standing: who and what is there at a position in the ledger, and what a block header commits to.

Parties with their keys, accounts, units; which key speaks for whom at this height; whether a statement stands where
its author put it; and the accounts and parties roots. What records may change here is `charitychain.state.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from charitychain import codec, keys, merkle
from charitychain.chain.statements import StatementHeader
from charitychain.errors import RefusedError, VerificationError
from charitychain.state.accounts import AccountState, Summary
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
        version: The ledger's format, 1 or 2: the rules that hold in it.
    """

    def __init__(self, lookup: Lookup, identity: bytes, version: int) -> None:
        self.lookup, self.identity, self.version = lookup, identity, version
        self.height = 0
        self.parties: list[PartyState] = []
        self.accounts: list[AccountState] = []
        self.units: dict[str, Unit] = dict(BUILT_IN)
        self.totals: dict[tuple[str, Kind], int] = {}
        self._party_numbers: dict[str, int] = {}
        self._account_numbers: dict[str, int] = {}
        self._key_parties: dict[bytes, int] = {}
        self._recovery: set[bytes] = set()
        self._owned: dict[tuple[int, str], dict[int, AccountState]] = {}
        self._account_tree = merkle.MutableTree(ACCOUNTS)
        self._party_tree = merkle.MutableTree(PARTIES)
        self.changed_accounts: set[int] = set()
        self.changed_parties: set[int] = set()
        self._authors: set[int] = set()

    @classmethod
    def load(cls, lookup: Lookup, identity: bytes, version: int, height: int) -> Self:
        """Go on from what `end_block` saved; `height` is that of the next block."""
        self = cls(lookup, identity, version)
        self.height = height
        for data in lookup.saved("party"):
            self.add_party(PartyState.unpack(data))
        for data in lookup.saved("account"):
            account = AccountState.unpack(lookup, data)
            self.add_account(account)
            self._account_tree.append(account.leaf_hash())
        for data in lookup.saved("unit"):
            value: Any = codec.decode(data)
            self.units[value[0]] = Unit(*value)
        for party in self.parties:
            self._party_tree.append(party.leaf_hash())
        self.changed_parties.clear()
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

    def unit_of(self, account: Summary) -> Unit:
        return self.units[account.unit]

    def party_of(self, key_id: bytes) -> PartyState:
        """Return the party that a key belongs to, whether or not it still acts.

        Raises:
            VerificationError: ``CC-UNKNOWN-KEY``: to none, as only in a damaged block: verify goes on behind it.
        """
        number = self._key_parties.get(key_id)
        if number is None:
            raise VerificationError("CC-UNKNOWN-KEY", f"no party has the key {key_id.hex()[:16]}…", key=key_id.hex())
        return self.parties[number]

    def signer(self, key_id: bytes) -> tuple[PartyState, bytes]:
        """Return the party that a key speaks for at this height, and the key.

        Raises:
            VerificationError: ``CC-UNKNOWN-KEY``.
        """
        number = self._key_parties.get(key_id)
        if number is not None:
            party = self.parties[number]
            for key in (*party.keys, *party.recovery):
                if keys.key_id(key.key) == key_id and key.acts_at(self.height):
                    return party, key.key
        raise VerificationError(
            "CC-UNKNOWN-KEY", f"no key {key_id.hex()[:16]}… acts in block {self.height}", key=key_id.hex()
        )

    def is_recovery(self, key_id: bytes) -> bool:
        """Say whether a key was ever registered as a recovery key."""
        return key_id in self._recovery

    def sealing_keys(self, first_author: bytes | None = None) -> list[bytes]:
        """Return the keys of which one seals the block at this height, newest first; in format 1 only the newest does.

        A block whose first statement the operator's recovery key signs is sealed by that key: where the others are
        lost, nobody else could.

        Args:
            first_author: Key id of the author of the block's first statement.
        """
        if first_author is not None and self.is_recovery(first_author) and self.party_of(first_author).number == 0:
            return [self.signer(first_author)[1]]
        listed = self.parties[0].keys_at(self.height)
        if not listed:
            raise VerificationError("CC-UNKNOWN-KEY", f"the operator has no key that acts in block {self.height}")
        return listed[:1] if self.version == 1 else listed

    # ----------------------------------------------------------------------------------- blocks

    def begin_genesis(self, key: bytes) -> None:
        """Open block 0, in which the genesis key acts before its party stands in a record."""
        self.height = 0
        self.add_party(PartyState(0, "self", ("operator",), None, [PartyKey(key, 0)]))

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
        for number in sorted(self.changed_accounts):
            account = self.accounts[number]
            _put_leaf(self._account_tree, number, account.leaf_hash())
            self.lookup.save("account", number, account.pack())
        for number in sorted(self.changed_parties):
            _put_leaf(self._party_tree, number, self.parties[number].leaf_hash())
        for number in sorted(self.changed_parties | self._authors):
            self.lookup.save("party", number, self.parties[number].pack())
        self.changed_accounts.clear()
        self.changed_parties.clear()
        self._authors.clear()
        return self.roots()

    def roots(self) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        """Return (count, root) of accounts and of parties as of the last closed block."""
        return (
            (self._account_tree.size, self._account_tree.root()),
            (self._party_tree.size, self._party_tree.root()),
        )

    def account_node(self, level: int, index: int) -> bytes:
        """Return a complete node of the tree under the accounts root, as of the last closed block."""
        return self._account_tree.node(level, index)

    def party_node(self, level: int, index: int) -> bytes:
        """Return a complete node of the tree under the parties root, as of the last closed block."""
        return self._party_tree.node(level, index)

    def owned_by(self, owner: int, unit: str) -> list[AccountState]:
        """Return a party's accounts in one unit."""
        return [account for account in self.booked_by(owner, unit) if account.owner == owner]

    def booked_by(self, owner: int, unit: str) -> Iterable[AccountState]:
        """Return the accounts in one unit that a party owns, or owned once."""
        return self._owned.get((owner, unit), {}).values()

    def set_owner(self, account: AccountState, owner: int) -> None:
        account.owner = owner
        self._owned.setdefault((owner, account.unit), {})[account.number] = account

    def knows_key(self, key: bytes) -> bool:
        """Say whether a key was ever registered, by anybody."""
        return keys.key_id(key) in self._key_parties

    def add_key(self, party: PartyState, key: bytes, *, recovery: bool = False) -> None:
        """Give a party a key, or another recovery key, that acts from the next block on."""
        if recovery:
            party.set_recovery(key, self.height + 1)
            self._recovery.add(keys.key_id(key))
        else:
            party.keys.append(PartyKey(key, self.height + 1))
        self._key_parties[keys.key_id(key)] = party.number
        self.changed_parties.add(party.number)

    def add_account(self, account: AccountState) -> None:
        self.accounts.append(account)
        self._account_numbers[account.id] = account.number
        for owner in {account.owner, *(owner for owner, _ in account.books)}:
            self._owned.setdefault((owner, account.unit), {})[account.number] = account

    def add_party(self, party: PartyState) -> None:
        self.parties.append(party)
        self._party_numbers[party.id] = party.number
        for key in (*party.keys, *party.recovery):
            self._key_parties[keys.key_id(key.key)] = party.number
        self._recovery.update(keys.key_id(key.key) for key in party.recovery)
        self.changed_parties.add(party.number)


def _put_leaf(tree: merkle.MutableTree, number: int, leaf: bytes) -> None:
    if number < tree.size:
        tree.set(number, leaf)
    else:
        tree.append(leaf)
