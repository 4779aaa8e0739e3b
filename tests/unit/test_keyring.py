"""Key files, the keyring, passphrases, and the mark beside an operator's key."""

from __future__ import annotations

import base64
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from charitychain import keyfile
from charitychain.errors import KeyAccessError, LockedError, StorageError, VerificationError
from charitychain.keyfile import decode_key, encode_key, is_encrypted_key
from charitychain.keyring import HighWaterMark, KeyEntry, Keyring, default_directory, passphrase_source

VECTORS = Path(__file__).parent.parent / "vectors" / "keyfiles"
ORIGIN = "relief.example/2026"
# RFC 8032, section 7.1, test 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
A, B = bytes([0xA1] * 32), bytes([0xB2] * 32)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def answer(passphrase: bytes) -> Callable[[KeyEntry], bytes]:
    """Return a source that always has this passphrase."""
    return lambda entry: passphrase


def never(entry: KeyEntry) -> bytes:
    """Fail the test: nobody should have asked."""
    raise AssertionError(f"asked for the passphrase of {entry}")


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """A keyring in a folder that does not exist yet."""
    return Keyring(tmp_path / "config" / "keys")


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive keys fast where the number of rounds is not what is tested."""
    monkeypatch.setattr(keyfile, "_ROUNDS", 1000)


# ---------------------------------------------------------------------------------------------------- the key file


@needs_openssl
@pytest.mark.parametrize("passphrase", [None, b"correct horse battery staple"])
def test_openssl_reads_what_we_write(tmp_path: Path, passphrase: bytes | None) -> None:
    """`openssl pkey` reads our key files, plain and encrypted, and finds the same key."""
    path, secret = tmp_path / "x.key", tmp_path / "secret"
    path.write_bytes(encode_key(SEED, passphrase))
    secret.write_bytes(passphrase or b"x")
    command = ["openssl", "pkey", "-in", path, "-passin", f"file:{secret}", "-noout", "-text"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert SEED.hex() in re.sub(r"[\s:]", "", done.stdout)
    assert PUBLIC.hex() in re.sub(r"[\s:]", "", done.stdout)


@needs_openssl
def test_openssl_sees_todays_strength(tmp_path: Path) -> None:
    """The encrypted file says PBES2, 600,000 rounds of PBKDF2-HMAC-SHA256, AES-256-CBC."""
    path = tmp_path / "x.key"
    path.write_bytes(encode_key(SEED, b"p"))
    shown = subprocess.run(["openssl", "asn1parse", "-in", path], capture_output=True, text=True, check=True).stdout
    for expected in ("PBES2", "PBKDF2", "INTEGER           :0927C0", "hmacWithSHA256", "aes-256-cbc"):
        assert expected in shown
    assert 0x0927C0 == 600_000


@needs_openssl
@pytest.mark.parametrize("options", [[], ["-v2", "aes-256-cbc", "-iter", "5000"], ["-scrypt"]])
def test_we_read_what_openssl_writes(tmp_path: Path, options: list[str]) -> None:
    """Keys made by openssl are read: plain, PBKDF2 and scrypt."""
    plain, path = tmp_path / "plain.pem", tmp_path / "x.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", plain], check=True)
    how = [*options, "-passout", "pass:secret"] if options else ["-nocrypt"]
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", plain, "-out", path, *how], check=True)
    expected = load_pem_private_key(plain.read_bytes(), None).private_bytes_raw()  # type: ignore[union-attr]
    assert is_encrypted_key(path.read_bytes()) is bool(options)
    assert decode_key(path.read_bytes(), b"secret").private_bytes_raw() == expected


def test_cryptography_reads_what_we_write() -> None:
    """The library reads our encrypted file, and two files of one key share no bytes of salt or ciphertext."""
    first, second = encode_key(SEED, b"p" * 1023), encode_key(SEED, b"p" * 1023)
    assert load_pem_private_key(first, b"p" * 1023).private_bytes_raw() == SEED  # type: ignore[union-attr]
    assert first != second
    assert load_pem_private_key(encode_key(SEED, None), None).private_bytes_raw() == SEED  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "passphrase", "seed"),
    [
        ("ed25519-pkcs8.pem", None, SEED.hex()),
        ("ed25519-pkcs8-enc.pem", b"password", SEED.hex()),
        ("ed25519-scrypt.pem", b"hunter42", "17ed9c73e9db649e"),
        ("ed25519-nopsw.key", None, "90c73221eacf53a4"),
    ],
)
def test_vectors(name: str, passphrase: bytes | None, seed: str) -> None:
    """Other people's key files are read."""
    data = (VECTORS / name).read_bytes()
    assert is_encrypted_key(data) is (passphrase is not None)
    assert decode_key(data, passphrase).private_bytes_raw().hex().startswith(seed)


