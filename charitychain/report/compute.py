"""Compute: the figures of a report.

`compute` scans a ledger once (`charitychain.report.scan`), walks all its gifts (`charitychain.report.flows`), and puts
what they found into words. The same ledger, head, period and rates give the same figures, in the same order.

Rules upheld here:

- Figures of different units are never added, and what steps earned never to what was given.
- Other currencies are converted only with a table of rates, and stand apart.
- What two ways of counting must both give is compared; where they differ, there is no report.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from charitychain.errors import MalformedError, VerificationError
from charitychain.reading import Reader
from charitychain.records import check_date
from charitychain.report import words
from charitychain.report.flows import STATES, Fates
from charitychain.report.model import Figure, Report, percent
from charitychain.report.rates import Rates
from charitychain.report.scan import Scan, scan
from charitychain.state.terms import days_of
from charitychain.trace import ledger_facts
from charitychain.units import CURRENCIES, format_amount

__all__ = ["compute", "period_of"]


def period_of(first: str | None, last: str | None) -> tuple[str | None, str | None]:
    """Return the first and last day that ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD`` mean as the ends of a period.

    Raises:
        MalformedError: ``CC-RECORD``: no date, or the end lies before the start.
    """
    for what, date in (("--from", first), ("--to", last)):
        if date is not None:
            check_date(date, what)
    found = (days_of(first)[0] if first is not None else None, days_of(last)[1] if last is not None else None)
    if found[0] is not None and found[1] is not None and found[0] > found[1]:
        raise MalformedError("CC-RECORD", f"the period ends on {found[1]}, before it begins on {found[0]}")
    return found


def compute(reader: Reader, *, first: str | None = None, last: str | None = None, rates: Rates | None = None) -> Report:
    """Return the report of a ledger at its head.

    Args:
        first: First day of the period, ``YYYY-MM-DD``; nothing is from the start.
        last: Its last day.
        rates: Of other currencies.

    Raises:
        VerificationError: something is damaged or was not sealed.
    """
    figures = tuple(_Figures(scan(reader, first, last), rates).all())
    return Report(ledger_facts(reader), first, last, figures, rates)


class _Figures:
    def __init__(self, seen: Scan, rates: Rates | None) -> None:
        self.seen, self.rates, self.accounts = seen, rates, seen.reader.state.accounts
        units = {account.unit: seen.reader.unit_of(account) for account in self.accounts}
        self.units = dict(sorted(units.items(), key=lambda item: (item[0] not in CURRENCIES, item[0])))
        self.sums: dict[str, dict[str, int]] = {"received": {}, "spent": {}, "held": {}, "acknowledged": {}}
        self.fates = {code: self._fate(code) for code in self.units}

    def _fate(self, code: str) -> tuple[int, dict[str, int], dict[str, int]]:
        """Return what was received of a unit, what it has come to, and what of that was converted on the way."""
        stretches = self.seen.cohort.get(code, {})
        gross = sum(high - low for parts in stretches.values() for low, high in parts)
        found, goods = Fates(self.seen).of(stretches)
        received = sum(_split(self.seen, self.seen.received, code, "source")["source"].values())
        if sum(found.values()) != gross or gross - found["reversed"] != received:
            raise VerificationError(
                "CC-INDEX",
                f"what became of the gifts in {code} does not sum to them; remove the index, it is made anew",
            )
        for state, sums in (("transit", self.seen.transit_here), ("disputed", self.seen.denied_here)):
            found[state] += sums[code]
            found["held"] -= sums[code]
        return received, found, goods

    def all(self) -> Iterator[Figure]:
        for code in self.units:
            yield from self._headline(code)
        yield from self._counts()
        for code in self.units:
            yield from self._flows(code)
        yield from self._conversions()
        yield from self._outcomes()
        yield Figure("late", "Late entries", self.seen.late, None, words.LATE)
        if self.rates is not None:
            yield from self._at_rates(self.rates)

    def _amount(self, id_: str, label: str, amount: int, code: str, how: str) -> Figure:
        return Figure(id_, label, format_amount(amount, self.units[code]), code, how)

    def _share(self, id_: str, label: str, part: int, whole: int, code: str, how: str) -> Iterator[Figure]:
        if whole:
            beside = (format_amount(number, self.units[code]) for number in (part, whole))
            yield Figure(id_, label, percent(part, whole), "%", how, *beside)

    def _headline(self, code: str) -> Iterator[Figure]:
        """The share whose trace reaches an acknowledged end, beside everything else that became of the gifts."""
        received, found, goods = self.fates[code]
        self.sums["acknowledged"][code] = found["acknowledged"]
        if not received:
            return
        for state in STATES:
            if state != "reversed" and (found[state] or state in ("acknowledged", "evidenced", "reported")):
                name, how = words.STATES[state]
                yield from self._share(f"share.{code}.{state}", name, found[state], received, code, how)
        bought = sum(goods.values()) - goods["earned"] - goods["reversed"]
        if bought:
            yield from self._share(
                f"share.{code}.goods", "was turned into goods or another unit", bought, received, code,
                words.GOODS,
            )  # fmt: skip
            yield from self._share(
                f"share.{code}.goods.acknowledged", "of that, acknowledged by an independent key",
                goods["acknowledged"], bought, code, words.GOODS_ACKNOWLEDGED,
            )  # fmt: skip

    def _counts(self) -> Iterator[Figure]:
        seen, state = self.seen, self.seen.reader.state
        single, many = seen.gifts["single"], seen.gifts["columns"]
        yield Figure("gifts", "Gifts", single + many, None, words.GIFTS)
        yield Figure("gifts.single", "Gifts entered one by one", single, None, words.GIFTS_SINGLE)
        yield Figure("gifts.columns", "Gifts entered in columns", many, None, words.GIFTS_COLUMNS)
        yield Figure("gifts.undone", "Gifts entered wrongly", seen.gifts["undone"], None, words.GIFTS_UNDONE)
        yield Figure("donors", "Donors", seen.donors.count(), None, words.DONORS)
        yield Figure("merchants", "Merchants", seen.seconds.count(), None, words.MERCHANTS)
        owners = {account.owner for account in self.accounts if state.parties[account.owner].has("charity")}
        yield Figure("organisations", "Organisations", len(owners), None, words.ORGANISATIONS)
        yield Figure("projects", "Projects", len(self.accounts), None, words.PROJECTS)

    def _flows(self, code: str) -> Iterator[Figure]:
        seen = self.seen
        received = self.sums["received"][code] = self.fates[code][0]
        yield self._amount(f"received.{code}", "Received", received, code, words.RECEIVED)
        yield from self._by("received", code, _split(seen, seen.received, code, "source"), words.RECEIVED_BY)
        categories = _split(seen, seen.spent, code, "category")["category"]
        lost = categories["loss"]
        spent = self.sums["spent"][code] = sum(categories.values()) - lost
        yield self._amount(f"spent.{code}", "Spent", spent, code, words.SPENT)
        standing = {key: amount for key, amount in seen.spent.items() if key[2] != "loss"}
        yield from self._by("spent", code, _split(seen, standing, code, "category"), words.SPENT_BY)
        yield from self._share(
            f"administration.{code}", "Administration, share of all spending", categories["administration"], spent,
            code, words.ADMINISTRATION,
        )  # fmt: skip
        yield self._amount(f"lost.{code}", "Lost", lost, code, words.LOST)
        yield self._amount(f"refunded.{code}", "Refunded", seen.refunded[code], code, words.REFUNDED)
        held = self.sums["held"][code] = sum(account.balance for account in self.accounts if account.unit == code)
        yield self._amount(f"held.{code}", "Held", held, code, words.HELD)
        yield self._amount(f"transit.{code}", "Of that in transit", seen.transit[code], code, words.TRANSIT)

    def _by(
        self, what: str, code: str, sums: Mapping[str, Mapping[str | None, int]], hows: Mapping[str, str]
    ) -> Iterator[Figure]:
        """Yield the parts of a sum, one way of parting it after the other; by name, and what has none last."""
        for by, how in hows.items():
            parts = {name: amount for name, amount in sums[by].items() if amount}
            for name in sorted(parts, key=lambda name: (name is None, name or "")):
                id_, told = (f"{by}:{name}", f"{by} {name}") if name is not None else (
                    f"{by}-not-stated", f"no {by} stated"
                )  # fmt: skip
                yield self._amount(f"{what}.{code}.{id_}", f"{what.title()}: {told}", parts[name], code, how)

    def _conversions(self) -> Iterator[Figure]:
        for given, got, funded, side in sorted(self.seen.converted):
            amount, code = self.seen.converted[given, got, funded, side], (given, got)[side]
            kind = "earned" if funded else "converted"
            label = words.CONVERTED[funded][side].format(given=given, got=got)
            yield self._amount(f"{kind}.{given}.{got}.{'out' if side == 0 else 'in'}", label, amount, code,
                               words.EARNED if funded else words.CONVERSIONS)  # fmt: skip

    def _outcomes(self) -> Iterator[Figure]:
        for indicator, (count, quantity, people) in sorted(self.seen.outcomes.items()):
            yield Figure(f"outcome:{indicator}", f"Outcome: {indicator}", quantity, None, words.OUTCOME)
            yield Figure(f"outcome:{indicator}:statements", f"Statements of: {indicator}", count, None, words.STATED)
            if people:
                yield Figure(f"outcome:{indicator}:people", f"People reached: {indicator}", people, None, words.PEOPLE)

    def _at_rates(self, rates: Rates) -> Iterator[Figure]:
        for to in rates.targets():
            counted = sorted(rates.units(to) & self.units.keys())
            left_out = [code for code in self.units if code in CURRENCIES and code not in counted]
            told = words.AT_RATES.format(
                units=", ".join(counted) or "nothing", rest=", ".join(left_out) or "none", sha256=rates.sha256
            )
            for what, sums in self.sums.items():
                value = format_amount(rates.total(sums, to), CURRENCIES[to])
                label = f"{words.AT_RATES_OF[what]}, in {to} at these rates"
                yield Figure(f"at-rates.{to}.{what}", label, value, to, told)


def _split(
    seen: Scan, sums: Mapping[tuple[int, int, str | None], int], code: str, stated: str
) -> dict[str, Counter[str | None]]:
    """Return the sums of one unit by what records state, and by programme, organisation and region."""
    state, found = seen.reader.state, defaultdict[str, Counter[str | None]](Counter)
    for (number, owner, name), amount in sums.items():
        account = state.accounts[number]
        if account.unit == code:
            tags = dict(account.terms.tags)
            found[stated][name] += amount
            found["programme"][tags.get("programme")] += amount
            found["organisation"][state.parties[owner].id] += amount
            found["region"][tags.get("region")] += amount
    return found
