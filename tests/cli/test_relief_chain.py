"""Three organisations and an auditor, each with its own keys and copy of the ledger, and the command line alone.

A platform takes gifts in and runs the ledger; a charity buys masks of them; a hospital receives and uses the masks; an
auditor attests and approves. What they sign travels as files. Then everybody tries to speak for somebody else.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Cli

from charitychain import merkle
from charitychain.chain.statements import RECORDS, SignedStatement, record_hash
from charitychain.drafts import Draft

Line = dict[str, Any]
NAMES = ("platform", "charity", "hospital", "auditor")


class Org(Cli):
    """An organisation: a folder of keys, and its own copy of the ledger."""

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            folder.mkdir(parents=True)
            super().__init__(folder)
            return
        copy = folder.with_name(folder.name + ".copy")
        folder.rename(copy)
        folder.mkdir()
        super().__init__(folder)
        shutil.rmtree(folder)
        copy.rename(folder)

    def write(self, name: str, *lines: Line) -> None:
        """Draft entries into a file of this folder."""
        self.ok("draft", "-", "-o", name, input="\n".join(map(json.dumps, lines)))


class Relief:
    """The four of them, and the roads between their folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.platform, self.charity, self.hospital, self.auditor = (Org(folder / name) for name in NAMES)
        self.all = (self.platform, self.charity, self.hospital, self.auditor)

    def share(self) -> None:
        """Hand the newest copy of the ledger to everybody."""
        for org in self.all[1:]:
            shutil.copy(self.platform.ledger, org.ledger)

    def send(self, name: str, source: Org, target: Org) -> Path:
        return Path(shutil.copy(source.work / name, target.work / name))

    def settle(self, name: str, author: Org, *others: Org) -> str:
        """Let a draft be signed by its author and by others in turn, be recorded by the platform, and be shared."""
        author.ok("cosign", name, "--yes")
        at = author
        for other in others:
            self.send(name, at, other)
            other.ok("cosign", name, "--yes")
            at = other
        self.send(name, at, self.platform)
        said = self.platform.ok("submit", name)
        self.share()
        return said

    def state(self) -> tuple[bytes, str]:
        """Return the platform's ledger file and what its accounts hold: nothing of it may change by a refusal."""
        return self.platform.ledger.read_bytes(), self.platform.ok("account", "list")


ACCOUNTS: list[Line] = [
    {"record": "account", "id": "fund", "unit": "CNY", "owner": "charity"},
    {"record": "account", "id": "goods", "unit": "MASK", "owner": "charity"},
    {"record": "account", "id": "reserve", "unit": "CNY", "owner": "charity",
     "approvals": {"of": ["auditor"], "needed": 1}},
]  # fmt: skip
PLAN = {
    "record": "plan", "id": "PLAN-1", "account": "fund",
    "lines": [{"line": "masks", "kind": "goods", "what": "surgical masks", "quantity": 400, "price": "0.25"}],
}  # fmt: skip
ARRIVED = {"record": "acknowledgement", "id": "A-1", "acknowledges": "D-2", "upto": True, "author": "charity"}


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Relief:
    """Give a chain in which gifts of 120.00 CNY became 400 masks, and 300 of them were sent to the hospital."""
    relief = Relief(tmp_path_factory.mktemp("relief"))
    platform, charity, hospital = relief.platform, relief.charity, relief.hospital
    platform.init()
    relief.share()
    for org, role in ((charity, "charity"), (hospital, "charity"), (relief.auditor, "auditor")):
        name = org.folder.name
        request = org.ok("key", "request", name, "--no-passphrase")
        platform.ok("party", "add", "--request", "-", "--role", role, input=request)
    relief.share()
    charity.write("open.draft", *ACCOUNTS)
    relief.settle("open.draft", charity)
    hospital.ok("account", "open", "ward", "--unit", "MASK", "--owner", "hospital", "--draft", "ward.draft")
    relief.settle("ward.draft", hospital)
    platform.ok("donate", "fund", "100.00", "--id", "D-1", "--author", "self")
    platform.ok("donate", "fund", "20.00", "--id", "D-2", "--author", "self")
    platform.ok("donate", "reserve", "50.00", "--id", "D-3", "--author", "self")
    relief.share()
    assert "100.00 is in transit to fund" in relief.auditor.ok("trace", "D-1")
    charity.write("plan.draft", ARRIVED, PLAN)
    relief.settle("plan.draft", charity)
    assert "100.00 waits in fund" in relief.auditor.ok("trace", "D-1")
    bought = {"record": "conversion", "id": "C-1", "from": "fund", "amount": "100", "to": "goods", "gives": "400",
              "payee": "Mask Works", "line": "PLAN-1/masks"}  # fmt: skip
    sent = {"record": "disbursement", "id": "B-1", "from": "goods", "to": "ward", "amount": "300"}
    charity.write("buy.draft", bought, sent)
    relief.settle("buy.draft", charity)
    return relief


