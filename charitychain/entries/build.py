"""Building: from an entry to the record that is signed, with the parties that must sign it."""

from __future__ import annotations

from charitychain.entries import parties, value, words
from charitychain.entries.fields import Built, Fields
from charitychain.entries.form import Entry, check_form
from charitychain.state.rules import State

__all__ = ["Built", "build"]

_BUILD = parties.BUILD | value.BUILD | words.BUILD


def build(state: State, entry: Entry) -> Built:
    """Turn an entry into the record to sign.

    Raises:
        MalformedError: ``CC-ENTRY``, ``CC-AMOUNT``, …: the entry is not well formed.
        RefusedError: it names an account, party or gift that this ledger has not.
    """
    return _BUILD[check_form(entry)](Fields(state, entry))
