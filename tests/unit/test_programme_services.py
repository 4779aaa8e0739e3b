"""What services cost, recomputed by hand; whom they reached, in lists that the ledger knows by their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charitychain.errors import CharitychainError, MalformedError, RefusedError, StorageError
from charitychain.ledger import Ledger
from charitychain.programmes.people import PeopleFolder, people_list
from charitychain.programmes.services import read_services, service_entries
from charitychain.units import BUILT_IN

ANN, BO, HEADER, SALT = "0a" * 16, "0b" * 16, "person,date,service,price", "5a" * 16
CNY = BUILT_IN["CNY"]


@pytest.fixture
def care(ledger: Ledger) -> Ledger:
    """Give a ledger with 100.00 in an account for services, and one in steps."""
    with ledger.writer() as writer:
        writer.account("care", unit="CNY")
        writer.account("walks", unit="STEP")
        writer.donation("D-1", account="care", amount="100.00")
    return ledger


@pytest.fixture
def made(care: Ledger, table: Callable[..., Path]) -> Callable[..., list[dict[str, Any]]]:
    """Give a function that makes the entries of some rows; all lists have one salt."""

    def run(*rows: str, payee: str = "Mutual", **options: Any) -> list[dict[str, Any]]:
        options = {"account": "care", "list_of": lambda id_, people: people_list(SALT, people), **options}
        return service_entries(care.reader(), read_services(table(HEADER, *rows), CNY), payee=payee, **options)

    return run


def _add(ledger: Ledger, entries: list[dict[str, Any]]) -> bool:
    with ledger.writer() as writer:
        return writer.add_together(entries)


def test_money_and_people_are_those_of_the_table(made: Callable[..., list[dict[str, Any]]]) -> None:
    """40 people on three days; the sums in fen and the lists' hashes against plain Python, in any order of rows."""
    rows = [(f"{n:032x}", f"2020-05-0{1 + n % 3}", 100 + n) for n in range(40)]
    entries = made(*(f"{who},{date},cover,{fen // 100}.{fen % 100:02}" for who, date, fen in reversed(rows)))
    days = zip(entries[::2], entries[1::2], ("2020-05-01", "2020-05-02", "2020-05-03"), strict=True)
    for entry, outcome, date in days:
        fen = sum(row[2] for row in rows if row[1] == date)
        people = "".join(row[0] + "\n" for row in rows if row[1] == date)
        assert (entry["date"], entry["amount"]) == (date, f"{fen // 100}.{fen % 100:02}")
        assert entry["evidence"] == [hashlib.sha256(f"{SALT}\n{people}".encode()).hexdigest()]
        count = people.count("\n")
        assert (outcome["quantity"], outcome["beneficiaries"], outcome["of"]) == (count, count, [entry["id"]])
        assert outcome["date"] == date and outcome["id"] != entry["id"]
        assert (outcome["indicator"], entry["reference"]) == ("people reached", f"{count} people")


def test_one_person_is_one_person(made: Callable[..., list[dict[str, Any]]]) -> None:
    """In the reference; place and indicator are as they are told."""
    paid, outcome = made(f"{ANN},2020-05-01,cover,1.00", indicator="families", place="Hill")
    assert (paid["reference"], outcome["indicator"], outcome["place"]) == ("1 person", "families", "Hill")
    assert made(f"{ANN},2020-05-01,cover,1.00", batch="b2")[0]["reference"] == "1 person, batch b2"


def test_two_schools_can_teach_on_one_day(care: Ledger, made: Callable[..., list[dict[str, Any]]]) -> None:
    """Their payees keep them apart, and so do batches; case and inner white space do not."""
    row = f"{ANN},2020-05-01,first aid,1.00"
    ids = [
        made(row, payee="Hill School")[0]["id"], made(row, payee="River School")[0]["id"],
        made(row, payee="Hill School", batch="b2")[0]["id"], made(row, payee="Hill School", batch="b3")[0]["id"],
        made(row.replace("first", "second"), payee="Hill School")[0]["id"],
        made(row.replace("05-01", "05-02"), payee="Hill School")[0]["id"],
    ]  # fmt: skip
    assert len(set(ids)) == len(ids)
    assert made(row.replace("first aid", "First  AID"), payee="HILL  school")[0]["id"] == ids[0]
    for payee in ("Hill School", "River School"):
        assert _add(care, made(row, payee=payee))


