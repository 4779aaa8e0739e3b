"""Private key files: PKCS#8 as everybody's tools read it, with a key derivation of today's strength.

Written here: Ed25519 keys (RFC 8410) as PKCS#8 PEM (RFC 5958, RFC 7468), plain or encrypted with PBES2 (RFC 8018):
PBKDF2-HMAC-SHA256 with 600,000 rounds, then AES-256-CBC. `openssl pkey -in FILE` reads both. The library's own writer
is not used: it takes 2,048 rounds and offers no choice.

Read here: those, PBES2 with scrypt, and OpenSSH's own format (with a passphrase if the package `bcrypt` is installed).

Rules upheld here:

- A file from outside cannot cost more than seconds: its size, rounds and memory are bounded before anything is derived.
- Exactly one key, Ed25519, in a form named above; everything else is refused by name.
- AES-CBC carries no checksum. A wrong passphrase is nearly always seen by the padding; the rest is seen by the caller,
  who compares the public key (`charitychain.keyring` does).
- Nothing secret appears in a message.

>>> pem = encode_key(bytes(32), None)
>>> is_encrypted_key(pem), decode_key(pem, None).private_bytes_raw() == bytes(32)
(False, True)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import struct
from typing import TYPE_CHECKING

from charitychain.errors import KeyAccessError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["KEY_FILE_MAX", "PASSPHRASE_MAX", "decode_key", "encode_key", "is_encrypted_key"]

KEY_FILE_MAX = 65_536
"""The most bytes that a key file may have."""

PASSPHRASE_MAX = 1023
"""The most bytes that a passphrase may have: the limit of OpenSSL."""

_ROUNDS = 600_000  # OWASP's figure for PBKDF2-HMAC-SHA256
_ROUNDS_MAX = 10_000_000
_SCRYPT_N_MAX = 2**16
_SCRYPT_MEMORY_MAX = 2**26  # bytes; N = 2^16 with the usual r = 8
_SCRYPT_P_MAX = 16
_BCRYPT_ROUNDS_MAX = 1024  # ssh-keygen writes 16 or 24

_PLAIN, _ENCRYPTED, _OPENSSH = "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"
_PEM = re.compile(rb"\s*-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([A-Za-z0-9+/=\r\n]*?)\r?\n?-----END \1-----\s*")

_SEQUENCE, _INTEGER, _OCTETS, _OID, _NULL = 0x30, 0x02, 0x04, 0x06, b"\x05\x00"
_PBES2 = bytes.fromhex("2a864886f70d01050d")  # 1.2.840.113549.1.5.13
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")  # 1.2.840.113549.1.5.12
_HMAC_SHA256 = bytes.fromhex("2a864886f70d0209")  # 1.2.840.113549.2.9
_AES_256_CBC = bytes.fromhex("60864801650304012a")  # 2.16.840.1.101.3.4.1.42
_SCRYPT = bytes.fromhex("2b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11, RFC 7914
# OneAsymmetricKey of RFC 8410 section 7 up to the 32 bytes of the key.
_ED25519_HEAD = bytes.fromhex("302e020100300506032b657004220420")


def encode_key(seed: bytes, passphrase: bytes | None) -> bytes:
    """Return the PEM file of the Ed25519 key with this 32-byte seed, encrypted when a passphrase is given.

    Raises:
        KeyAccessError: ``CC-PASSPHRASE``: the passphrase is empty or too long.
    """
    if len(seed) != 32:
        raise ValueError(f"an Ed25519 seed has 32 bytes, not {len(seed)}")
    plain = _ED25519_HEAD + seed
    if passphrase is None:
        return _pem(_PLAIN, plain)
    _check_passphrase(passphrase)
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    key = hashlib.pbkdf2_hmac("sha256", passphrase, salt, _ROUNDS, 32)
    padding = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    derivation = _der(_SEQUENCE, _der(_OID, _PBKDF2), _der(
        _SEQUENCE, _der(_OCTETS, salt), _integer(_ROUNDS), _der(_SEQUENCE, _der(_OID, _HMAC_SHA256), _NULL),
    ))  # fmt: skip
    cipher = _der(_SEQUENCE, _der(_OID, _AES_256_CBC), _der(_OCTETS, iv))
    algorithm = _der(_SEQUENCE, _der(_OID, _PBES2), _der(_SEQUENCE, derivation, cipher))
    return _pem(_ENCRYPTED, _der(_SEQUENCE, algorithm, _der(_OCTETS, sealed)))


def is_encrypted_key(data: bytes) -> bool:
    """Tell whether the key file with these bytes needs a passphrase.

    Raises:
        KeyAccessError: ``CC-KEY-FORM``: no form of key file that is read here.
    """
    label, body = _open_pem(data)
    return label == _ENCRYPTED or (label == _OPENSSH and _openssh_cost(body) is not None)


def decode_key(data: bytes, passphrase: bytes | None) -> Ed25519PrivateKey:
    """Return the key in a key file.

    Args:
        passphrase: Needed if `is_encrypted_key` says so, else not used.

    Raises:
        KeyAccessError: ``CC-KEY-FORM``: not one Ed25519 key in a form that is read here. ``CC-KEY-COST``: decrypting
            would cost too much. ``CC-PASSPHRASE``: the passphrase is missing or wrong.
    """
    label, body = _open_pem(data)
    encrypted = is_encrypted_key(data)
    if not encrypted:
        passphrase = None
    elif passphrase is None:
        raise KeyAccessError("CC-PASSPHRASE", "the key file is encrypted; a passphrase is needed")
    else:
        _check_passphrase(passphrase)
        _check_cost(label, body)
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_ssh_private_key

    try:
        # The very bytes that were checked above, not the file: nothing is left for two parsers to disagree on.
        key: object = (
            load_ssh_private_key(_pem(label, body), passphrase)
            if label == _OPENSSH
            else load_der_private_key(body, passphrase)
        )
    except UnsupportedAlgorithm as error:
        if "bcrypt" in str(error):
            raise KeyAccessError(
                "CC-KEY-FORM",
                "an OpenSSH key with a passphrase needs the package bcrypt; install it (pip install bcrypt)",
            ) from error
        raise _form("its algorithm is not supported") from error
    except (ValueError, TypeError, InternalError) as error:  # the last one for some nonsense that OpenSSL itself meets
        if encrypted:
            raise KeyAccessError("CC-PASSPHRASE", "the passphrase is wrong, or the key file is damaged") from error
        raise _form("it is damaged") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _form("it holds a key of another kind than Ed25519")
    return key


def _check_passphrase(passphrase: bytes) -> None:
    if not 1 <= len(passphrase) <= PASSPHRASE_MAX:
        found = "it is longer" if passphrase else "it is empty"
        raise KeyAccessError("CC-PASSPHRASE", f"a passphrase has 1 to {PASSPHRASE_MAX} bytes, but {found}")


def _form(why: str) -> KeyAccessError:
    return KeyAccessError(
        "CC-KEY-FORM", f"not a key file that can be read ({why}); wanted is one Ed25519 key, as PKCS#8 or OpenSSH PEM"
    )


# ------------------------------------------------------------------------------------------------ what it would cost


def _check_cost(label: str, body: bytes) -> None:
    """Check what decrypting costs, from the file's own parameters."""
    if label == _OPENSSH:
        rounds = _openssh_cost(body) or 0
        _bound("bcrypt rounds", rounds, _BCRYPT_ROUNDS_MAX)
        return
    # EncryptedPrivateKeyInfo: [[pbes2, [[kdf, parameters], cipher]], sealed]
    try:
        outer, end = _take(body, 0, _SEQUENCE)
        algorithm, _ = _take(outer, 0, _SEQUENCE)
        scheme, at = _take(algorithm, 0, _OID)
        if end != len(body) or scheme != _PBES2:
            raise _form("it is encrypted in another way than PBES2")
        parameters, _ = _take(algorithm, at, _SEQUENCE)
        derivation, _ = _take(parameters, 0, _SEQUENCE)
        function, at = _take(derivation, 0, _OID)
        values, _ = _take(derivation, at, _SEQUENCE)
        _salt, at = _take(values, 0, _OCTETS)
        cost, at = _take_integer(values, at)
        if function == _PBKDF2:
            _bound("PBKDF2 rounds", cost, _ROUNDS_MAX)
        elif function == _SCRYPT:
            r, at = _take_integer(values, at)
            p, at = _take_integer(values, at)
            _bound("scrypt N", cost, _SCRYPT_N_MAX)
            _bound("bytes of scrypt memory", 128 * cost * r, _SCRYPT_MEMORY_MAX)
            _bound("scrypt p", p, _SCRYPT_P_MAX)
        else:
            raise _form("its key derivation is neither PBKDF2 nor scrypt")
    except _DerError as error:
        raise _form("it is damaged") from error


