"""Documents: named by their files when something is recorded, and found again in a folder later."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

SPEND = ("spend", "edu", "2.00", "--payee", "Toko Buku", "--purpose", "books")


def test_a_document_is_recorded_by_its_hash_and_found_again(village: Any) -> None:
    """A file, or its hash, stands for the same document; a folder without it is less than was asked for."""
    bills = village.work / "bills"
    (bills / "2026").mkdir(parents=True)
    (bills / "2026" / "one.pdf").write_bytes(b"bill one")
    (bills / "two.pdf").write_bytes(b"bill two")
    (bills / "other.txt").write_bytes(b"no bill")
    one, two, other = (sha256(text).hexdigest() for text in (b"bill one", b"bill two", b"no bill"))
    village.ok(*SPEND, "--id", "X-1", "--evidence", "bills/2026/one.pdf", "--evidence", two.upper())
    assert village.json("show", "X-1")["evidence"] == [one, two]
    found = village.json("check-evidence", "bills")
    paid = {"amount": "2.00", "unit": "CNY"}
    assert found == {
        "documents": [
            {"hash": one, "records": ["X-1"], "amounts": [paid], "reversed": [False], "file": "2026/one.pdf"},
            {"hash": two, "records": ["X-1"], "amounts": [paid], "reversed": [False], "file": "two.pdf"},
        ],
        "unnamed": [{"hash": other, "records": [], "amounts": [], "reversed": [], "file": "other.txt"}],
    }
    (bills / "two.pdf").write_bytes(b"bill two, changed")
    done = village.run("check-evidence", "bills")
    assert done.returncode == 8
    assert "MISSING" in done.stdout
    assert done.stderr == "Documents: 1 there, 1 missing. Files that no record names: 2.\n"
    village.ok(*SPEND, "--id", "X-2", "--evidence", one)
    assert village.json("check-evidence", "bills", "--record", "X-2")["documents"] == [
        {"hash": one, "records": ["X-2"], "amounts": [paid], "reversed": [False], "file": "2026/one.pdf"}
    ]


def test_wrong_evidence_is_said_so(village: Any) -> None:
    """What is no file and no hash is a usage error; so is a folder that is not there; an unknown record is 4."""
    for wrong in ("nothing.pdf", "ab" * 31, "zz" * 32):
        assert "neither a file nor a SHA-256" in village.fails(2, *SPEND, "--evidence", wrong)
    village.fails(2, "check-evidence", "nowhere")
    village.fails(4, "check-evidence", ".", "--record", "X-9")


def test_links_are_not_followed_and_names_cannot_steer_a_terminal(village: Any) -> None:
    """A link below the folder is no document; an escape sequence in a name is shown, not obeyed."""
    folder = village.work / "bills"
    folder.mkdir()
    (folder / "a\x1b[31m.pdf").write_bytes(b"red")
    (folder / "link.pdf").symlink_to(village.ledger)
    shown = village.ok("check-evidence", "bills")
    assert "\x1b" not in shown and "link.pdf" not in shown


def test_what_could_be_a_hash_and_a_file_is_taken_as_neither(village: Any) -> None:
    """A file whose name is 64 hex digits is named with ./ before it; else nobody knows which was meant."""
    name = "ab" * 32
    (village.work / name).write_bytes(b"bill")
    told = village.fails(2, *SPEND, "--id", "X-1", "--evidence", name)
    assert f"./{name}" in told.replace("\n", "")
    village.fails(4, "show", "X-1")
    village.ok(*SPEND, "--id", "X-1", "--evidence", f"./{name}")
    assert village.json("show", "X-1")["evidence"] == [sha256(b"bill").hexdigest()]
    (village.work / name).unlink()
    village.ok(*SPEND, "--id", "X-2", "--evidence", name)
    assert village.json("show", "X-2")["evidence"] == [name]


def test_amounts_stand_beside_records_and_unnamed_files_change_no_code(village: Any) -> None:
    """Each document stands beside its records and their amounts; a file that no record names changes no exit code."""
    (village.work / "bills").mkdir()
    (village.work / "bills" / "bill").write_bytes(b"bill")
    (village.work / "bills" / "note").write_bytes(b"note")
    village.ok(*SPEND, "--id", "X-1", "--evidence", "bills/bill")
    village.ok(*SPEND, "--id", "X-2", "--evidence", "bills/bill")
    rows = village.ok("check-evidence", "bills", "--format", "csv").splitlines()
    assert rows == [
        "document,records,amounts,reversed,file",
        f'{sha256(b"bill").hexdigest()},"X-1, X-2","2.00 CNY, 2.00 CNY","no, no",bill',
        f"{sha256(b'note').hexdigest()},,,,note",
    ]


def test_a_file_that_another_record_names_is_named(village: Any) -> None:
    """With --record, other records' files are neither shown nor counted as named by none."""
    folder = village.work / "bills"
    folder.mkdir()
    for name in ("one", "two", "note"):
        (folder / name).write_text(name)
    village.ok(*SPEND, "--id", "X-1", "--evidence", "bills/one")
    village.ok(*SPEND, "--id", "X-2", "--evidence", "bills/two")
    done = village.run("check-evidence", "bills", "--record", "X-1")
    assert done.stderr == "Documents: 1 there, 0 missing. Files that no record names: 1.\n"
    assert [line.split() for line in done.stdout.splitlines()][1:] == [
        [sha256(b"one").hexdigest(), "X-1", "2.00", "CNY", "one"], ["none", "note"],
    ]  # fmt: skip
    found = village.json("check-evidence", "bills", "--record", "X-2")
    assert ([each["file"] for each in found["documents"]], [each["file"] for each in found["unnamed"]]) == (
        ["two"], ["note"]
    )  # fmt: skip