@pytest.mark.parametrize("name", ["ed25519-psw.key", "ed25519-aesgcm-psw.key"])
def test_openssh_with_a_passphrase(name: str) -> None:
    """OpenSSH's encrypted form is read if bcrypt is installed; without, the error says what to install."""
    data = (VECTORS / name).read_bytes()
    assert is_encrypted_key(data)
    try:
        import bcrypt  # noqa: F401
    except ImportError:
        with pytest.raises(KeyAccessError, match="pip install bcrypt"):
            decode_key(data, b"password")
    else:
        assert len(decode_key(data, b"password").private_bytes_raw()) == 32


@pytest.mark.parametrize(
    "name", ["ecdsa-nopsw.key", "ed25519-pub.pem", "ed25519-pub.der", "ed25519-pkcs8.der", "sk-ed25519-nopsw.key.pub"]
)
def test_other_kinds_are_refused(name: str) -> None:
    """Keys of another kind, public keys and other encodings are refused by name."""
    with pytest.raises(KeyAccessError) as caught:
        decode_key((VECTORS / name).read_bytes(), None)
    assert (caught.value.code, caught.value.exit_code) == ("CC-KEY-FORM", 6)


@needs_openssl
@pytest.mark.parametrize("algorithm", ["rsa", "x25519", "ed448"])
def test_other_algorithms_are_refused(tmp_path: Path, algorithm: str) -> None:
    """A PKCS#8 file of another algorithm is refused even though the library reads it."""
    path = tmp_path / "x.pem"
    subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", algorithm, "-out", path], check=False)
    if not path.exists() or not path.stat().st_size:  # older openssl has no -quiet
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", algorithm, "-out", path], check=True, stderr=subprocess.DEVNULL
        )
    with pytest.raises(KeyAccessError, match="another kind") as caught:
        decode_key(path.read_bytes(), None)
    assert caught.value.code == "CC-KEY-FORM"


@pytest.mark.usefixtures("few_rounds")
def test_wrong_passphrases() -> None:
    """A wrong passphrase is CC-PASSPHRASE with exit code 6, and never appears in the message."""
    data = encode_key(SEED, b"right")
    for wrong in (b"wrong", b"Right", b"right ", b"righ", b"x" * 1023):
        with pytest.raises(KeyAccessError) as caught:
            decode_key(data, wrong)
        assert (caught.value.code, caught.value.exit_code) == ("CC-PASSPHRASE", 6)
        assert wrong.decode() not in caught.value.message.split()
    for bad in (b"", b"x" * 1024, None):
        with pytest.raises(KeyAccessError) as caught:
            decode_key(data, bad)
        assert caught.value.code == "CC-PASSPHRASE"


@pytest.mark.parametrize("bad", [b"", b"x" * 1024])
def test_unusable_passphrases_are_refused_on_writing(bad: bytes) -> None:
    """No key is written with a passphrase that could not be used again."""
    with pytest.raises(KeyAccessError) as caught:
        encode_key(SEED, bad)
    assert caught.value.code == "CC-PASSPHRASE"


@pytest.mark.usefixtures("few_rounds")
@pytest.mark.parametrize("passphrase", [None, b"p"])
def test_cut_files(passphrase: bytes | None) -> None:
    """A key file cut anywhere but in its last line end is refused, never crashed on."""
    whole = encode_key(SEED, passphrase)
    for size in range(len(whole) - 1):
        with pytest.raises(KeyAccessError):
            decode_key(whole[:size], passphrase)
    assert decode_key(whole[:-1], passphrase).private_bytes_raw() == SEED


