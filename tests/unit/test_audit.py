"""The audit section of verify: what it finds, what it leaves alone, and that it changes no verdict."""

from __future__ import annotations

import io
import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from oracle.histories import random_history
from oracle.owning import PARTIES

import charitychain
from charitychain import findings
from charitychain.arrivals import Arrivals
from charitychain.basis import Records
from charitychain.ends import Owners
from charitychain.errors import MalformedError, RefusedError
from charitychain.findings import Finding
from charitychain.interop.journal import import_journal
from charitychain.keys import key_id
from charitychain.lag import Lag
from charitychain.ledger import Ledger
from charitychain.records import Donation
from charitychain.state.flow import follow
from charitychain.state.lookup import known_gift
from charitychain.store.memory import MemoryStore
from charitychain.units import BUILT_IN as UNITS
from charitychain.units import parse_amount
from charitychain.verify import verify

DOCUMENT, OTHER = "ab" * 32, "cd" * 32
DAY = 86_400
NOON = 20_635 * DAY + DAY // 2  # 2026-07-01


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """Give a ledger with 1,000.00 EUR in `fund`, 500.00 EUR in `relief`, and 100 STEP in `steps`."""
    with Ledger.create(tmp_path / "b.ledger", origin="b.example", keys=tmp_path / "keys", clock=clock) as made:
        enter(
            made,
            *({"record": "account", "id": id_, "unit": "EUR"} for id_ in ("fund", "relief")),
            {"record": "account", "id": "steps", "unit": "STEP"},
            {"record": "donation", "id": "D-1", "account": "fund", "amount": "1000.00"},
            {"record": "donation", "id": "D-2", "account": "relief", "amount": "500.00"},
            {"record": "donation", "id": "D-3", "account": "steps", "amount": "100"},
        )
        yield made


def enter(ledger: Ledger, *entries: dict[str, Any]) -> None:
    """Record entries in a block of their own."""
    with ledger.writer() as writer:
        for entry in entries:
            writer.add(entry)


def spend(id_: str, amount: str, source: str = "fund", **more: Any) -> dict[str, Any]:
    return {"record": "expenditure", "id": id_, "from": source, "amount": amount, "payee": "P", "purpose": "q", **more}


def invoice(key: str, total: str) -> dict[str, str]:
    return {"key": key, "total": total}


def found(ledger: Ledger, code: str) -> list[Finding]:
    """Verify, which must hold, and return the findings of one code."""
    report = ledger.verify()
    assert report.holds and report.exit_code == 0, report.faults
    return [finding for finding in report.findings if finding.code == code]


def messages(ledger: Ledger, code: str) -> list[str]:
    return [finding.message for finding in found(ledger, code)]


# ----------------------------------------------------------------------------------------------------- invoices


def test_an_honest_split_of_an_invoice_is_no_finding(book: Ledger) -> None:
    """Several funds that together stay within the total raise no question, even to the last cent."""
    told = invoice("INV-7", "300.00")
    enter(
        book,
        spend("X-1", "200.00", invoice=told, evidence=[DOCUMENT]),
        spend("X-2", "100.00", "relief", invoice=told, evidence=[DOCUMENT]),
    )
    assert not found(book, "AUDIT-INVOICE") and not found(book, "AUDIT-INVOICE-TOTAL")
    assert not found(book, "AUDIT-DOCUMENT")


def test_an_invoice_paid_beyond_its_total_is_found(book: Ledger) -> None:
    """One cent too much is found, with the records; what is reversed no longer counts."""
    told = invoice("INV-7", "300.00")
    enter(book, spend("X-1", "200.00", invoice=told), spend("X-2", "100.01", "relief", invoice=told))
    (one,) = found(book, "AUDIT-INVOICE")
    assert one.message == "Invoice INV-7 over 300.00 EUR is behind expenditures of 300.01 EUR: X-1, X-2."
    assert one.to_dict() == {
        "code": "AUDIT-INVOICE", "message": one.message, "invoice": "INV-7", "unit": "EUR", "total": "300.00",
        "used": "300.01", "count": 2, "records": ["X-1", "X-2"],
    }  # fmt: skip
    enter(book, {"record": "reversal", "id": "U-1", "reverses": "X-1", "amount": "0.01"})
    assert not found(book, "AUDIT-INVOICE")


