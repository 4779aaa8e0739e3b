"""The main job on real data: a published book of eleven pooled funds, recorded, verified, traced, and forged in vain.

Run it with ``make demo``. It works in a temporary folder and shows every command that it runs.

The rule declared for the pools is pro-rata: a pool mixes its gifts, so each takes an even share in whatever the pool
pays. Under fifo the first dollars in are the first out, and in this book none of the disclosed gifts then passes
through more than two pools: what EA Giving Group passed on to BERI in 2017 is spent by one grant in July 2018, long
before BERI pays the Survival and Flourishing Fund in 2019.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "pools"))
import book

LEDGER = "pools.ledger"


def main() -> int:
    """Run the demonstration; return 0 if everything came out as it should."""
    lines, report = book.journal(book.read_rows(), rule="pro-rata")
    with tempfile.TemporaryDirectory(prefix="charitychain-demo-") as name:
        folder = Path(name)
        journal = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "pools.jsonl").write_text(journal, encoding="utf-8")
        _say("A real book: gifts into eleven pooled funds and their grants, 2010 to 2023 (CC0; people as pseudonyms).")
        undisclosed = sum(1 for line in lines if line.get("source") == "undisclosed")
        rows = sum(1 for _ in book.read_rows())
        _say(
            f"{rows} rows became {len(lines)} records; {undisclosed} of them are income that the source does not\n"
            "disclose, entered openly just where a pool would pay more than is known to have come in.\n"
            f"{len(report)} oddities are reported, such as:"
        )
        for text in report[:4]:
            print(f"  {text}")
        run = _Runner(folder)
        run("init", LEDGER, "--origin", "pools.example/2023", "--no-passphrase")
        run("import", "pools.jsonl")
        run("verify")
        _say(
            "Where did one disclosed gift go? The rule declared for these pools is pro-rata: each gift takes an even\n"
            "share in whatever its pool pays. So it passes through three pools to their grants. (Under first in,\n"
            "first out none of this book's disclosed gifts goes through more than two.)"
        )
        run("trace", book.TRACED_CHAIN)
        _say("The donor gets the same as a file of proofs, and checks it at home, with no ledger and no trust in us:")
        run("receipt", "make", book.TRACED_CHAIN)
        run("receipt", "verify", f"{book.TRACED_CHAIN}.ccr", last=14)
        _say("And backwards: whose gifts paid for this grant?")
        run("sources", book.SOURCES_OF, "--limit", "8")
        where = _flip(folder / LEDGER)
        _say(f"Somebody makes that gift one cent larger in the file: byte {where} is changed.")
        run("verify", expected=1)
    _say("The forged byte was found and located. Every command above is one you can run yourself.")
    return 0 if run.good else 1


class _Runner:
    """Runs commands in a folder, with keys and remembered heads of its own, and shows what they print."""

    def __init__(self, folder: Path) -> None:
        self.good = True
        self._folder = folder
        self._environment = os.environ | {
            "CHARITYCHAIN_KEYS": str(folder / "keys"),
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]),
        }

    def __call__(self, *command: str, expected: int = 0, last: int | None = None) -> None:
        print(f"$ charitychain {' '.join(command)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "charitychain", *command],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        lines = done.stdout.decode().replace(str(self._folder) + os.sep, "").splitlines(keepends=True)
        if last is not None and len(lines) > last:
            lines = [f"… {len(lines) - last} lines of the trace\n", *lines[-last:]]
        sys.stdout.write("".join(lines))
        print(f"(exit code {done.returncode})\n" if done.returncode else "", flush=True)
        self.good = self.good and done.returncode == expected


def _flip(path: Path) -> int:
    """Change the lowest byte of the traced gift's amount and return where it stands."""
    data = bytearray(path.read_bytes())
    # In its record follow the id, the account's number (one byte) and the amount as a 32-bit number (0xce).
    where = data.index(book.TRACED_CHAIN.encode()) + len(book.TRACED_CHAIN) + 5
    data[where] ^= 1
    path.write_bytes(data)
    return where


def _say(text: str) -> None:
    print("".join(f"# {line}\n" for line in text.split("\n")), flush=True)


if __name__ == "__main__":
    sys.exit(main())