@pytest.mark.usefixtures("few_rounds")
def test_flipped_bits() -> None:
    """Whatever bit of the DER flips, the answer is another key or a KeyAccessError, never anything else."""
    text = encode_key(SEED, b"p").split(b"-----")[2]
    der = base64.b64decode(text)
    for bit in range(len(der) * 8):
        damaged = bytearray(der)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decode_key(keyfile._pem("ENCRYPTED PRIVATE KEY", bytes(damaged)), b"p")
        except KeyAccessError:
            continue


def hostile(kdf: str, *values: int) -> bytes:
    """Return a key file whose key derivation asks for these costs."""
    der, integer = keyfile._der, keyfile._integer
    oid = {"pbkdf2": keyfile._PBKDF2, "scrypt": keyfile._SCRYPT, "other": b"\x2a"}[kdf]
    costs = der(0x30, der(0x04, bytes(16)), *(integer(value) for value in values))
    cipher = der(0x30, der(0x06, keyfile._AES_256_CBC), der(0x04, bytes(16)))
    algorithm = der(0x30, der(0x06, keyfile._PBES2), der(0x30, der(0x30, der(0x06, oid), costs), cipher))
    return keyfile._pem("ENCRYPTED PRIVATE KEY", der(0x30, algorithm, der(0x04, bytes(64))))


