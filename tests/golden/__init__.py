"""A ledger whose bytes and answers are pinned; `make` writes it, `test_golden` holds every release to it."""
