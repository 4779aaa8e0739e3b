"""What services cost, recomputed by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

from charitychain.programmes.services import read_services, service_entries
from charitychain.units import BUILT_IN


def test_money_and_people_are_those_of_the_table(tmp_path: Path) -> None:
    """40 people on three days; the sums in fen and the lists' hashes against plain Python, in any order of rows."""
    rows = [(f"{n:032x}", f"2020-05-0{1 + n % 3}", 100 + n) for n in range(40)]
    table = tmp_path / "s.csv"
    lines = [f"{who},{date},cover,{fen // 100}.{fen % 100:02}" for who, date, fen in reversed(rows)]
    table.write_text("\n".join(["person,date,service,price", *lines]) + "\n")
    unit = BUILT_IN["CNY"]
    *paid, outcome = service_entries(read_services(table, unit), unit, account="a", payee="Mutual")
    for entry, date in zip(paid, ("2020-05-01", "2020-05-02", "2020-05-03"), strict=True):
        fen = sum(row[2] for row in rows if row[1] == date)
        people = "".join(row[0] + "\n" for row in rows if row[1] == date)
        assert (entry["date"], entry["amount"]) == (date, f"{fen // 100}.{fen % 100:02}")
        assert entry["evidence"] == [hashlib.sha256(people.encode()).hexdigest()]
    assert (outcome["quantity"], outcome["beneficiaries"], outcome["of"]) == (40, 40, [entry["id"] for entry in paid])
