"""Every kind of record under every set of signers, and every way around a control: the ledger as the model says.

One small book with several parties is put to both. Each attempt is made in a dry run, so that all of them meet the same
book: alone, and as the second record of a statement that begins with an innocent one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from oracle.lines import account, change, convert, gifts, give, pass_on, refund, reverse, spend, split
from oracle.model import Model, ModelRefused

from charitychain import entries
from charitychain.errors import MalformedError, RefusedError
from charitychain.ledger import Ledger

Entry = dict[str, Any]


def plan(name: str, of: str, **more: Any) -> Entry:
    lines = [{"line": "books", "kind": "money", "what": "books", "quantity": 1, "price": "9"}]
    return {"record": "plan", "id": name, "account": of, "lines": lines, **more}


def outcome(name: str, of: str, *uses: str, **more: Any) -> Entry:
    return {
        "record": "outcome", "id": name, "account": of, "indicator": "books", "quantity": 3, "of": list(uses), **more,
    }  # fmt: skip


ROLES: dict[str, tuple[str, ...]] = {
    "self": ("operator", "intake", "charity", "sponsor"), "clinic": ("charity",), "platform": ("intake",),
    "board": ("auditor",), "guard": ("auditor",),
}  # fmt: skip
EVERYBODY = frozenset(ROLES)
NOW, TODAY = 1_781_500_000, "2026-06-15"
TWO = {"of": ["board", "guard", "self"], "needed": 2}
BOOKS = {"purposes": ["books"], "from": "2026-01-01", "until": "2026-12-31"}
CAP = {"percent": "10", "period": "all", "mode": "refuse"}

BOOK: list[Entry] = [
    account("home"),
    account("far", owner="clinic"),
    account("asked", owner="clinic", approvals=TWO),
    account("empty", owner="clinic", approvals=TWO),
    account("bound", restriction=BOOKS),
    account("bound-too", restriction=BOOKS),
    account("lean", caps=[{**CAP, "base": "received", "scope": "account"}]),
    account("thrifty", caps=[{**CAP, "base": "spent", "scope": "account"}]),
    account("clinic-lean", owner="clinic", caps=[{**CAP, "base": "received", "scope": "party"}]),
    account("even", rule="pro-rata", naming="forbidden"),
    account("shy", naming="forbidden"),
    account("usd", "USD"),
    account("usd-bound", "USD", restriction=BOOKS),
    account("masks", "MASK"),
    account("levied", levy={"home": "10"}),
    account("shut"),
    account("goods", "MASK", owner="clinic"),
    account("goods-asked", "MASK", owner="clinic", approvals=TWO),
    account("goods-shy", "MASK", naming="forbidden"),
    give("D-home", "home", "100"),
    give("D-asked", "asked", "40", author="platform"),
    gifts("S", "asked", {1: "20", 2: "20"}, author="platform"),
    gifts("S", "bound", {3: "20", 4: "20"}, author="platform"),
    give("D-bound", "bound", "40"),
    give("D-lean", "lean", "100"),
    give("D-thrifty", "thrifty", "300"),
    give("D-shy", "shy", "20"),
    give("D-levied", "levied", "100"),
    give("D-masks", "masks", "50"),
    give("D-usd", "usd", "1.00"),
    give("D-even", "even", "20"),
    give("D-far", "far", "50"),
    give("D-clinic", "clinic-lean", "50"),
    give("D-shut", "shut", "5"),
    give("D-undone", "asked", "5", author="platform"),
    reverse("U-undone", "D-undone"),
    {"record": "pledge", "id": "P-1", "account": "asked", "amount": "9", "author": "platform"},
    pass_on("B-in", "home", "asked", "20"),
    pass_on("B-bound", "home", "bound", "10"),
    pass_on("B-shut", "shut", "home", "5"),
    spend("X-asked", "asked", "20"),
    spend("X-bound", "bound", "10", purpose="books", date="2026-05-01"),
    spend("X-thrifty", "thrifty", "90"),
    spend("X-shy", "shy", "5"),
    pass_on("B-shy", "shy", "home", "2"),
    pass_on("B-to-shy", "home", "shy", "2"),
    split("S-out", "masks", "10", {"goods-asked": "5", "goods": "5"}),
    split("S-to-shy", "masks", "10", {"goods-shy": "5", "goods": "5"}),
    spend("X-far", "far", "5"),
    reverse("U-far", "X-far"),
    pass_on("B-far", "far", "home", "5"),
    reverse("U-far-2", "B-far"),
    plan("PL-0", "asked"),
    plan("PL", "asked", replaces="PL-0"),
    spend("X-lost", "even", "1", category="loss"),
    change("AC-shut", "shut", closed=True),
]  # fmt: skip


class Book:
    """A ledger and a model of the same book."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.create(folder / "a.ledger", origin="a.example", keys=folder, clock=lambda: NOW)
        self.model = Model(today=TODAY, roles=ROLES)
        with self.ledger.writer() as writer:
            for party, roles in ROLES.items():
                if party != "self":
                    writer.party(party, roles=list(roles))
        self.enter(*BOOK)

    def enter(self, *records: Entry) -> None:
        """Record entries in both, each under the signatures that it needs."""
        with self.ledger.writer() as writer:
            for record in records:
                writer.add(record)
                self.model.apply(record)

    def ask(self, records: list[Entry], author: str, signers: Iterable[str], *, after: Iterable[Entry] = ()) -> str:
        """Return why the model refuses a statement, or nothing; the ledger must say the same, and records neither.

        Args:
            after: What is recorded before it, for this question only, under the signatures that it needs.
        """
        refusal, code = "", ""
        model = copy.deepcopy(self.model)
        for record in after:
            model.apply(record)
        try:
            model.apply({"record": "statement", "records": records}, frozenset(signers), author)
        except ModelRefused as error:
            refusal = error.reason
        try:
            with self.ledger.writer(dry=True) as writer:
                for record in after:
                    assert writer.add(record)
                state = writer.core.state
                built = [entries.build(state, record) for record in records]
                items = [(each.record, each.columns, ()) for each in built]
                writer.core.record_together(items, state.party(author), [state.party(each) for each in signers])
        except (RefusedError, MalformedError) as error:
            code = error.code
        assert bool(refusal) == bool(code), (refusal, code, records, author, sorted(signers))
        return refusal


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    made = Book(tmp_path_factory.mktemp("book"))
    with made.ledger:
        yield made


