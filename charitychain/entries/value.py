"""From entries to records: gifts, and everything that moves value or gives it back."""

from __future__ import annotations

from collections.abc import Callable

from charitychain import columns, records
from charitychain.codec import MAX_INT
from charitychain.entries.fields import Built, Fields, amount_of, hex_of, known_fields, whole_of
from charitychain.errors import MalformedError, RefusedError
from charitychain.state.corrections import laid_on, void_takes
from charitychain.state.lookup import find_gift
from charitychain.units import parse_amount

__all__ = ["BUILD"]


def _donation(f: Fields) -> Built:
    account = f.account("account")
    record = records.Donation(
        f.must("id"), account.number, f.amount("amount", account), f.text("source"), f.hex("donor", 16), **f.common(),
        replaces=f.text("replaces"), pledge=f.text("pledge"), because_of=f.text("because_of"),
    )  # fmt: skip
    author = f.author(f.owner(account))
    return Built(record, author, tuple(f.referred(author)))


def _gifts(f: Fields) -> Built:
    account = f.account("account")
    unit = f.state.unit_of(account)
    lists = {name: f.entry.get(name) for name in ("ids", "amounts", "donors", "seconds")}
    if not all(isinstance(v, list | tuple) for v in lists.values() if v is not None):
        raise MalformedError("CC-ENTRY", "ids, amounts, donors and seconds must be lists")
    ids = [_gift_number(value) for value in lists["ids"] or ()]
    amounts = [parse_amount(value, unit) for value in lists["amounts"] or ()]
    people = [
        b"".join(bytes(16) if v == "" else hex_of(v, name, 16) for v in values) if (values := lists[name]) else None
        for name in ("donors", "seconds")
    ]
    data, root = columns.pack_columns(ids, amounts, people[0], people[1])
    last = f.state.lookup.last_batch(f.must("series"))
    record = records.Gifts(
        f.must("series"), account.number, last.last if last else None, len(ids), root.sum, root.low, root.high,
        48 if people[1] is not None else 32, root.hash, f.text("source"), **f.common(),
    )  # fmt: skip
    return Built(record, f.author(f.owner(account)), (), data)


