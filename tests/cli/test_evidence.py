"""Documents: named by their files when something is recorded, and found again in a folder later."""

from __future__ import annotations

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
    one, two = (sha256(text).hexdigest() for text in (b"bill one", b"bill two"))
    village.ok(*SPEND, "--id", "X-1", "--evidence", "bills/2026/one.pdf", "--evidence", two.upper())
    assert village.json("show", "X-1")["evidence"] == [one, two]
    found = village.json("check-evidence", "bills")
    paid = {"amount": "2.00", "unit": "CNY"}
    assert found == {
        "documents": [
            {"hash": one, "records": ["X-1"], "amounts": [paid], "file": "2026/one.pdf"},
            {"hash": two, "records": ["X-1"], "amounts": [paid], "file": "two.pdf"},
        ],
        "unnamed": ["other.txt"],
    }
    (bills / "two.pdf").write_bytes(b"bill two, changed")
    done = village.run("check-evidence", "bills")
    assert done.returncode == 8
    assert "MISSING" in done.stdout and "1 of 2 documents are there, 1 missing" in done.stderr
    village.ok(*SPEND, "--id", "X-2", "--evidence", one)
    assert village.json("check-evidence", "bills", "--record", "X-2")["documents"] == [
        {"hash": one, "records": ["X-2"], "amounts": [paid], "file": "2026/one.pdf"}
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
        "document,records,amounts,file",
        f'{sha256(b"bill").hexdigest()},"X-1, X-2","2.00 CNY, 2.00 CNY",bill',
        ",none,,note",
    ]
