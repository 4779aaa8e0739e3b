"""What a journal may say: every refusal names its line and records nothing."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from cli.conftest import Cli

from charitychain.errors import CharitychainError
from charitychain.interop.journal import import_journal
from charitychain.ledger import Ledger

GOOD = '{"record":"donation","id":"D-8","account":"edu","amount":"1"}'


def _gift(amount: Any, id_: str = "D-9") -> str:
    return json.dumps({"record": "donation", "id": id_, "account": "edu", "amount": amount}, ensure_ascii=False)


def _journal(line: str | bytes) -> bytes:
    return GOOD.encode() + b"\n\n" + (line.encode() if isinstance(line, str) else line) + b"\n"


def _refused(cli: Cli, line: str | bytes) -> str:
    """Import a journal whose third line is `line`; nothing of it may be recorded."""
    before = cli.ledger.read_bytes()
    stderr = cli.fails(7, "import", "-", input=_journal(line))
    assert "line 3:" in stderr
    assert cli.ledger.read_bytes() == before
    return stderr


def _refused_here(cli: Cli, line: str | bytes) -> None:
    """The same by the library, without a process for each line of a long table."""
    before = cli.ledger.read_bytes()
    with Ledger.open(cli.ledger, keys=cli.keys) as ledger, pytest.raises(CharitychainError, match="line 3:") as caught:
        import_journal(ledger, io.BytesIO(_journal(line)))
    assert caught.value.exit_code == 7 and caught.value.facts["line"] == 3
    assert cli.ledger.read_bytes() == before


@pytest.mark.parametrize(
    "amount",
    ["1e3", "+1", "-1", "１", "1_0", "0", "0.00", "00.1", "01", "", " 1", "1 ", "1,5", "1.", ".5", "1.505", "0x10",
     "NaN", "Infinity", "92233720368547758.08", "9" * 5000, 12.5, 12, True, ["1"], None],
)  # fmt: skip
def test_no_amount(standing: Cli, amount: Any) -> None:
    """Only plain digits with at most one point, above nothing and within the unit's decimals, are an amount."""
    _refused_here(standing, _gift(amount))


@pytest.mark.parametrize(
    "line",
    [
        "no json", "[]", '"text"', "1", "{", '{"record":"donation"} x', "{}", '{"record":"gift","id":"x"}',
        '{"record":"donation","id":"D-9","id":"D-9","account":"edu","amount":"1"}',
        '{"record":"account","id":"t","unit":"CNY","tags":{"a":"1","a":"2"}}',
        '{"record":"donation","id":"D-9","account":"edu","amount":NaN}',
        '{"record":"donation","id":"D-9","account":"edu","amount":Infinity}',
        '{"record":"donation","id":"D-9","account":"edu"}',
        '{"record":"donation","account":"edu","amount":"1"}',
        '{"record":"donation","id":7,"account":"edu","amount":"1"}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","colour":"red"}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","reference":null}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","reference":["x"]}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","date":"2020-02-30"}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","donor":"Bob"}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","evidence":"x"}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","unit":"EUR"}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","reference":"\\ud800"}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","reference":"a\\u202eb"}',
        '{"record":"donation","id":"D-9","account":"edu","amount":"1","reference":"\\u001b[31m"}',
        '{"record":"unit","id":"U","decimals":2.0}', '{"record":"unit","id":"U","decimals":true}',
        '{"record":"unit","id":"U","decimals":"2"}', '{"record":"unit","id":"CNY","decimals":2}',
        '{"record":"account","id":"a/b","unit":"CNY"}', '{"record":"account","id":"a b","unit":"CNY"}',
        '{"record":"account","id":"-a","unit":"CNY"}', '{"record":"account","id":"","unit":"CNY"}',
        '{"record":"account","id":"e\\u0301","unit":"CNY"}',
        '{"record":"account","id":"' + "a" * 129 + '","unit":"CNY"}',
        '{"record":"account","id":"a","unit":"XYZ"}', '{"record":"account","id":"a","unit":"CNY","rule":"lifo"}',
        '{"record":"party","id":"p","roles":["king"],"key":"00"}',
        '{"record":"gifts","series":"S","account":"edu","ids":[2,1],"amounts":["1","1"]}',
        '{"record":"gifts","series":"S","account":"edu","ids":[1],"amounts":[1]}',
        '{"record":"gifts","series":"S","account":"edu","ids":[],"amounts":[]}',
        '{"record":"gifts","series":"S","account":"edu","ids":[1,2],"amounts":["1"]}',
        '{"record":"donation","id":"\\ud800","account":"edu","amount":"1"}',
        '{"record":"refund","id":"R","donation":"\\ud800"}', '{"record":"reversal","id":"U","reverses":"\\ud800"}',
        '{"record":"refund","id":"R","donation":"S/9999999999999999999"}',
        '{"record":"gifts","series":"S","account":"edu","ids":["²"],"amounts":["1"]}',
        '{"record":"gifts","series":"S","account":"edu","ids":[9999999999999999999],"amounts":["1"]}',
        '{"record":"gifts","series":"\\ud800","account":"edu","ids":[1],"amounts":["1"]}',
        "[" * 100_000, '{"a":' * 100_000, '{"record":"donation","id":' + "9" * 100_000 + "}",
        b'{"record":"donation","id":"\xff","account":"edu","amount":"1"}', b"\xef\xbb\xbf{}", b"\x00",
    ],
)  # fmt: skip
def test_no_entry(standing: Cli, line: str | bytes) -> None:
    """What is not strict JSON, or no well formed entry, is refused with its line, and nothing is recorded."""
    _refused_here(standing, line)


