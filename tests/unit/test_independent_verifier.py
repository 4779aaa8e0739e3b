"""The verifier that was written from the reference pages alone gives the verdict of the product.

On every receipt of the golden ledgers and of random histories of all kinds, on the test vectors, on receipts of which a
bit or a part was changed, and on receipts and ledgers of an operator who sealed a lie. ``CHARITYCHAIN_HISTORIES`` and
``CHARITYCHAIN_FLIPS=all`` make the long runs.
"""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden.make import LEDGER, LEDGER_2
from golden.receipts import FIELDS, FOLDER, VERIFIER, load_verifier, parts_of, put_together, sealed, vectors
from oracle.histories import ALL_KINDS, random_history
from tamper.forge import boundaries, repair
from tamper.ledgers import tiny
from tamper.liar import open_ledger, story, tell
from tamper.test_lying_operator import CASES, Case
from unit.test_against_model import create, journal
from unit.test_receipts import gifts

from charitychain.errors import CharitychainError, UnreadableError
from charitychain.interop.journal import import_journal
from charitychain.reading import Reader
from charitychain.receipts.check import check_receipt
from charitychain.receipts.make import Maker
from charitychain.receipts.wire import body_of, encode_receipt
from charitychain.store.memory import MemoryStore
from charitychain.verify import verify

HISTORIES = int(os.environ.get("CHARITYCHAIN_HISTORIES", "33"))
ALL = os.environ.get("CHARITYCHAIN_FLIPS") == "all"
SLICES = 4
VECTORS = json.loads((FOLDER / "index.json").read_text("utf-8"))
OURS = load_verifier()
sys.path.insert(0, str(VERIFIER.parent))
import independent_ledger as ledgers  # noqa: E402


@pytest.fixture(autouse=True)
def _nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


def theirs(data: bytes) -> str | None:
    """Return why the product refuses a receipt, or nothing; any other error fails the test."""
    try:
        check_receipt(data)
    except CharitychainError as error:
        return str(error)
    return None


def independent(data: bytes) -> str | None:
    """Return why the independent verifier refuses a receipt, or nothing; any other error fails the test."""
    try:
        OURS.check_receipt(data)
    except OURS.Bad as error:
        return str(error) or "refused"
    return None


def check_same_verdict(data: bytes, what: str) -> None:
    one, other = theirs(data), independent(data)
    assert (one is None) == (other is None), f"{what}: the product says {one}, the independent verifier {other}"


def check_same_amounts(data: bytes, what: str) -> None:
    """Require that both verifiers tell the same uses, refunds and rest of a receipt."""
    trace: Any = check_receipt(data).trace
    told: dict[str, Any] = trace.to_dict()
    found = OURS.check_receipt(data)
    product: Counter[tuple[str, ...]] = Counter()
    for use in told["uses"]:
        product["used", use["id"], use["account"], use["unit"]] += _minor(use)
    for held in told["held"]:
        product["held", "", held["account"], held["unit"]] += _minor(held)
    for refund in told["refunds"]:
        product["refunded", refund["id"], "", refund["unit"]] += _minor(refund)
    mine: Counter[tuple[str, ...]] = Counter()
    for kind in ("used", "held", "refunded"):
        for end in found[kind]:
            account = "" if kind == "refunded" else end["account"]
            mine[kind, end.get("record", ""), account, end["unit"]] += end["amount"]
    assert +product == +mine, what


def _minor(part: dict[str, Any]) -> int:
    return int(part["amount"].replace(".", ""))  # amounts are told with all decimals of their unit


def receipts_of(reader: Reader) -> Iterator[tuple[str, bytes]]:
    """Yield a name and the bytes of each receipt of each gift of a ledger."""
    maker = Maker(reader)
    for gift in gifts(reader):
        for number, page in enumerate(maker.gift(gift)):
            yield f"{gift}, page {number}", encode_receipt(page)