@pytest.fixture
def relief(settled: Relief, tmp_path: Path) -> Relief:
    """Give a copy of that chain for one test."""
    for name in NAMES:
        shutil.copytree(settled.folder / name, tmp_path / name)
    return Relief(tmp_path)


def confirmation(amount: str | None = None, **more: Any) -> Line:
    found = {"record": "acknowledgement", "id": "A-2", "acknowledges": "B-1", "author": "hospital", **more}
    return found if amount is None else found | {"amount": amount}


# ------------------------------------------------------------------------------------------ the honest chain


def test_a_gift_ends_at_the_hospitals_word(relief: Relief) -> None:
    """The hospital says first that a part arrived and then the rest; every copy verifies; the trace ends there."""
    hospital = relief.hospital
    hospital.write("a2.draft", confirmation("200"))
    relief.settle("a2.draft", hospital)
    step = relief.auditor.json("trace", "D-1")["steps"][-1]
    assert (step["id"], step["state"]) == ("B-1", "partly acknowledged")
    hospital.write("a3.draft", confirmation("100", id="A-3"))
    relief.settle("a3.draft", hospital)
    used = ("--payee", "ward 3", "--purpose", "surgery", "--id", "X-1", "--draft", "x1.draft")
    hospital.ok("spend", "ward", "250", *used)
    relief.settle("x1.draft", hospital)
    told = relief.auditor.json("trace", "D-1")
    assert [use["id"] for use in told["uses"]] == ["X-1"]
    step = told["steps"][-1]
    assert (step["id"], step["state"]) == ("B-1", "acknowledged")
    assert [(word["by"], word["how"], word["amount"]) for word in step["acknowledged"]] == [
        ("hospital", "recipient", "200"),
        ("hospital", "recipient", "100"),
    ]
    for org in relief.all:
        assert "holds" in org.ok("verify")


def test_a_hospital_that_received_nothing_says_so(relief: Relief) -> None:
    """Its word marks the payment as disputed, whatever the payer recorded."""
    relief.hospital.write("no.draft", confirmation(status="disputed", note="nothing arrived"))
    relief.settle("no.draft", relief.hospital)
    step = relief.charity.json("trace", "D-1")["steps"][-1]
    assert (step["id"], step["state"], step["why"]) == ("B-1", "disputed", "disputed by hospital")