def test_a_few_of_them_as_a_process(standing: Cli) -> None:
    """The command line says the same as the library, however deep or strange a line is."""
    lines = ("[" * 100_000, '{"record":"refund","id":"R","donation":"\\ud800"}', b"\xff", _gift(12.5))
    for line in lines:
        _refused(standing, line)


def test_amounts_of_one_value_are_one_amount(village: Cli) -> None:
    """12, 12.5 and 12.50 go in alike, come out in full, and are compared by value with what was signed."""
    amounts = ("12", "12.0", "12.00", "12.5", "12.50")
    lines = [_gift(amount, f"E-{n}") for n, amount in enumerate(amounts)]
    village.ok("import", village.journal(lines))
    found = [village.json("trace", f"E-{n}")["amount"] for n in (0, 1, 3, 4)]
    assert found == ["12.00", "12.00", "12.50", "12.50"]
    again = [_gift("12.50", "E-3"), _gift("12.5", "E-4"), _gift("12.00", "E-0"), _gift("12", "E-2")]
    assert village.json("import", village.journal(again))["known"] == 4
    for other in ("12.51", "125", "12.", "1250", "012.5"):
        _refused(village, _gift(other, "E-3"))


def test_an_id_that_comes_again_with_other_content_is_refused(village: Cli) -> None:
    """Ids are compared first, as they were signed: what a line left out stays left out."""
    signed = {
        "record": "donation", "id": "E-1", "account": "edu", "amount": "2", "source": "cash", "date": "2020-09",
    }  # fmt: skip
    village.ok("import", village.journal([signed]))
    assert village.json("import", village.journal([signed | {"unit": "CNY"}]))["known"] == 1
    for change in (
        {"amount": "3"}, {"account": "school"}, {"date": "2020-09-01"}, {"source": "steps"}, {"unit": "EUR"},
        {"reference": "x"}, {"record": "account", "unit": "CNY"}, {"donor": "00" * 16},
    ):  # fmt: skip
        _refused(village, json.dumps(signed | change))
    for name in ("date", "source"):
        _refused(village, json.dumps({key: value for key, value in signed.items() if key != name}))
    # An id of one kind is taken for all kinds.
    _refused(village, '{"record":"unit","id":"E-1","decimals":0}')
    _refused(village, '{"record":"account","id":"self","unit":"CNY"}')
    _refused(village, json.dumps(signed | {"id": "D-8"}) + "\n" + json.dumps(signed | {"id": "D-8", "amount": "7"}))


