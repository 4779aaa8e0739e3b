"""Donors, claims and private details from the command line."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import Cli

NAME = "Siti Rahayu binti Hassan"
VALUE = "Toko Buku Istimewa"


def holders(cli: Cli, *parts: str | bytes) -> list[str]:
    """Return the files, of all that this person has, in which one of `parts` stands."""
    wanted = [part.encode() if isinstance(part, str) else part for part in parts]
    files = [path for path in cli.folder.rglob("*") if path.is_file()]
    return sorted(path.name for path in files if any(part in path.read_bytes() for part in wanted))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def vault(cli: Cli) -> Path:
    return cli.keys / "village.example_2026.vault"


def killed_before_the_seal(cli: Cli, *args: str) -> None:
    """Run a command that is killed when everything but the block is written."""
    code = (
        "import os, signal; from charitychain.writer import Writer;"
        "Writer.commit = lambda self: os.kill(os.getpid(), signal.SIGKILL);"
        "from charitychain.cli import main; import sys; main(sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=cli.work, env=cli.env, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_donor_follows_gifts_and_is_erased(village: Cli) -> None:
    """A donor's gifts are found with a claim; once erased, the ledger holds, and the name is in no file."""
    village.ok("donor", "add", "-", input=NAME + "\n")
    one = village.json("donate", "edu", "7", "--id", "D-2", "--donor-name", "-", input=NAME + "\n")
    two = village.json("donate", "school", "8", "--id", "D-3", "--donor-name", NAME)
    assert len(one["donor"]) == len(two["donor"]) == 32 and one["donor"] != two["donor"]
    assert village.ok("donor", "pseudonym", NAME, "D-2").strip() == one["donor"]
    assert village.json("donor", "list") == [{"donor": NAME, "labels": 2}]
    assert holders(village, NAME) == ["village.example_2026.vault"]

    village.ok("donor", "claim", NAME, "-o", "c.json")
    assert mode(village.work / "c.json") == 0o600 and NAME not in (village.work / "c.json").read_text()
    lines = [json.loads(line) for line in village.ok("trace", "--mine", "c.json", "--format", "jsonl").splitlines()]
    assert [line["donation"] for line in lines] == ["D-2", "D-3"]
    assert village.ok("trace", "--mine", "c.json") == village.ok("trace", "D-2", "D-3")
    single = village.ok("donor", "claim", NAME, "--label", "D-3")
    assert json.loads(village.ok("trace", "--mine", "-", "--json", input=single))["donation"] == "D-3"
    assert "CC-EXISTS" in village.fails(7, "donor", "claim", NAME, "-o", "c.json")

    village.ok("donor", "erase", NAME, "--yes")
    village.ok("verify")
    assert village.json("show", "D-2")["donor"] == one["donor"]
    assert holders(village, NAME) == []
    assert "CC-VAULT" in village.fails(4, "donor", "claim", NAME)


def test_a_new_donor_is_added_and_erased(village: Cli) -> None:
    """A name that the vault does not know is added with the gift, which is found like any other; erased, it is gone."""
    done = village.run("donate", "edu", "7", "--id", "D-2", "--donor-name", "-", input=NAME + "\n")
    made = f"The vault is {vault(village)}; keep a copy of it as you keep one of your keys.\n"
    assert (done.returncode, done.stderr) == (0, f"{made}{NAME} was added to the vault\n")
    assert mode(vault(village)) == 0o600
    again = village.run("donate", "edu", "8", "--id", "D-3", "--donor-name", NAME, "--known-donor")
    assert (again.returncode, again.stderr) == (0, "")
    assert village.json("donor", "list") == [{"donor": NAME, "labels": 2}]
    village.ok("donor", "claim", NAME, "-o", "c.json")
    lines = [json.loads(line) for line in village.ok("trace", "--mine", "c.json", "--format", "jsonl").splitlines()]
    assert [line["donation"] for line in lines] == ["D-2", "D-3"]
    assert holders(village, NAME) == ["village.example_2026.vault"]
    village.ok("donor", "erase", NAME, "--yes")
    village.ok("verify")
    assert holders(village, NAME) == []


def test_a_name_that_is_nearly_a_known_one_is_pointed_out(village: Cli) -> None:
    """A slip of the pen would make two of one person, so the line that says who was added names the other one."""
    village.ok("donor", "add", NAME)
    slip = NAME.replace("Hassan", "Hasan")
    told = f"{slip} {{}} added to the vault; it knows {NAME} too: is that somebody else?\n"
    before = vault(village).read_bytes()
    assert village.run("donate", "edu", "7", "--donor-name", slip, "--dry-run").stderr == told.format("would be")
    assert vault(village).read_bytes() == before
    assert village.run("donate", "edu", "7", "--donor-name", slip).stderr == told.format("was")