def test_one_payment_beyond_the_total_of_its_own_invoice_is_found(book: Ledger) -> None:
    """A single expenditure is compared too, and each unit of an invoice by itself."""
    enter(book, spend("X-1", "10.01", invoice=invoice("A", "10")), spend("X-2", "9", invoice=invoice("B", "10")))
    enter(book, spend("X-3", "9", "steps", invoice=invoice("B", "9")))
    assert messages(book, "AUDIT-INVOICE") == [
        "Invoice A over 10.00 EUR is behind expenditures of 10.01 EUR: X-1.",
    ]
    assert not found(book, "AUDIT-INVOICE-TOTAL")


def test_totals_that_differ_are_found_among_what_stands(book: Ledger) -> None:
    """A total that was mistyped, reversed and entered again is none; one that stands beside another is."""
    enter(book, spend("X-1", "10", invoice=invoice("A", "100.00")))
    enter(
        book,
        {"record": "reversal", "id": "U-1", "reverses": "X-1"},
        spend("X-2", "10", invoice=invoice("A", "10.00"), replaces="X-1"),
    )
    assert not found(book, "AUDIT-INVOICE-TOTAL") and not found(book, "AUDIT-INVOICE")
    enter(book, spend("X-3", "1", invoice=invoice("A", "11.00")))
    assert messages(book, "AUDIT-INVOICE-TOTAL") == [
        "The total of invoice A is told differently, from 10.00 to 11.00 EUR: X-2, X-3."
    ]
    assert not found(book, "AUDIT-INVOICE")


# ---------------------------------------------------------------------------------------------------- documents


@pytest.mark.parametrize("keys", [(None, None), ("A", None), (None, "A"), ("A", "B")])
def test_one_document_behind_two_payments_is_found(book: Ledger, keys: tuple[str | None, str | None]) -> None:
    """Unless both name one invoice, the same document behind two standing expenditures is told with its sums."""
    first, second = ({"invoice": invoice(key, "999")} if key else {} for key in keys)
    enter(
        book,
        spend("X-1", "200.00", evidence=[DOCUMENT, OTHER], **first),
        spend("X-2", "100.00", "relief", evidence=[DOCUMENT], **second),
    )
    (one,) = found(book, "AUDIT-DOCUMENT")
    assert one.message == (
        "Document abababababababab… is behind 2 expenditures of 300.00 EUR in all that do not name one invoice:"
        " X-1, X-2."
    )
    assert (one.facts["document"], one.facts["amounts"]) == (DOCUMENT, {"EUR": "300.00"})
    enter(book, {"record": "reversal", "id": "U-1", "reverses": "X-1"})
    assert not found(book, "AUDIT-DOCUMENT")


def test_long_lists_are_cut_and_counted(book: Ledger) -> None:
    """Of one document five records are named, and of one kind ten findings told; the rest is counted."""
    entries = [spend(f"X-{n}", "1", evidence=[DOCUMENT]) for n in range(7)]
    entries += [spend(f"Y-{n}-{m}", "1", evidence=[f"{n:064x}"]) for n in range(12) for m in "ab"]
    enter(book, *entries)
    told = messages(book, "AUDIT-DOCUMENT")
    assert len(told) == findings.SHOWN + 1 and told[-1] == "3 more like these."
    enter(book, *({"record": "reversal", "id": f"U-{n}", "reverses": f"Y-{n}-a"} for n in range(12)))
    (one,) = found(book, "AUDIT-DOCUMENT")
    assert one.message.endswith(": X-0, X-1, X-2, X-3, X-4 and 2 more.") and one.facts["count"] == 7


# -------------------------------------------------------------------------------------------------- late records


