"""A whole book by commands: shared and corrected costs, pledges, plans, words of others, closed periods."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli.conftest import Cli

SPENT = ("--payee", "Corner Books", "--purpose", "books")


@pytest.fixture
def book(cli: Cli) -> Cli:
    """Give a ledger with accounts of two parties: `fund` and `admin` of self, `class` of the party `school`."""
    cli.init()
    cli.ok("party", "add", "school", "--role", "charity")
    cli.ok("party", "add", "firm", "--role", "auditor")
    lines = [{"record": "account", "id": name, "unit": "EUR"} for name in ("fund", "admin")]
    lines.append({"record": "account", "id": "class", "unit": "EUR", "owner": "school"})
    gifts = [("D-1", "fund", "100"), ("D-2", "fund", "60"), ("D-3", "class", "40")]
    lines += [{"record": "donation", "id": i, "account": a, "amount": m, "author": "self"} for i, a, m in gifts]
    cli.ok("import", cli.journal(lines))
    return cli


def balances(cli: Cli) -> dict[str, str]:
    return {row["account"]: row["amount"] for row in cli.json("balance")}


def test_a_split_gives_every_account_its_share_of_every_gift(book: Cli) -> None:
    """Percentages, an amount and a rest sum to the whole, and both gifts are in each part."""
    done = book.json("split", "fund", "120.01", "--to", "class=33.33%", "--to", "admin", "--id", "S-1")
    assert done["to"] == {"class": "39.99", "admin": "80.02"} and done["recorded"]
    assert balances(book) == {"fund": "39.99", "admin": "80.02", "class": "79.99"}
    held = {h["account"]: h["amount"] for h in book.json("trace", "D-2")["held"]}
    assert held == {"fund": "39.99", "class": "6.67", "admin": "13.34"}  # of its 20.01 in the split
    again = book.json("split", "fund", "120.01", "--to", "class=33.33%", "--to", "admin", "--id", "S-1")
    assert not again["recorded"]
    book.ok("verify")


def test_a_levy_is_worked_out_and_told_twice_it_is_the_same(book: Cli) -> None:
    """Only the account that takes the rest is named; the id makes it safe to try again."""
    book.ok("account", "open", "appeal", "--unit", "EUR", "--levy", "admin=8")
    book.ok("donate", "appeal", "0.50", "--id", "D-9")
    first = book.json("split", "appeal", "0.20", "--to", "class", "--id", "S-1")
    assert first["to"] == {"admin": "0.01", "class": "0.19"}
    assert book.json("split", "appeal", "0.20", "--to", "class", "--id", "S-2")["to"] == {
        "admin": "0.02",
        "class": "0.18",
    }
    assert not book.json("split", "appeal", "0.20", "--to", "class", "--id", "S-1")["recorded"]
    assert "CC-LEVY" in book.fails(7, "split", "appeal", "0.10", "--to", "admin=5%", "--to", "class")
    assert "CC-LEVY" in book.fails(7, "disburse", "appeal", "class", "0.10")
    assert balances(book)["appeal"] == "0.10"


@pytest.mark.parametrize(
    ("code", "words", "options"),
    [
        (
            7,
            "sum to 9.00 of 10.00 EUR (with 90 percent told by percentages)",
            ["--to", "class=60%", "--to", "admin=30%"],
        ),
        (7, "leaves nothing for 'admin'", ["--to", "class=10", "--to", "admin"]),
        (7, "has no account 'clas'", ["--to", "clas"]),
        (7, "CC-SELF", ["--to", "fund=10"]),
        (7, "CC-SPLIT", []),
        (7, "CC-AMOUNT", ["--to", "class=half"]),
        (2, "ACCOUNT=PART", ["--to", "class="]),
        (7, "only one can", ["--to", "class", "--to", "admin"]),
    ],
)
def test_a_split_that_does_not_add_up_is_refused(book: Cli, code: int, words: str, options: list[str]) -> None:
    """What is wrong is told in figures, and nothing is recorded."""
    assert words in book.fails(code, "split", "fund", "10.00", *options)
    assert balances(book)["fund"] == "160.00"


def test_a_recharge_is_one_line_in_both_traces(book: Cli) -> None:
    """The gift that paid is free again and says who took over; the gift that pays now says from whom."""
    book.ok("spend", "fund", "30", "--id", "X-1", "--date", "2026-01-05", "--category", "programme",
            "--invoice", "INV-7=30.00", "--evidence", "ab" * 32, *SPENT)  # fmt: skip
    done = book.json("recharge", "X-1", "--to", "class", "--id", "X-2", "--reason", "a late grant")
    reversal, new = done["records"]
    assert new == {
        "record": "expenditure", "id": "X-2", "from": "class", "amount": "30.00", "payee": "Corner Books",
        "purpose": "books", "category": "programme", "date": "2026-01-05", "evidence": ["ab" * 32],
        "invoice": {"key": "INV-7", "total": "30.00"}, "replaces": "X-1",
    }  # fmt: skip
    assert balances(book) == {"fund": "160.00", "admin": "0.00", "class": "10.00"}
    freed, paying = book.json("trace", "D-1"), book.json("trace", "D-3")
    assert freed["uses"] == [] and [(c["id"], c["taken_over_by"]) for c in freed["corrections"]] == [
        (reversal["id"], [{"id": "X-2", "account": "class"}])
    ]
    assert [(use["id"], use["replaces"], use["taken_over_from"]) for use in paying["uses"]] == [("X-2", "X-1", "fund")]
    again = book.json("recharge", "X-1", "--to", "class", "--id", "X-2", "--reason", "a late grant")
    assert not again["recorded"]
    assert "all of it was reversed before" in book.fails(7, "recharge", "X-1", "--to", "class")
    book.ok("verify")


def test_a_recharge_is_recorded_whole_or_not_at_all(book: Cli) -> None:
    """Without money there, without the other owner's key, or of something else, nothing changes."""
    book.ok("spend", "fund", "50", "--id", "X-1", *SPENT)
    assert "CC-OVERDRAFT" in book.fails(7, "recharge", "X-1", "--to", "class")
    assert "CC-REVERSAL" in book.fails(7, "recharge", "D-1", "--to", "class")
    assert "CC-REVERSAL" in book.fails(7, "recharge", "X-1", "--to", "class", "--amount", "50.01")
    assert "CC-UNKNOWN-ID" in book.fails(4, "recharge", "X-404", "--to", "class")
    assert "CC-UNKNOWN-ACCOUNT" in book.fails(7, "recharge", "X-1", "--to", "nowhere")
    assert "--to" in book.fails(2, "recharge", "X-1")
    for path in book.keys.glob("*school*"):
        path.rename(path.with_name("away"))
    assert "CC-KEY-MISSING" in book.fails(6, "recharge", "X-1", "--to", "class", "--amount", "10")
    assert balances(book) == {"fund": "110.00", "admin": "0.00", "class": "40.00"}
    assert book.json("trace", "D-1")["uses"][0]["amount"] == "50.00"


