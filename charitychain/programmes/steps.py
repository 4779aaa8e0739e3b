"""Steps: days of walking become STEP gifts, and a sponsor's money turns them into a running track.

The table of walks is CSV, ``walk,walker,date,steps``: `walk` a whole number that rises from row to row, `walker` a
pseudonym of 32 hexadecimal digits, `date` the day of walking. A walk becomes a gift ``SERIES/walk`` of the source
``steps``, and its donor is the walker. One conversion then turns the steps of an account into money that a sponsor's
account pays, by a rate that is declared in the record: the traces of the walkers and of the sponsor end at the same
uses.

Rules upheld here:

- All rows are checked before the first block; a table that was entered is skipped when it is entered again, and one
  that says something else is refused.
- A walk below a smallest number of steps does not enter. Each is counted, its steps are summed, and a walk that is in
  the ledger already is never told to have been left out.
- The ledger tells of them, too: the next batch that is recorded has in its reference how many walks did not enter,
  below how many steps, their numbers and their steps in all, each walk once. (Where no walk enters after a full block,
  or none at all, no batch can tell it.)

What it leaves to others: the conversion (`charitychain.programmes.rates`); who may convert and whether the sponsor has
the money (`charitychain.state`); and which walker carries which cent: within a conversion the boundary ``p`` becomes
``floor(p * money / steps)``, so that a walk shorter than the rate's steps for one smallest unit may carry none,
although it counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from charitychain.errors import MalformedError
from charitychain.interop.gifts_table import Row, Series, import_rows
from charitychain.programmes.events import check_unit, numbered_events, person, whole
from charitychain.programmes.rates import convert_at_rate
from charitychain.reading import Reader
from charitychain.writer import Writer

__all__ = ["Entered", "Walk", "convert_steps", "import_walks"]

UNIT = "STEP"
_COLUMNS = ("walk", "walker", "date", "steps")
_TOLD = re.compile(r"[0-9]+ walks? (?:below [0-9]+|of no) steps not entered, (?:[0-9]+ to )?([0-9]{1,19}), [0-9]+ .*")


class Walk(NamedTuple):
    """One row of the table."""

    walk: int
    walker: str
    date: str
    steps: int


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of a table of walks.

    Attributes:
        added, known, blocks: Gifts that are new, that the ledger held before, and blocks sealed.
        left_out, left_out_steps: How many walks did not enter, and their steps in all.
        left_out_walks: The first of them, as many as were asked for.
    """

    added: int
    known: int
    blocks: int
    left_out: int
    left_out_steps: int
    left_out_walks: tuple[Walk, ...]


def import_walks(
    writer: Writer,
    path: Path,
    account: str,
    *,
    series: str = "steps",
    least: int = 1,
    author: str | None = None,
    limit: int = 1000,
    tick: Callable[[], None] | None = None,
) -> Entered:
    """Enter a table of walks into an account in STEP, and commit.

    Args:
        series: A walk is then traced as ``SERIES/walk``.
        least: The fewest steps with which a walk enters, 1 at least.
        author: Party that signs; nothing is the account's owner.
        limit: How many of the walks that did not enter are listed; all are counted.
        tick: Called now and then, to show that it goes on.

    Raises:
        MalformedError, RefusedError: naming the line; nothing of this table was recorded. ``CC-UNIT``: the account is
            in another unit. ``CC-DUPLICATE-ID``: a walk that is there says something else, or would be left out now.
    """
    if least < 1:
        raise MalformedError("CC-AMOUNT", f"the fewest steps that enter are 1 at least, found {least}")
    told = _LeftOut(least)
    target = Series(
        writer, account=account, series=series, origin="steps", author=author, file=path.name, tells=told.take
    )
    told.begin(max(target.upto, _told_upto(writer, series)))
    check_unit(target.unit, account, UNIT)
    left: list[Walk] = []
    count = total = 0

    def rows() -> Iterator[tuple[Series, Row]]:
        nonlocal count, total
        count = total = 0
        left.clear()
        told.take()  # what the check of all rows counted
        for line, walk in _walks(path):
            if walk.steps >= least:
                yield target, Row(line, walk.walk, walk.steps, bytes.fromhex(walk.walker), bytes(16), walk.date)
                continue
            target.check_left_out(line, walk.walk)
            count, total = count + 1, total + walk.steps
            told.count(walk)
            if len(left) < limit:
                left.append(walk)

    done = import_rows(writer, rows, tick=tick)
    return Entered(done.added, done.known, done.blocks, count, total, tuple(left))


class _LeftOut:
    """Walks that did not enter since the last batch was recorded."""

    def __init__(self, least: int) -> None:
        self._least, self._upto = least, -1
        self._numbers: list[int] = []  # the first and the last
        self._count = self._steps = 0

    def begin(self, upto: int) -> None:
        """Count walks above a number: of those up to it the ledger has told already."""
        self._upto = upto

    def count(self, walk: Walk) -> None:
        if walk.walk > self._upto:
            self._numbers = [*self._numbers[:1], walk.walk]
            self._count, self._steps = self._count + 1, self._steps + walk.steps

    def take(self) -> str | None:
        """Return what is said of them, such as ``2 walks below 100 steps not entered, 3 to 4, 40 steps in all``."""
        count, steps, numbers = self._count, self._steps, " to ".join(map(str, self._numbers))
        self._count, self._steps, self._numbers = 0, 0, []
        if not count:
            return None
        what = f"below {self._least} steps" if self._least > 1 else "of no steps"
        walks, sum_ = f"{count} walk{'s' * (count != 1)}", f"{steps} step{'s' * (steps != 1)}"
        return f"{walks} {what} not entered, {numbers}, {sum_} in all"


def _told_upto(writer: Writer, series: str) -> int:
    """Return the number up to which the last batch of a series tells of walks that did not enter; -1 for none."""
    last = writer.core.state.lookup.last_batch(series)
    record = writer.core.signed(last.place)[0] if last is not None else None
    said = _TOLD.fullmatch(getattr(record, "reference", None) or "")
    return int(said[1]) if said else -1


def _walks(path: Path) -> Iterator[tuple[int, Walk]]:
    for walk, event in numbered_events(path, required=_COLUMNS):
        steps = whole(path, event, "steps")
        yield event.line, Walk(walk, person(path, event, "walker"), event.fields["date"], steps)


def convert_steps(
    reader: Reader, *, source: str, to: str, funded_from: str, rate: str, id: str, steps: str | None = None
) -> dict[str, Any]:
    """Return the journal entry of one conversion of the steps of an account into money.

    Args:
        source: The account in STEP.
        to: The account that gets the money, such as that of a running track.
        funded_from: The sponsor's account, which pays; in the currency of `to`.
        rate: ``STEPS=MONEY``, such as ``1000=0.01``; the record's reference declares it.
        steps: How many at most; nothing is the whole balance.

    Raises:
        RefusedError, MalformedError: as `charitychain.programmes.rates.convert_at_rate`; and ``CC-UNIT``: `source` is
            not in STEP.
    """
    check_unit(reader.unit_of(reader.state.account_named(source)), source, UNIT)
    return convert_at_rate(reader, source=source, to=to, funded_from=funded_from, rate=rate, id=id, most=steps)
