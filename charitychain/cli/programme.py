"""``programme``: what a platform's own events become; each programme's command is loaded when it is called."""

from __future__ import annotations

from importlib import import_module

import click

_PROGRAMMES = {
    "goods-for-good": ("goods_for_good", "Enter what completed orders give."),
    "steps": ("steps", "Enter days of walking; a sponsor turns them into money."),
    "hours": ("hours", "Enter the hours of volunteers."),
    "relief": ("relief", "Buy, take in, move and lose relief goods."),
    "points": ("points", "Enter points earned by acts; a sponsor redeems them."),
    "matching": ("matching", "Match gifts out of a sponsor's pledge."),
    "services": ("services", "Enter services per person: insurance cover, training."),
}


class _Lazy(click.Group):
    """A group that imports the module of a programme only when that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_PROGRAMMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _PROGRAMMES:
            return None
        command: click.Command = import_module(f"charitychain.cli.programmes.{_PROGRAMMES[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _PROGRAMMES.items()])


@click.group(cls=_Lazy)
def programme() -> None:
    """Turn a platform's own events into statements: orders, walks, hours, goods."""
