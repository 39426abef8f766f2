"""App files -> model.App, read as text: a program under test is never imported into the tool."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from servermatrix.errors import UsageProblem
from servermatrix.model import App, Asked, Control, Expect, Request
from servermatrix.plugins import builtin_root
from servermatrix.suggest import did_you_mean, listed

AUTO = "auto"
_NOT_MEASURED = "witness"
_OTHER_INTERFACES = ("wsgi", "rsgi")
_REQUEST_KEYS: Mapping[str, type] = {"method": str, "path": str, "headers": dict, "body": str}
_EXPECT_KEYS: Mapping[str, type] = {"status": int, "body": str, "contains": str}
_CONTROL_KEYS: Mapping[str, type] = {"holds": str, "seconds": float, "threads": int, "burns": float, "beyond": str}
_HOLDS = ("await", "threads", "worker")


def app_names() -> tuple[str, ...]:
    """Name the apps that can be measured, sorted."""
    files = (builtin_root() / "apps").glob("*.py")
    return tuple(sorted(file.stem for file in files if not file.name.startswith("_") and file.stem != _NOT_MEASURED))


def builtin_app(name: str) -> App:
    """Read the app of this name; UsageProblem when there is none or its literals are wrong.

    Its folder is the one above apps/: with apps/ itself on the path, apps/json.py would hide the standard library's json.
    """
    root = builtin_root()
    if name not in (*app_names(), _NOT_MEASURED):
        raise UsageProblem(
            f"there is no app {name!r}; there are {listed(app_names())}{did_you_mean(name, app_names())}",
            "an app of your own is measured with --app MODULE:ATTR --app-dir DIR",
        )
    file = root / "apps" / f"{name}.py"
    request, expect = read_literals(file)
    return App(
        name=name,
        target=f"apps.{name}:app",
        folder=str(root),
        request=request,
        expect=expect,
        twins=tuple(_twins(root, name)),
        control=read_control(file),
    )


def _twins(root: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield (interface, target) of the same app written for other interfaces: files of its name in apps/INTERFACE/."""
    for interface in _OTHER_INTERFACES:
        if (root / "apps" / interface / f"{name}.py").exists():
            yield interface, f"apps.{interface}.{name}:app"


def user_app(
    target: str,
    folder: str,
    request: Request,
    expect: Expect,
    *,
    factory: bool = False,
    lifespan: str = AUTO,
    env: tuple[tuple[str, str], ...] = (),
    mix: tuple[Asked, ...] = (),
) -> App:
    """Describe an app by `module:attribute` and the folder it is imported from; UsageProblem when one of them is wrong.

    With a `mix` the request is its first; a mix of one request is none.
    """
    if not _is_target(target):
        called = f"; name the function without its parentheses: --factory --app {target[:-2]}" if target.endswith("()") else ""
        raise UsageProblem(f"{target!r} is not of the form module:attribute", f"for example: --app shop.main:app{called}")
    if not Path(folder).is_dir():
        raise UsageProblem(f"there is no folder {folder} to import {target} from", "name it with --app-dir DIR")
    return App(
        name=target,
        target=target,
        # Servers start in a work folder of their own, where a relative path would mean something else.
        folder=str(Path(folder).resolve()),
        request=checked(request, "--app"),
        expect=expect,
        factory=factory,
        lifespan=lifespan,
        env=env,
        mix=mix if len(mix) > 1 else (),
    )


def checked(request: Request, source: str) -> Request:
    """Return the request when it can be sent as it is; UsageProblem names the part that cannot."""
    if wrong := wrong_request(request):
        sentence, tip = wrong
        raise UsageProblem(f"{source}: {sentence}", tip)
    return request


def wrong_request(request: Request) -> tuple[str, str] | None:
    """Say what of a request cannot be sent as it is, and what to do, None where all can."""
    if not re.fullmatch(r"[A-Z]+", request.method):
        return f"{request.method!r} is not an HTTP method", "for example: GET, POST"
    if not re.fullmatch(r"/[!-~]*", request.path):
        return f"the path {request.path!r} cannot be sent as it is", "begin with / and percent-encode the rest"
    for name, value in request.headers:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch(r"[\t -~\x80-\xff]*", value):
            return f"the header {name!r}: {value!r} cannot be sent", "use printable text without line ends"
    try:
        request.body.encode()
    except UnicodeEncodeError:
        return f"the body {request.body!r} cannot be sent", "use text that is UTF-8"
    return None


