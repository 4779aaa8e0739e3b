"""What leaves the model for another ledger, and what comes into it from one.

Rules upheld here:

- what is sent is taken as for a disbursement, and kept in the order in which it was taken: another ledger names those
  coins by their places in it. So it is taken back as a whole or not at all;
- what is received is as many coins as its spans have places, paid by the record itself, in the order of the places; no
  place of one outflow is received twice, unless the first record was wholly reversed;
- for caps both are transfers; what is undone of either, and a refund, counts against what came.

Of two models that trade, `part` says what became of some coins that one received, coin by coin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from . import tracing
from .coins import Account, Coin
from .terms import ModelRefused
from .undoing import Undoing

if TYPE_CHECKING:
    from .model import Model

HERE = "00" * 32
"""What the model's own ledger is called in records that are to be refused."""


class Sending:
    """The coins that a record sent, in their order, and under whom and when it is booked."""

    def __init__(self, account: Account, coins: list[Coin], year: str, time: int) -> None:
        self.account = account
        self.coins = coins
        self.year = year
        self.time = time
        self.owner = account.terms.owner


class Crossing(Undoing):
    """What gives coins back, and what crosses from ledger to ledger."""

    def __init__(self, today: str) -> None:
        super().__init__(today)
        # Of what was received: the outflow elsewhere, and its places.
        self.receipts: dict[str, tuple[tuple[Any, ...], set[int]]] = {}

    def _sent(self, record_id: str, record: Mapping[str, Any]) -> None:
        source = self._get_account(record["from"])
        amount, gift = self.minor(record["amount"], source.unit), record.get("gift")
        if record["to_ledger"] == HERE:
            raise ModelRefused("same-ledger", f"{record_id} goes nowhere")
        self._check_outflow(source, amount, gift)
        taken = self._take(source, amount, gift)
        self.sends[record_id] = Sending(source, taken, self._year(record), self.time)
        self._enter_now(source, record, "went", amount)

    def _received(self, record_id: str, record: Mapping[str, Any]) -> None:
        account = self._get_account(record["account"])
        amount = self.minor(record["amount"], account.unit)
        places = [place for start, length in record["spans"] for place in range(start, start + length)]
        outflow = (record["from_ledger"], *record["movement"])
        if record["from_ledger"] == HERE:
            raise ModelRefused("same-ledger", f"{record_id} comes from nowhere")
        self._check_signed(account.terms.owner)
        self._check_open(account)
        if len(places) != amount:
            raise ModelRefused("spans", f"{record_id} has {len(places)} places")
        for other, (theirs, taken) in self.receipts.items():
            stands = self._unreceived_of(other) < self.donations[other][1]
            if theirs == outflow and stands and not taken.isdisjoint(places):
                raise ModelRefused("received-twice", f"{other} received some of {outflow} before")
        self.receipts[record_id] = (outflow, set(places))
        self.authors[record_id] = self._author
        self.donations[record_id] = (account, amount)
        self.given_under[record_id] = (account.terms.owner, self._year(record), self.time)
        self._enter_now(account, record, "came", amount)
        # Beside the record's own name, each coin bears one of its place, so that some of them can be followed.
        account.receive(Coin(record_id, {record_id: (), f"{record_id}#{n}": ()}) for n in range(amount))

    def _booked_as(self, gift: str) -> str:
        return "came" if gift in self.receipts else super()._booked_as(gift)

    def _reverse_sent(self, record_id: str, record: Mapping[str, Any], wrong: Sending) -> None:
        amount = self._part(record, wrong.account.unit, len(wrong.coins))
        self._check_open(wrong.account)
        self._check_signed(wrong.account.terms.owner)
        if "gift" in record or amount < len(wrong.coins):
            raise ModelRefused("reversal", f"{record['reverses']} comes back as a whole")
        back, wrong.coins = wrong.coins, []
        self._enter(wrong.account.id, wrong.owner, wrong.year, "went", -amount)
        self._enter_hand_overs(wrong.account, wrong.time, self.time, amount)
        wrong.account.receive(coin.passed(record_id) for coin in back)


def part(model: Model, receipt: str, places: Iterable[int]) -> tracing.Trace:
    """Return what became of some coins of what was received, each followed alone and then added up."""
    account, _ = model.donations[receipt]
    sums: dict[tuple[str, tuple[Any, ...]], dict[str, int]] = {}
    total = 0
    for place in places:
        total += 1
        alone = tracing.trace(model, f"{receipt}#{place}", (account, 1))
        for name, keys in tracing.SHAPE.items():
            for entry in alone[name]:
                about = tuple((key, str(entry[key])) for key in (*keys, "path") if key in entry and key not in _SUMMED)
                found = sums.setdefault((name, about), {**entry, "amount": 0, "gives": 0})
                for key in _SUMMED & entry.keys():
                    found[key] += _minor(entry[key])
    told: dict[str, Any] = {
        "donation": receipt, "account": account.id, "amount": model.text(total, account.unit), "unit": account.unit,
        "refunded": "0", **{name: [] for name in tracing.SHAPE},
    }  # fmt: skip
    for (name, _), entry in sums.items():
        shown = cast(dict[str, Any], entry) | {"amount": model.text(entry["amount"], str(entry["unit"]))}
        if "gives_unit" in shown:
            shown["gives"] = model.text(entry["gives"], shown["gives_unit"])
        told[name].append(shown)
    return tracing.canonical(told)


_SUMMED = {"amount", "gives"}


def _minor(text: str) -> int:
    return int(text.replace(".", ""))
