"""Events: the tables that a platform of that size would have kept, made up from a seed.

Rules upheld here:

- Nothing in the tables is real: listings, orders, walks, hours, services and acts are drawn by a generator; people and
  merchants are hashes of numbers.
- The same seed and size give the same bytes. Only the raw bits of PCG64 are used, which numpy promises not to change,
  and no clock: all dates are in 2020.
- The totals are exact: so many completed orders, their gifts together 0.22 yuan each; so many steps, minutes and
  points; on the peak day as many gifts as are due, and on no other day more.
- Each consumer and each merchant gives at least once.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from figures import ASSUMED, INSURED, TRAINED_VILLAGES, Year
from numpy.typing import NDArray

PROGRAMMES = ("music", "playgrounds", "water", "meals", "insurance", "training", "relief", "education")
REGIONS = ("north", "south", "west", "east")
WORK = ("planting", "reading", "care")
"""Events at which volunteers work; each has an account ``hours-NAME``."""

_DAYS = tuple((date(2020, 1, 1) + timedelta(days=n)).isoformat() for n in range(366))
_PEAK = _DAYS.index("2020-11-11")
_FIXED = (5, 10, 20, 30, 45)  # fen, 22 on average
_PERCENT = ((1, 11, 33), (2, 5, 17), (3, 4, 10))  # percent, and the lowest and highest price in yuan
_CENTS = (0, 0, 50, 80, 90, 99)
_LEFT_OUT = ("cancelled", "refunded")

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tables:
    """Where the tables are."""

    listings: Path
    orders: Path
    walks: Path
    hours: Path
    services: Path
    acts: Path


class Draw:
    """Numbers from a seed, of the raw bits of PCG64."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def below(self, limit: int, size: int) -> Numbers:
        """Return `size` numbers from 0 to below `limit`."""
        raw = np.asarray(self._bits.random_raw(size), dtype=np.uint64) >> np.uint64(11)
        return (raw % np.uint64(limit)).astype(np.int64)

    def order(self, size: int) -> Numbers:
        """Return the numbers from 0 to below `size` in an order by chance."""
        raw = np.asarray(self._bits.random_raw(size), dtype=np.uint64)
        return np.argsort(raw, kind="stable").astype(np.int64)

    def all_of(self, limit: int, size: int) -> Numbers:
        """Return `size` numbers below `limit`, each of which comes at least once if there is room."""
        drawn = self.below(limit, size)
        some = min(limit, size)
        drawn[self.order(size)[:some]] = np.arange(some)
        return drawn


def fund(number: int) -> str:
    """Return the account id of an organisation's fund."""
    return f"fund-{PROGRAMMES[number % len(PROGRAMMES)]}-{number + 1:03}"


def write_tables(folder: Path, year: Year, seed: int) -> Tables:
    """Write all tables of a year into a folder."""
    made = Tables(*(folder / f"{name}.csv" for name in ("listings", "orders", "walks", "hours", "services", "acts")))
    draw = Draw(seed)
    _orders(made, year, draw, seed)
    _write(made.walks, ("walk", "walker", "date", "steps"), _walks(year, draw, seed))
    _write(made.hours, ("entry", "volunteer", "date", "event", "minutes"), _hours(year, draw, seed))
    _write(made.services, ("person", "date", "service", "price"), _services(year, draw, seed))
    _write(made.acts, ("act", "person", "date", "points"), _acts(year, draw, seed))
    return made


def person(kind: str, seed: int, number: int) -> str:
    """Return the pseudonym of somebody who does not exist."""
    return hashlib.sha256(f"synthetic {kind} {seed} {number}".encode()).hexdigest()[:32]


def people(kind: str, seed: int, count: int) -> list[str]:
    """Return so many pseudonyms."""
    return [person(kind, seed, number) for number in range(count)]


