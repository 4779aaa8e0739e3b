"""Asking witnesses to cosign a ledger's head, by the protocol of C2SP tlog-witness.

Rules upheld here:

- What is sent to prove an extension was checked against the ledger's own sealed log: a damaged index accuses nobody.
- Of what comes back only the witness's own line is kept, and only if it holds for the very checkpoint that was sent.
- What else a witness tells is its word alone: only two signed heads that do not fit prove anything.

Left to others: keeping the lines (`charitychain.cosigned`) and whether they are enough (`charitychain.policy`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from charitychain import web
from charitychain.checkpoints import read_checkpoint
from charitychain.cosignature import CosignerKey, add_lines, open_cosigned
from charitychain.cosigned import keep_cosigned, read_cosigned
from charitychain.errors import CharitychainError, RefusedError, UnreadableError, VerificationError
from charitychain.policy import Witness
from charitychain.reading import Reader
from charitychain.replay import header_frontier
from charitychain.witnessing.folder import origin_hash
from charitychain.witnessing.protocol import SIZE_TYPE, format_request

__all__ = ["ask_witness", "ask_witnesses", "prove_extension"]

_TRIES = 4
_SIZE_BODY = re.compile(rb"(0|[1-9][0-9]{0,18})\n", re.ASCII)


def ask_witnesses(ledger: Path, reader: Reader, witnesses: Sequence[Witness]) -> list[int | CharitychainError]:
    """Ask witnesses, one after the other, to cosign a ledger's head, and keep each one's line beside it at once.

    Returns:
        For each witness the time of its cosignature in POSIX seconds, or what went wrong with it.

    Raises:
        VerificationError: ``CC-INDEX``; ``CC-SEAL``: a line that is kept beside the ledger does not hold.
        UnreadableError: see `read_cosigned`.
    """
    kept, seal = read_cosigned(ledger), reader.checkpoint.encode()
    known: dict[CosignerKey, int] = {}
    if kept is not None:
        size = read_checkpoint(kept, "it").size
        signers = open_cosigned(kept, [each.key for each in witnesses])
        known = {key: size for key, _ in signers if size <= reader.head.height + 1}
    outcomes: list[int | CharitychainError] = []
    for each in witnesses:
        try:
            cosigned = seal + ask_witness(reader, each, known.get(each.key, 0))
            keep_cosigned(ledger, reader, cosigned, [each.key])
            outcomes.append(dict(open_cosigned(cosigned, [each.key]))[each.key])
        except CharitychainError as error:
            if error.code == "CC-INDEX":
                raise
            outcomes.append(error)
    return outcomes


def ask_witness(reader: Reader, witness: Witness, known: int = 0) -> bytes:
    """Ask a witness to cosign a ledger's head; return the lines that it sent, among them its own, which holds.

    Args:
        known: The size that the witness cosigned last, as far as is known here; if it knows more, it says so.

    Raises:
        UnreadableError: ``CC-WEB``: it has no address, or cannot be asked.
        RefusedError: ``CC-WITNESS``: it does not know this log, or not this key, has forgotten what it cosigned, or
            answers no sense. ``CC-OLDER``: it has seen more blocks than this copy has.
        VerificationError: ``CC-FORK``: it says that it has seen another history.
    """
    if witness.url is None:
        raise UnreadableError("CC-WEB", f"witness {witness.name}: the policy names no address")
    seal, size, cosigned = reader.checkpoint.encode(), reader.head.height + 1, known
    for _ in range(_TRIES):
        request = format_request(known, prove_extension(reader, known), seal)
        try:
            answer = web.post(f"{witness.url.rstrip('/')}/add-checkpoint", request, "text/plain; charset=utf-8")
        except UnreadableError as error:
            raise UnreadableError(error.code, f"witness {witness.name}: {error.message}", **error.facts) from error
        if answer.status != 409:
            break
        told = _SIZE_BODY.fullmatch(answer.body)
        if told is None or answer.content_type.partition(";")[0].strip() != SIZE_TYPE:
            raise _nonsense(witness, answer)
        known = int(told[1])
        if known > size:
            raise RefusedError(
                "CC-OLDER",
                f"witness {witness.name} has seen {known} blocks of this ledger and this copy has {size}: it is older"
                " or was cut off",
            )
        if known < cosigned:
            raise RefusedError(
                "CC-WITNESS",
                f"witness {witness.name} cosigned {cosigned} blocks and knows of {known} now: it forgot what it saw, so"
                " its word is worth nothing more under this key; tell its keeper",
            )
    if answer.status == 200:
        _check_lines(seal, witness, answer.body)
        return answer.body
    if answer.status == 422:
        seen = f"{witness.url.rstrip('/')}/{origin_hash(reader.genesis.origin)}/checkpoint"
        raise VerificationError(
            "CC-FORK",
            f"witness {witness.name} says that the {known} blocks it has seen of this ledger are not the first of these"
            f" {size}: two histories were signed. Keep this file, and get the witness's checkpoint from {seen}",
            witness=witness.name, known=known,
        )  # fmt: skip
    why = {
        403: "does not believe the key that sealed this ledger's head; give it the one that `checkpoint key` prints",
        404: "does not know this log; its keeper has to make it known, with the key that `checkpoint key` prints",
        409: "names another size each time; others may be asking it at this moment: try again",
        429: "has cosigned this log too often in this minute; try again later",
    }  # fmt: skip
    if answer.status not in why:
        raise _nonsense(witness, answer)
    raise RefusedError("CC-WITNESS", f"witness {witness.name} {why[answer.status]}", witness=witness.name)


def prove_extension(reader: Reader, old: int) -> tuple[bytes, ...]:
    """Return the proof that a ledger's log extends its first `old` blocks; of none and of all it is empty.

    Raises:
        VerificationError: ``CC-INDEX``: the index gave hashes that are not those of the sealed log.
    """
    if not old:
        return ()
    try:
        return reader.prove_beginning(old, header_frontier(reader.index, old).root())
    except VerificationError as error:
        raise VerificationError("CC-INDEX", f"the index does not fit the sealed log: {error.message}") from error


def _check_lines(seal: bytes, witness: Witness, lines: bytes) -> None:
    """Check that among the lines of an answer is the witness's own, and that it holds."""
    try:
        signed = open_cosigned(add_lines(seal, lines), [witness.key])
    except CharitychainError as error:
        raise RefusedError(
            "CC-WITNESS", f"witness {witness.name} sent no cosignature of this checkpoint: {error.message}"
        ) from error
    if not signed:
        raise RefusedError(
            "CC-WITNESS", f"witness {witness.name} sent no line by the key that the policy names; see which is right"
        )


def _nonsense(witness: Witness, answer: web.Answer) -> RefusedError:
    told = answer.body[:200].decode("utf-8", "replace").strip()
    return RefusedError(
        "CC-WITNESS", f"witness {witness.name} answered with status {answer.status}: {told}", status=answer.status
    )
