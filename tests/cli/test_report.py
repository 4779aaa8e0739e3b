"""``report``: formats, periods, rates and the check of a published report, with their exit codes."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Cli

RECORDS = [
    {"record": "expenditure", "id": "X-1", "from": "edu", "amount": "4.00", "payee": "p", "purpose": "q",
     "date": "2025-03-02"},
    {"record": "donation", "id": "D-2", "account": "edu", "amount": "7.50", "date": "2025-02-28", "source": "<b>web"},
]  # fmt: skip


@pytest.fixture
def spent(village: Cli) -> Cli:
    """Give the village a use, and a gift from a source that would like to be bold."""
    village.ok("import", village.journal(RECORDS))
    return village


def published(cli: Cli, *args: str | Path) -> Path:
    path = cli.work / "r.json"
    path.write_text(cli.ok("report", "--format", "json", *args), "utf-8")
    return path


def test_a_table_tells_each_figure_and_how(spent: Cli) -> None:
    """The table holds the headline first, and under each figure how it is computed."""
    lines = spent.ok("report").splitlines()
    assert lines[:6] == [
        "village.example/2026", "the start to the end, as of block 2", "",
        "  0.00 % of all CNY received reaches an end acknowledged by an independent key",
        "  0.00 % is merely evidenced", " 20.00 % is merely reported",
    ]  # fmt: skip
    assert all(len(line) <= 80 for line in lines)
    received = next(line for line in lines if line.startswith("  Received ..."))
    assert len(received) == 80 and " 20.00 CNY " in received
    note = received.rpartition(" ")[2]
    assert note.startswith("[") and any(line.startswith(f" {note} Amounts of all gifts") for line in lines)
    assert any(line.startswith("  Held ...") and "... 16.00 CNY" in line for line in lines)


def test_a_period_bounds_what_counts(spent: Cli) -> None:
    """--from and --to are days, months or years, both counted; a period turned round is a usage error."""

    def received(*args: str) -> str:
        figures = spent.json("report", *args)["figures"]
        return str(next(figure["value"] for figure in figures if figure["id"] == "received.CNY"))

    assert received("--from", "2025-02-28", "--to", "2025-02-28") == "7.50"
    assert received("--to", "2025-02") == "7.50"
    assert received("--to", "2025-02-27") == "0.00"
    assert received("--from", "2025-03-01") == "12.50"
    assert received() == "20.00"
    assert received("--at-height", "1") == "12.50"
    assert "before it begins" in spent.fails(2, "report", "--from", "2026", "--to", "2025")
    spent.fails(2, "report", "--from", "yesterday")


def test_the_page_is_well_formed(spent: Cli) -> None:
    """The page's tags close, nothing hostile becomes one, and no attribute loads anything."""
    text = spent.ok("report", "--format", "html")
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("script", "b", "img", "link", "iframe") and "src" not in dict(attrs)
            assert (dict(attrs).get("href") or "#").startswith("#")
            if tag not in ("meta", "br"):
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Reader().feed(text)
    assert opened == [] and "&lt;b&gt;web" in text and 'lang="en"' in text


def test_a_published_report_checks(spent: Cli) -> None:
    """As published it is equal, also after the ledger grew; each changed figure is told, exit code 1."""
    path = published(spent, "--from", "2025")
    spent.ok("donate", "edu", "1.00", "--date", "2025-05-05")
    assert "all as the ledger has them at block 2" in spent.ok("report", "--check", path)
    assert spent.json("report", "--check", path) == {"equal": True, "differences": []}
    report = json.loads(path.read_text("utf-8"))
    figure = next(figure for figure in report["figures"] if figure["id"] == "spent.CNY")
    figure["value"] = "3.00"
    path.write_text(json.dumps(report), "utf-8")
    done = spent.run("report", "--check", path)
    assert done.returncode == 1
    assert done.stdout.split("\n") == [
        "spent.CNY: published 3.00 CNY; computed 4.00 CNY", "1 difference", "",
    ]  # fmt: skip
    done = spent.run("report", "--check", path, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["differences"] == [
        {"id": "spent.CNY", "published": "3.00 CNY", "computed": "4.00 CNY"}
    ]


def test_every_kind_of_change_is_one_line(spent: Cli) -> None:
    """A figure changed, left out or added, another explanation, rate or checkpoint: exit code 1, both sides told."""
    table = spent.work / "rates.csv"
    table.write_text("unit,to,rate,date,source\nCNY,EUR,0.1275,2025-12-31,Central bank\n")
    path = published(spent, "--rates", table)
    text = path.read_text("utf-8")

    def lines(report: Any) -> list[str]:
        path.write_text(json.dumps(report), "utf-8")
        done = spent.run("report", "--check", path, "--rates", table)
        assert done.returncode == 1 and done.stderr == ""
        return done.stdout.splitlines()

    report = json.loads(text)
    places = {figure["id"]: at for at, figure in enumerate(report["figures"])}
    report["figures"][places["gifts"]]["value"] = 3
    assert lines(report) == ["gifts: published 3; computed 2", "1 difference"]
    report = json.loads(text)
    del report["figures"][places["share.CNY.reported"]]
    assert lines(report) == [
        "share.CNY.reported: published nothing; computed 20.00 % (4.00 of 20.00 CNY)", "1 difference",
    ]  # fmt: skip
    report = json.loads(text)
    report["figures"].append({"id": "smiles", "label": "Smiles", "value": 9, "how": "Counted."})
    assert lines(report) == ["smiles: published 9; computed nothing", "1 difference"]
    report = json.loads(text)
    report["figures"][places["accounts"]]["how"] = "Guessed.\x1b[2J\naccounts: all is well"
    assert lines(report) == [
        "accounts (how): published Guessed.\\u001b[2J\\u000aaccounts: all is well; computed Accounts that were opened"
        " up to the head, in whatever unit.",
        "1 difference",
    ]
    report = json.loads(text)
    report["rates"]["rates"][0]["rate"] = "0.2"
    assert lines(report) == [
        "rates.1: published 1 CNY = 0.2 EUR on 2025-12-31, Central bank; computed 1 CNY = 0.1275 EUR on 2025-12-31,"
        " Central bank",
        "1 difference",
    ]
    report = json.loads(text)
    sealed = report["ledger"]["checkpoint"]
    report["ledger"]["checkpoint"] = sealed.replace("village.example/2026\n3\n", "village.example/2026\n9\n")
    told = lines(report)
    assert len(told) == 2 and told[0].startswith("ledger.checkpoint: published village.example/2026 9 ")
    assert "; computed village.example/2026 3 " in told[0]
    assert "[CC-REPORT]" in spent.fails(3, "report", "--check", spent.journal(["{"]))


def test_what_is_no_report_is_unreadable(spent: Cli) -> None:
    """Another format, or no file, is exit code 3; a height that the ledger has not reached is 4."""
    path = published(spent)
    report = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**report, "report": "charitychain-report/9"}), "utf-8")
    assert "[CC-REPORT]" in spent.fails(3, "report", "--check", path)
    assert "[CC-STORAGE]" in spent.fails(3, "report", "--check", spent.work / "none.json")
    report["ledger"]["height"] = 99
    path.write_text(json.dumps(report), "utf-8")
    assert "[CC-UNKNOWN-MOMENT]" in spent.fails(4, "report", "--check", path)