def test_a_recharge_corrects_what_was_said_and_takes_one_gifts_share(book: Cli) -> None:
    """To the same account it corrects a category and keeps the plan's line; with a gift only that one's part moves."""
    book.ok("plan", "make", "fund", "--id", "PLAN", "--line", "books:goods:books:1:150")
    book.ok("spend", "fund", "120", "--id", "X-1", "--line", "PLAN/books", *SPENT)
    book.ok("recharge", "X-1", "--to", "class", "--gift", "D-2", "--id", "X-2")
    assert book.json("show", "X-2")["amount"] == "20.00"
    book.ok("recharge", "X-1", "--to", "fund", "--id", "X-3", "--category", "administration", "--payee", "Paper Shop")
    corrected = book.json("show", "X-3")
    assert [corrected[name] for name in ("amount", "line", "category", "payee", "purpose")] == [
        "100.00", "PLAN/books", "administration", "Paper Shop", "books",
    ]  # fmt: skip
    assert "line" not in book.json("show", "X-2")
    assert book.json("plan", "show", "PLAN")["actual"] == "100.00"


def test_a_private_payee_is_taken_over_from_the_vault_or_asked_for(book: Cli) -> None:
    """Under salts of its own; where the vault is elsewhere the command says what to give, and the payee never shows."""
    book.ok(
        "spend",
        "fund",
        "5",
        "--id",
        "X-1",
        "--purpose",
        "rent",
        "--private",
        "payee=Siti Rahma",
        "--private",
        "case=17",
    )
    book.ok("recharge", "X-1", "--to", "class", "--amount", "2", "--id", "X-2")
    old, new = (book.json("show", id_) for id_ in ("X-1", "X-2"))
    assert new["purpose"] == "rent" and "payee" not in new and new["private"] != old["private"]
    assert json.loads(book.ok("annex", "disclose", "X-2", "payee"))["value"] == "Siti Rahma"
    assert not book.json("recharge", "X-1", "--to", "class", "--amount", "2", "--id", "X-2")["recorded"]
    missing = ("recharge", "X-1", "--to", "class", "--amount", "1", "--vault", "elsewhere.vault")
    assert "payee" in book.fails(2, *missing)
    book.ok(*missing, "--payee", "a landlord", "--id", "X-3")
    assert book.json("show", "X-3")["payee"] == "a landlord" and "private" not in book.json("show", "X-3")
    for path in (book.ledger, book.work / "v.ledger.index"):
        assert b"Siti" not in path.read_bytes()
    book.ok("verify")


