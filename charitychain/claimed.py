"""Which gifts of a ledger a donor's claim is about, or a platform's own pseudonym.

Rules upheld here:

- A gift counts as the donor's only where the pseudonym that was sealed is the one that the claim's secret gives.
- A label whose gifts have another donor is an error: a claim that was changed, or a ledger that gave the gift to
  somebody else, never passes for "no gifts".
- Gifts of a series are read out of columns that were compared with the sealed root: nobody who only holds the file can
  put a gift in, take one away, or give it another amount.

It leaves to others how a claim is read (`charitychain.claims`) and where its gifts went (`charitychain.trace`).

>>> Claimed(gifts=("D-1",), unknown=()).gifts
('D-1',)
"""

from __future__ import annotations

from typing import NamedTuple

from charitychain import columns
from charitychain.claims import Claim, pseudonym
from charitychain.errors import NotFoundError, RefusedError, VerificationError
from charitychain.reading import Reader
from charitychain.records import Donation, Gifts
from charitychain.state.lookup import columns_at

__all__ = ["Claimed", "find_claimed", "gifts_in_series"]


class Claimed(NamedTuple):
    """The gifts of a claim, in the order of its labels, and the labels that this ledger does not hold."""

    gifts: tuple[str, ...]
    unknown: tuple[str, ...]


def find_claimed(reader: Reader, claim: Claim) -> Claimed:
    """Return the gifts of a claim.

    Raises:
        RefusedError: ``CC-CLAIM``: the claim is about another ledger.
        VerificationError: ``CC-CLAIM``: the gift under a label has another donor, or no gift of the series has this
            one. Other codes: what was read is damaged.
    """
    if claim.identity != reader.genesis.identity() or claim.origin != reader.genesis.origin:
        raise RefusedError(
            "CC-CLAIM",
            f"this claim is about another ledger, {claim.origin!r}; name that one with --ledger",
            expected=claim.identity.hex(),
            found=reader.genesis.identity().hex(),
        )
    gifts: list[str] = []
    unknown: list[str] = []
    for label, secret in claim.labels:
        donor = pseudonym(claim.identity, label, secret)
        row = reader.index.find_id(label)
        if row is not None and row.kind == Donation.KIND:
            record = reader.record(row.place)
            reader.check_author(row.place)
            if not isinstance(record, Donation) or record.id != label:
                raise VerificationError("CC-INDEX", f"the index says another place of {label!r} than was sealed")
            if record.donor != donor:
                raise _false(label, "the ledger holds that gift with another donor")
            gifts.append(label)
        elif reader.index.last_batch(label) is not None:
            if not (found := gifts_in_series(reader, label, donor)):
                raise _false(label, "no gift of that series has this donor")
            gifts += found
        else:
            unknown.append(label)
    return Claimed(tuple(gifts), tuple(unknown))


def gifts_in_series(reader: Reader, series: str, donor: bytes) -> list[str]:
    """Return the gifts of a series from this donor, or with it as second party, in order of their numbers.

    Args:
        donor: A pseudonym, 16 bytes.

    Raises:
        NotFoundError: ``CC-UNKNOWN-ID``: there is no such series.
        VerificationError: what was read is damaged.
    """
    found: list[list[str]] = []
    batch = reader.index.last_batch(series)
    if batch is None:
        raise NotFoundError("CC-UNKNOWN-ID", f"this ledger has no series {series!r}", id=series)
    while batch is not None:
        record = reader.record(batch.place)
        reader.check_author(batch.place)
        if not isinstance(record, Gifts) or record.series != series:
            raise VerificationError("CC-INDEX", f"the index says another place of {series!r} than was sealed")
        # `reader.record` compared the columns with the record's root; width and root are sealed, the index is not.
        data = columns_at(reader.index, batch.place)
        if donor in data:  # most batches of a long series hold no gift of one person
            gifts = columns.iterate_gifts(data, record.width)
            found.append([f"{series}/{gift.id}" for gift in gifts if donor in (gift.donor, gift.second)])
        earlier = None if record.previous is None else reader.index.find_batch(series, record.previous)
        if record.previous is not None and (earlier is None or earlier.last >= batch.last):
            raise VerificationError("CC-INDEX", f"the index misses gifts of {series!r} that were sealed")
        batch = earlier
    return [gift for gifts_ in reversed(found) for gift in gifts_]


def _false(label: str, why: str) -> VerificationError:
    return VerificationError("CC-CLAIM", f"the claim of {label!r} does not hold: {why}", label=label)