# -- who signs ---------------------------------------------------------------------------------------

NEEDS: list[tuple[Entry, set[str], bool]] = [
    # (a record, who must sign beside any approvers, whether two of board, guard and self must approve)
    (give("n", "asked", "1"), {"clinic"}, False),
    (give("n", "asked", "1", author="platform"), {"platform"}, False),
    (gifts("T", "asked", {1: "1"}), {"clinic"}, False),
    (gifts("S", "asked", {9: "1"}), {"platform"}, False),
    ({"record": "pledge", "id": "n", "account": "asked", "amount": "1"}, {"clinic"}, False),
    (pass_on("n", "home", "asked", "1"), {"self"}, False),
    (pass_on("n", "asked", "home", "1"), {"clinic"}, True),
    (pass_on("n", "asked", "far", "1", gift="S/2"), {"clinic"}, True),
    (split("n", "asked", "2", {"home": "1", "far": "1"}), {"clinic"}, True),
    (spend("n", "asked", "1"), {"clinic"}, True),
    (spend("n", "asked", "1", gift="S/2"), {"clinic"}, True),
    (convert("n", "asked", "1", "usd", "0.01"), {"clinic", "self"}, True),
    (convert("n", "usd", "0.01", "asked", "1"), {"clinic", "self"}, False),
    (convert("n", "masks", "1", "far", "1", funded_from="asked"), {"clinic", "self"}, True),
    (refund("n", "D-asked"), {"clinic"}, True),
    (refund("n", "S/2", amount="3"), {"clinic"}, True),
    (reverse("n", "X-asked"), {"clinic"}, False),
    (reverse("n", "X-asked", gift="D-asked", amount="1"), {"clinic"}, False),
    (reverse("n", "B-in", amount="5"), {"self", "clinic"}, True),
    (reverse("n", "S-out", **{"from": "goods-asked"}), {"self", "clinic"}, True),
    (reverse("n", "S-out", amount="3", **{"from": "goods"}), {"self", "clinic"}, False),
    (reverse("n", "S-to-shy", **{"from": "goods-shy"}), {"self"}, False),
    (reverse("n", "D-asked", amount="5"), {"platform", "clinic"}, True),
    (reverse("n", "D-asked", amount="5", author="clinic"), {"clinic"}, True),
    (reverse("n", "S/2"), {"platform", "clinic"}, True),
    (reverse("n", "P-1"), {"platform"}, False),
    (change("n", "asked", title="Another"), {"clinic"}, True),
    (change("n", "asked", approvals={}), {"clinic"}, True),
    (change("n", "asked", owner="self"), {"clinic", "self"}, True),
    (change("n", "empty", closed=True), {"clinic"}, True),
    (change("n", "shut", closed=False), {"self"}, False),
    (account("n", owner="clinic"), {"clinic"}, False),
    (plan("n", "asked"), {"clinic"}, False),
    (plan("n", "asked", replaces="PL"), {"clinic"}, False),
    (outcome("n", "asked", "X-asked"), {"clinic"}, False),
    (outcome("n", "asked", "X-asked", author="board"), {"board"}, False),
    (spend("n", "asked", "1", category="loss"), {"clinic"}, True),
    (give("n", "asked", "1", pledge="P-1", because_of="D-far"), {"clinic"}, False),
    (spend("n", "home", "1", line="PL/books"), {"self", "clinic"}, False),
    (spend("n", "asked", "1", line="PL/books"), {"clinic"}, True),
    (convert("n", "home", "1", "usd", "0.01", line="PL/books"), {"self", "clinic"}, False),
    (spend("n", "home", "1", replaces="X-far"), {"self", "clinic"}, False),
    (pass_on("n", "home", "even", "1", replaces="B-far"), {"self", "clinic"}, False),
    (split("n", "home", "1", {"even": "1"}, replaces="B-far"), {"self", "clinic"}, False),
    (give("n", "asked", "1", replaces="D-undone"), {"clinic"}, False),
    (give("n", "home", "1", replaces="D-undone", author="platform"), {"platform"}, False),
]


