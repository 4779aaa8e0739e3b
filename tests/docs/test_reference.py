"""The reference pages say what the code says: commands, error codes, floors of the package, links between pages."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import charitychain
from charitychain import errors
from charitychain.entries import form

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCES = sorted((ROOT / "charitychain").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
_CODE = re.compile(r"CC-[A-Z]+(?:-[A-Z]+)*")


def _page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def test_the_page_of_commands_is_current() -> None:
    """`docs/reference/cli.md` is what `python docs/generate_cli.py` writes."""
    spec = importlib.util.spec_from_file_location("generate_cli", DOCS / "generate_cli.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert _page("reference/cli.md") == module.page(), "run: python docs/generate_cli.py"


def test_every_error_code_is_documented_and_exists() -> None:
    """The page of errors lists each code of the source once, and none that is not there."""
    used = {code for source in SOURCES for code in _CODE.findall(source.read_text("utf-8"))}
    listed = re.findall(r"^\| (CC-[A-Z-]+) \|", _page("reference/errors.md"), re.MULTILINE)
    assert sorted(listed) == sorted(used)


def test_exit_codes_of_the_families_are_those_of_the_code() -> None:
    """Each family of errors stands in the page with the exit code that it has."""
    rows = dict(re.findall(r"^\| `(\w+Error)` \| (\d+) \|", _page("reference/errors.md"), re.MULTILINE))
    families = set(errors.__all__) - {"CharitychainError"}
    assert {name: int(code) for name, code in rows.items()} == {
        name: getattr(errors, name).exit_code for name in families
    }


def test_exit_codes_are_the_same_in_readme_and_reference() -> None:
    """README and reference list the same exit codes."""
    readme = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    section = _page("reference/errors.md").partition("## Exit codes")[2].partition("\n## ")[0]
    assert readme == re.findall(r"^\| (\d+) \|", section, re.MULTILINE)


def test_codes_in_other_pages_exist() -> None:
    """No page names an error code that the page of errors does not have."""
    listed = set(_CODE.findall(_page("reference/errors.md")))
    for page in PAGES:
        assert set(_CODE.findall(page.read_text("utf-8"))) <= listed, page


def test_journal_fields_are_those_of_the_code() -> None:
    """The table of records and fields in the journal page is what an import takes."""
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]+) \|$", _page("reference/journal.md"), re.MULTILINE)
    found = {
        kind: (set(re.findall(r"`(\w+)`", required)), set(re.findall(r"`(\w+)`", optional)), "*common*" in optional)
        for kind, required, optional in rows
    }
    for kind, required in form.REQUIRED.items():
        optional = set(form.OPTIONAL[kind])
        common = set(form._COMMON) <= optional
        assert found[kind] == (set(required), optional - (set(form._COMMON) if common else set()), common), kind


def test_public_names_are_documented() -> None:
    """The API page names everything that the package exports."""
    api = _page("reference/api.md")
    for name in charitychain.__all__:
        assert f"`{name}" in api, name


def test_the_version_has_an_entry_in_the_changelog() -> None:
    """The changelog begins with the version of the package."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## {charitychain.__version__}" in changelog
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["path"]


# ---------------------------------------------------------------------------------------------- architecture


def _floors() -> dict[str, int]:
    """Return for each module named in the architecture page the number of its floor, the highest first."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", _page("explanation/architecture.md"), re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`([\w./]+)`", names)}


def _floor(path: Path, floors: dict[str, int]) -> int | None:
    name = path.relative_to(ROOT / "charitychain").with_suffix("").as_posix()
    while name:
        if name in floors:
            return floors[name]
        if f"{name}/" in floors:
            return floors[f"{name}/"]
        name = name.rpartition("/")[0]
    return None


def _imports(path: Path) -> set[Path]:
    """Return the modules of the package that a module imports, those for type checking left out."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if node in skipped or not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module.split(".")[0] == "charitychain":
            base = ROOT.joinpath(*node.module.split("."))
            for alias in node.names:
                for candidate in (base / alias.name, base):
                    if candidate.with_suffix(".py").exists():
                        found.add(candidate.with_suffix(".py"))
                        break
                else:
                    if (base / "__init__.py").exists():
                        found.add(base / "__init__.py")
    return found


def test_every_module_has_its_floor() -> None:
    """The architecture page places every module, and names none that is not there."""
    floors = _floors()
    root = ROOT / "charitychain"
    for path in SOURCES:
        if path not in (root / "__init__.py", root / "__main__.py"):
            assert _floor(path, floors) is not None, f"{path.relative_to(root)} has no floor in architecture.md"
    for name in floors:
        assert (root / name).is_dir() if name.endswith("/") else (root / f"{name}.py").exists(), name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "charitychain")))
def test_imports_point_down(path: Path) -> None:
    """No module imports one of a higher floor."""
    floors = _floors()
    own = _floor(path, floors)
    if own is None:  # the package itself and its entry point stand above all
        return
    for other in _imports(path):
        below = _floor(other, floors)
        if below is not None:
            assert below <= own, f"{path.name} (floor {own}) imports {other.name} (floor {below})"


# ------------------------------------------------------------------------------------------------------- prose


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file that is there."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_one_sentence_stands_on_one_line(page: Path) -> None:
    """Prose has one sentence on each source line, which keeps differences readable."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        if line.startswith(("|", "    ", "#")) or re.match(r"\d+\. ", line):
            continue
        assert not re.search(r"[a-z`)][.!?] [A-Z][a-z]+ ", line), line