@pytest.mark.parametrize(
    ("kdf", "values"),
    [
        ("pbkdf2", (10_000_001,)),
        ("pbkdf2", (2**31,)),
        ("pbkdf2", (2**4000,)),
        ("scrypt", (2**17, 8, 1)),
        ("scrypt", (2**30, 8, 1)),
        ("scrypt", (2**16, 9, 1)),
        ("scrypt", (2, 2**24, 1)),
        ("scrypt", (2**14, 8, 2**30)),
    ],
)
def test_a_file_cannot_make_us_hang(kdf: str, values: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Absurd costs are refused before anything is derived: the library is not even called."""
    import cryptography.hazmat.primitives.serialization as library

    def reached(*_: object) -> None:
        raise AssertionError("the library was called")

    monkeypatch.setattr(library, "load_der_private_key", reached)
    with pytest.raises(KeyAccessError, match="made to hang") as caught:
        decode_key(hostile(kdf, *values), b"p")
    assert (caught.value.code, caught.value.exit_code) == ("CC-KEY-COST", 6)


def test_openssh_rounds_are_bounded() -> None:
    """An OpenSSH key that asks for millions of bcrypt rounds is refused before they are done."""
    body = bytearray(base64.b64decode(b"".join((VECTORS / "ed25519-psw.key").read_bytes().split(b"\n")[1:-2])))
    at = body.index(b"bcrypt") + 6 + 4 + 4 + 16  # kdf name, options length, salt length, salt
    assert int.from_bytes(body[at : at + 4], "big") <= 24
    body[at : at + 4] = (2**31).to_bytes(4, "big")
    with pytest.raises(KeyAccessError) as caught:
        decode_key(keyfile._pem("OPENSSH PRIVATE KEY", bytes(body)), b"password")
    assert caught.value.code == "CC-KEY-COST"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b"A" * 100_000,
        hostile("other", 1),
        keyfile._pem("ENCRYPTED PRIVATE KEY", b""),
        keyfile._pem("ENCRYPTED PRIVATE KEY", b"\x30\x84\xff\xff\xff\xff"),
        keyfile._pem("OPENSSH PRIVATE KEY", b"openssh-key-v1\0\xff\xff\xff\xff"),
        keyfile._pem("PRIVATE KEY", b"\x30\x00"),
        keyfile._pem("RSA PRIVATE KEY", b"\x30\x00"),
        encode_key(SEED, None) * 2,
        encode_key(SEED, None).replace(b"M", b"!", 1),
        b"Proc-Type: 4,ENCRYPTED\n" + encode_key(SEED, None),
    ],
)
def test_what_is_no_key_file(data: bytes) -> None:
    """Anything else is refused as CC-KEY-FORM."""
    with pytest.raises(KeyAccessError) as caught:
        decode_key(data, b"p")
    assert caught.value.code == "CC-KEY-FORM"


# ------------------------------------------------------------------------------------------------------ the keyring


def test_create_find_load(keyring: Keyring) -> None:
    """A key is found by its public key without a passphrase, and loaded with it."""
    entry, key = keyring.create(ORIGIN, "self", passphrase=b"secret")
    again = Keyring(keyring.directory)
    assert again.find(key.public_key) == entry
    assert entry.party == "self"
    assert again.list() == (entry,)
    assert again.is_encrypted(entry)
    loaded = again.load(entry, answer(b"secret"))
    assert loaded.public_key == key.public_key == entry.public_key
    assert loaded.sign(b"message") == key.sign(b"message")
    assert again.find(b"\x01" + bytes(32)) is None


def test_plain_keys_ask_nothing(keyring: Keyring) -> None:
    """A plain key is loaded without asking."""
    entry, key = keyring.create(ORIGIN, "self", passphrase=None)
    assert not keyring.is_encrypted(entry)
    assert keyring.load(entry).public_key == key.public_key
    assert keyring.load(entry, never).public_key == key.public_key


def test_an_empty_keyring(keyring: Keyring) -> None:
    """A folder that is not there has no keys, and looking does not make it."""
    assert keyring.list() == ()
    assert not keyring.directory.exists()


def test_the_pub_file(keyring: Keyring) -> None:
    """Beside the key stands one line: party and public key."""
    entry, key = keyring.create(ORIGIN, "yayasan-été", passphrase=None)
    pub = entry.path.with_suffix(".pub")
    assert pub.read_text("utf-8") == f"yayasan-été {key.public_key.hex()}\n"
    assert keyring.list()[0].party == "yayasan-été"


def test_names(keyring: Keyring) -> None:
    """Names show ledger and party; the same name again gets a number; nothing leaves the folder."""
    names = [
        keyring.create(origin, party, passphrase=None)[0].path.name
        for origin, party in [
            (ORIGIN, "self"),
            (ORIGIN, "self"),
            ("relief.example_2026", "self"),
            ("../../etc", "pass/wd"),
            ("-rf", "..."),
            ("o" * 500, "p" * 128),
        ]
    ]
    assert names == [
        "relief.example_2026.self.key",
        "relief.example_2026.self.2.key",
        "relief.example_2026.self.3.key",
        "_._.._etc.pass_wd.key",
        "_rf._...key",
        "o" * 96 + "." + "p" * 96 + ".key",
    ]
    assert len(keyring.list()) == 6
    assert sorted(path.suffix for path in keyring.directory.iterdir()) == [".key"] * 6 + [".pub"] * 6


def test_a_mark_without_its_key_keeps_the_name(keyring: Keyring) -> None:
    """A new key never gets the mark of one that was moved away."""
    entry, _ = keyring.create(ORIGIN, "self", passphrase=None)
    HighWaterMark.open(entry.path.with_suffix(".mark"), A).close()
    entry.path.rename(keyring.directory / "moved")
    again, _ = keyring.create(ORIGIN, "self", passphrase=None)
    assert again.path.name == "relief.example_2026.self.2.key"


def test_a_party_with_white_space(keyring: Keyring) -> None:
    """A party id that the line could not hold is the caller's bug; no file is left."""
    with pytest.raises(ValueError, match="white space"):
        keyring.create(ORIGIN, "a b", passphrase=None)
    assert keyring.list() == ()


def test_modes_under_umask_000(tmp_path: Path) -> None:
    """Key files are 0600 from the first moment and folders 0700, whatever the umask, and no temporary file stays."""
    code = (
        "import os, sys; os.umask(int(sys.argv[2], 8)); from pathlib import Path\n"
        "from charitychain.keyring import *\n"
        "entry, _ = Keyring(Path(sys.argv[1]) / 'c' / 'k').create('o', 'self', passphrase=None)\n"
        "HighWaterMark.open(entry.path.with_suffix('.mark'), bytes(32)).close()\n"
    )
    for umask in ("000", "077", "277"):
        folder = tmp_path / umask
        folder.mkdir()
        if umask == "277":
            (folder / "c" / "k").mkdir(parents=True, mode=0o700)
        subprocess.run([sys.executable, "-c", code, str(folder), umask], check=True)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "c" / "k").iterdir()}
        assert modes == {"o.self.key": 0o600, "o.self.pub": 0o644, "o.self.mark": 0o600}
    assert stat.S_IMODE((tmp_path / "000" / "c").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "000" / "c" / "k").stat().st_mode) == 0o700


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_key_is_durable_before_its_name(tmp_path: Path) -> None:
    """The system sees: exclusive creation with mode 0600, fsync, the name, fsync of the folder."""
    log = tmp_path / "log"
    code = (
        "import sys; from pathlib import Path; from charitychain.keyring import Keyring\n"
        "Keyring(Path(sys.argv[1])).create('o', 'self', passphrase=None)\n"
    )
    calls = "trace=openat,fsync,link,linkat,rename,renameat,unlink"
    command = ["strace", "-f", "-y", "-o", log, "-e", calls, sys.executable, "-c", code, tmp_path / "keys"]
    if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("this system does not allow strace")
    lines = [line for line in log.read_text().splitlines() if "/keys" in line]
    first = next(number for number, line in enumerate(lines) if ".tmp" in line)
    assert re.search(r"O_WRONLY\|O_CREAT\|O_EXCL\|O_CLOEXEC, 0600", lines[first])
    assert re.search(r"fsync\(\d+<.*\.tmp>", lines[first + 1])
    assert re.search(r"link(at)?\(.*o\.self\.key", lines[first + 2])
    folder_synced = next(number for number, line in enumerate(lines) if re.search(r"fsync\(\d+<[^>]*/keys>\)", line))
    assert folder_synced > first + 2


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o666, 0o610])
def test_a_key_open_to_others_is_refused(keyring: Keyring, mode: int) -> None:
    """A key file that group or others can read or write is refused, with the command that mends it."""
    entry, _ = keyring.create(ORIGIN, "self", passphrase=None)
    entry.path.chmod(mode)
    for attempt in (keyring.load, keyring.is_encrypted):
        with pytest.raises(KeyAccessError, match=f"chmod 600 {re.escape(str(entry.path))}") as caught:
            attempt(entry)
        assert (caught.value.code, caught.value.exit_code) == ("CC-KEY-MODE", 6)
    entry.path.chmod(0o400)
    keyring.load(entry)