def test_the_auditor_approves_and_attests(relief: Relief) -> None:
    """What leaves the reserve needs the auditor's signature beside the charity's; attesting, its own alone."""
    charity, auditor, platform = relief.charity, relief.auditor, relief.platform
    paid = ("--payee", "Carrier", "--purpose", "transport", "--id", "X-2", "--draft", "x2.draft")
    said = charity.ok("spend", "reserve", "30.00", *paid)
    assert "not signed yet by charity and auditor" in said
    charity.ok("cosign", "x2.draft", "--yes")
    relief.send("x2.draft", charity, platform)
    assert "not signed yet by auditor;" in platform.fails(7, "submit", "x2.draft")
    relief.send("x2.draft", charity, auditor)
    shown = auditor.ok("cosign", "x2.draft", "--show")
    assert "expenditure X-2" in shown and "30.00" in shown and "Carrier" in shown
    auditor.ok("cosign", "x2.draft", "--yes")
    relief.send("x2.draft", auditor, platform)
    assert platform.ok("submit", "x2.draft") == "expenditure X-2 recorded in block 11\n"
    relief.share()
    attest = {"record": "attestation", "id": "T-1", "accounts": ["fund", "reserve"], "amount": "40.00",
              "at": "2026-06-30", "author": "auditor"}  # fmt: skip
    auditor.write("t1.draft", attest)
    relief.settle("t1.draft", auditor)
    assert platform.json("show", "T-1")["author"] == "auditor"
    assert "holds" in auditor.ok("verify")


def test_a_stand_in_is_shown_as_one(relief: Relief) -> None:
    """The operator may say that it heard of an arrival, never as the hospital; the trace says whose word it is."""
    word = confirmation(author="self", on_behalf_of="Hospital of the town")
    relief.platform.ok("import", "-", input=json.dumps(word))
    step = relief.platform.json("trace", "D-1")["steps"][-1]
    (heard,) = step["acknowledged"]
    assert (heard["by"], heard["how"], heard["on_behalf_of"]) == ("self", "stand-in", "Hospital of the town")


# ---------------------------------------------------------------------------------- speaking for others

SPEND = {"record": "expenditure", "id": "X-9", "from": "fund", "amount": "5", "payee": "P", "purpose": "q"}
USE = {"record": "expenditure", "id": "X-9", "from": "ward", "amount": "5", "payee": "P", "purpose": "q"}
ATTEST = {"record": "attestation", "id": "T-9", "accounts": ["fund"], "amount": "9", "at": "2026-06-30"}
TAKE = {"record": "account-change", "id": "AC-9", "account": "fund", "owner": "self"}
TAKEN = {"record": "reversal", "id": "U-9", "reverses": "B-1"}


@pytest.mark.parametrize(
    ("who", "line", "code"),
    [
        ("platform", SPEND, 6),
        ("platform", SPEND | {"author": "self"}, 6),
        ("platform", USE, 6),
        ("platform", confirmation(), 6),
        ("platform", ARRIVED | {"id": "A-9"}, 6),
        ("platform", ARRIVED | {"id": "A-9", "author": "self"}, 7),
        ("platform", ATTEST | {"author": "auditor"}, 6),
        ("platform", ATTEST | {"author": "self"}, 7),
        ("platform", TAKE, 6),
        ("platform", TAKE | {"author": "self"}, 6),
        ("platform", TAKEN, 6),
        ("platform", {"record": "period", "id": "PC-9", "until": "2026-06-30", "accounts": ["fund"]}, 6),
        ("platform", PLAN | {"id": "PLAN-9"}, 6),
        ("charity", SPEND, 6),  # its own key is there, but only the operator seals
        ("charity", confirmation(author="charity"), 7),
        ("charity", confirmation(), 6),
        ("charity", USE, 6),
        ("charity", USE | {"author": "charity"}, 6),
        ("charity", TAKEN | {"author": "charity"}, 6),
        ("charity", ATTEST | {"author": "charity"}, 7),
        ("charity", {"record": "suspension", "id": "SU-9", "party": "hospital", "suspended": True}, 6),
        ("charity", {"record": "suspension", "id": "SU-9", "party": "hospital", "suspended": True,
                     "author": "charity"}, 6),
        ("hospital", SPEND, 6),
        ("hospital", SPEND | {"author": "hospital"}, 6),
        ("hospital", SPEND | {"from": "goods", "author": "hospital"}, 6),
        ("auditor", SPEND | {"from": "reserve", "author": "auditor"}, 6),
        ("auditor", confirmation(), 6),
    ],
)  # fmt: skip
def test_nobody_records_for_another(settled: Relief, who: str, line: Line, code: int) -> None:
    """In whoever's name it is written, the owner's signature is missing, or a rule says no."""
    org: Org = getattr(settled, who)
    before = org.ledger.read_bytes()
    org.fails(code, "import", "-", input=json.dumps(line))
    assert org.ledger.read_bytes() == before


