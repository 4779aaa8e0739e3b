"""Policies: published ones in C2SP's spelling of keys, and what each line must not say."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from charitychain import cosignature, note
from charitychain.errors import MalformedError
from charitychain.keys import PrivateKey
from charitychain.note import Checkpoint
from charitychain.policy import MAX_POLICY_BYTES, Policy, parse_policy

VECTORS = Path(__file__).parents[1] / "vectors" / "policy"


def key_of(label: str) -> PrivateKey:
    return PrivateKey.from_seed(sha256(label.encode()).digest())


def log(label: str) -> str:
    return note.vkey(f"{label}.example", key_of(label).public_key)


def witness(label: str) -> str:
    return cosignature.vkey(f"{label}.example", key_of(label).public_key)


A, B, C = (f"witness {name} {witness(name)}\n" for name in "ABC")


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_bytes())


def from_sigsum(text: str) -> bytes:
    """Put a verifier key in the place of each key that sigsum's tests make up in hexadecimal."""
    text = re.sub(r"(\blog +)([0-9a-f]{64})", lambda match: match[1] + log(match[2][-8:]), text)
    return re.sub(r"[0-9a-f]{64}", lambda match: witness(match[0][-8:]), text).encode()


def from_formats(text: str) -> bytes:
    """Write each witness's key as one of type 0x04, as it is already in one case."""

    def rewrite(match: re.Match[str]) -> str:
        key = note.parse_vkey(match[0])
        return cosignature.vkey(key.name, key.public_key)

    return re.sub(r"\S+\+[0-9a-f]{8}\+A[Q-f]\S+", rewrite, text).encode()


def test_published_policies_of_sigsum() -> None:
    """Sigsum's valid policies are taken and answer its questions on the quorum; its invalid ones are refused."""
    vectors, answered = load("sigsum.json"), 0
    for case in vectors["valid"]:
        policy = parse_policy(from_sigsum(case["policy"]))
        for question in case["quorum"]:
            names = {f"W{number}" for number in question["witnesses"]}
            assert policy.satisfied_by(names) == question["sufficient"], names
            assert bool(policy.missing(names)) != question["sufficient"]
            answered += 1
    assert (len(vectors["valid"]), answered) == (2, 9)
    for case in vectors["invalid"]:
        with pytest.raises(MalformedError) as caught:
            parse_policy(from_sigsum(case["policy"]))
        assert caught.value.code == "CC-POLICY", case["name"]
        # Most of them have no quorum either; they must fall by the fault that they are there for.
        assert ("without a quorum" in str(caught.value)) == (case["error"] == "no quorum"), case["name"]
    assert len(vectors["invalid"]) == 13


def test_published_policies_of_formats() -> None:
    """The one policy there that C2SP allows is taken; comments at line ends and keys that count twice are not."""
    vectors = load("formats.json")
    first, *laxer = vectors["accepted_there"]
    policy = parse_policy(from_formats(first))
    assert [each.url for each in policy.witnesses] == ["https://sigsum.org/witness/", "https://example.com/witness/"]
    assert (policy.satisfied_by({"w1"}), policy.satisfied_by({"w1", "w2"})) == (False, True)
    for text, why in zip(laxer, ("a comment has its own line", *3 * ("count twice",)), strict=True):
        with pytest.raises(MalformedError, match=why):
            parse_policy(from_formats(text))
    for case in vectors["invalid"]:
        with pytest.raises(MalformedError):
            parse_policy(from_formats(case["policy"]))
    assert len(vectors["invalid"]) == 6


@pytest.mark.parametrize(
    ("name", "witnesses", "needed"),
    [("sigsum-test1-2025", 3, 2), ("sigsum-test2-2025", 7, 4), ("sigsum-test-2025-3", 8, 4)],
)
def test_real_policies(name: str, witnesses: int, needed: int) -> None:
    """Policies in use are taken with their real keys, which are all sound."""

    def rewrite(match: re.Match[str]) -> str:
        key = b"\x01" + bytes.fromhex(match[3])
        if match[1] == "log":
            return f"log {note.vkey('log.example', key)}"
        return f"witness {match[2]}{cosignature.vkey(match[2].strip(), key)}"

    text = (VECTORS / f"{name}.builtin-policy").read_text("utf-8")
    policy = parse_policy(re.sub(r"(?m)^(log|witness) +(\S+ +)?([0-9a-f]{64})", rewrite, text).encode())
    assert (len(policy.witnesses), policy.groups[-1].needed, policy.quorum) == (witnesses, needed, "quorum-rule")
    assert policy.satisfied_by({each.name for each in policy.witnesses})
    assert not policy.satisfied_by({"poc.sigsum.org/nisse"})


