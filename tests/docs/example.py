"""Make the ledger whose bytes the format page shows: the same bytes on every machine.

Keys, nonce and clock are fixed here and nowhere else; never use this key for anything. ``python tests/docs/example.py``
prints the hex dump of the page.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from charitychain.chain.genesis import Genesis
from charitychain.founding import first_block, party_record
from charitychain.index import Index
from charitychain.keyfile import encode_key
from charitychain.keyring import Keyring
from charitychain.keys import PrivateKey
from charitychain.ledger import Ledger
from charitychain.state.parties import possession_message
from charitychain.store.file import create_file

ORIGIN = "a.example"
SEED = bytes(range(32))
NONCE = bytes(range(0x20, 0x40))
TIME = 1_767_225_600  # 2026-01-01T00:00:00Z


def make_example(folder: Path) -> bytes:
    """Return the bytes of the example: block 0, and block 1 with two accounts, two gifts, a transfer and a use."""
    path, keyring = folder / "example.ledger", Keyring(folder / "keys")
    key = PrivateKey.from_seed(SEED)
    keyring._store(ORIGIN, "self", encode_key(SEED, None), key.public_key)
    genesis = Genesis(ORIGIN, NONCE, key.public_key, version=1)
    identity = genesis.identity()
    proof = key.sign(possession_message(identity, "self", key.public_key))
    party = party_record("self", ["operator", "charity"], key.public_key, proof, None)
    scratch = Index(":memory:", _nothing, scratch=True)
    _, data = first_block(genesis, party, key, scratch, lambda: TIME)
    scratch.close()
    create_file(path, [data], version=1).close()
    with Ledger.open(path, keys=keyring, clock=lambda: TIME + 60) as ledger, ledger.writer() as writer:
        writer.account("fund", unit="EUR")
        writer.account("school", unit="EUR")
        writer.donation("D-1", account="fund", amount="100.00")
        writer.donation("D-2", account="fund", amount="60.00")
        writer.disbursement("B-1", source="fund", to="school", amount="130.00")
        writer.expenditure("X-1", source="school", amount="110.00", payee="Corner Books", purpose="books")
    return path.read_bytes()


def _nothing(offset: int, statement: int) -> Any:
    raise LookupError("block 0 looks nothing up")


def dump(data: bytes) -> str:
    """Return a hex dump: offset, 16 bytes, and their ASCII."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{at:04x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  {text}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(dump(make_example(Path(folder))))