@pytest.mark.parametrize(("record", "needed", "approved"), NEEDS)
def test_a_record_counts_under_just_the_sets_of_signers_that_it_needs(
    book: Book, record: Entry, needed: set[str], approved: bool
) -> None:
    """Of all 31 sets of five parties, those with everybody who must sign, and enough approvers, pass; no others do."""
    author = book.model.author_of({"author": "platform", **record} if record.get("series") == "S" else record)
    for count in range(1, len(EVERYBODY) + 1):
        for chosen in combinations(sorted(EVERYBODY), count):
            signers = frozenset(chosen)
            good = needed <= signers and (not approved or len(signers & set(TWO["of"])) >= TWO["needed"])
            speaks = author if author in signers else chosen[0]
            if good:
                assert author in signers
            refusal = book.ask([record], speaks, signers)
            if author in signers:
                assert (not refusal) == good, (refusal, chosen)


def test_what_replaces_a_record_is_signed_by_its_owner_or_by_who_entered_it(book: Book) -> None:
    """Of all sets of signers in which the operator speaks, those with the clinic or the platform pass."""
    again = give("n", "home", "1", replaces="D-undone")
    for count in range(len(EVERYBODY)):
        for others in combinations(sorted(EVERYBODY - {"self"}), count):
            refusal = book.ask([again], "self", {"self", *others})
            assert refusal == ("" if {"clinic", "platform"} & set(others) else "signature"), others


