"""From ledger to ledger: what is sent, what is received, and whether the two agree."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charitychain.across import check_received, received_entry
from charitychain.chain.genesis import Genesis, Predecessor, decode_genesis
from charitychain.codec import encode
from charitychain.errors import MalformedError, NotFoundError, RefusedError
from charitychain.ledger import Ledger

Entry = dict[str, Any]


def made(folder: Path, name: str) -> Ledger:
    return Ledger.create(folder / f"{name}.ledger", origin=f"{name}.example", keys=folder / "keys")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Ledger]:
    """Give a ledger with the account edu, in which the gifts D-1 of 10.00 and D-2 of 5.00 rest."""
    with made(tmp_path, "platform") as ledger:
        with ledger.writer() as writer:
            writer.account("edu", unit="EUR")
            writer.donation("D-1", account="edu", amount="10.00")
            writer.donation("D-2", account="edu", amount="5.00")
        yield ledger


@pytest.fixture
def charity(tmp_path: Path) -> Iterator[Ledger]:
    """Give another ledger with the empty accounts books and yen."""
    with made(tmp_path, "charity") as ledger:
        with ledger.writer() as writer:
            writer.account("books", unit="EUR")
            writer.account("yen", unit="JPY")
        yield ledger


def send(platform: Ledger, charity: Ledger, amount: str = "12.00", id_: str = "S-1", **more: Any) -> None:
    with platform.writer() as writer:
        writer.sent(id_, source="edu", amount=amount, to_ledger=charity.identity.hex(), **more)


def entry_of(platform: Ledger, sent: str = "S-1", id_: str = "R-1", **changed: Any) -> Entry:
    return {**received_entry(platform.reader(), sent, account="books", id=id_), **changed}


def record(ledger: Ledger, *entries: Entry) -> None:
    for entry in entries:
        with ledger.writer() as writer:
            assert writer.add(entry)


def refused(ledger: Ledger, entry: Entry, code: str) -> None:
    with pytest.raises(RefusedError) as caught, ledger.writer() as writer:
        writer.add(entry)
    assert caught.value.code == code


def states(ledger: Ledger, *others: Ledger) -> list[tuple[str, str, str | None]]:
    readers = {other.identity: other.reader() for other in others}
    places = ledger.verify().received
    return [(match.id, match.state, match.why) for match in check_received(ledger.reader(), places, readers)]


def ends(trace: Any) -> dict[str, str]:
    return {end.state: str(end.money) for end in trace.ends}


# ------------------------------------------------------------------------------------------- one ledger alone


def test_what_is_sent_is_an_end_of_its_own(platform: Ledger, charity: Ledger) -> None:
    """A trace says to which ledger, by its name if it has one; sums and balances count it, and verify does."""
    send(platform, charity, "12.00", to_origin="charity.example")
    send(platform, charity, "1.00", "S-2", gift="D-2")
    one, two = platform.trace("D-1"), platform.trace("D-2")
    assert ends(one) == {"sent": "10.00"} and ends(two) == {"held": "2.00", "sent": "3.00"}
    assert [(part.id, str(part.money), part.name, part.chosen) for part in two.sent] == [
        ("S-1", "2.00", "charity.example", False),
        ("S-2", "1.00", f"ledger {charity.identity.hex()[:16]}…", True),
    ]
    assert two.to_dict()["sent"][0]["ledger"] == charity.identity.hex()
    assert str(platform.balance("edu")) == "2.00"
    total = platform.verify().totals["EUR"]
    assert (total.given, total.sent, total.held, total.conserved) == (1500, 1300, 200, True)


def test_what_is_received_is_a_gift_here(platform: Ledger, charity: Ledger) -> None:
    """By its id it can be traced, named, refunded and found among the sources; it is in transit to nobody."""
    send(platform, charity)
    record(charity, entry_of(platform))
    with charity.writer() as writer:
        writer.donation("D-9", account="books", amount="1.00")
        writer.expenditure("X-1", source="books", amount="4.00", payee="P", purpose="p", gift="R-1")
        writer.refund("B-1", donation="R-1", amount="0.50")
    trace = charity.trace("R-1")
    assert ends(trace) == {"held": "7.50", "reported": "4.00", "refunded": "0.50"}
    assert trace.came is not None and (trace.came.state, trace.came.origin) == ("unchecked", "platform.example")
    assert charity.sources("X-1").gifts[0][0] == "R-1"
    total = charity.verify().totals["EUR"]
    assert (total.given, total.received, total.refunded, total.conserved) == (100, 1200, 50, True)


def test_what_was_sent_comes_back_as_a_whole(platform: Ledger, charity: Ledger) -> None:
    """Not in part, and not a gift's share; then it can be sent anew, and nothing counts as sent before."""
    send(platform, charity)
    for more in ({"amount": "3.00"}, {"gift": "D-1"}):
        refused(platform, {"record": "reversal", "id": "U-1", "reverses": "S-1", **more}, "CC-REVERSAL")
    record(platform, {"record": "reversal", "id": "U-1", "reverses": "S-1"})
    refused(platform, {"record": "reversal", "id": "U-2", "reverses": "S-1"}, "CC-REVERSAL")
    trace = platform.trace("D-2")
    assert ends(trace) == {"held": "5.00"} and [str(c.money) for c in trace.corrections] == ["2.00"]
    total = platform.verify().totals["EUR"]
    assert (total.sent, total.spent, total.held) == (0, 0, 1500)


