"""Tiles: a log as static files, which any web server or bucket can serve (C2SP tlog-tiles).

A tile holds up to 256 hashes, one below the other in the tree: the tiles of level 0 the hashes of leaves, those of
level 1 the roots over 256 leaves each, and so on. A full tile never changes. What stands at the right edge of a tree of
a certain size is a *partial* tile with a name of its own, so that no file ever changes:

    tile/0/000              the first 256 leaf hashes
    tile/0/x001/x234/067    tile 1,234,067 of level 0
    tile/1/000.p/7          the first 7 hashes of a tile that is not full yet
    tile/entries/000        the first 256 leaves themselves, each behind its length

Rules upheld here:

- The hashes are those of RFC 6962 and nothing else; a tile is 32 bytes a hash, an entry two bytes of length,
  big-endian, and up to 65,535 bytes.
- Nobody believes a tile: what comes out of a `TileTree` counts once a proof made from it leads to a signed root.
- A partial tile is asked for only where the size calls for one; where it is gone, the full one is taken in its place.

Left to others: where files come from (`charitychain.fetch`), who signed the root (`charitychain.note`), and in what
order files are written (`charitychain.publishing`).

>>> tile_path(0, 1234067), tile_path(1, 0, 7), entries_path(0)
('tile/0/x001/x234/067', 'tile/1/000.p/7', 'tile/entries/000')
>>> growth = Growth()
>>> for text in (b"one", b"two", b"three"):
...     assert growth.append(merkle.RFC6962.leaf_hash(text)) == []
>>> files = dict(growth.partial_tiles())
>>> TileTree(lambda path, limit: files.get(path), 3).root() == growth.root()
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from charitychain import merkle
from charitychain.errors import UnreadableError, VerificationError
from charitychain.merkle import HASH_BYTES, RFC6962

__all__ = [
    "WIDTH",
    "Growth",
    "TileTree",
    "decode_entries",
    "encode_entries",
    "entries_path",
    "number_path",
    "tile_path",
]

WIDTH = 256
"""Hashes of a full tile, and entries of a full bundle."""

_HEIGHT = 8  # levels of the tree that one tile spans
_LENGTH_BYTES = 2
_ENTRY_MAX = 65_535
_BUNDLE_MAX = WIDTH * (_LENGTH_BYTES + _ENTRY_MAX)
_KEPT = 64  # tiles that a tree keeps in memory

Get = Callable[[str, int], bytes | None]
"""Given a path and the most bytes to take, returns the file there, or nothing if there is none."""


def number_path(number: int) -> str:
    """Return a number as a path in groups of three digits, all but the last with an ``x``: ``x001/x234/067``."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03}")
    return "/".join(reversed(groups))


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """Return the path of a tile of hashes."""
    return f"tile/{level}/{number_path(number)}{_partial(width)}"


def entries_path(number: int, width: int = WIDTH) -> str:
    """Return the path of a bundle of entries."""
    return f"tile/entries/{number_path(number)}{_partial(width)}"


def _partial(width: int) -> str:
    if not 0 < width <= WIDTH:
        raise ValueError(f"a tile holds 1 to {WIDTH} hashes, not {width}")
    return "" if width == WIDTH else f".p/{width}"


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return a bundle of entries: each behind its length."""
    if any(len(entry) > _ENTRY_MAX for entry in entries):
        raise ValueError(f"an entry of a bundle has at most {_ENTRY_MAX} bytes")
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def decode_entries(data: bytes, name: str = "the bundle") -> list[bytes]:
    """Return the entries of a bundle; the inverse of `encode_entries`.

    Raises:
        VerificationError: ``CC-TILE``: it ends inside an entry.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise VerificationError("CC-TILE", f"{name} ends inside its entry {len(entries)}; get it again")
        entries.append(data[start:at])
    return entries


