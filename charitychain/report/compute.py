"""Compute: the figures of a report.

`compute` scans a ledger once (`charitychain.report.scan`), walks all its gifts (`charitychain.report.flows`), and puts
what they found into words. The same ledger, head, period and rates give the same figures, in the same order.

Rules upheld here:

- Figures of different units are never added, and what steps earned never to what was given.
- What a stolen key entered as given counts as received and disputed, and is told apart.
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
from charitychain.report.model import Figure, Report, in_id, percent
from charitychain.report.rates import Rates
from charitychain.report.scan import OTHER_LEDGER, Scan, scan
from charitychain.state.terms import days_of
from charitychain.units import CURRENCIES, format_amount

__all__ = ["compute", "period_of"]

_MAIN = ("acknowledged", "evidenced", "reported")
"""The states that are always told of what could be spent."""


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


def compute(
    reader: Reader,
    *,
    first: str | None = None,
    last: str | None = None,
    rates: Rates | None = None,
    title: str | None = None,
) -> Report:
    """Return the report of a ledger at its head.

    Args:
        first: First day of the period, ``YYYY-MM-DD``; nothing is from the start.
        last: Its last day.
        rates: Of other currencies.
        title: What its publisher puts above it.

    Raises:
        VerificationError: something is damaged or was not sealed.
    """
    figures = tuple(_Figures(scan(reader, first, last), rates).all())
    return Report(reader.facts(), first, last, figures, rates, title)


class _Figures:
    def __init__(self, seen: Scan, rates: Rates | None) -> None:
        self.seen, self.rates, self.accounts = seen, rates, seen.reader.state.accounts
        units = {account.unit: seen.reader.unit_of(account) for account in self.accounts}
        self.units = dict(sorted(units.items(), key=lambda item: (item[0] not in CURRENCIES, item[0])))
        self.sums: dict[str, dict[str, int]] = {"received": {}, "spent": {}, "held": {}, **{each: {} for each in _MAIN}}
        self.fates = {code: self._fate(code) for code in self.units}

    def _fate(self, code: str) -> tuple[int, dict[str, int], dict[str, int]]:
        """Return what was received of a unit, what it has come to, and what of that was converted on the way."""
        stretches = self.seen.cohort.get(code, {})
        gross = sum(high - low for parts in stretches.values() for low, high in parts)
        found, goods = Fates(self.seen).of(stretches)
        received = sum(_split(self.seen, self.seen.received, code, "source")["source"].values())
        stolen = self.seen.stolen[code]
        if sum(found.values()) != gross or gross - found["reversed"] + stolen != received:
            raise VerificationError(
                "CC-INDEX",
                f"what became of the gifts in {code} does not sum to them; remove the index, it is made anew",
            )
        for state, sums in (("transit", self.seen.transit_here), ("disputed", self.seen.denied_here)):
            found[state] += sums[code]
            found["held"] -= sums[code]
        found["disputed"] += stolen
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
            unit = self.units.get(code) or CURRENCIES[code]
            beside = format_amount(part, unit), format_amount(whole, unit)
            yield Figure(id_, label, percent(part, whole), "%", how, *beside, code)

    def _headline(self, code: str) -> Iterator[Figure]:
        """The share whose trace reaches an acknowledged end, beside everything else that became of the gifts."""
        received, found, goods = self.fates[code]
        for state in _MAIN:
            self.sums[state][code] = found[state]
        if not received:
            return
        # What was only earned with could not be spent: that it was not is nothing to tell.
        always = _MAIN if not found["earned"] or any(found[state] for state in _MAIN) else ()
        share = f"share.{in_id(code)}"
        for state in STATES:
            if state != "reversed" and (found[state] or state in always):
                name, how = words.STATES[state]
                yield from self._share(f"{share}.{state}", name, found[state], received, code, how)
        bought = sum(goods.values()) - goods["earned"] - goods["reversed"]
        if bought:
            yield from self._share(
                f"{share}.goods", "was turned into goods or another unit", bought, received, code,
                words.GOODS,
            )  # fmt: skip
            yield from self._share(
                f"{share}.goods.acknowledged", "of that, acknowledged by an independent key",
                goods["acknowledged"], bought, code, words.GOODS_ACKNOWLEDGED,
            )  # fmt: skip

    def _counts(self) -> Iterator[Figure]:
        seen = self.seen
        single, many = seen.gifts["single"], seen.gifts["columns"]
        spending = {number for (number, _, category), left in seen.spent.items() if left and category != "loss"}
        for id_, label, number, how in (
            ("gifts", "Gifts, those entered wrongly included", single + many, words.GIFTS),
            ("gifts.single", "Of these, entered one by one", single, words.GIFTS_SINGLE),
            ("gifts.columns", "Of these, entered in columns", many, words.GIFTS_COLUMNS),
            ("gifts.undone", "Of these, entered wrongly and undone", seen.gifts["undone"], words.GIFTS_UNDONE),
            ("donors", "Donors, of gifts entered wrongly too", seen.donors.count(), words.DONORS),
            ("merchants", "Merchants and other second parties", seen.seconds.count(), words.MERCHANTS),
            ("organisations", "Organisations that own accounts", len({each.owner for each in self.accounts}),
             words.ORGANISATIONS),
            ("projects", "Projects: accounts that spent something", len(spending), words.PROJECTS),
            ("accounts", "Accounts", len(self.accounts), words.ACCOUNTS),
            ("accounts.open", "Of these, open", sum(each.open for each in self.accounts), words.ACCOUNTS_OPEN),
        ):  # fmt: skip
            yield Figure(id_, label, number, None, how)

    def _flows(self, code: str) -> Iterator[Figure]:
        seen, name = self.seen, in_id(code)
        received = self.sums["received"][code] = self.fates[code][0]
        yield self._amount(f"received.{name}", "Received", received, code, words.RECEIVED)
        came = sum(
            amount
            for (number, _, source), amount in seen.received.items()
            if source == OTHER_LEDGER and self.accounts[number].unit == code
        )
        if came:
            yield self._amount(f"received-elsewhere.{name}", "Of that from other ledgers", came, code, words.ELSEWHERE)
        if seen.stolen[code]:
            yield self._amount(
                f"received-disputed.{name}", "Of that entered by a stolen key", seen.stolen[code], code, words.STOLEN
            )
        yield from self._by("received", code, _split(seen, seen.received, code, "source"), words.RECEIVED_BY)
        categories = _split(seen, seen.spent, code, "category")["category"]
        lost = categories["loss"]
        spent = self.sums["spent"][code] = sum(categories.values()) - lost
        yield self._amount(f"spent.{name}", "Spent", spent, code, words.SPENT)
        standing = {key: amount for key, amount in seen.spent.items() if key[2] != "loss"}
        yield from self._by("spent", code, _split(seen, standing, code, "category"), words.SPENT_BY)
        yield from self._share(
            f"administration.{name}", "Administration, share of all spending", categories["administration"], spent,
            code, words.ADMINISTRATION,
        )  # fmt: skip
        yield self._amount(f"lost.{name}", "Lost", lost, code, words.LOST)
        yield self._amount(f"refunded.{name}", "Refunded", seen.refunded[code], code, words.REFUNDED)
        if seen.sent[code]:
            yield self._amount(f"sent.{name}", "Sent to other ledgers", seen.sent[code], code, words.SENT)
        held = self.sums["held"][code] = sum(account.balance for account in self.accounts if account.unit == code)
        yield self._amount(f"held.{name}", "Held", held, code, words.HELD)
        yield self._amount(f"transit.{name}", "Of that in transit", seen.transit[code], code, words.TRANSIT)

    def _by(
        self, what: str, code: str, sums: Mapping[str, Mapping[str | None, int]], hows: Mapping[str, str]
    ) -> Iterator[Figure]:
        """Yield the parts of a sum, one way of parting it after the other; by name, and what has none last."""
        for by, how in hows.items():
            parts = {name: amount for name, amount in sums[by].items() if amount}
            for name in sorted(parts, key=lambda name: (name is None, name or "")):
                id_, told = (f"{by}:{in_id(name)}", f"{by} {name}") if name is not None else (
                    f"{by}-not-stated", f"no {by} stated"
                )  # fmt: skip
                yield self._amount(f"{what}.{in_id(code)}.{id_}", f"{what.title()}: {told}", parts[name], code, how)

    def _conversions(self) -> Iterator[Figure]:
        for given, got, funded, side in sorted(self.seen.converted):
            amount, code = self.seen.converted[given, got, funded, side], (given, got)[side]
            kind = "earned" if funded else "converted"
            label = words.CONVERTED[funded][side].format(given=given, got=got)
            yield self._amount(
                f"{kind}.{in_id(given)}.{in_id(got)}.{'out' if side == 0 else 'in'}", label, amount, code,
                words.EARNED if funded else words.CONVERSIONS,
            )  # fmt: skip

    def _outcomes(self) -> Iterator[Figure]:
        """The quantities that nobody disputes first, then how well they are attested, and what does not count."""
        for told in self.seen.outcomes:
            id_, name, found = f"outcome:{in_id(told.name)}", told.name, told.quantities
            total = sum(found.values()) - found["disputed"] - found["flagged"]
            yield Figure(id_, f"Outcome: {name}", total, None, words.OUTCOME)
            for state, (label, how) in words.OUTCOME_STATES.items():
                if found[state] or state == "acknowledged":
                    yield Figure(f"{id_}:{state}", f"{name}: {label}", found[state], None, how)
            yield Figure(f"{id_}:statements", f"Statements of: {name}", told.statements, None, words.STATED)
            if told.people:
                yield Figure(f"{id_}:people", f"People reached: {name}", told.people, None, words.PEOPLE)

    def _at_rates(self, rates: Rates) -> Iterator[Figure]:
        for to in rates.targets():
            counted = sorted(rates.units(to) & self.units.keys())
            left_out = [code for code in self.units if code in CURRENCIES and code not in counted]
            named = {
                "units": ", ".join(counted) or "nothing", "rest": ", ".join(left_out) or "none", "sha256": rates.sha256,
            }  # fmt: skip
            total = {what: rates.total(sums, to) for what, sums in self.sums.items()}
            for what, label in words.AT_RATES_OF.items():
                value = format_amount(total[what], CURRENCIES[to])
                label = f"{label}, in {to} at these rates"
                yield Figure(f"at-rates.{to}.{what}", label, value, to, words.AT_RATES.format(**named))
            for state in _MAIN:
                label = words.STATES[state][0]
                how = words.AT_RATES_SHARE.format(state=label, **named)
                id_, label = f"at-rates.{to}.share.{state}", f"In {to} at these rates: {label}"
                yield from self._share(id_, label, total[state], total["received"], to, how)


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
