"""Gift columns altered by whoever holds the file: no trace takes a gift, an amount or a donor out of them.

No seal covers the columns themselves, only the root that their `gifts` record has. So each byte of a small series is
changed here, with checksums that no longer fit and with such as do, and with the index made before; a trace by a claim
and every trace by id is then right, or an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden.builder import Builder

from charitychain.claims import Claim, format_claim, label_secret, pseudonym
from charitychain.cli import main
from charitychain.errors import VerificationError
from charitychain.ledger import Ledger
from tamper.forge import boundaries, repair

Ask = Callable[..., tuple[int, list[dict[str, Any]]]]

KEY, OTHER = b"k" * 32, "22" * 16
WIDTH, COUNT = 48, 5
GIFTS = {"S/3": "1.00", "S/9": "2.50", "S/12": "4.00"}
"""The claimant's gifts: as donor, as second party, and in the second batch."""


class Series:
    """A ledger with a series of two batches, and where their columns stand in its bytes."""

    def __init__(self, folder: Path) -> None:
        b = Builder("series.example")
        try:
            secret = label_secret(KEY, b.identity, "S")
            self.claim = format_claim(Claim("series.example", b.identity, (("S", secret),)))
            mine = pseudonym(b.identity, "S", secret).hex()
            b.writer.account("edu", unit="CNY")
            b.commit()
            b.writer.gifts("S", account="edu", ids=[3, 5, 9], amounts=["1", "2", "2.50"],
                           donors=[mine, OTHER, OTHER], seconds=["", OTHER, mine])  # fmt: skip
            b.commit()
            b.writer.gifts("S", account="edu", ids=[12, 20], amounts=["4", "8"], donors=[mine, OTHER],
                           seconds=["", OTHER])  # fmt: skip
            b.writer.expenditure("X-1", source="edu", amount="4", payee="Toko Buku", purpose="books")
            b.commit()
            self.data = b.data
        finally:
            b.close()
        self.path = folder / "s.ledger"
        self.path.write_bytes(self.data)
        (folder / "claim.json").write_text(self.claim)
        with Ledger.open(self.path) as ledger:
            ledger.reader()
        first, second = (self._columns(number, count) for number, count in ((3, 3), (12, 2)))
        self.places = [*first, *second]
        assert len(self.places) == WIDTH * COUNT

    def _columns(self, first: int, count: int) -> range:
        """Return where columns stand that begin with the gift number `first`; their ids come first."""
        found = [
            at
            for at in range(len(self.data) - 8)
            if self.data[at : at + 8] == first.to_bytes(8, "little") and OTHER in self.data[at : at + 96].hex()
        ]
        assert len(found) == 1
        return range(found[0], found[0] + WIDTH * count)

    def flip(self, at: int, bits: int, *, repaired: bool) -> None:
        """Change one byte of the file; with its checksum, where it is `repaired`."""
        data, ends = bytearray(self.data), boundaries(self.data)
        data[at] ^= bits
        if repaired:
            block = max(number for number, end in enumerate(ends) if end <= at)
            repair(data, ends[block], ends[block + 1])
        self.path.write_bytes(data)


@pytest.fixture
def series(tmp_path: Path) -> Series:
    """Give the ledger with its index, and the claim beside it."""
    return Series(tmp_path)


@pytest.fixture
def ask(series: Series, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Give a function that runs ``trace`` and returns its exit code and what it answered."""
    monkeypatch.setenv("XDG_STATE_HOME", str(series.path.parent / "state"))
    monkeypatch.chdir(series.path.parent)

    def run(*args: str) -> tuple[int, list[dict[str, Any]]]:
        with pytest.raises(SystemExit) as caught:
            main(["trace", *args, "--format", "jsonl"])
        assert isinstance(caught.value.code, int)
        return caught.value.code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


@pytest.mark.parametrize("bits", [0x01, 0x80])
@pytest.mark.parametrize("repaired", [False, True], ids=["as it is", "checksum repaired"])
def test_every_byte_of_the_columns(series: Series, ask: Ask, repaired: bool, bits: int) -> None:
    """With any byte of the columns changed, `trace --mine` answers nothing and ends with 1."""
    code, whole = ask("--mine", "claim.json")
    assert (code, {gift["donation"]: gift["amount"] for gift in whole}) == (0, GIFTS)
    for at in series.places:
        series.flip(at, bits, repaired=repaired)
        assert ask("--mine", "claim.json") == (1, []), f"byte {at} of the file"
    series.path.write_bytes(series.data)
    assert ask("--mine", "claim.json") == (0, whole), "the index is as it was"


@pytest.mark.parametrize("bits", [0x01, 0x80])
def test_traces_by_id_and_sources_of_altered_columns(series: Series, bits: int) -> None:
    """Checksums that fit help nobody: what rests on the altered batch is an error, all else is answered as before."""
    questions: dict[str, Callable[[Ledger], Any]] = {
        **{gift: lambda ledger, gift=gift: ledger.trace(gift).to_dict() for gift in ("S/3", "S/5", "S/9", "S/20")},
        "X-1": lambda ledger: ledger.sources("X-1").to_dict(),
    }
    with Ledger.open(series.path) as ledger:
        truth = {name: question(ledger) for name, question in questions.items()}
    first = set(series.places[: 3 * WIDTH])
    for at in series.places[:: 3 if bits == 1 else 5]:
        series.flip(at, bits, repaired=True)
        with Ledger.open(series.path) as ledger:
            for name, question in questions.items():
                if (name == "S/20") == (at in first):
                    assert question(ledger) == truth[name]
                else:
                    with pytest.raises(VerificationError) as caught:
                        question(ledger)
                    assert caught.value.exit_code == 1


@pytest.mark.parametrize("change", [lambda c: c[:-WIDTH], lambda c: c + bytes(WIDTH), lambda c: b"", lambda c: c[:-1]])
def test_columns_of_another_length(series: Series, change: Callable[[bytes], bytes]) -> None:
    """Columns with a gift less, one more, none or half a one are not those that were sealed."""
    from charitychain import columns

    data = series.data[series.places[0] : series.places[0] + 3 * WIDTH]
    root = columns.check_columns(data, WIDTH).hash
    columns.check_sealed(data, WIDTH, root)
    with pytest.raises(VerificationError) as caught:
        columns.check_sealed(change(data), WIDTH, root)
    assert caught.value.code == "CC-GIFTS-ROOT"


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_whole_runs_and_parts_of_runs_are_checked(count: int) -> None:
    """Columns of any number of gifts fit their own root, and with any of their words changed they do not."""
    from charitychain import columns

    data, root = columns.pack_columns(range(count), range(1, count + 1), bytes(range(16)) * count)
    columns.check_sealed(data, 32, root.hash)
    for at in range(0, len(data), 37):
        changed = data[:at] + bytes((data[at] ^ 0x40,)) + data[at + 1 :]
        with pytest.raises(VerificationError):
            columns.check_sealed(changed, 32, root.hash)