def test_who_speaks_decides_for_gifts_their_reversal_and_their_series(book: Book) -> None:
    """Among signers that are all there, a gift is entered by owner or intake and reversed by its enterer or owner."""
    for record, speakers in (
        (give("n", "far", "1"), {"self", "platform", "clinic"}),
        (gifts("T", "far", {1: "1"}), {"self", "platform", "clinic"}),
        (gifts("S", "far", {9: "1"}), {"platform"}),
        (reverse("n", "D-asked", amount="5"), {"platform", "clinic"}),
        (reverse("n", "S/1", amount="1"), {"platform", "clinic"}),
        (pass_on("n", "far", "home", "1"), set(EVERYBODY)),
        (change("n", "far", owner="self"), set(EVERYBODY)),
        (outcome("n", "asked", "X-asked"), {"clinic", "board", "guard"}),
        (outcome("n", "far", "X-asked"), set[str]()),
    ):
        assert {party for party in EVERYBODY if not book.ask([record], party, EVERYBODY)} == speakers, record


def test_a_handed_over_account_obeys_its_new_owner_alone(tmp_path: Path) -> None:
    """After the hand-over, the old owner's signature moves nothing and changes nothing, and the new one's does all."""
    book = Book(tmp_path)
    with book.ledger:
        book.enter(change("AC-1", "home", owner="clinic"), spend("X-1", "home", "5"))
        for record in (
            pass_on("n", "home", "far", "1"), split("n", "home", "1", {"far": "1"}), spend("n", "home", "1"),
            refund("n", "D-home", amount="1"), reverse("n", "X-1"), change("n", "home", title="Mine"),
            gifts("T", "home", {1: "1"}), change("n", "home", caps=[]),
        ):  # fmt: skip
            for signers in (EVERYBODY - {"clinic"}, {"self"}):
                refusal = book.ask([record], "self", signers)
                # Gifts are taken in by any intake, as ever.
                assert refusal == ("" if record["record"] == "gifts" else "signature"), record
            assert book.ask([record], "clinic", {"clinic"}) == "", record
        back = change("n", "home", owner="self")
        assert book.ask([back], "self", {"self"}) == book.ask([back], "clinic", {"clinic"}) == "signature"
        assert book.ask([back], "clinic", {"self", "clinic"}) == ""
        # What was entered under the old owner is undone by whoever entered it, with the consent of who holds it now.
        undo = reverse("n", "D-home", amount="5")
        assert book.ask([undo], "self", {"self"}) == "signature"
        assert book.ask([undo], "self", {"self", "clinic"}) == book.ask([undo], "clinic", {"clinic"}) == ""
        # In one statement, what follows the hand-over needs the new owner and not the old one, who signs anyway.
        both = [change("n", "far", owner="self"), spend("m", "far", "1")]
        assert book.ask(both, "clinic", {"clinic"}) == "signature"
        assert book.ask(both, "clinic", {"clinic", "self"}) == ""
        for nobody in ("platform", "board"):
            assert book.ask([change("n", "far", owner=nobody)], "clinic", EVERYBODY) == "role"


# -- ways around -------------------------------------------------------------------------------------


def cost(source: str, amount: str) -> Entry:
    return spend("cost", source, amount, category="administration")