def test_it_is_one_file_that_needs_nothing() -> None:
    """It has at most 700 lines of 120 characters, imports the standard library alone, and runs by itself."""
    lines = VERIFIER.read_text("utf-8").splitlines()
    assert len(lines) <= 700 and max(map(len, lines)) <= 120
    tree = ast.parse("\n".join(lines))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("what", "file", "code"),
    [
        ("receipt", FOLDER / "used.ccr", 0),
        ("receipt", FOLDER / "checksum.ccr", 1),
        ("receipt", FOLDER / "none.ccr", 3),
        ("ledger", LEDGER_2, 0),
        ("ledger", FOLDER / "used.ccr", 1),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else str(value),
)
def test_its_command(what: str, file: Path, code: int) -> None:
    """It says by its exit code whether the file holds, and prints JSON where it does, without any other package."""
    command = [sys.executable, "-I", "-S", VERIFIER, what, file]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == code and run.stderr == "" and run.stdout.isascii()
    assert (json.loads(run.stdout) if code == 0 else {"line": run.stdout.count("\n")}) not in ({}, {"line": 0})


def test_the_key_that_must_have_signed() -> None:
    """A receipt is refused where another key signed it than the one that is asked for."""
    key = VECTORS[0]["proves"]["signed_by"]
    for vkey, code in ((key, 0), (key[:-2] + "AA", 1)):
        command = [sys.executable, "-I", "-S", VERIFIER, "receipt", FOLDER / VECTORS[0]["file"], "--operator-key", vkey]
        assert subprocess.run(command, capture_output=True, check=False).returncode == code


@pytest.mark.parametrize("row", VECTORS, ids=[row["file"] for row in VECTORS])
def test_vector(row: dict[str, Any]) -> None:
    """Both verifiers give the verdict of each test vector, and the independent one proves what is recorded."""
    data = (FOLDER / row["file"]).read_bytes()
    assert (theirs(data) is None, independent(data) is None) == (row["holds"], row["holds"])
    if row["holds"]:
        assert json.loads(json.dumps(OURS.check_receipt(data))) == row["proves"]


def test_vectors_made_anew() -> None:
    """The script makes all these vectors again, and both verifiers give each the verdict that it says."""
    made = vectors()
    assert {f"{vector.name}.ccr" for vector in made} >= {row["file"] for row in VECTORS}
    for vector in made:
        holds = vector.reason is None
        assert (theirs(vector.data) is None, independent(vector.data) is None) == (holds, holds), vector.name


@pytest.mark.parametrize("ledger", [LEDGER, LEDGER_2], ids=["v1", "v2"])
def test_golden_ledger(ledger: Path) -> None:
    """A golden ledger holds, and both verifiers tell the same of each of its gifts."""
    data = ledger.read_bytes()
    assert ledgers.check_ledger(data)["torn"] is False
    reader = open_ledger(data)
    for what, receipt in receipts_of(reader):
        check_same_amounts(receipt, what)
    reader.index.close()


@pytest.mark.parametrize("part", range(SLICES))
def test_random_histories(tmp_path: Path, part: int) -> None:
    """Both verifiers tell the same of each gift of random histories, and the ledgers hold."""
    for number in range(part, HISTORIES, SLICES):
        kind, seed = ALL_KINDS[number % len(ALL_KINDS)], 9_000 + number
        folder = tmp_path / str(number)
        folder.mkdir()
        with create(folder, kind) as ledger:
            import_journal(ledger, journal(random_history(seed, kind, 40)))
            for what, receipt in receipts_of(ledger.reader()):
                check_same_amounts(receipt, f"{kind}, seed {seed}, {what}")
        (file,) = folder.glob("*.ledger")
        ledgers.check_ledger(file.read_bytes())


FLIPPED = [
    f"{name}.ccr" for name in ("used", "named", "batch-first-run", "again-twice", "across", "account", "converted")
]