def test_units_are_received_once_unless_the_first_record_was_reversed(platform: Ledger, charity: Ledger) -> None:
    """Any unit that two records share refuses the second one, until the whole of the first is undone."""
    send(platform, charity)
    record(charity, entry_of(platform, amount="8.00", spans=[[0, 300], [400, 500]]))
    for spans, amount in (([[0, 1]], "0.01"), ([[350, 51]], "0.51"), ([[899, 10]], "0.10"), ([[0, 1200]], "12.00")):
        refused(charity, entry_of(platform, id_="R-2", amount=amount, spans=spans), "CC-RECEIVED-TWICE")
    record(charity, entry_of(platform, id_="R-2", amount="4.00", spans=[[300, 100], [900, 300]]))
    record(charity, {"record": "reversal", "id": "U-1", "reverses": "R-1", "amount": "7.99"})
    refused(charity, entry_of(platform, id_="R-3", amount="0.01", spans=[[0, 1]]), "CC-RECEIVED-TWICE")
    record(charity, {"record": "reversal", "id": "U-2", "reverses": "R-1"})
    record(charity, entry_of(platform, id_="R-3", amount="2.00", spans=[[0, 200]]))
    record(charity, entry_of(platform, id_="R-4", amount="1.00", spans=[[200, 100]]))
    refused(charity, entry_of(platform, id_="R-5", amount="2.00", spans=[[100, 200]]), "CC-RECEIVED-TWICE")
    report = charity.verify(others=[platform])
    assert report.holds and report.totals["EUR"].received == 700


def test_a_ledger_does_not_trade_with_itself(platform: Ledger, charity: Ledger) -> None:
    """It can neither send to its own identity nor receive from it; nor does an account past its levy send."""
    own = platform.identity.hex()
    sent = {"record": "sent", "id": "S-1", "from": "edu", "amount": "1.00", "to_ledger": own}
    refused(platform, sent, "CC-SELF")
    send(platform, charity)
    refused(charity, entry_of(platform, from_ledger=charity.identity.hex()), "CC-SELF")
    with platform.writer() as writer:
        writer.account("office", unit="EUR")
        writer.account_change("AC-1", account="edu", levy={"office": "8"})
    refused(platform, {**sent, "id": "S-2", "to_ledger": "ab" * 32}, "CC-LEVY")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spans", []), ("spans", [[0, 0]]), ("spans", [[5, 1], [0, 1]]), ("spans", [[0, 1], [1, 1]]), ("spans", [[0]]),
        ("spans", [[2**63 - 1, 2]]), ("spans", "0-1"), ("movement", [0]), ("movement", [0, "1"]),
        ("checkpoint", {"size": 0, "root": "00" * 32}), ("checkpoint", {"size": 1}), ("from_ledger", "ab"),
        ("checkpoint", {"size": 1, "root": "00" * 32, "more": 1}),
    ],
)  # fmt: skip
def test_a_malformed_entry_is_refused(platform: Ledger, charity: Ledger, field: str, value: object) -> None:
    """Fields of what is received have one form each."""
    send(platform, charity)
    with pytest.raises(MalformedError), charity.writer() as writer:
        writer.add(entry_of(platform, **{field: value}))


