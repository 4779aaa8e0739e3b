"""Writes the test vectors of receipts for other implementers: ``PYTHONPATH=tests python -m golden.receipts``.

Valid receipts come from the golden ledgers and from small ledgers made here, each with what it proves. Invalid ones are
of two kinds: valid ones that somebody changed who cannot seal, with the file's checksum made to fit but where that is
what is wrong; and those of an operator who sealed a lie (`tamper.test_lying_operator`). Each has its reason in words.
The bytes are the same at every run; ``index.json`` lists all files.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

from tamper.liar import open_ledger, story, tell
from tamper.test_lying_operator import CASES

from charitychain import codec
from charitychain.across import received_entry
from charitychain.reading import Reader
from charitychain.receipts.check import check_receipt
from charitychain.receipts.make import Maker
from charitychain.receipts.spanning import receipts_across
from charitychain.receipts.wire import Receipt, body_of, encode_receipt, frame
from golden.builder import Builder

FOLDER = Path(__file__).parents[1] / "vectors" / "receipts"
VERIFIER = Path(__file__).parents[2] / "examples" / "independent_verifier.py"
FIELDS = [  # of a receipt
    "version", "gift", "account", "part", "stops", "genesis", "note", "blocks", "log_proof", "accounts",
    "accounts_proof", "parties", "parties_proof", "gifts", "ids", "links", "consistency", "computed", "others",
]  # fmt: skip


class Vector(NamedTuple):
    """A file, what it shows, and why it must be refused; nothing where it holds."""

    name: str
    what: str
    data: bytes
    reason: str | None = None


def load_verifier() -> Any:
    """Load the verifier that was written from the pages alone; once, or its errors would be of two classes."""
    if "independent_verifier" in sys.modules:
        return sys.modules["independent_verifier"]
    spec = importlib.util.spec_from_file_location("independent_verifier", VERIFIER)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parts_of(data: bytes) -> dict[str, Any]:
    """Return the fields of a receipt by name, as lists that can be changed."""
    return dict(zip(FIELDS, _listed(codec.decode(body_of(data), max_depth=10)), strict=True))


def _listed(value: Any) -> Any:
    return [_listed(member) for member in value] if isinstance(value, list | tuple) else value


def put_together(parts: dict[str, Any]) -> bytes:
    """Return the file of such fields."""
    return sealed(codec.encode(list(parts.values())))


def sealed(body: bytes) -> bytes:
    """Return the file with that body, and a checksum that fits."""
    return frame(body)


def changed(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a receipt with its fields changed."""
    parts = parts_of(data)
    change(parts)
    return put_together(parts)


def every_part(ledger: bytes, *gifts: str) -> Iterator[Receipt]:
    reader = open_ledger(ledger)
    try:
        for gift in gifts:
            yield from Maker(reader).gift(gift)
    finally:
        reader.index.close()


def small() -> Builder:
    """Return a ledger of one block with a fifo, a pro-rata and a spending account, and three gifts."""
    builder = Builder("vectors.example", nonce=bytes(range(32)))
    w = builder.writer
    w.account("fund", unit="EUR")
    w.account("even", unit="EUR", rule="pro-rata")
    w.account("school", unit="EUR")
    w.account("steps", unit="STEP")
    w.add_together([
        {"record": "donation", "id": "D-1", "account": "fund", "amount": "100.00"},
        {"record": "donation", "id": "D-2", "account": "fund", "amount": "60.00"},
    ])  # fmt: skip
    w.donation("E-1", account="even", amount="0.05")
    w.donation("S-1", account="steps", amount="9000")
    w.gifts("m", account="even", ids=list(range(1, 71)), amounts=["0.01"] * 70)
    builder.commit()
    return builder


def busy() -> Builder:
    """Return the same with a block of every way on: shared, named, split, converted, spent, refunded and reversed."""
    builder = small()
    w = builder.writer
    w.disbursement("B-1", source="fund", to="school", amount="130.00")
    w.expenditure("X-1", source="school", amount="110.00", payee="Corner Books", purpose="books")
    w.expenditure("X-2", source="fund", amount="7.00", payee="Bus", purpose="way", gift="D-2")
    w.split("T-1", source="even", to={"fund": "0.10", "school": "0.05"}, amount="0.15")
    w.expenditure("X-3", source="even", amount="0.20", payee="Post", purpose="stamps")
    w.conversion("C-1", source="steps", amount="8000", to="school", gives="4.00", funded_from="fund")
    builder.commit()
    w.reversal("U-1", reverses="X-1", amount="30.00")
    w.reversal("U-2", reverses="B-1", amount="5.00")
    w.refund("R-1", donation="D-2", amount="3.00")
    builder.commit()
    return builder


