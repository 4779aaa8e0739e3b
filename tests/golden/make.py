"""Writes the golden ledgers and what they must answer: ``PYTHONPATH=tests python -m golden.make``.

The ledger holds every kind of record that format version 1 knows: units, parties with keys of their own and cosigned
statements, key rotation, fifo and pro-rata accounts, donations in runs, gift columns of both widths with more than
one run of 64, disbursements by rule and named, expenditures, conversions unfunded and funded, refunds, and partial
reversals. A later release must read these bytes as this one does; they are written anew only when a new format
version brings a golden ledger of its own. The one of format 2 holds the kinds and fields that came with it as well.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from charitychain.ledger import Ledger
from golden.builder import Builder

__all__ = ["ANSWERS", "ANSWERS_2", "LEDGER", "LEDGER_2", "answers", "build", "build_2"]

LEDGER = Path(__file__).with_name("v1.ledger")
ANSWERS = Path(__file__).with_name("v1.json")
LEDGER_2 = Path(__file__).with_name("v2.ledger")
ANSWERS_2 = Path(__file__).with_name("v2.json")

_ORIGIN = "golden.example/2026"
_NONCE = bytes(range(32))
_LATER = 120 * 86_400
_PLATFORM = {"author": "platform"}
_TREES, _RAIN = 130, 70
"""Gifts of the two series: three runs and two runs of 64."""


def build() -> bytes:
    """Return the bytes of the golden ledger of format 1."""
    return _built(1, (_parties, _accounts, _gifts_in, _money_moves, _rotation, _conversions, _corrections, _late))


def build_2() -> bytes:
    """Return the bytes of the golden ledger of format 2: all of the other, and what came with that format."""
    old = (_parties, _accounts, _gifts_in, _money_moves, _rotation, _conversions, _corrections, _late)
    return _built(2, (*old, _terms, _undone, _words, _results, _across, _controls))


def _built(version: int, seals: tuple[Callable[[Builder], None], ...]) -> bytes:
    b = Builder(_ORIGIN, nonce=_NONCE, version=version)
    if version > 1:  # in which no record tells of a day to come
        b.time += _LATER
    try:
        for seal in seals:
            seal(b)
            b.commit()
        return b.data
    finally:
        b.close()


def _terms(b: Builder) -> None:
    w = b.writer
    cap = {"percent": "12.5", "base": "received", "scope": "party", "period": "all", "mode": "refuse"}
    w.account(
        "office", unit="CNY", target="500.00", naming="forbidden", caps=[cap],
        restriction={"purposes": ["rent"], "from": "2026-01-01", "until": "2026-12-31"},
        approvals={"of": ["auditor", "platform"], "needed": 1},
    )  # fmt: skip
    w.account("pool", unit="CNY", rule="pro-rata", levy={"office": "8"})
    w.account("spare", unit="CNY")
    w.add({"record": "account-change", "id": "AC-1", "account": "edu", "title": "", "tags": {}})
    w.donation("D-pool", account="pool", amount="100.05", **_PLATFORM)
    w.donation("D-pool-2", account="pool", amount="50.00", source="cash")


def _undone(b: Builder) -> None:
    w = b.writer
    w.add({"record": "split", "id": "S-1", "from": "pool", "amount": "60.00", "to": {"office": "4.80", "edu": "55.20"}})
    w.expenditure("X-rent", source="office", amount="1.00", payee="Landlord", purpose="rent", date="2026-03",
                  approved_by=["auditor"])  # fmt: skip
    w.disbursement("B-wrong", source="edu", to="relief", amount="9.00")
    w.reversal("U-5", reverses="B-wrong", amount="4.00", reason="wrong account")
    w.reversal("U-6", reverses="X-chalk", amount="1.00", gift="D-3")
    w.reversal("U-7", reverses="D-pool-2", amount="20.00", reason="it was 30")
    w.reversal("U-8", reverses="trees/1000", amount="0.99")
    w.add({"record": "split", "id": "S-2", "from": "pool", "amount": "10.00", "to": {"office": "0.80", "edu": "9.20"}})
    w.add({"record": "account-change", "id": "AC-2", "account": "spare", "closed": True, "date": "2026-02"})
    w.add({"record": "account-change", "id": "AC-3", "account": "spare", "closed": False})
    b.commit()
    w.add({"record": "reversal", "id": "U-10", "reverses": "S-2", "from": "edu", "amount": "5.00"})
    w.donation("D-again", account="pool", amount="20.00", replaces="D-pool-2")
    w.add({"record": "statement", "records": [
        {"record": "reversal", "id": "U-9", "reverses": "X-last"},
        {"record": "expenditure", "id": "X-new", "from": "relief", "amount": "9.99", "payee": "Apotek",
         "purpose": "bandages", "replaces": "X-last", "invoice": {"key": "INV-1", "total": "20.00"}},
    ]})  # fmt: skip


def _words(b: Builder) -> None:
    w = b.writer
    w.add({"record": "pledge", "id": "P-1", "account": "edu", "amount": "1000.00", "pledger": "A company"})
    w.donation("D-pledged", account="edu", amount="10.00", pledge="P-1")
    w.reversal("U-P", reverses="P-1", amount="100.00")
    line = {"line": "books", "kind": "goods", "what": "school books", "quantity": 100, "price": "3.50"}
    w.add({"record": "plan", "id": "PLAN-1", "account": "edu", "title": "Books", "lines": [line]})
    w.expenditure("X-plan", source="edu", amount="7.00", payee="Toko Buku", purpose="books", line="PLAN-1/books")
    w.add({"record": "acknowledgement", "id": "A-1", "acknowledges": "B-rule", "amount": "150.00"})
    w.add({"record": "acknowledgement", "id": "A-2", "acknowledges": "X-plan", "author": "clinic",
           "status": "disputed", "on_behalf_of": "the village", "note": "not seen"})  # fmt: skip
    w.add({"record": "acknowledgement", "id": "A-3", "acknowledges": "D-0", "upto": True})
    w.add({"record": "attestation", "id": "T-1", "accounts": ["edu", "pool"], "amount": "900.00", "at": "2026-01-31",
           "author": "auditor"})  # fmt: skip
    w.add({"record": "period", "id": "PC-1", "until": "2026-01-31"})
    w.donation("D-late", account="edu", amount="1.00", date="2026-01-15")


def _results(b: Builder) -> None:
    w = b.writer
    w.donation("D-match", account="edu", amount="5.00", pledge="P-1", because_of="D-late")
    w.add({"record": "expenditure", "id": "X-lost", "from": "edu", "amount": "0.50", "purpose": "fell in the river",
           "category": "loss"})  # fmt: skip
    w.outcome("O-1", account="edu", indicator="books", quantity=2, of=["X-plan"], amount="7.00", place="Sukamaju",
              beneficiaries=60, evidence=["cd" * 32])  # fmt: skip
    w.outcome("O-2", account="edu", indicator="readers", quantity=30, of=["X-plan"], author="auditor")


def _across(b: Builder) -> None:
    w = b.writer
    other, root = "0e" * 32, "0f" * 32
    w.sent("W-1", source="edu", amount="6.00", to_ledger=other, to_origin="other.example")
    w.sent("W-2", source="edu", amount="0.50", to_ledger=other, gift="D-late")
    w.received(
        "V-1", account="edu", amount="4.00", from_ledger=other, from_origin="other.example",
        checkpoint={"size": 7, "root": root}, movement=[2, 5], spans=[[100, 150], [300, 250]],
    )  # fmt: skip
    w.received(
        "V-2", account="relief", amount="1.00", from_ledger=other, checkpoint={"size": 7, "root": root},
        movement=[2, 5], spans=[[0, 100]],
    )  # fmt: skip
    b.commit()
    w.reversal("U-11", reverses="W-2", reason="the bank sent it back")
    w.reversal("U-12", reverses="V-2", reason="entered for another account")
    w.expenditure("X-came", source="edu", amount="1.25", payee="Toko Buku", purpose="books", gift="V-1")


def _controls(b: Builder) -> None:
    w = b.writer
    spare = b.make_key("school").public_key.hex()
    w.add({"record": "control", "id": "K-1", "party": "school", "recovery": spare})
    b.commit()
    w.add({"record": "key", "party": "school", "key": b.make_key("school").public_key.hex(), "by_recovery": True,
           "replaces": b.key_id_of("school"), "compromised_since": 6})  # fmt: skip
    w.add({"record": "suspension", "id": "SU-1", "party": "clinic", "suspended": True, "reason": "no answer"})


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
        del report["notices"], report["findings"]  # plain words, which may improve
        index = ledger.reader().index
        listed = [row[0] for row in index.rows("SELECT id FROM ids WHERE kind IN (16, 31) ORDER BY id")]
        gifts = [*listed, *(f"trees/{3 * n + 1}" for n in range(_TREES)), *(f"rain/{n}" for n in range(_RAIN))]
        outflows = [row[0] for row in index.rows("SELECT id FROM ids WHERE kind IN (20, 21, 22, 24, 30) ORDER BY id")]
        traces = {gift: ledger.trace(gift).to_dict() for gift in [*gifts, "trees/1000", "trees/2000"]}
        sources = {outflow: ledger.sources(outflow, count=1000).to_dict() for outflow in outflows}
        balances = {name: [str(money), sums] for name, (money, sums) in sorted(ledger.balances().items())}
    heads = [found.pop("ledger") for found in (*traces.values(), *sources.values())]
    if any(head != heads[0] for head in heads):
        raise AssertionError("answers at one head must name one head")
    return {"verify": report, "ledger": heads[0], "balances": balances, "traces": traces, "sources": sources}


def main() -> None:
    """Write the files of format 2; those of format 1 stay as release 0.1 wrote them."""
    LEDGER_2.write_bytes(build_2())
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "v2.ledger"
        copy.write_bytes(LEDGER_2.read_bytes())
        text = json.dumps(answers(copy), indent=1, sort_keys=True, ensure_ascii=False)
    ANSWERS_2.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