def test_json_lines_are_the_rows_of_the_json(village: Any) -> None:
    """Each line is an object with lists; what is missing is null there, empty in CSV, and a word only in the table."""
    (village.work / "bills").mkdir()
    (village.work / "bills" / "note").write_bytes(b"note")
    village.ok(*SPEND, "--id", "X-1", "--evidence", "ab" * 32)
    told = village.run("check-evidence", "bills", "--json")
    lines = village.run("check-evidence", "bills", "--format", "jsonl")
    table = village.run("check-evidence", "bills", "--format", "csv")
    assert told.returncode == lines.returncode == table.returncode == 8
    whole = json.loads(told.stdout)
    assert [json.loads(line) for line in lines.stdout.splitlines()] == [*whole["documents"], *whole["unnamed"]]
    assert whole["documents"][0]["file"] is None
    assert table.stdout.splitlines()[1] == "ab" * 32 + ",X-1,2.00 CNY,no,"


def test_links_are_told_of_where_a_document_is_missing(village: Any) -> None:
    """A document that is there only behind a link is missing, and the links are named; else nothing is said of them."""
    folder, kept = village.work / "bills", village.work / "kept"
    folder.mkdir()
    kept.mkdir()
    (kept / "bill").write_bytes(b"bill")
    village.ok(*SPEND, "--id", "X-1", "--evidence", "kept/bill")
    (folder / "bill").symlink_to(kept / "bill")
    (folder / "more").symlink_to(kept)
    done = village.run("check-evidence", "bills", "--json")
    assert (done.returncode, done.stderr) == (8, "Note: links are not followed: bill, more.\n")
    (folder / "copy").write_bytes(b"bill")
    done = village.run("check-evidence", "bills", "--json")
    assert (done.returncode, done.stderr) == (0, "")


