"""Signing keys and strict signatures: Ed25519, hardened where its standards leave a choice.

A public key is 33 bytes everywhere: an algorithm byte, 1 for Ed25519, and the key itself. (C2SP signed notes use the
same byte for the same algorithm.) The curve arithmetic of signing and verifying is `cryptography`'s; the rules below
are checked here, because that library accepts keys under which one signature fits *every* message.

Rules upheld here:

- A key decodes to a point of the curve, in the one canonical encoding (y < p), and that point has order L: no
  low-order key, no key with a low-order part. So a signature binds one key and one message, and its maker cannot
  later show another message that fits it ("Taming the many EdDSAs", eprint 2020/1244).
- A signature is 64 bytes; R is canonical and not of low order; S < L (RFC 8032, section 5.1.7).
- The equation is the one without cofactor. Another implementation of the ledger must take the same one: ZIP 215, for
  example, accepts signatures that are refused here.
- What is signed in a ledger starts with a byte that no signed note can hold, then names its purpose and its ledger. So
  no signature is worth anything for another purpose or in another ledger.
- A private key never appears in a message, a repr or a pickle, and signing takes nothing but the message: a public key
  that does not belong to the private one would give the private one away.

Left to others: files and passphrases (`charitychain.keyfile`), whose key it is and when it was valid
(`charitychain.state`), proof of possession on registration. Signatures of one message are not unique, even so: never
use their bytes as an identity.

>>> key = PrivateKey.from_seed(bytes(32))
>>> key
PrivateKey(public_key=013b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29)
>>> message = signed_message("statement", bytes(32), b"header")
>>> verify(key.public_key, message, key.sign(message))
>>> is_valid(key.public_key, message + b"!", key.sign(message))
False
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from charitychain.errors import MalformedError, VerificationError

__all__ = [
    "ALGORITHM_ED25519",
    "PUBLIC_KEY_BYTES",
    "SIGNATURE_BYTES",
    "PrivateKey",
    "check_public_key",
    "is_valid",
    "key_id",
    "signed_message",
    "verify",
]

ALGORITHM_ED25519 = 1
"""The algorithm byte of Ed25519, first of the 33 bytes of a public key."""

PUBLIC_KEY_BYTES = 33
"""Algorithm byte and key."""

SIGNATURE_BYTES = 64
"""R and S, 32 bytes each."""

_KEY_ID_TAG = b"\x30"  # sets key ids apart from every other hash of the format
_MESSAGE_PREFIX = b"\x00charitychain/v1\x00"  # no signed note can hold a NUL byte
_PURPOSE = re.compile(r"[a-z][a-z-]*", re.ASCII)
_CACHED_KEYS = 4096

# edwards25519 (RFC 8032, section 5.1): x and y modulo P with −x² + y² = 1 + D·x²·y²; L is the order of the base point.
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_SIGN_BIT = 1 << 255

# The eight points whose order divides 8 in all encodings that some implementation accepts: y = 1, −1, 0 and the two of
# order 8, with either sign bit, and y + p where that fits. The 14 encodings of C2SP CCTV's Ed25519 collection.
_LOW_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)


class PrivateKey:
    """An Ed25519 key that signs.

    Build one with `generate`, `from_seed` or `from_cryptography`. It cannot be pickled or copied.
    """

    __slots__ = ("_private", "_public_key")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        if not isinstance(private, Ed25519PrivateKey):
            raise TypeError(f"expected an Ed25519 private key, found {type(private).__name__}")
        self._private = private
        self._public_key = bytes((ALGORITHM_ED25519,)) + private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> PrivateKey:
        """Make a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> PrivateKey:
        """Return the key of a 32-byte seed: the "private key" of RFC 8032.

        Raises:
            MalformedError: ``CC-KEY``: not 32 bytes.
        """
        if not isinstance(seed, bytes) or len(seed) != 32:
            raise MalformedError("CC-KEY", "private key: expected a seed of 32 bytes")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_cryptography(cls, private: Ed25519PrivateKey) -> PrivateKey:
        """Wrap a key of `cryptography`, as its loaders return it.

        Raises:
            TypeError: a key of another algorithm.
        """
        return cls(private)

    @property
    def public_key(self) -> bytes:
        """The public key: 33 bytes, algorithm first."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`; the same one each time (RFC 8032, section 5.1.6)."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"PrivateKey(public_key={self._public_key.hex()})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a private key cannot be pickled or copied; store it in a key file")


def check_public_key(key: bytes) -> bytes:
    """Check that `key` may be registered, believed and kept, and return it.

    Costs about two milliseconds the first time and next to nothing while the key is remembered.

    Raises:
        MalformedError: ``CC-KEY``: not 33 bytes, another algorithm, y not below p, no point of the curve, or a point
            outside the subgroup of order L (so also the low-order ones).
    """
    _load(key)
    return key


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check that `signature` is one of `message` by `public_key`. Returns nothing; it raises or it holds.

    Args:
        public_key: 33 bytes, from the ledger's state or the caller's own settings, never from beside the message.

    Raises:
        VerificationError: ``CC-SIGNATURE``: it is not, by the strict rules at the top of this module; or the key is
            one that `check_public_key` refuses.
    """
    try:
        loaded = _load(public_key)
    except MalformedError as error:
        raise VerificationError("CC-SIGNATURE", f"signature: its key is not acceptable: {error}") from error
    _check_signature(loaded, public_key, message, signature)


