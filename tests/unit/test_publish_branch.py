"""The branch of the history, pushed by git to real repositories: over files, and over HTTP with a token."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from servermatrix.publish.branch import Remote, bring, push
from servermatrix.publish.failure import NotPublished, basic
from servermatrix.publish.git import environment
from tests.github_stand_in import REPOSITORY, TOKEN, GitHub, bare_repository, git, on_branch, serving

BRANCH = "servermatrix-history"
NOBODY = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return bare_repository(tmp_path / "server")


@pytest.fixture
def github(tmp_path: Path, repository: Path) -> Iterator[GitHub]:
    assert repository.exists()
    with serving() as found:
        found.repositories = tmp_path / "server"
        yield found


def remote(repository: Path, branch: str = BRANCH) -> Remote:
    return Remote(address=str(repository), branch=branch, server_url="", pause=lambda _: None)


def over_http(github: GitHub, token: str = TOKEN) -> Remote:
    server = github.address
    return Remote(address=f"{server}/{REPOSITORY}.git", branch=BRANCH, server_url=server, token=token, pause=lambda _: None)


def night(folder: Path, name: str, text: str = "{}") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(text)
    return file


def commits(repository: Path, branch: str = BRANCH) -> list[str]:
    return git("-C", str(repository), "log", "--format=%an %ae %s", branch).splitlines()


def test_the_first_push_makes_a_branch_that_has_nothing_in_common_with_the_code(repository: Path, tmp_path: Path) -> None:
    assert push(remote(repository), NOBODY, night(tmp_path / "h", "one"), "first") == f"pushed one.json to the branch {BRANCH}"
    assert on_branch(repository, BRANCH) == {"one.json": "{}"}
    assert git("-C", str(repository), "rev-list", "--max-parents=0", BRANCH) == git("-C", str(repository), "rev-parse", BRANCH)


def test_no_identity_needs_to_be_configured(repository: Path, tmp_path: Path) -> None:
    push(remote(repository), NOBODY, night(tmp_path / "h", "one"), "first")
    assert commits(repository)[0].startswith("github-actions[bot] 41898282+github-actions[bot]@users.noreply.github.com")


def test_later_nights_go_on_top_and_leave_all_else_as_it_is(repository: Path, tmp_path: Path) -> None:
    push(remote(repository), NOBODY, night(tmp_path / "h", "one", "1"), "first")
    push(remote(repository), NOBODY, night(tmp_path / "h", "two", "2"), "second")
    assert on_branch(repository, BRANCH) == {"one.json": "1", "two.json": "2"}
    assert len(commits(repository)) == 2


def test_the_same_night_again_makes_no_commit(repository: Path, tmp_path: Path) -> None:
    file = night(tmp_path / "h", "one")
    push(remote(repository), NOBODY, file, "first")
    assert push(remote(repository), NOBODY, file, "again") == f"one.json is on the branch {BRANCH}"
    assert len(commits(repository)) == 1


def test_another_night_of_that_name_is_never_overwritten(repository: Path, tmp_path: Path) -> None:
    push(remote(repository), NOBODY, night(tmp_path / "h", "one", "1"), "first")
    with pytest.raises(NotPublished, match=r"another one\.json is there, and nothing in a history is overwritten"):
        push(remote(repository), NOBODY, night(tmp_path / "other", "one", "2"), "second")
    assert on_branch(repository, BRANCH) == {"one.json": "1"}


@pytest.mark.parametrize("begun", [False, True])
def test_two_jobs_that_push_at_once_both_get_there(repository: Path, tmp_path: Path, begun: bool) -> None:  # noqa: FBT001
    if begun:
        push(remote(repository), NOBODY, night(tmp_path / "h", "before"), "before")
    files = [night(tmp_path / "h", name) for name in ("one", "two", "three")]
    said: list[str] = []
    gate = threading.Barrier(len(files))

    def job(file: Path) -> None:
        gate.wait()
        said.append(push(remote(repository), NOBODY, file, file.stem))

    threads = [threading.Thread(target=job, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 3
    assert set(on_branch(repository, BRANCH)) >= {"one.json", "two.json", "three.json"}
    assert len(commits(repository)) == 3 + begun


def hook(repository: Path, script: str) -> None:
    file = repository / "hooks" / "pre-receive"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_a_push_onto_a_branch_that_moved_meanwhile_is_done_again_on_top(repository: Path, tmp_path: Path) -> None:
    push(remote(repository), NOBODY, night(tmp_path / "h", "one"), "first")
    # While the first attempt is being received somebody else's commit arrives; it is made from what is there.
    other = f'git commit-tree "$(git rev-parse {BRANCH}^{{tree}})" -p {BRANCH} -m other'
    who = "GIT_AUTHOR_NAME=o GIT_AUTHOR_EMAIL=o GIT_COMMITTER_NAME=o GIT_COMMITTER_EMAIL=o"
    hook(
        repository,
        f"unset GIT_QUARANTINE_PATH; test -e done && exit 0; touch done; git update-ref refs/heads/{BRANCH} $({who} {other})",
    )
    assert push(remote(repository), NOBODY, night(tmp_path / "h", "two"), "second").startswith("pushed two.json")
    assert [line.split()[-1] for line in commits(repository)] == ["second", "other", "first"]


def test_a_branch_that_was_written_anew_is_taken_as_it_is(repository: Path, tmp_path: Path) -> None:
    push(remote(repository), NOBODY, night(tmp_path / "h", "one"), "first")
    push(remote(repository, "elsewhere"), NOBODY, night(tmp_path / "h", "zero"), "anew")
    git("-C", str(repository), "update-ref", f"refs/heads/{BRANCH}", "elsewhere")
    push(remote(repository), NOBODY, night(tmp_path / "h", "two"), "second")
    assert set(on_branch(repository, BRANCH)) == {"zero.json", "two.json"}


def test_a_refused_push_is_tried_a_few_times_and_told_with_the_reason(repository: Path, tmp_path: Path) -> None:
    hook(repository, "echo x >> tried; echo 'protected branch' >&2; exit 1")
    with pytest.raises(NotPublished, match=rf"^the history was not pushed to the branch {BRANCH}: .*pre-receive hook declined"):
        push(remote(repository), NOBODY, night(tmp_path / "h", "one"), "first")
    assert len((repository / "tried").read_text().splitlines()) == 3


def test_a_repository_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match=r"git ls-remote failed: fatal: .*nowhere"):
        push(remote(tmp_path / "nowhere"), NOBODY, night(tmp_path / "h", "one"), "first")


def test_a_machine_without_git_is_a_sentence(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotPublished, match="git is not installed"):
        push(remote(repository), {**NOBODY, "PATH": str(tmp_path)}, night(tmp_path / "h", "one"), "first")


@pytest.mark.parametrize("branch", ["", "-d", "a..b", "a b", "x.lock", "/x", "x/", "a:b", "a\nb", "refs/heads/+x"])
def test_what_is_no_name_of_a_branch_is_refused_before_git_sees_it(tmp_path: Path, branch: str) -> None:
    with pytest.raises(NotPublished, match="cannot be the name of a branch"):
        remote(tmp_path, branch)


def test_earlier_nights_are_brought_without_touching_what_is_there(repository: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        push(remote(repository), NOBODY, night(tmp_path / "h", name, name), name)
    here = tmp_path / "here"
    night(here, "two", "mine")
    assert bring(remote(repository), NOBODY, here) == 1
    assert {file.name: file.read_text() for file in here.iterdir()} == {"one.json": "one", "two.json": "mine"}


def test_there_is_nothing_to_bring_before_the_first_push(repository: Path, tmp_path: Path) -> None:
    assert bring(remote(repository), NOBODY, tmp_path / "here") == 0
    assert not (tmp_path / "here").exists()


def test_a_link_that_somebody_committed_is_not_followed(repository: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    work = tmp_path / "work"
    git("init", "--quiet", str(work))
    (work / "night.json").symlink_to(secret)
    who = ("-c", "user.name=o", "-c", "user.email=o")
    git("-C", str(work), "add", ".")
    git("-C", str(work), *who, "commit", "--quiet", "-m", "link")
    git("-C", str(work), "push", "--quiet", str(repository), f"HEAD:refs/heads/{BRANCH}")
    assert bring(remote(repository), NOBODY, tmp_path / "here") == 0


def test_over_http_the_token_opens_the_door(github: GitHub, repository: Path, tmp_path: Path) -> None:
    push(over_http(github), NOBODY, night(tmp_path / "h", "one", "1"), "first")
    push(over_http(github), NOBODY, night(tmp_path / "h", "two", "2"), "second")
    assert on_branch(repository, BRANCH) == {"one.json": "1", "two.json": "2"}
    assert bring(over_http(github), NOBODY, tmp_path / "here") == 2


@pytest.mark.parametrize("token", ["", "wrong"])
def test_over_http_without_the_right_token_nobody_is_asked_for_a_password(github: GitHub, tmp_path: Path, token: str) -> None:
    with pytest.raises(NotPublished, match=r"fatal: .*(Authentication failed|could not read)") as failure:
        push(over_http(github, token), NOBODY, night(tmp_path / "h", "one"), "first")
    assert basic("wrong") not in str(failure.value)


def test_a_header_that_is_configured_for_the_same_server_is_not_sent_besides(
    github: GitHub, repository: Path, tmp_path: Path
) -> None:
    (tmp_path / ".gitconfig").write_text(f'[http "{github.address}/"]\n\textraheader = AUTHORIZATION: basic stale\n')
    push(over_http(github), {**NOBODY, "HOME": str(tmp_path)}, night(tmp_path / "h", "one"), "first")
    assert "one.json" in on_branch(repository, BRANCH)


def test_the_token_is_in_no_argument_and_no_file(github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, wrapper, real = tmp_path / "seen", tmp_path / "bin" / "git", git("--exec-path")
    wrapper.parent.mkdir()
    look = f'printf "%s\\n" "$*" >> {seen}; case "$PWD" in *servermatrix-history-*) grep -r . . >> {seen};; esac'
    wrapper.write_text(f'#!/bin/sh\n{real}/git "$@"; code=$?\n{look}\nexit $code\n')
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    push(over_http(github), {**NOBODY, "PATH": path, "GITHUB_TOKEN": TOKEN}, night(tmp_path / "h", "one"), "first")
    text = seen.read_text(errors="replace")
    assert "push --quiet" in text
    assert "./config:" in text
    assert TOKEN not in text
    assert basic(TOKEN) not in text
    assert TOKEN not in repr(over_http(github))


def test_git_works_elsewhere_than_where_we_stand(tmp_path: Path) -> None:
    around = {
        "GIT_DIR": "/x",
        "GIT_INDEX_FILE": "/y",
        "GIT_TRACE_CURL": "1",
        "GIT_CONFIG_COUNT": "1",
        "GITHUB_TOKEN": TOKEN,
        "LANG": "de",
    }
    found = environment(around, tmp_path, "https://github.example", TOKEN)
    assert not {"GIT_DIR", "GIT_TRACE_CURL", "GITHUB_TOKEN"} & set(found)
    assert found["GIT_INDEX_FILE"].startswith(str(tmp_path))
    assert found["LC_ALL"] == "C"
    assert found["GIT_CONFIG_KEY_3"] == "http.https://github.example/.extraheader"
    assert TOKEN not in " ".join(found.values())


def test_a_token_is_not_given_to_a_server_that_is_not_encrypted(tmp_path: Path) -> None:
    assert basic(TOKEN) not in " ".join(environment({}, tmp_path, "http://github.example", TOKEN).values())