def test_no_donor_is_added_for_a_gift_that_is_not_recorded(village: Cli) -> None:
    """Dry runs, refused gifts and repeated ids, with and without a vault, add nobody."""
    gift = ("--donor-name", "Ayu")
    for known in (False, True):
        if known:
            village.ok("donor", "add", NAME)
        before = vault(village).read_bytes() if known else None
        assert village.run("donate", "edu", "5", *gift, "--dry-run").stderr == "Ayu would be added to the vault\n"
        for told in (("nowhere", "5"), ("edu", "0"), ("edu", "5", "--id", "D-1"), ("edu", "5", "--date", "never")):
            assert "added" not in village.fails(7, "donate", *told, *gift)
        assert (vault(village).read_bytes() if vault(village).exists() else None) == before
        assert holders(village, "Ayu") == []


def test_a_donor_noted_for_a_gift_that_was_then_refused_is_taken_back(village: Cli) -> None:
    """Where the block is refused after all, the new donor and the label go; who was there before stays."""
    refused = (
        "from charitychain.writer import Writer; from charitychain.errors import KeyAccessError;"
        "\ndef commit(self): raise KeyAccessError('CC-KEY-MISSING', 'gone')\nWriter.commit = commit\n"
        "from charitychain.cli import main; import sys; main(sys.argv[1:])"
    )
    village.ok("donor", "add", NAME)
    for name in (NAME, "Ayu"):
        args = [sys.executable, "-c", refused, "donate", "edu", "7", "--id", "D-2", "--donor-name", name]
        assert subprocess.run(args, cwd=village.work, env=village.env, capture_output=True).returncode == 6
        assert village.json("donor", "list") == [{"donor": NAME, "labels": 0}]
    assert holders(village, "Ayu") == []


def test_a_killed_recording_of_a_new_donor_is_entered_again(village: Cli) -> None:
    """Killed before the seal, the donor is there without a gift; the same command goes on with that key."""
    command = ("donate", "edu", "7", "--id", "D-2", "--donor-name", NAME)
    killed_before_the_seal(village, *command)
    kept = village.ok("donor", "pseudonym", NAME, "D-2").strip()
    assert village.json(*command)["donor"] == kept
    village.ok("trace", "--mine", "-", input=village.ok("donor", "claim", NAME))


def test_a_donor_whom_another_process_added_meanwhile(village: Cli) -> None:
    """The gift is not recorded with a pseudonym that nobody could claim; entered again, it is recorded."""
    code = (
        "from charitychain.cli.privately import Privately; from charitychain.cli import main; import sys, subprocess\n"
        "keep = Privately.keep\ndef late(self, *a, **k):\n subprocess.run([sys.executable, '-m', 'charitychain',"
        " 'donor', 'add', 'Ayu'], check=True)\n keep(self, *a, **k)\nPrivately.keep = late\nmain(sys.argv[1:])"
    )
    args = [sys.executable, "-c", code, "donate", "edu", "7", "--id", "D-2", "--donor-name", "Ayu"]
    done = subprocess.run(args, cwd=village.work, env=village.env, capture_output=True)
    assert done.returncode == 5 and b"CC-VAULT" in done.stderr
    village.fails(4, "show", "D-2")
    assert village.json("donor", "list") == [{"donor": "Ayu", "labels": 0}]
    village.ok("donate", "edu", "7", "--id", "D-2", "--donor-name", "Ayu")


