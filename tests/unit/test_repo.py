"""The repository keeps its own promises: locks, commands, sizes, docstrings, the decision log."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = tuple(
    f"requirements{name}.lock" for name in ("", "-dev", "-bench", "-cluster", "-spark", "-installer")
)  # of what users need, and of what tests, benchmarks, several machines, Spark and the installation do
LARGEST_FILE = 2 * 1024 * 1024


def pins(lock: str) -> dict[str, str]:
    """Requirement (name and environment marker) to pinned version; fails for a line that is not `name==version`."""
    found = {}
    for entry in (ROOT / lock).read_text().replace("\\\n", " ").splitlines():
        requirement, _, hashes = entry.partition(" --hash=")
        name, equals, version = requirement.partition(";")[0].strip().partition("==")
        assert equals, f"{lock}: '{entry[:80]}' is not pinned with =="
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", hashes.split()[0]), f"{lock}: {name} has no sha256 hash"
        found[name + ";" + requirement.partition(";")[2].strip()] = version
    return found


def files_in_git() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_two_test_files_share_a_name() -> None:
    """pytest imports them by their base names: two alike stop the collection, though only of a run over both."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_are_hashed_and_name_no_server(lock: str) -> None:
    assert pins(lock)
    assert "://" not in (ROOT / lock).read_text()


def test_the_test_environment_is_the_runtime_and_more() -> None:
    runtime, development = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: development.get(name) for name in runtime} == runtime
    assert len(development) > len(runtime)
    assert pins("requirements-bench.lock").items() >= development.items(), (
        "`make bench` counts as having installed both"
    )
    cluster = pins("requirements-cluster.lock")
    assert {name: development.get(name) for name in cluster} == cluster
    assert cluster.items() >= runtime.items()
    spark, bench = pins("requirements-spark.lock"), pins("requirements-bench.lock")
    assert not spark.keys() & development.keys(), "it is installed beside the others: what they have, it has not"
    assert {name: bench[name] for name in spark.keys() & bench.keys()}.items() <= spark.items()


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for lock, declared in (
        ("requirements.lock", project["dependencies"]),
        (
            "requirements-dev.lock",
            project["optional-dependencies"]["dev"] + project["optional-dependencies"]["cluster"],
        ),
        ("requirements-bench.lock", project["optional-dependencies"]["bench"]),
        ("requirements-cluster.lock", project["dependencies"] + project["optional-dependencies"]["cluster"]),
        ("requirements-spark.lock", project["optional-dependencies"]["spark"]),
    ):
        locked = {name.partition(";")[0] for name in pins(lock)}
        assert {re.split(r"[<>=!~\[ ]", line)[0].lower() for line in declared} <= locked, f"run `make lock`: {lock}"


def test_commands_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "examples").rglob("*.md")),
    ):
        named = set(re.findall(r"(?:`|^ *|\$ )make ([a-z]+)", page.read_text(), re.MULTILINE))
        assert named <= targets, f"{page.relative_to(ROOT)} names a command that the Makefile does not have"
    assert {"make run", "make test"} <= set(re.findall(r"make [a-z]+", (ROOT / "README.md").read_text()))


def test_links_in_the_documents_lead_somewhere() -> None:
    pages = [path for path in files_in_git() if path.suffix == ".md"]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_no_large_file() -> None:
    assert not [str(path.relative_to(ROOT)) for path in files_in_git() if path.stat().st_size > LARGEST_FILE]


def test_every_module_says_what_it_is() -> None:
    modules = [path for room in ("dagster_project", "sample") for path in (ROOT / room).rglob("*.py")]
    silent = [
        path for path in modules if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not [str(path.relative_to(ROOT)) for path in silent]


def test_every_package_folder_is_a_package() -> None:
    folders = {path.parent for path in files_in_git() if path.suffix == ".py" and "dagster_project" in path.parts}
    assert not [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").is_file()]


def test_this_machine_is_not_mentioned() -> None:
    """A path of one developer's machine in a file is a file that works for one developer."""
    pattern = re.compile(r"/(?:home|root|Users)/\w")
    here = Path(__file__)
    texts = [path for path in files_in_git() if path.suffix in {".py", ".md", ".yml", ".yaml", ".toml", ".sql", ""}]
    found = [path for path in texts if path != here and pattern.search(path.read_text(errors="ignore"))]
    assert not [str(path.relative_to(ROOT)) for path in found]
