"""``programme services``: what is recorded, that nobody is named, and the exit codes of what is refused."""

from __future__ import annotations

import hashlib

from cli.conftest import Cli

ANN, BO = "0a" * 16, "0b" * 16
ROWS = (
    f"person,date,service,price\n{BO},2020-05-01,cover,1.50\n{ANN},2020-05-01,cover,1.25\n"
    f"{ANN},2020-05-02,cover,1.25\n{BO},2020-05-01,first aid,2.00\n"
)
ENTER = ("programme", "services", "s.csv", "--account", "edu", "--payee", "Mutual")


def test_people_are_counted_and_not_named(village: Cli) -> None:
    """2.75 and 1.25 for cover, 2.00 for first aid; how many people each day; the list's hash; entered once."""
    (village.work / "s.csv").write_text(ROWS)
    done = village.json(*ENTER)
    told = [(row["record"], row.get("amount"), row.get("purpose"), row.get("beneficiaries")) for row in done["records"]]
    assert [row for row in told if row[0] == "expenditure"] == [
        ("expenditure", "2.75", "cover", None), ("expenditure", "1.25", "cover", None),
        ("expenditure", "2.00", "first aid", None),
    ]  # fmt: skip
    assert [row[3] for row in told if row[0] == "outcome"] == [2, 1, 1]
    assert done["records"][0]["evidence"] == [hashlib.sha256(f"{ANN}\n{BO}\n".encode()).hexdigest()]
    assert bytes.fromhex(ANN) not in village.ledger.read_bytes() and ANN.encode() not in village.ledger.read_bytes()
    assert "was there already" in village.ok(*ENTER)
    assert "holds" in village.ok("verify")


def test_a_table_that_grew_pays_for_the_new_days_alone(village: Cli) -> None:
    """Other days are added; a day that tells of more people than it did is refused, and nobody is paid twice."""
    table = village.work / "s.csv"
    table.write_text(ROWS)
    village.ok(*ENTER)
    table.write_text(ROWS + f"{ANN},2020-05-03,cover,0.75\n")
    assert [row["date"] for row in village.json(*ENTER)["records"]] == ["2020-05-03", "2020-05-03"]
    assert "was there already" in village.ok(*ENTER)
    table.write_text(ROWS + f"{'0c' * 16},2020-05-02,cover,0.75\n")
    assert "CC-DUPLICATE-ID" in village.fails(7, *ENTER)
    assert village.json("verify")["totals"]["CNY"]["spent"] == "6.75"


def test_refusals_have_their_exit_codes(village: Cli) -> None:
    """A person twice, more than there is, a name, an account that is not in money, options that the table gives."""
    table = village.work / "s.csv"
    table.write_text(ROWS + f"{BO},2020-05-01,cover,1.50\n")
    assert "line 6" in village.fails(7, *ENTER)
    table.write_text(ROWS.replace("2.00", "20.00"))
    assert "CC-OVERDRAFT" in village.fails(7, *ENTER)
    table.write_text(ROWS.replace(BO, "Bo"))
    assert "never a name" in village.fails(7, *ENTER)
    table.write_text(ROWS.replace("cover", "\x07cover"))
    assert "s.csv, line 2: service: character 0 is U+0007" in village.fails(7, *ENTER)
    village.ok("account", "open", "walks", "--unit", "STEP")
    table.write_text("person,date,service,price\n" + f"{BO},2020-05-01,cover,1\n")
    assert "CC-UNIT" in village.fails(7, "programme", "services", "s.csv", "--account", "walks", "--payee", "Mutual")
    village.fails(2, *ENTER, "--date", "2020")


def test_a_table_without_rows_records_nothing(village: Cli) -> None:
    """It is no fault, as with the other programmes: a day without services."""
    (village.work / "s.csv").write_text("person,date,service,price\n")
    before = village.ledger.read_bytes()
    assert village.ok(*ENTER) == "the table has no rows, nothing recorded\n"
    assert village.json(*ENTER) == {"records": [], "recorded": False}
    assert village.ledger.read_bytes() == before
