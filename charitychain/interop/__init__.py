"""Other forms of a ledger's content: the journal and the gifts table. Thin translations with no rules of their own."""
