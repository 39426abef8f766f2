"""Where servers run: the interpreter of the run, or an environment of a cell's own; foreseen without being made."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from venv import EnvBuilder
from zipfile import ZipFile

import pytest

from servermatrix import venues
from servermatrix.contracts import Choice, Launch, Server
from servermatrix.errors import Unfit
from servermatrix.measure.bench import Venue, wanted
from servermatrix.measure.interpreters import Interpreter
from servermatrix.model import Cell, Load
from servermatrix.venues import Venues, built, environments_folder, foreseen

LOAD = Load(generator="wrk", connections=64, threads=1, duration_s=1, warmup_s=0, windows=1)
RUNNING = platform.python_version()
NO_INDEX = {"UV_OFFLINE": "1", "UV_NO_CONFIG": "1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
OLD_PYTHON = """\
#!/bin/sh
echo '{"version": "3.8.1", "path": "/old/python", "real": "/old/python"}'
"""


def needs(launch: Launch) -> tuple[str, ...]:
    return () if launch.options.get("extra", "no") == "no" else (launch.options["extra"],)


SMALL = Server(
    requires=(),
    options={"extra": Choice(values=("no", "packaging", "no-such-package"), default="no")},
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
    needs=needs,
)
SERVERS = {"small": SMALL, "large": replace(SMALL, requires=("click>=8",))}


def cell(server: str = "small", extra: str = "no", *, python: str = "", requires: tuple[str, ...] = (), app: str = "a") -> Cell:
    return Cell(
        server=server,
        options=(("extra", extra),),
        label="",
        protocol="h1",
        workers=1,
        app=app,
        load=LOAD,
        python=python,
        requires=requires,
    )


@pytest.fixture(autouse=True)
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep environments in a folder of the test, and away from any index."""
    monkeypatch.setenv("SERVERMATRIX_TOOLS", str(tmp_path / "tools"))
    for name, value in NO_INDEX.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "tools" / "environments"


def silent(_: str) -> None:
    """Take what is told to the user."""


def test_environments_are_kept_beside_the_tools(environments: Path) -> None:
    assert environments_folder() == environments


def test_cells_without_wishes_share_the_interpreter_of_the_run_and_one_look_into_it() -> None:
    cells = [cell("small", "packaging"), cell("small", "no-such-package"), cell("large", app="b")]
    venues = built(SERVERS, cells, sys.executable, silent)
    assert set(venues.by_want) == {("small", "", ()), ("large", "", ())}
    (one, other) = venues.by_want.values()
    assert one is other
    assert (one.path, one.pins, one.failure) == (sys.executable, (), "")
    assert one.versions == {
        "python": RUNNING,
        "packaging": version("packaging"),
        "no-such-package": None,
        "click": version("click"),
    }


def test_an_interpreter_of_the_run_that_does_not_run_ends_it() -> None:
    with pytest.raises(Unfit, match="no-such-python does not run"):
        built(SERVERS, [cell()], "/nonexistent/no-such-python", silent)


def test_an_interpreter_that_no_cell_runs_in_is_not_looked_into(environments: Path) -> None:
    venues = built(SERVERS, [cell(python="0.1")], "/nonexistent/no-such-python", silent)
    assert list(venues.by_want) == [("small", "0.1", ())]
    assert not environments.exists()


def test_a_python_that_is_not_here_is_the_failure_of_its_cells_alone() -> None:
    venues = built(SERVERS, [cell(), cell(python="3.99")], sys.executable, silent)
    assert venues.by_want["small", "", ()].failure == ""
    lost = venues.by_want["small", "3.99", ()]
    assert lost.failure.startswith("there is no Python 3.99 here; found ")
    assert venues.shown_python(("small", "3.99", ())) == "3.99"


