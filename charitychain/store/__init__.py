"""Where bytes rest: an append-only sequence of opaque entries.

- `charitychain.store.protocol`: what every store promises (`Store`, `Frame`).
- `charitychain.store.frames`: how entries are framed, how damage shows, how reading goes on behind it.
- `charitychain.store.file`: the ledger file, with `charitychain.store.lock` for its single writer.
- `charitychain.store.memory`: the same frames in memory.

A store knows nothing of blocks or money, and the chain knows nothing of files. ``tests/conformance`` holds the tests
that any store must pass.
"""
