"""How plug-ins are found and loaded: by file, from folders, from installed packages; and what is said when it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from servermatrix.contracts import LoadGenerator, Server
from servermatrix.errors import Exit, UsageProblem
from servermatrix.plugins import builtin_root, load_generators, load_servers

SERVER = """
from servermatrix.contracts import Server

SERVER = Server(
    requires=({name!r},), options={{}}, protocols=("h1",), argv=lambda launch: [{name!r}], proof=lambda launch: {{}}
)
"""
LOAD = """
from servermatrix.contracts import LoadGenerator, LoadStats

LOAD = LoadGenerator(
    protocols=("h1",),
    version=lambda text: text,
    argv=lambda shot: ["mine"],
    parse=lambda shot, outcome: LoadStats(requests=1, duration_us=1, histogram=()),
)
"""


def write(folder: Path, relative: str, text: str) -> Path:
    file = folder / relative
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_the_built_in_folder_is_that_of_the_checkout() -> None:
    assert (builtin_root() / "runners" / "servers").is_dir()
    assert (builtin_root() / "apps").is_dir()


def test_a_file_is_a_server_of_its_name_next_to_the_built_in_ones(tmp_path: Path) -> None:
    write(tmp_path, "servers/zebra.py", SERVER.format(name="zebra"))
    servers = load_servers((tmp_path,))
    assert servers["zebra"].requires == ("zebra",)
    assert set(servers) == {*load_servers(), "zebra"}
    assert all(isinstance(server, Server) for server in servers.values())


def test_names_are_sorted(tmp_path: Path) -> None:
    for name in ("zebra", "aardvark"):
        write(tmp_path, f"servers/{name}.py", SERVER.format(name=name))
    names = list(load_servers((tmp_path,)))
    assert names == sorted(names)
    assert names[0] == "aardvark"


def test_a_file_is_a_load_generator_of_its_name(tmp_path: Path) -> None:
    write(tmp_path, "loads/mine.py", LOAD)
    generators = load_generators((tmp_path,))
    assert isinstance(generators["mine"], LoadGenerator)
    assert "mine" not in load_servers((tmp_path,))


def test_a_later_folder_wins_over_an_earlier_one_and_over_the_built_in_one(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write(tmp_path, f"{folder}/servers/uvicorn.py", SERVER.format(name=folder))
    first, second = tmp_path / "first", tmp_path / "second"
    assert load_servers((first, second))["uvicorn"].requires == ("second",)
    assert load_servers((second, first))["uvicorn"].requires == ("first",)


def test_what_is_hidden_by_a_file_of_its_name_is_not_imported(tmp_path: Path) -> None:
    write(tmp_path, "first/servers/mine.py", "raise RuntimeError('never imported')")
    write(tmp_path, "second/servers/mine.py", SERVER.format(name="second"))
    assert load_servers((tmp_path / "first", tmp_path / "second"))["mine"].requires == ("second",)


def test_files_that_begin_with_an_underscore_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "servers/_shared.py", "raise RuntimeError('not a plug-in')")
    write(tmp_path, "servers/notes.txt", "no plug-in either")
    assert set(load_servers((tmp_path,))) == set(load_servers())


def test_a_plug_in_hides_no_package_of_its_name(tmp_path: Path) -> None:
    write(tmp_path, "servers/h11.py", "import h11\n" + SERVER.format(name="h11") + "assert hasattr(h11, 'Connection')\n")
    path = list(sys.path)
    assert "h11" in load_servers((tmp_path,))
    assert sys.path == path


def test_a_plug_in_may_define_dataclasses_of_its_own(tmp_path: Path) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    text += "@dataclass(slots=True)\nclass Settings:\n    loop: str\n" + SERVER.format(name="mine")
    write(tmp_path, "servers/mine.py", text)
    assert "mine" in load_servers((tmp_path,))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import no_such_package_at_all", "ModuleNotFoundError: No module named 'no_such_package_at_all'"),
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_the_cause(tmp_path: Path, text: str, cause: str) -> None:
    file = write(tmp_path, "servers/broken.py", text)
    with pytest.raises(UsageProblem) as caught:
        load_servers((tmp_path,))
    assert str(file) in caught.value.message
    assert cause in caught.value.message
    assert caught.value.exit_code == Exit.USAGE
    assert "servermatrix_plugin_servers_broken" not in sys.modules


@pytest.mark.parametrize("text", ["", "SERVER = 3", LOAD, LOAD + "SERVER = LOAD"])
def test_a_file_without_a_server_is_named(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, "servers/empty.py", text)
    with pytest.raises(UsageProblem, match="it has no SERVER that is a Server") as caught:
        load_servers((tmp_path,))
    assert str(file) in caught.value.message
    assert "SERVER = Server(...)" in caught.value.tip


def test_a_folder_without_plug_ins_is_refused(tmp_path: Path) -> None:
    for load in (load_servers, load_generators):
        with pytest.raises(UsageProblem, match="has no plug-ins"):
            load((tmp_path / "nowhere",))


def install(folder: Path, target: str) -> None:
    """Lay out what an installed package with an entry point looks like."""
    write(folder, "zebra_pack.py", SERVER.format(name="zebra"))
    write(folder, "zebra_pack-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: zebra-pack\nVersion: 1.0\n")
    write(folder, "zebra_pack-1.0.dist-info/entry_points.txt", f"[servermatrix.servers]\nzebra = {target}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "zebra_pack", raising=False)
    return folder


def test_an_installed_package_brings_a_server_by_entry_point(site: Path) -> None:
    install(site, "zebra_pack:SERVER")
    assert load_servers()["zebra"].requires == ("zebra",)


def test_a_folder_named_on_the_command_line_wins_over_an_installed_package(site: Path, tmp_path: Path) -> None:
    install(site, "zebra_pack:SERVER")
    write(tmp_path, "mine/servers/zebra.py", SERVER.format(name="mine"))
    assert load_servers((tmp_path / "mine",))["zebra"].requires == ("mine",)


@pytest.mark.parametrize(
    ("target", "message"),
    [("zebra_pack:NOTHING", "cannot be loaded: AttributeError"), ("zebra_pack:__name__", "it has no SERVER that is a Server")],
)
def test_an_entry_point_that_is_no_server_is_named(site: Path, target: str, message: str) -> None:
    install(site, target)
    with pytest.raises(UsageProblem, match=message) as caught:
        load_servers()
    assert f"zebra = {target}" in caught.value.message