@pytest.mark.parametrize(
    ("who", "party", "line"),
    [
        ("platform", "charity", SPEND),
        ("platform", "hospital", confirmation()),
        ("charity", "hospital", USE),
        ("charity", "auditor", ATTEST | {"author": "auditor"}),
        ("hospital", "charity", SPEND),
    ],
)
def test_a_draft_in_anothers_name_can_be_written_and_not_signed(
    settled: Relief, tmp_path: Path, who: str, party: str, line: Line
) -> None:
    """Anybody may propose what another should sign; with other keys at hand nobody can."""
    org: Org = getattr(settled, who)
    name = tmp_path / "x.draft"
    org.write(str(name), line)
    before = name.read_bytes()
    assert f"wants the signature of {party}" in org.fails(6, "cosign", name, "--yes")
    org.fails(6, "cosign", name, "--yes", "--as", party)
    org.fails(7, "cosign", name, "--yes", "--as", "self" if party != "self" else "charity")
    assert name.read_bytes() == before
    assert f"not signed yet by {party};" in settled.platform.fails(7, "submit", name)


def test_the_operator_changes_nobodys_key(settled: Relief) -> None:
    """Neither with the charity's name on it nor with its own; a request admits no party a second time."""
    platform = settled.platform
    before = settled.state()
    request = json.loads(platform.ok("key", "request", "charity", "--no-passphrase"))
    key = {"record": "key", "party": "charity", "key": request["key"], "proof": request["proof"]}
    platform.fails(6, "key", "rotate", "charity")
    platform.fails(6, "import", "-", input=json.dumps(key))
    platform.fails(7, "import", "-", input=json.dumps(key | {"author": "self"}))
    platform.fails(7, "party", "add", "--request", "-", "--role", "charity", input=json.dumps(request))
    control = {"record": "control", "id": "K-9", "party": "charity", "threshold": 1}
    platform.fails(6, "import", "-", input=json.dumps(control))
    platform.fails(7, "import", "-", input=json.dumps(control | {"author": "self"}))
    assert settled.state() == before


def test_a_suspended_party_is_silent_and_nobody_speaks_for_it(relief: Relief) -> None:
    """The operator can silence the charity, which shows; it cannot speak in its place, nor can its old drafts."""
    platform, charity = relief.platform, relief.charity
    charity.write("x9.draft", SPEND)
    charity.ok("cosign", "x9.draft", "--yes")
    draft = relief.send("x9.draft", charity, platform)
    platform.ok(
        "import", "-", input='{"record":"suspension","id":"SU-1","party":"charity","suspended":true,"reason":"r"}'
    )
    before = relief.state()
    assert "CC-SUSPENDED" in platform.fails(7, "submit", draft)
    platform.fails(6, "import", "-", input=json.dumps(SPEND))
    platform.fails(6, "import", "-", input=json.dumps(SPEND | {"author": "self"}))
    platform.fails(6, "key", "rotate", "charity")
    assert relief.state() == before


# ------------------------------------------------------------------------------------- tampering with drafts


@pytest.fixture(scope="module")
def signed(settled: Relief) -> Iterator[Path]:
    """Give a spending of 30.00 CNY out of the reserve that charity and auditor have signed, in the platform's hands."""
    charity, auditor = settled.charity, settled.auditor
    charity.write("reserve.draft", SPEND | {"from": "reserve", "amount": "30"})
    charity.ok("cosign", "reserve.draft", "--yes")
    settled.send("reserve.draft", charity, auditor)
    auditor.ok("cosign", "reserve.draft", "--yes")
    yield settled.send("reserve.draft", auditor, settled.platform)


