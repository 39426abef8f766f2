"""A stand-in for GitHub on 127.0.0.1: issues as its REST API serves them, and git over HTTP for whoever has the token."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_not_a_real_token"  # noqa: S105 - of the stand-in
REPOSITORY = "team/app"


@dataclass
class GitHub:
    """What is in the repository, what was asked, and what is to go wrong: each entry of `wrong` answers one request.

    `login` is whose the token is, a person; empty for that of a job.
    """

    port: int = 0
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    wrong: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    slow_s: float = 0.0
    page: int = 100
    repositories: Path | None = None
    login: str = ""

    @property
    def address(self) -> str:
        """Return where the API and git are served."""
        return f"http://127.0.0.1:{self.port}"

    def add(self, title: str, body: str | None, state: str = "open", **more: object) -> int:
        """Open an issue or, with `pull_request`, a pull request; return its number."""
        number = len(self.issues) + 1
        url = f"https://github.example/{REPOSITORY}/issues/{number}"
        user = {"login": self.login, "type": "User"} if self.login else {"login": "github-actions[bot]", "type": "Bot"}
        entry = {"number": number, "title": title, "body": body, "state": state, "html_url": url, "user": user}
        self.issues.append({**entry, **more})
        return number

    def written(self) -> list[tuple[str, str]]:
        """Return what was asked that changes something."""
        return [(method, path) for method, path in self.asked if method != "GET"]


class Handler(BaseHTTPRequestHandler):
    """Answers as GitHub's reference says."""

    protocol_version = "HTTP/1.1"
    github: GitHub

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Serve a list or what git fetches."""
        self._serve()

    def do_POST(self) -> None:
        """Open an issue, comment on one, or take what git pushes."""
        self._serve()

    def do_PATCH(self) -> None:
        """Change an issue."""
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self._body()
        self.github.asked.append((self.command, self.path))
        self.github.heads.append(dict(self.headers.items()))
        time.sleep(self.github.slow_s)
        if ".git/" in parts.path:
            self._git(parts.path, parts.query, body)
        elif self.github.wrong:
            status, headers, text = self.github.wrong.pop(0)
            if status == 0:
                self.close_connection = True  # as a proxy that breaks down
                return
            self._answer(status, text, headers)
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, json.dumps({"message": "Bad credentials"}), {})
        else:
            self._api(parts.path, parse_qs(parts.query), body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _api(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        if path == "/user":  # which the token of a job may not ask
            said = {"login": self.github.login} if self.github.login else {"message": "Resource not accessible by integration"}
            self._answer(200 if self.github.login else 403, json.dumps(said), {})
            return
        base = f"/repos/{REPOSITORY}/issues"
        words = path.removeprefix(base).strip("/").split("/") if path.startswith(base) else ["unknown"]
        match self.command, words:
            case "GET", [""]:
                self._list(query)
            case "POST", [""]:
                number = self.github.add(**json.loads(body))
                self._answer(201, json.dumps(self.github.issues[number - 1]), {})
            case "PATCH", [number]:
                self.github.issues[int(number) - 1].update(json.loads(body))
                self._answer(200, json.dumps(self.github.issues[int(number) - 1]), {})
            case "POST", [number, "comments"]:
                self.github.comments.append((int(number), json.loads(body)["body"]))
                self._answer(201, json.dumps({"id": 1}), {})
            case _:
                self._answer(404, json.dumps({"message": "Not Found"}), {})

    def _list(self, query: dict[str, list[str]]) -> None:
        """Serve a page, the newest first, with the Link header that leads on."""
        size = min(self.github.page, int(query["per_page"][0]))
        number = int(query.get("page", ["1"])[0])
        found = [issue for issue in reversed(self.github.issues) if issue["state"] == query["state"][0]]
        shown, more = found[(number - 1) * size : number * size], len(found) > number * size
        base = f"{self.github.address}/repos/{REPOSITORY}/issues?state=open&per_page={size}&page="
        links = [f'<{base}{number - 1}>; rel="prev"'] if number > 1 else []
        links += [f'<{base}{number + 1}>; rel="next"', f'<{base}{len(found) // size + 1}>; rel="last"'] if more else []
        self._answer(200, json.dumps(shown), {"Link": ", ".join(links)} if links else {})

    def _git(self, path: str, query: str, body: bytes) -> None:
        """Serve git by its own program, as a web server does, to whoever sends the token as basic authentication."""
        wanted = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization", "").casefold() != f"basic {wanted}".casefold():
            self._answer(401, "no", {"WWW-Authenticate": 'Basic realm="GitHub"'})
            return
        exec_path = git("--exec-path")
        settings = {
            "GIT_PROJECT_ROOT": str(self.github.repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "x",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        argv = [f"{exec_path}/git-http-backend"]
        done = subprocess.run(argv, input=body, capture_output=True, env={**os.environ, **settings}, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._answer(int(headers.pop("Status", "200").split()[0]), content, headers)

    def _answer(self, status: int, text: str | bytes, headers: dict[str, str]) -> None:
        content = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):  # who timed out does not read on
            self.wfile.write(content)


@contextlib.contextmanager
def serving() -> Iterator[GitHub]:
    """Serve until the end of the context."""
    github = GitHub()
    handler = type("Bound", (Handler,), {"github": github})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        github.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield github
        finally:
            server.shutdown()
            thread.join()


def bare_repository(folder: Path) -> Path:
    """Make the repository of the stand-in, empty, below a folder; return it."""
    place = folder / f"{REPOSITORY}.git"
    git("init", "--quiet", "--bare", str(place))
    git("-C", str(place), "config", "http.receivepack", "true")
    return place


def git(*words: str) -> str:
    """Run git and return what it printed."""
    argv = ["git", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def on_branch(repository: Path, branch: str) -> dict[str, str]:
    """Return the files of a branch with what is in them."""
    names = git("-C", str(repository), "ls-tree", "-r", "--name-only", branch).splitlines()
    return {name: git("-C", str(repository), "show", f"{branch}:{name}") for name in names}
