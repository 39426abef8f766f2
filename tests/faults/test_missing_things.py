"""What a run needs and does not get: a load generator, a certificate, an environment; what can run without it is measured."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.measure.bench import Bench, wanted
from servermatrix.measure.tools import Tool
from servermatrix.model import Failed, Proof
from tests.conftest import ROOT, RunCli
from tests.faults.real_servers import cell, first, real
from tests.installers import with_uv

pytestmark = pytest.mark.servers

MATRIX = """
servers: {%(servers)s}
axes: {protocol: [%(protocols)s], connections: 8%(axes)s}
load: {duration: 1s, warmup: 0s, windows: 1%(load)s}
rounds: %(rounds)s
noise: {foreign_cpu: 1.0, steal: 1.0}
"""


def matrix(folder: Path, servers: str, protocols: str, *, axes: str = "", load: str = "", rounds: int = 1) -> None:
    """Write a matrix for a run in this folder."""
    words = {"servers": servers, "protocols": protocols, "axes": axes, "load": load, "rounds": rounds}
    (folder / "matrix.yaml").write_text(MATRIX % words)


def cells_of(stdout: str) -> dict[str, dict[str, object]]:
    return {str(found["id"]): found for found in json.loads(stdout)["cells"]}


@pytest.fixture
def without_h2load(wrk: Tool, tmp_path: Path) -> dict[str, str]:
    """An environment with wrk and without h2load, in which nothing can be fetched."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "wrk").symlink_to(wrk.path)
    (tmp_path / "tools").mkdir()
    return {"PATH": str(programs), "SERVERMATRIX_TOOLS": str(tmp_path / "tools"), **dict(wrk.env)}


def test_without_h2load_the_cells_in_http_2_are_skipped_and_those_in_http_1_measured(
    run_cli: RunCli, tmp_path: Path, without_h2load: dict[str, str]
) -> None:
    matrix(tmp_path, "granian: {}", "h1, h1s, h2c, h2", rounds=2)
    done = run_cli("run", "--json", env=without_h2load)
    assert done.returncode == 0, done.stderr
    assert "h2load missing" in done.stderr
    assert "install" in done.stderr
    cells = cells_of(done.stdout)
    assert len(cells) == 4
    for found in cells.values():
        if found["protocol"] in {"h1", "h1s"}:
            assert (found["status"], found["rounds_ok"]) == ("measured", 2)
            assert found["rps"]
        else:
            assert (found["status"], found["rps"], found["rank"]) == ("skipped", None, None)
            assert str(found["reason"]).startswith("h2load missing")
    (folder,) = (path for path in (tmp_path / "reports").iterdir() if path.is_dir())
    proofs = [line for line in (folder / "run.jsonl").read_text().splitlines() if '"kind":"proof"' in line]
    assert len(proofs) == 2, "nothing is started that cannot be driven"
    assert "h2load missing" in (folder / "report.md").read_text()


@pytest.mark.parametrize("command", [("run",), ("run", "--load", "h2load"), ("run", "-k", "*/h2c/*")])
def test_when_nothing_remains_without_h2load_it_is_exit_code_3_with_what_to_type(
    run_cli: RunCli, tmp_path: Path, without_h2load: dict[str, str], command: tuple[str, ...]
) -> None:
    matrix(tmp_path, "granian: {}", "h1, h2c" if len(command) > 1 else "h2c, h2")
    done = run_cli(*command, env=without_h2load)
    assert done.returncode == 3
    assert "h2load missing" in done.stderr
    assert "install nghttp2" in done.stderr
    assert done.stdout == ""
    assert not list((tmp_path / "reports").glob("*/run.jsonl"))


def test_a_generator_named_in_the_matrix_is_not_replaced_when_it_is_missing(
    run_cli: RunCli, tmp_path: Path, without_h2load: dict[str, str]
) -> None:
    matrix(tmp_path, "granian: {}", "h1", load=", generator: h2load")
    done = run_cli("run", env=without_h2load)
    assert done.returncode == 3
    assert "h2load missing" in done.stderr


def test_what_starts_can_be_verified_without_any_generator(
    run_cli: RunCli, tmp_path: Path, without_h2load: dict[str, str]
) -> None:
    matrix(tmp_path, "granian: {}", "h2c")
    (tmp_path / "bin" / "wrk").unlink()
    done = run_cli("verify", "-s", "workers=1", env=without_h2load)
    assert done.returncode == 0, done.stdout + done.stderr


