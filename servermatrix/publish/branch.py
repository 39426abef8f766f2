"""The branch of its own on which the history is kept: its files brought here, a night put on top of whatever is there by then."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import random

from servermatrix.publish.failure import NotPublished, one_line
from servermatrix.publish.git import Git, environment

ATTEMPTS = 8
ATTEMPTS_WITHOUT_A_RACE = 3
FETCHED = "refs/fetched"
BRANCH = re.compile(r"(?!.*(\.\.|//|/\.|\.lock(/|$)))[A-Za-z0-9_][A-Za-z0-9_./-]*(?<![./])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A branch of a repository, and what git needs to reach it; `pause` waits some seconds between attempts."""

    address: str
    branch: str
    server_url: str
    token: str = field(default="", repr=False)
    pause: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        """Refuse what git would not take as a branch, or take as an option."""
        if not BRANCH.fullmatch(self.branch):
            raise NotPublished(f"the history stays here: {self.branch!r} cannot be the name of a branch")


@contextmanager
def working(remote: Remote, environ: Mapping[str, str]) -> Iterator[Git]:
    """Give an empty repository of our own to work in, so that whatever we stand in is neither needed nor touched."""
    with tempfile.TemporaryDirectory(prefix="servermatrix-history-") as place:
        folder = Path(place)
        settings = environment(environ, folder, remote.server_url, remote.token)
        git = Git(folder=folder, environ=settings, token=remote.token)
        git.run("init", "--quiet", "--bare", str(folder))
        yield git


def bring(remote: Remote, environ: Mapping[str, str], folder: Path) -> int:
    """Copy the nights of the branch into a folder, except those that are there; return how many. Raises NotPublished."""
    with _told("the history was not fetched"), working(remote, environ) as git:
        if not _fetch(git, remote):
            return 0
        git.run("read-tree", FETCHED)
        files = git.folder / "files"
        git.run("--work-tree", str(git.folder), "checkout-index", "--all", f"--prefix={files}/")
        return sum(_copied(file, folder) for file in sorted(files.glob("*.json")))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say of a failure what came of it."""
    try:
        yield
    except NotPublished as failure:
        raise NotPublished(f"{what}: {failure}") from failure
    except OSError as error:
        raise NotPublished(f"{what}: {one_line(f'{error.filename}: {error.strerror}')}") from error


def _copied(file: Path, folder: Path) -> bool:
    """Copy a file unless its name is taken; a link that somebody committed is none."""
    target = folder / file.name
    if file.is_symlink() or target.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return True


def push(remote: Remote, environ: Mapping[str, str], file: Path, message: str) -> str:
    """Put one file on top of the branch, making the branch when there is none; return what was done in a sentence.

    When others push at the same time it is put on top of theirs. A file of that name is never overwritten. Raises NotPublished.
    """
    with _told(f"the history was not pushed to the branch {remote.branch}"), working(remote, environ) as git:
        blob = git.run("hash-object", "-w", "--stdin", given=file.read_bytes()).decode().strip()
        return _pushed(git, remote, file.name, blob, message)


def _pushed(git: Git, remote: Remote, name: str, blob: str, message: str) -> str:
    """Try again as long as somebody else was faster, and a few times where nobody was."""
    seen, idle, said = "none yet", 0, ""
    for attempt in range(1, ATTEMPTS + 1):
        tip = _fetch(git, remote)
        if _is_there(git, tip, name, blob):
            return f"{name} is on the branch {remote.branch}"
        idle = idle + 1 if tip == seen else 0
        if idle == ATTEMPTS_WITHOUT_A_RACE:
            break
        seen = tip
        commit = _commit(git, tip, name, blob, message)
        done = git.tried("push", "--quiet", "--no-verify", remote.address, f"{commit}:refs/heads/{remote.branch}")
        if done.code == 0:
            return f"pushed {name} to the branch {remote.branch}"
        said = done.said
        _wait(remote, attempt)
    raise NotPublished(said)


def _wait(remote: Remote, attempt: int) -> None:
    remote.pause(min(0.25 * 2**attempt, 8.0) * (0.5 + random()))  # noqa: S311 - so that two do not stay in step


def _fetch(git: Git, remote: Remote) -> str:
    """Fetch the branch and return its commit, empty where there is no such branch; a server that is away is asked again."""
    for attempt in range(1, ATTEMPTS_WITHOUT_A_RACE):
        try:
            return _fetched(git, remote)
        except NotPublished:
            _wait(remote, attempt)
    return _fetched(git, remote)


def _fetched(git: Git, remote: Remote) -> str:
    where = f"refs/heads/{remote.branch}"
    if not git.run("ls-remote", remote.address, where).strip():
        return ""
    git.run("fetch", "--quiet", "--no-tags", "--depth=1", remote.address, f"+{where}:{FETCHED}")
    return git.run("rev-parse", FETCHED).decode().strip()


def _is_there(git: Git, tip: str, name: str, blob: str) -> bool:
    """Tell whether the file is on the branch as it is here; raises NotPublished where it is another one."""
    found = git.run("ls-tree", "-z", tip, "--", name).decode("utf-8", "replace") if tip else ""
    if found and blob not in found.split("\t")[0].split():
        raise NotPublished(f"another {name} is there, and nothing in a history is overwritten")
    return bool(found)


def _commit(git: Git, tip: str, name: str, blob: str, message: str) -> str:
    """Make a commit with the file on top of the tip, without one for a new branch; no file of either is ever checked out."""
    git.run("read-tree", tip or "--empty")
    git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    tree = git.run("write-tree").decode().strip()
    return git.run("commit-tree", tree, *(["-p", tip] if tip else []), "-F", "-", given=message.encode()).decode().strip()