def valid() -> list[Vector]:
    """Return receipts that hold."""
    found: list[Vector] = []

    def add(name: str, what: str, receipt: Receipt) -> None:
        found.append(Vector(name, what, encode_receipt(receipt)))

    with closing(small()) as builder:
        (early,) = every_part(builder.data, "D-1")
    add("held", "a gift that rests where it was given", early)
    with closing(busy()) as builder:
        data = builder.data
        builder.writer.donation("D-9", account="fund", amount="1.00")
        builder.commit()
        later = builder.data
    for name, gift, what in (
        ("used", "D-1", "passed on, split off, spent, partly reversed"),
        ("named", "D-2", "spent and refunded by name, the rest by rule; it paid for a conversion"),
        ("even", "E-1", "a pro-rata account, a split"),
        ("batch-first-run", "m/1", "a gift of a batch of two runs, from the first"),
        ("batch-last-run", "m/70", "a gift of a batch of two runs, from the shorter last one"),
        ("converted", "S-1", "steps turned into money that another account paid"),
    ):
        (receipt,) = every_part(data, gift)
        add(name, what, receipt)
    reader = open_ledger(data)
    maker = Maker(reader)
    add("page", "units 1000 to 2000 of a gift", maker.part("D-1", 1000, 2000)[0])
    add("account", "a statement of account with three movements", maker.account(0, [0, 1, 2]))
    add("account-alone", "a statement of account without movements", maker.account(2))
    once = maker.again(early)
    reader.index.close()
    reader = open_ledger(later)
    add("again", "brought forward once", once)
    add("again-twice", "brought forward twice", Maker(reader).again(once))
    reader.index.close()
    golden = Path(__file__).parent
    for version, gifts in ((1, ("D-1",)), (2, ("D-1",))):
        for receipt in every_part((golden / f"v{version}.ledger").read_bytes(), *gifts):
            add(f"golden-v{version}", f"a gift of the golden ledger of format {version}", receipt)
    found += [Vector("across", "sent to another ledger, which tells what it did with it", across())]
    return found


def across() -> bytes:
    """Return the receipt of a gift that another ledger received."""
    with ExitStack() as closed:
        here, there = (
            closed.enter_context(closing(Builder(f"{name}.example", nonce=bytes(31) + name[:1].encode())))
            for name in ("here", "there")
        )

        def reader(builder: Builder) -> Reader:
            found = open_ledger(builder.data)
            closed.callback(found.index.close)
            return found

        here.writer.account("fund", unit="EUR")
        here.writer.donation("D-1", account="fund", amount="10.00")
        here.commit()
        there.writer.account("books", unit="EUR")
        there.commit()
        identity = reader(there).genesis.identity()
        here.writer.sent("S-1", source="fund", amount="6.00", to_ledger=identity.hex())
        here.commit()
        sender = reader(here)
        there.writer.add(received_entry(sender, "S-1", account="books", id="R-1"))
        there.writer.expenditure("X-1", source="books", amount="4.00", payee="Corner Books", purpose="books")
        there.commit()
        makers = {sender.genesis.identity(): Maker(sender), identity: Maker(reader(there))}
        (receipt,) = receipts_across(makers[sender.genesis.identity()], "D-1", makers)
        return encode_receipt(receipt)


