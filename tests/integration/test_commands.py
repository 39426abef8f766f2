"""The command line from start to end through the fake generator: no server is started and no time taken."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, RunCli

StartCli = Callable[..., subprocess.Popen[str]]
MODEL = """\
seed: 1
noise: {kind: normal, sd: 0.03}
cells:
  "*": {rps: 20000, cpu_us: 40}
  "granian*": {rps: 30000}
  "hypercorn*": {rps: 10000, cpu_us: 90}
"""
ANSI = re.compile(r"\x1b\[")


@pytest.fixture
def fake(tmp_path: Path) -> tuple[str, ...]:
    """Write a model and return the words that choose it."""
    (tmp_path / "model.yaml").write_text(MODEL)
    return ("--load", "fake", "--fake", "model.yaml", "--seed", "7")


def failing(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "failing.yaml").write_text(MODEL + 'fail: {"hypercorn*": "it is Monday"}\n')
    return ("--load", "fake", "--fake", "failing.yaml", "--seed", "7")


def test_a_run_prints_tables_on_stdout_and_progress_on_stderr_without_escapes(
    run_cli: RunCli, fake: tuple[str, ...], tmp_path: Path
) -> None:
    done = run_cli("run", *fake)
    assert done.returncode == 0, done.stderr
    assert "granian[loop=uvloop]" in done.stdout
    assert "[99/99]" in done.stderr
    assert "[99/99]" not in done.stdout
    assert not ANSI.search(done.stdout + done.stderr)
    assert (tmp_path / "reports" / "latest.md").read_text().startswith("# servermatrix: ")


def test_run_is_the_default_command(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    assert run_cli(*fake, "-q", "--rounds", "1").returncode == 0


def test_eleven_rounds_of_the_quick_profile_rank_what_differs_and_tie_what_does_not(
    run_cli: RunCli, fake: tuple[str, ...]
) -> None:
    document = json.loads(run_cli("run", *fake, "-q", "--json").stdout)
    cells = {cell["id"].split("/")[0]: cell for cell in document["cells"]}
    assert cells["granian[loop=uvloop]"]["rank"] == [1, 2]
    assert cells["granian[loop=asyncio]"]["rank"] == [1, 2]
    assert cells["granian[loop=asyncio]"]["group"] == cells["granian[loop=uvloop]"]["group"]
    assert cells["hypercorn[loop=uvloop]"]["rank"] == [7, 8]
    assert cells["uvicorn[http=httptools,loop=uvloop]"]["rank"] == [3, 6]


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    def numbers(*words: str) -> list[object]:
        return [cell["rps"] for cell in json.loads(run_cli("run", *fake, *words, "-q", "--json").stdout)["cells"]]

    assert numbers() == numbers()
    assert numbers() != numbers("--seed", "8")


def test_json_is_one_document_with_the_promised_shape(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    document = json.loads(run_cli("run", *fake, "-q", "--json", "--rounds", "2").stdout)
    assert document["schema"] == 3
    assert {"id", "seed", "rounds", "complete", "host", "versions"} <= document["run"].keys()
    assert document["run"]["seed"] == 7
    for cell in document["cells"]:
        assert cell["status"] == "measured"
        assert cell["rps"].keys() >= {"value", "low", "high", "n"}
        assert cell["rps"]["n"] == cell["rounds_ok"] == 2
        assert isinstance(cell["argv"], list)
        assert "fewer" not in cell["flags"]


def test_a_failed_cell_gives_exit_code_4_its_reason_and_no_number(run_cli: RunCli, tmp_path: Path) -> None:
    done = run_cli("run", *failing(tmp_path), "-q", "--json")
    assert done.returncode == 4
    failed = [cell for cell in json.loads(done.stdout)["cells"] if cell["status"] == "failed"]
    assert {cell["server"] for cell in failed} == {"hypercorn"}
    assert all("it is Monday" in cell["reason"] and cell["rps"] is None for cell in failed)


def test_fail_fast_stops_at_the_first_failure_and_the_run_can_go_on(run_cli: RunCli, tmp_path: Path) -> None:
    done = run_cli("run", *failing(tmp_path), "-q", "-x", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["run"]["complete"] is False
    resumed = run_cli("run", "--resume", "latest", "-q", "--json")
    assert resumed.returncode == 4
    assert json.loads(resumed.stdout)["run"]["complete"] is True


def test_a_report_made_again_has_the_same_bytes(run_cli: RunCli, fake: tuple[str, ...], tmp_path: Path) -> None:
    assert run_cli("run", *fake, "-q").returncode == 0
    (folder,) = (path for path in (tmp_path / "reports").iterdir() if path.is_dir())
    before = {name: (folder / name).read_bytes() for name in ("report.md", "report.json")}
    for name in before:
        (folder / name).unlink()
    printed = run_cli("report", folder.name, "--markdown")
    assert printed.returncode == 0, printed.stderr
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert printed.stdout.encode() == before["report.md"]
    assert (tmp_path / "reports" / "latest.md").read_bytes() == before["report.md"]


def test_several_reports_are_one_document_that_lists_them_and_one_is_the_file(
    run_cli: RunCli, fake: tuple[str, ...], tmp_path: Path
) -> None:
    for seed in ("1", "2"):
        assert run_cli("run", *fake, "-q", "--rounds", "1", "--seed", seed).returncode == 0
    folders = sorted(path for path in (tmp_path / "reports").iterdir() if path.is_dir())
    both = run_cli("report", *(folder.name for folder in folders), "--json")
    assert both.returncode == 0, both.stderr
    assert json.loads(both.stdout) == [json.loads((folder / "report.json").read_text()) for folder in folders]
    one = run_cli("report", folders[0].name, "--json")
    assert one.stdout.encode() == (folders[0] / "report.json").read_bytes()


def test_the_line_printed_to_reproduce_a_row_makes_that_row_again(run_cli: RunCli, fake: tuple[str, ...], tmp_path: Path) -> None:
    assert run_cli("run", *fake, "-q", "-s", "workers=2", "--profile", "smoke", "-k", "granian*", "-k", "uv*").returncode == 0
    lines = (tmp_path / "reports" / "latest.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("python3 run_matrix.py") and "granian[loop=uvloop]" in line)
    (cell,) = json.loads(run_cli(*shlex.split(line)[2:], "-q", "--json").stdout)["cells"]
    before = json.loads((tmp_path / "reports" / "latest.json").read_text())
    assert cell["id"] == "granian[loop=uvloop]/h1/w2/c64/plaintext"
    assert cell["rps"] in [each["rps"] for each in before["cells"]]


def test_a_glob_that_matches_nothing_is_exit_code_5(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    done = run_cli("run", *fake, "-k", "waitress*")
    assert done.returncode == 5
    assert "waitress" in done.stderr


def test_a_pasted_id_selects_exactly_its_cell(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    wanted = "uvicorn[http=httptools,loop=uvloop]/h1/w1/c64/plaintext"
    document = json.loads(run_cli("run", *fake, "-q", "--json", "-k", wanted, "--rounds", "1").stdout)
    assert [cell["id"] for cell in document["cells"]] == [wanted]


def test_a_report_of_nothing_is_exit_code_5(run_cli: RunCli) -> None:
    assert run_cli("report", "latest").returncode == 5


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--nosuch"),
        ("run", "--duration", "500ms"),
        ("run", "--rounds", "0"),
        ("run", "-s", "loop"),
        ("run", "-s", "lop=uvloop"),
        ("run", "-s", "loop=rloop"),
        ("run", "-s", "protocol=h3"),
        ("run", "-s", "streams=0"),
        ("run", "-s", "requests_per_connection=few"),
        ("run", "-s", "python=python3"),
        ("run", "-s", "requires=uvicorn=0.52.0"),
        ("run", "--profile", "smok"),
        ("verify", "--nosuch"),
        ("verify", "-s", "workers=0"),
        ("run", "--load", "wrkk"),
        ("run", "--app", "noattribute"),
        ("run", "--app", "a:b", "--app-dir", "nowhere"),
        ("run", "--path", "/x"),
        ("run", "--resume", "latest", "--rounds", "3"),
        ("run", "--resume", "latest", "--pin", "off"),
        ("run", "--rounds", "3", "--budget", "20m"),
        ("plan", "-s", "rate=30"),
        ("plan", "-s", "rate=30%,100%"),
        ("run", "--threads", "0"),
        ("run", "--windows", "0"),
        ("plan", "--threads", "3", "--connections", "16"),
        ("run", "--matrix", "nosuch.yaml"),
        ("run", "--header", "broken"),
        ("run", "--app", "a:b", "--path", "/\u00fc"),
        ("run", "--app", "a:b", "--path", "x"),
        ("run", "--app", "a:b", "--path", "/a b"),
        ("run", "--app", "a:b", "--method", "GET /"),
        ("run", "--app", "a:b", "--header", "x: \u20ac"),
        ("run", "--app", "a:b", "--header", "x: \udcff"),
        ("run", "--app", "a:b", "--body", "\udcff"),
        ("report", "--nosuch"),
        ("nosuch",),
    ],
)
def test_what_cannot_be_asked_is_exit_code_2_with_one_sentence(run_cli: RunCli, words: tuple[str, ...]) -> None:
    done = run_cli(*words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "rror: " in done.stderr


def test_a_misspelt_matrix_names_every_mistake_with_its_place(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text("servers:\n  uvicron: {loop: [uvloop]}\n  granian: {loop: [uvlop]}\nround: 3\n")
    done = run_cli("plan")
    assert done.returncode == 2
    assert "matrix.yaml:2:3: " in done.stderr
    assert "matrix.yaml:3:" in done.stderr
    assert "matrix.yaml:4:1: " in done.stderr
    assert "did you mean 'uvicorn'" in done.stderr
    assert "^" in done.stderr


def test_connections_that_do_not_divide_by_threads_are_refused(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text("servers: {granian: {loop: uvloop}}\nload: {threads: 3}\naxes: {connections: 16}\n")
    done = run_cli("plan")
    assert done.returncode == 2
    assert "16" in done.stderr
    assert "3" in done.stderr


def test_threads_that_do_not_share_the_connections_evenly_are_refused_in_a_sentence(run_cli: RunCli) -> None:
    done = run_cli("plan", "--threads", "3", "--connections", "16")
    assert done.returncode == 2
    assert "16 connections cannot be shared evenly by 3 threads" in done.stderr


def test_threads_and_windows_of_the_command_line_are_those_of_every_cell(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    done = run_cli("run", *fake, "-q", "--json", "--threads", "2", "--windows", "5", "--rounds", "1")
    loads = [cell["load"] for cell in json.loads(done.stdout)["cells"]]
    assert {(load["threads"], load["windows"]) for load in loads} == {(2, 5)}


def test_plan_prints_each_cell_with_its_command_and_each_excluded_one_with_its_reason(run_cli: RunCli) -> None:
    done = run_cli("plan", "-s", "workers=2")
    assert done.returncode == 0
    assert "granian[loop=uvloop]/h1/w2/c64/plaintext\n" in done.stdout
    assert "--workers 2" in done.stdout
    assert "excluded by matrix.yaml" in done.stdout
    document = json.loads(run_cli("plan", "--json").stdout)
    assert len(document["cells"]) == 8
    assert all(cell["argv"] for cell in document["cells"])


PROTOCOLS = ["h1", "h1s", "h2c", "h2"]


def test_the_full_profile_lists_every_valid_combination_and_every_excluded_one_with_its_reason(run_cli: RunCli) -> None:
    document = json.loads(run_cli("plan", "--profile", "full", "--json", limit_s=30).stdout)
    valid = [cell["id"] for cell in document["cells"]]
    excluded = {item["id"]: item["reason"] for item in document["excluded"]}
    assert len(set(valid)) == len(valid) > 100
    assert not set(valid) & set(excluded)
    assert all(excluded.values())
    for server in ("uvicorn", "gunicorn", "hypercorn", "granian"):
        found = [cell_id for cell_id in valid if cell_id.startswith(server)]
        assert list(dict.fromkeys(re.findall(r"/(h1s?|h2c?)/w1/", " ".join(found)))) == PROTOCOLS
    assert excluded["daphne/h2c/w1/c64/plaintext"] == "daphne does not speak h2c"
    assert excluded["daphne/h1/w2/c64/plaintext"].startswith("daphne has no worker processes")
    assert not [cell_id for cell_id in valid if "parser=fast" in cell_id and "/h2" in cell_id]


def test_the_h2_profile_is_four_servers_over_four_protocols_with_as_many_requests_in_flight(run_cli: RunCli) -> None:
    document = json.loads(run_cli("plan", "--profile", "h2", "--json").stdout)
    settings = (
        "uvicorn[http=zttp,loop=uvloop]",
        "gunicorn[loop=uvloop,worker=asgi]",
        "hypercorn[loop=uvloop]",
        "granian[loop=uvloop]",
    )
    assert [cell["id"] for cell in document["cells"]] == [
        f"{setting}/{protocol}/w1/{'c64' if protocol in {'h1', 'h1s'} else 'c16m4'}/plaintext"
        for setting in settings
        for protocol in PROTOCOLS
    ]
    assert {Path(cell["load_argv"][0]).name for cell in document["cells"]} == {"h2load"}
    for cell in document["cells"]:
        assert cell["load_argv"][-1].startswith("https://" if "/h1s/" in cell["id"] or "/h2/" in cell["id"] else "http://")


def test_the_h2_profile_can_be_rehearsed_with_the_fake_generator(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    done = run_cli("run", "--profile", "h2", *fake, "-q", "--json", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert len(cells) == 16
    assert {cell["status"] for cell in cells} == {"measured"}


def test_environments_are_shown_where_they_will_be_and_not_made_by_a_plan(run_cli: RunCli, tmp_path: Path) -> None:
    words = ("-s", f"python=default,{sys.executable}", "-s", "requires=uvicorn==0.52.0,uvicorn==0.54.0", "-k", "uvicorn*uvloop*")
    done = run_cli("plan", "--json", *words, env={"SERVERMATRIX_TOOLS": str(tmp_path / "tools")})
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    own = f"@{sys.executable}"
    assert [cell["id"] for cell in cells] == [
        f"uvicorn[http=httptools,loop=uvloop]{python}+uvicorn=={version}/h1/w1/c64/plaintext"
        for python in ("", own)
        for version in ("0.52.0", "0.54.0")
    ]
    assert len({cell["argv"][0] for cell in cells}) == 2  # the wished interpreter is that of the run
    assert all(cell["argv"][0].startswith("tools/environments/") for cell in cells)
    assert not (tmp_path / "tools").exists()


def test_a_python_that_is_not_here_is_planned_and_shown_as_it_was_wished_for(run_cli: RunCli) -> None:
    done = run_cli("plan", "-s", "python=3.99", "-k", "granian*uvloop*")
    assert done.returncode == 0, done.stderr
    assert "granian[loop=uvloop]@3.99/h1/w1/c64/plaintext\n    3.99 -m granian " in done.stdout


def test_a_generator_excludes_the_protocols_that_it_does_not_speak(run_cli: RunCli) -> None:
    done = run_cli("plan", "--load", "wrk", "-s", "protocol=h1,h2c", "-k", "granian*uvloop*")
    assert done.returncode == 0, done.stderr
    assert "\nexcluded: granian[loop=uvloop]/h2c/w1/c64/plaintext: wrk does not speak h2c\n" in done.stdout
    assert "h2load" not in done.stdout


def test_new_connections_are_excluded_from_a_generator_that_keeps_its_own(run_cli: RunCli) -> None:
    done = run_cli("plan", "--load", "h2load", "-s", "requests_per_connection=0,50", "-k", "granian*uvloop*")
    assert done.returncode == 0, done.stderr
    reason = "h2load keeps its connections: it cannot open a new one per 50 requests"
    assert f"\nexcluded: granian[loop=uvloop]/h1/w1/c64n50/plaintext: {reason}\n" in done.stdout


def test_an_app_of_ones_own_is_excluded_from_servers_that_speak_wsgi(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("app = None\n")
    done = run_cli("plan", "--profile", "full", "--app", "shop:app", "-k", "gunicorn*interface=wsgi*worker=sync*/h1/*")
    assert done.returncode == 5
    assert "the app shop:app is not written for WSGI" in done.stderr


def test_init_writes_a_matrix_that_plans_and_does_not_write_over_it(run_cli: RunCli, tmp_path: Path) -> None:
    assert run_cli("init").returncode == 0
    assert (tmp_path / "matrix.yaml").read_text().startswith("# yaml-language-server")
    assert json.loads((tmp_path / "matrix.schema.json").read_text()) == json.loads(run_cli("schema").stdout)
    assert run_cli("plan").returncode == 0
    again = run_cli("init")
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_doctor_names_every_server_loop_and_generator(run_cli: RunCli) -> None:
    done = run_cli("doctor")
    assert done.returncode in {0, 3}  # a busy machine is told so
    words = ("uvicorn", "gunicorn", "hypercorn", "granian", "daphne", "uvloop", "httptools", "trio", "gevent")
    for word in (*words, "wrk", "h2load", "cores", "quiet"):
        assert word in done.stdout


@pytest.mark.parametrize("command", ["doctor", "run"])
def test_an_interpreter_that_is_not_there_is_exit_code_2(run_cli: RunCli, command: str) -> None:
    done = run_cli(command, "--python", "/nonexistent/python")
    assert done.returncode == 2
    assert "/nonexistent/python" in done.stderr


def test_an_interpreter_that_does_not_run_is_exit_code_3(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "python").chmod(0o755)
    done = run_cli("doctor", "--python", "./python")
    assert done.returncode == 3
    assert "does not run" in done.stderr


@pytest.mark.servers
def test_servers_run_with_an_interpreter_named_by_a_relative_path(run_cli: RunCli, tmp_path: Path) -> None:
    relative = os.path.relpath(sys.executable, tmp_path)
    done = run_cli("run", "--profile", "smoke", "-k", "granian*uvloop*", "-q", "--python", relative)
    assert done.returncode == 0, done.stdout


def test_a_budget_chooses_as_many_rounds_as_fit(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    document = json.loads(run_cli("run", *fake, "-q", "--json", "--budget", "2m").stdout)
    assert 1 <= document["run"]["rounds"] < 11
    refused = run_cli("run", *fake, "--budget", "1s")
    assert refused.returncode == 2


def test_a_model_that_is_missing_or_wrong_is_refused_in_one_sentence(run_cli: RunCli, tmp_path: Path) -> None:
    missing = run_cli("run", "--load", "fake", "--fake", "nosuch.yaml")
    assert missing.returncode == 2
    (tmp_path / "wrong.yaml").write_text("- 1\n")
    assert run_cli("run", "--load", "fake", "--fake", "wrong.yaml").returncode == 2
    (tmp_path / "odd.yaml").write_text("cells: {'*': {rps: many}}\n")
    odd = run_cli("run", "--load", "fake", "--fake", "odd.yaml", "-q")
    assert odd.returncode in {2, 4}
    assert "Traceback" not in odd.stderr


def test_a_closed_pipe_ends_quietly(run_cli: RunCli, fake: tuple[str, ...]) -> None:
    done = run_cli("run", *fake, "-q", "--rounds", "1")
    assert done.returncode == 0
    assert "BrokenPipe" not in done.stderr


def empty_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which no program is found or can be fetched."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    return {"PATH": str(tmp_path / "bin"), "SERVERMATRIX_TOOLS": str(tmp_path / "tools")}


def test_wrk_that_is_asked_for_but_cannot_be_had_is_exit_code_3_with_what_to_type(run_cli: RunCli, tmp_path: Path) -> None:
    done = run_cli("run", "--load", "wrk", env=empty_path(tmp_path))
    assert done.returncode == 3
    assert "wrk" in done.stderr
    assert "install wrk" in done.stderr
    assert not (tmp_path / "reports").exists()


def test_http_2_alone_without_h2load_is_exit_code_3_with_what_to_type(run_cli: RunCli, tmp_path: Path) -> None:
    done = run_cli("run", "-s", "protocol=h2c,h2", "-k", "granian*", env=empty_path(tmp_path))
    assert done.returncode == 3
    assert done.stderr.startswith("error: h2load missing: ")
    assert "nghttp2" in done.stderr
    assert not (tmp_path / "reports").exists()


@pytest.mark.servers
def test_without_h2load_its_cells_are_skipped_and_never_measured_in_another_way(run_cli: RunCli, tmp_path: Path) -> None:
    words = ("run", "--profile", "smoke", "-k", "granian*uvloop*", "-s", "protocol=h1,h2c", "-q", "--json")
    done = run_cli(*words, env=empty_path(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "h2load missing: " in done.stderr
    cells = {cell["id"].split("/")[1]: cell for cell in json.loads(done.stdout)["cells"]}
    assert cells["h1"]["status"] == "measured"
    assert (cells["h2c"]["status"], cells["h2c"]["rps"]) == ("skipped", None)
    assert cells["h2c"]["reason"].startswith("h2load missing: ")


@pytest.mark.servers
def test_without_wrk_the_built_in_generator_measures_and_every_table_says_so(run_cli: RunCli, tmp_path: Path) -> None:
    words = ("run", "--profile", "smoke", "-k", "granian*uvloop*", "-q")
    done = run_cli(*words, env=empty_path(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "built-in generator" in done.stderr
    assert "builtin" in done.stdout
    assert "not comparable with wrk" in (tmp_path / "reports" / "latest.md").read_text()


def test_a_wrk_too_old_is_exit_code_3_with_its_version(run_cli: RunCli, tmp_path: Path) -> None:
    environment = empty_path(tmp_path)
    old = Path(environment["PATH"]) / "wrk"
    old.write_text("#!/bin/sh\necho 'wrk 3.1.2 [epoll] Copyright (C) 2012 Will Glozer'\n")
    old.chmod(0o755)
    done = run_cli("run", env=environment)
    assert done.returncode == 3
    assert "3.1.2 is too old" in done.stderr


@pytest.mark.parametrize("words", [("--load", "fake"), ("--fake", "model.yaml", "--load", "builtin")])
def test_a_model_without_its_generator_and_the_generator_without_a_model_are_refused(
    run_cli: RunCli, fake: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert "model.yaml" in fake
    done = run_cli("run", *words)
    assert done.returncode == 2
    assert "--load fake --fake FILE" in done.stderr


def test_progress_that_nobody_reads_any_more_does_not_end_a_run(start_cli: StartCli, fake: tuple[str, ...]) -> None:
    process = start_cli("run", *fake, "--json")
    assert process.stderr is not None
    process.stderr.close()
    process.stderr = None
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["run"]["complete"] is True


def test_output_that_nobody_reads_to_its_end_is_no_failure(start_cli: StartCli) -> None:
    process = start_cli("plan", "--profile", "full", "--json")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize(("handler", "ignored"), [("SIG_IGN", True), ("SIG_DFL", False)])
def test_a_hang_up_ends_a_run_unless_nohup_asked_for_the_contrary(handler: str, *, ignored: bool) -> None:
    source = f"import signal, sys; signal.signal(signal.SIGHUP, signal.{handler}); sys.argv[1:] = ['--version']\n"
    source += "from servermatrix import cli\ntry: cli.main()\nexcept SystemExit: pass\n"
    source += "print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split()[-1] == str(ignored)


def test_a_run_does_not_go_on_with_another_version_of_its_generator(
    run_cli: RunCli, fake: tuple[str, ...], tmp_path: Path
) -> None:
    loads = tmp_path / "mine" / "loads"
    loads.mkdir(parents=True)
    source = (ROOT / "runners" / "loads" / "fake.py").read_text()
    assert 'version=lambda _: "1"' in source
    (loads / "fake.py").write_text(source)
    begun = run_cli("run", *fake, "-q", "--runners", "mine", "-k", "granian*", "--rounds", "1")
    assert begun.returncode == 0, begun.stderr
    (loads / "fake.py").write_text(source.replace('version=lambda _: "1"', 'version=lambda _: "2"'))
    refused = run_cli("run", "--resume", "latest", "-q", "--runners", "mine")
    assert refused.returncode == 3
    assert "error: the load generators changed since run " in refused.stderr
    assert run_cli("run", "--resume", "latest", "-q").returncode == 0
