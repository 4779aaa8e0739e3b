"""Gifts: what came in, one stage for each table, and what of it was given back or had been entered wrongly.

Rules upheld here:

- The platform takes in what orders give, and the charities say that it arrived; the owner of one fund never does.
- Steps and points are given by people; what a sponsor pays for them is that sponsor's own gift of money.
- A match is a gift of its own that names the gift it matches.
"""

from __future__ import annotations

import csv
import itertools

from book import SERIES, SYNTHETIC, Book, charity, completed, document, series
from events import PROGRAMMES, WORK, fund, person, yuan
from figures import ASSUMED, MEALS

from charitychain.programmes.goods_for_good import import_orders
from charitychain.programmes.hours import import_hours, spend_hours
from charitychain.programmes.matching import match_gifts
from charitychain.programmes.points import import_acts, redeem
from charitychain.programmes.steps import convert_steps, import_walks

WAITING = 1
"""Number of the fund whose owner never says that its gifts arrived."""
_STEPS_RATE = "1000=0.01"
_POINTS_RATE = "100=0.10"


def enter_orders(book: Book) -> int:
    """Enter what completed orders give, taken in by the platform; the charities say that it arrived."""
    tables = book.tables
    with book.ledger.writer() as writer:
        added = import_orders(writer, tables.orders, tables.listings, series=SERIES, author="self").added
    with book.ledger.writer() as writer:
        for number in range(book.year.organisations):
            last = writer.core.state.lookup.last_batch(series(fund(number)))
            if last is not None and number != WAITING:
                book.say(writer, f"{series(fund(number))}/{last.last}", charity(number), upto=True)
    book.traced.update({f"an order that gives to {programme}": "" for programme in PROGRAMMES})
    firsts = {fund(number): programme for number, programme in enumerate(PROGRAMMES)}
    for number, account, fen in completed(tables):
        if account in firsts and fen >= ASSUMED["a mask, fen"]:  # so that the one for relief buys a mask
            book.traced[f"an order that gives to {firsts.pop(account)}"] = f"{series(account)}/{number}"
        if not firsts:
            break
    # Behind the gifts that paid for meals are those that paid for a kitchen.
    behind = book.year.scaled(MEALS) * ASSUMED["a meal, fen"] // 10
    book.traced["an order whose end somebody confirmed for people without a key"] = _order_for(book, 3, behind)
    return added


def put_right(book: Book) -> None:
    """Give one gift back, whose order was sent back, and undo one that was entered twice."""
    back = _order_for(book, PROGRAMMES.index("education"), 20)
    box = {"account": "project-education", "amount": "12.00", "source": "box", "date": "2020-05-04"}
    with book.ledger.writer() as writer:
        writer.refund("R-order", donation=back, date="2020-11-20", reference="the order was sent back (made up)")
        writer.donation("D-box", **box)
        writer.donation("D-box-again", **box)
        writer.commit()
        writer.reversal("V-box", reverses="D-box-again", reason="entered twice (made up)", date="2020-05-06")
    book.traced["an order that was sent back"] = back
    book.traced["a gift that was entered twice"] = "D-box-again"


