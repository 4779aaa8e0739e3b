"""Bank statements: CSV as banks write it, camt.053, and what hostile files try."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.interop.bank import (
    BankEntry,
    BankStatement,
    Break,
    OptionError,
    Reading,
    format_signed,
    read_statement,
)
from charitychain.units import BUILT_IN

EUR = BUILT_IN["EUR"]


def table(text: str | bytes, **reading: object) -> BankStatement:
    data = text if isinstance(text, bytes) else text.encode()
    return read_statement(io.BytesIO(data), EUR, Reading(**reading))  # type: ignore[arg-type]


def amounts(statement: BankStatement) -> list[int]:
    return [entry.amount for entry in statement.entries]


def refused(text: str | bytes, **reading: object) -> CharitychainError:
    with pytest.raises(CharitychainError) as caught:
        table(text, **reading)
    return caught.value


# ------------------------------------------------------------------------------------------------------- CSV


def test_a_plain_table() -> None:
    """Date, signed amount, reference and text are found by their names, and each entry says where it stands."""
    found = table("Date,Amount,Reference,Description\n2026-01-02,100.00,D-1,gift\n2026-01-03,-12.5,X-1,books\n")
    assert found == BankStatement(
        "", "EUR", None, None, "2026-01-02", "2026-01-03",
        (
            BankEntry("2026-01-02", 10000, ("D-1",), "gift", "line 2"),
            BankEntry("2026-01-03", -1250, ("X-1",), "books", "line 3"),
        ),
    )  # fmt: skip


def test_a_german_table_newest_first_with_balances() -> None:
    """Semicolons, a preamble, decimal comma, dotted days, a BOM and newest first: all decided by the file itself."""
    text = (
        "\ufeffKonto;DE02 1203 0000 0000 2020 51\n\nBuchungstag;Verwendungszweck;Betrag (EUR);Saldo\n"
        "05.01.2026;Miete;-1.250,00;8.750,00\n02.01.2026;Spende;10.000,00;10.000,00\n"
    )
    found = table(text)
    assert [(e.date, e.amount, e.place) for e in found.entries] == [
        ("2026-01-02", 1_000_000, "line 5"), ("2026-01-05", -125_000, "line 4"),
    ]  # fmt: skip
    assert (found.opening, found.closing, found.breaks) == (0, 875_000, ())


def test_a_balance_that_does_not_follow_is_a_break() -> None:
    """A row whose balance does not follow from the one before is reported, and the identity takes it in."""
    text = "date,amount,balance\n2026-01-01,10,110\n2026-01-02,-5,100\n2026-01-03,1,101\n"
    found = table(text)
    assert found.breaks == (Break("line 3", 10500, 10000),)
    assert (found.opening, found.closing) == (10000, 10100)
    assert 10000 + found.total + found.broken == 10100


def test_told_balances_of_a_table_without_a_balance_column() -> None:
    """One told balance gives the other; two that do not fit the entries are a break."""
    text = "date,amount\n2026-01-01,10\n2026-01-02,-25\n"
    found = table(text, closing="-5.00")
    assert (found.opening, found.closing) == (1000, -500)
    found = table(text, opening="10", closing="0")
    assert found.breaks == (Break("closing balance", -500, 0),)


def days(statement: BankStatement) -> tuple[str | None, str | None]:
    return statement.start, statement.end


def test_days_that_a_table_covers() -> None:
    """Those from its first to its last line, and beyond them as far as the balance there is told with a day."""
    text = "date,amount\n2026-01-20,0\n2026-01-10,5\n"
    january = {"start": "2026-01-01", "end": "2026-01-31"}
    assert days(table(text)) == days(table(text, opening="0", closing="5")) == ("2026-01-10", "2026-01-20")
    assert days(table(text, **january)) == ("2026-01-10", "2026-01-20")
    assert days(table(text, opening="0", **january)) == ("2026-01-01", "2026-01-20")
    assert days(table(text, closing="5", **january)) == ("2026-01-10", "2026-01-31")
    assert days(table(text, opening="0", start="2026-01-15", closing="5", end="2026-01-15")) == (
        "2026-01-10", "2026-01-20",
    )  # fmt: skip


def test_a_table_without_lines() -> None:
    """It covers nothing, and says so, unless the balances of both ends and their days are told."""
    told = {"start": "2026-01-01", "end": "2026-01-31", "opening": "7", "closing": "7"}
    for missing in told:
        error = refused("date,amount\n", **{name: text for name, text in told.items() if name != missing})
        assert error.code == "CC-BANK" and "no lines below its header" in error.message
    assert table("date,amount,balance\n", **told) == BankStatement(
        "", "EUR", 700, 700, "2026-01-01", "2026-01-31", ()
    )  # fmt: skip
    assert table("date,amount\n", **told | {"closing": "8"}).breaks == (Break("closing balance", 700, 800),)


def test_options_without_a_use_are_refused() -> None:
    """A bank account that the table does not name, and what only a table needs to be told, are misuse."""
    for text in ("date,amount\n2026-01-01,1\n", "date,amount,iban\n2026-01-01,1,\n"):
        with pytest.raises(OptionError, match="names no bank account"):
            table(text, account="DE1")
    for told in ({"closing": ""}, {"encoding": "utf-8"}, {"columns": {"date": "x"}}):
        with pytest.raises(OptionError, match="this is an XML statement"):
            table(camt(stmt(entry("1"))), **told)


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("date,debit,credit", ["2026-01-01,12.00,", "2026-01-01,,7.00"], [-1200, 700]),
        ("date,debit,credit", ["2026-01-01,-12.00,0.00", "2026-01-01,0.00,7.00"], [-1200, 700]),
        ("date;soll/haben;amount", ["2026-01-01;S;12,00", "2026-01-01;H;7,00"], [-1200, 700]),
        ("date\tamount", ["2026-01-01\t1'234.50", "2026-01-01\t100.00-"], [123_450, -10_000]),
        ("date;amount", ["2026-01-01;\u22121 234,50", "2026-01-01;+0,07"], [-123_450, 7]),
        ("date,amount", ['2026-01-01,"1,234.50"', "2026-01-01,0.00"], [123_450]),
        ("日期,金额", ["2026/01/01,3.20"], [320]),
    ],
)
def test_ways_of_writing_amounts(header: str, rows: list[str], expected: list[int]) -> None:
    """Debit and credit columns, sign columns, grouping and trailing minus are understood; zeros are left out."""
    assert amounts(table("\n".join([header, *rows]) + "\n")) == expected


def test_the_decimal_sign_is_decided_by_the_whole_column() -> None:
    """A cell that could be read both ways is decided by another row, refused alone, and settled by being told."""
    alone = "date;amount\n2026-01-01;1.234\n"
    error = refused(alone)
    assert error.code == "CC-BANK-UNCLEAR" and "--decimal" in error.message
    assert amounts(table(alone, decimal="comma")) == [123_400]
    assert refused(alone, decimal="point").code == "CC-AMOUNT"  # three decimals, and EUR has two
    assert amounts(table(alone + "2026-01-02;12,50\n")) == [123_400, 1250]
    assert refused(alone + "2026-01-02;12,50\n2026-01-03;12.50\n").code == "CC-BANK"


def test_the_order_of_a_date_is_decided_by_the_whole_column() -> None:
    """Slashes are read day or month first only where some row leaves no choice."""
    text = "date,amount\n01/02/2026,1\n"
    error = refused(text)
    assert error.code == "CC-BANK-UNCLEAR" and "--dates" in error.message
    assert table(text, dates="mdy").entries[0].date == "2026-01-02"
    assert [e.date for e in table(text + "31/01/2026,1\n").entries] == ["2026-01-31", "2026-02-01"]
    assert table("date,amount\n02.01.26,1\n").entries[0].date == "2026-01-02"
    assert table("date,amount\n2026-01-02 23:59:59,1\n").entries[0].date == "2026-01-02"
    assert refused("date,amount\n2026-02-30,1\n").code == "CC-BANK"


def test_told_columns_win() -> None:
    """A column that is told by its name is taken, even where another one would have been found."""
    text = "Date,Settled,Amount,Net\n2026-01-01,2026-01-02,1.00,0.97\n"
    entry = table(text, columns={"date": "settled", "amount": "Net"}).entries[0]
    assert (entry.date, entry.amount) == ("2026-01-02", 97)
    assert refused(text, columns={"date": "Nowhere"}).code == "CC-BANK-UNCLEAR"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "CC-BANK-UNCLEAR"),
        ("a,b\n1,2\n", "CC-BANK-UNCLEAR"),
        ("date,amount,amount\n2026-01-01,1,2\n", "CC-BANK-UNCLEAR"),
        ("date,amount\n2026-01-01\n", "CC-BANK"),
        ("date,amount\n2026-01-01,1,2\n", "CC-BANK"),
        ("date,amount\n2026-01-01,\n", "CC-BANK"),
        ("date,amount\n,1\n", "CC-BANK"),
        ("date,amount\n2026-01-01,1e5\n", "CC-BANK"),
        ("date,amount\n2026-01-01,=1+1\n", "CC-BANK"),
        ("date,amount\n2026-01-01,NaN\n", "CC-BANK"),
        ("date,amount\n2026-01-01,٣\n", "CC-BANK"),
        ("date,amount\n2026-01-01,99999999999999999999\n", "CC-AMOUNT"),
        ('date,amount\n2026-01-01,"1\n', "CC-BANK"),
        ("date,debit,credit\n2026-01-01,1,2\n", "CC-BANK"),
        ("date,debit,credit\n2026-01-01,,\n", "CC-BANK"),
        ("date,debit,credit\n2026-01-01,-1,\n2026-01-01,2,\n", "CC-BANK"),
        ("date,amount,s/h\n2026-01-01,1,X\n", "CC-BANK"),
        ("date,amount,iban\n2026-01-01,1,A\n2026-01-01,1,B\n", "CC-BANK-UNCLEAR"),
        ("date,amount,currency\n2026-01-01,1,USD\n", "CC-BANK-CURRENCY"),
    ],
)
def test_tables_that_are_refused(text: str, code: str) -> None:
    """What cannot be read with one meaning is refused with a code that says why."""
    assert refused(text).code == code


def test_one_of_several_bank_accounts() -> None:
    """A table of several accounts is read for the one that is told; spaces in the number do not count."""
    text = "date,amount,iban\n2026-01-01,1,DE021234\n2026-01-01,2,DE99\n"
    found = table(text, account="DE02 1234")
    assert (found.account, amounts(found)) == ("DE02 1234", [100])
    assert refused(text, account="DE00").code == "CC-BANK"


def test_encodings() -> None:
    """Bytes that are no UTF-8 are refused with their line and a way out, and read when the encoding is told."""
    data = "Buchungstag;Betrag;Text\n02.01.2026;1,00;B\u00fccher\n".encode("windows-1252")
    error = refused(data)
    assert error.code == "CC-BANK-UNCLEAR" and "line 2" in error.message and "--encoding" in error.message
    assert table(data, encoding="windows-1252").entries[0].text == "B\u00fccher"
    assert table("date;amount\n2026-01-02;1,00\n".encode("utf-16"), encoding="utf-16").entries[0].amount == 100
    for name in ("no-such", "rot13", "hex"):
        assert refused(data, encoding=name).code == "CC-BANK-UNCLEAR"


def test_hostile_cells_stay_text() -> None:
    """Formulas, escape sequences and NULs in text are kept as they are, bounded, for the faces to make safe."""
    found = table(b'date,amount,text\n2026-01-01,1,"=cmd|x\x1b[2J\x00' + b"A" * 5000 + b'"\n')
    assert found.entries[0].text.startswith("=cmd|x\x1b[2J\x00A") and len(found.entries[0].text) == 500


def test_a_cell_without_an_end_is_refused_fast() -> None:
    """A cell of many megabytes is refused, and does not take long."""
    started = time.monotonic()
    assert refused(b'date,amount\n2026-01-01,"' + b"1" * 20_000_000).code == "CC-BANK"
    assert refused("(" * 131_000).code == "CC-BANK-UNCLEAR"
    assert refused("date,amount\n" + "1" * 131_000 + ",1\n").code == "CC-BANK"
    assert refused("date,amount\n2026-01-01," + "1" * 131_000 + "\n").code == "CC-BANK"
    assert time.monotonic() - started < 5


# ------------------------------------------------------------------------------------------------------ camt

ENTRY = (
    '<Ntry><NtryRef>N-{n}</NtryRef><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd>{more}'
    "<Sts>BOOK</Sts><BookgDt><Dt>{day}</Dt></BookgDt></Ntry>"
)


def entry(amount: str, way: str = "CRDT", day: str = "2026-01-02", more: str = "", n: int = 1) -> str:
    return ENTRY.format(amount=amount, way=way, day=day, more=more, n=n)


def balance(code: str, amount: str, day: str, way: str = "CRDT") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='EUR'>{amount}</Amt>"
        f"<CdtDbtInd>{way}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def stmt(*parts: str, id_: str = "S1", iban: str = "DE021234", ccy: str = "EUR") -> str:
    return (
        f"<Stmt><Id>{id_}</Id><FrToDt><FrDtTm>2026-01-01T00:00:00+01:00</FrDtTm><ToDtTm>2026-01-31T23:59:59+01:00"
        f"</ToDtTm></FrToDt><Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>{ccy}</Ccy></Acct>{''.join(parts)}</Stmt>"
    )


def camt(*statements: str, version: str = "02", head: str = "") -> str:
    return (
        f'<?xml version="1.0"?>{head}<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr>{''.join(statements)}</BkToCstmrStmt></Document>"
    )


def test_a_statement_in_xml() -> None:
    """Balances, days, signs, references of all levels and the text come out of a camt.053 file."""
    details = (
        "<AcctSvcrRef>BANK-9</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>D-1</EndToEndId></Refs><RmtInf><Ustrd>for"
        "</Ustrd><Ustrd>books</Ustrd></RmtInf></TxDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>"
        "</TxDtls></NtryDtls>"
    )
    found = table(
        camt(
            stmt(
                balance("OPBD", "1000.00", "2026-01-01"), balance("CLBD", "900.00", "2026-01-31"),
                balance("ITBD", "7.00", "2026-01-15"), entry("50.5", more=details),
                entry("150.50", "DBIT", "2026-01-03", n=2),
            )
        )
    )  # fmt: skip
    assert found == BankStatement(
        "DE021234", "EUR", 100_000, 90_000, "2026-01-01", "2026-01-31",
        (
            BankEntry("2026-01-02", 5050, ("N-1", "BANK-9", "D-1"), "for books", "statement 1, entry 1"),
            BankEntry("2026-01-03", -15050, ("N-2",), "", "statement 1, entry 2"),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("version", ["02", "04", "08", "13"])
def test_versions_prefixes_and_status(version: str) -> None:
    """Namespace, prefix and envelope do not matter; the status may be text or a code; pending is left out."""
    text = camt(stmt(balance("PRCD", "10.00", "2025-12-31"), entry("1.00"), entry("2.00", n=2)), version=version)
    if version >= "08":
        text = text.replace("<Sts>BOOK</Sts>", "<Sts>\n<Cd>BOOK</Cd>\n</Sts>", 1)
        text = text.replace("<Sts>BOOK</Sts>", "<Sts><Cd>PDNG</Cd></Sts>")
    else:
        text = text.replace("<Sts>BOOK</Sts>", "<Sts>PDNG</Sts>").replace("<Sts>PDNG</Sts>", "<Sts>BOOK</Sts>", 1)
    body = text.partition("?>")[2].replace("</", "</c:").replace("<", "<c:").replace("<c:/c:", "</c:")
    for form in (text, f"<Envelope><AppHdr/>{body.replace('xmlns=', 'xmlns:c=')}</Envelope>"):
        found = table(form)
        assert (found.opening, amounts(found), found.closing) == (1000, [100], 1100)


def test_the_reversal_indicator_does_not_turn_the_sign() -> None:
    """An entry that undoes another one moves money as its own credit or debit mark says (ISO 20022)."""
    found = table(camt(stmt(entry("5.00", "CRDT", more="<RvslInd>true</RvslInd>"), entry("5.00", "DBIT", n=2))))
    assert amounts(found) == [500, -500]


def test_several_statements_of_one_account_are_joined() -> None:
    """Daily statements become one; a gap between two, and a closing balance that does not follow, are breaks."""
    days = [
        stmt(balance("OPBD", "0", "2026-01-01"), balance("CLBD", "5", "2026-01-01"), entry("5"), id_="A"),
        stmt(
            balance("OPBD", "5", "2026-01-02"), balance("CLBD", "2", "2026-01-02", "DBIT"), entry("7", "DBIT"), id_="B"
        ),
    ]
    found = table(camt(*days))
    assert (found.opening, found.closing, amounts(found), found.breaks) == (0, -200, [500, -700], ())
    bad = table(camt(days[0], days[1].replace(">5<", ">6<", 1)))
    assert bad.breaks == (
        Break("statement 2, opening balance", 500, 600), Break("statement 2, closing balance", -100, -200),
    )  # fmt: skip
    assert bad.opening is not None and bad.opening + bad.total + bad.broken == bad.closing
    assert "twice" in refused(camt(days[0], days[0])).message


def of(start: str, end: str, *parts: str, id_: str = "S1") -> str:
    """Return a statement of another period, with the times told, or of none."""
    text = stmt(*parts, id_=id_)
    period = f"<FrToDt><FrDtTm>{start}</FrDtTm><ToDtTm>{end}</ToDtTm></FrToDt>" if start else ""
    return text[: text.index("<FrToDt>")] + period + text[text.index("</FrToDt>") + len("</FrToDt>") :]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (of("2026-01-01T00:00:00", "2026-01-31T23:59:59"), ("2026-01-01", "2026-01-31")),
        (of("2026-01-01T00:00:00", "2026-02-01T00:00:00"), ("2026-01-01", "2026-01-31")),
        (of("2026-01-01T00:00:00", "2026-01-31T00:00:00+01:00", balance("CLBD", "1", "2026-01-31")),
         ("2026-01-01", "2026-01-31")),
        (of("2026-01-05T00:00:00", "2026-01-05T00:00:00"), ("2026-01-05", "2026-01-05")),
        (of("", "", balance("OPBD", "0", "2026-01-03"), balance("CLBD", "0", "2026-01-09")),
         ("2026-01-03", "2026-01-09")),
        (of("", "", balance("PRCD", "0", "2025-12-31"), balance("CLBD", "0", "2026-01-09")),
         ("2026-01-01", "2026-01-09")),
        (of("", "", entry("1"), entry("1", day="2026-01-07", n=2)), ("2026-01-02", "2026-01-07")),
        (of("", "", balance("CLBD", "1", "2026-01-31"), entry("1")), ("2026-01-02", "2026-01-31")),
        (of("", "", balance("CLBD", "1", "2026-01-31")), (None, None)),
        (of("", ""), (None, None)),
    ],
)  # fmt: skip
def test_days_that_xml_covers(statement: str, expected: tuple[str | None, str | None]) -> None:
    """The period that is stated, up to midnight or not, else the balances' days, else the entries'."""
    assert days(table(camt(statement))) == expected


def test_days_between_two_statements() -> None:
    """They are covered where the balance is the same before and after, and where they are none; else they are a gap."""
    first = of("2026-01-01T00:00:00", "2026-01-31T23:59:59", balance("CLBD", "5", "2026-01-31"), id_="A")
    march = ("2026-03-01T00:00:00", "2026-03-31T23:59:59")
    found = table(camt(of(*march, balance("OPBD", "5", "2026-03-01"), id_="B"), first))
    assert (*days(found), found.gaps) == ("2026-01-01", "2026-03-31", ())
    hole = (("2026-02-01", "2026-02-28"),)
    assert table(camt(first, of(*march, id_="B"))).gaps == hole
    other = table(camt(first, of(*march, balance("OPBD", "6", "2026-03-01"), id_="B")))
    assert other.gaps == hole and len(other.breaks) == 1
    assert table(camt(first, of("2026-02-01T00:00:00", "2026-02-28T23:59:59", id_="B"))).gaps == ()


def test_statements_of_several_accounts() -> None:
    """The account has to be told where there are several; statements in other currencies are passed over."""
    dollars = stmt(entry("9.999", n=3).replace("EUR", "USD"), id_="C", ccy="USD")
    text = camt(stmt(entry("1"), id_="A"), stmt(entry("2"), id_="B", iban="DE99"), dollars)
    assert refused(text).code == "CC-BANK-UNCLEAR"
    assert amounts(table(text, account="DE02 1234")) == [100]
    assert refused(text, account="DE00").code == "CC-BANK"
    error = refused(camt(dollars))
    assert isinstance(error, RefusedError) and error.code == "CC-BANK-CURRENCY" and error.exit_code == 7


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1", 100),
        ("1.", 100),
        (".5", 50),
        ("+1.50", 150),
        ("001.50000", 150),
        ("1.0", 100),
        ("10", 1000),
        ("100", 10000),
    ],
)
def test_decimals_of_xml(written: str, expected: int) -> None:
    """Every way in which xs:decimal may write an amount is read exactly."""
    assert amounts(table(camt(stmt(entry(written))))) == [expected]


@pytest.mark.parametrize("written", ["-1", "1e2", "1,00", "1.001", "", "NaN", "9" * 30, "1 000", "٣"])
def test_amounts_of_xml_that_are_refused(written: str) -> None:
    """Signs, exponents, grouping and more decimals than the currency has are refused."""
    assert refused(camt(stmt(entry(written)))).code in ("CC-AMOUNT", "CC-BANK")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<a/>", "CC-BANK"),
        ("<Document><BkToCstmrStmt/></Document>", "CC-BANK"),
        ("<Document><BkToCstmrAcctRpt/></Document>", "CC-BANK"),
        ("<Document><BkToCstmrStmt>", "CC-XML"),
        (camt(stmt(entry("1", "UP"))), "CC-BANK"),
        (camt(stmt().replace("2026-01-01T", "2026-02-01T")), "CC-BANK"),
        (camt(stmt(entry("1", day="2026-13-01"))), "CC-BANK"),
        (camt(stmt(entry("1").replace("<BookgDt><Dt>2026-01-02</Dt></BookgDt>", ""))), "CC-BANK"),
        (camt(stmt(entry("1").replace("</Amt>", "</Amt><Amt Ccy='EUR'>2</Amt>"))), "CC-XML"),
        (camt(stmt(entry("1").replace("EUR", "USD"))), "CC-BANK"),
        (camt(stmt(entry("1").replace("BOOK", "B" * 20_000))), "CC-XML"),
        (camt(stmt("<a>" * 70)), "CC-XML"),
        ("<?xml version='1.0' encoding='no-such'?><a/>", "CC-XML"),
        (camt(stmt(entry("1", more="&undefined;"))), "CC-XML"),
    ],
)
def test_xml_that_is_refused(text: str, code: str) -> None:
    """What is no camt.053, is malformed, or says a thing twice is refused."""
    assert refused(text).code == code


def test_entities_and_outside_files_are_refused(tmp_path: Path) -> None:
    """A DOCTYPE is refused before it defines anything: no billion laughs, no file of this machine, no default."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    for inner in (
        f'<!DOCTYPE Document [<!ENTITY l0 "lol">{laughs}]>',
        f'<!DOCTYPE Document [<!ENTITY x SYSTEM "file://{secret}">]>',
        f'<!DOCTYPE Document SYSTEM "file://{secret}">',
        "<!DOCTYPE Document [<!ATTLIST Amt Ccy CDATA 'EUR'>]>",
        "<!DOCTYPE Document>",
    ):
        started = time.monotonic()
        error = refused(camt(stmt(entry("1", more="<AddtlNtryInf>&x;&l9;</AddtlNtryInf>")), head=inner))
        assert isinstance(error, MalformedError) and error.code == "CC-XML" and "DOCTYPE" in error.message
        assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("before", "unit"),
    [
        ("<!--", "a"),
        ("<Document><!--", "a"),
        ("<Document a='", "a"),
        ("<Document><?pi ", "a"),
        ("<", "a"),
        ("<Document><BkToCstmrStmt><Stmt><Id>", "a"),
        ("<Document><BkToCstmrStmt><Stmt><Id><![CDATA[", "a"),
        ("<Document><", "a"),
        ("<Document></", "a"),
        ("<Document ", "a='' "),
        ("<Document>&", "a"),
    ],
)
def test_an_endless_token_is_refused_at_once(before: str, unit: str) -> None:
    """A tag, comment or text of 64 MiB is refused within a second, not read again and again."""
    data = (before + unit * (64 * 1024 * 1024 // len(unit))).encode()
    started = time.monotonic()
    assert refused(data).code == "CC-XML"
    assert time.monotonic() - started < 1


def test_signed_amounts_as_text() -> None:
    """An amount below zero has a minus and all decimals."""
    assert (format_signed(-5, EUR), format_signed(0, EUR), format_signed(123, EUR)) == ("-0.05", "0.00", "1.23")
