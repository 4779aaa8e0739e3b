"""The book: parties and accounts, gifts out of the tables, what became of them, who confirmed it, and what it did.

Rules upheld here:

- Everything is recorded by the library's own methods and the modules of `charitychain.programmes`.
- Everybody signs with a key of their own: charities spend, and the school, the hospital, the village and the auditor,
  who had no part in the spending, confirm. All these keys lie in one folder, because all of it is made up.
- Not everything ends well: some uses are only reported, some masks were lost, one use is disputed, some money rests,
  and the gifts of one fund never were said to have arrived.
- Amounts are whole fen, shares of what an account holds rounded down, so each run of a seed gives the same figures.
- The ledger's clock stands at the first days of 2021, so that no figure depends on the day of the run.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

from events import PROGRAMMES, REGIONS, WORK, Tables, fund, person, yuan
from figures import (
    ASSUMED,
    MEALS,
    MUSIC_PUPILS,
    PLAYGROUND_PUPILS,
    PLAYGROUNDS,
    RELIEF_UNITS,
    TRAINED_VILLAGES,
    WATER_PEOPLE,
    WATER_SCHOOLS,
    Year,
)

from charitychain import Ledger
from charitychain.programmes import relief
from charitychain.programmes.goods_for_good import import_orders
from charitychain.programmes.hours import import_hours, spend_hours
from charitychain.programmes.matching import match_gifts
from charitychain.programmes.services import read_services, service_entries
from charitychain.programmes.steps import convert_steps, import_walks
from charitychain.writer import Writer

ORIGIN = "synthetic-year.example/2020"
SYNTHETIC = "SYNTHETIC, made up by a generator"
CLOSING = 1_609_718_400  # 2021-01-04 00:00 UTC
SERIES = "gfg"
RATE = "1000=0.01"
WAITING = 1
"""Number of the fund whose owner never says that its gifts arrived."""


class Book:
    """Records a year, stage by stage.

    Attributes:
        traced: One gift of each programme, by the programme's name; filled while recording.
    """

    def __init__(self, ledger: Ledger, year: Year, tables: Tables, seed: int) -> None:
        self.ledger, self.year, self.tables, self.seed = ledger, year, tables, seed
        self.traced: dict[str, str] = {}
        self._said = 0

    # ------------------------------------------------------------------------------------------ who and where

    def open(self) -> None:
        """Admit the parties and open the accounts."""
        year = self.year
        with self.ledger.writer() as writer:
            for number in range(year.organisations):
                programme, region = _of(number)
                title = f"Organisation {number + 1} for {programme}, {region} ({SYNTHETIC})"
                writer.party(_charity(number), roles=["charity"], title=title)
            for id_, role in (
                ("sponsor", "sponsor"), ("school", "charity"), ("hospital", "charity"), ("village", "charity"),
                ("relief-centre", "charity"), ("auditor", "auditor"),
            ):  # fmt: skip
                writer.party(id_, roles=[role], title=f"The {id_} ({SYNTHETIC})")
            writer.commit()
            for number in range(year.organisations):
                _account(writer, fund(number), "CNY", _charity(number), *_of(number))
            for number, programme in enumerate(PROGRAMMES):
                _account(writer, f"project-{programme}", "CNY", _charity(number), *_of(number))
            _account(writer, "walkers", "STEP", "self", "steps", "all")
            _account(writer, "sponsor-steps", "CNY", "sponsor", "steps", "all")
            for number in range(year.tracks):
                _account(writer, f"track-{number + 1:03}", "CNY", _charity(1), "steps", REGIONS[number % 4])
            for name in WORK:
                _account(writer, f"hours-{name}", "MINUTE", "self", "hours", "all")
            _account(writer, "masks-store", "MASK", "relief-centre", "relief", "all")
            _account(writer, "masks-hospital", "MASK", "hospital", "relief", "west")

    # --------------------------------------------------------------------------------------------- gifts come in

    def enter_orders(self) -> int:
        """Enter what completed orders give, taken in by the platform; the charities say that it arrived."""
        with self.ledger.writer() as writer:
            orders, listings = self.tables.orders, self.tables.listings
            added = import_orders(writer, orders, listings, series=SERIES, author="self").added
        with self.ledger.writer() as writer:
            for number in range(self.year.organisations):
                last = writer.core.state.lookup.last_batch(_series(fund(number)))
                if last is None:
                    continue
                if number != WAITING:
                    self._say(writer, f"{_series(fund(number))}/{last.last}", _charity(number), upto=True)
        self.traced = dict.fromkeys(PROGRAMMES, "")
        firsts = {fund(number): programme for number, programme in enumerate(PROGRAMMES)}
        for number, account, fen in completed(self.tables):
            if account in firsts and fen >= ASSUMED["a mask, fen"]:  # so that the one for relief buys a mask
                self.traced[firsts.pop(account)] = f"{_series(account)}/{number}"
            if not firsts:
                break
        return added

    def enter_walks(self) -> int:
        """Enter walks; a sponsor's money turns all that gives a whole fen into running tracks."""
        year = self.year
        with self.ledger.writer() as writer:
            entered = import_walks(writer, self.tables.walks, "walkers", series="steps")
            self.traced["steps"] = f"steps/{_first_walk(self.tables)}"
            writer.donation(
                "D-sponsor-steps", account="sponsor-steps", amount=yuan(year.steps // 1_000 + 100),
                donor=person("sponsor", self.seed, 0), source="cash", date="2020-01-02",
            )  # fmt: skip
        each = str(year.steps // year.tracks)
        for number in range(year.tracks):
            track = f"track-{number + 1:03}"
            with self.ledger.writer() as writer:
                entry = convert_steps(
                    self.ledger.reader(), source="walkers", to=track, funded_from="sponsor-steps", rate=RATE,
                    id=f"C-{track}", steps=each,
                )  # fmt: skip
                writer.add({**entry, "date": "2020-12-20"})
                writer.commit()
                self._spend(writer, track, f"X-{track}", 100, "Track Builders (made up)", "running track", "school")
                self._did(writer, track, "running tracks", 1, [f"X-{track}"])
        return entered.added

    def enter_hours(self) -> int:
        """Enter hours; the village, for which the volunteers worked, confirms two of the three events."""
        with self.ledger.writer() as writer:
            added = import_hours(writer, self.tables.hours, prefix="work").added
            self.traced["hours"] = f"work-hours-{WORK[0]}/1"
        with self.ledger.writer() as writer:
            for name in WORK:
                entry = spend_hours(
                    self.ledger.reader(), f"hours-{name}", payee="village", purpose=f"{name} (made up)",
                    id=f"X-hours-{name}",
                )  # fmt: skip
                writer.add({**entry, "date": "2020-12-20", "evidence": [_document(entry["id"])]})
            writer.commit()
            for name in WORK[:2]:
                self._say(writer, f"X-hours-{name}", "village")
        return added

    def match(self) -> int:
        """Let the sponsor add twice as much to some gifts, until a pledge to the project they are for is used up."""
        target, count = fund(0), ASSUMED["gifts named for a match"]
        with self.ledger.writer() as writer:
            writer.pledge(
                "P-match", account="project-music", amount=yuan(ASSUMED["pledge for matches, fen"]), author="sponsor",
                pledger=SYNTHETIC, date="2020-01-02",
            )  # fmt: skip
        ours = (number for number, account, _ in completed(self.tables) if account == target)
        with self.ledger.writer() as writer:
            names = (f"M-{number}" for number in itertools.count(1))
            found = match_gifts(
                self.ledger.reader(), pledge="P-match", account="project-music", new_id=names.__next__, ratio="2",
                gifts=[f"{_series(target)}/{number}" for number in itertools.islice(ours, count)],
            )  # fmt: skip
            more = {"date": "2020-12-01", "donor": person("sponsor", self.seed, 0)}
            writer.add_together([{**entry, **more} for entry in found.entries])
        self.traced["matching"] = "M-1"
        return len(found.entries)

    # ----------------------------------------------------------------------------------------- what became of it

    def pass_on(self) -> None:
        """Let each fund pay its costs and pass most of the rest on to its programme's project."""
        with self.ledger.writer() as writer:
            held = self._held()
            for number in range(self.year.organisations):
                source, programme = fund(number), _of(number)[0]
                writer.disbursement(
                    f"B-{number + 1:03}", source=source, to=f"project-{programme}",
                    amount=yuan(held[source] * 92 // 100), date="2020-12-02", evidence=[_document(source)],
                )  # fmt: skip
                writer.expenditure(
                    f"X-costs-{number + 1:03}", source=source, amount=yuan(held[source] * 3 // 100),
                    payee="Office (made up)", purpose="office", category="administration", date="2020-12-01",
                )  # fmt: skip
            writer.commit()
            for number in range(len(PROGRAMMES), self.year.organisations):  # the first of each pays itself
                self._say(writer, f"B-{number + 1:03}", _charity(number % len(PROGRAMMES)))

    def spend(self) -> None:
        """Let the projects spend, whoever received it confirm, and say what it did."""
        year = self.year
        with self.ledger.writer() as writer:
            self._spend(writer, "project-music", "X-music-1", 60, "Piano House (made up)", "instruments", "school")
            self._spend(writer, "project-music", "X-music-2", 20, "Builders (made up)", "rooms", None)
            self._did(writer, "project-music", "music classrooms", year.classrooms, ["X-music-1", "X-music-2"],
                      beneficiaries=year.scaled(MUSIC_PUPILS))  # fmt: skip
            self._spend(writer, "project-playgrounds", "X-play-1", 75, "Builders (made up)", "playground", None)
            half = self._amount(writer, "X-play-1") // 2
            self._say(writer, "X-play-1", "school", amount=yuan(half))
            self._did(writer, "project-playgrounds", "playgrounds", year.scaled(PLAYGROUNDS), ["X-play-1"],
                      beneficiaries=year.scaled(PLAYGROUND_PUPILS))  # fmt: skip
            self._spend(writer, "project-water", "X-water-1", 60, "Pumps (made up)", "pumps", "school")
            self._spend(writer, "project-water", "X-water-2", 10, "Filters (made up)", "filters", None)
            self._say(writer, "X-water-2", "school", status="disputed", note="no filter came (made up)")
            self._did(writer, "project-water", "schools with water", year.scaled(WATER_SCHOOLS), ["X-water-1"],
                      beneficiaries=year.scaled(WATER_PEOPLE))  # fmt: skip
            meals = year.scaled(MEALS)
            self._pay(writer, "project-meals", "X-meals", meals * ASSUMED["a meal, fen"], "Kitchen (made up)", "meals")
            writer.commit()
            self._say(writer, "X-meals", "school")
            self._did(writer, "project-meals", "meals", meals, ["X-meals"])
            self._spend(writer, "project-meals", "X-kitchen", 60, "Builders (made up)", "a kitchen", None)
            self._spend(writer, "project-education", "X-books-1", 40, "Bookshop (made up)", "books", "auditor")
            self._spend(writer, "project-education", "X-books-2", 20, "Printer (made up)", "paper", "self")
            self._spend(writer, "project-education", "X-carriage", 20, "Carrier (made up)", "carts", None, papers=False)

    def serve(self) -> int:
        """Record the services: what was paid for people's insurance and training, confirmed by auditor and village."""
        reader, served = self.ledger.reader(), 0
        unit = reader.unit_of(reader.state.account_named("project-insurance"))
        groups = read_services(self.tables.services, unit)
        with self.ledger.writer() as writer:
            for service, confirms, what in (
                ("insurance", "auditor", "people insured"), ("training", "village", "people trained"),
            ):  # fmt: skip
                account = f"project-{service}"
                ours = [group for group in groups if group.service == service]
                served += sum(len(group.people) for group in ours)
                payee = f"Provider of {service} (made up)"
                told = service_entries(ours, unit, account=account, payee=payee, indicator=what)
                for entry in told:
                    writer.add(entry)
                writer.commit()
                paid = [str(entry["id"]) for entry in told if entry["record"] == "expenditure"]
                for id_ in paid:
                    self._say(writer, id_, confirms)
                if service == "training":
                    self._did(writer, account, "villages trained", self.year.scaled(TRAINED_VILLAGES), paid)
                    self._spend(writer, account, "X-rooms", 40, "House of trainers (made up)", "rooms", confirms)
                else:
                    self._spend(writer, account, "X-hall", 25, "Clinic (made up)", "a hall", confirms)
        return served

    def relieve(self) -> int:
        """Record relief goods: half given in kind, half bought; moved to the hospital, used, and some lost."""
        units = self.year.scaled(RELIEF_UNITS)
        bought = units // 2
        given = units - bought
        with self.ledger.writer() as writer:
            reader = self.ledger.reader()
            gift = relief.give(
                reader, account="masks-store", amount=str(given), id="D-masks", currency="CNY",
                value=yuan(given * ASSUMED["a mask, fen"]),
            )  # fmt: skip
            writer.add({**gift, "date": "2020-02-03", "donor": person("maker", self.seed, 0)})
            self.traced["relief goods"] = "D-masks"
            bought_for = yuan(bought * ASSUMED["a mask, fen"])
            purchase, price = relief.buy(
                reader, source="project-relief", to="masks-store", amount=bought_for, gives=str(bought),
                supplier="Mask maker (made up)", id="C-masks",
            )  # fmt: skip
            papers = {"evidence": [_document("C-masks")], "reference": price}
            writer.add({**purchase, "date": "2020-12-03", **papers})
            moved, lost = units * 85 // 100, units * 5 // 100
            handed = relief.move(reader, source="masks-store", to="masks-hospital", amount=str(moved), id="B-masks")
            writer.add({**handed, "date": "2020-12-05", "evidence": [_document("B-masks")]})
            gone = relief.lose(
                reader, source="masks-store", amount=str(lost), how="wet in the store (made up)", id="X-masks-lost"
            )
            writer.add({**gone, "date": "2020-12-06"})
            writer.commit()
            self._say(writer, "B-masks", "hospital")
            writer.expenditure(
                "X-masks", source="masks-hospital", amount=str(moved * 90 // 100), payee="Wards (made up)",
                purpose="masks used", date="2020-12-20", evidence=[_document("X-masks")],
            )  # fmt: skip
            writer.commit()
            self._say(writer, "X-masks", "auditor")
            self._spend(writer, "project-relief", "X-relief-beds", 55, "Beds (made up)", "beds", "hospital")
        return units

    def close(self) -> None:
        """Close the books of the year."""
        with self.ledger.writer() as writer:
            writer.period("Y-2020", until="2020-12-31", reference=SYNTHETIC)

    # ------------------------------------------------------------------------------------------------ small things

    def _held(self) -> dict[str, int]:
        return {account: money.amount for account, (money, _) in self.ledger.balances().items()}

    def _spend(
        self, writer: Writer, account: str, id_: str, percent: int, payee: str, purpose: str, confirms: str | None,
        *, papers: bool = True,
    ) -> None:  # fmt: skip
        """Spend a share of all that the account ever took in, and let somebody confirm it."""
        taken_in = writer.core.state.account_named(account).in_
        self._pay(writer, account, id_, taken_in * percent // 100, payee, purpose, papers=papers)
        writer.commit()
        if confirms is not None:
            self._say(writer, id_, confirms)

    def _pay(
        self, writer: Writer, account: str, id_: str, fen: int, payee: str, purpose: str, *, papers: bool = True
    ) -> None:
        evidence = {"evidence": [_document(id_)]} if papers else {}
        writer.expenditure(
            id_, source=account, amount=yuan(fen), payee=payee, purpose=purpose, date="2020-12-10",
            category="programme", **evidence,
        )  # fmt: skip

    def _say(self, writer: Writer, about: str, author: str, **fields: Any) -> None:
        self._said += 1
        writer.acknowledgement(f"A-{self._said:04}", acknowledges=about, author=author, date="2020-12-30", **fields)

    def _did(self, writer: Writer, account: str, what: str, quantity: int, of: list[str], **fields: Any) -> None:
        writer.outcome(
            f"O-{what.replace(' ', '-')}-{account}", account=account, indicator=what, quantity=quantity, of=of,
            date="2020-12-31", **fields,
        )  # fmt: skip

    def _amount(self, writer: Writer, id_: str) -> int:
        row = writer.core.state.lookup.find_id(id_)
        assert row is not None and row.amount is not None
        return row.amount


def completed(tables: Tables) -> Iterator[tuple[int, str, int]]:
    """Yield number, account and gift (fen, rounded down) of each completed order."""
    with tables.listings.open(encoding="utf-8", newline="") as stream:
        listings = {row["listing"]: row for row in csv.DictReader(stream)}
    with tables.orders.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["status"] == "completed":
                listing = listings[row["listing"]]
                share = _hundredths(row["price"]) * _hundredths(listing["percent"] or "0.00") // 10_000
                fen = _hundredths(listing["fixed"]) if listing["fixed"] else share
                yield int(row["order"]), listing["account"], fen


def _hundredths(text: str) -> int:
    return int(text.replace(".", ""))


def _first_walk(tables: Tables) -> int:
    with tables.walks.open(encoding="utf-8", newline="") as stream:
        return next(int(row["walk"]) for row in csv.DictReader(stream) if row["steps"] != "0")


def _of(number: int) -> tuple[str, str]:
    """Return programme and region of an organisation."""
    return PROGRAMMES[number % len(PROGRAMMES)], REGIONS[number // len(PROGRAMMES) % len(REGIONS)]


def _charity(number: int) -> str:
    return f"charity-{number + 1:03}"


def _account(writer: Writer, id_: str, unit: str, owner: str, programme: str, region: str) -> None:
    writer.account(
        id_, unit=unit, owner=owner, rule="fifo", title=f"{id_} ({SYNTHETIC})",
        tags={"programme": programme, "region": region},
    )  # fmt: skip


def _document(about: str) -> str:
    """Return the hash of a document that was made up."""
    return hashlib.sha256(f"{SYNTHETIC}: receipt of {about}".encode()).hexdigest()


def _series(account: str) -> str:
    return f"{SERIES}-{account}"
