"""Volunteer hours: minutes of several events in one table, spent on a project, and confirmed by who got the work."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charitychain.errors import CharitychainError, RefusedError
from charitychain.interop import gifts_table
from charitychain.interop.journal import Imported
from charitychain.ledger import Ledger
from charitychain.programmes.hours import import_hours, spend_hours

ROOT = Path(__file__).parents[2]
ANN, BO = "1a" * 16, "1b" * 16


@pytest.fixture
def events(ledger: Ledger) -> Ledger:
    """Give a ledger with two events, an account in money, and a school with a key of its own."""
    with ledger.writer() as writer:
        writer.account("garden", unit="MINUTE")
        writer.account("river", unit="MINUTE")
        writer.account("money", unit="CNY")
        writer.party("school", roles=["charity"])
    return ledger


@pytest.fixture
def enter(events: Ledger, table: Callable[..., Path]) -> Callable[..., Imported]:
    """Give a function that enters rows of hours."""

    def run(*rows: str, **options: Any) -> Imported:
        with events.writer() as writer:
            return import_hours(writer, table("entry,volunteer,date,event,minutes", *rows), **options)

    return run


def test_minutes_go_to_their_events(events: Ledger, enter: Callable[..., Imported]) -> None:
    """Each entry is a gift of its volunteer, with its day, into the account of its event; one series for each event."""
    done = enter(
        f"1,{ANN},2020-06-06,garden,180", f"2,{BO.upper()},2020-06-06,river,95", f"7,{ANN},2020-06-07,garden,5"
    )
    assert done == Imported(3, 0, 1)
    found = events.trace("hours-river/2")
    assert (found.donor, found.source, found.date, str(found.money)) == (BO, "hours", "2020-06-06", "95")
    assert events.trace("hours-garden/7").date == "2020-06-07"
    assert (str(events.balance("garden")), str(events.balance("river"))) == ("185", "95")
    assert events.verify().holds


def test_entering_again_skips_and_compares(events: Ledger, enter: Callable[..., Imported]) -> None:
    """What is there is skipped in every event, and one row that says something else refuses the whole table."""
    rows = [f"1,{ANN},2020-06-06,garden,180", f"2,{BO},2020-06-06,river,95", f"3,{BO},2020-06-06,garden,60"]
    assert enter(*rows[:2]) == Imported(2, 0, 1)
    assert enter(*rows) == Imported(1, 2, 1)
    assert enter(*rows) == Imported(0, 3, 0)
    before = events.path.read_bytes()
    for row in (
        f"2,{BO},2020-06-06,river,96", f"2,{ANN},2020-06-06,river,95", f"2,{BO},2020-06-07,river,95",
    ):  # fmt: skip
        with pytest.raises(RefusedError, match=r"^table\.csv, line 3: gift hours-") as caught:
            enter(rows[0], row, f"9,{BO},2020-06-06,garden,1")
        assert caught.value.code == "CC-DUPLICATE-ID"
    assert events.path.read_bytes() == before
    assert enter(*rows, prefix="club").added == 3


def test_an_entry_whose_event_was_corrected_is_not_given_twice(events: Ledger, enter: Callable[..., Imported]) -> None:
    """Row 3 was of the river: refused, and told where it stands, until that gift is reversed; then all is once."""
    rows = [f"1,{ANN},2020-06-06,garden,180", f"2,{BO},2020-06-06,river,95", f"3,{ANN},2020-06-06,garden,240"]
    enter(*rows)
    rows[2] = f"3,{ANN},2020-06-06,river,240"
    for garden, back in (("420", "120"), ("300", "120")):  # of the part that is not taken back the entry still stands
        with pytest.raises(RefusedError, match=r"^table\.csv, line 4: entry 3 .* as gift hours-garden/3;") as caught:
            enter(*rows)
        assert (caught.value.code, caught.value.facts) == ("CC-DUPLICATE-ID", {"line": 4, "gift": "hours-garden/3"})
        assert (str(events.balance("garden")), str(events.balance("river"))) == (garden, "95")
        with events.writer() as writer:
            writer.reversal(f"U-{garden}", reverses="hours-garden/3", amount=back)
    assert enter(*rows) == Imported(1, 2, 1)
    assert enter(*rows) == Imported(0, 3, 0)
    assert (str(events.balance("garden")), str(events.balance("river"))) == ("180", "335")


@pytest.mark.parametrize("seed", range(6))
def test_numbers_are_unique_over_all_events(
    ledger: Ledger, table: Callable[..., Path], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random tables and events, also such as the table names none of: as a dictionary of numbers says it."""
    monkeypatch.setattr(gifts_table, "GIFTS_IN_STATEMENT", 2)
    rng = random.Random(seed)
    names = ("a", "b", "a-b", "c")
    with ledger.writer() as writer:
        for name in names:
            writer.account(name, unit="MINUTE")
    there: dict[tuple[str, int], str] = {}
    refused = 0
    for _ in range(60):
        prefix = rng.choice(("hours", "hours-a"))
        numbers = sorted(rng.sample(range(40), rng.randrange(1, 5)))
        chosen = [(n, rng.choice(names)) for n in numbers]
        clashes = [i for i, (n, name) in enumerate(chosen, 2) if there.get((prefix, n), name) != name]
        try:
            with ledger.writer() as writer:
                path = table("entry,volunteer,date,event,minutes", *(f"{n},{ANN},2020-06-06,{e},5" for n, e in chosen))
                import_hours(writer, path, prefix=prefix)
        except RefusedError as error:
            refused += bool(clashes)
            if ": entry " in error.message:
                assert error.facts["line"] == clashes[0]
            continue
        assert not clashes
        there |= {(prefix, n): name for n, name in chosen}
    assert refused > 3 and len(there) > 10


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"1,{ANN},2020-06-06,garden,5", "CC-TABLE"), (f"3,{ANN},2020-06-06,garden,0", "CC-TABLE"),
        (f"3,{ANN},2020-06-06,garden,1.5", "CC-TABLE"), ("3,Ann,2020-06-06,garden,5", "CC-TABLE"),
        (f"3,{ANN},June,garden,5", "CC-RECORD"), (f"3,{ANN},2999-06-06,garden,5", "CC-FUTURE"),
        (f"3,{ANN},2020-06-06,lake,5", "CC-UNKNOWN-ACCOUNT"), (f"3,{ANN},2020-06-06,money,5", "CC-UNIT"),
        (f"3,{ANN},2020-06-06,,5", "CC-TABLE"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_with_its_line(
    events: Ledger, enter: Callable[..., Imported], row: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a table with a bad row is recorded, even where each gift would be a block of its own."""
    monkeypatch.setattr(gifts_table, "GIFTS_IN_BLOCK", 1)
    before = events.path.read_bytes()
    with pytest.raises(CharitychainError, match=r"^table\.csv, line 3: ") as caught:
        enter(f"1,{ANN},2020-06-06,garden,5", row, f"9,{ANN},2020-06-06,river,5")
    assert caught.value.code == code
    assert events.path.read_bytes() == before


@pytest.mark.parametrize("seed", range(3))
def test_all_minutes_of_an_event_reach_the_project(
    events: Ledger, enter: Callable[..., Imported], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order of events, days and blocks: sums by event are those of the table, and each trace is whole."""
    monkeypatch.setattr(gifts_table, "GIFTS_IN_STATEMENT", 3)
    monkeypatch.setattr(gifts_table, "GIFTS_IN_BLOCK", 7)
    rng = random.Random(seed)
    rows = [
        (n, rng.choice((ANN, BO)), f"2020-06-0{rng.randrange(1, 4)}", rng.choice(("garden", "river")), n * n + 1)
        for n in range(1, 30)
    ]
    assert enter(*(",".join(map(str, row)) for row in rows)).added == 29
    assert enter(*(",".join(map(str, row)) for row in rows)).known == 29
    sums: dict[str, int] = defaultdict(int)
    for _, _, _, event, minutes in rows:
        sums[event] += minutes
    for event, total in sums.items():
        entry = spend_hours(events.reader(), event, payee="School", purpose="garden", id=f"X-{event}")
        assert entry["amount"] == str(total)
        with events.writer() as writer:
            writer.add(entry)
        assert spend_hours(events.reader(), event, payee="School", purpose="garden", id=f"X-{event}") == entry
    for n, volunteer, date, event, minutes in rows:
        found = events.trace(f"hours-{event}/{n}")
        assert (found.donor, found.date) == (volunteer, date)
        assert [(use.id, use.money.amount) for use in found.uses] == [(f"X-{event}", minutes)]
    assert events.verify().holds


def test_the_organisation_confirms_by_its_own_key(events: Ledger, enter: Callable[..., Imported]) -> None:
    """The end of a volunteer's minutes is acknowledged by the school, independently of who recorded them."""
    enter(f"1,{ANN},2020-06-06,garden,180", f"2,{BO},2020-06-06,garden,95")
    entry = spend_hours(events.reader(), "garden", payee="School", purpose="a garden", id="X-1")
    with events.writer() as writer:
        writer.add(entry)
        writer.commit()
        writer.add({"record": "acknowledgement", "id": "A-1", "acknowledges": "X-1", "author": "school"})
    (use,) = events.trace("hours-garden/2").uses
    assert (str(use.money), use.end.state) == ("95", "acknowledged")
    assert [(word.by, word.how) for word in use.end.words] == [("school", "independent")]


def test_what_an_event_spent_is_the_same_again_and_nothing_else(events: Ledger, enter: Callable[..., Imported]) -> None:
    """Under its id the same entry, whatever came in since; another record under that id is refused by its id."""
    enter(f"1,{ANN},2020-06-06,garden,180", f"2,{BO},2020-06-06,river,95")
    entry = spend_hours(events.reader(), "garden", payee="School", purpose="p", id="X-1")
    with events.writer() as writer:
        writer.add(entry)
    assert spend_hours(events.reader(), "garden", payee="School", purpose="p", id="X-1") == entry
    enter(f"9,{BO},2020-06-07,garden,7")
    assert spend_hours(events.reader(), "garden", payee="School", purpose="p", id="X-1") == entry
    assert spend_hours(events.reader(), "garden", payee="School", purpose="p", id="X-2")["amount"] == "7"
    before = events.path.read_bytes()
    for event, payee, id_ in (("garden", "Club", "X-1"), ("river", "School", "X-1"), ("garden", "School", "money")):
        with pytest.raises(RefusedError, match=f"'{id_}' is recorded already"), events.writer() as writer:
            writer.add(spend_hours(events.reader(), event, payee=payee, purpose="p", id=id_))
    assert events.path.read_bytes() == before


def test_an_event_without_minutes_spends_nothing(events: Ledger) -> None:
    """An empty account is refused, and so is one in money."""
    with pytest.raises(RefusedError, match="holds no minutes"):
        spend_hours(events.reader(), "garden", payee="School", purpose="p", id="X-1")
    with pytest.raises(RefusedError, match="in CNY, not in MINUTE"):
        spend_hours(events.reader(), "money", payee="School", purpose="p", id="X-1")


def test_a_name_that_is_taken_is_refused_before_anything(events: Ledger, enter: Callable[..., Imported]) -> None:
    """A series whose name another record has is told with the line."""
    with events.writer() as writer:
        writer.account("hours-river", unit="MINUTE")
    with pytest.raises(RefusedError, match=r"line 3: .*'hours-river' is taken") as caught:
        enter(f"1,{ANN},2020-06-06,garden,5", f"2,{ANN},2020-06-06,river,5")
    assert caught.value.code == "CC-DUPLICATE-ID"


def test_the_page_shows_the_example() -> None:
    """The table on the page is the file among the examples."""
    page = (ROOT / "docs/how-to/count-volunteer-hours.md").read_text("utf-8")
    shown = re.search(r"<< 'END'\n(.*?)> END", page, re.DOTALL)
    assert shown is not None
    assert shown[1].replace("> ", "") == (ROOT / "examples/hours/hours.csv").read_text("utf-8")
