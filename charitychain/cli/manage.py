"""``init``, ``account`` and ``unit``: what a ledger is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from charitychain.chain.genesis import check_origin
from charitychain.cli import output
from charitychain.cli.changing import change, changing
from charitychain.cli.entering import EVIDENCE, new_id
from charitychain.cli.session import formatted, ledger_path, new_passphrase, on_ledger, opened, pin_made, with_keys
from charitychain.cli.terms import cap_words, changed_terms, terms_of, with_changes, with_terms
from charitychain.entries.describe import describe_terms
from charitychain.errors import RefusedError
from charitychain.keyring import Keyring
from charitychain.ledger import Ledger
from charitychain.records import RULES
from charitychain.state.caps import cap_uses
from charitychain.units import BUILT_IN, format_amount
from charitychain.writer import Writer

F = TypeVar("F", bound=Callable[..., Any])


@click.command()
@click.argument("ledger", required=False)
@click.option("--origin", required=True, metavar="NAME", help="The ledger's name for ever: relief.example/2026.")
@click.option("--name", metavar="TEXT", help="A title for the first party.")
@click.option("--no-passphrase", is_flag=True, help="Leave the key file plain, readable by you alone.")
@with_keys
@formatted
def init(
    ledger: str | None, origin: str, name: str | None, no_passphrase: bool, format_: str, as_json: bool, **options: Any
) -> None:
    """Make a ledger, its key file, and a first party `self` that may do everything but audit and witness."""
    path = ledger_path(ledger)
    check_origin(origin)
    if path.exists():
        raise RefusedError("CC-EXISTS", f"{path} exists already; choose another name", path=str(path))
    keyring = Keyring(Path(options["keys"]) if options["keys"] else None)
    passphrase = None if no_passphrase else new_passphrase(options, keyring, "self")
    with Ledger.create(path, origin=origin, keys=keyring, passphrase=passphrase, name=name) as made:
        pin_made(made)
        entry = made.keyring.find(made.genesis.key)
        facts = {
            "ledger": str(path), "origin": origin, "identity": made.identity.hex(),
            "key": str(entry.path) if entry else "",
        }  # fmt: skip
        lines = [f"{name:<8}  {output.safe(value)}" for name, value in facts.items()]
        output.show_facts("json" if as_json else format_, facts, "\n".join(lines))
        output.say("Keep a copy of the key file, and give the identity to whoever will check this ledger.")


# -------------------------------------------------------------------------------------------------- accounts


@click.group()
def account() -> None:
    """Open, change, close, show and list accounts."""


@account.command("open")
@click.argument("id_", metavar="ID")
@click.option("--unit", required=True, help="A currency such as EUR, or a declared unit; fixed for ever.")
@click.option("--title", help="The account's name for people.")
@click.option("--rule", type=click.Choice(RULES), help="How money leaves: fifo (default) or pro-rata; fixed for ever.")
@click.option("--owner", metavar="PARTY", help="Who owns it; else the first party.")
@with_terms
@changing
def account_open(id_: str, **options: Any) -> None:
    """Open account ID, a fund or a project, with its terms."""
    terms = terms_of(options)
    if not all(terms.get("tags", {"": "none"}).values()):
        raise click.UsageError("A --tag is NAME=TEXT; only `account change` takes a tag away with NAME= alone.")
    fields = {name: options.pop(name) for name in ("unit", "title", "rule", "owner")} | terms

    def act(writer: Writer) -> bool:
        return writer.account(id_, **fields)

    change("account", id_, "opened", options, act)


def _account_change(command: F) -> F:
    """Add the options of every change of an account."""
    for option in reversed(
        [
            click.option("--id", "change_id", metavar="ID", help="The change's own id; left out, one is made."),
            click.option("--date", metavar="DATE", help="When it was decided: YYYY, YYYY-MM or YYYY-MM-DD."),
            click.option("--reference", metavar="TEXT", help="A number or word to find it by elsewhere."),
            EVIDENCE,
            click.option(
                "--approved-by", metavar="PARTY", multiple=True,
                help="Which approvers sign; left out, those whose keys are here. May repeat.",
            ),
        ]
    ):  # fmt: skip
        command = option(command)
    return changing(command)


@account.command("change")
@click.argument("id_", metavar="ID")
@click.option("--title", help="Its name for people; an empty one takes the name away.")
@click.option("--owner", metavar="PARTY", help="Who owns it from now on; the new owner signs too.")
@with_changes
@_account_change
def account_change(id_: str, title: str | None, owner: str | None, **options: Any) -> None:
    """Change the terms of account ID, or its owner; what no option names stays as it is.

    Tags, restriction and approvals keep the parts that are not given (NAME= takes a tag away); caps and levy are
    replaced as a whole. A restriction can be narrowed, and never loosened once anything came in. Unit and rule are
    fixed for ever.
    """
    names = ("restriction", "approvals", "target", "caps", "levy")
    removed = [name for name in names if options.pop(f"no_{name}")]
    given = terms_of(options) | {n: v for n, v in (("title", title), ("owner", owner)) if v is not None}
    changed_terms(given, removed, {})
    if not given and not removed:
        raise click.UsageError("Say what to change: one of the options that give a term or take one away.")

    def terms(writer: Writer) -> dict[str, Any]:
        state = writer.core.state
        return changed_terms(given, removed, describe_terms(state, state.account_named(id_)))

    _change(id_, "is changed", options, terms)


@account.command("close")
@click.argument("id_", metavar="ID")
@_account_change
def account_close(id_: str, **options: Any) -> None:
    """Close account ID, which holds nothing any more: it takes nothing in and gives nothing out."""
    _change(id_, "is closed", options, lambda writer: {"closed": True})


@account.command("reopen")
@click.argument("id_", metavar="ID")
@_account_change
def account_reopen(id_: str, **options: Any) -> None:
    """Open account ID again."""
    _change(id_, "is open again", options, lambda writer: {"closed": False})


def _change(account: str, done: str, options: dict[str, Any], terms: Callable[[Writer], dict[str, Any]]) -> None:
    made = options.pop("change_id") or new_id("AC")
    said = {name: options.pop(name) for name in ("date", "reference")}
    lists = {"evidence": list(options.pop("evidence")), "approved_by": list(options.pop("approved_by"))}
    entry = {"record": "account-change", "id": made, "account": account}
    entry |= {name: value for name, value in (said | lists).items() if value}

    def act(writer: Writer) -> bool:
        return writer.add(entry | terms(writer))

    change("account-change", made, "recorded", options, act, f": account {output.safe(account)} {done}")


@account.command("list")
@on_ledger
@formatted
def account_list(ledger: str | None, format_: str, as_json: bool) -> None:
    """List accounts with what they hold."""
    with opened(ledger) as found:
        held = found.balances()
        rows = [
            (
                a.id, a.title, a.rule, found.reader().state.parties[a.owner].id, str(held[a.id][0]), a.unit,
                "open" if a.open else "closed",
            )
            for a in found.reader().state.accounts
        ]  # fmt: skip
        columns = ("account", "title", "rule", "owner", "holds", "unit", "state")
        output.show_rows("json" if as_json else format_, columns, rows, right=("holds",))


@account.command("show")
@click.argument("id_", metavar="ID")
@on_ledger
@formatted
def account_show(id_: str, ledger: str | None, format_: str, as_json: bool) -> None:
    """Show what account ID is, holds and promises, and how much of its cost caps is used."""
    with opened(ledger) as found:
        balance = found.balance(id_)
        state = found.reader().state
        account = state.account_named(id_)
        unit = state.unit_of(account)
        terms = describe_terms(state, account)
        uses = [
            {
                "cap": cap_words(terms["caps"][account.terms.caps.index(use.cap)]), "year": use.year,
                "costs": format_amount(use.costs, unit), "base": format_amount(use.base, unit),
                "exceeded": use.exceeded,
            }
            for use in cap_uses(state)
            if use.account is account
        ]  # fmt: skip
        facts = {
            "account": id_, "unit": account.unit, "rule": account.rule, "owner": state.parties[account.owner].id,
            "state": "open" if account.open else "closed", "holds": str(balance), "closed_until": account.closed_until,
            **terms, "cap_uses": uses,
        }  # fmt: skip
    if as_json or format_ in ("json", "jsonl"):
        output.write_json(facts, line=format_ == "jsonl" and not as_json)
    else:
        output.show_rows(format_, ("what", "value"), list(_account_rows(facts)))


def _account_rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield an account's facts as rows for people."""
    unit = facts["unit"]
    for name in ("account", "title", "unit", "rule", "owner", "state"):
        if facts.get(name):
            yield name, facts[name]
    yield "holds", f"{facts['holds']} {unit}"
    if facts["closed_until"]:
        yield "books closed until", facts["closed_until"]
    restriction = facts.get("restriction", {})
    if purposes := restriction.get("purposes"):
        yield "only for", ", ".join(purposes)
    for name in ("from", "until"):
        if name in restriction:
            yield f"only {name}", restriction[name]
    if approvals := facts.get("approvals"):
        yield "approvals", f"{approvals['needed']} of {', '.join(approvals['of'])}"
    if target := facts.get("target"):
        yield "target", f"{target} {unit}"
    if naming := facts.get("naming"):
        yield "naming gifts", naming
    for account, percent in facts.get("levy", {}).items():
        yield "levy", f"{percent}% to {account}"
    for cap in facts.get("caps", []):
        yield "cap", cap_words(cap)
        for use in facts["cap_uses"]:
            if use["cap"] == cap_words(cap):
                when = use["year"] if use["year"] is not None else "in all"
                base = "received" if cap["base"] == "received" else "spent"
                word = ", EXCEEDED" if use["exceeded"] else ""
                yield "", f"{when}: {use['costs']} of {use['base']} {unit} {base}{word}"
    for name, text in facts.get("tags", {}).items():
        yield "tag", f"{name}={text}"


# ----------------------------------------------------------------------------------------------------- units


@click.group()
def unit() -> None:
    """Declare and list units."""


@unit.command("add")
@click.argument("id_", metavar="ID")
@click.option("--decimals", type=click.IntRange(0, 12), required=True)
@click.option("--title", help="The unit's name for people.")
@changing
def unit_add(id_: str, decimals: int, title: str | None, **options: Any) -> None:
    """Declare commodity ID, such as RICE-KG."""

    def act(writer: Writer) -> bool:
        return writer.unit(id_, decimals=decimals, title=title)

    change("unit", id_, "declared", options, act)


@unit.command("list")
@on_ledger
@formatted
def unit_list(ledger: str | None, format_: str, as_json: bool) -> None:
    """List the units declared in this ledger; every ledger also has the currencies of ISO 4217."""
    with opened(ledger) as found:
        known = found.reader().state.units
        rows = [(u.code, u.decimals, u.title) for u in known.values() if u.code not in BUILT_IN or len(u.code) != 3]
        output.show_rows("json" if as_json else format_, ("unit", "decimals", "title"), rows)
