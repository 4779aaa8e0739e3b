"""Journal lines in few words, and answers of the model in few words, for the tests beside this."""

from __future__ import annotations

from typing import Any

import pytest

from .model import Model, ModelRefused, Record


def account(name: str, unit: str = "JPY", rule: str = "fifo", **terms: Any) -> Record:
    return {"record": "account", "id": name, "unit": unit, "title": name, "rule": rule, **terms}


def change(name: str, of: str, **terms: Any) -> Record:
    return {"record": "account-change", "id": name, "account": of, **terms}


def give(name: str, to: str, amount: str, **more: Any) -> Record:
    return {"record": "donation", "id": name, "account": to, "amount": amount, "source": "cash", **more}


def gifts(series: str, to: str, amounts: dict[int, str], **more: Any) -> Record:
    return {
        "record": "gifts", "series": series, "account": to, "ids": list(amounts), "amounts": list(amounts.values()),
        **more,
    }  # fmt: skip


def pass_on(name: str, source: str, target: str, amount: str, **more: Any) -> Record:
    return {"record": "disbursement", "id": name, "from": source, "to": target, "amount": amount, **more}


def split(name: str, source: str, amount: str, to: dict[str, str], **more: Any) -> Record:
    return {"record": "split", "id": name, "from": source, "amount": amount, "to": to, **more}


def spend(name: str, source: str, amount: str, **more: Any) -> Record:
    record = {"record": "expenditure", "id": name, "from": source, "amount": amount, "payee": "P", "purpose": "q"}
    return {**record, **more}


def convert(name: str, source: str, amount: str, target: str, gives: str, **more: Any) -> Record:
    record = {"record": "conversion", "id": name, "from": source, "amount": amount, "to": target, "gives": gives}
    return {**record, **more}


def refund(name: str, donation: str, **more: Any) -> Record:
    return {"record": "refund", "id": name, "donation": donation, **more}


def reverse(name: str, use: str, **more: Any) -> Record:
    return {"record": "reversal", "id": name, "reverses": use, "reason": "entered twice", **more}


def uses(model: Model, donation: str) -> list[tuple[str, str, list[str]]]:
    return [(use["id"], use["amount"], use["path"]) for use in model.trace(donation)["uses"]]


def held(model: Model, donation: str) -> dict[str, str]:
    return {place["account"]: place["amount"] for place in model.trace(donation)["held"]}


def converted(model: Model, donation: str) -> list[tuple[str, str, str]]:
    return [(entry["id"], entry["amount"], entry["gives"]) for entry in model.trace(donation)["converted"]]


def refused(model: Model, record: Record, *signers: str) -> str:
    with pytest.raises(ModelRefused) as caught:
        model.apply(record, frozenset(signers) if signers else None)
    return caught.value.reason
