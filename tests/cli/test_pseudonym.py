"""Whoever holds a pseudonym of a platform finds the gifts behind it: a consumer's, and a merchant's."""

from __future__ import annotations

import json
from typing import Any

CONSUMER, OTHER, MERCHANT = "a1" * 16, "b2" * 16, "c3" * 16
BATCH = {
    "record": "gifts", "series": "gfg", "account": "trees", "ids": [1, 2, 5], "amounts": ["0.01", "0.02", "0.05"],
    "donors": [CONSUMER, OTHER, CONSUMER], "seconds": [MERCHANT, MERCHANT, OTHER],
}  # fmt: skip


def test_a_pseudonym_finds_gifts_as_donor_and_as_second_party(cli: Any) -> None:
    """The consumer's gifts are its own, the merchant's are those that passed over its counter."""
    cli.init()
    cli.ok("import", cli.journal([{"record": "account", "id": "trees", "unit": "CNY"}, BATCH]))

    def traced(pseudonym: str) -> list[str]:
        lines = cli.ok("trace", "--pseudonym", pseudonym, "gfg", "--format", "jsonl").splitlines()
        return [json.loads(line)["donation"] for line in lines]

    assert traced(CONSUMER) == ["gfg/1", "gfg/5"]
    assert traced(MERCHANT.upper()) == ["gfg/1", "gfg/2"]
    assert traced(OTHER) == ["gfg/2", "gfg/5"]
    cli.fails(4, "trace", "--pseudonym", "d4" * 16, "gfg")
    cli.fails(4, "trace", "--pseudonym", CONSUMER, "nothing")
    for wrong in ("a1", "00" * 16, "x" * 32):
        cli.fails(2, "trace", "--pseudonym", wrong, "gfg")
    cli.fails(2, "trace", "--pseudonym", CONSUMER)
