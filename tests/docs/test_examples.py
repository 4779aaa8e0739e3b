"""The examples of the documentation are real: every command runs, and says what the page says that it says.

The convention, for whoever writes a page:

- A fenced ``console`` block holds commands (``$ …``, going on at once with ``> …``) and below each what it prints,
  standard output and standard error together. All blocks of one page run in order, in one shell and one empty folder.
- Compared are the lines, with every run of 16 or more hexadecimal digits, every checkpoint, every date, every time
  from one to another and every key and size of a receipt taken as equal; the folder above the page's own is called
  ``/home/ayu``. ``…`` stands for anything on its line; a line with ``…`` alone stands for any lines.
- A command that fails (exit code other than 0) must be followed by ``$ echo $?``, so that the page shows the code.
- All outputs of a page are of one run: a key or a hash that is one thing here is the same thing all over the page.
- A fenced ``python`` block runs in an empty folder; what it prints stands behind ``# →`` on the line that prints it.
- What stands between ``<!-- demo output -->`` and ``<!-- end -->`` is what ``examples/demo.py`` prints.

``python tests/docs/test_examples.py PAGE…`` runs each page once and writes everything that its commands printed then;
lines for which the page has ``…`` alone stay left out. A page in which something crashed is not written. Read the
difference before you believe it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
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
_DEMO = re.compile(r"(?<=^<!-- demo output -->\n```text\n).*?(?=^```\n<!-- end -->$)", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"\b[0-9a-f]{16,}|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=")
_CRASHED = ("this is a bug in charitychain", "Traceback (most recent call last)")
_LIKE = [
    (re.compile(r'"checkpoint": ".*"'), '"checkpoint": "<checkpoint>"'),
    (re.compile(r"— \S+ [A-Za-z0-9+/=]{80,}"), "<signature>"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<hex>"),
    (re.compile(r"\b[0-9a-f]{16}…"), "<hex>…"),
    (re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}="), "<root>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "<date>"),
    (re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{43,}=?"), "+<key>"),
    (re.compile(r"(\.ccr|\.txt|\d blocks), \d+ bytes\b"), r"\1, <size> bytes"),
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
    environment = _environment(folder.parent) | {"PATH": f"{shims}:{os.environ['PATH']}"}
    for number, command in enumerate(commands):
        script += [command.text, f"__code=$?; printf '\\036%s\\036\\n' {number}.$__code; (exit $__code)"]
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


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "COLUMNS": "120",
        "XDG_CONFIG_HOME": str(home / ".config"), "XDG_STATE_HOME": str(home / ".local/state"),
    }  # fmt: skip


def run_demo(home: Path) -> str:
    """Return what the demonstration prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        cwd=home,
        env=_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.stdout.rstrip("\n") + "\n"


def alike(text: str) -> list[str]:
    """Return the lines of `text` without what differs from one run to the next."""
    for pattern, word in _LIKE:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.splitlines()]


def aligned(expected: str, found: str) -> list[tuple[str, str]] | None:
    """Return the lines expected, each beside what was found there, or nothing if they differ.

    ``…`` stands for anything on its line; a line with ``…`` alone for any lines, and beside it stand all of these.
    """
    wanted, lines = alike(expected), found.splitlines(keepends=True)
    pattern = "".join(
        r"((?:.*\n)*?)" if line == "…" else "(" + ".*?".join(map(re.escape, line.split("…"))) + r"\n)"
        for line in wanted
    )
    whole = re.fullmatch(pattern, "".join(line + "\n" for line in alike(found)))
    if whole is None:
        return None
    pairs, at = [], 0
    for line, part in zip(expected.splitlines(), whole.groups(), strict=True):
        count = part.count("\n")
        pairs.append((line, "".join(lines[at : at + count])))
        at += count
    return pairs


