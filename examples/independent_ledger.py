"""A verifier of charitychain ledgers that shares no line with charitychain: the second part of independent_verifier.py.

Python 3.11 and its standard library only, written from docs/reference/format.md without a look at the code. It stands
on the first file's msgpack, Ed25519 and trees.

    python examples/independent_ledger.py BOOK.ledger

Prints what the ledger holds as JSON and ends with 0, or prints the reason and ends with 1; with 3 if the file is
unreadable. Amounts are in the smallest unit.

It checks frames, headers, links, seals, signatures and whose key acts when, proofs of possession; sequence, previous
and seen; the fields of records; gift columns and series. It lays every tape anew, unit by unit, and compares the
movements, and the roots of records, statements, accounts and parties, of every block.

It leaves to `charitychain verify` whether each record was allowed: who must sign it, that ids are new, days, roles,
what may be converted into what, restrictions, approvals, caps, levies, naming, matching, acknowledgements, what
control records may set. It keeps each gift apart on each tape, and each block looks at every account: it is slow where
a ledger is large.
"""

from __future__ import annotations

import json
import re
import struct
import sys
import unicodedata
import zlib
from collections import defaultdict, namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parent))

from independent_verifier import (
    BIN,
    FLAG,
    HASH,
    INT,
    KEY,
    REF,
    TOP,
    U32,
    WRONG,
    Bad,
    H,
    Movement,
    Node,
    Place,
    Ref,
    Said,
    Span,
    acting,
    check_signatures,
    cut,
    cut_named,
    fits,
    good_key,
    join_nodes,
    join_spans,
    maybe,
    need,
    octets,
    pack,
    plain_root,
    read_checkpoint,
    read_genesis,
    read_header,
    read_run,
    signed_by,
    span_root,
    text,
    unpack,
    verifies,
    whole,
)

T = TypeVar("T")
Units = namedtuple("Units", "inflow at n gift plain")  # of a tape; plain: not converted

# ---- Records

CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain_text(value: Any) -> bool:
    """Text, which may be empty."""
    return (isinstance(value, str) and len(value.encode()) <= 4096 and not CONTROLS.search(value)
            and unicodedata.is_normalized("NFC", value))


def ident(value: Any) -> bool:
    """An id."""
    return plain_text(value) and 1 <= len(value.encode()) <= 128 and not re.search(r"^-|/|\s", value)


def gift_id(value: Any) -> bool:
    """The id of a donation, or SERIES/NUMBER."""
    name, slash, number = value.partition("/") if isinstance(value, str) else ("", "", "")
    return ident(name) and (not slash or (bool(re.fullmatch("0|[1-9][0-9]{0,18}", number)) and int(number) <= TOP))