def test_late_records_are_counted_with_the_first_of_them(book: Ledger) -> None:
    """What is dated in a period that was closed is told in the order of the ledger."""
    enter(book, {"record": "period", "id": "PC", "until": "2026-05-31"})
    assert not found(book, "AUDIT-LATE")
    enter(book, *(spend(f"X-{n}", "1", date="2026-05-31") for n in (9, 8, 7, 6, 5, 4)), spend("Y", "1", date="2026-06"))
    (one,) = found(book, "AUDIT-LATE")
    assert one.message == (
        "6 records state a day in a period that was closed before: X-9, X-8, X-7, X-6, X-5 and 1 more."
    )


def test_lag_between_stated_and_sealed_day() -> None:
    """The median is the lower of two, a month ends on its last day, and only what is far ahead counts as ahead."""
    lag = Lag()
    assert lag.measure() == (0, 0, 0, None, 0)
    for date, days in (
        ("2026-07-01", 0), ("2026-06", 1), ("2026", 0), ("2026-06-28", 3), ("2026-07-02", 0), ("0000", 739_798),
    ):  # fmt: skip
        alone = Lag()
        alone.see(Donation("D", 0, 1, date=date), NOON)
        assert alone.measure()[:3] == (1, min(days, 40_000), days), date
        lag.see(Donation(f"D-{date}", 0, 1, date=date), NOON)
    lag.see(Donation("D", 0, 1), NOON)
    lag.see(Donation("D-ahead", 0, 1, date="2026-07-03"), NOON)
    lag.see(Donation("D-next", 0, 1, date="2026-06-30"), NOON + 3 * DAY)
    assert lag.measure() == (8, 0, 739_798, "D-0000", 1)


def test_lag_is_told_of_dated_records_only(book: Ledger) -> None:
    """Nothing is told where nothing was late; else the median, the largest, and whose it is."""
    enter(book, spend("X-1", "1", date="2026-07-01"))
    assert not found(book, "AUDIT-LAG")
    enter(book, spend("X-2", "1", date="2026-06-01"), spend("X-3", "1", date="2026-06-29"))
    assert messages(book, "AUDIT-LAG") == [
        "3 records state a date: half were sealed at most 2 days later, the last 30 days later (X-2)."
    ]


# ------------------------------------------------------------------------------------------------ money on its way


def test_what_others_took_in_waits_for_the_owners_word(book: Ledger) -> None:
    """Gift by gift, wholly or in part, or all up to one, inside a batch too; the last word on a gift counts."""
    with book.writer() as writer:
        writer.party("shop", roles=["intake"])

    def gift(id_: str, amount: str, author: str = "shop") -> dict[str, Any]:
        return {"record": "donation", "id": id_, "account": "fund", "amount": amount, "author": author}

    def say(id_: str, about: str, **more: Any) -> dict[str, Any]:
        return {"record": "acknowledgement", "id": id_, "acknowledges": about, **more}

    def waits() -> list[str]:
        return [finding.facts["amount"] for finding in found(book, "AUDIT-TRANSIT")]

    assert waits() == []
    taps = {"record": "gifts", "series": "taps", "account": "fund", "author": "shop"}
    enter(book, gift("G-1", "1.00"), gift("G-2", "2.00"), gift("G-3", "4.00", "self"), gift("G-4", "8.00"))
    enter(book, taps | {"ids": ["1", "5", "9"], "amounts": ["16", "32", "64"]})
    assert messages(book, "AUDIT-TRANSIT") == [
        "123.00 EUR that others took in for fund is not acknowledged by its owner self."
    ]
    enter(book, say("A-1", "G-2", upto=True))
    assert waits() == ["120.00"]
    enter(book, say("A-2", "taps/5", upto=True))
    assert waits() == ["64.00"]
    enter(book, say("A-3", "G-1", status="disputed"), say("A-4", "taps/9"))
    assert waits() == ["1.00"]
    enter(book, say("A-5", "taps/1", amount="15.99"))
    assert waits() == ["1.01"]
    enter(book, say("A-6", "G-1"), say("A-7", "taps/9", status="disputed"))
    assert waits() == ["64.01"]
    enter(book, {"record": "reversal", "id": "U-1", "reverses": "taps/9", "amount": "60.00"})
    assert waits() == ["4.01"]
    enter(book, {"record": "refund", "id": "R-1", "donation": "taps/9", "amount": "1.00"})
    assert waits() == ["3.01"]
    enter(book, say("A-8", "taps/5", upto=True))
    assert waits() == ["3.00"]
    enter(book, say("A-9", "taps/5", status="disputed"))
    assert waits() == ["35.00"]
    enter(book, {"record": "reversal", "id": "U-2", "reverses": "taps/9", "amount": "3.00"})
    assert waits() == ["32.00"]
    enter(book, say("A-10", "taps/9", upto=True))
    assert waits() == []