def test_reversals_of_every_kind(book: Cli) -> None:
    """Of an expenditure one gift's share, of a disbursement what rests, of a gift all; a split is told to be none."""
    book.ok("spend", "fund", "120", "--id", "X-1", *SPENT)
    book.ok("reverse", "X-1", "--gift", "D-2", "--id", "U-1")
    assert book.json("show", "U-1")["gift"] == "D-2" and balances(book)["fund"] == "60.00"
    assert [gift["donation"] for gift in book.json("sources", "X-1")["gifts"]] == ["D-1"]
    book.ok("disburse", "fund", "admin", "10", "--id", "B-1")
    book.ok("spend", "admin", "4", "--id", "X-2", *SPENT)
    assert "6.00 EUR of 'B-1' can be reversed" in book.fails(7, "reverse", "B-1", "--amount", "7")
    book.ok("reverse", "B-1")
    assert balances(book)["admin"] == "0.00"
    book.ok("disburse", "fund", "admin", "6", "--id", "B-2", "--replaces", "B-1")
    book.ok("donate", "fund", "5", "--id", "D-9")
    book.ok("reverse", "D-9")
    assert book.json("trace", "D-9")["reversed"][0]["amount"] == "5.00"
    book.ok("donate", "fund", "7", "--id", "D-10", "--replaces", "D-9")
    book.ok("split", "fund", "3", "--to", "admin", "--id", "S-1")
    book.ok("reverse", "S-1", "--amount", "1")
    assert "2.00 EUR of 'S-1' can be reversed" in book.fails(7, "reverse", "S-1", "--amount", "2.01")
    assert "CC-REPLACES" in book.fails(7, "disburse", "fund", "admin", "1", "--replaces", "B-2")
    book.ok("verify")


