"""Fields: what an entry says, parsed against the ledger's state, and who must sign what it becomes.

Rules upheld here:

- A field of the wrong kind is refused by its name; an account or party that the ledger has not, by its id.
- Whoever owns what a record takes from, or refers to, signs it as well, whoever its author is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charitychain import records
from charitychain.entries.form import Entry
from charitychain.errors import MalformedError, RefusedError
from charitychain.state.accounts import AccountState
from charitychain.state.lookup import Link
from charitychain.state.parties import PartyState
from charitychain.state.rules import State
from charitychain.units import Unit, parse_amount

__all__ = ["Built", "Fields", "amount_of", "hex_of", "known_fields", "percent_of", "whole_of"]

_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Built:
    """A record ready to be signed: by `author`, and by `cosigners` too.

    `approvals` are (k, parties) from which k more must sign; who does is for the caller to choose. A change of keys
    may be signed `by_recovery`: by the recovery key of its author.
    """

    record: records.Record
    author: PartyState
    cosigners: tuple[PartyState, ...] = ()
    columns: bytes | None = None
    approvals: tuple[tuple[int, tuple[PartyState, ...]], ...] = ()
    by_recovery: bool = False


class Fields:
    """The fields of one entry, parsed against the ledger's state."""

    def __init__(self, state: State, entry: Entry) -> None:
        self.state, self.entry = state, entry

    def text(self, name: str) -> str | None:
        value = self.entry.get(name)
        if value is not None and not isinstance(value, str):
            raise MalformedError("CC-ENTRY", f"field {name!r} must be text, found {value!r:.60}", field=name)
        return value

    def must(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise MalformedError("CC-ENTRY", f"field {name!r} is missing", field=name)
        return value

    def account(self, name: str) -> AccountState:
        return self.state.account_named(self.must(name))

    def maybe_account(self, name: str) -> AccountState | None:
        return self.account(name) if name in self.entry else None

    def amount(self, name: str, account: AccountState) -> int:
        stated = self.text("unit")
        if stated is not None and stated != account.unit:
            raise RefusedError(
                "CC-UNIT",
                f"account {account.id!r} is in {account.unit}, not in {stated}",
                expected=account.unit,
                found=stated,
            )
        return parse_amount(self.must(name), self.state.unit_of(account))

    def hex(self, name: str, size: int) -> bytes | None:
        value = self.text(name)
        return None if value is None else hex_of(value, name, size)

    def common(self) -> dict[str, Any]:
        evidence = self.entry.get("evidence", [])
        if not isinstance(evidence, list | tuple):
            raise MalformedError("CC-ENTRY", "evidence must be a list of SHA-256 hashes in hex", field="evidence")
        return {
            "date": self.text("date"),
            "reference": self.text("reference"),
            "evidence": tuple(hex_of(item, "evidence", 32) for item in evidence),
            "private": self.hex("private", 32),
        }

    def author(self, default: PartyState) -> PartyState:
        stated = self.text("author")
        return default if stated is None else self.state.party(stated)

    def owner(self, account: AccountState) -> PartyState:
        return self.state.parties[account.owner]

    def referred(self, author: PartyState) -> list[PartyState]:
        """Return who must agree to what the record refers to: a record that it replaces, a plan's line that it uses."""
        found = []
        if self.text("replaces") is not None:
            row = self.state.lookup.find_id(self.must("replaces"))
            if row is not None and row.account is not None:
                entered = self.state.party_of(self.state.lookup.statement(*row.place[:2]).header.author)
                found += [self.owner(self.state.accounts[row.account])] if entered is not author else []
        line = self.text("line")
        for place in self.state.lookup.links(line, Link.PLANNED) if line is not None else ():
            plan = self.state.record_at(place)
            if isinstance(plan, records.Plan):
                found.append(self.owner(self.state.accounts[plan.account]))
        return found

    def flag(self, name: str) -> int | None:
        value = self.entry.get(name)
        return None if value is None else int(value)

    def whole(self, name: str) -> int | None:
        value = self.entry.get(name)
        return None if value is None else whole_of(value, name)

    def pairs(self, name: str) -> dict[str, Any]:
        value = self.entry.get(name)
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise MalformedError("CC-ENTRY", f"{name} must be an object of names and values", field=name)
        return dict(value)

    def names(self, name: str) -> list[str]:
        value = self.entry.get(name)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise MalformedError("CC-ENTRY", f"{name} must be a list of texts", field=name)
        return list(value)

    def built(
        self, record: records.Record, default: PartyState, *cosigners: PartyState, out_of: tuple[AccountState, ...] = ()
    ) -> Built:
        """Return what to sign: by the author who is named, and in any case by the default one.

        Args:
            out_of: Accounts that it takes from, or changes, whose approvals count.
        """
        author = self.author(default)
        cosigners = (*cosigners, *([default] if author is not default else []), *self.referred(author))
        asking = [account.terms.approvals for account in out_of if account.terms.approvals is not None]
        if "approved_by" in self.entry:
            return Built(record, author, (*cosigners, *map(self.state.party, self.names("approved_by"))))
        approvals = tuple((k, tuple(map(self.state.party, parties))) for k, parties in asking)
        return Built(record, author, cosigners, None, approvals)


def hex_of(value: object, name: str, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not set(value) <= set("0123456789abcdefABCDEF"):
        raise MalformedError("CC-ENTRY", f"{name} must be {2 * size} hex digits, found {value!r:.80}", field=name)
    return bytes.fromhex(value)


def whole_of(value: object, name: str) -> int:
    if type(value) is not int:
        raise MalformedError("CC-ENTRY", f"{name} must be a whole number, found {value!r:.60}", field=name)
    return value


def percent_of(value: object, name: str) -> int:
    """Return hundredths of a percent of text such as ``12.5``."""
    if not isinstance(value, str) or not _PERCENT.fullmatch(value):
        raise MalformedError("CC-ENTRY", f"{name} must be a percentage such as 8 or 12.5, found {value!r:.60}")
    whole, _, part = value.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def amount_of(value: object, unit: Unit, name: str) -> int:
    if not isinstance(value, str):
        raise MalformedError("CC-ENTRY", f"{name} must be text, found {value!r:.60}", field=name)
    return parse_amount(value, unit)


def known_fields(given: dict[str, Any], what: str, *names: str) -> dict[str, Any]:
    for name in given:
        if name not in names:
            raise MalformedError("CC-ENTRY", f"{what} has no field {name!r:.60}; it may have {', '.join(names)}")
    return given