def test_what_its_owner_spent_had_arrived(book: Ledger) -> None:
    """Nothing that is gone is on its way, and nothing that came back: its owner had it."""
    with book.writer() as writer:
        writer.party("shop", roles=["intake"])
    account = {"record": "account", "id": "new", "unit": "EUR"}
    enter(book, account, {"record": "donation", "id": "G-1", "account": "new", "amount": "10", "author": "shop"})
    enter(book, spend("X-1", "4", "new"))
    words = "EUR that others took in for new is not acknowledged by its owner self."
    assert messages(book, "AUDIT-TRANSIT") == [f"6.00 {words}"]
    enter(book, {"record": "reversal", "id": "U-1", "reverses": "X-1", "amount": "3"})
    assert messages(book, "AUDIT-TRANSIT") == [f"6.00 {words}"]


def told_words(rng: random.Random, ledger: Ledger, gifts: dict[str, str], number: int) -> dict[str, Any]:
    """Return a random word on one of these gifts (id: amount) by the owner of its account."""
    id_ = rng.choice(list(gifts))
    account = ledger.reader().state.accounts[ledger.reader().gift(id_).account]
    word = {"record": "acknowledgement", "id": f"WORD-{number}", "acknowledges": id_}
    word["author"] = ledger.reader().state.parties[account.owner].id
    more = rng.choice(({"upto": True}, {"status": "disputed"}, {}, {"amount": gifts[id_]}, {"amount": "1"}))
    return word | more


