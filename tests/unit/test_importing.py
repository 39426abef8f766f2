"""An app is imported in its own interpreter: what it is, or its own traceback with what to do next."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from servermatrix.measure.importing import Seen, look_at, openapi, proposed
from servermatrix.model import App

APP = """\
async def app(scope, receive, send): pass
def create_app(config=None): return app
async def later(): return app
def wsgi(environ, start_response): return []
class Old:
    def __init__(self, scope): pass
    async def __call__(self, receive, send): pass
class Outer:
    def __init__(self, app): self.app = app
    async def __call__(self, scope, receive, send): pass
outer = Outer(app)
table = {}
def broken():
    raise ValueError("no database\\nat all")
"""
FASTAPI = """\
class FastAPI:
    async def __call__(self, scope, receive, send): pass
    def openapi(self): return {"openapi": "3.1.0", "paths": {"/items": {"get": {}}}}
"""
SERVES = """\
import json
async def app(scope, receive, send):
    if scope["path"] != "/openapi.json":
        raise LookupError(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"openapi": "3.0.0", "paths": {}}).encode()})
"""


def app(folder: Path, target: str, *, factory: bool = False, **env: str) -> App:
    return App(name="a", target=target, folder=str(folder), factory=factory, env=tuple(sorted(env.items())))


def seen(folder: Path, target: str, text: str = APP, *, factory: bool = False, **env: str) -> Seen:
    place = folder.joinpath(*target.partition(":")[0].split(".")).with_suffix(".py")
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    return look_at(sys.executable, app(folder, target, factory=factory, **env), limit_s=20)


@pytest.mark.parametrize(
    ("attribute", "factory", "interface"),
    [("app", False, "asgi3"), ("outer", False, "asgi3"), ("Old", False, "asgi2"), ("create_app", True, "asgi3")],
)
def test_an_app_is_known_by_what_it_is_called_with(attribute: str, factory: bool, interface: str, tmp_path: Path) -> None:  # noqa: FBT001
    found = seen(tmp_path, f"main:{attribute}", factory=factory)
    assert (found.failure, found.interface, found.made) == ("", interface, factory)
    assert found.file == str(tmp_path / "main.py")
    assert found.kind == "a plain ASGI app"


@pytest.mark.parametrize(
    ("attribute", "factory", "failure", "tip"),
    [
        ("create_app", False, "main:create_app makes an app, and is none itself", "add --factory"),
        ("app", True, "main:app is an app already, and nothing that makes one", "leave out --factory"),
        ("table", False, "main:table is of type dict and cannot be called: it is no ASGI app", "name the app itself"),
        ("wsgi", False, "main:wsgi is a WSGI app, and only ASGI apps are measured", "wrap it into a2wsgi.WSGIMiddleware"),
        ("Outer", False, "main:Outer is a class, and no app itself", "name an app that is made of it"),
        ("later", True, "what main:later makes is no app: main:later is of type coroutine", "name the app itself"),
        (
            "creat_app",
            False,
            "main has no 'creat_app'; did you mean 'create_app'?",
            "name one of app, outer, create_app, ",
        ),
    ],
)
def test_what_is_no_app_is_told_with_what_to_do(attribute: str, factory: bool, failure: str, tip: str, tmp_path: Path) -> None:  # noqa: FBT001
    found = seen(tmp_path, f"main:{attribute}", factory=factory)
    assert found.failure.startswith(failure)
    assert found.tip.startswith(tip)
    assert found.traceback == ""


def test_the_framework_is_found_within_what_is_wrapped_around_it(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text(FASTAPI)
    text = f"import fastapi\n{APP}\nwrapped = Outer(Outer(fastapi.FastAPI()))\n"
    found = seen(tmp_path, "main:wrapped", text)
    assert found.sentence == f"the app is {found.kind}, from {tmp_path / 'main.py'}"
    assert found.framework == "FastAPI"


def test_a_traceback_is_the_apps_own(tmp_path: Path) -> None:
    found = seen(tmp_path, "shop.main:app", "def connect():\n    raise RuntimeError('no database')\nconnect()\n")
    assert found.failure == "importing shop.main raised RuntimeError: no database"
    lines = found.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{tmp_path}/shop/main.py", line 3, in <module>'
    assert [line for line in lines if 'File "' in line and str(tmp_path) not in line] == []
    assert lines[-1] == "RuntimeError: no database"


def test_what_a_factory_raises_is_told_as_of_it(tmp_path: Path) -> None:
    found = seen(tmp_path, "main:broken", factory=True)
    assert found.failure == "calling main:broken raised ValueError: no database"
    assert found.traceback.splitlines()[1] == f'  File "{tmp_path}/main.py", line 14, in broken'
    assert found.traceback.endswith("ValueError: no database\nat all\n")


@pytest.mark.parametrize(
    ("target", "text", "failure", "tip"),
    [
        (
            "main:app",
            "import os; os.environ['URL']",
            "importing main raised KeyError: 'URL'",
            "the app wants a variable",
        ),
        ("main:app", "import nosuch", "main needs the module nosuch, which this Python does not have", "type: "),
        ("main:app", "import yaml_, sys; sys.exit(3)", "main needs the module yaml_", "type: "),
        (
            "main:app",
            "raise SystemExit(3)",
            "importing main raised SystemExit: 3",
            "what ends or starts a program",
        ),
        ("main:app", "def f(:", "importing main raised SyntaxError: ", "mend the app"),
        ("main:app", "open('settings.toml')", "importing main raised FileNotFoundError", "servers start in an empty folder"),
        ("main:app", "import os; os.abort()", "importing main ended its interpreter: ended by SIGABRT", "import main yourself"),
    ],
)
def test_known_mistakes_come_with_what_to_type(target: str, text: str, failure: str, tip: str, tmp_path: Path) -> None:
    found = seen(tmp_path, target, text)
    assert found.failure.startswith(failure)
    assert found.tip.startswith(tip)


def test_a_module_that_is_not_there_is_named_with_what_is_near(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    found = look_at(sys.executable, app(tmp_path, "mian:app"))
    assert found.failure == f"there is no module mian in {tmp_path}; did you mean 'main'?"
    assert found.tip.startswith("name the folder that mian is in with --app-dir DIR; there are main in ")


def test_a_module_in_a_folder_beside_is_found_for_the_user(tmp_path: Path) -> None:
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "main.py").write_text(APP)
    assert (
        look_at(sys.executable, app(tmp_path, "shop.main:app")).tip
        == f"shop.main is in {tmp_path}/src: add --app-dir {tmp_path}/src"
    )
    found = look_at(sys.executable, app(tmp_path / "src", "shop.man:app"))
    assert (found.failure, found.tip) == (
        f"there is no module shop.man in {tmp_path}/src; did you mean 'main'?",
        "name one that is there: shop.main",
    )


def test_an_app_that_is_named_without_its_package_is_named_with_it(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    found = seen(tmp_path / "shop", "main:app", "from . import models")
    assert found.failure.startswith("main is part of a package, and imports from it: ")
    assert found.tip == f"name it with its package: --app shop.main:app --app-dir {tmp_path}"


def test_an_app_that_wants_its_own_folder_is_named_from_there(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "models.py").touch()
    found = seen(tmp_path, "shop.main:app", "import models")
    assert found.tip == f"models is in {tmp_path}/shop: name the app from there, --app main:app --app-dir {tmp_path}/shop"


def test_an_app_gets_its_variables_and_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    assert seen(tmp_path, "main:app", f"import os; os.environ['URL']\n{APP}", URL="x").failure == ""
    assert seen(tmp_path, "main:app", f"import os; os.environ['OURS']\n{APP}", URL="x").failure != ""


def test_an_app_that_never_ends_its_import_is_told_with_the_line_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import time\ndef wait():\n    time.sleep(60)\nwait()\n")
    found = look_at(sys.executable, app(tmp_path, "main:app"), limit_s=1)
    assert found.failure == f"importing main did not end within 1 s; it was in {tmp_path}/main.py, line 3"
    assert found.tip.startswith("what waits for something or serves belongs into the lifespan")


def test_threads_and_processes_of_an_app_do_not_hold_it_up(tmp_path: Path) -> None:
    begins = "import subprocess, threading, time\nthreading.Thread(target=time.sleep, args=(30,)).start()\n"
    begin = time.monotonic()
    assert seen(tmp_path, "main:app", f"{begins}subprocess.Popen(['sleep', '30'])\n{APP}").failure == ""
    assert time.monotonic() - begin < 10


def test_what_an_app_prints_or_reads_of_its_arguments_does_no_harm(tmp_path: Path) -> None:
    assert seen(tmp_path, "main:app", f"import sys; print('{{}}'); assert len(sys.argv) == 1\n{APP}").failure == ""


def test_nothing_is_written_where_the_app_is(tmp_path: Path) -> None:
    (tmp_path / "models.py").touch()
    assert seen(tmp_path, "main:app", f"import models\n{APP}").failure == ""
    assert sorted(each.name for each in tmp_path.iterdir()) == ["main.py", "models.py"]


def test_an_interpreter_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    found = look_at("/nonexistent/python", app(tmp_path, "main:app"))
    assert found.failure == "the Python interpreter /nonexistent/python does not run: No such file or directory"


def test_the_schema_is_the_apps_own_or_the_one_that_it_serves(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text(FASTAPI)
    (tmp_path / "main.py").write_text(f"import fastapi\n{APP}\nwrapped = Outer(fastapi.FastAPI())\n")
    (tmp_path / "serves.py").write_text(SERVES)
    found = openapi(sys.executable, app(tmp_path, "main:wrapped"))
    assert not isinstance(found, str)
    assert [each.request.path for each in proposed(found)] == ["/items"]
    assert openapi(sys.executable, app(tmp_path, "serves:app")) == {"openapi": "3.0.0", "paths": {}}


def test_an_app_without_a_schema_or_that_cannot_be_imported_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    said = "main:app (a plain ASGI app) says no OpenAPI schema; write the requests into a file for --requests"
    assert openapi(sys.executable, app(tmp_path, "main:app")) == said
    assert openapi(sys.executable, app(tmp_path, "main:create_app")) == "main:create_app makes an app, and is none itself"
