"""Projects: what became of the money, who confirmed it, what it did, and the books closed.

Rules upheld here:

- Whoever confirms had no part in the spending.
- Not everything ends well: some uses are merely evidenced or reported, one is disputed, one is confirmed by the
  operator alone and one by somebody who speaks for people without a key; some masks are lost, and some money rests.
- Goods pass from the store to the carrier and from the carrier to the hospital; each receiver says what arrived.
"""

from __future__ import annotations

from book import SYNTHETIC, Book, charity, document, programme_and_region
from events import PROGRAMMES, fund, person, yuan
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
)

from charitychain.programmes import relief
from charitychain.programmes.services import read_services, service_entries


def pass_on(book: Book) -> None:
    """Let each fund pay its costs and pass most of the rest on to its programme's project."""
    held = book.held()
    with book.ledger.writer() as writer:
        for number in range(book.year.organisations):
            source, programme = fund(number), programme_and_region(number)[0]
            writer.disbursement(
                f"B-{number + 1:03}", source=source, to=f"project-{programme}",
                amount=yuan(held[source] * 92 // 100), date="2020-12-02", evidence=[document(source)],
            )  # fmt: skip
            writer.expenditure(
                f"X-costs-{number + 1:03}", source=source, amount=yuan(held[source] * 3 // 100),
                payee="Office (made up)", purpose="office", category="administration", date="2020-12-03",
            )  # fmt: skip
        writer.commit()
        for number in range(len(PROGRAMMES), book.year.organisations):  # the first of each pays itself
            book.say(writer, f"B-{number + 1:03}", charity(number % len(PROGRAMMES)))


def spend(book: Book) -> None:
    """Let the projects spend, whoever received it confirm, and say what it did."""
    year = book.year
    with book.ledger.writer() as writer:
        book.spend(writer, "project-music", "X-music-1", 60, "Piano House (made up)", "instruments", "school")
        book.spend(writer, "project-music", "X-music-2", 20, "Builders (made up)", "rooms")
        book.did(writer, "project-music", "music classrooms", year.classrooms, ["X-music-1", "X-music-2"], "school",
                 beneficiaries=year.scaled(MUSIC_PUPILS))  # fmt: skip
        book.spend(writer, "project-playgrounds", "X-play-1", 75, "Builders (made up)", "playgrounds")
        row = writer.core.state.lookup.find_id("X-play-1")
        assert row is not None
        book.say(writer, "X-play-1", "school", amount=yuan(row.amount // 2))
        book.did(writer, "project-playgrounds", "playgrounds", year.scaled(PLAYGROUNDS), ["X-play-1"],
                 beneficiaries=year.scaled(PLAYGROUND_PUPILS))  # fmt: skip
        book.spend(writer, "project-water", "X-water-1", 60, "Pumps (made up)", "pumps", "school")
        book.spend(writer, "project-water", "X-water-2", 10, "Filters (made up)", "filters")
        book.say(writer, "X-water-2", "school", status="disputed", note="no filter came (made up)")
        book.did(writer, "project-water", "schools with water", year.scaled(WATER_SCHOOLS), ["X-water-1"], "school",
                 beneficiaries=year.scaled(WATER_PEOPLE))  # fmt: skip
        meals = year.scaled(MEALS)
        book.pay(writer, "project-meals", "X-meals", meals * ASSUMED["a meal, fen"], "Kitchen (made up)", "meals")
        writer.commit()
        book.say(writer, "X-meals", "school")
        book.did(writer, "project-meals", "meals", meals, ["X-meals"], "school")
        book.spend(writer, "project-meals", "X-kitchen", 60, "Builders (made up)", "a kitchen")
        book.say(writer, "X-kitchen", "village", on_behalf_of="the cooks")
        book.spend(writer, "project-education", "X-books-1", 40, "Bookshop (made up)", "books", "auditor")
        book.spend(writer, "project-education", "X-books-2", 20, "Printer (made up)", "paper", "self")
        book.spend(writer, "project-education", "X-carriage", 20, "Haulier (made up)", "carts", papers=False)


def serve(book: Book) -> int:
    """Record the services: what was paid for people's insurance and training, confirmed by auditor and village."""
    reader, served = book.ledger.reader(), 0
    unit = reader.unit_of(reader.state.account_named("project-insurance"))
    groups = read_services(book.tables.services, unit)
    with book.ledger.writer() as writer:
        for service, confirms, what in (
            ("insurance", "auditor", "people insured"), ("training", "village", "people trained"),
        ):  # fmt: skip
            account = f"project-{service}"
            ours = [group for group in groups if group.service == service]
            served += sum(len(group.people) for group in ours)
            payee = f"Provider of {service} (made up)"
            told = service_entries(
                reader, ours, account=account, payee=payee, list_of=book.people_list, indicator=what
            )
            for entry in told:
                writer.add({**entry, "category": "programme"} if entry["record"] == "expenditure" else entry)
            writer.commit()
            paid = [str(entry["id"]) for entry in told if entry["record"] == "expenditure"]
            for id_ in paid:
                book.say(writer, id_, confirms)
            if service == "training":
                book.did(writer, account, "villages trained", book.year.scaled(TRAINED_VILLAGES), paid)
                book.spend(writer, account, "X-rooms", 40, "House of trainers (made up)", "rooms", confirms)
            else:
                book.spend(writer, account, "X-hall", 25, "Clinic (made up)", "a hall", confirms)
    return served


def relieve(book: Book) -> int:
    """Record relief goods, half given and half bought: store, carrier, hospital; some get wet on the road."""
    units, price = book.year.scaled(RELIEF_UNITS), ASSUMED["a mask, fen"]
    bought = units // 2
    given = units - bought
    sent, handed, lost = units * 90 // 100, units * 85 // 100, units * 5 // 100
    with book.ledger.writer() as writer:
        reader = book.ledger.reader()
        gift = relief.give(
            reader, account="masks-store", amount=str(given), id="D-masks", currency="CNY", value=yuan(given * price)
        )
        writer.add({**gift, "date": "2020-02-03", "donor": person("maker", book.seed, 0)})
        book.traced["masks given in kind"] = "D-masks"
        purchase, told = relief.buy(
            reader, source="project-relief", to="masks-store", amount=yuan(bought * price), gives=str(bought),
            supplier="Mask maker (made up)", id="C-masks",
        )  # fmt: skip
        writer.add({**purchase, "date": "2020-12-03", "evidence": [document("C-masks")], "reference": told})
        for id_, source, to, amount, date in (
            ("B-masks-carrier", "masks-store", "masks-carrier", sent, "2020-12-05"),
            ("B-masks-hospital", "masks-carrier", "masks-hospital", handed, "2020-12-07"),
        ):
            moved = relief.move(reader, source=source, to=to, amount=str(amount), id=id_)
            writer.add({**moved, "date": date, "evidence": [document(id_)]})
        gone = relief.lose(
            reader, source="masks-carrier", amount=str(lost), how="wet on the road (made up)", id="X-masks-lost"
        )
        writer.add({**gone, "date": "2020-12-07"})
        writer.commit()
        book.say(writer, "B-masks-carrier", "carrier")
        book.say(writer, "B-masks-hospital", "hospital")
        writer.expenditure(
            "X-masks", source="masks-hospital", amount=str(handed * 90 // 100), payee="Wards (made up)",
            purpose="masks used", date="2020-12-20", category="programme", evidence=[document("X-masks")],
        )  # fmt: skip
        writer.commit()
        book.say(writer, "X-masks", "auditor")
        book.spend(writer, "project-relief", "X-relief-beds", 55, "Beds (made up)", "beds", "hospital")
    return units


def close(book: Book) -> None:
    """Close the books of the year."""
    with book.ledger.writer() as writer:
        writer.period("Y-2020", until="2020-12-31", reference=SYNTHETIC)
