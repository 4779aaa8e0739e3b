"""The question: where did a gift go?

`trace_gift` follows one gift to its final uses and says what is still held. It is asked on a basis
(`charitychain.basis`): the ledger, or what a receipt shows of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from charitychain import records
from charitychain.answers import (
    STATES,
    Came,
    Conversion,
    Correction,
    EndSum,
    FinalUse,
    Held,
    Money,
    Reached,
    Refunded,
    Sent,
    Step,
    Trace,
    Voided,
)
from charitychain.arrivals import Arrival, Arrivals
from charitychain.basis import Basis, Records
from charitychain.ends import HOW, Acknowledged, End, Owners, Undone, compromised, end_of, is_late, undone_of
from charitychain.errors import VerificationError
from charitychain.records import Place
from charitychain.state.accounts import Summary
from charitychain.state.flow import PIECE_LIMIT, Flow, Use, follow, reversals_of
from charitychain.state.lookup import GiftAt, Link
from charitychain.state.movements import Ref
from charitychain.units import Unit

__all__ = ["tell_flow", "trace_gift"]

_REPLACING = (records.Disbursement, records.Split, records.Expenditure, records.Conversion)


def trace_gift(
    basis: Basis,
    gift_id: str,
    *,
    limit: int = PIECE_LIMIT,
    part: tuple[int, int] | None = None,
    stops: Container[Ref] = (),
) -> Trace:
    """Follow one gift to its final uses.

    Args:
        limit: The most pieces to follow.
        part: Follow units ``[first, end)`` of the gift only.
        stops: Inflows beyond which nothing is followed. What is not followed stands in `Trace.remainder`.

    Raises:
        NotFoundError: ``CC-UNKNOWN-GIFT``.
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    gift = basis.gift(gift_id)
    flow = follow(basis, basis.accounts, gift, limit=limit, part=part, stops=stops)
    return tell_flow(basis, gift, flow, part)


def tell_flow(basis: Basis, gift: GiftAt, flow: Flow, part: tuple[int, int] | None = None) -> Trace:
    """Put what following a gift, or units ``[first, end)`` of it, found into words; see `trace_gift`.

    Of a part, the other units are told as not followed.
    """
    basis.check_movements(flow.touched)
    if part is not None and part[1] - part[0] < gift.amount:
        rest = flow.remainder.get(gift.account, 0) + gift.amount - (part[1] - part[0])
        flow = replace(flow, remainder={**flow.remainder, gift.account: rest})
    return _Telling(basis, gift, flow, part or (0, gift.amount)).tell(basis.sealed_gift(gift).donor)


