"""``charitychain reconcile``: exit codes, formats, and text from a bank that nobody should trust."""

from __future__ import annotations

import csv
import io
import json

from cli.conftest import Cli

GOOD = "date,amount,balance,reference,text\n2026-01-03,12.50,12.50,D-1,gift\n"
HOSTILE = 'date,amount,reference,text\n2026-01-03,99,"=1+1","\x1b[2J\u202eevil"\n'
CAMT = (
    "<Document><BkToCstmrStmt><Stmt><Id>1</Id><FrToDt><FrDtTm>2026-01-01T00:00:00</FrDtTm><ToDtTm>2026-01-31T23:59:59"
    "</ToDtTm></FrToDt><Acct><Id><IBAN>DE02</IBAN></Id></Acct>"
    "<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy='CNY'>12.50</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
    "<Dt><Dt>2026-01-31</Dt></Dt></Bal><Ntry><Amt Ccy='CNY'>12.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>"
    "<BookgDt><Dt>2026-01-03</Dt></BookgDt><NtryDtls><TxDtls><Refs><EndToEndId>D-1</EndToEndId></Refs></TxDtls>"
    "</NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>"
)


def settle(cli: Cli) -> Cli:
    cli.init()
    lines = [{"record": "account", "id": name, "unit": "CNY"} for name in ("edu", "school")]
    lines.append({"record": "account", "id": "usd", "unit": "USD"})
    gift = {"record": "donation", "id": "D-1", "account": "edu", "amount": "12.50", "date": "2026-01-02"}
    move = {
        "record": "disbursement", "id": "B-1", "from": "edu", "to": "school", "amount": "2.00", "date": "2026-01-03",
    }  # fmt: skip
    cli.ok("import", cli.journal([*lines, gift, move]))
    return cli


def write(cli: Cli, text: str, name: str = "bank.csv", encoding: str = "utf-8") -> str:
    (cli.work / name).write_text(text, encoding)
    return name


def test_exit_codes(cli: Cli) -> None:
    """0 where all agrees, 8 where something does not, and never 1; refusals name their own codes."""
    settle(cli)
    both = ("--account", "edu", "--account", "school", "--from", "2026-01-01")
    good = write(cli, GOOD)
    assert "0.00 (0.00 %) is unattested" in cli.ok("reconcile", good, *both, "--opening", "0")
    assert "0.00 (0.00 %) is unattested" in cli.ok("reconcile", write(cli, CAMT, "b.xml"), *both)
    done = cli.run("reconcile", good, "--account", "edu", "--from", "2026-01-01", "--opening", "0")
    assert done.returncode == 8 and "B-1 (disbursement)" in done.stdout and "Difference 2.00" in done.stdout
    assert "CC-BANK-CURRENCY" in cli.fails(7, "reconcile", good, "--account", "edu", "--account", "usd")
    assert "CC-BANK-CURRENCY" in cli.fails(7, "reconcile", "b.xml", "--account", "usd")
    assert "CC-UNKNOWN-ACCOUNT" in cli.fails(4, "reconcile", good, "--account", "nowhere")
    assert "CC-BANK-UNCLEAR" in cli.fails(7, "reconcile", write(cli, "a,b\n", "x.csv"), "--account", "edu")
    assert "CC-XML" in cli.fails(7, "reconcile", write(cli, "<!DOCTYPE a><a/>", "x.xml"), "--account", "edu")
    cli.fails(2, "reconcile", good)
    cli.fails(2, "reconcile", good, "--account", "edu", "--from", "2026-02-30")
    cli.fails(2, "reconcile", good, "--account", "edu", "--from", "2026-02-01", "--to", "2026-01-01")
    cli.fails(2, "reconcile", good, "--account", "edu", "--column", "date")
    cli.fails(2, "reconcile", good, "--account", "edu", "--column", "price=Betrag")
    for name in ("missing.csv", "."):
        assert f"{name} cannot be read" in cli.fails(3, "reconcile", name, "--account", "edu")