def test_approvers_are_named_or_chosen(book: Cli) -> None:
    """Of two approvers the named one signs; where its key is elsewhere nothing leaves."""
    book.ok("account", "open", "safe", "--unit", "EUR", "--approver", "school", "--approver", "firm",
            "--approvals-needed", "1")  # fmt: skip
    book.ok("donate", "safe", "50", "--id", "D-9")
    spend = ("spend", "safe", "5", "--id", "X-1", *SPENT, "--approved-by", "firm")
    assert book.json(*spend)["recorded"] and not book.json(*spend)["recorded"]
    shown = [json.loads(line) for line in book.ok("export").splitlines()]
    assert next(entry for entry in shown if entry["id"] == "X-1")["approved_by"] == ["firm"]
    assert "CC-APPROVALS" in book.fails(7, "disburse", "safe", "fund", "5", "--approved-by", "self")
    assert "CC-UNKNOWN-PARTY" in book.fails(7, "refund", "D-9", "--approved-by", "nobody")
    for path in book.keys.glob("*firm*"):
        path.rename(path.with_name("away"))
    assert "CC-KEY-MISSING" in book.fails(6, "split", "safe", "5", "--to", "fund", "--approved-by", "firm")
    book.ok("split", "safe", "5", "--to", "fund")  # the other one's key is here
    assert balances(book)["safe"] == "40.00"


# ------------------------------------------------------------------------------------------------------ words


def test_a_pledge_is_open_until_gifts_fulfil_it(book: Cli) -> None:
    """It never counts as received; a reversal lowers it, and gifts that name it fulfil it."""
    book.ok("pledge", "make", "fund", "100", "--id", "P-1", "--pledger", "=1+1\u200bFoundation", "--due", "2026-06")
    assert balances(book)["fund"] == "160.00"
    book.ok("donate", "fund", "30", "--pledge", "P-1")
    book.ok("reverse", "P-1", "--amount", "20")
    row = book.json("pledge", "list")[0]
    assert {name: row[name] for name in ("announced", "reversed", "fulfilled", "open", "unit", "due")} == {
        "announced": "100.00", "reversed": "20.00", "fulfilled": "30.00", "open": "50.00", "unit": "EUR",
        "due": "2026-06",
    }  # fmt: skip
    for format_ in ("table", "csv", "jsonl"):
        assert "\u200b" not in book.ok("pledge", "list", "--format", format_)
    assert "'=1+1" in book.ok("pledge", "list", "--format", "csv")
    assert "CC-UNKNOWN-ID" in book.fails(7, "donate", "fund", "1", "--pledge", "D-1")
    assert "CC-REVERSAL" in book.fails(7, "reverse", "P-1", "--amount", "80.01")


def test_words_of_others_show_in_traces(book: Cli) -> None:
    """The recipient confirms a part, a stand-in disputes for somebody; the payer can do neither."""
    book.ok("disburse", "fund", "class", "40", "--id", "B-1")
    book.ok("acknowledge", "B-1", "--amount", "30", "--note", "ten are missing")
    state = {step["id"]: step for step in book.json("trace", "D-1")["steps"]}["B-1"]
    assert state["state"] == "partly acknowledged" and state["acknowledged"][0]["how"] == "recipient"
    book.ok("acknowledge", "B-1", "--disputed", "--author", "firm", "--on-behalf-of", "the parents")
    state = {step["id"]: step for step in book.json("trace", "D-1")["steps"]}["B-1"]
    assert state["state"] == "disputed" and state["acknowledged"][1]["on_behalf_of"] == "the parents"
    assert "CC-ACKNOWLEDGED" in book.fails(7, "acknowledge", "B-1", "--author", "self")
    assert "CC-ACKNOWLEDGED" in book.fails(7, "acknowledge", "B-1", "--amount", "41")
    assert book.json("trace", "D-3")["held"][0]["state"] == "in transit"  # self took it in for the school
    book.ok("acknowledge", "D-3", "--upto")
    assert book.json("trace", "D-3")["held"][0]["state"] == "held"


def test_an_auditor_attests(book: Cli) -> None:
    """Who signs must be said, and must be an auditor."""
    attest = ("attest", "fund", "admin", "--amount", "150", "--at", "2026-01-31", "--institution", "Example Bank")
    assert "--author" in book.fails(2, *attest)
    assert "CC-ROLE" in book.fails(7, *attest, "--author", "school")
    done = book.json(*attest, "--author", "firm", "--id", "T-1")
    assert done["accounts"] == ["fund", "admin"] and done["amount"] == "150.00"
    assert "CC-UNIT" not in book.ok("attest", "class", "--amount", "0", "--at", "2026-01-31", "--author", "firm")


