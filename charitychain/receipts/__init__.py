"""Receipts: a trace with the proofs that let anyone check it offline, years later, with no trust in the operator.

A receipt holds the look-ups of one trace, each with its proof down from one signed checkpoint. Checking it runs the
same code that the ledger answered with (`charitychain.trace`) over what the receipt shows:

- `wire`: the bytes of a receipt, and their bounds;
- `parts`: what each part must be by itself;
- `shown`: what a receipt shows, proved from the checkpoint down, as a basis for questions;
- `bind`: that each movement is the one that its signed record makes;
- `check`: the verdict, and the trace;
- `noted`, `make`: a trace over the ledger whose look-ups are noted, and the proofs of what was noted.

Checking imports no database, no arrays and no ledger.
"""
