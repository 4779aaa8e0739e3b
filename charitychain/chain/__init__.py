"""The chain: genesis, statements, blocks and seals, as bytes and back.

- `genesis`: what a ledger is called and who it is for ever;
- `statements`: records by one author, signed once;
- `blocks`: statements in the operator's order, hash-linked, and sealed by a C2SP checkpoint.

Parsing here is strict and canonical and needs no state; whether a statement *may* stand where it stands is for
`charitychain.state`, where bytes rest for `charitychain.store`. Neither knows the other.
"""
