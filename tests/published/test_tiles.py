"""Tiles of hashes and bundles of entries: the text of the specification, logs that others published, and our own."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest

from charitychain import cosignature, merkle, note
from charitychain.errors import CharitychainError, UnreadableError, VerificationError
from charitychain.fetch import Folder
from charitychain.merkle import RFC6962
from charitychain.tiles import (
    Growth,
    TileTree,
    decode_entries,
    encode_entries,
    entries_path,
    number_path,
    tile_path,
)

VECTORS = Path(__file__).parents[1] / "vectors"


def vectors(path: str) -> Any:
    return json.loads((VECTORS / path).read_bytes())


def grown(size: int) -> tuple[dict[str, bytes], Growth, list[bytes]]:
    """Return the tiles of a log of `size` small leaves as files by path, its right edge, and its leaf hashes."""
    growth, files, leaves = Growth(), {}, [RFC6962.leaf_hash(b"%d" % number) for number in range(size)]
    for leaf in leaves:
        files.update(growth.append(leaf))
    return files | dict(growth.partial_tiles()), growth, leaves


def tree_of(files: dict[str, bytes], size: int) -> TileTree:
    return TileTree(lambda path, limit: files.get(path), size)


# ------------------------------------------------------------------------------------- what others wrote


def test_paths_are_those_of_the_specification() -> None:
    """Numbers go in groups of three digits, all but the last with an x; partial tiles say their width."""
    for number, path in vectors("tlog-tiles/paths.json")["index_to_path"].items():
        assert number_path(int(number)) == path
    assert [number_path(number) for number in (0, 999, 1000, 1_000_000)] == ["000", "999", "x001/000", "x001/x000/000"]
    assert tile_path(2, 5, 17) == "tile/2/005.p/17" and entries_path(1000) == "tile/entries/x001/000"
    for width in (0, 257):
        with pytest.raises(ValueError):
            tile_path(0, 0, width)


def test_a_tree_has_the_tiles_of_the_specification() -> None:
    """A tree of 70,000 leaves has 273 full tiles at the bottom, and one of 256 has one full and one partial tile."""
    said = vectors("tlog-tiles/paths.json")
    files, _, _ = grown(70_000)
    tree = said["tree_70000"]
    bottom = [path for path in files if path.startswith("tile/0/")]
    assert len(bottom) == tree["level0_full"] + 1
    assert f"tile/0/273.p/{tree['level0_partial_width']}" in bottom
    assert sorted(path for path in files if path.startswith("tile/1/")) == [
        "tile/1/000", f"tile/1/001.p/{tree['level1_partial_width']}",
    ]  # fmt: skip
    assert [path for path in files if path.startswith("tile/2/")] == [f"tile/2/000.p/{tree['level2_partial_width']}"]
    assert sorted(grown(256)[0]) == ["tile/0/000", f"tile/1/000.p/{said['tree_256']['level1_partial_width']}"]


def test_the_log_of_another_implementation_is_read() -> None:
    """Each of 16 checkpoints of a growing log (tessera) is verified, and its tiles and entries lead to its root."""
    folder, log = VECTORS / "tessera-log", vectors("tessera-log/log.json")
    key = note.parse_vkey(log["vkey"])
    checkpoints = []
    for size in range(16):
        told = note.parse_checkpoint(note.open_note((folder / f"checkpoint.{size}").read_bytes(), [key]).text)
        tree = TileTree(Folder(folder).get, size)
        assert (told.size, told.root) == (size, tree.root())
        if size:
            assert tree.entries(0) == [text.encode() for text in log["entries"][:size]]
            assert [tree.leaf(at, told.root) for at in range(size)] == [
                RFC6962.leaf_hash(text.encode()) for text in log["entries"][:size]
            ]
        checkpoints.append(told)
        for before in checkpoints[1:]:
            proof = merkle.prove_consistency_from_nodes(RFC6962, tree.node, before.size, size)
            merkle.check_consistency(RFC6962, proof, before.size, before.root, size, told.root)


def test_the_tiles_of_a_mirror_are_read() -> None:
    """300 leaves that a mirror (sunlight) serves, a full tile and a partial one, lead to the root that it cosigned."""
    folder = VECTORS / "sunlight-cosigned"
    data = (folder / "mirror-checkpoint.txt").read_bytes()
    (vkey,) = vectors("sunlight-cosigned/witness-mirror-mirror.v0.json")["verifier_keys"]
    assert cosignature.open_cosigned(data, [cosignature.parse_vkey(vkey)])
    told = note.parse_checkpoint(note.parse_note(data).text)
    tree = TileTree(Folder(folder / "mirror").get, told.size)
    assert told.size == 300 and tree.root() == told.root
    for index in (0, 1, 255, 256, 299):
        assert tree.leaf(index, told.root) == RFC6962.leaf_hash(b"record %d" % index)


def test_proofs_of_a_log_in_service_hold() -> None:
    """Checkpoints and inclusion proofs of a real log (Rekor v2, staging) are verified, and the bad ones refused."""
    said, good = vectors("rekor2-staging/cases.json"), 0
    keys = [note.parse_vkey(vkey) for vkey in said["log_vkeys"].values()]
    for case in said["cases"]:
        root = base64.b64decode(case["root_hash_b64"])
        leaf = RFC6962.leaf_hash(base64.b64decode(case["leaf_data_b64"]))
        proof = [base64.b64decode(text) for text in case["proof_b64"]]
        index, size = int(case["log_index"]), int(case["tree_size"])
        merkle.check_inclusion(RFC6962, proof, index, leaf, size, root)
        with pytest.raises(VerificationError):
            merkle.check_inclusion(RFC6962, proof, index - 1, leaf, size, root)
        try:
            told = note.parse_checkpoint(note.open_note(case["checkpoint"].encode(), keys).text)
        except CharitychainError:
            assert not case["checkpoint_should_verify"], case["name"]
        else:
            assert case["checkpoint_should_verify"], case["name"]
            assert (told.size, told.root) == (size, root)
            good += 1
    assert (good, len(said["cases"])) == (13, 18)


# ----------------------------------------------------------------------------------------------- our own


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 700, 65_536, 65_793])
def test_tiles_lead_to_the_root_and_prove(size: int) -> None:
    """Root, inclusion and consistency from tiles are those of the leaves, at every kind of edge."""
    files, growth, leaves = grown(size)
    tree, root = tree_of(files, size), merkle.root(RFC6962, leaves)
    assert tree.root() == growth.root() == root
    chance = random.Random(size)
    for index in {0, size - 1, *(chance.randrange(size) for _ in range(20))}:
        assert tree.leaf(index, root) == leaves[index]
    for old in {1, size, *(chance.randint(1, size) for _ in range(20))}:
        proof = merkle.prove_consistency_from_nodes(RFC6962, tree.node, old, size)
        merkle.check_consistency(RFC6962, proof, old, merkle.root(RFC6962, leaves[:old]), size, root)


@pytest.mark.parametrize("first", [1, 255, 256, 257, 512, 600])
def test_growing_in_two_steps_gives_the_same_files(first: int) -> None:
    """A log resumed from its tiles goes on as one that never stopped."""
    before, _, _ = grown(first)
    growth = Growth.resume(tree_of(before, first))
    after: dict[str, bytes] = {}
    _, whole, leaves = grown(700)
    for leaf in leaves[first:]:
        after.update(growth.append(leaf))
    after.update(growth.partial_tiles())
    assert growth.root() == whole.root()
    assert {path: data for path, data in (before | after).items() if path in grown(700)[0]} == grown(700)[0]


def test_every_changed_byte_of_a_tile_is_found() -> None:
    """No hash in a tile can be changed so that a leaf below it, or the root, still comes out."""
    files, _, leaves = grown(260)
    root = merkle.root(RFC6962, leaves)
    for path, data in files.items():
        for at in range(0, len(data), 37):
            changed = dict(files)
            changed[path] = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
            tree = tree_of(changed, 260)
            index = {"tile/0/000": at // 32, "tile/0/001.p/4": 256 + at // 32, "tile/1/000.p/1": 259}[path]
            with pytest.raises(VerificationError):
                tree.leaf(index, root)


def test_a_tile_of_another_length_or_none_is_told() -> None:
    """Too short, too long or absent: never an index out of range, never a proof."""
    files, growth, _ = grown(260)
    for path in files:
        index = 259 if path == "tile/1/000.p/1" else 256 if path == "tile/0/001.p/4" else 0
        for data in (files[path][:-1], files[path] + b"x", b"", b"x" * 8191):
            with pytest.raises(VerificationError) as caught:
                tree_of(files | {path: data}, 260).leaf(index, growth.root())
            assert caught.value.code == "CC-TILE"
        gone = {name: data for name, data in files.items() if name != path}
        with pytest.raises(UnreadableError):
            tree_of(gone, 260).leaf(index, growth.root())


def test_a_full_tile_stands_in_for_a_partial_one() -> None:
    """A server may remove partial tiles once the full one is there; readers of the older size go on."""
    before, growth, _ = grown(200)
    after, _, _ = grown(300)
    assert "tile/0/000.p/200" in before and "tile/0/000.p/200" not in after
    assert tree_of(after, 200).root() == growth.root()


def test_bundles_have_one_form() -> None:
    """Entries stand behind two bytes of length; what ends inside one is told, and so is an entry that is too long."""
    entries = [b"", b"x", b"y" * 65_535]
    data = encode_entries(entries)
    assert data[:5] == b"\x00\x00\x00\x01x" and decode_entries(data) == entries
    for cut in (1, 3, 4, 6, len(data) - 1):
        with pytest.raises(VerificationError):
            decode_entries(data[:cut])
    with pytest.raises(ValueError):
        encode_entries([b"z" * 65_536])


def test_entries_that_are_not_the_hashed_ones_are_told() -> None:
    """A bundle with another entry, or with fewer than the size calls for, is not believed."""
    files, _, _ = grown(3)
    path = entries_path(0, 3)
    good = encode_entries([b"0", b"1", b"2"])
    assert tree_of(files | {path: good}, 3).entries(0) == [b"0", b"1", b"2"]
    for bad in (encode_entries([b"0", b"1", b"3"]), encode_entries([b"0", b"1"]), good[:-1], b""):
        with pytest.raises(VerificationError) as caught:
            tree_of(files | {path: bad}, 3).entries(0)
        assert caught.value.code == "CC-TILE"


def test_a_node_that_no_tree_of_this_size_has_is_our_own_mistake() -> None:
    """Asking for it is an error of the caller's, whatever the tiles hold."""
    tree = tree_of(grown(5)[0], 5)
    for place in ((0, 5), (1, 2), (3, 0), (-1, 0), (0, -1)):
        with pytest.raises(ValueError):
            tree.node(*place)
