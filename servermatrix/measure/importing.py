"""Imports an app in its own interpreter, apart from us, and says what it is or, in the app's own words, why that does not go."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from servermatrix.config.openapi import left_out, proposed
from servermatrix.measure.command import run
from servermatrix.measure.mistakes import advice
from servermatrix.measure.process import scrubbed_environment
from servermatrix.measure.surroundings import of_app
from servermatrix.model import App
from servermatrix.suggest import did_you_mean, listed

__all__ = ["Seen", "left_out", "look_at", "openapi", "proposed"]
LIMIT_S = 60.0
SCRIPT = Path(__file__).with_name("inspector.py")
HANGS = "Timeout ("
UNENDED = "did not end within"
AT = re.compile(r'^  File "([^"]+)", line (\d+) in ', re.MULTILINE)
WORDS = {"import": "importing {module} raised", "factory": "calling {target} raised", "openapi": "the schema of {target} raised"}
NO_APP = {
    "none": "{target} is of type {type} and cannot be called: it is no ASGI app",
    "factory": "{target} makes an app, and is none itself",
    "class": "{target} is a class, and no app itself",
    "wsgi": "{target} is a WSGI app{by}, and only ASGI apps are measured",
    "aiohttp": "{target} is an aiohttp app, which only aiohttp's own server runs",
}
TIPS = {
    "none": "name the app itself: --app {module}:ATTR",
    "factory": "add --factory",
    "class": "name an app that is made of it, or with --factory a function that makes one",
    "wsgi": "wrap it into a2wsgi.WSGIMiddleware or asgiref.wsgi.WsgiToAsgi, and name what comes of it",
    "aiohttp": "name an ASGI app",
}
DJANGO_TIP = "name the ASGI app of the same project, as in --app mysite.asgi:application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an app is: `interface` (`asgi3`, `asgi2`, empty where that cannot be told), framework, and the file of its module.

    `made` when a factory made it. With a `failure`, one sentence, it cannot be served; then `traceback` is the app's own, from
    its first line on (empty where it raised nothing), and `tip` what to do next.
    """

    interface: str = ""
    framework: str = ""
    version: str = ""
    file: str = ""
    made: bool = False
    failure: str = ""
    traceback: str = ""
    tip: str = ""

    @property
    def kind(self) -> str:
        """Name it as one would say it: `FastAPI 0.115.0`, else `a plain ASGI app`."""
        return f"{self.framework} {self.version}".strip() or "a plain ASGI app"

    @property
    def sentence(self) -> str:
        """Say in one sentence what it is and where from."""
        made = ", made by a factory" if self.made else ""
        old = ", of the old kind that is called twice for each request (ASGI 2)" if self.interface == "asgi2" else ""
        return f"the app is {self.kind}{made}{old}{f', from {self.file}' if self.file else ''}"


def look_at(python: str, app: App, *, limit_s: float = LIMIT_S) -> Seen:
    """Import the app as a server would, from its folder and with its variables; at most `limit_s`."""
    told = _told(python, app, "look", limit_s)
    return _failed(app, told) if isinstance(told, str) else judged(python, app, told)


def openapi(python: str, app: App, *, limit_s: float = LIMIT_S) -> Mapping[str, object] | str:
    """Return the app's OpenAPI document, or a sentence why there is none; at most `limit_s`."""
    told = _told(python, app, "openapi", limit_s)
    if isinstance(told, str):
        return told
    seen, schema = judged(python, app, told), told.get("schema")
    if seen.failure or isinstance(schema, dict):
        return seen.failure or dict(schema if isinstance(schema, dict) else {})
    return f"{app.target} ({seen.kind}) says no OpenAPI schema; write the requests into a file for --requests"