def test_a_table_with_names_becomes_a_gifts_table(village: Cli) -> None:
    """Names become pseudonyms of the series; gifts are found by claims; once all are erased no name is in any file."""
    shop = "Toko Buku Sari"
    table = (
        f'\ufeffid,amount,name,second\r\n3,5,"{NAME}",{shop}\r\n\r\n7,2.50,,\r\n9,1,"=HYPERLINK(""x""), Ltd",{NAME}\r\n'
    )
    (village.work / "S.csv").write_bytes(table.encode())
    done = village.run("donor", "table", "S.csv", "-o", "out.csv")
    assert done.returncode == 0 and done.stdout == ""
    assert done.stderr == (
        f"The vault is {vault(village)}; keep a copy of it as you keep one of your keys.\n"
        "3 gifts of series S; 3 donors were added to the vault.\n"
        "Enter them with: charitychain import out.csv --account ACCOUNT --series S\n"
    )
    mine, shops, other = (
        village.ok("donor", "pseudonym", name, "S").strip() for name in (NAME, shop, '=HYPERLINK("x"), Ltd')
    )
    assert (village.work / "out.csv").read_text() == (
        f"id,amount,donor,second\n3,5,{mine},{shops}\n7,2.50,,\n9,1,{other},{mine}\n"
    )
    assert mode(village.work / "out.csv") == 0o600
    assert village.ok("donor", "table", "S.csv") == (village.work / "out.csv").read_text()
    again = village.ok("donor", "table", "-", "--series", "T", input=table)
    assert mine not in again and shops not in again
    village.fails(7, "donor", "table", "S.csv", "-o", "out.csv")

    village.ok("import", "out.csv", "--account", "edu", "--series", "S")
    claim = village.ok("donor", "claim", NAME, "--label", "S")
    lines = village.ok("trace", "--mine", "-", "--format", "jsonl", input=claim).splitlines()
    assert [json.loads(line)["donation"] for line in lines] == ["S/3", "S/9"]
    assert holders(village, NAME, shop, "HYPERLINK") == ["S.csv", "village.example_2026.vault"]

    (village.work / "S.csv").unlink()
    for name in (NAME, shop, "-"):
        village.ok("donor", "erase", name, "--yes", input='=HYPERLINK("x"), Ltd')
    village.ok("verify")
    assert holders(village, NAME, shop, "HYPERLINK") == []
    assert village.json("show", "S/3")["donor"] == mine