def test_swapped_files(keyring: Keyring) -> None:
    """A key file that holds another key than the line beside it is refused."""
    first, _ = keyring.create(ORIGIN, "a", passphrase=None)
    second, _ = keyring.create(ORIGIN, "b", passphrase=None)
    os.replace(second.path, first.path)
    with pytest.raises(KeyAccessError) as caught:
        keyring.load(first)
    assert (caught.value.code, caught.value.exit_code) == ("CC-KEY-MISMATCH", 6)


@pytest.mark.usefixtures("few_rounds")
def test_a_wrong_passphrase(keyring: Keyring) -> None:
    """A wrong or missing passphrase is CC-PASSPHRASE, exit 6, and the message names the file."""
    entry, _ = keyring.create(ORIGIN, "self", passphrase=b"right")
    for source in (None, answer(b"wrong")):
        with pytest.raises(KeyAccessError, match=re.escape(str(entry.path))) as caught:
            keyring.load(entry, source)
        assert (caught.value.code, caught.value.exit_code) == ("CC-PASSPHRASE", 6)


def test_a_truncated_key_file(keyring: Keyring) -> None:
    """A truncated key file is refused with its path."""
    entry, _ = keyring.create(ORIGIN, "self", passphrase=None)
    entry.path.write_bytes(entry.path.read_bytes()[:60])
    with pytest.raises(KeyAccessError, match=re.escape(str(entry.path))) as caught:
        keyring.load(entry)
    assert caught.value.code == "CC-KEY-FORM"


