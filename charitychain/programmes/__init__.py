"""Programmes: what a platform's own events become as statements of a ledger.

Each module turns the events of one way of giving into journal entries or gift columns. None has rules of its own: what
it makes is checked like everything else.
"""
