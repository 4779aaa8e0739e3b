"""An operator who lies in what heads and parties say: keys that no longer act, accounts of another time.

As in `test_lying_operator`, what a receipt does not exclude is named in the reference, and a replay finds it.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
from golden.builder import seeded_key

from charitychain import codec, keys, merkle
from charitychain.answers import Trace
from charitychain.chain import blocks
from charitychain.chain.blocks import Block
from charitychain.errors import VerificationError
from charitychain.receipts.check import check_receipt
from charitychain.receipts.shown import ShownAccount
from charitychain.receipts.wire import AccountShown, BlockShown, Receipt, TapeShown, encode_receipt
from charitychain.records import Donation, Expenditure, KeyChange, Record
from charitychain.state.acting import Acting
from charitychain.state.parties import PartyState, possession_message
from charitychain.state.standing import ACCOUNTS, Standing
from charitychain.sumlog import Tag, empty_root, span_leaf, span_node
from charitychain.trie import SumTrie, TrieRef
from tamper.forge import put_together, reseal, sign, take_apart
from tamper.ledgers import codes, village
from tamper.liar import Lie, issue, nothing, open_ledger, patched, proof_of, spent, story, tell, telling

# -------------------------------------------------------------------------------------------------- who signed


def signed_on(*statements: tuple[list[Record], str, int], lies: tuple[Lie, ...]) -> tuple[bytes, dict[str, Receipt]]:
    """Return the village with a block for each (records, party, number of its key), and receipts of all its gifts."""
    v = village()
    with telling(*lies):
        parts = v.blocks()
        for made, party, number in statements:
            statement = sign(made, [seeded_key(party, number)], v.identity, parts)
            parts = reseal([*parts, replace(parts[-1], statements=(statement,))], v.key_of)
        data = put_together(parts)
        reader = open_ledger(data)
        try:
            return data, {gift: issue(reader, gift) for gift in ("D-1", "N") if reader.find_id(gift) is not None}
        finally:
            reader.index.close()


def rotated() -> KeyChange:
    """Return the record by which the platform's second key replaces its first one."""
    first, second = seeded_key("platform").public_key, seeded_key("platform", 1)
    proof = second.sign(possession_message(village().identity, "platform", second.public_key))
    return KeyChange("platform", second.public_key, proof, keys.key_id(first))


def _any_key(patch: pytest.MonkeyPatch) -> None:
    def signer(self: Standing, key_id: bytes) -> tuple[PartyState, bytes]:
        party = self.party_of(key_id)
        found = party.find_key(key_id)
        assert found is not None
        return party, found.key

    patch.setattr(Standing, "signer", signer)


def checked(receipt: Receipt) -> Trace:
    trace = check_receipt(encode_receipt(receipt)).trace
    assert trace is not None
    return trace


def test_a_revoked_key_is_refused() -> None:
    """What a key signed after it was replaced proves nothing, though the operator took it in."""
    data, receipts = signed_on(
        ([rotated()], "platform", 0), ([Donation("N", 0, 500)], "platform", 0), lies=(_any_key,)
    )  # fmt: skip
    with pytest.raises(VerificationError, match="key that does not act") as caught:
        checked(receipts["N"])
    assert caught.value.code == "CC-RECEIPT"
    assert checked(receipts["D-1"]).donation == "D-1", "what it signed while it acted still holds"
    assert "CC-UNKNOWN-KEY" in [code for code, _ in codes(data)]


def test_that_a_key_was_revoked_can_be_hidden_from_receipts_only() -> None:
    """Where the operator leaves the key's end out of the party, a receipt holds, and a replay finds it."""
    lies = (patched(PartyState, "end_key", nothing),)
    data, receipts = signed_on(([rotated()], "platform", 0), ([Donation("N", 0, 500)], "platform", 0), lies=lies)
    assert checked(receipts["N"]).money.amount == 500
    assert {"CC-PARTIES-ROOT", "CC-UNKNOWN-KEY"} <= {code for code, _ in codes(data)}


def test_that_somebody_spent_who_may_not_only_a_replay_shows() -> None:
    """The operator spends out of the school's account: a receipt names it as the one who did, and a replay finds it."""
    lies = (patched(Acting, "require_out", nothing),)
    data, receipts = signed_on(([Expenditure("X-9", 1, 100)], "self", 0), lies=lies)
    assert [use.by for use in checked(receipts["D-1"]).uses if use.id == "X-9"] == ["self"]
    assert ("CC-AUTHOR", 7) in codes(data)


# --------------------------------------------------------------------------------------- accounts under a header


def under(parts: list[Block], receipt: Receipt) -> Receipt:
    """Put a receipt under the checkpoint of these blocks, the last of which need not be the one it was made under."""
    head = parts[-1].header
    shown = {blocks.decode_header(each.header).height: each for each in receipt.blocks}
    whole = (head.statements[1],) if head.statements[0] else ()
    shown[head.height] = shown.get(head.height, BlockShown(b"", (), whole))._replace(header=head.encode())
    hashes = [block.header.hash() for block in parts]
    return replace(
        receipt, note=parts[-1].seal, blocks=tuple(shown[height] for height in sorted(shown)),
        log_proof=proof_of(merkle.RFC6962, hashes, shown),
    )  # fmt: skip