CLUMSY = '''
"""A server that leaves no room for its certificate."""

import os

from servermatrix.contracts import Launch, Server


def files(launch: Launch) -> dict[str, str]:
    """Put a folder where the key is to be."""
    os.mkdir(launch.key)
    return {}


SERVER = Server(requires=(), options={}, protocols=("h1", "h1s"), argv=lambda _: ["true"], proof=lambda _: {}, files=files)
'''


def test_a_certificate_that_cannot_be_written_is_exit_code_3_and_the_others_are_measured(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "runners" / "servers").mkdir(parents=True)
    (tmp_path / "runners" / "servers" / "clumsy.py").write_text(CLUMSY)
    matrix(tmp_path, "clumsy: {}, granian: {}", "h1s")
    done = run_cli("run", "--runners", "runners", "--json", "-q")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    cells = {found["server"]: found for found in cells_of(done.stdout).values()}
    assert cells["granian"]["status"] == "measured"
    assert (cells["clumsy"]["status"], cells["clumsy"]["rps"]) == ("failed", None)
    assert "the certificate could not be written: " in str(cells["clumsy"]["reason"])
    assert "key.pem" in str(cells["clumsy"]["reason"])


def own_tools(wrk: Tool, folder: Path) -> dict[str, str]:
    """An environment that keeps what is made in a folder of the test."""
    return {"SERVERMATRIX_TOOLS": str(folder / "tools"), **dict(wrk.env)}


def test_a_requirement_set_that_cannot_be_had_fails_its_cells_with_the_installers_words_and_the_others_are_measured(
    run_cli: RunCli, tmp_path: Path, wrk: Tool
) -> None:
    matrix(tmp_path, "granian: {}", "h1", axes=", requires: [default, granian==0.0.99]", rounds=2)
    done = run_cli("run", "--json", env=own_tools(wrk, tmp_path))
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    cells = {cell_id.partition("/")[0]: found for cell_id, found in cells_of(done.stdout).items()}
    assert cells["granian[loop=uvloop]"]["status"] == "measured"
    failed = cells["granian[loop=uvloop]+granian==0.0.99"]
    assert (failed["status"], failed["rps"], failed["rounds_failed"]) == ("failed", None, 2)
    reason = str(failed["reason"])
    assert reason.startswith("granian==0.0.99 on Python ")
    assert " cannot be installed: " in reason
    assert "granian==0.0.99" in reason.partition(" cannot be installed: ")[2], "the installer's own words"
    assert "\n" not in reason


PINNED = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("gunicorn=="))


@pytest.mark.parametrize("asked", ["gunicorn[fast]", f"gunicorn[fast]{PINNED.removeprefix('gunicorn')}"])
def test_a_pinned_package_that_an_installer_replaced_fails_its_cells_and_the_others_are_measured(
    run_cli: RunCli, tmp_path: Path, wrk: Tool, asked: str
) -> None:
    _, environ = with_uv(tmp_path)
    (tmp_path / "bin" / "wrk").symlink_to(wrk.path)
    matrix(tmp_path, "granian: {}, gunicorn: {}", "h1", axes=f', requires: [default, "{asked}"]')
    with (tmp_path / "matrix.yaml").open("a") as file:
        file.write(f'exclude: [{{server: granian, requires: "{asked}"}}]\n')
    environ = {**own_tools(wrk, tmp_path), **environ, "INSTEAD": "25.1.0"}  # whatever was asked for
    done = run_cli("run", "--json", env={name: text for name, text in environ.items() if name != "TMPDIR"})
    assert done.returncode == 4, done.stderr
    cells = cells_of(done.stdout)
    (failed,) = (found for cell_id, found in cells.items() if "gunicorn[fast]" in cell_id)
    assert (failed["status"], failed["rps"]) == ("failed", None)
    wanted_version = PINNED.partition("==")[2]
    assert f"gunicorn is 25.1.0 in the new environment, but {wanted_version} was asked for" in str(failed["reason"])
    assert [found["status"] for found in cells.values() if found is not failed] == ["measured", "measured"]


def test_a_version_that_differs_inside_the_server_fails_the_cell_before_it_is_measured(bench: Bench) -> None:
    wish = cell("uvicorn", http="h11", loop="asyncio")
    shipped = real(bench, wish)
    venue = replace(shipped.venue(wish), pins=("uvicorn==0.52.0",))
    sample = first(replace(shipped, venues={wanted(wish): venue}), wish)
    assert isinstance(sample, Failed)
    assert re.fullmatch(r"uvicorn is [\d.]+ inside the server, but 0\.52\.0 was asked for", sample.reason)
    right = replace(venue, pins=(f"uvicorn=={venue.versions['uvicorn']}", "h11"), constraints=("httptools==0.0.1",))
    assert isinstance(first(replace(shipped, venues={wanted(wish): right}), wish), Proof)
