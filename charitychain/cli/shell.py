"""``completion``: scripts for the shells that click knows."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script for SHELL.

    For bash, put this into ~/.bashrc: eval "$(charitychain completion bash)"
    """
    from click.shell_completion import get_completion_class

    from charitychain.cli import cli

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "charitychain", "_CHARITYCHAIN_COMPLETE").source())
