"""Code that a user would write against the public names; it is type-checked, and never run.

``mypy --strict`` must be clean here: annotations that break this file break our users.
"""

from __future__ import annotations

from pathlib import Path

from charitychain import (
    CharitychainError,
    Fault,
    KeyAccessError,
    Ledger,
    LockedError,
    MalformedError,
    Money,
    NotFoundError,
    RefusedError,
    Report,
    Sources,
    StorageError,
    Trace,
    UnreadableError,
    VerificationError,
    Writer,
    __version__,
)


def begin(path: Path) -> Ledger:
    """Make a ledger with an encrypted key."""
    keys = path.parent / "keys"
    return Ledger.create(path, origin="village.example/2026", keys=keys, passphrase=b"secret", name="Us")


def record(ledger: Ledger) -> int:
    """Record what happened, and return the height of the block that holds it."""
    with ledger.writer() as writer:
        fill(writer)
        height: int = writer.commit().height
    return height


def fill(writer: Writer) -> bool:
    """Record one entry of each kind."""
    writer.unit("RICE-KG", decimals=3, title="Rice")
    writer.party("sport", roles=["sponsor"])
    writer.account("edu", unit="CNY", rule="fifo", tags={"place": "Dedap"})
    writer.donation("D-1", account="edu", amount="12.50", source="cash", date="2026-01")
    writer.gifts("S", account="edu", ids=[1, 2], amounts=["0.22", "0.23"])
    writer.disbursement("B-1", source="edu", to="school", amount="10", gift="D-1")
    writer.expenditure("X-1", source="school", amount="4", payee="Toko Buku", purpose="books")
    writer.conversion("C-1", source="steps", amount="1000", to="tracks", gives="1", funded_from="sponsor")
    writer.refund("R-1", donation="D-1", amount="1")
    writer.reversal("U-1", reverses="X-1", reason="entered twice")
    new: bool = writer.add({"record": "account", "id": "x", "unit": "EUR"})
    return new


def ask(path: str) -> list[str]:
    """Follow a gift, and turn an answer into lines."""
    with Ledger.open(path, passphrase=lambda entry: entry.party.encode()) as ledger:
        trace: Trace = ledger.trace("D-1")
        sources: Sources = ledger.sources("X-1", offset=20, count=10)
        held: Money = ledger.balance("edu")
        lines = [f"{use.money} {use.money.code} to {use.payee}: {' '.join(use.path)}" for use in trace.uses]
        lines += [f"{gift} paid {money}" for gift, money in sources.gifts]
        lines.append(f"{held} of {ledger.origin}, {ledger.identity.hex()}, {__version__}")
        return lines


def check(ledger: Ledger) -> str:
    """Verify, and say what is wrong."""
    report: Report = ledger.verify(progress=lambda done, total: None)
    if report.holds:
        asked = "; ".join(f"{finding.code}: {finding.message}" for finding in report.findings)
        return f"holds up to block {report.height}; {asked}"
    faults: list[Fault] = report.faults
    return "; ".join(f"{fault.code} at {fault.where()}" for fault in faults)


def careful(path: Path) -> str:
    """Tell errors apart by what one would do next."""
    try:
        with Ledger.open(path) as ledger, ledger.writer() as writer:
            writer.donation("D-2", account="edu", amount="1")
    except LockedError as error:
        return f"later: {error.facts.get('holder')}"
    except (RefusedError, MalformedError) as error:
        return f"mend the entry: {error.code}"
    except KeyAccessError:
        return "find the key"
    except (UnreadableError, NotFoundError):
        return "another file"
    except VerificationError as error:
        return f"stop and look: {error.message}"
    except StorageError:
        return "look at the disk"
    except CharitychainError as error:
        return f"exit with {error.exit_code}"
    return "recorded"
