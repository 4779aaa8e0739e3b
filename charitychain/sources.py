"""The questions that need a whole ledger: which gifts paid for this, and what does each account hold?

`find_sources` runs the maps of `charitychain.trace` backwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from charitychain import records
from charitychain.answers import Money, Sources
from charitychain.errors import NotFoundError, VerificationError
from charitychain.reading import Reader
from charitychain.records import Place
from charitychain.state.flow import PIECE_LIMIT
from charitychain.state.movements import Kind
from charitychain.state.origins import origins

__all__ = ["balances", "find_sources"]


def find_sources(reader: Reader, id_: str, *, offset: int = 0, count: int = 20, limit: int = PIECE_LIMIT) -> Sources:
    """Return which gifts paid for an expenditure, a disbursement, a conversion or a refund: largest first, one page.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``: no outflow of this ledger has this id.
        VerificationError: something that the answer rests on is damaged or was not sealed.
    """
    state, index = reader.state, reader.index
    row = index.find_id(id_)
    outflow = None
    if row is not None and row.account is not None and row.movement is not None and row.kind != records.Donation.KIND:
        outflow = index.movement(row.account, row.movement)
    if outflow is None or outflow.is_inflow:
        raise NotFoundError(
            "CC-UNKNOWN-ID", f"no expenditure or other outflow of this ledger has the id {id_!r}", id=id_
        )
    reader.check_author(outflow.place)
    if records.record_id(reader.record(outflow.place)) != id_:
        raise VerificationError("CC-INDEX", f"the index says another place of {id_!r} than was sealed")
    found, remainder, touched = origins(index, state.accounts, outflow, limit=limit)
    reader.check_movements(touched)
    inflows: dict[Place, None] = {
        m.place: None for m in (index.movement(*ref) for ref in touched) if m.kind in (Kind.DONATED, Kind.CAME)
    }
    for place in inflows:
        reader.statement(place)
    unit = reader.unit_of(state.accounts[outflow.account])
    order: Sequence[tuple[str, int]] = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return Sources(
        id=id_,
        account=state.accounts[outflow.account].id,
        net=Money(sum(found.values()) + remainder, unit),
        gifts=tuple((gift, Money(amount, unit)) for gift, amount in order[offset : offset + count]),
        total=len(order),
        offset=offset,
        remainder=Money(remainder, unit),
        ledger=reader.facts(),
    )


def balances(reader: Reader) -> dict[str, tuple[Money, dict[str, int]]]:
    """Return by account id what it holds, and the sums of its tape in minor units."""
    found: dict[str, tuple[Money, dict[str, int]]] = {}
    for account in reader.state.accounts:
        sums = {
            "in": account.in_, "by_rule": account.rule_sum, "by_name": account.named, "reversed": account.back,
            "movements": account.log.size,
        }  # fmt: skip
        found[account.id] = (Money(account.balance, reader.unit_of(account)), sums)
    return found