# ------------------------------------------------------------------------------------------------ two ledgers


def test_a_trace_goes_on_in_the_other_ledger(platform: Ledger, charity: Ledger) -> None:
    """Of 12.00 that were sent the last 2.00 are D-2's, and so are the last that the charity spends."""
    send(platform, charity)
    assert platform.trace("D-2", others=[charity]).sent[0].waits is not None
    record(charity, entry_of(platform))
    with charity.writer() as writer:
        writer.expenditure("X-1", source="books", amount="11.00", payee="P", purpose="p")
    (sent,) = platform.trace("D-2", others=[charity]).sent
    (there,) = sent.received
    assert (there.donation, str(there.money), ends(there)) == ("R-1", "2.00", {"held": "1.00", "reported": "1.00"})
    assert [(use.id, str(use.money)) for use in there.uses] == [("X-1", "1.00")]
    assert there.ledger["origin"] == "charity.example" and there.came is not None
    assert (there.came.state, there.came.id) == ("matched", "S-1")
    assert str(sent.waits) == "0.00" and not sent.doubted
    back = charity.trace("R-1", others=[platform]).came
    assert back is not None and (back.state, back.id) == ("matched", "S-1")


def test_a_trace_goes_to_and_fro(platform: Ledger, charity: Ledger) -> None:
    """What comes back to the first ledger is followed there too, though only the second was named."""
    send(platform, charity)
    record(charity, entry_of(platform))
    with charity.writer() as writer:
        writer.sent("S-9", source="books", amount="11.00", to_ledger=platform.identity.hex())
    record(platform, received_entry(charity.reader(), "S-9", account="edu", id="R-9"))
    (sent,) = platform.trace("D-2", others=[charity]).sent
    (again,) = sent.received[0].sent
    (home,) = again.received
    assert (home.donation, home.ledger["origin"], ends(home)) == ("R-9", "platform.example", {"held": "1.00"})


def test_what_none_sent_is_unmatched(platform: Ledger, charity: Ledger, tmp_path: Path) -> None:
    """Each thing that a record can claim wrongly is named, makes verify say so, and is not followed."""
    before = platform.reader().log_root.hex()
    send(platform, charity)
    good = entry_of(platform)
    movement = good["movement"]
    with platform.writer() as writer:
        writer.expenditure("X-0", source="edu", amount="1.00", payee="P", purpose="p")
        writer.sent("S-far", source="edu", amount="1.00", to_ledger="ab" * 32)
    later = entry_of(platform, "S-far")
    small, checkpoint = {"amount": "0.01", "spans": [[0, 1]]}, good["checkpoint"]
    wrong: list[tuple[Entry, str]] = [
        ({"checkpoint": {**checkpoint, "root": "00" * 32}, **small}, "begins with other blocks than the 3"),
        ({"checkpoint": later["checkpoint"], "movement": [7, 0], **small}, "has no such movement"),
        ({"checkpoint": later["checkpoint"], "movement": [0, 99], **small}, "has no such movement"),
        ({"checkpoint": later["checkpoint"], "movement": [0, movement[1] + 1], **small}, "sent nothing to another"),
        ({"checkpoint": later["checkpoint"], "movement": [0, 0], **small}, "sent nothing to another"),
        ({"checkpoint": later["checkpoint"], "movement": later["movement"], **small}, "was sent to another ledger"),
        ({"checkpoint": later["checkpoint"], "amount": "0.02", "spans": [[1199, 2]]}, "beyond the 12.00 of S-1"),
        ({"from_origin": "else.example", **small}, "is called platform.example"),
        ({"account": "yen", "unit": "JPY", "amount": "1", "spans": [[0, 1]]}, "is in EUR with 2 decimals"),
        ({"checkpoint": {"size": 2, "root": before}, **small}, "after the checkpoint"),
    ]
    for number, (changed, why) in enumerate(wrong):
        copy = Path(shutil.copy(charity.path, tmp_path / f"copy-{number}.ledger"))
        keys = tmp_path / f"keys-{number}"
        shutil.copytree(tmp_path / "keys", keys)
        with Ledger.open(copy, keys=keys) as liar:
            record(liar, {**good, **changed})
            ((_, state, found),) = states(liar, platform)
            assert state == "unmatched" and why in (found or ""), (why, found)
            report = liar.verify(others=[platform])
            assert [fault.code for fault in report.faults] == ["CC-UNMATCHED"] and report.exit_code == 1
            assert liar.verify().holds
            for sent in platform.trace("D-1", others=[liar]).sent:
                if sent.id == "S-1" and "movement" not in changed:
                    assert not sent.received and str(sent.waits) == "10.00", why
            came = liar.trace("R-1", others=[platform]).came
            assert came is not None and (came.state, came.why) == ("unmatched", found)


