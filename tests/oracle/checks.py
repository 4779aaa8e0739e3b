"""What the model asks before anything moves: whether there is enough, and whether the terms allow it.

Rules upheld here:

- an account that is closed takes nothing in and gives nothing out;
- every outflow needs the owner's signature and as many approvers' as the account's terms say, be it a reversal;
- value that leaves by disbursement, split or conversion goes only where the restriction is at least as narrow;
- an account with a levy is left by splits only, and one that forbids naming is not left by gifts of choice; refunds and
  reversals are free of both;
- a cap binds every expenditure in its scope, not only those of the account that states it.

It changes nothing, and is of no use alone: `model` moves the coins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .coins import COMMODITIES, CURRENCIES, Account, Coin, Expenditure, parse_amount
from .terms import ANYTHING, Books, Cap, Entry, ModelRefused, Spent


class Checks:
    """What the checks look at, and the checks."""

    def __init__(self, today: str) -> None:
        self.today = today
        self.decimals: dict[str, int] = {**CURRENCIES, **COMMODITIES}
        self.accounts: dict[str, Account] = {}
        self.donations: dict[str, tuple[Account, int]] = {}
        self.expenditures: dict[str, Expenditure] = {}
        self.books = Books()
        self._signers: frozenset[str] | None = None

    def _get_account(self, account_id: str) -> Account:
        account = self.accounts.get(account_id)
        if account is None:
            raise ModelRefused("unknown-account", f"no account {account_id}")
        return account

    def minor(self, text: str, unit: str) -> int:
        """Return the minor units of an amount, or refuse it."""
        return parse_amount(text, self.decimals[unit])

    def _part(self, record: Mapping[str, Any], unit: str, left: int, reason: str = "reversal") -> int:
        """Return what a reversal states, or else all that is left; there must be something."""
        amount = self.minor(record["amount"], unit) if "amount" in record else left
        if not 1 <= amount <= left:
            raise ModelRefused(reason, f"{left} minor units of {record['reverses']} are left to reverse")
        return amount

    def _check_open(self, account: Account) -> None:
        if account.terms.closed:
            raise ModelRefused("closed", f"{account.id} is closed")

    def _check_signed(self, *parties: str) -> None:
        if self._signers is not None and not self._signers.issuperset(parties):
            raise ModelRefused("signature", f"all of {parties} must sign")

    def _check_approved(self, account: Account) -> None:
        needed = account.terms.approvals
        if self._signers is not None and needed is not None and len(self._signers & needed.of) < needed.needed:
            raise ModelRefused("approvals", f"{account.id} needs {needed.needed} of {sorted(needed.of)}")

    def _check_leave(self, account: Account) -> None:
        """Check what every outflow needs, a reversal's too."""
        self._check_open(account)
        self._check_signed(account.terms.owner)
        self._check_approved(account)

    def _check_bound(self, source: Account, target: Account) -> None:
        if not (target.terms.restriction or ANYTHING).keeps(source.terms.restriction):
            raise ModelRefused("restriction", f"{target.id} is not as narrow as {source.id}")

    def _check_passing(self, record_id: str, source: Account, target: Account) -> None:
        if source is target:
            raise ModelRefused("same-account", f"{record_id} goes from {source.id} to itself")
        if source.unit != target.unit:
            raise ModelRefused("unit", f"{source.unit} cannot be passed on as {target.unit}")
        self._check_open(target)
        self._check_bound(source, target)

    def _check_outflow(self, account: Account, amount: int, gift: str | None, *, is_split: bool = False) -> None:
        self._check_leave(account)
        if account.terms.levy is not None and not is_split:
            raise ModelRefused("levy", f"value leaves {account.id} by splits only")
        if gift is not None:
            if gift not in self.donations:
                raise ModelRefused("unknown-donation", f"no donation {gift}")
            if account.terms.naming == "forbidden":
                raise ModelRefused("naming", f"{account.id} lets nobody choose a gift")
            if account.rule != "fifo":
                raise ModelRefused("named-pro-rata", f"{account.id} is pro-rata: no gift can be chosen")
            if account.paid_by(gift) < amount:
                raise ModelRefused("gift-short", f"{account.id} holds {account.paid_by(gift)} of {gift}")
        if len(account.coins) < amount:
            raise ModelRefused("overdraft", f"{account.id} holds {len(account.coins)}, not {amount}")

    def _take(self, account: Account, amount: int, gift: str | None) -> list[Coin]:
        return account.take_by_rule(amount) if gift is None else account.take_of_gift(gift, amount)

    # -- caps ------------------------------------------------------------------------------------

    def _year(self, record: Mapping[str, Any]) -> str:
        return str(record.get("date", self.today))[:4]

    def _enter(self, account: Account, record: Mapping[str, Any], what: str, amount: int) -> None:
        self.books.entries.append(Entry(account.id, self._year(record), what, amount))

    def _spending(self) -> list[Spent]:
        return [
            Spent(use.account.id, use.year, use.record.get("category"), len(use.coins))
            for use in self.expenditures.values()
        ]

    def _scope(self, account: Account, cap: Cap) -> frozenset[str]:
        if cap.scope == "account":
            return frozenset({account.id})
        return frozenset(
            each.id
            for each in self.accounts.values()
            if each.unit == account.unit and each.terms.owner == account.terms.owner
        )

    def check_caps(self, source: Account, new: Spent) -> None:
        """Refuse an expenditure after which a cap of mode `refuse` would be exceeded."""
        spending = [*self._spending(), new]
        for account in self.accounts.values():
            for cap in account.terms.caps:
                scope = self._scope(account, cap)
                if cap.mode != "refuse" or source.id not in scope or new.category not in cap.categories:
                    continue
                if self.books.exceeds(cap, new.year, scope, spending):
                    raise ModelRefused("cap", f"{cap} of {account.id} would be exceeded")

    def exceeded(self) -> list[tuple[str, int, str]]:
        """Return (account, number of its cap from 0, year or `all`) of every cap, of either mode, that is exceeded."""
        spending = self._spending()
        years = {use.year for use in spending} | {entry.year for entry in self.books.entries}
        return [
            (account.id, number, period)
            for account in self.accounts.values()
            for number, cap in enumerate(account.terms.caps)
            for period in (["all"] if cap.period == "all" else sorted(years))
            if self.books.exceeds(cap, period, self._scope(account, cap), spending)
        ]
