"""Each exit code, as a process of its own gives it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from cli.conftest import ROOT, Cli

from charitychain.ledger import Ledger


def test_good_is_0_and_says_what_was_checked(standing: Cli) -> None:
    """A ledger that holds is 0, with its totals on stdout and talk on stderr."""
    done = standing.run("verify")
    assert done.returncode == 0
    assert "holds" in done.stdout and "given 12.50 = held 12.50" in done.stdout
    assert "Note:" in done.stderr and "Note:" not in done.stdout


def test_a_changed_byte_is_1_and_is_named(village: Cli) -> None:
    """A flipped bit in a sealed block is found, with its place, and nothing is answered from it."""
    data = bytearray(village.ledger.read_bytes())
    data[-40] ^= 1
    village.ledger.write_bytes(data)
    done = village.run("verify")
    assert done.returncode == 1
    assert "IS BAD" in done.stdout and "byte" in done.stdout and " faults." in done.stdout
    Path(f"{village.ledger}.index").unlink()
    assert "byte" in village.fails(1, "trace", "D-1")


@pytest.mark.parametrize(
    "args",
    [
        [], ["tarce"], ["trace"], ["init"], ["verify", "--nope"], ["donate", "edu"], ["log", "-n", "0"],
        ["import", "x.csv"], ["import", "x.csv", "--account", "edu"], ["verify", "a", "--ledger", "b"],
        ["balance", "--ledger", ""], ["account", "open", "x", "--unit", "CNY", "--tag", "half"],
        ["spend", "edu", "1", "--payee", "x", "--purpose", "y", "--category", "fun"],
    ],
)  # fmt: skip
def test_usage_is_2(cli: Cli, args: list[str]) -> None:
    """A command that is not well formed is 2, and says how to go on."""
    stderr = cli.fails(2, *args)
    assert "Usage: charitychain" in stderr


def test_a_wrong_command_suggests_the_right_one(cli: Cli) -> None:
    """A misspelt command is answered with the nearest one."""
    assert "Did you mean 'trace'?" in cli.fails(2, "tarce")


@pytest.mark.parametrize("content", [b"", b"hello, this is a text\n", b"\x89CCLDGR\n\x00\x02" + bytes(6), None])
def test_what_is_no_ledger_is_3(cli: Cli, content: bytes | None) -> None:
    """An empty file, another file, a future version and no file at all are 3."""
    if content is not None:
        cli.ledger.write_bytes(content)
    assert "v.ledger" in cli.fails(3, "verify", "v.ledger")
    assert "v.ledger" in cli.fails(3, "trace", "D-1", "--ledger", "v.ledger")


def test_a_damaged_genesis_block_is_3(village: Cli) -> None:
    """Without a whole genesis block there is no ledger to judge."""
    data = bytearray(village.ledger.read_bytes())
    data[60] ^= 1
    village.ledger.write_bytes(data)
    village.fails(3, "verify")


def test_an_unknown_id_is_4(standing: Cli) -> None:
    """No such gift, record, outflow or account."""
    assert "D-2" in standing.fails(4, "trace", "D-2")
    standing.fails(4, "show", "D-2")
    standing.fails(4, "sources", "X-1")
    standing.fails(4, "balance", "nowhere")
    standing.fails(4, "trace", os.fsdecode(b"\xff"))
    standing.fails(4, "trace", "")
    standing.fails(4, "trace", "S/9999999999999999999", "S/-1", "S/x", "a/b/c", "/")
    standing.fails(4, "sources", os.fsdecode(b"a\xff"))


def test_locked_is_5_and_names_the_holder(village: Cli) -> None:
    """While one process writes, a second one is told which, and readers go on."""
    with Ledger.open(village.ledger, keys=village.keys) as ledger, ledger.writer():
        assert str(os.getpid()) in village.fails(5, "donate", "edu", "1")
        village.ok("verify")
        village.ok("trace", "D-1")
    village.ok("donate", "edu", "1")


def test_a_missing_key_is_6(standing: Cli) -> None:
    """Whoever has not the operator's key cannot write, but can check."""
    standing.fails(6, "donate", "edu", "1", "--keys", standing.folder / "nowhere")
    standing.fails(6, "donate", "edu", "1", CHARITYCHAIN_KEYS=str(standing.folder / "nowhere"))
    standing.ok("verify", CHARITYCHAIN_KEYS=str(standing.folder / "nowhere"))