def test_rates_are_named_and_needed_again(spent: Cli) -> None:
    """A report at rates states them; it is checked with their file alone, and never with another."""
    table = spent.work / "rates.csv"
    table.write_text("unit,to,rate,date,source\nCNY,EUR,0.1275,2025-12-31,Central bank\n")
    path = published(spent, "--rates", table)
    figures = {figure["id"]: figure["value"] for figure in json.loads(path.read_text("utf-8"))["figures"]}
    assert figures["at-rates.EUR.received"] == "2.55"
    assert "1 CNY = 0.1275 EUR on 2025-12-31, Central bank" in spent.ok("report", "--rates", table)
    spent.ok("report", "--check", path, "--rates", table)
    spent.fails(2, "report", "--check", path)
    table.write_text("unit,to,rate,date,source\nCNY,EUR,0.5,2025-12-31,Central bank\n")
    done = spent.run("report", "--check", path, "--rates", table)
    assert done.returncode == 1 and done.stdout.startswith("rates.sha256: published ")
    table.write_text("unit,to,rate\nCNY,EUR,0.5\n")
    assert "[CC-TABLE]" in spent.fails(7, "report", "--rates", table)
    spent.fails(2, "report", "--check", published(spent), "--rates", table)


def test_a_check_takes_its_moment_from_the_report(spent: Cli) -> None:
    """--check beside a period, a moment or --format html is a usage error."""
    path = published(spent)
    for more in (("--from", "2025"), ("--at", "2025"), ("--at-height", "1"), ("--format", "html")):
        spent.fails(2, "report", "--check", path, *more)


def test_a_title_stands_above_every_form(spent: Cli) -> None:
    """--title is on the table, the page and in the JSON; a check says that it is nobody's but the publisher's word."""
    title = "SYNTHETIC DATA\x1b[2J"
    shown = "SYNTHETIC DATA\\u001b[2J"
    assert spent.ok("report", "--title", title).splitlines()[:2] == [shown, "village.example/2026"]
    assert f'<p class="title"><bdi>{shown}</bdi></p>' in spent.ok("report", "--title", title, "--format", "html")
    path = published(spent, "--title", title)
    assert json.loads(path.read_text("utf-8"))["title"] == title
    lines = spent.ok("report", "--check", path).splitlines()
    assert lines[1:] == [f"Its title is its publisher's word, and was not checked: {shown}"]
    assert len(spent.ok("report", "--check", path, "--title", title).splitlines()) == 1
    done = spent.run("report", "--check", path, "--title", "Audited")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [f"title: published {shown}; computed Audited", "1 difference"]
    spent.fails(2, "report", "--title", "")
    report = json.loads(path.read_text("utf-8"))
    for bad in ("", "x" * 257, 7):
        path.write_text(json.dumps({**report, "title": bad}), "utf-8")
        assert "[CC-REPORT]" in spent.fails(3, "report", "--check", path)


def test_a_long_list_is_folded(spent: Cli) -> None:
    """Of 26 parts by source the 20 largest are told, and all with --all."""
    gifts = [
        {"record": "donation", "id": f"L-{n}", "account": "edu", "amount": f"{n + 1}.00", "source": f"box-{n:02}",
         "date": "2025-05-05"} for n in range(24)
    ]  # fmt: skip
    spent.ok("import", spent.journal(gifts))
    table, every = spent.ok("report"), spent.ok("report", "--all")
    assert "  ... and 6 more (--all shows them)\n" in table
    assert "source box-06" in table and "source box-05" not in table and "source box-05" in every
    assert "more (--all" not in every and "<summary>and 6 more</summary>" in spent.ok("report", "--format", "html")