LEAKS: list[tuple[str, Entry]] = [
    ("restriction", spend("n", "bound", "1", purpose="rice", date="2026-05-01")),
    ("restriction", spend("n", "bound", "1", purpose="books", date="2025-12-31")),
    ("restriction", spend("n", "bound", "1", purpose="books")),
    ("restriction", spend("n", "bound", "1", purpose="rice", date="2026-05-01", gift="S/3")),
    ("restriction", pass_on("n", "bound", "home", "1")),
    ("restriction", pass_on("n", "bound", "home", "1", gift="S/3")),
    ("restriction", split("n", "bound", "2", {"bound-too": "1", "home": "1"})),
    ("restriction", convert("n", "bound", "1", "usd", "0.01")),
    ("restriction", convert("n", "masks", "1", "home", "1", funded_from="bound")),
    ("restriction", change("n", "bound", restriction={})),
    ("restriction", change("n", "bound", restriction={**BOOKS, "purposes": ["books", "rice"]})),
    ("restriction", change("n", "bound", owner="clinic", restriction={**BOOKS, "until": "2027-12-31"})),
    ("closed", change("n", "bound", closed=True)),
    ("moved-on", reverse("n", "B-bound", amount="11")),
    ("moved-on", reverse("n", "S/3", amount="11")),
    ("reversal", reverse("n", "X-bound", amount="11")),
    ("refund", refund("n", "S/3", amount="21")),
    ("levy", pass_on("n", "levied", "home", "10")),
    ("levy", spend("n", "levied", "10", gift="D-levied")),
    ("levy", convert("n", "levied", "1", "usd", "0.01")),
    ("levy", convert("n", "masks", "1", "home", "1", funded_from="levied")),
    ("levy", split("n", "levied", "10", {"shy": "10"})),
    ("levy", split("n", "levied", "10", {"home": "2", "shy": "8"})),
    ("naming", spend("n", "shy", "1", gift="D-shy")),
    ("naming", pass_on("n", "shy", "home", "1", gift="D-shy")),
    ("naming", reverse("n", "X-shy", gift="D-shy")),
    ("naming", reverse("n", "B-shy", gift="D-shy")),
    ("naming", reverse("n", "B-to-shy", gift="D-home")),
    ("naming", reverse("n", "S-to-shy", gift="D-masks", **{"from": "goods-shy"})),
    ("closed", give("n", "shut", "1")),
    ("closed", gifts("T", "shut", {1: "1"})),
    ("closed", pass_on("n", "home", "shut", "1")),
    ("closed", split("n", "home", "2", {"far": "1", "shut": "1"})),
    ("closed", convert("n", "usd", "0.01", "shut", "1")),
    ("closed", reverse("n", "B-shut")),
    ("overdraft", spend("n", "far", "51")),
    ("overdraft", split("n", "far", "51", {"home": "51"})),
    ("overdraft", convert("n", "far", "51", "usd", "0.01")),
    ("overdraft", convert("n", "masks", "1", "home", "51", funded_from="far")),
    ("unfunded", convert("n", "masks", "1", "home", "1")),
    ("same-unit", convert("n", "far", "1", "home", "50")),
    ("parts", split("n", "far", "1", {"home": "1", "even": "1"})),
    ("same-account", split("n", "far", "2", {"home": "1", "far": "1"})),
    ("cap", cost("lean", "11")),
    ("cap", {**cost("lean", "11"), "gift": "D-lean"}),
    ("cap", cost("thrifty", "11")),
    ("cap", cost("clinic-lean", "21")),
    ("cap", cost("far", "21")),
    ("cap", cost("asked", "21")),
    ("moved-on", reverse("n", "S-out", amount="6", **{"from": "goods"})),
    ("reverses", reverse("n", "S-out", amount="1")),
    ("reverses", reverse("n", "S-out", amount="1", **{"from": "masks"})),
    ("reverses", reverse("n", "X-asked", **{"from": "asked"})),
    ("reverses", reverse("n", "D-home", amount="1", **{"from": "home"})),
    ("outcome", outcome("n", "home", "X-asked")),
    ("outcome", outcome("n", "even", "X-lost")),
    ("future", give("n", "home", "1", date="2026-06-17")),
    ("future", gifts("T", "home", {1: "1"}, date="2999-01-01")),
    ("future", spend("n", "home", "1", date="2026-07")),
    ("future", pass_on("n", "home", "far", "1", date="2027")),
    ("future", split("n", "home", "1", {"far": "1"}, date="2999-01-01")),
    ("future", convert("n", "home", "1", "usd", "0.01", date="2999-01-01")),
    ("future", refund("n", "D-home", amount="1", date="2999-01-01")),
    ("future", reverse("n", "X-asked", date="2999-01-01")),
    ("future", change("n", "home", title="Another", date="2999-01-01")),
    ("future", plan("n", "home", date="2999-01-01")),
    ("future", {"record": "pledge", "id": "n", "account": "home", "amount": "1", "date": "2999-01-01"}),
    ("change", change("n", "home")),
    ("change", change("n", "home", closed=False)),
    ("change", change("n", "home", closed=False, title="Another")),
    ("change", change("n", "shut", closed=True)),
    ("replaces", give("n", "home", "1", replaces="D-home")),
    ("replaces", give("n", "home", "1", replaces="X-far")),
    ("replaces", spend("n", "home", "1", replaces="D-undone")),
    ("replaces", spend("n", "home", "1", replaces="B-far")),
    ("replaces", pass_on("n", "home", "far", "1", replaces="X-far")),
    ("replaces", split("n", "home", "1", {"far": "1"}, replaces="U-far")),
    ("replaces", convert("n", "home", "1", "usd", "0.01", replaces="X-far")),
    ("replaces", spend("n", "home", "1", replaces="home")),
    ("replaces", plan("n", "asked", replaces="PL-0")),
    ("replaces", plan("n", "home", replaces="PL")),
    ("line", spend("n", "home", "1", line="PL/rice")),
]


