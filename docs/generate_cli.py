# ruff: noqa: E501 - the prose of the page has one sentence on each line.
"""Write ``docs/reference/cli.md`` from the commands themselves.

``python docs/generate_cli.py`` writes the page; a test compares the page with `page`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from charitychain.cli import cli

PAGE = Path(__file__).resolve().parent / "reference" / "cli.md"

_TOP = """# The command line

This page is made from the commands by `python docs/generate_cli.py`.

**Which ledger.** A command takes `--ledger`; else the environment variable `CHARITYCHAIN_LEDGER`; else the only `*.ledger` file in the present folder.
`init` and `verify` take it as their argument too.

**Which keys.** Keys are looked up in `--keys`, else in `CHARITYCHAIN_KEYS`, else in `charitychain/keys` of the user's configuration folder.
A passphrase comes from `--passphrase-file`, from `--passphrase-command`, from the environment variable `CHARITYCHAIN_PASSPHRASE`, or from a prompt; never from the command line itself.

**Output.** Data goes to standard output, talk to standard error.
`--format` is `table`, `json`, `jsonl` or `csv`; `--json` is short for `--format json`.

Every command has `--help`.
Exit codes are in [Errors and exit codes](errors.md).
"""


def page() -> str:
    """Return the whole page."""
    parts = [_TOP]
    for names, command in _commands(cli, ("charitychain",)):
        parts.append(_section(names, command))
    return "\n".join(parts)


def _commands(group: click.Group, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group, info_name=names[-1])
    yield names, group
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*names, name))
        elif command is not None:
            yield (*names, name), command


def _section(names: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(names))
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = [f"## {' '.join(names)}", "", f"    {' '.join(usage.split())}", ""]
    text = " ".join((command.help or "").split())
    lines += [*re.split(r"(?<=[.:]) (?=[A-Z-])", text), ""]
    # Every command has --help; arguments stand in the usage line, and releases of click differ in listing them.
    shown = [p for p in command.get_params(context) if isinstance(p, click.Option) and "--help" not in p.opts]
    rows = [record for p in shown if (record := p.get_help_record(context)) is not None]
    lines += ["| option | meaning |", "| --- | --- |"] if rows else []
    lines += [f"| `{_cell(option)}` | {_cell(meaning)} |" for option, meaning in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
