"""The examples of the documentation are real: every command runs, and says what the page says that it says.

The convention, for whoever writes a page:

- A fenced ``console`` block holds commands (``$ …``, going on at once with ``> …``) and below each what it prints,
  standard output and standard error together. All blocks of one page run in order, in one shell and one empty folder.
- Compared are the lines, with every run of 16 or more hexadecimal digits, every checkpoint, every date and every time
  from one to another taken as equal; the folder above the page's own is called ``/home/ayu``. ``…`` stands for anything
  on its line; a line with ``…`` alone stands for any lines.
- A command that fails (exit code other than 0) must be followed by ``$ echo $?``, so that the page shows the code.
- A fenced ``python`` block runs in an empty folder; what it prints stands behind ``# →`` on the line that prints it.

``python tests/docs/test_examples.py PAGE…`` writes the present output into pages; read the difference before you
believe it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if re.search(r"^```(console|python)$", page.read_text("utf-8"), re.MULTILINE)
]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LIKE = [
    (re.compile(r'"checkpoint": ".*"'), '"checkpoint": "<checkpoint>"'),
    (re.compile(r"— \S+ [A-Za-z0-9+/=]{80,}"), "<signature>"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<hex>"),
    (re.compile(r"\b[0-9a-f]{16}…"), "<hex>…"),
    (re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}="), "<root>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "<date>"),
    (re.compile(r'"lag_days": -?\d+'), '"lag_days": <days>'),
    (re.compile(r"\b\d+ (day|month|year)s? (later|before)\b"), "<lag>"),
]


class Command(NamedTuple):
    """One command of a page, its expected output, and where that output stands in the page."""

    text: str
    expected: str
    start: int
    end: int


def commands_of(page: str) -> list[Command]:
    """Return the commands of all ``console`` blocks of a page."""
    found: list[Command] = []
    for block in _FENCE.finditer(page):
        if block[1] != "console":
            continue
        at, text, output = block.start(2), "", block.start(2)
        for line in block[2].splitlines(keepends=True):
            if line.startswith("$ "):
                if text:
                    found.append(Command(text, page[output:at], output, at))
                text, output = line[2:], at + len(line)
            elif line.startswith("> ") and text and output == at:
                text, output = text + line[2:], at + len(line)
            at += len(line)
        if text:
            found.append(Command(text, page[output:at], output, at))
    return found


def run(commands: list[Command], folder: Path) -> list[tuple[str, int]]:
    """Run commands in one shell in `folder`; return for each what it printed and its exit code."""
    shims = folder.parent / "bin"
    shims.mkdir()
    for name, module in (("charitychain", "-m charitychain "), ("python", ""), ("python3", "")):
        shim = shims / name
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
        shim.chmod(0o755)
    script = ["exec 2>&1"]
    for number, command in enumerate(commands):
        script += [command.text, f"__code=$?; printf '\\036%s\\036\\n' {number}.$__code; (exit $__code)"]
    environment = {
        "PATH": f"{shims}:{os.environ['PATH']}", "HOME": str(folder.parent), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": str(folder.parent / ".config"), "XDG_STATE_HOME": str(folder.parent / ".local/state"),
        "COLUMNS": "120",
    }  # fmt: skip
    done = subprocess.run(
        ["bash"],
        input="\n".join(script) + "\n",
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    parts = re.split(r"\x1e\d+\.(\d+)\x1e\n", done.stdout)
    assert len(parts) == 2 * len(commands) + 1, done.stdout + done.stderr
    parts = [part.replace(str(folder.parent), "/home/ayu") for part in parts]
    return [(parts[2 * i], int(parts[2 * i + 1])) for i in range(len(commands))]


def alike(text: str) -> list[str]:
    """Return the lines of `text` without what differs from one run to the next."""
    for pattern, word in _LIKE:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.splitlines()]


def fits(expected: list[str], found: list[str]) -> bool:
    """Say whether lines are as expected, where ``…`` stands for anything."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n" for line in expected
    )
    return re.fullmatch(pattern, "".join(line + "\n" for line in found)) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    """Every command of a page prints what stands below it, and fails only where the page shows the exit code."""
    commands = commands_of(page.read_text("utf-8"))
    folder = tmp_path / "work"
    folder.mkdir()
    for number, (command, (output, code)) in enumerate(zip(commands, run(commands, folder), strict=True)):
        expected, found = alike(command.expected), alike(output)
        assert fits(expected, found), f"$ {command.text}expected:\n{command.expected}\nfound:\n{output}"
        following = commands[number + 1].text.strip() if number + 1 < len(commands) else ""
        assert code == 0 or following == "echo $?", f"$ {command.text}ended with {code}; the page must show that"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_prints_what_the_page_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ``python`` block of a page runs and prints what stands behind ``# →``."""
    for number, block in enumerate(_FENCE.finditer(page.read_text("utf-8"))):
        if block[1] != "python":
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block[2], str(page), "exec"), {"__name__": "__example__"})
        said = [line.partition("# →")[2].strip() for line in block[2].splitlines() if "# →" in line]
        assert printed.getvalue().splitlines() == said


def test_pages_with_examples_are_found() -> None:
    """The list of pages is not empty by some mistake of its own: README and tutorial are in it."""
    names = {str(page.relative_to(ROOT)) for page in PAGES}
    assert {"README.md", "docs/tutorial/village-charity.md"} <= names
    assert all(commands_of(page.read_text("utf-8")) for page in PAGES if page.name == "README.md")


def test_ellipsis_is_no_blank_cheque() -> None:
    """A line that differs outside of ``…`` does not fit, and neither does one too many."""
    assert fits(["a … c", "…", "z"], ["a b c", "d", "e", "z"])
    assert not fits(["a … c"], ["a b d"])
    assert not fits(["a"], ["a", "b"])


def rewrite(path: Path) -> None:
    """Write what the commands of a page print now into the page."""
    page = path.read_text("utf-8")
    commands = commands_of(page)
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "work"
        folder.mkdir()
        outputs = run(commands, folder)
    for command, (output, _) in reversed(list(zip(commands, outputs, strict=True))):
        if not fits(alike(command.expected), alike(output)):
            if output and not output.endswith("\n"):
                output += "\n"
            page = page[: command.start] + output + page[command.end :]
    path.write_text(page, "utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        rewrite(Path(name))