@pytest.mark.parametrize(("reason", "record"), LEAKS)
def test_no_kind_of_record_gets_around_a_control(book: Book, reason: str, record: Entry) -> None:
    """With everybody's signature it is refused alone, behind an innocent record, and before one."""
    owner = book.model.author_of(record)
    innocent = give("innocent", "even", "1", author="self")
    assert book.ask([record], owner, EVERYBODY) == reason
    assert book.ask([innocent, record], owner if owner != "clinic" else "self", EVERYBODY) == reason
    assert book.ask([record, innocent], "self", EVERYBODY) in (reason, "role")


@pytest.mark.parametrize("date", ["2026-06-16", "2026-06", "2026"])
def test_a_date_may_begin_tomorrow(book: Book, date: str) -> None:
    """Where it is tomorrow by now, today's record says so."""
    assert book.ask([give("n", "home", "1", date=date)], "self", {"self"}) == ""


@pytest.mark.parametrize(
    ("day", "code"), [("2026-06-16", ""), ("2026-06-17", "CC-FUTURE"), ("2999-01-01", "CC-FUTURE")]
)
def test_nobody_attests_or_closes_a_day_to_come(book: Book, day: str, code: str) -> None:
    """An attestation's day, and the last day of a period, are tomorrow at the latest."""
    for record in (
        {"record": "attestation", "id": "n", "accounts": ["home"], "amount": "1", "at": day, "author": "board"},
        {"record": "period", "id": "n", "until": day, "accounts": ["home"]},
    ):
        found = ""
        try:
            with book.ledger.writer(dry=True) as writer:
                writer.add(record)
        except (RefusedError, MalformedError) as error:
            found = error.code
        assert found == code, record


UNDO_SPLIT = [
    reverse("b", "a", date="2025", **{"from": "home"}), reverse("c", "a", **{"from": "far"}),
]  # fmt: skip