def test_days_that_the_statement_does_not_cover(cli: Cli) -> None:
    """None of them covered is refused, some of them is 8 and told in every format, and a told balance covers them."""
    settle(cli)
    later = {"record": "donation", "account": "edu", "amount": "30", "date": "2026-03-01"}
    use = {"record": "expenditure", "from": "edu", "amount": "30", "payee": "P", "purpose": "q", "date": "2026-04-01"}
    cli.ok("import", cli.journal([later | {"id": "D-2"}, use | {"id": "X-1"}]))
    told = ("--account", "edu", "--account", "school")
    xml = write(cli, CAMT, "b.xml")
    for name, covers in ((write(cli, GOOD), "2026-01-03 to 2026-01-03"), (xml, "2026-01-01 to 2026-01-31")):
        error = cli.fails(7, "reconcile", name, *told, "--from", "2026-06-01", "--to", "2026-06-30")
        assert f"covers {covers}, and so no day of 2026-06-01 to 2026-06-30" in error and "[CC-BANK]" in error
    asked = ("reconcile", xml, *told, "--from", "2026-01-03", "--to", "2026-06-30")
    done = cli.run(*asked)
    assert done.returncode == 8 and "Note: Nothing is said of days" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "edu, school and bank account DE02, 2026-01-03 to 2026-01-31, in CNY"
    assert lines[1] == "Not covered by the statement, and not compared: 2026-02-01 to 2026-06-30."
    assert lines[-1] == "Of 12.50 CNY held by the ledger, the statement covers 12.50; 0.00 (0.00 %) is unattested."
    found = json.loads(cli.run(*asked, "--json").stdout)
    assert (found["from"], found["to"], found["agrees"]) == ("2026-01-03", "2026-01-31", False)
    assert found["not_covered"] == [{"from": "2026-02-01", "to": "2026-06-30"}]
    rows = list(csv.DictReader(io.StringIO(cli.run(*asked, "--format", "csv").stdout)))
    assert [(r["what"], r["date"], r["text"]) for r in rows if r["what"] == "not covered"] == [
        ("not covered", "2026-02-01", "2026-02-01 to 2026-06-30"),
    ]  # fmt: skip
    done = cli.run("reconcile", "bank.csv", *told, "--from", "2026-01-02", "--to", "2026-01-31", "--opening", "0")
    assert done.returncode == 8 and "not compared: 2026-01-04 to 2026-01-31.\n" in done.stdout
    done = cli.run("reconcile", "bank.csv", *told, "--from", "2026-01-02", "--closing", "12.50")
    assert done.returncode == 8 and "not compared: 2026-01-02.\n" in done.stdout
    whole = ("--from", "2026-01-01", "--opening", "0", "--to", "2026-02-28", "--closing", "12.50")
    assert "2026-01-01 to 2026-02-28, in CNY" in cli.ok("reconcile", "bank.csv", *told, *whole)
    assert cli.run("reconcile", "bank.csv", *told, *whole[:-1], "12.40").returncode == 8


def test_options_that_the_file_has_no_use_for(cli: Cli) -> None:
    """What cannot be checked, or is said by the file itself, is refused as wrong usage and never passed over."""
    settle(cli)
    table, xml = write(cli, GOOD), write(cli, CAMT, "b.xml")
    assert "names no bank account" in cli.fails(2, "reconcile", table, "--account", "edu", "--bank-account", "DE1")
    for option, value in (
        ("--closing", "3"), ("--opening", "3"), ("--column", "date=x"), ("--decimal", "comma"), ("--dates", "dmy"),
        ("--encoding", "utf-8"),
    ):  # fmt: skip
        error = cli.fails(2, "reconcile", xml, "--account", "edu", option, value)
        assert f"{option}: this is an XML statement" in error
    assert "CC-BANK" in cli.fails(7, "reconcile", xml, "--account", "edu", "--bank-account", "DE1")
    cli.ok("reconcile", xml, "--account", "edu", "--account", "school", "--bank-account", "DE 02")


