"""A verifier of charitychain receipts that shares no line with charitychain, written without a look at its code.

One file, Python 3.11 and its standard library only, from docs/reference/receipt.md and format.md alone: each can be
held against the other. What a function is for stands on its first line. Amounts are in the smallest unit.

    python examples/independent_verifier.py receipt GIFT.ccr [--operator-key VKEY]
    python examples/independent_verifier.py ledger BOOK.ledger

It prints what it found as JSON and ends with 0, or prints the reason and ends with 1; with 3 if the file is unreadable.
It makes every check of the page, of the receipts of other ledgers in it too; of a record's fields it looks at those on
which these rest; `computed` is not proved, and not shown. Ledgers are for the file beside it, independent_ledger.py.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
import re
import runpy
import struct
import sys
import zlib
from bisect import bisect_left
from collections import defaultdict, namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Place, Ref = tuple[int, int, int], tuple[int, int]  # height, statement, record; account number, movement index
TOP = 2**63 - 1
CURRENCIES = re.findall("...", (  # of ISO 4217, as published on 2026-01-01
    "AEDAFNALLAMDAOAARSAUDAWGAZNBAMBBDBDTBHDBIFBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDFCHECHFCHWCLFCLPCNYCOPCOUCRCCUPCVE"
    "CZKDJFDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGNFGTQGYDHKDHNLHTGHUFIDRILSINRIQDIRRISKJMDJODJPYKESKGSKHRKMFKPW"
    "KRWKWDKYDKZTLAKLBPLKRLRDLSLLYDMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDOMRPABPENPGKPHPPKR"
    "PLNPYGQARRONRSDRUBRWFSARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTNDTOPTRYTTDTWDTZSUAHUGXUSDUSNUYIUYU"
    "UYWUZSVEDVESVNDVUVWSTXADXAFXCDXCGXOFXPFYERZARZMWZWG"
))
class Bad(Exception):
    """What was read does not hold, and why."""
def need(holds: object, why: str) -> None:  # refuse what was read, unless this holds
    if not holds:
        raise Bad(why)
def H(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()
def inflate(data: bytes) -> bytes:  # the one zlib stream that data is, of at most 16 MiB
    stream = zlib.decompressobj()
    body = stream.decompress(data, 2**24)
    need(stream.eof and not stream.unused_data, "the zlib stream does not end where the file does")
    return body
# ---- Canonical msgpack
def pack(value: Any) -> bytes:  # the one canonical encoding of an integer, bytes, a text, an array or nil
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        size = next(n for n in (1, 2, 4, 8) if value < 256**n)
        return bytes([value]) if value < 128 else bytes([0xCB + size.bit_length()]) + value.to_bytes(size)
    if isinstance(value, bytes):
        return sized(len(value), 0, 0, 0xC4, (1, 2, 4)) + value
    if isinstance(value, str):
        return sized(len(value.encode()), 0xA0, 32, 0xD9, (1, 2, 4)) + value.encode()
    return sized(len(value), 0x90, 16, 0xDC, (2, 4)) + b"".join(map(pack, value))
def sized(n: int, short: int, below: int, code: int, sizes: tuple[int, ...]) -> bytes:  # what stands before n bytes
    if n < below:
        return bytes([short + n])
    at, size = next((at, size) for at, size in enumerate(sizes) if n < 256**size)
    return bytes([code + at]) + n.to_bytes(size)
def unpack(data: bytes, depth: int, what: str) -> Any:  # what this encodes canonically, in arrays no deeper than that
    at = 0
    def take(n: int) -> bytes:
        nonlocal at
        at += n
        need(at <= len(data), f"{what}: it ends too early")
        return data[at - n : at]
    def value(left: int) -> Any:
        code = take(1)[0]
        if code < 0x80 or code == 0xC0:
            return code if code < 0x80 else None
        if 0xCC <= code <= 0xCF:  # nothing here has numbers below 0
            return int.from_bytes(take(1 << (code & 3)))
        size = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4}.get(code)
        need(size or 0x90 <= code < 0xC0, f"{what}: msgpack type {code:#x} is not allowed")
        n = int.from_bytes(take(size)) if size else code & (15 if code < 0xA0 else 31)
        if code < 0xA0 or code >= 0xDC:
            need(left, f"{what}: arrays nest too deep")
            return tuple([value(left - 1) for _ in range(n)])
        return take(n) if 0xC4 <= code <= 0xC6 else take(n).decode()
    read = value(depth)
    need(pack(read) == data, f"{what}: not the canonical encoding of one value")
    return read
# ---- Ed25519: RFC 8032 with the stricter rules of the format. A point is X, Y, Z, T with XY = ZT.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ZERO, Point = -121665 * pow(121666, -1, P) % P, (0, 1, 1, 0), tuple[int, int, int, int]
def add(a: Point, b: Point) -> Point:  # the sum of two points
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P
def times(k: int, a: Point, other: int = 0, b: Point = ZERO) -> Point:  # [k]a + [other]b
    table, total = (ZERO, a, b, add(a, b)), ZERO
    for bit in reversed(range(max(k.bit_length(), other.bit_length()))):
        total = add(total, total)
        if choice := (k >> bit & 1) + 2 * (other >> bit & 1):
            total = add(total, table[choice])
    return total
def is_zero(a: Point) -> bool:  # whether a point is the neutral one
    return a[0] == 0 and a[1] == a[2]
def point(data: bytes) -> Point | None:  # the point that 32 bytes encode canonically, if any
    sign, y = data[31] >> 7, int.from_bytes(data, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P
BASE = point(b"\x58" + b"\x66" * 31) or ZERO
@lru_cache(4096)
def good_key(key: bytes) -> Point | None:  # the point of a key of 33 bytes, if it is canonical and of prime order
    a = point(key[1:]) if len(key) == 33 and key[0] == 1 else None
    return a if a and not is_zero(a) and is_zero(times(L, a)) else None
@lru_cache(65536)
def verifies(key: bytes, message: bytes, signature: bytes) -> bool:  # [S]B = R + [k]A, R not of low order, S < L
    a, r, s = good_key(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if not a or not r or is_zero(times(8, r)) or s >= L or len(signature) != 64:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key[1:] + message).digest(), "little") % L
    x, y, z, _ = times(s, BASE, L - k, a)
    return (x - r[0] * z) % P == 0 and (y - r[1] * z) % P == 0
# ---- Trees
def fold(n: int, leaves: dict[int, T], proof: Sequence[T], join: Callable[[T, T], T], empty: T) -> tuple[T, list[T]]:
    # The root over n leaves, some shown and the rest by the proof; and all of these from left to right.
    order, members, met = sorted(leaves), iter(proof), []
    need(not order or order[-1] < n, "a tree has not the leaf that is shown")
    def root(first: int, end: int) -> T:
        at = bisect_left(order, first)
        some = at < len(order) and order[at] < end
        if some and end - first > 1:
            middle = first + (1 << (end - first - 1).bit_length() - 1)
            return join(root(first, middle), root(middle, end))
        met.append(leaves[first] if some else next(members))  # StopIteration: a member of the proof is missing
        return met[-1]
    top = root(0, n) if n else empty
    need(next(members, None) is None, "a proof has a member too many")
    return top, met
def plain_root(node: bytes, n: int, leaves: dict[int, bytes], proof: Sequence[bytes] = ()) -> bytes:
    return fold(n, leaves, proof, partial(H, node), H(node if node != b"\1" else b""))[0]  # of a tree with this prefix
Span = namedtuple("Span", "hash sum low high")  # a node that binds a sum and an order
def join_spans(prefix: bytes, a: Span, b: Span) -> Span:  # the span over two, with what its hash begins with
    need(a.high < b.low and a.sum + b.sum <= TOP, "a span tree is out of order, or its sum too large")
    return Span(H(prefix, struct.pack(">32s3Q32s3Q", *a, *b)), a.sum + b.sum, a.low, b.high)
def span_root(node: bytes, n: int, leaves: dict[int, Span], proof: Sequence[Span] = ()) -> tuple[Span, list[Span]]:
    return fold(n, leaves, proof, partial(join_spans, node), Span(H(node), 0, 0, 0))  # and its members in order
Node = namedtuple("Node", "hash inflow rule named back first last")  # of a movement log; first and last are places
def join_nodes(a: Node, b: Node) -> Node:  # the node over two neighbours of a movement log
    sums = [x + y for x, y in zip(a[1:5], b[1:5], strict=True)]
    need(a.last < b.first and max(sums) <= TOP, "a movement log is out of order, or a sum too large")
    packed = [struct.pack(">32s4QQIIQII", *n[:5], *n.first, *n.last) for n in (a, b)]
    return Node(H(b"\x21", *packed), *sums, a.first, b.last)
class Movement(namedtuple("Movement", "index kind place amount source second conversion previous gifts named takes "
                          "target parts")):
    """An inflow (kind below 16) or an outflow of one account, as a receipt lists it."""
    def leaf(self) -> Node:  # its leaf in the movement log
        spans = [Span(H(b"\x26", pack(take)), take[1], take[0], sum(take) - 1) for take in self.takes]
        takes = (len(spans), span_root(b"\x27", len(spans), dict(enumerate(spans)))[0].hash) if self.named else None
        fields, out = [self.kind, *self.place, self.amount], self.kind >= 16
        if out:
            fields += [self.named, takes, self.target] + [self.parts] * (self.kind == 23)
        else:
            fields += [self.source, self.second, self.conversion, self.previous, self.gifts] + [takes] * self.named
        sums = [self.amount * n for n in (not out, out and not self.named, out and self.named, self.kind == 4)]
        return Node(H(b"\x20", pack(fields)), *sums, self.place, self.place)
Summary = namedtuple("Summary", "number id terms unit rule owner open size root inflow by_rule by_name back "
                     "holes_root holes_sum reversed_root reversed_sum")
def cut(z: int, amount: int, balance: int, before: int = 0) -> int:  # of the first z of a balance how many go, evenly
    return (z * amount + before % balance) // balance
def cut_named(z: int, takes: Iterable[tuple[int, int]]) -> int:  # how many of the first z units these stretches hold
    return sum(max(0, min(z - position, length)) for position, length in takes)
def read_run(run: bytes, n: int) -> tuple[tuple[int, ...], tuple[int, ...]]:  # numbers and amounts of a run of n gifts
    ids, amounts = struct.unpack(f"<{n}Q", run[: 8 * n]), struct.unpack(f"<{n}Q", run[-8 * n :])
    need(rises(ids) and ids[-1] <= TOP and min(amounts) >= 1 and sum(amounts) <= TOP, "a run of gifts is out of order")
    return ids, amounts
def consistent(size: int, root: bytes, later: Checkpoint, proof: Sequence[bytes]) -> bool:
    members = iter(proof)  # whether a log begins with one of that size and root: RFC 9162, section 2.1.4
    def both(m: int, n: int, known: bool) -> tuple[bytes, bytes]:  # the roots of the first m and of all n leaves
        if m == n:
            node = root if known else next(members)
            return node, node
        k = 1 << (n - 1).bit_length() - 1
        old, new = both(min(m, k), k, known) if m <= k else both(m - k, n - k, False)
        node = next(members)
        return (old, H(b"\1", new, node)) if m <= k else (H(b"\1", node, old), H(b"\1", node, new))
    return size <= later.size and both(size, later.size, True) == (root, later.root) and not list(members)
# ---- The forms of things: a test, a tuple of forms for the fields of an array, or [form] for a list of any length
def fits(form: Any, value: Any) -> bool:  # whether a value has a form
    if isinstance(form, tuple):
        return isinstance(value, tuple) and len(form) == len(value) and all(map(fits, form, value))
    if isinstance(form, list):
        return isinstance(value, tuple) and all(fits(form[0], member) for member in value)
    return bool(form(value))
def maybe(form: Any) -> Callable[[Any], bool]:  # that form, or nil
    return lambda value: value is None or fits(form, value)
def whole(low: int = 0, high: int = TOP) -> Callable[[Any], bool]:  # a number in these bounds
    return lambda value: isinstance(value, int) and low <= value <= high
def octets(size: int = -1) -> Callable[[Any], bool]:  # bytes, so many of them if that is told
    return lambda value: isinstance(value, bytes) and size in (-1, len(value))
text = partial(lambda kind, value: isinstance(value, kind), str)
def rises(values: Iterable[Any]) -> bool:  # whether each is above the one before it
    return all(a < b for a, b in pairwise(values))
INT, U32, AMOUNT, FLAG = whole(), whole(0, 2**32 - 1), whole(1), whole(0, 1)
HASH, KEY, BIN, REF, PLACE = octets(32), octets(33), octets(), (INT, INT), (INT, U32, U32)
RECORDS = {kind: words.split() for kind, words in {  # the first fields of records
    **dict.fromkeys((1, 3, 5, 6, 7, 18, 19, 26, 28, 29), "id"), 2: "party", 4: "id decimals", 23: "id acknowledges",
    16: "id account amount", 17: "id account previous count amount first last width root",
    20: "id account to amount gift", 21: "id account amount payee purpose category gift",
    22: "id account amount to gives funded_from", 24: "id donation account amount", 27: "id account amount parts",
    25: "id reverses amount reason date reference evidence private gift account",
    30: "id account amount to_ledger to_origin gift",
    31: "id account amount from_ledger from_origin checkpoint movement spans"}.items()}
@lru_cache(65536)
def read_record(data: bytes) -> dict[str, Any]:  # these fields by name, nil where there is none, and `kind`
    values = unpack(data, 4, "record")
    return defaultdict(lambda: None, zip(["kind", *RECORDS[values[0]]], values, strict=False))
Said = namedtuple("Said", "version author sequence previous seen_size seen_hash time expiry count root signers")
SAID = (whole(1, 1), HASH, INT, maybe(HASH), INT, HASH, INT, INT, whole(1, 2**32 - 1), HASH, [HASH])
def check_signatures(data: bytes, signatures: Any, identity: bytes, keys: dict[bytes, bytes]) -> Said:
    said = Said(*unpack(data, 2, "statement header"))  # of a statement that exactly its author and signers have signed
    need(fits(SAID, tuple(said)) and rises(said.signers) and said.author not in said.signers and len(said.signers) <= 63
         and (said.sequence == 0) == (said.previous is None), "a statement's header has not its form")
    need([by for by, _ in signatures] == [said.author, *said.signers] and all(
        verifies(keys[by], b"\0charitychain/v1\0statement\0" + identity + data, name) for by, name in signatures),
        "a signature of a statement does not hold, or is not of its author and signers")
    return said
Header = namedtuple("Header", "version height time before statements statements_root accounts accounts_root parties "
                    "parties_root")
def read_header(data: bytes, version: int) -> Header:  # the header of a block, in a ledger of this version
    header = Header(*struct.unpack(">HQQ32sI32sI32sI32s", data))
    need(header.version == version and max(header[1:3]) <= TOP, "a block's header has another version, or no height")
    return header
def read_genesis(data: bytes) -> Sequence[Any]:  # the genesis record: 0, version, origin, nonce and first key
    values = unpack(data, 2, "genesis record")
    form = (whole(0, 0), whole(1, 2), text, HASH, KEY, (HASH, AMOUNT, HASH))[: len(values)]
    need(fits(form, values) and len(values) in (5, 4 + values[1]) and len(values[2]) <= 128 and good_key(values[4])
         and re.fullmatch("[A-Za-z0-9]([A-Za-z0-9._:/~-]*[A-Za-z0-9])?", values[2]), "no genesis record")
    return values
def base64_exact(value: str) -> bytes:  # what a canonical base64 text encodes
    data = base64.b64decode(value, validate=True)
    need(data and base64.b64encode(data).decode() == value, "a text is not canonical base64")
    return data

Checkpoint = namedtuple("Checkpoint", "text origin size root signatures")
def signed_by(note: Checkpoint, keys: Iterable[bytes]) -> bytes | None:  # the first of these keys that signed it
    return next((key for key in keys for name, data in note.signatures if name == note.origin and verifies(
        key, note.text.encode(), data[4:]) and data[:4] == H(name.encode() + b"\n" + key)[:4]), None)
def read_checkpoint(data: bytes) -> Checkpoint:  # a checkpoint with its signatures, none of them checked
    body, _, lines = data.decode().rpartition("\n\n")
    found = [re.fullmatch(r"— ([^ +\s\0-\x1f]+) (\S{8,})", line) for line in lines[:-1].split("\n")]
    head = body.split("\n")
    need(len(head) == 3 and lines[-1:] == "\n" and re.fullmatch("[1-9][0-9]{0,18}", head[1]) and int(head[1]) <= TOP,
         "the note is no checkpoint")
    root, signatures = base64_exact(head[2]), [(line[1], base64_exact(line[2])) for line in found if line]
    need(len(root) == 32 and all(found) and all(len(data) >= 5 for _, data in signatures), "a line of the note")
    return Checkpoint(body + "\n", head[0], int(head[1]), root, signatures)
def acting(party: Sequence[Any], height: int) -> list[bytes]:  # the keys of a party's leaf that act, recovery keys too
    listed = [*party[3], *(party[4][0] if party[4] else ())]
    return [key[0] for key in listed if key[1] <= height and (key[2] is None or height < key[2])]
# ---- The receipt
PARTY = (INT, text, [text], [(KEY, INT, maybe(INT), maybe(INT))], maybe(([(KEY, INT, maybe(INT))], whole(1, 64))),
         maybe(whole(1, 1)))
SUMMARY = (INT, text, HASH, text, ("fifo", "pro-rata").__contains__, INT, FLAG, INT, HASH,
           INT, INT, INT, INT, HASH, INT, HASH, INT)
MOVEMENT = (INT, (*range(1, 7), *range(16, 25)).__contains__, PLACE, AMOUNT, maybe(REF), maybe(REF), maybe(
    (AMOUNT, AMOUNT)), maybe(INT), maybe((INT, HASH)), FLAG, [(INT, AMOUNT)], maybe(REF), [(INT, INT, AMOUNT)])
RECEIPT = (
    INT, maybe(text), maybe(INT), maybe((INT, AMOUNT, AMOUNT, AMOUNT)), [REF], BIN, BIN,
    [(BIN, [(INT, BIN, [(HASH, BIN)], [(INT, BIN, [REF])], [HASH], [HASH])], [HASH])], [HASH],
    [(SUMMARY, ([MOVEMENT], [(HASH, INT, INT, INT, INT, *PLACE, *PLACE)], [BIN], [BIN]))], [HASH], [PARTY], [HASH],
    [(text, PLACE, INT, INT, maybe((INT, BIN)), [(HASH, INT, INT, INT)])], [(text, PLACE, maybe(INT), maybe(INT))],
    [(text, INT, [PLACE])], [(BIN, [HASH])], maybe(BIN), [(BIN, [HASH])])
Made = namedtuple("Made", "record data refs")  # a shown record, its bytes, and the movements that it made
Piece = namedtuple("Piece", "indirect start end")  # units of an inflow; indirect if they did not come by paying
class Trie:
    """What is shown of the holes or reversals of an account, in order (check 13)."""
    def __init__(self, listed: Sequence[bytes], prefix: int, root: bytes, total: int) -> None:
        self.met: list[tuple[int, int, int, tuple[int, int] | None]] = []  # low, high, sum, data
        self.prefix, rest = prefix, list(reversed(listed))
        top = self.opened(listed[0])[0] if listed else (-1, Span(H(bytes([prefix + 1])), 0, 0, 0))
        need(top[1][:2] == (root, total), "a trie is not the one of its account's summary")
        todo = [top] * bool(listed)
        while todo:
            want = todo.pop()
            here, below = self.opened(rest[-1]) if rest else (None, [])
            if here == want and below:
                todo += reversed(below)
                rest.pop()
                continue
            need(here is None or here == want or here[1].hash != want[1].hash, "a trie's node")
            data = struct.unpack(">5Q", rest.pop())[3:] if here == want else None
            self.met.append((want[1].low, want[1].high, want[1].sum, data))
        need(not rest, "a trie lists a node that is not below another")
    def opened(self, data: bytes) -> tuple[tuple[int, Span], list[tuple[int, Span]]]:  # a node and its children, each
        holes = self.prefix == 0x28                                                    # with its bit: −1 for a leaf
        if len(data) == 40:
            low, high, total, *_ = struct.unpack(">5Q", data)
            need(low <= high <= TOP and 0 < total <= TOP and (not holes or total == high - low + 1), "a trie's leaf")
            return (-1, Span(H(bytes([self.prefix]), data), total, low, high)), []
        values = struct.unpack(">b32s3Qb32s3Q", data)
        below = [(values[0], Span(*values[1:5])), (values[5], Span(*values[6:]))]
        left, right = below[0][1], below[1][1]
        bit = (left.low ^ right.low).bit_length() - 1
        need(left.low < right.low and all(-1 <= b < bit and (0 < c.sum <= c.high - c.low + 1 if holes else
             c.low >> bit == c.high >> bit) for b, c in below), "a branch of a trie does not fit its children")
        return (bit, join_spans(bytes([self.prefix + 1, bit]), left, right)), below
    def of(self, key: int) -> tuple[int, int | None]:  # a leaf's sum and first datum, or 0 and nil
        found = next(((total, data) for low, high, total, data in self.met if low <= key <= high), (0, (None, 0)))
        return found[0], found[1][0]  # nil[0] where it is not shown
class Account:
    """An account as a receipt shows it (checks 10 to 13)."""
    def __init__(self, summary: Sequence[Any], tape: Sequence[Any]) -> None:
        self.sum = s = Summary(*summary)
        self.moves = {m[0]: Movement(*m) for m in tape[0]}
        need(s.by_rule + s.by_name <= s.inflow and s.reversed_sum == s.back
             and s.holes_sum == s.by_name * (s.rule == "fifo") and rises(m[0] for m in tape[0]), "an account's sums")
        for m in self.moves.values():
            unset = (m.target, *m.parts) if m.kind < 16 else (m.source, m.second, m.conversion, m.previous, m.gifts)
            need(unset.count(None) == (1 if m.kind < 16 else 5) and len(unset) in (1, 5)
                 and sum(n for _, n in m.takes) == m.amount * m.named, "a movement's fields or takes")
        leaves = {index: m.leaf() for index, m in self.moves.items()}
        nodes = [Node(*n[:5], n[5:8], n[8:]) for n in tape[1]]
        top, met = fold(s.size, leaves, nodes, join_nodes, Node(H(b"\x21"), 0, 0, 0, 0, (), ()))
        need(top[:5] == (s.root, s.inflow, s.by_rule, s.by_name, s.back), "a log is not the one of its summary")
        self.before: dict[int, tuple[int, ...]] = {}  # in, by rule, by name and back before a shown movement
        sums, order = (0, 0, 0, 0), iter(self.moves.values())
        shown = {id(leaf) for leaf in leaves.values()}
        for node in met:
            if id(node) in shown:
                m, balance = next(order), sums[0] - sums[1] - sums[2]
                self.before[m.index], room = sums, sums[0] if s.rule == "fifo" else balance
                need(balance >= 0 and (m.kind < 16 or (m.amount <= balance and all(sum(t) <= room for t in m.takes))),
                     "an outflow takes more than there was")
            sums = tuple(a + b for a, b in zip(sums, node[1:5], strict=True))
        self.holes = Trie(tape[2], 0x28, s.holes_root, s.holes_sum)
        self.reversed = Trie(tape[3], 0x2A, s.reversed_root, s.reversed_sum)
        need(not self.holes.met or self.holes.met[-1][1] < s.inflow, "a hole lies beyond its tape")
class Receipt:
    """A receipt whose every check is made; `verdict` says what became of the gift."""
    def __init__(self, data: bytes, operator_key: bytes | None = None, depth: int = 1) -> None:
        need(40 < len(data) <= 2**24 and data[:8] == b"\x89CCRCPT\n" and depth <= 8, "this is no receipt")
        need(H(data[:-32]) == data[-32:], "the checksum does not fit")
        body = unpack(inflate(data[8:-32]), 10, "receipt")
        need(body[0] == 1 and fits(RECEIPT, body), "the receipt has not its form, or is of a later version")
        (_, self.gift, self.account, self.part, self.stops, genesis, note, blocks, log_proof, accounts, accounts_proof,
         self.parties, parties_proof, gifts, ids, self.links, earlier, _, self.others) = body
        self.depth, firsts = depth, [[v[0] for v in x] for x in (self.parties, [a[0] for a in accounts], gifts, ids)]
        need((self.gift is None) != (self.account is None) and all(map(rises, (
            self.stops, *firsts, [n[:2] for n in self.links], *(n[2] for n in self.links)))), "a list does not rise")
        _, version, origin, *_ = read_genesis(genesis)  # checks 1 to 5
        self.identity, self.note = H(b"\x10", genesis), read_checkpoint(note)
        headers = [read_header(block[0], version) for block in blocks]
        head, heights = headers[-1], [header.height for header in headers]
        need(self.note.origin == origin and rises(heights) and heights[-1] == self.note.size - 1, "another checkpoint")
        leaves = [{h: H(b"\0", b[0]) for h, b in zip(heights, blocks, strict=True)},
                  {p[0]: H(b"\x1a", pack(p)) for p in self.parties},
                  {a[0][0]: H(b"\x18", pack(a[0])) for a in accounts}]
        need(plain_root(b"\1", self.note.size, leaves[0], log_proof) == self.note.root, "the blocks are not in the log")
        need(plain_root(b"\x1b", head.parties, leaves[1], parties_proof) == head.parties_root, "parties root")
        need(plain_root(b"\x19", head.accounts, leaves[2], accounts_proof) == head.accounts_root, "accounts root")
        keys = [key[0] for party in self.parties for key in (*party[3], *(party[4][0] if party[4] else ()))]
        need(self.parties[0][0] == 0 and len(keys) == len(set(keys)), "no operator is shown, or a key stands twice")
        self.key = signed_by(self.note, (k for k in acting(self.parties[0], head.height) if operator_key in (None, k)))
        need(self.key, "the checkpoint is not signed by the operator's key")
        notes = [read_checkpoint(old) for old, _ in earlier] + [self.note]
        for (a, b), (_, proof) in zip(pairwise(notes), earlier, strict=True):
            need(a.origin == origin and signed_by(a, acting(self.parties[0], a.size - 1))
                 and consistent(a.size, a.root, b, proof), "an earlier checkpoint does not hold")
        self.made: dict[Place, Made] = {}
        for header, block in zip(headers, blocks, strict=True):
            self.check_block(header, block)
        self.accounts = {a[0][0]: Account(*a) for a in accounts}
        self.gifts = {g[0]: self.check_gift(*g) for g in gifts}
        self.ids = {i[0]: i[1] for i in ids}
        for name, place, account, movement in ids:
            need(self.made[place].record["id"] == name and (movement is None or self.move((account, movement))),
                 f"{name} is not the record at its place, or its movement is not shown")
        need(all(place in self.made for link in self.links for place in link[2]) and all(
            (number, m.index) in self.made[m.place].refs for number, account in self.accounts.items()
            for m in account.moves.values()), "the record that a link names, or that made a movement, is not shown")
        for place, made in self.made.items():
            self.check_made(place, made)
    def move(self, ref: Ref | None) -> Movement | None:  # a movement, if it is shown
        return self.accounts[ref[0]].moves.get(ref[1]) if ref and ref[0] in self.accounts else None
    def check_block(self, header: Header, block: Sequence[Any]) -> None:  # checks 6 to 9
        keys = {H(b"\x30", key): key for party in self.parties for key in acting(party, header.height)}
        sealed: dict[int, bytes] = {}
        need(rises(statement[0] for statement in block[1]), "statements do not rise")
        for number, data, signatures, records, records_proof, moves_proof in block[1]:
            said = check_signatures(data, signatures, self.identity, keys)
            root = plain_root(b"\x12", said.count, {r[0]: H(b"\x11", r[1]) for r in records}, records_proof)
            need(root == said.root and rises(r[0] for r in records), "a record is not of its statement")
            moves = {r[0]: H(b"\x16", pack((r[0], r[2]))) for r in records}
            moved = plain_root(b"\x17", said.count, moves, moves_proof)
            sealed[number] = H(b"\x14", H(b"\x13", data), H(b"\x1c", pack(signatures)), moved)
            for index, record, refs in records:
                self.made[header.height, number, index] = Made(read_record(record), record, refs)
        need(plain_root(b"\x15", header.statements, sealed, block[2]) == header.statements_root, "not of its block")
    def check_gift(self, name: str, place: Place, account: int, movement: int, run: Any,
                   proof: Sequence[Any]) -> tuple[Ref, int, int]:  # check 14; a gift's inflow, its offset and amount
        inflow, made = self.accounts[account].moves[movement], self.made[place]
        r, (series, slash, number) = made.record, name.partition("/")
        need(r["account"] == account and bool(made.refs) == (place == inflow.place), f"gift {name}: not of this inflow")
        if inflow.kind == 6:
            need(place == inflow.place and r["kind"] == 31 and r["id"] == name and (run, proof) == (None, ()),
                 f"gift {name}: it is not what was received")
            return (account, movement), 0, inflow.amount
        (count, root), within, amount = inflow.gifts, 0, r["amount"]
        if run is None:
            index, prefix = place[2] - inflow.place[2], b"\x25"
            need(r["kind"] == 16 and r["id"] == name and place[:2] == inflow.place[:2] and index >= 0, f"gift {name}")
            leaf = Span(H(b"\x24", H(b"\x11", made.data)), amount, place[2], place[2])
        else:
            index, prefix, width, n = run[0], b"\x23", r["width"], min(64, count - 64 * run[0])
            need(r["kind"] == 17 and slash and r["id"] == series and place == inflow.place
                 and n > 0 and width in (32, 48) and len(run[1]) == n * width, f"gift {name}: it is not of this batch")
            numbers, amounts = read_run(run[1], n)
            at = numbers.index(int(number))
            within, amount, count = sum(amounts[:at]), amounts[at], -(-count // 64)
            leaf = Span(H(b"\x22", run[1]), sum(amounts), numbers[0], numbers[-1])
        top, met = span_root(prefix, count, {index: leaf}, [Span(*span) for span in proof])
        need((top.hash, top.sum) == (root, inflow.amount), f"gift {name}: its proof does not lead to its inflow")
        return (account, movement), sum(span.sum for span in met[: met.index(leaf)]) + within, amount
    def check_made(self, place: Place, made: Made) -> None:  # checks 17 and 18: a record made just these movements
        r, refs, shown = made.record, made.refs, [self.move(ref) for ref in made.refs]
        kind, account, amount, named = r["kind"], r["account"], r["amount"], int(r["gift"] is not None)
        first, last, funder = (*refs, None)[0], (None, *refs)[-1], r["funded_from"]
        plan: list[tuple[int | None, int, int | None, int, dict[str, Any]]] = []  # account, kind, amount, named, fields
        if (kind == 16 and refs) or kind == 17:
            plan = [(account, 1, amount if kind == 17 else None, 0, {})]
        elif kind == 20:
            plan = [(account, 16, amount, named, {"target": last}), (r["to"], 2, amount, 0, {"source": first})]
        elif kind in (21, 30, 31):
            plan = [(account, {21: 17, 30: 24, 31: 6}[kind], amount, named, {})]
        elif kind == 22:
            paid = refs[1] if funder is not None else None
            plan = [(account, 18, amount, 0, {"target": last}), (funder, 19, r["gives"], 0, {"target": last}),
                    (r["to"], 3, r["gives"], 0, {"source": first, "second": paid, "conversion": (amount, r["gives"])})]
            del plan[1 : 1 + (funder is None)]
        elif kind == 24:
            account = self.gifts[r["donation"]][0][0] if account is None and r["donation"] in self.gifts else account
            plan = [(account, 20, amount, 1, {})]
        elif kind == 27:
            parts = tuple((*ref, part[1]) for ref, part in zip(refs[1:], r["parts"], strict=True))
            need(sum(part[1] for part in r["parts"]) == amount, "the parts of a split are not its amount")
            plan = [(account, 23, amount, 0, {"parts": parts})]
            plan += [(to, 2, n, 0, {"source": first}) for to, n in r["parts"]]
        elif kind == 25:
            m = next((m for m in shown if m), None)
            if m and m.kind in (5, 21):
                plan = [(None, 21, amount, 1, {"target": last}), (None, 5, amount, 0, {"source": first})]
                need(len({m.amount for m in shown if m}) == 1, "a reversal takes and brings back different amounts")
            elif m and m.kind == 4:
                spent = self.accounts[refs[0][0]].moves[m.source[1]]
                plan = [(m.source[0], 4, amount, named, {"source": m.source})]
                need(spent.kind in (17, 24) and r["reverses"] == self.made[spent.place].record["id"], "a reversal")
            else:
                plan = [(None, 22, None, 1, {})] * len(refs)
        need(len(plan) == len(refs), f"record {r['id']} made more movements, or fewer")
        for ref, m, (number, what, units, by_name, fields) in zip(refs, shown, plan, strict=True):
            need(number in (None, ref[0]), f"record {r['id']} moved another account")
            if m:
                fields = {"source": None, "second": None, "conversion": None, "target": None, "parts": (),
                          "gifts": None if what != 1 else m.gifts if kind == 16 else (r["count"], r["root"]), **fields}
                goes_on = [m.target] if what in (16, 19, 21) else [part[:2] for part in m.parts]
                unit = self.accounts[ref[0]].sum.unit
                need((m.place, m.kind, m.named) == (place, what, by_name) and units in (None, m.amount)
                     and (what != 1 or m.gifts) and all(getattr(m, key) == value for key, value in fields.items())
                     and all(self.accounts[to[0]].sum.unit == unit for to in goes_on if self.move(to)),
                     f"record {r['id']} did not make this movement")
        if kind == 22 and any(shown):
            of, to, by = (self.accounts[n].sum.unit for n in (account, r["to"], r["to"] if funder is None else funder))
            need(of != to == by and funder not in (account, r["to"])
                 and (funder is not None or to not in CURRENCIES or of in CURRENCIES), "a conversion's units")
    def follow(self) -> dict[str, Any]:  # checks 19 to 24: where the units of the gift are now
        self.own, offset, self.amount = self.gifts[self.gift]
        start, end, page, pages = self.part or (0, self.amount, 1, 1)
        need(start < end <= self.amount and page <= pages, "the part is not of the gift")
        self.ends, self.sent, self.arrived = defaultdict(int), defaultdict(list), defaultdict(list)
        self.queue, pieces = [], 0  # places and inflows at which units wait, and how many stretches were followed
        self.went: list[tuple[Ref, Ref | None, bool, int]] = []  # from an inflow, to an outflow or nil, indirect, units
        self.left: dict[Ref, tuple[int, int]] = {}  # after a reversal of an outflow: what is left, what of this gift
        self.took: dict[Ref, int] = defaultdict(int)  # units that came by paying, of outflows and reversals
        self.arrive(self.own, self.accounts[self.own[0]].moves[self.own[1]].kind, False, offset + start, offset + end)
        while self.queue:
            _, ref = heapq.heappop(self.queue)
            fresh: list[Piece] = []
            for piece in sorted(self.arrived.pop(ref)):
                todo = [piece[1:]]
                for old in fresh:  # each unit once
                    todo = [(a, b) for x, y in todo for a, b in ((x, min(y, old.start)), (max(x, old.end), y)) if a < b]
                fresh += [Piece(piece.indirect, *part) for part in todo]
            pieces += len(fresh)
            need(pieces <= 2000, "the gift lies in too many pieces")
            account = self.accounts[ref[0]]
            for piece in fresh:
                if ref in self.stops:
                    self.ends["remainder", ref] += piece.end - piece.start
                else:
                    (self.by_fifo if account.sum.rule == "fifo" else self.by_pro_rata)(account, ref, *piece)
        self.check_chosen(not self.part and not any(kind == "remainder" for kind, _ in self.ends))
        ends: dict[str, list[dict[str, Any]]] = {kind: [] for kind in (
            "used", "held", "sent", "refunded", "converted", "voided", "remainder")}
        for (what, (number, index)), units in sorted(self.ends.items()):
            s, place = self.accounts[number].sum, self.accounts[number].moves[index].place
            record = {} if what == "held" else {"record": self.made[place].record["id"]}
            ends[what] += [{**record, "account": s.id, "unit": self.unit(number)[0], "amount": units}] * (units > 0)
        own, unit = self.accounts[self.own[0]].sum.id, self.unit(self.own[0])[0]
        need(all(self.made[place].record["acknowledges"] in self.gifts for link in self.links for place in link[2]
                 if link[:2] == (own, 2)), "a gift up to which somebody acknowledged is not shown")
        return {"gift": self.gift, "account": own, "unit": unit, "amount": self.amount, "part": self.part} | ends
    def arrive(self, ref: Ref | None, kind: int, indirect: bool, a: int, b: int, after: Place = (-1, 0, 0)) -> None:
        if a < b:  # units [a, b) of an inflow of this kind, at a place after that one
            inflow = self.move(ref)
            if inflow is None or ref is None or inflow.kind != kind or inflow.place <= after or b > inflow.amount:
                raise Bad("units go to an inflow that is not shown, or beyond it")
            if ref not in self.arrived:
                heapq.heappush(self.queue, (inflow.place, ref))
            self.arrived[ref].append(Piece(indirect, a, b))
    def by_fifo(self, account: Account, ref: Ref, indirect: bool, start: int, end: int) -> None:  # check 19
        lo, hi, below, met = account.before[ref[1]][0] + start, account.before[ref[1]][0] + end, 0, 0
        for low, high, total, data in account.holes.met:
            if high < lo:
                below += total
            elif low < hi:
                need(data, "a hole that the gift may lie in is not shown")
                m, offset = account.moves[data[0]], data[1]
                at = m.takes.index((low, total))
                x, y = max(lo, low), min(hi, high + 1)
                below += x - low
                need(m.kind >= 16 and m.index > ref[1] and offset == sum(n for _, n in m.takes[:at])
                     and x - below - met >= account.before[m.index][1], "a hole is not what its outflow took")
                self.go(account, ref, m, indirect, offset + x - low, offset + y - low)
                met += y - x
        at, end = lo - below, hi - below - met
        for m in account.moves.values():
            first = account.before[m.index][1]
            if m.kind >= 16 and not m.named and first <= at < min(end, first + m.amount):
                need(m.index > ref[1], "units left before they came")
                upto = min(end, first + m.amount)
                self.go(account, ref, m, indirect, at - first, upto - first)
                at = upto
        need(at >= min(end, account.sum.by_rule), "an outflow that took units of the gift is not shown")
        self.ends["held", ref] += end - at
        self.went.append((ref, None, indirect, end - at))
    def by_pro_rata(self, account: Account, ref: Ref, indirect: bool, start: int, end: int) -> None:  # check 20
        inflow, rule, named, _ = account.before[ref[1]]
        start, end, done = inflow - rule - named + start, inflow - rule - named + end, rule + named
        for m in account.moves.values():
            if m.index > ref[1] and m.kind >= 16 and start < end:
                inflow, rule, named, _ = account.before[m.index]
                need(rule + named == done, "an outflow between two others is not shown")
                done += m.amount
                a, b = (cut_named(z, m.takes) if m.named else cut(z, m.amount, inflow - done + m.amount, rule)
                        for z in (start, end))
                self.go(account, ref, m, indirect, a, b)
                start, end = start - a, end - b
        need(start == end or done == account.sum.by_rule + account.sum.by_name, "a later outflow is not shown")
        self.ends["held", ref] += end - start
        self.went.append((ref, None, indirect, end - start))
    def go(self, account: Account, ref: Ref, m: Movement, indirect: bool, a: int, b: int) -> None:
        if a == b:  # check 21: units [a, b) of an outflow go on
            return
        here, kind, after = (account.sum.number, m.index), m.kind, account.moves[ref[1]].place
        self.went.append((ref, here, indirect, b - a))
        self.took[here] += (b - a) * (not indirect)
        if kind in (16, 19, 21):
            self.arrive(m.target, {16: 2, 19: 3, 21: 5}[kind], indirect, a, b, after)
        elif kind == 23:
            left = m.amount
            for number, index, units in m.parts:
                x, y = cut(a, units, left), cut(b, units, left)
                self.arrive((number, index), 2, indirect, x, y, after)
                a, b, left = a - x, b - y, left - units
        elif kind == 18:
            inflow = self.accounts[m.target[0]].moves[m.target[1]]
            x, y = (p * inflow.conversion[1] // inflow.conversion[0] for p in (a, b))
            self.ends["converted", here] += b - a
            self.arrive(m.target, 3, indirect or inflow.second is not None, x, y, after)
        elif kind in (17, 24):
            kept = self.come_back(account, here, m, indirect, a, b)
            self.ends["used" if kind == 17 else "sent", here] += kept
            self.sent[here] += [(a, b)] * (kind == 24 and kept == b - a)
        else:
            self.ends["refunded" if kind == 20 else "voided", here] += b - a
    def come_back(self, account: Account, here: Ref, m: Movement, indirect: bool, a: int, b: int) -> int:
        (total, index), chain, done = account.reversed.of(m.index), [], 0  # what was reversed; how many stay spent
        while index is not None:
            back = account.moves[index]
            need(back.kind == 4 and back.source == here and m.index < index < (chain[-1].index if chain else TOP),
                 "a reversal of an outflow is not shown")
            chain.append(back)
            index = back.previous
        need(sum(back.amount for back in chain) == total <= m.amount, "more or less was reversed than was spent")
        for back in reversed(chain):
            left, there = m.amount - done, (here[0], back.index)
            need(not back.takes or sum(back.takes[-1]) <= left, "a reversal brings back what was not left")
            x, y = (cut_named(z, back.takes) if back.named else cut(z, back.amount, left, done) for z in (a, b))
            self.arrive(there, 4, indirect, x, y, m.place)
            a, b, done = a - x, b - y, done + back.amount
            self.took[there] += (y - x) * (not indirect)
            self.left[there] = m.amount - done, self.left.get(there, (0, 0))[1] + (b - a) * (not indirect)
        return b - a
    def check_chosen(self, all_of_it: bool) -> None:  # checks 22 to 24: what was chosen by name was chosen rightly
        voided: dict[Place, int] = defaultdict(int)
        for ref, to, _, _ in self.went:
            m, origin = self.move(to), self.accounts[ref[0]].moves[ref[1]]
            if m and m.kind == 21:
                r = self.made[m.place].record
                need(origin.kind == 2 and self.made[origin.place].record["id"] == r["reverses"]
                     and m.target[0] == origin.source[0]
                     and (r["amount"] is not None or not self.later(m.index, lambda inflow, own=ref: inflow == own)),
                     "a transfer was not given back as its reversal says")
        for ref, units in self.took.items():
            m = self.accounts[ref[0]].moves[ref[1]]
            r = self.made[m.place].record
            name = r["donation"] if r["kind"] == 24 else r["reverses"] if m.kind == 22 else r["gift"]
            if units and m.named and name is not None:
                need(name == self.gift and (m.kind == 22 or not all_of_it or units == m.amount),
                     f"{r['id']} took units of another gift than it names")
                voided[m.place] += units * (m.kind == 22)
                earlier = lambda inflow, own=ref: inflow[0] == own[0] and inflow[1] < own[1]  # noqa: E731
                need(r["amount"] is not None or not all_of_it or not (self.later(ref[1], earlier) if m.kind == 20 else
                     self.left.get(ref, (0, 0))[1]), f"{r['id']} left some of the gift")
            elif m.kind == 4 and all_of_it:
                need(r["amount"] is not None or m.named or not self.left[ref][0], f"{r['id']} reversed not all")
        total = 0
        for place in sorted(place for place in voided if voided[place] and all_of_it):
            total, amount = total + voided[place], self.made[place].record["amount"]
            need(total == self.amount if amount is None else voided[place] == amount, "a reversal of the gift")
    def later(self, index: int, of: Callable[[Ref], bool]) -> int:  # units by paying of such inflows that were not gone
        return sum(n for ref, to, other, n in self.went if not other and of(ref) and (to is None or to[1] > index))
    def check_others(self) -> Iterable[dict[str, Any]]:  # checks 25 to 27: what other ledgers did with what was sent
        told: dict[Ref, list[tuple[int, int]]] = defaultdict(list)
        for data, proof in self.others:
            other = Receipt(data, None, self.depth + 1)
            yield other.verdict()
            r = other.made[other.accounts[other.own[0]].moves[other.own[1]].place].record
            first, end = (other.part or (0, other.amount))[:2]
            (size, root), here, at = r["checkpoint"], r["movement"], 0
            m = self.accounts[here[0]].moves[here[1]]
            need(r["kind"] == 31 and r["from_ledger"] == self.identity and self.made[m.place].record["to_ledger"] ==
                 other.identity and self.unit(here[0]) == other.unit(other.own[0]) and here in self.sent and
                 m.place[0] < size and consistent(size, root, self.note, proof), "another ledger did not receive this")
            for start, length in r["spans"]:
                a, b = start + max(0, first - at), start + min(length, end - at)
                at += length
                need(a >= b or (sum(max(0, min(b, y) - max(a, x)) for x, y in self.sent[here]) == b - a and not any(
                    a < y and x < b for x, y in told[here])), "another ledger tells of other units, or twice")
                told[here] += [(a, b)] * (a < b)
    def unit(self, number: int) -> tuple[str, int]:  # the unit of an account, and its decimals where it is declared
        unit = self.accounts[number].sum.unit
        known = unit in CURRENCIES or unit in ("STEP", "MINUTE", "MASK", "MEAL", "TREE")
        need(known or self.made[self.ids[unit]].record["kind"] == 4, "the record of a unit is not shown")
        return unit, 0 if known else self.made[self.ids[unit]].record["decimals"]
    def statement(self) -> dict[str, Any]:  # the sums of an account, and the movements of it that are shown
        s, moves = self.accounts[self.account].sum, self.accounts[self.account].moves.values()
        need(not self.part and not self.stops and not self.others, "a statement of account has a part, stops or others")
        listed = [{"index": m.index, "kind": m.kind, "amount": m.amount} for m in moves]
        return {"account": s.id, "unit": self.unit(self.account)[0], "in": s.inflow, "by_rule": s.by_rule,
                "by_name": s.by_name, "balance": s.inflow - s.by_rule - s.by_name, "movements": listed}
    def verdict(self) -> dict[str, Any]:  # what the receipt proves
        what = self.statement() if self.gift is None else {**self.follow(), "elsewhere": list(self.check_others())}
        mark = H(self.note.origin.encode() + b"\n" + self.key)[:4].hex()
        return {**what, "ledger": self.identity.hex(), "size": self.note.size, "root": self.note.root.hex(),
                "signed_by": f"{self.note.origin}+{mark}+{base64.b64encode(self.key).decode()}"}
# ---- The command
WRONG = (ArithmeticError, AttributeError, LookupError, RuntimeError, StopIteration, TypeError, ValueError, zlib.error)
def check_receipt(data: bytes, operator_key: bytes | None = None) -> dict[str, Any]:  # what a receipt proves, or Bad
    try:
        return Receipt(data, operator_key).verdict()
    except (*WRONG, struct.error) as error:  # whatever cannot be read as the page says
        raise Bad(f"it is not as the page says ({type(error).__name__}: {error})") from error
def main(what: str = "", file: str = "", option: str = "--operator-key", vkey: str = "", *more: str) -> int:
    if what not in ("receipt", "ledger") or not file or option != "--operator-key" or more:
        print("usage: independent_verifier.py receipt|ledger FILE [--operator-key VKEY]", file=sys.stderr)
        return 2
    if what == "ledger":
        runpy.run_path(str(Path(__file__).with_name("independent_ledger.py")), run_name="__main__")
    try:
        key = base64_exact(vkey.split("+", 2)[2]) if vkey else None
        print(json.dumps(check_receipt(Path(file).read_bytes(), key), indent=1))
    except (Bad, OSError, IndexError, ValueError) as error:
        print(ascii(f"does not hold: {error}")[1:-1])
        return 1 if isinstance(error, Bad) else 3 if isinstance(error, OSError) else 2
    return 0

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
