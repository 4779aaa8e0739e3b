"""The report: a year of a ledger as figures, each with how it is computed, and the check of a published one."""
