"""What the model asks before anything moves: whether there is enough, and whether the terms allow it.

Rules upheld here:

- an account that is closed takes nothing in and gives nothing out;
- every outflow needs the owner's signature and as many approvers' as the account's terms say, be it a reversal; an
  account is handed over with both owners' signatures, and from then on only the new one's counts;
- an account is owned by a charity or a sponsor; gifts are entered by its owner or an intake (the *author* of their
  statement, a further signer does not do), and pledges by a sponsor as well;
- value that leaves by disbursement, split or conversion goes only where the restriction is at least as narrow;
- an account with a levy is left by splits only, and one that forbids naming is not left by gifts of choice; refunds and
  reversals are free of both;
- a cap binds every expenditure in its scope, not only those of the account that states it.

It changes nothing, and is of no use alone: `model` moves the coins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .coins import COMMODITIES, CURRENCIES, Account, Coin, Disbursement, Expenditure, parse_amount
from .terms import ANYTHING, Books, Cap, Entry, ModelRefused, Spent, Terms


class Checks:
    """What the checks look at, and the checks."""

    def __init__(self, today: str) -> None:
        self.today = today
        self.decimals: dict[str, int] = {**CURRENCIES, **COMMODITIES}
        self.accounts: dict[str, Account] = {}
        self.donations: dict[str, tuple[Account, int]] = {}
        self.expenditures: dict[str, Expenditure] = {}
        self.disbursements: dict[str, Disbursement] = {}
        self.books = Books()
        # Nothing: everybody has every role.
        self.roles: dict[str, frozenset[str]] | None = None
        # Who entered a gift or a pledge.
        self.authors: dict[str, str] = {}
        self.converting: set[str] = set()
        # Of the statement that is open: who signed it, who speaks, and what stands in it.
        self._signers: frozenset[str] | None = None
        self._author = "self"
        self._standing: set[str] = set()

    def author_of(self, record: Mapping[str, Any]) -> str:
        """Return who speaks in a record: whom it names, or else its owner, or whoever entered what it undoes."""
        if "author" in record:
            return str(record["author"])
        if record["record"] == "account":
            return str(record.get("owner", "self"))
        named = next((record[name] for name in ("account", "from") if name in record), None)
        about = record.get("reverses", record.get("donation"))
        if record["record"] == "reversal" and about in self.authors:
            return self.authors[about]
        if named is None and about in self.donations:
            return self.donations[about][0].terms.owner
        if named is None and about in self.expenditures:
            return self.expenditures[about].account.terms.owner
        if named is None and about in self.disbursements:
            return self.disbursements[about].source.terms.owner
        return self.accounts[named].terms.owner if named in self.accounts else "self"

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

    def _check_role(self, party: str, *roles: str) -> None:
        if self.roles is None:
            return
        if party not in self.roles:
            raise ModelRefused("unknown-party", f"no party {party}")
        if self.roles[party].isdisjoint(roles):
            raise ModelRefused("role", f"{party} is none of {roles}")

    def _check_owner(self, party: str) -> None:
        self._check_role(party, "charity", "sponsor")

    def _check_intake(self, account: Account, *roles: str) -> None:
        self._check_signed(self._author)
        if self._author != account.terms.owner:
            self._check_role(self._author, *roles)

    def _check_approvers(self, terms: Terms) -> None:
        for party in terms.approvals.of if terms.approvals is not None else ():
            if self.roles is not None and party not in self.roles:
                raise ModelRefused("unknown-party", f"no party {party}")

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
