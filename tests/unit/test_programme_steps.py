"""Steps: walks in, a sponsor's money by a declared rate, and both traces at the same running track."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charitychain.errors import CharitychainError, MalformedError, RefusedError
from charitychain.interop import gifts_table
from charitychain.ledger import Ledger
from charitychain.programmes.rates import Rate
from charitychain.programmes.steps import Entered, Walk, convert_steps, import_walks
from charitychain.units import BUILT_IN

ROOT = Path(__file__).parents[2]
ANN, BO = "0a" * 16, "0b" * 16


@pytest.fixture
def tracks(ledger: Ledger) -> Ledger:
    """Give a ledger with steps, a sponsor who has 9,000.00 CNY, and a running track."""
    with ledger.writer() as writer:
        writer.account("walks", unit="STEP")
        writer.account("sponsor", unit="CNY")
        writer.account("tracks", unit="CNY")
        writer.donation("S-1", account="sponsor", amount="9000.00")
    return ledger


@pytest.fixture
def enter(tracks: Ledger, table: Callable[..., Path]) -> Callable[..., Entered]:
    """Give a function that enters rows of walks."""

    def run(*rows: str, header: str = "walk,walker,date,steps", **options: Any) -> Entered:
        with tracks.writer() as writer:
            return import_walks(writer, table(header, *rows), options.pop("account", "walks"), **options)

    return run


def convert(ledger: Ledger, rate: str = "1000=0.01", id: str = "C-1", **options: Any) -> dict[str, Any]:
    entry = convert_steps(
        ledger.reader(), source="walks", to="tracks", funded_from="sponsor", rate=rate, id=id, **options
    )
    with ledger.writer() as writer:
        writer.add(entry)
    return entry


def test_walks_become_gifts_of_their_walkers(tracks: Ledger, enter: Callable[..., Entered]) -> None:
    """A walk is a gift in STEP with its day, its walker as the donor, and the source `steps`; columns in any order."""
    done = enter(f"2020-05-01,{ANN.upper()},812,1", f"2020-05-02,{BO},9000,4", header="date,walker,steps,walk")
    assert done == Entered(2, 0, 1, 0, 0, ())
    found = tracks.trace("steps/1")
    assert (found.donor, found.source, found.date, str(found.money)) == (ANN, "steps", "2020-05-01", "812")
    assert tracks.trace("steps/4").date == "2020-05-02"
    assert str(tracks.balance("walks")) == "9812"
    assert tracks.verify().holds


def test_entering_again_skips_and_compares(tracks: Ledger, enter: Callable[..., Entered]) -> None:
    """What is there is skipped, what is new goes on, and a row that says something else is refused with its line."""
    rows = [f"1,{ANN},2020-05-01,812", f"4,{BO},2020-05-01,9000", f"5,{BO},2020-05-02,7"]
    assert (enter(*rows[:2]).added, enter(*rows).added, enter(*rows).known) == (2, 1, 3)
    before = tracks.path.read_bytes()
    for row in (
        f"4,{BO},2020-05-01,9001", f"4,{ANN},2020-05-01,9000", f"4,{BO},2020-05-02,9000", f"4,{BO},2020-05,9000",
        f"3,{BO},2020-05-01,9000",
    ):  # fmt: skip
        with pytest.raises(RefusedError, match=r"^table\.csv, line 3: gift steps/") as caught:
            enter(rows[0], row, f"9,{BO},2020-05-03,1")
        assert caught.value.code == "CC-DUPLICATE-ID"
    assert tracks.path.read_bytes() == before


def test_walks_below_the_smallest_number_do_not_enter(tracks: Ledger, enter: Callable[..., Entered]) -> None:
    """Walks of none, and those below the smallest number, are counted and listed up to a limit."""
    rows = [f"{n},{ANN},2020-05-01,{n * 10}" for n in range(8)]
    done = enter(*rows, least=50, limit=2)
    assert (done.added, done.left_out, done.left_out_steps) == (3, 5, 100)
    assert done.left_out_walks == (Walk(0, ANN, "2020-05-01", 0), Walk(1, ANN, "2020-05-01", 10))
    assert str(tracks.balance("walks")) == "180"
    assert enter(*rows, least=50).left_out == 5
    words = r"^table\.csv, line 7: gift steps/5 is in the ledger already, and would be left out now"
    with pytest.raises(RefusedError, match=words):
        enter(*rows, least=60)
    with pytest.raises(RefusedError, match=r"^table\.csv, line 3: gift steps/1 is not in the ledger"):
        enter(*rows, least=10)


def told(ledger: Ledger) -> list[tuple[int, str | None]]:
    """Return the last walk of each batch in the ledger, and its reference."""
    reader = ledger.reader()
    batches = list(reader.index.batches("steps"))
    return [(batch.last, getattr(reader.record(batch.place), "reference", "")) for batch in batches]


def test_the_ledger_tells_of_walks_that_did_not_enter(tracks: Ledger, enter: Callable[..., Entered]) -> None:
    """How many, at which bound, which and how many steps: each once, however often the table is entered, and grows."""
    rows = [
        f"1,{ANN},2020-05-01,812", f"2,{ANN},2020-05-01,40", f"3,{ANN},2020-05-02,99", f"4,{ANN},2020-05-03,100",
        f"5,{ANN},2020-05-03,700", f"6,{ANN},2020-05-03,1",
    ]  # fmt: skip
    first = [
        (1, "2 walks below 100 steps not entered, 2 to 3, 139 steps in all"),
        (5, "1 walk below 100 steps not entered, 6, 1 step in all"),
    ]
    for _ in range(2):
        enter(*rows, least=100)
        assert told(tracks) == first
    rows += [f"7,{ANN},2020-05-04,0", f"8,{ANN},2020-05-04,101"]
    enter(*rows, least=100)
    rows += [f"9,{ANN},2020-05-05,0"]
    enter(*rows, least=100)
    last = (8, "1 walk below 100 steps not entered, 7, 0 steps in all")
    assert told(tracks) == [*first, last]
    enter(f"9,{ANN},2020-05-05,0", f"10,{ANN},2020-05-05,3")
    enter(f"11,{ANN},2020-05-05,3")
    assert told(tracks) == [*first, last, (10, "1 walk of no steps not entered, 9, 0 steps in all"), (11, None)]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"1,{ANN},2020-05-01,5", "CC-TABLE"), (f"03,{ANN},2020-05-01,5", "CC-TABLE"),
        ("3,Ann,2020-05-01,5", "CC-TABLE"), ("3,,2020-05-01,5", "CC-TABLE"), (f"3,{ANN},2020-05-01,-5", "CC-TABLE"),
        (f"3,{ANN},2020-05-01,1.5", "CC-TABLE"), (f"3,{ANN},2020-05-01,", "CC-TABLE"),
        (f"3,{ANN},2020-05-01", "CC-TABLE"), (f"3,{ANN},,5", "CC-RECORD"), (f"3,{ANN},2020-02-30,5", "CC-RECORD"),
        (f"3,{ANN},2999-01-01,5", "CC-FUTURE"), (f"3,{ANN},2020-05-01,{2**63 - 1}", "CC-TABLE"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_with_its_line(
    tracks: Ledger, enter: Callable[..., Entered], row: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a table with a bad row is recorded, even where each gift would be a block of its own."""
    monkeypatch.setattr(gifts_table, "GIFTS_IN_BLOCK", 1)
    before = tracks.path.read_bytes()
    with pytest.raises(CharitychainError, match=r"^table\.csv, line 3: ") as caught:
        enter(f"1,{ANN},2020-05-01,5", row, f"9,{ANN},2020-05-01,5")
    assert caught.value.code == code
    assert tracks.path.read_bytes() == before