def yuan(fen: int) -> str:
    """Return fen as yuan, with two decimals."""
    return f"{fen // 100}.{fen % 100:02}"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def _orders(made: Tables, year: Year, draw: Draw, seed: int) -> None:
    """Write listings and orders.

    Where a listing gives a share, the gift is rounded down to whole fen. A yuan more or less in the price of what gives
    one percent is a fen more or less in the gift: so what all gifts are short of, or above, what is due is spread.
    """
    count = max(2 * year.merchants, 2 * year.organisations)
    merchants = people("merchant", seed, year.merchants)
    terms = [_FIXED[n // 2 % 5] if n % 2 else _PERCENT[n // 2 % 3][0] for n in range(count)]
    is_fixed = np.arange(count) % 2 == 1
    _write(
        made.listings,
        ("listing", "merchant", "account", "fixed", "percent"),
        (
            (f"L-{n + 1}", merchants[n % year.merchants], fund(n // 2 % year.organisations),
             yuan(terms[n]) if n % 2 else "", "" if n % 2 else f"{terms[n]}.00")
            for n in range(count)
        ),
    )  # fmt: skip

    rows = year.gifts + year.gifts // 50
    completed = np.ones(rows, dtype=bool)
    completed[draw.order(rows)[: rows - year.gifts]] = False
    listing = draw.below(count, rows)
    given = np.flatnonzero(completed)
    listing[given] = draw.all_of(count, len(given))
    consumer = draw.below(year.consumers, rows)
    consumer[given] = draw.all_of(year.consumers, len(given))
    day = draw.below(len(_DAYS) - 1, rows)
    day += day >= _PEAK
    day[given[draw.order(len(given))[: year.peak]]] = _PEAK
    day.sort()
    completed, listing, consumer = _on_their_days(day, completed, listing, consumer, year.peak)

    kind = listing // 2 % 3
    low = np.array([low for _, low, _ in _PERCENT])[kind]
    span = np.array([high - low + 1 for _, low, high in _PERCENT])[kind]
    price = (low + draw.below(2**40, rows) % span) * 100
    price += np.array(_CENTS, dtype=np.int64)[draw.below(len(_CENTS), rows)]
    fixed = is_fixed[listing]
    term = np.array(terms, dtype=np.int64)[listing]
    price[fixed] = 500 + draw.below(20_000, rows)[fixed]
    one = np.flatnonzero(completed & ~fixed & (term == 1))
    gifts = np.where(fixed, term, price * term // 100)
    missing = year.money - int(gifts[completed].sum())
    each, rest = divmod(missing, len(one))
    price[one] += each * 100
    price[one[:rest]] += 100
    if int(price.min()) < 100:
        raise ValueError("this seed and size give prices below one yuan; take another")
    names, consumers = [f"L-{n + 1}" for n in range(count)], people("consumer", seed, year.consumers)
    step = 100_000

    def lines() -> Iterator[tuple[object, ...]]:
        for start in range(0, rows, step):
            part = slice(start, start + step)
            for n, (from_, who, fen, ok, when) in enumerate(
                zip(listing[part].tolist(), consumer[part].tolist(), price[part].tolist(), completed[part].tolist(),
                    day[part].tolist(), strict=True), start + 1,
            ):  # fmt: skip
                status = "completed" if ok else _LEFT_OUT[n % 2]
                yield n, names[from_], consumers[who], yuan(fen), status, _DAYS[when]

    _write(made.orders, ("order", "listing", "consumer", "price", "status", "date"), lines())


def _on_their_days(
    day: Numbers, completed: NDArray[np.bool_], listing: Numbers, consumer: Numbers, peak: int
) -> tuple[NDArray[np.bool_], Numbers, Numbers]:
    """Let exactly `peak` orders of the peak day be completed, and keep how many are in all.

    Days were sorted after they were drawn, so the rows of the peak day are others now: what is too many or too few
    there changes places with rows of other days.
    """
    at_peak = day == _PEAK
    excess = int((completed & at_peak).sum()) - peak
    ours, theirs = np.flatnonzero(at_peak & (completed == (excess > 0))), np.flatnonzero(
        ~at_peak & (completed != (excess > 0))
    )
    # Spread over the year: a stretch of neighbours would empty or crowd some days.
    theirs = theirs[np.linspace(0, len(theirs) - 1, abs(excess)).astype(np.int64)]
    ours = ours[: abs(excess)]
    order = np.arange(len(day))
    order[ours], order[theirs] = theirs, ours
    return completed[order], listing[order], consumer[order]


def _walks(year: Year, draw: Draw, seed: int) -> Iterator[tuple[object, ...]]:
    """Yield walks whose steps are so many in all, and some days without a step, which give nothing."""
    count = max(1, year.steps // ASSUMED["steps of a walk"])
    steps = _spread(year.steps, draw.below(12_000, count) + 2_000)
    idle = count // 100
    zero = np.zeros(count + idle, dtype=bool)
    zero[draw.order(count + idle)[:idle]] = True
    days = np.sort(draw.below(len(_DAYS), count + idle))
    walkers = people("walker", seed, max(1, count // 40))
    who = draw.all_of(len(walkers), count + idle)
    taken = iter(steps.tolist())
    for n in range(count + idle):
        yield n + 1, walkers[who[n]], _DAYS[days[n]], 0 if zero[n] else next(taken)


def _hours(year: Year, draw: Draw, seed: int) -> Iterator[tuple[object, ...]]:
    count = max(len(WORK), year.minutes // ASSUMED["minutes of an entry of hours"])
    minutes = _spread(year.minutes, draw.below(121, count) + 30).tolist()
    days = np.sort(draw.below(len(_DAYS), count))
    volunteers = people("volunteer", seed, max(1, count // 3))
    who = draw.all_of(len(volunteers), count)
    for n in range(count):
        yield n + 1, volunteers[who[n]], _DAYS[days[n]], f"hours-{WORK[n % len(WORK)]}", minutes[n]


def _services(year: Year, draw: Draw, seed: int) -> Iterator[tuple[object, ...]]:
    """Yield each person's cover or training once, all within twelve days after the funds were passed on."""
    insured = year.scaled(INSURED)
    trained = year.scaled(TRAINED_VILLAGES) * ASSUMED["people trained in a village"]
    first = _DAYS.index("2020-12-10")
    days = first + np.sort(draw.below(12, insured + trained))
    for n in range(insured + trained):
        service = "insurance" if n < insured else "training"
        price = ASSUMED[f"{service} of one person, fen"]
        yield person(service, seed, n), _DAYS[days[n]], service, yuan(price)


def _acts(year: Year, draw: Draw, seed: int) -> Iterator[tuple[object, ...]]:
    """Yield acts that earn points: a bus taken, a bill without paper."""
    count = max(1, year.points // ASSUMED["green points of an act"])
    points = _spread(year.points, draw.below(300, count) + 50).tolist()
    days = np.sort(draw.below(len(_DAYS), count))
    savers = people("saver", seed, max(1, count // 20))
    who = draw.all_of(len(savers), count)
    for n in range(count):
        yield n + 1, savers[who[n]], _DAYS[days[n]], points[n]


def _spread(total: int, weights: Numbers) -> Numbers:
    """Return whole numbers about as large as the weights, each 1 at least, that are `total` in all."""
    ends = [0]
    left, whole = total - len(weights), int(weights.sum())
    for end in np.cumsum(weights).tolist():
        ends.append(left * end // whole)
    bounds = np.array(ends, dtype=np.int64)
    return bounds[1:] - bounds[:-1] + 1
