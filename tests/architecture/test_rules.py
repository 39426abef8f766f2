"""The rules of the house, read from the sources: who may import whom, who may speak, and how large things may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted((ROOT / "servermatrix").rglob("*.py"))
    if "builtin" not in file.parts
}
PLUGINS = sorted(file for file in (ROOT / "runners").glob("*/*.py") if not file.name.startswith("_"))
APPS = sorted((ROOT / "apps").rglob("*.py"))
SOURCES = [*ENGINE.values(), *sorted((ROOT / "runners").rglob("*.py")), *APPS]

LEAVES = {"errors": set[str](), "model": {"servermatrix.model"}, "contracts": {"servermatrix.contracts", "servermatrix.model"}}
MACHINE = {
    "subprocess",
    "socket",
    "psutil",
    "http.client",
    "urllib.request",
    "multiprocessing",
    "resource",
    "ctypes",
    "asyncio",
    "pty",
    "ssl",
}
MEASURING = "servermatrix.measure"
PUBLISHING = "servermatrix.publish"
# What tells GitHub something, by git and by its API, may use these and nothing else of the machine.
OF_PUBLISHING = {"subprocess", "http.client", "urllib.request", "ssl"}
RIGHT_OF_THE_BORDER = ("analysis", "render")
LEFT_OF_THE_BORDER = (
    "measure",
    "publish",
    "plugins",
    "generators",
    "prepare",
    "venues",
    "experiment",
    "verification",
    "header",
    "cli",
)


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


@cache
def imports(file: Path) -> frozenset[str]:
    """Name every module a file imports anywhere; `from a import b` counts as a.b where that is a module of ours."""
    found: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            ours = inner & set(ENGINE)
            found |= ours | ({str(node.module)} if ours != inner else set())
            found |= {"http.client"} & inner
    return frozenset(found)


def outside_the_standard_library(file: Path) -> set[str]:
    return {name for name in imports(file) if name.split(".")[0] not in sys.stdlib_module_names}


def within(name: str, packages: tuple[str, ...] | set[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


each_module = pytest.mark.parametrize("module", ENGINE)
each_source = pytest.mark.parametrize("file", SOURCES, ids=named)


def test_there_is_something_to_look_at() -> None:
    assert len(ENGINE) > 30
    assert len(PLUGINS) > 8
    assert {file.parent.name for file in APPS} == {"apps", "wsgi", "rsgi"}
    assert "servermatrix.measure.run" in imports(ENGINE["servermatrix.experiment"])
    assert "servermatrix.errors" in imports(ENGINE["servermatrix.cli"])


def test_every_form_of_import_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text(
        "import os.path, psutil as p\nfrom http import client\nfrom servermatrix import store, __version__\n"
        "from servermatrix.measure.run import measure\ndef late():\n    import socket\n"
    )
    assert imports(file) == {
        *("os.path", "psutil", "http", "http.client", "socket"),
        *("servermatrix", "servermatrix.store", "servermatrix.measure.run"),
    }
    assert within("http.client", MACHINE)
    assert not within("http.server", MACHINE)


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_import_the_standard_library_only(leaf: str) -> None:
    files = [file for module, file in ENGINE.items() if within(module, {f"servermatrix.{leaf}"})]
    assert files
    for file in files:
        assert all(within(name, LEAVES[leaf]) for name in outside_the_standard_library(file)), named(file)


@pytest.mark.parametrize("file", PLUGINS, ids=named)
def test_plug_ins_import_the_contracts_and_the_standard_library_only(file: Path) -> None:
    assert outside_the_standard_library(file) == {"servermatrix.contracts"}


@pytest.mark.parametrize("file", sorted((ROOT / "runners").rglob("_*.py")), ids=named)
def test_programs_beside_plug_ins_need_nothing_of_ours_but_each_other(file: Path) -> None:
    beside = {named(sibling).removesuffix(".py").replace("/", ".") for sibling in file.parent.glob("_*.py")}
    assert outside_the_standard_library(file) <= beside


@pytest.mark.parametrize("file", APPS, ids=named)
def test_apps_import_the_standard_library_only(file: Path) -> None:
    assert outside_the_standard_library(file) == set()


def test_nobody_imports_an_app_or_a_plug_in() -> None:
    for module, file in ENGINE.items():
        assert not [name for name in imports(file) if within(name, {"apps", "runners", "tests"})], module


@each_module
def test_only_the_measuring_room_starts_processes_and_opens_sockets(module: str) -> None:
    if not within(module, {MEASURING}):
        allowed = OF_PUBLISHING if within(module, {PUBLISHING}) else set[str]()
        assert not [name for name in imports(ENGINE[module]) if within(name, MACHINE) and not within(name, allowed)]


@each_module
def test_only_the_command_line_publishes_and_what_publishes_knows_nothing_of_what_it_publishes(module: str) -> None:
    if within(module, {PUBLISHING}):
        assert not [name for name in imports(ENGINE[module]) if name in ENGINE and not within(name, {PUBLISHING, "servermatrix"})]
    elif not within(module, {"servermatrix.cli"}):
        assert not [name for name in imports(ENGINE[module]) if within(name, {PUBLISHING})]


@pytest.mark.parametrize("file", [file for file in PLUGINS if file.parent.name == "servers"], ids=named)
def test_a_server_plug_in_starts_nothing_itself(file: Path) -> None:
    assert not [name for name in imports(file) if within(name, MACHINE | {"os", "sys"})]


@each_module
def test_right_of_the_border_nothing_can_start_a_process(module: str) -> None:
    if within(module, {f"servermatrix.{name}" for name in RIGHT_OF_THE_BORDER}):
        reached = reachable(module)
        assert not [name for name in reached if within(name, {f"servermatrix.{left}" for left in LEFT_OF_THE_BORDER})]


def reachable(module: str) -> set[str]:
    """Name every module of the engine that comes along when this one is imported."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        new = {name for name in imports(ENGINE[waiting.pop()]) if name in ENGINE} - found
        found |= new
        waiting += new
    return found