ROW = f"1,5,{NAME}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1), ("id,amount\n1,5\n", 1), ("id,amount,donor\n" + ROW, 1), (f"id,amount,{NAME}\n" + ROW, 1), (ROW, 1),
        ("id;amount;name\n", 1), ("id,amount,name,second,third\n", 1), (b"\xff\xfei\0d\0", 1),
        (f"id,amount,name\n{ROW}{ROW}", 3), (f"id,amount,name\n{ROW}0,5,{NAME}\n", 3),
        (f"id,amount,name\n{ROW}{NAME},5,x\n", 3), (f"id,amount,name\n{ROW}2,{NAME},x\n", 3),
        (f"id,amount,name\n{ROW}2,=1+1,x\n", 3), (f"id,amount,name\n{ROW}2,-1,x\n", 3),
        (f"id,amount,name\n{ROW}02,1,x\n", 3), (f"id,amount,name\n{ROW}{2**63},1,x\n", 3),
        (f"id,amount,name\n{ROW}2,1\n", 3), (f"id,amount,name\n{ROW}2,1,{NAME},{NAME}\n", 3),
        (f"id,amount,name\n{ROW}2,1, {NAME}\n", 3), (f"id,amount,name\n{ROW}2,1,{NAME}\0\n", 3),
        (f'id,amount,name\n{ROW}2,1,"{NAME}\n{NAME}"\n', 4), (f"id,amount,name\n{ROW}2,1,{NAME}\x1b[2J\n", 3),
        (f'id,amount,name\n{ROW}2,1,"{NAME}', 3), (f'id,amount,name\n{ROW}2,1,"{NAME}"x\n', 3),
        (f"id,amount,name\n{ROW}2,1,{'00' * 16}\n", 3), (f"id,amount,name\n{ROW}2,1,{NAME * 200}\n", 3),
        (f"id,amount,name\n{ROW}2,1,{NAME * 3000}", 3), (f"id,amount,name\n{ROW}2,1,\u202e{NAME}\n", 3),
        (f"id,amount,name\n{ROW}2,1,{NAME}".encode() + b"\xff\n", 3),
    ],
)  # fmt: skip
def test_a_bad_table_of_names(village: Cli, text: str | bytes, line: int) -> None:
    """It is refused with its line and without a name; nobody is added, and no table is made."""
    village.ok("donor", "add", "Ali")
    before = vault(village).read_bytes()
    (village.work / "t.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    for out in ((), ("-o", "out.csv")):
        done = village.run("donor", "table", "t.csv", "--series", "S", *out)
        assert (done.returncode, done.stdout) == (7, "")
        assert f"line {line}:" in done.stderr and "CC-TABLE" in done.stderr
        assert "Siti" not in done.stderr and "\x1b" not in done.stderr
    assert vault(village).read_bytes() == before
    assert sorted(path.name for path in village.work.glob("*.csv*")) == ["t.csv"]


def test_a_large_table_of_names(village: Cli) -> None:
    """Memory does not grow with the table, and 200,000 gifts take seconds."""
    with open(village.work / "S.csv", "w") as file:
        file.write("id,amount,name\n")
        file.writelines(f"{number},1,Donor Number {number % 70_000}\n" for number in range(200_000))
    limited = (
        "import resource, sys; from charitychain.cli import main;"
        "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20)); main(sys.argv[1:])"
    )
    args = [sys.executable, "-c", limited, "donor", "table", "S.csv", "-o", "out.csv"]
    done = subprocess.run(args, cwd=village.work, env=village.env, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert b"\n200000 gifts of series S; 70000 donors were added to the vault.\n" in done.stderr
    assert (village.work / "out.csv").read_bytes().count(b"\n") == 200_001


def test_gifts_of_a_series_are_found(village: Cli) -> None:
    """A claim of a series finds every gift in which the donor is first or second, over all records of the series."""
    village.ok("donor", "add", NAME)
    mine = village.ok("donor", "pseudonym", NAME, "S").strip()
    first = {
        "record": "gifts", "series": "S", "account": "edu", "ids": [3, 5], "amounts": ["1", "2"],
        "donors": ["00" * 16, mine],
    }  # fmt: skip
    second = {
        "record": "gifts", "series": "S", "account": "edu", "ids": [7, 8, 9], "amounts": ["3", "4", "5"],
        "donors": ["11" * 16, mine, "11" * 16], "seconds": [mine, "22" * 16, "22" * 16],
    }  # fmt: skip
    village.ok("import", village.journal([first]))
    village.ok("import", village.journal([second]))
    village.ok("donor", "claim", NAME, "-o", "c.json")
    lines = village.ok("trace", "--mine", "c.json", "--format", "jsonl").splitlines()
    assert [json.loads(line)["donation"] for line in lines] == ["S/5", "S/7", "S/8"]


def test_false_claims(village: Cli) -> None:
    """A claim of another secret is found bad, one of another ledger refused, one without its gift told; all differ."""
    village.ok("donor", "add", NAME)
    village.ok("donate", "edu", "7", "--id", "D-2", "--donor-name", NAME)
    village.ok("import", village.journal([
        {"record": "gifts", "series": "S", "account": "edu", "ids": [1], "amounts": ["1"], "donors": ["00" * 16]}
    ]))  # fmt: skip
    claim = json.loads(village.ok("donor", "claim", NAME))
    ((good,),) = [claim["labels"]]
    flipped = good["secret"][:-1] + ("0" if good["secret"][-1] != "0" else "1")
    for label, secret, code in [
        ("D-2", flipped, 1), ("D-1", good["secret"], 1), ("S", good["secret"], 1), ("D-9", good["secret"], 4),
    ]:  # fmt: skip
        changed = {**claim, "labels": [{"label": label, "secret": secret}]}
        done = village.run("trace", "--mine", "-", input=json.dumps(changed))
        assert done.returncode == code and done.stdout == ""
        assert ("CC-CLAIM" in done.stderr) == (code == 1)
    for change in ({"identity": "00" * 32}, {"origin": "town.example/2026"}, {"form": "x"}, {"more": 1}):
        assert "CC-CLAIM" in village.fails(7, "trace", "--mine", "-", input=json.dumps({**claim, **change}))
    village.fails(3, "trace", "--mine", "no-such-file")
    village.fails(2, "trace", "D-2", "--mine", "-", input=json.dumps(claim))
    village.fails(2, "trace")


def test_private_details_are_shown_checked_and_erased(village: Cli) -> None:
    """A spending hides payee and purpose; one is disclosed and checked; erased, it is in no file and all else holds."""
    (village.work / "payee.txt").write_text(VALUE + "\n")
    details = ("--private", "payee=@payee.txt", "--private", "purpose=-")
    entry = village.json("spend", "edu", "5", "--id", "X-1", *details, input="books for Siti\n")
    (village.work / "payee.txt").unlink()
    assert "payee" not in entry and len(entry["private"]) == 64
    assert village.json("show", "X-1")["private"] == entry["private"]
    assert village.json("annex", "show", "X-1") == [
        {"name": "payee", "value": VALUE, "erased": False},
        {"name": "purpose", "value": "books for Siti", "erased": False},
    ]
    assert holders(village, VALUE) == ["village.example_2026.vault"]

    village.ok("annex", "disclose", "X-1", "payee", "-o", "d.json")
    assert mode(village.work / "d.json") == 0o600 and "Siti" not in (village.work / "d.json").read_text()
    found = village.json("annex", "check", "d.json")
    assert found == {"id": "X-1", "name": "payee", "value": VALUE, "holds": True}
    text = (village.work / "d.json").read_text()
    for old, new in ((VALUE, "Toko Lain"), ('"payee"', '"purpose"'), ('"right"', '"left"')):
        assert "CC-PRIVATE" in village.fails(1, "annex", "check", "-", input=text.replace(old, new))
    assert "CC-PRIVATE" in village.fails(1, "annex", "check", "-", input=text.replace('"X-1"', '"D-1"'))
    village.fails(4, "annex", "check", "-", input=text.replace('"X-1"', '"X-2"'))
    assert "CC-PRIVATE" in village.fails(7, "annex", "check", "-", input=text[:-5])

    (village.work / "d.json").unlink()
    village.ok("annex", "erase", "X-1", "payee", "--yes")
    assert holders(village, VALUE) == []
    assert village.json("annex", "show", "X-1")[0] == {"name": None, "value": None, "erased": True}
    village.ok("annex", "check", "-", input=village.ok("annex", "disclose", "X-1", "purpose"))
    village.ok("annex", "erase", "X-1", "--yes")
    assert holders(village, "books for Siti") == []
    village.ok("verify")
    village.ok("trace", "D-1")


def test_a_false_vault_is_told(village: Cli, tmp_path: Path) -> None:
    """Details that are not the sealed ones are found bad, whether they are shown or disclosed."""
    village.ok("spend", "edu", "5", "--id", "X-1", "--private", "payee=A")
    village.fails(4, "annex", "show", "X-2")
    import sqlite3

    from charitychain.private import new_details

    (detail,) = new_details([("payee", "B")])
    database = sqlite3.connect(vault(village))
    database.execute("UPDATE details SET value = 'B', salt = ?, leaf = ?", (detail.salt, detail.leaf()))
    database.commit()
    database.close()
    assert "CC-PRIVATE" in village.fails(1, "annex", "show", "X-1")
    assert "CC-PRIVATE" in village.fails(1, "annex", "disclose", "X-1", "payee")


def test_a_killed_recording_is_entered_again(village: Cli) -> None:
    """Killed before the seal, the same command with the same id records once, with the details that were kept."""
    village.ok("donor", "add", NAME)
    command = ("donate", "edu", "7", "--id", "D-2", "--donor-name", NAME, "--private", "case=17", "--private", "by=Ali")
    killed_before_the_seal(village, *command)
    village.fails(4, "show", "D-2")
    assert "Note" in village.run("annex", "show", "D-2").stderr
    kept = vault(village).read_bytes()
    first = village.json(*command)
    assert (first["recorded"], vault(village).read_bytes()) == (True, kept)
    again = village.json(*command)
    assert (again["recorded"], again["private"], again["donor"]) == (False, first["private"], first["donor"])
    village.ok("annex", "check", "-", input=village.ok("annex", "disclose", "D-2", "case"))
    assert "CC-DUPLICATE-ID" in village.fails(7, *command[:-1], "by=Dewi")
    assert village.json("annex", "show", "D-2")[0]["value"] == "Ali"


def test_a_killed_recording_may_be_told_otherwise(village: Cli) -> None:
    """Details that were kept for a record that was never sealed give way to those of the one that is."""
    killed_before_the_seal(village, "spend", "edu", "5", "--id", "X-1", "--private", "payee=Wrong Shop")
    village.ok("spend", "edu", "5", "--id", "X-1", "--private", "payee=Right Shop")
    village.ok("annex", "check", "-", input=village.ok("annex", "disclose", "X-1", "payee"))
    assert village.json("annex", "show", "X-1")[0]["value"] == "Right Shop"


def test_two_drafts_of_one_id_keep_their_details(village: Cli) -> None:
    """Each draft's details are there until one is sealed; they are shown as drafted, then the other's are forgotten."""
    harry = ("--private", "payee=Hidden Harry", "--private", "purpose=books")
    village.ok("spend", "edu", "5", "--id", "X-2", *harry, "--draft", "1.draft")
    village.ok("spend", "edu", "5", "--id", "X-2", "--private", "payee=Other Olga", "--draft", "2.draft")
    shown = village.run("annex", "show", "X-2", "--json")
    assert "X-2 is not recorded yet; a draft" in shown.stderr and "not sealed" not in shown.stderr
    rows = json.loads(shown.stdout)
    assert sorted((row["name"], row["value"]) for row in rows) == [
        ("payee", "Hidden Harry"), ("payee", "Other Olga"), ("purpose", "books"),
    ]  # fmt: skip
    (drafted,) = village.json("cosign", "1.draft", "--show")["records"]
    assert {row["private"] for row in rows if row["value"] != "Other Olga"} == {drafted["private"]}
    village.ok("cosign", "1.draft", "--yes")
    village.ok("submit", "1.draft")
    shown = village.run("annex", "show", "X-2", "--json")
    assert (json.loads(shown.stdout), shown.stderr) == ([
        {"name": "payee", "value": "Hidden Harry", "erased": False},
        {"name": "purpose", "value": "books", "erased": False},
    ], "")  # fmt: skip
    village.ok("annex", "check", "-", input=village.ok("annex", "disclose", "X-2", "payee"))
    assert holders(village, "Olga") == []
    assert "CC-DRAFT" in village.fails(7, "submit", "2.draft")


def test_a_draft_that_cannot_be_written_keeps_nothing(village: Cli) -> None:
    """Where the draft's name is taken, its details go again, and those of the draft that has the name stay."""
    draft = ("spend", "edu", "5", "--id", "X-2", "--draft", "1.draft")
    village.ok(*draft, "--private", "payee=Hidden Harry")
    assert "CC-EXISTS" in village.fails(7, *draft, "--private", "payee=Other Olga")
    assert holders(village, "Olga") == []
    assert "CC-EXISTS" in village.fails(7, *draft, "--private", "payee=Hidden Harry")
    assert [row["value"] for row in village.json("annex", "show", "X-2")] == ["Hidden Harry"]


def test_a_record_entered_beside_its_draft_is_the_one_that_counts(village: Cli) -> None:
    """Sealed at once while a draft of it is out, it has its own details, and the draft's are forgotten."""
    village.ok("spend", "edu", "5", "--id", "X-2", "--private", "payee=Other Olga", "--draft", "1.draft")
    village.ok("spend", "edu", "5", "--id", "X-2", "--private", "payee=Hidden Harry")
    assert [row["value"] for row in village.json("annex", "show", "X-2")] == ["Hidden Harry"]
    assert holders(village, "Olga") == []


def test_a_gift_drafted_for_two_donors_is_claimed_by_one(village: Cli) -> None:
    """The donor of the draft that was sealed has the gift in the claim; the other one's claim does not break on it."""
    for name, file in (("Ali", "a.draft"), ("Budi", "b.draft")):
        village.ok("donate", "edu", "3", "--id", "D-5", "--donor-name", name, "--draft", file)
    village.ok("donate", "edu", "3", "--id", "D-6", "--donor-name", "Budi")
    village.ok("donate", "edu", "3", "--id", "D-5", "--donor-name", "Ali")
    assert village.json("donor", "list") == [{"donor": "Ali", "labels": 1}, {"donor": "Budi", "labels": 1}]
    for name, gift in (("Ali", "D-5"), ("Budi", "D-6")):
        claim = village.ok("donor", "claim", name)
        assert json.loads(village.ok("trace", "--mine", "-", "--json", input=claim))["donation"] == gift


def test_erasing_reaches_drafts_too(village: Cli) -> None:
    """`annex erase` takes the detail out of every draft of a record that is not sealed."""
    for name in ("Harry", "Olga"):
        village.ok("spend", "edu", "5", "--id", "X-2", "--private", f"payee={name}", "--draft", f"{name}.draft")
    assert village.ok("annex", "erase", "X-2", "--yes") == "2 details of X-2 erased\n"
    assert holders(village, "payee=") == [] and holders(village, b"Hidden") == []
    assert [row["erased"] for row in village.json("annex", "show", "X-2")] == [True, True]


def recharged(cli: Cli) -> None:
    """X-1, taken over by X-2, taken over by X-3, all to one payee; X-9 stands by itself, to the same payee."""
    cli.ok("donate", "school", "20")
    cli.ok("spend", "edu", "5", "--id", "X-1", "--private", f"payee={VALUE}", "--private", "purpose=rice")
    cli.ok("recharge", "X-1", "--to", "school", "--id", "X-2")
    cli.ok("recharge", "X-2", "--to", "edu", "--id", "X-3")
    cli.ok("spend", "edu", "1", "--id", "X-9", "--private", f"payee={VALUE}", "--private", "purpose=soap")


@pytest.mark.parametrize(
    ("id_", "told"),
    [
        ("X-1", "1 detail of X-1 erased\n1 detail of X-2, which replaces it, erased\n"
         "1 detail of X-3, which replaces it, erased\n"),
        ("X-2", "1 detail of X-2 erased\n1 detail of X-3, which replaces it, erased\n"
         "1 detail of X-1, which it replaces, erased\n"),
        ("X-3", "1 detail of X-3 erased\n1 detail of X-2, which it replaces, erased\n"
         "1 detail of X-1, which it replaces, erased\n"),
    ],
)  # fmt: skip
def test_erasing_reaches_copies(village: Cli, id_: str, told: str) -> None:
    """A payee whom other accounts took over is erased in all these records; the same elsewhere is named and stays."""
    recharged(village)
    done = village.run("annex", "erase", id_, "payee", "--yes")
    assert (done.returncode, done.stdout) == (0, told)
    assert "the same is kept for X-9;" in done.stderr
    assert village.json("annex", "show", "X-9")[0]["value"] == VALUE
    village.ok("annex", "erase", "X-9", "payee", "--yes")
    assert holders(village, VALUE) == []
    for one in ("X-1", "X-2", "X-3"):
        village.ok("annex", "check", "-", input=village.ok("annex", "disclose", one, "purpose"))
    village.ok("verify")


def test_copies_are_left_on_demand_and_named(village: Cli) -> None:
    """--only erases in one record, and names the others; so does a second try there, which finds nothing."""
    recharged(village)
    done = village.run("annex", "erase", "X-2", "payee", "--only", "--yes")
    assert (done.returncode, done.stdout) == (0, "1 detail of X-2 erased\n")
    for stderr in (done.stderr, village.fails(4, "annex", "erase", "X-2", "payee", "--yes")):
        assert "X-3, which replaces it, still has payee" in stderr
        assert "X-1, which it replaces, still has payee" in stderr and VALUE not in stderr
    assert village.json("annex", "show", "X-1")[0]["value"] == VALUE


def test_a_corrected_payee_is_another_one(village: Cli) -> None:
    """What the replacing record says otherwise is not erased with it, but named."""
    village.ok("spend", "edu", "5", "--id", "X-1", "--private", "payee=Wrong Shop", "--private", "case=17")
    village.ok("reverse", "X-1")
    village.ok("spend", "edu", "5", "--id", "X-2", "--private", f"payee={VALUE}", "--replaces", "X-1", "--purpose", "p")
    done = village.run("annex", "erase", "X-1", "--yes")
    assert (done.returncode, done.stdout) == (0, "2 details of X-1 erased\n")
    assert "X-2, which replaces it, still has payee" in done.stderr
    assert holders(village, "Wrong Shop") == []
    assert village.json("annex", "show", "X-2")[0]["value"] == VALUE


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_an_empty_detail_is_refused(village: Cli, text: str) -> None:
    """A file that was empty by accident is not sealed for ever; nothing is recorded, and no vault made."""
    (village.work / "empty.txt").write_text(text)
    for value in ("@empty.txt", "-", text.strip("\n")):
        stderr = village.fails(7, "spend", "edu", "1", "--private", f"purpose={value}", input=text)
        assert "'purpose' is empty" in stderr and "CC-PRIVATE" in stderr
    village.fails(7, "spend", "edu", "1", "--private", "purpose=@/dev/null")
    assert not vault(village).exists() and len(village.json("log")) == 2


@pytest.mark.parametrize("text", ["[" * 30_000, '{"a":' * 10_000 + "1" + "}" * 10_000])
def test_deeply_nested_files_are_refused_in_words(village: Cli, text: str) -> None:
    """Claims, disclosures, requests and journals that nest without end are refused as such, not by Python."""
    for code, args in (
        ("CC-CLAIM", ("trace", "--mine", "-")), ("CC-PRIVATE", ("annex", "check", "-")),
        ("CC-REQUEST", ("party", "add", "--role", "auditor", "--request", "-")),
        ("CC-JOURNAL", ("import", "-")), ("CC-JOURNAL", ("draft", "-")),
    ):  # fmt: skip
        stderr = village.fails(7, *args, input=text)
        assert code in stderr and "nested too deeply" in stderr and "recursion" not in stderr


def test_nothing_is_noted_of_what_is_not_recorded(village: Cli) -> None:
    """A dry run and a refused record leave the vault as it was; without one, none is made."""
    village.ok("spend", "edu", "5", "--private", "payee=A", "--dry-run")
    village.fails(7, "spend", "edu", "500", "--private", "payee=A")
    assert not vault(village).exists()
    village.ok("donor", "add", NAME)
    before = vault(village).read_bytes()
    village.ok("donate", "edu", "5", "--donor-name", NAME, "--private", "case=1", "--dry-run")
    village.fails(7, "donate", "nowhere", "5", "--donor-name", NAME, "--private", "case=1")
    assert vault(village).read_bytes() == before


@pytest.mark.parametrize(
    ("code", "args"),
    [
        (2, ("donate", "edu", "1", "--donor", "00" * 16, "--donor-name", "x")),
        (2, ("donate", "edu", "1", "--donor-name", "-", "--private", "case=-")),
        (2, ("spend", "edu", "1", "--private", "payee")),
        (2, ("spend", "edu", "1", "--purpose", "x")),
        (2, ("spend", "edu", "1", "--payee", "x")),
        (7, ("spend", "edu", "1", "--private", "a=1", "--private", "a=2")),
        (7, ("spend", "edu", "1", "--private", "=1")),
        (7, ("spend", "edu", "1", "--private", "a=\x1b[2J")),
        (3, ("spend", "edu", "1", "--private", "a=@no-such-file")),
        (4, ("donate", "edu", "1", "--donor-name", "Nobody", "--known-donor")),
        (4, ("donate", "edu", "1", "--donor-name", "Nobody", "--known-donor", "--vault", "made")),
        (2, ("donate", "edu", "1", "--known-donor")),
        (7, ("donate", "edu", "1", "--donor-name", "")),
        (7, ("donate", "edu", "1", "--donor-name", " Ali")),
        (7, ("donate", "edu", "1", "--donor-name", "\x1b[2J")),
        (2, ("donor", "table", "-", "--vault", "made")),
        (7, ("donor", "table", "-", "--series", "a b", "--vault", "made")),
        (3, ("donor", "table", "no-such-file.csv", "--vault", "made")),
        (7, ("donor", "table", "-", "--series", "S", "--vault", "made")),
        (4, ("donor", "list")),
        (2, ("donor", "erase", "Nobody", "--vault", "made")),
        (7, ("donor", "add", "\x1b[2J", "--vault", "made")),
        (7, ("donor", "add", "", "--vault", "made")),
        (7, ("donor", "add", b"\xff".decode("utf-8", "surrogateescape"), "--vault", "made")),
        (7, ("annex", "show", "a b")),
        (3, ("annex", "check", "no-such-file")),
    ],
)
def test_what_is_refused(village: Cli, code: int, args: tuple[str, ...]) -> None:
    """Each misuse has its exit code, and nothing of it reaches the terminal raw."""
    village.ok("donor", "add", "Ali", "--vault", "made")
    stderr = village.fails(code, *args)
    assert "\x1b" not in stderr


def test_hostile_text_is_escaped(village: Cli) -> None:
    """Characters that show nothing, or steer, are escapes wherever names and values are printed."""
    hostile = "Si\u200bti"
    village.ok("donor", "add", hostile)
    village.ok("donate", "edu", "5", "--id", "D-\u200b2", "--donor-name", hostile, "--private", f"by\u200b={hostile}")
    shown = [
        village.ok("donor", "list"), village.ok("donor", "list", "--json"), village.ok("donor", "claim", hostile),
        village.ok("annex", "show", "D-\u200b2"), village.ok("annex", "disclose", "D-\u200b2", "by\u200b"),
        village.ok("annex", "check", "-", input=village.ok("annex", "disclose", "D-\u200b2", "by\u200b")),
        village.run("donor", "claim", "No\u200bbody").stderr, village.run("annex", "show", "X\u200b").stderr,
    ]  # fmt: skip
    assert not [text for text in shown if "\u200b" in text]
    assert "Si\\u200bti" in shown[0]


def test_the_vault_is_of_one_ledger_and_one_user(village: Cli) -> None:
    """Another ledger is refused its vault, and so is everybody once others could read it."""
    village.ok("donor", "add", NAME)
    assert mode(vault(village)) == 0o600
    village.init("other.ledger", "other.example/2026")
    assert "CC-VAULT" in village.fails(7, "donor", "list", "-l", "other.ledger", "--vault", vault(village))
    assert "CC-VAULT" in village.fails(7, "donor", "list", "-l", "other.ledger", CHARITYCHAIN_VAULT=str(vault(village)))
    vault(village).chmod(0o640)
    for args in (("donor", "list"), ("donate", "edu", "5", "--donor-name", NAME), ("annex", "show", "X-1")):
        assert "CC-VAULT" in village.fails(6, *args, "-l", "v.ledger")