def test_a_broken_rule_is_7_and_records_nothing(standing: Cli) -> None:
    """An overdraft, a payment to itself, an unknown account: told with what there is, the file untouched."""
    before = standing.ledger.read_bytes()
    assert "12.50 CNY" in standing.fails(7, "disburse", "edu", "school", "12.51")
    standing.fails(7, "disburse", "edu", "edu", "1")
    standing.fails(7, "disburse", "edu", "nowhere", "1")
    standing.fails(7, "refund", "D-1", "--amount", "12.51")
    standing.fails(7, "reverse", "edu")
    standing.fails(7, "init", "v.ledger", "--origin", "x", "--no-passphrase")
    assert standing.ledger.read_bytes() == before


def test_a_torn_tail_is_8_and_the_next_writer_goes_on(village: Cli) -> None:
    """A write that was cut off is less than was asked for; the next write cuts it, keeps it, and says so."""
    whole = village.ledger.read_bytes()
    village.ok("donate", "edu", "1", "--id", "D-2")
    longer = village.ledger.read_bytes()
    mark = next(village.keys.glob("*.mark"))
    mark.unlink()  # the power went before the mark was written
    village.ledger.write_bytes(longer[: len(whole) + 100])
    assert f"byte {len(whole)}" in village.fails(8, "verify")
    assert "cut off" in village.run("donate", "edu", "2", "--id", "D-3").stderr
    assert (village.work / f"v.ledger.torn-{len(whole)}").read_bytes() == longer[len(whole) : len(whole) + 100]
    village.ok("verify")
    village.fails(4, "trace", "D-2")


def test_our_own_bug_is_70_and_asks_for_a_report(village: Cli) -> None:
    """What nobody foresaw is called a bug of ours, without a traceback, and with one if asked for."""
    saboteur = village.folder / "saboteur"
    saboteur.mkdir()
    (saboteur / "sitecustomize.py").write_text(
        "import charitychain.ledger\ncharitychain.ledger.Ledger.balances = lambda self: 1 / 0\n"
    )
    path = f"{saboteur}:{ROOT}"
    stderr = village.fails(70, "balance", PYTHONPATH=path)
    assert "bug in charitychain" in stderr and "ZeroDivisionError" in stderr and "CHARITYCHAIN_DEBUG" in stderr
    village.env |= {"PYTHONPATH": path, "CHARITYCHAIN_DEBUG": "1"}
    process = village.start("balance")
    _, loud = process.communicate(timeout=60)
    assert process.returncode == 70 and b"Traceback" in loud


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background of a shell begins with it ignored


def test_an_interrupt_is_130_and_leaves_no_ledger(cli: Cli) -> None:
    """Ctrl-C while a passphrase is awaited ends with 130 and nothing made."""
    started = cli.folder / "started"
    waiting = f"sh -c 'touch {started}; exec sleep 60'"
    command = ["init", "v.ledger", "--origin", "a.example", "--passphrase-command", waiting]
    process = cli.start(*command, preexec_fn=_hear_interrupts)
    until = time.monotonic() + 30
    while not started.exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Interrupted." in stderr and b"Traceback" not in stderr
    assert not cli.ledger.exists() and not list(cli.keys.glob("*.key"))


def test_a_reader_that_goes_away_is_no_fault(standing: Cli) -> None:
    """``charitychain … | head -0`` ends quietly, and never with the code for a bad ledger."""
    read, write = os.pipe()
    os.close(read)
    process = standing.start("log", stdout=write)
    os.close(write)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 141 and stderr == b""


def test_a_full_disk_behind_stdout_is_3(standing: Cli) -> None:
    """A full disk behind stdout is 3, said once, without a traceback."""
    with open("/dev/full", "wb") as full:
        process = standing.start("log", stdout=full)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 3
    assert stderr.count(b"No space left on device") == 1 and b"Traceback" not in stderr