@each_module
def test_no_module_needs_itself(module: str) -> None:
    assert module not in reachable(module)


@each_module
def test_only_the_command_line_prints_or_exits(module: str) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(tree(ENGINE[module])) if isinstance(node, ast.Call)}
    if not within(module, {"servermatrix.cli", "servermatrix.__main__"}):
        assert not calls & {"print", "click.echo", "click.secho", "sys.exit", "exit", "quit", "os._exit", "sys.stdout.write"}
        assert "SystemExit" not in {ast.unparse(what).split("(")[0] for what in raises(ENGINE[module])}
        assert "click" not in {name.split(".")[0] for name in imports(ENGINE[module])}


def raises(file: Path) -> Iterator[ast.expr]:
    """Yield what every `raise` names."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield node.exc


@each_module
def test_no_module_has_a_name_that_says_nothing(module: str) -> None:
    assert not set(module.split(".")) & {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base", "core"}


@each_source
def test_a_file_says_in_its_first_line_what_it_owns(file: Path) -> None:
    assert ast.get_docstring(tree(file))


@each_source
def test_a_file_has_at_most_250_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 250


@each_source
def test_a_function_has_at_most_50_lines(file: Path) -> None:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


def tracked() -> list[Path]:
    """List the text files that belong to the project."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    argv = ["git", "-C", str(ROOT), "ls-files", "-z"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [file for file in files if b"\0" not in file.read_bytes()[:8192]]


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"(?<![\w.*~}-])/(?:work|root|home|Users)/\w", id="a path of one machine"),
        pytest.param(r"https?://[^\s\"')>]*(?:pypi|pythonhosted|/simple\b)", id="the address of a package index"),
    ],
)
def test_no_file_holds(pattern: str) -> None:
    found = [
        f"{named(file)}:{number}: {line.strip()[:120]}"
        for file in tracked()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if re.search(pattern, line)
    ]
    assert found == []
