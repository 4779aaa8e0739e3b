"""Make `main.dat` from the published file: organisations keep their names, people become `PERSON-n`.

Rules upheld here:

- A payee stays only if it stands in `organisations.txt`, which was decided name by name. Every other payee, and
  whoever has an account below ``Liabilities:Reimbursement``, is a person.
- In comments, a word with a capital letter stays only if it is one of `PLAIN`: an organisation, or no name.
  Other such words, taken together where they follow each other, are a person's name: in full, or a first name that
  only one person of the book has (then it is her), or else somebody of whom no more is known.
- One name has one pseudonym; numbers run in order of first appearance, so the same input gives the same file byte for
  byte. No line is added, dropped or moved; amounts, dates, accounts and receipts' file names stay.

This hides names from whoever reads the example; it does not make the people unknown, since the source is public.

    python examples/books/hackclub/pseudonymise.py PUBLISHED > examples/books/hackclub/main.dat

>>> Names(["2015/01/24 Ada L.", "    ; Rent for Ada"]).line("    ; Rent for Ada")
'    ; Rent for PERSON-1'
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

ORGANISATIONS = frozenset(Path(__file__).with_name("organisations.txt").read_text(encoding="utf-8").splitlines())
_WORDS = """
A Accidentally Additional Apps As B B1 Book Books Bought Business Cash Change Check Chromebook Club Cost D Deposits
Fingerprinting First Fiscal Food For From Go Got Hack Hacks Chicago Had I Internet Monthly November O Payee Power
Receipt Refund Refunding Relocation Renewal Rent SSL Sent Square Stay Supplies T T-shirt TB The They This Trademark
Transaction VMWare Verification We Withdrawals Camp Mission Bit Fast Forward
"""
PLAIN = ORGANISATIONS | frozenset(_WORDS.split())
_PERSON_ACCOUNT = re.compile(r"(Liabilities:Reimbursement:)(\S.*?)(?=\s{2,}|$)")
_HEAD = re.compile(r"([0-9]{4}/[0-9]+/[0-9]+ +)(\S.*?)(\s*)")
_PAYEE = re.compile(r"(.*; Payee: )(\S.*?)(\s*)")
_NAME = re.compile(r"\b[A-Z][\w-]*(?: [A-Z][\w-]*)*")


class Names:
    """The pseudonyms of a file, given out by a first reading of all its lines."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._numbers: dict[str, int] = {}
        self._full: set[str] = set()
        text = list(lines)
        for line in text:
            found = _HEAD.fullmatch(line) or _PAYEE.fullmatch(line) or _PERSON_ACCOUNT.search(line)
            if found is not None and found[2] not in ORGANISATIONS:
                self._full.add(found[2])
        for line in text:
            self.line(line)

    def line(self, line: str) -> str:
        """Return a line with pseudonyms for names."""
        if found := _HEAD.fullmatch(line) or _PAYEE.fullmatch(line):
            return line if found[2] in ORGANISATIONS else f"{found[1]}{self._person(found[2])}{found[3]}"
        before, mark, comment = line.partition(";")
        before = _PERSON_ACCOUNT.sub(lambda found: found[1] + self._person(found[2]), before)
        if comment.lstrip().startswith("Receipt: "):
            return before + mark + comment
        return before + mark + _NAME.sub(lambda found: self._told(found[0]), comment)

    def _told(self, words: str) -> str:
        """Replace what is a name among words that begin with a capital letter."""
        parts = words.split(" ")
        names = [part for part in parts if part not in PLAIN]
        if not names:
            return words
        kept = [part for part in parts if part in PLAIN]
        return " ".join([*kept, self._person(" ".join(names))])

    def _person(self, name: str) -> str:
        if name not in self._full and " " not in name:
            same = [full for full in self._full if full.split(" ")[0] == name]
            name = same[0] if len(same) == 1 else name
        return f"PERSON-{self._numbers.setdefault(name, len(self._numbers) + 1)}"


def main(published: str) -> None:
    """Write the new file to standard output."""
    lines = Path(published).read_text(encoding="utf-8").splitlines()
    names = Names(lines)
    sys.stdout.write("".join(names.line(line) + "\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1])
