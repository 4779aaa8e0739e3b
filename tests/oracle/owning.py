"""Random journals of several parties: accounts that change hands, approvals, and gifts that others enter.

- Accounts belong to three charities; a platform takes gifts and batches in for them, and only itself goes on with its
  series; two people approve.
- Accounts are handed over, some of them with money, caps of their party and approvals; they are closed and opened.
- Transfers, splits and gifts are reversed after hand-overs, and in other years than they were made in.
- Whoever has to sign does: what such a journal says is right, and who may say it is for other tests.

    >>> maker = OwningMaker(1, "owners")
    >>> sorted({account.terms.owner for account in maker.model.accounts.values()})
    ['clinic', 'school', 'self']
"""

from __future__ import annotations

from .amendments import AmendingMaker
from .model import Record

PARTIES: dict[str, tuple[str, ...]] = {
    "self": ("operator", "intake", "charity", "sponsor"),
    "clinic": ("charity",),
    "school": ("sponsor",),
    "platform": ("intake",),
    "board": ("auditor",),
    "treasurer": ("witness",),
}
OWNERS = ("self", "clinic", "school")


class OwningMaker(AmendingMaker):
    """Proposes what several parties may do, beside all that `AmendingMaker` proposes."""

    def __init__(self, seed: int, kind: str) -> None:
        super().__init__(seed, kind, PARTIES)

    def _propose(self, name: str) -> Record | None:
        return self._hand_over() if name == "hand-over" else super()._propose(name)

    def _terms(self, unit: str) -> Record:
        terms = super()._terms(unit)
        terms.pop("restriction", None)
        terms["owner"] = OWNERS[len(self.journal) % len(OWNERS)]
        if self.rng.random() < 0.3:
            terms["approvals"] = self._approvals()
        return terms

    def _approvals(self) -> Record:
        of = self.rng.choice((["board"], ["board", "treasurer"], ["treasurer", "clinic"]))
        return {"of": of, "needed": self.rng.randint(1, len(of))}

    def _caps(self) -> list[Record]:
        return [{**cap, "scope": "party"} if self.rng.random() < 0.5 else cap for cap in super()._caps()]

    def _donation(self) -> Record:
        record = super()._donation()
        if self.rng.random() < 0.4:
            record["author"] = "platform"
        return record

    def _gifts(self) -> Record:
        record = super()._gifts()
        series = self.model.series.get(record["series"])
        if series is not None:
            record["author"] = series.author
        elif self.rng.random() < 0.6:
            record["author"] = "platform"
        return record

    def _hand_over(self) -> Record:
        """Return a change of an account's owner, of its approvals, or of whether it is open."""
        accounts = list(self.model.accounts.values())
        closed = [each for each in accounts if each.terms.closed]
        account = self.rng.choice(closed if closed and self.rng.random() < 0.3 else accounts)
        record = self._new("account-change", "AC")
        record["account"] = account.id
        if account.terms.closed:
            return {**record, "closed": False}
        what = self.rng.choice(("owner", "owner", "owner", "approvals"))
        if what == "owner":
            record[what] = self.rng.choice([party for party in OWNERS if party != account.terms.owner])
        else:
            record[what] = {} if account.terms.approvals is not None and self.rng.random() < 0.5 else self._approvals()
        return record
