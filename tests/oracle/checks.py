"""What the model asks before anything moves: whether there is enough, and whether the terms allow it.

Rules upheld here:

- an account that is closed takes nothing in and gives nothing out;
- every outflow needs the owner's signature and as many approvers' as the account's terms say, be it a reversal; an
  account is handed over with both owners' signatures, and from then on only the new one's counts;
- an account is owned by a charity or a sponsor; gifts are entered by its owner or an intake (the *author* of their
  statement, a further signer does not do), and pledges by a sponsor as well;
- value that leaves by disbursement, split or conversion goes only where the restriction is at least as narrow;
- an account with a levy is left by splits only, and one that forbids naming is not left by gifts of choice; refunds and
  the reversals of whole gifts are free of both;
- a reversal by gift is as much a choice as an outflow by gift: accounts that forbid naming refuse it, out of them for a
  use, on either side for a disbursement or a split;
- a cap binds every expenditure in its scope, not only those of the account that states it;
- what replaces a record is of its kind (a disbursement and a split are of one), comes after a reversal of it, and is
  signed by the owner of its account or by who entered it.

It changes nothing, and is of no use alone: `model` moves the coins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .coins import COMMODITIES, CURRENCIES, Account, Coin, Expenditure, Hop, Transfer, parse_amount
from .terms import ANYTHING, Books, Cap, ModelRefused, Place, Scope, Spent, Terms, is_to_come


class Checks:
    """What the checks look at, and the checks."""

    def __init__(self, today: str) -> None:
        self.today = today
        self.decimals: dict[str, int] = {**CURRENCIES, **COMMODITIES}
        self.accounts: dict[str, Account] = {}
        self.donations: dict[str, tuple[Account, int]] = {}
        # The owner and the year under which each gift is booked, and as the how-manieth record.
        self.given_under: dict[str, tuple[str, str, int]] = {}
        # How many records were looked at.
        self.time = 0
        self.expenditures: dict[str, Expenditure] = {}
        # What went to other ledgers.
        self.sends: dict[str, Any] = {}
        # Disbursements and splits.
        self.transfers: dict[str, Transfer] = {}
        # Of whatever can be replaced: its kind, its account, and who entered it.
        self.replaceable: dict[str, tuple[str, Account, str]] = {}
        # What was reversed, wholly or in part.
        self.undone: set[str] = set()
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
        named = None if record["record"] == "reversal" else named
        about = record.get("reverses", record.get("donation"))
        if record["record"] == "reversal" and about in self.authors:
            return self.authors[about]
        if named is None and about in self.donations:
            return self.donations[about][0].terms.owner
        if named is None and about in self.expenditures:
            return self.expenditures[about].account.terms.owner
        if named is None and about in self.sends:
            return str(self.sends[about].account.terms.owner)
        if named is None and about in self.transfers:
            return self.transfers[about].source.terms.owner
        return self.accounts[named].terms.owner if named in self.accounts else "self"

    def _check_date(self, record: Mapping[str, Any]) -> None:
        if "date" in record and is_to_come(record["date"], self.today):
            raise ModelRefused("future", f"{record['date']} is to come")

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

    def _check_signed_by_one_of(self, *parties: str) -> None:
        if self._signers is not None and self._signers.isdisjoint(parties):
            raise ModelRefused("signature", f"one of {parties} must sign")

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
            self._check_naming(account)
            if account.rule != "fifo":
                raise ModelRefused("named-pro-rata", f"{account.id} is pro-rata: no gift can be chosen")
            if account.paid_by(gift) < amount:
                raise ModelRefused("gift-short", f"{account.id} holds {account.paid_by(gift)} of {gift}")
        if len(account.coins) < amount:
            raise ModelRefused("overdraft", f"{account.id} holds {len(account.coins)}, not {amount}")

    def _check_naming(self, *accounts: Account) -> None:
        for account in accounts:
            if account.terms.naming == "forbidden":
                raise ModelRefused("naming", f"{account.id} lets nobody choose a gift")

    def _check_replaces(self, record: Mapping[str, Any]) -> None:
        if "replaces" not in record or record["record"] == "plan":
            return
        wrong = record["replaces"]
        if wrong not in self.replaceable or wrong not in self.undone:
            raise ModelRefused("replaces", f"{wrong} is nothing that was reversed")
        kind, account, author = self.replaceable[wrong]
        if kind != record["record"] and {kind, record["record"]} != {"disbursement", "split"}:
            raise ModelRefused("replaces", f"{wrong} is a {kind}")
        self._check_signed_by_one_of(account.terms.owner, author)

    def _take(self, account: Account, amount: int, gift: str | None) -> list[Coin]:
        return account.take_by_rule(amount) if gift is None else account.take_of_gift(gift, amount)

    # -- caps ------------------------------------------------------------------------------------

    def _year(self, record: Mapping[str, Any]) -> str:
        return str(record.get("date", self.today))[:4]

    def _enter(self, account: str, owner: str, year: str, what: str, amount: int) -> None:
        self.books.sums[Place(account, owner, year, what)] += amount

    def _enter_now(self, account: Account, record: Mapping[str, Any], what: str, amount: int) -> None:
        self._enter(account.id, account.terms.owner, self._year(record), what, amount)

    def _enter_hop(self, hop: Hop, amount: int) -> None:
        """Book a transfer, or, with an amount below nothing, undo it where it was booked."""
        self._enter(hop.source, hop.source_owner, hop.year, "went", amount)
        self._enter(hop.target, hop.target_owner, hop.year, "came", amount)

    def _hop(self, source: Account, target: Account, record: Mapping[str, Any]) -> Hop:
        return Hop(source.id, source.terms.owner, target.id, target.terms.owner, self._year(record), self.time)

    def _enter_hand_overs(self, account: Account, after: int, before: int, amount: int) -> None:
        """Book what went along whenever an account changed hands between two records, or undo that."""
        for each in account.hand_overs:
            if after < each.time < before:
                self._enter(account.id, each.old, each.year, "went", amount)
                self._enter(account.id, each.new, each.year, "came", amount)

    def spending(self) -> list[Spent]:
        """Return every expenditure, net."""
        return [
            Spent(use.account.id, use.owner, use.year, use.record.get("category"), len(use.coins))
            for use in self.expenditures.values()
        ]

    def _scope(self, account: Account, cap: Cap) -> Scope:
        if cap.scope == "account":
            return Scope(frozenset({account.id}), None)
        same = frozenset(each.id for each in self.accounts.values() if each.unit == account.unit)
        return Scope(same, account.terms.owner)

    def check_caps(self, source: Account, year: str, category: str | None, amount: int) -> None:
        """Refuse an expenditure after which a cap of mode `refuse` would be exceeded."""
        new = Spent(source.id, source.terms.owner, year, category, amount)
        spending = [*self.spending(), new]
        for account in self.accounts.values():
            for cap in account.terms.caps:
                scope = self._scope(account, cap)
                if cap.mode != "refuse" or not scope.holds(new) or category not in cap.categories:
                    continue
                if self.books.exceeds(cap, year, scope, spending):
                    raise ModelRefused("cap", f"{cap} of {account.id} would be exceeded")

    def weighed(self) -> dict[tuple[str, int, str], tuple[int, int]]:
        """Return, by (account, number of its cap from 0, year or `all`), costs and what they are a percentage of.

        There is an entry for every year in which anything was booked anywhere.
        """
        spending = self.spending()
        years = {each.year for each in spending} | {place.year for place in self.books.sums}
        return {
            (account.id, number, period): self.books.weigh(cap, period, self._scope(account, cap), spending)
            for account in self.accounts.values()
            for number, cap in enumerate(account.terms.caps)
            for period in (["all"] if cap.period == "all" else sorted(years))
        }

    def exceeded(self) -> list[tuple[str, int, str]]:
        """Return (account, number of its cap from 0, year or `all`) of every cap, of either mode, that is exceeded."""
        return [
            (account, number, period)
            for (account, number, period), (costs, base) in self.weighed().items()
            if costs * 10_000 > self.accounts[account].terms.caps[number].percent * base
        ]