def write_wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    """Write a package of nothing that pip and uv install without any index."""
    more = f"Requires-Dist: {needs}\n" if needs else ""
    info = f"{name}-{version}.dist-info"
    with ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_an_environment_is_made_where_it_was_foreseen_told_of_and_found_again(
    environments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path, "nothing", "1.5")
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(tmp_path))
    servers = {"small": replace(SMALL, requires=("nothing>=1",))}
    wish = cell(python=sys.executable, requires=("nothing==1.5",))
    want, told = wanted(wish), list[str]()
    before = foreseen(servers, [wish], sys.executable)
    assert not environments.exists()
    made = built(servers, [wish], sys.executable, told.append)
    venue = made.by_want[want]
    assert (venue.failure, venue.path) == ("", before.by_want[want].path)
    assert Path(venue.path).exists()
    assert Path(venue.path).is_relative_to(environments)
    assert venue.versions == {"python": RUNNING, "nothing": "1.5"}
    assert venue.pins == ("nothing==1.5",)
    assert "click" in {line.partition("==")[0] for line in venue.constraints}
    assert told == [f"making an environment for small: nothing==1.5 on Python {RUNNING}; only this once"]
    assert built(servers, [wish], sys.executable, told.append) == made
    assert len(told) == 1


def test_what_the_set_gives_a_version_for_is_not_also_asked_for_by_the_servers() -> None:
    needs = ("nothing>=1", "nothing>=2", "No.Thing", "other", "named")
    python = Interpreter(path="/py", version="3.13.0", real="/py")
    asked = venues._specified(("small", "", ("named", "nothing==1.5")), needs, python)
    assert asked.requirements == ("No.Thing", "other", "named")
    assert asked.requires == ("named", "nothing==1.5")


def test_an_environment_that_cannot_be_made_is_a_sentence_in_the_installer_s_words() -> None:
    wish = cell(requires=("no-such-package-at-all==1",))
    (venue,) = built(SERVERS, [wish], sys.executable, silent).by_want.values()
    assert venue.failure.startswith(f"no-such-package-at-all==1 on Python {RUNNING} cannot be installed: ")
    assert venue.path == foreseen(SERVERS, [wish], sys.executable).by_want["small", "", wish.requires].path
    assert not Path(venue.path).exists()


def test_a_python_that_is_not_here_is_shown_as_it_was_wished_for() -> None:
    wish = cell(python="3.99", requires=("uvicorn==0.52.0",))
    assert foreseen(SERVERS, [wish], sys.executable).shown_python(wanted(wish)) == "3.99"