def test_json_is_one_document(cli: Cli) -> None:
    """The whole answer stands in one document, with the head of the ledger that it holds for."""
    settle(cli)
    done = cli.run(
        "reconcile", write(cli, GOOD), "--account", "edu", "--from", "2026-01-01", "--opening", "0", "--json"
    )
    found = json.loads(done.stdout)
    assert found["matched"][0]["by"] == "reference" and found["matched"][0]["records"][0]["id"] == "D-1"
    assert found["only_ledger"] == [
        {"id": "B-1", "record": "disbursement", "date": "2026-01-03", "amount": "-2.00", "text": ""}
    ]
    assert found["explained"] == {
        "opening": "0.00", "only_bank": "0.00", "only_ledger": "2.00", "dated_elsewhere": "0.00", "breaks": "0.00",
    }  # fmt: skip
    assert (found["difference"], found["agrees"], found["ledger"]["height"]) == ("2.00", False, 1)


def test_hostile_text_is_made_safe(cli: Cli) -> None:
    """Escape sequences and bidi controls of a statement reach no terminal, and formulas no spreadsheet."""
    settle(cli)
    name = write(cli, HOSTILE)
    for format_ in ("table", "json", "jsonl", "csv"):
        out = cli.run("reconcile", name, "--account", "edu", "--format", format_).stdout
        assert "\x1b" not in out and "\u202e" not in out and "evil" in out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(r["side"], r["in"], r["out"], r["reference"]) for r in rows] == [
        ("bank", "99.00", "", "'=1+1"), ("ledger", "", "2.00", ""),
    ]  # fmt: skip


def test_options_for_a_table_from_elsewhere(cli: Cli) -> None:
    """Encoding, columns, decimal sign and balances of a table are told by options, and a pipe will do."""
    settle(cli)
    text = "Tag;Wert;Für\n03.01.2026;12,50;Bücher\n"
    name = write(cli, text, encoding="windows-1252")
    told = ("--account", "edu", "--account", "school", "--column", "date=Tag", "--column", "amount=Wert")
    assert "--encoding" in cli.fails(7, "reconcile", name, *told)
    more = ("--encoding", "windows-1252", "--column", "text=Für", "--decimal", "comma", "--closing", "12.50", "--all")
    assert "Bücher" in cli.ok("reconcile", name, *told, *more)
    assert "Bücher" in cli.ok("reconcile", "-", *told, *more, input=text.encode("windows-1252"))
    assert "states no balance" in cli.run("reconcile", name, *told, "--encoding", "windows-1252").stderr


def test_attestations_are_told_and_change_no_exit_code(cli: Cli) -> None:
    """What an auditor signed stands beside bank and ledger; its words are made safe as all others."""
    settle(cli)
    cli.ok("party", "add", "auditor", "--role", "auditor")
    said = {
        "record": "attestation", "id": "T-1", "accounts": ["edu", "school"], "amount": "12.00", "at": "2026-01-31",
        "institution": "Village Bank", "author": "auditor",
    }  # fmt: skip
    cli.ok("import", cli.journal([said]))
    told = ("--account", "edu", "--account", "school", "--from", "2026-01-01", "--to", "2026-01-31")
    told += ("--opening", "0", "--closing", "12.50")
    out = cli.ok("reconcile", write(cli, GOOD), *told)
    assert (
        "auditor attests 12.00 at Village Bank on 2026-01-31 (T-1): the ledger has 12.50 then, -0.50 apart;"
        " the bank has 12.50 then, -0.50 apart.\n"
    ) in out
    assert "attestations in the ledger cover 12.00; 0.50 (4.00 %) is unattested." in out
    found = json.loads(cli.ok("reconcile", "bank.csv", *told, "--json"))
    assert found["vouched"]["unattested"] == "0.50" and found["attestations"][0]["by"] == "auditor"


def test_verify_lists_its_audit(cli: Cli) -> None:
    """Findings stand in a part of their own on stdout and in JSON, and the exit code stays 0."""
    settle(cli)
    use = {"record": "expenditure", "from": "edu", "amount": "2.00", "payee": "P", "purpose": "q"}
    cli.ok("import", cli.journal([use | {"id": "X-1", "invoice": {"key": "I-1", "total": "1.99"}}]))
    done = cli.run("verify", "v.ledger")
    assert done.returncode == 0 and "AUDIT-" not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[lines.index("Audit:") + 1] == (
        "  AUDIT-INVOICE  Invoice I-1 over 1.99 CNY is behind expenditures of 2.00 CNY: X-1."
    )
    assert cli.json("verify", "v.ledger")["findings"][0]["code"] == "AUDIT-INVOICE"