def judged(python: str, app: App, told: Mapping[str, object]) -> Seen:
    """Judge what the inspector told of an app."""
    module, interface = app.target.partition(":")[0], str(told.get("interface", ""))
    words = {"module": module, "target": app.target, "type": told.get("type", ""), "by": _by(told)}
    if "raised" in told:
        return _raised(python, app, told, WORDS[str(told["raised"])].format(**words))
    if "missing" in told:
        return _failed(app, *_missing(app, told))
    if app.factory and not told.get("made") and interface in ("asgi3", "asgi2", "wsgi"):
        return _failed(app, f"{app.target} is an app already, and nothing that makes one", "leave out --factory")
    if interface in NO_APP:
        tip = DJANGO_TIP if interface == "wsgi" and told.get("framework") == "Django" else TIPS[interface].format(**words)
        sentence = NO_APP[interface].format(**words)
        return _failed(app, f"what {app.target} makes is no app: {sentence}" if told.get("made") else sentence, tip)
    return Seen(
        interface=interface,
        framework=str(told.get("framework", "")),
        version=str(told.get("version", "")),
        file=str(told.get("file", "")),
        made=bool(told.get("made")),
    )


def _by(told: Mapping[str, object]) -> str:
    name = f"{told.get('framework', '')} {told.get('version', '')}".strip()
    return f" ({name})" if name else ""


def _failed(app: App, sentence: str, tip: str = "") -> Seen:
    waits = "what waits for something or serves belongs into the lifespan, or behind `if __name__ == '__main__':`"
    return Seen(
        failure=sentence, tip=tip or (waits if UNENDED in sentence else f"import {app.target.partition(':')[0]} yourself")
    )


def _missing(app: App, told: Mapping[str, object]) -> tuple[str, str]:
    """Say that the module lacks the attribute, and what it has instead."""
    names, missing, module = told.get("names"), str(told["missing"]), app.target.partition(":")[0]
    there = [str(name) for name in names] if isinstance(names, list) else []
    sentence = f"{module} has no {missing!r}{did_you_mean(missing, there)}"
    if not there:
        return sentence, f"name the variable that holds the app: --app {module}:ATTR"
    return sentence, f"name one of {listed(there[:5])}, as in --app {module}:{there[0]}"


def _raised(python: str, app: App, told: Mapping[str, object], words: str) -> Seen:
    """Put what was raised into a sentence: its class and the first line of its text, which may be long."""
    text = next(iter(str(told["text"]).strip().splitlines()), "")
    sentence, tip = advice(python, app, told)
    said = f"{words} {told['error']}{': ' if text else ''}{text[:300]}"
    return Seen(failure=sentence or said, tip=tip, traceback=str(told["traceback"]), file=str(told.get("file", "")))


def _told(python: str, app: App, what: str, limit_s: float) -> Mapping[str, object] | str:
    """Run the inspector; return what it wrote, or a sentence why it wrote nothing.

    In an empty folder and a clean environment, as servers are started: what is found there only by chance is not found here.
    """
    module = app.target.partition(":")[0]
    with tempfile.TemporaryDirectory(prefix="servermatrix-") as folder:
        place = Path(folder) / "told.json"
        # As text, for a script's own folder would come first among those that the app's modules are looked for in.
        words = [app.target, what, "factory" if app.factory else "app", f"{limit_s}", str(place)]
        argv = [python, "-c", SCRIPT.read_text(encoding="utf-8"), *words]
        environ = scrubbed_environment(of_app(app))
        try:
            code, text = run(argv, environ, limit_s + 10, Path(folder))
            told = json.loads(place.read_text(encoding="utf-8"))
        except OSError as failure:
            if isinstance(failure, FileNotFoundError) and failure.filename == str(place):
                return _ended(module, code, text, limit_s)
            return f"the Python interpreter {python} does not run: {failure.strerror}"
        except (subprocess.TimeoutExpired, ValueError):
            return f"importing {module} {UNENDED} {limit_s:.0f} s"
    return told if isinstance(told, dict) else f"importing {module} said nothing"


def _ended(module: str, code: int, text: str, limit_s: float) -> str:
    """Say how the interpreter ended before the app was imported: where it was when its time was up, or by what."""
    if HANGS in text:
        main = text[text.rindex(HANGS) :].rpartition("(most recent call first):")[2]
        own = [(file, line) for file, line in AT.findall(main) if "/lib/python" not in file and not file.startswith("<")]
        where = f"; it was in {own[0][0]}, line {own[0][1]}" if own else ""
        return f"importing {module} {UNENDED} {limit_s:.0f} s{where}"
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"which ended with code {code}"
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    return f"importing {module} ended its interpreter: {how}{': ' if last else ''}{last[:300]}"