@pytest.mark.parametrize("file", FLIPPED)
def test_flipped_bits(file: str) -> None:
    """Whatever bit of a receipt is flipped, both verifiers give the same verdict; all of them in a campaign."""
    data = (FOLDER / file).read_bytes()
    good = body_of(data)
    bits = range(8 * len(good))
    for bit in bits if ALL else random.Random(file).sample(bits, 150):
        body = bytearray(good)
        body[bit // 8] ^= 1 << bit % 8
        check_same_verdict(sealed(bytes(body)), f"{file}, bit {bit}")


def _change(value: Any, random_: random.Random) -> Any:
    """Return a value with something changed in it, or another one in its place."""
    if isinstance(value, list) and value and random_.random() < 0.9:
        at = random_.randrange(len(value))
        change = random_.choice(["inside"] * 6 + ["leave out", "twice", "swap"])
        if change == "inside":
            return [*value[:at], _change(value[at], random_), *value[at + 1 :]]
        if change == "swap":
            other = random_.randrange(len(value))
            value = list(value)
            value[at], value[other] = value[other], value[at]
            return value
        return [*value[:at], *([value[at]] * 2 if change == "twice" else []), *value[at + 1 :]]
    if isinstance(value, int):
        return random_.choice([value + 1, max(0, value - 1), 0, 2**63 - 1, None, b"", [value]])
    if isinstance(value, bytes) and value:
        return random_.choice([value[:-1], value + b"\0", bytes(len(value)), b"", None, value[1:] + value[:1]])
    return random_.choice([None, 0, 1, b"", "", [], [0, 0], value])


@pytest.mark.parametrize("file", [row["file"] for row in VECTORS if row["holds"]])
def test_changed_parts(file: str) -> None:
    """Whatever part of a receipt is changed, both verifiers give the same verdict; more of them in a campaign."""
    parts, random_ = parts_of((FOLDER / file).read_bytes()), random.Random(file)
    for number in range(3000 if ALL else 60):
        name = random_.choice(FIELDS)
        check_same_verdict(put_together({**parts, name: _change(parts[name], random_)}), f"{file}, {name}, {number}")


@pytest.mark.parametrize("case", CASES, ids=[case.why for case in CASES])
def test_what_a_lying_operator_seals(case: Case) -> None:
    """Both verifiers give the same verdict on receipts of a sealed lie; and no tapes that are laid anew fit it."""
    told = tell(story(*case.entered), (*case.refused, *case.holds), *case.lies)
    for gift, receipt in told.receipts.items():
        check_same_verdict(encode_receipt(receipt), gift)
    if case.faults in ("CC-ACCOUNTS-ROOT", "CC-MOVES"):
        with pytest.raises(OURS.Bad):
            ledgers.check_ledger(told.data)


def product_holds(data: bytes) -> bool:
    """Return whether the product finds nothing wrong in a ledger, and no end torn off."""
    try:
        report = verify(MemoryStore(data))
    except UnreadableError:
        return False
    return report.holds and not report.warnings


@pytest.mark.parametrize("part", range(SLICES))
def test_flipped_ledgers(part: int) -> None:
    """Whatever bit of a ledger is flipped and its checksums mended, both verifiers see it; each byte in a campaign."""
    data = tiny()
    ends = boundaries(data)
    for at in range(16 + part, len(data), SLICES * (1 if ALL else 9)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << random.Random(at).randrange(8)
        height = max(h for h, end in enumerate(ends[:-1]) if end <= at)
        repair(flipped, ends[height], ends[height + 1])
        if flipped != data:
            assert not product_holds(bytes(flipped)), at
            try:
                assert ledgers.check_ledger(bytes(flipped))["torn"], at
            except ledgers.Bad:
                pass


def test_checksums_of_ledgers() -> None:
    """A flipped bit whose checksum was not mended is damage, and a cut ledger is torn."""
    data = tiny()
    for at in range(16, len(data), 7):
        flipped = bytearray(data)
        flipped[at] ^= 4
        with pytest.raises(ledgers.Bad):
            ledgers.check_ledger(bytes(flipped))
    assert ledgers.check_ledger(data[:-1])["torn"] is True
