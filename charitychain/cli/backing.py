"""Who stands behind a checkpoint beside its operator: witnesses under a policy, and auditors, told apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from charitychain.cli import output

__all__ = ["backing", "moment_of"]


def moment_of(seconds: int) -> str:
    """Return a time in seconds since 1970 as people read it; others may have written any number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{seconds} seconds after 1970"


def backing(
    data: bytes, policy_path: Path | None, auditors: Sequence[str]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return who cosigned a checkpoint, of those that were asked for: facts, sentences, and what is missing.

    Args:
        data: The note.
        auditors: Keys of auditors, as text; a key that the policy names as a witness is refused.

    Raises:
        MalformedError: ``CC-POLICY``, ``CC-NOTE``; `VerificationError` where a line does not hold.
    """
    from charitychain import cosignature, cosigned

    policy = cosigned.read_policy(policy_path) if policy_path is not None else None
    asked = [cosignature.parse_vkey(text) for text in auditors]
    cosigned.check_apart(policy, asked)
    facts: dict[str, Any] = {}
    sentences: list[str] = []
    missing: list[str] = []
    if policy is not None:
        witnesses = policy.cosigned(data)
        missing = list(cosigned.check_policy(data, policy))
        facts |= {"witnesses": witnesses, "missing": list(missing)}
        sentences += [f"witness {output.safe(each)} cosigned it at {moment_of(at)}" for each, at in witnesses.items()]
        sentences += [f"below the policy: {output.safe(words)}" for words in missing]
    if asked:
        audits = dict(cosignature.open_cosigned(data, asked))
        absent = [key.name for key in asked if key not in audits]
        facts |= {"auditors": {key.name: at for key, at in audits.items()}, "not_audited_by": absent}
        for auditor, at in audits.items():
            sentences.append(f"auditor {output.safe(auditor.name)} replayed it and signed at {moment_of(at)}")
        sentences += [f"auditor {output.safe(each)} has not signed it" for each in absent]
        missing += absent
    return facts, sentences, missing