def test_files_that_are_not_ours(keyring: Keyring) -> None:
    """SSH keys, notes, pipes, folders and halves of a pair in the folder are passed over."""
    entry, key = keyring.create(ORIGIN, "self", passphrase=None)
    folder = keyring.directory
    good = f"other {key.public_key.hex()}\n"
    for name, text in {
        "ssh.pub": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN1mDO2AAUULtPk+J+tTL+Qy7Q+fCrVq7e9K0od7sUUw me\n",
        "cut.pub": good[:-5],
        "more.pub": good * 2,
        "caps.pub": good.upper(),
        "binary.pub": "\x00",
        "huge.pub": good + " " * 5000,
    }.items():
        (folder / name).write_text(text)
        (folder / name.replace(".pub", ".key")).touch(0o600)
    (folder / "alone.pub").write_text(good)
    (folder / "folder.pub").mkdir()
    (folder / "folder.key").touch()
    os.mkfifo(folder / "pipe.pub")
    (folder / "pipe.key").touch()
    assert keyring.list() == (entry,)


def test_a_pipe_as_key_file(keyring: Keyring) -> None:
    """A pipe in the place of a key file is refused; it does not hang."""
    entry, _ = keyring.create(ORIGIN, "self", passphrase=None)
    entry.path.unlink()
    os.mkfifo(entry.path, 0o600)
    with pytest.raises(KeyAccessError) as caught:
        keyring.load(entry)
    assert caught.value.code == "CC-KEY-READ"
    entry.path.unlink()
    with pytest.raises(KeyAccessError, match="No such file") as caught:
        keyring.load(entry)
    assert caught.value.code == "CC-KEY-READ"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Where no folder can be, creating fails as CC-STATE and listing as CC-KEY-READ."""
    (tmp_path / "file").touch()
    keyring = Keyring(tmp_path / "file" / "keys")
    with pytest.raises(StorageError) as caught:
        keyring.create(ORIGIN, "self", passphrase=None)
    assert caught.value.code == "CC-STATE"
    with pytest.raises(KeyAccessError) as denied:
        Keyring(tmp_path / "file").list()
    assert denied.value.code == "CC-KEY-READ"


def test_racing_processes_get_their_own_keys(tmp_path: Path) -> None:
    """Processes that make keys of one name at once each get their own file."""
    code = (
        "import sys; from pathlib import Path; from charitychain.keyring import Keyring\n"
        "for _ in range(5): Keyring(Path(sys.argv[1])).create('o', 'self', passphrase=None)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    keyring = Keyring(tmp_path)
    entries = keyring.list()
    assert len({entry.public_key for entry in entries}) == len(entries) == 20
    for entry in entries:
        keyring.load(entry)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"CHARITYCHAIN_KEYS": "/k", "XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/k"),
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/charitychain/keys"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}, "/h/.config/charitychain/keys"),
        ({"CHARITYCHAIN_KEYS": "", "XDG_CONFIG_HOME": "", "HOME": "/h"}, "/h/.config/charitychain/keys"),
    ],
)
def test_default_directory(environ: dict[str, str], expected: str) -> None:
    """The folder is the chosen one, else the one of the XDG base directory specification."""
    assert default_directory(environ) == Path(expected)


def test_the_keyring_uses_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a folder, a keyring takes the user's."""
    monkeypatch.setenv("CHARITYCHAIN_KEYS", str(tmp_path))
    assert Keyring().directory == tmp_path


# ------------------------------------------------------------------------------------------------------ passphrases

ENTRY = KeyEntry(Path("/k/x.key"), "self", b"")


