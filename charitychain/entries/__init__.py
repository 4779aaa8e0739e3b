"""Entries: records as people write them, with ids, decimal amounts and left-out defaults.

An *entry* is a mapping as in the journal: ``{"record": "donation", "id": "D-1", "account": "edu", "amount": "12.50"}``.
`build` turns one into the record that is signed, with the parties that must sign it; `describe` turns a signed record
back into an entry. The command line, the journal and the library's writer all go through here.

Rules upheld here:

- An unknown field is refused, a known one is parsed strictly.
- What an entry leaves out, the record leaves out: ``describe(build(entry))`` says the same as `entry`.
- Whether the ledger's rules allow the record is not decided here.
"""

from charitychain.entries.build import Built, build
from charitychain.entries.compare import differing_fields
from charitychain.entries.describe import accounts_of, describe
from charitychain.entries.form import Entry, check_form, entry_id

__all__ = ["Built", "Entry", "accounts_of", "build", "check_form", "describe", "differing_fields", "entry_id"]
