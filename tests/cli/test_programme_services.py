"""``programme services``: what is recorded, that nobody is named, and the exit codes of what is refused."""

from __future__ import annotations

import hashlib

from cli.conftest import Cli

ANN, BO = "0a" * 16, "0b" * 16
ROWS = (
    f"person,date,service,price\n{BO},2020-05-01,cover,1.50\n{ANN},2020-05-01,cover,1.25\n"
    f"{ANN},2020-05-02,cover,1.25\n{BO},2020-05-01,first aid,2.00\n"
)
ENTER = ("programme", "services", "s.csv", "--account", "edu", "--payee", "Mutual", "--lists", "lists")


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
    kept = village.work / "lists" / f"{done['records'][0]['id']}.txt"
    assert kept.read_text().splitlines()[1:] == [ANN, BO]
    assert done["records"][0]["evidence"] == [hashlib.sha256(kept.read_bytes()).hexdigest()]
    assert [row["reference"] for row in done["records"][::2]] == ["2 people", "1 person", "1 person"]
    assert bytes.fromhex(ANN) not in village.ledger.read_bytes() and ANN.encode() not in village.ledger.read_bytes()
    assert village.ok(*ENTER).endswith(f" and outcome {done['records'][-1]['id']} were there already\n")
    checked = village.run("check-evidence", "lists")
    assert checked.stderr == "Documents: 3 there, 0 missing. Files that no record names: 0.\n"
    assert "holds" in village.ok("verify")


def test_a_table_that_grew_pays_for_the_new_days_alone(village: Cli) -> None:
    """Other days are added; a day that tells of more people than it did is refused, and nobody is paid twice."""
    table = village.work / "s.csv"
    table.write_text(ROWS)
    village.ok(*ENTER)
    table.write_text(ROWS + f"{ANN},2020-05-03,cover,0.75\n")
    assert [row["date"] for row in village.json(*ENTER)["records"]] == ["2020-05-03", "2020-05-03"]
    assert "were there already" in village.ok(*ENTER)
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
    assert "CC-UNIT" in village.fails(7, *ENTER, "--account", "walks")
    village.fails(2, *ENTER, "--date", "2020")
    village.fails(2, *ENTER[:-2])
    assert not (village.work / "lists").exists() or not list((village.work / "lists").iterdir())


def test_lists_stay_with_what_is_recorded_and_only_with_that(village: Cli) -> None:
    """None of a dry run or of a table that is refused; another folder, and another list, are refused."""
    table, lists = village.work / "s.csv", village.work / "lists"
    table.write_text(ROWS)
    assert "would be recorded" in village.ok(*ENTER, "--dry-run")
    assert not lists.exists()
    table.write_text(ROWS.replace("2.00", "20.00"))
    village.fails(7, *ENTER)
    assert list(lists.iterdir()) == []
    table.write_text(ROWS)
    village.ok(*ENTER)
    before = {path.name: path.read_bytes() for path in lists.iterdir()}
    assert len(before) == 3
    assert "not the folder that its list was written to" in village.fails(7, *ENTER, "--lists", "other")
    table.write_text(ROWS.replace(f"{ANN},2020-05-02", f"{BO},2020-05-02"))
    assert "is not the list of the people in the table" in village.fails(7, *ENTER)
    assert {path.name: path.read_bytes() for path in lists.iterdir()} == before
    assert not (village.work / "other").exists()


def test_a_corrected_day_is_a_batch_of_its_own(village: Cli) -> None:
    """A day reversed is refused; its right rows enter under a batch name, once, with what was asked for beside them."""
    table = village.work / "s.csv"
    table.write_text(ROWS)
    wrong = village.json(*ENTER)["records"][2]["id"]
    village.ok("reverse", wrong)
    assert "was reversed: leave this day out" in village.fails(7, *ENTER)
    table.write_text(f"person,date,service,price\n{ANN},2020-05-02,cover,1.10\n")
    batch = (*ENTER, "--batch", "right", "--place", "Hill", "--reference", "bill 7")
    paid, reached = village.json(*batch)["records"]
    assert (paid["amount"], paid["reference"]) == ("1.10", "1 person, batch right; bill 7")
    assert (reached["indicator"], reached["place"]) == ("people reached", "Hill")
    assert "were there already" in village.ok(*batch)
    assert village.json("verify")["totals"]["CNY"]["spent"] == "5.85"


def test_a_draft_and_what_comes_of_it_have_one_list(village: Cli) -> None:
    """The list is kept when the draft is written: what is sealed later names it."""
    (village.work / "s.csv").write_text(ROWS)
    village.ok(*ENTER, "--draft", "s.draft")
    village.ok("cosign", "s.draft", "--yes")
    village.ok("submit", "s.draft")
    checked = village.run("check-evidence", "lists")
    assert checked.stderr == "Documents: 3 there, 0 missing. Files that no record names: 0.\n"
    assert "were there already" in village.ok(*ENTER)


def test_a_table_without_rows_records_nothing(village: Cli) -> None:
    """It is no fault, as with the other programmes: a day without services."""
    (village.work / "s.csv").write_text("person,date,service,price\n")
    before = village.ledger.read_bytes()
    assert village.ok(*ENTER) == "the table has no rows, nothing recorded\n"
    assert village.json(*ENTER) == {"records": [], "recorded": False}
    assert village.ledger.read_bytes() == before