class Growth:
    """The right edge of a log that grows, tile by tile. Build one empty, or with `resume`."""

    __slots__ = ("_edge", "_frontier")

    def __init__(self) -> None:
        self._frontier = merkle.Frontier(RFC6962)
        self._edge: list[list[bytes]] = [[]]

    @classmethod
    def resume(cls, tree: TileTree) -> Growth:
        """Go on behind a log that is published as tiles; its root is for the caller to compare.

        Raises:
            UnreadableError, VerificationError: see `TileTree`.
        """
        growth = cls()
        growth._frontier = tree.frontier()
        growth._edge, size = [], tree.size
        while size or not growth._edge:
            level, start = len(growth._edge), size - size % WIDTH
            growth._edge.append([tree.node(_HEIGHT * level, start + at) for at in range(size % WIDTH)])
            size >>= _HEIGHT
        return growth

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._frontier.size

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return self._frontier.root()

    def append(self, leaf_hash: bytes) -> list[tuple[str, bytes]]:
        """Append a leaf, and return path and bytes of each tile that it filled."""
        filled = []
        for level, index, hash_ in self._frontier.append(leaf_hash):
            if level % _HEIGHT:
                continue
            tile_level = level // _HEIGHT
            if tile_level == len(self._edge):
                self._edge.append([])
            edge = self._edge[tile_level]
            edge.append(hash_)
            if len(edge) == WIDTH:
                filled.append((tile_path(tile_level, index // WIDTH), b"".join(edge)))
                edge.clear()
        return filled

    def partial_tiles(self) -> list[tuple[str, bytes]]:
        """Return path and bytes of the partial tiles that a tree of just this size has."""
        return [
            (tile_path(level, self.size >> (_HEIGHT * (level + 1)), len(edge)), b"".join(edge))
            for level, edge in enumerate(self._edge)
            if edge
        ]


class TileTree:
    """The nodes of a tree of `size` leaves, read from tiles as they are needed. Nothing of it is believed.

    Args:
        get: Returns the file at a path, or nothing.
        place: What errors call the place from which files come; nothing leaves it out.

    Every method may raise:
        UnreadableError: ``CC-TILE``: a tile is not there.
        VerificationError: ``CC-TILE``: a tile has not the length that it must have.
    """

    __slots__ = ("_get", "_tiles", "_within", "size")

    def __init__(self, get: Get, size: int, place: str = "") -> None:
        self._get, self.size, self._within = get, size, f"{place}/" if place else ""
        self._tiles: dict[tuple[int, int], list[list[bytes]]] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return the hash over the 2^level leaves from index·2^level on, all of which are in the tree."""
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise ValueError(f"a tree of {self.size} leaves has no complete node {index} at level {level}")
        tile_level, within = divmod(level, _HEIGHT)
        number, at = divmod(index << within, WIDTH)
        return self._tile(tile_level, number)[within][at >> within]

    def frontier(self) -> merkle.Frontier:
        """Return the right edge of the tree."""
        return merkle.Frontier.from_nodes(RFC6962, self.size, self.node)

    def root(self) -> bytes:
        """Return the root that the tiles lead to."""
        return self.frontier().root()

    def leaf(self, index: int, root: bytes) -> bytes:
        """Return the leaf hash at `index`, proved to be in the tree under `root`.

        Raises:
            VerificationError: ``CC-PROOF``: the tiles do not lead to `root`.
        """
        found = self.node(0, index)
        proof = merkle.prove_inclusion_from_nodes(RFC6962, self.node, index, self.size)
        try:
            merkle.check_inclusion(RFC6962, proof, index, found, self.size, root)
        except VerificationError as error:
            raise VerificationError(error.code, f"{self._within}tile: {error.message}", **error.facts) from error
        return found

    def entries(self, number: int) -> list[bytes]:
        """Return the entries of a bundle, each of which has the leaf hash that stands in the tiles."""
        start = number * WIDTH
        width = min(WIDTH, self.size - start)
        path = entries_path(number, width)
        data = self._file(path, entries_path(number), _BUNDLE_MAX)
        name = self._within + path
        entries = decode_entries(data, name)
        if len(entries) < width:
            raise VerificationError("CC-TILE", f"{name} holds {len(entries)} entries, not {width}; get it again")
        for at, entry in enumerate(entries[:width]):
            if RFC6962.leaf_hash(entry) != self.node(0, start + at):
                raise VerificationError("CC-TILE", f"{name}: entry {start + at} is not the one in the tiles of hashes")
        return entries[:width]

    def _tile(self, level: int, number: int) -> list[list[bytes]]:
        """Return the hashes of a tile, and above them the complete nodes that they make."""
        found = self._tiles.get((level, number))
        if found is not None:
            return found
        width = min(WIDTH, (self.size >> (_HEIGHT * level)) - number * WIDTH)
        path = tile_path(level, number, width)
        data = self._file(path, tile_path(level, number), WIDTH * HASH_BYTES)
        if len(data) not in (width * HASH_BYTES, WIDTH * HASH_BYTES):
            name = self._within + path
            raise VerificationError("CC-TILE", f"{name} has {len(data)} bytes, not {width * HASH_BYTES}; get it again")
        row = [data[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]
        rows = [row]
        for _ in range(_HEIGHT - 1):
            row = [RFC6962.node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
            rows.append(row)
        if len(self._tiles) >= _KEPT:
            self._tiles.pop(next(iter(self._tiles)))
        self._tiles[level, number] = rows
        return rows

    def _file(self, path: str, full: str, limit: int) -> bytes:
        data = self._get(path, limit)
        if data is None and full != path:
            data = self._get(full, limit)
        if data is None:
            name = self._within + path
            raise UnreadableError("CC-TILE", f"there is no {name}, which a log of {self.size} entries has")
        return data
