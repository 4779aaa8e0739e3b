"""Keys and signatures: published collections under our strict rules, and what can never be a key."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from charitychain import keys
from charitychain.errors import MalformedError, VerificationError
from charitychain.keys import PrivateKey

VECTORS = Path(__file__).parents[1] / "vectors"
P = 2**255 - 19

# collection: how many of its cases our rules accept, and refuse
EXPECTED = {"ed25519-wycheproof": (88, 63), "ed25519-cctv": (1, 913), "ed25519-speccheck": (0, 12)}
# The same rules without "a key has order L" are those of libsodium and of dalek's verify_strict.
EXPECTED_WITHOUT_ORDER = {"ed25519-wycheproof": (88, 63), "ed25519-cctv": (43, 871), "ed25519-speccheck": (1, 11)}
LAX_FLAGS = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue"}


def cases(name: str) -> Iterator[tuple[dict[str, Any], bytes, bytes, bytes]]:
    """Yield each case with its key (33 bytes), message and signature."""
    if name == "ed25519-wycheproof":
        for group in json.loads((VECTORS / name / "ed25519_test.json").read_bytes())["testGroups"]:
            for case in group["tests"]:
                key = bytes.fromhex(group["publicKey"]["pk"])
                yield case, b"\x01" + key, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
    elif name == "ed25519-cctv":
        for case in json.loads((VECTORS / name / "ed25519vectors.json").read_bytes()):
            yield case, b"\x01" + bytes.fromhex(case["key"]), case["msg"].encode(), bytes.fromhex(case["sig"])
    else:
        for case in json.loads((VECTORS / name / "cases.json").read_bytes()):
            key, message = bytes.fromhex(case["pub_key"]), bytes.fromhex(case["message"])
            yield case, b"\x01" + key, message, bytes.fromhex(case["signature"])


def counts(name: str) -> tuple[int, int]:
    results = [keys.is_valid(key, message, signature) for _, key, message, signature in cases(name)]
    return results.count(True), results.count(False)


@pytest.fixture
def any_order(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Switch off the one rule that keys have order L."""
    keys._load_checked.cache_clear()
    monkeypatch.setattr(keys, "_has_order_l", lambda x, y: True)
    yield
    keys._load_checked.cache_clear()