# Each lifts nothing: afterwards costs of 10 pass as before and 11 do not. (account, costs that pass, what is tried)
ROUND_TRIPS: list[tuple[str, int, list[Entry]]] = [
    ("lean", 10, [pass_on("a", "lean", "home", "50"), pass_on("b", "home", "lean", "50")]),
    ("lean", 10, [pass_on("a", "lean", "far", "50"), pass_on("b", "far", "lean", "50")]),
    ("lean", 10, [split("a", "lean", "60", {"home": "30", "far": "30"}), pass_on("b", "home", "lean", "30"),
                  pass_on("c", "far", "lean", "30")]),
    ("lean", 10, [pass_on("a", "lean", "home", "50"), reverse("b", "a")]),
    ("lean", 10, [pass_on("a", "lean", "home", "50"), reverse("b", "a", amount="40")]),
    ("lean", 10, [convert("a", "lean", "50", "usd", "0.50"), convert("b", "usd", "0.50", "lean", "50")]),
    ("lean", 10, [convert("a", "lean", "50", "masks", "5"), convert("b", "masks", "5", "home", "50",
                  funded_from="far"), pass_on("c", "home", "lean", "50")]),
    ("lean", 10, [give("a", "lean", "50"), reverse("b", "a")]),
    ("lean", 10, [gifts("T", "lean", {1: "30", 2: "20"}), reverse("a", "T/1"), refund("b", "T/2")]),
    ("lean", 10, [spend("a", "lean", "50"), reverse("b", "a", amount="30"), reverse("c", "a", gift="D-lean")]),
    ("lean", 10, [cost("lean", "10") | {"id": "a"}, reverse("b", "a")]),
    ("lean", 10, [change("a", "lean", owner="clinic"), change("b", "lean", owner="self")]),
    ("thrifty", 10, [spend("a", "thrifty", "50"), reverse("b", "a")]),
    ("thrifty", 10, [pass_on("a", "thrifty", "home", "50"), pass_on("b", "home", "thrifty", "50")]),
    ("thrifty", 10, [pass_on("a", "thrifty", "home", "50"), reverse("b", "a")]),
    ("thrifty", 10, [give("a", "thrifty", "50"), refund("b", "a", amount="20"), reverse("c", "a", amount="30")]),
    ("thrifty", 10, [convert("a", "thrifty", "50", "usd", "0.50"), convert("b", "usd", "0.50", "thrifty", "50")]),
    ("clinic-lean", 20, [pass_on("a", "clinic-lean", "far", "50"), pass_on("b", "far", "clinic-lean", "50")]),
    ("clinic-lean", 20, [pass_on("a", "clinic-lean", "home", "25"), pass_on("b", "home", "far", "25")]),
    ("clinic-lean", 20, [split("a", "clinic-lean", "40", {"far": "20", "home": "20"}),
                         pass_on("b", "home", "clinic-lean", "20")]),
    ("lean", 10, [split("a", "lean", "60", {"home": "30", "far": "30"}), *UNDO_SPLIT]),
    ("lean", 10, [give("a", "home", "50"), pass_on("b", "home", "lean", "50", gift="a"), reverse("c", "a")]),
    ("lean", 10, [give("a", "lean", "50"), split("b", "lean", "60", {"home": "30", "far": "30"}),
                  reverse("c", "b", **{"from": "home"}), reverse("d", "b", **{"from": "far"}), reverse("e", "a")]),
    ("lean", 10, [give("a", "lean", "50", date="2025"), reverse("b", "a", date="2026")]),
    ("thrifty", 10, [split("a", "thrifty", "60", {"home": "30", "far": "30"}), *UNDO_SPLIT]),
    ("thrifty", 10, [give("a", "thrifty", "50"), pass_on("b", "thrifty", "home", "50", gift="a"), reverse("c", "a")]),
    ("clinic-lean", 20, [give("a", "home", "50"), pass_on("b", "home", "clinic-lean", "50", gift="a"),
                         reverse("c", "a", amount="50")]),
    ("clinic-lean", 20, [give("a", "home", "50"), pass_on("b", "home", "far", "50", gift="a"),
                         pass_on("c", "far", "clinic-lean", "50", gift="a"), reverse("d", "a")]),
    # Through an account that changes hands meanwhile.
    ("clinic-lean", 20, [account("via", owner="clinic"), pass_on("a", "clinic-lean", "via", "40"),
                         change("b", "via", owner="self"), pass_on("c", "via", "clinic-lean", "40")]),
    ("clinic-lean", 20, [account("via", owner="clinic"), pass_on("a", "clinic-lean", "via", "40"),
                         change("b", "via", owner="self"), reverse("c", "a")]),
    ("clinic-lean", 20, [account("via"), give("a", "via", "40"), change("b", "via", owner="clinic"),
                         reverse("c", "a")]),
    ("clinic-lean", 20, [account("via"), give("a", "via", "40"), change("b", "via", owner="clinic"),
                         pass_on("c", "via", "clinic-lean", "30"), reverse("d", "a")]),
    ("clinic-lean", 20, [account("via"), give("a", "via", "40"), spend("b", "via", "40"),
                         change("c", "via", owner="clinic"), reverse("d", "b"), reverse("e", "a")]),
    ("clinic-lean", 20, [account("via"), give("a", "via", "40"), pass_on("b", "via", "home", "40"),
                         change("c", "via", owner="clinic"), reverse("d", "b"), pass_on("e", "via", "home", "40")]),
    ("clinic-lean", 20, [account("via", owner="self"), pass_on("a", "clinic-lean", "via", "40"),
                         change("b", "via", owner="clinic"), pass_on("c", "via", "clinic-lean", "40")]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "most", "records"), ROUND_TRIPS)
