"""Opening: a ledger whose bytes follow from the seed, its parties and its accounts.

THE KEYS OF THIS LEDGER ARE WORTH NOTHING. They are hashes of the seed, which stands in the report of each run, so
anybody can sign as any of its parties. That is what makes the ledger come out the same on every machine, byte for byte,
and what lets a report of it be published beside this file. A ledger of real gifts takes keys and a nonce by chance,
which is what `charitychain.Ledger.create` does unless it is told otherwise.

Rules upheld here:

- Keys and nonce are SHA-256 of a sentence that says that they are synthetic, the seed, and whose they are.
- The ledger's clock stands at the first days of 2021: no byte and no figure depends on the day of the run.
- Everybody signs with a key of their own: charities spend, and the school, the hospital, the village and the auditor,
  who had no part in the spending, confirm. All keys lie in one folder, because all of it is made up.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from book import SYNTHETIC, Book, charity, programme_and_region
from events import PROGRAMMES, REGIONS, WORK, fund

from charitychain import Ledger
from charitychain.keyring import KeyEntry, Keyring
from charitychain.keys import PrivateKey
from charitychain.writer import Writer

ORIGIN = "synthetic-data.example/year-2020"
CLOSING = 1_609_718_400  # 2021-01-04 00:00 UTC
KEYS_ARE_PUBLIC = "All keys are derived from the seed, which is no secret: they are worth nothing, and no signature is."
OTHERS = (
    ("sponsor", "sponsor"), ("school", "charity"), ("hospital", "charity"), ("village", "charity"),
    ("relief-centre", "charity"), ("carrier", "charity"), ("foresters", "charity"), ("auditor", "auditor"),
)  # fmt: skip
"""Parties beside the organisations, and the role of each."""


class WorthlessKeys(Keyring):
    """Key files whose keys anybody can make again from a seed; see the top of this module."""

    def __init__(self, directory: Path, seed: int) -> None:
        super().__init__(directory)
        self._seed = seed

    def create(
        self, origin: str, party: str, *, passphrase: bytes | None, seed: bytes | None = None, label: str = ""
    ) -> tuple[KeyEntry, PrivateKey]:
        """Make the key of a party, the same one for the same seed."""
        made = _derived("key", self._seed, party)
        return super().create(origin, party, passphrase=passphrase, seed=made, label=label)


def create(folder: Path, gifts: int, seed: int) -> Ledger:
    """Make the ledger ``year.ledger`` and the folder ``keys`` in a folder.

    Its identity hangs on the size, and on the files of this example as they are: two years that say something else
    are two ledgers, and nobody who verifies both takes one for a forgery of the other.
    """
    files = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
    return Ledger.create(
        folder / "year.ledger", origin=f"{ORIGIN}/{gifts}", keys=WorthlessKeys(folder / "keys", seed),
        name=f"Platform ({SYNTHETIC})", nonce=_derived("nonce", seed, f"{gifts} gifts, {files.hexdigest()}"),
        clock=lambda: float(CLOSING),
    )  # fmt: skip


def open_accounts(book: Book) -> None:
    """Admit the parties and open the accounts."""
    year = book.year
    with book.ledger.writer() as writer:
        for number in range(year.organisations):
            programme, region = programme_and_region(number)
            title = f"Organisation {number + 1} for {programme}, {region} ({SYNTHETIC})"
            writer.party(charity(number), roles=["charity"], title=title)
        for id_, role in OTHERS:
            writer.party(id_, roles=[role], title=f"The {id_} ({SYNTHETIC})")
        writer.unit("POINT", decimals=0)
        writer.commit()  # a party acts from the next block on
        for number in range(year.organisations):
            _account(writer, fund(number), "CNY", charity(number), *programme_and_region(number))
        for number, programme in enumerate(PROGRAMMES):
            _account(writer, f"project-{programme}", "CNY", charity(number), *programme_and_region(number))
        _account(writer, "walkers", "STEP", "self", "steps", "all")
        _account(writer, "sponsor-steps", "CNY", "sponsor", "steps", "all")
        for number in range(year.tracks):
            _account(writer, f"track-{number + 1:03}", "CNY", charity(1), "steps", REGIONS[number % 4])
        for name in WORK:
            _account(writer, f"hours-{name}", "MINUTE", "self", "hours", "all")
        _account(writer, "green-points", "POINT", "self", "trees", "all")
        _account(writer, "sponsor-trees", "CNY", "sponsor", "trees", "all")
        _account(writer, "trees", "CNY", "foresters", "trees", "north")
        _account(writer, "masks-store", "MASK", "relief-centre", "relief", "all")
        _account(writer, "masks-carrier", "MASK", "carrier", "relief", "all")
        _account(writer, "masks-hospital", "MASK", "hospital", "relief", "west")


def _account(writer: Writer, id_: str, unit: str, owner: str, programme: str, region: str) -> None:
    writer.account(
        id_, unit=unit, owner=owner, rule="fifo", title=f"{id_} ({SYNTHETIC})",
        tags={"programme": programme, "region": region},
    )  # fmt: skip


def _derived(what: str, seed: int, name: str) -> bytes:
    """Return 32 bytes that anybody can compute."""
    return hashlib.sha256(f"SYNTHETIC {what}, worth nothing: seed {seed}, {name}".encode()).digest()
