"""What became of each coin of the model: the trace of one gift, and the sums that must hold.

Rules upheld here:

- in every unit: gift + given = uses + held + refunds + sent + converted + reversed;
- no coin is in two places, and nothing is minted but by donations and conversions.

It leaves the moving of coins to the model. `canonical` is what two traces are compared by:

    >>> trace = {"donation": "D-1", "account": "a", "amount": "2", "unit": "JPY", "refunded": "0", "uses": [],
    ...          "held": [{"account": "a", "amount": "2", "unit": "JPY"}], "converted": [], "refunds": []}
    >>> canonical(trace)["held"], canonical(trace) == canonical({**trace, "height": 7, "reversed": []})
    ([{'account': 'a', 'amount': '2', 'unit': 'JPY'}], True)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .coins import Account
    from .model import Model

Trace = dict[str, Any]

SHAPE: dict[str, tuple[str, ...]] = {
    "uses": ("id", "record", "account", "amount", "unit", "payee", "purpose"),
    "held": ("account", "amount", "unit"),
    "converted": ("id", "amount", "unit", "gives", "gives_unit"),
    "refunds": ("id", "amount", "unit", "donation"),
    "reversed": ("id", "amount", "unit"),
    "sent": ("id", "account", "amount", "unit"),
}


def trace(model: Model, donation_id: str, of: tuple[Account, int] | None = None) -> Trace:
    """Return the canonical trace of one gift; assert that it sums in every unit.

    Args:
        of: The account and the count of coins, where the name is not that of a gift.
    """
    account, amount = of if of is not None else model.donations[donation_id]
    # (unit) -> gift + given, and (unit) -> used + held + refunded + converted + reversed
    came: Counter[str] = Counter({account.unit: amount})
    ended: Counter[str] = Counter()
    uses: list[dict[str, Any]] = []
    for use_id, use in model.expenditures.items():
        paths = Counter(coin.trails[donation_id] for coin in use.coins if donation_id in coin.trails)
        for path, count in paths.items():
            ended[use.account.unit] += count
            uses.append({
                "id": use_id, "record": "expenditure", "account": use.account.id,
                "amount": model.text(count, use.account.unit), "unit": use.account.unit,
                "payee": use.record.get("payee", ""), "purpose": use.record.get("purpose", ""), "path": list(path),
            })  # fmt: skip
    held: list[dict[str, str]] = []
    for place in model.accounts.values():
        if count := sum(donation_id in coin.trails for coin in place.coins):
            ended[place.unit] += count
            held.append({"account": place.id, "amount": model.text(count, place.unit), "unit": place.unit})
    converted: list[dict[str, str]] = []
    for conversion_id, conversion in model.conversions.items():
        if count := conversion.amounts[donation_id]:
            ended[conversion.source_unit] += count
            came[conversion.target_unit] += conversion.gives[donation_id]
            converted.append({
                "id": conversion_id,
                "amount": model.text(count, conversion.source_unit), "unit": conversion.source_unit,
                "gives": model.text(conversion.gives[donation_id], conversion.target_unit),
                "gives_unit": conversion.target_unit,
            })  # fmt: skip
    refunds: list[dict[str, str]] = []
    refunded = 0
    for refund_id, refund in model.refunds.items():
        if count := sum(donation_id in coin.trails for coin in refund.coins):
            ended[refund.unit] += count
            if refund.donation == donation_id and refund.unit == account.unit:
                refunded += count
            refunds.append({
                "id": refund_id, "amount": model.text(count, refund.unit), "unit": refund.unit,
                "donation": refund.donation,
            })  # fmt: skip
    reversed_: list[dict[str, str]] = []
    for reversal_id, gone in model.unreceived.items():
        if count := sum(donation_id in coin.trails for coin in gone.coins):
            ended[gone.unit] += count
            reversed_.append({"id": reversal_id, "amount": model.text(count, gone.unit), "unit": gone.unit})
    sent: list[dict[str, Any]] = []
    for send_id, send in model.sends.items():
        paths = Counter(coin.trails[donation_id] for coin in send.coins if donation_id in coin.trails)
        for path, count in paths.items():
            ended[send.account.unit] += count
            sent.append({
                "id": send_id, "account": send.account.id, "amount": model.text(count, send.account.unit),
                "unit": send.account.unit, "path": list(path),
            })  # fmt: skip
    assert +came == +ended, f"{donation_id}: came {dict(came)}, ended {dict(ended)}"
    return canonical({
        "donation": donation_id, "account": account.id, "amount": model.text(amount, account.unit),
        "unit": account.unit, "refunded": model.text(refunded, account.unit),
        "uses": uses, "held": held, "converted": converted, "refunds": refunds, "reversed": reversed_,
        "sent": sent,
    })  # fmt: skip


def check(model: Model) -> None:
    """Assert everything that must hold in any state: each gift's sums, each account's, and those of each unit."""
    for donation_id in model.donations:
        trace(model, donation_id)
    resting: Counter[str] = Counter()
    seen: list[int] = []
    # Whatever was undone: of what an account holds, its owner of now has all by the books, and nobody else anything.
    booked: Counter[tuple[str, str]] = Counter()
    for place, amount in model.books.sums.items():
        booked[place.account, place.owner] += -amount if place.what == "went" else amount
    for spent in model.spending():
        booked[spent.account, spent.owner] -= spent.amount
    for (name, owner), amount in booked.items():
        present = model.accounts[name]
        assert amount == (len(present.coins) if owner == present.terms.owner else 0), (name, owner)
    for account in model.accounts.values():
        assert account.came - account.went == len(account.coins), account.id
        assert account.rule_taken <= account.went, account.id
        assert not (account.terms.closed and account.coins), account.id
        resting[account.unit] += len(account.coins)
        seen += map(id, account.coins)
        for coin in account.coins:
            assert coin.payer in coin.trails, account.id
    for use_id, use in model.expenditures.items():
        assert model.text(use.reversed + len(use.coins), use.account.unit) == _full(model, use.record, use.account.unit)
        assert sum(count for _, count in model.sources(use_id)) == len(use.coins), use_id
        resting[use.account.unit] += len(use.coins)
        seen += map(id, use.coins)
    for send in model.sends.values():
        resting[send.account.unit] += len(send.coins)
        seen += map(id, send.coins)
    for gone_id, gone in (model.refunds | model.unreceived).items():
        assert all(coin.payer == gone.donation for coin in gone.coins), gone_id
        resting[gone.unit] += len(gone.coins)
        seen += map(id, gone.coins)
    assert len(seen) == len(set(seen)), "a coin is in two places"
    minted: Counter[str] = Counter()
    for account, amount in model.donations.values():
        minted[account.unit] += amount
    for conversion in model.conversions.values():
        minted[conversion.source_unit] -= conversion.size
        if not conversion.funded:
            minted[conversion.target_unit] += conversion.given
    assert +minted == +resting, f"minted {dict(minted)}, resting {dict(resting)}"
    for pledge_id, pledge in model.pledges.items():
        assert 0 <= pledge.reversed <= pledge.amount, pledge_id


def _full(model: Model, record: Mapping[str, str], unit: str) -> str:
    whole, _, fraction = record["amount"].partition(".")
    return model.text(int(whole + fraction.ljust(model.decimals[unit], "0")), unit)


def canonical(trace: Mapping[str, Any]) -> Trace:
    """Return a trace with the pinned keys only and its lists sorted, so that two traces can be compared with `==`.

    Two entries for one use and path stay two. What rests in an account is one, whatever its state. A missing payee or
    purpose is an empty one, and a missing `reversed` or `sent` an empty list.
    """
    result: Trace = {key: trace[key] for key in ("donation", "account", "amount", "unit", "refunded")}
    for name, keys in SHAPE.items():
        entries: list[dict[str, Any]] = []
        for entry in trace.get(name, []) if name in ("reversed", "sent") else trace[name]:
            kept: dict[str, Any] = {
                key: (entry.get(key) or "") if key in ("payee", "purpose") else entry[key] for key in keys
            }
            if name in ("uses", "sent"):
                kept["path"] = list(entry["path"])
            same = [each for each in entries if name == "held" and each["account"] == kept["account"]]
            if same:
                same[0]["amount"] = str(Decimal(same[0]["amount"]) + Decimal(kept["amount"]))
            else:
                entries.append(kept)
        result[name] = sorted(entries, key=_order)
    return result


def _order(entry: Mapping[str, Any]) -> tuple[str, ...]:
    path = entry.get("path", ())
    return (entry.get("id", ""), entry.get("account", ""), *path, entry["amount"])
