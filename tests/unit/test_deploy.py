"""What is to be deployed: that it is what was measured, and that each file reads it in its own way."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace

import pytest
from ruamel.yaml import YAML

from servermatrix.model import App, Cell, Deployed, Host, Load, Noise, PlannedCell, Proof, RunHeader
from servermatrix.render.deploy import deployed
from servermatrix.render.deploy_systemd import exec_line

LOAD = Load(generator="wrk", connections=64, threads=1, duration_s=2, warmup_s=1, windows=2)
APP = App(name="shop", target="shop.main:app", folder="/srv/somebody/shop")
SECRETS = (("DATABASE_URL", "postgres://me:hidden@db"), ("TOKEN", ""))
HEADER = RunHeader(
    id="r",
    started_at="2026-01-01T00:00:00Z",
    argv=(),
    seed=1,
    rounds=3,
    noise=Noise(),
    generators=(),
    host=Host(system="Linux", cpu="any", cores=4, memory_bytes=2**33, python="3.12.4"),
    versions=(("uvicorn", "0.54.0"),),
    git="",
    cells=(),
    excluded=(),
    apps=(APP,),
)
PROOF = Proof(
    key="k",
    loop="uvloop.Loop",
    http="h",
    http_version="1.1",
    workers=2,
    python="3.11.7",
    versions=(("httptools", "0.9.0"), ("uvicorn", "0.54.0"), ("uvloop", "0.23.0")),
)


def cell(server: str = "uvicorn", protocol: str = "h1") -> Cell:
    return Cell(server=server, options=(), label="", protocol=protocol, workers=2, app="shop", load=LOAD)


def planned(*argv: str, of: Cell | None = None) -> PlannedCell:
    words = ("/srv/somebody/.venv/bin/python", "-m", "uvicorn", "shop.main:app", *argv)
    return PlannedCell(cell=of or cell(), argv=words, load_argv=())


PLAIN = planned("--host", "127.0.0.1", "--port", "8000", "--workers", "2")
CONF = ("gunicorn.conf.py", 'bind = "127.0.0.1:8000"\nworkers = 2\n')
CONF_ARGV = ("/x/python", "-m", "gunicorn", "--config", "gunicorn.conf.py", "shop.main:app")
OF_GUNICORN = PlannedCell(
    cell=cell("gunicorn"),
    argv=("/x/python", "-m", "gunicorn", "shop.main:app", "--bind", "127.0.0.1:8000"),
    load_argv=(),
    settings=(CONF,),
    settings_argv=CONF_ARGV,
)


def texts(found: Deployed) -> dict[str, str]:
    return {name: text for name, text, _ in found.files}


def comments(found: Deployed) -> dict[str, str]:
    return {name: comment for name, _, comment in found.files}


def exec_start(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("ExecStart=")).removeprefix("ExecStart=")


def cmd(text: str) -> list[str]:
    found: list[str] = json.loads(next(line for line in text.splitlines() if line.startswith("CMD ")).removeprefix("CMD "))
    return found


def test_the_command_is_that_which_was_measured_but_for_host_and_interpreter() -> None:
    found = deployed(HEADER, PLAIN)
    assert found.cell_id == PLAIN.cell.id
    assert found.argv == ("python", "-m", "uvicorn", "shop.main:app", "--host", "0.0.0.0", "--port", "8000", "--workers", "2")  # noqa: S104


@pytest.mark.parametrize("word", ["127.0.0.1:8000", "tcp:8000:interface=127.0.0.1:backlog=2048"])
def test_the_host_is_replaced_wherever_it_stands_in_a_word(word: str) -> None:
    assert word.replace("127.0.0.1", "0.0.0.0") in deployed(HEADER, planned(word)).argv  # noqa: S104


def test_every_file_starts_the_same_command() -> None:
    found = deployed(HEADER, PLAIN)
    files = texts(found)
    assert shlex.split(exec_start(files["app.service"])) == ["/usr/bin/env", *found.argv]
    assert cmd(files["Dockerfile"]) == list(found.argv)
    assert YAML(typ="safe").load(files["compose.yaml"])["services"]["app"]["command"] == list(found.argv)


def test_each_file_says_how_it_is_used_in_one_line() -> None:
    for comment in comments(deployed(HEADER, OF_GUNICORN)).values():
        assert len(comment.split()) > 5
        assert "\n" not in comment
        assert comment.endswith(".")


def test_neither_folders_nor_the_interpreter_of_the_machine_are_told() -> None:
    found = deployed(HEADER, PLAIN)
    assert "/srv/somebody" not in json.dumps([found.argv, found.files])


def test_settings_beside_a_command_that_does_without_them_are_another_way() -> None:
    found = deployed(HEADER, OF_GUNICORN)
    assert found.argv[3:] == ("shop.main:app", "--bind", "0.0.0.0:8000")
    assert texts(found)["gunicorn.conf.py"] == 'bind = "0.0.0.0:8000"\nworkers = 2\n'
    assert "python -m gunicorn --config gunicorn.conf.py shop.main:app starts the same" in comments(found)["gunicorn.conf.py"]


@pytest.mark.parametrize("word", ["cell_worker.CellWorker", "python:cell_config", "./cell_logging.json"])
def test_a_command_that_names_a_file_of_the_measured_start_makes_place_for_one_that_does_not(word: str) -> None:
    found = deployed(HEADER, replace(OF_GUNICORN, argv=(*OF_GUNICORN.argv, word)))
    assert found.argv == ("python", *CONF_ARGV[1:])
    assert "The command needs it" in comments(found)["gunicorn.conf.py"]
    assert cmd(texts(found)["Dockerfile"]) == list(found.argv)


def test_environment_variables_are_told_by_their_names_alone() -> None:
    found = deployed(replace(HEADER, apps=(replace(APP, env=SECRETS),)), PLAIN)
    assert found.env == ("DATABASE_URL", "TOKEN")
    assert "hidden" not in json.dumps([found.argv, found.env, found.files])
    files = texts(found)
    assert YAML(typ="safe").load(files["compose.yaml"])["services"]["app"]["environment"] == ["DATABASE_URL", "TOKEN"]
    assert "\nEnvironmentFile=/etc/app.env\n" in files["app.service"]
    assert "DATABASE_URL and TOKEN" in comments(found)["app.service"]
    assert "--env DATABASE_URL --env TOKEN" in comments(found)["Dockerfile"]


def test_without_variables_no_file_speaks_of_any() -> None:
    files = texts(deployed(HEADER, PLAIN))
    assert "EnvironmentFile" not in files["app.service"]
    assert "environment" not in files["compose.yaml"]


def test_the_image_has_the_python_and_the_packages_that_were_proven() -> None:
    text = texts(deployed(HEADER, PLAIN, proof=PROOF))["Dockerfile"]
    assert text.startswith("FROM python:3.11-slim\n")
    assert "pip install --no-cache-dir httptools==0.9.0 uvicorn==0.54.0 uvloop==0.23.0\n" in text


@pytest.mark.parametrize(
    ("server", "options", "said"),
    [
        ("uvicorn", {}, "uvicorn==0.54.0"),
        ("uvicorn", {"loop": "uvloop"}, "uvicorn==0.54.0 uvloop==0.23.0"),
        ("granian", {"loop": "rloop"}, "granian"),
    ],
)
def test_without_a_proof_the_image_has_what_is_known_of_the_server_and_its_options(
    server: str, options: dict[str, str], said: str
) -> None:
    header = replace(HEADER, versions=(("uvicorn", "0.54.0"), ("uvloop", "0.23.0"), ("servermatrix", "1")))
    one = planned(of=replace(cell(server), options=tuple(options.items())))
    text = texts(deployed(header, one))["Dockerfile"]
    assert text.startswith("FROM python:3.12-slim\n")
    assert f"pip install --no-cache-dir {said}\n" in text


def test_without_a_proof_what_the_settings_import_is_in_the_image() -> None:
    header = replace(HEADER, versions=(("gunicorn", "27.0.1"), ("uvicorn-worker", "0.4.0"), ("h2", "4")))
    one = replace(OF_GUNICORN, settings=(("gunicorn.conf.py", "from uvicorn_worker import UvicornWorker\n"),))
    assert "gunicorn==27.0.1 uvicorn-worker==0.4.0\n" in texts(deployed(header, one))["Dockerfile"]


def test_key_and_certificate_are_mounted_and_told_where_they_are_needed_and_only_there() -> None:
    encrypted = deployed(HEADER, planned("--ssl-keyfile", "./key.pem", of=cell(protocol="h2")))
    volumes = YAML(typ="safe").load(texts(encrypted)["compose.yaml"])["services"]["app"]["volumes"]
    assert volumes == ["./certificate.pem:/app/certificate.pem:ro", "./key.pem:/app/key.pem:ro"]
    assert "key.pem" in comments(encrypted)["app.service"]
    assert "key.pem" not in json.dumps(deployed(HEADER, PLAIN).files)


ODD = ("a b", 'quote"d', "back\\slash", "50%", "$HOME", "it's", "shop.main:app()", "tab\tbed", "two\nlines", "ü")


def test_words_that_mean_something_to_a_file_come_back_as_they_were() -> None:
    found = deployed(HEADER, planned(*ODD))
    files = texts(found)
    assert tuple(cmd(files["Dockerfile"])) == found.argv
    command = YAML(typ="safe").load(files["compose.yaml"])["services"]["app"]["command"]
    assert tuple(word.replace("$$", "$") for word in command) == found.argv
    assert "$$HOME" in command
    assert tuple(as_systemd_reads(exec_start(files["app.service"])))[1:] == found.argv


def as_systemd_reads(line: str) -> list[str]:
    """Take a line apart by the rules that apply here: double quotes, C escapes in them, $$ and %%."""

    def read(quoted: str) -> str:
        return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), quoted)

    words = [read(quoted) if quoted else bare for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line)]
    return [word.replace("$$", "$").replace("%%", "%") for word in words]


def test_a_dollar_and_a_percent_sign_are_never_systemds_to_expand() -> None:
    line = exec_line(("$HOME", "50%", "%n", "${X}"))
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", line)
    assert not re.search(r"(?<!%)(%%)*%(?!%)", line)


def test_a_description_stays_on_its_line() -> None:
    header = replace(HEADER, apps=(replace(APP, target="shop.main:app\nUser=root 100%"),))
    lines = texts(deployed(header, PLAIN))["app.service"].splitlines()
    assert "User=root 100%" not in lines
    assert next(line for line in lines if line.startswith("Description=")).endswith("100%% on uvicorn")
