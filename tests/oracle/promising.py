"""What is announced or meant in the model, and moves no coin: pledges, and plans with their lines.

Rules upheld here:

- a pledge is entered by the owner of its account, an intake or a sponsor; it is lowered by whoever entered it, once in
  a statement;
- a plan is signed by the owner of its account, and replaced once at most, by a plan of that account;
- what names a line of a plan is signed by the present owner of the plan's account.

It leaves to others what is given or bought.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .checks import Checks
from .coins import Plan, Pledge
from .terms import ModelRefused


class Promising(Checks):
    """The checks, pledges and plans."""

    def __init__(self, today: str) -> None:
        super().__init__(today)
        self.pledges: dict[str, Pledge] = {}
        self.plans: dict[str, Plan] = {}

    def _pledge(self, record_id: str, record: Mapping[str, Any]) -> None:
        account = self._get_account(record["account"])
        amount = self.minor(record["amount"], account.unit)
        self._check_open(account)
        self._check_intake(account, "intake", "sponsor")
        self.authors[record_id] = self._author
        self.pledges[record_id] = Pledge(account, amount)

    def _lower_pledge(self, record: Mapping[str, Any], wrong: str) -> None:
        pledge = self.pledges[wrong]
        self._check_signed(self.authors[wrong])
        if f"less of {wrong}" in self._standing:
            raise ModelRefused("same-statement", f"{wrong} is reversed in this very statement")
        pledge.reversed += self._part(record, pledge.account.unit, pledge.amount - pledge.reversed)
        self._standing.add(f"less of {wrong}")

    def _plan(self, record_id: str, record: Mapping[str, Any]) -> None:
        account = self._get_account(record["account"])
        self._check_signed(account.terms.owner)
        if "replaces" in record:
            old = self.plans.get(record["replaces"])
            if old is None or old.account is not account or old.replaced:
                raise ModelRefused("replaces", f"{record['replaces']} is no plan of {account.id} that still holds")
            old.replaced = True
        self.plans[record_id] = Plan(account, frozenset(line["line"] for line in record["lines"]))

    def _outcome(self, record_id: str, record: Mapping[str, Any]) -> None:
        account = self._get_account(record["account"])
        self._check_intake(account, "auditor")
        for name in record["of"]:
            if name not in self.expenditures or self.expenditures[name].account is not account:
                raise ModelRefused("outcome", f"{name} is no expenditure out of {account.id}")
            if self.expenditures[name].record.get("category") == "loss":
                raise ModelRefused("outcome", f"{name} is a loss")

    def _check_line(self, record: Mapping[str, Any]) -> None:
        if "line" not in record:
            return
        name, _, line = record["line"].partition("/")
        if name not in self.plans or line not in self.plans[name].lines:
            raise ModelRefused("line", f"no plan has a line {record['line']}")
        self._check_signed(self.plans[name].account.terms.owner)
