"""Time stamps of real authorities."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest

from charitychain.errors import CharitychainError, MalformedError, VerificationError
from charitychain.stamps import MAX_STAMP_BYTES, check_stamp, make_request

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "rfc3161" / "cases.json").read_bytes())["cases"]
# What must fail there by rules beyond the stamp.
ELSEWHERE = {
    "rekor2-timestamp-outside-trust-root-tsa-validity_fail": "2025-06-12T12:02:20+00:00",
    "rekor2-timestamp-with-incorrect-time_fail": "2025-07-15T10:33:31+00:00",
}
TIMES = {
    "rekor2-dsse-happy-path": "2026-05-13T19:23:33+00:00",
    "rekor2-happy-path": "2025-06-12T12:02:20+00:00",
    "rekor2-timestamp-with-embedded-cert": "2025-08-06T18:51:36+00:00",
    "rekor2-timestamp-with-expired-cert-chain": "2025-08-07T15:32:26+00:00",
    "rekor2-timestamp-without-embedded-cert": "2025-08-06T19:03:51+00:00",
}


def parts(case: dict[str, object]) -> tuple[bytes, bytes, bytes]:
    """Return what was stamped, the answer, and the certificates to believe."""
    data, (answer,) = str(case["signed_data_b64"]), case["timestamp_responses_b64"]  # type: ignore[misc]
    texts = [cert["rawBytes"] for tsa in case["trusted_tsa"] for cert in tsa["certChain"]["certificates"]]  # type: ignore[attr-defined]
    pem = "".join(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n" for text in texts)
    return b64decode(data), b64decode(answer), pem.encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_published_stamps_are_judged_as_published(case: dict[str, object]) -> None:
    """Each real stamp holds with its time, or is refused, as its publisher says."""
    data, answer, pem = parts(case)
    expected = (TIMES | ELSEWHERE).get(str(case["name"]))
    assert (expected is not None) == bool(case["bundle_should_verify"] or case["name"] in ELSEWHERE)
    if expected is None:
        with pytest.raises(CharitychainError) as caught:
            check_stamp(data, answer, pem)
        assert caught.value.code == "CC-STAMP"
    else:
        assert check_stamp(data, answer, pem).time.isoformat() == expected
        with pytest.raises(VerificationError, match="Mismatch"):
            check_stamp(data + b" ", answer, pem)


def test_what_is_no_answer_is_told() -> None:
    """Junk, too much, and certificates that are none are malformed; an answer to others is refused."""
    data, answer, pem = parts(CASES[1])
    for junk in (b"", b"junk", b"0" * (MAX_STAMP_BYTES + 1), answer[:-1], answer + b"x"):
        with pytest.raises(MalformedError):
            check_stamp(data, junk, pem)
    with pytest.raises(MalformedError, match="no certificates"):
        check_stamp(data, answer, b"junk")
    with pytest.raises(VerificationError, match="another request"):
        make_request(data).check_answer(answer)
