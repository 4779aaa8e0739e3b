"""Time stamps of RFC 3161: an authority's signed word that some bytes existed by a time.

A request (`make_request`, DER, as ``.tsq`` files hold it) carries a hash of the bytes and goes to any time-stamping
authority; its answer (``.tsr``) is kept beside the bytes and can be checked years later (`check_stamp`) with the
authority's certificates, here or by ``openssl ts -verify``. It needs the package rfc3161-client, the extra
``timestamps``.

Rules upheld here:

- The hash is SHA-256 in what we ask; in what we check SHA-256, SHA-384 or SHA-512.
- A stamp counts only if granted without changes, over just these bytes, signed under a certificate for time stamping
  that leads to one of those given and was valid at the time that it states.
- An answer is refused at once if it is not for our request: another hash, or another nonce.

A stamp shows "not later than", never "not earlier than". Left to others: which authorities and certificates to believe;
and whether a certificate was revoked, which nobody here asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from charitychain.errors import MalformedError, UnreadableError, VerificationError

if TYPE_CHECKING:
    from rfc3161_client import TimeStampRequest, TimeStampResponse

__all__ = ["MAX_STAMP_BYTES", "QUERY_TYPE", "Stamp", "StampRequest", "check_stamp", "make_request"]

MAX_STAMP_BYTES = 64 * 1024
"""The longest answer that is read; real ones have a few thousand bytes."""

QUERY_TYPE = "application/timestamp-query"
"""The content type of a request over HTTP (RFC 3161, section 3.4)."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stamp that holds says."""

    time: datetime
    """Not later than this, in UTC."""
    serial: int
    """The authority's own number of the stamp."""


class StampRequest:
    """A request for a stamp over `data`, with a nonce of its own; ask an authority with its `der`."""

    def __init__(self, request: TimeStampRequest, data: bytes) -> None:
        self._request, self._data = request, data

    @property
    def der(self) -> bytes:
        """The request as bytes."""
        return self._request.as_bytes()

    def check_answer(self, answer: bytes) -> None:
        """Check that an answer grants this request. Whose signature it bears, `check_stamp` tells.

        Raises:
            VerificationError: ``CC-STAMP``.
            MalformedError: ``CC-STAMP``: it is no answer of an authority.
        """
        response = _decode(answer)
        info = response.tst_info
        if info.message_imprint.message != sha256(self._data).digest() or info.nonce != self._request.nonce:
            raise VerificationError("CC-STAMP", "the authority's answer is for another request")


def make_request(data: bytes) -> StampRequest:
    """Return a request for a stamp over `data`.

    Raises:
        UnreadableError: ``CC-PACKAGE``: rfc3161-client is not installed.
    """
    _check_package()
    from rfc3161_client import TimestampRequestBuilder
    from rfc3161_client.base import HashAlgorithm

    return StampRequest(TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build(), data)


def check_stamp(data: bytes, answer: bytes, certificates: bytes) -> Stamp:
    """Check an authority's stamp over `data`.

    Args:
        answer: As the authority sent it, DER.
        certificates: The certificates to believe, PEM: a root, and those between it and the authority's own where
            the answer does not carry them.

    Raises:
        VerificationError: ``CC-STAMP``: it does not hold.
        MalformedError: ``CC-STAMP``: it is no answer of an authority, or there are no certificates.
        UnreadableError: ``CC-PACKAGE``: rfc3161-client is not installed.
    """
    _check_package()
    import rfc3161_client
    from cryptography import x509

    try:
        believed = x509.load_pem_x509_certificates(certificates)
    except ValueError as error:
        raise MalformedError("CC-STAMP", f"there are no certificates in PEM: {error}") from error
    response = _decode(answer)
    own = None
    if not response.signed_data.certificates:  # then the one that signed must be among those given
        named = {(signer.issuer, signer.serial_number) for signer in response.signed_data.signer_infos}
        own = next((each for each in believed if (each.issuer, each.serial_number) in named), None)
    try:
        verifier = rfc3161_client.VerifierBuilder(roots=believed, tsa_certificate=own).build()
        verifier.verify_message(response, data)
    except (rfc3161_client.VerificationError, ValueError) as error:
        raise VerificationError("CC-STAMP", f"the time stamp does not hold: {error}") from error
    info = response.tst_info
    return Stamp(info.gen_time.astimezone(UTC), info.serial_number)


def _decode(answer: bytes) -> TimeStampResponse:
    from rfc3161_client import PKIStatus, decode_timestamp_response

    try:
        if len(answer) > MAX_STAMP_BYTES:
            raise ValueError(f"it has more than {MAX_STAMP_BYTES} bytes")
        response = decode_timestamp_response(answer)
        status = PKIStatus(response.status)
    except ValueError as error:
        raise MalformedError("CC-STAMP", f"this is no answer of a time-stamping authority: {error}") from error
    if status is not PKIStatus.GRANTED:
        why = "; ".join(response.status_string) or "it says no more"
        raise VerificationError("CC-STAMP", f"the authority did not grant a stamp ({status.name}): {why}")
    return response


def _check_package() -> None:
    try:
        import rfc3161_client  # noqa: F401
    except ImportError as error:
        raise UnreadableError(
            "CC-PACKAGE",
            f"for time stamps the package rfc3161-client is needed ({error}): pip install 'charitychain[timestamps]'",
        ) from error
