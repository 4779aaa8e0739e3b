"""Findings: what an auditor would ask about, as values; and those that the ledger's standing alone tells.

`charitychain.audit` finds the others, from what it sees of the records.

Rules upheld here:

- Codes are stable: ``AUDIT-…``, each with its row in the page of errors.
- Of each code at most `SHOWN` findings are told, and of each list at most `EXAMPLES` ids; the rest is counted.

>>> str(Finding("AUDIT-LATE", "1 record states a day in a period that was closed before: X-9."))
'AUDIT-LATE  1 record states a day in a period that was closed before: X-9.'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from charitychain.state.caps import CapUse, cap_uses
from charitychain.state.standing import Standing
from charitychain.units import format_amount

__all__ = ["EXAMPLES", "SHOWN", "Finding", "Sum", "bounded", "days", "exceeded_caps", "mixed_roles", "names"]

EXAMPLES = 5
"""How many ids a finding names."""
SHOWN = 10
"""How many findings of one code are told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an auditor would ask about. `facts` are for programs; amounts in them are decimal strings."""

    code: str
    message: str
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}  {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """Return the finding for programs."""
        return {"code": self.code, "message": self.message, **self.facts}


@dataclass(slots=True)
class Sum:
    """A sum over records, of which the first are named."""

    count: int = 0
    amount: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, id_: str, amount: int) -> None:
        self.count, self.amount = self.count + 1, self.amount + amount
        if len(self.ids) < EXAMPLES:
            self.ids.append(id_)

    def names(self) -> str:
        return names(self.ids, self.count)

    def facts(self) -> dict[str, Any]:
        return {"count": self.count, "records": self.ids}


def names(ids: list[str], count: int) -> str:
    return ", ".join(ids) + (f" and {count - len(ids)} more" if count > len(ids) else "")


def days(count: int) -> str:
    return f"{count} day{'s' * (count != 1)}"


def bounded(found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first findings of one code, and how many more there are."""
    code, more = "", 0
    for number, finding in enumerate(found):
        if number < SHOWN:
            code = finding.code
            yield finding
        else:
            more += 1
    if more:
        yield Finding(code, f"{more} more like these.", {"more": more})


# ------------------------------------------------------------------------------- what the standing alone tells


def exceeded_caps(state: Standing) -> Iterator[Finding]:
    """Yield each cap that is exceeded now."""
    for used in cap_uses(state):
        if used.exceeded:
            yield _beyond(state, used)


def _beyond(state: Standing, used: CapUse) -> Finding:
    unit = state.unit_of(used.account)
    categories, percent, base, scope, *_ = used.cap
    whole = f"all of its owner's accounts in {unit.code}" if scope == "party" else "it"
    when = f"in {used.year}" if used.year is not None else "in all"
    costs, there = (f"{'-' * (n < 0)}{format_amount(abs(n), unit)}" for n in (used.costs, used.base))
    return Finding(
        "AUDIT-CAP",
        f"Account {used.account.id} caps {' and '.join(categories)} at {percent / 100:g} percent of what is {base} by"
        f" {whole}: {when} {costs} {unit.code} were used, of {there} {unit.code} {base}.",
        {
            "account": used.account.id, "unit": unit.code, "categories": list(categories),
            "percent": f"{percent / 100:g}", "base": base, "scope": scope, "year": used.year, "costs": costs,
            "of": there,
        },
    )  # fmt: skip


def mixed_roles(state: Standing) -> Iterator[Finding]:
    """Yield who checks, or approves, what is its own.

    No two parties share a key, so a key in two roles is a party in two roles.
    """
    owned: dict[int, list[str]] = {}
    for account in state.accounts:
        owned.setdefault(account.owner, []).append(account.id)
    for party in state.parties:
        checks = [role for role in ("auditor", "witness") if party.has(role)]
        does = ["operates the ledger"] if party.number == 0 else []
        does += ["takes gifts in"] if party.has("intake") else []
        accounts = owned.get(party.number, [])
        does += [f"owns {names(accounts[:EXAMPLES], len(accounts))}"] if accounts else []
        if checks and does:
            yield Finding(
                "AUDIT-ROLES",
                f"{party.id} is {' and '.join(checks)} here and {' and '.join(does)}: it would check its own work.",
                {"party": party.id, "roles": list(party.roles), "accounts": accounts[:EXAMPLES]},
            )
    for account in state.accounts:
        needed, approvers = account.terms.approvals or (0, ())
        owner = state.parties[account.owner].id
        if owner in approvers:
            yield Finding(
                "AUDIT-ROLES",
                f"Account {account.id} asks for {needed} approval{'s' * (needed != 1)}, and its owner {owner} may give"
                " one itself.",
                {"party": owner, "accounts": [account.id]},
            )
    alone = len(state.parties[0].roles) > 1 and all(account.owner == 0 for account in state.accounts)
    approved = any(set(account.terms.approvals[1]) - {"self"} for account in state.accounts if account.terms.approvals)
    if alone and not approved and not any(party.sequence for party in state.parties[1:]):
        one = len(state.parties[0].keys_at(state.height + 1)) == 1
        who, holder = ("One key holds", "its holder") if one else ("The keys of one party hold", "that party")
        yield Finding(
            "AUDIT-ROLES",
            f"{who} every role here: nobody but {holder} vouches for what was recorded.",
            {"party": "self"},
        )
