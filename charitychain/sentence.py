"""The sentence: what became of a gift, said at once, before the tree.

``Of your 10.00 CNY: 9.10 became 3 books at SD Sukamaju, confirmed by school on 2026-05-04; 0.60 administration; 0.30
waits in edu.``

Rules upheld here:

- Legs are parts of the same sum that `Trace.ends` tells by state: the gift's own unit first, then those that it became,
  in their order; large legs before small; units are never added.
- *Became* is said only where the gift paid all that an outcome stands on, and only for what its uses stand for.
- Whoever is named as confirming confirmed that amount; what only a part is confirmed of says which.
- Text that people wrote stands in quotation marks where it could be taken for words of this sentence.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from charitychain.answers import Conversion, FinalUse, Money, Reached, Sent, Trace
from charitychain.ends import HOW, Acknowledged
from charitychain.units import Unit

__all__ = ["lag_words", "money_of", "on_date", "reached", "said", "sentence", "speaker"]

_NAMED = 3
"""How many outcomes or kinds of use are told apart."""
_PLAIN = re.compile(r"[\w .,:!?()'&/+%#@-]+")
_OURS = re.compile(
    r"\b(acknowledged|confirmed|confirms|disputed|disputes|evidenced|independent|lost|payment|refunded|reported|waits)\b",
    re.IGNORECASE,
)


class _Part(Protocol):
    @property
    def money(self) -> Money: ...


_P = TypeVar("_P", bound=_Part)


class _Leg(NamedTuple):
    """A part of the sentence: how much, what became of it, and by which amount it is put in order."""

    money: Money
    words: str
    rank: int


def sentence(trace: Trace) -> str:
    """Return what became of a gift in one sentence."""
    return f"Of your {money_of(trace.money)}: {_told(trace)}."


def _told(trace: Trace) -> str:
    own = trace.money.unit
    units = dict.fromkeys([own, *(conversion.gives.unit for conversion in trace.converted)])
    place = {unit: at for at, unit in enumerate(units)}
    legs = sorted(_legs(trace), key=lambda leg: (place[leg.money.unit], -leg.rank))
    told = [f"{leg.money if leg.money.unit == own else money_of(leg.money)} {leg.words}" for leg in legs]
    return "; ".join(told)


def said(text: str) -> str:
    """Return text that somebody wrote, in quotation marks where it could be taken for ours: a leg of its own, or a word
    of those that say what is known.

    >>> said("school books"), said("books, confirmed by school")
    ('school books', '"books, confirmed by school"')
    """
    if _PLAIN.fullmatch(text) and not _OURS.search(text):
        return text
    return '"' + text.replace('"', "'") + '"'


def money_of(money: Money) -> str:
    """Return an amount with its unit."""
    return f"{money} {money.code}"


def reached(outcome: Reached, quantity: int | None = None) -> str:
    """Return what an outcome says was reached, and where."""
    where = f" at {said(outcome.place)}" if outcome.place else ""
    return f"{outcome.quantity if quantity is None else quantity} {said(outcome.indicator)}{where}"


def speaker(word: Acknowledged) -> str:
    """Return who says a word, and for whom."""
    return word.by + (f" for {said(word.on_behalf_of)}" if word.on_behalf_of else "")


def on_date(date: str, lag: int = 0) -> str:
    """Return a date as part of a sentence, and how much later it was recorded.

    >>> on_date("2014"), on_date("2026-05-04", 45)
    ('in 2014', 'on 2026-05-04, recorded 45 days later')
    """
    return f"{'on' if len(date) == 10 else 'in'} {date}" + (f", {lag_words(lag)}" if lag else "")


def lag_words(days: int) -> str:
    """Say how long after its stated date a record was sealed.

    >>> lag_words(1), lag_words(45), lag_words(4000), lag_words(-3)
    ('recorded 1 day later', 'recorded 45 days later', 'recorded 10 years later', 'recorded 3 days before')
    """
    count, name = abs(days), "day"
    if count > 730:
        count, name = count * 100 // 36525, "year"
    elif count > 90:
        count, name = count * 100 // 3044, "month"
    return f"recorded {count} {name}{'s' * (count != 1)} {'later' if days > 0 else 'before'}"


def _legs(trace: Trace) -> Iterator[_Leg]:
    uses = [_Taken(use, use.money.amount - use.disputed) for use in trace.uses]
    for denied in _by_unit([use for use in trace.uses if use.disputed]):
        whys = {use.end.why for use in denied}
        why = whys.pop() if len(whys) == 1 else None
        words = why if why is not None and why.startswith("disputed") else f"disputed: {why}" if why else "disputed"
        amount = sum(use.disputed for use in denied)
        yield _Leg(Money(amount, denied[0].money.unit), f"is {words}", amount)
    for cost in ("loss", "administration", "fundraising"):
        for parts in _by_unit([part for part in uses if part.use.category == cost and part.left]):
            yield _leg(parts, _lost(parts) if cost == "loss" else cost)
    yield from _programme(trace, [part for part in uses if part.use.category in (None, "programme")])
    for state, words in (("held", "waits in"), ("in transit", "is in transit to"), ("disputed", "is disputed in")):
        for came in (False, True):
            for rests in _by_unit([held for held in trace.held if held.state == state and bool(held.received) == came]):
                received = [word for held in rests for word in held.received]
                yield _leg(rests, f"{words} {_where([held.account for held in rests])}{_received(received)}")
    for rests in _by_unit(trace.remainder):
        yield _leg(rests, f"was not followed further in {_where([held.account for held in rests])}")
    yield from _sent(trace.sent)
    became: dict[tuple[Unit, Unit], list[Conversion]] = defaultdict(list)
    for conversion in trace.converted:
        became[conversion.money.unit, conversion.gives.unit].append(conversion)
    for (_, unit), same in became.items():
        gave, too_small = ([c for c in same if bool(c.gives.amount) == gives] for gives in (True, False))
        if gave:
            yield _leg(gave, f"became {money_of(Money(sum(c.gives.amount for c in gave), unit))}")
        if too_small:
            one, least = too_small[0], money_of(Money(1, unit))
            words = "fell below"
            if len(too_small) == 1:  # it is in what others paid for too
                words = f"is part of {one.whole} that became {money_of(one.gave)}, and by itself below"
            yield _leg(too_small, f"{words} the smallest unit, {least}")
    refunds = [refund for refund in trace.refunds if refund.disputed is None]
    wrongly = [refund for refund in trace.refunds if refund.disputed is not None]
    for words, back in (
        ("was refunded", refunds), ("is a refund that is disputed", wrongly), ("was never received", trace.reversed),
    ):  # fmt: skip
        for same_unit in _by_unit(back):
            yield _leg(same_unit, words)


def _sent(parts: Sequence[Sent]) -> Iterator[_Leg]:
    """Yield what went to other ledgers: to each in one leg, with what became of it there where that is known."""
    groups: dict[tuple[str, Unit, bool], list[Sent]] = defaultdict(list)
    for sent in parts:
        groups[sent.name, sent.money.unit, sent.disputed is None].append(sent)
    for (name, unit, stands), same in groups.items():
        there = [_told(part) for sent in same for part in sent.received]
        waits = sum(sent.waits.amount for sent in same if sent.waits is not None)
        if waits:
            there.append(f"{money_of(Money(waits, unit))} was not received yet")
        beyond = f" (there {'; '.join(there)})" if there else ""
        yield _leg(same, f"{'was' if stands else 'is disputed: it was'} sent to {said(name)}{beyond}")


class _Taken:
    """A use, and how much of it no leg has told yet."""

    def __init__(self, use: FinalUse, left: int) -> None:
        self.use, self.left = use, left

    @property
    def money(self) -> Money:
        return Money(self.left, self.use.money.unit)


def _lost(parts: Sequence[_Taken]) -> str:
    hows = {part.use.purpose for part in parts}
    how = hows.pop() if len(hows) == 1 else None
    return f"was lost ({said(how)})" if how else "was lost"


def _programme(trace: Trace, uses: list[_Taken]) -> Iterator[_Leg]:
    """Yield what the rest of the uses became, or else went to: of each unit the largest, and one leg for the others."""
    found: dict[Unit, list[tuple[int, str]]] = defaultdict(list)
    for outcomes in _alike(trace.outcomes):
        took = _take(outcomes, uses)
        if amount := sum(part.left for part in took):
            found[took[0].use.money.unit].append((amount, _became(outcomes, took)))
    groups: dict[tuple[Unit, str | None, str | None], list[_Taken]] = defaultdict(list)
    for part in uses:
        if part.left:
            groups[part.use.money.unit, part.use.payee, part.use.purpose].append(part)
    for (unit, payee, purpose), parts in groups.items():
        whom = f" to {said(payee)}" if payee else ""
        what = f" for {said(purpose)}" if purpose else ""
        words = f"{'went' if whom or what else 'was spent'}{whom}{what}, {_known(parts)[0]}"
        found[unit].append((sum(part.left for part in parts), words))
    for unit, told in found.items():
        ordered = sorted(told, key=lambda leg: (-leg[0], leg[1]))
        for amount, words in ordered[:_NAMED]:
            yield _Leg(Money(amount, unit), words, amount)
        if rest := ordered[_NAMED:]:
            # Told after the last of those that are named, whatever it comes to.
            others = "1 more use" if len(rest) == 1 else f"{len(rest)} more uses"
            yield _Leg(Money(sum(amount for amount, _ in rest), unit), f"went to {others}", rest[0][0])


def _alike(outcomes: Sequence[Reached]) -> list[list[list[Reached]]]:
    """Return outcomes that nobody disputes: those of the same expenditures together, and all such that are alike."""
    bundles: dict[object, list[Reached]] = defaultdict(list)
    for outcome in outcomes:
        if not outcome.end.disputed:
            bundles[outcome.of if outcome.claimed is None else outcome.id].append(outcome)
    alike: dict[tuple[tuple[str, str | None], ...], list[list[Reached]]] = defaultdict(list)
    for bundle in bundles.values():
        alike[tuple((outcome.indicator, outcome.place) for outcome in bundle)].append(bundle)
    return list(alike.values())


def _take(bundles: Sequence[Sequence[Reached]], uses: Sequence[_Taken]) -> list[_Taken]:
    """Take from the uses what these outcomes stand for, no more than each claims of what the gift paid."""
    by_id: dict[str, list[_Taken]] = defaultdict(list)
    for part in uses:
        by_id[part.use.id].append(part)
    took = []
    for bundle in bundles:
        wanted = bundle[0].paid.amount
        for id_ in bundle[0].of:
            for part in by_id[id_]:
                amount = min(part.left, wanted)
                if amount:
                    took.append(_Taken(part.use, amount))
                part.left, wanted = part.left - amount, wanted - amount
    return took


def _became(bundles: Sequence[Sequence[Reached]], took: Sequence[_Taken]) -> str:
    outcomes = [outcome for bundle in bundles for outcome in bundle]
    whole = sum(bundle[0].cost.amount for bundle in bundles)
    paid = sum(bundle[0].paid.amount for bundle in bundles)
    share = "became" if paid >= whole else f"of {Money(whole, outcomes[0].paid.unit)} that became"
    sums = [sum(bundle[at].quantity for bundle in bundles) for at in range(len(bundles[0]))]
    what = " and ".join(reached(outcome, quantity) for outcome, quantity in zip(bundles[0], sums, strict=True))
    payment, payers = _known(took)
    words = {speaker(word): word for outcome in outcomes for word in outcome.end.confirming()}
    if words and all(outcome.end.acknowledged_amount for outcome in outcomes):
        best = min(words.values(), key=lambda word: (HOW.index(word.how), word.by))
        claim = f"confirmed by {_speaks(best, len({word.by for word in words.values()}) - 1)}"
        return f"{share} {what}, {claim}" if payers == {*words} else f"{share} {what} ({claim}), payment {payment}"
    state = "evidenced" if all(outcome.evidence for outcome in outcomes) else "reported"
    authors = sorted({outcome.by for outcome in outcomes})
    return f"{share} {what} ({state} by {' and '.join(authors[:2])}), payment {payment}"


def _known(parts: Sequence[_Taken]) -> tuple[str, set[str]]:
    """Say who confirms what a leg took of uses, or that nobody does; and who confirms all of it, if it is all."""
    total = sum(part.left for part in parts)
    known, sums = 0, dict[tuple[str, str, str | None], int]()
    last = dict[tuple[str, str, str | None], Acknowledged]()
    for part in parts:
        stands = part.use.end.stands
        known += part.use.acknowledged * part.left // max(part.use.money.amount - part.use.disputed, 1)
        for word in part.use.end.confirming():
            key = (word.by, word.how, word.on_behalf_of)
            sums[key] = sums.get(key, 0) + min(word.amount, stands) * part.left // max(stands, 1)
            last[key] = word
    if not known or not sums:
        return ("evidenced" if all(part.use.evidence for part in parts) else "reported"), set()
    best = min(sums, key=lambda key: (-min(sums[key], total), HOW.index(key[1]), key[0]))
    some = "" if known >= total else f"{money_of(Money(known, parts[0].use.money.unit))} of it "
    told = f"{some}confirmed by {_speaks(last[best], len({by for by, _, _ in sums}) - 1)}"
    return told, set() if some else {speaker(word) for word in last.values()}


def _speaks(word: Acknowledged, others: int) -> str:
    how = f" ({word.how})" if word.how in ("operator", "stand-in") else ""
    more = f" and {others} more" if others else ""
    return f"{speaker(word)}{how}{more} {on_date(word.date, word.lag_days)}"


def _received(words: Sequence[Acknowledged]) -> str:
    if not words:
        return ""
    last = max(words, key=lambda word: (word.sealed, word.date))
    return f", received by {_speaks(last, len({word.by for word in words}) - 1)}"


def _where(accounts: Sequence[str]) -> str:
    names = sorted(set(accounts))
    return names[0] if len(names) == 1 else f"{len(names)} accounts"


def _leg(parts: Sequence[_Part], words: str) -> _Leg:
    amount = sum(part.money.amount for part in parts)
    return _Leg(Money(amount, parts[0].money.unit), words, amount)


def _by_unit(parts: Sequence[_P]) -> list[list[_P]]:
    found: dict[Unit, list[_P]] = {}
    for part in parts:
        found.setdefault(part.money.unit, []).append(part)
    return list(found.values())