def _is_target(target: str) -> bool:
    module, colon, attribute = target.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *attribute.split(".")))


def read_literals(file: Path) -> tuple[Request, Expect]:
    """Read REQUEST and EXPECT from the source of an app; what is not said has the defaults of the model."""
    body = _statements(file)
    request = _literal(file, body, "REQUEST", _REQUEST_KEYS)
    expect = _literal(file, body, "EXPECT", _EXPECT_KEYS)
    headers = request.get("headers", {})
    pairs = tuple((str(name), str(value)) for name, value in headers.items()) if isinstance(headers, dict) else ()
    asked = Request(
        method=str(request.get("method", Request().method)),
        path=str(request.get("path", Request().path)),
        headers=pairs,
        body=str(request.get("body", Request().body)),
    )
    return (
        checked(asked, str(file)),
        Expect(
            status=int(str(expect.get("status", Expect().status))),
            body=_text_or_none(expect.get("body")),
            contains=_text_or_none(expect.get("contains")),
        ),
    )


def read_control(file: Path) -> Control | None:
    """Read CONTROL from the source of an app, None where it says nothing of how it must do; see model.Control."""
    body = _statements(file)
    found = _literal(file, body, "CONTROL", _CONTROL_KEYS)
    if not found:
        return None
    control = Control(
        holds=str(found.get("holds", "")),
        seconds=float(str(found.get("seconds", 0))),
        threads=int(str(found.get("threads", 0))),
        burns=float(str(found.get("burns", 0))),
        beyond=str(found.get("beyond", "")),
    )
    if wrong := _contradiction(control):
        raise UsageProblem(f"{file}: CONTROL {wrong}")
    return control


def _contradiction(control: Control) -> str:
    """Say what is wrong with a control, empty when nothing is."""
    if control.holds and control.holds not in _HOLDS:
        return f"holds {control.holds!r}, which is not one of {listed(_HOLDS)}"
    if bool(control.holds) == bool(control.beyond):
        return "needs either holds or beyond"
    if control.holds and control.seconds <= 0:
        return "holds nothing: seconds must be above 0"
    if (control.holds == "threads") != (control.threads > 0):
        return "needs threads where it holds threads, and only there"
    return "burns nothing: burns must be above 0" if control.beyond and control.burns <= 0 else ""


def _statements(file: Path) -> list[ast.stmt]:
    try:
        return ast.parse(file.read_text(encoding="utf-8"), str(file)).body
    except (SyntaxError, ValueError) as error:
        raise UsageProblem(f"{file} is not Python: {error}") from error


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _literal(file: Path, body: list[ast.stmt], name: str, keys: Mapping[str, type]) -> Mapping[str, object]:
    node = _assigned(body, name)
    if node is None:
        return {}
    try:
        value = ast.literal_eval(node)
    except ValueError as error:
        raise UsageProblem(f"{file}:{node.lineno}: {name} is not a literal; the tool reads it without running it") from error
    if not isinstance(value, dict):
        raise UsageProblem(f"{file}:{node.lineno}: {name} is not a dict")
    for key, item in value.items():
        if key not in keys:
            raise UsageProblem(f"{file}:{node.lineno}: {name} has no key {key!r}; known are {listed(keys)}")
        if not _is_of(item, keys[key]):
            raise UsageProblem(f"{file}:{node.lineno}: {name}[{key!r}] is not of type {keys[key].__name__}")
    return value


def _is_of(item: object, kind: type) -> bool:
    """Tell whether a value is of this type; a whole number is a float too, and True is no number."""
    return isinstance(item, (int, float) if kind is float else kind) and not isinstance(item, bool)


def _assigned(body: list[ast.stmt], name: str) -> ast.expr | None:
    """Return what stands right of the last `name = ...` or `name: type = ...` at the top level."""
    for statement in reversed(body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return value
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if found == name:
                return value
    return None
