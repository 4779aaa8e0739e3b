"""Another implementation of witnesses, aics-witness: each side's client asks the other side's server.

It needs Python 3.12; without it these tests are left out.
"""

from __future__ import annotations

import random
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from charitychain import cosignature, merkle, note
from charitychain.asking import ask_witness
from charitychain.keys import PrivateKey
from charitychain.ledger import Ledger
from charitychain.policy import Witness as Listed
from charitychain.witnessing.folder import WitnessFolder
from charitychain.witnessing.protocol import Witness, format_request

aics = pytest.importorskip("aics_witness", reason="aics-witness is not installed; it needs Python 3.12")

ORIGIN = "relief.example/2026"
LOG = PrivateKey.from_seed(b"l" * 32)


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Callable[..., tuple[Any, str]]]:
    """Serve the other witness for a log; give it and its address."""
    running: list[Any] = []

    def serve(origin: str, vkey: str) -> tuple[Any, str]:
        store = aics.WitnessStore(tmp_path / "aics.db", create=True)
        key, _, _ = aics.load_or_create_key(tmp_path / "aics.key", create=True)
        log = aics.LogConfig.from_strings(origin, [vkey])
        witness = aics.Witness("their.example/w", key, store, [log])
        server = aics.make_server(witness)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.extend([server, store])
        return witness, server.url

    yield serve
    for server in running[::2]:
        server.shutdown()
        server.server_close()
    for store in running[1::2]:
        store.close()


def sealed(size: int, root: bytes) -> bytes:
    return note.sign_checkpoint(note.Checkpoint(ORIGIN, size, root), LOG)


def test_our_ledger_is_cosigned_by_their_witness(tmp_path: Path, theirs: Callable[..., tuple[Any, str]]) -> None:
    """A ledger's head is sent step by step, from a size that their server tells, and its lines verify here."""
    with Ledger.create(tmp_path / "v.ledger", origin=ORIGIN, keys=tmp_path / "keys") as ledger:
        vkey = note.vkey(ORIGIN, ledger.genesis.key)
        witness, url = theirs(ORIGIN, vkey)
        listed = Listed("theirs", cosignature.parse_vkey(witness.vkey_text), url)
        for number in range(5):
            with ledger.writer() as writer:
                writer.account(f"a{number}", unit="EUR")
            reader = ledger.reader()
            line = ask_witness(reader, listed)  # starts from size 0 each time: told the size with 409
            signed = cosignature.open_cosigned(reader.checkpoint.encode() + line, [listed.key])
            assert [key for key, _ in signed] == [listed.key]
            assert witness.store.get(ORIGIN).size == number + 2


def test_both_witnesses_answer_alike(tmp_path: Path, theirs: Callable[..., tuple[Any, str]]) -> None:
    """Random requests, honest and not, in random order, have the same status and size at both."""
    folder = WitnessFolder.create(tmp_path / "ours", "our.example/w", lambda keyring: None)
    key = note.VerifierKey(ORIGIN, LOG.public_key)
    folder.trust(key)
    ours = Witness(folder, folder.private_key())
    witness, _ = theirs(ORIGIN, note.vkey(ORIGIN, LOG.public_key))
    rng, statuses = random.Random(11), set()
    history = [[sha256(f"{fork and i >= fork} {i}".encode()).digest() for i in range(40)] for fork in (0, 3, 9)]
    last = 0
    for step in range(400):
        leaves = history[rng.choice([0, 0, 0, 1, 2])]
        size = rng.randrange(min(last + 4, 40))
        old = rng.choice([last, last, last, rng.randrange(40)])
        proof = merkle.prove_consistency(merkle.RFC6962, leaves[:size], old) if 0 < old <= size else ()
        if rng.random() < 0.1:
            proof = (*proof, bytes(32)) if rng.random() < 0.5 else proof[1:]
        root = merkle.root(merkle.RFC6962, leaves[:size])
        if rng.random() < 0.05:
            root = bytes(32)
        text = f"{ORIGIN}\n{size}\n{b64encode(root).decode()}\n"
        data = note.sign_note(text, ORIGIN, LOG if rng.random() < 0.9 else PrivateKey.from_seed(b"o" * 32))
        body = format_request(old, proof, data)
        mangled = rng.random()
        if mangled < 0.1:
            at = rng.randrange(len(body))
            body = body[:at] + bytes([body[at] ^ 1 << rng.randrange(7)]) + body[at + 1 :]
        reply = ours.add_checkpoint(body)
        try:
            status, told = 200, witness.add_checkpoint(body)
        except aics.WitnessError as error:
            status, told = error.status, getattr(error, "body", b"")
        same = reply.status == status or (mangled < 0.1 and 200 not in (reply.status, status))
        assert same, (step, reply, status, told, body)
        statuses.add(reply.status)
        found, state = folder.find(ORIGIN), witness.store.get(ORIGIN)
        assert found is not None
        last = found.last.size
        assert (last, found.last.root) == ((state.size, state.root) if state else (0, sha256(b"").digest()))
    assert statuses == {200, 400, 403, 404, 409, 422}
