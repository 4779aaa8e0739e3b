"""An account's terms as a bookkeeper types them: options in, words out.

Caps are a short phrase, in any order after the percentage; what is left out is as in a journal:

>>> cap_of("10% of spent")
{'percent': '10'}
>>> cap_of("12.5% of received by party in all, refuse, for administration") == {
...     "percent": "12.5", "base": "received", "scope": "party", "period": "all", "mode": "refuse",
...     "categories": ["administration"],
... }
True
>>> cap_words({"percent": "10"})
'10% of spent by account per year, flag, for administration and fundraising'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from charitychain.entries.form import CAP_DEFAULTS
from charitychain.records import CATEGORIES

__all__ = ["CAP_FORM", "cap_of", "cap_words", "changed_terms", "pairs_of", "terms_of", "with_changes", "with_terms"]

F = TypeVar("F", bound=Callable[..., Any])

CAP_FORM = '"PERCENT% of spent|received [by account|party] [per year|in all] [flag|refuse] [for CATEGORY and CATEGORY]"'
_WORDS = {
    "base": ("spent", "received"), "scope": ("account", "party"), "period": ("year", "all"), "mode": ("flag", "refuse"),
}  # fmt: skip
_FILLERS = ("of", "by", "per", "in", "for", "and")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)%?", re.ASCII)


def with_terms(command: F) -> F:
    """Add the options that say an account's terms."""
    for option in reversed(
        [
            click.option("--tag", "tags", metavar="NAME=TEXT", multiple=True, help="A word of your own; may repeat."),
            click.option(
                "--purpose", "purposes", metavar="TEXT", multiple=True,
                help="Restricts it: money goes to these purposes alone; may repeat.",
            ),
            click.option("--from", "from_", metavar="DAY", help="Restricts it: spent from this day (YYYY-MM-DD) on."),
            click.option("--until", metavar="DAY", help="Restricts it: spent up to this day."),
            click.option(
                "--approver", "approvers", metavar="PARTY", multiple=True,
                help="Whose signature outflows and changes need beside the owner's; may repeat.",
            ),
            click.option(
                "--approvals-needed", metavar="K", type=click.IntRange(1), help="How many of them; left out: all."
            ),
            click.option("--target", metavar="AMOUNT", help="The sum hoped for."),
            click.option(
                "--cap", "caps", metavar="CAP", multiple=True,
                help=f"Bounds costs by a share of what is spent or received; may repeat. {CAP_FORM}; left out are"
                " account, year, flag, and administration and fundraising.",
            ),
            click.option(
                "--naming", type=click.Choice(["allowed", "forbidden"]), help="Whether outflows may name a gift."
            ),
            click.option(
                "--levy", "levies", metavar="ACCOUNT=PERCENT", multiple=True,
                help="A share of all that is passed on, such as admin=8; may repeat. Value then leaves by `split`.",
            ),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def with_changes(command: F) -> F:
    """Add the options that take terms away."""
    for name in reversed(("restriction", "approvals", "target", "caps", "levy")):
        hint = " Refused once anything came in." if name == "restriction" else ""
        command = click.option(f"--no-{name}", is_flag=True, help=f"Take the {name} away.{hint}")(command)
    return with_terms(command)


def terms_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take the terms out of a command's options and return them as an entry says them; nothing where none is told.

    Raises:
        click.UsageError: one of them has not its form.
    """
    tags, levies = pairs_of("tag", options.pop("tags")), pairs_of("levy", options.pop("levies"))
    restriction = {
        "purposes": list(options.pop("purposes")), "from": options.pop("from_"), "until": options.pop("until"),
    }  # fmt: skip
    approvers, needed = list(options.pop("approvers")), options.pop("approvals_needed")
    found = {
        "tags": tags,
        "restriction": {name: value for name, value in restriction.items() if value},
        "approvals": {name: value for name, value in (("of", approvers), ("needed", needed)) if value},
        "target": options.pop("target"),
        "caps": [cap_of(text) for text in options.pop("caps")],
        "naming": options.pop("naming"),
        "levy": {account: _percent("--levy", percent) for account, percent in levies.items()},
    }
    if "of" in found["approvals"]:
        found["approvals"].setdefault("needed", len(approvers))
    return {name: value for name, value in found.items() if value}


def changed_terms(given: Mapping[str, Any], removed: list[str], present: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an account-change says: what is `given`, laid over the `present` terms, and what is `removed`.

    Tags, restriction and approvals keep the parts that were not given; caps and levy are replaced as a whole.

    Raises:
        click.UsageError: a term is given and taken away.
    """
    found = dict(given)
    for name in ("tags", "restriction", "approvals"):
        if name in found:
            found[name] = {**present.get(name, {}), **found[name]}
    if "tags" in found:  # NAME= takes a tag away
        found["tags"] = {name: text for name, text in found["tags"].items() if text}
    for name in removed:
        if name in found:
            raise click.UsageError(f"--no-{name} takes away what another option gives; give one of them.")
        found[name] = {"restriction": {}, "approvals": {}, "target": "", "caps": [], "levy": {}}[name]
    return found


def pairs_of(what: str, given: tuple[str, ...]) -> dict[str, str]:
    """Return ``NAME=VALUE`` options by name."""
    pairs = [text.partition("=") for text in given]
    found = {name: value for name, _, value in pairs}
    if len(found) != len(given) or not all(name and sign for name, sign, _ in pairs):
        raise click.UsageError(f"A --{what} is NAME=VALUE, and each NAME comes once.")
    return found


def cap_of(text: str) -> dict[str, Any]:
    """Return a cap as an entry says it.

    Raises:
        click.UsageError: the phrase has not the form `CAP_FORM`.
    """
    words = text.replace(",", " ").lower().split()
    found: dict[str, Any] = {"percent": _percent("--cap", words[0] if words else "")}
    for word in words[1:]:
        name = next((name for name, allowed in _WORDS.items() if word in allowed), None)
        if word in CATEGORIES and word not in found.get("categories", ()):
            found.setdefault("categories", []).append(word)
        elif name is not None and name not in found:
            found[name] = word
        elif word not in _FILLERS:
            raise click.UsageError(f"--cap {text!r}: {word!r} has no place there; the form is {CAP_FORM}.")
    if found.get("base", "spent") == CAP_DEFAULTS["base"]:
        found.pop("base", None)
    return found


def cap_words(cap: Mapping[str, Any]) -> str:
    """Return a cap as it would be typed, with nothing left out."""
    told = {**CAP_DEFAULTS, **cap}
    period = "per year" if told["period"] == "year" else "in all"
    categories = " and ".join(told["categories"])
    return f"{told['percent']}% of {told['base']} by {told['scope']} {period}, {told['mode']}, for {categories}"


def _percent(option: str, text: str) -> str:
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise click.UsageError(f"{option}: {text!r} is no percentage such as 8 or 12.5.")
    return match[1]
