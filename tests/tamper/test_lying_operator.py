"""An operator who lies, and seals the lie with its own key, against receipts and against a replay.

The whole ledger fits the lie: movements, sums, roots, seals. Each lie is either excluded by receipts, in that no two of
those that tell of the units in question can both hold, or it is among what the reference names as shown by a replay
only. A replay finds every one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from charitychain import sumlog
from charitychain.errors import RefusedError, VerificationError
from charitychain.receipts.check import check_receipt
from charitychain.receipts.noted import Noted
from charitychain.receipts.wire import encode_receipt
from charitychain.state import corrections, value
from charitychain.state.accounts import AccountState
from charitychain.state.acting import Acting
from charitychain.state.movements import Kind, Movement
from charitychain.sumlog import LogNode, Tag
from charitychain.tape import Run
from charitychain.trie import Leaf
from tamper.ledgers import codes
from tamper.liar import (
    BOOKS,
    EDU,
    EVEN,
    LATE,
    Entering,
    Lie,
    given,
    leaf,
    move,
    moved,
    nothing,
    patched,
    refund,
    shared,
    spent,
    story,
    tell,
    undone,
    walked,
)  # fmt: skip


def nothing_said(*_: Any) -> tuple[()]:
    return ()


def become(**fields: Any) -> Callable[[Acting, dict[str, Any]], dict[str, Any]]:
    return lambda state, told: told | fields


def led(state: Acting) -> None:
    """Tell no movement of its own, but point to the first that came into books."""
    state.moves[-1].append((BOOKS, 0))


def _into(account: int) -> Callable[[Acting, dict[str, Any]], dict[str, Any]]:
    return lambda state, told: told | {"account": state.accounts[account]}


def _next_is(account: int, height: int, instead_of: int) -> Lie:
    """Let movements at a height point into another account."""

    def bend(patch: pytest.MonkeyPatch) -> None:
        honest = Acting.next
        told = lambda self, meant: (  # noqa: E731
            self.accounts[account] if (self.height, meant.number) == (height, instead_of) else meant
        )
        patch.setattr(Acting, "next", lambda self, meant: honest(self, told(self, meant)))

    return bend


def _sums(kind: Kind, **sums: int) -> Lie:
    """Tell other sums of movements of a kind in the log of their account."""
    honest = Movement.leaf

    def told(self: Movement) -> LogNode:
        node = honest(self)
        return node._replace(**sums) if self.kind == kind else node

    return patched(Movement, "leaf", told)


def _no_order(left: LogNode, right: LogNode) -> LogNode:
    sums = [mine + theirs for mine, theirs in zip(left[1:5], right[1:5], strict=True)]
    data = bytes((Tag.MOVEMENT_NODE,)) + left.pack() + right.pack()
    return LogNode(sumlog.sha256(data).digest(), *sums, left.first, right.last)


def _counted_again(patch: pytest.MonkeyPatch) -> None:
    """Book the last gift of a run of donations once more, in a movement of its own."""
    honest = Acting.close_run

    def close(self: Acting) -> None:
        run = self.run
        honest(self)
        if run is not None and len(run.leaves) > 1:
            last = run.leaves[-1]
            self.moves[-1].append((run.account.number, run.account.log.size))
            self.add(run.account, Kind.DONATED, last.sum, place=self.place, gifts=(1, last.hash))

    patch.setattr(Acting, "close_run", close)


def _one_more(patch: pytest.MonkeyPatch) -> None:
    """Say of what the records of block 3 made that they made a movement of another account too."""
    honest = Acting.end_statement
    more = ((BOOKS, 0),)
    patch.setattr(
        Acting, "end_statement",
        lambda self: tuple((*made, *more) if self.height == 3 else made for made in honest(self)),
    )  # fmt: skip


def _other_rule(patch: pytest.MonkeyPatch) -> None:
    honest = AccountState.summary
    patch.setattr(AccountState, "summary", lambda self: [*honest(self)[:4], _even(self), *honest(self)[5:]])


def _even(account: AccountState) -> str:
    return "pro-rata" if account.id == "edu" else account.rule


@dataclass(frozen=True)
class Case:
    """A lie: what it is, the records about which it is told, who is told, and what comes of it.

    Attributes:
        refused: By gift a word out of why its receipt is refused.
        holds: Gifts whose receipts hold; none of them shares a unit with another.
        faults: What a replay finds, among other things.
        only_replay: The receipts' answer is wrong, and the reference says that only a replay shows such a lie.
    """

    why: str
    entered: tuple[Entering, ...]
    lies: tuple[Lie, ...]
    refused: dict[str, str] = field(default_factory=dict)
    holds: tuple[str, ...] = ()
    faults: str = "CC-ACCOUNTS-ROOT"
    only_replay: bool = False


X3, X2 = spent("X-1", "edu", "3", gift="D-1"), spent("X-2", "edu", "2", gift="D-2")
TWO = (lambda w: w.add_together([
    {"record": "donation", "id": "K-1", "account": "late", "amount": "10"},
    {"record": "donation", "id": "K-2", "account": "late", "amount": "7"},
]),)  # fmt: skip

CASES = [
    # The same units given to two gifts.
    Case("a named use takes another gift's units", (X3,), (move(Kind.SPENT, become(takes=(Run(11, 3),))),),
         {"D-2": "given to two gifts"}, ("D-1",)),
    Case("a hole lies elsewhere than the units that were taken", (X3, X2),
         (leaf(Tag.HOLES_LEAF, lambda h: Leaf(13, 14, 2, h.first, 0) if h.sum == 2 else h),
          move(Kind.SPENT, become(takes=(Run(0, 2),)), 2)), {"D-2": "misses movements"}, ("D-1",)),
    Case("a hole holds more units than it is long", (X3,),
         (leaf(Tag.HOLES_LEAF, lambda h: h._replace(high=h.key)),), {"D-1": "room", "D-2": "room"}),
    Case("a hole lies where nothing ever came in", (X3,),
         (leaf(Tag.HOLES_LEAF, lambda h: h._replace(key=50, high=52)),
          move(Kind.SPENT, become(takes=(Run(50, 3),)))), {"D-1": "never came in", "D-2": "never came in"}),
    Case("one takes fewer units than its amount, another more", (X3, X2),
         (move(Kind.SPENT, become(takes=(Run(0, 2),)), 3), move(Kind.SPENT, become(takes=(Run(10, 3),)), 2)),
         {"D-1": "another number of units", "D-2": "another number of units"}),
    Case("a gift is counted in two movements", TWO, (_counted_again,),
         {"K-2": "did not go where"}, ("K-1",), "CC-MOVES"),
    Case("a gift's movement has more than its gifts", (given("K-1", "late", "9"),),
         (move(Kind.DONATED, become(amount=20), 9),), {"K-1": "not in the movement"}),
    Case("a hop is pointed at the end of another", (moved("B-1", "books", "5", gift="D-1"),
                                                    moved("B-2", "books", "5", gift="D-2")),
         (move(Kind.DISBURSED, lambda s, t: t | {"target": (BOOKS, 0)} if s.height == 3 else t),
          move(Kind.RECEIVED, lambda s, t: led(s) if s.height == 3 else t)),
         {"D-2": "two records say|not what the record"}, ("D-1",), "CC-MOVES"),
    Case("parts of a split sum to less", (shared({"books": "3", "even": "4"}),),
         (lambda patch: patch.setattr(value, "sum", lambda parts: 9, raising=False),),
         {"D-1": "do not sum"}, ("D-2",), "CC-SPLIT"),
    Case("parts of a split sum to more", (shared({"books": "6", "even": "7"}),),
         (lambda patch: patch.setattr(value, "sum", lambda parts: 9, raising=False),),
         {"D-1": "do not sum"}, ("D-2",), "CC-SPLIT"),
    Case("more is used than was there, under fifo", (spent("X-1", "late", "6"), given("L-1", "late", "9")),
         (patched(Acting, "check_funds", nothing),), {"L-1": "more than was there"}, (), "CC-OVERDRAFT"),
    Case("more is used than was there, under pro-rata", (spent("X-1", "later", "6"), given("L-1", "later", "9")),
         (patched(Acting, "check_funds", nothing),), {"L-1": "more than was there"}, (), "CC-OVERDRAFT"),
    Case("a refund takes units beyond an even account's balance", (refund("R-1", "E-1", amount="4"),),
         (move(Kind.REFUNDED, become(takes=(Run(50, 4),))),),
         {"E-1": "more than was there", "E-2": "more than was there"}),
    # What was refunded or reversed, shown as used.
    Case("a refund is booked as a use", (refund("R-1", "D-1"),), (move(Kind.REFUNDED, become(kind=Kind.SPENT)),),
         {"D-1": "not what the record"}, ("D-2",)),
    Case("a refund is left out", (refund("R-1", "D-1"),), (move(Kind.REFUNDED, None),),
         {}, ("D-1", "D-2"), "CC-MOVES", only_replay=True),
    Case("what was reversed is not told", (spent("X-1", "edu", "6"), undone("U-1", "X-1", amount="2")),
         (leaf(Tag.REVERSED_LEAF, lambda r: None),), {"D-1": "sums in the summary", "D-2": "sums in the summary"}),
    Case("what was reversed does not count", (spent("X-1", "edu", "6"), undone("U-1", "X-1", amount="2")),
         (leaf(Tag.REVERSED_LEAF, lambda r: None), _sums(Kind.REVERSED, back=0)), {}, ("D-1", "D-2"), only_replay=True),
    Case("what was reversed counts for another use",
         (spent("X-1", "edu", "10"), spent("X-2", "edu", "3"), undone("U-1", "X-1", amount="2")),
         (leaf(Tag.REVERSED_LEAF, lambda r: r._replace(key=r.key + 1, high=r.high + 1)),),
         {"D-2": "misses movements"}, ("D-1",), only_replay=True),
    Case("one of two reversals is skipped",
         (spent("X-1", "edu", "6"), undone("U-1", "X-1", amount="2"), undone("U-2", "X-1", amount="3")),
         (move(Kind.REVERSED, become(previous=None), 3),), {"D-1": "misses movements"}, ("D-2",)),
    Case("a reversal comes after itself",
         (spent("X-1", "edu", "6"), undone("U-1", "X-1", amount="2"), undone("U-2", "X-1", amount="3")),
         (move(Kind.REVERSED, lambda s, t: t | {"previous": t["account"].size}, 3),), {"D-1": "misses movements"}),
    Case("a reversal brings back units that were not left",
         (spent("X-1", "edu", "6"), undone("U-1", "X-1", amount="2", gift="D-1")),
         (move(Kind.REVERSED, become(takes=(Run(50, 2),))),), {"D-1": "misses movements"}, ("D-2",)),
    Case("a transfer is reversed as if it had been a use", (moved("B-1", "books", "5"), undone("U-1", "B-1")),
         (patched(corrections, "_undo_transfer", corrections._undo_expenditure),),
         {"D-1": "neither used nor sent"}, ("D-2",), "CC-MOVES"),
    Case("so it is, and nothing is said of it", (moved("B-1", "books", "5"), undone("U-1", "B-1")),
         (patched(corrections, "_undo_transfer", corrections._undo_expenditure), patched(Noted, "links", nothing_said)),
         {}, ("D-1", "D-2"), "CC-MOVES", only_replay=True),
    Case("all of a use is reversed, and some is not", (spent("X-1", "edu", "6"), undone("U-1", "X-1")),
         (move(Kind.REVERSED, become(amount=2)),), {"D-1": "not all there was"}, ("D-2",)),
    Case("all of a transfer is taken back, and some is not", (moved("B-1", "books", "6"), undone("U-1", "B-1")),
         (move(Kind.GIVEN_BACK, become(amount=2, takes=(Run(0, 2),))), move(Kind.RETURNED, become(amount=2))),
         {"D-1": "left some"}, ("D-2",)),
    Case("a refund of everything leaves some", (refund("R-1", "D-1"),),
         (move(Kind.REFUNDED, become(amount=4, takes=(Run(0, 4),))),), {"D-1": "left some"}, ("D-2",)),
    Case("a gift that was never received leaves some", (undone("U-1", "D-1"),),
         (move(Kind.VOIDED, become(amount=4, takes=(Run(0, 4),))),), {"D-1": "left some"}, ("D-2",)),
    Case("the reversal of one gift takes another's units", (undone("U-1", "D-1", amount="3"),),
         (move(Kind.VOIDED, become(takes=(Run(11, 3),))),), {"D-2": "took units of gift"}, ("D-1",)),
    Case("what was taken back is laid into another account",
         (moved("B-1", "even", "9"), undone("U-1", "B-1", amount="5")),
         (_next_is(LATE, 3, EDU), move(Kind.RETURNED, _into(LATE))), {"D-1": "where it had come from"}, ("D-2",)),
    Case("what was taken back came to nobody", (moved("B-1", "books", "9"), undone("U-1", "B-1", amount="5")),
         (move(Kind.RETURNED, None),), {"D-1": "another number of movements"}, ("D-2",), "CC-MOVES"),
    Case("a reversal of a use makes two movements", (spent("X-1", "edu", "6"), undone("U-1", "X-1", amount="2")),
         (_one_more,), {"D-1": "another number of movements"}, ("D-2",), "CC-MOVES"),
    Case("a movement that comes in says that it was named", (given("L-1", "late", "9"),),
         (move(Kind.DONATED, become(named=True, takes=(Run(0, 9),)), 9),), {"L-1": "not what the record"}, ("D-1",)),
    # Hops, records, order.
    Case("a disbursement goes to another account", (moved("B-1", "books", "5"),),
         (_next_is(LATE, 2, BOOKS), move(Kind.RECEIVED, _into(LATE))), {"D-1": "another account"}, ("D-2",)),
    Case("source and target do not name each other", (moved("B-1", "books", "5"),),
         (move(Kind.RECEIVED, become(source=(EDU, 9))),), {"D-1": "not what the record"}, ("D-2",)),
    Case("units go on in another unit", (moved("B-1", "eur", "9"),), (patched(value, "_check_target", nothing),),
         {"D-1": "in another unit"}, ("D-2",), "CC-UNIT"),
    Case("a movement has less than its record", (spent("X-1", "edu", "6"),), (move(Kind.SPENT, become(amount=5)),),
         {"D-1": "not what the record"}, ("D-2",)),
    Case("a movement is of another kind than its record", (spent("X-1", "edu", "6"),),
         (move(Kind.SPENT, become(kind=Kind.REFUNDED, named=True, takes=(Run(0, 6),))),),
         {"D-1": "not what the record"}, ("D-2",)),
    Case("the name that chose a gift is dropped", (spent("X-1", "edu", "3", gift="D-2"),),
         (move(Kind.SPENT, become(named=False, takes=())),), {"D-1": "not what the record"}, ("D-2",)),
    Case("names do not count", (X3,), (leaf(Tag.HOLES_LEAF, lambda h: None),),
         {"D-1": "sums in the summary", "D-2": "sums in the summary"}),
    Case("a use is dated back before the gift that paid for it", (given("L-1", "late", "9"), spent("X-1", "late", "6")),
         (move(Kind.SPENT, become(place=(1, 0, 0))), patched(sumlog, "log_node", _no_order)),
         {"L-1": "places in a movement log must rise"}),
    # Out of nothing.
    Case("a conversion makes money of steps", (walked("C-1", "books", "50"),),
         (patched(value, "_is_currency", lambda code: True),), {"S-1": "out of nothing"}, ("D-1",), "CC-CONVERSION"),
    Case("a conversion gives more than it says", (walked("C-1", "books", "5", funded_from="edu"),),
         (move(Kind.CONVERTED_IN, become(amount=9)),), {"S-1": "not what the record", "D-1": "not what the record"}),
    Case("nobody pays for a conversion", (walked("C-1", "books", "5", funded_from="edu"),),
         (move(Kind.FUNDED, None),), {"S-1": "another number of movements"}, ("D-1",), "CC-MOVES"),
    Case("another account pays for a conversion", (walked("C-1", "books", "5", funded_from="edu"),),
         (move(Kind.FUNDED, _into(EVEN)),), {"S-1": "another account"}, ("D-1",), "CC-MOVES"),
    # Left out, and what else only a replay shows.
    Case("a use is left out", (spent("X-1", "even", "6"),), (move(Kind.SPENT, None),),
         {}, ("E-1", "E-2"), "CC-MOVES", only_replay=True),
    Case("a use stands in the log and does not count", (spent("X-1", "even", "6"),), (_sums(Kind.SPENT, rule=0),),
         {"E-1": "not those of its log", "E-2": "not those of its log"}),
    Case("an account is told to be even, and was not", (spent("X-1", "edu", "6"),), (_other_rule,),
         {}, ("D-1", "D-2"), only_replay=True),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.why for case in CASES])
def test_a_lie_is_excluded_by_receipts_or_found_by_a_replay(case: Case) -> None:
    """Receipts that the lie makes false are refused, or the reference says that only a replay shows it, and it does."""
    ledger = tell(story(*case.entered), (*case.refused, *case.holds), *case.lies)
    for gift, why in case.refused.items():
        with pytest.raises(VerificationError, match=why) as caught:
            check_receipt(encode_receipt(ledger.receipts[gift]))
        assert caught.value.code == "CC-RECEIPT"
    for gift in case.holds:
        assert check_receipt(encode_receipt(ledger.receipts[gift])).trace is not None
    assert case.refused or case.only_replay
    assert case.faults in [code for code, _ in codes(ledger.data)]


@pytest.mark.parametrize("case", CASES, ids=[case.why for case in CASES])
def test_the_same_records_without_the_lie(case: Case) -> None:
    """Told as it is, each of these stories is a ledger that holds, with receipts that hold; or a rule refuses it."""
    gifts = (*case.refused, *case.holds)
    try:
        ledger = tell(story(*case.entered), gifts)
    except RefusedError:
        assert any(word in case.why for word in ("split", "used than", "unit", "money of steps"))
        return
    assert codes(ledger.data) == []
    for gift in gifts:
        assert check_receipt(encode_receipt(ledger.receipts[gift])).trace is not None