def test_what_was_taken_back_is_unmatched(platform: Ledger, charity: Ledger) -> None:
    """The sending ledger has the last word: its reversal makes the record there one that claims too much."""
    send(platform, charity)
    record(charity, entry_of(platform))
    record(platform, {"record": "reversal", "id": "U-1", "reverses": "S-1"})
    assert states(charity, platform) == [("R-1", "unmatched", "S-1 was taken back in platform.example")]
    with pytest.raises(RefusedError) as caught:
        entry_of(platform)
    assert caught.value.code == "CC-RECEIVED"
    record(charity, {"record": "reversal", "id": "U-1", "reverses": "R-1"})
    assert states(charity, platform) == [] and charity.verify(others=[platform]).holds


def test_what_cannot_be_checked_is_said(platform: Ledger, charity: Ledger, tmp_path: Path) -> None:
    """Another ledger than the one that sent it, or an older copy, is less than was asked for: exit code 8."""
    send(platform, charity)
    record(charity, entry_of(platform))
    with made(tmp_path, "third") as third:
        report = charity.verify(others=[third])
        assert report.holds and report.exit_code == 8 and "not at hand" in report.warnings[0]
    old = platform.at(height=1)
    try:
        report = charity.verify(others=[old])
        assert report.exit_code == 8 and "has 2 blocks, and it names 3" in report.warnings[0]
        assert platform.trace("D-1", others=[charity]).sent[0].received
    finally:
        old.close()
    assert any("--with" in notice for notice in charity.verify().notices)
    assert not any("--with" in notice for notice in platform.verify().notices)


def test_a_restriction_that_is_not_kept_is_noticed(platform: Ledger, charity: Ledger) -> None:
    """Money out of an account for books alone came into one for anything: it fits, and verify says so."""
    with platform.writer() as writer:
        writer.account_change("AC-1", account="edu", restriction={"purposes": ["books"]})
    send(platform, charity)
    record(charity, entry_of(platform))
    assert any("restriction" in notice for notice in charity.verify(others=[platform]).notices)
    with charity.writer() as writer:
        writer.account_change("AC-1", account="books", restriction={"purposes": ["books"], "from": "2026-01-01"})
    assert not any("restriction" in notice for notice in charity.verify(others=[platform]).notices)


def test_only_what_was_sent_can_be_received(platform: Ledger) -> None:
    """An id that is no record of what was sent is told as unknown."""
    for wrong in ("D-1", "edu", "nothing"):
        with pytest.raises(NotFoundError):
            received_entry(platform.reader(), wrong, account="books", id="R-1")


# ------------------------------------------------------------------------------------------------- the genesis


def test_a_genesis_record_may_name_a_predecessor(platform: Ledger) -> None:
    """In format 2, and in one form alone; without one it has the bytes that it had."""
    key, nonce = platform.genesis.key, bytes(32)
    before = Predecessor(b"\1" * 32, 5, b"\2" * 32)
    genesis = Genesis("a.example", nonce, key, 2, before)
    assert decode_genesis(genesis.encode()) == genesis
    plain = Genesis("a.example", nonce, key)
    assert plain.encode() == encode([0, 2, "a.example", nonce, key]) and plain.identity() != genesis.identity()
    for version, *last in (
        (1, [b"\1" * 32, 5, b"\2" * 32]), (2, None), (2, []), (2, [b"\1" * 32, 0, b"\2" * 32]), (2, [b"", 5, b""]),
        (2, [b"\1" * 32, 5]), (2, [b"\1" * 32, 5, b"\2" * 32], None), (2, b"\1" * 32, 5, b"\2" * 32),
    ):  # fmt: skip
        with pytest.raises(MalformedError):
            decode_genesis(encode([0, version, "a.example", nonce, key, *last]))
