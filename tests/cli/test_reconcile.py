"""``charitychain reconcile``: exit codes, formats, and text from a bank that nobody should trust."""

from __future__ import annotations

import csv
import io
import json

from cli.conftest import Cli

GOOD = "date,amount,balance,reference,text\n2026-01-03,12.50,12.50,D-1,gift\n"
HOSTILE = 'date,amount,reference,text\n2026-01-03,99,"=1+1","\x1b[2J\u202eevil"\n'
CAMT = (
    "<Document><BkToCstmrStmt><Stmt><Id>1</Id><Acct><Id><IBAN>DE02</IBAN></Id></Acct>"
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
    assert "0.00 (0.00 %) is unattested" in cli.ok("reconcile", good, *both)
    assert "0.00 (0.00 %) is unattested" in cli.ok("reconcile", write(cli, CAMT, "b.xml"), *both)
    done = cli.run("reconcile", good, "--account", "edu", "--from", "2026-01-01")
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
    assert cli.run("reconcile", "missing.csv", "--account", "edu").returncode in (2, 3)


def test_json_is_one_document(cli: Cli) -> None:
    """The whole answer stands in one document, with the head of the ledger that it holds for."""
    settle(cli)
    done = cli.run("reconcile", write(cli, GOOD), "--account", "edu", "--from", "2026-01-01", "--json")
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