def test_a_policy_in_parts() -> None:
    """Logs, witnesses, groups and quorum come as the file says; comments, blanks and tabs mean nothing."""
    policy = parse_policy(
        f"# all\n\t # of it\n \t\nlog\t{log('L')}  https://l.example/ \n{A}{B}{C}"
        "group two 2 A B C\ngroup any any two\nquorum any".encode()
    )
    assert [(each.key.name, each.url) for each in policy.logs] == [("L.example", "https://l.example/")]
    assert [(each.name, each.key.name) for each in policy.witnesses] == [(name, f"{name}.example") for name in "ABC"]
    assert [(each.name, each.needed, each.members) for each in policy.groups] == [
        ("two", 2, ("A", "B", "C")),
        ("any", 1, ("two",)),
    ]
    assert policy.quorum == "any"


@pytest.mark.parametrize(
    ("rule", "enough", "short"),
    [
        ("quorum none", [""], []),
        ("quorum A", ["A", "AB"], ["", "B", "BC"]),
        ("group g all A B C\nquorum g", ["ABC"], ["", "AB", "BC"]),
        ("group g any A B\nquorum g", ["A", "B", "BC"], ["", "C"]),
        ("group g 2 A B C\nquorum g", ["AB", "BC", "ABC"], ["", "A", "C"]),
        ("group h any B C\ngroup g all A h\nquorum g", ["AB", "AC"], ["A", "BC"]),
    ],
)
def test_who_is_enough(rule: str, enough: list[str], short: list[str]) -> None:
    """A quorum is met by exactly the sets of witnesses that the rule says."""
    policy = parse_policy(f"{A}{B}{C}{rule}\n".encode())
    for names in enough:
        assert policy.satisfied_by(set(names))
        assert policy.missing(set(names)) == ()
    for names in short:
        assert not policy.satisfied_by(set(names))
        assert policy.missing(set(names))


def test_names_of_groups_and_strangers_count_for_nothing() -> None:
    """Whoever calls itself as a group or as nobody in the policy adds nothing."""
    policy = parse_policy(f"{A}{B}group h any A\ngroup g all h B\nquorum g\n".encode())
    assert not policy.satisfied_by({"g", "h", "B", "none", "stranger"})
    assert policy.satisfied_by({"A", "B"})