def _gift_number(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_INT:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 and str(int(value)) == value:
        return int(value)
    raise MalformedError("CC-ENTRY", f"a gift's number must be a whole number below 2^63, found {value!r:.60}")


def _disbursement(f: Fields) -> Built:
    source, target = f.account("from"), f.account("to")
    record = records.Disbursement(
        f.must("id"), source.number, target.number, f.amount("amount", source), f.text("gift"), **f.common(),
        replaces=f.text("replaces"),
    )  # fmt: skip
    return f.built(record, f.owner(source), out_of=(source,))


def _split(f: Fields) -> Built:
    source = f.account("from")
    unit = f.state.unit_of(source)
    parts = tuple((f.state.account_named(id_).number, amount_of(v, unit, "to")) for id_, v in f.pairs("to").items())
    record = records.Split(
        f.must("id"), source.number, f.amount("amount", source), parts, **f.common(), replaces=f.text("replaces")
    )
    return f.built(record, f.owner(source), out_of=(source,))


def _expenditure(f: Fields) -> Built:
    source = f.account("from")
    invoice = None
    if "invoice" in f.entry:
        told = known_fields(f.pairs("invoice"), "invoice", "key", "total")
        key = Fields(f.state, told).must("key")
        invoice = (key, amount_of(told.get("total"), f.state.unit_of(source), "invoice total"))
    record = records.Expenditure(
        f.must("id"), source.number, f.amount("amount", source), f.text("payee"), f.text("purpose"), f.text("category"),
        f.text("gift"), **f.common(), replaces=f.text("replaces"), invoice=invoice, line=f.text("line"),
    )  # fmt: skip
    return f.built(record, f.owner(source), out_of=(source,))


def _conversion(f: Fields) -> Built:
    source, target, funding = f.account("from"), f.account("to"), f.maybe_account("funded_from")
    record = records.Conversion(
        f.must("id"), source.number, f.amount("amount", source), target.number, f.amount("gives", target),
        funding.number if funding else None, f.text("payee"), **f.common(), replaces=f.text("replaces"),
        line=f.text("line"),
    )  # fmt: skip
    owners = (f.owner(target), *((f.owner(funding),) if funding else ()))
    return f.built(record, f.owner(source), *owners, out_of=(source, funding) if funding else (source,))


def _sent(f: Fields) -> Built:
    source = f.account("from")
    record = records.Sent(
        f.must("id"), source.number, f.amount("amount", source), hex_of(f.must("to_ledger"), "to_ledger", 32),
        f.text("to_origin"), f.text("gift"), **f.common(),
    )  # fmt: skip
    return f.built(record, f.owner(source), out_of=(source,))


def _received(f: Fields) -> Built:
    account = f.account("account")
    told = known_fields(f.pairs("checkpoint"), "checkpoint", "size", "root")
    checkpoint = (whole_of(told.get("size"), "checkpoint size"), hex_of(told.get("root"), "checkpoint root", 32))
    number, index = _whole_pair(f.entry["movement"], "movement")
    spans = f.entry["spans"]
    if not isinstance(spans, list | tuple):
        raise MalformedError("CC-ENTRY", "spans must be a list of [start, length]", field="spans")
    record = records.Received(
        f.must("id"), account.number, f.amount("amount", account), hex_of(f.must("from_ledger"), "from_ledger", 32),
        f.text("from_origin"), checkpoint, (number, index), tuple(_whole_pair(span, "spans") for span in spans),
        **f.common(),
    )  # fmt: skip
    return f.built(record, f.owner(account))


def _whole_pair(value: object, name: str) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise MalformedError("CC-ENTRY", f"{name} must be two whole numbers, found {value!r:.60}", field=name)
    return whole_of(value[0], name), whole_of(value[1], name)


def _refund(f: Fields) -> Built:
    gift = find_gift(f.state.lookup, f.must("donation"))
    if gift is None:
        raise RefusedError("CC-UNKNOWN-GIFT", f"this ledger has no gift {f.must('donation')!r}")
    stated = f.maybe_account("from")
    account = stated or f.state.accounts[gift.account]
    amount = f.amount("amount", account) if "amount" in f.entry else None
    record = records.Refund(f.must("id"), gift.id, stated.number if stated else None, amount, **f.common())
    return f.built(record, f.owner(account), out_of=(account,))


def _reversal(f: Fields) -> Built:
    undone = f.must("reverses")
    row = f.state.lookup.find_id(undone)
    gift = find_gift(f.state.lookup, undone)
    number = gift.account if gift is not None else row.account if row is not None else None
    if number is None or (gift is None and (row is None or row.kind not in _REVERSIBLE)):
        raise RefusedError(
            "CC-REVERSAL",
            f"{undone!r} is no expenditure, disbursement, split, gift or pledge of this ledger, and not sent to or"
            " received from another",
        )
    account = f.state.accounts[number]
    amount = f.amount("amount", account) if "amount" in f.entry else None
    stated = f.maybe_account("from")
    record = records.Reversal(
        f.must("id"), undone, amount, f.text("reason"), **f.common(), gift=f.text("gift"),
        account=stated.number if stated is not None else None,
    )  # fmt: skip
    if gift is not None:
        taken = [account for account, _, _ in void_takes(f.state, gift, amount)[0]]
        author = f.author(f.state.party_of(f.state.lookup.statement(*gift.place[:2]).header.author))
        return f.built(record, author, *map(f.owner, taken), out_of=tuple(taken))
    assert row is not None
    if row.kind == records.Pledge.KIND:
        return f.built(record, f.state.party_of(f.state.lookup.statement(*row.place[:2]).header.author))
    if row.kind in (records.Disbursement.KIND, records.Split.KIND) and row.movement is not None:
        target = f.state.accounts[laid_on(f.state, record, f.state.lookup.movement(number, row.movement))[0]]
        return f.built(record, f.owner(account), f.owner(target), out_of=(target,))
    return f.built(record, f.owner(account))


_REVERSIBLE = (
    records.Expenditure.KIND, records.Disbursement.KIND, records.Split.KIND, records.Pledge.KIND, records.Sent.KIND,
)  # fmt: skip


BUILD: dict[str, Callable[[Fields], Built]] = {
    "donation": _donation,
    "gifts": _gifts,
    "disbursement": _disbursement,
    "split": _split,
    "expenditure": _expenditure,
    "conversion": _conversion,
    "sent": _sent,
    "received": _received,
    "refund": _refund,
    "reversal": _reversal,
}
