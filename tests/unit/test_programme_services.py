"""What services cost, recomputed by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from charitychain.errors import CharitychainError, RefusedError
from charitychain.programmes.services import read_services, service_entries
from charitychain.units import BUILT_IN

ANN, HEADER = "0a" * 16, "person,date,service,price"


def test_money_and_people_are_those_of_the_table(table: Callable[..., Path]) -> None:
    """40 people on three days; the sums in fen and the lists' hashes against plain Python, in any order of rows."""
    rows = [(f"{n:032x}", f"2020-05-0{1 + n % 3}", 100 + n) for n in range(40)]
    lines = [f"{who},{date},cover,{fen // 100}.{fen % 100:02}" for who, date, fen in reversed(rows)]
    unit = BUILT_IN["CNY"]
    made = service_entries(read_services(table(HEADER, *lines), unit), unit, account="a", payee="Mutual")
    days = zip(made[::2], made[1::2], ("2020-05-01", "2020-05-02", "2020-05-03"), strict=True)
    for entry, outcome, date in days:
        fen = sum(row[2] for row in rows if row[1] == date)
        people = "".join(row[0] + "\n" for row in rows if row[1] == date)
        assert (entry["date"], entry["amount"]) == (date, f"{fen // 100}.{fen % 100:02}")
        assert entry["evidence"] == [hashlib.sha256(people.encode()).hexdigest()]
        count = people.count("\n")
        assert (outcome["quantity"], outcome["beneficiaries"], outcome["of"]) == (count, count, [entry["id"]])
        assert outcome["date"] == date and outcome["id"] != entry["id"]


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("Ann,2020-05-01,cover,1.00", "CC-TABLE", "never a name"), (f"{ANN},2020-05-01,,1.00", "CC-TABLE", "empty"),
        (f"{ANN},2020-05-01, ,1.00", "CC-TABLE", "empty"), (f"{ANN},May,cover,1.00", "CC-RECORD", "date"),
        (f"{ANN},2020-05-01,co\x1b[2Jver,1.00", "CC-TEXT", "U+001B"),
        (f"{ANN},2020-05-01,cover,-1", "CC-AMOUNT", "'-1'"),
        (f"{ANN},2020-05-01,cover,1.255", "CC-AMOUNT", "3 decimals"), (f"{ANN},2020-05-01,cover,0", "CC-AMOUNT", "'0'"),
        (f"{ANN},2020-05-01,cover,1e2", "CC-AMOUNT", "'1e2'"), (f"{ANN},2020-05-01,cover", "CC-TABLE", "4 fields"),
        (f"{'0b' * 16},2020-05-01,cover,1.00", "CC-TABLE", "twice for 'cover'"),
        (f"{ANN},2020-05-01,cover,92233720368547758.07", "CC-TABLE", "more than any account can hold"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_with_its_line(table: Callable[..., Path], row: str, code: str, words: str) -> None:
    """Of a person, a service, a day or a price without form, of a person twice, and of a sum beyond all accounts."""
    with pytest.raises(CharitychainError, match=r"table\.csv, line 3: ") as caught:
        read_services(table(HEADER, f"{'0B' * 16},2020-05-01,cover,1.00", row), BUILT_IN["CNY"])
    assert caught.value.code == code and words in caught.value.message


def test_services_are_paid_in_money() -> None:
    """Steps pay nobody; they are converted first."""
    with pytest.raises(RefusedError, match="'walks' is in STEP, and services are paid in money") as caught:
        service_entries([], BUILT_IN["STEP"], account="walks", payee="Mutual")
    assert caught.value.code == "CC-UNIT"