def test_order_of_sources(tmp_path: Path) -> None:
    """File goes before command, both before the environment, and a prompt comes last."""
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_bytes(b"from file\n")
    other.write_bytes(b"from environment's file\r\nsecond line\n")
    command = f"{sys.executable} -c 'print(\"from command\")'"
    direct = {"CHARITYCHAIN_PASSPHRASE": "from environment"}
    by_file = {"CHARITYCHAIN_PASSPHRASE_FILE": str(other)}
    by_command = {"CHARITYCHAIN_PASSPHRASE_COMMAND": command.replace("from", "other")}
    everything = {**direct, **by_file, **by_command}
    assert passphrase_source(file=file, command=command, environ=everything, prompt=never)(ENTRY) == b"from file"
    assert passphrase_source(command=command, environ=everything, prompt=never)(ENTRY) == b"from command"
    assert passphrase_source(environ=everything, prompt=never)(ENTRY) == b"from environment"
    assert passphrase_source(environ={**by_file, **by_command}, prompt=never)(ENTRY) == b"from environment's file"
    assert passphrase_source(environ=by_command, prompt=never)(ENTRY) == b"other command"
    assert passphrase_source(environ={}, prompt=answer(b"typed"))(ENTRY) == b"typed"


def test_no_shell_runs_the_command(tmp_path: Path) -> None:
    """Shell syntax in a passphrase command is plain text."""
    found = passphrase_source(command=f"echo a; touch {tmp_path}/made", environ={})(ENTRY)
    assert found == f"a; touch {tmp_path}/made".encode()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"file": "/nonexistent"},
        {"file": os.devnull},
        {"command": "false"},
        {"command": "true"},
        {"command": "/nonexistent/command"},
        {"command": ""},
        {"command": "echo 'unclosed"},
        {"environ": {"CHARITYCHAIN_PASSPHRASE": ""}},
        {"environ": {"CHARITYCHAIN_PASSPHRASE": "\nsecond line"}},
        {"prompt": lambda entry: b""},
    ],
)
def test_no_passphrase(options: dict[str, object]) -> None:
    """A source that has nothing, fails or is empty is CC-PASSPHRASE; the next one is not tried."""
    with pytest.raises(KeyAccessError) as caught:
        passphrase_source(**{"environ": {}, **options})(ENTRY)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.exit_code) == ("CC-PASSPHRASE", 6)


# --------------------------------------------------------------------------------------------------------- the mark