def test_a_closed_period_keeps_its_totals_and_flags_what_comes_late(book: Cli) -> None:
    """Totals are those of the moment; what is dated before and comes after says so in its trace."""
    book.ok("spend", "fund", "30", "--id", "X-1", *SPENT)
    book.ok("reverse", "X-1", "--amount", "10")
    book.ok("period", "close", "--until", "2026-01-31", "--id", "PC-1")
    book.ok("period", "close", "--until", "2026-01-31", "--account", "class", "--author", "school", "--id", "PC-2")
    rows = [tuple(row.values())[:9] for row in book.json("period", "list")]
    assert rows == [
        ("PC-1", "2026-01-31", "fund", "170.00", "30.00", "10.00", "140.00", "EUR", "self"),
        ("PC-1", "2026-01-31", "admin", "0.00", "0.00", "0.00", "0.00", "EUR", "self"),
        ("PC-2", "2026-01-31", "class", "40.00", "0.00", "0.00", "40.00", "EUR", "school"),
    ]
    book.ok("spend", "fund", "1", "--id", "X-2", "--date", "2026-01-15", *SPENT)
    late = {use["id"]: use.get("late", False) for use in book.json("trace", "D-1")["uses"]}
    assert late == {"X-1": False, "X-2": True}
    assert "CC-PERIOD" in book.fails(7, "period", "close", "--until", "2026-01-31")
    assert "CC-UNKNOWN-ACCOUNT" in book.fails(7, "period", "close", "--until", "2026-02-28", "--account", "clas")


# ------------------------------------------------------------------------------------------------------ plans


def test_a_plan_from_a_table_against_what_was_spent(book: Cli) -> None:
    """Lines come from a file and from options; figures are the same in every format."""
    (book.work / "plan.csv").write_text(
        '\ufeffline,kind,what,quantity,price\r\nbooks,goods,"books, red: =1+1",3,10.00\r\n', encoding="utf-8"
    )
    book.ok("plan", "make", "fund", "--id", "PLAN-1", "--title", "P\u200blan", "--lines", "plan.csv",
            "--line", "bus:service:to: the museum:1:20")  # fmt: skip
    book.ok("spend", "fund", "40", "--id", "X-1", "--line", "PLAN-1/books", *SPENT)
    told = book.json("plan", "show", "PLAN-1")
    assert told["title"] == "P\u200blan" and [line["what"] for line in told["lines"]] == [
        "books, red: =1+1", "to: the museum",
    ]  # fmt: skip
    assert [(line["planned"], line["actual"], line["difference"], line["percent"]) for line in told["lines"]] == [
        ("30.00", "40.00", "-10.00", "133.33"), ("20.00", "0.00", "20.00", "0.00"),
    ]  # fmt: skip
    assert told["lines"][0]["uses"][0]["id"] == "X-1"
    assert json.loads(book.ok("plan", "show", "PLAN-1", "--format", "jsonl")) == told
    rows = book.ok("plan", "show", "PLAN-1", "--format", "csv").splitlines()
    assert rows[1] == 'PLAN-1,books,goods,"books, red: =1+1",3,10.00,30.00,40.00,,10.00,133.33,EUR'
    table = book.ok("plan", "show", "PLAN-1")
    assert "\u200b" not in table and "(P\\u200blan)" in table
    assert "Beside its lines, fund spent 0.00 EUR." in table
    assert book.json("plan", "list")[0]["actual"] == "40.00"
    assert book.json("plan", "show", "PLAN-1", "--at-height", "4")["actual"] == "0.00"