def test_an_interpreter_of_the_run_too_old_for_environments_is_the_failure_of_the_cells_that_want_one(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text(OLD_PYTHON)
    old.chmod(0o755)
    wish = cell(requires=("uvicorn==0.52.0",))
    (venue,) = built(SERVERS, [wish], str(old), silent).by_want.values()
    assert (venue.path, venue.failure) == (str(old), f"{old} is Python 3.8.1: the servers need 3.10 or newer")
    assert foreseen(SERVERS, [wish], str(old)).shown_python(wanted(wish)) == str(old)


def test_each_interpreter_is_looked_for_once_however_many_servers_want_it(tmp_path: Path) -> None:
    counting, count = tmp_path / "python", tmp_path / "count"
    counting.write_text(f"#!/bin/sh\necho once >> {count}\nexit 1\n")
    counting.chmod(0o755)
    wishes = [cell(server, python=str(counting)) for server in SERVERS]
    assert len(foreseen(SERVERS, wishes, sys.executable).by_want) == len(wishes) == 2
    assert count.read_text() == "once\n"


def path_of(*cells: Cell) -> str:
    venues = foreseen(SERVERS, cells, sys.executable)
    return venues.by_want[cells[0].server, cells[0].python, cells[0].requires].path


def test_environments_differ_by_server_python_and_requirements_and_not_by_app_or_option() -> None:
    wishes = [
        cell(requires=("a==1",)),
        cell(requires=("a==2",)),
        cell("large", requires=("a==1",)),
        cell(requires=("a==1", "b==1")),
    ]
    assert len({path_of(wish) for wish in wishes}) == len(wishes)
    assert path_of(wishes[0]) == path_of(replace(wishes[0], app="b", workers=2))
    assert path_of(wishes[0]) == path_of(replace(wishes[0], python=sys.executable))


def test_one_environment_holds_what_all_cells_of_it_need() -> None:
    plain, more = cell(requires=("a==1",)), cell("small", "packaging", requires=("a==1",))
    together = foreseen(SERVERS, [plain, more], sys.executable).by_want
    assert len(together) == 1
    assert path_of(plain, more) == path_of(more) != path_of(plain)


def test_versions_are_named_after_the_environment_that_holds_them_and_told_once() -> None:
    venues = Venues(
        by_want={
            ("small", "", ()): Venue(path="p", versions={"python": "3.13.0", "uvicorn": "0.54.0", "rloop": None}),
            ("large", "", ()): Venue(path="p", versions={"python": "3.13.0", "uvicorn": "0.54.0", "rloop": None}),
            ("small", "3.11", ()): Venue(path="q", versions={"uvicorn": "0.54.0"}),
            ("small", "3.11", ("uvicorn==0.52.0", "b==1")): Venue(path="r", versions={"uvicorn": "0.52.0"}),
        }
    )
    assert list(venues.versions()) == [
        ("python", "3.13.0"),
        ("uvicorn", "0.54.0"),
        ("uvicorn (@3.11)", "0.54.0"),
        ("uvicorn (@3.11+uvicorn==0.52.0+b==1)", "0.52.0"),
    ]


def test_an_interpreter_is_shown_as_one_would_type_it_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    inside = Venues(by_want={("small", "", ()): Venue(path=str(tmp_path / "env" / "bin" / "python"))})
    assert inside.shown_python(wanted(cell())) == "env/bin/python"
    assert Venues(by_want={}).shown_python(wanted(cell())) == "python"


def test_what_the_interpreter_of_the_run_lacks_is_installed_beside_it_and_what_it_has_stays(
    environments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path, "nothing", "1.5")
    write_wheel(tmp_path, "other", "2.0", "nothing>=1")
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(tmp_path))
    EnvBuilder(with_pip=False, symlinks=True).create(tmp_path / "theirs")
    python, site = str(tmp_path / "theirs" / "bin" / "python"), next((tmp_path / "theirs").glob("lib/python*/site-packages"))
    info = site / "nothing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n")
    before = sorted(site.rglob("*"))
    servers = {"has": replace(SMALL, requires=("nothing>=1",)), "lacks": replace(SMALL, requires=("other>=1",))}
    servers["never"] = replace(SMALL, requires=("nothing>=9",))
    told: list[str] = []
    cells = [cell("has"), cell("lacks"), cell("lacks", "nothing>=9"), cell("never")]
    venues = built(servers, cells, python, told.append, overlay=True)
    has, lacks = venues.by_want["has", "", ()], venues.by_want["lacks", "", ()]
    assert (has.path, has.beside, has.failure) == (python, "", "")
    assert lacks.failure == ""
    assert Path(lacks.path).is_relative_to(environments)
    assert lacks.beside == python
    assert lacks.versions == {"python": RUNNING, "other": "2.0", "nothing": "1.0"}
    assert dict(lacks.contents) == {"nothing": "1.0", "other": "2.0"}
    assert lacks.constraints == ("nothing==1.0", "other==2.0")
    why = "nothing 1.0 is installed beside the app and is left as it is, but nothing>=9 is needed"
    assert lacks.refused == {"nothing>=9": f"nothing>=9 cannot be installed: {why}"}
    never = f"nothing>=9 on Python {RUNNING}, beside the packages of {python}, cannot be installed: {why}"
    assert venues.by_want["never", "", ()].failure == never
    making = f"beside the packages of {python}, which stays as it is"
    assert told == [f"making an environment for {name} {making}" for name in ("lacks", "never")]
    assert sorted(site.rglob("*")) == before


def test_without_an_overlay_what_is_missing_is_told_and_nothing_is_made(environments: Path) -> None:
    venues = built(SERVERS, [cell("small", "no-such-package")], sys.executable, silent)
    assert venues.by_want["small", "", ()].versions["no-such-package"] is None
    assert not environments.exists()