def test_what_is_missing_in_words() -> None:
    """The words go from the quorum down to every group that is short, and name who is not there."""
    policy = parse_policy(f"{A}{B}{C}group h any B C\ngroup g all A h\nquorum g\n".encode())
    assert policy.missing({"A"}) == (
        "group g needs 2 of 2 and has 1; not there: h",
        "group h needs 1 of 2 and has 0; not there: B, C",
    )
    assert parse_policy(f"{A}quorum A".encode()).missing(set()) == ("witness A has not cosigned",)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "without a quorum"),
        (f"{A}quorum A\nquorum A\n", 3, "second quorum"),
        ("quorum none\nquorum none\n", 2, "second quorum"),
        (f"quorum A\n{A}", 1, "not defined above"),
        (f"{A}group g all A B\n{B}quorum g\n", 2, "B is not defined above"),
        ("group g all g\nquorum g\n", 1, "g is not defined above"),
        (f"{A}group g all A A\nquorum g\n", 2, "already"),
        (f"{A}{B}group g any A\ngroup h any B A\nquorum g\n", 4, "already"),
        (f"{A}group A all A\nquorum A\n", 2, "taken"),
        (f"{A}group none all A\nquorum none\n", 2, "taken"),
        (f"{A}group g any none\nquorum g\n", 2, "not defined"),
        (f"{A}{A}quorum A\n", 2, "taken"),
        (f"{A}witness D {cosignature.vkey('other.example', key_of('A').public_key)}\nquorum A\n", 2, "count twice"),
        (f"log {log('L')}\nlog {note.vkey('m.example', key_of('L').public_key)}\nquorum none\n", 2, "stands above"),
        (f"witness W {log('W')}\nquorum none\n", 1, "type 0x01"),
        (f"log {witness('W')}\nquorum none\n", 1, "algorithm 4"),
        (f"\n\nwitness W {witness('W')[:-1]}A\nquorum none\n", 3, "cosigner"),
        *((f"{A}{B}group g {k} A B\n", 3, "from 1 to its 2") for k in ("0", "3", "-1", "+1", "01", "1_0", "٢")),
        (f"{A}group g 1\nquorum g\n", 2, "expected `group"),
        ("quorum\n", 1, "expected `quorum"),
        ("quorum none # all\n", 1, "own line"),
        ("Quorum none\n", 1, "begins with"),
        ("quorum none\r\n", 1, "0x0d"),
        ("# \x0c\nquorum none\n", 1, "0x0c"),
        ("quorum none\n# \x7f\n", 2, "0x7f"),
        ("quorum\u00a0none\n", 1, "begins with"),
        ("\ufeffquorum none\n", 1, "begins with"),
    ],
)
def test_what_is_no_policy(text: str, line: int, words: str) -> None:
    """Each fault is refused with file and line, and says which it is."""
    with pytest.raises(MalformedError, match=words) as caught:
        parse_policy(text.encode(), "believed.policy")
    assert caught.value.code == "CC-POLICY"
    assert f"believed.policy, line {line}: " in str(caught.value)


def test_names_are_bytes() -> None:
    """Names that look alike, or are not UTF-8, are told apart by their bytes."""
    kelvin = f"witness \u212a {witness('A')}\nwitness K {witness('B')}\ngroup g all \u212a K\nquorum g\n".encode()
    assert not parse_policy(kelvin).satisfied_by({"K"})
    raw = b"witness \xff " + witness("A").encode() + b"\nwitness \xfe " + witness("B").encode() + b"\nquorum \xfe\n"
    policy = parse_policy(raw)
    assert policy.satisfied_by({"\udcfe"})
    assert not policy.satisfied_by({"\udcff"})


def test_bounds() -> None:
    """Thirty-two each of logs, witnesses and groups in a chain are read, and a file beyond 64 KiB is not."""
    lines = [f"log {log(f'l{i}')}\nwitness w{i} {witness(f'w{i}')}\n" for i in range(32)]
    lines += [f"group g{i} all w{i}{f' g{i - 1}' if i else ''}\n" for i in range(32)]
    policy = parse_policy("".join((*lines, "quorum g31\n")).encode())
    everyone = {f"w{i}" for i in range(32)}
    assert policy.satisfied_by(everyone)
    assert not policy.satisfied_by(everyone - {"w0"})
    assert len(policy.missing(set())) == 32
    assert parse_policy(b"quorum none\n".ljust(MAX_POLICY_BYTES, b"\n")).quorum == "none"
    with pytest.raises(MalformedError, match="65536 bytes"):
        parse_policy(b"quorum none\n".ljust(MAX_POLICY_BYTES + 1, b"\n"))


def test_who_cosigned_goes_by_the_names_of_the_policy() -> None:
    """Two witnesses whose keys have one name are told apart by their keys, and each counts under its policy's name."""
    old, new = key_of("old"), key_of("new")
    policy: Policy = parse_policy(
        f"witness old {cosignature.vkey('w.example', old.public_key)}\n"
        f"witness new {cosignature.vkey('w.example', new.public_key)}\ngroup g all old new\nquorum g\n".encode()
    )
    seal = note.sign_checkpoint(Checkpoint("l.example", 1, bytes(32)), key_of("L"))
    assert policy.cosigned(seal) == {}
    once = seal + cosignature.cosign(seal, "w.example", new, 7)
    assert policy.cosigned(once) == {"new": 7}
    assert not policy.satisfied_by(policy.cosigned(once).keys())
    both = once + cosignature.cosign(once, "w.example", old, 9)
    assert policy.satisfied_by(policy.cosigned(both).keys())