def test_no_round_trip_makes_room_under_a_cap(book: Book, source: str, most: int, records: list[Entry]) -> None:
    """There and back by any kind of record: the most that may go to costs is what it was, to the unit."""
    owner = book.model.accounts[source].terms.owner
    assert book.ask([cost(source, str(most))], owner, EVERYBODY, after=records) == ""
    assert book.ask([cost(source, str(most + 1))], owner, EVERYBODY, after=records) == "cap"


def test_what_leaves_through_a_funded_conversion_went_elsewhere_for_a_cap(tmp_path: Path) -> None:
    """Of 100 steps that came in, 60 were walked for a sponsor: 40 are left to be a base, and 4 may go to costs."""
    book = Book(tmp_path)
    with book.ledger:
        cap = {**CAP, "base": "received", "scope": "account"}
        book.enter(
            account("steps", "STEP", caps=[cap]), account("walk", "STEP"), give("a", "walk", "100"),
            pass_on("b", "walk", "steps", "100"), convert("c", "steps", "60", "far", "6", funded_from="home"),
        )  # fmt: skip
        assert book.ask([cost("steps", "4")], "self", EVERYBODY) == ""
        assert book.ask([cost("steps", "5")], "self", EVERYBODY) == "cap"
        spent = {**CAP, "base": "spent", "scope": "account"}
        book.enter(change("d", "steps", caps=[spent]))
        assert book.ask([cost("steps", "6")], "self", EVERYBODY) == "cap"
        book.enter(pass_on("e", "steps", "walk", "40"), give("f", "steps", "20"))  # 100 came, 100 went
        assert book.ask([cost("steps", "1")], "self", EVERYBODY) == "cap"


def test_a_levy_that_is_stated_again_starts_anew(tmp_path: Path) -> None:
    """A tenth of 5 is nothing, of 10 it is 1; stated again between two splits of 5, nothing is due of either."""
    book = Book(tmp_path)
    with book.ledger:
        book.enter(split("a", "levied", "5", {"shy": "5"}))
        assert book.ask([split("b", "levied", "5", {"shy": "5"})], "self", EVERYBODY) == "levy"
        book.enter(change("c", "levied", levy={"home": "10"}))
        assert book.ask([split("d", "levied", "5", {"shy": "5"})], "self", EVERYBODY) == ""
        book.enter(change("e", "levied", title="The same"), split("f", "levied", "5", {"shy": "5"}))
        assert book.ask([split("g", "levied", "5", {"shy": "5"})], "self", EVERYBODY) == "levy"
