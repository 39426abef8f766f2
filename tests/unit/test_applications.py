"""How apps are described: read as text, never imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from servermatrix.config.applications import app_names, builtin_app, read_control, read_literals, user_app
from servermatrix.errors import Exit, UsageProblem
from servermatrix.model import App, Control, Expect, Request
from servermatrix.plugins import builtin_root


def source(folder: Path, text: str) -> Path:
    file = folder / "some_app.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_literals_are_read_without_running_the_file(tmp_path: Path) -> None:
    file = source(
        tmp_path,
        'raise RuntimeError("must not run")\n'
        'REQUEST = {"method": "POST", "path": "/p", "headers": {"a": "1", "b": "2"}, "body": "hello"}\n'
        'EXPECT: dict[str, object] = {"status": 201, "body": "x", "contains": "y"}\n',
    )
    assert read_literals(file) == (
        Request(method="POST", path="/p", headers=(("a", "1"), ("b", "2")), body="hello"),
        Expect(status=201, body="x", contains="y"),
    )


def test_what_is_not_said_has_the_defaults(tmp_path: Path) -> None:
    assert read_literals(source(tmp_path, "app = None\n")) == (Request(), Expect())
    assert read_literals(source(tmp_path, 'REQUEST = {"path": "/p"}\nEXPECT = {}')) == (Request(path="/p"), Expect())


def test_the_last_assignment_counts_as_in_python(tmp_path: Path) -> None:
    file = source(tmp_path, 'REQUEST = {"path": "/a"}\nREQUEST = {"path": "/b"}\nREQUEST: dict\nother = REQUEST\n')
    assert read_literals(file)[0].path == "/b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nREQUEST = dict(path='/')", r":2: REQUEST is not a literal"),
        ("EXPECT = [200]", r":1: EXPECT is not a dict"),
        ("EXPECT = {'code': 200}", r"EXPECT has no key 'code'; known are status, body, contains"),
        ("EXPECT = {'status': '200'}", r"EXPECT\['status'\] is not of type int"),
        ("REQUEST = {'headers': []}", r"REQUEST\['headers'\] is not of type dict"),
        ("REQUEST = {'body': b'bytes'}", r"REQUEST\['body'\] is not of type str"),
        ("def broken(:", "is not Python"),
    ],
)
def test_wrong_literals_are_named_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    file = source(tmp_path, text)
    with pytest.raises(UsageProblem, match=message) as caught:
        read_literals(file)
    assert str(file) in caught.value.message
    assert caught.value.exit_code == Exit.USAGE


def test_the_shipped_apps_are_named_without_the_witness() -> None:
    names = app_names()
    assert "plaintext" in names
    assert "witness" not in names
    assert list(names) == sorted(names)


def test_every_shipped_app_is_described_with_the_folder_above_apps() -> None:
    for name in (*app_names(), "witness"):
        app = builtin_app(name)
        assert (app.name, app.target, app.folder) == (name, f"apps.{name}:app", str(builtin_root()))
        assert app.expect.body is not None or app.expect.contains is not None


def test_every_shipped_app_but_the_controls_has_its_twins_for_wsgi_and_rsgi() -> None:
    for name in (*app_names(), "witness"):
        app = builtin_app(name)
        if app.control is not None:
            assert app.twins == ()
            continue
        assert app.twins == (("wsgi", f"apps.wsgi.{name}:app"), ("rsgi", f"apps.rsgi.{name}:app"))
        assert [app.target_for(interface) for interface in ("asgi", "wsgi", "rsgi", "other")] == [
            f"apps.{name}:app",
            f"apps.wsgi.{name}:app",
            f"apps.rsgi.{name}:app",
            None,
        ]


def test_the_twins_are_no_apps_of_their_own() -> None:
    folders = {file.parent.name for file in (builtin_root() / "apps").rglob("*.py")}
    assert {"wsgi", "rsgi"} <= folders
    assert not {"wsgi", "rsgi"} & set(app_names())


@pytest.mark.parametrize("name", ["plaintxt", "../plaintext", "", "_hidden"])
def test_an_app_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UsageProblem, match="there is no app") as caught:
        builtin_app(name)
    assert "--app" in caught.value.tip


def test_a_misspelt_app_is_named_with_a_suggestion() -> None:
    with pytest.raises(UsageProblem, match=r"there is no app 'plaintxt'; there are .*; did you mean 'plaintext'\?"):
        builtin_app("plaintxt")


def test_an_app_of_ones_own_has_its_target_as_name_and_an_absolute_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    request, expect = Request(path="/p"), Expect(status=204)
    assert user_app("shop.main:api.app", ".", request, expect) == App(
        name="shop.main:api.app", target="shop.main:api.app", folder=str(tmp_path), request=request, expect=expect
    )


def test_an_app_of_ones_own_speaks_asgi_alone(tmp_path: Path) -> None:
    app = user_app("shop:app", str(tmp_path), Request(), Expect())
    assert (app.target_for("asgi"), app.target_for("wsgi")) == ("shop:app", None)


@pytest.mark.parametrize("target", ["shop", "shop:", ":app", "shop/main.py:app", "shop:app:more", "shop..main:app", ""])
def test_a_target_of_another_form_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(UsageProblem, match="is not of the form module:attribute"):
        user_app(target, str(tmp_path), Request(), Expect())


@pytest.mark.parametrize(
    ("request_", "part"),
    [(Request(method="POST", body="caf\udce9"), "body"), (Request(headers=(("x", "caf\udce9"),)), "header 'x'")],
)
def test_bytes_that_are_no_text_are_refused_with_the_part_that_holds_them(tmp_path: Path, request_: Request, part: str) -> None:
    with pytest.raises(UsageProblem, match=rf"--app: the {part}.* cannot be sent") as caught:
        user_app("shop:app", str(tmp_path), request_, Expect())
    assert caught.value.message.isascii()


def test_a_body_in_any_language_is_sent(tmp_path: Path) -> None:
    request = Request(method="POST", body="caf\u00e9 \u20ac \U0001f600")
    assert user_app("shop:app", str(tmp_path), request, Expect()).request == request


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"there is no folder .*nowhere") as caught:
        user_app("shop:app", str(tmp_path / "nowhere"), Request(), Expect())
    assert "--app-dir" in caught.value.tip


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ("app = None", None),
        ("CONTROL = {}", None),
        ("CONTROL = {'holds': 'await', 'seconds': 0.1}", Control(holds="await", seconds=0.1)),
        ("CONTROL = {'holds': 'await', 'seconds': 1}", Control(holds="await", seconds=1.0)),
        ("CONTROL = {'holds': 'worker', 'seconds': 0.1}", Control(holds="worker", seconds=0.1)),
        ("CONTROL = {'holds': 'threads', 'seconds': 1.5, 'threads': 4}", Control(holds="threads", seconds=1.5, threads=4)),
        ("CONTROL = {'burns': 0.2, 'beyond': 'plaintext'}", Control(burns=0.2, beyond="plaintext")),
    ],
)
def test_what_is_known_of_an_app_beforehand_is_read_from_its_source(tmp_path: Path, text: str, control: Control | None) -> None:
    assert read_control(source(tmp_path, text)) == control


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CONTROL = {'holds': 'breath', 'seconds': 0.1}", "holds 'breath', which is not one of await, threads, worker"),
        ("CONTROL = {'seconds': 0.1}", "needs either holds or beyond"),
        ("CONTROL = {'holds': 'await', 'seconds': 0.1, 'beyond': 'x', 'burns': 0.1}", "needs either holds or beyond"),
        ("CONTROL = {'holds': 'await'}", "seconds must be above 0"),
        ("CONTROL = {'holds': 'threads', 'seconds': 0.1}", "needs threads"),
        ("CONTROL = {'holds': 'await', 'seconds': 0.1, 'threads': 4}", "needs threads where it holds threads, and only there"),
        ("CONTROL = {'beyond': 'plaintext'}", "burns must be above 0"),
        ("CONTROL = {'holds': 'await', 'seconds': '1'}", r"CONTROL\['seconds'\] is not of type float"),
        ("CONTROL = {'holds': 'await', 'seconds': True}", r"CONTROL\['seconds'\] is not of type float"),
        ("CONTROL = {'holds': 'threads', 'seconds': 1.5, 'threads': True}", r"CONTROL\['threads'\] is not of type int"),
        ("CONTROL = {'waits': 1.0}", "CONTROL has no key 'waits'"),
    ],
)
def test_a_control_that_says_nothing_clear_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageProblem, match=message):
        read_control(source(tmp_path, text))
