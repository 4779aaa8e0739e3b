"""The format page is true: its tables agree with the code, and a reader written from it alone reads real ledgers.

`_read` and what it calls are that reader. They use the standard library, msgpack and cryptography, never
charitychain; where they need a number, it is the page's.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from charitychain import codec, records, sumlog
from charitychain.chain import blocks, genesis, statements
from charitychain.ledger import Ledger
from charitychain.state.movements import Kind
from charitychain.store import frames
from charitychain.succession import carry_over, predecessor_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/format.md").read_text("utf-8")
GOLDEN = sorted((ROOT / "tests/golden").glob("*.ledger"))


def _table(heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading of the page."""
    section = PAGE.partition(f"\n{heading}\n")[2]
    assert section, heading
    lines = section.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| --- "))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the example ledger, made anew."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("format_example", Path(__file__).with_name("example.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    data: bytes = module.make_example(tmp_path_factory.mktemp("example"))
    assert module.dump(data) in PAGE, "the hex dump of the page is not what `python tests/docs/example.py` prints"
    return data


# ------------------------------------------------------------------------------------- tables and code agree


def test_prefix_bytes_are_those_of_the_code() -> None:
    """The table of prefix bytes lists every tag, and nothing else."""
    rows = {name: int(byte, 16) for byte, name, _ in _table("### Prefix bytes")}
    assert rows.pop("RFC 6962 leaf") == 0 and rows.pop("RFC 6962 node") == 1
    assert rows == {tag.name: tag.value for tag in sumlog.Tag}


@pytest.mark.parametrize("cls", records.KINDS, ids=lambda cls: cls.NAME)
def test_record_tables_are_those_of_the_code(cls: Any) -> None:
    """Each record stands in the page with its number and its fields in order."""
    assert [row[0] for row in _table(f"### {cls.KIND} {cls.NAME}")] == [field.name for field in fields(cls)]


def test_every_kind_of_the_page_is_known() -> None:
    """The page describes the kinds that the code reads, and no other."""
    listed = {int(number) for number in re.findall(r"^### (\d+) [\w-]+$", PAGE, re.MULTILINE)}
    assert listed == {cls.KIND for cls in records.KINDS}


@pytest.mark.parametrize(
    ("heading", "layout"),
    [
        ("### Head", struct.Struct(">8sH6s")),
        ("### Block header", blocks._HEADER),
        ("### Movement log", sumlog._LOG),
    ],
)
def test_offset_tables_are_those_of_the_code(heading: str, layout: struct.Struct) -> None:
    """Offsets follow from sizes, and the whole is as large as the structure of the code."""
    at = 0
    sizes = []
    for offset, size, _ in _table(heading):
        assert int(offset) == at
        sizes.append(int(size))
        at += int(size)
    assert at == layout.size
    parts = re.findall(r"(\d*)([sHIQ])", layout.format)
    expected = [
        size
        for count, letter in parts
        for size in ([int(count)] if letter == "s" else [{"H": 2, "I": 4, "Q": 8}[letter]] * int(count or 1))
    ]
    assert sizes == expected


def test_constants_are_those_of_the_code() -> None:
    """Magic, versions, limits and movement kinds of the page are the code's."""
    assert bytes.fromhex(_table("### Head")[0][2].partition("`")[2].strip("`")) == frames.MAGIC
    assert frames.FORMAT_VERSION == genesis.FORMAT_VERSION == 2 and statements.STATEMENT_VERSION == 1
    assert frames.VERSIONS == genesis.VERSIONS == (1, 2)
    assert f"1 to {frames.MAX_ENTRY} |" in PAGE
    assert f"at most {codec.MAX_TEXT_BYTES} bytes" in PAGE and f"1 to {codec.MAX_ID_BYTES} bytes" in PAGE
    assert [(int(n), name) for n, name, _ in _table("## Movements")] == [(k.value, k.name) for k in Kind]
    names = [row[0] for row in _table("### Statement header")]
    assert names == ["version", *[field.name for field in fields(statements.StatementHeader)]]


def test_annotations_of_the_example_are_true(example: bytes) -> None:
    """Every row below the hex dump shows bytes that stand at its offset."""
    rows = re.findall(r"^\| ([0-9a-f]{4}) \| `([0-9a-f ]+)` \|", PAGE, re.MULTILINE)
    assert len(rows) > 20
    for offset, text in rows:
        data = bytes.fromhex(text)
        assert example[int(offset, 16) :][: len(data)] == data, offset


# ----------------------------------------------------------------------------- a reader from the page alone


def H(*parts: bytes | int) -> bytes:
    return sha256(b"".join(bytes((p,)) if isinstance(p, int) else p for p in parts)).digest()


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def _unpack(data: bytes) -> Any:
    value = msgpack.unpackb(data, use_list=True)
    assert _pack(value) == data, "not canonical"
    return value


def _tree(leaves: list[Any], join: Any) -> Any:
    """Combine leaves in the shape of RFC 6962."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return join(_tree(leaves[:half], join), _tree(leaves[half:], join))


def _root(leaves: list[bytes], prefix: int) -> bytes:
    if not leaves:
        return H(b"") if prefix == 1 else H(prefix)
    root: bytes = _tree(leaves, lambda left, right: H(prefix, left, right))
    return root


def _span_root(leaves: list[tuple[bytes, int, int, int]], prefix: int) -> tuple[bytes, int, int, int]:
    def join(left: Any, right: Any) -> Any:
        assert left[3] < right[2]
        both = struct.pack(">32sQQQ32sQQQ", *left, *right)
        return H(prefix, both), left[1] + right[1], left[2], right[3]

    found: tuple[bytes, int, int, int] = _tree(leaves, join)
    return found


def _verify(key: bytes, signature: bytes, message: bytes) -> None:
    assert key[0] == 1
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, message)


def _frames(data: bytes) -> list[bytes]:
    assert data[:8] == bytes.fromhex("8943434c4447520a") and data[8:10] in (b"\0\1", b"\0\2") and not any(data[10:16])
    at, found = 16, []
    while at < len(data):
        length, check, checksum = struct.unpack_from(">III", data, at)
        assert zlib.crc32(b"ccfr" + data[at : at + 4]) == check, "length checksum"
        block = data[at + 12 : at + 12 + length]
        assert len(block) == length and zlib.crc32(block) == checksum, "block checksum"
        found.append(block)
        at += 12 + length
    return found


def _trie_root(leaves: list[tuple[int, int, int, int, int]], leaf_prefix: int, node_prefix: int) -> bytes:
    """Return the root of a sparse trie over (key, last key, sum, data, data) in rising order of keys."""

    def span(part: list[tuple[int, int, int, int, int]]) -> tuple[bytes, int, int, int]:
        if len(part) == 1:
            key, last, total, *_ = part[0]
            return H(leaf_prefix, struct.pack(">5Q", *part[0])), total, key, last
        bit = (part[0][0] ^ part[-1][0]).bit_length() - 1
        split = next(i for i, leaf in enumerate(part) if leaf[0] >> bit & 1)
        left, right = span(part[:split]), span(part[split:])
        assert left[3] < right[2]
        both = struct.pack(">32sQQQ32sQQQ", *left, *right)
        return H(node_prefix, bit, both), left[1] + right[1], left[2], right[3]

    return span(leaves)[0] if leaves else H(node_prefix)


class _Account:
    """An account as the page tells it."""

    def __init__(self, record: list[Any], data: bytes, author: int, version: int) -> None:
        self.id, self.number, self.unit, self.rule = record[1], record[2], record[3], record[4] or "fifo"
        self.terms, self.owner = H(0x11, data), author
        if version == 2:
            title, tags, restriction, approvals, target, caps, naming, levy = [*record[6:], None, None][:8]
            self.terms = H(0x35, _pack([title, tags, restriction, approvals, target, caps or [], naming, levy or []]))
        self.leaves: list[bytes] = []
        self.in_ = self.by_rule = self.by_name = self.back = 0
        self.holes: list[tuple[int, int, int, int, int]] = []
        self.reversed: dict[int, tuple[int, int, int, int, int]] = {}

    def next(self) -> list[int]:
        return [self.number, len(self.leaves)]

    def _add(self, place: tuple[int, int, int], fields: list[Any], sums: tuple[int, int, int, int]) -> list[int]:
        ref = self.next()
        digest = H(0x20, _pack(fields))
        self.leaves.append(struct.pack(">32sQQQQQIIQII", digest, *sums, *place, *place))
        self.in_, self.by_rule = self.in_ + sums[0], self.by_rule + sums[1]
        self.by_name, self.back = self.by_name + sums[2], self.back + sums[3]
        return ref

    def inflow(
        self, kind: int, place: tuple[int, int, int], amount: int, *, source: Any = None, second: Any = None,
        conversion: Any = None, previous: int | None = None, gifts: Any = None,
    ) -> list[int]:  # fmt: skip
        fields = [kind, *place, amount, source, second, conversion, previous, gifts]
        return self._add(place, fields, (amount, 0, 0, amount if kind == 4 else 0))

    def outflow(
        self, kind: int, place: tuple[int, int, int], amount: int, *, start: int | None = None, target: Any = None
    ) -> list[int]:
        """Take `amount` by rule, or, where `start` is given, the units from that position on."""
        if start is None:
            return self._add(place, [kind, *place, amount, 0, None, target], (0, amount, 0, 0))
        self.holes.append((start, start + amount - 1, amount, len(self.leaves), 0))
        takes = [1, H(0x26, _pack([start, amount]))]
        return self._add(place, [kind, *place, amount, 1, takes, target], (0, 0, amount, 0))

    def leaf(self) -> bytes:
        def join(left: bytes, right: bytes) -> bytes:
            assert left[80:] < right[64:80]
            each = (struct.unpack_from(">4Q", node, 32) for node in (left, right))
            sums = [a + b for a, b in zip(*each, strict=True)]
            return H(0x21, left, right) + struct.pack(">4Q", *sums) + left[64:80] + right[80:]

        log = _tree(self.leaves, join)[:32] if self.leaves else H(0x21)
        holes = _trie_root(sorted(self.holes), 0x28, 0x29)
        back = _trie_root(sorted(self.reversed.values()), 0x2A, 0x2B)
        return H(0x18, _pack([
            self.number, self.id, self.terms, self.unit, self.rule, self.owner, 1, len(self.leaves), log, self.in_,
            self.by_rule, self.by_name, self.back, holes, self.by_name, back, self.back,
        ]))  # fmt: skip


class _Reader:
    """Reads and checks a ledger.

    `whole` says that each gift that is named or refunded still lies, untouched and whole, in the account that it was
    given to, a fifo one; then all its movements and roots are computed too.
    """

    def __init__(self, whole: bool) -> None:
        self.whole = whole
        self.identity = b""
        self.predecessor: Any = None
        self.origin = ""
        self.key_of: dict[bytes, tuple[int, bytes]] = {}
        self.operator: list[tuple[int, bytes]] = []
        self.log: list[bytes] = []
        self.parties: list[list[Any]] = []
        self.accounts: list[_Account] = []
        self.statements: dict[int, bytes] = {}
        self.kinds: list[int] = []
        self.version = self.head_version = 0
        self.gifts: dict[str, tuple[int, int]] = {}
        self.spent: dict[str, tuple[_Account, int, int]] = {}

    def block(self, data: bytes) -> None:
        header, genesis, listed, seal = _unpack(data)
        height = len(self.log)
        version, at, _time, previous, *roots = struct.unpack(">HQQ32sI32sI32sI32s", header)
        if height == 0:
            kind, self.version, self.origin, nonce, key, *before = _unpack(genesis)
            assert not before or [len(part) for part in before[0][::2]] == [32, 32]
            self.predecessor = before[0] if before else None
            assert (kind, len(nonce), len(key)) == (0, 32, 33) and self.version == self.head_version in (1, 2)
            self.identity = H(0x10, genesis)
            self.key_of[H(0x30, key)] = (0, key)
            self.operator.append((0, key))
        assert (version, at, len(header)) == (self.version, height, 158)
        assert previous == (H(0x00, self.log[-1]) if height else self.identity)
        sealed = [self.statement(height, number, *parts) for number, parts in enumerate(listed)]
        assert (roots[0], roots[1]) == (len(listed), _root(sealed, 0x15))
        if self.whole:
            assert (roots[2], roots[3]) == (len(self.accounts), _root([a.leaf() for a in self.accounts], 0x19))
            assert (roots[4], roots[5]) == (len(self.parties), _root([H(0x1A, _pack(p)) for p in self.parties], 0x1B))
        self.log.append(header)
        self.seal(seal, height)

    def seal(self, seal: bytes, height: int) -> None:
        text, _, lines = seal.partition(b"\n\n")
        root = _root([H(0x00, header) for header in self.log], 0x01)
        assert text.decode() == f"{self.origin}\n{height + 1}\n{base64.b64encode(root).decode()}"
        dash, name, encoded = lines.decode().removesuffix("\n").split(" ")
        key = [key for start, key in self.operator if start <= height][-1]
        found = base64.b64decode(encoded)
        assert (dash, name) == ("—", self.origin)
        assert found[:4] == H(self.origin.encode(), b"\n", key)[:4]
        _verify(key, found[4:], text + b"\n")

    def statement(
        self, height: int, number: int, header: bytes, signatures: list[Any], recorded: list[bytes],
        columns: list[bytes], moves: list[Any],
    ) -> bytes:  # fmt: skip
        (version, author, sequence, previous, seen_size, seen_hash, _, expiry, count, root, signers) = _unpack(header)
        assert version == 1 and height <= expiry and count == len(recorded) == len(moves)
        party, _ = self.key_of[author]
        assert previous == self.statements.get(party) and (sequence == 0) == (previous is None)
        assert seen_hash == (H(0x00, self.log[seen_size - 1]) if seen_size else self.identity)
        assert [key for key, _ in signatures] == [author, *signers]
        message = b"\x00charitychain/v1\x00statement\x00" + self.identity + header
        for key, signature in signatures:
            _verify(self.key_of[key][1], signature, message)
        assert root == _root([H(0x11, data) for data in recorded], 0x12)
        made = self.records(height, number, party, recorded, list(columns))
        if self.whole:
            assert made == moves
        identity = self.statements[party] = H(0x13, header)
        leaves = [H(0x16, _pack([i, each])) for i, each in enumerate(moves)]
        return H(0x14, identity, H(0x1C, _pack(signatures)), _root(leaves, 0x17))

    def records(self, height: int, number: int, author: int, recorded: list[bytes], columns: list[bytes]) -> list[Any]:
        moves: list[list[Any]] = [[] for _ in recorded]
        run: list[Any] = []

        def close() -> None:
            if run:
                first, account = run[0][0], self.accounts[run[0][1]]
                at = account.in_
                for i, _, amount in run:
                    self.gifts[_unpack(recorded[i])[1]] = (account.number, at)
                    at += amount
                leaves = [(H(0x24, H(0x11, recorded[i])), amount, i, i) for i, _, amount in run]
                root = _span_root(leaves, 0x25)
                place = (height, number, first)
                moves[first].insert(0, account.inflow(1, place, root[1], gifts=[len(run), root[0]]))
                run.clear()

        for i, data in enumerate(recorded):
            record = _unpack(data)
            self.kinds.append(record[0])
            if run and (record[0] != 16 or record[2] != run[0][1]):
                close()
            match record[0]:
                case 1:
                    self.party(height, record)
                case 2:
                    self.key(height, record)
                case 7 if record[3] is not None:
                    self.key_of[H(0x30, record[3])] = (next(p for p in self.parties if p[1] == record[2])[0], record[3])
                case 5:
                    self.accounts.append(_Account(record, data, author, self.version))
                case 16:
                    run.append((i, record[2], record[3]))
                case 17:
                    self.columns(record, columns.pop(0))
                case _ if self.whole:
                    moves[i] = self.outgoing((height, number, i), record)
        close()
        return moves

    def outgoing(self, place: tuple[int, int, int], record: list[Any]) -> list[list[int]]:
        """Apply a record that takes value out of an account, or brings it back; return its movements."""

        def start(gift: str | None) -> int | None:
            return None if gift is None else self.gifts[gift][1]

        match record:
            case [20, _, source, to, amount, gift, *_]:
                paying, target = self.accounts[source], self.accounts[to]
                out = paying.outflow(16, place, amount, start=start(gift), target=target.next())
                return [out, target.inflow(2, place, amount, source=out)]
            case [21, id_, source, amount, _, _, _, gift, *_]:
                account = self.accounts[source]
                out = account.outflow(17, place, amount, start=start(gift))
                self.spent[id_] = (account, out[1], amount)
                return [out]
            case [22, _, source, amount, to, gives, funding, *_]:
                target = self.accounts[to]
                into = target.next()
                made = [self.accounts[source].outflow(18, place, amount, target=into)]
                if funding is not None:
                    made.append(self.accounts[funding].outflow(19, place, gives, target=into))
                second = made[1] if funding is not None else None
                given = target.inflow(3, place, gives, source=made[0], second=second, conversion=[amount, gives])
                return [*made, given]
            case [24, _, gift, None, amount, *_]:
                return [self.accounts[self.gifts[gift][0]].outflow(20, place, amount, start=start(gift))]
            case [30, id_, source, amount, _, _, gift, *_]:
                account = self.accounts[source]
                out = account.outflow(24, place, amount, start=start(gift))
                self.spent[id_] = (account, out[1], amount)
                return [out]
            case [31, id_, to, amount, _, _, _, _, spans, *_]:
                assert sum(length for _, length in spans) == amount
                target = self.accounts[to]
                self.gifts[id_] = (to, target.in_)
                return [target.inflow(6, place, amount)]
            case [25, _, id_, amount, *_]:
                account, index, spent = self.spent[id_]
                before = account.reversed.get(index, (0, 0, 0, 0, 0))
                amount = spent - before[2] if amount is None else amount
                previous = before[3] if before[2] else None
                back = account.inflow(4, place, amount, source=[account.number, index], previous=previous)
                account.reversed[index] = (index, index, before[2] + amount, back[1], 0)
                return [back]
        return []

    def possession(self, party: str, key: bytes, proof: bytes) -> None:
        _verify(key, proof, b"\x00charitychain/v1\x00possession\x00" + self.identity + _pack([party, key]))

    def party(self, height: int, record: list[Any]) -> None:
        _, id_, roles, key, proof, _title, _recovery = record
        self.possession(id_, key, proof)
        number = len(self.parties)
        self.key_of[H(0x30, key)] = (number, key)
        self.parties.append([number, id_, roles, [[key, height + 1 if number else 0, None, None]], None, None])

    def key(self, height: int, record: list[Any]) -> None:
        _, id_, key, proof, _replaces, _ = record
        self.possession(id_, key, proof)
        party = next(p for p in self.parties if p[1] == id_)
        self.key_of[H(0x30, key)] = (party[0], key)
        if party[0] == 0:
            self.operator.append((height + 1, key))

    def columns(self, record: list[Any], data: bytes) -> None:
        _, _, _, _, count, amount, first, last, width, root, *_ = record
        leaves = []
        for at in range(0, len(data), 64 * width):
            run = data[at : at + 64 * width]
            n = len(run) // width
            ids = struct.unpack_from(f"<{n}Q", run)
            total = sum(struct.unpack_from(f"<{n}Q", run, len(run) - 8 * n))
            leaves.append((H(0x22, run), total, ids[0], ids[-1]))
        assert len(data) == count * width and _span_root(leaves, 0x23) == (root, amount, first, last)


def _read(data: bytes, *, whole: bool) -> _Reader:
    reader = _Reader(whole)
    reader.head_version = int.from_bytes(data[8:10], "big")
    for block in _frames(data):
        reader.block(block)
    return reader


def test_a_reader_made_from_the_page_reads_the_example(example: bytes) -> None:
    """Magic, frames, headers, links, signatures, movements, all roots and seals of the example are as the page says."""
    reader = _read(example, whole=True)
    assert (reader.origin, len(reader.log)) == ("a.example", 2)
    assert [(a.id, a.in_ - a.by_rule) for a in reader.accounts] == [("fund", 3000), ("school", 2000)]


def test_the_reader_refuses_a_changed_byte(example: bytes) -> None:
    """No byte of the example can be changed, checksums repaired, without that reader seeing it."""
    start = 16 + 12 + struct.unpack_from(">I", example, 16)[0]
    for at in range(start + 12, len(example), 7):
        changed = bytearray(example)
        changed[at] ^= 1
        struct.pack_into(">I", changed, start + 8, zlib.crc32(bytes(changed[start + 12 :])))
        with pytest.raises(
            (AssertionError, InvalidSignature, ValueError, KeyError, IndexError, TypeError, struct.error,
             msgpack.UnpackException)
        ):  # fmt: skip
            _read(bytes(changed), whole=True)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_the_reader_reads_the_golden_ledgers(path: Path) -> None:
    """Ledgers that are kept for ever read as the page says, gift columns and key changes included."""
    reader = _read(path.read_bytes(), whole=False)
    assert len(reader.log) > 3 and len(set(reader.kinds)) > 6


def test_the_reader_reads_what_the_library_writes(ledger: Ledger) -> None:
    """Names, conversions, partial reversals and refunds change the accounts roots as the page says."""
    with ledger.writer() as writer:
        writer.account("fund", unit="EUR", rule="pro-rata")
        writer.account("school", unit="EUR")
        writer.commit()
        for number in range(5):
            writer.donation(f"D-{number}", account="fund" if number != 3 else "school", amount="10.00")
        writer.disbursement("B-1", source="fund", to="school", amount="7.01")
        writer.commit()
        writer.expenditure("X-1", source="school", amount="0.03", payee="P", purpose="p")
        writer.commit()
        writer.account("steps", unit="STEP")
        writer.account("track", unit="EUR")
        writer.donation("S-1", account="steps", amount="5000")
        writer.donation("D-9", account="school", amount="4.00")
        writer.donation("D-10", account="school", amount="2.00")
        writer.commit()
        writer.disbursement("B-2", source="school", to="track", amount="1.50", gift="D-10")
        writer.expenditure("X-2", source="school", amount="0.75", payee="P", purpose="p", gift="D-9")
        writer.conversion("C-1", source="steps", amount="3000", to="track", gives="2.00", funded_from="school")
        writer.expenditure("X-3", source="track", amount="3.00", payee="P", purpose="p")
        writer.reversal("U-1", reverses="X-3", amount="1.00")
        writer.reversal("U-2", reverses="X-2", amount="0.25")
        writer.commit()
        writer.reversal("U-3", reverses="X-3")
        writer.donation("D-11", account="track", amount="9.00")
        writer.commit()
        writer.refund("R-1", donation="D-11", amount="8.00")
    reader = _read(ledger.path.read_bytes(), whole=True)
    assert reader.identity == ledger.identity and len(reader.log) == 8


def test_the_reader_reads_what_crosses_ledgers(tmp_path: Path) -> None:
    """A ledger that goes on from another, what it received, sent on and took back are as the page says."""
    with Ledger.create(tmp_path / "old.ledger", origin="old.example", keys=tmp_path) as old:
        with old.writer() as writer:
            writer.account("fund", unit="EUR")
            writer.donation("D-1", account="fund", amount="9.00")
            writer.donation("D-2", account="fund", amount="6.00")
        before = predecessor_of(old)
        with Ledger.create(tmp_path / "new.ledger", origin="new.example", keys=tmp_path, predecessor=before) as new:
            carry_over(old, new)
            with new.writer() as writer:
                writer.expenditure("X-1", source="fund", amount="1.00", payee="P", purpose="p", gift="received-fund")
                writer.expenditure("X-2", source="fund", amount="4.00", payee="P", purpose="p")
                writer.sent("S-1", source="fund", amount="2.00", to_ledger="ab" * 32)
                writer.commit()
                writer.reversal("U-1", reverses="S-1")
                writer.donation("D-3", account="fund", amount="3.00")
            reader = _read(new.path.read_bytes(), whole=True)
            assert reader.predecessor == [old.identity, before.size, before.root]
            assert reader.identity == new.identity and reader.kinds[-5:] == [21, 21, 30, 25, 16]
        assert _read(old.path.read_bytes(), whole=True).kinds == [1, 5, 16, 16, 30]