def test_documents_of_what_was_reversed_are_marked_and_still_checked(village: Any) -> None:
    """A record that was reversed as a whole is marked, in parts or at once; one that stands in part is not."""
    (village.work / "bills").mkdir()
    for name in ("X-1", "X-2", "X-3"):
        (village.work / "bills" / name).write_text(name)
        village.ok(*SPEND, "--id", name, "--evidence", f"bills/{name}")
    village.ok("reverse", "X-1", "--amount", "0.50")
    village.ok("reverse", "X-1")
    village.ok("reverse", "X-2", "--amount", "1.99")
    village.ok("reverse", "X-3", "--amount", "2.00")
    (village.work / "bills" / "X-3").unlink()
    done = village.run("check-evidence", "bills")
    assert done.returncode == 8
    assert [" ".join(line.split()[1:]) for line in done.stdout.splitlines()[1:]] == [
        "X-1 (reversed) 2.00 CNY X-1", "X-2 2.00 CNY X-2", "X-3 (reversed) 2.00 CNY MISSING",
    ]  # fmt: skip
    rows = json.loads(village.run("check-evidence", "bills", "--json").stdout)["documents"]
    assert [each["reversed"] for each in rows] == [[True], [False], [True]]


def test_amounts_are_those_that_records_state(village: Any) -> None:
    """An acknowledgement's and an outcome's amount is told in the unit of what it is about; where there is none, -."""
    village.ok("party", "add", "shop", "--role", "charity")
    village.ok(*SPEND, "--id", "X-1")
    village.ok("acknowledge", "X-1", "--author", "shop", "--amount", "1.50", "--id", "A-1", "--evidence", "a1" * 32)
    village.ok("acknowledge", "X-1", "--author", "shop", "--id", "A-2", "--evidence", "a2" * 32)
    village.ok("outcome", "edu", "books", "3", "--of", "X-1", "--amount", "2", "--id", "O-1", "--evidence", "b1" * 32)
    village.ok("outcome", "edu", "rooms", "3", "--of", "X-1", "--id", "O-2", "--evidence", "b2" * 32)
    (village.work / "bills").mkdir()
    rows = village.run("check-evidence", "bills").stdout.splitlines()[1:]
    assert [" ".join(line.split()[1:]) for line in rows] == [
        "A-1 1.50 CNY MISSING", "A-2 - MISSING", "O-1 2.00 CNY MISSING", "O-2 - MISSING",
    ]  # fmt: skip


def test_an_empty_file_is_no_evidence(village: Any) -> None:
    """It is refused by name and by hash when it is recorded; where a ledger names it all the same, that is said."""
    (village.work / "bills").mkdir()
    (village.work / "bills" / "empty").write_bytes(b"")
    for told in ("bills/empty", sha256().hexdigest()):
        assert "empty file" in village.fails(2, *SPEND, "--evidence", told)
    done = village.run("check-evidence", "bills")
    note = "Note: empty files prove nothing, for they all have one hash: empty.\n"
    count = "Documents: 0 there, 0 missing. Files that no record names: 1.\n"
    assert (done.returncode, done.stderr) == (0, count + note)
    paid = {"record": "expenditure", "id": "X-1", "from": "edu", "amount": "2", "payee": "Shop", "purpose": "books"}
    village.ok("import", village.journal([{**paid, "evidence": [sha256().hexdigest()]}]))
    done = village.run("check-evidence", "bills", "--json")
    assert (done.returncode, done.stderr) == (0, note)


def test_a_gift_of_a_series_stands_for_its_batch(village: Any) -> None:
    """--record S/7 asks for the documents of the batch that holds it, --record S for those of all its batches."""
    batch = {"record": "gifts", "series": "S", "account": "edu"}
    village.ok("import", village.journal([
        {**batch, "ids": [1, 7], "amounts": ["1", "2"], "evidence": ["ab" * 32]},
        {**batch, "ids": [8], "amounts": ["4"], "evidence": ["cd" * 32]},
    ]))  # fmt: skip
    (village.work / "bills").mkdir()
    for asked, hashes in (("S/7", ["ab" * 32]), ("S/8", ["cd" * 32]), ("S", ["ab" * 32, "cd" * 32])):
        done = village.run("check-evidence", "bills", "--record", asked, "--json")
        assert [each["hash"] for each in json.loads(done.stdout)["documents"]] == hashes
    village.ok("reverse", "S/8")
    done = village.run("check-evidence", "bills", "--json")
    assert [each["reversed"] for each in json.loads(done.stdout)["documents"]] == [[False], [True]]
    for unknown in ("S/2", "S/9", "T/1", "S/x"):
        village.fails(4, "check-evidence", "bills", "--record", unknown)
