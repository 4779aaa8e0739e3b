"""Sealed blocks: those that answers rest on, each checked when it is read, some kept.

Rules upheld here:

- A block is given out after its path to the sealed log and its statements root were checked; a statement after its
  records were compared with what its author signed, and its gift columns with its records.
- Memory is bounded: `_BLOCKS` blocks, and `_COLUMNS` bytes of gift columns unless one block alone has more. Those last
  used are kept.

Whose signatures the statements bear is checked by `charitychain.reading`.
"""

from __future__ import annotations

from collections.abc import Callable

from charitychain import columns, merkle, records
from charitychain.chain import blocks, statements
from charitychain.errors import VerificationError
from charitychain.records import Place
from charitychain.state.lookup import GiftAt

__all__ = ["Sealed", "Signed", "unfit"]

_BLOCKS = 64
_COLUMNS = 64 * 1024 * 1024


def unfit(height: int) -> VerificationError:
    """Return the error for an index that does not fit the head at `height`."""
    return VerificationError(
        "CC-INDEX", "the index does not fit the sealed head; remove it and it is made anew", height=height
    )


class Signed:
    """A statement whose records and columns were checked, and what was read out of it since.

    Attributes:
        runs: The gift columns, by their record; the other dicts too are by record.
        records: Records that were decoded.
        gifts: The gifts of inflows that begin there, by id.
    """

    __slots__ = ("gifts", "records", "runs", "statement")

    def __init__(self, statement: statements.SignedStatement, runs: dict[int, columns.Runs]) -> None:
        self.statement, self.runs = statement, runs
        self.records: dict[int, records.Record] = {}
        self.gifts: dict[int, dict[str, GiftAt]] = {}


class Sealed:
    """The blocks of a ledger at one head.

    Args:
        read: Gives a block by its height, unchecked.
        header_node: Gives a complete node of the log of headers, by level and index.
        size: How many blocks there are; `log_root` is the root over them, which was sealed.
    """

    def __init__(
        self,
        read: Callable[[int], blocks.Block],
        header_node: Callable[[int, int], bytes],
        size: int,
        log_root: bytes,
    ) -> None:
        self._read, self._header_node, self._size, self._log_root = read, header_node, size, log_root
        self._blocks: dict[int, blocks.Block] = {}  # the last one used is the last one here
        self._signed: dict[int, dict[int, Signed]] = {}  # by height and number: what was checked of those blocks
        self._weight = 0

    def block(self, height: int) -> blocks.Block:
        """Return a block after checking hash, path to the sealed log, and statements root.

        Raises:
            VerificationError: the block is damaged, or is not the one in the log.
        """
        block = self._blocks.pop(height, None)
        if block is None:
            block = self._checked(height)
            self._weight += _weight(block)
            while self._blocks and (len(self._blocks) >= _BLOCKS or self._weight > _COLUMNS):
                oldest = next(iter(self._blocks))
                self._weight -= _weight(self._blocks.pop(oldest))
                self._signed.pop(oldest, None)
        self._blocks[height] = block
        return block

    def _checked(self, height: int) -> blocks.Block:
        block = self._read(height)
        proof = merkle.prove_inclusion_from_nodes(merkle.RFC6962, self._header_node, height, self._size)
        try:
            merkle.check_inclusion(merkle.RFC6962, proof, height, block.header.hash(), self._size, self._log_root)
        except VerificationError as error:
            raise VerificationError(
                "CC-LINK", f"block {height} is not the block that the sealed log holds there", block=height
            ) from error
        if blocks.statements_root(block.statements) != block.header.statements:
            raise VerificationError(
                "CC-STATEMENTS-ROOT", f"block {height} holds other statements than were sealed", block=height
            )
        return block

    def statement(self, place: Place) -> Signed:
        """Return the statement at a place, its records and gift columns checked against what its author signed.

        Raises:
            VerificationError: they are not what was signed, or no statement stands there.
        """
        block = self.block(place.height)
        known = self._signed.setdefault(place.height, {})
        found = known.get(place.statement)
        if found is None:
            if place.statement >= len(block.statements):
                raise unfit(self._size - 1)
            statement = block.statements[place.statement]
            statements.check_records_root(statement)
            found = known[place.statement] = Signed(statement, _check_columns(statement, place.height))
        return found


def _weight(block: blocks.Block) -> int:
    """Return the bytes of a block's gift columns, by far the most of a block that has some."""
    return sum(len(data) for statement in block.statements for data in statement.columns)


def _check_columns(statement: statements.SignedStatement, height: int) -> dict[int, columns.Runs]:
    """Check the gift columns of a statement against its records, which were checked; no seal covers them otherwise.

    Returns:
        The columns by the number of their record.
    """
    kind = bytes((records.Gifts.KIND,))
    made = {
        number: records.decode_record(data)
        for number, data in enumerate(statement.record_bytes)
        if data[1:2] == kind
    }
    if len(made) != len(statement.columns):
        raise VerificationError("CC-GIFTS-ROOT", f"block {height} has gift columns too many or too few", block=height)
    checked = {}
    for (number, record), found in zip(made.items(), statement.columns, strict=True):
        assert isinstance(record, records.Gifts)
        try:
            checked[number] = columns.check_sealed(found, record.width, record.root)
        except VerificationError as error:
            raise VerificationError(error.code, f"block {height}: {error.message}", block=height) from error
    return checked