def date(value: Any) -> bool:
    """YYYY, YYYY-MM or YYYY-MM-DD."""
    return isinstance(value, str) and bool(re.fullmatch(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", value))


AMOUNT = whole(1)
FORMS: dict[str, Any] = {  # of the fields of records, by their names; what is not here is a number
    "roles": [text], "donor": octets(16), "recovery": (KEY, octets(64)), "tags": [(ident, plain_text)],
    "restriction": ([plain_text], maybe(date), maybe(date)), "approvals": (INT, [ident]), "levy": [(U32, U32)],
    "caps": [([text], U32, text, text, text, text)], "lines": [(ident, text, plain_text, AMOUNT, AMOUNT)],
    "invoice": (plain_text, AMOUNT), "of": [ident], "parts": [(U32, AMOUNT)], "accounts": [U32], "evidence": [HASH],
    "totals": [(U32, INT, INT, INT, INT)], "donor_key": whole(1, 0), "checkpoint": (AMOUNT, HASH), "movement": REF,
    "spans": [(INT, AMOUNT)], "proof": octets(64), "amount": AMOUNT, "gives": AMOUNT,
} | {name: form for form, names in (
    (KEY, "key recovery_key"), (FLAG, "suspended closed upto"), (HASH, "replaced private root to_ledger from_ledger"),
    (ident, "id party series unit owner source replaces pledge"), (date, "date due until at"),
    (gift_id, "acknowledges donation reverses gift because_of"), (U32, "number account to funded_from count"),
    (plain_text, "title reason reference rule naming pledger payee purpose category line to_origin from_origin status "
                 "on_behalf_of note indicator place institution")) for name in names.split()}
TAIL = "date? reference? evidence private?"
RECORDS = {kind: words.split() for kind, words in {  # the fields after the kind; x? may be nil, ~x is left out for nil
    1: "id roles key proof title? recovery?", 2: "party key? proof? replaced? compromised_since?",
    3: "id party suspended reason? date? reference?", 4: "id decimals title?",
    5: "id number unit rule? owner? title? tags restriction? approvals? target? caps? ~naming ~levy",
    6: "id account title? tags? restriction? approvals? target? caps? naming? levy? owner? closed? " + TAIL,
    7: "id party recovery_key? proof? threshold? date? reference?",
    16: f"id account amount source? donor? donor_key? {TAIL} ~replaces ~pledge ~because_of",
    17: f"series account previous? count amount first last width root source? {TAIL}",
    18: "id account amount pledger? donor? due? " + TAIL, 19: "id account lines title? replaces? " + TAIL,
    20: f"id account to amount gift? {TAIL} ~replaces",
    21: f"id account amount payee? purpose? category? gift? {TAIL} ~replaces ~invoice ~line",
    22: f"id account amount to gives funded_from? payee? {TAIL} ~replaces ~line",
    23: "id acknowledges amount? status? upto? on_behalf_of? note? " + TAIL,
    24: "id donation account? amount? " + TAIL, 25: f"id reverses amount? reason? {TAIL} ~gift ~account",
    26: "id account indicator quantity of amount? place? beneficiaries? " + TAIL,
    27: f"id account amount parts {TAIL} replaces?", 28: "id accounts total at institution? note? " + TAIL,
    29: "id until totals " + TAIL, 30: "id account amount to_ledger to_origin? gift? " + TAIL,
    31: "id account amount from_ledger from_origin? checkpoint movement spans " + TAIL,
}.items()}



@lru_cache(65536)
def read_record(data: bytes) -> dict[str, Any]:
    """The fields of a record by name, nil where it has not that field, and its `kind`."""
    values = unpack(data, 4, "record")
    kind = values[0] if fits([lambda _: True], values) and values else None
    need(INT(kind) and kind in RECORDS, "a record is of no known kind")
    fields, least = RECORDS[kind], 1 + sum(word[0] != "~" for word in RECORDS[kind])
    need(least <= len(values) <= len(fields) + 1 and (len(values) == least or values[-1] is not None),
         f"a record of kind {kind} has not the fields of its kind")
    record: dict[str, Any] = defaultdict(lambda: None, kind=kind)
    for word, value in zip(fields, values[1:], strict=False):
        name = word.strip("~?")
        need((value is None and name != word) or fits(FORMS.get(name, INT), value), f"a record of kind {kind}: {name}")
        record[name] = value
    record["id"] = record["id"] or record["series"]
    return record

TERMS = ["title", "tags", "restriction", "approvals", "target", "caps", "naming", "levy"]
EMPTY = {"", 0, (), "allowed", ((), None, None), (0, ())}


def movement(index: int, kind: int, place: Place, amount: int, **fields: Any) -> Movement:
    """A movement with the fields that its kind has."""
    unset = dict.fromkeys(Movement._fields[4:]) | {"named": 0, "takes": (), "parts": ()}
    return Movement(index, kind, place, amount, **(unset | fields))


def whole_root(node: bytes, leaves: Iterable[bytes]) -> bytes:
    """The root of a plain tree whose leaves are all here."""
    shown = dict(enumerate(leaves))
    return plain_root(node, len(shown), shown)


def grow(peaks: list[tuple[int, T]], leaf: T, join: Callable[[T, T], T]) -> None:
    """Append a leaf to a tree that is kept as its whole parts, from left to right."""
    peaks.append((1, leaf))
    while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
        (n, right), (_, left) = peaks.pop(), peaks.pop()
        peaks.append((2 * n, join(left, right)))


def crown(peaks: list[tuple[int, T]], join: Callable[[T, T], T]) -> T:
    """The root of such a tree, which is not empty."""
    top = peaks[-1][1]
    for _, left in reversed(peaks[:-1]):
        top = join(left, top)
    return top


def trie_root(prefix: int, leaves: list[tuple[int, ...]]) -> Span:
    """The root of a sparse tree over leaves that rise by key."""
    if len(leaves) == 1:
        (low, high, total, _, _), = leaves
        return Span(H(bytes([prefix]), struct.pack(">5Q", *leaves[0])), total, low, high)
    if not leaves:
        return Span(H(bytes([prefix + 1])), 0, 0, 0)
    bit = (leaves[0][0] ^ leaves[-1][0]).bit_length() - 1
    at = next(i for i, leaf in enumerate(leaves) if leaf[0] >> bit & 1)
    return join_spans(bytes([prefix + 1, bit]), trie_root(prefix, leaves[:at]), trie_root(prefix, leaves[at:]))


def merged(stretches: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same stretches, those that touch as one."""
    found: list[tuple[int, int]] = []
    for at, n in stretches:
        found.append((found.pop()[0], at + n - found_at) if found and (found_at := found[-1][0]) + found[-1][1] == at
                     else (at, n))
    return tuple(found)


class Tape:
    """An account of a ledger that is played anew."""

    def __init__(self, record: dict[str, Any], data: bytes, owner: int) -> None:
        self.id, self.unit, self.rule = record["id"], record["unit"], record["rule"] or "fifo"
        self.owner, self.open = owner, 1
        self.opened, self.terms = H(b"\x11", data), {name: record[name] for name in TERMS}
        self.log: list[tuple[int, Node]] = []
        self.size = 0
        self.units: list[Units] = []
        self.spent: dict[int, tuple[int, list[Units]]] = {}  # of an outflow that can be reversed: amount, what is left
        self.holes: list[tuple[int, ...]] = []
        self.reversed: dict[int, tuple[int, int]] = {}
        self.sums = Node(b"", 0, 0, 0, 0, (), ())

    def move(self, m: Movement) -> None:
        """Append a movement."""
        leaf = m.leaf()
        grow(self.log, leaf, join_nodes)
        self.sums = Node(b"", *[a + b for a, b in zip(self.sums[1:5], leaf[1:5], strict=True)], (), ())
        self.size += 1

    def lay(self, kind: int, place: Place, amount: int, units: Iterable[Units], **fields: Any) -> None:
        """Lay units on the end."""
        at = self.sums.inflow
        for u in units:
            if u.n:
                self.units.append(Units(self.size, at, u.n, u.gift, u.plain))
                at += u.n
        need(at == self.sums.inflow + amount <= TOP, "an inflow is not what came in")
        self.move(movement(self.size, kind, place, amount, **fields))

    def take(self, kind: int, place: Place, amount: int, chosen: Callable[[Units], bool] | None = None,
             **fields: Any) -> list[Units]:
        """Take units away: by the rule, or the first that are chosen."""
        balance = self.sums.inflow - self.sums.rule - self.sums.named
        need(0 < amount <= balance, "more goes out of an account than it holds")
        taken, kept, takes, at, left = [], [], [], 0, amount
        for u in self.units:
            if chosen:
                n = min(left, u.n) if chosen(u) else 0
                takes += [(u.at if self.rule == "fifo" else at, n)] * (n > 0)
            elif self.rule == "fifo":
                n = min(left, u.n)
            else:
                n = cut(at + u.n, amount, balance, self.sums.rule) - cut(at, amount, balance, self.sums.rule)
            at, left = at + u.n, left - n
            taken += [u._replace(n=n)] * (n > 0)
            kept += [u._replace(at=u.at + n, n=u.n - n)] * (n < u.n)
        need(left == 0, "an account holds less of the gift that an outflow names")
        stretches, offset = merged(takes), 0
        for position, n in stretches if self.rule == "fifo" else ():
            self.holes.append((position, position + n - 1, n, self.size, offset))
            offset += n
        self.units = kept
        self.move(movement(self.size, kind, place, amount, named=int(chosen is not None), takes=stretches, **fields))
        return taken

    def leaf(self, number: int, version: int) -> bytes:
        """Its leaf in the tree of accounts."""
        terms = [None if self.terms[name] in EMPTY else self.terms[name] for name in TERMS]
        for at in (1, 5, 7):
            terms[at] = terms[at] or ()
        bound = self.opened if version == 1 else H(b"\x35", pack(terms))
        log = crown(self.log, join_nodes) if self.log else Node(H(b"\x21"), 0, 0, 0, 0, (), ())
        holes = trie_root(0x28, sorted(self.holes))
        back = trie_root(0x2A, [(k, k, total, last, 0) for k, (total, last) in sorted(self.reversed.items())])
        return H(b"\x18", pack([number, self.id, bound, self.unit, self.rule, self.owner, self.open, self.size,
                                *log[:5], *holes[:2], *back[:2]]))


class Book:
    """A ledger that is played anew from its records."""

    def __init__(self, data: bytes) -> None:
        need(len(data) >= 16 and data[:8] == b"\x89CCLDGR\n", "this is no ledger")
        self.version, zeros = struct.unpack(">H6s", data[8:16])
        need(self.version in (1, 2) and not any(zeros), "the ledger is of a later version")
        self.parties: list[dict[str, Any]] = []
        self.keys: dict[bytes, tuple[dict[str, Any], list[Any]]] = {}  # by key id: party and entry in its leaf
        self.tapes: list[Tape] = []
        self.made: dict[str, tuple[dict[str, Any], list[Ref]]] = {}  # by id: a record and its movements
        self.gifts: dict[str, tuple[int, int]] = {}  # account and amount
        self.voided: dict[str, int] = defaultdict(int)
        self.log: list[tuple[int, bytes]] = []
        self.hashes: list[bytes] = []
        self.last: dict[int, tuple[int, bytes, int]] = {}  # of a party: statements, identity of the last, what it saw
        self.series: dict[str, int] = {}
        self.time, at, self.torn = 0, 16, False
        while at < len(data):
            self.torn = at + 12 > len(data)
            if self.torn:
                break
            length, first, second = struct.unpack(">III", data[at : at + 12])
            need(0 < length <= 2**28 and first == zlib.crc32(b"ccfr" + data[at : at + 4]), f"byte {at}: length damaged")
            self.torn = at + 12 + length > len(data)
            if self.torn:
                break
            at += 12 + length
            need(second == zlib.crc32(data[at - length : at]), f"block {len(self.hashes)} is damaged")
            try:
                self.play(data[at - length : at])
            except Bad as error:
                raise Bad(f"block {len(self.hashes)}: {error}") from None
        need(self.hashes, "the ledger has no block")

    def play(self, data: bytes) -> None:
        """Check a block, and apply its records."""
        height, block = len(self.hashes), unpack(data, 6, "block")
        form = (BIN, maybe(BIN), [(BIN, [(HASH, octets(64))], [BIN], [BIN], [[REF]])], BIN)
        need(fits(form, block) and (block[1] is None) == (height > 0), "a block has not its form")
        if height == 0:
            _, version, self.origin, _, self.first_key, *_ = read_genesis(block[1])
            need(version == self.version, "genesis record and file are of different versions")
            self.identity = H(b"\x10", block[1])
        header = read_header(block[0], self.version)
        before = self.hashes[-1] if self.hashes else self.identity
        need((header.height, header.before) == (height, before) and header.time >= self.time, "it does not follow")
        self.time = header.time
        sealed = [self.play_statement(height, number, *statement) for number, statement in enumerate(block[2])]
        need((header.statements, header.statements_root) == (len(sealed), whole_root(b"\x15", sealed)), "statements")
        leaves = [tape.leaf(number, self.version) for number, tape in enumerate(self.tapes)]
        need((header.accounts, header.accounts_root) == (len(leaves), whole_root(b"\x19", leaves)), "accounts root")
        leaves = [H(b"\x1a", pack(self.party_leaf(number, party))) for number, party in enumerate(self.parties)]
        need((header.parties, header.parties_root) == (len(leaves), whole_root(b"\x1b", leaves)), "parties root")
        self.hashes.append(H(b"\0", block[0]))
        grow(self.log, self.hashes[-1], lambda a, b: H(b"\1", a, b))
        self.note = read_checkpoint(block[3])
        root = crown(self.log, lambda a, b: H(b"\1", a, b))
        need(self.note[1:4] == (self.origin, height + 1, root) and len(self.note.signatures) == 1, "another seal")
        first = self.keys.get(unpack(block[2][0][0], 2, "statement")[1]) if block[2] else None
        leaf = self.party_leaf(0, self.parties[0])
        keys = acting([*leaf[:4], None], height)
        if self.version == 1:
            keys = keys[-1:]
        elif first and first[0] is self.parties[0] and first[1] in self.parties[0]["recovery"]:
            keys = [first[1][0]]
        need(signed_by(self.note, keys), "it is not sealed by the operator")

    def party_leaf(self, number: int, party: dict[str, Any]) -> list[Any]:
        """The fields of a party's leaf."""
        control = [[key[:3] for key in party["recovery"]], party["threshold"]]
        return [number, party["id"], party["roles"], party["keys"],
                control if control[0] or control[1] > 1 else None, party["suspended"]]

    def play_statement(self, height: int, number: int, data: bytes, signatures: Any, records: list[bytes],
                       columns: list[bytes], moves: Sequence[Any]) -> bytes:
        """Check a statement and apply its records; its leaf in the block."""
        if not self.parties:
            self.parties = [{"id": "self", "roles": (), "keys": [], "recovery": [], "threshold": 1, "suspended": None}]
            self.register(self.parties[0], "keys", self.first_key, 0)
        keys = {by: entry[0] for by, (_, entry) in self.keys.items()
                if entry[1] <= height and (entry[2] is None or height < entry[2])}
        said = check_signatures(data, signatures, self.identity, keys)
        party = self.keys[said.author][0]
        sequence, previous, seen = self.last.get(id(party), (0, None, 0))
        need((said.sequence, said.previous) == (sequence, previous), "a statement is not its author's next")
        before = self.hashes[said.seen_size - 1] if 0 < said.seen_size <= height else self.identity
        need(seen <= said.seen_size <= height <= said.expiry and said.seen_hash == before, "it saw another ledger")
        root = whole_root(b"\x12", [H(b"\x11", record) for record in records])
        need((said.count, said.root) == (len(records), root), "the records are not those of their statement")
        need(len(moves) == len(records), "movements are not told for each record")
        self.last[id(party)] = (sequence + 1, H(b"\x13", data), said.seen_size)
        read, waiting, index = [read_record(r) for r in records], list(columns), 0
        while index < len(read):
            end = index + 1
            while read[index]["kind"] == 16 and end < len(read) and read[end]["kind"] == 16 and (
                    read[end]["account"] == read[index]["account"]):
                end += 1
            run = list(zip(read[index:end], records[index:end], strict=True))
            column = waiting.pop(0) if read[index]["kind"] == 17 and waiting else b""
            made = self.apply((height, number, index), run, column, said)
            need(moves[index:end] == (tuple(made), *[()] * (end - index - 1)), "a record made other movements")
            for record, _ in run:
                self.made[record["id"]] = (record, made)
            index = end
        need(not waiting, "gift columns are left over")
        moved = whole_root(b"\x17", [H(b"\x16", pack([i, made])) for i, made in enumerate(moves)])
        return H(b"\x14", H(b"\x13", data), H(b"\x1c", pack(signatures)), moved)

    def register(self, party: dict[str, Any], where: str, key: bytes, first: int, proof: bytes | None = None) -> None:
        """Give a party a key, or a recovery key."""
        body = b"\0charitychain/v1\0possession\0" + self.identity + pack((party["id"], key))
        need(good_key(key) and (proof is None or verifies(key, body, proof)), "a key, or its proof, does not hold")
        entry = [key, first, None, None]
        party[where].append(entry)
        self.keys[H(b"\x30", key)] = (party, entry)

    def apply(self, place: Place, run: list[tuple[dict[str, Any], bytes]], column: bytes, said: Said) -> list[Ref]:
        """Do what a record does, or a run of donations; the movements that it made."""
        (r, data), later, amount = run[0], place[0] + 1, run[0][0]["amount"]
        kind, number = r["kind"], r["account"]
        if kind <= 7:
            self.change(kind, r, data, later, said)
            return []
        if kind not in (16, 17, 20, 21, 22, 24, 25, 27, 30, 31):
            return []
        if kind == 24:
            need(r["donation"] in self.gifts, "a refund is of no gift")
            number = self.gifts[r["donation"]][0] if number is None else number
        elif kind == 25:
            return self.reverse(place, r)
        need(all(n is None or n < len(self.tapes) for n in (number, r["to"], r["funded_from"])), "no such account")
        tape = self.tapes[number]
        here = (number, tape.size)
        if kind in (16, 17):
            units, gifts = self.given(run, column, place)
            for name, n in units:
                need(name not in self.gifts, "a gift has the id of another")
                self.gifts[name] = (number, n)
            total = sum(n for _, n in units)
            tape.lay(1, place, total, [Units(0, 0, n, name, True) for name, n in units], gifts=gifts)
            return [here]
        if kind == 31:
            self.gifts[r["id"]] = (number, amount)
            tape.lay(6, place, amount, [Units(0, 0, amount, r["id"], True)])
            return [here]
        by_name = None if kind != 24 and r["gift"] is None else partial(self.is_of, r["donation"] or r["gift"])
        if kind == 24:
            amount = amount or sum(u.n for u in tape.units if by_name and by_name(u))
            tape.take(20, place, amount, by_name)
        elif kind in (21, 30):
            tape.spent[here[1]] = (amount, tape.take({21: 17, 30: 24}[kind], place, amount, by_name))
        elif kind == 20:
            to = self.tapes[r["to"]]
            there = (r["to"], to.size)
            need(to is not tape and to.unit == tape.unit, "a disbursement goes to a wrong account")
            to.lay(2, place, amount, tape.take(16, place, amount, by_name, target=there), source=here)
            return [here, there]
        elif kind == 27:
            to_all = [(n, self.tapes[n].size, part) for n, part in r["parts"] if n < len(self.tapes)]
            need(len({n for n, *_ in to_all} | {number}) == len(r["parts"]) + 1, "a split goes to a wrong account")
            left, rest = amount, tape.take(23, place, amount, parts=tuple(to_all))
            for n, _, part in to_all:
                need(self.tapes[n].unit == tape.unit, "a split goes to an account in another unit")
                units, rest = parted(rest, lambda a, part=part, left=left: cut(a, part, left))
                self.tapes[n].lay(2, place, part, units, source=here)
                left -= part
            return [here, *(part[:2] for part in to_all)]
        elif kind == 22:
            to, funder, gives = self.tapes[r["to"]], r["funded_from"], r["gives"]
            there, units, paid = (r["to"], to.size), tape.take(18, place, amount, target=(r["to"], to.size)), None
            if funder is not None:
                need(self.tapes[funder].unit == to.unit, "a conversion is paid in another unit")
                paid = (funder, self.tapes[funder].size)
                units = self.tapes[funder].take(19, place, gives, target=there)
            else:
                ends = [sum(u.n for u in units[:i]) * gives // amount for i in range(len(units) + 1)]
                units = [u._replace(n=b - a) for u, (a, b) in zip(units, pairwise(ends), strict=True)]
            to.lay(3, place, gives, [u._replace(plain=False) for u in units], source=here, second=paid,
                   conversion=(amount, gives))
            return [here, *([paid] if paid else []), there]
        return [here]

    def is_of(self, gift: str, units: Units) -> bool:
        """Whether units are a gift's."""
        return bool(units.gift == gift)

    def given(self, run: list[tuple[dict[str, Any], bytes]], column: bytes, place: Place) -> tuple[
            list[tuple[str, int]], tuple[int, bytes]]:
        """The gifts of a run of donations, or of a batch; their count and root."""
        r = run[0][0]
        units: list[tuple[str, int]] = []
        if r["kind"] == 16:
            units = [(d["id"], d["amount"]) for d, _ in run]
            spans = [Span(H(b"\x24", H(b"\x11", data)), d["amount"], i, i) for i, (d, data) in enumerate(run, place[2])]
            return units, (len(run), span_root(b"\x25", len(spans), dict(enumerate(spans)))[0].hash)
        width, count = r["width"], r["count"]
        need(width in (32, 48) and len(column) == width * count, "gift columns have another length")
        spans = []
        for at in range(0, count, 64):
            n = min(64, count - at)
            piece = column[at * width : (at + n) * width]
            ids, amounts = read_run(piece, n)
            units += [(f"{r['series']}/{i}", a) for i, a in zip(ids, amounts, strict=True)]
            spans.append(Span(H(b"\x22", piece), sum(amounts), ids[0], ids[-1]))
        top = span_root(b"\x23", len(spans), dict(enumerate(spans)))[0]
        need(top == (r["root"], r["amount"], r["first"], r["last"]), "gift columns are not those of their record")
        need(r["previous"] == self.series.get(r["series"]) and (r["previous"] is None or r["previous"] < r["first"]),
             "a series does not go on where it ended")
        self.series[r["series"]] = r["last"]
        return units, (count, r["root"])

    def reverse(self, place: Place, r: dict[str, Any]) -> list[Ref]:
        """Do what a reversal does."""
        name, amount = r["reverses"], r["amount"]
        undone, refs = self.made.get(name, (None, []))
        of_gift = None if r["gift"] is None else partial(self.is_of, r["gift"])
        if undone is None or undone["kind"] in (16, 31):
            need(name in self.gifts, "what is reversed is not there")
            first, whole_amount = self.gifts[name]
            left = amount = whole_amount - self.voided[name] if amount is None else amount
            self.voided[name] += amount
            made = []
            for number in [first, *(n for n in range(len(self.tapes)) if n != first)]:
                tape = self.tapes[number]
                n = min(left, sum(u.n for u in tape.units if u.gift == name and u.plain))
                if n:
                    made.append((number, tape.size))
                    tape.take(22, place, n, lambda u: u.gift == name and u.plain)
                    left -= n
            need(left == 0, "less of a gift rests than is reversed")
            return made
        if undone["kind"] == 18:
            return []
        if undone["kind"] in (20, 27):
            need(r["account"] is not None or len(refs) == 2, "a reversal does not say out of which account")
            number, index = next(ref for ref in refs[1:] if r["account"] in (None, ref[0]))
            tape, to = self.tapes[number], self.tapes[refs[0][0]]
            chosen = lambda u: u.inflow == index and (of_gift is None or of_gift(u))  # noqa: E731
            amount = amount or sum(u.n for u in tape.units if chosen(u))
            here, there = (number, tape.size), (refs[0][0], to.size)
            to.lay(5, place, amount, tape.take(21, place, amount, chosen, target=there), source=here)
            return [here, there]
        number, index = refs[0]
        tape = self.tapes[number]
        whole_amount, units = tape.spent[index]
        left = sum(u.n for u in units)
        mine = [(sum(u.n for u in units[:i]), u.n) for i, u in enumerate(units) if of_gift and of_gift(u)]
        amount = amount or (sum(n for _, n in mine) if of_gift else left)
        need(0 < amount <= left, "more is reversed than is left")
        takes = merged(first_of(mine, amount))
        back, rest = parted(units, (lambda z: cut_named(z, takes)) if of_gift else (
            lambda z: cut(z, amount, left, whole_amount - left)))
        tape.spent[index] = (whole_amount, rest)
        total, last = tape.reversed.get(index, (0, None))
        tape.reversed[index] = (total + amount, tape.size)
        tape.lay(4, place, amount, back, source=(number, index), previous=last, named=int(of_gift is not None),
                 takes=takes)
        return [(number, tape.size - 1)]

    def change(self, kind: int, r: dict[str, Any], data: bytes, later: int, said: Said) -> None:
        """Apply a record about parties, keys, units or accounts."""
        named = [party for party in self.parties if party["id"] == r["party"]]
        need(named or kind in (1, 4, 5, 6), "there is no such party")
        if kind == 1:
            party = {"id": r["id"], "roles": r["roles"], "keys": [], "recovery": [], "threshold": 1, "suspended": None}
            if len(self.parties) == 1 and not self.parties[0]["roles"]:
                party = self.parties[0]
                party["roles"] = r["roles"]
                need((r["id"], r["key"]) == ("self", self.first_key), "the first record does not admit the operator")
            else:
                self.parties.append(party)
                self.register(party, "keys", r["key"], later, r["proof"])
            if r["recovery"]:
                self.register(party, "recovery", r["recovery"][0], later, r["recovery"][1])
        elif kind == 2:
            _, old = self.keys.get(r["replaced"], (None, [None] * 4)) if r["replaced"] else (None, None)
            if old:
                old[2] = later if old[2] is None else old[2]
                old[3] = r["compromised_since"] if r["compromised_since"] is not None else old[3]
            if r["key"]:
                self.register(named[0], "keys", r["key"], later, r["proof"])
            living = sum(key[2] is None for key in named[0]["keys"])
            named[0]["threshold"] = max(1, min(named[0]["threshold"], living))
        elif kind == 3:
            named[0]["suspended"] = r["suspended"] or None
        elif kind == 7:
            named[0]["threshold"] = r["threshold"] or named[0]["threshold"]
            if r["recovery_key"]:
                for key in named[0]["recovery"]:
                    key[2] = later if key[2] is None else key[2]
                self.register(named[0], "recovery", r["recovery_key"], later, r["proof"])
        elif kind in (5, 6):
            ids = [party["id"] for party in self.parties]
            owner = ids.index(r["owner"]) if r["owner"] in ids else self.parties.index(self.keys[said.author][0])
            if kind == 5:
                need(r["number"] == len(self.tapes), "an account has not the next number")
                self.tapes.append(Tape(r, data, owner))
            else:
                tape = self.tapes[r["account"]]
                tape.terms |= {name: r[name] for name in TERMS if r[name] is not None}
                tape.owner = owner if r["owner"] else tape.owner
                tape.open = tape.open if r["closed"] is None else 1 - r["closed"]

    def verdict(self) -> dict[str, Any]:
        """What the ledger holds."""
        units: dict[str, list[int]] = defaultdict(lambda: [0] * 3)
        for tape in self.tapes:
            for i, n in enumerate(tape.sums[1:4]):
                units[tape.unit][i] += n
        accounts = [{"account": tape.id, "unit": tape.unit, "balance": sum(u.n for u in tape.units)}
                    for tape in self.tapes]
        return {"origin": self.origin, "identity": self.identity.hex(), "blocks": len(self.hashes), "torn": self.torn,
                "root": self.note.root.hex(), "accounts": accounts,
                "units": {unit: dict(zip(("in", "by_rule", "by_name"), sums, strict=True))
                          for unit, sums in units.items()}}


def first_of(stretches: Iterable[tuple[int, int]], amount: int) -> list[tuple[int, int]]:
    """The first so many units of some stretches."""
    found = []
    for at, n in stretches:
        if amount:
            found.append((at, min(n, amount)))
            amount -= found[-1][1]
    return found


def parted(units: list[Units], goes: Callable[[int], int]) -> tuple[list[Units], list[Units]]:
    """Which of these units go, by how many of the first z do, and which are left."""
    gone, left, at = [], [], 0
    for u in units:
        n = goes(at + u.n) - goes(at)
        at += u.n
        gone += [u._replace(n=n)] * (n > 0)
        left += [u._replace(n=u.n - n)] * (n < u.n)
    return gone, left


def check_ledger(data: bytes) -> dict[str, Any]:
    """What a ledger holds.

    Raises:
        Bad: it does not hold, and why.
    """
    try:
        return Book(data).verdict()
    except WRONG as error:  # whatever cannot be read as the page says
        raise Bad(f"it is not as the page says ({type(error).__name__}: {error})") from error


def main(file: str = "", *more: str) -> int:
    """Check the file that was named."""
    if not file or more:
        print("usage: independent_ledger.py FILE", file=sys.stderr)
        return 2
    try:
        print(json.dumps(check_ledger(Path(file).read_bytes()), indent=1))
    except (Bad, OSError) as error:
        print(ascii(f"does not hold: {error}")[1:-1])
        return 1 if isinstance(error, Bad) else 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1 + (sys.argv[1:2] == ["ledger"]) :]))