def mixed(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return which keys and hashes of a page cannot be of one run, by that run's own lines beside those of the page.

    What is one thing in the run must be one thing on the page, and the other way round.
    """
    here: dict[str, str] = {}
    there: dict[str, str] = {}
    wrong = []
    for page, found in pairs:
        names, others = _NAMED.findall(page), _NAMED.findall(found)
        if len(names) == len(others):
            for name, other in zip((name[:16] for name in names), (other[:16] for other in others), strict=True):
                if here.setdefault(name, other) != other or there.setdefault(other, name) != name:
                    wrong.append(name)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    """Every command of a page prints what stands below it, and fails only where the page shows the exit code."""
    commands = commands_of(page.read_text("utf-8"))
    folder = tmp_path / "work"
    folder.mkdir()
    pairs: list[tuple[str, str]] = []
    for number, (command, (output, code)) in enumerate(zip(commands, run(commands, folder), strict=True)):
        lines = aligned(command.expected, output)
        assert lines is not None, f"$ {command.text}expected:\n{command.expected}\nfound:\n{output}"
        pairs += lines
        following = commands[number + 1].text.strip() if number + 1 < len(commands) else ""
        assert code == 0 or following == "echo $?", f"$ {command.text}ended with {code}; the page must show that"
    assert not mixed(pairs), f"{page.name} shows outputs of several runs; rewrite it as a whole"


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


def test_the_demonstration_prints_what_the_readme_says(tmp_path: Path) -> None:
    """What the README shows as the demonstration's output is that, and of one run."""
    said = _DEMO.findall((ROOT / "README.md").read_text("utf-8"))
    assert len(said) == 1
    lines = aligned(said[0], run_demo(tmp_path))
    assert lines is not None, "rewrite the README: python tests/docs/test_examples.py README.md"
    assert not mixed(lines)


def test_ellipsis_is_no_blank_cheque() -> None:
    """A line that differs outside of ``…`` does not fit, and neither does one too many."""
    assert aligned("a … c\n…\nz\n", "a b c\nd\ne\nz\n") == [("a … c", "a b c\n"), ("…", "d\ne\n"), ("z", "z\n")]
    assert aligned("a … c\n", "a b d\n") is None
    assert aligned("a\n", "a\nb\n") is None


def test_outputs_of_two_runs_are_told() -> None:
    """Two names for one key on a page are found, and one name for two; other names throughout are not."""
    one, two, three = "1" * 64, "2" * 64, "3" * 64
    assert not mixed([(one, two), (f"key {one[:16]}…", f"key {two[:16]}…")])
    assert mixed([(one, three), (f"key {two[:16]}…", f"key {three[:16]}…")]) == [two[:16]]
    assert mixed([(one, two), (one, three)]) == [one[:16]]


def test_rewriting_takes_every_output_of_the_new_run(tmp_path: Path) -> None:
    """What differs only in a hash is written too; lines left out stay left out, and what a crash printed is refused."""
    page = tmp_path / "page.md"
    page.write_text(f"```console\n$ seq 3; echo {'b' * 16}\n1\n…\n{'a' * 16}\n$ echo two\none\n```\n", "utf-8")
    assert rewrite(page) is None
    written = f"```console\n$ seq 3; echo {'b' * 16}\n1\n…\n{'b' * 16}\n$ echo two\ntwo\n```\n"
    assert page.read_text("utf-8") == written
    crash = "```console\n$ python -c 'raise ValueError'\nnothing\n$ echo $?\n1\n```\n"
    page.write_text(crash, "utf-8")
    assert "Traceback" in str(rewrite(page)) and page.read_text("utf-8") == crash


def rewrite(path: Path) -> str | None:
    """Write what the commands of a page print in one run into the page; return why not, if it cannot be."""
    page = path.read_text("utf-8")
    commands = commands_of(page)
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "work"
        folder.mkdir()
        outputs = [output for output, _ in run(commands, folder)]
        demo = run_demo(Path(base)) if _DEMO.search(page) else ""
    texts = [*(command.text.strip() for command in commands), "examples/demo.py"]
    for text, output in zip(texts, [*outputs, demo], strict=True):
        for words in _CRASHED:
            if words in output:
                return f"{path}: not written, since {text!r} printed {words!r}"
    for command, output in reversed(list(zip(commands, outputs, strict=True))):
        lines = aligned(command.expected, output)
        if lines is not None:
            output = "".join("…\n" if line == "…" else found for line, found in lines)
        elif output and not output.endswith("\n"):
            output += "\n"
        page = page[: command.start] + output + page[command.end :]
    path.write_text(_DEMO.sub(lambda _: demo, page), "utf-8")
    return None


if __name__ == "__main__":
    refused = [reason for name in sys.argv[1:] if (reason := rewrite(Path(name))) is not None]
    sys.exit("\n".join(refused) or None)