def test_only_an_account_in_steps_takes_walks(enter: Callable[..., Entered]) -> None:
    """An account in money is refused, and so is a smallest number below 1."""
    with pytest.raises(RefusedError, match="account 'tracks' is in CNY, not in STEP"):
        enter(f"1,{ANN},2020-05-01,5", account="tracks")
    with pytest.raises(MalformedError, match="1 at least"):
        enter(least=0)


def test_an_import_that_was_cut_off_goes_on(
    tracks: Ledger, enter: Callable[..., Entered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In blocks of two, a first part that is sealed is skipped by the next try."""
    monkeypatch.setattr(gifts_table, "GIFTS_IN_BLOCK", 2)
    rows = [f"{n},{ANN},2020-05-0{n},{n}" for n in range(1, 8)]
    assert enter(*rows[:4]).blocks == 2
    assert (again := enter(*rows)).added == 3 and again.known == 4 and again.blocks == 2
    assert [tracks.trace(f"steps/{n}").date for n in (1, 4, 7)] == ["2020-05-01", "2020-05-04", "2020-05-07"]


@pytest.mark.parametrize("seed", range(4))
def test_both_traces_end_at_the_same_track(tracks: Ledger, enter: Callable[..., Entered], seed: int) -> None:
    """Each walk's cents at the track are floor(p·M/S) between its ends, and sum to what the sponsor's trace says."""
    rng = random.Random(seed)
    steps = [rng.choice((1, 812, 999, 1000, 10_350, rng.randrange(1, 30_000))) for _ in range(12)]
    per, fen = rng.choice(((1000, 1), (700, 2), (3, 5)))
    enter(*(f"{n},{rng.choice((ANN, BO))},2020-05-01,{walked}" for n, walked in enumerate(steps, 1)))
    fewer = rng.randrange(sum(steps) // 2, sum(steps))
    convert(tracks, f"{per}=0.0{fen}", steps=str(fewer))
    money = fewer * fen // per
    taken = next(n for n in range(fewer + 1) if n * fen // per == money)  # the fewest steps that give as much
    assert str(tracks.balance("tracks")) == f"{money / 100:.2f}"
    assert tracks.balance("walks").amount == sum(steps) - taken
    with tracks.writer() as writer:
        writer.expenditure(
            "X-1", source="tracks", amount=f"{money // 100}.{money % 100:02}", payee="p", purpose="track"
        )
    start, carried = 0, 0
    for n, walked in enumerate(steps, 1):
        a, b = min(start, taken), min(start + walked, taken)
        expected = b * money // taken - a * money // taken
        found = tracks.trace(f"steps/{n}")
        assert [(use.id, use.money.amount) for use in found.uses] == ([("X-1", expected)] if expected else [])
        assert [(c.money.amount, c.gives.amount) for c in found.converted] == ([(b - a, expected)] if b > a else [])
        start, carried = start + walked, carried + expected
    sponsor = tracks.trace("S-1")
    assert [(use.id, use.money.amount) for use in sponsor.uses] == [("X-1", money)]
    assert carried == money
    assert tracks.verify().holds


def test_a_walk_below_the_smallest_unit_counts_and_carries_nothing(
    tracks: Ledger, enter: Callable[..., Entered]
) -> None:
    """812 steps before 9,188 others give 0 of 10 fen: all are converted, and the trace says so."""
    enter(f"1,{ANN},2020-05-01,812", f"2,{BO},2020-05-01,9188")
    assert convert(tracks)["gives"] == "0.10"
    (found,) = tracks.trace("steps/1").converted
    assert (str(found.money), str(found.gives)) == ("812", "0.00")
    assert not tracks.trace("steps/1").uses and not tracks.trace("steps/1").held


def test_the_entry_declares_its_rate_and_is_the_same_again(tracks: Ledger, enter: Callable[..., Entered]) -> None:
    """What gives no whole cent stays; the same id gives the same entry, also when more steps came in meanwhile."""
    enter(f"1,{ANN},2020-05-01,3512")
    entry = {
        "record": "conversion", "id": "C-1", "from": "walks", "amount": "3000", "to": "tracks", "gives": "0.03",
        "funded_from": "sponsor", "reference": "rate 1000 STEP = 0.01 CNY",
    }  # fmt: skip
    assert convert(tracks) == entry and convert(tracks) == entry and convert(tracks, steps="3512") == entry
    assert str(tracks.balance("walks")) == "512"
    with pytest.raises(RefusedError, match=r"512 STEP of 'walks' give nothing: 0\.01 CNY takes 1000"):
        convert(tracks, id="C-2")
    with pytest.raises(RefusedError, match="holds 512 STEP, fewer than 2000"):
        convert(tracks, id="C-2", steps="2000")
    with pytest.raises(RefusedError) as caught:
        convert(tracks, "1=99.00", id="C-2")
    assert caught.value.code == "CC-OVERDRAFT"  # the sponsor has 8,999.97 CNY
    enter(f"2,{ANN},2020-05-02,9000", series="more")
    assert convert(tracks) == entry
    assert str(tracks.balance("walks")) == "9512"


@pytest.mark.parametrize(
    ("rate", "id", "options"),
    [
        ("1000=0.02", "C-1", {}), ("9000=0.01", "C-1", {}), ("1000=0.01", "C-1", {"steps": "2000"}),
        ("1000=0.01", "C-1", {"steps": "900"}), ("1000=0.01", "S-1", {}), ("9000=0.01", "walks", {}),
    ],
)  # fmt: skip
def test_another_record_under_an_id_that_is_taken_is_refused(
    tracks: Ledger, enter: Callable[..., Entered], rate: str, id: str, options: dict[str, str]
) -> None:
    """By its id, and not by what is too little or too much for it: nothing is recorded."""
    enter(f"1,{ANN},2020-05-01,3512")
    convert(tracks)
    before = tracks.path.read_bytes()
    with pytest.raises(RefusedError, match=f"'{id}' is recorded already") as caught:
        convert(tracks, rate, id=id, **options)
    assert caught.value.code == "CC-DUPLICATE-ID"
    assert tracks.path.read_bytes() == before


@pytest.mark.parametrize("text", ["1000", "0=0.01", "1000=0", "1.5=0.01", "1000=0.001", "=", "a=b", "1000=0.01=1"])
def test_a_rate_without_its_form_is_refused(text: str) -> None:
    """A rate is whole steps and an amount of money, both above 0."""
    with pytest.raises(MalformedError):
        Rate.parse(text, BUILT_IN["STEP"], BUILT_IN["CNY"])


def test_the_page_shows_the_example() -> None:
    """The table on the page is the file among the examples."""
    page = (ROOT / "docs/how-to/turn-steps-into-tracks.md").read_text("utf-8")
    shown = re.search(r"<< 'END'\n(.*?)> END", page, re.DOTALL)
    assert shown is not None
    assert shown[1].replace("> ", "") == (ROOT / "examples/steps/walks.csv").read_text("utf-8")
