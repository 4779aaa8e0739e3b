"""Tampering: ledgers damaged bit by bit, cut, and forged by an operator who holds its own key."""
