"""`pick` on a small real app of every kind, and on broken ones: what its user sees, and that nothing is left running.

Those that drive load run several at a time, for most of each is waiting: no noise is too much for them, and none of them is to
say which server is fast.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from servermatrix.errors import Exit
from tests.conftest import ROOT, RunCli, environment, none_left, write_app

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

APPS = ROOT / "tests" / "userapps"
AT_ONCE = 5
LIMIT_S = 150
MATRIX = """
servers:
  uvicorn: {loop: uvloop, http: httptools}
  gunicorn: {worker: asgi, loop: uvloop}
  hypercorn: {loop: uvloop}
  granian: {loop: uvloop}
axes: {connections: [8]}
load: {duration: 1s, warmup: 0s, windows: 1}
noise: {foreign_cpu: 1.0, steal: 1.0}
profiles:
  pick: {}
"""
FIRST_LINE = re.compile(r"pick: (?P<cell>\S+) \((?P<tied>\d+) tied, \d+ beaten, (?P<failed>\d+) failed, \d+ over a limit.*\)")
# Budgets in which two rounds fit of so many cells, and of the plaintext app under each of their servers.
TWO_ROUNDS_S = {1: 22, 2: 34, 3: 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """An app: the servers it is tried under, what is typed, and what the tool must say of it and must not write down."""

    servers: tuple[str, ...]
    folder: str
    words: tuple[str, ...] = ()
    says: str = "Starlette"
    target: str = "main:app"
    command: str = ""
    left: tuple[str, ...] = ()
    hidden: str = ""
    start_s: int = 0

    @property
    def budget_s(self) -> int:
        """Return a budget for two rounds: a slow start counts in the rehearsal and in each round, for every cell."""
        return TWO_ROUNDS_S[len(self.servers)] + 7 * self.start_s


KINDS = {
    "10 s to start": Kind(servers=("uvicorn",), folder="slowstart", words=("--expect-contains", "loaded"), start_s=10),
    "plain": Kind(servers=("uvicorn",), folder="plain", says="a plain ASGI app"),
    "a database": Kind(
        servers=("hypercorn",),
        folder="database",
        words=(
            *("--env", "DATABASE={folder}/shop.db", "--path", "/items", "--expect-contains", "lamp"),
            *("--prepare", "'{python}' make_database.py && touch '{folder}/prepared'"),
            *("--cleanup", "mv '{folder}/shop.db' '{folder}/cleaned.db'"),
        ),
        left=("prepared", "cleaned.db"),
    ),
    "an env file": Kind(
        servers=("gunicorn",),
        folder="envfile",
        words=("--env-file", "{app}/shop.env", "--expect-contains", "The Corner Shop, with a key of 18 characters"),
        hidden="not-for-the-report",
    ),
    "3 s to start": Kind(
        servers=("granian",), folder="slowstart", words=("--env", "START_S=3", "--expect-contains", "loaded"), start_s=3
    ),
    "streaming": Kind(servers=("uvicorn",), folder="streaming", words=("--path", "/lines", "--expect-contains", "line 4")),
    "a login header": Kind(
        servers=("granian",),
        folder="login",
        words=("--path", "/account", "--header", "Authorization: Bearer let-me-in", "--expect-contains", "Ada"),
        says="FastAPI",
    ),
    "relative imports": Kind(
        servers=("gunicorn",),
        folder="package",
        target="shop.main:app",
        words=("--path", "/items", "--expect-contains", '"count":3'),
    ),
    "a factory": Kind(
        servers=("hypercorn",),
        folder="factory",
        target="main:create_app",
        words=("--factory", "--expect-contains", "hello from create_app"),
        command="main:create_app()",
    ),
    "django": Kind(
        servers=("granian",),
        folder="djangosite",
        target="mysite.asgi:application",
        words=("--path", "/items/7", "--expect-contains", '"id": 7'),
        says="Django",
    ),
    "starlette": Kind(servers=("hypercorn",), folder="starletteapp", words=("--path", "/items/7", "--expect-contains", '"id":7')),
    "litestar": Kind(
        servers=("granian",),
        folder="litestarapp",
        words=("--path", "/items/7", "--expect-contains", '"id":7'),
        says="Litestar",
    ),
    "fastapi": Kind(
        servers=("gunicorn",),
        folder="fastapiapp",
        words=("--path", "/items/7", "--expect-contains", '"id":7'),
        says="FastAPI",
    ),
}
ODD = {
    "changes": Kind(servers=("uvicorn",), folder="broken", target="changing:app"),
    "differs under one": Kind(
        servers=("uvicorn", "granian", "hypercorn"), folder="broken", target="echoing:app", words=("--path", "/spec")
    ),
    "differs under each": Kind(
        servers=("uvicorn", "granian"), folder="broken", target="echoing:app", words=("--path", "/extensions")
    ),
    "fails under one": Kind(
        servers=("uvicorn", "hypercorn"), folder="broken", target="fragile:app", words=("--env", "FRAGILE_UNDER=hypercorn")
    ),
    "fails under all": Kind(
        servers=("uvicorn",), folder="broken", target="fragile:app", words=("--env", "FRAGILE_UNDER=uvicorn")
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A pick that has ended: in which folder, with which code and words, and what it left running or lying about."""

    folder: Path
    code: int
    out: str
    err: str
    left: tuple[object, ...]

    @property
    def first_line(self) -> Mapping[str, str]:
        """Read the line for machines; what came instead is shown."""
        found = FIRST_LINE.fullmatch(self.out.partition("\n")[0])
        assert found is not None, f"{self.out}\n{self.err}"
        return found.groupdict()

    @property
    def text(self) -> str:
        """Return what was printed as one line, however it was wrapped."""
        return " ".join(self.out.split())

    @property
    def report(self) -> str:
        """Return the whole report, as it was stored."""
        return (self.folder / "reports" / "latest.md").read_text()