def changed(path: Path, change: Callable[[SignedStatement], SignedStatement]) -> Path:
    draft = Draft.parse(path.read_bytes())
    target = path.with_name("changed.draft")
    target.write_bytes(replace(draft, statement=change(draft.statement)).encode())
    return target


def header(statement: SignedStatement, **fields: Any) -> SignedStatement:
    told = replace(statement.header, **fields)
    return replace(statement, header=told, header_bytes=told.encode())


def with_records(statement: SignedStatement, *pairs: tuple[bytes, bytes]) -> SignedStatement:
    (data,) = statement.record_bytes
    for old, new in pairs:
        assert data.count(old) == 1
        data = data.replace(old, new)
    return header(replace(statement, record_bytes=(data,)), root=merkle.root(RECORDS, [record_hash(data)]))


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda s: with_records(s, (b"\xa1P", b"\xa1Q")), 1, "CC-SIGNATURE"),  # another payee
        (lambda s: with_records(s, (b"\xcd\x0b\xb8", b"\xcd\x0b\xb9")), 1, "CC-SIGNATURE"),  # 30.00 becomes 30.01
        (lambda s: header(s, signers=()), 1, "CC-SIGNERS"),  # the approver taken out, its signature left
        (lambda s: header(replace(s, signatures=s.signatures[:1]), signers=()), 1, "CC-SIGNATURE"),
        (lambda s: replace(s, signatures=s.signatures[:1]), 7, "not signed yet by auditor;"),
        (lambda s: replace(s, signatures=s.signatures[1:]), 7, "not signed yet by charity;"),
        (lambda s: replace(s, signatures=()), 7, "not signed yet by charity and auditor;"),
        (lambda s: header(s, expiry=s.header.expiry + 1), 1, "CC-SIGNATURE"),
        (lambda s: header(s, sequence=s.header.sequence + 1), 7, "CC-DRAFT"),
        (lambda s: header(s, seen_hash=bytes(32)), 1, "CC-SEEN"),
    ],
)
def test_a_changed_draft_is_never_recorded(
    settled: Relief, signed: Path, change: Callable[[SignedStatement], SignedStatement], code: int, word: str
) -> None:
    """Whatever the operator changes in a draft that others signed, it can no longer be recorded."""
    before = settled.platform.ledger.read_bytes()
    assert word in settled.platform.fails(code, "submit", changed(signed, change))
    assert settled.platform.ledger.read_bytes() == before


def test_records_that_do_not_fit_their_header_are_told(settled: Relief, signed: Path) -> None:
    """The plainest edit, of the amount alone, is found without any ledger."""
    draft = Draft.parse(signed.read_bytes())
    block = b"".join(signed.read_bytes().split(b"DRAFT-----\n")[1].split(b"\n")[:-1])
    data = base64.b64decode(block).replace(b"\xcd\x0b\xb8", b"\xcd\x0b\xb9")
    text = base64.b64encode(data)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    told = signed.read_bytes().split(b"-----BEGIN")[0] + b"\n".join(
        [b"-----BEGIN CHARITYCHAIN DRAFT-----", *lines, b"-----END CHARITYCHAIN DRAFT-----", b""]
    )
    path = signed.with_name("edited.draft")
    path.write_bytes(told)
    assert draft.statement.record_bytes[0].count(b"\xcd\x0b\xb8") == 1
    assert "CC-RECORDS-ROOT" in settled.platform.fails(1, "submit", path)


