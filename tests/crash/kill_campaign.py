"""A campaign of kills: ``python kill_campaign.py FOLDER KILLS SEED``.

A writer (forked, so that starting one costs nothing) seals many small blocks and says each id once its commit has
returned. It is killed with SIGKILL at a random moment; then the ledger must hold all that was said, and the next
writer goes on from there. Prints a summary as JSON; anything lost is an `AssertionError`.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
import traceback
from pathlib import Path

from charitychain.ledger import Ledger

FULL_CHECK_EVERY = 25


def write_for_ever(path: Path, keys: Path, tell: int, round_: int) -> None:
    """Seal one gift, or a gift and its spending, after the other; tell each id when it is durable."""
    with Ledger.open(path, keys=keys) as ledger, ledger.writer() as writer:
        for number in range(1_000_000):
            id_ = f"K-{round_}-{number}"
            writer.donation(id_, account="edu", amount="1.00")
            if number % 3 == 2:
                writer.expenditure(f"X-{round_}-{number}", source="edu", amount="2", payee="p", purpose="q")
            if number % 5 == 4:
                writer.gifts(f"S-{round_}-{number}", account="edu", ids=range_of(number), amounts=["0.01"] * 3)
            writer.commit()
            os.write(tell, f"{id_}\n".encode())


def range_of(number: int) -> list[int]:
    """Return three rising numbers."""
    return [number, number + 1, number + 2]


def start(path: Path, keys: Path, round_: int) -> tuple[int, int]:
    """Fork a writer; return its process id and where it tells."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, read
    try:
        write_for_ever(path, keys, write, round_)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def told(read: int) -> list[str]:
    """Return the ids that a dead writer had told; each was one small write, so none is cut."""
    data = b""
    while part := os.read(read, 65536):
        data += part
    os.close(read)
    return data.decode().split()


def kill_once(path: Path, keys: Path, round_: int, chance: random.Random) -> list[str]:
    """Run a writer, kill it somewhere, and return what it had told."""
    child, read = start(path, keys, round_)
    if chance.random() < 0.75:
        select.select([read], [], [], 30)  # it has opened the ledger and is in the middle of its commits
        time.sleep(chance.uniform(0, 0.012))
    else:
        time.sleep(chance.uniform(0, 0.03))  # it may still be opening
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer failed by itself; see above"
    return told(read)


def main(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill, check, go on; return how much was told, torn and checked."""
    chance = random.Random(seed)
    path, keys = folder / "k.ledger", folder / "keys"
    with Ledger.create(path, origin="kill.example", keys=keys) as ledger, ledger.writer() as writer:
        writer.account("edu", unit="CNY")
    everything: list[str] = []
    torn = full = 0
    for round_ in range(kills):
        ids = kill_once(path, keys, round_, chance)
        everything += ids
        if chance.random() < 0.05:
            for file in folder.glob("k.ledger.index*"):
                file.unlink()
        with Ledger.open(path, keys=keys) as ledger:
            reader = ledger.reader()
            for id_ in ids:
                assert reader.index.find_id(id_) is not None, f"{id_} was acknowledged and is lost"
            assert reader.index.find_id(f"K-{round_}-{len(ids) + 1}") is None, "more than the one block in flight"
            torn += len(ledger.notices) > 0
            if ids:
                assert str(ledger.trace(ids[-1]).money) == "1.00"
            if round_ % FULL_CHECK_EVERY == FULL_CHECK_EVERY - 1 or round_ == kills - 1:
                report = ledger.verify()
                assert report.holds, report.faults
                full += 1
    with Ledger.open(path, keys=keys) as ledger:
        with ledger.writer() as writer:
            writer.donation("LAST", account="edu", amount="1")
        report = ledger.verify()
        assert report.holds and not report.warnings, report
        index = ledger.reader().index
        assert all(index.find_id(id_) is not None for id_ in everything)
        height = report.height
    return {"kills": kills, "told": len(everything), "torn": torn, "verified": full + 1, "height": height}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
