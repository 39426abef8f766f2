"""Runs git in a repository of its own, bounded in time, without questions, hooks or settings of the repository we stand in."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from servermatrix.publish.failure import NotPublished, basic, may_carry_token, one_line

LIMIT_S = 60.0
WHO = "github-actions[bot]"
MAIL = "41898282+github-actions[bot]@users.noreply.github.com"
# They make git work on another repository, or print what it sends.
LEFT_OUT = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE", "GIT_COMMON", "GIT_NAMESPACE"),
    *("GIT_CONFIG_", "GIT_TRACE", "GIT_CURL_VERBOSE", "GIT_AUTHOR_", "GIT_COMMITTER_", "GITHUB_TOKEN"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: bytes
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """A bare repository in `folder`, and the environment in which git works on it."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    token: str = field(default="", repr=False)
    limit_s: float = LIMIT_S

    def tried(self, *words: str, given: bytes = b"") -> Done:
        """Run one command to its end; raises NotPublished when git is missing or takes too long."""
        argv = ["git", f"--git-dir={self.folder}", *words]
        try:
            return self._ended(argv, given)
        except FileNotFoundError as error:
            raise NotPublished("git is not installed") from error
        except OSError as error:
            raise NotPublished(f"git cannot be started: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise NotPublished(f"git {words[0]} took more than {self.limit_s:.0f} s") from error

    def run(self, *words: str, given: bytes = b"") -> bytes:
        """Run one command and return what it printed; raises NotPublished when it fails."""
        done = self.tried(*words, given=given)
        if done.code:
            raise NotPublished(f"git {words[0]} failed: {done.said}")
        return done.out

    def _ended(self, argv: Sequence[str], given: bytes) -> Done:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(self.environ),
            cwd=self.folder,
            start_new_session=True,
        )
        with process:
            try:
                out, err = process.communicate(given, timeout=self.limit_s)
            except BaseException:
                # Its helpers hold the pipes: without them gone the end of the context would wait for ever.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        return Done(code=process.returncode, out=out, said=_reason(err.decode("utf-8", "replace"), self.token))


def _reason(text: str, token: str) -> str:
    """Pick what git says is wrong: its first fatal line or refusal, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it gave no reason"]
    told = [line for line in lines if line.startswith(("fatal:", "remote: error:", "remote: fatal:", "! "))]
    return one_line((told or lines[-1:])[0], token)


def environment(environ: Mapping[str, str], folder: Path, server_url: str, token: str) -> dict[str, str]:
    """Return the environment for git: English, an identity, no questions, and the token as a header that only the server gets.

    The token is in no argument and in no file. An empty header before it drops those that are configured for the same server:
    GitHub refuses a request that has two.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(LEFT_OUT)}
    settings = [("gc.auto", "0"), ("core.hooksPath", os.devnull)]
    if token and may_carry_token(server_url):
        header = f"http.{server_url}/.extraheader"
        settings += [(header, ""), (header, f"AUTHORIZATION: basic {basic(token)}")]
    numbered = enumerate(settings)
    pairs = {f"GIT_CONFIG_{part}_{n}": text for n, pair in numbered for part, text in zip(("KEY", "VALUE"), pair, strict=True)}
    return {
        **kept,
        **pairs,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_INDEX_FILE": str(folder / "index"),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        "GIT_AUTHOR_NAME": WHO,
        "GIT_AUTHOR_EMAIL": MAIL,
        "GIT_COMMITTER_NAME": WHO,
        "GIT_COMMITTER_EMAIL": MAIL,
        "LC_ALL": "C",
    }