def low_order_encodings() -> set[bytes]:
    """All encodings of the points whose order divides 8, worked out from the curve's equation."""
    d = -121665 * pow(121666, -1, P) % P
    # x² = y² doubles to a point with y = 0, so the points of order 8 solve d·y⁴ + 2y² − 1 = 0.
    square_root = pow(1 + d, (P + 3) // 8, P)
    if square_root * square_root % P != (1 + d) % P:
        square_root = square_root * pow(2, (P - 1) // 4, P) % P
    ys = {1, P - 1, 0}
    for sign in (1, -1):
        square = (-1 + sign * square_root) * pow(d, -1, P) % P
        y = pow(square, (P + 3) // 8, P)
        for candidate in (y, y * pow(2, (P - 1) // 4, P) % P):
            if candidate * candidate % P == square:
                ys |= {candidate, P - candidate}
    spellings = {y + extra for y in ys for extra in (0, P) if y + extra < 2**255}
    return {(y | sign << 255).to_bytes(32, "little") for y in spellings for sign in (0, 1)}


@pytest.mark.parametrize("name", EXPECTED)
def test_published_collections(name: str) -> None:
    """Of each published collection our rules accept exactly the stated number of cases."""
    assert counts(name) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED_WITHOUT_ORDER)
def test_signature_rules_are_those_of_libsodium(name: str, any_order: None) -> None:
    """Without the rule on a key's order, exactly what libsodium and dalek's verify_strict accept is accepted."""
    assert counts(name) == EXPECTED_WITHOUT_ORDER[name]


def test_wycheproof_results_case_by_case() -> None:
    """Each Wycheproof case is accepted if and only if it is called valid."""
    for case, key, message, signature in cases("ed25519-wycheproof"):
        assert keys.is_valid(key, message, signature) == (case["result"] == "valid"), case["comment"]


def test_cctv_results_follow_the_flags(any_order: None) -> None:
    """A CCTV case passes the signature rules if and only if no flag names a low order or a second spelling."""
    for case, key, message, signature in cases("ed25519-cctv"):
        assert keys.is_valid(key, message, signature) == (not LAX_FLAGS & set(case["flags"] or ())), case["number"]


def test_of_the_cctv_keys_one_is_honest() -> None:
    """Of CCTV's 22 keys only the one without any part of low order may be registered."""
    good = set()
    for _, key, _, _ in cases("ed25519-cctv"):
        try:
            good.add(keys.check_public_key(key).hex())
        except MalformedError as error:
            assert error.code == "CC-KEY"
    assert good == {"01ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076"}
    assert len({key for _, key, _, _ in cases("ed25519-cctv")}) == 22


def test_all_low_order_encodings_are_refused_as_keys_and_as_r() -> None:
    """The 14 encodings of points of low order, derived here from the curve, are refused in both places."""
    derived = low_order_encodings()
    assert len(derived) == 14
    assert derived == keys._LOW_ORDER
    good = PrivateKey.from_seed(bytes(32))
    for encoding in derived:
        with pytest.raises(MalformedError, match="low order"):
            keys.check_public_key(b"\x01" + encoding)
        with pytest.raises(VerificationError, match="R is of low order"):
            keys.verify(good.public_key, b"", encoding + bytes(32))


def test_signature_that_fits_every_message_is_refused() -> None:
    """The neutral element as key and R with S = 0, which the library takes for any message, is refused here."""
    neutral = b"\x01" + bytes(31)
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"whatever")
    with pytest.raises(VerificationError) as caught:
        keys.verify(b"\x01" + neutral, b"whatever", neutral + bytes(32))
    assert caught.value.code == "CC-SIGNATURE"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (b"", "33 bytes"),
        (bytes(32), "33 bytes"),
        (b"\x01" * 34, "33 bytes"),
        ("\x01" * 33, "found str"),
        (7, "found int"),
        (b"\x00" + PrivateKey.from_seed(bytes(32)).public_key[1:], "algorithm 0"),
        (b"\x04" + PrivateKey.from_seed(bytes(32)).public_key[1:], "algorithm 4"),
        (b"\x01" + (P + 3).to_bytes(32, "little"), "not the canonical encoding"),
        (b"\x01" + (2**255 - 1).to_bytes(32, "little"), "not the canonical encoding"),
        (b"\x01" + (2).to_bytes(32, "little"), "not a point"),
    ],
)
def test_what_is_no_key(key: Any, why: str) -> None:
    """Another length, type or algorithm, a second spelling and what is no point are refused, each with its reason."""
    with pytest.raises(MalformedError, match=why) as caught:
        keys.check_public_key(key)
    assert caught.value.code == "CC-KEY"
    assert not keys.is_valid(key, b"", bytes(64))


def test_honest_keys_are_accepted() -> None:
    """Keys that were made honestly pass, new ones and that of RFC 8032, section 7.1, test 1."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = PrivateKey.from_seed(seed)
    assert key.public_key.hex() == "01d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    for _ in range(20):
        made = PrivateKey.generate()
        assert keys.check_public_key(made.public_key) == made.public_key
        keys.verify(made.public_key, b"message", made.sign(b"message"))


def test_every_altered_byte_of_a_key_is_refused_or_verifies_nothing() -> None:
    """With any byte of the key changed the signature holds no more, and every proper substring is no key."""
    key = PrivateKey.from_seed(b"k" * 32)
    signature = key.sign(b"message")
    for i in range(33):
        altered = bytearray(key.public_key)
        altered[i] ^= 1
        assert not keys.is_valid(bytes(altered), b"message", signature)
    for start in range(34):
        for end in range(start, 34):
            if end - start < 33:
                with pytest.raises(MalformedError):
                    keys.check_public_key(key.public_key[start:end])


def test_every_altered_bit_of_a_signature_is_refused() -> None:
    """A signature with one bit changed, cut, lengthened, or of another message does not hold."""
    key = PrivateKey.from_seed(b"k" * 32)
    good = key.sign(b"message")
    for bit in range(512):
        assert not keys.is_valid(key.public_key, b"message", (int.from_bytes(good) ^ 1 << bit).to_bytes(64))
    for bad in (good[:63], good + b"\x00", b"", bytes(64), good[32:] + good[:32], good.hex()):
        assert not keys.is_valid(key.public_key, b"message", bad)  # type: ignore[arg-type]
    assert not keys.is_valid(key.public_key, b"messagf", good)


def test_second_signature_by_adding_the_group_order_is_refused() -> None:
    """S + L, which satisfies the equation as well, is refused."""
    key = PrivateKey.from_seed(b"k" * 32)
    good = key.sign(b"message")
    s = int.from_bytes(good[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    with pytest.raises(VerificationError, match="S is not below L"):
        keys.verify(key.public_key, b"message", good[:32] + s.to_bytes(32, "little"))


def test_signed_messages_are_separated() -> None:
    """A signed message names purpose and ledger after a byte that no note can hold."""
    message = keys.signed_message("possession", b"\x07" * 32, b"body")
    assert message == b"\x00charitychain/v1\x00possession\x00" + b"\x07" * 32 + b"body"
    for purpose, identity in (("", bytes(32)), ("a\x00b", bytes(32)), ("Ä", bytes(32)), ("a", bytes(31))):
        with pytest.raises(ValueError, match=r"purpose|identity"):
            keys.signed_message(purpose, identity, b"")


def test_key_id_is_a_tagged_hash() -> None:
    """A key's id is SHA-256 over the byte 0x30 and all 33 bytes."""
    key = PrivateKey.from_seed(bytes(32)).public_key
    assert keys.key_id(key) == sha256(b"0" + key).digest()
    with pytest.raises(MalformedError):
        keys.key_id(key[1:])


def test_private_keys_do_not_leak() -> None:
    """Neither repr, str, pickle nor copy gives a private key away."""
    seed = b"secret seed of thirty-two bytes!"
    key = PrivateKey.from_seed(seed)
    assert repr(key) == str(key) == f"PrivateKey(public_key={key.public_key.hex()})"
    assert seed.hex() not in repr(key)
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(key)


def test_only_ed25519_private_keys_are_wrapped() -> None:
    """A key of another algorithm and a seed of another length are refused; the library's own Ed25519 key is taken."""
    with pytest.raises(TypeError, match="Ed25519"):
        PrivateKey.from_cryptography(generate_private_key(SECP256R1()))  # type: ignore[arg-type]
    for seed in (b"", bytes(31), bytes(33), "0" * 32):
        with pytest.raises(MalformedError) as caught:
            PrivateKey.from_seed(seed)  # type: ignore[arg-type]
        assert caught.value.code == "CC-KEY"
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert PrivateKey.from_cryptography(private).public_key == PrivateKey.from_seed(bytes(32)).public_key