def is_valid(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `verify` would accept; for choosing among signatures, not for relying on one."""
    try:
        verify(public_key, message, signature)
    except VerificationError:
        return False
    return True


def key_id(public_key: bytes) -> bytes:
    """Return the 32-byte id by which the ledger names `public_key`: SHA-256 of the byte 0x30 and the key.

    Raises:
        MalformedError: ``CC-KEY``: not 33 bytes. (Whether it is a good key is `check_public_key`'s question.)
    """
    if not isinstance(public_key, bytes) or len(public_key) != PUBLIC_KEY_BYTES:
        raise MalformedError("CC-KEY", f"public key: expected {PUBLIC_KEY_BYTES} bytes, algorithm first")
    return sha256(_KEY_ID_TAG + public_key).digest()


def signed_message(purpose: str, identity: bytes, body: bytes) -> bytes:
    """Return the bytes that are signed for `body`: NUL, ``charitychain/v1``, NUL, purpose, NUL, identity, body.

    Args:
        purpose: What the signature is for, such as ``statement`` or ``possession``: lower-case letters and hyphens.
        identity: The ledger's identity, 32 bytes.
    """
    if not _PURPOSE.fullmatch(purpose):
        raise ValueError(f"purpose must be lower-case letters and hyphens, not {purpose!r}")
    if len(identity) != 32:
        raise ValueError(f"a ledger's identity is 32 bytes, not {len(identity)}")
    return _MESSAGE_PREFIX + purpose.encode("ascii") + b"\x00" + identity + body


def _check_signature(loaded: Ed25519PublicKey, public_key: bytes, message: bytes, signature: bytes) -> None:
    if not isinstance(signature, bytes) or len(signature) != SIGNATURE_BYTES:
        raise _bad(public_key, "it is not 64 bytes")
    r = signature[:32]
    if r in _LOW_ORDER:
        raise _bad(public_key, "its R is of low order")
    # The library refuses these two as well; stated here, the rule does not hang on its release or its backend.
    if int.from_bytes(r, "little") % _SIGN_BIT >= _P:
        raise _bad(public_key, "its R is not canonical")
    if int.from_bytes(signature[32:], "little") >= _L:
        raise _bad(public_key, "its S is not below L")
    try:
        loaded.verify(signature, message)
    except InvalidSignature:
        raise _bad(public_key, "it does not fit this message and key") from None


def _bad(public_key: bytes, why: str) -> VerificationError:
    return VerificationError(
        "CC-SIGNATURE", f"signature by key {public_key[1:9].hex()}… is not valid: {why}", public_key=public_key
    )


def _load(key: bytes) -> Ed25519PublicKey:
    if not isinstance(key, bytes) or len(key) != PUBLIC_KEY_BYTES:
        found = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
        raise MalformedError("CC-KEY", f"public key: expected {PUBLIC_KEY_BYTES} bytes, algorithm first, found {found}")
    return _load_checked(key)


@lru_cache(maxsize=_CACHED_KEYS)
def _load_checked(key: bytes) -> Ed25519PublicKey:
    if key[0] != ALGORITHM_ED25519:
        raise MalformedError(
            "CC-KEY", f"public key: algorithm {key[0]} is not known; expected {ALGORITHM_ED25519} (Ed25519)"
        )
    fault = _key_fault(key[1:])
    if fault:
        raise MalformedError("CC-KEY", f"public key {key[1:9].hex()}…: {fault}; make a new key", public_key=key)
    return Ed25519PublicKey.from_public_bytes(key[1:])


def _key_fault(key: bytes) -> str:
    encoded = int.from_bytes(key, "little")
    y = encoded % _SIGN_BIT
    if key in _LOW_ORDER:
        return "a point of low order, under which one signature fits many messages"
    if y >= _P:
        return "not the canonical encoding of its point"
    x = _recover_x(y, encoded >> 255)
    if x is None:
        return "not a point of the curve"
    if not _has_order_l(x, y):
        return "a point with a part of low order"
    return ""


def _recover_x(y: int, sign: int) -> int | None:
    """Solve the curve's equation for x (RFC 8032, section 5.1.3); ``None`` when there is no such point."""
    u = y * y - 1
    v = _D * y * y + 1
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P:
        x = x * _SQRT_M1 % _P
        if (v * x * x - u) % _P:
            return None
    if x == 0 and sign:
        return None
    return _P - x if x % 2 != sign else x


def _has_order_l(x: int, y: int) -> bool:
    """Return whether [L]·(x, y) is the neutral element, in extended coordinates (RFC 8032, section 5.1.4)."""
    # The key is public, so time that depends on it gives nothing away.
    px, py, pz, pt = x, y, 1, x * y % _P
    rx, ry, rz, rt = px, py, pz, pt
    for bit in bin(_L)[3:]:
        a, b, c = rx * rx, ry * ry, 2 * rz * rz
        h = a + b
        e = h - (rx + ry) ** 2
        g = a - b
        f = c + g
        rx, ry, rz, rt = e * f % _P, g * h % _P, f * g % _P, e * h % _P
        if bit == "1":
            a, b = (ry - rx) * (py - px), (ry + rx) * (py + px)
            c, d = 2 * _D * rt * pt, 2 * rz * pz
            e, f, g, h = b - a, d - c, d + c, b + a
            rx, ry, rz, rt = e * f % _P, g * h % _P, f * g % _P, e * h % _P
    return rx == 0 and (ry - rz) % _P == 0
