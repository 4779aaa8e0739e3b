"""What reaches a terminal, a spreadsheet or a program: data on stdout, talk on stderr, nothing hostile on either."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest
from cli.conftest import Cli


def _terminal(cli: Cli, *args: str, type_: str = "", **env: str) -> tuple[int, str]:
    """Run a command on a terminal of its own, typing lines when asked; return its exit code and what was shown."""
    answers = type_.splitlines()
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "charitychain", *args], cwd=cli.work, env=cli.env | {"TERM": "xterm"} | env,
        stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    parts = []
    while select.select([master], [], [], 60)[0]:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
        if answers and part.rstrip().endswith(b":"):
            time.sleep(0.2)  # until the terminal's echo is off
            os.write(master, answers.pop(0).encode() + b"\n")
    os.close(master)
    return process.wait(timeout=60), b"".join(parts).decode()


def test_a_passphrase_is_asked_for_on_a_terminal(cli: Cli) -> None:
    """`init` asks twice without showing it, a command that signs asks once, and a wrong answer is 6."""
    code, text = _terminal(cli, "init", "v.ledger", "--origin", "a.example", type_="one\ntwo\none\none\n")
    assert code == 0 and "do not match" in text and text.count("New passphrase for self") == 2
    code, text = _terminal(cli, "account", "open", "edu", "--unit", "CNY", type_="one\n")
    assert code == 0 and text.count("Passphrase for a.example.self.key") == 1 and "opened in block 1" in text
    assert _terminal(cli, "donate", "edu", "1", type_="two\n")[0] == 6


def test_color_is_for_terminals_that_want_it(standing: Cli) -> None:
    """Styles appear on a terminal alone, and NO_COLOR or TERM=dumb takes them away."""
    assert "\x1b[" in _terminal(standing, "trace", "D-1")[1]
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        code, text = _terminal(standing, "trace", "D-1", **env)
        assert code == 0 and "Gift D-1" in text and "\x1b" not in text
    assert "\x1b" not in standing.ok("trace", "D-1")
    assert "\x1b[" in standing.ok("trace", "D-1", FORCE_COLOR="1")


@pytest.mark.parametrize(
    "bad", ["\x1b[31mred", "a\x1b]0;title\x07", "a\u202eb", "a\u2066b", "a\x9bb", "a\u2028b", "\udcff"]
)
def test_what_steers_a_terminal_is_refused_on_entry_and_never_shown(standing: Cli, bad: str) -> None:
    """Escape sequences and bidi characters in titles, payees, ids and names of files come back as escapes only."""
    before = standing.ledger.read_bytes()
    commands = [
        (7, ["account", "open", "x", "--unit", "CNY", "--title", bad]),
        (7, ["spend", "edu", "1", "--payee", bad, "--purpose", "p"]),
        (7, ["donate", "edu", "1", "--id", bad]),
        (4, ["trace", bad]),
        (3, ["balance", "--ledger", bad]),
        (2, [bad]),
    ]
    for code, args in commands:
        found, text = _terminal(standing, *map(os.fsdecode, map(os.fsencode, args)), NO_COLOR="1")
        assert found == code, (args, text)
        assert "Error" in text and not set(text) & set("\x1b\x07\x9b\u202e\u2066\u2028\udcff")
    assert standing.ledger.read_bytes() == before


def test_a_hostile_name_for_a_ledger_is_refused_before_anything_is_made(cli: Cli) -> None:
    """`init` checks the title of its first party like every other text."""
    cli.fails(7, "init", "v.ledger", "--origin", "a.example", "--no-passphrase", "--name", "x\x1b[31m")
    assert not cli.ledger.exists() and not list(cli.keys.glob("*"))


def test_cells_never_run_in_a_spreadsheet(village: Cli) -> None:
    """In CSV a text that begins like a formula has an apostrophe before it; in JSON it is as it was signed."""
    payees = ["=cmd|' /C calc'!A0", "+1", "-2", "@SUM(A1)", 'a,"b"', "plain"]
    lines = [
        {"record": "expenditure", "id": f"X-{n}", "from": "edu", "amount": "1", "payee": payee, "purpose": "p"}
        for n, payee in enumerate(payees)
    ]
    village.ok("import", village.journal(lines))
    rows = list(csv.DictReader(io.StringIO(village.ok("trace", "D-1", "--format", "csv"))))
    shown = [row["payee"] for row in rows if row["what"] == "use"]
    assert shown == ["'=cmd|' /C calc'!A0", "'+1", "'-2", "'@SUM(A1)", 'a,"b"', "plain"]
    assert [use["payee"] for use in village.json("trace", "D-1")["uses"]] == payees


def test_every_list_has_every_format(standing: Cli) -> None:
    """Tables, JSON, JSON Lines and CSV say the same."""
    for command in (["balance"], ["log"], ["account", "list"], ["party", "list"], ["unit", "list"], ["key", "list"]):
        rows = json.loads(standing.ok(*command, "--json"))
        assert rows == [json.loads(line) for line in standing.ok(*command, "--format", "jsonl").splitlines()]
        table = list(csv.DictReader(io.StringIO(standing.ok(*command, "--format", "csv"))))
        assert [list(row) for row in table] == [list(row) for row in rows]
        assert len(standing.ok(*command).splitlines()) == len(rows) + 1
    for command in (["status"], ["show", "D-1"], ["verify"]):
        assert isinstance(standing.json(*command), dict)


def test_a_terminal_that_knows_fewer_letters_gets_escapes(village: Cli) -> None:
    """In a Latin-1 locale text is escaped rather than lost, and nothing fails."""
    village.ok("account", "open", "希望", "--unit", "CNY", "--title", "希望工程")
    text = village.ok("account", "list", PYTHONIOENCODING="iso-8859-1")
    assert "\\u5e0c\\u671b" in text
    found = json.loads(village.ok("account", "list", "--json", PYTHONIOENCODING="iso-8859-1"))
    assert found[-1]["title"] == "希望工程"


def test_every_command_has_help(standing: Cli) -> None:
    """Each command that the help lists explains itself."""
    listed = standing.ok("--help").split("Commands:")[1].split("Exit codes:")[0]
    names = [line.split()[0] for line in listed.splitlines() if line.strip() and line[2] != " "]
    assert len(names) == 49 and "verify" in names
    for name in names[::5]:
        assert f"Usage: charitychain {name}" in standing.ok(name, "--help")
    assert "_CHARITYCHAIN_COMPLETE" in standing.ok("completion", "bash")
    assert "charitychain 0." in standing.ok("--version")


def test_no_command_shows_the_help(standing: Cli) -> None:
    """Called without a command, the help is shown as it is, and the usage was wrong."""
    for command in ((), ("key",)):
        shown = standing.run(*command)
        assert shown.returncode == 2
        assert shown.stderr.startswith("Usage: charitychain")
        assert "Commands:\n" in shown.stderr


def test_an_unknown_id_first_does_not_take_the_header(standing: Cli) -> None:
    """The first answer brings the header of the CSV, whichever was asked first."""
    shown = standing.run("trace", "nope", "D-1", "--format", "csv")
    assert shown.returncode == 4
    assert shown.stdout.startswith("donation,what,id,")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_bug(standing: Cli, closed: str) -> None:
    """A command whose output nobody wants ends with its own code."""
    command = f'"{sys.executable}" -m charitychain verify "{standing.ledger}" {closed}'
    done = subprocess.run(["sh", "-c", command], cwd=standing.work, env=standing.env, check=False)
    assert done.returncode == 0


def test_lifecycle_commands_have_formats_and_dry_runs(village: Cli) -> None:
    """Each says in JSON what it did, and in a dry run leaves ledger and keys as they were."""
    before = {path: path.read_bytes() for path in (village.ledger, *village.keys.iterdir())}
    for command in (
        ["unit", "add", "RICE", "--decimals", "3"],
        ["account", "open", "n", "--unit", "CNY"],
        ["party", "add", "p", "--role", "charity"],
        ["key", "rotate"],
    ):
        dry = json.loads(village.ok(*command, "--dry-run", "--json"))
        assert dry["recorded"] is False
        assert {path: path.read_bytes() for path in (village.ledger, *village.keys.iterdir())} == before
    done = json.loads(village.ok("unit", "add", "RICE", "--decimals", "3", "--json"))
    assert (done["record"], done["id"], done["recorded"]) == ("unit", "RICE", True)
