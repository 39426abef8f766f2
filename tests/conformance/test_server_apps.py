"""How every server plug-in is told of a function that makes the app and of the lifespan, and what files it can be started by."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from servermatrix.contracts import Launch
from servermatrix.measure.process import scrubbed_environment
from servermatrix.plugins import builtin_root
from servermatrix.render.deploy import PASSING
from tests.combinations import Combination, combinations, everything

VALID = list(combinations())
ALL = list(everything())
every_combination = pytest.mark.parametrize("one", [pytest.param(one, id=str(one)) for one in VALID])


def first(name: str, protocol: str = "h1", **options: str) -> Combination:
    """Find the first combination that can run and has these options."""
    return next(one for one in VALID if (one.name, one.protocol) == (name, protocol) and set(options.items()) <= set(one.options))


def texts(one: Combination, launch: Launch) -> str:
    """Join every text by which a server learns its settings."""
    return "\n".join([*one.server.argv(launch), *one.server.files(launch).values()])


UVICORN, GRANIAN, HYPERCORN, DAPHNE = (first(name) for name in ("uvicorn", "granian", "hypercorn", "daphne"))
GUNICORN, GUNICORN_UVICORN = (first("gunicorn", worker=worker) for worker in ("asgi", "uvicorn"))
WSGI = first("gunicorn", interface="wsgi", worker="gthread")
ASGINL, RSGI = (first("granian", interface=interface) for interface in ("asginl", "rsgi"))


def refusal(one: Combination, *, lifespan: str = "auto", factory: bool = False) -> str:
    return one.server.objection(replace(one.launch(), lifespan=lifespan, factory=factory)) or ""


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (UVICORN, ["--factory"]),
        (GRANIAN, ["--factory"]),
        (GUNICORN, ["some.app:app()"]),
        (GUNICORN_UVICORN, ["some.app:app()"]),
        (WSGI, ["some.app:app()"]),
        (HYPERCORN, ["some.app:app()"]),
    ],
    ids=str,
)
def test_a_function_that_makes_the_app_is_called_by_those_that_can(one: Combination, words: list[str]) -> None:
    launch = one.launch()
    made = one.server.argv(replace(launch, factory=True))
    assert [word for word in made if word not in one.server.argv(launch)] == words
    assert not refusal(one, factory=True)


def test_daphne_is_refused_with_a_function_that_makes_the_app() -> None:
    assert "answers 500" in refusal(DAPHNE, factory=True)
    assert not refusal(DAPHNE)


@pytest.mark.parametrize("lifespan", ["on", "off"])
@pytest.mark.parametrize(
    ("one", "said"),
    [
        (UVICORN, "--lifespan\n{}"),
        (GUNICORN, "--asgi-lifespan\n{}"),
        (GUNICORN_UVICORN, '"lifespan": "{}"'),
    ],
    ids=str,
)
def test_the_lifespan_is_turned_on_and_off_where_a_server_can_be_told(one: Combination, said: str, lifespan: str) -> None:
    assert said.format(lifespan) in texts(one, replace(one.launch(), lifespan=lifespan))
    assert "lifespan" not in texts(one, one.launch())
    assert not refusal(one, lifespan=lifespan)


def test_granian_leaves_the_lifespan_out_by_another_interface() -> None:
    off = GRANIAN.server.argv(replace(GRANIAN.launch(), lifespan="off"))
    assert off[off.index("--interface") + 1] == "asginl"
    assert GRANIAN.server.argv(replace(GRANIAN.launch(), lifespan="on")) == GRANIAN.server.argv(GRANIAN.launch())
    assert "rsgi" in RSGI.server.argv(replace(RSGI.launch(), lifespan="off"))


@pytest.mark.parametrize("one", [DAPHNE, WSGI, ASGINL, RSGI], ids=str)
def test_what_has_no_lifespan_is_refused_where_there_is_to_be_one(one: Combination) -> None:
    assert "lifespan" in refusal(one, lifespan="on")
    assert not refusal(one, lifespan="off")
    assert not refusal(one)


@pytest.mark.parametrize(
    ("one", "lifespan", "said"),
    [
        (HYPERCORN, "off", "cannot be turned off"),
        (HYPERCORN, "on", "serves on when the app fails in its lifespan"),
        (GRANIAN, "on", "serves on when the app fails in its lifespan"),
        (DAPHNE, "auto", "never runs the lifespan"),
        (ASGINL, "auto", "leaves out the lifespan"),
    ],
    ids=str,
)
def test_a_lifespan_that_is_not_as_on_the_others_is_told(one: Combination, lifespan: str, said: str) -> None:
    assert said in " ".join(one.server.unequal(replace(one.launch(), lifespan=lifespan)))


@pytest.mark.parametrize(
    ("one", "lifespan"),
    [(HYPERCORN, "auto"), (GRANIAN, "off"), (GRANIAN, "auto"), (DAPHNE, "off"), (ASGINL, "off"), (UVICORN, "on")],
    ids=str,
)
def test_a_lifespan_that_is_as_asked_for_is_not_told(one: Combination, lifespan: str) -> None:
    assert "lifespan" not in " ".join(one.server.unequal(replace(one.launch(), lifespan=lifespan)))


@pytest.mark.parametrize("lifespan", ["auto", "on", "off"])
@pytest.mark.parametrize("one", [pytest.param(one, id=str(one)) for one in ALL])
def test_what_is_said_of_the_lifespan_is_one_sentence_each(one: Combination, lifespan: str) -> None:
    launch = replace(one.launch(), lifespan=lifespan, factory=True)
    for said in (*one.server.unequal(launch), *filter(None, [one.server.objection(launch)])):
        assert len(said.split()) > 3
        assert said == said.strip().rstrip(".")


@every_combination
def test_a_server_that_needs_files_can_be_started_by_files_that_are_there_to_stay(one: Combination) -> None:
    for asked in (one, one.logging()):
        launch = asked.launch(folder=".")
        files, settings = one.server.files(launch), one.server.settings(launch)
        assert all(name.startswith(PASSING) for name in files), "render.deploy knows them by this"
        assert bool(settings) == bool(one.server.settings_argv(launch))
        assert settings or not files
        assert all(PurePosixPath(name).name == name for name in settings)


@every_combination
def test_a_server_needs_no_environment_variables_which_no_file_for_its_deployment_would_set(one: Combination) -> None:
    assert one.server.env(one.launch()) == {}


@every_combination
def test_the_command_with_files_is_that_without_but_for_the_options(one: Combination) -> None:
    launch = replace(one.launch(folder="."), factory=True)
    with_files = list(one.server.settings_argv(launch))
    if with_files:
        assert with_files[:3] == one.server.argv(launch)[:3]
        assert launch.called in with_files
        named = [name.removesuffix(".py") for name in one.server.settings(launch)]
        assert any(name in word for word in with_files for name in named)


@every_combination
def test_what_stands_in_the_folder_of_a_start_is_named_from_there(one: Combination) -> None:
    launch = one.launch(folder=".")
    for text in (*one.server.settings_argv(launch), *one.server.settings(launch).values()):
        assert one.launch().folder not in text
    if one.server.settings_argv(launch):
        said = "\n".join([*one.server.settings_argv(launch), *one.server.settings(launch).values()])
        assert (launch.certificate in said) == (launch.key in said) == launch.encrypted


TORNADO = first("gunicorn", interface="wsgi", worker="tornado").logging()
GUNICORNS = [GUNICORN, GUNICORN_UVICORN, WSGI, TORNADO, first("gunicorn", "h2c", worker="asgi"), first("gunicorn", "h2")]


@pytest.mark.parametrize("one", GUNICORNS, ids=str)
def test_gunicorn_reads_from_the_file_what_it_reads_from_the_options(one: Combination, tmp_path: Path) -> None:
    launch = replace(one.launch(workers=3, folder="."), target="plaintext:app", lifespan="off")
    for name, text in (*one.server.files(launch).items(), *one.server.settings(launch).items()):
        (tmp_path / name).write_text(text)
    for name in (launch.certificate, launch.key):
        (tmp_path / name).touch()
    by_options, by_file = (resolved(argv, tmp_path) for argv in (one.server.argv(launch), one.server.settings_argv(launch)))
    assert by_options["workers"] == "3"
    class_named, class_itself = by_options.pop("worker_class"), by_file.pop("worker_class")
    assert class_named.rpartition(".")[2] in class_itself
    assert by_options == by_file


def resolved(argv: list[str] | tuple[str, ...], folder: Path) -> dict[str, str]:
    """Ask gunicorn what its settings are, apart from where it looks for them."""
    words = [sys.executable if word == "/venv/bin/python" else word for word in argv]
    if "--config" not in words:
        words[3:3] = ["--config", "/dev/null"]
    environment = scrubbed_environment({"PYTHONPATH": str(builtin_root() / "apps")})
    done = subprocess.run(
        [*words, "--print-config"], cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    pairs = [line.partition("=") for line in done.stdout.splitlines() if " = " in line]
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip() not in {"config", "pythonpath"}}
