"""State: the rules of the ledger, as plain computation over records.

- `movements`: what a record does to an account's tape, and its leaf in the movement log;
- `lookup`: what the rules need to look up, as a Protocol;
- `accounts`, `parties`: who owns what, and the summaries that a block header commits to;
- `flow`, `origins`: where units went, and where they came from;
- `standing`, `rules`: what is there at a position in the ledger, and what each kind of record may do.

Nothing here reads a file, a clock or a network.
"""