def block(height: int) -> bytes:
    """Return a block hash for a height."""
    return bytes([0x5A]) + height.to_bytes(31, "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a mark goes."""
    return tmp_path / "x.mark"


def test_a_new_mark(path: Path) -> None:
    """A new mark has sealed nothing, and is a file of two slots."""
    with HighWaterMark.open(path, A) as mark:
        assert (mark.height, mark.block_hash) == (-1, None)
    with HighWaterMark.open(path, A) as mark:
        assert mark.height == -1
    assert path.stat().st_size == 320
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_advance(path: Path) -> None:
    """The mark rises, also by more than one, and a later process reads it; the file keeps its size."""
    with HighWaterMark.open(path, A) as mark:
        for height in (0, 1, 2, 7, 2**63 - 1):
            mark.advance(height, block(height))
            assert (mark.height, mark.block_hash) == (height, block(height))
            mark.advance(height, block(height))
    with HighWaterMark.open(path, A) as mark:
        assert (mark.height, mark.block_hash) == (2**63 - 1, block(2**63 - 1))
    assert path.stat().st_size == 320


def test_the_format(path: Path) -> None:
    """The file is two lines of text that anybody can read."""
    with HighWaterMark.open(path, A) as mark:
        mark.advance(41, B)
    lines = path.read_text("ascii").splitlines()
    assert [line.split()[:3] for line in lines] == [
        [A.hex(), "-0000000000000000001", "00" * 32],
        [A.hex(), "00000000000000000041", B.hex()],
    ] or [line.split()[:3] for line in lines] == [
        [A.hex(), "00000000000000000041", B.hex()],
        [A.hex(), "-0000000000000000001", "00" * 32],
    ]


def test_it_never_falls(path: Path) -> None:
    """Lower heights, and another block of the same height, are refused and leave the mark as it is."""
    with HighWaterMark.open(path, A) as mark:
        mark.advance(5, block(5))
        for height, found in ((4, B), (0, B), (-1, bytes(32)), (5, block(6)), (2**63, B), (6, b"")):
            with pytest.raises(ValueError, match=r"never"):
                mark.advance(height, found)
        assert (mark.height, mark.block_hash) == (5, block(5))


def test_another_ledger(path: Path) -> None:
    """The mark of another ledger is refused."""
    HighWaterMark.open(path, A).close()
    with pytest.raises(VerificationError) as caught:
        HighWaterMark.open(path, B)
    assert caught.value.code == "CC-MARK"


def test_every_torn_write(path: Path) -> None:
    """However much of the last write reached the disk, the mark stands at the last or the one before."""
    with HighWaterMark.open(path, A) as mark:
        mark.advance(1, block(1))
        mark.advance(2, block(2))
    before = path.read_bytes()
    with HighWaterMark.open(path, A) as mark:
        mark.advance(3, block(3))
    after = path.read_bytes()
    changed = [at for at in range(320) if before[at] != after[at]]
    start = min(changed) // 160 * 160
    assert max(changed) < start + 160
    for size in range(161):
        for torn in (
            before[:start] + after[start : start + size] + before[start + size :],
            before[:start] + after[start : start + size] + bytes(160 - size) + before[start + 160 :],
        ):
            path.write_bytes(torn)
            with HighWaterMark.open(path, A) as mark:
                assert mark.height in (2, 3)
                assert mark.block_hash == block(mark.height)
                mark.advance(4, block(4))
            with HighWaterMark.open(path, A) as mark:
                assert mark.height == 4


def test_any_flipped_bit(path: Path) -> None:
    """A flipped bit in one slot leaves the other; it never makes a third value."""
    with HighWaterMark.open(path, A) as mark:
        mark.advance(1, block(1))
        mark.advance(2, block(2))
    whole = path.read_bytes()
    for bit in range(0, len(whole) * 8, 3):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with HighWaterMark.open(path, A) as mark:
            assert (mark.height, mark.block_hash) in ((1, block(1)), (2, block(2)))


@pytest.mark.parametrize("content", [b"", b"\0" * 320, b"x" * 320, b"x" * 1000])
def test_a_damaged_mark(path: Path, content: bytes) -> None:
    """With both slots gone nobody knows what was sealed: an error with words what to do, and the file is kept."""
    path.write_bytes(content)
    with pytest.raises(StorageError, match="move this file away") as caught:
        HighWaterMark.open(path, A)
    assert caught.value.code == "CC-STATE"
    assert path.read_bytes() == content


def test_one_holder(path: Path) -> None:
    """A second holder is refused while the first one is there, also from another process."""
    code = "import sys; from pathlib import Path; from charitychain.keyring import *\n" + (
        "from charitychain.errors import LockedError\n"
        "try: HighWaterMark.open(Path(sys.argv[1]), bytes([0xA1] * 32))\n"
        "except LockedError as error: sys.exit(error.exit_code)\n"
    )
    with HighWaterMark.open(path, A):
        with pytest.raises(LockedError):
            HighWaterMark.open(path, A)
        assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 5
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0


def test_closed_and_forked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed mark, or one of the parent process, advances nothing."""
    mark = HighWaterMark.open(path, A)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        with pytest.raises(ValueError, match="parent process"):
            mark.advance(0, block(0))
    mark.advance(0, block(0))
    mark.close()
    mark.close()
    with pytest.raises(ValueError, match="closed"):
        mark.advance(1, block(1))


def test_a_failing_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed sync nothing is acknowledged and the handle is dead; opened again, the mark is one of the two."""
    from charitychain import mark as module

    def failing(_: int) -> None:
        raise OSError(5, "Input/output error")

    mark = HighWaterMark.open(path, A)
    mark.advance(0, block(0))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_datasync", failing)
        with pytest.raises(StorageError) as caught:
            mark.advance(1, block(1))
    assert caught.value.code == "CC-STATE"
    assert mark.height == 0
    with pytest.raises(ValueError, match="closed"):
        mark.advance(1, block(1))
    with HighWaterMark.open(path, A) as again:
        assert again.height in (0, 1)