def _bound(what: str, found: int, most: int) -> None:
    if found > most:
        raise KeyAccessError(
            "CC-KEY-COST",
            f"the key file asks for {found if found < 2**64 else 'too many'} {what}, more than {most}; it was made to"
            " hang whoever opens it",
            expected=most,
        )


def _openssh_cost(body: bytes) -> int | None:
    """Return the bcrypt rounds of an OpenSSH key, or nothing if it is not encrypted (PROTOCOL.key of OpenSSH)."""
    magic = b"openssh-key-v1\0"
    fields: list[bytes] = []
    at = len(magic)
    for _ in range(3):  # cipher name, kdf name, kdf options
        if not body.startswith(magic) or len(body) < at + 4:
            raise _form("it is damaged")
        size = int.from_bytes(body[at : at + 4], "big")
        fields.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    if at > len(body):
        raise _form("it is damaged")
    if fields[0] == b"none" and fields[1] == b"none":
        return None
    if fields[1] != b"bcrypt" or len(fields[2]) < 4:
        raise _form("its key derivation is not bcrypt")
    return int(struct.unpack(">I", fields[2][-4:])[0])  # string salt, uint32 rounds


# ------------------------------------------------------------------------------------------------------ PEM and DER


def _pem(label: str, body: bytes) -> bytes:
    text = base64.b64encode(body)
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label.encode(), lines, label.encode())


def _open_pem(data: bytes) -> tuple[str, bytes]:
    """Return label and bytes of the only block in a PEM file."""
    match = _PEM.fullmatch(data) if len(data) <= KEY_FILE_MAX else None
    if match is None:
        raise _form("it is not one PEM block, or was cut off")
    label = match[1].decode()
    if label not in (_PLAIN, _ENCRYPTED, _OPENSSH):
        raise _form(f"it holds a {label!r}")
    try:
        return label, base64.b64decode(re.sub(rb"[\r\n]", b"", match[2]), validate=True)
    except binascii.Error as error:
        raise _form("its base64 is damaged") from error


class _DerError(ValueError):
    pass


def _der(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    size = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + value


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _take(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """Return the value that starts at `at` and where the next one starts."""
    if len(data) < at + 2 or data[at] != tag:
        raise _DerError
    size, start = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4:
            raise _DerError
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    if len(data) < start + size:
        raise _DerError
    return data[start : start + size], start + size


def _take_integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _take(data, at, _INTEGER)
    if not value or value[0] & 0x80:
        raise _DerError
    return int.from_bytes(value, "big"), at