def _edit(path: tuple[Any, ...], change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    """Return the change of one value within the fields."""

    def edit(parts: dict[str, Any]) -> None:
        *way, last = path
        inner: Any = parts
        for step in way:
            inner = inner[step]
        inner[last] = change(inner[last])

    return edit


def _movement(number: int, field: int, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    return _edit(("accounts", 0, 1, 0, number, field), change)


def _statement(change: Callable[[list[Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Return the change of the statement that holds the run of donations."""

    def edit(parts: dict[str, Any]) -> None:
        change(next(st for block in parts["blocks"] for st in block[1] if len(st[3]) > 1))

    return edit


def _flip(data: bytes, at: int = -1) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + (data[at + 1 :] if at != -1 else b"")


def changed_ones(good: dict[str, bytes]) -> Iterator[Vector]:
    """Yield receipts that somebody changed who cannot seal."""
    used, again, named, spans = good["used"], good["again-twice"], good["named"], good["across"]
    body = body_of(used)
    yield Vector("checksum", "the last byte flipped", _flip(used), "the checksum does not fit")
    yield Vector("magic", "another first byte", sealed(body).replace(b"\x89", b"\x88", 1), "it is no receipt")
    yield Vector("cut", "the last 40 bytes are missing", used[:-40], "the checksum does not fit")
    yield Vector("empty", "no bytes", b"", "it is no receipt")
    yield Vector("long-form", "the version as cc 01", sealed(body[:3] + b"\xcc\x01" + body[4:]), "not canonical")
    yield Vector("more-bytes", "a nil behind the array", sealed(body + b"\xc0"), "bytes follow the value")
    yield Vector("a-map", "an empty map in the place of the account",
                 sealed(body.replace(b"\xa3D-1\xc0", b"\xa3D-1\x80", 1)), "a type that is not allowed")
    yield Vector("too-deep", "eleven arrays in each other", changed(
        used, _edit(("computed",), lambda _: [[[[[[[[[[[]]]]]]]]]]])), "arrays nest too deep")
    changes: list[tuple[str, str, str, bytes, Callable[[dict[str, Any]], None]]] = [
        ("later-version", "version 2", "it is of a later version", used, _edit(("version",), lambda _: 2)),
        ("no-gift", "neither gift nor account", "a receipt is of a gift or of an account", used,
         _edit(("gift",), lambda _: None)),
        ("another-gift", "the name of a gift that it does not show", "the gift is not shown", used,
         _edit(("gift",), lambda _: "D-3")),
        ("part-beyond", "a part that ends behind the gift", "the part is not of the gift", used,
         _edit(("part",), lambda _: [0, 10001, 1, 1])),
        ("part-empty", "a part of no units", "the part is not of the gift", used,
         _edit(("part",), lambda _: [5, 5, 1, 1])),
        ("genesis", "another nonce", "signatures bind the identity", used, _edit(("genesis",), lambda g: _flip(g, 30))),
        ("note-origin", "a checkpoint of another origin", "the checkpoint is of another ledger", used,
         _edit(("note",), lambda n: n.replace(b"vectors.example\n", b"another.example\n", 1))),
        ("note-signature", "a signature that is flipped", "the operator's signature does not hold", used,
         _edit(("note",), lambda n: n[:-10] + (b"A" if n[-10:-9] != b"A" else b"B") + n[-9:])),
        ("note-size", "a larger size", "the operator's signature does not hold", used,
         _edit(("note",), lambda n: n.replace(b"\n4\n", b"\n5\n", 1))),
        ("no-head", "the last block left out", "the last block is not the checkpoint's", used,
         _edit(("blocks",), lambda b: b[:-1])),
        ("block-order", "two blocks change places", "heights do not rise", used, _edit(("blocks",), lambda b: b[::-1])),
        ("log-proof-short", "a member of the log's proof is missing", "a member of a proof is missing",
         good["held-later"], _edit(("log_proof",), lambda p: p[:-1])),
        ("proof-long", "a member too many in the proof of the accounts", "a proof has a member too many", used,
         _edit(("accounts_proof",), lambda p: [*p, bytes(32)])),
        ("proof-short", "a member of the proof of the accounts is missing", "a member of a proof is missing", used,
         _edit(("accounts_proof",), lambda p: p[:-1])),
        ("no-operator", "no party is shown", "the operator is not shown", used, _edit(("parties",), lambda p: [])),
        ("party-twice", "the operator is shown twice", "a list does not rise", used,
         _edit(("parties",), lambda p: p * 2)),
        ("account-order", "accounts change places", "a list does not rise", used,
         _edit(("accounts",), lambda a: a[::-1])),
        ("record-of-another", "a record of its statement is replaced by another", "a record is not of its statement",
         named, _statement(lambda statement: statement[3][0].__setitem__(1, statement[3][1][1]))),
        ("record-missing", "the record of a movement is left out", "a member of a proof is missing", named,
         _statement(lambda statement: statement[3].pop(0))),
        ("statement-signature", "the signature of a statement is flipped", "a signature does not hold", used,
         _edit(("blocks", 0, 1, 0, 2, 0, 1), _flip)),
        ("statement-unsigned", "a statement without signatures", "it is not signed by its author", used,
         _edit(("blocks", 0, 1, 0, 2), lambda _: [])),
        ("statement-moves", "a record is said to have made another movement", "it is not under the block", named,
         _statement(lambda statement: statement[3][1][2].append([0, 7]))),
        ("movement-amount", "a movement of one unit more", "a log is not the one of its summary", used,
         _movement(0, 3, lambda n: n + 1)),
        ("movement-of-another", "a movement at the place of another record", "a log is not the one of its summary",
         used, _movement(1, 2, lambda place: [place[0], place[1], place[2] + 1])),
        ("movement-missing", "an outflow is left out", "a member of a proof is missing", used,
         _edit(("accounts", 0, 1, 0), lambda m: [m[0], *m[2:]])),
        ("movement-order", "movements change places", "movements do not rise", used,
         _edit(("accounts", 0, 1, 0), lambda m: m[::-1])),
        ("summary-sum", "an account that got more", "accounts are not under the checkpoint", used,
         _edit(("accounts", 0, 0, 9), lambda n: n + 1)),
        ("hole-of-another", "a hole is said to be another outflow's", "a trie is not its account's", named,
         _edit(("accounts", 0, 1, 2, -1), lambda leaf: leaf[:31] + bytes([leaf[31] ^ 1]) + leaf[32:])),
        ("holes-hidden", "no holes are shown", "a trie that is not empty shows nothing", named,
         _edit(("accounts", 0, 1, 2), lambda _: [])),
        ("hole-bit", "a branch says that a leaf stands at bit 99", "a branch does not fit its children", named,
         _edit(("accounts", 0, 1, 2, 0), lambda branch: b"\x63" + branch[1:])),
        ("gift-offset", "the gift's proof is of another leaf", "a proof does not lead to its inflow", used,
         _edit(("gifts", 0, 5), lambda spans: [[s[0], s[1] + 1, s[2], s[3]] for s in spans])),
        ("gift-missing", "the gift's own place is left out", "the gift is not shown", used,
         _edit(("gifts",), lambda _: [])),
        ("batch-run", "an amount in the run is changed", "a proof does not lead to its inflow", good["batch-first-run"],
         _edit(("gifts", 0, 4, 1), lambda run: run[:-8] + bytes([run[-8] ^ 2]) + run[-7:])),
        ("batch-number", "it is said to be in the other run", "it is not of this batch", good["batch-first-run"],
         _edit(("gifts", 0, 4, 0), lambda number: number + 1)),
        ("id-of-another", "an id points to another record", "it is not the record at its place", used,
         lambda parts: parts.update(ids=[["X-9", parts["gifts"][0][1], None, None]])),
        ("link-nowhere", "words that are not shown", "a record that a link names is not shown", used,
         _edit(("links",), lambda _: [["D-1", 23, [[0, 0, 9]]]])),
        ("again-proof", "a hash of a consistency proof is flipped", "an earlier checkpoint is not of this log", again,
         _edit(("consistency", 0, 1, 0), _flip)),
        ("again-signature", "the older checkpoint's signature is flipped", "an earlier checkpoint is not signed", again,
         _edit(("consistency", 0, 0), lambda n: n[:-10] + (b"A" if n[-10:-9] != b"A" else b"B") + n[-9:])),
        ("across-twice", "the other ledger's receipt twice", "units are told twice", spans,
         _edit(("others",), lambda others: others * 2)),
        ("across-broken", "a byte of the other ledger's receipt is flipped", "the checksum does not fit", spans,
         _edit(("others", 0, 0), _flip)),
        ("across-foreign", "a receipt that has nothing to do with it", "another ledger did not receive this", spans,
         _edit(("others", 0, 0), lambda _: used)),
        ("across-proof", "the consistency proof of another size", "another ledger did not see this log", spans,
         _edit(("others", 0, 1), lambda proof: [*proof, bytes(32)])),
    ]  # fmt: skip
    for name, what, reason, data, change in changes:
        yield Vector(name, what, changed(data, change), reason)
    old, new = parts_of(good["held"]), parts_of(good["held-later"])
    new["accounts"], new["accounts_proof"] = old["accounts"], old["accounts_proof"]
    yield Vector("old-accounts", "accounts and proof of an older block under a fresh checkpoint", put_together(new),
                 "accounts are not under the checkpoint")


def told_lies() -> Iterator[Vector]:
    """Yield receipts of ledgers whose operator sealed a lie: every hash and signature fits."""
    for case in CASES:
        if not case.refused:
            continue
        receipts = tell(story(*case.entered), tuple(case.refused), *case.lies).receipts
        for gift, why in case.refused.items():
            name = re.sub("[^a-z]+", "-", case.why.lower()).strip("-")
            reason = why.split("|")[0].replace("misses movements", "what it rests on is not shown, or does not fit")
            yield Vector(f"sealed-{name}-{gift}", case.why, encode_receipt(receipts[gift]), reason)


def vectors() -> list[Vector]:
    """Return all of them."""
    holding = valid()
    good = {vector.name: vector.data for vector in holding}
    with closing(small()) as builder:
        builder.writer.donation("D-9", account="fund", amount="1.00")
        builder.commit()
        (later,) = every_part(builder.data, "D-1")
    good["held-later"] = encode_receipt(later)
    holding.append(Vector("held-later", "the same a block later", good["held-later"]))
    return [*holding, *changed_ones(good), *told_lies()]


def main() -> None:
    """Write the files and their index."""
    verifier = load_verifier()
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.ccr"):
        old.unlink()
    rows = []
    for vector in vectors():
        (FOLDER / f"{vector.name}.ccr").write_bytes(vector.data)
        row: dict[str, Any] = {"file": f"{vector.name}.ccr", "holds": vector.reason is None, "what": vector.what}
        if vector.reason is None:
            check_receipt(vector.data)
            row["proves"] = verifier.check_receipt(vector.data)
        else:
            row["reason"] = vector.reason
        rows.append(row)
    (FOLDER / "index.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