def test_columns_of_gifts_come_again_by_value(village: Cli) -> None:
    """A line of many gifts is known again whatever its zeros and capitals, and refused with another amount."""
    line: dict[str, Any] = {
        "record": "gifts", "series": "S", "account": "edu", "ids": [1, 2], "amounts": ["1", "2.50"],
        "donors": ["", "ab" * 16],
    }  # fmt: skip
    village.ok("import", village.journal([line]))
    same = line | {"ids": ["1", "2"], "amounts": ["1.00", "2.5"], "donors": ["", "AB" * 16]}
    assert village.json("import", village.journal([same]))["known"] == 1
    assert village.json("trace", "S/2")["amount"] == "2.50"
    for change in ({"amounts": ["1", "2.51"]}, {"donors": ["", "ac" * 16]}, {"ids": [1, 3]}, {"account": "school"}):
        _refused(village, json.dumps(line | change))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"record":"disbursement","id":"B","from":"edu","to":"edu","amount":"1"}', "itself"),
        ('{"record":"disbursement","id":"B","from":"edu","to":"school","amount":"13.51"}', "13.50"),
        ('{"record":"disbursement","id":"B","from":"edu","to":"school","amount":"1","gift":"D-7"}', "D-7"),
        ('{"record":"refund","id":"R","donation":"D-1","amount":"12.51"}', "12.50"),
        ('{"record":"refund","id":"R","donation":"D-1","from":"school"}', "0.00"),
        ('{"record":"reversal","id":"U","reverses":"edu"}', "edu"),
        ('{"record":"conversion","id":"C","from":"edu","amount":"1","to":"school","gives":"1"}', "CNY"),
        ('{"record":"donation","id":"D","account":"shcool","amount":"1"}', "shcool"),
        ('{"record":"donation","id":"D","account":"edu","amount":"1","author":"nobody"}', "nobody"),
    ],
)  # fmt: skip
def test_a_rule_that_says_no(standing: Cli, line: str, words: str) -> None:
    """A refusal says which line, and what there is."""
    assert words in _refused(standing, line)


def test_a_second_reversal_of_the_same_units_is_refused(village: Cli) -> None:
    """What was reversed cannot be reversed again."""
    village.ok("spend", "edu", "5", "--payee", "p", "--purpose", "q", "--id", "X-1")
    village.ok("reverse", "X-1", "--amount", "2")
    _refused(village, '{"record":"reversal","id":"U","reverses":"X-1","amount":"3.01"}')
    village.ok("reverse", "X-1")
    _refused(village, '{"record":"reversal","id":"U","reverses":"X-1"}')


def test_a_long_journal_is_all_or_nothing_too(village: Cli) -> None:
    """A journal of several blocks whose last line is bad records none of them, and goes in whole once it is mended."""
    lines = [_gift("0.01", f"L-{n}") for n in range(10_500)]
    before = village.ledger.read_bytes()
    assert "line 10501" in village.fails(7, "import", village.journal([*lines, _gift("1", "a b")]))
    assert village.ledger.read_bytes() == before
    assert village.json("import", village.journal([*lines, _gift("1", "ab")])) == {
        "added": 10_501, "known": 0, "blocks": 2, "dry_run": False,
    }  # fmt: skip
    with Ledger.open(village.ledger, keys=village.keys) as ledger:
        assert str(ledger.balance("edu")) == "118.50"


def test_dry_runs_record_nothing(village: Cli) -> None:
    """--dry-run checks everything, says what would happen, and changes no byte."""
    before = village.ledger.read_bytes()
    marks = {path: path.read_bytes() for path in village.keys.iterdir()}
    assert "would be" in village.ok("import", village.journal([GOOD]), "--dry-run")
    assert "would be" in village.ok("donate", "edu", "1", "--dry-run")
    assert "would be" in village.ok("spend", "edu", "1", "--payee", "a", "--purpose", "b", "--dry-run")
    assert village.json("refund", "D-1", "--dry-run")["recorded"] is False
    village.fails(7, "disburse", "edu", "school", "99", "--dry-run")
    _refused(village, "{}")
    assert village.ledger.read_bytes() == before
    assert {path: path.read_bytes() for path in village.keys.iterdir()} == marks


def test_an_export_is_whole_or_not_there(standing: Cli) -> None:
    """An export replaces the file of its name only when it is whole, and stops where another one is being written."""
    target, part = standing.work / "out.jsonl", standing.work / "out.jsonl.part"
    target.write_text("old")
    part.write_text("of another")
    assert "CC-EXISTS" in standing.fails(7, "export", "-o", target)
    assert (target.read_text(), part.read_text()) == ("old", "of another")
    part.unlink()
    standing.ok("export", "-o", target)
    assert target.read_text() == standing.ok("export") and not part.exists()
    assert "CC-STORAGE" in standing.fails(3, "export", "-o", standing.work / "nowhere" / "out.jsonl")