class _Telling:
    """Turns what a walk found into words: each record read, and its signatures checked, once."""

    def __init__(self, basis: Basis, gift: GiftAt, flow: Flow, part: tuple[int, int]) -> None:
        self.basis, self.gift, self.flow, self.known = basis, gift, flow, Records(basis)
        self.accounts, self.owners = basis.accounts, Owners(self.known)
        self.arrivals = Arrivals(self.known, self.owners)
        self.part = part
        self._ends: dict[Place, End] = {}
        self._spendings: dict[Ref, End] = {}
        self._standing: dict[str, int] = {}
        self.known.author(gift.place)

    def tell(self, donor: bytes | None) -> Trace:
        gift, flow, known = self.gift, self.flow, self.known
        refunds, uses = self._refunds(), self._uses()
        arrival = self.arrivals.gift(gift)
        held = tuple(self._held(arrival))
        record = known.get(gift.place)
        unit = self.basis.unit_of(self.accounts[gift.account])
        back = sum(r.money.amount for r in refunds if r.donation == gift.id and r.money.unit == unit)
        return Trace(
            donation=gift.id,
            account=self.accounts[gift.account].id,
            money=Money(gift.amount, unit),
            refunded=Money(back, unit),
            date=known.date(gift.place),
            source=getattr(record, "source", None),
            donor=donor.hex() if donor else None,
            uses=uses,
            held=held,
            converted=self._conversions(),
            refunds=refunds,
            remainder=tuple(
                Held(self.accounts[n].id, self._money(left, n), "not followed")
                for n, left in sorted(flow.remainder.items())
            ),
            reversed=self._voided(),
            corrections=self._corrections(),
            steps=self._steps(),
            sealed=known.sealed(gift.place),
            lag_days=known.lag_days(gift.place),
            disputed=compromised(known, gift.place),
            late=is_late(known, gift.place, (self.accounts[gift.account],)),
            ledger=self.basis.facts(),
            ends=self._sums(held, refunds),
            outcomes=self._outcomes(uses),
            arrived=arrival.words,
            because_of=getattr(record, "because_of", None),
            because_of_reversed=self._is_reversed(getattr(record, "because_of", None)),
            matched_by=tuple(self._matches()),
            sent=self._sent(),
            came=_came(record),
        )  # fmt: skip

    def _money(self, amount: int, account: int) -> Money:
        return Money(amount, self.basis.unit_of(self.accounts[account]))

    def _by(self, place: Place, account: int) -> str:
        """Return who answers for what left an account: its owner then, where that one signed, else the author."""
        owner = self.owners.then(self.accounts[account], place)
        return self.known.signed_by(place, self.basis.parties[owner].id)

    def _matches(self) -> Iterator[str]:
        """Yield the donations that match this gift and were not wholly reversed."""
        for place in self.basis.links(self.gift.id, Link.MATCHED):
            record = self.known.get(place)
            if isinstance(record, records.Donation) and record.because_of == self.gift.id:
                self.known.author(place)
                if not self._is_reversed(record.id):
                    yield record.id

    def _is_reversed(self, gift: str | None) -> bool:
        """Say whether a gift was wholly reversed."""
        if gift is None:
            return False
        undone = sum(amount for _, amount in undone_of(self.known, gift))
        return undone >= self.basis.gift(gift).amount

    def _held(self, arrival: Arrival) -> Iterator[Held]:
        """Yield what still rests, by account: what is on its way there, what somebody denies, and the rest."""
        gift, found = self.gift, Counter[tuple[int, int]]()
        received: dict[int, dict[str, Acknowledged]] = {}
        waits = gift.amount - sum(self.flow.voided.values()) - arrival.amount
        first, end = self.part
        waits = waits * end // gift.amount - waits * first // gift.amount
        for ref, runs in self.flow.held.items():
            left = sum(run.length for run in runs)
            if ref == (gift.account, gift.movement):
                part = min(left, max(waits, 0))
                waiting = "disputed" if arrival.denied else "in transit"
                parts = [(waiting, part, ()), ("held", left - part, arrival.confirming())]
            else:
                parts = list(self.arrivals.rests(self.basis.movement(*ref), runs))
            for state, amount, words in parts:
                found[ref[0], STATES.index(state)] += amount
                received.setdefault(ref[0], {}).update({word.id: word for word in words})
        for (number, at), amount in sorted(found.items()):
            if amount:
                words = tuple(received[number].values()) if STATES[at] == "held" else ()
                yield Held(self.accounts[number].id, self._money(amount, number), STATES[at], words)

    def _end(
        self, place: Place, id_: str, amount: int, undone: Undone = (), recipients: Sequence[Summary] = ()
    ) -> End:
        if place not in self._ends:
            self._ends[place] = end_of(
                self.known, self.owners, id_, place, amount, undone=undone, recipients=recipients
            )
        return self._ends[place]

    def _uses(self) -> tuple[FinalUse, ...]:
        """Return all uses; what of an outflow is acknowledged or disputed is spread evenly over the ways there."""
        ways: dict[Ref, list[Use]] = {}
        for use in sorted(self.flow.uses, key=lambda use: use.path):
            ways.setdefault(use.outflow, []).append(use)
        found = []
        for ref, uses in ways.items():
            end = self._spent(ref)
            sums = Counter[str]()
            for state, _, amount in end.spread(self.flow.used[ref]):
                sums[state] += amount
            units, before = sum(self.flow.uses[use] for use in uses), 0
            for use in uses:
                upto = before + self.flow.uses[use]
                parts = [sums[s] * upto // units - sums[s] * before // units for s in ("acknowledged", "disputed")]
                found.append(self._use(use, upto - before, end, *parts))
                before = upto
        return tuple(sorted(found, key=lambda use: (use.path, use.id)))

    def _spent(self, ref: Ref) -> End:
        """Return what an expenditure has come to."""
        if ref not in self._spendings:
            outflow, account = self.basis.movement(*ref), self.accounts[ref[0]]
            record = self.known.get(outflow.place)
            assert isinstance(record, records.Expenditure)
            undone = [(back.place, back.amount) for back, _ in reversals_of(self.basis, account, outflow)]
            self._spendings[ref] = self._end(outflow.place, record.id, record.amount, undone)
        return self._spendings[ref]

    def _sums(self, held: Sequence[Held], refunds: Sequence[Refunded]) -> tuple[EndSum, ...]:
        """Return how much ended in which state, by unit: the gift's own first."""
        flow, found = self.flow, Counter[tuple[Unit, int, int]]()  # by unit, state and how

        def add(account: int, state: str, amount: int, how: str | None = None) -> None:
            unit = self.basis.unit_of(self.accounts[account])
            found[unit, STATES.index(state), HOW.index(how) if how else -1] += amount

        told = [(part.money, part.state) for part in held]
        told += [(refund.money, "refunded" if refund.disputed is None else "disputed") for refund in refunds]
        for money, state in told:
            found[money.unit, STATES.index(state), -1] += money.amount
        for ref, runs in flow.used.items():
            for state, how, amount in self._spent(ref).spread(runs):
                add(ref[0], state, amount, how)
        for use, parts in flow.sent.items():
            place = self.basis.movement(*use.outflow).place
            state = "sent" if compromised(self.known, place) is None else "disputed"
            add(use.outflow[0], state, sum(run.length for run in parts))
        for use, amount in flow.voided.items():
            add(use.outflow[0], "reversed", amount)
        for place, (left, _) in flow.converted.items():
            record = self.known.get(place)
            assert isinstance(record, records.Conversion)
            add(record.account, "converted", left)
        for account, amount in flow.remainder.items():
            add(account, "not followed", amount)
        own = self.basis.unit_of(self.accounts[self.gift.account])
        order = sorted((unit != own, unit.code, state, how, unit) for (unit, state, how), n in found.items() if n)
        return tuple(
            EndSum(STATES[state], Money(found[unit, state, how], unit), HOW[how] if how >= 0 else None)
            for _, _, state, how, unit in order
        )

    def _outcomes(self, uses: Sequence[FinalUse]) -> tuple[Reached, ...]:
        """Return what the expenditures of the gift led to, by those who may say so, in ledger order."""
        paid, known = Counter[str](), self.known
        for use in uses:
            paid[use.id] += use.money.amount
        found = []
        for place in sorted({place for id_ in paid for place in self.basis.links(id_, Link.RESULTED)}):
            record = known.get(place)
            if not isinstance(record, records.Outcome) or not any(id_ in paid for id_ in record.of):
                continue
            stands, share = sum(map(self._stands, record.of)), sum(paid[id_] for id_ in record.of)
            if record.amount is not None and stands:
                share = share * min(record.amount, stands) // stands  # it claims a part of what was spent, from each
            found.append(Reached(
                record.id, record.indicator, record.quantity, record.place, record.beneficiaries, known.author(place),
                known.date(place), end_of(known, self.owners, record.id, place, 1), self._money(share, record.account),
                self._money(stands, record.account),
                self._money(record.amount, record.account) if record.amount is not None else None, record.of,
                record.evidence, known.sealed(place), known.lag_days(place),
                is_late(known, place, (self.accounts[record.account],)),
            ))  # fmt: skip
        return tuple(found)

    def _stands(self, id_: str) -> int:
        """Return how much stands of an expenditure that an outcome names; each movement is checked, once."""
        if id_ not in self._standing:
            self._standing[id_] = self._read_standing(id_)
        return self._standing[id_]

    def _read_standing(self, id_: str) -> int:
        basis, row = self.basis, self.basis.find_id(id_)
        record = self.known.get(row.place) if row is not None else None
        lies = VerificationError("CC-INDEX", f"the index says another place of {id_!r} than was sealed")
        if row is None or row.account is None or row.movement is None:
            raise lies
        outflow = basis.movement(row.account, row.movement)
        if not isinstance(record, records.Expenditure) or record.id != id_ or outflow.place != row.place:
            raise lies
        self.known.author(row.place)
        undone = [back for back, _ in reversals_of(basis, self.accounts[row.account], outflow)]
        for movement in (outflow, *undone):
            self.basis.check_movement(movement)
        return outflow.amount - sum(back.amount for back in undone)

    def _use(self, use: Use, amount: int, end: End, acknowledged: int, disputed: int) -> FinalUse:
        known, account = self.known, self.accounts[use.outflow[0]]
        place = self.basis.movement(*use.outflow).place
        record = known.get(place)
        assert isinstance(record, records.Expenditure)
        return FinalUse(
            record.id, account.id, self._money(amount, use.outflow[0]), record.payee, record.purpose, record.category,
            tuple(map(known.id, use.path)), known.date(place), end,
            self._by(place, account.number), use.chosen or any(map(self._names_a_gift, use.path)), known.sealed(place),
            known.lag_days(place), is_late(known, place, (account,)),
            record.replaces, self._taken_over_from(record, account.id), acknowledged, disputed, record.evidence,
        )  # fmt: skip

    def _names_a_gift(self, place: Place) -> bool:
        """Say whether a record is a reversal of one gift's share: what came back by it was chosen."""
        record = self.known.get(place)
        return isinstance(record, records.Reversal) and record.gift is not None

    def _taken_over_from(self, record: records.Expenditure, account: str) -> str | None:
        row = self.basis.find_id(record.replaces) if record.replaces is not None else None
        replaced = self.known.get(row.place) if row is not None else None
        if not isinstance(replaced, records.Expenditure) or replaced.id != record.replaces:
            return None
        other = self.accounts[replaced.account].id
        return other if other != account else None

    def _refunds(self) -> tuple[Refunded, ...]:
        found: dict[str, Refunded] = {}
        for use, amount in self.flow.refunds.items():
            place = self.basis.movement(*use.outflow).place
            record = self.known.get(place)
            assert isinstance(record, records.Refund)
            self.known.author(place)
            before = found[record.id].money.amount if record.id in found else 0
            money = self._money(before + amount, use.outflow[0])
            found[record.id] = Refunded(record.id, money, record.donation, compromised(self.known, place))
        return tuple(refund for _, refund in sorted(found.items()))

    def _sent(self) -> tuple[Sent, ...]:
        """Return what left for other ledgers, one for each record and way."""
        known, found = self.known, []
        for use, runs in sorted(self.flow.sent.items(), key=lambda item: (item[0].path, item[0].outflow)):
            place, account = self.basis.movement(*use.outflow).place, self.accounts[use.outflow[0]]
            record = known.get(place)
            assert isinstance(record, records.Sent)
            found.append(Sent(
                record.id, account.id, self._money(sum(run.length for run in runs), account.number),
                record.to_ledger.hex(), record.to_origin, tuple(map(known.id, use.path)), known.date(place),
                self._by(place, account.number), use.chosen or any(map(self._names_a_gift, use.path)),
                known.sealed(place), use.outflow, tuple(sorted(runs)), compromised(known, place),
            ))  # fmt: skip
        return tuple(found)

    def _conversions(self) -> tuple[Conversion, ...]:
        found = []
        for place, (left, gave) in sorted(self.flow.converted.items()):
            record = self.known.get(place)
            assert isinstance(record, records.Conversion)
            self.known.author(place)
            smallest = self._money(-(-record.amount // record.gives), record.account)
            whole, given = self._money(record.amount, record.account), self._money(record.gives, record.to)
            moneys = (self._money(left, record.account), self._money(gave, record.to), smallest)
            found.append(Conversion(record.id, *moneys, whole, given))
        return tuple(found)

    def _voided(self) -> tuple[Voided, ...]:
        found: dict[Place, int] = {}
        for use, amount in self.flow.voided.items():
            place = self.basis.movement(*use.outflow).place
            self.known.author(place)
            found[place] = found.get(place, 0) + amount
        return tuple(
            Voided(self.known.id(place), self._money(amount, self.gift.account), self._reason(place))
            for place, amount in sorted(found.items())
        )

    def _reason(self, place: Place) -> str | None:
        record = self.known.get(place)
        return record.reason if isinstance(record, records.Reversal) else None

    def _corrections(self) -> tuple[Correction, ...]:
        found = []
        for ref, amount in sorted(
            self.flow.undone.items(), key=lambda item: self.basis.movement(*item[0]).place
        ):
            place = self.basis.movement(*ref).place
            record = self.known.get(place)
            assert isinstance(record, records.Reversal)
            self.known.author(place)
            found.append(
                Correction(
                    record.id,
                    record.reverses,
                    self.accounts[ref[0]].id,
                    self._money(amount, ref[0]),
                    record.reason,
                    self._taken_over_by(record.reverses, place),
                    record.gift is not None,
                )
            )
        return tuple(found)

    def _taken_over_by(self, id_: str, reversal: Place) -> tuple[tuple[str, str], ...]:
        """Return the records entered instead, with their accounts.

        Those of the reversal's own statement; where there are none, those of statements that reverse nothing of it.
        """
        found = dict[tuple[int, int], list[tuple[str, str]]]()
        for place in self.basis.links(id_, Link.REPLACED):
            record = self.known.get(place)
            if isinstance(record, _REPLACING) and record.replaces == id_:
                found.setdefault(place[:2], []).append((record.id, self.accounts[record.account].id))
        if reversal[:2] in found:
            return tuple(found[reversal[:2]])
        others = {place[:2] for place in self.basis.links(id_, Link.REVERSED)}
        return tuple(chain.from_iterable(rows for statement, rows in found.items() if statement not in others))

    def _steps(self) -> tuple[Step, ...]:
        """Return the records that passed the gift on and were not wholly undone, in ledger order."""
        found: dict[Place, Step] = {}
        for place, ref in sorted((self.basis.movement(*ref).place, ref) for ref in self.flow.passed):
            record = self.known.get(place)
            if isinstance(record, records.Disbursement | records.Split | records.Conversion):
                numbers = [number for number, _ in record.parts] if isinstance(record, records.Split) else [record.to]
                targets = [self.accounts[number] for number in numbers]
                undone = () if isinstance(record, records.Conversion) else undone_of(self.known, record.id)
                if sum(part for _, part in undone) == record.amount:
                    continue
                found[place] = Step(
                    record.id, record.NAME, self._money(record.amount, record.account),
                    self._end(place, record.id, record.amount, undone, targets), self._by(place, ref[0]),
                    self.known.date(place), self.known.sealed(place), self.known.lag_days(place),
                    is_late(self.known, place, (self.accounts[record.account], *targets)), record.evidence,
                )  # fmt: skip
        return tuple(found.values())


def _came(record: records.Record) -> Came | None:
    """Return what a record says of the ledger that a gift came from."""
    if not isinstance(record, records.Received):
        return None
    return Came(record.from_ledger.hex(), record.from_origin, record.movement)