def test_flipped_bytes_are_never_recorded(settled: Relief, signed: Path) -> None:
    """Bytes all over the block, one at a time; what the head says is no matter."""
    data, platform = signed.read_bytes(), settled.platform
    before = platform.ledger.read_bytes()
    start, end = data.index(b"-----BEGIN"), data.index(b"DRAFT-----\n", data.index(b"-----END")) + 9
    path = signed.with_name("flipped.draft")
    for at in range(start, end, (end - start) // 7):
        path.write_bytes(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
        done = platform.run("submit", path)
        assert done.returncode in (1, 7), (at, done.stdout, done.stderr)
    assert platform.ledger.read_bytes() == before


def test_a_signature_fits_one_draft_alone(settled: Relief, signed: Path) -> None:
    """The auditor's signature of one spending, put on another of the same charity, is found by all."""
    other = settled.charity.work / "other.draft"
    settled.charity.write(str(other), SPEND | {"from": "reserve", "amount": "50", "id": "X-10"})
    settled.charity.ok("cosign", other, "--yes")
    stolen = Draft.parse(signed.read_bytes()).statement.signatures[1]
    reused = changed(other, lambda s: replace(s, signatures=(s.signatures[0], stolen)))
    for org, command in ((settled.platform, "submit"), (settled.charity, "cosign"), (settled.auditor, "cosign")):
        assert "signature of 'auditor' does not fit" in org.fails(1, command, reused)


def test_without_its_approver_the_charity_gets_nothing_out(settled: Relief) -> None:
    """Charity and operator together cannot leave the auditor out: the rule asks for it, whoever drafts."""
    line = SPEND | {"from": "reserve", "approved_by": []}
    assert "CC-APPROVALS" in settled.charity.fails(7, "draft", "-", input=json.dumps(line))
    settled.platform.fails(6, "import", "-", input=json.dumps(line))
    line = {"record": "account-change", "id": "AC-9", "account": "reserve", "approvals": {}, "approved_by": []}
    assert "CC-APPROVALS" in settled.charity.fails(7, "draft", "-", input=json.dumps(line))


def test_a_recorded_draft_is_recorded_once(relief: Relief) -> None:
    """Submitting again, also after the author's next statement and beside a new draft, changes nothing."""
    platform, charity = relief.platform, relief.charity
    charity.write("x9.draft", SPEND)
    relief.settle("x9.draft", charity)
    before = relief.state()
    assert platform.ok("submit", "x9.draft") == "expenditure X-9 was there already\n"
    assert "is recorded already" in charity.fails(7, "cosign", "x9.draft", "--yes")
    assert relief.state() == before
    charity.write("x10.draft", SPEND | {"id": "X-10"})
    relief.settle("x10.draft", charity)
    before = relief.state()
    assert platform.ok("submit", "x9.draft", "x10.draft").count("was there already") == 2
    assert relief.state() == before
    assert "holds" in platform.ok("verify")


def test_an_overtaken_draft_must_be_made_anew(relief: Relief) -> None:
    """Of two drafts of one author the first to be recorded wins; the other says what to do."""
    platform, charity = relief.platform, relief.charity
    for name, id_ in (("one.draft", "X-9"), ("two.draft", "X-10")):
        charity.write(name, SPEND | {"id": id_})
        charity.ok("cosign", name, "--yes")
        relief.send(name, charity, platform)
    before = relief.state()
    assert "draft it anew" in platform.fails(7, "submit", "one.draft", "two.draft")
    assert relief.state() == before  # all or nothing
    platform.ok("submit", "one.draft")
    assert "draft it anew" in platform.fails(7, "submit", "two.draft")


def test_a_draft_is_good_for_one_ledger(relief: Relief, signed: Path) -> None:
    """A ledger of the same name, made again, is another one; so is one where the same keys act."""
    platform = relief.platform
    draft = shutil.copy(signed, platform.work / "x.draft")
    other = platform.work / "other.ledger"
    platform.ok("init", other, "--origin", "village.example/2026", "--no-passphrase")
    assert "is for the ledger village.example/2026" in platform.fails(7, "submit", draft, "--ledger", other)
    relief.auditor.fails(7, "cosign", signed, "--yes", "--ledger", other)


def test_only_the_operator_records_drafts(settled: Relief, signed: Path) -> None:
    """Whoever else submits a draft that all have signed lacks the key that seals."""
    for org in (settled.charity, settled.hospital, settled.auditor):
        before = org.ledger.read_bytes()
        assert "CC-KEY-MISSING" in org.fails(6, "submit", signed)
        assert org.ledger.read_bytes() == before
