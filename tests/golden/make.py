"""Writes the golden ledger and what it must answer: ``PYTHONPATH=tests python -m golden.make``.

The ledger holds every kind of record that format version 1 knows: units, parties with keys of their own and cosigned
statements, key rotation, fifo and pro-rata accounts, donations in runs, gift columns of both widths with more than
one run of 64, disbursements by rule and named, expenditures, conversions unfunded and funded, refunds, and partial
reversals. A later release must read these bytes as this one does; they are written anew only when a new format
version brings a golden ledger of its own.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from charitychain.ledger import Ledger
from golden.builder import Builder

__all__ = ["ANSWERS", "LEDGER", "answers", "build"]

LEDGER = Path(__file__).with_name("v1.ledger")
ANSWERS = Path(__file__).with_name("v1.json")

_ORIGIN = "golden.example/2026"
_NONCE = bytes(range(32))
_PLATFORM = {"author": "platform"}
_TREES, _RAIN = 130, 70
"""Gifts of the two series: three runs and two runs of 64."""


def build() -> bytes:
    """Return the bytes of the golden ledger."""
    b = Builder(_ORIGIN, nonce=_NONCE)
    try:
        for seal in (_parties, _accounts, _gifts_in, _money_moves, _rotation, _conversions, _corrections, _late):
            seal(b)
            b.commit()
        return b.data
    finally:
        b.close()


def _parties(b: Builder) -> None:
    w = b.writer
    w.unit("RICE-KG", decimals=3, title="Rice, kilograms")
    w.unit("TEA-BAG", decimals=0)
    w.party("platform", roles=["intake"], title="Giving platform")
    w.party("school", roles=["charity"], title="Village school")
    w.party("clinic", roles=["charity"])
    w.party("sponsor", roles=["sponsor", "intake"])
    w.party("auditor", roles=["auditor", "witness"])


def _accounts(b: Builder) -> None:
    w = b.writer
    w.account("edu", unit="CNY", title="Education", tags={"area": "north", "sdg": "4"})
    w.account("relief", unit="CNY", rule="pro-rata", title="Relief, evenly")
    w.account("school-17", unit="CNY", owner="school", rule="fifo")
    w.account("clinic-fund", unit="CNY", owner="clinic", rule="pro-rata", author="self")  # cosigned by clinic
    w.account("steps", unit="STEP", title="Steps walked")
    w.account("run", unit="CNY", owner="sponsor")
    w.account("tracks", unit="CNY", owner="school")
    w.account("rice", unit="RICE-KG", owner="school")
    w.account("hours", unit="MINUTE")
    w.account("yen", unit="JPY")
    w.account("dinar", unit="KWD", rule="pro-rata")


def _gifts_in(b: Builder) -> None:
    w = b.writer
    for number, amount in enumerate(("12.50", "0.01", "300", "7.77")):  # one run
        w.donation(f"D-{number}", account="edu", amount=amount, source="cash", donor=f"{number + 1:032x}", **_PLATFORM)
    w.donation("D-r0", account="relief", amount="100.00", date="2025-12", reference="box 7", **_PLATFORM)
    w.donation("D-r1", account="relief", amount="33.33", evidence=["ab" * 32], private="cd" * 32, **_PLATFORM)
    w.donation("D-back", account="edu", amount="5.00", date="2026-01-01", **_PLATFORM)  # a run of its own
    w.donation("D-sponsor", account="run", amount="40.00", author="sponsor")
    w.donation("D-steps", account="steps", amount="100000", source="steps")
    w.donation("D-hours", account="hours", amount="480", source="hours", date="2025")
    w.donation("D-yen", account="yen", amount="1000", source="undisclosed")
    w.donation("D-dinar", account="dinar", amount="10.125")
    w.gifts(
        "trees", account="edu", ids=[3 * n + 1 for n in range(_TREES)],
        amounts=[f"{(n * 37) % 250 + 1}.{n % 100:02}" for n in range(_TREES)],
        donors=["" if n % 5 == 0 else f"{n:032x}" for n in range(_TREES)], source="goods-for-good", **_PLATFORM,
    )  # fmt: skip
    w.gifts(
        "rain", account="relief", ids=[str(n) for n in range(_RAIN)], amounts=["0.22"] * _RAIN,
        donors=[f"{n + 7:032x}" for n in range(_RAIN)],
        seconds=["" if n % 3 else f"{n + 9:032x}" for n in range(_RAIN)],
        date="2026-01-01", **_PLATFORM,
    )  # fmt: skip


def _money_moves(b: Builder) -> None:
    w = b.writer
    w.disbursement("B-rule", source="edu", to="school-17", amount="200.00")
    w.disbursement("B-named", source="edu", to="school-17", amount="4.00", gift="D-3")
    w.disbursement("B-tree", source="edu", to="clinic-fund", amount="30.00", gift="trees/4")
    w.disbursement("B-even", source="relief", to="clinic-fund", amount="57.19", evidence=["ef" * 32, "01" * 32])
    w.expenditure(
        "X-books", source="school-17", amount="90.01", payee="Toko Buku", purpose="books", category="programme"
    )
    w.expenditure("X-chalk", source="school-17", amount="2.50", payee="Toko Buku", purpose="chalk", gift="D-3")
    w.expenditure(
        "X-salve", source="clinic-fund", amount="41.07", payee="Apotek", purpose="salve", evidence=["02" * 32]
    )
    w.expenditure("X-office", source="relief", amount="3.00", payee="Office", purpose="rent", category="administration")


def _rotation(b: Builder) -> None:
    b.writer.rotate_key("school")
    b.writer.rotate_key("self")
    b.writer.donation("D-more", account="edu", amount="1.00", **_PLATFORM)


def _conversions(b: Builder) -> None:
    w = b.writer
    w.conversion("C-steps", source="steps", amount="70000", to="tracks", gives="21.00", funded_from="run")
    w.conversion("C-rice", source="school-17", amount="50.00", to="rice", gives="12.345", payee="Rice mill")
    w.conversion("C-yen", source="yen", amount="700", to="dinar", gives="1.401")
    w.expenditure("X-track", source="tracks", amount="8.00", payee="Builder", purpose="running track")
    w.expenditure("X-meal", source="rice", amount="2.345", payee="Kitchen", purpose="meals")


def _corrections(b: Builder) -> None:
    w = b.writer
    w.refund("R-part", donation="D-back", amount="1.50")
    w.refund("R-all", donation="D-r1")
    w.refund("R-tree", donation="trees/7", source="edu", amount="0.02")
    w.refund("R-paid", donation="D-sponsor", source="tracks", amount="3.00")
    w.reversal("U-1", reverses="X-books", amount="30.00", reason="sent back")
    w.reversal("U-2", reverses="X-salve", amount="11.11")


def _late(b: Builder) -> None:
    w = b.writer
    w.reversal("U-3", reverses="X-books", amount="0.01")
    w.reversal("U-4", reverses="X-salve", reason="all the rest")
    w.disbursement("B-circle", source="clinic-fund", to="relief", amount="60.00")
    w.disbursement("B-again", source="relief", to="clinic-fund", amount="12.34")
    w.expenditure("X-last", source="clinic-fund", amount="9.99", payee="Apotek", purpose="bandages")
    w.expenditure("X-pens", source="school-17", amount="25.00", payee="Toko Buku", purpose="pens")
    w.gifts("trees", account="edu", ids=[1000, 2000], amounts=["9.99", "0.01"], donors=["", "0f" * 16], **_PLATFORM)


def answers(path: Path) -> dict[str, Any]:
    """Return what the ledger at `path` answers: the report, the trace of each gift, the sources of each outflow."""
    with Ledger.open(path) as ledger:
        report = ledger.verify().to_dict()
        del report["notices"]  # plain words, which may improve
        index = ledger.reader().index
        listed = [row[0] for row in index.rows("SELECT id FROM ids WHERE kind = 16 ORDER BY id")]
        gifts = [*listed, *(f"trees/{3 * n + 1}" for n in range(_TREES)), *(f"rain/{n}" for n in range(_RAIN))]
        outflows = [row[0] for row in index.rows("SELECT id FROM ids WHERE kind IN (20, 21, 22, 24) ORDER BY id")]
        traces = {gift: ledger.trace(gift).to_dict() for gift in [*gifts, "trees/1000", "trees/2000"]}
        sources = {outflow: ledger.sources(outflow, count=1000).to_dict() for outflow in outflows}
        balances = {name: [str(money), sums] for name, (money, sums) in sorted(ledger.balances().items())}
    heads = [found.pop("ledger") for found in (*traces.values(), *sources.values())]
    if any(head != heads[0] for head in heads):
        raise AssertionError("answers at one head must name one head")
    return {"verify": report, "ledger": heads[0], "balances": balances, "traces": traces, "sources": sources}


def main() -> None:
    """Write both files."""
    LEDGER.write_bytes(build())
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "v1.ledger"
        copy.write_bytes(LEDGER.read_bytes())
        text = json.dumps(answers(copy), indent=1, sort_keys=True, ensure_ascii=False)
    ANSWERS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