def head_says(parts: list[Block], **fields: Any) -> list[Block]:
    """Return blocks of which the last has another header, sealed again."""
    genesis = parts[0].genesis
    assert genesis is not None
    last = replace(parts[-1], header=replace(parts[-1].header, **fields))
    root = merkle.root(merkle.RFC6962, [block.header.hash() for block in (*parts[:-1], last)])
    seal = blocks.make_seal(genesis.origin, len(parts), root, seeded_key("self"))
    return [*parts[:-1], replace(last, seal=seal)]


@pytest.fixture
def two_heads() -> tuple[list[Block], Receipt, Receipt]:
    """Give a ledger whose last block spends what D-1 gave, and the receipts of D-1 before and after it."""
    parts = take_apart(tell(story(spent("X-1", "edu", "10")), ()).data)
    receipts = []
    for end in (2, 3):
        reader = open_ledger(put_together(parts[:end]))
        receipts.append(issue(reader, "D-1"))
        reader.index.close()
    return parts, receipts[0], receipts[1]


def test_an_old_accounts_root_under_a_fresh_checkpoint(two_heads: tuple[list[Block], Receipt, Receipt]) -> None:
    """An old receipt's accounts do not stand under a fresh head; where the head itself repeats them, a replay shows."""
    parts, old, new = two_heads
    assert [len(checked(each).uses) for each in (old, new)] == [0, 1]
    with pytest.raises(VerificationError, match="the tree of the accounts has another root"):
        checked(under(parts, old))
    repeated = head_says(parts, accounts=parts[1].header.accounts)
    assert not checked(under(repeated, old)).uses
    assert codes(repeated) == [("CC-ACCOUNTS-ROOT", 2)]


def test_two_summaries_of_one_account(two_heads: tuple[list[Block], Receipt, Receipt]) -> None:
    """An account's old summary under a number of its own serves no receipt, since records say which account moved."""
    parts, old, _ = two_heads
    reader = open_ledger(put_together(parts))
    leaves = [account.leaf_hash() for account in reader.state.accounts]
    reader.index.close()
    (account,), number = old.accounts, len(leaves)
    second = (number, *account.summary[1:])
    both = [*leaves, merkle.leaf_hash(ACCOUNTS, codec.encode(second))]
    doubled = head_says(parts, accounts=(len(both), merkle.root(ACCOUNTS, both)))
    assert ("CC-ACCOUNTS-ROOT", 2) in codes(doubled)
    told = replace(
        under(doubled, old),
        accounts=(account._replace(summary=second),), accounts_proof=proof_of(ACCOUNTS, both, [number]),
        gifts=tuple(gift._replace(account=number) for gift in old.gifts),
    )  # fmt: skip
    with pytest.raises(VerificationError, match="did not go where it is shown"):
        checked(told)
    with pytest.raises(VerificationError, match="not in rising order"):
        checked(replace(told, accounts=(*old.accounts, *old.accounts)))


def test_a_reversal_on_the_wrong_side_of_a_branch() -> None:
    """A trie whose sums and hashes fit, but in which a look-up would go past a reversal, is none."""

    def at(key: int) -> tuple[TrieRef, bytes]:
        data = struct.pack(">QQQQQ", key, key, 2, key + 10, 0)
        return TrieRef(-1, span_leaf(Tag.REVERSED_LEAF, data, 2, key, key)), data

    def above(bit: int, left: TrieRef, right: TrieRef) -> tuple[TrieRef, bytes]:
        span = span_node(Tag.REVERSED_NODE, left.span, right.span, bytes((bit,)))
        return TrieRef(bit, span), left.pack() + right.pack()

    def shown(*nodes: tuple[TrieRef, bytes]) -> AccountShown:
        root, empty = nodes[0][0].span, empty_root(Tag.HOLES_NODE)
        sums = (20, 10, 0, 6)  # in, by rule, named, back
        summary = (0, "edu", bytes(32), "JPY", "fifo", 0, 1, 20, bytes(32), *sums, empty, 0, root.hash, root.sum)
        return AccountShown(summary, TapeShown((), (), (), tuple(data for _, data in nodes)))

    one, five, six = at(1), at(5), at(6)
    right = above(1, five[0], six[0])
    good = (above(2, one[0], right[0]), one, right, five, six)
    assert [ShownAccount(shown(*good)).reversed.find(key) is None for key in (1, 5, 6)] == [False, False, False]
    left = above(2, one[0], five[0])
    # 5 has the bit of the branch, so a look-up goes to the right, where it is not; the left side stays closed.
    bad = (above(2, left[0]._replace(bit=1), six[0]), six)
    root = bad[0][0].span
    nodes = [data for _, data in bad]
    trie = SumTrie.from_nodes(Tag.REVERSED_LEAF, Tag.REVERSED_NODE, nodes, root.hash, root.sum)
    assert trie.find(5) is None and trie.sum == 6
    with pytest.raises(VerificationError, match="does not stand where it must"):
        ShownAccount(shown(*bad))