@pytest.mark.parametrize(
    ("code", "words", "options", "table"),
    [
        (2, "one line at least", [], None),
        (2, "LINE:KIND:WHAT:QUANTITY:PRICE", ["--line", "books:goods:books:1"], None),
        (7, "whole number", ["--line", "books:goods:books:1.5:2"], None),
        (7, "CC-AMOUNT", ["--line", "books:goods:books:1:2,50"], None),
        (7, "goods, money, service", ["--line", "books:good:books:1:2"], None),
        (7, "the first line must be", ["--lines", "-"], "line;kind;what\n"),
        (7, "line 2 has 4 fields", ["--lines", "-"], "line,kind,what,quantity,price\na,goods,b,1\n"),
        (7, "line 2", ["--lines", "-"], 'line,kind,what,quantity,price\na,goods,"b,1,2\n'),
        (7, "not UTF-8", ["--lines", "-"], b"line,kind,what,quantity,price\na,goods,\xff,1,2\n"),
        (3, "CC-UNREADABLE", ["--lines", "nowhere.csv"], None),
        (7, "CC-REPLACES", ["--line", "a:goods:b:1:2", "--replaces", "D-1"], None),
    ],
)
def test_a_plan_that_is_none_is_refused(
    book: Cli, code: int, words: str, options: list[str], table: str | bytes | None
) -> None:
    """Form is told with its place; nothing is recorded."""
    assert words in book.fails(code, "plan", "make", "fund", *options, input=table)
    assert book.json("plan", "list") == []


def test_unknown_plans_and_lines_are_told(book: Cli) -> None:
    """A line that no plan has cannot be spent on."""
    assert "CC-UNKNOWN-ID" in book.fails(4, "plan", "show", "PLAN-9")
    assert "CC-UNKNOWN-ID" in book.fails(7, "spend", "fund", "1", "--line", "PLAN-9/books", *SPENT)
    assert "KEY=TOTAL" in book.fails(2, "spend", "fund", "1", "--invoice", "INV-7", *SPENT)


# ------------------------------------------------------------------------------------------------- round trip


def test_what_commands_made_goes_through_a_journal(book: Cli) -> None:
    """Exported and imported into another ledger, the book gives the same traces, plans and pledges."""
    steps: list[tuple[Any, ...]] = [
        ("pledge", "make", "fund", "100", "--id", "P-1"),
        ("donate", "fund", "10", "--id", "D-4", "--pledge", "P-1"),
        ("plan", "make", "fund", "--id", "PLAN", "--line", "books:goods:books:3:10"),
        ("spend", "fund", "30", "--id", "X-1", "--line", "PLAN/books", "--invoice", "INV=60", *SPENT),
        ("split", "fund", "10.01", "--id", "S-1", "--to", "class=33.33%", "--to", "admin"),
        ("recharge", "X-1", "--to", "class", "--amount", "12", "--id", "X-2"),
        ("reverse", "P-1", "--id", "U-1", "--amount", "5"),
        ("acknowledge", "S-1", "--author", "school", "--id", "A-1"),
        ("attest", "fund", "--amount", "100", "--at", "2026-01-31", "--author", "firm", "--id", "T-1"),
        ("period", "close", "--until", "2026-01-31", "--id", "PC-1"),
    ]
    for step in steps:
        book.ok(*step)
    (book.work / "export.jsonl").write_text(book.ok("export"))
    assert book.ok("import", "export.jsonl").startswith("0 added, ")
    book.ok("init", "other.ledger", "--origin", "other.example", "--no-passphrase")
    book.ok("-l", "other.ledger", "import", "export.jsonl")

    def answers(*options: str) -> list[Any]:
        traces = [book.json(*options, "trace", gift) for gift in ("D-1", "D-2", "D-3", "D-4")]
        shown = [book.json(*options, "plan", "show", "PLAN"), *traces]
        for answer in shown:  # in a journal each record stands alone, signed first by whoever owns its account
            del answer["ledger"]
            for use in answer.get("uses", ()):
                del use["by"]
        return shown

    assert answers("-l", "other.ledger") == answers("-l", "v.ledger")
    assert book.json("-l", "other.ledger", "pledge", "list") == book.json("-l", "v.ledger", "pledge", "list")
    assert book.json("-l", "other.ledger", "plan", "show", "PLAN")["actual"] == "18.00"
    book.ok("-l", "other.ledger", "verify")