def test_a_service_spelled_in_two_ways_is_one(made: Callable[..., list[dict[str, Any]]]) -> None:
    """Case is folded and white space collapsed; the first spelling is the purpose."""
    paid, outcome = made(f"{ANN},2020-05-01,Erste  Hilfe Straße,1.00", f"{BO},2020-05-01,erste hilfe STRASSE,2.00")
    assert (paid["purpose"], paid["amount"], outcome["quantity"]) == ("Erste  Hilfe Straße", "3.00", 2)
    with pytest.raises(MalformedError, match=r"line 3: this person stands there twice for 'COVER'"):
        made(f"{ANN},2020-05-01,cover,1.00", f"{ANN},2020-05-01,COVER,1.00")


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("Ann,2020-05-01,cover,1.00", "CC-TABLE", "never a name"), (f"{ANN},2020-05-01,,1.00", "CC-TABLE", "empty"),
        (f"{ANN},2020-05-01, ,1.00", "CC-TABLE", "empty"), (f"{ANN},May,cover,1.00", "CC-RECORD", "date"),
        (f"{ANN},2020-05-01, cover,1.00", "CC-TABLE", "white space: ' cover'"),
        (f"{ANN},2020-05-01,cover\u3000,1.00", "CC-TABLE", "white space"),
        (f"{ANN},2020-05,cover,1.00", "CC-TABLE", "date must be a whole day"),
        (f"{ANN},2020,cover,1.00", "CC-TABLE", "date must be a whole day"),
        (f"{ANN},2020-05-01,co\x1b[2Jver,1.00", "CC-TEXT", "U+001B"),
        (f"{ANN},2020-05-01,cover,-1", "CC-AMOUNT", "'-1'"),
        (f"{ANN},2020-05-01,cover,1.255", "CC-AMOUNT", "3 decimals"), (f"{ANN},2020-05-01,cover,0", "CC-AMOUNT", "'0'"),
        (f"{ANN},2020-05-01,cover,1e2", "CC-AMOUNT", "'1e2'"), (f"{ANN},2020-05-01,cover", "CC-TABLE", "4 fields"),
        (f"{BO},2020-05-01,cover,1.00", "CC-TABLE", "twice for 'cover'"),
        (f"{ANN},2020-05-01,cover,92233720368547758.07", "CC-TABLE", "more than any account can hold"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_with_its_line(table: Callable[..., Path], row: str, code: str, words: str) -> None:
    """Of a person, a service, a day or a price without form, of a person twice, and of a sum beyond all accounts."""
    with pytest.raises(CharitychainError, match=r"table\.csv, line 3: ") as caught:
        read_services(table(HEADER, f"{BO.upper()},2020-05-01,cover,1.00", row), CNY)
    assert caught.value.code == code and words in caught.value.message


def test_services_are_paid_in_money_to_somebody(made: Callable[..., list[dict[str, Any]]]) -> None:
    """Steps pay nobody; they are converted first. A payee has a name without white space around it."""
    with pytest.raises(RefusedError, match="'walks' is in STEP, and services are paid in money") as caught:
        made(account="walks")
    assert caught.value.code == "CC-UNIT"
    for payee in ("", " Mutual", "Mutual\t"):
        with pytest.raises(MalformedError, match="white space"):
            made(payee=payee)
    with pytest.raises(MalformedError):
        made(batch="two words")


def test_a_day_that_was_reversed_is_not_there_already(care: Ledger, made: Callable[..., list[dict[str, Any]]]) -> None:
    """Reversed in part it stands; wholly reversed it is refused, until its rows come as a batch of their own."""
    rows = [f"{ANN},2020-05-01,cover,1.50", f"{BO},2020-05-01,cover,1.50"]
    paid = made(*rows)[0]["id"]
    assert _add(care, made(*rows))
    for amount in ("1.00", "2.00"):
        assert not _add(care, made(*rows))
        with care.writer() as writer:
            writer.reversal(f"U-{amount}", reverses=paid, amount=amount)
    with pytest.raises(RefusedError, match=f"as {paid}, and was reversed: .*--batch") as caught:
        made(f"{ANN},2020-05-02,cover,1.50", *rows)
    assert (caught.value.code, caught.value.facts) == ("CC-DUPLICATE-ID", {"id": paid})
    assert _add(care, made(rows[0], batch="right"))
    assert not _add(care, made(rows[0], batch="right"))
    assert str(care.balance("care")) == "98.50"


def test_a_list_of_other_people_is_refused(care: Ledger, made: Callable[..., list[dict[str, Any]]]) -> None:
    """By its hash: others than then, and another salt than then."""
    _add(care, made(f"{ANN},2020-05-01,cover,1.50"))
    others = (f"{BO},2020-05-01,cover,1.50", {}), (
        f"{ANN},2020-05-01,cover,1.50", {"list_of": lambda id_, people: people_list("00" * 16, people)}
    )  # fmt: skip
    for row, options in others:
        with pytest.raises(RefusedError, match=r"recorded already, as X-[0-9a-f]{16}, with another list") as caught:
            made(row, **options)
        assert caught.value.code == "CC-DUPLICATE-ID"


def test_a_list_is_kept_once_with_a_salt_of_its_own(tmp_path: Path) -> None:
    """Before `write` nothing is there; then the salt stays, files are private, and no other list replaces one."""
    folder = PeopleFolder(tmp_path / "a" / "lists")
    one, two = folder.list_of("X-1", {BO.upper(), ANN}), folder.list_of("X-2", [ANN])
    assert not (tmp_path / "a").exists()
    assert one.splitlines()[1:] == [ANN.encode(), BO.encode()] and one.endswith(b"\n")
    salts = {data.splitlines()[0] for data in (one, two)}
    assert len(salts) == 2 and all(len(bytes.fromhex(salt.decode())) == 16 for salt in salts)
    folder.write()
    path = tmp_path / "a" / "lists" / "X-1.txt"
    assert path.read_bytes() == one and path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    again = PeopleFolder(path.parent)
    assert again.list_of("X-1", [ANN, BO]) == one
    with pytest.raises(RefusedError) as caught:
        again.list_of("X-1", [ANN])
    assert (caught.value.code, caught.value.facts["file"]) == ("CC-DUPLICATE-ID", str(path))
    again.write()
    again.withdraw()
    assert path.read_bytes() == one
    folder.withdraw()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"\xff" * 65, b"5A" * 16 + b"\n" + ANN.encode() + b"\n", ANN.encode() + b"\n"])
def test_a_file_that_is_no_list_is_left_alone(tmp_path: Path, data: bytes) -> None:
    """It is refused, and stays what it is."""
    (tmp_path / "X-1.txt").write_bytes(data)
    with pytest.raises(RefusedError, match="is there, and is not the list"):
        PeopleFolder(tmp_path).list_of("X-1", [ANN])
    assert (tmp_path / "X-1.txt").read_bytes() == data


def test_a_list_that_came_to_be_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """Another program entered the same table at the same time."""
    folder = PeopleFolder(tmp_path)
    folder.list_of("X-1", [ANN])
    (tmp_path / "X-1.txt").write_bytes(b"theirs")
    with pytest.raises(StorageError) as caught:
        folder.write()
    assert caught.value.code == "CC-STORAGE" and (tmp_path / "X-1.txt").read_bytes() == b"theirs"