@pytest.mark.parametrize("seed", range(24))
def test_the_audit_sums_what_traces_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """In random books, with accounts that change hands and words of their owners, both tell the same sums."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    rng, gifts, sums = random.Random(seed), dict[str, str](), Counter[str]()
    history = random_history(700 + seed, "owners", 45)
    with Ledger.create(tmp_path / "o.ledger", origin="o.example", keys=tmp_path / "keys") as ledger:
        with ledger.writer() as writer:
            for party, roles in PARTIES.items():
                if party != "self":
                    writer.party(party, roles=list(roles))
        for start in range(0, len(history), 5):
            lines = history[start : start + 5]
            import_journal(ledger, io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))
            for line in lines:
                if line["record"] == "donation":
                    gifts[line["id"]] = line["amount"]
                elif line["record"] == "gifts":
                    gifts |= {f"{line['series']}/{n}": a for n, a in zip(line["ids"], line["amounts"], strict=True)}
            for number in range(2 if gifts else 0):
                with suppress(RefusedError, MalformedError):  # more than stands of it, or a part of a unit
                    enter(ledger, told_words(rng, ledger, gifts, 10 * start + number))
        reader = ledger.reader()
        arrivals = Arrivals(Records(reader), Owners(Records(reader)))
        for id_ in gifts:
            # A trace tells also what others handed over; the audit, what gifts wait for in the account they came into.
            gift = known_gift(reader.index, id_)
            runs = follow(reader.index, reader.state.accounts, gift).held.get((gift.account, gift.movement), [])
            stands = gift.amount - reader.state.reversed_of(id_)
            waits = min(sum(run.length for run in runs), stands - arrivals.gift(gift).amount)
            sums[reader.state.accounts[gift.account].id] += max(waits, 0)
        told = found(ledger, "AUDIT-TRANSIT")
        amounts = {f.facts["account"]: parse_amount(f.facts["amount"], UNITS[f.facts["unit"]]) for f in told}
        assert amounts == +sums


# ------------------------------------------------------------------------------------------- disputes, keys, caps


def test_disputes_stand_until_their_party_says_otherwise(book: Ledger) -> None:
    """The last word of each party counts, and what was reversed wholly is settled."""
    with book.writer() as writer:
        writer.party("hospital", roles=["charity"])
        writer.party("visitor", roles=["witness"])
    enter(
        book,
        {"record": "account", "id": "ward", "unit": "EUR", "owner": "hospital", "author": "hospital"},
        {"record": "disbursement", "id": "B-1", "from": "fund", "to": "ward", "amount": "10"},
        spend("X-1", "5"),
    )

    def say(id_: str, about: str, status: str, author: str) -> dict[str, Any]:
        return {"record": "acknowledgement", "id": id_, "acknowledges": about, "status": status, "author": author}

    enter(
        book,
        say("A-1", "B-1", "disputed", "hospital"),
        say("A-2", "B-1", "disputed", "visitor"),
        say("A-3", "X-1", "received", "hospital"),
        say("A-4", "X-1", "disputed", "hospital"),
    )
    assert messages(book, "AUDIT-DISPUTED") == [
        "B-1 is disputed by hospital (A-1), visitor (A-2).",
        "X-1 is disputed by hospital (A-4).",
    ]
    enter(book, say("A-5", "B-1", "received", "hospital"))
    enter(book, {"record": "reversal", "id": "U-1", "reverses": "X-1", "amount": "3"})
    assert messages(book, "AUDIT-DISPUTED") == [
        "B-1 is disputed by visitor (A-2).",
        "X-1 is disputed by hospital (A-4).",
    ]
    enter(book, {"record": "reversal", "id": "U-2", "reverses": "X-1"})
    assert messages(book, "AUDIT-DISPUTED") == ["B-1 is disputed by visitor (A-2)."]


def test_a_compromised_key_is_told_with_what_it_signed(book: Ledger) -> None:
    """The span of blocks, and how many statements it signed in them, as author or beside one; not those before."""
    with book.writer() as writer:
        writer.party("clinic", roles=["charity"])
    ward = {"record": "account", "unit": "EUR", "owner": "clinic", "author": "clinic"}
    spare, new = (book.keyring.create(book.origin, "clinic", passphrase=None)[0].public_key.hex() for _ in range(2))
    stolen = next(key for party in book.reader().state.parties if party.id == "clinic" for key in party.keys)
    enter(book, {"record": "control", "id": "K-1", "party": "clinic", "recovery": spare})  # block 3
    enter(book, ward | {"id": "ward"})  # block 4: the last that the clinic itself signed
    enter(book, {"record": "disbursement", "id": "B-1", "from": "fund", "to": "ward", "amount": "10"})
    enter(book, spend("X-1", "1", "ward"))
    enter(book, spend("X-2", "1"))
    takeover = {"record": "account-change", "id": "AC", "account": "fund", "owner": "clinic"}
    enter(book, takeover)  # block 8: beside the author
    assert not found(book, "AUDIT-COMPROMISED")
    id_ = key_id(stolen.key).hex()
    enter(book, {
        "record": "key", "party": "clinic", "key": new, "by_recovery": True, "replaces": id_, "compromised_since": 5,
    })  # fmt: skip
    (one,) = found(book, "AUDIT-COMPROMISED")
    assert one.message == (
        f"Key {id_[:16]}… of clinic was compromised from block 5 on and ended before block 10: 2 statements that it"
        " signed in between are disputed."
    )
    assert (one.facts["party"], one.facts["since"], one.facts["until"]) == ("clinic", 5, 10)


def test_an_exceeded_cap_is_a_finding_and_no_notice(book: Ledger) -> None:
    """A cap that only flags is told with its figures, as soon as it is exceeded."""
    cap = {"percent": "10", "base": "received", "categories": ["administration"]}
    enter(
        book,
        {"record": "account-change", "id": "AC", "account": "fund", "caps": [cap]},
        spend("X-1", "100", category="administration", date="2026-03-01"),
    )
    assert not found(book, "AUDIT-CAP")
    enter(book, spend("X-2", "0.01", category="administration", date="2026-03-01"))
    (one,) = found(book, "AUDIT-CAP")
    assert one.message == (
        "Account fund caps administration at 10 percent of what is received by it: in 2026 100.01 EUR were used, of"
        " 1000.00 EUR received."
    )
    assert (one.facts["costs"], one.facts["of"], one.facts["year"]) == ("100.01", "1000.00", 2026)
    assert not [notice for notice in book.verify().notices if "caps" in notice]


# -------------------------------------------------------------------------------------------------- attestations


def test_what_is_attested_of_what_is_held(book: Ledger) -> None:
    """The latest word on an account counts if it is the latest on all that it names; more than is held covers less."""
    assert not found(book, "AUDIT-UNATTESTED")
    with book.writer() as writer:
        writer.party("auditor-co", roles=["auditor"])
    assert messages(book, "AUDIT-UNATTESTED") == [
        "Of 1500.00 EUR held here nothing is attested.", "Of 100 STEP held here nothing is attested.",
    ]  # fmt: skip

    def attest(id_: str, accounts: list[str], amount: str, at: str) -> None:
        enter(book, {
            "record": "attestation", "id": id_, "accounts": accounts, "amount": amount, "at": at,
            "author": "auditor-co",
        })  # fmt: skip

    attest("T-1", ["fund", "relief"], "1450.00", "2026-06-30")
    enter(book, spend("X-1", "100.00"))
    assert messages(book, "AUDIT-UNATTESTED")[0] == (
        "Of 1400.00 EUR held here 1400.00 is attested: T-1 of auditor-co says 1450.00 on 2026-06-30, and the ledger"
        " held 1500.00 when it came."
    )
    attest("T-2", ["fund"], "880.00", "2026-07-01")
    attest("T-3", ["relief"], "1.00", "2026-01-01")  # of an earlier day than T-1, which T-2 replaced in part
    (euro, steps) = found(book, "AUDIT-UNATTESTED")
    assert (euro.facts["held"], euro.facts["attested"], euro.facts["count"]) == ("1400.00", "880.00", 1)
    assert euro.facts["attestations"] == [{
        "id": "T-2", "by": "auditor-co", "at": "2026-07-01", "amount": "880.00", "held_then": "900.00",
        "accounts": ["fund"],
    }]  # fmt: skip
    assert steps.facts["attested"] == "0"


def test_what_a_compromised_key_attested_does_not_count(book: Ledger) -> None:
    """The word before it stands again: what the same key signed before it was stolen."""
    with book.writer() as writer:
        writer.party("auditor-co", roles=["auditor"])
    stolen = next(key for party in book.reader().state.parties if party.id == "auditor-co" for key in party.keys)
    spare, new = (book.keyring.create(book.origin, "auditor-co", passphrase=None)[0].public_key.hex() for _ in "ab")
    enter(book, {"record": "control", "id": "K-1", "party": "auditor-co", "recovery": spare})
    said = {"record": "attestation", "accounts": ["fund", "relief"], "author": "auditor-co"}
    enter(book, said | {"id": "T-1", "amount": "7.00", "at": "2026-05-31"})
    since = book.reader().head.height + 1
    enter(book, said | {"id": "T-2", "amount": "1500.00", "at": "2026-06-30"})
    assert messages(book, "AUDIT-UNATTESTED")[0].startswith("Of 1500.00 EUR held here 1500.00 is attested: T-2 ")
    marked = {"by_recovery": True, "replaces": key_id(stolen.key).hex(), "compromised_since": since}
    enter(book, {"record": "key", "party": "auditor-co", "key": new} | marked)
    assert messages(book, "AUDIT-UNATTESTED")[0].startswith("Of 1500.00 EUR held here 7.00 is attested: T-1 ")
    enter(book, said | {"id": "T-3", "amount": "9.00", "at": "2026-06-30"})
    assert messages(book, "AUDIT-UNATTESTED")[0].startswith("Of 1500.00 EUR held here 9.00 is attested: T-3 ")


# --------------------------------------------------------------------------------------------------------- roles


def test_one_laptop_is_one_calm_line(book: Ledger) -> None:
    """Where one key does everything there is one finding; where somebody else has a say, none."""
    report = book.verify()
    assert [str(finding) for finding in report.findings] == [
        "AUDIT-ROLES  One key holds every role here: nobody but its holder vouches for what was recorded."
    ]
    with book.writer() as writer:
        writer.party("auditor-co", roles=["auditor"])
    assert found(book, "AUDIT-ROLES")  # admitted is not heard
    enter(book, {
        "record": "attestation", "id": "T-1", "accounts": ["fund"], "amount": "1", "at": "2026-06-30",
        "author": "auditor-co",
    })  # fmt: skip
    assert not found(book, "AUDIT-ROLES")


def test_who_checks_or_approves_its_own_is_told(book: Ledger) -> None:
    """An auditor or witness that owns accounts or takes gifts in, and an owner among its approvers."""
    with book.writer() as writer:
        writer.party("clinic", roles=["charity", "auditor"])
        writer.party("shop", roles=["intake", "witness"])
        writer.party("idle", roles=["charity", "auditor"])
        writer.party("board", roles=["charity"])
    enter(book, {
        "record": "account", "id": "ward", "unit": "EUR", "owner": "clinic", "author": "clinic",
        "approvals": {"of": ["board", "clinic"], "needed": 2},
    })  # fmt: skip
    assert messages(book, "AUDIT-ROLES") == [
        "clinic is auditor here and owns ward: it would check its own work.",
        "shop is witness here and takes gifts in: it would check its own work.",
        "Account ward asks for 2 approvals, and its owner clinic may give one itself.",
    ]


# --------------------------------------------------------------------------------------------- the whole section


def test_findings_change_no_verdict_and_stand_in_json(book: Ledger) -> None:
    """A report with findings is good, and its JSON lists them beside faults and notices."""
    enter(book, spend("X-1", "2", invoice=invoice("A", "1")))
    report = book.verify()
    assert report.holds and report.exit_code == 0 and not report.warnings
    assert [row["code"] for row in report.to_dict()["findings"]] == ["AUDIT-INVOICE", "AUDIT-ROLES"]


def test_a_ledger_with_a_fault_is_not_audited(book: Ledger) -> None:
    """Where the ledger does not hold, nothing is said about its books."""
    enter(book, spend("X-1", "2", invoice=invoice("A", "1")))
    data = bytearray(book.path.read_bytes())
    data[-40] ^= 1
    report = verify(MemoryStore(bytes(data)))
    assert not report.holds and report.findings == ()


def test_every_code_is_documented_and_exists() -> None:
    """The page of errors lists each finding's code once, and none that is not there."""
    root = Path(charitychain.__file__).parent
    used = {
        code
        for name in ("audit.py", "findings.py", "outcomes.py", "transit.py")
        for code in re.findall(r'"(AUDIT-[A-Z-]+)"', (root / name).read_text("utf-8"))
    }
    page = (root.parent / "docs" / "reference" / "errors.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| (AUDIT-[A-Z-]+) \|", page, re.MULTILINE)) == sorted(used)
    guide = (root.parent / "docs" / "how-to" / "audit-the-books.md").read_text("utf-8")
    assert used <= set(re.findall(r"AUDIT-[A-Z]+(?:-[A-Z]+)*", guide))


def test_several_keys_of_the_only_party_are_called_what_they_are(tmp_path: Path) -> None:
    """An operator with two keys is still one party that vouches for everything."""
    with Ledger.create(tmp_path / "k.ledger", origin="k.example", keys=tmp_path / "keys") as ledger:
        _, more = ledger.keyring.create(ledger.origin, "self", passphrase=None)
        with ledger.writer() as writer:
            writer.account("fund", unit="EUR")
            writer.add({"record": "key", "party": "self", "key": more.public_key.hex()})
        (found,) = (finding for finding in ledger.verify().findings if finding.code == "AUDIT-ROLES")
    assert found.message.startswith("The keys of one party hold every role here")
