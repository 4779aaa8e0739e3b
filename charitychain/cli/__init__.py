"""The command line: a thin face over `charitychain.ledger`, with no rules of its own.

This module holds only what starts fast: the list of commands, loaded when one is called, and the one place where
errors become exit codes.

Exit codes: 0 good · 1 checked and found bad · 2 usage · 3 cannot be read · 4 no such id · 5 locked · 6 key,
passphrase or role · 7 refused · 8 good, but less than was asked for · 70 our own bug · 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from charitychain import __version__
from charitychain.errors import CharitychainError

__all__ = ["cli", "main"]

_COMMANDS = {
    "init": ("manage", "Make a ledger, its key file and its first party."),
    "key": ("parties", "Make, list, replace and control keys."),
    "party": ("parties", "Admit, suspend and list parties."),
    "account": ("manage", "Open, change, close and list accounts."),
    "unit": ("manage", "Declare and list units."),
    "donate": ("record", "Record a gift."),
    "disburse": ("record", "Move value to another account."),
    "spend": ("record", "Record a final use."),
    "convert": ("record", "Change value into another unit."),
    "refund": ("record", "Give back what is left of a gift."),
    "split": ("record", "Move value to several accounts at once."),
    "reverse": ("record", "Undo a record, wholly or in part."),
    "send": ("across", "Send value to another ledger."),
    "receive": ("across", "Receive what another ledger sent."),
    "succeed": ("across", "Let a new ledger go on from an old one."),
    "recharge": ("record", "Let another account take over an expenditure."),
    "pledge": ("words", "Record what somebody announces to give."),
    "plan": ("plans", "Record a budget, and compare it with what was spent."),
    "outcome": ("outcomes", "Say what the money did."),
    "check-evidence": ("outcomes", "Compare documents in a folder with the ledger."),
    "acknowledge": ("words", "Say that something arrived, or that it did not."),
    "attest": ("words", "Sign what accounts really hold on a day."),
    "period": ("words", "Close a period of the books."),
    "draft": ("drafts", "Write entries to a file for others to sign."),
    "cosign": ("drafts", "Sign a draft."),
    "submit": ("drafts", "Record a draft that everybody signed."),
    "donor": ("people", "Name donors off the ledger, and hand them claims."),
    "annex": ("annex", "Show, disclose and erase private details."),
    "programme": ("programme", "Turn a platform's own events into statements."),
    "import": ("exchange", "Enter a journal (JSON Lines) or a table of gifts (CSV)."),
    "export": ("exchange", "Write the ledger as a journal."),
    "verify": ("check", "Check everything, and list every fault."),
    "checkpoint": ("checkpoint", "Keep the operator's word on how far a ledger goes, and compare it."),
    "witness": ("witness", "Cosign other ledgers' checkpoints, or have your own cosigned."),
    "receipt": ("receipt", "Make and check the proof of what became of a gift."),
    "challenge": ("challenge", "Ask for one fact that no receipt shows, and check the answer."),
    "promise": ("promise", "Promise a gift at the counter, and see whether it came."),
    "publish": ("publishing", "Publish the ledger as files that any web server can serve."),
    "follow": ("publishing", "Watch a published ledger, and see that it takes nothing back."),
    "evidence": ("publishing", "Check evidence that an operator signed two histories."),
    "trace": ("ask", "Follow gifts to their final uses."),
    "sources": ("ask", "Say which gifts paid for an expenditure."),
    "balance": ("ask", "Say what accounts hold."),
    "report": ("report", "Add up a year, each figure with how it is computed."),
    "reconcile": ("reconcile", "Compare accounts with a bank's statement."),
    "show": ("ask", "Show the record of an id."),
    "log": ("ask", "List blocks, newest first."),
    "status": ("check", "Say what this ledger is and where it stands."),
    "completion": ("shell", "Print a completion script for your shell."),
}


class _Lazy(click.Group):
    """A group that imports the module of a command only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"charitychain.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_") if cmd_name != "import" else "import_")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            if not near or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", error.ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None},
    epilog="Exit codes: 0 good, 1 checked and found bad, 2 usage, 3 cannot be read, 4 no such id, 5 locked, 6 key or"
    " passphrase, 7 refused, 8 good but less than was asked for, 70 our own bug, 130 interrupted.",
)
@click.option(
    "-l", "--ledger", metavar="LEDGER", help="The ledger file; else $CHARITYCHAIN_LEDGER, else the only *.ledger here."
)
@click.version_option(__version__, message="%(prog)s %(version)s (ledger formats 1 and 2)")
@click.pass_context
def cli(ctx: click.Context, ledger: str | None) -> None:
    """A donation ledger that nobody can quietly change, and in which every gift can be followed."""
    ctx.obj = {"ledger": ledger}


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; no traceback ever reaches a user."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us: then nobody reads it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows fewer letters than a ledger gets escapes
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run(args))


def _run(args: list[str] | None) -> int:
    try:
        if args is None and "_CHARITYCHAIN_COMPLETE" in os.environ:
            cli.main(prog_name="charitychain")
        # Not `cli.main`: it turns a closed pipe into exit code 1, which here means "checked and bad".
        with cli.make_context("charitychain", sys.argv[1:] if args is None else list(args)) as context:
            outcome: Any = cli.invoke(context)
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as error:  # --help and --version end this way
        return error.exit_code
    except CharitychainError as error:
        _say(f"Error: {error.message} [{error.code}]")
        return error.exit_code
    except click.UsageError as error:
        _usage(error)
        return 2
    except click.FileError as error:
        _say(f"Error: {error.format_message()}")
        return 3
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        _say("Interrupted.")
        return 130
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0
    except OSError as error:
        _drop_stdout()
        _say(f"Error: {error.filename or 'output'}: {error.strerror or error} [CC-STORAGE]")
        return 3
    except MemoryError:
        _say("Error: this machine ran out of memory [CC-MEMORY]")
        return 70
    except Exception as error:
        return _bug(error)


def _usage(error: click.UsageError) -> None:
    from charitychain.cli.output import safe

    text = error.format_message()
    if error.ctx is not None and text == error.ctx.get_help():  # a group that was called without a command
        click.echo(text, err=True)
    else:
        click.UsageError(safe(text), error.ctx).show()


def _nobody_reads() -> int:
    """Whoever read our output has gone; there is nobody left to tell."""
    _drop_stdout()
    return 141


def _drop_stdout() -> None:
    """Let what waits for stdout go nowhere, so that its last flush does not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _bug(error: Exception) -> int:
    from charitychain.index import IndexDamaged

    if isinstance(error, IndexDamaged):
        _say(f"Error: the index cannot be used ({error}); remove it and it is made anew [CC-INDEX]")
        return 3
    if os.environ.get("CHARITYCHAIN_DEBUG"):
        import traceback

        traceback.print_exception(error)
    _say(
        f"Error: this is a bug in charitychain, not in your ledger: {type(error).__name__}: {error}\n"
        "Nothing was recorded by this command. Please report it; CHARITYCHAIN_DEBUG=1 shows where it happened. [CC-BUG]"
    )
    return 70


def _say(text: str) -> None:
    from charitychain.cli.output import safe

    click.echo("\n".join(map(safe, text.split("\n"))), err=True)
