"""Keys by name, as options and arguments take them: ``NAME+HASH+BASE64``, the text that C2SP tools exchange.

One that is mistyped is wrong usage, exit code 2: nothing was read yet, and nothing checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from charitychain.errors import MalformedError

if TYPE_CHECKING:
    from charitychain.note import VerifierKey

__all__ = ["VKEY"]


def _verifier_key(text: str) -> VerifierKey:
    from charitychain.note import parse_vkey

    try:
        return parse_vkey(text)
    except MalformedError as error:
        raise click.BadParameter(f"a key is NAME+HASH+BASE64, as `checkpoint key` prints it: {error.message}") from None


VKEY = _verifier_key
"""The type of an option that takes an operator's key; gives a `charitychain.note.VerifierKey`."""
