"""The stage on which the programmes' examples play: a ledger in a folder, a key for everybody, a gift told in words.

Rules upheld here:

- Everybody has a key of their own. All of them lie in one folder, because all of it is made up; real ones lie apart.
- The clock stands at 1 July 2026, so that every run prints the same.
- Documents are kept in the folder ``papers``; the ledger has their hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from charitychain import Ledger
from charitychain.claimed import gifts_in_series
from charitychain.sentence import sentence

CLOCK = 1_782_864_000  # 2026-07-01 00:00 UTC


@contextmanager
def ledger(name: str, about: str | None, *, parties: Mapping[str, str]) -> Iterator[Ledger]:
    """Make a ledger ``NAME.ledger`` in ``--folder``, or in a temporary one, with parties in the roles told."""
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument("--folder", type=Path, help="keep the ledger, keys and papers here; it must be empty")
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory(prefix="charitychain-example-") as temporary:
        folder = Path(temporary) if folder is None else folder
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            parser.error(f"{folder} is not empty")
        path, origin = folder / f"{name}.ledger", f"{name}.example/2026"
        with Ledger.create(path, origin=origin, keys=folder / "keys", clock=lambda: float(CLOCK)) as made:
            with made.writer() as writer:
                for id_, role in parties.items():
                    writer.party(id_, roles=[role])
            yield made


def paper(ledger: Ledger, name: str, text: str) -> str:
    """Keep a document beside the ledger, and return its SHA-256, which a record names as its evidence."""
    folder = ledger.path.parent / "papers"
    folder.mkdir(exist_ok=True)
    data = f"{text}\n".encode()
    (folder / name).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def gifts_of(ledger: Ledger, series: str, pseudonym: str) -> list[str]:
    """Return the gifts of a series that carry a pseudonym, as their donor or as their second party."""
    return ledger.answer(lambda reader: gifts_in_series(reader, series, bytes.fromhex(pseudonym)))


def tell(ledger: Ledger, whose: str, *gifts: str) -> None:
    """Say whose gifts these are, and for each in one sentence where it went, and its ends."""
    print(f"\n{whose}:")
    for gift in gifts:
        trace = ledger.trace(gift)
        print(f"  {gift}: {sentence(trace)}")
        for end in trace.ends:
            print(f"    {end.money} {end.money.code} {end.state}" + (f" ({end.how})" if end.how else ""))


def verify(ledger: Ledger) -> None:
    """Check the whole ledger; leave the program with exit code 1 where it does not hold."""
    report = ledger.verify()
    print(f"\nThe ledger {'holds' if report.holds else 'FAILS'}: {report.counts['records']} records verified.")
    if not report.holds:
        sys.exit(1)
