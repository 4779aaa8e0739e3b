"""Readers beside a busy writer: each answer is of one moment, and no healthy ledger is ever called bad."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from charitychain.ledger import Ledger

WRITE = """
import sys, time
from charitychain.ledger import Ledger
with Ledger.open("c.ledger", keys="keys") as ledger, ledger.writer() as writer:
    end, number = time.monotonic() + float(sys.argv[1]), 0
    while time.monotonic() < end:
        number += 1
        writer.donation(f"N-{number}", account="a", amount="1")
        writer.commit()
"""
READ = """
import sys, time
from charitychain.ledger import Ledger
end, reads, height = time.monotonic() + float(sys.argv[1]), 0, 0
while time.monotonic() < end:
    with Ledger.open("c.ledger") as ledger:
        trace = ledger.trace("D-0")
        assert [str(held.money) for held in trace.held] == ["1.00"]
        assert trace.ledger["height"] >= height
        height = trace.ledger["height"]
        assert not ledger.notices, ledger.notices
        reads += 1
print(reads)
"""


def test_readers_beside_a_writer(tmp_path: Path) -> None:
    """Two readers that open and ask all the time agree with a writer that commits all the time."""
    with Ledger.create(tmp_path / "c.ledger", origin="c.example", keys=tmp_path / "keys") as ledger:
        with ledger.writer() as writer:
            writer.account("a", unit="CNY")
            writer.donation("D-0", account="a", amount="1")

        def start(code: str, seconds: int) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-c", code, str(seconds)]
            return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        running = [start(WRITE, 6), start(READ, 5), start(READ, 5)]
        time.sleep(1)
        assert ledger.verify().holds  # a whole check, too, sees a prefix
        for process in running:
            stdout, stderr = process.communicate(timeout=120)
            assert process.returncode == 0, stderr.decode()
            assert process is running[0] or int(stdout) > 3
        report = ledger.verify()
        assert report.holds, report.faults
        assert report.height > 10