def picked(folder: Path, kind: Kind) -> Done:
    """Run `pick` on an app in a folder of its own.

    With the budget that it asks for where the first one is too small: how long a start takes goes by how busy the machine is.
    """
    (folder / "marker").mkdir(parents=True)
    (folder / "matrix.yaml").write_text(MATRIX)
    done = with_budget(folder, kind, kind.budget_s)
    if done.code == Exit.USAGE and (asked := re.search(r"--budget (\d+)s", done.err)):
        return with_budget(folder, kind, int(asked[1]) + 5)
    return done


def with_budget(folder: Path, kind: Kind, budget_s: int) -> Done:
    """Run it once, and look at what it left."""
    marker, app = folder / "marker", APPS / kind.folder
    own = [word.format(folder=folder, app=app, python=sys.executable) for word in kind.words]
    words = [
        *("pick", "--matrix", "matrix.yaml", "-s", "workers=1", "--budget", f"{budget_s}s"),
        *(word for server in kind.servers for word in ("-k", f"{server}*")),
        *("--app", kind.target, "--app-dir", str(app), *own),
    ]
    process = subprocess.run(
        [sys.executable, "-m", "servermatrix", *words],
        cwd=folder,
        env=environment(marker),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    left = (*none_left(marker), *marker.glob("servermatrix-*"))
    return Done(folder=folder, code=process.returncode, out=process.stdout, err=process.stderr, left=left)


class Picks:
    """Picks that are under way; one that is asked for again, as by a test that is tried once more, is run again."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor, names: list[str]) -> None:
        self.folder, self.pool, self.tries = folder, pool, 0
        self.running = {name: self.started(name) for name in names}

    def started(self, name: str) -> Future[Done]:
        self.tries += 1
        return self.pool.submit(picked, self.folder / f"{self.tries}", (KINDS | ODD)[name])

    def of(self, name: str) -> Done:
        running = self.running.pop(name, None)
        return (running or self.started(name)).result()


@pytest.fixture(scope="module")
def picks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Picks]:
    """The picks of all selected tests, in their order."""
    specs = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    names = [str(spec.params["kind"]) for spec in specs if spec is not None and "kind" in spec.params]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield Picks(tmp_path_factory.mktemp("picks"), pool, names)


@pytest.mark.parametrize("kind", KINDS)
def test_an_app_of_each_kind_is_picked_for(kind: str, picks: Picks) -> None:
    done, wanted = picks.of(kind), KINDS[kind]
    assert done.code == 0, done.out + done.err
    server = wanted.servers[0]
    assert re.fullmatch(rf"{server}\S*/h1/w1", done.first_line["cell"])
    assert done.first_line["failed"] == "0"
    assert re.search(
        rf"use {server}\S* with 1 worker: it serves {re.escape(wanted.target)} at [\d,]+ (\[.*?\] )?requests/s", done.text
    )
    assert (wanted.command or wanted.target) in to_paste(done)
    assert re.search(rf"the app is {wanted.says}.*, from {re.escape(str(APPS / wanted.folder))}/", done.err)
    assert [name for name in wanted.left if not (done.folder / name).exists()] == []
    assert not wanted.hidden or wanted.hidden not in everything(done)
    assert done.left == ()


def to_paste(done: Done) -> str:
    """Return the command line that is recommended: the only line that names a server's module or program and an address."""
    return next(line for line in done.out.splitlines() if "0.0.0.0" in line)  # noqa: S104


def everything(done: Done) -> str:
    """Return all that a run wrote and printed."""
    stored = (file.read_text() for file in (done.folder / "reports").rglob("*") if file.is_file())
    return "\n".join((done.out, done.err, *stored))


def test_what_kinds_there_are_is_what_folders_there_are() -> None:
    assert {kind.folder for kind in (*KINDS.values(), *ODD.values())} == {each.name for each in APPS.iterdir() if each.is_dir()}


# --- answers that are not alike, and servers under which an app fails


@pytest.mark.parametrize("kind", ["changes"])
def test_an_answer_that_changes_from_call_to_call_is_told_with_its_bytes_and_measured(kind: str, picks: Picks) -> None:
    done = picks.of(kind)
    assert done.code == 0, done.err
    told = r"the answers to GET / differ from call to call: from byte \d+ on, first \S.*'\S* number (\d+)', then .*number (\d+)'"
    found = re.search(told, done.err)
    assert found is not None, done.err
    assert int(found[2]) == int(found[1]) + 1
    assert re.search(told, done.report), "the report does not say it"
    assert done.first_line["failed"] == "0"
    assert done.left == ()


@pytest.mark.parametrize("kind", ["differs under one"])
def test_a_server_under_which_the_app_answers_otherwise_is_left_out_with_the_bytes(kind: str, picks: Picks) -> None:
    done = picks.of(kind)
    assert done.code == 0, done.err
    assert not done.first_line["cell"].startswith("hypercorn")
    reason = r"it answers GET /spec otherwise than most: from byte 19 on, uvicorn\S+ has .*2\.3\S+ hypercorn\S+ has .*2\.1"
    assert re.search(rf"hypercorn\S+/h1/w1\S* \| {reason}", done.report)
    assert re.search(reason, " ".join((*done.err.split(), done.text))), "only the stored report says it"
    assert not re.search(r"hypercorn\S+/echoing:app  ", done.err), "it was driven all the same"
    assert done.left == ()


@pytest.mark.parametrize("kind", ["differs under each"])
def test_where_servers_do_not_agree_on_the_answer_none_is_left_out(kind: str, picks: Picks) -> None:
    done = picks.of(kind)
    assert done.code == 0, done.err
    told = r"do not agree on the answer to GET /extensions.*: from byte 15 on, uvicorn\S+ has .*\[\]\}', granian\S+ has .*http"
    assert re.search(told, done.err), done.err
    assert re.search(told, done.report), "the report does not say it"
    assert {"uvicorn", "granian"} <= set(re.findall(r"(\w+)\[\S+/echoing:app  [\d,]+ req/s", done.err))
    assert done.left == ()


@pytest.mark.parametrize("kind", ["fails under one"])
def test_an_app_that_fails_under_load_on_one_server_is_picked_for_among_the_others(kind: str, picks: Picks) -> None:
    done = picks.of(kind)
    assert done.code == 0, done.err
    assert done.first_line["cell"].startswith("uvicorn")
    assert done.first_line["failed"] == "1"
    assert re.search(r"Failed: 1 cell; hypercorn\S+/h1/w1: wrk counted \d+ status errors", done.text)
    assert "It needs FRAGILE_UNDER in its environment." in done.out
    assert done.left == ()


@pytest.mark.parametrize("kind", ["fails under all"])
def test_an_app_that_fails_under_load_everywhere_ends_with_code_4_and_no_recommendation(kind: str, picks: Picks) -> None:
    done = picks.of(kind)
    assert done.code == 4, done.out + done.err
    assert done.first_line["cell"] == "nothing"
    assert done.first_line["failed"] == "1"
    assert re.search(r"nothing can be recommended: .*: wrk counted \d+ status errors", done.text)
    assert "0.0.0.0" not in done.out  # noqa: S104
    assert done.left == ()


# --- apps that answer rightly nowhere: nothing is measured


def refused(run_cli: RunCli, tmp_path: Path, *words: str, code: int = 4) -> str:
    """Run `pick` under one server, demand an exit code and no result, and return what it said."""
    (tmp_path / "matrix.yaml").write_text(MATRIX)
    done = run_cli("pick", "--matrix", "matrix.yaml", "-s", "workers=1", "-k", "uvicorn*", "--budget", "14s", *words)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "calibrated" not in done.stderr
    return done.stderr


def sentences(told: str) -> list[str]:
    """List what was said line by line, whether `error:` stands before the sentence or before the traceback above it."""
    return [line.removeprefix("error: ") for line in told.splitlines()]


def traceback_in(told: str) -> str:
    """Return the traceback that was shown, which must begin with the app's own file and hold no frame of anybody else."""
    assert told.count("Traceback (most recent call last):") == 1, told
    shown = told.partition("Traceback (most recent call last):")[2]
    assert str(ROOT / "servermatrix") not in shown
    assert "importlib" not in shown
    assert "<string>" not in shown
    return shown


def test_a_module_that_is_not_installed_is_named_with_the_apps_own_traceback(run_cli: RunCli, tmp_path: Path) -> None:
    told = refused(run_cli, tmp_path, "--app", "needs_a_module:app", "--app-dir", str(APPS / "broken"))
    assert "needs_a_module needs the module nosuchlibrary, which this Python does not have" in sentences(told)
    assert f"type: {sys.executable} -m pip install nosuchlibrary" in told
    shown = traceback_in(told)
    assert f'File "{APPS}/broken/needs_a_module.py", line 3' in shown
    assert "ModuleNotFoundError: No module named 'nosuchlibrary'" in shown


def test_a_syntax_error_is_shown_where_it_is(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "own", "unclosed", "import os\n\nasync def app(scope, receive, send:\n    pass\n")
    told = refused(run_cli, tmp_path, "--app", "unclosed:app", "--app-dir", str(folder))
    assert "importing unclosed raised SyntaxError: '(' was never closed (unclosed.py, line 3)" in sentences(told)
    assert f'File "{folder}/unclosed.py", line 3' in told
    assert "async def app(scope, receive, send:" in told
    assert str(ROOT / "servermatrix") not in told
    assert "importlib" not in told


def test_an_exception_at_import_is_shown_down_to_where_it_was_raised(run_cli: RunCli, tmp_path: Path) -> None:
    told = refused(run_cli, tmp_path, "--app", "raises_at_import:app", "--app-dir", str(APPS / "broken"))
    assert "importing raises_at_import raised LookupError: there is no setting 'database'" in sentences(told)
    shown = traceback_in(told)
    files = re.findall(r'File "([^"]+)", line (\d+)', shown)
    assert files == [(f"{APPS}/broken/raises_at_import.py", "5"), (f"{APPS}/broken/settings_of.py", "8")]


@pytest.mark.parametrize(
    ("folder", "path", "status"),
    [pytest.param("plain", "/nowhere", 404, id="404"), pytest.param("login", "/account", 401, id="401")],
)
def test_a_path_that_does_not_answer_200_is_told_before_anything_is_measured(
    folder: str, path: str, status: int, run_cli: RunCli, tmp_path: Path
) -> None:
    told = refused(run_cli, tmp_path, "--app", "main:app", "--app-dir", str(APPS / folder), "--path", path)
    assert re.search(rf"error: the app does not answer rightly: .*uvicorn\S+: .*it answered {status} instead of 200", told)


def test_a_variable_that_is_not_given_is_named(run_cli: RunCli, tmp_path: Path) -> None:
    told = refused(run_cli, tmp_path, "--app", "main:app", "--app-dir", str(APPS / "envfile"))
    assert "importing main raised KeyError: 'SHOP_NAME'" in sentences(told)
    assert "give it with --env SHOP_NAME=VALUE, or with --env-file FILE" in told


def test_a_factory_without_the_option_is_told_which_one_to_add(run_cli: RunCli, tmp_path: Path) -> None:
    told = refused(run_cli, tmp_path, "--app", "main:create_app", "--app-dir", str(APPS / "factory"))
    assert "error: main:create_app makes an app, and is none itself\nadd --factory" in told


def test_a_database_that_nobody_made_is_told_in_the_words_of_the_server(run_cli: RunCli, tmp_path: Path) -> None:
    words = (
        "--app",
        "main:app",
        "--app-dir",
        str(APPS / "database"),
        "--env",
        f"DATABASE={tmp_path}/none.db",
        "--path",
        "/items",
    )
    told = refused(run_cli, tmp_path, *words)
    assert re.search(r"error: the app does not answer rightly: .*sqlite3.OperationalError: unable to open database file", told)
    assert not (tmp_path / "none.db").exists()


def test_a_preparing_command_that_fails_ends_it_as_unfit_with_what_it_printed(run_cli: RunCli, tmp_path: Path) -> None:
    words = ("--app", "main:app", "--app-dir", str(APPS / "database"), "--env", f"DATABASE={tmp_path}/no/folder.db")
    prepare = ("--prepare", f"'{sys.executable}' make_database.py", "--cleanup", f"touch '{tmp_path}/cleaned'")
    told = refused(run_cli, tmp_path, *words, *prepare, code=3)
    assert "error: the command of --prepare ended with code 1" in told
    assert "sqlite3.OperationalError: unable to open database file" in told
    assert (tmp_path / "cleaned").exists()


def test_a_budget_too_small_for_two_rounds_is_refused_with_the_one_that_is_enough(run_cli: RunCli, tmp_path: Path) -> None:
    words = ("--app", "main:app", "--app-dir", str(APPS / "plain"), "--budget", "5s")
    told = refused(run_cli, tmp_path, *words, code=2)
    enough = re.search(
        r"error: 5 s are too short: two rounds of \d cells?, and \d for comparison, take (\d+) s\n.*--budget (\d+)s", told
    )
    assert enough is not None, told
    assert enough[1] == enough[2]
    assert int(enough[1]) <= TWO_ROUNDS_S[1]