def enter_walks(book: Book) -> int:
    """Enter walks; a sponsor's money turns all that gives a whole fen into running tracks."""
    year = book.year
    with book.ledger.writer() as writer:
        entered = import_walks(writer, book.tables.walks, "walkers", series="steps")
        book.traced["a walk"] = f"steps/{_first_walk(book)}"
        book.traced["a sponsor's money for steps"] = "D-sponsor-steps"
        writer.donation(
            "D-sponsor-steps", account="sponsor-steps", amount=yuan(year.steps // 1_000 + 100),
            donor=person("sponsor", book.seed, 0), source="cash", date="2020-01-02",
        )  # fmt: skip
    each = str(year.steps // year.tracks)
    for number in range(year.tracks):
        track = f"track-{number + 1:03}"
        with book.ledger.writer() as writer:
            entry = convert_steps(
                book.ledger.reader(), source="walkers", to=track, funded_from="sponsor-steps", rate=_STEPS_RATE,
                id=f"C-{track}", steps=each,
            )  # fmt: skip
            writer.add({**entry, "date": "2020-12-31"})
            writer.commit()
            book.spend(writer, track, f"X-{track}", 100, "Track Builders (made up)", "running track", "school",
                       date="2020-12-31")  # fmt: skip
            book.did(writer, track, "running tracks", 1, [f"X-{track}"], "school")
    return entered.added


def enter_hours(book: Book) -> int:
    """Enter hours; the village, for which the volunteers worked, confirms two of the three events."""
    with book.ledger.writer() as writer:
        added = import_hours(writer, book.tables.hours, prefix="work").added
        book.traced["hours of a volunteer"] = f"work-hours-{WORK[0]}/1"
    with book.ledger.writer() as writer:
        for name in WORK:
            entry = spend_hours(
                book.ledger.reader(), f"hours-{name}", payee="village", purpose=f"{name} (made up)",
                id=f"X-hours-{name}",
            )  # fmt: skip
            papers = {"category": "programme", "evidence": [document(entry["id"])]}
            writer.add({**entry, "date": "2020-12-31", **papers})
        writer.commit()
        for name in WORK[:2]:
            book.say(writer, f"X-hours-{name}", "village")
    return added


def enter_acts(book: Book) -> int:
    """Enter acts that earn points; a sponsor redeems nine of ten points for trees, the village counts four of five."""
    points, price = book.year.points, ASSUMED["a tree, fen"]
    with book.ledger.writer() as writer:
        added = import_acts(writer, book.tables.acts, "green-points", series="green").added
        book.traced["an act that earned green points"] = "green/1"
        writer.donation(
            "D-sponsor-trees", account="sponsor-trees", amount=yuan(points // 10 + 100),
            donor=person("sponsor", book.seed, 0), source="cash", date="2020-01-02",
        )  # fmt: skip
    with book.ledger.writer() as writer:
        entry = redeem(
            book.ledger.reader(), source="green-points", to="trees", funded_from="sponsor-trees", rate=_POINTS_RATE,
            id="C-trees", points=str(points * 9 // 10),
        )  # fmt: skip
        writer.add({**entry, "date": "2020-12-31"})
        writer.commit()
        trees = writer.core.state.account_named("trees").balance // price
        book.pay(writer, "trees", "X-trees", trees * price, "Nursery (made up)", "trees", date="2020-12-31")
        writer.commit()
        book.say(writer, "X-trees", "village", amount=yuan(trees * 4 // 5 * price), note="so many stand (made up)")
        book.did(writer, "trees", "trees planted", trees, ["X-trees"], "village")
    return added


def match(book: Book) -> int:
    """Let the sponsor add twice as much to some gifts, until a pledge to the project they are for is used up."""
    target, count = fund(0), ASSUMED["gifts named for a match"]
    with book.ledger.writer() as writer:
        writer.pledge(
            "P-match", account="project-music", amount=yuan(ASSUMED["pledge for matches, fen"]), author="sponsor",
            pledger=SYNTHETIC, date="2020-01-02",
        )  # fmt: skip
    ours = (number for number, account, _ in completed(book.tables) if account == target)
    with book.ledger.writer() as writer:
        names = (f"M-{number}" for number in itertools.count(1))
        found = match_gifts(
            book.ledger.reader(), pledge="P-match", account="project-music", new_id=names.__next__, ratio="2",
            gifts=[f"{series(target)}/{number}" for number in itertools.islice(ours, count)],
        )  # fmt: skip
        more = {"date": "2020-12-01", "donor": person("sponsor", book.seed, 0)}
        writer.add_together([{**entry, **more} for entry in found.entries])
    book.traced["what the sponsor added to an order"] = "M-1"
    return len(found.entries)


def _order_for(book: Book, number: int, nth: int) -> str:
    """Return the gift of the `nth` completed order, counted from 0, of those that give to an organisation."""
    ours = (order for order, account, _ in completed(book.tables) if account == fund(number))
    return f"{series(fund(number))}/{next(itertools.islice(ours, nth, None))}"


def _first_walk(book: Book) -> int:
    with book.tables.walks.open(encoding="utf-8", newline="") as stream:
        return next(int(row["walk"]) for row in csv.DictReader(stream) if row["steps"] != "0")
